//! IKE_FOLLOWUP_KE: additional key exchanges of children and of IKE SAs that are rekeyed (RFC 9370
//! §2.2.4).
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crypto_suite::GroupId;
use ike_sm::config::v2::{AdditionalKeyExchange, IkeProposal};
use ike_sm::config::{ChildConfig, Config, Pfs};
use ike_sm::{CloseReason, DeadlineReason, DropReason, Outcome};
use isakmp_wire::v2::{NotifyType, PayloadType};
use isakmp_wire::{ExchangeType, Flags, Header};

use crate::common::{A, End, Pair, net, secs};
use crate::hostile::{ask, notified};
use crate::insider::Insider;
use crate::rekey::{cross, one_of_each, rekey_child, rekey_ike};
use crate::rewrite::{catch, caught, rewrite};
use crate::{configs, settle};

use GroupId::{MlKem512 as K5, MlKem1024 as K10, X25519};

const FOLLOWUP: ExchangeType = ExchangeType::IKE_FOLLOWUP_KE;

/// Both ends with these methods, in IKE SAs and in children.
fn configured(methods: &[GroupId]) -> (Config, Config) {
    configs(|config| {
        let one = |method: &GroupId| AdditionalKeyExchange {
            methods: vec![*method],
            optional: false,
        };
        let additional: Vec<_> = methods.iter().map(one).collect();
        let peer = &mut config.peers[0];
        peer.v2.proposals = vec![IkeProposal {
            groups: vec![GroupId::Ecp256],
            additional: additional.clone(),
            ..IkeProposal::aead()
        }];
        for child in &mut peer.children {
            child.pfs = Pfs::Required(GroupId::Ecp256);
            child.additional.clone_from(&additional);
        }
        config.key_log = true;
    })
}

fn up(methods: &[GroupId]) -> Pair {
    let (a, b) = configured(methods);
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    pair
}

/// Exchange type, who sends it, and whether it is a response: of each message, in order.
type Seen = Rc<RefCell<Vec<(ExchangeType, bool, bool)>>>;

fn watch(pair: &mut Pair) -> Seen {
    let seen = Seen::default();
    let list = Rc::clone(&seen);
    pair.fate = Box::new(move |flight| {
        let header = Header::read(&flight.datagram).unwrap();
        let response = header.flags.contains(Flags::RESPONSE);
        let entry = (header.exchange_type, !flight.to_b, response);
        list.borrow_mut().push(entry);
        true
    });
    seen
}

/// Requests of IKE_FOLLOWUP_KE that one end has sent.
fn requests(seen: &Seen, b: bool) -> usize {
    let seen = seen.borrow();
    seen.iter().filter(|m| **m == (FOLLOWUP, b, false)).count()
}

type Rekey = fn(&mut Pair, bool) -> Outcome;
const REKEYS: [(&str, Rekey); 2] = [("child", rekey_child), ("ike", rekey_ike)];

#[test]
fn one_exchange_follows_for_each_additional_key_exchange_and_no_packet_is_lost() {
    for (what, rekey) in REKEYS {
        for b in [false, true] {
            let mut pair = up(&[K5, X25519]);
            let (ike, child) = (pair.a.ikes[0], pair.a.active[0]);
            let seen = watch(&mut pair);
            assert_eq!(rekey(&mut pair, b), Outcome::Handled);
            for _ in 0..200 {
                pair.run_for(Duration::from_millis(100));
                pair.assert_tunnel();
            }
            one_of_each(&pair);
            let kept = if what == "ike" {
                pair.a.active[0] == child && pair.a.ikes[0] != ike
            } else {
                pair.a.active[0] != child && pair.a.ikes[0] == ike
            };
            assert!(kept, "{what}");
            let create = (ExchangeType::CREATE_CHILD_SA, b, false);
            let answer = |m: (ExchangeType, bool, bool)| (m.0, !b, true);
            let follow = (FOLLOWUP, b, false);
            let all = [
                create,
                answer(create),
                follow,
                answer(follow),
                follow,
                answer(follow),
            ];
            assert_eq!(seen.borrow()[..6], all);
            assert_eq!((requests(&seen, b), requests(&seen, !b)), (2, 0), "{what}");
            assert!(pair.a.failed.is_empty() && pair.b.failed.is_empty());
            // The new SA works, and can be rekeyed by the other end.
            assert_eq!(rekey_child(&mut pair, !b), Outcome::Handled);
            settle(&mut pair);
            assert_eq!(rekey_ike(&mut pair, !b), Outcome::Handled);
            settle(&mut pair);
            one_of_each(&pair);
            pair.assert_tunnel();
        }
    }
}

