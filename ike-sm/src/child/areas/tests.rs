#![allow(clippy::arithmetic_side_effects)]

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::model::ChildId;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_smallest_prefix_holds_a_range() {
    for (first, last, net, len) in [
        ("10.0.0.0", "10.0.0.255", "10.0.0.0", 24),
        ("10.0.0.255", "10.0.1.0", "10.0.0.0", 23),
        ("10.0.0.7", "10.0.0.7", "10.0.0.7", 32),
        ("0.0.0.0", "255.255.255.255", "0.0.0.0", 0),
        ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::", 0),
        ("fd00::1", "fd00::1", "fd00::1", 128),
    ] {
        let found = enclosing(&Selector::range(ip(first), ip(last)).unwrap());
        let wanted = enclosing(&Selector::subnet(ip(net), len).unwrap());
        assert_eq!((found, found.2), (wanted, len), "{first}-{last}");
    }
}

fn selectors() -> impl Strategy<Value = Selectors> {
    // Few addresses, so that many meet.
    let one = (any::<bool>(), 0_u8..32, 0_u8..32).prop_map(|(v4, a, b)| {
        let (first, last) = (a.min(b), a.max(b));
        let address = |n: u8| match v4 {
            true => IpAddr::from([10, 0, n / 16, (n % 16) * 16]),
            false => IpAddr::from([0xfd00, 0, 0, u16::from(n), 0, 0, 0, 0]),
        };
        Selector::range(address(first), address(last)).unwrap()
    });
    proptest::collection::vec(one, 1..4).prop_map(|all| Selectors::new(all).unwrap())
}

proptest! {
    #[test]
    fn x2_the_index_misses_nothing_that_overlaps(
        sides in proptest::collection::vec(selectors(), 1..24),
        gone in proptest::collection::vec(any::<bool>(), 24),
        wanted in selectors(),
    ) {
        let mut nets = Nets::default();
        let ids = || (1_u64..).map(ChildId);
        for (side, id) in sides.iter().zip(ids()) {
            nets.insert(side, id);
        }
        let kept: Vec<_> = sides.iter().zip(ids()).zip(&gone).collect();
        for ((side, id), gone) in &kept {
            if **gone {
                nets.remove(side, *id);
            }
        }
        let near: BTreeSet<ChildId> = nets.near(&wanted).collect();
        for ((side, id), gone) in kept {
            let meets = side.iter().any(|s| wanted.iter().any(|w| s.intersect(w).is_some()));
            prop_assert!(!meets || *gone || near.contains(&id), "{side} {wanted}");
            prop_assert!(!gone || !near.contains(&id));
        }
    }
}

#[test]
fn x2_what_is_far_away_is_not_looked_at() {
    let mut nets = Nets::default();
    for n in 0..100_000_u32 {
        let host = Selector::host(IpAddr::from((0x0a00_0000 + n).to_be_bytes()));
        nets.insert(&host.into(), ChildId(n.into()));
    }
    let near = |text: &str, len| {
        let net = Selectors::from(Selector::subnet(ip(text), len).unwrap());
        nets.near(&net).count()
    };
    assert_eq!(
        (
            near("10.0.0.0", 28),
            near("10.200.0.0", 16),
            near("10.0.0.9", 32)
        ),
        (16, 0, 1)
    );
}
