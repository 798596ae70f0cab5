//! The IP headers around GRE: a checked view of a received packet, and the delivery header to
//! write (RFC 791 §3.1, RFC 8200 §3, RFC 2784 §4, RFC 7676 §4.1).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checksum::{Sum, fold, header_checksum};
use crate::header::headroom;
use crate::{EncodeError, Header, Packet, ParseError, ParseErrorKind};

/// The IP protocol number of GRE (RFC 2784 §4).
pub const PROTOCOL_GRE: u8 = 47;
/// IPv4 header without options, in octets.
pub const IPV4_HEADER_LEN: usize = 20;
/// IPv6 fixed header, in octets.
pub const IPV6_HEADER_LEN: usize = 40;
/// How many IPv6 extension headers are walked before giving up.
pub const MAX_EXTENSION_HEADERS: usize = 8;

/// A received IPv4 or IPv6 packet, header checked once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpPacket<'a> {
    fixed: Fixed<'a>,
    protocol: u8,
    fragment: bool,
    header_len: usize,
    total_len: usize,
    payload: &'a [u8],
}

/// The fixed header, read where it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fixed<'a> {
    V4(&'a [u8; IPV4_HEADER_LEN]),
    V6(&'a [u8; IPV6_HEADER_LEN]),
}

impl<'a> IpPacket<'a> {
    /// Reads an IP packet; octets behind its stated length (link-layer padding) are left out.
    ///
    /// # Errors
    /// Truncation, lengths that contradict each other, a wrong IPv4 header checksum, too many IPv6
    /// extension headers.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        match bytes.first().map(|first| first >> 4) {
            None => Err(truncated("IP header", IPV4_HEADER_LEN, 0)),
            Some(4) => Self::parse_v4(bytes),
            Some(6) => Self::parse_v6(bytes),
            Some(other) => Err(ParseErrorKind::IpVersion(other).at(0)),
        }
    }

    #[inline]
    fn parse_v4(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let Some((fixed, rest)) = bytes.split_first_chunk::<IPV4_HEADER_LEN>() else {
            return Err(truncated("IPv4 header", IPV4_HEADER_LEN, bytes.len()));
        };
        let [first, _, l0, l1, _, _, f0, f1, _, protocol, ..] = *fixed;
        let total_len = usize::from(u16::from_be_bytes([l0, l1]));
        let wrong_length = || {
            let available = bytes.len();
            ParseErrorKind::IpLength {
                stated: total_len,
                available,
            }
            .at(2)
        };
        let whole = total_len.checked_sub(IPV4_HEADER_LEN);
        let rest = whole
            .and_then(|len| rest.get(..len))
            .ok_or_else(wrong_length);
        let (options, payload, sum) = match first & 0x0f {
            5 => (0, rest?, header_checksum(fixed)),
            words @ 0..5 => {
                return Err(ParseErrorKind::IpHeaderLength(words.saturating_mul(4)).at(0));
            }
            words => {
                let options = usize::from(words.saturating_sub(5)).saturating_mul(4);
                let (octets, payload) = rest?.split_at_checked(options).ok_or_else(wrong_length)?;
                (options, payload, checksum_with_options(fixed, octets))
            }
        };
        if sum != 0 {
            return Err(ParseErrorKind::IpChecksum.at(10));
        }
        // RFC 791 §3.1: MF 0x2000, offset below.
        let fragment = u16::from_be_bytes([f0, f1]) & 0x3fff != 0;
        Ok(Self {
            fixed: Fixed::V4(fixed),
            protocol,
            fragment,
            header_len: IPV4_HEADER_LEN.saturating_add(options),
            total_len,
            payload,
        })
    }

    fn parse_v6(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let Some((fixed, rest)) = bytes.split_first_chunk::<IPV6_HEADER_LEN>() else {
            return Err(truncated("IPv6 header", IPV6_HEADER_LEN, bytes.len()));
        };
        let [_, _, _, _, l0, l1, next_header, ..] = *fixed;
        let stated = usize::from(u16::from_be_bytes([l0, l1]));
        let Some(rest) = rest.get(..stated) else {
            let stated = stated.saturating_add(IPV6_HEADER_LEN);
            return Err(ParseErrorKind::IpLength {
                stated,
                available: bytes.len(),
            }
            .at(4));
        };
        let chain = Extensions::walk(next_header, rest)?;
        Ok(Self {
            fixed: Fixed::V6(fixed),
            protocol: chain.protocol,
            fragment: chain.fragment,
            header_len: IPV6_HEADER_LEN.saturating_add(chain.len),
            total_len: IPV6_HEADER_LEN.saturating_add(stated),
            payload: rest.get(chain.len..).unwrap_or_default(),
        })
    }

    /// The source address of the header.
    #[must_use]
    pub fn source(&self) -> IpAddr {
        match self.fixed {
            Fixed::V4([.., a, b, c, d, _, _, _, _]) => Ipv4Addr::new(*a, *b, *c, *d).into(),
            Fixed::V6([_, _, _, _, _, _, _, _, addresses @ ..]) => split_addresses(addresses).0,
        }
    }

    /// The destination address of the header.
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        match self.fixed {
            Fixed::V4([.., a, b, c, d]) => Ipv4Addr::new(*a, *b, *c, *d).into(),
            Fixed::V6([_, _, _, _, _, _, _, _, addresses @ ..]) => split_addresses(addresses).1,
        }
    }

    /// Whether the packet is IPv4; if not, it is IPv6.
    #[must_use]
    pub const fn is_ipv4(&self) -> bool {
        matches!(self.fixed, Fixed::V4(_))
    }

    /// TTL of IPv4, Hop Limit of IPv6.
    #[must_use]
    pub const fn ttl(&self) -> u8 {
        match self.fixed {
            Fixed::V4([_, _, _, _, _, _, _, _, ttl, ..]) => *ttl,
            Fixed::V6([_, _, _, _, _, _, _, hop_limit, ..]) => *hop_limit,
        }
    }

    /// The octet TOS of IPv4, Traffic Class of IPv6.
    #[must_use]
    pub const fn traffic_class(&self) -> u8 {
        match self.fixed {
            Fixed::V4([_, tos, ..]) => *tos,
            Fixed::V6([first, second, ..]) => (*first << 4) | (*second >> 4),
        }
    }

    /// Protocol, or the Next Header of the last IPv6 extension header.
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// The IPv4 DF bit; true for IPv6, where only the source fragments (RFC 8200 §4.5).
    #[must_use]
    pub const fn dont_fragment(&self) -> bool {
        match self.fixed {
            Fixed::V4([_, _, _, _, _, _, flags, ..]) => *flags & 0x40 != 0,
            Fixed::V6(_) => true,
        }
    }

    /// Whether this is a fragment, first ones included.
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.fragment
    }

    /// Header octets, IPv4 options or IPv6 extension headers included.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        self.header_len
    }

    /// Octets of the whole packet, by its own length field.
    #[must_use]
    pub const fn total_len(&self) -> usize {
        self.total_len
    }

    /// What follows the IP header and its extension headers.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The GRE packet this one delivers.
    ///
    /// # Errors
    /// [`ParseErrorKind::NotGre`], [`ParseErrorKind::Fragment`], or what [`Packet::parse`] finds
    /// (offsets count from the start of this packet).
    #[inline]
    pub fn gre(&self) -> Result<Packet<'a>, ParseError> {
        let body = self.gre_bytes()?;
        Packet::parse(body).map_err(|error| ParseError {
            offset: error.offset.saturating_add(self.header_len),
            ..error
        })
    }

    /// The octets of the GRE packet this one delivers, not looked at.
    ///
    /// # Errors
    /// [`ParseErrorKind::NotGre`] or [`ParseErrorKind::Fragment`].
    #[inline]
    pub fn gre_bytes(&self) -> Result<&'a [u8], ParseError> {
        if self.protocol != PROTOCOL_GRE {
            let at = if self.is_ipv4() { 9 } else { 6 };
            return Err(ParseErrorKind::NotGre(self.protocol).at(at));
        }
        if self.fragment {
            return Err(ParseErrorKind::Fragment.at(6));
        }
        Ok(self.payload)
    }
}

