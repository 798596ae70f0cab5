//! One ISAKMP SA from its first message to its last.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::{Digest, Secret};
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v1::{Message, NotifyType};
use isakmp_wire::{Flags, Header};

use crate::action::{CloseReason, PskStage, Question};
use crate::children::{DeletedChild, TrafficOf};
use crate::context::{Context, Effect, Place};
use crate::event::{Answer, Traffic};
use crate::explain::{DpdStep, IkeState, Input, Notice, Role, State, Transition, What};
use crate::id::{ChildId, IkeId, Ticket};
use crate::outcome::{DropReason, Outcome};
use crate::path::Path;
use crate::retransmit::{Answered, Due, Pending, fingerprint};
use crate::timer::{Deadline, DeadlineReason, deadline, earliest};
use crate::v1::dpd;
use crate::v1::established::{Established, LifetimeDue};
use crate::v1::informational;
use crate::v1::keys::Cookies;
use crate::v1::main_mode::{self, MainMode, Progress};
use crate::v1::phase1::Frame;
use crate::v1::quick::Wanted;

/// One ISAKMP SA.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: IkeId,
    /// The peer's place in the configuration.
    pub(crate) peer: usize,
    pub(crate) role: Role,
    pub(crate) path: Path,
    pub(crate) cookies: Cookies,
    pub(crate) created: Duration,
    /// The SA that this one is to take over from.
    pub(crate) replaces: Option<IkeId>,
    stage: Stage,
    /// The peer's last phase 1 message and our answer.
    answered: Answered,
    pending: Option<Pending>,
    question: Option<(Ticket, Duration)>,
    /// When a negotiation that the peer started is forgotten.
    half_open_until: Option<Duration>,
}

