//! IKE_AUTH: both ends prove who they are, and the first child comes up (RFC 7296 §1.2).
//!
//! The exchange may take several rounds. Each round is a function of what came in and of the
//! [`Answers`] to questions so far: when something is missing it gives the question, the message
//! waits, and the same function runs again with one answer more.

mod initiator;
mod responder;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::Secret;
use isakmp_wire::v2::{AuthMethod, Identification, PayloadType, Writer};

pub(crate) use initiator::Initiator;
pub(crate) use responder::Responder;

use super::child::Settled;
use super::crypt::{Crypt, other, sender};
use super::error::Told;
use super::payloads::Payloads;
use super::proof::{SignedOctets, shared_key_mic, verify_shared_key};
use super::protect::Inner;
use super::sa_init::Init;
use super::session::Frame;
use crate::action::{CloseReason, PskStage, Question};
use crate::config::{Identity, RemoteIdentity};
use crate::context::Context;
use crate::event::Answer;
use crate::explain::{IdentityShown, Notice, PskFound, Role, What};
use crate::id::ChildId;
use crate::outcome::DropReason;

/// What a round has led to.
pub(crate) enum Progress {
    /// The next message of ours: a request of an initiator, a response of a responder.
    Send(Inner),
    /// The round waits for an answer.
    Ask(Box<Question>),
    /// Both are who they say; a responder's last message goes out.
    Done(Box<Proved>, Option<Inner>),
    /// The IKE SA does not come up. The peer is told so, in a response or in a message of its own.
    Fail(CloseReason, Option<Told>),
}

/// What IKE_AUTH has settled.
#[derive(Debug)]
pub(crate) struct Proved {
    /// The peer's place in the configuration.
    pub(crate) index: usize,
    pub(crate) remote_id: Identity,
    /// The first child, ready to install.
    pub(crate) child: Option<Settled>,
    /// The first child that did not come up: its handle, its place in the configuration, why.
    pub(crate) refused: Option<(ChildId, usize, CloseReason)>,
    /// The peer knows of no older SAs.
    pub(crate) initial_contact: bool,
    /// Requests that the peer takes at once.
    pub(crate) window: Option<u32>,
    /// We have to authenticate anew before this time is over (RFC 4478).
    pub(crate) lifetime: Option<Duration>,
    /// The peer speaks MOBIKE (RFC 4555).
    pub(crate) mobike: bool,
}

/// Answers to questions of the round so far.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The pre-shared key, or that there is none.
    pub(crate) psk: Option<Option<Secret>>,
}

impl Answers {
    /// Takes an answer in.
    pub(crate) fn take(&mut self, answer: Answer) -> Result<(), DropReason> {
        match answer {
            Answer::Psk(psk) if self.psk.is_none() => self.psk = Some(psk),
            _ => return Err(DropReason::WrongAnswer),
        }
        Ok(())
    }
}

/// What a round works with.
pub(crate) struct Round<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) init: &'a Init,
    pub(crate) crypt: &'a Crypt,
    /// The IKE SA that this one is to replace.
    pub(crate) replaces: bool,
}

impl Round<'_> {
    /// What we sign.
    fn own_octets(&self, id_body: &[u8]) -> SignedOctets<'_> {
        self.octets(self.frame.role, id_body)
    }

    /// What the peer signs.
    fn peer_octets(&self, id_body: &[u8]) -> SignedOctets<'_> {
        let role = match self.frame.role {
            Role::Initiator => Role::Responder,
            Role::Responder => Role::Initiator,
        };
        self.octets(role, id_body)
    }

    /// RFC 7296 §2.15: a side's own IKE_SA_INIT message and the other's nonce.
    fn octets(&self, role: Role, id_body: &[u8]) -> SignedOctets<'_> {
        let keys = &self.crypt.keys;
        let (message, nonce) = match role {
            Role::Initiator => (&self.init.request, &self.init.nr),
            Role::Responder => (&self.init.response, &self.init.ni),
        };
        let whose = if role == self.frame.role {
            sender(role)
        } else {
            other(self.frame.role)
        };
        let sk_p = keys.sk_p(whose);
        SignedOctets::new(keys.prf(), sk_p.expose(), message, nonce, id_body)
    }

    /// Our AUTH payload with a pre-shared key.
    fn psk_proof(&self, psk: &Secret, id_body: &[u8]) -> Vec<u8> {
        let octets = self.own_octets(id_body);
        shared_key_mic(self.crypt.keys.prf(), psk.expose(), &octets)
            .as_ref()
            .to_vec()
    }

    /// Checks the peer's AUTH payload with a pre-shared key.
    fn check_psk(
        &self,
        psk: &Secret,
        id: &Identification<'_>,
        payloads: &Payloads<'_>,
    ) -> Result<(), DropReason> {
        let auth = payloads.authentication.ok_or(DropReason::MissingPayload(
            PayloadType::AUTHENTICATION.into(),
        ))?;
        let octets = self.peer_octets(id.body);
        let prf = self.crypt.keys.prf();
        verify_shared_key(prf, psk.expose(), &octets, auth.method, auth.data)
            .map_err(|_| DropReason::AuthenticationFailed)
    }
}

