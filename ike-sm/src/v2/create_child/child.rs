//! A child: `HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr} -->` and the answer to it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crypto_suite::{ActiveKeyExchange, GroupId};
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::v2::{NotifyType, PayloadType};

use super::{FollowUp, Followed, answer_exchange, delete_if_invalid, group_of, nonce};
use crate::alg::v2 as alg;
use crate::child::{self, ChildState, DeletedChild, TrafficOf, Wanted};
use crate::context::Context;
use crate::core::effects::Effect;
use crate::event::What;
use crate::event::job::{self, Computed};
use crate::model::{ChildId, CloseReason, DropReason, IpsecProtocol};
use crate::policy::pfs::Permitted;
use crate::policy::v2::ChildKeyExchange;
use crate::v2::answer::{Known, Response, Stop};
use crate::v2::child::{
    Grant, Offered, OfferedExchange, Settled, Under, child_config, grant, install, remote_side,
};
use crate::v2::create_child::task::{ChildTask, Coming, Goal, Material, link_of};
use crate::v2::established::{Established, Want};
use crate::v2::frame::Frame;
use crate::v2::keys::Fresh;
use crate::v2::payloads::{Payloads, required};
use crate::v2::protect::Inner;
use crate::v2::sa_init;
use crate::v2::series::Series;
use crate::v2::session::Session;

const fn protocol_id(protocol: IpsecProtocol) -> ProtocolId {
    match protocol {
        IpsecProtocol::Esp => ProtocolId::ESP,
        IpsecProtocol::Ah => ProtocolId::AH,
    }
}

impl ChildTask {
    /// Builds the request. `computed` is the key pair that the embedder was asked for.
    pub(in crate::v2) fn start(
        session: &Session,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        mut wanted: Wanted,
        computed: Computed,
    ) -> Result<(Self, Inner), DropReason> {
        let up = session.up().ok_or(DropReason::WrongState)?;
        let holder = up.holder();
        if up.lacks_address(frame) {
            return Err(DropReason::AddressRequired);
        }
        if !holder.may_have(wanted.traffic.config) {
            return Err(DropReason::TsUnacceptable);
        }
        // Of ours too: the peer's side is what was leased to it.
        let remote = remote_side(&wanted.traffic.remote, holder.assignment);
        wanted.traffic.remote = remote.ok_or(DropReason::TsUnacceptable)?;
        let permitted = permitted(session, ctx, frame, wanted.traffic.config)?;
        let group = wanted.pfs.group(&permitted);
        let group = group.ok_or(DropReason::NoProposalChosen)?;
        let rekeyed = match wanted.replaces {
            None => None,
            Some(old) => {
                // It may have gone, or been replaced, while this waited.
                let children = &ctx.world.children;
                let old = children.get(old).filter(|c| session.owns(c));
                let old = old.filter(|c| !children.has_successor(c.id, c.device));
                let old = old.ok_or(DropReason::NoSuchObject)?;
                Some((protocol_id(old.terms.suite.protocol()), old.terms.spi_in))
            }
        };
        let exchange: Option<Arc<dyn ActiveKeyExchange>> = match group {
            Some(id) => {
                let group = ctx.provider.group(id).ok_or(DropReason::Crypto)?;
                Some(job::key_pair(group, ctx.rng, computed)?)
            }
            None => None,
        };
        let ke = OfferedExchange::With(group);
        let offered = Offered::new(ctx, frame, wanted, ke)?;
        let ni = sa_init::nonce(ctx);
        let inner = Inner::build(|w| {
            if let Some((protocol, spi)) = rekeyed {
                // RFC 7296 §1.3.3: the SPI that the sender expects in packets.
                w.notify_child(protocol, spi, NotifyType::REKEY_SA, &[])?;
            }
            offered.write_sa(w)?;
            w.nonce(&ni)?;
            if let Some(exchange) = &exchange
                && let Some(method) = alg::group_to_wire(exchange.group())
            {
                w.key_exchange(method, exchange.public())?;
            }
            offered.write_ts(w)
        });
        match inner {
            Ok(inner) => Ok((
                Self {
                    offered,
                    ni,
                    exchange,
                    crossed: None,
                },
                inner,
            )),
            Err(_) => Err(DropReason::Limit("message size")),
        }
    }
}

