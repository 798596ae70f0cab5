//! The keepalive machine of a point-to-point tunnel.
//!
//! A keepalive is a packet to ourselves that the peer forwards back like any other; the peer needs
//! no state for it. Every period one is sent and a counter goes up; one that comes back resets it.
//! Once the counter has reached the retries when the next is due, the line protocol goes down and
//! data is held off until a keepalive comes back.
//!
//! ```
//! use core::time::Duration;
//! use gre::keepalive::{Action, Config, Event, Inbound, Keepalive, Outcome};
//! use gre::{Actions, IpPacket};
//! # use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//!
//! let config = Config::new([9, 1, 1, 146].into(), [9, 1, 1, 35].into());
//! let mut keepalive = Keepalive::new(config, Duration::ZERO)?;
//! let mut actions = Actions::new();
//! # let mut rng = ChaCha20Rng::seed_from_u64(1);
//! // `rng` is a secure generator of yours.
//!
//! // The loop: sleep until the deadline or a packet, hand it over, carry out the actions.
//! let now = keepalive.next_deadline().unwrap().at;
//! let outcome = keepalive.handle(Event::Deadline, now, &mut rng, &mut actions);
//! assert_eq!(outcome, Outcome::Handled);
//! let Some(Action::Send(packet)) = actions.pop() else { panic!("a keepalive is due") };
//! assert_eq!(packet.as_bytes().len(), 48);
//!
//! // The peer decapsulates and forwards; this is what comes back.
//! let back = &packet.as_bytes()[24..];
//! let delivery = IpPacket::parse(back)?;
//! let inbound = Inbound { delivery: &delivery, gre: &delivery.gre()?, protected: false };
//! let outcome = keepalive.handle(Event::Received(inbound), now, &mut rng, &mut actions);
//! assert_eq!(outcome, Outcome::Handled);
//! assert_eq!(keepalive.unanswered(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod wire;

use core::time::Duration;

use rand_core::CryptoRng;

pub use config::{Config, ConfigError, InnerDestination, Quirks, Wrapper};
pub use wire::Datagram;

use crate::{Actions, Deadline, DeadlineReason, IpPacket, Packet};
use wire::{Kind, NONCE_LEN};

/// How many of the last nonces are recognised.
const NONCES: usize = 8;

/// What happens to a tunnel.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The time of [`Keepalive::next_deadline`] is reached.
    Deadline,
    /// A packet arrived from the tunnel: every one of them, data included.
    Received(Inbound<'a>),
}

/// A received packet, its headers parsed.
#[derive(Debug, Clone, Copy)]
pub struct Inbound<'a> {
    /// The delivery header as received.
    pub delivery: &'a IpPacket<'a>,
    /// The GRE packet that the delivery header carries.
    pub gre: &'a Packet<'a>,
    /// Whether the packet came protected by IPsec.
    pub protected: bool,
}

/// What the embedder has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Send our keepalive, a complete IP packet, to the peer's tunnel end.
    Send(Datagram),
    /// Forward the peer's keepalive back, a complete IP packet to the peer's tunnel end. Like any
    /// packet it follows the routes and the IPsec policy.
    Reply(Datagram),
    /// The line protocol is up again: data may pass.
    LinkUp,
    /// The line protocol is down: data is held off.
    LinkDown {
        /// Keepalives sent without an answer.
        unanswered: u8,
    },
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Outcome {
    /// The event was taken in; a packet was a keepalive and is not to be decapsulated.
    Handled,
    /// The packet is not a keepalive, and the line protocol is up: decapsulate the packet.
    Data,
    /// The event was refused, and the machine is as it was.
    Dropped(DropReason),
}

