//! Takeovers (RFC 6311): what the session does about them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::Digest;
use isakmp_wire::Header;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{Message, MessageIdSync, NotifyType, PayloadType};

use crate::child;
use crate::context::Context;
use crate::event::{Notice, Takeover, What};
use crate::model::{ChildId, DropReason, IkeState, IkeVersion, Outcome, Path, Step};
use crate::v2::counters::{Delta, MOST_SKIPPED, SKIP, Syncing};
use crate::v2::established::{Task, Want};
use crate::v2::explain;
use crate::v2::payloads::Payloads;
use crate::v2::protect::Inner;
use crate::v2::session::{Session, send};

impl Session {
    /// Whether a synchronisation of message IDs of ours waits for its answer.
    pub(in crate::v2) fn is_synchronizing(&self) -> bool {
        self.up().is_some_and(|up| up.syncing.is_some())
    }

    /// We have taken this SA over from another member of a cluster.
    pub(crate) fn synchronize(
        &mut self,
        ctx: &mut Context<'_>,
        takeover: Takeover,
    ) -> Result<(), DropReason> {
        let up = self.up().ok_or(DropReason::WrongState)?;
        let asks = takeover.skip_inbound > 0;
        if up.is_closing()
            || takeover.message_ids && !up.counters.message_ids
            || asks && !up.counters.replay
        {
            return Err(DropReason::WrongState);
        }
        if up.syncing.is_some() {
            return Err(DropReason::AlreadyUnderWay);
        }
        let children = self.own_children(ctx);
        let delta = match children.first().filter(|_| asks) {
            Some(&(_, esn)) => {
                // RFC 6311 §6.4: one notification cannot speak of both kinds.
                let mixed = children.iter().any(|child| child.1 != esn);
                if mixed || !esn && u32::try_from(takeover.skip_inbound).is_err() {
                    return Err(DropReason::Limit("sequence numbers to skip"));
                }
                let count = takeover.skip_inbound;
                Some(Delta { count, esn })
            }
            None => None,
        };
        let patience = self.frame(ctx)?.peer.retransmit;
        let crypt = self.crypt.as_mut().ok_or(DropReason::NoKeyYet)?;
        crypt.begin_epoch(takeover.epoch)?;
        if takeover.skip_outbound > 0 {
            for (child, _) in children {
                child::skip(ctx, child, takeover.skip_outbound);
            }
        }
        self.begin_anew(ctx);
        if let Some(up) = self.up_mut() {
            up.queue.extend(delta.map(Want::Skip));
        }
        if takeover.message_ids {
            // RFC 6311 §9: a request that waits here has another message ID when it comes again.
            self.waiting = None;
            self.window.go_on_from(0, 0);
            let syncing = Syncing {
                asked: MessageIdSync {
                    nonce: [0; 4],
                    expected_send: 0,
                    expected_receive: 0,
                },
                patience,
                repeated: 0,
                due: Duration::ZERO,
            };
            self.ask_to_synchronize(ctx, Box::new(syncing));
        } else {
            // One that waits keeps its message ID, and the peer goes on with no other before.
            self.refuse_waiting(ctx);
        }
        self.pump(ctx);
        Ok(())
    }

    /// `HDR, SK {N(IKEV2_MESSAGE_ID_SYNC)} -->`
    fn ask_to_synchronize(&mut self, ctx: &mut Context<'_>, mut syncing: Box<Syncing>) {
        let doublings = u32::from(syncing.repeated);
        let count = SKIP.checked_shl(doublings).unwrap_or(MOST_SKIPPED);
        syncing.asked = MessageIdSync {
            nonce: ctx.random(),
            expected_send: self.window.skip(count.clamp(SKIP, MOST_SKIPPED)),
            expected_receive: self.window.expected(),
        };
        syncing.due = ctx.now.saturating_add(syncing.wait(ctx));
        let sync = syncing.asked;
        if let Some(up) = self.up_mut() {
            up.syncing = Some(syncing);
        }
        let _unbuildable = self.send_sync(ctx, self.path, false, &sync);
    }

    /// Sends a message with Message ID 0 and nothing but this in it.
    fn send_sync(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        response: bool,
        sync: &MessageIdSync,
    ) -> Result<crate::v2::window::Datagrams, DropReason> {
        let inner = Inner::build(|w| w.message_id_sync(sync).map(|_| ()))
            .map_err(|_| DropReason::Limit("message size"))?;
        let place = self.place(ExchangeType::INFORMATIONAL_V2, 0, response);
        let crypt = self.crypt.as_mut().ok_or(DropReason::NoKeyYet)?;
        let message = crypt.seal(&place, &inner, None)?;
        let frame = self.frame(ctx)?;
        explain::sent(ctx, &frame, self.state(), &place, &inner, &message);
        send(ctx, path, &message);
        Ok(message)
    }

