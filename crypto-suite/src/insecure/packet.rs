//! Packets in the clear, with IV and ICV of the right lengths.

use alloc::boxed::Box;

use super::symmetric::Mixer;
use crate::protection::{Parts, check_keymat};
use crate::{
    AeadId, CipherId, CryptoError, Digest, IntegrityId, Layout, PacketKey, Protection, ProtectionId,
};

struct NoProtection {
    id: ProtectionId,
    checked: bool,
}

impl Protection for NoProtection {
    fn id(&self) -> ProtectionId {
        self.id
    }

    fn new_key(&self, keymat: &[u8]) -> Result<Box<dyn PacketKey>, CryptoError> {
        check_keymat(self.key_material_len(), keymat)?;
        let mut mixer = Mixer::new();
        mixer.absorb(keymat);
        Ok(Box::new(Key {
            id: self.id,
            key: mixer.digest(16),
            checked: self.checked,
        }))
    }
}

struct Key {
    id: ProtectionId,
    key: Digest,
    checked: bool,
}

impl Key {
    fn split<'p>(&self, packet: &'p mut [u8], layout: Layout) -> Result<Parts<'p>, CryptoError> {
        let parts = Parts::split(packet, layout, self.iv_len(), self.icv_len())?;
        let block = self.block_len();
        if !parts.text.len().is_multiple_of(block) {
            return Err(CryptoError::NotBlockAligned {
                len: parts.text.len(),
                block,
            });
        }
        Ok(parts)
    }

    fn icv(&self, parts: &Parts<'_>, layout: Layout) -> Digest {
        let mut mixer = Mixer::new();
        mixer.absorb(self.key.as_ref());
        mixer.absorb(parts.aad);
        mixer.absorb(parts.iv);
        mixer.absorb(parts.text);
        mixer.absorb(&layout.esn_high.unwrap_or(0).to_be_bytes());
        mixer.digest(self.icv_len())
    }
}

impl PacketKey for Key {
    fn iv_len(&self) -> usize {
        self.id.iv_len()
    }

    fn icv_len(&self) -> usize {
        self.id.icv_len()
    }

    fn block_len(&self) -> usize {
        self.id.block_len()
    }

    fn seal(&self, packet: &mut [u8], layout: Layout, seq: u64) -> Result<(), CryptoError> {
        let parts = self.split(packet, layout)?;
        for (to, from) in parts.iv.iter_mut().rev().zip(seq.to_le_bytes()) {
            *to = from;
        }
        let icv = self.icv(&parts, layout);
        parts.icv.copy_from_slice(icv.as_ref());
        Ok(())
    }

    fn open(&self, packet: &mut [u8], layout: Layout) -> Result<(), CryptoError> {
        let parts = self.split(packet, layout)?;
        if self.checked && self.icv(&parts, layout) != *parts.icv {
            return Err(CryptoError::IntegrityFailed);
        }
        Ok(())
    }
}

macro_rules! list {
    ($checked:literal) => {
        list!(@ciphers $checked;
            Aes256Cbc, Aes128Cbc, Aes192Cbc, TripleDesCbc, DesCbc;
            Aes128Gcm8, Aes128Gcm12, Aes128Gcm16, Aes192Gcm8, Aes192Gcm12, Aes192Gcm16,
            Aes256Gcm8, Aes256Gcm12, Aes256Gcm16, ChaCha20Poly1305)
    };
    (@ciphers $checked:literal; $($cipher:ident),+; $($aead:ident),+) => {
        &[
            $(
                list!(@cbc $checked, $cipher, HmacSha256_128),
                list!(@cbc $checked, $cipher, HmacSha384_192),
                list!(@cbc $checked, $cipher, HmacSha512_256),
                list!(@cbc $checked, $cipher, HmacSha1_96),
                list!(@cbc $checked, $cipher, HmacMd5_96),
            )+
            list!(@null $checked, HmacSha256_128),
            list!(@null $checked, HmacSha384_192),
            list!(@null $checked, HmacSha512_256),
            list!(@null $checked, HmacSha1_96),
            list!(@null $checked, HmacMd5_96),
            $(&NoProtection { id: ProtectionId::Aead(AeadId::$aead), checked: $checked }),+
        ]
    };
    (@cbc $checked:literal, $cipher:ident, $integrity:ident) => {
        &NoProtection {
            id: ProtectionId::CbcHmac(CipherId::$cipher, IntegrityId::$integrity),
            checked: $checked,
        }
    };
    (@null $checked:literal, $integrity:ident) => {
        &NoProtection {
            id: ProtectionId::NullHmac(IntegrityId::$integrity),
            checked: $checked,
        }
    };
}

pub(super) const CHECKED: &[&dyn Protection] = list!(true);
pub(super) const UNCHECKED: &[&dyn Protection] = list!(false);
