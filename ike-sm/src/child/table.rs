//! The table of children and its indexes.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::areas::Areas;
use super::spi::{ReservedSpi, Spis};
use crate::config::{Config, Schedule};
use crate::core::multimap::{Multimap, Owner};
use crate::core::timers::{Deadline, DeadlineReason, deadline, earliest};
use crate::event::Traffic;
use crate::model::{
    ChildId, ChildSuite, ChildTerms, CloseReason, DropReason, Identity, IkeId, Mode, Route,
    Selectors,
};
use crate::peer::standing::Device;
use crate::policy::pfs::PfsOffer;

/// A pair of IPsec SAs that has been installed.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) id: ChildId,
    /// The peer's place in the configuration.
    pub(crate) peer: usize,
    /// The child's place in its peer's configuration.
    pub(crate) config: usize,
    /// Who the peer has proved to be: peers with one configuration are told apart by it.
    pub(crate) remote_id: Arc<Identity>,
    /// Whose it is among those that prove this identity.
    pub(crate) device: Device,
    /// The IKE SA that negotiated it.
    pub(crate) made_by: IkeId,
    /// The IKE SA that looks after it; [`Children::hand_over`] changes it.
    pub(crate) ike: IkeId,
    /// Whether we started its negotiation.
    pub(crate) initiator: bool,
    pub(crate) terms: ChildTerms,
    /// Children of other peers that are so too may carry the same packets.
    pub(super) shared: bool,
    /// What stood for the same traffic when the negotiation started.
    pub(crate) replaces: Option<ChildId>,
    /// What it replaces was named by both ends (REKEY_SA of IKEv2), not inferred.
    pub(crate) names_replaced: bool,
    /// The lower of its two nonces: both ends compare the same ones (see [`activate`]).
    pub(crate) rank: Vec<u8>,
    pub(crate) state: ChildState,
    /// The peer has been told of its end; what is on its way from there is still taken in.
    pub(crate) told: bool,
    /// Its time is over.
    pub(super) expired: bool,
    pub(crate) schedule: Schedule,
    pub(crate) started: Duration,
    /// When packets were first let out on it.
    pub(crate) activated: Option<Duration>,
    pub(crate) used: Traffic,
    pub(crate) last_inbound: Option<Duration>,
    pub(crate) last_outbound: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) routes: Vec<Route>,
    /// When packets go out on it although the peer has not shown that it has it.
    pub(super) send_at: Option<Duration>,
    pub(super) rekey_at: Option<Duration>,
    pub(super) expire_at: Option<Duration>,
    pub(super) drain_at: Option<Duration>,
    pub(super) idle_at: Option<Duration>,
}

/// What a child is for: its place in the peer's configuration, our side, the peer's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrafficOf {
    pub(crate) config: usize,
    pub(crate) local: Selectors,
    pub(crate) remote: Selectors,
}

/// A child that we want.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) traffic: TrafficOf,
    /// The child it takes the place of.
    pub(crate) replaces: Option<ChildId>,
    /// Which key exchange it is offered with.
    pub(crate) pfs: PfsOffer,
}

/// What the peer is told of a child that is gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeletedChild {
    pub(crate) protocol: crate::model::IpsecProtocol,
    pub(crate) spi_in: u32,
    pub(crate) spi_out: u32,
}

/// How far a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChildState {
    /// Takes packets in; the peer has not shown yet that it has its half.
    Inbound,
    /// Carries packets both ways.
    Active,
    /// Takes packets in until it is deleted: another one has its place, or its time is over.
    Retiring,
}

impl Child {
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        [
            (self.send_at, DeadlineReason::ChildSwitch),
            (self.rekey_at, DeadlineReason::ChildRekey),
            (self.expire_at, DeadlineReason::ChildExpiry),
            (self.drain_at, DeadlineReason::ChildDrain),
            (self.idle_at, DeadlineReason::ChildIdle),
        ]
        .into_iter()
        .fold(None, |first, (at, why)| earliest(first, deadline(at, why)))
    }

    /// What the peer is told of its end.
    pub(crate) const fn deleted(&self) -> DeletedChild {
        DeletedChild {
            protocol: self.terms.suite.protocol(),
            spi_in: self.terms.spi_in,
            spi_out: self.terms.spi_out,
        }
    }

    /// Why it is removed when its peer has heard of the end, or should have.
    pub(crate) const fn end_reason(&self) -> CloseReason {
        match self.expired {
            true => CloseReason::Expired,
            false => CloseReason::Replaced,
        }
    }

    /// What it is for.
    pub(crate) fn traffic(&self) -> TrafficOf {
        TrafficOf {
            config: self.config,
            local: self.terms.local.clone(),
            remote: self.terms.remote.clone(),
        }
    }

    /// Whether both stand for the same traffic of the same device.
    pub(super) fn rivals(&self, other: &Self) -> bool {
        let successor = self.replaces == Some(other.id) || other.replaces == Some(self.id);
        let crossed = self.replaces.is_some() && self.replaces == other.replaces;
        let names = self.names_replaced && other.names_replaced && (successor || crossed);
        self.id != other.id
            && self.device == other.device
            && (names
                || self.covers_same(
                    &other.terms.local,
                    &other.terms.remote,
                    other.terms.suite,
                    other.terms.mode,
                ))
    }

    pub(super) fn owner(&self) -> Owner {
        (self.peer, Some(Arc::clone(&self.remote_id)))
    }

    pub(super) fn covers_same(
        &self,
        local: &Selectors,
        remote: &Selectors,
        suite: ChildSuite,
        mode: Mode,
    ) -> bool {
        self.terms.local == *local
            && self.terms.remote == *remote
            && self.terms.suite.protocol() == suite.protocol()
            && self.terms.mode == mode
    }

    /// Whether its rekey should have come through.
    pub(crate) fn is_overdue(&self, now: Duration) -> bool {
        self.started.saturating_add(self.schedule.soft) <= now
    }

    /// Whether it still stands for its traffic, sending or about to.
    pub(crate) fn is_current(&self) -> bool {
        self.state != ChildState::Retiring
    }
}

