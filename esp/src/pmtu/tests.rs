#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crate::testing::*;
use crate::{Mode, OutboundConfig, Overhead, TunnelHeader, UdpPorts};
use crypto_suite::{CipherId, IntegrityId, ProtectionId};
use etherparse::{Icmpv4Slice, Icmpv4Type, Icmpv6Slice, Icmpv6Type, SlicedPacket, TransportSlice};
use proptest::prelude::*;
use std::vec::Vec;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn outbound(v6: bool, udp: bool) -> Outbound {
    let (source, destination) = addresses(v6);
    let mode = Mode::Tunnel {
        header: TunnelHeader::new(source, destination),
    };
    let udp = udp.then_some(UdpPorts {
        source: 4500,
        destination: 40051,
    });
    let config = OutboundConfig {
        udp,
        ..OutboundConfig::new(spi(), mode)
    };
    Outbound::new(key(AES_SHA1), config, T0).unwrap()
}

/// A router's answer to `packet`, quoting `quote` octets behind the IP header at most.
fn router(packet: &[u8], mtu: u16, quote: usize) -> Vec<u8> {
    let header = IpHeader::parse(packet).unwrap();
    let from: IpAddr = match header.source {
        IpAddr::V4(_) => [198, 51, 100, 7].into(),
        IpAddr::V6(_) => "2001:db8:ffff::7".parse().unwrap(),
    };
    let quoted = &packet[..packet.len().min(header.upper_offset + quote)];
    // A whole packet for the writer, its length field put back afterwards.
    let mut shortened = quoted.to_vec();
    let (at, length) = match from {
        IpAddr::V4(_) => (2, quoted.len()),
        IpAddr::V6(_) => (4, quoted.len() - 40),
    };
    shortened[at..at + 2].copy_from_slice(&(length as u16).to_be_bytes());
    let mut out = [0u8; 1280];
    let len = write_too_big(&shortened, mtu, from, &mut out).unwrap();
    let mut answer = out[..len].to_vec();
    let before = len - quoted.len();
    answer[before + at..before + at + 2].copy_from_slice(&packet[at..at + 2]);
    fix_checksum(&mut answer);
    answer
}

fn fix_checksum(answer: &mut [u8]) {
    let header = IpHeader::parse(answer).unwrap();
    let at = header.upper_offset;
    answer[at + 2..at + 4].fill(0);
    let seed = if header.source.is_ipv6() {
        pseudo_v6(answer, answer.len() - at)
    } else {
        0
    };
    let sum = !ip::fold(ip::sum(&answer[at..], seed));
    answer[at + 2..at + 4].copy_from_slice(&sum.to_be_bytes());
}

/// P3: 64 bits behind the header are SPI and sequence number.
#[test]
fn p3_a_short_quote_names_the_sa() {
    for v6 in [false, true] {
        let mut outbound = outbound(v6, false);
        let packet = sealed(&mut outbound, &ip_packet(false, 1400)).unwrap();
        let too_big = TooBig::parse(&router(&packet, 1400, 8)).unwrap();
        assert_eq!(too_big.mtu, 1400);
        assert_eq!((too_big.source, too_big.destination), addresses(v6));
        assert_eq!(
            too_big.quoted,
            Quoted::Esp {
                spi: spi().value(),
                sequence: 1
            }
        );
        assert_eq!(too_big.concerns(&outbound), Some(true));
    }
}

#[test]
fn p3_udp_encapsulation_leaves_only_the_ports_of_a_short_quote() {
    let mut outbound = outbound(false, true);
    let packet = sealed(&mut outbound, &ip_packet(false, 1400)).unwrap();
    let short = TooBig::parse(&router(&packet, 1400, 8)).unwrap();
    assert_eq!(
        short.quoted,
        Quoted::Udp {
            ports: (4500, 40051)
        }
    );
    assert_eq!(short.concerns(&outbound), None);
    let long = TooBig::parse(&router(&packet, 1400, 16)).unwrap();
    let expected = Quoted::EspInUdp {
        ports: (4500, 40051),
        spi: spi().value(),
        sequence: 1,
    };
    assert_eq!(long.quoted, expected);
    assert_eq!(long.concerns(&outbound), Some(true));
}

