//! A packet in a buffer with room on both sides: what sealing and opening work on.

use core::ops::Range;

/// There is not enough room before or behind the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{side} of {available} octets, {needed} needed")]
pub struct RoomError {
    /// The side on which room is missing: `"headroom"` or `"tailroom"`.
    pub side: &'static str,
    /// Octets that the operation needs on that side.
    pub needed: usize,
    /// Octets that the buffer has on that side.
    pub available: usize,
}

/// A packet that lies somewhere in a buffer, and grows and shrinks in place.
///
/// ```
/// let mut storage = [0u8; 128];
/// storage[40..44].copy_from_slice(b"data");
/// let mut packet = esp::PacketBuf::new(&mut storage, 40..44).unwrap();
/// assert_eq!((packet.headroom(), packet.tailroom()), (40, 84));
/// packet.prepend(2).unwrap().copy_from_slice(b"> ");
/// assert_eq!(packet.as_slice(), b"> data");
/// ```
#[derive(Debug)]
pub struct PacketBuf<'b> {
    bytes: &'b mut [u8],
    start: usize,
    end: usize,
}

impl<'b> PacketBuf<'b> {
    /// The packet in `range` of `bytes`; `None` if the range does not lie inside.
    #[must_use]
    pub fn new(bytes: &'b mut [u8], range: Range<usize>) -> Option<Self> {
        let inside = range.start <= range.end && range.end <= bytes.len();
        inside.then_some(Self {
            bytes,
            start: range.start,
            end: range.end,
        })
    }

    /// A packet that fills its buffer: enough for opening, which never needs room.
    #[must_use]
    pub fn full(bytes: &'b mut [u8]) -> Self {
        let end = bytes.len();
        Self {
            bytes,
            start: 0,
            end,
        }
    }

    /// Where the packet lies in its buffer.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The length of the packet in octets.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether the packet has no octets.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Free octets in front of the packet.
    #[must_use]
    pub const fn headroom(&self) -> usize {
        self.start
    }

    /// Free octets behind the packet.
    #[must_use]
    pub const fn tailroom(&self) -> usize {
        self.bytes.len().saturating_sub(self.end)
    }

    /// The octets of the packet, without the room around it.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// The octets of the packet, without the room around it, for changes in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Gives the whole buffer back, the room around the packet included.
    #[must_use]
    pub fn into_inner(self) -> (&'b mut [u8], Range<usize>) {
        (self.bytes, self.start..self.end)
    }

    /// Puts `octets` more in front and returns them.
    ///
    /// # Errors
    /// There is less headroom than this; nothing changed.
    pub fn prepend(&mut self, octets: usize) -> Result<&mut [u8], RoomError> {
        let side = "headroom";
        let error = RoomError {
            side,
            needed: octets,
            available: self.headroom(),
        };
        self.start = self.start.checked_sub(octets).ok_or(error)?;
        Ok(self.as_mut_slice().get_mut(..octets).unwrap_or_default())
    }

    /// Puts `octets` more behind and returns them.
    ///
    /// # Errors
    /// There is less tailroom than this; nothing changed.
    pub fn append(&mut self, octets: usize) -> Result<&mut [u8], RoomError> {
        let old_len = self.len();
        let error = RoomError {
            side: "tailroom",
            needed: octets,
            available: self.tailroom(),
        };
        if octets > self.tailroom() {
            return Err(error);
        }
        self.end = self.end.saturating_add(octets);
        Ok(self.as_mut_slice().get_mut(old_len..).unwrap_or_default())
    }

    /// Takes `octets` (at most all) from the front.
    pub fn trim_front(&mut self, octets: usize) {
        self.start = self.start.saturating_add(octets).min(self.end);
    }

    /// Shortens the packet to `len` octets; no effect if it is not longer.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.start.saturating_add(len).min(self.end);
    }

    /// The packet in `range` of the same buffer.
    pub(crate) fn part(&mut self, range: Range<usize>) -> PacketBuf<'_> {
        let end = range.end.min(self.bytes.len());
        PacketBuf {
            bytes: self.bytes,
            start: range.start.min(end),
            end,
        }
    }

    /// Makes `range` of the buffer the packet.
    pub(crate) fn focus(&mut self, range: Range<usize>) {
        self.end = range.end.min(self.bytes.len());
        self.start = range.start.min(self.end);
    }

    /// Keeps the first `front` octets and what lies in `range` of the buffer, which begins behind
    /// them: the front moves up to it.
    pub(crate) fn splice(&mut self, front: usize, range: Range<usize>) {
        let old = self.start..self.start.saturating_add(front);
        // Not behind the front, against what the caller promises: nothing moves.
        let Some(start) = range.start.checked_sub(front) else {
            return;
        };
        if old.end <= range.start && range.end <= self.bytes.len() {
            self.bytes.copy_within(old, start);
            self.start = start;
            self.end = range.end;
        }
    }

    /// Fails unless both sides have this much room.
    pub(crate) fn require(&self, headroom: usize, tailroom: usize) -> Result<(), RoomError> {
        for (side, needed, available) in [
            ("headroom", headroom, self.headroom()),
            ("tailroom", tailroom, self.tailroom()),
        ] {
            if needed > available {
                return Err(RoomError {
                    side,
                    needed,
                    available,
                });
            }
        }
        Ok(())
    }
}
