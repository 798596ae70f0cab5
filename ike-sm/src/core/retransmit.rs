//! Repeating a message until it is answered, and answering a repeated one.
//!
//! Only the side that started an exchange repeats (RFC 2408 §5.1 lets each side decide): the other
//! answers a repetition with what it answered before. Both versions share this.

use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::{Digest, Hash, HashId, Provider};
use rand_core::CryptoRng;

use crate::config::Retransmit as Patience;

/// A message that waits for an answer.
#[derive(Debug, Clone)]
pub(crate) struct Pending<M = Bytes> {
    /// The IKE message, without a marker.
    pub(crate) message: M,
    sent: u8,
    next: Duration,
}

/// What is to be done when the wait is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due<M = Bytes> {
    /// The time has not come.
    Wait,
    /// Send it again.
    Resend(M),
    /// It was sent often enough.
    GiveUp,
}

impl<M: Clone> Pending<M> {
    /// The message was sent for the first time at `now`.
    pub(crate) fn new(
        message: M,
        patience: &Patience,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let next = now.saturating_add(wait(patience, 0, rng));
        Self {
            message,
            sent: 0,
            next,
        }
    }

    /// When [`due`](Self::due) has something to say.
    pub(crate) const fn deadline(&self) -> Duration {
        self.next
    }

    /// What `now` asks for.
    pub(crate) fn due(
        &mut self,
        patience: &Patience,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Due<M> {
        if now < self.next {
            return Due::Wait;
        }
        if self.sent >= patience.tries {
            return Due::GiveUp;
        }
        self.sent = self.sent.saturating_add(1);
        // Counted from now: a machine that slept does not send a burst.
        self.next = now.saturating_add(wait(patience, self.sent, rng));
        Due::Resend(self.message.clone())
    }
}

fn wait(patience: &Patience, sent: u8, rng: &mut dyn CryptoRng) -> Duration {
    let random = if patience.jitter_percent == 0 {
        0
    } else {
        rng.next_u32()
    };
    let wait = patience
        .wait(sent, random)
        .unwrap_or_else(|| patience.last_wait(random));
    // A wait of nothing would repeat without end at one moment.
    wait.max(Duration::from_millis(1))
}

/// The last message taken in and what answered it.
#[derive(Clone, Default)]
pub(crate) struct Answered {
    fingerprint: Option<Digest>,
    /// What was sent in return, if anything was.
    pub(crate) answer: Option<Bytes>,
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The hash of a datagram is no secret.
        let fingerprint = self.fingerprint.as_ref().map(Digest::as_ref);
        (fingerprint, &self.answer).fmt(f)
    }
}

impl Answered {
    /// Remembers that `fingerprint` was answered by `answer`.
    pub(crate) fn new(fingerprint: Digest, answer: Option<Bytes>) -> Self {
        Self {
            fingerprint: Some(fingerprint),
            answer,
        }
    }

    /// Whether this very message was the last one taken in.
    pub(crate) fn is(&self, fingerprint: &Digest) -> bool {
        self.fingerprint.as_ref() == Some(fingerprint)
    }
}

/// What recognises a repeated message before anything in it is parsed.
pub(crate) fn fingerprint(provider: &Provider, message: &[u8]) -> Option<Digest> {
    let hash: Option<&'static dyn Hash> = provider
        .hash(HashId::Sha256)
        .or_else(|| provider.hash(HashId::Sha1))
        .or_else(|| provider.hashes.first().copied());
    hash.map(|hash| hash.digest(&[message]))
}
