//! The numbers of the protocol: versions, identifiers, groups, intervals.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::NonZeroU8;
use core::time::Duration;

/// The IP protocol number of VRRP (RFC 9568 §5.1.1.4).
pub const PROTOCOL_VRRP: u8 = 112;
/// TTL and Hop Limit of every advertisement (RFC 9568 §5.1.1.3).
pub const TTL: u8 = 255;
/// Where IPv4 advertisements go (RFC 9568 §5.1.1.2).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// Where IPv6 advertisements go (RFC 9568 §5.1.2.2).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// A version of the protocol that this crate speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// RFC 3768: IPv4 alone, intervals in whole seconds.
    V2,
    /// RFC 5798 and RFC 9568: IPv4 or IPv6, centiseconds.
    V3,
}

impl Version {
    /// The number in the packet.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// Address family of a virtual router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4: addresses of 4 octets, advertised to 224.0.0.18.
    V4,
    /// IPv6: addresses of 16 octets, advertised to ff02::12.
    V6,
}

impl Family {
    /// The family of `address`.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The multicast group of this family.
    #[must_use]
    pub const fn group(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(GROUP_V4),
            Self::V6 => IpAddr::V6(GROUP_V6),
        }
    }

    /// Octets of one address.
    #[must_use]
    pub const fn address_len(self) -> usize {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }
}

/// Virtual Router Identifier, 1 to 255 (RFC 9568 §6.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// Makes a VRID; `None` for 0, which no virtual router has.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        match NonZeroU8::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The number in the packet.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0.get()
    }

    /// The virtual router MAC address: 00-00-5E-00-01-{VRID} for IPv4, 00-00-5E-00-02-{VRID} for
    /// IPv6 (RFC 9568 §7.3).
    #[must_use]
    pub const fn mac(self, family: Family) -> MacAddr {
        let block = match family {
            Family::V4 => 1,
            Family::V6 => 2,
        };
        MacAddr([0x00, 0x00, 0x5e, 0x00, block, self.value()])
    }
}

impl fmt::Debug for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vrid({})", self.value())
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

/// Priority: 255 the address owner, 1 to 254 backups, 0 “I stop” (RFC 9568 §5.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u8);

impl Priority {
    /// Priority 0: the master stops, and backups need not wait for silence.
    pub const STOP: Self = Self(0);
    /// The default of a backup router.
    pub const DEFAULT: Self = Self(100);
    /// Priority 255: the router owns the addresses, they are on its interface.
    pub const OWNER: Self = Self(255);

    /// Whether this is the address owner's.
    #[must_use]
    pub const fn is_owner(self) -> bool {
        self.0 == 255
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A time between advertisements in centiseconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(u32);

impl Interval {
    /// One second, the default of both versions.
    pub const DEFAULT: Self = Self(100);

    /// An interval in hundredths of a second, as version 3 counts; `None` for 0.
    #[must_use]
    pub const fn from_centiseconds(centiseconds: u16) -> Option<Self> {
        if centiseconds == 0 {
            None
        } else {
            Some(Self(centiseconds as u32))
        }
    }

    /// An interval in whole seconds, as version 2 counts; `None` for 0.
    #[must_use]
    pub const fn from_seconds(seconds: u8) -> Option<Self> {
        if seconds == 0 {
            None
        } else {
            Some(Self((seconds as u32).saturating_mul(100)))
        }
    }

    /// The interval in hundredths of a second.
    #[must_use]
    pub const fn centiseconds(self) -> u32 {
        self.0
    }

    /// The interval as a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis((self.0 as u64).saturating_mul(10))
    }
}

/// Authentication type of version 2 (RFC 2338 §5.3.6; reserved in RFC 3768 §5.3.6).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuthType(pub u8);

impl AuthType {
    /// No authentication, the only type of version 3 and of RFC 3768.
    pub const NONE: Self = Self(0);
    /// A password in clear text (RFC 2338 §5.3.6.2).
    pub const SIMPLE: Self = Self(1);
    /// An IP Authentication Header around the packet (RFC 2338 §5.3.6.3).
    pub const AH: Self = Self(2);
    /// Cisco's MD5 authentication; its format is not public.
    pub const CISCO_MD5: Self = Self(254);
}

impl fmt::Debug for AuthType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for AuthType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => f.write_str("none (0)"),
            Self::SIMPLE => f.write_str("simple text (1)"),
            Self::AH => f.write_str("IP Authentication Header (2)"),
            Self::CISCO_MD5 => f.write_str("Cisco MD5 (254)"),
            Self(other) => other.fmt(f),
        }
    }
}

/// A 48-bit link-layer address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// The broadcast address of Ethernet, where gratuitous ARP goes.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// Where IPv4 advertisements go on Ethernet: the mapping of 224.0.0.18 (RFC 1112 §6.4).
    pub const GROUP_V4: Self = Self([0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]);
    /// Where IPv6 advertisements go on Ethernet: the mapping of ff02::12 (RFC 2464 §7).
    pub const GROUP_V6: Self = Self([0x33, 0x33, 0x00, 0x00, 0x00, 0x12]);
    /// All IPv6 nodes: the mapping of ff02::1.
    pub const ALL_NODES: Self = Self([0x33, 0x33, 0x00, 0x00, 0x00, 0x01]);
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
