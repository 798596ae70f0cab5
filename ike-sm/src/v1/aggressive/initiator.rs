//! The initiator's side of aggressive mode.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crypto_suite::{ActiveKeyExchange, KeyExchange, Secret};
use isakmp_wire::v1::{Body, Message, PayloadType};

use crate::config::Phase1Policy;
use crate::context::Context;
use crate::event::job::{self, Computed};
use crate::event::{Notice, PskStage, What};
use crate::model::{CloseReason, DropReason, Identity, IkeState, RemoteIdentity, Step};
use crate::v1::keys::{Transcript, skeyid_psk};
use crate::v1::negotiation::{self, Done, Negotiation, Progress, Refused};
use crate::v1::payloads::{self, AM_ANSWER};
use crate::v1::phase1::{self, Exchanged, Frame, Keyed, Nat, Offered, Suite, Vendor};
use crate::v1::protect;

/// The key is asked for, before anything is sent: message 2 is checked with it.
#[derive(Debug)]
pub(crate) struct KeyWanted;

/// Starts an aggressive mode, as soon as there is a key.
pub(crate) fn start(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Result<Progress, DropReason> {
    ctx.note(Some(frame.ike), What::Notice(Notice::AggressivePsk));
    match phase1::configured_psk(ctx, frame, None) {
        Some(psk) => PairWanted(psk).find(ctx, frame),
        None => {
            let identity = match &frame.peer.remote_id {
                RemoteIdentity::Is(identity) => Some(identity.clone()),
                _ => None,
            };
            let next = Negotiation::AmKeyWanted(KeyWanted);
            Ok(negotiation::ask_psk(
                frame,
                next,
                PskStage::KeyExchange,
                identity,
            ))
        }
    }
}

impl KeyWanted {
    pub(crate) fn answer(self, ctx: &mut Context<'_>, frame: &Frame<'_>, psk: Secret) -> Progress {
        let found = PairWanted(psk).find(ctx, frame);
        found.unwrap_or(Progress::Fail(CloseReason::Crypto))
    }
}

/// The key is there; our key pair is being drawn.
#[derive(Debug)]
pub(crate) struct PairWanted(Secret);

impl PairWanted {
    fn find(self, ctx: &mut Context<'_>, frame: &Frame<'_>) -> Result<Progress, DropReason> {
        let (_, group) = offered(ctx, frame)?;
        let Some(question) = ctx.key_pair(group) else {
            return offer(ctx, frame, self.0, None);
        };
        Ok(Progress::Ask {
            next: Negotiation::AmPairWanted(self),
            question: Box::new(question),
        })
    }

    /// The key pair has come.
    pub(crate) fn drawn(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        computed: Computed,
    ) -> Progress {
        let sent = offer(ctx, frame, self.0, computed);
        sent.unwrap_or(Progress::Fail(CloseReason::Crypto))
    }
}

/// The policies that are offered, and their group.
fn offered(
    ctx: &Context<'_>,
    frame: &Frame<'_>,
) -> Result<(Vec<Phase1Policy>, &'static dyn KeyExchange), DropReason> {
    let mut policies = ctx.config.policies_for(frame.peer);
    let group = policies.first().ok_or(DropReason::NoSuchObject)?.group;
    // RFC 2409 §5: the group cannot be negotiated, for the public value goes with the offer.
    policies.retain(|policy| policy.group == group);
    let group = ctx.provider.group(group).ok_or(DropReason::Crypto)?;
    Ok((policies, group))
}

/// `HDR, SA, KE, Ni, IDii, VID … -->`
fn offer(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    psk: Secret,
    computed: Computed,
) -> Result<Progress, DropReason> {
    let (policies, group) = offered(ctx, frame)?;
    let dh = job::key_pair(group, ctx.rng, computed)?;
    let ni_b = phase1::nonce(ctx);
    let idii_b = phase1::own_id(ctx, frame, frame.peer.nat_traversal.enabled);
    let mut offered = Offered::new(policies);
    let message = protect::clear(&super::header(frame), |writer| {
        offered.write(writer)?;
        writer.payload(PayloadType::KEY_EXCHANGE, dh.public())?;
        writer.payload(PayloadType::NONCE, &ni_b)?;
        writer.payload(PayloadType::IDENTIFICATION, &idii_b)?;
        phase1::write_vendor_ids(writer, phase1::announced(frame.peer))
    })?;
    protect::note_clear(ctx, frame, Step::AmI1, IkeState::Ready, &message);
    let next = Negotiation::AmSent(Sent {
        offered,
        dh,
        ni_b,
        idii_b,
        psk,
    });
    Ok(Progress::Send {
        next,
        message,
        path: None,
    })
}

/// Message 1 is out.
#[derive(Debug)]
pub(crate) struct Sent {
    offered: Offered,
    dh: Arc<dyn ActiveKeyExchange>,
    ni_b: Vec<u8>,
    idii_b: Vec<u8>,
    psk: Secret,
}

/// What message 2 has brought and proved.
#[derive(Debug)]
struct Answer {
    suite: Suite,
    vendor: Vendor,
    nat: Nat,
    g_xr: Vec<u8>,
    nr_b: Vec<u8>,
    remote_id: Arc<Identity>,
}

impl Sent {
    /// `<-- HDR, SA, KE, Nr, IDir, HASH_R …`, answered with `HDR*, HASH_I [, NAT-D, NAT-D ] -->`
    pub(crate) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        match self.check(ctx, frame, message) {
            Ok(answer) => Ok(SecretWanted(self, answer).find(ctx, frame)),
            Err(reason) => Err(Box::new((self, reason))),
        }
    }

    fn check(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Answer, DropReason> {
        let Body::Clear(chain) = message.body else {
            return Err(DropReason::NoKeyYet);
        };
        let at = (Step::AmR1, IkeState::InitiatorAm1);
        protect::note_received(ctx, frame, at, message, &chain);
        let mut vendor = Vendor::default();
        vendor.dialect.learn_from(&chain);
        let payloads = payloads::sort(chain, &AM_ANSWER, vendor.dialect, &ctx.config.wire)?;
        vendor.learn(&payloads.vendor_ids);
        let suite = self.offered.answered(ctx, frame, payloads.sa()?)?;
        let (g_xr, nr_b) = (payloads.ke()?, payloads.nonce);
        suite
            .group
            .check_responder(g_xr)
            .map_err(|_| DropReason::BadKeyExchange)?;
        // A peer that sends our own values back proves nothing.
        if g_xr == self.dh.public() || nr_b == self.ni_b {
            return Err(DropReason::Reflected);
        }
        // HASH_R needs no shared secret: ours is spent when the peer has proved itself.
        let skeyid = skeyid_psk(suite.prf, self.psk.expose(), &self.ni_b, nr_b);
        let transcript = Transcript {
            g_xi: self.dh.public(),
            g_xr,
            cookies: frame.cookies,
            sai_b: &self.offered.sai_b,
        };
        let id = payloads.id()?;
        let expected = transcript.hash_r(suite.prf, &skeyid, id.body);
        phase1::verified(ctx, frame, &expected, payloads.hash)?;
        let remote_id = phase1::peer_id(ctx, frame, id)?;
        let version = vendor.nat_t_version(frame.peer);
        let nat = phase1::detect_nat(ctx, frame, &suite, version, &payloads.nat_d)?;
        phase1::report_vendor_ids(ctx, frame.ike, &payloads.vendor_ids);
        Ok(Answer {
            suite,
            vendor,
            nat,
            g_xr: g_xr.to_vec(),
            nr_b: nr_b.to_vec(),
            remote_id,
        })
    }

    fn prove(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        answer: Answer,
        g_xy: &Secret,
    ) -> Option<Progress> {
        let g_xi = self.dh.public().to_vec();
        let exchanged = Exchanged {
            suite: answer.suite,
            vendor: answer.vendor,
            nat: answer.nat,
            sai_b: self.offered.sai_b,
            g_xi,
            g_xr: answer.g_xr,
            ni_b: self.ni_b,
            nr_b: answer.nr_b,
            asked: false,
        };
        let keyed = Keyed::derive(ctx, frame, Some(&self.psk), g_xy, exchanged).ok()?;
        let hash_i = keyed.own_hash(frame, &self.idii_b);
        // RFC 3947 §4: message 3 is the first on port 4500; its NAT-D payloads say so.
        let path = phase1::floated(ctx, frame, keyed.nat);
        let moved = Frame { path, ..*frame };
        let plain = protect::plain(|writer| {
            writer.payload(PayloadType::HASH, hash_i.as_ref())?;
            phase1::write_nat_d(writer, &moved, &keyed.suite, keyed.nat.version)
        })
        .ok()?;
        let plain = plain.noted(ctx, &moved, Step::AmI2, IkeState::InitiatorAm2, 0);
        let header = super::header(frame);
        let (message, last_block) = protect::seal(&keyed.cipher, &keyed.iv, &header, plain).ok()?;
        let known = ctx.knows_peer(frame.index, Some(&answer.remote_id));
        Some(Progress::Done(Done {
            agreed: keyed.agreed(last_block, answer.remote_id),
            message: Some(message),
            path: Some(path),
            initial_contact: false,
            owes_contact: frame.peer.announces_initial_contact() && !known,
        }))
    }
}

/// The peer has proved itself with message 2; the shared secret is being computed.
#[derive(Debug)]
pub(crate) struct SecretWanted(Sent, Answer);

impl SecretWanted {
    fn find(self, ctx: &mut Context<'_>, frame: &Frame<'_>) -> Progress {
        let Self(sent, answer) = &self;
        if let Some(question) = ctx.agreement(&sent.dh, &answer.g_xr) {
            return Progress::Ask {
                next: Negotiation::AmSecretWanted(self),
                question: Box::new(question),
            };
        }
        self.agreed(ctx, frame, None)
    }

    /// Goes on with the shared secret that was asked for.
    pub(crate) fn agreed(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        computed: Computed,
    ) -> Progress {
        let Self(sent, answer) = self;
        let g_xy = job::shared(&*sent.dh, &answer.g_xr, computed).ok();
        g_xy.and_then(|g_xy| sent.prove(ctx, frame, answer, &g_xy))
            .unwrap_or(Progress::Fail(CloseReason::Crypto))
    }
}
