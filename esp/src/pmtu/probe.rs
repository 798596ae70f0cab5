//! Probes of ours, for claims that show nothing of an SA.
//!
//! A router may quote no more of ESP in UDP than the UDP header (RFC 792), and anyone can write the two ports. Such a
//! claim is not believed (RFC 5927 §7): dummy packets go out with Don't Fragment, of lengths that cannot be foreseen,
//! longer than what is claimed to fit. A router that is there complains about each, and its quotes have those lengths in
//! their UDP headers.

use core::time::Duration;

use rand_core::CryptoRng;

use super::{PathMtu, PathMtuChanged};
use crate::Overhead;

/// The number of probe packets of one round, at most.
pub const PROBES: usize = 4;
/// After this time an unanswered probe goes out again: routers limit their answers, and the packets
/// that led to the claim have used some up.
const REPEAT: Duration = Duration::from_secs(1);
/// How often an unanswered probe is sent in all.
const ATTEMPTS: u8 = 4;
/// Quotes of packets that were no probes, up to which a round goes on.
const WRONG: u8 = 3;
/// Time from the beginning of a round to the next; it doubles up to the ageing time.
pub(super) const FIRST_WAIT: Duration = Duration::from_secs(10);

/// What a claim led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Claimed {
    /// The claim changes nothing: it says nothing new, or the last round was not long ago.
    Ignored,
    /// A round of probes, now or already under way: see [`PathMtu::probes`].
    Probing,
    /// Every probe was complained about: the claim is true.
    Learned(PathMtuChanged),
    /// The claims quoted packets that were not sent. The round is over.
    Refuted,
}

/// The probes of one round, and what was said about them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// The MTU that the claim says.
    mtu: u16,
    /// UDP length of the packet that the first claim quoted: more such packets may be under way.
    first: u16,
    probes: [Option<Probe>; PROBES],
    /// When the unanswered ones go out next, or the round ends.
    pub(super) next: Duration,
    attempts: u8,
    wrong: u8,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    payload: usize,
    /// The length in the UDP header of the probe.
    length: usize,
    answered: bool,
}

/// When rounds may begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    not_before: Duration,
    wait: Duration,
}

impl Pace {
    pub(super) const START: Self = Self {
        not_before: Duration::ZERO,
        wait: FIRST_WAIT,
    };

    /// Whether a round may begin; if so, it counts.
    fn admit(&mut self, now: Duration, ageing: Duration) -> bool {
        if now < self.not_before {
            return false;
        }
        if now >= self.not_before.saturating_add(ageing) {
            self.wait = FIRST_WAIT;
        }
        self.not_before = now.saturating_add(self.wait);
        self.wait = self.wait.saturating_mul(2).min(ageing);
        true
    }
}

impl Round {
    /// Draws the probes: packets of different lengths above `mtu` that `most` admits.
    fn draw(
        (mtu, most): (u16, u16),
        first: u16,
        overhead: &Overhead,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Option<Self> {
        let lengths = overhead.dummies(usize::from(mtu), usize::from(most))?;
        let mut taken: [Option<usize>; PROBES] = [None; PROBES];
        let mut probes = [None; PROBES];
        for (at, slot) in probes.iter_mut().enumerate() {
            let Some(left) = lengths.count.checked_sub(at).filter(|left| *left > 0) else {
                break;
            };
            let random = usize::try_from(rng.next_u32()).unwrap_or_default();
            let mut nth = random.checked_rem(left).unwrap_or_default();
            // The nth of those that are left. `taken` is in order.
            for before in taken.iter().flatten() {
                nth = nth.saturating_add(usize::from(*before <= nth));
            }
            let payload = lengths.payload(nth);
            *slot = Some(Probe {
                payload,
                length: overhead.udp_datagram(payload),
                answered: false,
            });
            if let Some(free) = taken.iter_mut().find(|slot| slot.is_none()) {
                *free = Some(nth);
            }
            taken.sort_unstable_by_key(|slot| slot.unwrap_or(usize::MAX));
        }
        Some(Self {
            mtu,
            first,
            probes,
            next: now,
            attempts: 0,
            wrong: 0,
        })
    }

    /// What another claim says of it: whether all probes are answered; none if it is refuted.
    fn judge(&mut self, mtu: u16, length: u16) -> Option<bool> {
        let sent = |probe: &&mut Probe| probe.length == usize::from(length);
        let probe = self.probes.iter_mut().flatten().find(sent);
        match probe {
            Some(probe) if mtu == self.mtu => probe.answered = true,
            None if mtu == self.mtu && length == self.first => {}
            _ => {
                self.wrong = self.wrong.saturating_add(1);
                if self.wrong >= WRONG {
                    return None;
                }
            }
        }
        Some(self.probes.iter().flatten().all(|probe| probe.answered))
    }
}

impl PathMtu {
    /// Takes a claim that [`Evidence::Claim`](super::Evidence::Claim) rests on: the MTU, and the length in the quoted UDP
    /// header. It lowers nothing but starts a round of probes with what `overhead` adds, of lengths that are drawn from
    /// `rng` then, at most one round for a time that grows; or it is the complaint about one of them. When every probe
    /// was complained about, the path MTU is lowered, once until that has aged.
    pub fn claim(
        &mut self,
        (mtu, length): (u16, u16),
        overhead: &Overhead,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Claimed {
        let mtu = mtu.max(self.floor);
        if let Some(round) = &mut self.round {
            return match round.judge(mtu, length) {
                None => {
                    self.round = None;
                    Claimed::Refuted
                }
                Some(false) => Claimed::Probing,
                Some(true) => {
                    let mtu = round.mtu;
                    let changed = self.learn(mtu, now);
                    self.by_claim = changed.is_some();
                    changed.map_or(Claimed::Ignored, Claimed::Learned)
                }
            };
        }
        // A forger who guesses right, one small step at a time, gets one step.
        if mtu >= self.mtu() || self.by_claim || !self.pace.admit(now, self.ageing) {
            return Claimed::Ignored;
        }
        self.round = Round::draw((mtu, self.mtu()), length, overhead, now, rng);
        // Where no packet of ours has a length in between, the claim changes nothing.
        self.round.map_or(Claimed::Ignored, |_| Claimed::Probing)
    }

    /// The payloads, in octets, of the dummy packets to send now: with Don't Fragment, through the SA that was claimed to
    /// send packets too big.
    pub fn probes(&mut self, now: Duration) -> impl Iterator<Item = usize> + use<> {
        let due = self.round.as_mut().filter(|round| round.next <= now);
        let mut due_probes = [None; PROBES];
        if let Some(round) = due {
            if round.attempts >= ATTEMPTS {
                // No router complains: the claim was not true.
                self.round = None;
            } else {
                round.attempts = round.attempts.saturating_add(1);
                round.next = now.saturating_add(REPEAT);
                due_probes = round.probes;
            }
        }
        let waits = |probe: Probe| (!probe.answered).then_some(probe.payload);
        due_probes.into_iter().flatten().filter_map(waits)
    }
}