/// The delivery header to write: what carries GRE through the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The source of the packet: our end of the tunnel.
    pub source: IpAddr,
    /// Tunnel destination, of the same family.
    pub destination: IpAddr,
    /// TTL or Hop Limit; 255 is usual.
    pub ttl: u8,
    /// TOS or Traffic Class octet.
    pub traffic_class: u8,
    /// IPv4 DF bit; IPv6 has none.
    pub dont_fragment: bool,
    /// IPv4 Identification (RFC 6864: any value where DF is set); the low 16 bits.
    /// IPv6: Flow Label, the low 20 bits.
    pub identification: u32,
    /// The protocol number that follows: [`PROTOCOL_GRE`], but for the quirks of other vendors.
    pub protocol: u8,
}

impl Delivery {
    /// A delivery header with TTL 255, TOS 0, DF clear, identification 0.
    #[must_use]
    pub const fn new(source: IpAddr, destination: IpAddr) -> Self {
        Self {
            source,
            destination,
            ttl: 255,
            traffic_class: 0,
            dont_fragment: false,
            identification: 0,
            protocol: PROTOCOL_GRE,
        }
    }

    /// Octets on the wire: 20 or 40. This is the headroom [`prepend`](Self::prepend) needs.
    #[must_use]
    pub const fn len(&self) -> usize {
        if self.source.is_ipv4() {
            IPV4_HEADER_LEN
        } else {
            IPV6_HEADER_LEN
        }
    }

