//! What is known of peers beside their SAs: attempts that are made, devices that stand, and the one
//! place where the two versions of IKE meet.

pub(crate) mod attempts;
pub(crate) mod session;
pub(crate) mod standing;
