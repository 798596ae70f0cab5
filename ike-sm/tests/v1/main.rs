//! IKEv1 between two endpoints in virtual time: no clock, no socket, every packet in sight.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::should_implement_trait,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::panic
)]

mod aggressive;
mod closing;
mod common;
mod flood;
mod handshake;
mod liveness;
mod loss;
mod many;
mod nat;
mod offload;
mod peers;
mod questions;
mod rekey;
mod signatures;
mod words;
