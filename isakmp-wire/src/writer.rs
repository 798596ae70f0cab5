//! Writes a message front to back and patches its lengths and its next-payload chain.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;

use crate::chain::{PAYLOAD_HEADER_LEN, Payload, PayloadNumber};
use crate::error::BuildError;
use crate::header::Header;
use crate::sink::Sink;

/// Writes one message of the version whose payload numbers are `P`; see [`crate::v1::Writer`] and
/// [`crate::v2::Writer`] for the payloads of each.
///
/// Lengths and Next Payload fields are patched as payloads are added, so the octets of a payload
/// are final once the payload after it (or [`Self::finish`]) has been written. A writer whose
/// method failed leaves an unusable message behind: drop what it wrote.
pub struct Writer<'s, P> {
    pub(crate) out: Buffer<'s>,
    chain: Chain,
    has_header: bool,
    closed: bool,
    numbers: PhantomData<P>,
}

/// The place of a written payload in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    start: usize,
    end: usize,
}

impl Written {
    /// Octets of the message that the payload takes, generic header included.
    #[must_use]
    pub const fn raw(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Octets of the message that follow the generic header (`<P>_b` of RFC 2409 §3.2).
    #[must_use]
    pub const fn body(&self) -> Range<usize> {
        self.start.saturating_add(PAYLOAD_HEADER_LEN)..self.end
    }
}

impl<'s, P: PayloadNumber> Writer<'s, P> {
    /// Starts a message behind what the sink already holds. `next_payload` and `length` of the
    /// header are filled in later.
    ///
    /// # Errors
    /// [`BuildError::SinkFull`].
    pub fn new(sink: &'s mut dyn Sink, header: &Header) -> Result<Self, BuildError> {
        let mut out = Buffer::new(sink);
        out.put(
            &Header {
                next_payload: 0,
                length: 0,
                ..*header
            }
            .to_bytes(),
        )?;
        // RFC 2408 §3.1: Next Payload is octet 16 of the header.
        Ok(Self {
            out,
            chain: Chain {
                field: Some(16),
                first: 0,
            },
            has_header: true,
            closed: false,
            numbers: PhantomData,
        })
    }

    /// Starts a chain without a header: the inside of an encrypted payload.
    #[must_use]
    pub fn chain_only(sink: &'s mut dyn Sink) -> Self {
        Self {
            out: Buffer::new(sink),
            chain: Chain {
                field: None,
                first: 0,
            },
            has_header: false,
            closed: false,
            numbers: PhantomData,
        }
    }

    /// Appends a payload whose body is the given octets.
    ///
    /// # Errors
    /// [`BuildError::TooLong`] above 65,531 octets, [`BuildError::SinkFull`].
    pub fn payload(&mut self, payload_type: P, body: &[u8]) -> Result<Written, BuildError> {
        self.compose(payload_type, 0, |out| out.put(body))
    }

    /// Appends a received payload unchanged, but for its Next Payload field.
    ///
    /// # Errors
    /// As [`Self::payload`].
    pub fn copy(&mut self, payload: &Payload<'_, P>) -> Result<Written, BuildError> {
        self.compose(payload.payload_type, payload.reserved, |out| {
            out.put(payload.body)
        })
    }

    /// Appends a payload of `len` zero octets, to be filled by [`Self::patch`] when the octets
    /// that it covers are known.
    ///
    /// # Errors
    /// As [`Self::payload`].
    pub fn placeholder(&mut self, payload_type: P, len: usize) -> Result<Written, BuildError> {
        self.compose(payload_type, 0, |out| out.zeros(len))
    }

    /// Overwrites the body of a payload with octets of the same length.
    ///
    /// # Errors
    /// [`BuildError::BadPatch`] when the length differs.
    pub fn patch(&mut self, written: Written, body: &[u8]) -> Result<(), BuildError> {
        let range = written.body();
        if range.len() != body.len() {
            return Err(BuildError::BadPatch {
                offset: range.start,
                length: body.len(),
            });
        }
        self.out.patch(range.start, body)
    }

    /// The octets of the message so far; its length is not yet written.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.out.written()
    }

    /// A payload with its generic header.
    #[must_use]
    pub fn raw(&self, written: Written) -> &[u8] {
        self.octets().get(written.raw()).unwrap_or(&[])
    }

    /// A payload without its generic header: `SAi_b`, `IDii_b` of RFC 2409 §3.2.
    #[must_use]
    pub fn body(&self, written: Written) -> &[u8] {
        self.octets().get(written.body()).unwrap_or(&[])
    }

    /// All payloads behind a payload: what HASH(1) and HASH(2) of RFC 2409 §5.5 cover.
    #[must_use]
    pub fn octets_after(&self, written: Written) -> &[u8] {
        self.octets().get(written.end..).unwrap_or(&[])
    }

    /// Type of the first payload; number 0 before there is one.
    #[must_use]
    pub fn first(&self) -> P {
        P::from(self.chain.first)
    }

    /// Writes the length into the header and gives the octets of the message.
    ///
    /// # Errors
    /// [`BuildError::TooLong`] above 4 GiB.
    pub fn finish(mut self) -> Result<usize, BuildError> {
        let length = self.out.len();
        if self.has_header {
            let Ok(field) = u32::try_from(length) else {
                return Err(BuildError::TooLong {
                    what: "Length",
                    length,
                    maximum: usize::MAX,
                });
            };
            // RFC 2408 §3.1: Length is octet 24 of the header.
            self.out.patch(24, &field.to_be_bytes())?;
        }
        Ok(length)
    }

