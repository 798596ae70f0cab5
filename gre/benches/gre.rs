//! A payload of 1,400 octets encapsulated in place and decapsulated, beside two other crates.
//! `etherparse` knows no GRE: its IPv4 header and checksum are used, the GRE octets are put and
//! read by hand.
//!
//! `plain` is IPv4 and the four-octet header; `options` adds key and checksum.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use divan::{AllocProfiler, Bencher, black_box};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const PAYLOAD: usize = 1400;
const PLAIN: usize = 24;
const OPTIONS: usize = 32;
const SOURCE: [u8; 4] = [192, 0, 2, 1];
const DESTINATION: [u8; 4] = [192, 0, 2, 2];

fn main() {
    divan::main();
}

fn buffer(headroom: usize) -> Vec<u8> {
    (0..headroom + PAYLOAD)
        .map(|at| at.to_le_bytes()[0])
        .collect()
}

mod ours {
    use gre::{Delivery, EtherType, Header, IpPacket};

    pub(super) fn header(options: bool) -> Header {
        let key = options.then_some(7);
        Header {
            key,
            checksum: options,
            ..Header::new(EtherType::IPV4)
        }
    }

    pub(super) fn encapsulate(buffer: &mut [u8], options: bool) -> usize {
        let header = header(options);
        let delivery = Delivery::new(super::SOURCE.into(), super::DESTINATION.into());
        delivery
            .encapsulate(&header, buffer, delivery.len() + header.len())
            .unwrap()
    }

    pub(super) fn decapsulate(packet: &[u8]) -> (Option<u32>, &[u8]) {
        let gre = IpPacket::parse(packet).unwrap().gre().unwrap();
        (gre.key(), gre.payload())
    }
}

mod pnet {
    use pnet_packet::gre::{GrePacket, MutableGrePacket};
    use pnet_packet::ip::IpNextHeaderProtocols;
    use pnet_packet::ipv4::{self, Ipv4Packet, MutableIpv4Packet};
    use pnet_packet::{Packet, util};

    pub(super) fn encapsulate(buffer: &mut [u8], options: bool) -> usize {
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
            let sum = util::checksum(&buffer[20..], 2);
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
        ip.set_source(super::SOURCE.into());
        ip.set_destination(super::DESTINATION.into());
        ip.set_checksum(0);
        let sum = ipv4::checksum(&ip.to_immutable());
        ip.set_checksum(sum);
        0
    }

    pub(super) fn decapsulate(packet: &[u8]) -> (Option<u32>, &[u8]) {
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
            assert_eq!(found, util::checksum(bytes, 2));
        }
        let header = bytes.len() - gre.payload().len();
        (key, &bytes[header..])
    }
}

mod ether {
    use etherparse::checksum::Sum16BitWords;
    use etherparse::{Ipv4Header, Ipv4Slice, ip_number};

    pub(super) fn encapsulate(buffer: &mut [u8], options: bool) -> usize {
        let len = u16::try_from(buffer.len() - 20).unwrap();
        let gre = &mut buffer[20..];
        if options {
            gre[..4].copy_from_slice(&[0xa0, 0, 8, 0]);
            gre[4..8].fill(0);
            gre[8..12].copy_from_slice(&7u32.to_be_bytes());
            let sum = Sum16BitWords::new().add_slice(gre).ones_complement();
            gre[4..6].copy_from_slice(&sum.to_be_bytes_from_ne());
        } else {
            gre[..4].copy_from_slice(&[0, 0, 8, 0]);
        }
        let mut header =
            Ipv4Header::new(len, 255, ip_number::GRE, super::SOURCE, super::DESTINATION).unwrap();
        header.dont_fragment = false;
        let mut room = &mut buffer[..20];
        header.write(&mut room).unwrap();
        0
    }

    /// `Sum16BitWords` gives the sum as it stands in memory.
    trait FromNe {
        fn to_be_bytes_from_ne(self) -> [u8; 2];
    }

    impl FromNe for u16 {
        fn to_be_bytes_from_ne(self) -> [u8; 2] {
            self.to_ne_bytes()
        }
    }

    pub(super) fn decapsulate(packet: &[u8]) -> (Option<u32>, &[u8]) {
        let ip = Ipv4Slice::from_slice(packet).unwrap();
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        let bytes = ip.payload().payload;
        match bytes[..2] {
            [0xa0, 0] => {
                let sum = Sum16BitWords::new().add_slice(bytes).ones_complement();
                assert_eq!(sum, 0);
                (
                    Some(u32::from_be_bytes(bytes[8..12].try_into().unwrap())),
                    &bytes[12..],
                )
            }
            [0, 0] => (None, &bytes[4..]),
            _ => (None, &[]),
        }
    }
}

type Encapsulate = fn(&mut [u8], bool) -> usize;
type Decapsulate = fn(&[u8]) -> (Option<u32>, &[u8]);

fn encapsulate(bencher: Bencher<'_, '_>, work: Encapsulate, options: bool) {
    let headroom = if options { OPTIONS } else { PLAIN };
    let mut buffer = buffer(headroom);
    // All three write the same octets.
    let mut expected = buffer.clone();
    ours::encapsulate(&mut expected, options);
    work(&mut buffer, options);
    assert!(buffer == expected, "other octets");
    bencher.bench_local(|| work(black_box(&mut buffer), options));
}

fn decapsulate(bencher: Bencher<'_, '_>, work: Decapsulate, options: bool) {
    let mut packet = buffer(if options { OPTIONS } else { PLAIN });
    ours::encapsulate(&mut packet, options);
    assert_eq!(work(&packet), ours::decapsulate(&packet));
    bencher.bench_local(|| {
        let (key, payload) = work(black_box(&packet));
        (key, payload.len())
    });
}

macro_rules! benches {
    ($($name:ident: $work:expr, $options:expr, $with:ident;)*) => {
        $(#[divan::bench] fn $name(bencher: Bencher<'_, '_>) { $with(bencher, $work, $options); })*
    };
}

benches! {
    encapsulate_plain_1_ours: ours::encapsulate, false, encapsulate;
    encapsulate_plain_2_pnet: pnet::encapsulate, false, encapsulate;
    encapsulate_plain_3_etherparse: ether::encapsulate, false, encapsulate;
    encapsulate_options_1_ours: ours::encapsulate, true, encapsulate;
    encapsulate_options_2_pnet: pnet::encapsulate, true, encapsulate;
    encapsulate_options_3_etherparse: ether::encapsulate, true, encapsulate;
    decapsulate_plain_1_ours: ours::decapsulate, false, decapsulate;
    decapsulate_plain_2_pnet: pnet::decapsulate, false, decapsulate;
    decapsulate_plain_3_etherparse: ether::decapsulate, false, decapsulate;
    decapsulate_options_1_ours: ours::decapsulate, true, decapsulate;
    decapsulate_options_2_pnet: pnet::decapsulate, true, decapsulate;
    decapsulate_options_3_etherparse: ether::decapsulate, true, decapsulate;
}