impl Session {
    /// The group with which a child of ours is offered next.
    pub(in crate::v2) fn group_for(&self, ctx: &Context<'_>, wanted: &Wanted) -> Option<GroupId> {
        let frame = self.frame(ctx).ok()?;
        let permitted = permitted(self, ctx, &frame, wanted.traffic.config).ok()?;
        wanted.pfs.group(&permitted)?
    }
}

/// What the configuration of a child and its IKE SA permit in a key exchange of its own.
fn permitted<'a>(
    session: &Session,
    ctx: &Context<'a>,
    frame: &Frame<'_>,
    config: usize,
) -> Result<Permitted<'a>, DropReason> {
    let up = session.up().ok_or(DropReason::WrongState)?;
    Ok(Permitted {
        pfs: child_config(frame, config)?.pfs,
        provider: ctx.provider,
        weak: ctx.config.weak,
        usual: up.suite.group,
    })
}

/// Takes in the response. `computed` is the shared secret that the embedder was asked for.
pub(in crate::v2) fn finish(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    task: ChildTask,
    payloads: Result<Payloads<'_>, DropReason>,
    computed: Computed,
) {
    let half = task.offered.half(payloads.as_ref().ok());
    let stillborn = session.stillborn(half.map(|half| half.spi_out));
    let agreed = match &payloads {
        _ if stillborn => Err(DropReason::Stale),
        Ok(payloads) => accept(session, ctx, frame, &task, payloads, computed),
        Err(reason) => Err(reason.clone()),
    };
    let error = payloads.as_ref().ok().and_then(|p| p.error());
    let error = error.map(|n| n.notify_type);
    let done = agreed.and_then(|(settled, material, series, link)| {
        if series.is_over() {
            let crossed = task.crossed.as_deref();
            comes_up(session, ctx, frame, settled, &material.fresh(), crossed).map(|()| None)
        } else {
            Ok(Some((settled, material, series, link)))
        }
    });
    match done {
        Ok(None) => {}
        Ok(Some((settled, material, series, link))) => {
            let crossed = task.crossed;
            let goal = Goal::Child(Box::new(task.offered), Box::new(settled));
            let task = FollowUp {
                series,
                material,
                link,
                goal,
            };
            go_on(session, ctx, task, crossed.as_deref());
        }
        Err(reason) => {
            let half = half.filter(|_| !stillborn);
            let named = payloads.as_ref().ok().and_then(super::wanted_group);
            let wanted = &task.offered.wanted;
            match asked_otherwise(session, ctx, frame, wanted, error, named) {
                Some(other) => {
                    offer_again(session, ctx, other);
                }
                None => failed(session, ctx, frame, &task.offered, error, half),
            }
            delete_if_invalid(session, ctx, &reason);
        }
    }
}

/// Begins with the additional key exchanges, unless a rekey of the same child by the peer, which is
/// over or has key exchanges to come, has the higher nonces.
fn go_on(session: &mut Session, ctx: &mut Context<'_>, task: FollowUp, crossed: Option<&[u8]>) {
    let Some(offered) = task.child() else { return };
    let replaces = offered.wanted.replaces;
    let fresh = task.material.fresh();
    let rank = fresh.nonces.lowest();
    let yields = |up: &mut Established| up.yields(replaces, rank);
    let yields = replaces.is_some() && session.up_mut().is_some_and(yields);
    if yields || crossed.is_some_and(|theirs| rank < theirs) {
        session.note_yielded(ctx);
    } else {
        session.follow_up(ctx, task);
    }
}

