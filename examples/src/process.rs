//! What every long-running program here owes the machine it runs on: a log that nobody's reading habits can stop, no more
//! rights than it needs, a control socket that is its own, and a word about files that others can read.

pub mod files;
pub mod log;
pub mod privileges;
pub mod socket;
