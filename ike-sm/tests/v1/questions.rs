//! Questions to the embedder: keys, SPIs, authorisation.

use crypto_suite::Secret;
use ike_sm::config::PskTable;
use ike_sm::{Answer, CloseReason, DeadlineReason, DropReason, Event, Outcome, PskStage, Question};

use crate::common::{A, B, Pair, config, secs};

/// Answers the first open question of an end.
fn answer(pair: &mut Pair, b: bool, answer: Answer) -> Outcome {
    let (ticket, _) = pair.end(b).asked.remove(0);
    pair.feed(b, Event::Answer(ticket, answer))
}

fn psk() -> Answer {
    Answer::Psk(Some(Secret::from(&b"secret"[..])))
}

#[test]
fn k4_the_key_is_asked_for_at_the_first_and_at_the_third_message() {
    let mut other = config(B, A, b"secret");
    other.psks = PskTable::default();
    let mut pair = Pair::new(config(A, B, b"secret"), other);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(5));
    // Repetitions are absorbed meanwhile.
    assert!(pair.outcomes.contains(&(true, Outcome::Repeated)));
    assert_eq!(pair.b.asked.len(), 1);
    assert!(matches!(
        pair.b.asked[0].1,
        Question::Psk {
            stage: PskStage::FirstMessage,
            ..
        }
    ));
    assert_eq!(answer(&mut pair, true, psk()), Outcome::Handled);
    pair.run_for(secs(1));
    assert!(matches!(
        pair.b.asked[0].1,
        Question::Psk {
            stage: PskStage::KeyExchange,
            ..
        }
    ));
    assert_eq!(
        {
            let (ticket, _) = pair.b.asked[0].clone();
            pair.feed(true, Event::Answer(ticket, Answer::Spi(Some(1000))))
        },
        Outcome::Dropped(DropReason::WrongAnswer)
    );
    assert_eq!(answer(&mut pair, true, psk()), Outcome::Handled);
    pair.run_for(secs(3));
    pair.assert_tunnel();
}

#[test]
fn an_initiator_asks_for_its_key_too() {
    let mut own = config(A, B, b"secret");
    own.psks = PskTable::default();
    let mut pair = Pair::new(own, config(B, A, b"secret"));
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert_eq!(answer(&mut pair, false, psk()), Outcome::Handled);
    pair.run_for(secs(1));
    pair.assert_tunnel();
}

#[test]
fn d15_an_unanswered_question_ends_the_exchange_and_a_late_answer_changes_nothing() {
    let mut other = config(B, A, b"secret");
    other.psks = PskTable::default();
    let mut pair = Pair::new(config(A, B, b"secret"), other);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let deadline = pair.b.endpoint.next_deadline().unwrap();
    assert_eq!(deadline.why, DeadlineReason::Question);
    pair.flights.clear();
    pair.fate = Box::new(|_| false);
    pair.run_for(secs(20));
    assert_eq!(
        answer(&mut pair, true, psk()),
        Outcome::Dropped(DropReason::UnknownTicket)
    );
    assert_eq!(pair.b.endpoint.next_deadline(), None);
}

#[test]
fn no_key_is_an_answer() {
    let mut own = config(A, B, b"secret");
    own.psks = PskTable::default();
    let mut pair = Pair::new(own, config(B, A, b"secret"));
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert_eq!(
        answer(&mut pair, false, Answer::Psk(None)),
        Outcome::Handled
    );
    assert_eq!(pair.a.closed[0].1, CloseReason::NoPsk);
}

#[test]
fn q7_spis_come_from_the_embedder_and_must_be_usable() {
    let (mut own, mut other) = (config(A, B, b"secret"), config(B, A, b"secret"));
    own.ask_spis = true;
    other.ask_spis = true;
    let mut pair = Pair::new(own, other);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (ticket, question) = pair.a.asked[0].clone();
    assert!(matches!(
        question,
        Question::AllocateSpi { peer_spi: None, .. }
    ));
    // RFC 4303 §2.1: 1 to 255 are reserved.
    assert_eq!(
        pair.feed(false, Event::Answer(ticket, Answer::Spi(Some(255)))),
        Outcome::Dropped(DropReason::WrongAnswer)
    );
    assert_eq!(
        answer(&mut pair, false, Answer::Spi(Some(0x1111_1111))),
        Outcome::Handled
    );
    pair.run_for(secs(6));
    let (_, question) = pair.b.asked[0].clone();
    assert!(matches!(
        question,
        Question::AllocateSpi {
            peer_spi: Some(0x1111_1111),
            ..
        }
    ));
    assert_eq!(
        answer(&mut pair, true, Answer::Spi(Some(0x2222_2222))),
        Outcome::Handled
    );
    pair.run_for(secs(1));
    pair.assert_tunnel();
    assert_eq!(
        pair.a.children.values().next().unwrap().spi_out,
        0x2222_2222
    );
}

#[test]
fn q6_a_proposal_may_need_authorisation() {
    for granted in [true, false] {
        let mut other = config(B, A, b"secret");
        other.authorize_children = true;
        let mut pair = Pair::new(config(A, B, b"secret"), other);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(1));
        assert!(matches!(pair.b.asked[0].1, Question::AuthorizeChild { .. }));
        assert_eq!(
            answer(&mut pair, true, Answer::Authorize(granted)),
            Outcome::Handled
        );
        pair.run_for(secs(1));
        if granted {
            pair.assert_tunnel();
        } else {
            assert_eq!(pair.a.failed, [CloseReason::RefusedByPeer(18)]);
        }
    }
}
