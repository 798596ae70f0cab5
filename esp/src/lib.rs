//! ESP (RFC 4303) and AH (RFC 4302): packets, security associations, replay windows and lifetimes. Sans-IO and
//! `no_std`: no sockets, no clock, no allocation per packet.
//!
//! An SA is two types, [`Outbound`] and [`Inbound`], each built from a prepared key of
//! `crypto-suite`, an SPI and options. The whole loop:
//!
//! ```
//! use core::time::Duration;
//! use crypto_suite::{CipherId, DEFAULT, IntegrityId, ProtectionId};
//! use esp::{
//!     AddressRange, Inbound, InboundConfig, Mode, Outbound, OutboundConfig, PacketBuf, SelectorCheck,
//!     SelectorSet, Spi, TrafficSelector, TunnelHeader,
//! };
//!
//! let suite = ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha256_128);
//! let protection = DEFAULT.protection(suite).unwrap();
//! let keymat = vec![0x42; protection.key_material_len()]; // negotiated by IKE
//! let spi = Spi::new(0xcdd3aca0).unwrap(); // chosen by the receiver
//! let now = Duration::ZERO; // since an epoch of your own
//!
//! // Two gateways: one seals …
//! let header = TunnelHeader::new([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
//! let config = OutboundConfig::new(spi, Mode::Tunnel { header });
//! let mut outbound = Outbound::new(protection.new_key(&keymat)?, config, now)?;
//! // … the other opens, and lets in what was negotiated: 10.1.0.0/16 behind the peer.
//! let network = |address: [u8; 4]| {
//!     TrafficSelector::all(AddressRange::network(address.into(), 16).unwrap())
//! };
//! let selectors = SelectorSet::new([network([10, 2, 0, 0])], [network([10, 1, 0, 0])]);
//! let config = InboundConfig::new(spi, true, SelectorCheck::Match(selectors));
//! let mut inbound = Inbound::new(protection.new_key(&keymat)?, config, now)?;
//!
//! // An IP packet of 28 octets, with room around it.
//! let mut buffer = [0u8; 256];
//! let start = outbound.headroom();
//! let inner = [69, 0, 0, 28, 0, 0, 64, 0, 64, 17, 22, 209, 10, 1, 0, 1, 10, 2, 0, 1,
//!              0, 7, 0, 7, 0, 8, 0, 0];
//! buffer[start..start + 28].copy_from_slice(&inner);
//! let mut packet = PacketBuf::new(&mut buffer, start..start + 28).unwrap();
//!
//! let sealed = outbound.seal(&mut packet, now)?; // in place
//! assert_eq!(sealed.sequence, 1);
//! assert_eq!(packet.len(), 20 + 8 + 16 + 32 + 16); // IP, ESP, IV, text, ICV
//!
//! let opened = inbound.open_ip(&mut packet, now)?; // in place
//! assert_eq!(opened.sequence, 1);
//! assert_eq!(packet.as_slice(), inner);
//!
//! // Once only.
//! assert_eq!(inbound.window().bitmap().to_string(), "0x00000000 0x00000003");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - Packets, modes, padding, TFC, dummies, sequence numbers: RFC 4303; batches with
//!   [`Outbound::seal_batch`] and [`Inbound::open_batch`].
//! - [`AhOutbound`], [`AhInbound`]: RFC 4302.
//! - [`ReplayWindow`]: RFC 4303 §3.4.3 and Appendix A (extended sequence numbers).
//! - UDP encapsulation: RFC 3948.
//! - [`TunnelHeader`]: RFC 4301 §5.1.2, RFC 6040 (ECN), RFC 2983 (DSCP).
//! - [`Overhead`], [`look_ahead`], [`Fragments`], [`PathMtu`], [`TooBig`], [`write_too_big`],
//!   [`clamp_mss`]: what fits, fragmenting before encryption, path MTU (RFC 4301 §8, RFC 1191,
//!   RFC 8201).
//! - [`SelectorSet`]: RFC 4301 §4.4.1.1, RFC 7296 §3.13.1.
//! - [`Spd`], [`Sad`]: bounded policy and SA tables, RFC 4301 §4.4.
//! - [`Lifetime`]: RFC 4301 §4.4.2.1.
//!
//! What cannot be built: encryption without integrity ([`BuildError::NoIntegrity`]), an SA
//! without a replay window, a sequence number that cycles.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod ah;
mod buffer;
mod deadline;
mod fragment;
mod inbound;
pub mod ip;
mod lifetime;
mod mss;
mod outbound;
mod outer;
mod overhead;
mod pmtu;
mod sa;
mod selector;
mod spd;
mod state;
#[cfg(test)]
mod testing;
mod window;

pub use ah::{AH_FIXED_LEN, AhConfig, AhHeader, AhInbound, AhOutbound, ah_len};
pub use buffer::{PacketBuf, RoomError};
pub use deadline::{Deadline, DeadlineReason};
pub use fragment::{Fit, FragmentError, Fragments, look_ahead};
pub use inbound::{
    Carrier, Content, Decrypted, Inbound, InboundConfig, InboundCounters, OpenError, Opened, Outer,
    OuterError, Prechecked,
};
pub use lifetime::{Lifetime, Limit, Limits, Usage};
pub use mss::{clamp_mss, mss_for, mss_for_packet};
pub use outbound::{
    BATCH, Outbound, OutboundConfig, OutboundCounters, SealError, SealOptions, Sealed,
};
pub use outer::{
    DontFragment, Dscp, EcnDrop, EcnMode, TunnelHeader, UdpPorts, decapsulate_ecn, decapsulated_ecn,
};
pub use overhead::Overhead;
pub use pmtu::{
    AnswerError, Claimed, DEFAULT_AGEING, Ends, Evidence, IcmpLimiter, MIN_PATH_MTU_V4,
    MIN_PATH_MTU_V6, PROBES, PathMtu, PathMtuChanged, Quoted, RECENT_PACKETS, TooBig, TooBigError,
    write_too_big,
};
pub use sa::{BuildError, ESP_HEADER_LEN, Mode, Spi, TRAILER_LEN};
pub use selector::{
    AddressRange, Flow, MAX_SELECTORS, Ports, SelectorCheck, SelectorSet, TrafficSelector,
};
pub use spd::{Policy, PolicyAction, PolicyId, Sad, Spd, TableError};
pub use state::RestoreError;
pub use window::{Bitmap, Check, DEFAULT_WINDOW, MAX_WINDOW, MIN_WINDOW, ReplayWindow};

/// The examples of README.md, compiled and run by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
