//! The IKEv1 key schedule: SKEYID and what grows from it (RFC 2409 §5, §5.5 and Appendix B).
//!
//! Every function takes the bytes exactly as the RFC writes them: `_b` means "the payload body,
//! without its generic header".

use alloc::vec::Vec;

use crypto_suite::{Cipher, CryptoError, Digest, Hash, Prf, Secret};

/// Longest block of a cipher that can protect an ISAKMP message, in bytes.
pub const MAX_BLOCK: usize = 16;

/// The two cookies that name an ISAKMP SA (RFC 2408 §2.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookies {
    /// CKY-I.
    pub initiator: [u8; 8],
    /// CKY-R.
    pub responder: [u8; 8],
}

/// SKEYID for pre-shared keys: `prf(pre-shared-key, Ni_b | Nr_b)` (RFC 2409 §5).
pub fn skeyid_psk(prf: &dyn Prf, psk: &[u8], ni_b: &[u8], nr_b: &[u8]) -> Digest {
    prf.prf(psk, &[ni_b, nr_b])
}

/// SKEYID for signatures: `prf(Ni_b | Nr_b, g^xy)` (RFC 2409 §5).
pub fn skeyid_signature(prf: &dyn Prf, ni_b: &[u8], nr_b: &[u8], g_xy: &[u8]) -> Digest {
    let mut key =
        zeroize::Zeroizing::new(Vec::with_capacity(ni_b.len().saturating_add(nr_b.len())));
    key.extend_from_slice(ni_b);
    key.extend_from_slice(nr_b);
    prf.prf(&key, &[g_xy])
}

/// What both ends hashed into HASH_I and HASH_R (RFC 2409 §5).
#[derive(Clone, Copy, Debug)]
pub struct Transcript<'a> {
    /// The initiator's public value, the body of its KE payload.
    pub g_xi: &'a [u8],
    /// The responder's public value, the body of its KE payload.
    pub g_xr: &'a [u8],
    /// The cookies of the SA.
    pub cookies: Cookies,
    /// SAi_b: the body of the initiator's SA payload as it was sent, all proposals in it.
    pub sai_b: &'a [u8],
}

impl Transcript<'_> {
    /// `HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b)`.
    pub fn hash_i(&self, prf: &dyn Prf, skeyid: &Digest, idii_b: &[u8]) -> Digest {
        let (i, r) = (&self.cookies.initiator[..], &self.cookies.responder[..]);
        prf.prf(
            skeyid.as_ref(),
            &[self.g_xi, self.g_xr, i, r, self.sai_b, idii_b],
        )
    }

    /// `HASH_R = prf(SKEYID, g^xr | g^xi | CKY-R | CKY-I | SAi_b | IDir_b)`.
    pub fn hash_r(&self, prf: &dyn Prf, skeyid: &Digest, idir_b: &[u8]) -> Digest {
        let (i, r) = (&self.cookies.initiator[..], &self.cookies.responder[..]);
        prf.prf(
            skeyid.as_ref(),
            &[self.g_xr, self.g_xi, r, i, self.sai_b, idir_b],
        )
    }
}

/// SKEYID and the three keys derived from it. Erased when dropped.
pub struct Keys {
    prf: &'static dyn Prf,
    skeyid: Digest,
    d: Digest,
    a: Digest,
    e: Digest,
}

impl Keys {
    /// Derives SKEYID_d, SKEYID_a and SKEYID_e (RFC 2409 §5).
    pub fn derive(prf: &'static dyn Prf, skeyid: Digest, g_xy: &[u8], cookies: &Cookies) -> Self {
        let (i, r) = (&cookies.initiator[..], &cookies.responder[..]);
        let d = prf.prf(skeyid.as_ref(), &[g_xy, i, r, &[0]]);
        let a = prf.prf(skeyid.as_ref(), &[d.as_ref(), g_xy, i, r, &[1]]);
        let e = prf.prf(skeyid.as_ref(), &[a.as_ref(), g_xy, i, r, &[2]]);
        Self {
            prf,
            skeyid,
            d,
            a,
            e,
        }
    }

    /// Rebuilds the keys of an imported session.
    pub fn from_parts(
        prf: &'static dyn Prf,
        skeyid: Digest,
        d: Digest,
        a: Digest,
        e: Digest,
    ) -> Self {
        Self {
            prf,
            skeyid,
            d,
            a,
            e,
        }
    }

    /// SKEYID.
    pub fn skeyid(&self) -> &Digest {
        &self.skeyid
    }

    /// SKEYID_d, from which the keys of child SAs are made.
    pub fn skeyid_d(&self) -> &Digest {
        &self.d
    }

