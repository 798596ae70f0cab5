//! What happens to an IKE SA after IKE_AUTH: requests of the peer, responses to ours, commands,
//! timers.

use alloc::boxed::Box;
use alloc::vec::Vec;

use isakmp_wire::Header;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::NotifyType;

use super::computing::NextPair;
use super::create_child::{self, ChildTask, IkeTask};
use super::error::{self, told};
use super::established::{LifetimeDue, Task, Want};
use super::payloads::Payloads;
use super::protect::Inner;
use super::session::{Session, Stage};
use super::window::{Owed, Settled};
use super::{explain, informational, mobike, redirect};
use crate::child::{self, Child, ChildState, DeletedChild, TrafficOf, Wanted};
use crate::context::Context;
use crate::core::effects::Effect;
use crate::event::job::Computed;
use crate::event::{Action, DpdStep, Traffic, What};
use crate::model::{ChildId, CloseReason, DropReason, IkeId, IkeState, Input, Path, Step};
use crate::v2::answer::{Known, Parked, Response, Stop, Then};
use crate::v2::established::MAX_QUEUE;
use crate::v2::session;

impl Session {
    /// A request of the peer under this SA: authentic and new.
    pub(super) fn up_request(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        header: &Header,
        inner: Inner,
    ) -> Settled {
        let now = ctx.now;
        let Some(up) = self.up_mut() else {
            return self.refuse(ctx, owed, &DropReason::WrongState);
        };
        up.heard(now);
        up.quiet_until = None;
        // RFC 7296 §2.25.2: of two rekeys at once this is the one that the peer keeps, unless it
        // deletes it now.
        let (old, known) = (self.replaces, ctx.world.standing.contains(self.id));
        if let Some(old) = old.filter(|_| !known && !informational::deletes_ike(&inner, ctx)) {
            ctx.effect(Effect::Adopt(old, self.id));
        }
        self.up_work(ctx, owed, header, inner, Known::default())
    }

    /// Works on a request; again with the answer to each question that comes up.
    pub(super) fn up_work(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        header: &Header,
        inner: Inner,
        mut known: Known,
    ) -> Settled {
        let response = match self.work(ctx, owed.path(), header, &inner, &mut known) {
            Ok(response) => response,
            Err(Stop::Ask(question)) if self.waiting.is_none() => {
                let parked = Parked {
                    header: *header,
                    inner,
                    known,
                };
                if let Some(up) = self.up_mut() {
                    up.parked = Some(Box::new(parked));
                }
                return self.ask_for(ctx, *question, owed);
            }
            // One request at a time waits.
            Err(Stop::Ask(_)) => refusal(header.exchange_type, &DropReason::TemporaryFailure),
            Err(Stop::Refuse(reason)) => {
                self.note_refused(ctx, header.message_id);
                refusal(header.exchange_type, &reason)
            }
        };
        let settled = self.respond_with(ctx, owed, &response.inner);
        match response.then {
            Then::Nothing => {
                self.exhaustion(ctx);
                self.pump(ctx);
            }
            // A successor takes over what waits here before.
            Then::Close(reason) => ctx.effect(Effect::EndIke(self.id, reason)),
        }
        settled
    }

    fn work(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        header: &Header,
        inner: &Inner,
        known: &mut Known,
    ) -> Result<Response, Stop> {
        let frame = crate::v2::frame::Frame {
            path,
            ..self.frame(ctx)?
        };
        let limits = ctx.config.wire;
        let chain = inner.payloads(&limits).map_err(DropReason::Malformed)?;
        let step = match header.exchange_type {
            ExchangeType::CREATE_CHILD_SA => Step::CreateChildI,
            ExchangeType::IKE_FOLLOWUP_KE => Step::FollowupI,
            ExchangeType::INFORMATIONAL_V2 => Step::InformationalI,
            // RFC 7296 §2.21.3: "all requests having errors MUST result in a response".
            other => return Err(DropReason::UnexpectedExchange(other).into()),
        };
        let len = usize::try_from(header.length).unwrap_or(0);
        if known.is_empty() {
            explain::received(ctx, &frame, step, IkeState::Up, header, &chain, len);
        }
        let payloads = Payloads::read(&chain, &limits)?;
        if header.exchange_type == ExchangeType::CREATE_CHILD_SA {
            return create_child::respond(self, ctx, &frame, &payloads, known);
        }
        if header.exchange_type == ExchangeType::IKE_FOLLOWUP_KE {
            return create_child::follow(self, ctx, &frame, &payloads, known);
        }
        let id = header.message_id;
        Ok(informational::respond(self, ctx, &frame, id, &payloads)?)
    }

