#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crate::testing::inner_addresses;
use etherparse::{PacketBuilder, SlicedPacket, TcpOptionElement, TransportSlice};
use proptest::prelude::*;
use std::vec::Vec;

fn syn(v6: bool, options: &[TcpOptionElement]) -> Vec<u8> {
    let mut packet = Vec::new();
    match inner_addresses(v6) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            PacketBuilder::ipv4(source.octets(), destination.octets(), 64)
                .tcp(1, 2, 3, 4)
                .syn()
                .options(options)
                .unwrap()
                .write(&mut packet, &[])
                .unwrap();
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            PacketBuilder::ipv6(source.octets(), destination.octets(), 64)
                .tcp(1, 2, 3, 4)
                .syn()
                .options(options)
                .unwrap()
                .write(&mut packet, &[])
                .unwrap();
        }
        _ => panic!("addresses of two families"),
    }
    packet
}

/// The MSS, after another crate verified the checksum.
fn mss(packet: &[u8]) -> Option<u16> {
    let sliced = SlicedPacket::from_ip(packet).unwrap();
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else {
        panic!("no TCP")
    };
    let header = tcp.to_header();
    let expected = if packet[0] >> 4 == 4 {
        let (ip, _) = etherparse::Ipv4Header::from_slice(packet).unwrap();
        header.calc_checksum_ipv4(&ip, tcp.payload()).unwrap()
    } else {
        let (ip, _) = etherparse::Ipv6Header::from_slice(packet).unwrap();
        header.calc_checksum_ipv6(&ip, tcp.payload()).unwrap()
    };
    assert_eq!(header.checksum, expected);
    header.options_iterator().find_map(|option| match option {
        Ok(TcpOptionElement::MaximumSegmentSize(mss)) => Some(mss),
        _ => None,
    })
}

/// P7: `ip tcp adjust-mss 1360`.
#[test]
fn p7_a_syn_is_lowered_and_never_raised() {
    for v6 in [false, true] {
        let mut packet = syn(v6, &[TcpOptionElement::MaximumSegmentSize(1460)]);
        assert_eq!(clamp_mss(&mut packet, 1360), Ok(true));
        assert_eq!(mss(&packet), Some(1360));
        assert_eq!(clamp_mss(&mut packet, 1400), Ok(false));
        assert_eq!(mss(&packet), Some(1360));
    }
}

#[test]
fn an_option_at_an_odd_offset_keeps_its_checksum_right() {
    let options = [
        TcpOptionElement::Noop,
        TcpOptionElement::MaximumSegmentSize(1460),
    ];
    let mut packet = syn(false, &options);
    assert_eq!(clamp_mss(&mut packet, 1111), Ok(true));
    assert_eq!(mss(&packet), Some(1111));
}

#[test]
fn other_packets_are_left_alone() {
    let mut established = syn(false, &[TcpOptionElement::MaximumSegmentSize(1460)]);
    established[20 + 13] = 0x10;
    let mut without = syn(false, &[TcpOptionElement::WindowScale(3)]);
    let mut udp = crate::testing::ip_packet(false, 30);
    for packet in [&mut established, &mut without, &mut udp] {
        let before = packet.clone();
        assert_eq!(clamp_mss(packet, 500), Ok(false));
        assert_eq!(*packet, before);
    }
}

#[test]
fn segment_sizes_of_an_mtu() {
    assert_eq!((mss_for(1500, false), mss_for(1500, true)), (1460, 1440));
    assert_eq!(mss_for(1400, false), 1360);
    assert_eq!(mss_for(10, false), 0);
}

proptest! {
    /// Arbitrary options never panic, and what changes still verifies.
    #[test]
    fn hostile_options(options in prop::collection::vec(any::<u8>(), 0..40), limit: u16) {
        let padded = options.len().next_multiple_of(4);
        let mut packet = syn(false, &[]);
        packet.extend(&options);
        packet.resize(40 + padded, 0);
        let total = packet.len() as u16;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        packet[20 + 12] = ((5 + padded / 4) as u8) << 4;
        let before = packet.clone();
        let changed = clamp_mss(&mut packet, limit).unwrap();
        prop_assert_eq!(changed, packet != before);
        let sum = |packet: &[u8]| fold(crate::ip::sum(&packet[20..], 0));
        // The one's complement sum of the segment is what it was (0 and 0xffff are one value).
        prop_assert_eq!(sum(&packet) % 0xffff, sum(&before) % 0xffff);
    }
}
