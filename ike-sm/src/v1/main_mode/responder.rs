//! The responder's side of main mode.
//!
//! Until message 3 has shown that our answers arrive, a record of a negotiation holds the offer and
//! nothing else: no key pair is drawn, no timer of ours sends anything.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use crypto_suite::Secret;
use isakmp_wire::v1::Message;

use super::Ke;
use crate::context::Context;
use crate::event::job::KeyExchangeDone;
use crate::event::{Answer, PskStage};
use crate::model::{CloseReason, DropReason, IkeState, Step};
use crate::v1::negotiation::{self, Done, Negotiation, Progress, Refused};
use crate::v1::phase1::{self, Exchanged, Frame, Keyed, Proof, Suite, Vendor};
use crate::v1::protect;
use crate::v1::signature::{self, Claim};

/// Takes in the first message: `HDR, SA, VID … -->`
pub(crate) fn receive_first<'c>(
    ctx: &mut Context<'c>,
    frame: &mut Frame<'c>,
    candidates: &[usize],
    message: &Message<'_>,
) -> Result<Progress, DropReason> {
    let at = (Step::MmI1, IkeState::Ready);
    let (payloads, vendor) = super::read_sa(ctx, frame, message, at)?;
    let sa = payloads.sa()?;
    phase1::report_vendor_ids(ctx, frame.ike, &payloads.vendor_ids);
    let first = frame.index;
    let mut has_key =
        phase1::wants_psk(ctx, frame) && phase1::configured_psk(ctx, frame, None).is_some();
    let (suite, transform) = phase1::choose(ctx, frame, candidates, sa)?;
    if suite.signature().is_some() {
        has_key = true;
    } else if frame.index != first {
        has_key = phase1::configured_psk(ctx, frame, None).is_some();
    }
    let answer = protect::clear(&super::header(frame), |writer| {
        phase1::write_choice(writer, sa, transform)?;
        // RFC 3947 §3.1 asks for the vendor ID in both messages; the best common one will do.
        phase1::write_vendor_ids(writer, vendor.nat_t_version(frame.peer))
    })?;
    let answered = SaAnswered {
        suite,
        vendor,
        sai_b: payloads.sa_body.to_vec(),
    };
    let asked = FirstAsked { answered, answer };
    Ok(if has_key {
        let at = IkeState::ResponderMm1;
        protect::note_clear(ctx, frame, Step::MmR1, at, &asked.answer);
        asked.answer()
    } else {
        let next = Negotiation::FirstAsked(asked);
        negotiation::ask_psk(frame, next, PskStage::FirstMessage, None)
    })
}

/// Message 1 is in; whether there is a key is asked.
#[derive(Debug)]
pub(crate) struct FirstAsked {
    answered: SaAnswered,
    answer: Bytes,
}

impl FirstAsked {
    /// There is a key. It is asked for again when it is needed, and not kept until then.
    pub(crate) fn answer(self) -> Progress {
        Progress::Send {
            next: Negotiation::SaAnswered(self.answered),
            message: self.answer,
            path: None,
        }
    }
}

/// Message 2 is out.
#[derive(Debug)]
pub(crate) struct SaAnswered {
    suite: Suite,
    vendor: Vendor,
    /// SAi_b: the initiator's SA payload as it came.
    sai_b: Vec<u8>,
}

impl SaAnswered {
    /// `HDR, KE, Ni, NAT-D, NAT-D -->`, answered with `<-- HDR, KE, Nr, NAT-D, NAT-D` once there is
    /// a key.
    pub(crate) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        let at = (Step::MmI2, IkeState::ResponderMm2);
        let known = (&self.suite, &self.vendor);
        // Refused before anything is remembered: zero, one, p-1, p and above, wrong lengths.
        let ke = Ke::read(ctx, frame, known, message, at, |public, _| {
            let group = self.suite.group;
            let checked = group.check_initiator(public);
            checked.map_err(|_| DropReason::BadKeyExchange)
        });
        let ke = match ke {
            Ok(ke) => ke,
            Err(reason) => return Err(Box::new((self, reason))),
        };
        let asked = KeyAsked { before: self, ke };
        if asked.before.suite.signature().is_some() {
            return Ok(asked.answer(ctx, frame, None));
        }
        Ok(match phase1::configured_psk(ctx, frame, None) {
            Some(psk) => asked.answer(ctx, frame, Some(psk)),
            None => {
                let next = Negotiation::KeyAsked(asked);
                negotiation::ask_psk(frame, next, PskStage::KeyExchange, None)
            }
        })
    }
}

/// Message 3 is in, the key is asked for.
#[derive(Debug)]
pub(crate) struct KeyAsked {
    before: SaAnswered,
    ke: Ke,
}

impl KeyAsked {
    /// There is a key, or with signatures none is needed: our half of the key exchange is next.
    pub(crate) fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        psk: Option<Secret>,
    ) -> Progress {
        let group = self.before.suite.group;
        let (question, next) = (
            ctx.key_exchange(group, &self.ke.public),
            KeyFound(self, psk),
        );
        if let Some(question) = question {
            return Progress::Ask {
                next: Negotiation::KeyFound(next),
                question: Box::new(question),
            };
        }
        let exchanged = group.respond(ctx.rng, &next.0.ke.public).ok();
        next.answer(ctx, frame, exchanged)
    }
}

/// Message 3 is in and the key is there; our half of the key exchange is being computed.
#[derive(Debug)]
pub(crate) struct KeyFound(KeyAsked, Option<Secret>);

