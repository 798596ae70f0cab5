//! `--> HDR, SK {IDi, …, AUTH, [CP(CFG_REQUEST),] SAi2, TSi, TSr}` and our answers.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{AuthMethod, Gateway, NotifyType, PayloadType};

use super::{Proved, Round, broken, failed, received, with_env, write_announcements};
use crate::config::v2::{AddressRequest, Assign, Assignment, EapUsers, RedirectWhen, RemoteAuth};
use crate::config::{Config, Uniqueness};
use crate::context::Context;
use crate::core::effects::Effect;
use crate::event::{Answer, AuthRecord, Notice, Question, UserGrant, What};
use crate::model::{AuthFault, CloseReason, DropReason, Identity, IkeId, IkeVersion};
use crate::peer::standing::Site;
use crate::policy::v2::{ChildKeyExchange, IkeSuite};
use crate::v2::answer::Stop;
use crate::v2::auth::{self, Failure, Outgoing, Proven, Step};
use crate::v2::child::{Grant, Granted, Holder, Settled, grant};
use crate::v2::error::{refusal, told};
use crate::v2::frame::Frame;
use crate::v2::payloads::{Payloads, required};
use crate::v2::protect::Inner;
use crate::v2::redirect::Redirected;
use crate::v2::{configuration, mobike};

/// Each request leads to a response.
type Progress = super::Progress<Inner>;

/// IKE_AUTH as responder.
#[derive(Debug, Default)]
pub(crate) struct Responder {
    auth: Option<auth::Responder>,
    /// The first request: what it asks for besides proofs is granted at the end.
    first: Option<Inner>,
    /// The peer's place in the configuration, once it has named itself.
    index: Option<usize>,
    /// All is proven, and a question about the rest is open.
    pending: Option<Pending>,
}

/// What follows from the proofs, as far as it is known.
#[derive(Debug)]
struct Pending {
    out: Outgoing,
    proven: Proven,
    /// The addresses for the peer, if it needs any.
    addresses: Option<Result<Assignment, DropReason>>,
    /// Whether it may have its child.
    authorized: Option<bool>,
    /// The children of the configuration that it may have; `None` for all.
    may_have: Option<Arc<[usize]>>,
}

impl Responder {
    /// Takes in a request.
    pub(crate) fn receive(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        inner: Inner,
    ) -> Progress {
        let limits = ctx.config.wire;
        let chain = inner.payloads(&limits).map_err(DropReason::Malformed);
        let payloads = match chain.and_then(|chain| Payloads::read(&chain, &limits)) {
            Ok(payloads) => payloads,
            Err(reason) => return broken(ctx, &round.frame, &reason),
        };
        if self.auth.is_none() {
            if !mobike::no_nats(&round.frame, &payloads) {
                let nat = DropReason::UnexpectedNat;
                return broken(ctx, &round.frame, &nat);
            }
            match select(ctx.config, &round.frame, &round.init.suite, &payloads) {
                Ok(index) => self.index = Some(index),
                Err(reason) => return broken(ctx, &round.frame, &reason),
            }
        }
        let config = ctx.config;
        let frame = reframe(config, &round.frame, self.index);
        let parts = received(&payloads, frame.role);
        let step = match &mut self.auth {
            Some(auth) => with_env(ctx, round, &frame, |env| auth.receive(env, &parts)),
            none => {
                let begun = with_env(ctx, round, &frame, |env| {
                    auth::Responder::start(env, &parts)
                });
                begun.map(|(auth, step)| {
                    *none = Some(auth);
                    step
                })
            }
        };
        if self.first.is_none() {
            self.first = Some(inner);
        }
        self.step(ctx, round, step)
    }

