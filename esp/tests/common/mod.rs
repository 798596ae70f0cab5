//! Reading captures and key tables in tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

use std::path::PathBuf;

use crypto_suite::{AeadId, CipherId, IntegrityId, ProtectionId};

pub(crate) fn data(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/data", name]
        .iter()
        .collect()
}

/// The IP packets of a classic little-endian pcap file, by link type.
pub(crate) fn ip_packets(name: &str) -> Vec<Vec<u8>> {
    let file = std::fs::read(data(name)).unwrap();
    let u32_at = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(u32_at(0), 0xa1b2_c3d4, "{name}");
    // The upper bits say whether frames carry a check sequence.
    let link = u32_at(20) & 0xffff;
    let mut packets = Vec::new();
    let mut at = 24;
    while at < file.len() {
        let len = u32_at(at + 8) as usize;
        let frame = &file[at + 16..at + 16 + len];
        at += 16 + len;
        let (ethertype, packet) = match link {
            // Ethernet; Linux cooked capture, versions 1 and 2; raw IP.
            1 => (&frame[12..14], &frame[14..]),
            113 => (&frame[14..16], &frame[16..]),
            276 => (&frame[0..2], &frame[20..]),
            101 => (&[8, 0][..], frame),
            other => panic!("link type {other} in {name}"),
        };
        if matches!(ethertype, [8, 0] | [0x86, 0xdd]) {
            packets.push(packet.to_vec());
        }
    }
    packets
}

/// One line of a Wireshark `esp_sa` table.
pub(crate) struct SaKey {
    pub spi: u32,
    pub suite: ProtectionId,
    pub keymat: Vec<u8>,
}

pub(crate) fn esp_sa(name: &str) -> Vec<SaKey> {
    let table = std::fs::read_to_string(data(name)).unwrap();
    table.lines().map(sa_key).collect()
}

fn sa_key(line: &str) -> SaKey {
    let fields: Vec<&str> = line
        .split(',')
        .map(|field| field.trim_matches('"'))
        .collect();
    let [_, _, _, spi, encryption, key, authentication, auth_key] = fields[..] else {
        panic!("{line}")
    };
    let octets = |text: &str| hex::decode(text.trim_start_matches("0x")).unwrap();
    let (key, auth_key) = (octets(key), octets(auth_key));
    let integrity = || match authentication.split(' ').next().unwrap() {
        "HMAC-MD5-96" => IntegrityId::HmacMd5_96,
        "HMAC-SHA-1-96" => IntegrityId::HmacSha1_96,
        "HMAC-SHA-256-128" => IntegrityId::HmacSha256_128,
        "HMAC-SHA-384-192" => IntegrityId::HmacSha384_192,
        "HMAC-SHA-512-256" => IntegrityId::HmacSha512_256,
        other => panic!("{other}"),
    };
    let suite = match (encryption.split(" [").next().unwrap(), key.len()) {
        ("NULL", _) => ProtectionId::NullHmac(integrity()),
        ("DES-CBC", _) => ProtectionId::CbcHmac(CipherId::DesCbc, integrity()),
        ("TripleDES-CBC", _) => ProtectionId::CbcHmac(CipherId::TripleDesCbc, integrity()),
        ("AES-CBC", 16) => ProtectionId::CbcHmac(CipherId::Aes128Cbc, integrity()),
        ("AES-CBC", 32) => ProtectionId::CbcHmac(CipherId::Aes256Cbc, integrity()),
        ("AES-GCM with 16 octet ICV", 20) => ProtectionId::Aead(AeadId::Aes128Gcm16),
        ("AES-GCM with 16 octet ICV", 36) => ProtectionId::Aead(AeadId::Aes256Gcm16),
        other => panic!("{other:?}"),
    };
    let spi = u32::from_str_radix(spi.trim_start_matches("0x"), 16).unwrap();
    SaKey {
        spi,
        suite,
        keymat: [key, auth_key].concat(),
    }
}
