//! The keys of an IKE SA at work.

use core::time::Duration;

use bytes::Bytes;
use crypto_suite::Provider;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::Message;
use isakmp_wire::{Flags, Header};

use super::fragments::{FragmentError, Inserted, Reassembler};
use super::keys::{Keys, Sender, Spis};
use super::protect::{Inner, Opened, Opener, Sealer};
use super::window::Datagrams;
use crate::action::{Action, KeyLog};
use crate::context::Context;
use crate::explain::Role;
use crate::outcome::DropReason;

/// The keys of an IKE SA at work.
#[derive(Debug)]
pub(crate) struct Crypt {
    pub(crate) keys: Keys,
    sealer: Sealer,
    opener: Opener,
}

/// Where a message of ours stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) spis: Spis,
    pub(crate) role: Role,
    pub(crate) exchange: ExchangeType,
    pub(crate) message_id: u32,
    pub(crate) response: bool,
}

impl Place {
    /// The header of the message.
    pub(crate) fn header(&self) -> Header {
        let mut flags = Flags::NONE;
        if self.role == Role::Initiator {
            flags |= Flags::INITIATOR;
        }
        if self.response {
            flags |= Flags::RESPONSE;
        }
        Header::v2(self.exchange, self.spis.initiator, self.spis.responder)
            .flags(flags)
            .message_id(self.message_id)
    }
}

/// Whose messages are ours, in the words of the key schedule.
pub(crate) const fn sender(role: Role) -> Sender {
    match role {
        Role::Initiator => Sender::Initiator,
        Role::Responder => Sender::Responder,
    }
}

/// The other one.
pub(crate) const fn other(role: Role) -> Sender {
    match role {
        Role::Initiator => Sender::Responder,
        Role::Responder => Sender::Initiator,
    }
}

impl Crypt {
    /// Prepares the keys. `role` is ours in this IKE SA.
    pub(crate) fn new(provider: &Provider, keys: Keys, role: Role) -> Result<Self, DropReason> {
        let protection = provider
            .protection(keys.protection())
            .ok_or(DropReason::Crypto)?;
        let key = |whose| {
            keys.packet_key(protection, whose)
                .map_err(|_| DropReason::Crypto)
        };
        let (ours, theirs) = (key(sender(role))?, key(other(role))?);
        Ok(Self {
            keys,
            sealer: Sealer::new(ours),
            opener: Opener::new(theirs),
        })
    }

    /// Protects a message, in fragments of at most `fragment` octets when it is longer than that
    /// (RFC 7383 §2.5).
    pub(crate) fn seal(
        &mut self,
        place: &Place,
        inner: &Inner,
        fragment: Option<usize>,
    ) -> Result<Datagrams, DropReason> {
        let header = place.header();
        let split = fragment.filter(|most| self.sealer.sealed_len(inner) > *most);
        let sealed = match split {
            Some(most) => self
                .sealer
                .seal_fragments(&header, inner, most)
                .map(Datagrams::fragments),
            None => self
                .sealer
                .seal(&header, inner)
                .map(|message: Bytes| Some(message.into())),
        };
        sealed.ok().flatten().ok_or(DropReason::Crypto)
    }

    /// Authenticates a message, then decrypts it.
    pub(crate) fn open(&self, message: &Message<'_>) -> Result<Opened, DropReason> {
        if message.protected().is_none() {
            return Err(DropReason::NotEncrypted);
        }
        self.opener
            .open(message)
            .map_err(|_| DropReason::IntegrityFailed)
    }

    /// Authenticates a fragment, and keeps it with the others of its message.
    pub(crate) fn insert(
        &self,
        reassembler: &mut Reassembler,
        message: &Message<'_>,
        now: Duration,
    ) -> Result<Inserted, FragmentError> {
        reassembler.insert(&self.opener, message, now)
    }

    /// Hands the keys to a reader of captures, if the configuration says so.
    pub(crate) fn log(&self, ctx: &mut Context<'_>) {
        if !ctx.config.key_log {
            return;
        }
        let keys = &self.keys;
        ctx.actions.push(Action::KeyLog(KeyLog::Ikev2 {
            spis: (keys.spis().initiator, keys.spis().responder),
            protection: keys.protection(),
            sk_ei: keys.sk_e(Sender::Initiator).clone(),
            sk_er: keys.sk_e(Sender::Responder).clone(),
            sk_ai: keys.sk_a(Sender::Initiator).clone(),
            sk_ar: keys.sk_a(Sender::Responder).clone(),
        }));
    }
}
