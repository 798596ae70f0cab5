//! The devices of one identity: what a new one means to the others, and what ends with an SA that
//! nobody answers any more.

use alloc::vec::Vec;
use core::time::Duration;

use super::Call;
use crate::child::Child;
use crate::config::Uniqueness;
use crate::event::{Action, Notice, What};
use crate::model::{ChildId, CloseReason, IkeId, IkeVersion};
use crate::peer::session::Session;
use crate::peer::standing::{Device, Standing};

/// An SA whose peer cannot be asked for a sign of life counts as alive for this long after the last
/// one ([`Uniqueness::Keep`]).
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

impl Call<'_> {
    pub(super) fn uniqueness(&self, index: usize) -> Uniqueness {
        let peer = self.endpoint.config.peers.get(index);
        peer.map_or(Uniqueness::default(), |peer| peer.unique)
    }

    /// All of these SAs, and the children that they look after, are of one device.
    pub(super) fn unite(&mut self, device: Device, ikes: impl Iterator<Item = IkeId>) {
        for ike in ikes {
            self.endpoint.world.standing.set_device(ike, device);
            self.endpoint.world.children.set_device(ike, device);
        }
    }

    /// Whether the SA that has come up, which the peer has started, has to go because another device
    /// with the same identity is there ([`Uniqueness::Keep`]; in IKEv2 it does not come up at all).
    /// One that may be dead is asked, or goes if it cannot be.
    pub(super) fn must_yield(&mut self, ike: IkeId, new: &Standing) -> bool {
        if new.initiator || self.uniqueness(new.peer) != Uniqueness::Keep {
            return false;
        }
        let standing = &self.endpoint.world.standing;
        let others = standing.of(new.peer, &new.remote_id);
        let others: Vec<IkeId> = others
            .filter(|(_, old)| !old.replaced && !old.site.is(new.site))
            .map(|(id, _)| id)
            .collect();
        let mut lives = false;
        for old in others {
            let asked = self.with(old, |session, ctx| session.ask_for_life(ctx));
            let heard = self
                .endpoint
                .sessions
                .get(&old)
                .and_then(Session::last_inbound);
            let recent = heard.is_some_and(|at| self.now < at.saturating_add(SIGN_OF_LIFE));
            if asked == Some(true) || recent {
                lives = true;
            } else {
                self.end_told(old, CloseReason::Replaced);
            }
        }
        if lives {
            let version = self.version_of(ike);
            self.context_of(version)
                .note(Some(ike), What::Notice(Notice::IdentityInUse));
        }
        lives
    }

    /// Ends an SA of a device that may be alive, and its children with it: it is told of both.
    pub(in crate::endpoint) fn end_told(&mut self, ike: IkeId, reason: CloseReason) {
        for child in self.children_of(ike) {
            match self.version_of(ike) {
                // RFC 7296 §1.4.1: the Delete of the IKE SA says it of its children too.
                Some(IkeVersion::V2) => self.remove_child(child, reason),
                _ => self.delete_child(child, reason),
            }
        }
        self.with(ike, |session, ctx| session.close(ctx, reason, true));
    }

    /// The peer says that it knows of no older SAs (RFC 2407 §4.6.3.3). Those that stood before
    /// this negotiation began are gone on its side; only SAs of the same proved identity are meant
    /// (RFC 3947 §6). Another device with this identity may be there still: it is told.
    pub(super) fn initial_contact(&mut self, ike: IkeId) {
        let Some(new) = self.endpoint.world.standing.get(ike).cloned() else {
            return;
        };
        if self.uniqueness(new.peer) == Uniqueness::Never {
            return;
        }
        let reason = CloseReason::PeerRestarted;
        let standing = self.endpoint.world.standing.of(new.peer, &new.remote_id);
        let older: Vec<(IkeId, bool)> = standing
            .filter(|(id, old)| *id != ike && old.since < new.created)
            .map(|(id, old)| (id, !old.site.is(new.site) && old.device != new.device))
            .collect();
        for (old, _) in older.iter().filter(|(_, elsewhere)| *elsewhere) {
            self.end_told(*old, reason);
        }
        let children = self.endpoint.world.children.of(new.peer, &new.remote_id);
        let children: Vec<ChildId> = children
            .filter(|c| c.started < new.created)
            .map(|c| c.id)
            .collect();
        for child in children {
            self.remove_child(child, reason);
        }
        for (old, _) in older.iter().filter(|(_, elsewhere)| !elsewhere) {
            self.with(*old, |session, ctx| session.close(ctx, reason, false));
        }
    }

    /// The peer answers no more on an SA: what belongs to it goes. When no other SA of this device is
    /// left to ask, all of it goes, and the next address is tried.
    pub(super) fn peer_dead(&mut self, ike: IkeId) {
        let Some(dead) = self.endpoint.world.standing.get(ike).cloned() else {
            return;
        };
        // In IKEv2 a device may have several that serve it.
        let others = self.endpoint.world.standing.of_device(dead.device);
        let others = others.filter(|(id, other)| *id != ike && !other.replaced);
        let newest = others.max_by_key(|(id, other)| (other.since, *id));
        let Some(other) = newest.map(|(id, _)| id) else {
            return self.device_dead(&dead);
        };
        // The device has started anew, or is dead altogether: the other SA will tell.
        let lost = self.end_forgotten(ike, &dead, other);
        self.with(other, |session, ctx| session.ask_for_life(ctx));
        for config in lost {
            self.want(dead.peer, config);
        }
    }

    /// Ends an SA that its device does not know any more while a newer one stands, and the children
    /// that it has made and that nothing has come in on since. Gives what is wanted again.
    fn end_forgotten(&mut self, ike: IkeId, dead: &Standing, other: IkeId) -> Vec<usize> {
        let reason = CloseReason::PeerDead;
        let world = &self.endpoint.world;
        let since = world.standing.get(other).map_or(dead.since, |s| s.since);
        let forgotten = |c: &&Child| {
            let heard = c.last_inbound.is_some_and(|at| at >= since);
            c.ike == ike || (c.made_by != other && c.started < since && !heard)
        };
        let own = self.version_of(ike) == Some(IkeVersion::V2);
        let children: Vec<(ChildId, usize, bool)> = world
            .children
            .of_device(dead.device)
            .filter(|c| if own { c.ike == ike } else { forgotten(c) })
            .map(|c| (c.id, c.config, self.is_ours_to_keep(c)))
            .collect();
        for (child, ..) in &children {
            if own {
                self.remove_child(*child, reason);
            } else {
                self.delete_child(*child, reason);
            }
        }
        self.with(ike, |session, ctx| session.close(ctx, reason, false));
        let covered = |config: usize| {
            let children = &self.endpoint.world.children;
            let mut all = children.of_device(dead.device);
            all.any(|c| c.config == config && c.is_current())
        };
        let lost = children.into_iter().filter(|(.., ours)| *ours);
        lost.map(|(_, config, _)| config)
            .filter(|config| !covered(*config))
            .collect()
    }

    /// Whether we want a child again that is lost.
    fn is_ours_to_keep(&self, child: &Child) -> bool {
        let peer = self.endpoint.config.peers.get(child.peer);
        peer.is_some_and(|peer| peer.keep_up)
            || child.initiator
            || child.last_outbound > child.last_inbound
    }

    /// A device answers on none of its SAs.
    fn device_dead(&mut self, dead: &Standing) {
        let (index, reason) = (dead.peer, CloseReason::PeerDead);
        let children = self.endpoint.world.children.of_device(dead.device);
        let children: Vec<(ChildId, usize, bool)> = children
            .map(|c| (c.id, c.config, self.is_ours_to_keep(c)))
            .collect();
        let sessions = self.endpoint.world.standing.of_device(dead.device);
        let sessions: Vec<IkeId> = sessions.map(|(id, _)| id).collect();
        for (child, ..) in &children {
            self.remove_child(*child, reason);
        }
        for old in sessions {
            self.with(old, |session, ctx| session.close(ctx, reason, false));
        }
        let Some(peer) = self.endpoint.config.peers.get(index) else {
            return;
        };
        let Some(state) = self.endpoint.peers.get_mut(index) else {
            return;
        };
        let all = 0..peer.children.len();
        let kept = all.filter(|_| peer.keep_up);
        let used = children.iter().filter(|(.., ours)| *ours);
        for config in kept.chain(used.map(|(_, config, _)| *config)) {
            state.want(config);
        }
        let again = state.wants_any() && !peer.addresses.is_empty();
        // With one address it is the same again (a restart is the common case), else the next one.
        let next = again
            .then(|| state.failed(peer).or_else(|| state.address(peer)))
            .flatten()
            .map(|ip| peer.first_address(ip));
        let name = peer.name.clone();
        self.actions.push(Action::PeerDead { peer: name, next });
        self.settle();
        if again {
            self.begin(index);
        }
    }
}
