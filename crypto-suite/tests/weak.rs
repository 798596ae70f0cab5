//! Weak algorithms are used only where a policy names them.

use crypto_suite::{
    AeadId, CipherId, GroupId, HashId, IntegrityId, PrfId, ProtectionId, WeakAlgorithm,
    WeakAlgorithms,
};

#[test]
fn c21_the_default_policy_refuses_each_weak_algorithm_by_name() {
    let none = WeakAlgorithms::default();
    assert_eq!(none, WeakAlgorithms::NONE);
    assert_eq!(none.check(HashId::Md5), Err(WeakAlgorithm::Md5));
    assert_eq!(none.check(PrfId::HmacMd5), Err(WeakAlgorithm::Md5));
    assert_eq!(none.check(IntegrityId::HmacMd5_96), Err(WeakAlgorithm::Md5));
    assert_eq!(none.check(CipherId::DesCbc), Err(WeakAlgorithm::Des));
    assert_eq!(none.check(GroupId::Modp768), Err(WeakAlgorithm::Modp768));
    assert_eq!(none.check(GroupId::Modp1024), Err(WeakAlgorithm::Modp1024));
    assert_eq!(none.check(GroupId::Modp1536), Err(WeakAlgorithm::Modp1536));
    assert_eq!(none.check(HashId::Sha1), Ok(()));
    assert_eq!(none.check(CipherId::TripleDesCbc), Ok(()));
    assert_eq!(none.check(GroupId::Modp2048), Ok(()));
    assert_eq!(none.check(ProtectionId::Aead(AeadId::Aes128Gcm16)), Ok(()));
}

#[test]
fn naming_one_weakness_does_not_let_the_other_half_of_a_suite_in() {
    let suite = ProtectionId::CbcHmac(CipherId::DesCbc, IntegrityId::HmacMd5_96);
    let des = WeakAlgorithms::NONE.with(WeakAlgorithm::Des);
    let md5 = WeakAlgorithms::NONE.with(WeakAlgorithm::Md5);
    assert_eq!(des.check(suite), Err(WeakAlgorithm::Md5));
    assert_eq!(md5.check(suite), Err(WeakAlgorithm::Des));
    assert_eq!(des.with(WeakAlgorithm::Md5).check(suite), Ok(()));
    assert_eq!(
        des.check(ProtectionId::NullHmac(IntegrityId::HmacMd5_96)),
        Err(WeakAlgorithm::Md5)
    );
}

#[test]
fn all_permits_everything() {
    for &group in GroupId::ALL {
        assert_eq!(WeakAlgorithms::ALL.check(group), Ok(()));
    }
    for &algorithm in WeakAlgorithm::ALL {
        assert!(WeakAlgorithms::ALL.permits(algorithm));
        assert!(!WeakAlgorithms::NONE.permits(algorithm));
    }
}
