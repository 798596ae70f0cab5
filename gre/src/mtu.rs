//! Sizes: what a tunnel adds, what fits through it, and what to do with what does not
//! (RFC 2784 §3, RFC 7676 §3.3, RFC 1191, RFC 8201).

use core::time::Duration;

use crate::ip::{IPV4_HEADER_LEN, IPV6_HEADER_LEN};
use crate::{Header, IpPacket};

/// The least an IPv6 path carries (RFC 8200 §5); the floor of what is learned about one.
pub const IPV6_MIN_MTU: usize = 1280;
/// The floor of what is learned about an IPv4 path: below it an ICMP message is not believed.
/// Every host takes 576 octets (RFC 791 §3.1).
pub const IPV4_MIN_MTU: usize = 576;

/// Which IP header carries the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outer {
    /// An IPv4 header without options, 20 octets.
    V4,
    /// IPv6 without extension headers.
    V6,
}

impl Outer {
    /// Octets of the delivery header.
    #[must_use]
    pub const fn header_len(self) -> usize {
        match self {
            Self::V4 => IPV4_HEADER_LEN,
            Self::V6 => IPV6_HEADER_LEN,
        }
    }
}

/// Octets that delivery header and GRE header add: 24 over IPv4, 28 with a key, 32 with key and
/// sequence number. What IPsec adds on top is the overhead calculator's of the ESP crate, with
/// [`Header::len`] added to the inner packet.
#[must_use]
pub const fn overhead(outer: Outer, header: &Header) -> usize {
    outer.header_len().saturating_add(header.len())
}

/// The largest payload packet that fits through the tunnel unfragmented over a path of `path_mtu`
/// octets: the GMTU of RFC 7676 §1.2.
#[must_use]
pub const fn tunnel_mtu(path_mtu: usize, outer: Outer, header: &Header) -> usize {
    path_mtu.saturating_sub(overhead(outer, header))
}

/// What the DF bit of an IPv4 delivery header becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DfPolicy {
    /// The payload packet's bit is copied; IPv6 counts as set.
    #[default]
    Copy,
    /// Set: the path MTU of the tunnel is discovered.
    Set,
    /// Clear: the network may fragment the delivery packet.
    Clear,
}

/// What to do with a packet on its way into the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingress {
    /// Encapsulate it, with this DF bit in an IPv4 delivery header.
    Encapsulate {
        /// Whether the delivery header gets DF.
        dont_fragment: bool,
    },
    /// Encapsulate it whole and fragment the delivery packet to the path MTU; DF clear.
    EncapsulateAndFragment,
    /// Fragment the IPv4 payload packet to `mtu` octets, then encapsulate each.
    FragmentPayload {
        /// Octets of the largest fragment that the payload is cut into.
        mtu: usize,
    },
    /// Discard it and tell its source `mtu`: ICMP type 3 code 4, or ICMPv6 Packet Too Big.
    TooBig {
        /// The MTU to put into the message.
        mtu: usize,
    },
}

/// Decides on `packet`, given the tunnel's MTU (see [`tunnel_mtu`]).
///
/// With [`DfPolicy::Clear`] the tunnel takes IPv4 packets of any size and leaves fragmenting to
/// the delivery packet, whatever the payload's DF bit says.
#[must_use]
pub const fn ingress(packet: &IpPacket<'_>, tunnel_mtu: usize, policy: DfPolicy) -> Ingress {
    let v4 = packet.is_ipv4();
    if packet.total_len() <= tunnel_mtu {
        let dont_fragment = match policy {
            DfPolicy::Copy => packet.dont_fragment(),
            DfPolicy::Set => true,
            DfPolicy::Clear => false,
        };
        return Ingress::Encapsulate { dont_fragment };
    }
    if !v4 {
        // RFC 7676 §3.3: the ingress MUST "discard the IPv6 payload packet" and send Packet Too Big;
        // with less than 1280 octets, which an IPv6 link has to carry, it MUST "fragment the delivery
        // header" instead.
        return match tunnel_mtu < IPV6_MIN_MTU {
            true => Ingress::EncapsulateAndFragment,
            false => Ingress::TooBig { mtu: tunnel_mtu },
        };
    }
    match (policy, packet.dont_fragment()) {
        (DfPolicy::Clear, _) => Ingress::EncapsulateAndFragment,
        (_, true) => Ingress::TooBig { mtu: tunnel_mtu },
        (_, false) => Ingress::FragmentPayload { mtu: tunnel_mtu },
    }
}

/// What ICMP messages said about the path of a tunnel (`tunnel path-mtu-discovery`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathMtu {
    link: usize,
    floor: usize,
    age: Duration,
    learned: Option<(usize, Duration)>,
}

impl PathMtu {
    /// How long a learned value holds: ten minutes (RFC 1191 §6.3, RFC 8201 §4).
    pub const AGE: Duration = Duration::from_secs(600);

    /// A path whose first link carries `link` octets.
    #[must_use]
    pub const fn new(link: usize, outer: Outer) -> Self {
        let floor = match outer {
            Outer::V4 => IPV4_MIN_MTU,
            Outer::V6 => IPV6_MIN_MTU,
        };
        Self {
            link,
            floor,
            age: Self::AGE,
            learned: None,
        }
    }

    /// The same path with another time after which a learned value is forgotten.
    #[must_use]
    pub const fn with_age(self, age: Duration) -> Self {
        Self { age, ..self }
    }

    /// Octets the path carries, as known at `now`.
    #[must_use]
    pub fn current(&self, now: Duration) -> usize {
        match self.learned {
            Some((mtu, until)) if now < until => mtu.min(self.link),
            _ => self.link,
        }
    }

    /// Takes an MTU from an ICMP message that quotes a packet of this tunnel. Values below the
    /// floor count as the floor, such that are not smaller than what is known change nothing
    /// (RFC 1191 §5, RFC 8201 §4). Gives back the new value if there is one.
    pub fn learn(&mut self, mtu: usize, now: Duration) -> Option<usize> {
        let mtu = mtu.max(self.floor);
        if mtu >= self.current(now) {
            return None;
        }
        self.learned = Some((mtu, now.saturating_add(self.age)));
        Some(mtu)
    }

    /// When the learned value is forgotten.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.learned.map(|(_, until)| until)
    }

    /// Forgets a value whose time is over.
    pub fn handle_deadline(&mut self, now: Duration) {
        if self.learned.is_some_and(|(_, until)| until <= now) {
            self.learned = None;
        }
    }
}

#[cfg(test)]
mod tests;
