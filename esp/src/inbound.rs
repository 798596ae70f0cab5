//! The receiving half of an ESP SA (RFC 4303 §3.4): precheck, decrypt, commit.

use alloc::boxed::Box;
use core::net::IpAddr;
use core::time::Duration;

use crypto_suite::{CryptoError, Layout, PacketKey};

use crate::buffer::PacketBuf;
use crate::deadline::Deadline;
use crate::ip::{IpHeader, protocol};
use crate::lifetime::{Lifetime, Limit, Meter, Usage};
use crate::outer::decapsulate_ecn;
use crate::sa::{BuildError, ESP_HEADER_LEN, Shape, Spi, TRAILER_LEN};
use crate::selector::{Flow, SelectorCheck};
use crate::window::{Check, ReplayWindow};

mod batch;
mod carrier;
mod counters;
mod error;
pub use carrier::Carrier;
pub use counters::InboundCounters;
pub use error::{OpenError, OuterError};

/// How an inbound SA is set up.
#[derive(Clone, Debug)]
pub struct InboundConfig {
    /// The SPI that we have chosen, and that the peer's packets bear.
    pub spi: Spi,
    /// Tunnel mode rather than transport mode.
    pub tunnel: bool,
    /// Extended sequence numbers (RFC 4303 §2.2.1).
    pub esn: bool,
    /// Anti-replay window in packets, clamped to 64..=8192.
    pub window: u32,
    /// When the SA is to be replaced, and when it refuses packets.
    pub lifetime: Lifetime,
    /// What a decrypted packet is matched against.
    pub selectors: SelectorCheck,
}

impl InboundConfig {
    /// An SA with 32-bit sequence numbers, the default window and no lifetime limits. The
    /// selectors have no default: without them the peer may send packets from any address.
    #[must_use]
    pub const fn new(spi: Spi, tunnel: bool, selectors: SelectorCheck) -> Self {
        Self {
            spi,
            tunnel,
            esn: false,
            window: crate::window::DEFAULT_WINDOW,
            lifetime: Lifetime::UNLIMITED,
            selectors,
        }
    }
}

/// What the receiver knows of the headers in front of ESP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outer {
    /// Source and destination of the outer IP header. Transport mode needs them to check
    /// selectors.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// ECN field of the outer header, 0 to 3; tunnel mode carries it inwards (RFC 6040).
    pub ecn: u8,
}

/// What the buffer holds after a packet was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Tunnel mode: the inner IP packet, whose header this is.
    Ip(IpHeader),
    /// Transport mode: the upper layer with this protocol.
    Upper(u8),
    /// A dummy (RFC 4303 §2.6): drop it silently. The buffer is empty.
    Dummy,
}

/// What an opened packet has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The sequence number of the packet, its inferred upper half included.
    pub sequence: u64,
    /// What the buffer now holds.
    pub content: Content,
    /// Octets of TFC padding that were dropped.
    pub tfc: usize,
    /// The soft limit that this packet reached; reported once per SA.
    pub soft: Option<Limit>,
}

/// A packet that passed the checks before decryption.
#[derive(Clone, Copy, Debug)]
pub struct Prechecked {
    sequence: u64,
    layout: Layout,
}

/// A packet whose integrity was verified and which was decrypted, not yet committed.
#[derive(Debug)]
#[must_use = "an authenticated packet has to be committed"]
pub struct Decrypted {
    sequence: u64,
}

/// The receiving half of an SA: one owner, no lock, no allocation per packet.
///
/// [`open`](Self::open) is [`precheck`](Self::precheck), [`decrypt`](Self::decrypt) and
/// [`commit`](Self::commit). The first two take `&self`: several threads may run them on one SA
/// while one commits.
pub struct Inbound {
    pub(crate) key: Box<dyn PacketKey>,
    pub(crate) config: InboundConfig,
    shape: Shape,
    pub(crate) window: ReplayWindow,
    pub(crate) meter: Meter,
    pub(crate) counters: InboundCounters,
}