#[test]
fn nothing_is_installed_before_the_last_exchange() {
    let mut pair = up(&[K5, X25519]);
    assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
    let step = pair.latency + Duration::from_millis(1);
    for _ in 0..4 {
        pair.run_for(step);
        assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    }
    pair.run_for(step);
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 2));
    pair.run_for(step);
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (2, 2));
}

#[test]
fn a_further_child_has_them_too_and_long_ones_go_in_fragments() {
    let (mut a, mut b) = configured(&[K10]);
    for config in [&mut a, &mut b] {
        let ours = config.peers[0].local_address == Some(crate::common::ip(A));
        let (local, remote) = if ours {
            ("10.1.0.0", "10.3.0.0")
        } else {
            ("10.3.0.0", "10.1.0.0")
        };
        let mut child = ChildConfig::new("second", net(local, 16), net(remote, 16));
        let first = &config.peers[0].children[0];
        (child.pfs, child.additional) = (first.pfs, first.additional.clone());
        config.peers[0].children.push(child);
    }
    let mut pair = Pair::new(a, b);
    let seen = watch(&mut pair);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!((pair.a.active.len(), pair.b.active.len()), (2, 2));
    // KEi has 1568 octets and fits into no message of 1232.
    assert_eq!(requests(&seen, false), 2);
}

#[test]
fn peers_without_them_rekey_when_they_are_optional() {
    for (b_has_none, b) in [(true, false), (true, true), (false, false)] {
        let (mut a, mut other) = configured(&[K5]);
        for config in [&mut a, &mut other] {
            let peer = &mut config.peers[0];
            peer.v2.proposals[0].additional[0].optional = true;
            peer.children[0].additional[0].optional = true;
        }
        if b_has_none {
            other.peers[0].v2.proposals[0].additional.clear();
            other.peers[0].children[0].additional.clear();
        }
        let mut pair = Pair::new(a, other);
        pair.bring_up();
        let seen = watch(&mut pair);
        for (_, rekey) in REKEYS {
            assert_eq!(rekey(&mut pair, b), Outcome::Handled);
            settle(&mut pair);
        }
        one_of_each(&pair);
        assert!(pair.a.failed.is_empty() && pair.b.failed.is_empty());
        let wanted = if b_has_none { 0 } else { 2 };
        assert_eq!(requests(&seen, b), wanted);
    }
}

#[test]
fn of_two_rekeys_at_once_the_one_with_the_lowest_nonce_stops_after_create_child_sa() {
    for (what, rekey) in REKEYS {
        let mut starters = [0, 0];
        for seed in 0..20 {
            let mut pair = Pair::new(configured(&[K5]).0, configured(&[K5]).1);
            pair.a = End::new(configured(&[K5]).0, 400 + seed);
            pair.bring_up();
            let seen = watch(&mut pair);
            assert_eq!(rekey(&mut pair, false), Outcome::Handled);
            assert_eq!(rekey(&mut pair, true), Outcome::Handled);
            for _ in 0..200 {
                pair.run_for(Duration::from_millis(100));
                pair.assert_tunnel();
            }
            one_of_each(&pair);
            let sent = [requests(&seen, false), requests(&seen, true)];
            assert!(sent == [1, 0] || sent == [0, 1], "{what}: {sent:?}");
            starters[0] += sent[0];
            starters[1] += sent[1];
            assert!(pair.a.failed.is_empty() && pair.b.failed.is_empty());
            assert_eq!(rekey_child(&mut pair, seed % 2 == 0), Outcome::Handled);
            settle(&mut pair);
            one_of_each(&pair);
            pair.assert_tunnel();
        }
        assert!(starters.iter().all(|n| *n > 0), "{what}: {starters:?}");
    }
}

