//! CREATE_CHILD_SA: further children, new keys for children and for the IKE SA (RFC 7296 §2.8,
//! §2.25).
use std::time::Duration;

use crypto_suite::GroupId;
use ike_sm::config::{ChildConfig, Config, Lifetime, Pfs, SelectorMatch};
use ike_sm::{ChildId, CloseReason, Command, DropReason, Outcome};
use isakmp_wire::v2::PayloadType;

use crate::common::{A, Pair, net, secs};
use crate::insider::rebuilt;
use crate::{configs, established, pair, settle};

pub fn one_of_each(pair: &Pair) {
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
}

pub fn rekey_child(pair: &mut Pair, b: bool) -> Outcome {
    let child = *pair.end(b).active.last().unwrap();
    pair.command(b, Command::RekeyChild(child))
}

pub fn rekey_ike(pair: &mut Pair, b: bool) -> Outcome {
    let ike = *pair.end(b).ikes.last().unwrap();
    pair.command(b, Command::RekeyIke(ike))
}

/// Two ends with two children between them.
fn two_children() -> Pair {
    let second = |c: &mut Config| {
        let nets = ["10.1.0.0", "10.3.0.0"];
        let a = c.peers[0].local_address == Some(crate::common::ip(A));
        let (local, remote) = if a {
            (nets[0], nets[1])
        } else {
            (nets[1], nets[0])
        };
        let child = ChildConfig::new("second", net(local, 16), net(remote, 16));
        c.peers[0].children.push(child);
    };
    let (a, b) = configs(second);
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    pair
}

#[test]
fn i2_a_second_child_takes_one_exchange() {
    let pair = two_children();
    assert_eq!(pair.sent, 6);
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (2, 2));
    assert_eq!((pair.a.active.len(), pair.b.active.len()), (2, 2));
}

#[test]
fn a_rekey_replaces_no_other_child_than_its_own() {
    let mut pair = two_children();
    let old = pair.a.active.clone();
    for child in &old {
        let rekeyed = pair.command(false, Command::RekeyChild(*child));
        assert_eq!(rekeyed, Outcome::Handled);
    }
    settle(&mut pair);
    assert_eq!((pair.a.active.len(), pair.b.active.len()), (2, 2));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (2, 2));
    assert!(pair.a.active.iter().all(|child| !old.contains(child)));
}

#[test]
fn a_child_is_rekeyed_by_either_end_and_no_packet_is_lost() {
    for b in [false, true] {
        let mut pair = established();
        let old = pair.a.active[0];
        assert_eq!(rekey_child(&mut pair, b), Outcome::Handled);
        for _ in 0..200 {
            pair.run_for(Duration::from_millis(100));
            pair.assert_tunnel();
        }
        one_of_each(&pair);
        assert!(pair.a.active[0] != old);
        assert!(pair.a.failed.is_empty() && pair.b.failed.is_empty());
    }
}

#[test]
fn a_rekey_replaces_the_pair_that_it_names_although_its_selectors_are_narrower() {
    for b in [false, true] {
        let (a, c) = configs(|c| {
            c.key_log = true;
            c.peers[0].children[0].selector_match = SelectorMatch::Within;
        });
        let mut pair = Pair::new(a, c);
        pair.bring_up();
        let old = pair.end(b).active[0];
        assert_eq!(rekey_child(&mut pair, b), Outcome::Handled);
        let mut flight = pair.flights.remove(0);
        flight.datagram = rebuilt(&pair, &flight, |payloads| {
            for (kind, body) in payloads {
                if matches!(*kind, PayloadType::TS_INITIATOR | PayloadType::TS_RESPONDER) {
                    // The last octets of both ends of the range: 10.x.0.0 to 10.x.0.255.
                    let end = body.len() - 2;
                    body[end] = 0;
                }
            }
        });
        pair.flights.push(flight);
        settle(&mut pair);
        one_of_each(&pair);
        assert_ne!(pair.end(b).active, [old]);
        let sa = pair.end(b).children.values().next().unwrap();
        assert_eq!(
            sa.local
                .iter()
                .next()
                .unwrap()
                .to_string()
                .split('/')
                .nth(1),
            Some("24")
        );
    }
}

#[test]
fn the_responder_of_a_rekey_sends_on_the_new_pair_only_when_the_initiator_has_it() {
    let mut pair = established();
    let old = pair.b.active[0];
    assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
    pair.run_for(pair.latency + Duration::from_millis(1));
    assert_eq!(pair.b.children.len(), 2);
    assert_eq!(pair.b.active, [old], "inbound first");
    pair.run_for(secs(1));
    assert!(pair.ping(false));
    assert!(pair.b.active != [old]);
}

#[test]
fn rfc7296_s2_8_the_responder_of_a_rekey_sends_on_the_new_pair_when_the_old_one_is_deleted() {
    let mut pair = established();
    let old = pair.b.active[0];
    assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
    pair.run_for(secs(1));
    assert_eq!(pair.b.active, [old]);
    // No packet has come in on the new one.
    settle(&mut pair);
    one_of_each(&pair);
    assert_eq!(pair.b.active.len(), 1);
    assert_ne!(pair.b.active, [old]);
}

