#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crate::DeadlineReason;
use crate::ip::IpError;
use crate::outer::EcnDrop;
use crate::testing::*;
use crate::{
    AddressRange, Limits, Mode, OutboundConfig, SelectorSet, TrafficSelector, TunnelHeader,
    UdpPorts,
};
use crypto_suite::{IntegrityId, ProtectionId};
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

#[test]
fn every_suite_mode_family_and_framing_comes_back() {
    for id in suites() {
        for bits in 0..32u8 {
            let [outer_v6, inner_v6, encapsulate, esn, tunnel_mode] =
                core::array::from_fn(|bit| bits >> bit & 1 == 1);
            let (source, destination) = addresses(outer_v6);
            let mode = if tunnel_mode {
                Mode::Tunnel {
                    header: TunnelHeader::new(source, destination),
                }
            } else {
                Mode::TRANSPORT
            };
            let udp = encapsulate.then_some(UdpPorts {
                source: 4500,
                destination: 40051,
            });
            let outbound = OutboundConfig {
                udp,
                esn,
                ..OutboundConfig::new(spi(), mode)
            };
            let inbound = InboundConfig {
                esn,
                ..InboundConfig::new(spi(), tunnel_mode, SelectorCheck::ByCaller)
            };
            let (mut outbound, mut inbound) = pair(id, outbound, inbound);
            for data in [0, 1, 7, 63, 1300] {
                let inner = ip_packet(inner_v6, data);
                let mut bytes = sealed(&mut outbound, &inner).unwrap();
                let carrier = Carrier::find(&bytes).unwrap();
                assert_eq!(carrier.spi, spi().value());
                assert_eq!(carrier.udp, udp.map(|udp| (udp.source, udp.destination)));
                let mut packet = PacketBuf::full(&mut bytes);
                let opened = inbound.open_ip(&mut packet, T0).unwrap();
                assert_eq!(packet.as_slice(), inner, "{id} {mode:?} {udp:?} {data}");
                assert_eq!(opened.sequence, outbound.sequence());
                assert_eq!(matches!(opened.content, Content::Ip(_)), tunnel_mode);
            }
            assert_eq!(inbound.counters().packets, 5);
            assert_eq!(inbound.usage().bytes, outbound.usage().bytes);
        }
    }
}

#[test]
fn c15_every_altered_octet_fails_authentication_and_changes_nothing() {
    for id in suites() {
        let (mut outbound, mut inbound) = tunnel(id);
        let packet = sealed(&mut outbound, &ip_packet(false, 20)).unwrap();
        // Octets 0 to 3 are the SPI, looked at before.
        for at in 4..packet.len() {
            let mut altered = packet.clone();
            altered[at] ^= 0x10;
            let before = altered.clone();
            let mut buffer = PacketBuf::full(&mut altered);
            let error = inbound
                .open(&mut buffer, &Outer::default(), T0)
                .unwrap_err();
            assert_eq!(error, OpenError::Authentication, "{id} octet {at}");
            assert_eq!(altered, before);
            assert_eq!(inbound.window().top(), 0);
        }
        assert_eq!(inbound.counters().authentication, packet.len() as u64 - 4);
        assert!(opened(&mut inbound, &packet).is_ok());
    }
}

#[test]
fn a1_every_truncation_has_its_error() {
    for id in suites() {
        let (mut outbound, mut inbound) = tunnel(id);
        let packet = sealed(&mut outbound, &ip_packet(true, 20)).unwrap();
        for len in 0..packet.len() {
            let error = opened(&mut inbound, &packet[..len]).unwrap_err();
            assert!(
                matches!(
                    error,
                    OpenError::Truncated { .. }
                        | OpenError::Block { .. }
                        | OpenError::Authentication
                ),
                "{id} {len} {error:?}"
            );
        }
    }
}

#[test]
fn another_spi_is_named() {
    let (mut outbound, mut inbound) = tunnel(AES_SHA1);
    let mut packet = sealed(&mut outbound, &ip_packet(false, 1)).unwrap();
    packet[3] ^= 1;
    let error = opened(&mut inbound, &packet).unwrap_err();
    assert_eq!(error, OpenError::Spi { found: 0xcdd3_aca1 });
}

