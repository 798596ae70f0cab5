//! A member of a cluster takes over from another one (RFC 6311).
//!
//! The same events, times and random bytes give the same state: the standby member is a copy of the
//! active one that was fed no further than to the moment of its last update.
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use ike_sm::config::{Config, Dpd, DpdTimes};
use ike_sm::{Command, DropReason, Outcome, Takeover};
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{MessageIdSync, NotifyType};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::common::{End, Pair, secs};
use crate::configs;
use crate::forge::{Forge, hand};

fn up(change: impl Fn(&mut Config)) -> Pair {
    let times = DpdTimes {
        idle: secs(5),
        retry: secs(2),
        tries: 60,
    };
    let (a, b) = configs(|c| {
        c.key_log = true;
        c.peers[0].dpd = Dpd::Periodic(times);
        change(c);
    });
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    pair
}

/// Both members as they were when the SA came up, and random bytes of its own for the standby.
fn standby(b: bool, change: impl Fn(&mut Config)) -> End {
    let mut old = up(change);
    let mut end = std::mem::replace(old.end(b), End::new(Config::default(), 0));
    end.rng = ChaCha20Rng::seed_from_u64(99);
    end
}

const TAKEOVER: Takeover = Takeover {
    epoch: 1,
    message_ids: true,
    skip_outbound: 1 << 20,
    skip_inbound: 1 << 21,
};

/// B's active member dies after a time in which both ends have asked the other for signs of life.
fn fail_over(pair: &mut Pair, after: u64, standby: End) {
    pair.run_for(secs(after));
    pair.flights.clear();
    pair.b = standby;
}

fn take_over(pair: &mut Pair, b: bool) -> Outcome {
    let ike = *pair.end(b).ikes.last().unwrap();
    let takeover = TAKEOVER;
    pair.command(b, Command::SynchronizeIke { ike, takeover })
}

/// Everything works that needs message IDs, from both ends.
fn goes_on(pair: &mut Pair) {
    for b in [false, true] {
        let child = *pair.end(b).active.last().unwrap();
        assert_eq!(
            pair.command(b, Command::RekeyChild(child)),
            Outcome::Handled
        );
        pair.run_for(secs(30));
        pair.assert_tunnel();
        let ike = *pair.end(b).ikes.last().unwrap();
        assert_eq!(pair.command(b, Command::RekeyIke(ike)), Outcome::Handled);
        pair.run_for(secs(30));
        pair.assert_tunnel();
    }
    assert!(pair.a.dead.is_empty() && pair.b.dead.is_empty());
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
}

fn skips(end: &End, count: u64) -> usize {
    let wanted = format!("SkipSequence({count})");
    end.actions.iter().filter(|a| a.contains(&wanted)).count()
}

#[test]
fn rfc6311_s5_a_standby_with_old_counters_goes_on_where_the_other_member_was() {
    let mut pair = up(|_| {});
    fail_over(&mut pair, 60, standby(true, |_| {}));
    assert_eq!(take_over(&mut pair, true), Outcome::Handled);
    pair.run_for(secs(2));
    assert_eq!((skips(&pair.b, 1 << 20), skips(&pair.a, 1 << 21)), (1, 1));
    let told = |end: &End| end.log.iter().any(|l| l.contains("after a takeover"));
    assert!(told(&pair.a) && told(&pair.b));
    // There are sequence numbers enough: no new keys for that.
    let before = (pair.a.active.clone(), pair.b.active.clone());
    pair.run_for(secs(10));
    assert_eq!(before, (pair.a.active.clone(), pair.b.active.clone()));
    goes_on(&mut pair);
}

#[test]
fn without_it_the_peer_and_the_standby_do_not_understand_each_other() {
    let mut pair = up(|_| {});
    fail_over(&mut pair, 60, standby(true, |_| {}));
    pair.run_for(secs(150));
    assert!(!pair.a.dead.is_empty() || !pair.b.dead.is_empty());
}