impl Inbound {
    /// Prepares an SA that is installed at `now`.
    ///
    /// # Errors
    /// [`BuildError`]: above all, a key without integrity.
    pub fn new(
        key: Box<dyn PacketKey>,
        config: InboundConfig,
        now: Duration,
    ) -> Result<Self, BuildError> {
        let shape = Shape::of(&*key)?;
        let window = ReplayWindow::new(config.window);
        let meter = Meter::new(config.lifetime, now);
        Ok(Self {
            key,
            config,
            shape,
            window,
            meter,
            counters: InboundCounters::default(),
        })
    }

    /// Opens the ESP packet in `packet`, which begins with its SPI, in place. Afterwards `packet`
    /// is what [`Opened::content`] says.
    ///
    /// # Errors
    /// [`OpenError`]; up to a failed integrity check the packet and the SA are unchanged.
    pub fn open(
        &mut self,
        packet: &mut PacketBuf<'_>,
        outer: &Outer,
        now: Duration,
    ) -> Result<Opened, OpenError> {
        let result = self.try_open(packet, outer, now);
        self.tally(&result);
        result
    }

    fn try_open(
        &mut self,
        packet: &mut PacketBuf<'_>,
        outer: &Outer,
        now: Duration,
    ) -> Result<Opened, OpenError> {
        let prechecked = self.precheck(packet.as_slice(), now)?;
        let decrypted = self.decrypt(packet, prechecked)?;
        self.commit(packet, decrypted, outer, now)
    }

    /// Checks length, SPI, lifetime and replay window; changes nothing.
    ///
    /// # Errors
    /// [`OpenError`] up to [`TooOld`](OpenError::TooOld).
    pub fn precheck(&self, packet: &[u8], now: Duration) -> Result<Prechecked, OpenError> {
        let needed = self.shape.head().saturating_add(self.shape.icv_len);
        let len = packet.len();
        let text = len
            .checked_sub(needed)
            .ok_or(OpenError::Truncated { len, needed })?;
        let needed = needed.saturating_add(TRAILER_LEN);
        if text < TRAILER_LEN {
            return Err(OpenError::Truncated { len, needed });
        }
        let block = self.key.block_len();
        if !text.is_multiple_of(block) {
            return Err(OpenError::Block { len: text, block });
        }
        let header = packet.first_chunk::<ESP_HEADER_LEN>();
        let [s0, s1, s2, s3, q0, q1, q2, q3] =
            *header.ok_or(OpenError::Truncated { len, needed })?;
        let found = u32::from_be_bytes([s0, s1, s2, s3]);
        if found != self.config.spi.value() {
            return Err(OpenError::Spi { found });
        }
        self.meter.admit(0, now).map_err(OpenError::Expired)?;
        let low = u32::from_be_bytes([q0, q1, q2, q3]);
        let sequence = if self.config.esn {
            // App. A2.2 has no value for bits before the first packet: they are no new packet.
            let replayed = OpenError::Replayed {
                sequence: u64::from(low),
            };
            self.window.infer(low).ok_or(replayed)?
        } else {
            u64::from(low)
        };
        // RFC 4303 §3.4.3: "the receiver MUST verify that the packet contains a Sequence Number that
        // does not duplicate the Sequence Number of any other packets".
        self.check_window(sequence)?;
        let high = u32::try_from(sequence >> 32).unwrap_or(u32::MAX);
        Ok(Prechecked {
            sequence,
            layout: Layout::esp(self.config.esn.then_some(high)),
        })
    }

