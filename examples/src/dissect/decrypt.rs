//! Opens ESP packets and IKEv2 SK payloads with keys named as Wireshark names them.

use crypto_suite::{
    AeadId, CipherId, CipherKey, CryptoError, DEFAULT, IntegrityId, IntegrityKey, Layout,
    PacketKey, ProtectionId,
};

/// What came out.
pub(super) struct Opened {
    /// The plaintext, padding and trailer included.
    pub plaintext: Vec<u8>,
    /// The IV on the wire.
    pub iv: Vec<u8>,
    /// The ICV on the wire.
    pub icv: Vec<u8>,
    /// The ICV was checked and fits; `None` when no key to check it with is known.
    pub authentic: Option<bool>,
}

/// A prepared key.
pub(super) enum Opener {
    /// CBC or NULL, with an HMAC that can be checked or only skipped.
    Classic {
        /// `None` is NULL encryption.
        cipher: Option<(Box<dyn CipherKey>, usize)>,
        /// The key to check the ICV with.
        integrity: Option<Box<dyn IntegrityKey>>,
        /// Octets of the ICV.
        icv_len: usize,
    },
    /// An AEAD.
    Aead(Box<dyn PacketKey>),
}

impl Opener {
    /// Prepares a key; the error says which part is not understood.
    ///
    /// # Errors
    /// A name this program does not know, or a key of the wrong length.
    pub(super) fn new(
        cipher: &str,
        cipher_key: &[u8],
        integrity: &str,
        integrity_key: &[u8],
    ) -> Result<Self, String> {
        let bad = |what: &str, error: CryptoError| format!("{what}: {error}");
        if let Some(aead) = aead_named(cipher, cipher_key.len()) {
            let protection = DEFAULT
                .protection(ProtectionId::Aead(aead))
                .ok_or_else(|| format!("{cipher}: not built in"))?;
            return protection
                .new_key(cipher_key)
                .map(Self::Aead)
                .map_err(|error| bad(cipher, error));
        }
        let cipher = match cipher_named(cipher, cipher_key.len())? {
            None => None,
            Some(id) => {
                let found = DEFAULT
                    .cipher(id)
                    .ok_or_else(|| format!("{id}: not built in"))?;
                Some((
                    found
                        .new_key(cipher_key)
                        .map_err(|error| bad(cipher, error))?,
                    found.block_len(),
                ))
            }
        };
        let (id, icv_len) = integrity_named(integrity)?;
        let integrity = match id {
            Some(id) if !integrity_key.is_empty() => {
                let found = DEFAULT
                    .integrity(id)
                    .ok_or_else(|| format!("{id}: not built in"))?;
                Some(
                    found
                        .new_key(integrity_key)
                        .map_err(|error| bad(integrity, error))?,
                )
            }
            _ => None,
        };
        Ok(Self::Classic {
            cipher,
            integrity,
            icv_len,
        })
    }

    /// Opens `associated data | IV | ciphertext | ICV`.
    ///
    /// # Errors
    /// Says why not: too short, not a multiple of the block, or an AEAD's ICV that does not fit.
    pub(super) fn open(&self, packet: &[u8], layout: Layout) -> Result<Opened, String> {
        let split = |iv_len: usize, icv_len: usize| -> Option<(&[u8], &[u8], &[u8])> {
            let (_, rest) = packet.split_at_checked(layout.aad_len)?;
            let (iv, rest) = rest.split_at_checked(iv_len)?;
            let (ciphertext, icv) = rest.split_at_checked(rest.len().checked_sub(icv_len)?)?;
            Some((iv, ciphertext, icv))
        };
        let short = || format!("{} octets are too few for IV and ICV", packet.len());
        match self {
            Self::Aead(key) => {
                let (iv, ciphertext, icv) = split(key.iv_len(), key.icv_len()).ok_or_else(short)?;
                let mut buffer = packet.to_vec();
                key.open(&mut buffer, layout)
                    .map_err(|error| error.to_string())?;
                let start = layout.aad_len.saturating_add(iv.len());
                let plaintext = buffer
                    .get(start..start.saturating_add(ciphertext.len()))
                    .ok_or_else(short)?
                    .to_vec();
                Ok(Opened {
                    plaintext,
                    iv: iv.to_vec(),
                    icv: icv.to_vec(),
                    authentic: Some(true),
                })
            }
            Self::Classic {
                cipher,
                integrity,
                icv_len,
            } => {
                let block = cipher.as_ref().map_or(0, |(_, block)| *block);
                let (iv, ciphertext, icv) = split(block, *icv_len).ok_or_else(short)?;
                let authentic = integrity.as_ref().map(|key| {
                    let covered = packet
                        .get(..packet.len().saturating_sub(*icv_len))
                        .unwrap_or(packet);
                    // RFC 4303 §2.2.1: the high half of an extended number is authenticated behind
                    // the packet.
                    let high = layout.esn_high.map(u32::to_be_bytes);
                    key.verify(&[covered, high.as_ref().map_or(&[][..], |high| high)], icv)
                        .is_ok()
                });
                let mut plaintext = ciphertext.to_vec();
                if let Some((key, _)) = cipher {
                    key.decrypt(iv, &mut plaintext)
                        .map_err(|error| error.to_string())?;
                }
                Ok(Opened {
                    plaintext,
                    iv: iv.to_vec(),
                    icv: icv.to_vec(),
                    authentic,
                })
            }
        }
    }
}

