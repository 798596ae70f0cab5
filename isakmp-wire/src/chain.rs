//! The chain of payloads behind the header, and its generic payload header.
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! | Next Payload  |C|  RESERVED   |         Payload Length        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! One forward pass validates the chain; iterating it afterwards cannot fail.

use core::fmt;

use crate::error::{ErrorKind, ParseError};
use crate::limits::Limits;

/// Octets of the generic payload header (RFC 2408 §3.2, RFC 7296 §3.2).
pub const PAYLOAD_HEADER_LEN: usize = 4;

/// The payload numbers of one version. A chain of one version cannot hold payloads of the other:
/// their numbers are different types.
pub trait PayloadNumber: Copy + Eq + fmt::Debug + From<u8> + Into<u8> + sealed::Grammar {}

pub(crate) mod sealed {
    /// What differs between the chains of the two versions.
    pub trait Grammar: Sized {
        /// The second octet of the generic header must be zero.
        const RESERVED_IS_ZERO: bool;
        /// Octets may follow the last payload.
        const PADDING_ALLOWED: bool;

        /// Ends the chain: its own Next Payload field speaks of what is inside.
        fn ends_chain(self) -> bool;
    }
}

/// A chain of payloads that was validated: reading it cannot fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PayloadChain<'a, P> {
    first: P,
    octets: &'a [u8],
    padding: &'a [u8],
    offset: usize,
    count: usize,
    last: Option<Place<P>>,
}

/// Where the last payload stands in a chain.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place<P> {
    payload_type: P,
    start: usize,
}

impl<'a, P: PayloadNumber> PayloadChain<'a, P> {
    /// Validates the chain that starts with a payload of type `first`. Offsets in errors and
    /// payloads count from the start of `bytes`.
    ///
    /// In an IKEv1 chain octets may follow the last payload: the padding of the encryption, kept
    /// in [`Self::padding`] and out of [`Self::octets`]. In an IKEv2 chain they may not.
    ///
    /// # Errors
    /// A payload length below 4 or beyond the end, a RESERVED octet that is not zero (IKEv1), more
    /// payloads than [`Limits::payloads`], or octets behind the last payload (IKEv2).
    pub fn parse(first: P, bytes: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        Self::parse_at(first, bytes, 0, limits)
    }

    /// [`Self::parse`], with offsets counted from `offset`.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_at(
        first: P,
        bytes: &'a [u8],
        offset: usize,
        limits: &Limits,
    ) -> Result<Self, ParseError> {
        let mut next = first;
        let mut rest = bytes;
        let mut at = offset;
        let mut count = 0_usize;
        let mut last = None;
        while next.into() != 0 {
            let fault = |kind, what, value| Err(ParseError::new(kind, at, what, value));
            if count >= limits.payloads {
                return fault(ErrorKind::TooMany, "payloads", limits.payloads);
            }
            let Some((&[following, reserved, high, low], _)) = rest.split_first_chunk::<4>() else {
                return fault(ErrorKind::Truncated, "generic payload header", rest.len());
            };
            // RFC 2408 §5.3: "If the value in the RESERVED field is not zero, the message is discarded".
            if P::RESERVED_IS_ZERO && reserved != 0 {
                return fault(
                    ErrorKind::ReservedNotZero,
                    "RESERVED",
                    usize::from(reserved),
                );
            }
            let length = usize::from(u16::from_be_bytes([high, low]));
            // The length counts its own header. With 0 the walk would not move.
            if length < PAYLOAD_HEADER_LEN {
                return fault(ErrorKind::LengthTooSmall, "Payload Length", length);
            }
            let Some((_, tail)) = rest.split_at_checked(length) else {
                return fault(ErrorKind::Truncated, "Payload Length", length);
            };
            let start = bytes.len().saturating_sub(rest.len());
            last = Some(Place {
                payload_type: next,
                start,
            });
            rest = tail;
            at = at.saturating_add(length);
            count = count.saturating_add(1);
            next = if next.ends_chain() {
                P::from(0)
            } else {
                P::from(following)
            };
        }
        // IKEv1 pads behind the last payload (RFC 2409 App. B), IKEv2 inside of SK.
        if !P::PADDING_ALLOWED && !rest.is_empty() {
            return Err(ParseError::new(
                ErrorKind::TrailingBytes,
                at,
                "payloads",
                rest.len(),
            ));
        }
        let used = bytes.len().saturating_sub(rest.len());
        let (octets, padding) = bytes.split_at_checked(used).unwrap_or((bytes, &[]));
        Ok(Self {
            first,
            octets,
            padding,
            offset,
            count,
            last,
        })
    }

    /// A chain without payloads.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            first: P::from(0),
            octets: &[],
            padding: &[],
            offset: 0,
            count: 0,
            last: None,
        }
    }

    /// Type of the first payload; number 0 for an empty chain.
    #[must_use]
    pub const fn first(&self) -> P {
        self.first
    }

    /// The number of payloads in the chain.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether the chain has no payload.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The octets of all payloads, generic headers included, padding excluded.
    #[must_use]
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The octets behind the last payload: padding.
    #[must_use]
    pub const fn padding(&self) -> &'a [u8] {
        self.padding
    }

    /// The octets of all payloads behind `payload`: what HASH(1) and HASH(2) of RFC 2409 §5.5
    /// cover when `payload` is the HASH.
    #[must_use]
    pub fn octets_after(&self, payload: &Payload<'a, P>) -> &'a [u8] {
        let end = payload
            .offset
            .saturating_add(payload.raw.len())
            .saturating_sub(self.offset);
        self.octets.get(end..).unwrap_or(&[])
    }

    /// The payloads in wire order.
    #[must_use]
    pub const fn iter(&self) -> Payloads<'a, P> {
        Payloads {
            next: self.first,
            rest: self.octets,
            offset: self.offset,
        }
    }

    /// The last payload, if there is one: SK and SKF have to be it.
    #[must_use]
    pub fn last(&self) -> Option<Payload<'a, P>> {
        let Place {
            payload_type,
            start,
        } = self.last?;
        let rest = self.octets.get(start..)?;
        Payloads {
            next: payload_type,
            rest,
            offset: self.offset.saturating_add(start),
        }
        .next()
    }

    /// The first payload of a type.
    #[must_use]
    pub fn find(&self, payload_type: P) -> Option<Payload<'a, P>> {
        self.iter()
            .find(|payload| payload.payload_type == payload_type)
    }
}

