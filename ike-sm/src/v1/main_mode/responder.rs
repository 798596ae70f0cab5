//! The responder's side of main mode.
//!
//! Until message 3 has shown that our answers arrive, a record of a negotiation holds the offer and
//! nothing else: no key pair is drawn, no timer of ours sends anything.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use crypto_suite::Secret;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v1::{Body, Message, PayloadType, Situation};
use nat_t::Verdict;

use super::{MainMode, Progress, Refused};
use crate::action::{CloseReason, PskStage};
use crate::config::Identity;
use crate::context::Context;
use crate::explain::{IkeState, Notice, Phase1Summary, Step, What};
use crate::outcome::DropReason;
use crate::policy;
use crate::v1::established::Agreed;
use crate::v1::keys::{Iv, Keys, MessageCipher};
use crate::v1::payloads::{self, MM_ID, MM_KE, MM_SA};
use crate::v1::phase1::{self, Exchanged, Frame, Nat, Suite, Vendor};
use crate::v1::protect;

/// Takes in the first message: `HDR, SA, VID … -->`
pub(crate) fn receive_first(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    message: &Message<'_>,
) -> Result<Progress, DropReason> {
    let Body::Clear(chain) = message.body else {
        return Err(DropReason::NoKeyYet);
    };
    protect::note_received(ctx, frame, (Step::MmI1, IkeState::Ready), message, &chain);
    let mut vendor = Vendor::default();
    vendor.dialect.learn_from(&chain);
    let payloads = payloads::sort(chain, &MM_SA, vendor.dialect, &ctx.config.wire)?;
    let sa = payloads.sa()?;
    let offer =
        policy::read_phase1(sa).map_err(|_| DropReason::BadPayload(PayloadType::SA.into()))?;
    vendor.learn(&payloads.vendor_ids);
    phase1::report_vendor_ids(ctx, frame.ike, &payloads.vendor_ids);
    let address = frame.path.remote.ip();
    let has_key = phase1::configured_psk(ctx, frame, address).is_some();
    let policies = ctx.config.policies_for(frame.peer);
    let choice = policy::choose_phase1(&policies, &offer, &mut |what| {
        ctx.note(Some(frame.ike), what);
    });
    let Some(choice) = choice else {
        if let Some(miss) = policy::nearest_miss(&policies, &offer) {
            let notice = Notice::NearestMiss(Box::new(miss));
            ctx.note(Some(frame.ike), What::Notice(notice));
        }
        return Err(DropReason::NoProposalChosen);
    };
    let suite = Suite::new(ctx.provider, choice.policy, choice.lifetime)?;
    ctx.note(
        Some(frame.ike),
        What::Phase1Suite(Phase1Summary {
            policy: choice.policy,
            offered: choice.offered,
            lifetime: choice.lifetime,
        }),
    );

    let proposal = sa.proposals().next().ok_or(DropReason::NoProposalChosen)?;
    let transform = proposal
        .transforms()
        .nth(choice.transform)
        .ok_or(DropReason::NoProposalChosen)?;
    let header = protect::header(&frame.cookies, ExchangeType::IDENTITY_PROTECTION, 0);
    let answer = protect::clear(&header, |writer| {
        writer.sa(Situation::IDENTITY_ONLY, |sa| {
            sa.choose(&proposal, &[], &transform)?;
            Ok(())
        })?;
        // RFC 3947 §3.1 asks for the vendor ID in both messages; the best common one will do.
        phase1::write_vendor_ids(writer, vendor.nat_t_version(frame.peer))
    })?;
    if has_key {
        protect::note_clear(ctx, frame, Step::MmR1, IkeState::ResponderMm1, &answer);
    }
    let answered = SaAnswered {
        suite,
        vendor,
        sai_b: payloads.sa_body.to_vec(),
    };
    Ok(if has_key {
        Progress::Send {
            next: MainMode::SaAnswered(answered),
            message: answer,
            path: None,
        }
    } else {
        let next = MainMode::FirstAsked(FirstAsked { answered, answer });
        Progress::Ask {
            next,
            stage: PskStage::FirstMessage,
        }
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
    pub(super) fn answer(self) -> Progress {
        let Self { answered, answer } = self;
        Progress::Send {
            next: MainMode::SaAnswered(answered),
            message: answer,
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
    pub(super) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        let Ke {
            g_xi,
            ni_b,
            nat,
            vendor,
        } = match self.check(ctx, frame, message) {
            Ok(ke) => ke,
            Err(reason) => return Err(Box::new((self, reason))),
        };
        let asked = KeyAsked {
            suite: self.suite,
            vendor,
            nat,
            sai_b: self.sai_b,
            g_xi,
            ni_b,
        };
        Ok(
            match phase1::configured_psk(ctx, frame, frame.path.remote.ip()) {
                Some(psk) => asked.answer(ctx, frame, &psk),
                None => Progress::Ask {
                    next: MainMode::KeyAsked(asked),
                    stage: PskStage::KeyExchange,
                },
            },
        )
    }

    fn check(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Ke, DropReason> {
        let Body::Clear(chain) = message.body else {
            return Err(DropReason::NoKeyYet);
        };
        protect::note_received(
            ctx,
            frame,
            (Step::MmI2, IkeState::ResponderMm2),
            message,
            &chain,
        );
        let mut vendor = self.vendor;
        vendor.dialect.learn_from(&chain);
        let payloads = payloads::sort(chain, &MM_KE, vendor.dialect, &ctx.config.wire)?;
        let g_xi = payloads.ke()?;
        // Refused before anything is remembered: zero, one, p-1, p and above, wrong lengths.
        self.suite
            .group
            .check_initiator(g_xi)
            .map_err(|_| DropReason::BadKeyExchange)?;
        vendor.learn(&payloads.vendor_ids);
        let version = self.vendor.nat_t_version(frame.peer);
        let nat = phase1::detect_nat(ctx, frame, &self.suite, version, &payloads.nat_d)?;
        phase1::report_vendor_ids(ctx, frame.ike, &payloads.vendor_ids);
        Ok(Ke {
            g_xi: g_xi.to_vec(),
            ni_b: payloads.nonce.to_vec(),
            nat,
            vendor,
        })
    }
}

/// What message 3 has brought.
struct Ke {
    g_xi: Vec<u8>,
    ni_b: Vec<u8>,
    nat: Nat,
    vendor: Vendor,
}

/// Message 3 is in, the key is asked for.
#[derive(Debug)]
pub(crate) struct KeyAsked {
    suite: Suite,
    vendor: Vendor,
    nat: Nat,
    sai_b: Vec<u8>,
    g_xi: Vec<u8>,
    ni_b: Vec<u8>,
}

impl KeyAsked {
    /// `<-- HDR, KE, Nr, NAT-D, NAT-D`
    pub(super) fn answer(self, ctx: &mut Context<'_>, frame: &Frame<'_>, psk: &Secret) -> Progress {
        self.send_ke(ctx, frame, psk)
            .unwrap_or(Progress::Fail(CloseReason::Crypto))
    }

    fn send_ke(self, ctx: &mut Context<'_>, frame: &Frame<'_>, psk: &Secret) -> Option<Progress> {
        let (g_xr, g_xy) = self.suite.group.respond(ctx.rng, &self.g_xi).ok()?;
        let nr_b = phase1::nonce(ctx);
        let version = self.nat.version;
        let header = protect::header(&frame.cookies, ExchangeType::IDENTITY_PROTECTION, 0);
        let message = protect::clear(&header, |writer| {
            phase1::write_ke(writer, frame, &self.suite, version, &g_xr, &nr_b)
        })
        .ok()?;
        protect::note_clear(ctx, frame, Step::MmR2, IkeState::ResponderMm3, &message);
        let sent = Exchanged {
            g_xi: &self.g_xi,
            g_xr: &g_xr,
            ni_b: &self.ni_b,
            nr_b: &nr_b,
        };
        let material = phase1::derive(ctx, frame, &self.suite, psk, &g_xy, sent).ok()?;
        let next = MainMode::KeAnswered(KeAnswered {
            suite: self.suite,
            vendor: self.vendor,
            nat: self.nat,
            keys: material.keys,
            cipher: material.cipher,
            iv: material.iv,
            sai_b: self.sai_b,
            g_xi: self.g_xi,
            g_xr,
        });
        Some(Progress::Send {
            next,
            message,
            path: None,
        })
    }
}

/// Message 4 is out.
#[derive(Debug)]
pub(crate) struct KeAnswered {
    suite: Suite,
    vendor: Vendor,
    nat: Nat,
    keys: Keys,
    cipher: MessageCipher,
    iv: Iv,
    sai_b: Vec<u8>,
    g_xi: Vec<u8>,
    g_xr: Vec<u8>,
}

/// What message 5 has proved.
struct Proof {
    iv: Iv,
    remote_id: Identity,
    initial_contact: bool,
}

impl KeAnswered {
    /// `HDR*, IDii, HASH_I -->`, answered with `<-- HDR*, IDir, HASH_R`
    pub(super) fn receive(
        mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        let proof = match self.check(ctx, frame, message) {
            Ok(proof) => proof,
            Err(reason) => return Err(Box::new((self, reason))),
        };
        self.nat.verdict = settled_verdict(self.nat.verdict, frame);
        Ok(self
            .send_id(ctx, frame, proof)
            .unwrap_or(Progress::Fail(CloseReason::Crypto)))
    }

    fn check(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Proof, DropReason> {
        let (plain, iv) = protect::open(&self.cipher, &self.iv, message)?;
        let chain = protect::chain(message, &plain, &ctx.config.wire)?;
        protect::note_received(
            ctx,
            frame,
            (Step::MmI3, IkeState::ResponderMm4),
            message,
            &chain,
        );
        let payloads = payloads::sort(chain, &MM_ID, self.vendor.dialect, &ctx.config.wire)?;
        let id = payloads.id()?;
        let transcript = phase1::transcript(frame, &self.sai_b, &self.g_xi, &self.g_xr);
        let verified = protect::verify(&self.keys.hash_i(&transcript, id.body), payloads.hash);
        let peer = frame.path.remote.ip();
        ctx.note(
            Some(frame.ike),
            What::Authenticated {
                peer,
                ok: verified.is_ok(),
            },
        );
        verified?;
        let remote_id = phase1::peer_id(ctx, frame, id)?;
        Ok(Proof {
            iv,
            remote_id,
            initial_contact: super::initial_contact(&payloads),
        })
    }

    fn send_id(self, ctx: &mut Context<'_>, frame: &Frame<'_>, proof: Proof) -> Option<Progress> {
        let id = phase1::own_id(ctx, frame, self.nat);
        let transcript = phase1::transcript(frame, &self.sai_b, &self.g_xi, &self.g_xr);
        let hash_r = self.keys.hash_r(&transcript, &id);
        // A responder without older SAs says so too: the initiator's children may be orphans.
        let contact =
            frame.peer.initial_contact && !ctx.knows_peer(frame.index, Some(&proof.remote_id));
        let plain = protect::plain(|writer| {
            writer.payload(PayloadType::IDENTIFICATION, &id)?;
            writer.payload(PayloadType::HASH, hash_r.as_ref())?;
            if contact {
                phase1::write_initial_contact(writer, &frame.cookies)?;
            }
            Ok(())
        })
        .ok()?;
        let header = protect::header(&frame.cookies, ExchangeType::IDENTITY_PROTECTION, 0);
        let (message, last_block) = {
            let plain = plain.noted(ctx, frame, Step::MmR3, IkeState::ResponderMm5, 0);
            protect::seal(&self.cipher, &proof.iv, &header, plain).ok()?
        };
        let agreed = Box::new(Agreed {
            suite: self.suite,
            vendor: self.vendor,
            nat: self.nat,
            keys: self.keys,
            cipher: self.cipher,
            last_block,
            remote_id: proof.remote_id,
            initial_contact: proof.initial_contact,
        });
        Some(Progress::Done {
            agreed,
            message: Some(message),
            path: None,
        })
    }
}

/// Nothing protects NAT-D payloads, so the ends may have judged differently. The initiator has
/// decided by moving to port 4500 or not (RFC 3947 §4), and its quick modes will follow that.
fn settled_verdict(ours: Verdict, frame: &Frame<'_>) -> Verdict {
    match (frame.home.natt, frame.path.natt) {
        (true, _) => ours,
        (false, true) if ours.nat() => ours,
        (false, true) => Verdict::PeerBehindNat,
        (false, false) => Verdict::NoNat,
    }
}
