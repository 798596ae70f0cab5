//! Transport mode at the receiver: a segment gets an IP header again, and behind a NAT its checksum is mended.

use crate::gateway::pairs::Pair;
use etherparse::{IpNumber, Ipv4Header, Ipv6Header};
use nat_t::{Addresses, FixError};
use std::net::IpAddr;

/// Hop count of the rebuilt header: the packet has arrived.
const TTL: u8 = 64;

/// Writes the IP packet that the peer's stack sent, as far as the receiver's can tell, to `out`.
///
/// # Errors
/// The segment is too short for its checksum.
pub(super) fn rebuild(
    pair: &Pair,
    (source, destination): (IpAddr, IpAddr),
    protocol: u8,
    segment: &mut [u8],
    out: &mut Vec<u8>,
) -> Result<(), FixError> {
    // RFC 3947 §5.2, RFC 3948 §3.1.2: the peer has summed over the addresses that it knew.
    if let Some(original) = pair.original_addresses {
        let (peer, us) = if pair.initiator {
            (original.responder, original.initiator)
        } else {
            (original.initiator, original.responder)
        };
        nat_t::fix_segment(
            protocol,
            segment,
            Addresses {
                source: peer,
                destination: us,
            },
            Addresses {
                source,
                destination,
            },
        )?;
    } else if pair.udp {
        // RFC 3948 §3.1.2, second way: what the peer summed over is not known, but ESP's integrity vouches for the rest.
        sum_anew(protocol, segment, source, destination);
    }
    out.clear();
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let length = u16::try_from(segment.len()).unwrap_or(u16::MAX);
            let (from, to) = (source.octets(), destination.octets());
            let header = Ipv4Header::new(length, TTL, IpNumber(protocol), from, to);
            if let Ok(mut header) = header {
                header.header_checksum = header.calc_header_checksum();
                out.extend(header.to_bytes());
            }
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = Ipv6Header {
                payload_length: u16::try_from(segment.len()).unwrap_or(u16::MAX),
                next_header: IpNumber(protocol),
                hop_limit: TTL,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv6Header::default()
            };
            out.extend(header.to_bytes());
        }
        _ => {}
    }
    out.extend_from_slice(segment);
    Ok(())
}

/// Computes the checksum of a TCP or UDP segment anew. UDP without one stays so.
fn sum_anew(protocol: u8, segment: &mut [u8], source: IpAddr, destination: IpAddr) {
    let at = match protocol {
        6 => 16,
        17 if segment.get(6..8) != Some(&[0, 0]) => 6,
        _ => return,
    };
    let length = u32::try_from(segment.len()).unwrap_or(u32::MAX);
    let Some(field) = segment.get_mut(at..at + 2) else {
        return;
    };
    field.fill(0);
    let add = |sum, octets: &[u8]| nat_t::adjust(sum, &[], octets);
    let addresses = [source, destination];
    let sum = addresses.iter().fold(0xffff, |sum, address| match address {
        IpAddr::V4(a) => add(sum, &a.octets()),
        IpAddr::V6(a) => add(sum, &a.octets()),
    });
    let sum = add(add(sum, &length.to_be_bytes()), &[0, protocol]);
    let sum = match add(sum, segment) {
        // RFC 768: a computed zero is sent as all ones.
        0 if protocol == 17 => 0xffff,
        sum => sum,
    };
    if let Some(field) = segment.get_mut(at..at + 2) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{TcpHeader, UdpHeader};

    #[test]
    fn rfc3948_s3_1_2_a_checksum_is_computed_anew() {
        let (a, b) = ([192, 0, 2, 254], [192, 0, 2, 2]);
        for payload in [&b"even"[..], b"odd"] {
            let mut tcp = TcpHeader::new(5555, 80, 7, 1000);
            tcp.checksum = tcp.calc_checksum_ipv4_raw(a, b, payload).unwrap();
            let whole = [tcp.to_bytes().as_slice(), payload].concat();
            let mut spoilt = whole.clone();
            spoilt[16] ^= 0x5a;
            sum_anew(6, &mut spoilt, a.into(), b.into());
            assert_eq!(spoilt, whole);

            let udp = UdpHeader::with_ipv4_checksum(
                500,
                4500,
                &etherparse::Ipv4Header::new(0, 64, IpNumber::UDP, a, b).unwrap(),
                payload,
            );
            let whole = [udp.unwrap().to_bytes().as_slice(), payload].concat();
            let mut spoilt = whole.clone();
            spoilt[7] ^= 0x5a;
            sum_anew(17, &mut spoilt, a.into(), b.into());
            assert_eq!(spoilt, whole);
            spoilt[6..8].fill(0);
            let none = spoilt.clone();
            sum_anew(17, &mut spoilt, a.into(), b.into());
            assert_eq!(spoilt, none);
        }
    }
}
