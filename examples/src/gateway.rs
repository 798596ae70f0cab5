//! The gateway: configuration, the packets' way, the loop, and what it shows.

pub mod config;
