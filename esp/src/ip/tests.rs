#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crate::testing::ip_packet;
use proptest::prelude::*;
use std::string::ToString;
use std::vec::Vec;

#[test]
fn headers_built_by_another_crate_are_read() {
    let four = IpHeader::parse(&ip_packet(false, 11)).unwrap();
    assert_eq!(
        (four.total_len, four.upper_offset, four.protocol, four.ttl),
        (39, 20, 17, 64)
    );
    assert_eq!(four.source.to_string(), "10.0.68.5");
    let six = IpHeader::parse(&ip_packet(true, 11)).unwrap();
    assert_eq!(
        (six.total_len, six.upper_offset, six.protocol, six.ttl),
        (59, 40, 17, 64)
    );
    assert_eq!(six.destination.to_string(), "fd00::b");
    assert!(six.dont_fragment && !six.fragment);
}

/// An IPv6 packet with these extension headers before ten octets of UDP.
fn extended(kinds: &[u8]) -> Vec<u8> {
    let mut packet = ip_packet(true, 2);
    let udp = packet.split_off(40);
    packet[6] = *kinds.first().unwrap_or(&17);
    for (index, _) in kinds.iter().enumerate() {
        let next = *kinds.get(index + 1).unwrap_or(&17);
        packet.extend([next, 0, 0, 0, 0, 0, 0, 0]);
    }
    packet.extend(udp);
    let payload = (packet.len() - 40) as u16;
    packet[4..6].copy_from_slice(&payload.to_be_bytes());
    packet
}

#[test]
fn rfc4303_s3_1_1_esp_goes_behind_the_headers_for_routers() {
    let parse = |kinds: &[u8]| IpHeader::parse(&extended(kinds)).unwrap();
    // Hop-by-hop, destination options for routers, routing | options for the destination.
    let header = parse(&[0, 60, 43, 60]);
    assert_eq!((header.insert_offset, header.insert_protocol_at), (64, 56));
    assert_eq!(
        (header.upper_offset, header.protocol, header.protocol_at),
        (72, 17, 64)
    );
    assert_eq!(header.insert_protocol(&extended(&[0, 60, 43, 60])), 60);
    let header = parse(&[60]);
    assert_eq!((header.insert_offset, header.insert_protocol_at), (40, 6));
    assert!(parse(&[44]).protocol == 17);
}

#[test]
fn extension_headers_are_bounded() {
    assert!(IpHeader::parse(&extended(&[60; 7])).is_ok());
    assert_eq!(
        IpHeader::parse(&extended(&[60; 8])),
        Err(IpError::Extensions)
    );
}

#[test]
fn fragments_are_seen() {
    let mut packet = extended(&[44]);
    packet[43] = 1; // more fragments, offset 0
    let first = IpHeader::parse(&packet).unwrap();
    assert!(first.fragment && !first.later_fragment);
    packet[43] = 8;
    let later = IpHeader::parse(&packet).unwrap();
    assert!(later.fragment && later.later_fragment);
    let mut four = ip_packet(false, 8);
    four[6] = 0x40;
    assert!(IpHeader::parse(&four).unwrap().dont_fragment);
    four[6] = 0x20;
    assert!(IpHeader::parse(&four).unwrap().fragment);
}

#[test]
fn lengths_that_contradict_the_packet_are_errors() {
    let mut packet = ip_packet(false, 8);
    packet[3] += 1;
    assert_eq!(
        IpHeader::parse(&packet),
        Err(IpError::Length {
            what: "IPv4 total length",
            value: 37
        })
    );
    packet[3] = 19;
    assert!(IpHeader::parse(&packet).is_err());
    packet[0] = 0x44;
    assert_eq!(
        IpHeader::parse(&packet),
        Err(IpError::Length {
            what: "IPv4 header length",
            value: 16
        })
    );
    packet[0] = 0x35;
    assert_eq!(IpHeader::parse(&packet), Err(IpError::Version(3)));
    let packet = extended(&[0, 43]);
    for len in 0..packet.len() {
        assert!(IpHeader::parse(&packet[..len]).is_err(), "{len}");
    }
}

#[test]
fn rfc1071_the_example_sum() {
    // RFC 1071 §3: 0001 f203 f4f5 f6f7 sums to ddf2.
    assert_eq!(
        fold(sum(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7], 0)),
        0xddf2
    );
    assert_eq!(checksum(&ip_packet(false, 3)[..20]), 0);
}

proptest! {
    #[test]
    fn parsing_is_total_and_offsets_lie_inside(
        mut packet in prop::collection::vec(any::<u8>(), 1..200),
        version in 4u8..=6,
        fix: bool,
    ) {
        packet[0] = version << 4 | (packet[0] & 0xf);
        let len = packet.len();
        if fix && len > 40 {
            let length = if version == 4 { len } else { len - 40 } as u16;
            let at = if version == 4 { 2 } else { 4 };
            packet[at..at + 2].copy_from_slice(&length.to_be_bytes());
            packet[6] = [0, 43, 44, 60][usize::from(packet[6] & 3)];
        }
        if let Ok(header) = IpHeader::parse(&packet) {
            prop_assert!(header.insert_offset <= header.upper_offset);
            prop_assert!(header.upper_offset <= header.total_len);
            prop_assert!(header.total_len <= len);
            prop_assert_eq!(packet[header.protocol_at], header.protocol);
        }
    }
}
