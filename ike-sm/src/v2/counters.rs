//! Message IDs and replay counters after a takeover in a cluster (RFC 6311).
//!
//! The member that has taken over asks with Message ID 0, outside of every window; the peer answers
//! with the higher of what both know. Counters only go forward, on both sides and whatever comes: an
//! old message moves nothing.
//!
//! The two counters take an exchange each (§5, cases 1 and 2): a lost answer is asked for again
//! with a higher message ID, and the peer must not skip sequence numbers twice for that.

use core::time::Duration;

use isakmp_wire::BuildError;
use isakmp_wire::v2::{MessageIdSync, NotifyType, Writer};

use super::payloads::Payloads;
use super::protect::Inner;
use crate::config::{PeerConfig, Retransmit};
use crate::context::Context;
use crate::model::DropReason;

/// Message IDs that a synchronisation skips at first; twice as many each time it is repeated: what
/// the peer has seen last is not known (RFC 6311 §5.1).
pub(super) const SKIP: u32 = 16;
/// The most that it skips at once.
pub(super) const MOST_SKIPPED: u32 = SKIP << 8;

/// What is synchronised after a takeover.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) message_ids: bool,
    pub(crate) replay: bool,
}

impl Counters {
    /// What we announce to a peer.
    pub(crate) const fn of(peer: &PeerConfig) -> Self {
        Self {
            message_ids: peer.v2.counter_sync,
            replay: peer.v2.counter_sync,
        }
    }

    /// What both ends have announced in IKE_AUTH.
    pub(crate) fn agreed(peer: &PeerConfig, payloads: &Payloads<'_>) -> Self {
        let ours = Self::of(peer);
        let theirs = |kind| payloads.has(kind);
        Self {
            message_ids: ours.message_ids && theirs(NotifyType::IKEV2_MESSAGE_ID_SYNC_SUPPORTED),
            replay: ours.replay && theirs(NotifyType::IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED),
        }
    }

    pub(crate) fn write(self, w: &mut Writer<'_>) -> Result<(), BuildError> {
        if self.message_ids {
            w.notify(NotifyType::IKEV2_MESSAGE_ID_SYNC_SUPPORTED, &[])?;
        }
        if self.replay {
            w.notify(NotifyType::IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED, &[])?;
        }
        Ok(())
    }
}

/// Sequence numbers that the peer is asked to skip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delta {
    pub(super) count: u64,
    /// RFC 6311 §6.4: eight octets with extended sequence numbers, four without.
    pub(super) esn: bool,
}

impl Delta {
    /// `HDR, SK {N(IPSEC_REPLAY_COUNTER_SYNC)} -->`
    pub(super) fn request(self) -> Result<Inner, DropReason> {
        let octets = self.count.to_be_bytes();
        let octets = if self.esn {
            Some(&octets[..])
        } else {
            octets.get(4..)
        };
        let kind = NotifyType::IPSEC_REPLAY_COUNTER_SYNC;
        Inner::build(|w| w.notify(kind, octets.unwrap_or_default()).map(|_| ()))
            .map_err(|_| DropReason::Limit("message size"))
    }
}

/// A synchronisation of ours that waits for its answer.
#[derive(Debug)]
pub(crate) struct Syncing {
    /// What was asked last.
    pub(super) asked: MessageIdSync,
    pub(super) patience: Retransmit,
    /// How often it was repeated.
    pub(super) repeated: u8,
    pub(super) due: Duration,
}

impl Syncing {
    pub(super) const fn due(&self) -> Duration {
        self.due
    }

    pub(super) fn wait(&self, ctx: &mut Context<'_>) -> Duration {
        let random = u32::from_be_bytes(ctx.random());
        let wait = self.patience.wait(self.repeated, random);
        wait.unwrap_or_else(|| self.patience.last_wait(random))
    }
}