    /// Verifies the ICV and decrypts in place; the SA does not change. `packet` must be the one
    /// that was prechecked.
    ///
    /// # Errors
    /// [`OpenError::Authentication`]; the packet is unchanged.
    pub fn decrypt(
        &self,
        packet: &mut PacketBuf<'_>,
        prechecked: Prechecked,
    ) -> Result<Decrypted, OpenError> {
        match self.key.open(packet.as_mut_slice(), prechecked.layout) {
            Ok(()) => Ok(Decrypted {
                sequence: prechecked.sequence,
            }),
            Err(error) => Err(self.crypto_error(error, packet.len())),
        }
    }

    /// Moves the window, counts the packet, and reduces the buffer to its payload.
    ///
    /// # Errors
    /// [`OpenError::Replayed`] or [`OpenError::TooOld`] if another packet was committed since the
    /// precheck; the errors about what is inside.
    pub fn commit(
        &mut self,
        packet: &mut PacketBuf<'_>,
        decrypted: Decrypted,
        outer: &Outer,
        now: Duration,
    ) -> Result<Opened, OpenError> {
        let sequence = decrypted.sequence;
        // Again: two copies of a packet may both have passed the precheck, on two threads.
        self.check_window(sequence)?;
        // RFC 4303 §3.4.3: the window moves only now, behind the integrity check.
        self.window.mark(sequence);
        packet.truncate(packet.len().saturating_sub(self.shape.icv_len));
        packet.trim_front(self.shape.head());
        let next_header = strip_padding(packet)?;
        let content = self.content(packet, next_header)?;
        let with_tfc = packet.len();
        match content {
            Content::Ip(inner) => {
                // RFC 4303 §3.4.4.1: this "discards" any TFC padding, which lies behind the packet.
                packet.truncate(inner.total_len);
                decapsulate_ecn(packet.as_mut_slice(), &inner, outer.ecn)?;
            }
            Content::Upper(_) => {}
            Content::Dummy => packet.truncate(0),
        }
        self.check_selectors(packet, content, outer)?;
        let tfc = match content {
            Content::Dummy => 0,
            _ => with_tfc.saturating_sub(packet.len()),
        };
        let soft = self.meter.count(packet.len(), now);
        Ok(Opened {
            sequence,
            content,
            tfc,
            soft,
        })
    }

    /// The SPI that we have chosen, and that the peer's packets bear.
    #[must_use]
    pub const fn spi(&self) -> Spi {
        self.config.spi
    }

    /// How the SA was set up.
    #[must_use]
    pub const fn config(&self) -> &InboundConfig {
        &self.config
    }

    /// Lets other packets in: those of a peer in transport mode that has moved to another address.
    pub fn set_selectors(&mut self, selectors: SelectorCheck) {
        self.config.selectors = selectors;
    }

    /// The anti-replay window, whose upper end is the newest sequence number received.
    #[must_use]
    pub const fn window(&self) -> &ReplayWindow {
        &self.window
    }

    /// The packets opened and refused so far. [`open`](Self::open) counts; a caller of its three
    /// parts uses [`tally`](Self::tally).
    #[must_use]
    pub const fn counters(&self) -> &InboundCounters {
        &self.counters
    }

