//! What an algorithm refuses, and why.

use thiserror::Error;

/// Why an operation was refused. Carries lengths at most, never secret bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The key or keying material has the wrong length (bytes).
    #[error("key of {actual} bytes, {expected} expected")]
    KeyLength {
        /// Length that the algorithm takes.
        expected: usize,
        /// Length that was given.
        actual: usize,
    },
    /// A weak, semi-weak or degenerate DES or Triple-DES key (RFC 2405 §8, RFC 2451 §2.3).
    #[error("weak key")]
    WeakKey,
    /// The initialization vector has the wrong length (bytes).
    #[error("IV of {actual} bytes, {expected} expected")]
    IvLength {
        /// Length that the cipher takes.
        expected: usize,
        /// Length that was given.
        actual: usize,
    },
    /// The data is not a whole number of cipher blocks.
    #[error("{len} bytes are no multiple of the {block}-byte block")]
    NotBlockAligned {
        /// Length of the data, bytes.
        len: usize,
        /// The block length of the cipher, in bytes.
        block: usize,
    },
    /// The packet cannot hold its associated data, IV and ICV.
    #[error("packet of {actual} bytes, at least {needed} needed")]
    PacketTooShort {
        /// Smallest length that this key and layout allow.
        needed: usize,
        /// Length that was given.
        actual: usize,
    },
    /// The packet is longer than the algorithm can protect under one IV.
    #[error("packet of {actual} bytes is too long")]
    PacketTooLong {
        /// Length that was given.
        actual: usize,
    },
    /// An extended sequence number goes between SPI and sequence number: with one, the
    /// associated data of an AEAD is 8 bytes long.
    #[error("associated data of {actual} bytes does not fit the layout")]
    AssociatedData {
        /// Length that was given.
        actual: usize,
    },
    /// The integrity check failed: packet altered, or other key.
    #[error("integrity check failed")]
    IntegrityFailed,
    /// The peer's public value has the wrong length for the group (bytes).
    #[error("public value of {actual} bytes, {expected} expected")]
    PublicValueLength {
        /// Length that the group fixes.
        expected: usize,
        /// Length that was given.
        actual: usize,
    },
    /// The peer's public value is no acceptable element of the group.
    #[error("public value refused")]
    PublicValueInvalid,
    /// The key exchange came out as zero: the peer chose a point of low order.
    #[error("shared secret refused")]
    SharedSecretInvalid,
    /// A private or public key does not decode, or its size is refused.
    #[error("key refused")]
    KeyInvalid,
    /// The signature does not verify.
    #[error("signature does not verify")]
    SignatureInvalid,
}
