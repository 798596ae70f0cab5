#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crate::testing::*;
use crate::{DontFragment, Lifetime, Limits, SelectorCheck, TunnelHeader, UdpPorts};
use crypto_suite::{IntegrityId, ProtectionId};
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

struct NoIcv;

impl PacketKey for NoIcv {
    fn iv_len(&self) -> usize {
        0
    }
    fn icv_len(&self) -> usize {
        0
    }
    fn block_len(&self) -> usize {
        1
    }
    fn seal(&self, _: &mut [u8], _: Layout, _: u64) -> Result<(), CryptoError> {
        Ok(())
    }
    fn open(&self, _: &mut [u8], _: Layout) -> Result<(), CryptoError> {
        Ok(())
    }
}

/// C16: encryption without integrity cannot be constructed.
#[test]
fn c16_a_key_without_integrity_is_refused() {
    let config = OutboundConfig::new(spi(), Mode::TUNNEL);
    let error = Outbound::new(Box::new(NoIcv), config, T0).unwrap_err();
    assert_eq!(error, BuildError::NoIntegrity);
    let config = crate::InboundConfig::new(spi(), true, SelectorCheck::ByCaller);
    assert_eq!(
        crate::Inbound::new(Box::new(NoIcv), config, T0).unwrap_err(),
        BuildError::NoIntegrity
    );
}

#[test]
fn c20_rfc4303_s2_1_reserved_spis_do_not_exist() {
    assert!((0..=255).all(|value| Spi::new(value).is_none()));
    assert_eq!(Spi::new(256).map(Spi::value), Some(256));
}

#[test]
fn the_first_packet_is_number_one_behind_the_spi() {
    let (mut outbound, _) = tunnel(AES_SHA1);
    let packet = sealed(&mut outbound, &ip_packet(false, 56)).unwrap();
    assert_eq!(packet[..8], [0xcd, 0xd3, 0xac, 0xa0, 0, 0, 0, 1]);
    // 84 octets of IP, 10 of padding, 2 of trailer: 96, with IV and ICV 124.
    assert_eq!(packet.len(), 8 + 16 + 96 + 12);
}

#[test]
fn rfc4303_s2_4_padding_counts_and_aligns() {
    for data in 0..40 {
        // NULL encryption shows the plaintext.
        let (mut outbound, _) = tunnel(ProtectionId::NullHmac(IntegrityId::HmacSha1_96));
        let inner = ip_packet(false, data);
        let packet = sealed(&mut outbound, &inner).unwrap();
        let text = &packet[8..packet.len() - 12];
        assert_eq!(text.len() % 4, 0);
        let pad = usize::from(text[text.len() - 2]);
        assert!(pad < 4);
        assert_eq!(text[text.len() - 1], 4);
        assert_eq!(text[..inner.len()], inner);
        let expected: Vec<u8> = (1..=pad as u8).collect();
        assert_eq!(text[inner.len()..inner.len() + pad], expected);
    }
}

#[test]
fn c18_rfc4303_s3_3_3_sequence_numbers_never_cycle() {
    let inner = ip_packet(false, 1);
    let (mut outbound, _) = tunnel(AES_SHA1);
    outbound.sequence = u64::from(u32::MAX) - 1;
    assert!(sealed(&mut outbound, &inner).is_ok());
    assert_eq!(
        sealed(&mut outbound, &inner),
        Err(SealError::SequenceExhausted)
    );
    assert_eq!(outbound.sequence(), u64::from(u32::MAX));

    let config = OutboundConfig {
        esn: true,
        ..OutboundConfig::new(spi(), Mode::TUNNEL)
    };
    let mut outbound = Outbound::new(key(AES_SHA1), config, T0).unwrap();
    outbound.sequence = u64::from(u32::MAX);
    assert!(sealed(&mut outbound, &inner).is_ok());
    assert_eq!(outbound.sequence(), 1 << 32);
    outbound.sequence = u64::MAX;
    assert_eq!(
        sealed(&mut outbound, &inner),
        Err(SealError::SequenceExhausted)
    );
}

#[test]
fn the_end_of_the_sequence_numbers_is_told_in_time_and_once() {
    let inner = ip_packet(false, 1);
    let (mut outbound, _) = tunnel(AES_SHA1);
    let last = u64::from(u32::MAX);
    outbound.sequence = last - last / 8 - 4;
    let mut told = Vec::new();
    for _ in 0..8 {
        let (mut bytes, range) = roomy(&inner);
        let mut packet = PacketBuf::new(&mut bytes, range).unwrap();
        told.extend(outbound.seal(&mut packet, T0).unwrap().soft);
    }
    assert_eq!(told, [Limit::Sequence]);
}