#[test]
fn a_rekey_beside_key_exchanges_that_are_under_way_is_told_to_come_later() {
    let busy = CloseReason::RefusedByPeer(NotifyType::TEMPORARY_FAILURE.0);
    for (what, rekey) in REKEYS {
        let mut pair = up(&[K5, X25519]);
        assert_eq!(rekey(&mut pair, false), Outcome::Handled);
        // B has sent its own before A's came, and A gets it after its CREATE_CHILD_SA is over.
        let held = catch(&mut pair, ExchangeType::CREATE_CHILD_SA, false);
        assert_eq!(rekey(&mut pair, true), Outcome::Handled);
        let late = caught(&mut pair, &held);
        pair.run_for(pair.latency * 2 + Duration::from_millis(1));
        pair.deliver(late);
        pair.run_for(secs(100));
        one_of_each(&pair);
        pair.assert_tunnel();
        if what == "child" {
            assert_eq!(pair.b.failed, [busy]);
        }
    }
}

#[test]
fn rekeys_and_deletions_that_cross_leave_both_ends_agreed() {
    cross(|| up(&[K5]), &[0, 10, 30, 50, 70, 90]);
}

#[test]
fn every_lost_datagram_is_made_good() {
    for (what, rekey) in REKEYS {
        for b in [false, true] {
            for lost in 0..8 {
                let mut pair = up(&[K5, X25519]);
                let (ike, child) = (pair.a.ikes[0], pair.a.active[0]);
                let mut number = 0;
                pair.fate = Box::new(move |_| {
                    number += 1;
                    number != lost + 1
                });
                assert_eq!(rekey(&mut pair, b), Outcome::Handled);
                for _ in 0..120 {
                    pair.run_for(secs(1));
                    pair.assert_tunnel();
                }
                one_of_each(&pair);
                let new = if what == "ike" {
                    pair.a.ikes[0] != ike
                } else {
                    pair.a.active[0] != child
                };
                assert!(new, "{what}, datagram {lost} lost");
            }
        }
    }
}

#[test]
fn c11_each_datagram_twice_changes_nothing() {
    for (_, rekey) in REKEYS {
        let mut pair = up(&[K5, X25519]);
        assert_eq!(rekey(&mut pair, false), Outcome::Handled);
        for _ in 0..60 {
            let copies: Vec<_> = pair
                .flights
                .iter()
                .map(|f| (f.to_b, f.path, f.datagram.clone()))
                .collect();
            if !pair.step(secs(40)) {
                break;
            }
            for (to_b, path, datagram) in copies.into_iter().take(1) {
                let at = pair.now;
                pair.deliver(crate::common::Flight {
                    at,
                    to_b,
                    path,
                    datagram,
                });
            }
        }
        pair.run_for(secs(100));
        one_of_each(&pair);
        pair.assert_tunnel();
        assert!(pair.a.failed.is_empty() && pair.b.failed.is_empty());
    }
}

/// A request of IKE_FOLLOWUP_KE with one payload changed, at the responder.
fn changed(rekey: Rekey, kind: PayloadType, change: fn(&mut [u8])) -> Pair {
    let mut pair = up(&[X25519]);
    assert_eq!(rekey(&mut pair, false), Outcome::Handled);
    let held = catch(&mut pair, FOLLOWUP, false);
    pair.run_for(pair.latency * 3);
    let mut request = caught(&mut pair, &held);
    rewrite(&pair, &mut request, kind, change);
    pair.deliver(request);
    pair
}

#[test]
fn another_link_is_answered_with_state_not_found_and_the_rekey_is_tried_again() {
    for (what, rekey) in REKEYS {
        let mut pair = changed(rekey, PayloadType::NOTIFY, |body| body[4] ^= 1);
        let (ike, child) = (pair.a.ikes[0], pair.a.active[0]);
        assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
        pair.run_for(pair.latency * 2);
        if what == "child" {
            let lost = CloseReason::RefusedByPeer(NotifyType::STATE_NOT_FOUND.0);
            assert_eq!(pair.a.failed, [lost]);
        }
        assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
        pair.assert_tunnel();
        pair.run_for(secs(40));
        one_of_each(&pair);
        pair.assert_tunnel();
        let new = (pair.a.ikes[0] != ike) || (pair.a.active[0] != child);
        assert!(new, "{what}");
    }
}

