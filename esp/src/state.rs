//! Export and import of what an SA has counted: sequence numbers, window, lifetimes.
//!
//! Holds no key. The format is private to this crate, versioned and bounded:
//!
//! ```text
//! version 1 | direction | ESN | soft reported | SPI (4)
//! age, microseconds (8) | octets (8) | packets (8)
//! outbound: sequence (8)       inbound: window size (4) | top (8) | bitmap words (8 each)
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::PacketKey;

use crate::inbound::{Inbound, InboundConfig};
use crate::lifetime::Meter;
use crate::outbound::{Outbound, OutboundConfig};
use crate::sa::BuildError;
use crate::window::{MAX_WINDOW, MIN_WINDOW, ReplayWindow};

const VERSION: u8 = 1;
const OUTBOUND: u8 = 1;
const INBOUND: u8 = 2;

/// Why a state was not restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The octets end too early or go on too long.
    #[error("state of {0} octets has the wrong length")]
    Length(usize),
    /// The state was written in another version of the format.
    #[error("state format version {0}")]
    Version(u8),
    /// The state of another direction, SPI or kind of sequence number.
    #[error("the state belongs to another SA: {0} differs")]
    Mismatch(&'static str),
    /// A field has an impossible value.
    #[error("{0} out of range")]
    Range(&'static str),
    /// The SA itself cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

struct Common {
    age: Duration,
    bytes: u64,
    packets: u64,
    soft_reported: bool,
}

impl Outbound {
    /// What this SA has counted, without its key.
    #[must_use]
    pub fn export(&self, now: Duration) -> Vec<u8> {
        let mut out = header(
            OUTBOUND,
            self.config.esn,
            self.config.spi.value(),
            &self.meter,
            now,
        );
        out.extend(self.sequence.to_be_bytes());
        out
    }

    /// Rebuilds an SA from [`export`](Self::export). `jump` sequence numbers are skipped: after a
    /// takeover, at least as many as the other node may have used since it exported, or the key's
    /// IVs repeat.
    ///
    /// # Errors
    /// [`RestoreError`]: the octets are not the state of such an SA.
    pub fn restore(
        key: Box<dyn PacketKey>,
        config: OutboundConfig,
        state: &[u8],
        jump: u64,
        now: Duration,
    ) -> Result<Self, RestoreError> {
        let (common, rest) = read_header(state, OUTBOUND, config.esn, config.spi.value())?;
        let sequence = rest.first_chunk::<8>().filter(|_| rest.len() == 8);
        let sequence = u64::from_be_bytes(*sequence.ok_or(RestoreError::Length(state.len()))?);
        let mut outbound = Self::new(key, config, now)?;
        outbound.sequence = sequence;
        outbound.skip(jump);
        common.apply(&mut outbound.meter, now);
        Ok(outbound)
    }
}

impl Inbound {
    /// What this SA has counted, without its key and selectors.
    #[must_use]
    pub fn export(&self, now: Duration) -> Vec<u8> {
        let mut out = header(
            INBOUND,
            self.config.esn,
            self.config.spi.value(),
            &self.meter,
            now,
        );
        out.extend(self.window.size().to_be_bytes());
        out.extend(self.window.top().to_be_bytes());
        self.window
            .export()
            .for_each(|word| out.extend(word.to_be_bytes()));
        out
    }

    /// Rebuilds an SA from [`export`](Self::export). The window has the exported size.
    ///
    /// `advance` moves the window's right edge by so many numbers and counts everything up to it
    /// as seen: after a takeover, the other node may have accepted that many since it exported.
    ///
    /// # Errors
    /// [`RestoreError`]: the octets are not the state of such an SA.
    pub fn restore(
        key: Box<dyn PacketKey>,
        config: InboundConfig,
        state: &[u8],
        advance: u64,
        now: Duration,
    ) -> Result<Self, RestoreError> {
        let length = RestoreError::Length(state.len());
        let (common, rest) = read_header(state, INBOUND, config.esn, config.spi.value())?;
        let (size, rest) = rest.split_first_chunk::<4>().ok_or(length)?;
        let (top, rest) = rest.split_first_chunk::<8>().ok_or(length)?;
        let (size, top) = (u32::from_be_bytes(*size), u64::from_be_bytes(*top));
        if !(MIN_WINDOW..=MAX_WINDOW).contains(&size) {
            return Err(RestoreError::Range("window size"));
        }
        if !config.esn && u32::try_from(top).is_err() {
            return Err(RestoreError::Range("window top"));
        }
        let (words, odd) = rest.as_chunks::<8>();
        let expected = usize::try_from(size.div_ceil(64)).unwrap_or(usize::MAX);
        if words.len() != expected || !odd.is_empty() {
            return Err(length);
        }
        let mut inbound = Self::new(key, config, now)?;
        let words = words.iter().map(|word| {
            // With an advance, everything left of the new edge counts as seen.
            if advance > 0 {
                u64::MAX
            } else {
                u64::from_be_bytes(*word)
            }
        });
        inbound.window = ReplayWindow::import(size, top.saturating_add(advance), words);
        inbound.config.window = size;
        common.apply(&mut inbound.meter, now);
        Ok(inbound)
    }
}

impl Common {
    fn apply(&self, meter: &mut Meter, now: Duration) {
        meter.usage.created = now.saturating_sub(self.age);
        meter.usage.bytes = self.bytes;
        meter.usage.packets = self.packets;
        meter.soft_reported = self.soft_reported;
    }
}

fn header(direction: u8, esn: bool, spi: u32, meter: &Meter, now: Duration) -> Vec<u8> {
    let usage = &meter.usage;
    let age = now.saturating_sub(usage.created).as_micros();
    let mut out = Vec::with_capacity(64);
    out.extend([
        VERSION,
        direction,
        u8::from(esn),
        u8::from(meter.soft_reported),
    ]);
    out.extend(spi.to_be_bytes());
    out.extend(u64::try_from(age).unwrap_or(u64::MAX).to_be_bytes());
    out.extend(usage.bytes.to_be_bytes());
    out.extend(usage.packets.to_be_bytes());
    out
}

fn read_header(
    state: &[u8],
    direction: u8,
    esn: bool,
    spi: u32,
) -> Result<(Common, &[u8]), RestoreError> {
    let length = RestoreError::Length(state.len());
    let (flags, rest) = state.split_first_chunk::<4>().ok_or(length)?;
    let [version, found_direction, found_esn, soft] = *flags;
    if version != VERSION {
        return Err(RestoreError::Version(version));
    }
    if found_direction != direction {
        return Err(RestoreError::Mismatch("direction"));
    }
    if found_esn != u8::from(esn) {
        return Err(RestoreError::Mismatch("ESN"));
    }
    if soft > 1 {
        return Err(RestoreError::Range("soft flag"));
    }
    let (found_spi, rest) = rest.split_first_chunk::<4>().ok_or(length)?;
    if u32::from_be_bytes(*found_spi) != spi {
        return Err(RestoreError::Mismatch("SPI"));
    }
    let (age, rest) = rest.split_first_chunk::<8>().ok_or(length)?;
    let (bytes, rest) = rest.split_first_chunk::<8>().ok_or(length)?;
    let (packets, rest) = rest.split_first_chunk::<8>().ok_or(length)?;
    let common = Common {
        age: Duration::from_micros(u64::from_be_bytes(*age)),
        bytes: u64::from_be_bytes(*bytes),
        packets: u64::from_be_bytes(*packets),
        soft_reported: soft == 1,
    };
    Ok((common, rest))
}

#[cfg(test)]
mod tests;
