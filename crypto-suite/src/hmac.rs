//! HMAC (RFC 2104) as PRF and, truncated, as integrity algorithm.

use ::hmac::{Hmac, KeyInit, Mac};
use alloc::boxed::Box;
use core::marker::PhantomData;
use subtle::ConstantTimeEq;

use crate::{CryptoError, Digest, Integrity, IntegrityId, IntegrityKey, Prf, PrfId};

/// What this crate needs of an HMAC, so that its other code is generic over one bound.
pub(crate) trait HmacState: Clone + Send + Sync + 'static {
    /// Takes a key of any length.
    fn keyed(key: &[u8]) -> Option<Self>;
    fn absorb(&mut self, bytes: &[u8]);
    fn tag(self) -> Digest;
}

pub(crate) type Md5 = Hmac<md5::Md5>;
pub(crate) type Sha1 = Hmac<sha1::Sha1>;
pub(crate) type Sha256 = Hmac<sha2::Sha256>;
pub(crate) type Sha384 = Hmac<sha2::Sha384>;
pub(crate) type Sha512 = Hmac<sha2::Sha512>;

impl<M: Mac + KeyInit + Clone + Send + Sync + 'static> HmacState for M {
    fn keyed(key: &[u8]) -> Option<Self> {
        <M as KeyInit>::new_from_slice(key).ok()
    }

    fn absorb(&mut self, bytes: &[u8]) {
        Mac::update(self, bytes);
    }

    fn tag(self) -> Digest {
        Digest::new(&self.finalize().into_bytes())
    }
}

/// A key whose inner and outer pads are already hashed: a packet costs a copy of the two states,
/// not two more compressions.
pub(crate) struct PreparedMac<M> {
    start: M,
    icv_len: usize,
}

impl<M: HmacState> PreparedMac<M> {
    pub(crate) fn new(id: IntegrityId, key: &[u8]) -> Result<Self, CryptoError> {
        let refused = CryptoError::KeyLength {
            expected: id.key_len(),
            actual: key.len(),
        };
        if key.len() != id.key_len() {
            return Err(refused);
        }
        Ok(Self {
            start: M::keyed(key).ok_or(refused)?,
            icv_len: id.icv_len(),
        })
    }

    pub(crate) fn icv_len(&self) -> usize {
        self.icv_len
    }

    pub(crate) fn over(&self, parts: &[&[u8]]) -> Digest {
        let mut mac = self.start.clone();
        for part in parts {
            mac.absorb(part);
        }
        mac.tag().truncated(self.icv_len)
    }

    /// The ICV of a packet: `aad | iv | text` and, with extended sequence numbers, their high
    /// half behind (RFC 4303 §2.2.1).
    pub(crate) fn over_split(
        &self,
        aad: &[u8],
        iv: &[u8],
        text: &[u8],
        esn_high: Option<u32>,
    ) -> Digest {
        match esn_high {
            Some(high) => self.over(&[aad, iv, text, &high.to_be_bytes()]),
            None => self.over(&[aad, iv, text]),
        }
    }
}

impl<M: HmacState> IntegrityKey for PreparedMac<M> {
    fn icv(&self, parts: &[&[u8]]) -> Digest {
        self.over(parts)
    }

    fn verify(&self, parts: &[&[u8]], icv: &[u8]) -> Result<(), CryptoError> {
        if self.over(parts).as_ref().ct_eq(icv).into() {
            Ok(())
        } else {
            Err(CryptoError::IntegrityFailed)
        }
    }
}

struct HmacPrf<M> {
    id: PrfId,
    len: usize,
    _mac: PhantomData<fn() -> M>,
}

impl<M> HmacPrf<M> {
    const fn new(id: PrfId, len: usize) -> Self {
        Self {
            id,
            len,
            _mac: PhantomData,
        }
    }
}

impl<M: HmacState> Prf for HmacPrf<M> {
    fn id(&self) -> PrfId {
        self.id
    }

    fn output_len(&self) -> usize {
        self.len
    }

    fn prf(&self, key: &[u8], parts: &[&[u8]]) -> Digest {
        // HMAC takes keys of any length; the empty answer is never reached.
        let Some(mut mac) = M::keyed(key) else {
            return Digest::new(&[]);
        };
        for part in parts {
            mac.absorb(part);
        }
        mac.tag()
    }
}

struct TruncatedHmac<M> {
    id: IntegrityId,
    _mac: PhantomData<fn() -> M>,
}

impl<M> TruncatedHmac<M> {
    const fn new(id: IntegrityId) -> Self {
        Self {
            id,
            _mac: PhantomData,
        }
    }
}

impl<M: HmacState> Integrity for TruncatedHmac<M> {
    fn id(&self) -> IntegrityId {
        self.id
    }

    fn new_key(&self, key: &[u8]) -> Result<Box<dyn IntegrityKey>, CryptoError> {
        Ok(Box::new(PreparedMac::<M>::new(self.id, key)?))
    }
}

static PRF_MD5: HmacPrf<Md5> = HmacPrf::new(PrfId::HmacMd5, 16);
static PRF_SHA1: HmacPrf<Sha1> = HmacPrf::new(PrfId::HmacSha1, 20);
static PRF_SHA256: HmacPrf<Sha256> = HmacPrf::new(PrfId::HmacSha256, 32);
static PRF_SHA384: HmacPrf<Sha384> = HmacPrf::new(PrfId::HmacSha384, 48);
static PRF_SHA512: HmacPrf<Sha512> = HmacPrf::new(PrfId::HmacSha512, 64);

pub(crate) const PRFS: &[&dyn Prf] = &[&PRF_SHA256, &PRF_SHA384, &PRF_SHA512, &PRF_SHA1, &PRF_MD5];

static MD5_96: TruncatedHmac<Md5> = TruncatedHmac::new(IntegrityId::HmacMd5_96);
static SHA1_96: TruncatedHmac<Sha1> = TruncatedHmac::new(IntegrityId::HmacSha1_96);
static SHA256_128: TruncatedHmac<Sha256> = TruncatedHmac::new(IntegrityId::HmacSha256_128);
static SHA384_192: TruncatedHmac<Sha384> = TruncatedHmac::new(IntegrityId::HmacSha384_192);
static SHA512_256: TruncatedHmac<Sha512> = TruncatedHmac::new(IntegrityId::HmacSha512_256);

pub(crate) const INTEGRITIES: &[&dyn Integrity] =
    &[&SHA256_128, &SHA384_192, &SHA512_256, &SHA1_96, &MD5_96];
