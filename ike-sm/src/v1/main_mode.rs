//! Main mode with pre-shared keys (RFC 2409 §5.4), both sides.
//!
//! ```text
//! HDR, SA          -->
//!                  <--    HDR, SA
//! HDR, KE, Ni      -->
//!                  <--    HDR, KE, Nr
//! HDR*, IDii, HASH_I -->
//!                  <--    HDR*, IDir, HASH_R
//! ```
//!
//! Each state is a type of its own; a message either consumes it and gives the next one, or gives
//! it back unchanged with the reason. No state outlives its message, and no key material its state.

mod initiator;
mod responder;

use alloc::boxed::Box;

use bytes::Bytes;
use crypto_suite::Secret;
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::v1::{Message, NotifyType};

use crate::action::{CloseReason, PskStage};
use crate::context::Context;
use crate::explain::IkeState;
use crate::outcome::DropReason;
use crate::path::Path;
use crate::v1::established::Agreed;
use crate::v1::payloads::Payloads;
use crate::v1::phase1::Frame;

pub(crate) use initiator::start;
pub(crate) use responder::receive_first;

/// A main mode under way.
#[derive(Debug)]
pub(crate) enum MainMode {
    /// Message 1 is out.
    SaSent(initiator::SaSent),
    /// Message 3 is out.
    KeSent(initiator::KeSent),
    /// Message 4 is in, the key is asked for.
    KeyWanted(initiator::KeyWanted),
    /// Message 5 is out.
    IdSent(initiator::IdSent),
    /// Message 1 is in; whether there is a key is asked.
    FirstAsked(responder::FirstAsked),
    /// Message 2 is out.
    SaAnswered(responder::SaAnswered),
    /// Message 3 is in, the key is asked for.
    KeyAsked(responder::KeyAsked),
    /// Message 4 is out.
    KeAnswered(responder::KeAnswered),
}

/// What a message or an answer has led to.
pub(crate) enum Progress {
    /// The next message goes out; for an initiator it is repeated until it is answered.
    Send {
        next: MainMode,
        message: Bytes,
        /// Where to send it, and everything after it, if that changes.
        path: Option<Path>,
    },
    /// A key is needed that the configuration does not have.
    Ask { next: MainMode, stage: PskStage },
    /// Phase 1 is done, after a last message from a responder.
    Done {
        agreed: Box<Agreed>,
        message: Option<Bytes>,
        path: Option<Path>,
    },
    /// It cannot go on, through no fault of the message.
    Fail(CloseReason),
}

/// A refused message and the state that it left as it was.
pub(crate) type Refused<S> = Box<(S, DropReason)>;

impl MainMode {
    /// The field's name of the state.
    pub(crate) const fn state(&self) -> IkeState {
        match self {
            Self::SaSent(_) => IkeState::InitiatorMm1,
            Self::KeSent(_) => IkeState::InitiatorMm3,
            Self::KeyWanted(_) => IkeState::InitiatorMm4,
            Self::IdSent(_) => IkeState::InitiatorMm5,
            Self::FirstAsked(_) => IkeState::ResponderMm1,
            Self::SaAnswered(_) => IkeState::ResponderMm2,
            Self::KeyAsked(_) => IkeState::ResponderMm3,
            Self::KeAnswered(_) => IkeState::ResponderMm4,
        }
    }

    /// Whether a responder has seen that its answers arrive.
    pub(crate) const fn address_proved(&self) -> bool {
        !matches!(self, Self::FirstAsked(_) | Self::SaAnswered(_))
    }

    /// Whether our proof is out and the peer's is missing: silence then has one usual cause.
    pub(crate) const fn awaits_proof(&self) -> bool {
        matches!(self, Self::IdSent(_))
    }

    /// Takes in a message of the peer.
    pub(crate) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        fn back<S>(
            wrap: impl FnOnce(S) -> MainMode,
        ) -> impl FnOnce(Refused<S>) -> Refused<MainMode> {
            |refused| {
                let (state, reason) = *refused;
                Box::new((wrap(state), reason))
            }
        }
        match self {
            Self::SaSent(s) => s.receive(ctx, frame, message).map_err(back(Self::SaSent)),
            Self::KeSent(s) => s.receive(ctx, frame, message).map_err(back(Self::KeSent)),
            Self::IdSent(s) => s.receive(ctx, frame, message).map_err(back(Self::IdSent)),
            Self::SaAnswered(s) => s
                .receive(ctx, frame, message)
                .map_err(back(Self::SaAnswered)),
            Self::KeAnswered(s) => s
                .receive(ctx, frame, message)
                .map_err(back(Self::KeAnswered)),
            waiting @ (Self::KeyWanted(_) | Self::FirstAsked(_) | Self::KeyAsked(_)) => {
                Err(Box::new((waiting, DropReason::UnexpectedMessage)))
            }
        }
    }

    /// Takes in the answer to a question: the key, or none.
    pub(crate) fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        psk: Option<Secret>,
    ) -> Result<Progress, Refused<Self>> {
        let Some(psk) = psk else {
            return Ok(Progress::Fail(CloseReason::Refused));
        };
        Ok(match self {
            Self::KeyWanted(s) => s.answer(ctx, frame, &psk),
            Self::FirstAsked(s) => s.answer(),
            Self::KeyAsked(s) => s.answer(ctx, frame, &psk),
            other => return Err(Box::new((other, DropReason::WrongState))),
        })
    }
}

/// Whether the last message of phase 1 says that its sender has no older SAs.
fn initial_contact(payloads: &Payloads<'_>) -> bool {
    payloads.notifications.iter().any(|n| {
        n.protocol_id == ProtocolId::ISAKMP && n.notify_type == NotifyType::INITIAL_CONTACT
    })
}
