//! IKEv2 between two endpoints in virtual time.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::should_implement_trait,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::cast_possible_truncation
)]

mod additional;
mod amplification;
mod auth;
mod bounds;
mod choice;
mod closing;
mod collisions;
#[path = "../v1/common.rs"]
mod common;
mod cookie;
mod credentials;
mod failover;
mod followup;
mod forge;
mod fragments;
mod handshake;
mod hostile;
mod insider;
mod many;
mod mobike;
mod nat;
mod offload;
mod overlap;
mod owed;
mod peers;
mod questions;
mod redirect;
mod rekey;
mod rewrite;
mod strangers;
mod users;
mod wanted;
mod words;

use common::{A, B, Pair, config, secs};
use ike_sm::config::{Config, IkeVersion};

/// Two configurations that speak IKEv2, with a change to both.
pub fn configs(change: impl Fn(&mut Config)) -> (Config, Config) {
    let [mut a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    for config in [&mut a, &mut b] {
        config.peers[0].version = IkeVersion::V2;
        change(config);
    }
    (a, b)
}

/// Two ends that speak IKEv2.
pub fn pair() -> Pair {
    let (a, b) = configs(|_| {});
    Pair::new(a, b)
}

/// The same with a tunnel between them.
pub fn established() -> Pair {
    let mut pair = pair();
    pair.bring_up();
    pair
}

/// Lets everything settle that follows from a rekey.
pub fn settle(pair: &mut Pair) {
    pair.run_for(secs(15));
}
