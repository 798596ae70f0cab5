//! Half-open negotiations and cookies (RFC 7296 §2.6).
use std::net::{IpAddr, Ipv4Addr};

use ike_sm::config::{EndpointLimits, Prefix, PskOwner};
use ike_sm::{DropReason, Event, Outcome, Path};

use crate::common::{B, Pair, ip, secs};
use crate::configs;
use crate::insider::{Insider, clear};
use isakmp_wire::v2::{NotifyType, PayloadType};

fn busy(threshold: usize) -> Pair {
    busy_with(|limits| limits.cookie_threshold = threshold)
}

fn busy_with(change: impl Fn(&mut EndpointLimits)) -> Pair {
    let (a, mut b) = configs(|_| {});
    let everyone = Prefix::new(ip("0.0.0.0"), 0).unwrap();
    b.peers[0].networks.push(everyone);
    change(&mut b.limits);
    b.explain = false;
    let owner = PskOwner::Prefix(everyone);
    b.psks
        .insert(owner, crypto_suite::Secret::from(&b"secret"[..]));
    Pair::new(a, b)
}

fn ike_sas(pair: &Pair) -> usize {
    let shown = format!("{:?}", pair.b.endpoint);
    let after = shown.split("ike_sas: ").nth(1).unwrap();
    after.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn rfc7296_s2_6_a_cookie_is_asked_for_brought_back_and_good() {
    let mut pair = busy(1);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!(pair.sent, 6);
    let asked = Outcome::Dropped(DropReason::CookieWanted);
    assert_eq!(pair.outcomes[0], (true, asked));
    pair.assert_tunnel();
}

#[test]
fn b3_b5_a_flood_from_false_addresses_costs_no_state_beyond_the_threshold() {
    let mut pair = busy(30);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let first = pair.flights.remove(0);
    let mut forged = first.datagram.clone();
    for n in 0..20_000u32 {
        forged[..4].copy_from_slice(&n.to_be_bytes());
        let from = IpAddr::V4(Ipv4Addr::from(0x2000_0000 + n));
        let path = Path::plain((ip(B), 500).into(), (from, 500).into());
        let now = pair.now;
        let event = Event::Datagram {
            path,
            message: &forged,
        };
        let (_, out) = pair.b.feed(event, now);
        assert!(out.iter().all(|(_, d)| d.len() <= forged.len()));
        pair.b.actions.clear();
    }
    assert_eq!(ike_sas(&pair), 29);
    pair.deliver(first);
    pair.run_for(secs(2));
    pair.assert_tunnel();
    pair.run_for(secs(60));
    assert_eq!(ike_sas(&pair), 1, "the flood leaves nothing behind");
}

#[test]
fn b4_a_cookie_is_bound_to_the_address_that_it_was_sent_to() {
    let mut pair = busy(1);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(pair.latency * 2);
    let mut second = pair.flights.remove(0);
    second.path.local = (ip("198.51.100.1"), 500).into();
    pair.deliver(second);
    let asked = Outcome::Dropped(DropReason::CookieWanted);
    assert_eq!(pair.outcomes.last().unwrap(), &(true, asked));
    assert_eq!(ike_sas(&pair), 0);
}

#[test]
fn users_behind_one_nat_do_not_lock_each_other_out() {
    let mut pair = busy(30);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let first = pair.flights.remove(0);
    // Many that never bring a cookie back come from the same address.
    let mut forged = first.datagram.clone();
    for n in 0..100u32 {
        forged[..4].copy_from_slice(&n.to_be_bytes());
        let now = pair.now;
        let path = Path::plain(first.path.remote, first.path.local);
        let event = Event::Datagram {
            path,
            message: &forged,
        };
        let _ = pair.b.feed(event, now);
    }
    assert!(ike_sas(&pair) <= 10);
    pair.deliver(first);
    pair.run_for(secs(2));
    pair.assert_tunnel();
}

/// IKE_SA_INIT from `from`, with another SPI, and again with the cookie that was asked for if one was.
fn open_half(pair: &mut Pair, template: &[u8], spi: u32, from: IpAddr) {
    let mut request = template.to_vec();
    request[..4].copy_from_slice(&spi.to_be_bytes());
    let path = Path::plain((ip(B), 500).into(), (from, 500).into());
    for _ in 0..2 {
        let now = pair.now;
        let message = &request[..];
        let (outcome, out) = pair.b.feed(Event::Datagram { path, message }, now);
        if outcome != Outcome::Dropped(DropReason::CookieWanted) {
            assert_eq!(outcome, Outcome::Handled);
            return;
        }
        let (_, asked) = Insider::open(None, &out[0].1);
        let (header, mut payloads) = Insider::open(None, &request);
        assert_eq!(asked[0].1[2..4], NotifyType::COOKIE.0.to_be_bytes());
        payloads.insert(0, (PayloadType::NOTIFY, asked[0].1.clone()));
        request = clear(&header, &payloads);
    }
    panic!("no cookie is good");
}

#[test]
fn x7_an_address_that_brings_cookies_back_holds_its_share_and_evicts_nobody_else() {
    let mut pair = busy_with(|limits| {
        limits.cookie_threshold = 3;
        limits.half_open = 12;
        limits.half_open_proved_per_address = 4;
        limits.half_open_proved_per_prefix = 6;
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let first = pair.flights.remove(0);
    let template = first.datagram.clone();
    pair.deliver(first);
    let response = pair.flights.remove(0);
    pair.deliver(response);
    let honest = pair.flights.remove(0);
    for spi in 0..14 {
        open_half(&mut pair, &template, spi, ip("198.51.100.9"));
        assert!(ike_sas(&pair) <= 3 + 4);
    }
    // With the other addresses of the network there are no more than its share.
    for spi in 20..34 {
        let from = Ipv4Addr::new(198, 51, 100, spi as u8).into();
        open_half(&mut pair, &template, spi, from);
        assert!(ike_sas(&pair) <= 3 + 6);
    }
    // Two such networks fill it, and they make room for each other.
    for spi in 40..60 {
        let from = Ipv4Addr::new(203, 0, 113, spi as u8).into();
        open_half(&mut pair, &template, spi, from);
        assert!(ike_sas(&pair) <= 12);
    }
    pair.deliver(honest);
    pair.run_for(secs(2));
    pair.assert_tunnel();
}
