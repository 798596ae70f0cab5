//! Small machines that both versions of IKE and the endpoint work with: indexes, timers,
//! repetitions, open questions, effects.

pub(crate) mod allowance;
pub(crate) mod effects;
pub(crate) mod multimap;
pub(crate) mod questions;
pub(crate) mod redirects;
pub(crate) mod retransmit;
pub(crate) mod timers;
