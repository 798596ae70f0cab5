//! EAP (RFC 7296 §3.16, RFC 3748 §4): Code, Identifier, Length (2), Type, data.

use super::Payload;
use crate::error::{ErrorKind, ParseError};
use crate::reader::Reader;

/// A validated EAP payload. Its data may be a secret, so it has no `Debug` of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Eap<'a> {
    /// Request, response, success or failure.
    pub code: EapCode,
    /// Identifier: a response repeats its request's.
    pub identifier: u8,
    /// Type of a request or response; `None` for success and failure.
    pub eap_type: Option<u8>,
    /// The octets behind the type; empty for success and failure.
    pub data: &'a [u8],
    /// The whole EAP message: what a RADIUS server takes.
    pub message: &'a [u8],
}

/// Code of an EAP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EapCode {
    /// Code 1: a question of the server.
    Request,
    /// Code 2: the peer's answer to a request.
    Response,
    /// Code 3: the server has authenticated the peer.
    Success,
    /// Code 4: the server has refused the peer.
    Failure,
}

impl<'a> Eap<'a> {
    /// Validates the payload.
    ///
    /// # Errors
    /// An unknown code, a length other than the payload's, a request or response without a type,
    /// or a success or failure with data.
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let start = reader;
        let [code, identifier, high, low] = reader.array("Code")?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        // RFC 7296 §3.16: the length "MUST be four less than the Payload Length of the encapsulating
        // payload": all of the body.
        if length != payload.body.len() {
            return Err(start.fault(ErrorKind::LengthMismatch, "Length", length));
        }
        let code = match code {
            1 => EapCode::Request,
            2 => EapCode::Response,
            3 => EapCode::Success,
            4 => EapCode::Failure,
            code => return Err(start.fault(ErrorKind::InvalidValue, "Code", usize::from(code))),
        };
        let eap_type = match code {
            EapCode::Request | EapCode::Response => Some(reader.u8("Type")?),
            EapCode::Success | EapCode::Failure => {
                reader.end("Length")?;
                None
            }
        };
        Ok(Self {
            code,
            identifier,
            eap_type,
            data: reader.rest(),
            message: payload.body,
        })
    }
}

impl core::fmt::Debug for Eap<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Eap")
            .field("code", &self.code)
            .field("identifier", &self.identifier)
            .field("eap_type", &self.eap_type)
            .finish_non_exhaustive()
    }
}
