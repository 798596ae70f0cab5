//! Skew_Time and Master_Down_Interval (RFC 3768 §6.1, RFC 9568 §6.1).

use core::time::Duration;

use crate::{Interval, Priority, Version};

/// How many silent intervals the protocol waits (RFC 9568 §6.1).
pub const DOWN_INTERVALS: u8 = 3;

/// Skew_Time: the lower the priority, the longer a backup waits.
///
/// Version 2: (256 − Priority) / 256 seconds, whatever the interval. Version 3: ((256 − Priority) ×
/// interval) / 256 in whole centiseconds.
#[must_use]
pub const fn skew_time(
    version: Version,
    priority: Priority,
    master_interval: Interval,
) -> Duration {
    let rank = 256u64.saturating_sub(priority.0 as u64);
    match version {
        Version::V2 => Duration::from_nanos(rank.saturating_mul(1_000_000_000 / 256)),
        Version::V3 => {
            let product = rank.saturating_mul(master_interval.centiseconds() as u64);
            Duration::from_millis((product / 256).saturating_mul(10))
        }
    }
}

/// Master_Down_Interval (Active_Down_Interval): `down_intervals` × the master's interval +
/// Skew_Time. The protocol's `down_intervals` is [`DOWN_INTERVALS`].
#[must_use]
pub const fn master_down_interval(
    version: Version,
    priority: Priority,
    master_interval: Interval,
    down_intervals: u8,
) -> Duration {
    let centiseconds = master_interval.centiseconds() as u64;
    let silent = centiseconds
        .saturating_mul(10)
        .saturating_mul(down_intervals as u64);
    Duration::from_millis(silent).saturating_add(skew_time(version, priority, master_interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3768_s6_1_priority_150_at_one_second() {
        let skew = skew_time(Version::V2, Priority(150), Interval::DEFAULT);
        assert_eq!(skew, Duration::from_nanos(414_062_500));
        let down = master_down_interval(Version::V2, Priority(150), Interval::DEFAULT, 3);
        assert_eq!(down, Duration::from_nanos(3_414_062_500));
    }

    #[test]
    fn rfc3768_s6_1_skew_does_not_depend_on_the_interval() {
        let ten = Interval::from_seconds(10).unwrap();
        assert_eq!(
            skew_time(Version::V2, Priority(1), ten),
            skew_time(Version::V2, Priority(1), Interval::DEFAULT)
        );
    }

    #[test]
    fn rfc9568_s6_1_priority_200_at_100_centiseconds() {
        let skew = skew_time(Version::V3, Priority(200), Interval::DEFAULT);
        assert_eq!(skew, Duration::from_millis(210));
        let down = master_down_interval(Version::V3, Priority(200), Interval::DEFAULT, 3);
        assert_eq!(down, Duration::from_millis(3210));
    }

    #[test]
    fn rfc9568_s6_1_the_extremes() {
        let longest = Interval::from_centiseconds(4095).unwrap();
        assert_eq!(
            skew_time(Version::V3, Priority(0), longest),
            Duration::from_millis(40_950)
        );
        let shortest = Interval::from_centiseconds(1).unwrap();
        assert_eq!(
            skew_time(Version::V3, Priority(1), shortest),
            Duration::ZERO
        );
        assert_eq!(
            master_down_interval(Version::V3, Priority(1), shortest, 3),
            Duration::from_millis(30)
        );
    }
}
