//! Notify (RFC 7296 §3.10): Protocol ID, SPI Size, Notify Message Type (2), SPI, data.

use super::{NotifyType, Payload};
use crate::error::ParseError;
use crate::reader::Reader;
use crate::registry::ProtocolId;

/// A validated Notify payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify<'a> {
    /// Protocol of the SA that the SPI names; [`ProtocolId::NONE`] without an SPI.
    pub protocol_id: ProtocolId,
    /// The type of the notification: an error below 16384, a status above.
    pub notify_type: NotifyType,
    /// The SPI of the SA that the notification is about; empty where it is about none.
    pub spi: &'a [u8],
    /// The octets that the type defines, as received.
    pub data: &'a [u8],
}

impl<'a> Notify<'a> {
    /// Reads the payload.
    ///
    /// # Errors
    /// A body too short for its fixed part or its SPI.
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let [protocol_id, spi_size, high, low] = reader.array("Protocol ID")?;
        let spi = reader.take(usize::from(spi_size), "SPI")?;
        Ok(Self {
            protocol_id: ProtocolId(protocol_id),
            notify_type: NotifyType(u16::from_be_bytes([high, low])),
            spi,
            data: reader.rest(),
        })
    }

    /// The SPI as a number, when it has the 4 octets of AH and ESP.
    #[must_use]
    pub fn spi_u32(&self) -> Option<u32> {
        self.spi.try_into().ok().map(u32::from_be_bytes)
    }

    /// The data as a number of 2 octets: the group of INVALID_KE_PAYLOAD.
    #[must_use]
    pub fn u16(&self) -> Option<u16> {
        self.data.try_into().ok().map(u16::from_be_bytes)
    }

    /// The data as a number of 4 octets: SET_WINDOW_SIZE, AUTH_LIFETIME.
    #[must_use]
    pub fn u32(&self) -> Option<u32> {
        self.data.try_into().ok().map(u32::from_be_bytes)
    }

    /// The data as numbers of 2 octets: SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4). `None` for an
    /// odd octet.
    #[must_use]
    pub fn u16_list(&self) -> Option<impl Iterator<Item = u16> + Clone + use<'a>> {
        let numbers = self.data.chunks_exact(2);
        if !numbers.remainder().is_empty() {
            return None;
        }
        Some(numbers.filter_map(|pair| pair.try_into().ok().map(u16::from_be_bytes)))
    }
}