#[test]
fn a_refused_packet_and_its_sa_are_unchanged() {
    let (mut outbound, _) = tunnel(AES_SHA1);
    let inner = ip_packet(false, 100);
    let good: Vec<u8> = inner.clone();
    let cases: [(Vec<u8>, usize, usize); 5] = [
        (vec![], 100, 100),
        (vec![0x30; 40], 100, 100),
        (good[..good.len() - 1].to_vec(), 100, 100),
        (good.clone(), outbound.headroom() - 1, 100),
        (good.clone(), 100, 3),
    ];
    for (octets, before, behind) in cases {
        let mut bytes = [vec![0; before], octets.clone(), vec![0; behind]].concat();
        let copy = bytes.clone();
        let mut packet = PacketBuf::new(&mut bytes, before..before + octets.len()).unwrap();
        assert!(outbound.seal(&mut packet, T0).is_err());
        assert_eq!(packet.range(), before..before + octets.len());
        assert_eq!(bytes, copy);
        assert_eq!(outbound.sequence(), 0);
        assert_eq!(outbound.usage().packets, 0);
    }
    assert_eq!(outbound.counters().errors, 5);
    assert_eq!(outbound.counters().packets, 0);
}

#[test]
fn the_stated_room_suffices_for_every_length() {
    let header = TunnelHeader::new(addresses(true).0, addresses(true).1);
    let udp = Some(UdpPorts {
        source: 4500,
        destination: 4500,
    });
    for id in suites() {
        for tfc in [0, 80] {
            let config = OutboundConfig {
                udp,
                tfc,
                ..OutboundConfig::new(spi(), Mode::Tunnel { header })
            };
            let mut outbound = Outbound::new(key(id), config, T0).unwrap();
            for data in 0..40 {
                let inner = ip_packet(false, data);
                let (before, behind) = (outbound.headroom(), outbound.tailroom());
                let mut bytes = [vec![0; before], inner.clone(), vec![0; behind]].concat();
                let mut packet = PacketBuf::new(&mut bytes, before..before + inner.len()).unwrap();
                outbound.seal(&mut packet, T0).unwrap();
            }
        }
    }
}

#[test]
fn hard_limits_refuse_and_soft_limits_tell() {
    let limits = |packets| Limits {
        packets: Some(packets),
        ..Limits::NONE
    };
    let lifetime = Lifetime {
        soft: limits(2),
        hard: limits(3),
    };
    let config = OutboundConfig {
        lifetime,
        ..OutboundConfig::new(spi(), Mode::TUNNEL)
    };
    let mut outbound = Outbound::new(key(AES_SHA1), config, T0).unwrap();
    let mut soft = Vec::new();
    for _ in 0..3 {
        let (mut bytes, range) = roomy(&ip_packet(false, 1));
        let mut packet = PacketBuf::new(&mut bytes, range).unwrap();
        soft.push(outbound.seal(&mut packet, T0).unwrap().soft);
    }
    assert_eq!(soft, [None, Some(Limit::Packets), None]);
    let refused = sealed(&mut outbound, &ip_packet(false, 1));
    assert_eq!(refused, Err(SealError::Expired(Limit::Packets)));
    assert_eq!(outbound.usage().bytes, 3 * 29);
}

#[test]
fn rfc4303_s3_3_4_transport_mode_refuses_fragments() {
    let (mut outbound, _) = pair(
        AES_SHA1,
        OutboundConfig::new(spi(), Mode::TRANSPORT),
        crate::InboundConfig::new(spi(), false, SelectorCheck::ByCaller),
    );
    let mut first = ip_packet(false, 64);
    first[6] |= 0x20;
    assert_eq!(sealed(&mut outbound, &first), Err(SealError::Fragment));
    let config = OutboundConfig {
        tfc: 9,
        ..OutboundConfig::new(spi(), Mode::TRANSPORT)
    };
    let error = Outbound::new(key(AES_SHA1), config, T0).unwrap_err();
    assert_eq!(error, BuildError::TfcInTransport);
}

