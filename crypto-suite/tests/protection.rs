//! Packet protections: whole packets made by others, and the contract of seal and open.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![allow(clippy::panic, clippy::expect_used, clippy::cast_possible_truncation)]

mod common;

use std::collections::BTreeSet;

use common::{Fields, json};
use crypto_suite::{
    AeadId, CipherId, CryptoError, DEFAULT, IntegrityId, Layout, OpenJob, PacketKey, Protection,
    ProtectionId, SealJob,
};
use proptest::prelude::*;

/// Keying material without DES weak keys.
fn keymat(protection: &dyn Protection) -> Vec<u8> {
    (0..protection.key_material_len())
        .map(|i| (i as u8).wrapping_mul(59).wrapping_add(3))
        .collect()
}

fn key(protection: &dyn Protection) -> Box<dyn PacketKey> {
    protection.new_key(&keymat(protection)).unwrap()
}

/// `aad | room for IV | text | room for ICV`.
fn blank(key: &dyn PacketKey, aad: &[u8], text: &[u8]) -> Vec<u8> {
    [
        aad,
        &vec![0xee; key.iv_len()],
        text,
        &vec![0xee; key.icv_len()],
    ]
    .concat()
}

#[test]
fn default_holds_every_combination() {
    let ids: BTreeSet<_> = DEFAULT.protections.iter().map(|p| p.id()).collect();
    assert_eq!(ids.len(), DEFAULT.protections.len(), "an id twice");
    for &integrity in IntegrityId::ALL {
        assert!(ids.contains(&ProtectionId::NullHmac(integrity)));
        for &cipher in CipherId::ALL {
            assert!(ids.contains(&ProtectionId::CbcHmac(cipher, integrity)));
        }
    }
    for &aead in AeadId::ALL {
        assert!(ids.contains(&ProtectionId::Aead(aead)), "{aead}");
    }
    for protection in DEFAULT.protections {
        let (id, key) = (protection.id(), key(*protection));
        assert_eq!(key.iv_len(), id.iv_len(), "{id}");
        assert_eq!(key.icv_len(), id.icv_len(), "{id}");
        assert_eq!(key.block_len(), id.block_len(), "{id}");
    }
}

fn dpdk_suite(case: &serde_json::Value) -> Option<(ProtectionId, Vec<u8>)> {
    let algo = |chain: &str, kind: &str| case["xform"][chain][kind]["algo"].as_str();
    if case.text("aead") == "true" {
        let id = match (algo("aead", "aead")?, case["key"].bytes("data").len()) {
            ("RTE_CRYPTO_AEAD_AES_GCM", 16) => AeadId::Aes128Gcm16,
            ("RTE_CRYPTO_AEAD_AES_GCM", 32) => AeadId::Aes256Gcm16,
            _ => return None,
        };
        let keymat = [case["key"].bytes("data"), case["salt"].bytes("data")].concat();
        return Some((ProtectionId::Aead(id), keymat));
    }
    let cipher = match algo("chain.cipher", "cipher")? {
        "RTE_CRYPTO_CIPHER_AES_CBC" => CipherId::Aes128Cbc,
        "RTE_CRYPTO_CIPHER_3DES_CBC" => CipherId::TripleDesCbc,
        "RTE_CRYPTO_CIPHER_DES_CBC" => CipherId::DesCbc,
        _ => return None,
    };
    let integrity = match algo("chain.auth", "auth")? {
        "RTE_CRYPTO_AUTH_MD5_HMAC" => IntegrityId::HmacMd5_96,
        "RTE_CRYPTO_AUTH_SHA256_HMAC" => IntegrityId::HmacSha256_128,
        "RTE_CRYPTO_AUTH_SHA384_HMAC" => IntegrityId::HmacSha384_192,
        "RTE_CRYPTO_AUTH_SHA512_HMAC" => IntegrityId::HmacSha512_256,
        _ => return None,
    };
    let keymat = [case["key"].bytes("data"), case["auth_key"].bytes("data")].concat();
    Some((ProtectionId::CbcHmac(cipher, integrity), keymat))
}

