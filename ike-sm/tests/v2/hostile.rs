//! The attack list (SECURITY.md): messages of strangers, and of a peer that has the keys and
//! breaks the rules.
use crypto_suite::PrfId;
use ike_sm::config::Config;
use ike_sm::config::v2::{IkeProposal, RedirectWhen};
use ike_sm::{CloseReason, Command, DropReason, Event, Outcome, Path, Traffic};
use isakmp_wire::v2::{NotifyType, PayloadType};
use isakmp_wire::{ExchangeType, Flags, Header, ProtocolId};

use crate::common::{B, Flight, Pair, ip, secs};
use crate::configs;
use crate::insider::{Insider, Payloads, clear, rebuilt};

fn pair() -> Pair {
    let (a, b) = configs(|c| c.key_log = true);
    Pair::new(a, b)
}

fn established(change: impl Fn(&mut Config)) -> Pair {
    let (a, b) = configs(|c| {
        c.key_log = true;
        change(c);
    });
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    pair
}

/// What starts an exchange after the handshake.
type Start = fn(&mut Pair);
const EXCHANGES: [Start; 5] = [
    |pair| {
        let child = pair.a.active[0];
        let _ = pair.command(false, Command::RekeyChild(child));
    },
    |pair| {
        let ike = pair.a.ikes[0];
        let _ = pair.command(false, Command::RekeyIke(ike));
    },
    |pair| {
        let child = pair.a.active[0];
        let _ = pair.command(false, Command::DeleteChild(child));
    },
    |pair| {
        let child = pair.a.active[0];
        let _ = pair.feed(false, Event::Traffic(child, Traffic::outbound(1)));
        pair.run_for(secs(30));
    },
    |pair| {
        let ike = pair.a.ikes[0];
        let _ = pair.command(false, Command::DeleteIke(ike));
    },
];

/// The next flight once `number` of the handshake were delivered.
fn handshake_flight(number: usize) -> (Pair, Flight) {
    let mut pair = pair();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    for _ in 0..number {
        let flight = pair.flights.remove(0);
        pair.deliver(flight);
    }
    let flight = pair.flights.remove(0);
    (pair, flight)
}

/// Flight `number` of an exchange after the handshake: the request or its response.
fn later_flight(start: Start, number: usize) -> (Pair, Flight) {
    let mut pair = established(|_| {});
    start(&mut pair);
    for _ in 0..number {
        let flight = pair.flights.remove(0);
        pair.deliver(flight);
    }
    let flight = pair.flights.remove(0);
    (pair, flight)
}

fn arrival(flight: &Flight) -> Path {
    Path {
        local: flight.path.remote,
        remote: flight.path.local,
        natt: flight.path.natt,
    }
}

/// An event of the network at one end; what it sends goes nowhere. Gives the octets sent.
fn inject(pair: &mut Pair, to_b: bool, path: Path, message: &[u8]) -> (Outcome, usize) {
    let now = pair.now;
    let event = Event::Datagram { path, message };
    let (outcome, out) = pair.end(to_b).feed(event, now);
    (outcome, out.iter().map(|(_, d)| d.len()).sum())
}

fn state(pair: &mut Pair, of_b: bool) -> String {
    format!("{:?}", pair.end(of_b).endpoint.state())
}

