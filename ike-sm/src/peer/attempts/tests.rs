use core::time::Duration;

use super::PeerState;
use crate::config::PeerConfig;

fn three_addresses() -> PeerConfig {
    let mut peer = PeerConfig::new("hub");
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        peer.addresses.push(address.parse().unwrap());
    }
    peer
}

#[test]
fn each_address_is_tried_once_before_there_is_a_wait() {
    let config = three_addresses();
    let mut state = PeerState::default();
    assert_eq!(state.address(&config), Some("192.0.2.1".parse().unwrap()));
    assert_eq!(state.failed(&config), Some("192.0.2.2".parse().unwrap()));
    assert_eq!(state.failed(&config), Some("192.0.2.3".parse().unwrap()));
    assert_eq!(state.failed(&config), None);
    assert_eq!(
        state.address(&config),
        Some("192.0.2.1".parse().unwrap()),
        "round again"
    );
    state.answered();
    assert_eq!(state.failed(&config), Some("192.0.2.2".parse().unwrap()));
}

const GROWTH: [u64; 8] = [5, 10, 20, 40, 80, 160, 300, 300];

#[test]
fn waits_double_and_stay_below_their_bound() {
    let config = three_addresses();
    let mut state = PeerState::default();
    let mut waits = alloc::vec::Vec::new();
    for _ in 0..8 {
        for _ in 0..3 {
            state.failed(&config);
        }
        let at = state.wait(Duration::ZERO, 3, 0);
        assert_eq!(state.deadline().unwrap().at, at);
        waits.push(at.as_secs());
        assert!(!state.due(at.saturating_sub(Duration::from_millis(1))));
        assert!(state.due(at) && !state.due(at));
    }
    assert_eq!(waits, GROWTH);
}

#[test]
fn l5_refusals_wait_longer_each_time_until_there_is_a_success() {
    let now = Duration::from_secs(100);
    let mut state = PeerState::default();
    for round in 0..2 {
        for wait in GROWTH {
            let at = state.refused(now, 0);
            assert_eq!((at - now).as_secs(), wait, "{round}");
            assert!(state.holds_back(now, true) && !state.holds_back(at, true));
            assert!(state.due(at) && !state.holds_back(now, true));
        }
        state.answered();
    }
}

#[test]
fn l5_up_to_a_quarter_of_a_wait_is_drawn() {
    let wait = |random| {
        let mut state = PeerState::default();
        state.want(0);
        state.child_refused(0, Duration::ZERO, random)
    };
    assert_eq!(wait(0), Duration::from_secs(5));
    assert!(wait(u32::MAX) < Duration::from_millis(3760));
    assert!(wait(u32::MAX) >= Duration::from_millis(3750));
}

#[test]
fn l5_a_child_that_was_refused_waits_and_the_operator_does_not() {
    let mut state = PeerState::default();
    assert!(state.want(1) && !state.want(1));
    let at = state.child_refused(1, Duration::ZERO, 0);
    assert!(state.must_wait(1, Duration::ZERO) && state.due_children(Duration::ZERO).is_empty());
    assert_eq!(state.first_wanted(Duration::ZERO), Some(1));
    assert_eq!(state.deadline().unwrap().at, at);
    state.want_at_once(1);
    assert_eq!(state.due_children(Duration::ZERO), [1]);
    assert_eq!(state.deadline(), None);
}

#[test]
fn l5_a_child_that_nobody_wants_has_no_deadline_and_keeps_its_pace() {
    let mut state = PeerState::default();
    state.child_refused(0, Duration::ZERO, 0);
    assert_eq!(state.deadline(), None);
    // A packet asks: not before the wait is over.
    state.want(0);
    assert_eq!(state.deadline().unwrap().at, Duration::from_secs(5));
    assert!(state.must_wait(0, Duration::ZERO));
}

#[test]
fn l1_what_comes_up_and_goes_at_once_is_not_asked_for_without_pause() {
    let (short, long) = (Duration::from_secs(1), Duration::from_secs(600));
    let mut state = PeerState::default();
    let mut lost = |lasted| state.child_lost(0, lasted, Duration::ZERO, 0);
    assert_eq!(lost(short), None, "at once, for the first time");
    assert_eq!(lost(short), Some(Duration::from_secs(5)));
    assert_eq!(lost(short), Some(Duration::from_secs(10)));
    assert_eq!(lost(long), None);
    assert_eq!(lost(short), None);
}
