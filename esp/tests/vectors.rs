//! Whole ESP packets from DPDK's test vectors (`tests/data/PROVENANCE.md`).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::time::Duration;

use crypto_suite::{AeadId, CipherId, DEFAULT, IntegrityId, ProtectionId};
use esp::{
    Inbound, InboundConfig, Mode, OpenError, Outbound, OutboundConfig, Overhead, PacketBuf,
    SelectorCheck, Spi, TunnelHeader, ip::IpHeader,
};

const NOW: Duration = Duration::ZERO;

struct Vector {
    name: String,
    suite: ProtectionId,
    keymat: Vec<u8>,
    spi: Spi,
    inner: Vec<u8>,
    sealed: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    let text = std::fs::read_to_string(common::data("dpdk.txt")).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(vector)
        .collect()
}

fn vector(line: &str) -> Option<Vector> {
    let fields: Vec<&str> = line.split(';').collect();
    let [
        name,
        cipher,
        integrity,
        key,
        salt,
        auth_key,
        spi,
        inner,
        sealed,
    ] = fields[..]
    else {
        panic!("{line}")
    };
    let [key, salt, auth_key, inner, sealed] =
        [key, salt, auth_key, inner, sealed].map(|text| hex::decode(text).unwrap());
    let integrity = match integrity {
        "md5-96" => Some(IntegrityId::HmacMd5_96),
        "sha256-128" => Some(IntegrityId::HmacSha256_128),
        "sha384-192" => Some(IntegrityId::HmacSha384_192),
        "sha512-256" => Some(IntegrityId::HmacSha512_256),
        _ => None,
    };
    let suite = match (cipher, key.len()) {
        ("ah", _) => return None,
        ("aes-gcm", 16) => ProtectionId::Aead(AeadId::Aes128Gcm16),
        ("aes-gcm", 32) => ProtectionId::Aead(AeadId::Aes256Gcm16),
        ("aes-cbc", 16) => ProtectionId::CbcHmac(CipherId::Aes128Cbc, integrity.unwrap()),
        ("3des-cbc", 24) => ProtectionId::CbcHmac(CipherId::TripleDesCbc, integrity.unwrap()),
        ("des-cbc", 8) => ProtectionId::CbcHmac(CipherId::DesCbc, integrity.unwrap()),
        other => panic!("{other:?}"),
    };
    let keymat = [key, salt, auth_key].concat();
    let spi = Spi::from_peer(spi.parse().unwrap()).unwrap();
    Some(Vector {
        name: name.to_owned(),
        suite,
        keymat,
        spi,
        inner,
        sealed,
    })
}

#[test]
fn dpdk_packets_open_to_their_inner_packets() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 12);
    for vector in vectors {
        let protection = DEFAULT.protection(vector.suite).unwrap();
        let key = protection.new_key(&vector.keymat).unwrap();
        let mut inbound = Inbound::new(
            key,
            InboundConfig::new(vector.spi, true, SelectorCheck::ByCaller),
            NOW,
        )
        .unwrap();
        let mut bytes = vector.sealed.clone();
        let mut packet = PacketBuf::full(&mut bytes);
        let opened = inbound.open_ip(&mut packet, NOW).unwrap();
        assert_eq!(packet.as_slice(), vector.inner, "{}", vector.name);
        assert_eq!(opened.sequence, 1);
        // And once only.
        let mut again = vector.sealed.clone();
        let error = inbound
            .open_ip(&mut PacketBuf::full(&mut again), NOW)
            .unwrap_err();
        assert_eq!(error, OpenError::Replayed { sequence: 1 });
    }
}

/// Sealing the same inner packet gives a packet of the same shape: headers, SPI, sequence number
/// and length. The IV is ours, so the rest differs.
#[test]
fn sealing_the_inner_packets_gives_the_same_shape() {
    for vector in vectors() {
        let theirs = IpHeader::parse(&vector.sealed).unwrap();
        let mut header = TunnelHeader::new(theirs.source, theirs.destination).unwrap();
        header.ttl = theirs.ttl;
        let mode = Mode::Tunnel {
            header: Some(header),
        };
        let key = DEFAULT
            .protection(vector.suite)
            .unwrap()
            .new_key(&vector.keymat)
            .unwrap();
        let mut outbound = Outbound::new(key, OutboundConfig::new(vector.spi, mode), NOW).unwrap();
        let room = outbound.headroom();
        let mut bytes = vec![0u8; 512];
        let range = room..room + vector.inner.len();
        bytes[range.clone()].copy_from_slice(&vector.inner);
        let mut packet = PacketBuf::new(&mut bytes, range).unwrap();
        outbound.seal(&mut packet, NOW).unwrap();
        let ours = IpHeader::parse(packet.as_slice()).unwrap();
        let esp = theirs.upper_offset;
        assert_eq!(packet.len(), vector.sealed.len(), "{}", vector.name);
        assert_eq!(ours.total_len, theirs.total_len);
        assert_eq!(
            (ours.source, ours.destination),
            (theirs.source, theirs.destination)
        );
        assert_eq!(packet.as_slice()[esp..esp + 8], vector.sealed[esp..esp + 8]);
        let v6 = theirs.source.is_ipv6();
        let overhead = Overhead::tunnel(vector.suite, v6, false);
        assert_eq!(overhead.sealed_len(vector.inner.len()), vector.sealed.len());
    }
}
