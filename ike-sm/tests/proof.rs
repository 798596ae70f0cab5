//! AUTH payloads of recorded negotiations: recomputed where the secret is known, verified where
//! only a certificate is (see `data/PROVENANCE.md`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod recording;

use crypto_suite::{
    DEFAULT, Digest, EcdsaCurve, EcdsaForm, HashId, Prf, PrfId, ProtectionId, SignatureId,
    WeakAlgorithm, WeakAlgorithms,
};
use hex_literal::hex;
use ike_sm::v2::proof::{
    HashAlgorithms, IntAuth, NegotiatedHashes, ProofError, SignaturePolicy, SignedOctets,
    schemes_of_key, shared_key_mic, verify_shared_key, verify_signature,
};
use isakmp_wire::Limits;
use isakmp_wire::v2::{
    AuthMethod, Authentication, Certificate, HashAlgorithm, Identification, NotifyType,
    PayloadChain, PayloadType, View,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use recording::{CBC_128, CBC_256, CBC_256_384, Opened, Recording, public_key};

fn prf(id: PrfId) -> &'static dyn Prf {
    DEFAULT.prf(id).unwrap()
}

fn identity(chain: PayloadChain<'_>) -> Vec<u8> {
    let payload = chain
        .find(PayloadType::ID_RESPONDER)
        .filter(|_| chain.find(PayloadType::ID_INITIATOR).is_none())
        .or_else(|| chain.find(PayloadType::ID_INITIATOR))
        .unwrap();
    let id = Identification::parse(&payload, &Limits::DEFAULT).unwrap();
    id.body.to_vec()
}

/// What the side that sent `packet` 0 or 1 signs.
fn octets<'a>(
    r: &'a Recording,
    prf: &dyn Prf,
    side: usize,
    id: &[u8],
    int_auth: Option<&'a IntAuth>,
) -> SignedOctets<'a> {
    let sk_p = r.value(["Sk_pi secret", "Sk_pr secret"][side]);
    SignedOctets::new(prf, sk_p, &r.packets[side], r.nonce(1 - side), id)
        .with_intermediate(int_auth)
}

fn shared_key(text: &str, prf_id: PrfId, protection: ProtectionId, intermediate: bool) {
    let r = Recording::read(text);
    let prf = prf(prf_id);
    let message_id = 1 + u32::from(intermediate);
    let int_auth = intermediate.then(|| {
        let values = r.all("IntAuth_N is prf(Sk_px, data)");
        IntAuth {
            initiator: Digest::new(values[0]),
            responder: Digest::new(values[1]),
            auth_message_id: message_id.to_be_bytes(),
        }
    });
    let name = if intermediate {
        "octets is message + nonce + prf(Sk_px, IDx') + IntAuth"
    } else {
        "octets is message + nonce + prf(Sk_px, IDx')"
    };
    for side in [0, 1] {
        let opened = r.open(protection, message_id, side == 1);
        let id = identity(opened.chain());
        assert_eq!(id, r.all("IDx'")[side]);
        let octets = octets(&r, prf, side, &id, int_auth.as_ref());
        assert_eq!(octets.to_vec(), r.all(name)[side]);
        let mic = shared_key_mic(prf, b"labsecret", &octets);
        assert_eq!(
            mic.as_ref(),
            r.all("AUTH is prf(prf(secret, keypad), octets)")[side]
        );
        let auth = opened.find(PayloadType::AUTHENTICATION);
        let auth = Authentication::parse(&auth).unwrap();
        let check = |secret: &[u8]| verify_shared_key(prf, secret, &octets, auth.method, auth.data);
        assert_eq!(check(b"labsecret"), Ok(()));
        assert_eq!(check(b"Labsecret"), Err(ProofError::Mismatch));
    }
}

#[test]
fn rfc7296_s2_15_shared_key_of_a_recorded_negotiation() {
    shared_key(
        include_str!("data/lab-strongswan/v2-aes256-sha256-modp2048.txt"),
        PrfId::HmacSha256,
        CBC_256,
        false,
    );
}

#[test]
fn rfc9242_s3_3_2_shared_key_after_an_intermediate_exchange() {
    shared_key(
        include_str!("data/lab-strongswan/v2-6-mlkem768.txt"),
        PrfId::HmacSha384,
        CBC_256_384,
        true,
    );
}

