//! When to send the one-octet NAT-keepalive (RFC 3948 §4).

use core::time::Duration;

use crate::{Deadline, DeadlineReason};

/// RFC 3948 §4: M, the silence after which a keepalive is due.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(20);
/// RFC 3948 §4: N, how long keepalives may go on after the last SA went.
pub const DEFAULT_LINGER: Duration = Duration::from_secs(5 * 60);
/// Shortest interval that [`Keepalive`] keeps; less is raised to this.
pub const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The keepalive timer of one path (one pair of UDP endpoints).
///
/// Idle until [`start`](Self::start): only the side behind a NAT sends (RFC 3947 §3.2), and not
/// before the move to port 4500 (RFC 3947 §4). Anything sent on the path postpones it.
///
/// ```
/// use core::time::Duration;
/// use nat_t::Keepalive;
///
/// let at = Duration::from_secs;
/// let mut timer = Keepalive::new(at(20));
/// timer.start(at(100));
/// timer.outbound(at(115)); // an ESP packet left
/// assert_eq!(timer.next_deadline().unwrap().at, at(135));
/// assert!(!timer.handle(at(120)));
/// assert!(timer.handle(at(135))); // send nat_t::KEEPALIVE now
/// assert_eq!(timer.next_deadline().unwrap().at, at(155));
/// ```
#[derive(Clone, Debug)]
pub struct Keepalive {
    interval: Duration,
    linger: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Running {
        last_sent: Duration,
    },
    Lingering {
        last_sent: Duration,
        until: Duration,
    },
}

impl Keepalive {
    /// A stopped timer that sends after `interval` of silence (at least [`MIN_INTERVAL`]) and
    /// lingers for [`DEFAULT_LINGER`].
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self::with_linger(interval, DEFAULT_LINGER)
    }

    /// A stopped timer that goes on for `linger` after the last SA went; with zero, it stops with
    /// the last SA.
    #[must_use]
    pub fn with_linger(interval: Duration, linger: Duration) -> Self {
        Self {
            interval: interval.max(MIN_INTERVAL),
            linger,
            state: State::Idle,
        }
    }

    /// Lets the timer run: this side is behind a NAT, has moved to port 4500 and has an SA.
    pub fn start(&mut self, now: Duration) {
        self.state = match self.state {
            State::Idle => State::Running { last_sent: now },
            State::Running { last_sent } | State::Lingering { last_sent, .. } => {
                State::Running { last_sent }
            }
        };
    }

    /// Stops the timer: this side is not behind a NAT any more, or the path is gone.
    pub fn stop(&mut self) {
        self.state = State::Idle;
    }

    /// The last SA with the peer went: go on for the linger time, then stop.
    pub fn last_sa_gone(&mut self, now: Duration) {
        if let State::Running { last_sent } = self.state {
            let until = now.saturating_add(self.linger);
            self.state = if self.linger.is_zero() {
                State::Idle
            } else {
                State::Lingering { last_sent, until }
            };
        }
    }

    /// Something (IKE or ESP) was sent to the peer at `now`.
    pub fn outbound(&mut self, now: Duration) {
        if let State::Running { last_sent } | State::Lingering { last_sent, .. } = &mut self.state {
            *last_sent = (*last_sent).max(now);
        }
    }

    /// Whether a keepalive is to be sent at `now`; if so, the timer counts it as sent. Sending is the
    /// only action there is, and the owner of the timer knows the path: it is told, not queued.
    #[must_use]
    pub fn handle(&mut self, now: Duration) -> bool {
        if let State::Lingering { until, .. } = self.state
            && now >= until
        {
            self.state = State::Idle;
            return false;
        }
        let (State::Running { last_sent } | State::Lingering { last_sent, .. }) = &mut self.state
        else {
            return false;
        };
        let due = now >= last_sent.saturating_add(self.interval);
        if due {
            *last_sent = now;
        }
        due
    }

    /// When [`handle`](Self::handle) next has something to do, and what.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        let keepalive = |last_sent: Duration| Deadline {
            at: last_sent.saturating_add(self.interval),
            why: DeadlineReason::Keepalive,
        };
        match self.state {
            State::Idle => None,
            State::Running { last_sent } => Some(keepalive(last_sent)),
            State::Lingering { last_sent, until } => {
                let end = Deadline {
                    at: until,
                    why: DeadlineReason::LingerEnd,
                };
                // Where both fall on one moment, the end: nothing is sent then.
                Some(keepalive(last_sent))
                    .filter(|next| next.at < until)
                    .or(Some(end))
            }
        }
    }

    /// Whether keepalives are sent, or were and linger.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state != State::Idle
    }
}

#[cfg(test)]
mod tests;