#[derive(Debug)]
enum Stage {
    MainMode(Box<MainMode>),
    Up(Box<Established>),
    Gone,
}

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
        let (mode, message) = main_mode::start(ctx, &frame)?;
        session.transition(
            ctx,
            Input::WantMainMode,
            IkeState::Ready,
            IkeState::InitiatorMm1,
        );
        ctx.send(path, &message);
        session.pending = Some(Pending::new(
            message,
            &frame.peer.retransmit,
            ctx.now,
            ctx.rng,
        ));
        session.stage = Stage::MainMode(Box::new(mode));
        Ok(session)
    }

    /// Answers the first message of a peer. When it is refused nothing is left of it.
    pub(crate) fn respond(
        ctx: &mut Context<'_>,
        id: IkeId,
        peer: usize,
        path: Path,
        header: &Header,
        raw: &[u8],
    ) -> Result<Self, DropReason> {
        let fingerprint = fingerprint(ctx.provider, raw).ok_or(DropReason::Crypto)?;
        let message = Message::parse(raw, &ctx.config.wire).map_err(DropReason::Malformed)?;
        check_phase1_header(header)?;
        let cookies = Cookies {
            initiator: header.initiator_spi,
            responder: ctx.cookie()?,
        };
        let mut session = Self::new(ctx, id, peer, Role::Responder, path, cookies);
        let frame = session.frame(ctx)?;
        session.arrived(ctx, IkeState::Ready, IkeState::ResponderMm1);
        let progress = match main_mode::receive_first(ctx, &frame, &message) {
            Ok(progress) => progress,
            Err(reason) => {
                ctx.world.questions.close_all(id);
                if reason == DropReason::NoProposalChosen {
                    session.send_hint(ctx, header, NotifyType::NO_PROPOSAL_CHOSEN, raw.len());
                }
                return Err(reason);
            }
        };
        session.half_open_until = Some(ctx.now.saturating_add(ctx.config.limits.half_open_time));
        session.advance(ctx, IkeState::ResponderMm1, Some(fingerprint), progress);
        Ok(session)
    }

    fn new(
        ctx: &Context<'_>,
        id: IkeId,
        peer: usize,
        role: Role,
        path: Path,
        cookies: Cookies,
    ) -> Self {
        Self {
            id,
            peer,
            role,
            path,
            cookies,
            created: ctx.now,
            replaces: None,
            stage: Stage::Gone,
            answered: Answered::default(),
            pending: None,
            question: None,
            half_open_until: None,
        }
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

    fn frame<'c>(&self, ctx: &Context<'c>) -> Result<Frame<'c>, DropReason> {
        Ok(Frame {
            ike: self.id,
            role: self.role,
            index: self.peer,
            peer: ctx
                .config
                .peers
                .get(self.peer)
                .ok_or(DropReason::NoSuchObject)?,
            path: self.path,
            home: self.path,
            cookies: self.cookies,
        })
    }

    /// The SA after phase 1.
    pub(crate) fn up(&self) -> Option<&Established> {
        match &self.stage {
            Stage::Up(up) => Some(up),
            _ => None,
        }
    }

    fn up_mut(&mut self) -> Option<&mut Established> {
        match &mut self.stage {
            Stage::Up(up) => Some(up),
            _ => None,
        }
    }

    /// Whether phase 1 is done and no other SA has taken over.
    pub(crate) fn is_current(&self) -> bool {
        self.up().is_some_and(|up| !up.replaced)
    }

    /// Whether nothing can come of it any more.
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// The field's name of its state.
    pub(crate) const fn state(&self) -> IkeState {
        match &self.stage {
            Stage::MainMode(mode) => mode.state(),
            Stage::Up(_) => IkeState::Complete,
            Stage::Gone => IkeState::Destroying,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let mut first = [
            (
                self.pending.as_ref().map(Pending::deadline),
                DeadlineReason::Retransmit,
            ),
            (
                self.question.map(|(_, until)| until),
                DeadlineReason::Question,
            ),
            (self.half_open_until, DeadlineReason::HalfOpen),
        ]
        .into_iter()
        .fold(None, |first, (at, why)| earliest(first, deadline(at, why)));
        if let Some(up) = self.up() {
            first = earliest(first, up.deadline());
        }
        first
    }

    /// Takes in a message with this SA's cookies.
    pub(crate) fn receive(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        let fingerprint = fingerprint(ctx.provider, raw).ok_or(DropReason::Crypto)?;
        if self.answered.is(&fingerprint) {
            if let Some(answer) = self.answered.answer.clone() {
                ctx.send(self.path, &answer);
            }
            return Ok(Outcome::Repeated);
        }
        let message = Message::parse(raw, &ctx.config.wire).map_err(DropReason::Malformed)?;
        match &self.stage {
            Stage::MainMode(_) => self.receive_phase1(ctx, path, &message, fingerprint),
            Stage::Up(_) => self.receive_up(ctx, path, &message, fingerprint),
            Stage::Gone => Err(DropReason::Stale),
        }
    }

    fn receive_phase1(
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
            return Err(match message.encrypted() {
                None => informational::refuse_clear(ctx, &frame, message),
                Some(_) => DropReason::NoKeyYet,
            });
        }
        check_phase1_header(header)?;
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
        if self.role == Role::Responder && message.encrypted().is_some() {
            // RFC 3947 §4: the answer goes where this message came from, if it proves valid.
            frame.path = path;
        }
        let Stage::MainMode(mode) = mem::replace(&mut self.stage, Stage::Gone) else {
            return Err(DropReason::WrongState);
        };
        let before = mode.state();
        let arrived = match before {
            IkeState::InitiatorMm1 => IkeState::InitiatorMm2,
            IkeState::InitiatorMm3 => IkeState::InitiatorMm4,
            IkeState::InitiatorMm5 => IkeState::InitiatorMm6,
            IkeState::ResponderMm2 => IkeState::ResponderMm3,
            IkeState::ResponderMm4 => IkeState::ResponderMm5,
            other => other,
        };
        if arrived != before {
            self.arrived(ctx, before, arrived);
        }
        match mode.receive(ctx, &frame, message) {
            Ok(progress) => {
                if self.cookies != frame.cookies {
                    self.cookies = frame.cookies;
                    ctx.effect(Effect::CookiesKnown(self.id));
                }
                self.path = frame.path;
                self.pending = None;
                self.advance(ctx, arrived, Some(fingerprint), progress);
                Ok(Outcome::Handled)
            }
            Err(refused) => {
                let (mode, reason) = *refused;
                if arrived == IkeState::ResponderMm5 && reason.hints_at_key() {
                    ctx.note(Some(self.id), What::Notice(Notice::PskMayDiffer));
                }
                self.stage = Stage::MainMode(Box::new(mode));
                Err(reason)
            }
        }
    }

    fn receive_up(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        message: &Message<'_>,
        fingerprint: Digest,
    ) -> Result<Outcome, DropReason> {
        let mut frame = self.frame(ctx)?;
        let exchange = message.header.exchange_type;
        if exchange == ExchangeType::IDENTITY_PROTECTION || exchange == ExchangeType::AGGRESSIVE {
            return Err(DropReason::Stale);
        }
        let stale = self.path.natt && !path.natt;
        if stale && exchange != ExchangeType::INFORMATIONAL {
            return Err(DropReason::OldPath);
        }
        let home = self.path;
        let Some(up) = self.up_mut() else {
            return Err(DropReason::WrongState);
        };
        let verdict = up.agreed.nat.verdict;
        if !stale && nat_t::follow(verdict, false, home.remote, path.remote).is_some() {
            frame.path = path;
        }
        let outcome = up.receive(ctx, &frame, message, fingerprint)?;
        if outcome == Outcome::Handled {
            up.dpd.heard(ctx.now);
            self.settle(ctx, frame.path);
        }
        Ok(outcome)
    }

    /// The peer has proved that it is at the other end of this path.
    fn settle(&mut self, ctx: &mut Context<'_>, path: Path) {
        if self.path != path {
            self.path = path;
            ctx.effect(Effect::Moved(self.id));
        }
    }

    /// An ESP packet of a child of this SA has come from another address (RFC 3947 §7).
    pub(crate) fn moved(
        &mut self,
        ctx: &mut Context<'_>,
        remote: core::net::SocketAddr,
    ) -> Result<(), DropReason> {
        let up = self.up().ok_or(DropReason::WrongState)?;
        let verdict = up.agreed.nat.verdict;
        let remote = nat_t::follow(verdict, false, self.path.remote, remote)
            .ok_or(DropReason::AlreadyUnderWay)?;
        self.settle(
            ctx,
            Path {
                remote,
                ..self.path
            },
        );
        Ok(())
    }

    /// Takes in the answer to a question.
    pub(crate) fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        place: Place,
        ticket: Ticket,
        answer: Answer,
    ) -> Result<(), DropReason> {
        let frame = self.frame(ctx)?;
        match place {
            Place::Exchange(id) => {
                let up = self.up_mut().ok_or(DropReason::UnknownTicket)?;
                up.answer(ctx, &frame, id, ticket, answer)
            }
            Place::Phase1 => {
                if self.question.is_none_or(|(open, _)| open != ticket) {
                    return Err(DropReason::UnknownTicket);
                }
                let Answer::Psk(psk) = answer else {
                    return Err(DropReason::WrongAnswer);
                };
                self.answer_psk(ctx, &frame, psk)
            }
        }
    }

    fn answer_psk(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        psk: Option<Secret>,
    ) -> Result<(), DropReason> {
        match mem::replace(&mut self.stage, Stage::Gone) {
            Stage::MainMode(mode) => {
                let state = mode.state();
                match mode.answer(ctx, frame, psk) {
                    Ok(progress) => {
                        self.question = None;
                        self.advance(ctx, state, None, progress);
                        Ok(())
                    }
                    Err(refused) => {
                        let (mode, reason) = *refused;
                        self.stage = Stage::MainMode(Box::new(mode));
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
                if next.address_proved() && self.role == Role::Responder {
                    ctx.effect(Effect::AddressProved(self.id));
                }
                self.transmit(ctx, message);
                self.stage = Stage::MainMode(Box::new(next));
            }
            Progress::Ask { next, stage } => {
                self.ask_psk(ctx, stage);
                self.stage = Stage::MainMode(Box::new(next));
            }
            Progress::Done {
                agreed,
                message,
                path,
            } => {
                self.path = path.unwrap_or(self.path);
                self.half_open_until = None;
                if let Some(message) = message {
                    ctx.send(self.path, &message);
                    self.answered.answer = Some(message);
                }
                self.transition(ctx, Input::ProcessComplete, from, IkeState::Complete);
                let initial_contact = agreed.initial_contact;
                match self.frame(ctx) {
                    Ok(frame) => {
                        let (role, path) = (self.role, self.path);
                        let up = Established::new(ctx, &frame, role, path, agreed);
                        self.stage = Stage::Up(Box::new(up));
                        ctx.effect(Effect::Established(self.id));
                        if initial_contact {
                            ctx.effect(Effect::InitialContact(self.id));
                        }
                    }
                    Err(_) => self.end(ctx, CloseReason::Refused),
                }
            }
            Progress::Fail(reason) => self.end(ctx, reason),
        }
    }

    /// Sends a phase 1 message: an initiator repeats it, a responder keeps it for repetitions.
    fn transmit(&mut self, ctx: &mut Context<'_>, message: Bytes) {
        ctx.send(self.path, &message);
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

    fn ask_psk(&mut self, ctx: &mut Context<'_>, stage: PskStage) {
        let peer = ctx
            .config
            .peers
            .get(self.peer)
            .map(|p| p.name.clone())
            .unwrap_or_default();
        let remote = self.path.remote.ip();
        let ticket = ctx.ask(
            self.id,
            Place::Phase1,
            Question::Psk {
                peer,
                remote,
                stage,
            },
        );
        let until = ctx.now.saturating_add(ctx.config.limits.question_time);
        self.question = Some((ticket, until));
    }

    fn end(&mut self, ctx: &mut Context<'_>, reason: CloseReason) {
        self.stage = Stage::Gone;
        self.pending = None;
        self.question = None;
        self.half_open_until = None;
        ctx.effect(Effect::Closed(self.id, reason));
    }

    /// Ends the SA, towards the peer too where there are keys for it.
    pub(crate) fn close(&mut self, ctx: &mut Context<'_>, reason: CloseReason, tell: bool) {
        if let (true, Ok(frame), Stage::Up(up)) = (tell, self.frame(ctx), &mut self.stage) {
            informational::send_delete_self(up, ctx, &frame);
        }
        self.drop_exchanges(ctx, reason);
        self.end(ctx, reason);
    }

    /// Gives up what is under way, so that nothing of it is left behind.
    pub(crate) fn drop_exchanges(&mut self, ctx: &mut Context<'_>, reason: CloseReason) {
        let Ok(frame) = self.frame(ctx) else { return };
        let Some(up) = self.up_mut() else { return };
        let ids: Vec<u32> = up.exchanges.keys().copied().collect();
        for id in ids {
            up.abandon(ctx, &frame, id, reason);
        }
    }

    /// Deadlines of this SA have come.
    pub(crate) fn on_deadline(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        let Ok(frame) = self.frame(ctx) else { return };
        if self.question.is_some_and(|(_, until)| until <= now) {
            return self.end(ctx, CloseReason::Refused);
        }
        if self.half_open_until.is_some_and(|until| until <= now) {
            return self.end(ctx, CloseReason::Timeout);
        }
        if let Some(pending) = self.pending.as_mut() {
            match pending.due(&frame.peer.retransmit, now, ctx.rng) {
                Due::Wait => {}
                Due::Resend(message) => {
                    if matches!(&self.stage, Stage::MainMode(m) if m.awaits_proof()) {
                        ctx.note(Some(self.id), What::Notice(Notice::PskMayDiffer));
                    }
                    ctx.send(self.path, &message);
                }
                Due::GiveUp => return self.end(ctx, CloseReason::Timeout),
            }
        }
        let (id, path) = (self.id, self.path);
        let Some(up) = self.up_mut() else { return };
        up.exchange_deadlines(ctx, &frame);
        if let Some(keepalive) = &mut up.keepalive
            && keepalive.handle(now)
        {
            ctx.actions.push(crate::action::Action::NatKeepalive(path));
        }
        match up.dpd.due(now) {
            dpd::Due::Nothing => {}
            dpd::Due::Ask {
                sequence,
                silent,
                attempt,
            } => {
                ctx.note(
                    Some(id),
                    What::Dpd(DpdStep::Asked {
                        sequence,
                        silent,
                        attempt,
                    }),
                );
                informational::send_dpd(up, ctx, &frame, NotifyType::R_U_THERE, sequence);
            }
            dpd::Due::AskByRekey => ctx.effect(Effect::RekeyIke(id)),
            dpd::Due::Dead => {
                ctx.note(Some(id), What::Dpd(DpdStep::Dead));
                ctx.effect(Effect::PeerDead(id));
            }
        }
        match up.lifetime_due(now) {
            None => {}
            Some(LifetimeDue::Rekey) => ctx.effect(Effect::RekeyIke(id)),
            Some(LifetimeDue::Expire) => self.close(ctx, CloseReason::Expired, true),
            Some(LifetimeDue::Drained) => self.close(ctx, CloseReason::Replaced, true),
        }
    }

    /// Negotiates a child.
    pub(crate) fn start_child(
        &mut self,
        ctx: &mut Context<'_>,
        wanted: &crate::children::Wanted,
    ) -> Result<(), DropReason> {
        // RFC 2409 §5.5: one selector of each side; the configuration has no more of them.
        let wanted = Wanted {
            config: wanted.traffic.config,
            local: *wanted.traffic.local.first(),
            remote: *wanted.traffic.remote.first(),
            replaces: wanted.replaces,
        };
        let frame = self.frame(ctx)?;
        let up = self.up_mut().ok_or(DropReason::WrongState)?;
        up.sent(ctx.now);
        up.start_quick(ctx, &frame, wanted)
    }

    /// Tells the peer that a child is gone.
    pub(crate) fn tell_deleted(&mut self, ctx: &mut Context<'_>, child: &DeletedChild) {
        let Ok(frame) = self.frame(ctx) else { return };
        if let Some(up) = self.up_mut() {
            informational::send_delete_child(up, ctx, &frame, child.protocol, child.spi_in);
        }
    }

    /// A child is gone: nothing waits for the end of its negotiation.
    pub(crate) fn forget_child(&mut self, ctx: &mut Context<'_>, child: ChildId) {
        if let Some(up) = self.up_mut() {
            up.forget_child(ctx, child);
        }
    }

    /// Packets went through a child of this SA.
    pub(crate) fn on_traffic(&mut self, ctx: &mut Context<'_>, child: ChildId, traffic: Traffic) {
        let Ok(frame) = self.frame(ctx) else { return };
        let Some(up) = self.up_mut() else { return };
        if traffic.outbound_packets > 0 {
            up.dpd.sent();
            up.sent(ctx.now);
        }
        if traffic.inbound_packets > 0 {
            up.dpd.heard(ctx.now);
            up.confirm_child(ctx, &frame, child);
        }
    }

    /// Another SA has taken over.
    pub(crate) fn retire(&mut self, now: Duration, ours: bool) {
        if let Some(up) = self.up_mut() {
            up.retire(now, ours);
        }
    }

    /// The SA that had taken over is gone.
    pub(crate) fn reinstate(&mut self, now: Duration) {
        if let Some(up) = self.up_mut() {
            up.reinstate(now);
        }
    }

    /// Whether a negotiation for this child of the configuration is under way.
    pub(crate) fn negotiates(&self, config: usize) -> bool {
        self.up().is_some_and(|up| up.negotiates(config))
    }

    /// Whether a negotiation for this traffic is under way.
    pub(crate) fn negotiates_traffic(&self, traffic: &TrafficOf) -> bool {
        self.up().is_some_and(|up| up.negotiates_traffic(traffic))
    }

    /// Gives up negotiations of ours that nobody has answered, for traffic that has a child now.
    pub(crate) fn yield_to(&mut self, ctx: &mut Context<'_>, traffic: &TrafficOf) {
        let Ok(frame) = self.frame(ctx) else { return };
        let Some(up) = self.up_mut() else { return };
        for id in up.unanswered_for(traffic) {
            up.abandon(ctx, &frame, id, CloseReason::Replaced);
        }
    }
}

fn check_phase1_header(header: &Header) -> Result<(), DropReason> {
    if header.exchange_type != ExchangeType::IDENTITY_PROTECTION {
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
