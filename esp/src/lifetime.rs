//! Lifetimes of an SA in octets, packets and time, soft and hard (RFC 4301 §4.4.2.1).

use core::time::Duration;

use crate::deadline::{Deadline, DeadlineReason};

/// Limits of one kind; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Octets of payload: whole inner packets in tunnel mode, the upper layer in transport mode.
    pub bytes: Option<u64>,
    /// Number of packets, dummies included.
    pub packets: Option<u64>,
    /// Age of the SA, counted from its installation.
    pub time: Option<Duration>,
}

impl Limits {
    /// No limit of any kind.
    pub const NONE: Self = Self {
        bytes: None,
        packets: None,
        time: None,
    };
}

/// When an SA is to be replaced (soft) and when it must not be used any more (hard).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// Reaching one of these is reported once: time to rekey.
    pub soft: Limits,
    /// Beyond one of these limits, packets are refused.
    pub hard: Limits,
}

impl Lifetime {
    /// No limit of either kind: the SA lasts until it is removed.
    pub const UNLIMITED: Self = Self {
        soft: Limits::NONE,
        hard: Limits::NONE,
    };
}

/// The kind of limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The limit on octets of payload.
    Bytes,
    /// The limit on the number of packets.
    Packets,
    /// The limit on the age of the SA.
    Time,
    /// Sequence numbers: an eighth of them is left. Soft only; the hard end is
    /// [`SealError::SequenceExhausted`](crate::SealError::SequenceExhausted).
    Sequence,
}

/// What an SA has used of its lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// When the SA was installed, on the caller's clock.
    pub created: Duration,
    /// Octets of payload so far, counted as [`Limits::bytes`] says.
    pub bytes: u64,
    /// Number of packets so far, dummies included.
    pub packets: u64,
}

/// The lifetime of one SA and its use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    pub(crate) lifetime: Lifetime,
    pub(crate) usage: Usage,
    pub(crate) soft_reported: bool,
}

impl Meter {
    pub(crate) const fn new(lifetime: Lifetime, now: Duration) -> Self {
        let usage = Usage {
            created: now,
            bytes: 0,
            packets: 0,
        };
        Self {
            lifetime,
            usage,
            soft_reported: false,
        }
    }

    /// Whether one more packet with this many octets stays within the hard limits.
    pub(crate) fn admit(&self, octets: usize, now: Duration) -> Result<(), Limit> {
        match self.beyond(&self.lifetime.hard, octets, now) {
            Some(limit) => Err(limit),
            None => Ok(()),
        }
    }

    /// Counts a packet; the soft limit it reached, the first time only.
    pub(crate) fn count(&mut self, octets: usize, now: Duration) -> Option<Limit> {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        self.usage.bytes = self.usage.bytes.saturating_add(octets);
        self.usage.packets = self.usage.packets.saturating_add(1);
        self.soft(now)
    }

    /// Counts a packet that was given `sequence` of at most `last`; as [`count`](Self::count).
    pub(crate) fn count_sent(
        &mut self,
        octets: usize,
        sequence: u64,
        last: u64,
        now: Duration,
    ) -> Option<Limit> {
        if let Some(limit) = self.count(octets, now) {
            return Some(limit);
        }
        if self.soft_reported || sequence < last.saturating_sub(last / 8) {
            return None;
        }
        self.soft_reported = true;
        Some(Limit::Sequence)
    }

    /// The soft limit reached by `now`, the first time only.
    pub(crate) fn soft(&mut self, now: Duration) -> Option<Limit> {
        if self.soft_reported {
            return None;
        }
        let soft = self.lifetime.soft;
        let limit = if soft.bytes.is_some_and(|limit| self.usage.bytes >= limit) {
            Limit::Bytes
        } else if soft
            .packets
            .is_some_and(|limit| self.usage.packets >= limit)
        {
            Limit::Packets
        } else if soft.time.is_some_and(|limit| self.age(now) >= limit) {
            Limit::Time
        } else {
            return None;
        };
        self.soft_reported = true;
        Some(limit)
    }

    /// The next moment at which a time limit is reached.
    pub(crate) fn next_deadline(&self, now: Duration) -> Option<Deadline> {
        let soft = self.lifetime.soft.time.filter(|_| !self.soft_reported);
        let deadline = |(limit, why): (Option<Duration>, _)| {
            let at = self.usage.created.saturating_add(limit?);
            Some(Deadline { at, why })
        };
        [
            (soft, DeadlineReason::SoftLifetime),
            (self.lifetime.hard.time, DeadlineReason::HardLifetime),
        ]
        .into_iter()
        .filter_map(deadline)
        .filter(|deadline| deadline.at > now)
        .min()
    }

    /// Kilobytes and time left before the hard limits, as `show crypto ipsec sa` prints them.
    pub(crate) fn remaining(&self, now: Duration) -> (Option<u64>, Option<Duration>) {
        let hard = self.lifetime.hard;
        let kilobytes = hard
            .bytes
            .map(|limit| limit.saturating_sub(self.usage.bytes) / 1024);
        (
            kilobytes,
            hard.time.map(|limit| limit.saturating_sub(self.age(now))),
        )
    }

    fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.usage.created)
    }

    fn beyond(&self, limits: &Limits, octets: usize, now: Duration) -> Option<Limit> {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        let bytes = self.usage.bytes.saturating_add(octets);
        if limits.bytes.is_some_and(|limit| bytes > limit) {
            Some(Limit::Bytes)
        } else if limits
            .packets
            .is_some_and(|limit| self.usage.packets >= limit)
        {
            Some(Limit::Packets)
        } else if limits.time.is_some_and(|limit| self.age(now) >= limit) {
            Some(Limit::Time)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
