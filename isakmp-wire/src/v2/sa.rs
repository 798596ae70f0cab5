//! Security association: proposals, transforms, attributes (RFC 7296 §3.3).
//!
//! ```text
//! Proposal   | Last Substruc, RESERVED, Proposal Length (4)
//!            | Proposal Num | Protocol ID | SPI Size | Num Transforms | SPI | Transforms
//! Transform  | Last Substruc, RESERVED, Transform Length (4)
//!            | Transform Type | RESERVED | Transform ID (2) | Transform Attributes
//! ```

use super::{
    EncryptionId, IntegrityId, KeyExchangeMethod, Payload, PrfId, SequenceNumbers,
    TransformAttribute, TransformType,
};
use crate::attribute::{AttributeValue, Attributes};
use crate::error::{ErrorKind, ParseError};
use crate::limits::Limits;
use crate::reader::Reader;
use crate::registry::ProtocolId;

/// Last Substruc of a proposal that another one follows.
pub(super) const MORE_PROPOSALS: u8 = 2;
/// Last Substruc of a transform that another one follows.
pub(super) const MORE_TRANSFORMS: u8 = 3;

/// A validated SA payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sa<'a> {
    /// The payload without its generic header.
    pub body: &'a [u8],
    offset: usize,
}

impl<'a> Sa<'a> {
    /// Validates the payload down to the last attribute.
    ///
    /// # Errors
    /// Lengths or counts that disagree, numbers above the limits, an SA without a proposal or a
    /// proposal without a transform.
    pub fn parse(payload: &Payload<'a>, limits: &Limits) -> Result<Self, ParseError> {
        let offset = payload.body_offset();
        validate(Reader::new(payload.body, offset), limits)?;
        Ok(Self {
            body: payload.body,
            offset,
        })
    }

    /// The proposals in wire order.
    #[must_use]
    pub const fn proposals(&self) -> Proposals<'a> {
        Proposals {
            reader: Reader::new(self.body, self.offset),
        }
    }
}

fn validate(mut reader: Reader<'_>, limits: &Limits) -> Result<(), ParseError> {
    let mut proposals = 0_usize;
    let mut transforms = 0_usize;
    loop {
        if proposals >= limits.proposals {
            return Err(reader.fault(ErrorKind::TooMany, "proposals", limits.proposals));
        }
        let (proposal, more) = read_proposal(&mut reader)?;
        proposals = proposals.saturating_add(1);
        let mut inner = proposal.reader();
        let mut count = 0_u8;
        loop {
            if transforms >= limits.transforms {
                return Err(inner.fault(ErrorKind::TooMany, "transforms", limits.transforms));
            }
            let (transform, more) = read_transform(&mut inner)?;
            Attributes::parse(transform.octets, transform.offset, limits.attributes)?;
            transforms = transforms.saturating_add(1);
            count = count.saturating_add(1);
            if !more {
                break;
            }
        }
        inner.end("transforms")?;
        if count != proposal.transform_count {
            return Err(ParseError::new(
                ErrorKind::LengthMismatch,
                proposal.offset.saturating_add(7),
                "Num Transforms",
                usize::from(proposal.transform_count),
            ));
        }
        if !more {
            break;
        }
    }
    reader.end("proposals")
}

fn read_proposal<'a>(reader: &mut Reader<'a>) -> Result<(Proposal<'a>, bool), ParseError> {
    let offset = reader.offset();
    let (mut body, raw, more) = reader.element(MORE_PROPOSALS, "proposals", false)?;
    let [number, protocol_id, spi_size, transform_count] = body.array("Proposal Num")?;
    let spi = body.take(usize::from(spi_size), "SPI")?;
    let proposal = Proposal {
        number,
        protocol_id: ProtocolId(protocol_id),
        spi,
        transform_count,
        raw,
        offset,
        transforms: body.rest(),
        transforms_offset: body.offset(),
    };
    Ok((proposal, more))
}

fn read_transform<'a>(reader: &mut Reader<'a>) -> Result<(Transform<'a>, bool), ParseError> {
    let (mut body, raw, more) = reader.element(MORE_TRANSFORMS, "transforms", false)?;
    let [transform_type, _, high, low] = body.array("Transform Type")?;
    let transform = Transform {
        transform_type: TransformType(transform_type),
        id: u16::from_be_bytes([high, low]),
        raw,
        octets: body.rest(),
        offset: body.offset(),
    };
    Ok((transform, more))
}

