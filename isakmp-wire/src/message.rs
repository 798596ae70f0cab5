//! A message of either version.

use crate::error::{ErrorKind, ParseError};
use crate::header::{Header, Version};
use crate::limits::Limits;
use crate::{v1, v2};

/// A message of either version, told apart by the major version of its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A message with major version 1.
    V1(v1::Message<'a>),
    /// A message with major version 2.
    V2(v2::Message<'a>),
}

impl<'a> Message<'a> {
    /// Parses one datagram, without the non-ESP marker of port 4500: one forward pass, no
    /// allocation.
    ///
    /// # Errors
    /// As [`v1::Message::parse`] and [`v2::Message::parse`]; a major version other than 1 and 2.
    pub fn parse(datagram: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        let (header, raw) = Header::parse(datagram, limits)?;
        match header.version.major() {
            1 => v1::Message::from_parts(header, raw, limits).map(Self::V1),
            2 => v2::Message::from_parts(header, raw, limits).map(Self::V2),
            _ => {
                let Version(version) = header.version;
                let kind = ErrorKind::UnsupportedVersion;
                Err(ParseError::new(kind, 17, "Version", usize::from(version)))
            }
        }
    }

    /// The ISAKMP header, which both versions share.
    #[must_use]
    pub const fn header(&self) -> &Header {
        match self {
            Self::V1(message) => &message.header,
            Self::V2(message) => &message.header,
        }
    }

    /// The message as its octets.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        match self {
            Self::V1(message) => message.raw(),
            Self::V2(message) => message.raw(),
        }
    }
}
