//! Proposals of IKE SAs: what `crypto ikev2 proposal` says in the field.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use crypto_suite::{
    AeadId, CipherId, GroupId, IntegrityId, PrfId, ProtectionId, Provider, Strength, WeakAlgorithms,
};

use crate::config::ConfigFault;

/// Most values that one list of a proposal may hold.
const MAX_VALUES: usize = 16;
/// RFC 9370 §2.2.1: transform types ADDKE1 to ADDKE7.
const MAX_ADDITIONAL: usize = 7;

/// What encrypts the messages of an IKE SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encryption {
    /// A cipher with an integrity algorithm beside it.
    Cbc(CipherId),
    /// A cipher with integrity of its own (RFC 5282).
    Aead(AeadId),
}

impl Encryption {
    /// What protects messages together with `integrity`, which an AEAD does not have. `None` when
    /// the two do not go together.
    #[must_use]
    pub const fn with(self, integrity: Option<IntegrityId>) -> Option<ProtectionId> {
        match (self, integrity) {
            (Self::Cbc(cipher), Some(integrity)) => Some(ProtectionId::CbcHmac(cipher, integrity)),
            (Self::Aead(aead), None) => Some(ProtectionId::Aead(aead)),
            _ => None,
        }
    }
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cbc(id) => id.fmt(f),
            Self::Aead(id) => id.fmt(f),
        }
    }
}

/// One of up to seven key exchanges after the first one (RFC 9370).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdditionalKeyExchange {
    /// Acceptable methods, best first.
    pub methods: Vec<GroupId>,
    /// The SA may also come up without it.
    pub optional: bool,
}

/// Acceptable ways to protect an IKE SA: of each list one value is chosen, and every combination
/// is acceptable (RFC 7296 §3.3). Earlier values are preferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IkeProposal {
    /// Ciphers, all of one kind: with integrity of their own or without (RFC 5282 §8).
    pub encryption: Vec<Encryption>,
    /// Integrity algorithms; none beside AEADs.
    pub integrity: Vec<IntegrityId>,
    /// Pseudo-random functions.
    pub prf: Vec<PrfId>,
    /// Methods of the first key exchange.
    pub groups: Vec<GroupId>,
    /// Additional key exchanges, at most 7, in order. Needs IKE_INTERMEDIATE.
    pub additional: Vec<AdditionalKeyExchange>,
}

impl IkeProposal {
    /// AES-GCM and ChaCha20-Poly1305 with SHA-2 prfs, Curve25519 before P-256, P-384 and
    /// MODP 3072 and 2048.
    #[must_use]
    pub fn aead() -> Self {
        Self {
            encryption: alloc::vec![
                Encryption::Aead(AeadId::Aes256Gcm16),
                Encryption::Aead(AeadId::Aes128Gcm16),
                Encryption::Aead(AeadId::ChaCha20Poly1305),
            ],
            integrity: Vec::new(),
            ..Self::cbc()
        }
    }

    /// AES-CBC with HMAC-SHA-2, and the groups of [`Self::aead`].
    #[must_use]
    pub fn cbc() -> Self {
        Self {
            encryption: alloc::vec![
                Encryption::Cbc(CipherId::Aes256Cbc),
                Encryption::Cbc(CipherId::Aes128Cbc),
            ],
            integrity: alloc::vec![
                IntegrityId::HmacSha256_128,
                IntegrityId::HmacSha384_192,
                IntegrityId::HmacSha512_256,
            ],
            prf: alloc::vec![PrfId::HmacSha256, PrfId::HmacSha384, PrfId::HmacSha512],
            groups: alloc::vec![
                GroupId::X25519,
                GroupId::Ecp256,
                GroupId::Ecp384,
                GroupId::Modp3072,
                GroupId::Modp2048,
            ],
            additional: Vec::new(),
        }
    }

