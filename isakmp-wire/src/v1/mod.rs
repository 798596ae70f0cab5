//! IKEv1: RFC 2408 (ISAKMP), RFC 2407 (IPsec DOI), RFC 2409 (IKE), RFC 3947 (NAT-T), RFC 3706
//! (DPD), mode-config, XAUTH and the vendors' fragments.

mod attributes;
mod build;
mod certificate;
mod config;
mod delete;
mod dialect;
mod fragment;
mod identification;
mod message;
mod natt;
mod notification;
mod sa;
mod view;

pub use crate::registry::v1::*;

pub use attributes::{Phase1, Phase1Attribute, Phase2, Phase2Attribute};
pub use build::{ProposalWriter, SaWriter};
pub use certificate::{Certificate, CertificateRequest};
pub use config::Configuration;
pub use delete::Delete;
pub use dialect::Dialect;
pub use fragment::Fragment;
pub use identification::{Identification, Identity};
pub use message::{Body, Message};
pub use natt::NatOa;
pub use notification::Notification;
pub use sa::{Proposal, Proposals, Sa, Situation, Transform, Transforms};
pub use view::View;

/// A validated chain of IKEv1 payloads.
pub type PayloadChain<'a> = crate::PayloadChain<'a, PayloadType>;

/// One payload of an IKEv1 chain.
pub type Payload<'a> = crate::Payload<'a, PayloadType>;

/// Writes an IKEv1 message.
pub type Writer<'s> = crate::Writer<'s, PayloadType>;

impl crate::chain::sealed::Grammar for PayloadType {
    const RESERVED_IS_ZERO: bool = true;
    const PADDING_ALLOWED: bool = true;

    fn ends_chain(self) -> bool {
        // MS-IKEE §2.2.3.1: a fragment stands alone in its message.
        self == Self::FRAGMENT
    }
}

impl crate::PayloadNumber for PayloadType {}

#[cfg(test)]
mod tests;
