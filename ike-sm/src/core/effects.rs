//! What one session's progress means to the others.

use core::net::IpAddr;

use crate::model::{ChildId, CloseReason, IkeId};

/// What has a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKey {
    /// An IKE SA.
    Ike(IkeId),
    /// A pair of IPsec SAs.
    Child(ChildId),
    /// A configured peer, by its place in the configuration.
    Peer(usize),
}

/// What one session's progress means to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The responder's cookie is known now.
    CookiesKnown(IkeId),
    /// A responder has proved nothing, but has shown that it gets our answers.
    AddressProved(IkeId),
    /// The peer has moved to another address.
    Moved(IkeId),
    /// Phase 1 is done.
    Established(IkeId),
    /// The peer has shown that it has this SA of ours, whose last message nobody answers.
    Confirmed(IkeId),
    /// The peer of this SA has lost all older ones (RFC 2407 §4.6.3.3).
    InitialContact(IkeId),
    /// The SA has come to its end.
    Closed(IkeId, CloseReason),
    /// The SA has lost against another; the peer deletes it.
    Retire(IkeId),
    /// The SA should be replaced now.
    RekeyIke(IkeId),
    /// The first pair of IPsec SAs of an IKE SA is there.
    FirstChild(ChildId),
    /// A peer may have forgotten this SA: ask it for a sign of life.
    AskForLife(IkeId),
    /// A pair of IPsec SAs carries traffic now.
    ChildActive(ChildId),
    /// A pair of IPsec SAs should be replaced now.
    RekeyChild(ChildId),
    /// A pair of IPsec SAs ends: tell the peer, then remove it.
    DeleteChild(ChildId, CloseReason),
    /// The time of a pair of IPsec SAs is over.
    ExpireChild(ChildId),
    /// A pair of IPsec SAs is gone at the peer already: remove it.
    RemoveChild(ChildId, CloseReason),
    /// The peer no longer answers on this SA.
    PeerDead(IkeId),
    /// The peers have to authenticate anew.
    Reauthenticate(IkeId),
    /// There are new IKE SAs that rekeys of this one have brought forth.
    Born(IkeId),
    /// The second SA takes the place of the first, children and all.
    Adopt(IkeId, IkeId),
    /// An IKE SA ends: tell the peer, then remove it.
    DeleteIke(IkeId, CloseReason),
    /// An IKE SA is over at the peer already; what was noted before comes first.
    EndIke(IkeId, CloseReason),
    /// The negotiation of a new child of a peer, by its place in the configuration, has led to none.
    NotUp(usize, usize, CloseReason),
    /// The peer is too busy for a new child.
    Busy(usize, usize),
    /// What is wanted of a peer goes on.
    Pursue(usize),
    /// The peer of this SA sends us to another gateway.
    Redirected(IkeId, IpAddr),
}
