//! MOBIKE (RFC 4555): what the session does about it.

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use isakmp_wire::v2::{NotifyType, PayloadType};

use crate::config::v2::MAX_ADDRESSES;
use crate::context::Context;
use crate::core::effects::Effect;
use crate::model::{CloseReason, DropReason, Path};
use crate::v2::established::{Task, Want};
use crate::v2::frame::Frame;
use crate::v2::mobike::{
    COOKIE_LEN, MAX_NATS, MAX_PATHS, build, listed, no_nats, seen_as, write_addresses,
    write_no_nats,
};
use crate::v2::nat;
use crate::v2::payloads::Payloads;
use crate::v2::protect::Inner;
use crate::v2::session::Session;

/// `HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_*), N(COOKIE2)} -->`
pub(in crate::v2) fn update(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
) -> Result<(Task, Inner), DropReason> {
    let cookie = ctx.random::<COOKIE_LEN>().to_vec();
    let hashes = nat::hashes(ctx, frame, &frame.spis);
    let inner = build(|w| {
        w.notify(NotifyType::UPDATE_SA_ADDRESSES, &[])?;
        nat::write(w, &hashes)?;
        write_no_nats(w, frame)?;
        w.notify(NotifyType::COOKIE2, &cookie).map(|_| ())
    })?;
    Ok((Task::Update(cookie), inner))
}

/// `HDR, SK {N(COOKIE2)} -->`: whoever answers is where the request went (RFC 4555 §3.7).
pub(in crate::v2) fn check(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
) -> Result<(Task, Inner), DropReason> {
    let cookie = ctx.random::<COOKIE_LEN>().to_vec();
    let inner = build(|w| w.notify(NotifyType::COOKIE2, &cookie).map(|_| ()))?;
    Ok((Task::Check(cookie, frame.path), inner))
}

/// `HDR, SK {N(ADDITIONAL_*_ADDRESS)+ or N(NO_ADDITIONAL_ADDRESSES), [N(NO_NATS_ALLOWED)]} -->`
pub(in crate::v2) fn addresses(
    session: &Session,
    frame: &Frame<'_>,
) -> Result<(Task, Inner), DropReason> {
    let ours = session.up().map(|up| &up.paths.ours);
    let ours = ours.ok_or(DropReason::WrongState)?;
    let here = frame.path.local.ip();
    let inner = build(|w| {
        if ours.iter().all(|ip| *ip == here) {
            w.notify(NotifyType::NO_ADDITIONAL_ADDRESSES, &[])?;
        }
        write_addresses(w, frame, ours)?;
        write_no_nats(w, frame)
    })?;
    Ok((Task::Addresses, inner))
}

impl Session {
    /// Our address has changed: goes on from `local`.
    pub(crate) fn roam(
        &mut self,
        ctx: &mut Context<'_>,
        local: SocketAddr,
    ) -> Result<(), DropReason> {
        self.may_move()?;
        if local.is_ipv4() != self.path.remote.is_ipv4() {
            return Err(DropReason::WrongState);
        }
        self.go_to(ctx, Path { local, ..self.path })
    }

    /// Our other addresses have changed.
    pub(crate) fn announce(
        &mut self,
        ctx: &mut Context<'_>,
        addresses: Vec<IpAddr>,
    ) -> Result<(), DropReason> {
        if addresses.len() > MAX_ADDRESSES {
            return Err(DropReason::Limit("additional addresses"));
        }
        let up = self.up_mut().ok_or(DropReason::WrongState)?;
        if !up.mobike || up.is_closing() {
            return Err(DropReason::WrongState);
        }
        up.has_room_for(&Want::Addresses)?;
        up.paths.ours = addresses;
        self.want_once(ctx, Want::Addresses)
    }

    /// Whether it is on us to move this SA.
    fn may_move(&self) -> Result<(), DropReason> {
        let up = self.up().ok_or(DropReason::WrongState)?;
        if !up.mobike || !up.mover || up.is_closing() {
            return Err(DropReason::WrongState);
        }
        Ok(())
    }