/// Writes an AUTH payload of method 2.
fn write_psk_proof(w: &mut Writer<'_>, proof: &[u8]) -> Result<(), isakmp_wire::BuildError> {
    w.authentication(AuthMethod::SHARED_KEY, proof).map(|_| ())
}

/// The pre-shared key of a peer: from the table, or from the embedder. `Err` is the question.
fn psk(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    remote_id: Option<&Identity>,
    answers: &Answers,
) -> Result<Option<Secret>, Box<Question>> {
    if let Some(psk) = &answers.psk {
        return Ok(psk.clone());
    }
    let remote = frame.path.remote.ip();
    let config = ctx.config;
    let found = config.psks.find(remote, remote_id);
    let what = match &found {
        Some(found) if found.is_wildcard() => PskFound::Wildcard,
        Some(_) => PskFound::Yes,
        None => PskFound::Asked,
    };
    ctx.note(
        Some(frame.ike),
        What::PskLookup {
            peer: remote,
            found: what,
        },
    );
    if what == PskFound::Wildcard {
        ctx.note(Some(frame.ike), What::Notice(Notice::WildcardPsk));
    }
    match found {
        Some(found) => Ok(Some(found.key.clone())),
        None => Err(Box::new(Question::Psk {
            peer: frame.peer.name.clone(),
            remote,
            identity: remote_id.cloned(),
            stage: PskStage::Authentication,
        })),
    }
}

/// Who we say we are.
fn own_identity(frame: &Frame<'_>) -> Identity {
    let local = frame.peer.local_id.clone();
    local.unwrap_or_else(|| Identity::Address(frame.path.local.ip()))
}

/// The body of an Identification payload: type, three reserved octets, data (RFC 7296 §3.5).
fn id_body(identity: &Identity) -> Vec<u8> {
    let mut body = alloc::vec![identity.id_type(), 0, 0, 0];
    body.extend_from_slice(&identity.to_wire());
    body
}

fn note_identity(ctx: &mut Context<'_>, frame: &Frame<'_>, ours: bool, identity: &Identity) {
    let length = identity.to_wire().len().saturating_add(8);
    ctx.note(
        Some(frame.ike),
        What::Identity(IdentityShown {
            ours,
            identity: identity.clone(),
            protocol: 0,
            port: 0,
            next_payload: 0,
            length: u16::try_from(length).unwrap_or(u16::MAX),
        }),
    );
}

/// The identity in a payload.
fn read_identity(id: &Identification<'_>, kind: PayloadType) -> Result<Identity, DropReason> {
    Identity::from_wire(id.id_type.0, id.data).ok_or(DropReason::BadPayload(kind.into()))
}

/// Whether a peer may say that it is `identity`.
fn admits(frame: &Frame<'_>, peer: &crate::config::PeerConfig, identity: &Identity) -> bool {
    peer.may_be(identity, frame.path.remote.ip())
}

/// The identity that this peer must have, where only one will do.
const fn expected_id<'a>(frame: &Frame<'a>) -> Option<&'a Identity> {
    match &frame.peer.remote_id {
        RemoteIdentity::Is(identity) => Some(identity),
        _ => None,
    }
}

fn note_authenticated(ctx: &mut Context<'_>, frame: &Frame<'_>, ok: bool) {
    let peer = frame.path.remote.ip();
    ctx.note(Some(frame.ike), What::Authenticated { peer, ok });
}
