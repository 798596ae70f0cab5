//! Links and NAT boxes between the hosts.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::rng::SimRng;

/// What a link does to a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub delay: Duration,
    /// Up to this much more, drawn for each datagram: reorders.
    pub jitter: Duration,
    /// Per mille.
    pub loss: u16,
    pub duplicate: u16,
    pub corrupt: u16,
}

impl Link {
    pub const CLEAN: Self = Self {
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
        loss: 0,
        duplicate: 0,
        corrupt: 0,
    };

    /// 30 % loss and duplication, no order, and some corruption.
    pub const BAD: Self = Self {
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(200),
        loss: 300,
        duplicate: 300,
        corrupt: 20,
    };
}

/// What travels.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A UDP payload.
    Udp(Vec<u8>),
    /// An ESP packet: its SPI and sequence number, the keys it was made with, and whether in UDP.
    Esp {
        spi: u32,
        sequence: u64,
        keys: Vec<u8>,
        len: u64,
        in_udp: bool,
    },
}

/// A packet on its way.
#[derive(Clone, Debug)]
pub struct InFlight {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub payload: Payload,
}

/// A NAT with mappings per inside socket (RFC 4787: endpoint-independent mapping) that lets in only
/// whom the inside has written to.
#[derive(Clone, Debug)]
pub struct Nat {
    pub inside: IpAddr,
    pub public: IpAddr,
    pub timeout: Duration,
    next_port: u16,
    /// Inside socket → public port, last use, whom it has written to.
    mappings: BTreeMap<SocketAddr, (u16, Duration, Vec<SocketAddr>)>,
}

impl Nat {
    pub fn new(inside: IpAddr, public: IpAddr) -> Self {
        let timeout = Duration::from_secs(60);
        Self {
            inside,
            public,
            timeout,
            next_port: 20_000,
            mappings: BTreeMap::new(),
        }
    }

    /// Forgets all mappings, as a reboot does.
    pub fn reboot(&mut self) {
        self.mappings.clear();
        self.next_port += 1000;
    }

    /// Another address outside, and no mapping of before: the uplink was dialled again.
    pub fn move_to(&mut self, public: IpAddr) {
        self.reboot();
        self.public = public;
    }

    fn outbound(&mut self, from: SocketAddr, to: SocketAddr, now: Duration) -> SocketAddr {
        let timeout = self.timeout;
        self.mappings
            .retain(|_, (_, used, _)| now < *used + timeout);
        let next = &mut self.next_port;
        let mapping = self.mappings.entry(from).or_insert_with(|| {
            *next += 1;
            (*next, now, Vec::new())
        });
        mapping.1 = now;
        if !mapping.2.contains(&to) {
            mapping.2.push(to);
        }
        SocketAddr::new(self.public, mapping.0)
    }

    fn inbound(&mut self, from: SocketAddr, to: SocketAddr, now: Duration) -> Option<SocketAddr> {
        let timeout = self.timeout;
        self.mappings
            .retain(|_, (_, used, _)| now < *used + timeout);
        let open = |m: &(u16, Duration, Vec<SocketAddr>)| m.0 == to.port() && m.2.contains(&from);
        self.mappings
            .iter()
            .find(|(_, m)| open(m))
            .map(|(inside, _)| *inside)
    }
}

/// A message of IKEv1 in the clear. Nothing authenticates the vendor IDs in it (RFC 3947 §3.1): one
/// changed bit there makes both ends do without NAT traversal, and raw ESP does not pass the NAT.
/// That is the protocol's own, and UDP's checksum is all that prevents it.
fn is_open_ikev1(bytes: &[u8]) -> bool {
    let message = bytes.strip_prefix(&[0; 4]).unwrap_or(bytes);
    matches!(message.get(17..20), Some([0x10, _, flags]) if flags & 1 == 0)
}

/// All links and NATs, and what is under way.
pub struct Network {
    pub link: Link,
    pub nats: Vec<Nat>,
    pub rng: SimRng,
    /// A host on the path that sends everything it sees back to where it came from.
    pub mirror: bool,
    /// A host on the path that sends everything it sees again, this much later.
    pub replay_after: Option<Duration>,
    queue: BTreeMap<(Duration, u64), InFlight>,
    serial: u64,
    /// From this time on nothing passes, until the second.
    pub blackout: Option<(Duration, Duration)>,
}

impl Network {
    pub fn new(seed: u64, link: Link) -> Self {
        Self {
            link,
            nats: Vec::new(),
            rng: SimRng::new(seed, 0xbeef),
            mirror: false,
            replay_after: None,
            queue: BTreeMap::new(),
            serial: 0,
            blackout: None,
        }
    }

    /// A host sends. Gives whether it was lost at once.
    pub fn send(&mut self, mut packet: InFlight, now: Duration) {
        if self
            .blackout
            .is_some_and(|(from, to)| from <= now && now < to)
        {
            return;
        }
        if let Some(nat) = self.nats.iter_mut().find(|n| n.inside == packet.from.ip()) {
            if matches!(packet.payload, Payload::Esp { in_udp: false, .. }) {
                // Port translation cannot carry raw ESP.
                return;
            }
            packet.from = nat.outbound(packet.from, packet.to, now);
        }
        if self.mirror {
            let back = InFlight {
                from: packet.to,
                to: packet.from,
                payload: packet.payload.clone(),
            };
            self.enqueue(back, now, Duration::from_millis(1));
        }
        if let Some(later) = self.replay_after {
            self.enqueue(packet.clone(), now, later);
        }
        let copies = if self.rng.chance(self.link.duplicate) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.rng.chance(self.link.loss) {
                continue;
            }
            let mut packet = packet.clone();
            if let Payload::Udp(bytes) = &mut packet.payload
                && self.rng.chance(self.link.corrupt)
                && !bytes.is_empty()
                && (self.nats.is_empty() || !is_open_ikev1(bytes))
            {
                let at = self.rng.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << self.rng.below(8);
            }
            let jitter = self.rng.below(self.link.jitter.as_micros() as u64 + 1);
            self.enqueue(packet, now, self.link.delay + Duration::from_micros(jitter));
        }
    }

    /// Puts a packet on the last leg, past NATs of the sender: attackers use it.
    pub fn enqueue(&mut self, packet: InFlight, now: Duration, delay: Duration) {
        self.serial += 1;
        self.queue.insert((now + delay, self.serial), packet);
    }

    pub fn next_arrival(&self) -> Option<Duration> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next packet that is due, with its destination behind the receiver's NAT.
    pub fn arrive(&mut self, now: Duration) -> Option<InFlight> {
        while self.next_arrival().is_some_and(|at| at <= now) {
            let (_, mut packet) = self.queue.pop_first()?;
            match self.nats.iter_mut().find(|n| n.public == packet.to.ip()) {
                None => return Some(packet),
                Some(nat) => {
                    if let Some(inside) = nat.inbound(packet.from, packet.to, now) {
                        packet.to = inside;
                        return Some(packet);
                    }
                }
            }
        }
        None
    }
}
