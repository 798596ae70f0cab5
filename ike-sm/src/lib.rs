//! IKE as state machines: events in, actions out. No socket, no clock, no thread, no randomness of
//! its own; `no_std` with `alloc`.
//!
//! An [`Endpoint`] holds all IKE SAs of a host. It is fed with [`Event`]s (datagrams, passed
//! deadlines, answers, commands, traffic reports) and gives [`Action`]s (datagrams to send, pairs of
//! IPsec SAs to install, questions, reports). One call does everything that follows from its event.
//!
//! ```
//! use core::time::Duration;
//! use crypto_suite::Secret;
//! use ike_sm::config::{ChildConfig, Config, PeerConfig, Prefix, PskOwner};
//! use ike_sm::{Action, Actions, Command, Endpoint, Event, Outcome, Path, Selector};
//! # use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//! # let mut rng = ChaCha20Rng::seed_from_u64(1);
//! # let (here, there) = ("192.0.2.1".parse()?, "192.0.2.2".parse()?);
//!
//! // One peer, one pair of networks, one key.
//! let mut config = Config::default();
//! let mut peer = PeerConfig::new("hub");
//! peer.addresses.push(there);
//! peer.local_address = Some(here);
//! let ours = Selector::subnet("10.1.0.0".parse()?, 16).ok_or("prefix")?;
//! let theirs = Selector::subnet("10.2.0.0".parse()?, 16).ok_or("prefix")?;
//! peer.children.push(ChildConfig::new("lan", ours, theirs));
//! config.peers.push(peer);
//! config.psks.insert(PskOwner::Prefix(Prefix::host(there)), Secret::from(&b"a long secret"[..]));
//! let mut endpoint = Endpoint::new(config, &crypto_suite::DEFAULT)?;
//!
//! // The loop: one event in, all actions out.
//! let mut actions = Actions::new();
//! let mut now = Duration::ZERO; // with std: start.elapsed()
//! let mut event = Some(Event::Command(Command::Initiate { peer: "hub".into(), children: vec![] }));
//! # let mut sent = 0;
//! # for _ in 0..3 {
//! if let Some(event) = event.take() {
//!     if let Outcome::Dropped(why) = endpoint.handle(event, now, &mut rng, &mut actions) {
//!         println!("refused: {why}");
//!     }
//! }
//! while let Some(action) = actions.pop() {
//!     match action {
//!         Action::Send { path, datagram } => { /* socket.send_to(&datagram, path.remote) */
//! #           sent += 1; let _ = (path, datagram);
//!         }
//!         Action::InstallChild(sa) => println!("in {:08x}, out {:08x}", sa.spi_in, sa.spi_out),
//!         Action::Report(record) => print!("{}", record.cisco()),
//!         _ => {}
//!     }
//! }
//! // Wait for a datagram, at most until the deadline; then go round again.
//! if let Some(deadline) = endpoint.next_deadline() {
//!     now = deadline.at;
//!     event = Some(Event::Deadline);
//! }
//! # }
//! # assert_eq!(sent, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds for every call
//! - *Progress*: after [`Event::Deadline`] at `now` the next deadline is later than `now`.
//! - *Atomicity*: an event whose outcome is [`Outcome::Dropped`] leaves every SA as it was.
//! - *Determinism*: the same events, times and random bytes give the same actions.
//!
//! # Where to look
//! [`config`] is what an endpoint is told, [`policy`] how offers meet, [`explain`] what is reported.
//! A running program is `examples/examples/two_endpoints.rs`, a complete one the gateway there.
//!
//! # Features
//! `v1` is IKEv1, `render` makes text of records ([`explain`]): both are on by default, and what is
//! left without them is smaller. A build without `v1` refuses the configuration of a peer that speaks it.
//!
//! # RFCs
//! IKEv1: 2407 (IPsec DOI), 2408 (ISAKMP), 2409 (IKE), 3706 (DPD), 3947 and 3948 (NAT traversal),
//! 3526 (MODP groups), 3602 and 4868 (AES, SHA-2), 4304 (ESN). IKEv1 is historic (RFC 9395): it is
//! here for the peers that speak nothing else. IKEv2: 7296, 4555 (MOBIKE), 5282 (AEADs), 5998
//! (EAP alone), 6023 (childless), 7383 (fragments), 7427 (signatures), 8598 (split DNS), 8784
//! (post-quantum keys), 9242 and 9370 (additional key exchanges).
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "v1"),
    allow(
        dead_code,
        reason = "IKEv1 alone uses some of what both versions share"
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod alg;
mod auth;
mod child;
pub mod config;
mod context;
mod core;
mod endpoint;
mod event;
pub mod explain;
mod model;
mod peer;
pub mod policy;
#[cfg(feature = "render")]
mod report;
#[cfg(feature = "v1")]
pub mod v1;
pub mod v2;

pub use core::timers::{Deadline, DeadlineReason};
pub use endpoint::{
    AgreedPolicy, Capabilities, ChildPhase, ChildStatus, Endpoint, EstablishedStatus, IkeStatus,
};
pub use event::{
    Action, Actions, Answer, ChildSa, ChildUpdate, Command, EapAnswer, EapMessage, EapPassword,
    Event, KeyExchangeDone, KeyExchangeJob, KeyLog, PacketEnd, PskStage, Question, SignatureDone,
    SignatureJob, Takeover, Traffic, UserGrant,
};
pub use model::{
    ChildId, ChildLifetime, ChildSuite, ChildTerms, CloseReason, DropReason, IkeId, IpsecProtocol,
    Mode, OriginalAddresses, Outcome, Path, PayloadName, Route, Selector, Selectors, Ticket,
};

/// The examples of README.md, compiled and run by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
