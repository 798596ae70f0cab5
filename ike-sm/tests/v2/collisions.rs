//! Rekeys and deletions of both ends that cross on the way (RFC 7296 §2.8.1, §2.8.2, §2.25).
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ike_sm::config::{Config, Dpd};
use ike_sm::{CloseReason, Command, Outcome};

use crate::common::{End, Pair, secs};
use crate::configs;

/// A tunnel; of each seed another end draws the lower nonces.
fn established(seed: u64) -> Pair {
    let quiet = |c: &mut Config| c.peers[0].dpd = Dpd::Off;
    let (a, b) = configs(quiet);
    let mut pair = Pair::new(a, b);
    pair.a = End::new(configs(quiet).0, 1000 + seed);
    pair.bring_up();
    pair
}

/// Datagrams that go this way are lost while it is set.
fn cut(pair: &mut Pair, to_b: bool) -> Rc<Cell<bool>> {
    let lost = Rc::new(Cell::new(true));
    let here = Rc::clone(&lost);
    pair.fate = Box::new(move |flight| !(here.get() && flight.to_b == to_b));
    lost
}

fn rekey_child(pair: &mut Pair, b: bool) -> Outcome {
    let child = *pair.end(b).active.last().unwrap();
    pair.command(b, Command::RekeyChild(child))
}

fn rekey_ike(pair: &mut Pair, b: bool) {
    let ike = *pair.end(b).ikes.last().unwrap();
    assert_eq!(pair.command(b, Command::RekeyIke(ike)), Outcome::Handled);
}

fn spis(end: &End) -> Vec<[u8; 8]> {
    let sas = end.endpoint.ike_sas();
    sas.flat_map(|sa| [sa.initiator_spi, sa.responder_spi])
        .collect()
}

fn at_rest(pair: &mut Pair, ikes: usize, children: usize) {
    for end in [&pair.a, &pair.b] {
        let found = (end.endpoint.ike_sas().count(), end.children.len());
        assert_eq!(found, (ikes, children), "{:?}", end.actions);
        assert_eq!(end.endpoint.leftovers(), [""; 0]);
    }
    assert_eq!(spis(&pair.a), spis(&pair.b));
    if children > 0 {
        pair.assert_tunnel();
    }
}

fn quiet(pair: &mut Pair, time: Duration) {
    let end = pair.now + time;
    while pair.now < end {
        pair.run_for(Duration::from_millis(50));
        pair.assert_tunnel();
    }
}

#[test]
fn a_pair_that_the_peer_has_replaced_is_not_replaced_again() {
    for seed in 0..8 {
        let mut pair = established(seed);
        // Twice, before B sends on the first.
        for _ in 0..2 {
            assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
            pair.run_for(pair.latency * 2);
        }
        assert_eq!((pair.b.children.len(), pair.b.active.len()), (3, 1));
        let sent = pair.sent;
        assert_eq!(rekey_child(&mut pair, true), Outcome::Handled);
        assert_eq!(pair.sent, sent, "its successor is there");
        quiet(&mut pair, secs(100));
        at_rest(&mut pair, 1, 1);
    }
}

#[test]
fn rfc7296_s2_25_1_a_rekey_that_comes_when_ours_is_through_finds_us_busy() {
    for seed in 0..8 {
        let mut pair = established(seed);
        // B's request does not come through, A's does.
        let lost = cut(&mut pair, false);
        assert_eq!(rekey_child(&mut pair, true), Outcome::Handled);
        lost.set(false);
        assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
        pair.run_for(pair.latency * 2);
        let new = *pair.a.active.last().unwrap();
        quiet(&mut pair, secs(100));
        at_rest(&mut pair, 1, 1);
        assert_eq!(pair.a.active, [new], "B's rekey came to nothing");
        let busy = CloseReason::RefusedByPeer(43);
        assert_eq!(pair.b.failed, [busy], "TEMPORARY_FAILURE");
        assert_eq!(pair.b.removed.len(), 1);
    }
}

#[test]
fn rfc7296_s2_8_1_a_rekey_that_comes_when_the_old_pair_is_gone_leaves_the_new_one_alone() {
    for seed in 0..8 {
        let mut pair = established(seed);
        let old = pair.a.active[0];
        let lost = cut(&mut pair, false);
        assert_eq!(rekey_child(&mut pair, true), Outcome::Handled);
        lost.set(false);
        assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
        pair.run_for(pair.latency * 2);
        let new = *pair.a.active.last().unwrap();
        // Lost again and again, until A has deleted the old pair.
        let a_child = pair.a.children[&new].spi_in;
        lost.set(true);
        pair.fate = Box::new(|flight| flight.to_b || flight.datagram[18] != 36);
        quiet(&mut pair, secs(20));
        assert!(!pair.a.children.contains_key(&old));
        pair.fate = Box::new(|_| true);
        quiet(&mut pair, secs(100));
        at_rest(&mut pair, 1, 1);
        assert_eq!(
            pair.a.children[&new].spi_in, a_child,
            "CHILD_SA_NOT_FOUND is no news"
        );
        assert_eq!(pair.b.failed, [CloseReason::RefusedByPeer(44)]);
        assert!(pair.a.removed.iter().all(|(gone, _)| *gone == old));
    }
}

