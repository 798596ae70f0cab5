//! The version 0 header to send (RFC 2784 §2.1 with the extensions of RFC 2890).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |C| |K|S| Reserved0       | Ver |         Protocol Type         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      Checksum (optional)      |       Reserved1 (Optional)    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                         Key (optional)                        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                 Sequence Number (Optional)                    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use crate::checksum::checksum;
use crate::{EncodeError, EtherType};

/// The flag bits, as in the first two octets.
pub(crate) mod flag {
    pub(crate) const CHECKSUM: u16 = 0x8000;
    pub(crate) const ROUTING: u16 = 0x4000;
    pub(crate) const KEY: u16 = 0x2000;
    pub(crate) const SEQUENCE: u16 = 0x1000;
    pub(crate) const STRICT_SOURCE_ROUTE: u16 = 0x0800;
    pub(crate) const RECURSION: u16 = 0x0700;
    /// The one recursion bit that RFC 2784 §2.3 orders to refuse (bit 5).
    pub(crate) const RECURSION_HIGH: u16 = 0x0400;
    /// Version 1 only (RFC 2637 §4.1).
    pub(crate) const ACKNOWLEDGMENT: u16 = 0x0080;
    pub(crate) const VERSION_1_RESERVED: u16 = 0x0078;
    pub(crate) const VERSION: u16 = 0x0007;
    /// What makes a version 0 packet one to discard.
    pub(crate) const REFUSED: u16 = ROUTING | STRICT_SOURCE_ROUTE | RECURSION_HIGH | VERSION;
    /// What makes a version 0 header longer than four octets.
    pub(crate) const OPTIONS: u16 = CHECKSUM | KEY | SEQUENCE;
}

/// A version 0 GRE header: what to write in front of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the payload is: the field Protocol Type.
    pub protocol: EtherType,
    /// Whether to compute and send the checksum (RFC 2784 §2.2).
    pub checksum: bool,
    /// The key of the tunnel or flow, if packets have one (RFC 2890 §2.1).
    pub key: Option<u32>,
    /// The packet's number in its flow, if packets have one (RFC 2890 §2.2).
    pub sequence: Option<u32>,
}

impl Header {
    /// The longest version 0 header that is ever sent: 16 octets.
    pub const MAX_LEN: usize = 16;

    /// The four-octet header without options.
    #[must_use]
    pub const fn new(protocol: EtherType) -> Self {
        Self {
            protocol,
            checksum: false,
            key: None,
            sequence: None,
        }
    }

    /// Octets on the wire: 4, 8, 12 or 16. This is the headroom [`encapsulate`](Self::encapsulate)
    /// needs.
    #[must_use]
    pub const fn len(&self) -> usize {
        match (self.checksum, self.key.is_some(), self.sequence.is_some()) {
            (false, false, false) => 4,
            (true, false, false) | (false, true, false) | (false, false, true) => 8,
            (true, true, false) | (true, false, true) | (false, true, true) => 12,
            (true, true, true) => 16,
        }
    }

    /// Never: a GRE header has at least four octets.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Writes the header right before the payload that starts at `payload_at` and reaches to the
    /// end of `buffer`; the payload itself is not moved. Gives back where the packet starts:
    /// `payload_at` − [`len`](Self::len).
    ///
    /// # Errors
    /// [`EncodeError::Headroom`] or [`EncodeError::PayloadOffset`]; the buffer is unchanged then.
    #[inline]
    pub fn encapsulate(&self, buffer: &mut [u8], payload_at: usize) -> Result<usize, EncodeError> {
        let start = headroom(buffer, payload_at, self.len())?;
        self.write(buffer.get_mut(start..).unwrap_or_default());
        Ok(start)
    }

    /// Writes the header to the start of `packet`, which ends with its payload.
    #[inline]
    pub(crate) fn write(&self, packet: &mut [u8]) {
        let [f0, f1] = self.flags().to_be_bytes();
        let [p0, p1] = self.protocol.0.to_be_bytes();
        // `headroom` has found room for the whole header.
        let Some((first, mut rest)) = packet.split_first_chunk_mut::<4>() else {
            return;
        };
        *first = [f0, f1, p0, p1];
        let mut put = |word: [u8; 4]| {
            if let Some((to, behind)) = core::mem::take(&mut rest).split_first_chunk_mut::<4>() {
                *to = word;
                rest = behind;
            }
        };
        if self.checksum {
            put([0; 4]);
        }
        if let Some(key) = self.key {
            put(key.to_be_bytes());
        }
        if let Some(sequence) = self.sequence {
            put(sequence.to_be_bytes());
        }
        if self.checksum {
            let sum = checksum(packet).to_be_bytes();
            if let Some(field) = packet.get_mut(4..6) {
                field.copy_from_slice(&sum);
            }
        }
    }

    const fn flags(&self) -> u16 {
        let mut flags = 0;
        if self.checksum {
            flags |= flag::CHECKSUM;
        }
        if self.key.is_some() {
            flags |= flag::KEY;
        }
        if self.sequence.is_some() {
            flags |= flag::SEQUENCE;
        }
        flags
    }
}

/// Where a header of `needed` octets in front of `payload_at` starts.
#[inline]
pub(crate) fn headroom(
    buffer: &[u8],
    payload_at: usize,
    needed: usize,
) -> Result<usize, EncodeError> {
    if payload_at > buffer.len() {
        return Err(EncodeError::PayloadOffset {
            at: payload_at,
            len: buffer.len(),
        });
    }
    payload_at.checked_sub(needed).ok_or(EncodeError::Headroom {
        needed,
        available: payload_at,
    })
}
