//! The initiator's side of quick mode.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crypto_suite::{ActiveKeyExchange, GroupId, KeyExchange, Secret};
use isakmp_wire::registry::{ExchangeType, ProtocolId};
use isakmp_wire::v1::{Message, NotifyType, Situation, Writer};
use isakmp_wire::{BuildError, Limits};

use super::{Parts, Progress, Quick, Refused, Secrets, Wanted};
use crate::child::ReservedSpi;
use crate::config::Lifetime;
use crate::context::Context;
use crate::event::job::{self, Computed};
use crate::event::{Answer, SelectorCheck, What};
use crate::model::{ChildId, CloseReason, DropReason, IkeState, IpsecProtocol, Step};
use crate::policy::{self, ChildOffer, Phase2Choice, Phase2Finding};
use crate::v1::agreed::Agreed;
use crate::v1::keys::Iv;
use crate::v1::payloads::{self, Payloads, QM_SA};
use crate::v1::phase1::{self, Frame};
use crate::v1::protect;

/// An SPI is asked for.
#[derive(Debug)]
pub(crate) struct SpiWanted {
    pub(super) child: ChildId,
    pub(super) wanted: Wanted,
}

/// Starts a quick mode.
pub(crate) fn start(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    agreed: &Agreed,
    message_id: u32,
    wanted: Wanted,
) -> Result<Progress, DropReason> {
    let child = ChildId(ctx.world.handles.next());
    let config = super::child_config(ctx, frame, wanted.config)?;
    let sides = [&wanted.local.into(), &wanted.remote.into()];
    let claim = super::claim(frame, agreed, wanted.config, sides);
    if crate::child::refuse_overlap(ctx, &claim).is_err() {
        return Ok(Progress::Fail {
            child,
            config: wanted.config,
            reason: CloseReason::Refused,
        });
    }
    if ctx.config.ask_spis {
        let protocol = config.suites.first().map(|s| s.protocol());
        let protocol = protocol.ok_or(DropReason::NoSuchObject)?;
        let question = super::spi_question(ctx, frame, wanted.config, child, protocol, None);
        let next = Quick::SpiWanted(SpiWanted { child, wanted });
        return Ok(Progress::Ask { next, question });
    }
    let spi_in = ctx.inbound_spi()?;
    let wanted = PairWanted {
        child,
        wanted,
        spi_in,
    };
    wanted.find(ctx, frame, agreed, message_id)
}

impl SpiWanted {
    /// The SPI has come.
    pub(super) fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        message_id: u32,
        answer: Answer,
    ) -> Result<Progress, Refused<Self>> {
        let (child, config) = (self.child, self.wanted.config);
        let spi = match answer {
            Answer::Spi(Some(spi)) => spi,
            Answer::Spi(None) => {
                return Ok(Progress::Fail {
                    child,
                    config,
                    reason: CloseReason::Refused,
                });
            }
            _ => return Err(Box::new((self, DropReason::WrongAnswer))),
        };
        let spi = match ctx.world.children.take_spi(spi) {
            Ok(spi) => spi,
            Err(reason) => return Err(Box::new((self, reason))),
        };
        let wanted = PairWanted {
            child,
            wanted: self.wanted,
            spi_in: spi,
        };
        let sent = wanted.find(ctx, frame, agreed, message_id);
        Ok(super::or_fail((child, config), sent))
    }
}

/// The SPI is there; our key pair is being drawn.
#[derive(Debug)]
pub(crate) struct PairWanted {
    pub(super) child: ChildId,
    pub(super) wanted: Wanted,
    spi_in: ReservedSpi,
}

impl PairWanted {
    fn find(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        message_id: u32,
    ) -> Result<Progress, DropReason> {
        let (_, group) = self.group(ctx, frame, agreed)?;
        match group.and_then(|group| ctx.key_pair(group)) {
            Some(question) => {
                let next = Quick::PairWanted(self);
                Ok(Progress::Ask { next, question })
            }
            None => offer(ctx, frame, agreed, message_id, self, None),
        }
    }

