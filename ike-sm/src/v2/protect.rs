//! Messages under the protection of an IKE SA: SK (RFC 7296 §3.14, RFC 5282) and SKF (RFC 7383).
//!
//! What arrives is authenticated before anything of it is decrypted, and decrypted in a copy: a
//! refused message changes nothing.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use crypto_suite::{CryptoError, Layout, PacketKey};
use isakmp_wire::v2::{
    FragmentNumber, Message, PayloadChain, PayloadType, Protection, Writer, unpad,
};
use isakmp_wire::{BuildError, Header, Limits, ParseError};
use zeroize::Zeroizing;

pub use crate::model::OpenError;

/// Payloads in the clear that belong into an SK payload.
pub struct Inner {
    first: PayloadType,
    octets: Zeroizing<Vec<u8>>,
}

impl Inner {
    /// The most octets of payloads: what protects them fits into the same SK payload and datagram.
    pub const MAX: usize = 65_000;

    /// No payload.
    #[must_use]
    pub fn empty() -> Self {
        Self::from_octets(PayloadType::NONE, Zeroizing::default())
    }

    /// Writes payloads.
    ///
    /// # Errors
    /// What `fill` returns; more than [`MAX`](Self::MAX) octets.
    pub fn build(
        fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
    ) -> Result<Self, BuildError> {
        let mut octets = Zeroizing::new(Vec::new());
        let mut writer = Writer::chain_only(&mut *octets);
        fill(&mut writer)?;
        let first = writer.first();
        if octets.len() > Self::MAX {
            return Err(BuildError::TooLong {
                what: "payloads of a message",
                length: octets.len(),
                maximum: Self::MAX,
            });
        }
        Ok(Self { first, octets })
    }

    /// Payloads that are octets already: those of a reassembled message.
    #[must_use]
    pub fn from_octets(first: PayloadType, octets: Zeroizing<Vec<u8>>) -> Self {
        Self { first, octets }
    }

    /// Type of the first payload; [`PayloadType::NONE`] when there is none.
    #[must_use]
    pub fn first(&self) -> PayloadType {
        self.first
    }

    /// The payloads with their headers.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The payloads with their headers, to keep.
    #[must_use]
    pub fn into_octets(self) -> Zeroizing<Vec<u8>> {
        self.octets
    }

    /// The payloads as a chain.
    ///
    /// # Errors
    /// Octets that are no chain within `limits`.
    pub fn payloads(&self, limits: &Limits) -> Result<PayloadChain<'_>, ParseError> {
        PayloadChain::parse(self.first, &self.octets, limits)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("first", &self.first)
            .field("len", &self.octets.len())
            .finish()
    }
}

