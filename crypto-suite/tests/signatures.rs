//! Signatures against published vectors and against OpenSSL's.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![allow(clippy::panic, clippy::expect_used, clippy::cast_possible_truncation)]

mod common;

use common::{Fields, hex, json, rng, wycheproof};
use crypto_suite::{
    CryptoError, DEFAULT, EcdsaCurve, EcdsaForm, HashId, SignatureId, SignatureScheme,
};

fn scheme(id: SignatureId) -> &'static dyn SignatureScheme {
    DEFAULT.signature(id).unwrap_or_else(|| panic!("no {id}"))
}

/// Checks every case of a file; returns (cases, valid ones).
fn verify_all(file: &str, id: SignatureId) -> (usize, usize) {
    let mut valid = 0;
    let run = wycheproof(file, |group, case| {
        let key = group.bytes("publicKeyDer");
        let (msg, sig) = (case.bytes("msg"), case.bytes("sig"));
        let (head, tail) = msg.split_at(msg.len() / 2);
        let verified = scheme(id).verify(&key, &[head, tail], &sig);
        // "acceptable" marks encodings that strict verifiers refuse.
        match case.text("result") {
            "valid" => assert_eq!(verified, Ok(()), "{case}"),
            _ => assert_eq!(verified, Err(CryptoError::SignatureInvalid), "{case}"),
        }
        valid += usize::from(verified.is_ok());
        true
    });
    (run, valid)
}

#[test]
fn wycheproof_ed25519() {
    let (run, valid) = verify_all("ed25519_test.json", SignatureId::Ed25519);
    assert!(run == 151 && valid > 50, "{run} {valid}");
}

#[test]
fn wycheproof_ecdsa_p256_in_both_forms() {
    let id = |form| SignatureId::Ecdsa(EcdsaCurve::P256, HashId::Sha256, form);
    let (run, valid) = verify_all("ecdsa_secp256r1_sha256_test.json", id(EcdsaForm::Der));
    assert!(run == 484 && valid > 100, "{run} {valid}");
    let (run, valid) = verify_all("ecdsa_secp256r1_sha256_p1363_test.json", id(EcdsaForm::Raw));
    assert!(run == 262 && valid > 100, "{run} {valid}");
}

#[test]
fn wycheproof_ecdsa_p521_raw() {
    let id = SignatureId::Ecdsa(EcdsaCurve::P521, HashId::Sha512, EcdsaForm::Raw);
    let (run, valid) = verify_all("ecdsa_secp521r1_sha512_p1363_test.json", id);
    assert!(run == 318 && valid > 100, "{run} {valid}");
}

#[cfg(feature = "rsa")]
#[test]
fn c5_wycheproof_rsa_pkcs1_forgeries_are_refused() {
    let id = SignatureId::RsaPkcs1(HashId::Sha256);
    let (run, valid) = verify_all("rsa_signature_2048_sha256_test.json", id);
    assert!(run == 259 && valid >= 3, "{run} {valid}");
}

fn id_named(name: &str) -> Option<SignatureId> {
    let (kind, hash) = name.rsplit_once('_').unwrap_or((name, ""));
    let hash = match hash {
        "sha1" => HashId::Sha1,
        "sha384" => HashId::Sha384,
        "sha512" => HashId::Sha512,
        _ => HashId::Sha256,
    };
    Some(match kind {
        "RSA_PKCS1" if cfg!(feature = "rsa") => SignatureId::RsaPkcs1(hash),
        "RSA_PSS" if cfg!(feature = "rsa") => SignatureId::RsaPss(hash),
        "ECDSA_P-256" => SignatureId::Ecdsa(EcdsaCurve::P256, hash, EcdsaForm::Der),
        "ECDSA_P-384" => SignatureId::Ecdsa(EcdsaCurve::P384, hash, EcdsaForm::Der),
        "ECDSA_P-521" => SignatureId::Ecdsa(EcdsaCurve::P521, hash, EcdsaForm::Der),
        "ED25519" => SignatureId::Ed25519,
        _ => return None,
    })
}

