//! Message IDs, windows and retransmission: one manager for all exchanges of an IKE SA (RFC 7296
//! §2.1 to §2.3).
//!
//! Requests of ours wait here for their responses and are repeated byte for byte. Requests of the
//! peer are recognised by their hash before anything in them is parsed, and what answered them
//! answers them again. Each of them gets an answer, see [`Owed`].

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::Digest;
use isakmp_wire::registry::ExchangeType;
use rand_core::CryptoRng;

use crate::config::Retransmit;
use crate::core::allowance::Again;
use crate::core::retransmit::{Due, Pending};
use crate::model::Path;

mod owed;

pub(crate) use owed::{Owed, Settled};

/// From this message ID on an IKE SA wants new keys; at the last one it ends. IDs do not wrap (RFC
/// 7296 §2.2).
const REKEY_AT: u32 = 1 << 31;

/// One message as it goes out: a datagram, or its fragments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Datagrams {
    first: Bytes,
    more: Vec<Bytes>,
}

impl From<Bytes> for Datagrams {
    fn from(first: Bytes) -> Self {
        Self {
            first,
            more: Vec::new(),
        }
    }
}

impl Datagrams {
    /// The fragments of a message, in order; `None` for none.
    pub(crate) fn fragments(fragments: Vec<Bytes>) -> Option<Self> {
        let mut all = fragments.into_iter();
        let first = all.next()?;
        let more = all.collect();
        Some(Self { first, more })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Bytes> + Clone + '_ {
        core::iter::once(&self.first).chain(&self.more)
    }

    /// Octets of all of them.
    pub(crate) fn octets(&self) -> usize {
        self.iter().map(Bytes::len).sum()
    }
}

/// What a request is, seen from its message ID and its hash.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// New.
    Fresh,
    /// The same as before: its answer, or nothing while it is still worked on.
    Repeated(Option<Datagrams>),
    /// The message ID was used before with other octets.
    Conflicting,
    /// Too old to be answered again.
    Stale,
    /// Further ahead than the window that the peer has.
    Ahead,
}

/// What the time asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// A request goes out again.
    Resend(Datagrams),
    /// The request of this message ID was repeated often enough.
    GiveUp(u32),
}

/// Both directions of an IKE SA.
#[derive(Debug)]
pub(crate) struct Window {
    ours: Ours,
    theirs: Theirs,
}

/// Requests of ours.
#[derive(Debug)]
struct Ours {
    next: u32,
    /// How many the peer takes at once (SET_WINDOW_SIZE).
    size: u32,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    id: u32,
    patience: Retransmit,
    pending: Pending<Datagrams>,
}

/// Requests of the peer.
#[derive(Debug)]
struct Theirs {
    /// The lowest message ID that has not come.
    next: u32,
    /// How many we take at once.
    size: u32,
    /// The highest message ID that has come.
    highest: Option<u32>,
    /// The highest message ID that the peer has said it goes on with after a takeover.
    announced: Option<u32>,
    seen: Vec<Seen>,
}

/// A request of the peer: its message ID, its exchange, and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: u32,
    pub(crate) exchange: ExchangeType,
    pub(crate) path: Path,
}

#[derive(Debug)]
struct Seen {
    request: Request,
    fingerprint: Digest,
    answer: Option<Datagrams>,
    again: Again,
}

impl Window {
    /// A new IKE SA: message IDs begin at 0 on both sides, one request at a time.
    pub(crate) const fn new() -> Self {
        Self {
            ours: Ours {
                next: 0,
                size: 1,
                waiting: VecDeque::new(),
            },
            theirs: Theirs {
                next: 0,
                size: 1,
                highest: None,
                announced: None,
                seen: Vec::new(),
            },
        }
    }

    /// How many requests of the peer we have told it that we take at once.
    pub(crate) fn open(&mut self, size: u8) {
        self.theirs.size = u32::from(size).max(self.theirs.size);
    }

    /// The peer has told how many requests it takes at once. A window does not shrink.
    pub(crate) fn peer_takes(&mut self, size: u32, most: u32) {
        self.ours.size = size.min(most).max(self.ours.size);
    }

