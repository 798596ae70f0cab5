//! The headers below VRRP: reading an IP packet (RFC 791 §3.1, RFC 8200 §3), writing IP and
//! Ethernet headers.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checksum::Sum;
use crate::encode::put;
use crate::{Family, MacAddr, PROTOCOL_VRRP, ParseError, Received, TTL};

pub(crate) const ETHERNET_LEN: usize = 14;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
const PROTOCOL_AH: u8 = 51;
/// DSCP CS6: what network control traffic carries (RFC 4594 §3.1).
const TRAFFIC_CLASS: u8 = 0xc0;

impl<'a> Received<'a> {
    /// Reads a whole IPv4 or IPv6 packet, as a raw IPv4 socket or a capture gives it. Octets
    /// behind the IP length (link-layer padding) are left out.
    ///
    /// # Errors
    /// Lengths that contradict each other, a wrong IPv4 checksum, fragments, another protocol.
    pub fn from_packet(packet: &'a [u8]) -> Result<Self, ParseError> {
        match packet.first().map(|first| first >> 4) {
            None => Err(ParseError::Truncated {
                what: "IP header",
                needed: IPV4_LEN,
                available: 0,
            }),
            Some(4) => Self::from_ipv4(packet),
            Some(6) => Self::from_ipv6(packet),
            Some(other) => Err(ParseError::IpVersion(other)),
        }
    }

    fn from_ipv4(packet: &'a [u8]) -> Result<Self, ParseError> {
        let available = packet.len();
        let Some(header) = packet.first_chunk::<IPV4_LEN>() else {
            return Err(ParseError::Truncated {
                what: "IPv4 header",
                needed: IPV4_LEN,
                available,
            });
        };
        let [
            first,
            _,
            l0,
            l1,
            _,
            _,
            f0,
            f1,
            ttl,
            protocol,
            _,
            _,
            addresses @ ..,
        ] = *header;
        let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
        let header_len = usize::from(first & 0x0f).saturating_mul(4);
        let stated = usize::from(u16::from_be_bytes([l0, l1]));
        let lengths = ParseError::IpLength { stated, available };
        let whole = packet.get(..stated).ok_or(lengths)?;
        let (header, message) = whole.split_at_checked(header_len).ok_or(lengths)?;
        if header_len < IPV4_LEN {
            return Err(ParseError::IpLength {
                stated: header_len,
                available,
            });
        }
        if Sum::ZERO.octets(header).finish() != 0 {
            return Err(ParseError::IpChecksum);
        }
        if u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
            return Err(ParseError::Fragment);
        }
        check_protocol(protocol)?;
        Ok(Self {
            source: Ipv4Addr::new(s0, s1, s2, s3).into(),
            destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
            ttl,
            message,
        })
    }

    fn from_ipv6(packet: &'a [u8]) -> Result<Self, ParseError> {
        let available = packet.len();
        let Some((header, rest)) = packet.split_first_chunk::<IPV6_LEN>() else {
            return Err(ParseError::Truncated {
                what: "IPv6 header",
                needed: IPV6_LEN,
                available,
            });
        };
        let [_, _, _, _, l0, l1, next_header, hop_limit, addresses @ ..] = *header;
        let stated = usize::from(u16::from_be_bytes([l0, l1]));
        let message = rest.get(..stated).ok_or(ParseError::IpLength {
            stated: stated.saturating_add(IPV6_LEN),
            available,
        })?;
        // An advertisement needs no extension headers: another Next Header is another protocol.
        check_protocol(next_header)?;
        let (mut source, mut destination) = ([0; 16], [0; 16]);
        let (low, high) = addresses.split_at(16);
        source.copy_from_slice(low);
        destination.copy_from_slice(high);
        Ok(Self {
            source: Ipv6Addr::from(source).into(),
            destination: Ipv6Addr::from(destination).into(),
            ttl: hop_limit,
            message,
        })
    }
}

fn check_protocol(protocol: u8) -> Result<(), ParseError> {
    match protocol {
        PROTOCOL_VRRP => Ok(()),
        PROTOCOL_AH => Err(ParseError::AuthenticationHeader),
        other => Err(ParseError::Protocol(other)),
    }
}

pub(crate) const fn ip_header_len(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(_) => IPV4_LEN,
        IpAddr::V6(_) => IPV6_LEN,
    }
}

pub(crate) const fn group_mac(family: Family) -> MacAddr {
    match family {
        Family::V4 => MacAddr::GROUP_V4,
        Family::V6 => MacAddr::GROUP_V6,
    }
}

/// Writes an Ethernet header of 14 octets.
pub(crate) fn ethernet(out: &mut [u8], destination: MacAddr, source: MacAddr, family: Family) {
    let ether_type: [u8; 2] = match family {
        Family::V4 => [0x08, 0x00],
        Family::V6 => [0x86, 0xdd],
    };
    let mut at = 0;
    put(out, &mut at, &destination.0);
    put(out, &mut at, &source.0);
    put(out, &mut at, &ether_type);
}

/// Writes an IP header of 20 or 40 octets, TTL 255, in front of `len` octets. The caller has
/// checked that the families agree.
pub(crate) fn ip_header(
    out: &mut [u8],
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    len: usize,
) {
    let mut at = 0;
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let total = u16::try_from(len.saturating_add(IPV4_LEN)).unwrap_or(u16::MAX);
            let [l0, l1] = total.to_be_bytes();
            put(
                out,
                &mut at,
                &[0x45, TRAFFIC_CLASS, l0, l1, 0, 0, 0, 0, TTL, protocol, 0, 0],
            );
            put(out, &mut at, &source.octets());
            put(out, &mut at, &destination.octets());
            let sum = Sum::ZERO.octets(out).finish().to_be_bytes();
            let mut at = 10;
            put(out, &mut at, &sum);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let [l0, l1] = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
            let first = 0x60 | (TRAFFIC_CLASS >> 4);
            put(
                out,
                &mut at,
                &[first, TRAFFIC_CLASS << 4, 0, 0, l0, l1, protocol, TTL],
            );
            put(out, &mut at, &source.octets());
            put(out, &mut at, &destination.octets());
        }
        _ => {}
    }
}
