//! The indexes follow the table, and give what a search of it would give.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use super::{Arc, Device, Identity, IkeId, Site, Standing, Standings};

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

fn owner(last: u8) -> Arc<Identity> {
    Arc::new(Identity::Address(address(last)))
}

fn site(last: u8) -> Site {
    Site {
        address: address(last),
        port: 500,
        mapped: false,
    }
}

fn standing(peer: usize, owner: &Arc<Identity>, device: u64, since: u64) -> Standing {
    Standing {
        peer,
        remote_id: Arc::clone(owner),
        device: Device(IkeId(device)),
        site: site(9),
        created: Duration::from_secs(since),
        since: Duration::from_secs(since),
        origin: IkeId(device),
        proved: (Duration::from_secs(since), device),
        initiator: false,
        replaced: false,
        healed_at: Some(address(9)),
        told_spi: None,
    }
}

/// SAs 1 and 3 of one device, 2 of another identity of the same entry, 4 of the next entry.
fn four() -> (Standings, Arc<Identity>, Arc<Identity>) {
    let (one, two) = (owner(1), owner(2));
    let mut all = Standings::default();
    all.insert(IkeId(1), standing(0, &one, 1, 5));
    all.insert(IkeId(2), standing(0, &two, 2, 7));
    all.insert(IkeId(3), standing(0, &one, 1, 6));
    all.insert(IkeId(4), standing(1, &one, 4, 1));
    assert!(all.is_consistent());
    (all, one, two)
}

#[test]
fn a_peer_finds_its_own() {
    let (all, one, two) = four();
    let of = |peer, id| all.of(peer, id).map(|(ike, _)| ike).collect::<Vec<_>>();
    assert_eq!(of(0, &one), vec![IkeId(1), IkeId(3)]);
    assert_eq!(of(0, &two), vec![IkeId(2)]);
    assert_eq!(of(1, &one), vec![IkeId(4)]);
    assert_eq!(of(1, &two), vec![]);
    assert!(all.knows(0, None) && all.knows(1, None) && !all.knows(2, None));
    assert!(all.knows(0, Some(&two)) && !all.knows(1, Some(&two)));
}

#[test]
fn the_newest_serves_until_it_is_replaced() {
    let (mut all, one, _) = four();
    let (first, second) = (Device(IkeId(1)), Device(IkeId(2)));
    assert_eq!(all.serving(first), Some(IkeId(3)));
    assert_eq!(all.current(0), Some(IkeId(2)));
    assert_eq!(all.healing(address(9)), Some(IkeId(2)));
    all.set_replaced(IkeId(2), true);
    assert!(all.is_consistent());
    assert_eq!(all.serving(second), None);
    assert_eq!(all.current(0), Some(IkeId(3)));
    assert_eq!(all.healing(address(9)), Some(IkeId(3)));
    all.set_replaced(IkeId(2), false);
    assert!(all.is_consistent());
    assert_eq!(all.current(0), Some(IkeId(2)));
    // Among equals in time the newest handle.
    all.insert(IkeId(5), standing(0, &one, 5, 7));
    assert_eq!(all.current(0), Some(IkeId(5)));
}

#[test]
fn a_move_and_an_end_are_followed() {
    let (mut all, ..) = four();
    all.moved(IkeId(2), site(8));
    assert!(all.is_consistent());
    assert_eq!(all.healing(address(8)), Some(IkeId(2)));
    assert_eq!(all.healing(address(9)), Some(IkeId(3)));
    for ike in 1..=4 {
        assert!(all.remove(IkeId(ike)).is_some());
        assert!(all.is_consistent());
    }
    assert!(!all.knows(0, None));
    assert_eq!(all.healing(address(8)), None);
    assert_eq!(all.len(), 0);
}

#[test]
fn devices_of_one_identity_are_told_apart() {
    let (mut all, one, _) = four();
    let of = |all: &Standings, device| {
        let all = all.of_device(Device(IkeId(device)));
        all.map(|(ike, _)| ike).collect::<Vec<_>>()
    };
    all.insert(IkeId(5), standing(0, &one, 5, 9));
    assert_eq!(of(&all, 1), vec![IkeId(1), IkeId(3)]);
    assert_eq!(of(&all, 5), vec![IkeId(5)]);
    assert_eq!(all.serving(Device(IkeId(1))), Some(IkeId(3)));
    assert_eq!(all.device(IkeId(3)), Some(Device(IkeId(1))));
    // They turn out to be one.
    all.set_device(IkeId(5), Device(IkeId(1)));
    assert!(all.is_consistent());
    assert_eq!(all.serving(Device(IkeId(1))), Some(IkeId(5)));
    assert_eq!(of(&all, 5), vec![]);
}

#[test]
fn the_port_tells_devices_apart_behind_a_nat_only() {
    let at = |last, port, mapped| Site {
        address: address(last),
        port,
        mapped,
    };
    let plain = at(1, 500, false);
    assert!(plain.is(at(1, 4500, false)) && !plain.is(at(2, 500, false)));
    assert!(at(1, 4501, true).is(at(1, 4501, true)));
    assert!(!at(1, 4500, true).is(at(1, 4501, true)));
    // It did not know its own address when it called.
    assert!(plain.is(at(1, 4500, true)));
    // X3: who says nothing of a NAT is not the device that has another port behind it.
    assert!(!plain.is(at(1, 4501, true)) && !at(1, 1025, false).is(at(1, 4500, true)));
}

#[test]
fn an_index_that_lags_is_noticed() {
    let (mut all, ..) = four();
    if let Some(standing) = all.table.get_mut(&IkeId(3)) {
        standing.replaced = true;
    }
    assert!(!all.is_consistent());
}
