//! An IKE SA has come up: which of its rivals stand, and what it is to bring up.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::Call;
use crate::child::{TrafficOf, Wanted};
use crate::config::Uniqueness;
use crate::core::effects::{Effect, TimerKey};
use crate::event::Action;
use crate::model::{CloseReason, IkeId, IkeVersion, Role};
use crate::peer::session::Session;
use crate::peer::standing::{Device, Standing};
use crate::policy::pfs::PfsOffer;

impl Call<'_> {
    pub(super) fn established(&mut self, ike: IkeId) {
        self.endpoint.half_open.authenticated(ike);
        if self.version_of(ike) == Some(IkeVersion::V1) {
            self.note_phase1(ike);
        }
        let Some(session) = self.endpoint.sessions.get(&ike) else {
            return;
        };
        let version = session.version();
        let head = session.head();
        let Some(remote_id) = session.remote_id().cloned() else {
            return;
        };
        let (path, asked_to_replace) = (head.path, head.replaces);
        let mut new = Standing {
            peer: head.peer,
            remote_id,
            device: Device(ike),
            site: session.site(),
            created: head.created,
            since: self.now,
            origin: ike,
            proved: (self.now, self.endpoint.world.handles.last()),
            initiator: head.role == Role::Initiator,
            replaced: false,
            healed_at: (version == IkeVersion::V1).then(|| path.remote.ip()),
            told_spi: None,
        };
        if self.must_yield(ike, &new) {
            return self.refuse(ike, (new.peer, Some(new.remote_id)));
        }
        let index = new.peer;
        let name = self.peer_name(index);
        let kin = self.kin(&mut new, asked_to_replace);
        self.endpoint.world.standing.insert(ike, new.clone());
        self.endpoint.world.children.set_device(ike, new.device);
        let rivals: Vec<(IkeId, Standing)> =
            kin.into_iter().filter(|(_, old)| !old.replaced).collect();
        let replaces = asked_to_replace
            .filter(|old| self.endpoint.world.standing.contains(*old))
            .or_else(|| {
                let takes =
                    |(_, old): &&(IkeId, Standing)| version == IkeVersion::V1 || new.crosses(old);
                rivals.iter().rfind(takes).map(|(id, _)| *id)
            });
        self.actions.push(Action::IkeEstablished {
            ike,
            peer: name,
            path,
            replaces,
        });

        // What the peer may never have heard of takes no place.
        let winner = if !rivals.is_empty() && self.asks_for_confirmation(ike) {
            ike
        } else {
            self.take_over(ike, &new, rivals, asked_to_replace)
        };
        self.end_others(&new);
        // Who has started an SA of IKEv1 asks for its children at once. Ours would cross them, and
        // nothing says which of two quick modes for the same traffic stands.
        let peer_asks = version == IkeVersion::V1 && winner == ike && !new.initiator;
        if let Some(state) = self.endpoint.peers.get_mut(index) {
            state.answered();
            if state.attempt == Some(ike) {
                state.attempt = None;
            }
            if peer_asks && state.wants_any() {
                state.let_ask(self.now);
            }
        }
        if !new.initiator {
            self.give_up_unanswered(index, path.remote.ip());
        }
        self.bound_replaced(new.device, ike);
        self.bound_identity(&new, ike);
        self.context().touch(TimerKey::Peer(index));
        if !peer_asks {
            self.start_wanted(index, winner);
        }
    }

    /// Asks a peer of aggressive mode whether it has the SA that we have started: nobody answers message
    /// 3 (RFC 2409 §5.4). False where it has, or cannot be asked.
    fn asks_for_confirmation(&mut self, ike: IkeId) -> bool {
        let session = self.endpoint.sessions.get(&ike);
        session.is_some_and(Session::is_unconfirmed)
            && self.with(ike, |session, ctx| session.ask_for_life(ctx)) == Some(true)
    }

    /// The peer has shown that it has an SA that we have started: the older ones of the device give way
    /// to it, unless that has happened already.
    pub(super) fn confirmed(&mut self, ike: IkeId) {
        let standing = &self.endpoint.world.standing;
        let Some(new) = standing.get(ike).filter(|new| !new.replaced).cloned() else {
            return;
        };
        let older = standing.of_device(new.device);
        let older = older.filter(|(old, other)| *old < ike && !other.replaced);
        let older: Vec<(IkeId, Standing)> = older.map(|(old, o)| (old, o.clone())).collect();
        if older.is_empty() {
            return;
        }
        let replaces = self.endpoint.sessions.get(&ike);
        let replaces = replaces.and_then(|session| session.head().replaces);
        let winner = self.take_over(ike, &new, older, replaces);
        self.start_wanted(new.peer, winner);
    }

    /// An SA takes the place of older ones of its device, or gives way to one that has crossed it. Gives
    /// the one that stands.
    fn take_over(
        &mut self,
        ike: IkeId,
        new: &Standing,
        rivals: Vec<(IkeId, Standing)>,
        asked_to_replace: Option<IkeId>,
    ) -> IkeId {
        let rank = self.endpoint.sessions.get(&ike).map(Session::rank);
        let mut winner = ike;
        for (old, standing) in rivals {
            let crossed = new.crosses(&standing);
            let old_rank = self.endpoint.sessions.get(&old).map(Session::rank);
            if crossed && old_rank > rank {
                // Both ends have started at once: both keep the same SA, and the end that started
                // the other one deletes it.
                self.retire_ike(ike, new.initiator);
                winner = old;
            } else if crossed {
                self.retire_ike(old, standing.initiator);
            } else {
                self.succeeds(old, new, asked_to_replace);
            }
        }
        if self.version_of(ike) == Some(IkeVersion::V1) {
            self.adopt(new.device, winner);
        } else if let Some(old) = asked_to_replace.filter(|_| winner == ike) {
            // Another gateway may have another identity.
            self.retire_ike(old, true);
        }
        winner
    }

    /// The peer has come up with an SA that it has started. One that we had begun and that it has not
    /// answered would only double that: often the peer was not there yet.
    fn give_up_unanswered(&mut self, index: usize, remote: IpAddr) {
        let attempt = self.endpoint.peers.get(index).and_then(|p| p.attempt);
        let unanswered = |ike: &IkeId| {
            let head = self.endpoint.sessions.get(ike).map(Session::head);
            head.is_some_and(|h| {
                h.spis.1 == [0; 8] && h.replaces.is_none() && h.path.remote.ip() == remote
            })
        };
        let Some(attempt) = attempt.filter(unanswered) else {
            return;
        };
        if let Some(state) = self.endpoint.peers.get_mut(index) {
            state.attempt = None;
        }
        self.with(attempt, |session, ctx| {
            session.close(ctx, CloseReason::Replaced, false);
        });
    }

    /// The older SAs of the device that an SA which has come up is of: of the SA that it is to
    /// replace, of those from the same site, of those that it has crossed. A peer that has no
    /// addresses but those of the configuration may have called from another of them.
    fn kin(&mut self, new: &mut Standing, replaces: Option<IkeId>) -> Vec<(IkeId, Standing)> {
        let config = self.endpoint.config.peers.get(new.peer);
        let fixed = config.is_some_and(|p| p.networks.is_empty() && !p.addresses.is_empty());
        let standing = &self.endpoint.world.standing;
        let same = |ike: IkeId, old: &Standing| {
            let crosses = fixed && !old.replaced && new.crosses(old);
            replaces == Some(ike) || old.site.is(new.site) || crosses
        };
        let all = standing.of(new.peer, &new.remote_id);
        let devices = all.filter(|(ike, old)| same(*ike, old));
        let mut devices: Vec<Device> = devices.map(|(_, old)| old.device).collect();
        devices.sort_unstable();
        devices.dedup();
        let ikes = devices
            .iter()
            .flat_map(|device| standing.of_device(*device));
        let ikes: Vec<IkeId> = ikes.map(|(ike, _)| ike).collect();
        new.device = devices.first().copied().unwrap_or(new.device);
        self.unite(new.device, ikes.iter().copied());
        let standing = &self.endpoint.world.standing;
        let kin = standing.of_device(new.device);
        kin.map(|(ike, old)| (ike, old.clone())).collect()
    }

    /// An SA of the same device has come up after this one.
    fn succeeds(&mut self, old: IkeId, new: &Standing, asked: Option<IkeId>) {
        // In IKEv1 the new one looks after all children of the device (RFC 2409 §4); in IKEv2 each
        // has its own.
        let replaced = self.version_of(old) == Some(IkeVersion::V1) || asked == Some(old);
        if replaced || self.uniqueness(new.peer) == Uniqueness::Replace {
            self.retire_ike(old, new.initiator || !replaced);
        }
        if asked != Some(old) {
            // It may have lost its state, and not have said so.
            self.context().effect(Effect::AskForLife(old));
        }
    }

    /// Ends what other devices with the same identity have, where only one may be there.
    fn end_others(&mut self, new: &Standing) {
        if self.uniqueness(new.peer) != Uniqueness::Replace {
            return;
        }
        let standing = &self.endpoint.world.standing;
        let others = standing.of(new.peer, &new.remote_id);
        let others: Vec<IkeId> = others
            .filter(|(_, old)| old.device != new.device)
            .map(|(id, _)| id)
            .collect();
        for old in others {
            self.end_told(old, CloseReason::Replaced);
        }
    }

    fn retire_ike(&mut self, ike: IkeId, ours: bool) {
        let now = self.now;
        self.endpoint.world.standing.set_replaced(ike, true);
        self.with(ike, |session, _| session.retire(now, ours));
    }

    /// All children of a device are looked after by one SA.
    pub(super) fn adopt(&mut self, device: Device, ike: IkeId) {
        let children = self.endpoint.world.children.of_device(device);
        for child in children.map(|c| c.id).collect::<Vec<_>>() {
            self.endpoint.world.children.hand_over(child, ike);
        }
        if let Some(path) = self.endpoint.sessions.get(&ike).map(|s| s.head().path)
            && path.natt
        {
            self.redirect(ike, path);
        }
    }

    /// Starts the children that are wanted of a peer and neither stand nor come up.
    pub(in crate::endpoint) fn start_wanted(&mut self, index: usize, ike: IkeId) {
        let Some(standing) = self.endpoint.world.standing.get(ike) else {
            return;
        };
        let device = standing.device;
        let Some(state) = self.endpoint.peers.get(index) else {
            return;
        };
        // A child of IKEv2 belongs to its IKE SA.
        let own = self.version_of(ike) == Some(IkeVersion::V2);
        for config in state.due_children(self.now) {
            let Some(child) = self
                .endpoint
                .config
                .peers
                .get(index)
                .and_then(|p| p.children.get(config))
            else {
                continue;
            };
            let pfs = PfsOffer::begin(self.group_of(index, config));
            let traffic = TrafficOf {
                config,
                local: child.local.clone(),
                remote: child.remote.clone(),
            };
            let stands = self
                .endpoint
                .world
                .children
                .of_device(device)
                .any(|c| c.config == config && c.is_current() && (c.ike == ike || !own));
            let coming = self.is_coming(index, device, config);
            if stands {
                self.no_longer_wanted(index, config);
            } else if !coming {
                let wanted = Wanted {
                    traffic,
                    replaces: None,
                    pfs,
                };
                let begun = self.with(ike, |session, ctx| session.start_child(ctx, &wanted));
                if let Some(Err(_)) = begun {
                    self.not_up(index, config, CloseReason::Refused);
                }
            }
        }
    }

    /// Whether a child of a device is being negotiated.
    pub(in crate::endpoint) fn is_coming(
        &self,
        index: usize,
        device: Device,
        config: usize,
    ) -> bool {
        let sessions = &self.endpoint.sessions;
        let negotiates = |ike| sessions.get(ike).is_some_and(|s| s.negotiates(config));
        self.negotiators(index, device).iter().any(negotiates)
    }

    pub(super) fn no_longer_wanted(&mut self, index: usize, config: usize) {
        if let Some(state) = self.endpoint.peers.get_mut(index) {
            state.unwant(config);
        }
    }
}
