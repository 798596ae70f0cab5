//! The outer header of tunnel mode: addresses, DSCP, ECN, Don't Fragment, TTL
//! (RFC 4301 §5.1.2, RFC 6040, RFC 2983), and the UDP header of RFC 3948.

use core::net::IpAddr;

use crate::ip::{
    self, IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpHeader, UDP_HEADER_LEN, protocol, write_v4_checksum,
};

/// Where the DSCP of the outer header comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dscp {
    /// The inner header's DSCP is copied (RFC 4301 §5.1.2.1).
    #[default]
    Copy,
    /// Always this value, 0 to 63.
    Set(u8),
    /// The inner DSCP is the index into this table (RFC 4301 §5.1.2.1, note 5).
    Map(&'static [u8; 64]),
}

/// How the Don't Fragment bit of an outer IPv4 header is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DontFragment {
    /// The inner header's bit is copied; an inner IPv6 packet counts as set.
    #[default]
    Copy,
    /// Always set: the outer packet is never fragmented on its way.
    Set,
    /// Always clear: no path MTU discovery, the network fragments.
    Clear,
}

/// How the ECN field of the outer header is set (RFC 6040 §4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EcnMode {
    /// Copied: the peer decapsulates by RFC 6040 or RFC 4301.
    #[default]
    Normal,
    /// Not-ECT: the peer may not know ECN.
    Compatibility,
}

/// The outer IP header of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelHeader {
    source: IpAddr,
    destination: IpAddr,
    /// TTL or hop limit, 64 by default.
    pub ttl: u8,
    /// How the DSCP of the outer header is chosen.
    pub dscp: Dscp,
    /// How the Don't Fragment bit of an outer IPv4 header is chosen.
    pub df: DontFragment,
    /// How the ECN field of the outer header is chosen.
    pub ecn: EcnMode,
    /// IPv6 flow label, 0 by default.
    pub flow_label: u32,
}

impl TunnelHeader {
    /// `None` if the addresses are of different families.
    #[must_use]
    pub fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        (source.is_ipv4() == destination.is_ipv4()).then_some(Self {
            source,
            destination,
            ttl: 64,
            dscp: Dscp::Copy,
            df: DontFragment::Copy,
            ecn: EcnMode::Normal,
            flow_label: 0,
        })
    }

    /// The source of outer packets: our end of the tunnel.
    #[must_use]
    pub const fn source(&self) -> IpAddr {
        self.source
    }

    /// The destination of outer packets: the peer's end of the tunnel.
    #[must_use]
    pub const fn destination(&self) -> IpAddr {
        self.destination
    }

    /// Octets of the header: 20 for IPv4, 40 for IPv6.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.source {
            IpAddr::V4(_) => IPV4_HEADER_LEN,
            IpAddr::V6(_) => IPV6_HEADER_LEN,
        }
    }

    /// A header is never empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The traffic class of the outer header. `dscp` overrides the policy for one packet: the
    /// caller classified it.
    #[must_use]
    pub fn traffic_class(&self, inner: u8, dscp: Option<u8>) -> u8 {
        let dscp = dscp.unwrap_or_else(|| match self.dscp {
            Dscp::Copy => inner >> 2,
            Dscp::Set(value) => value,
            Dscp::Map(table) => table
                .get(usize::from(inner >> 2))
                .copied()
                .unwrap_or_default(),
        });
        let ecn = match self.ecn {
            EcnMode::Normal => inner & 3,
            EcnMode::Compatibility => 0,
        };
        (dscp & 0x3f) << 2 | ecn
    }

    /// Writes the header at the front of `packet`, which holds everything behind it.
    ///
    /// `id` is the IPv4 identification. A length above 65535 was refused before.
    pub(crate) fn write(&self, packet: &mut [u8], class: u8, df: bool, id: u16, proto: u8) {
        let total = u16::try_from(packet.len()).unwrap_or(u16::MAX);
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                // The caller has made room for the header.
                let Some(header) = packet.first_chunk_mut::<IPV4_HEADER_LEN>() else {
                    return;
                };
                let [l0, l1] = total.to_be_bytes();
                let [i0, i1] = id.to_be_bytes();
                let [s0, s1, s2, s3] = source.octets();
                let [d0, d1, d2, d3] = destination.octets();
                let flags = if df { 0x40 } else { 0 };
                *header = [
                    0x45, class, l0, l1, i0, i1, flags, 0, self.ttl, proto, 0, 0, s0, s1, s2, s3,
                    d0, d1, d2, d3,
                ];
                write_v4_checksum(packet, IPV4_HEADER_LEN);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let payload = total.saturating_sub(40).to_be_bytes();
                let first = 0x6000_0000 | u32::from(class) << 20 | self.flow_label & 0xf_ffff;
                let parts: [&[u8]; 5] = [
                    &first.to_be_bytes(),
                    &payload,
                    &[proto, self.ttl],
                    &source.octets(),
                    &destination.octets(),
                ];
                let octets = parts.iter().flat_map(|part| part.iter());
                packet
                    .iter_mut()
                    .zip(octets)
                    .for_each(|(to, from)| *to = *from);
            }
            _ => {}
        }
    }

    /// The Don't Fragment bit of the outer header.
    #[must_use]
    pub const fn dont_fragment(&self, inner: bool) -> bool {
        match self.df {
            DontFragment::Copy => inner,
            DontFragment::Set => true,
            DontFragment::Clear => false,
        }
    }
}

