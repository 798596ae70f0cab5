//! The machines of both versions. Their provider encrypts nothing and its PRF ignores what it is given, so that
//! changed messages pass HASH payloads: every change is one made before encryption.

use std::net::SocketAddr;
use std::time::Duration;

use crypto_suite::{Digest, Prf, PrfId, Provider, Secret, insecure};
use ike_sm::config::{ChildConfig, Config, IkeVersion, PeerConfig, Prefix, PskOwner};
use ike_sm::{
    Action, Actions, ChildId, Command, Endpoint, Event, IkeId, Outcome, Path, Selector, Traffic,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::Feed;

pub(crate) const A: &str = "192.0.2.1:500";
pub(crate) const B: &str = "192.0.2.2:500";
/// More of these from one event than any exchange has use for.
const MANY_ACTIONS: usize = 4096;

/// Ignores key and text.
struct Blind(PrfId);

impl Prf for Blind {
    fn id(&self) -> PrfId {
        self.0
    }
    fn output_len(&self) -> usize {
        insecure::CHECKED
            .prf(self.0)
            .map_or(20, |prf| prf.output_len())
    }
    fn prf(&self, _: &[u8], _: &[&[u8]]) -> Digest {
        Digest::new(&[0x5a; Digest::MAX_LEN]).truncated(self.output_len())
    }
}

pub(crate) static BLIND: Provider = Provider {
    prfs: &[
        &Blind(PrfId::HmacMd5),
        &Blind(PrfId::HmacSha1),
        &Blind(PrfId::HmacSha256),
        &Blind(PrfId::HmacSha384),
        &Blind(PrfId::HmacSha512),
    ],
    ..insecure::UNCHECKED
};

pub(crate) struct End {
    pub(crate) endpoint: Endpoint,
    rng: ChaCha20Rng,
    pub(crate) ikes: Vec<IkeId>,
    pub(crate) children: Vec<ChildId>,
}

impl End {
    fn new(own: &str, peer: &str, seed: u64) -> Option<Self> {
        Self::with(own, peer, seed, &BLIND, |_| {})
    }

    pub(crate) fn with(
        own: &str,
        peer: &str,
        seed: u64,
        provider: &'static Provider,
        change: impl Fn(&mut PeerConfig),
    ) -> Option<Self> {
        let (own, peer): (SocketAddr, SocketAddr) = (own.parse().ok()?, peer.parse().ok()?);
        let mut config = Config::default();
        let mut of_peer = PeerConfig::new("peer");
        of_peer.version = IkeVersion::V1;
        of_peer.addresses.push(peer.ip());
        of_peer.local_address = Some(own.ip());
        let net = |host: SocketAddr| match host.ip() {
            std::net::IpAddr::V4(v4) => Selector::subnet([10, v4.octets()[3], 0, 0].into(), 16),
            std::net::IpAddr::V6(_) => None,
        };
        of_peer
            .children
            .push(ChildConfig::new("net", net(own)?, net(peer)?));
        change(&mut of_peer);
        config.peers.push(of_peer);
        let key = Secret::from(&b"secret"[..]);
        config
            .psks
            .insert(PskOwner::Prefix(Prefix::host(peer.ip())), key);
        Some(Self {
            endpoint: Endpoint::new(config, provider).ok()?,
            rng: ChaCha20Rng::seed_from_u64(seed),
            ikes: Vec::new(),
            children: Vec::new(),
        })
    }

    /// One event; gives what it sends. Asserts the laws that can be seen from outside.
    pub(crate) fn feed(&mut self, event: Event<'_>, now: Duration) -> Vec<(Path, Vec<u8>)> {
        let deadline = matches!(event, Event::Deadline);
        let before = format!("{:?}", self.endpoint.state());
        let mut actions = Actions::new();
        let outcome = self
            .endpoint
            .handle(event, now, &mut self.rng, &mut actions);
        let after = self.endpoint.next_deadline().map(|d| d.at);
        if deadline {
            assert!(after.is_none_or(|at| at > now), "progress");
        }
        assert!(self.endpoint.is_consistent(), "an index lags");
        let dropped = matches!(outcome, Outcome::Dropped(_));
        if dropped {
            let state = format!("{:?}", self.endpoint.state());
            assert!(
                before == state,
                "a dropped event changed the state: {outcome:?}\n{before}\n{state}"
            );
        }
        let (mut sent, mut count) = (Vec::new(), 0);
        while let Some(action) = actions.pop() {
            count += 1;
            match action {
                Action::Send { path, datagram } => sent.push((path, datagram.to_vec())),
                Action::Report(record) => {
                    drop(record.cisco().to_string());
                    continue;
                }
                Action::InstallChild(child) => self.children.push(child.id),
                Action::RemoveChild { child, .. } => self.children.retain(|known| *known != child),
                Action::IkeEstablished { ike, .. } => self.ikes.push(ike),
                Action::IkeClosed { ike, .. } => self.ikes.retain(|known| *known != ike),
                _ => {}
            }
            assert!(
                !dropped || matches!(sent.len(), 0 | 1),
                "a dropped event acted"
            );
        }
        assert!(count < MANY_ACTIONS, "{count} actions");
        sent
    }
}

pub(crate) fn path(local: &str, remote: &str) -> Option<Path> {
    Some(Path {
        local: local.parse().ok()?,
        remote: remote.parse().ok()?,
        natt: false,
    })
}

/// Datagrams of a stranger, and time.
pub fn v1_responder(data: &[u8]) {
    if let Some(end) = End::new(B, A, 1) {
        responder(end, data);
    }
}

pub(crate) fn responder(mut end: End, data: &[u8]) {
    let mut feed = Feed(data);
    let Some(path) = path(B, A) else { return };
    let mut now = Duration::ZERO;
    while let Some(wait) = feed.byte() {
        now += Duration::from_millis(u64::from(wait) * 100);
        if end.endpoint.next_deadline().is_some_and(|d| d.at <= now) {
            end.feed(Event::Deadline, now);
        }
        let Some(message) = feed.bytes() else { return };
        let mut message = message.to_vec();
        if wait & 1 == 0 {
            mend_length(&mut message);
        }
        end.feed(
            Event::Datagram {
                path,
                message: &message,
            },
            now,
        );
    }
}

/// An established pair: messages are changed, repeated, lost, made up; both ends keep the laws.
pub fn v1_session(data: &[u8]) {
    if let (Some(a), Some(b)) = (End::new(A, B, 1), End::new(B, A, 2)) {
        session(a, b, data);
    }
}

pub(crate) fn session(a: End, b: End, data: &[u8]) {
    let Some(a_to_b) = path(A, B) else { return };
    let b_to_a = Path {
        local: a_to_b.remote,
        remote: a_to_b.local,
        natt: false,
    };
    let mut ends = [a, b];
    let mut now = Duration::ZERO;
    let mut flights: Vec<(usize, Vec<u8>)> = Vec::new();
    let act = |ends: &mut [End; 2], flights: &mut Vec<_>, who: usize, event: Event<'_>, now| {
        let Some(end) = ends.get_mut(who) else { return };
        for (_, datagram) in end.feed(event, now) {
            if flights.len() < 64 {
                flights.push((1 - who, datagram));
            }
        }
    };
    let start = Command::Initiate {
        peer: "peer".into(),
        children: Vec::new(),
    };
    act(&mut ends, &mut flights, 0, Event::Command(start), now);
    for _ in 0..64 {
        if flights.is_empty() {
            break;
        }
        let (to, message) = flights.remove(0);
        let path = if to == 0 { a_to_b } else { b_to_a };
        act(
            &mut ends,
            &mut flights,
            to,
            Event::Datagram {
                path,
                message: &message,
            },
            now,
        );
    }
    assert!(
        ends.iter().all(|end| !end.children.is_empty()),
        "the tunnel is up"
    );

    let mut feed = Feed(data);
    while let Some([kind, argument]) = feed.array() {
        let who = usize::from(kind >> 7);
        match kind & 15 {
            0 => {
                now += Duration::from_millis(u64::from(argument) * 500);
                for who in [0, 1] {
                    while ends[who]
                        .endpoint
                        .next_deadline()
                        .is_some_and(|d| d.at <= now)
                    {
                        act(&mut ends, &mut flights, who, Event::Deadline, now);
                    }
                }
            }
            1 if !flights.is_empty() => drop(flights.remove(usize::from(argument) % flights.len())),
            2..=6 if !flights.is_empty() => {
                let index = usize::from(argument) % flights.len();
                let (to, mut message) = match kind & 15 {
                    2 => flights[index].clone(),
                    _ => flights.remove(index),
                };
                if kind & 15 > 3 {
                    change(&mut message, &mut feed);
                }
                let path = if to == 0 { a_to_b } else { b_to_a };
                act(
                    &mut ends,
                    &mut flights,
                    to,
                    Event::Datagram {
                        path,
                        message: &message,
                    },
                    now,
                );
            }
            7 => {
                let Some(child) = ends[who].children.last().copied() else {
                    continue;
                };
                let traffic = if argument & 1 == 0 {
                    Traffic::inbound(u64::from(argument) << 20)
                } else {
                    Traffic::outbound(u64::from(argument) << 20)
                };
                act(
                    &mut ends,
                    &mut flights,
                    who,
                    Event::Traffic(child, traffic),
                    now,
                );
            }
            8..=11 => {
                let end = &ends[who];
                let command = match (kind & 15, end.ikes.last(), end.children.last()) {
                    (8, Some(ike), _) => Command::RekeyIke(*ike),
                    (9, _, Some(child)) => Command::RekeyChild(*child),
                    (10, _, Some(child)) if argument > 200 => Command::DeleteChild(*child),
                    (11, Some(ike), _) if argument > 200 => Command::DeleteIke(*ike),
                    _ => Command::Initiate {
                        peer: "peer".into(),
                        children: Vec::new(),
                    },
                };
                act(&mut ends, &mut flights, who, Event::Command(command), now);
            }
            _ => {}
        }
        for end in &ends {
            assert!(
                end.children.len() <= 64 && end.ikes.len() <= 64,
                "SAs pile up"
            );
        }
    }
}

