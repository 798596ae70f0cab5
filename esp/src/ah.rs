//! AH (RFC 4302): integrity for whole IP packets, without encryption.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! | Next Header   |  Payload Len  |          RESERVED             |
//! |                 Security Parameters Index (SPI)               |
//! |                    Sequence Number Field                      |
//! +                Integrity Check Value-ICV (variable)           |
//! ```
//!
//! The ICV covers the IP header too, its mutable fields as zeros. A NAT breaks it (RFC 3715 §2.1).

use alloc::boxed::Box;
use core::time::Duration;

use crypto_suite::{CryptoError, Digest, Integrity, IntegrityKey};

use crate::buffer::PacketBuf;
use crate::inbound::{Content, OpenError, Opened, Outer, OuterError};
use crate::ip::{self, IpError, IpHeader, protocol};
use crate::lifetime::{Lifetime, Limit, Meter, Usage};
use crate::outbound::{SealError, Sealed};
use crate::outer::{TunnelHeader, decapsulate_ecn};
use crate::sa::{Spi, last_sequence};
use crate::selector::{Flow, SelectorCheck};
use crate::window::{Check, DEFAULT_WINDOW, ReplayWindow};

mod mask;
use mask::Masked;

/// Octets of an AH before its ICV.
pub const AH_FIXED_LEN: usize = 12;
/// Octets of the longest ICV.
const MAX_ICV_LEN: usize = Digest::MAX_LEN;

/// An AH as read from a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AhHeader {
    /// The protocol of what follows the AH.
    pub next_header: u8,
    /// Octets of the whole header, ICV and padding included.
    pub len: usize,
    /// The SPI, as the header has it: any value, 0 included.
    pub spi: u32,
    /// The low 32 bits of the sequence number.
    pub sequence: u32,
}

impl AhHeader {
    /// Reads the AH at the front of `octets`.
    ///
    /// # Errors
    /// [`IpError::Truncated`], or [`IpError::Length`] for a length below the fixed part.
    pub fn parse(octets: &[u8]) -> Result<Self, IpError> {
        let truncated = |needed| IpError::Truncated {
            len: octets.len(),
            needed,
        };
        let fixed = octets.first_chunk::<AH_FIXED_LEN>();
        let [next_header, words, _, _, s0, s1, s2, s3, q0, q1, q2, q3] =
            *fixed.ok_or(truncated(AH_FIXED_LEN))?;
        // RFC 4302 §2.2: in words, minus two.
        let len = usize::from(words).saturating_add(2).saturating_mul(4);
        if len < AH_FIXED_LEN {
            return Err(IpError::Length {
                what: "AH length",
                value: len,
            });
        }
        if len > octets.len() {
            return Err(truncated(len));
        }
        let spi = u32::from_be_bytes([s0, s1, s2, s3]);
        Ok(Self {
            next_header,
            len,
            spi,
            sequence: u32::from_be_bytes([q0, q1, q2, q3]),
        })
    }
}

/// Octets of an AH with an ICV of `icv_len`: a multiple of 4 for IPv4, of 8 for IPv6
/// (RFC 4302 §3.3.3.2.1).
#[must_use]
pub const fn ah_len(icv_len: usize, v6: bool) -> usize {
    let align: usize = if v6 { 8 } else { 4 };
    AH_FIXED_LEN.saturating_add(icv_len).next_multiple_of(align)
}

/// How an AH SA is set up, in either direction.
#[derive(Clone, Debug)]
pub struct AhConfig {
    /// The SPI that the receiver has chosen for this SA.
    pub spi: Spi,
    /// Tunnel mode: the outer header. The receiver needs any value; it compares nothing to it.
    pub tunnel: Option<TunnelHeader>,
    /// Whether sequence numbers have 64 bits (RFC 4302 §2.5.1).
    pub esn: bool,
    /// When the SA is to be replaced, and when it refuses packets.
    pub lifetime: Lifetime,
    /// Anti-replay window of the receiver, in packets.
    pub window: u32,
    /// What the receiver matches packets against; the sender does not look at it.
    pub selectors: SelectorCheck,
}

impl AhConfig {
    /// An SA in transport mode with 32-bit sequence numbers, the default window and no lifetime
    /// limits. The selectors have no default, see [`SelectorCheck`].
    #[must_use]
    pub const fn new(spi: Spi, selectors: SelectorCheck) -> Self {
        Self {
            spi,
            tunnel: None,
            esn: false,
            lifetime: Lifetime::UNLIMITED,
            window: DEFAULT_WINDOW,
            selectors,
        }
    }
}

