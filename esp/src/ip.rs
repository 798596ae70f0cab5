//! As much of IPv4 and IPv6 as IPsec looks at: reading headers, patching them in place.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IP protocol numbers that this crate meets.
pub mod protocol {
    /// IPv6 hop-by-hop options (RFC 8200 §4.3).
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP for IPv4 (RFC 792).
    pub const ICMP: u8 = 1;
    /// IPv4 in IP: the next header of a tunnel-mode ESP packet with an IPv4 packet inside.
    pub const IPV4: u8 = 4;
    /// TCP (RFC 9293), whose ports are selectors.
    pub const TCP: u8 = 6;
    /// UDP (RFC 768), whose ports are selectors.
    pub const UDP: u8 = 17;
    /// IPv6 in IP: the next header of a tunnel-mode ESP packet with an IPv6 packet inside.
    pub const IPV6: u8 = 41;
    /// IPv6 routing header (RFC 8200 §4.4).
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header (RFC 8200 §4.5).
    pub const FRAGMENT: u8 = 44;
    /// GRE (RFC 2784), which has no ports.
    pub const GRE: u8 = 47;
    /// The Encapsulating Security Payload, ESP (RFC 4303).
    pub const ESP: u8 = 50;
    /// The IP Authentication Header, AH (RFC 4302).
    pub const AH: u8 = 51;
    /// ICMP for IPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;
    /// No next header: an ESP dummy packet (RFC 4303 §2.6).
    pub const NO_NEXT_HEADER: u8 = 59;
    /// IPv6 destination options (RFC 8200 §4.6).
    pub const DESTINATION_OPTIONS: u8 = 60;
    /// SCTP (RFC 9260), whose ports are selectors.
    pub const SCTP: u8 = 132;
    /// IPv6 mobility header (RFC 6275 §6.1), whose message type is a selector.
    pub const MOBILITY: u8 = 135;
}

use protocol::{DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING};

/// Octets of an IPv4 header without options.
pub const IPV4_HEADER_LEN: usize = 20;
/// Octets of an IPv6 header, extension headers not counted.
pub const IPV6_HEADER_LEN: usize = 40;
/// Octets of a UDP header.
pub const UDP_HEADER_LEN: usize = 8;
/// Extension headers that are walked before a packet is refused.
const MAX_EXTENSIONS: usize = 8;

/// Why a packet is not IP as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IpError {
    /// The version is neither 4 nor 6.
    #[error("IP version {0}")]
    Version(u8),
    /// The packet ends inside a header.
    #[error("packet of {len} octets ends inside a header, {needed} needed")]
    Truncated {
        /// Octets that were given.
        len: usize,
        /// Octets that the header needs at least.
        needed: usize,
    },
    /// A length field contradicts the packet or the header.
    #[error("{what} {value} is out of range")]
    Length {
        /// The name of the length field.
        what: &'static str,
        /// The value of the length field.
        value: usize,
    },
    /// The packet has more IPv6 extension headers than are walked.
    #[error("too many IPv6 extension headers")]
    Extensions,
}

/// What a packet's IP header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpHeader {
    /// The address in the source field.
    pub source: IpAddr,
    /// The address in the destination field.
    pub destination: IpAddr,
    /// TOS or traffic class: DSCP in the upper six bits, ECN in the lower two.
    pub traffic_class: u8,
    /// TTL of IPv4, hop limit of IPv6.
    pub ttl: u8,
    /// Octets of the whole packet by its own length field.
    pub total_len: usize,
    /// Offset of the upper layer: behind options and all extension headers.
    pub upper_offset: usize,
    /// Protocol of the upper layer.
    pub protocol: u8,
    /// Offset of the protocol/next-header octet that says [`protocol`](Self::protocol).
    pub protocol_at: usize,
    /// Don't Fragment; always true for IPv6.
    pub dont_fragment: bool,
    /// Any fragment of a larger packet.
    pub fragment: bool,
    /// A fragment without the upper layer's header.
    pub later_fragment: bool,
    /// Where transport mode inserts ESP or AH: behind hop-by-hop, routing and fragment headers
    /// (RFC 4303 §3.1.1).
    pub insert_offset: usize,
    /// Offset of the protocol/next-header octet that names what stands at `insert_offset`.
    pub insert_protocol_at: usize,
}