#[test]
fn another_method_is_refused_by_name_and_the_sa_stands() {
    for (what, rekey) in REKEYS {
        let mut pair = changed(rekey, PayloadType::KEY_EXCHANGE, |body| body[1] = 19);
        let (ike, child) = (pair.a.ikes[0], pair.a.active[0]);
        pair.run_for(pair.latency * 2);
        if what == "child" {
            let other = CloseReason::RefusedByPeer(NotifyType::INVALID_KE_PAYLOAD.0);
            assert_eq!(pair.a.failed, [other]);
        }
        one_of_each(&pair);
        assert_eq!(rekey(&mut pair, false), Outcome::Handled);
        pair.run_for(secs(60));
        one_of_each(&pair);
        pair.assert_tunnel();
        let new = (pair.a.ikes[0] != ike) || (pair.a.active[0] != child);
        assert!(new, "{what}");
    }
}

#[test]
fn a_responder_forgets_what_the_initiator_does_not_go_on_with() {
    for (_, rekey) in REKEYS {
        let mut pair = up(&[K5]);
        let waits = |pair: &Pair| {
            let next = pair.b.endpoint.next_deadline();
            next.filter(|d| d.why == DeadlineReason::HalfOpen)
        };
        assert_eq!(waits(&pair), None);
        assert_eq!(rekey(&mut pair, false), Outcome::Handled);
        pair.run_for(pair.latency + Duration::from_millis(1));
        pair.flights.clear();
        pair.fate = Box::new(|_| false);
        let until = waits(&pair).expect("no deadline").at;
        assert_eq!(until, pair.now + secs(20) - Duration::from_millis(1));
        pair.run_for(secs(20));
        assert_eq!(waits(&pair), None);
        assert_eq!(pair.b.children.len(), 1);
        // The initiator learns of it, and its next attempt succeeds.
        pair.fate = Box::new(|_| true);
        pair.run_for(secs(60));
        one_of_each(&pair);
        pair.assert_tunnel();
        assert!(pair.b.endpoint.next_deadline().is_some());
    }
}

#[test]
fn a_responder_that_always_forgets_loses_the_ike_sa() {
    for (what, rekey) in REKEYS {
        let mut pair = up(&[K5]);
        pair.fate = Box::new(|flight| {
            let header = Header::read(&flight.datagram).unwrap();
            if header.exchange_type == FOLLOWUP && flight.to_b {
                flight.at += secs(25);
            }
            true
        });
        assert_eq!(rekey(&mut pair, false), Outcome::Handled);
        pair.run_for(secs(600));
        let lost = CloseReason::RefusedByPeer(NotifyType::STATE_NOT_FOUND.0);
        assert!(
            pair.a.closed.iter().any(|(_, r)| *r == lost),
            "{what}: {:?}",
            pair.a.closed
        );
        assert_eq!(pair.a.ikes.len(), pair.b.ikes.len());
    }
}

