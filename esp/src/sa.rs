//! What both directions of an SA share: SPI, mode, configuration errors.

use core::fmt;

use crypto_suite::PacketKey;

use crate::ip::UDP_HEADER_LEN;
use crate::outer::{TunnelHeader, UdpPorts};

/// Octets of SPI and sequence number (RFC 4303 §2).
pub const ESP_HEADER_LEN: usize = 8;
/// Octets of pad length and next header.
pub const TRAILER_LEN: usize = 2;

/// A security parameter index. RFC 4303 §2.1 keeps 0 for local use and reserves 1 to 255.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spi(u32);

impl Spi {
    /// Makes an SPI that we may choose: 256 or above; `None` for a reserved value.
    #[must_use]
    pub const fn new(value: u32) -> Option<Self> {
        if value > 255 { Some(Self(value)) } else { None }
    }

    /// Makes an SPI that the peer chose. It may choose reserved values; `None` for 0, which never
    /// stands on the wire (RFC 4303 §2.1).
    #[must_use]
    pub const fn from_peer(value: u32) -> Option<Self> {
        if value > 0 { Some(Self(value)) } else { None }
    }

    /// The SPI as a number in host order.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The four octets on the wire.
    #[must_use]
    pub const fn to_be_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

impl fmt::Debug for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spi({self})")
    }
}

/// What an SA wraps, and which headers [`Outbound`](crate::Outbound) writes in front of ESP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Whole IP packets. With `header`, the outer IP header is written too; without, the result
    /// begins at the ESP (or UDP) header because the socket writes the rest.
    Tunnel {
        /// The outer header to write, if one is to be written.
        header: Option<TunnelHeader>,
    },
    /// The upper layer of IP packets. With `keep_header`, the packet's own header is kept and
    /// patched; without, the result begins at the ESP (or UDP) header.
    Transport {
        /// Keep the packet's own IP header.
        keep_header: bool,
    },
}

impl Mode {
    /// Tunnel mode whose outer header the caller writes.
    pub const TUNNEL: Self = Self::Tunnel { header: None };
    /// Transport mode that keeps the packet's header.
    pub const TRANSPORT: Self = Self::Transport { keep_header: true };

    /// Whether whole IP packets are wrapped.
    #[must_use]
    pub const fn is_tunnel(&self) -> bool {
        matches!(self, Self::Tunnel { .. })
    }
}

/// Why an SA cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The key has no integrity check value: encryption alone is not protection
    /// (RFC 8221 §4, and the attacks it cites).
    #[error("a key without integrity protection")]
    NoIntegrity,
    /// The key's block length is not 1, 2, 4, 8 or 16 … up to 128 octets.
    #[error("block length {0}")]
    BlockLength(usize),
    /// TFC padding needs an inner length field, that is tunnel mode (RFC 4303 §2.7).
    #[error("TFC padding in transport mode")]
    TfcInTransport,
}

/// Lengths that a key adds to every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) iv_len: usize,
    pub(crate) icv_len: usize,
    /// Payload, padding and trailer together are a multiple of this: at least 4
    /// (RFC 4303 §2.4), or the cipher's block.
    pub(crate) align: usize,
}

impl Shape {
    pub(crate) fn of(key: &dyn PacketKey) -> Result<Self, BuildError> {
        let (iv_len, icv_len, block) = (key.iv_len(), key.icv_len(), key.block_len());
        if icv_len == 0 {
            return Err(BuildError::NoIntegrity);
        }
        if !block.is_power_of_two() || block > 128 {
            return Err(BuildError::BlockLength(block));
        }
        Ok(Self {
            iv_len,
            icv_len,
            align: block.max(4),
        })
    }

    /// Octets between the outer headers and the payload.
    pub(crate) const fn head(&self) -> usize {
        ESP_HEADER_LEN.saturating_add(self.iv_len)
    }

    /// Padding behind this many octets of payload.
    pub(crate) const fn padding(&self, payload: usize) -> usize {
        // `align` is a power of two.
        let over = payload.wrapping_add(TRAILER_LEN) & self.align.wrapping_sub(1);
        self.align.wrapping_sub(over) & self.align.wrapping_sub(1)
    }

    /// The largest number of octets behind the payload, TFC padding aside.
    pub(crate) const fn tail(&self) -> usize {
        self.align
            .saturating_sub(1)
            .saturating_add(TRAILER_LEN)
            .saturating_add(self.icv_len)
    }
}

/// The last sequence number of an SA.
pub(crate) const fn last_sequence(esn: bool) -> u64 {
    if esn { u64::MAX } else { 0xffff_ffff }
}

/// Octets of a UDP header, if there is one.
pub(crate) const fn udp_len(udp: Option<UdpPorts>) -> usize {
    match udp {
        Some(_) => UDP_HEADER_LEN,
        None => 0,
    }
}
