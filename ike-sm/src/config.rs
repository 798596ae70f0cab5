//! What an endpoint is told: peers, policies, keys, limits.
//!
//! All fields are plain data with usable defaults; [`Config::validate`] says what is wrong before
//! anything runs.

mod alike;
mod child;
mod error;
mod lifetime;
mod limits;
mod offload;
mod peer;
mod phase1;
mod ports;
mod prefix;
mod psk;
pub mod v2;
mod validate;

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::IpAddr;

use crypto_suite::{Provider, WeakAlgorithms};

pub use crate::model::{
    Authentication, DnError, IdPort, Identity, IkeVersion, MAX_IDENTITY, RemoteIdentity,
};
pub use alike::{Alike, AlikeReason};
pub use child::{ChildConfig, Pfs, ReverseRoute, SelectorMatch};
pub use error::{ConfigError, ConfigFault, Place};
pub use lifetime::{Lifetime, RekeyMargin, Schedule};
pub use limits::{EndpointLimits, GuessLimits, GuessRate};
pub use offload::Offload;
pub use peer::{Dpd, DpdTimes, NatTraversal, PeerConfig, Phase1Mode, Retransmit, Uniqueness};
pub use phase1::Phase1Policy;
pub use ports::Ports;
pub use prefix::Prefix;
pub use psk::{PskMatch, PskOwner, PskTable};

/// The configuration of an endpoint.
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// Peers. Which one a first message belongs to is decided by its version and source address
    /// first ([`peers_for`](Config::peers_for)), then by what it offers, and once the sender says who
    /// it is by that.
    pub peers: Vec<PeerConfig>,
    /// Phase 1 policies of the peers that have none of their own.
    pub policies: Vec<Phase1Policy>,
    /// Pre-shared keys; those that are not here are asked for.
    pub psks: PskTable,
    /// Weak algorithms that policies may use.
    pub weak: WeakAlgorithms,
    /// Our own UDP ports.
    pub ports: Ports,
    /// Bounds of the endpoint.
    pub limits: EndpointLimits,
    /// Bounds of one message.
    pub wire: isakmp_wire::Limits,
    /// Computations that are asked of the embedder.
    pub offload: Offload,
    /// Answer negotiations that others start.
    pub respond: bool,
    /// Ask before a child is granted to a peer.
    pub authorize_children: bool,
    /// Ask for SPIs in IKEv1; otherwise, and in IKEv2, the endpoint draws them.
    pub ask_spis: bool,
    /// Report what was compared and decided.
    pub explain: bool,
    /// Hand out keys for readers of captures. Whoever reads them reads the traffic.
    pub key_log: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            peers: Vec::new(),
            policies: alloc::vec![Phase1Policy::new(10)],
            psks: PskTable::new(),
            weak: WeakAlgorithms::NONE,
            ports: Ports::default(),
            limits: EndpointLimits::default(),
            wire: isakmp_wire::Limits::default(),
            offload: Offload::default(),
            respond: true,
            authorize_children: false,
            ask_spis: false,
            explain: true,
            key_log: false,
        }
    }
}

impl Config {
    /// The peer of this name, and its place in the list.
    #[must_use]
    pub fn peer(&self, name: &str) -> Option<(usize, &PeerConfig)> {
        self.peers.iter().enumerate().find(|(_, p)| p.name == name)
    }

    /// The peers that a first message of this version from `address` may be from, by their places in
    /// the list: the longest matching prefix first, equals in the order of the list.
    #[must_use]
    pub fn peers_for(&self, address: IpAddr, version: IkeVersion) -> Vec<usize> {
        let spoken = self.peers.iter().enumerate();
        let spoken = spoken.filter(|(_, peer)| peer.version == version);
        let covering = spoken.filter_map(|(index, peer)| Some((peer.covers(address)?, index)));
        let mut found: Vec<(u8, usize)> = covering.collect();
        found.sort_by_key(|(len, _)| Reverse(*len));
        found.into_iter().map(|(_, index)| index).collect()
    }

    /// Of these peers those that match `identity` best, in the same order: those that must have this
    /// identity; if there are none, those that are known by their address; else those that may be anybody.
    #[must_use]
    pub fn by_identity(
        &self,
        candidates: &[usize],
        identity: &Identity,
        address: IpAddr,
    ) -> Vec<usize> {
        let fits = |index: &usize| {
            let peer = self.peers.get(*index)?;
            let rank = match &peer.remote_id {
                RemoteIdentity::Is(_) => 0,
                RemoteIdentity::Address => 1,
                RemoteIdentity::Any => 2,
            };
            peer.may_be(identity, address).then_some((rank, *index))
        };
        let found: Vec<(u8, usize)> = candidates.iter().filter_map(fits).collect();
        let best = found.iter().map(|(rank, _)| *rank).min();
        let best = found.into_iter().filter(|(rank, _)| Some(*rank) == best);
        best.map(|(_, index)| index).collect()
    }

    /// The phase 1 policies that hold for `peer`, by priority.
    #[must_use]
    pub fn policies_for(&self, peer: &PeerConfig) -> Vec<Phase1Policy> {
        let own = if peer.policies.is_empty() {
            &self.policies
        } else {
            &peer.policies
        };
        let mut list = own.clone();
        list.sort_by_key(|p| p.priority);
        list
    }

    /// Checks everything against itself and against what `provider` can do.
    ///
    /// # Errors
    /// The first fault, with the place and the field it is in.
    pub fn validate(&self, provider: &Provider) -> Result<(), ConfigError> {
        validate::config(self, provider)
    }
}

#[cfg(test)]
#[cfg(feature = "v1")]
mod tests;
