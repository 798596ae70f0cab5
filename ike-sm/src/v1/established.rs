//! An ISAKMP SA after phase 1: keys, the exchanges that run under it, its lifetime.

mod exchanges;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::Digest;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v1::Message;

use crate::config::Schedule;
use crate::context::Context;
use crate::core::effects::Effect;
use crate::core::retransmit::Answered;
use crate::core::timers::{Deadline, DeadlineReason, deadline, earliest};
use crate::model::{DropReason, Outcome, Path, Role};
use crate::v1::agreed::Agreed;
use crate::v1::dpd::Dpd;
use crate::v1::informational;
use crate::v1::phase1::Frame;

pub(crate) use exchanges::Exchange;

/// When a rekey that has led to nothing is tried again.
const REKEY_RETRY: Duration = Duration::from_secs(30);
/// How long a replaced SA is kept for messages on their way.
const DRAIN: Duration = Duration::from_secs(10);
/// The same on the side that did not start its replacement.
const DRAIN_PASSIVE: Duration = Duration::from_secs(60);

/// An ISAKMP SA after phase 1.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) agreed: Box<Agreed>,
    pub(crate) since: Duration,
    pub(crate) schedule: Schedule,
    /// Boxed: a node of the tree has room for eleven, an idle SA has one or none.
    pub(crate) exchanges: BTreeMap<u32, Box<Exchange>>,
    pub(crate) seen: SeenIds,
    /// The last informational message and our answer to it.
    informed: Answered,
    pub(crate) dpd: Dpd,
    pub(crate) keepalive: Option<nat_t::Keepalive>,
    /// The last message of phase 1, as long as the peer has not shown that it has it: it goes along
    /// with whatever is repeated under the SA (aggressive mode: nobody answers its last message), and
    /// no older SA gives way to this one before.
    pub(crate) unconfirmed: Option<Bytes>,
    /// Another SA has taken over.
    pub(crate) replaced: bool,
    rekey_at: Option<Duration>,
    expire_at: Option<Duration>,
    drain_at: Option<Duration>,
}

/// Message ids that have been used: none may come again (RFC 2409 §5.7, RFC 2408 §3.1).
#[derive(Debug, Default)]
pub(crate) struct SeenIds(VecDeque<u32>);

impl SeenIds {
    pub(crate) fn contains(&self, id: u32) -> bool {
        self.0.contains(&id)
    }

    /// Remembers an id. True when there are `most` of them: time for new keys, under which all ids
    /// are fresh. There is room for as many again, for what comes before the old keys have ended.
    pub(crate) fn insert(&mut self, id: u32, most: usize) -> bool {
        let most = most.max(1);
        if self.0.len() >= most.saturating_mul(2) {
            self.0.pop_front();
        }
        self.0.push_back(id);
        self.0.len() == most
    }
}

impl Established {
    pub(crate) fn new(
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        role: Role,
        path: Path,
        agreed: Box<Agreed>,
    ) -> Self {
        let now = ctx.now;
        let random = u32::from_be_bytes(ctx.random());
        let schedule =
            frame
                .peer
                .margin
                .schedule(agreed.suite.lifetime, role == Role::Initiator, random);
        let mut keepalive = None;
        if let Some(interval) = frame.peer.nat_traversal.keepalive
            && path.natt
            && agreed.nat.verdict.sends_keepalives()
        {
            let mut timer = nat_t::Keepalive::new(interval);
            timer.start(now);
            keepalive = Some(timer);
        }
        let dpd = Dpd::new(ctx, frame.peer.dpd, agreed.vendor.dpd);
        Self {
            since: now,
            rekey_at: Some(now.saturating_add(schedule.soft)),
            expire_at: Some(now.saturating_add(schedule.hard)),
            drain_at: None,
            replaced: false,
            unconfirmed: None,
            schedule,
            exchanges: BTreeMap::new(),
            seen: SeenIds::default(),
            informed: Answered::default(),
            dpd,
            keepalive,
            agreed,
        }
    }

