//! Why packets are refused.

use crate::ip::IpError;
use crate::lifetime::Limit;
use crate::outer::EcnDrop;
use crate::selector::Flow;

/// Why a packet was refused.
///
/// Up to and including [`Authentication`](Self::Authentication) nothing changed, neither window
/// nor packet. The later ones are the authenticated peer's doing: the sequence number is spent
/// and the buffer holds plaintext to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The packet is too short for header, IV, trailer and ICV.
    #[error("ESP packet of {len} octets, at least {needed} needed")]
    Truncated {
        /// Octets that were given.
        len: usize,
        /// Octets that the packet needs at least.
        needed: usize,
    },
    /// The packet bears the SPI of another SA.
    #[error("SPI {found:#010x} is not this SA's")]
    Spi {
        /// The SPI in the packet.
        found: u32,
    },
    /// The ciphertext is not a whole number of blocks.
    #[error("ciphertext of {len} octets is no multiple of {block}")]
    Block {
        /// Octets from the IV to the ICV.
        len: usize,
        /// Block length of the cipher, in octets.
        block: usize,
    },
    /// The outer packet is not sound IP, or holds something else than ESP.
    #[error("outer packet: {0}")]
    Outer(#[from] OuterError),
    /// A hard limit of the SA was reached.
    #[error("hard {0:?} limit reached")]
    Expired(Limit),
    /// The sequence number was seen before (or is 0, which is never sent).
    #[error("sequence number {sequence} was seen before")]
    Replayed {
        /// The sequence number, its inferred upper half included.
        sequence: u64,
    },
    /// The sequence number is left of the window.
    #[error("sequence number {sequence} is left of the window, whose newest is {top}")]
    TooOld {
        /// The sequence number, its inferred upper half included.
        sequence: u64,
        /// The newest sequence number received.
        top: u64,
    },
    /// The integrity check failed.
    #[error("integrity check failed")]
    Authentication,
    /// The pad length exceeds the packet.
    #[error("pad length {pad} with {available} octets before it")]
    PadLength {
        /// Octets of padding that the pad length field claims.
        pad: usize,
        /// Octets in front of the pad length field.
        available: usize,
    },
    /// The padding is not 1, 2, 3, … (RFC 4303 §2.4).
    #[error("padding octet {at} is {found}")]
    Padding {
        /// Position of the wrong octet, counted from 1.
        at: u8,
        /// The value of that octet.
        found: u8,
    },
    /// Tunnel mode holds neither IPv4 nor IPv6.
    #[error("next header {0} in tunnel mode")]
    NextHeader(u8),
    /// The next header and the version of the inner packet disagree.
    #[error("next header {next_header} before an IP version {version} packet")]
    InnerVersion {
        /// The next header of the ESP trailer.
        next_header: u8,
        /// The version in the inner packet's first octet.
        version: u8,
    },
    /// The inner packet is not sound IP.
    #[error("inner packet: {0}")]
    Inner(IpError),
    /// The inner packet does not match the SA's selectors (RFC 4301 §5.2).
    #[error("inner packet {0:?} violates the selectors")]
    Selectors(Flow),
    /// Transport mode with selectors, and the outer addresses were not given.
    #[error("outer addresses unknown, selectors cannot be checked")]
    AddressesUnknown,
    /// RFC 6040 §4.2 drops this combination.
    #[error(transparent)]
    Ecn(#[from] EcnDrop),
}

/// Why the packet around ESP was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OuterError {
    /// The outer packet is not sound IP.
    #[error(transparent)]
    Ip(#[from] IpError),
    /// The outer packet carries neither ESP nor UDP.
    #[error("protocol {0}")]
    Protocol(u8),
    /// A fragment: reassembly comes first (RFC 4303 §3.4.1).
    #[error("fragment")]
    Fragment,
    /// The UDP header's length contradicts the packet.
    #[error("UDP length {found} in a packet with {available} octets")]
    UdpLength {
        /// The length that the UDP header says.
        found: usize,
        /// Octets behind the IP header.
        available: usize,
    },
    /// UDP with something else than ESP inside.
    #[error("UDP payload is not ESP")]
    NotEsp,
}
