//! Key exchange (RFC 7296 §3.4): Diffie-Hellman Group Num (2), RESERVED (2), Key Exchange Data.

use super::{KeyExchangeMethod, Payload};
use crate::error::{ErrorKind, ParseError};
use crate::reader::Reader;

/// A validated Key Exchange payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyExchange<'a> {
    /// Group or method the data belongs to.
    pub method: KeyExchangeMethod,
    /// Public value, or KEM key or ciphertext; never empty.
    pub data: &'a [u8],
}

impl<'a> KeyExchange<'a> {
    /// Validates the payload.
    ///
    /// # Errors
    /// A body without data.
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let [high, low, _, _] = reader.array("Diffie-Hellman Group Num")?;
        if reader.is_empty() {
            return Err(reader.fault(ErrorKind::LengthTooSmall, "Key Exchange Data", 0));
        }
        let method = KeyExchangeMethod(u16::from_be_bytes([high, low]));
        Ok(Self {
            method,
            data: reader.rest(),
        })
    }
}
