//! Delete (RFC 7296 §3.11): Protocol ID, SPI Size, Num of SPIs (2), SPIs.

use super::Payload;
use crate::error::{ErrorKind, ParseError};
use crate::limits::Limits;
use crate::reader::Reader;
use crate::registry::ProtocolId;

/// A validated Delete payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delete<'a> {
    /// [`ProtocolId::IKE`] for the IKE SA itself, or the protocol of the Child SAs.
    pub protocol_id: ProtocolId,
    spis: &'a [u8],
}

impl<'a> Delete<'a> {
    /// Validates the payload.
    ///
    /// # Errors
    /// An SPI size other than 0 for IKE and 4 for AH and ESP, another protocol, a count that
    /// disagrees with the octets, or more SPIs than [`Limits::spis`].
    pub fn parse(payload: &Payload<'a>, limits: &Limits) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let start = reader;
        let [protocol_id, spi_size, high, low] = reader.array("Protocol ID")?;
        let protocol_id = ProtocolId(protocol_id);
        let fault = |kind, what, value: u8| Err(start.fault(kind, what, usize::from(value)));
        let expected = match protocol_id {
            ProtocolId::IKE => 0,
            ProtocolId::AH | ProtocolId::ESP => 4,
            ProtocolId(other) => return fault(ErrorKind::InvalidValue, "Protocol ID", other),
        };
        if spi_size != expected {
            return fault(ErrorKind::LengthMismatch, "SPI Size", spi_size);
        }
        let count = usize::from(u16::from_be_bytes([high, low]));
        if count > limits.spis {
            return Err(start.fault(ErrorKind::TooMany, "Num of SPIs", count));
        }
        if protocol_id == ProtocolId::IKE && count != 0 {
            return Err(start.fault(ErrorKind::LengthMismatch, "Num of SPIs", count));
        }
        let spis = reader.take(count.saturating_mul(usize::from(spi_size)), "SPI")?;
        reader.end("SPI")?;
        Ok(Self { protocol_id, spis })
    }

    /// The SPIs in wire order; none for the IKE SA.
    pub fn spis(&self) -> impl ExactSizeIterator<Item = u32> + Clone + use<'a> {
        self.spis
            .chunks_exact(4)
            .map(|spi| spi.try_into().map_or(0, u32::from_be_bytes))
    }
}