#[test]
fn rfc7296_s2_8_1_both_rekey_the_same_child_and_the_lowest_nonce_goes() {
    for seed in 0..20 {
        let (a, b) = configs(|_| {});
        let mut pair = Pair::new(a, b);
        pair.a = crate::common::End::new(configs(|_| {}).0, 100 + seed);
        pair.bring_up();
        assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
        assert_eq!(rekey_child(&mut pair, true), Outcome::Handled);
        for _ in 0..200 {
            pair.run_for(Duration::from_millis(100));
            pair.assert_tunnel();
        }
        one_of_each(&pair);
    }
}

#[test]
fn rfc7296_s2_8_1_the_loser_of_a_collision_goes_although_no_packet_comes() {
    for seed in 0..20 {
        let (a, b) = configs(|_| {});
        let mut pair = Pair::new(a, b);
        pair.a = crate::common::End::new(configs(|_| {}).0, 100 + seed);
        pair.bring_up();
        assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
        assert_eq!(rekey_child(&mut pair, true), Outcome::Handled);
        settle(&mut pair);
        one_of_each(&pair);
        let (a, b) = (&pair.a.children, &pair.b.children);
        let spis = |sa: &ike_sm::ChildSa| (sa.spi_in, sa.spi_out);
        let (a, b) = (a.values().next().map(spis), b.values().next().map(spis));
        assert_eq!(a, b.map(|(spi_in, spi_out)| (spi_out, spi_in)));
        assert_eq!((pair.a.active.len(), pair.b.active.len()), (1, 1));
    }
}

#[test]
fn the_ike_sa_is_rekeyed_by_either_end_and_keeps_its_children() {
    for b in [false, true] {
        let mut pair = established();
        let (old, child) = (pair.a.ikes[0], pair.a.active[0]);
        assert_eq!(rekey_ike(&mut pair, b), Outcome::Handled);
        settle(&mut pair);
        one_of_each(&pair);
        assert!(pair.a.ikes[0] != old && pair.a.active == [child]);
        pair.assert_tunnel();
        // The new SA works, in both directions.
        assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
        settle(&mut pair);
        assert_eq!(rekey_child(&mut pair, true), Outcome::Handled);
        settle(&mut pair);
        pair.assert_tunnel();
        one_of_each(&pair);
        assert_eq!(rekey_ike(&mut pair, !b), Outcome::Handled);
        settle(&mut pair);
        one_of_each(&pair);
    }
}

#[test]
fn only_an_ike_sa_that_is_up_and_not_replaced_is_rekeyed() {
    let none = Outcome::Dropped(DropReason::NoSuchObject);
    let mut pair = pair();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let ike = pair.a.endpoint.ike_sas().next().unwrap().id;
    assert_eq!(pair.command(false, Command::RekeyIke(ike)), none);
    pair.run_for(secs(3));
    assert_eq!(rekey_ike(&mut pair, true), Outcome::Handled);
    // B's Delete of the old one is still on its way.
    while pair.a.ikes.len() < 2 {
        assert!(pair.step(pair.now + secs(1)));
    }
    assert_eq!(pair.command(false, Command::RekeyIke(ike)), none);
    settle(&mut pair);
    one_of_each(&pair);
}

#[test]
fn rfc7296_s2_8_1_both_rekey_the_ike_sa_and_the_lowest_nonce_goes() {
    for seed in 0..20 {
        let (a, b) = configs(|_| {});
        let mut pair = Pair::new(a, b);
        pair.a = crate::common::End::new(configs(|_| {}).0, 200 + seed);
        pair.bring_up();
        assert_eq!(rekey_ike(&mut pair, false), Outcome::Handled);
        assert_eq!(rekey_ike(&mut pair, true), Outcome::Handled);
        settle(&mut pair);
        one_of_each(&pair);
        let spis = |end: &crate::common::End| {
            let ike = end.endpoint.ike_sas().next().unwrap();
            (ike.initiator_spi, ike.responder_spi)
        };
        assert_eq!(spis(&pair.a), spis(&pair.b));
        pair.assert_tunnel();
        assert_eq!(rekey_child(&mut pair, seed % 2 == 0), Outcome::Handled);
        settle(&mut pair);
        one_of_each(&pair);
    }
}

#[test]
fn rfc7296_s2_25_rekeys_and_deletions_that_cross_leave_both_ends_agreed() {
    cross(established, &[0, 10, 20, 30, 40, 60]);
}