struct Signer {
    key: Box<dyn IntegrityKey>,
    icv_len: usize,
}

impl Signer {
    fn new(integrity: &dyn Integrity, key: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self {
            key: integrity.new_key(key)?,
            icv_len: integrity.icv_len().min(MAX_ICV_LEN),
        })
    }

    /// Calls `with` with the octets that the ICV covers: masked headers, AH with a zero ICV, the
    /// rest, the high half of an extended sequence number.
    fn covered<T>(
        &self,
        packet: &[u8],
        header: &IpHeader,
        ah_at: usize,
        esn_high: Option<u32>,
        with: impl FnOnce(&[&[u8]]) -> T,
    ) -> Result<T, IpError> {
        let masked = Masked::of(packet, header, ah_at)?;
        let icv_at = ah_at.saturating_add(AH_FIXED_LEN);
        let behind = icv_at.saturating_add(self.icv_len);
        let fixed = packet.get(ah_at..icv_at).unwrap_or_default();
        let rest = packet.get(behind..header.total_len).unwrap_or_default();
        let zeros = [0u8; MAX_ICV_LEN];
        let zeros = zeros.get(..self.icv_len).unwrap_or_default();
        let high = esn_high.unwrap_or_default().to_be_bytes();
        let high: &[u8] = if esn_high.is_some() { &high } else { &[] };
        Ok(with(&[masked.as_slice(), fixed, zeros, rest, high]))
    }
}

fn high_half(esn: bool, sequence: u64) -> Option<u32> {
    esn.then(|| u32::try_from(sequence >> 32).unwrap_or(u32::MAX))
}

/// The sending half of an AH SA.
pub struct AhOutbound {
    signer: Signer,
    config: AhConfig,
    sequence: u64,
    meter: Meter,
}

impl AhOutbound {
    /// Prepares an SA that is installed at `now`.
    ///
    /// # Errors
    /// The key has the wrong length.
    pub fn new(
        integrity: &dyn Integrity,
        key: &[u8],
        config: AhConfig,
        now: Duration,
    ) -> Result<Self, CryptoError> {
        let meter = Meter::new(config.lifetime, now);
        Ok(Self {
            signer: Signer::new(integrity, key)?,
            config,
            sequence: 0,
            meter,
        })
    }

    /// Octets that must be free before a packet.
    #[must_use]
    pub fn headroom(&self) -> usize {
        let outer = self.config.tunnel.map_or(0, |header| header.len());
        outer.saturating_add(ah_len(self.signer.icv_len, true))
    }

    /// The last sequence number used; 0 before the first packet.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Skips `count` sequence numbers. An SA that is left without any refuses to seal.
    pub const fn skip(&mut self, count: u64) {
        self.sequence = self.sequence.saturating_add(count);
    }

