//! Lost, repeated and corrupted messages.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use ike_sm::config::ChildConfig;
use ike_sm::{CloseReason, Command, DropReason, Event, Outcome, Traffic};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::common::{A, B, End, Flight, Pair, config, net, secs};
use crate::flood::many_tunnels;

#[test]
fn any_single_message_may_be_lost() {
    for lost in 0..9 {
        let mut pair = Pair::default();
        let count = Cell::new(0);
        pair.fate = Box::new(move |_| {
            count.set(count.get() + 1);
            count.get() != lost + 1
        });
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(20));
        assert_eq!(
            (pair.a.ikes.len(), pair.b.ikes.len()),
            (1, 1),
            "message {lost}"
        );
        pair.assert_tunnel();
        assert_eq!(
            (pair.a.children.len(), pair.b.children.len()),
            (1, 1),
            "message {lost}"
        );
    }
}

#[test]
fn c11_every_message_twice_changes_nothing() {
    let mut pair = Pair::default();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    for _ in 0..200 {
        let now = pair.now;
        if let Some(flight) = pair.flights.first() {
            let (path, datagram, to_b) = (flight.path, flight.datagram.clone(), flight.to_b);
            pair.step(now + secs(1));
            let before = (
                pair.a.endpoint.next_deadline(),
                pair.b.endpoint.next_deadline(),
            );
            pair.deliver(crate::common::Flight {
                at: now,
                to_b,
                path,
                datagram,
            });
            let (_, outcome) = pair.outcomes.last().unwrap();
            assert_ne!(*outcome, Outcome::Handled);
            let after = (
                pair.a.endpoint.next_deadline(),
                pair.b.endpoint.next_deadline(),
            );
            assert_eq!(before, after);
        }
    }
    pair.fate = Box::new(|_| true);
    pair.run_for(secs(5));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    pair.assert_tunnel();
}

#[test]
fn thirty_percent_loss_ends_in_a_tunnel_or_in_nothing() {
    let mut up = 0;
    for seed in 0..30 {
        let mut pair = Pair::default();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        pair.fate = Box::new(move |flight| {
            flight.at += Duration::from_millis(u64::from(rng.next_u32() % 200));
            rng.next_u32() % 10 >= 3
        });
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(60));
        pair.fate = Box::new(|_| true);
        pair.run_for(secs(400));
        if pair.a.active.is_empty() {
            assert!(pair.b.active.is_empty(), "seed {seed}");
        } else {
            pair.assert_tunnel();
            up += 1;
        }
    }
    assert!(up >= 28, "{up} of 30 came up");
}

#[test]
fn an_initiator_repeats_with_growing_waits_and_gives_up() {
    let mut pair = Pair::default();
    let times = Rc::new(Cell::new(0));
    let count = times.clone();
    pair.fate = Box::new(move |_| {
        count.set(count.get() + 1);
        false
    });
    let start = pair.now;
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let mut waits = Vec::new();
    while pair.a.closed.is_empty() {
        let before = pair.now;
        assert!(pair.step(start + secs(1000)));
        waits.push((pair.now - before).as_millis());
    }
    // 4 s, each wait 1.8 times the one before, none above a minute.
    assert_eq!(waits, [4000, 7200, 12960, 23328, 41990, 60000]);
    assert_eq!(times.get(), 6);
    assert_eq!(pair.a.closed[0].1, CloseReason::Timeout);
}

#[test]
fn b5_a_responder_sends_only_answers_before_the_peer_has_proved_itself() {
    // RFC 2409 §5 leaves retransmission to either side; here an unproved address gets one packet
    // for each one that came from it, and never more bytes.
    for heard in 1..3 {
        let mut pair = Pair::default();
        let count = Cell::new(0);
        let sizes = Rc::new(Cell::new((0usize, 0usize)));
        let seen = sizes.clone();
        pair.fate = Box::new(move |flight| {
            let (there, back) = seen.get();
            if flight.to_b {
                count.set(count.get() + 1);
                let passes = count.get() <= heard;
                seen.set((there + if passes { flight.datagram.len() } else { 0 }, back));
                passes
            } else {
                seen.set((there, back + flight.datagram.len()));
                true
            }
        });
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(120));
        let (there, back) = sizes.get();
        assert!(back <= there + 8, "{back} bytes for {there}");
        assert!(pair.b.ikes.is_empty());
    }
}