/// The proposals of an SA; see [`Sa::proposals`].
#[derive(Clone, Debug)]
pub struct Proposals<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Proposals<'a> {
    type Item = Proposal<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        read_proposal(&mut self.reader)
            .ok()
            .map(|(proposal, _)| proposal)
    }
}

/// One proposal: of each transform type one is to be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal<'a> {
    /// Proposal number: 1 for the first of an offer, and the accepted one's in the answer.
    pub number: u8,
    /// The protocol negotiated.
    pub protocol_id: ProtocolId,
    /// The sender's SPI: none in IKE_SA_INIT, 8 octets when an IKE SA is rekeyed, 4 for AH and
    /// ESP.
    pub spi: &'a [u8],
    /// Number of transforms; agrees with [`Self::transforms`].
    pub transform_count: u8,
    /// The proposal with its header.
    pub raw: &'a [u8],
    /// Octet of the message at which [`Self::raw`] starts.
    pub offset: usize,
    transforms: &'a [u8],
    transforms_offset: usize,
}

impl<'a> Proposal<'a> {
    /// The transforms in wire order.
    #[must_use]
    pub const fn transforms(&self) -> Transforms<'a> {
        Transforms {
            reader: self.reader(),
        }
    }

    /// The transforms of one type in wire order.
    pub fn of_type(
        &self,
        transform_type: TransformType,
    ) -> impl Iterator<Item = Transform<'a>> + Clone + use<'a> {
        self.transforms()
            .filter(move |transform| transform.transform_type == transform_type)
    }

    /// The SPI as a number, when it has the 4 octets of AH and ESP.
    #[must_use]
    pub fn spi_u32(&self) -> Option<u32> {
        self.spi.try_into().ok().map(u32::from_be_bytes)
    }

    const fn reader(&self) -> Reader<'a> {
        Reader::new(self.transforms, self.transforms_offset)
    }
}

/// The transforms of a proposal; see [`Proposal::transforms`].
#[derive(Clone, Debug)]
pub struct Transforms<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Transforms<'a> {
    type Item = Transform<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        read_transform(&mut self.reader)
            .ok()
            .map(|(transform, _)| transform)
    }
}

/// One transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transform<'a> {
    /// Transform type.
    pub transform_type: TransformType,
    /// Transform ID; [`Self::transform_type`] says of which registry.
    pub id: u16,
    /// The transform with its header.
    pub raw: &'a [u8],
    octets: &'a [u8],
    offset: usize,
}

impl<'a> Transform<'a> {
    /// The attributes in wire order.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        // The count was checked with the payload; the octets bound it again.
        Attributes::parse(self.octets, self.offset, usize::MAX).unwrap_or(Attributes::EMPTY)
    }

    /// Key length in bits.
    #[must_use]
    pub fn key_length(&self) -> Option<u16> {
        match self
            .attributes()
            .find(TransformAttribute::KEY_LENGTH)?
            .value
        {
            AttributeValue::Basic(bits) => Some(bits),
            AttributeValue::Variable(_) => None,
        }
    }

    /// The transform carries an attribute other than one key length in its fixed form: it is
    /// unacceptable then (RFC 7296 §3.3.6).
    #[must_use]
    pub fn has_unknown_attribute(&self) -> bool {
        let mut lengths = 0_usize;
        let known = self.attributes().iter().all(|attribute| {
            lengths = lengths.saturating_add(1);
            attribute.class == TransformAttribute::KEY_LENGTH.0 && attribute.octets().is_none()
        });
        !known || lengths > 1
    }

    /// The registered name of [`Self::id`].
    #[must_use]
    pub fn id_name(&self) -> Option<&'static str> {
        match self.transform_type {
            TransformType::ENCRYPTION => EncryptionId(self.id).name(),
            TransformType::PRF => PrfId(self.id).name(),
            TransformType::INTEGRITY => IntegrityId(self.id).name(),
            TransformType::SEQUENCE_NUMBERS => SequenceNumbers(self.id).name(),
            TransformType::KEY_EXCHANGE => KeyExchangeMethod(self.id).name(),
            other if other.is_additional_key_exchange() => KeyExchangeMethod(self.id).name(),
            _ => None,
        }
    }
}
