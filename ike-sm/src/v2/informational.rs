//! INFORMATIONAL: liveness, deletion, notifications (RFC 7296 §1.4, §1.4.1).

use isakmp_wire::registry::ProtocolId;
use isakmp_wire::v2::NotifyType;

use super::payloads::Payloads;
use super::protect::Inner;
use super::session::Session;
use super::up::remove_deleted;
use super::{mobike, nat};
use crate::child::DeletedChild;
use crate::context::Context;
use crate::core::effects::Effect;
use crate::event::What;
use crate::model::{CloseReason, DropReason, IkeVersion, IpsecProtocol};
use crate::v2::answer::{Response, Then};
use crate::v2::frame::Frame;

/// Answers a request of the peer.
pub(super) fn respond(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    message_id: u32,
    payloads: &Payloads<'_>,
) -> Result<Response, DropReason> {
    for notify in &payloads.notifies {
        ctx.note(
            Some(frame.ike),
            What::Notified {
                version: IkeVersion::V2,
                notify: notify.notify_type.0,
                authenticated: true,
                message_id,
            },
        );
    }
    let deletes_ike = |d: &isakmp_wire::v2::Delete<'_>| d.protocol_id == ProtocolId::IKE;
    if payloads.deletes.iter().any(deletes_ike) {
        // RFC 7296 §2.8.1: the end that made the redundant SA deletes it, so it has to be here.
        session.finish_rekeys(ctx);
        // RFC 7296 §2.25.2: the peer's rekey is the one that holds; ours is forgotten.
        if let Some((rival, _)) = session.up_mut().and_then(|up| up.rival.take()) {
            ctx.effect(Effect::Adopt(session.id, rival));
        }
        // RFC 7296 §1.4.1: an empty response; children end with their IKE SA.
        let mut response = Response::build(|_| Ok(()))?;
        response.then = Then::Close(CloseReason::DeletedByPeer);
        return Ok(response);
    }
    // RFC 7296 §2.21.2, §2.21.3: the peer has given the SA up.
    if let Some(kind) = gives_up(payloads) {
        let mut response = Response::build(|_| Ok(()))?;
        response.then = Then::Close(CloseReason::RefusedByPeer(kind.0));
        return Ok(response);
    }
    session.asked_to_skip(ctx, payloads)?;
    let mut deleted = [
        (ProtocolId::ESP, IpsecProtocol::Esp, alloc::vec::Vec::new()),
        (ProtocolId::AH, IpsecProtocol::Ah, alloc::vec::Vec::new()),
    ];
    for (id, protocol, ours) in &mut deleted {
        let named = payloads.deletes.iter().filter(|d| d.protocol_id == *id);
        let spis = named.flat_map(isakmp_wire::v2::Delete::spis);
        *ours = remove_deleted(ctx, session, spis, *protocol);
    }
    session.redirected(ctx, frame, payloads);
    let refused = session.relocated(ctx, frame, message_id, payloads)?;
    let hashes = mobike::echo(ctx, frame, payloads);
    Response::build(|w| {
        if let Some(refused) = refused {
            w.notify(refused, &[])?;
        }
        nat::write(w, &hashes)?;
        for (id, _, ours) in &deleted {
            // RFC 7296 §1.4.1: the SPIs of the other direction; none of those that both delete.
            if !ours.is_empty() {
                w.delete(*id, ours)?;
            }
        }
        if let Some(cookie) = payloads.notify(NotifyType::COOKIE2) {
            // RFC 4555 §4.2.5: copied into the response.
            w.notify(NotifyType::COOKIE2, cookie.data)?;
        }
        Ok(())
    })
}

/// Whether a request deletes its own IKE SA.
pub(super) fn deletes_ike(inner: &Inner, ctx: &Context<'_>) -> bool {
    let of_ike = |p: &Payloads<'_>| p.deletes.iter().any(|d| d.protocol_id == ProtocolId::IKE);
    look(inner, ctx, of_ike).unwrap_or(false)
}

/// The error with which a request gives its own IKE SA up, if it does (RFC 7296 §2.21.2, §2.21.3).
pub(super) fn fatal(inner: &Inner, ctx: &Context<'_>) -> Result<Option<NotifyType>, DropReason> {
    look(inner, ctx, gives_up)
}

fn gives_up(payloads: &Payloads<'_>) -> Option<NotifyType> {
    let fatal = [
        NotifyType::AUTHENTICATION_FAILED,
        NotifyType::INVALID_SYNTAX,
    ];
    fatal.into_iter().find(|kind| payloads.has(*kind))
}

fn look<R>(
    inner: &Inner,
    ctx: &Context<'_>,
    at: impl FnOnce(&Payloads<'_>) -> R,
) -> Result<R, DropReason> {
    let limits = ctx.config.wire;
    let chain = inner.payloads(&limits).map_err(DropReason::Malformed)?;
    Ok(at(&Payloads::read(&chain, &limits)?))
}

fn build(
    fill: impl FnOnce(&mut isakmp_wire::v2::Writer<'_>) -> Result<(), isakmp_wire::BuildError>,
) -> Result<Inner, DropReason> {
    Inner::build(fill).map_err(|_| DropReason::Limit("message size"))
}

/// `HDR, SK {D, …} -->`
pub(super) fn delete(children: &[DeletedChild]) -> Result<Inner, DropReason> {
    let of = |protocol| {
        let named = children.iter().filter(move |c| c.protocol == protocol);
        named.map(|c| c.spi_in).collect::<alloc::vec::Vec<u32>>()
    };
    build(|w| {
        for (id, spis) in [
            (ProtocolId::ESP, of(IpsecProtocol::Esp)),
            (ProtocolId::AH, of(IpsecProtocol::Ah)),
        ] {
            if !spis.is_empty() {
                w.delete(id, &spis)?;
            }
        }
        Ok(())
    })
}

/// `HDR, SK {D} -->`
pub(super) fn delete_ike() -> Result<Inner, DropReason> {
    build(|w| w.delete_ike().map(|_| ()))
}

/// `HDR, SK {} -->`
pub(super) fn empty() -> Result<Inner, DropReason> {
    build(|_| Ok(()))
}
