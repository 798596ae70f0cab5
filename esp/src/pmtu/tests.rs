#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crate::testing::*;
use crate::{Mode, OutboundConfig, Overhead, PacketBuf, TunnelHeader, UdpPorts};
use crypto_suite::{CipherId, IntegrityId, ProtectionId};
use etherparse::{Icmpv4Slice, Icmpv4Type, Icmpv6Slice, Icmpv6Type, SlicedPacket, TransportSlice};
use proptest::prelude::*;
use rand_core::{TryCryptoRng, TryRng};
use std::convert::Infallible;
use std::vec::Vec;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ageing(at: Duration) -> Deadline {
    let why = DeadlineReason::PathMtuAgeing;
    Deadline { at, why }
}

const fn probing(at: Duration) -> Deadline {
    let why = DeadlineReason::PathMtuProbes;
    Deadline { at, why }
}

/// A generator that gives these numbers, over and over.
struct Numbers(std::iter::Cycle<std::array::IntoIter<u32, PROBES>>);

impl Numbers {
    fn of(numbers: [u32; PROBES]) -> Self {
        Self(numbers.into_iter().cycle())
    }
}

impl TryRng for Numbers {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next().unwrap())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for octet in dst {
            *octet = self.try_next_u32()? as u8;
        }
        Ok(())
    }
}

impl TryCryptoRng for Numbers {}

const PORTS: UdpPorts = UdpPorts {
    source: 4500,
    destination: 40051,
};

fn ends(v6: bool, udp: bool) -> Ends {
    let (source, destination) = addresses(v6);
    Ends {
        source,
        destination,
        udp: udp.then_some(PORTS),
    }
}

fn outbound(v6: bool, udp: bool) -> Outbound {
    let (source, destination) = addresses(v6);
    let mode = Mode::Tunnel {
        header: TunnelHeader::new(source, destination),
    };
    let udp = udp.then_some(PORTS);
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
        assert_eq!(
            too_big.evidence(&ends(v6, false), &outbound),
            Evidence::Proof
        );
    }
}

#[test]
fn p3_udp_encapsulation_leaves_only_the_ports_of_a_short_quote() {
    let mut outbound = outbound(false, true);
    let packet = sealed(&mut outbound, &ip_packet(false, 1400)).unwrap();
    let short = TooBig::parse(&router(&packet, 1400, 8)).unwrap();
    let length = packet.len() as u16 - 20;
    assert_eq!(
        short.quoted,
        Quoted::Udp {
            ports: PORTS,
            length
        }
    );
    let ends = ends(false, true);
    assert_eq!(short.evidence(&ends, &outbound), Evidence::Claim(length));
    let long = TooBig::parse(&router(&packet, 1400, 16)).unwrap();
    let expected = Quoted::EspInUdp {
        ports: PORTS,
        spi: spi().value(),
        sequence: 1,
    };
    assert_eq!(long.quoted, expected);
    assert_eq!(long.evidence(&ends, &outbound), Evidence::Proof);
}

/// P11, D5: a forged message must know SPI and a recent sequence number.
#[test]
fn d5_p11_quotes_that_are_not_ours_are_told_apart() {
    let mut outbound = outbound(false, false);
    let packet = sealed(&mut outbound, &ip_packet(false, 1400)).unwrap();
    let worth = |packet: &[u8], outbound: &Outbound| {
        let told = TooBig::parse(&router(packet, 1400, 8)).unwrap();
        told.evidence(&ends(false, false), outbound)
    };
    let mut other_spi = packet.clone();
    other_spi[20] ^= 1;
    assert_eq!(worth(&other_spi, &outbound), Evidence::None);
    for sequence in [0u32, 2, 9999, u32::MAX] {
        let mut other = packet.clone();
        other[24..28].copy_from_slice(&sequence.to_be_bytes());
        assert_eq!(worth(&other, &outbound), Evidence::None, "{sequence}");
    }
    outbound.sequence = 1 + RECENT_PACKETS;
    assert_eq!(worth(&packet, &outbound), Evidence::None);
    outbound.sequence = RECENT_PACKETS;
    assert_eq!(worth(&packet, &outbound), Evidence::Proof);
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
    assert_eq!(path.next_deadline(), Some(ageing(at(700))));
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

/// X11: addresses, both ports, SPI and sequence number: each that the quote shows has to be the SA's.
#[test]
fn x11_every_field_that_a_quote_shows_has_to_be_the_sas() {
    for (v6, udp) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut outbound = outbound(v6, udp);
        let packet = sealed(&mut outbound, &ip_packet(v6, 1380)).unwrap();
        let good = ends(v6, udp);
        for quote in [8, 16] {
            let told = TooBig::parse(&router(&packet, 1400, quote)).unwrap();
            assert_ne!(told.evidence(&good, &outbound), Evidence::None);
            let mut others = std::vec![
                Ends {
                    source: good.destination,
                    ..good
                },
                Ends {
                    destination: good.source,
                    ..good
                },
                Ends {
                    udp: if udp { None } else { Some(PORTS) },
                    ..good
                },
            ];
            if udp {
                others.extend(
                    [(1, 40051), (4500, 4500)].map(|(source, destination)| Ends {
                        udp: Some(UdpPorts {
                            source,
                            destination,
                        }),
                        ..good
                    }),
                );
            }
            for other in others {
                assert_eq!(
                    told.evidence(&other, &outbound),
                    Evidence::None,
                    "{other:?}"
                );
            }
        }
        // SPI and sequence number, wherever they are shown.
        let esp = IpHeader::parse(&packet).unwrap().upper_offset + if udp { 8 } else { 0 };
        for at in [esp, esp + 7] {
            let mut forged = packet.clone();
            forged[at] ^= 1;
            let told = TooBig::parse(&router(&forged, 1400, 16)).unwrap();
            assert_eq!(
                told.evidence(&good, &outbound),
                Evidence::None,
                "octet {at}"
            );
        }
    }
}

