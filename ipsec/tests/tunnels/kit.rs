//! Two ends and the link between them, in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ipsec::ike_sm::config::{ChildConfig, IkeVersion, PeerConfig, Ports, Prefix, PskOwner};
use ipsec::{
    Action, Actions, Arrival, Bytes, Carrier, Command, Config, Dropped, Event, HEADROOM,
    INBOUND_HEADROOM, Outcome, PacketBuf, Path, Received, Secret, Selector, Sent, TAILROOM,
    Transmit, Tunnels,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub(crate) const LATENCY: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    A,
    B,
}
pub(crate) use Side::{A, B};

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            A => B,
            B => A,
        }
    }

    /// The outer address.
    pub(crate) fn address(self) -> std::net::IpAddr {
        match self {
            A => [192, 0, 2, 1].into(),
            B => [192, 0, 2, 2].into(),
        }
    }

    /// The network inside.
    pub(crate) fn network(self) -> Selector {
        let base = match self {
            A => [10, 1, 0, 0],
            B => [10, 2, 0, 0],
        };
        Selector::subnet(base.into(), 16).unwrap()
    }

    /// A host inside.
    pub(crate) fn host(self) -> [u8; 4] {
        match self {
            A => [10, 1, 0, 1],
            B => [10, 2, 0, 1],
        }
    }
}

/// IKEv2, a pre-shared key and one child between the two networks, ESP in UDP.
pub(crate) fn config(side: Side) -> Config {
    let other = side.other();
    let mut peer = PeerConfig::new("peer");
    peer.version = IkeVersion::V2;
    peer.addresses.push(other.address());
    peer.local_address = Some(side.address());
    peer.nat_traversal.force = true;
    let child = ChildConfig::new("lan", side.network(), other.network());
    peer.children.push(child);
    let mut config = Config::default();
    config.ike.ports = Ports::default();
    config.ike.peers.push(peer);
    let owner = PskOwner::Prefix(Prefix::host(other.address()));
    config
        .ike
        .psks
        .insert(owner, Secret::from(&b"a long secret"[..]));
    config
}

pub(crate) struct End {
    pub(crate) tunnels: Tunnels,
    rng: ChaCha20Rng,
    actions: Actions<Action>,
    /// Packets that came out inside.
    pub(crate) inside: Vec<Vec<u8>>,
    pub(crate) events: Vec<String>,
    pub(crate) dropped: Vec<Dropped>,
    /// Packets that left as they were.
    pub(crate) bypassed: usize,
    pub(crate) sent: Vec<(Transmit, Bytes)>,
}

/// What is on the wire: when it arrives, at whom, and how it was sent.
type OnWire = (Duration, Side, Transmit, Bytes);

/// Whether this datagram of this end is lost.
pub(crate) type Loses = Box<dyn FnMut(Side, &Transmit, &[u8]) -> bool>;

pub(crate) struct Link {
    pub(crate) a: End,
    pub(crate) b: End,
    pub(crate) now: Duration,
    wire: VecDeque<OnWire>,
    /// Most octets of a packet with its outer headers; more is dropped.
    pub(crate) mtu: usize,
    /// Datagrams that are too big are told of, as a router would.
    pub(crate) complains: bool,
    /// Takes a datagram out of the wire when it says so.
    pub(crate) loses: Loses,
    seed: u64,
}

impl Link {
    pub(crate) fn new(a: Config, b: Config) -> Self {
        Self {
            a: End::new(a, 1),
            b: End::new(b, 2),
            now: Duration::from_secs(100),
            wire: VecDeque::new(),
            mtu: 1500,
            complains: true,
            loses: Box::new(|_, _, _| false),
            seed: 2,
        }
    }

    pub(crate) fn usual() -> Self {
        Self::new(config(A), config(B))
    }

    pub(crate) fn end(&mut self, side: Side) -> &mut End {
        match side {
            A => &mut self.a,
            B => &mut self.b,
        }
    }

    /// This end has lost all that it knew.
    pub(crate) fn restart(&mut self, side: Side, config: Config) {
        self.seed += 1;
        let end = End::new(config, self.seed);
        *self.end(side) = end;
    }

