//! IKE_AUTH as part of a session: rounds, questions, and what follows from their end.

use alloc::boxed::Box;

use isakmp_wire::Header;
use isakmp_wire::registry::ExchangeType;

use super::{Session, Stage};
use crate::child::DeletedChild;
use crate::context::Context;
use crate::core::effects::Effect;
use crate::core::questions::Place;
use crate::event::{Action, Answer, Question, What};
use crate::model::{
    ChildId, CloseReason, DropReason, IkeState, IkeVersion, Input, Role, Step, Ticket,
};
use crate::v2::answer::Known;
use crate::v2::child::{Under, install};
use crate::v2::crypt::Crypt;
use crate::v2::established::Established;
use crate::v2::frame::Frame;
use crate::v2::ike_auth::{self, Progress, Proved, RefusedChild, Round};
use crate::v2::keys::Fresh;
use crate::v2::protect::Inner;
use crate::v2::redirect::Redirected;
use crate::v2::sa_init::Init;
use crate::v2::window::{Owed, Settled};
use crate::v2::{explain, informational};

impl Session {
    /// What a round of IKE_AUTH works with.
    fn round<'r>(&self, frame: Frame<'r>, init: &'r Init, crypt: &'r Crypt) -> Round<'r> {
        Round {
            frame,
            init,
            crypt,
            replaces: self.replaces.is_some(),
        }
    }

    pub(in crate::v2) fn auth_start(&mut self, ctx: &mut Context<'_>) {
        self.auth(ctx, |ctx, round, task| task.start(ctx, round));
    }

    pub(super) fn auth_response(&mut self, ctx: &mut Context<'_>, header: &Header, inner: Inner) {
        self.auth(ctx, |ctx, round, task| {
            note(ctx, &round.frame, Step::AuthR, header, &inner);
            task.receive(ctx, round, inner)
        });
    }

    /// Runs a step of IKE_AUTH as initiator.
    fn auth(
        &mut self,
        ctx: &mut Context<'_>,
        step: impl FnOnce(
            &mut Context<'_>,
            &Round<'_>,
            &mut ike_auth::Initiator,
        ) -> Progress<Option<Inner>>,
    ) {
        let Ok(frame) = self.frame(ctx) else { return };
        let stage = core::mem::replace(&mut self.stage, Stage::Gone);
        let (Stage::Initiator(init, mut task), Some(crypt)) = (stage, self.crypt.take()) else {
            return;
        };
        let progress = step(ctx, &self.round(frame, &init, &crypt), &mut task);
        self.crypt = Some(crypt);
        match progress {
            Progress::Send(inner) => {
                self.stage = Stage::Initiator(init, task);
                let exchange = ExchangeType::IKE_AUTH;
                let patience = frame.peer.retransmit;
                if let Err(_broken) = self.request(ctx, exchange, &inner, &patience) {
                    self.end(ctx, CloseReason::Crypto);
                }
            }
            Progress::Ask(question) => {
                self.stage = Stage::Initiator(init, task);
                self.ask(ctx, *question);
            }
            Progress::AskAt(at, question) => {
                self.stage = Stage::Initiator(init, task);
                self.held = Some((at, question));
            }
            Progress::Done(proved, _) => match self.proved(ctx, &init, *proved) {
                Ok(rest) => self.came_up(ctx, rest),
                Err(reason) => self.end(ctx, reason),
            },
            Progress::Fail(reason, tell) => {
                self.give_up_child(ctx, &frame, &mut task, reason);
                self.fail(ctx, reason, tell);
            }
        }
    }

    pub(super) fn give_up_child(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        task: &mut ike_auth::Initiator,
        reason: CloseReason,
    ) {
        if let Some((child, config)) = task.abandon() {
            ctx.child_failed(frame.index, config, child, reason);
        }
    }

    /// Ends an attempt of ours after IKE_SA_INIT. RFC 7296 §2.21.2: the responder, which may take
    /// the SA for established, is told in a separate INFORMATIONAL exchange.
    fn fail(&mut self, ctx: &mut Context<'_>, reason: CloseReason, tell: Option<Inner>) {
        let patience = self.frame(ctx).map(|frame| frame.peer.retransmit);
        if let (Some(inner), Ok(patience)) = (tell, patience) {
            let exchange = ExchangeType::INFORMATIONAL_V2;
            let _untold = self.request(ctx, exchange, &inner, &patience);
        }
        self.end_speaking(ctx, reason);
    }

    /// An INFORMATIONAL request before IKE_AUTH is over. "The recipient […] MUST send some response"
    /// (RFC 7296 §1.4), but the peer has proved nothing yet and gets nothing done: all that counts is
    /// that it gives up (§2.21.2).
    pub(super) fn early_request(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        inner: &Inner,
    ) -> Settled {
        let error = match informational::fatal(inner, ctx) {
            Ok(error) => error,
            Err(reason) => return self.refuse_early(ctx, owed, &reason),
        };
        if let Some(error) = error {
            ctx.note(
                Some(self.id),
                What::Notified {
                    version: IkeVersion::V2,
                    notify: error.0,
                    authenticated: true,
                    message_id: owed.id(),
                },
            );
        }
        let settled = self.respond_with(ctx, owed, &Inner::empty());
        if let Some(error) = error {
            self.turn_away(ctx, CloseReason::RefusedByPeer(error.0));
        }
        settled
    }

    /// Refuses a request before IKE_AUTH is over, and the peer with it: INVALID_SYNTAX and
    /// UNSUPPORTED_CRITICAL_PAYLOAD end an IKE SA at both ends then (RFC 7296 §2.21.2).
    pub(super) fn refuse_early(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        reason: &DropReason,
    ) -> Settled {
        self.note_refused(ctx, owed.id());
        let settled = self.refuse(ctx, owed, reason);
        self.turn_away(ctx, CloseReason::Refused);
        settled
    }

    /// Reports that a request of the peer is refused.
    pub(in crate::v2) fn note_refused(&self, ctx: &mut Context<'_>, message_id: u32) {
        let ended = What::ExchangeEnded {
            message_id,
            error: true,
            reason: "refused",
        };
        ctx.note(Some(self.id), ended);
    }

    pub(super) fn auth_request(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        header: &Header,
        inner: Inner,
    ) -> Settled {
        if let Ok(frame) = self.frame(ctx) {
            note(ctx, &frame, Step::AuthI, header, &inner);
        }
        self.auth_work(ctx, owed, |ctx, round, task| {
            task.receive(ctx, round, inner)
        })
    }

    /// Runs a step of IKE_AUTH as responder.
    fn auth_work(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        step: impl FnOnce(&mut Context<'_>, &Round<'_>, &mut ike_auth::Responder) -> Progress<Inner>,
    ) -> Settled {
        let frame = match self.frame(ctx) {
            Ok(frame) => frame,
            Err(reason) => return self.refuse(ctx, owed, &reason),
        };
        let stage = core::mem::replace(&mut self.stage, Stage::Gone);
        let (Stage::Responder(init, mut task), Some(crypt)) = (stage, self.crypt.take()) else {
            return self.end_owing(ctx, CloseReason::Refused, owed);
        };
        let progress = step(ctx, &self.round(frame, &init, &crypt), &mut task);
        self.crypt = Some(crypt);
        match progress {
            Progress::Send(inner) => {
                self.stage = Stage::Responder(init, task);
                self.respond_with(ctx, owed, &inner)
            }
            Progress::Ask(question) => {
                self.stage = Stage::Responder(init, task);
                self.ask_for(ctx, *question, owed)
            }
            Progress::AskAt(at, question) => {
                self.stage = Stage::Responder(init, task);
                match owed.wait(&mut self.waiting) {
                    Ok(settled) => {
                        self.held = Some((at, question));
                        settled
                    }
                    Err(owed) => self.refuse(ctx, owed, &DropReason::TemporaryFailure),
                }
            }
            Progress::Done(proved, answer) => match self.proved(ctx, &init, *proved) {
                Ok(rest) => {
                    let settled = self.respond_with(ctx, owed, &answer);
                    self.came_up(ctx, rest);
                    settled
                }
                Err(reason) => {
                    let settled = self.refuse(ctx, owed, &DropReason::Crypto);
                    self.turn_away(ctx, reason);
                    settled
                }
            },
            Progress::Fail(reason, tell) => {
                let settled = self.respond_with(ctx, owed, &tell);
                self.turn_away(ctx, reason);
                settled
            }
        }
    }

    /// The peer is turned away. The SA stays until its time is over, for a peer that missed the
    /// answer.
    pub(in crate::v2) fn turn_away(&mut self, ctx: &mut Context<'_>, reason: CloseReason) {
        let (from, to) = (IkeState::WaitAuth, IkeState::Deleting);
        self.transition(ctx, Input::Failed, from, to);
        self.stage = Stage::Gone;
        self.failed = Some(reason);
    }

    /// IKE_AUTH is over and both ends are who they say. A responder's last message is next.
    fn proved(
        &mut self,
        ctx: &mut Context<'_>,
        init: &Init,
        proved: Proved,
    ) -> Result<Rest, CloseReason> {
        self.peer = proved.index;
        let frame = self.frame(ctx).map_err(|_| CloseReason::Refused)?;
        if let (Some(ppk), Some(crypt)) = (&proved.ppk, self.crypt.as_mut()) {
            let mixed = crypt.keys.mix_ppk(ppk);
            mixed.map_err(|_| CloseReason::Crypto)?;
        }
        self.half_open_until = None;
        self.allowance = None;
        if let Some(size) = proved.window {
            self.window.peer_takes(size, 16);
        }
        self.window.open(frame.peer.v2.window);
        let mut up = Established::new(ctx, &frame, init, &proved);
        if let Some(assignment) = proved.assigned {
            ctx.actions.push(Action::Assigned {
                ike: self.id,
                peer: frame.peer.name.clone(),
                assignment,
            });
        }
        let (mut child, mut refused, mut not_installed) = (None, proved.refused, None);
        if let (Some(settled), Some(crypt)) = (proved.child, self.crypt.as_deref()) {
            let under = Under {
                frame,
                keys: &crypt.keys,
                remote_id: &up.remote_id,
                verdict: init.verdict,
            };
            let (id, place) = (settled.child, settled.traffic.config);
            let half = settled.half();
            let initiator = self.role == Role::Initiator;
            let fresh = Fresh {
                g_ir: None,
                nonces: init.nonces(),
                additional: &[],
            };
            match install(ctx, &under, settled, &fresh, initiator) {
                Ok(()) => child = Some(id),
                Err(_) if initiator => {
                    refused = Some(RefusedChild {
                        child: id,
                        config: place,
                        reason: CloseReason::Crypto,
                        half: Some(half),
                    });
                }
                // The message that grants it is made already.
                Err(_) => not_installed = Some(half),
            }
        }
        up.heard(ctx.now);
        self.stage = Stage::Up(Box::new(up));
        self.transition(ctx, Input::RecvAuth, IkeState::WaitAuth, IkeState::Up);
        Ok(Rest {
            child,
            refused,
            not_installed,
            redirect: proved.redirect,
            initial_contact: proved.initial_contact,
        })
    }

    /// What follows once all messages of IKE_AUTH are out.
    fn came_up(&mut self, ctx: &mut Context<'_>, rest: Rest) {
        if let Some(half) = rest.not_installed {
            self.tell_deleted(ctx, &half);
        }
        if let Some(refused) = rest.refused {
            let (config, reason) = (refused.config, refused.reason);
            // RFC 7296 §1.3.1: "If this is unacceptable to the initiator, the initiator MUST delete
            // the SA."
            if let Some(half) = refused.half {
                self.tell_deleted(ctx, &half);
            }
            ctx.child_failed(self.peer, config, refused.child, reason);
            ctx.effect(Effect::NotUp(self.peer, config, reason));
        }
        match rest.redirect {
            None => ctx.effect(Effect::Established(self.id)),
            Some(Redirected::Peer) => {
                // It stays among the half-open ones, which are bounded: it comes up for nothing.
                if let Some(up) = self.up_mut() {
                    up.passing = true;
                }
                return self.sent_away(ctx);
            }
            Some(Redirected::To(to)) => {
                ctx.effect(Effect::Redirected(self.id, to));
                return self.close(ctx, CloseReason::Redirected, true);
            }
            Some(Redirected::Astray) => return self.close(ctx, CloseReason::Refused, true),
        }
        if rest.initial_contact {
            ctx.effect(Effect::InitialContact(self.id));
        }
        if let Some(child) = rest.child {
            // Not before it is settled which older SAs are of the same device.
            ctx.effect(Effect::FirstChild(child));
        }
    }

    pub(in crate::v2) fn ask(&mut self, ctx: &mut Context<'_>, question: Question) {
        let kind = question.kind();
        let ticket = ctx.ask(self.id, Place::Phase1, question);
        let until = ctx.now.saturating_add(ctx.config.limits.question_time);
        self.question = Some((ticket, until, kind));
    }

    /// Takes in the answer to a question.
    pub(crate) fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        place: Place,
        ticket: Ticket,
        answer: Answer,
    ) -> Result<(), DropReason> {
        if let Place::Exchange(_) = place {
            return self.computed(ctx, ticket, answer);
        }
        let open = self.question.filter(|(open, ..)| *open == ticket);
        let (_, _, kind) = open.ok_or(DropReason::UnknownTicket)?;
        if kind != answer.kind() {
            return Err(DropReason::WrongAnswer);
        }
        self.question = None;
        let answer = match answer {
            Answer::KeyExchange(done) => {
                self.exchanged(ctx, done);
                return Ok(());
            }
            answer => answer,
        };
        if let Stage::Initiator(..) = self.stage {
            self.auth(ctx, |ctx, round, task| task.answer(ctx, round, answer));
        } else if let Some(owed) = self.waiting.take() {
            self.go_on_with(ctx, owed, answer);
        }
        Ok(())
    }

    /// Goes on with a request that waited for this answer.
    fn go_on_with(&mut self, ctx: &mut Context<'_>, owed: Owed, answer: Answer) -> Settled {
        if let Stage::Responder(..) = self.stage {
            return self.auth_work(ctx, owed, |ctx, round, task| {
                task.answer(ctx, round, answer)
            });
        }
        let yes = matches!(answer, Answer::Authorize(true));
        self.resume(ctx, owed, |known| known.authorized = Some(yes))
    }

    /// Whether a question is open.
    pub(in crate::v2) const fn is_asking(&self) -> bool {
        self.question.is_some()
    }

    /// Goes on with a request under the SA that waited, and with what is known now.
    pub(super) fn resume(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        learn: impl FnOnce(&mut Known),
    ) -> Settled {
        let parked = self.up_mut().and_then(|up| up.parked.take());
        let Some(mut parked) = parked.map(|parked| *parked) else {
            return self.refuse(ctx, owed, &DropReason::WrongState);
        };
        learn(&mut parked.known);
        self.up_work(ctx, owed, &parked.header, parked.inner, parked.known)
    }

    /// Nobody has answered a question of ours.
    pub(super) fn unanswered(&mut self, ctx: &mut Context<'_>) {
        if self.up().is_some() {
            if let Some(owed) = self.waiting.take() {
                self.resume(ctx, owed, |known| {
                    // A permission that was given stands; what was asked for is missing.
                    known.authorized = known.authorized.or(Some(false));
                    known.exchanged = Some(None);
                });
            }
            return;
        }
        if let Stage::Init(..) = self.stage {
            return self.init_drawn(ctx, None);
        }
        self.refuse_waiting(ctx);
        self.end(ctx, CloseReason::Refused);
    }
}

/// What is left to do when IKE_AUTH is over, besides its last message.
struct Rest {
    /// The first child, which is up.
    child: Option<ChildId>,
    refused: Option<RefusedChild>,
    /// The first child, which is granted and is not up.
    not_installed: Option<DeletedChild>,
    redirect: Option<Redirected>,
    initial_contact: bool,
}

fn note(ctx: &mut Context<'_>, frame: &Frame<'_>, step: Step, header: &Header, inner: &Inner) {
    let limits = ctx.config.wire;
    if let Ok(chain) = inner.payloads(&limits) {
        let len = usize::try_from(header.length).unwrap_or(0);
        explain::received(ctx, frame, step, IkeState::WaitAuth, header, &chain, len);
    }
}