#[test]
fn c11_rfc4303_s3_4_3_replays_are_refused_before_any_cryptography() {
    let (mut outbound, mut inbound) = tunnel(AES_SHA1);
    let packets: Vec<_> = (0..3)
        .map(|_| sealed(&mut outbound, &ip_packet(false, 1)).unwrap())
        .collect();
    assert!(opened(&mut inbound, &packets[2]).is_ok());
    assert!(opened(&mut inbound, &packets[0]).is_ok());
    let mut forged = packets[0].clone();
    forged[30] ^= 1; // no matter: the number alone decides
    assert_eq!(
        opened(&mut inbound, &forged).unwrap_err(),
        OpenError::Replayed { sequence: 1 }
    );
    assert!(opened(&mut inbound, &packets[1]).is_ok());
    // A number far ahead is authenticated before the window moves.
    let mut ahead = packets[0].clone();
    ahead[4..8].copy_from_slice(&[0x7f; 4]);
    assert_eq!(
        opened(&mut inbound, &ahead).unwrap_err(),
        OpenError::Authentication
    );
    assert_eq!(inbound.window().top(), 3);
    outbound.sequence = 5000;
    let far = sealed(&mut outbound, &ip_packet(false, 1)).unwrap();
    assert!(opened(&mut inbound, &far).is_ok());
    let error = opened(&mut inbound, &packets[1]).unwrap_err();
    assert_eq!(
        error,
        OpenError::TooOld {
            sequence: 2,
            top: 5001
        }
    );
    let counters = inbound.counters();
    assert_eq!(
        (counters.packets, counters.replayed, counters.too_old),
        (4, 1, 1)
    );
}

#[test]
fn two_threads_prechecking_one_packet_commit_it_once() {
    let (mut outbound, mut inbound) = tunnel(AES_SHA1);
    let packet = sealed(&mut outbound, &ip_packet(false, 1)).unwrap();
    let (mut first, mut second) = (packet.clone(), packet);
    let mut first = PacketBuf::full(&mut first);
    let mut second = PacketBuf::full(&mut second);
    let one = inbound.precheck(first.as_slice(), T0).unwrap();
    let two = inbound.precheck(second.as_slice(), T0).unwrap();
    let one = inbound.decrypt(&mut first, one).unwrap();
    let two = inbound.decrypt(&mut second, two).unwrap();
    let outer = Outer::default();
    assert!(inbound.commit(&mut first, one, &outer, T0).is_ok());
    let error = inbound.commit(&mut second, two, &outer, T0).unwrap_err();
    assert_eq!(error, OpenError::Replayed { sequence: 1 });
}

#[test]
fn esn_crosses_the_subspace_with_reordering() {
    for id in suites() {
        let outbound = OutboundConfig {
            esn: true,
            ..OutboundConfig::new(spi(), Mode::TUNNEL)
        };
        let inbound = InboundConfig {
            esn: true,
            ..InboundConfig::new(spi(), true, SelectorCheck::ByCaller)
        };
        let (mut outbound, mut inbound) = pair(id, outbound, inbound);
        outbound.sequence = u64::from(u32::MAX) - 20;
        inbound.window.mark(u64::from(u32::MAX) - 1_000_000);
        let inner = ip_packet(false, 8);
        let mut packets: Vec<_> = (0..40)
            .map(|_| sealed(&mut outbound, &inner).unwrap())
            .collect();
        // The first one brings the window near; then the rest, newest first.
        let first = packets.remove(0);
        assert_eq!(
            opened(&mut inbound, &first).unwrap().0.sequence,
            u64::from(u32::MAX) - 19
        );
        for packet in packets.iter().rev() {
            assert!(opened(&mut inbound, packet).is_ok());
        }
        for packet in &packets {
            assert!(matches!(
                opened(&mut inbound, packet),
                Err(OpenError::Replayed { .. })
            ));
        }
        assert_eq!(inbound.window().top(), outbound.sequence());
    }
}