/// Two orders, one to each end, the second so many milliseconds after the first.
pub fn cross(established: impl Fn() -> Pair, gaps: &[u64]) {
    type Act = fn(&mut Pair, bool, ChildId);
    let acts: [(&str, Act); 4] = [
        ("rekey child", |p, b, _| drop(rekey_child(p, b))),
        ("rekey ike", |p, b, _| drop(rekey_ike(p, b))),
        ("delete child", |p, b, c| {
            drop(p.command(b, Command::DeleteChild(c)))
        }),
        ("delete ike", |p, b, _| {
            let ike = *p.end(b).ikes.last().unwrap();
            drop(p.command(b, Command::DeleteIke(ike)));
        }),
    ];
    for (x, first) in acts {
        for (y, second) in acts {
            for gap in gaps {
                let mut pair = established();
                let (a, b) = (pair.a.active[0], pair.b.active[0]);
                first(&mut pair, false, a);
                pair.run_for(Duration::from_millis(*gap));
                if pair.b.children.contains_key(&b) && !pair.b.ikes.is_empty() {
                    second(&mut pair, true, b);
                }
                pair.run_for(secs(200));
                let what = format!("{x}, {gap} ms later {y}");
                assert_eq!(pair.a.ikes.len(), pair.b.ikes.len(), "{what}");
                assert!(pair.a.ikes.len() <= 1, "{what}");
                assert_eq!(pair.a.children.len(), pair.b.children.len(), "{what}");
                assert!(pair.a.children.len() <= 1, "{what}");
                if !pair.a.children.is_empty() {
                    pair.assert_tunnel();
                }
                let deletes = |s: &str| s.starts_with("delete");
                if !deletes(x) && !deletes(y) {
                    one_of_each(&pair);
                }
            }
        }
    }
}

#[test]
fn rfc7296_s1_3_pfs_uses_its_group_and_another_group_is_refused_by_name() {
    let (mut a, mut b) = configs(|_| {});
    a.peers[0].children[0].pfs = Pfs::Required(GroupId::X25519);
    b.peers[0].children[0].pfs = Pfs::AcceptIfOffered;
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
    settle(&mut pair);
    one_of_each(&pair);
    assert!(pair.a.failed.is_empty());
    pair.assert_tunnel();
}

#[test]
fn lifetimes_rekey_both_and_no_packet_is_lost() {
    let (a, b) = configs(|c| {
        c.peers[0].children[0].lifetime = Lifetime::seconds(60);
        c.peers[0].v2.lifetime = Lifetime::seconds(90);
    });
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    for _ in 0..6000 {
        pair.run_for(Duration::from_millis(100));
        pair.assert_tunnel();
        assert!(pair.a.children.len() <= 4 && pair.b.children.len() <= 4);
        assert!(pair.a.ikes.len() <= 3 && pair.b.ikes.len() <= 3);
    }
    assert!(pair.a.closed.len() >= 6, "{:?}", pair.a.closed);
    assert!(pair.a.failed.is_empty() && pair.b.failed.is_empty());
    assert!(pair.a.dead.is_empty() && pair.b.dead.is_empty());
}

#[test]
fn rfc4478_a_new_authentication_comes_in_time_and_no_packet_is_lost() {
    let (a, mut b) = configs(|_| {});
    b.peers[0].v2.authentication_lifetime = Some(secs(100));
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let first = pair.a.ikes[0];
    for _ in 0..3000 {
        pair.run_for(Duration::from_millis(100));
        pair.assert_tunnel();
    }
    assert!(!pair.a.ikes.contains(&first) && pair.a.closed.len() >= 2);
    assert!(pair.a.children.len() <= 2 && pair.b.children.len() <= 2);
}

#[test]
fn both_ends_start_at_once_and_keep_one_sa() {
    for seed in 0..10 {
        let (a, b) = configs(|_| {});
        let mut pair = Pair::new(a, b);
        pair.a = crate::common::End::new(configs(|_| {}).0, 300 + seed);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        assert_eq!(pair.initiate(true), Outcome::Handled);
        pair.run_for(secs(3));
        pair.assert_tunnel();
        pair.run_for(secs(100));
        one_of_each(&pair);
        pair.assert_tunnel();
    }
}

#[test]
fn an_attempt_that_nobody_answers_gives_way_to_the_peers_own() {
    let mut pair = crate::pair();
    // What b sends is lost until a is there.
    pair.fate = Box::new(|flight| flight.to_b);
    assert_eq!(pair.initiate(true), Outcome::Handled);
    pair.run_for(secs(1));
    pair.fate = Box::new(|_| true);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(100));
    pair.assert_tunnel();
    one_of_each(&pair);
    assert!(pair.a.closed.is_empty() && pair.b.failed.is_empty());
    assert!(pair.a.removed.is_empty() && pair.b.removed.is_empty());
    let reasons: Vec<CloseReason> = pair.b.closed.iter().map(|(_, why)| *why).collect();
    assert_eq!(reasons, [CloseReason::Replaced]);
}

#[test]
fn rfc4478_a_peer_that_does_not_authenticate_anew_ends() {
    let (a, mut b) = configs(|c| c.peers[0].v2.lifetime = Lifetime::seconds(60));
    b.peers[0].v2.authentication_lifetime = Some(secs(100));
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let first = pair.b.ikes[0];
    // Rekeys are no authentication.
    pair.run_for(secs(68));
    assert!(!pair.b.ikes.contains(&first));
    // A would authenticate anew a quarter of the time before the end.
    pair.fate = Box::new(|_| false);
    pair.run_for(secs(32));
    assert!(pair.b.children.is_empty());
}
