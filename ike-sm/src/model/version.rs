//! The two versions of IKE.

/// Version of IKE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IkeVersion {
    /// IKEv1: RFC 2409, for peers that speak nothing else: it is historic (RFC 9395).
    V1,
    /// IKEv2: RFC 7296.
    #[default]
    V2,
}

impl IkeVersion {
    /// Major version of the header.
    #[must_use]
    pub const fn major(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}

impl core::fmt::Display for IkeVersion {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "IKEv{}", self.major())
    }
}
