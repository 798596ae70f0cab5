//! Path MTU of an SA: ICMP messages about our ESP packets, ageing, and the answers to the sources
//! of packets that no longer fit (RFC 4301 §8.2, RFC 1191, RFC 8201).

use core::net::IpAddr;
use core::time::Duration;

use crate::deadline::{Deadline, DeadlineReason};
use crate::ip::{
    self, IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpError, IpHeader, UDP_HEADER_LEN, protocol,
};
use crate::outbound::Outbound;
use crate::outer::UdpPorts;

mod answer;
mod probe;
pub use answer::{AnswerError, IcmpLimiter, write_too_big};
pub use probe::{Claimed, PROBES};
use probe::{Pace, Round};

/// RFC 1191 §6.3 suggests ten minutes before a larger MTU is tried again.
pub const DEFAULT_AGEING: Duration = Duration::from_secs(10 * 60);
/// The least path MTU believed for IPv4. Less is raised to this: a forged message must not make
/// the tunnel useless.
pub const MIN_PATH_MTU_V4: u16 = 576;
/// The least path MTU believed for IPv6 (RFC 8200 §5).
pub const MIN_PATH_MTU_V6: u16 = 1280;
/// How many sequence numbers back a quoted packet may lie.
pub const RECENT_PACKETS: u64 = 8192;

/// RFC 1191 §7.1: plateaus to fall to when a router does not say its MTU.
const PLATEAUS: [u16; 9] = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296];

/// A received "fragmentation needed" (ICMP type 3 code 4) or "packet too big" (ICMPv6 type 2),
/// with what it quotes of our packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooBig {
    /// Next-hop MTU; a router that does not say gets the next plateau below the quoted length.
    pub mtu: u16,
    /// Source of the quoted packet: our address.
    pub source: IpAddr,
    /// Destination of the quoted packet: the peer's address.
    pub destination: IpAddr,
    /// What the message quotes of the packet behind its IP header.
    pub quoted: Quoted,
}

/// How much of our packet an ICMP message shows. Routers may quote only 64 bits behind the IP
/// header (RFC 792).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoted {
    /// ESP: SPI and low sequence number.
    Esp {
        /// The SPI of the quoted packet.
        spi: u32,
        /// The low 32 bits of the sequence number.
        sequence: u32,
    },
    /// ESP in UDP, long enough to show SPI and sequence number.
    EspInUdp {
        /// The UDP ports of the quoted packet.
        ports: UdpPorts,
        /// The SPI of the quoted packet.
        spi: u32,
        /// The low 32 bits of the sequence number.
        sequence: u32,
    },
    /// UDP, cut off behind its header, or of IKE: only the pair of endpoints tells the SA.
    Udp {
        /// The UDP ports of the quoted packet.
        ports: UdpPorts,
        /// The length field of the UDP header.
        length: u16,
    },
}

/// The outer ends of an SA, as the packets that it sends show them on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The source of outer packets: our address.
    pub source: IpAddr,
    /// The destination of outer packets: the peer's address.
    pub destination: IpAddr,
    /// The two ports, where ESP goes in UDP.
    pub udp: Option<UdpPorts>,
}

/// What a message is worth for an SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The message is not about a packet of this SA.
    None,
    /// The message shows what anyone can write: the ends. It may start probes, see
    /// [`PathMtu::claim`], which takes the length in the quoted UDP header, given here.
    Claim(u16),
    /// The message shows the ends, the SPI, and a sequence number that was used not long ago: it
    /// may be believed, see [`PathMtu::learn`].
    Proof,
}

/// Why an ICMP message is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TooBigError {
    /// The message or the quoted packet is not sound IP.
    #[error(transparent)]
    Ip(#[from] IpError),
    /// The packet is another ICMP message, or no ICMP at all.
    #[error("not a packet-too-big message")]
    OtherMessage,
    /// The ICMP checksum is wrong.
    #[error("wrong ICMP checksum")]
    Checksum,
    /// The quoted packet is neither ESP nor UDP, or shows too little of it.
    #[error("the quoted packet shows no SA")]
    Quote,
}

impl TooBig {
    /// Reads an IP packet with an ICMP or ICMPv6 message inside.
    ///
    /// # Errors
    /// [`TooBigError`]: another message, a wrong checksum, or a quote that shows no SA.
    pub fn parse(packet: &[u8]) -> Result<Self, TooBigError> {
        let header = IpHeader::parse(packet)?;
        let message = packet
            .get(header.upper_offset..header.total_len)
            .unwrap_or_default();
        let ([kind, code, _, _, m0, m1, m2, m3], quote) = message
            .split_first_chunk::<8>()
            .ok_or(TooBigError::OtherMessage)?;
        let seed = match (header.protocol, kind, code) {
            (protocol::ICMP, 3, 4) => 0,
            (protocol::ICMPV6, 2, 0) => pseudo_v6(packet, message.len()),
            _ => return Err(TooBigError::OtherMessage),
        };
        if ip::fold(ip::sum(message, seed)) != 0xffff {
            return Err(TooBigError::Checksum);
        }
        let said = match header.protocol {
            protocol::ICMP => u32::from(u16::from_be_bytes([*m2, *m3])),
            _ => u32::from_be_bytes([*m0, *m1, *m2, *m3]),
        };
        let quoted = QuotedHeader::parse(quote)?;
        let mtu = if said == 0 {
            plateau_below(quoted.total_len)
        } else {
            said
        };
        Ok(Self {
            mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
            source: quoted.source,
            destination: quoted.destination,
            quoted: quoted.quoted()?,
        })
    }