    /// A response to an exchange of ours: authentic, and of the right type.
    pub(super) fn up_response(
        &mut self,
        ctx: &mut Context<'_>,
        id: u32,
        header: &Header,
        inner: Inner,
    ) {
        let now = ctx.now;
        let Ok(frame) = self.frame(ctx) else { return };
        let Some(up) = self.up_mut() else { return };
        up.heard(now);
        let step = match up.tasks.get(&id) {
            Some(Task::Child(_) | Task::Ike(_)) => Step::CreateChildR,
            Some(Task::FollowUp(_)) => Step::FollowupR,
            _ => Step::InformationalR,
        };
        if let Ok(chain) = inner.payloads(&ctx.config.wire) {
            let len = usize::try_from(header.length).unwrap_or(0);
            explain::received(ctx, &frame, step, IkeState::Up, header, &chain, len);
        }
        match self.or_compute(ctx, id, inner) {
            Some(inner) => self.up_finish(ctx, id, &inner, None),
            None => self.pump(ctx),
        }
    }

    /// Finishes an exchange of ours. `computed` is the shared secret that the embedder was asked for.
    pub(super) fn up_finish(
        &mut self,
        ctx: &mut Context<'_>,
        id: u32,
        inner: &Inner,
        computed: Computed,
    ) {
        let Ok(frame) = self.frame(ctx) else { return };
        let Some(up) = self.up_mut() else { return };
        let Some(task) = up.tasks.remove(&id) else {
            return self.pump(ctx);
        };
        up.forget_room();
        let limits = ctx.config.wire;
        let chain = inner.payloads(&limits).map_err(DropReason::Malformed);
        let payloads = chain.and_then(|chain| Payloads::read(&chain, &limits));
        let fatal = match &payloads {
            // RFC 7296 §2.21.3: fatal in both peers, without a Delete.
            Ok(payloads) => payloads.has(NotifyType::INVALID_SYNTAX),
            Err(_) => false,
        };
        match task {
            Task::Child(task) => {
                create_child::finish_child(self, ctx, &frame, *task, payloads, computed);
            }
            Task::Ike(task) => {
                create_child::finish_ike(self, ctx, &frame, *task, payloads, computed);
            }
            Task::FollowUp(task) => {
                create_child::finish_follow_up(self, ctx, &frame, *task, payloads, computed);
            }
            Task::Delete(list) => {
                for deleted in list {
                    let gone = ctx.world.children.by_spi_in(deleted.spi_in);
                    let gone = gone.filter(|c| c.told).map(|c| (c.id, c.end_reason()));
                    if let Some((gone, reason)) = gone {
                        ctx.effect(Effect::RemoveChild(gone, reason));
                    }
                }
            }
            Task::DeleteIke(reason) => return self.end(ctx, reason),
            Task::Liveness => {
                let sequence = id;
                ctx.note(Some(self.id), What::Dpd(DpdStep::Answered { sequence }));
                if let Ok(payloads) = &payloads {
                    self.probed(ctx, payloads);
                }
            }
            Task::Skip(_) => {}
            Task::Redirect(_) => self.sent_away(ctx),
            Task::Update(cookie) => {
                if let Ok(payloads) = &payloads {
                    self.update_answered(ctx, &frame, &cookie, payloads);
                }
            }
            Task::Addresses => {
                if let Ok(payloads) = &payloads {
                    self.announced(ctx, payloads);
                }
            }
            Task::Check(cookie, path) => {
                if let Ok(payloads) = &payloads {
                    self.checked(ctx, &cookie, path, payloads);
                }
            }
        }
        if fatal {
            return self.end(
                ctx,
                CloseReason::RefusedByPeer(NotifyType::INVALID_SYNTAX.0),
            );
        }
        self.exhaustion(ctx);
        self.pump(ctx);
    }

