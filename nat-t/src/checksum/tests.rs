#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;
use std::prelude::v1::*;
use std::vec;

#[test]
fn rfc1624_s4_the_example_gives_zero_not_all_ones() {
    assert_eq!(adjust(0xdd2f, &[0x55, 0x55], &[0x32, 0x85]), 0x0000);
}

/// RFC 1071 from scratch, the independent oracle.
fn checksum(parts: &[&[u8]]) -> u16 {
    let octets: Vec<u8> = parts.concat();
    let mut sum = 0u64;
    for pair in octets.chunks(2) {
        sum += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn pseudo_header(addresses: Addresses, protocol: u8, len: usize) -> Vec<u8> {
    let mut header = octets(addresses.source);
    header.extend(octets(addresses.destination));
    header.extend([0, protocol]);
    header.extend((len as u16).to_be_bytes());
    header
}

fn offset(protocol: u8) -> usize {
    match protocol {
        TCP => 16,
        UDP => 6,
        _ => 2,
    }
}

fn fill(segment: &mut [u8], protocol: u8, addresses: Addresses) {
    let at = offset(protocol);
    segment[at..at + 2].fill(0);
    let mut sum = checksum(&[&pseudo_header(addresses, protocol, segment.len()), segment]);
    if protocol == UDP && sum == 0 {
        sum = 0xffff;
    }
    segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

fn v4() -> impl Strategy<Value = IpAddr> {
    any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
}

fn v6() -> impl Strategy<Value = IpAddr> {
    any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
}

fn quadruple() -> impl Strategy<Value = [IpAddr; 4]> {
    prop_oneof![prop::array::uniform4(v4()), prop::array::uniform4(v6())]
}

proptest! {
    /// The incremental fix and a recomputation from scratch verify alike.
    #[test]
    fn a_fixed_segment_verifies_over_the_received_addresses(
        addresses in quadruple(),
        protocol in prop::sample::select(vec![TCP, UDP]),
        mut segment in prop::collection::vec(any::<u8>(), 20..90),
        same_destination: bool,
    ) {
        let [source, destination, nat, other] = addresses;
        let original = Addresses { source, destination };
        let received =
            Addresses { source: nat, destination: if same_destination { destination } else { other } };
        fill(&mut segment, protocol, original);
        fix_segment(protocol, &mut segment, original, received).unwrap();
        let over = pseudo_header(received, protocol, segment.len());
        prop_assert_eq!(checksum(&[&over, &segment]), 0);
        // And back again.
        fix_segment(protocol, &mut segment, received, original).unwrap();
        let over = pseudo_header(original, protocol, segment.len());
        prop_assert_eq!(checksum(&[&over, &segment]), 0);
    }
}

const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3));
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const ORIGINAL: Addresses = Addresses {
    source: PRIVATE,
    destination: SERVER,
};
const RECEIVED: Addresses = Addresses {
    source: PUBLIC,
    destination: SERVER,
};

#[test]
fn a_udp_checksum_of_zero_stays_zero() {
    let mut segment = [0u8; 12];
    assert_eq!(
        fix_segment(UDP, &mut segment, ORIGINAL, RECEIVED),
        Ok(false)
    );
    assert_eq!(segment, [0u8; 12]);
}

#[test]
fn other_protocols_and_equal_addresses_are_left_alone() {
    let mut segment = [0xa5u8; 40];
    assert_eq!(fix_segment(47, &mut segment, ORIGINAL, RECEIVED), Ok(false));
    assert_eq!(fix_segment(1, &mut segment, ORIGINAL, RECEIVED), Ok(false));
    assert_eq!(
        fix_segment(TCP, &mut segment, ORIGINAL, ORIGINAL),
        Ok(false)
    );
    assert_eq!(segment, [0xa5u8; 40]);
}

#[test]
fn a_short_segment_and_mixed_families_are_errors_without_effect() {
    for len in 0..18 {
        let mut segment = vec![1u8; len];
        let error = fix_segment(TCP, &mut segment, ORIGINAL, RECEIVED).unwrap_err();
        assert_eq!(error, FixError::Truncated { protocol: TCP, len });
        assert_eq!(segment, vec![1u8; len]);
    }
    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let mixed = Addresses {
        source: six,
        destination: SERVER,
    };
    assert_eq!(
        fix_segment(TCP, &mut [0; 20], ORIGINAL, mixed),
        Err(FixError::Family)
    );
}
