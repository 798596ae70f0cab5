//! IPsec pass-through of a port-translating router, as a pure state machine.
//!
//! Many inside hosts share one public address, and ESP has no ports that tell their packets apart. IKE is told
//! apart by the initiator cookie while source port 500 is kept; ESP by SPI in the *restricted*
//! mode: one inside host at a time opens a new SPI towards an outside host, the first packet that
//! comes back from there with an unknown SPI is taken for the answer and binds both SPIs. A
//! simulator puts this box between two endpoints.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use crate::{Deadline, DeadlineReason};

/// What the box keeps and for how long.
#[derive(Clone, Copy, Debug)]
pub struct PatConfig {
    /// Idle time after which a translation goes. 300 s by default.
    pub idle: Duration,
    /// How long an opened ESP translation may wait for its answer and so block other hosts,
    /// counted from its first packet. 300 s by default.
    pub wait: Duration,
    /// Translations of either kind that the table holds. 4096 by default.
    pub capacity: usize,
    /// Endpoints that choose inbound SPIs by an agreed rule (`spi-match`) let the box compute the
    /// answer's SPI from the SPI sent, and no host blocks another.
    pub predict: Option<fn(u32) -> u32>,
}

impl Default for PatConfig {
    fn default() -> Self {
        let idle = Duration::from_secs(300);
        Self {
            idle,
            wait: idle,
            capacity: 4096,
            predict: None,
        }
    }
}

/// The translation of one pair of ESP SAs, which an outbound packet has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EspTranslation {
    /// The inside host that opened the translation.
    pub inside: IpAddr,
    /// The outside host that its packets go to.
    pub outside: IpAddr,
    /// SPI of the packets that go out.
    pub outbound_spi: u32,
    /// SPI of the packets that come back, once bound.
    pub inbound_spi: Option<u32>,
    /// When the translation was created, on the caller's clock.
    pub created: Duration,
    /// When a packet last used it.
    pub used: Duration,
}

#[derive(Clone, Copy, Debug)]
struct IkeTranslation {
    inside: IpAddr,
    outside: IpAddr,
    cookie: [u8; 8],
    used: Duration,
}

/// Why a packet was not translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Another inside host waits for the first answer of the same outside host.
    #[error("{waiting} waits for an answer of the same outside host")]
    Busy {
        /// The inside host whose translation waits.
        waiting: IpAddr,
    },
    /// The table holds as many translations as it may.
    #[error("translation table full")]
    Full,
    /// No inside host has asked for this packet.
    #[error("no translation for this packet")]
    NoTranslation,
    /// The cookie or SPI belongs to another inside host.
    #[error("in use by {owner}")]
    Collision {
        /// The inside host that the cookie or SPI belongs to.
        owner: IpAddr,
    },
}

/// What the box did with a packet that it let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Passed {
    /// The packet passed by an existing translation.
    Existing {
        /// The inside host that the translation belongs to.
        inside: IpAddr,
    },
    /// An outbound packet made a translation, which now waits for the answer.
    Opened {
        /// The inside host that sent the packet.
        inside: IpAddr,
        /// The outside host that the packet goes to.
        outside: IpAddr,
        /// The SPI of the packet, by which its successors are recognised.
        spi: u32,
    },
    /// An inbound packet was the awaited answer and bound its SPI.
    Bound {
        /// The inside host that has waited for the packet.
        inside: IpAddr,
        /// The outside host that the packet comes from.
        outside: IpAddr,
        /// The SPI of the packet, by which its successors are recognised.
        spi: u32,
    },
}

impl Passed {
    /// The inside host that sent the packet or gets it.
    #[must_use]
    pub const fn inside(self) -> IpAddr {
        match self {
            Self::Existing { inside }
            | Self::Opened { inside, .. }
            | Self::Bound { inside, .. } => inside,
        }
    }
}

/// Written in the words of `debug ip nat ipsec`.
impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Existing { inside } => write!(f, "using ESP translation IL={inside}"),
            Self::Opened {
                inside,
                outside,
                spi,
            } => write!(
                f,
                "created In->Out ESP translation IL={inside} SPI=0x{spi:X}, OG={outside}, \
                 wait for Out->In reply"
            ),
            Self::Bound {
                inside,
                outside,
                spi,
            } => {
                write!(
                    f,
                    "new Out->In ESP transl OG={outside} SPI=0x{spi:X}, IL={inside}"
                )
            }
        }
    }
}

/// The translation table of one public address.
#[derive(Clone, Debug, Default)]
pub struct Pat {
    config: PatConfig,
    esp: Vec<EspTranslation>,
    ike: Vec<IkeTranslation>,
}

impl Pat {
    /// A table without translations.
    #[must_use]
    pub const fn new(config: PatConfig) -> Self {
        Self {
            config,
            esp: Vec::new(),
            ike: Vec::new(),
        }
    }