/// What is left to offer, where PFS is as the peer likes, to a peer that has refused an offer.
fn asked_otherwise(
    session: &Session,
    ctx: &Context<'_>,
    frame: &Frame<'_>,
    wanted: &Wanted,
    error: Option<NotifyType>,
    named: Option<GroupId>,
) -> Option<Wanted> {
    let permitted = permitted(session, ctx, frame, wanted.traffic.config).ok()?;
    let next = || wanted.pfs.next(&permitted);
    let pfs = match error? {
        // RFC 7296 §1.3.1: "the initiator will probably retry the exchange with a Diffie-Hellman
        // proposal and KEi in the group that the responder gave".
        NotifyType::INVALID_KE_PAYLOAD => {
            let named = named.and_then(|group| wanted.pfs.named(group, &permitted));
            named.or_else(next)?
        }
        NotifyType::NO_PROPOSAL_CHOSEN => next()?,
        _ => return None,
    };
    Some(Wanted {
        pfs,
        ..wanted.clone()
    })
}

/// Asks for the same child with another key exchange.
fn offer_again(session: &mut Session, ctx: &mut Context<'_>, wanted: Wanted) {
    let what = What::ExchangeEnded {
        message_id: session.window.next_id().saturating_sub(1),
        error: true,
        reason: "refused; offered again with another key exchange",
    };
    ctx.note(Some(session.id), what);
    let (config, new) = (wanted.traffic.config, wanted.replaces.is_none());
    if session.want(ctx, Want::Child(wanted)).is_err() {
        ctx.effect(match new {
            true => Effect::NotUp(session.peer, config, CloseReason::Refused),
            false => Effect::Pursue(session.peer),
        });
    }
}

/// No child comes of an offer. `half` is what the peer holds of it.
pub(super) fn failed(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    offered: &Offered,
    error: Option<NotifyType>,
    half: Option<DeletedChild>,
) {
    let (child, wanted) = (offered.child, offered.wanted.clone());
    let config = wanted.traffic.config;
    // The peer holds its half of what we do not take: it need not wait for us.
    if let Some(half) = half {
        session.tell_deleted(ctx, &half);
    }
    let reason = error.map_or(CloseReason::Refused, |e| CloseReason::RefusedByPeer(e.0));
    if wanted.replaces.is_some() {
        // The old one may have gone meanwhile, and this was to come in its place.
        ctx.effect(Effect::Pursue(frame.index));
    }
    ctx.child_failed(frame.index, config, child, reason);
    let busy = [NotifyType::TEMPORARY_FAILURE, NotifyType::STATE_NOT_FOUND];
    match (error, wanted.replaces) {
        // RFC 7296 §2.25: the peer has no such child any more. It goes here too, and a new one
        // comes.
        (Some(NotifyType::CHILD_SA_NOT_FOUND), Some(old)) => {
            // RFC 7296 §2.8.1: nothing is missing when the peer's rekey has come before ours.
            let device = frame.device(ctx);
            let replaced = ctx.world.children.has_successor(old, device);
            ctx.effect(Effect::RemoveChild(old, CloseReason::DeletedByPeer));
            let again = Wanted {
                replaces: None,
                ..wanted
            };
            if !replaced && session.want(ctx, Want::Child(again)).is_err() {
                ctx.effect(Effect::NotUp(frame.index, config, reason));
            }
        }
        (Some(error), Some(old)) if busy.contains(&error) => child::retry_soon(ctx, old),
        // Before the old one expires.
        (_, Some(old)) => child::rekey_failed(ctx, old),
        (Some(error), None) if busy.contains(&error) => {
            ctx.effect(Effect::Busy(frame.index, config));
        }
        (_, None) => ctx.effect(Effect::NotUp(frame.index, config, reason)),
    }
}

/// What was agreed on, and the key exchanges that are to come.
type Agreed = (Settled, Material, Series, Vec<u8>);

