//! Aggressive mode with pre-shared keys (RFC 2409 §5.4), both sides.
//!
//! ```text
//! HDR, SA, KE, Ni, IDii -->
//!                       <--    HDR, SA, KE, Nr, IDir, HASH_R
//! HDR*, HASH_I          -->
//! ```
//!
//! Identities go in the clear, and HASH_R lets whoever asks for it try out keys at leisure; so it
//! runs with the peers that are configured for it and with no other. In return the responder knows
//! who asks before it needs the key, and peers without a fixed address may have keys of their own.
//!
//! RFC 2407 §4.6.3: notifications MUST NOT be sent in it. INITIAL-CONTACT follows in an exchange of
//! its own, and one that comes with message 3 is not heeded.

mod initiator;
mod responder;

use isakmp_wire::registry::ExchangeType;

use crate::v1::phase1::Frame;
use crate::v1::protect;

pub(crate) use initiator::{KeyWanted, PairWanted, SecretWanted, Sent, start};
pub(crate) use responder::{Answered, KeyAsked, KeyFound, claimed_identity, receive_first};

/// A header of an aggressive mode message of ours.
fn header(frame: &Frame<'_>) -> isakmp_wire::Header {
    protect::header(&frame.cookies, ExchangeType::AGGRESSIVE, 0)
}
