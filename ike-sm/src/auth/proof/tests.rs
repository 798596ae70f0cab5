use crypto_suite::{
    DEFAULT, EcdsaCurve, EcdsaForm, HashId, PrfId, SignatureId, WeakAlgorithm, WeakAlgorithms,
};
use hex_literal::hex;
use isakmp_wire::registry::v2::{AuthMethod, HashAlgorithm};
use isakmp_wire::v2::Authentication;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;

use EcdsaCurve::{P256, P384, P521};
use EcdsaForm::{Der, Raw};
use HashId::{Sha1, Sha256, Sha384, Sha512};

/// RFC 7427 App. A, to the octet, but RSASSA-PSS without the trailer field (RFC 4055 §3.1); Ed25519 from
/// RFC 8410 §3.
const APPENDIX_A: [(SignatureId, &[u8]); 9] = [
    (
        SignatureId::RsaPkcs1(Sha1),
        &hex!("300d06092a864886f70d0101050500"),
    ),
    (
        SignatureId::RsaPkcs1(Sha256),
        &hex!("300d06092a864886f70d01010b0500"),
    ),
    (
        SignatureId::RsaPkcs1(Sha384),
        &hex!("300d06092a864886f70d01010c0500"),
    ),
    (
        SignatureId::RsaPkcs1(Sha512),
        &hex!("300d06092a864886f70d01010d0500"),
    ),
    (
        SignatureId::Ecdsa(P256, Sha256, Der),
        &hex!("300a06082a8648ce3d040302"),
    ),
    (
        SignatureId::Ecdsa(P384, Sha384, Der),
        &hex!("300a06082a8648ce3d040303"),
    ),
    (
        SignatureId::Ecdsa(P521, Sha512, Der),
        &hex!("300a06082a8648ce3d040304"),
    ),
    (
        SignatureId::RsaPss(Sha256),
        &hex!(
            "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
            "a11c301a06092a864886f70d010108300d06096086480165030402010500a203"
            "020120"
        ),
    ),
    (SignatureId::Ed25519, &hex!("300506032b6570")),
];

#[test]
fn rfc7427_appendix_a_identifiers_are_written_and_understood() {
    for (scheme, der) in APPENDIX_A {
        assert_eq!(
            algorithm_identifier(scheme).as_deref(),
            Some(der),
            "{scheme}"
        );
        assert!(scheme_of(der).contains(&scheme), "{scheme}");
    }
    assert_eq!(
        algorithm_identifier(SignatureId::Ecdsa(P256, Sha256, Raw)),
        None
    );
    // App. A.2.1 DSA, A.3.1 ECDSA with SHA-1, A.4.1 PSS with the SHA-1 defaults: none here.
    for der in [
        &hex!("300906072a8648ce380403")[..],
        &hex!("300906072a8648ce3d0401"),
        &hex!("300d06092a864886f70d01010a3000"),
        &hex!("300d06092a864886f70d01010b0501"),
        &[],
    ] {
        assert_eq!(scheme_of(der), []);
    }
}

#[test]
fn l8_the_trailer_field_of_rsassa_pss_is_not_written_and_read_in_both_forms() {
    // RFC 7427 App. A.4.3 has it; RFC 4055 §3.1 forbids to write it.
    let appendix_a = hex!(
        "304606092a864886f70d01010a3039a00f300d06096086480165030402010500"
        "a11c301a06092a864886f70d010108300d06096086480165030402010500a203"
        "020120a303020101"
    );
    assert_eq!(scheme_of(&appendix_a), [SignatureId::RsaPss(Sha256)]);
    for hash in [Sha256, Sha384, Sha512] {
        let written = algorithm_identifier(SignatureId::RsaPss(hash)).unwrap();
        let trailer = hex!("a303020101");
        assert!(!written.windows(5).any(|part| part == trailer));
        assert_eq!(scheme_of(&written), [SignatureId::RsaPss(hash)]);
        let mut with = written;
        with.extend(trailer);
        with[1] = 0x46;
        with[14] = 0x39;
        assert_eq!(scheme_of(&with), [SignatureId::RsaPss(hash)]);
    }
}

#[test]
fn rfc4055_s5_absent_parameters_are_accepted() {
    let sha256_without_null = hex!("300b06092a864886f70d01010b");
    assert_eq!(
        scheme_of(&sha256_without_null),
        [SignatureId::RsaPkcs1(Sha256)]
    );
    // As OpenSSL writes it: NULL beside both hashes, no trailer field.
    let pss_sha384 = hex!(
        "304106092a864886f70d01010a3034a00f300d06096086480165030402020500"
        "a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
    );
    assert_eq!(scheme_of(&pss_sha384), [SignatureId::RsaPss(Sha384)]);
}

#[test]
fn rfc7427_s4_hash_lists_keep_what_is_known() {
    let lab = HashAlgorithms::from_notify(&hex!("0002000300040005 0063 00"));
    assert_eq!(lab.to_notify(), hex!("0002000300040005"));
    assert!(lab.allow(SignatureId::Ed25519) && !lab.allow(SignatureId::RsaPkcs1(Sha1)));
    assert_eq!(
        HashAlgorithms::supported(&DEFAULT, WeakAlgorithms::NONE),
        lab
    );
    let weak = WeakAlgorithms::NONE.with(WeakAlgorithm::Sha1Signature);
    let with_sha1 = HashAlgorithms::supported(&DEFAULT, weak);
    assert_eq!(with_sha1, lab.with(HashAlgorithm::SHA1));
}

