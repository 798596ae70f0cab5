//! Attributes of an offered transform, kept as they were on the wire.

use alloc::vec::Vec;
use core::fmt;

use isakmp_wire::v1;

use crate::config::Lifetime;

/// One attribute of a transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Attribute class.
    pub class: u16,
    /// Its value.
    pub value: AttributeValue,
}

/// The two encodings of a value (RFC 2408 §3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// Type/Value.
    Basic(u16),
    /// Type/Length/Value. Values longer than 16 bytes are cut to 17 and stand for no number.
    Variable(Vec<u8>),
}

/// Longest value that is kept.
const KEPT: usize = 17;

impl Attribute {
    /// A Type/Value attribute.
    pub(crate) fn basic(class: impl Into<u16>, value: impl Into<u16>) -> Self {
        Self {
            class: class.into(),
            value: AttributeValue::Basic(value.into()),
        }
    }

    /// A number in four bytes, Type/Length/Value.
    pub(crate) fn word(class: impl Into<u16>, value: u32) -> Self {
        let bytes = value.to_be_bytes().into();
        Self {
            class: class.into(),
            value: AttributeValue::Variable(bytes),
        }
    }

    pub(super) fn write(
        &self,
        out: &mut isakmp_wire::AttributeWriter<'_, '_>,
    ) -> Result<(), isakmp_wire::BuildError> {
        match &self.value {
            AttributeValue::Basic(v) => out.basic(self.class, *v),
            AttributeValue::Variable(bytes) => out.variable(self.class, bytes),
        }
    }

    /// The value as a number, whichever way it is encoded. Leading zeros do not count; what does
    /// not fit 64 bits, and an empty value, is `None`.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match &self.value {
            AttributeValue::Basic(v) => Some(u64::from(*v)),
            AttributeValue::Variable(bytes) if bytes.is_empty() || bytes.len() >= KEPT => None,
            AttributeValue::Variable(bytes) => bytes.iter().try_fold(0u64, |number, byte| {
                number
                    .checked_mul(256)
                    .and_then(|n| n.checked_add(u64::from(*byte)))
            }),
        }
    }
}

/// Attributes as they were on the wire.
pub(super) fn copy(attributes: isakmp_wire::Attributes<'_>) -> Vec<Attribute> {
    let copy = |a: isakmp_wire::Attribute<'_>| Attribute {
        class: a.class,
        value: match a.value {
            isakmp_wire::AttributeValue::Basic(v) => AttributeValue::Basic(v),
            isakmp_wire::AttributeValue::Variable(bytes) => {
                AttributeValue::Variable(bytes.iter().copied().take(KEPT).collect())
            }
        },
    };
    attributes.iter().map(copy).collect()
}

/// A transform of an offer or of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedTransform {
    /// Transform number.
    pub number: u8,
    /// Transform-ID.
    pub id: u8,
    /// Attributes in wire order.
    pub attributes: Vec<Attribute>,
    /// Next-payload octet: 3 when another transform follows, 0 for the last.
    pub next_payload: u8,
}

impl From<&v1::Transform<'_>> for OfferedTransform {
    fn from(t: &v1::Transform<'_>) -> Self {
        Self {
            number: t.number,
            id: t.id,
            attributes: copy(t.attributes()),
            next_payload: t.next_payload().0,
        }
    }
}

impl OfferedTransform {
    /// Do both say the same, encoding and order of attributes aside (RFC 2409 App. A)?
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let list = |t: &Self| {
            t.attributes
                .iter()
                .map(|a| (a.class, a.number()))
                .collect::<Vec<_>>()
        };
        // Life type and duration belong together by order, so only whole groups may move. Class 1
        // is the life type of IPsec transforms (RFC 2407 §4.5), and KEY_IKE's cipher.
        let life_type = if self.id == v1::IsakmpTransform::KEY_IKE.0 {
            11
        } else {
            1
        };
        let groups = |t: &Self| {
            let mut groups: Vec<Vec<(u16, Option<u64>)>> = Vec::new();
            for item in list(t) {
                let follows = groups
                    .last()
                    .and_then(|g| g.last())
                    .is_some_and(|(class, _)| {
                        *class == life_type && item.0 == class.wrapping_add(1)
                    });
                match groups.last_mut() {
                    Some(last) if follows => last.push(item),
                    _ => groups.push(alloc::vec![item]),
                }
            }
            groups.sort();
            groups
        };
        self.id == other.id && groups(self) == groups(other)
    }

    /// Writes the attributes into a transform under construction.
    ///
    /// # Errors
    /// What the writer says: no room.
    pub fn write(
        &self,
        out: &mut isakmp_wire::AttributeWriter<'_, '_>,
    ) -> Result<(), isakmp_wire::BuildError> {
        self.attributes
            .iter()
            .try_for_each(|attribute| attribute.write(out))
    }
}

