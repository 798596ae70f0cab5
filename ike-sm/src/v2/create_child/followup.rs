//! Additional key exchanges of a CREATE_CHILD_SA: `HDR(IKE_FOLLOWUP_KE), SK {KEi(n),
//! N(ADDITIONAL_KEY_EXCHANGE)} -->` and the answer to it (RFC 9370 §2.2.4).
//!
//! Nothing is installed before the last of them is over. Of two series for the same SA the one with
//! the lowest nonce stops as soon as its initiator can tell, and the other end drops its half.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use isakmp_wire::v2::{NotifyType, PayloadType};

use super::{child, ike};
use crate::context::Context;
use crate::event::What;
use crate::event::job::Computed;
use crate::model::{ChildId, CloseReason, DropReason, IkeId, Role};
use crate::v2::answer::{Known, Response, Stop};
use crate::v2::create_child::task::{Coming, FollowUp, Followed, Goal, PATIENCE, message};
use crate::v2::established::{Established, Want};
use crate::v2::frame::Frame;
use crate::v2::payloads::{Payloads, required};
use crate::v2::session::Session;

/// Series of the peer under one IKE SA.
const MAX_FOLLOWED: usize = 4;
/// So many STATE_NOT_FOUND without a success between them end the IKE SA.
const MAX_LOST: u8 = 4;

/// Whether the child that a series replaces is gone, or about to be: then nothing replaces it.
fn is_pointless(ctx: &Context<'_>, replaces: Option<ChildId>) -> bool {
    let stands = |old| ctx.world.children.get(old).is_some_and(|c| !c.told);
    replaces.is_some_and(|old| !stands(old))
}

/// Takes in the response to a request of ours. `computed` is the shared secret that the embedder was
/// asked for.
pub(in crate::v2) fn finish(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    mut task: FollowUp,
    payloads: Result<Payloads<'_>, DropReason>,
    computed: Computed,
) {
    let taken = payloads.and_then(|payloads| task.take(ctx, &payloads, computed));
    let over = task.series.is_over();
    let replaces = task.child().and_then(|offered| offered.wanted.replaces);
    let done = match taken {
        Ok(()) if is_pointless(ctx, replaces) => Err(DropReason::NoSuchObject),
        Ok(()) if !over => return session.follow_up(ctx, task),
        Ok(()) => complete(session, ctx, frame, &task),
        Err(reason) => Err(reason),
    };
    match done {
        Ok(()) => {
            if let Some(up) = session.up_mut() {
                up.states_lost = 0;
            }
        }
        Err(reason) => failed(session, ctx, frame, task, &reason),
    }
}

fn complete(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    task: &FollowUp,
) -> Result<(), DropReason> {
    let fresh = task.material.fresh();
    match &task.goal {
        Goal::Child(_, settled) => {
            if session.stillborn(Some(settled.transforms.peer_spi)) {
                return Err(DropReason::Stale);
            }
            // Of a rekey of the peer that has crossed ours was known before the series began.
            child::comes_up(session, ctx, frame, (**settled).clone(), &fresh, None)
        }
        Goal::Ike(spis, suite) => {
            let next = ike::succeed(session, ctx, Role::Initiator, *spis, *suite, &fresh)?;
            ike::ours_is_up(session, ctx, next);
            Ok(())
        }
    }
}

/// The whole series has failed.
fn failed(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    task: FollowUp,
    reason: &DropReason,
) {
    let error = match reason {
        DropReason::Notified(error) => Some(NotifyType(*error)),
        _ => None,
    };
    let over = task.series.is_over();
    match task.goal {
        Goal::Child(offered, settled) => {
            let half = Some(settled.half()).filter(|_| over && error.is_none());
            child::failed(session, ctx, frame, &offered, error, half);
        }
        Goal::Ike(..) => ike::came_to_nothing(session, ctx, error),
    }
    super::delete_if_invalid(session, ctx, reason);
    if error != Some(NotifyType::STATE_NOT_FOUND) {
        return;
    }
    let Some(up) = session.up_mut() else { return };
    up.states_lost = up.states_lost.saturating_add(1);
    if up.states_lost >= MAX_LOST {
        // RFC 9370 §2.2.4: a fatal error.
        let reason = CloseReason::RefusedByPeer(NotifyType::STATE_NOT_FOUND.0);
        session.close(ctx, reason, true);
    }
}

impl Established {
    /// Whether another child of the peer's may come up by a series under this IKE SA.
    pub(super) fn may_follow(
        &self,
        ctx: &Context<'_>,
        ike: IkeId,
        replaces: bool,
    ) -> Result<(), DropReason> {
        let coming = self.followed.len();
        if coming >= MAX_FOLLOWED {
            return Err(DropReason::TemporaryFailure);
        }
        let children = &ctx.world.children;
        children.room_for(ctx.config, ike, coming, replaces)
    }

    /// A series of the peer begins. One of its own for the same SA has come to nothing there.
    pub(super) fn follow(&mut self, followed: Followed) {
        self.unfollow(|other| followed.rivals(other));
        self.followed.push(followed);
    }

