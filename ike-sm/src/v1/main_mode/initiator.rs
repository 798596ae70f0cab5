//! The initiator's side of main mode.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crypto_suite::{ActiveKeyExchange, Secret};
use isakmp_wire::v1::Message;

use super::Ke;
use crate::context::Context;
use crate::event::job::{self, Computed};
use crate::event::{Answer, PskStage};
use crate::model::{CloseReason, DropReason, IkeState, Step};
use crate::v1::negotiation::{self, Done, Negotiation, Progress, Refused};
use crate::v1::phase1::{self, Exchanged, Frame, Keyed, Offered, Proof, Suite, Vendor};
use crate::v1::protect;
use crate::v1::signature::{self, Claim};

/// Message 1 is out.
#[derive(Debug)]
pub(crate) struct SaSent {
    offered: Offered,
}

/// Starts a main mode: `HDR, SA, VID … -->`
pub(crate) fn start(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Result<Progress, DropReason> {
    let mut offered = Offered::new(ctx.config.policies_for(frame.peer));
    let message = protect::clear(&super::header(frame), |writer| {
        offered.write(writer)?;
        phase1::write_vendor_ids(writer, phase1::announced(frame.peer))
    })?;
    protect::note_clear(ctx, frame, Step::MmI1, IkeState::Ready, &message);
    Ok(Progress::Send {
        next: Negotiation::SaSent(SaSent { offered }),
        message,
        path: None,
    })
}

impl SaSent {
    /// `<-- HDR, SA, VID …`, answered with `HDR, KE, Ni, NAT-D, NAT-D -->`
    pub(crate) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        let (suite, vendor) = match self.check(ctx, frame, message) {
            Ok(checked) => checked,
            Err(reason) => return Err(Box::new((self, reason))),
        };
        let sai_b = self.offered.sai_b;
        let wanted = PairWanted {
            suite,
            vendor,
            sai_b,
        };
        Ok(wanted.find(ctx, frame))
    }

    fn check(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<(Suite, Vendor), DropReason> {
        let at = (Step::MmR1, IkeState::InitiatorMm1);
        let (payloads, vendor) = super::read_sa(ctx, frame, message, at)?;
        let suite = self.offered.answered(ctx, frame, payloads.sa()?)?;
        phase1::report_vendor_ids(ctx, frame.ike, &payloads.vendor_ids);
        Ok((suite, vendor))
    }
}

/// Message 2 is in; our key pair is being drawn.
#[derive(Debug)]
pub(crate) struct PairWanted {
    suite: Suite,
    vendor: Vendor,
    sai_b: Vec<u8>,
}

impl PairWanted {
    fn find(self, ctx: &mut Context<'_>, frame: &Frame<'_>) -> Progress {
        match ctx.key_pair(self.suite.group) {
            Some(question) => Progress::Ask {
                next: Negotiation::PairWanted(self),
                question: Box::new(question),
            },
            None => self.drawn(ctx, frame, None),
        }
    }

    /// `HDR, KE, Ni, NAT-D, NAT-D -->`, with the key pair that was asked for.
    pub(crate) fn drawn(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        computed: Computed,
    ) -> Progress {
        let sent = self.send(ctx, frame, computed);
        sent.unwrap_or(Progress::Fail(CloseReason::Crypto))
    }

    fn send(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        computed: Computed,
    ) -> Result<Progress, DropReason> {
        let Self {
            suite,
            vendor,
            sai_b,
        } = self;
        let dh = job::key_pair(suite.group, ctx.rng, computed)?;
        let ni_b = phase1::nonce(ctx);
        let version = vendor.nat_t_version(frame.peer);
        let message = protect::clear(&super::header(frame), |writer| {
            Ke::write(writer, frame, &suite, version, (dh.public(), &ni_b))
        })?;
        protect::note_clear(ctx, frame, Step::MmI2, IkeState::InitiatorMm2, &message);
        let next = Negotiation::KeSent(KeSent {
            suite,
            vendor,
            sai_b,
            ni_b,
            dh,
        });
        Ok(Progress::Send {
            next,
            message,
            path: None,
        })
    }
}

/// Message 3 is out.
#[derive(Debug)]
pub(crate) struct KeSent {
    suite: Suite,
    vendor: Vendor,
    sai_b: Vec<u8>,
    ni_b: Vec<u8>,
    dh: Arc<dyn ActiveKeyExchange>,
}

impl KeSent {
    /// `<-- HDR, KE, Nr, NAT-D, NAT-D`, answered with `HDR*, IDii, HASH_I -->` once there is a key.
    pub(crate) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        let at = (Step::MmR2, IkeState::InitiatorMm3);
        let known = (&self.suite, &self.vendor);
        let answer = Ke::read(ctx, frame, known, message, at, |public, nonce| {
            self.suite
                .group
                .check_responder(public)
                .map_err(|_| DropReason::BadKeyExchange)?;
            // A peer that sends our own values back proves nothing.
            if public == self.dh.public() || nonce == self.ni_b {
                return Err(DropReason::Reflected);
            }
            Ok(())
        });
        let answer = match answer {
            Ok(answer) => answer,
            Err(reason) => return Err(Box::new((self, reason))),
        };
        let wanted = KeyWanted { sent: self, answer };
        if wanted.sent.suite.signature().is_some() {
            return Ok(wanted.found(ctx, frame, None));
        }
        Ok(match phase1::configured_psk(ctx, frame, None) {
            Some(psk) => wanted.found(ctx, frame, Some(psk)),
            None => {
                let next = Negotiation::KeyWanted(wanted);
                negotiation::ask_psk(frame, next, PskStage::KeyExchange, None)
            }
        })
    }
}

