//! Why a packet was refused, or could not be written.

use crate::EtherType;

/// A packet that is not what it has to be. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (at octet {offset})")]
pub struct ParseError {
    /// What is wrong with the packet.
    pub kind: ParseErrorKind,
    /// Octets from the start of the bytes given to the failing call.
    pub offset: usize,
}

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The bytes end inside a field the flags announce.
    #[error("truncated: {what} needs {needed} octets, {available} are there")]
    Truncated {
        /// The field or header that is cut off.
        what: &'static str,
        /// Octets needed, counted from the start of the packet.
        needed: usize,
        /// Octets that were given.
        available: usize,
    },
    /// The version is neither 0 (RFC 2784) nor 1 (RFC 2637), or not the one asked for.
    #[error("GRE version {0}")]
    Version(u8),
    /// RFC 1701 Routing Present: source routes are never followed (RFC 2784 §2.3).
    #[error("RFC 1701 source routing (Routing Present bit)")]
    RoutingPresent,
    /// RFC 1701 Strict Source Route bit (RFC 2784 §2.3).
    #[error("RFC 1701 Strict Source Route bit")]
    StrictSourceRoute,
    /// RFC 1701 Recursion Control; bit 5 has to be zero (RFC 2784 §2.3), in version 1 all of it
    /// (RFC 2637 §4.1).
    #[error("RFC 1701 Recursion Control {0}")]
    RecursionControl(u8),
    /// The GRE checksum does not fit (RFC 2784 §2.5).
    #[error("GRE checksum 0x{found:04x}, computed 0x{computed:04x}")]
    Checksum {
        /// The checksum that the packet bears.
        found: u16,
        /// The checksum that the octets of the packet give.
        computed: u16,
    },
    /// Version 1 with Checksum Present (RFC 2637 §4.1: set to zero).
    #[error("Checksum Present in a version 1 packet")]
    ChecksumInVersion1,
    /// Version 1 without Key Present (RFC 2637 §4.1: set to one).
    #[error("no Key in a version 1 packet")]
    KeyMissing,
    /// Version 1 with bits 9 to 12 not zero (RFC 2637 §4.1).
    #[error("flags 0x{0:x} in a version 1 packet")]
    Flags(u8),
    /// Version 1 with another Protocol Type than PPP (RFC 2637 §4.1).
    #[error("protocol {0} in a version 1 packet")]
    NotPpp(EtherType),
    /// Version 1 with a payload length that does not fit (RFC 2637 §4.1).
    #[error("payload length {stated}, {available} octets are there")]
    PayloadLength {
        /// The length in the key's high half.
        stated: u16,
        /// Octets after the header.
        available: usize,
    },
    /// Version 1 with a payload but no sequence number (RFC 2637 §4.1).
    #[error("payload of {0} octets without a sequence number")]
    PayloadWithoutSequence(u16),
    /// The first octet does not begin an IPv4 or IPv6 header.
    #[error("IP version {0}")]
    IpVersion(u8),
    /// An IPv4 header length below 20 octets.
    #[error("IPv4 header length {0}")]
    IpHeaderLength(u8),
    /// An IP length smaller than its own header, or larger than the bytes given.
    #[error("IP length {stated}, {available} octets are there")]
    IpLength {
        /// The length field, header included.
        stated: usize,
        /// Octets that were given.
        available: usize,
    },
    /// The IPv4 header checksum does not fit.
    #[error("IPv4 header checksum does not fit")]
    IpChecksum,
    /// The packet has more IPv6 extension headers than
    /// [`ip::MAX_EXTENSION_HEADERS`](crate::ip::MAX_EXTENSION_HEADERS).
    #[error("more than {0} IPv6 extension headers")]
    ExtensionHeaders(usize),
    /// The packet is a fragment: reassemble first.
    #[error("IP fragment")]
    Fragment,
    /// The delivery header carries another protocol than 47.
    #[error("IP protocol {0} instead of 47")]
    NotGre(u8),
    /// More GRE headers lie inside each other than allowed.
    #[error("GRE nested more than {0} deep")]
    Nesting(u8),
}

impl ParseErrorKind {
    pub(crate) const fn at(self, offset: usize) -> ParseError {
        ParseError { kind: self, offset }
    }
}

/// A packet that cannot be written. The buffer is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// There is less room before the payload than the headers need.
    #[error("{needed} octets of headroom needed, {available} are there")]
    Headroom {
        /// Octets the headers take.
        needed: usize,
        /// Octets before the payload.
        available: usize,
    },
    /// The payload offset is behind the end of the buffer.
    #[error("payload at {at} in a buffer of {len} octets")]
    PayloadOffset {
        /// The payload offset that the caller gave.
        at: usize,
        /// The length of the buffer, in octets.
        len: usize,
    },
    /// The packet is longer than its length field can say.
    #[error("{0} octets do not fit a 16-bit length")]
    TooLong(usize),
    /// The output buffer is too short.
    #[error("{needed} octets of output needed, {available} are there")]
    Output {
        /// Octets that the packet takes.
        needed: usize,
        /// Octets that the output has.
        available: usize,
    },
    /// The two addresses are of different families.
    #[error("IPv4 and IPv6 addresses in one header")]
    MixedFamilies,
    /// Version 1 with a payload but no sequence number (RFC 2637 §4.1).
    #[error("a payload needs a sequence number")]
    PayloadWithoutSequence,
}
