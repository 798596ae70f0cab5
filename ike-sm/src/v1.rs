//! IKEv1 (RFC 2407, 2408, 2409).

mod aggressive;
mod agreed;
mod dpd;
mod established;
mod informational;
pub mod keys;
mod main_mode;
mod negotiation;
mod payloads;
mod phase1;
mod protect;
mod quick;
mod refused;
mod session;
pub(crate) mod signature;

pub(crate) use aggressive::claimed_identity;
pub(crate) use session::Session;