#[test]
fn dpdk_esp_packets_open_to_their_inner_packets() {
    let mut run = 0;
    let file = json("dpdk/ipsec_test_data.json");
    for (name, case) in file.as_object().unwrap() {
        let Some((id, keymat)) = dpdk_suite(case) else {
            continue;
        };
        let outer = case["output_text"].bytes("data");
        // The outer header of tunnel mode: IPv4 or IPv6 without options.
        let esp = &outer[if outer[0] >> 4 == 6 { 40 } else { 20 }..];
        let key = DEFAULT.protection(id).unwrap().new_key(&keymat).unwrap();
        let mut packet = esp.to_vec();
        key.open(&mut packet, Layout::esp(None))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let inner = case["input_text"].bytes("data");
        let at = 8 + key.iv_len();
        assert_eq!(packet[at..at + inner.len()], inner, "{name}");
        run += 1;

        // Any flipped bit is noticed, and the refused packet stays as it was.
        for bit in 0..esp.len() * 8 {
            let mut bad = esp.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            let before = bad.clone();
            let refused = Err(CryptoError::IntegrityFailed);
            assert_eq!(
                key.open(&mut bad, Layout::esp(None)),
                refused,
                "{name} bit {bit}"
            );
            assert_eq!(bad, before, "{name} bit {bit}");
        }
    }
    assert!(run >= 12, "{run} packets");
}

#[test]
fn a1_every_truncation_is_refused_and_changes_nothing() {
    for protection in DEFAULT.protections {
        let key = key(*protection);
        let mut packet = blank(&*key, &[1, 2, 3, 4, 5, 6, 7, 8], &[0x33; 32]);
        key.seal(&mut packet, Layout::esp(None), 7).unwrap();
        for len in 0..packet.len() {
            let mut cut = packet[..len].to_vec();
            let error = key.open(&mut cut, Layout::esp(None)).unwrap_err();
            let needed = 8 + key.iv_len() + key.icv_len();
            if len < needed {
                assert_eq!(
                    error,
                    CryptoError::PacketTooShort {
                        needed,
                        actual: len
                    }
                );
            } else {
                assert_eq!(error, CryptoError::IntegrityFailed);
            }
            assert_eq!(cut, packet[..len]);

            let mut short = packet[..len.min(needed - 1)].to_vec();
            let before = short.clone();
            assert!(key.seal(&mut short, Layout::esp(None), 8).is_err());
            assert_eq!(short, before);
        }
        let mut whole = packet.clone();
        let absurd = Layout {
            aad_len: usize::MAX,
            esn_high: None,
        };
        assert!(key.open(&mut whole, absurd).is_err());
        assert!(key.seal(&mut whole, absurd, 9).is_err());
        assert_eq!(whole, packet);
    }
}

#[test]
fn partial_blocks_are_refused_and_change_nothing() {
    for protection in DEFAULT
        .protections
        .iter()
        .filter(|p| p.id().block_len() > 1)
    {
        let key = key(*protection);
        let block = key.block_len();
        let mut packet = blank(&*key, &[0; 8], &vec![0x33; block + 1]);
        let before = packet.clone();
        let refused = CryptoError::NotBlockAligned {
            len: block + 1,
            block,
        };
        assert_eq!(key.seal(&mut packet, Layout::esp(None), 1), Err(refused));
        assert_eq!(packet, before);
    }
}

#[test]
fn rfc4303_s2_2_1_extended_sequence_numbers_are_authenticated() {
    for protection in DEFAULT.protections {
        let (id, key) = (protection.id(), key(*protection));
        let mut packet = blank(&*key, &[0, 0, 1, 2, 0, 0, 0, 9], &[0x33; 16]);
        key.seal(&mut packet, Layout::esp(Some(5)), 0x5_0000_0009)
            .unwrap();
        for other in [None, Some(4), Some(6)] {
            let mut copy = packet.clone();
            let refused = Err(CryptoError::IntegrityFailed);
            assert_eq!(
                key.open(&mut copy, Layout::esp(other)),
                refused,
                "{id} {other:?}"
            );
        }
        key.open(&mut packet, Layout::esp(Some(5))).unwrap();
        assert_eq!(packet[8 + key.iv_len()..][..16], [0x33; 16]);
    }
}

#[test]
fn hmac_covers_the_esn_behind_the_ciphertext() {
    // RFC 4303 §2.2.1: ICV = HMAC(SPI | seq | payload | ESN high), here with NULL encryption.
    let protection = DEFAULT
        .protection(ProtectionId::NullHmac(IntegrityId::HmacSha1_96))
        .unwrap();
    let integrity = DEFAULT.integrity(IntegrityId::HmacSha1_96).unwrap();
    let keymat = keymat(protection);
    let key = protection.new_key(&keymat).unwrap();
    let mut packet = blank(&*key, &[0, 0, 1, 2, 0, 0, 0, 9], b"text");
    key.seal(&mut packet, Layout::esp(Some(0x0102_0304)), 9)
        .unwrap();
    let icv = integrity
        .new_key(&keymat)
        .unwrap()
        .icv(&[&packet[..12], &[1, 2, 3, 4]]);
    assert_eq!(packet[12..], *icv.as_ref());
}

