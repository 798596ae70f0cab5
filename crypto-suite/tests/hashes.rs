//! Hashes, PRFs and truncated HMACs against published vectors.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![allow(clippy::panic, clippy::expect_used, clippy::cast_possible_truncation)]

mod common;

use common::{Fields, cavs, hex, json, wycheproof};
use crypto_suite::{CryptoError, DEFAULT, HashId, IntegrityId, PrfId};

#[test]
fn rfc1321_rfc3174_fips180_hashes_of_abc_and_of_nothing() {
    let cases = [
        (HashId::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
        (HashId::Md5, "", "d41d8cd98f00b204e9800998ecf8427e"),
        (
            HashId::Sha1,
            "abc",
            "a9993e364706816aba3e25717850c26c9cd0d89d",
        ),
        (HashId::Sha1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (
            HashId::Sha256,
            "abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            HashId::Sha384,
            "abc",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            HashId::Sha512,
            "abc",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];
    for (id, text, digest) in cases {
        let hash = DEFAULT.hash(id).unwrap();
        let (head, tail) = text.as_bytes().split_at(text.len() / 2);
        assert_eq!(
            hash.digest(&[head, tail]).as_ref(),
            hex(digest),
            "{id} of {text:?}"
        );
        assert_eq!(hash.output_len(), hex(digest).len());
    }
}

fn prf_named(name: &str) -> PrfId {
    match name {
        "HMAC-MD5" => PrfId::HmacMd5,
        "HMAC-SHA1" => PrfId::HmacSha1,
        "HMAC-SHA256" => PrfId::HmacSha256,
        "HMAC-SHA384" => PrfId::HmacSha384,
        "HMAC-SHA512" => PrfId::HmacSha512,
        other => panic!("unknown PRF {other}"),
    }
}

#[test]
fn rfc2202_rfc4231_hmac_test_cases() {
    let cases = json("rfc/hmac.json");
    for case in cases.as_array().unwrap() {
        let prf = DEFAULT.prf(prf_named(case.text("prf"))).unwrap();
        let (data, want) = (case.bytes("data"), case.bytes("digest"));
        let (head, tail) = data.split_at(data.len() / 3);
        let digest = prf.prf(&case.bytes("key"), &[head, &[], tail]);
        assert_eq!(digest.truncated(want.len()).as_ref(), want, "{case}");
    }
    assert_eq!(cases.as_array().unwrap().len(), 14 + 21);
}

#[test]
fn nist_cavs_hmac_as_prf() {
    let mut run = 0;
    for (section, case) in cavs("HMAC.fax") {
        let id = match section.as_str() {
            "[L=20]" => PrfId::HmacSha1,
            "[L=32]" => PrfId::HmacSha256,
            "[L=48]" => PrfId::HmacSha384,
            "[L=64]" => PrfId::HmacSha512,
            _ => continue, // SHA-224 is no PRF of IKE.
        };
        let want = hex(&case["Mac"]);
        let mac = DEFAULT
            .prf(id)
            .unwrap()
            .prf(&hex(&case["Key"]), &[&hex(&case["Msg"])]);
        assert_eq!(
            mac.truncated(want.len()).as_ref(),
            want,
            "{section} {case:?}"
        );
        run += 1;
    }
    assert!(run >= 150, "only {run} cases");
}

#[test]
fn wycheproof_hmac() {
    let files = [
        ("hmac_sha1_test.json", PrfId::HmacSha1),
        ("hmac_sha256_test.json", PrfId::HmacSha256),
        ("hmac_sha512_test.json", PrfId::HmacSha512),
    ];
    for (file, id) in files {
        let prf = DEFAULT.prf(id).unwrap();
        let run = wycheproof(file, |group, case| {
            let len = group.number("tagSize") / 8;
            let mac = prf
                .prf(&case.bytes("key"), &[&case.bytes("msg")])
                .truncated(len);
            let valid = mac == *case.bytes("tag").as_slice();
            assert_eq!(valid, case.text("result") == "valid", "{file} {case}");
            true
        });
        assert!(run >= 170, "{file}: {run}");
    }
}

#[test]
fn c15_integrity_is_the_truncated_prf_and_checks_every_byte() {
    for &id in IntegrityId::ALL {
        let integrity = DEFAULT.integrity(id).unwrap();
        let prf = match id {
            IntegrityId::HmacMd5_96 => PrfId::HmacMd5,
            IntegrityId::HmacSha1_96 => PrfId::HmacSha1,
            IntegrityId::HmacSha256_128 => PrfId::HmacSha256,
            IntegrityId::HmacSha384_192 => PrfId::HmacSha384,
            _ => PrfId::HmacSha512,
        };
        let key = vec![0x42; integrity.key_len()];
        let prepared = integrity.new_key(&key).unwrap();
        let whole = DEFAULT.prf(prf).unwrap().prf(&key, &[b"some text"]);
        let icv = prepared.icv(&[b"some ", b"text"]);
        assert_eq!(icv.as_ref(), &whole.as_ref()[..integrity.icv_len()]);

        prepared.verify(&[b"some text"], icv.as_ref()).unwrap();
        let refused = Err(CryptoError::IntegrityFailed);
        for at in 0..icv.len() {
            let mut bad = icv.as_ref().to_vec();
            bad[at] ^= 0x80;
            assert_eq!(prepared.verify(&[b"some text"], &bad), refused);
            assert_eq!(
                prepared.verify(&[b"some text"], &icv.as_ref()[..at]),
                refused
            );
        }
        assert_eq!(
            prepared.verify(&[b"some text"], whole.as_ref()),
            match id {
                _ if whole.len() == icv.len() => Ok(()),
                _ => refused,
            }
        );
        for len in [0, key.len() - 1, key.len() + 1] {
            let error = integrity.new_key(&vec![0; len]).err();
            let expected = CryptoError::KeyLength {
                expected: key.len(),
                actual: len,
            };
            assert_eq!(error, Some(expected));
        }
    }
}
