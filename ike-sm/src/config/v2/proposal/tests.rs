use crypto_suite::{DEFAULT, WeakAlgorithm};

use super::*;

fn fault(p: &IkeProposal) -> (&'static str, ConfigFault) {
    p.check(&DEFAULT, WeakAlgorithms::NONE).unwrap_err()
}

#[test]
fn the_defaults_need_no_weak_algorithm() {
    for p in IkeProposal::defaults() {
        assert_eq!(p.check(&DEFAULT, WeakAlgorithms::NONE), Ok(()));
        assert_eq!(
            p.with_ml_kem(true).check(&DEFAULT, WeakAlgorithms::NONE),
            Ok(())
        );
    }
}

/// RFC 5282 §8: combined-mode ciphers and others go into proposals of their own.
#[test]
fn rfc5282_s8_ciphers_of_both_kinds_do_not_mix() {
    let mut p = IkeProposal::aead();
    p.integrity.push(IntegrityId::HmacSha256_128);
    assert_eq!(fault(&p).0, "integrity");
    let mut p = IkeProposal::aead();
    p.encryption.push(Encryption::Cbc(CipherId::Aes128Cbc));
    assert_eq!(fault(&p).0, "integrity");
    let mut p = IkeProposal::cbc();
    p.integrity.clear();
    assert_eq!(fault(&p).0, "integrity");
}

#[test]
fn weak_missing_and_repeated_values_are_named() {
    let mut p = IkeProposal::cbc();
    p.groups.push(GroupId::Modp1024);
    let weak = ConfigFault::Weak(WeakAlgorithm::Modp1024);
    assert_eq!(fault(&p), ("groups", weak));
    let named = WeakAlgorithms::NONE.with(WeakAlgorithm::Modp1024);
    assert_eq!(p.check(&DEFAULT, named), Ok(()));

    let mut p = IkeProposal::cbc();
    p.prf.clear();
    assert_eq!(fault(&p), ("prf", ConfigFault::Missing));
    let mut p = IkeProposal::cbc();
    p.groups.push(GroupId::X25519);
    let twice = ConfigFault::Duplicate("CURVE_25519".into());
    assert_eq!(fault(&p), ("groups", twice));
    let mut p = IkeProposal::cbc();
    p.groups.push(GroupId::X448);
    let absent = ConfigFault::Unavailable("CURVE_448".into());
    assert_eq!(fault(&p), ("groups", absent));
}

#[test]
fn rfc9370_s2_2_1_there_are_seven_additional_key_exchanges() {
    let one = IkeProposal::aead().with_ml_kem(false);
    let mut p = one.clone();
    p.additional = alloc::vec![one.additional[0].clone(); 7];
    assert_eq!(p.check(&DEFAULT, WeakAlgorithms::NONE), Ok(()));
    p.additional.push(one.additional[0].clone());
    assert_eq!(fault(&p).0, "additional");
    let mut p = one;
    p.additional[0].methods.clear();
    assert_eq!(fault(&p), ("additional", ConfigFault::Missing));
}
