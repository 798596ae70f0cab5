#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use proptest::prelude::*;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn due(at: Duration) -> Deadline {
    let why = DeadlineReason::Keepalive;
    Deadline { at, why }
}

#[test]
fn a_timer_that_was_not_started_never_fires() {
    let mut timer = Keepalive::new(DEFAULT_INTERVAL);
    timer.outbound(at(5));
    assert_eq!(timer.next_deadline(), None);
    assert!(!timer.handle(at(1_000)));
}

#[test]
fn rfc3948_s4_silence_of_m_seconds_sends_one() {
    let mut timer = Keepalive::new(DEFAULT_INTERVAL);
    timer.start(at(0));
    assert!(!timer.handle(at(19)));
    assert!(timer.handle(at(20)));
    assert!(!timer.handle(at(20)));
    assert_eq!(timer.next_deadline(), Some(due(at(40))));
}

#[test]
fn outbound_traffic_postpones_and_a_second_start_does_not() {
    let mut timer = Keepalive::new(at(60));
    timer.start(at(0));
    timer.outbound(at(50));
    assert!(!timer.handle(at(60)));
    timer.start(at(70));
    assert_eq!(timer.next_deadline(), Some(due(at(110))));
    timer.outbound(at(40)); // a clock that went back postpones nothing and advances nothing
    assert_eq!(timer.next_deadline(), Some(due(at(110))));
}

#[test]
fn rfc3948_s4_keepalives_end_n_minutes_after_the_last_sa() {
    let mut timer = Keepalive::new(at(20));
    timer.start(at(0));
    timer.last_sa_gone(at(10));
    let mut sent = 0;
    let mut last = None;
    while let Some(deadline) = timer.next_deadline() {
        last = Some(deadline);
        sent += u32::from(timer.handle(deadline.at));
    }
    assert_eq!(sent, 15); // at 20, 40, … 300; the end of the linger is at 310
    let end = Deadline {
        at: at(310),
        why: DeadlineReason::LingerEnd,
    };
    assert_eq!(last, Some(end));
    assert!(!timer.is_running());
}

#[test]
fn a_suspend_of_eight_hours_sends_one_keepalive_not_many() {
    let mut timer = Keepalive::new(at(20));
    timer.start(at(0));
    assert!(timer.handle(at(8 * 3600)));
    assert!(!timer.handle(at(8 * 3600)));
}

proptest! {
    /// Progress: after its deadline was handled, the next one is later.
    #[test]
    fn deadlines_progress(
        interval in 0u64..100,
        steps in prop::collection::vec((0u8..5, 0u64..50), 1..60),
    ) {
        let mut timer = Keepalive::new(at(interval));
        let mut now = Duration::ZERO;
        for (step, later) in steps {
            now += at(later);
            match step {
                0 => timer.start(now),
                1 => timer.stop(),
                2 => timer.outbound(now),
                3 => timer.last_sa_gone(now),
                _ => {}
            }
            let _ = timer.handle(now);
            prop_assert!(timer.next_deadline().is_none_or(|deadline| deadline.at > now));
        }
    }
}
