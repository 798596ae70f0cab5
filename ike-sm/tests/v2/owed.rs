//! RFC 7296 §2.1: "every request requires a response". Each authentic one gets one response and no
//! more, whatever is in it, whenever it comes, and whether our embedder answers our questions or not.
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crypto_suite::GroupId;
use ike_sm::config::v2::{AdditionalKeyExchange, Assign, Wanted};
use ike_sm::config::{Config, Offload, Pfs, PskTable};
use ike_sm::{Answer, CloseReason, Command, DropReason, Event, Outcome, Path, Question, Takeover};
use isakmp_wire::v2::{NotifyType, PayloadType};
use isakmp_wire::{ExchangeType, Flags, Header};

use crate::auth::{eap_with, reply, signature, signatures};
use crate::common::{A, B, Pair, ip, net, secs};
use crate::configs;
use crate::hostile::notified;
use crate::insider::{Insider, Payloads};

/// What is protected in a message.
#[derive(Clone)]
enum Inside {
    These(Payloads),
    /// Octets that are no payloads, and the type of the first one.
    Octets(PayloadType, &'static [u8]),
    /// More padding than there are octets.
    BadPadding,
}

fn payload(kind: PayloadType, body: &[u8]) -> Inside {
    Inside::These(vec![(kind, body.to_vec())])
}

fn notify(kind: NotifyType) -> Inside {
    let [high, low] = kind.0.to_be_bytes();
    payload(PayloadType::NOTIFY, &[0, 0, high, low])
}

fn nothing() -> Inside {
    Inside::These(Payloads::new())
}

/// A payload of a type that nobody knows, which has to be understood.
fn critical() -> Inside {
    Inside::Octets(PayloadType(200), &[0, 0x80, 0, 4])
}

/// What does not parse.
fn malformed() -> [Inside; 4] {
    [
        // Longer than what there is.
        Inside::Octets(PayloadType::NOTIFY, &[0, 0, 0, 9, 0, 0]),
        // Announced, and not there.
        Inside::Octets(PayloadType::NOTIFY, &[]),
        // A notification without its type.
        payload(PayloadType::NOTIFY, &[0]),
        Inside::BadPadding,
    ]
}

fn request(
    pair: &Pair,
    initiator: bool,
    exchange: ExchangeType,
    id: u32,
    inside: &Inside,
) -> Vec<u8> {
    let mut insider = Insider::of(pair).unwrap();
    insider.skip(u64::from(id) << 8);
    let spis = insider.spis();
    let header = Header {
        message_id: id,
        flags: if initiator {
            Flags::INITIATOR
        } else {
            Flags::NONE
        },
        ..Header::v2(exchange, spis.0, spis.1)
    };
    match inside {
        Inside::These(payloads) => insider.seal(&header, payloads),
        Inside::Octets(first, octets) => insider.seal_octets(&header, *first, octets),
        Inside::BadPadding => insider.seal_padding(&header, 255),
    }
}

/// Hands a request of A to B twice; the one response, which is the same both times.
fn asked(pair: &mut Pair, message: &[u8]) -> Payloads {
    let path = Path::plain((ip(B), 500).into(), (ip(A), 500).into());
    let keys = Insider::of(pair).unwrap();
    let now = pair.now;
    let event = || Event::Datagram { path, message };
    let (outcome, out) = pair.b.feed(event(), now);
    assert_eq!(outcome, Outcome::Handled);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].0, path);
    assert!(out[0].1.len() <= 3 * message.len());
    let (again, repeated) = pair.b.feed(event(), now);
    // An SA that has ended answers as long as it lingers.
    assert!(again == Outcome::Repeated || again.dropped().is_some());
    assert!(repeated.is_empty() || repeated == out);
    assert!(pair.b.endpoint.is_consistent());
    let (asked, (header, payloads)) = (
        Header::read(message).unwrap(),
        Insider::open(Some(&keys), &out[0].1),
    );
    assert_eq!(header.exchange_type, asked.exchange_type);
    assert_eq!(header.message_id, asked.message_id);
    assert!(header.flags.contains(Flags::RESPONSE));
    payloads
}

