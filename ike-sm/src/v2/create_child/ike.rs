//! New keys for the IKE SA: `HDR, SK {SA, Ni, KEi} -->` and the answer to it (RFC 7296 §1.3.2,
//! §2.18).

use alloc::boxed::Box;

use crypto_suite::GroupId;
use isakmp_wire::v2::{NotifyType, PayloadType};

use super::{
    FollowUp, Followed, answer_exchange, delete_if_invalid, group_of, nonce, wanted_group,
};
use crate::alg::v2 as alg;
use crate::context::Context;
use crate::core::effects::Effect;
use crate::event::What;
use crate::event::job::{self, Computed};
use crate::model::{CloseReason, DropReason, IkeId, Role};
use crate::policy::v2::{
    IkeSuite, ProposalRecord, SpiRule, Terms, check_answer, choose, ike_offer, read_sa,
    what_would_match, write_sa,
};
use crate::v2::answer::{Known, Response, Stop};
use crate::v2::create_child::task::{Coming, Goal, IkeTask, Material, link_of, or_here};
use crate::v2::crypt::Crypt;
use crate::v2::established::Want;
use crate::v2::frame::Frame;
use crate::v2::keys::{Fresh, Keys, Spis};
use crate::v2::payloads::{Payloads, required};
use crate::v2::sa_init;
use crate::v2::series::Series;
use crate::v2::session::{Session, Stage};

fn terms<'a>(key_exchange: Option<GroupId>) -> Terms<'a> {
    Terms {
        subject: "IKE SA",
        spi: SpiRule::Ike,
        key_exchange,
        additional: true,
    }
}

/// Takes in the response. `computed` is the shared secret that the embedder was asked for.
pub(in crate::v2) fn finish(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    task: IkeTask,
    payloads: Result<Payloads<'_>, DropReason>,
    computed: Computed,
) {
    let agreed = match &payloads {
        Ok(payloads) => accept(session, ctx, frame, &task, payloads, computed),
        Err(_) => Err(DropReason::WrongState),
    };
    let reason = match agreed {
        Ok(Agreed::Up(next)) => return ours_is_up(session, ctx, *next),
        Ok(Agreed::GoesOn(task)) => return go_on(session, ctx, *task),
        Err(reason) => reason,
    };
    let payloads = payloads.as_ref().ok();
    let group = payloads.and_then(wanted_group).filter(|group| {
        let offered = &frame.peer.v2.proposals;
        !task.corrected && offered.iter().any(|p| p.groups.contains(group))
    });
    if group.is_some()
        && let Some(up) = session
            .up_mut()
            .filter(|up| up.rival.is_none() && !up.replaced)
    {
        // RFC 7296 §1.3: the same offer with the other group.
        return up.queue.push_front(Want::RekeyIke(group));
    }
    let error = payloads.and_then(|p| p.error()).map(|n| n.notify_type);
    came_to_nothing(session, ctx, error);
    delete_if_invalid(session, ctx, &reason);
}

/// What the response leads to.
enum Agreed {
    Up(Box<Session>),
    /// There are additional key exchanges to make.
    GoesOn(Box<FollowUp>),
}

/// No SA comes of our rekey.
pub(in crate::v2) fn came_to_nothing(
    session: &mut Session,
    ctx: &mut Context<'_>,
    error: Option<NotifyType>,
) {
    let (id, now) = (session.id, ctx.now);
    let busy = matches!(
        error,
        Some(NotifyType::TEMPORARY_FAILURE | NotifyType::STATE_NOT_FOUND)
    );
    let Some(up) = session.up_mut() else { return };
    match up.rival.take() {
        // RFC 7296 §2.25.2: ours came to nothing, the peer's did not.
        Some((rival, _)) => ctx.effect(Effect::Adopt(id, rival)),
        None => up.retry_rekey(now, busy),
    }
}

/// Begins with the additional key exchanges, unless an SA of the peer's with higher nonces is there
/// or on its way.
fn go_on(session: &mut Session, ctx: &mut Context<'_>, task: FollowUp) {
    let id = session.id;
    let fresh = task.material.fresh();
    let rank = fresh.nonces.lowest();
    let Some(up) = session.up_mut() else { return };
    if up.replaced {
        return;
    }
    if let Some((rival, _)) = up.rival.take_if(|(_, theirs)| rank < theirs.as_slice()) {
        ctx.effect(Effect::Adopt(id, rival));
    } else if !up.yields(None, rank) {
        return session.follow_up(ctx, task);
    }
    session.note_yielded(ctx);
}

