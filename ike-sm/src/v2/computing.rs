//! Exchanges of ours for which the embedder computes: the key pair before the request, the shared secret
//! after the response.
//!
//! What is to begin stays first among those that wait, and an exchange whose response is here stays among
//! those under way: whatever depends on them sees them as before.

use core::time::Duration;

use crypto_suite::GroupId;

use super::create_child::IkeTask;
use super::established::{Established, Task, Want};
use super::payloads::Payloads;
use super::protect::Inner;
use super::series::agreement;
use super::session::Session;
use crate::context::Context;
use crate::core::questions::Place;
use crate::event::job::{Computed, KeyExchangeDone};
use crate::event::{Answer, Question};
use crate::model::{DropReason, Ticket};

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
    /// Asked for, until this time.
    drawing: Option<(GroupId, Ticket, Duration)>,
    /// There, or refused.
    drawn: Option<(GroupId, Option<KeyExchangeDone>)>,
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
        let drawing = self.next_pair.drawing.map(|(.., until)| until);
        let computing = self.computing.iter().map(|waits| waits.until);
        computing.chain(drawing).min()
    }

    /// Whether the response to this exchange is here, and its shared secret is being computed.
    pub(super) fn computes(&self, id: u32) -> bool {
        self.computing.iter().any(|waits| waits.id == id)
    }

    fn computed(&mut self, ticket: Ticket) -> Option<Computing> {
        let mut all = self.computing.iter();
        let place = all.position(|waits| waits.ticket == ticket)?;
        Some(self.computing.swap_remove(place))
    }
}

impl Session {
    /// The key pair for the exchange that begins next, if the embedder has drawn it; `None` while it is
    /// asked for.
    pub(super) fn pair_for_next(&mut self, ctx: &mut Context<'_>) -> Option<Computed> {
        let Some(id) = self.next_group(ctx) else {
            return Some(None);
        };
        let next = &mut self.up_mut()?.next_pair;
        if let Some((_, done)) = next.drawn.take_if(|(drawn, _)| *drawn == id) {
            return Some(Some(done));
        }
        if next.drawing.is_some_and(|(drawing, ..)| drawing == id) {
            return None;
        }
        // What is to begin has changed: another key pair is needed, or none from elsewhere.
        let before = core::mem::take(next);
        if let Some((_, ticket, _)) = before.drawing {
            ctx.world.questions.close(ticket);
        }
        let question = ctx.provider.group(id).and_then(|group| ctx.key_pair(group));
        let Some(question) = question else {
            return Some(None);
        };
        let place = Place::Exchange(self.window.next_id());
        let ticket = ctx.ask(self.id, place, question);
        let until = ctx.now.saturating_add(ctx.config.limits.question_time);
        self.up_mut()?.next_pair.drawing = Some((id, ticket, until));
        None
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
        if !ctx.config.offload.asks_for(pair.group()) {
            return None;
        }
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
        let drawing = up.next_pair.drawing.filter(|(_, open, _)| *open == ticket);
        if drawing.is_none() && !up.computing.iter().any(|waits| waits.ticket == ticket) {
            return Err(DropReason::UnknownTicket);
        }
        let Answer::KeyExchange(done) = answer else {
            return Err(DropReason::WrongAnswer);
        };
        if let Some((id, ..)) = drawing {
            self.pair_drawn(ctx, id, done);
            return Ok(());
        }
        if let Some(waits) = up.computed(ticket) {
            self.up_finish(ctx, waits.id, &waits.inner, Some(done));
        }
        Ok(())
    }

    fn pair_drawn(&mut self, ctx: &mut Context<'_>, id: GroupId, done: Option<KeyExchangeDone>) {
        if let Some(up) = self.up_mut() {
            up.next_pair = NextPair {
                drawing: None,
                drawn: Some((id, done)),
            };
        }
        self.pump(ctx);
    }

    /// Goes on where nobody has answered.
    pub(super) fn not_computed(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        let due = |(.., until): &mut (GroupId, Ticket, Duration)| *until <= now;
        if let Some(up) = self.up_mut()
            && let Some((id, ticket, _)) = up.next_pair.drawing.take_if(due)
        {
            ctx.world.questions.close(ticket);
            self.pair_drawn(ctx, id, None);
        }
        self.go_on_without(ctx, |waits, _| waits.until <= now);
    }

    /// Finishes our rekeys of the IKE SA, which is about to be over: the peer has what came of them.
    pub(super) fn finish_rekeys(&mut self, ctx: &mut Context<'_>) {
        self.go_on_without(ctx, |_, task| task.rekeys_ike());
    }

    /// Goes on with all that waits: nothing is waited for any more.
    pub(super) fn wait_no_more(&mut self, ctx: &mut Context<'_>) {
        self.go_on_without(ctx, |_, _| true);
    }

    /// Finishes exchanges without the shared secrets that were asked for.
    fn go_on_without(&mut self, ctx: &mut Context<'_>, which: impl Fn(&Computing, &Task) -> bool) {
        while let Some(up) = self.up_mut() {
            let tasks = &up.tasks;
            let chosen = |waits: &Computing| {
                let task = tasks.get(&waits.id);
                task.is_none_or(|task| which(waits, task))
            };
            let Some(place) = up.computing.iter().position(chosen) else {
                return;
            };
            let waits = up.computing.swap_remove(place);
            ctx.world.questions.close(waits.ticket);
            self.up_finish(ctx, waits.id, &waits.inner, Some(None));
        }
    }
}
