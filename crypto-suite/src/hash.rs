//! MD5, SHA-1 and SHA-2.

use core::marker::PhantomData;
use digest::FixedOutputReset;

use crate::{Digest, Hash, HashId};

struct RustCryptoHash<D> {
    id: HashId,
    len: usize,
    _digest: PhantomData<fn() -> D>,
}

impl<D> RustCryptoHash<D> {
    const fn new(id: HashId, len: usize) -> Self {
        Self {
            id,
            len,
            _digest: PhantomData,
        }
    }
}

impl<D: digest::Digest + FixedOutputReset> Hash for RustCryptoHash<D> {
    fn id(&self) -> HashId {
        self.id
    }

    fn output_len(&self) -> usize {
        self.len
    }

    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut state = D::new();
        for part in parts {
            digest::Digest::update(&mut state, part);
        }
        Digest::new(&state.finalize())
    }
}

static MD5: RustCryptoHash<md5::Md5> = RustCryptoHash::new(HashId::Md5, 16);
static SHA1: RustCryptoHash<sha1::Sha1> = RustCryptoHash::new(HashId::Sha1, 20);
static SHA256: RustCryptoHash<sha2::Sha256> = RustCryptoHash::new(HashId::Sha256, 32);
static SHA384: RustCryptoHash<sha2::Sha384> = RustCryptoHash::new(HashId::Sha384, 48);
static SHA512: RustCryptoHash<sha2::Sha512> = RustCryptoHash::new(HashId::Sha512, 64);

pub(crate) const ALL: &[&dyn Hash] = &[&SHA256, &SHA384, &SHA512, &SHA1, &MD5];
