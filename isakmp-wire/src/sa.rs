//! What the SA payloads of both versions share: proposals that hold transforms that hold attributes
//! (RFC 2408 §3.5–3.6, RFC 7296 §3.3.1–3.3.2).

use core::fmt;
use core::marker::PhantomData;

use crate::attribute::Attributes;
use crate::error::{ErrorKind, ParseError};
use crate::limits::Limits;
use crate::reader::Reader;
use crate::registry::ProtocolId;
use sealed::Contents;

/// A transform of one version: [`v1::Transform`](crate::v1::Transform) or
/// [`v2::Transform`](crate::v2::Transform).
pub trait SaTransform<'a>: Copy + fmt::Debug + sealed::Grammar<'a> {}

impl<'a, T: Copy + fmt::Debug + sealed::Grammar<'a>> SaTransform<'a> for T {}

pub(crate) mod sealed {
    use crate::attribute::Attributes;
    use crate::registry::ProtocolId;

    /// What differs between the SA payloads of the two versions.
    pub trait Grammar<'a>: Sized {
        /// First octet of a proposal that another one follows.
        const MORE_PROPOSALS: u8;
        /// First octet of a transform that another one follows.
        const MORE_TRANSFORMS: u8;
        /// The second octet of their headers must be zero.
        const RESERVED_IS_ZERO: bool;
        /// The names of a proposal's number and count, and of a transform's first field.
        const NAMES: [&'static str; 3];

        /// A transform from its four fixed octets and what stands around them.
        fn new(fixed: [u8; 4], protocol_id: ProtocolId, contents: Contents<'a>) -> Self;
    }

    /// Where a transform stands, and its attributes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Contents<'a> {
        /// The transform with its header.
        pub(crate) raw: &'a [u8],
        /// Whether another transform follows in the proposal.
        pub(crate) more: bool,
        pub(crate) octets: &'a [u8],
        pub(crate) offset: usize,
    }

    impl<'a> Contents<'a> {
        pub(crate) fn attributes(&self) -> Attributes<'a> {
            // The count was checked with the payload; the octets bound it again.
            Attributes::parse(self.octets, self.offset, usize::MAX).unwrap_or(Attributes::EMPTY)
        }
    }
}

/// The proposals of an SA, in wire order.
#[derive(Clone, Debug)]
pub struct Proposals<'a, T> {
    reader: Reader<'a>,
    version: PhantomData<T>,
}

impl<'a, T> Proposals<'a, T> {
    pub(crate) const fn new(octets: &'a [u8], offset: usize) -> Self {
        Self {
            reader: Reader::new(octets, offset),
            version: PhantomData,
        }
    }
}

impl<'a, T: SaTransform<'a>> Proposals<'a, T> {
    /// Validates all down to the last attribute; iterating cannot fail afterwards.
    pub(crate) fn validate(mut self, limits: &Limits) -> Result<(), ParseError> {
        let mut proposals = 0_usize;
        let mut more = true;
        while more {
            if proposals >= limits.proposals {
                return Err(self
                    .reader
                    .fault(ErrorKind::TooMany, "proposals", limits.proposals));
            }
            // Whether another proposal follows is said by this one, not by a count: the loop is
            // bounded by the limit above and by the octets.
            let proposal = self.read()?;
            proposals = proposals.saturating_add(1);
            // RFC 7296 §3.3.1: "Num Transforms (1 octet) - Specifies the number of transforms in this
            // proposal."
            let count = proposal.transforms().validate(limits)?;
            if count != usize::from(proposal.transform_count) {
                return Err(ParseError::new(
                    ErrorKind::LengthMismatch,
                    proposal.offset.saturating_add(7),
                    T::NAMES[1],
                    usize::from(proposal.transform_count),
                ));
            }
            more = proposal.more;
        }
        self.reader.end("proposals")
    }

    fn read(&mut self) -> Result<Proposal<'a, T>, ParseError> {
        let offset = self.reader.offset();
        let (mut body, raw, more) =
            self.reader
                .element(T::MORE_PROPOSALS, "proposals", T::RESERVED_IS_ZERO)?;
        let [number, protocol_id, spi_size, transform_count] = body.array(T::NAMES[0])?;
        let spi = body.take(usize::from(spi_size), "SPI")?;
        Ok(Proposal {
            number,
            protocol_id: ProtocolId(protocol_id),
            spi,
            transform_count,
            raw,
            offset,
            more,
            transforms: body.rest(),
            transforms_offset: body.offset(),
            version: PhantomData,
        })
    }
}

