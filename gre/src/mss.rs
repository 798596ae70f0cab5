//! TCP MSS clamping (`ip tcp adjust-mss`): the maximum segment size a SYN announces is lowered to
//! what fits through the tunnel, with the checksum corrected in place (RFC 1624 §3).

use crate::IpPacket;
use crate::ip::{IPV4_HEADER_LEN, IPV6_HEADER_LEN};

const TCP: u8 = 6;
const TCP_HEADER_LEN: usize = 20;

/// What clamping has done to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clamp {
    /// The packet is not a TCP SYN, has no MSS option, or its MSS is small enough.
    Unchanged,
    /// The option said the first and says the second now.
    Lowered {
        /// What the packet said before, in octets.
        from: u16,
        /// What the packet says now, in octets.
        to: u16,
    },
}

/// The MSS that fits a tunnel MTU: without IP and TCP header (RFC 9293 §3.7.1).
#[must_use]
pub const fn mss_for(tunnel_mtu: usize, v4: bool) -> u16 {
    let ip = if v4 { IPV4_HEADER_LEN } else { IPV6_HEADER_LEN };
    let mss = tunnel_mtu.saturating_sub(ip).saturating_sub(TCP_HEADER_LEN);
    let [.., high, low] = mss.to_be_bytes();
    if mss > 0xffff {
        u16::MAX
    } else {
        u16::from_be_bytes([high, low])
    }
}

/// Lowers the MSS option of a TCP SYN or SYN-ACK in `packet`, an IPv4 or IPv6 packet, to at most
/// `mss`. Everything else, fragments and malformed packets included, is left as it is.
pub fn clamp(packet: &mut [u8], mss: u16) -> Clamp {
    let Some((field, checksum)) = mss_field(packet) else {
        return Clamp::Unchanged;
    };
    let read = |at: usize| {
        let octets = packet.get(at..at.saturating_add(2))?.first_chunk::<2>()?;
        Some(u16::from_be_bytes(*octets))
    };
    let (Some(from), Some(sum)) = (read(field), read(checksum)) else {
        return Clamp::Unchanged;
    };
    if from <= mss {
        return Clamp::Unchanged;
    }
    // The option may stand at an odd offset: then the words it changes are not aligned with it,
    // and swapping both values gives the same sum (RFC 1071 §2(B)).
    let odd = field.wrapping_sub(checksum) & 1 == 1;
    let (old, new) = if odd {
        (from.swap_bytes(), mss.swap_bytes())
    } else {
        (from, mss)
    };
    let sum = update(sum, old, new);
    for (at, value) in [(field, mss), (checksum, sum)] {
        if let Some(room) = packet.get_mut(at..at.saturating_add(2)) {
            room.copy_from_slice(&value.to_be_bytes());
        }
    }
    Clamp::Lowered { from, to: mss }
}

/// Offsets of the MSS value and of the TCP checksum.
fn mss_field(packet: &[u8]) -> Option<(usize, usize)> {
    let ip = IpPacket::parse(packet).ok()?;
    if ip.protocol() != TCP || ip.is_fragment() {
        return None;
    }
    let tcp = ip.payload();
    let [.., offset, flags, _, _, _, _, _, _] = *tcp.first_chunk::<TCP_HEADER_LEN>()?;
    if flags & 0x02 == 0 {
        return None;
    }
    let header_len = usize::from(offset >> 4).saturating_mul(4);
    let start = ip.header_len();
    let mut at = TCP_HEADER_LEN;
    // RFC 9293 §3.1: kind 0 ends the list, kind 1 pads, the others have a length.
    while at < header_len {
        match *tcp.get(at..header_len)? {
            [0, ..] => return None,
            [1, ..] => at = at.saturating_add(1),
            [2, 4, _, _, ..] => {
                let field = start.saturating_add(at).saturating_add(2);
                return Some((field, start.saturating_add(16)));
            }
            [_, len, ..] if len >= 2 => at = at.saturating_add(usize::from(len)),
            _ => return None,
        }
    }
    None
}

/// RFC 1624 §3, equation 3: HC' = ~(~HC + ~m + m').
fn update(checksum: u16, old: u16, new: u16) -> u16 {
    let mut sum = u32::from(!checksum)
        .wrapping_add(u32::from(!old))
        .wrapping_add(u32::from(new));
    while sum > 0xffff {
        sum = (sum & 0xffff).wrapping_add(sum >> 16);
    }
    let [_, _, high, low] = sum.to_be_bytes();
    !u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests;