/// All children.
#[derive(Debug, Default)]
pub(crate) struct Children {
    /// Boxed: the nodes of the tree are half empty. The indexes follow it.
    table: BTreeMap<ChildId, Box<Child>>,
    by_owner: Multimap<Owner, ChildId>,
    by_device: Multimap<Device, ChildId>,
    by_ike: Multimap<IkeId, ChildId>,
    by_spi_out: Multimap<u32, ChildId>,
    /// Where children are that share nothing with other peers, and where those that do.
    pub(super) exclusive: Areas,
    pub(super) shared: Areas,
    /// Inbound SPIs that are taken, negotiations under way included.
    spis: Spis,
    /// How many children want each route.
    pub(super) routes: BTreeMap<Route, usize>,
}

impl Children {
    pub(crate) fn get(&self, id: ChildId) -> Option<&Child> {
        self.table.get(&id).map(|child| &**child)
    }

    pub(crate) fn get_mut(&mut self, id: ChildId) -> Option<&mut Child> {
        self.table.get_mut(&id).map(|child| &mut **child)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Child> + '_ {
        self.table.values().map(|child| &**child)
    }

    pub(super) fn insert(&mut self, child: Box<Child>) {
        self.by_owner.insert(child.owner(), child.id);
        self.by_device.insert(child.device, child.id);
        self.by_ike.insert(child.ike, child.id);
        self.by_spi_out.insert(child.terms.spi_out, child.id);
        self.areas_of(&child)
            .insert(&child.terms.local, &child.terms.remote, child.id);
        self.spis.install(child.terms.spi_in, child.id);
        self.table.insert(child.id, child);
    }

    pub(super) fn remove(&mut self, id: ChildId) -> Option<Child> {
        let child = *self.table.remove(&id)?;
        self.by_owner.remove(child.owner(), id);
        self.by_device.remove(child.device, id);
        self.by_ike.remove(child.ike, id);
        self.by_spi_out.remove(child.terms.spi_out, id);
        self.areas_of(&child)
            .remove(&child.terms.local, &child.terms.remote, child.id);
        self.spis.remove(child.terms.spi_in);
        Some(child)
    }

    /// The index that a child stands in.
    fn areas_of(&mut self, child: &Child) -> &mut Areas {
        if child.shared {
            &mut self.shared
        } else {
            &mut self.exclusive
        }
    }

    /// Another IKE SA looks after a child.
    pub(crate) fn hand_over(&mut self, id: ChildId, ike: IkeId) {
        if let Some(child) = self.table.get_mut(&id) {
            self.by_ike.remove(child.ike, id);
            child.ike = ike;
            self.by_ike.insert(ike, id);
        }
    }

    /// The children that an IKE SA looks after are those of this device.
    pub(crate) fn set_device(&mut self, ike: IkeId, device: Device) {
        for id in self.by_ike.of(ike).collect::<Vec<_>>() {
            if let Some(child) = self.table.get_mut(&id) {
                self.by_device.remove(child.device, id);
                child.device = device;
                self.by_device.insert(device, id);
            }
        }
    }

    /// Whether the indexes say the same as the table.
    pub(crate) fn is_consistent(&self) -> bool {
        let areas = |shared: bool| {
            let mut areas = Areas::default();
            let children = self.iter().filter(|c| c.shared == shared);
            children.for_each(|c| areas.insert(&c.terms.local, &c.terms.remote, c.id));
            areas
        };
        self.exclusive == areas(false)
            && self.shared == areas(true)
            && self.by_device == self.iter().map(|c| (c.device, c.id)).collect()
            && self.by_owner == self.iter().map(|c| (c.owner(), c.id)).collect()
            && self.by_ike == self.iter().map(|c| (c.ike, c.id)).collect()
            && self.by_spi_out == self.iter().map(|c| (c.terms.spi_out, c.id)).collect()
    }