    /// What a request of the peer is. Changes nothing.
    pub(crate) fn classify(&self, id: u32, fingerprint: &Digest) -> Incoming {
        if let Some(seen) = self.theirs.seen.iter().find(|seen| seen.request.id == id) {
            return if seen.fingerprint == *fingerprint {
                Incoming::Repeated(seen.answer.clone())
            } else {
                Incoming::Conflicting
            };
        }
        if id < self.theirs.next {
            return Incoming::Stale;
        }
        // RFC 7296 §2.3: a peer does not go beyond the window of its oldest unanswered request.
        let open = self.theirs.seen.iter().filter(|seen| seen.answer.is_none());
        let oldest = open
            .map(|seen| seen.request.id)
            .fold(self.theirs.next, u32::min);
        if id.saturating_sub(oldest) >= self.theirs.size {
            return Incoming::Ahead;
        }
        Incoming::Fresh
    }

    /// Takes a request in, which is owed an answer from now on. Answers that left the window are
    /// forgotten.
    pub(crate) fn accept(&mut self, request: Request, fingerprint: Digest) -> Owed {
        let (id, theirs) = (request.id, &mut self.theirs);
        theirs.highest = theirs.highest.max(Some(id));
        let came = |theirs: &Theirs| {
            let next = theirs.next;
            next == id || theirs.seen.iter().any(|seen| seen.request.id == next)
        };
        while came(theirs) {
            let Some(next) = theirs.next.checked_add(1) else {
                break;
            };
            theirs.next = next;
        }
        let keep = theirs.next.saturating_sub(theirs.size);
        theirs
            .seen
            .retain(|seen| seen.request.id >= keep || seen.answer.is_none());
        // An idle SA keeps one answer and no room for more.
        theirs.seen.reserve_exact(1);
        theirs.seen.push(Seen {
            request,
            fingerprint,
            answer: None,
            again: Again::new(request.path),
        });
        Owed::new(request)
    }

    /// What answers a request, now and when it comes again.
    pub(crate) fn answer(&mut self, owed: Owed, answer: Datagrams) -> Settled {
        let id = owed.id();
        if let Some(seen) = self
            .theirs
            .seen
            .iter_mut()
            .find(|seen| seen.request.id == id)
        {
            seen.answer = Some(answer);
        }
        owed.answered()
    }

    /// How many requests have got no answer yet.
    pub(crate) fn unanswered(&self) -> usize {
        let seen = self.theirs.seen.iter();
        seen.filter(|seen| seen.answer.is_none()).count()
    }

    /// Whether a copy of this request that came by this path is answered although the peer is not
    /// authenticated.
    pub(crate) fn may_repeat(&mut self, id: u32, path: Path) -> bool {
        let mut seen = self.theirs.seen.iter_mut();
        let seen = seen.find(|seen| seen.request.id == id);
        seen.is_some_and(|seen| seen.again.take(path))
    }

    /// What has answered the request of this message ID, while it is kept.
    pub(crate) fn answer_to(&self, id: u32) -> Option<&Datagrams> {
        let seen = self.theirs.seen.iter().find(|seen| seen.request.id == id)?;
        seen.answer.as_ref()
    }

    /// Whether the peer takes another request of ours now.
    pub(crate) fn has_room(&self) -> bool {
        let oldest = self.ours.waiting.iter().map(|waiting| waiting.id).min();
        oldest.is_none_or(|oldest| self.ours.next.saturating_sub(oldest) < self.ours.size)
    }

    /// The message ID of our next request.
    pub(crate) const fn next_id(&self) -> u32 {
        self.ours.next
    }

    /// The request with the next message ID goes out.
    pub(crate) fn sent(
        &mut self,
        request: Datagrams,
        patience: &Retransmit,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) {
        let id = self.ours.next;
        self.ours.next = id.saturating_add(1);
        self.ours.waiting.push_back(Waiting {
            id,
            patience: *patience,
            pending: Pending::new(request, patience, now, rng),
        });
    }