    /// RFC 7296 §2.2: message IDs do not wrap.
    pub(super) fn exhaustion(&mut self, ctx: &mut Context<'_>) {
        if self.window.is_exhausted() {
            return self.end(ctx, CloseReason::Expired);
        }
        let early = self.window.wants_rekey();
        let now = ctx.now;
        if let Some(up) = self.up_mut()
            && early
            && !up.replaced
            && !up.is_rekeying()
        {
            up.rekey_at = Some(up.rekey_at.map_or(now, |at| at.min(now)));
        }
    }

    /// Wants an exchange, and starts it when there is room.
    pub(super) fn want(&mut self, ctx: &mut Context<'_>, want: Want) -> Result<(), DropReason> {
        let up = self.up_mut().ok_or(DropReason::WrongState)?;
        if up.is_closing() {
            return Err(DropReason::WrongState);
        }
        match want {
            Want::Delete(more) => {
                // Deletions that wait go out together.
                let waiting = up.queue.iter_mut().find_map(|w| match w {
                    Want::Delete(list) => Some(list),
                    _ => None,
                });
                match waiting {
                    Some(list) => list.extend(more),
                    None => up.queue.push_back(Want::Delete(more)),
                }
            }
            Want::DeleteIke(_) => up.queue.push_front(want),
            _ if up.queue.len() >= MAX_QUEUE => return Err(DropReason::Limit("waiting exchanges")),
            _ => up.queue.push_back(want),
        }
        self.pump(ctx);
        Ok(())
    }

    /// Starts what waits, as far as the window has room.
    pub(super) fn pump(&mut self, ctx: &mut Context<'_>) {
        loop {
            let room = self.window.has_room() && !self.is_synchronizing();
            let Some(up) = self.up_mut().filter(|up| room && up.may_compute()) else {
                return;
            };
            if up.quiet_until.is_some() {
                // The initiator of the rekey may not know this SA yet (RFC 7296 §2.8).
                return;
            }
            // RFC 7296 §2.25.2: nothing is begun beside a rekey or the end of the IKE SA, and they
            // wait for the rest.
            let alone = |w: &Want| matches!(w, Want::RekeyIke(_) | Want::DeleteIke(_));
            let busy = up.is_rekeying() || up.is_closing() && !up.queue.iter().any(alone);
            let next = up.queue.front();
            // What waits goes to the SA that has taken the place of this one.
            let stays = |w: &Want| alone(w) || matches!(w, Want::Liveness);
            let busy = busy || up.replaced && !next.is_some_and(stays);
            let busy = busy || next.is_some_and(|want| up.waits_for_peer(want));
            let busy = busy || next.is_some_and(alone) && !up.tasks.is_empty();
            let goes_on = matches!(next, Some(Want::FollowUp(_)));
            if next.is_none() {
                up.next_pair.forget();
                return;
            }
            if busy && !goes_on {
                return;
            }
            let pair = self.pair_for_next(ctx);
            let Some(up) = self.up_mut() else { return };
            let next = match pair {
                Some(_) => Some(0),
                // What needs no key pair does not wait behind one.
                None if busy => None,
                None => up
                    .queue
                    .iter()
                    .position(|want| want.is_informational() && (!up.replaced || stays(want))),
            };
            let Some(want) = next.and_then(|next| up.queue.remove(next)) else {
                return;
            };
            self.start(ctx, want, pair.flatten());
        }
    }

