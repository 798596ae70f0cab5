//! The fast path: the SAs and policies of one core, and what becomes of each packet.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::Provider;
use esp::ip::IpError;
use esp::{Flow, FragmentError, IcmpLimiter, OpenError, SealError, SelectorSet};
use ike_sm::{ChildId, Path};
use nat_t::FixError;

use crate::actions::{Actions, Transmit};
use crate::config::{DataConfig, Policy, PolicyAction};
use crate::event::Event;
use crate::message::{Deadline, DeadlineReason, Notice};

mod hold;
mod inbound;
mod life;
mod outbound;
mod pair;
mod paths;
mod pmtu;
mod transport;

use hold::Hold;
use pair::Pair;
pub use pair::{FittingCounters, NotInstalled, PairStatus, PairSummary};
use paths::Paths;
pub use pmtu::IcmpOutcome;

/// Octets to keep free before an inner packet that goes out: ESP header and IV, with room to spare.
pub const HEADROOM: usize = 64;
/// Octets to keep free behind an inner packet that goes out: padding, trailer and ICV.
pub const TAILROOM: usize = 320;
/// Octets to keep free before a datagram that comes in, for the IP header that transport mode puts in
/// front of what was protected. With less, such a packet comes as [`DataAction::Deliver`].
pub const INBOUND_HEADROOM: usize = 40;

/// Sources are told of packets that are too big at most this often, after a burst.
const TOO_BIG: (u32, Duration) = (32, Duration::from_millis(20));
/// Control is told of unknown SPIs at most this often, after a burst.
const UNKNOWN_SPI: (u32, Duration) = (8, Duration::from_millis(250));

/// What a data plane wants done, besides the packet that it was given.
#[derive(Debug)]
#[non_exhaustive]
pub enum DataAction {
    /// Send this datagram: a packet that has waited, or a probe of the path MTU.
    Send(Transmit, Bytes),
    /// Give this IP packet to the inside.
    Deliver {
        /// The packet.
        packet: Bytes,
        /// The pair that it came in on: there was no room in its own buffer. None for an ICMP message of
        /// ours to the source of a packet that does not fit.
        child: Option<ChildId>,
    },
    /// Hand this to control.
    Notice(Notice),
    /// This has happened.
    Event(Event),
}

/// Where a packet of ESP came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Our address.
    pub local: IpAddr,
    /// The sender's address, and its port where UDP carries ESP.
    pub remote: SocketAddr,
    /// In UDP (RFC 3948) rather than IP protocol 50.
    pub udp: bool,
    /// ECN field of the outer header, 0 to 3 (RFC 6040); 0 where the socket does not tell.
    pub ecn: u8,
}

impl Arrival {
    /// Out of a datagram on UDP port 4500.
    #[must_use]
    pub const fn udp(path: &Path) -> Self {
        Self {
            local: path.local.ip(),
            remote: path.remote,
            udp: true,
            ecn: 0,
        }
    }

    /// From a raw socket of IP protocol 50.
    #[must_use]
    pub const fn ip(local: IpAddr, remote: IpAddr) -> Self {
        Self {
            local,
            remote: SocketAddr::new(remote, 0),
            udp: false,
            ecn: 0,
        }
    }
}

/// What became of a packet of ESP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ingress {
    /// The buffer holds the inner IP packet: it goes to the inside.
    Deliver(ChildId),
    /// Nothing is left to do: a dummy, or the packet is among the actions.
    Done,
}

/// What becomes of an inner packet that wants out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Egress {
    /// The buffer holds what is sent.
    Send(Transmit),
    /// The packet is cut before it is protected: [`DataPlane::fragments`] does both.
    Fragment(Fragmentation),
    /// The packet is sent as it is.
    Bypass,
    /// The packet waits for a pair of IPsec SAs, which control is asked for.
    Held {
        /// Place of the policy that it waits for, among [`DataPlane::policies`].
        policy: usize,
    },
    /// The packet does not fit and must not be cut. Its source is told, as an action, but not too often.
    TooBig {
        /// The longest packet that fits, octets.
        mtu: u16,
    },
}

/// How a packet is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragmentation {
    child: ChildId,
    mtu: usize,
    dont_fragment: bool,
}

