use alloc::vec::Vec;
use core::time::Duration;

use super::{Deadline, DeadlineReason, TimerQueue, earliest};

fn at(seconds: u64, why: DeadlineReason) -> Option<Deadline> {
    Some(Deadline {
        at: Duration::from_secs(seconds),
        why,
    })
}

#[test]
fn the_queue_gives_the_earliest_and_forgets_what_was_replaced() {
    let mut queue = TimerQueue::default();
    queue.set('a', at(5, DeadlineReason::Retransmit));
    queue.set('b', at(3, DeadlineReason::Dpd));
    assert_eq!(queue.first(), at(3, DeadlineReason::Dpd));
    queue.set('b', at(9, DeadlineReason::IkeExpiry));
    assert_eq!(queue.first(), at(5, DeadlineReason::Retransmit));
    queue.set('a', None);
    assert_eq!(queue.first(), at(9, DeadlineReason::IkeExpiry));
    queue.set('b', None);
    assert_eq!(queue.first(), None);
}

#[test]
fn due_objects_come_in_order_of_time_and_the_future_stays() {
    let mut queue = TimerQueue::default();
    for (key, seconds) in [('a', 5), ('b', 3), ('c', 7), ('d', 5)] {
        queue.set(key, at(seconds, DeadlineReason::Retransmit));
    }
    let due: Vec<char> = queue.due(Duration::from_secs(5)).collect();
    assert_eq!(due, ['b', 'a', 'd']);
}

#[test]
fn earliest_prefers_the_sooner_and_tolerates_missing_ones() {
    let soon = at(1, DeadlineReason::Dpd);
    let late = at(2, DeadlineReason::Retransmit);
    assert_eq!(earliest(soon, late), soon);
    assert_eq!(earliest(late, soon), soon);
    assert_eq!(earliest(None, late), late);
    assert_eq!(earliest(late, None), late);
    assert_eq!(earliest(None, None), None);
}
