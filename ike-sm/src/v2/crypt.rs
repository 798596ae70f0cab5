//! The keys of an IKE SA at work.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::{Digest, PacketKey, Protection, Provider};
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{Message, PayloadType};
use isakmp_wire::{Flags, Header};

use super::fragments::{Inserted, Reassembler};
use super::keys::{Keys, Sender, Spis};
use super::protect::{Inner, Opened, Opener, Sealer};
use super::window::Datagrams;
use crate::context::Context;
use crate::event::{Action, KeyLog};
use crate::model::{DropReason, FragmentError, OpenError, Role};

/// The keys of an IKE SA at work.
///
/// The key schedule is made anew for each message: it takes a thousand octets a direction, and less
/// than a microsecond.
pub(crate) struct Crypt {
    pub(crate) keys: Keys,
    protection: &'static dyn Protection,
    role: Role,
    /// What the next IV is made from.
    next: u64,
    requests: Option<Box<Assembly>>,
    responses: Option<Box<Assembly>>,
}

/// The fragments of a message of one direction that has not come in full.
#[derive(Debug, Default)]
struct Assembly {
    fragments: Reassembler,
    /// Hash of its fragment 1, which stands for the message when it comes again (RFC 7383 §2.6.1).
    first: Option<Digest>,
}

/// A message, whole.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) inner: Inner,
    /// Second octet of the generic header of its SK payload, or of its first fragment's.
    pub(crate) reserved: u8,
    /// What it is recognised by when it comes again.
    pub(crate) fingerprint: Digest,
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
        let crypt = Self {
            keys,
            protection,
            role,
            next: 0,
            requests: None,
            responses: None,
        };
        // A key that the algorithm refuses is found now.
        crypt.key(sender(role))?;
        crypt.key(other(role))?;
        Ok(crypt)
    }

    fn key(&self, whose: Sender) -> Result<Box<dyn PacketKey>, DropReason> {
        let key = self.keys.packet_key(self.protection, whose);
        key.map_err(|_| DropReason::Crypto)
    }

    fn sealer(&self) -> Result<Sealer, DropReason> {
        let key = self.key(sender(self.role))?;
        Ok(Sealer::resume(key, self.next))
    }

    fn opener(&self) -> Result<Opener, DropReason> {
        self.key(other(self.role)).map(Opener::new)
    }

    /// IVs of this epoch are none that another member of the cluster has used (C18).
    pub(crate) fn begin_epoch(&mut self, epoch: u16) -> Result<(), DropReason> {
        let mut sealer = self.sealer()?;
        sealer.begin_epoch(epoch).map_err(|_| DropReason::Stale)?;
        self.next = sealer.next();
        Ok(())
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
        let mut sealer = self.sealer()?;
        let split = fragment.filter(|most| sealer.sealed_len(inner) > *most);
        let sealed = match split {
            Some(most) => sealer
                .seal_fragments(&header, inner, most)
                .map(Datagrams::fragments),
            None => sealer
                .seal(&header, inner)
                .map(|message: Bytes| Some(message.into())),
        };
        self.next = sealer.next();
        sealed.ok().flatten().ok_or(DropReason::Crypto)
    }

    /// Authenticates a message, then decrypts it.
    pub(crate) fn open(&self, message: &Message<'_>) -> Result<Opened, DropReason> {
        open(&self.opener()?, message)
    }

    /// Authenticates a message or a fragment. Gives the whole message once nothing of it is missing.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub(crate) fn take(
        &mut self,
        message: &Message<'_>,
        fingerprint: Digest,
        now: Duration,
    ) -> Result<Option<Whole>, DropReason> {
        let place = message.protected().and_then(|p| p.fragment);
        let opener = self.opener()?;
        let slot = if message.is_response() {
            &mut self.responses
        } else {
            &mut self.requests
        };
        let Some(place) = place else {
            let inner = match opener.open(message) {
                // RFC 7296 §2.21.3: badly formatted behind a valid checksum. Its sender is told so, as of
                // any payload that is announced and not there.
                Err(OpenError::Padding(_)) if !message.is_response() => {
                    Inner::from_octets(PayloadType::NOTIFY, Vec::new().into())
                }
                opened => opened.map_err(unopened)?.inner,
            };
            *slot = None;
            return Ok(Some(Whole {
                inner,
                reserved: message.payloads().last().map_or(0, |p| p.reserved),
                fingerprint,
            }));
        };
        let mut fresh = Box::default();
        let assembly: &mut Assembly = slot.as_mut().unwrap_or(&mut fresh);
        let inserted = assembly.fragments.insert(&opener, message, now);
        let inserted = inserted.map_err(|fault| match fault {
            FragmentError::Open(_) => DropReason::IntegrityFailed,
            other => DropReason::Fragment(other),
        })?;
        if place.number == 1 {
            assembly.first = Some(fingerprint);
        }
        let Inserted::Complete(whole) = inserted else {
            slot.get_or_insert(fresh);
            return Ok(None);
        };
        let first = assembly.first.take();
        *slot = None;
        Ok(first.map(|fingerprint| Whole {
            inner: whole.inner,
            reserved: whole.reserved,
            fingerprint,
        }))
    }

    /// When the fragments of a message that does not come together are given up.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let both = [&self.requests, &self.responses].into_iter().flatten();
        both.filter_map(|a| a.fragments.deadline()).min()
    }

    /// Gives up the fragments of messages that did not come together in time.
    pub(crate) fn expire(&mut self, now: Duration) {
        for slot in [&mut self.requests, &mut self.responses] {
            let deadline = slot.as_ref().and_then(|a| a.fragments.deadline());
            if deadline.is_none_or(|at| at <= now) {
                *slot = None;
            }
        }
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

impl fmt::Debug for Crypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crypt")
            .field("keys", &self.keys)
            .field("next", &self.next)
            .field("requests", &self.requests)
            .field("responses", &self.responses)
            .finish_non_exhaustive()
    }
}

fn open(opener: &Opener, message: &Message<'_>) -> Result<Opened, DropReason> {
    opener.open(message).map_err(unopened)
}

const fn unopened(fault: OpenError) -> DropReason {
    match fault {
        OpenError::NotProtected => DropReason::NotEncrypted,
        _ => DropReason::IntegrityFailed,
    }
}