    /// SKEYID_a, which authenticates messages.
    pub fn skeyid_a(&self) -> &Digest {
        &self.a
    }

    /// SKEYID_e, from which the key of the message cipher is made.
    pub fn skeyid_e(&self) -> &Digest {
        &self.e
    }

    /// The prf of this SA.
    pub fn prf(&self) -> &'static dyn Prf {
        self.prf
    }

    /// HASH_I under these keys.
    pub fn hash_i(&self, t: &Transcript<'_>, idii_b: &[u8]) -> Digest {
        t.hash_i(self.prf, &self.skeyid, idii_b)
    }

    /// HASH_R under these keys.
    pub fn hash_r(&self, t: &Transcript<'_>, idir_b: &[u8]) -> Digest {
        t.hash_r(self.prf, &self.skeyid, idir_b)
    }

    /// `HASH(1) = prf(SKEYID_a, M-ID | rest)`, of quick mode and of informational exchanges.
    ///
    /// `rest` is everything behind the HASH payload with all payload headers, without the padding.
    pub fn hash_1(&self, message_id: u32, rest: &[u8]) -> Digest {
        self.prf
            .prf(self.a.as_ref(), &[&message_id.to_be_bytes(), rest])
    }

    /// `HASH(2) = prf(SKEYID_a, M-ID | Ni_b | rest)`.
    pub fn hash_2(&self, message_id: u32, ni_b: &[u8], rest: &[u8]) -> Digest {
        self.prf
            .prf(self.a.as_ref(), &[&message_id.to_be_bytes(), ni_b, rest])
    }

    /// `HASH(3) = prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b)`.
    pub fn hash_3(&self, message_id: u32, ni_b: &[u8], nr_b: &[u8]) -> Digest {
        self.prf.prf(
            self.a.as_ref(),
            &[&[0], &message_id.to_be_bytes(), ni_b, nr_b],
        )
    }

    /// The key of the message cipher, `len` bytes (RFC 2409 Appendix B).
    pub fn cipher_key(&self, len: usize) -> Secret {
        // Appendix B: only when SKEYID_e is too short is it fed back, K1 = prf(SKEYID_e, 0).
        match self.e.as_ref().get(..len) {
            Some(key) => Secret::from(key),
            None => expand(len, |previous| match previous {
                None => self.prf.prf(self.e.as_ref(), &[&[0]]),
                Some(k) => self.prf.prf(self.e.as_ref(), &[k]),
            }),
        }
    }

    /// KEYMAT of one direction, `len` bytes (RFC 2409 §5.5).
    pub fn keymat(&self, child: &ChildKeyInput<'_>, len: usize) -> Secret {
        let g_xy = child.g_xy.unwrap_or(&[]);
        let protocol = [child.protocol];
        expand(len, |previous| {
            let previous = previous.unwrap_or(&[]);
            self.prf.prf(
                self.d.as_ref(),
                &[previous, g_xy, &protocol, child.spi, child.ni_b, child.nr_b],
            )
        })
    }
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keys")
            .field("prf", &self.prf.id())
            .finish_non_exhaustive()
    }
}

/// What the keys of one direction of a child SA are made from.
#[derive(Clone, Copy)]
pub struct ChildKeyInput<'a> {
    /// The shared secret of this quick mode's own Diffie-Hellman exchange, with PFS only.
    pub g_xy: Option<&'a [u8]>,
    /// Protocol-ID of the proposal: 3 for ESP, 2 for AH.
    pub protocol: u8,
    /// The SPI that the receiver of this direction chose.
    pub spi: &'a [u8],
    /// The initiator's nonce.
    pub ni_b: &'a [u8],
    /// The responder's nonce.
    pub nr_b: &'a [u8],
}

/// `K1 | K2 | …` cut to `len` bytes, where each K is made from the one before.
fn expand(len: usize, mut next: impl FnMut(Option<&[u8]>) -> Digest) -> Secret {
    let mut out = zeroize::Zeroizing::new(Vec::with_capacity(len));
    let mut block: Option<Digest> = None;
    while out.len() < len {
        let k = next(block.as_ref().map(AsRef::as_ref));
        let missing = len.saturating_sub(out.len());
        let bytes = k.as_ref();
        if bytes.is_empty() {
            // A prf without output cannot fill the key; the length check of the cipher refuses it.
            break;
        }
        out.extend(bytes.iter().take(missing));
        block = Some(k);
    }
    Secret::from(out.as_slice())
}

/// The CBC state of one exchange: the block that the next message is chained to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iv {
    bytes: [u8; MAX_BLOCK],
    len: u8,
}

