//! Whose addresses are whose: no peer gets a child for packets that another peer's child carries,
//! unless the configuration says so.
//!
//! RFC 4301 §4.4.3.4 binds the addresses that a peer may assert to who it is; RFC 3948 §5.1 warns of
//! two peers with one inner address and says: "Implementors MUST devise ways of preventing this from
//! occurring". What is in question is looked up in two indexes by prefix, of our sides and of the
//! peers' sides, so that it costs the same with any number of children.

use alloc::boxed::Box;
use alloc::string::String;

use super::{Child, Children};
use crate::config::{ChildConfig, Config};
use crate::context::Context;
use crate::core::effects::Effect;
use crate::event::{SelectorsTaken, What};
use crate::model::{DropReason, Identity, IkeId, RemoteIdentity, Selector, Selectors};

/// A child that a peer is about to get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) ike: IkeId,
    /// The peer's place in the configuration.
    pub(crate) peer: usize,
    /// The child's place in its peer's configuration.
    pub(crate) config: usize,
    /// Who the peer has proved to be.
    pub(crate) identity: &'a Identity,
    pub(crate) local: &'a Selectors,
    pub(crate) remote: &'a Selectors,
}

/// Refuses a claim to packets that the child of another peer carries, says whose they are, and asks that
/// one whether it is still there.
pub(crate) fn refuse_overlap(ctx: &mut Context<'_>, claim: &Claim<'_>) -> Result<(), DropReason> {
    let config = ctx.config;
    let Some(holder) = ctx.world.children.in_the_way(config, claim) else {
        return Ok(());
    };
    let name = |peer: usize, child: usize| {
        let peer = config.peers.get(peer);
        let child = peer.and_then(|p| p.children.get(child));
        let peer = peer.map(|p| p.name.clone()).unwrap_or_default();
        (peer, child.map(|c| c.name.clone()).unwrap_or_default())
    };
    let (holder_peer, holder_child): (String, String) = name(holder.peer, holder.config);
    let record = SelectorsTaken {
        child: name(claim.peer, claim.config).1,
        remote: claim.remote.clone(),
        holder: (*holder.remote_id).clone(),
        holder_peer,
        holder_child,
        holder_remote: holder.terms.remote.clone(),
    };
    let (ike, device) = (holder.ike, holder.device);
    ctx.note(Some(claim.ike), What::SelectorsTaken(Box::new(record)));
    // Who holds them may have gone without a word: the next claim finds them free then.
    let standing = &ctx.world.standing;
    let serves = Some(ike).filter(|ike| standing.contains(*ike));
    if let Some(ike) = serves.or_else(|| standing.serving(device)) {
        ctx.effect(Effect::AskForLife(ike));
    }
    Err(DropReason::SelectorsTaken)
}

impl Children {
    /// A child of another peer that carries packets which the claim is for.
    fn in_the_way(&self, config: &Config, claim: &Claim<'_>) -> Option<&Child> {
        let own = configured(config, claim.peer, claim.config)?;
        let conflicts = |child: &Child| {
            child.is_current()
                && !same_peer(config, claim, child)
                && overlap(claim, child)
                && !nested(config, own, claim, child)
        };
        // Who shares its own shares it with all who share theirs.
        let exclusive = self.exclusive.candidates(claim.local, claim.remote);
        let shared = self.shared.candidates(claim.local, claim.remote);
        let shared = shared.filter(|_| !own.shared);
        let mut all = exclusive.chain(shared).filter_map(|id| self.get(id));
        all.find(|child| conflicts(child))
    }
}

fn configured(config: &Config, peer: usize, child: usize) -> Option<&ChildConfig> {
    config.peers.get(peer)?.children.get(child)
}

/// Whether both are of one peer: of one identity, or of one device that is known by its addresses.
fn same_peer(config: &Config, claim: &Claim<'_>, child: &Child) -> bool {
    if *claim.identity == *child.remote_id {
        return true;
    }
    let (Identity::Address(now), Identity::Address(before)) = (claim.identity, &*child.remote_id)
    else {
        return false;
    };
    let Some(peer) = config
        .peers
        .get(claim.peer)
        .filter(|_| claim.peer == child.peer)
    else {
        return false;
    };
    let by_address = peer.remote_id == RemoteIdentity::Address;
    let listed = [now, before].iter().all(|a| peer.addresses.contains(a));
    // It may have moved there before it called anew (RFC 4555).
    let moved = child.terms.path.remote.ip() == *now;
    by_address && listed || moved
}

/// Whether there is a packet for both.
fn overlap(claim: &Claim<'_>, child: &Child) -> bool {
    let common = |a: &Selectors, b: &Selectors, v4: bool| {
        let mut ours = a.iter().filter(|a| a.start().is_ipv4() == v4);
        ours.any(|a| b.iter().any(|b| a.intersect(b).is_some()))
    };
    [true, false].into_iter().any(|v4| {
        common(claim.remote, &child.terms.remote, v4) && common(claim.local, &child.terms.local, v4)
    })
}

/// Whether the configuration itself has put the one into the other: a narrow child whose far side its
/// own configuration names, whole, within that of a wide child. Packets of both are the narrow one's:
/// where selectors of the two meet, those of the wide child have more addresses. A peer that chooses
/// its own selectors within a wide configuration cannot name the narrow one's among them.
fn nested(config: &Config, own: &ChildConfig, claim: &Claim<'_>, child: &Child) -> bool {
    let Some(other) = configured(config, child.peer, child.config) else {
        return false;
    };
    let within = |inner: &Selectors, whole: &Selectors, outer: &Selectors| {
        let narrower = |inner: &Selector| {
            let mut meets = outer.iter().filter(|o| o.intersect(inner).is_some());
            meets.all(|o| {
                let larger = o.start() < inner.start() || inner.end() < o.end();
                o.contains(inner) && larger
            })
        };
        inner == whole && outer.contains(inner) && inner.iter().all(narrower)
    };
    (claim.peer, claim.config) != (child.peer, child.config)
        && (within(claim.remote, &own.remote, &child.terms.remote)
            || within(&child.terms.remote, &other.remote, claim.remote))
}