#[test]
fn c18_no_member_protects_with_an_iv_that_another_one_has_used() {
    let mut pair = up(|_| {});
    let ivs: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
    let seen = ivs.clone();
    pair.fate = Box::new(move |flight| {
        if !flight.to_b {
            seen.borrow_mut().push(flight.datagram[32..40].to_vec());
        }
        true
    });
    fail_over(&mut pair, 60, standby(true, |_| {}));
    assert_eq!(take_over(&mut pair, true), Outcome::Handled);
    pair.run_for(secs(60));
    let all = ivs.borrow();
    let different: BTreeSet<_> = all.iter().collect();
    assert!(all.len() > 10);
    assert_eq!(different.len(), all.len());
}

#[test]
fn d12_an_epoch_comes_once() {
    let mut pair = up(|_| {});
    fail_over(&mut pair, 20, standby(true, |_| {}));
    assert_eq!(take_over(&mut pair, true), Outcome::Handled);
    let again = take_over(&mut pair, true);
    assert_eq!(again, Outcome::Dropped(DropReason::AlreadyUnderWay));
    pair.run_for(secs(5));
    let before = format!("{:?}", pair.b.endpoint.state());
    let again = take_over(&mut pair, true);
    assert_eq!(again, Outcome::Dropped(DropReason::Stale));
    assert_eq!(before, format!("{:?}", pair.b.endpoint.state()));
}

#[test]
fn a_lost_answer_and_a_standby_far_behind_are_asked_again_with_higher_message_ids() {
    let far = |c: &mut Config| {
        if let Dpd::Periodic(times) = &mut c.peers[0].dpd {
            times.idle = secs(1);
        }
    };
    let mut pair = up(far);
    fail_over(&mut pair, 240, standby(true, far));
    let lost = Rc::new(RefCell::new(0));
    let count = lost.clone();
    pair.fate = Box::new(move |flight| {
        // The first two answers to a synchronisation: Message ID 0 and the R bit.
        let answer = flight.datagram[20..24] == [0; 4] && flight.datagram[19] & 0x20 != 0;
        if answer && *count.borrow() < 2 {
            *count.borrow_mut() += 1;
            return false;
        }
        true
    });
    assert_eq!(take_over(&mut pair, true), Outcome::Handled);
    pair.run_for(secs(100));
    let stale = Outcome::Dropped(DropReason::Stale);
    assert!(pair.outcomes.contains(&(false, stale)), "behind at first");
    assert_eq!(*lost.borrow(), 2);
    assert_eq!(
        skips(&pair.a, 1 << 21),
        1,
        "once, however often it was asked"
    );
    goes_on(&mut pair);
}

#[test]
fn rfc6311_s8_1_no_request_is_taken_in_before_the_counters_agree() {
    // The standby knows all message IDs: A's next request is the one that it expects.
    let mut pair = up(|_| {});
    fail_over(&mut pair, 0, standby(true, |_| {}));
    let mut lost = false;
    pair.fate = Box::new(move |flight| {
        let first = !flight.to_b && !lost;
        lost |= first;
        !first
    });
    assert_eq!(take_over(&mut pair, true), Outcome::Handled);
    let child = pair.a.active[0];
    let asked = pair.command(false, Command::RekeyChild(child));
    assert_eq!(asked, Outcome::Handled);
    pair.run_for(pair.latency);
    let early = &pair.outcomes.last().unwrap().1;
    let outside = matches!(early, Outcome::Dropped(DropReason::OutsideWindow(_)));
    assert!(outside, "{early:?}");
    assert_eq!(pair.b.children.len(), 1);
    pair.run_for(secs(30));
    goes_on(&mut pair);
}

