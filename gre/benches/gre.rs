//! A payload of 1,400 octets encapsulated in place and decapsulated, beside two other crates. `etherparse` knows no GRE:
//! its IPv4 header and checksum are used, the GRE octets are put and read by hand.
//!
//! `plain` is IPv4 and the four-octet header; `options` adds key and checksum. Each crate keeps between packets what it
//! can keep of a tunnel, and writes whole headers. One iteration is a batch of packets, for a call of the harness costs
//! about as much as a header.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// Packets in one iteration.
const BATCH: usize = 16;
const KINDS: [&str; 2] = ["plain", "options"];
const PAYLOAD: usize = 1400;
const PLAIN: usize = 24;
const OPTIONS: usize = 32;
const SOURCE: [u8; 4] = [192, 0, 2, 1];
const DESTINATION: [u8; 4] = [192, 0, 2, 2];

fn main() {
    divan::main();
}

fn buffer(options: bool) -> Vec<u8> {
    let headroom = if options { OPTIONS } else { PLAIN };
    (0..headroom + PAYLOAD)
        .map(|at| at.to_le_bytes()[0])
        .collect()
}

/// A tunnel as one of the crates has it.
trait Tunnel {
    fn new(options: bool) -> Self;
    fn encapsulate(&self, buffer: &mut [u8]);
    fn decapsulate<'p>(&self, packet: &'p [u8]) -> (Option<u32>, &'p [u8]);
}

struct Ours {
    delivery: gre::Delivery,
    header: gre::Header,
}

impl Tunnel for Ours {
    fn new(options: bool) -> Self {
        Self {
            delivery: gre::Delivery::new(SOURCE.into(), DESTINATION.into()),
            header: gre::Header {
                key: options.then_some(7),
                checksum: options,
                ..gre::Header::new(gre::EtherType::IPV4)
            },
        }
    }

    fn encapsulate(&self, buffer: &mut [u8]) {
        let headroom = self.delivery.len() + self.header.len();
        self.delivery
            .encapsulate(&self.header, buffer, headroom)
            .unwrap();
    }

    fn decapsulate<'p>(&self, packet: &'p [u8]) -> (Option<u32>, &'p [u8]) {
        let gre = gre::IpPacket::parse(packet).unwrap().gre().unwrap();
        (gre.key(), gre.payload())
    }
}

struct Pnet {
    options: bool,
    source: std::net::Ipv4Addr,
    destination: std::net::Ipv4Addr,
}

impl Tunnel for Pnet {
    fn new(options: bool) -> Self {
        Self {
            options,
            source: SOURCE.into(),
            destination: DESTINATION.into(),
        }
    }

    fn encapsulate(&self, buffer: &mut [u8]) {
        use pnet_packet::gre::MutableGrePacket;
        use pnet_packet::ip::IpNextHeaderProtocols;
        use pnet_packet::ipv4::{self, MutableIpv4Packet};

        let options = self.options;
        let total = u16::try_from(buffer.len()).unwrap();
        {
            let mut gre = MutableGrePacket::new(&mut buffer[20..]).unwrap();
            gre.set_checksum_present(options.into());
            gre.set_routing_present(0);
            gre.set_key_present(options.into());
            gre.set_sequence_present(0);
            gre.set_strict_source_route(0);
            gre.set_recursion_control(0);
            gre.set_zero_flags(0);
            gre.set_version(0);
            gre.set_protocol_type(0x0800);
            if options {
                gre.get_checksum_raw_mut().fill(0);
                gre.get_offset_raw_mut().fill(0);
                gre.get_key_raw_mut()[..4].copy_from_slice(&7u32.to_be_bytes());
            }
        }
        if options {
            let sum = pnet_packet::util::checksum(&buffer[20..], 2);
            let mut gre = MutableGrePacket::new(&mut buffer[20..]).unwrap();
            gre.get_checksum_raw_mut()[..2].copy_from_slice(&sum.to_be_bytes());
        }
        let mut ip = MutableIpv4Packet::new(buffer).unwrap();
        ip.set_version(4);
        ip.set_header_length(5);
        ip.set_dscp(0);
        ip.set_ecn(0);
        ip.set_total_length(total);
        ip.set_identification(0);
        ip.set_flags(0);
        ip.set_fragment_offset(0);
        ip.set_ttl(255);
        ip.set_next_level_protocol(IpNextHeaderProtocols::Gre);
        ip.set_source(self.source);
        ip.set_destination(self.destination);
        ip.set_checksum(0);
        let sum = ipv4::checksum(&ip.to_immutable());
        ip.set_checksum(sum);
    }

