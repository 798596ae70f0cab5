//! The quick modes under an ISAKMP SA: begun, answered, repeated, ended.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::Digest;
use isakmp_wire::v1::{Message, NotifyType};

use super::Established;
use crate::child::{self, TrafficOf};
use crate::context::Context;
use crate::core::effects::Effect;
use crate::core::questions::Place;
use crate::core::retransmit::{Answered, Due, Pending};
use crate::core::timers::{Deadline, DeadlineReason};
use crate::event::{Answer, Question, Transition, What};
use crate::model::{ChildId, CloseReason, DropReason, ExchangeState, Input, Outcome, Ticket};
use crate::v1::informational;
use crate::v1::phase1::Frame;
use crate::v1::quick::{self, Quick};

/// One exchange under the SA, by its message id.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Where it is; `None` once it is done.
    pub(crate) quick: Option<Quick>,
    /// The child it negotiates.
    pub(crate) child: Option<ChildId>,
    /// The peer's last message and our answer to it.
    pub(crate) answered: Answered,
    /// Our message that waits for an answer.
    pub(crate) pending: Option<Pending>,
    /// The question that is open.
    pub(crate) ticket: Option<Ticket>,
    /// When the exchange, or the memory of it, ends.
    pub(crate) ends_at: Duration,
    /// Where it is, in the field's words.
    state: ExchangeState,
    /// Whether we started it.
    ours: bool,
    /// What we want of it, if we did.
    wanted: Option<quick::Wanted>,
}

/// Whether a peer that has ended a quick mode of ours so may take another key exchange. Some say
/// nothing at all when nothing of an offer suits them.
fn may_want_otherwise(reason: CloseReason) -> bool {
    let refused = CloseReason::RefusedByPeer(NotifyType::NO_PROPOSAL_CHOSEN.0);
    reason == CloseReason::Timeout || reason == refused
}

/// A quick mode of ours has led to no child.
fn came_to_nothing(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    wanted: &quick::Wanted,
    reason: CloseReason,
) {
    match wanted.replaces {
        Some(old) => {
            child::rekey_failed(ctx, old);
            // It may have gone meanwhile, and this was to come in its place.
            ctx.effect(Effect::Pursue(frame.index));
        }
        None => ctx.effect(Effect::NotUp(frame.index, wanted.config, reason)),
    }
}

impl Exchange {
    fn new(now: Duration, answered: Answered, ours: bool) -> Self {
        Self {
            quick: None,
            child: None,
            answered,
            pending: None,
            ticket: None,
            ends_at: now,
            state: ExchangeState::QmReady,
            ours,
            wanted: None,
        }
    }

    fn finish(&mut self, ctx: &Context<'_>, now: Duration) {
        self.pending = None;
        self.ticket = None;
        self.ends_at = now.saturating_add(ctx.config.limits.answer_time);
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        Some(match (&self.pending, &self.quick) {
            (Some(pending), _) => Deadline {
                at: pending.deadline(),
                why: DeadlineReason::Retransmit,
            },
            (None, Some(_)) => Deadline {
                at: self.ends_at,
                why: DeadlineReason::Question,
            },
            (None, None) => Deadline {
                at: self.ends_at,
                why: DeadlineReason::Forget,
            },
        })
    }
}

