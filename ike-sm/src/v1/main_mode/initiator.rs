//! The initiator's side of main mode.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use crypto_suite::{ActiveKeyExchange, Secret};
use isakmp_wire::BuildError;
use isakmp_wire::registry::{ExchangeType, ProtocolId};
use isakmp_wire::v1::{Body, Message, PayloadType, Situation, Writer};

use super::{MainMode, Progress, Refused};
use crate::action::{CloseReason, PskStage};
use crate::config::Phase1Policy;
use crate::context::Context;
use crate::explain::{IkeState, Phase1Summary, Step, What};
use crate::outcome::DropReason;
use crate::policy::{self, OfferedTransform};
use crate::v1::established::Agreed;
use crate::v1::keys::{Iv, Keys, MessageCipher};
use crate::v1::payloads::{self, MM_ID, MM_KE, MM_SA};
use crate::v1::phase1::{self, Exchanged, Frame, Nat, Suite, Vendor};
use crate::v1::protect;

/// Message 1 is out.
#[derive(Debug)]
pub(crate) struct SaSent {
    policies: Vec<Phase1Policy>,
    offer: Vec<OfferedTransform>,
    /// SAi_b: our SA payload as it went out.
    sai_b: Vec<u8>,
}

/// Starts a main mode: `HDR, SA, VID … -->`
pub(crate) fn start(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
) -> Result<(MainMode, Bytes), DropReason> {
    let policies = ctx.config.policies_for(frame.peer);
    let offer = policy::phase1_offer(&policies);
    let header = protect::header(&frame.cookies, ExchangeType::IDENTITY_PROTECTION, 0);
    let mut sai_b = Vec::new();
    let message = protect::clear(&header, |writer| {
        let sa = write_offer(writer, &offer)?;
        sai_b.extend_from_slice(writer.body(sa));
        let announced = nat_t::Version::USUAL
            .into_iter()
            .filter(|version| phase1::ours(frame.peer).contains(*version));
        phase1::write_vendor_ids(writer, announced)
    })?;
    protect::note_clear(ctx, frame, Step::MmI1, IkeState::Ready, &message);
    Ok((
        MainMode::SaSent(SaSent {
            policies,
            offer,
            sai_b,
        }),
        message,
    ))
}

fn write_offer(
    writer: &mut Writer<'_>,
    offer: &[OfferedTransform],
) -> Result<isakmp_wire::Written, BuildError> {
    // RFC 2409 §5: one proposal with one transform for each offer.
    writer.sa(Situation::IDENTITY_ONLY, |sa| {
        sa.proposal(1, ProtocolId::ISAKMP, &[], |proposal| {
            for t in offer {
                proposal.transform(t.number, t.id, |attributes| t.write(attributes))?;
            }
            Ok(())
        })?;
        Ok(())
    })
}

impl SaSent {
    /// `<-- HDR, SA, VID …`, answered with `HDR, KE, Ni, NAT-D, NAT-D -->`
    pub(super) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        let (suite, vendor) = match self.check(ctx, frame, message) {
            Ok(checked) => checked,
            Err(reason) => return Err(Box::new((self, reason))),
        };
        let Ok(dh) = suite.group.start(ctx.rng) else {
            return Ok(Progress::Fail(CloseReason::Crypto));
        };
        let ni_b = phase1::nonce(ctx);
        let version = vendor.nat_t_version(frame.peer);
        let header = protect::header(&frame.cookies, ExchangeType::IDENTITY_PROTECTION, 0);
        let message = protect::clear(&header, |writer| {
            phase1::write_ke(writer, frame, &suite, version, dh.public(), &ni_b)
        });
        match message {
            Ok(message) => {
                protect::note_clear(ctx, frame, Step::MmI2, IkeState::InitiatorMm2, &message);
                let next = MainMode::KeSent(KeSent {
                    suite,
                    vendor,
                    sai_b: self.sai_b,
                    ni_b,
                    dh,
                });
                Ok(Progress::Send {
                    next,
                    message,
                    path: None,
                })
            }
            Err(_) => Ok(Progress::Fail(CloseReason::Crypto)),
        }
    }

    fn check(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<(Suite, Vendor), DropReason> {
        let Body::Clear(chain) = message.body else {
            return Err(DropReason::NoKeyYet);
        };
        protect::note_received(
            ctx,
            frame,
            (Step::MmR1, IkeState::InitiatorMm1),
            message,
            &chain,
        );
        let mut vendor = Vendor::default();
        vendor.dialect.learn_from(&chain);
        let payloads = payloads::sort(chain, &MM_SA, vendor.dialect, &ctx.config.wire)?;
        let answer = policy::read_phase1(payloads.sa()?)
            .map_err(|_| DropReason::BadPayload(PayloadType::SA.into()))?;
        let choice =
            policy::check_phase1_answer(&self.policies, &self.offer, &answer, &mut |what| {
                ctx.note(Some(frame.ike), what);
            })
            .map_err(|_| DropReason::NotOffered)?;
        let suite = Suite::new(ctx.provider, choice.policy, choice.lifetime)?;
        vendor.learn(&payloads.vendor_ids);
        phase1::report_vendor_ids(ctx, frame.ike, &payloads.vendor_ids);
        ctx.note(
            Some(frame.ike),
            What::Phase1Suite(Phase1Summary {
                policy: choice.policy,
                offered: choice.offered,
                lifetime: choice.lifetime,
            }),
        );
        Ok((suite, vendor))
    }
}

