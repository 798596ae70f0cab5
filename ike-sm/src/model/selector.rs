//! Traffic selectors: which packets a pair of IPsec SAs protects.
//!
//! One form serves both versions: an address range, an upper-layer protocol and a port range
//! (RFC 7296 §3.13.1). IKEv1's client identities (RFC 2407 §4.6.2: an address, a subnet or a range
//! with a protocol and one port) are special cases of it.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A set of packet ends: addresses × protocol × ports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    start: IpAddr,
    end: IpAddr,
    /// Upper-layer protocol number; 0 is any.
    pub protocol: u8,
    /// First and last port; `(0, 65535)` is any.
    pub ports: (u16, u16),
}

impl Selector {
    /// Any port.
    pub const ANY_PORT: (u16, u16) = (0, u16::MAX);

    /// Packets whose port cannot be seen (RFC 7296 §3.13.1). Any port includes them (RFC 4301
    /// §4.4.1.1), no other range does.
    pub const OPAQUE: (u16, u16) = (u16::MAX, 0);

    /// The addresses from `start` to `end`, both included, any protocol and port. `None` when the
    /// ends are of different families or out of order.
    #[must_use]
    pub fn range(start: IpAddr, end: IpAddr) -> Option<Self> {
        (start.is_ipv4() == end.is_ipv4() && start <= end).then_some(Self {
            start,
            end,
            protocol: 0,
            ports: Self::ANY_PORT,
        })
    }

    /// One address, any protocol and port.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self {
            start: address,
            end: address,
            protocol: 0,
            ports: Self::ANY_PORT,
        }
    }

    /// A network, any protocol and port. Host bits of `address` are cleared. `None` when
    /// `prefix_len` exceeds the family's address length.
    #[must_use]
    pub fn subnet(address: IpAddr, prefix_len: u8) -> Option<Self> {
        match address {
            IpAddr::V4(a) => {
                let host_bits = 32u32.checked_sub(u32::from(prefix_len))?;
                let hosts = u32::MAX
                    .checked_shr(32u32.saturating_sub(host_bits))
                    .unwrap_or(0);
                let start = u32::from(a) & !hosts;
                Self::range(
                    IpAddr::V4(Ipv4Addr::from(start)),
                    IpAddr::V4(Ipv4Addr::from(start | hosts)),
                )
            }
            IpAddr::V6(a) => {
                let host_bits = 128u32.checked_sub(u32::from(prefix_len))?;
                let hosts = u128::MAX
                    .checked_shr(128u32.saturating_sub(host_bits))
                    .unwrap_or(0);
                let start = u128::from(a) & !hosts;
                Self::range(
                    IpAddr::V6(Ipv6Addr::from(start)),
                    IpAddr::V6(Ipv6Addr::from(start | hosts)),
                )
            }
        }
    }

    /// The same addresses for one protocol and port; 0 is any of either.
    #[must_use]
    pub const fn with_protocol(mut self, protocol: u8, port: u16) -> Self {
        self.protocol = protocol;
        self.ports = if port == 0 {
            Self::ANY_PORT
        } else {
            (port, port)
        };
        self
    }

    /// The same addresses for one protocol (0 is any) and the ports from the first to the last;
    /// ICMP has its type and code there (RFC 7296 §3.13.1).
    #[must_use]
    pub const fn with_ports(mut self, protocol: u8, ports: (u16, u16)) -> Self {
        self.protocol = protocol;
        self.ports = ports;
        self
    }

    /// The lowest address.
    #[must_use]
    pub const fn start(&self) -> IpAddr {
        self.start
    }

    /// The highest address.
    #[must_use]
    pub const fn end(&self) -> IpAddr {
        self.end
    }

    /// Whether each packet end of `other` is also one of `self`.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.start.is_ipv4() == other.start.is_ipv4()
            && self.start <= other.start
            && other.end <= self.end
            && (self.protocol == 0 || self.protocol == other.protocol)
            && common_ports(self.ports, other.ports) == Some(other.ports)
    }

    /// The packet ends that belong to both; `None` when there is none.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let protocol = match (self.protocol, other.protocol) {
            (0, protocol) | (protocol, 0) => protocol,
            (a, b) if a == b => a,
            _ => return None,
        };
        let ports = common_ports(self.ports, other.ports)?;
        let common = Self::range(self.start.max(other.start), self.end.min(other.end))?;
        Some(Self {
            protocol,
            ports,
            ..common
        })
    }

    /// Whether one packet end belongs to the set. A protocol without ports passes port 0.
    #[must_use]
    pub fn matches(&self, address: IpAddr, protocol: u8, port: u16) -> bool {
        self.start.is_ipv4() == address.is_ipv4()
            && (self.start..=self.end).contains(&address)
            && (self.protocol == 0 || self.protocol == protocol)
            && (self.ports.0..=self.ports.1).contains(&port)
    }

    /// The length of the prefix that is exactly this address range, if one is.
    #[must_use]
    pub fn prefix_len(&self) -> Option<u8> {
        let (differing, width) = match (self.start, self.end) {
            (IpAddr::V4(s), IpAddr::V4(e)) => {
                let d = u32::from(s) ^ u32::from(e);
                let aligned = u32::from(s) & d == 0 && d & d.wrapping_add(1) == 0;
                (aligned.then(|| d.count_ones())?, 32u32)
            }
            (IpAddr::V6(s), IpAddr::V6(e)) => {
                let d = u128::from(s) ^ u128::from(e);
                let aligned = u128::from(s) & d == 0 && d & d.wrapping_add(1) == 0;
                (aligned.then(|| d.count_ones())?, 128u32)
            }
            _ => return None,
        };
        u8::try_from(width.checked_sub(differing)?).ok()
    }
}

