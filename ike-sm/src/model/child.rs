//! What belongs to a pair of IPsec SAs beside its algorithms.

use core::net::IpAddr;
use core::time::Duration;

use crypto_suite::GroupId;

use super::path::Path;
use super::selector::{Selector, Selectors};
use super::suite::{ChildSuite, Mode};

/// What both ends have agreed on for a pair of IPsec SAs, and where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildTerms {
    /// The SPI on packets to us.
    pub spi_in: u32,
    /// The SPI on packets to the peer.
    pub spi_out: u32,
    /// Algorithms; also says whether it is ESP or AH.
    pub suite: ChildSuite,
    /// Tunnel or transport.
    pub mode: Mode,
    /// ESP in UDP (RFC 3948) between the ends of `path`, instead of IP protocol 50.
    pub udp_encapsulation: bool,
    /// The outer addresses; the ports matter under UDP encapsulation only.
    pub path: Path,
    /// What our side protects.
    pub local: Selectors,
    /// What the peer's side protects.
    pub remote: Selectors,
    /// Extended sequence numbers (RFC 4304).
    pub esn: bool,
    /// The group of its own key exchange (perfect forward secrecy); `None` without one.
    pub pfs: Option<GroupId>,
    /// Original addresses for transport mode behind NAT (RFC 3947 §5.2), where the peer told them.
    pub original_addresses: Option<OriginalAddresses>,
}

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
    /// End after this time. Sending ends then
    /// ([`ChildUpdate::StopSending`](crate::ChildUpdate::StopSending) says so); a data path that looks
    /// at the clock itself leaves the inbound SA to [`Action::RemoveChild`](crate::Action::RemoveChild),
    /// which comes within seconds, when the peer has heard of the end.
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