impl<'a, P: PayloadNumber> IntoIterator for PayloadChain<'a, P> {
    type Item = Payload<'a, P>;
    type IntoIter = Payloads<'a, P>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, P: PayloadNumber> IntoIterator for &PayloadChain<'a, P> {
    type Item = Payload<'a, P>;
    type IntoIter = Payloads<'a, P>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<P: PayloadNumber> fmt::Debug for PayloadChain<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|payload| payload.payload_type))
            .finish()
    }
}

/// One payload of a validated chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a, P> {
    /// The type of the payload, as the field before it named it.
    pub payload_type: P,
    /// The type of the payload that follows; of the first one inside for SK and SKF.
    pub next_payload: P,
    /// The second octet of the generic header: zero, or IKEv2's critical bit.
    pub reserved: u8,
    /// What follows the generic header (`<P>_b` in the notation of RFC 2409 §3.2).
    pub body: &'a [u8],
    /// The whole payload, generic header included.
    pub raw: &'a [u8],
    /// Octet of the message at which [`Self::raw`] starts.
    pub offset: usize,
}

impl<P> Payload<'_, P> {
    /// Octet of the message at which [`Self::body`] starts.
    #[must_use]
    pub const fn body_offset(&self) -> usize {
        self.offset.saturating_add(PAYLOAD_HEADER_LEN)
    }
}

impl<P: fmt::Debug> fmt::Debug for Payload<'_, P> {
    /// Type, place and size; not the content, which may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} at {} ({} octets)",
            self.payload_type,
            self.offset,
            self.raw.len()
        )
    }
}

/// The payloads of a chain; see [`PayloadChain::iter`].
#[derive(Clone, Debug)]
pub struct Payloads<'a, P> {
    next: P,
    rest: &'a [u8],
    offset: usize,
}

impl<'a, P: PayloadNumber> Iterator for Payloads<'a, P> {
    type Item = Payload<'a, P>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let payload_type = self.next;
        if payload_type.into() == 0 {
            return None;
        }
        let (&[following, reserved, high, low], _) = self.rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (raw, tail) = self.rest.split_at_checked(length)?;
        let offset = self.offset;
        let next_payload = P::from(following);
        self.next = if payload_type.ends_chain() {
            P::from(0)
        } else {
            next_payload
        };
        self.rest = tail;
        self.offset = offset.saturating_add(length);
        Some(Payload {
            payload_type,
            next_payload,
            reserved,
            body: raw.get(PAYLOAD_HEADER_LEN..)?,
            raw,
            offset,
        })
    }
}

impl<P: PayloadNumber> core::iter::FusedIterator for Payloads<'_, P> {}
