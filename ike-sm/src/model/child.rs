//! What belongs to a pair of IPsec SAs beside its algorithms.

use core::net::IpAddr;
use core::time::Duration;

use super::selector::Selector;

/// What the two ends looked like before the NAT, for checksum repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginalAddresses {
    /// The initiator's address as the peer that sent it knew it.
    pub initiator: IpAddr,
    /// The responder's address as the peer that sent it knew it.
    pub responder: IpAddr,
}

/// Limits of a pair of IPsec SAs, counted from its installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChildLifetime {
    /// Start a rekey after this time.
    pub soft: Option<Duration>,
    /// End after this time. Sending ends then ([`ChildUpdate::StopSending`] says so); a data path that
    /// looks at the clock itself leaves the inbound SA to [`Action::RemoveChild`], which comes within
    /// seconds, when the peer has heard of the end.
    pub hard: Option<Duration>,
    /// Start a rekey after this volume in either direction, bytes.
    pub soft_bytes: Option<u64>,
    /// End after this volume in either direction, bytes.
    pub hard_bytes: Option<u64>,
}

/// A route for the far side of a child (reverse route injection).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// What the far selector covers.
    pub destination: Selector,
    /// The peer that packets go to.
    pub via: IpAddr,
}
