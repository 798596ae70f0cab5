//! When a table or timer wants to be called again.

use core::time::Duration;

/// The time at which something is due, and the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// The time, on the caller's clock.
    pub at: Duration,
    /// What is due then.
    pub why: DeadlineReason,
}

/// What is due at a [`Deadline`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DeadlineReason {
    /// Nothing was sent on the path for the interval: a keepalive is due.
    Keepalive,
    /// The linger time after the last SA is over: the keepalives end.
    LingerEnd,
    /// A translation that no packet has used for the idle time is removed.
    IdleTranslation,
    /// An ESP translation that nothing has answered stops to block other inside hosts.
    UnansweredTranslation,
}
