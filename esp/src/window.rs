//! The anti-replay window and the inference of extended sequence numbers
//! (RFC 4303 §3.4.3, Appendix A; the ring of words is RFC 6479's idea).

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

/// Smallest window, in packets (RFC 4303 §3.4.3 recommends 64).
pub const MIN_WINDOW: u32 = 64;
/// The window, in packets, of an SA that asks for none.
pub const DEFAULT_WINDOW: u32 = 1024;
/// The largest window, in packets; more is reduced to this.
pub const MAX_WINDOW: u32 = 8192;

const WORD_BITS: u64 = 64;

/// What the window says about a sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Newer than everything seen, or inside the window and unseen.
    Fresh,
    /// The number lies inside the window, and was seen before.
    Replayed,
    /// The number lies left of the window: too old to tell whether it was seen.
    TooOld,
}

/// The sliding window of one inbound SA.
///
/// ```
/// use esp::{Check, ReplayWindow};
/// let mut window = ReplayWindow::new(64);
/// for sequence in 1..=4 {
///     assert_eq!(window.check(sequence), Check::Fresh);
///     window.mark(sequence); // only after authentication
/// }
/// assert_eq!(window.check(3), Check::Replayed);
/// assert_eq!(window.bitmap().to_string(), "0x00000000 0x0000001F");
/// ```
#[derive(Clone)]
pub struct ReplayWindow {
    /// Bit `sequence % (64 · words)` is set when `sequence` was seen. One word more than the
    /// window needs, so that a word never holds bits of both ends.
    words: Box<[u64]>,
    size: u32,
    top: u64,
}

impl ReplayWindow {
    /// A window of `size` packets, clamped to [`MIN_WINDOW`]`..=`[`MAX_WINDOW`].
    #[must_use]
    pub fn new(size: u32) -> Self {
        let size = size.clamp(MIN_WINDOW, MAX_WINDOW);
        let words = usize::try_from(size.div_ceil(64))
            .unwrap_or(1)
            .saturating_add(1);
        // A power of two, so that finding a word is a mask.
        let mut words = vec![0u64; words.next_power_of_two()].into_boxed_slice();
        // Sequence number 0 is never sent: it counts as seen.
        if let Some(first) = words.first_mut() {
            *first = 1;
        }
        Self {
            words,
            size,
            top: 0,
        }
    }

    /// The number of sequence numbers that the window covers, the newest included.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// The highest sequence number marked; 0 before the first packet.
    #[must_use]
    pub const fn top(&self) -> u64 {
        self.top
    }

    /// Says where `sequence` stands. Nothing changes.
    #[must_use]
    pub fn check(&self, sequence: u64) -> Check {
        if sequence > self.top {
            return Check::Fresh;
        }
        if self.top.wrapping_sub(sequence) >= u64::from(self.size) {
            return Check::TooOld;
        }
        if self.bit(sequence) {
            Check::Replayed
        } else {
            Check::Fresh
        }
    }

    /// Counts `sequence` as seen, moving the window if it is the newest. Call it for
    /// authenticated packets that [`check`](Self::check) found fresh; others have no effect.
    pub fn mark(&mut self, sequence: u64) {
        if self.check(sequence) != Check::Fresh {
            return;
        }
        if sequence > self.top {
            self.clear_between(sequence);
            self.top = sequence;
        }
        let index = self.index(sequence);
        if let Some(word) = self.words.get_mut(index) {
            *word |= bit_of(sequence);
        }
    }

