//! Rekeying both phases under running traffic.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crypto_suite::GroupId;
use ike_sm::config::{Config, Lifetime, Pfs};
use ike_sm::{Command, Event, Outcome, Traffic};

use crate::common::{A, B, Pair, config, secs};

fn short(child: u64, ike: u64) -> (Config, Config) {
    let make = |own, peer| {
        let mut c = config(own, peer, b"secret");
        c.peers[0].children[0].lifetime = Lifetime::seconds(child);
        c.policies[0].lifetime = Lifetime::seconds(ike);
        c
    };
    (make(A, B), make(B, A))
}

/// Pings both ways every 100 ms; no packet may be lost.
fn run_with_traffic(pair: &mut Pair, time: Duration) {
    let until = pair.now + time;
    while pair.now < until {
        pair.run_for(Duration::from_millis(100));
        pair.assert_tunnel();
        assert!(pair.a.children.len() <= 4 && pair.b.children.len() <= 4);
        assert!(pair.a.ikes.len() <= 4 && pair.b.ikes.len() <= 4);
    }
}

#[test]
fn children_are_replaced_before_they_end_without_a_lost_packet() {
    let (a, b) = short(60, 86_400);
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let first = pair.a.active[0];
    run_with_traffic(&mut pair, secs(400));
    assert!(!pair.a.children.contains_key(&first));
    assert!(
        (7..=14).contains(&pair.a.removed.len()),
        "{}",
        pair.a.removed.len()
    );
    assert!(pair.a.failed.is_empty() && pair.b.failed.is_empty());
}

#[test]
fn phase_1_is_replaced_and_the_children_stay() {
    let (a, b) = short(86_400, 100);
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let child = pair.a.active[0];
    let ike = pair.a.ikes[0];
    run_with_traffic(&mut pair, secs(600));
    assert_eq!(pair.a.active, [child]);
    assert!(!pair.a.ikes.contains(&ike));
    assert!(
        (5..=16).contains(&pair.a.closed.len()),
        "{}",
        pair.a.closed.len()
    );
    // The new SA serves the old child.
    assert_eq!(
        pair.command(true, Command::RekeyChild(pair.b.active[0])),
        Outcome::Handled
    );
    run_with_traffic(&mut pair, secs(20));
    assert_ne!(pair.a.active, [child]);
}

#[test]
fn both_ends_rekey_a_child_at_once_and_keep_the_same_one() {
    for offset in [0u64, 1, 10, 19, 20, 21, 30, 40, 50, 60] {
        let mut pair = Pair::established();
        let (a, b) = (pair.a.active[0], pair.b.active[0]);
        assert_eq!(
            pair.command(false, Command::RekeyChild(a)),
            Outcome::Handled
        );
        pair.run_for(Duration::from_millis(offset));
        let _ = pair.command(true, Command::RekeyChild(b));
        let step = Duration::from_millis(5);
        for _ in 0..400 {
            pair.run_for(step);
            pair.assert_tunnel();
        }
        run_with_traffic(&mut pair, secs(80));
        assert_eq!(
            (pair.a.children.len(), pair.b.children.len()),
            (1, 1),
            "offset {offset}"
        );
        assert!(!pair.a.children.contains_key(&a), "offset {offset}");
    }
}

#[test]
fn colliding_rekeys_survive_the_loss_of_any_message() {
    for lost in 0..8 {
        let mut pair = Pair::established();
        let (a, b) = (pair.a.active[0], pair.b.active[0]);
        let count = Cell::new(0);
        pair.fate = Box::new(move |_| {
            count.set(count.get() + 1);
            count.get() != lost + 1
        });
        assert_eq!(
            pair.command(false, Command::RekeyChild(a)),
            Outcome::Handled
        );
        assert_eq!(pair.command(true, Command::RekeyChild(b)), Outcome::Handled);
        run_with_traffic(&mut pair, secs(150));
        assert_eq!(
            (pair.a.children.len(), pair.b.children.len()),
            (1, 1),
            "lost {lost}"
        );
    }
}

#[test]
fn both_ends_rekey_phase_1_at_once() {
    for offset in [0u64, 20, 40, 60, 80] {
        let mut pair = Pair::established();
        let (a, b) = (pair.a.ikes[0], pair.b.ikes[0]);
        assert_eq!(pair.command(false, Command::RekeyIke(a)), Outcome::Handled);
        pair.run_for(Duration::from_millis(offset));
        let _ = pair.command(true, Command::RekeyIke(b));
        run_with_traffic(&mut pair, secs(100));
        assert_eq!(
            (pair.a.ikes.len(), pair.b.ikes.len()),
            (1, 1),
            "offset {offset}"
        );
        assert_ne!(pair.a.ikes[0], a);
        assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    }
}

