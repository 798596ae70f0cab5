//! IKEv2 offers and how they meet (RFC 7296 §2.7, §3.3).
//!
//! One form serves IKE, ESP and AH, ours and the peer's: a [`Proposal`] with its [`Transform`]s.
//! Configuration is turned into it, the SA payload is read into it, and one comparison works on
//! it. A type that a proposal does not name counts as its value NONE.

mod choose;
mod configured;
mod nearest;
mod proposal;
mod suite;

pub use choose::{
    Choice, ProposalFault, ProposalRecord, SpiRule, Terms, TypeRecord, check_answer, choose,
};
pub(crate) use configured::child_offer_with;
pub use configured::{ChildKeyExchange, child_offer, child_policy, ike_offer};
pub use nearest::{Change, WhatWouldMatch, what_would_match};
pub use proposal::{Proposal, Transform, read_sa, write_sa};
pub use suite::{ChildTransforms, IkeSuite};

#[cfg(test)]
mod tests;
