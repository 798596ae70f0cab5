//! Names of algorithms. Protocol numbers live elsewhere: one table of the IKE crate maps them.

use core::fmt;

macro_rules! names {
    ($ty:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $ty {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name as IANA's registries or the RFCs have it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }

        impl fmt::Display for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

/// The name of a hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HashId {
    /// MD5, RFC 1321. Weak.
    Md5,
    /// SHA-1, RFC 3174: 160 bits.
    Sha1,
    /// SHA-256, FIPS 180-4: 256 bits.
    Sha256,
    /// SHA-384, FIPS 180-4: 384 bits.
    Sha384,
    /// SHA-512, FIPS 180-4: 512 bits.
    Sha512,
}

names!(HashId {
    Md5 => "MD5",
    Sha1 => "SHA1",
    Sha256 => "SHA2-256",
    Sha384 => "SHA2-384",
    Sha512 => "SHA2-512",
});

/// The name of a pseudo-random function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PrfId {
    /// HMAC-MD5, RFC 2104. Weak.
    HmacMd5,
    /// HMAC-SHA1, RFC 2104: 160 bits of output.
    HmacSha1,
    /// HMAC-SHA-256, RFC 4868: 256 bits of output.
    HmacSha256,
    /// HMAC-SHA-384, RFC 4868: 384 bits of output.
    HmacSha384,
    /// HMAC-SHA-512, RFC 4868: 512 bits of output.
    HmacSha512,
}

names!(PrfId {
    HmacMd5 => "PRF_HMAC_MD5",
    HmacSha1 => "PRF_HMAC_SHA1",
    HmacSha256 => "PRF_HMAC_SHA2_256",
    HmacSha384 => "PRF_HMAC_SHA2_384",
    HmacSha512 => "PRF_HMAC_SHA2_512",
});

/// The name of a truncated message authentication code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IntegrityId {
    /// HMAC-MD5-96, RFC 2403. Weak.
    HmacMd5_96,
    /// HMAC-SHA-1-96, RFC 2404: an ICV of 12 bytes.
    HmacSha1_96,
    /// HMAC-SHA-256-128, RFC 4868: an ICV of 16 bytes.
    HmacSha256_128,
    /// HMAC-SHA-384-192, RFC 4868: an ICV of 24 bytes.
    HmacSha384_192,
    /// HMAC-SHA-512-256, RFC 4868: an ICV of 32 bytes.
    HmacSha512_256,
}

names!(IntegrityId {
    HmacMd5_96 => "HMAC_MD5_96",
    HmacSha1_96 => "HMAC_SHA1_96",
    HmacSha256_128 => "HMAC_SHA2_256_128",
    HmacSha384_192 => "HMAC_SHA2_384_192",
    HmacSha512_256 => "HMAC_SHA2_512_256",
});

impl IntegrityId {
    /// Length of the key, bytes: that of the untruncated output (RFC 2403 §2, RFC 2404 §2,
    /// RFC 4868 §2.1.1).
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::HmacMd5_96 => 16,
            Self::HmacSha1_96 => 20,
            Self::HmacSha256_128 => 32,
            Self::HmacSha384_192 => 48,
            Self::HmacSha512_256 => 64,
        }
    }

    /// Length of the truncated output, bytes.
    #[must_use]
    pub const fn icv_len(self) -> usize {
        match self {
            Self::HmacMd5_96 | Self::HmacSha1_96 => 12,
            Self::HmacSha256_128 => 16,
            Self::HmacSha384_192 => 24,
            Self::HmacSha512_256 => 32,
        }
    }
}

/// A block cipher in CBC mode with its key length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CipherId {
    /// DES-CBC, RFC 2405. Weak.
    DesCbc,
    /// Triple-DES-CBC (EDE, three keys), RFC 2451.
    TripleDesCbc,
    /// AES-CBC, 128-bit key, RFC 3602.
    Aes128Cbc,
    /// AES-CBC, 192-bit key, RFC 3602.
    Aes192Cbc,
    /// AES-CBC, 256-bit key, RFC 3602.
    Aes256Cbc,
}

names!(CipherId {
    DesCbc => "DES_CBC",
    TripleDesCbc => "3DES_CBC",
    Aes128Cbc => "AES_CBC_128",
    Aes192Cbc => "AES_CBC_192",
    Aes256Cbc => "AES_CBC_256",
});

impl CipherId {
    /// Length of the key, bytes (DES keys with their parity bits).
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::DesCbc => 8,
            Self::TripleDesCbc | Self::Aes192Cbc => 24,
            Self::Aes128Cbc => 16,
            Self::Aes256Cbc => 32,
        }
    }

    /// Length of a block and of the IV, bytes.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::DesCbc | Self::TripleDesCbc => 8,
            Self::Aes128Cbc | Self::Aes192Cbc | Self::Aes256Cbc => 16,
        }
    }
}

