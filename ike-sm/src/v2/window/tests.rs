use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::Digest;
use isakmp_wire::registry::ExchangeType;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Datagrams, Incoming, Overdue, Owed, REKEY_AT, Request, Window};
use crate::config::Retransmit;
use crate::model::Path;

fn hash(octet: u8) -> Digest {
    Digest::new(&[octet; 32])
}

fn message(octet: u8) -> Datagrams {
    Bytes::from(alloc::vec![octet; 4]).into()
}

fn request(id: u32) -> Request {
    let host = core::net::Ipv4Addr::LOCALHOST;
    Request {
        id,
        exchange: ExchangeType::IKE_AUTH,
        path: Path::plain((host, 500).into(), (host, 501).into()),
    }
}

/// Answers a request that was accepted before.
fn answer(window: &mut Window, id: u32, answer: Datagrams) {
    let _settled = window.answer(Owed::new(request(id)), answer);
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

#[test]
fn rfc7296_s2_1_a_repeated_request_gets_the_same_octets_and_other_octets_get_nothing() {
    let mut window = Window::new();
    assert_eq!(window.classify(0, &hash(0)), Incoming::Fresh);
    let _owed = window.accept(request(0), hash(0));
    assert_eq!(window.classify(0, &hash(0)), Incoming::Repeated(None));
    answer(&mut window, 0, message(7));
    let again = Incoming::Repeated(Some(message(7)));
    assert_eq!(window.classify(0, &hash(0)), again);
    assert_eq!(window.classify(0, &hash(1)), Incoming::Conflicting);
    let _owed = window.accept(request(1), hash(1));
    assert_eq!(window.classify(0, &hash(0)), Incoming::Stale);
}

#[test]
fn rfc7296_s2_3_a_window_of_one_takes_one_request_at_a_time() {
    let mut window = Window::new();
    assert_eq!(window.classify(1, &hash(1)), Incoming::Ahead);
    let _owed = window.accept(request(0), hash(0));
    // Not answered yet: the next one is not due.
    assert_eq!(window.classify(1, &hash(1)), Incoming::Ahead);
    answer(&mut window, 0, message(0));
    assert_eq!(window.classify(1, &hash(1)), Incoming::Fresh);
}

#[test]
fn rfc7296_s2_3_a_wider_window_takes_requests_out_of_order_and_keeps_their_answers() {
    let mut window = Window::new();
    window.open(3);
    let _owed = window.accept(request(2), hash(2));
    answer(&mut window, 2, message(2));
    assert_eq!(window.classify(3, &hash(3)), Incoming::Ahead);
    let _owed = window.accept(request(0), hash(0));
    answer(&mut window, 0, message(0));
    assert_eq!(window.classify(3, &hash(3)), Incoming::Fresh);
    let _owed = window.accept(request(1), hash(1));
    answer(&mut window, 1, message(1));
    for id in 0..3 {
        let octet = u8::try_from(id).unwrap();
        let answer = Incoming::Repeated(Some(message(octet)));
        assert_eq!(window.classify(id, &hash(octet)), answer);
    }
    let _owed = window.accept(request(3), hash(3));
    assert_eq!(window.classify(0, &hash(0)), Incoming::Stale);
}

#[test]
fn our_requests_wait_until_the_peer_has_room() {
    let (mut window, patience) = (Window::new(), Retransmit::default());
    let send = |window: &mut Window| {
        window.sent(message(0), &patience, Duration::ZERO, &mut rng());
    };
    send(&mut window);
    assert!(!window.has_room() && window.awaits(0));
    window.peer_takes(2, 8);
    assert!(window.has_room());
    send(&mut window);
    assert!(!window.has_room());
    // The second one is answered first: the oldest still bounds the window.
    window.answered(1);
    assert!(!window.has_room());
    window.answered(0);
    assert!(window.has_room() && window.deadline().is_none());
    window.peer_takes(1, 8);
    assert_eq!(window.ours.size, 2);
}

#[test]
fn a_request_is_repeated_as_configured_and_then_given_up() {
    let (mut window, patience) = (Window::new(), Retransmit::default());
    window.sent(message(9), &patience, Duration::ZERO, &mut rng());
    let mut log = Vec::new();
    while let Some(at) = window.deadline() {
        for due in window.overdue(at, &mut rng()) {
            if let Overdue::GiveUp(id) = due {
                window.answered(id);
            }
            log.push(at.as_millis());
        }
    }
    // 4 s, then each wait 1.8 times the one before, at most 60 s.
    assert_eq!(log, [4000, 11_200, 24_160, 47_488, 89_478, 149_478]);
}

#[test]
fn c12_message_ids_never_wrap() {
    let mut window = Window::new();
    assert!(!window.wants_rekey());
    window.ours.next = REKEY_AT;
    assert!(window.wants_rekey() && !window.is_exhausted());
    window.theirs.next = u32::MAX - 1;
    let _owed = window.accept(request(u32::MAX - 1), hash(1));
    assert!(window.is_exhausted());
    answer(&mut window, u32::MAX - 1, message(1));
    let _owed = window.accept(request(u32::MAX), hash(2));
    assert_eq!(window.theirs.next, u32::MAX);
    answer(&mut window, u32::MAX, message(2));
    // Nothing begins anew behind the last one.
    for id in [0, 1, REKEY_AT, u32::MAX - 2] {
        assert_eq!(window.classify(id, &hash(3)), Incoming::Stale, "{id}");
    }
    assert_eq!(window.classify(u32::MAX, &hash(3)), Incoming::Conflicting);
}

/// RFC 7296 §2.2: the message ID is the protection against replays. However wide the window is, one
/// that was used is never fresh again, and its answer is kept as long as the peer may ask for it.
#[test]
fn c12_a_message_id_is_taken_once() {
    for size in [1, 2, 5] {
        let mut window = Window::new();
        window.open(size);
        let size = u32::from(size);
        for id in 0..40 {
            assert_eq!(window.classify(id, &hash(7)), Incoming::Fresh, "{id}");
            let _owed = window.accept(request(id), hash(7));
            answer(&mut window, id, message(7));
            for old in 0..=id {
                let answer = Incoming::Repeated(Some(message(7)));
                let kept = old + size > id;
                let expected = if kept { answer } else { Incoming::Stale };
                assert_eq!(window.classify(old, &hash(7)), expected, "{old} of {id}");
                let other = if kept {
                    Incoming::Conflicting
                } else {
                    Incoming::Stale
                };
                assert_eq!(window.classify(old, &hash(8)), other, "{old} of {id}");
            }
            assert_eq!(window.classify(id + 1 + size, &hash(7)), Incoming::Ahead);
        }
    }
}

#[test]
fn each_request_that_waits_is_found_by_its_own_message_id() {
    let (mut window, patience) = (Window::new(), Retransmit::default());
    assert!(!window.is_waiting() && !window.awaits(0));
    window.peer_takes(3, 8);
    for octet in 0..3 {
        window.sent(message(octet), &patience, Duration::ZERO, &mut rng());
    }
    assert!(window.is_waiting() && window.awaits(2) && !window.awaits(3));
    // Another request in the place of the second, at another time: the others stay.
    let later = Duration::from_secs(2);
    window.resent(1, message(9), later, &mut rng());
    window.resent(7, message(8), later, &mut rng());
    assert_eq!(window.deadline(), Some(Duration::from_secs(4)));
    let due = window.overdue(Duration::from_secs(4), &mut rng());
    let again = [0, 2].map(|octet| Overdue::Resend(message(octet)));
    assert_eq!(due, again);
    let due = window.overdue(Duration::from_secs(6), &mut rng());
    assert_eq!(due, [Overdue::Resend(message(9))]);
    // Repeated as often as at first.
    assert_eq!(window.renew(7, later, &mut rng()), None);
    let renewed = window.renew(2, Duration::from_secs(7), &mut rng());
    assert_eq!(renewed, Some(message(2)));
    assert_eq!(
        window.renew(1, Duration::ZERO, &mut rng()),
        Some(message(9))
    );
    assert_eq!(window.deadline(), Some(Duration::from_secs(4)));
    window.answered(1);
    assert!(!window.awaits(1) && window.awaits(0) && window.awaits(2));
    window.stop();
    assert!(!window.is_waiting() && window.deadline().is_none());
}

#[test]
fn answers_are_found_by_their_message_id_and_kept_when_requests_stop() {
    let mut window = Window::new();
    window.open(2);
    assert!(!window.has_answers());
    for id in [0u32, 1] {
        let _owed = window.accept(request(id), hash(0));
        assert!(window.answer_to(id).is_none());
        answer(&mut window, id, message(u8::try_from(id).unwrap()));
    }
    assert_eq!(window.answer_to(0), Some(&message(0)));
    assert_eq!(window.answer_to(1), Some(&message(1)));
    window.stop();
    assert!(window.has_answers());
    // RFC 6311 §9: what a peer has said it goes on with counts like what has come.
    assert_eq!(window.highest(), Some(1));
    window.announced(40);
    window.announced(30);
    assert_eq!(window.highest(), Some(40));
}

#[test]
fn a_message_in_fragments_goes_out_whole_and_in_order() {
    let bytes = |octet| Bytes::from(alloc::vec![octet; 2]);
    assert_eq!(Datagrams::fragments(Vec::new()), None);
    let message = Datagrams::fragments([1, 2, 3].map(bytes).to_vec()).unwrap();
    let sent: Vec<Bytes> = message.iter().cloned().collect();
    assert_eq!(sent, [1, 2, 3].map(bytes));
}

#[test]
fn l12_a_request_is_owed_an_answer_until_it_gets_one() {
    let mut window = Window::new();
    assert_eq!(window.unanswered(), 0);
    let owed = window.accept(request(0), hash(0));
    assert_eq!(window.unanswered(), 1);
    assert_eq!((owed.id(), owed.exchange()), (0, ExchangeType::IKE_AUTH));
    assert_eq!(owed.path(), request(0).path);
    // It waits in an empty place only.
    let mut place = None;
    owed.wait(&mut place).unwrap();
    let other = Owed::new(request(1)).wait(&mut place).unwrap_err();
    assert_eq!((other.id(), window.unanswered()), (1, 1));
    let owed = place.take().unwrap();
    assert_eq!(owed.id(), 0);
    let _settled = window.answer(owed, message(0));
    assert_eq!(window.unanswered(), 0);
}
