//! REDIRECT: an initiator goes to another gateway (RFC 5685).
//!
//! A responder sends it there instead of answering IKE_SA_INIT, with its last IKE_AUTH message, or at
//! any time later. Only the original initiator follows, and only where its configuration knows the
//! peer: nothing but the address changes by it (§3).

use core::net::IpAddr;

use isakmp_wire::v2::{Gateway, Notify, NotifyType, PayloadType};

use super::payloads::Payloads;
use super::protect::Inner;
use crate::context::Context;
use crate::model::DropReason;
use crate::v2::frame::Frame;

/// How IKE_AUTH ends with a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redirected {
    /// We are to go there.
    To(IpAddr),
    /// We are to go where we do not go.
    Astray,
    /// We have sent the peer away.
    Peer,
}

/// Where a gateway is, if this end goes there.
pub(super) fn target(
    ctx: &Context<'_>,
    frame: &Frame<'_>,
    gateway: Gateway<'_>,
) -> Result<IpAddr, DropReason> {
    let Gateway::Address(to) = gateway else {
        // A name: nothing here resolves names.
        return Err(DropReason::NotOffered);
    };
    let here = frame.path.remote.ip();
    let known = frame.peer.v2.follow_redirects && frame.peer.covers(to).is_some();
    if !known || to == here || to.is_ipv4() != here.is_ipv4() {
        return Err(DropReason::NotOffered);
    }
    // B10: redirects that lead in circles end.
    if !ctx.world.redirects.allows(frame.index, ctx.now) {
        return Err(DropReason::Limit("redirects"));
    }
    Ok(to)
}

/// The same of a notification under the IKE SA's protection.
pub(super) fn authentic(
    ctx: &Context<'_>,
    frame: &Frame<'_>,
    notify: &Notify<'_>,
) -> Result<IpAddr, DropReason> {
    let bad = DropReason::BadPayload(PayloadType::NOTIFY.into());
    // RFC 5685 §9.2: the nonce is for IKE_SA_INIT alone.
    let (gateway, nonce) = notify.redirect().ok_or_else(|| bad.clone())?;
    if !nonce.is_empty() {
        return Err(bad);
    }
    target(ctx, frame, gateway)
}

/// What the last response of IKE_AUTH says of it.
pub(super) fn after_auth(
    ctx: &Context<'_>,
    frame: &Frame<'_>,
    payloads: &Payloads<'_>,
) -> Option<Redirected> {
    let notify = payloads.notify(NotifyType::REDIRECT)?;
    let to = authentic(ctx, frame, notify);
    Some(to.map_or(Redirected::Astray, Redirected::To))
}

/// `HDR, SK {N(REDIRECT, New_GW_ID)} -->`
pub(super) fn request(to: IpAddr) -> Result<Inner, DropReason> {
    let to = Gateway::Address(to);
    Inner::build(|w| w.redirect(NotifyType::REDIRECT, &to, &[]).map(|_| ()))
        .map_err(|_| DropReason::Limit("message size"))
}