    /// Goes on from or to another address, and tells the peer.
    fn go_to(&mut self, ctx: &mut Context<'_>, path: Path) -> Result<(), DropReason> {
        let here = self.path;
        let up = self.up_mut().ok_or(DropReason::WrongState)?;
        up.has_room_for(&Want::Update)?;
        up.paths.before.get_or_insert(here);
        self.settle_at(ctx, path);
        self.want_once(ctx, Want::Update)
    }

    /// Wants an exchange, unless it waits already.
    fn want_once(&mut self, ctx: &mut Context<'_>, want: Want) -> Result<(), DropReason> {
        let up = self.up().ok_or(DropReason::WrongState)?;
        if up.waits(&want) {
            return Ok(());
        }
        self.want(ctx, want)
    }

    /// Nothing comes back on the path in use: goes on to another one, while there is one that was
    /// not tried since something came back (RFC 4555 §3.5, §3.11).
    pub(in crate::v2) fn try_another_path(&mut self, ctx: &mut Context<'_>) -> bool {
        let Ok(frame) = self.frame(ctx) else {
            return false;
        };
        if self.may_move().is_err() {
            return false;
        }
        let here = self.path;
        let Some(up) = self.up_mut().filter(|up| !up.replaced) else {
            return false;
        };
        let ends = |path: &Path| (path.local.ip(), path.remote.ip());
        let paths = &mut up.paths;
        if paths.dead.len() < MAX_PATHS {
            paths.dead.push(ends(&here));
        }
        let from = core::iter::once(here.local.ip()).chain(paths.ours.iter().copied());
        let to = || {
            let known = paths.theirs.iter().chain(&frame.peer.addresses).copied();
            core::iter::once(here.remote.ip()).chain(known)
        };
        let all = from.flat_map(|from| to().map(move |to| (from, to)));
        let next = all.take(MAX_PATHS).find(|(from, to)| {
            from.is_ipv4() == to.is_ipv4() && !paths.dead.contains(&(*from, *to))
        });
        let Some((from, to)) = next else { return false };
        let mut path = here;
        path.local.set_ip(from);
        path.remote.set_ip(to);
        self.go_to(ctx, path).is_ok()
    }

    /// The peer says where it is now (RFC 4555 §3.5), or where else it may be (§3.6). `frame` has
    /// the path of its request. Gives the error that it is told.
    pub(in crate::v2) fn relocated(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message_id: u32,
        payloads: &Payloads<'_>,
    ) -> Result<Option<NotifyType>, DropReason> {
        let moves = payloads.has(NotifyType::UPDATE_SA_ADDRESSES);
        let listed = listed(payloads);
        let up = self.up().ok_or(DropReason::WrongState)?;
        if moves && (!up.mobike || up.mover) {
            return Err(DropReason::UnexpectedPayload(PayloadType::NOTIFY.into()));
        }
        if !up.mobike || !moves && listed.is_none() {
            return Ok(None);
        }
        let newer = |newest: Option<u32>| newest.is_none_or(|newest| newest <= message_id);
        let moves = moves && newer(up.paths.moved_by);
        let listed = listed.filter(|_| newer(up.paths.listed_by));
        if !no_nats(frame, payloads) {
            return Ok(Some(NotifyType::UNEXPECTED_NAT_DETECTED));
        }
        let (here, remote) = (self.path.remote.ip(), frame.path.remote.ip());
        let roaming = &frame.peer.v2.roaming;
        let may_come = roaming.is_empty() || roaming.iter().any(|net| net.contains(remote));
        if moves && remote != here && !may_come {
            return Ok(Some(NotifyType::UNACCEPTABLE_ADDRESSES));
        }
        if let (Some(listed), Some(up)) = (listed, self.up_mut()) {
            up.paths.theirs = listed;
            up.paths.listed_by = Some(message_id);
            self.keep_within(ctx, remote);
        }
        if moves {
            self.updated(ctx, frame, message_id, payloads);
        }
        Ok(None)
    }

    /// The address of the peer that we use may be none of its own any more (RFC 4555 §3.5).
    fn keep_within(&mut self, ctx: &mut Context<'_>, source: IpAddr) {
        let here = self.path.remote.ip();
        let known = self.up().map(|up| &up.paths.theirs);
        let gone = source != here && known.is_some_and(|known| !known.contains(&here));
        if gone && self.may_move().is_ok() && source.is_ipv4() == here.is_ipv4() {
            let mut path = self.path;
            path.remote.set_ip(source);
            let _closing = self.go_to(ctx, path);
        }
    }

