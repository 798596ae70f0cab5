//! Zero-copy codecs for ISAKMP (IKEv1) and IKEv2 messages, sans-IO and `no_std`.
//!
//! [`Message::parse`] validates the header, every length and the payload chain of a datagram in
//! one forward pass, within [`Limits`] and without allocating; iterating the result cannot fail.
//! Each payload is then looked at through its type ([`v1::View`]), down to proposals,
//! transforms and attributes, and gives its own octets back: hashes and signatures are computed
//! over those, never over a re-encoding. A [`Writer`] goes the other way, into any [`Sink`]: it
//! patches lengths and the next-payload chain, and refuses what does not fit.
//!
//! The loop of a responder, in short:
//!
//! ```
//! use isakmp_wire::{ExchangeType, Header, Limits, Message, ProtocolId, v1, vendor_id};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Message 1 of main mode, as an initiator builds it: HDR, SA, VID -->
//! let offer = v1::Phase1 {
//!     encryption: Some(v1::EncryptionAlgorithm::AES_CBC),
//!     key_length: Some(256),
//!     hash: Some(v1::HashAlgorithm::SHA2_256),
//!     authentication: Some(v1::AuthenticationMethod::PRE_SHARED_KEY),
//!     group: Some(v1::GroupDescription::MODP_2048),
//!     life_seconds: Some(86_400),
//!     ..Default::default()
//! };
//! let header = Header::v1(ExchangeType::IDENTITY_PROTECTION, [7; 8], [0; 8]);
//! let mut request = Vec::new();
//! let mut message = v1::Writer::new(&mut request, &header)?;
//! message.sa(v1::Situation::IDENTITY_ONLY, |sa| {
//!     sa.proposal(1, ProtocolId::ISAKMP, &[], |proposal| {
//!         proposal.transform(1, v1::IsakmpTransform::KEY_IKE, |transform| {
//!             transform.phase1(&offer)
//!         })
//!     })
//! })?;
//! message.vendor_id(vendor_id::RFC_3947)?;
//! message.finish()?;
//!
//! // The responder parses it and looks at its payloads ...
//! let limits = Limits::default();
//! let Message::V1(received) = Message::parse(&request, &limits)? else { unreachable!() };
//! let mut dialect = v1::Dialect::default();
//! dialect.learn_from(&received.payloads());
//! let mut reply = Vec::new();
//! for payload in received.payloads() {
//!     match payload.view(dialect, &limits)? {
//!         v1::View::Sa(sa) => {
//!             for proposal in sa.proposals() {
//!                 for transform in proposal.transforms() {
//!                     assert_eq!(v1::Phase1::read(transform.attributes())?, offer);
//!                     // ... and answers with the one transform it chose: <-- HDR, SA
//!                     let header = Header::v1(received.header.exchange_type, [7; 8], [9; 8]);
//!                     reply.clear();
//!                     let mut message = v1::Writer::new(&mut reply, &header)?;
//!                     message.sa(sa.situation, |chosen| {
//!                         chosen.choose(&proposal, &[], &transform)
//!                     })?;
//!                     message.finish()?;
//!                 }
//!             }
//!         }
//!         v1::View::VendorId(id) => assert_eq!(vendor_id::name(id), Some("RFC 3947 NAT-T")),
//!         other => println!("{other:?}"),
//!     }
//! }
//! assert!(Message::parse(&reply, &limits).is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! # Standards
//! RFC 2407, 2408, 2409, 3526, 3602, 3706, 3947, 4304, 4868, 5903 and the drafts of NAT-T,
//! mode-config, XAUTH and hybrid authentication for [`v1`]; RFC 7296, 4555, 5282, 5685, 6311,
//! 7383, 7427, 8598, 8784, 9242, 9370 for [`v2`].
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod attribute;
mod chain;
mod error;
mod header;
mod limits;
mod message;
pub mod number;
mod reader;
pub mod registry;
pub mod sa;
mod sink;
pub mod v1;
pub mod v2;
pub mod vendor_id;
mod writer;

pub use attribute::{Attribute, AttributeIter, AttributeValue, AttributeWriter, Attributes};
pub use chain::{PAYLOAD_HEADER_LEN, Payload, PayloadChain, PayloadNumber, Payloads};
pub use error::{BuildError, ErrorKind, ParseError};
pub use header::{Cookie, Flags, Header, Version};
pub use limits::Limits;
pub use message::Message;
pub use registry::{ExchangeType, ProtocolId};
pub use sink::{Sink, SliceSink};
pub use writer::{Writer, Written};

/// The examples of README.md, compiled and run by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
