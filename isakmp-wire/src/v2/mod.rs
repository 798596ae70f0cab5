//! IKEv2: RFC 7296 and its extensions.
//!
//! An SK payload is written with room for its IV and ICV, and sealed in place once the message is
//! finished; what arrives is opened in place and then decoded like any chain:
//!
//! ```
//! use isakmp_wire::{ExchangeType, Flags, Header, Limits, v2};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // HDR, SK {N(MOBIKE_SUPPORTED)} -->
//! let aes_gcm = v2::Protection { iv_len: 8, icv_len: 16, block_len: 1 };
//! let header = Header::v2(ExchangeType::INFORMATIONAL_V2, [1; 8], [2; 8])
//!     .flags(Flags::INITIATOR)
//!     .message_id(4);
//! let mut packet = Vec::new();
//! let mut message = v2::Writer::new(&mut packet, &header)?;
//! let sealed = message.encrypted(&aes_gcm, |inside| {
//!     inside.notify(v2::NotifyType::MOBIKE_SUPPORTED, &[])?;
//!     Ok(())
//! })?;
//! message.finish()?;
//! // A packet key now encrypts `packet` behind its first `sealed.aad_len` octets.
//!
//! let limits = Limits::default();
//! let received = v2::Message::parse(&packet, &limits)?;
//! let protected = received.protected().ok_or("not protected")?;
//! assert_eq!(protected.aad_len, sealed.aad_len);
//! // The same key opens a copy of `received.raw()`, ICV first; then, between IV and ICV:
//! let plaintext = protected.data.get(8..protected.data.len() - 16).ok_or("too short")?;
//! let chain = v2::PayloadChain::parse(protected.first, v2::unpad(plaintext)?, &limits)?;
//! assert_eq!(chain.unsupported_critical(), None);
//! for payload in chain {
//!     let v2::View::Notify(notify) = payload.view(&limits)? else { continue };
//!     assert_eq!(notify.notify_type, v2::NotifyType::MOBIKE_SUPPORTED);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Payloads of IKEv1 cannot get into such a message: their numbers are another type.
//!
//! ```compile_fail,E0308
//! # use isakmp_wire::{ExchangeType, Header, v1, v2};
//! # let mut packet = Vec::new();
//! # let header = Header::v2(ExchangeType::IKE_AUTH, [1; 8], [2; 8]);
//! # let mut message = v2::Writer::new(&mut packet, &header).unwrap();
//! message.payload(v1::PayloadType::HASH, &[0; 20]);
//! ```

mod authentication;
mod build;
mod certificate;
mod config;
mod delete;
mod eap;
mod identification;
mod key_exchange;
mod message;
mod notify;
mod notify_data;
mod protected;
mod sa;
mod traffic_selector;
mod view;

pub use crate::registry::v2::*;

pub use authentication::Authentication;
pub use build::{ConfigWriter, ProposalWriter, SaWriter};
pub use certificate::{Certificate, CertificateRequest};
pub use config::{ConfigIter, ConfigValue, Configuration};
pub use delete::Delete;
pub use eap::{Eap, EapCode};
pub use identification::{Identification, Identity};
pub use key_exchange::KeyExchange;
pub use message::Message;
pub use notify::Notify;
pub use notify_data::{Gateway, MessageIdSync};
pub use protected::{FragmentNumber, Protected, Protection, Sealed, unpad};
pub use sa::{Proposal, Proposals, Sa, Transform, Transforms};
pub use traffic_selector::{Ports, Selector, TrafficSelector, TrafficSelectors};
pub use view::View;

/// A validated chain of IKEv2 payloads.
pub type PayloadChain<'a> = crate::PayloadChain<'a, PayloadType>;

/// One payload of an IKEv2 chain.
pub type Payload<'a> = crate::Payload<'a, PayloadType>;

/// Writes an IKEv2 message.
pub type Writer<'s> = crate::Writer<'s, PayloadType>;

impl crate::chain::sealed::Grammar for PayloadType {
    // RFC 7296 §3.2: the octet holds the critical bit, and 7 bits that "MUST be ignored on receipt".
    const RESERVED_IS_ZERO: bool = false;
    const PADDING_ALLOWED: bool = false;

    fn ends_chain(self) -> bool {
        // RFC 7383 §2.5: "As is the case for the Encrypted payload", it "MUST be the last payload in
        // the message". Its Next Payload is the type of the first one inside.
        matches!(self, Self::ENCRYPTED | Self::ENCRYPTED_FRAGMENT)
    }
}

impl crate::PayloadNumber for PayloadType {}

#[cfg(test)]
mod tests;
