//! Signatures in AUTH: which scheme we sign with, and how the peer's is checked.

use alloc::vec::Vec;

use crypto_suite::{
    CryptoError, EcdsaCurve, EcdsaForm, HashId, Provider, SignatureId, WeakAlgorithms,
};
use isakmp_wire::registry::v2::AuthMethod;
use isakmp_wire::v2::Authentication;

use super::algorithm::{algorithm_identifier, scheme_of, unsupported};
use super::hashes::hash_of;
use super::{HashAlgorithms, NegotiatedHashes, SignedOctets};
use crate::model::ProofError;

use EcdsaCurve::{P256, P384, P521};
use EcdsaForm::{Der, Raw};
use HashId::{Sha1, Sha256, Sha384, Sha512};

/// Methods older than RFC 7427 with the schemes they stand for. RFC 7296 §3.8 lets method 1 use
/// any hash and does not say which: each is tried, SHA-1 where the policy names it.
const CLASSIC: [(AuthMethod, &[SignatureId]); 4] = [
    (
        AuthMethod::RSA_SIGNATURE,
        &[
            SignatureId::RsaPkcs1(Sha1),
            SignatureId::RsaPkcs1(Sha256),
            SignatureId::RsaPkcs1(Sha384),
            SignatureId::RsaPkcs1(Sha512),
        ],
    ),
    (
        AuthMethod::ECDSA_SHA256_P256,
        &[SignatureId::Ecdsa(P256, Sha256, Raw)],
    ),
    (
        AuthMethod::ECDSA_SHA384_P384,
        &[SignatureId::Ecdsa(P384, Sha384, Raw)],
    ),
    (
        AuthMethod::ECDSA_SHA512_P521,
        &[SignatureId::Ecdsa(P521, Sha512, Raw)],
    ),
];

/// What our side lets pass.
#[derive(Clone, Copy, Debug)]
pub struct SignaturePolicy<'a> {
    /// Weak algorithms that may be used.
    pub weak: WeakAlgorithms,
    /// Schemes that may be used; empty for all. The form of an ECDSA signature does not matter.
    pub schemes: &'a [SignatureId],
    /// What both sides announced in SIGNATURE_HASH_ALGORITHMS.
    pub hashes: NegotiatedHashes,
}

/// The method and scheme for our own signature: the first of `schemes` that the peer can check.
///
/// With SIGNATURE_HASH_ALGORITHMS from both sides it is Digital Signature over a hash that the
/// peer announced, else the older method of the scheme, if it has one.
#[must_use]
pub fn choose(
    schemes: &[SignatureId],
    hashes: NegotiatedHashes,
    weak: WeakAlgorithms,
) -> Option<(AuthMethod, SignatureId)> {
    let mut usable = schemes.iter().copied().filter(|s| weak.check(*s).is_ok());
    let Some(peers) = hashes.both() else {
        return usable.find_map(classic);
    };
    let digital = |scheme| {
        let scheme = in_form(scheme, Der);
        (algorithm_identifier(scheme).is_some() && peers.allow(scheme)).then_some(scheme)
    };
    usable
        .find_map(digital)
        .map(|scheme| (AuthMethod::DIGITAL_SIGNATURE, scheme))
}

/// Checks a signature of the peer with the key of its certificate, a DER `SubjectPublicKeyInfo`.
///
/// # Errors
/// Any [`ProofError`]; the order of the checks is that of its variants. A signature of an older method
/// that is right for a hash which is not allowed is refused with that reason.
pub fn verify_signature(
    provider: &Provider,
    policy: &SignaturePolicy<'_>,
    authentication: &Authentication<'_>,
    public_key: &[u8],
    octets: &SignedOctets<'_>,
) -> Result<SignatureId, ProofError> {
    verify_parts(
        provider,
        policy,
        authentication,
        public_key,
        &octets.parts(),
    )
}

