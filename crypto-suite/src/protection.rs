//! Packet protections: how cipher and integrity compose over one packet.

mod aead;
mod cbc_hmac;
mod null_hmac;

use aes_gcm::AesGcm;
use aes_gcm::aes::cipher::consts::{U8, U12, U16};
use chacha20poly1305::ChaCha20Poly1305;

use self::aead::Aead;
use self::cbc_hmac::CbcHmac;
use self::null_hmac::NullHmac;
use crate::cbc::{Aes128, Aes192, Aes256, Des, TripleDes};
use crate::hmac::{Md5, Sha1, Sha256, Sha384, Sha512};
use crate::{AeadId, CryptoError, IntegrityId, Layout, Protection};

/// AEADs, each cipher with each integrity algorithm, and integrity alone.
macro_rules! all_protections {
    ($($cipher:ident),+) => {
        &[
            &Aead::<AesGcm<aes::Aes256Enc, U12, U16>>::new(AeadId::Aes256Gcm16),
            &Aead::<AesGcm<aes::Aes128Enc, U12, U16>>::new(AeadId::Aes128Gcm16),
            &Aead::<ChaCha20Poly1305>::new(AeadId::ChaCha20Poly1305),
            &Aead::<AesGcm<aes::Aes192Enc, U12, U16>>::new(AeadId::Aes192Gcm16),
            &Aead::<AesGcm<aes::Aes256Enc, U12, U12>>::new(AeadId::Aes256Gcm12),
            &Aead::<AesGcm<aes::Aes192Enc, U12, U12>>::new(AeadId::Aes192Gcm12),
            &Aead::<AesGcm<aes::Aes128Enc, U12, U12>>::new(AeadId::Aes128Gcm12),
            &Aead::<AesGcm<aes::Aes256Enc, U12, U8>>::new(AeadId::Aes256Gcm8),
            &Aead::<AesGcm<aes::Aes192Enc, U12, U8>>::new(AeadId::Aes192Gcm8),
            &Aead::<AesGcm<aes::Aes128Enc, U12, U8>>::new(AeadId::Aes128Gcm8),
            $(
                &CbcHmac::<$cipher, Sha256>::new(IntegrityId::HmacSha256_128),
                &CbcHmac::<$cipher, Sha384>::new(IntegrityId::HmacSha384_192),
                &CbcHmac::<$cipher, Sha512>::new(IntegrityId::HmacSha512_256),
                &CbcHmac::<$cipher, Sha1>::new(IntegrityId::HmacSha1_96),
                &CbcHmac::<$cipher, Md5>::new(IntegrityId::HmacMd5_96),
            )+
            &NullHmac::<Sha256>::new(IntegrityId::HmacSha256_128),
            &NullHmac::<Sha384>::new(IntegrityId::HmacSha384_192),
            &NullHmac::<Sha512>::new(IntegrityId::HmacSha512_256),
            &NullHmac::<Sha1>::new(IntegrityId::HmacSha1_96),
            &NullHmac::<Md5>::new(IntegrityId::HmacMd5_96),
        ]
    };
}

pub(crate) const ALL: &[&dyn Protection] = all_protections!(Aes256, Aes128, Aes192, TripleDes, Des);

/// The parts of a packet that a layout names.
pub(crate) struct Parts<'p> {
    pub(crate) aad: &'p mut [u8],
    pub(crate) iv: &'p mut [u8],
    pub(crate) text: &'p mut [u8],
    pub(crate) icv: &'p mut [u8],
}

impl<'p> Parts<'p> {
    pub(crate) fn split(
        packet: &'p mut [u8],
        layout: Layout,
        iv_len: usize,
        icv_len: usize,
    ) -> Result<Self, CryptoError> {
        let needed = layout
            .aad_len
            .saturating_add(iv_len)
            .saturating_add(icv_len);
        let short = CryptoError::PacketTooShort {
            needed,
            actual: packet.len(),
        };
        let (aad, rest) = packet.split_at_mut_checked(layout.aad_len).ok_or(short)?;
        let (iv, rest) = rest.split_at_mut_checked(iv_len).ok_or(short)?;
        let text_len = rest.len().checked_sub(icv_len).ok_or(short)?;
        let (text, icv) = rest.split_at_mut_checked(text_len).ok_or(short)?;
        Ok(Self { aad, iv, text, icv })
    }
}

pub(crate) fn check_keymat(expected: usize, keymat: &[u8]) -> Result<(), CryptoError> {
    if keymat.len() == expected {
        Ok(())
    } else {
        Err(CryptoError::KeyLength {
            expected,
            actual: keymat.len(),
        })
    }
}
