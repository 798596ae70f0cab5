//! What a new device means to the others with its identity.

use ike_sm::config::Uniqueness;
use ike_sm::{CloseReason, Command, Outcome};

use crate::common::{End, secs};
use crate::{Hub, VERSIONS, device};

#[test]
fn x3_two_devices_with_one_identity_both_work() {
    for version in VERSIONS {
        for (unique, initial_contact) in [
            (Uniqueness::UnlessInitialContact, false),
            (Uniqueness::Never, false),
            // The other end says that there is nobody else, and is wrong.
            (Uniqueness::Never, true),
        ] {
            let mut hub = Hub::new(version, unique, initial_contact);
            hub.initiate(1);
            hub.initiate(2);
            hub.run_with_traffic(&[1, 2], 100);
            assert_eq!((hub.ends[0].ikes.len(), hub.ends[0].children.len()), (2, 2));
            for end in 0..3 {
                let end = &hub.ends[end];
                assert!(
                    end.closed.is_empty() && end.removed.is_empty(),
                    "{version:?}"
                );
                assert!(end.dead.is_empty() && end.failed.is_empty());
            }
        }
    }
}

#[test]
fn x3_each_device_rekeys_its_own_sas() {
    for version in VERSIONS {
        for by_hub in [false, true] {
            let mut hub = Hub::new(version, Uniqueness::UnlessInitialContact, false);
            hub.initiate(1);
            hub.initiate(2);
            hub.run_with_traffic(&[1, 2], 5);
            for n in [1, 2, 1] {
                // The SAs of the device at the end that rekeys.
                let (at, ike, child) = if by_hub {
                    let mut of_device = hub.ends[0].children.values();
                    let network = crate::net(&format!("10.{}.0.0", 64 + n), 16);
                    let child = of_device.rfind(|c| *c.remote.first() == network).unwrap();
                    let mut sas = hub.ends[0].endpoint.ike_sas();
                    let remote = child.path.remote;
                    let stands = |s: &ike_sm::IkeStatus| {
                        let up = s.established.as_ref();
                        s.path.remote == remote && up.is_some_and(|up| !up.replaced)
                    };
                    let ike = sas.find(stands).unwrap().id;
                    (0, ike, child.id)
                } else {
                    let end = &hub.ends[n];
                    (n, *end.ikes.last().unwrap(), *end.active.last().unwrap())
                };
                assert_eq!(
                    hub.command(at, Command::RekeyChild(child)),
                    Outcome::Handled
                );
                hub.run_with_traffic(&[1, 2], 20);
                assert_eq!(hub.command(at, Command::RekeyIke(ike)), Outcome::Handled);
                hub.run_with_traffic(&[1, 2], 80);
                let hub = &hub.ends[0];
                assert_eq!((hub.ikes.len(), hub.children.len()), (2, 2), "{version:?}");
                assert!(hub.dead.is_empty() && hub.failed.is_empty());
            }
        }
    }
}

/// Both devices have chosen the same SPIs: a DELETE is about those of its sender.
#[test]
fn x3_a_device_deletes_only_what_is_its_own() {
    for version in VERSIONS {
        for whole in [false, true] {
            for n in [1, 2] {
                let mut hub = Hub::new(version, Uniqueness::Never, false);
                hub.initiate(1);
                hub.initiate(2);
                let spis: Vec<u32> = hub.ends[0].children.values().map(|c| c.spi_out).collect();
                assert_eq!(spis[0], spis[1], "else the test says nothing");
                let end = &hub.ends[n];
                let command = match whole {
                    true => Command::DeleteIke(end.ikes[0]),
                    false => Command::DeleteChild(end.active[0]),
                };
                assert_eq!(hub.command(n, command), Outcome::Handled);
                hub.run_with_traffic(&[3 - n], 60);
                assert!(!hub.works(n) && hub.ends[0].children.len() == 1);
            }
        }
    }
}

#[test]
fn x3_a_device_that_dies_takes_no_other_along() {
    for version in VERSIONS {
        for n in [1, 2] {
            let mut hub = Hub::new(version, Uniqueness::UnlessInitialContact, false);
            hub.initiate(1);
            hub.initiate(2);
            hub.run_with_traffic(&[1, 2], 5);
            hub.dead.push(n);
            hub.run_with_traffic(&[3 - n], 40);
            assert_eq!((hub.ends[0].ikes.len(), hub.ends[0].children.len()), (1, 1));
        }
    }
}