    pub(crate) fn command(&mut self, side: Side, command: Command) -> Outcome {
        let now = self.now;
        let end = self.end(side);
        let outcome = end
            .tunnels
            .command(command, now, &mut end.rng, &mut end.actions);
        self.act(side);
        outcome
    }

    pub(crate) fn initiate(&mut self, side: Side) {
        let command = Command::Initiate {
            peer: "peer".into(),
            children: vec![],
        };
        assert_eq!(self.command(side, command), Outcome::Handled);
    }

    /// A packet from the inside of `side`.
    pub(crate) fn send(&mut self, side: Side, inner: &[u8]) -> Sent {
        let now = self.now;
        let end = self.end(side);
        let mut room = vec![0; HEADROOM + inner.len() + TAILROOM];
        let range = HEADROOM..HEADROOM + inner.len();
        room[range.clone()].copy_from_slice(inner);
        let mut packet = PacketBuf::new(&mut room, range).unwrap();
        let sent = end
            .tunnels
            .inner(&mut packet, now, &mut end.rng, &mut end.actions);
        let octets = Bytes::copy_from_slice(packet.as_slice());
        match sent {
            Sent::Send(transmit) => self.transmit(side, transmit, octets),
            Sent::Dropped(why) => end.dropped.push(why),
            Sent::Bypass => end.bypassed += 1,
            _ => {}
        }
        self.act(side);
        sent
    }

    /// The same, whatever becomes of it.
    pub(crate) fn push(&mut self, side: Side, inner: &[u8]) {
        let _sent = self.send(side, inner);
    }

    /// A datagram comes from somebody on the way.
    pub(crate) fn forge(&mut self, to: Side, transmit: Transmit, octets: &[u8]) {
        let octets = Bytes::copy_from_slice(octets);
        self.arrive(to, transmit, &octets);
    }

    pub(crate) fn icmp(&mut self, to: Side, message: &[u8]) -> ipsec::IcmpOutcome {
        let now = self.now;
        let end = self.end(to);
        let outcome = end
            .tunnels
            .icmp(message, now, &mut end.rng, &mut end.actions);
        self.act(to);
        outcome
    }