/// A5: every subset of the payloads of every message that sets something up.
#[test]
fn a5_no_subset_of_the_payloads_sets_anything_up() {
    type Find = fn(usize) -> (Pair, Flight);
    use PayloadType as P;
    let first: &[P] = &[P::SA, P::KEY_EXCHANGE, P::NONCE];
    let auth: &[P] = &[P::AUTHENTICATION, P::SA];
    let child: &[P] = &[P::SA, P::NONCE];
    let ts: &[P] = &[P::TS_INITIATOR, P::TS_RESPONDER];
    let cases: [(Find, usize, &[P], &[P]); 8] = [
        (handshake_flight, 0, first, &[]),
        (handshake_flight, 1, first, &[]),
        (handshake_flight, 2, auth, &[P::ID_INITIATOR, ts[0], ts[1]]),
        (handshake_flight, 3, auth, &[P::ID_RESPONDER, ts[0], ts[1]]),
        (|n| later_flight(EXCHANGES[0], n), 0, child, ts),
        (|n| later_flight(EXCHANGES[0], n), 1, child, ts),
        (|n| later_flight(EXCHANGES[1], n), 0, first, &[]),
        (|n| later_flight(EXCHANGES[1], n), 1, first, &[]),
    ];
    let mut refused = 0;
    for (find, number, some, more) in cases {
        let required: Vec<P> = some.iter().chain(more).copied().collect();
        for left_out in 1..1u32 << required.len() {
            let (mut pair, flight) = find(number);
            let message = rebuilt(&pair, &flight, |payloads: &mut Payloads| {
                let before = payloads.len();
                payloads.retain(|(kind, _)| {
                    let at = required.iter().position(|r| r == kind);
                    at.is_none_or(|at| left_out >> at & 1 == 0)
                });
                let removed = before - payloads.len();
                assert_eq!(removed as u32, left_out.count_ones(), "{required:?}");
            });
            let to_b = flight.to_b;
            let had = |pair: &mut Pair| {
                let end = pair.end(to_b);
                (end.children.len(), end.ikes.len())
            };
            let before = had(&mut pair);
            let genuine = state(&mut pair, to_b);
            let (outcome, _) = inject(&mut pair, to_b, arrival(&flight), &message);
            let after = had(&mut pair);
            let what = format!("message {number}, {left_out:#b} of {required:?} left out");
            assert!(after.0 <= before.0, "{what}: {outcome:?}");
            // IKE_AUTH without what is about the child makes the IKE SA alone (RFC 7296 §2.21.2).
            let proof = required.contains(&P::AUTHENTICATION);
            let identity = left_out & 0b101 != 0;
            if !proof || identity {
                assert!(after.1 <= before.1, "{what}: {outcome:?}");
            }
            if outcome.dropped().is_some() {
                assert_eq!(genuine, state(&mut pair, to_b), "{what}");
                refused += 1;
            }
            // Whatever it was, time goes on.
            pair.run_for(secs(20));
        }
    }
    assert!(refused >= 14, "{refused}");
}

/// D1: every state against headers of every kind, and against cut messages.
#[test]
fn d1_every_state_of_ikev2_refuses_what_is_not_its_message() {
    let mut refused = 0;
    let handshake = (0..4).map(|n| (None, n));
    let later = (0..5).flat_map(|e| [(Some(EXCHANGES[e]), 0), (Some(EXCHANGES[e]), 1)]);
    for (start, number) in handshake.chain(later) {
        let (mut pair, flight) = match start {
            None => handshake_flight(number),
            Some(start) => later_flight(start, number),
        };
        let (to_b, path, raw) = (flight.to_b, arrival(&flight), flight.datagram.clone());
        let genuine = Header::read(&raw).unwrap();
        let before = state(&mut pair, to_b);
        let mut wrong = |message: &[u8], what: &str| {
            let (outcome, sent) = inject(&mut pair, to_b, path, message);
            let dropped = matches!(outcome, Outcome::Dropped(_));
            assert!(dropped, "{what} of message {number}: {outcome:?}");
            assert!(sent <= message.len(), "{what} is amplified");
            assert_eq!(before, state(&mut pair, to_b), "{what}: {outcome:?}");
            refused += 1;
        };
        for exchange in (0..=6).chain(32..=44).chain([200, 255]) {
            for flags in 0..=255u8 {
                let kind = Flags(flags & 0x28);
                for id in [0, 1, 2, genuine.message_id, u32::MAX] {
                    let same = exchange == genuine.exchange_type.0
                        && kind == Flags(genuine.flags.0 & 0x28)
                        && id == genuine.message_id;
                    let reserved = flags & !0x38 != 0;
                    if same || reserved && exchange != genuine.exchange_type.0 {
                        continue;
                    }
                    let mut message = raw.clone();
                    message[18] = exchange;
                    message[19] = flags;
                    message[20..24].copy_from_slice(&id.to_be_bytes());
                    wrong(
                        &message,
                        &format!("exchange {exchange}, {flags:#x}, id {id}"),
                    );
                }
            }
        }
        for len in 0..raw.len() {
            wrong(&raw[..len], "a cut");
            // A header that agrees with what is left.
            if len >= Header::LEN {
                let mut short = raw[..len].to_vec();
                short[24..28].copy_from_slice(&(len as u32).to_be_bytes());
                wrong(&short, "a short message");
            }
        }
        pair.deliver(flight);
        assert_eq!(pair.outcomes.last().unwrap().1, Outcome::Handled);
    }
    assert!(refused > 20_000, "{refused}");
}

