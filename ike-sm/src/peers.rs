//! What the endpoint wants of its configured peers: which children, at which address, when to try
//! again.

use alloc::collections::BTreeSet;
use core::net::IpAddr;
use core::time::Duration;

use crate::config::PeerConfig;
use crate::id::IkeId;
use crate::timer::{Deadline, DeadlineReason, deadline};

/// The first wait before a peer that did not answer is tried again.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// How long the end that has started an SA of IKEv1 may take to ask for its children, before we ask for
/// ours: about a round trip on a bad line.
const COURTESY: Duration = Duration::from_millis(500);

/// What we want of one configured peer.
#[derive(Debug, Default)]
pub(crate) struct PeerState {
    /// Children to bring up, by their place in the configuration.
    pub(crate) wanted: BTreeSet<usize>,
    /// The negotiation of ours that is under way.
    pub(crate) attempt: Option<IkeId>,
    /// Our address since we have moved.
    pub(crate) local: Option<IpAddr>,
    /// Which of the configured addresses is tried.
    address: usize,
    /// Addresses tried in vain since one last answered.
    failures: u32,
    retry_at: Option<Duration>,
}

impl PeerState {
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        deadline(self.retry_at, DeadlineReason::Reconnect)
    }

    /// The address to try now.
    pub(crate) fn address(&self, config: &PeerConfig) -> Option<IpAddr> {
        config
            .addresses
            .get(self.address)
            .or_else(|| config.addresses.first())
            .copied()
    }

    /// The peer answered: the next failure starts from here, without a wait.
    pub(crate) fn answered(&mut self) {
        self.failures = 0;
        self.retry_at = None;
    }

    /// The address in use did not answer. Gives the one to try next, if there is another that has
    /// not been tried since one last answered.
    pub(crate) fn failed(&mut self, config: &PeerConfig) -> Option<IpAddr> {
        let count = config.addresses.len();
        self.address = self.address.wrapping_add(1).checked_rem(count).unwrap_or(0);
        self.failures = self.failures.saturating_add(1);
        let untried = usize::try_from(self.failures).is_ok_and(|failures| failures < count);
        untried.then(|| self.address(config)).flatten()
    }

    /// Tries again later, and later still the more often it failed.
    pub(crate) fn wait(&mut self, now: Duration, addresses: usize) {
        let rounds = usize::try_from(self.failures)
            .unwrap_or(usize::MAX)
            .checked_div(addresses.max(1))
            .unwrap_or(0);
        let doublings = u32::try_from(rounds.saturating_sub(1))
            .unwrap_or(u32::MAX)
            .min(6);
        let wait = FIRST_WAIT.saturating_mul(1u32.checked_shl(doublings).unwrap_or(64));
        self.retry_at = Some(now.saturating_add(wait.min(LONGEST_WAIT)));
    }

    /// Lets the peer ask first.
    pub(crate) fn let_ask(&mut self, now: Duration) {
        self.retry_at = Some(now.saturating_add(COURTESY));
    }

    /// Whether the wait is over; it then is no more.
    pub(crate) fn due(&mut self, now: Duration) -> bool {
        let due = self.retry_at.is_some_and(|at| at <= now);
        if due {
            self.retry_at = None;
        }
        due
    }

    /// Wants nothing any more.
    pub(crate) fn give_up(&mut self) {
        self.wanted.clear();
        self.retry_at = None;
        self.attempt = None;
    }
}

#[cfg(test)]
mod tests;
