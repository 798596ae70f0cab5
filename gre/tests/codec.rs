//! The codec by RFC section, and properties over all headers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use gre::{
    AnyPacket, Delivery, EncodeError, EtherType, Header, IpPacket, Packet, ParseErrorKind,
    innermost, pptp,
};
use hex_literal::hex;
use proptest::prelude::*;

fn kind(bytes: &[u8]) -> ParseErrorKind {
    Packet::parse(bytes).unwrap_err().kind
}

#[test]
fn rfc2784_s2_1_plain_header() {
    let bytes = hex!("00000800 aabb");
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(packet.header(), Header::new(EtherType::IPV4));
    assert_eq!(packet.payload(), hex!("aabb"));
}

#[test]
fn rfc2890_s2_fields_come_in_order() {
    let bytes = hex!("b0000800 47fc0000 00000001 00000002");
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(packet.checksum(), Some(0x47fc));
    assert_eq!((packet.key(), packet.sequence()), (Some(1), Some(2)));
    assert!(packet.payload().is_empty());
}

#[test]
fn rfc2784_s2_5_wrong_checksum_is_refused_with_both_values() {
    let bytes = hex!("80000800 12340000 ff");
    let error = Packet::parse(&bytes).unwrap_err();
    // 0x8000 + 0x0800 + 0xff00 = 0x18700, folded 0x8701.
    let computed = !0x8701u16;
    assert_eq!(
        error.kind,
        ParseErrorKind::Checksum {
            found: 0x1234,
            computed
        }
    );
    assert_eq!(error.offset, 4);
    assert_eq!(
        Packet::parse_unverified(&bytes).unwrap().checksum(),
        Some(0x1234)
    );
}

#[test]
fn a15_rfc1701_bits_are_named_and_refused() {
    assert_eq!(kind(&hex!("40000800")), ParseErrorKind::RoutingPresent);
    assert_eq!(
        kind(&hex!("c0000800 00000000 00000000")),
        ParseErrorKind::RoutingPresent
    );
    assert_eq!(kind(&hex!("08000800")), ParseErrorKind::StrictSourceRoute);
    assert_eq!(kind(&hex!("07000800")), ParseErrorKind::RecursionControl(7));
    assert_eq!(kind(&hex!("04000800")), ParseErrorKind::RecursionControl(4));
}

#[test]
fn rfc2784_s2_3_bits_6_to_12_are_ignored() {
    for bit in 3..10 {
        let [high, low] = (1u16 << bit).to_be_bytes();
        assert!(
            Packet::parse(&[high, low, 8, 0]).is_ok(),
            "bit {}",
            15 - bit
        );
    }
}

#[test]
fn rfc2784_s2_3_1_other_versions_are_refused() {
    for version in 1..8 {
        assert_eq!(
            kind(&[0x20, version, 0x88, 0x0b]),
            ParseErrorKind::Version(version)
        );
    }
    let error = AnyPacket::parse(&hex!("2002880b")).unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::Version(2));
}

#[test]
fn truncation_names_the_field() {
    let whole = hex!("b0000800 4eff0000 00000001 00000002");
    let names = ["GRE header", "checksum", "key", "sequence number"];
    for end in 0..whole.len() {
        let what = names[end / 4];
        let needed = end / 4 * 4 + 4;
        let error = Packet::parse(&whole[..end]).unwrap_err();
        assert_eq!(
            error.kind,
            ParseErrorKind::Truncated {
                what,
                needed,
                available: end
            }
        );
        assert_eq!(error.offset, end / 4 * 4);
    }
}

#[test]
fn rfc2637_s4_1_data_with_acknowledgment() {
    let bytes = hex!("3081880b 0003 0007 00000009 00000008 c02101 00");
    let AnyPacket::V1(packet) = AnyPacket::parse(&bytes).unwrap() else {
        panic!("version 1")
    };
    assert_eq!(packet.call_id(), 7);
    assert_eq!(
        (packet.sequence(), packet.acknowledgment()),
        (Some(9), Some(8))
    );
    assert_eq!(packet.payload(), hex!("c02101"), "padding is left out");
}