/// C8: who has the keys but has not proved who it is gets nothing done (strongSwan CVE-2014-2338).
#[test]
fn c8_nothing_but_ike_auth_before_authentication() {
    // Keys of B are made with the response to IKE_SA_INIT; IKE_AUTH is what A sends next.
    let later = [0, 1, 2, 4].map(|n| later_flight(EXCHANGES[n], 0));
    for (other, flight) in later {
        let (_, payloads) = Insider::open(Insider::of(&other).as_ref(), &flight.datagram);
        let exchange = Header::read(&flight.datagram).unwrap().exchange_type;
        let (mut pair, auth) = handshake_flight(2);
        let genuine = Header::read(&auth.datagram).unwrap();
        let mut insider = Insider::of(&pair).unwrap();
        let mut seal = |message_id| {
            let header = Header {
                exchange_type: exchange,
                message_id,
                ..genuine
            };
            insider.seal(&header, &payloads)
        };
        for message_id in [0, 2, 3] {
            let before = state(&mut pair, true);
            let (outcome, _) = inject(&mut pair, true, arrival(&auth), &seal(message_id));
            assert!(outcome.dropped().is_some(), "{exchange}: {outcome:?}");
            assert_eq!(before, state(&mut pair, true));
        }
        // The message ID that is due: it is answered (RFC 7296 §2.1), and that is all.
        let (mut other, _) = handshake_flight(2);
        let before = other.b.actions.len();
        let (outcome, sent) = inject(&mut other, true, arrival(&auth), &seal(1));
        let done = other.b.actions.len() - before;
        assert_eq!((outcome, done), (Outcome::Handled, usize::from(sent > 0)));
        pair.deliver(auth);
        pair.run_for(secs(1));
        pair.assert_tunnel();
    }
}

/// An error in the clear, with the header of `flight` or of an exchange of its own.
fn errors_in_the_clear(header: &Header) -> Vec<Vec<u8>> {
    let kinds = [
        NotifyType::INVALID_IKE_SPI,
        NotifyType::INVALID_MAJOR_VERSION,
        NotifyType::INVALID_SYNTAX,
        NotifyType::INVALID_SPI,
        NotifyType::NO_PROPOSAL_CHOSEN,
        NotifyType::AUTHENTICATION_FAILED,
        NotifyType::INITIAL_CONTACT,
    ];
    let notify = |kind: &NotifyType| {
        let mut body = vec![0, 0];
        body.extend(kind.0.to_be_bytes());
        clear(header, &vec![(PayloadType::NOTIFY, body)])
    };
    let mut all: Vec<_> = kinds.iter().map(notify).collect();
    let delete = (PayloadType::DELETE, vec![ProtocolId::IKE.0, 0, 0, 0]);
    all.push(clear(header, &vec![delete]));
    all
}

/// C13: what nobody has authenticated ends nothing (libreswan CVE-2019-12312 and others).
#[test]
fn c13_errors_in_the_clear_are_hints_before_authentication() {
    for number in [1, 3] {
        let (mut pair, flight) = handshake_flight(number);
        let genuine = Header::read(&flight.datagram).unwrap();
        for exchange in [genuine.exchange_type, ExchangeType::INFORMATIONAL_V2] {
            let header = Header {
                exchange_type: exchange,
                ..genuine
            };
            for message in errors_in_the_clear(&header) {
                let _ = inject(&mut pair, false, arrival(&flight), &message);
                assert!(pair.a.closed.is_empty(), "message {number}, {exchange}");
            }
        }
        pair.deliver(flight);
        pair.run_for(secs(2));
        pair.assert_tunnel();
    }
}

/// D6: nor does it end what stands.
#[test]
fn d6_unauthenticated_invalid_spi_removes_nothing() {
    let (mut pair, flight) = later_flight(EXCHANGES[3], 0);
    let genuine = Header::read(&flight.datagram).unwrap();
    for exchange in [ExchangeType::INFORMATIONAL_V2, ExchangeType::IKE_AUTH] {
        for (to_b, flags, message_id) in [
            (true, genuine.flags, genuine.message_id),
            (true, genuine.flags, genuine.message_id + 1),
            (false, Flags::RESPONSE, genuine.message_id),
            (false, Flags::NONE, 0),
        ] {
            let header = Header {
                exchange_type: exchange,
                flags,
                message_id,
                ..genuine
            };
            let mut path = arrival(&flight);
            if !to_b {
                path = flight.path;
            }
            for message in errors_in_the_clear(&header) {
                let ikes = |pair: &Pair| (pair.a.ikes.len(), pair.b.ikes.len());
                let before = (state(&mut pair, to_b), ikes(&pair));
                let (outcome, _) = inject(&mut pair, to_b, path, &message);
                assert!(outcome.dropped().is_some(), "{outcome:?}");
                assert_eq!(before, (state(&mut pair, to_b), ikes(&pair)));
            }
        }
    }
    pair.deliver(flight);
    pair.run_for(secs(60));
    pair.assert_tunnel();
    assert!(pair.a.closed.is_empty() && pair.b.closed.is_empty());
}

