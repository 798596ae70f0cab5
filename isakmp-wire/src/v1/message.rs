//! A whole IKEv1 message.

use super::{PayloadChain, PayloadType};
use crate::error::{ErrorKind, ParseError};
use crate::header::{Flags, Header, Version};
use crate::limits::Limits;

/// An IKEv1 message whose header, lengths and payload chain are sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The ISAKMP header (RFC 2408 §3.1).
    pub header: Header,
    /// What follows the header: payloads, or ciphertext.
    pub body: Body<'a>,
    raw: &'a [u8],
}

/// What follows the header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// The payloads of a message that is not encrypted.
    Clear(PayloadChain<'a>),
    /// The encryption flag is set: opaque until [`Message::decrypted`].
    Encrypted(&'a [u8]),
}

impl<'a> Message<'a> {
    /// Parses one datagram.
    ///
    /// # Errors
    /// A version other than 1.0, a header length other than the datagram's, or a chain that
    /// [`PayloadChain::parse`] refuses.
    pub fn parse(datagram: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        let (header, raw) = Header::parse(datagram, limits)?;
        Self::from_parts(header, raw, limits)
    }

    pub(crate) fn from_parts(
        header: Header,
        raw: &'a [u8],
        limits: &Limits,
    ) -> Result<Self, ParseError> {
        // RFC 2408 §3.1: "Implementations SHOULD never accept packets with a major version number
        // larger than its own", nor with a larger minor one.
        if header.version != Version::V1 {
            let version = usize::from(header.version.0);
            return Err(ParseError::new(
                ErrorKind::UnsupportedVersion,
                17,
                "Version",
                version,
            ));
        }
        let octets = raw.get(Header::LEN..).unwrap_or(&[]);
        let body = if header.flags.contains(Flags::ENCRYPTION) {
            if octets.is_empty() {
                let kind = ErrorKind::Truncated;
                return Err(ParseError::new(kind, Header::LEN, "encrypted payloads", 0));
            }
            Body::Encrypted(octets)
        } else {
            let first = PayloadType(header.next_payload);
            let chain = PayloadChain::parse_at(first, octets, Header::LEN, limits)?;
            // RFC 2408 §3.6: a message may be padded to a multiple of 4 octets; no more than that.
            if chain.padding().len() > 3 {
                let at = raw.len().saturating_sub(chain.padding().len());
                let left = chain.padding().len();
                return Err(ParseError::new(
                    ErrorKind::TrailingBytes,
                    at,
                    "payloads",
                    left,
                ));
            }
            Body::Clear(chain)
        };
        Ok(Self { header, body, raw })
    }

    /// The message as its octets.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The payloads of a message in the clear; an empty chain for an encrypted one.
    #[must_use]
    pub fn payloads(&self) -> PayloadChain<'a> {
        match self.body {
            Body::Clear(chain) => chain,
            Body::Encrypted(_) => PayloadChain::empty(),
        }
    }

    /// The ciphertext of an encrypted message.
    #[must_use]
    pub const fn encrypted(&self) -> Option<&'a [u8]> {
        match self.body {
            Body::Encrypted(octets) => Some(octets),
            Body::Clear(_) => None,
        }
    }

    /// The chain inside an encrypted message, from its decrypted body. Offsets count from the
    /// start of the message.
    ///
    /// # Errors
    /// As [`PayloadChain::parse`]. With a wrong key that is the usual outcome.
    pub fn decrypted<'p>(
        &self,
        plaintext: &'p [u8],
        limits: &Limits,
    ) -> Result<PayloadChain<'p>, ParseError> {
        let first = PayloadType(self.header.next_payload);
        PayloadChain::parse_at(first, plaintext, Header::LEN, limits)
    }
}
