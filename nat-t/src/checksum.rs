//! The incremental checksum fix of transport mode through NAT (RFC 1624, RFC 3948 §3.1.2).

use core::net::IpAddr;

/// Protocol numbers whose checksum covers the addresses of the IP header.
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// Addresses of an IP header: as received, or as the peer built them (its NAT-OA payloads).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The source address that the sender's checksum covers, or the one to cover now.
    pub source: IpAddr,
    /// The destination address that the sender's checksum covers, or the one to cover now.
    pub destination: IpAddr,
}

/// Why a checksum was not adjusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FixError {
    /// The segment ends before its checksum field.
    #[error("{protocol} segment of {len} octets ends before its checksum")]
    Truncated {
        /// The protocol number of the IP header.
        protocol: u8,
        /// Octets that the segment has.
        len: usize,
    },
    /// Received and original addresses are of different families.
    #[error("received and original addresses differ in family")]
    Family,
}

/// RFC 1624 §3, equation 3: the checksum `old_sum` after the octets `old` became `new`, that is
/// `~(~HC + ~m + m')`. Both slices begin at an even offset of the checksummed data; an odd last
/// octet counts as the high half of a word.
#[must_use]
pub fn adjust(old_sum: u16, old: &[u8], new: &[u8]) -> u16 {
    let removed = words(old).map(|word| u32::from(!word));
    let added = words(new).map(u32::from);
    let sum = removed.chain(added).fold(u32::from(!old_sum), |sum, word| {
        let sum = sum.wrapping_add(word);
        // The carry goes around at each step, so 17 bits are never exceeded.
        (sum & 0xffff).wrapping_add(sum >> 16)
    });
    !u16::try_from(sum & 0xffff).unwrap_or(0)
}

/// Repairs the checksum of a decrypted transport-mode segment whose IP header a NAT rewrote.
///
/// The sender computed it over `original`; the receiver's stack will verify it over `received`.
/// RFC 3948 §3.1.2 item 1 works on the checksum field, which is a complement (subtract received,
/// add real); on the sum below it, real addresses leave and received ones enter. TCP, UDP and ICMPv6 are fixed, a UDP checksum of zero
/// (none) stays, other protocols are left alone. Returns whether the segment changed.
///
/// # Errors
/// The segment is too short for its checksum, or the address families differ; it is unchanged.
pub fn fix_segment(
    protocol: u8,
    segment: &mut [u8],
    original: Addresses,
    received: Addresses,
) -> Result<bool, FixError> {
    let offset = match protocol {
        TCP => 16,
        UDP => 6,
        ICMPV6 if original.source.is_ipv6() => 2,
        _ => return Ok(false),
    };
    let same_family = |a: IpAddr, b: IpAddr| a.is_ipv4() == b.is_ipv4();
    if !same_family(original.source, received.source)
        || !same_family(original.destination, received.destination)
    {
        return Err(FixError::Family);
    }
    let len = segment.len();
    let field = segment
        .get_mut(offset..)
        .and_then(|rest| rest.first_chunk_mut::<2>())
        .ok_or(FixError::Truncated { protocol, len })?;
    let old_sum = u16::from_be_bytes(*field);
    if protocol == UDP && old_sum == 0 {
        return Ok(false);
    }
    let sum = adjust_address(old_sum, original.source, received.source);
    let mut sum = adjust_address(sum, original.destination, received.destination);
    if protocol == UDP && sum == 0 {
        // RFC 768: a computed zero is sent as all ones.
        sum = 0xffff;
    }
    *field = sum.to_be_bytes();
    Ok(sum != old_sum)
}

fn adjust_address(sum: u16, old: IpAddr, new: IpAddr) -> u16 {
    match (old, new) {
        // No change, no arithmetic: adding ~m + m would turn a checksum of 0xffff into 0.
        (old, new) if old == new => sum,
        (IpAddr::V4(old), IpAddr::V4(new)) => adjust(sum, &old.octets(), &new.octets()),
        (IpAddr::V6(old), IpAddr::V6(new)) => adjust(sum, &old.octets(), &new.octets()),
        _ => sum,
    }
}

fn words(octets: &[u8]) -> impl Iterator<Item = u16> + '_ {
    octets.chunks(2).map(|pair| match *pair {
        [high, low] => u16::from_be_bytes([high, low]),
        [high] => u16::from_be_bytes([high, 0]),
        _ => 0,
    })
}

#[cfg(test)]
mod tests;
