//! ESP recorded from other implementations, opened with its keys (`tests/data/PROVENANCE.md`).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation
)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{data, esp_sa, ip_packets};
use crypto_suite::{CipherId, CipherKey, CryptoError, DEFAULT, Layout, PacketKey};
use esp::{
    AddressRange, Carrier, Content, Inbound, InboundConfig, OpenError, Opened, PacketBuf,
    SelectorCheck, SelectorSet, Spi, TrafficSelector,
};
use etherparse::{SlicedPacket, TransportSlice};

const NOW: Duration = Duration::ZERO;

fn inbound(key: Box<dyn PacketKey>, spi: u32, selectors: SelectorCheck) -> Inbound {
    let spi = Spi::from_peer(spi).unwrap();
    let config = InboundConfig::new(spi, true, selectors);
    Inbound::new(key, config, NOW).unwrap()
}

/// Checks with another crate that `packet` is an ICMP echo with right checksums.
fn assert_echo(packet: &[u8]) {
    let sliced = SlicedPacket::from_ip(packet).unwrap();
    match sliced.transport.unwrap() {
        TransportSlice::Icmpv4(icmp) => {
            let (header, _) = etherparse::Ipv4Header::from_slice(packet).unwrap();
            assert_eq!(header.calc_header_checksum(), header.header_checksum);
            assert_eq!(usize::from(header.total_len), packet.len());
            assert_eq!(
                icmp.checksum(),
                icmp.icmp_type().calc_checksum(icmp.payload())
            );
        }
        TransportSlice::Icmpv6(icmp) => {
            let (header, _) = etherparse::Ipv6Header::from_slice(packet).unwrap();
            assert_eq!(usize::from(header.payload_length) + 40, packet.len());
            assert!(icmp.is_checksum_valid(header.source, header.destination));
        }
        other => panic!("{other:?}"),
    }
}

struct Replay {
    opened: Vec<(Opened, Vec<u8>)>,
    refused: Vec<OpenError>,
    udp: usize,
}

/// Opens every ESP packet of a capture with the SAs of its key table.
fn replay(name: &str, selectors: SelectorCheck) -> Replay {
    let mut inbounds = BTreeMap::new();
    for sa in esp_sa(&format!("captures/{name}.esp_sa")) {
        let key = DEFAULT
            .protection(sa.suite)
            .unwrap()
            .new_key(&sa.keymat)
            .unwrap();
        inbounds.insert(sa.spi, inbound(key, sa.spi, selectors.clone()));
    }
    let mut replay = Replay {
        opened: Vec::new(),
        refused: Vec::new(),
        udp: 0,
    };
    for mut bytes in ip_packets(&format!("captures/{name}.pcap")) {
        let Ok(carrier) = Carrier::find(&bytes) else {
            continue;
        };
        let Some(inbound) = inbounds.get_mut(&carrier.spi) else {
            continue;
        };
        replay.udp += usize::from(carrier.udp.is_some());
        let mut packet = PacketBuf::full(&mut bytes);
        match inbound.open_ip(&mut packet, NOW) {
            Ok(opened) => {
                assert_echo(packet.as_slice());
                replay.opened.push((opened, packet.as_slice().to_vec()));
            }
            Err(error) => replay.refused.push(error),
        }
    }
    replay
}

#[test]
fn strongswan_tunnels_of_every_suite_open() {
    for (name, packets) in [
        ("v1-main-aes128-sha1-modp1024", 6),
        ("v1-main-3des-md5-modp768", 6),
        ("v1-main-des-md5-modp768", 6),
        ("v1-main-null-esp", 6),
        ("v1-main-gcm-esp", 6),
        ("v2-aes256-sha384-modp3072", 6),
        ("v2-aes256-sha512-modp4096", 6),
    ] {
        let replay = replay(name, SelectorCheck::ByCaller);
        assert_eq!(
            (replay.opened.len(), replay.udp),
            (packets, packets),
            "{name}"
        );
        assert_eq!(replay.refused, [], "{name}");
        // Three echoes and three answers, numbered from 1 in either direction.
        let sequences: Vec<u64> = replay
            .opened
            .iter()
            .map(|(opened, _)| opened.sequence)
            .collect();
        assert_eq!(sequences, [1, 1, 2, 2, 3, 3], "{name}");
    }
}

