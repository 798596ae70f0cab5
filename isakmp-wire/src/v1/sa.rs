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
use crate::sa;
use crate::sa::sealed::{Contents, Grammar};

/// Situation bitmap of the IPsec DOI (RFC 2407 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Situation(pub u32);

impl Situation {
    /// SIT_IDENTITY_ONLY, the one in use.
    pub const IDENTITY_ONLY: Self = Self(1);
    /// SIT_SECRECY: secrecy level and categories follow (RFC 2407 §4.2.2).
    pub const SECRECY: Self = Self(2);
    /// SIT_INTEGRITY: integrity level and categories follow (RFC 2407 §4.2.3).
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
    /// The situation in which the SA is negotiated (RFC 2407 §4.2).
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
        Proposals::new(proposals, offset).validate(limits)?;
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
        Proposals::new(self.proposals, self.offset)
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

/// The proposals of an SA; see [`Sa::proposals`].
pub type Proposals<'a> = sa::Proposals<'a, Transform<'a>>;
/// One proposal of an SA payload (RFC 2408 §3.5).
pub type Proposal<'a> = sa::Proposal<'a, Transform<'a>>;
/// The transforms of a proposal; see [`Proposal::transforms`](sa::Proposal::transforms).
pub type Transforms<'a> = sa::Transforms<'a, Transform<'a>>;

impl<'a> sa::Proposal<'a, Transform<'a>> {
    /// Next Payload: [`PayloadType::PROPOSAL`] when another one follows.
    #[must_use]
    pub const fn next_payload(&self) -> PayloadType {
        if self.more {
            PayloadType::PROPOSAL
        } else {
            PayloadType::NONE
        }
    }
}

/// One transform of a proposal (RFC 2408 §3.6).
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
    contents: Contents<'a>,
}

impl<'a> Grammar<'a> for Transform<'a> {
    const MORE_PROPOSALS: u8 = PayloadType::PROPOSAL.0;
    const MORE_TRANSFORMS: u8 = PayloadType::TRANSFORM.0;
    const RESERVED_IS_ZERO: bool = true;
    const NAMES: [&'static str; 3] = ["Proposal #", "# of Transforms", "Transform #"];

    fn new([number, id, _, _]: [u8; 4], protocol_id: ProtocolId, contents: Contents<'a>) -> Self {
        Self {
            number,
            id,
            protocol_id,
            raw: contents.raw,
            contents,
        }
    }
}

impl<'a> Transform<'a> {
    /// The attributes in wire order.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        self.contents.attributes()
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
        if self.contents.more {
            PayloadType::TRANSFORM
        } else {
            PayloadType::NONE
        }
    }
}
