//! The one table that knows both the protocol's numbers and the provider's algorithms.
//!
//! IKEv1 names an algorithm by an attribute value (phase 1) or by a transform id with attributes
//! (phase 2) plus a key length in bits for ciphers with variable keys. Each list below is read in
//! both directions, so that what is offered is also what is understood.

pub mod v2;

use crypto_suite::{
    AeadId, CipherId, EcdsaCurve, GroupId, HashId, IntegrityId, PrfId, ProtectionId, SignatureId,
};
use isakmp_wire::registry::v1::{
    AhTransform, AuthenticationAlgorithm, AuthenticationMethod, EncryptionAlgorithm, EspTransform,
    GroupDescription, HashAlgorithm,
};

use crate::model::{Authentication, ChildSuite};

/// Phase 1 ciphers: algorithm, key length in bits where the wire carries it (RFC 2409 App. A,
/// RFC 3602 §5), id.
const CIPHERS: &[(EncryptionAlgorithm, Option<u16>, CipherId)] = &[
    (EncryptionAlgorithm::DES_CBC, None, CipherId::DesCbc),
    (
        EncryptionAlgorithm::TRIPLE_DES_CBC,
        None,
        CipherId::TripleDesCbc,
    ),
    (EncryptionAlgorithm::AES_CBC, Some(128), CipherId::Aes128Cbc),
    (EncryptionAlgorithm::AES_CBC, Some(192), CipherId::Aes192Cbc),
    (EncryptionAlgorithm::AES_CBC, Some(256), CipherId::Aes256Cbc),
];

/// Phase 1 hashes and the prf each stands for (RFC 2409 §4: its HMAC).
const HASHES: &[(HashAlgorithm, HashId, PrfId)] = &[
    (HashAlgorithm::MD5, HashId::Md5, PrfId::HmacMd5),
    (HashAlgorithm::SHA, HashId::Sha1, PrfId::HmacSha1),
    (HashAlgorithm::SHA2_256, HashId::Sha256, PrfId::HmacSha256),
    (HashAlgorithm::SHA2_384, HashId::Sha384, PrfId::HmacSha384),
    (HashAlgorithm::SHA2_512, HashId::Sha512, PrfId::HmacSha512),
];

const AUTHENTICATIONS: &[(AuthenticationMethod, Authentication)] = &[
    (
        AuthenticationMethod::PRE_SHARED_KEY,
        Authentication::PreSharedKey,
    ),
    (
        AuthenticationMethod::RSA_SIGNATURES,
        Authentication::RsaSignature,
    ),
    (
        AuthenticationMethod::ECDSA_SHA256_P256,
        Authentication::EcdsaP256,
    ),
    (
        AuthenticationMethod::ECDSA_SHA384_P384,
        Authentication::EcdsaP384,
    ),
    (
        AuthenticationMethod::ECDSA_SHA512_P521,
        Authentication::EcdsaP521,
    ),
];

/// Groups of phase 1 and of PFS. Curve25519, Curve448 and ML-KEM have no number in IKEv1.
const GROUPS: &[(GroupDescription, GroupId)] = &[
    (GroupDescription::MODP_768, GroupId::Modp768),
    (GroupDescription::MODP_1024, GroupId::Modp1024),
    (GroupDescription::MODP_1536, GroupId::Modp1536),
    (GroupDescription::MODP_2048, GroupId::Modp2048),
    (GroupDescription::MODP_3072, GroupId::Modp3072),
    (GroupDescription::MODP_4096, GroupId::Modp4096),
    (GroupDescription::MODP_6144, GroupId::Modp6144),
    (GroupDescription::MODP_8192, GroupId::Modp8192),
    (GroupDescription::ECP_256, GroupId::Ecp256),
    (GroupDescription::ECP_384, GroupId::Ecp384),
    (GroupDescription::ECP_521, GroupId::Ecp521),
];

