//! What IKEv2 is told beyond what both versions share.

mod proposal;

pub use proposal::{AdditionalKeyExchange, Encryption, IkeProposal};