/// P11, D5: a forged message must know SPI and a recent sequence number.
#[test]
fn d5_p11_quotes_that_are_not_ours_are_told_apart() {
    let mut outbound = outbound(false, false);
    let packet = sealed(&mut outbound, &ip_packet(false, 1400)).unwrap();
    let claim = |packet: &[u8]| TooBig::parse(&router(packet, 1400, 8)).unwrap();
    let mut other_spi = packet.clone();
    other_spi[20] ^= 1;
    assert_eq!(claim(&other_spi).concerns(&outbound), Some(false));
    for sequence in [0u32, 2, 9999, u32::MAX] {
        let mut other = packet.clone();
        other[24..28].copy_from_slice(&sequence.to_be_bytes());
        assert_eq!(claim(&other).concerns(&outbound), Some(false), "{sequence}");
    }
    outbound.sequence = 1 + RECENT_PACKETS;
    assert_eq!(claim(&packet).concerns(&outbound), Some(false));
    outbound.sequence = RECENT_PACKETS;
    assert_eq!(claim(&packet).concerns(&outbound), Some(true));
}

#[test]
fn damaged_and_foreign_messages_are_refused() {
    let mut outbound = outbound(false, false);
    let packet = sealed(&mut outbound, &ip_packet(false, 1400)).unwrap();
    let good = router(&packet, 1400, 8);
    for at in 20..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 4;
        assert!(TooBig::parse(&bad).is_err(), "octet {at}");
    }
    for len in 0..good.len() {
        assert!(TooBig::parse(&good[..len]).is_err());
    }
    let mut unreachable = good.clone();
    unreachable[21] = 1;
    assert_eq!(TooBig::parse(&unreachable), Err(TooBigError::OtherMessage));
    let mut tcp = packet.clone();
    tcp[9] = 6;
    assert_eq!(
        TooBig::parse(&router(&tcp, 1400, 8)),
        Err(TooBigError::Quote)
    );
}

#[test]
fn rfc1191_s7_1_a_router_without_an_mtu_means_the_next_plateau() {
    let mut outbound = outbound(false, false);
    let packet = sealed(&mut outbound, &ip_packet(false, 1390)).unwrap();
    assert_eq!(packet.len(), 1480);
    assert_eq!(TooBig::parse(&router(&packet, 0, 8)).unwrap().mtu, 1006);
}

/// P5 and P6 with S4's numbers: the path falls from 1500 to 1400, and the source of the next
/// oversize packet is told 1350.
#[test]
fn p5_p6_the_path_mtu_falls_is_told_and_ages() {
    let mut path = PathMtu::new(1500, false);
    assert_eq!(
        path.learn(1400, at(100)),
        Some(PathMtuChanged {
            old: 1500,
            new: 1400
        })
    );
    assert_eq!(path.learn(1400, at(101)), None);
    assert_eq!(path.learn(1450, at(101)), None);
    assert_eq!((path.mtu(), path.media_mtu()), (1400, 1500));
    assert_eq!(path.remaining(at(160)), Some(at(540)));
    let suite = ProtectionId::CbcHmac(CipherId::TripleDesCbc, IntegrityId::HmacSha1_96);
    let overhead = Overhead::tunnel(suite, false, false);
    assert_eq!(overhead.max_inner(usize::from(path.mtu())), 1350);
    assert_eq!(path.handle(at(699)), None);
    assert_eq!(path.next_deadline(), Some(at(700)));
    assert_eq!(
        path.handle(at(700)),
        Some(PathMtuChanged {
            old: 1400,
            new: 1500
        })
    );
    assert_eq!(
        (path.next_deadline(), path.remaining(at(700))),
        (None, None)
    );
}

/// D5: an MTU of 68 must not make the tunnel useless.
#[test]
fn d5_the_path_mtu_has_a_floor() {
    let mut four = PathMtu::new(1500, false);
    four.learn(68, at(0));
    assert_eq!(four.mtu(), 576);
    let mut six = PathMtu::new(1500, true);
    six.learn(0, at(0));
    assert_eq!(six.mtu(), 1280);
}