    /// The full sequence number that 32 transmitted bits stand for (RFC 4303 App. A2.2).
    ///
    /// `None` in the one case without a value: bits that would lie before the first packet.
    #[must_use]
    pub fn infer(&self, low: u32) -> Option<u64> {
        let top_high = self.top >> 32;
        let top_low = u32::try_from(self.top & 0xffff_ffff).unwrap_or_default();
        let span = self.size.saturating_sub(1);
        let bottom = top_low.wrapping_sub(span);
        let high = match (top_low >= span, low >= bottom) {
            // Case A: the window lies in one subspace.
            (true, true) => top_high,
            (true, false) => top_high.checked_add(1)?,
            // Case B: it spans two.
            (false, true) => top_high.checked_sub(1)?,
            (false, false) => top_high,
        };
        // The last subspace is 2^32 - 1.
        (high <= 0xffff_ffff).then_some((high << 32) | u64::from(low))
    }

    /// The newest 64 numbers as routers print them.
    #[must_use]
    pub fn bitmap(&self) -> Bitmap {
        let seen = (0..WORD_BITS)
            .filter(|&back| {
                self.top
                    .checked_sub(back)
                    .is_some_and(|sequence| self.bit(sequence))
            })
            .fold(0u64, |bits, back| bits | bit_of(back));
        Bitmap(seen)
    }

    /// The window's words for an export: `ceil(size / 64)` words, bit `i` of the whole is set
    /// when `top - i` was seen.
    pub(crate) fn export(&self) -> impl Iterator<Item = u64> + '_ {
        let size = u64::from(self.size);
        (0..size.div_ceil(WORD_BITS)).map(move |word| {
            let first = word.saturating_mul(WORD_BITS);
            (first..first.saturating_add(WORD_BITS).min(size))
                .filter(|&back| self.top.checked_sub(back).is_some_and(|seq| self.bit(seq)))
                .fold(0u64, |bits, back| bits | bit_of(back))
        })
    }

    /// Rebuilds a window from [`export`](Self::export).
    pub(crate) fn import(size: u32, top: u64, words: impl Iterator<Item = u64>) -> Self {
        let mut window = Self::new(size);
        window.clear_between(top);
        window.top = top;
        for (word, bits) in (0u64..).zip(words) {
            for back in 0..WORD_BITS {
                let distance = word.saturating_mul(WORD_BITS).saturating_add(back);
                if bits & bit_of(back) == 0 || distance >= u64::from(window.size) {
                    continue;
                }
                if let Some(sequence) = top.checked_sub(distance) {
                    let index = window.index(sequence);
                    if let Some(word) = window.words.get_mut(index) {
                        *word |= bit_of(sequence);
                    }
                }
            }
        }
        window
    }

    fn index(&self, sequence: u64) -> usize {
        let mask = self.words.len().saturating_sub(1);
        usize::try_from((sequence / WORD_BITS) & u64::try_from(mask).unwrap_or_default())
            .unwrap_or_default()
    }

    fn bit(&self, sequence: u64) -> bool {
        self.words
            .get(self.index(sequence))
            .is_some_and(|word| word & bit_of(sequence) != 0)
    }

    /// Empties the words that the window enters when its top moves to `top`.
    fn clear_between(&mut self, top: u64) {
        let old = self.top / WORD_BITS;
        let new = top / WORD_BITS;
        let words = u64::try_from(self.words.len()).unwrap_or(u64::MAX);
        // A jump beyond the whole window empties each word once, not once per number skipped.
        for word in 1..=new.saturating_sub(old).min(words) {
            let index = self.index(old.wrapping_add(word).wrapping_mul(WORD_BITS));
            if let Some(word) = self.words.get_mut(index) {
                *word = 0;
            }
        }
    }
}

const fn bit_of(sequence: u64) -> u64 {
    1u64.wrapping_shl((sequence & 63) as u32)
}

impl fmt::Debug for ReplayWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayWindow")
            .field("size", &self.size)
            .field("top", &self.top)
            .field("bitmap", &format_args!("{}", self.bitmap()))
            .finish()
    }
}

/// The newest 64 sequence numbers, bit 0 the newest. Prints as two 32-bit words, upper first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitmap(pub u64);

impl fmt::Display for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X} 0x{:08X}", self.0 >> 32, self.0 & 0xffff_ffff)
    }
}

#[cfg(test)]
mod tests;
