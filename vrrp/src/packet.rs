//! Advertisements as received (RFC 3768 §5.1, RFC 9568 §5.1).
//!
//! ```text
//! Version 2                                Version 3
//!  0                   1                    0                   1
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 …        0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 …
//! |Version| Type  | Virtual Rtr ID|       |Version| Type  | Virtual Rtr ID|
//! |   Priority    | Count IP Addrs|       |   Priority    |IPvX Addr Count|
//! |   Auth Type   |   Adver Int   |       |Reserve| Max Advertise Interval|
//! |          Checksum             |       |          Checksum             |
//! |        IP Address (1 … n)     |       |     IPvX Address (1 … n)      |
//! |   Authentication Data (8)     |
//! ```

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checksum::Sum;
use crate::{AuthType, Family, Interval, ParseError, Priority, TTL, Version, Vrid};

/// Octets before the first address, in both versions.
pub(crate) const FIXED_LEN: usize = 8;
/// Octets of the authentication data behind the addresses of version 2 (RFC 3768 §5.1).
pub(crate) const AUTH_DATA_LEN: usize = 8;

/// How the checksum of version 3 over IPv4 is read: RFC 5798 §5.2.8 includes a pseudo-header,
/// RFC 9568 §5.2.8 does not. Version 2 never does, IPv6 always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChecksumReading {
    /// RFC 9568 §5.2.8: the VRRP message alone.
    Message,
    /// RFC 5798 §5.2.8: with a pseudo-header.
    PseudoHeader,
}

/// What a receiver takes that not all RFCs agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accept {
    /// The lowest TTL. 255 keeps out everything from beyond the link; lower it for unicast peers
    /// behind a router only.
    pub min_ttl: u8,
    /// The one reading of version 3 IPv4 checksums to accept; None accepts both.
    pub checksum: Option<ChecksumReading>,
}

impl Accept {
    /// A TTL of 255, and either reading of the checksum.
    pub const STANDARD: Self = Self {
        min_ttl: TTL,
        checksum: None,
    };
}

impl Default for Accept {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// What came off a socket: the VRRP message and the facts of its IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// The source address of the IP header.
    pub source: IpAddr,
    /// The destination address of the IP header: the group, or ours.
    pub destination: IpAddr,
    /// TTL of IPv4, Hop Limit of IPv6.
    pub ttl: u8,
    /// The payload of the IP packet: what begins with version and type.
    pub message: &'a [u8],
}

/// A valid advertisement. Borrows the bytes it was parsed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advertisement<'a> {
    version: Version,
    vrid: Vrid,
    priority: Priority,
    auth_type: AuthType,
    interval: Interval,
    checksum: u16,
    reading: ChecksumReading,
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    addresses: &'a [u8],
    auth_data: [u8; AUTH_DATA_LEN],
}

impl<'a> Advertisement<'a> {
    /// Checks a received message as RFC 3768 §7.1 and RFC 9568 §7.1 order, but for what needs
    /// configuration (VRID, version, authentication, interval, addresses).
    ///
    /// # Errors
    /// The first check that fails; nothing is kept of the packet then.
    pub fn parse(received: &Received<'a>, accept: Accept) -> Result<Self, ParseError> {
        let Received {
            source,
            destination,
            ttl,
            message,
        } = *received;
        let family = Family::of(source);
        if family != Family::of(destination) {
            return Err(ParseError::MixedFamilies);
        }
        // RFC 9568 §7.1: "It MUST verify that the IPv4 TTL is 255", or the Hop Limit. A packet with
        // less has crossed a router.
        if ttl < accept.min_ttl {
            return Err(ParseError::Ttl(ttl));
        }
        let available = message.len();
        let Some((fixed, rest)) = message.split_first_chunk::<FIXED_LEN>() else {
            return Err(ParseError::Truncated {
                what: "VRRP header",
                needed: FIXED_LEN,
                available,
            });
        };
        let [version_type, vrid, priority, count, high, low, c0, c1] = *fixed;
        let version = match (version_type >> 4, family) {
            (2, Family::V4) => Version::V2,
            (2, Family::V6) => return Err(ParseError::Version2OverIpv6),
            (3, _) => Version::V3,
            (other, _) => return Err(ParseError::Version(other)),
        };
        // RFC 9568 §5.2.2: "A packet with unknown type MUST be discarded."
        if version_type & 0x0f != 1 {
            return Err(ParseError::PacketType(version_type & 0x0f));
        }
        let auth_type = match version {
            Version::V2 => AuthType(high),
            Version::V3 => AuthType::NONE,
        };
        // RFC 2338 §5.3.6: "A packet with unknown authentication type […] MUST be discarded."
        if !matches!(auth_type, AuthType::NONE | AuthType::SIMPLE | AuthType::AH) {
            return Err(ParseError::AuthType(auth_type));
        }
        let addresses_len = usize::from(count).saturating_mul(family.address_len());
        let auth_len = if version == Version::V2 {
            AUTH_DATA_LEN
        } else {
            0
        };
        let expected = FIXED_LEN
            .saturating_add(addresses_len)
            .saturating_add(auth_len);
        // RFC 9568 §7.1: "It MUST verify that the received packet contains the complete VRRP packet".
        if available < expected {
            let what = match version {
                Version::V2 => "address list and authentication data",
                Version::V3 => "address list",
            };
            return Err(ParseError::Truncated {
                what,
                needed: expected,
                available,
            });
        }
        if available > expected {
            return Err(ParseError::Length {
                count,
                expected,
                available,
            });
        }
        let found = u16::from_be_bytes([c0, c1]);
        let reading = Checksummed {
            version,
            family,
            received,
        }
        .verify(found, accept.checksum)?;
        let vrid = Vrid::new(vrid).ok_or(ParseError::VridZero)?;
        if count == 0 {
            return Err(ParseError::NoAddresses);
        }
        // Version 2: Auth Type, then Adver Int in seconds. Version 3: four reserved bits (ignored,
        // RFC 9568 §5.2.6), then twelve bits of centiseconds.
        let interval = match version {
            Version::V2 => Interval::from_seconds(low),
            Version::V3 => Interval::from_centiseconds(u16::from_be_bytes([high & 0x0f, low])),
        };
        let interval = interval.ok_or(ParseError::IntervalZero)?;
        let (addresses, auth) = rest.split_at_checked(addresses_len).unwrap_or_default();
        Ok(Self {
            version,
            vrid,
            priority: Priority(priority),
            auth_type,
            interval,
            checksum: found,
            reading,
            source,
            destination,
            ttl,
            addresses,
            auth_data: auth.first_chunk().copied().unwrap_or_default(),
        })
    }

