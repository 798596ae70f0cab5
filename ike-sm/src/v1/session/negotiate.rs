//! Phase 1 of an ISAKMP SA: its messages, its questions, its end.

use alloc::boxed::Box;
use core::mem;

use bytes::Bytes;
use crypto_suite::Digest;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v1::{Message, NotifyType};
use isakmp_wire::{Flags, Header};

use super::{Session, Stage};
use crate::config::Phase1Mode;
use crate::context::Context;
use crate::core::allowance::{Again, Allowance};
use crate::core::effects::Effect;
use crate::core::questions::Place;
use crate::core::retransmit::{Answered, Pending, fingerprint};
use crate::event::{Answer, Notice, Question, Transition, What};
use crate::model::{CloseReason, DropReason, IkeId, IkeState, Input, Outcome, Path, Role, State};
use crate::v1::established::Established;
use crate::v1::keys::Cookies;
use crate::v1::negotiation::{self, Done, Negotiation, Progress};
use crate::v1::phase1::Frame;
use crate::v1::{aggressive, informational, main_mode};

impl Session {
    /// Starts a phase 1 with this peer.
    pub(crate) fn initiate(
        ctx: &mut Context<'_>,
        id: IkeId,
        peer: usize,
        path: Path,
        replaces: Option<IkeId>,
    ) -> Result<Self, DropReason> {
        let initiator = ctx.cookie()?;
        let cookies = Cookies {
            initiator,
            responder: [0; 8],
        };
        let mut session = Self::new(ctx, id, peer, Role::Initiator, path, cookies);
        session.replaces = replaces;
        let frame = session.frame(ctx)?;
        let (input, to, progress) = match frame.peer.mode {
            Phase1Mode::Main => (
                Input::WantMainMode,
                IkeState::InitiatorMm1,
                main_mode::start(ctx, &frame)?,
            ),
            Phase1Mode::AggressiveExposingPskHash => (
                Input::WantAggressiveMode,
                IkeState::InitiatorAm1,
                aggressive::start(ctx, &frame)?,
            ),
        };
        match progress {
            Progress::Send { next, message, .. } => {
                session.transition(ctx, input, IkeState::Ready, to);
                session.transmit(ctx, message);
                session.stage = Stage::Phase1(Box::new(next));
            }
            other => session.advance(ctx, IkeState::Ready, None, other),
        }
        Ok(session)
    }

    /// Answers the first message of a peer, which is one of `candidates`. When it is refused nothing is
    /// left of it.
    pub(crate) fn respond(
        ctx: &mut Context<'_>,
        id: IkeId,
        candidates: &[usize],
        path: Path,
        header: &Header,
        raw: &[u8],
    ) -> Result<Self, DropReason> {
        let fingerprint = fingerprint(ctx.provider, raw).ok_or(DropReason::Crypto)?;
        let message = Message::parse(raw, &ctx.config.wire).map_err(DropReason::Malformed)?;
        let aggressive = header.exchange_type == ExchangeType::AGGRESSIVE;
        let mode = if aggressive {
            Phase1Mode::AggressiveExposingPskHash
        } else {
            Phase1Mode::Main
        };
        check_header(header, mode)?;
        let cookies = Cookies {
            initiator: header.initiator_spi,
            responder: ctx.cookie()?,
        };
        let first = *candidates.first().ok_or(DropReason::UnknownPeer)?;
        let mut session = Self::new(ctx, id, first, Role::Responder, path, cookies);
        let mut frame = session.frame(ctx)?;
        let arrived = if aggressive {
            IkeState::ResponderAm1
        } else {
            IkeState::ResponderMm1
        };
        session.arrived(ctx, IkeState::Ready, arrived);
        let progress = if aggressive {
            aggressive::receive_first(ctx, &mut frame, candidates, &message)
        } else {
            main_mode::receive_first(ctx, &mut frame, candidates, &message)
        };
        let progress = match progress {
            Ok(progress) => progress,
            Err(reason) => {
                if reason == DropReason::NoProposalChosen {
                    session.send_hint(ctx, header, NotifyType::NO_PROPOSAL_CHOSEN, raw.len());
                }
                return Err(reason);
            }
        };
        session.peer = frame.index;
        session.half_open_until = Some(ctx.now.saturating_add(ctx.config.limits.half_open_time));
        let allowance = Allowance::new(path.remote.ip(), raw.len(), false);
        session.allowance = Some(Box::new(allowance));
        session.advance(ctx, arrived, Some(fingerprint), progress);
        Ok(session)
    }

