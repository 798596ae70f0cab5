//! Enhanced GRE, version 1, as PPTP uses it (RFC 2637 §4.1). A codec only: PPTP's control
//! connection and sliding window are not part of this crate.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |C|R|K|S|s|Recur|A| Flags | Ver |         Protocol Type         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |    Key (HW) Payload Length    |       Key (LW) Call ID        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                  Sequence Number (Optional)                   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |               Acknowledgment Number (Optional)                |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use crate::header::{flag, headroom};
use crate::packet::{Fields, first_word, recursion, version};
use crate::{EncodeError, EtherType, ParseError, ParseErrorKind};

/// A received version 1 packet, checked once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    call_id: u16,
    sequence: Option<u32>,
    acknowledgment: Option<u32>,
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads `bytes`, the payload of the delivery header. Octets behind the stated payload length
    /// (link-layer padding) are left out.
    ///
    /// # Errors
    /// Truncation, another version, flags RFC 2637 §4.1 fixes otherwise, a payload length beyond
    /// the bytes, or a payload without a sequence number.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let (flags, protocol) = first_word(bytes)?;
        match flags & flag::VERSION {
            1 => {}
            other => return Err(version(other)),
        }
        if flags & flag::CHECKSUM != 0 {
            return Err(ParseErrorKind::ChecksumInVersion1.at(0));
        }
        if flags & flag::ROUTING != 0 {
            return Err(ParseErrorKind::RoutingPresent.at(0));
        }
        if flags & flag::KEY == 0 {
            return Err(ParseErrorKind::KeyMissing.at(0));
        }
        if flags & flag::STRICT_SOURCE_ROUTE != 0 {
            return Err(ParseErrorKind::StrictSourceRoute.at(0));
        }
        if flags & flag::RECURSION != 0 {
            return Err(recursion(flags));
        }
        if flags & flag::VERSION_1_RESERVED != 0 {
            let [_, low] = ((flags & flag::VERSION_1_RESERVED) >> 3).to_be_bytes();
            return Err(ParseErrorKind::Flags(low).at(1));
        }
        if protocol != EtherType::PPP {
            return Err(ParseErrorKind::NotPpp(protocol).at(2));
        }
        let mut fields = Fields { bytes, at: 4 };
        let [l0, l1, c0, c1] = fields.word("key")?;
        let stated = u16::from_be_bytes([l0, l1]);
        let sequence = fields.optional(flags & flag::SEQUENCE, "sequence number")?;
        let acknowledgment =
            fields.optional(flags & flag::ACKNOWLEDGMENT, "acknowledgment number")?;
        let rest = fields.rest();
        let Some(payload) = rest.get(..usize::from(stated)) else {
            return Err(ParseErrorKind::PayloadLength {
                stated,
                available: rest.len(),
            }
            .at(4));
        };
        // RFC 2637 §4.1: S is one exactly if a payload is present.
        if sequence.is_none() && stated != 0 {
            return Err(ParseErrorKind::PayloadWithoutSequence(stated).at(4));
        }
        Ok(Self {
            call_id: u16::from_be_bytes([c0, c1]),
            sequence,
            acknowledgment,
            payload,
        })
    }

    /// The Call ID that the receiver of the packet has chosen.
    #[must_use]
    pub const fn call_id(&self) -> u16 {
        self.call_id
    }

    /// The number of the payload, where there is one.
    #[must_use]
    pub const fn sequence(&self) -> Option<u32> {
        self.sequence
    }

    /// The highest sequence number the sender received.
    #[must_use]
    pub const fn acknowledgment(&self) -> Option<u32> {
        self.acknowledgment
    }

    /// The PPP frame, empty in a pure acknowledgment.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The header that would be sent to say the same.
    #[must_use]
    pub const fn header(&self) -> Header {
        Header {
            call_id: self.call_id,
            sequence: self.sequence,
            acknowledgment: self.acknowledgment,
        }
    }
}

/// A version 1 header to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The Call ID that the peer has chosen.
    pub call_id: u16,
    /// Sequence Number; needed with a payload.
    pub sequence: Option<u32>,
    /// The highest sequence number received, where one is acknowledged (RFC 2637 §4.1).
    pub acknowledgment: Option<u32>,
}

impl Header {
    /// Octets on the wire: 8, 12 or 16. This is the headroom [`encapsulate`](Self::encapsulate)
    /// needs.
    #[must_use]
    pub const fn len(&self) -> usize {
        match (self.sequence, self.acknowledgment) {
            (None, None) => 8,
            (Some(_), Some(_)) => 16,
            _ => 12,
        }
    }

    /// Never: a version 1 header has at least eight octets.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Writes the header right before the payload at `payload_at`; gives back where the packet
    /// starts.
    ///
    /// # Errors
    /// No headroom, a payload above 65,535 octets, or one without a sequence number. The buffer is
    /// unchanged then.
    pub fn encapsulate(&self, buffer: &mut [u8], payload_at: usize) -> Result<usize, EncodeError> {
        let start = headroom(buffer, payload_at, self.len())?;
        let payload_len = buffer.len().saturating_sub(payload_at);
        let length = u16::try_from(payload_len).map_err(|_| EncodeError::TooLong(payload_len))?;
        if length != 0 && self.sequence.is_none() {
            return Err(EncodeError::PayloadWithoutSequence);
        }
        let mut flags = flag::KEY | 1;
        if self.sequence.is_some() {
            flags |= flag::SEQUENCE;
        }
        if self.acknowledgment.is_some() {
            flags |= flag::ACKNOWLEDGMENT;
        }
        let [f0, f1] = flags.to_be_bytes();
        let [p0, p1] = EtherType::PPP.0.to_be_bytes();
        let [l0, l1] = length.to_be_bytes();
        let [c0, c1] = self.call_id.to_be_bytes();
        let words = [Some([f0, f1, p0, p1]), Some([l0, l1, c0, c1])]
            .into_iter()
            .chain([self.sequence, self.acknowledgment].map(|field| field.map(u32::to_be_bytes)))
            .flatten();
        let packet = buffer.get_mut(start..).unwrap_or_default();
        for (to, word) in packet.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *to = word;
        }
        Ok(start)
    }
}
