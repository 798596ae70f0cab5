//! What protection costs in octets, exactly (RFC 4303 §2.4 padding included).

use core::fmt;

use crypto_suite::ProtectionId;

use crate::ip::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, UDP_HEADER_LEN};
use crate::outbound::Outbound;
use crate::sa::{Mode, Shape, TRAILER_LEN, udp_len};

/// What an SA adds to a packet. Lengths are of IP packets, without link-layer headers.
///
/// ```
/// use crypto_suite::{CipherId, IntegrityId, ProtectionId};
/// use esp::Overhead;
///
/// let suite = ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha1_96);
/// let tunnel = Overhead::tunnel(suite, false, false);
/// assert_eq!(tunnel.to_string(), "74(44)"); // most(least), as firewalls print it
/// assert_eq!(tunnel.max_inner(1500), 1438); // exact: more than 1500 - 74
/// assert_eq!(tunnel.sealed_len(1438), 1496);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overhead {
    shape: Shape,
    /// Octets of IP header in front of ESP: a new one in tunnel mode, the packet's in transport.
    ip_len: usize,
    udp_len: usize,
    tunnel: bool,
    /// Octets that another encapsulation puts around each packet before ESP.
    inside: usize,
}

impl Overhead {
    /// Tunnel mode with an outer header of IPv4 or, with `v6`, IPv6.
    #[must_use]
    pub const fn tunnel(suite: ProtectionId, v6: bool, udp: bool) -> Self {
        let ip_len = if v6 { IPV6_HEADER_LEN } else { IPV4_HEADER_LEN };
        Self::new(Shape::of_suite(suite), ip_len, udp, true)
    }

    /// Transport mode for packets with an IP header of `ip_header_len` octets.
    #[must_use]
    pub const fn transport(suite: ProtectionId, ip_header_len: usize, udp: bool) -> Self {
        Self::new(Shape::of_suite(suite), ip_header_len, udp, false)
    }

    /// Of an SA. `ip_len` is the outer header's length (tunnel mode without a header of its own)
    /// or that of the packets' headers (transport mode); a configured tunnel header wins.
    #[must_use]
    pub fn of(outbound: &Outbound, ip_len: usize) -> Self {
        let config = outbound.config();
        let ip_len = match config.mode {
            Mode::Tunnel {
                header: Some(header),
            } => header.len(),
            _ => ip_len,
        };
        Self {
            shape: outbound.shape,
            ip_len,
            udp_len: udp_len(config.udp),
            tunnel: config.mode.is_tunnel(),
            inside: 0,
        }
    }

    /// Each packet is first wrapped in `octets` more, such as GRE over IPv4: 20 for its delivery
    /// header and 4, 8 or more for its own. Lengths are then those of the packets inside.
    #[must_use]
    pub const fn inside(mut self, octets: usize) -> Self {
        self.inside = octets;
        self
    }

    const fn new(shape: Shape, ip_len: usize, udp: bool, tunnel: bool) -> Self {
        let udp_len = if udp { UDP_HEADER_LEN } else { 0 };
        Self {
            shape,
            ip_len,
            udp_len,
            tunnel,
            inside: 0,
        }
    }

    /// Octets that no packet goes without: outer IP and UDP header, ESP header, IV.
    #[must_use]
    pub const fn fixed(&self) -> usize {
        let ip_len = if self.tunnel { self.ip_len } else { 0 };
        ip_len
            .saturating_add(self.udp_len)
            .saturating_add(self.shape.head())
            .saturating_add(self.inside)
    }

    /// The usual upper bound: [`fixed`](Self::fixed), a whole block of padding, trailer and ICV.
    /// The true maximum is one octet less.
    #[must_use]
    pub const fn bound(&self) -> usize {
        self.fixed()
            .saturating_add(self.shape.align)
            .saturating_add(TRAILER_LEN)
            .saturating_add(self.shape.icv_len)
    }

    /// Octets of the IP packet that a packet of `inner` octets becomes.
    #[must_use]
    pub const fn sealed_len(&self, inner: usize) -> usize {
        let packet = inner.saturating_add(self.inside);
        let payload = packet.saturating_sub(self.clear());
        let padding = self.shape.padding(payload);
        self.around()
            .saturating_add(payload)
            .saturating_add(padding)
            .saturating_add(TRAILER_LEN)
    }

    /// The longest packet whose sealed form fits `mtu`; 0 if none does.
    #[must_use]
    pub const fn max_inner(&self, mtu: usize) -> usize {
        let room = mtu.saturating_sub(self.around());
        // `align` is a power of two.
        let text = room & !self.shape.align.wrapping_sub(1);
        match text.checked_sub(TRAILER_LEN) {
            Some(payload) => payload
                .saturating_add(self.clear())
                .saturating_sub(self.inside),
            None => 0,
        }
    }

    /// The dummies (RFC 4303 §2.6) whose packets are longer than `more_than` and fit `mtu`.
    pub(crate) fn dummies(&self, more_than: usize, mtu: usize) -> Option<Dummies> {
        let align = self.shape.align;
        let text = |packet: usize| packet.saturating_sub(self.around()) & !align.wrapping_sub(1);
        let (shortest, longest) = (text(more_than).saturating_add(align), text(mtu));
        let count = longest
            .checked_sub(shortest)?
            .checked_div(align)?
            .saturating_add(1);
        Some(Dummies {
            shortest: shortest.saturating_sub(TRAILER_LEN),
            step: align,
            count,
        })
    }

    /// The length that the UDP header of a dummy with `payload` octets says.
    pub(crate) const fn udp_datagram(&self, payload: usize) -> usize {
        self.around()
            .saturating_sub(self.ip_len)
            .saturating_add(payload)
            .saturating_add(self.shape.padding(payload))
            .saturating_add(TRAILER_LEN)
    }

    /// Everything around payload, padding and trailer.
    const fn around(&self) -> usize {
        self.ip_len
            .saturating_add(self.udp_len)
            .saturating_add(self.shape.head())
            .saturating_add(self.shape.icv_len)
    }

    /// Octets of a packet that stay outside ESP.
    const fn clear(&self) -> usize {
        if self.tunnel { 0 } else { self.ip_len }
    }
}

/// Payloads of dummies that need no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dummies {
    shortest: usize,
    step: usize,
    /// How many lengths there are.
    pub(crate) count: usize,
}

impl Dummies {
    /// Octets of the `nth`, counted from 0.
    pub(crate) const fn payload(&self, nth: usize) -> usize {
        self.shortest.saturating_add(self.step.saturating_mul(nth))
    }
}

impl Shape {
    pub(crate) const fn of_suite(suite: ProtectionId) -> Self {
        let block = suite.block_len();
        let align = if block < 4 { 4 } else { block };
        Self {
            iv_len: suite.iv_len(),
            icv_len: suite.icv_len(),
            align,
        }
    }
}

/// Written as `most(least)`, both in octets.
impl fmt::Display for Overhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.bound(), self.fixed())
    }
}

#[cfg(test)]
mod tests;
