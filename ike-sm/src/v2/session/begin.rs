//! IKE_SA_INIT, before and after our half of its key exchange.

use alloc::boxed::Box;

use bytes::Bytes;
use isakmp_wire::Header;

use super::{Session, Stage, send};
use crate::child::Wanted;
use crate::context::Context;
use crate::core::effects::Effect;
use crate::event::job::{Computed, KeyExchangeDone};
use crate::model::{CloseReason, DropReason, IkeState, Input, Step};
use crate::v2::crypt::Crypt;
use crate::v2::error::told;
use crate::v2::frame::Frame;
use crate::v2::sa_init::{self, Accepted, Agreed};
use crate::v2::window::{Datagrams, Owed, Settled};
use crate::v2::{explain, ike_auth, nat};

impl Session {
    /// Answers a request that is agreed to, or asks for our half of its key exchange.
    pub(super) fn begin(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        accepted: Accepted,
        owed: Owed,
    ) -> Result<Settled, DropReason> {
        if let Some(question) = accepted.question(ctx)? {
            self.stage = Stage::Accepted(Box::new(accepted));
            return Ok(self.ask_for(ctx, question, owed));
        }
        let exchanged = accepted.exchange(ctx)?;
        let response = self.begun(ctx, frame, accepted, &exchanged)?;
        Ok(self.answer_with(ctx, owed, response.into()))
    }

    /// Initiator: sends the request with the next key pair, or asks for that.
    pub(super) fn draw(&mut self, ctx: &mut Context<'_>) -> Result<(), DropReason> {
        let Stage::Init(task, _) = &self.stage else {
            return Err(DropReason::WrongState);
        };
        match task.question(ctx)? {
            Some(question) => {
                self.ask(ctx, question);
                Ok(())
            }
            None => self.drawn(ctx, None),
        }
    }

    /// Initiator: the key pair of IKE_SA_INIT is there, or will not come.
    pub(super) fn init_drawn(&mut self, ctx: &mut Context<'_>, done: Option<KeyExchangeDone>) {
        // The request with another group, where one is out, may still be answered.
        if self.drawn(ctx, Some(done)).is_err() && !self.window.awaits(0) {
            self.end(ctx, CloseReason::Refused);
        }
    }

    fn drawn(&mut self, ctx: &mut Context<'_>, computed: Computed) -> Result<(), DropReason> {
        let frame = self.frame(ctx)?;
        let Stage::Init(task, _) = &mut self.stage else {
            return Err(DropReason::WrongState);
        };
        let request = task.draw(ctx, &frame, computed)?;
        let state = IkeState::WaitInit;
        if self.window.awaits(0) {
            let request = Datagrams::from(request);
            send(ctx, frame.path, &request);
            self.window.resent(0, request, ctx.now, ctx.rng);
            self.transition(ctx, Input::AskAgain, state, state);
        } else {
            explain::sent_clear(ctx, &frame, Step::SaInitI, state, &request);
            let patience = frame.peer.retransmit;
            self.transmit(ctx, request.into(), &patience);
        }
        Ok(())
    }

    /// Initiator: goes on with what IKE_SA_INIT has settled, or asks for the shared secret.
    pub(super) fn settled(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: Box<Agreed>,
        first: Option<Wanted>,
    ) -> Result<(), DropReason> {
        let frame = agreed.frame(frame);
        let question = agreed.question(ctx);
        let crypt = match question {
            Some(_) => None,
            // Nothing protects the response: what is refused uses nothing up.
            None => Some(agreed.crypt(ctx, &frame, None)?),
        };
        self.spis = frame.spis;
        self.path = nat::float(ctx, &frame, agreed.verdict(), frame.path);
        self.window.answered(0);
        // A key pair of another group is not needed any more.
        if let Some((ticket, ..)) = self.question.take() {
            ctx.world.questions.close(ticket);
        }
        ctx.effect(Effect::CookiesKnown(self.id));
        match crypt {
            Some(crypt) => self.init_over(ctx, *agreed, first, crypt),
            None => self.stage = Stage::Agreed(agreed, first),
        }
        if let Some(question) = question {
            self.ask(ctx, question);
        }
        Ok(())
    }

