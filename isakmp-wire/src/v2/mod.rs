//! IKEv2: RFC 7296 and its extensions.

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
    // RFC 7296 §3.2: the critical bit, and 7 bits to be ignored.
    const RESERVED_IS_ZERO: bool = false;
    const PADDING_ALLOWED: bool = false;

    fn ends_chain(self) -> bool {
        // RFC 7296 §3.14, RFC 7383 §2.5: the last payload; its Next Payload is of the first inside.
        matches!(self, Self::ENCRYPTED | Self::ENCRYPTED_FRAGMENT)
    }
}

impl crate::PayloadNumber for PayloadType {}

#[cfg(test)]
mod tests;
