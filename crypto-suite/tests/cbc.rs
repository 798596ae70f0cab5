//! Bare CBC ciphers against published vectors, and their refusals.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![allow(clippy::panic, clippy::expect_used, clippy::cast_possible_truncation)]

mod common;

use common::{Fields, cavs, hex, json, wycheproof};
use crypto_suite::{CipherId, CryptoError, DEFAULT};

fn check(id: CipherId, key: &[u8], iv: &[u8], plain: &[u8], cipher: &[u8]) {
    let key = DEFAULT.cipher(id).unwrap().new_key(key).unwrap();
    let mut data = plain.to_vec();
    key.encrypt(iv, &mut data).unwrap();
    assert_eq!(data, cipher);
    key.decrypt(iv, &mut data).unwrap();
    assert_eq!(data, plain);
}

#[test]
fn rfc3602_s4_aes_cbc_test_cases() {
    let cases = json("rfc/aes_cbc.json");
    for case in cases.as_array().unwrap() {
        let [key, iv, plain, cipher] = ["key", "iv", "plain", "cipher"].map(|f| case.bytes(f));
        check(CipherId::Aes128Cbc, &key, &iv, &plain, &cipher);
    }
    assert_eq!(cases.as_array().unwrap().len(), 8);
}

#[test]
fn nist_cavs_aes_cbc() {
    let files = [
        ("CBCMMT128.fax", CipherId::Aes128Cbc, 20),
        ("CBCMMT256.fax", CipherId::Aes256Cbc, 20),
        ("CBCGFSbox128.fax", CipherId::Aes128Cbc, 14),
    ];
    for (file, id, count) in files {
        let cases = cavs(file);
        let cases: Vec<_> = cases
            .iter()
            .filter(|(_, case)| case.contains_key("KEY"))
            .collect();
        assert_eq!(cases.len(), count, "{file}");
        for (_, case) in cases {
            let [key, iv, plain, cipher] =
                ["KEY", "IV", "PLAINTEXT", "CIPHERTEXT"].map(|field| hex(&case[field]));
            check(id, &key, &iv, &plain, &cipher);
        }
    }
}

#[test]
fn nist_cavs_triple_des_cbc() {
    let cases: Vec<_> = cavs("TCBCMMT3.fax");
    let cases: Vec<_> = cases
        .iter()
        .filter(|(_, case)| case.contains_key("KEY1"))
        .collect();
    assert_eq!(cases.len(), 20);
    for (_, case) in cases {
        let key = ["KEY1", "KEY2", "KEY3"]
            .map(|field| hex(&case[field]))
            .concat();
        let [iv, plain, cipher] = ["IV", "PLAINTEXT", "CIPHERTEXT"].map(|field| hex(&case[field]));
        check(CipherId::TripleDesCbc, &key, &iv, &plain, &cipher);
    }
}

#[test]
fn nist_cavs_triple_des_with_one_key_is_des_and_is_refused_as_triple_des() {
    let cases = cavs("TCBCMMT1.fax");
    let cases: Vec<_> = cases
        .iter()
        .filter(|(_, case)| case.contains_key("KEY1"))
        .collect();
    assert_eq!(cases.len(), 20);
    for (_, case) in cases {
        let [key, iv, plain, cipher] =
            ["KEY1", "IV", "PLAINTEXT", "CIPHERTEXT"].map(|field| hex(&case[field]));
        check(CipherId::DesCbc, &key, &iv, &plain, &cipher);
        let triple = DEFAULT.cipher(CipherId::TripleDesCbc).unwrap();
        assert_eq!(
            triple.new_key(&key.repeat(3)).err(),
            Some(CryptoError::WeakKey)
        );
    }
}

#[test]
fn wycheproof_aes_cbc_pkcs5() {
    let run = wycheproof("aes_cbc_pkcs5_test.json", |_, case| {
        let key = case.bytes("key");
        let id = match key.len() {
            16 => CipherId::Aes128Cbc,
            24 => CipherId::Aes192Cbc,
            _ => CipherId::Aes256Cbc,
        };
        let key = DEFAULT.cipher(id).unwrap().new_key(&key).unwrap();
        let mut data = case.bytes("ct");
        let opened = key.decrypt(&case.bytes("iv"), &mut data).is_ok();
        // Padding is not this crate's: the test takes it off.
        let text = data.last().filter(|_| opened).and_then(|&pad| {
            let (text, padding) = data.split_at_checked(data.len().checked_sub(pad.into())?)?;
            let good = (1..=16).contains(&pad) && padding.iter().all(|&byte| byte == pad);
            good.then_some(text)
        });
        let expected = (case.text("result") == "valid").then(|| case.bytes("msg"));
        assert_eq!(text, expected.as_deref(), "{case}");
        true
    });
    assert_eq!(run, 216);
}