    /// What the message is worth for the SA between `ends` that `outbound` is the sending half of.
    ///
    /// RFC 4301 §8.2.1 has an unauthenticated message mapped to its SA by the header that it quotes: both addresses and,
    /// in UDP, both ports have to be the SA's, and so have SPI and sequence number where the quote has them.
    #[must_use]
    pub fn evidence(&self, ends: &Ends, outbound: &Outbound) -> Evidence {
        if (self.source, self.destination) != (ends.source, ends.destination) {
            return Evidence::None;
        }
        let ours = match (self.quoted, ends.udp) {
            (Quoted::Esp { .. }, None) => true,
            (Quoted::EspInUdp { ports, .. } | Quoted::Udp { ports, .. }, Some(udp)) => ports == udp,
            _ => false,
        };
        if !ours {
            return Evidence::None;
        }
        match self.quoted {
            Quoted::Esp { spi, sequence } | Quoted::EspInUdp { spi, sequence, .. } => {
                if shows(spi, sequence, outbound) {
                    Evidence::Proof
                } else {
                    Evidence::None
                }
            }
            Quoted::Udp { length, .. } => {
                let header = match self.source {
                    IpAddr::V4(_) => IPV4_HEADER_LEN,
                    IpAddr::V6(_) => IPV6_HEADER_LEN,
                };
                // A router does not complain about a packet that fits.
                if header.saturating_add(usize::from(length)) > usize::from(self.mtu) {
                    Evidence::Claim(length)
                } else {
                    Evidence::None
                }
            }
        }
    }
}

/// Whether `outbound` sends with this SPI and has used this sequence number among the last [`RECENT_PACKETS`].
fn shows(spi: u32, sequence: u32, outbound: &Outbound) -> bool {
    let last = outbound.sequence();
    let age = u32::try_from(last & 0xffff_ffff)
        .unwrap_or_default()
        .wrapping_sub(sequence);
    let recent = u64::from(age) < RECENT_PACKETS.min(last);
    spi == outbound.spi().value() && recent
}

/// A quoted packet: its length field may exceed what is there.
struct QuotedHeader<'q> {
    source: IpAddr,
    destination: IpAddr,
    total_len: usize,
    protocol: u8,
    body: &'q [u8],
}

impl<'q> QuotedHeader<'q> {
    fn parse(quote: &'q [u8]) -> Result<Self, TooBigError> {
        let version = quote.first().map_or(0, |first| first >> 4);
        let header_len = match version {
            4 => usize::from(quote.first().map_or(0, |first| first & 0xf)).saturating_mul(4),
            6 => IPV6_HEADER_LEN,
            _ => return Err(TooBigError::Quote),
        };
        let (header, body) = quote
            .split_at_checked(header_len)
            .ok_or(TooBigError::Quote)?;
        let word = |at: usize| {
            let octets = header.get(at..).and_then(|rest| rest.first_chunk::<2>());
            octets.map_or(0, |octets| usize::from(u16::from_be_bytes(*octets)))
        };
        if version == 4 {
            let addresses = header
                .get(12..IPV4_HEADER_LEN)
                .and_then(|rest| rest.first_chunk::<8>());
            let [s0, s1, s2, s3, d0, d1, d2, d3] = *addresses.ok_or(TooBigError::Quote)?;
            Ok(Self {
                source: [s0, s1, s2, s3].into(),
                destination: [d0, d1, d2, d3].into(),
                total_len: word(2),
                protocol: header.get(9).copied().unwrap_or_default(),
                body,
            })
        } else {
            let addresses = header
                .get(8..)
                .and_then(|rest| rest.split_first_chunk::<16>());
            let (source, rest) = addresses.ok_or(TooBigError::Quote)?;
            let destination = rest.first_chunk::<16>().ok_or(TooBigError::Quote)?;
            Ok(Self {
                source: IpAddr::from(*source),
                destination: IpAddr::from(*destination),
                total_len: word(4).saturating_add(IPV6_HEADER_LEN),
                protocol: header.get(6).copied().unwrap_or_default(),
                body,
            })
        }
    }

