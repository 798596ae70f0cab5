//! IKE state machines, event in and action out: IKEv1 main, aggressive and quick mode, IKEv2, DPD and keepalives; sans-IO and no_std.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod action;
pub mod alg;
mod children;
pub mod config;
mod context;
mod endpoint;
mod event;
pub mod explain;
mod id;
mod outcome;
mod path;
mod peers;
pub mod policy;
mod retransmit;
mod selector;
mod timer;
pub mod v1;

pub use action::*;
pub use endpoint::Endpoint;
pub use event::*;
pub use id::*;
pub use outcome::*;
pub use path::Path;
pub use selector::Selector;
pub use timer::*;
