//! Peers that a responder can never tell apart.

use alloc::vec::Vec;
use core::mem::discriminant;

use super::{Config, PeerConfig, Phase1Mode};
use crate::model::{Authentication, IkeVersion};

/// Two peers of one configuration that nothing tells apart: who may be both is always taken for the
/// first. See [`Config::alike`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alike {
    /// The place of the first one in the list of peers.
    pub first: usize,
    /// The place of the other one, which is never chosen.
    pub second: usize,
    /// Why not.
    pub why: AlikeReason,
}

/// Why a peer is never chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AlikeReason {
    /// Both may be the same identity.
    #[error("both have the same version, addresses, policies and remote identity")]
    Identity,
    /// Main mode needs the pre-shared key before the identity arrives (RFC 2409 §5.4), and the keys
    /// of the two are different.
    #[error("main mode needs the pre-shared key before the identity arrives, and theirs differ")]
    Key,
}

impl Config {
    /// Peers that an initiator is never taken for, because an earlier one of the same version at the
    /// same addresses fits whenever they do. As initiators we tell them apart all the same.
    #[must_use]
    pub fn alike(&self) -> Vec<Alike> {
        let pair = |(second, later): (usize, &PeerConfig)| {
            let mut earlier = self.peers.iter().take(second).enumerate();
            earlier.find_map(|(first, peer)| {
                let why = self.never_apart(peer, later)?;
                Some(Alike { first, second, why })
            })
        };
        self.peers.iter().enumerate().filter_map(pair).collect()
    }

    fn never_apart(&self, a: &PeerConfig, b: &PeerConfig) -> Option<AlikeReason> {
        // Of networks within each other the longer prefix decides.
        let address = a.addresses.iter().any(|x| b.addresses.contains(x));
        let network = a.networks.iter().any(|x| b.networks.contains(x));
        if a.version != b.version || !(address || network) {
            return None;
        }
        let same_id = a.remote_id == b.remote_id;
        if a.version == IkeVersion::V2 {
            let same = same_id
                && a.v2.proposals == b.v2.proposals
                && a.local_id == b.local_id
                && discriminant(&a.auth.remote) == discriminant(&b.auth.remote);
            return same.then_some(AlikeReason::Identity);
        }
        if self.policies_for(a) != self.policies_for(b) {
            return None;
        }
        if same_id {
            return Some(AlikeReason::Identity);
        }
        let psk = |p: &PeerConfig| {
            let policies = self.policies_for(p);
            let mut methods = policies.iter().map(|policy| policy.authentication);
            p.mode == Phase1Mode::Main && methods.any(|m| m == Authentication::PreSharedKey)
        };
        (psk(a) && psk(b) && self.keys_differ(a, b)).then_some(AlikeReason::Key)
    }

    /// Whether main mode from an address of both would use different keys.
    fn keys_differ(&self, a: &PeerConfig, b: &PeerConfig) -> bool {
        let address = a.addresses.iter().find(|x| b.addresses.contains(x));
        let network = a.networks.iter().find(|x| b.networks.contains(x));
        let Some(address) = address.copied().or(network.map(super::Prefix::address)) else {
            return false;
        };
        let key = |peer: &PeerConfig| {
            let found = self.psks.find(address, peer.remote_id.named());
            found.map(|found| found.key)
        };
        key(a) != key(b)
    }
}
