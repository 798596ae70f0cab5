//! The responder's side of aggressive mode.
//!
//! Message 1 makes it draw a key pair for a stranger, so [`EndpointLimits`] has a bound of its own
//! for these.
//!
//! [`EndpointLimits`]: crate::config::EndpointLimits::aggressive_per_second

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crypto_suite::Secret;
use isakmp_wire::Limits;
use isakmp_wire::v1::{Body, Identification, Message, PayloadType};

use crate::context::Context;
use crate::event::job::KeyExchangeDone;
use crate::event::{Notice, PskStage, What};
use crate::model::{CloseReason, DropReason, Identity, IkeState, Step};
use crate::v1::keys::Iv;
use crate::v1::negotiation::{self, Done, Negotiation, Progress, Refused};
use crate::v1::payloads::{self, AM_OFFER, AM_PROOF};
use crate::v1::phase1::{self, Exchanged, Frame, Keyed, Nat, Suite, Vendor};
use crate::v1::protect;

/// Whom a first message says it is from: it decides which peer of the configuration is meant.
pub(crate) fn claimed_identity(raw: &[u8], limits: &Limits) -> Result<Identity, DropReason> {
    let message = Message::parse(raw, limits).map_err(DropReason::Malformed)?;
    let Body::Clear(chain) = message.body else {
        return Err(DropReason::NoKeyYet);
    };
    let kind = PayloadType::IDENTIFICATION;
    let payload = chain
        .find(kind)
        .ok_or(DropReason::MissingPayload(kind.into()))?;
    let id = Identification::parse(&payload, limits).map_err(DropReason::Malformed)?;
    Identity::from_wire(id.id_type.0, id.data).ok_or(DropReason::BadPayload(kind.into()))
}

/// Takes in the first message: `HDR, SA, KE, Ni, IDii, VID … -->`. All of `candidates` may be the
/// identity in it.
pub(crate) fn receive_first<'c>(
    ctx: &mut Context<'c>,
    frame: &mut Frame<'c>,
    candidates: &[usize],
    message: &Message<'_>,
) -> Result<Progress, DropReason> {
    let Body::Clear(chain) = message.body else {
        return Err(DropReason::NoKeyYet);
    };
    protect::note_received(ctx, frame, (Step::AmI1, IkeState::Ready), message, &chain);
    ctx.note(Some(frame.ike), What::Notice(Notice::AggressivePsk));
    let mut vendor = Vendor::default();
    vendor.dialect.learn_from(&chain);
    let payloads = payloads::sort(chain, &AM_OFFER, vendor.dialect, &ctx.config.wire)?;
    vendor.learn(&payloads.vendor_ids);
    phase1::report_vendor_ids(ctx, frame.ike, &payloads.vendor_ids);
    let id = payloads.id()?;
    let remote_id = phase1::peer_id(ctx, frame, id)?;
    let psk = phase1::configured_psk(ctx, frame, Some(&remote_id));
    let sa = payloads.sa()?;
    let (suite, transform) = phase1::choose(ctx, frame, candidates, sa)?;
    let g_xi = payloads.ke()?;
    // Also when the offer names several groups and the value is of another one.
    suite
        .group
        .check_initiator(g_xi)
        .map_err(|_| DropReason::BadKeyExchange)?;
    let mut sar_b = Vec::new();
    protect::clear(&super::header(frame), |writer| {
        let written = phase1::write_choice(writer, sa, transform)?;
        sar_b.extend_from_slice(writer.body(written));
        Ok(())
    })?;
    let asked = KeyAsked {
        suite,
        vendor,
        sai_b: payloads.sa_body.to_vec(),
        sar_b,
        g_xi: g_xi.to_vec(),
        ni_b: payloads.nonce.to_vec(),
        idii_b: id.body.to_vec(),
        remote_id,
    };
    Ok(match psk {
        Some(psk) => asked.answer(ctx, frame, psk),
        None => {
            let identity = Some(Identity::clone(&asked.remote_id));
            let next = Negotiation::AmKeyAsked(asked);
            negotiation::ask_psk(frame, next, PskStage::KeyExchange, identity)
        }
    })
}

/// Message 1 is in, the key is asked for.
#[derive(Debug)]
pub(crate) struct KeyAsked {
    suite: Suite,
    vendor: Vendor,
    sai_b: Vec<u8>,
    /// The body of our SA payload.
    sar_b: Vec<u8>,
    g_xi: Vec<u8>,
    ni_b: Vec<u8>,
    idii_b: Vec<u8>,
    remote_id: Arc<Identity>,
}

impl KeyAsked {
    /// There is a key: our half of the key exchange is next.
    pub(crate) fn answer(self, ctx: &mut Context<'_>, frame: &Frame<'_>, psk: Secret) -> Progress {
        let group = self.suite.group;
        let (question, next) = (ctx.key_exchange(group, &self.g_xi), KeyFound(self, psk));
        if let Some(question) = question {
            return Progress::Ask {
                next: Negotiation::AmKeyFound(next),
                question: Box::new(question),
            };
        }
        let exchanged = group.respond(ctx.rng, &next.0.g_xi).ok();
        next.answer(ctx, frame, exchanged)
    }

