//! MODP groups against `num-bigint`, and what they refuse.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![allow(clippy::panic, clippy::expect_used, clippy::cast_possible_truncation)]

mod common;

use common::{Script, rng};
use crypto_suite::{CryptoError, DEFAULT, GroupId, KeyExchange};
use num_bigint::BigUint;
use rand_chacha::rand_core::Rng;

const GROUPS: [(GroupId, u32); 8] = [
    (GroupId::Modp768, 768),
    (GroupId::Modp1024, 1024),
    (GroupId::Modp1536, 1536),
    (GroupId::Modp2048, 2048),
    (GroupId::Modp3072, 3072),
    (GroupId::Modp4096, 4096),
    (GroupId::Modp6144, 6144),
    (GroupId::Modp8192, 8192),
];

fn group(id: GroupId) -> &'static dyn KeyExchange {
    DEFAULT.group(id).unwrap()
}

/// The prime by its formula, independent of the digits in the library:
/// p = 2^n − 2^(n−64) − 1 + 2^64 · (floor(2^(n−130) · π) + c), with c of RFC 2409 §6 and RFC 3526.
fn prime(bits: u32) -> BigUint {
    let c: u64 = match bits {
        768 => 149_686,
        1024 => 129_093,
        1536 => 741_804,
        2048 => 124_476,
        3072 => 1_690_314,
        4096 => 240_904,
        6144 => 929_484,
        _ => 4_743_158,
    };
    let one = BigUint::from(1u8);
    let term = (pi_scaled(bits - 130) + c) << 64;
    (&one << bits) - (&one << (bits - 64)) - &one + term
}

/// floor(2^shift · π) by Machin's formula: π = 16·atan(1/5) − 4·atan(1/239).
fn pi_scaled(shift: u32) -> BigUint {
    const GUARD: u32 = 64;
    let arctan = |inverse: u32| {
        let mut power = (BigUint::from(1u8) << (shift + GUARD)) / inverse;
        let (mut plus, mut minus) = (BigUint::ZERO, BigUint::ZERO);
        let mut odd = 1u32;
        while power != BigUint::ZERO {
            *(if odd % 4 == 1 { &mut plus } else { &mut minus }) += &power / odd;
            power /= inverse * inverse;
            odd += 2;
        }
        plus - minus
    };
    (arctan(5) * 16u8 - arctan(239) * 4u8) >> GUARD
}

fn padded(value: &BigUint, len: usize) -> Vec<u8> {
    let bytes = value.to_bytes_be();
    [vec![0; len - bytes.len()], bytes].concat()
}

/// Bits of an exponent: RFC 7919 App. A, and RFC 3526 §8 for the weak groups.
fn exponent_bits(bits: u32) -> u32 {
    match bits {
        768..=1536 => 180,
        2048 => 225,
        3072 => 275,
        4096 => 325,
        6144 => 375,
        _ => 400,
    }
}

/// Bytes drawn for a key pair.
fn exponent_len(bits: u32) -> usize {
    exponent_bits(bits).div_ceil(8) as usize
}

/// The exponent that the group makes of these bytes: little-endian, cut to its length, with the
/// highest bit set.
fn exponent(bits: u32, drawn: &[u8]) -> BigUint {
    let top = BigUint::from(1u8) << (exponent_bits(bits) - 1);
    (BigUint::from_bytes_le(drawn) & (&top - 1u8)) | top
}

/// The tables of powers of 2 that the library carries, computed anew by their definition.
#[test]
fn comb_tables_hold_what_they_should() {
    for bits in [2048, 3072, 4096] {
        let path = format!(
            "{}/src/modp/comb/modp_{bits}.bin",
            env!("CARGO_MANIFEST_DIR")
        );
        let table = std::fs::read(path).unwrap();
        let (p, len) = (prime(bits), bits as usize / 8);
        let columns = exponent_bits(bits) / 5;
        let block = columns.div_ceil(3);
        assert_eq!(table.len(), 3 * 32 * len);
        let mut entries = table.chunks_exact(len);
        for j in 0..3 {
            for d in 0..32u32 {
                let mut exponent = BigUint::ZERO;
                for i in (0..5).filter(|i| d >> i & 1 == 1) {
                    exponent += BigUint::from(1u8) << (i * columns + j * block);
                }
                let power = BigUint::from(2u8).modpow(&exponent, &p);
                let entry = (power << bits) % &p;
                let stored = BigUint::from_bytes_le(entries.next().unwrap());
                assert_eq!(stored, entry, "{bits}: block {j}, teeth {d:05b}");
            }
        }
    }
}