    /// Gives up series of the peer.
    pub(in crate::v2) fn unfollow(&mut self, given_up: impl Fn(&Followed) -> bool) {
        self.followed.retain(|followed| !given_up(followed));
        if self.followed.is_empty() {
            self.followed = Vec::new();
        }
    }

    /// When the first series of the peer is forgotten.
    pub(in crate::v2) fn followed_until(&self) -> Option<Duration> {
        self.followed.iter().map(|f| f.until).min()
    }

    /// Forgets what the peer has not gone on with; whether there was any.
    pub(in crate::v2) fn forget_followed(&mut self, now: Duration) -> bool {
        let due = self.followed_until().is_some_and(|until| until <= now);
        if due {
            self.unfollow(|followed| followed.until <= now);
        }
        due
    }

    /// Of two series at once, ours with this rank and one of the peer's: whether ours is to stop
    /// (RFC 9370 §2.2.4). If not, the peer's is.
    pub(super) fn yields(&mut self, replaces: Option<ChildId>, rank: &[u8]) -> bool {
        let rival = |f: &Followed| match replaces {
            Some(_) => f.replaces() == replaces,
            None => f.is_ike(),
        };
        let mut rivals = self.followed.iter().filter(|f| rival(f));
        if rivals.any(|f| rank < f.material.fresh().nonces.lowest()) {
            return true;
        }
        self.unfollow(rival);
        false
    }

    /// The series of ours.
    pub(in crate::v2) fn follow_ups(&self) -> impl Iterator<Item = &FollowUp> + '_ {
        let tasks = self.tasks.values().filter_map(|task| task.follow_up());
        let queue = self.queue.iter().filter_map(|want| match want {
            Want::FollowUp(task) => Some(&**task),
            _ => None,
        });
        tasks.chain(queue)
    }

    /// Whether one of ours is about to replace this child.
    pub(super) fn is_replacing(&self, old: ChildId) -> bool {
        let children = self.follow_ups().filter_map(FollowUp::child);
        children.into_iter().any(|o| o.wanted.replaces == Some(old))
    }
}

/// Answers a request of the peer.
pub(in crate::v2) fn respond(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    payloads: &Payloads<'_>,
    known: &mut Known,
) -> Result<Response, Stop> {
    let asking = session.is_asking();
    let up = session.up_mut().ok_or(DropReason::WrongState)?;
    if up.is_closing() || up.replaced {
        return Err(DropReason::TemporaryFailure.into());
    }
    let link = payloads.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE);
    let link = link.map(|notify| notify.data);
    let place = up.followed.iter().position(|f| link == Some(&f.link[..]));
    let place = place.ok_or(DropReason::StateNotFound)?;
    let followed = up.followed.get_mut(place);
    let followed = followed.ok_or(DropReason::StateNotFound)?;
    let replaces = followed.replaces();
    if is_pointless(ctx, replaces) {
        up.unfollow(|f| f.replaces() == replaces);
        return Err(DropReason::StateNotFound.into());
    }
    let ke = required(payloads.key_exchange, PayloadType::KEY_EXCHANGE)?;
    let exchanged = known.exchanged.take();
    if exchanged.is_none()
        && !asking
        && let Some(question) = followed.series.question(ctx, &ke)?
    {
        return Err(Stop::Ask(Box::new(question)));
    }
    let (public, secret) = followed.series.respond(ctx, &ke, exchanged)?;
    followed.material.sk.push(secret);
    if !followed.series.is_over() {
        followed.link = ctx.random();
        followed.until = ctx.now.saturating_add(PATIENCE);
        return Ok(message(&public, Some(&followed.link))?);
    }
    let response = message(&public, None)?;
    let Followed { goal, material, .. } = up.followed.remove(place);
    let fresh = material.fresh();
    match goal {
        Coming::Child(settled) => child::peer_comes_up(session, ctx, frame, *settled, &fresh)?,
        Coming::Ike(spis, suite) => {
            let next = ike::succeed(session, ctx, Role::Responder, spis, suite, &fresh)?;
            ike::theirs_is_up(session, ctx, next);
        }
    }
    Ok(response)
}

impl Session {
    /// Goes on with a series of ours, before all else.
    pub(super) fn follow_up(&mut self, ctx: &mut Context<'_>, task: FollowUp) {
        let index = self.peer;
        let Some(up) = self.up_mut() else { return };
        let want = Want::FollowUp(Box::new(task));
        if up.is_closing() {
            return want.give_up(ctx, index, CloseReason::Requested);
        }
        up.queue.push_front(want);
    }

    /// The peer's series for the same SA is the one that goes on.
    pub(super) fn note_yielded(&self, ctx: &mut Context<'_>) {
        ctx.note(
            Some(self.id),
            What::ExchangeEnded {
                message_id: self.window.next_id().saturating_sub(1),
                error: false,
                reason: "the rekey of the peer goes on, with the higher nonces",
            },
        );
    }
}