#[test]
fn rfc2637_s4_1_fixed_bits_are_checked() {
    let kind = |bytes: &[u8]| pptp::Packet::parse(bytes).unwrap_err().kind;
    assert_eq!(
        kind(&hex!("b001880b 00000007 00000009")),
        ParseErrorKind::ChecksumInVersion1
    );
    assert_eq!(
        kind(&hex!("7001880b 00000007 00000009")),
        ParseErrorKind::RoutingPresent
    );
    assert_eq!(
        kind(&hex!("1001880b 00000007 00000009")),
        ParseErrorKind::KeyMissing
    );
    assert_eq!(
        kind(&hex!("3801880b 00000007 00000009")),
        ParseErrorKind::StrictSourceRoute
    );
    assert_eq!(
        kind(&hex!("3101880b 00000007 00000009")),
        ParseErrorKind::RecursionControl(1)
    );
    assert_eq!(
        kind(&hex!("3009880b 00000007 00000009")),
        ParseErrorKind::Flags(1)
    );
    assert_eq!(
        kind(&hex!("30010800 00000007 00000009")),
        ParseErrorKind::NotPpp(EtherType::IPV4)
    );
    assert_eq!(
        kind(&hex!("3001880b 00020007 00000009 ff")),
        ParseErrorKind::PayloadLength {
            stated: 2,
            available: 1
        }
    );
    assert_eq!(
        kind(&hex!("2001880b 00010007 ff")),
        ParseErrorKind::PayloadWithoutSequence(1)
    );
}

#[test]
fn headroom_is_stated_and_checked() {
    let header = Header {
        key: Some(1),
        ..Header::new(EtherType::IPV6)
    };
    let mut buffer = [0xee; 20];
    let needed = 8;
    for at in 0..needed {
        let error = header.encapsulate(&mut buffer, at).unwrap_err();
        assert_eq!(
            error,
            EncodeError::Headroom {
                needed,
                available: at
            }
        );
    }
    let error = header.encapsulate(&mut buffer, 21).unwrap_err();
    assert_eq!(error, EncodeError::PayloadOffset { at: 21, len: 20 });
    assert_eq!(buffer, [0xee; 20], "an error changes nothing");
    assert_eq!(header.encapsulate(&mut buffer, 11), Ok(3));
    assert_eq!(buffer[..3], [0xee; 3]);
    assert_eq!(buffer[11..], [0xee; 9]);
}

#[test]
fn a_packet_too_long_for_its_length_field_changes_nothing() {
    let v4 = Delivery::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let header = Header::new(EtherType::IPV4);
    let mut buffer = vec![0xee; 65_536];
    assert_eq!(
        v4.encapsulate(&header, &mut buffer, 24),
        Err(EncodeError::TooLong(65_536))
    );
    let mixed = Delivery::new([10, 0, 0, 1].into(), [1u16; 8].into());
    assert_eq!(
        mixed.encapsulate(&header, &mut buffer, 24),
        Err(EncodeError::MixedFamilies)
    );
    assert!(buffer.iter().all(|octet| *octet == 0xee));
    buffer.pop();
    assert_eq!(v4.encapsulate(&header, &mut buffer, 24), Ok(0));
}