    /// The peer has moved.
    fn updated(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message_id: u32,
        payloads: &Payloads<'_>,
    ) {
        let verdict = nat::judge(ctx, frame, &frame.spis, payloads);
        if let Some(up) = self.up_mut() {
            up.paths.moved_by = Some(message_id);
            up.verdict = verdict.or(up.verdict);
        }
        let elsewhere = self.path.remote.ip() != frame.path.remote.ip();
        if elsewhere && frame.peer.v2.return_routability {
            // The children follow when the peer has answered from there.
            self.path = frame.path;
            let _closing = self.want_once(ctx, Want::Check);
        } else {
            self.settle_at(ctx, frame.path);
        }
    }

    /// The response to a check: the peer is where the request went, if it went nowhere else.
    pub(in crate::v2) fn checked(
        &mut self,
        ctx: &mut Context<'_>,
        cookie: &[u8],
        path: Path,
        payloads: &Payloads<'_>,
    ) {
        if !self.is_same(ctx, cookie, payloads) {
            return;
        }
        if path == self.path {
            ctx.effect(Effect::Moved(self.id));
        } else {
            let _closing = self.want_once(ctx, Want::Check);
        }
    }

    /// Whether COOKIE2 came back as it went; otherwise the SA ends: somebody else answers (RFC 4555
    /// §3.7).
    fn is_same(&mut self, ctx: &mut Context<'_>, cookie: &[u8], payloads: &Payloads<'_>) -> bool {
        let echoed = payloads.notify(NotifyType::COOKIE2);
        let same = echoed.is_some_and(|n| n.data == cookie);
        if !same {
            self.close(ctx, CloseReason::AuthenticationFailed, true);
        }
        same
    }

    /// The response to an update of ours.
    pub(in crate::v2) fn update_answered(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        cookie: &[u8],
        payloads: &Payloads<'_>,
    ) {
        if !self.is_same(ctx, cookie, payloads) {
            return;
        }
        let Some(up) = self.up_mut() else { return };
        if up.queue.iter().any(|w| matches!(w, Want::Update)) {
            // RFC 4555 §3.5: we have moved again since.
            return;
        }
        if payloads.has(NotifyType::UNEXPECTED_NAT_DETECTED) && up.paths.nats < MAX_NATS {
            up.paths.nats = up.paths.nats.saturating_add(1);
            let _closing = self.want_once(ctx, Want::Update);
            return;
        }
        let before = up.paths.before.take();
        up.paths.nats = 0;
        let refused = [
            NotifyType::UNACCEPTABLE_ADDRESSES,
            NotifyType::UNEXPECTED_NAT_DETECTED,
        ];
        if refused.iter().any(|kind| payloads.has(*kind)) {
            // The peer goes on with the path before.
            if let Some(path) = before {
                self.settle_at(ctx, path);
            }
            return;
        }
        up.paths.dead = Vec::new();
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

    /// The response to our list of addresses.
    pub(in crate::v2) fn announced(&mut self, ctx: &mut Context<'_>, payloads: &Payloads<'_>) {
        let Some(up) = self.up_mut() else { return };
        if payloads.has(NotifyType::UNEXPECTED_NAT_DETECTED) && up.paths.nats < MAX_NATS {
            up.paths.nats = up.paths.nats.saturating_add(1);
            let _closing = self.want_once(ctx, Want::Addresses);
        } else {
            up.paths.nats = 0;
        }
    }

    /// The response to a sign of life: does the peer still see us where it saw us last?
    pub(in crate::v2) fn probed(&mut self, ctx: &mut Context<'_>, payloads: &Payloads<'_>) {
        let Some(up) = self.up().filter(|up| up.probes()) else {
            return;
        };
        let seen = seen_as(payloads);
        if seen.is_some() && seen != up.seen_as {
            let _closing = self.want_once(ctx, Want::Update);
        }
    }
}
