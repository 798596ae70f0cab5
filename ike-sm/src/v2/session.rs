//! One IKE SA from its first message to its last: which message belongs where. The exchanges
//! themselves are tasks of their own; message IDs and repetition are the window's.

mod additional;
mod auth;
mod begin;
mod computing;
mod counters;
pub(super) mod mobike;
mod redirect;
mod sending;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crypto_suite::Digest;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::Message;
use isakmp_wire::{Flags, Header};

use super::crypt::{Crypt, Whole};
use super::error::{told, unprotected};
use super::established::Established;
use super::keys::Spis;
use super::protect::Inner;
use super::sa_init::{self, Init, Reply};
use super::window::{Datagrams, Incoming, Overdue, Owed, Request, Settled, Window};
use super::{explain, ike_auth};
use crate::child::Wanted;
use crate::context::Context;
use crate::core::allowance::{Allowance, most_for};
use crate::core::effects::Effect;
use crate::core::retransmit::fingerprint;
use crate::core::timers::{Deadline, DeadlineReason, deadline, earliest};
use crate::event::{Question, QuestionKind, Transition, What};
use crate::model::{
    CloseReason, DropReason, IkeId, IkeState, IkeVersion, Input, Outcome, Path, Role, State, Step,
    Ticket,
};
use crate::v2::frame::Frame;

pub(super) use sending::send;

/// One IKE SA.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: IkeId,
    /// The peer's place in the configuration.
    pub(crate) peer: usize,
    pub(crate) role: Role,
    pub(crate) path: Path,
    pub(crate) spis: Spis,
    pub(crate) created: Duration,
    /// The SA that this one is to take over from.
    pub(crate) replaces: Option<IkeId>,
    pub(super) window: Window,
    pub(super) crypt: Option<Box<Crypt>>,
    pub(super) stage: Stage,
    pub(super) question: Option<(Ticket, Duration, QuestionKind)>,
    /// A question that is asked later, and when.
    pub(super) held: Option<(Duration, Box<Question>)>,
    /// The request of the peer that is answered once `question` or `held` is.
    pub(super) waiting: Option<Owed>,
    /// When a negotiation that the peer started is forgotten.
    half_open_until: Option<Duration>,
    /// What may be sent to a peer that is not authenticated, of a negotiation that it started.
    pub(super) allowance: Option<Box<Allowance>>,
    /// Why the peer was turned away, while the answer that says so is kept.
    failed: Option<CloseReason>,
    buried: bool,
    /// IKE SAs that rekeys of this one have brought forth in this call.
    pub(crate) successors: Vec<Session>,
}

/// How far an IKE SA is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Our IKE_SA_INIT is out.
    Init(Box<sa_init::Initiator>, Option<Wanted>),
    /// The response to it is agreed to, and the shared secret is being computed.
    Agreed(Box<sa_init::Agreed>, Option<Wanted>),
    /// The peer's IKE_SA_INIT is agreed to, and our half of the key exchange is being computed.
    Accepted(Box<sa_init::Accepted>),
    /// There are keys, and IKE_AUTH goes on: we started it.
    Initiator(Box<Init>, Box<ike_auth::Initiator>),
    /// The same: the peer started it.
    Responder(Box<Init>, Box<ike_auth::Responder>),
    Up(Box<Established>),
    Gone,
}

impl Session {
    /// Starts an IKE SA with this peer, and `first` as its first child; instead of another one, and
    /// after a redirect from another gateway, if so.
    pub(crate) fn initiate(
        ctx: &mut Context<'_>,
        id: IkeId,
        peer: usize,
        path: Path,
        (replaces, redirected_from): (Option<IkeId>, Option<IpAddr>),
        first: Option<Wanted>,
    ) -> Result<Self, DropReason> {
        let spis = Spis {
            initiator: ctx.cookie()?,
            responder: [0; 8],
        };
        let mut session = Self::new(ctx, id, peer, Role::Initiator, path, spis);
        session.replaces = replaces;
        let frame = session.frame(ctx)?;
        let task = sa_init::Initiator::start(ctx, &frame, redirected_from)?;
        session.transition(ctx, Input::InitSa, IkeState::Idle, IkeState::WaitInit);
        session.stage = Stage::Init(Box::new(task), first);
        session.draw(ctx)?;
        Ok(session)
    }

