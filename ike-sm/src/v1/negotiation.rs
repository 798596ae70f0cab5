//! A phase 1 under way, in either mode.
//!
//! Each state is a type of its own; a message either consumes it and gives the next one, or gives
//! it back unchanged with the reason. No state outlives its message, and no key material its state.

use alloc::boxed::Box;

use bytes::Bytes;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v1::Message;

use crate::config::Phase1Mode;
use crate::context::Context;
use crate::event::{Answer, PskFound, PskStage, Question, QuestionKind, What};
use crate::model::{CloseReason, DropReason, Identity, IkeState, Path};
use crate::v1::agreed::Agreed;
use crate::v1::phase1::Frame;
use crate::v1::{aggressive, main_mode};

/// A phase 1 under way.
#[derive(Debug)]
pub(crate) enum Negotiation {
    /// Main mode, initiator: message 1 is out.
    SaSent(main_mode::SaSent),
    /// Message 2 is in, our key pair is being drawn.
    PairWanted(main_mode::PairWanted),
    /// Message 3 is out.
    KeSent(main_mode::KeSent),
    /// Message 4 is in, the key is asked for.
    KeyWanted(main_mode::KeyWanted),
    /// Message 4 is in, the shared secret is being computed.
    SecretWanted(main_mode::SecretWanted),
    /// Message 4 is in, our signature is asked for.
    IdWanted(main_mode::IdWanted),
    /// Message 5 is out.
    IdSent(main_mode::IdSent),
    /// Message 6 is in, and whether its certificates hold is asked.
    IdShown(main_mode::IdShown),
    /// Main mode, responder: message 1 is in; whether there is a key is asked.
    FirstAsked(main_mode::FirstAsked),
    /// Message 2 is out.
    SaAnswered(main_mode::SaAnswered),
    /// Message 3 is in, the key is asked for.
    KeyAsked(main_mode::KeyAsked),
    /// Message 3 is in, our half of the key exchange is being computed.
    KeyFound(main_mode::KeyFound),
    /// Message 4 is out.
    KeAnswered(main_mode::KeAnswered),
    /// Message 5 is in, and whether its certificates hold is asked.
    PeerShown(main_mode::PeerShown),
    /// The peer is proven, our signature is asked for.
    IdOwed(main_mode::IdOwed),
    /// Aggressive mode, initiator: the key is asked for before anything is sent.
    AmKeyWanted(aggressive::KeyWanted),
    /// Our key pair is being drawn.
    AmPairWanted(aggressive::PairWanted),
    /// Message 1 is out.
    AmSent(aggressive::Sent),
    /// Message 2 is in, the shared secret is being computed.
    AmSecretWanted(aggressive::SecretWanted),
    /// Aggressive mode, responder: message 1 is in, the key is asked for.
    AmKeyAsked(aggressive::KeyAsked),
    /// Our half of the key exchange is being computed.
    AmKeyFound(aggressive::KeyFound),
    /// Message 2 is out.
    AmAnswered(aggressive::Answered),
}

/// What a message or an answer has led to.
pub(crate) enum Progress {
    /// The next message goes out; for an initiator it is repeated until it is answered.
    Send {
        next: Negotiation,
        message: Bytes,
        /// Where to send it, and everything after it, if that changes.
        path: Option<Path>,
    },
    /// It goes on with an answer of the embedder.
    Ask {
        next: Negotiation,
        question: Box<Question>,
    },
    /// Phase 1 is done.
    Done(Done),
    /// It cannot go on, through no fault of the message.
    Fail(CloseReason),
}

/// The end of phase 1.
pub(crate) struct Done {
    pub(crate) agreed: Box<Agreed>,
    /// The last message, where it is ours to send.
    pub(crate) message: Option<Bytes>,
    /// Where to send it, and everything after it, if that changes.
    pub(crate) path: Option<Path>,
    /// The peer says that it has no older SAs with us.
    pub(crate) initial_contact: bool,
    /// We have none with the peer and could not say so yet.
    pub(crate) owes_contact: bool,
}

/// A refused message and the state that it left as it was.
pub(crate) type Refused<S> = Box<(S, DropReason)>;

