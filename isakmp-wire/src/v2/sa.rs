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
use crate::error::ParseError;
use crate::limits::Limits;
use crate::registry::ProtocolId;
use crate::sa;
use crate::sa::sealed::{Contents, Grammar};

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
        Proposals::new(payload.body, offset).validate(limits)?;
        Ok(Self {
            body: payload.body,
            offset,
        })
    }

    /// The proposals in wire order.
    #[must_use]
    pub const fn proposals(&self) -> Proposals<'a> {
        Proposals::new(self.body, self.offset)
    }
}

/// The proposals of an SA; see [`Sa::proposals`].
pub type Proposals<'a> = sa::Proposals<'a, Transform<'a>>;
/// One proposal: of each transform type one is to be chosen.
pub type Proposal<'a> = sa::Proposal<'a, Transform<'a>>;
/// The transforms of a proposal; see [`Proposal::transforms`](sa::Proposal::transforms).
pub type Transforms<'a> = sa::Transforms<'a, Transform<'a>>;

impl<'a> sa::Proposal<'a, Transform<'a>> {
    /// The transforms of one type in wire order.
    pub fn of_type(
        &self,
        transform_type: TransformType,
    ) -> impl Iterator<Item = Transform<'a>> + Clone + use<'a> {
        self.transforms()
            .filter(move |transform| transform.transform_type == transform_type)
    }
}

/// One transform of a proposal (RFC 7296 §3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transform<'a> {
    /// What kind of algorithm the transform chooses.
    pub transform_type: TransformType,
    /// Transform ID; [`Self::transform_type`] says of which registry.
    pub id: u16,
    /// The transform with its header.
    pub raw: &'a [u8],
    contents: Contents<'a>,
}

impl<'a> Grammar<'a> for Transform<'a> {
    const MORE_PROPOSALS: u8 = MORE_PROPOSALS;
    const MORE_TRANSFORMS: u8 = MORE_TRANSFORMS;
    const RESERVED_IS_ZERO: bool = false;
    const NAMES: [&'static str; 3] = ["Proposal Num", "Num Transforms", "Transform Type"];

    fn new([transform_type, _, high, low]: [u8; 4], _: ProtocolId, contents: Contents<'a>) -> Self {
        Self {
            transform_type: TransformType(transform_type),
            id: u16::from_be_bytes([high, low]),
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

    /// The key length in bits, if the transform has the attribute.
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