#[test]
fn the_scheme_is_the_first_that_the_peer_can_check() {
    let rsa = [SignatureId::RsaPss(Sha256), SignatureId::RsaPkcs1(Sha512)];
    let known = HashAlgorithms::NONE.with(HashAlgorithm::SHA2_512);
    let both = NegotiatedHashes {
        ours: Some(known),
        peers: Some(known),
    };
    let weak = WeakAlgorithms::NONE;
    assert_eq!(
        choose(&rsa, both, weak),
        Some((AuthMethod::DIGITAL_SIGNATURE, rsa[1]))
    );
    // Without the notification of one side: the older methods.
    let one = NegotiatedHashes {
        peers: None,
        ..both
    };
    assert_eq!(
        choose(&rsa, one, weak),
        Some((AuthMethod::RSA_SIGNATURE, rsa[1]))
    );
    let p384 = SignatureId::Ecdsa(P384, Sha384, Der);
    assert_eq!(
        choose(&[p384], one, weak),
        Some((
            AuthMethod::ECDSA_SHA384_P384,
            SignatureId::Ecdsa(P384, Sha384, Raw)
        ))
    );
    // RFC 4754 fixes the hash of a curve; Ed25519 has no older method.
    let odd = SignatureId::Ecdsa(P384, Sha256, Der);
    assert_eq!(choose(&[odd, SignatureId::Ed25519], one, weak), None);
    let sha1 = [SignatureId::RsaPkcs1(Sha1)];
    assert_eq!(choose(&sha1, one, weak), None);
    assert_eq!(
        choose(&sha1, one, weak.with(WeakAlgorithm::Sha1Signature)),
        Some((AuthMethod::RSA_SIGNATURE, sha1[0]))
    );
}

fn octets() -> SignedOctets<'static> {
    let prf = DEFAULT.prf(PrfId::HmacSha256).unwrap();
    SignedOctets::new(prf, &[1; 32], b"message", &[2; 32], b"\x02\0\0\0a.lab")
}

#[test]
fn null_dss_and_unknown_methods_are_refused() {
    let prf = DEFAULT.prf(PrfId::HmacSha256).unwrap();
    let mic = shared_key_mic(prf, b"key", &octets());
    let policy = SignaturePolicy {
        weak: WeakAlgorithms::ALL,
        schemes: &[],
        hashes: NegotiatedHashes::default(),
    };
    for method in [AuthMethod::NULL, AuthMethod::DSS_SIGNATURE, AuthMethod(200)] {
        let refused = ProofError::Method(method);
        assert_eq!(
            verify_shared_key(prf, b"key", &octets(), method, mic.as_ref()),
            Err(refused)
        );
        let data = mic.as_ref();
        let authentication = Authentication { method, data };
        assert_eq!(
            verify_signature(&DEFAULT, &policy, &authentication, &[], &octets()),
            Err(refused)
        );
    }
    let method = AuthMethod::SHARED_KEY;
    assert_eq!(
        verify_shared_key(prf, b"key", &octets(), method, mic.as_ref()),
        Ok(())
    );
    let short = &mic.as_ref()[..16];
    assert_eq!(
        verify_shared_key(prf, b"key", &octets(), method, short),
        Err(ProofError::Mismatch)
    );
}

#[test]
fn older_methods_verify_without_the_notification_and_are_refused_with_it() {
    // A P-256 key in SEC 1, of RFC 6979 App. A.2.5.
    let private = hex!(
        "303102010104 20 c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
        "a00a06082a8648ce3d030107"
    );
    let scheme = SignatureId::Ecdsa(P256, Sha256, Raw);
    let key = DEFAULT.signature(scheme).unwrap();
    let key = key.signing_key(&private).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let signature = key.sign(&mut rng, &octets().parts()).unwrap();
    let authentication = Authentication {
        method: AuthMethod::ECDSA_SHA256_P256,
        data: &signature,
    };
    let mut policy = SignaturePolicy {
        weak: WeakAlgorithms::NONE,
        schemes: &[],
        hashes: NegotiatedHashes::default(),
    };
    let check = |policy: &SignaturePolicy<'_>| {
        verify_signature(
            &DEFAULT,
            policy,
            &authentication,
            key.public_key(),
            &octets(),
        )
    };
    assert_eq!(check(&policy), Ok(scheme));
    assert_eq!(
        schemes_of_key(key.public_key())[0],
        SignatureId::Ecdsa(P256, Sha256, Der)
    );
    let announced = Some(HashAlgorithms::supported(&DEFAULT, WeakAlgorithms::NONE));
    policy.hashes = NegotiatedHashes {
        ours: announced,
        peers: announced,
    };
    let method = authentication.method;
    assert_eq!(check(&policy), Err(ProofError::Negotiation(method)));
}
