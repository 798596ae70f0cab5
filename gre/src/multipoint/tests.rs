use proptest::prelude::*;
use std::vec::Vec;

use super::*;

fn tunnel(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn nbma(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn static_entries_stay_and_win() {
    let mut table = NextHops::new(4);
    table
        .learn(tunnel(1), nbma(9), seconds(10), seconds(0))
        .unwrap();
    table.add_static(tunnel(1), nbma(1)).unwrap();
    assert_eq!(table.next_deadline(), None, "the learned entry is gone");
    let refused = table.learn(tunnel(1), nbma(9), seconds(10), seconds(0));
    assert_eq!(refused, Err(TableError::Configured(tunnel(1))));
    assert_eq!(table.lookup(tunnel(1)), Lookup::Found(nbma(1)));
    assert!(table.knows_nbma(nbma(1)) && !table.knows_nbma(nbma(9)));
}

#[test]
fn unknown_addresses_go_by_way_of_the_server() {
    let mut table = NextHops::new(4);
    assert_eq!(table.lookup(tunnel(7)), Lookup::Unknown);
    table.set_next_hop_server(Some(tunnel(1)));
    assert_eq!(
        table.lookup(tunnel(7)),
        Lookup::Unknown,
        "the server itself is unknown"
    );
    table.add_static(tunnel(1), nbma(1)).unwrap();
    assert_eq!(table.lookup(tunnel(7)), Lookup::Unresolved { via: nbma(1) });
    table
        .learn(tunnel(7), nbma(7), seconds(600), seconds(0))
        .unwrap();
    assert_eq!(table.lookup(tunnel(7)), Lookup::Found(nbma(7)));
}

fn held_until(at: Duration) -> Deadline {
    let why = DeadlineReason::HoldingTime;
    Deadline { at, why }
}

/// Tunnel and NBMA addresses of what the table forgets at `now`.
fn forgotten(table: &mut NextHops, now: Duration) -> Vec<(IpAddr, IpAddr)> {
    let mut actions = Actions::new();
    table.handle(now, &mut actions);
    let pairs = actions
        .drain()
        .map(|Action::Forgotten { tunnel, entry }| (tunnel, entry.nbma));
    pairs.collect()
}

#[test]
fn learned_entries_are_forgotten_at_their_time_and_renewed_before() {
    let mut table = NextHops::new(4);
    table
        .learn(tunnel(2), nbma(2), seconds(10), seconds(0))
        .unwrap();
    table
        .learn(tunnel(3), nbma(3), seconds(20), seconds(0))
        .unwrap();
    table
        .learn(tunnel(2), nbma(4), seconds(30), seconds(5))
        .unwrap();
    assert_eq!(table.next_deadline(), Some(held_until(seconds(20))));
    assert_eq!(forgotten(&mut table, seconds(19)), []);
    assert_eq!(
        forgotten(&mut table, seconds(40)),
        [(tunnel(3), nbma(3)), (tunnel(2), nbma(4))]
    );
    assert_eq!(forgotten(&mut table, seconds(40)), []);
    assert_eq!(table.next_deadline(), None);
}

#[test]
fn multicast_is_copied_to_each_once() {
    let mut table = NextHops::new(2);
    for last in [3, 1, 3] {
        table.add_multicast(nbma(last)).unwrap();
    }
    assert!(table.multicast().eq([nbma(1), nbma(3)]));
    assert_eq!(table.add_multicast(nbma(5)), Err(TableError::Full(2)));
    assert!(table.remove_multicast(nbma(1)) && !table.remove_multicast(nbma(1)));
}

proptest! {
    #[test]
    fn the_bound_holds_and_deadlines_match_the_entries(
        steps in prop::collection::vec((0u8..4, 0u8..12, 1u64..30), 0..100),
    ) {
        let mut table = NextHops::new(5);
        let mut now = Duration::ZERO;
        for (what, last, time) in steps {
            match what {
                0 => drop(table.add_static(tunnel(last), nbma(last))),
                1 => drop(table.learn(tunnel(last), nbma(last), seconds(time), now)),
                2 => drop(table.remove(tunnel(last))),
                _ => {
                    now = now.saturating_add(seconds(time));
                    forgotten(&mut table, now);
                    prop_assert!(table.next_deadline().is_none_or(|deadline| deadline.at > now));
                }
            }
            prop_assert!(table.entries().count() <= 5);
            let soonest = table.entries().filter_map(|(_, entry)| match entry.origin {
                Origin::Learned { until } => Some(until),
                Origin::Static => None,
            });
            prop_assert_eq!(table.next_deadline(), soonest.min().map(held_until));
        }
    }
}