impl Negotiation {
    /// The field's name of the state.
    pub(crate) const fn state(&self) -> IkeState {
        match self {
            Self::SaSent(_) => IkeState::InitiatorMm1,
            Self::PairWanted(_) => IkeState::InitiatorMm2,
            Self::KeSent(_) => IkeState::InitiatorMm3,
            Self::KeyWanted(_) | Self::SecretWanted(_) => IkeState::InitiatorMm4,
            Self::IdWanted(_) => IkeState::InitiatorMm4,
            Self::IdSent(_) => IkeState::InitiatorMm5,
            Self::IdShown(_) => IkeState::InitiatorMm6,
            Self::FirstAsked(_) => IkeState::ResponderMm1,
            Self::SaAnswered(_) => IkeState::ResponderMm2,
            Self::KeyAsked(_) | Self::KeyFound(_) => IkeState::ResponderMm3,
            Self::KeAnswered(_) => IkeState::ResponderMm4,
            Self::PeerShown(_) | Self::IdOwed(_) => IkeState::ResponderMm5,
            Self::AmKeyWanted(_) | Self::AmPairWanted(_) => IkeState::Ready,
            Self::AmSent(_) => IkeState::InitiatorAm1,
            Self::AmSecretWanted(_) => IkeState::InitiatorAm2,
            Self::AmKeyAsked(_) | Self::AmKeyFound(_) => IkeState::ResponderAm1,
            Self::AmAnswered(_) => IkeState::ResponderAm2,
        }
    }

    /// The state that the next message of the peer leads to while it is worked on.
    pub(crate) const fn arriving(&self) -> Option<IkeState> {
        Some(match self {
            Self::SaSent(_) => IkeState::InitiatorMm2,
            Self::KeSent(_) => IkeState::InitiatorMm4,
            Self::IdSent(_) => IkeState::InitiatorMm6,
            Self::SaAnswered(_) => IkeState::ResponderMm3,
            Self::KeAnswered(_) => IkeState::ResponderMm5,
            Self::AmSent(_) => IkeState::InitiatorAm2,
            _ => return None,
        })
    }

    /// The mode that it runs in.
    pub(crate) const fn mode(&self) -> Phase1Mode {
        match self {
            Self::AmKeyWanted(_)
            | Self::AmPairWanted(_)
            | Self::AmSent(_)
            | Self::AmSecretWanted(_)
            | Self::AmKeyAsked(_)
            | Self::AmKeyFound(_)
            | Self::AmAnswered(_) => Phase1Mode::AggressiveExposingPskHash,
            _ => Phase1Mode::Main,
        }
    }

    /// Whether a responder has seen that its answers arrive.
    pub(crate) const fn address_proved(&self) -> bool {
        !matches!(
            self,
            Self::FirstAsked(_)
                | Self::SaAnswered(_)
                | Self::AmKeyAsked(_)
                | Self::AmKeyFound(_)
                | Self::AmAnswered(_)
        )
    }

    /// Whether our proof is out and the peer's is missing, and whether it is a pre-shared key's: silence
    /// has few causes then.
    pub(crate) fn awaits_proof(&self) -> Option<bool> {
        match self {
            Self::IdSent(sent) => Some(sent.is_shared()),
            _ => None,
        }
    }

    /// Whether a peer that proves itself next may do so from another address or port, and moves
    /// the SA there (RFC 3947 §4).
    pub(crate) const fn may_move(&self, encrypted: bool) -> bool {
        match self {
            Self::KeAnswered(_) => encrypted,
            // Message 3 of aggressive mode may be in the clear (RFC 2409 §5).
            Self::AmAnswered(_) => true,
            _ => false,
        }
    }

