//! Bounds on what a peer can make the decoders look at.

/// Bounds that every decoder keeps. The defaults fit every real peer with room to spare; one value
/// serves both versions.
///
/// All decoders are single forward passes, so these bound work as well as nesting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets of one message, header included. Default 65,535.
    pub message: usize,
    /// Payloads in one chain. Default 64.
    pub payloads: usize,
    /// Proposals in one SA payload. Default 32.
    pub proposals: usize,
    /// Transforms in one SA payload, over all of its proposals. Default 255.
    pub transforms: usize,
    /// Attributes in one transform or configuration payload. Default 16 for a transform, four
    /// times as many for a configuration payload.
    pub attributes: usize,
    /// Octets of one identity. Default 4,096.
    pub identity: usize,
    /// SPIs in one Delete payload. Default 256.
    pub spis: usize,
    /// Traffic selectors in one TS payload. Default 64.
    pub traffic_selectors: usize,
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        message: 65_535,
        payloads: 64,
        proposals: 32,
        transforms: 255,
        attributes: 16,
        identity: 4096,
        spis: 256,
        traffic_selectors: 64,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
