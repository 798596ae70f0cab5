//! Mixing without strength, in the lengths of the real algorithms.

use alloc::boxed::Box;

use crate::{
    Cipher, CipherId, CipherKey, CryptoError, Digest, Hash, HashId, Integrity, IntegrityId,
    IntegrityKey, Prf, PrfId,
};

/// FNV-1a over parts, stretched to any length by continuing over an index.
pub(super) struct Mixer(u64);

impl Mixer {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn absorb(&mut self, bytes: &[u8]) {
        // Word-wise: long packets should cost little. The length tells parts with trailing
        // zeros apart.
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.step(u64::from_le_bytes(*word));
        }
        for byte in tail {
            self.step(u64::from(*byte));
        }
    }

    fn step(&mut self, word: u64) {
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x0000_0100_0000_01b3)
            .rotate_left(29);
    }

    pub(super) fn fill(mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.step(0x9e37_79b9_7f4a_7c15);
            for (to, from) in chunk
                .iter_mut()
                .zip((self.0 ^ (self.0 >> 31)).to_le_bytes())
            {
                *to = from;
            }
        }
    }

    pub(super) fn digest(self, len: usize) -> Digest {
        let mut out = [0; Digest::MAX_LEN];
        self.fill(&mut out);
        Digest::new(&out).truncated(len)
    }
}

fn mix(key: &[u8], parts: &[&[u8]], len: usize) -> Digest {
    let mut mixer = Mixer::new();
    mixer.absorb(key);
    // As with the real algorithms, only the joined bytes count, not where parts end.
    let mut carry = [0; 8];
    let mut held = 0;
    for byte in parts.iter().flat_map(|part| part.iter()) {
        if let Some(slot) = carry.get_mut(held) {
            *slot = *byte;
        }
        held = held.wrapping_add(1) & 7;
        if held == 0 {
            mixer.absorb(&carry);
        }
    }
    mixer.absorb(carry.get(..held).unwrap_or(&carry));
    mixer.digest(len)
}

struct NoHash(HashId, usize);

impl Hash for NoHash {
    fn id(&self) -> HashId {
        self.0
    }

    fn output_len(&self) -> usize {
        self.1
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        mix(&[], parts, self.1)
    }
}

pub(super) const HASHES: &[&dyn Hash] = &[
    &NoHash(HashId::Sha256, 32),
    &NoHash(HashId::Sha384, 48),
    &NoHash(HashId::Sha512, 64),
    &NoHash(HashId::Sha1, 20),
    &NoHash(HashId::Md5, 16),
];

struct NoPrf(PrfId, usize);

impl Prf for NoPrf {
    fn id(&self) -> PrfId {
        self.0
    }

    fn output_len(&self) -> usize {
        self.1
    }

    fn prf(&self, key: &[u8], parts: &[&[u8]]) -> Digest {
        mix(key, parts, self.1)
    }
}

pub(super) const PRFS: &[&dyn Prf] = &[
    &NoPrf(PrfId::HmacSha256, 32),
    &NoPrf(PrfId::HmacSha384, 48),
    &NoPrf(PrfId::HmacSha512, 64),
    &NoPrf(PrfId::HmacSha1, 20),
    &NoPrf(PrfId::HmacMd5, 16),
];

struct NoIntegrity(IntegrityId);

impl Integrity for NoIntegrity {
    fn id(&self) -> IntegrityId {
        self.0
    }

    fn new_key(&self, key: &[u8]) -> Result<Box<dyn IntegrityKey>, CryptoError> {
        if key.len() != self.key_len() {
            return Err(CryptoError::KeyLength {
                expected: self.key_len(),
                actual: key.len(),
            });
        }
        Ok(Box::new(NoIntegrityKey {
            key: Digest::new(key),
            icv_len: self.icv_len(),
        }))
    }
}

struct NoIntegrityKey {
    key: Digest,
    icv_len: usize,
}

impl IntegrityKey for NoIntegrityKey {
    fn icv(&self, parts: &[&[u8]]) -> Digest {
        mix(self.key.as_ref(), parts, self.icv_len)
    }
}

pub(super) const INTEGRITIES: &[&dyn Integrity] = &[
    &NoIntegrity(IntegrityId::HmacSha256_128),
    &NoIntegrity(IntegrityId::HmacSha384_192),
    &NoIntegrity(IntegrityId::HmacSha512_256),
    &NoIntegrity(IntegrityId::HmacSha1_96),
    &NoIntegrity(IntegrityId::HmacMd5_96),
];

struct NoCipher(CipherId);

impl Cipher for NoCipher {
    fn id(&self) -> CipherId {
        self.0
    }

    fn new_key(&self, key: &[u8]) -> Result<Box<dyn CipherKey>, CryptoError> {
        if key.len() != self.key_len() {
            return Err(CryptoError::KeyLength {
                expected: self.key_len(),
                actual: key.len(),
            });
        }
        Ok(Box::new(NoCipherKey(self.block_len())))
    }
}

struct NoCipherKey(usize);

impl NoCipherKey {
    fn check(&self, iv: &[u8], data: &[u8]) -> Result<(), CryptoError> {
        if iv.len() != self.0 {
            return Err(CryptoError::IvLength {
                expected: self.0,
                actual: iv.len(),
            });
        }
        if !data.len().is_multiple_of(self.0) {
            return Err(CryptoError::NotBlockAligned {
                len: data.len(),
                block: self.0,
            });
        }
        Ok(())
    }
}

impl CipherKey for NoCipherKey {
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        self.check(iv, data)
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        self.check(iv, data)
    }
}

pub(super) const CIPHERS: &[&dyn Cipher] = &[
    &NoCipher(CipherId::Aes256Cbc),
    &NoCipher(CipherId::Aes192Cbc),
    &NoCipher(CipherId::Aes128Cbc),
    &NoCipher(CipherId::TripleDesCbc),
    &NoCipher(CipherId::DesCbc),
];