    /// An ESP packet from inside to outside.
    ///
    /// # Errors
    /// [`Refused`]; the packet is dropped and no translation changed.
    pub fn esp_outbound(
        &mut self,
        inside: IpAddr,
        outside: IpAddr,
        spi: u32,
        now: Duration,
    ) -> Result<Passed, Refused> {
        self.handle(now);
        let known = |entry: &&mut EspTranslation| {
            entry.outside == outside && entry.outbound_spi == spi && entry.inside == inside
        };
        if let Some(entry) = self.esp.iter_mut().find(known) {
            entry.used = entry.used.max(now);
            return Ok(Passed::Existing { inside });
        }
        let inbound_spi = self.config.predict.map(|predict| predict(spi));
        let blocks = |entry: &&EspTranslation| {
            entry.outside == outside
                && entry.inside != inside
                && match inbound_spi {
                    None => entry.inbound_spi.is_none(),
                    predicted => entry.inbound_spi == predicted,
                }
        };
        if let Some(entry) = self.esp.iter().find(blocks) {
            return Err(match inbound_spi {
                None => Refused::Busy {
                    waiting: entry.inside,
                },
                Some(_) => Refused::Collision {
                    owner: entry.inside,
                },
            });
        }
        self.room()?;
        self.esp.push(EspTranslation {
            inside,
            outside,
            outbound_spi: spi,
            inbound_spi,
            created: now,
            used: now,
        });
        Ok(Passed::Opened {
            inside,
            outside,
            spi,
        })
    }

    /// An ESP packet from outside to the public address; the result names the inside host.
    ///
    /// # Errors
    /// [`Refused::NoTranslation`]: a new SPI must go from inside to outside first.
    pub fn esp_inbound(
        &mut self,
        outside: IpAddr,
        spi: u32,
        now: Duration,
    ) -> Result<Passed, Refused> {
        self.handle(now);
        let bound = |entry: &&mut EspTranslation| {
            entry.outside == outside && entry.inbound_spi == Some(spi)
        };
        if let Some(entry) = self.esp.iter_mut().find(bound) {
            entry.used = entry.used.max(now);
            return Ok(Passed::Existing {
                inside: entry.inside,
            });
        }
        // All that wait for this outside host belong to one inside host; the oldest is served.
        let waiting =
            |entry: &&mut EspTranslation| entry.outside == outside && entry.inbound_spi.is_none();
        let entry = self
            .esp
            .iter_mut()
            .find(waiting)
            .ok_or(Refused::NoTranslation)?;
        entry.inbound_spi = Some(spi);
        entry.used = entry.used.max(now);
        Ok(Passed::Bound {
            inside: entry.inside,
            outside,
            spi,
        })
    }

    /// An IKE datagram (port 500, kept) from inside to outside, by its initiator cookie.
    ///
    /// # Errors
    /// The table is full, or the cookie belongs to another inside host.
    pub fn ike_outbound(
        &mut self,
        inside: IpAddr,
        outside: IpAddr,
        initiator_cookie: [u8; 8],
        now: Duration,
    ) -> Result<(), Refused> {
        self.handle(now);
        if let Some(entry) = self.ike_entry(outside, initiator_cookie) {
            if entry.inside != inside {
                return Err(Refused::Collision {
                    owner: entry.inside,
                });
            }
            entry.used = entry.used.max(now);
            return Ok(());
        }
        self.room()?;
        self.ike.push(IkeTranslation {
            inside,
            outside,
            cookie: initiator_cookie,
            used: now,
        });
        Ok(())
    }

    /// An IKE datagram from outside; the result is the inside host. An exchange that the outside
    /// host begins has a cookie of its own and finds no translation.
    ///
    /// # Errors
    /// [`Refused::NoTranslation`].
    pub fn ike_inbound(
        &mut self,
        outside: IpAddr,
        initiator_cookie: [u8; 8],
        now: Duration,
    ) -> Result<IpAddr, Refused> {
        self.handle(now);
        let entry = self
            .ike_entry(outside, initiator_cookie)
            .ok_or(Refused::NoTranslation)?;
        entry.used = entry.used.max(now);
        Ok(entry.inside)
    }

    /// Removes what is idle or has waited too long at `now`. Nothing is to be done about a
    /// translation that has gone, so no actions come out; and each call with a packet does the
    /// same before it looks the packet up.
    pub fn handle(&mut self, now: Duration) {
        let config = self.config;
        self.esp.retain(|entry| now < entry.expiry(&config).at);
        self.ike
            .retain(|entry| now < entry.used.saturating_add(config.idle));
    }

    /// When [`handle`](Self::handle) next has a translation to remove, if no packet uses it before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        let esp = self.esp.iter().map(|entry| entry.expiry(&self.config));
        let ike = self.ike.iter().map(|entry| Deadline {
            at: entry.used.saturating_add(self.config.idle),
            why: DeadlineReason::IdleTranslation,
        });
        esp.chain(ike).min()
    }

    /// The ESP translations, oldest first.
    pub fn esp_translations(&self) -> impl Iterator<Item = &EspTranslation> {
        self.esp.iter()
    }

    /// The number of translations, of ESP and of IKE.
    #[must_use]
    pub fn len(&self) -> usize {
        self.esp.len().saturating_add(self.ike.len())
    }

    /// Whether there is no translation.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn room(&self) -> Result<(), Refused> {
        if self.len() < self.config.capacity {
            Ok(())
        } else {
            Err(Refused::Full)
        }
    }

    fn ike_entry(&mut self, outside: IpAddr, cookie: [u8; 8]) -> Option<&mut IkeTranslation> {
        self.ike
            .iter_mut()
            .find(|entry| entry.outside == outside && entry.cookie == cookie)
    }
}

impl EspTranslation {
    /// When this translation is removed: idle, or (unbound) after its wait, which outbound packets
    /// do not prolong.
    fn expiry(&self, config: &PatConfig) -> Deadline {
        match self.inbound_spi {
            Some(_) => Deadline {
                at: self.used.saturating_add(config.idle),
                why: DeadlineReason::IdleTranslation,
            },
            None => Deadline {
                at: self.created.saturating_add(config.wait),
                why: DeadlineReason::UnansweredTranslation,
            },
        }
    }
}

#[cfg(test)]
mod tests;
