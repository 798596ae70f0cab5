//! IKE state machines, event in and action out: IKEv1 main, aggressive and quick mode, IKEv2, DPD and keepalives; sans-IO and no_std.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[allow(dead_code, reason = "the endpoint uses the rest")]
mod action;
pub mod alg;
pub mod config;
mod event;
pub mod explain;
#[allow(dead_code, reason = "the endpoint uses the rest")]
mod id;
mod outcome;
mod path;
pub mod policy;
mod selector;
#[allow(dead_code, reason = "the endpoint uses the rest")]
mod timer;
pub mod v1;

pub use action::*;
pub use event::*;
pub use id::*;
pub use outcome::*;
pub use path::Path;
pub use selector::Selector;
pub use timer::*;
