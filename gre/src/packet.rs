//! Version 0 packets as received (RFC 2784 §2, RFC 2890).

use crate::checksum::{Sum, checksum};
use crate::header::flag;
use crate::{EtherType, Header, ParseError, ParseErrorKind, pptp};

/// A received version 0 packet, checked once. Borrows the bytes it was parsed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    flags: u16,
    protocol: EtherType,
    checksum: Option<u16>,
    key: Option<u32>,
    sequence: Option<u32>,
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads `bytes`, the whole payload of the delivery header, and verifies the checksum if there
    /// is one (RFC 2784 §2.2: MUST).
    ///
    /// # Errors
    /// Truncation, another version, one of the RFC 1701 bits that RFC 2784 §2.3 orders to refuse,
    /// or a wrong checksum.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let packet = Self::parse_unverified(bytes)?;
        // A sum over the packet with its checksum in place is zero; −0 and +0 are one value.
        if let Some(found) = packet.checksum
            && checksum(bytes) != 0
        {
            let computed = computed_checksum(bytes);
            return Err(ParseErrorKind::Checksum { found, computed }.at(4));
        }
        Ok(packet)
    }

    /// Parses a packet without looking at its checksum: for dissectors of captures cut short.
    ///
    /// # Errors
    /// The errors of [`parse`](Self::parse), without that of the checksum.
    #[inline]
    pub fn parse_unverified(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (flags, protocol) = first_word(bytes)?;
        // RFC 2784 §2.3: "A receiver MUST discard a packet where any of bits 1-5 are non-zero, unless
        // that receiver implements RFC 1701." Key and sequence number are RFC 2890's.
        if flags & flag::REFUSED != 0 {
            return Err(refused(flags));
        }
        if flags & flag::OPTIONS == 0 {
            return Ok(Self {
                flags,
                protocol,
                checksum: None,
                key: None,
                sequence: None,
                payload: bytes.get(4..).unwrap_or_default(),
            });
        }
        let mut fields = Fields { bytes, at: 4 };
        let checksum = match flags & flag::CHECKSUM {
            0 => None,
            _ => {
                let [a, b, ..] = fields.word("checksum")?;
                Some(u16::from_be_bytes([a, b]))
            }
        };
        let key = fields.optional(flags & flag::KEY, "key")?;
        let sequence = fields.optional(flags & flag::SEQUENCE, "sequence number")?;
        Ok(Self {
            flags,
            protocol,
            checksum,
            key,
            sequence,
            payload: fields.rest(),
        })
    }

    /// What the payload is: the field Protocol Type.
    #[must_use]
    pub const fn protocol(&self) -> EtherType {
        self.protocol
    }

    /// The checksum field as received, where the packet has one.
    #[must_use]
    pub const fn checksum(&self) -> Option<u16> {
        self.checksum
    }

    /// The key, where present (RFC 2890 §2.1).
    #[must_use]
    pub const fn key(&self) -> Option<u32> {
        self.key
    }

    /// The sequence number, where present (RFC 2890 §2.2).
    #[must_use]
    pub const fn sequence(&self) -> Option<u32> {
        self.sequence
    }

    /// The first two octets: flags, reserved bits and version.
    #[must_use]
    pub const fn flags(&self) -> u16 {
        self.flags
    }

    /// The payload: what lies behind the GRE header.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The header that would be sent to say the same.
    #[must_use]
    pub const fn header(&self) -> Header {
        Header {
            protocol: self.protocol,
            checksum: self.checksum.is_some(),
            key: self.key,
            sequence: self.sequence,
        }
    }
}

/// Why a packet with these flags is discarded: another version, or one of bits 1 to 5 (RFC 2784 §2.3) but Key and
/// Sequence (RFC 2890 §2). Bits 6 to 12 are ignored.
#[cold]
fn refused(flags: u16) -> ParseError {
    match flags & flag::VERSION {
        0 if flags & flag::ROUTING != 0 => ParseErrorKind::RoutingPresent.at(0),
        0 if flags & flag::STRICT_SOURCE_ROUTE != 0 => ParseErrorKind::StrictSourceRoute.at(0),
        0 => recursion(flags),
        other => version(other),
    }
}

/// What the checksum of `bytes` would have to be.
#[cold]
fn computed_checksum(bytes: &[u8]) -> u16 {
    match (bytes.get(..4), bytes.get(6..)) {
        (Some(before), Some(behind)) => Sum::ZERO.octets(before).octets(behind).finish(),
        _ => 0,
    }
}

/// A GRE packet of either version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnyPacket<'a> {
    /// A packet of version 0 (RFC 2784, RFC 2890).
    V0(Packet<'a>),
    /// PPTP's enhanced GRE (RFC 2637 §4.1).
    V1(pptp::Packet<'a>),
}

impl<'a> AnyPacket<'a> {
    /// Reads a packet by the version it states.
    ///
    /// # Errors
    /// As [`Packet::parse`] and [`pptp::Packet::parse`]; [`ParseErrorKind::Version`] above 1.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (flags, _) = first_word(bytes)?;
        match flags & flag::VERSION {
            0 => Packet::parse(bytes).map(Self::V0),
            1 => pptp::Packet::parse(bytes).map(Self::V1),
            other => Err(version(other)),
        }
    }
}

/// Flags and Protocol Type.
#[inline]
pub(crate) fn first_word(bytes: &[u8]) -> Result<(u16, EtherType), ParseError> {
    let [f0, f1, p0, p1] = Fields { bytes, at: 0 }.word("GRE header")?;
    Ok((
        u16::from_be_bytes([f0, f1]),
        EtherType(u16::from_be_bytes([p0, p1])),
    ))
}

pub(crate) fn version(bits: u16) -> ParseError {
    let [_, low] = bits.to_be_bytes();
    ParseErrorKind::Version(low).at(1)
}

pub(crate) fn recursion(flags: u16) -> ParseError {
    let [high, _] = (flags & flag::RECURSION).to_be_bytes();
    ParseErrorKind::RecursionControl(high).at(0)
}

/// The optional words behind the first.
pub(crate) struct Fields<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Fields<'a> {
    #[inline]
    pub(crate) fn word(&mut self, what: &'static str) -> Result<[u8; 4], ParseError> {
        let rest = self.rest();
        let Some(word) = rest.first_chunk::<4>() else {
            let needed = self.at.saturating_add(4);
            let available = self.bytes.len();
            return Err(ParseErrorKind::Truncated {
                what,
                needed,
                available,
            }
            .at(self.at));
        };
        self.at = self.at.saturating_add(4);
        Ok(*word)
    }

    #[inline]
    pub(crate) fn optional(
        &mut self,
        present: u16,
        what: &'static str,
    ) -> Result<Option<u32>, ParseError> {
        if present == 0 {
            return Ok(None);
        }
        self.word(what).map(|word| Some(u32::from_be_bytes(word)))
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}
