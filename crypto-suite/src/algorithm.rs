//! The traits that a provider implements.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use rand_core::CryptoRng;

use crate::{
    CipherId, CryptoError, Digest, GroupId, HashId, IntegrityId, PrfId, ProtectionId, Secret,
};

/// A hash function, as signatures, NAT detection and key derivation use it.
pub trait Hash: Sync {
    /// The function that this implements.
    fn id(&self) -> HashId;
    /// Length of the output, bytes.
    fn output_len(&self) -> usize;
    /// Hashes `parts` as if they were one string.
    fn digest(&self, parts: &[&[u8]]) -> Digest;
}

/// A pseudo-random function, as keys are derived with it (RFC 2409 §5, RFC 7296 §2.13).
pub trait Prf: Sync {
    /// The function that this implements.
    fn id(&self) -> PrfId;
    /// Length of the output and preferred length of a key, bytes.
    fn output_len(&self) -> usize;
    /// Computes prf(`key`, `parts` as one string). The key may have any length (RFC 2104 §2).
    fn prf(&self, key: &[u8], parts: &[&[u8]]) -> Digest;
}

/// A truncated message authentication code on its own (AH, cookies).
pub trait Integrity: Sync {
    /// The algorithm that this implements.
    fn id(&self) -> IntegrityId;
    /// Length of the key, bytes.
    fn key_len(&self) -> usize {
        self.id().key_len()
    }
    /// Length of the ICV, bytes.
    fn icv_len(&self) -> usize {
        self.id().icv_len()
    }
    /// Prepares a key. Fails on a wrong length.
    fn new_key(&self, key: &[u8]) -> Result<Box<dyn IntegrityKey>, CryptoError>;
}

/// An integrity algorithm with its key, ready for packets.
pub trait IntegrityKey: Send + Sync {
    /// The truncated ICV over `parts` as one string.
    fn icv(&self, parts: &[&[u8]]) -> Digest;

    /// Checks `icv` over `parts` in constant time.
    ///
    /// # Errors
    /// [`CryptoError::IntegrityFailed`] for a wrong value and for a wrong length alike.
    fn verify(&self, parts: &[&[u8]], icv: &[u8]) -> Result<(), CryptoError> {
        if self.icv(parts) == *icv {
            Ok(())
        } else {
            Err(CryptoError::IntegrityFailed)
        }
    }
}

/// A bare CBC cipher, for IKEv1 messages alone: their integrity comes from HASH payloads inside.
pub trait Cipher: Sync {
    /// The cipher that this implements.
    fn id(&self) -> CipherId;
    /// Length of the key, bytes.
    fn key_len(&self) -> usize {
        self.id().key_len()
    }
    /// Length of a block and of the IV, bytes.
    fn block_len(&self) -> usize {
        self.id().block_len()
    }
    /// Prepares a key.
    ///
    /// # Errors
    /// [`CryptoError::KeyLength`]; [`CryptoError::WeakKey`] for DES weak keys (RFC 2409 App. B
    /// lets the caller draw the next one) and for Triple-DES with K1 = K2 or K2 = K3.
    fn new_key(&self, key: &[u8]) -> Result<Box<dyn CipherKey>, CryptoError>;
}

/// A prepared key of a bare CBC cipher.
pub trait CipherKey: Send + Sync {
    /// Encrypts `data` in place.
    ///
    /// # Errors
    /// [`CryptoError::IvLength`], [`CryptoError::NotBlockAligned`]; `data` is unchanged then.
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError>;
    /// Decrypts `data` in place.
    ///
    /// # Errors
    /// [`CryptoError::IvLength`], [`CryptoError::NotBlockAligned`]; `data` is unchanged then.
    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError>;
}

/// What protects ESP packets and IKEv2 SK payloads: encryption and integrity together.
pub trait Protection: Sync {
    /// The protection that this implements.
    fn id(&self) -> ProtectionId;
    /// Length of the keying material of one direction, bytes: encryption key, then integrity key
    /// (RFC 4303 §3.3.2, RFC 7296 §2.17); of an AEAD key, then salt (RFC 4106 §8.1).
    fn key_material_len(&self) -> usize {
        self.enc_key_len().saturating_add(self.integ_key_len())
    }
    /// Length of the encryption key, bytes; an AEAD's includes its salt.
    fn enc_key_len(&self) -> usize {
        self.id().enc_key_len()
    }
    /// Length of the integrity key, bytes; 0 for an AEAD.
    fn integ_key_len(&self) -> usize {
        self.id().integ_key_len()
    }
    /// Prepares a key for one direction of one SA.
    ///
    /// # Errors
    /// [`CryptoError::KeyLength`], [`CryptoError::WeakKey`].
    fn new_key(&self, keymat: &[u8]) -> Result<Box<dyn PacketKey>, CryptoError>;
}

/// Where the parts of a packet lie: `associated data | IV | ciphertext | ICV`.
///
/// ESP: the associated data is SPI and sequence number, 8 bytes. IKEv2: everything from the IKE
/// header to the generic header of the SK payload (RFC 7296 §3.14, RFC 5282 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Length of the associated data, bytes.
    pub aad_len: usize,
    /// High half of an extended sequence number, authenticated but not sent: HMAC appends it
    /// (RFC 4303 §2.2.1), an AEAD inserts it between SPI and sequence number (RFC 4106 §5).
    pub esn_high: Option<u32>,
}

impl Layout {
    /// An ESP packet: 8 bytes of header. `esn_high` when the SA uses extended sequence numbers.
    #[must_use]
    pub const fn esp(esn_high: Option<u32>) -> Self {
        Self {
            aad_len: 8,
            esn_high,
        }
    }

