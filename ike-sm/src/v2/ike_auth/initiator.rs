//! `HDR, SK {IDi, [IDr,] AUTH, SAi2, TSi, TSr} -->` and the answer to it.

use alloc::boxed::Box;
use core::time::Duration;

use crypto_suite::Secret;
use isakmp_wire::v2::{NotifyType, PayloadType};

use super::{
    Answers, Progress, Proved, Round, admits, expected_id, id_body, note_authenticated,
    note_identity, own_identity, psk, read_identity, write_psk_proof,
};
use crate::action::CloseReason;
use crate::children::Wanted;
use crate::context::Context;
use crate::explain::Notice;
use crate::outcome::DropReason;
use crate::policy::v2::ChildKeyExchange;
use crate::v2::child::Offered;
use crate::v2::error::told;
use crate::v2::payloads::Payloads;
use crate::v2::protect::Inner;

/// IKE_AUTH as initiator.
#[derive(Debug)]
pub(crate) struct Initiator {
    wanted: Option<Wanted>,
    offered: Option<Offered>,
    psk: Option<Secret>,
    answers: Answers,
}

impl Initiator {
    /// Begins, with the child that is to come up first.
    pub(crate) fn new(wanted: Option<Wanted>) -> Self {
        Self {
            wanted,
            offered: None,
            psk: None,
            answers: Answers::default(),
        }
    }

    /// The place of the first child in the configuration.
    pub(crate) fn negotiates(&self) -> Option<usize> {
        let offered = self.offered.as_ref().map(|o| &o.wanted);
        offered.or(self.wanted.as_ref()).map(|w| w.traffic.config)
    }

    /// Gives back what the offer has taken.
    pub(crate) fn abandon(&mut self, ctx: &mut Context<'_>) -> Option<(crate::id::ChildId, usize)> {
        let offered = self.offered.take()?;
        offered.withdraw(ctx);
        Some((offered.child, offered.wanted.traffic.config))
    }

    /// An answer has come.
    pub(crate) fn answer(&mut self, answer: crate::event::Answer) -> Result<(), DropReason> {
        self.answers.take(answer)
    }

    /// The first request.
    pub(crate) fn start(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
    ) -> Result<Progress, DropReason> {
        let frame = &round.frame;
        let psk = match psk(ctx, frame, expected_id(frame), &self.answers) {
            Ok(Some(psk)) => psk,
            Ok(None) => return Ok(Progress::Fail(CloseReason::Refused, None)),
            Err(question) => return Ok(Progress::Ask(question)),
        };
        let identity = own_identity(frame);
        note_identity(ctx, frame, true, &identity);
        let idi = id_body(&identity);
        let proof = round.psk_proof(&psk, &idi);
        self.psk = Some(psk);
        if let Some(wanted) = self.wanted.take() {
            self.offered = Some(Offered::new(ctx, frame, wanted, ChildKeyExchange::Never)?);
        }
        // RFC 7296 §2.4: only with the first SA to this identity.
        let known = ctx.knows_peer(frame.index, expected_id(frame));
        let initial_contact = frame.peer.initial_contact && !known && !round.replaces;
        let options = &frame.peer.v2;
        let inner = Inner::build(|w| {
            w.payload(PayloadType::ID_INITIATOR, &idi)?;
            if initial_contact {
                w.notify(NotifyType::INITIAL_CONTACT, &[])?;
            }
            if let Some(idr) = expected_id(frame) {
                w.payload(PayloadType::ID_RESPONDER, &id_body(idr))?;
            }
            write_psk_proof(w, &proof)?;
            if let Some(offered) = &self.offered {
                offered.write_sa(w)?;
                offered.write_ts(w)?;
            }
            if options.mobike {
                w.notify(NotifyType::MOBIKE_SUPPORTED, &[])?;
            }
            if options.window > 1 {
                let size = u32::from(options.window).to_be_bytes();
                w.notify(NotifyType::SET_WINDOW_SIZE, &size)?;
            }
            Ok(())
        });
        let inner = inner.map_err(|_| DropReason::Limit("message size"))?;
        Ok(Progress::Send(inner))
    }

    /// `<-- HDR, SK {IDr, AUTH, SAr2, TSi, TSr}`, or an error. What comes here is protected by the
    /// keys of IKE_SA_INIT: it ends the exchange, one way or the other.
    pub(crate) fn receive(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        payloads: &Payloads<'_>,
    ) -> Progress {
        match self.judge(ctx, round, payloads) {
            Ok(progress) => progress,
            Err(reason) => {
                note_authenticated(ctx, &round.frame, false);
                if matches!(reason, DropReason::AuthenticationFailed) {
                    let what = crate::explain::What::Notice(Notice::PskMayDiffer);
                    ctx.note(Some(round.frame.ike), what);
                }
                Progress::Fail(CloseReason::AuthenticationFailed, told(&reason))
            }
        }
    }

    fn judge(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        payloads: &Payloads<'_>,
    ) -> Result<Progress, DropReason> {
        let frame = &round.frame;
        let Some(id) = &payloads.id_responder else {
            let error = payloads.error().map(|n| n.notify_type.0);
            let error =
                error.ok_or(DropReason::MissingPayload(PayloadType::ID_RESPONDER.into()))?;
            return Ok(Progress::Fail(CloseReason::RefusedByPeer(error), None));
        };
        let remote_id = read_identity(id, PayloadType::ID_RESPONDER)?;
        note_identity(ctx, frame, false, &remote_id);
        let psk = self.psk.as_ref().ok_or(DropReason::WrongState)?;
        round.check_psk(psk, id, payloads)?;
        if !admits(frame, frame.peer, &remote_id) {
            return Err(DropReason::WrongIdentity);
        }
        note_authenticated(ctx, frame, true);
        let mut proved = Proved {
            index: frame.index,
            remote_id,
            child: None,
            refused: None,
            initial_contact: payloads.has(NotifyType::INITIAL_CONTACT),
            window: payloads
                .notify(NotifyType::SET_WINDOW_SIZE)
                .and_then(|n| n.u32()),
            lifetime: payloads
                .notify(NotifyType::AUTH_LIFETIME)
                .and_then(|n| n.u32())
                .map(|seconds| Duration::from_secs(seconds.into())),
            mobike: frame.peer.v2.mobike && payloads.has(NotifyType::MOBIKE_SUPPORTED),
        };
        let Some(offered) = self.offered.take() else {
            return Ok(Progress::Done(Box::new(proved), None));
        };
        // RFC 7296 §2.21.2: without its child the IKE SA stands all the same.
        match offered.check(ctx, frame, payloads, None) {
            Ok(settled) => proved.child = Some(settled),
            Err(_) => {
                offered.withdraw(ctx);
                let error = payloads.error().map(|n| n.notify_type.0);
                let reason = error.map_or(CloseReason::Refused, CloseReason::RefusedByPeer);
                proved.refused = Some((offered.child, offered.wanted.traffic.config, reason));
            }
        }
        Ok(Progress::Done(Box::new(proved), None))
    }
}