    /// The key exchange that is offered.
    fn group(
        &self,
        ctx: &Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
    ) -> Result<(Option<GroupId>, Option<&'static dyn KeyExchange>), DropReason> {
        let config = super::child_config(ctx, frame, self.wanted.config)?;
        let permitted = super::permitted(ctx, agreed, config);
        let id = self.wanted.pfs.group(&permitted);
        let id = id.ok_or(DropReason::NoProposalChosen)?;
        Ok((id, super::group_of(ctx, id)?))
    }

    /// The key pair has come, or will not.
    pub(super) fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        message_id: u32,
        answer: Answer,
    ) -> Result<Progress, Refused<Self>> {
        let Answer::KeyExchange(done) = answer else {
            return Err(Box::new((self, DropReason::WrongAnswer)));
        };
        let whose = (self.child, self.wanted.config);
        let sent = offer(ctx, frame, agreed, message_id, self, Some(done));
        Ok(super::or_fail(whose, sent))
    }
}

/// `HDR*, HASH(1), SA, Ni [, KE ], IDci, IDcr [, NAT-OAi, NAT-OAr ] -->`
fn offer(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    agreed: &Agreed,
    message_id: u32,
    whose: PairWanted,
    computed: Computed,
) -> Result<Progress, DropReason> {
    let (id, group) = whose.group(ctx, frame, agreed)?;
    let PairWanted {
        child,
        wanted,
        spi_in,
    } = whose;
    let config = super::child_config(ctx, frame, wanted.config)?;
    let modes = super::nat_modes(&agreed.nat, &frame.path);
    let offer = policy::phase2_offer_with(config, modes, spi_in.get(), id);
    let ids = super::client_id_bodies(&wanted.local, &wanted.remote)?;
    let dh = match group {
        Some(group) => Some(job::key_pair(group, ctx.rng, computed)?),
        None => None,
    };
    let ni_b = phase1::nonce(ctx);
    let nat_oa = super::nat_oa(agreed, config.mode, frame.path, true);
    let plain = protect::hashed(
        agreed.suite.prf.output_len(),
        |rest| agreed.keys.hash_1(message_id, rest),
        |writer| {
            write_offer(writer, &offer)?;
            writer.nonce(&ni_b)?;
            if let Some(dh) = &dh {
                writer.key_exchange(dh.public())?;
            }
            for id in &ids {
                writer.payload(isakmp_wire::v1::PayloadType::IDENTIFICATION, id)?;
            }
            if let Some(oa) = &nat_oa {
                for address in oa.addresses {
                    writer.nat_oa(oa.number, address)?;
                }
            }
            Ok(())
        },
    )?;
    let iv = agreed
        .cipher
        .exchange_iv(&agreed.last_block, message_id)
        .ok_or(DropReason::Crypto)?;
    let header = protect::header(&frame.cookies, ExchangeType::QUICK_MODE, message_id);
    let plain = plain.noted(ctx, frame, Step::QmI1, IkeState::Complete, message_id);
    let (message, iv) = protect::seal(&agreed.cipher, &iv, &header, plain)?;
    let next = Quick::Sent(Sent {
        child,
        wanted,
        offer,
        spi_in,
        ni_b,
        dh,
        iv,
        message_id,
    });
    Ok(Progress::Send { next, message })
}

