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

#[test]
fn waits_double_and_stay_below_their_bound() {
    let config = three_addresses();
    let mut state = PeerState::default();
    let mut waits = alloc::vec::Vec::new();
    for _ in 0..8 {
        for _ in 0..3 {
            state.failed(&config);
        }
        state.wait(Duration::ZERO, 3);
        let at = state.deadline().unwrap().at;
        waits.push(at.as_secs());
        assert!(!state.due(at.saturating_sub(Duration::from_millis(1))));
        assert!(state.due(at) && !state.due(at));
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
}
