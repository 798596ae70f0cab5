#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crate::testing::*;
use crate::{AddressRange, SelectorSet, TrafficSelector};
use crypto_suite::{DEFAULT, IntegrityId};
use hex_literal::hex;
use proptest::prelude::*;
use std::vec::Vec;

fn integrity(id: IntegrityId) -> &'static dyn Integrity {
    DEFAULT.integrity(id).unwrap()
}

fn pair(id: IntegrityId, config: &AhConfig) -> (AhOutbound, AhInbound) {
    let integrity = integrity(id);
    let key: Vec<u8> = (0..integrity.key_len()).map(|i| i as u8).collect();
    (
        AhOutbound::new(integrity, &key, config.clone(), T0).unwrap(),
        AhInbound::new(integrity, &key, config.clone(), T0).unwrap(),
    )
}

fn seal(outbound: &mut AhOutbound, packet: &[u8]) -> Result<Vec<u8>, SealError> {
    let (mut bytes, range) = roomy(packet);
    let mut packet = PacketBuf::new(&mut bytes, range).unwrap();
    outbound.seal(&mut packet, T0)?;
    Ok(packet.as_slice().to_vec())
}

fn open(inbound: &mut AhInbound, packet: &[u8]) -> Result<(Opened, Vec<u8>), OpenError> {
    let mut bytes = packet.to_vec();
    let mut packet = PacketBuf::full(&mut bytes);
    let opened = inbound.open_ip(&mut packet, T0)?;
    Ok((opened, packet.as_slice().to_vec()))
}

fn configs() -> Vec<AhConfig> {
    let mut configs = Vec::new();
    for esn in [false, true] {
        for tunnel in [None, Some(false), Some(true)] {
            let tunnel = tunnel.and_then(|v6| {
                let (source, destination) = addresses(v6);
                TunnelHeader::new(source, destination)
            });
            configs.push(AhConfig {
                esn,
                tunnel,
                ..AhConfig::new(spi(), SelectorCheck::ByCaller)
            });
        }
    }
    configs
}

const IDS: [IntegrityId; 5] = [
    IntegrityId::HmacMd5_96,
    IntegrityId::HmacSha1_96,
    IntegrityId::HmacSha256_128,
    IntegrityId::HmacSha384_192,
    IntegrityId::HmacSha512_256,
];

#[test]
fn every_integrity_mode_and_family_comes_back() {
    for id in IDS {
        for config in configs() {
            for v6 in [false, true] {
                let (mut outbound, mut inbound) = pair(id, &config);
                for data in [0, 1, 100, 1000] {
                    let inner = ip_packet(v6, data);
                    let sealed = seal(&mut outbound, &inner).unwrap();
                    let outer = IpHeader::parse(&sealed).unwrap();
                    assert_eq!((outer.protocol, outer.total_len), (51, sealed.len()));
                    if outer.source.is_ipv4() {
                        assert_eq!(crate::ip::checksum(&sealed[..20]), 0);
                    }
                    let (opened, payload) = open(&mut inbound, &sealed).unwrap();
                    assert_eq!(payload, inner);
                    assert_eq!(opened.sequence, outbound.sequence());
                    let replayed = open(&mut inbound, &sealed).unwrap_err();
                    assert!(matches!(replayed, OpenError::Replayed { .. }));
                }
            }
        }
    }
}

/// A packet of DPDK's vectors (`tests/data/PROVENANCE.md`, `pkt_ah_tunnel_sha256`).
#[test]
fn dpdk_ah_tunnel_vector_verifies() {
    let line = include_str!("../../tests/data/dpdk.txt")
        .lines()
        .find(|line| line.starts_with("pkt_ah_tunnel_sha256"))
        .unwrap();
    let fields: Vec<&str> = line.split(';').collect();
    let octets = |index: usize| hex::decode(fields[index]).unwrap();
    let (key, inner, sealed) = (octets(5), octets(7), octets(8));
    let header = IpHeader::parse(&sealed).unwrap();
    let config = AhConfig {
        tunnel: TunnelHeader::new(header.source, header.destination),
        ..AhConfig::new(Spi::from_peer(123).unwrap(), SelectorCheck::ByCaller)
    };
    let integrity = integrity(IntegrityId::HmacSha256_128);
    let mut inbound = AhInbound::new(integrity, &key, config.clone(), T0).unwrap();
    assert_eq!(open(&mut inbound, &sealed).unwrap().1, inner);
    // Sealing gives the same AH and ICV under the same outer header.
    let mut outer = TunnelHeader::new(header.source, header.destination).unwrap();
    outer.ttl = header.ttl;
    let config = AhConfig {
        tunnel: Some(outer),
        ..config
    };
    let mut outbound = AhOutbound::new(integrity, &key, config, T0).unwrap();
    let mut ours = seal(&mut outbound, &inner).unwrap();
    assert_eq!(ours.len(), sealed.len());
    assert_eq!(ours[20..32], sealed[20..32]);
    // The identification is ours and is covered; with theirs, the ICV is theirs too.
    ours[4..6].copy_from_slice(&sealed[4..6]);
    let parsed = IpHeader::parse(&ours).unwrap();
    let key = &outbound.signer.key;
    let icv = outbound
        .signer
        .covered(&ours, &parsed, 20, None, |parts| key.icv(parts))
        .unwrap();
    assert_eq!(icv.as_ref(), &sealed[32..48]);
}

