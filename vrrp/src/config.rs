//! The configuration of a virtual router (RFC 9568 §6.1 and what implementations add).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::timing::DOWN_INTERVALS;
use crate::{Accept, ChecksumReading, Family, Interval, MacAddr, Priority, Version, Vrid};

/// Configuration of one virtual router.
#[derive(Debug, Clone)]
pub struct Config {
    /// The protocol version that is sent, and the only one that is taken.
    pub version: Version,
    /// The number of the virtual router on its interface.
    pub vrid: Vrid,
    /// The addresses, 1 to 255 of one family; the first is the primary one. IPv6: the first is
    /// link-local (RFC 9568 §5.2.9).
    pub addresses: Arc<[IpAddr]>,
    /// Priority; [`Priority::OWNER`] for the owner of the addresses.
    pub priority: Priority,
    /// Advertisement_Interval; version 2 can send whole seconds alone.
    pub interval: Interval,
    /// Preempt_Mode: whether a backup takes over from a master of lower priority (RFC 9568 §6.1).
    pub preempt: bool,
    /// How long a master of lower priority is left in place (`preempt delay minimum`).
    pub preempt_delay: Duration,
    /// How long to stay out after start-up (`preempt delay reload`, `vrrp_startup_delay`).
    pub startup_delay: Duration,
    /// Version 2: take a master's interval that differs from ours instead of dropping its packets
    /// (`timers learn`). Version 3 always does.
    pub learn_interval: bool,
    /// Accept_Mode: whether packets to the addresses are accepted by a master that does not own
    /// them.
    pub accept_mode: bool,
    /// Version 2 simple-text password, at most eight octets, zero-filled (RFC 2338 §5.3.10).
    pub password: Option<Password>,
    /// The checksum that version 3 sends over IPv4.
    pub checksum: ChecksumReading,
    /// What received packets have to fulfil.
    pub accept: Accept,
    /// Unicast peers instead of multicast, at most [`MAX_PEERS`](Self::MAX_PEERS).
    pub peers: Vec<IpAddr>,
    /// What to do with another address list; at first what the version's RFC says,
    /// [`AddressCheck::of`].
    pub address_check: AddressCheck,
    /// Tracked objects, at most [`MAX_TRACKS`](Self::MAX_TRACKS).
    pub tracks: Vec<Track>,
    /// Gratuitous ARP and unsolicited neighbor advertisements.
    pub announce: Announce,
    /// The interface's own MAC address to announce, for an embedder that runs without the virtual
    /// one.
    pub announce_mac: Option<MacAddr>,
    /// Whether a master answers an advertisement of lower priority at once (RFC 9568 §6.4.3),
    /// three times per interval at most.
    pub assert_master: bool,
    /// How many intervals without an advertisement make the master count as down: 3 in both
    /// versions' RFCs, other values by agreement of all routers.
    pub down_intervals: u8,
}

impl Config {
    /// The largest number of unicast peers in [`Config::peers`].
    pub const MAX_PEERS: usize = 64;
    /// The largest number of tracked objects in [`Config::tracks`].
    pub const MAX_TRACKS: usize = 64;

    /// The defaults of RFC 9568 §6.1: priority 100, one second, preemption, no Accept_Mode.
    #[must_use]
    pub fn new(version: Version, vrid: Vrid, addresses: &[IpAddr]) -> Self {
        Self {
            version,
            vrid,
            addresses: addresses.into(),
            priority: Priority::DEFAULT,
            interval: Interval::DEFAULT,
            preempt: true,
            preempt_delay: Duration::ZERO,
            startup_delay: Duration::ZERO,
            learn_interval: false,
            accept_mode: false,
            password: None,
            checksum: ChecksumReading::Message,
            accept: Accept::STANDARD,
            peers: Vec::new(),
            address_check: AddressCheck::of(version),
            tracks: Vec::new(),
            announce: Announce::default(),
            announce_mac: None,
            assert_master: true,
            down_intervals: DOWN_INTERVALS,
        }
    }

    /// The family of the addresses.
    #[must_use]
    pub fn family(&self) -> Family {
        self.addresses
            .first()
            .map_or(Family::V4, |address| Family::of(*address))
    }

    /// The MAC address that is announced for the addresses.
    #[must_use]
    pub fn mac(&self) -> MacAddr {
        self.announce_mac.unwrap_or(self.vrid.mac(self.family()))
    }

    /// Whether a router can run with it.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        let family = self.family();
        if self.addresses.is_empty() || self.addresses.len() > 255 {
            return Err(ConfigError::AddressCount(self.addresses.len()));
        }
        for address in self.addresses.iter().chain(&self.peers) {
            if Family::of(*address) != family {
                return Err(ConfigError::Family(*address));
            }
        }
        if self.version == Version::V2 && family == Family::V6 {
            return Err(ConfigError::Version2WithIpv6);
        }
        if let Some(IpAddr::V6(first)) = self.addresses.first()
            && !first.is_unicast_link_local()
        {
            return Err(ConfigError::NotLinkLocal(IpAddr::V6(*first)));
        }
        if self.priority == Priority::STOP {
            return Err(ConfigError::PriorityZero);
        }
        let centiseconds = self.interval.centiseconds();
        let fits = match self.version {
            Version::V2 => centiseconds.is_multiple_of(100) && centiseconds <= 25_500,
            Version::V3 => centiseconds <= 4095,
        };
        if !fits {
            return Err(ConfigError::Interval {
                version: self.version,
                centiseconds,
            });
        }
        if self.password.is_some() && self.version == Version::V3 {
            return Err(ConfigError::PasswordInVersion3);
        }
        if self.peers.len() > Self::MAX_PEERS {
            return Err(ConfigError::Peers(self.peers.len()));
        }
        if self.tracks.len() > Self::MAX_TRACKS {
            return Err(ConfigError::Tracks(self.tracks.len()));
        }
        let Announce {
            rounds,
            early,
            gap,
            refresh,
        } = self.announce;
        let none = |time: Option<Duration>| time.is_some_and(|time| time.is_zero());
        if rounds > 1 && gap.is_zero() || none(refresh) || none(early) {
            return Err(ConfigError::AnnounceTime);
        }
        if self.down_intervals == 0 {
            return Err(ConfigError::DownIntervals);
        }
        Ok(())
    }
}

