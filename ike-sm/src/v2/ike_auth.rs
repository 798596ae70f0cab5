//! IKE_AUTH: both ends prove who they are, and the first child comes up (RFC 7296 §1.2).
//!
//! Who is who is settled by [`auth`](super::auth), in as many rounds as it takes; what else travels
//! in the same messages is added and read here: the child, addresses, announcements.

mod initiator;
mod responder;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crypto_suite::Secret;
use isakmp_wire::BuildError;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{NotifyType, Writer};

pub(crate) use initiator::Initiator;
pub(crate) use responder::Responder;

use super::auth::{Env, Failure, Proven, Received, Transcript};
use super::child::Settled;
use super::counters::Counters;
use super::crypt::Crypt;
use super::error::refusal;
use super::mobike;
use super::payloads::Payloads;
use super::protect::Inner;
use super::redirect::Redirected;
use super::sa_init::Init;
use crate::child::DeletedChild;
use crate::config::v2::{Assignment, LocalAuth, RemoteAuth};
use crate::context::Context;
use crate::event::{AuthRecord, Notice, Question, What};
use crate::model::{AuthFault, ChildId, CloseReason, DropReason, Identity, ProofError, Role};
use crate::v2::frame::Frame;

/// What a round has led to. A responder's `Last` is a message, for each request gets a response;
/// that of an initiator, which has got its response, may be one.
pub(crate) enum Progress<Last> {
    /// The next message of ours: a request of an initiator, a response of a responder.
    Send(Inner),
    /// The round waits for an answer.
    Ask(Box<Question>),
    /// The same; the question is asked at this time.
    AskAt(Duration, Box<Question>),
    /// Both are who they say; a responder's last message goes out.
    Done(Box<Proved>, Last),
    /// The IKE SA does not come up. The peer is told so, in a response or in a message of its own.
    Fail(CloseReason, Last),
}

/// What IKE_AUTH has settled.
#[derive(Debug)]
pub(crate) struct Proved {
    /// The peer's place in the configuration.
    pub(crate) index: usize,
    /// Who the peer has proved to be.
    pub(crate) remote_id: Arc<Identity>,
    /// After EAP, who it claims to be in its Identification payload.
    pub(crate) claimed_id: Option<Arc<Identity>>,
    /// The children of the configuration that it may have; `None` for all.
    pub(crate) may_have: Option<Arc<[usize]>>,
    /// To mix into the keys before anything is derived from them (RFC 8784 §3).
    pub(crate) ppk: Option<Secret>,
    /// The first child, ready to install.
    pub(crate) child: Option<Settled>,
    /// The first child that did not come up.
    pub(crate) refused: Option<RefusedChild>,
    /// Addresses inside the tunnel that the peer has given us.
    pub(crate) assigned: Option<Assignment>,
    /// Addresses inside the tunnel that we have given the peer.
    pub(crate) granted: Option<Box<Assignment>>,
    /// The peer knows of no older SAs.
    pub(crate) initial_contact: bool,
    /// Requests that the peer takes at once.
    pub(crate) window: Option<u32>,
    /// We have to authenticate anew before this time is over (RFC 4478).
    pub(crate) lifetime: Option<Duration>,
    /// The peer speaks MOBIKE (RFC 4555).
    pub(crate) mobike: bool,
    /// Other addresses of the peer.
    pub(crate) addresses: Vec<IpAddr>,
    /// What both ends synchronise after a takeover (RFC 6311).
    pub(crate) counters: Counters,
    /// The initiator goes to another gateway (RFC 5685 §6).
    pub(crate) redirect: Option<Redirected>,
}

/// A first child that did not come up.
#[derive(Debug)]
pub(crate) struct RefusedChild {
    pub(crate) child: ChildId,
    /// Its place in the configuration.
    pub(crate) config: usize,
    pub(crate) reason: CloseReason,
    /// What the responder has set up of it and we do not take.
    pub(crate) half: Option<DeletedChild>,
}

impl Proved {
    /// What a message says besides proofs and children.
    fn read(frame: &Frame<'_>, proven: Proven, payloads: &Payloads<'_>) -> Self {
        let number = |kind| payloads.notify(kind).and_then(|n| n.u32());
        let lifetime = number(NotifyType::AUTH_LIFETIME);
        Self {
            index: frame.index,
            remote_id: Arc::new(proven.identity),
            claimed_id: proven.claimed.map(Arc::new),
            may_have: None,
            ppk: proven.ppk,
            child: None,
            refused: None,
            assigned: None,
            granted: None,
            initial_contact: payloads.has(NotifyType::INITIAL_CONTACT),
            window: number(NotifyType::SET_WINDOW_SIZE),
            lifetime: lifetime
                .filter(|_| frame.role == Role::Initiator)
                .map(|seconds| Duration::from_secs(seconds.into())),
            mobike: frame.peer.v2.mobike && payloads.has(NotifyType::MOBIKE_SUPPORTED),
            addresses: mobike::listed(payloads).unwrap_or_default(),
            counters: Counters::agreed(frame.peer, payloads),
            redirect: None,
        }
    }
}

