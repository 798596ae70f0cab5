//! One pair of IPsec SAs, ready in `esp`.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crypto_suite::{ProtectionId, Provider};
use esp::{
    AddressRange, BuildError, Ends, Inbound, InboundConfig, Outbound, OutboundConfig, Overhead,
    Ports, SelectorCheck, SelectorSet, Spi, TrafficSelector, UdpPorts,
};
use ike_sm::{
    ChildId, ChildLifetime, ChildSa, ChildSuite, IkeId, Mode, OriginalAddresses, Path, Selector,
    Selectors, Traffic,
};

use crate::actions::{Carrier, Transmit};
use crate::config::{addresses, width};

/// Why a pair of IPsec SAs was not installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotInstalled {
    /// The data plane carries ESP only.
    #[error("{0} is not carried")]
    Suite(ChildSuite),
    /// The provider has no implementation of the algorithms.
    #[error("no implementation of {0}")]
    Unsupported(ProtectionId),
    /// The key material does not fit the algorithms.
    #[error("key material does not fit {0}")]
    Key(ProtectionId),
    /// The SPI is one of those that RFC 4303 §2.1 reserves.
    #[error("reserved SPI {0:#010x}")]
    Spi(u32),
    /// A selector that no packet can match.
    #[error("impossible selector {0}")]
    Selector(Selector),
    /// The SAs cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The data plane holds as many pairs as it may.
    #[error("{0} pairs of IPsec SAs are installed, and no more may be")]
    Full(usize),
}

/// How often control is told of one address that a peer sends from, at most.
const MOVED_INTERVAL: Duration = Duration::from_secs(1);

/// A pair of IPsec SAs: what was negotiated, and how far it has come.
pub(crate) struct Pair {
    pub(crate) sa: Negotiated,
    pub(crate) path: Path,
    pub(crate) outbound: Outbound,
    pub(crate) inbound: Inbound,
    pub(crate) selectors: SelectorSet,
    pub(crate) places: Vec<Place>,
    pub(crate) lifetime: ChildLifetime,
    pub(crate) installed: Duration,
    pub(crate) suite: ProtectionId,
    /// Packets leave through it.
    pub(crate) active: bool,
    /// Nothing has come in through it yet, nor has it let a packet out.
    pub(crate) unproved: bool,
    /// The first packet leaves a moment after the activation.
    pub(crate) settle: bool,
    /// What happens to it by itself, and when.
    pub(crate) timer: Option<(Duration, Timer)>,
    /// The pair whose place it takes when it is activated.
    pub(crate) replaces: Option<ChildId>,
    /// The activated pair that takes its place and does not let packets out yet.
    pub(crate) successor: Option<ChildId>,
    /// What passed since the last report.
    pub(crate) unreported: Traffic,
    pub(crate) fitting: FittingCounters,
    /// Where the peer was last seen to send from, when control was told, and which has not followed.
    moved: Option<(SocketAddr, Duration)>,
}

/// How often packets of a pair did not fit its path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FittingCounters {
    /// Packets that must not be cut: their sources were told, as often as sources may.
    pub too_big: u64,
    /// Packets that were cut before they were protected.
    pub fragmented: u64,
    /// The pieces that became of them.
    pub fragments: u64,
    /// Messages of routers on the way that were believed.
    pub told: u64,
}

/// What a pair does when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// It lets packets out.
    Settle,
    /// It takes packets in no more.
    Linger,
}

/// What control has told of a pair, keys apart.
pub(crate) struct Negotiated {
    pub(crate) id: ChildId,
    /// The number of the peer.
    pub(crate) peer_number: u32,
    pub(crate) ike: IkeId,
    pub(crate) peer: alloc::string::String,
    pub(crate) name: alloc::string::String,
    pub(crate) udp: bool,
    pub(crate) mode: Mode,
    pub(crate) initiator: bool,
    pub(crate) original: Option<OriginalAddresses>,
    pub(crate) local: Selectors,
    pub(crate) remote: Selectors,
}

/// How many addresses a selector of the far side has, and the widest one of the near side.
type Width = (u128, u128);

