//! Who proves what with which secret, for both versions of IKE: proofs, certificates, EAP, and guesses at
//! passwords.

pub(crate) mod certificates;
pub mod eap;
pub(crate) mod guesses;
pub mod proof;
