//! Security association: proposals, transforms, attributes (RFC 2408 §3.4–3.6, RFC 2407 §4.6.1).
//!
//! ```text
//! SA         | DOI (4) | Situation (4, more when labelled) | Proposals
//! Proposal   | Next Payload, RESERVED, Payload Length (4)
//!            | Proposal # | Protocol-Id | SPI Size | # of Transforms | SPI | Transforms
//! Transform  | Next Payload, RESERVED, Payload Length (4)
//!            | Transform # | Transform-Id | RESERVED2 (2) | SA Attributes
//! ```

use super::{
    AhTransform, Doi, EspTransform, IpcompTransform, IsakmpTransform, Payload, PayloadType,
};
use crate::attribute::Attributes;
use crate::error::{ErrorKind, ParseError};
use crate::limits::Limits;
use crate::reader::Reader;
use crate::registry::ProtocolId;

/// Situation bitmap of the IPsec DOI (RFC 2407 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Situation(pub u32);

impl Situation {
    /// SIT_IDENTITY_ONLY, the one in use.
    pub const IDENTITY_ONLY: Self = Self(1);
    /// SIT_SECRECY: labels follow.
    pub const SECRECY: Self = Self(2);
    /// SIT_INTEGRITY: labels follow.
    pub const INTEGRITY: Self = Self(4);

    /// All bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A validated SA payload of the IPsec DOI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sa<'a> {
    /// Always [`Doi::IPSEC`]: the situation of another DOI cannot be delimited.
    pub doi: Doi,
    /// Situation bitmap.
    pub situation: Situation,
    /// Labelled domain, levels and categories; empty for [`Situation::IDENTITY_ONLY`].
    pub labels: &'a [u8],
    /// The payload without its generic header: `SAi_b` of RFC 2409 §3.2.
    pub body: &'a [u8],
    proposals: &'a [u8],
    offset: usize,
}

impl<'a> Sa<'a> {
    /// Validates the payload down to the last attribute.
    ///
    /// # Errors
    /// A DOI other than IPsec, lengths or counts that disagree, numbers above the limits, an SA
    /// without a proposal or a proposal without a transform.
    pub fn parse(payload: &Payload<'a>, limits: &Limits) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let doi = Doi(reader.u32("DOI")?);
        if doi != Doi::IPSEC {
            let kind = ErrorKind::UnsupportedDoi;
            let value = usize::try_from(doi.0).unwrap_or(usize::MAX);
            return Err(ParseError::new(kind, payload.body_offset(), "DOI", value));
        }
        let situation = Situation(reader.u32("Situation")?);
        let labels = read_labels(&mut reader, situation)?;
        let (proposals, offset) = (reader.rest(), reader.offset());
        validate_proposals(reader, limits)?;
        Ok(Self {
            doi,
            situation,
            labels,
            body: payload.body,
            proposals,
            offset,
        })
    }

    /// The proposals in wire order.
    #[must_use]
    pub const fn proposals(&self) -> Proposals<'a> {
        Proposals {
            reader: Reader::new(self.proposals, self.offset),
        }
    }
}

/// RFC 2407 §4.6.1: what follows the bitmap when it asks for secrecy or integrity.
fn read_labels<'a>(reader: &mut Reader<'a>, situation: Situation) -> Result<&'a [u8], ParseError> {
    let start = reader.rest();
    let secrecy = situation.contains(Situation::SECRECY);
    let integrity = situation.contains(Situation::INTEGRITY);
    if secrecy || integrity {
        reader.u32("Labeled Domain Identifier")?;
    }
    for _ in 0..usize::from(secrecy).saturating_add(usize::from(integrity)) {
        let octets = usize::from(reader.u16("Level Length")?);
        reader.u16("RESERVED")?;
        reader.take(octets.next_multiple_of(4), "Level")?;
        let bits = usize::from(reader.u16("Category Length")?);
        reader.u16("RESERVED")?;
        reader.take(bits.div_ceil(8).next_multiple_of(4), "Category Bitmap")?;
    }
    let used = start.len().saturating_sub(reader.rest().len());
    Ok(start.get(..used).unwrap_or(&[]))
}