#[test]
fn rfc7296_s2_8_1_the_nonces_decide_however_late_the_last_response_comes() {
    let mut won = [0; 2];
    for seed in 0..12 {
        let mut pair = established(seed);
        assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
        assert_eq!(rekey_child(&mut pair, true), Outcome::Handled);
        pair.run_for(pair.latency);
        // Both have answered. A's answers do not reach B.
        pair.flights.retain(|flight| !flight.to_b);
        pair.fate = Box::new(|f| !(f.to_b && f.datagram[18] == 36 && f.datagram[19] & 0x20 != 0));
        pair.run_for(pair.latency);
        let state = pair.a.active.clone();
        let a_won = state.len() == 1 && pair.a.children.len() == 3 && state[0] != first(&pair);
        won[usize::from(a_won)] += 1;
        quiet(&mut pair, secs(5));
        if a_won {
            // The winner goes on, and is replaced itself before B hears of the collision.
            assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
        }
        quiet(&mut pair, secs(30));
        pair.fate = Box::new(|_| true);
        quiet(&mut pair, secs(100));
        at_rest(&mut pair, 1, 1);
        let theirs = pair.b.active[0];
        let (a, b) = (
            &pair.a.children[&pair.a.active[0]],
            &pair.b.children[&theirs],
        );
        assert_eq!(a.initiator, a_won, "seed {seed}");
        assert_eq!((a.spi_in, a.spi_out), (b.spi_out, b.spi_in));
    }
    assert!(won.iter().all(|n| *n > 0), "{won:?}");
}

/// The oldest child of A.
fn first(pair: &Pair) -> ike_sm::ChildId {
    *pair.a.children.keys().next().unwrap()
}

#[test]
fn a_rekey_of_a_pair_that_we_have_not_heard_of_yet_finds_us_busy() {
    let mut pair = established(0);
    let child = pair.b.active[0];
    let outcome = pair.command(true, Command::DeleteChild(child));
    assert_eq!(outcome, Outcome::Handled);
    pair.run_for(secs(1));
    // B makes another one, and A's answer is lost.
    let lost = cut(&mut pair, true);
    assert_eq!(pair.initiate(true), Outcome::Handled);
    pair.run_for(pair.latency);
    lost.set(false);
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 0));
    assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
    pair.run_for(secs(100));
    at_rest(&mut pair, 1, 1);
    let busy = CloseReason::RefusedByPeer(43);
    assert!(!pair.a.failed.is_empty(), "until B has its half");
    assert!(pair.a.failed.iter().all(|reason| *reason == busy));
}

#[test]
fn rfc7296_s2_25_2_a_deletion_that_waits_for_two_rekeys_of_the_ike_sa_reaches_the_peer() {
    for seed in 0..8 {
        for b in [false, true] {
            let mut pair = established(seed);
            let lost = cut(&mut pair, !b);
            rekey_ike(&mut pair, b);
            lost.set(false);
            rekey_ike(&mut pair, !b);
            let child = pair.end(b).active[0];
            assert_eq!(
                pair.command(b, Command::DeleteChild(child)),
                Outcome::Handled
            );
            pair.run_for(secs(100));
            at_rest(&mut pair, 1, 0);
        }
    }
}

#[test]
fn rfc7296_s2_25_2_the_end_of_an_ike_sa_is_the_end_of_both_its_successors() {
    for seed in 0..8 {
        for gap in [0, 10, 20, 30, 40, 60] {
            for lossy in [false, true] {
                let mut pair = established(seed);
                rekey_ike(&mut pair, false);
                rekey_ike(&mut pair, true);
                pair.run_for(Duration::from_millis(gap));
                if lossy {
                    pair.flights.clear();
                }
                let ike = *pair.a.ikes.last().unwrap();
                assert_eq!(
                    pair.command(false, Command::DeleteIke(ike)),
                    Outcome::Handled
                );
                pair.run_for(secs(200));
                at_rest(&mut pair, 0, 0);
            }
        }
    }
}

#[test]
fn a_negotiation_ends_with_its_ike_sa_and_gives_its_spi_back() {
    let mut pair = established(0);
    let lost = cut(&mut pair, true);
    assert_eq!(rekey_child(&mut pair, false), Outcome::Handled);
    lost.set(false);
    let ike = pair.b.ikes[0];
    assert_eq!(
        pair.command(true, Command::DeleteIke(ike)),
        Outcome::Handled
    );
    pair.run_for(secs(100));
    at_rest(&mut pair, 0, 0);
    assert_eq!(pair.a.failed, [CloseReason::DeletedByPeer]);
}
