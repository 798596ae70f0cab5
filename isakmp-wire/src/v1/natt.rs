//! NAT original address (RFC 3947 §5.2).
//!
//! ```text
//! | ID Type | RESERVED (3) | IPv4 (4) or IPv6 (16) address |
//! ```

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{IdType, Payload};
use crate::error::{ErrorKind, ParseError};
use crate::reader::Reader;

/// A validated NAT-OA payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatOa {
    /// The address the sender knows a host by.
    pub address: IpAddr,
}

impl NatOa {
    /// Validates the payload.
    ///
    /// # Errors
    /// An ID type that is no single address, or an address of another length.
    pub fn parse(payload: &Payload<'_>) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let [id_type, _, _, _] = reader.array("ID Type")?;
        let address = match IdType(id_type) {
            IdType::IPV4_ADDR => IpAddr::from(Ipv4Addr::from(reader.array::<4>("NAT-OA")?)),
            IdType::IPV6_ADDR => IpAddr::from(Ipv6Addr::from(reader.array::<16>("NAT-OA")?)),
            _ => {
                let (kind, at) = (ErrorKind::InvalidValue, payload.body_offset());
                return Err(ParseError::new(kind, at, "ID Type", usize::from(id_type)));
            }
        };
        reader.end("NAT-OA")?;
        Ok(Self { address })
    }
}