/// Why an event changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// A deadline event before its time.
    #[error("not due yet")]
    NotDue,
    /// The delivery header's addresses are not the tunnel's ends.
    #[error("not between the tunnel's ends")]
    NotOurTunnel,
    /// The packet has another key than the tunnel's, or none.
    #[error("wrong key")]
    Key,
    /// IPsec did not protect it, and has to.
    #[error("not protected by IPsec")]
    Unprotected,
    /// A keepalive came back while none is out.
    #[error("no keepalive outstanding")]
    Unsolicited,
    /// A keepalive came back that is not one of those sent last.
    #[error("not a keepalive sent from here")]
    NotOurs,
    /// The peer's keepalive is not one: other addresses, another key, a nested packet.
    #[error("the peer's keepalive is malformed")]
    BadRequest,
    /// The peer's keepalive has no TTL left for the way back.
    #[error("TTL used up")]
    TtlUsedUp,
    /// The peer has sent more keepalives in this second than are answered.
    #[error("too many keepalives of the peer")]
    TooManyRequests,
    /// Data while the line protocol is down.
    #[error("line protocol is down")]
    LineProtocolDown,
}

/// Counters of one tunnel's keepalives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Number of our keepalives that were sent.
    pub sent: u64,
    /// Keepalives that came back.
    pub returned: u64,
    /// Keepalives of the peer that were sent back.
    pub replied: u64,
    /// Times the line protocol went down.
    pub went_down: u64,
}

/// The keepalive machine of one tunnel.
#[derive(Debug, Clone)]
pub struct Keepalive {
    config: Config,
    up: bool,
    unanswered: u8,
    deadline: Duration,
    nonces: [Option<u64>; NONCES],
    replies: Replies,
    counters: Counters,
}

impl Keepalive {
    /// A machine whose line protocol is up; its first keepalive is due at `now`.
    ///
    /// # Errors
    /// A configuration that cannot work.
    pub fn new(config: Config, now: Duration) -> Result<Self, ConfigError> {
        if config.local.is_ipv4() != config.remote.is_ipv4() {
            return Err(ConfigError::MixedFamilies);
        }
        if config.local == config.remote {
            return Err(ConfigError::SameEnds);
        }
        if config.period.is_zero() {
            return Err(ConfigError::PeriodZero);
        }
        if config.retries == 0 {
            return Err(ConfigError::RetriesZero);
        }
        if config.ttl < 2 {
            return Err(ConfigError::Ttl(config.ttl));
        }
        Ok(Self {
            config,
            up: true,
            unanswered: 0,
            deadline: now,
            nonces: [None; NONCES],
            replies: Replies::default(),
            counters: Counters::default(),
        })
    }

    /// Takes in one event at the time `now` and appends what follows from it to `actions`. `rng`
    /// is drawn from for the nonce of a keepalive, where [`Config::nonce`] asks for one.
    pub fn handle(
        &mut self,
        event: Event<'_>,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<Action>,
    ) -> Outcome {
        match event {
            Event::Deadline => self.on_deadline(now, rng, actions),
            Event::Received(inbound) => self.on_received(inbound, now, actions),
        }
    }

    /// When to come back with [`Event::Deadline`]. There always is a next keepalive.
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Deadline> {
        Some(Deadline {
            at: self.deadline,
            why: DeadlineReason::Keepalive,
        })
    }

    /// Whether the line protocol is up: data may be sent.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// Keepalives sent since one came back.
    #[must_use]
    pub const fn unanswered(&self) -> u8 {
        self.unanswered
    }

