//! IKE_AUTH parks on a question.
use ike_sm::config::{Identity, PskTable};
use ike_sm::{Answer, CloseReason, Event, Outcome, PskStage, Question};

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
fn no_key_fails_like_a_wrong_key_and_no_answer_fails_in_time() {
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
