//! Messages in which something comes more often than there is a use for.
use std::net::Ipv4Addr;

use ike_sm::Outcome;
use isakmp_wire::ExchangeType;
use isakmp_wire::v2::PayloadType;

use crate::common::{Flight, Pair, secs};
use crate::configs;
use crate::insider::{self, Insider, Payloads};
use crate::rewrite::{catch, caught};

/// A starts, and this message of it has other payloads.
fn changed(exchange: ExchangeType, change: impl FnOnce(&mut Payloads)) -> (Pair, Flight) {
    let (a, b) = configs(|c| {
        c.key_log = true;
        c.peers[0].v2.mobike = true;
    });
    let mut pair = Pair::new(a, b);
    let net = catch(&mut pair, exchange, false);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let mut flight = caught(&mut pair, &net);
    flight.datagram = insider::rebuilt(&pair, &flight, change);
    (pair, flight)
}

/// `n` copies of a notification.
fn notify(kind: u16, n: u32, data: impl Fn(u32) -> Vec<u8>) -> Payloads {
    let body = |k| [&[0, 0][..], &kind.to_be_bytes(), &data(k)].concat();
    (0..n).map(|k| (PayloadType::NOTIFY, body(k))).collect()
}

/// The tunnel comes up whatever else is in IKE_AUTH.
fn comes_up(change: impl FnOnce(&mut Payloads)) -> Pair {
    let (mut pair, flight) = changed(ExchangeType::IKE_AUTH, change);
    pair.deliver(flight);
    pair.run_for(secs(1));
    pair.assert_tunnel();
    pair
}

#[test]
fn l11_more_addresses_than_are_kept_end_nothing() {
    let address = |k: u32| Ipv4Addr::from(0xac11_0000 + k).octets().to_vec();
    for n in [80, 200, 3000] {
        comes_up(|payloads| payloads.extend(notify(16397, n, address)));
    }
}

#[test]
fn l11_vendor_ids_certificate_requests_and_unknown_notifications_end_nothing() {
    comes_up(|payloads| {
        for _ in 0..80 {
            payloads.push((PayloadType::VENDOR_ID, vec![5; 16]));
            payloads.push((PayloadType::CERTIFICATE_REQUEST, vec![4; 21]));
        }
        payloads.extend(notify(50_000, 80, |_| vec![1; 8]));
    });
}

#[test]
fn l11_what_comes_behind_many_others_is_found() {
    // MOBIKE_SUPPORTED and INITIAL_CONTACT are the last of the message.
    let address = |k: u32| Ipv4Addr::from(0xac11_0000 + k).octets().to_vec();
    let pair = comes_up(|payloads| {
        let unknown = notify(50_000, 500, |_| Vec::new());
        let many = [notify(16397, 500, address), unknown].concat();
        let at = payloads.len() - 3;
        payloads.splice(at..at, many);
    });
    assert!(format!("{:?}", pair.b.endpoint.state()).contains("mobike: true"));
}

#[test]
fn l11_a_configuration_payload_of_many_attributes_is_read() {
    // CFG_REQUEST: RESERVED octets, then INTERNAL_IP4_DNS again and again.
    comes_up(|payloads| {
        let body = [&[1, 0, 0, 0][..], &[0, 3, 0, 0].repeat(100)].concat();
        payloads.push((PayloadType::CONFIGURATION, body));
    });
}

#[test]
fn l11_transforms_are_counted_by_proposal() {
    // RFC 7296 §3.3.1: proposals of groups for private use before those that A offers.
    let filler = |number: u8| {
        let transform = |k: u16| {
            let [high, low] = (1024 + k).to_be_bytes();
            [if k == 254 { 0 } else { 3 }, 0, 0, 8, 4, 0, high, low]
        };
        let transforms: Vec<u8> = (0..255).flat_map(transform).collect();
        let length = (8 + transforms.len() as u16).to_be_bytes();
        [
            &[2, 0, length[0], length[1], number, 1, 0, 255][..],
            &transforms,
        ]
        .concat()
    };
    for proposals in [1, 2, 7] {
        let (mut pair, flight) = changed(ExchangeType::IKE_SA_INIT, |payloads| {
            let (_, body) = payloads
                .iter_mut()
                .find(|(kind, _)| *kind == PayloadType::SA)
                .unwrap();
            let before: Vec<u8> = (1..=proposals).flat_map(filler).collect();
            body.splice(0..0, before);
        });
        let path = flight.path;
        let event = ike_sm::Event::Datagram {
            path: ike_sm::Path {
                local: path.remote,
                remote: path.local,
                ..path
            },
            message: &flight.datagram,
        };
        let (outcome, answers) = pair.b.feed(event, pair.now);
        assert_eq!(outcome, Outcome::Handled);
        let (_, payloads) = Insider::open(None, &answers[0].1);
        let first = payloads.first().map(|(kind, _)| *kind);
        assert_eq!(first, Some(PayloadType::SA));
    }
}

#[test]
fn l11_more_traffic_selectors_than_one_child_has_are_narrowed() {
    // TSi and TSr: 40 hosts each, of which the first 32 are looked at.
    let hosts = |network: u32| {
        let host = |k: u32| {
            let address = (network + k).to_be_bytes();
            [&[7, 0, 0, 16, 0, 0, 255, 255][..], &address, &address].concat()
        };
        let hosts: Vec<u8> = (0..40).flat_map(host).collect();
        [&[40, 0, 0, 0][..], &hosts].concat()
    };
    let (mut pair, flight) = changed(ExchangeType::IKE_AUTH, |payloads| {
        for (kind, body) in payloads.iter_mut() {
            match *kind {
                PayloadType::TS_INITIATOR => *body = hosts(0x0a01_0001),
                PayloadType::TS_RESPONDER => *body = hosts(0x0a02_0001),
                _ => {}
            }
        }
    });
    pair.deliver(flight);
    pair.run_for(secs(1));
    let child = pair.b.children.values().next().unwrap();
    assert_eq!((child.local.len(), child.remote.len()), (32, 32));
}
