//! IPsec for programs: IKE and ESP joined. No socket, no clock, no thread, no randomness of its own;
//! `no_std` with `alloc`.
//!
//! [`Tunnels`] takes datagrams, inner packets, deadlines and commands, and gives datagrams, inner
//! packets and events. This is the whole loop, with two UDP sockets and a TUN device:
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use std::net::UdpSocket;
//! use std::time::{Duration, Instant};
//!
//! use ipsec::{Action, Actions, Buffer, Command, Config, CryptoRng, Path, Received, Selector};
//! use ipsec::{Sent, Site, Tunnels, crypto_suite};
//!
//! /// `sockets` are those of UDP 500 and 4500, `tun` is a TUN device; none of them blocks.
//! fn run(
//!     sockets: [UdpSocket; 2],
//!     mut tun: impl Read + Write,
//!     rng: &mut dyn CryptoRng,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     // One peer, one pair of networks, one key.
//!     let ours = Selector::subnet("10.1.0.0".parse()?, 16).ok_or("prefix")?;
//!     let theirs = Selector::subnet("10.2.0.0".parse()?, 16).ok_or("prefix")?;
//!     let (own, other) = (Site::new([192, 0, 2, 1], ours), Site::new([192, 0, 2, 2], theirs));
//!     let config = Config::site_to_site("hub", own, other, &b"a long random string"[..]);
//!     let mut tunnels = Tunnels::new(config, &crypto_suite::DEFAULT)?;
//!
//!     let clock = Instant::now();
//!     let mut actions = Actions::new();
//!     let mut buffer = Buffer::new(4096);
//!
//!     // A command. Without one, the first packet for the far network brings the tunnel up.
//!     let command = Command::Initiate { peer: "hub".into(), children: vec![] };
//!     let _outcome = tunnels.command(command, clock.elapsed(), rng, &mut actions);
//!     loop {
//!         // What follows from the last input: datagrams, inner packets, events, questions.
//!         while let Some(action) = actions.pop() {
//!             match action {
//!                 Action::Send(to, datagram) => {
//!                     let socket = &sockets[usize::from(to.path.natt)];
//!                     socket.send_to(&datagram, to.path.remote)?;
//!                 }
//!                 Action::Deliver(packet) => tun.write_all(&packet)?,
//!                 Action::Event(event) => print!("{event}"),
//!                 Action::Ask(..) => {} // certificates, addresses, keys: see `Question`
//!                 _ => {}
//!             }
//!         }
//!         let now = clock.elapsed();
//!         // A datagram.
//!         for (socket, natt) in sockets.iter().zip([false, true]) {
//!             if let Ok((len, remote)) = socket.recv_from(buffer.space()) {
//!                 let path = Path { local: socket.local_addr()?, remote, natt };
//!                 let mut packet = buffer.packet(len);
//!                 match tunnels.datagram(path, &mut packet, now, rng, &mut actions) {
//!                     Received::Deliver(_) => tun.write_all(packet.as_slice())?,
//!                     Received::Dropped(why) => println!("from {remote}: {why}"),
//!                     _ => {}
//!                 }
//!             }
//!         }
//!         // An inner packet.
//!         if let Ok(len) = tun.read(buffer.space()) {
//!             let mut packet = buffer.packet(len);
//!             match tunnels.inner(&mut packet, now, rng, &mut actions) {
//!                 // `site_to_site` keeps ESP in UDP; else see `Transmit::carrier`.
//!                 Sent::Send(to) => {
//!                     sockets[1].send_to(packet.as_slice(), to.path.remote)?;
//!                 }
//!                 Sent::Dropped(why) => println!("from the inside: {why}"),
//!                 _ => {}
//!             }
//!         }
//!         // A deadline.
//!         tunnels.deadline(now, rng, &mut actions);
//!         let next = tunnels.next_deadline().map(|deadline| deadline.at.saturating_sub(now));
//!         // A real program waits here for its sockets, its device or that time: see the programs.
//!         std::thread::sleep(next.unwrap_or(Duration::MAX).min(Duration::from_millis(1)));
//!     }
//! }
//! ```
//!
//! Complete programs are `embed_std`, `embed_mio` and `embed_tokio` among the examples of the suite; its
//! guide `docs/embedding.md` goes from the sockets to several cores.
//!
//! # Where to look
//! - What is configured: [`Config::site_to_site`], and [`ike_sm::config`] for all that a peer can be told.
//! - What is commanded: [`Command`]. What is asked: [`Question`], each answered by an [`Answer`].
//! - What has happened: [`Event`], which is displayed as a line of a log, and [`CloseReason`].
//! - What stands: [`Tunnels::data`] has the pairs of IPsec SAs ([`DataPlane::pairs`]), and
//!   [`Tunnels::control`] the IKE SAs ([`ike_sm::Endpoint::ike_sas`]).
//! - The end: [`Command::Shutdown`].
//!
//! # Sockets and randomness
//! A [`Path`] has the addresses of the datagram itself. With a socket that is bound to `0.0.0.0` or `::`,
//! `local_addr` is not that address; ask for the destination of each datagram (`IP_PKTINFO`), or bind to
//! an address. `rng` is a generator of [`rand_core`] 0.10 that cannot fail: that of the operating system is
//! `rand_core::UnwrapErr(getrandom::SysRng)`, with feature `sys_rng` of `getrandom` 0.4. [`DataPlane::seal`]
//! draws nothing, since IVs are made from sequence numbers, as each cipher permits.
//!
//! # What holds for every call
//! - *Output leaves with its call*: when a call returns, all that follows from it is in its result,
//!   in the buffer, or in the caller's [`Actions`]. Nothing waits inside for another call.
//! - *Progress*: after a deadline at `now`, the next deadline is later than `now`.
//! - *Determinism*: the same inputs, times and random octets give the same output.
//! - *Selectors are checked*: what comes out of a pair of IPsec SAs is what the pair was negotiated
//!   for (RFC 4301 §5.2). There is no way to leave that out.
//! - Time is a [`Duration`](core::time::Duration) since an epoch of the caller's choosing that never
//!   goes back, such as `start.elapsed()`.
//!
//! # Buffers
//! A packet is worked on where it lies: a [`PacketBuf`] is a range of a buffer of yours, and a [`Buffer`]
//! is one with the room that both directions need. A packet from the inside has [`HEADROOM`] octets free
//! before it and [`TAILROOM`] behind it; what arrives from the outside needs none, but transport mode is
//! served in place with [`INBOUND_HEADROOM`]. Nothing is copied and nothing is allocated on the way of a
//! packet that finds its pair and fits its path.
//!
//! # Several cores
//! [`Tunnels`] is a [`Control`] and a [`DataPlane`] in one object. A gateway with several cores has one
//! control and a data plane per core, carries [`Update`]s and [`Notice`]s between them over channels of
//! its own, and steers each packet to the data plane that holds its pair: an update names its pair
//! ([`Update::child`]), and [`ike_sm::ChildTerms::spi_in`] is what datagrams of it begin with. What comes from
//! the inside is steered by its addresses, so that all of a child meets one data plane. Each data plane
//! begins with [`Control::policies`]. Updates and packets share one queue into a data plane: what follows
//! an update then finds it done. Batches go through [`DataPlane::seal_batch`] and
//! [`DataPlane::open_batch`].
//!
//! # What it does not do
//! AH is negotiated by `ike-sm` and refused here. An embedder that wants its keys in a kernel or in
//! hardware takes `ike-sm` alone.
//!
//! # Features
//! `v1` is IKEv1, `render` displays reports of IKE in an [`Event`]; both are on by default.
//!
//! # RFCs
//! 4301 (architecture), 4303 (ESP), 3948 (ESP in UDP), 6040 and 2983 (ECN and DSCP of the outer
//! header), 1191 and 8201 (path MTU); those of IKE are listed in [`ike_sm`].
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod actions;
mod buffer;
mod config;
mod control;
mod data;
mod event;
mod message;
mod tunnels;

/// The code of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use actions::{Actions, Carrier, Transmit};
pub use buffer::Buffer;
pub use config::{
    Config, ConfigError, DataConfig, Exception, HoldLimits, Policy, PolicyAction, Site,
};
pub use control::{Control, ControlAction};
pub use data::{
    Arrival, DataAction, DataPlane, Dropped, Egress, FittingCounters, Fragmentation, HEADROOM,
    INBOUND_HEADROOM, IcmpOutcome, Ingress, NotInstalled, PairStatus, PairSummary, TAILROOM,
};
pub use event::Event;
pub use message::{Deadline, DeadlineReason, Notice, Update};
pub use tunnels::{Action, Received, Sent, Tunnels};

pub use bytes::Bytes;
pub use crypto_suite::{self, Provider, Secret};
pub use esp::{self, PacketBuf};
pub use ike_sm::{self, Answer, ChildId, CloseReason, Command, IkeId, Outcome, Path};
pub use ike_sm::{Question, Selector, Selectors, Ticket};
pub use nat_t;
pub use rand_core::{self, CryptoRng};
