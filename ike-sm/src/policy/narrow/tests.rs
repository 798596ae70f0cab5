#![cfg_attr(not(feature = "render"), allow(unused_imports))]

use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use isakmp_wire::v2::{Message, PayloadType, Writer};
use isakmp_wire::{ExchangeType, Header, Limits};
use proptest::prelude::*;

use super::*;
use crate::event::{Record, What};

fn net(text: &str) -> Selector {
    let (address, len) = text.split_once('/').unwrap();
    Selector::subnet(address.parse().unwrap(), len.parse().unwrap()).unwrap()
}

fn set(list: &[&str]) -> Selectors {
    Selectors::new(list.iter().map(|text| net(text))).unwrap()
}

fn run(policy: (&Selectors, &Selectors), asked: (&Selectors, &Selectors)) -> Option<Narrowed> {
    let policy = NarrowPolicy {
        child: "lan",
        local: policy.0,
        remote: policy.1,
        one_ts_per_child: false,
    };
    narrow(&policy, asked.0, asked.1, None)
}

#[test]
fn rfc7296_s2_9_nothing_is_narrowed_where_everything_is_allowed() {
    let (l, r) = (set(&["10.1.0.0/16"]), set(&["10.2.0.0/16"]));
    let same = run((&l, &r), (&l, &r)).unwrap();
    assert!(same.whole && same.first_choice && !same.additional_possible);
    assert_eq!((&same.local, &same.remote), (&l, &r));
    let smaller = set(&["10.1.7.0/24"]);
    let within = run((&l, &r), (&smaller, &r)).unwrap();
    assert!(within.whole);
    assert_eq!(within.local, smaller);
}

#[test]
fn rfc7296_s2_9_a_wide_request_is_narrowed_to_the_policy() {
    let (l, r) = (set(&["10.1.0.0/16"]), set(&["10.2.0.0/16"]));
    let all = set(&["0.0.0.0/0"]);
    let narrowed = run((&l, &r), (&all, &all)).unwrap();
    assert_eq!((&narrowed.local, &narrowed.remote), (&l, &r));
    assert!(!narrowed.whole && !narrowed.first_choice);
}

#[test]
fn rfc7296_s2_9_the_triggering_packet_is_in_what_is_granted() {
    // The RFC's example: the packet first, the network behind it.
    let policy = (set(&["192.0.2.0/24"]), set(&["198.51.100.0/26"]));
    let packet = net("198.51.100.43/32").with_protocol(6, 40000);
    let ours = net("192.0.2.9/32").with_protocol(6, 443);
    let asked_remote = Selectors::new([packet, net("198.51.100.0/24")]).unwrap();
    let asked_local = Selectors::new([ours, net("192.0.2.0/24")]).unwrap();
    let granted = run((&policy.0, &policy.1), (&asked_local, &asked_remote)).unwrap();
    assert!(granted.first_choice && !granted.whole);
    assert_eq!((granted.local, granted.remote), policy);
    // Where only the packet is allowed, it alone is granted.
    let web = Selectors::from(net("192.0.2.0/24").with_protocol(6, 443));
    let granted = run((&web, &policy.1), (&asked_local, &asked_remote)).unwrap();
    assert!(granted.first_choice);
    assert_eq!(granted.local, web);
}

#[test]
fn rfc7296_s2_9_nothing_in_common_is_unacceptable() {
    let (l, r) = (set(&["10.1.0.0/16"]), set(&["10.2.0.0/16"]));
    let other = set(&["10.3.0.0/16"]);
    assert_eq!(run((&l, &r), (&other, &r)), None);
    assert_eq!(run((&l, &r), (&l, &other)), None);
    // The families of both sides must meet.
    let mixed = set(&["10.1.0.0/16", "fd00:1::/64"]);
    let v4 = set(&["10.2.0.0/16"]);
    let v6 = set(&["fd00:2::/64"]);
    let dual = set(&["10.2.0.0/16", "fd00:2::/64"]);
    let half = run((&mixed, &dual), (&mixed, &v6)).unwrap();
    assert_eq!(half.local, set(&["fd00:1::/64"]));
    assert_eq!(run((&mixed, &v4), (&v6, &v4)), None);
    assert_eq!(run((&mixed, &dual), (&v4, &v6)), None);
}

#[test]
fn several_selectors_of_a_side_narrow_each_for_itself() {
    let ours = set(&["10.1.0.0/24", "10.1.1.0/24", "10.1.9.0/24"]);
    let r = set(&["10.2.0.0/16"]);
    let asked = set(&["10.1.1.0/24", "10.1.0.0/25", "172.16.0.0/12"]);
    let granted = run((&ours, &r), (&asked, &r)).unwrap();
    assert_eq!(granted.local, set(&["10.1.1.0/24", "10.1.0.0/25"]));
    assert!(granted.first_choice && !granted.whole);
}

#[test]
fn the_quirk_of_one_selector_keeps_the_one_with_the_packet() {
    let ours = set(&["10.1.0.0/24", "10.1.1.0/24"]);
    let theirs = set(&["10.2.0.0/24", "10.2.1.0/24"]);
    let asked = set(&["10.1.1.7/32", "10.1.0.0/16"]);
    let asked_remote = set(&["10.2.1.9/32", "10.2.0.0/16"]);
    let policy = NarrowPolicy {
        child: "lan",
        local: &ours,
        remote: &theirs,
        one_ts_per_child: true,
    };
    let granted = narrow(&policy, &asked, &asked_remote, None).unwrap();
    assert_eq!(granted.local, set(&["10.1.1.0/24"]));
    assert_eq!(granted.remote, set(&["10.2.1.0/24"]));
    assert!(granted.additional_possible && granted.first_choice);
    // One is not cut.
    let granted = narrow(
        &policy,
        &set(&["10.1.0.0/24"]),
        &set(&["10.2.0.0/24"]),
        None,
    );
    assert!(!granted.unwrap().additional_possible);
}

