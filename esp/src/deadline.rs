//! When an SA or a path wants to be looked at again.

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
    /// The SA reaches its soft time limit: replace it.
    SoftLifetime,
    /// The SA reaches its hard time limit: it refuses packets from then on.
    HardLifetime,
    /// What was learned of a path is old, and a larger MTU is tried.
    PathMtuAgeing,
    /// Probes of a path are sent, once more, or given up.
    PathMtuProbes,
}