/// A selector of a pair's far side, in the order in which pairs are asked: the narrowest first, of
/// those that are alike the newest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    width: Width,
    id: Reverse<ChildId>,
    /// Its addresses; any, where a NAT may have changed them (transport mode).
    far: Option<(IpAddr, IpAddr)>,
}

impl Place {
    pub(crate) fn all(sa: &ChildSa) -> Vec<Self> {
        let near = width(&sa.local);
        let place = |s: &Selector| Self {
            width: (addresses(s), near),
            id: Reverse(sa.id),
            far: (sa.mode == Mode::Tunnel).then(|| (s.start(), s.end())),
        };
        sa.remote.iter().map(place).collect()
    }

    pub(crate) const fn pair(&self) -> ChildId {
        self.id.0
    }

    pub(crate) fn holds(&self, destination: IpAddr) -> bool {
        self.far
            .is_none_or(|(first, last)| first <= destination && destination <= last)
    }
}

impl Pair {
    pub(crate) fn build(
        sa: ChildSa,
        peer_number: u32,
        settle: bool,
        provider: &Provider,
        window: u32,
        now: Duration,
    ) -> Result<Self, NotInstalled> {
        let ChildSuite::Esp(suite) = sa.suite else {
            return Err(NotInstalled::Suite(sa.suite));
        };
        let algorithm = provider.protection(suite);
        let algorithm = algorithm.ok_or(NotInstalled::Unsupported(suite))?;
        let key = |material: &[u8]| {
            algorithm
                .new_key(material)
                .map_err(|_| NotInstalled::Key(suite))
        };
        let spi = |value| Spi::new(value).ok_or(NotInstalled::Spi(value));
        let selectors = effective(sa.mode, &sa.path, &sa.local, &sa.remote)?;
        let tunnel = sa.mode == Mode::Tunnel;
        let mode = if tunnel {
            esp::Mode::TUNNEL
        } else {
            esp::Mode::Transport { keep_header: false }
        };
        let mut outbound = OutboundConfig::new(spi(sa.spi_out)?, mode);
        outbound.esn = sa.esn;
        // RFC 4301 §5.2 step 4: what came through an SA has to be what that SA is for.
        let check = SelectorCheck::Match(selectors.clone());
        let mut inbound = InboundConfig::new(spi(sa.spi_in)?, tunnel, check);
        inbound.esn = sa.esn;
        inbound.window = window;
        Ok(Self {
            outbound: Outbound::new(key(sa.keys_out.expose())?, outbound, now)?,
            inbound: Inbound::new(key(sa.keys_in.expose())?, inbound, now)?,
            places: Place::all(&sa),
            path: sa.path,
            lifetime: sa.lifetime,
            installed: now,
            suite,
            selectors,
            active: false,
            unproved: true,
            settle,
            timer: None,
            replaces: None,
            successor: None,
            unreported: Traffic::default(),
            fitting: FittingCounters::default(),
            moved: None,
            sa: Negotiated {
                id: sa.id,
                peer_number,
                ike: sa.ike,
                peer: sa.peer,
                name: sa.name,
                udp: sa.terms.udp_encapsulation,
                mode: sa.terms.mode,
                initiator: sa.initiator,
                original: sa.terms.original_addresses,
                local: sa.terms.local,
                remote: sa.terms.remote,
            },
        })
    }

    /// Follows the peer, or ourselves, to another address or port.
    pub(crate) fn set_path(&mut self, path: Path) {
        self.path = path;
        if let Ok(selectors) = effective(self.sa.mode, &path, &self.sa.local, &self.sa.remote) {
            self.inbound
                .set_selectors(SelectorCheck::Match(selectors.clone()));
            self.selectors = selectors;
        }
    }

    /// What it costs to protect a packet.
    pub(crate) fn overhead(&self) -> Overhead {
        let v6 = self.path.local.is_ipv6();
        match self.sa.mode {
            Mode::Tunnel => Overhead::tunnel(self.suite, v6, self.sa.udp),
            Mode::Transport => {
                Overhead::transport(self.suite, if v6 { 40 } else { 20 }, self.sa.udp)
            }
        }
    }

