//! The sending half of an ESP SA (RFC 4303 §3.3).

use alloc::boxed::Box;
use core::time::Duration;

use crypto_suite::{CryptoError, Layout, PacketKey};

use crate::buffer::{PacketBuf, RoomError};
use crate::deadline::Deadline;
use crate::ip::{self, IpError, IpHeader, protocol};
use crate::lifetime::{Lifetime, Limit, Meter, Usage};
use crate::outer::{UdpPorts, write_udp_checksum_v6};
use crate::sa::{BuildError, Mode, Shape, Spi, TRAILER_LEN, last_sequence, udp_len};

mod batch;
pub use batch::BATCH;

/// How an outbound SA is set up.
#[derive(Clone, Copy, Debug)]
pub struct OutboundConfig {
    /// The SPI that the peer has chosen.
    pub spi: Spi,
    /// Tunnel or transport, and the headers to write.
    pub mode: Mode,
    /// RFC 3948: a UDP header in front of ESP.
    pub udp: Option<UdpPorts>,
    /// Extended sequence numbers (RFC 4303 §2.2.1).
    pub esn: bool,
    /// When the SA is to be replaced, and when it refuses packets.
    pub lifetime: Lifetime,
    /// Traffic flow confidentiality: inner packets shorter than this many octets are padded up
    /// to it (RFC 4303 §2.7); 0 is off. Tunnel mode only.
    pub tfc: u16,
}

impl OutboundConfig {
    /// 32-bit sequence numbers, no UDP, no limits, no TFC.
    #[must_use]
    pub const fn new(spi: Spi, mode: Mode) -> Self {
        Self {
            spi,
            mode,
            udp: None,
            esn: false,
            lifetime: Lifetime::UNLIMITED,
            tfc: 0,
        }
    }
}

/// What the caller knows about one packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct SealOptions {
    /// DSCP of the outer header, from a classifier that saw the inner packet.
    pub dscp: Option<u8>,
}

/// What a packet was given when it was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The sequence number that the packet was given, its upper half included.
    pub sequence: u64,
    /// The soft limit that this packet reached; reported once per SA.
    pub soft: Option<Limit>,
}

/// Why a packet was not sealed. The packet and the SA are as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Every sequence number was used (RFC 4303 §3.3.3: never let it cycle).
    #[error("sequence numbers exhausted")]
    SequenceExhausted,
    /// A hard limit of the SA was reached.
    #[error("hard {0:?} limit reached")]
    Expired(Limit),
    /// There is too little room in front of or behind the packet.
    #[error(transparent)]
    Room(#[from] RoomError),
    /// The packet to protect is not sound IP.
    #[error("inner packet: {0}")]
    Inner(#[from] IpError),
    /// Octets follow the packet's own end, or some are missing.
    #[error("packet of {len} octets says its length is {total}")]
    InnerLength {
        /// Octets in the buffer.
        len: usize,
        /// The length that the packet's IP header says.
        total: usize,
    },
    /// Transport mode protects whole datagrams, not fragments (RFC 4303 §3.3.4).
    #[error("fragment in transport mode")]
    Fragment,
    /// The result would not fit an IP length field.
    #[error("sealed packet of {0} octets")]
    TooLong(usize),
    /// The key refused; the sequence number is spent and the packet must be dropped.
    #[error("crypto: {0}")]
    Crypto(CryptoError),
}

/// The sending half of an SA: one owner, no lock, no allocation per packet.
pub struct Outbound {
    pub(crate) key: Box<dyn PacketKey>,
    pub(crate) config: OutboundConfig,
    pub(crate) shape: Shape,
    /// The last sequence number used.
    pub(crate) sequence: u64,
    pub(crate) meter: Meter,
    pub(crate) counters: OutboundCounters,
}

/// Packets and octets of an outbound SA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboundCounters {
    /// Packets sealed, dummies included.
    pub packets: u64,
    /// Octets of payload sealed, counted as [`Limits::bytes`](crate::Limits::bytes) says.
    pub bytes: u64,
    /// Dummy packets sealed (RFC 4303 §2.6).
    pub dummies: u64,
    /// Packets that got TFC padding.
    pub tfc_padded: u64,
    /// Packets that were not sealed, for whatever reason.
    pub errors: u64,
}

/// Where everything of one packet goes, decided before anything is written.
#[derive(Clone, Copy)]
struct Plan {
    payload: usize,
    tfc: usize,
    pad: usize,
    next_header: u8,
    /// The inner header; none for a dummy.
    inner: Option<IpHeader>,
    /// Octets of the IP header in front.
    ip_len: usize,
    v6: bool,
    total: usize,
}

