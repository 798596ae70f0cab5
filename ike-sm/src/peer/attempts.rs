//! What the endpoint wants of its configured peers: which children, at which address, when to try
//! again.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crypto_suite::GroupId;

use crate::config::PeerConfig;
use crate::core::timers::{Deadline, DeadlineReason, deadline};
use crate::model::{CloseReason, IkeId};

/// The first wait before a peer is tried again that did not answer, or has refused what was asked.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// A child that has stood for so long is a success: what ended it does not count with what failed
/// before.
const LASTING: Duration = Duration::from_secs(60);
/// The longest wait before a peer is asked again that was only busy (RFC 7296 §2.25).
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// How long the end that has started an SA of IKEv1 may take to ask for its children, before we ask for
/// ours: about a round trip on a bad line.
const COURTESY: Duration = Duration::from_millis(500);

/// Whether, and how soon, what was wanted is wanted again after an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Not before somebody asks for it: our own side has ended it, or something else stands for it.
    Never,
    /// At once: nothing speaks against it.
    AtOnce,
    /// After a wait that grows: the same would happen again.
    Later,
}

/// What each end means to what a peer with [`keep_up`](PeerConfig::keep_up) is wanted for. It is the
/// same for both versions of IKE, for either role, and for an IKE SA and a child: whoever has started
/// what has ended, we want it.
pub(crate) const fn again(reason: CloseReason) -> Again {
    match reason {
        // The operator's word, the configured idle time; another SA in its place, here or at the
        // gateway that the peer has sent us to; a negotiation of the peer's that was never ours.
        CloseReason::Requested
        | CloseReason::Idle
        | CloseReason::Replaced
        | CloseReason::Redirected
        | CloseReason::Evicted => Again::Never,
        // The peer's orderly end or restart, old age, silence: whoever answers now may agree.
        CloseReason::DeletedByPeer
        | CloseReason::PeerRestarted
        | CloseReason::PeerDead
        | CloseReason::Expired
        | CloseReason::ParentClosed => Again::AtOnce,
        CloseReason::Timeout
        | CloseReason::RefusedUnproven(_)
        | CloseReason::NoPsk
        | CloseReason::SelectorsChanged
        | CloseReason::Refused
        | CloseReason::RefusedByPeer(_)
        | CloseReason::AuthenticationFailed
        | CloseReason::Crypto => Again::Later,
    }
}

/// The wait after so many failures in a row: it doubles, up to a ceiling, and `random` (uniform over
/// all `u32`) takes up to a quarter of it away, so that many peers do not come back at one moment.
fn growing(failures: u32, random: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(6);
    let wait = FIRST_WAIT.saturating_mul(1u32.checked_shl(doublings).unwrap_or(64));
    shortened(wait.min(LONGEST_WAIT), random)
}

/// Less a random part of up to a quarter.
fn shortened(wait: Duration, random: u32) -> Duration {
    let quarter = wait.checked_div(4).unwrap_or_default();
    let millis = u64::try_from(quarter.as_millis()).unwrap_or(u64::MAX);
    let part = u128::from(millis).saturating_mul(u128::from(random)) >> 32;
    wait.saturating_sub(Duration::from_millis(u64::try_from(part).unwrap_or(0)))
}

/// What we want of one configured peer.
#[derive(Debug, Default)]
pub(crate) struct PeerState {
    /// How it goes with each child, by its place in the configuration.
    children: BTreeMap<usize, Pursuit>,
    /// The negotiation of ours that is under way.
    pub(crate) attempt: Option<IkeId>,
    /// Our address since we have moved.
    pub(crate) local: Option<IpAddr>,
    /// Which of the configured addresses is tried.
    address: usize,
    /// Addresses tried in vain since one last answered.
    failures: u32,
    /// IKE SAs that the peer has refused, or not proved itself for, since one last came up.
    refusals: u32,
    /// When an IKE SA is tried again.
    retry_at: Option<Duration>,
    /// The peer has refused the last one: not even a packet that waits tries before that.
    refused: bool,
    /// Until when the peer may ask first.
    ask_at: Option<Duration>,
}