    /// Answers the first message of a peer, which is one of `candidates`, and has `proved` with a
    /// cookie that it gets our answers, or has not: then a cookie is wanted where the answer is long.
    /// When it is refused nothing is left of it.
    pub(crate) fn respond(
        ctx: &mut Context<'_>,
        id: IkeId,
        candidates: &[usize],
        path: Path,
        (header, raw): (&Header, &[u8]),
        proved: bool,
    ) -> Result<Self, DropReason> {
        let fingerprint = fingerprint(ctx.provider, raw).ok_or(DropReason::Crypto)?;
        let message = Message::parse(raw, &ctx.config.wire).map_err(DropReason::Malformed)?;
        let spis = Spis {
            initiator: header.initiator_spi,
            responder: ctx.cookie()?,
        };
        let first = *candidates.first().ok_or(DropReason::UnknownPeer)?;
        let mut session = Self::new(ctx, id, first, Role::Responder, path, spis);
        let mut frame = session.frame(ctx)?;
        let chain = message.payloads();
        explain::received(
            ctx,
            &frame,
            Step::SaInitI,
            IkeState::Idle,
            header,
            &chain,
            raw.len(),
        );
        if let Some(answer) = sa_init::redirect(&frame, &message, &ctx.config.wire) {
            ctx.send(path, &answer);
            return Err(DropReason::Redirected);
        }
        let request = Request {
            id: 0,
            exchange: header.exchange_type,
            path,
        };
        let owed = session.window.accept(request, fingerprint);
        let octets = raw.len();
        let allowance = Allowance::new(path.remote.ip(), octets, proved);
        session.allowance = Some(Box::new(allowance));
        session.half_open_until = Some(ctx.now.saturating_add(ctx.config.limits.half_open_time));
        let most = if proved { usize::MAX } else { most_for(octets) };
        let accepted = sa_init::accept(ctx, &mut frame, candidates, &message);
        session.peer = frame.index;
        let begun = accepted
            .and_then(|accepted| accepted.within(ctx, &frame, most))
            .and_then(|accepted| session.begin(ctx, &frame, accepted, owed));
        if let Err(reason) = begun {
            if let Some(answer) = told(&reason).and_then(|t| sa_init::refuse(header, raw.len(), &t))
            {
                ctx.send(path, &answer);
            }
            return Err(reason);
        }
        Ok(session)
    }

    pub(super) fn new(
        ctx: &Context<'_>,
        id: IkeId,
        peer: usize,
        role: Role,
        path: Path,
        spis: Spis,
    ) -> Self {
        Self {
            id,
            peer,
            role,
            path,
            spis,
            created: ctx.now,
            replaces: None,
            window: Window::new(),
            crypt: None,
            stage: Stage::Gone,
            question: None,
            held: None,
            waiting: None,
            half_open_until: None,
            allowance: None,
            failed: None,
            buried: false,
            successors: Vec::new(),
        }
    }

