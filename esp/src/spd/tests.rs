use super::*;
use crate::{AddressRange, TrafficSelector};

fn network(text: &str, prefix: u8) -> TrafficSelector {
    TrafficSelector::all(AddressRange::network(text.parse().unwrap(), prefix).unwrap())
}

fn flow() -> Flow {
    Flow::new(
        [10, 0, 68, 5].into(),
        [10, 1, 1, 10].into(),
        17,
        &[0, 7, 0, 9],
    )
}

fn all() -> SelectorSet {
    SelectorSet::new([network("0.0.0.0", 0)], [network("0.0.0.0", 0)])
}

#[test]
fn the_first_policy_by_priority_then_age_decides() {
    let mut spd = Spd::new(10);
    let narrow = SelectorSet::new([network("10.0.68.0", 24)], [network("10.1.1.0", 24)]);
    spd.insert(20, all(), PolicyAction::Bypass).unwrap();
    spd.insert(10, narrow.clone(), PolicyAction::Protect(1))
        .unwrap();
    spd.insert(10, narrow, PolicyAction::Protect(2)).unwrap();
    assert_eq!(spd.outbound(&flow()), PolicyAction::Protect(&1));
    let other = Flow {
        destination: [8, 8, 8, 8].into(),
        ..flow()
    };
    assert_eq!(spd.outbound(&other), PolicyAction::Bypass);
    let hits: alloc::vec::Vec<u64> = spd.iter().map(|(_, policy)| policy.hits).collect();
    assert_eq!(hits, [1, 0, 1]);
}

#[test]
fn rfc4301_s5_1_what_matches_nothing_is_discarded() {
    let mut spd = Spd::<u8>::new(10);
    assert_eq!(spd.outbound(&flow()), PolicyAction::Discard);
    let narrow = SelectorSet::new([network("10.0.68.0", 24)], [network("10.1.1.0", 24)]);
    spd.insert(1, narrow, PolicyAction::Bypass).unwrap();
    assert_eq!(spd.outbound(&flow()), PolicyAction::Bypass);
    assert_eq!(spd.inbound(&flow()), PolicyAction::Discard);
    let back = Flow {
        source: flow().destination,
        destination: flow().source,
        ..flow()
    };
    assert_eq!(spd.inbound(&back), PolicyAction::Bypass);
}

#[test]
fn a_rekeyed_policy_keeps_its_place() {
    let mut spd = Spd::new(10);
    let first = spd.insert(5, all(), PolicyAction::Protect("old")).unwrap();
    let second = spd.insert(5, all(), PolicyAction::Discard).unwrap();
    assert_eq!(
        spd.replace(first, PolicyAction::Protect("new")),
        Some(PolicyAction::Protect("old"))
    );
    assert_eq!(spd.outbound(&flow()), PolicyAction::Protect(&"new"));
    assert!(spd.remove(first).is_some());
    assert!(spd.remove(first).is_none());
    assert_eq!(spd.replace(first, PolicyAction::Bypass), None);
    assert_eq!(spd.outbound(&flow()), PolicyAction::Discard);
    assert!(spd.remove(second).is_some());
}

#[test]
fn both_tables_are_bounded() {
    let mut spd = Spd::<u8>::new(3);
    let inserted = (0..10)
        .filter(|_| spd.insert(1, all(), PolicyAction::Bypass).is_ok())
        .count();
    assert_eq!((inserted, spd.iter().count()), (3, 3));
    let mut sad = Sad::new(3);
    for value in 300..310u32 {
        let _ = sad.insert(Spi::new(value).unwrap(), value);
    }
    assert_eq!(sad.len(), 3);
    let spi = Spi::new(300).unwrap();
    assert_eq!(sad.insert(spi, 1), Err(TableError::Duplicate));
    assert_eq!(
        sad.insert(Spi::new(400).unwrap(), 1),
        Err(TableError::Full(3))
    );
    assert_eq!(sad.lookup(300), Some(&mut 300));
    assert_eq!(sad.lookup(0), None);
    assert_eq!(sad.remove(spi), Some(300));
    assert!(sad.lookup(300).is_none() && !sad.is_empty());
}
