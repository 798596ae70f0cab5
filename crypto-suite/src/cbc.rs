//! CBC with AES, Triple-DES and DES.

use ::cbc::{Decryptor, Encryptor};
use alloc::boxed::Box;
use cipher::array::{Array, ArraySize};
use cipher::{
    BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    KeyInit,
};
use core::marker::PhantomData;
use zeroize::Zeroizing;

use crate::{Cipher, CipherId, CipherKey, CryptoError};

/// A block cipher with its key schedule, running CBC over whole buffers.
pub(crate) trait CbcCipher: Sized + Send + Sync + 'static {
    const ID: CipherId;

    /// Checks length and weakness of `key`, then prepares it.
    fn prepare(key: &[u8]) -> Result<Self, CryptoError>;

    /// Fails, with `data` unchanged, when the IV is no block or `data` no whole blocks.
    fn cbc_encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError>;

    /// Fails, with `data` unchanged, when the IV is no block or `data` no whole blocks.
    fn cbc_decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError>;
}

fn blocks<N: ArraySize>(data: &mut [u8]) -> Result<&mut [Array<u8, N>], CryptoError> {
    let refused = CryptoError::NotBlockAligned {
        len: data.len(),
        block: N::USIZE,
    };
    let (blocks, rest) = Array::slice_as_chunks_mut(data);
    if rest.is_empty() {
        Ok(blocks)
    } else {
        Err(refused)
    }
}

fn iv_block<N: ArraySize>(iv: &[u8]) -> Result<&Array<u8, N>, CryptoError> {
    let refused = CryptoError::IvLength {
        expected: N::USIZE,
        actual: iv.len(),
    };
    iv.try_into().map_err(|_| refused)
}

fn encrypt<C: BlockCipherEncrypt>(
    cipher: &C,
    iv: &[u8],
    data: &mut [u8],
) -> Result<(), CryptoError> {
    let iv = iv_block::<C::BlockSize>(iv)?;
    let blocks = blocks::<C::BlockSize>(data)?;
    Encryptor::inner_iv_init(cipher, iv).encrypt_blocks(blocks);
    Ok(())
}

fn decrypt<C: BlockCipherDecrypt>(
    cipher: &C,
    iv: &[u8],
    data: &mut [u8],
) -> Result<(), CryptoError> {
    let iv = iv_block::<C::BlockSize>(iv)?;
    let blocks = blocks::<C::BlockSize>(data)?;
    // All blocks at once: the backend decrypts several in parallel.
    Decryptor::inner_iv_init(cipher, iv).decrypt_blocks(blocks);
    Ok(())
}

fn check_len(id: CipherId, key: &[u8]) -> Result<(), CryptoError> {
    if key.len() == id.key_len() {
        Ok(())
    } else {
        Err(CryptoError::KeyLength {
            expected: id.key_len(),
            actual: key.len(),
        })
    }
}

/// No key has weaknesses to look for.
fn any_key(_: &[u8]) -> Result<(), CryptoError> {
    Ok(())
}

/// RFC 2405 §4.1: the listed keys carry odd parity, keys of IKE carry any.
fn check_des(key: &[u8]) -> Result<(), CryptoError> {
    let key = odd_parity(key);
    des::weak_key_test(key.as_ref()).map_err(|_| CryptoError::WeakKey)
}

/// RFC 2451 §2.3: K1 = K2 or K2 = K3 reduces Triple-DES to DES and MUST be refused.
fn check_triple_des(key: &[u8]) -> Result<(), CryptoError> {
    let (k1, rest) = key.split_at_checked(8).unwrap_or_default();
    let (k2, k3) = rest.split_at_checked(8).unwrap_or_default();
    let (k1, k2, k3) = (odd_parity(k1), odd_parity(k2), odd_parity(k3));
    if k1 == k2 || k2 == k3 {
        Err(CryptoError::WeakKey)
    } else {
        Ok(())
    }
}

/// One DES key with each byte's lowest bit set to odd parity; that bit is not part of the key.
fn odd_parity(key: &[u8]) -> Zeroizing<[u8; 8]> {
    let mut out = Zeroizing::new([0; 8]);
    for (to, from) in out.iter_mut().zip(key) {
        let seven = from & 0xfe;
        *to = seven | u8::from(seven.count_ones() & 1 == 0);
    }
    out
}

macro_rules! cbc_ciphers {
    ($($(#[$doc:meta])* $name:ident($cipher:ty), $id:ident, $check:path;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $name($cipher);

        impl CbcCipher for $name {
            const ID: CipherId = CipherId::$id;

            fn prepare(key: &[u8]) -> Result<Self, CryptoError> {
                check_len(Self::ID, key)?;
                $check(key)?;
                let refused =
                    CryptoError::KeyLength { expected: Self::ID.key_len(), actual: key.len() };
                <$cipher as KeyInit>::new_from_slice(key).map(Self).map_err(|_| refused)
            }

            fn cbc_encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
                encrypt(&self.0, iv, data)
            }

            fn cbc_decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
                decrypt(&self.0, iv, data)
            }
        }
    )+};
}

cbc_ciphers! {
    Aes128(aes::Aes128), Aes128Cbc, any_key;
    Aes192(aes::Aes192), Aes192Cbc, any_key;
    Aes256(aes::Aes256), Aes256Cbc, any_key;
    TripleDes(des::TdesEde3), TripleDesCbc, check_triple_des;
    Des(des::Des), DesCbc, check_des;
}

impl<C: CbcCipher> CipherKey for C {
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        self.cbc_encrypt(iv, data)
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        self.cbc_decrypt(iv, data)
    }
}

struct BareCbc<C>(PhantomData<fn() -> C>);

impl<C: CbcCipher> Cipher for BareCbc<C> {
    fn id(&self) -> CipherId {
        C::ID
    }

    fn new_key(&self, key: &[u8]) -> Result<Box<dyn CipherKey>, CryptoError> {
        Ok(Box::new(C::prepare(key)?))
    }
}

static AES128: BareCbc<Aes128> = BareCbc(PhantomData);
static AES192: BareCbc<Aes192> = BareCbc(PhantomData);
static AES256: BareCbc<Aes256> = BareCbc(PhantomData);
static TRIPLE_DES: BareCbc<TripleDes> = BareCbc(PhantomData);
static DES: BareCbc<Des> = BareCbc(PhantomData);

pub(crate) const ALL: &[&dyn Cipher] = &[&AES256, &AES192, &AES128, &TRIPLE_DES, &DES];