#[test]
fn c17_corrupted_messages_are_dropped_and_the_next_good_one_goes_on() {
    for seed in 0..12 {
        let mut pair = Pair::default();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        pair.fate = Box::new(move |flight| {
            if rng.next_u32().is_multiple_of(3) {
                let at = rng.next_u32() as usize % flight.datagram.len();
                flight.datagram[at] ^= 1 << (rng.next_u32() % 8);
            }
            true
        });
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(40));
        pair.fate = Box::new(|_| true);
        pair.run_for(secs(400));
        if pair.a.active.is_empty() {
            assert_eq!(pair.initiate(false), Outcome::Handled);
            pair.run_for(secs(20));
        }
        pair.assert_tunnel();
    }
}

#[test]
fn c10_our_own_messages_sent_back_to_us_are_recognised() {
    let mut pair = Pair::default();
    pair.fate = Box::new(|flight| {
        flight.to_b = !flight.to_b;
        flight.path = ike_sm::Path {
            local: flight.path.remote,
            remote: flight.path.local,
            ..flight.path
        };
        true
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!(
        pair.outcomes,
        [(false, Outcome::Dropped(DropReason::Reflected))]
    );
}

/// Two tunnels, of which B waits for the last message of quick mode.
fn unconfirmed() -> Pair {
    let mut pair = many_tunnels(2, |_| {});
    let mut begun = BTreeSet::new();
    pair.fate = Box::new(move |flight| {
        let quick = flight.to_b && flight.datagram[18] == 32;
        !quick || begun.insert(flight.datagram[20..24].to_vec())
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert_eq!((pair.a.active.len(), pair.b.children.len()), (2, 2));
    assert!(pair.b.active.is_empty());
    pair
}

#[test]
fn a_packet_on_one_child_confirms_that_child_and_no_other() {
    for n in 0..2 {
        let mut pair = unconfirmed();
        let shown = *pair.b.children.keys().nth(n).unwrap();
        let _ = pair.feed(true, Event::Traffic(shown, Traffic::inbound(100)));
        assert_eq!(pair.b.active, [shown]);
        // B still waits for the last message of the other one, and asks for no more than that.
        let asked = Rc::new(RefCell::new(BTreeSet::new()));
        let seen = Rc::clone(&asked);
        pair.fate = Box::new(move |flight| {
            if !flight.to_b {
                seen.borrow_mut().insert(flight.datagram[20..24].to_vec());
            }
            true
        });
        pair.run_for(secs(20));
        assert_eq!(asked.borrow().len(), 1);
        assert_eq!(pair.b.active.len(), 2);
    }
}

#[test]
fn a_child_that_is_deleted_before_it_is_confirmed_takes_no_other_along() {
    for n in 0..2 {
        let mut pair = unconfirmed();
        let gone = *pair.b.children.keys().nth(n).unwrap();
        let deleted = pair.command(true, Command::DeleteChild(gone));
        assert_eq!(deleted, Outcome::Handled);
        let asked = Rc::new(RefCell::new(BTreeSet::new()));
        let seen = Rc::clone(&asked);
        pair.fate = Box::new(move |flight| {
            if !flight.to_b && flight.datagram[18] == 32 {
                seen.borrow_mut().insert(flight.datagram[20..24].to_vec());
            }
            true
        });
        pair.run_for(secs(20));
        assert_eq!(asked.borrow().len(), 1, "its quick mode is over");
        assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
        pair.assert_tunnel();
        assert!(pair.b.failed.is_empty());
    }
}

#[test]
fn a_finished_quick_mode_repeats_its_last_message_beside_another_one() {
    let mut pair = Pair::established();
    let second = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&second);
    pair.fate = Box::new(move |flight| {
        if !flight.to_b && seen.borrow().is_empty() {
            *seen.borrow_mut() = flight.datagram.clone();
        }
        true
    });
    for _ in 0..2 {
        let child = *pair.a.active.last().unwrap();
        let rekeyed = pair.command(false, Command::RekeyChild(child));
        assert_eq!(rekeyed, Outcome::Handled);
        pair.run_for(secs(1));
    }
    let path = pair.a.endpoint.ike_sas().next().unwrap().path;
    let message = &second.borrow()[..];
    let (outcome, out) = pair.a.feed(Event::Datagram { path, message }, pair.now);
    assert_eq!((outcome, out.len()), (Outcome::Repeated, 1));
}

#[test]
fn an_old_informational_message_comes_in_once() {
    let mut pair = many_tunnels(2, |_| {});
    pair.bring_up();
    let delete = |pair: &mut Pair| {
        let child = pair.a.active[0];
        let _ = pair.command(false, Command::DeleteChild(child));
        let message = pair.flights.last().unwrap().datagram.clone();
        pair.run_for(secs(1));
        message
    };
    let old = delete(&mut pair);
    let newest = delete(&mut pair);
    assert!(pair.b.children.is_empty());
    let path = pair.b.endpoint.ike_sas().next().unwrap().path;
    let mut feed = |message: &[u8]| {
        let event = Event::Datagram { path, message };
        pair.b.feed(event, pair.now).0
    };
    assert_eq!(feed(&newest), Outcome::Repeated);
    let id = u32::from_be_bytes(old[20..24].try_into().unwrap());
    let replayed = DropReason::ReplayedMessageId(id);
    assert_eq!(feed(&old), Outcome::Dropped(replayed));
}

#[test]
fn an_error_ends_the_quick_mode_whose_spi_it_names() {
    for refused in 0..2 {
        let mut pair = many_tunnels(2, |_| {});
        let mut b = config(B, A, b"secret");
        let side = |side, n| net(&format!("10.{side}.{n}.0"), 24);
        let left = 1 - refused;
        b.peers[0].children = vec![ChildConfig::new("net", side(2, left), side(1, left))];
        pair.b = End::new(b, 2);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(1));
        assert_eq!(pair.a.failed.len(), 1);
        assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
        pair.assert_tunnel();
    }
}

/// A rekey of A whose last message is held back, and that message.
fn held_back() -> (Pair, Flight) {
    let mut pair = Pair::established();
    let child = pair.a.active[0];
    let rekeyed = pair.command(false, Command::RekeyChild(child));
    assert_eq!(rekeyed, Outcome::Handled);
    for _ in 0..2 {
        let flight = pair.flights.remove(0);
        pair.deliver(flight);
    }
    let last = pair.flights.remove(0);
    assert!(last.to_b && pair.flights.is_empty());
    (pair, last)
}

#[test]
fn the_last_message_of_an_older_quick_mode_takes_nothing_from_a_newer_one() {
    let (mut pair, last) = held_back();
    let newer = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(newer));
    pair.run_for(secs(1));
    let active = pair.b.active.clone();
    let newest = pair.b.children.keys().last().unwrap();
    assert_eq!(active, [*newest]);
    pair.deliver(last);
    assert_eq!(pair.outcomes.last(), Some(&(true, Outcome::Handled)));
    assert_eq!(pair.b.active, active);
    pair.run_for(secs(80));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    pair.assert_tunnel();
}

#[test]
fn a_child_that_waits_is_used_when_the_peer_deletes_the_one_before_it() {
    let (mut pair, _lost) = held_back();
    let old = *pair.a.children.keys().next().unwrap();
    let _ = pair.command(false, Command::DeleteChild(old));
    let flight = pair.flights.remove(0);
    pair.deliver(flight);
    assert_eq!(pair.b.children.len(), 1);
    let waited = *pair.b.children.keys().next().unwrap();
    assert_eq!(pair.b.active, [waited]);
}

#[test]
fn the_child_that_was_replaced_is_used_again_when_the_peer_deletes_its_successor() {
    let (mut pair, last) = held_back();
    pair.deliver(last);
    let old = *pair.a.children.keys().next().unwrap();
    let new = *pair.b.active.last().unwrap();
    assert_ne!(pair.a.active, [old]);
    let _ = pair.command(true, Command::DeleteChild(new));
    // The Delete of the newer one arrives alone.
    let mut deleted = 0;
    for flight in std::mem::take(&mut pair.flights) {
        if !flight.to_b && deleted == 0 {
            deleted += 1;
            pair.deliver(flight);
        }
    }
    assert_eq!(pair.a.active, [old], "{:?}", pair.a.removed);
}
