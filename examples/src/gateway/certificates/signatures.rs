//! What `webpki` asks of signatures in certificates and CRLs, answered by `crypto-suite` and counted.

use super::der;
use crypto_suite::{EcdsaCurve, EcdsaForm, HashId, SignatureId};
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use webpki::{ExtendedKeyUsageValidator, KeyPurposeIdIter};

/// Purposes of keys are judged before, with the names of the certificates: see [`Facts`](super::Facts).
pub(super) struct JudgedBefore;

impl ExtendedKeyUsageValidator for JudgedBefore {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

/// How many signatures may still be checked for one path. What `webpki` tries in vain counts too.
#[derive(Debug)]
pub(super) struct Checks {
    most: usize,
    begun: AtomicUsize,
}

impl Checks {
    pub(super) const fn new(most: usize) -> Self {
        Self {
            most,
            begun: AtomicUsize::new(0),
        }
    }

    /// How many were made.
    pub(super) fn made(&self) -> usize {
        self.begun.load(Ordering::Relaxed).min(self.most)
    }

    /// Whether more were asked for than are made.
    pub(super) fn are_exhausted(&self) -> bool {
        self.begun.load(Ordering::Relaxed) > self.most
    }
}

/// A scheme whose checks are counted.
#[derive(Debug)]
pub(super) struct Counted<'c> {
    pub(super) algorithm: &'static Algorithm,
    pub(super) checks: &'c Checks,
}

impl SignatureVerificationAlgorithm for Counted<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        if self.checks.begun.fetch_add(1, Ordering::Relaxed) >= self.checks.most {
            return Err(InvalidSignature);
        }
        self.algorithm.verify(public_key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature
    }
}

/// A scheme of `crypto-suite` as `webpki` wants it.
#[derive(Debug)]
pub(super) struct Algorithm {
    scheme: SignatureId,
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
}

const fn algorithm(
    scheme: SignatureId,
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
) -> Algorithm {
    Algorithm {
        scheme,
        key,
        signature,
    }
}

const fn ecdsa(curve: EcdsaCurve, hash: HashId) -> SignatureId {
    SignatureId::Ecdsa(curve, hash, EcdsaForm::Der)
}

use EcdsaCurve::{P256, P384, P521};
use HashId::{Sha256, Sha384, Sha512};
use alg_id::{
    ECDSA_P256, ECDSA_P384, ECDSA_P521, ECDSA_SHA256, ECDSA_SHA384, ECDSA_SHA512, ED25519,
    RSA_ENCRYPTION, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512,
};

/// Signatures over SHA-1 are none of them (RFC 8247 §3.2).
pub(super) static ALGORITHMS: [Algorithm; 12] = [
    algorithm(ecdsa(P256, Sha256), ECDSA_P256, ECDSA_SHA256),
    algorithm(ecdsa(P256, Sha384), ECDSA_P256, ECDSA_SHA384),
    algorithm(ecdsa(P384, Sha256), ECDSA_P384, ECDSA_SHA256),
    algorithm(ecdsa(P384, Sha384), ECDSA_P384, ECDSA_SHA384),
    algorithm(ecdsa(P521, Sha512), ECDSA_P521, ECDSA_SHA512),
    algorithm(SignatureId::Ed25519, ED25519, ED25519),
    algorithm(
        SignatureId::RsaPkcs1(Sha256),
        RSA_ENCRYPTION,
        RSA_PKCS1_SHA256,
    ),
    algorithm(
        SignatureId::RsaPkcs1(Sha384),
        RSA_ENCRYPTION,
        RSA_PKCS1_SHA384,
    ),
    algorithm(
        SignatureId::RsaPkcs1(Sha512),
        RSA_ENCRYPTION,
        RSA_PKCS1_SHA512,
    ),
    algorithm(SignatureId::RsaPss(Sha256), RSA_ENCRYPTION, RSA_PSS_SHA256),
    algorithm(SignatureId::RsaPss(Sha384), RSA_ENCRYPTION, RSA_PSS_SHA384),
    algorithm(SignatureId::RsaPss(Sha512), RSA_ENCRYPTION, RSA_PSS_SHA512),
];

impl Algorithm {
    fn verify(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        // SubjectPublicKeyInfo ::= SEQUENCE { algorithm, subjectPublicKey BIT STRING }
        let algorithm = der(0x30, &[&self.key]);
        let spki = der(0x30, &[&algorithm, &der(3, &[&[0], public_key])]);
        let scheme = crypto_suite::DEFAULT
            .signature(self.scheme)
            .ok_or(InvalidSignature)?;
        scheme
            .verify(&spki, &[message], signature)
            .map_err(|_| InvalidSignature)
    }
}