    /// Takes in a message of the peer. Once it says who it is, `frame` is made that peer's own.
    pub(crate) fn receive<'c>(
        self,
        ctx: &mut Context<'c>,
        frame: &mut Frame<'c>,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        fn back<S>(
            wrap: impl FnOnce(S) -> Negotiation,
        ) -> impl FnOnce(Refused<S>) -> Refused<Negotiation> {
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
            Self::AmSent(s) => s.receive(ctx, frame, message).map_err(back(Self::AmSent)),
            Self::AmAnswered(s) => s
                .receive(ctx, frame, message)
                .map_err(back(Self::AmAnswered)),
            waiting @ (Self::KeyWanted(_)
            | Self::PairWanted(_)
            | Self::AmPairWanted(_)
            | Self::SecretWanted(_)
            | Self::AmSecretWanted(_)
            | Self::IdWanted(_)
            | Self::IdShown(_)
            | Self::FirstAsked(_)
            | Self::KeyAsked(_)
            | Self::KeyFound(_)
            | Self::PeerShown(_)
            | Self::IdOwed(_)
            | Self::AmKeyWanted(_)
            | Self::AmKeyAsked(_)
            | Self::AmKeyFound(_)) => Err(Box::new((waiting, DropReason::UnexpectedMessage))),
        }
    }

    /// Which answer it waits for.
    pub(crate) const fn asks_for(&self) -> Option<QuestionKind> {
        Some(match self {
            Self::KeyWanted(_)
            | Self::FirstAsked(_)
            | Self::KeyAsked(_)
            | Self::AmKeyWanted(_)
            | Self::AmKeyAsked(_) => QuestionKind::Psk,
            Self::IdWanted(_) | Self::IdOwed(_) => QuestionKind::Sign,
            Self::IdShown(_) | Self::PeerShown(_) => QuestionKind::Certificate,
            Self::KeyFound(_)
            | Self::AmKeyFound(_)
            | Self::PairWanted(_)
            | Self::AmPairWanted(_)
            | Self::SecretWanted(_)
            | Self::AmSecretWanted(_) => QuestionKind::KeyExchange,
            _ => return None,
        })
    }

    /// Takes in the answer to a question, which is of the kind that it waits for.
    pub(crate) fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        answer: Answer,
    ) -> Result<Progress, Refused<Self>> {
        let psk = match answer {
            Answer::Psk(Some(psk)) => psk,
            Answer::Psk(None) => {
                let lookup = What::PskLookup {
                    peer: frame.path.remote.ip(),
                    found: PskFound::No,
                };
                ctx.note(Some(frame.ike), lookup);
                return Ok(Progress::Fail(CloseReason::NoPsk));
            }
            Answer::KeyExchange(done) => {
                return Ok(match self {
                    Self::KeyFound(s) => s.exchanged(ctx, frame, done),
                    Self::AmKeyFound(s) => s.exchanged(ctx, frame, done),
                    Self::PairWanted(s) => s.drawn(ctx, frame, Some(done)),
                    Self::AmPairWanted(s) => s.drawn(ctx, frame, Some(done)),
                    Self::SecretWanted(s) => s.agreed(ctx, frame, Some(done)),
                    Self::AmSecretWanted(s) => s.agreed(ctx, frame, Some(done)),
                    other => return Err(Box::new((other, DropReason::WrongState))),
                });
            }
            answer => {
                return Ok(match self {
                    Self::IdWanted(s) => s.answer(ctx, frame, answer),
                    Self::IdShown(s) => s.answer(ctx, frame, answer),
                    Self::PeerShown(s) => s.answer(ctx, frame, answer),
                    Self::IdOwed(s) => s.answer(ctx, frame, answer),
                    other => return Err(Box::new((other, DropReason::WrongState))),
                });
            }
        };
        Ok(match self {
            Self::KeyWanted(s) => s.found(ctx, frame, Some(psk)),
            Self::FirstAsked(s) => s.answer(),
            Self::KeyAsked(s) => s.answer(ctx, frame, Some(psk)),
            Self::AmKeyWanted(s) => s.answer(ctx, frame, psk),
            Self::AmKeyAsked(s) => s.answer(ctx, frame, psk),
            other => return Err(Box::new((other, DropReason::WrongState))),
        })
    }
}

/// Asks for a pre-shared key that the configuration does not have.
pub(crate) fn ask_psk(
    frame: &Frame<'_>,
    next: Negotiation,
    stage: PskStage,
    identity: Option<Identity>,
) -> Progress {
    Progress::Ask {
        next,
        question: Box::new(Question::Psk {
            peer: frame.peer.name.clone(),
            remote: frame.path.remote.ip(),
            identity,
            stage,
        }),
    }
}

/// The exchange type of a mode (RFC 2408 §3.1).
pub(crate) const fn exchange(mode: Phase1Mode) -> ExchangeType {
    match mode {
        Phase1Mode::Main => ExchangeType::IDENTITY_PROTECTION,
        Phase1Mode::AggressiveExposingPskHash => ExchangeType::AGGRESSIVE,
    }
}
