//! Deadlines: what each object waits for, and one queue over all of them.
//!
//! An SA has a small fixed table of timers; the endpoint keeps the earliest of each SA in an
//! ordered set, so that the next deadline of ten thousand SAs costs a look at its first entry.

use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;
use core::time::Duration;

/// When to call [`Endpoint::handle`](crate::Endpoint::handle) with
/// [`Event::Deadline`](crate::Event::Deadline), and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// The time, on the caller's clock.
    pub at: Duration,
    /// What stands behind it.
    pub why: DeadlineReason,
}

/// Why a deadline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeadlineReason {
    /// A message of ours is unanswered and will be repeated, or given up.
    Retransmit,
    /// A negotiation of a peer that has proved nothing yet is forgotten.
    HalfOpen,
    /// A question to the embedder is given up.
    Question,
    /// Fragments of a message are given up (RFC 7383 §2.6).
    Fragments,
    /// The IKE SA is due for a rekey.
    IkeRekey,
    /// The peers have to authenticate anew.
    Reauthentication,
    /// The IKE SA ends.
    IkeExpiry,
    /// A replaced IKE SA is deleted.
    IkeDrain,
    /// The peer has been silent, and a DPD question is due or unanswered.
    Dpd,
    /// The NAT must see a packet.
    NatKeepalive,
    /// Packets go out on a new pair of IPsec SAs although nothing has come in on it.
    ChildSwitch,
    /// The pair of IPsec SAs is due for a rekey.
    ChildRekey,
    /// The pair of IPsec SAs ends.
    ChildExpiry,
    /// A replaced pair of IPsec SAs is deleted.
    ChildDrain,
    /// The pair of IPsec SAs has had no traffic.
    ChildIdle,
    /// The next attempt at a peer that did not answer.
    Reconnect,
    /// An answer kept for repeated messages is forgotten.
    Forget,
}

impl fmt::Display for DeadlineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retransmit => "retransmission",
            Self::HalfOpen => "half-open negotiation",
            Self::Question => "open question",
            Self::Fragments => "missing fragments",
            Self::IkeRekey => "IKE SA rekey",
            Self::Reauthentication => "new authentication",
            Self::IkeExpiry => "IKE SA expiry",
            Self::IkeDrain => "replaced IKE SA",
            Self::Dpd => "dead peer detection",
            Self::NatKeepalive => "NAT keepalive",
            Self::ChildSwitch => "new IPsec SA",
            Self::ChildRekey => "IPsec SA rekey",
            Self::ChildExpiry => "IPsec SA expiry",
            Self::ChildDrain => "replaced IPsec SA",
            Self::ChildIdle => "idle IPsec SA",
            Self::Reconnect => "next attempt",
            Self::Forget => "kept answer",
        })
    }
}

/// The earlier of two deadlines, either of which may be missing.
pub(crate) fn earliest(a: Option<Deadline>, b: Option<Deadline>) -> Option<Deadline> {
    match (a, b) {
        (Some(a), Some(b)) if (b.at, b.why) < (a.at, a.why) => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}

/// A deadline that may be missing.
pub(crate) fn deadline(at: Option<Duration>, why: DeadlineReason) -> Option<Deadline> {
    at.map(|at| Deadline { at, why })
}

/// The earliest deadline of each object, ordered by time.
#[derive(Debug)]
pub(crate) struct TimerQueue<K> {
    order: BTreeSet<(Duration, K)>,
    current: BTreeMap<K, Deadline>,
}

impl<K> Default for TimerQueue<K> {
    fn default() -> Self {
        Self {
            order: BTreeSet::new(),
            current: BTreeMap::new(),
        }
    }
}

impl<K: Copy + Ord> TimerQueue<K> {
    /// Notes the earliest deadline of `key`, in place of the one before.
    pub(crate) fn set(&mut self, key: K, deadline: Option<Deadline>) {
        if let Some(old) = self.current.remove(&key) {
            self.order.remove(&(old.at, key));
        }
        if let Some(new) = deadline {
            self.order.insert((new.at, key));
            self.current.insert(key, new);
        }
    }

    /// The earliest of all.
    pub(crate) fn first(&self) -> Option<Deadline> {
        let (_, key) = self.order.first()?;
        self.current.get(key).copied()
    }

    /// The objects that have a deadline.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> + '_ {
        self.current.keys()
    }

    /// The objects whose deadline has come, earliest first.
    pub(crate) fn due(&self, now: Duration) -> impl Iterator<Item = K> + '_ {
        self.order
            .iter()
            .take_while(move |(at, _)| *at <= now)
            .map(|(_, key)| *key)
    }
}

#[cfg(test)]
mod tests;
