//! Encrypted and authenticated payloads: SK (RFC 7296 §3.14) and SKF (RFC 7383 §2.5).
//!
//! ```text
//! SK   | generic header (4) | IV | payloads | Padding | Pad Length | ICV |
//! SKF  | generic header (4) | Fragment Number (2) | Total Fragments (2) | IV | ... as SK
//! ```
//!
//! What is authenticated but not encrypted starts with the header of the message and ends with the
//! fixed part of the payload (RFC 5282 §5.1): [`Protected::aad_len`] octets. The IV, the
//! ciphertext and the ICV follow, to the end of the message.

use super::{Payload, PayloadType, Writer};
use crate::error::{BuildError, ErrorKind, ParseError};
use crate::reader::Reader;
use crate::writer::{Buffer, u8_field};

/// An SK or SKF payload that has not been opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protected<'a> {
    /// Type of the first payload inside; [`PayloadType::NONE`] in the second and later fragments.
    pub first: PayloadType,
    /// Which fragment the payload is, for SKF; none for SK.
    pub fragment: Option<FragmentNumber>,
    /// Octets of the message in front of the IV.
    pub aad_len: usize,
    /// IV, ciphertext and ICV, one behind the other.
    pub data: &'a [u8],
}

/// Place of a fragment in its message: `1 <= number <= total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FragmentNumber {
    /// The number of this fragment, counted from 1 (RFC 7383 §2.5).
    pub number: u16,
    /// The number of fragments that the message was split into.
    pub total: u16,
}

impl<'a> Protected<'a> {
    /// Reads an SK or SKF payload; `None` for another one.
    pub(super) fn read(payload: &Payload<'a>) -> Result<Option<Self>, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let fragment = match payload.payload_type {
            PayloadType::ENCRYPTED => None,
            PayloadType::ENCRYPTED_FRAGMENT => Some(FragmentNumber::read(&mut reader, payload)?),
            _ => return Ok(None),
        };
        Ok(Some(Self {
            first: payload.next_payload,
            fragment,
            aad_len: reader.offset(),
            data: reader.rest(),
        }))
    }
}

impl FragmentNumber {
    fn read(reader: &mut Reader<'_>, payload: &Payload<'_>) -> Result<Self, ParseError> {
        let start = *reader;
        let number = reader.u16("Fragment Number")?;
        let total = reader.u16("Total Fragments")?;
        // RFC 7383 §2.5: "This field MUST NOT be zero" of both, and the number "MUST be less than or
        // equal to" the total.
        if number == 0 || number > total {
            let kind = ErrorKind::InvalidValue;
            return Err(start.fault(kind, "Fragment Number", usize::from(number)));
        }
        // RFC 7383 §2.5: only the first fragment names a payload, in the rest "this field MUST be set
        // to zero".
        let first = payload.next_payload;
        if number > 1 && first != PayloadType::NONE {
            let kind = ErrorKind::UnexpectedPayload;
            let value = usize::from(first.0);
            return Err(ParseError::new(kind, payload.offset, "Next Payload", value));
        }
        Ok(Self { number, total })
    }
}

/// The payloads of a decrypted SK payload, or the chunk of an SKF payload, without its padding.
///
/// # Errors
/// No Pad Length, or one that is larger than what is there. Call it on authenticated octets only.
pub fn unpad(plaintext: &[u8]) -> Result<&[u8], ParseError> {
    let fault = |value| ParseError::new(ErrorKind::Truncated, plaintext.len(), "Pad Length", value);
    let (pad_len, rest) = plaintext.split_last().ok_or(fault(0))?;
    let pad_len = usize::from(*pad_len);
    rest.len()
        .checked_sub(pad_len)
        .and_then(|len| rest.get(..len))
        .ok_or(fault(pad_len))
}

/// What the negotiated algorithms make of an SK or SKF payload, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The length of the initialization vector.
    pub iv_len: usize,
    /// The length of the integrity checksum data at the end.
    pub icv_len: usize,
    /// Payloads, padding and Pad Length fill a multiple of this; 1 for AEAD ciphers.
    pub block_len: usize,
}

