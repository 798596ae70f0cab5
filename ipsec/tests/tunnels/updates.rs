//! Updates in odd orders, policies that overlap, and what a data plane does with them.

use std::time::Duration;

use ipsec::ike_sm::config::{ChildConfig, IkeVersion, Lifetime, PeerConfig, Prefix, PskOwner};
use ipsec::ike_sm::{ChildId, CloseReason};
use ipsec::{
    Actions, Command, Config, ConfigError, Control, ControlAction, DataAction, DataConfig,
    DataPlane, Dropped, Egress, Event, Exception, HEADROOM, PacketBuf, Path, Policy, PolicyAction,
    Secret, Selector, Sent, TAILROOM, Tunnels, Update,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::kit::{A, B, Link, between, config, inner, secs};

static PROVIDER: ipsec::Provider = ipsec::crypto_suite::DEFAULT;
const NOW: Duration = Duration::from_secs(100);

fn net(base: [u8; 4], len: u8) -> Selector {
    Selector::subnet(base.into(), len).unwrap()
}

/// Installs of `n` pairs (no activation), from a real negotiation.
fn installs(n: usize) -> Vec<(ChildId, Update)> {
    let [mut a, mut b] = [config(A), config(B)];
    for c in 1..n {
        let (near, far) = (
            net([10, 1, 0, 0], 16),
            net([10, 2, u8::try_from(c).unwrap(), 0], 24),
        );
        a.ike.peers[0]
            .children
            .push(ChildConfig::new(format!("c{c}"), near, far));
        b.ike.peers[0]
            .children
            .push(ChildConfig::new(format!("c{c}"), far, near));
    }
    let mut ends = [
        Control::new(a, &PROVIDER).unwrap(),
        Control::new(b, &PROVIDER).unwrap(),
    ];
    let mut rngs = [ChaCha20Rng::seed_from_u64(1), ChaCha20Rng::seed_from_u64(2)];
    let mut out = Vec::new();
    let mut wire: Vec<(usize, Path, Vec<u8>)> = Vec::new();
    let mut actions = Actions::new();
    let _ = ends[0].command(
        Command::Initiate {
            peer: "peer".into(),
            children: vec![],
        },
        NOW,
        &mut rngs[0],
        &mut actions,
    );
    let mut who = 0;
    loop {
        while let Some(x) = actions.pop() {
            match x {
                ControlAction::Send(path, d) => wire.push((
                    1 - who,
                    Path {
                        local: path.remote,
                        remote: path.local,
                        natt: path.natt,
                    },
                    d.to_vec(),
                )),
                ControlAction::Update(u @ Update::Install { .. }) if who == 0 => {
                    out.push((u.child().unwrap(), u))
                }
                _ => {}
            }
        }
        if wire.is_empty() {
            return out;
        }
        let (to, path, d) = wire.remove(0);
        who = to;
        let m: &[u8] = if path.natt {
            match ipsec::nat_t::classify(&d) {
                ipsec::nat_t::Datagram::Ike(m) => m,
                _ => continue,
            }
        } else {
            &d
        };
        let _ = ends[to].datagram(path, m, NOW, &mut rngs[to], &mut actions);
    }
}

fn settled(u: Update) -> Update {
    match u {
        Update::Install { sa, .. } => Update::Install { sa, settle: true },
        u => u,
    }
}

struct Plane(DataPlane, Actions<DataAction>);

impl Plane {
    fn new() -> Self {
        Self(
            DataPlane::new(DataConfig::default(), &PROVIDER),
            Actions::new(),
        )
    }

    fn update(&mut self, update: Update, now: Duration) {
        self.0.update(update, now, &mut self.1);
    }

    fn activate(&mut self, child: ChildId, replaces: Option<ChildId>) {
        self.update(Update::Activate { child, replaces }, NOW);
    }

    fn remove(&mut self, child: ChildId, reason: CloseReason) {
        self.update(
            Update::Remove { child, reason },
            NOW + Duration::from_millis(20),
        );
    }

    fn seal(&mut self, packet: &[u8]) -> Result<Egress, Dropped> {
        let mut room = [&[0; HEADROOM][..], packet, &[0; TAILROOM]].concat();
        let range = HEADROOM..HEADROOM + packet.len();
        let mut packet = PacketBuf::new(&mut room, range).unwrap();
        self.0.seal(&mut packet, NOW, &mut self.1)
    }

    fn ups(&self) -> Vec<ChildId> {
        let event = |action: &DataAction| match action {
            DataAction::Event(Event::ChildUp { child, .. }) => Some(*child),
            _ => None,
        };
        self.1.iter().filter_map(event).collect()
    }
}

#[test]
fn a_deleted_pair_that_settled_does_not_come_to_life_with_the_end_of_another() {
    let [(old, i0), (one, i1), (two, i2)]: [_; 3] = installs(3).try_into().unwrap();
    let mut plane = Plane::new();
    plane.update(i0, NOW);
    plane.activate(old, None);
    plane.update(settled(i1), NOW);
    plane.activate(one, Some(old));
    plane.update(i2, NOW);
    plane.activate(two, Some(one));
    plane.remove(one, CloseReason::Replaced);
    plane.remove(old, CloseReason::Replaced);
    plane.activate(one, None);
    plane.0.deadline(NOW + secs(1000), &mut plane.1);
    let left: Vec<_> = plane.0.summaries().map(|p| (p.id, p.active)).collect();
    assert_eq!(left, [(two, true)]);
    assert_eq!(plane.ups(), [old, two]);
    assert_eq!(plane.0.next_deadline(), None);
}

#[test]
fn what_shall_not_send_does_not_when_the_one_before_it_goes() {
    let [(old, i0), (new, i1)]: [_; 2] = installs(2).try_into().unwrap();
    let mut plane = Plane::new();
    plane.update(i0, NOW);
    plane.activate(old, None);
    plane.update(settled(i1), NOW);
    plane.activate(new, Some(old));
    plane.update(Update::StopSending(new), NOW);
    plane.remove(old, CloseReason::Replaced);
    assert!(!plane.0.pair(new).unwrap().active);
    // A deleted pair that takes packets in yet goes when its moment has come, whatever is said of it.
    plane.update(Update::StopSending(old), NOW);
    plane.0.deadline(NOW + secs(2), &mut plane.1);
    assert!(plane.0.pair(old).is_none());
}

#[test]
fn a_settling_pair_sends_when_the_one_before_it_goes() {
    let [(old, i0), (new, i1)]: [_; 2] = installs(2).try_into().unwrap();
    let mut plane = Plane::new();
    plane.update(i0, NOW);
    plane.activate(old, None);
    plane.update(settled(i1), NOW);
    plane.activate(new, Some(old));
    assert!(!plane.0.pair(new).unwrap().active);
    plane.remove(old, CloseReason::DeletedByPeer);
    assert!(plane.0.pair(new).unwrap().active);
    assert_eq!(plane.0.next_deadline(), None);
}

#[test]
fn a_handle_that_is_installed_again_leaves_nothing_of_the_first() {
    let (id, first) = installs(1).remove(0);
    let (_, second) = installs(1).remove(0);
    let mut plane = Plane::new();
    plane.update(settled(first), NOW);
    plane.activate(id, None);
    plane.update(second, NOW);
    assert_eq!(plane.0.next_deadline(), None);
    plane.remove(id, CloseReason::DeletedByPeer);
    assert_eq!(plane.0.next_deadline(), None);
    assert_eq!(plane.0.summaries().count(), 0);
}

/// A second peer of A, at an address where nobody is, with a child for a part of B's network.
fn with_a_peer_that_is_away(a: &mut Config) {
    let mut other = PeerConfig::new("secret");
    other.version = IkeVersion::V2;
    other.addresses.push([192, 0, 2, 77].into());
    other.local_address = Some([192, 0, 2, 1].into());
    let child = ChildConfig::new("secret", A.network(), net([10, 2, 7, 0], 24));
    other.children.push(child);
    a.ike.peers.push(other);
    let owner = PskOwner::Prefix(Prefix::host([192, 0, 2, 77].into()));
    a.ike.psks.insert(owner, Secret::from(&b"another"[..]));
}

#[test]
fn rfc4301_s5_1_a_packet_of_one_peer_does_not_leave_through_the_pair_of_another() {
    let mut a = config(A);
    with_a_peer_that_is_away(&mut a);
    let mut link = Link::new(a, config(B));
    link.push(A, &inner(A, 1, 10, false));
    link.run(secs(2));
    assert_eq!(link.b.inside.len(), 1);
    let of_the_other = between([10, 1, 0, 1], [10, 2, 7, 1], 1, 10, false);
    assert_eq!(link.send(A, &of_the_other), Sent::Done);
    assert_eq!(link.a.tunnels.data().held().0, 1);
    assert!(matches!(
        link.send(A, &inner(A, 2, 10, false)),
        Sent::Send(_)
    ));
}

#[test]
fn an_exception_that_no_packet_can_match_is_refused() {
    let mut far = net([10, 2, 0, 0], 16);
    (far.protocol, far.ports) = (17, (2000, 1));
    let mut a = config(A);
    a.exceptions
        .push(Exception::bypass(A.network(), net([10, 9, 0, 0], 16)));
    a.exceptions.push(Exception::discard(A.network(), far));
    let refused = Tunnels::new(a, &PROVIDER).map(drop);
    let wanted = ConfigError::Exception {
        index: 1,
        selector: far,
    };
    assert_eq!(refused, Err(wanted));
    // A data plane that is told so all the same lets none of these addresses pass.
    let mut plane = Plane::new();
    let all = net([10, 2, 0, 0], 16);
    plane.update(
        Update::Policies(vec![
            Policy::new(A.network().into(), far.into(), PolicyAction::Discard),
            Policy::new(A.network().into(), all.into(), PolicyAction::Bypass),
        ]),
        NOW,
    );
    assert_eq!(plane.seal(&inner(A, 1, 10, false)), Err(Dropped::Discarded));
    assert_eq!(plane.0.policies().count(), 2);
}

#[test]
fn rfc4301_s7_a_later_fragment_does_not_leave_in_clear_where_ports_are_protected() {
    let mut far = net([10, 2, 0, 0], 16);
    (far.protocol, far.ports) = (17, (4000, 4000));
    let protect = PolicyAction::Protect {
        peer: "peer".into(),
        child: "lan".into(),
        on_demand: true,
    };
    let mut plane = Plane::new();
    let all = net([10, 2, 0, 0], 16);
    plane.update(
        Update::Policies(vec![
            Policy::new(A.network().into(), far.into(), protect),
            Policy::new(A.network().into(), all.into(), PolicyAction::Bypass),
        ]),
        NOW,
    );
    let whole = inner(A, 4000, 1000, false);
    assert_eq!(plane.seal(&whole), Ok(Egress::Held { policy: 0 }));
    let mut pieces = ipsec::esp::Fragments::new(&whole, 500).unwrap();
    let mut room = [0; 500];
    let first = pieces.next_into(&mut room).unwrap().unwrap();
    assert_eq!(plane.seal(&room[..first]), Ok(Egress::Held { policy: 0 }));
    let later = pieces.next_into(&mut room).unwrap().unwrap();
    assert_eq!(plane.seal(&room[..later]), Err(Dropped::PortsHidden));
    assert!(!plane.0.admits_clear(&room[..later]));
    // Another protocol has nothing to do with it.
    room[9] = 6;
    room[10..12].fill(0);
    let sum = ipsec::nat_t::adjust(0xffff, &[], &room[..20]);
    room[10..12].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(plane.seal(&room[..later]), Ok(Egress::Bypass));
}

#[test]
fn every_deadline_is_later_than_the_one_before_whatever_is_configured() {
    // `Link::run` asserts it.
    let zero: [fn(&mut DataConfig); 3] = [
        |d| d.linger = Duration::ZERO,
        |d| d.settle = Duration::ZERO,
        |d| d.traffic_interval = Duration::ZERO,
    ];
    for (version, zero) in [IkeVersion::V1, IkeVersion::V2]
        .iter()
        .flat_map(|v| zero.map(|z| (v, z)))
    {
        let [a, b] = [A, B].map(|side| {
            let mut config = config(side);
            zero(&mut config.data);
            let peer = &mut config.ike.peers[0];
            peer.version = *version;
            let usual = peer.children[0].lifetime;
            peer.children[0].lifetime = Lifetime {
                time: secs(300),
                ..usual
            };
            config
        });
        let mut link = Link::new(a, b);
        for n in 0..800 {
            link.push(A, &inner(A, n, 10, false));
            link.run(secs(1));
        }
        assert!(link.b.inside.len() > 790);
    }
}

#[test]
fn a_pair_that_cannot_be_installed_is_not_negotiated_over_and_over() {
    let mut a = config(A);
    a.data.max_pairs = 0;
    let mut link = Link::new(a, config(B));
    for n in 0..600 {
        link.push(A, &inner(A, n, 10, false));
        link.run(Duration::from_millis(100));
    }
    assert!(
        link.a.saw("not installed") <= 3,
        "{}",
        link.a.saw("not installed")
    );
    assert!(link.a.sent.len() < 20, "{} messages", link.a.sent.len());
}

#[test]
fn what_does_not_leave_is_no_traffic() {
    let mut link = Link::usual();
    link.push(A, &inner(A, 1, 10, false));
    link.run(secs(2));
    let used = |link: &Link| {
        let mut children = link.a.tunnels.control().endpoint().children();
        children.next().unwrap().used
    };
    let before = used(&link);
    link.push(A, &inner(A, 2, 3000, true));
    link.run(secs(2));
    assert_eq!(used(&link), before);
    // The pieces of one that is cut count each.
    link.push(A, &inner(A, 3, 3000, false));
    link.run(secs(2));
    assert_eq!(used(&link).outbound_packets, before.outbound_packets + 3);
}

#[test]
fn packets_of_a_child_that_fails_wait_no_longer_and_those_of_others_do() {
    let mut a = config(A);
    with_a_peer_that_is_away(&mut a);
    let mut b = config(B);
    // B refuses the child: it has another network in mind.
    b.ike.peers[0].children[0].local = net([10, 3, 0, 0], 16).into();
    let mut link = Link::new(a, b);
    link.push(A, &between([10, 1, 0, 1], [10, 2, 7, 1], 1, 10, false));
    link.push(A, &inner(A, 1, 10, false));
    assert_eq!(link.a.tunnels.data().held(), (2, 0));
    link.run(secs(2));
    assert_eq!(link.a.tunnels.data().held(), (1, 1), "{:?}", link.a.events);
}
