//! Traffic selectors (RFC 4301 §4.4.1.1, in the shape RFC 7296 §3.13.1 negotiates them).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ip::{IpError, IpHeader, protocol};

/// Selectors on either side that one [`SelectorSet`] holds; more are ignored when it is built.
pub const MAX_SELECTORS: usize = 64;

/// An inclusive range of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// `None` if the families differ or the first address is above the last.
    #[must_use]
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last })
    }

    /// A range of one address.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self {
            first: address,
            last: address,
        }
    }

    /// A network: the addresses that share the first `prefix` bits with `address`. `None` if the
    /// prefix is longer than an address.
    #[must_use]
    pub fn network(address: IpAddr, prefix: u8) -> Option<Self> {
        let prefix = u32::from(prefix);
        let (first, last) = match address {
            IpAddr::V4(address) if prefix <= 32 => {
                let host = u32::MAX.checked_shr(prefix).unwrap_or(0);
                let base = address.to_bits() & !host;
                (
                    Ipv4Addr::from_bits(base).into(),
                    Ipv4Addr::from_bits(base | host).into(),
                )
            }
            IpAddr::V6(address) if prefix <= 128 => {
                let host = u128::MAX.checked_shr(prefix).unwrap_or(0);
                let base = address.to_bits() & !host;
                (
                    Ipv6Addr::from_bits(base).into(),
                    Ipv6Addr::from_bits(base | host).into(),
                )
            }
            _ => return None,
        };
        Some(Self { first, last })
    }

    /// The lowest address of the range.
    #[must_use]
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    /// The highest address of the range.
    #[must_use]
    pub const fn last(&self) -> IpAddr {
        self.last
    }

    /// Whether `address` lies inside; never for the other family.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }
}

/// A port selector. ICMP type and code are one port, type in the upper octet (RFC 7296 §3.13.1);
/// the mobility header's type likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Any port, and packets whose ports are not there to see.
    Any,
    /// An inclusive range; never matches where ports are not there to see.
    Range(u16, u16),
    /// Only packets whose ports are not there to see: later fragments (RFC 4301 §4.4.1.1).
    Opaque,
}

impl Ports {
    /// Makes a port selector of the two port fields of a negotiated one: 0–65535 is any, 65535–0 is
    /// opaque. `None` for any other inverted range.
    #[must_use]
    pub const fn from_wire(start: u16, end: u16) -> Option<Self> {
        match (start, end) {
            (0, u16::MAX) => Some(Self::Any),
            (u16::MAX, 0) => Some(Self::Opaque),
            (start, end) if start <= end => Some(Self::Range(start, end)),
            _ => None,
        }
    }

    const fn matches(self, port: Option<u16>) -> bool {
        match (self, port) {
            (Self::Any, _) | (Self::Opaque, None) => true,
            (Self::Range(start, end), Some(port)) => start <= port && port <= end,
            (Self::Range(..), None) | (Self::Opaque, Some(_)) => false,
        }
    }
}

/// One side of a traffic selector pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficSelector {
    /// The addresses that this side may have.
    pub addresses: AddressRange,
    /// Upper-layer protocol; `None` for any.
    pub protocol: Option<u8>,
    /// The ports that this side may use.
    pub ports: Ports,
}

impl TrafficSelector {
    /// Every protocol and port of `addresses`.
    #[must_use]
    pub const fn all(addresses: AddressRange) -> Self {
        Self {
            addresses,
            protocol: None,
            ports: Ports::Any,
        }
    }

    fn matches(&self, address: IpAddr, flow: &Flow, port: Option<u16>) -> bool {
        self.addresses.contains(address)
            && self
                .protocol
                .is_none_or(|protocol| protocol == flow.protocol)
            && self.ports.matches(port)
    }
}

/// What selectors look at in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The source address: of the inner packet in tunnel mode.
    pub source: IpAddr,
    /// The destination address: of the inner packet in tunnel mode.
    pub destination: IpAddr,
    /// The upper-layer protocol, behind all extension headers.
    pub protocol: u8,
    /// Source port, or ICMP type and code, where the packet shows them.
    pub source_port: Option<u16>,
    /// Destination port, or ICMP type and code, where the packet shows them.
    pub destination_port: Option<u16>,
}

