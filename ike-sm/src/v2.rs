//! IKEv2 (RFC 7296).

pub mod eap;
pub mod keys;
pub mod proof;
pub mod protect;
