//! CBC, then HMAC over everything before the ICV (RFC 4303 §3.3.2, RFC 7296 §3.14).

use alloc::boxed::Box;
use cipher::array::Array;
use cipher::{BlockCipherEncrypt, KeyInit};
use core::marker::PhantomData;
use subtle::ConstantTimeEq;

use super::{Parts, check_keymat};
use crate::cbc::CbcCipher;
use crate::hmac::{HmacState, PreparedMac, Sha256};
use crate::{CryptoError, IntegrityId, Layout, PacketKey, Protection, ProtectionId};

pub(super) struct CbcHmac<C, M> {
    integrity: IntegrityId,
    _key: PhantomData<fn() -> (C, M)>,
}

impl<C, M> CbcHmac<C, M> {
    pub(super) const fn new(integrity: IntegrityId) -> Self {
        Self {
            integrity,
            _key: PhantomData,
        }
    }
}

impl<C: CbcCipher, M: HmacState> Protection for CbcHmac<C, M> {
    fn id(&self) -> ProtectionId {
        ProtectionId::CbcHmac(C::ID, self.integrity)
    }

    fn new_key(&self, keymat: &[u8]) -> Result<Box<dyn PacketKey>, CryptoError> {
        let expected = self.key_material_len();
        check_keymat(expected, keymat)?;
        let short = CryptoError::KeyLength {
            expected,
            actual: keymat.len(),
        };
        let (enc, integ) = keymat.split_at_checked(C::ID.key_len()).ok_or(short)?;
        Ok(Box::new(Key {
            cipher: C::prepare(enc)?,
            mac: PreparedMac::<M>::new(self.integrity, integ)?,
            iv: IvSource::new(enc)?,
        }))
    }
}

struct Key<C, M> {
    cipher: C,
    mac: PreparedMac<M>,
    iv: IvSource,
}

impl<C: CbcCipher, M: HmacState> PacketKey for Key<C, M> {
    fn iv_len(&self) -> usize {
        C::ID.block_len()
    }

    fn icv_len(&self) -> usize {
        self.mac.icv_len()
    }

    fn block_len(&self) -> usize {
        C::ID.block_len()
    }

    fn seal(&self, packet: &mut [u8], layout: Layout, seq: u64) -> Result<(), CryptoError> {
        let parts = Parts::split(packet, layout, self.iv_len(), self.icv_len())?;
        let block = self.iv.block(seq);
        let iv = block.get(..self.iv_len()).unwrap_or(&block);
        self.cipher.cbc_encrypt(iv, parts.text)?;
        parts.iv.copy_from_slice(iv);
        let icv = self
            .mac
            .over_split(parts.aad, parts.iv, parts.text, layout.esn_high);
        parts.icv.copy_from_slice(icv.as_ref());
        Ok(())
    }

    fn open(&self, packet: &mut [u8], layout: Layout) -> Result<(), CryptoError> {
        let parts = Parts::split(packet, layout, self.iv_len(), self.icv_len())?;
        let icv = self
            .mac
            .over_split(parts.aad, parts.iv, parts.text, layout.esn_high);
        if !bool::from(icv.as_ref().ct_eq(parts.icv)) {
            return Err(CryptoError::IntegrityFailed);
        }
        self.cipher.cbc_decrypt(parts.iv, parts.text)
    }
}

/// Makes the IVs of a CBC key: unpredictable, and without an RNG in the hot path.
///
/// SP 800-38A Appendix C, first method: the forward cipher applied to a nonce, here the packet's
/// sequence number, unique under one key by the contract of [`PacketKey::seal`]. Two departures
/// make it stronger. The cipher runs under a key of its own, so that a plaintext block equal to a
/// later nonce reveals nothing about that packet's IV; and it is AES-128 for every suite, its
/// output cut to 8 bytes for DES and Triple-DES, which keeps their IVs from being the small
/// permutation of a 64-bit block (an IV has to be unpredictable, not unique). The key is
/// HMAC-SHA-256 of a label under the encryption key.
struct IvSource(aes::Aes128);

impl IvSource {
    fn new(enc_key: &[u8]) -> Result<Self, CryptoError> {
        let refused = CryptoError::KeyLength {
            expected: 16,
            actual: enc_key.len(),
        };
        let mut mac = Sha256::keyed(enc_key).ok_or(refused)?;
        mac.absorb(b"CBC initialization vectors");
        let key = mac.tag().truncated(16);
        aes::Aes128::new_from_slice(key.as_ref())
            .map(Self)
            .map_err(|_| refused)
    }

    fn block(&self, seq: u64) -> [u8; 16] {
        let mut block = Array::from(u128::from(seq).to_be_bytes());
        self.0.encrypt_block(&mut block);
        block.into()
    }
}
