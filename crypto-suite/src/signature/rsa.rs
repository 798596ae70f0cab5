//! RSA signatures (RFC 8017).
//!
//! The implementation is the `rsa` crate from its 0.10 on: it is the one
//! pure-Rust choice of this crate's generation of traits, builds without `std`, and unlike 0.9
//! computes with constant-time integers and blinds every private operation. RSA encryption is
//! not reachable from here.

use ::rsa::pkcs1::DecodeRsaPrivateKey;
use ::rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey};
use ::rsa::traits::{PublicKeyParts, SignatureScheme as Padding};
use ::rsa::{Pkcs1v15Sign, PrivateKey, Pss, PublicKey};
use alloc::boxed::Box;
use alloc::vec::Vec;
use rand_core::CryptoRng;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::{SignatureScheme, SigningKey, hashed};
use crate::{CryptoError, HashId, SignatureId};

/// Sizes of moduli that are accepted, bits.
const SIZES: core::ops::RangeInclusive<u32> = 2048..=8192;

fn check_size(key: &impl PublicKeyParts) -> Result<(), CryptoError> {
    if SIZES.contains(&key.n().bit_width_vartime()) {
        Ok(())
    } else {
        Err(CryptoError::KeyInvalid)
    }
}

fn decode_public(public_key: &[u8]) -> Result<PublicKey, CryptoError> {
    let key = PublicKey::from_public_key_der(public_key).map_err(|_| CryptoError::KeyInvalid)?;
    check_size(&key)?;
    Ok(key)
}

fn decode_private(private_key: &[u8]) -> Result<PrivateKey, CryptoError> {
    let key = PrivateKey::from_pkcs8_der(private_key)
        .or_else(|_| PrivateKey::from_pkcs1_der(private_key))
        .map_err(|_| CryptoError::KeyInvalid)?;
    check_size(&key)?;
    Ok(key)
}

fn verify_with(
    key: &PublicKey,
    padding: impl Padding,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    // RFC 8017 §8.1.2, §8.2.2 step 1: exactly as long as the modulus. The crate then compares
    // every octet of the encoded message, so nothing hides in a padding that is skipped (§9.2,
    // the forgeries with e = 3).
    if signature.len() != key.size() {
        return Err(CryptoError::SignatureInvalid);
    }
    key.verify(padding, digest, signature)
        .map_err(|_| CryptoError::SignatureInvalid)
}

fn sign_with(
    key: &PrivateKey,
    padding: impl Padding,
    rng: &mut dyn CryptoRng,
    digest: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    key.sign_with_rng(rng, padding, digest)
        .map_err(|_| CryptoError::KeyInvalid)
}

pub(super) struct Rsa {
    id: SignatureId,
    hash: Option<HashId>,
}

impl Rsa {
    const fn pkcs1(hash: HashId) -> Self {
        Self {
            id: SignatureId::RsaPkcs1(hash),
            hash: Some(hash),
        }
    }

    const fn pss(hash: HashId) -> Self {
        Self {
            id: SignatureId::RsaPss(hash),
            hash: Some(hash),
        }
    }
}

impl SignatureScheme for Rsa {
    fn id(&self) -> SignatureId {
        self.id
    }