#[test]
fn raw_esp_and_outer_ipv6_open() {
    let raw = replay("v1-6-rawesp", SelectorCheck::ByCaller);
    assert_eq!((raw.opened.len(), raw.udp, raw.refused.len()), (6, 0, 0));
    let outer = replay("v2-outer-v6", SelectorCheck::ByCaller);
    assert_eq!((outer.opened.len(), outer.refused.len()), (6, 0));
}

#[test]
fn inner_ipv6_opens_beside_inner_ipv4() {
    let replay = replay("v2-inner-v6", SelectorCheck::ByCaller);
    assert_eq!((replay.opened.len(), replay.refused.len()), (12, 0));
    let v6 = |packet: &[u8]| packet[0] >> 4 == 6;
    assert_eq!(
        replay
            .opened
            .iter()
            .filter(|(_, packet)| v6(packet))
            .count(),
        6
    );
}

#[test]
fn encapsulation_through_a_nat_opens() {
    // Both sides of the NAT were not recorded: three pings, then three through a new mapping.
    let replay = replay("v1-nat", SelectorCheck::ByCaller);
    assert_eq!((replay.opened.len(), replay.refused.len()), (12, 0));
    assert_eq!(replay.udp, 12);
}

#[test]
fn duplicates_on_the_wire_are_refused_as_replays() {
    let replay = replay("v2-wire-dup", SelectorCheck::ByCaller);
    assert_eq!(replay.opened.len(), 6);
    assert_eq!(replay.refused.len(), 3);
    assert!(
        replay
            .refused
            .iter()
            .all(|error| matches!(error, OpenError::Replayed { .. }))
    );
}

#[test]
fn reordered_packets_open() {
    let replay = replay("v2-wire-reorder", SelectorCheck::ByCaller);
    assert_eq!((replay.opened.len(), replay.refused.len()), (6, 0));
}

#[test]
fn negotiated_selectors_hold_for_recorded_traffic() {
    let network = |text: &str| {
        TrafficSelector::all(AddressRange::network(text.parse().unwrap(), 24).unwrap())
    };
    let both = [network("10.10.1.0"), network("10.10.2.0")];
    let fine = replay(
        "v1-6-rawesp",
        SelectorCheck::Match(SelectorSet::new(both, both)),
    );
    assert_eq!((fine.opened.len(), fine.refused.len()), (6, 0));
    let one = SelectorSet::new([network("10.10.1.0")], [network("10.10.2.0")]);
    let half = replay("v1-6-rawesp", SelectorCheck::Match(one));
    assert_eq!((half.opened.len(), half.refused.len()), (3, 3));
    assert!(
        half.refused
            .iter()
            .all(|error| matches!(error, OpenError::Selectors(_)))
    );
}

#[test]
fn a_wrong_key_opens_nothing() {
    let sa = esp_sa("captures/v1-6-rawesp.esp_sa").remove(0);
    let mut keymat = sa.keymat.clone();
    *keymat.last_mut().unwrap() ^= 1;
    let key = DEFAULT
        .protection(sa.suite)
        .unwrap()
        .new_key(&keymat)
        .unwrap();
    let mut inbound = inbound(key, sa.spi, SelectorCheck::ByCaller);
    let mut tried = 0;
    for mut bytes in ip_packets("captures/v1-6-rawesp.pcap") {
        if Carrier::find(&bytes).is_ok_and(|carrier| carrier.spi == sa.spi) {
            let error = inbound
                .open_ip(&mut PacketBuf::full(&mut bytes), NOW)
                .unwrap_err();
            assert_eq!(error, OpenError::Authentication);
            tried += 1;
        }
    }
    assert_eq!(tried, 3);
}