impl KeyFound {
    /// Our half has come.
    pub(crate) fn exchanged(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        done: Option<KeyExchangeDone>,
    ) -> Progress {
        let group = self.0.before.suite.group.id();
        let exchanged = done.and_then(|done| done.of(group).ok());
        self.answer(ctx, frame, exchanged)
    }

    /// `<-- HDR, KE, Nr, NAT-D, NAT-D`
    fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        exchanged: Option<(Vec<u8>, Secret)>,
    ) -> Progress {
        exchanged
            .and_then(|exchanged| self.send_ke(ctx, frame, exchanged))
            .unwrap_or(Progress::Fail(CloseReason::Crypto))
    }

    fn send_ke(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        (g_xr, g_xy): (Vec<u8>, Secret),
    ) -> Option<Progress> {
        let Self(KeyAsked { before, ke }, psk) = self;
        let suite = before.suite;
        let nr_b = phase1::nonce(ctx);
        let version = ke.nat.version;
        let message = protect::clear(&super::header(frame), |writer| {
            Ke::write(writer, frame, &suite, version, (&g_xr, &nr_b))
        })
        .ok()?;
        protect::note_clear(ctx, frame, Step::MmR2, IkeState::ResponderMm3, &message);
        let exchanged = Exchanged {
            suite,
            vendor: ke.vendor,
            nat: ke.nat,
            sai_b: before.sai_b,
            g_xi: ke.public,
            g_xr,
            ni_b: ke.nonce,
            nr_b,
            asked: ke.asked,
        };
        let keyed = Keyed::derive(ctx, frame, psk.as_ref(), &g_xy, exchanged).ok()?;
        Some(Progress::Send {
            next: Negotiation::KeAnswered(KeAnswered(keyed)),
            message,
            path: None,
        })
    }
}

/// Message 4 is out.
#[derive(Debug)]
pub(crate) struct KeAnswered(Keyed);

impl KeAnswered {
    /// `HDR*, IDii, HASH_I -->`, answered with `<-- HDR*, IDir, HASH_R`; or with signatures. The peer is
    /// the one of those that it may still be which matches the identity best.
    pub(crate) fn receive<'c>(
        self,
        ctx: &mut Context<'c>,
        frame: &mut Frame<'c>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        let at = (Step::MmI3, IkeState::ResponderMm4);
        let (proof, claim) = match self.0.check_id(ctx, frame, message, at) {
            Ok(checked) => checked,
            Err(reason) => return Err(Box::new((self, reason))),
        };
        let Self(mut keyed) = self;
        phase1::limit_lifetime(ctx, frame, &mut keyed.suite);
        keyed.nat.verdict = phase1::settled_verdict(keyed.nat.verdict, frame);
        Ok(match claim {
            None => owed(ctx, frame, keyed, proof)
                .send(ctx, frame, None)
                .unwrap_or(Progress::Fail(CloseReason::Crypto)),
            Some(claim) => Progress::Ask {
                question: Box::new(claim.vouch(ctx, frame, &keyed.suite)),
                next: Negotiation::PeerShown(PeerShown {
                    keyed,
                    proof,
                    claim,
                }),
            },
        })
    }
}

/// Message 5 is in, and whether its certificates hold is asked.
#[derive(Debug)]
pub(crate) struct PeerShown {
    keyed: Keyed,
    proof: Proof,
    claim: Claim,
}

impl PeerShown {
    /// Asks for our signature next.
    pub(crate) fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        answer: Answer,
    ) -> Progress {
        let Self {
            keyed,
            proof,
            claim,
        } = self;
        let suite = keyed.suite;
        let (true, Some(scheme)) = (claim.holds(ctx, frame, &suite, answer), suite.signature())
        else {
            return Progress::Fail(CloseReason::AuthenticationFailed);
        };
        let owed = owed(ctx, frame, keyed, proof);
        let hash = owed.keyed.own_hash(frame, &owed.id);
        Progress::Ask {
            question: Box::new(signature::sign(frame, scheme, &hash)),
            next: Negotiation::IdOwed(owed),
        }
    }
}

/// The peer is proven; message 6 is to be made.
fn owed(ctx: &mut Context<'_>, frame: &Frame<'_>, keyed: Keyed, proof: Proof) -> IdOwed {
    // A responder without older SAs says so too: the initiator's children may be orphans.
    let contact = frame.peer.announces_initial_contact()
        && !ctx.knows_peer(frame.index, Some(&proof.remote_id));
    let id = phase1::own_id(ctx, frame, keyed.nat.version.is_some());
    IdOwed {
        keyed,
        proof,
        id,
        contact,
    }
}

/// The peer is proven, our signature is asked for.
#[derive(Debug)]
pub(crate) struct IdOwed {
    keyed: Keyed,
    proof: Proof,
    id: Vec<u8>,
    contact: bool,
}

impl IdOwed {
    /// `<-- HDR*, IDir, [CERT …,] SIG_R`
    pub(crate) fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        answer: Answer,
    ) -> Progress {
        super::signed(answer, |signature| self.send(ctx, frame, Some(signature)))
    }

    fn send(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        signature: Option<&[u8]>,
    ) -> Option<Progress> {
        let Self {
            keyed,
            proof,
            id,
            contact,
        } = self;
        let plain = super::own_proof(frame, &keyed, &id, signature, contact).ok()?;
        let plain = plain.noted(ctx, frame, Step::MmR3, IkeState::ResponderMm5, 0);
        let header = super::header(frame);
        let (message, last_block) = protect::seal(&keyed.cipher, &proof.iv, &header, plain).ok()?;
        Some(Progress::Done(Done {
            agreed: keyed.agreed(last_block, proof.remote_id),
            message: Some(message),
            path: None,
            initial_contact: proof.initial_contact,
            owes_contact: false,
        }))
    }
}