/// Why a transform is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Mismatch {
    /// A required attribute is not there.
    Missing(u16),
    /// An attribute class that means nothing here.
    UnknownAttribute(u16),
    /// The same class twice with different values (RFC 2407 §4.5.2).
    Conflict(u16),
    /// A value in an encoding or of a size that its class does not have.
    Malformed(u16),
    /// Proposals of several protocols that must be taken together (RFC 2408 §4.2).
    Bundle,
    /// Another protocol.
    Protocol(u8),
    /// An SPI of a length or value that the protocol does not have.
    Spi,
    /// The transform id.
    TransformId(u8),
    /// The encryption algorithm.
    Encryption,
    /// The key length.
    KeyLength,
    /// The hash algorithm.
    Hash,
    /// The authentication method, or in phase 2 the authentication algorithm.
    Authentication,
    /// The Diffie-Hellman group.
    Group,
    /// Encryption without integrity.
    NoIntegrity,
    /// Tunnel or transport, in UDP or not.
    Mode,
    /// A group although PFS is off, or none although it is required.
    Pfs,
    /// Extended sequence numbers.
    Esn,
    /// A weak algorithm that is not permitted by name.
    Weak,
}

impl Mismatch {
    const fn bit(self) -> u32 {
        match self {
            Self::Missing(_) => 1,
            Self::UnknownAttribute(_) => 1 << 1,
            Self::Conflict(_) => 1 << 2,
            Self::Malformed(_) => 1 << 3,
            Self::Bundle => 1 << 4,
            Self::Protocol(_) => 1 << 5,
            Self::Spi => 1 << 6,
            Self::TransformId(_) => 1 << 7,
            Self::Encryption => 1 << 8,
            Self::KeyLength => 1 << 9,
            Self::Hash => 1 << 10,
            Self::Authentication => 1 << 11,
            Self::Group => 1 << 12,
            Self::NoIntegrity => 1 << 13,
            Self::Mode => 1 << 14,
            Self::Pfs => 1 << 15,
            Self::Esn => 1 << 16,
            Self::Weak => 1 << 17,
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(class) => write!(f, "attribute {class} is missing"),
            Self::UnknownAttribute(class) => write!(f, "attribute {class} is not supported"),
            Self::Conflict(class) => write!(f, "attribute {class} contradicts itself"),
            Self::Malformed(class) => write!(f, "attribute {class} has no usable value"),
            Self::Bundle => f.write_str("a bundle of protocols"),
            Self::Protocol(id) => write!(f, "protocol {id}"),
            Self::Spi => f.write_str("SPI"),
            Self::TransformId(id) => write!(f, "transform id {id}"),
            Self::Encryption => f.write_str("encryption algorithm"),
            Self::KeyLength => f.write_str("key length"),
            Self::Hash => f.write_str("hash algorithm"),
            Self::Authentication => f.write_str("authentication"),
            Self::Group => f.write_str("Diffie-Hellman group"),
            Self::NoIntegrity => f.write_str("encryption without integrity"),
            Self::Mode => f.write_str("encapsulation mode"),
            Self::Pfs => f.write_str("perfect forward secrecy"),
            Self::Esn => f.write_str("extended sequence numbers"),
            Self::Weak => f.write_str("a weak algorithm nobody permitted"),
        }
    }
}

/// A set of [`Mismatch`] kinds; values that carry a number are not told apart by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MismatchSet(u32);

impl MismatchSet {
    pub(crate) fn insert(&mut self, m: Mismatch) {
        self.0 |= m.bit();
    }

    /// Is this kind in the set?
    #[must_use]
    pub const fn contains(self, m: Mismatch) -> bool {
        self.0 & m.bit() != 0
    }

    /// Is it empty?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of kinds in it.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }
}

/// The lifetimes that an offer names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OfferedLifetime {
    seconds: Option<u64>,
    kilobytes: Option<u64>,
}