#[test]
fn public_values_and_secrets_agree_with_num_bigint() {
    for (id, bits) in GROUPS {
        let (p, two) = (prime(bits), BigUint::from(2u8));
        let len = bits as usize / 8;
        let mut random = rng(bits as u8 ^ 3);
        for _ in 0..3 {
            let mut ours = vec![0; exponent_len(bits)];
            random.fill_bytes(&mut ours);
            let mut theirs = ours.clone();
            random.fill_bytes(&mut theirs);

            let initiator = group(id).start(&mut Script::new(&ours)).unwrap();
            let public = two.modpow(&exponent(bits, &ours), &p);
            assert_eq!(initiator.public(), padded(&public, len), "{id}");

            let mut script = Script::new(&theirs);
            let (answer, secret) = group(id).respond(&mut script, initiator.public()).unwrap();
            assert!(script.0.is_empty(), "{id}: bytes drawn");
            assert_eq!(
                answer,
                padded(&two.modpow(&exponent(bits, &theirs), &p), len),
                "{id}"
            );
            let shared = public.modpow(&exponent(bits, &theirs), &p);
            assert_eq!(secret.expose(), padded(&shared, len), "{id}");
            assert_eq!(initiator.finish(&answer).unwrap(), secret, "{id}");
        }
    }
}

#[test]
fn secrets_of_arbitrary_peer_values_agree_with_num_bigint() {
    for (id, bits) in GROUPS {
        let (p, len) = (prime(bits), bits as usize / 8);
        let mut random = rng(bits as u8 ^ 5);
        let mut peers = vec![BigUint::from(2u8), BigUint::from(3u8), &p - 2u8, &p - 3u8];
        let mut bytes = vec![0; len];
        random.fill_bytes(&mut bytes);
        peers.push(BigUint::from_bytes_be(&bytes) % &p);
        for peer in peers {
            let mut drawn = vec![0; exponent_len(bits)];
            random.fill_bytes(&mut drawn);
            let active = group(id).start(&mut Script::new(&drawn)).unwrap();
            let secret = active.finish(&padded(&peer, len)).unwrap();
            assert_eq!(
                secret.expose(),
                padded(&peer.modpow(&exponent(bits, &drawn), &p), len),
                "{id}"
            );
        }
    }
}

#[test]
fn extreme_exponents_agree_with_num_bigint() {
    for (id, bits) in GROUPS {
        let (p, len) = (prime(bits), bits as usize / 8);
        for byte in [0x00, 0xff] {
            let drawn = vec![byte; exponent_len(bits)];
            let active = group(id).start(&mut Script::new(&drawn)).unwrap();
            let public = BigUint::from(2u8).modpow(&exponent(bits, &drawn), &p);
            assert_eq!(active.public(), padded(&public, len), "{id}");
        }
    }
}

#[test]
fn rfc2409_s5_short_values_are_padded_to_the_group_length() {
    let (id, bits) = GROUPS[0];
    let (p, len) = (prime(bits), bits as usize / 8);
    let mut random = rng(9);
    // One value in 256 begins with a zero byte: draw until one does.
    let short = (0..5000).find_map(|_| {
        let mut drawn = vec![0; exponent_len(bits)];
        random.fill_bytes(&mut drawn);
        let value = BigUint::from(2u8).modpow(&exponent(bits, &drawn), &p);
        (value.bits() <= u64::from(bits) - 8).then_some((drawn, value))
    });
    let (drawn, value) = short.unwrap();
    let active = group(id).start(&mut Script::new(&drawn)).unwrap();
    assert_eq!(active.public(), padded(&value, len));
    assert_eq!(active.public()[0], 0);
    // 2 as the peer's value: the secret is the same short number.
    let secret = active.finish(&padded(&BigUint::from(2u8), len)).unwrap();
    assert_eq!(secret.expose(), padded(&value, len));
}

#[test]
fn c1_degenerate_public_values_are_refused() {
    for (id, bits) in GROUPS {
        let (p, len) = (prime(bits), bits as usize / 8);
        let one = BigUint::from(1u8);
        let all_ones = (&one << bits) - &one;
        for bad in [
            BigUint::ZERO,
            one.clone(),
            &p - &one,
            p.clone(),
            &p + &one,
            all_ones,
        ] {
            let bad = padded(&bad, len);
            let refused = Some(CryptoError::PublicValueInvalid);
            assert_eq!(group(id).respond(&mut rng(1), &bad).err(), refused, "{id}");
            let active = group(id).start(&mut rng(1)).unwrap();
            assert_eq!(active.finish(&bad).err(), refused, "{id}");
        }
        for bad_len in [0, 1, len - 1, len + 1, 2 * len] {
            let bad = vec![2; bad_len];
            let refused = CryptoError::PublicValueLength {
                expected: len,
                actual: bad_len,
            };
            assert_eq!(
                group(id).respond(&mut rng(1), &bad).err(),
                Some(refused),
                "{id}"
            );
            let active = group(id).start(&mut rng(1)).unwrap();
            assert_eq!(active.finish(&bad).err(), Some(refused), "{id}");
        }
    }
}

#[test]
fn lengths_are_those_of_the_prime() {
    for (id, bits) in GROUPS {
        let (group, len) = (group(id), bits as usize / 8);
        assert_eq!(group.initiator_public_len(), len);
        assert_eq!(group.responder_public_len(), len);
        assert_eq!(group.shared_len(), len);
    }
}