/// A request of A with these payloads, made with its keys; B's answer, opened.
pub(crate) fn ask(
    pair: &mut Pair,
    exchange: ExchangeType,
    id: u32,
    payloads: &Payloads,
) -> Option<Payloads> {
    let mut insider = Insider::of(pair).unwrap();
    insider.skip(u64::from(id) << 8);
    let (initiator, responder) = insider.spis();
    let header = Header {
        message_id: id,
        flags: Flags::INITIATOR,
        ..Header::v2(exchange, initiator, responder)
    };
    let message = insider.seal(&header, payloads);
    let path = Path::plain((ip(B), 500).into(), (ip(crate::common::A), 500).into());
    let now = pair.now;
    let event = Event::Datagram {
        path,
        message: &message,
    };
    let (_, out) = pair.b.feed(event, now);
    let (_, answer) = out.into_iter().next()?;
    Some(Insider::open(Some(&insider), &answer).1)
}

pub(crate) fn notified(answer: &Payloads) -> Option<u16> {
    let notify = answer.iter().find(|(k, _)| *k == PayloadType::NOTIFY)?;
    Some(u16::from_be_bytes([notify.1[2], notify.1[3]]))
}

#[test]
fn a8_a_rekey_of_what_is_not_there_is_told_and_makes_nothing() {
    let (not_found, syntax) = (NotifyType::CHILD_SA_NOT_FOUND, NotifyType::INVALID_SYNTAX);
    for (protocol, change, len, error) in [
        (ProtocolId::ESP, 1, 4, not_found),
        (ProtocolId::AH, 0, 4, not_found),
        (ProtocolId::IKE, 0, 4, not_found),
        (ProtocolId(0), 0, 4, not_found),
        (ProtocolId(255), 0, 4, not_found),
        (ProtocolId::ESP, 0, 0, syntax),
        (ProtocolId::ESP, 0, 8, syntax),
    ] {
        let (mut pair, flight) = later_flight(EXCHANGES[0], 0);
        let message = rebuilt(&pair, &flight, |payloads| {
            let rekey = NotifyType::REKEY_SA.0.to_be_bytes();
            let named = |(kind, body): &&mut (PayloadType, Vec<u8>)| {
                *kind == PayloadType::NOTIFY && body[2..4] == rekey
            };
            let (_, body) = payloads.iter_mut().find(named).unwrap();
            (body[0], body[1]) = (protocol.0, len);
            body[7] ^= change;
            body.resize(4 + usize::from(len), 0);
        });
        let (path, now) = (arrival(&flight), pair.now);
        let message = &message[..];
        let (_, out) = pair.b.feed(Event::Datagram { path, message }, now);
        let (_, answer) = Insider::open(Insider::of(&pair).as_ref(), &out[0].1);
        let what = format!("{protocol:?}, {len} octets");
        assert_eq!(notified(&answer), Some(error.0), "{what}");
        assert_eq!(answer.len(), 1, "{what}");
        let over = error == syntax;
        assert_eq!(pair.b.children.len(), usize::from(!over), "{what}");
        assert_eq!(pair.b.ikes.is_empty(), over, "{what}");
    }
}

