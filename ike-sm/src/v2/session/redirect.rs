//! Redirects (RFC 5685): what the session does about them.

use core::net::IpAddr;

use isakmp_wire::v2::NotifyType;

use crate::context::Context;
use crate::core::effects::Effect;
use crate::model::DropReason;
use crate::v2::established::Want;
use crate::v2::frame::Frame;
use crate::v2::payloads::Payloads;
use crate::v2::redirect::authentic;
use crate::v2::session::Session;

impl Session {
    /// Sends the peer to another gateway.
    pub(crate) fn send_away(
        &mut self,
        ctx: &mut Context<'_>,
        to: IpAddr,
    ) -> Result<(), DropReason> {
        let up = self.up().ok_or(DropReason::WrongState)?;
        // RFC 5685 §3, §10: an original initiator that follows.
        if up.mover || !up.peer_follows || up.replaced {
            return Err(DropReason::WrongState);
        }
        if up.queue.iter().any(|w| matches!(w, Want::Redirect(_))) {
            return Err(DropReason::AlreadyUnderWay);
        }
        self.want(ctx, Want::Redirect(to))
    }

    /// The peer goes, or has the time that it needs to; then this SA is over.
    pub(in crate::v2) fn sent_away(&mut self, ctx: &mut Context<'_>) {
        let (now, Ok(frame)) = (ctx.now, self.frame(ctx)) else {
            return;
        };
        if let Some(up) = self.up_mut() {
            up.leave_at(now.saturating_add(frame.peer.v2.redirect_time));
        }
    }

    /// The peer sends us to another gateway in the middle of a session. The SAs there come up before
    /// those here are deleted.
    pub(in crate::v2) fn redirected(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        payloads: &Payloads<'_>,
    ) {
        let follows = self.up().is_some_and(|up| up.mover && !up.replaced);
        let notify = payloads.notify(NotifyType::REDIRECT).filter(|_| follows);
        if let Some(notify) = notify
            && let Ok(to) = authentic(ctx, frame, notify)
        {
            ctx.effect(Effect::Redirected(self.id, to));
        }
    }
}
