#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use crate::testing::*;
use etherparse::Ipv4Header;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

fn fragmentable(data: usize) -> Vec<u8> {
    let mut packet = ip_packet(false, data);
    packet[6] = 0;
    write_v4_checksum(&mut packet, 20);
    packet
}

fn cut(packet: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    let mut fragments = Fragments::new(packet, mtu).unwrap();
    let mut out = vec![0u8; mtu];
    let mut all = Vec::new();
    while let Some(len) = fragments.next_into(&mut out) {
        all.push(out[..len.unwrap()].to_vec());
    }
    all
}

/// Reassembles by the fragments' own headers, read by another crate.
fn reassemble(fragments: &[Vec<u8>]) -> (Vec<u8>, bool) {
    let mut payload = Vec::new();
    let mut more = true;
    for fragment in fragments {
        let (header, rest) = Ipv4Header::from_slice(fragment).unwrap();
        assert_eq!(header.calc_header_checksum(), header.header_checksum);
        assert_eq!(usize::from(header.total_len), fragment.len());
        let at = usize::from(header.fragment_offset.value()) * 8;
        payload.resize(payload.len().max(at + rest.len()), 0);
        payload[at..at + rest.len()].copy_from_slice(rest);
        more = header.more_fragments;
    }
    (payload, more)
}

#[test]
fn fragments_reassemble_to_the_packet() {
    let packet = fragmentable(1000);
    let fragments = cut(&packet, 400);
    assert_eq!(
        fragments.iter().map(Vec::len).collect::<Vec<_>>(),
        [396, 396, 276]
    );
    let (payload, more) = reassemble(&fragments);
    assert_eq!(payload, &packet[20..]);
    assert!(!more);
    assert!(
        fragments
            .iter()
            .all(|fragment| fragment[4..6] == packet[4..6])
    );
}

#[test]
fn a_fragment_is_cut_further_and_keeps_more_fragments() {
    let packet = fragmentable(1000);
    let first = cut(&packet, 600).remove(0);
    let again = cut(&first, 300);
    let (payload, more) = reassemble(&again);
    assert_eq!(payload, &first[20..]);
    assert!(more);
    let second = cut(&packet, 600).remove(1);
    let again = cut(&second, 300);
    let offset = Ipv4Header::from_slice(&second)
        .unwrap()
        .0
        .fragment_offset
        .value();
    assert_eq!(
        Ipv4Header::from_slice(&again[0])
            .unwrap()
            .0
            .fragment_offset
            .value(),
        offset
    );
}

#[test]
fn rfc791_s3_1_options_are_copied_by_their_flag() {
    // No Operation, Router Alert (copied), Record Route (not copied), End.
    let options = [1, 148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0];
    let mut packet = fragmentable(200);
    packet.splice(20..20, options);
    packet[0] = 0x48;
    let total = packet.len() as u16;
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    write_v4_checksum(&mut packet, 32);
    let fragments = cut(&packet, 120);
    assert_eq!(fragments[0][20..32], options);
    assert_eq!(fragments[1][0], 0x46);
    assert_eq!(fragments[1][20..24], [148, 4, 0, 0]);
    assert_eq!(reassemble(&fragments).0, &packet[32..]);
}

#[test]
fn what_must_not_be_fragmented_is_not() {
    let mut packet = fragmentable(100);
    packet[6] = 0x40;
    assert_eq!(
        Fragments::new(&packet, 60).unwrap_err(),
        FragmentError::DontFragment
    );
    let six = ip_packet(true, 100);
    assert_eq!(Fragments::new(&six, 60).unwrap_err(), FragmentError::Ipv6);
    let error = Fragments::new(&fragmentable(100), 27).unwrap_err();
    assert_eq!(error, FragmentError::Mtu(27));
    assert!(Fragments::new(&fragmentable(100)[..50], 100).is_err());
}

#[test]
fn a_short_buffer_loses_no_fragment() {
    let packet = fragmentable(100);
    let mut fragments = Fragments::new(&packet, 76).unwrap();
    let mut out = [0u8; 76];
    let error = fragments.next_into(&mut out[..75]).unwrap().unwrap_err();
    assert_eq!(
        error,
        FragmentError::Buffer {
            needed: 76,
            available: 75
        }
    );
    assert_eq!(fragments.next_into(&mut out), Some(Ok(76)));
}

/// P9 and P8: tunnel mode fragments first, DF and its policies decide who is told.
#[test]
fn p9_the_look_ahead_decides_before_encryption() {
    let overhead = Overhead::tunnel(AES_SHA1, false, false);
    let header = |len: usize, dont_fragment| {
        let packet = fragmentable(len - 28);
        IpHeader {
            dont_fragment,
            ..IpHeader::parse(&packet).unwrap()
        }
    };
    let decide =
        |len, dont_fragment, df| look_ahead(&header(len, dont_fragment), &overhead, 1500, true, df);
    let copy = DontFragment::Copy;
    assert_eq!(decide(1438, true, copy), Fit::Fits);
    assert_eq!(decide(1439, false, copy), Fit::FragmentFirst { mtu: 1438 });
    assert_eq!(decide(1439, true, copy), Fit::TooBig { mtu: 1438 });
    assert_eq!(
        decide(1439, true, DontFragment::Set),
        Fit::TooBig { mtu: 1438 }
    );
    assert_eq!(decide(1439, true, DontFragment::Clear), Fit::FragmentAfter);
    assert_eq!(
        decide(1439, false, DontFragment::Clear),
        Fit::FragmentFirst { mtu: 1438 }
    );
    // Transport mode never fragments first.
    let transport = Overhead::transport(AES_SHA1, 20, false);
    let fit = look_ahead(&header(1490, false), &transport, 1500, false, copy);
    assert_eq!(fit, Fit::FragmentAfter);
    let fit = look_ahead(&header(1490, true), &transport, 1500, false, copy);
    assert_eq!(fit, Fit::TooBig { mtu: 1458 });
}

#[test]
fn ipv6_is_told_but_never_less_than_1280() {
    let overhead = Overhead::tunnel(AES_SHA1, false, false);
    let fit = |len: usize, path| {
        let header = IpHeader::parse(&ip_packet(true, len - 48)).unwrap();
        look_ahead(&header, &overhead, path, true, DontFragment::Copy)
    };
    assert_eq!(fit(1500, 1500), Fit::TooBig { mtu: 1438 });
    assert_eq!(fit(1300, 1300), Fit::TooBig { mtu: 1280 });
    assert_eq!(fit(1280, 1300), Fit::FragmentAfter);
}

proptest! {
    #[test]
    fn every_cut_reassembles_and_fits(data in 0usize..3000, mtu in 28usize..1600) {
        let packet = fragmentable(data);
        let fragments = cut(&packet, mtu);
        prop_assert!(fragments.iter().all(|fragment| fragment.len() <= mtu));
        let (payload, more) = reassemble(&fragments);
        prop_assert_eq!(payload, &packet[20..]);
        prop_assert!(!more);
    }

    #[test]
    fn hostile_headers_are_cut_without_panic(
        mut packet in prop::collection::vec(any::<u8>(), 20..200),
        words in 5u8..16,
    ) {
        packet[0] = 0x40 | words;
        let len = packet.len() as u16;
        packet[2..4].copy_from_slice(&len.to_be_bytes());
        packet[6] &= 0x3f;
        if let Ok(mut fragments) = Fragments::new(&packet, 90) {
            let mut out = [0; 90];
            let mut count = 0;
            while let Some(result) = fragments.next_into(&mut out) {
                prop_assert!(result.is_ok());
                count += 1;
                prop_assert!(count < 60);
            }
        }
    }
}
