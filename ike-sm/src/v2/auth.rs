//! The part of IKE_AUTH that proves who is who (RFC 7296 §1.2, §2.15, §2.16; RFC 5998, RFC 8784),
//! apart from the Child SA that the same messages negotiate.
//!
//! [`Initiator`] and [`Responder`] take what came in and say what follows: a question to park with,
//! payloads to send, or a proven peer. Every failure ends the IKE SA; the peer learns
//! AUTHENTICATION_FAILED, our side an [`AuthRecord`].

mod evidence;
mod identity;
mod initiator;
mod payloads;
mod responder;

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use crypto_suite::{Provider, Secret};
use rand_core::CryptoRng;

use super::keys::{Keys, Sender, prf_plus};
use crate::auth::guesses::Guesses;
use crate::auth::proof::{IntAuth, NegotiatedHashes, SignedOctets};
use crate::config::{Config, PeerConfig};
use crate::event::{AuthRecord, Question, What};
use crate::model::{AuthFault, Identity};

pub(crate) use initiator::Initiator;
pub(crate) use payloads::{Asked, Outgoing, Received, write_certificate_request};
pub(crate) use responder::Responder;

/// What an authentication works with besides itself.
pub(crate) struct Env<'e> {
    pub(crate) provider: &'static Provider,
    pub(crate) config: &'e Config,
    pub(crate) peer: &'e PeerConfig,
    /// Our address and the peer's.
    pub(crate) local: IpAddr,
    pub(crate) remote: IpAddr,
    pub(crate) keys: &'e Keys,
    /// IKE_SA_INIT: request, response, both nonces.
    pub(crate) transcript: Transcript<'e>,
    pub(crate) hashes: NegotiatedHashes,
    /// Whether both sides have sent USE_PPK.
    pub(crate) use_ppk: bool,
    /// What a responder's IKE_SA_INIT has asked of us.
    pub(crate) asked: Asked,
    pub(crate) int_auth: Option<&'e IntAuth>,
    pub(crate) now: Duration,
    /// Passwords that were tried, over all IKE SAs.
    pub(crate) guesses: &'e mut Guesses,
    pub(crate) rng: &'e mut dyn CryptoRng,
    /// What is to be reported.
    pub(crate) notes: &'e mut Vec<What>,
}

/// What IKE_SA_INIT left behind.
#[derive(Clone, Copy)]
pub(crate) struct Transcript<'e> {
    pub(crate) request: &'e [u8],
    pub(crate) response: &'e [u8],
    pub(crate) ni: &'e [u8],
    pub(crate) nr: &'e [u8],
}

/// What follows.
#[derive(Debug)]
pub(crate) enum Step {
    /// Ask this and come back with the answer.
    Ask(Question),
    /// The same, and not before this time.
    AskAt(Duration, Question),
    /// Send this, and nothing of a Child SA: there are more rounds.
    Send(Outgoing),
    /// Both sides are proven. A responder sends this with its answer to the Child SA.
    Done(Outgoing, Proven),
}

/// A peer that has proved who it is.
#[derive(Debug)]
pub(crate) struct Proven {
    /// Who it is. RFC 7296 §2.16: after EAP the user that EAP has authenticated, an
    /// [`Identity::User`].
    pub(crate) identity: Identity,
    /// After EAP, who it claims to be in its Identification payload.
    pub(crate) claimed: Option<Identity>,
    /// To mix into the keys before anything is derived from them (RFC 8784 §3).
    pub(crate) ppk: Option<Secret>,
}

/// An authentication that has failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) fault: AuthFault,
    /// EAP-Failure, to be sent beside or instead of AUTHENTICATION_FAILED.
    pub(crate) eap: Option<Vec<u8>>,
}

impl<T: Into<AuthFault>> From<T> for Failure {
    fn from(fault: T) -> Self {
        Self {
            fault: fault.into(),
            eap: None,
        }
    }
}

impl Env<'_> {
    fn note(&mut self, record: AuthRecord) {
        self.notes.push(What::Auth(alloc::boxed::Box::new(record)));
    }

    /// The SK_p of a sender, with the PPK mixed in where there is one.
    fn sk_p(&self, sender: Sender, ppk: Option<&Secret>) -> Result<Secret, AuthFault> {
        let sk_p = self.keys.sk_p(sender);
        match ppk {
            None => Ok(sk_p.clone()),
            Some(ppk) => {
                let seed = [sk_p.expose()];
                Ok(prf_plus(self.keys.prf(), ppk.expose(), &seed, sk_p.len())?)
            }
        }
    }

    /// What `sender` signs.
    fn octets(
        &self,
        sender: Sender,
        id_body: &[u8],
        ppk: Option<&Secret>,
    ) -> Result<SignedOctets<'_>, AuthFault> {
        let sk_p = self.sk_p(sender, ppk)?;
        let t = &self.transcript;
        let (message, nonce) = match sender {
            Sender::Initiator => (t.request, t.nr),
            Sender::Responder => (t.response, t.ni),
        };
        let prf = self.keys.prf();
        Ok(
            SignedOctets::new(prf, sk_p.expose(), message, nonce, id_body)
                .with_intermediate(self.int_auth),
        )
    }
}

impl fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