/// AES-GCM in Wireshark's ESP table (`AES-GCM with 16 octet ICV [RFC4106]`, `AES-GCM [RFC4106]`) and
/// in its IKEv2 table (`AES-GCM-128 with 16 octet ICV [RFC5282]`); ChaCha20-Poly1305.
fn aead_named(name: &str, key_len: usize) -> Option<AeadId> {
    if name.starts_with("ChaCha20") || name.starts_with("CHACHA20") {
        return Some(AeadId::ChaCha20Poly1305);
    }
    if !name.starts_with("AES-GCM") {
        return None;
    }
    let icv = match name {
        name if name.contains("8 octet") => 8,
        name if name.contains("12 octet") => 12,
        _ => 16,
    };
    match (key_len, icv) {
        (20, 8) => Some(AeadId::Aes128Gcm8),
        (20, 12) => Some(AeadId::Aes128Gcm12),
        (20, _) => Some(AeadId::Aes128Gcm16),
        (28, 8) => Some(AeadId::Aes192Gcm8),
        (28, 12) => Some(AeadId::Aes192Gcm12),
        (28, _) => Some(AeadId::Aes192Gcm16),
        (36, 8) => Some(AeadId::Aes256Gcm8),
        (36, 12) => Some(AeadId::Aes256Gcm12),
        (36, _) => Some(AeadId::Aes256Gcm16),
        _ => None,
    }
}

fn cipher_named(name: &str, key_len: usize) -> Result<Option<CipherId>, String> {
    match (name.split([' ', '[']).next().unwrap_or(""), key_len) {
        ("NULL", _) => Ok(None),
        ("TripleDES-CBC" | "3DES" | "3DES-CBC", 24) => Ok(Some(CipherId::TripleDesCbc)),
        ("DES-CBC" | "DES", 8) => Ok(Some(CipherId::DesCbc)),
        ("AES-CBC" | "AES-CBC-128", 16) => Ok(Some(CipherId::Aes128Cbc)),
        ("AES-CBC" | "AES-CBC-192", 24) => Ok(Some(CipherId::Aes192Cbc)),
        ("AES-CBC" | "AES-CBC-256", 32) => Ok(Some(CipherId::Aes256Cbc)),
        _ => Err(format!(
            "no cipher for {name:?} with a key of {key_len} octets"
        )),
    }
}

/// The algorithm, when its value can be checked, and the length of its ICV.
fn integrity_named(name: &str) -> Result<(Option<IntegrityId>, usize), String> {
    let plain = name.split(" [").next().unwrap_or("").replace('_', "-");
    if let Some(bits) = plain
        .strip_prefix("ANY ")
        .and_then(|rest| rest.split(' ').next())
    {
        let bits: usize = bits.parse().map_err(|_| format!("{name:?}"))?;
        return Ok((None, bits / 8));
    }
    let id = match plain.as_str() {
        "NULL" | "NONE" => return Ok((None, 0)),
        "HMAC-SHA-1-96" | "HMAC-SHA1-96" => IntegrityId::HmacSha1_96,
        "HMAC-MD5-96" => IntegrityId::HmacMd5_96,
        "HMAC-SHA-256-128" | "HMAC-SHA2-256-128" => IntegrityId::HmacSha256_128,
        "HMAC-SHA-384-192" | "HMAC-SHA2-384-192" => IntegrityId::HmacSha384_192,
        "HMAC-SHA-512-256" | "HMAC-SHA2-512-256" => IntegrityId::HmacSha512_256,
        // Their ICV can be skipped, though not checked.
        "HMAC-SHA-256-96" | "HMAC-SHA2-256-96" | "MAC-RIPEMD-160-96" => return Ok((None, 12)),
        "HMAC-MD5-128" => return Ok((None, 16)),
        "HMAC-SHA1-160" => return Ok((None, 20)),
        _ => return Err(format!("no integrity algorithm for {name:?}")),
    };
    Ok((Some(id), id.icv_len()))
}

#[cfg(test)]
mod tests;