#[test]
fn rfc6311_s5_1_old_synchronisations_move_nothing() {
    let mut pair = up(|_| {});
    let standby = standby(true, |_| {});
    let asked: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
    let answered = Rc::new(RefCell::new(Vec::new()));
    let (to_a, to_b) = (asked.clone(), answered.clone());
    fail_over(&mut pair, 30, standby);
    pair.fate = Box::new(move |flight| {
        if flight.datagram[20..24] == [0; 4] {
            let list = if flight.to_b { &to_b } else { &to_a };
            list.borrow_mut().push(flight.datagram.clone());
        }
        true
    });
    assert_eq!(take_over(&mut pair, true), Outcome::Handled);
    pair.run_for(secs(3));
    let (request, answer) = (asked.borrow()[0].clone(), answered.borrow()[0].clone());
    // The newest request of all is answered again, as any repeated request; nothing else happens.
    let before = format!("{:?}", pair.a.endpoint.state());
    assert_eq!(hand(&mut pair, false, &request), Outcome::Repeated);
    assert_eq!(before, format!("{:?}", pair.a.endpoint.state()));
    pair.run_for(secs(1));
    let before = format!("{:?}", pair.b.endpoint.state());
    let outcome = hand(&mut pair, true, &answer);
    assert_eq!(outcome, Outcome::Dropped(DropReason::Stale));
    assert_eq!(before, format!("{:?}", pair.b.endpoint.state()));
    // One that is not the newest, and one that never came and is overtaken by other requests.
    let mut forge = Forge::new(&pair.b, false);
    let mut sync = |send, nonce| {
        let exchange = ExchangeType::INFORMATIONAL_V2;
        forge.message(exchange, 0, false, |w| {
            let sync = MessageIdSync {
                nonce: [nonce; 4],
                expected_send: send,
                expected_receive: 0,
            };
            w.message_id_sync(&sync).map(|_| ())
        })
    };
    let (late, newest) = (sync(4001, 1), sync(4000, 2));
    assert_eq!(hand(&mut pair, false, &newest), Outcome::Handled);
    assert_eq!(hand(&mut pair, false, &late), Outcome::Handled);
    for old in [&request, &newest] {
        let before = format!("{:?}", pair.a.endpoint.state());
        let outcome = hand(&mut pair, false, old);
        assert_eq!(outcome, Outcome::Dropped(DropReason::Stale));
        assert_eq!(before, format!("{:?}", pair.a.endpoint.state()));
    }
}

#[test]
fn rfc6311_s5_1_nothing_else_is_in_it_and_its_numbers_make_sense() {
    let mut pair = up(|_| {});
    let mut forge = Forge::new(&pair.b, false);
    let sync = MessageIdSync {
        nonce: [7; 4],
        expected_send: 50,
        expected_receive: 60,
    };
    let mut asked = |more: &[(NotifyType, &[u8])]| {
        forge.message(ExchangeType::INFORMATIONAL_V2, 0, false, |w| {
            w.message_id_sync(&sync)?;
            more.iter()
                .try_for_each(|(kind, data)| w.notify(*kind, data).map(|_| ()))
        })
    };
    let delta = NotifyType::IPSEC_REPLAY_COUNTER_SYNC;
    let wrong: [&[(NotifyType, &[u8])]; 3] = [
        &[(delta, &[1, 2, 3])],
        &[(NotifyType::INITIAL_CONTACT, &[])],
        &[(delta, &[0, 0, 0, 9]), (delta, &[0, 0, 0, 9])],
    ];
    let before = format!("{:?}", pair.a.endpoint.state());
    for more in wrong {
        let message = asked(more);
        assert!(hand(&mut pair, false, &message).dropped().is_some());
        assert_eq!(before, format!("{:?}", pair.a.endpoint.state()));
    }
    // Both in one message (§5, case 3): message IDs first, then the sequence numbers.
    let message = asked(&[(delta, &[0, 0, 0, 9])]);
    let answers: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
    let sent = answers.clone();
    pair.fate = Box::new(move |flight| {
        sent.borrow_mut().push(flight.datagram.clone());
        false
    });
    assert_eq!(hand(&mut pair, false, &message), Outcome::Handled);
    assert_eq!(skips(&pair.a, 9), 1);
    let answer = Forge::new(&pair.a, true).notifies(&answers.borrow()[0]);
    let numbers = [[7; 4], 60u32.to_be_bytes(), 50u32.to_be_bytes()].concat();
    let expected = (NotifyType::IKEV2_MESSAGE_ID_SYNC, numbers);
    assert_eq!(answer, Some(vec![expected]));
}

