//! Work that the embedder may do on a thread of its own: Diffie-Hellman, and the check of signatures.

mod signature;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;

use crypto_suite::{ActiveKeyExchange, CryptoError, Digest, GroupId, KeyExchange, Prf, Secret};
use rand_core::{CryptoRng, TryCryptoRng, TryRng};

use crate::model::DropReason;

pub use signature::{SignatureDone, SignatureJob};

/// Octets of randomness that a job is given: as many as the longest key here is strong.
const SEED_LEN: usize = 32;

/// What is still to be computed of a key exchange. For a responder: a fresh key pair, and what it
/// shares with the peer's public value; of a KEM, the encapsulation. For an initiator: first a fresh key
/// pair, then what that shares with the responder's value; of a KEM, the decapsulation.
///
/// The randomness is in it already, so that the same job always gives the same result. It may be
/// moved to another thread. What it holds is zeroized when it goes, and in no `Debug`.
#[derive(Clone)]
pub struct KeyExchangeJob {
    peer_public: Vec<u8>,
    half: Half,
}

/// Whose half it is, and what that needs.
#[derive(Clone)]
enum Half {
    Responder(Draw),
    /// An initiator's key pair.
    Pair(Draw),
    /// With the private key, which is shared and not copied.
    Initiator(Arc<dyn ActiveKeyExchange>),
}

/// A key pair that is to be drawn.
#[derive(Clone)]
pub(crate) struct Draw {
    group: &'static dyn KeyExchange,
    prf: &'static dyn Prf,
    seed: Secret,
}

impl Draw {
    /// Of `group`, for which `prf` makes as much randomness as it needs of what `fill` gives.
    pub(crate) fn new(
        group: &'static dyn KeyExchange,
        prf: &'static dyn Prf,
        fill: impl FnOnce(&mut [u8]),
    ) -> Self {
        let mut seed = zeroize::Zeroizing::new([0; SEED_LEN]);
        fill(&mut *seed);
        let seed = Secret::from(&seed[..]);
        Self { group, prf, seed }
    }

    const fn drawn(&self) -> Drawn<'_> {
        Drawn {
            prf: self.prf,
            seed: &self.seed,
            blocks: 0,
        }
    }
}

impl KeyExchangeJob {
    /// A responder's answer to `peer_public`.
    pub(crate) fn respond(draw: Draw, peer_public: &[u8]) -> Self {
        Self {
            peer_public: peer_public.to_vec(),
            half: Half::Responder(draw),
        }
    }

    /// An initiator's key pair.
    pub(crate) const fn pair(draw: Draw) -> Self {
        Self {
            peer_public: Vec::new(),
            half: Half::Pair(draw),
        }
    }

    /// What an initiator's key pair shares with the responder's `peer_public`.
    pub(crate) fn agree(pair: Arc<dyn ActiveKeyExchange>, peer_public: &[u8]) -> Self {
        Self {
            peer_public: peer_public.to_vec(),
            half: Half::Initiator(pair),
        }
    }

    /// Which group or KEM.
    #[must_use]
    pub fn group(&self) -> GroupId {
        match &self.half {
            Half::Responder(draw) | Half::Pair(draw) => draw.group.id(),
            Half::Initiator(pair) => pair.group(),
        }
    }

    /// Does the work: on whatever thread, in microseconds or in tens of milliseconds, as the group
    /// is.
    #[must_use]
    pub fn run(self) -> KeyExchangeDone {
        let result = match &self.half {
            Half::Responder(draw) => {
                let answer = draw.group.respond(&mut draw.drawn(), &self.peer_public);
                answer.map(|(public, secret)| Computation::Answer(public, secret))
            }
            Half::Pair(draw) => {
                let pair = draw.group.start(&mut draw.drawn());
                pair.map(|pair| Computation::Pair(Arc::from(pair)))
            }
            Half::Initiator(pair) => pair.finish(&self.peer_public).map(Computation::Shared),
        };
        KeyExchangeDone {
            group: self.group(),
            result,
        }
    }
}

impl PartialEq for KeyExchangeJob {
    fn eq(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.peer_public == other.peer_public
            && match (&self.half, &other.half) {
                (Half::Responder(a), Half::Responder(b)) | (Half::Pair(a), Half::Pair(b)) => {
                    a.seed == b.seed
                }
                (Half::Initiator(a), Half::Initiator(b)) => a.public() == b.public(),
                _ => false,
            }
    }
}

impl Eq for KeyExchangeJob {}

