//! Packets that wait for their tunnel to come up, so that the first one is not lost.

use std::{collections::VecDeque, time::Duration};

/// A bounded queue for all tunnels together. The oldest packet makes room.
#[derive(Debug)]
pub struct Hold<K> {
    packets: VecDeque<Held<K>>,
    limit: usize,
    /// Longest stay.
    patience: Duration,
    dropped: u64,
}

#[derive(Debug)]
struct Held<K> {
    tunnel: K,
    since: Duration,
    packet: Vec<u8>,
}

impl<K: Copy + Eq> Hold<K> {
    /// Room for `limit` packets, each for at most `patience`.
    #[must_use]
    pub const fn new(limit: usize, patience: Duration) -> Self {
        Self {
            packets: VecDeque::new(),
            limit,
            patience,
            dropped: 0,
        }
    }

    /// Keeps `packet` for `tunnel`.
    pub fn push(&mut self, tunnel: K, packet: &[u8], now: Duration) {
        if self.limit == 0 {
            self.dropped += 1;
            return;
        }
        if self.packets.len() >= self.limit {
            self.packets.pop_front();
            self.dropped += 1;
        }
        self.packets.push_back(Held {
            tunnel,
            since: now,
            packet: packet.into(),
        });
    }

    /// Takes the packets of `tunnel`, the oldest first.
    pub fn release(&mut self, tunnel: K) -> Vec<Vec<u8>> {
        let (taken, kept) = self
            .packets
            .drain(..)
            .partition(|held| held.tunnel == tunnel);
        self.packets = kept;
        let taken: VecDeque<Held<K>> = taken;
        taken.into_iter().map(|held| held.packet).collect()
    }

    /// Drops the packets of a tunnel that will not come up.
    pub fn forget(&mut self, tunnel: K) {
        let before = self.packets.len();
        self.packets.retain(|held| held.tunnel != tunnel);
        self.count_dropped(before);
    }

    /// Drops what has waited too long.
    pub fn expire(&mut self, now: Duration) {
        let before = self.packets.len();
        let patience = self.patience;
        self.packets
            .retain(|held| now.saturating_sub(held.since) < patience);
        self.count_dropped(before);
    }

    /// When the oldest packet expires.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.packets.front().map(|held| held.since + self.patience)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// How many were dropped so far.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn count_dropped(&mut self, before: usize) {
        self.dropped += u64::try_from(before - self.packets.len()).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn each_tunnel_gets_its_packets_in_order() {
        let mut hold = Hold::new(10, PATIENCE);
        for (tunnel, byte) in [('a', 1), ('b', 2), ('a', 3)] {
            hold.push(tunnel, &[byte], Duration::ZERO);
        }
        assert_eq!(hold.release('a'), [[1], [3]]);
        assert_eq!(hold.release('a'), [[0u8; 0]; 0]);
        hold.forget('b');
        assert!(hold.is_empty());
        assert_eq!(hold.dropped(), 1);
    }

    #[test]
    fn a_flood_of_packets_leaves_memory_flat() {
        let mut hold = Hold::new(4, PATIENCE);
        for n in 0..100u8 {
            hold.push((), &[n], Duration::ZERO);
        }
        assert_eq!((hold.len(), hold.dropped()), (4, 96));
        assert_eq!(hold.release(()), [[96], [97], [98], [99]]);
    }

    #[test]
    fn a_packet_does_not_wait_for_ever() {
        let mut hold = Hold::new(4, PATIENCE);
        hold.push((), &[1], Duration::from_secs(1));
        hold.push((), &[2], Duration::from_secs(2));
        assert_eq!(hold.next_deadline(), Some(Duration::from_secs(31)));
        hold.expire(Duration::from_secs(31));
        assert_eq!(hold.release(()), [[2]]);
    }
}
