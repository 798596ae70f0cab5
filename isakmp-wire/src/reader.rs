//! A cursor over received bytes that knows where it stands in the message.

use crate::error::{ErrorKind, ParseError};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self {
            rest: bytes,
            offset,
        }
    }

    pub(crate) const fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline]
    pub(crate) fn fault(&self, kind: ErrorKind, what: &'static str, value: usize) -> ParseError {
        ParseError::new(kind, self.offset, what, value)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], ParseError> {
        let Some((head, tail)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.fault(ErrorKind::Truncated, what, self.rest.len()));
        };
        self.rest = tail;
        self.offset = self.offset.saturating_add(N);
        Ok(*head)
    }

    #[inline]
    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, ParseError> {
        self.array(what).map(|[octet]| octet)
    }

    #[inline]
    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, ParseError> {
        self.array(what).map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, ParseError> {
        self.array(what).map(u32::from_be_bytes)
    }

    #[inline]
    pub(crate) fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], ParseError> {
        let Some((head, tail)) = self.rest.split_at_checked(n) else {
            return Err(self.fault(ErrorKind::Truncated, what, self.rest.len()));
        };
        self.rest = tail;
        self.offset = self.offset.saturating_add(n);
        Ok(head)
    }

    /// A proposal or transform: its generic header names `own` when another one follows, or 0.
    /// Gives its body, the whole of it, and whether another one follows.
    #[inline]
    pub(crate) fn element(
        &mut self,
        own: u8,
        what: &'static str,
        reserved_is_zero: bool,
    ) -> Result<(Self, &'a [u8], bool), ParseError> {
        let start = *self;
        if start.is_empty() {
            return Err(start.fault(ErrorKind::TooFew, what, 0));
        }
        let [next, reserved, high, low] = self.array("generic payload header")?;
        // RFC 2408 §3.5, §3.6, RFC 7296 §3.3.1, §3.3.2: its own number or 0.
        if next != 0 && next != own {
            let kind = ErrorKind::UnexpectedPayload;
            return Err(start.fault(kind, "Next Payload", usize::from(next)));
        }
        if reserved_is_zero && reserved != 0 {
            let kind = ErrorKind::ReservedNotZero;
            return Err(start.fault(kind, "RESERVED", usize::from(reserved)));
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(body_len) = length.checked_sub(4) else {
            return Err(start.fault(ErrorKind::LengthTooSmall, "Payload Length", length));
        };
        let offset = self.offset;
        let Ok(body) = self.take(body_len, "Payload Length") else {
            return Err(start.fault(ErrorKind::Truncated, "Payload Length", length));
        };
        let raw = start.rest.get(..length).unwrap_or(start.rest);
        Ok((Self::new(body, offset), raw, next == own))
    }

    /// Fails if octets are left.
    #[inline]
    pub(crate) fn end(&self, what: &'static str) -> Result<(), ParseError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.fault(ErrorKind::TrailingBytes, what, self.rest.len()))
        }
    }
}