impl OfferedLifetime {
    /// What it means, where `unspecified` stands for a time that is not named.
    pub(super) fn or(self, unspecified: Lifetime) -> Lifetime {
        let time = self
            .seconds
            .map_or(unspecified.time, core::time::Duration::from_secs);
        Lifetime {
            time,
            kilobytes: self.kilobytes,
        }
    }
}

/// Collects attribute values, one per class, lifetimes by their type.
pub(super) struct Collector<'a> {
    attributes: &'a [Attribute],
    life_type: u16,
    life_duration: u16,
}

impl<'a> Collector<'a> {
    pub(super) fn new(attributes: &'a [Attribute], life_type: u16, life_duration: u16) -> Self {
        Self {
            attributes,
            life_type,
            life_duration,
        }
    }

    /// The value of a class that must be basic (RFC 2409 App. A, RFC 2407 §4.5).
    pub(super) fn basic(&self, class: u16) -> Result<Option<u16>, Mismatch> {
        let mut found = None;
        for attribute in self.attributes.iter().filter(|a| a.class == class) {
            let AttributeValue::Basic(value) = attribute.value else {
                return Err(Mismatch::Malformed(class));
            };
            if found.is_some_and(|earlier| earlier != value) {
                return Err(Mismatch::Conflict(class));
            }
            found = Some(value);
        }
        Ok(found)
    }

    /// The lifetimes: each type stands right before its duration.
    pub(super) fn lifetime(&self) -> Result<OfferedLifetime, Mismatch> {
        let mut out = OfferedLifetime::default();
        let mut unit = None;
        for attribute in self.attributes {
            if attribute.class == self.life_type {
                let AttributeValue::Basic(value) = attribute.value else {
                    return Err(Mismatch::Malformed(self.life_type));
                };
                unit = Some(value);
            } else if attribute.class == self.life_duration {
                let class = self.life_duration;
                // RFC 2407 §4.5: "MUST always follow an SA Life Type".
                let unit = unit.take().ok_or(Mismatch::Missing(self.life_type))?;
                let value = attribute.number().filter(|v| *v != 0);
                let value = value.ok_or(Mismatch::Malformed(class))?;
                let slot = match unit {
                    1 => &mut out.seconds,
                    2 => &mut out.kilobytes,
                    _ => return Err(Mismatch::Malformed(self.life_type)),
                };
                // RFC 2407 §4.5.2: several instances may stand, as long as they agree.
                if slot.is_some_and(|earlier| earlier != value) {
                    return Err(Mismatch::Conflict(class));
                }
                *slot = Some(value);
            }
        }
        match unit {
            Some(_) => Err(Mismatch::Missing(self.life_duration)),
            None => Ok(out),
        }
    }

    /// The first class that is none of `known`.
    pub(super) fn unknown(&self, known: &[u16]) -> Option<u16> {
        self.attributes
            .iter()
            .map(|a| a.class)
            .find(|class| !known.contains(class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transform(id: u8, attributes: &[(u16, u16)]) -> OfferedTransform {
        let attribute = |&(class, value)| Attribute {
            class,
            value: AttributeValue::Basic(value),
        };
        OfferedTransform {
            number: 1,
            id,
            attributes: attributes.iter().map(attribute).collect(),
            next_payload: 0,
        }
    }

    #[test]
    fn k11_strongswan_puts_the_key_length_behind_the_cipher_and_the_group_before_authentication() {
        let ours = [
            (1, 7),
            (2, 2),
            (3, 1),
            (4, 2),
            (14, 128),
            (11, 1),
            (12, 3600),
        ];
        let theirs = [
            (1, 7),
            (14, 128),
            (2, 2),
            (4, 2),
            (3, 1),
            (11, 1),
            (12, 3600),
        ];
        assert!(transform(1, &ours).says_the_same(&transform(1, &theirs)));
    }

    #[test]
    fn a_duration_keeps_to_its_life_type() {
        let ours = transform(12, &[(1, 1), (2, 3600), (1, 2), (2, 1000), (4, 1)]);
        let swapped = transform(12, &[(4, 1), (1, 2), (2, 1000), (1, 1), (2, 3600)]);
        let mixed = transform(12, &[(1, 1), (2, 1000), (1, 2), (2, 3600), (4, 1)]);
        assert!(ours.says_the_same(&swapped) && !ours.says_the_same(&mixed));
    }
}