    /// The configuration that the machine was made with.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What was counted since the machine was made.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn on_deadline(
        &mut self,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<Action>,
    ) -> Outcome {
        if now < self.deadline {
            return Outcome::Dropped(DropReason::NotDue);
        }
        if self.up && self.unanswered >= self.config.retries {
            self.up = false;
            self.counters.went_down = self.counters.went_down.saturating_add(1);
            actions.push(Action::LinkDown {
                unanswered: self.unanswered,
            });
        }
        let nonce = self.config.nonce.then(|| rng.next_u64());
        // The addresses were checked when the machine was made: building cannot fail.
        if let Ok(packet) = wire::build(&self.config, nonce) {
            actions.push(Action::Send(packet));
            self.unanswered = self.unanswered.saturating_add(1);
            self.counters.sent = self.counters.sent.saturating_add(1);
            self.nonces.rotate_right(1);
            if let Some(newest) = self.nonces.first_mut() {
                *newest = nonce;
            }
        }
        // From now on, not from the deadline: a late embedder does not send a burst.
        self.deadline = now.saturating_add(self.config.period);
        Outcome::Handled
    }

    fn on_received(
        &mut self,
        inbound: Inbound<'_>,
        now: Duration,
        actions: &mut Actions<Action>,
    ) -> Outcome {
        let outcome = match self.decide(&inbound, now) {
            Ok(decision) => decision,
            Err(reason) => return Outcome::Dropped(reason),
        };
        match outcome {
            Decision::Data => Outcome::Data,
            Decision::Returned => {
                self.unanswered = 0;
                self.nonces = [None; NONCES];
                self.counters.returned = self.counters.returned.saturating_add(1);
                if !self.up {
                    self.up = true;
                    actions.push(Action::LinkUp);
                }
                Outcome::Handled
            }
            Decision::Reply(packet) => {
                self.replies.count(now);
                self.counters.replied = self.counters.replied.saturating_add(1);
                actions.push(Action::Reply(packet));
                Outcome::Handled
            }
        }
    }

    fn decide(&self, inbound: &Inbound<'_>, now: Duration) -> Result<Decision, DropReason> {
        let Inbound {
            delivery,
            gre,
            protected,
        } = *inbound;
        if delivery.source() != self.config.remote || delivery.destination() != self.config.local {
            return Err(DropReason::NotOurTunnel);
        }
        if gre.key() != self.config.key {
            return Err(DropReason::Key);
        }
        if self.config.require_protection && !protected {
            return Err(DropReason::Unprotected);
        }
        match wire::classify(&self.config, gre) {
            Kind::Data if self.up => Ok(Decision::Data),
            Kind::Data => Err(DropReason::LineProtocolDown),
            Kind::Returned(payload) => self.check_returned(payload).map(|()| Decision::Returned),
            Kind::BadRequest => Err(DropReason::BadRequest),
            Kind::Request(inner, bytes) => {
                if !self.replies.allows(self.config.replies_per_second, now) {
                    return Err(DropReason::TooManyRequests);
                }
                wire::reply(&self.config, &inner, bytes)
                    .map(Decision::Reply)
                    .ok_or(DropReason::TtlUsedUp)
            }
        }
    }

    fn check_returned(&self, payload: &[u8]) -> Result<(), DropReason> {
        if self.unanswered == 0 {
            return Err(DropReason::Unsolicited);
        }
        let ours = match self.config.nonce {
            false => payload.is_empty(),
            true => match <[u8; NONCE_LEN]>::try_from(payload) {
                Ok(octets) => self.nonces.contains(&Some(u64::from_be_bytes(octets))),
                Err(_) => false,
            },
        };
        if ours {
            Ok(())
        } else {
            Err(DropReason::NotOurs)
        }
    }
}

enum Decision {
    Data,
    Returned,
    Reply(Datagram),
}

/// How many replies went out in the second that began at `since`.
#[derive(Debug, Clone, Copy, Default)]
struct Replies {
    since: Duration,
    count: u32,
}

impl Replies {
    fn allows(&self, limit: u32, now: Duration) -> bool {
        // A limit of 0 answers nothing, in a new second too.
        self.is_over(now) && limit > 0 || self.count < limit
    }

    fn count(&mut self, now: Duration) {
        if self.is_over(now) {
            *self = Self {
                since: now,
                count: 0,
            };
        }
        self.count = self.count.saturating_add(1);
    }

    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= Duration::from_secs(1)
    }
}

#[cfg(test)]
mod tests;