    /// Never: an IP header has at least twenty octets.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Writes this IP header right before `payload_at`; gives back where the packet starts.
    ///
    /// # Errors
    /// No headroom, a packet above 65,535 octets, mixed families. The buffer is unchanged then.
    #[inline]
    pub fn prepend(&self, buffer: &mut [u8], payload_at: usize) -> Result<usize, EncodeError> {
        let start = headroom(buffer, payload_at, self.len())?;
        let total = buffer.len().saturating_sub(start);
        let room = buffer.get_mut(start..payload_at).unwrap_or_default();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let total = u16::try_from(total).map_err(|_| EncodeError::TooLong(total))?;
                room.copy_from_slice(&self.ipv4(source, destination, total));
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let length = total.saturating_sub(IPV6_HEADER_LEN);
                let length = u16::try_from(length).map_err(|_| EncodeError::TooLong(length))?;
                room.copy_from_slice(&self.ipv6(source, destination, length));
            }
            _ => return Err(EncodeError::MixedFamilies),
        }
        Ok(start)
    }

    /// Writes `header` and this delivery header right before the payload at `payload_at`; gives
    /// back where the packet starts: `payload_at` − `header.len()` − `self.len()`.
    ///
    /// # Errors
    /// As [`prepend`](Self::prepend) and [`Header::encapsulate`]. The buffer is unchanged then.
    #[inline]
    pub fn encapsulate(
        &self,
        header: &Header,
        buffer: &mut [u8],
        payload_at: usize,
    ) -> Result<usize, EncodeError> {
        let needed = self.len().saturating_add(header.len());
        let start = headroom(buffer, payload_at, needed)?;
        let packet = buffer.get_mut(start..).unwrap_or_default();
        let total = packet.len();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let length = u16::try_from(total).map_err(|_| EncodeError::TooLong(total))?;
                if let Some((ip, gre)) = packet.split_first_chunk_mut() {
                    *ip = self.ipv4(source, destination, length);
                    header.write(gre);
                }
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let length = total.saturating_sub(IPV6_HEADER_LEN);
                let length = u16::try_from(length).map_err(|_| EncodeError::TooLong(length))?;
                if let Some((ip, gre)) = packet.split_first_chunk_mut() {
                    *ip = self.ipv6(source, destination, length);
                    header.write(gre);
                }
            }
            _ => return Err(EncodeError::MixedFamilies),
        }
        Ok(start)
    }

    #[inline]
    fn ipv4(&self, source: Ipv4Addr, destination: Ipv4Addr, total: u16) -> [u8; IPV4_HEADER_LEN] {
        // RFC 791 §3.1, 32 bits a word.
        let flags: u32 = if self.dont_fragment { 0x4000 } else { 0 };
        let a = 0x4500_0000 | (u32::from(self.traffic_class) << 16) | u32::from(total);
        let b = (self.identification << 16) | flags;
        let c = (u32::from(self.ttl) << 24) | (u32::from(self.protocol) << 16);
        let [d, e] = [source.to_bits(), destination.to_bits()];
        // RFC 1071 §2(C): the sum of 32-bit words, folded; nothing goes through memory.
        let sum = [a, b, c, d, e]
            .into_iter()
            .fold(0u64, |sum, word| sum.wrapping_add(u64::from(word)));
        let c = c | u32::from(fold(sum));
        let pair = |high: u32, low: u32| ((u64::from(high) << 32) | u64::from(low)).to_be_bytes();
        let mut header = [0; IPV4_HEADER_LEN];
        if let Some((first, rest)) = header.split_first_chunk_mut() {
            *first = pair(a, b);
            if let Some((second, rest)) = rest.split_first_chunk_mut() {
                *second = pair(c, d);
                rest.copy_from_slice(&e.to_be_bytes());
            }
        }
        header
    }

    fn ipv6(&self, source: Ipv6Addr, destination: Ipv6Addr, length: u16) -> [u8; IPV6_HEADER_LEN] {
        let first = 0x6000_0000
            | (u32::from(self.traffic_class) << 20)
            | (self.identification & 0x000f_ffff);
        let mut header = [0; IPV6_HEADER_LEN];
        let [l0, l1] = length.to_be_bytes();
        let fixed = first
            .to_be_bytes()
            .into_iter()
            .chain([l0, l1, self.protocol, self.ttl]);
        let octets = fixed.chain(source.octets()).chain(destination.octets());
        for (to, from) in header.iter_mut().zip(octets) {
            *to = from;
        }
        header
    }
}