#[test]
fn rfc2409_appendix_a_des_weak_and_semi_weak_keys_are_refused() {
    // The 4 weak and 12 semi-weak keys of RFC 2409 Appendix A; the halves of its second and third
    // weak key are misprinted there (1F1F 1F1F E0E0 E0E0 for 1F1F 1F1F 0E0E 0E0E).
    let keys = [
        "0101010101010101",
        "1f1f1f1f0e0e0e0e",
        "e0e0e0e0f1f1f1f1",
        "fefefefefefefefe",
        "01fe01fe01fe01fe",
        "1fe01fe00ef10ef1",
        "01e001e001f101f1",
        "1ffe1ffe0efe0efe",
        "011f011f010e010e",
        "e0fee0fef1fef1fe",
        "fe01fe01fe01fe01",
        "e01fe01ff10ef10e",
        "e001e001f101f101",
        "fe1ffe1ffe0efe0e",
        "1f011f010e010e01",
        "fee0fee0fef1fef1",
    ];
    let des = DEFAULT.cipher(CipherId::DesCbc).unwrap();
    for key in keys.map(hex) {
        assert_eq!(
            des.new_key(&key).err(),
            Some(CryptoError::WeakKey),
            "{key:02x?}"
        );
        // The parity bits are no part of the key: no setting of them hides it.
        let flipped: Vec<u8> = key.iter().map(|byte| byte ^ 1).collect();
        assert_eq!(
            des.new_key(&flipped).err(),
            Some(CryptoError::WeakKey),
            "{flipped:02x?}"
        );
    }
    assert!(des.new_key(&hex("0123456789abcdef")).is_ok());
}

#[test]
fn rfc2451_s2_3_equal_adjacent_triple_des_keys_are_refused() {
    let [a, b, c] = ["0123456789abcdef", "23456789abcdef01", "456789abcdef0123"].map(hex);
    let other_parity: Vec<u8> = a.iter().map(|byte| byte ^ 1).collect();
    let triple = DEFAULT.cipher(CipherId::TripleDesCbc).unwrap();
    for weak in [
        [&a, &a, &b],
        [&b, &a, &a],
        [&a, &other_parity, &b],
        [&b, &a, &other_parity],
    ] {
        let key = weak.map(Vec::as_slice).concat();
        assert_eq!(triple.new_key(&key).err(), Some(CryptoError::WeakKey));
    }
    assert!(triple.new_key(&[a.as_slice(), &b, &c].concat()).is_ok());
    assert!(triple.new_key(&[a.as_slice(), &b, &a].concat()).is_ok());
}

#[test]
fn wrong_lengths_are_refused_and_change_nothing() {
    for &id in CipherId::ALL {
        let cipher = DEFAULT.cipher(id).unwrap();
        for len in [0, 1, cipher.key_len() - 1, cipher.key_len() + 1, 64] {
            let expected = CryptoError::KeyLength {
                expected: id.key_len(),
                actual: len,
            };
            assert_eq!(cipher.new_key(&vec![0x2b; len]).err(), Some(expected));
        }
        let material: Vec<u8> = (0..cipher.key_len() as u8)
            .map(|i| i.wrapping_mul(37))
            .collect();
        let key = cipher.new_key(&material).unwrap();
        let block = cipher.block_len();
        let data = vec![0x55; 3 * block + 1];
        for (iv_len, data_len) in [
            (0, block),
            (block - 1, block),
            (block + 1, block),
            (block, block + 1),
            (block, 1),
        ] {
            let iv = vec![7; iv_len];
            let mut work = data[..data_len].to_vec();
            let expected = if iv_len == block {
                CryptoError::NotBlockAligned {
                    len: data_len,
                    block,
                }
            } else {
                CryptoError::IvLength {
                    expected: block,
                    actual: iv_len,
                }
            };
            assert_eq!(key.encrypt(&iv, &mut work), Err(expected));
            assert_eq!(key.decrypt(&iv, &mut work), Err(expected));
            assert_eq!(work, data[..data_len]);
        }
    }
}
