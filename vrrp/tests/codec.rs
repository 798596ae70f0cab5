//! The codec by RFC section, properties over all advertisements, and packets that others made.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use hex_literal::hex;
use proptest::prelude::*;
use vrrp::{
    Accept, Advertisement, Announcement, AuthType, ChecksumReading, EncodeError, Family, GROUP_V4,
    GROUP_V6, Interval, MacAddr, Message, ParseError, Priority, Received, Version, Vrid,
};

fn received(message: &[u8]) -> Received<'_> {
    Received {
        source: [10, 0, 0, 1].into(),
        destination: GROUP_V4.into(),
        ttl: 255,
        message,
    }
}

fn parse(message: &[u8]) -> Result<Advertisement<'_>, ParseError> {
    Advertisement::parse(&received(message), Accept::STANDARD)
}

/// `message` with its checksum made right (no pseudo-header).
fn summed(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    message[6..8].fill(0);
    let mut sum = 0u32;
    for word in message.chunks(2) {
        sum += u32::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = !u16::try_from(sum).unwrap();
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    message
}

const V2: [u8; 20] = hex!("21059601 00010000 0a0000fe 0000000000000000");
const V3: [u8; 12] = hex!("31059601 00640000 0a0000fe");

#[test]
fn rfc3768_s5_1_fields() {
    let message = summed(&V2);
    let packet = parse(&message).unwrap();
    assert_eq!((packet.version(), packet.vrid().value()), (Version::V2, 5));
    assert_eq!(
        (packet.priority(), packet.interval()),
        (Priority(150), Interval::DEFAULT)
    );
    assert!(packet.addresses().eq([IpAddr::from([10, 0, 0, 254])]));
    assert_eq!(packet.auth_type(), AuthType::NONE);
}

#[test]
fn rfc9568_s5_1_fields_and_ignored_reserve() {
    let mut message = summed(&V3);
    assert_eq!(parse(&message).unwrap().interval(), Interval::DEFAULT);
    message[4] = 0xf0;
    let message = summed(&message);
    assert_eq!(
        parse(&message).unwrap().interval(),
        Interval::DEFAULT,
        "§5.2.6"
    );
}

#[test]
fn a14_every_fault_has_its_reason() {
    let with = |base: &[u8], changes: &[(usize, u8)]| {
        let mut message = base.to_vec();
        for (at, value) in changes {
            message[*at] = *value;
        }
        summed(&message)
    };
    let mut longer = V3.to_vec();
    longer.extend_from_slice(&[0; 4]);
    let cases = [
        (with(&V2, &[(0, 0x11)]), ParseError::Version(1)),
        (with(&V3, &[(0, 0x41)]), ParseError::Version(4)),
        (with(&V3, &[(0, 0x32)]), ParseError::PacketType(2)),
        (with(&V3, &[(1, 0)]), ParseError::VridZero),
        (with(&V3[..8], &[(3, 0)]), ParseError::NoAddresses),
        (with(&V3, &[(5, 0)]), ParseError::IntervalZero),
        (with(&V2, &[(5, 0)]), ParseError::IntervalZero),
        (with(&V2, &[(4, 3)]), ParseError::AuthType(AuthType(3))),
        (
            with(&V2, &[(4, 254)]),
            ParseError::AuthType(AuthType::CISCO_MD5),
        ),
        (
            with(&V3, &[(3, 2)]),
            ParseError::Truncated {
                what: "address list",
                needed: 16,
                available: 12,
            },
        ),
        (
            with(&V2, &[(3, 255)]),
            ParseError::Truncated {
                what: "address list and authentication data",
                needed: 1036,
                available: 20,
            },
        ),
        (
            summed(&longer),
            ParseError::Length {
                count: 1,
                expected: 12,
                available: 16,
            },
        ),
    ];
    for (message, error) in cases {
        assert_eq!(parse(&message), Err(error));
    }
}

#[test]
fn a_checksum_error_says_what_would_be_right() {
    let ParseError::Checksum { found, computed } = parse(&V3).unwrap_err() else {
        panic!("checksum")
    };
    assert_eq!(found, 0);
    assert_eq!(summed(&V3)[6..8], computed.to_be_bytes());
}

#[test]
fn rfc9568_s7_1_ttl_is_255_unless_told_otherwise() {
    let message = summed(&V3);
    let packet = Received {
        ttl: 254,
        ..received(&message)
    };
    let error = Advertisement::parse(&packet, Accept::STANDARD).unwrap_err();
    assert_eq!(error, ParseError::Ttl(254));
    let accept = Accept {
        min_ttl: 250,
        ..Accept::STANDARD
    };
    assert_eq!(Advertisement::parse(&packet, accept).unwrap().ttl(), 254);
}

#[test]
fn version_2_has_no_ipv6_and_families_do_not_mix() {
    let message = summed(&V2);
    let v6 = Received {
        source: [0xfe80u16, 0, 0, 0, 0, 0, 0, 1].into(),
        destination: GROUP_V6.into(),
        ..received(&message)
    };
    let error = Advertisement::parse(&v6, Accept::STANDARD).unwrap_err();
    assert_eq!(error, ParseError::Version2OverIpv6);
    let mixed = Received {
        destination: GROUP_V6.into(),
        ..received(&message)
    };
    let error = Advertisement::parse(&mixed, Accept::STANDARD).unwrap_err();
    assert_eq!(error, ParseError::MixedFamilies);
}

fn message<'a>(addresses: &'a [IpAddr], reading: ChecksumReading) -> Message<'a> {
    Message {
        version: Version::V3,
        vrid: Vrid::new(5).unwrap(),
        priority: Priority(150),
        interval: Interval::DEFAULT,
        password: None,
        addresses,
        source: [10, 0, 0, 1].into(),
        destination: GROUP_V4.into(),
        reading,
    }
}

