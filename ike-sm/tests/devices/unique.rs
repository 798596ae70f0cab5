//! What a new device means to the others with its identity.

use std::time::Duration;

use ike_sm::config::{IkeVersion, Phase1Mode, Uniqueness};
use ike_sm::{CloseReason, Command, Event, Outcome};

use crate::common::{End, secs};
use crate::{Hub, VERSIONS, device, hub};

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

/// The hub keeps the first device and refuses the second one. What is started with the second one is
/// main mode, or aggressive mode.
fn kept(aggressive: bool) -> Hub {
    let configs = [hub(IkeVersion::V1, Uniqueness::Keep)]
        .into_iter()
        .chain([1, 2].map(|n| device(IkeVersion::V1, n, false)));
    let mut hub = Hub::new(IkeVersion::V1, Uniqueness::Keep, false);
    for (n, mut config) in configs.enumerate() {
        if aggressive {
            config.peers[0].mode = Phase1Mode::AggressiveExposingPskHash;
        }
        hub.ends[n] = End::new(config, 30 + n as u64);
    }
    hub.initiate(1);
    assert!(hub.works(1));
    hub.informed = 0;
    hub
}

fn call_second(hub: &mut Hub, time: Duration) {
    let (peer, children) = ("peer".into(), Vec::new());
    let outcome = hub.command(2, Command::Initiate { peer, children });
    assert_eq!(outcome, Outcome::Handled);
    hub.run_for(time);
}

/// SAs that the hub keeps in order to say that they are refused.
fn refused(hub: &Hub) -> usize {
    let state = format!("{:?}", hub.ends[0].endpoint.state());
    state.matches("Refused(Refused {").count()
}

/// The second device has come up, and has been told that it is refused.
fn assert_refused(hub: &Hub) {
    let end = &hub.ends[2];
    assert!(end.children.is_empty() && end.removed.is_empty());
    assert!(end.ikes.is_empty(), "the second device holds a dead SA");
    // It may have called again at once.
    let told = |(_, reason): &(_, CloseReason)| *reason == CloseReason::DeletedByPeer;
    assert!(!end.closed.is_empty() && end.closed.iter().all(told));
    assert!(end.dead.is_empty());
    assert_eq!(hub.ends[0].endpoint.ike_sas().count(), 1);
    assert_eq!(hub.ends[0].children.len(), 1);
}

#[test]
fn x3_a_delete_that_overtakes_message_6_does_not_leave_a_dead_sa() {
    let mut hub = kept(false);
    hub.overtaking = Some(0);
    call_second(&mut hub, Duration::from_millis(500));
    assert_refused(&hub);
    // It does not call any more.
    hub.dead.push(2);
    hub.run_with_traffic(&[1], 31);
    assert_eq!(refused(&hub), 0);
    assert_eq!(hub.ends[0].endpoint.leftovers(), Vec::<&str>::new());
}

#[test]
fn x3_a_quick_mode_of_a_refused_device_is_answered_with_the_delete() {
    for aggressive in [false, true] {
        let mut hub = kept(aggressive);
        // The Delete that goes along with the end of phase 1.
        hub.lost = 1..2;
        call_second(&mut hub, Duration::from_millis(500));
        assert_refused(&hub);
        hub.dead.push(2);
        hub.run_with_traffic(&[1], 31);
        assert_eq!(refused(&hub), 0);
    }
}

/// Aggressive mode: the quick mode comes before message 3, and is repeated later.
#[test]
fn x3_a_quick_mode_that_overtakes_message_3_is_answered_with_the_delete_later() {
    let mut hub = kept(true);
    hub.overtaking = Some(2);
    hub.lost = 1..3;
    call_second(&mut hub, secs(6));
    assert_refused(&hub);
}

#[test]
fn x3_a_refused_device_that_begins_nothing_is_told_once_more() {
    let mut hub = kept(false);
    let mut config = device(IkeVersion::V1, 2, false);
    config.peers[0].children.clear();
    hub.ends[2] = End::new(config, 40);
    hub.lost = 1..2;
    call_second(&mut hub, secs(2));
    assert_refused(&hub);
    // And when it asks whether we are there.
    let mut hub = kept(false);
    let mut config = device(IkeVersion::V1, 2, false);
    config.peers[0].children.clear();
    hub.ends[2] = End::new(config, 40);
    hub.lost = 1..3;
    call_second(&mut hub, secs(5));
    assert_eq!(hub.ends[2].ikes.len(), 1, "nothing has told it");
    hub.run_for(secs(1));
    assert_refused(&hub);
}

#[test]
fn x3_a_refused_sa_says_so_a_bounded_number_of_times_and_ends() {
    let mut hub = kept(false);
    hub.lost = 1..1000;
    call_second(&mut hub, secs(3));
    assert_eq!((refused(&hub), hub.ends[2].ikes.len()), (1, 1));
    let told = hub.informed;
    // Copies of its quick mode without end, sent by anybody.
    let path = ike_sm::Path {
        local: "192.0.2.1:500".parse().unwrap(),
        remote: "198.51.100.2:500".parse().unwrap(),
        natt: false,
    };
    let copy = hub.begun.clone().expect("a quick mode");
    for _ in 0..100 {
        let message = &copy;
        let _ = hub.feed(0, Event::Datagram { path, message });
    }
    assert!(hub.informed > told && hub.informed <= 8, "{}", hub.informed);
    hub.dead.push(2);
    hub.run_with_traffic(&[1], 26);
    assert_eq!(refused(&hub), 1);
    hub.run_with_traffic(&[1], 4);
    assert_eq!(refused(&hub), 0);
    assert_eq!(hub.ends[0].endpoint.leftovers(), Vec::<&str>::new());
}

#[test]
fn x8_refused_sas_that_are_kept_are_bounded() {
    let mut hub = kept(false);
    hub.lost = 1..10_000;
    for seed in 0..20 {
        hub.ends[2] = End::new(device(IkeVersion::V1, 2, false), 50 + seed);
        call_second(&mut hub, Duration::from_millis(500));
        assert!(refused(&hub) == 8.min(seed as usize + 1));
        assert!(hub.ends[0].endpoint.is_consistent());
        assert_eq!(hub.ends[0].endpoint.leftovers(), Vec::<&str>::new());
    }
    hub.dead.push(2);
    hub.run_with_traffic(&[1], 31);
    assert_eq!(refused(&hub), 0);
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