fn accept(
    session: &Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    task: &ChildTask,
    payloads: &Payloads<'_>,
    computed: Computed,
) -> Result<Agreed, DropReason> {
    let exchange = task.exchange.as_deref();
    if payloads.sa.is_none() {
        return Err(DropReason::NoProposalChosen);
    }
    let group = exchange.map(|e| e.group());
    let up = session.up().ok_or(DropReason::WrongState)?;
    let settled = task
        .offered
        .check(ctx, frame, payloads, &up.remote_id, group)?;
    let nr = nonce(session, payloads)?;
    let mut sk = Vec::new();
    match (exchange, settled.transforms.group) {
        (Some(exchange), Some(chosen)) if exchange.group() == chosen => {
            let ke = required(payloads.key_exchange, PayloadType::KEY_EXCHANGE)?;
            if alg::group_from_wire(ke.method) != Some(chosen) {
                return Err(DropReason::NotOffered);
            }
            sk.push(job::shared(exchange, ke.data, computed)?);
        }
        (None, None) => {}
        _ => return Err(DropReason::NotOffered),
    }
    let material = Material {
        ni: task.ni.clone(),
        nr: nr.to_vec(),
        sk,
    };
    let series = Series::new(&settled.transforms.additional);
    let link = if series.is_over() {
        Vec::new()
    } else {
        link_of(payloads)?
    };
    Ok((settled, material, series, link))
}

/// Initiator: installs what was agreed on.
pub(super) fn comes_up(
    session: &Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    settled: Settled,
    fresh: &Fresh<'_>,
    crossed: Option<&[u8]>,
) -> Result<(), DropReason> {
    let child = settled.child;
    under(session, frame, |under| {
        install(ctx, under, settled, fresh, true)
    })?;
    if crossed.is_some_and(|theirs| fresh.nonces.lowest() < theirs) {
        child::give_way(ctx, child);
    } else {
        // RFC 7296 §2.8: the responder takes packets in on it already.
        child::activate(ctx, child);
    }
    Ok(())
}

/// Responder: the same.
pub(super) fn peer_comes_up(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    settled: Settled,
    fresh: &Fresh<'_>,
) -> Result<(), DropReason> {
    let (child, replaces) = (settled.child, settled.replaces);
    under(session, frame, |under| {
        install(ctx, under, settled, fresh, false)
    })?;
    if let (Some(old), Some(up)) = (replaces, session.up_mut()) {
        up.crossed(old, fresh.nonces.lowest());
    } else {
        child::activate_first(ctx, child);
    }
    Ok(())
}