/// A8: DELETE of odd protocols, of SPIs that are not there, twice (libreswan
/// CVE-2023-38710, CVE-2023-38712).
#[test]
fn a8_deletes_of_what_is_not_there_change_nothing() {
    let mut pair = established(|_| {});
    let spi = pair.a.children.values().next().unwrap().spi_in;
    let mut id = 2;
    let informational = ExchangeType::INFORMATIONAL_V2;
    for protocol in [0u8, 1, 2, 3, 4, 11, 255] {
        for spis in [vec![], vec![spi], vec![spi; 40], vec![spi ^ 1, 0, u32::MAX]] {
            // The IKE SA itself is ended by a DELETE without SPI, and the child by its own.
            if protocol == 1 && spis.is_empty() || protocol == 3 && spis.contains(&spi) {
                continue;
            }
            let mut body = vec![protocol, 4];
            body.extend((spis.len() as u16).to_be_bytes());
            spis.iter().for_each(|spi| body.extend(spi.to_be_bytes()));
            let delete = (PayloadType::DELETE, body);
            let answer = ask(&mut pair, informational, id, &vec![delete.clone(), delete]).unwrap();
            id += 1;
            let syntax = notified(&answer) == Some(NotifyType::INVALID_SYNTAX.0);
            assert_eq!(syntax, pair.b.ikes.is_empty(), "{protocol}, {spis:x?}");
            // RFC 7296 §3.11: no protocol but these two has SPIs to delete.
            let child = matches!(protocol, 2 | 3);
            assert_eq!(syntax, !child, "{protocol}, {spis:x?}");
            if syntax {
                // Under the keys it ends the IKE SA (RFC 7296 §2.21.3), which begins anew here.
                pair = established(|_| {});
                id = 2;
                continue;
            }
            assert_eq!(pair.b.children.len(), 1, "protocol {protocol}, {spis:x?}");
        }
    }
    let mut pair = established(|_| {});
    let spi = pair.a.children.values().next().unwrap().spi_in;
    let mut body = vec![ProtocolId::ESP.0, 4, 0, 40];
    (0..40).for_each(|_| body.extend(spi.to_be_bytes()));
    let delete = (PayloadType::DELETE, body);
    let answer = ask(&mut pair, informational, 2, &vec![delete.clone(), delete]).unwrap();
    assert!(pair.b.children.is_empty());
    assert_eq!(pair.b.removed.len(), 1);
    // One SPI answers for the pair, however often it was named.
    let deletes: Vec<_> = answer
        .iter()
        .filter(|(k, _)| *k == PayloadType::DELETE)
        .collect();
    assert!(deletes.len() <= 1 && deletes.iter().all(|(_, body)| body.len() == 8));
}

/// B6: a peer that goes on asking for Child SAs gets as many as the limits say.
#[test]
fn b6_child_sas_of_one_ike_sa_are_bounded() {
    let mut pair = established(|c| c.limits.children_per_ike_sa = 5);
    let (other, flight) = later_flight(EXCHANGES[0], 0);
    let (_, mut payloads) = Insider::open(Insider::of(&other).as_ref(), &flight.datagram);
    // Another child, none in place of the first.
    payloads.retain(|(kind, _)| *kind != PayloadType::NOTIFY);
    let mut refused = None;
    for id in 2..40 {
        for (kind, body) in &mut payloads {
            match *kind {
                PayloadType::SA => body[8] = id as u8,
                PayloadType::NONCE => body[0] = id as u8,
                _ => {}
            }
        }
        let answer = ask(&mut pair, ExchangeType::CREATE_CHILD_SA, id, &payloads).unwrap();
        if let Some(error) = notified(&answer) {
            refused = refused.or(Some(error));
        }
    }
    assert_eq!(refused, Some(NotifyType::NO_ADDITIONAL_SAS.0));
    assert!(pair.b.children.len() <= 5, "{}", pair.b.children.len());
}

/// L4: a peer that has as many Child SAs as it may does not lose them to their rekeys.
#[test]
fn l4_a_rekey_needs_no_room_for_another_child() {
    let mut pair = established(|c| c.limits.children_per_ike_sa = 1);
    for at_b in [false, true] {
        let old = pair.end(at_b).active[0];
        let _ = pair.command(at_b, Command::RekeyChild(old));
        pair.run_for(secs(15));
        assert!(pair.end(at_b).active[0] != old);
        pair.assert_tunnel();
        assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    }
}

