//! Simulation: endpoints over seeded bad networks in virtual time.
//!
//! After every event the laws are asserted (see `Host::handle`). A failing run prints its seed.
//!
//! - `SIM_SEEDS=10000 cargo test --release -p ike-sm --test sim` runs that many seeds of each
//!   randomised scenario; the default is for every day.
//! - `SIM_SEED=1234 cargo test -p ike-sm --test sim NAME` runs one seed of one scenario again;
//!   with `SIM_TRACE=1` a failure shows everything that the endpoints reported.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub
)]

/// Makes a test of a scenario for each version of IKE.
macro_rules! both_versions {
    ($($scenario:ident),* $(,)?) => {
        mod ikev1 {
            $(
                #[test]
                fn $scenario() {
                    super::$scenario(ike_sm::config::IkeVersion::V1);
                }
            )*
        }
        mod ikev2 {
            $(
                #[test]
                fn $scenario() {
                    super::$scenario(ike_sm::config::IkeVersion::V2);
                }
            )*
        }
    };
}

mod attack;
mod explained;
mod explore;
mod host;
mod lifecycle;
mod lossy;
mod network;
mod rng;
mod world;

use std::time::Duration;

/// Runs `one` for each seed; all failures are collected before the test fails.
pub fn seeds(default: u64, one: impl Fn(u64) -> Result<(), String>) {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|v: String| v.parse::<u64>().ok())
    };
    let list = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(default),
    };
    let count = list.end - list.start;
    let mut failed = Vec::new();
    for seed in list {
        if let Err(what) = one(seed) {
            failed.push((seed, what));
        }
    }
    if let Some((seed, what)) = failed.first() {
        let all: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
        panic!(
            "{} of {count} seeds failed: {all:?}\nSIM_SEED={seed}: {what}",
            failed.len()
        );
    }
}

pub const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