#[test]
fn rfc7676_s4_1_ipv6_delivery_and_extension_headers() {
    let delivery = Delivery {
        traffic_class: 0xb8,
        identification: 0xabcde,
        ..Delivery::new([1u16; 8].into(), [2u16; 8].into())
    };
    let mut buffer = [0u8; 48];
    let header = Header::new(EtherType::IPV6);
    assert_eq!(delivery.encapsulate(&header, &mut buffer, 44), Ok(0));
    assert_eq!(buffer[..8], hex!("6b8abcde 0008 2f ff"));
    let outer = IpPacket::parse(&buffer).unwrap();
    assert_eq!(outer.traffic_class(), 0xb8);
    assert_eq!(outer.gre().unwrap().payload(), [0; 4]);

    // The same with a destination options header in between.
    let mut extended = buffer[..40].to_vec();
    extended[5] += 8;
    extended[6] = 60;
    extended.extend_from_slice(&[47, 0, 1, 4, 0, 0, 0, 0]);
    extended.extend_from_slice(&buffer[40..]);
    let outer = IpPacket::parse(&extended).unwrap();
    assert_eq!((outer.protocol(), outer.header_len()), (47, 48));
    assert_eq!(outer.gre().unwrap().protocol(), EtherType::IPV6);
}

#[test]
fn a_chain_of_extension_headers_is_bounded() {
    let mut packet = hex!("60000000 0000 3cff").to_vec();
    packet.extend_from_slice(&[0; 32]);
    for _ in 0..9 {
        packet.extend_from_slice(&[60, 0, 1, 4, 0, 0, 0, 0]);
    }
    packet[5] = 72;
    let error = IpPacket::parse(&packet).unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::ExtensionHeaders(8));
}

#[test]
fn fragments_and_other_protocols_are_not_gre() {
    let delivery = Delivery {
        protocol: 17,
        ..Delivery::new([1; 4].into(), [2; 4].into())
    };
    let mut buffer = [0u8; 28];
    delivery.prepend(&mut buffer, 20).unwrap();
    let error = IpPacket::parse(&buffer).unwrap().gre().unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::NotGre(17));

    let delivery = Delivery {
        protocol: 47,
        ..delivery
    };
    delivery.prepend(&mut buffer, 20).unwrap();
    buffer[6] = 0x20;
    buffer[10] = 0;
    buffer[11] = 0;
    let sum = gre::checksum::checksum(&buffer[..20]);
    buffer[10..12].copy_from_slice(&sum.to_be_bytes());
    let error = IpPacket::parse(&buffer).unwrap().gre().unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::Fragment);
}

/// GRE in IPv4 in GRE …, `depth` times around four octets.
fn nested(depth: usize) -> Vec<u8> {
    let mut buffer = vec![0u8; depth * 24 + 4];
    let delivery = Delivery::new([1; 4].into(), [2; 4].into());
    let mut at = depth * 24;
    for _ in 0..depth {
        at = delivery
            .encapsulate(&Header::new(EtherType::IPV4), &mut buffer, at)
            .unwrap();
    }
    buffer
}

#[test]
fn a15_nesting_is_bounded() {
    for depth in 1..=4 {
        let packet = nested(depth);
        let (layer, found) = innermost(&packet, 4).unwrap();
        assert_eq!(
            (usize::from(found), layer.gre.payload()),
            (depth, &[0; 4][..])
        );
    }
    assert_eq!(
        innermost(&nested(2), 1).unwrap_err().kind,
        ParseErrorKind::Nesting(1)
    );
    assert_eq!(
        innermost(&nested(2000), 4).unwrap_err().kind,
        ParseErrorKind::Nesting(4)
    );
}

