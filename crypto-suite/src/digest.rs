//! Outputs of hashes and PRFs.

use core::fmt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The output of a hash, PRF or integrity algorithm: at most 64 bytes, held inline.
///
/// Compares in constant time, is zeroized on drop and does not print its contents.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Digest {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
}

impl Digest {
    /// Longest output held, bytes (SHA-512).
    pub const MAX_LEN: usize = 64;

    /// Takes the first [`MAX_LEN`](Self::MAX_LEN) bytes of `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut digest = Self {
            bytes: [0; Self::MAX_LEN],
            len: bytes.len().min(Self::MAX_LEN),
        };
        for (to, from) in digest.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        digest
    }

    /// Keeps the first `len` bytes (all when it is shorter).
    #[must_use]
    pub fn truncated(mut self, len: usize) -> Self {
        if let Some(cut) = self.bytes.get_mut(len..) {
            cut.zeroize();
        }
        self.len = self.len.min(len);
        self
    }

    /// The length of the digest in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when it holds no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

impl ConstantTimeEq for Digest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.as_ref().ct_eq(other.as_ref())
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Digest {}

/// Compares in constant time; unequal lengths are unequal.
impl PartialEq<[u8]> for Digest {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_ref().ct_eq(other).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({} bytes)", self.len)
    }
}
