//! Key bytes on the heap.

use alloc::vec::Vec;
use core::fmt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Digest;

/// Secret bytes: zeroized on drop, compared in constant time, never printed.
///
/// The length is fixed at construction, so no growth leaves copies behind.
#[derive(Clone, Default, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes over the bytes of `bytes` without copying them.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Copies `parts` one after the other into one secret.
    #[must_use]
    pub fn concat(parts: &[&[u8]]) -> Self {
        Self(parts.concat())
    }

    /// The length of the secret in bytes, which is no secret.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when it holds no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes themselves. Named so that a reader sees where a secret leaves its wrapper.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Secret {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<&Digest> for Secret {
    fn from(digest: &Digest) -> Self {
        Self(digest.as_ref().to_vec())
    }
}

impl From<Digest> for Secret {
    fn from(digest: Digest) -> Self {
        Self::from(&digest)
    }
}

impl ConstantTimeEq for Secret {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}
