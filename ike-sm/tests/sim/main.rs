//! Simulation: endpoints over seeded bad networks in virtual time.
//!
//! After every event the laws are asserted (see `Host::handle`). A failing run prints its seed.
//!
//! - `SIM_SEEDS=10000 cargo test --release -p ike-sm --test sim` runs that many seeds of each
//!   randomised scenario; the default is for every day.
//! - `SIM_SEEDS=100000 cargo test --release -p ike-sm --test sim black_hole` is the
//!   proof that no tunnel stays dead after loss and NAT rebinding; `SIM_SEEDS=10000` with `keep_up`
//!   that none does when both ends delete, rekey and refuse at 15 % loss.
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
mod keep_up;
mod lifecycle;
mod lossy;
mod network;
mod rng;
mod world;

use std::io::Write;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub fn number(name: &str) -> Option<u64> {
    let set = std::env::var(name).ok();
    set.and_then(|v: String| v.parse().ok())
}

/// Runs `one` for each number, on `SIM_THREADS` threads or one per core. Gives those that failed,
/// in order.
pub fn on_all_cores(
    list: Range<u64>,
    one: impl Fn(u64) -> Result<(), String> + Sync,
) -> Vec<(u64, String)> {
    let cores = || std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let threads = number("SIM_THREADS").unwrap_or_else(cores);
    let (next, failed) = (AtomicU64::new(list.start), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(list.end - list.start) {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= list.end {
                        return;
                    }
                    if let Err(what) = one(n) {
                        failed.lock().unwrap().push((n, what));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort_unstable();
    failed
}

/// Runs `one` for each seed; all failures are collected before the test fails. Gives how many there
/// were.
pub fn seeds(default: u64, one: impl Fn(u64) -> Result<(), String> + Sync) -> u64 {
    let list = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIM_SEEDS").unwrap_or(default),
    };
    let count = list.end - list.start;
    let failed = on_all_cores(list, one);
    if let Some((seed, what)) = failed.first() {
        let all: Vec<u64> = failed.iter().map(|(seed, _)| *seed).take(100).collect();
        panic!(
            "{} of {count} seeds failed: {all:?}\nSIM_SEED={seed}: {what}",
            failed.len()
        );
    }
    count
}

/// A figure that is shown although the test passes.
pub fn say(line: &str) {
    // `println!` would be kept back.
    let _ = writeln!(std::io::stderr(), "{line}");
}

pub const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
