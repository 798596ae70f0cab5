//! MOBIKE: the IKE SA moves to other addresses, and its children with it (RFC 4555).
//!
//! The original initiator decides. With both ends speaking it, the other one follows nothing but
//! UPDATE_SA_ADDRESSES (§3.8), and a NAT that has made a new mapping is noticed by the answer to a
//! sign of life.

use alloc::vec::Vec;
use core::net::SocketAddr;

use isakmp_wire::v2::{NotifyType, Writer};
use isakmp_wire::{BuildError, v2::PayloadType};

use super::established::{Task, Want};
use super::nat;
use super::payloads::Payloads;
use super::protect::Inner;
use super::session::{Frame, Session};
use crate::action::CloseReason;
use crate::context::Context;
use crate::outcome::DropReason;
use crate::path::Path;

/// Octets of our COOKIE2 (RFC 4555 §4.2.5: 8 to 64).
const COOKIE_LEN: usize = 16;

/// `HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_*), N(COOKIE2)} -->`
pub(super) fn update(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
) -> Result<(Task, Inner), DropReason> {
    let cookie = ctx.random::<COOKIE_LEN>().to_vec();
    let hashes = nat::hashes(ctx, frame, &frame.spis);
    let inner = build(|w| {
        w.notify(NotifyType::UPDATE_SA_ADDRESSES, &[])?;
        nat::write(w, &hashes)?;
        w.notify(NotifyType::COOKIE2, &cookie).map(|_| ())
    })?;
    Ok((Task::Update(cookie), inner))
}

/// `HDR, SK {N(NAT_DETECTION_*)} -->`: a sign of life that shows a new mapping (RFC 4555 §3.8).
pub(super) fn probe(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Result<Inner, DropReason> {
    let hashes = nat::hashes(ctx, frame, &frame.spis);
    build(|w| nat::write(w, &hashes))
}

fn build(
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
) -> Result<Inner, DropReason> {
    Inner::build(fill).map_err(|_| DropReason::Limit("message size"))
}

/// What a response to a request with NAT detection needs: the hashes of this path.
pub(super) fn echo(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    payloads: &Payloads<'_>,
) -> nat::Hashes {
    if !payloads.has(NotifyType::NAT_DETECTION_SOURCE_IP) {
        return None;
    }
    nat::hashes(ctx, frame, &frame.spis)
}

/// How the peer sees us, in a response.
fn seen_as(payloads: &Payloads<'_>) -> Option<Vec<u8>> {
    let notify = payloads.notify(NotifyType::NAT_DETECTION_DESTINATION_IP)?;
    (notify.data.len() == 20).then(|| notify.data.to_vec())
}

impl Session {
    /// Our address has changed: goes on from `local`.
    pub(crate) fn roam(
        &mut self,
        ctx: &mut Context<'_>,
        local: SocketAddr,
    ) -> Result<(), DropReason> {
        let up = self.up().ok_or(DropReason::WrongState)?;
        if !up.mobike || !up.mover || up.is_closing() {
            return Err(DropReason::WrongState);
        }
        if local.is_ipv4() != self.path.remote.is_ipv4() {
            return Err(DropReason::WrongState);
        }
        let path = Path { local, ..self.path };
        self.settle_at(ctx, path);
        self.want_update(ctx)
    }

    fn want_update(&mut self, ctx: &mut Context<'_>) -> Result<(), DropReason> {
        let up = self.up().ok_or(DropReason::WrongState)?;
        if up.queue.iter().any(|w| matches!(w, Want::Update)) {
            return Ok(());
        }
        self.want(ctx, Want::Update)
    }

    /// The peer says where it is now (RFC 4555 §3.5). `frame` has the path of its request.
    pub(super) fn updated(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message_id: u32,
        payloads: &Payloads<'_>,
    ) -> Result<(), DropReason> {
        let up = self.up().ok_or(DropReason::WrongState)?;
        if !up.mobike || up.mover {
            return Err(DropReason::UnexpectedPayload(PayloadType::NOTIFY.into()));
        }
        if up.moved_by.is_some_and(|newest| newest > message_id) {
            return Ok(());
        }
        let verdict = nat::judge(ctx, frame, &frame.spis, payloads);
        if let Some(up) = self.up_mut() {
            up.moved_by = Some(message_id);
            up.verdict = verdict.or(up.verdict);
        }
        self.settle_at(ctx, frame.path);
        Ok(())
    }

    /// The response to an update of ours.
    pub(super) fn update_answered(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        cookie: &[u8],
        payloads: &Payloads<'_>,
    ) {
        let echoed = payloads.notify(NotifyType::COOKIE2);
        if echoed.is_none_or(|n| n.data != cookie) {
            // RFC 4555 §3.7: somebody else answers.
            return self.close(ctx, CloseReason::AuthenticationFailed, true);
        }
        let verdict = nat::judge(ctx, frame, &frame.spis, payloads);
        let now = ctx.now;
        if let Some(up) = self.up_mut() {
            up.seen_as = seen_as(payloads);
            if verdict.is_some() {
                up.verdict = verdict;
                up.keep_alive(frame, frame.path, now);
            }
        }
    }

    /// The response to a sign of life: does the peer still see us where it saw us last?
    pub(super) fn probed(&mut self, ctx: &mut Context<'_>, payloads: &Payloads<'_>) {
        let Some(up) = self.up().filter(|up| up.probes()) else {
            return;
        };
        let seen = seen_as(payloads);
        if seen.is_some() && seen != up.seen_as {
            let _closing = self.want_update(ctx);
        }
    }
}
