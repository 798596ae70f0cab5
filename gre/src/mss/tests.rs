#![allow(clippy::arithmetic_side_effects)]

use std::vec::Vec;

use etherparse::{PacketBuilder, PacketHeaders, TcpOptionElement, TransportHeader};
use proptest::prelude::*;

use super::*;

#[test]
fn what_fits_a_tunnel() {
    assert_eq!(mss_for(1476, true), 1436);
    assert_eq!(mss_for(1400, true), 1360);
    assert_eq!(mss_for(1456, false), 1396);
    assert_eq!(mss_for(0, true), 0);
    assert_eq!(mss_for(1 << 20, false), u16::MAX);
}

/// A TCP packet made by another implementation, optionally with the option at an odd offset.
fn tcp(v4: bool, flags: u8, mss: u16, padding: usize, payload: &[u8]) -> Vec<u8> {
    let mut options = std::vec![TcpOptionElement::Noop; padding];
    options.push(TcpOptionElement::MaximumSegmentSize(mss));
    options.push(TcpOptionElement::SelectiveAcknowledgementPermitted);
    let builder = match v4 {
        true => PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64),
        false => PacketBuilder::ipv6([1; 16], [2; 16], 64),
    };
    let mut builder = builder.tcp(1000, 80, 7, 1024);
    if flags & 0x02 != 0 {
        builder = builder.syn();
    }
    if flags & 0x10 != 0 {
        builder = builder.ack(1);
    }
    let builder = builder.options(&options).unwrap();
    let mut packet = Vec::new();
    builder.write(&mut packet, payload).unwrap();
    packet
}

/// The MSS another implementation reads, and whether the checksum fits there.
fn read(packet: &[u8]) -> (Option<u16>, bool) {
    let headers = PacketHeaders::from_ip_slice(packet).unwrap();
    let Some(TransportHeader::Tcp(tcp)) = headers.transport else {
        panic!("TCP")
    };
    let payload = headers.payload.slice();
    let sum = match headers.net.unwrap() {
        etherparse::NetHeaders::Ipv4(ip, _) => tcp.calc_checksum_ipv4(&ip, payload).unwrap(),
        etherparse::NetHeaders::Ipv6(ip, _) => tcp.calc_checksum_ipv6(&ip, payload).unwrap(),
        etherparse::NetHeaders::Arp(_) => panic!("IP"),
    };
    let mss = tcp.options_iterator().find_map(|option| match option {
        Ok(TcpOptionElement::MaximumSegmentSize(mss)) => Some(mss),
        _ => None,
    });
    (mss, sum == tcp.checksum)
}

#[test]
fn only_syns_above_the_limit_are_changed() {
    for (flags, mss, lowered) in [
        (0x02, 1460, true),
        (0x12, 1460, true),
        (0x02, 1360, false),
        (0x10, 1460, false),
    ] {
        let mut packet = tcp(true, flags, mss, 0, b"");
        let before = packet.clone();
        let clamped = clamp(&mut packet, 1360);
        if lowered {
            assert_eq!(
                clamped,
                Clamp::Lowered {
                    from: 1460,
                    to: 1360
                }
            );
            assert_eq!(read(&packet), (Some(1360), true));
        } else {
            assert_eq!(
                (clamped, packet),
                (Clamp::Unchanged, before),
                "flags {flags:#x}"
            );
        }
    }
}

proptest! {
    #[test]
    fn the_checksum_stays_right(
        v4 in any::<bool>(),
        mss in any::<u16>(),
        limit in any::<u16>(),
        padding in 0usize..6,
        payload in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let mut packet = tcp(v4, 0x02, mss, padding, &payload);
        let clamped = clamp(&mut packet, limit);
        prop_assert_eq!(matches!(clamped, Clamp::Lowered { .. }), mss > limit);
        prop_assert_eq!(read(&packet), (Some(mss.min(limit)), true));
    }

    #[test]
    fn any_bytes_keep_their_length_and_are_answered(
        mut bytes in prop::collection::vec(any::<u8>(), 0..80),
        cut in any::<prop::sample::Index>(),
    ) {
        clamp(&mut bytes, 536);
        let mut packet = tcp(true, 0x02, 1460, 1, b"x");
        packet.truncate(cut.index(packet.len()));
        clamp(&mut packet, 536);
    }
}
