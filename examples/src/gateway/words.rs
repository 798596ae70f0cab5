//! Algorithms in the words of the routers' tables and of Wireshark's.

use crate::capture::EspKeys;
use crypto_suite::{AeadId, CipherId, GroupId, HashId, IntegrityId, PrfId, ProtectionId};
use std::net::IpAddr;

/// Words of a transform set, such as `esp-aes esp-sha-hmac`.
#[must_use]
pub fn transform(id: ProtectionId) -> String {
    let hmac = |i: IntegrityId| match i {
        IntegrityId::HmacMd5_96 => "esp-md5-hmac",
        IntegrityId::HmacSha1_96 => "esp-sha-hmac",
        IntegrityId::HmacSha256_128 => "esp-sha256-hmac",
        IntegrityId::HmacSha384_192 => "esp-sha384-hmac",
        IntegrityId::HmacSha512_256 => "esp-sha512-hmac",
        _ => "esp-hmac",
    };
    match id {
        ProtectionId::CbcHmac(c, i) => {
            let cipher = match c {
                CipherId::DesCbc => "esp-des",
                CipherId::TripleDesCbc => "esp-3des",
                CipherId::Aes128Cbc => "esp-aes",
                CipherId::Aes192Cbc => "esp-aes-192",
                CipherId::Aes256Cbc => "esp-aes-256",
                _ => "esp-cbc",
            };
            format!("{cipher} {}", hmac(i))
        }
        ProtectionId::NullHmac(i) => format!("esp-null {}", hmac(i)),
        ProtectionId::Aead(AeadId::ChaCha20Poly1305) => "esp-chacha20-poly1305".into(),
        ProtectionId::Aead(a) => format!("esp-gcm-{}", a.key_len().saturating_mul(8)),
        _ => id.to_string(),
    }
}

/// A cipher as `show crypto isakmp sa detail` names it.
#[must_use]
pub const fn cipher(id: CipherId) -> &'static str {
    match id {
        CipherId::DesCbc => "des",
        CipherId::TripleDesCbc => "3des",
        CipherId::Aes128Cbc => "aes",
        CipherId::Aes192Cbc => "aes-192",
        CipherId::Aes256Cbc => "aes-256",
        _ => "?",
    }
}

/// A hash as `show crypto isakmp sa detail` names it.
#[must_use]
pub const fn hash(id: HashId) -> &'static str {
    match id {
        HashId::Md5 => "md5",
        HashId::Sha1 => "sha",
        HashId::Sha256 => "sha256",
        HashId::Sha384 => "sha384",
        HashId::Sha512 => "sha512",
        _ => "?",
    }
}

/// A group's number; 0 for one without.
#[must_use]
pub const fn group(id: GroupId) -> u16 {
    match id {
        GroupId::Modp768 => 1,
        GroupId::Modp1024 => 2,
        GroupId::Modp1536 => 5,
        GroupId::Modp2048 => 14,
        GroupId::Modp3072 => 15,
        GroupId::Modp4096 => 16,
        GroupId::Modp6144 => 17,
        GroupId::Modp8192 => 18,
        GroupId::Ecp256 => 19,
        GroupId::Ecp384 => 20,
        GroupId::Ecp521 => 21,
        GroupId::X25519 => 31,
        GroupId::X448 => 32,
        _ => 0,
    }
}

/// The algorithms of an IKE SA of IKEv2 as an ASA names them: cipher, octets of its key, hash.
#[must_use]
pub const fn ikev2_suite(
    protection: ProtectionId,
    prf: PrfId,
) -> (&'static str, usize, &'static str) {
    let hash = match prf {
        PrfId::HmacMd5 => "MD5",
        PrfId::HmacSha1 => "SHA96",
        PrfId::HmacSha256 => "SHA256",
        PrfId::HmacSha384 => "SHA384",
        PrfId::HmacSha512 => "SHA512",
        _ => "?",
    };
    match protection {
        ProtectionId::CbcHmac(c, _) => {
            let name = match c {
                CipherId::DesCbc => "DES",
                CipherId::TripleDesCbc => "3DES",
                _ => "AES-CBC",
            };
            (name, c.key_len(), hash)
        }
        ProtectionId::Aead(AeadId::ChaCha20Poly1305) => ("CHACHA20-POLY1305", 32, hash),
        ProtectionId::Aead(a) => ("AES-GCM", a.key_len(), hash),
        _ => ("?", 0, hash),
    }
}