/// P4: the answer to the source, checked by another crate.
#[test]
fn p4_the_answer_quotes_the_packet() {
    let four = ip_packet(false, 1400);
    let mut out = [0u8; 1280];
    let len = write_too_big(&four, 1350, [9, 1, 1, 146].into(), &mut out).unwrap();
    let answer = out;
    let sliced = SlicedPacket::from_ip(&answer[..len]).unwrap();
    let Some(TransportSlice::Icmpv4(icmp)) = sliced.transport else {
        panic!("no ICMP")
    };
    assert_eq!(len, 576);
    assert_eq!(icmp.payload(), &four[..548]);
    assert!(Icmpv4Slice::from_slice(&out[20..len]).is_ok());
    let expected =
        etherparse::icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: 1350 };
    assert_eq!(
        icmp.icmp_type(),
        Icmpv4Type::DestinationUnreachable(expected)
    );
    assert_eq!(
        icmp.checksum(),
        icmp.icmp_type().calc_checksum(icmp.payload())
    );
    let header = IpHeader::parse(&out[..len]).unwrap();
    assert_eq!(header.destination, inner_addresses(false).0);

    let six = ip_packet(true, 1400);
    let from: IpAddr = "fd00::1".parse().unwrap();
    let len = write_too_big(&six, 1350, from, &mut out).unwrap();
    assert_eq!(len, 1280);
    let icmp = Icmpv6Slice::from_slice(&out[40..len]).unwrap();
    assert_eq!(icmp.icmp_type(), Icmpv6Type::PacketTooBig { mtu: 1350 });
    let octets = |address: IpAddr| match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(_) => panic!("not IPv6"),
    };
    assert!(icmp.is_checksum_valid(octets(from), octets(inner_addresses(true).0)));
}

#[test]
fn rfc1122_s3_2_2_some_packets_are_never_answered() {
    let mut out = [0u8; 1280];
    let mut answer = |packet: &[u8]| write_too_big(packet, 1350, [9, 1, 1, 1].into(), &mut out);
    let mut packet = ip_packet(false, 100);
    packet[7] = 1; // a later fragment
    assert_eq!(answer(&packet), Err(AnswerError::NotAllowed));
    let mut packet = ip_packet(false, 100);
    (packet[9], packet[20]) = (1, 3); // an ICMP error
    assert_eq!(answer(&packet), Err(AnswerError::NotAllowed));
    let mut packet = ip_packet(false, 100);
    packet[16] = 224;
    assert_eq!(answer(&packet), Err(AnswerError::NotAllowed));
    let mut packet = ip_packet(false, 100);
    packet[12..16].fill(0);
    assert_eq!(answer(&packet), Err(AnswerError::NotAllowed));
    assert_eq!(answer(&ip_packet(true, 9)), Err(AnswerError::Family));
    let mut short = [0u8; 40];
    let result = write_too_big(&ip_packet(false, 100), 9, [9, 1, 1, 1].into(), &mut short);
    assert_eq!(
        result,
        Err(AnswerError::Buffer {
            needed: 156,
            available: 40
        })
    );
}

#[test]
fn answers_are_limited() {
    let mut limiter = IcmpLimiter::new(3, at(1));
    let sent = |limiter: &mut IcmpLimiter, now| (0..10).filter(|_| limiter.allow(now)).count();
    assert_eq!(sent(&mut limiter, at(10)), 3);
    assert_eq!(sent(&mut limiter, at(11)), 1);
    assert_eq!(sent(&mut limiter, at(11)), 0);
    assert_eq!(sent(&mut limiter, at(100)), 3);
    assert_eq!(sent(&mut limiter, at(50)), 0); // a clock that went back
    assert_eq!(sent(&mut IcmpLimiter::new(0, Duration::ZERO), at(0)), 10);
}

proptest! {
    #[test]
    fn any_octets_parse_or_are_refused(octets in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = TooBig::parse(&octets);
        let message = [&[3, 4, 0, 0, 0, 0, 5, 0][..], &octets].concat();
        let mut packet = ip_packet(false, 0);
        packet.truncate(20);
        packet[9] = 1;
        packet.extend(message);
        let total = packet.len() as u16;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        fix_checksum(&mut packet);
        let parsed = TooBig::parse(&packet);
        prop_assert!(!matches!(parsed, Err(TooBigError::Checksum | TooBigError::OtherMessage)));
    }
}