    /// Another request takes the place of the one with this message ID, which was not taken in:
    /// IKE_SA_INIT with a cookie or another group.
    pub(crate) fn resent(
        &mut self,
        id: u32,
        request: Datagrams,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) {
        if let Some(waiting) = self.ours.waiting.iter_mut().find(|w| w.id == id) {
            waiting.pending = Pending::new(request, &waiting.patience, now, rng);
        }
    }

    /// The request with this message ID is repeated as often as at first.
    pub(crate) fn renew(
        &mut self,
        id: u32,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Option<Datagrams> {
        let waiting = self.ours.waiting.iter_mut().find(|w| w.id == id)?;
        let request = waiting.pending.message.clone();
        waiting.pending = Pending::new(request.clone(), &waiting.patience, now, rng);
        Some(request)
    }

    /// Whether a response with this message ID is waited for.
    pub(crate) fn awaits(&self, id: u32) -> bool {
        self.ours.waiting.iter().any(|waiting| waiting.id == id)
    }

    /// No request of ours waits any more; answers are kept.
    pub(crate) fn stop(&mut self) {
        self.ours.waiting.clear();
    }

    /// Whether a request of ours waits for its response.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.ours.waiting.is_empty()
    }

    /// Whether there are answers to repeat.
    pub(crate) fn has_answers(&self) -> bool {
        self.theirs.seen.iter().any(|seen| seen.answer.is_some())
    }

    /// The response to the request of this message ID has come.
    pub(crate) fn answered(&mut self, id: u32) {
        self.ours.waiting.retain(|waiting| waiting.id != id);
        if self.ours.waiting.is_empty() {
            // An idle SA keeps no room for them.
            self.ours.waiting = VecDeque::new();
        }
    }

    /// When a request goes out again or is given up.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let waiting = self.ours.waiting.iter();
        waiting.map(|waiting| waiting.pending.deadline()).min()
    }

    /// What `now` asks for.
    pub(crate) fn overdue(&mut self, now: Duration, rng: &mut dyn CryptoRng) -> Vec<Overdue> {
        let mut all = Vec::new();
        for waiting in &mut self.ours.waiting {
            match waiting.pending.due(&waiting.patience, now, rng) {
                Due::Wait => {}
                Due::Resend(request) => all.push(Overdue::Resend(request)),
                Due::GiveUp => all.push(Overdue::GiveUp(waiting.id)),
            }
        }
        all
    }

    /// The highest message ID that has come from the peer, or that it has said it goes on with.
    pub(crate) fn highest(&self) -> Option<u32> {
        self.theirs.highest.max(self.theirs.announced)
    }

    /// The message ID that the peer's next request is expected to have.
    pub(crate) const fn expected(&self) -> u32 {
        self.theirs.next
    }

    /// Our next request skips `count` message IDs; gives its own.
    pub(crate) const fn skip(&mut self, count: u32) -> u32 {
        self.ours.next = self.ours.next.saturating_add(count);
        self.ours.next
    }

    /// Our next request has at least the message ID `send`, the peer's at least `receive` and one
    /// more than any that has come; nothing goes back. What waits on either side waits no longer
    /// (RFC 6311 §9). Gives both.
    pub(crate) fn go_on_from(&mut self, send: u32, receive: u32) -> (u32, u32) {
        self.ours.waiting = VecDeque::new();
        self.ours.next = self.ours.next.max(send);
        let theirs = &mut self.theirs;
        let unused = theirs.highest.map_or(0, |id| id.saturating_add(1));
        theirs.next = theirs.next.max(receive).max(unused);
        theirs.seen = Vec::new();
        (self.ours.next, self.theirs.next)
    }

    /// The peer goes on with this message ID.
    pub(crate) fn announced(&mut self, id: u32) {
        self.theirs.announced = self.theirs.announced.max(Some(id));
    }

    /// Whether the message IDs of one side are nearly used up.
    pub(crate) fn wants_rekey(&self) -> bool {
        self.ours.next.max(self.theirs.next) >= REKEY_AT
    }

    /// Whether a side has no message ID left.
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.ours.next == u32::MAX || self.theirs.next == u32::MAX
    }
}

#[cfg(test)]
mod tests;