/// An AEAD with its key and ICV length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AeadId {
    /// AES-GCM, 128-bit key, 8-byte ICV, RFC 4106.
    Aes128Gcm8,
    /// AES-GCM, 128-bit key, 12-byte ICV, RFC 4106.
    Aes128Gcm12,
    /// AES-GCM, 128-bit key, 16-byte ICV, RFC 4106.
    Aes128Gcm16,
    /// AES-GCM, 192-bit key, 8-byte ICV, RFC 4106.
    Aes192Gcm8,
    /// AES-GCM, 192-bit key, 12-byte ICV, RFC 4106.
    Aes192Gcm12,
    /// AES-GCM, 192-bit key, 16-byte ICV, RFC 4106.
    Aes192Gcm16,
    /// AES-GCM, 256-bit key, 8-byte ICV, RFC 4106.
    Aes256Gcm8,
    /// AES-GCM, 256-bit key, 12-byte ICV, RFC 4106.
    Aes256Gcm12,
    /// AES-GCM, 256-bit key, 16-byte ICV, RFC 4106.
    Aes256Gcm16,
    /// ChaCha20-Poly1305, RFC 7634: a key of 32 bytes and a salt of 4.
    ChaCha20Poly1305,
}

names!(AeadId {
    Aes128Gcm8 => "AES_GCM_8_128",
    Aes128Gcm12 => "AES_GCM_12_128",
    Aes128Gcm16 => "AES_GCM_16_128",
    Aes192Gcm8 => "AES_GCM_8_192",
    Aes192Gcm12 => "AES_GCM_12_192",
    Aes192Gcm16 => "AES_GCM_16_192",
    Aes256Gcm8 => "AES_GCM_8_256",
    Aes256Gcm12 => "AES_GCM_12_256",
    Aes256Gcm16 => "AES_GCM_16_256",
    ChaCha20Poly1305 => "CHACHA20_POLY1305",
});

impl AeadId {
    /// Length of the key without its salt, bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm8 | Self::Aes128Gcm12 | Self::Aes128Gcm16 => 16,
            Self::Aes192Gcm8 | Self::Aes192Gcm12 | Self::Aes192Gcm16 => 24,
            Self::Aes256Gcm8 | Self::Aes256Gcm12 | Self::Aes256Gcm16 | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Length of the salt behind the key in the keying material, bytes (RFC 4106 §8.1,
    /// RFC 7634 §2).
    #[must_use]
    pub const fn salt_len(self) -> usize {
        4
    }

    /// Length of the ICV, bytes.
    #[must_use]
    pub const fn icv_len(self) -> usize {
        match self {
            Self::Aes128Gcm8 | Self::Aes192Gcm8 | Self::Aes256Gcm8 => 8,
            Self::Aes128Gcm12 | Self::Aes192Gcm12 | Self::Aes256Gcm12 => 12,
            Self::Aes128Gcm16 | Self::Aes192Gcm16 | Self::Aes256Gcm16 | Self::ChaCha20Poly1305 => {
                16
            }
        }
    }
}

/// What protects a packet. There is no value for encryption without integrity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProtectionId {
    /// A CBC cipher and an HMAC over the ciphertext: encrypt, then authenticate.
    CbcHmac(CipherId, IntegrityId),
    /// Authenticate only (NULL encryption, RFC 2410).
    NullHmac(IntegrityId),
    /// An AEAD algorithm, which encrypts and authenticates.
    Aead(AeadId),
}

impl ProtectionId {
    /// Length of the encryption key, bytes; an AEAD's includes its salt.
    #[must_use]
    pub const fn enc_key_len(self) -> usize {
        match self {
            Self::CbcHmac(cipher, _) => cipher.key_len(),
            Self::NullHmac(_) => 0,
            // No overflow: both are small constants.
            Self::Aead(aead) => aead.key_len().saturating_add(aead.salt_len()),
        }
    }

    /// Length of the integrity key, bytes; an AEAD has none.
    #[must_use]
    pub const fn integ_key_len(self) -> usize {
        match self {
            Self::CbcHmac(_, integrity) | Self::NullHmac(integrity) => integrity.key_len(),
            Self::Aead(_) => 0,
        }
    }

    /// Length of the IV on the wire, bytes.
    #[must_use]
    pub const fn iv_len(self) -> usize {
        match self {
            Self::CbcHmac(cipher, _) => cipher.block_len(),
            Self::NullHmac(_) => 0,
            Self::Aead(_) => 8,
        }
    }

    /// Length of the ICV on the wire, bytes.
    #[must_use]
    pub const fn icv_len(self) -> usize {
        match self {
            Self::CbcHmac(_, integrity) | Self::NullHmac(integrity) => integrity.icv_len(),
            Self::Aead(aead) => aead.icv_len(),
        }
    }