/// The high half is authenticated: a receiver in another subspace refuses.
#[test]
fn esn_high_bits_are_part_of_the_icv() {
    for id in suites() {
        let outbound = OutboundConfig {
            esn: true,
            ..OutboundConfig::new(spi(), Mode::TUNNEL)
        };
        let inbound = InboundConfig {
            esn: true,
            ..InboundConfig::new(spi(), true, SelectorCheck::ByCaller)
        };
        let (mut outbound, mut inbound) = pair(id, outbound, inbound);
        outbound.sequence = 3 << 32;
        let packet = sealed(&mut outbound, &ip_packet(false, 8)).unwrap();
        assert_eq!(
            opened(&mut inbound, &packet).unwrap_err(),
            OpenError::Authentication
        );
        inbound.window.mark((3 << 32) - 10);
        assert!(opened(&mut inbound, &packet).is_ok());
    }
}

/// An authentic packet with any plaintext, as a malicious or broken peer makes it.
fn authentic(text: &[u8]) -> Vec<u8> {
    let key = key(ProtectionId::NullHmac(IntegrityId::HmacSha256_128));
    let mut packet = [&spi().to_be_bytes()[..], &[0, 0, 0, 1], text, &[0; 16]].concat();
    key.seal(&mut packet, Layout::esp(None), 1).unwrap();
    packet
}

fn open_text(tunnel_mode: bool, text: &[u8]) -> Result<(Opened, Vec<u8>), OpenError> {
    let config = InboundConfig::new(spi(), tunnel_mode, SelectorCheck::ByCaller);
    let key = key(ProtectionId::NullHmac(IntegrityId::HmacSha256_128));
    let mut inbound = Inbound::new(key, config, T0).unwrap();
    let result = opened(&mut inbound, &authentic(text));
    // Authentic: the number is spent whatever is inside.
    assert_eq!(inbound.window().top(), 1);
    result
}

#[test]
fn what_an_authentic_peer_can_get_wrong_is_named() {
    let inner = ip_packet(false, 4);
    let with = |trailer: &[u8]| [&inner[..], trailer].concat();
    let error = |text: &[u8]| open_text(true, text).unwrap_err();
    assert!(open_text(true, &with(&[1, 2, 2, 4])).is_ok());
    assert_eq!(
        error(&with(&[1, 3, 2, 4])),
        OpenError::Padding { at: 2, found: 3 }
    );
    let available = inner.len();
    assert_eq!(
        error(&with(&[255, 4])),
        OpenError::PadLength {
            pad: 255,
            available
        }
    );
    assert_eq!(error(&with(&[0, 6])), OpenError::NextHeader(6));
    assert_eq!(
        error(&with(&[0, 41])),
        OpenError::InnerVersion {
            next_header: 41,
            version: 4
        }
    );
    assert!(matches!(error(&[0x60, 0, 0, 4]), OpenError::Inner(_)));
    let mut overlong = inner.clone();
    overlong[3] += 1;
    assert!(matches!(
        error(&[&overlong[..], &[0, 4]].concat()),
        OpenError::Inner(_)
    ));
    assert_eq!(
        error(&[0, 4]),
        OpenError::Inner(IpError::Truncated { len: 0, needed: 20 })
    );
}

#[test]
fn rfc4303_s2_6_dummies_are_authenticated_and_empty() {
    let (mut outbound, mut inbound) = tunnel(AES_SHA1);
    for octets in [0, 5, 700] {
        let (mut bytes, range) = roomy(&vec![0xa5; octets]);
        let mut packet = PacketBuf::new(&mut bytes, range).unwrap();
        outbound.seal_dummy(&mut packet, T0).unwrap();
        let (opened, payload) = opened(&mut inbound, packet.as_slice()).unwrap();
        assert_eq!((opened.content, opened.tfc), (Content::Dummy, 0));
        assert!(payload.is_empty());
    }
    assert_eq!(
        (inbound.counters().dummies, inbound.counters().packets),
        (3, 0)
    );
    assert_eq!(outbound.counters().dummies, 3);
    // Transport mode drops them too.
    assert_eq!(
        open_text(false, &[1, 2, 3, 0, 0, 59]).unwrap().0.content,
        Content::Dummy
    );
}

