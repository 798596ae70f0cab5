#![allow(clippy::arithmetic_side_effects)]

use std::vec::Vec;

use super::*;
use crate::{Delivery, EtherType};

fn header(key: bool, sequence: bool) -> Header {
    Header {
        key: key.then_some(1),
        sequence: sequence.then_some(1),
        ..Header::new(EtherType::IPV4)
    }
}

#[test]
fn overheads_are_24_28_and_32() {
    assert_eq!(overhead(Outer::V4, &header(false, false)), 24);
    assert_eq!(overhead(Outer::V4, &header(true, false)), 28);
    assert_eq!(overhead(Outer::V4, &header(true, true)), 32);
    assert_eq!(overhead(Outer::V6, &header(false, false)), 44);
    assert_eq!(tunnel_mtu(1500, Outer::V4, &header(false, false)), 1476);
}

#[test]
fn sizes_of_a_100_octet_packet_with_key_before_esp() {
    // 14 Ethernet + 20 IP + 8 ESP + 16 IV + padded body + 12 ICV, body = inner + 2 trailer octets
    // in units of 16: transport mode carries GRE, tunnel mode IP and GRE.
    let gre = header(true, false).len();
    let frame = |inner: usize| 14 + 20 + 8 + 16 + (inner + 2).next_multiple_of(16) + 12;
    assert_eq!(frame(gre + 100), 182);
    assert_eq!(frame(20 + gre + 100), 214);
    assert_eq!(frame(20 + header(false, false).len() + 100), 198);
}

fn packet(v4: bool, len: usize, dont_fragment: bool) -> Vec<u8> {
    let (source, destination) = match v4 {
        true => ([1, 2, 3, 4].into(), [5, 6, 7, 8].into()),
        false => ([1u16; 8].into(), [2u16; 8].into()),
    };
    let delivery = Delivery {
        dont_fragment,
        protocol: 17,
        ..Delivery::new(source, destination)
    };
    let mut buffer = std::vec![0; len];
    delivery.prepend(&mut buffer, delivery.len()).unwrap();
    buffer
}

fn decide(v4: bool, len: usize, dont_fragment: bool, mtu: usize, policy: DfPolicy) -> Ingress {
    let bytes = packet(v4, len, dont_fragment);
    ingress(&IpPacket::parse(&bytes).unwrap(), mtu, policy)
}

#[test]
fn the_df_bit_follows_the_policy() {
    for (policy, df, expected) in [
        (DfPolicy::Copy, true, true),
        (DfPolicy::Copy, false, false),
        (DfPolicy::Set, false, true),
        (DfPolicy::Clear, true, false),
    ] {
        let decision = decide(true, 1476, df, 1476, policy);
        assert_eq!(
            decision,
            Ingress::Encapsulate {
                dont_fragment: expected
            },
            "{policy:?} {df}"
        );
    }
}

#[test]
fn an_ipv4_packet_too_big_is_told_or_fragmented() {
    let mtu = 1476;
    assert_eq!(
        decide(true, 1477, true, mtu, DfPolicy::Copy),
        Ingress::TooBig { mtu }
    );
    assert_eq!(
        decide(true, 1477, true, mtu, DfPolicy::Set),
        Ingress::TooBig { mtu }
    );
    let fragment = Ingress::FragmentPayload { mtu };
    assert_eq!(decide(true, 1477, false, mtu, DfPolicy::Copy), fragment);
    assert_eq!(
        decide(true, 1477, true, mtu, DfPolicy::Clear),
        Ingress::EncapsulateAndFragment
    );
}

#[test]
fn rfc7676_s3_3_an_ipv6_packet_too_big() {
    let told = Ingress::TooBig { mtu: 1280 };
    assert_eq!(decide(false, 1281, true, 1280, DfPolicy::Clear), told);
    let fragmented = Ingress::EncapsulateAndFragment;
    assert_eq!(decide(false, 1280, true, 1279, DfPolicy::Copy), fragmented);
}

#[test]
fn a_learned_path_mtu_holds_ten_minutes_and_has_a_floor() {
    let mut path = PathMtu::new(1500, Outer::V4);
    let at = Duration::from_secs;
    assert_eq!(path.learn(1400, at(0)), Some(1400));
    assert_eq!(
        path.learn(1450, at(1)),
        None,
        "only smaller values are news"
    );
    assert_eq!(path.learn(68, at(10)), Some(576));
    assert_eq!(path.next_deadline(), Some(at(610)));
    assert_eq!((path.current(at(609)), path.current(at(610))), (576, 1500));
    path.handle_deadline(at(610));
    assert_eq!(path.next_deadline(), None);
    assert_eq!(PathMtu::new(1500, Outer::V6).learn(68, at(0)), Some(1280));
}