    /// The answer has not come: asks again, with higher message IDs. A peer drops a request whose
    /// message ID it has seen, and that of the last one too if only the answer was lost.
    pub(in crate::v2) fn synchronize_again(&mut self, ctx: &mut Context<'_>) {
        let Some(up) = self.up_mut() else { return };
        let now = ctx.now;
        let Some(mut syncing) = up.syncing.take_if(|syncing| syncing.due <= now) else {
            return;
        };
        if syncing.repeated >= syncing.patience.tries {
            return self.silent(ctx);
        }
        syncing.repeated = syncing.repeated.saturating_add(1);
        self.ask_to_synchronize(ctx, syncing);
    }

    /// `<-- HDR, SK {N(IKEV2_MESSAGE_ID_SYNC)}`
    pub(in crate::v2) fn synchronized(
        &mut self,
        ctx: &mut Context<'_>,
        header: &Header,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        let message = Message::parse(raw, &ctx.config.wire).map_err(DropReason::Malformed)?;
        let (sync, _) = self
            .open_sync(ctx, header, &message, Step::InformationalR)?
            .ok_or(DropReason::UnexpectedMessage)?;
        let asked = self.up().and_then(|up| up.syncing.as_ref());
        let asked = asked.ok_or(DropReason::Stale)?.asked;
        // RFC 6311 §5.1: dropped in silence without the nonce of the request.
        if sync.nonce != asked.nonce {
            return Err(DropReason::Stale);
        }
        if sync.expected_receive < asked.expected_send
            || sync.expected_send < asked.expected_receive
        {
            return Err(DropReason::BadPayload(PayloadType::NOTIFY.into()));
        }
        let now = ctx.now;
        if let Some(up) = self.up_mut() {
            up.syncing = None;
            up.heard(now);
        }
        let (ours, theirs) = self
            .window
            .go_on_from(sync.expected_receive, sync.expected_send);
        ctx.note(
            Some(self.id),
            What::Notice(Notice::MessageIdsGoOn { ours, theirs }),
        );
        self.exhaustion(ctx);
        self.pump(ctx);
        Ok(Outcome::Handled)
    }

    /// `--> HDR, SK {N(IKEV2_MESSAGE_ID_SYNC), [N(IPSEC_REPLAY_COUNTER_SYNC)]}` with Message ID 0:
    /// another member of the peer's cluster has taken over. Gives nothing for any other message.
    pub(in crate::v2) fn asked_to_synchronize(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        header: &Header,
        raw: &[u8],
        fingerprint: &Digest,
    ) -> Option<Result<Outcome, DropReason>> {
        let up = self.up().filter(|up| up.counters.message_ids)?;
        if header.message_id != 0 || header.exchange_type != ExchangeType::INFORMATIONAL_V2 {
            return None;
        }
        // RFC 7296 §2.1: a repeated request gets its answer again, and does nothing.
        if let Some((seen, answer)) = up.synced.as_deref()
            && seen == fingerprint
        {
            send(ctx, self.answers_to(path), &answer.clone());
            return Some(Ok(Outcome::Repeated));
        }
        let message = Message::parse(raw, &ctx.config.wire).ok()?;
        let sync = self.open_sync(ctx, header, &message, Step::InformationalI);
        let (sync, delta) = match sync {
            Ok(found) => found?,
            // Without our keys it belongs where it would belong otherwise.
            Err(DropReason::IntegrityFailed | DropReason::NotEncrypted) => return None,
            Err(reason) => return Some(Err(reason)),
        };
        // RFC 6311 §5.1: dropped in silence, so that an old one moves nothing.
        if self.window.highest() >= Some(sync.expected_send) {
            return Some(Err(DropReason::Stale));
        }
        Some(self.go_along(ctx, path, fingerprint, &sync, delta))
    }

    fn go_along(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        fingerprint: &Digest,
        sync: &MessageIdSync,
        delta: Option<u64>,
    ) -> Result<Outcome, DropReason> {
        let now = ctx.now;
        self.begin_anew(ctx);
        self.waiting = None;
        let (ours, theirs) = self
            .window
            .go_on_from(sync.expected_receive, sync.expected_send);
        self.window.announced(sync.expected_send);
        ctx.note(
            Some(self.id),
            What::Notice(Notice::MessageIdsGoOn { ours, theirs }),
        );
        self.skip_outbound(ctx, delta);
        let answer = MessageIdSync {
            nonce: sync.nonce,
            expected_send: ours,
            expected_receive: theirs,
        };
        let path = self.answers_to(path);
        let sent = self.send_sync(ctx, path, true, &answer);
        if let Some(up) = self.up_mut() {
            up.heard(now);
            up.synced = sent.ok().map(|sent| Box::new((fingerprint.clone(), sent)));
        }
        self.exhaustion(ctx);
        self.pump(ctx);
        Ok(Outcome::Handled)
    }