#[test]
fn rfc6311_s9_a_request_that_waits_begins_anew() {
    let mut pair = up(|_| {});
    pair.run_for(secs(30));
    pair.flights.clear();
    // B is gone, and A wants new keys.
    pair.fate = Box::new(|flight| !flight.to_b);
    let child = pair.a.active[0];
    assert_eq!(
        pair.command(false, Command::RekeyChild(child)),
        Outcome::Handled
    );
    pair.run_for(secs(2));
    pair.b = standby(true, |_| {});
    pair.fate = Box::new(|_| true);
    assert_eq!(take_over(&mut pair, true), Outcome::Handled);
    pair.run_for(secs(30));
    assert!(pair.a.active[0] != child);
    assert!(pair.a.failed.is_empty());
    goes_on(&mut pair);
}

#[test]
fn rfc6311_appendix_a_4_both_clusters_fail_at_once() {
    let mut pair = up(|_| {});
    fail_over(&mut pair, 40, standby(true, |_| {}));
    pair.a = standby(false, |_| {});
    pair.a.rng = ChaCha20Rng::seed_from_u64(98);
    assert_eq!(take_over(&mut pair, false), Outcome::Handled);
    assert_eq!(take_over(&mut pair, true), Outcome::Handled);
    pair.run_for(secs(30));
    goes_on(&mut pair);
}

#[test]
fn a_long_jump_without_extended_sequence_numbers_brings_new_keys() {
    let mut pair = up(|_| {});
    fail_over(&mut pair, 20, standby(true, |_| {}));
    let (ike, old) = (pair.b.ikes[0], pair.b.active[0]);
    let takeover = Takeover {
        skip_inbound: 0,
        skip_outbound: 1 << 30,
        ..TAKEOVER
    };
    let command = Command::SynchronizeIke { ike, takeover };
    assert_eq!(pair.command(true, command), Outcome::Handled);
    pair.run_for(secs(20));
    assert!(pair.b.active[0] != old);
    let takeover = Takeover {
        epoch: 2,
        skip_inbound: 1 << 32,
        ..TAKEOVER
    };
    let ike = pair.b.ikes[0];
    let refused = pair.command(true, Command::SynchronizeIke { ike, takeover });
    assert!(matches!(refused, Outcome::Dropped(DropReason::Limit(_))));
}

#[test]
fn who_has_not_agreed_to_it_is_not_asked() {
    for without in [crate::common::A, crate::common::B] {
        let change = |c: &mut Config| {
            let own = c.peers[0].local_address;
            c.peers[0].v2.counter_sync = own != Some(crate::common::ip(without));
        };
        let mut pair = up(change);
        let refused = take_over(&mut pair, true);
        assert_eq!(refused, Outcome::Dropped(DropReason::WrongState));
        let mut forge = Forge::new(&pair.b, false);
        let message = forge.message(ExchangeType::INFORMATIONAL_V2, 0, false, |w| {
            let sync = MessageIdSync {
                nonce: [1; 4],
                expected_send: 90,
                expected_receive: 90,
            };
            w.message_id_sync(&sync).map(|_| ())
        });
        // To A it is a request of a message ID that its window does not have, or that has no meaning.
        let _ = hand(&mut pair, false, &message);
        pair.run_for(secs(1));
        assert!(!pair.a.log.iter().any(|l| l.contains("after a takeover")));
        pair.assert_tunnel();
    }
}