#[test]
fn rfc4303_s2_7_tfc_padding_hides_lengths_and_is_dropped() {
    let config = OutboundConfig {
        tfc: 400,
        ..OutboundConfig::new(spi(), Mode::TUNNEL)
    };
    let (mut outbound, mut inbound) = pair(
        AES_SHA1,
        config,
        InboundConfig::new(spi(), true, SelectorCheck::ByCaller),
    );
    let mut lengths = Vec::new();
    for data in [0, 1, 50, 300, 372] {
        let inner = ip_packet(false, data);
        let packet = sealed(&mut outbound, &inner).unwrap();
        lengths.push(packet.len());
        let (opened, payload) = opened(&mut inbound, &packet).unwrap();
        assert_eq!(payload, inner);
        assert_eq!(opened.tfc, 400 - inner.len());
    }
    assert!(lengths.iter().all(|length| *length == lengths[0]));
    assert_eq!(inbound.counters().tfc_padded, 4);
}

fn selectors(local: &str, remote: &str) -> SelectorSet {
    let side = |text: &str| {
        TrafficSelector::all(AddressRange::network(text.parse().unwrap(), 24).unwrap())
    };
    SelectorSet::new([side(local)], [side(remote)])
}

/// D7: what comes out of a tunnel must be what was negotiated.
#[test]
fn d7_rfc4301_s5_2_selectors_are_checked_after_decryption() {
    // Packets come from 10.0.68.5 to 10.1.1.10.
    let matching = selectors("10.1.1.0", "10.0.68.0");
    let spoofed = selectors("10.1.1.0", "10.0.69.0");
    for (set, fine) in [(matching, true), (spoofed, false)] {
        let config = InboundConfig::new(spi(), true, SelectorCheck::Match(set));
        let outbound = OutboundConfig::new(spi(), Mode::TUNNEL);
        let (mut outbound, mut inbound) = pair(AES_SHA1, outbound, config);
        let packet = sealed(&mut outbound, &ip_packet(false, 9)).unwrap();
        let result = opened(&mut inbound, &packet);
        assert_eq!(result.is_ok(), fine);
        if !fine {
            assert!(matches!(result, Err(OpenError::Selectors(flow)) if flow.protocol == 17));
            assert_eq!(inbound.counters().selectors, 1);
        }
        assert_eq!(inbound.window().top(), 1);
    }
}

#[test]
fn transport_mode_checks_selectors_against_the_outer_addresses() {
    let set = selectors("10.1.1.0", "10.0.68.0");
    let config = InboundConfig::new(spi(), false, SelectorCheck::Match(set));
    let outbound = OutboundConfig::new(spi(), Mode::Transport { keep_header: false });
    let (mut outbound, mut inbound) = pair(AES_SHA1, outbound, config);
    let mut open = |outer: Outer| {
        let mut packet = sealed(&mut outbound, &ip_packet(false, 9)).unwrap();
        let mut packet = PacketBuf::full(&mut packet);
        inbound.open(&mut packet, &outer, T0).map(|_| ())
    };
    assert_eq!(open(Outer::default()), Err(OpenError::AddressesUnknown));
    let (source, destination) = inner_addresses(false);
    let outer = Outer {
        addresses: Some((source, destination)),
        ecn: 0,
    };
    assert_eq!(open(outer), Ok(()));
    let swapped = Outer {
        addresses: Some((destination, source)),
        ecn: 0,
    };
    assert!(matches!(open(swapped), Err(OpenError::Selectors(_))));
}