    /// Starts an exchange, with the key pair that the embedder was asked for.
    fn start(&mut self, ctx: &mut Context<'_>, want: Want, pair: Computed) {
        let Ok(frame) = self.frame(ctx) else { return };
        let mut patience = frame.peer.retransmit;
        let silent = self
            .up()
            .map(|up| ctx.now.saturating_sub(up.last_inbound()));
        let started = match want {
            Want::Child(wanted) => {
                let (peer, config, new) = (
                    frame.index,
                    wanted.traffic.config,
                    wanted.replaces.is_none(),
                );
                ChildTask::start(self, ctx, &frame, wanted, pair)
                    .inspect_err(|_| {
                        ctx.effect(match new {
                            true => Effect::NotUp(peer, config, CloseReason::Refused),
                            false => Effect::Pursue(peer),
                        });
                    })
                    .map(|(task, inner)| (Task::Child(Box::new(task)), inner))
            }
            Want::RekeyIke(group) => IkeTask::start(ctx, &frame, group, pair)
                .map(|(task, inner)| (Task::Ike(Box::new(task)), inner)),
            Want::FollowUp(mut task) => match task.request(ctx, pair) {
                Ok(inner) => Ok((Task::FollowUp(task), inner)),
                Err(reason) => {
                    if task.child().is_none() {
                        create_child::rekey_came_to_nothing(self, ctx, None);
                    }
                    let task = Task::FollowUp(task);
                    abandon(ctx, frame.index, task, CloseReason::Crypto);
                    Err(reason)
                }
            },
            Want::Delete(list) => {
                informational::delete(&list).map(|inner| (Task::Delete(list), inner))
            }
            Want::DeleteIke(reason) => {
                informational::delete_ike().map(|inner| (Task::DeleteIke(reason), inner))
            }
            Want::Update => session::mobike::update(ctx, &frame),
            Want::Addresses => session::mobike::addresses(self, &frame),
            Want::Check => session::mobike::check(ctx, &frame),
            Want::Redirect(to) => redirect::request(to).map(|inner| (Task::Redirect(to), inner)),
            Want::Skip(delta) => delta.request().map(|inner| (Task::Skip(delta), inner)),
            Want::Liveness => {
                if let Some(up) = self.up() {
                    patience = up.live.patience(&patience);
                }
                let probes = self.up().is_some_and(|up| up.probes());
                let inner = if probes {
                    mobike::probe(ctx, &frame)
                } else {
                    informational::empty()
                };
                inner.map(|inner| (Task::Liveness, inner))
            }
        };
        let Ok((task, inner)) = started else { return };
        let exchange = task.exchange();
        match self.request(ctx, exchange, &inner, &patience) {
            Ok(id) => {
                if let (Task::Liveness, Some(silent)) = (&task, silent) {
                    let asked = DpdStep::Asked {
                        sequence: id,
                        silent,
                        attempt: 1,
                    };
                    ctx.note(Some(self.id), What::Dpd(asked));
                }
                if let Some(up) = self.up_mut() {
                    if let Some(keepalive) = &mut up.keepalive {
                        keepalive.outbound(ctx.now);
                    }
                    up.tasks.insert(id, task);
                }
                ctx.note(Some(self.id), What::ExchangeBegan { message_id: id });
            }
            Err(_) => abandon(ctx, frame.index, task, CloseReason::Crypto),
        }
    }

    /// Ends the SA, towards the peer too where there are keys for it.
    pub(crate) fn close(&mut self, ctx: &mut Context<'_>, reason: CloseReason, tell: bool) {
        if !tell || self.up().is_none() {
            return self.end(ctx, reason);
        }
        if self
            .up()
            .is_some_and(super::established::Established::is_closing)
        {
            return;
        }
        let index = self.peer;
        if let Some(up) = self.up_mut() {
            for want in core::mem::take(&mut up.queue) {
                want.give_up(ctx, index, reason);
            }
            up.unfollow(|_| true);
            up.closing();
            up.queue.push_front(Want::DeleteIke(reason));
        }
        ctx.world.standing.set_replaced(self.id, true);
        self.transition(ctx, Input::Delete, IkeState::Up, IkeState::Deleting);
        self.wait_no_more(ctx);
        self.pump(ctx);
    }