/// A configuration no router can run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No addresses, or more than 255.
    #[error("{0} addresses instead of 1 to 255")]
    AddressCount(usize),
    /// An address or peer of another family than the first address.
    #[error("{0} is of another family than the first address")]
    Family(IpAddr),
    /// Version 2 is defined for IPv4 alone.
    #[error("version 2 with IPv6 addresses")]
    Version2WithIpv6,
    /// RFC 9568 §5.2.9: the first IPv6 address is the link-local one.
    #[error("the first IPv6 address, {0}, is not link-local")]
    NotLinkLocal(IpAddr),
    /// Priority 0 is reserved (RFC 9568 §5.2.4).
    #[error("priority 0 is reserved")]
    PriorityZero,
    /// Version 2: 1 to 255 whole seconds. Version 3: 1 to 4095 centiseconds.
    #[error("an interval of {centiseconds} centiseconds is not possible in version {version}")]
    Interval {
        /// The version that the router was to speak.
        version: Version,
        /// The configured interval, in centiseconds.
        centiseconds: u32,
    },
    /// Version 3 has no authentication.
    #[error("version 3 has no password")]
    PasswordInVersion3,
    /// The configuration has too many unicast peers.
    #[error("{0} peers instead of at most 64")]
    Peers(usize),
    /// The configuration has too many tracked objects.
    #[error("{0} tracked objects instead of at most 64")]
    Tracks(usize),
    /// Announcements that would repeat without a pause.
    #[error("announcements repeat after no time")]
    AnnounceTime,
    /// No silent interval to wait for.
    #[error("0 down intervals")]
    DownIntervals,
}

/// A simple-text password (RFC 2338 §5.3.10). It travels in clear and protects against mistakes
/// only; still, it is compared in constant time and not printed.
#[derive(Clone, Copy)]
pub struct Password([u8; 8]);

impl Password {
    /// Makes a password; `None` if the text is longer than eight octets.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut octets = [0; 8];
        octets.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self(octets))
    }

    /// The password as it is on the wire: filled up with zeros.
    #[must_use]
    pub const fn octets(&self) -> &[u8; 8] {
        &self.0
    }

    pub(crate) fn matches(&self, other: &[u8; 8]) -> bool {
        subtle::ConstantTimeEq::ct_eq(&self.0[..], &other[..]).into()
    }
}

impl core::fmt::Debug for Password {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What to do with an advertisement of another address list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressCheck {
    /// Take the advertisement, and say nothing.
    Off,
    /// Take it and warn (RFC 9568 §7.1).
    Warn,
    /// Warn and drop it, unless it comes from the owner of the addresses (RFC 3768 §7.1).
    Drop,
}

impl AddressCheck {
    /// What the version's RFC says of a list that differs.
    #[must_use]
    pub const fn of(version: Version) -> Self {
        match version {
            // RFC 3768 §7.1: "If the packet was not generated by the address owner […], the receiver
            // MUST drop the packet".
            Version::V2 => Self::Drop,
            // RFC 9568 §7.1 (RFC 5798 §7.1): "the receiver SHOULD log […] the event", and says
            // nothing of dropping: two routers that differ would both be Active for good.
            Version::V3 => Self::Warn,
        }
    }
}

/// A tracked object and what its failure does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Track {
    /// The embedder's number of the object.
    pub object: u32,
    /// What happens while it is down.
    pub effect: TrackEffect,
}

/// What a tracked object's failure does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackEffect {
    /// Lowers the priority by this much, to 1 at the lowest. An owner's priority stays 255
    /// (RFC 9568 §5.2.4: it MUST be).
    Decrement(u8),
    /// Takes the router out of the election.
    Fault,
}

/// When a master announces the addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announce {
    /// How often after becoming master, the first at once. 0: never.
    pub rounds: u8,
    /// Time from the first round to an extra one. A router that is being preempted may still hold
    /// the addresses and answer the first round, a gratuitous ARP *request*, with the virtual
    /// router MAC: switches then look for it there.
    pub early: Option<Duration>,
    /// Time from one of the rounds to the next.
    pub gap: Duration,
    /// Time between further rounds for as long as the router is master; none without it.
    pub refresh: Option<Duration>,
}

impl Default for Announce {
    /// Three times, a second apart, and once after 50 ms.
    fn default() -> Self {
        Self {
            rounds: 3,
            early: Some(Duration::from_millis(50)),
            gap: Duration::from_secs(1),
            refresh: None,
        }
    }
}