    /// What was used of the lifetime.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.meter.usage
    }

    /// Protects the IP packet in `packet`, in place.
    ///
    /// # Errors
    /// [`SealError`]; packet and SA are unchanged.
    pub fn seal(&mut self, packet: &mut PacketBuf<'_>, now: Duration) -> Result<Sealed, SealError> {
        let inner = IpHeader::parse(packet.as_slice())?;
        let len = packet.len();
        if inner.total_len != len {
            return Err(SealError::InnerLength {
                len,
                total: inner.total_len,
            });
        }
        let last = last_sequence(self.config.esn);
        // RFC 4302 §3.3.2: "the sender MUST NOT send a packet on an SA if doing so would cause the
        // sequence number to cycle".
        if self.sequence >= last {
            return Err(SealError::SequenceExhausted);
        }
        let sequence = self.sequence.saturating_add(1);
        let (ah_at, ah, counted) = match self.config.tunnel {
            Some(outer) => (
                outer.len(),
                ah_len(self.signer.icv_len, outer.source().is_ipv6()),
                len,
            ),
            None if inner.fragment => return Err(SealError::Fragment),
            None => {
                // Refuse what cannot be masked before anything is written.
                Masked::of(packet.as_slice(), &inner, inner.insert_offset)?;
                let ah = ah_len(self.signer.icv_len, inner.source.is_ipv6());
                (
                    inner.insert_offset,
                    ah,
                    len.saturating_sub(inner.insert_offset),
                )
            }
        };
        self.meter.admit(counted, now).map_err(SealError::Expired)?;
        let outer_len = self.config.tunnel.map_or(0, |outer| outer.len());
        let gap = ah.saturating_add(outer_len);
        let total = len.saturating_add(gap);
        if u16::try_from(total).is_err() {
            return Err(SealError::TooLong(total));
        }
        packet.require(gap, 0)?;
        packet.prepend(gap)?;
        let octets = packet.as_mut_slice();
        let next_header = match self.config.tunnel {
            Some(outer) => {
                let class = outer.traffic_class(inner.traffic_class, None);
                let df = outer.dont_fragment(inner.dont_fragment);
                let id = u16::try_from(sequence & 0xffff).unwrap_or_default();
                outer.write(octets, class, df, id, protocol::AH);
                inner.tunnel_next_header()
            }
            None => {
                octets.copy_within(gap..gap.saturating_add(ah_at), 0);
                let next_header = inner.insert_protocol(octets);
                ip::patch(
                    octets,
                    &inner,
                    total,
                    inner.insert_protocol_at,
                    protocol::AH,
                )?;
                next_header
            }
        };
        let low = u32::try_from(sequence & 0xffff_ffff).unwrap_or_default();
        write_header(octets, ah_at, ah, next_header, self.config.spi, low);
        let header = IpHeader::parse(octets)?;
        let high = high_half(self.config.esn, sequence);
        let key = &self.signer.key;
        let icv = self
            .signer
            .covered(octets, &header, ah_at, high, |parts| key.icv(parts))?;
        let icv_at = ah_at.saturating_add(AH_FIXED_LEN);
        let field = octets.get_mut(icv_at..).unwrap_or_default();
        let field = field.get_mut(..self.signer.icv_len).unwrap_or_default();
        field
            .iter_mut()
            .zip(icv.as_ref())
            .for_each(|(to, from)| *to = *from);
        self.sequence = sequence;
        Ok(Sealed {
            sequence,
            soft: self.meter.count_sent(counted, sequence, last, now),
        })
    }
}

fn write_header(
    octets: &mut [u8],
    at: usize,
    len: usize,
    next_header: u8,
    spi: Spi,
    sequence: u32,
) {
    let words = u8::try_from((len / 4).saturating_sub(2)).unwrap_or_default();
    let field = octets.get_mut(at..).unwrap_or_default();
    let field = field.get_mut(..len).unwrap_or_default();
    field.fill(0);
    let fixed = [
        [next_header, words, 0, 0],
        spi.to_be_bytes(),
        sequence.to_be_bytes(),
    ];
    field
        .iter_mut()
        .zip(fixed.as_flattened())
        .for_each(|(to, from)| *to = *from);
}

/// The receiving half of an AH SA.
pub struct AhInbound {
    signer: Signer,
    config: AhConfig,
    window: ReplayWindow,
    meter: Meter,
}

impl AhInbound {
    /// Prepares an SA that is installed at `now`.
    ///
    /// # Errors
    /// The key has the wrong length.
    pub fn new(
        integrity: &dyn Integrity,
        key: &[u8],
        config: AhConfig,
        now: Duration,
    ) -> Result<Self, CryptoError> {
        let window = ReplayWindow::new(config.window);
        let meter = Meter::new(config.lifetime, now);
        Ok(Self {
            signer: Signer::new(integrity, key)?,
            config,
            window,
            meter,
        })
    }

    /// The anti-replay window, whose upper end is the newest sequence number received.
    #[must_use]
    pub const fn window(&self) -> &ReplayWindow {
        &self.window
    }