    /// Gives up what is under way, so that nothing of it is left behind.
    pub(crate) fn drop_exchanges(&mut self, ctx: &mut Context<'_>, reason: CloseReason) {
        let index = self.peer;
        let Some(up) = self.up_mut() else { return };
        up.unfollow(|_| true);
        for want in core::mem::take(&mut up.queue) {
            want.give_up(ctx, index, reason);
        }
        let (rival, tasks) = (up.rival.take(), core::mem::take(&mut up.tasks));
        up.computing = Vec::new();
        up.next_pair = NextPair::default();
        for (_, task) in tasks {
            abandon(ctx, index, task, reason);
        }
        if let Some((rival, _)) = rival {
            // Nobody else would end it.
            ctx.effect(Effect::DeleteIke(rival, reason));
        }
    }

    /// Timers of the SA.
    pub(super) fn up_deadline(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        let (id, path) = (self.id, self.path);
        self.synchronize_again(ctx);
        let Some(up) = self.up_mut() else { return };
        if let Some(keepalive) = &mut up.keepalive
            && keepalive.handle(now)
        {
            ctx.actions.push(Action::NatKeepalive(path));
        }
        if up.live.due(now) {
            self.ask_for_life(ctx);
        }
        self.speak_at_last(ctx);
        self.not_computed(ctx);
        let Some(up) = self.up_mut() else { return };
        if up.forget_followed(now) {
            self.pump(ctx);
        }
        let Some(up) = self.up_mut() else { return };
        match up.lifetime_due(now) {
            None => {}
            Some(LifetimeDue::Rekey) => ctx.effect(Effect::RekeyIke(id)),
            Some(LifetimeDue::Reauthenticate) => ctx.effect(Effect::Reauthenticate(id)),
            Some(LifetimeDue::Expire) => {
                // Nothing passes any more, whether the peer answers or not.
                let children = ctx.world.children.under(id);
                for child in children.map(|c| c.id).collect::<Vec<_>>() {
                    ctx.effect(Effect::RemoveChild(child, CloseReason::Expired));
                }
                self.close(ctx, CloseReason::Expired, true);
            }
            Some(LifetimeDue::Drained) => {
                let replaced = self.up().is_some_and(|up| up.replaced);
                let reason = if replaced {
                    CloseReason::Replaced
                } else {
                    CloseReason::Redirected
                };
                self.close(ctx, reason, true);
            }
        }
    }

    /// Asks the peer for a sign of life; false when the SA is about to end.
    pub(crate) fn ask_for_life(&mut self, ctx: &mut Context<'_>) -> bool {
        let Some(up) = self.up_mut().filter(|up| !up.is_closing()) else {
            return false;
        };
        up.live.asking();
        // A request that is out is as good a question.
        let waits = up.waits(&Want::Liveness);
        waits || self.window.is_waiting() || self.want(ctx, Want::Liveness).is_ok()
    }

    /// The peer knows this SA now: requests that have waited for that go out.
    pub(crate) fn speak(&mut self, ctx: &mut Context<'_>) {
        if self
            .up_mut()
            .is_some_and(|up| up.quiet_until.take().is_some())
        {
            self.pump(ctx);
        }
    }

    /// The same when it has taken too long.
    fn speak_at_last(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        if self
            .up()
            .is_some_and(|up| up.quiet_until.is_some_and(|at| at <= now))
        {
            self.speak(ctx);
        }
    }

    /// Wants new keys.
    pub(crate) fn rekey(&mut self, ctx: &mut Context<'_>) -> Result<(), DropReason> {
        let up = self.up().ok_or(DropReason::WrongState)?;
        let waits = up.queue.iter().any(|w| matches!(w, Want::RekeyIke(_)));
        if up.is_rekeying() || waits || up.replaced {
            return Err(DropReason::AlreadyUnderWay);
        }
        self.want(ctx, Want::RekeyIke(None))
    }

    /// Negotiates a child.
    pub(crate) fn start_child(
        &mut self,
        ctx: &mut Context<'_>,
        wanted: &Wanted,
    ) -> Result<(), DropReason> {
        self.want(ctx, Want::Child(wanted.clone()))
    }

    /// Whether the peer has deleted this child before its answer came. What else it has deleted is
    /// forgotten with the last negotiation.
    pub(super) fn stillborn(&mut self, spi: Option<u32>) -> bool {
        let Some(up) = self.up_mut() else {
            return false;
        };
        let deleted = spi.is_some_and(|spi| up.stillborn.contains(&spi));
        if !up.makes_children() {
            up.stillborn.clear();
        }
        deleted
    }

