//! When a machine wants to be called again.

use core::time::Duration;

/// The time at which a machine is due, and the reason.
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
    /// The next keepalive is sent, or the line protocol goes down.
    Keepalive,
    /// The holding time of a learned next hop is over.
    HoldingTime,
}
