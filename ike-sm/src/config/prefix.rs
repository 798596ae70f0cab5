//! Address prefixes.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address prefix such as `10.0.0.0/8`; host bits are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: IpAddr,
    len: u8,
}

impl Prefix {
    /// `address/len` with the host bits cleared; `None` when `len` exceeds the address.
    #[must_use]
    pub fn new(address: IpAddr, len: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(a) if len <= 32 => IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & mask4(len))),
            IpAddr::V6(a) if len <= 128 => {
                IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & mask6(len)))
            }
            _ => return None,
        };
        Some(Self { address, len })
    }

    /// The prefix that holds one address only.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            len: if address.is_ipv4() { 32 } else { 128 },
        }
    }

    /// The network address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Number of leading one bits of the mask.
    #[must_use]
    pub fn prefix_len(&self) -> u8 {
        self.len
    }

    /// Does `address` lie in the prefix?
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::new(address, self.len).is_some_and(|p| p.address == self.address)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

fn mask4(len: u8) -> u32 {
    u32::MAX
        .checked_shl(32u32.saturating_sub(u32::from(len)))
        .unwrap_or(0)
}

fn mask6(len: u8) -> u128 {
    u128::MAX
        .checked_shl(128u32.saturating_sub(u32::from(len)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(s: &str) -> IpAddr {
        s.parse().unwrap()
    }

    #[test]
    fn a_prefix_clears_host_bits_and_keeps_to_its_family() {
        let p = Prefix::new(ip("192.168.100.77"), 24).unwrap();
        assert_eq!(p.address(), ip("192.168.100.0"));
        assert!(p.contains(ip("192.168.100.255")) && !p.contains(ip("192.168.101.0")));
        assert!(
            Prefix::new(ip("::"), 0)
                .unwrap()
                .contains(ip("2001:db8::1"))
        );
        assert!(!Prefix::new(ip("0.0.0.0"), 0).unwrap().contains(ip("::1")));
        assert!(
            Prefix::new(ip("2001:db8::"), 128)
                .unwrap()
                .contains(ip("2001:db8::"))
        );
        assert_eq!(Prefix::new(ip("1.2.3.4"), 33), None);
    }
}