/// X8: a peer that IKE_AUTH has sent to another gateway (RFC 5685 §6) and that stays gets no SA here,
/// and counts as half-open until it goes.
#[test]
fn x8_a_peer_that_is_sent_away_gets_no_sa_and_stays_bounded() {
    let (_, child) = later_flight(EXCHANGES[0], 0);
    let (_, ike) = later_flight(EXCHANGES[1], 0);
    let (a, mut b) = configs(|c| c.key_log = true);
    b.limits.half_open = 1;
    b.peers[0].v2.redirect_to = Some(ip("192.0.2.3"));
    b.peers[0].v2.redirect_when = RedirectWhen::Authenticated;
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let first = pair.flights[0].datagram.clone();
    for _ in 0..4 {
        let flight = pair.flights.remove(0);
        pair.deliver(flight);
    }
    // It neither goes nor deletes.
    pair.flights.clear();
    for (id, flight) in [(2, child), (3, ike)] {
        let (other, _) = later_flight(EXCHANGES[0], 0);
        let insider = Insider::of(&other);
        let (_, mut payloads) = Insider::open(insider.as_ref(), &flight.datagram);
        payloads.retain(|(kind, _)| *kind != PayloadType::NOTIFY);
        let answer = ask(&mut pair, ExchangeType::CREATE_CHILD_SA, id, &payloads).unwrap();
        assert_eq!(notified(&answer), Some(NotifyType::NO_ADDITIONAL_SAS.0));
    }
    assert!(pair.b.children.is_empty());
    // Another one that begins needs its place.
    let ids = |pair: &Pair| -> Vec<_> { pair.b.endpoint.ike_sas().map(|sa| sa.id).collect() };
    let before = ids(&pair);
    let mut other = first;
    other[0] ^= 1;
    let path = Path::plain((ip(B), 500).into(), (ip(crate::common::A), 501).into());
    let (outcome, _) = inject(&mut pair, true, path, &other);
    assert_eq!(outcome, Outcome::Handled);
    let after = ids(&pair);
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
}

/// C13: a forged response with a nonce that is too short for the prf is dropped, and the genuine one
/// still counts.
#[test]
fn c13_a_forged_first_response_uses_no_key_exchange_up() {
    let (a, b) = configs(|c| {
        c.key_log = true;
        c.peers[0].v2.proposals = vec![IkeProposal {
            prf: vec![PrfId::HmacSha512],
            ..IkeProposal::aead()
        }];
    });
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let request = pair.flights.remove(0);
    pair.deliver(request);
    let response = pair.flights.remove(0);
    let short = rebuilt(&pair, &response, |payloads| {
        let nonce = payloads.iter_mut().find(|p| p.0 == PayloadType::NONCE);
        nonce.unwrap().1.truncate(16);
    });
    let before = state(&mut pair, false);
    let (outcome, sent) = inject(&mut pair, false, arrival(&response), &short);
    assert_eq!(
        (outcome, sent),
        (Outcome::Dropped(DropReason::NonceLength(16)), 0)
    );
    assert_eq!(state(&mut pair, false), before);
    pair.deliver(response);
    pair.run_for(secs(1));
    pair.assert_tunnel();
}

/// B7: requests of an authenticated peer, one after another and all at once, pile nothing up.
#[test]
fn b7_a_flood_of_informational_requests_keeps_one_answer() {
    let mut pair = established(|_| {});
    let informational = ExchangeType::INFORMATIONAL_V2;
    assert!(ask(&mut pair, informational, 2, &Payloads::new()).is_some());
    let size = state(&mut pair, true).len();
    for id in 3..3000 {
        assert!(ask(&mut pair, informational, id, &Payloads::new()).is_some());
        // Beyond the window, and before it.
        assert!(ask(&mut pair, informational, id + 2, &Payloads::new()).is_none());
        assert!(ask(&mut pair, informational, id - 2, &Payloads::new()).is_none());
    }
    let grown = state(&mut pair, true).len().abs_diff(size);
    assert!(grown < 64, "{grown}");
}

