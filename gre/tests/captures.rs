//! Packets that others made, see `data/PROVENANCE.md`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use gre::keepalive::{Action, Config, Event, Inbound, Keepalive, Outcome, Quirks};
use gre::{
    Actions, AnyPacket, Delivery, IpPacket, Packet, ParseError, ParseErrorKind, innermost, pptp,
};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// The IP packets of a capture.
fn packets(name: &str) -> Vec<Vec<u8>> {
    let path = format!("{}/tests/data/{name}.pcap", env!("CARGO_MANIFEST_DIR"));
    let mut reader = PcapReader::new(File::open(path).unwrap()).unwrap();
    let link = reader.header().datalink;
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let data = packet.unwrap().data().to_vec();
        packets.push(match link {
            // The upper bits tell of a frame check sequence.
            DataLink::ETHERNET | DataLink::Unknown(0x3000_0001) => match ethernet_payload(&data) {
                Some(packet) => packet.to_vec(),
                None => continue,
            },
            DataLink::RAW => data,
            other => panic!("link type {other:?}"),
        });
    }
    packets
}

/// What follows the Ethernet header and its VLAN tags, if it is IP.
fn ethernet_payload(frame: &[u8]) -> Option<&[u8]> {
    let mut at = 12;
    loop {
        match frame.get(at..at + 2)? {
            [0x81, 0x00] => at += 4,
            [0x08, 0x00] | [0x86, 0xdd] => return frame.get(at + 2..),
            _ => return None,
        }
    }
}

/// The delivery header of GRE, IP in IP taken off.
fn delivery(packet: &[u8]) -> Result<IpPacket<'_>, ParseError> {
    let mut ip = IpPacket::parse(packet)?;
    while matches!(ip.protocol(), 4 | 41) {
        ip = IpPacket::parse(ip.payload())?;
    }
    Ok(ip)
}

/// The packets of IP protocol 47, read.
fn gre_of(packet: &[u8]) -> Option<Result<AnyPacket<'_>, ParseError>> {
    match delivery(packet).and_then(|ip| ip.gre_bytes()) {
        Err(ParseError {
            kind: ParseErrorKind::NotGre(_),
            ..
        }) => None,
        result => Some(result.and_then(AnyPacket::parse)),
    }
}

/// How often each kind of packet occurs.
fn summary(name: &str) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for packet in packets(name) {
        let line = match gre_of(&packet) {
            None => continue,
            Some(Ok(AnyPacket::V0(gre))) => {
                let mut line = gre.protocol().to_string();
                for (present, what) in [
                    (gre.checksum().is_some(), " checksum"),
                    (gre.key().is_some(), " key"),
                    (gre.sequence().is_some(), " sequence"),
                ] {
                    line.push_str(if present { what } else { "" });
                }
                line
            }
            Some(Ok(AnyPacket::V1(gre))) => {
                let data = if gre.sequence().is_some() {
                    " data"
                } else {
                    ""
                };
                let ack = if gre.acknowledgment().is_some() {
                    " ack"
                } else {
                    ""
                };
                format!("PPTP{data}{ack}")
            }
            Some(Err(error)) => format!("refused: {error}"),
        };
        *counts.entry(line).or_default() += 1;
    }
    counts
        .iter()
        .map(|(line, count)| format!("{count} {line}\n"))
        .collect()
}

#[test]
fn what_is_in_the_captures() {
    let expected = include_str!("data/summary.txt");
    let names = [
        "GrePackets",
        "NHRP_registration",
        "arp-encap",
        "erspan-type-ii-1",
        "erspan-type-iii-ft-0",
        "erspan-type-iii-pb-1",
        "gre-aruba-amsdu",
        "gre-heapoverflow-1",
        "gre-pptp",
        "gre-sample",
        "gre-udp",
        "gre-within-gre-40",
        "pptp",
        "pptp-session",
        "security-8550",
        "various_gre",
        "wccp_redirect_gre",
    ];
    let found: String = names
        .iter()
        .map(|name| format!("[{name}]\n{}", summary(name)))
        .collect();
    assert!(found == expected, "found:\n{found}");
}

/// Octets from the delivery header to the end of the packet.
fn ip_tail(packet: &[u8], ip: &IpPacket<'_>) -> usize {
    let mut at = 0;
    loop {
        let outer = IpPacket::parse(&packet[at..]).unwrap();
        if outer == *ip {
            return packet.len() - at;
        }
        at += outer.header_len();
    }
}

