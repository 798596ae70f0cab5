//! Responses to exchanges of ours that wait: the embedder computes the shared secret, while other
//! exchanges of the IKE SA go on.
//!
//! The exchange stays among those under way, so that whatever depends on it sees it as before.

use alloc::vec::Vec;
use core::time::Duration;

use super::established::Established;
use super::payloads::Payloads;
use super::protect::Inner;
use super::series::agreement;
use super::session::Session;
use crate::action::Question;
use crate::context::{Context, Place};
use crate::event::Answer;
use crate::id::Ticket;
use crate::outcome::DropReason;

/// So many responses of one IKE SA may wait before no further exchange of ours begins under it. Those
/// that are out by then may join them: as many as the window of the peer is wide.
const MAX_COMPUTING: usize = 4;

/// A response whose shared secret the embedder computes.
#[derive(Debug)]
pub(super) struct Computing {
    /// The message ID of the exchange.
    id: u32,
    inner: Inner,
    ticket: Ticket,
    /// When it is too late for the answer.
    until: Duration,
}

impl Established {
    /// Whether another exchange may begin beside those whose shared secret is being computed.
    pub(super) const fn may_compute(&self) -> bool {
        self.computing.len() < MAX_COMPUTING
    }

    /// When the first shared secret should be there.
    pub(super) fn computing_until(&self) -> Option<Duration> {
        self.computing.iter().map(|waits| waits.until).min()
    }

    fn computed(&mut self, which: impl Fn(&Computing) -> bool) -> Option<Computing> {
        let place = self.computing.iter().position(which)?;
        let waits = self.computing.swap_remove(place);
        if self.computing.is_empty() {
            self.computing = Vec::new();
        }
        Some(waits)
    }
}

impl Session {
    /// Leaves a response until the embedder has computed its shared secret. Gives it back where there
    /// is none, or where it is computed here.
    pub(super) fn or_compute(
        &mut self,
        ctx: &mut Context<'_>,
        id: u32,
        inner: Inner,
    ) -> Option<Inner> {
        let Some(question) = self.secret_of(ctx, id, &inner) else {
            return Some(inner);
        };
        let ticket = ctx.ask(self.id, Place::Exchange(id), question);
        let until = ctx.now.saturating_add(ctx.config.limits.question_time);
        self.up_mut()?.computing.push(Computing {
            id,
            inner,
            ticket,
            until,
        });
        None
    }

    fn secret_of(&self, ctx: &Context<'_>, id: u32, inner: &Inner) -> Option<Question> {
        let pair = self.up()?.tasks.get(&id)?.pair()?;
        let limits = ctx.config.wire;
        let payloads = Payloads::read(&inner.payloads(&limits).ok()?, &limits).ok()?;
        agreement(ctx, pair, &payloads.key_exchange?)
    }

    /// The shared secret of an exchange of ours is there, or will not come.
    pub(super) fn computed(
        &mut self,
        ctx: &mut Context<'_>,
        ticket: Ticket,
        answer: Answer,
    ) -> Result<(), DropReason> {
        let up = self.up_mut().ok_or(DropReason::UnknownTicket)?;
        if !up.computing.iter().any(|waits| waits.ticket == ticket) {
            return Err(DropReason::UnknownTicket);
        }
        let Answer::KeyExchange(done) = answer else {
            return Err(DropReason::WrongAnswer);
        };
        if let Some(waits) = up.computed(|waits| waits.ticket == ticket) {
            self.up_finish(ctx, waits.id, &waits.inner, Some(done));
        }
        Ok(())
    }

    /// Goes on where nobody has answered.
    pub(super) fn not_computed(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        while let Some(up) = self.up_mut()
            && let Some(waits) = up.computed(|waits| waits.until <= now)
        {
            ctx.world.questions.close(waits.ticket);
            self.up_finish(ctx, waits.id, &waits.inner, Some(None));
        }
    }
}
