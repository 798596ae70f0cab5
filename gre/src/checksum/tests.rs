#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use proptest::prelude::*;

fn naive(data: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in data.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

#[test]
fn rfc1071_s3_example() {
    // RFC 1071 §3: the sum of 0001 f203 f4f5 f6f7 is ddf2.
    assert_eq!(
        checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
        !0xddf2
    );
}

#[test]
fn equals_the_word_by_word_sum_at_every_length() {
    let data: [u8; 300] = core::array::from_fn(|i| (i * 37 + 11) as u8 | 0x80);
    for end in 0..data.len() {
        assert_eq!(checksum(&data[..end]), naive(&data[..end]), "length {end}");
    }
}

#[test]
fn words_and_parts_add_up() {
    let data = [0xfe, 0x01, 0x80, 0xff, 0x12, 0x34];
    let parts = Sum::ZERO
        .octets(&data[..2])
        .word(0x80ff)
        .octets(&data[4..])
        .finish();
    assert_eq!(parts, naive(&data));
}

proptest! {
    #[test]
    fn a_header_without_options_has_the_sum_of_any_other_octets(header: [u8; 20]) {
        prop_assert_eq!(header_checksum(&header), checksum(&header));
    }
}