    /// An unprotected notification, never longer than what it answers.
    fn send_hint(&self, ctx: &mut Context<'_>, header: &Header, notify: NotifyType, most: usize) {
        let cookies = Cookies {
            initiator: header.initiator_spi,
            ..self.cookies
        };
        if let Some(message) = informational::unprotected_refusal(&cookies, 0, notify)
            && message.len() <= most
        {
            ctx.send(self.path, &message);
        }
    }

    pub(super) fn receive_phase1(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        message: &Message<'_>,
        fingerprint: Digest,
    ) -> Result<Outcome, DropReason> {
        let mut frame = self.frame(ctx)?;
        let header = &message.header;
        if header.exchange_type == ExchangeType::INFORMATIONAL {
            // Before there are keys whoever can send packets can send these: they end nothing.
            if message.encrypted().is_some() {
                return Err(DropReason::NoKeyYet);
            }
            let hint = informational::clear_error(message);
            let refused = informational::refuse_clear(ctx, &frame, message);
            if self.role == Role::Responder || self.hint.is_some() || hint.is_none() {
                return Err(refused);
            }
            self.hint = hint;
            return Ok(Outcome::Handled);
        }
        let Stage::Phase1(negotiation) = &self.stage else {
            return Err(DropReason::WrongState);
        };
        let moves = negotiation.may_move(message.encrypted().is_some());
        check_header(header, negotiation.mode())?;
        if self.path.natt && !path.natt {
            // RFC 3947 §4: a main mode packet on port 500 after the move is old.
            return Err(DropReason::OldPath);
        }
        if self.cookies.responder == [0; 8] {
            if header.responder_spi == [0; 8] || header.responder_spi == self.cookies.initiator {
                return Err(DropReason::BadCookie);
            }
            frame.cookies.responder = header.responder_spi;
        }
        if self.path.local.ip().is_unspecified() {
            // The route to the peer has shown which address of ours it uses.
            frame.path.local.set_ip(path.local.ip());
        }
        if moves {
            // RFC 3947 §4: the answer goes where this message came from, if it proves valid.
            frame.path = path;
        }
        let Stage::Phase1(negotiation) = mem::replace(&mut self.stage, Stage::Gone) else {
            return Err(DropReason::WrongState);
        };
        let before = negotiation.state();
        let arrived = negotiation.arriving();
        if let Some(arrived) = arrived {
            self.arrived(ctx, before, arrived);
        }
        let arrived = arrived.unwrap_or(before);
        match negotiation.receive(ctx, &mut frame, message) {
            Ok(progress) => {
                if self.cookies != frame.cookies {
                    self.cookies = frame.cookies;
                    ctx.effect(Effect::CookiesKnown(self.id));
                }
                self.path = frame.path;
                self.peer = frame.index;
                self.pending = None;
                self.again = Again::new(path);
                if let Some(allowance) = &mut self.allowance {
                    let octets = message.raw().len();
                    allowance.received(path.remote.ip(), octets, true);
                }
                self.advance(ctx, arrived, Some(fingerprint), progress);
                Ok(Outcome::Handled)
            }
            Err(refused) => {
                let (negotiation, reason) = *refused;
                if arrived == IkeState::ResponderMm5 && reason.hints_at_key() {
                    ctx.note(Some(self.id), What::Notice(Notice::PskMayDiffer));
                }
                self.stage = Stage::Phase1(Box::new(negotiation));
                Err(reason)
            }
        }
    }

