//! Where encoded messages go: anything that takes octets in order and lets them be patched.

use alloc::vec::Vec;

use bytes::BytesMut;

use crate::error::BuildError;

/// A growing run of octets.
///
/// A [`crate::Writer`] appends to what is already there, so a non-ESP marker can stand before the
/// message in the same buffer.
pub trait Sink {
    /// What has been written so far.
    fn written(&self) -> &[u8];

    /// What has been written so far, to patch it.
    fn written_mut(&mut self) -> &mut [u8];

    /// Appends octets.
    ///
    /// # Errors
    /// [`BuildError::SinkFull`]; the sink is unchanged then.
    fn put(&mut self, octets: &[u8]) -> Result<(), BuildError>;
}

impl Sink for Vec<u8> {
    fn written(&self) -> &[u8] {
        self
    }

    fn written_mut(&mut self) -> &mut [u8] {
        self
    }

    fn put(&mut self, octets: &[u8]) -> Result<(), BuildError> {
        self.extend_from_slice(octets);
        Ok(())
    }
}

impl Sink for BytesMut {
    fn written(&self) -> &[u8] {
        self
    }

    fn written_mut(&mut self) -> &mut [u8] {
        self
    }

    fn put(&mut self, octets: &[u8]) -> Result<(), BuildError> {
        self.extend_from_slice(octets);
        Ok(())
    }
}

/// A [`Sink`] over a slice of fixed size: no allocation, [`BuildError::SinkFull`] at its end.
#[derive(Debug)]
pub struct SliceSink<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> SliceSink<'b> {
    /// An empty sink over all of `buffer`.
    #[must_use]
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// The number of octets written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Sink for SliceSink<'_> {
    fn written(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or(&[])
    }

    fn written_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(..self.len).unwrap_or(&mut [])
    }

    fn put(&mut self, octets: &[u8]) -> Result<(), BuildError> {
        let free = self.buffer.get_mut(self.len..).unwrap_or(&mut []);
        let available = free.len();
        let Some(target) = free.get_mut(..octets.len()) else {
            return Err(BuildError::SinkFull {
                needed: octets.len(),
                available,
            });
        };
        target.copy_from_slice(octets);
        self.len = self.len.saturating_add(octets.len());
        Ok(())
    }
}
