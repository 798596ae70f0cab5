//! IKEv1 (RFC 2407, 2408, 2409).

mod dpd;
mod established;
mod informational;
pub mod keys;
mod main_mode;
mod payloads;
mod phase1;
mod protect;
mod quick;
mod session;

pub(crate) use session::Session;
