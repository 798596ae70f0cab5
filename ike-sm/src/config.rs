//! What an endpoint is told: peers, policies, keys, limits.
//!
//! All fields are plain data with usable defaults; [`Config::validate`] says what is wrong before
//! anything runs.

mod child;
mod error;
mod identity;
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
use core::net::IpAddr;

use crypto_suite::{Provider, WeakAlgorithms};

pub use child::{ChildConfig, Pfs, ReverseRoute, SelectorMatch};
pub use error::{ConfigError, ConfigFault, Place};
pub use identity::{DnError, IdPort, Identity, MAX_IDENTITY, RemoteIdentity};
pub use lifetime::{Lifetime, RekeyMargin, Schedule};
pub use limits::EndpointLimits;
pub use offload::Offload;
pub use peer::{Dpd, DpdTimes, IkeVersion, NatTraversal, PeerConfig, Phase1Mode, Retransmit};
pub use phase1::{Authentication, Phase1Policy};
pub use ports::Ports;
pub use prefix::Prefix;
pub use psk::{PskMatch, PskOwner, PskTable};

/// The configuration of an endpoint.
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// Peers. Which one a first message belongs to is decided by the longest match of its source
    /// address.
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

    /// The peer that a first message from `address` belongs to, and its place in the list: the
    /// longest matching prefix, among equals the first.
    #[must_use]
    pub fn peer_for(&self, address: IpAddr) -> Option<(usize, &PeerConfig)> {
        self.longest(address, |_| true)
    }

    fn longest(
        &self,
        address: IpAddr,
        fits: impl Fn(&PeerConfig) -> bool,
    ) -> Option<(usize, &PeerConfig)> {
        let mut best: Option<(u8, usize, &PeerConfig)> = None;
        for (index, peer) in self.peers.iter().enumerate().filter(|(_, p)| fits(p)) {
            if let Some(len) = peer.covers(address)
                && best.is_none_or(|(longest, ..)| len > longest)
            {
                best = Some((len, index, peer));
            }
        }
        best.map(|(_, index, peer)| (index, peer))
    }

    /// The peer that an aggressive mode from `address` belongs to, whose initiator says that it is
    /// `identity`: of the peers that this mode is switched on for, and that may be this identity,
    /// the one with the longest matching prefix.
    #[must_use]
    pub fn aggressive_peer_for(
        &self,
        address: IpAddr,
        identity: &Identity,
    ) -> Option<(usize, &PeerConfig)> {
        self.longest(address, |peer| {
            peer.mode == Phase1Mode::AggressiveExposingPskHash && peer.may_be(identity, address)
        })
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
mod tests;
