//! The IKE SAs after phase 1, as the others see them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use nat_t::Verdict;

use crate::core::multimap::{Multimap, Owner};
use crate::model::{Identity, IkeId};

/// Two IKE SAs that both ends have started within this time have crossed on the way.
const CROSSING: Duration = Duration::from_secs(30);

/// One device of a peer, by the oldest IKE SA of it that is known. Several may prove the same
/// identity; what belongs to one of them is no business of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Device(pub(crate) IkeId);

/// Where the packets of a device come from. Behind a NAT several share an address, and the port
/// tells them apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// A NAT is known to have changed them.
    pub(crate) mapped: bool,
}

impl Site {
    /// That of a peer with this address and port, of which a NAT is known to have changed them, or
    /// not.
    pub(crate) fn of(remote: SocketAddr, verdict: Option<Verdict>) -> Self {
        Self {
            address: remote.ip(),
            port: remote.port(),
            mapped: verdict.is_some_and(Verdict::follows_peer),
        }
    }

    /// Whether both are the same device's. An end that did not know its own address when it called
    /// looks as if a NAT had changed it, but has the ports of IKE; who hides a NAT has not, as long as
    /// the one that is there needs them.
    pub(crate) fn is(self, other: Self) -> bool {
        let own = |port| matches!(port, 500 | 4500);
        let same = match (self.mapped, other.mapped) {
            (false, false) => true,
            (true, true) => self.port == other.port,
            _ => self.port == other.port || own(self.port) && own(other.port),
        };
        self.address == other.address && same
    }
}

/// An IKE SA after phase 1.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// The peer's place in the configuration.
    pub(crate) peer: usize,
    pub(crate) remote_id: Arc<Identity>,
    /// Whose it is among those that prove this identity.
    pub(crate) device: Device,
    pub(crate) site: Site,
    /// When its negotiation began.
    pub(crate) created: Duration,
    pub(crate) since: Duration,
    /// The SA in which the peer proved its identity: this one, or the one whose rekeys have led to it.
    pub(crate) origin: IkeId,
    /// When it did, and which number the newest handle had then.
    pub(crate) proved: (Duration, u64),
    /// Whether we started that.
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
    /// Whether this SA and an older one were started from both ends at about the same time: its
    /// negotiation had begun when the older one came up. Handles tell what came first.
    pub(crate) fn crosses(&self, old: &Self) -> bool {
        self.initiator != old.initiator
            && self.origin.0 <= old.proved.1
            && self.proved.0.saturating_sub(old.proved.0) < CROSSING
    }

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
    by_device: Multimap<Device, IkeId>,
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
        self.by_device.insert(standing.device, ike);
        self.index(ike, &standing);
        self.table.insert(ike, Box::new(standing));
    }

    pub(crate) fn remove(&mut self, ike: IkeId) -> Option<Standing> {
        let standing = *self.table.remove(&ike)?;
        self.by_owner.remove(standing.owner(), ike);
        self.by_device.remove(standing.device, ike);
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

    /// The peer is somewhere else.
    pub(crate) fn moved(&mut self, ike: IkeId, to: Site) {
        self.change(ike, |standing| {
            standing.healed_at = standing.healed_at.map(|_| to.address);
            standing.site = to;
        });
    }

    /// The SA is one of this device.
    pub(crate) fn set_device(&mut self, ike: IkeId, device: Device) {
        if let Some(standing) = self.table.get_mut(&ike) {
            self.by_device.remove(standing.device, ike);
            standing.device = device;
            self.by_device.insert(device, ike);
        }
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

    /// The SAs of a device that others have replaced, oldest handle first.
    pub(crate) fn replaced(&self, device: Device) -> impl Iterator<Item = IkeId> + '_ {
        let all = self.of_device(device);
        all.filter(|(_, standing)| standing.replaced)
            .map(|(ike, _)| ike)
    }

    /// The SAs of a device, replaced ones included, oldest handle first.
    pub(crate) fn of_device(
        &self,
        device: Device,
    ) -> impl DoubleEndedIterator<Item = (IkeId, &Standing)> + '_ {
        let ids = self.by_device.of(device);
        ids.filter_map(|ike| Some((ike, self.get(ike)?)))
    }

    /// Whose an SA is.
    pub(crate) fn device(&self, ike: IkeId) -> Option<Device> {
        self.get(ike).map(|standing| standing.device)
    }

    /// Whether there is one of this peer: of any of its identities, or of one.
    pub(crate) fn knows(&self, peer: usize, remote_id: Option<&Arc<Identity>>) -> bool {
        match remote_id {
            Some(remote_id) => self.of(peer, remote_id).next().is_some(),
            None => self.by_owner.of_peer(peer).next().is_some(),
        }
    }

    /// The SA that serves a peer now: the newest of all its identities and devices.
    pub(crate) fn current(&self, peer: usize) -> Option<IkeId> {
        self.current.of(peer).next_back().map(|(_, ike)| ike)
    }

    /// The SA that serves a device now: the newest that no other has replaced.
    pub(crate) fn serving(&self, device: Device) -> Option<IkeId> {
        self.of_device(device)
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
            again.by_device.insert(standing.device, *ike);
            again.index(*ike, standing);
        }
        again.by_owner == self.by_owner
            && again.by_device == self.by_device
            && again.current == self.current
            && again.healed == self.healed
    }
}

#[cfg(test)]
mod tests;