/// A pair before its first IKE_AUTH request arrives, which is left out.
fn before_auth() -> (Pair, Vec<u8>) {
    let (a, b) = configs(|c| c.key_log = true);
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    for _ in 0..2 {
        let flight = pair.flights.remove(0);
        pair.deliver(flight);
    }
    let auth = pair.flights.remove(0).datagram;
    (pair, auth)
}

/// RFC 7296 §1.4: "The recipient of an INFORMATIONAL exchange request MUST send some response", though
/// the peer has proved nothing but that it has the keys; it gets nothing done.
#[test]
fn l12_an_informational_request_before_ike_auth_is_over_gets_an_empty_response_and_does_nothing() {
    let kinds = [
        nothing(),
        notify(NotifyType::INITIAL_CONTACT),
        notify(NotifyType::NO_PROPOSAL_CHOSEN),
        // Delete of the IKE SA.
        payload(PayloadType::DELETE, &[1, 0, 0, 0]),
        payload(PayloadType::DELETE, &[3, 4, 0, 1, 1, 2, 3, 4]),
    ];
    let informational = ExchangeType::INFORMATIONAL_V2;
    let (mut pair, auth) = before_auth();
    let deadline = pair.b.endpoint.next_deadline().map(|d| d.at);
    for (id, inside) in (1..).zip(&kinds) {
        let message = request(&pair, true, informational, id, inside);
        assert_eq!(asked(&mut pair, &message), Payloads::new());
        assert!(pair.b.closed.is_empty() && pair.b.ikes.is_empty());
        assert_eq!(pair.b.endpoint.next_deadline().map(|d| d.at), deadline);
        // The message ID is used up, and the next one is not due.
        let ahead = request(&pair, true, informational, id + 2, &nothing());
        let path = Path::plain((ip(B), 500).into(), (ip(A), 500).into());
        let event = Event::Datagram {
            path,
            message: &ahead,
        };
        let now = pair.now;
        let (outcome, out) = pair.b.feed(event, now);
        assert_eq!(
            (outcome, out.len()),
            (Outcome::Dropped(DropReason::OutsideWindow(id + 2)), 0)
        );
    }
    // IKE_AUTH goes on behind it.
    let (_, payloads) = Insider::open(Insider::of(&pair).as_ref(), &auth);
    let message = request(
        &pair,
        true,
        ExchangeType::IKE_AUTH,
        6,
        &Inside::These(payloads),
    );
    assert_ne!(asked(&mut pair, &message), Payloads::new());
    assert_eq!((pair.b.ikes.len(), pair.b.children.len()), (1, 1));
}

