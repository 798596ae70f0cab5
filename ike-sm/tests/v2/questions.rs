//! IKE_AUTH parks on a question.
use ike_sm::config::{Identity, PskTable};
use ike_sm::{Answer, CloseReason, Command, Event, Outcome, PskStage, Question};

use crate::common::{A, Pair, ip, secs};
use crate::configs;

fn asking(side_b: bool) -> Pair {
    let (mut a, mut b) = configs(|_| {});
    if side_b {
        b.psks = PskTable::new();
    } else {
        a.psks = PskTable::new();
    }
    Pair::new(a, b)
}

#[test]
fn the_responder_asks_for_the_key_of_the_identity_and_absorbs_repetitions() {
    let mut pair = asking(true);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(6));
    let (ticket, question) = pair.b.asked.remove(0);
    let Question::Psk {
        identity, stage, ..
    } = question
    else {
        panic!("{question:?}");
    };
    assert_eq!(identity, Some(Identity::Address(ip(A))));
    assert_eq!(stage, PskStage::Authentication);
    assert!(pair.outcomes.contains(&(true, Outcome::Repeated)));
    let answer = Answer::Psk(Some(b"secret"[..].into()));
    assert_eq!(
        pair.feed(true, Event::Answer(ticket, answer)),
        Outcome::Handled
    );
    pair.run_for(secs(3));
    pair.assert_tunnel();
    assert!(pair.b.asked.is_empty());
}

#[test]
fn the_initiator_asks_too() {
    let mut pair = asking(false);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (ticket, _) = pair.a.asked.remove(0);
    let answer = Answer::Psk(Some(b"secret"[..].into()));
    assert_eq!(
        pair.feed(false, Event::Answer(ticket, answer)),
        Outcome::Handled
    );
    pair.run_for(secs(3));
    pair.assert_tunnel();
}

#[test]
fn c23_no_key_fails_like_a_wrong_key_and_no_answer_fails_in_time() {
    let mut pair = asking(true);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (ticket, _) = pair.b.asked.remove(0);
    let _ = pair.feed(true, Event::Answer(ticket, Answer::Psk(None)));
    pair.run_for(secs(1));
    assert_eq!(pair.a.closed[0].1, CloseReason::RefusedByPeer(24));

    let mut pair = asking(true);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(12));
    assert_eq!(pair.a.closed[0].1, CloseReason::RefusedByPeer(24));
    assert_eq!(pair.b.endpoint.ike_sas().count(), 0);
}

fn authorizing() -> Pair {
    let (a, mut b) = configs(|_| {});
    b.authorize_children = true;
    Pair::new(a, b)
}

/// Answers the one question about a child that is open at B.
fn authorize(pair: &mut Pair, yes: bool) {
    let (ticket, question) = pair.b.asked.remove(0);
    assert!(matches!(question, Question::AuthorizeChild { .. }));
    let event = Event::Answer(ticket, Answer::Authorize(yes));
    assert_eq!(pair.feed(true, event), Outcome::Handled);
    pair.run_for(secs(1));
}

#[test]
fn every_child_of_the_peer_is_asked_about() {
    let mut pair = authorizing();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert!(pair.a.children.is_empty());
    authorize(&mut pair, true);
    pair.assert_tunnel();
    // The rekey of a child waits for its answer too, and the rest goes on.
    let child = pair.a.active[0];
    let _ = pair.command(false, Command::RekeyChild(child));
    pair.run_for(secs(1));
    assert_eq!(pair.b.children.len(), 1);
    pair.assert_tunnel();
    authorize(&mut pair, true);
    pair.run_for(secs(15));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    assert!(pair.a.active != [child]);
    pair.assert_tunnel();
}

#[test]
fn a_child_that_is_not_granted_leaves_the_ike_sa() {
    let mut pair = authorizing();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    authorize(&mut pair, false);
    assert_eq!(pair.a.failed, [CloseReason::RefusedByPeer(38)]);
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
    // Nobody answers about the next one: that is a no, in time.
    let _ = pair.initiate(false);
    pair.run_for(secs(15));
    assert_eq!(pair.a.failed.len(), 2);
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
}
