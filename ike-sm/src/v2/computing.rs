//! Exchanges of ours for which the embedder computes: the key pair before the request, the shared secret
//! after the response.
//!
//! What is to begin stays first among those that wait, and an exchange whose response is here stays among
//! those under way: whatever depends on them sees them as before.

use core::time::Duration;

use crypto_suite::GroupId;

use super::protect::Inner;
use crate::event::job::KeyExchangeDone;
use crate::model::Ticket;

/// So many responses of one IKE SA may wait before no further exchange of ours begins under it. Those
/// that are out by then may join them: as many as the window of the peer is wide.
pub(super) const MAX_COMPUTING: usize = 4;

/// A response whose shared secret the embedder computes.
#[derive(Debug)]
pub(super) struct Computing {
    /// The message ID of the exchange.
    pub(super) id: u32,
    pub(super) inner: Inner,
    pub(super) ticket: Ticket,
    /// When it is too late for the answer.
    pub(super) until: Duration,
}

/// The key pair of the exchange that is to begin next.
#[derive(Debug, Default)]
pub(super) struct NextPair {
    /// Asked for, until this time.
    pub(super) drawing: Option<(GroupId, Ticket, Duration)>,
    /// There, or refused.
    pub(super) drawn: Option<(GroupId, Option<KeyExchangeDone>)>,
}

impl NextPair {
    /// Nothing begins: no key pair is kept.
    pub(super) fn forget(&mut self) {
        self.drawn = None;
    }
}