    /// The protocol version of the packet, 2 or 3.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The address family of the IP header, which is that of the addresses listed.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family::of(self.source)
    }

    /// The number of the virtual router that the packet is about.
    #[must_use]
    pub const fn vrid(&self) -> Vrid {
        self.vrid
    }

    /// The sender's priority; [`Priority::STOP`] from a master that stops.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// The time between the sender's advertisements, as the packet says.
    #[must_use]
    pub const fn interval(&self) -> Interval {
        self.interval
    }

    /// Authentication type; [`AuthType::NONE`] in version 3, which has none.
    #[must_use]
    pub const fn auth_type(&self) -> AuthType {
        self.auth_type
    }

    /// Authentication data; zeros in version 3.
    #[must_use]
    pub const fn auth_data(&self) -> &[u8; 8] {
        &self.auth_data
    }

    /// The checksum field as received.
    #[must_use]
    pub const fn checksum(&self) -> u16 {
        self.checksum
    }

    /// The reading in which the checksum fits.
    #[must_use]
    pub const fn checksum_reading(&self) -> ChecksumReading {
        self.reading
    }

    /// IP source: the sender's primary address.
    #[must_use]
    pub const fn source(&self) -> IpAddr {
        self.source
    }

    /// IP destination: the group, or this router for a unicast peer.
    #[must_use]
    pub const fn destination(&self) -> IpAddr {
        self.destination
    }

    /// TTL of IPv4, Hop Limit of IPv6, as received.
    #[must_use]
    pub const fn ttl(&self) -> u8 {
        self.ttl
    }

    /// How many addresses are listed, at least one.
    #[must_use]
    pub fn address_count(&self) -> usize {
        self.addresses
            .len()
            .checked_div(self.family().address_len())
            .unwrap_or(0)
    }

    /// The addresses of the virtual router, in order.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + 'a {
        let family = self.family();
        self.addresses
            .chunks_exact(family.address_len())
            .filter_map(move |octets| match family {
                Family::V4 => <[u8; 4]>::try_from(octets)
                    .ok()
                    .map(|a| Ipv4Addr::from(a).into()),
                Family::V6 => <[u8; 16]>::try_from(octets)
                    .ok()
                    .map(|a| Ipv6Addr::from(a).into()),
            })
    }
}

struct Checksummed<'r, 'a> {
    version: Version,
    family: Family,
    received: &'r Received<'a>,
}

impl Checksummed<'_, '_> {
    /// The reading in which `found` fits, tried in the order RFC 9568, RFC 5798.
    fn verify(
        &self,
        found: u16,
        only: Option<ChecksumReading>,
    ) -> Result<ChecksumReading, ParseError> {
        use ChecksumReading::{Message, PseudoHeader};
        let readings: &[ChecksumReading] = match (self.version, self.family, only) {
            (Version::V2, ..) => &[Message],
            (Version::V3, Family::V6, _) => &[PseudoHeader],
            (Version::V3, Family::V4, Some(Message)) => &[Message],
            (Version::V3, Family::V4, Some(PseudoHeader)) => &[PseudoHeader],
            (Version::V3, Family::V4, None) => &[Message, PseudoHeader],
        };
        let message = self.received.message;
        let sum = Sum::ZERO.octets(message);
        for reading in readings {
            // Over the message with its checksum in place a right sum is zero.
            if self.extend(sum, *reading).finish() == 0 {
                return Ok(*reading);
            }
        }
        let without = match (message.get(..6), message.get(8..)) {
            (Some(before), Some(behind)) => Sum::ZERO.octets(before).octets(behind),
            _ => Sum::ZERO,
        };
        let first = readings.first().copied().unwrap_or(Message);
        Err(ParseError::Checksum {
            found,
            computed: self.extend(without, first).finish(),
        })
    }

    fn extend(&self, sum: Sum, reading: ChecksumReading) -> Sum {
        let Received {
            source,
            destination,
            message,
            ..
        } = *self.received;
        match reading {
            ChecksumReading::Message => sum,
            ChecksumReading::PseudoHeader => sum.pseudo_header(source, destination, message.len()),
        }
    }
}