    /// The plaintext is padded to a multiple of this, bytes; 1 where any length will do.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::CbcHmac(cipher, _) => cipher.block_len(),
            Self::NullHmac(_) | Self::Aead(_) => 1,
        }
    }
}

impl fmt::Display for ProtectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CbcHmac(cipher, integrity) => write!(f, "{cipher}/{integrity}"),
            Self::NullHmac(integrity) => write!(f, "NULL/{integrity}"),
            Self::Aead(aead) => write!(f, "{aead}"),
        }
    }
}

/// The name of a key-exchange method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum GroupId {
    /// Group 1, RFC 2409 §6.1. Weak.
    Modp768,
    /// Group 2, RFC 2409 §6.2. Weak.
    Modp1024,
    /// Group 5, RFC 3526 §2. Weak.
    Modp1536,
    /// Group 14, RFC 3526 §3.
    Modp2048,
    /// Group 15, RFC 3526 §4.
    Modp3072,
    /// Group 16, RFC 3526 §5.
    Modp4096,
    /// Group 17, RFC 3526 §6.
    Modp6144,
    /// Group 18, RFC 3526 §7.
    Modp8192,
    /// Group 19, P-256, RFC 5903.
    Ecp256,
    /// Group 20, P-384, RFC 5903.
    Ecp384,
    /// Group 21, P-521, RFC 5903.
    Ecp521,
    /// Group 31, Curve25519, RFC 8031.
    X25519,
    /// Group 32, Curve448, RFC 8031.
    X448,
    /// ML-KEM-512, FIPS 203, in an additional key exchange (RFC 9370).
    MlKem512,
    /// ML-KEM-768, FIPS 203, in an additional key exchange (RFC 9370).
    MlKem768,
    /// ML-KEM-1024, FIPS 203, in an additional key exchange (RFC 9370).
    MlKem1024,
}

names!(GroupId {
    Modp768 => "MODP_768",
    Modp1024 => "MODP_1024",
    Modp1536 => "MODP_1536",
    Modp2048 => "MODP_2048",
    Modp3072 => "MODP_3072",
    Modp4096 => "MODP_4096",
    Modp6144 => "MODP_6144",
    Modp8192 => "MODP_8192",
    Ecp256 => "ECP_256",
    Ecp384 => "ECP_384",
    Ecp521 => "ECP_521",
    X25519 => "CURVE_25519",
    X448 => "CURVE_448",
    MlKem512 => "ML_KEM_512",
    MlKem768 => "ML_KEM_768",
    MlKem1024 => "ML_KEM_1024",
});

/// The name of a NIST curve, as ECDSA uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EcdsaCurve {
    /// The curve P-256, secp256r1 in SEC 2.
    P256,
    /// The curve P-384, secp384r1 in SEC 2.
    P384,
    /// The curve P-521, secp521r1 in SEC 2.
    P521,
}

names!(EcdsaCurve {
    P256 => "P-256",
    P384 => "P-384",
    P521 => "P-521",
});

/// How an ECDSA signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EcdsaForm {
    /// DER `ECDSA-Sig-Value` (RFC 3279 §2.2.3), as RFC 7427 carries it.
    Der,
    /// r | s, each as long as the curve's order (RFC 4754 §7).
    Raw,
}

/// A signature scheme, complete with its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SignatureId {
    /// RSASSA-PKCS1-v1_5, RFC 8017 §8.2. Weak with SHA-1.
    RsaPkcs1(HashId),
    /// RSASSA-PSS with MGF1 over the same hash and a salt as long as its output, RFC 8017 §8.1.
    RsaPss(HashId),
    /// ECDSA over a hash of the message, on the given curve and in the given form.
    Ecdsa(EcdsaCurve, HashId, EcdsaForm),
    /// RSASSA-PKCS1-v1_5 over a digest that is given, without its AlgorithmIdentifier: signatures of
    /// IKEv1 (RFC 2409 §5.1).
    RsaPkcs1Digest,
    /// ECDSA over a digest that is given, as long as the curve's order, r followed by s: signatures
    /// of IKEv1 (RFC 2409 §5.1, RFC 4754).
    EcdsaDigest(EcdsaCurve),
    /// Ed25519 over the message itself, RFC 8032, RFC 8420.
    Ed25519,
}

impl fmt::Display for SignatureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RsaPkcs1(hash) => write!(f, "RSA_PKCS1_{hash}"),
            Self::RsaPss(hash) => write!(f, "RSA_PSS_{hash}"),
            Self::Ecdsa(curve, hash, _) => write!(f, "ECDSA_{curve}_{hash}"),
            Self::RsaPkcs1Digest => f.write_str("RSA_PKCS1_DIGEST"),
            Self::EcdsaDigest(curve) => write!(f, "ECDSA_{curve}_DIGEST"),
            Self::Ed25519 => f.write_str("ED25519"),
        }
    }
}