    /// What is offered and accepted unless something else is configured: [`Self::aead`], then
    /// [`Self::cbc`].
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        alloc::vec![Self::aead(), Self::cbc()]
    }

    /// The same with ML-KEM-768 as a second key exchange, for peers that have it only when
    /// `optional`.
    #[must_use]
    pub fn with_ml_kem(mut self, optional: bool) -> Self {
        self.additional = alloc::vec![AdditionalKeyExchange {
            methods: alloc::vec![GroupId::MlKem768],
            optional,
        }];
        self
    }

    /// Checks the proposal against itself, against what `provider` has and against the weak
    /// algorithms that are permitted.
    ///
    /// # Errors
    /// The first fault and the field it is in.
    pub fn check(
        &self,
        provider: &Provider,
        weak: WeakAlgorithms,
    ) -> Result<(), (&'static str, ConfigFault)> {
        self.check_lists()?;
        for encryption in &self.encryption {
            let mut pairs: Vec<Option<IntegrityId>> =
                self.integrity.iter().copied().map(Some).collect();
            if pairs.is_empty() {
                pairs.push(None);
            }
            for integrity in pairs {
                let mixed = "ciphers with and without integrity of their own in one proposal, \
                             or an integrity algorithm beside the former";
                let fault = ("integrity", ConfigFault::Unsupported(mixed));
                let id = encryption.with(integrity).ok_or(fault)?;
                have(provider.protection(id).is_some(), &id, "encryption")?;
                permitted(weak, id, "encryption")?;
            }
        }
        for id in &self.prf {
            have(provider.prf(*id).is_some(), id, "prf")?;
            permitted(weak, *id, "prf")?;
        }
        for id in &self.groups {
            have(provider.group(*id).is_some(), id, "groups")?;
            permitted(weak, *id, "groups")?;
        }
        additional(provider, weak, &self.additional)
    }

    fn check_lists(&self) -> Result<(), (&'static str, ConfigFault)> {
        list("encryption", &self.encryption, 1)?;
        list("integrity", &self.integrity, 0)?;
        list("prf", &self.prf, 1)?;
        list("groups", &self.groups, 1)
    }
}

/// Checks additional key exchanges: of an IKE SA or of a child.
pub(in crate::config) fn additional(
    provider: &Provider,
    weak: WeakAlgorithms,
    all: &[AdditionalKeyExchange],
) -> Result<(), (&'static str, ConfigFault)> {
    let field = "additional";
    if all.len() > MAX_ADDITIONAL {
        return Err(range(field, all.len(), "at most 7"));
    }
    for one in all {
        list(field, &one.methods, 1)?;
        for id in &one.methods {
            have(provider.group(*id).is_some(), id, field)?;
            permitted(weak, *id, field)?;
        }
    }
    Ok(())
}

fn have(
    there: bool,
    id: &dyn ToString,
    field: &'static str,
) -> Result<(), (&'static str, ConfigFault)> {
    let fault = || (field, ConfigFault::Unavailable(id.to_string()));
    if there { Ok(()) } else { Err(fault()) }
}

fn list<T: PartialEq + ToString>(
    field: &'static str,
    values: &[T],
    least: usize,
) -> Result<(), (&'static str, ConfigFault)> {
    if values.len() < least {
        return Err((field, ConfigFault::Missing));
    }
    if values.len() > MAX_VALUES {
        return Err(range(field, values.len(), "at most 16"));
    }
    let mut rest = values;
    while let Some((value, after)) = rest.split_first() {
        if after.contains(value) {
            return Err((field, ConfigFault::Duplicate(value.to_string())));
        }
        rest = after;
    }
    Ok(())
}

fn permitted(
    weak: WeakAlgorithms,
    id: impl Strength,
    field: &'static str,
) -> Result<(), (&'static str, ConfigFault)> {
    weak.check(id).map_err(|w| (field, ConfigFault::Weak(w)))
}

fn range(field: &'static str, value: usize, expected: &'static str) -> (&'static str, ConfigFault) {
    let value = u64::try_from(value).unwrap_or(u64::MAX);
    (field, ConfigFault::Range { value, expected })
}

#[cfg(test)]
mod tests;
