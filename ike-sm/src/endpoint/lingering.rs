//! IKE SAs that are over: replaced and not deleted yet, refused, or kept for their last answers. How
//! many one peer may leave behind.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Call;
use crate::core::effects::Effect;
use crate::core::multimap::{Multimap, Owner};
use crate::model::{CloseReason, IkeId, IkeVersion};
use crate::peer::standing::{Device, Standing};

/// IKE SAs that have ended and say so, or answer what they have answered before, by their peers.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    table: BTreeMap<IkeId, Owner>,
    by_owner: Multimap<Owner, IkeId>,
}

impl Lingering {
    /// One more; gives the oldest that is too many of its peer, or of all.
    fn insert(&mut self, id: IkeId, owner: Owner, most: usize, in_all: usize) -> Option<IkeId> {
        self.by_owner.insert(owner.clone(), id);
        self.table.insert(id, owner.clone());
        let mut own = self.by_owner.of(owner);
        let oldest = own.next();
        let oldest = oldest.filter(|_| own.count() >= most);
        let first = self.table.keys().next().copied();
        oldest.or_else(|| first.filter(|_| self.table.len() > in_all))
    }

    pub(super) fn remove(&mut self, id: IkeId) {
        if let Some(owner) = self.table.remove(&id) {
            self.by_owner.remove(owner, id);
        }
    }

    /// Whether the index says the same as the table.
    pub(super) fn is_consistent(&self) -> bool {
        let pairs = self.table.iter().map(|(id, owner)| (owner.clone(), *id));
        self.by_owner == pairs.collect()
    }
}

impl Call<'_> {
    /// An IKE SA of this peer has come up and may not stand.
    pub(super) fn refuse(&mut self, ike: IkeId, owner: Owner) {
        self.with(ike, |session, ctx| session.refuse(ctx));
        if self.version_of(ike) == Some(IkeVersion::V1) {
            self.lingers(ike, owner);
        }
    }

    /// An IKE SA of this peer has ended and lingers. A peer that makes and deletes them without end
    /// does not make us keep them all: answers of the oldest are forgotten.
    pub(super) fn lingers(&mut self, id: IkeId, owner: Owner) {
        let limits = self.endpoint.config.limits;
        let (most, in_all) = (limits.replaced_per_peer.max(1), limits.ike_sas.max(1));
        let oldest = self.endpoint.lingering.insert(id, owner, most, in_all);
        if let Some(oldest) = oldest {
            // Of those that others have replaced the end was told when it came.
            let reason = CloseReason::Refused;
            self.context().effect(Effect::Closed(oldest, reason));
        }
    }

    /// An identity has come up with one more IKE SA, perhaps from one more port: beyond the bound the
    /// oldest end, without a word where they do not answer the Delete either.
    pub(super) fn bound_identity(&mut self, new: &Standing, newest: IkeId) {
        let most = self.endpoint.config.limits.ike_sas_per_identity;
        let standing = &self.endpoint.world.standing;
        let older = standing.of(new.peer, &new.remote_id).map(|(id, _)| id);
        let older: Vec<IkeId> = older.filter(|id| *id != newest).collect();
        let beyond = older.len().saturating_add(1).saturating_sub(most);
        let silent = beyond.saturating_sub(most);
        for (place, old) in older.into_iter().take(beyond).enumerate() {
            let reason = CloseReason::Replaced;
            if place >= silent {
                self.end_told(old, reason);
            } else {
                self.with(old, |session, ctx| session.close(ctx, reason, false));
            }
        }
    }

    /// A device has come up with IKE SA after IKE SA, and deletes none of the older ones: the oldest
    /// end, without a word where it does not answer the Delete either. In IKEv2 several may serve it,
    /// and count like those that others have replaced.
    pub(super) fn bound_replaced(&mut self, device: Device, newest: IkeId) {
        let most = self.endpoint.config.limits.replaced_per_peer;
        let standing = &self.endpoint.world.standing;
        let serving = standing.of_device(device);
        let serving = serving.filter(|(id, older)| !older.replaced && *id != newest);
        let serving: Vec<IkeId> = serving.map(|(id, _)| id).collect();
        let older = serving.len().min(most);
        let beyond = serving.len().saturating_sub(most);
        for old in serving.into_iter().take(beyond) {
            self.end_told(old, CloseReason::Replaced);
        }
        let standing = &self.endpoint.world.standing;
        let replaced: Vec<IkeId> = standing.replaced(device).collect();
        let most_replaced = most.saturating_sub(older);
        let beyond = replaced.len().saturating_sub(most_replaced);
        let silent = beyond.saturating_sub(most);
        for (place, old) in replaced.into_iter().take(beyond).enumerate() {
            let reason = CloseReason::Replaced;
            self.with(old, |session, ctx| {
                session.close(ctx, reason, place >= silent);
            });
        }
    }
}