/// RFC 7296 §2.21.2: errors of a peer that has proved nothing are answered, and end the attempt.
#[test]
fn l12_a_request_in_error_before_ike_auth_is_over_is_refused_and_ends_the_attempt() {
    let informational = ExchangeType::INFORMATIONAL_V2;
    let mut cases = vec![
        (
            informational,
            critical(),
            Some(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD),
        ),
        (
            informational,
            notify(NotifyType::AUTHENTICATION_FAILED),
            None,
        ),
        (informational, notify(NotifyType::INVALID_SYNTAX), None),
        (
            ExchangeType::IKE_AUTH,
            critical(),
            Some(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD),
        ),
        (
            ExchangeType::IKE_AUTH,
            nothing(),
            Some(NotifyType::INVALID_SYNTAX),
        ),
    ];
    let out_of_place = [
        ExchangeType::IKE_SA_INIT,
        ExchangeType::CREATE_CHILD_SA,
        ExchangeType::IKE_INTERMEDIATE,
        ExchangeType::IKE_FOLLOWUP_KE,
        ExchangeType(200),
    ];
    let syntax = Some(NotifyType::INVALID_SYNTAX);
    cases.extend(out_of_place.map(|exchange| (exchange, nothing(), syntax)));
    for inside in malformed() {
        cases.push((informational, inside.clone(), syntax));
        cases.push((ExchangeType::IKE_AUTH, inside, syntax));
    }
    for (exchange, inside, error) in cases {
        let (mut pair, _) = before_auth();
        let message = request(&pair, true, exchange, 1, &inside);
        let response = asked(&mut pair, &message);
        assert_eq!(notified(&response), error.map(|e| e.0), "{exchange}");
        assert_eq!(response.len(), usize::from(error.is_some()));
        // What the peer says to that is answered too, and leads to nothing.
        let deadline = pair.b.endpoint.next_deadline().map(|d| d.at);
        let refuses = notify(NotifyType::AUTHENTICATION_FAILED);
        let message = request(&pair, true, informational, 2, &refuses);
        assert_eq!(asked(&mut pair, &message), Payloads::new());
        let message = request(&pair, true, ExchangeType::IKE_AUTH, 3, &nothing());
        let failed = NotifyType::AUTHENTICATION_FAILED.0;
        assert_eq!(notified(&asked(&mut pair, &message)), Some(failed));
        assert_eq!(pair.b.endpoint.next_deadline().map(|d| d.at), deadline);
        pair.run_for(secs(60));
        assert!(pair.b.ikes.is_empty() && pair.b.children.is_empty());
        assert_eq!(pair.b.endpoint.ike_sas().count(), 0);
        assert!(pair.b.endpoint.leftovers().is_empty());
    }
}

/// RFC 7296 §2.21.3: "all requests having errors MUST result in a response notifying the other end of
/// the error", and INVALID_SYNTAX is fatal in both peers.
#[test]
fn l12_every_kind_of_request_under_an_ike_sa_gets_one_response() {
    use ExchangeType as E;
    let (followup, syntax) = (E::IKE_FOLLOWUP_KE, Some(NotifyType::INVALID_SYNTAX));
    let unsupported = Some(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD);
    let lost = Some(NotifyType::STATE_NOT_FOUND);
    let delete = || payload(PayloadType::DELETE, &[1, 0, 0, 0]);
    let mut cases = vec![
        (E::INFORMATIONAL_V2, nothing(), None, false),
        (E::INFORMATIONAL_V2, delete(), None, true),
        (E::INFORMATIONAL_V2, critical(), unsupported, false),
        (E::CREATE_CHILD_SA, critical(), unsupported, false),
        (followup, nothing(), lost, false),
        (followup, critical(), unsupported, false),
    ];
    for exchange in [E::INFORMATIONAL_V2, E::CREATE_CHILD_SA, followup] {
        cases.extend(malformed().map(|inside| (exchange, inside, syntax, true)));
    }
    let out_of_place = [
        E::IKE_SA_INIT,
        E::IKE_AUTH,
        E::IKE_INTERMEDIATE,
        E(200),
        E(0),
    ];
    for exchange in out_of_place {
        cases.push((exchange, nothing(), syntax, true));
        cases.push((exchange, delete(), syntax, true));
    }
    for (exchange, inside, error, ends) in cases {
        for initiator in [true, false] {
            let (a, b) = configs(|c| c.key_log = true);
            let mut pair = Pair::new(a, b);
            assert_eq!(pair.initiate(!initiator), Outcome::Handled);
            pair.run_for(secs(3));
            pair.assert_tunnel();
            let id = if initiator { 2 } else { 0 };
            let message = request(&pair, initiator, exchange, id, &inside);
            let response = asked(&mut pair, &message);
            assert_eq!(notified(&response), error.map(|e| e.0), "{exchange}");
            assert_eq!(response.len(), usize::from(error.is_some()));
            assert_eq!(pair.b.ikes.is_empty(), ends, "{exchange}");
            assert_eq!(pair.b.children.is_empty(), ends);
        }
    }
}

