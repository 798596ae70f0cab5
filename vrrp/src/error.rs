//! Why a packet is not a VRRP advertisement, or cannot be written.

use crate::AuthType;

/// A packet that is not a valid advertisement: RFC 3768 §7.1, RFC 9568 §7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The bytes end before `what`.
    #[error("truncated: {what} needs {needed} octets, {available} are there")]
    Truncated {
        /// The field or header that is cut off.
        what: &'static str,
        /// Octets needed, counted from the start of the bytes given.
        needed: usize,
        /// Octets that were given.
        available: usize,
    },
    /// TTL or Hop Limit below what the receiver asks for: 255, but for unicast peers configured
    /// otherwise (RFC 9568 §5.1.1.3).
    #[error("TTL {0} instead of 255")]
    Ttl(u8),
    /// The version is neither 2 nor 3.
    #[error("VRRP version {0}")]
    Version(u8),
    /// Version 2 speaks IPv4 only.
    #[error("VRRP version 2 over IPv6")]
    Version2OverIpv6,
    /// The packet is not an ADVERTISEMENT (RFC 9568 §5.2.2).
    #[error("VRRP packet type {0}")]
    PacketType(u8),
    /// VRID 0 is not in the range 1 to 255 (RFC 9568 §6.1).
    #[error("VRID 0")]
    VridZero,
    /// No addresses (RFC 9568 §5.2.5: MUST be ignored).
    #[error("no addresses")]
    NoAddresses,
    /// The interval field is zero: no timer can be made of it.
    #[error("advertisement interval 0")]
    IntervalZero,
    /// Version 2 with an authentication type no RFC names (RFC 2338 §5.3.6).
    #[error("authentication type {0}")]
    AuthType(AuthType),
    /// Octets behind the last field: the address count contradicts the length.
    #[error("{count} addresses make {expected} octets, {available} are there")]
    Length {
        /// The number of addresses that the packet claims.
        count: u8,
        /// Octets they make with the fixed fields.
        expected: usize,
        /// Octets of the VRRP message that was given.
        available: usize,
    },
    /// The checksum fits in no accepted reading.
    #[error("checksum 0x{found:04x}, computed 0x{computed:04x}")]
    Checksum {
        /// The checksum that the packet bears.
        found: u16,
        /// The checksum that the packet should bear, in the first reading accepted.
        computed: u16,
    },
    /// Addresses of different families in one header.
    #[error("IPv4 and IPv6 addresses in one header")]
    MixedFamilies,
    /// The first octet does not begin an IPv4 or IPv6 header.
    #[error("IP version {0}")]
    IpVersion(u8),
    /// An IP header or length that contradicts itself or the bytes given.
    #[error("IP length {stated}, {available} octets are there")]
    IpLength {
        /// The length that the IP header says.
        stated: usize,
        /// Octets that were given.
        available: usize,
    },
    /// The IPv4 header checksum does not fit.
    #[error("IPv4 header checksum does not fit")]
    IpChecksum,
    /// A fragment: an advertisement is never one.
    #[error("IP fragment")]
    Fragment,
    /// An IP Authentication Header (RFC 2338 §5.3.6.3): recognised, not implemented.
    #[error("IP Authentication Header")]
    AuthenticationHeader,
    /// The IP packet carries another protocol than 112.
    #[error("IP protocol {0} instead of 112")]
    Protocol(u8),
}

/// A message that cannot be written. The output is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The output is too short.
    #[error("{needed} octets of output needed, {available} are there")]
    Output {
        /// Octets that the message takes.
        needed: usize,
        /// Octets that the output has.
        available: usize,
    },
    /// No addresses, or more than 255.
    #[error("{0} addresses instead of 1 to 255")]
    AddressCount(usize),
    /// An address that is not of the packet's family, or version 2 with IPv6.
    #[error("an address of the wrong family")]
    Family,
    /// An interval that the field cannot say: version 2 counts 1 to 255 seconds, version 3
    /// 1 to 4095 centiseconds.
    #[error("interval of {0} centiseconds does not fit the field")]
    Interval(u32),
}