fn common_ports(a: (u16, u16), b: (u16, u16)) -> Option<(u16, u16)> {
    match (a, b) {
        (Selector::ANY_PORT, ports) | (ports, Selector::ANY_PORT) => Some(ports),
        (Selector::OPAQUE, _) | (_, Selector::OPAQUE) => (a == b).then_some(a),
        _ => {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            (first <= last).then_some((first, last))
        }
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix_len() {
            Some(len) => write!(f, "{}/{len}", self.start)?,
            None => write!(f, "{}-{}", self.start, self.end)?,
        }
        if self.protocol != 0 || self.ports != Self::ANY_PORT {
            write!(f, "[{}", self.protocol)?;
            match self.ports {
                Self::ANY_PORT => {}
                Self::OPAQUE => f.write_str("/opaque")?,
                (first, last) if first == last => write!(f, "/{first}")?,
                (first, last) => write!(f, "/{first}-{last}")?,
            }
            f.write_str("]")?;
        }
        Ok(())
    }
}

/// One end of a child's traffic: one selector, or several that one pair of SAs carries (RFC 7296
/// §2.9). Never empty, never more than [`Selectors::MAX`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selectors {
    first: Selector,
    more: Vec<Selector>,
}

impl Selectors {
    /// Most selectors of one end.
    pub const MAX: usize = 32;

    /// The selectors in order; `None` for none or for more than [`Self::MAX`].
    #[must_use]
    pub fn new(selectors: impl IntoIterator<Item = Selector>) -> Option<Self> {
        let mut all = selectors.into_iter();
        let first = all.next()?;
        let more: Vec<Selector> = all.take(Self::MAX).collect();
        (more.len() < Self::MAX).then_some(Self { first, more })
    }

    /// The first one.
    #[must_use]
    pub const fn first(&self) -> &Selector {
        &self.first
    }

    /// The only one, if there are not several.
    #[must_use]
    pub fn single(&self) -> Option<&Selector> {
        self.more.is_empty().then_some(&self.first)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Selector> + Clone + '_ {
        core::iter::once(&self.first).chain(&self.more)
    }

    /// How many there are: at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.more.len().saturating_add(1)
    }

    /// Whether each selector of `other` lies within one of these.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let within = |inner| self.iter().any(|outer| outer.contains(inner));
        other.iter().all(within)
    }

    /// Whether both have the same packet ends: each selector of either lies within one of the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.contains(other) && other.contains(self)
    }

    /// How much there is: addresses, then protocols and ports.
    fn breadth(&self) -> (u128, u64) {
        let number = |address| match address {
            IpAddr::V4(a) => u128::from(u32::from(a)),
            IpAddr::V6(a) => u128::from(a),
        };
        let add = |(addresses, ends): (u128, u64), s: &Selector| {
            let here = number(s.end).saturating_sub(number(s.start));
            let ports = u64::from(s.ports.1.saturating_sub(s.ports.0));
            let protocols = if s.protocol == 0 { 1 << 16 } else { 0 };
            (
                addresses.saturating_add(here).saturating_add(1),
                ends.saturating_add(protocols).saturating_add(ports),
            )
        };
        self.iter().fold((0, 0), add)
    }

    /// Whether one packet end belongs to one of them. A protocol without ports passes port 0.
    #[must_use]
    pub fn matches(&self, address: IpAddr, protocol: u8, port: u16) -> bool {
        self.iter().any(|s| s.matches(address, protocol, port))
    }
}

/// A measure of the traffic of a child, both sides: addresses, then protocols and ports. What lies
/// within another one never measures more.
pub(crate) fn breadth(local: &Selectors, remote: &Selectors) -> (u128, u64) {
    let ((l, l_ends), (r, r_ends)) = (local.breadth(), remote.breadth());
    (l.saturating_add(r), l_ends.saturating_add(r_ends))
}

impl From<Selector> for Selectors {
    fn from(first: Selector) -> Self {
        Self {
            first,
            more: Vec::new(),
        }
    }
}

impl fmt::Debug for Selectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Selectors {
    /// The selectors with commas between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.first, f)?;
        self.more.iter().try_for_each(|s| write!(f, ", {s}"))
    }
}

#[cfg(test)]
mod tests;
