//! Counters by outcome.

use super::{Content, OpenError, Opened};

/// Packets and octets of an inbound SA, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboundCounters {
    /// Packets opened and passed on.
    pub packets: u64,
    /// Octets of payload opened, counted as [`Limits::bytes`](crate::Limits::bytes) says.
    pub bytes: u64,
    /// Dummy packets dropped (RFC 4303 §2.6).
    pub dummies: u64,
    /// Packets that had TFC padding behind the inner packet.
    pub tfc_padded: u64,
    /// Packets that are too short, bear another SPI, hold no whole number of blocks, or whose outer
    /// header is not sound.
    pub malformed: u64,
    /// Sequence numbers that had been seen before, or were 0.
    pub replayed: u64,
    /// Sequence numbers left of the window.
    pub too_old: u64,
    /// Packets that failed the integrity check.
    pub authentication: u64,
    /// Wrong padding, next header or inner packet behind a good ICV.
    pub inner: u64,
    /// Packets outside the selectors of the SA, and those whose outer addresses were not given.
    pub selectors: u64,
    /// Packets dropped because the ECN fields contradict each other (RFC 6040 §4.2).
    pub ecn: u64,
    /// Refused because of a hard limit.
    pub expired: u64,
}

impl InboundCounters {
    /// Counts an outcome, its octets aside.
    pub(super) fn tally(&mut self, result: &Result<Opened, OpenError>) {
        let counter = match result {
            Ok(opened) => {
                let padded = u64::from(opened.tfc > 0);
                self.tfc_padded = self.tfc_padded.saturating_add(padded);
                match opened.content {
                    Content::Dummy => &mut self.dummies,
                    _ => &mut self.packets,
                }
            }
            Err(error) => match error {
                OpenError::Truncated { .. }
                | OpenError::Spi { .. }
                | OpenError::Block { .. }
                | OpenError::Outer(_) => &mut self.malformed,
                OpenError::Expired(_) => &mut self.expired,
                OpenError::Replayed { .. } => &mut self.replayed,
                OpenError::TooOld { .. } => &mut self.too_old,
                OpenError::Authentication => &mut self.authentication,
                OpenError::PadLength { .. }
                | OpenError::Padding { .. }
                | OpenError::NextHeader(_)
                | OpenError::InnerVersion { .. }
                | OpenError::Inner(_) => &mut self.inner,
                OpenError::Selectors(_) | OpenError::AddressesUnknown => &mut self.selectors,
                OpenError::Ecn(_) => &mut self.ecn,
            },
        };
        *counter = counter.saturating_add(1);
    }
}