#[test]
fn rfc7296_s2_16_msk_of_a_recorded_eap_authentication() {
    let r = Recording::read(include_str!("data/lab-strongswan/v2-eap-mschapv2.txt"));
    let prf = prf(PrfId::HmacSha256);
    let msk = r.value("secret");
    assert_eq!(msk.len(), 64);
    let ids = [r.open(CBC_128, 1, false), r.open(CBC_128, 1, true)];
    for side in [0, 1] {
        let id = identity(ids[side].chain());
        let opened = r.open(CBC_128, 5, side == 1);
        let auth = opened.find(PayloadType::AUTHENTICATION);
        let auth = Authentication::parse(&auth).unwrap();
        let octets = octets(&r, prf, side, &id, None);
        assert_eq!(
            verify_shared_key(prf, msk, &octets, auth.method, auth.data),
            Ok(())
        );
    }
}

/// SIGNATURE_HASH_ALGORITHMS of both IKE_SA_INIT messages, as `side` sees them when it verifies.
fn hashes(r: &Recording, side: usize) -> NegotiatedHashes {
    let announced = |n: usize| {
        let limits = Limits::DEFAULT;
        let data = r.message(n).payloads().into_iter().find_map(|payload| {
            match payload.view(&limits).unwrap() {
                View::Notify(n) if n.notify_type == NotifyType::SIGNATURE_HASH_ALGORITHMS => {
                    Some(n.data.to_vec())
                }
                _ => None,
            }
        });
        HashAlgorithms::from_notify(&data.unwrap())
    };
    NegotiatedHashes {
        ours: Some(announced(side)),
        peers: Some(announced(1 - side)),
    }
}

fn certificates(text: &str, expected: SignatureId, signers: &[usize]) {
    let r = Recording::read(text);
    let prf = prf(PrfId::HmacSha256);
    for &side in signers {
        let opened: Opened = r.open(CBC_128, 1, side == 1);
        let certificate = Certificate::parse(&opened.find(PayloadType::CERTIFICATE)).unwrap();
        let key = public_key(certificate.data);
        let auth = opened.find(PayloadType::AUTHENTICATION);
        let auth = Authentication::parse(&auth).unwrap();
        let id = identity(opened.chain());
        let octets = octets(&r, prf, side, &id, None);
        let policy = SignaturePolicy {
            weak: WeakAlgorithms::NONE,
            schemes: &[],
            hashes: hashes(&r, 1 - side),
        };
        let verify = |policy: &SignaturePolicy<'_>, auth: &Authentication<'_>, key, octets| {
            verify_signature(&DEFAULT, policy, auth, key, octets)
        };
        assert_eq!(verify(&policy, &auth, key, &octets), Ok(expected));
        assert!(schemes_of_key(key).contains(&expected));

        // Another nonce, another identity, another octet of the signature.
        let mut other_id = id.clone();
        *other_id.last_mut().unwrap() ^= 1;
        let other = self::octets(&r, prf, side, &other_id, None);
        let wrong = Err(ProofError::Mismatch);
        assert_eq!(verify(&policy, &auth, key, &other), wrong);
        let mut data = auth.data.to_vec();
        *data.last_mut().unwrap() ^= 1;
        let forged = Authentication {
            data: &data,
            ..auth
        };
        assert_eq!(verify(&policy, &forged, key, &octets), wrong);

        // RFC 7427 §4: a hash that we did not announce; §3: no notification of one side.
        let hash = match expected {
            SignatureId::Ed25519 => HashAlgorithm::IDENTITY,
            _ => HashAlgorithm::SHA2_256,
        };
        let silent = SignaturePolicy {
            hashes: NegotiatedHashes {
                ours: Some(HashAlgorithms::NONE),
                ..policy.hashes
            },
            ..policy
        };
        assert_eq!(
            verify(&silent, &auth, key, &octets),
            Err(ProofError::HashNotAnnounced(hash))
        );
        let old = SignaturePolicy {
            hashes: NegotiatedHashes {
                peers: None,
                ..policy.hashes
            },
            ..policy
        };
        assert_eq!(
            verify(&old, &auth, key, &octets),
            Err(ProofError::Negotiation(auth.method))
        );
        // A policy that lists another scheme.
        let strict = SignaturePolicy {
            schemes: &[SignatureId::RsaPss(HashId::Sha512)],
            ..policy
        };
        assert_eq!(
            verify(&strict, &auth, key, &octets),
            Err(ProofError::SchemeRefused)
        );
    }
}

#[test]
fn rfc7427_ecdsa_signatures_of_a_recorded_negotiation() {
    certificates(
        include_str!("data/lab-strongswan/v2-cert-ecdsa.txt"),
        SignatureId::Ecdsa(EcdsaCurve::P256, HashId::Sha256, EcdsaForm::Der),
        &[0, 1],
    );
}

