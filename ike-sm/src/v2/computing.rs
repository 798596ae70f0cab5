//! Exchanges of ours for which the embedder computes: the key pair before the request, the shared secret
//! after the response.
//!
//! What is to begin stays first among those that wait, and an exchange whose response is here stays among
//! those under way: whatever depends on them sees them as before.

use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::GroupId;

use super::create_child::IkeTask;
use super::established::{Established, Want};
use super::payloads::Payloads;
use super::protect::Inner;
use super::series::agreement;
use super::session::Session;
use crate::action::Question;
use crate::context::{Context, Place};
use crate::event::Answer;
use crate::id::Ticket;
use crate::job::{Computed, KeyExchangeDone};
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

/// The key pair of the exchange that is to begin next.
#[derive(Debug, Default)]
pub(super) struct NextPair {
    /// Asked for.
    drawing: Option<(Ticket, Duration)>,
    /// There, or refused.
    drawn: Computed,
}

impl NextPair {
    /// The key pair, for the exchange that begins now.
    pub(super) const fn take(&mut self) -> Computed {
        self.drawn.take()
    }
}

impl NextPair {
    /// Nothing begins: no key pair is kept.
    pub(super) fn forget(&mut self) {
        self.drawn = None;
    }
}

impl Established {
    /// Whether another exchange may begin beside those whose shared secret is being computed.
    pub(super) const fn may_compute(&self) -> bool {
        self.computing.len() < MAX_COMPUTING
    }

    /// When the first answer should be there.
    pub(super) fn computing_until(&self) -> Option<Duration> {
        let drawing = self.next_pair.drawing.map(|(_, until)| until);
        let computing = self.computing.iter().map(|waits| waits.until);
        computing.chain(drawing).min()
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
    /// Whether the next exchange that is to begin waits for its key pair, which is asked for.
    pub(super) fn waits_for_pair(&mut self, ctx: &mut Context<'_>) -> bool {
        let Some(up) = self.up() else { return false };
        let (asked, wants) = (up.next_pair.drawing.is_some(), self.next_group(ctx));
        let drawn = match (&up.next_pair.drawn, wants) {
            (Some(Some(done)), Some(id)) => done.group() == id,
            (Some(None), Some(_)) => true,
            _ => false,
        };
        let Some(id) = wants.filter(|_| !drawn) else {
            return false;
        };
        // One key pair after the other, also where what is to begin has changed meanwhile.
        if asked {
            return true;
        }
        let question = ctx.provider.group(id).and_then(|group| ctx.key_pair(group));
        let Some(question) = question else {
            return false;
        };
        let place = Place::Exchange(self.window.next_id());
        let ticket = ctx.ask(self.id, place, question);
        let until = ctx.now.saturating_add(ctx.config.limits.question_time);
        if let Some(up) = self.up_mut() {
            up.next_pair = NextPair {
                drawing: Some((ticket, until)),
                drawn: None,
            };
        }
        true
    }

    /// The group of the key pair that the next exchange begins with.
    fn next_group(&self, ctx: &Context<'_>) -> Option<GroupId> {
        match self.up()?.queue.front()? {
            Want::Child(wanted) => self.group_for(ctx, wanted),
            Want::RekeyIke(group) => IkeTask::group(&self.frame(ctx).ok()?, *group),
            Want::FollowUp(task) => task.next_group(),
            _ => None,
        }
    }

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

    /// What was asked for an exchange of ours is there, or will not come.
    pub(super) fn computed(
        &mut self,
        ctx: &mut Context<'_>,
        ticket: Ticket,
        answer: Answer,
    ) -> Result<(), DropReason> {
        let up = self.up_mut().ok_or(DropReason::UnknownTicket)?;
        let draws = up.next_pair.drawing.is_some_and(|(open, _)| open == ticket);
        if !draws && !up.computing.iter().any(|waits| waits.ticket == ticket) {
            return Err(DropReason::UnknownTicket);
        }
        let Answer::KeyExchange(done) = answer else {
            return Err(DropReason::WrongAnswer);
        };
        if draws {
            self.pair_drawn(ctx, done);
            return Ok(());
        }
        if let Some(waits) = up.computed(|waits| waits.ticket == ticket) {
            self.up_finish(ctx, waits.id, &waits.inner, Some(done));
        }
        Ok(())
    }

    fn pair_drawn(&mut self, ctx: &mut Context<'_>, done: Option<KeyExchangeDone>) {
        if let Some(up) = self.up_mut() {
            up.next_pair = NextPair {
                drawing: None,
                drawn: Some(done),
            };
        }
        self.pump(ctx);
    }

    /// Goes on where nobody has answered.
    pub(super) fn not_computed(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        if let Some(up) = self.up_mut()
            && let Some((ticket, _)) = up.next_pair.drawing.take_if(|(_, until)| *until <= now)
        {
            ctx.world.questions.close(ticket);
            self.pair_drawn(ctx, None);
        }
        while let Some(up) = self.up_mut()
            && let Some(waits) = up.computed(|waits| waits.until <= now)
        {
            ctx.world.questions.close(waits.ticket);
            self.up_finish(ctx, waits.id, &waits.inner, Some(None));
        }
    }
}
