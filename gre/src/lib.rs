//! Generic Routing Encapsulation without sockets, clocks or allocation.
//!
//! A packet is encapsulated where it lies, with room left in front of it, and decapsulated as a
//! view of the received bytes:
//!
//! ```
//! use gre::{Delivery, EtherType, Header, IpPacket};
//!
//! let header = Header { key: Some(7), ..Header::new(EtherType::IPV4) };
//! let delivery = Delivery::new([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
//!
//! // 28 octets of headroom, then the payload.
//! let headroom = delivery.len() + header.len();
//! let mut buffer = vec![0; headroom];
//! buffer.extend_from_slice(b"an IPv4 packet");
//! let start = delivery.encapsulate(&header, &mut buffer, headroom)?;
//! assert_eq!((start, buffer.len()), (0, 28 + 14));
//!
//! let outer = IpPacket::parse(&buffer)?;
//! let packet = outer.gre()?;
//! assert_eq!(packet.key(), Some(7));
//! assert_eq!(packet.payload(), b"an IPv4 packet");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Beside the codec: [`keepalive`] (the machine that finds out whether the peer is there),
//! [`sequence`], [`multipoint`] (next hops), [`mtu`], [`mss`], [`traffic_class`].
//!
//! Entry points that take bytes from the network, all total: [`Packet::parse`],
//! [`pptp::Packet::parse`], [`AnyPacket::parse`], [`IpPacket::parse`], [`innermost`], [`mss::clamp`], and for the machine
//! [`keepalive::Keepalive::handle`].
//!
//! RFCs: 2784 (GRE), 2890 (key and sequence), 1701 (recognised and refused), 2637 (PPTP's version
//! 1), 7676 (IPv6), 1071 and 1624 (checksum), 791 and 8200 (delivery headers), 1191 and 8201 (path
//! MTU), 2983 and 6040 (DSCP and ECN).
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod actions;
pub mod checksum;
mod deadline;
mod error;
mod ethertype;
mod header;
pub mod ip;
pub mod keepalive;
pub mod mss;
pub mod mtu;
pub mod multipoint;
mod nesting;
mod packet;
pub mod pptp;
pub mod sequence;
pub mod traffic_class;

pub use actions::Actions;
pub use deadline::{Deadline, DeadlineReason};
pub use error::{EncodeError, ParseError, ParseErrorKind};
pub use ethertype::EtherType;
pub use header::Header;
pub use ip::{Delivery, IpPacket};
pub use nesting::{Layer, innermost};
pub use packet::{AnyPacket, Packet};

/// The examples of README.md, compiled and run by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