/// What a round works with.
pub(crate) struct Round<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) init: &'a Init,
    pub(crate) crypt: &'a Crypt,
    /// It is to replace another IKE SA.
    pub(crate) replaces: bool,
}

/// Runs a step of the authentication with this peer's configuration.
fn with_env<R>(
    ctx: &mut Context<'_>,
    round: &Round<'_>,
    frame: &Frame<'_>,
    step: impl FnOnce(&mut Env<'_>) -> R,
) -> R {
    let init = round.init;
    let mut notes = Vec::new();
    let mut env = Env {
        provider: ctx.provider,
        config: ctx.config,
        peer: frame.peer,
        local: frame.path.local.ip(),
        remote: frame.path.remote.ip(),
        keys: &round.crypt.keys,
        transcript: Transcript {
            request: &init.request,
            response: &init.response,
            ni: &init.ni,
            nr: &init.nr,
        },
        hashes: init.hashes,
        use_ppk: init.use_ppk,
        asked: init.peer.asked,
        int_auth: init.int_auth.as_ref(),
        now: ctx.now,
        guesses: &mut ctx.world.guesses,
        rng: ctx.rng,
        notes: &mut notes,
    };
    let result = step(&mut env);
    for note in notes {
        ctx.note(Some(frame.ike), note);
    }
    result
}

/// The payloads of a message that concern authentication.
fn received<'p>(payloads: &'p Payloads<'p>, role: Role) -> Received<'p> {
    Received {
        identity: match role {
            Role::Initiator => payloads.id_responder,
            Role::Responder => payloads.id_initiator,
        },
        authentication: payloads.authentication,
        certificates: &payloads.certificates,
        certificate_requests: &payloads.certificate_requests,
        eap: payloads.eap,
        notifies: &payloads.notifies,
    }
}

/// An authentication has failed.
fn failed<Last: From<Inner>>(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    failure: Failure,
) -> Progress<Last> {
    let peer = frame.path.remote.ip();
    let record = AuthRecord::Failed(failure.fault);
    ctx.note(Some(frame.ike), What::Auth(Box::new(record)));
    ctx.note(Some(frame.ike), What::Authenticated { peer, ok: false });
    if failure.fault == AuthFault::Proof(ProofError::Mismatch) {
        doubt_key(ctx, frame);
    }
    // RFC 7296 §2.21.2: one error for every way in which authentication can fail.
    let inner = Inner::build(|w| {
        if let Some(eap) = &failure.eap {
            w.eap(eap)?;
        }
        w.notify(NotifyType::AUTHENTICATION_FAILED, &[])?;
        Ok(())
    });
    let inner = inner
        .unwrap_or_else(|_| refusal(ExchangeType::IKE_AUTH, &DropReason::AuthenticationFailed));
    let reason = match failure.fault {
        AuthFault::NoPsk => CloseReason::NoPsk,
        _ => CloseReason::AuthenticationFailed,
    };
    Progress::Fail(reason, inner.into())
}

/// The peer's proof is wrong: says what that may mean.
fn doubt_key(ctx: &mut Context<'_>, frame: &Frame<'_>) {
    let auth = &frame.peer.auth;
    let shared = matches!(
        (&auth.local, &auth.remote),
        (LocalAuth::Psk, _) | (_, RemoteAuth::Psk)
    );
    if shared {
        ctx.note(Some(frame.ike), What::Notice(Notice::PskMayDiffer));
    }
}

/// Our proof is out, and the peer refuses it (`answered`) or is silent: says what that may mean.
pub(crate) fn doubt_proof(ctx: &mut Context<'_>, frame: &Frame<'_>, answered: bool) {
    let shared = matches!(frame.peer.auth.local, LocalAuth::Psk);
    let notice = Notice::ProofNotTaken { answered, shared };
    ctx.note(Some(frame.ike), What::Notice(notice));
}

/// A message makes no sense.
fn broken<Last: From<Inner>>(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    reason: &DropReason,
) -> Progress<Last> {
    let peer = frame.path.remote.ip();
    ctx.note(Some(frame.ike), What::Authenticated { peer, ok: false });
    let inner = refusal(ExchangeType::IKE_AUTH, reason);
    let close = match reason {
        DropReason::Crypto => CloseReason::Crypto,
        _ => CloseReason::AuthenticationFailed,
    };
    Progress::Fail(close, inner.into())
}

/// Announces what both roles announce with their last message.
fn write_announcements(
    w: &mut Writer<'_>,
    frame: &Frame<'_>,
    mobike: bool,
    counters: Counters,
) -> Result<(), BuildError> {
    let peer = frame.peer;
    if mobike {
        w.notify(NotifyType::MOBIKE_SUPPORTED, &[])?;
        mobike::write_addresses(w, frame, &peer.v2.additional_addresses)?;
        if frame.role == Role::Initiator {
            mobike::write_no_nats(w, frame)?;
        }
    }
    counters.write(w)?;
    if peer.v2.window > 1 {
        let size = u32::from(peer.v2.window).to_be_bytes();
        w.notify(NotifyType::SET_WINDOW_SIZE, &size)?;
    }
    Ok(())
}