/// UDP ports of RFC 3948 encapsulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpPorts {
    /// The UDP source port of the packets that we send.
    pub source: u16,
    /// The UDP destination port of the packets that we send.
    pub destination: u16,
}

impl UdpPorts {
    /// Writes a UDP header at the front of `datagram`, checksum zero (RFC 3948 §2.1).
    pub(crate) fn write(self, datagram: &mut [u8]) {
        let len = u16::try_from(datagram.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes();
        let [s0, s1] = self.source.to_be_bytes();
        let [d0, d1] = self.destination.to_be_bytes();
        let [l0, l1] = len;
        if let Some(header) = datagram.first_chunk_mut::<UDP_HEADER_LEN>() {
            *header = [s0, s1, d0, d1, l0, l1, 0, 0];
        }
    }
}

/// Fills the UDP checksum of an IPv6 packet whose UDP header is at `udp_offset`. Over IPv6 a
/// checksum of zero needs both ends' consent (RFC 6936), which nothing negotiates here.
pub(crate) fn write_udp_checksum_v6(packet: &mut [u8], udp_offset: usize) {
    // The packet was written before: it holds both headers.
    let Some(addresses) = packet.get(8..40) else {
        return;
    };
    let Some(datagram) = packet.get(udp_offset..) else {
        return;
    };
    let len = u32::try_from(datagram.len()).unwrap_or_default();
    let pseudo = ip::sum(addresses, len.wrapping_add(u32::from(protocol::UDP)));
    let value = match !ip::fold(ip::sum(datagram, pseudo)) {
        // RFC 768: a computed zero is sent as all ones.
        0 => 0xffff,
        value => value,
    };
    let field = packet
        .get_mut(udp_offset..)
        .and_then(|datagram| datagram.get_mut(6..8));
    if let Some(field) = field {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

/// The inner and outer ECN fields contradict each other so that RFC 6040 §4.2 drops the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("outer header says congestion experienced, the inner is not ECN-capable")]
pub struct EcnDrop;

/// The inner ECN field after decapsulation (RFC 6040 §4.2, figure 4). `outer` and `inner` are ECN
/// fields, 0 to 3.
///
/// # Errors
/// Not-ECT inside, CE outside: drop.
pub const fn decapsulated_ecn(outer: u8, inner: u8) -> Result<u8, EcnDrop> {
    const NOT_ECT: u8 = 0;
    const ECT1: u8 = 1;
    const CE: u8 = 3;
    match (inner & 3, outer & 3) {
        // RFC 6040 §4.2: "the decapsulator MUST drop the packet": the sender reads loss as congestion.
        (NOT_ECT, CE) => Err(EcnDrop),
        (NOT_ECT, _) => Ok(NOT_ECT),
        // "The more severe marking of the outer and inner ECN fields" in all other cases.
        (CE, _) | (_, CE) => Ok(CE),
        (ECT1, _) | (_, ECT1) => Ok(ECT1),
        // ECT(0) inside, Not-ECT or ECT(0) outside.
        (inner, _) => Ok(inner),
    }
}

/// Applies [`decapsulated_ecn`] to a decapsulated IP packet; returns whether it changed.
///
/// # Errors
/// [`EcnDrop`]; the packet is unchanged.
pub fn decapsulate_ecn(
    packet: &mut [u8],
    header: &IpHeader,
    outer_ecn: u8,
) -> Result<bool, EcnDrop> {
    let inner = header.traffic_class & 3;
    let ecn = decapsulated_ecn(outer_ecn, inner)?;
    if ecn == inner {
        return Ok(false);
    }
    match header.source {
        IpAddr::V4(_) => {
            if let Some(tos) = packet.get_mut(1) {
                *tos = *tos & 0xfc | ecn;
            }
            write_v4_checksum(packet, header.insert_offset);
        }
        IpAddr::V6(_) => {
            if let Some(octet) = packet.get_mut(1) {
                *octet = *octet & 0xcf | ecn << 4;
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
