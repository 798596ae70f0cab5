//! Phase 1 policies: what `crypto isakmp policy` says in the field.

use crypto_suite::{CipherId, GroupId, HashId};

use super::lifetime::Lifetime;
use crate::model::Authentication;

/// One acceptable way to protect an ISAKMP SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase1Policy {
    /// Lower numbers are tried first and offered first. Unique within its list.
    pub priority: u16,
    /// Encryption algorithm with its key length.
    pub encryption: CipherId,
    /// Hash; its HMAC is the prf.
    pub hash: HashId,
    /// Authentication method.
    pub authentication: Authentication,
    /// Diffie-Hellman group.
    pub group: GroupId,
    /// Offered, and the most that is granted. An offer of more is accepted and cut (the shorter of
    /// the two counts at each end).
    pub lifetime: Lifetime,
}

impl Phase1Policy {
    /// AES-256, SHA-256, pre-shared key, MODP 2048, one day.
    #[must_use]
    pub const fn new(priority: u16) -> Self {
        Self {
            priority,
            encryption: CipherId::Aes256Cbc,
            hash: HashId::Sha256,
            authentication: Authentication::PreSharedKey,
            group: GroupId::Modp2048,
            lifetime: Lifetime::PHASE1,
        }
    }
}
