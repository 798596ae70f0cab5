//! IPsec for programs: IKE and ESP joined. No socket, no clock, no thread, no randomness of its own;
//! `no_std` with `alloc`.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod actions;
mod config;
mod control;
mod data;
mod event;
mod message;
mod tunnels;

pub use actions::{Actions, Carrier, Transmit};
pub use config::{Config, DataConfig, Exception, HoldLimits, Policy, PolicyAction};
pub use control::{Control, ControlAction};
pub use data::{
    Arrival, DataAction, DataPlane, Dropped, Egress, Fragmentation, HEADROOM, INBOUND_HEADROOM,
    IcmpOutcome, Ingress, NotInstalled, PairStatus, TAILROOM,
};
pub use event::Event;
pub use message::{Deadline, DeadlineReason, Notice, Update};
pub use tunnels::{Action, Received, Sent, Tunnels};

pub use bytes::Bytes;
pub use crypto_suite::{self, Provider, Secret};
pub use esp::{self, PacketBuf};
pub use ike_sm::{self, Command, Outcome, Path, Selector, Selectors};
pub use nat_t;
pub use rand_core::{self, CryptoRng};
