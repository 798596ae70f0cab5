//! IKEv2 (RFC 7296).

#[allow(
    dead_code,
    unused_imports,
    reason = "IKE_AUTH is being put together around it"
)]
pub(crate) mod auth;
#[allow(
    dead_code,
    unused_imports,
    reason = "IKE_AUTH is being put together around it"
)]
mod configuration;
pub mod cookie;
pub mod eap;
pub mod fragments;
pub mod intermediate;
pub mod keys;
pub mod narrow;
pub mod proof;
pub mod protect;