    /// The outer ends as its packets show them on the wire.
    pub(crate) fn ends(&self) -> Ends {
        Ends {
            source: self.path.local.ip(),
            destination: self.path.remote.ip(),
            udp: self.sa.udp.then_some(UdpPorts {
                source: self.path.local.port(),
                destination: self.path.remote.port(),
            }),
        }
    }

    /// How its packets leave.
    pub(crate) const fn transmit(&self, dont_fragment: bool, traffic_class: u8) -> Transmit {
        Transmit {
            path: self.path,
            carrier: if self.sa.udp {
                Carrier::Udp
            } else {
                Carrier::Esp
            },
            dont_fragment,
            traffic_class,
            child: Some(self.sa.id),
        }
    }

    /// Notes that a packet came in, and from where. Returns the new address of a peer that moved: the
    /// packet is the newest of its SA and passed the integrity check (RFC 3947 §7).
    /// Control is told of one address once a second at most.
    pub(crate) fn received(
        &mut self,
        bytes: usize,
        from: SocketAddr,
        newest: bool,
        now: Duration,
    ) -> Option<SocketAddr> {
        let t = &mut self.unreported;
        t.inbound_packets = t.inbound_packets.saturating_add(1);
        t.inbound_bytes = t.inbound_bytes.saturating_add(octets(bytes));
        if !self.sa.udp || !newest || from == self.path.remote {
            return None;
        }
        let told = self
            .moved
            .is_some_and(|(to, at)| to == from && now.saturating_sub(at) < MOVED_INTERVAL);
        if told {
            return None;
        }
        self.moved = Some((from, now));
        Some(from)
    }

    /// Notes that a packet goes out.
    pub(crate) fn sends(&mut self, bytes: usize) {
        let t = &mut self.unreported;
        t.outbound_packets = t.outbound_packets.saturating_add(1);
        t.outbound_bytes = t.outbound_bytes.saturating_add(octets(bytes));
    }
}