/// A Cisco router's keepalives and the answers it got, with a key and TrustSec metadata.
#[test]
fn our_answer_to_a_real_keepalive_is_the_answer_it_got() {
    let keepalives: Vec<Vec<u8>> = packets("various_gre")
        .into_iter()
        .filter(|packet| gre_of(packet).is_some())
        .collect();
    let mut answered = 0;
    for (at, request) in keepalives.iter().enumerate() {
        let outer = IpPacket::parse(request).unwrap();
        let config = Config {
            key: Some(0x28),
            quirks: Quirks::CISCO_TRUSTSEC,
            ..Config::new(outer.destination(), outer.source())
        };
        let mut keepalive = Keepalive::new(config, Duration::ZERO).unwrap();
        let mut actions = Actions::new();
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let gre = outer.gre().unwrap();
        let inbound = Inbound {
            delivery: &outer,
            gre: &gre,
            protected: false,
        };
        let outcome = keepalive.handle(
            Event::Received(inbound),
            Duration::ZERO,
            &mut rng,
            &mut actions,
        );
        if let Some(Action::Reply(reply)) = actions.pop() {
            assert_eq!(outcome, Outcome::Handled);
            let real = IpPacket::parse(&keepalives[at + 1]).unwrap();
            assert_eq!(reply.as_bytes(), &keepalives[at + 1][..real.total_len()]);
            answered += 1;
        }
    }
    assert_eq!(answered, 8);
}

#[test]
fn written_again_they_are_the_same_octets() {
    let names = [
        "GrePackets",
        "NHRP_registration",
        "gre-sample",
        "various_gre",
        "gre-pptp",
    ];
    let mut written = 0;
    for packet in names
        .into_iter()
        .chain(["pptp", "pptp-session", "gre-udp"])
        .flat_map(packets)
    {
        let Some(Ok(gre)) = gre_of(&packet) else {
            continue;
        };
        let ip = delivery(&packet).unwrap();
        let start = packet.len() - ip_tail(&packet, &ip);
        let original = &packet[start..start + ip.total_len()];
        let (header_len, payload) = match gre {
            AnyPacket::V0(gre) => (gre.header().len(), gre.payload()),
            AnyPacket::V1(gre) => (gre.header().len(), gre.payload()),
        };
        let mut buffer = vec![0; 20 + header_len];
        buffer.extend_from_slice(payload);
        let start = match gre {
            AnyPacket::V0(gre) => gre.header().encapsulate(&mut buffer, 20 + header_len),
            AnyPacket::V1(gre) => gre.header().encapsulate(&mut buffer, 20 + header_len),
        };
        assert_eq!(start, Ok(20));
        let delivery = Delivery {
            ttl: ip.ttl(),
            traffic_class: ip.traffic_class(),
            dont_fragment: ip.dont_fragment(),
            identification: u32::from(u16::from_be_bytes([original[4], original[5]])),
            ..Delivery::new(ip.source(), ip.destination())
        };
        assert_eq!(delivery.prepend(&mut buffer, 20), Ok(0));
        assert_eq!(buffer, original);
        written += 1;
    }
    assert_eq!(written, 104);
}

#[test]
fn every_prefix_of_every_packet_is_answered() {
    for name in [
        "GrePackets",
        "gre-pptp",
        "various_gre",
        "gre-heapoverflow-1",
        "security-8550",
    ] {
        for packet in packets(name) {
            for end in 0..packet.len() {
                let _ = innermost(&packet[..end], 4);
                let _ = AnyPacket::parse(&packet[..end]);
                let _ = Packet::parse_unverified(&packet[..end]);
                let _ = pptp::Packet::parse(&packet[..end]);
            }
        }
    }
}

#[test]
fn gre_within_gre_is_found_and_bounded() {
    let mut depths = BTreeMap::new();
    for packet in packets("gre-within-gre-40") {
        let (_, depth) = innermost(&packet, 4).unwrap();
        *depths.entry(depth).or_insert(0) += 1;
        if depth > 1 {
            let error = innermost(&packet, depth - 1).unwrap_err();
            assert_eq!(error.kind, ParseErrorKind::Nesting(depth - 1));
        }
    }
    assert_eq!(depths, BTreeMap::from([(2, 40)]));
}
