//! Telling a packet's source that it does not fit (RFC 1191 §4, RFC 4443 §3.2).

use core::net::IpAddr;
use core::time::Duration;

use crate::ip::{self, IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpError, IpHeader, protocol};

const ICMP_HEADER_LEN: usize = 8;
/// RFC 792 asks for 64 bits behind the header; as much as fits 576 octets is usual (RFC 1812
/// §4.3.2.3).
const MAX_ANSWER_V4: usize = 576;
/// RFC 4443 §3.2: as much as fits the least IPv6 MTU.
const MAX_ANSWER_V6: usize = 1280;

/// Why no answer was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The packet is not sound IP.
    #[error(transparent)]
    Ip(#[from] IpError),
    /// The answering address is of the other family.
    #[error("the answering address is of the other family")]
    Family,
    /// No answer is due: to fragments behind the first, to ICMP errors, to multicast or
    /// unspecified addresses (RFC 1122 §3.2.2, RFC 4443 §2.4).
    #[error("no ICMP error may answer this packet")]
    NotAllowed,
    /// The buffer is too short.
    #[error("buffer of {available} octets, {needed} needed")]
    Buffer {
        /// Octets that the answer takes.
        needed: usize,
        /// Octets that the buffer has.
        available: usize,
    },
}

/// Writes the ICMP answer to `packet`, which is too big: an IP packet from `from` to its source,
/// saying `mtu`. Returns its length, at most 576 octets for IPv4 and 1280 for IPv6.
///
/// # Errors
/// [`AnswerError`]: the packet is unsound or must not be answered, or `out` is too short.
pub fn write_too_big(
    packet: &[u8],
    mtu: u16,
    from: IpAddr,
    out: &mut [u8],
) -> Result<usize, AnswerError> {
    let header = IpHeader::parse(packet)?;
    if header.source.is_ipv4() != from.is_ipv4() {
        return Err(AnswerError::Family);
    }
    if !may_answer(&header, packet) {
        return Err(AnswerError::NotAllowed);
    }
    let (ip_len, most) = match from {
        IpAddr::V4(_) => (IPV4_HEADER_LEN, MAX_ANSWER_V4),
        IpAddr::V6(_) => (IPV6_HEADER_LEN, MAX_ANSWER_V6),
    };
    let before = ip_len.saturating_add(ICMP_HEADER_LEN);
    let quote_len = header.total_len.min(most.saturating_sub(before));
    let needed = before.saturating_add(quote_len);
    let available = out.len();
    let answer = out
        .get_mut(..needed)
        .ok_or(AnswerError::Buffer { needed, available })?;
    let proto = if ip_len == IPV4_HEADER_LEN {
        protocol::ICMP
    } else {
        protocol::ICMPV6
    };
    if let Some(tunnel) = crate::outer::TunnelHeader::new(from, header.source) {
        tunnel.write(answer, 0, false, 0, proto);
    }
    let [m0, m1] = mtu.to_be_bytes();
    let kind = if proto == protocol::ICMP {
        [3, 4]
    } else {
        [2, 0]
    };
    let [kind, code] = kind;
    let icmp = [kind, code, 0, 0, 0, 0, m0, m1];
    let message = answer.get_mut(ip_len..).unwrap_or_default();
    let octets = icmp.iter().chain(packet);
    message
        .iter_mut()
        .zip(octets)
        .for_each(|(to, from)| *to = *from);
    let message_len = ICMP_HEADER_LEN.saturating_add(quote_len);
    let seed = match from {
        IpAddr::V4(_) => 0,
        IpAddr::V6(_) => super::pseudo_v6(answer, message_len),
    };
    let message = answer.get_mut(ip_len..).unwrap_or_default();
    let checksum = !ip::fold(ip::sum(message, seed));
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
    Ok(needed)
}

fn may_answer(header: &IpHeader, packet: &[u8]) -> bool {
    let kind = packet.get(header.upper_offset).copied();
    let error = match header.protocol {
        // Destination unreachable, source quench, redirect, time exceeded, parameter problem.
        protocol::ICMP => matches!(kind, Some(3 | 4 | 5 | 11 | 12)),
        protocol::ICMPV6 => kind.is_some_and(|kind| kind < 128),
        _ => false,
    };
    // RFC 4443 §2.4 (e.3): a packet too big may answer an IPv6 multicast packet; the source must
    // name one host in any case.
    let destination = header.destination.is_ipv6() || !header.destination.is_multicast();
    let source = !header.source.is_unspecified() && !header.source.is_multicast();
    !error && !header.later_fragment && destination && source
}

/// A token bucket for ICMP answers: at most `burst` at once, one more per `interval`.
#[derive(Clone, Copy, Debug)]
pub struct IcmpLimiter {
    interval: Duration,
    burst: u32,
    tokens: u32,
    refilled: Duration,
}

impl IcmpLimiter {
    /// A full bucket. An interval of zero does not limit.
    #[must_use]
    pub const fn new(burst: u32, interval: Duration) -> Self {
        Self {
            interval,
            burst,
            tokens: burst,
            refilled: Duration::ZERO,
        }
    }

    /// Whether an answer may be sent at `now`; if so, it counts.
    #[must_use]
    pub fn allow(&mut self, now: Duration) -> bool {
        if self.interval.is_zero() {
            return true;
        }
        let elapsed = now.saturating_sub(self.refilled);
        let earned = elapsed
            .as_nanos()
            .checked_div(self.interval.as_nanos())
            .unwrap_or_default();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        if self.tokens.saturating_add(earned) >= self.burst {
            self.tokens = self.burst;
            self.refilled = now.max(self.refilled);
        } else {
            self.tokens = self.tokens.saturating_add(earned);
            self.refilled = self
                .refilled
                .saturating_add(self.interval.saturating_mul(earned));
        }
        let allowed = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        allowed
    }
}