fn octets(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// What packets between the ends of `path` match. In transport mode their addresses are the path's: a
/// NAT may have changed what was negotiated (RFC 3948 §5.1, RFC 7296 §2.23.1).
fn effective(
    mode: Mode,
    path: &Path,
    local: &Selectors,
    remote: &Selectors,
) -> Result<SelectorSet, NotInstalled> {
    if mode == Mode::Tunnel {
        return selector_set(local, remote);
    }
    let at = |address, side: &Selectors| {
        let hosts = side.iter().map(|s| {
            let mut host = Selector::host(address);
            (host.protocol, host.ports) = (s.protocol, s.ports);
            host
        });
        Selectors::new(hosts).unwrap_or_else(|| Selector::host(address).into())
    };
    selector_set(&at(path.local.ip(), local), &at(path.remote.ip(), remote))
}

/// What `local` and `remote` cover, for looking packets up.
pub(crate) fn selector_set(
    local: &Selectors,
    remote: &Selectors,
) -> Result<SelectorSet, NotInstalled> {
    let all = |side: &Selectors| {
        side.iter()
            .map(traffic_selector)
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(SelectorSet::new(all(local)?, all(remote)?))
}

/// What `local` and `remote` cover, whatever the ports.
pub(crate) fn portless(local: &Selectors, remote: &Selectors) -> SelectorSet {
    let all = |side: &Selectors| -> Vec<_> {
        side.iter()
            .filter_map(|s| {
                Some(TrafficSelector {
                    addresses: AddressRange::new(s.start(), s.end())?,
                    protocol: (s.protocol != 0).then_some(s.protocol),
                    ports: Ports::Any,
                })
            })
            .collect()
    };
    SelectorSet::new(all(local), all(remote))
}

fn traffic_selector(s: &Selector) -> Result<TrafficSelector, NotInstalled> {
    let impossible = NotInstalled::Selector(*s);
    Ok(TrafficSelector {
        addresses: AddressRange::new(s.start(), s.end()).ok_or(impossible)?,
        protocol: (s.protocol != 0).then_some(s.protocol),
        ports: Ports::from_wire(s.ports.0, s.ports.1).ok_or(impossible)?,
    })
}

/// An installed pair in few words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairSummary<'a> {
    /// Its handle.
    pub id: ChildId,
    /// The peer's name in the configuration.
    pub peer: &'a str,
    /// The child's name in the configuration.
    pub name: &'a str,
    /// Tunnel or transport mode.
    pub mode: Mode,
    /// The outer ends.
    pub path: Path,
    /// Packets leave through it.
    pub active: bool,
    /// It is deleted, and takes packets in for a moment yet.
    pub deleted: bool,
}

/// What an installed pair is and has done, for tables.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PairStatus {
    /// Its handle.
    pub id: ChildId,
    /// The IKE SA that negotiated it.
    pub ike: IkeId,
    /// The peer's name in the configuration.
    pub peer: alloc::string::String,
    /// The child's name in the configuration.
    pub name: alloc::string::String,
    /// The outer ends.
    pub path: Path,
    /// ESP in UDP (RFC 3948).
    pub udp: bool,
    /// Tunnel or transport mode.
    pub mode: Mode,
    /// Algorithms.
    pub suite: ProtectionId,
    /// Our side of the traffic, as negotiated.
    pub local: Selectors,
    /// The peer's side of the traffic, as negotiated.
    pub remote: Selectors,
    /// Packets leave through it.
    pub active: bool,
    /// It is deleted, and takes packets in for a moment yet.
    pub deleted: bool,
    /// How often its packets did not fit.
    pub fitting: FittingCounters,
    /// When it was installed.
    pub installed: Duration,
    /// Its limits, from then on.
    pub lifetime: ChildLifetime,
    /// The SPI of packets to us.
    pub spi_in: Spi,
    /// The SPI of packets to the peer.
    pub spi_out: Spi,
    /// Extended sequence numbers.
    pub esn: bool,
    /// Packets that came in, and those that were refused.
    pub inbound: Box<esp::InboundCounters>,
    /// Packets that went out.
    pub outbound: esp::OutboundCounters,
    /// Size of the anti-replay window, packets.
    pub replay_window: u32,
    /// The newest part of the anti-replay window.
    pub replay_bitmap: u64,
    /// What it costs to protect a packet.
    pub overhead: Overhead,
    /// MTU of the outer path, octets.
    pub path_mtu: u16,
    /// MTU of the link that the outer path begins with, octets.
    pub link_mtu: u16,
}

impl Pair {
    /// It is deleted, and takes packets in for a moment yet.
    pub(crate) const fn lingers(&self) -> bool {
        matches!(self.timer, Some((_, Timer::Linger)))
    }

    pub(crate) fn summary(&self) -> PairSummary<'_> {
        PairSummary {
            id: self.sa.id,
            peer: &self.sa.peer,
            name: &self.sa.name,
            mode: self.sa.mode,
            path: self.path,
            active: self.active,
            deleted: self.lingers(),
        }
    }

    pub(crate) fn status(&self, (path_mtu, link_mtu): (u16, u16)) -> PairStatus {
        PairStatus {
            id: self.sa.id,
            ike: self.sa.ike,
            peer: self.sa.peer.clone(),
            name: self.sa.name.clone(),
            path: self.path,
            udp: self.sa.udp,
            mode: self.sa.mode,
            suite: self.suite,
            local: self.sa.local.clone(),
            remote: self.sa.remote.clone(),
            active: self.active,
            deleted: self.lingers(),
            fitting: self.fitting,
            installed: self.installed,
            lifetime: self.lifetime,
            spi_in: self.inbound.spi(),
            spi_out: self.outbound.spi(),
            esn: self.outbound.config().esn,
            inbound: Box::new(*self.inbound.counters()),
            outbound: *self.outbound.counters(),
            replay_window: self.inbound.config().window,
            replay_bitmap: self.inbound.window().bitmap().0,
            overhead: self.overhead(),
            path_mtu,
            link_mtu,
        }
    }
}