/// Our rekey has come through. When the peer's has too, the SA with the lowest nonce goes, and the
/// end that made it deletes it (RFC 7296 §2.8.1).
pub(super) fn ours_is_up(session: &mut Session, ctx: &mut Context<'_>, next: Session) {
    let (old, new) = (session.id, next.id);
    let ours = next.up().map(|up| up.rank.clone()).unwrap_or_default();
    let Some(up) = session.up_mut() else { return };
    if !up.replaced && up.yields(None, &ours) {
        // RFC 9370 §2.2.4: that of the peer holds, and has key exchanges to come.
        session.successors.push(next);
        ctx.effect(Effect::Born(old));
        return ctx.effect(Effect::DeleteIke(new, CloseReason::Replaced));
    }
    let (rival, closing) = (up.rival.take(), up.closing_reason());
    let late = core::mem::replace(&mut up.replaced, true);
    session.successors.push(next);
    ctx.effect(Effect::Born(old));
    if let Some(reason) = closing {
        // The end was ordered while this was under way. Whichever the peer takes: it goes.
        for next in rival.map(|(rival, _)| rival).into_iter().chain([new]) {
            ctx.effect(Effect::DeleteIke(next, reason));
        }
        return;
    }
    match rival {
        // The peer uses its own already.
        _ if late => ctx.effect(Effect::DeleteIke(new, CloseReason::Replaced)),
        Some((rival, rank)) if ours < rank => {
            ctx.effect(Effect::Adopt(old, rival));
            ctx.effect(Effect::DeleteIke(new, CloseReason::Replaced));
        }
        Some((rival, _)) => {
            ctx.effect(Effect::Adopt(old, new));
            // The peer deletes it, unless it never knew that we have it.
            ctx.effect(Effect::Retire(rival));
        }
        None => ctx.effect(Effect::Adopt(old, new)),
    }
}

fn accept(
    session: &Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    task: &IkeTask,
    payloads: &Payloads<'_>,
    computed: Computed,
) -> Result<Agreed, DropReason> {
    let sa = required(payloads.sa, PayloadType::SA)?;
    let nr = nonce(session, payloads)?;
    let ke = required(payloads.key_exchange, PayloadType::KEY_EXCHANGE)?;
    let group = task.exchange.group();
    if alg::group_from_wire(ke.method) != Some(group) {
        return Err(DropReason::NotOffered);
    }
    let terms = terms(Some(group));
    let listens = ctx.config.explain;
    let mut note = |found: ProposalRecord| ctx.note(Some(frame.ike), found.into());
    let choice = check_answer(
        &task.offer,
        &read_sa(&sa),
        &terms,
        listens.then_some(&mut note),
    );
    let choice = choice.map_err(|_| DropReason::NotOffered)?;
    let suite = choice.ike_suite().ok_or(DropReason::NotOffered)?;
    let peer_spi = <[u8; 8]>::try_from(choice.peer_spi.as_slice());
    let g_ir = job::shared(&*task.exchange, ke.data, or_here(computed, group))?;
    let spis = Spis {
        initiator: task.spi,
        responder: peer_spi.map_err(|_| DropReason::NotOffered)?,
    };
    let material = Material {
        ni: task.ni.clone(),
        nr: nr.to_vec(),
        sk: alloc::vec![g_ir],
    };
    let series = Series::new(&suite.additional);
    if !series.is_over() {
        let task = FollowUp {
            series,
            material,
            link: link_of(payloads)?,
            goal: Goal::Ike(spis, suite),
        };
        return Ok(Agreed::GoesOn(Box::new(task)));
    }
    let fresh = material.fresh();
    let next = succeed(session, ctx, Role::Initiator, spis, suite, &fresh)?;
    Ok(Agreed::Up(Box::new(next)))
}