/// How it goes with one child.
#[derive(Debug, Default)]
struct Pursuit {
    wanted: bool,
    /// Refusals, and ends soon after it had come up, since it last stood for long.
    failures: u32,
    /// It is not asked for before.
    not_before: Option<Duration>,
    /// The group that the peer has last used for it.
    group: Option<GroupId>,
}

impl PeerState {
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let waits = self.children.values().filter(|c| c.wanted);
        let waits = waits.filter_map(|c| c.not_before);
        let first = waits.chain(self.retry_at).chain(self.ask_at).min();
        deadline(first, DeadlineReason::Reconnect)
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
        self.refusals = 0;
        self.tries_at_once();
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

    /// Tries again later, and later still the more often no address has answered. Gives when.
    pub(crate) fn wait(&mut self, now: Duration, addresses: usize, random: u32) -> Duration {
        let addresses = u32::try_from(addresses.max(1)).unwrap_or(u32::MAX);
        let rounds = self.failures.checked_div(addresses).unwrap_or(0);
        self.try_at(now.saturating_add(growing(rounds, random)), false)
    }

    /// The peer has refused an IKE SA, or has not proved who it is: the next attempt is later each
    /// time. Gives when.
    pub(crate) fn refused(&mut self, now: Duration, random: u32) -> Duration {
        self.refusals = self.refusals.saturating_add(1);
        let wait = growing(self.refusals, random);
        self.try_at(now.saturating_add(wait), true)
    }

    fn try_at(&mut self, at: Duration, refused: bool) -> Duration {
        self.retry_at = Some(at);
        self.refused = refused;
        at
    }

    /// No wait stands against an IKE SA any more.
    pub(crate) const fn tries_at_once(&mut self) {
        self.retry_at = None;
        self.refused = false;
    }

    /// Whether an IKE SA is not to be tried yet, however much it is asked for; or until what is
    /// wanted comes up by itself.
    pub(crate) fn holds_back(&self, now: Duration, asked: bool) -> bool {
        (self.refused || !asked) && self.retry_at.is_some_and(|at| at > now)
    }

    /// Lets the peer ask first.
    pub(crate) fn let_ask(&mut self, now: Duration) {
        self.ask_at = Some(now.saturating_add(COURTESY));
    }

    /// Whether the peer may still ask first.
    pub(crate) fn lets_ask(&self, now: Duration) -> bool {
        self.ask_at.is_some_and(|at| at > now)
    }

    /// Ends the waits that are over; whether there was one.
    pub(crate) fn due(&mut self, now: Duration) -> bool {
        let over = |at: &mut Duration| *at <= now;
        let mut due = self.ask_at.take_if(over).is_some();
        if self.retry_at.take_if(over).is_some() {
            self.refused = false;
            due = true;
        }
        for child in self.children.values_mut() {
            due |= child.not_before.take_if(over).is_some() && child.wanted;
        }
        due
    }

    /// Wants a child. True when it was not wanted before.
    pub(crate) fn want(&mut self, config: usize) -> bool {
        let child = self.children.entry(config).or_default();
        !core::mem::replace(&mut child.wanted, true)
    }

    /// The operator wants a child: no wait stands against it, nor against the IKE SA.
    pub(crate) fn want_at_once(&mut self, config: usize) {
        self.want(config);
        if let Some(child) = self.children.get_mut(&config) {
            child.not_before = None;
        }
        self.tries_at_once();
    }

    /// Does not want a child any more, because it stands or because nobody asks for it.
    pub(crate) fn unwant(&mut self, config: usize) {
        if let Some(child) = self.children.get_mut(&config) {
            child.wanted = false;
        }
    }

    /// Whether a child is wanted.
    pub(crate) fn wants(&self, config: usize) -> bool {
        self.children.get(&config).is_some_and(|c| c.wanted)
    }

