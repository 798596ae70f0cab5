//! ECP, Curve25519 and ML-KEM against published vectors, and what they refuse.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![allow(clippy::panic, clippy::expect_used, clippy::cast_possible_truncation)]

mod common;

use common::{Fields, Script, hex, rng, wycheproof};
use crypto_suite::{CryptoError, DEFAULT, GroupId, KeyExchange};

fn group(id: GroupId) -> &'static dyn KeyExchange {
    DEFAULT.group(id).unwrap()
}

#[test]
fn both_sides_of_every_group_agree() {
    for group in DEFAULT.groups {
        let initiator = group.start(&mut rng(1)).unwrap();
        assert_eq!(
            initiator.public().len(),
            group.initiator_public_len(),
            "{}",
            group.id()
        );
        let (answer, secret) = group.respond(&mut rng(2), initiator.public()).unwrap();
        assert_eq!(answer.len(), group.responder_public_len(), "{}", group.id());
        assert_eq!(secret.len(), group.shared_len(), "{}", group.id());
        assert_eq!(initiator.group(), group.id());
        assert_eq!(initiator.finish(&answer).unwrap(), secret, "{}", group.id());
    }
}

#[test]
fn public_values_of_any_other_length_are_refused() {
    for group in DEFAULT.groups {
        let expected = group.initiator_public_len();
        for actual in [0, 1, expected - 1, expected + 1] {
            let refused = CryptoError::PublicValueLength { expected, actual };
            let error = group.respond(&mut rng(1), &vec![9; actual]).err();
            assert_eq!(error, Some(refused), "{}", group.id());
        }
        let expected = group.responder_public_len();
        for actual in [0, 1, expected - 1, expected + 1] {
            let refused = CryptoError::PublicValueLength { expected, actual };
            let active = group.start(&mut rng(1)).unwrap();
            assert_eq!(
                active.finish(&vec![9; actual]).err(),
                Some(refused),
                "{}",
                group.id()
            );
        }
    }
}

/// RFC 5903 §8: private keys, public values and the shared secret.
#[test]
fn rfc5903_s8_test_vectors() {
    let file = common::json("rfc/ecp.json");
    for case in file.as_array().unwrap() {
        let group = group(match case.text("group") {
            "256" => GroupId::Ecp256,
            "384" => GroupId::Ecp384,
            _ => GroupId::Ecp521,
        });
        let initiator = group.start(&mut Script::new(&case.bytes("i"))).unwrap();
        assert_eq!(initiator.public(), case.bytes("public_i"), "{case}");
        let (answer, secret) = group
            .respond(&mut Script::new(&case.bytes("r")), initiator.public())
            .unwrap();
        assert_eq!(answer, case.bytes("public_r"), "{case}");
        assert_eq!(secret.expose(), case.bytes("shared"), "{case}");
        assert_eq!(initiator.finish(&answer).unwrap(), secret);
    }
    assert_eq!(file.as_array().unwrap().len(), 3);
}

fn wycheproof_ecdh(file: &str, id: GroupId) -> usize {
    let group = group(id);
    let coordinate = group.shared_len();
    wycheproof(file, |_, case| {
        // The private key as the generator draws it: big-endian, as long as a coordinate.
        let private = case.bytes("private");
        let skip = private.len().saturating_sub(coordinate);
        let private = [
            vec![0; coordinate - (private.len() - skip)],
            private[skip..].to_vec(),
        ];
        let active = group.start(&mut Script::new(&private.concat())).unwrap();
        // IKE knows uncompressed points alone, without their first octet.
        let public = case.bytes("public");
        let xy = match public.split_first() {
            Some((4, xy)) => xy,
            _ => public.as_slice(),
        };
        match active.finish(xy) {
            Ok(secret) => {
                assert_eq!(case.text("result"), "valid", "{case}");
                assert_eq!(secret.expose(), case.bytes("shared"), "{case}");
            }
            Err(error) => {
                let compressed = case["flags"].to_string().contains("Compressed");
                assert!(
                    compressed || case.text("result") != "valid",
                    "{error} {case}"
                );
            }
        }
        true
    })
}

#[test]
fn wycheproof_ecdh_p256() {
    assert_eq!(
        wycheproof_ecdh("ecdh_secp256r1_ecpoint_test.json", GroupId::Ecp256),
        355
    );
}

#[test]
fn wycheproof_ecdh_p521() {
    assert_eq!(
        wycheproof_ecdh("ecdh_secp521r1_ecpoint_test.json", GroupId::Ecp521),
        661
    );
}

