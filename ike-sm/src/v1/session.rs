//! One ISAKMP SA from its first message to its last.

mod negotiate;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::Digest;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v1::{Message, NotifyType};

use crate::child::{DeletedChild, TrafficOf};
use crate::context::Context;
use crate::core::allowance::{Again, Allowance};
use crate::core::effects::Effect;
use crate::core::questions::Place;
use crate::core::retransmit::{Answered, Due, Pending, fingerprint};
use crate::core::timers::{Deadline, DeadlineReason, deadline, earliest};
use crate::event::{Answer, DpdStep, Notice, Traffic, What};
use crate::model::{
    ChildId, CloseReason, DropReason, IkeId, IkeState, Outcome, Path, Role, Ticket,
};
use crate::v1::established::{Established, LifetimeDue};
use crate::v1::keys::Cookies;
use crate::v1::negotiation::Negotiation;
use crate::v1::phase1::Frame;
use crate::v1::quick::Wanted;
use crate::v1::refused::{self, Refused};
use crate::v1::{dpd, informational};

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
    /// Where our answer may go again.
    again: Again,
    /// What may be sent in a phase 1 that the peer has started.
    allowance: Option<Box<Allowance>>,
    pending: Option<Pending>,
    question: Option<(Ticket, Duration)>,
    /// When a negotiation that the peer started is forgotten.
    half_open_until: Option<Duration>,
    /// The error of a notification that came in the clear while we started the SA. Anybody can have sent
    /// it; it is named when nothing else comes.
    hint: Option<NotifyType>,
}

#[derive(Debug)]
enum Stage {
    Phase1(Box<Negotiation>),
    Up(Box<Established>),
    /// It has come up and may not stand.
    Refused(Box<Refused>),
    Gone,
}

impl Session {
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
            again: Again::new(path),
            allowance: None,
            pending: None,
            question: None,
            half_open_until: None,
            hint: None,
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

    /// Whether its peer can only be asked for a sign of life by a new SA, and has given none since.
    pub(crate) fn is_silent_since(&self, since: Duration) -> bool {
        self.up().is_some_and(|up| up.dpd.is_silent_since(since))
    }

    /// Whether nothing can come of it any more.
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone | Stage::Refused(_))
    }

    /// The field's name of its state.
    pub(crate) const fn state(&self) -> IkeState {
        match &self.stage {
            Stage::Phase1(negotiation) => negotiation.state(),
            Stage::Up(_) => IkeState::Complete,
            Stage::Refused(_) | Stage::Gone => IkeState::Destroying,
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
        if let Stage::Refused(refused) = &self.stage {
            first = earliest(first, refused.deadline());
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
            self.answer_again(ctx, path, raw.len());
            return Ok(Outcome::Repeated);
        }
        let message = Message::parse(raw, &ctx.config.wire).map_err(DropReason::Malformed)?;
        match &self.stage {
            Stage::Phase1(_) => self.receive_phase1(ctx, path, &message, fingerprint),
            Stage::Up(_) => self.receive_up(ctx, path, &message, fingerprint),
            Stage::Refused(_) => self.receive_refused(ctx, &message, fingerprint),
            Stage::Gone => Err(DropReason::Stale),
        }
    }

    /// A message under an SA that is refused. Our answers go where phase 1 has ended.
    fn receive_refused(
        &mut self,
        ctx: &mut Context<'_>,
        message: &Message<'_>,
        fingerprint: Digest,
    ) -> Result<Outcome, DropReason> {
        let frame = self.frame(ctx)?;
        match &mut self.stage {
            Stage::Refused(refused) => refused.receive(ctx, &frame, message, fingerprint),
            _ => Err(DropReason::WrongState),
        }
    }

    /// Answers a phase 1 message that has come again.
    fn answer_again(&mut self, ctx: &mut Context<'_>, path: Path, octets: usize) {
        let Some(answer) = self.answered.answer.clone() else {
            return;
        };
        if !self.again.take(path) {
            return;
        }
        if let Some(allowance) = &mut self.allowance {
            allowance.received(path.remote.ip(), octets, false);
        }
        self.send_allowed(ctx, &answer);
    }

    /// Sends an answer if it may go there.
    fn send_allowed(&mut self, ctx: &mut Context<'_>, answer: &Bytes) {
        let to = self.path.remote.ip();
        let allowance = self.allowance.as_mut();
        if allowance.is_none_or(|a| a.take(to, &[answer.len()]).1 > 0) {
            ctx.send(self.path, answer);
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
            if up.unconfirmed.take().is_some() {
                ctx.effect(Effect::Confirmed(frame.ike));
            }
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
                self.answer_phase1(ctx, &frame, answer)
            }
        }
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

    /// The SA has come up and may not stand: its peer is told so, now and when it begins something.
    pub(crate) fn refuse(&mut self, ctx: &mut Context<'_>) {
        let Ok(frame) = self.frame(ctx) else {
            return self.end(ctx, CloseReason::Refused);
        };
        match mem::replace(&mut self.stage, Stage::Gone) {
            Stage::Up(up) => {
                let mut refused = Refused::new(up, ctx.now);
                refused.tell(ctx, &frame);
                self.stage = Stage::Refused(Box::new(refused));
            }
            other => self.stage = other,
        }
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
                    if let Stage::Phase1(negotiation) = &self.stage
                        && let Some(shared) = negotiation.awaits_proof()
                    {
                        let notice = Notice::ProofNotTaken {
                            answered: false,
                            shared,
                        };
                        ctx.note(Some(self.id), What::Notice(notice));
                    }
                    ctx.send(self.path, &message);
                }
                Due::GiveUp => {
                    let hint = self.hint.map(|n| CloseReason::RefusedUnproven(n.0));
                    return self.end(ctx, hint.unwrap_or(CloseReason::Timeout));
                }
            }
        }
        if let Stage::Refused(refused) = &mut self.stage {
            match refused.due(now) {
                refused::Due::Nothing => {}
                refused::Due::Tell => refused.tell(ctx, &frame),
                refused::Due::End => self.end(ctx, CloseReason::Refused),
            }
            return;
        }
        let (id, path) = (self.id, self.path);
        let Some(up) = self.up_mut() else { return };
        up.exchange_deadlines(ctx, &frame);
        if let Some(keepalive) = &mut up.keepalive
            && keepalive.handle(now)
        {
            ctx.actions.push(crate::event::Action::NatKeepalive(path));
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
                // It may not have the SA yet that it is asked on.
                if let Some(last) = up.unconfirmed.as_ref().filter(|_| attempt > 1) {
                    ctx.send(path, last);
                }
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

    /// Asks the peer for a sign of life; false when it cannot be asked.
    pub(crate) fn ask_for_life(&mut self, ctx: &mut Context<'_>) -> bool {
        let now = ctx.now;
        self.up_mut().is_some_and(|up| up.dpd.ask_soon(now))
    }

    /// Negotiates a child.
    pub(crate) fn start_child(
        &mut self,
        ctx: &mut Context<'_>,
        wanted: &crate::child::Wanted,
    ) -> Result<(), DropReason> {
        // RFC 2409 §5.5: one selector of each side; the configuration has no more of them.
        let wanted = Wanted {
            config: wanted.traffic.config,
            local: *wanted.traffic.local.first(),
            remote: *wanted.traffic.remote.first(),
            replaces: wanted.replaces,
            pfs: wanted.pfs,
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