/// The protected requests of A: when each was sent first, and what B has sent in response.
type Sent = Rc<RefCell<BTreeMap<Vec<u8>, (Duration, BTreeSet<Vec<u8>>)>>>;

fn watch(pair: &mut Pair) -> Sent {
    let sent = Sent::default();
    let watch = Rc::clone(&sent);
    pair.fate = Box::new(move |flight| {
        let header = Header::read(&flight.datagram).unwrap();
        let response = header.flags.contains(Flags::RESPONSE);
        // Nothing protects IKE_SA_INIT, so no answer to it is owed.
        if header.exchange_type != ExchangeType::IKE_SA_INIT && flight.to_b != response {
            let request = [&flight.datagram[..16], &flight.datagram[20..24]].concat();
            let mut sent = watch.borrow_mut();
            let (_, responses) = sent
                .entry(request)
                .or_insert_with(|| (flight.at, BTreeSet::new()));
            if response {
                responses.insert(flight.datagram.clone());
            }
        }
        true
    });
    sent
}

/// Each request that is older than a question may be has one response.
fn all_answered(pair: &Pair, sent: &Sent, what: &str) {
    let old = pair.now - secs(12);
    let sent = sent.borrow();
    let sent: Vec<_> = sent.iter().filter(|(_, (at, _))| *at < old).collect();
    assert!(!sent.is_empty(), "{what}");
    for (request, (_, responses)) in sent {
        assert_eq!(responses.len(), 1, "{what}: {request:02x?}");
    }
}

/// What A does once the IKE SA is up.
type Then = Option<fn(&mut Pair)>;

fn rekey_child(pair: &mut Pair) {
    let child = pair.a.active[0];
    assert_eq!(
        pair.command(false, Command::RekeyChild(child)),
        Outcome::Handled
    );
}

fn rekey_ike(pair: &mut Pair) {
    let ike = pair.a.ikes[0];
    assert_eq!(
        pair.command(false, Command::RekeyIke(ike)),
        Outcome::Handled
    );
}

fn done(pair: &mut Pair, b: bool, question: Question) -> Answer {
    match question {
        Question::Psk { .. } => Answer::Psk(Some(b"secret"[..].into())),
        Question::AuthorizeChild { .. } => Answer::Authorize(true),
        Question::KeyExchange(job) => Answer::KeyExchange(Some(job.run())),
        other => reply(pair, b, other, b"secret"),
    }
}

/// Lets A ask; B's embedder answers `answered` questions and no more.
fn run(pair: &mut Pair, then: Then, mut answered: usize) {
    let mut then = then;
    assert_eq!(pair.initiate(false), Outcome::Handled);
    for _ in 0..400 {
        pair.run_for(Duration::from_millis(100));
        while let Some((ticket, question)) = pair.a.asked.pop() {
            let answer = done(pair, false, question);
            let _ = pair.feed(false, Event::Answer(ticket, answer));
        }
        while answered > 0 && !pair.b.asked.is_empty() {
            answered -= 1;
            let (ticket, question) = pair.b.asked.remove(0);
            let answer = done(pair, true, question);
            assert_eq!(
                pair.feed(true, Event::Answer(ticket, answer)),
                Outcome::Handled
            );
        }
        if !pair.a.active.is_empty()
            && let Some(then) = then.take()
        {
            then(pair);
        }
        assert!(pair.b.endpoint.is_consistent());
    }
}

/// A pair whose B asks something, with a change to B.
type Make = Box<dyn Fn(&dyn Fn(&mut Config)) -> Pair>;