#[test]
fn rfc6040_congestion_is_carried_inwards() {
    let (source, destination) = addresses(false);
    let mode = Mode::Tunnel {
        header: TunnelHeader::new(source, destination),
    };
    let outbound = OutboundConfig::new(spi(), mode);
    let (mut outbound, mut inbound) = pair(
        AES_SHA1,
        outbound,
        InboundConfig::new(spi(), true, SelectorCheck::ByCaller),
    );
    for v6 in [false, true] {
        let mut inner = ip_packet(v6, 9);
        inner[1] |= if v6 { 0x20 } else { 2 }; // ECT(0)
        if !v6 {
            crate::ip::write_v4_checksum(&mut inner, 20);
        }
        let mut packet = sealed(&mut outbound, &inner).unwrap();
        packet[1] |= 3; // a router on the way
        let mut packet = PacketBuf::full(&mut packet);
        inbound.open_ip(&mut packet, T0).unwrap();
        let header = IpHeader::parse(packet.as_slice()).unwrap();
        assert_eq!(header.traffic_class & 3, 3);
        if !v6 {
            assert_eq!(crate::ip::checksum(&packet.as_slice()[..20]), 0);
        }
    }
    let mut packet = sealed(&mut outbound, &ip_packet(false, 9)).unwrap();
    packet[1] |= 3;
    let mut packet = PacketBuf::full(&mut packet);
    assert_eq!(
        inbound.open_ip(&mut packet, T0).unwrap_err(),
        OpenError::Ecn(EcnDrop)
    );
    assert_eq!(inbound.counters().ecn, 1);
}

#[test]
fn an_expired_sa_opens_nothing() {
    let hard = Limits {
        packets: Some(1),
        ..Limits::NONE
    };
    let lifetime = Lifetime {
        soft: Limits::NONE,
        hard,
    };
    let config = InboundConfig {
        lifetime,
        ..InboundConfig::new(spi(), true, SelectorCheck::ByCaller)
    };
    let outbound = OutboundConfig::new(spi(), Mode::TUNNEL);
    let (mut outbound, mut inbound) = pair(AES_SHA1, outbound, config);
    let first = sealed(&mut outbound, &ip_packet(false, 9)).unwrap();
    let second = sealed(&mut outbound, &ip_packet(false, 9)).unwrap();
    assert!(opened(&mut inbound, &first).is_ok());
    let error = opened(&mut inbound, &second).unwrap_err();
    assert_eq!(error, OpenError::Expired(Limit::Packets));
}

#[test]
fn rfc4301_s4_4_2_1_what_is_left_of_a_lifetime_is_told() {
    let secs = Duration::from_secs;
    let limits = |kilobytes: u64, time| Limits {
        bytes: Some(kilobytes * 1024),
        time: Some(secs(time)),
        ..Limits::NONE
    };
    let config = InboundConfig {
        lifetime: Lifetime {
            soft: limits(8, 60),
            hard: limits(10, 100),
        },
        ..InboundConfig::new(spi(), true, SelectorCheck::ByCaller)
    };
    let outbound = OutboundConfig::new(spi(), Mode::TUNNEL);
    let (mut outbound, mut inbound) = pair(AES_SHA1, outbound, config);
    let left = |inbound: &Inbound, after| inbound.remaining(T0 + secs(after));
    assert_eq!(left(&inbound, 1), (Some(10), Some(secs(99))));
    let packet = sealed(&mut outbound, &ip_packet(false, 1024)).unwrap();
    assert!(opened(&mut inbound, &packet).is_ok());
    assert_eq!(left(&inbound, 2).0, Some(8));
    let soft = Deadline {
        at: T0 + secs(60),
        why: DeadlineReason::SoftLifetime,
    };
    assert_eq!(inbound.next_deadline(T0), Some(soft));
    assert_eq!(inbound.soft_expired(T0 + secs(59)), None);
    assert_eq!(inbound.soft_expired(T0 + secs(60)), Some(Limit::Time));
    assert_eq!(inbound.soft_expired(T0 + secs(61)), None);
    let hard = Deadline {
        at: T0 + secs(100),
        why: DeadlineReason::HardLifetime,
    };
    assert_eq!(inbound.next_deadline(T0 + secs(61)), Some(hard));
}