impl IpHeader {
    /// Reads the header of `packet`, which may be longer than the length field says.
    ///
    /// # Errors
    /// [`IpError`]: the version, a length or the number of extension headers is wrong.
    pub fn parse(packet: &[u8]) -> Result<Self, IpError> {
        match packet.first().map(|first| first >> 4) {
            Some(4) => parse_v4(packet),
            Some(6) => parse_v6(packet),
            Some(version) => Err(IpError::Version(version)),
            None => Err(IpError::Truncated {
                len: 0,
                needed: IPV4_HEADER_LEN,
            }),
        }
    }

    /// The next header that names this packet inside a tunnel (4 or 41).
    #[must_use]
    pub const fn tunnel_next_header(&self) -> u8 {
        match self.source {
            IpAddr::V4(_) => protocol::IPV4,
            IpAddr::V6(_) => protocol::IPV6,
        }
    }

    /// What transport mode protects here: the protocol at the insertion point.
    #[must_use]
    pub fn insert_protocol(&self, packet: &[u8]) -> u8 {
        octet(packet, self.insert_protocol_at)
    }
}

fn parse_v4(packet: &[u8]) -> Result<IpHeader, IpError> {
    let header = packet
        .first_chunk::<IPV4_HEADER_LEN>()
        .ok_or(IpError::Truncated {
            len: packet.len(),
            needed: IPV4_HEADER_LEN,
        })?;
    let [
        first,
        tos,
        l0,
        l1,
        _,
        _,
        f0,
        f1,
        ttl,
        proto,
        _,
        _,
        addresses @ ..,
    ] = *header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let header_len = usize::from(first & 0xf).saturating_mul(4);
    let total_len = usize::from(u16::from_be_bytes([l0, l1]));
    if header_len < IPV4_HEADER_LEN {
        return Err(IpError::Length {
            what: "IPv4 header length",
            value: header_len,
        });
    }
    if total_len < header_len || total_len > packet.len() {
        return Err(IpError::Length {
            what: "IPv4 total length",
            value: total_len,
        });
    }
    // RFC 791 §3.1: DF 0x4000, MF 0x2000, the offset below.
    let fragment = u16::from_be_bytes([f0, f1]);
    Ok(IpHeader {
        source: Ipv4Addr::new(s0, s1, s2, s3).into(),
        destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
        traffic_class: tos,
        ttl,
        total_len,
        upper_offset: header_len,
        protocol: proto,
        protocol_at: 9,
        dont_fragment: fragment & 0x4000 != 0,
        fragment: fragment & 0x3fff != 0,
        later_fragment: fragment & 0x1fff != 0,
        insert_offset: header_len,
        insert_protocol_at: 9,
    })
}

fn parse_v6(packet: &[u8]) -> Result<IpHeader, IpError> {
    let truncated = IpError::Truncated {
        len: packet.len(),
        needed: IPV6_HEADER_LEN,
    };
    let header = packet.first_chunk::<IPV6_HEADER_LEN>().ok_or(truncated)?;
    let [b0, b1, _, _, l0, l1, next, ttl, rest @ ..] = header;
    let (source, destination) = rest.split_first_chunk::<16>().ok_or(truncated)?;
    let destination = destination.first_chunk::<16>().ok_or(truncated)?;
    let payload_len = usize::from(u16::from_be_bytes([*l0, *l1]));
    let total_len = IPV6_HEADER_LEN.saturating_add(payload_len);
    let body = packet.get(..total_len).ok_or(IpError::Length {
        what: "IPv6 payload length",
        value: payload_len,
    })?;
    let mut parsed = IpHeader {
        source: Ipv6Addr::from(*source).into(),
        destination: Ipv6Addr::from(*destination).into(),
        traffic_class: (b0 << 4) | (b1 >> 4),
        ttl: *ttl,
        total_len,
        upper_offset: IPV6_HEADER_LEN,
        protocol: *next,
        protocol_at: 6,
        dont_fragment: true,
        fragment: false,
        later_fragment: false,
        insert_offset: IPV6_HEADER_LEN,
        insert_protocol_at: 6,
    };
    parsed.walk_extensions(body)?;
    Ok(parsed)
}

