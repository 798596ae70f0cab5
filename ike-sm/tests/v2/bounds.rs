//! What an authenticated peer can make us keep.
use ike_sm::config::Config;
use ike_sm::config::v2::{Assign, Assignment, Wanted};
use ike_sm::{Action, Answer, CloseReason, Command, Event, Outcome, Path, Question};
use isakmp_wire::Header;
use isakmp_wire::v2::{NotifyType, PayloadType};

use crate::common::{Flight, Pair, ip, net, secs};
use crate::configs;
use crate::hostile::Stuck;
use crate::insider::{Insider, Payloads};

fn kept(pair: &Pair) -> usize {
    let shown = format!("{:?}", pair.b.endpoint);
    let after = shown.split("ike_sas: ").nth(1).unwrap();
    after.split(',').next().unwrap().parse().unwrap()
}

/// A pair whose tunnel stands, a rekey of its IKE SA, and where that comes from.
fn rekey(change: impl Fn(&mut Config)) -> (Pair, Header, Payloads, Path) {
    let (a, mut b) = configs(|c| c.key_log = true);
    change(&mut b);
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let ike = pair.a.ikes[0];
    let _ = pair.command(false, Command::RekeyIke(ike));
    let flight = pair.flights.remove(0);
    let insider = Insider::of(&pair).unwrap();
    let (header, payloads) = Insider::open(Some(&insider), &flight.datagram);
    let path = Path {
        local: flight.path.remote,
        remote: flight.path.local,
        natt: flight.path.natt,
    };
    (pair, header, payloads, path)
}

/// Rekeys the newest IKE SA of B, as its peer; what B answers.
fn go_on(
    pair: &mut Pair,
    spi: u32,
    header: &mut Header,
    payloads: &Payloads,
    path: Path,
) -> Payloads {
    let mut insider = Insider::of(pair).unwrap();
    let mut payloads = payloads.clone();
    for (kind, body) in &mut payloads {
        if *kind == PayloadType::SA {
            body[8..12].copy_from_slice(&spi.to_be_bytes());
        }
    }
    let message = insider.seal(header, &payloads);
    let now = pair.now;
    let event = Event::Datagram {
        path,
        message: &message,
    };
    let (outcome, out) = pair.b.feed(event, now);
    assert_eq!(outcome, Outcome::Handled);
    let (_, answer) = Insider::open(Some(&insider), &out[0].1);
    let spis = Insider::of(pair).unwrap().spis();
    header.message_id += 1;
    if spis != (header.initiator_spi, header.responder_spi) {
        (header.initiator_spi, header.responder_spi) = spis;
        header.message_id = 0;
    }
    answer
}

fn is_busy(answer: &Payloads) -> bool {
    let told = NotifyType::TEMPORARY_FAILURE.0.to_be_bytes();
    matches!(&answer[..], [(PayloadType::NOTIFY, body)] if body[2..4] == told)
}

#[test]
fn x8_a_peer_that_rekeys_each_new_ike_sa_and_deletes_none_has_to_wait() {
    let (mut pair, mut header, payloads, path) = rekey(|b| b.limits.replaced_per_peer = 3);
    let mut refused = 0;
    for spi in 1..10 {
        let answer = go_on(&mut pair, spi, &mut header, &payloads, path);
        refused += usize::from(is_busy(&answer));
        assert!(kept(&pair) <= 4, "{}", kept(&pair));
    }
    assert_eq!(refused, 6);
    // What it does not delete goes in time, and it may go on.
    pair.flights.clear();
    pair.fate = Box::new(|_| false);
    pair.run_for(secs(400));
    let answer = go_on(&mut pair, 99, &mut header, &payloads, path);
    assert!(!is_busy(&answer));
}

#[test]
fn x8_beyond_the_bound_on_ike_sas_a_peer_replaces_its_own_one_at_a_time() {
    let (mut pair, mut header, payloads, path) = rekey(|b| b.limits.ike_sas = 1);
    let busy: Vec<bool> = (1..4)
        .map(|spi| is_busy(&go_on(&mut pair, spi, &mut header, &payloads, path)))
        .collect();
    assert_eq!(busy, [false, true, true]);
    assert_eq!(kept(&pair), 2);
}

#[test]
fn x8_rekeyed_and_deleted_ike_sas_leave_few_answers_behind() {
    let (a, mut b) = configs(|_| {});
    b.limits.replaced_per_peer = 3;
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    for _ in 0..8 {
        let ike = *pair.a.ikes.last().unwrap();
        assert_eq!(
            pair.command(false, Command::RekeyIke(ike)),
            Outcome::Handled
        );
        pair.run_for(secs(1));
        pair.assert_tunnel();
        assert!(kept(&pair) <= 1 + 3, "{}", kept(&pair));
    }
    assert!(pair.b.endpoint.is_consistent());
    pair.run_for(secs(40));
    assert_eq!(kept(&pair), 1);
}

#[test]
fn x8_new_ike_sas_of_one_identity_do_not_heap_up() {
    let both = || configs(|c| c.peers[0].initial_contact = false);
    let (a, mut b) = both();
    b.limits.replaced_per_peer = 2;
    let mut pair = Pair::new(a, b);
    for seed in 10..20 {
        // It starts anew, and forgets all that stood.
        pair.a = crate::common::End::new(both().0, seed);
        pair.flights.clear();
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(std::time::Duration::from_millis(500));
        let standing = pair.b.endpoint.ike_sas().count();
        assert!(standing <= 1 + 2 * 2, "{standing}");
    }
    pair.assert_tunnel();
}