#[test]
fn what_is_around_esp_is_checked() {
    let find = |packet: &[u8]| Carrier::find(packet).unwrap_err();
    let mut udp = ip_packet(false, 40);
    assert!(Carrier::find(&udp).is_ok()); // octets 0 1 2 3 …: an SPI that is nobody's
    udp[28..32].fill(0);
    assert_eq!(find(&udp), OuterError::NotEsp); // a non-ESP marker
    udp[25] = 200;
    assert_eq!(
        find(&udp),
        OuterError::UdpLength {
            found: 200,
            available: 48
        }
    );
    udp[9] = 6;
    assert_eq!(find(&udp), OuterError::Protocol(6));
    udp[6] = 0x20;
    assert_eq!(find(&udp), OuterError::Fragment);
    assert!(matches!(find(&[0x45]), OuterError::Ip(_)));
}

#[test]
fn a_batch_gives_what_single_packets_give() {
    let (mut outbound, mut one) = tunnel(AES_SHA1);
    let (_, mut many) = tunnel(AES_SHA1);
    let mut stream: Vec<Vec<u8>> = (0..40)
        .map(|data| sealed(&mut outbound, &ip_packet(false, data)).unwrap())
        .collect();
    stream[7][40] ^= 1;
    stream[9].truncate(10);
    let duplicate = stream[30].clone();
    stream.insert(32, duplicate); // in the same chunk as its twin
    let mut copies = stream.clone();
    let mut packets: Vec<_> = copies
        .iter_mut()
        .map(|bytes| PacketBuf::full(bytes))
        .collect();
    let mut results = vec![Err(OpenError::Authentication); packets.len()];
    many.open_batch(&mut packets, &mut results, &Outer::default(), T0);
    for ((octets, packet), result) in stream.iter().zip(&packets).zip(&results) {
        match opened(&mut one, octets) {
            Ok((expected, payload)) => {
                assert_eq!(*result, Ok(expected));
                assert_eq!(packet.as_slice(), payload);
            }
            Err(expected) => assert_eq!(*result, Err(expected)),
        }
    }
    assert_eq!(one.counters(), many.counters());
    assert_eq!(one.window().bitmap(), many.window().bitmap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever arrives, an SA without the sender's key changes nothing and does not panic.
    #[test]
    fn garbage_changes_nothing(
        mut octets in prop::collection::vec(any::<u8>(), 0..300),
        fix_spi: bool,
        whole: bool,
    ) {
        let (_, mut inbound) = tunnel(AES_SHA1);
        if fix_spi && octets.len() >= 4 {
            octets[..4].copy_from_slice(&spi().to_be_bytes());
        }
        let before = octets.clone();
        let mut packet = PacketBuf::full(&mut octets);
        let refused = if whole {
            inbound.open_ip(&mut packet, T0).is_err()
        } else {
            inbound.open(&mut packet, &Outer::default(), T0).is_err()
        };
        prop_assert!(refused);
        prop_assert_eq!(octets, before);
        prop_assert_eq!(inbound.window().top(), 0);
        prop_assert_eq!(inbound.usage().packets, 0);
    }

    /// Any plaintext of an authentic peer has a defined result.
    #[test]
    fn authentic_garbage_has_a_defined_result(
        text in prop::collection::vec(any::<u8>(), 2..200),
        tunnel_mode: bool,
    ) {
        let _ = open_text(tunnel_mode, &text);
    }

    /// A stream that is reordered and duplicated comes out once each, or too old.
    #[test]
    fn a_disordered_stream_comes_out_once(order in prop::collection::vec(0usize..60, 1..200)) {
        let (mut outbound, mut inbound) = tunnel(AES_SHA1);
        let packets: Vec<_> =
            (0..60).map(|data| sealed(&mut outbound, &ip_packet(false, data)).unwrap()).collect();
        let mut seen = [false; 60];
        for index in order {
            let result = opened(&mut inbound, &packets[index]);
            prop_assert_eq!(result.is_ok(), !seen[index]);
            seen[index] = true;
        }
    }
}
