//! How many threads compute what takes long.

use serde::{Deserialize, Deserializer, de};
use std::thread;

/// Most that anybody can want: more than the cores of a large machine only take each other's time.
const MOST: usize = 256;

/// Threads for key exchanges, certificates and signatures; 0: the packets wait for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerThreads(pub usize);

impl Default for WorkerThreads {
    /// All cores but one, which the packets have; at least one.
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self(cores.saturating_sub(1).clamp(1, MOST))
    }
}

impl<'de> Deserialize<'de> for WorkerThreads {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match usize::deserialize(d)? {
            threads @ 0..=MOST => Ok(Self(threads)),
            threads => Err(de::Error::custom(format!("{threads} threads; 0 to {MOST}"))),
        }
    }
}
