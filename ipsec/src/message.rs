//! What the two machines tell each other.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use ike_sm::{
    ChildId, ChildLifetime, ChildSa, CloseReason, Command, Event, IpsecProtocol, PacketEnd, Path,
    Traffic,
};

use crate::config::Policy;

/// What control has decided, for a data plane: [`DataPlane::update`](crate::DataPlane::update).
///
/// Updates of one pair of IPsec SAs reach its data plane in the order in which they were made.
/// [`Update::child`] tells whose an update is. That of [`Control::policies`](crate::Control::policies)
/// is for all data planes, and no other has no pair. An update with keys is there once, so there is no
/// `Clone`.
///
/// A pair and the one that it replaces belong into the same data plane: choose by
/// [`ChildSa::peer`] and [`ChildSa::name`] of [`Update::Install`], not by its id.
#[derive(Debug)]
#[non_exhaustive]
pub enum Update {
    /// These are the policies from now on, in the order in which they are read.
    Policies(Vec<Policy>),
    /// Packets come in on this pair from now on.
    Install {
        /// The pair, its keys and its selectors.
        sa: Box<ChildSa>,
        /// The peer may install its half only after our last message: when the pair is activated, the
        /// first packet leaves [`DataConfig::settle`](crate::DataConfig::settle) later.
        settle: bool,
    },
    /// Packets leave through this pair.
    Activate {
        /// Which pair.
        child: ChildId,
        /// The pair to stop sending through; packets still come in on it.
        replaces: Option<ChildId>,
    },
    /// Packets leave through this pair no more; they still come in on it.
    StopSending(ChildId),
    /// An outer address or port has changed.
    Path(ChildId, Path),
    /// The pair has other limits.
    Lifetime(ChildId, ChildLifetime),
    /// So many outbound sequence numbers are left out (RFC 6311 §5.2).
    SkipSequence(ChildId, u64),
    /// A child will not come up for now: the packets that wait for it are dropped.
    Forget {
        /// The peer's name in the configuration.
        peer: String,
        /// The child's name in the configuration.
        child: String,
    },
    /// The pair is deleted, and its keys are forgotten.
    Remove {
        /// Which pair.
        child: ChildId,
        /// Why. One whose place another has taken still takes packets in for
        /// [`DataConfig::linger`](crate::DataConfig::linger): steer them there until then.
        reason: CloseReason,
    },
}

impl Update {
    /// The pair of IPsec SAs that the update is about.
    #[must_use]
    pub fn child(&self) -> Option<ChildId> {
        match self {
            Self::Policies(_) | Self::Forget { .. } => None,
            Self::Install { sa, .. } => Some(sa.id),
            Self::Activate { child, .. } | Self::Remove { child, .. } => Some(*child),
            Self::StopSending(child)
            | Self::Path(child, _)
            | Self::Lifetime(child, _)
            | Self::SkipSequence(child, _) => Some(*child),
        }
    }
}

/// What a data plane has seen, for control: [`Control::notice`](crate::Control::notice).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// This passed through a pair since the last notice of it.
    Traffic(ChildId, Traffic),
    /// A packet matched a policy and found no pair.
    Acquire {
        /// Its source.
        source: PacketEnd,
        /// Its destination.
        destination: PacketEnd,
        /// Its upper-layer protocol.
        protocol: u8,
    },
    /// The newest packet of a pair came from another address or port than the pair's path: the
    /// peer's NAT has made a new mapping.
    Moved(ChildId, SocketAddr),
    /// A packet came in with an SPI that no pair has.
    UnknownSpi {
        /// Where it came from.
        remote: IpAddr,
        /// ESP or AH.
        protocol: IpsecProtocol,
        /// Its SPI.
        spi: u32,
    },
    /// An eighth of a pair's outbound sequence numbers is left: it wants a successor.
    SequenceLow(ChildId),
    /// A pair could not be installed; nothing will pass through it.
    NotInstalled(ChildId),
}

impl From<Notice> for Event<'static> {
    /// What control makes of a notice.
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Traffic(child, traffic) => Self::Traffic(child, traffic),
            Notice::Moved(child, to) => Self::Moved(child, to),
            Notice::Acquire {
                source,
                destination,
                protocol,
            } => Self::Command(Command::Acquire {
                source,
                destination,
                protocol,
            }),
            Notice::UnknownSpi {
                remote,
                protocol,
                spi,
            } => Self::UnknownSpi {
                remote,
                protocol,
                spi,
            },
            // RFC 4303 §3.3.3: "the sender MUST NOT send a packet on an SA if doing so would cause
            // the sequence number to cycle": there is another pair before that.
            Notice::SequenceLow(child) => Self::Command(Command::RekeyChild(child)),
            Notice::NotInstalled(child) => Self::Command(Command::DeleteChild(child)),
        }
    }
}

/// When a machine wants to be called next, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The time, on the caller's clock.
    pub at: Duration,
    /// What stands behind it.
    pub why: DeadlineReason,
}

/// Why a deadline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DeadlineReason {
    /// IKE waits for this.
    Ike(ike_sm::DeadlineReason),
    /// Packets leave through a fresh pair, or a deleted one takes packets in no more.
    Pair,
    /// Control is told what passed.
    Traffic,
    /// A packet has waited too long for its pair.
    Hold,
    /// A learnt path MTU is too old, or a probe is due.
    PathMtu,
}