/// Checks a signature over octets that were put together before.
pub(crate) fn verify_parts(
    provider: &Provider,
    policy: &SignaturePolicy<'_>,
    authentication: &Authentication<'_>,
    public_key: &[u8],
    octets: &[&[u8]],
) -> Result<SignatureId, ProofError> {
    let method = authentication.method;
    let old = CLASSIC.iter().find(|(classic, _)| *classic == method);
    let (candidates, signature, unknown) = match (old, authentication.digital_signature()) {
        (Some((_, schemes)), _) => (schemes.to_vec(), authentication.data, None),
        (None, Some((identifier, signature))) => {
            (scheme_of(identifier), signature, unsupported(identifier))
        }
        (None, None) => return Err(ProofError::Method(method)),
    };
    // RFC 7427 §3: allowed only when both have sent the notification, and required then.
    let ours = hashes_for(policy, method)?;
    let mut refusal = unknown.map_or(ProofError::UnknownAlgorithm, ProofError::Unsupported);
    let mut key_fits = false;
    let mut forbidden = Vec::new();
    for scheme in candidates {
        if let Err(error) = permitted(policy, ours, scheme) {
            refusal = error;
            forbidden.push((scheme, error));
            continue;
        }
        let Some(verifier) = provider.signature(scheme) else {
            continue;
        };
        match verifier.verify(public_key, octets, signature) {
            Ok(()) => return Ok(scheme),
            Err(CryptoError::KeyInvalid) if key_fits => {}
            Err(CryptoError::KeyInvalid) => refusal = ProofError::KeyInvalid,
            Err(_) => {
                key_fits = true;
                refusal = ProofError::Mismatch;
            }
        }
    }
    if refusal == ProofError::Mismatch {
        // RFC 7296 §3.8: method 1 does not say which hash is used. A signature that is right but for
        // a hash that is not allowed, which is SHA-1 with many peers, is called what it is.
        let right = |(scheme, _): &(SignatureId, ProofError)| {
            let verifier = provider.signature(*scheme);
            verifier.is_some_and(|v| v.verify(public_key, octets, signature).is_ok())
        };
        if let Some((_, why)) = forbidden.into_iter().find(right) {
            return Err(why);
        }
    }
    Err(refusal)
}

fn hashes_for(
    policy: &SignaturePolicy<'_>,
    method: AuthMethod,
) -> Result<Option<HashAlgorithms>, ProofError> {
    let negotiated = policy.hashes.both().is_some();
    match (method == AuthMethod::DIGITAL_SIGNATURE, negotiated) {
        (true, true) => Ok(policy.hashes.ours),
        (false, false) => Ok(None),
        _ => Err(ProofError::Negotiation(method)),
    }
}

fn permitted(
    policy: &SignaturePolicy<'_>,
    ours: Option<HashAlgorithms>,
    scheme: SignatureId,
) -> Result<(), ProofError> {
    if let Some(hash) = hash_of(scheme)
        && ours.is_some_and(|hashes| !hashes.contains(hash))
    {
        return Err(ProofError::HashNotAnnounced(hash));
    }
    let listed = |allowed: &SignatureId| in_form(*allowed, Der) == in_form(scheme, Der);
    if !policy.schemes.is_empty() && !policy.schemes.iter().any(listed) {
        return Err(ProofError::SchemeRefused);
    }
    policy.weak.check(scheme).map_err(ProofError::Weak)
}

/// The older method of a scheme, and the scheme in its form.
fn classic(scheme: SignatureId) -> Option<(AuthMethod, SignatureId)> {
    let scheme = in_form(scheme, Raw);
    let row = CLASSIC.iter().find(|(_, list)| list.contains(&scheme))?;
    Some((row.0, scheme))
}

const fn in_form(scheme: SignatureId, form: EcdsaForm) -> SignatureId {
    match scheme {
        SignatureId::Ecdsa(curve, hash, _) => SignatureId::Ecdsa(curve, hash, form),
        other => other,
    }
}

/// The schemes that a public key can be used with, the one to prefer first; none for a key of
/// another kind. RSA keys sign with PSS first (RFC 8247 §3.2).
#[must_use]
pub fn schemes_of_key(public_key: &[u8]) -> Vec<SignatureId> {
    const RSA: &[u8] = &[
        0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0,
    ];
    const EC_P256: &[u8] = &[
        0x30, 19, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3,
        1, 7,
    ];
    const EC_P384: &[u8] = &[
        0x30, 16, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 34,
    ];
    const EC_P521: &[u8] = &[
        0x30, 16, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 35,
    ];
    const ED25519: &[u8] = &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
    // SubjectPublicKeyInfo ::= SEQUENCE { algorithm, … }, whatever form its length has.
    let body = match public_key {
        [0x30, 0..=0x7f, body @ ..]
        | [0x30, 0x81, _, body @ ..]
        | [0x30, 0x82, _, _, body @ ..] => body,
        _ => return Vec::new(),
    };
    let ecdsa = |curve, hashes: [HashId; 3]| {
        let scheme = |hash| SignatureId::Ecdsa(curve, hash, Der);
        hashes.into_iter().map(scheme).collect()
    };
    match body {
        _ if body.starts_with(RSA) => alloc::vec![
            SignatureId::RsaPss(Sha256),
            SignatureId::RsaPss(Sha384),
            SignatureId::RsaPss(Sha512),
            SignatureId::RsaPkcs1(Sha256),
            SignatureId::RsaPkcs1(Sha384),
            SignatureId::RsaPkcs1(Sha512),
            SignatureId::RsaPkcs1(Sha1),
        ],
        _ if body.starts_with(EC_P256) => ecdsa(P256, [Sha256, Sha384, Sha512]),
        _ if body.starts_with(EC_P384) => ecdsa(P384, [Sha384, Sha512, Sha256]),
        _ if body.starts_with(EC_P521) => ecdsa(P521, [Sha512, Sha384, Sha256]),
        _ if body.starts_with(ED25519) => alloc::vec![SignatureId::Ed25519],
        _ => Vec::new(),
    }
}
