//! EAP within IKE_AUTH (RFC 7296 §2.16, RFC 3748): pure state machines, an EAP message in, an EAP
//! message out.
//!
//! [`Client`] is the peer of RFC 3748, our initiator; [`Server`] the authenticator with its method,
//! our responder. Both know the identity round and EAP-MSCHAPv2; another method is passed through to
//! a server of the embedder and never comes here. The number of rounds is bounded on both sides.

mod client;
pub mod mschapv2;
mod server;

use alloc::vec::Vec;

pub use crate::model::{EapError, EapType};
pub use client::{Client, ClientStep};
pub use server::{Server, ServerStep};

/// Requests that either side takes part in before it gives up. RFC 7296 §2.16 wants at least ten
/// IKE_AUTH exchanges to be possible.
pub const MAX_ROUNDS: u8 = 20;

/// Longest identity (RFC 3748 §5.1: no more than 1020 octets can be assumed to work).
pub const MAX_IDENTITY: usize = 1020;

/// Codes that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Request = 1,
    Response = 2,
    Success = 3,
    Failure = 4,
}

/// An EAP message: code, identifier, length, and for a request or response its type and data.
fn message(code: Code, identifier: u8, body: Option<(EapType, &[u8])>) -> Vec<u8> {
    let head = if body.is_some() { 5 } else { 4_usize };
    let data = body.map_or(&[][..], |(_, data)| data);
    // Longer than any data that is written here can be.
    let length = u16::try_from(head.saturating_add(data.len())).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let mut out = alloc::vec![code as u8, identifier, high, low];
    out.extend(body.map(|(eap_type, _)| eap_type.0));
    out.extend_from_slice(data);
    out
}

/// EAP-Failure to the request or response with this identifier.
#[must_use]
pub fn failure(identifier: u8) -> Vec<u8> {
    message(Code::Failure, identifier, None)
}

#[cfg(test)]
mod tests;
