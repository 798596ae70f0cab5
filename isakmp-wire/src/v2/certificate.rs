//! Certificate and certificate request (RFC 7296 §3.6, §3.7): Cert Encoding, data.

use super::{CertEncoding, Payload};
use crate::error::{ErrorKind, ParseError};
use crate::reader::Reader;

/// The body of a Certificate payload (RFC 7296 §3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// What kind of certificate the data is.
    pub encoding: CertEncoding,
    /// Certificate data; never empty.
    pub data: &'a [u8],
}

/// A Certificate Request payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateRequest<'a> {
    /// The kind of certificate that is asked for.
    pub encoding: CertEncoding,
    /// SHA-1 hashes of the public keys of acceptable authorities, or what the encoding defines;
    /// empty for any.
    pub authority: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Validates the payload.
    ///
    /// # Errors
    /// A body without an encoding octet or without data.
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let encoding = CertEncoding(reader.u8("Cert Encoding")?);
        if reader.is_empty() {
            return Err(reader.fault(ErrorKind::LengthTooSmall, "Certificate Data", 0));
        }
        Ok(Self {
            encoding,
            data: reader.rest(),
        })
    }

    /// SHA-1 hash and URL of a certificate or bundle kept elsewhere (encodings 12 and 13).
    #[must_use]
    pub fn hash_and_url(&self) -> Option<(&'a [u8; 20], &'a [u8])> {
        match self.encoding {
            CertEncoding::HASH_AND_URL_CERTIFICATE | CertEncoding::HASH_AND_URL_BUNDLE => {
                self.data.split_first_chunk::<20>()
            }
            _ => None,
        }
    }
}

impl<'a> CertificateRequest<'a> {
    /// Reads the payload.
    ///
    /// # Errors
    /// A body without an encoding octet.
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let encoding = CertEncoding(reader.u8("Cert Encoding")?);
        Ok(Self {
            encoding,
            authority: reader.rest(),
        })
    }

    /// The SHA-1 hashes of the authorities' public keys, for the encodings that have them
    /// (4, 12, 13); octets that fill no hash are left out.
    pub fn authority_hashes(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let hashes = match self.encoding {
            CertEncoding::X509_SIGNATURE
            | CertEncoding::HASH_AND_URL_CERTIFICATE
            | CertEncoding::HASH_AND_URL_BUNDLE => self.authority,
            _ => &[],
        };
        hashes.chunks_exact(20)
    }
}
