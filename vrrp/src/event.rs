//! What goes into a virtual router and what comes out of it.

use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;

use crate::config::Password;
use crate::{
    Announcement, AuthType, ChecksumReading, EncodeError, Interval, Message, ParseError, Priority,
    Received, Version, Vrid,
};

/// What happens to a virtual router.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The interface is up and the router shall run. Given again with another address, the source
    /// of its packets changes.
    Startup {
        /// The interface's primary IPv4 or its link-local IPv6 address.
        address: IpAddr,
    },
    /// The router shall stop; a master says so (priority 0).
    Shutdown,
    /// The interface is gone: the router stops and sends nothing.
    InterfaceDown,
    /// A packet of IP protocol 112 arrived on the interface.
    Received(Received<'a>),
    /// The time of [`next_deadline`](crate::Router::next_deadline) is reached.
    Deadline,
    /// A tracked object went up or down.
    Track {
        /// The embedder's number of the object.
        object: u32,
        /// Whether the object is up.
        up: bool,
    },
    /// The configured priority changes to this, 1 to 254; the owner's does not change.
    SetPriority(Priority),
}

/// What the embedder has to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Send this advertisement on the interface.
    Send(Transmit),
    /// Answer for the addresses: ARP and neighbor solicitations, solicited-node groups, the
    /// virtual MAC address.
    AddAddresses(Addresses),
    /// Stop to answer for the addresses: another router is master, or none.
    RemoveAddresses(Addresses),
    /// Send a gratuitous ARP or unsolicited neighbor advertisement.
    Announce(Announcement),
    /// The router went from one state to another.
    StateChanged {
        /// The state before.
        from: State,
        /// The state from now on.
        to: State,
        /// What led to the change.
        reason: Reason,
    },
    /// Log that a router is configured wrongly, or a packet forged; every ten seconds at most.
    Warn(Warning),
}

/// The addresses of a virtual router, and how to hold them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The addresses of the virtual router, the primary one first.
    pub addresses: Arc<[IpAddr]>,
    /// Whether packets to them are accepted (owner, or Accept_Mode). Neighbor solicitations and
    /// advertisements always are (RFC 9568 §6.1).
    pub accept: bool,
    /// Whether the interface has them anyway: the owner's.
    pub owned: bool,
}

/// An advertisement to send, without buffers: write it with one of the methods.
#[derive(Clone, PartialEq, Eq)]
pub struct Transmit {
    pub(crate) version: Version,
    pub(crate) vrid: Vrid,
    pub(crate) priority: Priority,
    pub(crate) interval: Interval,
    pub(crate) password: Option<[u8; 8]>,
    pub(crate) addresses: Arc<[IpAddr]>,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) reading: ChecksumReading,
}

impl Transmit {
    /// The fields, ready to be written as message, packet or frame.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        Message {
            version: self.version,
            vrid: self.vrid,
            priority: self.priority,
            interval: self.interval,
            password: self.password.as_ref(),
            addresses: &self.addresses,
            source: self.source,
            destination: self.destination,
            reading: self.reading,
        }
    }

    /// The priority that the advertisement carries.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// The destination of the packet: the group, or a unicast peer.
    #[must_use]
    pub const fn destination(&self) -> IpAddr {
        self.destination
    }

    /// Writes the IP packet and returns its length, see [`Message::write_packet`].
    ///
    /// # Errors
    /// [`EncodeError`], above all an output that is too short.
    pub fn write_packet(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        self.message().write_packet(out)
    }
}

impl core::fmt::Debug for Transmit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            version,
            vrid,
            priority,
            source,
            destination,
            ..
        } = self;
        write!(
            f,
            "v{version} vrid {vrid} priority {priority} {source} -> {destination}"
        )
    }
}

/// State of a virtual router (RFC 9568 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The router does not run, or a tracked object keeps it out.
    Initialize,
    /// The router watches the master, ready to take over.
    Backup,
    /// Forwarding for the addresses; Active in the words of RFC 9568.
    Master,
}

impl State {
    /// `Init`, `Backup` or `Master`, as `show vrrp` says.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initialize => "Init",
            Self::Backup => "Backup",
            Self::Master => "Master",
        }
    }

    /// `Initialize`, `Backup` or `Active` (RFC 9568 §6.4).
    #[must_use]
    pub const fn rfc9568_name(self) -> &'static str {
        match self {
            Self::Initialize => "Initialize",
            Self::Backup => "Backup",
            Self::Master => "Active",
        }
    }
}

/// What led to a change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The router was started as a backup.
    Startup,
    /// Startup as the owner of the addresses.
    Owner,
    /// The embedder has stopped the router.
    Shutdown,
    /// The embedder reports that the interface went down.
    InterfaceDown,
    /// The master was silent for Master_Down_Interval.
    MasterDown,
    /// The master has said that it stops, with priority 0.
    MasterStopped,
    /// The preempt delay is over and the master's priority is lower.
    Preempt,
    /// A master of higher priority, or of the same with a higher address.
    BetterMaster {
        /// The address of the new master.
        address: IpAddr,
        /// The priority of the new master.
        priority: Priority,
    },
    /// A tracked object went down and takes the router out.
    TrackFault {
        /// The embedder's number of the object.
        object: u32,
    },
    /// All tracked objects that kept the router out are up again.
    TrackRecovered,
    /// Another member of the sync group changed.
    SyncGroup,
}

