//! Floods: everything that a peer can make grow has a bound.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ike_sm::config::{ChildConfig, EndpointLimits, Prefix};
use ike_sm::{DropReason, Event, Outcome, Path};

use crate::common::{A, B, Pair, config, ip, net, secs};

fn open_to_all() -> Pair {
    let mut other = config(B, A, b"secret");
    other.peers[0]
        .networks
        .push(Prefix::new(ip("0.0.0.0"), 0).unwrap());
    other.explain = false;
    other.psks.insert(
        ike_sm::config::PskOwner::Prefix(Prefix::new(ip("0.0.0.0"), 0).unwrap()),
        crypto_suite::Secret::from(&b"secret"[..]),
    );
    Pair::new(config(A, B, b"secret"), other)
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
fn many_tunnels(count: u8, limits: impl Fn(&mut EndpointLimits)) -> Pair {
    let [mut a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    for (config, own, peer) in [(&mut a, 1, 2), (&mut b, 2, 1)] {
        config.peers[0].children = (0..count)
            .map(|n| {
                let side = |side| net(&format!("10.{side}.{n}.0"), 24);
                ChildConfig::new(format!("net{n}"), side(own), side(peer))
            })
            .collect();
    }
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
    pair.bring_up();
    let first = pair.b.ikes[0];
    let mut copies = Vec::new();
    for _ in 0..30 {
        let child = *pair.a.active.last().unwrap();
        let _ = pair.command(false, ike_sm::Command::RekeyChild(child));
        if pair.b.ikes == [first] {
            copies.push(pair.flights[0].datagram.clone());
        }
        // Longer than the answer of an exchange is kept.
        pair.run_for(secs(130));
        pair.assert_tunnel();
        for message in &copies {
            let path = Path::plain((ip(B), 500).into(), (ip(A), 500).into());
            let now = pair.now;
            let (outcome, out) = pair.b.feed(Event::Datagram { path, message }, now);
            assert!(outcome.dropped().is_some() && out.is_empty(), "{outcome:?}");
        }
    }
    assert!(pair.b.closed.iter().any(|(ike, _)| *ike == first));
    assert!(copies.len() >= 4, "{}", copies.len());
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
}