/// Message 3 is out.
#[derive(Debug)]
pub(crate) struct KeSent {
    suite: Suite,
    vendor: Vendor,
    sai_b: Vec<u8>,
    ni_b: Vec<u8>,
    dh: Box<dyn ActiveKeyExchange>,
}

impl KeSent {
    /// `<-- HDR, KE, Nr, NAT-D, NAT-D`, answered with `HDR*, IDii, HASH_I -->` once there is a key.
    pub(super) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        let Answer {
            g_xr,
            nr_b,
            nat,
            vendor,
        } = match self.check(ctx, frame, message) {
            Ok(answer) => answer,
            Err(reason) => return Err(Box::new((self, reason))),
        };
        let Self {
            suite,
            sai_b,
            ni_b,
            dh,
            ..
        } = self;
        let wanted = KeyWanted {
            suite,
            vendor,
            nat,
            sai_b,
            ni_b,
            dh,
            g_xr,
            nr_b,
        };
        Ok(
            match phase1::configured_psk(ctx, frame, frame.path.remote.ip()) {
                Some(psk) => wanted.answer(ctx, frame, &psk),
                None => Progress::Ask {
                    next: MainMode::KeyWanted(wanted),
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
    ) -> Result<Answer, DropReason> {
        let Body::Clear(chain) = message.body else {
            return Err(DropReason::NoKeyYet);
        };
        protect::note_received(
            ctx,
            frame,
            (Step::MmR2, IkeState::InitiatorMm3),
            message,
            &chain,
        );
        let mut vendor = self.vendor;
        vendor.dialect.learn_from(&chain);
        let payloads = payloads::sort(chain, &MM_KE, vendor.dialect, &ctx.config.wire)?;
        let g_xr = payloads.ke()?;
        self.suite
            .group
            .check_responder(g_xr)
            .map_err(|_| DropReason::BadKeyExchange)?;
        // A peer that sends our own values back proves nothing.
        if g_xr == self.dh.public() || payloads.nonce == self.ni_b {
            return Err(DropReason::Reflected);
        }
        // Routers announce DPD here: vendor IDs are welcome in any early message.
        vendor.learn(&payloads.vendor_ids);
        let version = self.vendor.nat_t_version(frame.peer);
        let nat = phase1::detect_nat(ctx, frame, &self.suite, version, &payloads.nat_d)?;
        phase1::report_vendor_ids(ctx, frame.ike, &payloads.vendor_ids);
        Ok(Answer {
            g_xr: g_xr.to_vec(),
            nr_b: payloads.nonce.to_vec(),
            nat,
            vendor,
        })
    }
}

/// What message 4 has brought.
struct Answer {
    g_xr: Vec<u8>,
    nr_b: Vec<u8>,
    nat: Nat,
    vendor: Vendor,
}

/// Message 4 is in, the key is asked for.
#[derive(Debug)]
pub(crate) struct KeyWanted {
    suite: Suite,
    vendor: Vendor,
    nat: Nat,
    sai_b: Vec<u8>,
    ni_b: Vec<u8>,
    dh: Box<dyn ActiveKeyExchange>,
    g_xr: Vec<u8>,
    nr_b: Vec<u8>,
}

impl KeyWanted {
    /// `HDR*, IDii, HASH_I [, N(INITIAL-CONTACT)] -->`
    pub(super) fn answer(self, ctx: &mut Context<'_>, frame: &Frame<'_>, psk: &Secret) -> Progress {
        self.send_id(ctx, frame, psk)
            .unwrap_or(Progress::Fail(CloseReason::Crypto))
    }

    fn send_id(self, ctx: &mut Context<'_>, frame: &Frame<'_>, psk: &Secret) -> Option<Progress> {
        let g_xi = self.dh.public().to_vec();
        let g_xy = self.dh.finish(&self.g_xr).ok()?;
        let sent = Exchanged {
            g_xi: &g_xi,
            g_xr: &self.g_xr,
            ni_b: &self.ni_b,
            nr_b: &self.nr_b,
        };
        let material = phase1::derive(ctx, frame, &self.suite, psk, &g_xy, sent).ok()?;
        let id = phase1::own_id(ctx, frame, self.nat);
        let transcript = phase1::transcript(frame, &self.sai_b, &g_xi, &self.g_xr);
        let hash_i = material.keys.hash_i(&transcript, &id);
        let contact = frame.peer.initial_contact && !ctx.knows_peer(frame.index, None);
        let plain = protect::plain(|writer| {
            writer.payload(PayloadType::IDENTIFICATION, &id)?;
            writer.payload(PayloadType::HASH, hash_i.as_ref())?;
            if contact {
                phase1::write_initial_contact(writer, &frame.cookies)?;
            }
            Ok(())
        })
        .ok()?;
        let header = protect::header(&frame.cookies, ExchangeType::IDENTITY_PROTECTION, 0);
        let path = phase1::floated(ctx, frame, self.nat);
        let plain = plain.noted(
            ctx,
            &Frame { path, ..*frame },
            Step::MmI3,
            IkeState::InitiatorMm4,
            0,
        );
        let (message, iv) = protect::seal(&material.cipher, &material.iv, &header, plain).ok()?;
        let next = MainMode::IdSent(IdSent {
            suite: self.suite,
            vendor: self.vendor,
            nat: self.nat,
            keys: material.keys,
            cipher: material.cipher,
            iv,
            sai_b: self.sai_b,
            g_xi,
            g_xr: self.g_xr,
        });
        Some(Progress::Send {
            next,
            message,
            path: Some(path),
        })
    }
}

/// Message 5 is out.
#[derive(Debug)]
pub(crate) struct IdSent {
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

impl IdSent {
    /// `<-- HDR*, IDir, HASH_R`
    pub(super) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        match self.check(ctx, frame, message) {
            Ok((last_block, remote_id, initial_contact)) => {
                let agreed = Box::new(Agreed {
                    suite: self.suite,
                    vendor: self.vendor,
                    nat: self.nat,
                    keys: self.keys,
                    cipher: self.cipher,
                    last_block,
                    remote_id,
                    initial_contact,
                });
                Ok(Progress::Done {
                    agreed,
                    message: None,
                    path: None,
                })
            }
            Err(reason) => Err(Box::new((self, reason))),
        }
    }

    fn check(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<(Iv, crate::config::Identity, bool), DropReason> {
        let (plain, last_block) = protect::open(&self.cipher, &self.iv, message)?;
        let chain = protect::chain(message, &plain, &ctx.config.wire)?;
        protect::note_received(
            ctx,
            frame,
            (Step::MmR3, IkeState::InitiatorMm5),
            message,
            &chain,
        );
        let payloads = payloads::sort(chain, &MM_ID, self.vendor.dialect, &ctx.config.wire)?;
        let id = payloads.id()?;
        let transcript = phase1::transcript(frame, &self.sai_b, &self.g_xi, &self.g_xr);
        let verified = protect::verify(&self.keys.hash_r(&transcript, id.body), payloads.hash);
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
        Ok((last_block, remote_id, super::initial_contact(&payloads)))
    }
}