/// A packet written but not yet encrypted.
struct Staged {
    esp_at: usize,
    layout: Layout,
    sealed: Sealed,
    /// Offset of a UDP header whose checksum is due.
    udp_checksum_at: Option<usize>,
}

impl Outbound {
    /// Prepares an SA that is installed at `now`.
    ///
    /// # Errors
    /// [`BuildError`]: above all, a key without integrity.
    pub fn new(
        key: Box<dyn PacketKey>,
        config: OutboundConfig,
        now: Duration,
    ) -> Result<Self, BuildError> {
        let shape = Shape::of(&*key)?;
        if config.tfc > 0 && !config.mode.is_tunnel() {
            return Err(BuildError::TfcInTransport);
        }
        let meter = Meter::new(config.lifetime, now);
        let counters = OutboundCounters::default();
        Ok(Self {
            key,
            config,
            shape,
            sequence: 0,
            meter,
            counters,
        })
    }

    /// Octets that must be free before a packet for [`seal`](Self::seal).
    #[must_use]
    pub fn headroom(&self) -> usize {
        let ip = match self.config.mode {
            Mode::Tunnel { header } => header.map_or(0, |header| header.len()),
            Mode::Transport { .. } => 0,
        };
        ip.saturating_add(udp_len(self.config.udp))
            .saturating_add(self.shape.head())
    }

    /// Octets that must be free behind a packet for [`seal`](Self::seal).
    #[must_use]
    pub fn tailroom(&self) -> usize {
        self.shape
            .tail()
            .saturating_add(usize::from(self.config.tfc))
    }

    /// Protects the IP packet in `packet`, in place. Needs [`headroom`](Self::headroom) and
    /// [`tailroom`](Self::tailroom). Afterwards `packet` begins with the first header that
    /// [`Mode`] says is written and ends with the ICV.
    ///
    /// # Errors
    /// [`SealError`]; packet and SA are unchanged.
    pub fn seal(&mut self, packet: &mut PacketBuf<'_>, now: Duration) -> Result<Sealed, SealError> {
        self.seal_with(packet, SealOptions::default(), now)
    }

