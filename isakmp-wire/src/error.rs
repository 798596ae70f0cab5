//! What is wrong with received bytes: kind, place, field and offending value.

use thiserror::Error;

use crate::registry::{v1, v2};

/// A refusal to decode: always about the peer's bytes, never about the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} at octet {offset}: {kind} (value {value})")]
pub struct ParseError {
    /// The class of fault.
    pub kind: ErrorKind,
    /// Octet at which the field starts, counted from the start of the message (or of the bytes
    /// that were handed in, for a chain decoded on its own).
    pub offset: usize,
    /// The field, by its name in the RFC.
    pub what: &'static str,
    /// The offending value: the number read, or the octets that were there for a length fault.
    pub value: u64,
}

/// The class of fault of a [`ParseError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes end before the field does.
    #[error("truncated")]
    Truncated,
    /// A length is smaller than the fixed part it covers.
    #[error("length too small")]
    LengthTooSmall,
    /// A length is larger than the field may be, or larger than its [`crate::Limits`] allow.
    #[error("length too large")]
    LengthTooLarge,
    /// A length does not agree with the lengths and counts inside or around it.
    #[error("lengths disagree")]
    LengthMismatch,
    /// Bytes follow where nothing may follow.
    #[error("trailing bytes")]
    TrailingBytes,
    /// There are more elements than [`crate::Limits`] allow.
    #[error("too many")]
    TooMany,
    /// Fewer elements than the RFC demands.
    #[error("too few")]
    TooFew,
    /// The version is not one that this codec speaks.
    #[error("unsupported version")]
    UnsupportedVersion,
    /// A Domain of Interpretation whose situation cannot be delimited.
    #[error("unsupported DOI")]
    UnsupportedDoi,
    /// A RESERVED field that must be zero is not.
    #[error("reserved field not zero")]
    ReservedNotZero,
    /// A payload type where another one, or none, has to stand.
    #[error("unexpected payload type")]
    UnexpectedPayload,
    /// A value outside of what the RFC allows for the field.
    #[error("invalid value")]
    InvalidValue,
    /// An attribute that must be basic (TV) came as variable (TLV), or the reverse.
    #[error("wrong attribute format")]
    AttributeFormat,
    /// Two attributes of one class that contradict each other (RFC 2407 §4.5.2).
    #[error("conflicting attributes")]
    AttributeConflict,
}

impl ParseError {
    pub(crate) const fn new(
        kind: ErrorKind,
        offset: usize,
        what: &'static str,
        value: usize,
    ) -> Self {
        // `usize` is at most 64 bits on every target of Rust.
        Self {
            kind,
            offset,
            what,
            value: value as u64,
        }
    }

    /// The IKEv1 notification this fault deserves, when one is sent at all (RFC 2408 §5).
    #[must_use]
    pub const fn v1_notify(&self) -> v1::NotifyType {
        match self.kind {
            ErrorKind::UnsupportedVersion => v1::NotifyType::INVALID_MAJOR_VERSION,
            ErrorKind::UnsupportedDoi => v1::NotifyType::DOI_NOT_SUPPORTED,
            ErrorKind::UnexpectedPayload => v1::NotifyType::INVALID_PAYLOAD_TYPE,
            ErrorKind::AttributeFormat | ErrorKind::AttributeConflict => {
                v1::NotifyType::ATTRIBUTES_NOT_SUPPORTED
            }
            ErrorKind::LengthMismatch | ErrorKind::TrailingBytes => {
                v1::NotifyType::UNEQUAL_PAYLOAD_LENGTHS
            }
            _ => v1::NotifyType::PAYLOAD_MALFORMED,
        }
    }

    /// The IKEv2 notification this fault deserves, when one is sent at all (RFC 7296 §2.21).
    #[must_use]
    pub const fn v2_notify(&self) -> v2::NotifyType {
        match self.kind {
            ErrorKind::UnsupportedVersion => v2::NotifyType::INVALID_MAJOR_VERSION,
            _ => v2::NotifyType::INVALID_SYNTAX,
        }
    }
}

/// A refusal to encode: always our own side's mistake or a full buffer. What was written before
/// stays in the sink; a message that failed must not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The sink takes no more octets.
    #[error("sink is full: {needed} octets needed, {available} left")]
    SinkFull {
        /// Octets of the write that failed.
        needed: usize,
        /// Octets that were left.
        available: usize,
    },
    /// A body does not fit its length or count field.
    #[error("{what} too long: {length}, at most {maximum}")]
    TooLong {
        /// The field that would overflow.
        what: &'static str,
        /// The length or count asked for.
        length: usize,
        /// The largest one that can be written.
        maximum: usize,
    },
    /// A body that the RFC does not allow.
    #[error("{what}: {length} octets are not allowed here")]
    BadLength {
        /// The name of the field.
        what: &'static str,
        /// The length that was asked for.
        length: usize,
    },
    /// A patch outside of the message, or of another length than its placeholder.
    #[error("patch of {length} octets at {offset} does not fit its placeholder")]
    BadPatch {
        /// Octet of the message the patch was for.
        offset: usize,
        /// The length of the patch in octets.
        length: usize,
    },
    /// A payload after one that must be the last (SK, SKF, fragment).
    #[error("no payload may follow")]
    AfterLast,
}