impl fmt::Debug for KeyExchangeJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyExchangeJob")
            .field("group", &self.group())
            .finish_non_exhaustive()
    }
}

/// What [`KeyExchangeJob::run`] has computed.
pub struct KeyExchangeDone {
    group: GroupId,
    result: Result<Computation, CryptoError>,
}

/// What has come of a half.
enum Computation {
    /// A responder's public value, and the shared secret.
    Answer(Vec<u8>, Secret),
    /// An initiator's key pair.
    Pair(Arc<dyn ActiveKeyExchange>),
    /// An initiator's shared secret.
    Shared(Secret),
}

impl KeyExchangeDone {
    /// Which group or KEM.
    #[must_use]
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// A responder's public value and the shared secret; the error, if it belongs to another group or
    /// to the other half.
    pub(crate) fn of(self, group: GroupId) -> Result<(Vec<u8>, Secret), CryptoError> {
        match self.result? {
            Computation::Answer(public, secret) if self.group == group => Ok((public, secret)),
            _ => Err(CryptoError::KeyInvalid),
        }
    }

    /// Whether it is what the computation of an initiator's shared secret has led to, be it that the
    /// responder's value is invalid.
    pub(crate) fn is_shared(&self, group: GroupId) -> bool {
        let shared = matches!(self.result, Ok(Computation::Shared(_)) | Err(_));
        self.group == group && shared
    }

    /// The key pair of an initiator; the error, if it belongs to another group or is none.
    fn drawn(self, group: GroupId) -> Result<Arc<dyn ActiveKeyExchange>, CryptoError> {
        match self.result? {
            Computation::Pair(pair) if self.group == group => Ok(pair),
            _ => Err(CryptoError::KeyInvalid),
        }
    }
}

/// What the embedder has computed, where it was asked to: `Some(None)` when it has not.
pub(crate) type Computed = Option<Option<KeyExchangeDone>>;

/// Initiator: a key pair, which the embedder was asked for or which is drawn now.
pub(crate) fn key_pair(
    group: &'static dyn KeyExchange,
    rng: &mut dyn CryptoRng,
    computed: Computed,
) -> Result<Arc<dyn ActiveKeyExchange>, DropReason> {
    let pair = match computed {
        Some(done) => {
            let done = done.ok_or(DropReason::TemporaryFailure)?;
            done.drawn(group.id())
        }
        None => group.start(rng).map(Arc::from),
    };
    pair.map_err(|_| DropReason::Crypto)
}

/// Initiator: what a key pair shares with the responder's public value, which the embedder was asked for
/// or which is computed now.
pub(crate) fn shared(
    pair: &dyn ActiveKeyExchange,
    peer_public: &[u8],
    computed: Computed,
) -> Result<Secret, DropReason> {
    let secret = match computed {
        None => pair.finish(peer_public),
        Some(done) => match done.filter(|done| done.group == pair.group()) {
            Some(KeyExchangeDone {
                result: Ok(Computation::Shared(secret)),
                ..
            }) => Ok(secret),
            Some(KeyExchangeDone {
                result: Err(error), ..
            }) => Err(error),
            // Refused, or the answer to another question: not the peer's fault.
            _ => return Err(DropReason::TemporaryFailure),
        },
    };
    secret.map_err(|_| DropReason::BadKeyExchange)
}

impl fmt::Debug for KeyExchangeDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyExchangeDone")
            .field("group", &self.group)
            .field("failed", &self.result.as_ref().err())
            .finish_non_exhaustive()
    }
}

/// Randomness that a seed stands for: prf(seed, 1) | prf(seed, 2) | …
struct Drawn<'s> {
    prf: &'static dyn Prf,
    seed: &'s Secret,
    blocks: u64,
}

impl Drawn<'_> {
    fn block(&mut self) -> Digest {
        self.blocks = self.blocks.wrapping_add(1);
        self.prf
            .prf(self.seed.expose(), &[&self.blocks.to_be_bytes()])
    }
}

impl TryRng for Drawn<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut octets = [0; 4];
        self.try_fill_bytes(&mut octets)?;
        Ok(u32::from_le_bytes(octets))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut octets = [0; 8];
        self.try_fill_bytes(&mut octets)?;
        Ok(u64::from_le_bytes(octets))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for piece in dst.chunks_mut(self.prf.output_len().max(1)) {
            for (to, from) in piece.iter_mut().zip(self.block().as_ref()) {
                *to = *from;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Drawn<'_> {}

#[cfg(test)]
mod tests;