fn validate_proposals(mut reader: Reader<'_>, limits: &Limits) -> Result<(), ParseError> {
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
            let (transform, more) = read_transform(&mut inner, proposal.protocol_id)?;
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
                "# of Transforms",
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
    let (mut body, raw, more) = reader.element(PayloadType::PROPOSAL.0, "proposals", true)?;
    let [number, protocol_id, spi_size, transform_count] = body.array("Proposal #")?;
    let spi = body.take(usize::from(spi_size), "SPI")?;
    let proposal = Proposal {
        number,
        protocol_id: ProtocolId(protocol_id),
        spi,
        transform_count,
        raw,
        offset,
        more,
        transforms: body.rest(),
        transforms_offset: body.offset(),
    };
    Ok((proposal, more))
}

fn read_transform<'a>(
    reader: &mut Reader<'a>,
    protocol_id: ProtocolId,
) -> Result<(Transform<'a>, bool), ParseError> {
    let (mut body, raw, more) = reader.element(PayloadType::TRANSFORM.0, "transforms", true)?;
    let [number, id, _, _] = body.array("Transform #")?;
    let transform = Transform {
        number,
        id,
        protocol_id,
        raw,
        more,
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

/// One proposal. Proposals of one number belong together: all of them or none (RFC 2408 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal<'a> {
    /// Proposal number.
    pub number: u8,
    /// The protocol negotiated.
    pub protocol_id: ProtocolId,
    /// The sender's SPI. For ISAKMP 0 to 16 octets, to be ignored (RFC 2408 §3.5).
    pub spi: &'a [u8],
    /// Number of transforms; agrees with [`Self::transforms`].
    pub transform_count: u8,
    /// The proposal with its generic header.
    pub raw: &'a [u8],
    /// Octet of the message at which [`Self::raw`] starts.
    pub offset: usize,
    more: bool,
    transforms: &'a [u8],
    transforms_offset: usize,
}

impl<'a> Proposal<'a> {
    /// The transforms in wire order.
    #[must_use]
    pub const fn transforms(&self) -> Transforms<'a> {
        Transforms {
            reader: self.reader(),
            protocol_id: self.protocol_id,
        }
    }

    /// The SPI as a number, when it has the 4 octets of AH and ESP.
    #[must_use]
    pub fn spi_u32(&self) -> Option<u32> {
        self.spi.try_into().ok().map(u32::from_be_bytes)
    }

    /// Next Payload: [`PayloadType::PROPOSAL`] when another one follows.
    #[must_use]
    pub const fn next_payload(&self) -> PayloadType {
        if self.more {
            PayloadType::PROPOSAL
        } else {
            PayloadType::NONE
        }
    }

    const fn reader(&self) -> Reader<'a> {
        Reader::new(self.transforms, self.transforms_offset)
    }
}

/// The transforms of a proposal; see [`Proposal::transforms`].
#[derive(Clone, Debug)]
pub struct Transforms<'a> {
    reader: Reader<'a>,
    protocol_id: ProtocolId,
}

impl<'a> Iterator for Transforms<'a> {
    type Item = Transform<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        read_transform(&mut self.reader, self.protocol_id)
            .ok()
            .map(|(transform, _)| transform)
    }
}

/// One transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transform<'a> {
    /// Transform number, unique in its proposal.
    pub number: u8,
    /// Transform identifier; [`Self::protocol_id`] says of which registry.
    pub id: u8,
    /// The protocol of the proposal.
    pub protocol_id: ProtocolId,
    /// The transform with its generic header.
    pub raw: &'a [u8],
    more: bool,
    octets: &'a [u8],
    offset: usize,
}

impl<'a> Transform<'a> {
    /// The attributes in wire order.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        // The count was checked with the payload; the octets bound it again.
        let empty = Attributes::EMPTY;
        Attributes::parse(self.octets, self.offset, usize::MAX).unwrap_or(empty)
    }

    /// The registered name of [`Self::id`].
    #[must_use]
    pub fn id_name(&self) -> Option<&'static str> {
        match self.protocol_id {
            ProtocolId::ISAKMP => IsakmpTransform(self.id).name(),
            ProtocolId::AH => AhTransform(self.id).name(),
            ProtocolId::ESP => EspTransform(self.id).name(),
            ProtocolId::IPCOMP => IpcompTransform(self.id).name(),
            _ => None,
        }
    }

    /// Next Payload: [`PayloadType::TRANSFORM`] when another one follows.
    #[must_use]
    pub const fn next_payload(&self) -> PayloadType {
        if self.more {
            PayloadType::TRANSFORM
        } else {
            PayloadType::NONE
        }
    }
}
