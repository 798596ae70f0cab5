//! The 28-octet header that both versions share.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                Initiator cookie, IKE SA initiator's SPI       |
//! |                                                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                Responder cookie, IKE SA responder's SPI       |
//! |                                                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Next Payload | MjVer | MnVer | Exchange Type |     Flags     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                          Message ID                           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                            Length                             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

use crate::error::{ErrorKind, ParseError};
use crate::limits::Limits;
use crate::registry::ExchangeType;

/// An ISAKMP cookie (RFC 2408 §2.5.3) or an IKE SPI (RFC 7296 §3.1).
pub type Cookie = [u8; 8];

/// The header of a message (RFC 2408 §3.1, RFC 7296 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Initiator cookie of IKEv1, initiator's SPI of IKEv2.
    pub initiator_spi: Cookie,
    /// Responder cookie of IKEv1, responder's SPI of IKEv2; zero in a first message.
    pub responder_spi: Cookie,
    /// Number of the first payload; its meaning depends on the version (see
    /// [`crate::v1::PayloadType`], [`crate::v2::PayloadType`]). A writer fills it in.
    pub next_payload: u8,
    /// The version of IKE that the message is of.
    pub version: Version,
    /// The kind of exchange that the message belongs to.
    pub exchange_type: ExchangeType,
    /// The flags of the version: encryption and commit, or initiator and response.
    pub flags: Flags,
    /// The number of the exchange: chosen at random in IKEv1, counted in IKEv2.
    pub message_id: u32,
    /// Octets of the whole message, this header included. A writer fills it in.
    pub length: u32,
}

impl Header {
    /// Octets of the header, the same in both versions.
    pub const LEN: usize = 28;

    /// A header to build an IKEv1 message with: message ID 0, no flag.
    #[must_use]
    pub const fn v1(exchange_type: ExchangeType, initiator: Cookie, responder: Cookie) -> Self {
        Self::new(Version::V1, exchange_type, initiator, responder)
    }

    /// A header to build an IKEv2 message with: message ID 0, no flag.
    #[must_use]
    pub const fn v2(exchange_type: ExchangeType, initiator: Cookie, responder: Cookie) -> Self {
        Self::new(Version::V2, exchange_type, initiator, responder)
    }

    const fn new(
        version: Version,
        exchange_type: ExchangeType,
        initiator_spi: Cookie,
        responder_spi: Cookie,
    ) -> Self {
        Self {
            initiator_spi,
            responder_spi,
            next_payload: 0,
            version,
            exchange_type,
            flags: Flags::NONE,
            message_id: 0,
            length: 0,
        }
    }

    /// The header with this message ID in place of its own.
    #[must_use]
    pub const fn message_id(self, message_id: u32) -> Self {
        Self { message_id, ..self }
    }

    /// The header with these flags in place of its own.
    #[must_use]
    pub const fn flags(self, flags: Flags) -> Self {
        Self { flags, ..self }
    }