    fn quoted(&self) -> Result<Quoted, TooBigError> {
        let esp = |octets: &[u8]| {
            let [s0, s1, s2, s3, q0, q1, q2, q3] = *octets.first_chunk::<8>()?;
            Some((
                u32::from_be_bytes([s0, s1, s2, s3]),
                u32::from_be_bytes([q0, q1, q2, q3]),
            ))
        };
        match self.protocol {
            protocol::ESP => {
                let (spi, sequence) = esp(self.body).ok_or(TooBigError::Quote)?;
                Ok(Quoted::Esp { spi, sequence })
            }
            protocol::UDP => {
                let split = self.body.split_first_chunk::<UDP_HEADER_LEN>();
                let ([s0, s1, d0, d1, l0, l1, ..], rest) = split.ok_or(TooBigError::Quote)?;
                let ports = UdpPorts {
                    source: u16::from_be_bytes([*s0, *s1]),
                    destination: u16::from_be_bytes([*d0, *d1]),
                };
                Ok(match esp(rest) {
                    // An SPI of zero is the marker of an IKE message.
                    Some((spi, sequence)) if spi != 0 => Quoted::EspInUdp {
                        ports,
                        spi,
                        sequence,
                    },
                    _ => Quoted::Udp {
                        ports,
                        length: u16::from_be_bytes([*l0, *l1]),
                    },
                })
            }
            _ => Err(TooBigError::Quote),
        }
    }
}

fn pseudo_v6(packet: &[u8], len: usize) -> u32 {
    let addresses = packet.get(8..40).unwrap_or_default();
    let len = u32::try_from(len).unwrap_or_default();
    ip::sum(addresses, len.wrapping_add(u32::from(protocol::ICMPV6)))
}

fn plateau_below(len: usize) -> u32 {
    let below = PLATEAUS.iter().find(|plateau| usize::from(**plateau) < len);
    u32::from(below.copied().unwrap_or(68))
}

/// The path MTU went from one value to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtuChanged {
    /// The path MTU before the change, in octets.
    pub old: u16,
    /// The path MTU from now on, in octets.
    pub new: u16,
}

/// The path MTU towards one peer, as `show crypto ipsec sa` prints it: path and media MTU.
#[derive(Clone, Copy, Debug)]
pub struct PathMtu {
    media: u16,
    learned: Option<(u16, Duration)>,
    /// What was learned last rests on probes for a claim.
    by_claim: bool,
    floor: u16,
    ageing: Duration,
    round: Option<Round>,
    pace: Pace,
}

impl PathMtu {
    /// The MTU of the link that packets leave on; `v6` if their outer header is IPv6.
    #[must_use]
    pub const fn new(media_mtu: u16, v6: bool) -> Self {
        let floor = if v6 { MIN_PATH_MTU_V6 } else { MIN_PATH_MTU_V4 };
        Self {
            media: media_mtu,
            learned: None,
            by_claim: false,
            floor,
            ageing: DEFAULT_AGEING,
            round: None,
            pace: Pace::START,
        }
    }

    /// The same path with another time until a larger MTU is tried (RFC 1191 §6.3).
    #[must_use]
    pub const fn with_ageing(mut self, ageing: Duration) -> Self {
        self.ageing = ageing;
        self
    }

    /// The path MTU in octets.
    #[must_use]
    pub fn mtu(&self) -> u16 {
        self.learned.map_or(self.media, |(mtu, _)| mtu)
    }

    /// The MTU of the link that packets leave on, in octets.
    #[must_use]
    pub const fn media_mtu(&self) -> u16 {
        self.media
    }

    /// Believes a message that is [`Evidence::Proof`]. An MTU can only go down this way; values
    /// below the floor count as the floor.
    pub fn learn(&mut self, mtu: u16, now: Duration) -> Option<PathMtuChanged> {
        let old = self.mtu();
        let new = mtu.max(self.floor);
        if new >= old {
            return None;
        }
        self.learned = Some((new, now));
        self.by_claim = false;
        self.round = None;
        Some(PathMtuChanged { old, new })
    }

    /// Forgets a learned value that has aged, and says so; the link's MTU counts again.
    pub fn handle(&mut self, now: Duration) -> Option<PathMtuChanged> {
        let (old, _) = self.learned?;
        if self.remaining(now) != Some(Duration::ZERO) {
            return None;
        }
        self.learned = None;
        self.by_claim = false;
        Some(PathMtuChanged {
            old,
            new: self.media,
        })
    }

    /// Time until the learned value ages; `None` if nothing was learned.
    #[must_use]
    pub fn remaining(&self, now: Duration) -> Option<Duration> {
        self.ages_at().map(|at| at.saturating_sub(now))
    }

    /// When [`handle`](Self::handle) or [`probes`](Self::probes) has something to do, and which.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        let probes = self.round.map(|round| Deadline {
            at: round.next,
            why: DeadlineReason::PathMtuProbes,
        });
        let ageing = self.ages_at().map(|at| Deadline {
            at,
            why: DeadlineReason::PathMtuAgeing,
        });
        ageing.into_iter().chain(probes).min()
    }

    fn ages_at(&self) -> Option<Duration> {
        self.learned.map(|(_, at)| at.saturating_add(self.ageing))
    }
}

#[cfg(test)]
mod tests;