    /// Appends a payload whose body `fill` writes.
    pub(crate) fn compose(
        &mut self,
        payload_type: P,
        reserved: u8,
        fill: impl FnOnce(&mut Buffer<'s>) -> Result<(), BuildError>,
    ) -> Result<Written, BuildError> {
        if self.closed {
            return Err(BuildError::AfterLast);
        }
        let start = self.out.len();
        self.chain.link(&mut self.out, payload_type.into(), start)?;
        let end = self
            .out
            .nested(reserved, "Payload Length", |out| fill(out))?;
        self.closed = payload_type.ends_chain();
        Ok(Written { start, end })
    }
}

impl<P> fmt::Debug for Writer<'_, P> {
    /// The length only: bodies may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("len", &self.out.len())
            .finish_non_exhaustive()
    }
}

/// The Next Payload field that the next element has to be named in.
pub(crate) struct Chain {
    /// Octet of the message; `None` when the first element is named elsewhere.
    field: Option<usize>,
    first: u8,
}

impl Chain {
    pub(crate) const fn nested() -> Self {
        Self {
            field: None,
            first: 0,
        }
    }

    pub(crate) fn link(
        &mut self,
        out: &mut Buffer<'_>,
        number: u8,
        start: usize,
    ) -> Result<(), BuildError> {
        if let Some(field) = self.field {
            out.patch(field, &[number])?;
        }
        if self.first == 0 {
            self.first = number;
        }
        self.field = Some(start);
        Ok(())
    }
}

/// A sink seen from the start of one message.
pub(crate) struct Buffer<'s> {
    sink: &'s mut dyn Sink,
    start: usize,
}

impl<'s> Buffer<'s> {
    fn new(sink: &'s mut dyn Sink) -> Self {
        let start = sink.written().len();
        Self { sink, start }
    }

    /// A chain of payloads inside the payload that is being written.
    pub(crate) fn inside<P: PayloadNumber>(&mut self) -> Writer<'_, P> {
        Writer::chain_only(&mut *self.sink)
    }

    pub(crate) fn written(&self) -> &[u8] {
        self.sink.written().get(self.start..).unwrap_or(&[])
    }

    pub(crate) fn len(&self) -> usize {
        self.sink.written().len().saturating_sub(self.start)
    }

    pub(crate) fn put(&mut self, octets: &[u8]) -> Result<(), BuildError> {
        self.sink.put(octets)
    }

    pub(crate) fn zeros(&mut self, mut n: usize) -> Result<(), BuildError> {
        const ZEROS: [u8; 64] = [0; 64];
        while let Some(chunk) = ZEROS
            .get(..n.min(ZEROS.len()))
            .filter(|chunk| !chunk.is_empty())
        {
            self.put(chunk)?;
            n = n.saturating_sub(chunk.len());
        }
        Ok(())
    }

    pub(crate) fn patch(&mut self, at: usize, octets: &[u8]) -> Result<(), BuildError> {
        let from = self.start.saturating_add(at);
        let to = from.saturating_add(octets.len());
        let Some(target) = self.sink.written_mut().get_mut(from..to) else {
            return Err(BuildError::BadPatch {
                offset: at,
                length: octets.len(),
            });
        };
        target.copy_from_slice(octets);
        Ok(())
    }

    /// Writes the generic header of a proposal or transform and the four octets behind it, runs
    /// `fill`, patches the length.
    pub(crate) fn element(
        &mut self,
        what: &'static str,
        [a, b, c, d]: [u8; 4],
        fill: impl FnOnce(&mut Self) -> Result<(), BuildError>,
    ) -> Result<(), BuildError> {
        let start = self.len();
        self.put(&[0, 0, 0, 0, a, b, c, d])?;
        fill(self)?;
        self.patch_length(what, start)?;
        Ok(())
    }

    /// Writes a generic header, runs `fill`, patches the length; gives the end.
    pub(crate) fn nested(
        &mut self,
        reserved: u8,
        what: &'static str,
        fill: impl FnOnce(&mut Self) -> Result<(), BuildError>,
    ) -> Result<usize, BuildError> {
        let start = self.len();
        self.put(&[0, reserved, 0, 0])?;
        fill(self)?;
        self.patch_length(what, start)
    }

    fn patch_length(&mut self, what: &'static str, start: usize) -> Result<usize, BuildError> {
        let end = self.len();
        let field = u16_field(what, end.saturating_sub(start))?;
        self.patch(start.saturating_add(2), &field)?;
        Ok(end)
    }
}

/// A 16-bit length or count, or the refusal to truncate it.
pub(crate) fn u16_field(what: &'static str, length: usize) -> Result<[u8; 2], BuildError> {
    u16::try_from(length)
        .map(u16::to_be_bytes)
        .map_err(|_| BuildError::TooLong {
            what,
            length,
            maximum: 65_535,
        })
}

/// An 8-bit length or count, or the refusal to truncate it.
pub(crate) fn u8_field(what: &'static str, length: usize) -> Result<u8, BuildError> {
    u8::try_from(length).map_err(|_| BuildError::TooLong {
        what,
        length,
        maximum: 255,
    })
}