/// The tcpdump captures' integrity keys were never published: this key skips their ICVs. It can
/// only exist in a test; the crate's own keys verify.
struct Unverified(Box<dyn CipherKey>);

impl PacketKey for Unverified {
    fn iv_len(&self) -> usize {
        8
    }
    fn icv_len(&self) -> usize {
        12
    }
    fn block_len(&self) -> usize {
        8
    }
    fn seal(&self, _: &mut [u8], _: Layout, _: u64) -> Result<(), CryptoError> {
        Err(CryptoError::KeyInvalid)
    }
    fn open(&self, packet: &mut [u8], layout: Layout) -> Result<(), CryptoError> {
        let end = packet.len() - 12;
        let (iv, text) = packet[layout.aad_len..end].split_at_mut(8);
        self.0.decrypt(iv, text)
    }
}

fn unverified(key: &str) -> Box<dyn PacketKey> {
    let cipher = DEFAULT.cipher(CipherId::TripleDesCbc).unwrap();
    Box::new(Unverified(
        cipher.new_key(&hex::decode(key).unwrap()).unwrap(),
    ))
}

const SUNRISE: &str = "4043434545464649494a4a4c4c4f4f515152525454575758";
const OUTER: &str = "43434545464649494a4a4c4c4f4f51515252545457575840";
const NESTED: &str = "434545464649494a4a4c4c4f4f5151525254545757584043";

#[test]
fn tcpdump_sunrise_sunset_raw_and_in_udp() {
    for name in ["tcpdump/02-sunrise-sunset-esp.pcap", "tcpdump/espudp1.pcap"] {
        let mut inbound = inbound(unverified(SUNRISE), 0x1234_5678, SelectorCheck::ByCaller);
        for (index, mut bytes) in ip_packets(name).into_iter().enumerate() {
            let mut packet = PacketBuf::full(&mut bytes);
            let opened = inbound.open_ip(&mut packet, NOW).unwrap();
            assert_eq!(opened.sequence, index as u64 + 1);
            // tcpdump: IP 192.0.2.1 > 192.0.1.1: ICMP echo request, seq 1280, 1536, …
            assert_echo(packet.as_slice());
            let Content::Ip(inner) = opened.content else {
                panic!("{opened:?}")
            };
            assert_eq!(inner.source.to_string(), "192.0.2.1");
            assert_eq!(inner.destination.to_string(), "192.0.1.1");
        }
        assert_eq!(inbound.counters().packets, 8, "{name}");
    }
}

#[test]
fn tcpdump_nested_esp_in_esp() {
    let mut outer = inbound(unverified(OUTER), 0x1234_5678, SelectorCheck::ByCaller);
    let mut nested = inbound(unverified(NESTED), 0xabcd_abcd, SelectorCheck::ByCaller);
    for mut bytes in ip_packets("tcpdump/08-sunrise-sunset-esp2.pcap") {
        let mut packet = PacketBuf::full(&mut bytes);
        let first = outer.open_ip(&mut packet, NOW).unwrap();
        assert!(matches!(first.content, Content::Ip(inner) if inner.protocol == 50));
        nested.open_ip(&mut packet, NOW).unwrap();
        assert_echo(packet.as_slice());
    }
    assert_eq!(
        (outer.counters().packets, nested.counters().packets),
        (8, 8)
    );
}

#[test]
fn tcpdump_truncated_esp_is_refused() {
    for mut bytes in ip_packets("tcpdump/esp_truncated.pcap") {
        let before = bytes.clone();
        let mut inbound = inbound(unverified(SUNRISE), 0xc0f7_d4c3, SelectorCheck::ByCaller);
        assert!(
            inbound
                .open_ip(&mut PacketBuf::full(&mut bytes), NOW)
                .is_err()
        );
        assert_eq!(bytes, before);
    }
}

#[test]
fn every_vendored_capture_has_its_keys() {
    for entry in std::fs::read_dir(data("captures")).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.with_extension("esp_sa").exists() && path.with_extension("pcap").exists());
    }
}
