//! Packets that wait for a pair of IPsec SAs, so that the first one is not lost.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use esp::Flow;

use crate::config::HoldLimits;

/// A bounded queue for all policies together. The oldest packet makes room.
#[derive(Debug)]
pub(crate) struct Hold {
    packets: VecDeque<Held>,
    limits: HoldLimits,
    dropped: u64,
}

#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) flow: Flow,
    /// Place of the policy that it waits for.
    pub(crate) policy: usize,
    since: Duration,
    pub(crate) packet: Vec<u8>,
}

impl Hold {
    pub(crate) const fn new(limits: HoldLimits) -> Self {
        Self {
            packets: VecDeque::new(),
            limits,
            dropped: 0,
        }
    }

    /// Keeps `packet`.
    pub(crate) fn push(&mut self, policy: usize, flow: Flow, packet: &[u8], now: Duration) {
        if self.limits.packets == 0 {
            self.count(1);
            return;
        }
        if self.packets.len() >= self.limits.packets {
            self.packets.pop_front();
            self.count(1);
        }
        self.packets.push_back(Held {
            flow,
            policy,
            since: now,
            packet: packet.into(),
        });
    }

    /// Takes the packets that `takes` wants, the oldest first.
    pub(crate) fn release(&mut self, takes: impl Fn(&Held) -> bool) -> VecDeque<Held> {
        let (taken, kept) = self.packets.drain(..).partition(takes);
        self.packets = kept;
        taken
    }

    /// The oldest packet that `is` wants.
    pub(crate) fn find(&self, is: impl Fn(&Held) -> bool) -> Option<&Held> {
        self.packets.iter().find(|held| is(held))
    }

    /// Drops the packets that `goes` wants.
    pub(crate) fn forget(&mut self, goes: impl Fn(&Held) -> bool) {
        let before = self.packets.len();
        self.packets.retain(|held| !goes(held));
        self.count(before.saturating_sub(self.packets.len()));
    }

    /// Drops what has waited too long.
    pub(crate) fn expire(&mut self, now: Duration) {
        let before = self.packets.len();
        let longest = self.limits.time;
        self.packets
            .retain(|held| now.saturating_sub(held.since) < longest);
        self.count(before.saturating_sub(self.packets.len()));
    }

    /// When the oldest packet expires.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let oldest = self.packets.front()?;
        Some(oldest.since.saturating_add(self.limits.time))
    }

    pub(crate) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Counts packets that waited in vain.
    pub(crate) fn count(&mut self, dropped: usize) {
        let dropped = u64::try_from(dropped).unwrap_or(u64::MAX);
        self.dropped = self.dropped.saturating_add(dropped);
    }
}

#[cfg(test)]
mod tests;
