//! What a peer is told of an error: one notification, or nothing (RFC 7296 §2.21, §3.10.1).

use alloc::vec::Vec;

use isakmp_wire::Limits;
use isakmp_wire::registry::{ExchangeType, ProtocolId};
use isakmp_wire::v2::{Message, NotifyType};

use super::payloads::Payloads;
use super::protect::Inner;
use crate::alg::v2 as alg;
use crate::model::DropReason;

/// A notification of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) notify: NotifyType,
    pub(crate) data: Vec<u8>,
}

impl From<NotifyType> for Told {
    fn from(notify: NotifyType) -> Self {
        Self {
            notify,
            data: Vec::new(),
        }
    }
}

/// What the sender of a request that led to this is told; `None` for silence. Only requests get an
/// answer, and only those whose sender is known: in IKE_SA_INIT the address that it came from, later
/// the holder of the keys.
pub(crate) fn told(reason: &DropReason) -> Option<Told> {
    let (notify, data) = match reason {
        DropReason::UnsupportedCritical(payload) => (
            NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD,
            alloc::vec![payload.0],
        ),
        DropReason::WrongGroup(wanted) => {
            // RFC 7296 §1.2: the acceptable group, two octets.
            let number = alg::group_to_wire(*wanted)?;
            (
                NotifyType::INVALID_KE_PAYLOAD,
                number.0.to_be_bytes().to_vec(),
            )
        }
        other => (simple(other)?, Vec::new()),
    };
    Some(Told { notify, data })
}

/// What answers a request of a peer that is known, and leads to this: something always does. RFC 7296
/// §2.1: "every request requires a response".
pub(crate) fn refusal(exchange: ExchangeType, reason: &DropReason) -> Inner {
    let told = told(reason).unwrap_or_else(|| {
        Told::from(match exchange {
            // RFC 7296 §2.21.2: one error for every way in which authentication can fail.
            ExchangeType::IKE_AUTH | ExchangeType::IKE_INTERMEDIATE => {
                NotifyType::AUTHENTICATION_FAILED
            }
            // The fault is ours, and may pass.
            _ => NotifyType::TEMPORARY_FAILURE,
        })
    });
    let inner = Inner::build(|w| match reason {
        // RFC 7296 §2.25: with the SPI that the request named.
        DropReason::ChildNotFound(spi) => w
            .notify_child(ProtocolId::ESP, *spi, told.notify, &told.data)
            .map(drop),
        _ => w.notify(told.notify, &told.data).map(drop),
    });
    inner.unwrap_or_else(|_| Inner::empty())
}

const fn simple(reason: &DropReason) -> Option<NotifyType> {
    Some(match reason {
        DropReason::Malformed(_)
        | DropReason::MissingPayload(_)
        | DropReason::UnexpectedPayload(_)
        | DropReason::MisplacedPayload(_)
        | DropReason::BadPayload(_)
        | DropReason::NonceLength(_)
        | DropReason::BadKeyExchange
        | DropReason::UnexpectedExchange(_) => NotifyType::INVALID_SYNTAX,
        DropReason::NoProposalChosen => NotifyType::NO_PROPOSAL_CHOSEN,
        // RFC 7296 §2.21.2: one error for every way in which authentication can fail.
        DropReason::AuthenticationFailed
        | DropReason::WrongIdentity
        | DropReason::NoPsk
        | DropReason::UnknownPeer => NotifyType::AUTHENTICATION_FAILED,
        DropReason::UnexpectedNat => NotifyType::UNEXPECTED_NAT_DETECTED,
        DropReason::TsUnacceptable | DropReason::SelectorsTaken => NotifyType::TS_UNACCEPTABLE,
        // RFC 7296 §1.3: a responder that will have no more Child SAs.
        DropReason::Limit(_) => NotifyType::NO_ADDITIONAL_SAS,
        DropReason::AddressRequired => NotifyType::FAILED_CP_REQUIRED,
        DropReason::NoAddress => NotifyType::INTERNAL_ADDRESS_FAILURE,
        DropReason::TemporaryFailure => NotifyType::TEMPORARY_FAILURE,
        DropReason::StateNotFound => NotifyType::STATE_NOT_FOUND,
        DropReason::ChildNotFound(_) => NotifyType::CHILD_SA_NOT_FOUND,
        _ => return None,
    })
}

/// Why an answer without protection is dropped, where it must have some.
pub(crate) fn unprotected(answer: &Message<'_>, limits: &Limits) -> DropReason {
    let payloads = Payloads::read(&answer.payloads(), limits).ok();
    let error = payloads.and_then(|p| p.error().map(|error| error.notify_type));
    error.map_or(DropReason::NotEncrypted, DropReason::UnprotectedError)
}