#[test]
fn pfs_is_negotiated_required_or_accepted() {
    let group = GroupId::Modp2048;
    for (a, b, ok) in [
        (Pfs::Required(group), Pfs::Required(group), true),
        (Pfs::Required(group), Pfs::AcceptIfOffered, true),
        (Pfs::AcceptIfOffered, Pfs::AcceptIfOffered, true),
        (Pfs::Off, Pfs::AcceptIfOffered, true),
        (Pfs::Off, Pfs::Required(group), false),
        (Pfs::Required(group), Pfs::Off, false),
    ] {
        let (mut ca, mut cb) = (config(A, B, b"secret"), config(B, A, b"secret"));
        ca.peers[0].children[0].pfs = a;
        cb.peers[0].children[0].pfs = b;
        let mut pair = Pair::new(ca, cb);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(3));
        if ok {
            pair.assert_tunnel();
        } else {
            assert!(
                pair.a.children.is_empty() && pair.b.children.is_empty(),
                "{a:?} {b:?}"
            );
        }
    }
}

#[test]
fn volume_starts_a_rekey_and_too_much_of_it_ends_a_child() {
    let make = |own, peer| {
        let mut c = config(own, peer, b"secret");
        c.peers[0].children[0].lifetime = Lifetime {
            time: secs(86_400),
            kilobytes: Some(1000),
        };
        c
    };
    let mut pair = Pair::new(make(A, B), make(B, A));
    pair.bring_up();
    let first = pair.a.active[0];
    let _ = pair.feed(false, Event::Traffic(first, Traffic::outbound(1_000_000)));
    pair.run_for(secs(1));
    assert_ne!(
        pair.a.active.last(),
        Some(&first),
        "rekeyed at the soft limit"
    );
    pair.assert_tunnel();
    let second = *pair.a.active.last().unwrap();
    let _ = pair.feed(false, Event::Traffic(second, Traffic::inbound(2_000_000)));
    assert!(
        !pair.a.children.contains_key(&second),
        "removed at the hard limit"
    );
}

#[test]
fn a_child_whose_ike_sa_is_gone_lives_on_and_gets_a_new_one_when_it_needs_it() {
    let (a, b) = short(300, 86_400);
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    // Phase 1 is deleted alone, as some peers do at its end.
    pair.run_for(secs(1));
    run_with_traffic(&mut pair, secs(700));
}

#[test]
fn a_pair_that_the_peer_made_a_moment_ago_is_replaced_later() {
    let mut pair = Pair::established();
    let rekey = |pair: &mut Pair, b: bool| {
        let child = *pair.end(b).active.last().unwrap();
        pair.command(b, Command::RekeyChild(child))
    };
    assert_eq!(rekey(&mut pair, false), Outcome::Handled);
    run_with_traffic(&mut pair, Duration::from_millis(200));
    let (sent, made) = (pair.sent, pair.b.active.clone());
    assert_eq!(rekey(&mut pair, true), Outcome::Handled);
    assert_eq!(pair.sent, sent, "it would look like a rekey that crossed");
    run_with_traffic(&mut pair, secs(4));
    let replaced = pair.b.active.last();
    assert!(replaced.is_some_and(|new| !made.contains(new)));
    run_with_traffic(&mut pair, secs(100));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
}

#[test]
fn the_sa_that_was_replaced_serves_again_when_its_successor_is_deleted() {
    for b in [false, true] {
        let mut pair = Pair::established();
        let old = (pair.a.ikes.clone(), pair.b.ikes.clone());
        let rekeyed = pair.command(false, Command::RekeyIke(old.0[0]));
        assert_eq!(rekeyed, Outcome::Handled);
        pair.run_for(secs(1));
        let new = *pair.end(b).ikes.last().unwrap();
        assert_eq!(pair.command(b, Command::DeleteIke(new)), Outcome::Handled);
        pair.run_for(secs(1));
        assert_eq!(pair.initiate(false), Outcome::Handled);
        // Longer than a replaced one is kept.
        pair.run_for(secs(20));
        pair.assert_tunnel();
        assert_eq!((&pair.a.ikes, &pair.b.ikes), (&old.0, &old.1));
    }
}

#[test]
fn a_child_that_is_being_negotiated_is_not_begun_again() {
    let mut pair = Pair::default();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    while pair.a.ikes.is_empty() {
        assert!(pair.step(pair.now + secs(1)));
    }
    let sent = pair.sent;
    assert_eq!(pair.initiate(false), Outcome::Handled);
    assert_eq!(pair.sent, sent);
    run_quietly(&mut pair);
    let child = pair.a.active[0];
    for expected in [1, 0] {
        let sent = pair.sent;
        let rekeyed = pair.command(false, Command::RekeyChild(child));
        assert_eq!(rekeyed, Outcome::Handled);
        assert_eq!(pair.sent, sent + expected);
    }
    run_quietly(&mut pair);
}

/// Lets what is under way come to its end, which is one tunnel.
fn run_quietly(pair: &mut Pair) {
    pair.run_for(secs(20));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    pair.assert_tunnel();
}

#[test]
fn a_rekey_that_nobody_answers_gives_way_to_the_one_of_the_peer() {
    let mut pair = Pair::established();
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(child));
    let lost = pair.flights.remove(0).datagram[20..24].to_vec();
    let repeated = Rc::new(Cell::new(0));
    let count = Rc::clone(&repeated);
    pair.fate = Box::new(move |flight| {
        let again = flight.datagram[20..24] == lost[..];
        count.set(count.get() + usize::from(again));
        !again
    });
    let child = pair.b.active[0];
    let _ = pair.command(true, Command::RekeyChild(child));
    run_with_traffic(&mut pair, secs(100));
    assert_eq!(repeated.get(), 0);
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
}
