//! What `webpki` asks of signatures in certificates and CRLs, answered by `crypto-suite`; and which uses of a key it may
//! accept.

use super::der;
use crypto_suite::{EcdsaCurve, EcdsaForm, HashId, SignatureId};
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use webpki::{ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, RequiredEkuNotFoundContext};

/// RFC 4945 §5.1.3.12: IKE itself, any use, or what certificates of servers and clients have. None at all is any.
pub(super) struct IpsecUsage;

impl ExtendedKeyUsageValidator for IpsecUsage {
    fn validate(&self, iter: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        const ID_KP: [usize; 8] = [1, 3, 6, 1, 5, 5, 7, 3];
        /// serverAuth, clientAuth, ipsecEndSystem, ipsecTunnel, ipsecUser, ipsecIKE.
        const USES: [usize; 6] = [1, 2, 5, 6, 7, 17];
        const ANY: [usize; 5] = [2, 5, 29, 37, 0];
        let mut present = Vec::new();
        for purpose in iter {
            let oid = purpose?.to_decoded_oid();
            let suits = match oid.strip_prefix(&ID_KP[..]) {
                Some([last]) => USES.contains(last),
                // 1.3.6.1.5.5.8.2.2 is iKEIntermediate, which older devices ask for.
                _ => oid == ANY || oid == [1, 3, 6, 1, 5, 5, 8, 2, 2],
            };
            if suits {
                return Ok(());
            }
            present.push(oid);
        }
        if present.is_empty() {
            return Ok(());
        }
        /// id-kp-ipsecIKE.
        const IPSEC_IKE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 17];
        let context = RequiredEkuNotFoundContext {
            required: KeyUsage::required(IPSEC_IKE),
            present,
        };
        Err(webpki::Error::RequiredEkuNotFoundContext(context))
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

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(
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

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}
