use crate::model::OpenError;
use alloc::vec::Vec;

use crypto_suite::{AeadId, CipherId, CryptoError, DEFAULT, IntegrityId, ProtectionId};
use isakmp_wire::v2::{Message, NotifyType, PayloadType, View};
use isakmp_wire::{ExchangeType, Flags, Header, Limits};

use super::*;

const LIMITS: Limits = Limits::DEFAULT;

const ALL: [ProtectionId; 5] = [
    ProtectionId::CbcHmac(CipherId::Aes256Cbc, IntegrityId::HmacSha256_128),
    ProtectionId::CbcHmac(CipherId::TripleDesCbc, IntegrityId::HmacSha1_96),
    ProtectionId::Aead(AeadId::Aes128Gcm16),
    ProtectionId::Aead(AeadId::Aes256Gcm8),
    ProtectionId::Aead(AeadId::ChaCha20Poly1305),
];

fn pair(id: ProtectionId) -> (Sealer, Opener) {
    let protection = DEFAULT.protection(id).unwrap();
    let keymat: Vec<u8> = (1..).take(protection.key_material_len()).collect();
    let key = || protection.new_key(&keymat).unwrap();
    (Sealer::new(key()), Opener::new(key()))
}

fn header() -> Header {
    Header::v2(ExchangeType::INFORMATIONAL_V2, [1; 8], [2; 8])
        .flags(Flags::INITIATOR)
        .message_id(7)
}

fn inner(len: usize) -> Inner {
    let data: Vec<u8> = (0..len).map(|n| n.to_le_bytes()[0]).collect();
    Inner::build(|w| w.notify(NotifyType::COOKIE2, &data).map(drop)).unwrap()
}

#[test]
fn what_is_sealed_opens_to_the_same_payloads() {
    for id in ALL {
        let (mut sealer, opener) = pair(id);
        for len in 0..40 {
            let text = inner(len);
            let expected = sealer.sealed_len(&text);
            let message = sealer.seal(&header(), &text).unwrap();
            assert_eq!(message.len(), expected);
            let parsed = Message::parse(&message, &LIMITS).unwrap();
            let opened = opener.open(&parsed).unwrap();
            assert_eq!(opened.fragment, None);
            assert_eq!(opened.inner.octets(), text.octets());
            let chain = opened.inner.payloads(&LIMITS).unwrap();
            let view = chain.iter().next().unwrap().view(&LIMITS).unwrap();
            assert!(matches!(view, View::Notify(n) if n.data.len() == len));
        }
    }
}

#[test]
fn an_empty_sk_payload_is_a_message_too() {
    for id in ALL {
        let (mut sealer, opener) = pair(id);
        let message = sealer.seal(&header(), &Inner::build(|_| Ok(())).unwrap());
        let message = message.unwrap();
        let opened = opener
            .open(&Message::parse(&message, &LIMITS).unwrap())
            .unwrap();
        assert_eq!(opened.inner.first(), PayloadType::NONE);
        assert!(opened.inner.payloads(&LIMITS).unwrap().is_empty());
    }
}

/// RFC 5282 §5.1, RFC 7296 §3.14: from the first octet of the header to the ICV.
#[test]
fn c17_every_changed_bit_is_noticed_before_decryption() {
    for id in ALL {
        let (mut sealer, opener) = pair(id);
        let message = sealer.seal(&header(), &inner(9)).unwrap();
        for place in 0..message.len() {
            for bit in 0..8 {
                let mut changed = message.to_vec();
                changed[place] ^= 1 << bit;
                let Ok(parsed) = Message::parse(&changed, &LIMITS) else {
                    continue;
                };
                match opener.open(&parsed) {
                    Err(OpenError::Crypto(_) | OpenError::NotProtected) => {}
                    other => panic!("{id}: octet {place} bit {bit}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn every_truncation_is_refused_without_a_panic() {
    for id in ALL {
        let (mut sealer, opener) = pair(id);
        let message = sealer.seal(&header(), &inner(9)).unwrap();
        for len in 0..message.len() {
            let mut cut = message[..len].to_vec();
            if cut.len() >= Header::LEN + 4 {
                // With lengths that fit what is left.
                let total = u32::try_from(len).unwrap().to_be_bytes();
                cut[24..28].copy_from_slice(&total);
                let payload = u16::try_from(len - Header::LEN).unwrap().to_be_bytes();
                cut[30..32].copy_from_slice(&payload);
            }
            if let Ok(parsed) = Message::parse(&cut, &LIMITS) {
                assert!(opener.open(&parsed).is_err());
            }
        }
    }
}

#[test]
fn c18_no_iv_is_used_twice() {
    for id in ALL {
        let (mut sealer, _) = pair(id);
        let first = sealer.seal(&header(), &inner(9)).unwrap();
        let second = sealer.seal(&header(), &inner(9)).unwrap();
        assert_ne!(first[32..40], second[32..40], "{id}");
        assert_eq!(sealer.next(), 2);
        sealer.next = u64::MAX;
        assert_eq!(sealer.seal(&header(), &inner(9)), Err(SealError::Exhausted));
    }
}

#[test]
fn rfc7383_s2_5_fragments_fill_their_size_and_carry_everything_in_order() {
    for id in ALL {
        let (mut sealer, opener) = pair(id);
        let text = inner(1500);
        for size in [100, 256, 576, 1280, 4000] {
            let messages = sealer.seal_fragments(&header(), &text, size).unwrap();
            let mut together = Vec::new();
            for (n, message) in messages.iter().enumerate() {
                assert!(message.len() <= size);
                let opened = opener
                    .open(&Message::parse(message, &LIMITS).unwrap())
                    .unwrap();
                let place = opened.fragment.unwrap();
                assert_eq!(usize::from(place.number), n + 1);
                assert_eq!(usize::from(place.total), messages.len());
                let first = if n == 0 {
                    PayloadType::NOTIFY
                } else {
                    PayloadType::NONE
                };
                assert_eq!(opened.inner.first(), first);
                together.extend_from_slice(opened.inner.octets());
            }
            assert_eq!(together, text.octets());
        }
        assert_eq!(
            sealer.seal_fragments(&header(), &text, 52).unwrap_err(),
            SealError::FragmentSize(52)
        );
    }
}

#[test]
fn a_message_in_the_clear_does_not_open() {
    let (_, opener) = pair(ALL[0]);
    let mut message = Vec::new();
    let mut writer = Writer::new(&mut message, &header()).unwrap();
    writer.notify(NotifyType::COOKIE, b"x").unwrap();
    writer.finish().unwrap();
    let parsed = Message::parse(&message, &LIMITS).unwrap();
    assert_eq!(opener.open(&parsed).unwrap_err(), OpenError::NotProtected);
}

#[test]
fn the_other_direction_has_another_key() {
    let protection = DEFAULT.protection(ALL[0]).unwrap();
    let other = protection
        .new_key(&alloc::vec![9; protection.key_material_len()])
        .unwrap();
    let (mut sealer, _) = pair(ALL[0]);
    let message = sealer.seal(&header(), &inner(3)).unwrap();
    let parsed = Message::parse(&message, &LIMITS).unwrap();
    assert_eq!(
        Opener::new(other).open(&parsed).unwrap_err(),
        OpenError::Crypto(CryptoError::IntegrityFailed)
    );
}
