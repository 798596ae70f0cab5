//! CREATE_CHILD_SA: further children, new keys for a child, new keys for the IKE SA (RFC 7296 §1.3,
//! §2.8, §2.25).

mod child;
mod followup;
mod ike;
mod task;

use alloc::boxed::Box;
use alloc::vec::Vec;

use crypto_suite::{GroupId, Secret};
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::v2::{KeyExchangeMethod, PayloadType};

pub(super) use child::finish as finish_child;
pub(super) use followup::{finish as finish_follow_up, respond as follow};
pub(super) use ike::{came_to_nothing as rekey_came_to_nothing, finish as finish_ike};
pub(super) use task::{ChildTask, FollowUp, Followed, IkeTask};

use super::keys::shortest_nonce;
use super::payloads::{Payloads, required};
use super::session::Session;
use crate::alg::v2 as alg;
use crate::context::Context;
use crate::model::{CloseReason, DropReason};
use crate::v2::answer::{Known, Response, Stop};
use crate::v2::frame::Frame;

/// Answers a request of the peer.
pub(super) fn respond(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    payloads: &Payloads<'_>,
    known: &mut Known,
) -> Result<Response, Stop> {
    let up = session.up().ok_or(DropReason::WrongState)?;
    if up.is_closing() || up.replaced {
        // RFC 7296 §2.25.2
        return Err(DropReason::TemporaryFailure.into());
    }
    if up.passing {
        return Err(DropReason::Limit("SAs of a peer that is sent away").into());
    }
    let sa = required(payloads.sa, PayloadType::SA)?;
    let first = sa.proposals().next();
    if first.is_some_and(|p| p.protocol_id == ProtocolId::IKE) {
        ike::respond(session, ctx, frame, payloads, known)
    } else {
        child::respond(session, ctx, frame, payloads, known)
    }
}

/// Ni or Nr: long enough for the prf of the SA (RFC 7296 §2.10).
fn nonce<'a>(session: &Session, payloads: &Payloads<'a>) -> Result<&'a [u8], DropReason> {
    let nonce = required(payloads.nonce, PayloadType::NONCE)?;
    let crypt = session.crypt.as_ref().ok_or(DropReason::NoKeyYet)?;
    if nonce.len() < shortest_nonce(crypt.keys.prf()) {
        return Err(DropReason::NonceLength(nonce.len()));
    }
    Ok(nonce)
}

/// The group of the KE payload.
fn group_of(payloads: &Payloads<'_>) -> Option<GroupId> {
    let method = payloads.key_exchange.map(|ke| ke.method)?;
    alg::group_from_wire(method)
}

/// Responder: our public value and the shared secret, for the group that was chosen. The embedder is
/// asked for them where it computes them and no other question is open.
fn answer_exchange(
    session: &Session,
    ctx: &mut Context<'_>,
    payloads: &Payloads<'_>,
    chosen: Option<GroupId>,
    known: &mut Known,
) -> Result<Option<(KeyExchangeMethod, Vec<u8>, Secret)>, Stop> {
    let Some(chosen) = chosen else {
        return Ok(None);
    };
    let ke = payloads.key_exchange;
    let ke = ke.filter(|ke| alg::group_from_wire(ke.method) == Some(chosen));
    // RFC 7296 §1.3: another group, or none, where this one was chosen.
    let ke = ke.ok_or(DropReason::WrongGroup(chosen))?;
    let group = ctx.provider.group(chosen).ok_or(DropReason::Crypto)?;
    let answer = match known.exchanged.take() {
        Some(done) => done.ok_or(DropReason::TemporaryFailure)?.of(chosen),
        None => {
            let checked = group.check_initiator(ke.data);
            checked.map_err(|_| DropReason::BadKeyExchange)?;
            if !session.is_asking()
                && let Some(question) = ctx.key_exchange(group, ke.data)
            {
                return Err(Stop::Ask(Box::new(question)));
            }
            group.respond(ctx.rng, ke.data)
        }
    };
    let (public, secret) = answer.map_err(|_| DropReason::BadKeyExchange)?;
    Ok(Some((ke.method, public, secret)))
}

/// RFC 6989 §2.5: who answers with an invalid value loses the IKE SA.
fn delete_if_invalid(session: &mut Session, ctx: &mut Context<'_>, reason: &DropReason) {
    if *reason == DropReason::BadKeyExchange {
        session.close(ctx, CloseReason::Refused, true);
    }
}

/// The group that an INVALID_KE_PAYLOAD names.
fn wanted_group(payloads: &Payloads<'_>) -> Option<GroupId> {
    let notify = payloads.notify(isakmp_wire::v2::NotifyType::INVALID_KE_PAYLOAD)?;
    alg::group_from_wire(KeyExchangeMethod(notify.u16()?))
}