    /// What was used of the lifetime.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.meter.usage
    }

    /// Kilobytes and time left before the hard limits.
    #[must_use]
    pub fn remaining(&self, now: Duration) -> (Option<u64>, Option<Duration>) {
        self.meter.remaining(now)
    }

    /// When a time limit is reached next, and which. The SA itself needs no call then: it refuses
    /// packets by the time of each, and [`soft_expired`](Self::soft_expired) tells of a soft limit.
    #[must_use]
    pub fn next_deadline(&self, now: Duration) -> Option<Deadline> {
        self.meter.next_deadline(now)
    }

    /// The soft limit reached by `now` without a packet, once.
    pub fn soft_expired(&mut self, now: Duration) -> Option<Limit> {
        self.meter.soft(now)
    }

    /// Adds one outcome to the counters: for a caller of the three parts of `open`.
    pub fn tally(&mut self, result: &Result<Opened, OpenError>) {
        self.counters.bytes = self.meter.usage.bytes;
        self.counters.tally(result);
    }

    fn check_window(&self, sequence: u64) -> Result<(), OpenError> {
        match self.window.check(sequence) {
            Check::Fresh => Ok(()),
            Check::Replayed => Err(OpenError::Replayed { sequence }),
            Check::TooOld => Err(OpenError::TooOld {
                sequence,
                top: self.window.top(),
            }),
        }
    }

    /// Lengths were checked before: what is left is the ICV.
    fn crypto_error(&self, error: CryptoError, len: usize) -> OpenError {
        match error {
            CryptoError::PacketTooShort { needed, .. } => OpenError::Truncated { len, needed },
            CryptoError::NotBlockAligned { len, block } => OpenError::Block { len, block },
            _ => OpenError::Authentication,
        }
    }

    fn content(&self, packet: &PacketBuf<'_>, next_header: u8) -> Result<Content, OpenError> {
        match next_header {
            // RFC 4303 §2.6: "a receiver MUST be prepared to discard such packets, without indicating
            // an error".
            protocol::NO_NEXT_HEADER => Ok(Content::Dummy),
            _ if !self.config.tunnel => Ok(Content::Upper(next_header)),
            protocol::IPV4 | protocol::IPV6 => {
                let inner = IpHeader::parse(packet.as_slice()).map_err(OpenError::Inner)?;
                if inner.tunnel_next_header() != next_header {
                    let version = if inner.source.is_ipv4() { 4 } else { 6 };
                    return Err(OpenError::InnerVersion {
                        next_header,
                        version,
                    });
                }
                Ok(Content::Ip(inner))
            }
            other => Err(OpenError::NextHeader(other)),
        }
    }

    fn check_selectors(
        &self,
        packet: &PacketBuf<'_>,
        content: Content,
        outer: &Outer,
    ) -> Result<(), OpenError> {
        let SelectorCheck::Match(selectors) = &self.config.selectors else {
            return Ok(());
        };
        let flow = match content {
            Content::Dummy => return Ok(()),
            Content::Ip(inner) => {
                let upper = packet
                    .as_slice()
                    .get(inner.upper_offset..)
                    .unwrap_or_default();
                let upper = if inner.later_fragment { &[] } else { upper };
                Flow::new(inner.source, inner.destination, inner.protocol, upper)
            }
            Content::Upper(next_header) => {
                let (source, destination) = outer.addresses.ok_or(OpenError::AddressesUnknown)?;
                Flow::new(source, destination, next_header, packet.as_slice())
            }
        };
        // RFC 4301 §5.2: a packet that is not consistent with the selectors, "it MUST discard".
        if selectors.matches_inbound(&flow) {
            Ok(())
        } else {
            Err(OpenError::Selectors(flow))
        }
    }
}

/// Removes padding and trailer from a plaintext, returns the next header.
fn strip_padding(packet: &mut PacketBuf<'_>) -> Result<u8, OpenError> {
    let text = packet.as_slice();
    let too_short = OpenError::Truncated {
        len: text.len(),
        needed: TRAILER_LEN,
    };
    let (body, trailer) = text.split_last_chunk::<TRAILER_LEN>().ok_or(too_short)?;
    let [pad, next_header] = *trailer;
    let available = body.len();
    let pad_len = usize::from(pad);
    let keep = available.checked_sub(pad_len).ok_or(OpenError::PadLength {
        pad: pad_len,
        available,
    })?;
    let padding = body.get(keep..).unwrap_or_default();
    // RFC 4303 §2.4: "the receiver SHOULD inspect the Padding field". Behind a good ICV an error is
    // no padding oracle.
    if let Some((at, found)) = (1u8..).zip(padding).find(|(at, found)| at != *found) {
        return Err(OpenError::Padding { at, found: *found });
    }
    packet.truncate(keep);
    Ok(next_header)
}

impl core::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Inbound")
            .field("config", &self.config)
            .field("window", &self.window)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