/// X11: the message that was seen, a UDP header with the wrong source port and nothing of ESP; and its better kin.
#[test]
fn x11_a_quote_without_the_spi_lowers_nothing_and_starts_probes() {
    let outbound = outbound(false, true);
    let (source, destination) = addresses(false);
    let told = |ports: (u16, u16), mtu, length| TooBig {
        mtu,
        source,
        destination,
        quoted: Quoted::Udp {
            ports: UdpPorts {
                source: ports.0,
                destination: ports.1,
            },
            length,
        },
    };
    let ends = ends(false, true);
    let worth = |told: TooBig| told.evidence(&ends, &outbound);
    assert_eq!(worth(told((1, 40051), 68, 1400)), Evidence::None);
    assert_eq!(worth(told((4500, 40051), 68, 1400)), Evidence::Claim(1400));
    assert_eq!(
        worth(told((4500, 40051), 1400, 1380)),
        Evidence::None,
        "it fits"
    );

    let mut path = PathMtu::new(1500, false);
    let overhead = Overhead::tunnel(AES_SHA1, false, true);
    let claimed = path.claim((68, 1400), &overhead, at(0), &mut Numbers::of([1, 2, 3, 4]));
    assert_eq!((claimed, path.mtu()), (Claimed::Probing, 1500));
    // Four dummies of four lengths, above the claim and within the path, and again while nobody complains.
    for second in 0..4 {
        assert_eq!(path.next_deadline(), Some(probing(at(second))));
        let payloads: Vec<usize> = path.probes(at(second)).collect();
        assert_eq!(payloads.len(), PROBES);
        for payload in payloads {
            let sealed = dummy(payload);
            assert!((577..=1500).contains(&sealed), "{sealed}");
            assert_eq!(overhead.udp_datagram(payload), sealed - 20);
        }
        assert_eq!(path.probes(at(second)).count(), 0, "once each time");
    }
    assert_eq!(path.probes(at(4)).count(), 0);
    assert_eq!((path.mtu(), path.next_deadline()), (1500, None));
}

/// Length of the packet that a dummy becomes.
fn dummy(payload: usize) -> usize {
    let mut outbound = outbound(false, true);
    let (mut bytes, range) = roomy(&std::vec![0; payload]);
    let mut packet = PacketBuf::new(&mut bytes, range).unwrap();
    outbound.seal_dummy(&mut packet, T0).unwrap();
    packet.len()
}

/// A round with these random numbers: the UDP lengths of its probes.
fn round(path: &mut PathMtu, mtu: u16, random: [u32; PROBES], now: Duration) -> Vec<u16> {
    let overhead = Overhead::tunnel(AES_SHA1, false, true);
    let claimed = path.claim((mtu, 1400), &overhead, now, &mut Numbers::of(random));
    assert_eq!(claimed, Claimed::Probing);
    let payloads = path.probes(now);
    payloads
        .map(|payload| overhead.udp_datagram(payload) as u16)
        .collect()
}

