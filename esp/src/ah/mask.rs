//! IP headers as the ICV sees them: mutable fields zero (RFC 4302 §3.3.3.1, Appendix A).

use core::net::IpAddr;

use crate::ip::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpError, IpHeader, protocol};

/// Octets of headers before AH that are handled; more extension headers are refused.
const MAX_HEADERS: usize = 256;

pub(super) struct Masked {
    octets: [u8; MAX_HEADERS],
    len: usize,
}

impl Masked {
    /// The headers of `packet` before `ah_at`, masked.
    pub(super) fn of(packet: &[u8], header: &IpHeader, ah_at: usize) -> Result<Self, IpError> {
        let mut octets = [0u8; MAX_HEADERS];
        let too_long = IpError::Length {
            what: "headers before AH",
            value: ah_at,
        };
        let front = packet.get(..ah_at).ok_or(too_long)?;
        octets
            .get_mut(..ah_at)
            .ok_or(too_long)?
            .copy_from_slice(front);
        let mut masked = Self { octets, len: ah_at };
        match header.source {
            IpAddr::V4(_) => masked.mask_v4()?,
            IpAddr::V6(_) => masked.mask_v6()?,
        }
        Ok(masked)
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }

    fn zero(&mut self, from: usize, octets: usize) {
        let range = from..from.saturating_add(octets).min(self.len);
        self.octets.get_mut(range).unwrap_or_default().fill(0);
    }

    fn octet(&self, at: usize) -> Option<usize> {
        self.as_slice().get(at).map(|octet| usize::from(*octet))
    }

    /// RFC 4302 §3.3.3.1.1: TOS, flags and fragment offset, TTL, checksum; options by table.
    fn mask_v4(&mut self) -> Result<(), IpError> {
        self.zero(1, 1);
        self.zero(6, 3);
        self.zero(10, 2);
        let mut at = IPV4_HEADER_LEN;
        while let Some(kind) = self.octet(at) {
            let malformed = IpError::Length {
                what: "IPv4 option",
                value: kind,
            };
            let len = match kind {
                0 => break,
                1 => 1,
                _ => self.octet(at.saturating_add(1)).ok_or(malformed)?,
            };
            if len == 0 || (kind > 1 && len < 2) || at.saturating_add(len) > self.len {
                return Err(malformed);
            }
            match kind {
                // No Operation, Security, Extended and Commercial Security, Router Alert,
                // Sender Directed Multi-Destination Delivery: immutable.
                1 | 0x82 | 0x85 | 0x86 | 0x94 | 0x95 => {}
                // A source route rewrites the destination on the way; its prediction is not
                // worth having (RFC 7126 §4.3 has such packets dropped).
                0x83 | 0x89 => {
                    return Err(IpError::Length {
                        what: "IPv4 source route",
                        value: len,
                    });
                }
                _ => self.zero(at, len),
            }
            at = at.saturating_add(len);
        }
        Ok(())
    }

    /// RFC 4302 §3.3.3.1.2: traffic class, flow label, hop limit; options by their own bit.
    fn mask_v6(&mut self) -> Result<(), IpError> {
        if let Some(first) = self.octets.first_mut() {
            *first &= 0xf0;
        }
        self.zero(1, 3);
        self.zero(7, 1);
        let mut kind = self.octet(6).unwrap_or_default();
        let mut at = IPV6_HEADER_LEN;
        while at < self.len {
            let malformed = IpError::Length {
                what: "IPv6 extension header",
                value: kind,
            };
            let next = self.octet(at).ok_or(malformed)?;
            let words = self.octet(at.saturating_add(1)).ok_or(malformed)?;
            let end = at.saturating_add(words.saturating_add(1).saturating_mul(8));
            if end > self.len {
                return Err(malformed);
            }
            match u8::try_from(kind).unwrap_or_default() {
                protocol::HOP_BY_HOP | protocol::DESTINATION_OPTIONS => {
                    self.mask_options(at.saturating_add(2), end)?;
                }
                // Segments still to go rewrite the destination on the way.
                protocol::ROUTING if self.octet(at.saturating_add(3)) == Some(0) => {}
                _ => return Err(malformed),
            }
            kind = next;
            at = end;
        }
        Ok(())
    }

    fn mask_options(&mut self, from: usize, end: usize) -> Result<(), IpError> {
        let mut at = from;
        while at < end {
            let kind = self.octet(at).unwrap_or_default();
            if kind == 0 {
                at = at.saturating_add(1); // Pad1
                continue;
            }
            let malformed = IpError::Length {
                what: "IPv6 option",
                value: kind,
            };
            let len = self.octet(at.saturating_add(1)).ok_or(malformed)?;
            let data = at.saturating_add(2);
            let behind = data.saturating_add(len);
            if behind > end {
                return Err(malformed);
            }
            // RFC 8200 §4.2: the third-highest bit says that the data may change on the way.
            if kind & 0x20 != 0 {
                self.zero(data, len);
            }
            at = behind;
        }
        Ok(())
    }
}
