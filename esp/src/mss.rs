//! Clamping the maximum segment size of TCP (RFC 9293 §3.7.1) to what fits a tunnel.

use core::net::IpAddr;

use crate::ip::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpError, IpHeader, fold, protocol};

/// Octets of a TCP header without options.
const TCP_HEADER_LEN: usize = 20;
const SYN: u8 = 0x02;
/// Option kind and length of Maximum Segment Size.
const MSS: (u8, u8) = (2, 4);

/// The segment size for packets of `mtu` octets.
#[must_use]
pub fn mss_for(mtu: usize, v6: bool) -> u16 {
    let ip = if v6 { IPV6_HEADER_LEN } else { IPV4_HEADER_LEN };
    let mss = mtu.saturating_sub(ip).saturating_sub(TCP_HEADER_LEN);
    u16::try_from(mss).unwrap_or(u16::MAX)
}

/// Lowers the MSS option of a TCP SYN in an IP packet to `mss`, mending the checksum. A higher
/// value never appears, a segment without the option is left alone. Returns whether it changed.
///
/// # Errors
/// The packet is not sound IP.
pub fn clamp_mss(packet: &mut [u8], mss: u16) -> Result<bool, IpError> {
    let header = IpHeader::parse(packet)?;
    if header.protocol != protocol::TCP || header.later_fragment {
        return Ok(false);
    }
    let segment = packet
        .get_mut(header.upper_offset..header.total_len)
        .unwrap_or_default();
    Ok(clamp_segment(segment, mss).unwrap_or(false))
}

/// The MSS that fits `mtu` for a packet of this family.
#[must_use]
pub fn mss_for_packet(header: &IpHeader, mtu: usize) -> u16 {
    mss_for(mtu, matches!(header.source, IpAddr::V6(_)))
}

fn clamp_segment(segment: &mut [u8], mss: u16) -> Option<bool> {
    let flags = *segment.get(13)?;
    let data_offset = usize::from(segment.get(12)? >> 4).saturating_mul(4);
    if flags & SYN == 0 {
        return None;
    }
    let mut at = TCP_HEADER_LEN;
    while at < data_offset {
        let len = match *segment.get(at)? {
            0 => return None,
            1 => 1,
            kind => {
                let len = *segment.get(at.checked_add(1)?)?;
                if (kind, len) == MSS {
                    return lower(segment, at.checked_add(2)?, data_offset, mss);
                }
                usize::from(len)
            }
        };
        if len == 0 || (len == 1 && *segment.get(at)? != 1) {
            return None;
        }
        at = at.checked_add(len)?;
    }
    None
}

fn lower(segment: &mut [u8], at: usize, end: usize, mss: u16) -> Option<bool> {
    let field = segment.get_mut(at..end)?.first_chunk_mut::<2>()?;
    let old_octets = *field;
    let old = u16::from_be_bytes(old_octets);
    if old <= mss {
        return Some(false);
    }
    *field = mss.to_be_bytes();
    let checksum = segment.get_mut(16..)?.first_chunk_mut::<2>()?;
    let sum = u16::from_be_bytes(*checksum);
    // At an odd offset the option's octets lie crosswise in the checksummed words.
    let (old, new) = if at.is_multiple_of(2) {
        (old, mss)
    } else {
        (old.swap_bytes(), mss.swap_bytes())
    };
    // RFC 1624 equation 3.
    let total = u32::from(!sum)
        .wrapping_add(u32::from(!old))
        .wrapping_add(u32::from(new));
    *checksum = (!fold(total)).to_be_bytes();
    Some(true)
}

#[cfg(test)]
mod tests;
