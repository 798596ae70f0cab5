//! IKEv2's numbers: transforms with their key length in bits (RFC 7296 §3.3.2, §3.3.5).

use crypto_suite::{AeadId, CipherId, GroupId, IntegrityId, PrfId};
use isakmp_wire::registry::v2 as wire;
use wire::{EncryptionId as Encr, KeyExchangeMethod as Ke};

/// Ciphers that need an integrity algorithm beside them. Those of fixed key length have no Key
/// Length attribute (RFC 7296 §3.3.5).
const CIPHERS: &[(Encr, Option<u16>, CipherId)] = &[
    (Encr::DES, None, CipherId::DesCbc),
    (Encr::TRIPLE_DES, None, CipherId::TripleDesCbc),
    (Encr::AES_CBC, Some(128), CipherId::Aes128Cbc),
    (Encr::AES_CBC, Some(192), CipherId::Aes192Cbc),
    (Encr::AES_CBC, Some(256), CipherId::Aes256Cbc),
];

/// Ciphers with integrity of their own (RFC 4106, RFC 5282, RFC 7634). The key length does not
/// count the salt.
const AEADS: &[(Encr, Option<u16>, AeadId)] = &[
    (Encr::AES_GCM_8, Some(128), AeadId::Aes128Gcm8),
    (Encr::AES_GCM_8, Some(192), AeadId::Aes192Gcm8),
    (Encr::AES_GCM_8, Some(256), AeadId::Aes256Gcm8),
    (Encr::AES_GCM_12, Some(128), AeadId::Aes128Gcm12),
    (Encr::AES_GCM_12, Some(192), AeadId::Aes192Gcm12),
    (Encr::AES_GCM_12, Some(256), AeadId::Aes256Gcm12),
    (Encr::AES_GCM_16, Some(128), AeadId::Aes128Gcm16),
    (Encr::AES_GCM_16, Some(192), AeadId::Aes192Gcm16),
    (Encr::AES_GCM_16, Some(256), AeadId::Aes256Gcm16),
    (Encr::CHACHA20_POLY1305, None, AeadId::ChaCha20Poly1305),
];

const PRFS: &[(wire::PrfId, PrfId)] = &[
    (wire::PrfId::HMAC_MD5, PrfId::HmacMd5),
    (wire::PrfId::HMAC_SHA1, PrfId::HmacSha1),
    (wire::PrfId::HMAC_SHA2_256, PrfId::HmacSha256),
    (wire::PrfId::HMAC_SHA2_384, PrfId::HmacSha384),
    (wire::PrfId::HMAC_SHA2_512, PrfId::HmacSha512),
];

const INTEGRITIES: &[(wire::IntegrityId, IntegrityId)] = &[
    (wire::IntegrityId::HMAC_MD5_96, IntegrityId::HmacMd5_96),
    (wire::IntegrityId::HMAC_SHA1_96, IntegrityId::HmacSha1_96),
    (
        wire::IntegrityId::HMAC_SHA2_256_128,
        IntegrityId::HmacSha256_128,
    ),
    (
        wire::IntegrityId::HMAC_SHA2_384_192,
        IntegrityId::HmacSha384_192,
    ),
    (
        wire::IntegrityId::HMAC_SHA2_512_256,
        IntegrityId::HmacSha512_256,
    ),
];

/// Methods of transform type 4 and of the additional key exchanges (RFC 9370).
const GROUPS: &[(Ke, GroupId)] = &[
    (Ke::MODP_768, GroupId::Modp768),
    (Ke::MODP_1024, GroupId::Modp1024),
    (Ke::MODP_1536, GroupId::Modp1536),
    (Ke::MODP_2048, GroupId::Modp2048),
    (Ke::MODP_3072, GroupId::Modp3072),
    (Ke::MODP_4096, GroupId::Modp4096),
    (Ke::MODP_6144, GroupId::Modp6144),
    (Ke::MODP_8192, GroupId::Modp8192),
    (Ke::ECP_256, GroupId::Ecp256),
    (Ke::ECP_384, GroupId::Ecp384),
    (Ke::ECP_521, GroupId::Ecp521),
    (Ke::CURVE25519, GroupId::X25519),
    (Ke::CURVE448, GroupId::X448),
    (Ke::ML_KEM_512, GroupId::MlKem512),
    (Ke::ML_KEM_768, GroupId::MlKem768),
    (Ke::ML_KEM_1024, GroupId::MlKem1024),
];

/// Number and key length in bits of a cipher.
#[must_use]
pub fn cipher_to_wire(id: CipherId) -> Option<(Encr, Option<u16>)> {
    let row = CIPHERS.iter().find(|row| row.2 == id)?;
    Some((row.0, row.1))
}

/// The cipher behind a number and a key length in bits; a length where none belongs, and none
/// where one does, give `None`.
#[must_use]
pub fn cipher_from_wire(number: Encr, bits: Option<u16>) -> Option<CipherId> {
    let row = CIPHERS
        .iter()
        .find(|row| row.0 == number && row.1 == bits)?;
    Some(row.2)
}

/// Number and key length in bits of an AEAD.
#[must_use]
pub fn aead_to_wire(id: AeadId) -> Option<(Encr, Option<u16>)> {
    let row = AEADS.iter().find(|row| row.2 == id)?;
    Some((row.0, row.1))
}

/// The AEAD behind a number and a key length in bits, as [`cipher_from_wire`].
#[must_use]
pub fn aead_from_wire(number: Encr, bits: Option<u16>) -> Option<AeadId> {
    let row = AEADS.iter().find(|row| row.0 == number && row.1 == bits)?;
    Some(row.2)
}

/// Number of a PRF.
#[must_use]
pub fn prf_to_wire(id: PrfId) -> Option<wire::PrfId> {
    PRFS.iter().find(|row| row.1 == id).map(|row| row.0)
}

/// The PRF behind a number.
#[must_use]
pub fn prf_from_wire(number: wire::PrfId) -> Option<PrfId> {
    PRFS.iter().find(|row| row.0 == number).map(|row| row.1)
}

/// Number of an integrity algorithm.
#[must_use]
pub fn integrity_to_wire(id: IntegrityId) -> Option<wire::IntegrityId> {
    INTEGRITIES.iter().find(|row| row.1 == id).map(|row| row.0)
}

/// The integrity algorithm behind a number.
#[must_use]
pub fn integrity_from_wire(number: wire::IntegrityId) -> Option<IntegrityId> {
    INTEGRITIES
        .iter()
        .find(|row| row.0 == number)
        .map(|row| row.1)
}

/// Number of a key-exchange method.
#[must_use]
pub fn group_to_wire(id: GroupId) -> Option<Ke> {
    GROUPS.iter().find(|row| row.1 == id).map(|row| row.0)
}

/// The method behind a number.
#[must_use]
pub fn group_from_wire(number: Ke) -> Option<GroupId> {
    GROUPS.iter().find(|row| row.0 == number).map(|row| row.1)
}

#[cfg(test)]
mod tests;
