//! IKEv2 (RFC 7296).
//!
//! A session holds the keys and the window of an IKE SA and says which message belongs where; each
//! exchange is a task in a file of its own. What is public here are the parts without state.

mod additional;
mod answer;
pub(crate) mod auth;
mod child;
mod computing;
mod configuration;
pub mod cookie;
mod counters;
mod create_child;
mod crypt;
mod error;
mod established;
mod explain;
pub mod fragments;
mod frame;
mod ike_auth;
mod informational;
pub mod intermediate;
pub mod keys;
mod mobike;
mod nat;
mod payloads;
pub mod protect;
pub(crate) mod redirect;
mod sa_init;
mod series;
mod session;
mod up;
mod window;

pub use crate::auth::{eap, proof};
pub use crate::policy::narrow;
pub(crate) use established::Established;
pub(crate) use sa_init::{challenge, presented, refuse};
pub(crate) use session::Session;