    /// Reads the header alone and checks nothing but that its 28 octets are there.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`].
    pub fn read(bytes: &[u8]) -> Result<Self, ParseError> {
        let Some((head, _)) = bytes.split_first_chunk::<{ Self::LEN }>() else {
            return Err(ParseError::new(
                ErrorKind::Truncated,
                0,
                "ISAKMP header",
                bytes.len(),
            ));
        };
        let [
            i0,
            i1,
            i2,
            i3,
            i4,
            i5,
            i6,
            i7,
            r0,
            r1,
            r2,
            r3,
            r4,
            r5,
            r6,
            r7,
            next_payload,
            version,
            exchange_type,
            flags,
            m0,
            m1,
            m2,
            m3,
            l0,
            l1,
            l2,
            l3,
        ] = *head;
        Ok(Self {
            initiator_spi: [i0, i1, i2, i3, i4, i5, i6, i7],
            responder_spi: [r0, r1, r2, r3, r4, r5, r6, r7],
            next_payload,
            version: Version(version),
            exchange_type: ExchangeType(exchange_type),
            flags: Flags(flags),
            message_id: u32::from_be_bytes([m0, m1, m2, m3]),
            length: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }

    /// The header as its octets.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let [i0, i1, i2, i3, i4, i5, i6, i7] = self.initiator_spi;
        let [r0, r1, r2, r3, r4, r5, r6, r7] = self.responder_spi;
        let [m0, m1, m2, m3] = self.message_id.to_be_bytes();
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        [
            i0,
            i1,
            i2,
            i3,
            i4,
            i5,
            i6,
            i7,
            r0,
            r1,
            r2,
            r3,
            r4,
            r5,
            r6,
            r7,
            self.next_payload,
            self.version.0,
            self.exchange_type.0,
            self.flags.0,
            m0,
            m1,
            m2,
            m3,
            l0,
            l1,
            l2,
            l3,
        ]
    }

    /// Reads the header and cuts `datagram` to the length it states.
    pub(crate) fn parse<'a>(
        datagram: &'a [u8],
        limits: &Limits,
    ) -> Result<(Self, &'a [u8]), ParseError> {
        let header = Self::read(datagram)?;
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        let fault = |kind| Err(ParseError::new(kind, 24, "Length", length));
        if length < Self::LEN {
            return fault(ErrorKind::LengthTooSmall);
        }
        if length > limits.message {
            return fault(ErrorKind::LengthTooLarge);
        }
        match datagram.get(..length) {
            None => fault(ErrorKind::Truncated),
            // RFC 2408 §5.1, RFC 7296 §3.1: the length covers the whole message. Octets behind
            // it are not covered by any hash and nobody is meant to read them.
            Some(message) if message.len() < datagram.len() => Err(ParseError::new(
                ErrorKind::TrailingBytes,
                length,
                "Length",
                datagram.len(),
            )),
            Some(message) => Ok((header, message)),
        }
    }
}

/// Major and minor version, as in the octet of the header.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(pub u8);

impl Version {
    /// Major version 1, minor version 0: IKEv1 (RFC 2408).
    pub const V1: Self = Self(0x10);
    /// Major version 2, minor version 0: IKEv2 (RFC 7296).
    pub const V2: Self = Self(0x20);

    /// The major version: the upper four bits.
    #[must_use]
    pub const fn major(self) -> u8 {
        self.0 >> 4
    }

    /// The minor version: the lower four bits.
    #[must_use]
    pub const fn minor(self) -> u8 {
        self.0 & 0x0f
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The flags octet of the header. The bits of the two versions do not overlap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// The value with no flag set.
    pub const NONE: Self = Self(0);
    /// IKEv1: everything behind the header is encrypted.
    pub const ENCRYPTION: Self = Self(0x01);
    /// IKEv1: wait for CONNECTED before the SA is used.
    pub const COMMIT: Self = Self(0x02);
    /// IKEv1: authenticated, but not encrypted, informational exchange.
    pub const AUTHENTICATION_ONLY: Self = Self(0x04);
    /// IKEv2: sent by the original initiator of the IKE SA.
    pub const INITIATOR: Self = Self(0x08);
    /// IKEv2: the sender could speak a higher major version.
    pub const VERSION: Self = Self(0x10);
    /// IKEv2: a response to the request of the same message ID.
    pub const RESPONSE: Self = Self(0x20);

    const NAMES: [(Self, &'static str); 6] = [
        (Self::ENCRYPTION, "Encryption"),
        (Self::COMMIT, "Commit"),
        (Self::AUTHENTICATION_ONLY, "Authentication Only"),
        (Self::INITIATOR, "Initiator"),
        (Self::VERSION, "Version"),
        (Self::RESPONSE, "Response"),
    ];

    /// All bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Flags {
    /// The names of the set flags, joined by `|`; `0` for none; unnamed bits in hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = *self;
        let mut separator = "";
        for (flag, name) in Self::NAMES {
            if self.contains(flag) {
                write!(f, "{separator}{name}")?;
                separator = "|";
                rest = rest.without(flag);
            }
        }
        match rest.0 {
            0 if separator.is_empty() => f.write_str("0"),
            0 => Ok(()),
            bits => write!(f, "{separator}{bits:#04x}"),
        }
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