fn under(
    session: &Session,
    frame: &Frame<'_>,
    work: impl FnOnce(&Under<'_>) -> Result<(), DropReason>,
) -> Result<(), DropReason> {
    let up = session.up().ok_or(DropReason::WrongState)?;
    let crypt = session.crypt.as_ref().ok_or(DropReason::NoKeyYet)?;
    // Where the SA runs now: a request that has waited may have come by a path that is gone.
    let path = session.path;
    work(&Under {
        frame: Frame { path, ..*frame },
        keys: &crypt.keys,
        remote_id: &up.remote_id,
        verdict: up.verdict,
    })
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
    if up.is_rekeying() {
        // RFC 7296 §2.25.2: not beside a rekey of the IKE SA.
        return Err(DropReason::TemporaryFailure.into());
    }
    let rekeyed = rekeyed(session, ctx, payloads)?;
    let ni = nonce(session, payloads)?;
    if up.lacks_address(frame) {
        return Err(DropReason::AddressRequired.into());
    }
    let holder = up.holder();
    let terms = Grant {
        exchange: ChildKeyExchange::AsConfigured,
        key_exchange: group_of(payloads),
        only: rekeyed.map(|(_, config)| config),
        holder,
    };
    let granted = grant(ctx, frame, payloads, &terms)?;
    may_wait(ctx, frame, &granted.traffic)?;
    if let Some(question) = granted.authorize(ctx, frame, holder.identity, known.authorized)? {
        if session.is_asking() {
            return Err(DropReason::TemporaryFailure.into());
        }
        return Err(Stop::Ask(Box::new(question)));
    }
    let series = Series::new(&granted.transforms.additional);
    if !series.is_over() {
        let up = session.up().ok_or(DropReason::WrongState)?;
        up.may_follow(ctx, frame.ike, rekeyed.is_some())?;
    }
    let group = granted.transforms.group;
    let exchange = answer_exchange(session, ctx, payloads, group, known)?;
    let settled: Settled = granted.settle(ctx, rekeyed.map(|(old, _)| old))?;
    let spi = settled.spi.clone();
    let nr = sa_init::nonce(ctx);
    let (public, sk) = match exchange {
        Some((method, public, secret)) => (Some((method, public)), alloc::vec![secret]),
        None => (None, Vec::new()),
    };
    let material = Material {
        ni: ni.to_vec(),
        nr,
        sk,
    };
    let nr = material.nr.clone();
    let (material, followed) = if series.is_over() {
        (Some((material, settled)), None)
    } else {
        let coming = Coming::Child(Box::new(settled));
        (None, Some(Followed::new(ctx, series, material, coming)))
    };
    let response = Response::build(|w| {
        granted.write_sa(w, &spi)?;
        w.nonce(&nr)?;
        if let Some((method, public)) = &public {
            w.key_exchange(*method, public)?;
        }
        granted.write_ts(w)?;
        if let Some(followed) = &followed {
            w.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE, followed.link())?;
        }
        Ok(())
    });
    let response = response?;
    if let Some((material, settled)) = material {
        peer_comes_up(session, ctx, frame, settled, &material.fresh())?;
    }
    if let Some(up) = session.up_mut() {
        // RFC 7296 §2.25.2: never beside a rekey of the IKE SA, so the peer has given that up.
        up.unfollow(Followed::is_ike);
        if let Some(followed) = followed {
            up.follow(followed);
        }
    }
    Ok(response)
}

/// Refuses another pair for traffic that has many: replaced ones that the peer is to delete first, or
/// such that it has not used yet (RFC 7296 §2.25).
fn may_wait(ctx: &Context<'_>, frame: &Frame<'_>, traffic: &TrafficOf) -> Result<(), DropReason> {
    let children = ctx.world.children.under(frame.ike);
    let waiting = children.filter(|c| c.state != ChildState::Active && c.traffic() == *traffic);
    if waiting.count() >= ctx.config.limits.replaced_per_peer {
        return Err(DropReason::TemporaryFailure);
    }
    Ok(())
}

/// The child that REKEY_SA names, and its place in the configuration (RFC 7296 §2.25.1).
fn rekeyed(
    session: &Session,
    ctx: &Context<'_>,
    payloads: &Payloads<'_>,
) -> Result<Option<(ChildId, usize)>, DropReason> {
    let Some(notify) = payloads.notify(NotifyType::REKEY_SA) else {
        return Ok(None);
    };
    let spi = notify
        .spi_u32()
        .ok_or(DropReason::BadPayload(PayloadType::NOTIFY.into()))?;
    if session.up().is_some_and(|up| up.is_deleting(spi)) {
        return Err(DropReason::TemporaryFailure);
    }
    let mut same_spi = ctx.world.children.with_spi_out(spi);
    let found = same_spi
        .find(|c| session.owns(c) && protocol_id(c.terms.suite.protocol()) == notify.protocol_id);
    let Some(child) = found else {
        // It may be the one that we negotiate: the peer has it as soon as it has answered.
        let coming = session.up().is_some_and(|up| up.makes_children());
        return Err(match coming {
            true => DropReason::TemporaryFailure,
            false => DropReason::ChildNotFound(spi),
        });
    };
    let replacing = session.up().is_some_and(|up| up.is_replacing(child.id));
    if replacing || !child.is_current() {
        // RFC 7296 §2.25.1: its end is decided, told or not. RFC 9370 §2.2.4: only the key
        // exchanges of our rekey are left.
        return Err(DropReason::TemporaryFailure);
    }
    Ok(Some((child.id, child.config)))
}
