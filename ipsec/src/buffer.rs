//! A buffer with room around the packet.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use esp::PacketBuf;

use crate::data::{HEADROOM, TAILROOM};

/// A buffer for one packet at a time, in either direction, with the room around it that protecting
/// it takes.
///
/// ```
/// let mut buffer = ipsec::Buffer::new(1500);
/// // Receive into it …
/// let len = b"datagram".len();
/// buffer.space()[..len].copy_from_slice(b"datagram");
/// // … and take out what was received.
/// let packet = buffer.packet(len);
/// assert_eq!(packet.as_slice(), b"datagram");
/// assert!(packet.headroom() >= ipsec::HEADROOM);
/// ```
pub struct Buffer(Box<[u8]>);

impl Buffer {
    /// A buffer for packets and datagrams of up to `len` octets.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let around = HEADROOM.saturating_add(TAILROOM);
        Self(vec![0; len.saturating_add(around)].into())
    }

    /// Where to receive into: as many octets as [`new`](Self::new) was told.
    pub fn space(&mut self) -> &mut [u8] {
        let end = self.0.len().saturating_sub(TAILROOM);
        self.0.get_mut(HEADROOM..end).unwrap_or_default()
    }

    /// The packet of `len` octets that was received, or as many as there is space for.
    pub fn packet(&mut self, len: usize) -> PacketBuf<'_> {
        let len = len.min(self.space().len());
        let range = HEADROOM..HEADROOM.saturating_add(len);
        // The range lies inside: there is so much space.
        PacketBuf::new(&mut self.0, range).unwrap_or_else(|| PacketBuf::full(&mut []))
    }

    /// A packet with these octets, as many as there is space for.
    pub fn fill(&mut self, octets: &[u8]) -> PacketBuf<'_> {
        let space = self.space().iter_mut();
        space.zip(octets).for_each(|(to, from)| *to = *from);
        self.packet(octets.len())
    }
}

impl fmt::Debug for Buffer {
    /// The length: what is in it may be somebody's secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({})", self.0.len())
    }
}
