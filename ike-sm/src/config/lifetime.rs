//! How long an SA lives: limits in time and volume, and the margins at which it is replaced.

use core::time::Duration;

/// Hard limits of an SA: whichever is reached first ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Longest life. Whole seconds are what the wire can carry.
    pub time: Duration,
    /// Most traffic in one direction, in kilobytes (1024 bytes); `None` sets no limit.
    pub kilobytes: Option<u64>,
}

impl Lifetime {
    /// One day: the usual life of an ISAKMP SA.
    pub const PHASE1: Self = Self {
        time: Duration::from_secs(86_400),
        kilobytes: None,
    };

    /// One hour or 4608000 kB: the usual life of a child SA.
    pub const PHASE2: Self = Self {
        time: Duration::from_secs(3_600),
        kilobytes: Some(4_608_000),
    };

    /// RFC 2407 §4.5: what an offer means that names no lifetime.
    pub const UNSPECIFIED: Self = Self {
        time: Duration::from_secs(28_800),
        kilobytes: None,
    };

    /// A limit in seconds only.
    pub const fn seconds(seconds: u64) -> Self {
        Self {
            time: Duration::from_secs(seconds),
            kilobytes: None,
        }
    }

    /// Time and volume, each the smaller of the two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        let kilobytes = match (self.kilobytes, other.kilobytes) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            time: self.time.min(other.time),
            kilobytes,
        }
    }
}

/// How long before its end an SA is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RekeyMargin {
    /// Time between the start of the replacement and the end of the old SA. Never more than a
    /// quarter of the lifetime is used, so that short lifetimes do not rekey without pause.
    pub time: Duration,
    /// Share of the volume limit that is left when the replacement starts, in percent, at most 25.
    pub volume_percent: u8,
    /// A random part of the lifetime, up to this many percent (at most 25), by which the
    /// replacement starts still earlier: it keeps two ends, and many SAs, from acting at once.
    pub jitter_percent: u8,
}

impl Default for RekeyMargin {
    /// Nine minutes, 10 % of the volume, 10 % of jitter.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(540),
            volume_percent: 10,
            jitter_percent: 10,
        }
    }
}

/// When to replace and when to remove one SA, relative to its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Start the replacement after this time.
    pub soft: Duration,
    /// Remove the SA after this time.
    pub hard: Duration,
    /// Start the replacement after this many bytes in one direction.
    pub soft_bytes: Option<u64>,
    /// Remove the SA after this many bytes in one direction.
    pub hard_bytes: Option<u64>,
}

impl RekeyMargin {
    /// The schedule of an SA. `random` is uniform over all `u32` values.
    ///
    /// The end that answered the negotiation takes half of the margin and of the jitter, so that
    /// normally the one that started it also replaces it. `soft` is never before half of `hard`.
    pub fn schedule(&self, lifetime: Lifetime, initiator: bool, random: u32) -> Schedule {
        let side: u32 = if initiator { 1 } else { 2 };
        let hard = lifetime.time;
        let quarter = hard.checked_div(4).unwrap_or_default();
        let margin = self.time.min(quarter);
        let jitter_percent = u32::from(self.jitter_percent.min(25));
        let jitter = scale(
            u64::try_from(hard.as_millis()).unwrap_or(u64::MAX),
            jitter_percent,
            random,
        );
        let early = margin.saturating_add(Duration::from_millis(jitter));
        let soft = hard.saturating_sub(early.checked_div(side).unwrap_or(early));

        let hard_bytes = lifetime.kilobytes.map(|kb| kb.saturating_mul(1024));
        let soft_bytes = hard_bytes.map(|bytes| {
            let margin = scale(bytes, u32::from(self.volume_percent.min(25)), u32::MAX);
            let jitter = scale(bytes, jitter_percent, random);
            let early = margin.saturating_add(jitter).checked_div(u64::from(side));
            bytes.saturating_sub(early.unwrap_or(0))
        });
        Schedule {
            soft,
            hard,
            soft_bytes,
            hard_bytes,
        }
    }
}

/// `whole * percent / 100 * random / 2^32`, without overflow.
fn scale(whole: u64, percent: u32, random: u32) -> u64 {
    let share = u128::from(whole)
        .saturating_mul(u128::from(percent))
        .checked_div(100)
        .unwrap_or(0);
    let part = share.saturating_mul(u128::from(random)) >> 32;
    u64::try_from(part).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_limit_wins_for_time_and_volume_apart() {
        let offered = Lifetime {
            time: Duration::from_secs(86_400),
            kilobytes: Some(1000),
        };
        let ours = Lifetime {
            time: Duration::from_secs(3_600),
            kilobytes: Some(4_608_000),
        };
        let both = Lifetime {
            time: Duration::from_secs(3_600),
            kilobytes: Some(1000),
        };
        assert_eq!(offered.min(ours), both);
        assert_eq!(Lifetime::seconds(5).min(both).kilobytes, Some(1000));
    }

    #[test]
    fn short_lifetimes_do_not_rekey_without_pause() {
        for random in [0, u32::MAX / 3, u32::MAX] {
            for seconds in [1u64, 2, 60, 300, 3600, 86_400] {
                for initiator in [true, false] {
                    let s = RekeyMargin::default().schedule(
                        Lifetime::seconds(seconds),
                        initiator,
                        random,
                    );
                    assert!(s.soft < s.hard || s.hard.is_zero(), "{s:?}");
                    assert!(s.soft >= s.hard / 2, "{s:?}");
                }
            }
        }
    }

    #[test]
    fn the_initiator_goes_first_and_jitter_moves_both_limits() {
        let margin = RekeyMargin::default();
        let life = Lifetime::PHASE2;
        let first = margin.schedule(life, true, 0);
        assert_eq!(first.soft, Duration::from_secs(3600 - 540));
        assert_eq!(first.hard_bytes, Some(4_608_000 * 1024));
        assert!(first.soft < margin.schedule(life, false, 0).soft);
        let jittered = margin.schedule(life, true, u32::MAX);
        assert!(jittered.soft < first.soft && jittered.soft_bytes < first.soft_bytes);
        assert!(jittered.soft_bytes.unwrap() >= 4_608_000 * 1024 / 2);
    }
}
