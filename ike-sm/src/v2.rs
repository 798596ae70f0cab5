//! IKEv2 (RFC 7296).

pub mod keys;
pub mod proof;
pub mod protect;
