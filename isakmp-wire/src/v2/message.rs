//! A whole IKEv2 message.

use super::{Payload, PayloadChain, PayloadType};
use crate::error::{ErrorKind, ParseError};
use crate::header::{Header, Version};
use crate::limits::Limits;

/// An IKEv2 message whose header, lengths and payload chain are sound. Payloads inside an SK or
/// SKF payload are opaque until it has been opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The header.
    pub header: Header,
    /// The payloads in the clear, SK or SKF among them.
    pub payloads: PayloadChain<'a>,
    raw: &'a [u8],
}

impl<'a> Message<'a> {
    /// Parses one datagram.
    ///
    /// # Errors
    /// A major version other than 2, a header length other than the datagram's, or a chain that
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
        // RFC 7296 §2.5: a higher major version is refused, the minor version is ignored.
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
        Ok(Self {
            header,
            payloads,
            raw,
        })
    }

    /// The message as its octets.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The SK or SKF payload.
    #[must_use]
    pub fn protected(&self) -> Option<Payload<'a>> {
        use crate::chain::sealed::Grammar as _;
        self.payloads
            .iter()
            .find(|payload| payload.payload_type.ends_chain())
    }
}
