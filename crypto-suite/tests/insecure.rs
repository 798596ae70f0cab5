//! The provider without security negotiates like the real one.
#![cfg(feature = "insecure")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod common;

use common::rng;
use crypto_suite::{
    CipherId, CryptoError, DEFAULT, GroupId, HashId, IntegrityId, Layout, PrfId, insecure,
};

#[test]
fn it_has_every_algorithm_with_the_same_lengths() {
    let none = insecure::CHECKED;
    for &id in HashId::ALL {
        let (real, fake) = (DEFAULT.hash(id).unwrap(), none.hash(id).unwrap());
        assert_eq!(fake.output_len(), real.output_len());
        assert_eq!(fake.digest(&[b"a", b"bc"]), fake.digest(&[b"abc"]));
        assert_eq!(fake.digest(&[b"abc"]).len(), real.output_len());
        assert_ne!(fake.digest(&[b"abc"]), fake.digest(&[b"abd"]));
    }
    for &id in PrfId::ALL {
        let (real, fake) = (DEFAULT.prf(id).unwrap(), none.prf(id).unwrap());
        assert_eq!(fake.prf(b"key", &[b"text"]).len(), real.output_len());
        assert_ne!(fake.prf(b"key", &[b"text"]), fake.prf(b"kez", &[b"text"]));
    }
    for &id in IntegrityId::ALL {
        let fake = none.integrity(id).unwrap();
        let key = fake.new_key(&vec![1; id.key_len()]).unwrap();
        assert_eq!(key.icv(&[b"text"]).len(), id.icv_len());
    }
    for &id in CipherId::ALL {
        assert_eq!(none.cipher(id).unwrap().block_len(), id.block_len());
    }
    for protection in DEFAULT.protections {
        for provider in [none, insecure::UNCHECKED] {
            let fake = provider.protection(protection.id()).unwrap();
            assert_eq!(fake.key_material_len(), protection.key_material_len());
        }
    }
    for group in DEFAULT.groups {
        let fake = none.group(group.id()).unwrap();
        assert_eq!(
            fake.initiator_public_len(),
            group.initiator_public_len(),
            "{}",
            group.id()
        );
        assert_eq!(
            fake.responder_public_len(),
            group.responder_public_len(),
            "{}",
            group.id()
        );
        assert_eq!(fake.shared_len(), group.shared_len(), "{}", group.id());
    }
}

#[test]
fn both_sides_agree_on_a_secret() {
    for &id in GroupId::ALL {
        let group = insecure::CHECKED.group(id).unwrap();
        let initiator = group.start(&mut rng(1)).unwrap();
        let (answer, secret) = group.respond(&mut rng(2), initiator.public()).unwrap();
        assert_eq!(secret.len(), group.shared_len());
        assert_eq!(initiator.finish(&answer).unwrap(), secret);
        assert!(group.respond(&mut rng(1), &[0; 3]).is_err());
    }
}

#[test]
fn checked_refuses_a_changed_packet_and_unchecked_takes_it() {
    for protection in DEFAULT.protections {
        let seal = |provider: crypto_suite::Provider| {
            let protection = provider.protection(protection.id()).unwrap();
            let key = protection
                .new_key(&vec![3; protection.key_material_len()])
                .unwrap();
            let mut packet = vec![9; 8 + key.iv_len() + 32 + key.icv_len()];
            key.seal(&mut packet, Layout::esp(None), 4).unwrap();
            key.open(&mut packet, Layout::esp(None)).unwrap();
            packet[8 + key.iv_len()] ^= 1;
            key.open(&mut packet, Layout::esp(None))
        };
        assert_eq!(seal(insecure::CHECKED), Err(CryptoError::IntegrityFailed));
        assert_eq!(seal(insecure::UNCHECKED), Ok(()));
    }
}