/// A fault of the configuration, here or in another router, or a forged packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Version 3: the master's interval is not ours (RFC 9568 §7.1).
    IntervalDiffers {
        /// The interval that the advertisement says.
        found: Interval,
    },
    /// The address list differs from the configured one (RFC 9568 §7.1).
    AddressesDiffer,
    /// A second owner of the addresses (RFC 9568 §8.3.2).
    SecondOwner {
        /// The source of the advertisement.
        address: IpAddr,
    },
    /// Another router has the same priority (RFC 9568 §8.3.2).
    SamePriority {
        /// The source of the advertisement.
        address: IpAddr,
    },
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// The event was taken in.
    Handled,
    /// The event was refused: nothing changed but a counter.
    Dropped(DropReason),
}

/// Why an event changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// The packet is not a valid advertisement.
    #[error(transparent)]
    Packet(#[from] ParseError),
    /// The protocol version is not the configured one.
    #[error("version {0}, another one is configured")]
    VersionMismatch(Version),
    /// No such virtual router on this interface.
    #[error("VRID {0} is not configured here")]
    UnknownVrid(Vrid),
    /// The address family is not the virtual router's.
    #[error("another address family")]
    Family,
    /// The authentication type is not the configured one (RFC 2338 §5.3.6).
    #[error("authentication type {0}, another one is configured")]
    AuthTypeMismatch(AuthType),
    /// The password is not the configured one (RFC 2338 §5.3.10).
    #[error("wrong password")]
    Password,
    /// Version 2: another interval than configured (RFC 3768 §7.1).
    #[error("interval of {0:?}, another one is configured")]
    IntervalMismatch(Interval),
    /// The address list differs from the configured one (RFC 3768 §7.1).
    #[error("another address list")]
    AddressList,
    /// Sent to the group where unicast peers are configured, or the other way round.
    #[error("sent to {0}")]
    Destination(IpAddr),
    /// The source is not one of the configured unicast peers.
    #[error("{0} is no configured peer")]
    UnknownPeer(IpAddr),
    /// The source is our own address: the network has brought our packet back.
    #[error("own packet")]
    OwnPacket,
    /// The owner of the addresses takes no advertisements (RFC 9568 §7.1).
    #[error("this router owns the addresses")]
    WeAreOwner,
    /// The router is in state Initialize.
    #[error("not running")]
    NotRunning,
    /// A deadline event before its time.
    #[error("not due yet")]
    NotDue,
    /// The event says what is known.
    #[error("no change")]
    NoChange,
    /// An object that is not tracked.
    #[error("object {0} is not tracked")]
    UnknownObject(u32),
    /// Priority 0, or a change from or to the owner's.
    #[error("priority {0} cannot be set")]
    InvalidPriority(Priority),
    /// An address of another family than the virtual router's.
    #[error("{0} cannot be the source of this router")]
    InvalidSource(IpAddr),
}

impl DropReason {
    /// The counter's name, in the words of RFC 6527 and RFC 2787 where they have one.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Packet(error) => match error {
                ParseError::Ttl(_) => "ip ttl errors",
                ParseError::Version(_) | ParseError::Version2OverIpv6 => "version errors",
                ParseError::PacketType(_) => "invalid type",
                ParseError::VridZero => "vrid errors",
                ParseError::NoAddresses => "address list errors",
                ParseError::IntervalZero => "advertisement interval errors",
                ParseError::AuthType(_) => "invalid authentication type",
                ParseError::Truncated { .. } | ParseError::Length { .. } => "packet length errors",
                ParseError::Checksum { .. } => "checksum errors",
                ParseError::AuthenticationHeader => "authentication header",
                _ => "ip errors",
            },
            Self::VersionMismatch(_) => "version errors",
            Self::UnknownVrid(_) => "vrid errors",
            Self::Family => "address family errors",
            Self::AuthTypeMismatch(_) => "authentication type mismatch",
            Self::Password => "authentication failures",
            Self::IntervalMismatch(_) => "advertisement interval errors",
            Self::AddressList => "address list errors",
            Self::Destination(_) => "destination errors",
            Self::UnknownPeer(_) => "unknown peer",
            Self::OwnPacket => "own packets",
            Self::WeAreOwner => "received as owner",
            Self::NotRunning => "received while not running",
            Self::NotDue => "not due",
            Self::NoChange => "no change",
            Self::UnknownObject(_) => "unknown object",
            Self::InvalidPriority(_) => "invalid priority",
            Self::InvalidSource(_) => "invalid source",
        }
    }
}

/// Something to do at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// The time, on the caller's clock.
    pub at: Duration,
    /// What is due then.
    pub why: DeadlineReason,
}

/// What is due at a [`Deadline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DeadlineReason {
    /// The start-up delay is over, and the router begins.
    StartupDelay,
    /// Adver_Timer: the master sends its next advertisement (RFC 9568 §6.2).
    Advertise,
    /// Master_Down_Timer: the master counts as down (Active_Down_Timer in RFC 9568 §6.2).
    MasterDown,
    /// The preempt delay is over, and the router takes over from a lesser master.
    Preempt,
    /// The addresses are to be announced again.
    Announce,
}

/// As [`Password::octets`], for a field that is compared and copied.
pub(crate) fn password_octets(password: Option<&Password>) -> Option<[u8; 8]> {
    password.map(|password| *password.octets())
}
