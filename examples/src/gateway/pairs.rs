//! The installed pairs of IPsec SAs: what `ike-sm` negotiated, ready in `esp`.

use super::status::{ChildStatus, FittingStatus, Ident, Range, SaStatus};
use crypto_suite::{ProtectionId, Provider};
use esp::{
    AddressRange, Flow, Inbound, InboundConfig, Outbound, OutboundConfig, Overhead, Ports,
    SelectorCheck, SelectorSet, Spi, TrafficSelector,
};
use ike_sm::{
    ChildId, ChildLifetime, ChildSa, ChildSuite, IkeId, Mode, OriginalAddresses, Path, Selector,
    Selectors, Traffic,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// One pair.
pub struct Pair {
    /// Its handle.
    pub id: ChildId,
    /// The IKE SA that negotiated it.
    pub ike: IkeId,
    /// The peer's name.
    pub peer: String,
    /// The tunnel's name.
    pub name: String,
    /// The outer ends.
    pub path: Path,
    /// In UDP (RFC 3948).
    pub udp: bool,
    /// Tunnel or transport mode.
    pub mode: Mode,
    /// The sending half.
    pub outbound: Outbound,
    /// The receiving half.
    pub inbound: Inbound,
    /// We began its negotiation.
    pub initiator: bool,
    /// Packets leave through it.
    pub active: bool,
    /// Nothing has come in through it, and it does not let packets out yet.
    pub unproved: bool,
    /// What passed since the last report.
    pub unreported: Traffic,
    /// Addresses before the NAT, where the peer told them.
    pub original_addresses: Option<OriginalAddresses>,
    /// The peer, while a route to it leads into the tunnel device (transport mode).
    pub routed: Option<IpAddr>,
    /// What did not fit the path.
    pub fitting: FittingStatus,
    suite: ProtectionId,
    local: Selectors,
    remote: Selectors,
    selectors: SelectorSet,
    places: Vec<Place>,
    lifetime: ChildLifetime,
    installed: Duration,
}

/// Why a pair cannot be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable(pub String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many addresses a selector of the far side has, and the widest one of the near side.
type Width = (u128, u128);

/// A selector of a pair's far side, in the order in which pairs are asked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    width: Width,
    id: Reverse<ChildId>,
    /// Its addresses; any, where a NAT has changed them (transport mode).
    far: Option<(IpAddr, IpAddr)>,
}

fn places(id: ChildId, sa: &ChildSa) -> Vec<Place> {
    let addresses = |s: &Selector| match (s.start(), s.end()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => u128::from(last.to_bits() - first.to_bits()),
        (IpAddr::V6(first), IpAddr::V6(last)) => last.to_bits() - first.to_bits(),
        _ => 0,
    };
    let near = sa.local.iter().map(addresses).max().unwrap_or(0);
    let place = |s: &Selector| Place {
        width: (addresses(s), near),
        id: Reverse(id),
        far: (sa.mode == Mode::Tunnel).then(|| (s.start(), s.end())),
    };
    sa.remote.iter().map(place).collect()
}

/// All pairs.
#[derive(Default)]
pub struct Pairs {
    by_id: BTreeMap<ChildId, Pair>,
    /// The narrowest selector first, the newest first of those that are alike.
    narrowest: BTreeSet<Place>,
    by_spi: BTreeMap<u32, ChildId>,
}

impl Pairs {
    /// Installs a pair: it takes packets in at once, and lets them out when it is activated.
    ///
    /// # Errors
    /// The provider lacks its algorithms, or the keys do not fit them.
    pub fn install(
        &mut self,
        sa: &ChildSa,
        provider: &Provider,
        window: u32,
        now: Duration,
    ) -> Result<&Pair, Unusable> {
        let pair = Pair::build(sa, provider, window, now)?;
        self.by_spi.insert(sa.spi_in, sa.id);
        self.narrowest.extend(pair.places.iter().cloned());
        Ok(self.by_id.entry(sa.id).insert_entry(pair).into_mut())
    }

    /// Lets packets out through `id`, and no more through the pair it replaces.
    pub fn activate(&mut self, id: ChildId, replaces: Option<ChildId>) -> Option<&Pair> {
        if let Some(old) = replaces.and_then(|old| self.by_id.get_mut(&old)) {
            old.active = false;
        }
        let pair = self.by_id.get_mut(&id)?;
        pair.active = true;
        pair.unproved = false;
        Some(pair)
    }

    /// Removes a pair.
    pub fn remove(&mut self, id: ChildId) -> Option<Pair> {
        let pair = self.by_id.remove(&id)?;
        for place in &pair.places {
            self.narrowest.remove(place);
        }
        // The SPI may have been given to a newer pair.
        if self.by_spi.get(&pair.inbound.spi().value()) == Some(&id) {
            self.by_spi.remove(&pair.inbound.spi().value());
        }
        Some(pair)
    }