#[test]
fn both_readings_of_the_checksum_are_written_and_read() {
    use ChecksumReading::{Message, PseudoHeader};
    let addresses = [[10, 0, 0, 254].into()];
    for (sent, other) in [(Message, PseudoHeader), (PseudoHeader, Message)] {
        let mut bytes = [0; 12];
        message(&addresses, sent).write(&mut bytes).unwrap();
        assert_eq!(parse(&bytes).unwrap().checksum_reading(), sent);
        for (only, good) in [(sent, true), (other, false)] {
            let accept = Accept {
                checksum: Some(only),
                ..Accept::STANDARD
            };
            let result = Advertisement::parse(&received(&bytes), accept);
            assert_eq!(result.is_ok(), good, "{only:?}");
        }
    }
    // RFC 5798 §5.2.8: the two differ by the pseudo-header.
    let checksum = |reading| {
        let mut bytes = [0; 12];
        message(&addresses, reading).write(&mut bytes).unwrap();
        u16::from_be_bytes([bytes[6], bytes[7]])
    };
    assert_ne!(checksum(Message), checksum(PseudoHeader));
}

#[test]
fn what_does_not_fit_is_not_written() {
    let one: [IpAddr; 1] = [[10, 0, 0, 254].into()];
    let v6: [IpAddr; 1] = [[0xfe80u16, 0, 0, 0, 0, 0, 0, 1].into()];
    let many = vec![one[0]; 256];
    let good = message(&one, ChecksumReading::Message);
    let seconds = |s| Interval::from_seconds(s).unwrap();
    let cases = [
        (
            Message {
                addresses: &[],
                ..good
            },
            EncodeError::AddressCount(0),
        ),
        (
            Message {
                addresses: &many,
                ..good
            },
            EncodeError::AddressCount(256),
        ),
        (
            Message {
                addresses: &v6,
                ..good
            },
            EncodeError::Family,
        ),
        (
            Message {
                destination: GROUP_V6.into(),
                ..good
            },
            EncodeError::Family,
        ),
        (
            Message {
                interval: seconds(41),
                ..good
            },
            EncodeError::Interval(4100),
        ),
        (
            Message {
                version: Version::V2,
                interval: Interval::from_centiseconds(150).unwrap(),
                ..good
            },
            EncodeError::Interval(150),
        ),
    ];
    let mut out = [0xee; 2000];
    for (message, error) in cases {
        assert_eq!(message.write(&mut out), Err(error));
        assert_eq!(message.write_packet(&mut out), Err(error));
        assert!(out.iter().all(|octet| *octet == 0xee), "{error}");
    }
    let short = EncodeError::Output {
        needed: 12,
        available: 11,
    };
    assert_eq!(good.write(&mut out[..11]), Err(short));
}