    /// [`seal`](Self::seal) with per-packet options.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_with(
        &mut self,
        packet: &mut PacketBuf<'_>,
        options: SealOptions,
        now: Duration,
    ) -> Result<Sealed, SealError> {
        let plan = self.plan(packet, now);
        self.seal_planned(packet, plan, options, now)
    }

    /// Turns whatever `packet` holds into a dummy packet (next header 59, RFC 4303 §2.6), which
    /// the peer authenticates and drops.
    ///
    /// # Errors
    /// As [`seal`](Self::seal). Transport mode with a kept header has no header to keep: it is
    /// [`SealError::Inner`].
    pub fn seal_dummy(
        &mut self,
        packet: &mut PacketBuf<'_>,
        now: Duration,
    ) -> Result<Sealed, SealError> {
        let plan = self.plan_dummy(packet, now);
        let sealed = self.seal_planned(packet, plan, SealOptions::default(), now)?;
        self.counters.dummies = self.counters.dummies.saturating_add(1);
        Ok(sealed)
    }

    /// The SPI that the peer has chosen.
    #[must_use]
    pub const fn spi(&self) -> Spi {
        self.config.spi
    }

    /// How the SA was set up.
    #[must_use]
    pub const fn config(&self) -> &OutboundConfig {
        &self.config
    }

    /// The last sequence number used; 0 before the first packet.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Skips `count` sequence numbers, which another node may have used under the same key. An SA
    /// that is left without any refuses to seal.
    pub const fn skip(&mut self, count: u64) {
        self.sequence = self.sequence.saturating_add(count);
    }

    /// What was sealed and refused so far.
    #[must_use]
    pub const fn counters(&self) -> &OutboundCounters {
        &self.counters
    }

    /// What was used of the lifetime.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.meter.usage
    }

    /// Kilobytes and time left before the hard limits.
    #[must_use]
    pub fn remaining(&self, now: Duration) -> (Option<u64>, Option<Duration>) {
        self.meter.remaining(now)
    }

    /// When a time limit is reached next, and which. The SA itself needs no call then: it refuses
    /// packets by the time of each, and [`soft_expired`](Self::soft_expired) tells of a soft limit.
    #[must_use]
    pub fn next_deadline(&self, now: Duration) -> Option<Deadline> {
        self.meter.next_deadline(now)
    }

    /// The soft limit reached by `now` without a packet, once.
    pub fn soft_expired(&mut self, now: Duration) -> Option<Limit> {
        self.meter.soft(now)
    }

    /// Follows a peer or a NAT that moved: new outer addresses or ports.
    pub fn set_path(&mut self, mode: Mode, udp: Option<UdpPorts>) {
        if mode.is_tunnel() == self.config.mode.is_tunnel() {
            self.config.mode = mode;
            self.config.udp = udp;
        }
    }

    fn seal_planned(
        &mut self,
        packet: &mut PacketBuf<'_>,
        plan: Result<Plan, SealError>,
        options: SealOptions,
        now: Duration,
    ) -> Result<Sealed, SealError> {
        let staged = plan.and_then(|plan| self.stage(packet, plan, options, now));
        let staged = match staged {
            Ok(staged) => staged,
            Err(error) => {
                self.counters.errors = self.counters.errors.saturating_add(1);
                return Err(error);
            }
        };
        let esp = packet
            .as_mut_slice()
            .get_mut(staged.esp_at..)
            .unwrap_or_default();
        let result = self.key.seal(esp, staged.layout, staged.sealed.sequence);
        self.finish(packet, &staged, result)
    }

    fn plan(&self, packet: &PacketBuf<'_>, now: Duration) -> Result<Plan, SealError> {
        let inner = IpHeader::parse(packet.as_slice())?;
        let len = packet.len();
        if inner.total_len != len {
            return Err(SealError::InnerLength {
                len,
                total: inner.total_len,
            });
        }
        match self.config.mode {
            Mode::Tunnel { header } => {
                let tfc = usize::from(self.config.tfc).saturating_sub(len);
                let ip = header.map_or(0, |header| header.len());
                let v6 = header.is_some_and(|header| header.source().is_ipv6());
                self.check(
                    packet,
                    len,
                    tfc,
                    inner.tunnel_next_header(),
                    Some(inner),
                    ip,
                    v6,
                    now,
                )
            }
            Mode::Transport { keep_header } => {
                // RFC 4303 §3.3.4: transport mode applies to "whole IP datagrams (not to IP
                // fragments)".
                if inner.fragment {
                    return Err(SealError::Fragment);
                }
                let payload = len.saturating_sub(inner.insert_offset);
                let ip = if keep_header { inner.insert_offset } else { 0 };
                let next_header = inner.insert_protocol(packet.as_slice());
                let v6 = inner.source.is_ipv6();
                self.check(packet, payload, 0, next_header, Some(inner), ip, v6, now)
            }
        }
    }

    fn plan_dummy(&self, packet: &PacketBuf<'_>, now: Duration) -> Result<Plan, SealError> {
        let header = match self.config.mode {
            Mode::Tunnel { header } => header,
            Mode::Transport { keep_header: false } => None,
            Mode::Transport { keep_header: true } => {
                return Err(SealError::Inner(IpError::Truncated { len: 0, needed: 20 }));
            }
        };
        let ip = header.map_or(0, |header| header.len());
        let v6 = header.is_some_and(|header| header.source().is_ipv6());
        self.check(
            packet,
            packet.len(),
            0,
            protocol::NO_NEXT_HEADER,
            None,
            ip,
            v6,
            now,
        )
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of the plan it returns"
    )]
    fn check(
        &self,
        packet: &PacketBuf<'_>,
        payload: usize,
        tfc: usize,
        next_header: u8,
        inner: Option<IpHeader>,
        ip_len: usize,
        v6: bool,
        now: Duration,
    ) -> Result<Plan, SealError> {
        // RFC 4303 §3.3.3: "the sender MUST NOT send a packet on an SA if doing so would cause the
        // sequence number to cycle".
        if self.sequence >= last_sequence(self.config.esn) {
            return Err(SealError::SequenceExhausted);
        }
        self.meter.admit(payload, now).map_err(SealError::Expired)?;
        let body = payload.saturating_add(tfc);
        let pad = self.shape.padding(body);
        let tail = tfc
            .saturating_add(pad)
            .saturating_add(TRAILER_LEN)
            .saturating_add(self.shape.icv_len);
        let head = self.shape.head().saturating_add(udp_len(self.config.udp));
        let total = ip_len
            .saturating_add(head)
            .saturating_add(payload)
            .saturating_add(tail);
        if u16::try_from(total).is_err() {
            return Err(SealError::TooLong(total));
        }
        let headroom = match self.config.mode {
            Mode::Tunnel { .. } => head.saturating_add(ip_len),
            // The header moves forward.
            Mode::Transport { .. } => head,
        };
        packet.require(headroom, tail)?;
        Ok(Plan {
            payload,
            tfc,
            pad,
            next_header,
            inner,
            ip_len,
            v6,
            total,
        })
    }

    /// Writes everything but the encryption. Cannot fail for a plan of this packet.
    fn stage(
        &mut self,
        packet: &mut PacketBuf<'_>,
        plan: Plan,
        options: SealOptions,
        now: Duration,
    ) -> Result<Staged, SealError> {
        let sequence = self.sequence.saturating_add(1);
        self.write_tail(packet, &plan)?;
        let esp_at = self.write_head(packet, &plan, options, sequence)?;
        self.sequence = sequence;
        self.counters.packets = self.counters.packets.saturating_add(1);
        let octets = u64::try_from(plan.payload).unwrap_or(u64::MAX);
        self.counters.bytes = self.counters.bytes.saturating_add(octets);
        self.counters.tfc_padded = self
            .counters
            .tfc_padded
            .saturating_add(u64::from(plan.tfc > 0));
        let last = last_sequence(self.config.esn);
        let soft = self.meter.count_sent(plan.payload, sequence, last, now);
        let high = u32::try_from(sequence >> 32).unwrap_or(u32::MAX);
        let layout = Layout::esp(self.config.esn.then_some(high));
        let checksum_due = self.config.udp.is_some() && plan.v6 && plan.ip_len > 0;
        let udp_checksum_at = checksum_due.then_some(plan.ip_len);
        Ok(Staged {
            esp_at,
            layout,
            sealed: Sealed { sequence, soft },
            udp_checksum_at,
        })
    }

    fn write_tail(&self, packet: &mut PacketBuf<'_>, plan: &Plan) -> Result<(), SealError> {
        packet.append(plan.tfc)?.fill(0);
        // RFC 4303 §2.4: the padding counts 1, 2, 3, …
        let padding = packet.append(plan.pad)?;
        padding
            .iter_mut()
            .zip(1u8..)
            .for_each(|(octet, count)| *octet = count);
        let trailer = packet.append(TRAILER_LEN)?;
        if let [pad_len, next_header] = trailer {
            *pad_len = u8::try_from(plan.pad).unwrap_or_default();
            *next_header = plan.next_header;
        }
        packet.append(self.shape.icv_len)?;
        Ok(())
    }

    /// Returns the offset of the ESP header.
    fn write_head(
        &self,
        packet: &mut PacketBuf<'_>,
        plan: &Plan,
        options: SealOptions,
        sequence: u64,
    ) -> Result<usize, SealError> {
        let udp = self.config.udp;
        let (proto, udp_octets) = match udp {
            Some(_) => (protocol::UDP, udp_len(udp)),
            None => (protocol::ESP, 0),
        };
        let gap = self.shape.head().saturating_add(udp_octets);
        match (self.config.mode, plan.inner) {
            (Mode::Transport { keep_header }, Some(inner)) => {
                packet.prepend(gap)?;
                let behind = gap.saturating_add(inner.insert_offset);
                if keep_header {
                    packet.as_mut_slice().copy_within(gap..behind, 0);
                    let at = inner.insert_protocol_at;
                    ip::patch(packet.as_mut_slice(), &inner, plan.total, at, proto)?;
                } else {
                    packet.trim_front(inner.insert_offset);
                }
            }
            (
                Mode::Tunnel {
                    header: Some(header),
                },
                inner,
            ) => {
                packet.prepend(gap.saturating_add(plan.ip_len))?;
                let class = inner.map_or(0, |inner| inner.traffic_class);
                let class = header.traffic_class(class, options.dscp);
                let df = header.dont_fragment(inner.is_some_and(|inner| inner.dont_fragment));
                let id = u16::try_from(sequence & 0xffff).unwrap_or_default();
                header.write(packet.as_mut_slice(), class, df, id, proto);
            }
            _ => {
                packet.prepend(gap)?;
            }
        }
        let behind_ip = packet
            .as_mut_slice()
            .get_mut(plan.ip_len..)
            .unwrap_or_default();
        if let Some(ports) = udp {
            ports.write(behind_ip);
        }
        let esp = behind_ip.get_mut(udp_octets..).unwrap_or_default();
        let low = u32::try_from(sequence & 0xffff_ffff).unwrap_or_default();
        if let Some((spi, rest)) = esp.split_first_chunk_mut::<4>() {
            *spi = self.config.spi.to_be_bytes();
            if let Some(field) = rest.first_chunk_mut::<4>() {
                *field = low.to_be_bytes();
            }
        }
        Ok(plan.ip_len.saturating_add(udp_octets))
    }

    fn finish(
        &mut self,
        packet: &mut PacketBuf<'_>,
        staged: &Staged,
        result: Result<(), CryptoError>,
    ) -> Result<Sealed, SealError> {
        if let Err(error) = result {
            self.counters.errors = self.counters.errors.saturating_add(1);
            return Err(SealError::Crypto(error));
        }
        if let Some(at) = staged.udp_checksum_at {
            write_udp_checksum_v6(packet.as_mut_slice(), at);
        }
        Ok(staged.sealed)
    }
}

impl core::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Outbound")
            .field("config", &self.config)
            .field("sequence", &self.sequence)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
