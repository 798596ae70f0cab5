//! What the embedder computes for an IKE SA that is up: what the session does about it.

use core::time::Duration;

use crypto_suite::GroupId;

use crate::context::Context;
use crate::core::questions::Place;
use crate::event::job::{Computed, KeyExchangeDone};
use crate::event::{Answer, Question};
use crate::model::{DropReason, Ticket};
use crate::v2::computing::{Computing, MAX_COMPUTING, NextPair};
use crate::v2::create_child::IkeTask;
use crate::v2::established::{Established, Task, Want};
use crate::v2::payloads::Payloads;
use crate::v2::protect::Inner;
use crate::v2::series::agreement;
use crate::v2::session::Session;

impl Established {
    /// Whether another exchange may begin beside those whose shared secret is being computed.
    pub(in crate::v2) const fn may_compute(&self) -> bool {
        self.computing.len() < MAX_COMPUTING
    }

    /// When the first answer should be there.
    pub(in crate::v2) fn computing_until(&self) -> Option<Duration> {
        let drawing = self.next_pair.drawing.map(|(.., until)| until);
        let computing = self.computing.iter().map(|waits| waits.until);
        computing.chain(drawing).min()
    }

    /// Whether the response to this exchange is here, and its shared secret is being computed.
    pub(in crate::v2) fn computes(&self, id: u32) -> bool {
        self.computing.iter().any(|waits| waits.id == id)
    }

    pub(in crate::v2) fn computed(&mut self, ticket: Ticket) -> Option<Computing> {
        let mut all = self.computing.iter();
        let place = all.position(|waits| waits.ticket == ticket)?;
        Some(self.computing.swap_remove(place))
    }
}

impl Session {
    /// The key pair for the exchange that begins next, if the embedder has drawn it; `None` while it is
    /// asked for.
    pub(in crate::v2) fn pair_for_next(&mut self, ctx: &mut Context<'_>) -> Option<Computed> {
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
    pub(in crate::v2) fn or_compute(
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
    pub(in crate::v2) fn computed(
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
    pub(in crate::v2) fn not_computed(&mut self, ctx: &mut Context<'_>) {
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
    pub(in crate::v2) fn finish_rekeys(&mut self, ctx: &mut Context<'_>) {
        self.go_on_without(ctx, |_, task| task.rekeys_ike());
    }

    /// Goes on with all that waits: nothing is waited for any more.
    pub(in crate::v2) fn wait_no_more(&mut self, ctx: &mut Context<'_>) {
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