fn any_header() -> impl Strategy<Value = Header> {
    let fields = (
        any::<u16>(),
        any::<bool>(),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
    );
    fields.prop_map(|(protocol, checksum, key, sequence)| Header {
        protocol: EtherType(protocol),
        checksum,
        key,
        sequence,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(header in any_header(), payload in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut buffer = vec![0xaa; header.len() + 3];
        let at = buffer.len();
        buffer.extend_from_slice(&payload);
        let start = header.encapsulate(&mut buffer, at).unwrap();
        prop_assert_eq!(start, 3);
        let packet = Packet::parse(&buffer[start..]).unwrap();
        prop_assert_eq!(packet.header(), header);
        prop_assert_eq!(packet.payload(), &payload[..]);
    }

    #[test]
    fn a_checksummed_packet_does_not_survive_one_flipped_bit(
        mut header in any_header(),
        payload in prop::collection::vec(any::<u8>(), 0..64),
        bit in any::<prop::sample::Index>(),
    ) {
        header.checksum = true;
        let mut buffer = vec![0; header.len()];
        let at = buffer.len();
        buffer.extend_from_slice(&payload);
        header.encapsulate(&mut buffer, at).unwrap();
        let bit = bit.index(buffer.len() * 8);
        buffer[bit / 8] ^= 1 << (bit % 8);
        // Without the checksum bit itself nothing protects the packet.
        prop_assume!(bit != 7);
        prop_assert!(Packet::parse(&buffer).is_err());
    }

    #[test]
    fn delivery_round_trip(
        header in any_header(),
        v6 in any::<bool>(),
        addresses in any::<([u8; 16], [u8; 16])>(),
        ttl in any::<u8>(),
        traffic_class in any::<u8>(),
        dont_fragment in any::<bool>(),
        identification in 0u32..0x10000,
    ) {
        let address = |octets: [u8; 16]| if v6 {
            octets.into()
        } else {
            let [a, b, c, d, ..] = octets;
            std::net::IpAddr::from([a, b, c, d])
        };
        let delivery = Delivery {
            ttl, traffic_class, dont_fragment, identification,
            ..Delivery::new(address(addresses.0), address(addresses.1))
        };
        let headroom = delivery.len() + header.len();
        let mut buffer = vec![7; headroom + 9];
        prop_assert_eq!(delivery.encapsulate(&header, &mut buffer, headroom), Ok(0));
        let outer = IpPacket::parse(&buffer).unwrap();
        prop_assert_eq!((outer.source(), outer.destination()), (delivery.source, delivery.destination));
        prop_assert_eq!((outer.ttl(), outer.traffic_class()), (ttl, traffic_class));
        prop_assert_eq!(outer.dont_fragment(), dont_fragment || v6);
        prop_assert_eq!(outer.total_len(), buffer.len());
        prop_assert_eq!(outer.gre().unwrap().header(), header);
        // The same headers by another implementation.
        if !v6 {
            let theirs = etherparse::Ipv4HeaderSlice::from_slice(&buffer).unwrap();
            prop_assert_eq!(theirs.header_checksum(), theirs.to_header().calc_header_checksum());
            prop_assert_eq!(usize::from(theirs.total_len()), buffer.len());
            prop_assert_eq!(theirs.protocol().0, 47);
        }
        // Truncated at every length: refused, never more than the bytes say.
        for end in 0..buffer.len() {
            prop_assert!(IpPacket::parse(&buffer[..end]).is_err());
        }
    }

    #[test]
    fn version_1_round_trip(
        call_id in any::<u16>(),
        sequence in any::<Option<u32>>(),
        acknowledgment in any::<Option<u32>>(),
        payload in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let header = pptp::Header { call_id, sequence, acknowledgment };
        let mut buffer = vec![0; header.len()];
        let at = buffer.len();
        if sequence.is_some() {
            buffer.extend_from_slice(&payload);
        }
        prop_assert_eq!(header.encapsulate(&mut buffer, at), Ok(0));
        let packet = pptp::Packet::parse(&buffer).unwrap();
        prop_assert_eq!(packet.header(), header);
        prop_assert_eq!(packet.payload(), &buffer[at..]);
        for end in 0..buffer.len() {
            prop_assert!(pptp::Packet::parse(&buffer[..end]).is_err());
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
        let _ = AnyPacket::parse(&bytes);
        if let Ok(packet) = Packet::parse_unverified(&bytes) {
            prop_assert_eq!(packet.header().len() + packet.payload().len(), bytes.len());
        }
        let _ = innermost(&bytes, 3);
    }
}
