//! Dead peer detection (RFC 3706) by traffic: a question is asked when the peer has been silent and
//! there is something to send, or after silence alone where the configuration says so.

use core::time::Duration;

use crate::config::{Dpd as Policy, DpdTimes};
use crate::context::Context;

/// Liveness of the peer of one ISAKMP SA.
#[derive(Debug)]
pub(crate) struct Dpd {
    policy: Policy,
    /// The peer has announced DPD (RFC 3706 §5.1: without that no questions).
    capable: bool,
    /// Our next sequence number.
    sequence: u32,
    /// The peer's last one.
    peer_sequence: Option<u32>,
    last_inbound: Duration,
    /// When a peer that cannot be asked was last tried with a new phase 1.
    tried: Duration,
    /// Something was sent since something came in.
    outbound: bool,
    /// An exchange went unanswered: ask without waiting for silence.
    suspected: Option<Duration>,
    round: Option<Round>,
}

/// Questions that are unanswered.
#[derive(Debug, Clone, Copy)]
struct Round {
    first: u32,
    asked: u8,
    next: Duration,
}

/// What the time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Send R-U-THERE with this sequence number.
    Ask {
        sequence: u32,
        silent: Duration,
        attempt: u8,
    },
    /// The peer does not speak DPD: a new phase 1 is the question that it must answer.
    AskByRekey,
    /// Nobody answers.
    Dead,
}

impl Dpd {
    pub(crate) fn new(ctx: &mut Context<'_>, policy: Policy, capable: bool) -> Self {
        Self {
            policy,
            capable,
            // RFC 3706 §6.2: random, high bit clear.
            sequence: u32::from_be_bytes(ctx.random()) >> 1,
            peer_sequence: None,
            last_inbound: ctx.now,
            tried: ctx.now,
            outbound: false,
            suspected: None,
            round: None,
        }
    }

    fn times(&self) -> Option<(DpdTimes, bool)> {
        match self.policy {
            Policy::OnTraffic(times) => Some((times, false)),
            Policy::Periodic(times) => Some((times, true)),
            _ => None,
        }
    }

    /// Whether the peer has announced DPD.
    pub(crate) const fn capable(&self) -> bool {
        self.capable
    }

    /// Whether a peer that cannot be asked has given no sign of life after `since`.
    pub(crate) fn is_silent_since(&self, since: Duration) -> bool {
        !self.capable && self.last_inbound <= since
    }

    pub(crate) const fn last_inbound(&self) -> Duration {
        self.last_inbound
    }

    /// A question is asked soon, or one is open. False when the peer does not answer any, or the
    /// configuration asks none.
    pub(crate) fn ask_soon(&mut self, now: Duration) -> bool {
        let able = self.capable && self.times().is_some();
        if able {
            self.suspect(now);
        }
        able
    }

    /// Something authenticated came in: the peer lives.
    pub(crate) fn heard(&mut self, now: Duration) {
        self.last_inbound = self.last_inbound.max(now);
        self.outbound = false;
        self.suspected = None;
        self.round = None;
    }

    /// A packet went out, or waits.
    pub(crate) fn sent(&mut self) {
        self.outbound = true;
    }

    /// An exchange went unanswered.
    pub(crate) fn suspect(&mut self, now: Duration) {
        if self.round.is_none() {
            self.suspected = Some(now.saturating_add(Duration::from_millis(1)));
        }
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        let (times, periodic) = self.times()?;
        if let Some(round) = self.round {
            return Some(round.next);
        }
        let silence = (periodic || self.outbound)
            .then(|| self.last_inbound.max(self.tried))
            .map(|last| last.saturating_add(floor(times.idle)));
        match (silence, self.suspected) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// What `now` asks for. Questions count as asked.
    pub(crate) fn due(&mut self, now: Duration) -> Due {
        let Some((times, _)) = self.times() else {
            return Due::Nothing;
        };
        if self.deadline().is_none_or(|at| now < at) {
            return Due::Nothing;
        }
        self.suspected = None;
        if !self.capable {
            // One attempt at a time: phase 1 has retransmissions and a verdict of its own.
            self.tried = now;
            return Due::AskByRekey;
        }
        let asked = self.round.map_or(0, |round| round.asked);
        if asked >= times.tries.max(1) {
            self.round = None;
            return Due::Dead;
        }
        let sequence = self.sequence;
        // RFC 3706 §6.2: the next one is one higher.
        self.sequence = self.sequence.wrapping_add(1);
        let attempt = asked.saturating_add(1);
        self.round = Some(Round {
            first: self.round.map_or(sequence, |round| round.first),
            asked: attempt,
            next: now.saturating_add(floor(times.retry)),
        });
        Due::Ask {
            sequence,
            silent: now.saturating_sub(self.last_inbound),
            attempt,
        }
    }

    /// Whether an acknowledgement answers a question that is open.
    pub(crate) fn expects(&self, sequence: u32) -> bool {
        self.round
            .is_some_and(|round| sequence.wrapping_sub(round.first) < u32::from(round.asked))
    }

    /// Whether the peer may ask with this sequence number: not lower than before (RFC 3706 §6.2).
    pub(crate) fn accepts(&self, sequence: u32) -> bool {
        self.peer_sequence
            .is_none_or(|last| sequence.wrapping_sub(last) < 1 << 31)
    }

    /// The peer has asked with this sequence number.
    pub(crate) fn asked(&mut self, sequence: u32) {
        self.peer_sequence = Some(sequence);
    }
}

/// An interval of zero would ask without end.
fn floor(interval: Duration) -> Duration {
    interval.max(Duration::from_millis(100))
}
