//! The Internet checksum (RFC 1071), one's complement sum over 16-bit words.

/// A running one's complement sum. Parts may be added in any order as long as each part starts on
/// an even offset of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum(u64);

impl Sum {
    /// The sum of no octets.
    pub const ZERO: Self = Self(0);

    /// Adds `data`, padded with a zero octet when its length is odd.
    #[inline]
    #[must_use]
    pub fn octets(self, data: &[u8]) -> Self {
        // RFC 1071 §2(B): the sum is independent of byte order, so words are added as the machine
        // stores them and swapped once at the end. Two lanes keep the loop free of carries.
        let (words, tail) = data.as_chunks::<8>();
        let mut low = 0u64;
        let mut high = 0u64;
        for word in words {
            let word = u64::from_ne_bytes(*word);
            low = low.wrapping_add(word & 0xffff_ffff);
            high = high.wrapping_add(word >> 32);
        }
        let (four, tail) = tail.as_chunks::<4>();
        if let [four] = four {
            low = low.wrapping_add(u64::from(u32::from_ne_bytes(*four)));
        }
        let (two, tail) = tail.as_chunks::<2>();
        if let [two] = two {
            high = high.wrapping_add(u64::from(u16::from_ne_bytes(*two)));
        }
        if let [last] = *tail {
            high = high.wrapping_add(u64::from(u16::from_ne_bytes([last, 0])));
        }
        Self(self.0.wrapping_add(fold32(low)).wrapping_add(fold32(high)))
    }

    /// Adds one 16-bit word given as a number.
    #[inline]
    #[must_use]
    pub fn word(self, word: u16) -> Self {
        Self(self.0.wrapping_add(u64::from(word.to_be())))
    }

    /// The checksum: the complement of the folded sum, as a number in host order.
    #[inline]
    #[must_use]
    pub fn finish(self) -> u16 {
        let sum = fold32(fold32(self.0));
        let sum = (sum & 0xffff).wrapping_add(sum >> 16);
        let sum = (sum & 0xffff).wrapping_add(sum >> 16);
        let sum = (sum & 0xffff).wrapping_add(sum >> 16);
        // `sum` fits in 16 bits now: its low two octets are all of it.
        let [a, b, ..] = sum.to_le_bytes();
        !u16::from_be(u16::from_le_bytes([a, b]))
    }
}

/// The checksum of one buffer (RFC 1071). Over a buffer that holds its own valid checksum: zero.
#[inline]
#[must_use]
pub fn checksum(data: &[u8]) -> u16 {
    Sum::ZERO.octets(data).finish()
}

/// [`checksum`] of an IPv4 header without options.
#[inline]
pub(crate) fn header_checksum(header: &[u8; 20]) -> u16 {
    // Eight octets at a time: half the loads, and the carries are added at the end.
    let (words, tail) = header.as_chunks::<8>();
    let tail = tail
        .first_chunk::<4>()
        .map_or(0, |tail| u32::from_ne_bytes(*tail));
    let sum = words.iter().fold(u64::from(tail), |sum, word| {
        let (sum, carry) = sum.overflowing_add(u64::from_ne_bytes(*word));
        sum.wrapping_add(u64::from(carry))
    });
    u16::from_be(fold(sum))
}

/// The checksum of a sum of 32-bit words, in their byte order (RFC 1071 §2(B)).
#[inline]
pub(crate) const fn fold(sum: u64) -> u16 {
    let sum = fold32(fold32(sum));
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    let sum = (sum & 0xffff).wrapping_add(sum >> 16);
    let [a, b, ..] = sum.to_le_bytes();
    !u16::from_le_bytes([a, b])
}

#[inline]
const fn fold32(sum: u64) -> u64 {
    (sum & 0xffff_ffff).wrapping_add(sum >> 32)
}

#[cfg(test)]
mod tests;
