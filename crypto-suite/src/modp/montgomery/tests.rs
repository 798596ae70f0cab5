//! Products, squares and reductions against `num-bigint`, at the edges above all.
#![allow(clippy::arithmetic_side_effects)]

extern crate std;

use alloc::vec::Vec;
use crypto_bigint::{Limb, U768, U1536, U2048, U8192, Word};
use num_bigint::BigUint;
use proptest::prelude::*;

use super::super::primes;
use super::{Element, Field};

fn to_big(limbs: &[Limb]) -> BigUint {
    let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.0.to_le_bytes()).collect();
    BigUint::from_bytes_le(&bytes)
}

fn from_big<const LIMBS: usize>(value: &BigUint) -> Element<LIMBS> {
    let mut bytes = value.to_bytes_le();
    bytes.resize(LIMBS * Limb::BYTES, 0);
    let (words, _) = bytes.as_chunks::<{ Limb::BYTES }>();
    core::array::from_fn(|i| Limb(Word::from_le_bytes(words[i])))
}

/// Numbers below p that provoke carries.
fn edges(p: &BigUint) -> Vec<BigUint> {
    let one = BigUint::from(1u8);
    let bits = p.bits();
    let mut edges: Vec<BigUint> = (0..4u8).map(BigUint::from).collect();
    edges.extend((1..4u8).map(|i| p - i));
    for shift in [
        63,
        64,
        65,
        255,
        256,
        bits / 2,
        bits - 65,
        bits - 64,
        bits - 1,
    ] {
        edges.extend([&one << shift, (&one << shift) - 1u8, p - (&one << shift)]);
    }
    edges.into_iter().map(|edge| edge % p).collect()
}

fn check<const LIMBS: usize>(field: &Field<LIMBS>, x: &BigUint, y: &BigUint) {
    let p = to_big(field.modulus().as_limbs());
    let mut space = field.workspace();
    let (a, b) = (from_big::<LIMBS>(x), from_big::<LIMBS>(y));
    // The results are fully reduced, and times R what they should be.
    let product = to_big(&field.mul(&a, &b, &mut space));
    assert!(product < p);
    assert_eq!((product << p.bits()) % &p, x * y % &p);
    let square = to_big(&field.square(&a, &mut space));
    assert!(square < p);
    assert_eq!((square << p.bits()) % &p, x * x % &p);
    let plain = to_big(&*field.leave(&a, &mut space));
    assert!(plain < p);
    assert_eq!((plain << p.bits()) % &p, *x);
}

fn check_edges<const LIMBS: usize>(prime: &str) {
    let field = Field::<LIMBS>::new(prime);
    let edges = edges(&to_big(field.modulus().as_limbs()));
    for x in &edges {
        for y in &edges {
            check(&field, x, y);
        }
    }
}

#[test]
fn edges_of_the_smallest_and_of_odd_sizes() {
    check_edges::<{ U768::LIMBS }>(primes::P768);
    check_edges::<{ U1536::LIMBS }>(primes::P1536);
}

#[test]
fn edges_of_modp_2048() {
    check_edges::<{ U2048::LIMBS }>(primes::P2048);
}

#[test]
fn edges_of_the_largest() {
    check_edges::<{ U8192::LIMBS }>(primes::P8192);
}

/// Limbs of all zeros and all ones side by side: the worst for carry chains.
fn sparse() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(std::vec![0u8; 8]),
        Just(std::vec![0xff; 8]),
        proptest::collection::vec(any::<u8>(), 8),
    ];
    proptest::collection::vec(piece, 32).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn products_and_squares_of_any_numbers(x in sparse(), y in sparse()) {
        let field = Field::<{ U2048::LIMBS }>::new(primes::P2048);
        let p = to_big(field.modulus().as_limbs());
        check(&field, &(BigUint::from_bytes_le(&x) % &p), &(BigUint::from_bytes_le(&y) % &p));
    }
}