impl Flow {
    /// Reads a whole IP packet.
    ///
    /// # Errors
    /// [`IpError`]: the packet is not sound IP.
    pub fn of(packet: &[u8]) -> Result<Self, IpError> {
        let header = IpHeader::parse(packet)?;
        let upper = packet
            .get(header.upper_offset..header.total_len)
            .unwrap_or_default();
        let upper = if header.later_fragment { &[] } else { upper };
        Ok(Self::new(
            header.source,
            header.destination,
            header.protocol,
            upper,
        ))
    }

    /// Makes a flow of addresses, protocol and the octets of the upper layer; a later fragment has
    /// none of these.
    #[must_use]
    pub fn new(source: IpAddr, destination: IpAddr, protocol: u8, upper: &[u8]) -> Self {
        let word = |at: usize| {
            let octets = upper.get(at..)?.first_chunk::<2>()?;
            Some(u16::from_be_bytes(*octets))
        };
        let (source_port, destination_port) = match protocol {
            protocol::TCP | protocol::UDP | protocol::SCTP => (word(0), word(2)),
            protocol::ICMP | protocol::ICMPV6 => (word(0), word(0)),
            protocol::MOBILITY => {
                let kind = upper.get(2).map(|kind| u16::from_be_bytes([*kind, 0]));
                (kind, kind)
            }
            _ => (None, None),
        };
        Self {
            source,
            destination,
            protocol,
            source_port,
            destination_port,
        }
    }
}

/// What the receiver of an SA does with the inbound selectors of its SAD entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorCheck {
    /// A decrypted packet that does not match these selectors is refused.
    Match(SelectorSet),
    /// Every packet that the peer has authenticated is let through, whatever addresses it shows.
    /// RFC 4301 §5.2 step 4 is then the caller's duty: to "match the packet against the inbound
    /// selectors identified by the SAD entry", and by step 5 to discard it where it does not. A
    /// caller that does neither lets the peer send packets in the name of any host.
    ByCaller,
}

/// The selectors of an SA or a policy: a packet matches if its local end matches one of the local
/// selectors and its remote end one of the remote ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorSet {
    local: Vec<TrafficSelector>,
    remote: Vec<TrafficSelector>,
}

impl SelectorSet {
    /// At most [`MAX_SELECTORS`] of either side are kept. An empty side matches nothing.
    #[must_use]
    pub fn new(
        local: impl IntoIterator<Item = TrafficSelector>,
        remote: impl IntoIterator<Item = TrafficSelector>,
    ) -> Self {
        Self {
            local: local.into_iter().take(MAX_SELECTORS).collect(),
            remote: remote.into_iter().take(MAX_SELECTORS).collect(),
        }
    }

    /// The selectors of our side of the SA.
    #[must_use]
    pub fn local(&self) -> &[TrafficSelector] {
        &self.local
    }

    /// The selectors of the peer's side of the SA.
    #[must_use]
    pub fn remote(&self) -> &[TrafficSelector] {
        &self.remote
    }

    /// Whether a packet from the protected side matches.
    #[must_use]
    pub fn matches_outbound(&self, flow: &Flow) -> bool {
        self.matches(
            flow,
            flow.source,
            flow.source_port,
            flow.destination,
            flow.destination_port,
        )
    }

    /// Whether a packet from the peer matches (RFC 4301 §5.2 step 4).
    #[must_use]
    pub fn matches_inbound(&self, flow: &Flow) -> bool {
        self.matches(
            flow,
            flow.destination,
            flow.destination_port,
            flow.source,
            flow.source_port,
        )
    }

    fn matches(
        &self,
        flow: &Flow,
        local: IpAddr,
        local_port: Option<u16>,
        remote: IpAddr,
        remote_port: Option<u16>,
    ) -> bool {
        self.local
            .iter()
            .any(|selector| selector.matches(local, flow, local_port))
            && self
                .remote
                .iter()
                .any(|selector| selector.matches(remote, flow, remote_port))
    }
}

#[cfg(test)]
mod tests;