/// Why a packet went nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Dropped {
    /// Neither IKE, nor ESP, nor a keepalive (RFC 3948 §2).
    #[error("UDP 4500: {0}")]
    Malformed(nat_t::Malformed),
    /// Shorter than an ESP header.
    #[error("no ESP header")]
    NoEspHeader,
    /// No pair of IPsec SAs has this SPI.
    #[error("unknown SPI {0:#010x}")]
    UnknownSpi(u32),
    /// ESP in UDP where IP protocol 50 was agreed on, or the other way round.
    #[error("ESP in the wrong encapsulation")]
    Encapsulation,
    /// The receiving SA refuses the packet.
    #[error("ESP: {0}")]
    Open(OpenError),
    /// Transport mode behind a NAT: the segment has no checksum to mend.
    #[error("transport mode: {0}")]
    Segment(FixError),
    /// The inner packet is not sound IP.
    #[error("inner packet: {0}")]
    Inner(IpError),
    /// The packet does not show its ports, being a later fragment, and policies decide by them (RFC 4301
    /// §7).
    #[error("a policy looks at ports, and a later fragment shows none")]
    PortsHidden,
    /// No policy is about the packet (RFC 4301 §5.1: it is discarded).
    #[error("no policy for the packet")]
    NoPolicy,
    /// A policy discards the packet.
    #[error("discarded by policy")]
    Discarded,
    /// The policy's child is down, and the peer or a command has to begin.
    #[error("its child is down")]
    Down,
    /// The sending SA refuses the packet.
    #[error("ESP: {0}")]
    Seal(SealError),
    /// The packet could not be cut.
    #[error("not fragmented: {0}")]
    Fragment(FragmentError),
    /// The pair of IPsec SAs went away meanwhile.
    #[error("the pair of IPsec SAs is gone")]
    Gone,
}

/// The SAs, the policies, the path MTUs and the waiting packets of one core. One owner, no lock; what
/// passes through allocates nothing.
///
/// It learns from [`Control`](crate::Control) by [`Update`](crate::Update)s and tells it by [`Notice`]s. A program
/// with one thread takes [`Tunnels`](crate::Tunnels) instead.
pub struct DataPlane {
    provider: &'static Provider,
    config: DataConfig,
    policies: Vec<Entry>,
    pairs: BTreeMap<ChildId, Pair>,
    by_spi: BTreeMap<u32, ChildId>,
    /// The far selectors of all pairs, the narrowest first.
    narrowest: BTreeSet<pair::Place>,
    /// When a pair does something by itself.
    timers: BTreeSet<(Duration, ChildId)>,
    paths: Paths,
    hold: Hold,
    /// Numbers of the peers that policies and pairs name.
    peers: BTreeMap<String, u32>,
    /// Pairs of which something passed that control has not heard of.
    unreported: Vec<ChildId>,
    report_at: Option<Duration>,
    too_big: IcmpLimiter,
    unknown_spi: IcmpLimiter,
}

/// A policy, and when a packet of its last asked for a pair.
struct Entry {
    selectors: SelectorSet,
    /// The same without ports, where the policy has any: what a packet that does not show its ports, a
    /// later fragment, may belong to.
    portless: Option<SelectorSet>,
    /// The number of its peer.
    peer: Option<u32>,
    action: PolicyAction,
    asked: Option<Duration>,
    hits: u64,
}

impl fmt::Debug for DataPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataPlane")
            .field("policies", &self.policies.len())
            .field("pairs", &self.pairs.len())
            .field("held", &self.hold.len())
            .finish_non_exhaustive()
    }
}

impl DataPlane {
    /// A data plane without policies: it discards everything.
    #[must_use]
    pub fn new(config: DataConfig, provider: &'static Provider) -> Self {
        Self {
            provider,
            policies: Vec::new(),
            pairs: BTreeMap::new(),
            by_spi: BTreeMap::new(),
            narrowest: BTreeSet::new(),
            timers: BTreeSet::new(),
            paths: Paths::new(config.link_mtu),
            hold: Hold::new(config.hold),
            peers: BTreeMap::new(),
            unreported: Vec::new(),
            report_at: None,
            too_big: IcmpLimiter::new(TOO_BIG.0, TOO_BIG.1),
            unknown_spi: IcmpLimiter::new(UNKNOWN_SPI.0, UNKNOWN_SPI.1),
            config,
        }
    }

    /// The time given by [`next_deadline`](Self::next_deadline) has come. Too early is harmless.
    pub fn deadline(&mut self, now: Duration, actions: &mut Actions<DataAction>) {
        if self.report_at.is_some_and(|at| at <= now) {
            self.report_traffic(actions);
        }
        self.run_timers(now, actions);
        self.hold.expire(now);
        self.age_paths(now, actions);
    }