/// X8: each call from another port behind a NAT is another device of the same account.
#[test]
fn x8_one_account_does_not_use_up_the_room_for_all() {
    let (_, mut b) = configs(|_| {});
    b.limits.ike_sas = 12;
    b.limits.ike_sas_per_identity = 4;
    let mut pair = Pair::new(configs(|_| {}).0, b);
    let shift = std::rc::Rc::new(std::cell::Cell::new(0u16));
    let ports = std::rc::Rc::clone(&shift);
    pair.fate = Box::new(move |flight| {
        let (path, by) = (&mut flight.path, ports.get());
        if flight.to_b {
            path.local.set_port(path.local.port() + by);
        } else {
            path.remote.set_port(path.remote.port().wrapping_sub(by));
        }
        true
    });
    for n in 0..20 {
        let (mut a, _) = configs(|_| {});
        a.peers[0].initial_contact = false;
        pair.a = crate::common::End::new(a, 100 + u64::from(n));
        pair.flights.clear();
        shift.set(20_000 + n);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(std::time::Duration::from_millis(300));
        let standing = pair.b.endpoint.ike_sas().count();
        assert!(standing <= 2 * 4, "{standing}");
    }
    assert!(!pair.a.children.is_empty(), "the newest one is in");
}

#[test]
fn x8_pairs_of_one_traffic_that_are_replaced_and_not_deleted_are_bounded() {
    let (a, mut b) = configs(|_| {});
    b.limits.replaced_per_peer = 3;
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    // The initiator of a rekey deletes what it has replaced after ten seconds.
    for _ in 0..8 {
        let child = *pair.a.active.last().unwrap();
        let _ = pair.command(false, Command::RekeyChild(child));
        pair.run_for(std::time::Duration::from_millis(200));
        pair.assert_tunnel();
        assert!(pair.b.children.len() <= 1 + 3);
    }
    let busy = CloseReason::RefusedByPeer(NotifyType::TEMPORARY_FAILURE.0);
    assert!(pair.a.failed.contains(&busy), "{:?}", pair.a.failed);
    pair.run_for(secs(60));
    pair.assert_tunnel();
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
}

/// A peer that is assigned an address, with more names than fit into a payload.
#[test]
fn l12_an_answer_that_cannot_be_built_leaves_no_spi_and_is_an_answer_all_the_same() {
    let (mut a, b) = configs(|c| {
        c.peers[0].addresses_inside.request.ipv4 = Wanted::Any;
        c.peers[0].addresses_inside.request.split_dns = true;
        c.peers[0].addresses_inside.assign = Assign::Required;
        c.peers[0].children[0].remote = net("0.0.0.0", 0).into();
    });
    a.peers[0].children[0].local = net("0.0.0.0", 0).into();
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (ticket, question) = pair.b.asked.pop().unwrap();
    assert!(matches!(question, Question::AssignAddress { .. }));
    let assignment = Assignment {
        ipv4: Some([10, 9, 0, 7].into()),
        dns: vec![ip("10.2.0.53")],
        domains: vec!["x".repeat(5000); 16],
        ..Assignment::default()
    };
    let sent = pair.sent;
    let answer = Answer::Addresses(Some(assignment));
    assert_eq!(
        pair.feed(true, Event::Answer(ticket, answer)),
        Outcome::Handled
    );
    assert_eq!(pair.sent, sent + 1);
    assert_eq!(pair.b.endpoint.leftovers(), [""; 0]);
}

/// Hands what A has sent to B, whose source of randomness is broken; what B sends.
fn with_stuck_source(pair: &mut Pair) -> Vec<Flight> {
    let flight = pair.flights.remove(0);
    let path = Path {
        local: flight.path.remote,
        remote: flight.path.local,
        natt: flight.path.natt,
    };
    let (now, mut actions) = (pair.now, ike_sm::Actions::new());
    let message = &flight.datagram[..];
    let event = Event::Datagram { path, message };
    let outcome = pair
        .b
        .endpoint
        .handle(event, now, &mut Stuck(0), &mut actions);
    assert_eq!(outcome, Outcome::Handled);
    let mut sent = Vec::new();
    while let Some(action) = actions.pop() {
        if let Action::Send { path, datagram } = action {
            sent.push(Flight {
                at: now,
                to_b: false,
                path,
                datagram: datagram.to_vec(),
            });
        }
    }
    sent
}

/// RFC 7296 §2.1: "every request requires a response".
#[test]
fn l12_a_request_that_fails_for_a_fault_of_ours_is_answered() {
    let (a, b) = configs(|_| {});
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let (ike, child) = (pair.a.ikes[0], pair.a.active[0]);
    for command in [Command::RekeyIke(ike), Command::RekeyChild(child)] {
        assert_eq!(pair.command(false, command), Outcome::Handled);
        let mut answers = with_stuck_source(&mut pair);
        assert_eq!(answers.len(), 1);
        pair.deliver(answers.remove(0));
        assert_eq!(pair.outcomes.last(), Some(&(false, Outcome::Handled)));
        assert_eq!(pair.b.endpoint.leftovers(), [""; 0]);
    }
    let busy = CloseReason::RefusedByPeer(NotifyType::TEMPORARY_FAILURE.0);
    assert_eq!(pair.a.failed, [busy]);
    pair.run_for(secs(30));
    pair.assert_tunnel();
}