/// Such pairs, what A does, and how often B asks until all is over.
fn asking() -> Vec<(&'static str, Make, Then, usize)> {
    fn with(
        change: &dyn Fn(&mut Config),
        both: impl Fn(&mut Config),
        b: impl Fn(&mut Config),
    ) -> Pair {
        let (ours, mut theirs) = configs(both);
        b(&mut theirs);
        change(&mut theirs);
        Pair::new(ours, theirs)
    }
    let slots = || {
        vec![AdditionalKeyExchange {
            methods: vec![GroupId::MlKem512],
            optional: false,
        }]
    };
    let offload = |c: &mut Config| c.offload = Offload::heavy();
    let group = move |c: &mut Config, ike: GroupId, child: GroupId| {
        c.peers[0].v2.proposals.truncate(1);
        c.peers[0].v2.proposals[0].groups = vec![ike];
        c.peers[0].children[0].pfs = Pfs::Required(child);
    };
    let (curve, nist) = (GroupId::X25519, GroupId::Ecp256);
    vec![
        (
            "a key",
            Box::new(move |c| with(c, |_| {}, |b| b.psks = PskTable::new())),
            None,
            1,
        ),
        (
            "a child",
            Box::new(move |c| with(c, |_| {}, |b| b.authorize_children = true)),
            Some(rekey_child),
            2,
        ),
        (
            "an address",
            Box::new(move |c| {
                let (mut a, mut b) = configs(|_| {});
                a.peers[0].children[0].local = net("0.0.0.0", 0).into();
                a.peers[0].addresses_inside.request.ipv4 = Wanted::Any;
                b.peers[0].addresses_inside.assign = Assign::Required;
                b.peers[0].children[0].remote = net("10.9.0.0", 24).into();
                c(&mut b);
                Pair::new(a, b)
            }),
            None,
            1,
        ),
        ("signatures", Box::new(move |c| signatures(100, c)), None, 2),
        (
            "EAP",
            Box::new(move |c| eap_with(c, signature(100))),
            None,
            2,
        ),
        (
            "IKE_INTERMEDIATE",
            Box::new(move |c| {
                with(
                    c,
                    |both| {
                        group(both, curve, curve);
                        both.peers[0].v2.proposals[0].additional = slots();
                    },
                    offload,
                )
            }),
            Some(rekey_ike),
            2,
        ),
        (
            "a child's keys",
            Box::new(move |c| with(c, |both| group(both, curve, nist), offload)),
            Some(rekey_child),
            1,
        ),
        (
            "IKE_FOLLOWUP_KE",
            Box::new(move |c| {
                with(
                    c,
                    |both| {
                        group(both, curve, curve);
                        both.peers[0].v2.proposals[0].additional = slots();
                        both.peers[0].children[0].additional = slots();
                    },
                    offload,
                )
            }),
            Some(rekey_child),
            2,
        ),
    ]
}

#[test]
fn l12_a_request_that_waits_for_an_answer_that_does_not_come_gets_its_response_in_time() {
    for (what, make, then, questions) in asking() {
        for answered in 0..=questions {
            // The end of a negotiation that takes too long may come before that of the question.
            for half_open in [30, 5] {
                let mut pair = make(&|c| c.limits.half_open_time = secs(half_open));
                let sent = watch(&mut pair);
                run(&mut pair, then, answered);
                let what = format!("{what}, {answered} of {questions} in {half_open} s");
                assert!(answered < questions || pair.b.asked.is_empty(), "{what}");
                assert!(answered == questions || !pair.b.asked.is_empty(), "{what}");
                all_answered(&pair, &sent, &what);
            }
        }
    }
}

/// X5: a password beyond the count is looked at later, and the request waits for that too.
#[test]
fn l12_a_request_whose_password_waits_gets_its_response_in_time() {
    for (half_open, asks) in [(30, true), (5, false)] {
        let change = |c: &mut Config| {
            c.limits.half_open_time = secs(half_open);
            c.limits.guesses.user_at_source.burst = 1;
        };
        let mut pair = eap_with(change, signature(100));
        crate::auth::run(&mut pair, b"wrong");
        let sent = watch(&mut pair);
        run(&mut pair, None, 1);
        let waits = |line: &String| line.contains("a password of alice waits 8.9 s");
        assert!(pair.b.log.iter().any(waits));
        let password = |q: &(_, Question)| matches!(q.1, Question::EapPassword { .. });
        assert_eq!(pair.b.asked.iter().any(password), asks);
        all_answered(&pair, &sent, "a password");
    }
}