impl IpHeader {
    fn walk_extensions(&mut self, packet: &[u8]) -> Result<(), IpError> {
        for _ in 0..MAX_EXTENSIONS {
            let kind = self.protocol;
            if !matches!(kind, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION_OPTIONS)
                || self.later_fragment
            {
                return Ok(());
            }
            let at = self.upper_offset;
            let extension = packet.get(at..).and_then(|rest| rest.first_chunk::<8>());
            let needed = at.saturating_add(8);
            let [next, len, f0, f1, ..] = *extension.ok_or(IpError::Truncated {
                len: packet.len(),
                needed,
            })?;
            let octets = match kind {
                FRAGMENT => {
                    // RFC 8200 §4.5: 13 bits of offset, two reserved, M. With neither offset nor M
                    // the header makes no fragment of the packet.
                    let field = u16::from_be_bytes([f0, f1]);
                    self.fragment = field & 0xfff9 != 0;
                    self.later_fragment = field & 0xfff8 != 0;
                    8
                }
                _ => usize::from(len).saturating_add(1).saturating_mul(8),
            };
            let behind = at.saturating_add(octets);
            if behind > packet.len() {
                return Err(IpError::Truncated {
                    len: packet.len(),
                    needed: behind,
                });
            }
            self.protocol = next;
            self.upper_offset = behind;
            self.protocol_at = at;
            // Options for the final destination are protected: they come behind ESP.
            if kind != DESTINATION_OPTIONS || next == ROUTING {
                self.insert_offset = behind;
                self.insert_protocol_at = at;
            }
        }
        Err(IpError::Extensions)
    }
}

fn octet(packet: &[u8], at: usize) -> u8 {
    packet.get(at).copied().unwrap_or_default()
}

/// The one's complement sum of RFC 1071, not yet complemented.
pub(crate) fn sum(octets: &[u8], initial: u32) -> u32 {
    let (words, odd) = octets.as_chunks::<2>();
    let last = odd.first().map(|high| u16::from_be_bytes([*high, 0]));
    words
        .iter()
        .map(|word| u16::from_be_bytes(*word))
        .chain(last)
        .fold(initial, |sum, word| {
            let sum = sum.wrapping_add(u32::from(word));
            (sum & 0xffff).wrapping_add(sum >> 16)
        })
}

/// The checksum of RFC 1071.
pub(crate) fn checksum(octets: &[u8]) -> u16 {
    !fold(sum(octets, 0))
}

pub(crate) fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    u16::try_from(sum & 0xffff).unwrap_or_default()
}

/// Writes an IPv4 header's checksum over its `header_len` octets.
pub(crate) fn write_v4_checksum(packet: &mut [u8], header_len: usize) {
    // The header was parsed or written before: it is there.
    let Some(header) = packet.get_mut(..header_len) else {
        return;
    };
    if let Some(field) = header.get_mut(10..12) {
        field.fill(0);
    }
    let value = checksum(header).to_be_bytes();
    if let Some(field) = header.get_mut(10..12) {
        field.copy_from_slice(&value);
    }
}

/// Sets the length and the protocol octet at `protocol_at` of the IP header in front of `packet`,
/// whose new total length is `total_len`, and repairs the IPv4 checksum.
///
/// # Errors
/// The length does not fit the field; nothing changed.
pub(crate) fn patch(
    packet: &mut [u8],
    header: &IpHeader,
    total_len: usize,
    protocol_at: usize,
    proto: u8,
) -> Result<(), IpError> {
    let too_long = IpError::Length {
        what: "packet length",
        value: total_len,
    };
    let (length_at, length, v4_header) = match header.source {
        IpAddr::V4(_) => (2, total_len, Some(header.insert_offset)),
        IpAddr::V6(_) => (4, total_len.saturating_sub(IPV6_HEADER_LEN), None),
    };
    let length = u16::try_from(length).map_err(|_| too_long)?;
    if let Some(field) = packet
        .get_mut(length_at..)
        .and_then(|rest| rest.first_chunk_mut::<2>())
    {
        *field = length.to_be_bytes();
    }
    if let Some(field) = packet.get_mut(protocol_at) {
        *field = proto;
    }
    if let Some(header_len) = v4_header {
        write_v4_checksum(packet, header_len);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
