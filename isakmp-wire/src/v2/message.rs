//! A whole IKEv2 message.

use super::{Payload, PayloadChain, PayloadType, Protected};
use crate::error::{ErrorKind, ParseError};
use crate::header::{Flags, Header, Version};
use crate::limits::Limits;

/// An IKEv2 message whose header, lengths and payload chain are sound. Payloads inside an SK or
/// SKF payload are opaque until it has been opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The IKE header (RFC 7296 §3.1).
    pub header: Header,
    payloads: PayloadChain<'a>,
    protected: Option<Protected<'a>>,
    raw: &'a [u8],
}

impl<'a> Message<'a> {
    /// Parses one datagram.
    ///
    /// # Errors
    /// A major version other than 2, a header length other than the datagram's, a chain that
    /// [`PayloadChain::parse`] refuses, or an SKF payload whose numbers RFC 7383 §2.6 refuses.
    pub fn parse(datagram: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        let (header, raw) = Header::parse(datagram, limits)?;
        Self::from_parts(header, raw, limits)
    }

    pub(crate) fn from_parts(
        header: Header,
        raw: &'a [u8],
        limits: &Limits,
    ) -> Result<Self, ParseError> {
        // RFC 7296 §2.5: an endpoint that receives "a higher major version number […] MUST drop the
        // message"; the minor one "MUST be ignored by a node with a smaller minor version number".
        if header.version.major() != Version::V2.major() {
            let version = usize::from(header.version.0);
            return Err(ParseError::new(
                ErrorKind::UnsupportedVersion,
                17,
                "Version",
                version,
            ));
        }
        let octets = raw.get(Header::LEN..).unwrap_or(&[]);
        let first = PayloadType(header.next_payload);
        let payloads = PayloadChain::parse_at(first, octets, Header::LEN, limits)?;
        let protected = match payloads.last() {
            Some(last) => Protected::read(&last)?,
            None => None,
        };
        Ok(Self {
            header,
            payloads,
            protected,
            raw,
        })
    }

    /// The payloads in the clear; an SK or SKF payload is the last of them.
    #[must_use]
    pub const fn payloads(&self) -> PayloadChain<'a> {
        self.payloads
    }

    /// The SK or SKF payload, if the message has one.
    #[must_use]
    pub const fn protected(&self) -> Option<Protected<'a>> {
        self.protected
    }

    /// The message as its octets: what AUTH covers (RFC 7296 §2.15), and what is opened in place.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The message answers the request of the same message ID.
    #[must_use]
    pub const fn is_response(&self) -> bool {
        self.header.flags.contains(Flags::RESPONSE)
    }

    /// The original initiator of the IKE SA sent the message.
    #[must_use]
    pub const fn is_from_initiator(&self) -> bool {
        self.header.flags.contains(Flags::INITIATOR)
    }
}

impl<'a> PayloadChain<'a> {
    /// The first payload with the critical bit whose type has no [`super::View`]: the message is
    /// answered with UNSUPPORTED_CRITICAL_PAYLOAD and this number (RFC 7296 §2.5).
    #[must_use]
    pub fn unsupported_critical(&self) -> Option<PayloadType> {
        let unsupported = |p: &Payload<'_>| p.is_critical() && !p.payload_type.is_supported();
        self.iter()
            .find(unsupported)
            .map(|payload| payload.payload_type)
    }
}

impl Payload<'_> {
    /// The critical bit of this payload's own header (RFC 7296 §3.2).
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        self.reserved & 0x80 != 0
    }
}

impl PayloadType {
    /// RFC 7296 or RFC 7383 defines the type, and this crate has a view of it.
    #[must_use]
    pub const fn is_supported(self) -> bool {
        matches!(self.0, 33..=48 | 53)
    }
}
