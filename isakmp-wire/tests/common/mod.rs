//! Captures of `tests/data`, and what tshark said about each of their messages.
#![allow(dead_code, reason = "not every test binary uses all of it")]

use std::fs;
use std::path::PathBuf;

use etherparse::{SlicedPacket, TransportSlice};
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;

/// Every capture, by the name of its file.
pub(crate) const CAPTURES: [&str; 31] = [
    "arkime-ikev2",
    "joy-ikev1",
    "lab-v1-aggr",
    "lab-v1-cert",
    "lab-v1-delete",
    "lab-v1-dpd",
    "lab-v1-frag",
    "lab-v1-main-aes256-sha256-modp2048",
    "lab-v1-main-ecp256",
    "lab-v1-main-pfs",
    "lab-v1-nat",
    "lab-v1-no-proposal",
    "lab-v1-xauth",
    "lab-v2-6-mlkem1024-frag",
    "lab-v2-6-mlkem768",
    "lab-v2-cert-ecdsa",
    "lab-v2-childless",
    "lab-v2-cookie",
    "lab-v2-eap-mschapv2",
    "lab-v2-frag",
    "lab-v2-gcm-x25519",
    "lab-v2-inner-v6",
    "lab-v2-invalid-ke",
    "lab-v2-mobike",
    "lab-v2-nat",
    "lab-v2-rekey-pfs",
    "suricata-main-mode",
    "tcpdump-ikev2four",
    "tcpdump-sa-setup",
    "zeek-aggressive-mode",
    "zeek-ikev2-client",
];

/// A message of a capture.
pub(crate) struct Recorded {
    /// Number of its frame, from 1.
    pub(crate) frame: usize,
    /// The message, without a non-ESP marker.
    pub(crate) message: Vec<u8>,
}

pub(crate) fn data(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(path)
}

/// The IKE messages of `captures/NAME.pcap`.
pub(crate) fn messages(name: &str) -> Vec<Recorded> {
    let bytes = fs::read(data(&format!("captures/{name}.pcap"))).unwrap();
    let mut reader = PcapReader::new(bytes.as_slice()).unwrap();
    let datalink = reader.header().datalink;
    let mut found = Vec::new();
    let mut frame = 0;
    while let Some(packet) = reader.next_packet() {
        frame += 1;
        let packet = packet.unwrap();
        let sliced = match datalink {
            DataLink::NULL => SlicedPacket::from_ip(&packet.data()[4..]),
            _ => SlicedPacket::from_ethernet(packet.data()),
        };
        let Ok(SlicedPacket {
            transport: Some(TransportSlice::Udp(udp)),
            ..
        }) = sliced
        else {
            continue;
        };
        let payload = udp.payload();
        let on = |port| udp.source_port() == port || udp.destination_port() == port;
        // RFC 3948 §2.2: IKE on port 4500 stands behind four zero octets, ESP does not.
        let message = match payload.strip_prefix(&[0; 4]) {
            Some(message) if on(4500) => message,
            _ if on(500) => payload,
            _ => continue,
        };
        found.push(Recorded {
            frame,
            message: message.to_vec(),
        });
    }
    found
}

/// The frames of a capture file.
pub(crate) fn frames(path: &str) -> Vec<Vec<u8>> {
    let bytes = fs::read(data(path)).unwrap();
    let mut reader = PcapReader::new(bytes.as_slice()).unwrap();
    let mut found = Vec::new();
    while let Some(Ok(packet)) = reader.next_packet() {
        found.push(packet.data().to_vec());
    }
    found
}

/// What tshark said about one frame.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) frame: usize,
    pub(crate) header: String,
    /// Lines of the payloads in the clear.
    pub(crate) lines: Vec<String>,
    /// Decrypted payloads, and their lines.
    pub(crate) inside: Option<(Vec<u8>, Vec<String>)>,
}

/// `expected/NAME.txt`.
pub(crate) fn expected(name: &str) -> Vec<Expected> {
    let text = fs::read_to_string(data(&format!("expected/{name}.txt"))).unwrap();
    let mut found: Vec<Expected> = Vec::new();
    for line in text.lines() {
        match (line.split_once(' ').unwrap(), found.last_mut()) {
            (("frame", number), _) => found.push(Expected {
                frame: number.parse().unwrap(),
                header: String::new(),
                lines: Vec::new(),
                inside: None,
            }),
            (("header", _), Some(last)) => last.header = line.into(),
            (("plaintext", octets), Some(last)) => {
                last.inside = Some((hex::decode(octets).unwrap(), Vec::new()));
            }
            (_, Some(last)) => match &mut last.inside {
                Some((_, lines)) => lines.push(line.into()),
                None => last.lines.push(line.into()),
            },
            (_, None) => panic!("{name}: a line before the first frame"),
        }
    }
    found
}

/// Octets as `make.py` writes them: long ones by both of their ends.
pub(crate) fn short(octets: &[u8]) -> String {
    if octets.len() <= 48 {
        return hex::encode(octets);
    }
    format!(
        "{}..{}",
        hex::encode(&octets[..16]),
        hex::encode(&octets[octets.len() - 16..])
    )
}
