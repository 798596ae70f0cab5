//! Child SAs: what `crypto map` and `crypto ipsec transform-set` say in the field.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::{CipherId, GroupId, IntegrityId, ProtectionId};

use super::lifetime::{Lifetime, RekeyMargin};
use super::v2::AdditionalKeyExchange;
use crate::model::{ChildSuite, Mode, Selectors};

/// Perfect forward secrecy of child SAs: an own Diffie-Hellman exchange in quick mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pfs {
    /// Not offered; an offer with a group is refused.
    Off,
    /// Not offered; an offer with a group that the provider has, and that is not a weak one
    /// nobody named, is accepted.
    #[default]
    AcceptIfOffered,
    /// Offered with this group, and refused without it.
    Required(GroupId),
}

/// How the selectors of a responder compare to what the initiator asks for.
///
/// Of several children that a request fits, and whose transforms it offers, the one with exactly its
/// selectors is granted; without one that, of those that have all of it, which is the narrowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectorMatch {
    /// As the version of IKE has it: exact in IKEv1, where nothing can be narrowed; in IKEv2 what the
    /// request and the configuration have in common (RFC 7296 §2.9).
    #[default]
    Usual,
    /// Both sides are exactly the configured ones. In IKEv2 a request for more or for less is refused
    /// instead of narrowed.
    Exact,
    /// IKEv1: each proxy identity lies within the configured one, for peers whose inside networks are
    /// known only from their quick mode. IKEv2 narrows.
    Within,
}

/// Routes that follow the SAs of a child (reverse route injection).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReverseRoute {
    /// None.
    #[default]
    Off,
    /// The remote network is routed to the peer while a child SA stands.
    WithSa,
    /// The same, and a host route to the peer itself.
    WithSaAndPeer,
}

/// One child SA that may stand between us and a peer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChildConfig {
    /// Name, unique within the peer.
    pub name: String,
    /// Our side of the traffic. IKEv1 has one selector of each side.
    pub local: Selectors,
    /// The peer's side of the traffic.
    pub remote: Selectors,
    /// How a responder compares its selectors with those of a request.
    pub selector_match: SelectorMatch,
    /// Other peers may have a child for the same packets, if theirs is shared too: which of them
    /// carries a packet is the embedder's choice. Without it the child of one peer keeps those of
    /// others from its packets, and nobody takes them over (RFC 4301 §4.4.3.4, RFC 3948 §5.1). What
    /// the configuration itself nests is no conflict: a child whose far side is named whole within
    /// that of a wider one has its packets, and the wider one the rest.
    pub shared: bool,
    /// Tunnel or transport.
    pub mode: Mode,
    /// Acceptable protections, best first: the transform sets.
    pub suites: Vec<ChildSuite>,
    /// Perfect forward secrecy.
    pub pfs: Pfs,
    /// IKEv2: key exchanges that follow that of PFS, at most 7, in order (RFC 9370 §2.2.4). Offered
    /// with a required group; where PFS is as the peer likes, these are too.
    pub additional: Vec<AdditionalKeyExchange>,
    /// Offered, and the most that is granted.
    pub lifetime: Lifetime,
    /// When to rekey.
    pub margin: RekeyMargin,
    /// Delete the child SA after this long without traffic.
    pub idle_timeout: Option<Duration>,
    /// Offer extended sequence numbers (RFC 4304) and accept them.
    pub esn: bool,
    /// Routes to report while the SA stands.
    pub reverse_route: ReverseRoute,
}

impl ChildConfig {
    /// Between two networks: tunnel mode, AES-256-CBC with HMAC-SHA-256, one hour or
    /// 4608000 kB, PFS as the peer likes.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        local: impl Into<Selectors>,
        remote: impl Into<Selectors>,
    ) -> Self {
        Self {
            name: name.into(),
            local: local.into(),
            remote: remote.into(),
            selector_match: SelectorMatch::Usual,
            shared: false,
            mode: Mode::Tunnel,
            suites: alloc::vec![ChildSuite::Esp(ProtectionId::CbcHmac(
                CipherId::Aes256Cbc,
                IntegrityId::HmacSha256_128,
            ))],
            pfs: Pfs::AcceptIfOffered,
            additional: Vec::new(),
            lifetime: Lifetime::PHASE2,
            margin: RekeyMargin::default(),
            idle_timeout: None,
            esn: false,
            reverse_route: ReverseRoute::Off,
        }
    }
}
