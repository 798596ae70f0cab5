//! An IKE SA has come up: which of its rivals stand, and what it is to bring up.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::Call;
use crate::action::{Action, CloseReason};
use crate::children::{TrafficOf, Wanted};
use crate::config::{Identity, IkeVersion};
use crate::context::TimerKey;
use crate::explain::Role;
use crate::id::{ChildId, IkeId};
use crate::policy::pfs::PfsOffer;
use crate::session::Session;
use crate::standing::Standing;

/// Two IKE SAs that both ends have started within this time have crossed on the way.
const CROSSING: Duration = Duration::from_secs(30);

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
        let new = Standing {
            peer: head.peer,
            remote_id,
            since: self.now,
            initiator: head.role == Role::Initiator,
            replaced: false,
            healed_at: (version == IkeVersion::V1).then(|| head.path.remote.ip()),
            told_spi: None,
        };
        let rank = session.rank();
        let (path, asked_to_replace) = (head.path, head.replaces);
        let index = new.peer;
        let name = self.peer_name(index);
        let rivals: Vec<(IkeId, Standing)> = self
            .endpoint
            .world
            .standing
            .of(index, &new.remote_id)
            .filter(|(_, s)| !s.replaced)
            .map(|(id, s)| (id, s.clone()))
            .collect();
        let replaces = asked_to_replace
            .filter(|old| self.endpoint.world.standing.contains(*old))
            .or_else(|| rivals.last().map(|(id, _)| *id));
        self.endpoint.world.standing.insert(ike, new.clone());
        self.actions.push(Action::IkeEstablished {
            ike,
            peer: name,
            path,
            replaces,
        });

        let mut winner = ike;
        for (old, standing) in rivals {
            let crossed = crossed(&standing, &new, head.created);
            let old_rank = self.endpoint.sessions.get(&old).map(Session::rank);
            if crossed && old_rank.is_some_and(|old| old > rank) {
                // Both ends have started at once: both keep the same SA, and the end that started
                // the other one deletes it.
                self.retire_ike(ike, new.initiator);
                winner = old;
            } else {
                let ours = if crossed {
                    standing.initiator
                } else {
                    new.initiator
                };
                self.retire_ike(old, ours);
            }
        }
        if version == IkeVersion::V1 {
            self.adopt(index, &new.remote_id, winner);
        } else if let Some(old) = asked_to_replace.filter(|_| winner == ike) {
            // Another gateway may have another identity.
            self.retire_ike(old, true);
        }
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
        self.bound_replaced(index, &new.remote_id);
        self.context().touch(TimerKey::Peer(index));
        if !peer_asks {
            self.start_wanted(index, winner);
        }
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

    fn retire_ike(&mut self, ike: IkeId, ours: bool) {
        let now = self.now;
        self.endpoint.world.standing.set_replaced(ike, true);
        self.with(ike, |session, _| session.retire(now, ours));
    }

    /// All children of a peer are looked after by one SA.
    pub(super) fn adopt(&mut self, index: usize, remote_id: &Arc<Identity>, ike: IkeId) {
        let children: Vec<ChildId> = self
            .endpoint
            .world
            .children
            .of(index, remote_id)
            .map(|c| c.id)
            .collect();
        for child in children {
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
        let remote_id = Arc::clone(&standing.remote_id);
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
                .of(index, &remote_id)
                .any(|c| c.config == config && c.is_current() && (c.ike == ike || !own));
            let coming = self.is_coming(index, &remote_id, config);
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

    /// Whether a child of a peer is being negotiated.
    pub(in crate::endpoint) fn is_coming(
        &self,
        index: usize,
        remote_id: &Arc<Identity>,
        config: usize,
    ) -> bool {
        let sessions = &self.endpoint.sessions;
        let negotiates = |ike| sessions.get(ike).is_some_and(|s| s.negotiates(config));
        self.negotiators(index, remote_id).iter().any(negotiates)
    }

    pub(super) fn no_longer_wanted(&mut self, index: usize, config: usize) {
        if let Some(state) = self.endpoint.peers.get_mut(index) {
            state.unwant(config);
        }
    }

    /// The peer says that it knows of no older SAs (RFC 2407 §4.6.3.3). Those that stood before
    /// this negotiation began are gone on its side; only SAs of the same proved identity are meant
    /// (RFC 3947 §6).
    pub(super) fn initial_contact(&mut self, ike: IkeId) {
        let Some(session) = self.endpoint.sessions.get(&ike) else {
            return;
        };
        let Some(new) = self.endpoint.world.standing.get(ike) else {
            return;
        };
        let (created, index, remote_id) = (session.head().created, new.peer, new.remote_id.clone());
        let reason = CloseReason::PeerRestarted;
        let children: Vec<ChildId> = self
            .endpoint
            .world
            .children
            .of(index, &remote_id)
            .filter(|c| c.started < created)
            .map(|c| c.id)
            .collect();
        for child in children {
            self.remove_child(child, reason);
        }
        let sessions: Vec<IkeId> = self
            .endpoint
            .world
            .standing
            .of(index, &remote_id)
            .filter(|(id, s)| *id != ike && s.since < created)
            .map(|(id, _)| id)
            .collect();
        for old in sessions {
            self.with(old, |session, ctx| session.close(ctx, reason, false));
        }
    }
}

/// Whether two SAs of one peer were started from both ends at about the same time; the second one's
/// negotiation began at `created`.
fn crossed(old: &Standing, new: &Standing, created: Duration) -> bool {
    old.initiator != new.initiator
        && created <= old.since
        && new.since.saturating_sub(old.since) < CROSSING
}