    /// When [`deadline`](Self::deadline) wants to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        [
            (self.report_at, DeadlineReason::Traffic),
            (self.timers.first().map(|(at, _)| *at), DeadlineReason::Pair),
            (self.hold.next_deadline(), DeadlineReason::Hold),
            (self.paths.next_deadline(), DeadlineReason::PathMtu),
        ]
        .into_iter()
        .filter_map(|(at, why)| Some(Deadline { at: at?, why }))
        .min_by_key(|deadline| deadline.at)
    }

    /// The link with our address `local` takes packets of so many octets. What was learnt of the
    /// paths that begin there is forgotten when the value is another than before.
    pub fn set_link_mtu(&mut self, local: IpAddr, mtu: u16) {
        self.paths.set_link(local, mtu);
    }

    /// Whether a packet that came without IPsec may go in (RFC 4301 §5.2 step 3b): a policy lets such
    /// packets pass as they are. Where no policy is about it, it may not.
    #[must_use]
    pub fn admits_clear(&self, packet: &[u8]) -> bool {
        let Ok(flow) = Flow::of(packet) else {
            return false;
        };
        let hidden = ports_hidden(&flow);
        let mut found = self.policies.iter().filter(|entry| {
            let portless = entry.portless.as_ref().filter(|_| hidden);
            let portless = portless.filter(|_| entry.action != PolicyAction::Bypass);
            entry.selectors.matches_inbound(&flow)
                || portless.is_some_and(|set| set.matches_inbound(&flow))
        });
        matches!(found.next(), Some(entry) if entry.action == PolicyAction::Bypass)
    }

    /// The pairs that are installed, for tables.
    pub fn pairs(&self) -> impl Iterator<Item = PairStatus> + '_ {
        let status = |pair: &Pair| pair.status(self.paths.mtu(&pair.path));
        self.pairs.values().map(status)
    }

    /// The pairs that are installed, in few words: without a copy of anything.
    pub fn summaries(&self) -> impl Iterator<Item = PairSummary<'_>> + '_ {
        self.pairs.values().map(Pair::summary)
    }

    /// The pair `id`, for tables.
    #[must_use]
    pub fn pair(&self, id: ChildId) -> Option<PairStatus> {
        let pair = self.pairs.get(&id)?;
        Some(pair.status(self.paths.mtu(&pair.path)))
    }

    /// The pair `id`, in few words.
    #[must_use]
    pub fn summary(&self, id: ChildId) -> Option<PairSummary<'_>> {
        self.pairs.get(&id).map(Pair::summary)
    }

    /// The policies and how many packets from the inside matched each, in the order in which they are
    /// read.
    pub fn policies(&self) -> impl Iterator<Item = (&PolicyAction, u64)> + '_ {
        self.policies
            .iter()
            .map(|entry| (&entry.action, entry.hits))
    }

    /// Number of packets that wait for a pair, and of those that waited in vain so far.
    #[must_use]
    pub fn held(&self) -> (usize, u64) {
        (self.hold.len(), self.hold.dropped())
    }

    fn set_policies(&mut self, policies: Vec<Policy>) {
        let mut entries = Vec::new();
        for policy in policies {
            let portless = pair::portless(&policy.local, &policy.remote);
            let (selectors, action) = match pair::selector_set(&policy.local, &policy.remote) {
                Ok(selectors) => (selectors, policy.action),
                // Who wrote a selector that no packet can match meant some packets, but nobody knows
                // which: none of these addresses pass.
                Err(_) => (portless.clone(), PolicyAction::Discard),
            };
            let peer = match &action {
                PolicyAction::Protect { peer, .. } => Some(self.peer_number(peer)),
                PolicyAction::Bypass | PolicyAction::Discard => None,
            };
            entries.push(Entry {
                portless: (portless != selectors).then_some(portless),
                selectors,
                peer,
                action,
                asked: None,
                hits: 0,
            });
        }
        self.policies = entries;
        // What waited for policies that are gone asks anew, if its source does.
        self.hold.forget(|_| true);
    }

    /// Policies and pairs name few peers many times: their numbers are compared.
    fn peer_number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.peers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.peers.len()).unwrap_or(u32::MAX);
        self.peers.insert(name.into(), number);
        number
    }

    /// Tells control what passed since the last time, without waiting for the deadline.
    pub fn report_traffic(&mut self, actions: &mut Actions<DataAction>) {
        self.report_at = None;
        for id in self.unreported.drain(..) {
            if let Some(pair) = self.pairs.get_mut(&id) {
                let traffic = core::mem::take(&mut pair.unreported);
                actions.push(DataAction::Notice(Notice::Traffic(id, traffic)));
            }
        }
    }

    /// Something passed through a pair of which control has heard all before.
    fn passes(&mut self, id: ChildId, first: bool, now: Duration) {
        if first {
            self.unreported.push(id);
        }
        // Later than now, whatever is configured: a deadline moves on.
        let interval = self.config.traffic_interval.max(Duration::from_nanos(1));
        let at = now.saturating_add(interval);
        self.report_at.get_or_insert(at);
    }
}

/// Whether a packet of a protocol with ports, or with types and codes, shows none.
const fn ports_hidden(flow: &Flow) -> bool {
    flow.source_port.is_none() && flow.destination_port.is_none() && flow.protocol != 0
}
