//! The gateway: configuration, the packets' way, the loop, and what it shows.

pub mod cli;
pub mod config;
pub mod control;
pub mod flow;
pub mod hold;
pub mod inside;
pub mod routes;
pub mod status;
