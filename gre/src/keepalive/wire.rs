//! Keepalive packets: what we send, what of it comes back, what the peer sends.
//!
//! ```text
//! to the peer    IP local → remote │ GRE IP │ IP remote → local │ GRE 0 │ [nonce]
//! and back                                    IP remote → local │ GRE 0 │ [nonce]
//! ```

use core::net::IpAddr;

use super::config::{Config, InnerDestination};
use crate::checksum::checksum;
use crate::ip::PROTOCOL_GRE;
use crate::{Delivery, EncodeError, EtherType, Header, IpPacket, Packet};

/// Octets of a nonce.
pub(crate) const NONCE_LEN: usize = 8;

/// A complete IP packet, held inline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    octets: [u8; Self::MAX_LEN],
    start: usize,
    end: usize,
}

impl Datagram {
    /// Octets of the longest keepalive: IPv6 and GRE twice, with key and checksum, and 64 octets
    /// of the peer's payload.
    pub const MAX_LEN: usize = 168;

    fn of(bytes: &[u8]) -> Option<Self> {
        let mut octets = [0; Self::MAX_LEN];
        octets.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self {
            octets,
            start: 0,
            end: bytes.len(),
        })
    }

    /// The octets of the packet, from its IP header on.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(self.start..self.end).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Datagram {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl core::fmt::Debug for Datagram {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Datagram(")?;
        for octet in self.as_bytes() {
            write!(f, "{octet:02x}")?;
        }
        f.write_str(")")
    }
}

/// Builds our keepalive: 48 octets over IPv4 without options, 24 of them the inner packet.
pub(crate) fn build(config: &Config, nonce: Option<u64>) -> Result<Datagram, EncodeError> {
    let mut datagram = Datagram {
        octets: [0; Datagram::MAX_LEN],
        start: 0,
        end: Datagram::MAX_LEN,
    };
    let header = |protocol| Header {
        protocol,
        checksum: config.checksum,
        key: config.key,
        sequence: None,
    };
    let delivery = |source, destination| Delivery {
        ttl: config.ttl,
        traffic_class: config.traffic_class,
        ..Delivery::new(source, destination)
    };
    let carried = match config.local {
        IpAddr::V4(_) => EtherType::IPV4,
        IpAddr::V6(_) => EtherType::IPV6,
    };
    let mut at = Datagram::MAX_LEN;
    if let Some(nonce) = nonce {
        at = at.saturating_sub(NONCE_LEN);
        if let Some(room) = datagram.octets.get_mut(at..) {
            room.copy_from_slice(&nonce.to_be_bytes());
        }
    }
    let octets = &mut datagram.octets;
    let inner = delivery(config.remote, config.local);
    at = inner.encapsulate(&header(EtherType::RESERVED_0), octets, at)?;
    let outer = delivery(config.local, config.remote);
    datagram.start = outer.encapsulate(&header(carried), octets, at)?;
    Ok(datagram)
}

/// What a packet of the tunnel is to the keepalive machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// Anything but a keepalive: a packet to decapsulate.
    Data,
    /// Ours, back: with the payload behind the inner header.
    Returned(&'a [u8]),
    /// The peer's: the packet to send back.
    Request(IpPacket<'a>, &'a [u8]),
    /// Looks like the peer's, but is not what a peer may ask us to send.
    BadRequest,
}

pub(crate) fn classify<'a>(config: &Config, gre: &Packet<'a>) -> Kind<'a> {
    let quirks = &config.quirks;
    let marks = |packet: &Packet<'_>| {
        quirks.inner_protocols.contains(&packet.protocol())
            && (packet.protocol() == EtherType::RESERVED_0 || packet.payload().is_empty())
    };
    if marks(gre) {
        return Kind::Returned(gre.payload());
    }
    let wrapper = quirks
        .wrappers
        .iter()
        .find(|wrapper| wrapper.protocol == gre.protocol());
    let Some(wrapped) = wrapper.and_then(|wrapper| gre.payload().get(wrapper.skip..)) else {
        return Kind::Data;
    };
    let Ok(inner) = IpPacket::parse(wrapped) else {
        return Kind::Data;
    };
    if inner.protocol() != PROTOCOL_GRE || inner.is_fragment() || inner.source() != config.local {
        return Kind::Data;
    }
    // From here on the packet claims to come from us: what is no proper keepalive is no data
    // either, and sending it on would be sending in our own name what another host wrote.
    let Ok(inner_gre) = inner.gre() else {
        return Kind::BadRequest;
    };
    let key_fits = inner_gre.key().is_none_or(|key| Some(key) == config.key);
    let destination_fits = match quirks.inner_destination {
        InnerDestination::Remote => inner.destination() == config.remote,
        InnerDestination::RewriteToRemote => {
            inner.destination().is_ipv4() == config.remote.is_ipv4()
        }
    };
    if marks(&inner_gre)
        && key_fits
        && destination_fits
        && inner_gre.payload().len() <= quirks.max_payload
    {
        Kind::Request(inner, wrapped)
    } else {
        Kind::BadRequest
    }
}

/// The answer to the peer's keepalive: its inner packet, forwarded to the peer's tunnel end with
/// TTL one less (RFC 2784 §3.1). None if the TTL is used up or the packet too long.
pub(crate) fn reply(config: &Config, inner: &IpPacket<'_>, bytes: &[u8]) -> Option<Datagram> {
    let ttl = inner.ttl().checked_sub(1).filter(|ttl| *ttl > 0)?;
    let mut datagram = Datagram::of(bytes.get(..inner.total_len())?)?;
    match config.remote {
        IpAddr::V4(remote) => {
            let header = datagram.octets.get_mut(..inner.header_len())?;
            *header.get_mut(8)? = ttl;
            header.get_mut(16..20)?.copy_from_slice(&remote.octets());
            header.get_mut(10..12)?.fill(0);
            let sum = checksum(header).to_be_bytes();
            header.get_mut(10..12)?.copy_from_slice(&sum);
        }
        IpAddr::V6(remote) => {
            *datagram.octets.get_mut(7)? = ttl;
            datagram
                .octets
                .get_mut(24..40)?
                .copy_from_slice(&remote.octets());
        }
    }
    Some(datagram)
}
