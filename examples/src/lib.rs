//! The gateway and small programs of the suite: the only place with sockets, TUN, clocks, files and threads.
#![allow(clippy::arithmetic_side_effects, clippy::disallowed_methods)]

pub mod capture;
pub mod dissect;
pub mod gateway;
pub mod gre;
pub mod net;
pub mod ping;
pub mod process;
pub mod vrrp;

/// The Rust of the guides, compiled and run by `cargo test --doc`.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../docs/questions.md")]
    struct Questions;
    #[doc = include_str!("../../docs/nat.md")]
    struct Nat;
    #[doc = include_str!("../../docs/embedding.md")]
    struct Embedding;
}
