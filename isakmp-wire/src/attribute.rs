//! Data attributes (RFC 2408 §3.3), also used by the transforms of IKEv2 (RFC 7296 §3.3.5).
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |A|       Attribute Type        |    AF=0  Attribute Length     |
//! |F|                             |    AF=1  Attribute Value      |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                   AF=0  Attribute Value                       |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use crate::error::{BuildError, ErrorKind, ParseError};
use crate::reader::Reader;
use crate::writer::{Buffer, u16_field};

/// The Attribute Format bit: set for the short form.
const AF: u16 = 0x8000;

/// One data attribute (RFC 2408 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Attribute type, without the format bit.
    pub class: u16,
    /// The value of the attribute, in the form that it had on the wire.
    pub value: AttributeValue<'a>,
    /// The attribute as its octets.
    pub raw: &'a [u8],
    /// Octet of the message at which it starts.
    pub offset: usize,
}

/// The two forms of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeValue<'a> {
    /// The value of two octets that Type/Value form holds (AF bit set).
    Basic(u16),
    /// The value of any length that Type/Length/Value form holds (AF bit clear).
    Variable(&'a [u8]),
}

impl<'a> Attribute<'a> {
    /// The value as a number: a basic one, or 1 to 8 octets, big-endian.
    ///
    /// `None` for an empty value, and for one longer than 8 octets: it is never wrapped.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self.value {
            AttributeValue::Basic(value) => Some(u64::from(value)),
            AttributeValue::Variable(octets) => match octets.len() {
                1..=8 => Some(
                    octets
                        .iter()
                        .fold(0, |number, octet| (number << 8) | u64::from(*octet)),
                ),
                _ => None,
            },
        }
    }

    /// The value of a class that must be basic.
    ///
    /// # Errors
    /// [`ErrorKind::AttributeFormat`] for the variable form (RFC 2409 App. A: "MUST NOT be
    /// encoded as variable").
    pub fn basic(&self, what: &'static str) -> Result<u16, ParseError> {
        match self.value {
            AttributeValue::Basic(value) => Ok(value),
            AttributeValue::Variable(octets) => Err(ParseError::new(
                ErrorKind::AttributeFormat,
                self.offset,
                what,
                octets.len(),
            )),
        }
    }

    /// The octets of a variable attribute; `None` for a basic one.
    #[must_use]
    pub const fn octets(&self) -> Option<&'a [u8]> {
        match self.value {
            AttributeValue::Variable(octets) => Some(octets),
            AttributeValue::Basic(_) => None,
        }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        let (start, offset) = (reader.rest(), reader.offset());
        let head = reader.u16("Attribute Type")?;
        let tail = reader.u16("Attribute Length")?;
        let value = if head & AF == 0 {
            AttributeValue::Variable(reader.take(usize::from(tail), "Attribute Value")?)
        } else {
            AttributeValue::Basic(tail)
        };
        let used = start.len().saturating_sub(reader.rest().len());
        Ok(Self {
            class: head & !AF,
            value,
            raw: start.get(..used).unwrap_or(start),
            offset,
        })
    }
}

/// A validated list of attributes; iterating it cannot fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes<'a> {
    octets: &'a [u8],
    offset: usize,
}

impl<'a> Attributes<'a> {
    pub(crate) const EMPTY: Self = Self {
        octets: &[],
        offset: 0,
    };

    /// Validates a list that fills `octets`, whose first octet is octet `offset` of the message.
    ///
    /// # Errors
    /// A value beyond the end, or more than `maximum` attributes.
    pub fn parse(octets: &'a [u8], offset: usize, maximum: usize) -> Result<Self, ParseError> {
        let mut rest = octets;
        let mut count = 0_usize;
        while !rest.is_empty() {
            let at = offset.saturating_add(octets.len().saturating_sub(rest.len()));
            if count >= maximum {
                return Err(ParseError::new(
                    ErrorKind::TooMany,
                    at,
                    "attributes",
                    maximum,
                ));
            }
            let Some((&[format, _, high, low], tail)) = rest.split_first_chunk::<4>() else {
                return Err(ParseError::new(
                    ErrorKind::Truncated,
                    at,
                    "Attribute",
                    rest.len(),
                ));
            };
            // The format bit: without it the last two octets are a length.
            let length = match format & 0x80 {
                0 => usize::from(u16::from_be_bytes([high, low])),
                _ => 0,
            };
            let Some((_, tail)) = tail.split_at_checked(length) else {
                return Err(ParseError::new(
                    ErrorKind::Truncated,
                    at,
                    "Attribute Length",
                    length,
                ));
            };
            rest = tail;
            count = count.saturating_add(1);
        }
        Ok(Self { octets, offset })
    }

    /// The list as its octets.
    #[must_use]
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The attributes in wire order.
    #[must_use]
    pub const fn iter(&self) -> AttributeIter<'a> {
        AttributeIter {
            reader: Reader::new(self.octets, self.offset),
        }
    }

    /// The first attribute of a class.
    #[must_use]
    pub fn find(&self, class: impl Into<u16>) -> Option<Attribute<'a>> {
        let class = class.into();
        self.iter().find(|attribute| attribute.class == class)
    }
}

impl<'a> IntoIterator for Attributes<'a> {
    type Item = Attribute<'a>;
    type IntoIter = AttributeIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The attributes of a list; see [`Attributes::iter`].
#[derive(Clone, Debug)]
pub struct AttributeIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for AttributeIter<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        Attribute::read(&mut self.reader).ok()
    }
}

/// Writes attributes into a transform, a configuration payload or a notification.
pub struct AttributeWriter<'w, 's> {
    pub(crate) out: &'w mut Buffer<'s>,
}

impl AttributeWriter<'_, '_> {
    /// Type/Value: a number of 16 bits.
    ///
    /// # Errors
    /// [`BuildError::SinkFull`].
    pub fn basic(
        &mut self,
        class: impl Into<u16>,
        value: impl Into<u16>,
    ) -> Result<(), BuildError> {
        let [a, b] = (class.into() | AF).to_be_bytes();
        let [c, d] = value.into().to_be_bytes();
        self.out.put(&[a, b, c, d])
    }

    /// Type/Length/Value.
    ///
    /// # Errors
    /// [`BuildError::TooLong`] above 65,535 octets, [`BuildError::SinkFull`].
    pub fn variable(&mut self, class: impl Into<u16>, value: &[u8]) -> Result<(), BuildError> {
        let [a, b] = (class.into() & !AF).to_be_bytes();
        let [c, d] = u16_field("Attribute Length", value.len())?;
        self.out.put(&[a, b, c, d])?;
        self.out.put(value)
    }

    /// A number as Type/Length/Value: 4 octets, 8 when it needs them.
    ///
    /// # Errors
    /// [`BuildError::SinkFull`].
    pub fn number(&mut self, class: impl Into<u16>, value: u64) -> Result<(), BuildError> {
        match u32::try_from(value) {
            Ok(value) => {
                let [a, b] = (class.into() & !AF).to_be_bytes();
                let [e, f, g, h] = value.to_be_bytes();
                self.out.put(&[a, b, 0, 4, e, f, g, h])
            }
            Err(_) => self.variable(class, &value.to_be_bytes()),
        }
    }

    /// Attributes that already are octets, such as those of a received transform.
    ///
    /// # Errors
    /// [`BuildError::SinkFull`].
    pub fn copy(&mut self, attributes: Attributes<'_>) -> Result<(), BuildError> {
        self.out.put(attributes.octets())
    }
}

impl core::fmt::Debug for AttributeWriter<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AttributeWriter").finish_non_exhaustive()
    }
}
