//! Opening whole IP packets: the headers around ESP, UDP encapsulation included.

use core::time::Duration;

use super::{Content, Inbound, OpenError, Opened, Outer, OuterError};
use crate::buffer::PacketBuf;
use crate::ip::{self, IpHeader, UDP_HEADER_LEN, protocol};
use crate::sa::ESP_HEADER_LEN;

/// Where ESP lies in an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// The IP header in front of ESP: the outer one in tunnel mode.
    pub ip: IpHeader,
    /// Offset of the SPI from the start of the packet.
    pub esp_offset: usize,
    /// UDP source and destination port, if encapsulated (RFC 3948).
    pub udp: Option<(u16, u16)>,
    /// The SPI of the ESP packet, by which its SA is found.
    pub spi: u32,
}

impl Carrier {
    /// Finds ESP, raw or in UDP, in an IP packet: what a receiver looks up the SA by.
    ///
    /// A UDP checksum is not looked at: ESP has its own integrity (RFC 3948 §2.1).
    ///
    /// # Errors
    /// [`OuterError`]: the packet is unsound, a fragment, or carries no ESP.
    pub fn find(packet: &[u8]) -> Result<Self, OuterError> {
        let header = IpHeader::parse(packet)?;
        // RFC 4303 §3.4.1: of what "appears to be an IP fragment […] the receiver MUST discard the
        // packet".
        if header.fragment {
            return Err(OuterError::Fragment);
        }
        // AH in front, or options behind ESP's place, are not ESP's: only what follows directly.
        let body = packet
            .get(header.upper_offset..header.total_len)
            .unwrap_or_default();
        let (esp, udp, skipped) = match header.protocol {
            protocol::ESP => (body, None, 0),
            protocol::UDP => {
                let available = body.len();
                let Some(([s0, s1, d0, d1, l0, l1, _, _], rest)) =
                    body.split_first_chunk::<UDP_HEADER_LEN>()
                else {
                    return Err(OuterError::UdpLength {
                        found: 0,
                        available,
                    });
                };
                let found = usize::from(u16::from_be_bytes([*l0, *l1]));
                let data = found
                    .checked_sub(UDP_HEADER_LEN)
                    .and_then(|len| rest.get(..len))
                    .ok_or(OuterError::UdpLength { found, available })?;
                let ports = (
                    u16::from_be_bytes([*s0, *s1]),
                    u16::from_be_bytes([*d0, *d1]),
                );
                (data, Some(ports), UDP_HEADER_LEN)
            }
            other => return Err(OuterError::Protocol(other)),
        };
        let spi = esp
            .first_chunk::<4>()
            .filter(|_| esp.len() >= ESP_HEADER_LEN)
            .map(|spi| u32::from_be_bytes(*spi))
            // RFC 3948 §2.1: "The SPI field in the ESP header MUST NOT be a zero value." Zero in UDP
            // is the marker of an IKE message.
            .filter(|spi| *spi != 0)
            .ok_or(OuterError::NotEsp)?;
        let esp_offset = header.upper_offset.saturating_add(skipped);
        Ok(Self {
            ip: header,
            esp_offset,
            udp,
            spi,
        })
    }

    fn end(&self, packet: &[u8]) -> usize {
        let Some(at) = self.udp.and(self.esp_offset.checked_sub(UDP_HEADER_LEN)) else {
            return self.ip.total_len;
        };
        let len = packet
            .get(at..)
            .and_then(|udp| udp.get(4..))
            .and_then(|rest| rest.first_chunk());
        let len = len.map_or(0, |len| usize::from(u16::from_be_bytes(*len)));
        at.saturating_add(len).min(self.ip.total_len)
    }
}

impl Inbound {
    /// Opens a whole IP packet with ESP inside, raw or in UDP. In tunnel mode `packet` becomes
    /// the inner packet, ECN carried inwards; in transport mode the packet as the peer's stack
    /// built it, its IP header repaired (RFC 4303 §3.1.1, RFC 3948 §3.3). Checksums of the upper
    /// layer are left alone: behind a NAT, `nat_t::fix_segment` mends them.
    ///
    /// # Errors
    /// [`OpenError`]; up to a failed integrity check the packet and the SA are unchanged.
    pub fn open_ip(
        &mut self,
        packet: &mut PacketBuf<'_>,
        now: Duration,
    ) -> Result<Opened, OpenError> {
        let result = self.try_open_ip(packet, now);
        self.tally(&result);
        result
    }

    fn try_open_ip(
        &mut self,
        packet: &mut PacketBuf<'_>,
        now: Duration,
    ) -> Result<Opened, OpenError> {
        let carrier = Carrier::find(packet.as_slice())?;
        let header = carrier.ip;
        let end = carrier.end(packet.as_slice());
        let esp_len = end.saturating_sub(carrier.esp_offset);
        let outer = Outer {
            addresses: Some((header.source, header.destination)),
            ecn: header.traffic_class & 3,
        };
        let start = packet.range().start.saturating_add(carrier.esp_offset);
        // A view of the ESP part: a refused packet stays as it is.
        let mut esp = packet.part(start..start.saturating_add(esp_len));
        let prechecked = self.precheck(esp.as_slice(), now)?;
        let decrypted = self.decrypt(&mut esp, prechecked)?;
        let opened = self.commit(&mut esp, decrypted, &outer, now)?;
        let payload = esp.range();
        if let Content::Upper(next_header) = opened.content {
            packet.splice(header.upper_offset, payload);
            let total = packet.len();
            ip::patch(
                packet.as_mut_slice(),
                &header,
                total,
                header.protocol_at,
                next_header,
            )
            .map_err(OpenError::Inner)?;
        } else {
            packet.focus(payload);
        }
        Ok(opened)
    }
}
