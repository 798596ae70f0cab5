//! Work that the embedder may do on a thread of its own: Diffie-Hellman, and the check of signatures.

mod signature;

use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;

use crypto_suite::{CryptoError, Digest, GroupId, KeyExchange, Prf, Secret};
use rand_core::{TryCryptoRng, TryRng};

pub use signature::{SignatureDone, SignatureJob};

/// Octets of randomness that a job is given: as many as the longest key here is strong.
const SEED_LEN: usize = 32;

/// One half of a key exchange that is still to be computed: a fresh key pair, and what it shares
/// with the peer's public value; of a KEM, the encapsulation.
///
/// The randomness is in it already, so that the same job always gives the same result. It may be
/// moved to another thread. What it holds is zeroized when it goes, and in no `Debug`.
#[derive(Clone)]
pub struct KeyExchangeJob {
    group: &'static dyn KeyExchange,
    prf: &'static dyn Prf,
    peer_public: Vec<u8>,
    seed: Secret,
}

impl KeyExchangeJob {
    /// A responder's answer to `peer_public`. `prf` makes as much randomness as `group` needs of
    /// what `draw` fills.
    pub(crate) fn respond(
        group: &'static dyn KeyExchange,
        prf: &'static dyn Prf,
        peer_public: &[u8],
        draw: impl FnOnce(&mut [u8]),
    ) -> Self {
        let mut seed = zeroize::Zeroizing::new([0; SEED_LEN]);
        draw(&mut *seed);
        Self {
            group,
            prf,
            peer_public: peer_public.to_vec(),
            seed: Secret::from(&seed[..]),
        }
    }

    /// Which group or KEM.
    #[must_use]
    pub fn group(&self) -> GroupId {
        self.group.id()
    }

    /// Does the work: on whatever thread, in microseconds or in tens of milliseconds, as the group
    /// is.
    #[must_use]
    pub fn run(self) -> KeyExchangeDone {
        let mut drawn = Drawn {
            prf: self.prf,
            seed: &self.seed,
            blocks: 0,
        };
        KeyExchangeDone {
            group: self.group.id(),
            result: self.group.respond(&mut drawn, &self.peer_public),
        }
    }
}

impl PartialEq for KeyExchangeJob {
    fn eq(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.peer_public == other.peer_public
            && self.seed == other.seed
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
    /// Our public value, and the shared secret.
    result: Result<(Vec<u8>, Secret), CryptoError>,
}

impl KeyExchangeDone {
    /// Which group or KEM.
    #[must_use]
    pub const fn group(&self) -> GroupId {
        self.group
    }

    /// Our public value and the shared secret; the error, if it belongs to another group.
    pub(crate) fn of(self, group: GroupId) -> Result<(Vec<u8>, Secret), CryptoError> {
        if self.group == group {
            self.result
        } else {
            Err(CryptoError::KeyInvalid)
        }
    }
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