#[test]
fn c2_points_off_the_curve_are_refused() {
    for id in [GroupId::Ecp256, GroupId::Ecp384, GroupId::Ecp521] {
        let group = group(id);
        let good = group.start(&mut rng(3)).unwrap().public().to_vec();
        let mut off = good.clone();
        *off.last_mut().unwrap() ^= 1;
        let zero = vec![0; good.len()];
        let too_large = vec![0xff; good.len()];
        for bad in [off, zero, too_large] {
            let refused = Some(CryptoError::PublicValueInvalid);
            assert_eq!(group.respond(&mut rng(4), &bad).err(), refused, "{id}");
            assert_eq!(
                group.start(&mut rng(4)).unwrap().finish(&bad).err(),
                refused,
                "{id}"
            );
        }
    }
}

#[test]
fn c2_wycheproof_x25519_zero_secrets_are_refused() {
    let group = group(GroupId::X25519);
    let mut zeros = 0;
    let run = wycheproof("x25519_test.json", |_, case| {
        let active = group
            .start(&mut Script::new(&case.bytes("private")))
            .unwrap();
        let (public, shared) = (case.bytes("public"), case.bytes("shared"));
        // It is seen before a private key is spent on it, in both roles.
        let refused = Err(CryptoError::PublicValueInvalid);
        let seen = if shared == [0; 32] { refused } else { Ok(()) };
        assert_eq!(group.check_initiator(&public), seen, "{case}");
        assert_eq!(group.check_responder(&public), seen, "{case}");
        match active.finish(&public) {
            Ok(secret) => assert_eq!(secret.expose(), shared, "{case}"),
            Err(error) => {
                assert_eq!(Err(error), seen, "{case}");
                let answered = group.respond(&mut rng(4), &public);
                assert_eq!(answered.map(drop), seen, "{case}");
                zeros += 1;
            }
        }
        true
    });
    assert_eq!(run, 518);
    assert!(zeros > 10, "{zeros} zero secrets");
}

#[test]
fn rfc7748_s6_1_diffie_hellman() {
    let group = group(GroupId::X25519);
    let alice = hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let bob = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
    let initiator = group.start(&mut Script::new(&alice)).unwrap();
    let public = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    assert_eq!(initiator.public(), public);
    let (answer, secret) = group.respond(&mut Script::new(&bob), &public).unwrap();
    let public = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert_eq!(answer, public);
    let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(secret.expose(), shared);
    assert_eq!(initiator.finish(&answer).unwrap().expose(), shared);
}

/// Seed → encapsulation key, then decapsulation of a ciphertext, whole or damaged.
#[test]
fn wycheproof_ml_kem_512_and_768() {
    for (file, id) in [
        ("mlkem_512_test.json", GroupId::MlKem512),
        ("mlkem_768_test.json", GroupId::MlKem768),
    ] {
        let mut opened = 0;
        let run = wycheproof(file, |_, case| {
            let (seed, valid) = (case.bytes("seed"), case.text("result") == "valid");
            if seed.len() != 64 {
                assert!(!valid, "{case}");
                return true;
            }
            let active = group(id).start(&mut Script::new(&seed)).unwrap();
            assert_eq!(active.public(), case.bytes("ek"), "{case}");
            match active.finish(&case.bytes("c")) {
                Ok(secret) => {
                    assert_eq!(secret.expose(), case.bytes("K"), "{case}");
                    opened += 1;
                }
                Err(_) => assert!(!valid, "{case}"),
            }
            true
        });
        assert_eq!(run, 193, "{file}");
        assert!(opened > 150, "{file}: {opened}");
    }
}

#[test]
fn c24_fips203_s7_2_encapsulation_keys_beyond_the_modulus_are_refused() {
    for id in [GroupId::MlKem512, GroupId::MlKem768, GroupId::MlKem1024] {
        let mut public = group(id).start(&mut rng(1)).unwrap().public().to_vec();
        // The first coefficient, 12 bits little-endian: 3329 = q is one too many.
        public[0] = 0x01;
        public[1] = (public[1] & 0xf0) | 0x0d;
        let refused = Some(CryptoError::PublicValueInvalid);
        assert_eq!(
            group(id).respond(&mut rng(2), &public).err(),
            refused,
            "{id}"
        );
    }
}

#[test]
fn c24_fips203_s6_3_a_damaged_ciphertext_gives_another_secret() {
    for id in [GroupId::MlKem512, GroupId::MlKem768, GroupId::MlKem1024] {
        let active = group(id).start(&mut rng(1)).unwrap();
        let (mut ciphertext, secret) = group(id).respond(&mut rng(2), active.public()).unwrap();
        ciphertext[7] ^= 1;
        assert_ne!(active.finish(&ciphertext).unwrap(), secret, "{id}");
    }
}