    pub(super) fn frame<'c>(&self, ctx: &Context<'c>) -> Result<Frame<'c>, DropReason> {
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
            spis: self.spis,
            replaces: self.replaces,
        })
    }

    /// The SA after IKE_AUTH.
    pub(crate) fn up(&self) -> Option<&Established> {
        match &self.stage {
            Stage::Up(up) => Some(up),
            _ => None,
        }
    }

    /// The SA after IKE_AUTH.
    pub(super) fn up_mut(&mut self) -> Option<&mut Established> {
        match &mut self.stage {
            Stage::Up(up) => Some(up),
            _ => None,
        }
    }

    /// Whether it is authenticated and no other SA has taken over.
    pub(crate) fn is_current(&self) -> bool {
        self.up().is_some_and(|up| !up.replaced)
    }

    /// Whether its peer can only be asked for a sign of life by a new SA. RFC 7296 §2.4: every peer
    /// answers an empty request.
    #[expect(clippy::unused_self, reason = "the question is put to either version")]
    pub(crate) const fn is_silent_since(&self, _: Duration) -> bool {
        false
    }

    /// Whether each request of the peer either has its answer or waits for one of the embedder.
    pub(crate) fn is_consistent(&self) -> bool {
        let waits = self.waiting.is_some();
        let asks = self.question.is_some() || self.held.is_some();
        self.is_gone() || self.window.unanswered() == usize::from(waits) && (asks || !waits)
    }

    /// Whether nothing can come of it any more.
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// The field's name of its state.
    pub(crate) const fn state(&self) -> IkeState {
        match &self.stage {
            Stage::Init(..) | Stage::Agreed(..) | Stage::Accepted(_) => IkeState::WaitInit,
            Stage::Initiator(..) | Stage::Responder(..) => IkeState::WaitAuth,
            Stage::Up(_) => IkeState::Up,
            Stage::Gone => IkeState::Deleting,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let first = [
            (self.window.deadline(), DeadlineReason::Retransmit),
            (
                self.question.map(|(_, until, _)| until),
                DeadlineReason::Question,
            ),
            (
                self.held.as_ref().map(|(at, _)| *at),
                DeadlineReason::Question,
            ),
            (self.half_open_until, DeadlineReason::HalfOpen),
            (
                self.crypt.as_ref().and_then(|crypt| crypt.deadline()),
                DeadlineReason::Fragments,
            ),
        ]
        .into_iter()
        .fold(None, |first, (at, why)| earliest(first, deadline(at, why)));
        earliest(first, self.up().and_then(Established::deadline))
    }

    /// Takes in a message with this SA's SPIs.
    pub(crate) fn receive(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        let header = Header::read(raw).map_err(DropReason::Malformed)?;
        // RFC 7296 §2.2: the original initiator sets the I bit in all its messages, and no one else.
        if header.flags.contains(Flags::INITIATOR) == (self.role == Role::Initiator) {
            return Err(DropReason::Reflected);
        }
        if header.flags.contains(Flags::RESPONSE) {
            self.receive_response(ctx, path, &header, raw)
        } else {
            self.receive_request(ctx, path, &header, raw)
        }
    }

    fn receive_request(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        header: &Header,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        let id = header.message_id;
        let fingerprint = fingerprint(ctx.provider, raw).ok_or(DropReason::Crypto)?;
        let incoming = self.window.classify(id, &fingerprint);
        if !matches!(incoming, Incoming::Repeated(_))
            && let Some(outcome) = self.asked_to_synchronize(ctx, path, header, raw, &fingerprint)
        {
            return outcome;
        }
        match incoming {
            // RFC 6311 §8.1: what it is cannot be told before the counters agree.
            Incoming::Fresh if self.is_synchronizing() => {
                return Err(DropReason::OutsideWindow(id));
            }
            Incoming::Fresh => {}
            Incoming::Repeated(answer) => {
                if let Some(answer) = answer {
                    self.answer_again(ctx, (id, path), raw.len(), &answer);
                }
                return Ok(Outcome::Repeated);
            }
            Incoming::Conflicting => return self.asked_again(ctx, path, id, raw),
            Incoming::Stale => return Err(DropReason::Stale),
            Incoming::Ahead => return Err(DropReason::OutsideWindow(id)),
        }
        let message = Message::parse(raw, &ctx.config.wire).map_err(DropReason::Malformed)?;
        if self.crypt.is_none() {
            return Err(DropReason::NoKeyYet);
        }
        let takes = match &self.stage {
            Stage::Responder(..) | Stage::Up(_) => true,
            // Who was turned away is answered as long as its IKE SA is kept.
            Stage::Gone => self.failed.is_some(),
            // A request that overtakes the end of IKE_AUTH is taken in when it comes again.
            Stage::Init(..) | Stage::Agreed(..) | Stage::Accepted(_) | Stage::Initiator(..) => {
                false
            }
        };
        if !takes {
            return Err(DropReason::UnexpectedExchange(header.exchange_type));
        }
        let Some(whole) = self.open(ctx, &message, fingerprint)? else {
            self.receives(ctx, path, raw.len());
            return Ok(Outcome::Handled);
        };
        self.receives(ctx, path, raw.len());
        self.follow(ctx, path);
        let exchange = header.exchange_type;
        let request = Request { id, exchange, path };
        // The sender has the keys. From here on its request is owed a response.
        let owed = self.window.accept(request, whole.fingerprint.clone());
        self.take_in(ctx, owed, header, whole);
        Ok(Outcome::Handled)
    }

    /// Works on a request that is authentic and new.
    fn take_in(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        header: &Header,
        whole: Whole,
    ) -> Settled {
        match (&self.stage, header.exchange_type) {
            (Stage::Up(_), _) => self.up_request(ctx, owed, header, whole.inner),
            (Stage::Responder(..), ExchangeType::INFORMATIONAL_V2) => {
                self.early_request(ctx, owed, &whole.inner)
            }
            (Stage::Responder(init, _), exchange) if exchange == init.additional.exchange() => {
                match exchange {
                    ExchangeType::IKE_INTERMEDIATE => {
                        self.intermediate_request(ctx, owed, header, whole)
                    }
                    _ => self.auth_request(ctx, owed, header, whole.inner),
                }
            }
            // An initiator that refuses us too says so in an exchange of its own (RFC 7296 §2.21.2).
            (Stage::Gone, ExchangeType::INFORMATIONAL_V2) => {
                self.respond_with(ctx, owed, &Inner::empty())
            }
            (Stage::Gone, _) => self.refuse(ctx, owed, &DropReason::AuthenticationFailed),
            // RFC 7296 §1: "all IKE_AUTH exchanges MUST complete" before others.
            (_, exchange) => {
                self.refuse_early(ctx, owed, &DropReason::UnexpectedExchange(exchange))
            }
        }
    }

    fn receive_response(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        header: &Header,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        let id = header.message_id;
        if id == 0 && self.is_synchronizing() {
            return self.synchronized(ctx, header, raw);
        }
        if !self.window.awaits(id) {
            return Err(DropReason::Stale);
        }
        let message = Message::parse(raw, &ctx.config.wire).map_err(DropReason::Malformed)?;
        if let Stage::Init(..) = self.stage {
            return self.init_response(ctx, path, &message);
        }
        let expected = match &self.stage {
            Stage::Initiator(init, _) => Some(init.additional.exchange()),
            Stage::Up(up) => up.exchange_of(id),
            // The peer has heard that we give up.
            Stage::Gone => Some(ExchangeType::INFORMATIONAL_V2),
            Stage::Init(..) | Stage::Agreed(..) | Stage::Accepted(_) | Stage::Responder(..) => None,
        };
        if expected != Some(header.exchange_type) {
            return Err(DropReason::UnexpectedExchange(header.exchange_type));
        }
        if message.protected().is_none() {
            return Err(unprotected(&message, &ctx.config.wire));
        }
        let fingerprint = fingerprint(ctx.provider, raw).ok_or(DropReason::Crypto)?;
        let Some(whole) = self.open(ctx, &message, fingerprint)? else {
            return Ok(Outcome::Handled);
        };
        self.window.answered(id);
        match (&self.stage, header.exchange_type) {
            (Stage::Initiator(..), ExchangeType::IKE_INTERMEDIATE) => {
                self.intermediate_response(ctx, header, whole);
            }
            (Stage::Initiator(..), _) => self.auth_response(ctx, header, whole.inner),
            _ => {
                self.follow(ctx, path);
                self.up_response(ctx, id, header, whole.inner);
            }
        }
        Ok(Outcome::Handled)
    }

    /// Authenticates and decrypts a message. A fragment gives nothing until all are there.
    fn open(
        &mut self,
        ctx: &Context<'_>,
        message: &Message<'_>,
        fingerprint: Digest,
    ) -> Result<Option<Whole>, DropReason> {
        let fragment = message.protected().is_some_and(|p| p.fragment.is_some());
        if fragment && self.fragment(ctx).is_none() {
            // RFC 7383 §2.3: never without both having announced it.
            return Err(DropReason::UnexpectedMessage);
        }
        let crypt = self.crypt.as_mut().ok_or(DropReason::NoKeyYet)?;
        crypt.take(message, fingerprint, ctx.now)
    }

    /// The peer has proved with a new message that it is at the other end of this path.
    fn follow(&mut self, ctx: &mut Context<'_>, path: Path) {
        if path == self.path {
            return;
        }
        match &self.stage {
            // RFC 7296 §2.23: the initiator has moved to port 4500, or its NAT has.
            Stage::Responder(..) => self.path = path,
            Stage::Up(up) => {
                let verdict = up.verdict.unwrap_or_default();
                let (here, seen) = (self.path.remote, path.remote);
                // RFC 4555 §3.8: with MOBIKE no packet but UPDATE_SA_ADDRESSES moves the SA.
                if !up.mobike
                    && path.natt == self.path.natt
                    && nat_t::follow(verdict, false, here, seen).is_some()
                {
                    self.settle_at(ctx, path);
                }
            }
            _ => {}
        }
    }

    pub(super) fn settle_at(&mut self, ctx: &mut Context<'_>, path: Path) {
        if self.path != path {
            self.path = path;
            ctx.effect(Effect::Moved(self.id));
        }
    }

    /// An ESP packet of a child of this SA has come from another address.
    pub(crate) fn moved(
        &mut self,
        ctx: &mut Context<'_>,
        remote: SocketAddr,
    ) -> Result<(), DropReason> {
        let up = self.up().ok_or(DropReason::WrongState)?;
        let verdict = up.verdict.unwrap_or_default();
        let remote = nat_t::follow(verdict, false, self.path.remote, remote)
            .ok_or(DropReason::AlreadyUnderWay)?;
        let path = Path {
            remote,
            ..self.path
        };
        self.settle_at(ctx, path);
        Ok(())
    }

    fn init_response(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        message: &Message<'_>,
    ) -> Result<Outcome, DropReason> {
        if message.header.exchange_type != ExchangeType::IKE_SA_INIT {
            return Err(DropReason::UnexpectedExchange(message.header.exchange_type));
        }
        let mut frame = self.frame(ctx)?;
        if frame.path.local.ip().is_unspecified() {
            // The route to the peer has shown which address of ours it uses.
            frame.path.local.set_ip(path.local.ip());
        }
        let Stage::Init(task, first) = &mut self.stage else {
            return Err(DropReason::WrongState);
        };
        let (chain, len) = (message.payloads(), message.raw().len());
        let (step, state) = (Step::SaInitR, IkeState::WaitInit);
        explain::received(ctx, &frame, step, state, &message.header, &chain, len);
        match task.receive(ctx, &frame, message)? {
            Reply::Again(request) => {
                let request = Datagrams::from(request);
                send(ctx, frame.path, &request);
                self.window.resent(0, request, ctx.now, ctx.rng);
                self.transition(ctx, Input::AskAgain, state, state);
            }
            Reply::Draw => {
                self.path.local = frame.path.local;
                self.draw(ctx)?;
            }
            Reply::Redirect(to, request) => {
                let request = Datagrams::from(request);
                self.path = frame.path;
                self.path.remote.set_ip(to);
                send(ctx, self.path, &request);
                self.window.resent(0, request, ctx.now, ctx.rng);
                self.transition(ctx, Input::AskAgain, state, state);
            }
            Reply::Hint => {
                let hint = task.hint.map_or(0, |notify| notify.0);
                ctx.note(
                    Some(self.id),
                    What::Notified {
                        version: IkeVersion::V2,
                        notify: hint,
                        authenticated: false,
                        message_id: 0,
                    },
                );
            }
            Reply::Settled(agreed) => {
                let first = first.clone();
                self.settled(ctx, &frame, agreed, first)?;
            }
        }
        Ok(Outcome::Handled)
    }

    /// Deadlines of this SA have come.
    pub(crate) fn on_deadline(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        if let Some((ticket, ..)) = self.question.take_if(|(_, until, _)| *until <= now) {
            ctx.world.questions.close(ticket);
            return self.unanswered(ctx);
        }
        if let Some((_, question)) = self.held.take_if(|(at, _)| *at <= now) {
            return self.ask(ctx, *question);
        }
        if self.half_open_until.is_some_and(|until| until <= now) {
            let reason = self.failed.unwrap_or(CloseReason::Timeout);
            self.refuse_waiting(ctx);
            return self.end(ctx, reason);
        }
        if let Some(crypt) = &mut self.crypt {
            crypt.expire(now);
        }
        for due in self.window.overdue(now, ctx.rng) {
            match due {
                Overdue::Resend(request) => {
                    if matches!(self.stage, Stage::Initiator(..))
                        && let Ok(frame) = self.frame(ctx)
                    {
                        ike_auth::doubt_proof(ctx, &frame, false);
                    }
                    send(ctx, self.path, &request);
                }
                Overdue::GiveUp(id) if self.try_another_path(ctx) => {
                    if let Some(request) = self.window.renew(id, now, ctx.rng) {
                        send(ctx, self.path, &request);
                    }
                }
                Overdue::GiveUp(id) => {
                    self.window.answered(id);
                    return self.silent(ctx);
                }
            }
        }
        self.up_deadline(ctx);
    }

    /// A request of ours was repeated often enough.
    pub(super) fn silent(&mut self, ctx: &mut Context<'_>) {
        match &mut self.stage {
            Stage::Init(task, _) => {
                // RFC 7296 §2.21.1: an error that nothing authenticated counts now.
                let hint = task.hint.map(|n| CloseReason::RefusedUnproven(n.0));
                self.end(ctx, hint.unwrap_or(CloseReason::Timeout));
            }
            // Whether the peer lives is seen at the SA that has taken over.
            Stage::Up(up) if up.replaced => {
                let reason = up.closing_reason().unwrap_or(CloseReason::Timeout);
                self.end(ctx, reason);
            }
            Stage::Up(_) => ctx.effect(Effect::PeerDead(self.id)),
            _ => self.end(ctx, CloseReason::Timeout),
        }
    }

    /// Ends the SA without a word.
    pub(super) fn end(&mut self, ctx: &mut Context<'_>, reason: CloseReason) {
        self.window.stop();
        self.end_speaking(ctx, reason);
    }

    /// Ends the SA; a request of ours that is under way is repeated until it is answered.
    pub(super) fn end_speaking(&mut self, ctx: &mut Context<'_>, reason: CloseReason) {
        self.drop_exchanges(ctx, reason);
        let stage = core::mem::replace(&mut self.stage, Stage::Gone);
        if let (Stage::Initiator(_, mut task), Ok(frame)) = (stage, self.frame(ctx)) {
            self.give_up_child(ctx, &frame, &mut task, reason);
        }
        self.question = None;
        self.held = None;
        self.waiting = None;
        self.half_open_until = None;
        ctx.effect(Effect::Closed(self.id, reason));
    }

    /// Whether it is over and only answers what was answered before.
    pub(crate) const fn is_buried(&self) -> bool {
        self.buried
    }

    /// It is over. Keeps its last answers until then where it `stood`, and a last request; false when
    /// it has none.
    pub(crate) fn bury(&mut self, until: Duration, stood: bool) -> bool {
        self.buried = self.window.is_waiting() || stood && self.window.has_answers();
        self.half_open_until = Some(until).filter(|_| self.buried);
        self.buried
    }

    pub(super) fn transition(
        &self,
        ctx: &mut Context<'_>,
        input: Input,
        from: IkeState,
        to: IkeState,
    ) {
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
}
