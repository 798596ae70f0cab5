//! The provider: which implementations an endpoint uses.

use crate::{
    Cipher, CipherId, GroupId, Hash, HashId, Integrity, IntegrityId, KeyExchange, MsChapV2, Prf,
    PrfId, Protection, ProtectionId, SignatureId, SignatureScheme,
};

/// Lists of algorithm implementations. An earlier entry of a list wins over a later one.
///
/// A plain struct: override one field and keep the rest.
///
/// ```
/// use crypto_suite::{DEFAULT, GroupId, Provider};
///
/// static WITHOUT_GROUPS: Provider = Provider { groups: &[], ..DEFAULT };
/// assert!(WITHOUT_GROUPS.group(GroupId::Modp2048).is_none());
/// assert!(DEFAULT.group(GroupId::Modp2048).is_some());
/// ```
#[derive(Clone, Copy)]
pub struct Provider {
    /// Hash functions, for signatures, NAT detection and IKEv1's payloads.
    pub hashes: &'static [&'static dyn Hash],
    /// Pseudo-random functions, for the key derivation of both versions of IKE.
    pub prfs: &'static [&'static dyn Prf],
    /// Integrity algorithms that stand alone, as AH needs them.
    pub integrities: &'static [&'static dyn Integrity],
    /// Bare CBC ciphers (IKEv1 messages).
    pub ciphers: &'static [&'static dyn Cipher],
    /// Packet protections (ESP, IKEv2).
    pub protections: &'static [&'static dyn Protection],
    /// Key-exchange methods: MODP and elliptic-curve groups, and ML-KEM.
    pub groups: &'static [&'static dyn KeyExchange],
    /// Signature schemes, each complete with its hash.
    pub signatures: &'static [&'static dyn SignatureScheme],
    /// MD4 and single DES for the passwords of MS-CHAPv2; `None` switches EAP-MSCHAPv2 off.
    pub mschapv2: Option<&'static dyn MsChapV2>,
}

impl Provider {
    /// The hash function `id`, if this provider has it.
    #[must_use]
    pub fn hash(&self, id: HashId) -> Option<&'static dyn Hash> {
        self.hashes.iter().copied().find(|hash| hash.id() == id)
    }

    /// The PRF `id`, if this provider has it.
    #[must_use]
    pub fn prf(&self, id: PrfId) -> Option<&'static dyn Prf> {
        self.prfs.iter().copied().find(|prf| prf.id() == id)
    }

    /// The integrity algorithm `id`, if this provider has it.
    #[must_use]
    pub fn integrity(&self, id: IntegrityId) -> Option<&'static dyn Integrity> {
        self.integrities
            .iter()
            .copied()
            .find(|integrity| integrity.id() == id)
    }

    /// The bare cipher `id`, if this provider has it.
    #[must_use]
    pub fn cipher(&self, id: CipherId) -> Option<&'static dyn Cipher> {
        self.ciphers
            .iter()
            .copied()
            .find(|cipher| cipher.id() == id)
    }

    /// The packet protection `id`, if this provider has it.
    #[must_use]
    pub fn protection(&self, id: ProtectionId) -> Option<&'static dyn Protection> {
        self.protections
            .iter()
            .copied()
            .find(|protection| protection.id() == id)
    }

    /// The key-exchange method `id`, if this provider has it.
    #[must_use]
    pub fn group(&self, id: GroupId) -> Option<&'static dyn KeyExchange> {
        self.groups.iter().copied().find(|group| group.id() == id)
    }

    /// The signature scheme `id`, if this provider has it.
    #[must_use]
    pub fn signature(&self, id: SignatureId) -> Option<&'static dyn SignatureScheme> {
        self.signatures
            .iter()
            .copied()
            .find(|scheme| scheme.id() == id)
    }
}

impl core::fmt::Debug for Provider {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Provider")
            .field("hashes", &self.hashes.len())
            .field("prfs", &self.prfs.len())
            .field("integrities", &self.integrities.len())
            .field("ciphers", &self.ciphers.len())
            .field("protections", &self.protections.len())
            .field("groups", &self.groups.len())
            .field("signatures", &self.signatures.len())
            .field("mschapv2", &self.mschapv2.is_some())
            .finish()
    }
}
