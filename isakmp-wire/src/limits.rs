//! Bounds on what a peer can make the decoders look at.

/// Bounds that every decoder keeps; one value serves both versions.
///
/// What repeats in a message is bounded by the octets of the message: a decoder is a single forward
/// pass and keeps nothing, so that it costs the same whether they hold ten payloads or ten thousand.
/// A caller that keeps what it finds decides how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of one message, header included. Default 65,535.
    pub message: usize,
    /// Payloads in one chain. Default 16,384, which is more than a message has room for: gateways send
    /// a certificate request for each of their authorities, and a notification for each address.
    pub payloads: usize,
    /// Proposals in one SA payload. Default 255: their number is one octet.
    pub proposals: usize,
    /// Transforms in one proposal. Default 255: their count is one octet (RFC 7296 §3.3.1).
    pub transforms: usize,
    /// Attributes in one transform or notification. Default 16. Those of a configuration payload are
    /// bounded by its octets.
    pub attributes: usize,
    /// Octets of one identity. Default 4,096.
    pub identity: usize,
    /// SPIs in one Delete payload. Default 256.
    pub spis: usize,
    /// Traffic selectors in one TS payload. Default 255: their count is one octet (RFC 7296 §3.13).
    pub traffic_selectors: usize,
}

impl Limits {
    /// The bounds that hold where a caller asks for none of its own.
    pub const DEFAULT: Self = Self {
        message: 65_535,
        payloads: 16_384,
        proposals: 255,
        transforms: 255,
        attributes: 16,
        identity: 4096,
        spis: 256,
        traffic_selectors: 255,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