    /// Goes on with the request that waits.
    pub(crate) fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        answer: Answer,
    ) -> Progress {
        if let Some(mut pending) = self.pending.take() {
            match answer {
                Answer::Addresses(assignment) => {
                    pending.addresses = Some(assignment.ok_or(DropReason::NoAddress));
                }
                Answer::Authorize(yes) => pending.authorized = Some(yes),
                Answer::User(grant) => {
                    return self.user_judged(ctx, round, pending, grant);
                }
                _ => {}
            }
            return self.finish(ctx, round, pending);
        }
        let config = ctx.config;
        let frame = reframe(config, &round.frame, self.index);
        let Some(auth) = &mut self.auth else {
            return broken(ctx, &frame, &DropReason::WrongState);
        };
        let step = with_env(ctx, round, &frame, |env| auth.answer(env, answer));
        self.step(ctx, round, step)
    }

    fn step(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        step: Result<Step, Failure>,
    ) -> Progress {
        let config = ctx.config;
        let frame = reframe(config, &round.frame, self.index);
        match step {
            Ok(Step::Ask(question)) => Progress::Ask(Box::new(question)),
            Ok(Step::AskAt(at, question)) => Progress::AskAt(at, Box::new(question)),
            Ok(Step::Send(out)) => match Inner::build(|w| out.write(w)) {
                Ok(inner) => Progress::Send(inner),
                Err(_) => broken(ctx, &frame, &DropReason::Limit("message size")),
            },
            Ok(Step::Done(out, proven)) => self.proven(ctx, round, out, proven),
            Err(failure) => failed(ctx, &frame, failure),
        }
    }

    /// The initiator has proved who it is. After EAP that is not whom it claims to be, by which its
    /// configuration was chosen: the user has to fit that.
    fn proven(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        out: Outgoing,
        proven: Proven,
    ) -> Progress {
        let config = ctx.config;
        let frame = reframe(config, &round.frame, self.index);
        let user = match &proven.identity {
            Identity::User(user) => Some(user.clone()),
            _ => None,
        };
        let claimed = proven.claimed.clone();
        let pending = Pending {
            out,
            proven,
            addresses: None,
            authorized: None,
            may_have: None,
        };
        let (Some(user), Some(claimed)) = (user, claimed) else {
            return self.admitted(ctx, round, pending);
        };
        // RFC 7296 §2.16: "the EAP identity […] can be used to make policy decisions", and only that.
        match frame.peer.auth.users {
            EapUsers::Named => {
                let grant = frame.peer.may_be_user(&user).then(UserGrant::all);
                self.user_judged(ctx, round, pending, grant)
            }
            EapUsers::Asked => {
                self.pending = Some(pending);
                Progress::Ask(Box::new(Question::AuthorizeUser {
                    peer: frame.peer.name.clone(),
                    user,
                    claimed,
                    remote: frame.path.remote.ip(),
                }))
            }
        }
    }

    /// It is decided whether a user of EAP may be this peer.
    fn user_judged(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        mut pending: Pending,
        grant: Option<UserGrant>,
    ) -> Progress {
        let config = ctx.config;
        let frame = reframe(config, &round.frame, self.index);
        let record = AuthRecord::User {
            user: alloc::format!("{}", pending.proven.identity),
            accepted: grant.is_some(),
        };
        ctx.note(Some(frame.ike), What::Auth(Box::new(record)));
        let Some(grant) = grant else {
            return failed(ctx, &frame, AuthFault::User.into());
        };
        pending.may_have = grant.children.map(|names| {
            let children = frame.peer.children.iter().enumerate();
            let may_have = children.filter(|(_, child)| names.contains(&child.name));
            may_have.map(|(index, _)| index).collect()
        });
        self.admitted(ctx, round, pending)
    }

    /// The initiator is somebody who may be here: addresses next, if it asks for any.
    fn admitted(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        mut pending: Pending,
    ) -> Progress {
        let config = ctx.config;
        let frame = reframe(config, &round.frame, self.index);
        let peer = frame.path.remote.ip();
        ctx.note(Some(frame.ike), What::Authenticated { peer, ok: true });
        let here = Site::of(frame.path.remote, round.init.verdict);
        if is_elsewhere(ctx, &frame, &pending.proven.identity, here) {
            let notice = Notice::IdentityInUse;
            ctx.note(Some(frame.ike), What::Notice(notice));
            let inner = refusal(ExchangeType::IKE_AUTH, &DropReason::AuthenticationFailed);
            return Progress::Fail(CloseReason::Refused, inner);
        }
        if redirects(round, &frame).is_some() {
            return self.finish(ctx, round, pending);
        }
        match (frame.peer.addresses_inside.assign, self.asked(ctx)) {
            (Assign::Required, Some(request)) => {
                let question = Question::AssignAddress {
                    ike: frame.ike,
                    peer: frame.peer.name.clone(),
                    identity: pending.proven.identity.clone(),
                    request,
                };
                self.pending = Some(pending);
                return Progress::Ask(Box::new(question));
            }
            (Assign::Required, None) => {
                pending.addresses = Some(Err(DropReason::AddressRequired));
            }
            _ => {}
        }
        self.finish(ctx, round, pending)
    }

    /// What the first request asks for.
    fn asked(&self, ctx: &Context<'_>) -> Option<AddressRequest> {
        let limits = ctx.config.wire;
        let chain = self.first.as_ref()?.payloads(&limits).ok()?;
        let payloads = Payloads::read(&chain, &limits).ok()?;
        let request = configuration::read_request(payloads.configuration.as_ref()?)?;
        (!request.is_empty()).then_some(request)
    }

    /// `<-- HDR, SK {…, AUTH, [CP(CFG_REPLY),] SAr2, TSi, TSr}`
    fn finish(&mut self, ctx: &mut Context<'_>, round: &Round<'_>, pending: Pending) -> Progress {
        let config = ctx.config;
        let frame = reframe(config, &round.frame, self.index);
        let limits = ctx.config.wire;
        let request = self.asked(ctx).unwrap_or_default();
        let Some(first) = self.first.take() else {
            return broken(ctx, &frame, &DropReason::WrongState);
        };
        let chain = first.payloads(&limits).map_err(DropReason::Malformed);
        let payloads = match chain.and_then(|chain| Payloads::read(&chain, &limits)) {
            Ok(payloads) => payloads,
            Err(reason) => return broken(ctx, &frame, &reason),
        };
        let assignment = pending.addresses.as_ref().and_then(|a| a.as_ref().ok());
        let away = redirects(round, &frame);
        let child = match &pending.addresses {
            // RFC 5685 §6: no child comes up here.
            _ if away.is_some() => Ok(None),
            // RFC 7296 §3.15.4: no child without the address that it is for.
            Some(Err(reason)) => Err(Stop::Refuse(reason.clone())),
            _ => first_child(ctx, &frame, &payloads, &pending),
        };
        let child = match child {
            Ok(child) => Ok(child),
            Err(Stop::Refuse(reason)) => Err(reason),
            Err(Stop::Ask(question)) => {
                self.first = Some(first);
                self.pending = Some(pending);
                return Progress::Ask(question);
            }
        };
        let mut proved = Proved::read(&frame, pending.proven, &payloads);
        proved.may_have = pending.may_have;
        proved.redirect = away.map(|_| Redirected::Peer);
        let options = &frame.peer.v2;
        let inner = Inner::build(|w| {
            pending.out.write(w)?;
            if let Some(to) = &away {
                w.redirect(NotifyType::REDIRECT, to, &[])?;
            }
            if let Some(assignment) = assignment {
                configuration::write_reply(w, &request, assignment)?;
            }
            match &child {
                Ok(Some((granted, settled))) => {
                    granted.write_sa(w, &settled.spi)?;
                    granted.write_ts(w)?;
                }
                Ok(None) => {}
                // RFC 7296 §2.21.2: without its child the IKE SA stands all the same.
                Err(reason) => {
                    if let Some(told) = told(reason) {
                        w.notify(told.notify, &told.data)?;
                    }
                }
            }
            write_announcements(w, &frame, proved.mobike, proved.counters)?;
            if let Some(lifetime) = options.authentication_lifetime {
                let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
                w.notify(NotifyType::AUTH_LIFETIME, &seconds.to_be_bytes())?;
            }
            Ok(())
        });
        match inner {
            Ok(inner) => {
                proved.granted = assignment.cloned().map(Box::new);
                proved.child = child.ok().flatten().map(|(_, settled)| settled);
                Progress::Done(Box::new(proved), inner)
            }
            Err(_) => broken(ctx, &frame, &DropReason::Limit("message size")),
        }
    }
}