    /// Lets time pass, at most so much; all datagrams and deadlines in between are worked off.
    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let arrival = self.wire.iter().map(|(at, ..)| *at).min();
            let deadline = |end: &End| end.tunnels.next_deadline().map(|d| d.at);
            let due = [arrival, deadline(&self.a), deadline(&self.b)];
            let Some(next) = due.into_iter().flatten().min().filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = next.max(self.now);
            let now = self.now;
            for side in [A, B] {
                let end = self.end(side);
                end.tunnels.deadline(now, &mut end.rng, &mut end.actions);
                let again = end.tunnels.next_deadline();
                assert!(
                    again.is_none_or(|d| d.at > now),
                    "progress: {again:?} at {now:?}"
                );
                self.act(side);
            }
            while let Some(n) = self.wire.iter().position(|(at, ..)| *at <= now) {
                let (_, to, transmit, octets) = self.wire.remove(n).unwrap();
                self.arrive(to, transmit, &octets);
            }
        }
    }

    fn arrive(&mut self, to: Side, transmit: Transmit, octets: &[u8]) {
        let now = self.now;
        let path = Path {
            local: transmit.path.remote,
            remote: transmit.path.local,
            natt: transmit.path.natt,
        };
        let mut room = vec![0; INBOUND_HEADROOM + octets.len()];
        room[INBOUND_HEADROOM..].copy_from_slice(octets);
        let range = INBOUND_HEADROOM..room.len();
        let mut packet = PacketBuf::new(&mut room, range).unwrap();
        let end = self.end(to);
        let (tunnels, rng, actions) = (&mut end.tunnels, &mut end.rng, &mut end.actions);
        let received = match transmit.carrier {
            Carrier::Udp => tunnels.datagram(path, &mut packet, now, rng, actions),
            Carrier::Esp => {
                let from = Arrival::ip(path.local.ip(), path.remote.ip());
                tunnels.esp(&from, &mut packet, now, rng, actions)
            }
        };
        match received {
            Received::Deliver(_) => end.inside.push(packet.as_slice().to_vec()),
            Received::Dropped(why) => end.dropped.push(why),
            _ => {}
        }
        self.act(to);
    }

    fn act(&mut self, side: Side) {
        while let Some(action) = self.end(side).actions.pop() {
            match action {
                Action::Send(transmit, octets) => self.transmit(side, transmit, octets),
                Action::Deliver(packet) => self.end(side).inside.push(packet.to_vec()),
                Action::Event(Event::Report(_)) => {}
                Action::Event(event) => {
                    let line = event.to_string();
                    self.end(side).events.push(line);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn transmit(&mut self, from: Side, transmit: Transmit, octets: Bytes) {
        self.end(from).sent.push((transmit, octets.clone()));
        if (self.loses)(from, &transmit, &octets) {
            return;
        }
        let around = if transmit.carrier == Carrier::Udp {
            28
        } else {
            20
        };
        if octets.len() + around > self.mtu && transmit.dont_fragment {
            if self.complains {
                let message = too_big(&transmit, &octets, self.mtu);
                let _ = self.icmp(from, &message);
            }
            return;
        }
        let at = self.now + LATENCY;
        self.wire.push_back((at, from.other(), transmit, octets));
    }
}

impl End {
    fn new(config: Config, seed: u64) -> Self {
        Self {
            tunnels: Tunnels::new(config, &ipsec::crypto_suite::DEFAULT).unwrap(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            actions: Actions::new(),
            inside: Vec::new(),
            events: Vec::new(),
            dropped: Vec::new(),
            bypassed: 0,
            sent: Vec::new(),
        }
    }

    /// How often each kind of drop happened.
    pub(crate) fn drops(&self) -> BTreeMap<String, usize> {
        let mut drops = BTreeMap::new();
        for why in &self.dropped {
            *drops.entry(why.to_string()).or_default() += 1;
        }
        drops
    }

    pub(crate) fn saw(&self, part: &str) -> usize {
        self.events.iter().filter(|e| e.contains(part)).count()
    }

    /// ESP that was sent.
    pub(crate) fn esp_sent(&self) -> usize {
        self.sent.iter().filter(|(t, _)| t.child.is_some()).count()
    }
}

/// "Fragmentation needed" (RFC 1191 §4) about a datagram, from a router on the way.
pub(crate) fn too_big(transmit: &Transmit, octets: &[u8], mtu: usize) -> Vec<u8> {
    use etherparse::{Icmpv4Type, PacketBuilder, icmpv4::DestUnreachableHeader};
    let (std::net::IpAddr::V4(local), std::net::IpAddr::V4(remote)) =
        (transmit.path.local.ip(), transmit.path.remote.ip())
    else {
        panic!("IPv4 only");
    };
    let quoted = PacketBuilder::ipv4(local.octets(), remote.octets(), 64);
    let mut quote = Vec::new();
    let (from, to) = (transmit.path.local.port(), transmit.path.remote.port());
    quoted.udp(from, to).write(&mut quote, octets).unwrap();
    quote.truncate(28 + 64);
    let next_hop_mtu = u16::try_from(mtu).unwrap();
    let header = DestUnreachableHeader::FragmentationNeeded { next_hop_mtu };
    let router = PacketBuilder::ipv4([203, 0, 113, 1], local.octets(), 64);
    let mut message = Vec::new();
    router
        .icmpv4(Icmpv4Type::DestinationUnreachable(header))
        .write(&mut message, &quote)
        .unwrap();
    message
}

/// A UDP packet from the host inside `from` to the one inside the other, with `len` octets of payload.
pub(crate) fn inner(from: Side, number: u16, len: usize, dont_fragment: bool) -> Vec<u8> {
    between(from.host(), from.other().host(), number, len, dont_fragment)
}

pub(crate) fn between(
    from: [u8; 4],
    to: [u8; 4],
    number: u16,
    len: usize,
    dont_fragment: bool,
) -> Vec<u8> {
    use etherparse::{IpNumber, Ipv4Header, PacketBuilder};
    let mut header = Ipv4Header::new(0, 64, IpNumber::UDP, from, to).unwrap();
    header.dont_fragment = dont_fragment;
    header.identification = number;
    let mut packet = Vec::new();
    let payload: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
    PacketBuilder::ip(etherparse::IpHeaders::Ipv4(header, Default::default()))
        .udp(4000, number)
        .write(&mut packet, &payload)
        .unwrap();
    packet
}

pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