#[test]
fn rfc4302_s3_3_3_1_mutable_fields_may_change_and_others_not() {
    for v6 in [false, true] {
        let (mut outbound, mut inbound) =
            pair(IDS[2], &AhConfig::new(spi(), SelectorCheck::ByCaller));
        let sealed = seal(&mut outbound, &ip_packet(v6, 30)).unwrap();
        let mutable: &[usize] = if v6 { &[0, 1, 2, 3, 7] } else { &[1, 8] };
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 0x02;
            let before = inbound.window().top();
            let result = open(&mut inbound, &altered);
            if mutable.contains(&at) {
                assert!(result.is_ok(), "v6 {v6} octet {at}: {result:?}");
                // A fresh receiver for the next octet.
                inbound = pair(IDS[2], &AhConfig::new(spi(), SelectorCheck::ByCaller)).1;
                continue;
            }
            // The IPv4 checksum is a router's business, and mutable.
            if !v6 && (10..12).contains(&at) {
                inbound = pair(IDS[2], &AhConfig::new(spi(), SelectorCheck::ByCaller)).1;
                continue;
            }
            assert!(result.is_err(), "v6 {v6} octet {at}");
            assert_eq!(inbound.window().top(), before);
        }
    }
}

/// RFC 4302 Appendix A1: options stay or are zeroed as a whole.
#[test]
fn rfc4302_a1_ipv4_options_are_masked_by_their_table() {
    let with_options = |options: &[u8]| {
        let mut packet = ip_packet(false, 30);
        packet.splice(20..20, options.iter().copied());
        packet[0] = 0x45 + (options.len() / 4) as u8;
        let total = packet.len() as u16;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        crate::ip::write_v4_checksum(&mut packet, 20 + options.len());
        packet
    };
    let mask = |options: &[u8]| {
        let packet = with_options(options);
        let header = IpHeader::parse(&packet).unwrap();
        Masked::of(&packet, &header, header.upper_offset)
            .map(|masked| masked.as_slice()[20..].to_vec())
    };
    // Router Alert stays, Record Route goes, an unknown option goes.
    assert_eq!(mask(&hex!("94040000")).unwrap(), hex!("94040000"));
    assert_eq!(
        mask(&hex!("0107040a 00000000")).unwrap(),
        hex!("01000000 00000000")
    );
    assert_eq!(mask(&hex!("de04aabb")).unwrap(), hex!("00000000"));
    assert!(mask(&hex!("8303040a")).is_err());
    assert!(mask(&hex!("94ff0000")).is_err());
    assert!(mask(&hex!("94000000")).is_err());
    let (mut outbound, mut inbound) = pair(IDS[1], &AhConfig::new(spi(), SelectorCheck::ByCaller));
    let packet = with_options(&hex!("0107040a 00000000"));
    let mut sealed = seal(&mut outbound, &packet).unwrap();
    sealed[24] = 77; // a router recorded itself
    assert!(open(&mut inbound, &sealed).is_ok());
}

#[test]
fn rfc4302_a2_ipv6_options_follow_their_bit() {
    // Hop-by-hop with a mutable (0x3e) and an immutable (0x1e) option.
    let mut packet = ip_packet(true, 30);
    packet[6] = 0;
    let extension = hex!("11 01 3e02aabb 1e02ccdd 0104 00000000");
    packet.splice(40..40, extension);
    let payload = (packet.len() - 40) as u16;
    packet[4..6].copy_from_slice(&payload.to_be_bytes());
    let (mut outbound, mut inbound) = pair(IDS[1], &AhConfig::new(spi(), SelectorCheck::ByCaller));
    let sealed = seal(&mut outbound, &packet).unwrap();
    let mut immutable = sealed.clone();
    immutable[49] ^= 1;
    assert_eq!(
        open(&mut inbound, &immutable).unwrap_err(),
        OpenError::Authentication
    );
    let mut mutable = sealed;
    mutable[44] ^= 1;
    packet[44] ^= 1;
    assert_eq!(open(&mut inbound, &mutable).unwrap().1, packet);
}

