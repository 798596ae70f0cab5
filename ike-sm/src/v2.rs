//! IKEv2 (RFC 7296).

pub mod cookie;
pub mod eap;
pub mod fragments;
pub mod intermediate;
pub mod keys;
pub mod narrow;
pub mod proof;
pub mod protect;