    /// Opens a message with Message ID 0. Gives nothing where it is no synchronisation; changes
    /// nothing.
    fn open_sync(
        &self,
        ctx: &mut Context<'_>,
        header: &Header,
        message: &Message<'_>,
        step: Step,
    ) -> Result<Option<(MessageIdSync, Option<u64>)>, DropReason> {
        if message.protected().is_none_or(|p| p.fragment.is_some()) {
            return Ok(None);
        }
        let crypt = self.crypt.as_ref().ok_or(DropReason::NoKeyYet)?;
        let opened = crypt.open(message)?;
        let limits = ctx.config.wire;
        // What cannot be read is refused as any other request is.
        let Ok(chain) = opened.inner.payloads(&limits) else {
            return Ok(None);
        };
        let Ok(payloads) = Payloads::read(&chain, &limits) else {
            return Ok(None);
        };
        let Some(sync) = payloads.notify(NotifyType::IKEV2_MESSAGE_ID_SYNC) else {
            return Ok(None);
        };
        let bad = DropReason::BadPayload(PayloadType::NOTIFY.into());
        let delta = payloads.notify(NotifyType::IPSEC_REPLAY_COUNTER_SYNC);
        let delta = delta.filter(|_| step == Step::InformationalI);
        // RFC 6311 §5.1: nothing else is in it.
        if chain.iter().count() != 1usize.saturating_add(usize::from(delta.is_some())) {
            return Err(DropReason::UnexpectedPayload(PayloadType::NOTIFY.into()));
        }
        let sync = sync.message_id_sync().ok_or_else(|| bad.clone())?;
        let delta = match delta {
            Some(delta) => Some(delta.replay_counter_delta().ok_or(bad)?),
            None => None,
        };
        let frame = self.frame(ctx)?;
        let len = usize::try_from(header.length).unwrap_or(0);
        explain::received(ctx, &frame, step, IkeState::Up, header, &chain, len);
        ctx.note(
            Some(self.id),
            What::Notified {
                version: IkeVersion::V2,
                notify: NotifyType::IKEV2_MESSAGE_ID_SYNC.0,
                authenticated: true,
                message_id: 0,
            },
        );
        Ok(Some((sync, delta)))
    }

    /// The peer asks in an exchange like others that our outbound SAs skip sequence numbers.
    pub(in crate::v2) fn asked_to_skip(
        &self,
        ctx: &mut Context<'_>,
        payloads: &Payloads<'_>,
    ) -> Result<(), DropReason> {
        if let Some(delta) = payloads.notify(NotifyType::IPSEC_REPLAY_COUNTER_SYNC) {
            let delta = delta.replay_counter_delta();
            let bad = DropReason::BadPayload(PayloadType::NOTIFY.into());
            self.skip_outbound(ctx, Some(delta.ok_or(bad)?));
        }
        Ok(())
    }

    fn skip_outbound(&self, ctx: &mut Context<'_>, delta: Option<u64>) {
        let agreed = self.up().is_some_and(|up| up.counters.replay);
        let Some(delta) = delta.filter(|_| agreed) else {
            return;
        };
        for (child, _) in self.own_children(ctx) {
            child::skip(ctx, child, delta);
        }
    }

    /// The children of this SA, and whether their sequence numbers are extended.
    fn own_children(&self, ctx: &Context<'_>) -> Vec<(ChildId, bool)> {
        let own = ctx.world.children.under(self.id);
        own.map(|child| (child.id, child.terms.esn)).collect()
    }

    /// Exchanges under way begin anew with other message IDs: whether the other end has taken
    /// their requests in, and remembers it, nobody knows (RFC 6311 §8.3).
    fn begin_anew(&mut self, ctx: &mut Context<'_>) {
        if let Some((ticket, ..)) = self.question.take() {
            ctx.world.questions.close(ticket);
        }
        let Some(up) = self.up_mut() else { return };
        up.parked = None;
        // A series cannot be taken up in its middle.
        up.unfollow(|_| true);
        for want in &mut up.queue {
            if let Want::FollowUp(task) = want {
                *want = task.anew();
            }
        }
        // Nobody doubts those whose response is here.
        let tasks = core::mem::take(&mut up.tasks);
        let (over, tasks): (BTreeMap<_, _>, BTreeMap<_, _>) =
            tasks.into_iter().partition(|(id, _)| up.computes(*id));
        up.tasks = over;
        for (_, task) in tasks.into_iter().rev() {
            up.queue.push_front(match task {
                Task::Child(task) => Want::Child(task.offered.wanted),
                Task::Ike(_) => Want::RekeyIke(None),
                Task::FollowUp(task) => task.anew(),
                Task::Delete(list) => Want::Delete(list),
                Task::DeleteIke(reason) => Want::DeleteIke(reason),
                Task::Liveness => Want::Liveness,
                Task::Update(_) => Want::Update,
                Task::Addresses => Want::Addresses,
                Task::Check(..) => Want::Check,
                Task::Skip(delta) => Want::Skip(delta),
                Task::Redirect(to) => Want::Redirect(to),
            });
        }
    }
}