    /// What was used of the lifetime.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.meter.usage
    }

    /// Verifies the IP packet in `packet` and removes the AH, in tunnel mode the outer header
    /// too. Afterwards `packet` is an IP packet.
    ///
    /// # Errors
    /// [`OpenError`]. Up to [`OpenError::Authentication`] nothing changed.
    pub fn open_ip(
        &mut self,
        packet: &mut PacketBuf<'_>,
        now: Duration,
    ) -> Result<Opened, OpenError> {
        let header = IpHeader::parse(packet.as_slice()).map_err(OuterError::Ip)?;
        // RFC 4302 §3.4.1: of what "appears to be an IP fragment […] the receiver MUST discard the
        // packet".
        if header.fragment {
            return Err(OuterError::Fragment.into());
        }
        if header.protocol != protocol::AH {
            return Err(OuterError::Protocol(header.protocol).into());
        }
        let ah_at = header.upper_offset;
        let body = packet
            .as_slice()
            .get(ah_at..header.total_len)
            .unwrap_or_default();
        let ah = AhHeader::parse(body).map_err(OuterError::Ip)?;
        let len = ah_len(self.signer.icv_len, header.source.is_ipv6());
        if ah.len != len {
            // RFC 4302 §3.3.3.2.1: no more padding than the least.
            return Err(OuterError::Ip(IpError::Length {
                what: "AH length",
                value: ah.len,
            })
            .into());
        }
        if ah.spi != self.config.spi.value() {
            return Err(OpenError::Spi { found: ah.spi });
        }
        self.meter.admit(0, now).map_err(OpenError::Expired)?;
        let sequence = self.judge(ah.sequence)?;
        let high = high_half(self.config.esn, sequence);
        let icv_at = ah_at.saturating_add(AH_FIXED_LEN);
        let icv = packet.as_slice().get(icv_at..).unwrap_or_default();
        let icv = icv.get(..self.signer.icv_len).unwrap_or_default();
        let key = &self.signer.key;
        self.signer
            .covered(packet.as_slice(), &header, ah_at, high, |parts| {
                key.verify(parts, icv)
            })
            .map_err(OuterError::Ip)?
            .map_err(|_| OpenError::Authentication)?;
        // The window moves only behind the integrity check: a forged number must not close it.
        self.window.mark(sequence);
        let content = self.uncover(packet, &header, ah_at.saturating_add(len), ah.next_header)?;
        let soft = self.meter.count(packet.len(), now);
        Ok(Opened {
            sequence,
            content,
            tfc: 0,
            soft,
        })
    }

    /// The full sequence number, if the window lets it pass.
    fn judge(&self, low: u32) -> Result<u64, OpenError> {
        let sequence = if self.config.esn {
            let replayed = OpenError::Replayed {
                sequence: u64::from(low),
            };
            self.window.infer(low).ok_or(replayed)?
        } else {
            u64::from(low)
        };
        match self.window.check(sequence) {
            Check::Fresh => Ok(sequence),
            Check::Replayed => Err(OpenError::Replayed { sequence }),
            Check::TooOld => Err(OpenError::TooOld {
                sequence,
                top: self.window.top(),
            }),
        }
    }

    fn uncover(
        &self,
        packet: &mut PacketBuf<'_>,
        header: &IpHeader,
        behind: usize,
        next_header: u8,
    ) -> Result<Content, OpenError> {
        let start = packet.range().start;
        let end = start.saturating_add(header.total_len);
        let payload = start.saturating_add(behind)..end;
        let outer = Outer {
            addresses: Some((header.source, header.destination)),
            ecn: header.traffic_class & 3,
        };
        if self.config.tunnel.is_none() {
            packet.splice(header.upper_offset, payload);
            let total = packet.len();
            ip::patch(
                packet.as_mut_slice(),
                header,
                total,
                header.protocol_at,
                next_header,
            )
            .map_err(OpenError::Inner)?;
            self.check_selectors(packet)?;
            return Ok(Content::Upper(next_header));
        }
        packet.focus(payload);
        let inner = IpHeader::parse(packet.as_slice()).map_err(OpenError::Inner)?;
        if inner.tunnel_next_header() != next_header {
            return Err(OpenError::NextHeader(next_header));
        }
        packet.truncate(inner.total_len);
        decapsulate_ecn(packet.as_mut_slice(), &inner, outer.ecn)?;
        self.check_selectors(packet)?;
        Ok(Content::Ip(inner))
    }

    fn check_selectors(&self, packet: &PacketBuf<'_>) -> Result<(), OpenError> {
        let SelectorCheck::Match(selectors) = &self.config.selectors else {
            return Ok(());
        };
        let flow = Flow::of(packet.as_slice()).map_err(OpenError::Inner)?;
        if selectors.matches_inbound(&flow) {
            Ok(())
        } else {
            Err(OpenError::Selectors(flow))
        }
    }

    /// The soft limit reached by `now` without a packet, once.
    pub fn soft_expired(&mut self, now: Duration) -> Option<Limit> {
        self.meter.soft(now)
    }
}

#[cfg(test)]
mod tests;
