//! Delete (RFC 2408 §3.15).
//!
//! ```text
//! | DOI (4) | Protocol-Id | SPI Size | # of SPIs (2) | SPIs |
//! ```

use super::{Doi, Payload};
use crate::error::{ErrorKind, ParseError};
use crate::limits::Limits;
use crate::reader::Reader;
use crate::registry::ProtocolId;

/// A validated Delete payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delete<'a> {
    /// The Domain of Interpretation that the protocol belongs to.
    pub doi: Doi,
    /// The protocol of the SAs that were deleted.
    pub protocol_id: ProtocolId,
    /// Octets of one SPI: 16 for ISAKMP, 4 for AH and ESP; never 0.
    pub spi_size: u8,
    spis: &'a [u8],
}

impl<'a> Delete<'a> {
    /// Validates the payload.
    ///
    /// # Errors
    /// An SPI size of 0, a count that disagrees with the octets, or more SPIs than
    /// [`Limits::spis`].
    pub fn parse(payload: &Payload<'a>, limits: &Limits) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let doi = Doi(reader.u32("DOI")?);
        let [protocol_id, spi_size, high, low] = reader.array("Protocol-Id")?;
        let count = usize::from(u16::from_be_bytes([high, low]));
        if count > limits.spis {
            return Err(reader.fault(ErrorKind::TooMany, "# of SPIs", count));
        }
        if spi_size == 0 {
            return Err(reader.fault(ErrorKind::LengthTooSmall, "SPI Size", 0));
        }
        let spis = reader.take(count.saturating_mul(usize::from(spi_size)), "SPI")?;
        reader.end("SPI")?;
        Ok(Self {
            doi,
            protocol_id: ProtocolId(protocol_id),
            spi_size,
            spis,
        })
    }

    /// The SPIs in wire order, each of [`Self::spi_size`] octets.
    pub fn spis(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        self.spis.chunks_exact(usize::from(self.spi_size).max(1))
    }

    /// The SPIs as numbers, when they have the 4 octets of AH and ESP; nothing otherwise.
    pub fn spis_u32(&self) -> impl Iterator<Item = u32> + Clone + use<'a> {
        self.spis()
            .filter_map(|spi| spi.try_into().ok().map(u32::from_be_bytes))
    }
}
