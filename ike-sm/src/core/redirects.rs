//! How often redirects are followed (RFC 5685 §7).

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

/// MAX_REDIRECTS (RFC 5685 §7).
const MOST: usize = 5;

/// REDIRECT_LOOP_DETECT_PERIOD.
const PERIOD: Duration = Duration::from_secs(300);

/// When redirects were followed, by the peer's place in the configuration.
#[derive(Debug, Default)]
pub(crate) struct Redirects(BTreeMap<usize, VecDeque<Duration>>);

impl Redirects {
    /// Whether one more may be followed.
    pub(crate) fn allows(&self, peer: usize, now: Duration) -> bool {
        let recent = |at: &&Duration| now.saturating_sub(**at) < PERIOD;
        let followed = self.0.get(&peer);
        followed.is_none_or(|times| times.iter().filter(recent).count() < MOST)
    }

    /// One is followed.
    pub(crate) fn followed(&mut self, peer: usize, now: Duration) {
        let times = self.0.entry(peer).or_default();
        if times.len() >= MOST {
            times.pop_front();
        }
        times.push_back(now);
    }
}
