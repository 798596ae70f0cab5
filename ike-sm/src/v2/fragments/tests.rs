use crate::model::OpenError;
use alloc::vec::Vec;

use bytes::Bytes;
use crypto_suite::{AeadId, CryptoError, DEFAULT, ProtectionId};
use isakmp_wire::v2::NotifyType;
use isakmp_wire::{Flags, Header, Limits};
use proptest::prelude::*;

use super::super::protect::Sealer;
use super::*;

const T0: Duration = Duration::from_secs(100);
const LIMITS: Limits = Limits::DEFAULT;

fn keys() -> (Sealer, Opener) {
    let id = ProtectionId::Aead(AeadId::Aes128Gcm16);
    let protection = DEFAULT.protection(id).unwrap();
    let key = |byte| {
        let keymat = alloc::vec![byte; protection.key_material_len()];
        protection.new_key(&keymat).unwrap()
    };
    (Sealer::new(key(7)), Opener::new(key(7)))
}

fn header(message_id: u32) -> Header {
    Header::v2(ExchangeType::IKE_AUTH, [1; 8], [2; 8])
        .flags(Flags::INITIATOR)
        .message_id(message_id)
}

fn inner(len: usize) -> Inner {
    let data: Vec<u8> = (0..len).map(|n| n.to_le_bytes()[0]).collect();
    Inner::build(|w| w.notify(NotifyType::COOKIE2, &data).map(drop)).unwrap()
}

/// About `count` fragments of a message.
fn split(sealer: &mut Sealer, id: u32, len: usize, size: usize) -> Vec<Bytes> {
    sealer
        .seal_fragments(&header(id), &inner(len), size)
        .unwrap()
}

fn insert(r: &mut Reassembler, opener: &Opener, octets: &[u8]) -> Result<Inserted, FragmentError> {
    insert_at(r, opener, octets, T0)
}

fn insert_at(
    r: &mut Reassembler,
    opener: &Opener,
    octets: &[u8],
    now: Duration,
) -> Result<Inserted, FragmentError> {
    r.insert(opener, &Message::parse(octets, &LIMITS).unwrap(), now)
}

fn complete(result: Result<Inserted, FragmentError>) -> Reassembled {
    match result.unwrap() {
        Inserted::Complete(whole) => whole,
        waiting @ Inserted::Waiting { .. } => panic!("{waiting:?}"),
    }
}

fn have(r: &Reassembler) -> u16 {
    r.current.as_ref().map_or(0, |p| p.have)
}

#[test]
fn a_message_in_one_fragment_is_whole_at_once() {
    let (mut sealer, opener) = keys();
    let messages = split(&mut sealer, 1, 10, 500);
    assert_eq!(messages.len(), 1);
    let mut r = Reassembler::default();
    let whole = complete(insert(&mut r, &opener, &messages[0]));
    assert_eq!(whole.inner.octets(), inner(10).octets());
    assert_eq!(r.deadline(), None);
}

/// Puts the fragments of a message in an order that `seed` decides, and together again.
fn shuffled(len: usize, size: usize, mut seed: u64) {
    let (mut sealer, opener) = keys();
    let mut messages = split(&mut sealer, 1, len, size);
    let count = messages.len();
    if count > 64 {
        return;
    }
    for n in (1..count).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let place = usize::try_from(seed >> 33).unwrap();
        messages.swap(n, place.checked_rem(n.saturating_add(1)).unwrap());
    }
    let mut r = Reassembler::default();
    for (n, message) in (1..).zip(&messages) {
        match insert(&mut r, &opener, message).unwrap() {
            Inserted::Waiting { have, total } => {
                assert_eq!((usize::from(have), usize::from(total)), (n, count));
            }
            Inserted::Complete(whole) => {
                assert_eq!(n, count);
                let text = inner(len);
                assert_eq!(whole.inner.octets(), text.octets());
                assert_eq!(whole.inner.first(), text.first());
            }
        }
    }
    assert_eq!(r.deadline(), None);
}

proptest! {
    #[test]
    fn fragments_come_together_in_any_order(
        len in 0usize..3000, size in 64usize..600, seed in any::<u64>()
    ) {
        shuffled(len, size, seed);
    }
}

/// B1: racoon CVE-2016-10396, Cisco CVE-2016-1344: fragments of strangers fill nothing.
#[test]
fn b1_nothing_is_kept_before_it_has_proved_authentic() {
    let (mut sealer, opener) = keys();
    let messages = split(&mut sealer, 1, 600, 200);
    let mut r = Reassembler::default();
    let mut forged = messages[0].to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let refused = OpenError::Crypto(CryptoError::IntegrityFailed);
    for _ in 0..1000 {
        let result = insert(&mut r, &opener, &forged).unwrap_err();
        assert_eq!(result, FragmentError::Open(refused));
    }
    assert_eq!((have(&r), r.deadline()), (0, None));
    // Nor does it disturb what is in progress, with a larger total or another message ID.
    let _ = insert(&mut r, &opener, &messages[0]).unwrap();
    let mut larger = messages[1].to_vec();
    larger[34..36].copy_from_slice(&60u16.to_be_bytes());
    let mut later = messages[1].to_vec();
    later[20..24].copy_from_slice(&9u32.to_be_bytes());
    for forged in [larger, later] {
        let result = insert(&mut r, &opener, &forged).unwrap_err();
        assert_eq!(result, FragmentError::Open(refused));
        assert_eq!(have(&r), 1);
    }
    for message in &messages[1..] {
        let _ = insert(&mut r, &opener, message).unwrap();
    }
    assert_eq!(r.deadline(), None);
}

