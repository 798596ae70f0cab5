//! IKEv1: RFC 2408 (ISAKMP), RFC 2407 (IPsec DOI), RFC 2409 (IKE), RFC 3947 (NAT-T), RFC 3706
//! (DPD), mode-config, XAUTH and the vendors' fragments.
//!
//! HASH(1) stands in front of what it covers, so it is written as a placeholder and patched:
//!
//! ```
//! use isakmp_wire::{ExchangeType, Flags, Header, Limits, ProtocolId, v1};
//!
//! # fn prf(_key: &[u8], parts: &[&[u8]]) -> [u8; 20] { [parts.len() as u8; 20] }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // HDR*, HASH(1), N(R-U-THERE) -->
//! let header = Header::v1(ExchangeType::INFORMATIONAL, [1; 8], [2; 8])
//!     .flags(Flags::ENCRYPTION)
//!     .message_id(0xCDD3_ACA0);
//! let mut bytes = Vec::new();
//! let mut message = v1::Writer::new(&mut bytes, &header)?;
//! let hash = message.placeholder(v1::PayloadType::HASH, 20)?;
//! let sequence = 0x1781_5542_u32.to_be_bytes();
//! let cookies = [[1; 8], [2; 8]].concat();
//! message.notification(ProtocolId::ISAKMP, &cookies, v1::NotifyType::R_U_THERE, &sequence)?;
//! let value = prf(b"SKEYID_a", &[&header.message_id.to_be_bytes(), message.octets_after(hash)]);
//! message.patch(hash, &value)?;
//! message.pad_to(16)?;
//! message.finish()?;
//! // Everything behind the header is encrypted here, and decrypted by the peer.
//!
//! let limits = Limits::default();
//! let received = v1::Message::parse(&bytes, &limits)?;
//! let plaintext = received.encrypted().ok_or("in the clear")?;
//! let chain = received.decrypted(plaintext, &limits)?;
//! let hash = chain.find(v1::PayloadType::HASH).ok_or("no HASH")?;
//! let message_id = received.header.message_id.to_be_bytes();
//! assert_eq!(hash.body, prf(b"SKEYID_a", &[&message_id, chain.octets_after(&hash)]));
//! # Ok(())
//! # }
//! ```

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
pub use identification::{Identification, Identity, ListItem};
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
