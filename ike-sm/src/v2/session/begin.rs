//! The peer's IKE_SA_INIT, before and after our half of its key exchange.

use alloc::boxed::Box;

use isakmp_wire::Header;

use super::{Frame, Session, Stage};
use crate::action::CloseReason;
use crate::context::Context;
use crate::explain::{IkeState, Input, Step};
use crate::job::KeyExchangeDone;
use crate::outcome::DropReason;
use crate::v2::error::told;
use crate::v2::explain;
use crate::v2::sa_init::{self, Accepted};

impl Session {
    /// Answers a request that is agreed to, or asks for our half of its key exchange.
    pub(super) fn begin(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        accepted: Accepted,
    ) -> Result<(), DropReason> {
        if let Some(question) = accepted.question(ctx)? {
            self.stage = Stage::Accepted(Box::new(accepted));
            self.ask(ctx, question);
            return Ok(());
        }
        let exchanged = accepted.exchange(ctx)?;
        self.begun(ctx, frame, accepted, &exchanged)
    }

    /// Our half of a key exchange is there, or will not come.
    pub(super) fn exchanged(&mut self, ctx: &mut Context<'_>, done: Option<KeyExchangeDone>) {
        match &self.stage {
            Stage::Accepted(_) => self.init_exchanged(ctx, done),
            Stage::Responder(..) => self.intermediate_exchanged(ctx, done),
            _ => self.resume(ctx, |known| known.exchanged = Some(done)),
        }
    }

    fn init_exchanged(&mut self, ctx: &mut Context<'_>, done: Option<KeyExchangeDone>) {
        let Stage::Accepted(accepted) = core::mem::replace(&mut self.stage, Stage::Gone) else {
            return;
        };
        let Some(done) = done else {
            return self.end(ctx, CloseReason::Refused);
        };
        let (request, path) = (accepted.request().clone(), self.path);
        let begun = self.frame(ctx).and_then(|frame| {
            let exchanged = accepted.exchanged(done)?;
            self.begun(ctx, &frame, *accepted, &exchanged)
        });
        let Err(reason) = begun else { return };
        if let (Some(told), Ok(header)) = (told(&reason), Header::read(&request))
            && let Some(answer) = sa_init::refuse(&header, request.len(), &told)
        {
            ctx.send(path, &answer);
        }
        self.end(ctx, CloseReason::Refused);
    }

    /// `<-- HDR, SAr1, KEr, Nr`
    fn begun(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        accepted: Accepted,
        exchanged: &(alloc::vec::Vec<u8>, crypto_suite::Secret),
    ) -> Result<(), DropReason> {
        let (init, crypt) = accepted.answer(ctx, frame, exchanged)?;
        let response = init.response.clone();
        explain::sent_clear(ctx, frame, Step::SaInitR, IkeState::WaitAuth, &response);
        self.transition(ctx, Input::RecvInit, IkeState::Idle, IkeState::WaitAuth);
        self.crypt = Some(crypt);
        self.stage = Stage::Responder(init, Box::default());
        self.answer_with(ctx, 0, self.path, response.into());
        Ok(())
    }
}
