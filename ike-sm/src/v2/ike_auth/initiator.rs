//! `HDR, SK {IDi, …, AUTH, [CP(CFG_REQUEST),] SAi2, TSi, TSr} -->` and the answers to it.

use alloc::boxed::Box;
use alloc::sync::Arc;

use isakmp_wire::v2::NotifyType;

use super::{
    Proved, RefusedChild, Round, broken, doubt_proof, failed, received, with_env,
    write_announcements,
};
use crate::child::Wanted;
use crate::context::Context;
use crate::event::{Answer, What};
use crate::model::{ChildId, CloseReason, DropReason, Identity, RemoteIdentity};
use crate::v2::auth::{self, Failure, Outgoing, Proven, Step};
use crate::v2::child::{Offered, OfferedExchange};
use crate::v2::counters::Counters;
use crate::v2::frame::Frame;
use crate::v2::payloads::Payloads;
use crate::v2::protect::Inner;
use crate::v2::{configuration, redirect};

type Progress = super::Progress<Option<Inner>>;

/// IKE_AUTH as initiator.
#[derive(Debug)]
pub(crate) struct Initiator {
    auth: Option<auth::Initiator>,
    wanted: Option<Wanted>,
    offered: Option<Offered>,
    /// The first request is out.
    begun: bool,
    /// The response that is worked on.
    response: Option<Inner>,
}

impl Initiator {
    /// Begins, with the child that is to come up first.
    pub(crate) const fn new(wanted: Option<Wanted>) -> Self {
        Self {
            auth: None,
            wanted,
            offered: None,
            begun: false,
            response: None,
        }
    }

    /// The place of the first child in the configuration.
    pub(crate) fn negotiates(&self) -> Option<usize> {
        let offered = self.offered.as_ref().map(|o| &o.wanted);
        offered.or(self.wanted.as_ref()).map(|w| w.traffic.config)
    }

    /// Gives up what was offered.
    pub(crate) fn abandon(&mut self) -> Option<(ChildId, usize)> {
        let offered = self.offered.take()?;
        Some((offered.child, offered.wanted.traffic.config))
    }

    /// Gathers what the first request needs.
    pub(crate) fn start(&mut self, ctx: &mut Context<'_>, round: &Round<'_>) -> Progress {
        if self.wanted.is_none() && !round.init.peer.childless {
            // RFC 6023 §3: not without the responder's consent.
            return Progress::Fail(CloseReason::Refused, None);
        }
        let begun = with_env(ctx, round, &round.frame, auth::Initiator::start);
        let step = begun.map(|(auth, step)| {
            self.auth = Some(auth);
            step
        });
        self.step(ctx, round, step)
    }

