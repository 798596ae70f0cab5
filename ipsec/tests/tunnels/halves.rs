//! The two machines apart, as a gateway with several cores has them.

use std::collections::BTreeMap;
use std::time::Duration;

use ipsec::ike_sm::config::ChildConfig;
use ipsec::ike_sm::{ChildSuite, Mode};
use ipsec::{
    Actions, Arrival, Command, Control, ControlAction, DataAction, DataConfig, DataPlane, Dropped,
    Egress, HEADROOM, Ingress, Notice, PacketBuf, Path, Selector, TAILROOM, Transmit, Update, esp,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::kit::{A, B, Side, between, config, inner};

const NOW: Duration = Duration::from_secs(100);
static PROVIDER: ipsec::Provider = ipsec::crypto_suite::DEFAULT;

/// One control and several data planes; a pair lives on the data plane of its number.
struct Cores {
    control: Control,
    planes: Vec<DataPlane>,
    rng: ChaCha20Rng,
    sent: Vec<(Path, Vec<u8>)>,
    /// What was installed, for whoever wants to misuse it.
    suites: BTreeMap<u32, ChildSuite>,
}

impl Cores {
    fn new(side: Side, cores: usize, children: &[(&str, Selector, Selector)]) -> Self {
        let mut config = config(side);
        for (name, local, remote) in children {
            let child = ChildConfig::new(*name, *local, *remote);
            config.ike.peers[0].children.push(child);
        }
        let control = Control::new(config, &PROVIDER).unwrap();
        let mut planes: Vec<_> = (0..cores)
            .map(|_| DataPlane::new(DataConfig::default(), &PROVIDER))
            .collect();
        for plane in &mut planes {
            plane.update(control.policies(), NOW, &mut Actions::new());
        }
        let seed = if side == A { 1 } else { 2 };
        Self {
            control,
            planes,
            rng: ChaCha20Rng::seed_from_u64(seed),
            sent: Vec::new(),
            suites: BTreeMap::new(),
        }
    }

    fn done(&mut self, mut actions: Actions<ControlAction>) {
        let mut seen = Actions::new();
        while let Some(action) = actions.pop() {
            match action {
                ControlAction::Send(path, datagram) => self.sent.push((path, datagram.to_vec())),
                ControlAction::Update(update) => {
                    if let Update::Install { sa, .. } = &update {
                        self.suites.insert(sa.spi_out, sa.suite);
                    }
                    let child = update.child().expect("an update of one pair");
                    let n = usize::try_from(child.number()).unwrap() % self.planes.len();
                    self.planes[n].update(update, NOW, &mut seen);
                }
                _ => {}
            }
        }
    }

    fn command(&mut self, command: Command) {
        let mut actions = Actions::new();
        let outcome = self
            .control
            .command(command, NOW, &mut self.rng, &mut actions);
        assert_eq!(outcome, ipsec::Outcome::Handled);
        self.done(actions);
    }

    fn datagram(&mut self, path: Path, octets: &[u8]) {
        let ipsec::nat_t::Datagram::Ike(message) = ipsec::nat_t::classify(octets) else {
            panic!("no IKE message");
        };
        let mut actions = Actions::new();
        let _ = self
            .control
            .datagram(path, message, NOW, &mut self.rng, &mut actions);
        self.done(actions);
    }
}

/// Carries the IKE messages of both until neither has one.
fn negotiate(a: &mut Cores, b: &mut Cores) {
    loop {
        let (from_a, from_b) = (std::mem::take(&mut a.sent), std::mem::take(&mut b.sent));
        if from_a.is_empty() && from_b.is_empty() {
            return;
        }
        let back = |path: Path| Path {
            local: path.remote,
            remote: path.local,
            natt: path.natt,
        };
        for (path, octets) in from_a {
            if path.natt {
                b.datagram(back(path), &octets)
            } else {
                plain(b, back(path), &octets)
            }
        }
        for (path, octets) in from_b {
            if path.natt {
                a.datagram(back(path), &octets)
            } else {
                plain(a, back(path), &octets)
            }
        }
    }
}

fn plain(end: &mut Cores, path: Path, message: &[u8]) {
    let mut actions = Actions::new();
    let _ = end
        .control
        .datagram(path, message, NOW, &mut end.rng, &mut actions);
    end.done(actions);
}

fn up(cores: usize) -> (Cores, Cores) {
    let more = |n: u8| Selector::subnet([10, 2, n, 0].into(), 24).unwrap();
    let names = ["one", "two", "three"];
    let of_a: Vec<_> = (1..)
        .zip(names)
        .map(|(n, name)| (name, A.network(), more(n)))
        .collect();
    let of_b: Vec<_> = (1..)
        .zip(names)
        .map(|(n, name)| (name, more(n), A.network()))
        .collect();
    let mut a = Cores::new(A, cores, &of_a);
    let mut b = Cores::new(B, cores, &of_b);
    a.command(Command::Initiate {
        peer: "peer".into(),
        children: vec![],
    });
    negotiate(&mut a, &mut b);
    (a, b)
}

fn sealed(plane: &mut DataPlane, packet: &[u8]) -> Option<(Transmit, Vec<u8>)> {
    let mut room = vec![0; HEADROOM + packet.len() + TAILROOM];
    room[HEADROOM..HEADROOM + packet.len()].copy_from_slice(packet);
    let mut buffer = PacketBuf::new(&mut room, HEADROOM..HEADROOM + packet.len()).unwrap();
    match plane.seal(&mut buffer, NOW, &mut Actions::new()) {
        Ok(Egress::Send(transmit)) => Some((transmit, buffer.as_slice().to_vec())),
        _ => None,
    }
}

fn arrival(transmit: &Transmit) -> Arrival {
    Arrival::udp(&Path {
        local: transmit.path.remote,
        remote: transmit.path.local,
        natt: true,
    })
}

#[test]
fn one_control_feeds_several_data_planes() {
    let (mut a, mut b) = up(3);
    let pairs: usize = b.planes.iter().map(|plane| plane.pairs().count()).sum();
    assert_eq!(pairs, 4);
    for (n, host) in [[10, 2, 0, 1], [10, 2, 1, 1], [10, 2, 2, 1], [10, 2, 3, 1]]
        .into_iter()
        .enumerate()
    {
        let packet = between(A.host(), host, u16::try_from(n).unwrap(), 100, false);
        let owners = a.planes.iter_mut().map(|plane| sealed(plane, &packet));
        // The wide child has such packets on its plane too; the narrow one's plane is asked here.
        let found: Vec<_> = owners.flatten().collect();
        assert!(!found.is_empty(), "{host:?}");
        let (transmit, octets) = &found[0];
        let came = b.planes.iter_mut().filter_map(|plane| {
            let mut octets = octets.clone();
            let mut buffer = PacketBuf::full(&mut octets);
            let mut actions = Actions::new();
            let opened = plane.open(&arrival(transmit), &mut buffer, NOW, &mut actions);
            let Ok(Ingress::Deliver(_)) = opened else {
                return None;
            };
            let told = actions
                .iter()
                .any(|action| matches!(action, DataAction::Notice(Notice::Traffic(..))));
            Some((buffer.as_slice().to_vec(), told))
        });
        let came: Vec<_> = came.collect();
        assert_eq!(came.len(), 1, "{host:?}");
        assert_eq!(came[0].0, packet);
    }
}

#[test]
fn machines_and_messages_go_to_other_threads() {
    fn moves<T: Send + 'static>() {}
    moves::<Control>();
    moves::<DataPlane>();
    moves::<Update>();
    moves::<Notice>();
    moves::<ipsec::Tunnels>();
}

/// The sending half of an SA that keeps to no selectors.
fn unbound(end: &Cores) -> Option<(Mode, u32)> {
    let pair = end.planes[0].pairs().next()?;
    Some((pair.mode, pair.spi_out.value()))
}

#[test]
fn rfc4301_s5_2_what_a_peer_sends_has_to_be_what_its_child_is_for() {
    // A peer whose data plane seals anything: its pair has wider selectors than were agreed on.
    let mut a = Cores::new(A, 1, &[]);
    let mut b = Cores::new(B, 1, &[]);
    let mut actions = Actions::new();
    let initiate = Command::Initiate {
        peer: "peer".into(),
        children: vec![],
    };
    let _ = a.control.command(initiate, NOW, &mut a.rng, &mut actions);
    let all = Selector::subnet([0, 0, 0, 0].into(), 0).unwrap();
    let widened = |end: &mut Cores, mut actions: Actions<ControlAction>| {
        while let Some(action) = actions.pop() {
            match action {
                ControlAction::Send(path, datagram) => end.sent.push((path, datagram.to_vec())),
                ControlAction::Update(mut update) => {
                    if let Update::Install { sa, .. } = &mut update {
                        (sa.terms.local, sa.terms.remote) = (all.into(), all.into());
                    }
                    end.planes[0].update(update, NOW, &mut Actions::new());
                }
                _ => {}
            }
        }
    };
    widened(&mut a, actions);
    for _ in 0..4 {
        for (path, octets) in std::mem::take(&mut a.sent) {
            let back = Path {
                local: path.remote,
                remote: path.local,
                natt: path.natt,
            };
            if path.natt {
                b.datagram(back, &octets)
            } else {
                plain(&mut b, back, &octets)
            }
        }
        for (path, octets) in std::mem::take(&mut b.sent) {
            let back = Path {
                local: path.remote,
                remote: path.local,
                natt: path.natt,
            };
            let message = octets.get(if path.natt { 4.. } else { 0.. }).unwrap();
            let mut actions = Actions::new();
            let _ = a
                .control
                .datagram(back, message, NOW, &mut a.rng, &mut actions);
            widened(&mut a, actions);
        }
    }
    assert!(unbound(&a).is_some());
    let mut open = |packet: &[u8]| {
        let (transmit, mut octets) = sealed(&mut a.planes[0], packet).expect("sealed");
        let mut buffer = PacketBuf::full(&mut octets);
        b.planes[0].open(&arrival(&transmit), &mut buffer, NOW, &mut Actions::new())
    };
    assert!(matches!(
        open(&inner(A, 1, 10, false)),
        Ok(Ingress::Deliver(_))
    ));
    for foreign in [
        between([10, 7, 0, 1], B.host(), 1, 10, false),
        between(A.host(), [10, 3, 0, 1], 1, 10, false),
        between(B.host(), A.host(), 1, 10, false),
    ] {
        let opened = open(&foreign);
        let refused = matches!(opened, Err(Dropped::Open(esp::OpenError::Selectors(_))));
        assert!(refused, "{opened:?}");
    }
}

#[test]
fn a_batch_is_what_single_packets_are() {
    let (mut a, mut b) = up(1);
    let hosts = [
        [10, 2, 0, 1],
        [10, 2, 0, 1],
        [10, 2, 1, 1],
        [8, 8, 8, 8],
        [10, 2, 1, 1],
        [10, 2, 0, 1],
    ];
    let count = 40;
    let packets: Vec<Vec<u8>> = (0..count)
        .map(|n| {
            between(
                A.host(),
                hosts[n % hosts.len()],
                u16::try_from(n).unwrap(),
                40 + n,
                false,
            )
        })
        .collect();
    let mut rooms: Vec<Vec<u8>> = packets
        .iter()
        .map(|packet| [&[0; HEADROOM][..], packet, &[0; TAILROOM]].concat())
        .collect();
    let mut buffers: Vec<PacketBuf<'_>> = rooms
        .iter_mut()
        .zip(&packets)
        .map(|(room, packet)| PacketBuf::new(room, HEADROOM..HEADROOM + packet.len()).unwrap())
        .collect();
    let mut results = vec![Err(Dropped::Gone); count];
    a.planes[0].seal_batch(&mut buffers, &mut results, NOW, &mut Actions::new());
    let mut sealed: Vec<(usize, Transmit, Vec<u8>)> = Vec::new();
    for (n, (buffer, result)) in buffers.iter().zip(&results).enumerate() {
        match result {
            Ok(Egress::Send(transmit)) => sealed.push((n, *transmit, buffer.as_slice().to_vec())),
            other => {
                assert_eq!(*other, Err(Dropped::NoPolicy), "{n}");
                assert_eq!(hosts[n % hosts.len()], [8, 8, 8, 8]);
            }
        }
    }
    let from = arrival(&sealed[0].1);
    // One replayed packet and one that nobody knows stand among them.
    let mut octets: Vec<Vec<u8>> = sealed.iter().map(|(_, _, octets)| octets.clone()).collect();
    octets.insert(3, octets[2].clone());
    octets.insert(5, vec![9; 60]);
    let mut buffers: Vec<_> = octets.iter_mut().map(|o| PacketBuf::full(o)).collect();
    let mut results = vec![Err(Dropped::Gone); buffers.len()];
    b.planes[0].open_batch(&from, &mut buffers, &mut results, NOW, &mut Actions::new());
    assert!(
        matches!(
            results[3],
            Err(Dropped::Open(esp::OpenError::Replayed { .. }))
        ),
        "{:?}",
        results[3]
    );
    assert_eq!(results[5], Err(Dropped::UnknownSpi(0x0909_0909)));
    let came: Vec<&[u8]> = buffers
        .iter()
        .zip(&results)
        .filter(|(_, result)| matches!(result, Ok(Ingress::Deliver(_))))
        .map(|(buffer, _)| buffer.as_slice())
        .collect();
    let wanted: Vec<&[u8]> = sealed
        .iter()
        .map(|(n, ..)| packets[*n].as_slice())
        .collect();
    assert_eq!(came, wanted);
}
