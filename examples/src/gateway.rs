//! The gateway: configuration, the packets' way, the loop, and what it shows.

pub mod alike;
pub mod certificates;
pub mod cli;
pub mod config;
pub mod control;
pub mod credentials;
pub mod demo;
pub mod engine;
pub mod glue;
pub mod gre;
pub mod inside;
pub mod log;
pub mod outside;
pub mod pairs;
pub mod pool;
pub mod routes;
pub mod run;
pub mod status;
pub mod strangers;
pub mod words;
pub mod workers;
