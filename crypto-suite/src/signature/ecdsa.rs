//! ECDSA over P-256, P-384 and P-521.

use alloc::boxed::Box;
use alloc::vec::Vec;
use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p256::pkcs8::{DecodePublicKey, EncodePublicKey};
use rand_core::CryptoRng;

use super::{SignatureScheme, SigningKey, hashed};
use crate::{CryptoError, EcdsaCurve, EcdsaForm, HashId, SignatureId};

struct Key<K> {
    key: K,
    public: Vec<u8>,
    id: SignatureId,
    hash: Option<HashId>,
    form: EcdsaForm,
}

macro_rules! curves {
    ($($scheme:ident, $curve:ident, $module:ident, $length:literal;)+) => {$(
        struct $scheme {
            hash: Option<HashId>,
            form: EcdsaForm,
        }

        impl SignatureScheme for $scheme {
            fn id(&self) -> SignatureId {
                match self.hash {
                    Some(hash) => SignatureId::Ecdsa(EcdsaCurve::$curve, hash, self.form),
                    None => SignatureId::EcdsaDigest(EcdsaCurve::$curve),
                }
            }

            fn verify(
                &self,
                public_key: &[u8],
                parts: &[&[u8]],
                signature: &[u8],
            ) -> Result<(), CryptoError> {
                let key = $module::ecdsa::VerifyingKey::from_public_key_der(public_key)
                    .map_err(|_| CryptoError::KeyInvalid)?;
                let digest = hashed(self.hash, parts)?;
                if self.hash.is_none() && digest.as_ref().len() != $length {
                    return Err(CryptoError::SignatureInvalid);
                }
                // Decoding refuses r or s outside 1..n, in either form, and a wrong length.
                let signature = match self.form {
                    EcdsaForm::Der => $module::ecdsa::Signature::from_der(signature),
                    EcdsaForm::Raw => $module::ecdsa::Signature::from_slice(signature),
                };
                let signature = signature.map_err(|_| CryptoError::SignatureInvalid)?;
                key.verify_prehash(digest.as_ref(), &signature)
                    .map_err(|_| CryptoError::SignatureInvalid)
            }

            fn signing_key(&self, private_key: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
                let key = $module::SecretKey::from_der(private_key)
                    .map_err(|_| CryptoError::KeyInvalid)?;
                let public = key
                    .public_key()
                    .to_public_key_der()
                    .map_err(|_| CryptoError::KeyInvalid)?
                    .into_vec();
                Ok(Box::new(Key {
                    key: $module::ecdsa::SigningKey::from(key),
                    public,
                    id: self.id(),
                    hash: self.hash,
                    form: self.form,
                }))
            }
        }

        impl SigningKey for Key<$module::ecdsa::SigningKey> {
            fn id(&self) -> SignatureId {
                self.id
            }

            fn public_key(&self) -> &[u8] {
                &self.public
            }

            fn sign(
                &self,
                _: &mut dyn CryptoRng,
                parts: &[&[u8]],
            ) -> Result<Vec<u8>, CryptoError> {
                let digest = hashed(self.hash, parts)?;
                if self.hash.is_none() && digest.as_ref().len() != $length {
                    return Err(CryptoError::KeyInvalid);
                }
                let signature: $module::ecdsa::Signature = self
                    .key
                    .sign_prehash(digest.as_ref())
                    .map_err(|_| CryptoError::KeyInvalid)?;
                Ok(match self.form {
                    EcdsaForm::Der => signature.to_der().as_bytes().to_vec(),
                    EcdsaForm::Raw => signature.to_bytes().to_vec(),
                })
            }
        }
    )+};
}

curves! {
    // With the length of the digests of RFC 4754.
    P256, P256, p256, 32;
    P384, P384, p384, 48;
    P521, P521, p521, 64;
}

use EcdsaForm::{Der, Raw};
use HashId::{Sha256, Sha384, Sha512};

/// RFC 7427 pairs any curve with any hash; RFC 4754 fixes one hash per curve.
pub(super) const ALL: [&dyn SignatureScheme; 15] = [
    &P256 {
        hash: Some(Sha256),
        form: Der,
    },
    &P384 {
        hash: Some(Sha384),
        form: Der,
    },
    &P521 {
        hash: Some(Sha512),
        form: Der,
    },
    &P256 {
        hash: Some(Sha384),
        form: Der,
    },
    &P256 {
        hash: Some(Sha512),
        form: Der,
    },
    &P384 {
        hash: Some(Sha256),
        form: Der,
    },
    &P384 {
        hash: Some(Sha512),
        form: Der,
    },
    &P521 {
        hash: Some(Sha256),
        form: Der,
    },
    &P521 {
        hash: Some(Sha384),
        form: Der,
    },
    &P256 {
        hash: Some(Sha256),
        form: Raw,
    },
    &P384 {
        hash: Some(Sha384),
        form: Raw,
    },
    &P521 {
        hash: Some(Sha512),
        form: Raw,
    },
    &P256 {
        hash: None,
        form: Raw,
    },
    &P384 {
        hash: None,
        form: Raw,
    },
    &P521 {
        hash: None,
        form: Raw,
    },
];