    /// Initiator: the shared secret of IKE_SA_INIT is there, or will not come.
    fn init_computed(&mut self, ctx: &mut Context<'_>, done: Option<KeyExchangeDone>) {
        let Stage::Agreed(agreed, first) = core::mem::replace(&mut self.stage, Stage::Gone) else {
            return;
        };
        let frame = self.frame(ctx);
        match frame.and_then(|frame| agreed.crypt(ctx, &frame, Some(done))) {
            Ok(crypt) => self.init_over(ctx, *agreed, first, crypt),
            Err(_) => self.end(ctx, CloseReason::Refused),
        }
    }

    fn init_over(
        &mut self,
        ctx: &mut Context<'_>,
        agreed: Agreed,
        first: Option<Wanted>,
        crypt: Box<Crypt>,
    ) {
        self.crypt = Some(crypt);
        let task = ike_auth::Initiator::new(first);
        self.stage = Stage::Initiator(agreed.into_init(), Box::new(task));
        self.transition(ctx, Input::RecvInit, IkeState::WaitInit, IkeState::WaitAuth);
        self.go_on(ctx);
    }

    /// Our half of a key exchange is there, or will not come.
    pub(super) fn exchanged(&mut self, ctx: &mut Context<'_>, done: Option<KeyExchangeDone>) {
        match &self.stage {
            Stage::Init(..) => return self.init_drawn(ctx, done),
            Stage::Agreed(..) => return self.init_computed(ctx, done),
            Stage::Initiator(..) => return self.intermediate_computed(ctx, done),
            _ => {}
        }
        let Some(owed) = self.waiting.take() else {
            return;
        };
        match &self.stage {
            Stage::Accepted(_) => self.init_exchanged(ctx, owed, done),
            Stage::Responder(..) => self.intermediate_exchanged(ctx, owed, done),
            _ => self.resume(ctx, owed, |known| known.exchanged = Some(done)),
        };
    }

    fn init_exchanged(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        done: Option<KeyExchangeDone>,
    ) -> Settled {
        let stage = core::mem::replace(&mut self.stage, Stage::Gone);
        let (Stage::Accepted(accepted), Some(done)) = (stage, done) else {
            return self.end_owing(ctx, CloseReason::Refused, owed);
        };
        let (request, path) = (accepted.request().clone(), self.path);
        let begun = self.frame(ctx).and_then(|frame| {
            let exchanged = accepted.exchanged(done)?;
            self.begun(ctx, &frame, *accepted, &exchanged)
        });
        let reason = match begun {
            Ok(response) => return self.answer_with(ctx, owed, response.into()),
            Err(reason) => reason,
        };
        if let (Some(told), Ok(header)) = (told(&reason), Header::read(&request))
            && let Some(answer) = sa_init::refuse(&header, request.len(), &told)
        {
            ctx.send(path, &answer);
        }
        self.end_owing(ctx, CloseReason::Refused, owed)
    }

    /// `<-- HDR, SAr1, KEr, Nr`
    fn begun(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        accepted: Accepted,
        exchanged: &(alloc::vec::Vec<u8>, crypto_suite::Secret),
    ) -> Result<Bytes, DropReason> {
        let (init, crypt) = accepted.answer(ctx, frame, exchanged)?;
        let response = init.response.clone();
        explain::sent_clear(ctx, frame, Step::SaInitR, IkeState::WaitAuth, &response);
        self.transition(ctx, Input::RecvInit, IkeState::Idle, IkeState::WaitAuth);
        self.crypt = Some(crypt);
        self.stage = Stage::Responder(init, Box::default());
        Ok(response)
    }
}