    pub(super) fn answer_phase1(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        answer: Answer,
    ) -> Result<(), DropReason> {
        if let Stage::Phase1(negotiation) = &self.stage
            && negotiation.asks_for() != Some(answer.kind())
        {
            return Err(DropReason::WrongAnswer);
        }
        match mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Phase1(negotiation) => {
                let state = negotiation.state();
                match negotiation.answer(ctx, frame, answer) {
                    Ok(progress) => {
                        self.question = None;
                        self.advance(ctx, state, None, progress);
                        Ok(())
                    }
                    Err(refused) => {
                        let (negotiation, reason) = *refused;
                        self.stage = Stage::Phase1(Box::new(negotiation));
                        Err(reason)
                    }
                }
            }
            other => {
                self.stage = other;
                Err(DropReason::UnknownTicket)
            }
        }
    }

    /// A message came in: the state that it leads to while it is worked on.
    fn arrived(&self, ctx: &mut Context<'_>, from: IkeState, to: IkeState) {
        if matches!(to, IkeState::ResponderAm1 | IkeState::InitiatorAm2) {
            return self.transition(ctx, Input::PeerAggressiveMode, from, to);
        }
        self.transition(ctx, Input::PeerMainMode, from, to);
        self.transition(ctx, Input::ProcessMainMode, to, to);
    }

    fn transition(&self, ctx: &mut Context<'_>, input: Input, from: IkeState, to: IkeState) {
        ctx.note(
            Some(self.id),
            What::Transition(Transition {
                input,
                from: State::Ike(from),
                to: State::Ike(to),
                message_id: None,
            }),
        );
    }

    /// Carries out what a message or an answer has led to. `fingerprint` is that of the message;
    /// an answer keeps the one that was parked.
    fn advance(
        &mut self,
        ctx: &mut Context<'_>,
        from: IkeState,
        fingerprint: Option<Digest>,
        progress: Progress,
    ) {
        if let Some(fingerprint) = fingerprint {
            self.answered = Answered::new(fingerprint, None);
        }
        match progress {
            Progress::Send {
                next,
                message,
                path,
            } => {
                self.path = path.unwrap_or(self.path);
                self.transition(ctx, Input::ProcessComplete, from, next.state());
                self.note_proof(ctx, &next);
                self.transmit(ctx, message);
                self.stage = Stage::Phase1(Box::new(next));
            }
            Progress::Ask { next, question } => {
                // While others compute, its place is not one of those that have shown nothing.
                self.note_proof(ctx, &next);
                self.ask(ctx, *question);
                self.stage = Stage::Phase1(Box::new(next));
            }
            Progress::Done(done) => self.done(ctx, from, done),
            Progress::Fail(reason) => self.end(ctx, reason),
        }
    }

    /// Message 3 shows that message 2 has arrived.
    fn note_proof(&mut self, ctx: &mut Context<'_>, next: &Negotiation) {
        if next.address_proved() && self.role == Role::Responder {
            ctx.effect(Effect::AddressProved(self.id));
            if let Some(allowance) = &mut self.allowance {
                allowance.prove();
            }
        }
    }

    fn done(&mut self, ctx: &mut Context<'_>, from: IkeState, done: Done) {
        self.path = done.path.unwrap_or(self.path);
        self.half_open_until = None;
        self.allowance = None;
        let Ok(frame) = self.frame(ctx) else {
            return self.end(ctx, CloseReason::Refused);
        };
        let mut up = Established::new(ctx, &frame, self.role, self.path, done.agreed);
        if let Some(message) = done.message {
            ctx.send(self.path, &message);
            if self.role == Role::Initiator {
                up.unconfirmed = Some(message.clone());
            }
            self.answered.answer = Some(message);
        }
        self.transition(ctx, Input::ProcessComplete, from, IkeState::Complete);
        if done.owes_contact {
            informational::send_initial_contact(&mut up, ctx, &frame);
        }
        self.stage = Stage::Up(Box::new(up));
        ctx.effect(Effect::Established(self.id));
        if done.initial_contact {
            ctx.effect(Effect::InitialContact(self.id));
        }
    }

    /// Sends a phase 1 message: an initiator repeats it, a responder keeps it for repetitions.
    fn transmit(&mut self, ctx: &mut Context<'_>, message: Bytes) {
        self.send_allowed(ctx, &message);
        match (self.role, self.frame(ctx)) {
            (Role::Initiator, Ok(frame)) => {
                self.pending = Some(Pending::new(
                    message,
                    &frame.peer.retransmit,
                    ctx.now,
                    ctx.rng,
                ));
            }
            _ => self.answered.answer = Some(message),
        }
    }

    fn ask(&mut self, ctx: &mut Context<'_>, question: Question) {
        let ticket = ctx.ask(self.id, Place::Phase1, question);
        let until = ctx.now.saturating_add(ctx.config.limits.question_time);
        self.question = Some((ticket, until));
    }
}

fn check_header(header: &Header, mode: Phase1Mode) -> Result<(), DropReason> {
    if header.exchange_type != negotiation::exchange(mode) {
        return Err(DropReason::UnexpectedExchange(header.exchange_type));
    }
    // RFC 2408 §3.1: during phase 1 the message id is 0.
    if header.message_id != 0 {
        return Err(DropReason::UnexpectedMessage);
    }
    if header.flags.contains(Flags::COMMIT) {
        return Err(DropReason::CommitBit);
    }
    Ok(())
}
