//! Fragment of an IKEv1 message (MS-IKEE §2.2.3.1; Cisco sends the same).
//!
//! ```text
//! | Fragment ID (2) | Fragment Number | Flags | Fragment Data |
//! ```

use super::Payload;
use crate::error::{ErrorKind, ParseError};
use crate::reader::Reader;

/// A validated fragment: a piece of a whole message, header included. Fragments are not
/// authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The number that all fragments of one message share.
    pub id: u16,
    /// 1 for the first fragment; never 0.
    pub number: u8,
    /// LAST_FRAGMENT is set: there are [`Self::number`] fragments.
    pub last: bool,
    /// Fragment data; never empty.
    pub data: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Validates the payload.
    ///
    /// # Errors
    /// A body below 8 octets of payload, number 0, or no data.
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let id = reader.u16("Fragment_ID")?;
        let number = reader.u8("Fragment_Number")?;
        let flags = reader.u8("Flags")?;
        if number == 0 {
            return Err(ParseError::new(
                ErrorKind::InvalidValue,
                payload.body_offset().saturating_add(2),
                "Fragment_Number",
                0,
            ));
        }
        if reader.is_empty() {
            return Err(reader.fault(ErrorKind::LengthTooSmall, "Fragment_Data", 0));
        }
        Ok(Self {
            id,
            number,
            last: flags & 1 != 0,
            data: reader.rest(),
        })
    }
}