/// Why a message cannot be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A bound of the format.
    #[error("{0}")]
    Build(#[from] BuildError),
    /// The key refuses.
    #[error("{0}")]
    Crypto(#[from] CryptoError),
    /// All IVs of the key are used.
    #[error("the key has protected as many messages as it may")]
    Exhausted,
    /// A fragment of this size has no room for a payload, or more than 65,535 are needed.
    #[error("fragments of {0} octets cannot carry the message")]
    FragmentSize(usize),
}

/// Protects what we send.
pub struct Sealer {
    key: Box<dyn PacketKey>,
    shape: Protection,
    next: u64,
}

impl Sealer {
    /// Takes the key of our own direction.
    #[must_use]
    pub fn new(key: Box<dyn PacketKey>) -> Self {
        Self::resume(key, 0)
    }

    /// The same for an imported SA: `next` must be above every value that [`Self::next`] had
    /// while this key was in use, or an IV repeats.
    #[must_use]
    pub fn resume(key: Box<dyn PacketKey>, next: u64) -> Self {
        let shape = shape(&*key);
        Self { key, shape, next }
    }

    /// Goes on with numbers that no earlier epoch of this key uses: 2^48 to each.
    ///
    /// # Errors
    /// [`SealError::Exhausted`]: the epoch has begun already, or is over. Nothing has changed.
    pub fn begin_epoch(&mut self, epoch: u16) -> Result<(), SealError> {
        let first = u64::from(epoch) << 48;
        if first <= self.next {
            return Err(SealError::Exhausted);
        }
        self.next = first;
        Ok(())
    }

    /// Messages and fragments protected so far: what the next IV is made from.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Lengths that the key's algorithm adds to a message.
    #[must_use]
    pub fn shape(&self) -> Protection {
        self.shape
    }

    /// The length of the message that [`Self::seal`] makes of `inner`, octets.
    #[must_use]
    pub fn sealed_len(&self, inner: &Inner) -> usize {
        let block = self.shape.block_len.max(1);
        // Header 28, generic header 4, Pad Length 1.
        inner
            .octets
            .len()
            .saturating_add(1)
            .next_multiple_of(block)
            .saturating_add(self.shape.iv_len)
            .saturating_add(self.shape.icv_len)
            .saturating_add(Header::LEN)
            .saturating_add(4)
    }

    /// `HDR, SK {inner}`. Length and Next Payload of `header` are filled in.
    ///
    /// # Errors
    /// [`SealError`]; only [`SealError::Crypto`] uses up an IV.
    pub fn seal(&mut self, header: &Header, inner: &Inner) -> Result<Bytes, SealError> {
        let mut message = Vec::with_capacity(self.sealed_len(inner));
        let mut writer = Writer::new(&mut message, header)?;
        let sealed = writer.encrypted_octets(&self.shape, inner.first, &inner.octets)?;
        writer.finish()?;
        self.close(message, sealed.aad_len)
    }

    /// `HDR, SKF {…}` as often as `inner` needs it, each message at most `message_len` octets long
    /// (RFC 7383 §2.5). One fragment only when `inner` fits.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal_fragments(
        &mut self,
        header: &Header,
        inner: &Inner,
        message_len: usize,
    ) -> Result<Vec<Bytes>, SealError> {
        let unfit = SealError::FragmentSize(message_len);
        let capacity = self.shape.fragment_capacity(message_len);
        if capacity == 0 {
            return Err(unfit);
        }
        let total = inner.octets.len().div_ceil(capacity).max(1);
        let total = u16::try_from(total).map_err(|_| unfit)?;
        let mut chunks = inner.octets.chunks(capacity);
        let mut messages = Vec::with_capacity(usize::from(total));
        for number in 1..=total {
            let chunk = chunks.next().unwrap_or(&[]);
            let mut message = Vec::with_capacity(message_len);
            let mut writer = Writer::new(&mut message, header)?;
            let place = FragmentNumber { number, total };
            let sealed = writer.encrypted_fragment(&self.shape, place, inner.first, chunk)?;
            writer.finish()?;
            messages.push(self.close(message, sealed.aad_len)?);
        }
        Ok(messages)
    }

    fn close(&mut self, mut message: Vec<u8>, aad_len: usize) -> Result<Bytes, SealError> {
        let seq = self.next;
        self.next = seq.checked_add(1).ok_or(SealError::Exhausted)?;
        if let Err(refused) = self.key.seal(&mut message, Layout::ike(aad_len), seq) {
            // What could not be sealed is still in the clear.
            zeroize::Zeroize::zeroize(&mut message);
            return Err(refused.into());
        }
        Ok(Bytes::from(message))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// Opens what the peer sends.
pub struct Opener {
    key: Box<dyn PacketKey>,
}

impl Opener {
    /// Takes the key of the peer's direction.
    #[must_use]
    pub fn new(key: Box<dyn PacketKey>) -> Self {
        Self { key }
    }

    /// Authenticates a message, then decrypts a copy of its SK or SKF payload.
    ///
    /// # Errors
    /// [`OpenError`]. Only [`OpenError::Padding`] concerns an authentic message.
    pub fn open(&self, message: &Message<'_>) -> Result<Opened, OpenError> {
        let protected = message.protected().ok_or(OpenError::NotProtected)?;
        let aad_len = protected.aad_len;
        let mut octets = Zeroizing::new(message.raw().to_vec());
        self.key.open(&mut octets, Layout::ike(aad_len))?;
        let start = aad_len.saturating_add(self.key.iv_len());
        let end = octets.len().saturating_sub(self.key.icv_len());
        let padded = octets.get(start..end).unwrap_or(&[]);
        let len = unpad(padded).map_err(OpenError::Padding)?.len();
        octets.truncate(start.saturating_add(len));
        octets.drain(..start);
        Ok(Opened {
            inner: Inner::from_octets(protected.first, octets),
            fragment: protected.fragment,
        })
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").finish_non_exhaustive()
    }
}

/// What an authentic message holds.
#[derive(Debug)]
pub struct Opened {
    /// The payloads, or with [`Self::fragment`] the chunk of them.
    pub inner: Inner,
    /// Which fragment it is, for SKF.
    pub fragment: Option<FragmentNumber>,
}

fn shape(key: &dyn PacketKey) -> Protection {
    Protection {
        iv_len: key.iv_len(),
        icv_len: key.icv_len(),
        block_len: key.block_len(),
    }
}

#[cfg(test)]
mod tests;