#[test]
fn rfc7427_rsa_signatures_of_a_recorded_negotiation_in_fragments() {
    certificates(
        include_str!("data/lab-strongswan/v2-cert-rsa.txt"),
        SignatureId::RsaPkcs1(HashId::Sha256),
        &[0, 1],
    );
}

#[test]
fn rfc8420_ed25519_signatures_of_a_recorded_negotiation() {
    certificates(
        include_str!("data/lab-strongswan/v2-cert-ed25519.txt"),
        SignatureId::Ed25519,
        &[0, 1],
    );
}

#[test]
fn rfc7296_s2_16_the_eap_server_signs_its_first_answer() {
    certificates(
        include_str!("data/lab-strongswan/v2-eap-mschapv2.txt"),
        SignatureId::RsaPkcs1(HashId::Sha256),
        &[1],
    );
}

/// A peer without RFC 7427 that signs with method 1 and `hash`, and what is made of it.
fn classic_rsa(hash: HashId, weak: WeakAlgorithms) -> Result<SignatureId, ProofError> {
    let scheme = SignatureId::RsaPkcs1(hash);
    let key = DEFAULT.signature(scheme).unwrap();
    let key = key
        .signing_key(include_bytes!("data/rsa-2048.der"))
        .unwrap();
    let prf = prf(PrfId::HmacSha256);
    let octets = SignedOctets::new(prf, &[1; 32], b"message", &[2; 32], b"\x02\0\0\0a.lab");
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let authentication = Authentication {
        method: AuthMethod::RSA_SIGNATURE,
        data: &key.sign(&mut rng, &octets.parts()).unwrap(),
    };
    let policy = SignaturePolicy {
        weak,
        schemes: &[],
        hashes: NegotiatedHashes::default(),
    };
    verify_signature(
        &DEFAULT,
        &policy,
        &authentication,
        key.public_key(),
        &octets,
    )
}

#[test]
fn l8_a_sha1_signature_of_the_older_method_is_called_what_it_is() {
    let none = WeakAlgorithms::NONE;
    assert_eq!(
        classic_rsa(HashId::Sha1, none),
        Err(ProofError::Weak(WeakAlgorithm::Sha1Signature))
    );
    let weak = none.with(WeakAlgorithm::Sha1Signature);
    let sha1 = SignatureId::RsaPkcs1(HashId::Sha1);
    assert_eq!(classic_rsa(HashId::Sha1, weak), Ok(sha1));
    let sha256 = SignatureId::RsaPkcs1(HashId::Sha256);
    assert_eq!(classic_rsa(HashId::Sha256, none), Ok(sha256));
}

#[test]
fn l8_signatures_that_are_known_by_name_only_are_named() {
    let prf = prf(PrfId::HmacSha256);
    let octets = SignedOctets::new(prf, &[1; 32], b"message", &[2; 32], b"\x02\0\0\0a.lab");
    let all = Some(HashAlgorithms::supported(&DEFAULT, WeakAlgorithms::ALL));
    let policy = SignaturePolicy {
        weak: WeakAlgorithms::NONE,
        schemes: &[],
        hashes: NegotiatedHashes {
            ours: all,
            peers: all,
        },
    };
    let refusal = |identifier: &[u8]| {
        let length = u8::try_from(identifier.len()).unwrap();
        let authentication = Authentication {
            method: AuthMethod::DIGITAL_SIGNATURE,
            data: &[&[length], identifier, b"signature"].concat(),
        };
        verify_signature(&DEFAULT, &policy, &authentication, &[], &octets).unwrap_err()
    };
    // RFC 7427 App. A.3.1, A.4.1, A.4.2, A.2.1.
    let named = [
        (&hex!("300906072a8648ce3d0401")[..], "ECDSA_SHA1"),
        (&hex!("300d06092a864886f70d01010a3000"), "RSA_PSS_SHA1"),
        (
            &hex!(
                "303e06092a864886f70d01010a3031a00b300906052b0e03021a0500a1183016"
                "06092a864886f70d010108300906052b0e03021a0500a203020114a303020101"
            ),
            "RSA_PSS_SHA1",
        ),
        (&hex!("300906072a8648ce380403"), "DSA_SHA1"),
    ];
    for (identifier, name) in named {
        assert_eq!(refusal(identifier), ProofError::Unsupported(name));
    }
    assert_eq!(refusal(&hex!("3003060129")), ProofError::UnknownAlgorithm);
}
