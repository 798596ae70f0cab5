//! AES-GCM (RFC 4106, RFC 5282) and ChaCha20-Poly1305 (RFC 7634), for ESP and IKEv2 alike.

use aead::inout::InOutBuf;
use aead::{AeadInOut, KeyInit, Nonce, Tag};
use aes_gcm::aead;
use aes_gcm::aes::cipher::consts::U12;
use alloc::boxed::Box;
use core::marker::PhantomData;
use zeroize::Zeroizing;

use super::{Parts, check_keymat};
use crate::{AeadId, CryptoError, Layout, PacketKey, Protection, ProtectionId};

const SALT_LEN: usize = 4;
/// Length of the explicit IV on the wire, bytes.
const IV_LEN: usize = 8;

pub(super) struct Aead<A> {
    id: AeadId,
    _aead: PhantomData<fn() -> A>,
}

impl<A> Aead<A> {
    pub(super) const fn new(id: AeadId) -> Self {
        Self {
            id,
            _aead: PhantomData,
        }
    }
}

/// What the two families have in common: a 96-bit nonce.
pub(super) trait Aead96:
    AeadInOut<NonceSize = U12> + KeyInit + Send + Sync + 'static
{
}

impl<A: AeadInOut<NonceSize = U12> + KeyInit + Send + Sync + 'static> Aead96 for A {}

impl<A: Aead96> Protection for Aead<A> {
    fn id(&self) -> ProtectionId {
        ProtectionId::Aead(self.id)
    }

    fn new_key(&self, keymat: &[u8]) -> Result<Box<dyn PacketKey>, CryptoError> {
        let expected = self.key_material_len();
        check_keymat(expected, keymat)?;
        let refused = CryptoError::KeyLength {
            expected,
            actual: keymat.len(),
        };
        // RFC 4106 §8.1, RFC 7634 §2: the salt is the last four octets of the keying material.
        let (key, salt) = keymat.split_last_chunk::<SALT_LEN>().ok_or(refused)?;
        let aead = A::new_from_slice(key).map_err(|_| refused)?;
        Ok(Box::new(Key {
            aead,
            salt: Zeroizing::new(*salt),
            icv_len: self.id.icv_len(),
        }))
    }
}

struct Key<A> {
    aead: A,
    salt: Zeroizing<[u8; SALT_LEN]>,
    icv_len: usize,
}

impl<A: Aead96> Key<A> {
    /// RFC 4106 §4, RFC 7634 §2: nonce = salt | explicit IV.
    fn nonce(&self, iv: &[u8]) -> Nonce<A> {
        let mut nonce = Nonce::<A>::default();
        for (to, from) in nonce.iter_mut().zip(self.salt.iter().chain(iv)) {
            *to = *from;
        }
        nonce
    }
}

/// The associated data as the AEAD sees it.
enum Aad<'p> {
    AsSent(&'p [u8]),
    /// RFC 4106 §5, RFC 7634 §2.1: SPI | high half | low half of the sequence number.
    Extended([u8; 12]),
}

impl<'p> Aad<'p> {
    fn new(sent: &'p [u8], esn_high: Option<u32>) -> Result<Self, CryptoError> {
        let Some(high) = esn_high else {
            return Ok(Self::AsSent(sent));
        };
        let refused = CryptoError::AssociatedData { actual: sent.len() };
        let sent: &[u8; 8] = sent.try_into().map_err(|_| refused)?;
        let [s0, s1, s2, s3, l0, l1, l2, l3] = *sent;
        let [h0, h1, h2, h3] = high.to_be_bytes();
        Ok(Self::Extended([
            s0, s1, s2, s3, h0, h1, h2, h3, l0, l1, l2, l3,
        ]))
    }
}

impl AsRef<[u8]> for Aad<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::AsSent(sent) => sent,
            Self::Extended(extended) => extended,
        }
    }
}

impl<A: Aead96> PacketKey for Key<A> {
    fn iv_len(&self) -> usize {
        IV_LEN
    }

    fn icv_len(&self) -> usize {
        self.icv_len
    }

    fn block_len(&self) -> usize {
        1
    }

    fn seal(&self, packet: &mut [u8], layout: Layout, seq: u64) -> Result<(), CryptoError> {
        let len = packet.len();
        let parts = Parts::split(packet, layout, IV_LEN, self.icv_len)?;
        let aad = Aad::new(parts.aad, layout.esn_high)?;
        // RFC 4106 §10: "The most important security consideration is that the IV never repeat for a
        // given key." A counter does not.
        let iv = seq.to_be_bytes();
        let tag = self
            .aead
            .encrypt_inout_detached(&self.nonce(&iv), aad.as_ref(), InOutBuf::from(parts.text))
            // Only lengths beyond those of any packet fail.
            .map_err(|_| CryptoError::PacketTooLong { actual: len })?;
        parts.iv.copy_from_slice(&iv);
        parts.icv.copy_from_slice(&tag);
        Ok(())
    }

    fn open(&self, packet: &mut [u8], layout: Layout) -> Result<(), CryptoError> {
        let parts = Parts::split(packet, layout, IV_LEN, self.icv_len)?;
        let aad = Aad::new(parts.aad, layout.esn_high)?;
        let nonce = self.nonce(parts.iv);
        let tag = <&Tag<A>>::try_from(&*parts.icv).map_err(|_| CryptoError::IntegrityFailed)?;
        // Both implementations check the tag over the ciphertext before they touch it.
        self.aead
            .decrypt_inout_detached(&nonce, aad.as_ref(), InOutBuf::from(parts.text), tag)
            .map_err(|_| CryptoError::IntegrityFailed)
    }
}