impl<'a, T: SaTransform<'a>> Iterator for Proposals<'a, T> {
    type Item = Proposal<'a, T>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().ok()
    }
}

/// One proposal.
///
/// In IKEv1 proposals of one number belong together, all of them or none (RFC 2408 §4.2), and of
/// the transforms one is chosen. In IKEv2 one transform of each type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal<'a, T> {
    /// Proposal number; in IKEv2 1 for the first of an offer, and the accepted one's in the
    /// answer.
    pub number: u8,
    /// The protocol that the proposal is for: ISAKMP or IKE, AH, ESP or IPCOMP.
    pub protocol_id: ProtocolId,
    /// The sender's SPI: 4 octets for AH and ESP. For ISAKMP 0 to 16, to be ignored (RFC 2408
    /// §3.5); none in IKE_SA_INIT, 8 when an IKE SA is rekeyed.
    pub spi: &'a [u8],
    /// Number of transforms; agrees with [`Self::transforms`].
    pub transform_count: u8,
    /// The proposal with its header.
    pub raw: &'a [u8],
    /// Octet of the message at which [`Self::raw`] starts.
    pub offset: usize,
    pub(crate) more: bool,
    transforms: &'a [u8],
    transforms_offset: usize,
    version: PhantomData<T>,
}

impl<'a, T> Proposal<'a, T> {
    /// The transforms in wire order.
    #[must_use]
    pub const fn transforms(&self) -> Transforms<'a, T> {
        Transforms {
            reader: Reader::new(self.transforms, self.transforms_offset),
            protocol_id: self.protocol_id,
            version: PhantomData,
        }
    }

    /// The SPI as a number, when it has the 4 octets of AH and ESP.
    #[must_use]
    pub fn spi_u32(&self) -> Option<u32> {
        self.spi.try_into().ok().map(u32::from_be_bytes)
    }
}

/// The transforms of a proposal; see [`Proposal::transforms`].
#[derive(Clone, Debug)]
pub struct Transforms<'a, T> {
    reader: Reader<'a>,
    protocol_id: ProtocolId,
    version: PhantomData<T>,
}

impl<'a, T: SaTransform<'a>> Transforms<'a, T> {
    /// Reads all transforms once and counts them.
    fn validate(mut self, limits: &Limits) -> Result<usize, ParseError> {
        let mut count = 0_usize;
        let mut more = true;
        while more {
            if count >= limits.transforms {
                return Err(self
                    .reader
                    .fault(ErrorKind::TooMany, "transforms", limits.transforms));
            }
            let (_, contents) = self.read()?;
            Attributes::parse(contents.octets, contents.offset, limits.attributes)?;
            count = count.saturating_add(1);
            more = contents.more;
        }
        self.reader.end("transforms")?;
        Ok(count)
    }

    fn read(&mut self) -> Result<([u8; 4], Contents<'a>), ParseError> {
        let (mut body, raw, more) =
            self.reader
                .element(T::MORE_TRANSFORMS, "transforms", T::RESERVED_IS_ZERO)?;
        let fixed = body.array(T::NAMES[2])?;
        let contents = Contents {
            raw,
            more,
            octets: body.rest(),
            offset: body.offset(),
        };
        Ok((fixed, contents))
    }
}

impl<'a, T: SaTransform<'a>> Iterator for Transforms<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<Self::Item> {
        let (fixed, contents) = self.read().ok()?;
        Some(T::new(fixed, self.protocol_id, contents))
    }
}
