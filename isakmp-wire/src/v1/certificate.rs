//! Certificate and certificate request (RFC 2408 §3.9, §3.10).

use super::{CertEncoding, Payload};
use crate::error::ParseError;
use crate::reader::Reader;

/// The body of a Certificate payload (RFC 2408 §3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// What kind of certificate the data is.
    pub encoding: CertEncoding,
    /// The certificate in its encoding, not looked into.
    pub data: &'a [u8],
}

/// A Certificate Request payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateRequest<'a> {
    /// The kind of certificate that is asked for.
    pub encoding: CertEncoding,
    /// DER name of an acceptable authority; empty for any.
    pub authority: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads the payload.
    ///
    /// # Errors
    /// A body without an encoding octet.
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let encoding = CertEncoding(reader.u8("Cert Encoding")?);
        Ok(Self {
            encoding,
            data: reader.rest(),
        })
    }
}

impl<'a> CertificateRequest<'a> {
    /// Reads the payload.
    ///
    /// # Errors
    /// A body without a type octet.
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let encoding = CertEncoding(reader.u8("Cert. Type")?);
        Ok(Self {
            encoding,
            authority: reader.rest(),
        })
    }
}