#[test]
fn rfc4302_s3_3_3_2_1_the_header_is_padded_for_ipv6() {
    assert_eq!(ah_len(12, false), 24);
    assert_eq!(ah_len(12, true), 24);
    assert_eq!(ah_len(16, false), 28);
    assert_eq!(ah_len(16, true), 32);
}

#[test]
fn esn_is_covered() {
    let config = AhConfig {
        esn: true,
        ..AhConfig::new(spi(), SelectorCheck::ByCaller)
    };
    let (mut outbound, mut inbound) = pair(IDS[2], &config);
    outbound.sequence = 7 << 32;
    let sealed = seal(&mut outbound, &ip_packet(false, 3)).unwrap();
    assert_eq!(
        open(&mut inbound, &sealed).unwrap_err(),
        OpenError::Authentication
    );
    inbound.window.mark((7 << 32) - 3);
    assert_eq!(
        open(&mut inbound, &sealed).unwrap().0.sequence,
        (7 << 32) + 1
    );
}

#[test]
fn refusals_are_named() {
    let (mut outbound, mut inbound) = pair(IDS[2], &AhConfig::new(spi(), SelectorCheck::ByCaller));
    let sealed = seal(&mut outbound, &ip_packet(false, 3)).unwrap();
    for len in 0..sealed.len() {
        assert!(open(&mut inbound, &sealed[..len]).is_err());
    }
    let mut longer = sealed.clone();
    longer[21] += 1;
    assert!(matches!(
        open(&mut inbound, &longer),
        Err(OpenError::Outer(_))
    ));
    let mut other = sealed.clone();
    other[27] ^= 1;
    assert!(matches!(
        open(&mut inbound, &other),
        Err(OpenError::Spi { .. })
    ));
    outbound.sequence = u64::from(u32::MAX);
    let refused = seal(&mut outbound, &ip_packet(false, 3));
    assert_eq!(refused, Err(SealError::SequenceExhausted));
    let mut fragment = ip_packet(false, 8);
    fragment[6] = 0x20;
    let (mut outbound, _) = pair(IDS[2], &AhConfig::new(spi(), SelectorCheck::ByCaller));
    assert_eq!(seal(&mut outbound, &fragment), Err(SealError::Fragment));
    let side = TrafficSelector::all(AddressRange::host([1, 2, 3, 4].into()));
    let selectors = SelectorCheck::Match(SelectorSet::new([side], [side]));
    let config = AhConfig::new(spi(), selectors);
    let (_, mut strict) = pair(IDS[2], &config);
    assert!(matches!(
        open(&mut strict, &sealed),
        Err(OpenError::Selectors(_))
    ));
}

/// The AH of a packet recorded from a Linux gateway (arkime `ah-esp.pcap`): header fields only,
/// its keys are unknown.
#[test]
fn a_recorded_header_is_read() {
    let ah = hex!("32040000 8179b705 00000001 27cfc0a5e43d69b3728ec5b0");
    let header = AhHeader::parse(&ah).unwrap();
    assert_eq!((header.next_header, header.len), (50, 24));
    assert_eq!((header.spi, header.sequence), (0x8179_b705, 1));
}

proptest! {
    #[test]
    fn garbage_changes_nothing(
        mut octets in prop::collection::vec(any::<u8>(), 0..200),
        v6: bool,
    ) {
        let mut packet = ip_packet(v6, 0);
        let header_len = if v6 { 40 } else { 20 };
        packet.truncate(header_len);
        packet.append(&mut octets);
        let (at, proto_at, len) = if v6 {
            (4, 6, packet.len() - 40)
        } else {
            (2, 9, packet.len())
        };
        packet[at..at + 2].copy_from_slice(&(len as u16).to_be_bytes());
        packet[proto_at] = 51;
        let (_, mut inbound) = pair(IDS[0], &AhConfig::new(spi(), SelectorCheck::ByCaller));
        let before = packet.clone();
        let mut buffer = PacketBuf::full(&mut packet);
        prop_assert!(inbound.open_ip(&mut buffer, T0).is_err());
        prop_assert_eq!(packet, before);
        prop_assert_eq!(inbound.window().top(), 0);
    }
}
