//! Key exchanges that the embedder computes.

use crypto_suite::GroupId;
use ike_sm::config::{Config, Offload, Pfs, Phase1Mode};
use ike_sm::{Answer, Command, Event, Outcome, Question};

use crate::common::{A, B, Pair, config, secs};

/// A pair whose B does not compute its key exchanges itself.
fn asking(change: impl Fn(&mut Config)) -> Pair {
    let [mut a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    for config in [&mut a, &mut b] {
        config.peers[0].children[0].pfs = Pfs::Required(GroupId::Modp2048);
        change(config);
    }
    b.offload = Offload::heavy();
    Pair::new(a, b)
}

/// Computes what B asks for.
fn compute(pair: &mut Pair) {
    let (ticket, question) = pair.b.asked.remove(0);
    let Question::KeyExchange(job) = question else {
        panic!("{question:?}");
    };
    let answer = Answer::KeyExchange(Some(job.run()));
    let outcome = pair.feed(true, Event::Answer(ticket, answer));
    assert_eq!(outcome, Outcome::Handled);
}

#[test]
fn x9_main_mode_and_quick_mode_ask_for_the_half_of_the_responder() {
    let mut pair = asking(|_| {});
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(6));
    assert_eq!(pair.b.asked.len(), 1);
    assert!(pair.b.endpoint.is_unproved(pair.b.asked[0].0));
    assert!(pair.outcomes.contains(&(true, Outcome::Repeated)));
    compute(&mut pair);
    pair.run_for(secs(2));
    // Phase 1 is over; quick mode has a key exchange of its own.
    assert_eq!(pair.b.asked.len(), 1);
    assert!(!pair.b.endpoint.is_unproved(pair.b.asked[0].0));
    compute(&mut pair);
    pair.run_for(secs(3));
    pair.assert_tunnel();
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(child));
    pair.run_for(secs(1));
    compute(&mut pair);
    pair.run_for(secs(3));
    pair.assert_tunnel();
    assert!(pair.a.active != [child]);
    assert!(pair.b.asked.is_empty());
    assert!(pair.b.endpoint.is_consistent());
}

#[test]
fn x9_aggressive_mode_asks_for_the_half_of_the_responder() {
    let mut pair = asking(|config| {
        config.peers[0].mode = Phase1Mode::AggressiveExposingPskHash;
        config.peers[0].children[0].pfs = Pfs::Off;
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(6));
    assert_eq!(pair.b.asked.len(), 1);
    assert!(pair.b.endpoint.is_unproved(pair.b.asked[0].0));
    compute(&mut pair);
    pair.run_for(secs(3));
    pair.assert_tunnel();
}

#[test]
fn x9_a_half_that_nobody_computes_leaves_nothing() {
    for quick in [false, true] {
        let mut pair = asking(|_| {});
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(1));
        if quick {
            compute(&mut pair);
            pair.run_for(secs(1));
        }
        pair.fate = Box::new(|_| false);
        let (ticket, question) = pair.b.asked.remove(0);
        let Question::KeyExchange(job) = question else {
            panic!();
        };
        pair.run_for(secs(11));
        let late = Event::Answer(ticket, Answer::KeyExchange(Some(job.run())));
        assert!(pair.feed(true, late).dropped().is_some());
        assert!(pair.b.children.is_empty());
        assert!(pair.b.endpoint.leftovers().is_empty() && pair.b.endpoint.is_consistent());
    }
}

/// A pair whose A, which starts, does not compute its key pairs and shared secrets itself.
fn starting(mode: Phase1Mode) -> Pair {
    let [mut a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    for config in [&mut a, &mut b] {
        config.peers[0].mode = mode;
        config.peers[0].children[0].pfs = Pfs::Required(GroupId::Modp2048);
    }
    a.offload = Offload::heavy();
    Pair::new(a, b)
}

/// Computes what A asks for.
fn agree(pair: &mut Pair) {
    let (ticket, question) = pair.a.asked.remove(0);
    let Question::KeyExchange(job) = question else {
        panic!("{question:?}");
    };
    assert!(!pair.a.endpoint.is_unproved(ticket));
    let answer = Answer::KeyExchange(Some(job.run()));
    assert_eq!(
        pair.feed(false, Event::Answer(ticket, answer)),
        Outcome::Handled
    );
}

#[test]
fn x9_the_initiator_asks_for_its_half_and_absorbs_repetitions() {
    for mode in [Phase1Mode::Main, Phase1Mode::AggressiveExposingPskHash] {
        let mut pair = starting(mode);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(1));
        // The key pair, and then the shared secret.
        assert_eq!(pair.a.asked.len(), 1, "{mode:?}");
        let sent = pair.sent;
        pair.run_for(secs(6));
        assert_eq!(
            pair.sent, sent,
            "nothing is sent before there is a key pair"
        );
        agree(&mut pair);
        pair.run_for(secs(1));
        assert_eq!(pair.a.asked.len(), 1, "{mode:?}");
        let sent = pair.flights.len();
        pair.run_for(secs(6));
        assert_eq!(pair.flights.len(), sent, "what is answered is not repeated");
        agree(&mut pair);
        pair.run_for(secs(1));
        assert_eq!(
            pair.a.asked.len(),
            1,
            "quick mode has a key exchange of its own"
        );
        agree(&mut pair);
        pair.run_for(secs(6));
        assert!(pair.outcomes.contains(&(false, Outcome::Repeated)));
        agree(&mut pair);
        pair.run_for(secs(3));
        pair.assert_tunnel();
        let child = pair.a.active[0];
        let _ = pair.command(false, Command::RekeyChild(child));
        for _ in 0..2 {
            pair.run_for(secs(1));
            agree(&mut pair);
        }
        pair.run_for(secs(3));
        pair.assert_tunnel();
        assert!(pair.a.active != [child]);
        assert!(pair.a.asked.is_empty() && pair.a.endpoint.is_consistent());
    }
}

#[test]
fn x9_a_half_of_the_initiator_that_nobody_computes_leaves_nothing() {
    // Which of four computations is missing, and whether it is refused or not answered.
    for case in 0..8 {
        let (missing, answered) = (case / 2, case % 2 == 1);
        let mut pair = starting(Phase1Mode::Main);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(1));
        for _ in 0..missing {
            agree(&mut pair);
            pair.run_for(secs(1));
        }
        let quick = missing > 1;
        let (ticket, question) = pair.a.asked.remove(0);
        let Question::KeyExchange(job) = question else {
            panic!();
        };
        if answered {
            let none = Event::Answer(ticket, Answer::KeyExchange(None));
            assert_eq!(pair.feed(false, none), Outcome::Handled);
            pair.run_for(secs(1));
        } else {
            pair.run_for(secs(11));
        }
        let late = Event::Answer(ticket, Answer::KeyExchange(Some(job.run())));
        assert!(pair.feed(false, late).dropped().is_some());
        assert!(pair.a.children.is_empty());
        // The peer has been told where it held its half.
        assert!(!quick || pair.b.children.is_empty());
        assert!(pair.a.endpoint.is_consistent() && pair.b.endpoint.is_consistent());
    }
}
