//! What a UDP datagram on port 4500 carries (RFC 3948 §2).
//!
//! ```text
//! 0xFF                                    NAT-keepalive (§2.3), exactly one octet
//! 00 00 00 00 | IKE header …              IKE behind a Non-ESP Marker (§2.2)
//! SPI (≠ 0) | Sequence Number | …         UDP-encapsulated ESP (§2.1)
//! ```

/// The Non-ESP Marker: four zero octets where ESP has its SPI (RFC 3948 §2.2).
pub const NON_ESP_MARKER: [u8; 4] = [0; 4];
/// Length of [`NON_ESP_MARKER`] in octets.
pub const MARKER_LEN: usize = NON_ESP_MARKER.len();
/// The whole payload of a NAT-keepalive datagram (RFC 3948 §2.3).
pub const KEEPALIVE: [u8; 1] = [0xff];
/// The registered UDP port of IKE before any NAT was found.
pub const IKE_PORT: u16 = 500;
/// The registered UDP port of IKE and ESP across a NAT (RFC 3947 §9).
pub const NAT_T_PORT: u16 = 4500;

/// Octets of an ISAKMP header (RFC 2408 §3.1, RFC 7296 §3.1).
const IKE_HEADER_LEN: usize = 28;
/// SPI and sequence number (RFC 4303 §2).
const ESP_HEADER_LEN: usize = 8;

/// A classified UDP-4500 payload, borrowed from the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// An IKE message, the Non-ESP Marker already removed; at least a whole IKE header long.
    Ike(&'a [u8]),
    /// An ESP packet beginning with its SPI; at least SPI and sequence number long.
    Esp(&'a [u8]),
    /// A NAT-keepalive: to be ignored, never a sign of life (RFC 3948 §4).
    Keepalive,
    /// The datagram is none of the three; drop it.
    Malformed(Malformed),
}

/// Why a datagram is neither IKE, ESP nor a keepalive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The UDP datagram has no payload.
    #[error("empty UDP payload")]
    Empty,
    /// One octet that is not 0xFF.
    #[error("one-octet payload {0:#04x} is not the NAT-keepalive 0xff")]
    NotKeepalive(u8),
    /// Two or three octets: too short for a marker or an SPI.
    #[error("payload of {0} octets is shorter than a marker or an SPI")]
    Short(usize),
    /// A marker (or an ESP SPI of zero, which RFC 3948 §2.1 forbids) with less than an IKE header
    /// behind it. Holds the octets behind the marker.
    #[error("{0} octets after the non-ESP marker, an IKE header has 28")]
    IkeTooShort(usize),
    /// A marker followed by an initiator cookie/SPI of zero, which neither version of IKE permits
    /// (RFC 2408 §2.5.3, RFC 7296 §3.1). This is what a doubled marker and the eight-octet
    /// "non-IKE marker" of the first drafts look like.
    #[error("IKE initiator cookie or SPI is zero")]
    ZeroInitiatorCookie,
    /// A non-zero SPI without a whole ESP header.
    #[error("ESP packet of {len} octets with SPI {spi:#010x} has no whole header")]
    EspTooShort {
        /// The SPI that was read.
        spi: u32,
        /// Octets in the datagram.
        len: usize,
    },
}

/// Sorts a UDP-4500 payload by RFC 3948 §2. Total: every input has a result, none panics.
#[must_use]
pub fn classify(payload: &[u8]) -> Datagram<'_> {
    let Some((first, rest)) = payload.split_first_chunk::<MARKER_LEN>() else {
        return match *payload {
            [] => Datagram::Malformed(Malformed::Empty),
            // RFC 3948 §2.3: "The sender MUST use a one-octet-long payload with the value 0xFF."
            [0xff] => Datagram::Keepalive,
            [other] => Datagram::Malformed(Malformed::NotKeepalive(other)),
            _ => Datagram::Malformed(Malformed::Short(payload.len())),
        };
    };
    // RFC 3948 §2.1: "The SPI field in the ESP header MUST NOT be a zero value." Four zero octets
    // are the marker in front of IKE (§2.2).
    if *first != NON_ESP_MARKER {
        if payload.len() < ESP_HEADER_LEN {
            let spi = u32::from_be_bytes(*first);
            return Datagram::Malformed(Malformed::EspTooShort {
                spi,
                len: payload.len(),
            });
        }
        return Datagram::Esp(payload);
    }
    if rest.len() < IKE_HEADER_LEN {
        return Datagram::Malformed(Malformed::IkeTooShort(rest.len()));
    }
    // RFC 7296 §3.1: the initiator's SPI "MUST NOT be zero".
    if rest.first_chunk::<8>() == Some(&[0; 8]) {
        return Datagram::Malformed(Malformed::ZeroInitiatorCookie);
    }
    Datagram::Ike(rest)
}

/// The SPI of an ESP packet that [`classify`] returned.
#[must_use]
pub fn esp_spi(packet: &[u8]) -> Option<u32> {
    packet
        .first_chunk::<4>()
        .map(|spi| u32::from_be_bytes(*spi))
}

#[cfg(test)]
mod tests;
