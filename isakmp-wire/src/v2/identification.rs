//! Identification (RFC 7296 §3.5): ID Type, RESERVED (3), Identification Data.

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
    /// Who is identified, by the payload's type.
    pub identity: Identity<'a>,
    /// Identification Data as its octets.
    pub data: &'a [u8],
    /// The payload without its generic header: `RestOfInitIDPayload` of RFC 7296 §2.15.
    pub body: &'a [u8],
}

/// An identity, by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity<'a> {
    /// ID_IPV4_ADDR or ID_IPV6_ADDR: one address.
    Address(IpAddr),
    /// ID_FQDN; without a NUL octet.
    Fqdn(&'a [u8]),
    /// ID_RFC822_ADDR; without a NUL octet.
    Rfc822Address(&'a [u8]),
    /// ID_DER_ASN1_DN: DER, not looked into.
    Dn(&'a [u8]),
    /// ID_DER_ASN1_GN: DER, not looked into.
    GeneralName(&'a [u8]),
    /// ID_KEY_ID: octets that mean something to the two peers alone.
    KeyId(&'a [u8]),
    /// ID_NULL (RFC 7619 §2.2): no data.
    Null,
    /// The data of a type without a view.
    Other(IdType, &'a [u8]),
}

impl<'a> Identification<'a> {
    /// Validates the payload against its ID type.
    ///
    /// # Errors
    /// Data of another length than the type has, a NUL octet in a name, an empty name, or more
    /// octets than [`Limits::identity`].
    pub fn parse(payload: &Payload<'a>, limits: &Limits) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let [id_type, _, _, _] = reader.array("ID Type")?;
        let (id_type, data) = (IdType(id_type), reader.rest());
        if data.len() > limits.identity {
            let kind = ErrorKind::LengthTooLarge;
            return Err(reader.fault(kind, "Identification Data", data.len()));
        }
        let identity = Identity::read(id_type, reader)?;
        Ok(Self {
            id_type,
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
            IdType::IPV4_ADDR => Self::Address(Ipv4Addr::from(reader.array::<4>(WHAT)?).into()),
            IdType::IPV6_ADDR => Self::Address(Ipv6Addr::from(reader.array::<16>(WHAT)?).into()),
            IdType::NULL => Self::Null,
            _ if data.is_empty() => return Err(start.fault(ErrorKind::LengthTooSmall, WHAT, 0)),
            // RFC 7296 §3.5: "The string MUST NOT contain any terminators (e.g., NULL, CR, etc.)."
            IdType::FQDN | IdType::RFC822_ADDR if data.contains(&0) => {
                return Err(start.fault(ErrorKind::InvalidValue, WHAT, 0));
            }
            IdType::FQDN => return Ok(Self::Fqdn(data)),
            IdType::RFC822_ADDR => return Ok(Self::Rfc822Address(data)),
            IdType::DER_ASN1_DN => return Ok(Self::Dn(data)),
            IdType::DER_ASN1_GN => return Ok(Self::GeneralName(data)),
            IdType::KEY_ID => return Ok(Self::KeyId(data)),
            other => return Ok(Self::Other(other, data)),
        };
        reader.end(WHAT)?;
        Ok(identity)
    }

    /// The ID type of the identity.
    #[must_use]
    pub const fn id_type(&self) -> IdType {
        match self {
            Self::Address(IpAddr::V4(_)) => IdType::IPV4_ADDR,
            Self::Address(IpAddr::V6(_)) => IdType::IPV6_ADDR,
            Self::Fqdn(_) => IdType::FQDN,
            Self::Rfc822Address(_) => IdType::RFC822_ADDR,
            Self::Dn(_) => IdType::DER_ASN1_DN,
            Self::GeneralName(_) => IdType::DER_ASN1_GN,
            Self::KeyId(_) => IdType::KEY_ID,
            Self::Null => IdType::NULL,
            Self::Other(id_type, _) => *id_type,
        }
    }

    /// The identity as text, when it is a name in ASCII or UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::Fqdn(name) | Self::Rfc822Address(name) | Self::KeyId(name) => {
                core::str::from_utf8(name).ok()
            }
            _ => None,
        }
    }
}