#[test]
fn openssl_signatures_verify_and_ours_verify_under_the_same_key() {
    let file = json("openssl/signatures.json");
    let mut run = 0;
    for case in file.as_array().unwrap() {
        let Some(id) = id_named(case.text("scheme")) else {
            continue;
        };
        let (scheme, public) = (scheme(id), case.bytes("public"));
        let (message, signature) = (case.bytes("message"), case.bytes("signature"));
        assert_eq!(
            scheme.verify(&public, &[&message], &signature),
            Ok(()),
            "{id}"
        );

        // Every flipped bit in either is noticed, and every other length.
        for bit in 0..signature.len() * 8 {
            if bit % 7 != 0 {
                continue;
            }
            let mut bad = signature.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let refused = Err(CryptoError::SignatureInvalid);
            assert_eq!(
                scheme.verify(&public, &[&message], &bad),
                refused,
                "{id} bit {bit}"
            );
        }
        let longer = [signature.as_slice(), &[0]].concat();
        let padded = [&[0], signature.as_slice()].concat();
        for bad in [
            &[][..],
            &signature[1..],
            &signature[..signature.len() - 1],
            &longer,
            &padded,
        ] {
            assert!(scheme.verify(&public, &[&message], bad).is_err(), "{id}");
        }
        assert!(
            scheme
                .verify(&public, &[&message, b"."], &signature)
                .is_err(),
            "{id}"
        );

        let encodings = ["pkcs8", "traditional"];
        for private in encodings.iter().filter_map(|name| case[name].as_str()) {
            let key = scheme.signing_key(&hex(private)).unwrap();
            assert_eq!(key.public_key(), public, "{id}");
            assert_eq!(key.id(), id);
            let (head, tail) = message.split_at(5);
            let ours = key.sign(&mut rng(1), &[head, tail]).unwrap();
            assert_eq!(scheme.verify(&public, &[&message], &ours), Ok(()), "{id}");
            if matches!(id, SignatureId::RsaPkcs1(_) | SignatureId::Ed25519) {
                assert_eq!(ours, signature, "{id} is deterministic");
            }
        }
        run += 1;
    }
    assert!(run >= 10, "{run}");
}

#[test]
fn keys_of_other_schemes_and_broken_keys_are_refused() {
    let file = json("openssl/signatures.json");
    let cases = file.as_array().unwrap();
    for scheme in DEFAULT.signatures {
        for case in cases {
            let (public, private) = (case.bytes("public"), case.bytes("pkcs8"));
            let fits = id_named(case.text("scheme")).is_some_and(|id| match (id, scheme.id()) {
                (
                    SignatureId::Ecdsa(a, ..),
                    SignatureId::Ecdsa(b, ..) | SignatureId::EcdsaDigest(b),
                ) => a == b,
                (SignatureId::Ed25519, other) | (other, SignatureId::Ed25519) => {
                    other == SignatureId::Ed25519 && id == SignatureId::Ed25519
                }
                (SignatureId::Ecdsa(..), _)
                | (_, SignatureId::Ecdsa(..) | SignatureId::EcdsaDigest(_)) => false,
                _ => true,
            });
            assert_eq!(
                scheme.signing_key(&private).is_ok(),
                fits,
                "{}",
                scheme.id()
            );
            let verified = scheme.verify(&public, &[b"x"], &[1; 64]);
            let refused = if fits {
                CryptoError::SignatureInvalid
            } else {
                CryptoError::KeyInvalid
            };
            assert_eq!(
                verified,
                Err(refused),
                "{} {}",
                scheme.id(),
                case.text("scheme")
            );
            for cut in [0, 1, public.len() / 2, public.len() - 1] {
                let verified = scheme.verify(&public[..cut], &[b"x"], &[1; 64]);
                assert_eq!(verified, Err(CryptoError::KeyInvalid));
                assert!(scheme.signing_key(&private[..cut]).is_err());
            }
        }
    }
}

#[test]
fn c5_empty_and_zero_ecdsa_signatures_are_refused() {
    let file = json("openssl/signatures.json");
    for case in file.as_array().unwrap() {
        let Some(SignatureId::Ecdsa(curve, hash, _)) = id_named(case.text("scheme")) else {
            continue;
        };
        let public = case.bytes("public");
        let der = scheme(SignatureId::Ecdsa(curve, hash, EcdsaForm::Der));
        let refused = Err(CryptoError::SignatureInvalid);
        for bad in [
            "",
            "3000",
            "30060201000201 00",
            "3006020100020101",
            "3006020101020100",
        ] {
            assert_eq!(
                der.verify(&public, &[b"x"], &hex(&bad.replace(' ', ""))),
                refused
            );
        }
        if let Some(raw) = DEFAULT.signature(SignatureId::Ecdsa(curve, hash, EcdsaForm::Raw)) {
            for len in [0, 64, 96, 132] {
                assert_eq!(raw.verify(&public, &[b"x"], &vec![0; len]), refused);
            }
        }
    }
}

