//! What protects packets, and how the ends of an ISAKMP SA prove who they are.

use core::fmt;

use crypto_suite::{IntegrityId, ProtectionId};

/// ESP or AH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpsecProtocol {
    /// Encapsulating Security Payload, RFC 4303.
    Esp,
    /// Authentication Header, RFC 4302.
    Ah,
}

/// The algorithms of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChildSuite {
    /// ESP with this protection.
    Esp(ProtectionId),
    /// AH with this integrity algorithm.
    Ah(IntegrityId),
}

impl ChildSuite {
    /// Which protocol carries it.
    #[must_use]
    pub const fn protocol(self) -> IpsecProtocol {
        match self {
            Self::Esp(_) => IpsecProtocol::Esp,
            Self::Ah(_) => IpsecProtocol::Ah,
        }
    }

    /// Bytes of keying material per direction.
    #[must_use]
    pub const fn key_material_len(self) -> usize {
        match self {
            Self::Esp(id) => id.enc_key_len().saturating_add(id.integ_key_len()),
            Self::Ah(id) => id.key_len(),
        }
    }
}

impl fmt::Display for ChildSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Esp(id) => write!(f, "ESP {id}"),
            Self::Ah(id) => write!(f, "AH {id}"),
        }
    }
}

/// How packets are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Mode {
    /// A whole IP packet inside (RFC 4301 §3.2).
    #[default]
    Tunnel,
    /// The payload of the packet's own IP header.
    Transport,
}

/// How the ends of an ISAKMP SA prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Authentication {
    /// A pre-shared key (RFC 2409 §5.4).
    #[default]
    PreSharedKey,
    /// RSA signatures (RFC 2409 §5.1).
    RsaSignature,
    /// ECDSA with SHA-256 on P-256 (RFC 4754).
    EcdsaP256,
    /// ECDSA with SHA-384 on P-384 (RFC 4754).
    EcdsaP384,
    /// ECDSA with SHA-512 on P-521 (RFC 4754).
    EcdsaP521,
}
