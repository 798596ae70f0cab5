//! Where a datagram came from and where it goes.

use core::fmt;
use core::net::SocketAddr;

/// The two ends of a UDP flow that carries IKE, and whether the flow is the NAT-traversal one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Our address and port: the one that the datagram came to, never the wildcard that a socket may be
    /// bound to. It is what a peer without a [`local_id`](crate::config::PeerConfig::local_id) of its
    /// own is told that we are, and what NAT detection hashes.
    pub local: SocketAddr,
    /// The peer's address and port, as we see them.
    pub remote: SocketAddr,
    /// Whether each IKE message on this flow follows a non-ESP marker (RFC 3948 §2.2): port 4500.
    pub natt: bool,
}

impl Path {
    /// A flow on port 500: no marker.
    #[must_use]
    pub const fn plain(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            local,
            remote,
            natt: false,
        }
    }

    /// A flow on port 4500: each IKE message follows the marker.
    #[must_use]
    pub const fn nat_traversal(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            local,
            remote,
            natt: true,
        }
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} - {}", self.local, self.remote)?;
        if self.natt {
            f.write_str(" (NAT-T)")?;
        }
        Ok(())
    }
}
