//! Signatures for RFC 7427 and the older authentication methods of IKEv2.

mod ecdsa;
mod ed25519;
#[cfg(feature = "rsa")]
mod rsa;

use alloc::boxed::Box;
use alloc::vec::Vec;
use rand_core::CryptoRng;

use crate::{CryptoError, Digest, HashId, SignatureId};

/// A signature scheme with its hash.
pub trait SignatureScheme: Sync {
    /// The scheme that this implements.
    fn id(&self) -> SignatureId;

    /// Verifies `signature` over `parts` as one message.
    ///
    /// `public_key` is a DER `SubjectPublicKeyInfo`, as a certificate holds it.
    ///
    /// # Errors
    /// [`CryptoError::KeyInvalid`] for a key that does not decode, belongs to another scheme or
    /// is an RSA key outside 2048 to 8192 bits; [`CryptoError::SignatureInvalid`] for everything
    /// else.
    fn verify(
        &self,
        public_key: &[u8],
        parts: &[&[u8]],
        signature: &[u8],
    ) -> Result<(), CryptoError>;

    /// Prepares a private key: DER of PKCS#8, of PKCS#1 (RSA) or of SEC 1 (ECDSA).
    ///
    /// # Errors
    /// [`CryptoError::KeyInvalid`], as in [`verify`](Self::verify).
    fn signing_key(&self, private_key: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError>;
}

/// A private key that is ready to sign.
pub trait SigningKey: Send + Sync {
    /// The scheme that the key signs with.
    fn id(&self) -> SignatureId;

    /// Its public key as DER `SubjectPublicKeyInfo`.
    fn public_key(&self) -> &[u8];

    /// Signs `parts` as one message. Randomness goes into PSS salts and RSA blinding; ECDSA and
    /// Ed25519 are deterministic (RFC 6979, RFC 8032).
    fn sign(&self, rng: &mut dyn CryptoRng, parts: &[&[u8]]) -> Result<Vec<u8>, CryptoError>;
}

/// The digest of a message for a scheme that signs digests; without a hash the message is one, and
/// as long as that of a hash.
fn hashed(id: Option<HashId>, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
    let Some(id) = id else {
        let digest = parts.concat();
        return match digest.len() {
            16..=64 => Ok(Digest::new(&digest)),
            _ => Err(CryptoError::SignatureInvalid),
        };
    };
    let hash = crate::hash::ALL.iter().find(|hash| hash.id() == id);
    hash.map(|hash| hash.digest(parts))
        .ok_or(CryptoError::SignatureInvalid)
}

pub(crate) const ALL: &[&dyn SignatureScheme] = &{
    let [ed25519] = ed25519::ALL;
    let [
        e0,
        e1,
        e2,
        e3,
        e4,
        e5,
        e6,
        e7,
        e8,
        e9,
        e10,
        e11,
        e12,
        e13,
        e14,
    ] = ecdsa::ALL;
    [
        ed25519,
        e0,
        e1,
        e2,
        e3,
        e4,
        e5,
        e6,
        e7,
        e8,
        e9,
        e10,
        e11,
        e12,
        e13,
        e14,
        #[cfg(feature = "rsa")]
        &rsa::PSS_SHA256,
        #[cfg(feature = "rsa")]
        &rsa::PSS_SHA384,
        #[cfg(feature = "rsa")]
        &rsa::PSS_SHA512,
        #[cfg(feature = "rsa")]
        &rsa::PKCS1_SHA256,
        #[cfg(feature = "rsa")]
        &rsa::PKCS1_SHA384,
        #[cfg(feature = "rsa")]
        &rsa::PKCS1_SHA512,
        #[cfg(feature = "rsa")]
        &rsa::PKCS1_SHA1,
        #[cfg(feature = "rsa")]
        &rsa::PKCS1_DIGEST,
    ]
};
