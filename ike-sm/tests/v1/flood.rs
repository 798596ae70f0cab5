//! Floods: everything that a peer can make grow has a bound.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use ike_sm::config::{
    ChildConfig, Config, EndpointLimits, Identity, Phase1Mode, Prefix, RemoteIdentity,
};
use ike_sm::{DropReason, Event, Outcome, Path};

use crate::common::{A, B, Pair, config, ip, net, secs};

fn open_to_all() -> Pair {
    Pair::new(config(A, B, b"secret"), open())
}

/// B, for peers from anywhere.
fn open() -> Config {
    let mut other = config(B, A, b"secret");
    other.peers[0]
        .networks
        .push(Prefix::new(ip("0.0.0.0"), 0).unwrap());
    other.explain = false;
    other.psks.insert(
        ike_sm::config::PskOwner::Prefix(Prefix::new(ip("0.0.0.0"), 0).unwrap()),
        crypto_suite::Secret::from(&b"secret"[..]),
    );
    other
}

fn ike_sas(pair: &Pair) -> usize {
    let shown = format!("{:?}", pair.b.endpoint);
    let after = shown.split("ike_sas: ").nth(1).unwrap();
    after.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn b3_a_hundred_thousand_spoofed_first_messages_and_an_honest_peer() {
    let mut pair = open_to_all();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let first = pair.flights.remove(0);
    let mut forged = first.datagram.clone();
    let mut flood = |pair: &mut Pair, numbers: std::ops::Range<u32>| {
        for n in numbers {
            forged[..4].copy_from_slice(&n.to_be_bytes());
            forged[4..8].copy_from_slice(&[0xaa; 4]);
            let from = IpAddr::V4(Ipv4Addr::from(0x2000_0000 + n));
            let path = Path::plain((ip(B), 500).into(), (from, 500).into());
            let now = pair.now;
            let (outcome, out) = pair.b.feed(
                Event::Datagram {
                    path,
                    message: &forged,
                },
                now,
            );
            assert_eq!(outcome, Outcome::Handled);
            assert!(
                out.iter().all(|(_, d)| d.len() <= forged.len()),
                "no amplification"
            );
            pair.b.actions.clear();
        }
    };
    flood(&mut pair, 0..99_000);
    assert!(ike_sas(&pair) <= 1_000, "{}", ike_sas(&pair));
    pair.deliver(first);
    flood(&mut pair, 99_000..99_500);
    pair.run_for(Duration::from_millis(45));
    flood(&mut pair, 99_500..100_000);
    pair.run_for(secs(1));
    pair.assert_tunnel();
    assert!(ike_sas(&pair) <= 1_001);
    pair.run_for(secs(60));
    assert_eq!(ike_sas(&pair), 1, "the flood leaves nothing behind");
}

#[test]
fn one_address_gets_only_its_share_of_half_open_negotiations() {
    let mut pair = open_to_all();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let first = pair.flights.remove(0);
    let mut forged = first.datagram.clone();
    for n in 0..1000u32 {
        forged[..4].copy_from_slice(&n.to_be_bytes());
        let path = Path::plain((ip(B), 500).into(), (ip("198.51.100.7"), 500).into());
        let now = pair.now;
        let _ = pair.b.feed(
            Event::Datagram {
                path,
                message: &forged,
            },
            now,
        );
    }
    assert!(ike_sas(&pair) <= 10);
}

/// Two ends with this many tunnels between them, and the bounds of the responder's.
pub fn many_tunnels(count: u8, limits: impl Fn(&mut EndpointLimits)) -> Pair {
    let [mut a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    for (config, own, peer) in [(&mut a, 1, 2), (&mut b, 2, 1)] {
        config.peers[0].children = (0..count)
            .map(|n| {
                let side = |side| net(&format!("10.{side}.{n}.0"), 24);
                ChildConfig::new(format!("net{n}"), side(own), side(peer))
            })
            .collect();
    }
    // The initiator's memory of message IDs brings no new keys meanwhile.
    a.limits.message_ids_per_ike_sa = 100_000;
    limits(&mut b.limits);
    Pair::new(a, b)
}

/// What became of the quick modes that A began: taken, and refused with this limit.
fn first_messages(pair: &Pair, limit: &'static str) -> (usize, usize) {
    let refused = Outcome::Dropped(DropReason::Limit(limit));
    let at_b = pair.outcomes.iter().filter(|(to_b, _)| *to_b);
    // Behind main mode's three.
    let quick = at_b.skip(3).map(|(_, outcome)| outcome.clone());
    let count = |wanted: Outcome| quick.clone().filter(|outcome| *outcome == wanted).count();
    (count(Outcome::Handled), count(refused))
}

#[test]
fn b6_exchanges_and_children_of_one_ike_sa_are_bounded() {
    // Quick modes that do not go on: B's answers are lost.
    let mut pair = many_tunnels(10, |limits| limits.exchanges_per_ike_sa = 3);
    pair.fate = Box::new(|flight| flight.to_b || flight.datagram[18] != 32);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let taken = first_messages(&pair, "exchanges of one IKE SA");
    assert_eq!(taken, (3, 7), "{:?}", pair.outcomes);
    assert!(pair.b.children.len() <= 3);
    // Once they have ended there is room for others.
    pair.fate = Box::new(|_| true);
    pair.run_for(secs(300));
    assert_eq!(pair.b.children.len(), 10);
    pair.assert_tunnel();

    // More tunnels than are allowed.
    let mut pair = many_tunnels(10, |limits| limits.children_per_ike_sa = 4);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (_, refused) = first_messages(&pair, "children of one IKE SA");
    assert_eq!(refused, 6, "{:?}", pair.outcomes);
    assert_eq!(pair.b.children.len(), 4);
    pair.assert_tunnel();
    // None of those is lost to its rekey.
    let before = pair.a.active.clone();
    for child in &before {
        let _ = pair.command(false, ike_sm::Command::RekeyChild(*child));
    }
    pair.run_for(secs(30));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (4, 4));
    assert!(!pair.a.active.iter().any(|child| before.contains(child)));
    pair.assert_tunnel();

    // One after another under one SA: neither the children nor the exchanges that have ended pile up.
    let mut pair = many_tunnels(1, |limits| limits.message_ids_per_ike_sa = 100_000);
    pair.bring_up();
    for _ in 0..300 {
        let child = *pair.a.active.last().unwrap();
        let _ = pair.command(false, ike_sm::Command::RekeyChild(child));
        pair.run_for(Duration::from_millis(100));
        pair.assert_tunnel();
        assert!(pair.b.children.len() <= 64, "{}", pair.b.children.len());
        let state = format!("{:?}", pair.b.endpoint.state());
        let exchanges = state.matches("Exchange {").count();
        assert!(exchanges <= 32, "{exchanges}");
    }
    assert_eq!(pair.b.ikes.len(), 1);
    pair.run_for(secs(100));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
}

/// The memory of message ids is bounded, and none of them is taken twice: when it is full, new keys
/// come under which all are fresh.
#[test]
fn b6_the_memory_of_message_ids_is_bounded_and_forgets_none_under_its_keys() {
    let mut pair = many_tunnels(1, |limits| limits.message_ids_per_ike_sa = 12);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let quick = Rc::clone(&seen);
    pair.fate = Box::new(move |flight| {
        if flight.to_b && flight.datagram[18] == 32 {
            quick.borrow_mut().push(flight.datagram.clone());
        }
        true
    });
    pair.bring_up();
    pair.fate = Box::new(|_| true);
    let first = pair.b.ikes[0];
    // The first message under these keys is the first that would be forgotten.
    let mut copies = vec![seen.borrow()[0].clone()];
    for _ in 0..30 {
        // Longer than the answer of an exchange is kept.
        pair.run_for(secs(130));
        let child = *pair.a.active.last().unwrap();
        let _ = pair.command(false, ike_sm::Command::RekeyChild(child));
        let newest = pair.flights[0].datagram.clone();
        let under_first = pair.b.ikes == [first];
        pair.run_for(secs(1));
        for wait in [0, 130] {
            pair.run_for(secs(wait));
            pair.assert_tunnel();
            for message in &copies {
                let path = Path::plain((ip(B), 500).into(), (ip(A), 500).into());
                let now = pair.now;
                let (outcome, out) = pair.b.feed(Event::Datagram { path, message }, now);
                assert!(outcome.dropped().is_some() && out.is_empty(), "{outcome:?}");
            }
        }
        if under_first {
            copies.push(newest);
        }
    }
    assert!(pair.b.closed.iter().any(|(ike, _)| *ike == first));
    assert!(copies.len() >= 4, "{}", copies.len());
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
}

#[test]
fn b6_the_memory_of_message_ids_is_bounded_although_new_keys_do_not_come() {
    let mut pair = many_tunnels(1, |limits| limits.message_ids_per_ike_sa = 12);
    pair.bring_up();
    pair.fate = Box::new(|flight| flight.datagram[18] != 2);
    for _ in 0..40 {
        let child = *pair.a.active.last().unwrap();
        let _ = pair.command(false, ike_sm::Command::RekeyChild(child));
        pair.run_for(secs(1));
        pair.assert_tunnel();
        let state = format!("{:?}", pair.b.endpoint.state());
        let seen = state.split("SeenIds([").nth(1).unwrap();
        let remembered = seen.split(']').next().unwrap().split(',').count();
        assert!(remembered <= 2 * 12, "{remembered}");
    }
}

/// Main mode up to message 3, from `from`, with another cookie: of `first` and `third`.
fn up_to_message_3(pair: &mut Pair, (first, third): (&[u8], &[u8]), cookie: u32, from: &str) {
    let path = Path::plain((ip(B), 500).into(), (ip(from), 500).into());
    let mut feed = |message: &[u8]| {
        let now = pair.now;
        let (outcome, out) = pair.b.feed(Event::Datagram { path, message }, now);
        assert_eq!(outcome, Outcome::Handled);
        out
    };
    let mut message = first.to_vec();
    message[..4].copy_from_slice(&cookie.to_be_bytes());
    let answer = feed(&message);
    message = third.to_vec();
    message[..16].copy_from_slice(&answer[0].1[..16]);
    feed(&message);
}

#[test]
fn x7_an_address_that_gets_as_far_as_message_3_holds_its_share_and_evicts_nobody_else() {
    let mut b = open();
    b.limits.half_open = 6;
    b.limits.half_open_proved_per_address = 2;
    let mut pair = Pair::new(config(A, B, b"secret"), b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let first = pair.flights.remove(0);
    let one = first.datagram.clone();
    pair.deliver(first);
    let second = pair.flights.remove(0);
    pair.deliver(second);
    let third = pair.flights.remove(0);
    let three = third.datagram.clone();
    pair.deliver(third);
    let fourth = pair.flights.remove(0);
    for cookie in 0..4 {
        up_to_message_3(&mut pair, (&one, &three), cookie, "198.51.100.9");
        assert!(ike_sas(&pair) <= 1 + 2);
    }
    // Nor do those that show nothing evict it.
    let mut forged = one.clone();
    for n in 100..120u32 {
        forged[..4].copy_from_slice(&n.to_be_bytes());
        let from = IpAddr::V4(Ipv4Addr::from(0x2000_0000 + n));
        let path = Path::plain((ip(B), 500).into(), (from, 500).into());
        let now = pair.now;
        let message = &forged[..];
        let _ = pair.b.feed(Event::Datagram { path, message }, now);
        assert!(ike_sas(&pair) <= 6);
    }
    pair.deliver(fourth);
    pair.run_for(secs(2));
    pair.assert_tunnel();
}

/// A pair that speaks aggressive mode, and what the first message of the one end is.
fn aggressive() -> (Pair, crate::common::Flight) {
    // From anywhere: the address of the honest peer is not configured.
    aggressive_with(|b| b.peers[0].addresses.clear())
}

fn aggressive_with(change: impl Fn(&mut Config)) -> (Pair, crate::common::Flight) {
    let name = |n: &str| Identity::Fqdn(n.into());
    let [mut a, mut b] = [config(A, B, b"secret"), open()];
    for (config, ours, theirs) in [(&mut a, "a.lab", "b.lab"), (&mut b, "b.lab", "a.lab")] {
        let peer = &mut config.peers[0];
        peer.mode = Phase1Mode::AggressiveExposingPskHash;
        peer.local_id = Some(name(ours));
        peer.remote_id = RemoteIdentity::Is(name(theirs));
        config.limits.aggressive_per_second = 8;
        config.limits.aggressive_per_second_per_prefix = 3;
    }
    change(&mut b);
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let first = pair.flights.remove(0);
    (pair, first)
}

/// How many of these first messages of aggressive mode, each with another cookie, are answered.
fn answered(pair: &mut Pair, first: &[u8], from: impl Fn(u32) -> Ipv4Addr, count: u32) -> usize {
    let mut forged = first.to_vec();
    let mut answered = 0;
    for n in 0..count {
        forged[..4].copy_from_slice(&n.to_be_bytes());
        let path = Path::plain((ip(B), 500).into(), (IpAddr::V4(from(n)), 500).into());
        let now = pair.now;
        let message = &forged[..];
        let (_, out) = pair.b.feed(Event::Datagram { path, message }, now);
        answered += out.len();
    }
    answered
}

#[test]
fn x7b_false_first_messages_of_aggressive_mode_cost_a_second_and_lock_nobody_out() {
    let (mut pair, first) = aggressive();
    let anywhere = |n: u32| Ipv4Addr::from(0x2000_0000 + (n << 8));
    // A quarter is kept for the addresses of configured peers.
    assert_eq!(answered(&mut pair, &first.datagram, anywhere, 64), 6);
    // The honest peer repeats its first message.
    pair.deliver(first);
    pair.run_for(secs(20));
    pair.assert_tunnel();
}

#[test]
fn x7b_a_configured_address_has_a_share_of_aggressive_modes_that_strangers_do_not_get() {
    let (mut pair, first) = aggressive_with(|_| {});
    let anywhere = |n: u32| Ipv4Addr::from(0x2000_0000 + (n << 8));
    assert_eq!(answered(&mut pair, &first.datagram, anywhere, 64), 6);
    pair.deliver(first);
    assert_eq!(pair.outcomes, [(true, Outcome::Handled)]);
    pair.run_for(secs(1));
    pair.assert_tunnel();
}

#[test]
fn x7b_one_network_gets_no_more_than_its_share_of_aggressive_modes() {
    let (mut pair, first) = aggressive();
    let network = |n: u32| Ipv4Addr::from(0x2000_0000 + n);
    assert_eq!(answered(&mut pair, &first.datagram, network, 64), 3);
    // Others are answered at once.
    pair.deliver(first);
    pair.run_for(secs(1));
    pair.assert_tunnel();
}

#[test]
fn x8_isakmp_sas_that_replace_each_other_are_bounded() {
    let mut other = config(B, A, b"secret");
    other.limits.replaced_per_peer = 2;
    let mut pair = Pair::new(config(A, B, b"secret"), other);
    pair.bring_up();
    for _ in 0..8 {
        let ike = *pair.a.ikes.last().unwrap();
        let _ = pair.command(false, ike_sm::Command::RekeyIke(ike));
        pair.run_for(Duration::from_millis(500));
        assert!(pair.b.ikes.len() <= 1 + 2, "{:?}", pair.b.ikes);
    }
    pair.assert_tunnel();
    pair.run_for(secs(70));
    pair.assert_tunnel();
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
}

#[test]
fn x8_pairs_that_replace_each_other_are_bounded() {
    let mut other = config(B, A, b"secret");
    other.limits.replaced_per_peer = 2;
    let mut pair = Pair::new(config(A, B, b"secret"), other);
    pair.bring_up();
    for _ in 0..12 {
        let child = *pair.a.active.last().unwrap();
        let _ = pair.command(false, ike_sm::Command::RekeyChild(child));
        pair.run_for(Duration::from_millis(500));
        pair.assert_tunnel();
        // Those that the peer has just been told of linger for two seconds.
        assert!(pair.b.children.len() <= 1 + 2 + 5);
    }
    pair.run_for(secs(70));
    pair.assert_tunnel();
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
}

/// How many octets B answers when this message comes by this path.
fn octets_for(pair: &mut Pair, path: Path, message: &[u8]) -> usize {
    let now = pair.now;
    let (_, out) = pair.b.feed(Event::Datagram { path, message }, now);
    out.iter().map(|(_, datagram)| datagram.len()).sum()
}

#[test]
fn x6_copies_of_a_first_message_get_three_octets_for_one_and_end() {
    let main = || {
        let mut pair = open_to_all();
        assert_eq!(pair.initiate(false), Outcome::Handled);
        let first = pair.flights.remove(0);
        (pair, first)
    };
    for (mut pair, first) in [main(), aggressive()] {
        let path = Path::plain(first.path.remote, first.path.local);
        let (mut came, mut went, mut answered) = (0, 0, 0);
        for _ in 0..50 {
            let out = octets_for(&mut pair, path, &first.datagram);
            (came, went) = (came + first.datagram.len(), went + out);
            answered += usize::from(out > 0);
            assert!(went <= 3 * came);
        }
        // Once, and ten times again.
        assert_eq!(answered, 11);
    }
}

#[test]
fn x6_a_copy_of_message_3_is_answered_where_it_came_from_and_nowhere_else() {
    let mut pair = open_to_all();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    for _ in 0..2 {
        let flight = pair.flights.remove(0);
        pair.deliver(flight);
    }
    let third = pair.flights.remove(0);
    let path = Path::plain(third.path.remote, third.path.local);
    assert!(octets_for(&mut pair, path, &third.datagram) > 0);
    for remote in [(ip("203.0.113.77"), 500), (third.path.local.ip(), 53)] {
        let elsewhere = Path::plain(third.path.remote, remote.into());
        assert_eq!(octets_for(&mut pair, elsewhere, &third.datagram), 0);
    }
    let again: Vec<usize> = (0..20)
        .map(|_| octets_for(&mut pair, path, &third.datagram))
        .collect();
    assert!(again[..10].iter().all(|out| *out > 0));
    assert!(again[10..].iter().all(|out| *out == 0));
}