#[test]
fn the_tunnel_header_is_sound_ip_and_carries_df_and_dscp() {
    use etherparse::Ipv4Header;
    let (source, destination) = addresses(false);
    let mut header = TunnelHeader::new(source, destination).unwrap();
    header.df = DontFragment::Copy;
    let config = OutboundConfig::new(
        spi(),
        Mode::Tunnel {
            header: Some(header),
        },
    );
    let mut outbound = Outbound::new(key(AES_SHA1), config, T0).unwrap();
    let mut inner = ip_packet(false, 30);
    inner[1] = 0x68 | 2; // AF31, ECT(0)
    ip::write_v4_checksum(&mut inner, 20);
    let packet = sealed(&mut outbound, &inner).unwrap();
    let (outer, rest) = Ipv4Header::from_slice(&packet).unwrap();
    assert_eq!(outer.calc_header_checksum(), outer.header_checksum);
    assert_eq!(usize::from(outer.total_len), packet.len());
    assert_eq!(outer.protocol.0, 50);
    assert_eq!((outer.dscp.value(), outer.ecn.value()), (26, 2));
    assert_eq!(outer.dont_fragment, inner[6] & 0x40 != 0);
    assert_eq!(rest[..4], spi().to_be_bytes());

    // The caller's classifier wins (S2's inner-classified outer).
    let (mut bytes, range) = roomy(&inner);
    let mut packet = PacketBuf::new(&mut bytes, range).unwrap();
    outbound
        .seal_with(&mut packet, SealOptions { dscp: Some(46) }, T0)
        .unwrap();
    assert_eq!(packet.as_slice()[1], 46 << 2 | 2);
}

#[test]
fn rfc3948_s2_1_udp_checksums_are_zero_on_ipv4_and_right_on_ipv6() {
    use etherparse::{Ipv6Header, UdpHeader};
    let udp = Some(UdpPorts {
        source: 4500,
        destination: 40051,
    });
    for v6 in [false, true] {
        let (source, destination) = addresses(v6);
        let header = TunnelHeader::new(source, destination);
        let config = OutboundConfig {
            udp,
            ..OutboundConfig::new(spi(), Mode::Tunnel { header })
        };
        let mut outbound = Outbound::new(key(AES_SHA1), config, T0).unwrap();
        let packet = sealed(&mut outbound, &ip_packet(false, 33)).unwrap();
        let ip_len = if v6 { 40 } else { 20 };
        let (udp, esp) = UdpHeader::from_slice(&packet[ip_len..]).unwrap();
        assert_eq!((udp.source_port, udp.destination_port), (4500, 40051));
        assert_eq!(usize::from(udp.length), esp.len() + 8);
        if v6 {
            let (outer, _) = Ipv6Header::from_slice(&packet).unwrap();
            assert_eq!(udp.checksum, udp.calc_checksum_ipv6(&outer, esp).unwrap());
            assert_eq!(usize::from(outer.payload_length), packet.len() - 40);
        } else {
            assert_eq!(udp.checksum, 0);
        }
    }
}

#[test]
fn a_path_change_keeps_the_mode() {
    let (mut outbound, _) = tunnel(AES_SHA1);
    let udp = Some(UdpPorts {
        source: 4500,
        destination: 5,
    });
    outbound.set_path(Mode::TRANSPORT, udp);
    assert_eq!(outbound.config().udp, None);
    outbound.set_path(Mode::TUNNEL, udp);
    assert_eq!(outbound.config().udp, udp);
}

#[test]
fn a_batch_gives_what_single_packets_give() {
    let inners: Vec<Vec<u8>> = (0..40).map(|data| ip_packet(data % 3 == 0, data)).collect();
    let (mut one, _) = tunnel(AES_SHA1);
    let (mut many, mut inbound) = tunnel(AES_SHA1);
    let mut buffers: Vec<_> = inners.iter().map(|inner| roomy(inner)).collect();
    // One in the middle is no IP.
    buffers[20].0[128] = 0;
    let mut packets: Vec<PacketBuf<'_>> = buffers
        .iter_mut()
        .map(|(bytes, range)| PacketBuf::new(bytes, range.clone()).unwrap())
        .collect();
    let mut results = vec![Err(SealError::SequenceExhausted); 40];
    many.seal_batch(&mut packets, &mut results, T0);
    for (index, (packet, result)) in packets.iter().zip(&results).enumerate() {
        if index == 20 {
            assert!(matches!(result, Err(SealError::Inner(_))));
            continue;
        }
        let single = sealed(&mut one, &inners[index]).unwrap();
        assert_eq!(result.unwrap().sequence, one.sequence());
        assert_eq!(packet.as_slice(), single);
        assert_eq!(
            opened(&mut inbound, packet.as_slice()).unwrap().1,
            inners[index]
        );
    }
    assert_eq!(one.usage(), many.usage());
}