    /// The pair `id`.
    pub fn get_mut(&mut self, id: ChildId) -> Option<&mut Pair> {
        self.by_id.get_mut(&id)
    }

    /// The pair whose inbound SPI is `spi`.
    pub fn by_spi_mut(&mut self, spi: u32) -> Option<&mut Pair> {
        self.by_id.get_mut(self.by_spi.get(&spi)?)
    }

    /// The pair through which `flow` leaves: of the active ones whose selectors cover it the one with the narrowest
    /// selector that holds its destination, of several alike the newest. Without that, a rekey of a wide tunnel would
    /// take the packets of a narrow one within it.
    pub fn for_flow_mut(&mut self, flow: &Flow) -> Option<&mut Pair> {
        let fits = |id: &ChildId| {
            let pair = self.by_id.get(id);
            pair.is_some_and(|p| p.active && p.selectors.matches_outbound(flow))
        };
        let holds = |place: &&Place| {
            let far = place.far;
            far.is_none_or(|(first, last)| (first..=last).contains(&flow.destination))
        };
        let holding = self.narrowest.iter().filter(holds);
        let id = holding.map(|place| place.id.0).find(fits)?;
        self.by_id.get_mut(&id)
    }

    /// All pairs.
    pub fn iter(&self) -> impl Iterator<Item = &Pair> {
        self.by_id.values()
    }

    /// All pairs.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.by_id.values_mut()
    }
}

impl Pair {
    fn build(
        sa: &ChildSa,
        provider: &Provider,
        window: u32,
        now: Duration,
    ) -> Result<Self, Unusable> {
        let ChildSuite::Esp(protection) = sa.suite else {
            return Err(Unusable(format!("{} is not for this gateway", sa.suite)));
        };
        let algorithm = provider
            .protection(protection)
            .ok_or_else(|| Unusable(format!("no implementation of {protection}")))?;
        let key = |material: &[u8]| {
            algorithm
                .new_key(material)
                .map_err(|e| Unusable(format!("{protection}: {e}")))
        };
        let spi = |value| Spi::new(value).ok_or_else(|| Unusable(format!("reserved SPI {value}")));
        let selectors = effective(sa.mode, &sa.path, &sa.local, &sa.remote)?;
        let tunnel = sa.mode == Mode::Tunnel;
        let mode = if tunnel {
            esp::Mode::TUNNEL
        } else {
            esp::Mode::Transport { keep_header: false }
        };
        let mut outbound = OutboundConfig::new(spi(sa.spi_out)?, mode);
        outbound.esn = sa.esn;
        let mut inbound = InboundConfig::new(
            spi(sa.spi_in)?,
            tunnel,
            SelectorCheck::Match(selectors.clone()),
        );
        inbound.esn = sa.esn;
        inbound.window = window;
        let unusable = |e: esp::BuildError| Unusable(e.to_string());
        Ok(Self {
            id: sa.id,
            ike: sa.ike,
            peer: sa.peer.clone(),
            name: sa.name.clone(),
            path: sa.path,
            udp: sa.udp_encapsulation,
            mode: sa.mode,
            outbound: Outbound::new(key(sa.keys_out.expose())?, outbound, now).map_err(unusable)?,
            inbound: Inbound::new(key(sa.keys_in.expose())?, inbound, now).map_err(unusable)?,
            initiator: sa.initiator,
            active: false,
            unproved: true,
            unreported: Traffic::default(),
            original_addresses: sa.original_addresses,
            routed: None,
            fitting: FittingStatus::default(),
            suite: protection,
            local: sa.local.clone(),
            remote: sa.remote.clone(),
            places: places(sa.id, sa),
            selectors,
            lifetime: sa.lifetime,
            installed: now,
        })
    }

    /// Follows a peer, or ourselves, to another address or port.
    pub fn set_path(&mut self, path: Path) {
        self.path = path;
        if let Ok(selectors) = effective(self.mode, &path, &self.local, &self.remote) {
            self.selectors = selectors;
        }
    }

    /// What it costs to protect a packet.
    #[must_use]
    pub fn overhead(&self) -> Overhead {
        let v6 = self.path.local.is_ipv6();
        match self.mode {
            Mode::Tunnel => Overhead::tunnel(self.suite, v6, self.udp),
            Mode::Transport => Overhead::transport(self.suite, if v6 { 40 } else { 20 }, self.udp),
        }
    }

    /// Takes over a shorter lifetime.
    pub const fn set_lifetime(&mut self, lifetime: ChildLifetime) {
        self.lifetime = lifetime;
    }

    /// Notes that a packet came in, and from where. Returns the new address of a peer that moved: the packet is the
    /// newest of its SA and passed the integrity check.
    pub fn passed_inbound(
        &mut self,
        bytes: usize,
        from: SocketAddr,
        newest: bool,
    ) -> Option<SocketAddr> {
        self.unreported.inbound_packets += 1;
        self.unreported.inbound_bytes += bytes as u64;
        (self.udp && newest && from != self.path.remote).then_some(from)
    }