    fn send(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        psk: &Secret,
        (g_xr, g_xy): (Vec<u8>, Secret),
    ) -> Option<Progress> {
        let nr_b = phase1::nonce(ctx);
        let version = self.vendor.nat_t_version(frame.peer);
        let exchanged = Exchanged {
            suite: self.suite,
            vendor: self.vendor,
            nat: Nat {
                version,
                ..Nat::default()
            },
            sai_b: self.sai_b,
            g_xi: self.g_xi,
            g_xr: g_xr.clone(),
            ni_b: self.ni_b,
            nr_b: nr_b.clone(),
            asked: false,
        };
        let keyed = Keyed::derive(ctx, frame, Some(psk), &g_xy, exchanged).ok()?;
        let id = phase1::own_id(ctx, frame, version.is_some());
        let hash_r = keyed.own_hash(frame, &id);
        let message = protect::clear(&super::header(frame), |writer| {
            writer.payload(PayloadType::SA, &self.sar_b)?;
            writer.payload(PayloadType::KEY_EXCHANGE, &g_xr)?;
            writer.payload(PayloadType::NONCE, &nr_b)?;
            writer.payload(PayloadType::IDENTIFICATION, &id)?;
            phase1::write_vendor_ids(writer, version)?;
            phase1::write_nat_d(writer, frame, &self.suite, version)?;
            writer.payload(PayloadType::HASH, hash_r.as_ref())?;
            Ok(())
        })
        .ok()?;
        protect::note_clear(ctx, frame, Step::AmR1, IkeState::ResponderAm1, &message);
        let next = Negotiation::AmAnswered(Answered {
            keyed,
            idii_b: self.idii_b,
            remote_id: self.remote_id,
        });
        Some(Progress::Send {
            next,
            message,
            path: None,
        })
    }
}

/// Message 1 is in and the key is there; our half of the key exchange is being computed.
#[derive(Debug)]
pub(crate) struct KeyFound(KeyAsked, Secret);

impl KeyFound {
    /// Our half has come.
    pub(crate) fn exchanged(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        done: Option<KeyExchangeDone>,
    ) -> Progress {
        let group = self.0.suite.group.id();
        let exchanged = done.and_then(|done| done.of(group).ok());
        self.answer(ctx, frame, exchanged)
    }

    /// `<-- HDR, SA, KE, Nr, IDir, VID …, NAT-D, NAT-D, HASH_R`
    fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        exchanged: Option<(Vec<u8>, Secret)>,
    ) -> Progress {
        let Self(asked, psk) = self;
        exchanged
            .and_then(|exchanged| asked.send(ctx, frame, &psk, exchanged))
            .unwrap_or(Progress::Fail(CloseReason::Crypto))
    }
}

/// Message 2 is out.
#[derive(Debug)]
pub(crate) struct Answered {
    keyed: Keyed,
    idii_b: Vec<u8>,
    remote_id: Arc<Identity>,
}

impl Answered {
    /// `HDR[*], HASH_I [, NAT-D, NAT-D ] -->`
    pub(crate) fn receive(
        mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        let (last_block, mut nat) = match self.check(ctx, frame, message) {
            Ok(proof) => proof,
            Err(reason) => return Err(Box::new((self, reason))),
        };
        nat.verdict = phase1::settled_verdict(nat.verdict, frame);
        self.keyed.nat = nat;
        let known = ctx.knows_peer(frame.index, Some(&self.remote_id));
        Ok(Progress::Done(Done {
            agreed: self.keyed.agreed(last_block, self.remote_id),
            message: None,
            path: None,
            initial_contact: false,
            owes_contact: frame.peer.announces_initial_contact() && !known,
        }))
    }

    fn check(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<(Iv, Nat), DropReason> {
        let keyed = &self.keyed;
        let plain;
        let (chain, last_block) = match message.body {
            // RFC 2409 §5 lets the initiator send it in the clear. Then nothing was encrypted yet,
            // and the IV of phase 1 stands for the last block.
            Body::Clear(chain) => (chain, keyed.iv),
            Body::Encrypted(_) => {
                let iv;
                (plain, iv) = protect::open(&keyed.cipher, &keyed.iv, message)?;
                (protect::chain(message, &plain, &ctx.config.wire)?, iv)
            }
        };
        let at = (Step::AmI2, IkeState::ResponderAm2);
        protect::note_received(ctx, frame, at, message, &chain);
        let payloads = payloads::sort(chain, &AM_PROOF, keyed.vendor.dialect, &ctx.config.wire)?;
        let expected = keyed.peer_hash(frame, &self.idii_b);
        phase1::verified(ctx, frame, &expected, payloads.hash)?;
        let version = keyed.nat.version;
        let nat = phase1::detect_nat(ctx, frame, &keyed.suite, version, &payloads.nat_d)?;
        Ok((last_block, nat))
    }
}