impl Protection {
    /// Octets of plaintext that fit into a fragment of a message of at most `message_len` octets
    /// whose SKF payload is the first.
    #[must_use]
    pub fn fragment_capacity(&self, message_len: usize) -> usize {
        // Header 28, generic header 4, fragment number and total 4.
        let fixed = self.iv_len.saturating_add(self.icv_len).saturating_add(36);
        let room = message_len.saturating_sub(fixed);
        let whole_blocks = room.saturating_sub(room.checked_rem(self.block_len).unwrap_or(0));
        whole_blocks.saturating_sub(1)
    }

    /// Octets of padding in front of the Pad Length.
    fn padding(&self, plaintext_len: usize) -> usize {
        let with_length = plaintext_len.saturating_add(1);
        let block_len = self.block_len.max(1);
        with_length
            .next_multiple_of(block_len)
            .saturating_sub(with_length)
    }
}

/// A written SK or SKF payload, ready to be sealed in place once the message is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Octets of the message in front of the IV.
    pub aad_len: usize,
}

impl<'s> Writer<'s> {
    /// SK: `fill` writes the payloads inside. The IV and the ICV are left zero, for the packet key
    /// that seals the finished message in place.
    ///
    /// # Errors
    /// What `fill` returns.
    pub fn encrypted(
        &mut self,
        protection: &Protection,
        fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
    ) -> Result<Sealed, BuildError> {
        self.protected(PayloadType::ENCRYPTED, None, protection, |out| {
            let mut inside = out.inside();
            fill(&mut inside)?;
            Ok(inside.first())
        })
    }

    /// SK over payloads that are octets already; see [`Writer::chain_only`].
    ///
    /// # Errors
    /// As [`Writer::payload`].
    pub fn encrypted_octets(
        &mut self,
        protection: &Protection,
        first: PayloadType,
        payloads: &[u8],
    ) -> Result<Sealed, BuildError> {
        self.protected(PayloadType::ENCRYPTED, None, protection, |out| {
            out.put(payloads)?;
            Ok(first)
        })
    }

    /// SKF: one chunk of the payloads that an SK payload would hold (RFC 7383 §2.5). `first` is
    /// written into the first fragment only.
    ///
    /// # Errors
    /// [`BuildError::BadLength`] for a number of 0 or above the total.
    pub fn encrypted_fragment(
        &mut self,
        protection: &Protection,
        fragment: FragmentNumber,
        first: PayloadType,
        chunk: &[u8],
    ) -> Result<Sealed, BuildError> {
        if fragment.number == 0 || fragment.number > fragment.total {
            let length = usize::from(fragment.number);
            return Err(BuildError::BadLength {
                what: "Fragment Number",
                length,
            });
        }
        let first = if fragment.number == 1 {
            first
        } else {
            PayloadType::NONE
        };
        self.protected(
            PayloadType::ENCRYPTED_FRAGMENT,
            Some(fragment),
            protection,
            |out| {
                out.put(chunk)?;
                Ok(first)
            },
        )
    }

    fn protected(
        &mut self,
        payload_type: PayloadType,
        fragment: Option<FragmentNumber>,
        protection: &Protection,
        fill: impl FnOnce(&mut Buffer<'s>) -> Result<PayloadType, BuildError>,
    ) -> Result<Sealed, BuildError> {
        let mut aad_len = 0;
        let mut first = PayloadType::NONE;
        let written = self.compose(payload_type, 0, |out| {
            if let Some(FragmentNumber { number, total }) = fragment {
                out.put(&number.to_be_bytes())?;
                out.put(&total.to_be_bytes())?;
            }
            aad_len = out.len();
            out.zeros(protection.iv_len)?;
            let start = out.len();
            first = fill(out)?;
            let pad_len = protection.padding(out.len().saturating_sub(start));
            let pad_field = u8_field("Pad Length", pad_len)?;
            out.zeros(pad_len)?;
            out.put(&[pad_field])?;
            out.zeros(protection.icv_len)
        })?;
        self.out.patch(written.raw().start, &[first.0])?;
        Ok(Sealed { aad_len })
    }
}