    /// Notes that a packet went out, or wanted to.
    pub const fn passed_outbound(&mut self, bytes: usize) {
        self.unreported.outbound_packets += 1;
        self.unreported.outbound_bytes += bytes as u64;
    }

    /// What the tables show.
    #[must_use]
    pub fn status(&self, now: Duration) -> ChildStatus {
        let (i, o) = (self.inbound.counters(), self.outbound.counters());
        let age = now.saturating_sub(self.installed);
        let bytes = i.bytes.max(o.bytes);
        ChildStatus {
            conn_id: self.id.number(),
            ike: self.ike.number(),
            local_selectors: self.local.iter().map(range).collect(),
            remote_selectors: self.remote.iter().map(range).collect(),
            name: self.name.clone(),
            peer: self.peer.clone(),
            local: (self.path.local.ip(), self.path.local.port()),
            remote: (self.path.remote.ip(), self.path.remote.port()),
            local_ident: ident(self.local.first()),
            remote_ident: ident(self.remote.first()),
            mode: if self.mode == Mode::Tunnel {
                "Tunnel"
            } else {
                "Transport"
            }
            .into(),
            udp: self.udp,
            transform: super::words::transform(self.suite),
            iv: self.suite.iv_len(),
            esn: self.outbound.config().esn,
            pfs: None,
            inbound: SaStatus {
                spi: self.inbound.spi().value(),
                packets: i.packets,
                bytes: i.bytes,
                errors: i.malformed
                    + i.replayed
                    + i.too_old
                    + i.authentication
                    + i.inner
                    + i.selectors
                    + i.ecn
                    + i.expired,
            },
            outbound: SaStatus {
                spi: self.outbound.spi().value(),
                packets: o.packets,
                bytes: o.bytes,
                errors: o.errors,
            },
            active: self.active,
            path_mtu: 0,
            media_mtu: 0,
            overhead: (self.overhead().bound(), self.overhead().fixed()),
            fitting: self.fitting.clone(),
            lifetime: self
                .lifetime
                .hard
                .map(|hard| hard.saturating_sub(age).as_secs()),
            kilobytes: self
                .lifetime
                .hard_bytes
                .map(|hard| hard.saturating_sub(bytes) / 1024),
            replay_window: self.inbound.config().window,
            replay_bitmap: self.inbound.window().bitmap().0,
        }
    }
}

/// What `local` and `remote` cover, for looking up packets.
///
/// # Errors
/// A selector that cannot match anything.
pub fn selector_set(local: &Selectors, remote: &Selectors) -> Result<SelectorSet, Unusable> {
    let all = |side: &Selectors| {
        side.iter()
            .map(traffic_selector)
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(SelectorSet::new(all(local)?, all(remote)?))
}

/// What packets between the ends of `path` match. In transport mode their addresses are the path's: a NAT may have
/// changed what was negotiated (RFC 3948 §5.1, RFC 7296 §2.23.1).
fn effective(
    mode: Mode,
    path: &Path,
    local: &Selectors,
    remote: &Selectors,
) -> Result<SelectorSet, Unusable> {
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

fn traffic_selector(s: &Selector) -> Result<TrafficSelector, Unusable> {
    let impossible = || Unusable(format!("impossible selector {s}"));
    Ok(TrafficSelector {
        addresses: AddressRange::new(s.start(), s.end()).ok_or_else(impossible)?,
        protocol: (s.protocol != 0).then_some(s.protocol),
        ports: Ports::from_wire(s.ports.0, s.ports.1).ok_or_else(impossible)?,
    })
}

fn range(s: &Selector) -> Range {
    Range {
        first: (s.start(), s.ports.0),
        last: (s.end(), s.ports.1),
        protocol: s.protocol,
    }
}

fn ident(s: &Selector) -> Ident {
    let mask = s
        .prefix_len()
        .and_then(|len| ipnet::IpNet::new(s.start(), len).ok());
    Ident {
        address: s.start(),
        mask: mask.map_or(s.end(), |net| net.netmask()),
        protocol: s.protocol,
        port: if s.ports.0 == s.ports.1 { s.ports.0 } else { 0 },
    }
}

/// The networks that `s` covers.
#[must_use]
pub fn networks(s: &Selector) -> Vec<ipnet::IpNet> {
    match (s.start(), s.end()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => ipnet::Ipv4Subnets::new(a, b, 0)
            .map(ipnet::IpNet::V4)
            .collect(),
        (IpAddr::V6(a), IpAddr::V6(b)) => ipnet::Ipv6Subnets::new(a, b, 0)
            .map(ipnet::IpNet::V6)
            .collect(),
        _ => Vec::new(),
    }
}
