//! The IKE SAs after phase 1, as the others see them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::net::IpAddr;
use core::time::Duration;

use crate::config::Identity;
use crate::id::IkeId;
use crate::multimap::{Multimap, Owner};

/// An IKE SA after phase 1.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// The peer's place in the configuration.
    pub(crate) peer: usize,
    pub(crate) remote_id: Arc<Identity>,
    pub(crate) since: Duration,
    /// Whether we started it.
    pub(crate) initiator: bool,
    /// Another one has taken over.
    pub(crate) replaced: bool,
    /// Where its peer is told of SPIs that nobody has: in IKEv1 alone, deletions of IKEv2 are
    /// acknowledged.
    pub(crate) healed_at: Option<IpAddr>,
    /// When the peer was last told of an SPI that nobody has.
    pub(crate) told_spi: Option<Duration>,
}

impl Standing {
    fn owner(&self) -> Owner {
        (self.peer, Some(Arc::clone(&self.remote_id)))
    }
}

/// All of them. The indexes follow the table: nothing else changes either.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    /// Boxed: the nodes of the tree are half empty.
    table: BTreeMap<IkeId, Box<Standing>>,
    by_owner: Multimap<Owner, IkeId>,
    /// Those that no other has replaced, by the peer's place in the configuration.
    current: Multimap<usize, (Duration, IkeId)>,
    /// The same by [`Standing::healed_at`].
    healed: Multimap<IpAddr, (Duration, IkeId)>,
}

impl Standings {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn contains(&self, ike: IkeId) -> bool {
        self.table.contains_key(&ike)
    }

    pub(crate) fn get(&self, ike: IkeId) -> Option<&Standing> {
        self.table.get(&ike).map(|standing| &**standing)
    }

    pub(crate) fn insert(&mut self, ike: IkeId, standing: Standing) {
        self.remove(ike);
        self.by_owner.insert(standing.owner(), ike);
        self.index(ike, &standing);
        self.table.insert(ike, Box::new(standing));
    }

    pub(crate) fn remove(&mut self, ike: IkeId) -> Option<Standing> {
        let standing = *self.table.remove(&ike)?;
        self.by_owner.remove(standing.owner(), ike);
        self.unindex(ike, &standing);
        Some(standing)
    }

    fn index(&mut self, ike: IkeId, standing: &Standing) {
        if standing.replaced {
            return;
        }
        self.current.insert(standing.peer, (standing.since, ike));
        if let Some(address) = standing.healed_at {
            self.healed.insert(address, (standing.since, ike));
        }
    }

    fn unindex(&mut self, ike: IkeId, standing: &Standing) {
        self.current.remove(standing.peer, (standing.since, ike));
        if let Some(address) = standing.healed_at {
            self.healed.remove(address, (standing.since, ike));
        }
    }

    fn change(&mut self, ike: IkeId, change: impl FnOnce(&mut Standing)) {
        let Some(mut standing) = self.table.remove(&ike) else {
            return;
        };
        self.unindex(ike, &standing);
        change(&mut standing);
        self.index(ike, &standing);
        self.table.insert(ike, standing);
    }

    /// Another SA has taken over, or that one is gone again.
    pub(crate) fn set_replaced(&mut self, ike: IkeId, replaced: bool) {
        self.change(ike, |standing| standing.replaced = replaced);
    }

    /// The peer is at another address.
    pub(crate) fn moved(&mut self, ike: IkeId, to: IpAddr) {
        self.change(ike, |standing| {
            standing.healed_at = standing.healed_at.map(|_| to);
        });
    }

    /// The peer is being told of an SPI that nobody has.
    pub(crate) fn told_spi(&mut self, ike: IkeId, now: Duration) {
        if let Some(standing) = self.table.get_mut(&ike) {
            standing.told_spi = Some(now);
        }
    }

    /// The SAs of a peer, replaced ones included, oldest handle first.
    pub(crate) fn of<'a>(
        &'a self,
        peer: usize,
        remote_id: &Arc<Identity>,
    ) -> impl DoubleEndedIterator<Item = (IkeId, &'a Standing)> + use<'a> {
        let owner = (peer, Some(Arc::clone(remote_id)));
        let ids = self.by_owner.of(owner);
        ids.filter_map(|ike| Some((ike, self.get(ike)?)))
    }

    /// The SAs of a peer that others have replaced, oldest handle first.
    pub(crate) fn replaced<'a>(
        &'a self,
        peer: usize,
        remote_id: &Arc<Identity>,
    ) -> impl Iterator<Item = IkeId> + use<'a> {
        let all = self.of(peer, remote_id);
        all.filter(|(_, standing)| standing.replaced)
            .map(|(ike, _)| ike)
    }

    /// Whether there is one of this peer: of any of its identities, or of one.
    pub(crate) fn knows(&self, peer: usize, remote_id: Option<&Arc<Identity>>) -> bool {
        match remote_id {
            Some(remote_id) => self.of(peer, remote_id).next().is_some(),
            None => self.by_owner.of_peer(peer).next().is_some(),
        }
    }

    /// The SA that serves a peer now: the newest of one identity, or of any.
    pub(crate) fn current(&self, peer: usize, remote_id: Option<&Arc<Identity>>) -> Option<IkeId> {
        let Some(remote_id) = remote_id else {
            return self.current.of(peer).next_back().map(|(_, ike)| ike);
        };
        self.of(peer, remote_id)
            .filter(|(_, standing)| !standing.replaced)
            .max_by_key(|(ike, standing)| (standing.since, *ike))
            .map(|(ike, _)| ike)
    }

    /// The newest SA on which a peer at this address is told of SPIs that nobody has.
    pub(crate) fn healing(&self, address: IpAddr) -> Option<IkeId> {
        self.healed.of(address).next_back().map(|(_, ike)| ike)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (IkeId, &Standing)> + '_ {
        self.table.iter().map(|(ike, standing)| (*ike, &**standing))
    }

    /// Whether the indexes say the same as the table.
    pub(crate) fn is_consistent(&self) -> bool {
        let mut again = Self::default();
        for (ike, standing) in &self.table {
            again.by_owner.insert(standing.owner(), *ike);
            again.index(*ike, standing);
        }
        again.by_owner == self.by_owner
            && again.current == self.current
            && again.healed == self.healed
    }
}

#[cfg(test)]
mod tests;