#[test]
fn rfc9568_s7_3_virtual_mac_addresses() {
    let vrid = Vrid::new(5).unwrap();
    assert_eq!(vrid.mac(Family::V4).to_string(), "00:00:5e:00:01:05");
    assert_eq!(vrid.mac(Family::V6).to_string(), "00:00:5e:00:02:05");
}

#[test]
fn rfc9568_s6_4_1_gratuitous_arp() {
    let mac = Vrid::new(5).unwrap().mac(Family::V4);
    let announcement = Announcement {
        address: [10, 0, 0, 254].into(),
        mac,
    };
    let mut frame = [0; Announcement::MAX_LEN];
    assert_eq!(announcement.write_frame(&mut frame), Ok(42));
    assert_eq!(
        frame[..42],
        hex!(
            "ffffffffffff 00005e000105 0806"
            "0001 0800 06 04 0001 00005e000105 0a0000fe 00005e000105 0a0000fe"
        )
    );
}

#[test]
fn rfc4861_s4_4_unsolicited_neighbor_advertisement() {
    let address: std::net::Ipv6Addr = "fe80::5".parse().unwrap();
    let mac = Vrid::new(5).unwrap().mac(Family::V6);
    let mut frame = [0; Announcement::MAX_LEN];
    let announcement = Announcement {
        address: address.into(),
        mac,
    };
    assert_eq!(announcement.write_frame(&mut frame), Ok(86));
    assert_eq!(frame[..14], hex!("333300000001 00005e000205 86dd"));
    // Checked by another implementation: addresses, hop limit, checksum.
    let packet = etherparse::PacketHeaders::from_ethernet_slice(&frame).unwrap();
    let Some(etherparse::NetHeaders::Ipv6(ip, _)) = packet.net else {
        panic!("IPv6")
    };
    assert_eq!(ip.hop_limit, 255);
    assert_eq!(ip.source, address.octets());
    let Some(etherparse::TransportHeader::Icmpv6(icmp)) = packet.transport else {
        panic!("ICMPv6")
    };
    let payload = packet.payload.slice();
    let sum = icmp
        .icmp_type
        .calc_checksum(ip.source, ip.destination, payload)
        .unwrap();
    assert_eq!(icmp.checksum, sum);
    // R and O set, S clear; target and target link-layer address.
    assert_eq!(
        frame[54..62],
        hex!("88 00")
            .iter()
            .chain(&frame[56..58])
            .chain(&hex!("a0000000"))
            .copied()
            .collect::<Vec<u8>>()[..]
    );
    assert_eq!(frame[78..86], hex!("0201 00005e000205"));
}

#[test]
fn a_frame_goes_from_the_virtual_mac_to_the_group() {
    let addresses = [[10, 0, 0, 254].into()];
    let mut frame = [0; 64];
    let good = message(&addresses, ChecksumReading::Message);
    assert_eq!(good.write_frame(&mut frame), Ok(46));
    assert_eq!(frame[..14], hex!("01005e000012 00005e000105 0800"));
    assert_eq!(frame[14..24], hex!("45c00020 00000000 ff70"));
    let unicast = Message {
        destination: [10, 0, 0, 2].into(),
        ..good
    };
    assert_eq!(unicast.write_frame(&mut frame), Err(EncodeError::Family));
    assert_eq!(MacAddr::GROUP_V6.to_string(), "33:33:00:00:00:12");
}