/// Wireshark's names of the algorithms of an IKE SA of IKEv2; `None` for what it cannot decrypt.
#[must_use]
pub const fn ikev2_names(protection: ProtectionId) -> Option<(&'static str, &'static str)> {
    Some(match protection {
        ProtectionId::CbcHmac(c, i) => {
            let cipher = match c {
                CipherId::TripleDesCbc => "3DES [RFC2451]",
                CipherId::Aes128Cbc => "AES-CBC-128 [RFC3602]",
                CipherId::Aes192Cbc => "AES-CBC-192 [RFC3602]",
                CipherId::Aes256Cbc => "AES-CBC-256 [RFC3602]",
                _ => return None,
            };
            let integrity = match i {
                IntegrityId::HmacMd5_96 => "HMAC_MD5_96 [RFC2403]",
                IntegrityId::HmacSha1_96 => "HMAC_SHA1_96 [RFC2404]",
                IntegrityId::HmacSha256_128 => "HMAC_SHA2_256_128 [RFC4868]",
                IntegrityId::HmacSha384_192 => "HMAC_SHA2_384_192 [RFC4868]",
                IntegrityId::HmacSha512_256 => "HMAC_SHA2_512_256 [RFC4868]",
                _ => return None,
            };
            (cipher, integrity)
        }
        ProtectionId::Aead(AeadId::Aes128Gcm16) => {
            ("AES-GCM-128 with 16 octet ICV [RFC5282]", "NONE [RFC4306]")
        }
        ProtectionId::Aead(AeadId::Aes192Gcm16) => {
            ("AES-GCM-192 with 16 octet ICV [RFC5282]", "NONE [RFC4306]")
        }
        ProtectionId::Aead(AeadId::Aes256Gcm16) => {
            ("AES-GCM-256 with 16 octet ICV [RFC5282]", "NONE [RFC4306]")
        }
        _ => return None,
    })
}

/// One direction of an ESP SA for Wireshark's table; `None` for what Wireshark cannot decrypt.
#[must_use]
pub fn esp_keys(
    source: IpAddr,
    destination: IpAddr,
    spi: u32,
    suite: ProtectionId,
    keys: &[u8],
) -> Option<EspKeys<'_>> {
    let (encryption, authentication) = match suite {
        ProtectionId::CbcHmac(c, i) => (wireshark_cipher(c)?, wireshark_hmac(i)?),
        ProtectionId::NullHmac(i) => ("NULL", wireshark_hmac(i)?),
        ProtectionId::Aead(a) => (wireshark_aead(a)?, "NULL"),
        _ => return None,
    };
    let split = match suite {
        // The salt belongs to the key.
        ProtectionId::Aead(_) => keys.len(),
        _ => suite.enc_key_len(),
    };
    let (encryption_key, authentication_key) = keys.split_at_checked(split)?;
    Some(EspKeys {
        source,
        destination,
        spi,
        encryption,
        encryption_key,
        authentication,
        authentication_key,
    })
}

const fn wireshark_cipher(id: CipherId) -> Option<&'static str> {
    Some(match id {
        CipherId::DesCbc => "DES-CBC [RFC2405]",
        CipherId::TripleDesCbc => "TripleDES-CBC [RFC2451]",
        CipherId::Aes128Cbc | CipherId::Aes192Cbc | CipherId::Aes256Cbc => "AES-CBC [RFC3602]",
        _ => return None,
    })
}

const fn wireshark_hmac(id: IntegrityId) -> Option<&'static str> {
    Some(match id {
        IntegrityId::HmacMd5_96 => "HMAC-MD5-96 [RFC2403]",
        IntegrityId::HmacSha1_96 => "HMAC-SHA-1-96 [RFC2404]",
        IntegrityId::HmacSha256_128 => "HMAC-SHA-256-128 [RFC4868]",
        IntegrityId::HmacSha384_192 => "HMAC-SHA-384-192 [RFC4868]",
        IntegrityId::HmacSha512_256 => "HMAC-SHA-512-256 [RFC4868]",
        _ => return None,
    })
}

const fn wireshark_aead(id: AeadId) -> Option<&'static str> {
    Some(match id {
        AeadId::Aes128Gcm8 | AeadId::Aes192Gcm8 | AeadId::Aes256Gcm8 => {
            "AES-GCM with 8 octet ICV [RFC4106]"
        }
        AeadId::Aes128Gcm12 | AeadId::Aes192Gcm12 | AeadId::Aes256Gcm12 => {
            "AES-GCM with 12 octet ICV [RFC4106]"
        }
        AeadId::Aes128Gcm16 | AeadId::Aes192Gcm16 | AeadId::Aes256Gcm16 => {
            "AES-GCM with 16 octet ICV [RFC4106]"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_the_seeds_transform_set() {
        let id = ProtectionId::CbcHmac(CipherId::TripleDesCbc, IntegrityId::HmacSha1_96);
        assert_eq!(transform(id), "esp-3des esp-sha-hmac");
        let id = ProtectionId::CbcHmac(CipherId::Aes256Cbc, IntegrityId::HmacSha1_96);
        assert_eq!(transform(id), "esp-aes-256 esp-sha-hmac");
    }

    #[test]
    fn keying_material_is_cut_between_cipher_and_hmac() {
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|s| s.parse().unwrap());
        let keys: Vec<u8> = (0..36).collect();
        let id = ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha1_96);
        let sa = esp_keys(a, b, 1, id, &keys).unwrap();
        assert_eq!(
            (sa.encryption_key.len(), sa.authentication_key.first()),
            (16, Some(&16))
        );
        let id = ProtectionId::Aead(AeadId::Aes128Gcm16);
        let sa = esp_keys(a, b, 1, id, &keys[..20]).unwrap();
        assert_eq!((sa.encryption_key.len(), sa.authentication), (20, "NULL"));
        assert!(esp_keys(a, b, 1, ProtectionId::Aead(AeadId::ChaCha20Poly1305), &keys).is_none());
    }
}