/// Whether another device has proved the same identity, where the first one is kept. That one is
/// asked whether it is alive.
fn is_elsewhere(ctx: &mut Context<'_>, frame: &Frame<'_>, identity: &Identity, here: Site) -> bool {
    if frame.peer.unique != Uniqueness::Keep {
        return false;
    }
    let identity = Arc::new(identity.clone());
    let others = ctx.world.standing.of(frame.index, &identity);
    let others: Vec<IkeId> = others
        .filter(|(_, old)| !old.replaced && !old.site.is(here))
        .map(|(ike, _)| ike)
        .collect();
    for ike in &others {
        ctx.effect(Effect::AskForLife(*ike));
    }
    !others.is_empty()
}

/// Where an initiator is sent that has proved itself, if it follows.
fn redirects(round: &Round<'_>, frame: &Frame<'_>) -> Option<Gateway<'static>> {
    let options = &frame.peer.v2;
    let now = options.redirect_when == RedirectWhen::Authenticated && round.init.peer.redirect;
    let to = options
        .redirect_to
        .filter(|to| now && *to != frame.path.local.ip());
    to.map(Gateway::Address)
}

/// The frame with another peer of the configuration.
fn reframe<'c>(config: &'c Config, frame: &Frame<'c>, index: Option<usize>) -> Frame<'c> {
    let index = index.unwrap_or(frame.index);
    match config.peers.get(index) {
        Some(peer) => Frame {
            index,
            peer,
            ..*frame
        },
        None => *frame,
    }
}

