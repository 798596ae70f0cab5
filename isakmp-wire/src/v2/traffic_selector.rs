//! Traffic selectors (RFC 7296 §3.13).
//!
//! ```text
//! | Number of TSs | RESERVED (3) | Selectors |
//! | TS Type | IP Protocol ID | Selector Length (2) | Start Port (2) | End Port (2)
//! | Starting Address | Ending Address |
//! ```

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Payload, TsType};
use crate::error::{ErrorKind, ParseError};
use crate::limits::Limits;
use crate::reader::Reader;

/// A validated TSi or TSr payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficSelectors<'a> {
    count: u8,
    selectors: &'a [u8],
    offset: usize,
}

/// One element of a TS payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector<'a> {
    /// TS_IPV4_ADDR_RANGE or TS_IPV6_ADDR_RANGE: protocol, ports and addresses.
    Range(TrafficSelector),
    /// A type without a view, such as TS_SECLABEL: what follows the Selector Length.
    Other {
        /// The type that the element says.
        ts_type: TsType,
        /// The second octet: a protocol, or reserved.
        protocol: u8,
        /// What follows the Selector Length.
        data: &'a [u8],
    },
}

/// Addresses, protocol and ports of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrafficSelector {
    /// IP protocol, 0 for any.
    pub protocol: u8,
    /// Ports; type and code for ICMP.
    pub ports: Ports,
    /// The first address of the range.
    pub start: IpAddr,
    /// Last address, of the same family and not below the first.
    pub end: IpAddr,
}

/// Ports of a traffic selector (RFC 7296 §3.13.1, RFC 4301 §4.4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ports {
    /// First and last port; [`Self::ANY`] for all.
    Range(u16, u16),
    /// Packets whose port cannot be seen.
    Opaque,
}

impl Ports {
    /// All ports, and packets whose port cannot be seen.
    pub const ANY: Self = Self::Range(0, 65_535);

    /// Start and end port on the wire.
    #[must_use]
    pub const fn to_wire(self) -> (u16, u16) {
        match self {
            Self::Range(first, last) => (first, last),
            Self::Opaque => (65_535, 0),
        }
    }

    const fn from_wire(first: u16, last: u16) -> Option<Self> {
        match (first, last) {
            (65_535, 0) => Some(Self::Opaque),
            (first, last) if first <= last => Some(Self::Range(first, last)),
            _ => None,
        }
    }
}

impl<'a> TrafficSelectors<'a> {
    /// Validates the payload.
    ///
    /// # Errors
    /// No selector, more than [`Limits::traffic_selectors`], lengths that disagree, or addresses
    /// or ports that run backwards (OPAQUE aside).
    pub fn parse(payload: &Payload<'a>, limits: &Limits) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload.body, payload.body_offset());
        let start = reader;
        let [count, _, _, _] = reader.array("Number of TSs")?;
        if count == 0 {
            return Err(start.fault(ErrorKind::TooFew, "Number of TSs", 0));
        }
        if usize::from(count) > limits.traffic_selectors {
            return Err(start.fault(ErrorKind::TooMany, "Number of TSs", usize::from(count)));
        }
        let (selectors, offset) = (reader.rest(), reader.offset());
        for _ in 0..count {
            Selector::read(&mut reader)?;
        }
        reader.end("Traffic Selectors")?;
        Ok(Self {
            count,
            selectors,
            offset,
        })
    }

    /// The number of selectors in the payload.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Never: a payload without a selector is refused.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The selectors in wire order.
    pub fn iter(&self) -> impl Iterator<Item = Selector<'a>> + Clone + use<'a> {
        let mut reader = Reader::new(self.selectors, self.offset);
        core::iter::from_fn(move || Selector::read(&mut reader).ok())
    }

    /// The selectors of addresses in wire order.
    pub fn ranges(&self) -> impl Iterator<Item = TrafficSelector> + Clone + use<'a> {
        self.iter().filter_map(|selector| match selector {
            Selector::Range(range) => Some(range),
            Selector::Other { .. } => None,
        })
    }
}

impl<'a> Selector<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        let start = *reader;
        let [ts_type, protocol, high, low] = reader.array("TS Type")?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(body_len) = length.checked_sub(4) else {
            return Err(start.fault(ErrorKind::LengthTooSmall, "Selector Length", length));
        };
        let offset = reader.offset();
        let data = reader.take(body_len, "Selector Length")?;
        let mut body = Reader::new(data, offset);
        let ts_type = TsType(ts_type);
        if !matches!(ts_type, TsType::IPV4_ADDR_RANGE | TsType::IPV6_ADDR_RANGE) {
            return Ok(Self::Other {
                ts_type,
                protocol,
                data,
            });
        }
        let (first, last) = (body.u16("Start Port")?, body.u16("End Port")?);
        let ports = Ports::from_wire(first, last).ok_or_else(|| {
            start.fault(ErrorKind::InvalidValue, "Start Port", usize::from(first))
        })?;
        let (start_address, end) = if ts_type == TsType::IPV4_ADDR_RANGE {
            (v4(&mut body)?, v4(&mut body)?)
        } else {
            (v6(&mut body)?, v6(&mut body)?)
        };
        body.end("Selector Length")?;
        if start_address > end {
            return Err(start.fault(ErrorKind::InvalidValue, "Starting Address", length));
        }
        Ok(Self::Range(TrafficSelector {
            protocol,
            ports,
            start: start_address,
            end,
        }))
    }
}

fn v4(reader: &mut Reader<'_>) -> Result<IpAddr, ParseError> {
    reader
        .array::<4>("address")
        .map(|octets| Ipv4Addr::from(octets).into())
}

fn v6(reader: &mut Reader<'_>) -> Result<IpAddr, ParseError> {
    reader
        .array::<16>("address")
        .map(|octets| Ipv6Addr::from(octets).into())
}

impl core::fmt::Display for TrafficSelector {
    /// `192.168.100.0/0 - 192.168.100.255/65535`, as ASA prints a selector; the protocol in front
    /// when there is one.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.protocol != 0 {
            write!(f, "{}:", self.protocol)?;
        }
        match self.ports {
            Ports::Range(first, last) => {
                write!(f, "{}/{first} - {}/{last}", self.start, self.end)
            }
            Ports::Opaque => write!(f, "{} - {} OPAQUE", self.start, self.end),
        }
    }
}