/// Answers a request of the peer.
pub(super) fn respond(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    payloads: &Payloads<'_>,
    known: &mut Known,
) -> Result<Response, Stop> {
    let up = session.up().ok_or(DropReason::WrongState)?;
    // RFC 7296 §2.25.2: not while children of ours come or go.
    if up.is_changing_children() || up.rival.is_some() {
        return Err(DropReason::TemporaryFailure.into());
    }
    if up.is_rekeyed_by_series() {
        // RFC 9370 §2.2.4: only the key exchanges of ours are left.
        return Err(DropReason::TemporaryFailure.into());
    }
    // RFC 7296 §2.25: what the peer has replaced it is to delete before it goes on.
    let device = frame.device(ctx);
    let (standing, limits) = (&ctx.world.standing, &ctx.config.limits);
    let replaced = standing.replaced(device).count();
    let full = standing.len() >= limits.ike_sas && replaced > 0;
    if full || replaced >= limits.replaced_per_peer {
        return Err(DropReason::TemporaryFailure.into());
    }
    let sa = required(payloads.sa, PayloadType::SA)?;
    let ni = nonce(session, payloads)?;
    let ours = ike_offer(&frame.peer.v2.proposals, &[]);
    let terms = terms(group_of(payloads));
    let theirs = read_sa(&sa);
    let listens = ctx.config.explain;
    let mut note = |found: ProposalRecord| ctx.note(Some(frame.ike), found.into());
    let choice = choose(&ours, &theirs, &terms, listens.then_some(&mut note));
    let found = choice.and_then(|choice| Some((choice.ike_suite()?, choice)));
    let Some((suite, choice)) = found else {
        let (provider, weak) = (ctx.provider, ctx.config.weak);
        if listens && let Some(miss) = what_would_match(&ours, &theirs, &terms, provider, weak) {
            ctx.note(Some(frame.ike), What::WouldMatch(Box::new(miss)));
        }
        return Err(DropReason::NoProposalChosen.into());
    };
    let peer_spi = <[u8; 8]>::try_from(choice.peer_spi.as_slice());
    let peer_spi = peer_spi.map_err(|_| DropReason::NoProposalChosen)?;
    let exchange = answer_exchange(session, ctx, payloads, Some(suite.group), known)?;
    let (method, public, g_ir) = exchange.ok_or(DropReason::Crypto)?;
    let spis = Spis {
        initiator: peer_spi,
        responder: ctx.cookie()?,
    };
    let nr = sa_init::nonce(ctx);
    let material = Material {
        ni: ni.to_vec(),
        nr: nr.clone(),
        sk: alloc::vec![g_ir],
    };
    let series = Series::new(&suite.additional);
    let (next, followed) = if series.is_over() {
        let fresh = material.fresh();
        let next = succeed(session, ctx, Role::Responder, spis, suite, &fresh)?;
        (Some(next), None)
    } else {
        let coming = Coming::Ike(spis, suite);
        (None, Some(Followed::new(ctx, series, material, coming)))
    };
    let response = Response::build(|w| {
        w.sa(|sa| write_sa(&[choice.answer(&spis.responder)], sa))?;
        w.nonce(&nr)?;
        w.key_exchange(method, &public)?;
        if let Some(followed) = &followed {
            w.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE, followed.link())?;
        }
        Ok(())
    })?;
    if let Some(next) = next {
        theirs_is_up(session, ctx, next);
    }
    if let Some(up) = session.up_mut() {
        // RFC 7296 §2.25.2: nothing of the peer's is beside this, so it has given up what was.
        up.unfollow(|_| true);
        up.followed.extend(followed);
    }
    Ok(response)
}

/// The peer's rekey has come through.
pub(super) fn theirs_is_up(session: &mut Session, ctx: &mut Context<'_>, next: Session) {
    let (old, new) = (session.id, next.id);
    let rank = next.up().map(|up| up.rank.clone()).unwrap_or_default();
    session.successors.push(next);
    ctx.effect(Effect::Born(old));
    match session.up_mut().filter(|up| up.is_rekeying()) {
        // Both at once: decided when the response to ours is here.
        Some(up) => up.rival = Some((new, rank)),
        None => ctx.effect(Effect::Adopt(old, new)),
    }
}

/// The IKE SA that takes the place of this one.
pub(super) fn succeed(
    session: &Session,
    ctx: &mut Context<'_>,
    role: Role,
    spis: Spis,
    suite: IkeSuite,
    fresh: &Fresh<'_>,
) -> Result<Session, DropReason> {
    let (up, crypt) = session
        .up()
        .zip(session.crypt.as_ref())
        .ok_or(DropReason::WrongState)?;
    let prf = ctx.provider.prf(suite.prf).ok_or(DropReason::Crypto)?;
    let nonces = &fresh.nonces;
    let g_ir = fresh.g_ir.ok_or(DropReason::WrongState)?;
    let seed = crypt.keys.rekey_skeyseed(g_ir, nonces, fresh.additional);
    let keys = Keys::derive(prf, suite.protection, &seed, nonces, spis);
    let keys = keys.map_err(|_| DropReason::Crypto)?;
    let crypt = Crypt::new(ctx.provider, keys, role)?;
    let id = IkeId(ctx.world.handles.next());
    let mut next = Session::new(ctx, id, session.peer, role, session.path, spis);
    next.replaces = Some(session.id);
    let frame = next.frame(ctx)?;
    let rank = nonces.lowest().to_vec();
    let established = up.successor(ctx, &frame, suite, rank);
    ctx.note(Some(id), What::KeysDerived);
    crypt.log(ctx);
    next.window.open(frame.peer.v2.window);
    next.crypt = Some(Box::new(crypt));
    next.stage = Stage::Up(Box::new(established));
    Ok(next)
}
