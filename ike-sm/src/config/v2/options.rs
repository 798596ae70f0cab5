//! What a peer is told of IKEv2 alone.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::IkeProposal;
use crate::config::{Lifetime, Prefix};

/// Other addresses of an end that are told, or kept when they are more.
pub(crate) const MAX_ADDRESSES: usize = 16;

/// How IKEv2 is spoken with a peer; without meaning for a peer of IKEv1.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct V2Options {
    /// Acceptable ways to protect the IKE SA, best first. The first group of the first one is tried
    /// first.
    pub proposals: Vec<IkeProposal>,
    /// The longest life of an IKE SA. Never negotiated: each end rekeys on its own (RFC 7296
    /// §2.8). Only the time counts.
    pub lifetime: Lifetime,
    /// How long an authentication holds. As responder the peer is told (RFC 4478), has to authenticate
    /// anew before, and ends with its children if it does not; as initiator we authenticate anew in
    /// time, the new SA before the end of the old one.
    pub authentication_lifetime: Option<Duration>,
    /// Requests of the peer that are worked on at once (SET_WINDOW_SIZE): 1 to 16.
    pub window: u8,
    /// As responder, an IKE SA may come up without a child (RFC 6023).
    pub childless: bool,
    /// Octets of the longest message that is not split, IP and UDP headers not counted (RFC 7383);
    /// `None` splits none.
    pub fragment: Option<u16>,
    /// Quirk: the peer takes one selector of each side per Child SA. As responder no more are granted,
    /// and ADDITIONAL_TS_POSSIBLE says that others may be asked for; as initiator the children are to
    /// be configured so.
    pub one_ts_per_child: bool,
    /// The SA may move to other addresses (RFC 4555).
    pub mobike: bool,
    /// MOBIKE: our other addresses, up to 16, for the peer to know (RFC 4555 §3.4) and for us to go
    /// on from when the path in use is dead.
    pub additional_addresses: Vec<IpAddr>,
    /// MOBIKE, as responder: the peer's packets go to its new address only once it has answered from
    /// there (RFC 4555 §3.7).
    pub return_routability: bool,
    /// MOBIKE, as responder: where the peer may go; empty: anywhere.
    pub roaming: Vec<Prefix>,
    /// A member of a cluster may take the SA over and synchronise its counters (RFC 6311).
    pub counter_sync: bool,
    /// As initiator, go where the peer sends us (RFC 5685), if the peer may be there by its
    /// addresses and networks.
    pub follow_redirects: bool,
    /// As responder, send initiators that follow there instead of serving them.
    pub redirect_to: Option<IpAddr>,
    /// When that is done.
    pub redirect_when: RedirectWhen,
    /// How long an initiator that was sent elsewhere has to delete its SA here, before we do.
    pub redirect_time: Duration,
}

/// When a responder redirects (RFC 5685).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectWhen {
    /// Before it has spent anything: in IKE_SA_INIT, whoever asks.
    #[default]
    FirstMessage,
    /// In IKE_AUTH, once the initiator has proved that it is this peer.
    Authenticated,
}

impl Default for V2Options {
    /// The proposals of [`IkeProposal::defaults`], one day, a window of 1, messages of up to 1,232
    /// octets (what fits into an IPv6 packet of 1,280), childless SAs, MOBIKE, counter
    /// synchronisation and redirects allowed.
    fn default() -> Self {
        Self {
            proposals: IkeProposal::defaults(),
            lifetime: Lifetime::PHASE1,
            authentication_lifetime: None,
            window: 1,
            childless: true,
            fragment: Some(1232),
            one_ts_per_child: false,
            mobike: true,
            additional_addresses: Vec::new(),
            return_routability: true,
            roaming: Vec::new(),
            counter_sync: true,
            follow_redirects: true,
            redirect_to: None,
            redirect_when: RedirectWhen::FirstMessage,
            redirect_time: Duration::from_secs(60),
        }
    }
}
