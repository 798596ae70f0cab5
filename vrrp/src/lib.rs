//! VRRP version 2 and 3 without sockets or clocks.
//!
//! The whole loop of a virtual router: hand it what happens, carry out what it asks for, sleep
//! until its deadline.
//!
//! ```
//! use core::time::Duration;
//! use vrrp::{Action, Actions, Config, Event, Priority, Router, State, Version, Vrid};
//!
//! let vrid = Vrid::new(5).ok_or("VRID 0")?;
//! let config = Config {
//!     priority: Priority(150),
//!     ..Config::new(Version::V2, vrid, &[[10, 0, 0, 254].into()])
//! };
//! let mut router = Router::new(config)?;
//! let mut actions = Actions::new();
//! let mut packet = [0; 1500];
//!
//! let start = Event::Startup { address: [10, 0, 0, 1].into() };
//! let _ = router.handle(start, Duration::ZERO, &mut actions);
//! while router.state() != State::Master {
//!     // Here an embedder waits for packets (`Event::Received`) until the deadline.
//!     let deadline = router.next_deadline().ok_or("a running router has a deadline")?;
//!     let _ = router.handle(Event::Deadline, deadline.at, &mut actions);
//!     while let Some(action) = actions.pop() {
//!         match action {
//!             Action::Send(transmit) => {
//!                 let len = transmit.write_packet(&mut packet)?;
//!                 // socket.send_to(&packet[..len], transmit.destination())
//!                 assert_eq!(len, 40);
//!             }
//!             Action::Announce(announcement) => {
//!                 announcement.write_frame(&mut packet)?;
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Speaker`] does the same for many routers with one deadline, and keeps sync groups together.
//!
//! The codec alone reads what came off a socket and writes what goes out:
//!
//! ```
//! use vrrp::{Accept, Advertisement, ChecksumReading, Interval, Message, Priority, Received};
//! use vrrp::{GROUP_V4, Version, Vrid};
//!
//! let message = Message {
//!     version: Version::V3,
//!     vrid: Vrid::new(5).ok_or("VRID 0")?,
//!     priority: Priority(150),
//!     interval: Interval::DEFAULT,
//!     password: None,
//!     addresses: &[[10, 0, 0, 254].into()],
//!     source: [10, 0, 0, 1].into(),
//!     destination: GROUP_V4.into(),
//!     reading: ChecksumReading::Message,
//! };
//! let mut packet = [0; 64];
//! let len = message.write_packet(&mut packet)?;
//!
//! let received = Received::from_packet(&packet[..len])?;
//! let advertisement = Advertisement::parse(&received, Accept::STANDARD)?;
//! assert_eq!(advertisement.priority(), Priority(150));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Entry points that take bytes from the network, all total: [`Received::from_packet`],
//! [`Advertisement::parse`]; for the machines [`Router::handle`] and [`Speaker::handle`].
//!
//! RFCs: 9568 and 5798 (version 3), 3768 and 2338 (version 2 and its authentication), 826 and 5227
//! (ARP), 4861 (neighbor discovery), 1071 (checksum).
//!
//! No version of VRRP is protected against routers of the same link: whoever can send to it can
//! become master. A TTL of 255 keeps out the rest of the world.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod actions;
mod announce;
mod checksum;
mod config;
mod encode;
mod error;
mod event;
mod frame;
mod packet;
mod router;
mod speaker;
pub mod timing;
mod types;

pub use actions::Actions;
pub use announce::Announcement;
pub use config::{AddressCheck, Announce, Config, ConfigError, Password, Track, TrackEffect};
pub use encode::Message;
pub use error::{EncodeError, ParseError};
pub use event::{
    Action, Addresses, Deadline, DeadlineReason, DropReason, Event, Outcome, Reason, State,
    Transmit, Warning,
};
pub use packet::{Accept, Advertisement, ChecksumReading, Received};
pub use router::{Counters, Master, Router, Show, Status, TrackStatus};
pub use speaker::{
    AddError, RouterKey, Speaker, SpeakerAction, SpeakerDeadline, SpeakerEvent, SyncError,
};
pub use types::{
    AuthType, Family, GROUP_V4, GROUP_V6, Interval, MacAddr, PROTOCOL_VRRP, Priority, TTL, Version,
    Vrid,
};

/// The examples of README.md, compiled and run by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
