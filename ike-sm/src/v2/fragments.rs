//! Reassembly of fragmented messages (RFC 7383 §2.6).
//!
//! Each fragment is authenticated before it is kept: nobody without the keys can fill the queue.
//! One message is in progress at a time, its fragments stand in an array by their number, and
//! number, size and time are bounded.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use isakmp_wire::ExchangeType;
use isakmp_wire::v2::{FragmentNumber, Message, PayloadType};
use zeroize::Zeroizing;

use super::protect::{Inner, Opener};
pub use crate::model::FragmentError;

/// Bounds of one reassembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FragmentLimits {
    /// Fragments of one message. Default 64.
    pub fragments: u16,
    /// Octets of all its fragments, decrypted. Default 65,535 (RFC 7383 §5 advises no more).
    pub octets: usize,
    /// Time from the first fragment to the last. Default 30 s.
    pub time: Duration,
}

impl Default for FragmentLimits {
    fn default() -> Self {
        Self {
            fragments: 64,
            octets: 65_535,
            time: Duration::from_secs(30),
        }
    }
}

/// What came of a fragment.
#[derive(Debug)]
#[must_use]
pub enum Inserted {
    /// Others are missing.
    Waiting {
        /// Fragments there.
        have: u16,
        /// Fragments in all.
        total: u16,
    },
    /// It was the last one.
    Complete(Reassembled),
}

/// A whole message.
#[derive(Debug)]
pub struct Reassembled {
    /// The payloads of the SK payload that was never sent.
    pub inner: Inner,
    /// Second octet of the generic header of the first fragment's payload, which IntAuth covers
    /// (RFC 9242 §3.3.2).
    pub reserved: u8,
}

/// The fragments of one direction of an IKE SA.
#[derive(Debug, Default)]
pub struct Reassembler {
    limits: FragmentLimits,
    current: Option<Progress>,
}

struct Progress {
    message_id: u32,
    exchange: ExchangeType,
    since: Duration,
    first: PayloadType,
    reserved: u8,
    /// By fragment number, from 1.
    chunks: Vec<Option<Zeroizing<Vec<u8>>>>,
    have: u16,
    octets: usize,
}

impl Reassembler {
    /// Nothing in progress.
    #[must_use]
    pub fn new(limits: FragmentLimits) -> Self {
        Self {
            limits,
            current: None,
        }
    }

    /// Takes one fragment. The caller has checked that its message ID is one that is waited for;
    /// the fragments of a later message take the place of an earlier one's.
    ///
    /// # Errors
    /// [`FragmentError`]. What can be refused without the key is refused before the key is used,
    /// and nothing changes before the fragment has proved authentic.
    pub fn insert(
        &mut self,
        opener: &Opener,
        message: &Message<'_>,
        now: Duration,
    ) -> Result<Inserted, FragmentError> {
        let protected = message.protected().ok_or(FragmentError::NotAFragment)?;
        let place = protected.fragment.ok_or(FragmentError::NotAFragment)?;
        let current = self.current.as_ref().filter(|p| !self.is_over(p, now));
        // RFC 7383 §2.6, in its order: validity, replay, authenticity, only then a new start.
        let continues = self.continues(current, message, place)?;
        let kept = if continues {
            current.map_or(0, |p| p.octets)
        } else {
            0
        };
        // The ciphertext is never shorter than what is in it.
        let opened = opener.open(message)?;
        let chunk = opened.inner;
        let octets = kept.saturating_add(chunk.octets().len());
        if octets > self.limits.octets {
            return Err(FragmentError::Limit("octets of a message"));
        }
        let reserved = message.payloads().last().map_or(0, |p| p.reserved);
        let mut progress = match self.current.take() {
            Some(progress) if continues => progress,
            _ => Progress::new(message, place, now),
        };
        progress.put(place, chunk, reserved);
        if progress.have < place.total {
            let (have, total) = (progress.have, place.total);
            self.current = Some(progress);
            return Ok(Inserted::Waiting { have, total });
        }
        Ok(Inserted::Complete(progress.finish()))
    }

