use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use super::{HalfOpen, network};
use crate::config::EndpointLimits;
use crate::model::IkeId;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn limits() -> EndpointLimits {
    EndpointLimits {
        half_open: 8,
        half_open_per_address: 2,
        half_open_per_prefix: 4,
        half_open_proved_per_address: 3,
        half_open_proved_per_prefix: 5,
        aggressive_per_second: 8,
        aggressive_per_second_per_prefix: 3,
        ..EndpointLimits::default()
    }
}

/// One negotiation after another from these addresses, without bounds.
fn opened(list: &[(&str, bool)]) -> HalfOpen {
    let mut half_open = HalfOpen::default();
    for (n, (from, proved)) in (1u64..).zip(list) {
        let remote = SocketAddr::new(address(from), 500);
        half_open.insert(IkeId(n), n.to_be_bytes(), remote, *proved);
    }
    assert!(half_open.is_consistent());
    half_open
}

#[test]
fn x7_networks_are_of_24_and_56_bits() {
    for (text, expected) in [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:0:1234:5:6:7:8", "2001:db8:0:1200::/56"),
    ] {
        assert_eq!(network(address(text)).to_string(), expected);
    }
}

#[test]
fn x7_the_oldest_of_the_fullest_network_makes_room() {
    let mut half_open = opened(&[
        ("192.0.2.1", true),
        ("198.51.100.1", true),
        ("198.51.100.2", true),
        ("203.0.113.1", true),
        ("198.51.100.3", true),
        ("203.0.113.2", true),
        ("203.0.113.3", true),
    ]);
    assert_eq!(half_open.full(&limits()), None);
    let remote = SocketAddr::new(address("192.0.2.2"), 500);
    half_open.insert(IkeId(8), [8; 8], remote, true);
    // Two networks have three each: that of the oldest negotiation goes first.
    for gone in [2u32, 4, 1, 3] {
        assert_eq!(half_open.full(&limits()), Some(IkeId(gone.into())));
        half_open.remove(IkeId(gone.into()));
        assert!(half_open.is_consistent());
        let remote = SocketAddr::new(Ipv4Addr::from(0x0a00_0000 + (gone << 8)).into(), 500);
        half_open.insert(IkeId(u64::from(gone) + 100), [9; 8], remote, true);
    }
}

#[test]
fn x7_those_that_are_proved_and_those_that_are_not_keep_half_of_the_room_each() {
    let false_addresses = ["1.0.0.1", "1.0.1.1", "1.0.2.1", "1.0.3.1", "1.0.4.1"];
    let mut list: Vec<_> = [
        ("192.0.2.1", true),
        ("192.0.2.2", true),
        ("192.0.2.3", true),
    ]
    .into();
    list.extend(false_addresses.map(|from| (from, false)));
    // Five of eight are not proved: they make room for each other.
    assert_eq!(opened(&list).full(&limits()), Some(IkeId(4)));
    for (_, proved) in list.iter_mut().skip(4) {
        *proved = true;
    }
    // One alone is not, and keeps its place.
    assert_eq!(opened(&list).full(&limits()), Some(IkeId(1)));
}

#[test]
fn x7_an_address_and_its_network_make_room_for_their_own() {
    for (proved, most, of_network) in [(false, 2, 4), (true, 3, 5)] {
        let mut list = alloc::vec![("192.0.2.1", proved); most];
        let here = address("192.0.2.1");
        let crowded = |list: &[(&str, bool)], from| {
            let half_open = opened(list);
            half_open.crowded(from, proved, &limits())
        };
        assert_eq!(crowded(&list[1..], here), None);
        assert_eq!(crowded(&list, here), Some(IkeId(1)));
        // What the others have is not counted.
        list.extend([("203.0.113.1", !proved), ("203.0.113.1", proved)]);
        assert_eq!(crowded(&list, address("203.0.113.9")), None);
        let neighbour = address("192.0.2.9");
        assert_eq!(crowded(&list, neighbour), None);
        list.resize(list.len() + of_network - most, ("192.0.2.7", proved));
        assert_eq!(crowded(&list, neighbour), Some(IkeId(1)));
    }
}

#[test]
fn x7_whoever_is_proved_counts_among_its_equals() {
    let mut half_open = opened(&[("192.0.2.1", false), ("192.0.2.1", false)]);
    let here = address("192.0.2.1");
    assert_eq!(half_open.unproved(IkeId(1)), Some(here));
    half_open.proved(IkeId(1));
    half_open.proved(IkeId(1));
    assert!(half_open.is_consistent());
    assert_eq!(half_open.unproved(IkeId(1)), None);
    assert_eq!(half_open.crowded(here, false, &limits()), None);
    half_open.authenticated(IkeId(1));
    half_open.remove(IkeId(2));
    assert!(half_open.is_consistent() && half_open.ranks_are_empty());
}

#[test]
fn x7b_aggressive_modes_of_a_second_are_bounded_fair_and_refunded() {
    let mut half_open = HalfOpen::default();
    let second = Duration::from_secs(1);
    let affords = |half_open: &HalfOpen, from: &str, known, now| {
        half_open.affords_aggressive(address(from), known, now, &limits())
    };
    for n in 0..3 {
        assert!(affords(&half_open, "192.0.2.1", false, second));
        half_open.insert_aggressive(IkeId(n), address("192.0.2.1"), second);
    }
    assert!(!affords(&half_open, "192.0.2.200", true, second));
    for n in 3..6 {
        assert!(affords(&half_open, "198.51.100.1", false, second));
        half_open.insert_aggressive(IkeId(n), address("198.51.100.1"), second);
    }
    // Six of eight are spent: the rest is for those that are known.
    assert!(!affords(&half_open, "203.0.113.1", false, second));
    assert!(affords(&half_open, "203.0.113.1", true, second));
    // Whoever gets authenticated has cost nothing for nothing.
    half_open.authenticated(IkeId(0));
    assert!(affords(&half_open, "203.0.113.1", false, second));
    let soon = second + Duration::from_millis(999);
    half_open.insert_aggressive(IkeId(9), address("203.0.113.1"), soon);
    assert!(!affords(&half_open, "198.51.100.2", false, soon));
    assert!(affords(&half_open, "198.51.100.2", false, second * 2));
}
