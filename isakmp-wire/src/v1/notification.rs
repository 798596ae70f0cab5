//! Notification (RFC 2408 §3.14).
//!
//! ```text
//! | DOI (4) | Protocol-ID | SPI Size | Notify Message Type (2) | SPI | Notification Data |
//! ```

use super::{Doi, NotifyType, Payload};
use crate::attribute::Attributes;
use crate::error::ParseError;
use crate::limits::Limits;
use crate::reader::Reader;
use crate::registry::ProtocolId;

/// A validated Notification payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The Domain of Interpretation that protocol and type belong to.
    pub doi: Doi,
    /// Protocol the notification is about.
    pub protocol_id: ProtocolId,
    /// The type of the notification: an error, or a status.
    pub notify_type: NotifyType,
    /// SPI: both cookies for ISAKMP, or none.
    pub spi: &'a [u8],
    /// The octets that the type defines, as received.
    pub data: &'a [u8],
    data_offset: usize,
}

impl<'a> Notification<'a> {
    /// Reads the payload.
    ///
    /// # Errors
    /// A body too short for its fixed part or its SPI.
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let doi = Doi(reader.u32("DOI")?);
        let [protocol_id, spi_size, high, low] = reader.array("Protocol-ID")?;
        let spi = reader.take(usize::from(spi_size), "SPI")?;
        Ok(Self {
            doi,
            protocol_id: ProtocolId(protocol_id),
            notify_type: NotifyType(u16::from_be_bytes([high, low])),
            spi,
            data: reader.rest(),
            data_offset: reader.offset(),
        })
    }

    /// The SPI as a number, when it has the 4 octets of AH and ESP.
    #[must_use]
    pub fn spi_u32(&self) -> Option<u32> {
        self.spi.try_into().ok().map(u32::from_be_bytes)
    }

    /// The data as a number of 4 octets: the sequence number of R-U-THERE and its answer
    /// (RFC 3706 §5.3), the value of REPLAY-STATUS (RFC 2407 §4.6.3.2).
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        self.data.try_into().ok().map(u32::from_be_bytes)
    }

    /// The data as attributes: RESPONDER-LIFETIME (RFC 2407 §4.6.3.1).
    ///
    /// # Errors
    /// As [`Attributes::parse`].
    pub fn attributes(&self, limits: &Limits) -> Result<Attributes<'a>, ParseError> {
        Attributes::parse(self.data, self.data_offset, limits.attributes)
    }
}
