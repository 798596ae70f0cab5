//! IKEv2: RFC 7296 and its extensions.

mod message;

pub use crate::registry::v2::*;

pub use message::Message;

/// A validated chain of IKEv2 payloads.
pub type PayloadChain<'a> = crate::PayloadChain<'a, PayloadType>;

/// One payload of an IKEv2 chain.
pub type Payload<'a> = crate::Payload<'a, PayloadType>;

/// Writes an IKEv2 message.
pub type Writer<'s> = crate::Writer<'s, PayloadType>;

impl crate::chain::sealed::Grammar for PayloadType {
    // RFC 7296 §3.2: the critical bit, and 7 bits to be ignored.
    const RESERVED_IS_ZERO: bool = false;
    const PADDING_ALLOWED: bool = false;

    fn ends_chain(self) -> bool {
        // RFC 7296 §3.14, RFC 7383 §2.5: the last payload; its Next Payload is of the first inside.
        matches!(self, Self::ENCRYPTED | Self::ENCRYPTED_FRAGMENT)
    }
}

impl crate::PayloadNumber for PayloadType {}
