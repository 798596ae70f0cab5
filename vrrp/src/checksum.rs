//! The Internet checksum (RFC 1071) and the pseudo-headers of RFC 8200 §8.1 and RFC 9293 §3.1.

use core::net::IpAddr;

use crate::PROTOCOL_VRRP;

/// A running one's complement sum. Parts start on even offsets of the whole.
#[derive(Clone, Copy)]
pub(crate) struct Sum(u64);

impl Sum {
    pub(crate) const ZERO: Self = Self(0);

    /// Adds `data`, padded with a zero octet when its length is odd.
    pub(crate) fn octets(mut self, data: &[u8]) -> Self {
        let (words, tail) = data.as_chunks::<2>();
        for word in words {
            self.0 = self.0.wrapping_add(u64::from(u16::from_be_bytes(*word)));
        }
        if let [last] = tail {
            self.0 = self.0.wrapping_add(u64::from(*last) << 8);
        }
        self
    }

    /// The complement of the folded sum.
    pub(crate) fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff).wrapping_add(sum >> 16);
        }
        let [.., a, b] = sum.to_be_bytes();
        !u16::from_be_bytes([a, b])
    }

    /// Adds the pseudo-header of a VRRP message of `len` octets: addresses, length, protocol.
    /// IPv4 and IPv6 differ in the addresses alone, as far as the sum goes.
    pub(crate) fn pseudo_header(self, source: IpAddr, destination: IpAddr, len: usize) -> Self {
        let len = u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes();
        self.address(source)
            .address(destination)
            .octets(&len)
            .octets(&[0, PROTOCOL_VRRP])
    }

    fn address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.octets(&address.octets()),
            IpAddr::V6(address) => self.octets(&address.octets()),
        }
    }
}