    /// Whether the fragment goes on with the message in progress (or a new one begins), as far as
    /// that can be told before it has proved authentic.
    fn continues(
        &self,
        current: Option<&Progress>,
        message: &Message<'_>,
        place: FragmentNumber,
    ) -> Result<bool, FragmentError> {
        if place.total > self.limits.fragments {
            return Err(FragmentError::Limit("fragments of a message"));
        }
        let Some(progress) = current else {
            return Ok(false);
        };
        let (id, exchange) = (message.header.message_id, message.header.exchange_type);
        if id < progress.message_id {
            return Err(FragmentError::Stale);
        }
        if (id, exchange) != (progress.message_id, progress.exchange) {
            return Ok(false);
        }
        let total = progress.total();
        if place.total < total {
            let current = total;
            let total = place.total;
            return Err(FragmentError::SmallerTotal { total, current });
        }
        if place.total > total {
            return Ok(false);
        }
        let slot = progress.chunks.get(slot_of(place));
        match slot {
            Some(None) => Ok(true),
            Some(Some(_)) => Err(FragmentError::Duplicate),
            // The decoder has checked that the number is not above the total.
            None => Err(FragmentError::NotAFragment),
        }
    }

    fn is_over(&self, progress: &Progress, now: Duration) -> bool {
        now.saturating_sub(progress.since) >= self.limits.time
    }

    /// When the fragments in progress are given up, if there are any.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let progress = self.current.as_ref()?;
        Some(progress.since.saturating_add(self.limits.time))
    }

    /// Gives up what has waited for too long.
    pub fn expire(&mut self, now: Duration) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.current = None;
        }
    }

    /// Gives up the message in progress: it has come in another way, or is waited for no more.
    pub fn clear(&mut self) {
        self.current = None;
    }
}

impl Progress {
    fn new(message: &Message<'_>, place: FragmentNumber, now: Duration) -> Self {
        let mut chunks = Vec::new();
        chunks.resize_with(usize::from(place.total), || None);
        Self {
            message_id: message.header.message_id,
            exchange: message.header.exchange_type,
            since: now,
            first: PayloadType::NONE,
            reserved: 0,
            chunks,
            have: 0,
            octets: 0,
        }
    }

    fn total(&self) -> u16 {
        u16::try_from(self.chunks.len()).unwrap_or(u16::MAX)
    }

    fn put(&mut self, place: FragmentNumber, chunk: Inner, reserved: u8) {
        let Some(slot) = self.chunks.get_mut(slot_of(place)) else {
            return;
        };
        if place.number == 1 {
            self.first = chunk.first();
            self.reserved = reserved;
        }
        self.octets = self.octets.saturating_add(chunk.octets().len());
        self.have = self.have.saturating_add(1);
        *slot = Some(chunk.into_octets());
    }

    fn finish(self) -> Reassembled {
        let mut octets = Zeroizing::new(Vec::with_capacity(self.octets));
        for chunk in self.chunks.iter().flatten() {
            octets.extend_from_slice(chunk);
        }
        Reassembled {
            inner: Inner::from_octets(self.first, octets),
            reserved: self.reserved,
        }
    }
}

fn slot_of(place: FragmentNumber) -> usize {
    usize::from(place.number.saturating_sub(1))
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("message_id", &self.message_id)
            .field("have", &self.have)
            .field("total", &self.chunks.len())
            .finish_non_exhaustive()
    }
}

/// The longest IKE message that goes into an IP datagram of `mtu` octets without being fragmented
/// there, with the non-ESP marker on port 4500 (RFC 7383 §2.5.1, Appendix B).
#[must_use]
pub fn message_room(mtu: usize, ipv4: bool, marker: bool) -> usize {
    let ip: usize = if ipv4 { 20 } else { 40 };
    let marker: usize = if marker { 4 } else { 0 };
    mtu.saturating_sub(ip.saturating_add(8).saturating_add(marker))
}

/// IP datagrams of this size go through nearly everywhere (RFC 7383 §2.5.1).
#[must_use]
pub const fn safe_mtu(ipv4: bool) -> usize {
    if ipv4 { 576 } else { 1280 }
}

#[cfg(test)]
mod tests;