    /// Whether any child is wanted.
    pub(crate) fn wants_any(&self) -> bool {
        self.children.values().any(|c| c.wanted)
    }

    /// Whether a child must wait before it is asked for.
    pub(crate) fn must_wait(&self, config: usize, now: Duration) -> bool {
        let not_before = self.children.get(&config).and_then(|c| c.not_before);
        not_before.is_some_and(|at| at > now)
    }

    /// The children that are wanted and need not wait.
    pub(crate) fn due_children(&self, now: Duration) -> Vec<usize> {
        let due = |c: &Pursuit| c.wanted && c.not_before.is_none_or(|at| at <= now);
        let children = self.children.iter().filter(|(_, c)| due(c));
        children.map(|(config, _)| *config).collect()
    }

    /// The child that comes up with a new IKE SA: the first that need not wait, or the first.
    pub(crate) fn first_wanted(&self, now: Duration) -> Option<usize> {
        let due = self.due_children(now).first().copied();
        let mut wanted = self.children.iter().filter(|(_, c)| c.wanted);
        due.or_else(|| wanted.next().map(|(config, _)| *config))
    }

    /// A child came to nothing: it is not asked for again before a wait that grows. Gives its end.
    pub(crate) fn child_refused(&mut self, config: usize, now: Duration, random: u32) -> Duration {
        let child = self.children.entry(config).or_default();
        child.failures = child.failures.saturating_add(1);
        let at = now.saturating_add(growing(child.failures, random));
        child.not_before = Some(at);
        at
    }

    /// The peer was only busy: a child is asked for again soon.
    pub(crate) fn child_busy(&mut self, config: usize, now: Duration, random: u32) {
        let child = self.children.entry(config).or_default();
        child.not_before = Some(now.saturating_add(shortened(BUSY_WAIT, random)));
    }

    /// A child that stood for `lasted` is wanted again: at once after a long life or a first short
    /// one, else after a wait that grows. Gives the end of the wait, if there is one.
    pub(crate) fn child_lost(
        &mut self,
        config: usize,
        lasted: Duration,
        now: Duration,
        random: u32,
    ) -> Option<Duration> {
        let child = self.children.entry(config).or_default();
        child.wanted = true;
        if lasted >= LASTING {
            child.failures = 0;
            child.not_before = None;
            return None;
        }
        let wait = (child.failures > 0).then(|| growing(child.failures, random));
        child.failures = child.failures.saturating_add(1);
        child.not_before = wait.map(|wait| now.saturating_add(wait));
        child.not_before
    }

    /// A child carries packets, with this group of its own.
    pub(crate) fn child_up(&mut self, config: usize, group: Option<GroupId>, rekeyed: bool) {
        let child = self.children.entry(config).or_default();
        child.wanted = false;
        child.not_before = None;
        // IKE_AUTH has none whatever the peer wants (RFC 7296 §1.2).
        if group.is_some() || rekeyed {
            child.group = group;
        }
    }

    /// The group that the peer has last used for a child.
    pub(crate) fn group_of(&self, config: usize) -> Option<GroupId> {
        self.children.get(&config).and_then(|c| c.group)
    }

    /// Whether something is wanted that nothing is on its way to.
    pub(crate) fn is_stuck(&self, comes: impl Fn(usize) -> bool) -> bool {
        let waits = self.attempt.is_some() || self.retry_at.is_some() || self.ask_at.is_some();
        let mut due = self.children.iter();
        !waits && due.any(|(config, c)| c.wanted && c.not_before.is_none() && !comes(*config))
    }

    /// Wants no child any more.
    pub(crate) fn unwant_all(&mut self) {
        for child in self.children.values_mut() {
            child.wanted = false;
        }
        self.ask_at = None;
        self.tries_at_once();
    }

    /// Wants nothing any more, and knows of no failure.
    pub(crate) fn give_up(&mut self) {
        self.children.clear();
        self.ask_at = None;
        self.answered();
        self.attempt = None;
    }
}

#[cfg(test)]
mod tests;
