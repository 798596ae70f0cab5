//! NAT traversal of IPsec: what a UDP-4500 datagram carries, where a NAT sits, when to move to
//! port 4500 and when to send keepalives. Sans-IO and `no_std`: no sockets, no clock.
//!
//! The whole loop of a socket on port 4500:
//!
//! ```
//! use core::time::Duration;
//! use nat_t::{Datagram, Keepalive, Verdict, classify};
//!
//! fn on_datagram(payload: &[u8]) -> &'static str {
//!     match classify(payload) {
//!         Datagram::Ike(_message) => "to the IKE endpoint, the marker is off",
//!         Datagram::Esp(_packet) => "to the inbound SA with this SPI",
//!         Datagram::Keepalive => "ignored",
//!         Datagram::Malformed(_reason) => "counted and dropped",
//!     }
//! }
//!
//! assert_eq!(on_datagram(&nat_t::KEEPALIVE), "ignored");
//!
//! // Detection during the negotiation gave a verdict …
//! let verdict = Verdict::LocalBehindNat;
//! // … so IKE moves to port 4500, and this side keeps the NAT's mapping alive.
//! assert!(verdict.nat() && verdict.sends_keepalives());
//! let mut timer = Keepalive::new(nat_t::DEFAULT_INTERVAL);
//! timer.start(Duration::ZERO);
//! let deadline = timer.next_deadline().unwrap();
//! if timer.handle(deadline.at) {
//!     // socket.send_to(&nat_t::KEEPALIVE, peer)
//! }
//! ```
//!
//! - [`classify`]: RFC 3948 §2.
//! - [`nat_hash`], [`detect_v1`], [`detect_v2`]: RFC 3947 §3.2, RFC 7296 §2.23.
//! - [`Version`], [`Versions`], [`Encapsulation`]: vendor IDs and numbers of RFC 3947 and of its
//!   drafts 00 to 08.
//! - [`float()`], [`follow`]: RFC 3947 §4 and §7.
//! - [`Keepalive`]: RFC 3948 §4.
//! - [`fix_segment`]: RFC 3948 §3.1.2 with RFC 1624.
//! - [`Pat`]: a router's IPsec pass-through, for simulations.
//!
//! AH cannot cross a NAT, it authenticates the addresses (RFC 3715 §2.1): refuse it where
//! [`Verdict::nat`].
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod checksum;
mod classify;
mod deadline;
mod detect;
mod float;
mod keepalive;
mod pat;
mod vendor;

pub use checksum::{Addresses, FixError, adjust, fix_segment};
pub use classify::{
    Datagram, IKE_PORT, KEEPALIVE, MARKER_LEN, Malformed, NAT_T_PORT, NON_ESP_MARKER, classify,
    esp_spi,
};
pub use deadline::{Deadline, DeadlineReason};
pub use detect::{
    DetectError, Detection, MAX_HASHES, Verdict, detect_v1, detect_v2, nat_hash, nat_hashes,
};
pub use float::{Float, OldPort, float, float_with, follow, old_port};
pub use keepalive::{DEFAULT_INTERVAL, DEFAULT_LINGER, Keepalive, MIN_INTERVAL};
pub use pat::{EspTranslation, Passed, Pat, PatConfig, Refused};
pub use vendor::{Encapsulation, Numbers, Version, Versions};

/// The examples of README.md, compiled and run by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