    /// The children of a peer, whatever IKE SA looks after them.
    pub(crate) fn of<'a>(
        &'a self,
        peer: usize,
        remote_id: &Arc<Identity>,
    ) -> impl Iterator<Item = &'a Child> + use<'a> {
        let owner = (peer, Some(Arc::clone(remote_id)));
        self.by_owner.of(owner).filter_map(|id| self.get(id))
    }

    /// The children of a device, whatever IKE SA looks after them.
    pub(crate) fn of_device(&self, device: Device) -> impl Iterator<Item = &Child> + '_ {
        self.by_device.of(device).filter_map(|id| self.get(id))
    }

    /// The children of all peers with this place in the configuration.
    pub(crate) fn of_peer(&self, peer: usize) -> impl Iterator<Item = &Child> + '_ {
        self.by_owner.of_peer(peer).filter_map(|id| self.get(id))
    }

    /// The children that an IKE SA looks after.
    pub(crate) fn under(&self, ike: IkeId) -> impl Iterator<Item = &Child> + '_ {
        self.by_ike.of(ike).filter_map(|id| self.get(id))
    }

    /// The children whose peers expect packets with this SPI.
    pub(crate) fn with_spi_out(&self, spi: u32) -> impl Iterator<Item = &Child> + '_ {
        self.by_spi_out.of(spi).filter_map(|id| self.get(id))
    }

    /// The child that takes in packets with this SPI.
    pub(crate) fn by_spi_in(&self, spi: u32) -> Option<&Child> {
        self.spis.child(spi).and_then(|id| self.get(id))
    }

    /// Whether there is one of this peer: of any of its identities, or of one.
    pub(crate) fn knows(&self, peer: usize, remote_id: Option<&Arc<Identity>>) -> bool {
        match remote_id {
            Some(remote_id) => self.of(peer, remote_id).next().is_some(),
            None => self.of_peer(peer).next().is_some(),
        }
    }

    /// How many children an IKE SA looks after.
    pub(crate) fn count(&self, ike: IkeId) -> usize {
        self.by_ike.of(ike).count()
    }

    /// Refuses another child of an IKE SA that has many, `coming` ones included. One that replaces
    /// another stands beside it for a while: there may be twice as many of both together, so that a peer
    /// that has as many as it may does not lose them to their rekeys.
    pub(crate) fn room_for(
        &self,
        config: &Config,
        ike: IkeId,
        coming: usize,
        replaces: bool,
    ) -> Result<(), DropReason> {
        let most = config.limits.children_per_ike_sa;
        let most = most.saturating_mul(if replaces { 2 } else { 1 });
        if self.count(ike).saturating_add(coming) >= most {
            return Err(DropReason::Limit("children of one IKE SA"));
        }
        Ok(())
    }

    /// The child of a device that carries this traffic now.
    pub(crate) fn active_for(
        &self,
        device: Device,
        local: &Selectors,
        remote: &Selectors,
    ) -> Option<ChildId> {
        self.of_device(device)
            .filter(|c| {
                c.state == ChildState::Active
                    && c.terms.local == *local
                    && c.terms.remote == *remote
            })
            .map(|c| c.id)
            .last()
    }

    /// The child of a device whose outbound SPI this is: what a DELETE of the device names. Another
    /// device may have chosen the same one.
    pub(crate) fn by_outbound_spi(&self, device: Device, spi: u32) -> Option<&Child> {
        self.with_spi_out(spi).find(|c| c.device == device)
    }

    /// Whether a rekey of this child of a device has led to another one that still stands, at least
    /// at our side. Of IKEv2 only: both ends name what they replace.
    pub(crate) fn has_successor(&self, id: ChildId, device: Device) -> bool {
        let replaces = |c: &Child| c.names_replaced && c.replaces == Some(id);
        self.of_device(device)
            .any(|c| replaces(c) && c.is_current())
    }

    /// Other children for the same traffic of the same device.
    pub(crate) fn rivals_of(&self, id: ChildId) -> Vec<ChildId> {
        let Some(child) = self.table.get(&id) else {
            return Vec::new();
        };
        let others = self.of_device(child.device);
        others.filter(|c| child.rivals(c)).map(|c| c.id).collect()
    }

    /// Whether a child, or a negotiation, owns this inbound SPI.
    pub(crate) fn spi_taken(&self, spi: u32) -> bool {
        self.spis.is_taken(spi)
    }

    /// Takes this SPI for a negotiation.
    pub(crate) fn take_spi(&mut self, spi: u32) -> Result<ReservedSpi, DropReason> {
        self.spis.reserve(spi)
    }

    /// Whether each SPI that is taken is the one of its child.
    pub(crate) fn spis_match(&self) -> bool {
        let spi_of = |id: ChildId| self.table.get(&id).map(|c| c.terms.spi_in);
        let mut installed = self.spis.installed();
        installed.all(|(spi, id)| spi_of(id) == Some(spi))
            && self.spis.installed().count() == self.table.len()
            && self.spis.reserved().next().is_none()
    }
}
