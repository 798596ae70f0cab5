//! SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4).

use alloc::vec::Vec;

use crypto_suite::{HashId, Provider, SignatureId, WeakAlgorithms};
use isakmp_wire::registry::v2::HashAlgorithm;

/// A set of hash algorithms: the data of a SIGNATURE_HASH_ALGORITHMS notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HashAlgorithms(u8);

/// The SIGNATURE_HASH_ALGORITHMS of both sides; Digital Signature is possible when both are there
/// (RFC 7427 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NegotiatedHashes {
    /// What we announced.
    pub ours: Option<HashAlgorithms>,
    /// What the peer announced.
    pub peers: Option<HashAlgorithms>,
}

impl NegotiatedHashes {
    /// What the peer can check, when both sides have announced something.
    pub(super) fn both(self) -> Option<HashAlgorithms> {
        self.ours.and(self.peers)
    }
}

/// In the order in which they are announced.
const KNOWN: [HashAlgorithm; 5] = [
    HashAlgorithm::SHA2_256,
    HashAlgorithm::SHA2_384,
    HashAlgorithm::SHA2_512,
    HashAlgorithm::IDENTITY,
    HashAlgorithm::SHA1,
];

fn bit(algorithm: HashAlgorithm) -> u8 {
    let place = KNOWN.iter().position(|known| *known == algorithm);
    place.map_or(0, |place| {
        1_u8.checked_shl(u32::try_from(place).unwrap_or(8))
            .unwrap_or(0)
    })
}

impl HashAlgorithms {
    /// The empty set: as a peer's announcement it allows no signature at all.
    pub const NONE: Self = Self(0);

    /// What we can verify: the hashes of the provider's signature schemes that `weak` lets pass.
    #[must_use]
    pub fn supported(provider: &Provider, weak: WeakAlgorithms) -> Self {
        provider
            .signatures
            .iter()
            .map(|scheme| scheme.id())
            .filter(|id| weak.check(*id).is_ok())
            .filter_map(hash_of)
            .fold(Self::NONE, Self::with)
    }

    /// This set and `algorithm`; one without a scheme here leaves it as it is.
    #[must_use]
    pub fn with(self, algorithm: HashAlgorithm) -> Self {
        Self(self.0 | bit(algorithm))
    }

    /// Whether `algorithm` is in it.
    #[must_use]
    pub fn contains(self, algorithm: HashAlgorithm) -> bool {
        self.0 & bit(algorithm) != 0
    }

    /// Whether a signature of this scheme may be used under it.
    #[must_use]
    pub fn allow(self, scheme: SignatureId) -> bool {
        hash_of(scheme).is_some_and(|hash| self.contains(hash))
    }

    /// Reads notification data: 16-bit numbers without padding. Unknown numbers are left out, and
    /// so is an odd octet at the end.
    #[must_use]
    pub fn from_notify(data: &[u8]) -> Self {
        let (numbers, _) = data.as_chunks::<2>();
        numbers
            .iter()
            .map(|number| HashAlgorithm(u16::from_be_bytes(*number)))
            .fold(Self::NONE, Self::with)
    }

    /// The notification data.
    #[must_use]
    pub fn to_notify(self) -> Vec<u8> {
        let announced = KNOWN.iter().filter(|known| self.contains(**known));
        announced.flat_map(|known| known.0.to_be_bytes()).collect()
    }
}

/// The hash that a scheme counts as (RFC 7427 §4; RFC 8420 §2: Identity for Ed25519).
pub(super) fn hash_of(scheme: SignatureId) -> Option<HashAlgorithm> {
    match scheme {
        SignatureId::RsaPkcs1(hash)
        | SignatureId::RsaPss(hash)
        | SignatureId::Ecdsa(_, hash, _) => match hash {
            HashId::Sha1 => Some(HashAlgorithm::SHA1),
            HashId::Sha256 => Some(HashAlgorithm::SHA2_256),
            HashId::Sha384 => Some(HashAlgorithm::SHA2_384),
            HashId::Sha512 => Some(HashAlgorithm::SHA2_512),
            _ => None,
        },
        SignatureId::Ed25519 => Some(HashAlgorithm::IDENTITY),
        _ => None,
    }
}