#[test]
fn x11_a_router_that_complains_about_every_probe_is_believed_once() {
    let overhead = Overhead::tunnel(AES_SHA1, false, true);
    let mut path = PathMtu::new(1500, false);
    let lengths = round(&mut path, 1400, [7, 7, 7, 7], at(0));
    let different: std::collections::BTreeSet<u16> = lengths.iter().copied().collect();
    assert_eq!(different.len(), PROBES, "{lengths:?}");
    let claim = |path: &mut PathMtu, length, now| {
        path.claim((1400, length), &overhead, now, &mut Numbers::of([0; 4]))
    };
    // More packets like the first were under way: they say nothing, and nothing against it.
    for _ in 0..9 {
        assert_eq!(claim(&mut path, 1400, at(0)), Claimed::Probing);
    }
    let (last, first) = lengths.split_last().unwrap();
    for length in first {
        assert_eq!(claim(&mut path, *length, at(0)), Claimed::Probing);
        assert_eq!(
            claim(&mut path, *length, at(0)),
            Claimed::Probing,
            "twice is once"
        );
    }
    // Only the one that nobody has complained about goes out again.
    assert_eq!(path.probes(at(1)).count(), 1);
    let changed = PathMtuChanged {
        old: 1500,
        new: 1400,
    };
    assert_eq!(claim(&mut path, *last, at(1)), Claimed::Learned(changed));
    assert_eq!(path.mtu(), 1400);
    // No second step rests on claims until this one has aged; proof is believed at once.
    let again = path.claim((1300, 1380), &overhead, at(100), &mut Numbers::of([0; 4]));
    assert_eq!(again, Claimed::Ignored);
    assert_eq!(path.handle(at(601)).map(|c| c.new), Some(1500));
    let again = path.claim((1300, 1380), &overhead, at(601), &mut Numbers::of([0; 4]));
    assert_eq!(again, Claimed::Probing);
    assert_eq!(path.learn(1350, at(602)).map(|c| c.new), Some(1350));
    assert_eq!(path.probes(at(603)).count(), 0, "settled otherwise");
}

#[test]
fn x11_who_guesses_the_probes_is_refuted_and_gets_fewer_rounds() {
    let overhead = Overhead::tunnel(AES_SHA1, false, true);
    let mut path = PathMtu::new(1500, false);
    let mut begun = Vec::new();
    for second in 0..3600 {
        if path.claim(
            (576, 1400),
            &overhead,
            at(second),
            &mut Numbers::of([5, 11, 17, 23]),
        ) != Claimed::Probing
        {
            continue;
        }
        begun.push(second);
        let lengths: Vec<u16> = path
            .probes(at(second))
            .map(|p| overhead.udp_datagram(p) as u16)
            .collect();
        // Lengths that no probe has; and one that has, with another MTU.
        assert!(!lengths.contains(&1001) && !lengths.contains(&1002));
        let mut claim = |mtu, length| {
            path.claim(
                (mtu, length),
                &overhead,
                at(second),
                &mut Numbers::of([0; 4]),
            )
        };
        assert_eq!(claim(576, 1001), Claimed::Probing);
        assert_eq!(claim(600, lengths[0]), Claimed::Probing);
        assert_eq!(claim(576, 1002), Claimed::Refuted);
        // Even who knows them all is too late.
        for length in lengths {
            assert_eq!(claim(576, length), Claimed::Ignored);
        }
    }
    assert_eq!(path.mtu(), 1500);
    assert_eq!(
        begun,
        [0, 10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030]
    );
    // After a quiet time the first wait is short again.
    assert_eq!(round(&mut path, 1400, [0; 4], at(5000)).len(), PROBES);
}

/// The lengths are drawn from all that fit, for every suite, family and mode, and small gaps have few.
#[test]
fn x11_probes_lie_between_the_claim_and_the_path_mtu() {
    for suite in suites() {
        for (v6, transport) in [(false, false), (true, false), (false, true), (true, true)] {
            let overhead = match transport {
                true => Overhead::transport(suite, if v6 { 40 } else { 20 }, true),
                false => Overhead::tunnel(suite, v6, true),
            };
            let ip = if v6 { 40 } else { 20 };
            for mtu in [1280, 1400, 1480, 1495, 1499] {
                let mut path = PathMtu::new(1500, v6);
                let claimed = path.claim(
                    (mtu, 1490),
                    &overhead,
                    at(0),
                    &mut Numbers::of([u32::MAX, 0, 9, 1]),
                );
                let lengths: Vec<usize> = path
                    .probes(at(0))
                    .map(|p| ip + overhead.udp_datagram(p))
                    .collect();
                assert_eq!(claimed == Claimed::Probing, !lengths.is_empty());
                assert!(mtu > 1400 || lengths.len() == PROBES, "{suite} {mtu}");
                let apart: std::collections::BTreeSet<usize> = lengths.iter().copied().collect();
                assert_eq!(apart.len(), lengths.len(), "{lengths:?}");
                let between = |length: &usize| (usize::from(mtu) + 1..=1500).contains(length);
                assert!(lengths.iter().all(between), "{suite} {mtu}: {lengths:?}");
            }
        }
    }
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