/// Message 4 is in, the key is asked for.
#[derive(Debug)]
pub(crate) struct KeyWanted {
    sent: KeSent,
    answer: Ke,
}

impl KeyWanted {
    /// There is a key, or with signatures none is needed: the shared secret is next.
    pub(crate) fn found(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        psk: Option<Secret>,
    ) -> Progress {
        let wanted = SecretWanted(self, psk);
        let KeyWanted { sent, answer } = &wanted.0;
        if let Some(question) = ctx.agreement(&sent.dh, &answer.public) {
            return Progress::Ask {
                next: Negotiation::SecretWanted(wanted),
                question: Box::new(question),
            };
        }
        wanted.agreed(ctx, frame, None)
    }
}

/// Message 4 is in and the key is there; the shared secret is being computed.
#[derive(Debug)]
pub(crate) struct SecretWanted(KeyWanted, Option<Secret>);

impl SecretWanted {
    /// `HDR*, IDii, HASH_I [, N(INITIAL-CONTACT)] -->`, with the shared secret that was asked for; with
    /// signatures there is no key.
    pub(crate) fn agreed(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        computed: Computed,
    ) -> Progress {
        let KeyWanted { sent, answer } = &self.0;
        let g_xy = job::shared(&*sent.dh, &answer.public, computed).ok();
        g_xy.and_then(|g_xy| self.send_id(ctx, frame, &g_xy))
            .unwrap_or(Progress::Fail(CloseReason::Crypto))
    }

    fn send_id(self, ctx: &mut Context<'_>, frame: &Frame<'_>, g_xy: &Secret) -> Option<Progress> {
        let Self(KeyWanted { sent, answer }, psk) = self;
        let g_xi = sent.dh.public().to_vec();
        let exchanged = Exchanged {
            suite: sent.suite,
            vendor: answer.vendor,
            nat: answer.nat,
            sai_b: sent.sai_b,
            g_xi,
            g_xr: answer.public,
            ni_b: sent.ni_b,
            nr_b: answer.nonce,
            asked: answer.asked,
        };
        let keyed = Keyed::derive(ctx, frame, psk.as_ref(), g_xy, exchanged).ok()?;
        let contact = frame.peer.announces_initial_contact() && !ctx.knows_peer(frame.index, None);
        let id = phase1::own_id(ctx, frame, keyed.nat.version.is_some());
        let wanted = IdWanted { keyed, id, contact };
        match wanted.keyed.suite.signature() {
            None => wanted.send(ctx, frame, None),
            Some(scheme) => {
                let hash = wanted.keyed.own_hash(frame, &wanted.id);
                Some(Progress::Ask {
                    question: Box::new(signature::sign(frame, scheme, &hash)),
                    next: Negotiation::IdWanted(wanted),
                })
            }
        }
    }
}

/// Message 4 is in, our signature is asked for.
#[derive(Debug)]
pub(crate) struct IdWanted {
    keyed: Keyed,
    id: Vec<u8>,
    /// Message 5 says that we know of no older SAs.
    contact: bool,
}

impl IdWanted {
    /// `HDR*, IDii, [CERT …,] SIG_I [, N(INITIAL-CONTACT)] -->`
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
            mut keyed,
            id,
            contact,
        } = self;
        let plain = super::own_proof(frame, &keyed, &id, signature, contact).ok()?;
        let path = phase1::floated(ctx, frame, keyed.nat);
        let moved = Frame { path, ..*frame };
        let plain = plain.noted(ctx, &moved, Step::MmI3, IkeState::InitiatorMm4, 0);
        let header = super::header(frame);
        let (message, iv) = protect::seal(&keyed.cipher, &keyed.iv, &header, plain).ok()?;
        keyed.iv = iv;
        Some(Progress::Send {
            next: Negotiation::IdSent(IdSent(keyed)),
            message,
            path: Some(path),
        })
    }
}

/// Message 5 is out.
#[derive(Debug)]
pub(crate) struct IdSent(Keyed);

impl IdSent {
    /// Whether we prove ourselves with a pre-shared key.
    pub(crate) fn is_shared(&self) -> bool {
        self.0.suite.signature().is_none()
    }

    /// `<-- HDR*, IDir, HASH_R`, or `[CERT …,] SIG_R`
    pub(crate) fn receive<'c>(
        self,
        ctx: &mut Context<'c>,
        frame: &Frame<'c>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        let at = (Step::MmR3, IkeState::InitiatorMm5);
        let mut frame = *frame;
        match self.0.check_id(ctx, &mut frame, message, at) {
            Ok((proof, None)) => Ok(done(self.0, proof)),
            Ok((proof, Some(claim))) => Ok(Progress::Ask {
                question: Box::new(claim.vouch(ctx, &frame, &self.0.suite)),
                next: Negotiation::IdShown(IdShown {
                    keyed: self.0,
                    proof,
                    claim,
                }),
            }),
            Err(reason) => Err(Box::new((self, reason))),
        }
    }
}

fn done(keyed: Keyed, proof: Proof) -> Progress {
    Progress::Done(Done {
        agreed: keyed.agreed(proof.iv, proof.remote_id),
        message: None,
        path: None,
        initial_contact: proof.initial_contact,
        owes_contact: false,
    })
}

/// Message 6 is in, and whether its certificates hold is asked.
#[derive(Debug)]
pub(crate) struct IdShown {
    keyed: Keyed,
    proof: Proof,
    claim: Claim,
}

impl IdShown {
    pub(crate) fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        answer: Answer,
    ) -> Progress {
        if self.claim.holds(ctx, frame, &self.keyed.suite, answer) {
            done(self.keyed, self.proof)
        } else {
            Progress::Fail(CloseReason::AuthenticationFailed)
        }
    }
}
