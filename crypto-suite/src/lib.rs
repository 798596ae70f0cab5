//! The algorithms of IKE and ESP behind one provider, `no_std` + `alloc`.
//!
//! A [`Provider`] is a plain struct of lists of algorithms; [`DEFAULT`] holds the implementations
//! of the RustCrypto project. Every list can be replaced on its own (a hardware engine, a
//! validated module, a test double), and nothing here is global: randomness comes with the call
//! that draws it, and no protocol number is known here.
//!
//! A whole exchange, from key exchange to a protected packet:
//!
//! ```
//! use crypto_suite::{CipherId, DEFAULT, GroupId, IntegrityId, Layout, PrfId, ProtectionId};
//! # use rand_chacha::rand_core::SeedableRng;
//! # let mut rng = rand_chacha::ChaCha20Rng::from_seed([7; 32]);
//!
//! // Both sides draw a key pair; the responder answers at once.
//! let group = DEFAULT.group(GroupId::Modp2048).ok_or("no such group")?;
//! let initiator = group.start(&mut rng)?;
//! let (answer, responder_secret) = group.respond(&mut rng, initiator.public())?;
//! let initiator_secret = initiator.finish(&answer)?;
//! assert_eq!(initiator_secret, responder_secret);
//!
//! // A key schedule (`ike-sm` owns the real ones) turns the secret into keying material.
//! let prf = DEFAULT.prf(PrfId::HmacSha256).ok_or("no such PRF")?;
//! let suite = ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha1_96);
//! let protection = DEFAULT.protection(suite).ok_or("no such suite")?;
//! let block = prf.prf(initiator_secret.expose(), &[b"one", b"1"]);
//! let more = prf.prf(initiator_secret.expose(), &[block.as_ref(), b"2"]);
//! let keymat = [block.as_ref(), more.as_ref()].concat();
//! let key = protection.new_key(&keymat[..protection.key_material_len()])?;
//!
//! // SPI, sequence number | IV | two blocks | ICV: sealed in place, opened in place.
//! let text = *b"thirty-two bytes of packet text.";
//! let mut packet = [&[0, 0, 1, 0, 0, 0, 0, 1][..], &[0; 16], &text, &[0; 12]].concat();
//! key.seal(&mut packet, Layout::esp(None), 1)?;
//! assert_ne!(packet[24..56], text);
//! key.open(&mut packet, Layout::esp(None))?;
//! assert_eq!(packet[24..56], text);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Secrets are zeroized when they go out of use, compared in constant time and never printed.
//! Weak algorithms (DES, MD5, MODP groups 1, 2 and 5) are here because old peers need them; a
//! policy has to name them ([`WeakAlgorithms`]).
//!
//! # RFCs
//! 1321, 2104, 2403, 2404, 2405, 2409 §6, 2410, 2451, 3526, 3602, 4106, 4754, 4868, 5282, 5903,
//! 7427, 7634, 7748, 8017, 8031, 8032, 8420; FIPS 203.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

mod algorithm;
mod cbc;
mod digest;
mod ecp;
mod error;
mod hash;
mod hmac;
mod id;
#[cfg(feature = "insecure")]
pub mod insecure;
mod mlkem;
mod modp;
mod mschapv2;
mod protection;
mod provider;
mod secret;
mod signature;
mod weak;
mod x25519;

pub use self::algorithm::{
    ActiveKeyExchange, Cipher, CipherKey, Hash, Integrity, IntegrityKey, KeyExchange, Layout,
    OpenJob, PacketKey, Prf, Protection, SealJob,
};
pub use self::digest::Digest;
pub use self::error::CryptoError;
pub use self::id::{
    AeadId, CipherId, EcdsaCurve, EcdsaForm, GroupId, HashId, IntegrityId, PrfId, ProtectionId,
    SignatureId,
};
pub use self::mschapv2::MsChapV2;
pub use self::provider::Provider;
pub use self::secret::Secret;
pub use self::signature::{SignatureScheme, SigningKey};
pub use self::weak::{Strength, WeakAlgorithm, WeakAlgorithms};

/// The implementations of the RustCrypto project; AES-NI and SHA extensions are used where the
/// processor has them.
pub const DEFAULT: Provider = Provider {
    hashes: hash::ALL,
    prfs: hmac::PRFS,
    integrities: hmac::INTEGRITIES,
    ciphers: cbc::ALL,
    protections: protection::ALL,
    groups: GROUPS,
    signatures: signature::ALL,
    mschapv2: mschapv2::DEFAULT,
};

const GROUPS: &[&dyn KeyExchange] = &{
    let [x25519] = x25519::ALL;
    let [p256, p384, p521] = ecp::ALL;
    let [ml_kem_768, ml_kem_1024, ml_kem_512] = mlkem::ALL;
    let [m2048, m3072, m4096, m6144, m8192, m1536, m1024, m768] = modp::ALL;
    [
        x25519,
        p256,
        p384,
        p521,
        ml_kem_768,
        ml_kem_1024,
        ml_kem_512,
        m2048,
        m3072,
        m4096,
        m6144,
        m8192,
        m1536,
        m1024,
        m768,
    ]
};

/// The examples of README.md, compiled and run by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