    /// An answer has come.
    pub(crate) fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        answer: Answer,
    ) -> Progress {
        let Some(auth) = &mut self.auth else {
            return Progress::Fail(CloseReason::Refused, None);
        };
        let step = with_env(ctx, round, &round.frame, |env| auth.answer(env, answer));
        self.step(ctx, round, step)
    }

    /// Takes in a response. It is protected by the keys of IKE_SA_INIT: it ends the exchange, one
    /// way or the other.
    pub(crate) fn receive(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        inner: Inner,
    ) -> Progress {
        let frame = &round.frame;
        let limits = ctx.config.wire;
        let chain = inner.payloads(&limits).map_err(DropReason::Malformed);
        let payloads = match chain.and_then(|chain| Payloads::read(&chain, &limits)) {
            Ok(payloads) => payloads,
            Err(reason) => return broken(ctx, frame, &reason),
        };
        if let Some(error) = payloads.error()
            && payloads.authentication.is_none()
            && payloads.eap.is_none()
        {
            let error = error.notify_type;
            if error == NotifyType::AUTHENTICATION_FAILED {
                doubt_proof(ctx, frame, true);
            }
            let error = error.0;
            return Progress::Fail(CloseReason::RefusedByPeer(error), None);
        }
        let Some(auth) = &mut self.auth else {
            return Progress::Fail(CloseReason::Refused, None);
        };
        let parts = received(&payloads, frame.role);
        let step = with_env(ctx, round, frame, |env| auth.receive(env, &parts));
        self.response = Some(inner);
        self.step(ctx, round, step)
    }

    fn step(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        step: Result<Step, Failure>,
    ) -> Progress {
        match step {
            Ok(Step::Ask(question)) => Progress::Ask(Box::new(question)),
            Ok(Step::AskAt(at, question)) => Progress::AskAt(at, Box::new(question)),
            Ok(Step::Send(out)) => match self.message(ctx, round, &out) {
                Ok(inner) => Progress::Send(inner),
                Err(reason) => broken(ctx, &round.frame, &reason),
            },
            Ok(Step::Done(_, proven)) => self.finish(ctx, round, proven),
            Err(failure) if self.begun => failed(ctx, &round.frame, failure),
            // The responder has heard nothing yet.
            Err(failure) => match failed(ctx, &round.frame, failure) {
                Progress::Fail(reason, _) => Progress::Fail(reason, None),
                other => other,
            },
        }
    }

    /// The next request: the first one carries everything but proofs as well.
    fn message(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        out: &Outgoing,
    ) -> Result<Inner, DropReason> {
        let frame = &round.frame;
        let too_long = |_| DropReason::Limit("message size");
        if self.begun {
            return Inner::build(|w| out.write(w)).map_err(too_long);
        }
        self.begun = true;
        if let Some(wanted) = self.wanted.take() {
            self.offered = Some(Offered::new(ctx, frame, wanted, OfferedExchange::Never)?);
        }
        // RFC 7296 §2.4: only with the first SA to this identity.
        let expected = expected_id(frame);
        let known = ctx.knows_peer(frame.index, expected.as_ref());
        let initial_contact = frame.peer.announces_initial_contact() && !known && !round.replaces;
        let inner = Inner::build(|w| {
            out.write(w)?;
            if initial_contact {
                w.notify(NotifyType::INITIAL_CONTACT, &[])?;
            }
            configuration::write_request(w, &frame.peer.addresses_inside.request)?;
            if let Some(offered) = &self.offered {
                offered.write_sa(w)?;
                offered.write_ts(w)?;
            }
            let counters = Counters::of(frame.peer);
            write_announcements(w, frame, frame.peer.v2.mobike, counters)
        });
        inner.map_err(too_long)
    }

    /// The responder is who it says.
    fn finish(&mut self, ctx: &mut Context<'_>, round: &Round<'_>, proven: Proven) -> Progress {
        let frame = &round.frame;
        let peer = frame.path.remote.ip();
        ctx.note(Some(frame.ike), What::Authenticated { peer, ok: true });
        let Some(inner) = self.response.take() else {
            return Progress::Fail(CloseReason::Refused, None);
        };
        let limits = ctx.config.wire;
        let chain = inner.payloads(&limits).map_err(DropReason::Malformed);
        let payloads = match chain.and_then(|chain| Payloads::read(&chain, &limits)) {
            Ok(payloads) => payloads,
            Err(reason) => return broken(ctx, frame, &reason),
        };
        let mut proved = Proved::read(frame, proven, &payloads);
        let asked = !frame.peer.addresses_inside.request.is_empty();
        proved.assigned = payloads
            .configuration
            .as_ref()
            .filter(|_| asked)
            .and_then(configuration::read_reply);
        proved.redirect = redirect::after_auth(ctx, frame, &payloads);
        let Some(offered) = self.offered.take() else {
            return Progress::Done(Box::new(proved), None);
        };
        if proved.redirect.is_some() {
            // Wanted as before, of somebody else.
            return Progress::Done(Box::new(proved), None);
        }
        // RFC 7296 §2.21.2: without its child the IKE SA stands all the same.
        match offered.check(ctx, frame, &payloads, &proved.remote_id, None) {
            Ok(settled) => proved.child = Some(settled),
            Err(_) => {
                let error = payloads.error().map(|n| n.notify_type.0);
                let reason = error.map_or(CloseReason::Refused, CloseReason::RefusedByPeer);
                proved.refused = Some(RefusedChild {
                    child: offered.child,
                    config: offered.wanted.traffic.config,
                    reason,
                    half: offered.half(Some(&payloads)),
                });
            }
        }
        Progress::Done(Box::new(proved), None)
    }
}

/// The identity that this peer must have, where only one will do.
fn expected_id(frame: &Frame<'_>) -> Option<Arc<Identity>> {
    match &frame.peer.remote_id {
        RemoteIdentity::Is(identity) => Some(Arc::new(identity.clone())),
        _ => None,
    }
}
