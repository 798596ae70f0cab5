//! Proposals and transforms, kept as they were on the wire.

use alloc::vec::Vec;
use core::fmt;

use isakmp_wire::BuildError;
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::registry::v2::{
    EncryptionId, IntegrityId, KeyExchangeMethod, PrfId, SequenceNumbers, TransformType,
};
use isakmp_wire::v2::{Sa, SaWriter};

/// One transform: a type, an algorithm, and a key length where the algorithm has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transform {
    /// Transform type.
    pub kind: TransformType,
    /// Transform ID.
    pub id: u16,
    /// Key Length attribute, bits.
    pub key_length: Option<u16>,
    /// It has no attribute but one key length. Another one makes it unacceptable (RFC 7296
    /// §3.3.6).
    pub understood: bool,
}

impl Transform {
    pub(super) fn new(kind: TransformType, id: impl Into<u16>, key_length: Option<u16>) -> Self {
        Self {
            kind,
            id: id.into(),
            key_length,
            understood: true,
        }
    }

    /// NONE of a type that has such a value (RFC 7296 §3.3.2, RFC 9370 §2.2.1).
    pub(super) fn none(kind: TransformType) -> Option<Self> {
        let optional = matches!(kind, TransformType::INTEGRITY | TransformType::KEY_EXCHANGE)
            || kind.is_additional_key_exchange();
        optional.then(|| Self::new(kind, 0u16, None))
    }

    /// Whether it stands for doing without: the value 0 of integrity and of key exchanges.
    #[must_use]
    pub fn is_none(&self) -> bool {
        Self::none(self.kind).is_some_and(|none| none.id == self.id)
    }

    /// The registered name of the algorithm.
    #[must_use]
    pub const fn name(&self) -> Option<&'static str> {
        match self.kind {
            TransformType::ENCRYPTION => EncryptionId(self.id).name(),
            TransformType::PRF => PrfId(self.id).name(),
            TransformType::INTEGRITY => IntegrityId(self.id).name(),
            TransformType::SEQUENCE_NUMBERS => SequenceNumbers(self.id).name(),
            kind if matches!(kind, TransformType::KEY_EXCHANGE)
                || kind.is_additional_key_exchange() =>
            {
                KeyExchangeMethod(self.id).name()
            }
            _ => None,
        }
    }
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name)?,
            None => write!(f, "unknown({})", self.id)?,
        }
        if let Some(bits) = self.key_length {
            write!(f, "-{bits}")?;
        }
        if !self.understood {
            f.write_str(" with an unknown attribute")?;
        }
        Ok(())
    }
}

/// One proposal: of each transform type one value is to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Proposal number.
    pub number: u8,
    /// Protocol ID.
    pub protocol: ProtocolId,
    /// The sender's SPI.
    pub spi: Vec<u8>,
    /// Transforms in wire order: the first of a type is the preferred one.
    pub transforms: Vec<Transform>,
}

impl Proposal {
    /// The transforms of one type.
    pub fn of_type(&self, kind: TransformType) -> impl Iterator<Item = &Transform> + Clone {
        self.transforms.iter().filter(move |t| t.kind == kind)
    }

    /// The transform types that are named, each once, in the order of their first transform.
    #[must_use]
    pub fn types(&self) -> Vec<TransformType> {
        let mut types = Vec::new();
        for transform in &self.transforms {
            if !types.contains(&transform.kind) {
                types.push(transform.kind);
            }
        }
        types
    }
}

/// Proposals and transforms of one SA payload that are looked at. A message has room for many more;
/// whoever sends them does not choose how much work their comparison is.
const MOST_PROPOSALS: usize = 64;
const MOST_TRANSFORMS: usize = 2048;

/// The proposals of an SA payload: the first 64 of them, and as many as have 2,048 transforms. Of
/// transform types that mean nothing here, which refuse a proposal (RFC 7296 §3.3.6), one is kept.
#[must_use]
pub fn read_sa(sa: &Sa<'_>) -> Vec<Proposal> {
    let transform = |t: isakmp_wire::v2::Transform<'_>| Transform {
        kind: t.transform_type,
        id: t.id,
        key_length: t.key_length(),
        understood: !t.has_unknown_attribute(),
    };
    let proposal = |p: isakmp_wire::v2::Proposal<'_>| Proposal {
        number: p.number,
        protocol: p.protocol_id,
        spi: p.spi.into(),
        transforms: p
            .transforms()
            .map(transform)
            .filter(unknown_once())
            .collect(),
    };
    let mut room = MOST_TRANSFORMS;
    let fits = |p: &isakmp_wire::v2::Proposal<'_>| {
        let rest = room.checked_sub(usize::from(p.transform_count));
        room = rest.unwrap_or(0);
        rest.is_some()
    };
    let kept = sa.proposals().take(MOST_PROPOSALS).take_while(fits);
    kept.map(proposal).collect()
}

/// Passes transforms of known types, and the first one of another.
fn unknown_once() -> impl FnMut(&Transform) -> bool {
    let mut seen = false;
    move |t| {
        // Types 1 to 5 and ADDKE1 to ADDKE7.
        let known = (1..=5).contains(&t.kind.0) || t.kind.is_additional_key_exchange();
        known || !core::mem::replace(&mut seen, true)
    }
}

/// Writes an SA payload.
///
/// # Errors
/// More transforms than the format holds, or no room.
pub fn write_sa(proposals: &[Proposal], out: &mut SaWriter<'_, '_>) -> Result<(), BuildError> {
    proposals.iter().try_for_each(|p| {
        out.proposal(p.number, p.protocol, &p.spi, |writer| {
            p.transforms
                .iter()
                .try_for_each(|t| writer.transform(t.kind, t.id, t.key_length))
        })
    })
}