/// Phase 2 integrity: attribute 5 of ESP, the AH transform that goes with it, id.
const INTEGRITIES: &[(AuthenticationAlgorithm, AhTransform, IntegrityId)] = &[
    (
        AuthenticationAlgorithm::HMAC_MD5,
        AhTransform::MD5,
        IntegrityId::HmacMd5_96,
    ),
    (
        AuthenticationAlgorithm::HMAC_SHA,
        AhTransform::SHA,
        IntegrityId::HmacSha1_96,
    ),
    (
        AuthenticationAlgorithm::HMAC_SHA2_256,
        AhTransform::SHA2_256,
        IntegrityId::HmacSha256_128,
    ),
    (
        AuthenticationAlgorithm::HMAC_SHA2_384,
        AhTransform::SHA2_384,
        IntegrityId::HmacSha384_192,
    ),
    (
        AuthenticationAlgorithm::HMAC_SHA2_512,
        AhTransform::SHA2_512,
        IntegrityId::HmacSha512_256,
    ),
];

/// ESP ciphers that need an integrity algorithm beside them.
const ESP_CIPHERS: &[(EspTransform, Option<u16>, CipherId)] = &[
    (EspTransform::DES, None, CipherId::DesCbc),
    (EspTransform::TRIPLE_DES, None, CipherId::TripleDesCbc),
    (EspTransform::AES_CBC, Some(128), CipherId::Aes128Cbc),
    (EspTransform::AES_CBC, Some(192), CipherId::Aes192Cbc),
    (EspTransform::AES_CBC, Some(256), CipherId::Aes256Cbc),
];

/// ESP ciphers with integrity of their own (RFC 4106 §8: transform and Key Length; the key length
/// does not count the salt).
const ESP_AEADS: &[(EspTransform, Option<u16>, AeadId)] = &[
    (EspTransform::AES_GCM_8, Some(128), AeadId::Aes128Gcm8),
    (EspTransform::AES_GCM_8, Some(192), AeadId::Aes192Gcm8),
    (EspTransform::AES_GCM_8, Some(256), AeadId::Aes256Gcm8),
    (EspTransform::AES_GCM_12, Some(128), AeadId::Aes128Gcm12),
    (EspTransform::AES_GCM_12, Some(192), AeadId::Aes192Gcm12),
    (EspTransform::AES_GCM_12, Some(256), AeadId::Aes256Gcm12),
    (EspTransform::AES_GCM_16, Some(128), AeadId::Aes128Gcm16),
    (EspTransform::AES_GCM_16, Some(192), AeadId::Aes192Gcm16),
    (EspTransform::AES_GCM_16, Some(256), AeadId::Aes256Gcm16),
];

/// Attribute values of a phase 1 cipher: algorithm and key length in bits.
#[must_use]
pub fn cipher_to_wire(id: CipherId) -> Option<(EncryptionAlgorithm, Option<u16>)> {
    CIPHERS
        .iter()
        .find(|row| row.2 == id)
        .map(|row| (row.0, row.1))
}

/// The cipher behind phase 1 attribute values.
///
/// A key length on a cipher with a fixed key must not be there (RFC 2409 App. A), one is needed
/// for AES (RFC 3602 §5.1); anything else gives `None`.
#[must_use]
pub fn cipher_from_wire(algorithm: EncryptionAlgorithm, bits: Option<u16>) -> Option<CipherId> {
    CIPHERS
        .iter()
        .find(|row| row.0 == algorithm && row.1 == bits)
        .map(|row| row.2)
}

/// Attribute value of a hash.
#[must_use]
pub fn hash_to_wire(id: HashId) -> Option<HashAlgorithm> {
    HASHES.iter().find(|row| row.1 == id).map(|row| row.0)
}

/// The hash behind an attribute value.
#[must_use]
pub fn hash_from_wire(value: HashAlgorithm) -> Option<HashId> {
    HASHES.iter().find(|row| row.0 == value).map(|row| row.1)
}

/// The prf that a negotiated hash stands for.
#[must_use]
pub fn prf_of_hash(id: HashId) -> Option<PrfId> {
    HASHES.iter().find(|row| row.1 == id).map(|row| row.2)
}