    fn verify(
        &self,
        public_key: &[u8],
        parts: &[&[u8]],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        let key = decode_public(public_key)?;
        let digest = hashed(self.hash, parts)?;
        let digest = digest.as_ref();
        match self.id {
            SignatureId::RsaPkcs1Digest => {
                verify_with(&key, Pkcs1v15Sign::new_unprefixed(), digest, signature)
            }
            SignatureId::RsaPkcs1(HashId::Sha1) => {
                verify_with(&key, Pkcs1v15Sign::new::<Sha1>(), digest, signature)
            }
            SignatureId::RsaPkcs1(HashId::Sha256) => {
                verify_with(&key, Pkcs1v15Sign::new::<Sha256>(), digest, signature)
            }
            SignatureId::RsaPkcs1(HashId::Sha384) => {
                verify_with(&key, Pkcs1v15Sign::new::<Sha384>(), digest, signature)
            }
            SignatureId::RsaPkcs1(HashId::Sha512) => {
                verify_with(&key, Pkcs1v15Sign::new::<Sha512>(), digest, signature)
            }
            SignatureId::RsaPss(HashId::Sha256) => {
                verify_with(&key, Pss::<Sha256>::new(), digest, signature)
            }
            SignatureId::RsaPss(HashId::Sha384) => {
                verify_with(&key, Pss::<Sha384>::new(), digest, signature)
            }
            SignatureId::RsaPss(HashId::Sha512) => {
                verify_with(&key, Pss::<Sha512>::new(), digest, signature)
            }
            _ => Err(CryptoError::SignatureInvalid),
        }
    }

    fn signing_key(&self, private_key: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let key = decode_private(private_key)?;
        let public = key
            .to_public_key()
            .to_public_key_der()
            .map_err(|_| CryptoError::KeyInvalid)?
            .into_vec();
        Ok(Box::new(Key {
            id: self.id,
            hash: self.hash,
            key,
            public,
        }))
    }
}

struct Key {
    id: SignatureId,
    hash: Option<HashId>,
    /// Zeroizes itself.
    key: PrivateKey,
    public: Vec<u8>,
}

impl SigningKey for Key {
    fn id(&self) -> SignatureId {
        self.id
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, rng: &mut dyn CryptoRng, parts: &[&[u8]]) -> Result<Vec<u8>, CryptoError> {
        let digest = hashed(self.hash, parts)?;
        let (key, digest) = (&self.key, digest.as_ref());
        match self.id {
            SignatureId::RsaPkcs1Digest => {
                sign_with(key, Pkcs1v15Sign::new_unprefixed(), rng, digest)
            }
            SignatureId::RsaPkcs1(HashId::Sha1) => {
                sign_with(key, Pkcs1v15Sign::new::<Sha1>(), rng, digest)
            }
            SignatureId::RsaPkcs1(HashId::Sha256) => {
                sign_with(key, Pkcs1v15Sign::new::<Sha256>(), rng, digest)
            }
            SignatureId::RsaPkcs1(HashId::Sha384) => {
                sign_with(key, Pkcs1v15Sign::new::<Sha384>(), rng, digest)
            }
            SignatureId::RsaPkcs1(HashId::Sha512) => {
                sign_with(key, Pkcs1v15Sign::new::<Sha512>(), rng, digest)
            }
            SignatureId::RsaPss(HashId::Sha256) => {
                sign_with(key, Pss::<Sha256>::new(), rng, digest)
            }
            SignatureId::RsaPss(HashId::Sha384) => {
                sign_with(key, Pss::<Sha384>::new(), rng, digest)
            }
            SignatureId::RsaPss(HashId::Sha512) => {
                sign_with(key, Pss::<Sha512>::new(), rng, digest)
            }
            _ => Err(CryptoError::KeyInvalid),
        }
    }
}

pub(super) const PSS_SHA256: Rsa = Rsa::pss(HashId::Sha256);
pub(super) const PSS_SHA384: Rsa = Rsa::pss(HashId::Sha384);
pub(super) const PSS_SHA512: Rsa = Rsa::pss(HashId::Sha512);
pub(super) const PKCS1_SHA256: Rsa = Rsa::pkcs1(HashId::Sha256);
pub(super) const PKCS1_SHA384: Rsa = Rsa::pkcs1(HashId::Sha384);
pub(super) const PKCS1_SHA512: Rsa = Rsa::pkcs1(HashId::Sha512);
/// Weak: the authentication method 1 of peers that know no RFC 7427.
pub(super) const PKCS1_SHA1: Rsa = Rsa::pkcs1(HashId::Sha1);
/// IKEv1 signs its HASH.
pub(super) const PKCS1_DIGEST: Rsa = Rsa {
    id: SignatureId::RsaPkcs1Digest,
    hash: None,
};
