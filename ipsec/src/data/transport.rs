//! Transport mode at the receiver: a segment gets an IP header again, and behind a NAT its checksum is
//! mended.

use core::net::IpAddr;

use nat_t::{Addresses, FixError};

use super::pair::Pair;

/// Hop count of the header: the packet has arrived.
const TTL: u8 = 64;

/// An IP header without options.
pub(super) struct Header {
    octets: [u8; 40],
    len: usize,
}

impl Header {
    /// In front of `len` octets of `protocol`, from the first of `ends` to the second.
    pub(super) fn new(ends: (IpAddr, IpAddr), protocol: u8, len: usize) -> Self {
        match ends {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let total = u16::try_from(len.saturating_add(20)).unwrap_or(u16::MAX);
                let [l0, l1] = total.to_be_bytes();
                let ([s0, s1, s2, s3], [d0, d1, d2, d3]) = (from.octets(), to.octets());
                let header = |c0, c1| {
                    [
                        0x45, 0, l0, l1, 0, 0, 0, 0, TTL, protocol, c0, c1, s0, s1, s2, s3, d0, d1,
                        d2, d3,
                    ]
                };
                // RFC 791 §3.1: the checksum over a header whose own field is zero.
                let [c0, c1] = nat_t::adjust(0xffff, &[], &header(0, 0)).to_be_bytes();
                Self::of(&header(c0, c1))
            }
            (from, to) => {
                let octets = |address| match address {
                    IpAddr::V6(address) => address.octets(),
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                };
                let len = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
                let first = [&[0x60, 0, 0, 0][..], &len, &[protocol, TTL]].concat();
                Self::of(&[&first[..], &octets(from), &octets(to)].concat())
            }
        }
    }

    fn of(header: &[u8]) -> Self {
        let mut octets = [0; 40];
        let len = header.len().min(octets.len());
        octets
            .iter_mut()
            .zip(header)
            .for_each(|(to, from)| *to = *from);
        Self { octets, len }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

/// Makes the checksum of a segment that has crossed a NAT right again.
///
/// # Errors
/// The segment is too short for its checksum.
pub(super) fn mend(
    pair: &Pair,
    (source, destination): (IpAddr, IpAddr),
    protocol: u8,
    segment: &mut [u8],
) -> Result<(), FixError> {
    if let Some(original) = pair.sa.original {
        // RFC 3947 §5.2, RFC 3948 §3.1.2: the peer has summed over the addresses that it knew.
        let (peer, us) = if pair.sa.initiator {
            (original.responder, original.initiator)
        } else {
            (original.initiator, original.responder)
        };
        let summed = Addresses {
            source: peer,
            destination: us,
        };
        let seen = Addresses {
            source,
            destination,
        };
        nat_t::fix_segment(protocol, segment, summed, seen)?;
    } else if pair.sa.udp {
        // RFC 3948 §3.1.2, the second way: what the peer summed over is not known, but ESP's integrity
        // vouches for the rest.
        sum_anew(protocol, segment, source, destination);
    }
    Ok(())
}

/// Computes the checksum of a TCP or UDP segment anew. UDP without one stays so.
fn sum_anew(protocol: u8, segment: &mut [u8], source: IpAddr, destination: IpAddr) {
    let at: usize = match protocol {
        6 => 16,
        17 if segment.get(6..8) != Some(&[0, 0]) => 6,
        _ => return,
    };
    let length = u32::try_from(segment.len()).unwrap_or(u32::MAX);
    let field = at..at.saturating_add(2);
    let Some(old) = segment.get_mut(field.clone()) else {
        return;
    };
    old.fill(0);
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
    if let Some(field) = segment.get_mut(field) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