#[test]
fn an_exchange_that_goes_on_with_nothing_is_no_reason_to_end_anything() {
    // Before there is an IKE SA it is not taken at all.
    let (a, b) = configured(&[K5]);
    let mut pair = Pair::new(a, b);
    pair.fate = Box::new(|flight| {
        if flight.datagram[18] == ExchangeType::IKE_INTERMEDIATE.0 {
            flight.datagram[18] = FOLLOWUP.0;
        }
        true
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    let forged = Outcome::Dropped(DropReason::IntegrityFailed);
    assert_eq!(pair.outcomes[2], (true, forged));
}

/// The exchanges that carry a public value, with Curve25519 in each.
const C2: [(ExchangeType, bool); 4] = [
    (ExchangeType::IKE_SA_INIT, false),
    (ExchangeType::IKE_INTERMEDIATE, true),
    (ExchangeType::CREATE_CHILD_SA, false),
    (FOLLOWUP, true),
];

/// C2: a value of low order would make the shared secret zero (RFC 8031 §2.1, RFC 7748 §6.1).
#[test]
fn c2_low_order_values_of_curve25519_are_refused_in_every_exchange_and_role() {
    for (exchange, additional) in C2 {
        for (response, (what, rekey)) in [false, true]
            .into_iter()
            .flat_map(|r| REKEYS.map(|k| (r, k)))
        {
            let first = |config: &mut Config| {
                let peer = &mut config.peers[0];
                peer.v2.proposals[0].groups = vec![X25519];
                peer.children[0].pfs = Pfs::Required(X25519);
            };
            let (mut a, mut b) = configured(if additional { &[X25519] } else { &[] });
            if !additional {
                first(&mut a);
                first(&mut b);
            }
            let mut pair = Pair::new(a, b);
            let later = matches!(exchange, ExchangeType::CREATE_CHILD_SA | FOLLOWUP);
            if later {
                pair.bring_up();
            }
            let held = catch(&mut pair, exchange, response);
            if later {
                assert_eq!(rekey(&mut pair, false), Outcome::Handled);
            } else {
                assert_eq!(pair.initiate(false), Outcome::Handled);
            }
            pair.run_for(pair.latency * 5);
            let good = caught(&mut pair, &held);
            let (to_b, path, datagram) = (good.to_b, good.path, good.datagram.clone());
            let mut bad = good;
            rewrite(&pair, &mut bad, PayloadType::KEY_EXCHANGE, |body| {
                body[4..].fill(0);
                body[4] = 1;
            });
            let before = (pair.a.children.len(), pair.b.children.len());
            pair.deliver(bad);
            let now = (pair.a.children.len(), pair.b.children.len());
            assert!(now.0 <= before.0 && now.1 <= before.1);
            if exchange == ExchangeType::IKE_SA_INIT {
                // Nobody vouches for it: it is as if it had not come.
                let refused = Outcome::Dropped(DropReason::BadKeyExchange);
                assert_eq!(pair.outcomes.last(), Some(&(to_b, refused)));
                assert_eq!(pair.b.endpoint.ike_sas().count(), usize::from(response));
                pair.flights.clear();
                let at = pair.now;
                pair.deliver(crate::common::Flight {
                    at,
                    to_b,
                    path,
                    datagram,
                });
                pair.run_for(secs(3));
                pair.assert_tunnel();
                continue;
            }
            // RFC 6989 §2.5: the sender is in the SA, so the SA ends, at both ends. Who has
            // answered the rekey of an IKE SA takes that for the end of the old one.
            pair.run_for(pair.latency * 6);
            let answered = response && later && what == "ike";
            let ends = [(&pair.a, 0), (&pair.b, usize::from(answered))];
            for (end, left) in ends {
                assert_eq!(end.children.len(), left, "{exchange} {response}");
                assert_eq!(end.ikes.len(), left, "{exchange} {response}");
            }
        }
    }
}

/// B6: children that are still coming by series of key exchanges count as children.
#[test]
fn b6_series_that_have_begun_count_against_the_children_of_an_ike_sa() {
    let (a, mut b) = configured(&[K5]);
    b.limits.children_per_ike_sa = 2;
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
    let request = pair.flights.remove(0);
    let (header, mut payloads) = Insider::open(Insider::of(&pair).as_ref(), &request.datagram);
    // Other children, none in place of the first.
    payloads.retain(|(kind, _)| *kind != PayloadType::NOTIFY);
    let told: Vec<_> = (0..2u8)
        .map(|n| {
            for (kind, body) in &mut payloads {
                match *kind {
                    PayloadType::SA => body[8] = n,
                    PayloadType::NONCE => body[0] = n,
                    _ => {}
                }
            }
            let id = header.message_id + u32::from(n);
            let answer = ask(&mut pair, ExchangeType::CREATE_CHILD_SA, id, &payloads);
            notified(&answer.unwrap()).map(NotifyType)
        })
        .collect();
    let (begun, refused) = (
        NotifyType::ADDITIONAL_KEY_EXCHANGE,
        NotifyType::NO_ADDITIONAL_SAS,
    );
    assert_eq!(told, [Some(begun), Some(refused)]);
}