#[test]
fn raw_ecdsa_signatures_have_rfc4754_lengths() {
    let file = json("openssl/signatures.json");
    let lengths = [
        (EcdsaCurve::P256, HashId::Sha256, 64),
        (EcdsaCurve::P384, HashId::Sha384, 96),
        (EcdsaCurve::P521, HashId::Sha512, 132),
    ];
    for (curve, hash, len) in lengths {
        let scheme = scheme(SignatureId::Ecdsa(curve, hash, EcdsaForm::Raw));
        let private = file.as_array().unwrap().iter().find_map(|case| {
            let id = id_named(case.text("scheme"));
            matches!(id, Some(SignatureId::Ecdsa(c, ..)) if c == curve).then(|| case.bytes("pkcs8"))
        });
        let key = scheme.signing_key(&private.unwrap()).unwrap();
        let signature = key.sign(&mut rng(1), &[b"text"]).unwrap();
        assert_eq!(signature.len(), len);
        assert_eq!(
            scheme.verify(key.public_key(), &[b"text"], &signature),
            Ok(())
        );
    }
}

/// RFC 2409 §5.1: what is signed is a digest. A signature over a message whose hash that is differs from it in RSA by
/// the AlgorithmIdentifier alone, and in ECDSA not at all.
#[test]
fn rfc2409_s5_1_signatures_over_a_digest() {
    let mut rng = rng(7);
    let file = json("openssl/signatures.json");
    let mut run = 0;
    for case in file.as_array().unwrap() {
        let (digested, hash, length) = match case.text("scheme") {
            "ECDSA_P-256_sha256" => (
                SignatureId::EcdsaDigest(EcdsaCurve::P256),
                HashId::Sha256,
                32,
            ),
            "ECDSA_P-384_sha384" => (
                SignatureId::EcdsaDigest(EcdsaCurve::P384),
                HashId::Sha384,
                48,
            ),
            "ECDSA_P-521_sha512" => (
                SignatureId::EcdsaDigest(EcdsaCurve::P521),
                HashId::Sha512,
                64,
            ),
            "RSA_PKCS1_sha256" if cfg!(feature = "rsa") => {
                (SignatureId::RsaPkcs1Digest, HashId::Sha256, 32)
            }
            _ => continue,
        };
        run += 1;
        let (digested, public) = (scheme(digested), case.bytes("public"));
        let key = digested.signing_key(&case.bytes("pkcs8")).unwrap();
        let message = case.bytes("message");
        let hash = DEFAULT.hash(hash).unwrap().digest(&[&message]);
        let (digest, half) = (hash.as_ref(), length / 2);
        let signature = key
            .sign(&mut rng, &[&digest[..half], &digest[half..]])
            .unwrap();
        assert_eq!(key.public_key(), public);
        assert_eq!(digested.verify(&public, &[digest], &signature), Ok(()));
        // The message's own scheme agrees, where it has no identifier.
        if let SignatureId::Ecdsa(curve, hash, _) = id_named(case.text("scheme")).unwrap() {
            let raw = scheme(SignatureId::Ecdsa(curve, hash, EcdsaForm::Raw));
            assert_eq!(raw.verify(&public, &[&message], &signature), Ok(()));
        }
        // With the identifier in front, or over another digest, it is another signature.
        let plain = scheme(id_named(case.text("scheme")).unwrap());
        let of_message = plain.signing_key(&case.bytes("pkcs8")).unwrap();
        let of_message = of_message.sign(&mut rng, &[&message]).unwrap();
        assert!(digested.verify(&public, &[digest], &of_message).is_err());
        let mut other = digest.to_vec();
        other[0] ^= 1;
        assert!(digested.verify(&public, &[&other], &signature).is_err());
        // No digest is shorter than that of MD5, or longer than that of SHA-512.
        for wrong in [0, 15, 65] {
            assert!(key.sign(&mut rng, &[&vec![7; wrong]]).is_err());
            assert!(
                digested
                    .verify(&public, &[&vec![7; wrong]], &signature)
                    .is_err()
            );
        }
    }
    assert_eq!(run, if cfg!(feature = "rsa") { 4 } else { 3 });
}