/// Attribute value of an authentication method.
#[must_use]
pub fn authentication_to_wire(id: Authentication) -> Option<AuthenticationMethod> {
    AUTHENTICATIONS
        .iter()
        .find(|row| row.1 == id)
        .map(|row| row.0)
}

/// The authentication method behind an attribute value.
#[must_use]
pub fn authentication_from_wire(value: AuthenticationMethod) -> Option<Authentication> {
    AUTHENTICATIONS
        .iter()
        .find(|row| row.0 == value)
        .map(|row| row.1)
}

/// The scheme that IKEv1 signs its HASH with (RFC 2409 §5.1), and the hash whose HMAC makes that HASH
/// in place of the negotiated one: RFC 4754 ties one to each curve. `None` without signatures.
pub(crate) fn signature_of_v1(id: Authentication) -> Option<(SignatureId, Option<HashId>)> {
    use EcdsaCurve::{P256, P384, P521};
    use SignatureId::EcdsaDigest;
    Some(match id {
        Authentication::PreSharedKey => return None,
        Authentication::RsaSignature => (SignatureId::RsaPkcs1Digest, None),
        Authentication::EcdsaP256 => (EcdsaDigest(P256), Some(HashId::Sha256)),
        Authentication::EcdsaP384 => (EcdsaDigest(P384), Some(HashId::Sha384)),
        Authentication::EcdsaP521 => (EcdsaDigest(P521), Some(HashId::Sha512)),
    })
}

/// Group description of a group.
#[must_use]
pub fn group_to_wire(id: GroupId) -> Option<GroupDescription> {
    GROUPS.iter().find(|row| row.1 == id).map(|row| row.0)
}

/// The group behind a group description.
#[must_use]
pub fn group_from_wire(value: GroupDescription) -> Option<GroupId> {
    GROUPS.iter().find(|row| row.0 == value).map(|row| row.1)
}

/// How phase 2 names a protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuiteOnWire {
    /// Protocol-ID of the proposal: 3 for ESP, 2 for AH (RFC 2407 §4.4.1).
    pub protocol: u8,
    /// Transform-ID.
    pub transform: u8,
    /// Key Length attribute, bits.
    pub key_length: Option<u16>,
    /// Authentication Algorithm attribute.
    pub authentication: Option<AuthenticationAlgorithm>,
}

/// Protocol-ID of ESP proposals.
pub const PROTO_ESP: u8 = 3;
/// Protocol-ID of AH proposals.
pub const PROTO_AH: u8 = 2;

/// How phase 2 names `suite`; `None` when IKEv1 has no number for it.
#[must_use]
pub fn suite_to_wire(suite: ChildSuite) -> Option<SuiteOnWire> {
    let authentication =
        |id: IntegrityId| INTEGRITIES.iter().find(|row| row.2 == id).map(|row| row.0);
    let esp = |id: EspTransform, key_length, authentication| SuiteOnWire {
        protocol: PROTO_ESP,
        transform: id.0,
        key_length,
        authentication,
    };
    match suite {
        ChildSuite::Esp(ProtectionId::CbcHmac(cipher, integrity)) => {
            let row = ESP_CIPHERS.iter().find(|row| row.2 == cipher)?;
            Some(esp(row.0, row.1, Some(authentication(integrity)?)))
        }
        ChildSuite::Esp(ProtectionId::NullHmac(integrity)) => Some(esp(
            EspTransform::NULL,
            None,
            Some(authentication(integrity)?),
        )),
        ChildSuite::Esp(ProtectionId::Aead(aead)) => {
            let row = ESP_AEADS.iter().find(|row| row.2 == aead)?;
            Some(esp(row.0, row.1, None))
        }
        ChildSuite::Ah(integrity) => {
            let row = INTEGRITIES.iter().find(|row| row.2 == integrity)?;
            Some(SuiteOnWire {
                protocol: PROTO_AH,
                transform: row.1.0,
                key_length: None,
                authentication: Some(row.0),
            })
        }
        _ => None,
    }
}