#[test]
fn x3_initial_contact_ends_what_another_device_has_and_tells_it() {
    for version in VERSIONS {
        let mut hub = Hub::new(version, Uniqueness::UnlessInitialContact, true);
        hub.initiate(1);
        assert!(hub.works(1));
        hub.initiate(2);
        assert_told(&mut hub, 1, CloseReason::PeerRestarted);
        hub.run_with_traffic(&[2], 30);
    }
}

/// The device `n` and the hub hold nothing of it any more, and nobody had to find out.
fn assert_told(hub: &mut Hub, n: usize, reason: CloseReason) {
    let end = &hub.ends[n];
    assert!(end.ikes.is_empty() && end.children.is_empty());
    assert!(end.dead.is_empty());
    assert!(
        end.closed
            .iter()
            .all(|(_, r)| *r == CloseReason::DeletedByPeer)
    );
    let (closed, removed) = (&hub.ends[0].closed, &hub.ends[0].removed);
    assert_eq!(closed.last().map(|(_, r)| *r), Some(reason));
    assert_eq!(removed.last().map(|(_, r)| *r), Some(reason));
    assert_eq!((hub.ends[0].ikes.len(), hub.ends[0].children.len()), (1, 1));
}

#[test]
fn x3_the_newest_replaces_the_others_which_are_told() {
    for version in VERSIONS {
        for initial_contact in [false, true] {
            let mut hub = Hub::new(version, Uniqueness::Replace, initial_contact);
            for n in [1, 2, 1] {
                hub.initiate(n);
                if hub.ends[0].closed.len() > hub.ends[0].ikes.len() {
                    assert_told(&mut hub, 3 - n, CloseReason::Replaced);
                }
                hub.run_with_traffic(&[n], 20);
                assert!(!hub.works(3 - n));
            }
            assert_eq!(hub.ends[0].closed.len(), 2);
        }
    }
}

#[test]
fn x3_the_first_is_kept_while_it_lives() {
    for version in VERSIONS {
        for initial_contact in [false, true] {
            let mut hub = Hub::new(version, Uniqueness::Keep, initial_contact);
            hub.initiate(1);
            hub.run_with_traffic(&[1], 10);
            hub.initiate(2);
            assert!(!hub.works(2), "{version:?}");
            assert!(hub.ends[2].ikes.is_empty() && hub.ends[2].children.is_empty());
            let why = |l: &String| l.contains("the first one is kept");
            assert!(hub.ends[0].log.iter().any(why), "the log says why");
            hub.run_with_traffic(&[1], 30);
            // It dies, and the next call of the other one finds that out.
            hub.dead.push(1);
            let (peer, children) = ("peer".into(), Vec::new());
            let _ = hub.command(2, Command::Initiate { peer, children });
            hub.run_for(secs(20));
            if !hub.works(2) {
                hub.initiate(2);
            }
            hub.run_with_traffic(&[2], 10);
            assert_eq!((hub.ends[0].ikes.len(), hub.ends[0].children.len()), (1, 1));
        }
    }
}

/// A device that has lost its state is no other device.
#[test]
fn x3_a_device_that_comes_back_is_let_in_where_the_first_is_kept() {
    for version in VERSIONS {
        let mut hub = Hub::new(version, Uniqueness::Keep, false);
        hub.initiate(1);
        hub.run_with_traffic(&[1], 5);
        hub.ends[1] = End::new(device(version, 1, false), 99);
        hub.initiate(1);
        hub.run_with_traffic(&[1], 90);
        assert_eq!((hub.ends[0].ikes.len(), hub.ends[0].children.len()), (1, 1));
    }
}

#[test]
fn x3_initial_contact_is_not_said_where_an_identity_is_shared() {
    for version in VERSIONS {
        for unique in [Uniqueness::UnlessInitialContact, Uniqueness::Never] {
            let mut hub = Hub::new(version, Uniqueness::UnlessInitialContact, true);
            for n in [1, 2] {
                let mut config = device(version, n, true);
                config.peers[0].unique = unique;
                hub.ends[n] = End::new(config, 70 + n as u64);
                hub.initiate(n);
            }
            let both = unique == Uniqueness::Never;
            assert_eq!(hub.works(1), both, "{version:?}");
            assert!(hub.works(2));
        }
    }
}
