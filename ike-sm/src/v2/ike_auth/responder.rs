//! `--> HDR, SK {IDi, [IDr,] AUTH, SAi2, TSi, TSr}` and our answer.

use alloc::boxed::Box;

use isakmp_wire::v2::{NotifyType, PayloadType};

use super::{
    Answers, Progress, Proved, Round, admits, id_body, note_authenticated, note_identity,
    own_identity, psk, read_identity, write_psk_proof,
};
use crate::action::CloseReason;
use crate::config::{Config, Identity, IkeVersion};
use crate::context::Context;
use crate::event::Answer;
use crate::explain::{Notice, What};
use crate::outcome::DropReason;
use crate::policy::v2::ChildKeyExchange;
use crate::v2::child::{Granted, Settled, grant};
use crate::v2::error::told;
use crate::v2::payloads::{Payloads, required};
use crate::v2::protect::Inner;
use crate::v2::session::Frame;

/// IKE_AUTH as responder.
#[derive(Debug, Default)]
pub(crate) struct Responder {
    /// The request that is worked on, and its message ID, while a question is open.
    waiting: Option<(u32, Inner)>,
    answers: Answers,
}

impl Responder {
    /// Takes in a request.
    pub(crate) fn receive(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        message_id: u32,
        inner: Inner,
    ) -> Progress {
        let progress = self.work(ctx, round, &inner);
        if let Progress::Ask(_) = progress {
            self.waiting = Some((message_id, inner));
        }
        progress
    }

    /// Goes on with the request that waits.
    pub(crate) fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        answer: Answer,
    ) -> Result<(u32, Progress), DropReason> {
        if self.waiting.is_none() {
            return Err(DropReason::UnknownTicket);
        }
        self.answers.take(answer)?;
        let (message_id, inner) = self.waiting.take().ok_or(DropReason::UnknownTicket)?;
        Ok((message_id, self.receive(ctx, round, message_id, inner)))
    }

    /// The message ID of the request that waits.
    pub(crate) fn waits(&self) -> Option<u32> {
        self.waiting.as_ref().map(|(id, _)| *id)
    }

    fn work(&self, ctx: &mut Context<'_>, round: &Round<'_>, inner: &Inner) -> Progress {
        match self.judge(ctx, round, inner) {
            Ok(progress) => progress,
            Err(reason) => {
                note_authenticated(ctx, &round.frame, false);
                if reason == DropReason::AuthenticationFailed {
                    let what = What::Notice(Notice::PskMayDiffer);
                    ctx.note(Some(round.frame.ike), what);
                }
                Progress::Fail(CloseReason::AuthenticationFailed, told(&reason))
            }
        }
    }

    fn judge(
        &self,
        ctx: &mut Context<'_>,
        round: &Round<'_>,
        inner: &Inner,
    ) -> Result<Progress, DropReason> {
        let limits = ctx.config.wire;
        let chain = inner.payloads(&limits).map_err(DropReason::Malformed)?;
        let payloads = Payloads::read(&chain, &limits)?;
        let id = payloads.id_initiator.as_ref();
        let id = required(id, PayloadType::ID_INITIATOR)?;
        let remote_id = read_identity(id, PayloadType::ID_INITIATOR)?;
        note_identity(ctx, &round.frame, false, &remote_id);
        let wanted_id = match &payloads.id_responder {
            Some(id) => Some(read_identity(id, PayloadType::ID_RESPONDER)?),
            None => None,
        };
        let frame = select(ctx.config, &round.frame, &remote_id, wanted_id.as_ref());
        let frame = frame.ok_or(DropReason::WrongIdentity)?;
        let psk = match psk(ctx, &frame, Some(&remote_id), &self.answers) {
            Ok(psk) => psk.ok_or(DropReason::NoPsk)?,
            Err(question) => return Ok(Progress::Ask(question)),
        };
        round.check_psk(&psk, id, &payloads)?;
        note_authenticated(ctx, &frame, true);
        let identity = own_identity(&frame);
        note_identity(ctx, &frame, true, &identity);
        let idr = id_body(&identity);
        let proof = round.psk_proof(&psk, &idr);
        let mut proved = Proved {
            index: frame.index,
            remote_id,
            child: None,
            refused: None,
            initial_contact: payloads.has(NotifyType::INITIAL_CONTACT),
            window: payloads
                .notify(NotifyType::SET_WINDOW_SIZE)
                .and_then(|n| n.u32()),
            lifetime: None,
            mobike: frame.peer.v2.mobike && payloads.has(NotifyType::MOBIKE_SUPPORTED),
        };
        let child = first_child(ctx, &frame, &payloads);
        let options = &frame.peer.v2;
        let inner = Inner::build(|w| {
            w.payload(PayloadType::ID_RESPONDER, &idr)?;
            write_psk_proof(w, &proof)?;
            match &child {
                Ok(Some((granted, settled))) => {
                    granted.write_sa(w, settled.spi)?;
                    granted.write_ts(w)?;
                }
                Ok(None) => {}
                // RFC 7296 §2.21.2: without its child the IKE SA stands all the same.
                Err(reason) => {
                    if let Some(told) = told(reason) {
                        w.notify(told.notify, &told.data)?;
                    }
                }
            }
            if proved.mobike {
                w.notify(NotifyType::MOBIKE_SUPPORTED, &[])?;
            }
            if options.window > 1 {
                let size = u32::from(options.window).to_be_bytes();
                w.notify(NotifyType::SET_WINDOW_SIZE, &size)?;
            }
            if let Some(lifetime) = options.authentication_lifetime {
                let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
                w.notify(NotifyType::AUTH_LIFETIME, &seconds.to_be_bytes())?;
            }
            Ok(())
        });
        let inner = inner.map_err(|_| DropReason::Limit("message size"))?;
        proved.child = child.ok().flatten().map(|(_, settled)| settled);
        Ok(Progress::Done(Box::new(proved), Some(inner)))
    }
}