/// B1: a bound on the number of fragments, of octets and of time; one message at a time.
#[test]
fn b1_number_size_and_time_are_bounded() {
    let (mut sealer, opener) = keys();
    let mut r = Reassembler::default();
    let many = split(&mut sealer, 1, 5000, 100);
    assert!(many.len() > 64);
    let limit = FragmentError::Limit("fragments of a message");
    assert_eq!(insert(&mut r, &opener, &many[0]).unwrap_err(), limit);
    // Refused by the header alone, before any decryption.
    let mut garbage = many[0].to_vec();
    *garbage.last_mut().unwrap() ^= 1;
    assert_eq!(insert(&mut r, &opener, &garbage).unwrap_err(), limit);

    let mut small = Reassembler::new(FragmentLimits {
        octets: 500,
        ..FragmentLimits::default()
    });
    let messages = split(&mut sealer, 1, 600, 200);
    let limit = FragmentError::Limit("octets of a message");
    let mut refused = 0;
    for message in &messages {
        match insert(&mut small, &opener, message) {
            Ok(Inserted::Waiting { .. }) => {}
            Err(error) => {
                assert_eq!(error, limit);
                refused += 1;
            }
            Ok(whole @ Inserted::Complete(_)) => panic!("{whole:?}"),
        }
    }
    assert!(refused >= 1 && small.current.as_ref().unwrap().octets <= 500);

    let mut r = Reassembler::default();
    let _ = insert_at(&mut r, &opener, &messages[0], T0).unwrap();
    let end = T0 + Duration::from_secs(30);
    assert_eq!(r.deadline(), Some(end));
    r.expire(end - Duration::from_millis(1));
    assert_eq!(have(&r), 1);
    // Late fragments begin anew even where nobody came to clear up.
    let _ = insert_at(&mut r, &opener, &messages[1], end).unwrap();
    assert_eq!(have(&r), 1);
    r.expire(end + Duration::from_secs(30));
    assert_eq!(r.deadline(), None);

    let other = split(&mut sealer, 2, 600, 200);
    let _ = insert(&mut r, &opener, &messages[0]).unwrap();
    let _ = insert(&mut r, &opener, &other[0]).unwrap();
    assert_eq!(have(&r), 1);
    let stale = insert(&mut r, &opener, &messages[1]).unwrap_err();
    assert_eq!(stale, FragmentError::Stale);
}

/// B2, RFC 7383 §2.6: a larger total starts over, a smaller one is ignored, a duplicate too.
#[test]
fn b2_a_larger_total_starts_over_and_a_smaller_one_is_ignored() {
    let (mut sealer, opener) = keys();
    let few = split(&mut sealer, 1, 600, 400);
    let many = split(&mut sealer, 1, 600, 200);
    assert!(few.len() < many.len());
    let mut r = Reassembler::default();
    let _ = insert(&mut r, &opener, &few[0]).unwrap();
    let _ = insert(&mut r, &opener, &many[1]).unwrap();
    assert_eq!(have(&r), 1);
    let totals = (
        u16::try_from(few.len()).unwrap(),
        u16::try_from(many.len()).unwrap(),
    );
    assert_eq!(
        insert(&mut r, &opener, &few[1]).unwrap_err(),
        FragmentError::SmallerTotal {
            total: totals.0,
            current: totals.1,
        }
    );
    assert_eq!(
        insert(&mut r, &opener, &many[1]).unwrap_err(),
        FragmentError::Duplicate
    );
    assert_eq!(many.len(), 5);
    for message in [&many[0], &many[2], &many[4]] {
        let _ = insert(&mut r, &opener, message).unwrap();
    }
    let whole = complete(insert(&mut r, &opener, &many[3]));
    assert_eq!(whole.inner.octets(), inner(600).octets());
}

/// B2: only fragment 1 says what the first payload is.
#[test]
fn b2_the_first_payload_is_that_of_fragment_1() {
    let (mut sealer, opener) = keys();
    let messages = split(&mut sealer, 1, 600, 200);
    let mut named = messages[1].to_vec();
    named[28] = 35;
    assert!(Message::parse(&named, &LIMITS).is_err());
    let mut r = Reassembler::default();
    for message in messages.iter().rev().take(messages.len() - 1) {
        let _ = insert(&mut r, &opener, message).unwrap();
    }
    let whole = complete(insert(&mut r, &opener, &messages[0]));
    assert_eq!(whole.inner.first(), PayloadType::NOTIFY);
    assert!(whole.inner.payloads(&LIMITS).is_ok());
}

/// "5 of 1": an IKEv2 library panics on it.
#[test]
fn b1_fragment_5_of_1_and_0_of_0_are_no_fragments() {
    let (mut sealer, _) = keys();
    let messages = split(&mut sealer, 1, 600, 200);
    for (number, total) in [(5u16, 1u16), (0, 0), (0, 4), (1, 0), (u16::MAX, 4)] {
        let mut octets = messages[0].to_vec();
        octets[32..34].copy_from_slice(&number.to_be_bytes());
        octets[34..36].copy_from_slice(&total.to_be_bytes());
        assert!(Message::parse(&octets, &LIMITS).is_err());
    }
}

#[test]
fn a_whole_message_is_no_fragment() {
    let (mut sealer, opener) = keys();
    let message = sealer.seal(&header(1), &inner(5)).unwrap();
    let mut r = Reassembler::default();
    let refused = insert(&mut r, &opener, &message).unwrap_err();
    assert_eq!(refused, FragmentError::NotAFragment);
}

#[test]
fn rfc7383_appendix_b_the_room_of_a_datagram() {
    assert_eq!(message_room(safe_mtu(true), true, true), 576 - 32);
    assert_eq!(message_room(safe_mtu(false), false, false), 1280 - 48);
    assert_eq!(message_room(0, true, true), 0);
}
