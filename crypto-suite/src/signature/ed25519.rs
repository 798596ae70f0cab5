//! Ed25519 (RFC 8032) as RFC 8420 uses it: over the message, not over a digest.

use alloc::boxed::Box;
use alloc::vec::Vec;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use rand_core::CryptoRng;

use super::{SignatureScheme, SigningKey};
use crate::{CryptoError, SignatureId};

struct Ed25519;

impl SignatureScheme for Ed25519 {
    fn id(&self) -> SignatureId {
        SignatureId::Ed25519
    }

    fn verify(
        &self,
        public_key: &[u8],
        parts: &[&[u8]],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        let key =
            VerifyingKey::from_public_key_der(public_key).map_err(|_| CryptoError::KeyInvalid)?;
        let signature =
            Signature::from_slice(signature).map_err(|_| CryptoError::SignatureInvalid)?;
        // Strict: keys of small order would verify signatures over any message.
        key.verify_strict(&parts.concat(), &signature)
            .map_err(|_| CryptoError::SignatureInvalid)
    }

    fn signing_key(&self, private_key: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let refused = |_| CryptoError::KeyInvalid;
        let key = ed25519_dalek::SigningKey::from_pkcs8_der(private_key).map_err(refused)?;
        let public = key
            .verifying_key()
            .to_public_key_der()
            .map_err(|_| CryptoError::KeyInvalid)?
            .into_vec();
        Ok(Box::new(Key { key, public }))
    }
}

struct Key {
    /// Zeroizes itself.
    key: ed25519_dalek::SigningKey,
    public: Vec<u8>,
}

impl SigningKey for Key {
    fn id(&self) -> SignatureId {
        SignatureId::Ed25519
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, _: &mut dyn CryptoRng, parts: &[&[u8]]) -> Result<Vec<u8>, CryptoError> {
        Ok(self.key.sign(&parts.concat()).to_bytes().to_vec())
    }
}

pub(super) const ALL: [&dyn SignatureScheme; 1] = [&Ed25519];
