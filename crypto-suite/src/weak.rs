//! Algorithms that a policy has to name before they may be used.

use core::fmt;

use crate::{CipherId, GroupId, HashId, IntegrityId, PrfId, ProtectionId, SignatureId};

/// A family of algorithms that is broken, or that an attacker with means can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeakAlgorithm {
    /// Single DES: 56-bit keys.
    Des,
    /// MD5, and HMAC-MD5 as PRF or integrity algorithm.
    Md5,
    /// MODP group 1, of 768 bits.
    Modp768,
    /// MODP group 2, of 1024 bits.
    Modp1024,
    /// MODP group 5, of 1536 bits.
    Modp1536,
    /// Signatures over a SHA-1 digest (RFC 8247 §3.2).
    Sha1Signature,
}

impl WeakAlgorithm {
    /// Every algorithm that counts as weak.
    pub const ALL: &'static [Self] = &[
        Self::Des,
        Self::Md5,
        Self::Modp768,
        Self::Modp1024,
        Self::Modp1536,
        Self::Sha1Signature,
    ];

    const fn bit(self) -> u8 {
        match self {
            Self::Des => 1,
            Self::Md5 => 2,
            Self::Modp768 => 4,
            Self::Modp1024 => 8,
            Self::Modp1536 => 16,
            Self::Sha1Signature => 32,
        }
    }
}

impl fmt::Display for WeakAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Des => "DES",
            Self::Md5 => "MD5",
            Self::Modp768 => "MODP_768",
            Self::Modp1024 => "MODP_1024",
            Self::Modp1536 => "MODP_1536",
            Self::Sha1Signature => "signature over SHA1",
        })
    }
}

/// Which weak algorithms a policy has named. The default is none.
///
/// ```
/// use crypto_suite::{CipherId, GroupId, WeakAlgorithm, WeakAlgorithms};
///
/// let policy = WeakAlgorithms::NONE.with(WeakAlgorithm::Modp1024);
/// assert_eq!(policy.check(GroupId::Modp1024), Ok(()));
/// assert_eq!(policy.check(CipherId::DesCbc), Err(WeakAlgorithm::Des));
/// assert_eq!(policy.check(CipherId::Aes128Cbc), Ok(()));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeakAlgorithms(u8);

impl WeakAlgorithms {
    /// No weak algorithm may be used.
    pub const NONE: Self = Self(0);

    /// All may be used: for tests and museum pieces.
    pub const ALL: Self = Self::NONE
        .with(WeakAlgorithm::Des)
        .with(WeakAlgorithm::Md5)
        .with(WeakAlgorithm::Modp768)
        .with(WeakAlgorithm::Modp1024)
        .with(WeakAlgorithm::Modp1536)
        .with(WeakAlgorithm::Sha1Signature);

    /// The set with `algorithm` added.
    #[must_use]
    pub const fn with(self, algorithm: WeakAlgorithm) -> Self {
        Self(self.0 | algorithm.bit())
    }

    /// True when the policy names `algorithm`.
    #[must_use]
    pub const fn permits(self, algorithm: WeakAlgorithm) -> bool {
        self.0 & algorithm.bit() != 0
    }

    /// May `id` be used under this policy?
    ///
    /// # Errors
    /// The first weakness that the policy does not name.
    pub fn check(self, id: impl Strength) -> Result<(), WeakAlgorithm> {
        let weak = id.weaknesses();
        let missing =
            |algorithm: &&WeakAlgorithm| weak.permits(**algorithm) && !self.permits(**algorithm);
        match WeakAlgorithm::ALL.iter().find(missing) {
            Some(algorithm) => Err(*algorithm),
            None => Ok(()),
        }
    }
}

/// What an algorithm's id says about its strength.
pub trait Strength {
    /// What a policy has to name before this algorithm may be used; mostly nothing.
    fn weaknesses(&self) -> WeakAlgorithms;
}

fn only_if(weak: bool, algorithm: WeakAlgorithm) -> WeakAlgorithms {
    if weak {
        WeakAlgorithms::NONE.with(algorithm)
    } else {
        WeakAlgorithms::NONE
    }
}

impl Strength for HashId {
    fn weaknesses(&self) -> WeakAlgorithms {
        only_if(*self == Self::Md5, WeakAlgorithm::Md5)
    }
}

impl Strength for PrfId {
    fn weaknesses(&self) -> WeakAlgorithms {
        only_if(*self == Self::HmacMd5, WeakAlgorithm::Md5)
    }
}

impl Strength for IntegrityId {
    fn weaknesses(&self) -> WeakAlgorithms {
        only_if(*self == Self::HmacMd5_96, WeakAlgorithm::Md5)
    }
}

impl Strength for CipherId {
    fn weaknesses(&self) -> WeakAlgorithms {
        only_if(*self == Self::DesCbc, WeakAlgorithm::Des)
    }
}

impl Strength for ProtectionId {
    fn weaknesses(&self) -> WeakAlgorithms {
        match self {
            Self::CbcHmac(cipher, integrity) => {
                WeakAlgorithms(cipher.weaknesses().0 | integrity.weaknesses().0)
            }
            Self::NullHmac(integrity) => integrity.weaknesses(),
            Self::Aead(_) => WeakAlgorithms::NONE,
        }
    }
}

impl Strength for GroupId {
    fn weaknesses(&self) -> WeakAlgorithms {
        match self {
            Self::Modp768 => WeakAlgorithms::NONE.with(WeakAlgorithm::Modp768),
            Self::Modp1024 => WeakAlgorithms::NONE.with(WeakAlgorithm::Modp1024),
            Self::Modp1536 => WeakAlgorithms::NONE.with(WeakAlgorithm::Modp1536),
            _ => WeakAlgorithms::NONE,
        }
    }
}

impl Strength for SignatureId {
    fn weaknesses(&self) -> WeakAlgorithms {
        let hash = match self {
            Self::RsaPkcs1(hash) | Self::RsaPss(hash) | Self::Ecdsa(_, hash, _) => *hash,
            Self::RsaPkcs1Digest | Self::EcdsaDigest(_) | Self::Ed25519 => {
                return WeakAlgorithms::NONE;
            }
        };
        match hash {
            HashId::Sha1 => WeakAlgorithms::NONE.with(WeakAlgorithm::Sha1Signature),
            other => other.weaknesses(),
        }
    }
}