    fn decapsulate<'p>(&self, packet: &'p [u8]) -> (Option<u32>, &'p [u8]) {
        use pnet_packet::Packet;
        use pnet_packet::gre::GrePacket;
        use pnet_packet::ipv4::{self, Ipv4Packet};

        let ip = Ipv4Packet::new(packet).unwrap();
        assert_eq!(ip.get_checksum(), ipv4::checksum(&ip));
        let bytes = &packet[20..usize::from(ip.get_total_length())];
        let gre = GrePacket::new(bytes).unwrap();
        assert_eq!((gre.get_version(), gre.get_routing_present()), (0, 0));
        let key = match gre.get_key_present() {
            0 => None,
            _ => Some(gre.get_key_raw()).map(|k| u32::from_be_bytes(k[..4].try_into().unwrap())),
        };
        if gre.get_checksum_present() == 1 {
            let found = u16::from_be_bytes(gre.get_checksum_raw()[..2].try_into().unwrap());
            assert_eq!(found, pnet_packet::util::checksum(bytes, 2));
        }
        let header = bytes.len() - gre.payload().len();
        (key, &bytes[header..])
    }
}

struct Etherparse {
    options: bool,
    header: etherparse::Ipv4Header,
}

impl Tunnel for Etherparse {
    fn new(options: bool) -> Self {
        use etherparse::{Ipv4Header, ip_number};

        let mut header = Ipv4Header::new(0, 255, ip_number::GRE, SOURCE, DESTINATION).unwrap();
        header.dont_fragment = false;
        Self { options, header }
    }

    fn encapsulate(&self, buffer: &mut [u8]) {
        let gre = &mut buffer[20..];
        let len = gre.len();
        if self.options {
            gre[..4].copy_from_slice(&[0xa0, 0, 8, 0]);
            gre[4..8].fill(0);
            gre[8..12].copy_from_slice(&7u32.to_be_bytes());
            let sum = etherparse::checksum::Sum16BitWords::new().add_slice(gre);
            // The sum as it stands in memory.
            gre[4..6].copy_from_slice(&sum.ones_complement().to_ne_bytes());
        } else {
            gre[..4].copy_from_slice(&[0, 0, 8, 0]);
        }
        let mut header = self.header.clone();
        header.set_payload_len(len).unwrap();
        let mut room = &mut buffer[..20];
        header.write(&mut room).unwrap();
    }

    fn decapsulate<'p>(&self, packet: &'p [u8]) -> (Option<u32>, &'p [u8]) {
        let ip = etherparse::Ipv4Slice::from_slice(packet).unwrap();
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        let bytes = ip.payload().payload;
        match bytes[..2] {
            [0xa0, 0] => {
                let sum = etherparse::checksum::Sum16BitWords::new().add_slice(bytes);
                assert_eq!(sum.ones_complement(), 0);
                let key = u32::from_be_bytes(bytes[8..12].try_into().unwrap());
                (Some(key), &bytes[12..])
            }
            [0, 0] => (None, &bytes[4..]),
            _ => (None, &[]),
        }
    }
}

#[divan::bench(types = [Ours, Pnet, Etherparse], args = KINDS)]
fn encapsulate<T: Tunnel>(bencher: Bencher<'_, '_>, kind: &str) {
    let options = kind == "options";
    let tunnel = T::new(options);
    // All of them write the same octets.
    let (mut expected, mut written) = (buffer(options), buffer(options));
    Ours::new(options).encapsulate(&mut expected);
    tunnel.encapsulate(&mut written);
    assert!(written == expected, "other octets");
    let mut packets = vec![buffer(options); BATCH];
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for packet in &mut packets {
            black_box(&tunnel).encapsulate(black_box(packet));
        }
    });
}

#[divan::bench(types = [Ours, Pnet, Etherparse], args = KINDS)]
fn decapsulate<T: Tunnel>(bencher: Bencher<'_, '_>, kind: &str) {
    let options = kind == "options";
    let tunnel = T::new(options);
    let mut packets = vec![buffer(options); BATCH];
    for packet in &mut packets {
        Ours::new(options).encapsulate(packet);
    }
    let expected = Ours::new(options).decapsulate(&packets[0]);
    assert_eq!(tunnel.decapsulate(&packets[0]), expected);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for packet in &packets {
            black_box(tunnel.decapsulate(black_box(packet)));
        }
    });
}