#[test]
fn rfc7296_s3_13_1_icmp_types_narrow_like_ports() {
    // Type 8, any code; type 8 code 0.
    let icmp = |first, last| net("10.1.0.0/16").with_ports(1, (first, last));
    let r = set(&["10.2.0.0/16"]);
    let echo = Selectors::from(icmp(0x0800, 0x08ff));
    let asked = Selectors::from(icmp(0x0800, 0x0800));
    let granted = run((&echo, &r), (&asked, &r)).unwrap();
    assert_eq!(granted.local, asked);
    let redirect = Selectors::from(icmp(0x0500, 0x05ff));
    assert_eq!(run((&echo, &r), (&redirect, &r)), None);
}

#[test]
fn an_initiator_takes_no_more_than_it_asked_for() {
    let offered = set(&["10.1.0.0/16"]);
    assert!(keeps_within(&offered, &set(&["10.1.7.0/24"])));
    assert!(!keeps_within(
        &offered,
        &set(&["10.1.7.0/24", "10.2.0.0/16"])
    ));
    assert!(!keeps_within(&offered, &set(&["0.0.0.0/0"])));
}

#[test]
fn selectors_of_every_kind_survive_the_wire() {
    let all = Selectors::new([
        net("10.1.0.0/16"),
        net("192.0.2.1/32").with_protocol(17, 53),
        net("10.0.0.0/8").with_ports(6, (1024, 2048)),
        net("fd00::/8").with_ports(44, Selector::OPAQUE),
    ])
    .unwrap();
    let mut octets = Vec::new();
    let header = Header::v2(ExchangeType::IKE_AUTH, [1; 8], [2; 8]);
    let mut writer = Writer::new(&mut octets, &header).unwrap();
    writer.ts_initiator(&to_wire(&all)).unwrap();
    writer.finish().unwrap();
    let message = Message::parse(&octets, &Limits::DEFAULT).unwrap();
    let payload = message.payloads().find(PayloadType::TS_INITIATOR).unwrap();
    let read = TrafficSelectors::parse(&payload, &Limits::DEFAULT).unwrap();
    assert_eq!(from_wire(&read), Some(all));
}

#[test]
#[cfg(feature = "render")]
fn records_say_which_selector_found_what() {
    let (l, r) = (set(&["10.1.0.0/16"]), set(&["10.2.0.0/16"]));
    let mut seen = Vec::new();
    let policy = NarrowPolicy {
        child: "lan",
        local: &l,
        remote: &r,
        one_ts_per_child: false,
    };
    let asked = set(&["10.1.1.0/24", "10.9.0.0/16"]);
    narrow(
        &policy,
        &asked,
        &r,
        Some(&mut |record| seen.push(What::from(record))),
    );
    narrow(
        &policy,
        &r,
        &r,
        Some(&mut |record| seen.push(What::from(record))),
    );
    let record = |n: usize| Record {
        at: Duration::ZERO,
        ike: None,
        version: Some(crate::model::IkeVersion::V2),
        what: seen[n].clone(),
    };
    assert_eq!(
        record(0).compact().to_string(),
        "IKE[0] lan: 10.1.1.0/24 === 10.2.0.0/16"
    );
    assert!(
        record(0)
            .cisco()
            .to_string()
            .contains("asked 10.9.0.0/16: nothing")
    );
    assert_eq!(
        record(1).json().to_string(),
        "{\"at\":0.000000,\"event\":\"selectors_narrowed\",\"child\":\"lan\",\"local\":[{\
         \"asked\":\"10.2.0.0/16\",\"common\":[]}],\"remote\":[{\"asked\":\"10.2.0.0/16\",\
         \"common\":[\"10.2.0.0/16\"]}],\"ok\":false}"
    );
}

fn selector() -> impl Strategy<Value = Selector> {
    let ports = prop_oneof![
        Just(Selector::ANY_PORT),
        Just(Selector::OPAQUE),
        (0u16..6, 0u16..6).prop_map(|(a, b)| (a.min(b), a.max(b))),
    ];
    (0u8..8, 0u8..8, 0u8..2, ports).prop_map(|(a, b, protocol, ports)| {
        let address = |n: u8| core::net::IpAddr::from([10, 0, 0, n]);
        let range = Selector::range(address(a.min(b)), address(a.max(b))).unwrap();
        range.with_ports([0, 6][usize::from(protocol)], ports)
    })
}

fn selectors() -> impl Strategy<Value = Selectors> {
    proptest::collection::vec(selector(), 1..4).prop_map(|list| Selectors::new(list).unwrap())
}

proptest! {
    /// Against the packets themselves: exactly those that both sides have are granted.
    #[test]
    fn a_packet_is_granted_if_and_only_if_both_have_it(ours in selectors(), asked in selectors()) {
        let any = set(&["0.0.0.0/0"]);
        let granted = run((&ours, &any), (&asked, &any));
        for host in 0..8u8 {
            for protocol in [6, 17] {
                for port in 0..7 {
                    let address = core::net::IpAddr::from([10, 0, 0, host]);
                    let has = |s: &Selectors| s.matches(address, protocol, port);
                    let is = granted.as_ref().is_some_and(|g| has(&g.local));
                    prop_assert_eq!(is, has(&ours) && has(&asked));
                }
            }
        }
        if let Some(granted) = granted {
            prop_assert!(keeps_within(&asked, &granted.local));
        }
    }
}