#[test]
fn rfc4106_s5_an_esn_needs_the_eight_bytes_of_an_esp_header() {
    let id = ProtectionId::Aead(AeadId::Aes128Gcm16);
    let key = key(DEFAULT.protection(id).unwrap());
    for aad_len in [0, 4, 7, 9, 12] {
        let mut packet = blank(&*key, &vec![0; aad_len], &[1; 20]);
        let before = packet.clone();
        let layout = Layout {
            aad_len,
            esn_high: Some(1),
        };
        let refused = Err(CryptoError::AssociatedData { actual: aad_len });
        assert_eq!(key.seal(&mut packet, layout, 1), refused);
        assert_eq!(key.open(&mut packet, layout), refused);
        assert_eq!(packet, before);
    }
}

#[test]
fn c18_aead_ivs_are_the_sequence_number() {
    for protection in DEFAULT.protections {
        let ProtectionId::Aead(_) = protection.id() else {
            continue;
        };
        let key = key(*protection);
        let mut packet = blank(&*key, &[0; 8], b"text");
        key.seal(&mut packet, Layout::esp(None), 0x0102_0304_0506_0708)
            .unwrap();
        assert_eq!(packet[8..16], [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}

/// Wycheproof's nonce is 12 bytes: the first 4 are the salt, the other 8 the IV.
fn wycheproof_aead(file: &str, id: impl Fn(usize) -> AeadId) -> usize {
    common::wycheproof(file, |group, case| {
        if group.number("ivSize") != 96 || group.number("tagSize") != 128 {
            return false;
        }
        let (key, iv, aad) = (case.bytes("key"), case.bytes("iv"), case.bytes("aad"));
        let protection = DEFAULT
            .protection(ProtectionId::Aead(id(key.len())))
            .unwrap();
        let key = protection.new_key(&[&key, &iv[..4]].concat()).unwrap();
        let (ct, tag, text) = (case.bytes("ct"), case.bytes("tag"), case.bytes("msg"));
        let layout = Layout {
            aad_len: aad.len(),
            esn_high: None,
        };
        let sealed = [aad.as_slice(), &iv[4..], &ct, &tag].concat();
        let mut packet = sealed.clone();
        let opened = key.open(&mut packet, layout);
        if case.text("result") == "valid" {
            assert_eq!(opened, Ok(()), "{case}");
            assert_eq!(packet[aad.len() + 8..][..text.len()], text, "{case}");
            let seq = u64::from_be_bytes(iv[4..].try_into().unwrap());
            key.seal(&mut packet, layout, seq).unwrap();
            assert_eq!(packet, sealed, "{case}");
        } else {
            assert_eq!(opened, Err(CryptoError::IntegrityFailed), "{case}");
            assert_eq!(packet, sealed, "{case}");
        }
        true
    })
}

#[test]
fn wycheproof_aes_gcm() {
    let run = wycheproof_aead("aes_gcm_test.json", |key_len| match key_len {
        16 => AeadId::Aes128Gcm16,
        24 => AeadId::Aes192Gcm16,
        _ => AeadId::Aes256Gcm16,
    });
    assert!(run >= 150, "{run}");
}

#[test]
fn wycheproof_chacha20_poly1305() {
    let run = wycheproof_aead("chacha20_poly1305_test.json", |_| AeadId::ChaCha20Poly1305);
    assert!(run >= 300, "{run}");
}

#[test]
fn rfc4106_short_icvs_are_the_long_one_cut() {
    let suites = [
        [AeadId::Aes128Gcm16, AeadId::Aes128Gcm12, AeadId::Aes128Gcm8],
        [AeadId::Aes192Gcm16, AeadId::Aes192Gcm12, AeadId::Aes192Gcm8],
        [AeadId::Aes256Gcm16, AeadId::Aes256Gcm12, AeadId::Aes256Gcm8],
    ];
    for [long, shorter @ ..] in suites {
        let seal = |id| {
            let key = key(DEFAULT.protection(ProtectionId::Aead(id)).unwrap());
            let mut packet = blank(&*key, &[5; 8], b"some text of a packet");
            key.seal(&mut packet, Layout::esp(None), 77).unwrap();
            packet
        };
        for short in shorter {
            let (long, short) = (seal(long), seal(short));
            assert_eq!(short, long[..short.len()]);
        }
    }
}

#[test]
fn cbc_ivs_never_repeat_and_differ_between_keys() {
    for protection in DEFAULT.protections {
        let ProtectionId::CbcHmac(..) = protection.id() else {
            continue;
        };
        let other: Vec<u8> = keymat(*protection).iter().map(|byte| byte ^ 0x5a).collect();
        let mut seen = BTreeSet::new();
        for key in [key(*protection), protection.new_key(&other).unwrap()] {
            for seq in (0..200).chain([u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX]) {
                let mut packet = blank(&*key, &[0; 8], &[]);
                key.seal(&mut packet, Layout::esp(None), seq).unwrap();
                let iv = packet[8..8 + key.iv_len()].to_vec();
                // Unpredictable: not the counter itself, in either byte order.
                assert!(!iv.starts_with(&seq.to_be_bytes()) && !iv.ends_with(&seq.to_be_bytes()));
                assert!(seen.insert(iv), "{} seq {seq}", protection.id());
            }
        }
    }
}

#[test]
fn batches_do_what_single_calls_do() {
    for protection in DEFAULT.protections {
        let key = key(*protection);
        let mut singles: Vec<_> = (0..5u8).map(|i| blank(&*key, &[i; 8], &[i; 48])).collect();
        singles[3] = vec![0; 3];
        let mut batch = singles.clone();
        let results: Vec<_> = (0..5)
            .map(|i| key.seal(&mut singles[i], Layout::esp(None), i as u64))
            .collect();
        let mut jobs: Vec<_> = batch
            .iter_mut()
            .enumerate()
            .map(|(i, packet)| SealJob {
                packet,
                layout: Layout::esp(None),
                seq: i as u64,
                result: Ok(()),
            })
            .collect();
        key.seal_batch(&mut jobs);
        assert_eq!(
            jobs.iter().map(|job| job.result).collect::<Vec<_>>(),
            results
        );
        assert_eq!(batch, singles);

        batch[1][20] ^= 1;
        let mut jobs: Vec<_> = batch
            .iter_mut()
            .map(|packet| OpenJob {
                packet,
                layout: Layout::esp(None),
                result: Ok(()),
            })
            .collect();
        key.open_batch(&mut jobs);
        let results: Vec<_> = jobs.iter().map(|job| job.result.is_ok()).collect();
        assert_eq!(results, [true, false, true, false, true]);
    }
}

#[test]
fn keying_material_of_any_other_length_is_refused() {
    for protection in DEFAULT.protections {
        let expected = protection.key_material_len();
        assert_eq!(
            expected,
            protection.enc_key_len() + protection.integ_key_len()
        );
        for actual in [0, expected - 1, expected + 1, 2 * expected] {
            let error = protection.new_key(&vec![0x5a; actual]).err();
            assert_eq!(error, Some(CryptoError::KeyLength { expected, actual }));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn open_undoes_seal(
        aad in prop_oneof![
            proptest::collection::vec(any::<u8>(), 8),
            proptest::collection::vec(any::<u8>(), 0..80),
        ],
        blocks in 0usize..40,
        extra in 0usize..16,
        esn_high in any::<Option<u32>>(),
        seq in any::<u64>(),
        flip in any::<(prop::sample::Index, u8)>(),
    ) {
        for protection in DEFAULT.protections {
            let key = key(*protection);
            let block = key.block_len();
            let len = if block == 1 { blocks * 16 + extra } else { blocks * block };
            let text: Vec<u8> = (0..len).map(|i| i as u8 ^ 0x6c).collect();
            // An AEAD takes an ESN only with ESP's 8 bytes of associated data.
            let esn_high = esn_high.filter(|_| aad.len() == 8);
            let layout = Layout { aad_len: aad.len(), esn_high };
            let mut packet = blank(&*key, &aad, &text);
            key.seal(&mut packet, layout, seq).unwrap();
            prop_assert_eq!(&packet[..aad.len()], &aad[..]);

            let mut bad = packet.clone();
            let at = flip.0.index(bad.len());
            bad[at] ^= flip.1 | 1;
            let before = bad.clone();
            prop_assert_eq!(key.open(&mut bad, layout), Err(CryptoError::IntegrityFailed));
            prop_assert_eq!(bad, before);

            key.open(&mut packet, layout).unwrap();
            prop_assert_eq!(&packet[aad.len() + key.iv_len()..][..len], &text[..]);
        }
    }
}