    /// Whether a child belongs to this SA. Those of the SA that it takes the place of do as soon as
    /// the peer, who made it, uses it.
    pub(super) fn owns(&self, child: &Child) -> bool {
        child.ike == self.id || self.replaces == Some(child.ike)
    }

    /// Tells the peer that a child is gone.
    pub(crate) fn tell_deleted(&mut self, ctx: &mut Context<'_>, child: &DeletedChild) {
        let _closing = self.want(ctx, Want::Delete(alloc::vec![*child]));
    }

    /// A child is gone: nothing waits for the end of its negotiation.
    pub(crate) fn forget_child(&mut self, _ctx: &mut Context<'_>, _child: ChildId) {}

    /// Packets went through a child of this SA.
    pub(crate) fn on_traffic(&mut self, ctx: &mut Context<'_>, child: ChildId, traffic: Traffic) {
        let now = ctx.now;
        let Some(up) = self.up_mut() else { return };
        if traffic.outbound_packets > 0 {
            up.live.sent();
            if let Some(keepalive) = &mut up.keepalive {
                keepalive.outbound(now);
            }
        }
        if traffic.inbound_packets > 0 {
            up.heard(now);
            // RFC 7296 §2.8: the initiator has the new pair, so packets may go out on it.
            child::activate(ctx, child);
        }
    }

    /// What becomes of the SA of the peer's rekey is settled before ours has come through.
    pub(crate) fn forget_rival(&mut self, gone: IkeId) {
        if let Some(up) = self.up_mut() {
            up.rival.take_if(|(rival, _)| *rival == gone);
        }
    }

    /// Another SA has taken over.
    pub(crate) fn retire(&mut self, now: core::time::Duration, ours: bool) {
        if let Some(up) = self.up_mut() {
            up.retire(now, ours);
        }
    }

    /// The SA that had taken over is gone.
    pub(crate) fn reinstate(&mut self, now: core::time::Duration) {
        if let Some(up) = self.up_mut() {
            up.reinstate(now);
        }
    }

    /// Whether a negotiation for this child of the configuration is under way.
    pub(crate) fn negotiates(&self, config: usize) -> bool {
        match &self.stage {
            Stage::Init(_, first) | Stage::Agreed(_, first) => {
                first.as_ref().is_some_and(|w| w.traffic.config == config)
            }
            Stage::Initiator(_, task) => task.negotiates() == Some(config),
            Stage::Up(up) => up.negotiates(config),
            _ => false,
        }
    }

    /// Whether a negotiation for this traffic is under way.
    pub(crate) fn negotiates_traffic(&self, traffic: &TrafficOf) -> bool {
        self.up().is_some_and(|up| up.negotiates_traffic(traffic))
    }

    /// Gives up negotiations of ours that have not begun, for traffic that has a child now.
    pub(crate) fn yield_to(&mut self, ctx: &mut Context<'_>, traffic: &TrafficOf) {
        let Some(up) = self.up_mut() else { return };
        up.queue.retain(|want| match want {
            Want::Child(wanted) => wanted.replaces.is_some() || wanted.traffic != *traffic,
            _ => true,
        });
        // The first may have waited for its key pair, and the others for it.
        self.pump(ctx);
    }

    /// The exchanges that wait, for the SA that takes the place of this one.
    pub(crate) fn take_wants(&mut self) -> Vec<Want> {
        let Some(up) = self.up_mut() else {
            return Vec::new();
        };
        let moves = |want: &Want| {
            matches!(
                want,
                Want::Child(_)
                    | Want::Delete(_)
                    | Want::Update
                    | Want::Addresses
                    | Want::Check
                    | Want::Skip(_)
                    | Want::Redirect(_)
            )
        };
        let mut moved = Vec::new();
        for want in core::mem::take(&mut up.queue) {
            if moves(&want) {
                moved.push(want);
            } else if !matches!(want, Want::RekeyIke(_)) {
                up.queue.push_back(want);
            }
        }
        moved
    }

    /// Takes over exchanges that waited in the SA before this one.
    pub(crate) fn adopt_wants(&mut self, ctx: &mut Context<'_>, wants: Vec<Want>) {
        let index = self.peer;
        for want in wants {
            let child = match &want {
                Want::Child(wanted) if wanted.replaces.is_none() => Some(wanted.traffic.config),
                _ => None,
            };
            if let (Err(_), Some(config)) = (self.want(ctx, want), child) {
                ctx.effect(Effect::NotUp(index, config, CloseReason::Refused));
            }
        }
    }
}

/// The response that an error deserves.
fn refusal(exchange: ExchangeType, reason: &DropReason) -> Response {
    let fatal = told(reason).is_some_and(|told| told.notify == NotifyType::INVALID_SYNTAX);
    Response {
        inner: error::refusal(exchange, reason),
        // RFC 7296 §2.21.3: fatal in both peers, without a Delete.
        then: if fatal {
            Then::Close(CloseReason::Refused)
        } else {
            Then::Nothing
        },
    }
}

/// Gives back what an exchange has taken.
fn abandon(ctx: &mut Context<'_>, index: usize, task: Task, reason: CloseReason) {
    let offered = match &task {
        Task::Child(task) => Some(&task.offered),
        Task::FollowUp(task) => task.child(),
        _ => None,
    };
    if let Some(offered) = offered {
        let config = offered.wanted.traffic.config;
        ctx.child_failed(index, config, offered.child, reason);
        ctx.effect(match offered.wanted.replaces {
            None => Effect::NotUp(index, config, reason),
            Some(_) => Effect::Pursue(index),
        });
    }
}

impl Want {
    /// Whether it is an INFORMATIONAL exchange under an IKE SA that stays.
    const fn is_informational(&self) -> bool {
        !matches!(
            self,
            Self::Child(_) | Self::RekeyIke(_) | Self::FollowUp(_) | Self::DeleteIke(_)
        )
    }