/// C23: the network cannot tell an identity that nobody has from a wrong key.
#[test]
fn c23_an_unknown_identity_is_answered_like_a_wrong_key() {
    let answers = [false, true].map(|unknown| {
        let (mut pair, auth) = handshake_flight(2);
        let message = rebuilt(&pair, &auth, |payloads| {
            let wanted = if unknown {
                PayloadType::ID_INITIATOR
            } else {
                PayloadType::AUTHENTICATION
            };
            let found = payloads.iter_mut().find(|(kind, _)| *kind == wanted);
            *found.unwrap().1.last_mut().unwrap() ^= 1;
        });
        let now = pair.now;
        let path = arrival(&auth);
        let event = Event::Datagram {
            path,
            message: &message,
        };
        let (_, out) = pair.b.feed(event, now);
        assert!(pair.b.children.is_empty() && pair.b.ikes.is_empty());
        let lengths: Vec<usize> = out.iter().map(|(_, d)| d.len()).collect();
        let insider = Insider::of(&pair);
        (lengths, Insider::open(insider.as_ref(), &out[0].1).1)
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(
        notified(&answers[0].1),
        Some(NotifyType::AUTHENTICATION_FAILED.0)
    );
}

/// C22: a certificate by URL is not fetched, and there is nobody who could.
#[test]
fn c22_a_certificate_behind_a_url_proves_nothing() {
    // X.509 as it is; the hash and the URL of one; the same of a bundle (RFC 7296 §3.6).
    for (encoding, shown) in [(4u8, 1), (12, 0), (13, 0)] {
        let (a, mut b) = configs(|c| c.key_log = true);
        b.peers[0].auth.remote = crate::credentials::any_signature();
        let mut pair = Pair::new(a, b);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        for _ in 0..2 {
            let flight = pair.flights.remove(0);
            pair.deliver(flight);
        }
        let auth = pair.flights.remove(0);
        let message = rebuilt(&pair, &auth, |payloads| {
            let mut certificate = vec![encoding];
            certificate.extend([0x5a; 20]);
            certificate.extend(b"http://192.0.2.66/certificate");
            payloads.insert(1, (PayloadType::CERTIFICATE, certificate));
            for (kind, body) in payloads {
                if *kind == PayloadType::AUTHENTICATION {
                    // A digital signature (RFC 7427 §3): ecdsa-with-SHA256, and some octets.
                    *body = vec![14, 0, 0, 0, 12];
                    body.extend(hex_literal::hex!("300a06082a8648ce3d040302"));
                    body.extend([0x33; 70]);
                }
            }
        });
        let (outcome, _) = inject(&mut pair, true, arrival(&auth), &message);
        // Nothing of it gets to those who judge certificates.
        let chains = pair.b.asked.iter().map(|(_, question)| match question {
            ike_sm::Question::VerifyCertificate { chain, .. } => chain.len(),
            other => panic!("{other:?}"),
        });
        assert_eq!(chains.sum::<usize>(), shown, "{encoding}: {outcome:?}");
        assert!(pair.b.ikes.is_empty() && pair.b.children.is_empty());
    }
}

/// D15: the answer to a question of an exchange that is over.
#[test]
fn d15_an_answer_that_comes_late_meets_nothing() {
    let (a, mut b) = configs(|_| {});
    b.psks = ike_sm::config::PskTable::new();
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (ticket, _) = pair.b.asked.remove(0);
    pair.run_for(secs(12));
    assert_eq!(pair.a.closed[0].1, CloseReason::RefusedByPeer(24));
    // Another negotiation stands where the first was.
    pair.fate = Box::new(|_| true);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert_eq!(pair.b.asked.len(), 1);
    let before = state(&mut pair, true);
    let answer = ike_sm::Answer::Psk(Some(b"secret"[..].into()));
    let outcome = pair.feed(true, Event::Answer(ticket, answer));
    assert_eq!(outcome, Outcome::Dropped(DropReason::UnknownTicket));
    assert_eq!(before, state(&mut pair, true));
    assert!(pair.b.ikes.is_empty());
}

/// Where B has its peer: the paths of its IKE SAs and of its Child SAs.
fn paths(pair: &Pair) -> (Vec<Path>, Vec<Path>) {
    let ikes = pair.b.endpoint.ike_sas().map(|sa| sa.path);
    let children = pair.b.children.values().map(|sa| sa.path);
    (ikes.collect(), children.collect())
}

/// D4: a copy of an old datagram from elsewhere, or a forged one, moves nobody: no request and no
/// response, in whatever exchange. Where something can move (a NAT, no MOBIKE) a new request does
/// move it.
#[test]
fn d4_a_replayed_request_from_elsewhere_moves_nothing() {
    let mut moved = 0;
    for (nat, mobike) in [(false, true), (false, false), (true, true), (true, false)] {
        let exchanges = EXCHANGES[..4].iter().map(|start| (Some(*start), true));
        // B asks: what it gets is a response.
        for (start, request) in exchanges.chain([(None, false)]) {
            let change = |c: &mut Config| c.peers[0].v2.mobike = mobike;
            let (mut pair, base) = if nat {
                crate::nat::up_with(change)
            } else {
                (established(change), Default::default())
            };
            if let Some(start) = start {
                start(&mut pair);
            } else {
                let ike = pair.b.ikes[0];
                let _ = pair.command(true, Command::RekeyIke(ike));
                let flight = pair.flights.remove(0);
                pair.deliver(flight);
            }
            let flight = pair.flights.remove(0);
            assert!(flight.to_b && flight.path.natt == nat);
            let path = arrival(&flight);
            // Behind the non-ESP marker.
            let raw = flight.datagram[if nat { 4 } else { 0 }..].to_vec();
            let header = Header::read(&raw).unwrap();
            assert_eq!(header.flags.contains(Flags::RESPONSE), !request);
            let mut forged = raw.clone();
            *forged.last_mut().unwrap() ^= 1;
            let what = format!("NAT {nat}, MOBIKE {mobike}, {}", header.exchange_type);
            let from_elsewhere = |pair: &mut Pair, message: &[u8]| {
                for remote in [
                    (ip("198.51.100.66"), path.remote.port()),
                    (path.remote.ip(), path.remote.port() + 1),
                ] {
                    let before = paths(pair);
                    let remote = remote.into();
                    let (outcome, _) = inject(pair, true, Path { remote, ..path }, message);
                    assert_ne!(outcome, Outcome::Handled, "{what}");
                    assert_eq!(paths(pair), before, "{what}: {outcome:?}");
                }
            };
            from_elsewhere(&mut pair, &forged);
            pair.deliver(flight);
            assert_eq!(pair.outcomes.last().unwrap().1, Outcome::Handled);
            for message in [&raw, &forged] {
                from_elsewhere(&mut pair, message);
            }
            pair.run_for(secs(2));
            for message in [&raw, &forged] {
                from_elsewhere(&mut pair, message);
            }
            // What is new and authentic comes from another mapping of the NAT.
            if nat {
                let before = paths(&pair);
                base.set(30_000);
                let _ = pair.command(false, Command::RekeyIke(*pair.a.ikes.last().unwrap()));
                pair.run_for(secs(2));
                let seen = (ip(crate::nat::PUBLIC), 34_500).into();
                let (ikes, children) = paths(&pair);
                let all = ikes.iter().chain(&children).all(|path| path.remote == seen);
                assert_eq!(all, !mobike, "{what}");
                assert_eq!(before.0[0] == ikes[0], mobike, "{what}");
                moved += usize::from(all);
            } else if !pair.b.children.is_empty() {
                pair.assert_tunnel();
            }
        }
    }
    assert_eq!(moved, 5);
}

/// A source of randomness that has failed.
pub struct Stuck(pub u8);

impl rand_core::TryRng for Stuck {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_ne_bytes([self.0; 4]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_ne_bytes([self.0; 8]))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        dst.fill(self.0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Stuck {}

/// C20: no SPI of zeros, none of the reserved ones, none twice.
#[test]
fn c20_a_broken_source_of_randomness_sets_nothing_up() {
    let initiate = || Command::Initiate {
        peer: "peer".into(),
        children: Vec::new(),
    };
    let mut pair = pair();
    let mut actions = ike_sm::Actions::new();
    let event = Event::Command(initiate());
    let endpoint = &mut pair.a.endpoint;
    let outcome = endpoint.handle(event, secs(1), &mut Stuck(0), &mut actions);
    // It is tried again later.
    assert_eq!(outcome, Outcome::Handled);
    assert!(actions.pop().is_none());
    assert_eq!(endpoint.ike_sas().count(), 0);

    // What a stuck source draws is taken from the second time on.
    let mut pair = established(|_| {});
    for replaced in [true, false] {
        let child = *pair.a.active.last().unwrap();
        let event = Event::Command(Command::RekeyChild(child));
        let (now, mut actions) = (pair.now, ike_sm::Actions::new());
        let endpoint = &mut pair.a.endpoint;
        let outcome = endpoint.handle(event, now, &mut Stuck(0x55), &mut actions);
        assert_eq!(outcome, Outcome::Handled);
        while let Some(action) = actions.pop() {
            if let ike_sm::Action::Send { path, datagram } = action {
                pair.deliver(Flight {
                    at: now,
                    to_b: true,
                    path,
                    datagram: datagram.to_vec(),
                });
            }
        }
        pair.run_for(secs(15));
        pair.assert_tunnel();
        assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
        assert_eq!(!pair.a.children.contains_key(&child), replaced);
        let spi = pair.a.children.values().next().unwrap().spi_in;
        assert_eq!(spi, 0x5555_5555);
    }
}
