//! Offers and how they meet: building proposals, choosing among them, checking answers.
//!
//! Nothing here keeps state or sends anything. Each comparison is handed to a [`Listener`] as it is
//! made, in a record of its own, so that a negotiation can be explained afterwards.

mod attribute;
mod lifetime;
pub mod narrow;
mod nearest;
pub(crate) mod pfs;
mod phase1;
mod phase2;
mod selectors;
pub mod v2;
pub(crate) mod words;

pub use attribute::{Attribute, AttributeValue, Mismatch, MismatchSet, OfferedTransform};
pub use lifetime::{read_lifetime, write_lifetime};
pub use nearest::{NearestMiss, nearest_miss};
pub use phase1::{
    Phase1Choice, Phase1Finding, Phase1OfferError, TransformCheck, check_phase1_answer,
    choose_phase1, phase1_offer, read_phase1,
};
#[cfg(feature = "v1")]
pub(crate) use phase2::phase2_offer_with;
pub use phase2::{
    ChildOffer, NatModes, Phase2Choice, Phase2Context, Phase2Finding, Phase2Refusal, ProposalCheck,
    check_phase2_answer, choose_phase2, phase2_offer, read_phase2,
};
pub use selectors::{ClientId, ClientIdError, Closeness, closeness, fits};

/// Who hears of each comparison as it is made; without one no record is made.
pub type Listener<'a, T> = Option<&'a mut (dyn FnMut(T) + 'a)>;

#[cfg(test)]
pub(crate) mod tests;