    /// A message id that neither side has used under this SA.
    pub(crate) fn fresh_message_id(&self, ctx: &mut Context<'_>) -> Result<u32, DropReason> {
        for _ in 0..16 {
            let id = u32::from_be_bytes(ctx.random());
            if id != 0 && !self.exchanges.contains_key(&id) && !self.seen.contains(id) {
                return Ok(id);
            }
        }
        Err(DropReason::Crypto)
    }

    /// Another SA has taken over. `ours` says that it is on us to delete this one.
    pub(crate) fn retire(&mut self, now: Duration, ours: bool) {
        if !self.replaced {
            self.replaced = true;
            self.rekey_at = None;
            self.drain_at = Some(now.saturating_add(if ours { DRAIN } else { DRAIN_PASSIVE }));
        }
    }

    /// The SA that had replaced this one is gone.
    pub(crate) fn reinstate(&mut self, now: Duration) {
        if self.replaced {
            self.replaced = false;
            self.drain_at = None;
            self.rekey_at = Some(now.saturating_add(REKEY_RETRY));
        }
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let mut first = [
            (self.rekey_at, DeadlineReason::IkeRekey),
            (self.expire_at, DeadlineReason::IkeExpiry),
            (self.drain_at, DeadlineReason::IkeDrain),
            (self.dpd.deadline(), DeadlineReason::Dpd),
            (
                self.keepalive
                    .as_ref()
                    .and_then(nat_t::Keepalive::next_deadline)
                    .map(|due| due.at),
                DeadlineReason::NatKeepalive,
            ),
        ]
        .into_iter()
        .fold(None, |first, (at, why)| earliest(first, deadline(at, why)));
        for exchange in self.exchanges.values() {
            first = earliest(first, exchange.deadline());
        }
        first
    }

    /// Takes in a message under this SA.
    pub(crate) fn receive(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
        fingerprint: Digest,
    ) -> Result<Outcome, DropReason> {
        let id = message.header.message_id;
        if message.encrypted().is_none() {
            return Err(informational::refuse_clear(ctx, frame, message));
        }
        match message.header.exchange_type {
            _ if id == 0 => Err(DropReason::Stale),
            ExchangeType::QUICK_MODE => self.receive_quick(ctx, frame, message, id, fingerprint),
            ExchangeType::INFORMATIONAL => {
                if self.informed.is(&fingerprint) {
                    // The answer was lost: a DPD question comes again.
                    if let Some(answer) = self.informed.answer.clone() {
                        ctx.send(frame.home, &answer);
                    }
                    return Ok(Outcome::Repeated);
                }
                if self.seen.contains(id) || self.exchanges.contains_key(&id) {
                    return Err(DropReason::ReplayedMessageId(id));
                }
                let answer = informational::receive(self, ctx, frame, message)?;
                self.informed = Answered::new(fingerprint, answer);
                self.remember(ctx, frame, id);
                Ok(Outcome::Handled)
            }
            other => Err(DropReason::UnexpectedExchange(other)),
        }
    }

    /// Remembers an id that either side has used. The keys know no direction: our own message,
    /// sent back to us, would pass for one of the peer.
    pub(crate) fn remember(&mut self, ctx: &mut Context<'_>, frame: &Frame<'_>, id: u32) {
        if self
            .seen
            .insert(id, ctx.config.limits.message_ids_per_ike_sa)
            && !self.replaced
        {
            ctx.effect(Effect::RekeyIke(frame.ike));
        }
    }

    /// What the lifetime of the SA asks for at `now`.
    pub(crate) fn lifetime_due(&mut self, now: Duration) -> Option<LifetimeDue> {
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        if due(self.expire_at) {
            self.expire_at = None;
            Some(LifetimeDue::Expire)
        } else if due(self.drain_at) {
            self.drain_at = None;
            Some(LifetimeDue::Drained)
        } else if due(self.rekey_at) {
            self.rekey_at = Some(now.saturating_add(REKEY_RETRY));
            Some(LifetimeDue::Rekey)
        } else {
            None
        }
    }

    /// Sends something that wants no answer.
    pub(crate) fn sent(&mut self, now: Duration) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.outbound(now);
        }
    }
}

/// What the lifetime of an SA asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LifetimeDue {
    Rekey,
    Expire,
    Drained,
}
