//! Authentication (RFC 7296 §3.8): Auth Method, RESERVED (3), Authentication Data.

use super::{AuthMethod, Payload};
use crate::error::{ErrorKind, ParseError};
use crate::reader::Reader;

/// A validated Authentication payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authentication<'a> {
    /// How the authentication data is made (RFC 7296 §3.8).
    pub method: AuthMethod,
    /// Authentication data; never empty.
    pub data: &'a [u8],
}

impl<'a> Authentication<'a> {
    /// Validates the payload.
    ///
    /// # Errors
    /// A body without data, or data of [`AuthMethod::DIGITAL_SIGNATURE`] whose algorithm
    /// identifier does not fit or leaves no signature.
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let [method, _, _, _] = reader.array("Auth Method")?;
        if reader.is_empty() {
            return Err(reader.fault(ErrorKind::LengthTooSmall, "Authentication Data", 0));
        }
        let authentication = Self {
            method: AuthMethod(method),
            data: reader.rest(),
        };
        if authentication.method == AuthMethod::DIGITAL_SIGNATURE
            && authentication.digital_signature().is_none()
        {
            let length = authentication.data.len();
            return Err(reader.fault(ErrorKind::LengthMismatch, "AlgorithmIdentifier", length));
        }
        Ok(authentication)
    }

    /// DER of the AlgorithmIdentifier, and the signature (RFC 7427 §3); `None` for another method.
    #[must_use]
    pub fn digital_signature(&self) -> Option<(&'a [u8], &'a [u8])> {
        if self.method != AuthMethod::DIGITAL_SIGNATURE {
            return None;
        }
        let (length, rest) = self.data.split_first()?;
        let (algorithm, signature) = rest.split_at_checked(usize::from(*length))?;
        (!algorithm.is_empty() && !signature.is_empty()).then_some((algorithm, signature))
    }
}