/// The peer that the initiator says it is: of those that may come from its address, and that would have
/// agreed on the algorithms of this IKE SA, the one that matches the identity best. Peers behind
/// changing addresses are told apart by their identities alone.
fn select(
    config: &Config,
    frame: &Frame<'_>,
    suite: &IkeSuite,
    payloads: &Payloads<'_>,
) -> Result<usize, DropReason> {
    let read =
        |id: &isakmp_wire::v2::Identification<'_>| Identity::from_wire(id.id_type.0, id.data);
    let remote_id = required(payloads.id_initiator.as_ref(), PayloadType::ID_INITIATOR)?;
    let remote_id = read(remote_id).ok_or(DropReason::WrongIdentity)?;
    let wanted_id = payloads.id_responder.as_ref().and_then(read);
    let remote = frame.path.remote.ip();
    let mut candidates = config.peers_for(remote, IkeVersion::V2);
    candidates.retain(|index| {
        let peer = config.peers.get(*index);
        *index == frame.index || peer.is_some_and(|peer| suite.is_of(&peer.v2.proposals))
    });
    let candidates = config.by_identity(&candidates, &remote_id, remote);
    // The IDr of an initiator is a wish: it chooses among several (RFC 7296 §3.5). After that the way
    // in which it proves itself does; without AUTH it wants EAP (§2.16).
    let here = Identity::Address(frame.path.local.ip());
    let method = payloads.authentication.map(|auth| auth.method);
    let misses = |index: &&usize| {
        let peer = config.peers.get(**index);
        let wished = peer.is_some_and(|peer| {
            let ours = peer.local_id.as_ref().unwrap_or(&here);
            wanted_id.as_ref().is_none_or(|wanted| wanted.is(ours))
        });
        let proves = peer.is_some_and(|peer| match (&peer.auth.remote, method) {
            (RemoteAuth::Eap { .. }, None) => true,
            (RemoteAuth::Psk, Some(method)) => method == AuthMethod::SHARED_KEY,
            (RemoteAuth::Signature { .. }, Some(method)) => method != AuthMethod::SHARED_KEY,
            _ => false,
        });
        (!wished, !proves)
    };
    // With nobody fitting, the authentication says why.
    let found = candidates.iter().min_by_key(misses);
    Ok(found.copied().unwrap_or(frame.index))
}

/// The first child, if the initiator wants one.
fn first_child(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    payloads: &Payloads<'_>,
    pending: &Pending,
) -> Result<Option<(Granted, Settled)>, Stop> {
    if payloads.sa.is_none() && payloads.ts_initiator.is_none() && payloads.ts_responder.is_none() {
        return if frame.peer.v2.childless {
            Ok(None)
        } else {
            Err(DropReason::NoProposalChosen.into())
        };
    }
    let terms = Grant {
        exchange: ChildKeyExchange::Never,
        key_exchange: None,
        only: None,
        holder: Holder {
            identity: &pending.proven.identity,
            may_have: pending.may_have.as_deref(),
            assignment: pending.addresses.as_ref().and_then(|a| a.as_ref().ok()),
        },
    };
    let granted = grant(ctx, frame, payloads, &terms)?;
    let identity = &pending.proven.identity;
    if let Some(question) = granted.authorize(ctx, frame, identity, pending.authorized)? {
        return Err(Stop::Ask(Box::new(question)));
    }
    let settled = granted.settle(ctx, None)?;
    Ok(Some((granted, settled)))
}