fn write_offer(writer: &mut Writer<'_>, offer: &[ChildOffer]) -> Result<(), BuildError> {
    writer.sa(Situation::IDENTITY_ONLY, |sa| {
        for p in offer {
            sa.proposal(p.number, ProtocolId(p.protocol), &p.spi, |proposal| {
                for t in &p.transforms {
                    proposal.transform(t.number, t.id, |attributes| t.write(attributes))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Message 1 is out.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(super) child: ChildId,
    pub(super) wanted: Wanted,
    pub(super) spi_in: ReservedSpi,
    offer: Vec<ChildOffer>,
    ni_b: Vec<u8>,
    dh: Option<Arc<dyn ActiveKeyExchange>>,
    iv: Iv,
    message_id: u32,
}

/// What message 2 has brought.
#[derive(Debug)]
pub(super) struct Accepted {
    choice: Phase2Choice,
    nr_b: Vec<u8>,
    g_xr: Option<Vec<u8>>,
    iv: Iv,
    told: Option<Lifetime>,
    original_addresses: Option<crate::model::OriginalAddresses>,
}

impl Sent {
    /// The protocol of the first proposal.
    pub(super) fn protocol(&self) -> IpsecProtocol {
        match self.offer.first().map(|o| ProtocolId(o.protocol)) {
            Some(ProtocolId::AH) => IpsecProtocol::Ah,
            _ => IpsecProtocol::Esp,
        }
    }

    /// `<-- HDR*, HASH(2), SA, Nr [, KE ], IDci, IDcr [, N(RESPONDER-LIFETIME) ]`, answered with
    /// `HDR*, HASH(3) -->`
    pub(super) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        let accepted = match self.check(ctx, frame, agreed, message) {
            Ok(accepted) => accepted,
            // HASH(2) is right: no other answer will come, and the peer holds its half.
            Err(DropReason::NotOffered) => {
                return Ok(Progress::Reject(Quick::Sent(self), CloseReason::Refused));
            }
            Err(DropReason::InvalidIdInformation) => {
                let reason = CloseReason::SelectorsChanged;
                return Ok(Progress::Reject(Quick::Sent(self), reason));
            }
            Err(reason) => return Err(Box::new((self, reason))),
        };
        let dh = self.dh.as_ref().zip(accepted.g_xr.as_deref());
        if let Some(question) = dh.and_then(|(dh, g_xr)| ctx.agreement(dh, g_xr)) {
            let next = Quick::SecretWanted(Box::new(SecretWanted(self, accepted)));
            return Ok(Progress::Ask { next, question });
        }
        let g_xy = dh.map(|(dh, g_xr)| job::shared(&**dh, g_xr, None));
        let whose = (self.child, self.wanted.config);
        let done = g_xy
            .transpose()
            .and_then(|g_xy| self.finish(ctx, frame, agreed, accepted, g_xy.as_ref()));
        Ok(super::or_fail(whose, done))
    }

    fn check(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        message: &Message<'_>,
    ) -> Result<Accepted, DropReason> {
        let limits = &ctx.config.wire;
        let (plain, iv) = protect::open(&agreed.cipher, &self.iv, message)?;
        let chain = protect::chain(message, &plain, limits)?;
        protect::note_received(
            ctx,
            frame,
            (Step::QmR1, IkeState::Complete),
            message,
            &chain,
        );
        let payloads = payloads::sort(chain, &QM_SA, agreed.vendor.dialect, limits)?;
        let hash = agreed
            .keys
            .hash_2(self.message_id, &self.ni_b, payloads.after_hash);
        protect::verify(&hash, payloads.hash)?;
        if payloads.nonce == self.ni_b {
            return Err(DropReason::Reflected);
        }
        let config = super::child_config(ctx, frame, self.wanted.config)?;
        let answer = policy::read_phase2(payloads.sa()?);
        let context = super::phase2_context(ctx, frame, agreed);
        let listens = ctx.config.explain;
        let mut note = |found: Phase2Finding| ctx.note(Some(frame.ike), found.into());
        let choice = policy::check_phase2_answer(
            config,
            &self.offer,
            &answer,
            &context,
            listens.then_some(&mut note),
        )
        .map_err(|_| DropReason::NotOffered)?;
        // RFC 2409 §5.5: a KE payload goes with the group, and neither without the other.
        let g_xr = match (&self.dh, payloads.ke) {
            (Some(dh), Some(public)) => {
                let group = super::group_of(ctx, Some(dh.group()))?.ok_or(DropReason::Crypto)?;
                group
                    .check_responder(public)
                    .map_err(|_| DropReason::BadKeyExchange)?;
                if public == dh.public() {
                    return Err(DropReason::Reflected);
                }
                Some(public.to_vec())
            }
            (None, None) => None,
            (Some(_), None) => {
                let kind = isakmp_wire::v1::PayloadType::KEY_EXCHANGE;
                return Err(DropReason::MissingPayload(kind.into()));
            }
            (None, Some(_)) => {
                let kind = isakmp_wire::v1::PayloadType::KEY_EXCHANGE;
                return Err(DropReason::UnexpectedPayload(kind.into()));
            }
        };
        let asked = (self.wanted.local, self.wanted.remote);
        let other = super::client_ids(&payloads)?.filter(|ids| *ids != asked);
        if let Some((local, remote)) = other {
            let check = SelectorCheck {
                child: config.name.clone(),
                local: local.into(),
                remote: remote.into(),
                ok: false,
            };
            ctx.note(Some(frame.ike), What::SelectorCheck(Box::new(check)));
            return Err(DropReason::InvalidIdInformation);
        }
        Ok(Accepted {
            told: responder_lifetime(&payloads, limits),
            original_addresses: super::original_addresses(&payloads),
            nr_b: payloads.nonce.to_vec(),
            choice,
            g_xr,
            iv,
        })
    }

    fn finish(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        accepted: Accepted,
        g_xy: Option<&Secret>,
    ) -> Result<Progress, DropReason> {
        let plain = protect::plain(|writer| {
            let hash = agreed
                .keys
                .hash_3(self.message_id, &self.ni_b, &accepted.nr_b);
            writer.hash(hash.as_ref())?;
            Ok(())
        })?;
        let header = protect::header(&frame.cookies, ExchangeType::QUICK_MODE, self.message_id);
        let plain = plain.noted(ctx, frame, Step::QmI2, IkeState::Complete, self.message_id);
        let (message, _) = protect::seal(&agreed.cipher, &accepted.iv, &header, plain)?;
        let lifetime = match accepted.told {
            Some(told) => accepted.choice.lifetime.min(told),
            None => accepted.choice.lifetime,
        };
        super::install(
            ctx,
            frame,
            agreed,
            &Secrets {
                g_xy,
                ni_b: &self.ni_b,
                nr_b: &accepted.nr_b,
            },
            Parts {
                child: self.child,
                config: self.wanted.config,
                initiator: true,
                choice: &accepted.choice,
                spi_in: self.spi_in,
                local: self.wanted.local,
                remote: self.wanted.remote,
                replaces: self.wanted.replaces,
                original_addresses: accepted.original_addresses,
                lifetime,
            },
        )?;
        // The responder takes packets in since it sent message 2.
        crate::child::activate(ctx, self.child);
        Ok(Progress::Done {
            message: Some(message),
        })
    }
}

/// Message 2 is in and holds; the shared secret is being computed.
#[derive(Debug)]
pub(crate) struct SecretWanted(pub(super) Sent, Accepted);

impl SecretWanted {
    /// The shared secret has come. Without it the peer, which holds its half, is told that ours goes.
    pub(super) fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        answer: Answer,
    ) -> Result<Progress, Refused<Self>> {
        let Answer::KeyExchange(done) = answer else {
            return Err(Box::new((self, DropReason::WrongAnswer)));
        };
        let Self(sent, accepted) = self;
        let dh = sent.dh.as_deref().zip(accepted.g_xr.as_deref());
        let secret = dh.and_then(|(dh, g_xr)| job::shared(dh, g_xr, Some(done)).ok());
        let Some(g_xy) = secret else {
            return Ok(Progress::Reject(Quick::Sent(sent), CloseReason::Refused));
        };
        let whose = (sent.child, sent.wanted.config);
        let done = sent.finish(ctx, frame, agreed, accepted, Some(&g_xy));
        Ok(super::or_fail(whose, done))
    }
}

/// The lifetime that the responder tells (RFC 2407 §4.6.3.1).
fn responder_lifetime(payloads: &Payloads<'_>, limits: &Limits) -> Option<Lifetime> {
    let told = payloads
        .notifications
        .iter()
        .find(|n| n.notify_type == NotifyType::RESPONDER_LIFETIME)?;
    policy::read_lifetime(told, limits)
}