/// In a window of several requests one waits, and the others do not wait for it.
#[test]
fn l12_requests_beside_one_that_waits_get_their_responses() {
    for answered in [true, false] {
        let (a, mut b) = configs(|c| c.key_log = true);
        b.authorize_children = true;
        b.peers[0].v2.window = 3;
        let mut pair = Pair::new(a, b);
        run(&mut pair, None, 1);
        rekey_child(&mut pair);
        let waits = pair.flights.remove(0);
        let insider = Insider::of(&pair);
        let (header, payloads) = Insider::open(insider.as_ref(), &waits.datagram);
        pair.deliver(waits);
        assert_eq!((pair.b.asked.len(), pair.flights.len()), (1, 0));
        let (exchange, id) = (ExchangeType::CREATE_CHILD_SA, header.message_id);
        let beside = request(&pair, true, exchange, id + 1, &Inside::These(payloads));
        let busy = NotifyType::TEMPORARY_FAILURE.0;
        assert_eq!(notified(&asked(&mut pair, &beside)), Some(busy));
        let informational = ExchangeType::INFORMATIONAL_V2;
        let beside = request(&pair, true, informational, id + 2, &nothing());
        assert_eq!(asked(&mut pair, &beside), Payloads::new());
        assert_eq!(pair.b.asked.len(), 1);
        let sent = watch(&mut pair);
        if answered {
            let (ticket, question) = pair.b.asked.remove(0);
            let answer = done(&mut pair, true, question);
            let outcome = pair.feed(true, Event::Answer(ticket, answer));
            assert_eq!(outcome, Outcome::Handled);
        }
        let before = pair.b.children.len();
        pair.run_for(secs(12));
        assert_eq!(before, if answered { 2 } else { 1 });
        let sent = sent.borrow();
        let id = id.to_be_bytes();
        let response = sent.iter().find(|(request, _)| request.ends_with(&id));
        assert_eq!(response.unwrap().1.1.len(), 1);
        assert!(pair.b.endpoint.is_consistent());
    }
}

/// A request waits for an answer, and its SA is taken over by another member of the cluster whose
/// message IDs are the same.
#[test]
fn l12_a_request_that_waits_while_counters_are_synchronised_is_answered() {
    let (a, mut b) = configs(|c| c.key_log = true);
    b.authorize_children = true;
    let mut pair = Pair::new(a, b);
    let sent = watch(&mut pair);
    run(&mut pair, Some(rekey_child), 1);
    pair.b.asked.clear();
    rekey_child(&mut pair);
    pair.run_for(secs(1));
    assert_eq!(pair.b.asked.len(), 1);
    let ike = pair.b.ikes[0];
    let takeover = Takeover {
        epoch: 1,
        message_ids: false,
        skip_outbound: 0,
        skip_inbound: 0,
    };
    let outcome = pair.command(true, Command::SynchronizeIke { ike, takeover });
    assert_eq!(outcome, Outcome::Handled);
    assert!(pair.b.endpoint.is_consistent());
    pair.run_for(secs(1));
    let busy = CloseReason::RefusedByPeer(NotifyType::TEMPORARY_FAILURE.0);
    assert_eq!(pair.a.failed.last(), Some(&busy));
    assert!(sent.borrow().values().all(|(_, all)| all.len() == 1));
    // The answer comes too late, and the tunnel is as it was.
    let (ticket, question) = pair.b.asked.pop().unwrap();
    assert!(matches!(question, Question::AuthorizeChild { .. }));
    let late = Event::Answer(ticket, Answer::Authorize(true));
    assert!(pair.feed(true, late).dropped().is_some());
    pair.assert_tunnel();
}