    /// Gives back what it has taken before it came to wait.
    pub(super) fn give_up(self, ctx: &mut Context<'_>, index: usize, reason: CloseReason) {
        match self {
            Self::FollowUp(task) => abandon(ctx, index, Task::FollowUp(task), reason),
            Self::Child(wanted) => ctx.effect(match wanted.replaces {
                None => Effect::NotUp(index, wanted.traffic.config, reason),
                Some(_) => Effect::Pursue(index),
            }),
            _ => {}
        }
    }
}

/// Removes the children that the peer has deleted; gives the inbound SPIs of ours that go with them.
pub(super) fn remove_deleted(
    ctx: &mut Context<'_>,
    session: &mut Session,
    spis: impl Iterator<Item = u32>,
    protocol: crate::model::IpsecProtocol,
) -> Vec<u32> {
    let mut ours = Vec::new();
    for spi in spis {
        let found = ctx
            .world
            .children
            .with_spi_out(spi)
            .find(|c| session.owns(c) && c.terms.suite.protocol() == protocol);
        let Some(child) = found else {
            if let Some(up) = session.up_mut() {
                up.deleted_unknown(spi);
            }
            continue;
        };
        let (id, spi_in, told) = (child.id, child.terms.spi_in, child.told);
        if ours.contains(&spi_in) {
            continue;
        }
        // RFC 7296 §2.8: the end of the old pair says that the initiator has the new one.
        let successor = ctx
            .world
            .children
            .of_device(child.device)
            .find(|c| c.replaces == Some(id) && c.state == ChildState::Inbound)
            .map(|c| c.id);
        if let Some(successor) = successor {
            child::activate(ctx, successor);
        }
        // RFC 7296 §1.4.1: not those that we delete ourselves.
        if !told {
            ours.push(spi_in);
        }
        let child = ctx.world.children.get(id);
        let reason = match child.map(|c| c.state) {
            Some(ChildState::Retiring) => CloseReason::Replaced,
            _ => CloseReason::DeletedByPeer,
        };
        ctx.effect(Effect::RemoveChild(id, reason));
    }
    ours
}
