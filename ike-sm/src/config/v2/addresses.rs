//! Addresses inside the tunnel (RFC 7296 §2.19, §3.15; RFC 8598).

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::Prefix;

/// How addresses inside the tunnel are obtained (RFC 7296 §2.19).
///
/// As initiator, give the child all addresses as its `local` side, `0.0.0.0/0` for instance: it is
/// narrowed to the address that the peer assigns. As responder, give it the whole pool as its `remote`
/// side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressOptions {
    /// As initiator: what we ask for.
    pub request: AddressRequest,
    /// As responder: what becomes of a peer that asks.
    pub assign: Assign,
}

/// What an initiator asks for. DNS servers of the same families are asked for with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AddressRequest {
    /// An IPv4 address.
    pub ipv4: Wanted<Ipv4Addr>,
    /// An IPv6 address.
    pub ipv6: Wanted<Ipv6Addr>,
    /// Domains that are resolved inside the tunnel (RFC 8598).
    pub split_dns: bool,
}

impl AddressRequest {
    /// Whether anything is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ipv4 == Wanted::No && self.ipv6 == Wanted::No
    }
}

/// An address that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted<A> {
    /// None.
    #[default]
    No,
    /// Any.
    Any,
    /// This one, if it can be had: the one of an earlier SA.
    Rather(A),
}

/// Whether the peer gets an address inside the tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assign {
    /// Its request is ignored.
    #[default]
    Never,
    /// It has the address that [`Question::AssignAddress`](crate::Question::AssignAddress) gives it,
    /// and its side of each child is that address and nothing else. A peer that does not ask for one
    /// gets no child (FAILED_CP_REQUIRED, RFC 7296 §3.15.4).
    Required,
}

/// Addresses, DNS servers and networks inside the tunnel. Each list holds at most
/// [`Assignment::MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Address of the peer, IPv4.
    pub ipv4: Option<Ipv4Addr>,
    /// Address of the peer, IPv6, with the length of its prefix.
    pub ipv6: Option<(Ipv6Addr, u8)>,
    /// DNS servers.
    pub dns: Vec<IpAddr>,
    /// Domains to resolve there, A-labels without a dot at the end. Only with DNS servers.
    pub domains: Vec<String>,
    /// Networks that are reached through the tunnel: a hint, selectors decide.
    pub subnets: Vec<Prefix>,
}

impl Assignment {
    /// Longest list.
    pub const MAX: usize = 16;

    /// Whether a host of this address is meant.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(a) => self.ipv4 == Some(a),
            IpAddr::V6(a) => self.ipv6.is_some_and(|(own, _)| own == a),
        }
    }
}