impl Established {
    pub(super) fn receive_quick(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
        id: u32,
        fingerprint: Digest,
    ) -> Result<Outcome, DropReason> {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            if self.seen.contains(id) {
                return Err(DropReason::ReplayedMessageId(id));
            }
            self.answer_quick(ctx, frame, message, id, fingerprint)?;
            self.remember(ctx, frame, id);
            return Ok(Outcome::Handled);
        };
        if exchange.answered.is(&fingerprint) {
            if let Some(answer) = exchange.answered.answer.clone() {
                // Nothing proves where a copy of an old message comes from.
                ctx.send(frame.home, &answer);
            }
            return Ok(Outcome::Repeated);
        }
        let Some(quick) = exchange.quick.take() else {
            return Err(DropReason::Stale);
        };
        match quick.receive(ctx, frame, &self.agreed, message) {
            Ok(progress) => {
                exchange.answered = Answered::new(fingerprint, None);
                exchange.pending = None;
                self.advance(ctx, frame, id, progress);
                Ok(Outcome::Handled)
            }
            Err(refused) => {
                let (quick, reason) = *refused;
                exchange.quick = Some(quick);
                Err(reason)
            }
        }
    }

    /// The peer starts a quick mode.
    fn answer_quick(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
        id: u32,
        fingerprint: Digest,
    ) -> Result<(), DropReason> {
        let running = self
            .exchanges
            .values()
            .filter(|e| e.quick.is_some())
            .count();
        if running >= ctx.config.limits.exchanges_per_ike_sa {
            return Err(DropReason::Limit("exchanges of one IKE SA"));
        }
        let progress = quick::receive_first(ctx, frame, &self.agreed, message)?;
        self.make_room(ctx);
        let exchange = Exchange::new(ctx.now, Answered::new(fingerprint, None), false);
        self.exchanges.insert(id, Box::new(exchange));
        ctx.note(Some(frame.ike), What::ExchangeBegan { message_id: id });
        self.advance(ctx, frame, id, progress);
        Ok(())
    }

    /// Starts a quick mode of our own.
    pub(crate) fn start_quick(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        wanted: quick::Wanted,
    ) -> Result<(), DropReason> {
        let id = self.fresh_message_id(ctx)?;
        let progress = quick::start(ctx, frame, &self.agreed, id, wanted)?;
        self.remember(ctx, frame, id);
        self.make_room(ctx);
        let mut exchange = Exchange::new(ctx.now, Answered::default(), true);
        exchange.wanted = Some(wanted);
        self.exchanges.insert(id, Box::new(exchange));
        ctx.note(Some(frame.ike), What::ExchangeBegan { message_id: id });
        self.advance(ctx, frame, id, progress);
        Ok(())
    }

    /// Forgets the oldest finished exchange when there are many.
    fn make_room(&mut self, ctx: &Context<'_>) {
        let most = ctx.config.limits.exchanges_per_ike_sa.saturating_mul(4);
        while self.exchanges.len() >= most.max(1) {
            let done = self.exchanges.iter().filter(|(_, e)| e.quick.is_none());
            let Some(id) = done.min_by_key(|(_, e)| e.ends_at).map(|(id, _)| *id) else {
                return;
            };
            self.exchanges.remove(&id);
        }
    }

    /// An answer to a question of an exchange.
    pub(crate) fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        id: u32,
        ticket: Ticket,
        answer: Answer,
    ) -> Result<(), DropReason> {
        let Some(exchange) = self
            .exchanges
            .get_mut(&id)
            .filter(|e| e.ticket == Some(ticket))
        else {
            return Err(DropReason::UnknownTicket);
        };
        let Some(quick) = exchange.quick.take() else {
            return Err(DropReason::UnknownTicket);
        };
        match quick.answer(ctx, frame, &self.agreed, id, answer) {
            Ok(progress) => {
                exchange.ticket = None;
                self.advance(ctx, frame, id, progress);
                Ok(())
            }
            Err(refused) => {
                let (quick, reason) = *refused;
                exchange.quick = Some(quick);
                Err(reason)
            }
        }
    }

    fn advance(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        id: u32,
        progress: quick::Progress,
    ) {
        let now = ctx.now;
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        let from = exchange.state;
        let to = match &progress {
            quick::Progress::Ask { question, .. } => match question {
                Question::AllocateSpi { .. } => ExchangeState::QmSpiStarve,
                _ => from,
            },
            quick::Progress::Send { .. } if exchange.ours => ExchangeState::QmInitiator1,
            quick::Progress::Send { .. } => ExchangeState::QmResponder2,
            quick::Progress::Done { .. } => ExchangeState::QmComplete,
            quick::Progress::Refuse { .. }
            | quick::Progress::Fail { .. }
            | quick::Progress::Reject(..) => ExchangeState::QmFailed,
        };
        exchange.state = to;
        let input = match (from, to) {
            (_, ExchangeState::QmFailed) => Input::ProcessError,
            (ExchangeState::QmSpiStarve, _) => Input::SpiReply,
            (ExchangeState::QmReady, _) if exchange.ours => Input::InitQuickMode,
            _ => Input::PeerQuickMode,
        };
        match progress {
            quick::Progress::Send { next, message } => {
                ctx.send(frame.path, &message);
                exchange.child = Some(next.child());
                exchange.answered.answer = Some(message.clone());
                exchange.pending =
                    Some(Pending::new(message, &frame.peer.retransmit, now, ctx.rng));
                exchange.ends_at = Duration::MAX;
                exchange.quick = Some(next);
            }
            quick::Progress::Ask { next, question } => {
                exchange.child = Some(next.child());
                exchange.ticket = Some(ctx.ask(frame.ike, Place::Exchange(id), question));
                exchange.ends_at = now.saturating_add(ctx.config.limits.question_time);
                exchange.quick = Some(next);
            }
            quick::Progress::Done { message } => {
                if let Some(message) = message {
                    ctx.send(frame.path, &message);
                    exchange.answered.answer = Some(message);
                }
                exchange.finish(ctx, now);
                ctx.note(
                    Some(frame.ike),
                    What::ExchangeEnded {
                        message_id: id,
                        error: false,
                        reason: "quick mode done (await)",
                    },
                );
            }
            quick::Progress::Refuse {
                notify,
                spi,
                reason,
            } => {
                exchange.finish(ctx, now);
                let message = informational::refusal(self, ctx, frame, notify, spi);
                if let (Some(message), Some(exchange)) = (message, self.exchanges.get_mut(&id)) {
                    ctx.send(frame.path, &message);
                    exchange.answered.answer = Some(message);
                }
                ctx.note(
                    Some(frame.ike),
                    What::ExchangeEnded {
                        message_id: id,
                        error: true,
                        reason,
                    },
                );
            }
            quick::Progress::Fail {
                child,
                config,
                reason,
            } => {
                let wanted = exchange.wanted;
                exchange.finish(ctx, now);
                ctx.note(
                    Some(frame.ike),
                    What::ExchangeEnded {
                        message_id: id,
                        error: true,
                        reason: "quick mode failed",
                    },
                );
                ctx.child_failed(frame.index, config, child, reason);
                if let Some(wanted) = wanted {
                    came_to_nothing(ctx, frame, &wanted, reason);
                }
            }
            quick::Progress::Reject(quick, reason) => {
                exchange.quick = Some(quick);
                self.abandon(ctx, frame, id, reason);
            }
        }
        if from != to {
            let (from, to, message_id) = (from.into(), to.into(), Some(id));
            let transition = Transition {
                input,
                from,
                to,
                message_id,
            };
            ctx.note(Some(frame.ike), What::Transition(transition));
        }
    }

    /// A deadline of an exchange has come.
    pub(crate) fn exchange_deadlines(&mut self, ctx: &mut Context<'_>, frame: &Frame<'_>) {
        let now = ctx.now;
        let due: Vec<u32> = self
            .exchanges
            .iter()
            .filter(|(_, e)| e.deadline().is_some_and(|d| d.at <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(exchange) = self.exchanges.get_mut(&id) else {
                continue;
            };
            let reason = match exchange.pending.as_mut() {
                Some(pending) => match pending.due(&frame.peer.retransmit, now, ctx.rng) {
                    Due::Resend(message) => {
                        if let Some(last) = &self.unconfirmed {
                            ctx.send(frame.path, last);
                        }
                        ctx.send(frame.path, &message);
                        continue;
                    }
                    Due::Wait => continue,
                    Due::GiveUp => CloseReason::Timeout,
                },
                None if exchange.quick.is_some() => CloseReason::Refused,
                None => {
                    self.exchanges.remove(&id);
                    if self.exchanges.is_empty() {
                        // An idle SA keeps no room for them.
                        self.exchanges = BTreeMap::new();
                    }
                    continue;
                }
            };
            self.abandon(ctx, frame, id, reason);
        }
    }

    /// Ends an exchange that leads nowhere.
    pub(crate) fn abandon(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        id: u32,
        reason: CloseReason,
    ) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        let Some(quick) = exchange.quick.take() else {
            return;
        };
        if let Some(ticket) = exchange.ticket.take() {
            ctx.world.questions.close(ticket);
        }
        exchange.finish(ctx, ctx.now);
        ctx.note(
            Some(frame.ike),
            What::ExchangeEnded {
                message_id: id,
                error: true,
                reason: "abandoned",
            },
        );
        let (offered, wanted) = (quick.offered(), quick.wanted().copied());
        let other = wanted.filter(|_| may_want_otherwise(reason));
        let other = other.and_then(|w| quick::asked_otherwise(ctx, frame, &self.agreed, &w));
        match &other {
            Some(_) => drop(quick),
            None => quick.abandon(ctx, frame, reason),
        }
        if let Some((protocol, spi)) = offered
            && matches!(
                reason,
                CloseReason::Replaced
                    | CloseReason::Timeout
                    | CloseReason::Refused
                    | CloseReason::SelectorsChanged
            )
        {
            // The peer may have answered, and hold its half: it need not wait for us.
            informational::send_delete_child(self, ctx, frame, protocol, spi);
        }
        if reason == CloseReason::Timeout {
            // Nobody answers: is anybody there?
            self.dpd.suspect(ctx.now);
        }
        let begun = other.is_some_and(|w| self.start_quick(ctx, frame, w).is_ok());
        if let Some(wanted) = wanted.filter(|_| !begun) {
            came_to_nothing(ctx, frame, &wanted, reason);
        }
    }

    /// The exchange of ours that offered this SPI, or the only one that waits.
    pub(crate) fn waiting_for_answer(&self, spi: &[u8]) -> Option<u32> {
        let mut ours = self
            .exchanges
            .iter()
            .filter_map(|(id, e)| e.quick.as_ref()?.offered_spi().map(|spi| (*id, spi)));
        if let Ok(spi) = <[u8; 4]>::try_from(spi)
            && let Some((id, _)) = ours.clone().find(|(_, o)| *o == u32::from_be_bytes(spi))
        {
            return Some(id);
        }
        let only = ours.next()?;
        ours.next().is_none().then_some(only.0)
    }

    /// Packets came in on a child whose last message is missing: the peer has everything.
    pub(crate) fn confirm_child(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        child: ChildId,
    ) {
        let waiting = self
            .exchanges
            .iter()
            .find(|(_, e)| e.child == Some(child) && e.quick.as_ref().is_some_and(Quick::installed))
            .map(|(id, _)| *id);
        let Some(id) = waiting else { return };
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.quick = None;
            exchange.finish(ctx, ctx.now);
        }
        crate::child::activate(ctx, child);
        ctx.note(
            Some(frame.ike),
            What::ExchangeEnded {
                message_id: id,
                error: false,
                reason: "confirmed by inbound traffic",
            },
        );
    }

    /// A child is gone: nothing waits for the end of its negotiation.
    pub(crate) fn forget_child(&mut self, ctx: &mut Context<'_>, child: ChildId) {
        let now = ctx.now;
        for exchange in self.exchanges.values_mut() {
            if exchange.child == Some(child)
                && exchange.quick.as_ref().is_some_and(Quick::installed)
            {
                exchange.quick = None;
                exchange.finish(ctx, now);
            }
        }
    }

    /// Whether a negotiation of ours for this child of the configuration is under way.
    pub(crate) fn negotiates(&self, config: usize) -> bool {
        self.exchanges
            .values()
            .filter_map(|e| e.quick.as_ref())
            .any(|q| q.config() == config)
    }

    /// Whether a negotiation for this traffic is under way.
    pub(crate) fn negotiates_traffic(&self, traffic: &TrafficOf) -> bool {
        self.exchanges
            .values()
            .filter_map(|e| e.quick.as_ref())
            .any(|q| q.is_for(traffic))
    }

    /// Message ids of our own negotiations for the same traffic that nobody has answered, or that have
    /// not even begun for the peer.
    pub(crate) fn unanswered_for(&self, traffic: &TrafficOf) -> Vec<u32> {
        let waits = |q: &Quick| q.is_unanswered() && q.is_for(traffic);
        self.exchanges
            .iter()
            .filter(|(_, e)| e.quick.as_ref().is_some_and(waits))
            .map(|(id, _)| *id)
            .collect()
    }
}
