//! Identification (RFC 2408 §3.8, RFC 2407 §4.6.2).
//!
//! ```text
//! | ID Type | Protocol ID | Port (2) | Identification Data |
//! ```

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{IdType, Payload};
use crate::error::{ErrorKind, ParseError};
use crate::limits::Limits;
use crate::reader::Reader;

/// A validated Identification payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identification<'a> {
    /// The type that says how the data is read.
    pub id_type: IdType,
    /// IP protocol, 0 for any.
    pub protocol: u8,
    /// Port, 0 for any.
    pub port: u16,
    /// Who or what is identified, by the payload's type.
    pub identity: Identity<'a>,
    /// Identification Data as its octets.
    pub data: &'a [u8],
    /// The payload without its generic header: `IDii_b`, `IDir_b` of RFC 2409 §3.2.
    pub body: &'a [u8],
}

/// An identity, by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity<'a> {
    /// ID_IPV4_ADDR or ID_IPV6_ADDR: one address.
    Address(IpAddr),
    /// ID_IPV4_ADDR_SUBNET, ID_IPV6_ADDR_SUBNET: address and mask of one family.
    Subnet(IpAddr, IpAddr),
    /// ID_IPV4_ADDR_RANGE, ID_IPV6_ADDR_RANGE: first and last address, both inclusive.
    Range(IpAddr, IpAddr),
    /// ID_FQDN; without a NUL octet.
    Fqdn(&'a [u8]),
    /// ID_USER_FQDN; without a NUL octet.
    UserFqdn(&'a [u8]),
    /// ID_DER_ASN1_DN: DER, not looked into.
    Dn(&'a [u8]),
    /// ID_DER_ASN1_GN: DER, not looked into.
    GeneralName(&'a [u8]),
    /// ID_KEY_ID: octets that mean something to the two peers alone.
    KeyId(&'a [u8]),
    /// ID_LIST (RFC 3554 §3): see [`Self::list`].
    List(&'a [u8]),
    /// The data of a type without a view.
    Other(&'a [u8]),
}

impl<'a> Identification<'a> {
    /// Validates the payload against its ID type.
    ///
    /// # Errors
    /// Data of another length than the type has, a range that runs backwards, a NUL octet in a
    /// name, an empty name, or more octets than [`Limits::identity`].
    pub fn parse(payload: &Payload<'a>, limits: &Limits) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let [id_type, protocol, high, low] = reader.array("ID Type")?;
        let (id_type, data) = (IdType(id_type), reader.rest());
        if data.len() > limits.identity {
            let kind = ErrorKind::LengthTooLarge;
            return Err(reader.fault(kind, "Identification Data", data.len()));
        }
        let identity = Identity::read(id_type, reader)?;
        let port = u16::from_be_bytes([high, low]);
        Ok(Self {
            id_type,
            protocol,
            port,
            identity,
            data,
            body: payload.body,
        })
    }
}

impl<'a> Identity<'a> {
    fn read(id_type: IdType, mut reader: Reader<'a>) -> Result<Self, ParseError> {
        const WHAT: &str = "Identification Data";
        let (data, start) = (reader.rest(), reader);
        let identity = match id_type {
            IdType::IPV4_ADDR => Self::Address(v4(&mut reader)?),
            IdType::IPV6_ADDR => Self::Address(v6(&mut reader)?),
            IdType::IPV4_ADDR_SUBNET => Self::Subnet(v4(&mut reader)?, v4(&mut reader)?),
            IdType::IPV6_ADDR_SUBNET => Self::Subnet(v6(&mut reader)?, v6(&mut reader)?),
            IdType::IPV4_ADDR_RANGE => Self::Range(v4(&mut reader)?, v4(&mut reader)?),
            IdType::IPV6_ADDR_RANGE => Self::Range(v6(&mut reader)?, v6(&mut reader)?),
            _ if data.is_empty() => return Err(start.fault(ErrorKind::LengthTooSmall, WHAT, 0)),
            IdType::FQDN => return Ok(Self::Fqdn(name(&start)?)),
            IdType::USER_FQDN => return Ok(Self::UserFqdn(name(&start)?)),
            IdType::DER_ASN1_DN => return Ok(Self::Dn(data)),
            IdType::DER_ASN1_GN => return Ok(Self::GeneralName(data)),
            IdType::KEY_ID => return Ok(Self::KeyId(data)),
            IdType::LIST => {
                while !reader.is_empty() {
                    ListItem::read(&mut reader)?;
                }
                return Ok(Self::List(data));
            }
            _ => return Ok(Self::Other(data)),
        };
        reader.end(WHAT)?;
        match identity {
            Self::Range(first, last) if first > last => {
                Err(start.fault(ErrorKind::InvalidValue, WHAT, data.len()))
            }
            identity => Ok(identity),
        }
    }

    /// Prefix length of a [`Self::Subnet`] whose mask is contiguous.
    #[must_use]
    pub fn prefix_len(&self) -> Option<u8> {
        let Self::Subnet(_, mask) = self else {
            return None;
        };
        let (ones, zeros, width) = match mask {
            IpAddr::V4(mask) => (
                mask.to_bits().leading_ones(),
                mask.to_bits().trailing_zeros(),
                32,
            ),
            IpAddr::V6(mask) => (
                mask.to_bits().leading_ones(),
                mask.to_bits().trailing_zeros(),
                128,
            ),
        };
        if ones.saturating_add(zeros) == width {
            u8::try_from(ones).ok()
        } else {
            None
        }
    }

    /// The identities of a [`Self::List`]; nothing for another identity.
    pub fn list(&self) -> impl Iterator<Item = ListItem<'a>> + Clone + use<'a> {
        let octets: &[u8] = match self {
            Self::List(octets) => octets,
            _ => &[],
        };
        let mut reader = Reader::new(octets, 0);
        core::iter::from_fn(move || ListItem::read(&mut reader).ok())
    }

    /// The identity as text, when it is a name in ASCII or UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::Fqdn(name) | Self::UserFqdn(name) | Self::KeyId(name) => {
                core::str::from_utf8(name).ok()
            }
            _ => None,
        }
    }
}

/// One identity of an ID_LIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListItem<'a> {
    /// The identity; never a list itself.
    pub identity: Identity<'a>,
    /// IP protocol, 0 for any.
    pub protocol: u8,
    /// Port, 0 for any.
    pub port: u16,
}

impl<'a> ListItem<'a> {
    /// RFC 3554 §3: a whole Identification payload, its Next Payload ignored.
    fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        let start = *reader;
        let [_, _, high, low] = reader.array("generic payload header")?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(body_len) = length.checked_sub(4) else {
            return Err(start.fault(ErrorKind::LengthTooSmall, "Payload Length", length));
        };
        let offset = reader.offset();
        let mut body = Reader::new(reader.take(body_len, "Payload Length")?, offset);
        let [id_type, protocol, high, low] = body.array("ID Type")?;
        if IdType(id_type) == IdType::LIST {
            return Err(start.fault(ErrorKind::InvalidValue, "ID Type", usize::from(id_type)));
        }
        let identity = Identity::read(IdType(id_type), body)?;
        Ok(Self {
            identity,
            protocol,
            port: u16::from_be_bytes([high, low]),
        })
    }
}

fn v4(reader: &mut Reader<'_>) -> Result<IpAddr, ParseError> {
    reader
        .array::<4>("Identification Data")
        .map(|octets| Ipv4Addr::from(octets).into())
}

fn v6(reader: &mut Reader<'_>) -> Result<IpAddr, ParseError> {
    reader
        .array::<16>("Identification Data")
        .map(|octets| Ipv6Addr::from(octets).into())
}

/// RFC 2407 §4.6.2.3: "the string should not contain any terminators"; an embedded one has fooled
/// comparisons before.
fn name<'a>(reader: &Reader<'a>) -> Result<&'a [u8], ParseError> {
    if reader.rest().contains(&0) {
        return Err(reader.fault(ErrorKind::InvalidValue, "Identification Data", 0));
    }
    Ok(reader.rest())
}
