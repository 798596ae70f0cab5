//! What is wrong with a configuration, and where.

use alloc::string::String;
use core::fmt;

use crypto_suite::WeakAlgorithm;

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// The field, in the words of the struct.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: ConfigFault,
}

/// The part of a configuration that an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The configuration as a whole.
    Global,
    /// One of its common phase 1 policies.
    Policy {
        /// The policy's priority.
        priority: u16,
    },
    /// A peer.
    Peer {
        /// The peer's name.
        peer: String,
    },
    /// A phase 1 policy of a peer.
    PeerPolicy {
        /// The peer's name.
        peer: String,
        /// The policy's priority.
        priority: u16,
    },
    /// A child of a peer.
    Child {
        /// The peer's name.
        peer: String,
        /// The child's name.
        child: String,
    },
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFault {
    /// Something is required here.
    #[error("missing")]
    Missing,
    /// The value is there twice.
    #[error("`{0}` is there twice")]
    Duplicate(String),
    /// The crypto provider does not have the algorithm.
    #[error("{0} is not available")]
    Unavailable(String),
    /// A weak algorithm is used that the configuration does not permit by name.
    #[error("{0} is weak and has to be permitted by name")]
    Weak(WeakAlgorithm),
    /// The value is out of range.
    #[error("{value} is out of range ({expected})")]
    Range {
        /// The value.
        value: u64,
        /// What would do.
        expected: &'static str,
    },
    /// The value cannot be said in this version of IKE.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The two ends of a selector pair are of different address families.
    #[error("IPv4 and IPv6 are mixed")]
    MixedFamilies,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Global => {}
            Place::Policy { priority } => write!(f, "policy {priority}: ")?,
            Place::Peer { peer } => write!(f, "peer `{peer}`: ")?,
            Place::PeerPolicy { peer, priority } => {
                write!(f, "peer `{peer}`, policy {priority}: ")?;
            }
            Place::Child { peer, child } => write!(f, "peer `{peer}`, child `{child}`: ")?,
        }
        write!(f, "{}: {}", self.field, self.fault)
    }
}

impl core::error::Error for ConfigError {}
