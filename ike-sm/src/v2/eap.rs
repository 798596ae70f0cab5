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

pub use client::{Client, ClientStep};
pub use server::{Server, ServerStep};

/// Requests that either side takes part in before it gives up. RFC 7296 §2.16 wants at least ten
/// IKE_AUTH exchanges to be possible.
pub const MAX_ROUNDS: u8 = 20;

/// Longest identity (RFC 3748 §5.1: no more than 1020 octets can be assumed to work).
pub const MAX_IDENTITY: usize = 1020;

/// EAP Type of a request or response (RFC 3748 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EapType(pub u8);

impl EapType {
    /// Identity.
    pub const IDENTITY: Self = Self(1);
    /// Notification.
    pub const NOTIFICATION: Self = Self(2);
    /// Legacy Nak, in responses only.
    pub const NAK: Self = Self(3);
    /// EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2).
    pub const MSCHAPV2: Self = Self(26);
}

impl core::fmt::Display for EapType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name = match self.0 {
            4 => "MD5-Challenge",
            5 => "OTP",
            6 => "GTC",
            13 => "EAP-TLS",
            18 => "EAP-SIM",
            21 => "EAP-TTLS",
            23 => "EAP-AKA",
            25 => "PEAP",
            26 => "EAP-MSCHAPv2",
            43 => "EAP-FAST",
            50 => "EAP-AKA'",
            52 => "EAP-pwd",
            other => return write!(f, "EAP type {other}"),
        };
        f.write_str(name)
    }
}

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

/// Why an EAP authentication ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EapError {
    /// EAP-Success before the method has finished: whoever sends it wants to be let off
    /// (CVE-2021-45079).
    #[error("EAP-Success before the method has finished")]
    PrematureSuccess,
    /// The other side ended it with EAP-Failure.
    #[error("the other side sent EAP-Failure")]
    Failure,
    /// A message that does not belong here: wrong code, identifier, type or step.
    #[error("an EAP message that was not expected")]
    Unexpected,
    /// Contents that make no sense.
    #[error("an EAP message with contents that make no sense")]
    Malformed,
    /// The client refused the method with a Nak, and names the one that it wants; 0 is none.
    #[error("the client does not take EAP-MSCHAPv2, it wants {0}")]
    Nak(EapType),
    /// The server wants this method, which is not known here, and none that we have.
    #[error("the server wants {0}, which is not known here; we have EAP-MSCHAPv2")]
    NoMethod(EapType),
    /// The client did not know the password.
    #[error("wrong user name or password")]
    WrongPassword,
    /// The server did not know the password: its authenticator response is wrong (RFC 2759 §5).
    #[error("the server does not know the password")]
    WrongServer,
    /// The server refused the client, with this error code of RFC 2759 §6.
    #[error("the server refused the authentication with error {0}")]
    Refused(u32),
    /// [`MAX_ROUNDS`] are over.
    #[error("too many rounds of EAP")]
    TooManyRounds,
    /// The provider has no MS-CHAPv2 or no SHA-1.
    #[error("the provider lacks what the method needs")]
    Crypto,
}

#[cfg(test)]
mod tests;