#[cold]
fn checksum_with_options(fixed: &[u8; IPV4_HEADER_LEN], options: &[u8]) -> u16 {
    Sum::ZERO.octets(fixed).octets(options).finish()
}

struct Extensions {
    protocol: u8,
    fragment: bool,
    len: usize,
}

impl Extensions {
    /// RFC 8200 §4: the headers between the fixed header and the payload, forward only.
    fn walk(first: u8, bytes: &[u8]) -> Result<Self, ParseError> {
        let mut chain = Self {
            protocol: first,
            fragment: false,
            len: 0,
        };
        for _ in 0..=MAX_EXTENSION_HEADERS {
            // RFC 8200 §4.3, §4.4, §4.6: hop-by-hop 0, routing 43, destination options 60 count
            // eight-octet units behind the first; the fragment header 44 (§4.5) has eight octets.
            if !matches!(chain.protocol, 0 | 43 | 44 | 60) {
                return Ok(chain);
            }
            // Behind a fragment's header but the first there is no header to walk.
            let at = chain.len;
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(&[next, units, f0, f1, ..]) = rest.first_chunk::<8>() else {
                let needed = IPV6_HEADER_LEN.saturating_add(at).saturating_add(8);
                let available = IPV6_HEADER_LEN.saturating_add(bytes.len());
                return Err(truncated("IPv6 extension header", needed, available));
            };
            let mut len = usize::from(units).saturating_add(1).saturating_mul(8);
            let mut stop = false;
            if chain.protocol == 44 {
                len = 8;
                let field = u16::from_be_bytes([f0, f1]);
                chain.fragment |= field & 0xfff9 != 0;
                stop = field & 0xfff8 != 0;
            }
            if rest.len() < len {
                let needed = IPV6_HEADER_LEN.saturating_add(at).saturating_add(len);
                let available = IPV6_HEADER_LEN.saturating_add(bytes.len());
                return Err(truncated("IPv6 extension header", needed, available));
            }
            chain.protocol = next;
            chain.len = at.saturating_add(len);
            if stop {
                return Ok(chain);
            }
        }
        Err(ParseErrorKind::ExtensionHeaders(MAX_EXTENSION_HEADERS).at(IPV6_HEADER_LEN))
    }
}

fn truncated(what: &'static str, needed: usize, available: usize) -> ParseError {
    ParseErrorKind::Truncated {
        what,
        needed,
        available,
    }
    .at(available)
}

fn split_addresses(addresses: &[u8; 32]) -> (IpAddr, IpAddr) {
    let mut source = [0; 16];
    let mut destination = [0; 16];
    let (low, high) = addresses.split_at(16);
    source.copy_from_slice(low);
    destination.copy_from_slice(high);
    (
        Ipv6Addr::from(source).into(),
        Ipv6Addr::from(destination).into(),
    )
}
