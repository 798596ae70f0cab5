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