/// The protection behind a phase 2 transform, or the first thing that names none.
///
/// Encryption without integrity has no value here: it is refused, not configured.
///
/// # Errors
/// What is unknown, missing or out of place.
pub fn suite_from_wire(wire: &SuiteOnWire) -> Result<ChildSuite, SuiteFault> {
    let integrity = |value: AuthenticationAlgorithm| {
        let row = INTEGRITIES.iter().find(|row| row.0 == value);
        row.map(|row| (row.1, row.2))
            .ok_or(SuiteFault::Authentication(value.0))
    };
    match wire.protocol {
        PROTO_ESP => {
            let transform = EspTransform(wire.transform);
            if ESP_AEADS.iter().any(|row| row.0 == transform) {
                // RFC 4106 §8.4: no authentication algorithm beside a combined mode.
                if let Some(value) = wire.authentication {
                    return Err(SuiteFault::Authentication(value.0));
                }
                return ESP_AEADS
                    .iter()
                    .find(|row| row.0 == transform && row.1 == wire.key_length)
                    .map(|row| ChildSuite::Esp(ProtectionId::Aead(row.2)))
                    .ok_or(SuiteFault::KeyLength(wire.key_length));
            }
            let cipher = if transform == EspTransform::NULL {
                if wire.key_length.is_some() {
                    return Err(SuiteFault::KeyLength(wire.key_length));
                }
                None
            } else {
                if !ESP_CIPHERS.iter().any(|row| row.0 == transform) {
                    return Err(SuiteFault::Transform(wire.transform));
                }
                // RFC 2407 §4.5: required for variable keys, forbidden for fixed ones.
                let row = ESP_CIPHERS
                    .iter()
                    .find(|row| row.0 == transform && row.1 == wire.key_length);
                Some(row.ok_or(SuiteFault::KeyLength(wire.key_length))?.2)
            };
            let value = wire.authentication.ok_or(SuiteFault::NoIntegrity)?;
            let (_, integrity) = integrity(value)?;
            Ok(ChildSuite::Esp(match cipher {
                Some(cipher) => ProtectionId::CbcHmac(cipher, integrity),
                None => ProtectionId::NullHmac(integrity),
            }))
        }
        PROTO_AH => {
            // RFC 2407 §4.4.3: the transform and the attribute must name the same algorithm.
            let value = wire.authentication.ok_or(SuiteFault::NoIntegrity)?;
            let (transform, id) = integrity(value)?;
            if transform.0 != wire.transform {
                return Err(SuiteFault::Transform(wire.transform));
            }
            if wire.key_length.is_some() {
                return Err(SuiteFault::KeyLength(wire.key_length));
            }
            Ok(ChildSuite::Ah(id))
        }
        other => Err(SuiteFault::Protocol(other)),
    }
}

/// Why a phase 2 transform names no protection that exists here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteFault {
    /// Neither ESP nor AH.
    #[error("protocol {0} is neither ESP nor AH")]
    Protocol(u8),
    /// The transform id is unknown, or is not the one of the authentication algorithm.
    #[error("transform {0} is not supported")]
    Transform(u8),
    /// The key length is missing, forbidden or impossible.
    #[error("key length {0:?} does not fit the transform")]
    KeyLength(Option<u16>),
    /// The authentication algorithm is unknown, or is there with a combined-mode cipher.
    #[error("authentication algorithm {0} is not supported")]
    Authentication(u16),
    /// Nothing would protect integrity.
    #[error("encryption without integrity")]
    NoIntegrity,
}

/// Whether a key with these schemes can make the signatures of a method.
pub(crate) fn can_sign(schemes: &[SignatureId], method: Authentication) -> bool {
    let wanted = signature_of_v1(method).map(|(scheme, _)| scheme);
    schemes.iter().any(|scheme| match (scheme, wanted) {
        (SignatureId::RsaPkcs1(_) | SignatureId::RsaPss(_), Some(SignatureId::RsaPkcs1Digest)) => {
            true
        }
        (SignatureId::Ecdsa(curve, ..), Some(SignatureId::EcdsaDigest(wanted))) => curve == &wanted,
        (scheme, wanted) => Some(*scheme) == wanted,
    })
}

#[cfg(test)]
mod tests;