/// The IP packets of a little-endian Ethernet capture, also of one whose lengths a strict reader
/// refuses.
fn packets(name: &str) -> Vec<Vec<u8>> {
    let path = format!("{}/tests/data/{name}.pcap", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(path).unwrap();
    let mut records = &file[24..];
    let mut packets = Vec::new();
    while let Some((header, rest)) = records.split_first_chunk::<16>() {
        let len = u32::from_le_bytes(header[8..12].try_into().unwrap());
        let (frame, rest) = rest.split_at(usize::try_from(len).unwrap().min(rest.len()));
        packets.push(frame[14..].to_vec());
        records = rest;
    }
    packets
}

/// As `tcpdump -v` prints it.
fn tcpdump(packet: &Advertisement<'_>, len: usize) -> String {
    let mut line = format!(
        "{} > {}: VRRPv{}, Advertisement, vrid {}, prio {}, ",
        packet.source(),
        packet.destination(),
        packet.version(),
        packet.vrid(),
        packet.priority()
    );
    match packet.version() {
        Version::V2 => {
            let auth = if packet.auth_type() == AuthType::SIMPLE {
                "simple"
            } else {
                "none"
            };
            let seconds = packet.interval().centiseconds() / 100;
            write!(line, "authtype {auth}, intvl {seconds}s").unwrap();
        }
        Version::V3 => write!(line, "intvl {}cs", packet.interval().centiseconds()).unwrap(),
    }
    write!(line, ", length {len}, addrs").unwrap();
    if packet.address_count() > 1 {
        write!(line, "({})", packet.address_count()).unwrap();
    }
    let addresses: Vec<String> = packet
        .addresses()
        .map(|address| address.to_string())
        .collect();
    write!(line, ": {}", addresses.join(",")).unwrap();
    if packet.auth_type() == AuthType::SIMPLE {
        let text = String::from_utf8_lossy(packet.auth_data());
        write!(line, " auth \"{}\"", text.trim_end_matches('\0')).unwrap();
    }
    line
}

#[test]
fn a_capture_of_165_packets_reads_as_tcpdump_reads_it() {
    let expected = include_str!("data/vrrp-v.out")
        .lines()
        .filter(|line| line.contains("VRRPv"));
    let mut checked = 0;
    for (packet, line) in packets("vrrp").iter().zip(expected) {
        let received = Received::from_packet(packet).unwrap();
        let advertisement = Advertisement::parse(&received, Accept::STANDARD).unwrap();
        let ours = tcpdump(&advertisement, received.message.len());
        assert!(line.ends_with(&ours), "\n{line}\n{ours}");
        checked += 1;
    }
    assert_eq!(checked, 165);
}

#[test]
fn captured_advertisements_written_again_are_the_same_octets() {
    let mut readings = BTreeMap::new();
    for name in ["vrrp", "VRRP-V3-IPv4"] {
        for packet in packets(name) {
            let received = Received::from_packet(&packet).unwrap();
            let packet = Advertisement::parse(&received, Accept::STANDARD).unwrap();
            let reading = packet.checksum_reading();
            let addresses: Vec<IpAddr> = packet.addresses().collect();
            let message = Message {
                version: packet.version(),
                vrid: packet.vrid(),
                priority: packet.priority(),
                interval: packet.interval(),
                password: (packet.auth_type() == AuthType::SIMPLE).then_some(packet.auth_data()),
                addresses: &addresses,
                source: packet.source(),
                destination: packet.destination(),
                reading,
            };
            let mut out = vec![0; message.len()];
            message.write(&mut out).unwrap();
            assert_eq!(out, received.message);
            let key = (name, packet.version(), packet.family(), reading);
            *readings.entry(key).or_insert(0) += 1;
        }
    }
    let v3_v4: Vec<_> = readings
        .iter()
        .filter(|((_, version, family, _), _)| (*version, *family) == (Version::V3, Family::V4))
        .map(|((name, _, _, reading), _)| (*name, *reading))
        .collect();
    assert_eq!(
        v3_v4,
        [
            ("VRRP-V3-IPv4", ChecksumReading::PseudoHeader),
            ("vrrp", ChecksumReading::PseudoHeader)
        ]
    );
}

#[test]
fn rfc3768_s5_1_a_packet_without_authentication_data_is_not_complete() {
    let packets = packets("VRRP-V2");
    let received = Received::from_packet(&packets[0]).unwrap();
    let error = Advertisement::parse(&received, Accept::STANDARD).unwrap_err();
    let what = "address list and authentication data";
    assert_eq!(
        error,
        ParseError::Truncated {
            what,
            needed: 28,
            available: 20
        }
    );
}

#[test]
fn a14_packets_that_crashed_another_reader_are_refused_with_a_reason() {
    let reasons: Vec<String> = packets("vrrp-vrrp_print-oobr-2")
        .iter()
        .map(|packet| Received::from_packet(packet).unwrap_err().to_string())
        .collect();
    assert_eq!(reasons.len(), 10);
    for reason in &reasons {
        assert!(
            reason.starts_with("IP length") || reason == "IPv4 header checksum does not fit",
            "{reason}"
        );
    }
    // The same messages with a good IP header.
    for packet in packets("vrrp-vrrp_print-oobr-2") {
        let message = packet.get(20..).unwrap_or_default();
        assert!(parse(message).is_err());
    }
}

#[derive(Debug, Clone)]
struct Fields {
    version: Version,
    v6: bool,
    vrid: u8,
    priority: u8,
    interval: u16,
    password: Option<[u8; 8]>,
    addresses: Vec<[u8; 16]>,
    reading: ChecksumReading,
}

fn any_fields() -> impl Strategy<Value = Fields> {
    (
        any::<(bool, bool, bool)>(),
        1u8..,
        any::<u8>(),
        1u16..4096,
        any::<Option<[u8; 8]>>(),
        prop::collection::vec(any::<[u8; 16]>(), 1..20),
    )
        .prop_map(
            |((v2, v6, pseudo), vrid, priority, interval, password, addresses)| Fields {
                version: if v2 { Version::V2 } else { Version::V3 },
                v6: v6 && !v2,
                vrid,
                priority,
                interval: if v2 {
                    (interval % 255 + 1) * 100
                } else {
                    interval
                },
                password: password.filter(|_| v2),
                addresses,
                reading: match pseudo {
                    true => ChecksumReading::PseudoHeader,
                    false => ChecksumReading::Message,
                },
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read(fields in any_fields()) {
        let address = |octets: &[u8; 16]| match fields.v6 {
            true => IpAddr::from(*octets),
            false => IpAddr::from([octets[0], octets[1], octets[2], octets[3]]),
        };
        let addresses: Vec<IpAddr> = fields.addresses.iter().map(address).collect();
        let message = Message {
            version: fields.version,
            vrid: Vrid::new(fields.vrid).unwrap(),
            priority: Priority(fields.priority),
            interval: Interval::from_centiseconds(fields.interval).unwrap(),
            password: fields.password.as_ref(),
            addresses: &addresses,
            source: addresses[0],
            destination: Family::of(addresses[0]).group(),
            reading: fields.reading,
        };
        let mut out = vec![0xee; 700];
        let len = message.write_packet(&mut out).unwrap();
        let received = Received::from_packet(&out[..len]).unwrap();
        let packet = Advertisement::parse(&received, Accept::STANDARD).unwrap();
        prop_assert_eq!(packet.vrid(), message.vrid);
        prop_assert_eq!(packet.priority(), message.priority);
        prop_assert_eq!(packet.interval(), message.interval);
        prop_assert!(packet.addresses().eq(addresses.iter().copied()));
        prop_assert_eq!(packet.address_count(), addresses.len());
        prop_assert_eq!(*packet.auth_data(), fields.password.unwrap_or_default());
        prop_assert_eq!((packet.source(), packet.ttl()), (message.source, 255));

        // Cut anywhere, or with one bit flipped anywhere: refused. With both readings of the checksum
        // allowed, one bit can lead from the one to the other.
        let accept = Accept { checksum: Some(fields.reading), ..Accept::STANDARD };
        let body = received.message;
        for end in 0..body.len() {
            let cut = Received { message: &body[..end], ..received };
            prop_assert!(Advertisement::parse(&cut, accept).is_err());
        }
        let mut flipped = body.to_vec();
        for bit in 0..flipped.len() * 8 {
            flipped[bit / 8] ^= 1 << (bit % 8);
            let packet = Received { message: &flipped, ..received };
            prop_assert!(Advertisement::parse(&packet, accept).is_err(), "bit {}", bit);
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = parse(&bytes);
        if let Ok(received) = Received::from_packet(&bytes) {
            let _ = Advertisement::parse(&received, Accept { min_ttl: 0, checksum: None });
        }
    }
}