/// The peer that the initiator says it is: the one that its address belongs to, or another one
/// that may come from there with the same proposals. Peers behind changing addresses are told apart
/// by their identities alone.
fn select<'c>(
    config: &'c Config,
    frame: &Frame<'c>,
    remote_id: &Identity,
    wanted_id: Option<&Identity>,
) -> Option<Frame<'c>> {
    let remote = frame.path.remote.ip();
    let ours = |frame: &Frame<'_>| wanted_id.is_none_or(|id| *id == own_identity(frame));
    let others = config.peers.iter().enumerate();
    let others = others.filter(|(index, peer)| {
        *index != frame.index
            && peer.version == IkeVersion::V2
            && peer.covers(remote).is_some()
            && peer.v2.proposals == frame.peer.v2.proposals
    });
    let candidates: alloc::vec::Vec<Frame<'c>> = core::iter::once((frame.index, frame.peer))
        .chain(others)
        .map(|(index, peer)| Frame {
            index,
            peer,
            ..*frame
        })
        .filter(|frame| admits(frame, frame.peer, remote_id))
        .collect();
    // RFC 7296 §2.21.2 leaves the IDr of an initiator a wish: it chooses among several.
    let exact = candidates.iter().find(|frame| ours(frame));
    exact.or_else(|| candidates.first()).copied()
}

/// The first child, if the initiator wants one.
fn first_child(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    payloads: &Payloads<'_>,
) -> Result<Option<(Granted, Settled)>, DropReason> {
    if payloads.sa.is_none() && payloads.ts_initiator.is_none() && payloads.ts_responder.is_none() {
        return if frame.peer.v2.childless {
            Ok(None)
        } else {
            Err(DropReason::NoProposalChosen)
        };
    }
    let granted = grant(ctx, frame, payloads, ChildKeyExchange::Never, None, None)?;
    let settled = granted.settle(ctx, None)?;
    Ok(Some((granted, settled)))
}
