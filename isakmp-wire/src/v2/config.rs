//! Configuration (RFC 7296 §3.15): CFG Type, RESERVED (3), attributes of type (2), length (2),
//! value.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{ConfigAttribute, ConfigType, Payload};
use crate::error::ParseError;
use crate::reader::Reader;

/// A validated Configuration payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configuration<'a> {
    /// Whether attributes are asked for, given, set or acknowledged.
    pub config_type: ConfigType,
    attributes: &'a [u8],
    offset: usize,
}

/// One attribute of a configuration payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigValue<'a> {
    /// The type of the attribute, such as INTERNAL_IP4_ADDRESS.
    pub attribute: ConfigAttribute,
    /// The value of the attribute; empty in a request that has no preference.
    pub value: &'a [u8],
}

impl<'a> Configuration<'a> {
    /// Validates the payload.
    ///
    /// # Errors
    /// An attribute beyond the end.
    pub fn parse(payload: &Payload<'a>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let [config_type, _, _, _] = reader.array("CFG Type")?;
        let (attributes, offset) = (reader.rest(), reader.offset());
        while !reader.is_empty() {
            ConfigValue::read(&mut reader)?;
        }
        Ok(Self {
            config_type: ConfigType(config_type),
            attributes,
            offset,
        })
    }

    /// The attributes in wire order.
    #[must_use]
    pub const fn iter(&self) -> ConfigIter<'a> {
        ConfigIter {
            reader: Reader::new(self.attributes, self.offset),
        }
    }

    /// The first attribute of a type.
    #[must_use]
    pub fn find(&self, attribute: ConfigAttribute) -> Option<ConfigValue<'a>> {
        self.iter().find(|value| value.attribute == attribute)
    }
}

impl<'a> IntoIterator for Configuration<'a> {
    type Item = ConfigValue<'a>;
    type IntoIter = ConfigIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The attributes of a payload; see [`Configuration::iter`].
#[derive(Clone, Debug)]
pub struct ConfigIter<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for ConfigIter<'a> {
    type Item = ConfigValue<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        ConfigValue::read(&mut self.reader).ok()
    }
}

impl<'a> ConfigValue<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        // RFC 7296 §3.15.1: the reserved first bit MUST be ignored.
        let attribute = ConfigAttribute(reader.u16("Attribute Type")? & 0x7fff);
        let length = usize::from(reader.u16("Length")?);
        Ok(Self {
            attribute,
            value: reader.take(length, "Value")?,
        })
    }

    /// A value of 4 octets: an IPv4 address or mask.
    #[must_use]
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        self.value
            .try_into()
            .ok()
            .map(|octets: [u8; 4]| octets.into())
    }

    /// A value of 16 octets: an IPv6 address.
    #[must_use]
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        self.value
            .try_into()
            .ok()
            .map(|octets: [u8; 16]| octets.into())
    }

    /// A value of 8 octets: IPv4 address and mask of INTERNAL_IP4_SUBNET.
    #[must_use]
    pub fn ipv4_subnet(&self) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let (address, rest) = self.value.split_first_chunk::<4>()?;
        let mask: [u8; 4] = rest.try_into().ok()?;
        Some(((*address).into(), mask.into()))
    }

    /// A value of 17 octets: IPv6 address and prefix length of INTERNAL_IP6_ADDRESS,
    /// INTERNAL_IP6_SUBNET and INTERNAL_IP6_PREFIX. Prefixes above 128 are none.
    #[must_use]
    pub fn ipv6_prefix(&self) -> Option<(Ipv6Addr, u8)> {
        match self.value.split_first_chunk::<16>()? {
            (address, &[prefix @ 0..=128]) => Some(((*address).into(), prefix)),
            _ => None,
        }
    }

    /// A value in ASCII or UTF-8: APPLICATION_VERSION, INTERNAL_DNS_DOMAIN.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.value).ok()
    }
}