/// Changes a message: flips, cuts or lengthens; the header's length is mended.
fn change(message: &mut Vec<u8>, feed: &mut Feed<'_>) {
    while let Some([what, at, value]) = feed.array() {
        let index = usize::from(at) % message.len().max(1);
        match what & 3 {
            0 => break,
            1 => {
                if let Some(octet) = message.get_mut(index) {
                    *octet ^= value;
                }
            }
            2 => message.truncate(message.len().saturating_sub(usize::from(value & 15))),
            _ => message.extend(std::iter::repeat_n(value, usize::from(at & 15))),
        }
    }
    mend_length(message);
}

/// Makes the lengths right that a change has made wrong: that of the header, and of an SK or SKF
/// payload that stands alone behind it.
fn mend_length(message: &mut [u8]) {
    let sealed = message.get(16).is_some_and(|next| matches!(next, 46 | 53));
    let rest = u16::try_from(message.len().saturating_sub(28)).unwrap_or(0);
    if let (true, Some(field)) = (sealed, message.get_mut(30..32)) {
        field.copy_from_slice(&rest.to_be_bytes());
    }
    let len = u32::try_from(message.len()).unwrap_or(0).to_be_bytes();
    if let Some(field) = message.get_mut(24..28) {
        field.copy_from_slice(&len);
    }
}
