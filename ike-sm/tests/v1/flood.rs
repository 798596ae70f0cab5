//! Floods: everything that a peer can make grow has a bound.

use std::net::{IpAddr, Ipv4Addr};

use ike_sm::config::Prefix;
use ike_sm::{Event, Outcome, Path};

use crate::common::{A, B, Pair, config, ip, secs};

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
    pair.run_for(std::time::Duration::from_millis(45));
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

#[test]
fn b6_exchanges_and_children_of_one_ike_sa_are_bounded() {
    let mut pair = Pair::established();
    for _ in 0..300 {
        let child = *pair.a.active.last().unwrap();
        let _ = pair.command(false, ike_sm::Command::RekeyChild(child));
        pair.run_for(std::time::Duration::from_millis(100));
        pair.assert_tunnel();
        assert!(pair.b.children.len() <= 150);
    }
    pair.run_for(secs(100));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
}