    /// An IKEv2 message whose SK payload's content begins at `aad_len`.
    #[must_use]
    pub const fn ike(aad_len: usize) -> Self {
        Self {
            aad_len,
            esn_high: None,
        }
    }
}

/// One packet of a batch to seal.
#[derive(Debug)]
pub struct SealJob<'a> {
    /// The packet, as [`PacketKey::seal`] takes it.
    pub packet: &'a mut [u8],
    /// Where the parts of the packet lie, as [`PacketKey::seal`] takes it.
    pub layout: Layout,
    /// The number that the IV is made of, as [`PacketKey::seal`] takes it.
    pub seq: u64,
    /// The outcome, written when the batch is done.
    pub result: Result<(), CryptoError>,
}

/// One packet of a batch to open.
#[derive(Debug)]
pub struct OpenJob<'a> {
    /// The packet, as [`PacketKey::open`] takes it.
    pub packet: &'a mut [u8],
    /// Where the parts of the packet lie, as [`PacketKey::open`] takes it.
    pub layout: Layout,
    /// The outcome, written when the batch is done.
    pub result: Result<(), CryptoError>,
}

/// A prepared key that protects the packets of one direction of one SA.
///
/// Neither [`seal`](Self::seal) nor [`open`](Self::open) allocates.
pub trait PacketKey: Send + Sync {
    /// Length of the IV, bytes.
    fn iv_len(&self) -> usize;
    /// Length of the ICV, bytes.
    fn icv_len(&self) -> usize;
    /// The plaintext has to be a multiple of this, bytes; 1 where any length will do.
    fn block_len(&self) -> usize;

    /// Writes IV and ICV and encrypts between them, in place.
    ///
    /// `packet` holds the associated data, room for the IV, the padded plaintext, room for the
    /// ICV. **`seq` must never repeat under one key**: the IV is made from it.
    ///
    /// # Errors
    /// [`CryptoError::PacketTooShort`], [`CryptoError::NotBlockAligned`],
    /// [`CryptoError::AssociatedData`]; the packet is unchanged then.
    fn seal(&self, packet: &mut [u8], layout: Layout, seq: u64) -> Result<(), CryptoError>;

    /// Checks the ICV in constant time and only then decrypts, in place.
    ///
    /// # Errors
    /// As [`seal`](Self::seal), and [`CryptoError::IntegrityFailed`]; the packet is unchanged
    /// then.
    fn open(&self, packet: &mut [u8], layout: Layout) -> Result<(), CryptoError>;

    /// Seals several packets; hardware and multi-buffer providers override the loop.
    fn seal_batch(&self, jobs: &mut [SealJob<'_>]) {
        for job in jobs {
            job.result = self.seal(job.packet, job.layout, job.seq);
        }
    }

    /// Opens several packets; hardware and multi-buffer providers override the loop.
    fn open_batch(&self, jobs: &mut [OpenJob<'_>]) {
        for job in jobs {
            job.result = self.open(job.packet, job.layout);
        }
    }
}

/// A key-exchange method: Diffie-Hellman over integers or curves, or a KEM.
pub trait KeyExchange: Sync {
    /// The group that this implements.
    fn id(&self) -> GroupId;
    /// Length of what the initiator sends, bytes.
    fn initiator_public_len(&self) -> usize;
    /// Length of what the responder sends, bytes.
    fn responder_public_len(&self) -> usize;
    /// Length of the shared secret, bytes; always padded to it.
    fn shared_len(&self) -> usize;
    /// Draws a key pair, as the initiator does.
    fn start(&self, rng: &mut dyn CryptoRng) -> Result<Box<dyn ActiveKeyExchange>, CryptoError>;
    /// Responder: answers the initiator's public value with its own and the shared secret
    /// (Diffie-Hellman: a fresh key pair; KEM: encapsulation).
    ///
    /// # Errors
    /// [`CryptoError::PublicValueLength`], [`CryptoError::PublicValueInvalid`],
    /// [`CryptoError::SharedSecretInvalid`].
    fn respond(
        &self,
        rng: &mut dyn CryptoRng,
        peer_public: &[u8],
    ) -> Result<(Vec<u8>, Secret), CryptoError>;
    /// Whether an initiator's public value may be used, as far as that can be seen without a key:
    /// a message can be refused before anything is spent on it.
    ///
    /// # Errors
    /// [`CryptoError::PublicValueLength`], [`CryptoError::PublicValueInvalid`].
    fn check_initiator(&self, public: &[u8]) -> Result<(), CryptoError> {
        check_len(self.initiator_public_len(), public)
    }
    /// Whether a responder's public value may be used, as far as that can be seen without a key.
    ///
    /// # Errors
    /// [`CryptoError::PublicValueLength`], [`CryptoError::PublicValueInvalid`].
    fn check_responder(&self, public: &[u8]) -> Result<(), CryptoError> {
        check_len(self.responder_public_len(), public)
    }
}

pub(crate) fn check_len(expected: usize, public: &[u8]) -> Result<(), CryptoError> {
    match public.len() {
        actual if actual == expected => Ok(()),
        actual => Err(CryptoError::PublicValueLength { expected, actual }),
    }
}

/// An initiator's half of a key exchange: it holds the private key, and zeroizes it when it is dropped.
pub trait ActiveKeyExchange: Send + Sync {
    /// The method that the key pair belongs to.
    fn group(&self) -> GroupId;
    /// What to send to the responder.
    fn public(&self) -> &[u8];
    /// Derives the shared secret from the responder's answer. A private key is for one exchange: it is
    /// to be dropped after that.
    ///
    /// # Errors
    /// As [`KeyExchange::respond`].
    fn finish(&self, peer_public: &[u8]) -> Result<Secret, CryptoError>;
}

impl fmt::Debug for dyn ActiveKeyExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.group(), self.public()).fmt(f)
    }
}
