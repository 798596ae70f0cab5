//! The configuration of a keepalive machine, and what other vendors do differently.

use core::net::IpAddr;
use core::time::Duration;

use crate::EtherType;

/// Configuration of one tunnel's keepalives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The address of our tunnel end.
    pub local: IpAddr,
    /// The peer's tunnel end, of the same family.
    pub remote: IpAddr,
    /// Time from one keepalive to the next, above zero.
    pub period: Duration,
    /// Unanswered keepalives after which the line protocol goes down.
    pub retries: u8,
    /// Key of the tunnel; both GRE headers carry it.
    pub key: Option<u32>,
    /// Whether both GRE headers carry a checksum.
    pub checksum: bool,
    /// TTL of both IP headers, at least 2 for the way back.
    pub ttl: u8,
    /// TOS or Traffic Class octet of both IP headers.
    pub traffic_class: u8,
    /// Whether our keepalives carry eight random octets, which have to be in what comes back: a host
    /// that does not see the packets cannot forge an answer then.
    pub nonce: bool,
    /// Whether only packets that came protected by IPsec count.
    pub require_protection: bool,
    /// How many keepalives of the peer are answered per second.
    pub replies_per_second: u32,
    /// How the peer's packets differ from ours.
    pub quirks: Quirks,
}

impl Config {
    /// `keepalive 10 3`: every ten seconds, three retries; no key, no checksum, TTL 255, CS6.
    #[must_use]
    pub const fn new(local: IpAddr, remote: IpAddr) -> Self {
        Self {
            local,
            remote,
            period: Duration::from_secs(10),
            retries: 3,
            key: None,
            checksum: false,
            ttl: 255,
            traffic_class: 0xc0,
            nonce: false,
            require_protection: false,
            replies_per_second: 10,
            quirks: Quirks::CISCO,
        }
    }
}

/// A configuration that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The two tunnel ends are of different families.
    #[error("local and remote tunnel ends are of different families")]
    MixedFamilies,
    /// Both tunnel ends have the same address.
    #[error("local and remote tunnel end are the same")]
    SameEnds,
    /// The period is zero: keepalives would be due all the time.
    #[error("keepalive period 0")]
    PeriodZero,
    /// No retries: the line would never be up.
    #[error("keepalive retries 0")]
    RetriesZero,
    /// A TTL that does not survive the way back.
    #[error("TTL {0}: at least 2 is needed for the way back")]
    Ttl(u8),
}

/// Differences of other implementations, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// What stands between the outer GRE header and the inner IP header of a keepalive.
    pub wrappers: &'static [Wrapper],
    /// Protocol Types of the inner GRE header that mark a keepalive.
    pub inner_protocols: &'static [EtherType],
    /// What the inner destination of the peer's keepalives has to be.
    pub inner_destination: InnerDestination,
    /// The largest number of octets behind the inner GRE header of the peer's keepalives.
    pub max_payload: usize,
}

/// How the inner packet of a keepalive is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrapper {
    /// Protocol Type of the outer GRE header.
    pub protocol: EtherType,
    /// Octets between the outer GRE header and the inner IP header.
    pub skip: usize,
}

impl Wrapper {
    const IPV4: Self = Self {
        protocol: EtherType::IPV4,
        skip: 0,
    };
    const IPV6: Self = Self {
        protocol: EtherType::IPV6,
        skip: 0,
    };
}

/// The inner destination of the peer's keepalives: where the answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InnerDestination {
    /// The address of the peer's tunnel end.
    Remote,
    /// Any; the answer goes to the peer's tunnel end all the same. For a peer behind NAT that
    /// writes its private address.
    RewriteToRemote,
}

impl Quirks {
    /// IP in the outer header, 0 in the inner.
    pub const CISCO: Self = Self {
        wrappers: &[Wrapper::IPV4, Wrapper::IPV6],
        inner_protocols: &[EtherType::RESERVED_0],
        inner_destination: InnerDestination::Remote,
        max_payload: 64,
    };

    /// Cisco with TrustSec: a MetaData header of eight octets before the inner packet.
    pub const CISCO_TRUSTSEC: Self = Self {
        wrappers: &[
            Wrapper::IPV4,
            Wrapper::IPV6,
            Wrapper {
                protocol: EtherType::CISCO_METADATA,
                skip: 8,
            },
        ],
        ..Self::CISCO
    };

    /// Huawei sends Protocol Type 0x0004 in the outer header of some keepalives.
    pub const HUAWEI: Self = Self {
        wrappers: &[
            Wrapper::IPV4,
            Wrapper::IPV6,
            Wrapper {
                protocol: EtherType(0x0004),
                skip: 0,
            },
        ],
        ..Self::CISCO
    };

    /// MikroTik: over IPv6 the inner header says IPv6; behind NAT the inner destination is the
    /// private address.
    pub const MIKROTIK: Self = Self {
        inner_protocols: &[EtherType::RESERVED_0, EtherType::IPV6],
        inner_destination: InnerDestination::RewriteToRemote,
        ..Self::CISCO
    };
}