impl Iv {
    /// The first `block_len` bytes of `material`; `None` when it is shorter or the block too long.
    pub fn new(material: &[u8], block_len: usize) -> Option<Self> {
        let mut bytes = [0; MAX_BLOCK];
        bytes
            .get_mut(..block_len)?
            .copy_from_slice(material.get(..block_len)?);
        Some(Self {
            bytes,
            len: u8::try_from(block_len).ok()?,
        })
    }
}

impl AsRef<[u8]> for Iv {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// The cipher of one ISAKMP SA: pads, encrypts and chains messages (RFC 2409 Appendix B).
///
/// It checks nothing: the caller verifies the HASH payload of what it opened before acting on it.
/// The key schedule is made anew for each message: it takes a thousand octets, and less than a
/// microsecond.
pub struct MessageCipher {
    cipher: &'static dyn Cipher,
    key: Secret,
    hash: &'static dyn Hash,
    block_len: usize,
}

impl MessageCipher {
    /// Takes the negotiated cipher and hash and draws the cipher's key from `keys`.
    ///
    /// # Errors
    /// What the cipher says of the key: a weak DES key, or a length it does not take.
    pub fn new(
        cipher: &'static dyn Cipher,
        hash: &'static dyn Hash,
        keys: &Keys,
    ) -> Result<Self, CryptoError> {
        let key = keys.cipher_key(cipher.key_len());
        // A key that the cipher refuses is found now.
        cipher.new_key(key.expose())?;
        Ok(Self {
            cipher,
            key,
            hash,
            block_len: cipher.block_len(),
        })
    }

    /// Block length of the cipher, in bytes.
    pub fn block_len(&self) -> usize {
        self.block_len
    }

    /// The IV of the first encrypted message of phase 1: `hash(g^xi | g^xr)`, cut to one block.
    pub fn phase1_iv(&self, g_xi: &[u8], g_xr: &[u8]) -> Option<Iv> {
        Iv::new(self.hash.digest(&[g_xi, g_xr]).as_ref(), self.block_len)
    }

    /// The IV of the first message of a later exchange: `hash(last phase 1 block | M-ID)`.
    pub fn exchange_iv(&self, last_phase1_block: &Iv, message_id: u32) -> Option<Iv> {
        let material = self
            .hash
            .digest(&[last_phase1_block.as_ref(), &message_id.to_be_bytes()]);
        Iv::new(material.as_ref(), self.block_len)
    }

    /// Pads `body` with zeros to whole blocks, encrypts it in place and gives the next IV.
    ///
    /// # Errors
    /// An empty body, or an IV of another cipher; `body` may then be padded, nothing more.
    pub fn seal(&self, iv: &Iv, body: &mut Vec<u8>) -> Result<Iv, MessageCipherError> {
        if body.is_empty() {
            return Err(MessageCipherError::Length {
                len: 0,
                block: self.block_len,
            });
        }
        let padded = body.len().next_multiple_of(self.block_len.max(1));
        body.resize(padded, 0);
        let key = self.cipher.new_key(self.key.expose())?;
        key.encrypt(iv.as_ref(), body)?;
        self.last_block(body)
    }

    /// Decrypts `body` in place and gives the next IV.
    ///
    /// # Errors
    /// A length that is not a positive number of blocks; `body` is then unchanged.
    pub fn open(&self, iv: &Iv, body: &mut [u8]) -> Result<Iv, MessageCipherError> {
        let next = self.last_block(body)?;
        let key = self.cipher.new_key(self.key.expose())?;
        key.decrypt(iv.as_ref(), body)?;
        Ok(next)
    }

    fn last_block(&self, body: &[u8]) -> Result<Iv, MessageCipherError> {
        let bad = MessageCipherError::Length {
            len: body.len(),
            block: self.block_len,
        };
        if !matches!(body.len().checked_rem(self.block_len), Some(0)) {
            return Err(bad);
        }
        let start = body.len().checked_sub(self.block_len).ok_or(bad)?;
        body.get(start..)
            .and_then(|last| Iv::new(last, self.block_len))
            .ok_or(bad)
    }
}

impl core::fmt::Debug for MessageCipher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MessageCipher")
            .field("block_len", &self.block_len)
            .finish_non_exhaustive()
    }
}

/// Why a message could not be encrypted or decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageCipherError {
    /// The encrypted part is not a positive number of cipher blocks (RFC 2409 Appendix B).
    #[error("encrypted part of {len} bytes is not a positive multiple of the {block}-byte block")]
    Length {
        /// Length of the encrypted part, in bytes.
        len: usize,
        /// Block length of the cipher, in bytes.
        block: usize,
    },
    /// The cipher refused.
    #[error("cipher: {0}")]
    Crypto(#[from] CryptoError),
}
