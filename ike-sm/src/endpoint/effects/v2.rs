//! What holds in IKEv2 alone: a child belongs to one IKE SA, and a rekey brings forth its successor.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::Call;
use crate::core::effects::TimerKey;
use crate::core::multimap::Owner;
use crate::event::{Action, Transition, What};
use crate::model::{ChildId, CloseReason, IkeId, IkeState, IkeVersion, Input, Role};
use crate::peer::session::Session;
use crate::peer::standing::Standing;

impl Call<'_> {
    pub(in crate::endpoint) fn version_of(&self, ike: IkeId) -> Option<IkeVersion> {
        self.endpoint.sessions.get(&ike).map(Session::version)
    }

    pub(super) fn note_phase1(&mut self, ike: IkeId) {
        let (from, to) = (IkeState::Complete.into(), IkeState::Complete.into());
        let step = Transition {
            input: Input::Phase1Complete,
            from,
            to,
            message_id: None,
        };
        let version = self.version_of(ike);
        self.context_of(version)
            .note(Some(ike), What::Transition(step));
    }

    /// Takes in IKE SAs that rekeys have brought forth.
    pub(super) fn born(&mut self, ike: IkeId) {
        let before = self.endpoint.sessions.get_mut(&ike);
        let before = before.and_then(Session::v2_mut);
        let successors = before.map(|session| core::mem::take(&mut session.successors));
        for session in successors.into_iter().flatten() {
            let session = Session::V2(Box::new(session));
            let head = session.head();
            self.endpoint.by_cookies.insert(head.spis, head.id);
            self.endpoint.sessions.insert(head.id, session);
            self.context().touch(TimerKey::Ike(head.id));
        }
    }

    /// An IKE SA takes the place of another, children and all (RFC 7296 §2.8).
    pub(super) fn succeed(&mut self, old: IkeId, new: IkeId) {
        let session = self.endpoint.sessions.get(&new);
        let Some(session) = session.filter(|session| !session.is_gone()) else {
            return;
        };
        if self.endpoint.world.standing.contains(new) {
            return;
        }
        let head = session.head();
        let table = &mut self.endpoint.world.standing;
        let Some(before) = table.get(old).filter(|before| !before.replaced) else {
            // The end was ordered while this was under way, or another one has its place.
            let session = self.endpoint.sessions.get_mut(&old);
            let session = session.and_then(Session::v2_mut);
            let reason = session.and_then(|session| session.up()?.closing_reason());
            return self.delete_ike_sa(new, reason.unwrap_or(CloseReason::Replaced));
        };
        let standing = Standing {
            created: head.created,
            since: self.now,
            replaced: false,
            ..before.clone()
        };
        let device = standing.device;
        table.set_replaced(old, true);
        table.insert(new, standing);
        // Its first message may have made a child already.
        self.endpoint.world.children.set_device(new, device);
        self.forget_rival(new, Some(old));
        let attempt = self.endpoint.peers.get(head.peer).and_then(|s| s.attempt);
        let attempt = attempt.and_then(|id| self.endpoint.sessions.get_mut(&id));
        if let Some(attempt) = attempt.and_then(Session::v2_mut)
            && attempt.replaces == Some(old)
        {
            attempt.replaces = Some(new);
        }
        let children: Vec<ChildId> = self.children_of(old);
        for child in children {
            self.endpoint.world.children.hand_over(child, new);
        }
        let peer = self.peer_name(head.peer);
        self.actions.push(Action::IkeEstablished {
            ike: new,
            peer,
            path: head.path,
            replaces: Some(old),
        });
        let wants = self.with(old, |session, _| session.v2_mut().map(|s| s.take_wants()));
        let wants = wants.flatten().unwrap_or_default();
        self.with(new, |session, ctx| {
            session.v2_mut().map(|s| s.adopt_wants(ctx, wants))
        });
        if head.role == Role::Initiator {
            // RFC 7296 §2.8: who has rekeyed deletes the old SA.
            let reason = CloseReason::Replaced;
            self.with(old, |session, ctx| session.close(ctx, reason, true));
        } else {
            let now = self.now;
            self.with(old, |session, _| session.retire(now, false));
        }
    }

    /// A replaced SA is over at both ends: the peer knows the one that has its place.
    pub(super) fn old_is_over(&mut self, gone: &Standing) {
        let heir = self.endpoint.world.standing.serving(gone.device);
        if let Some(heir) = heir.filter(|_| gone.replaced) {
            self.with(heir, |session, ctx| session.v2_mut().map(|s| s.speak(ctx)));
        }
    }

    /// Ends an IKE SA towards its peer.
    pub(super) fn delete_ike_sa(&mut self, ike: IkeId, reason: CloseReason) {
        self.with(ike, |session, ctx| session.close(ctx, reason, true));
    }

    /// An SA that was perhaps to take the place of another has done so, or has ended.
    pub(super) fn forget_rival(&mut self, gone: IkeId, old: Option<IkeId>) {
        let old = old.and_then(|old| self.endpoint.sessions.get_mut(&old));
        if let Some(session) = old.and_then(Session::v2_mut) {
            session.forget_rival(gone);
        }
    }

    pub(in crate::endpoint) fn children_of(&self, ike: IkeId) -> Vec<ChildId> {
        let children = self.endpoint.world.children.under(ike);
        children.map(|c| c.id).collect()
    }

    /// RFC 7296 §1.4.1: all children end with their IKE SA.
    pub(super) fn end_children(&mut self, ike: IkeId, reason: CloseReason) {
        let cause = reason;
        let reason = match reason {
            CloseReason::DeletedByPeer
            | CloseReason::PeerRestarted
            | CloseReason::PeerDead
            | CloseReason::Expired
            | CloseReason::Replaced => reason,
            _ => CloseReason::ParentClosed,
        };
        for child in self.children_of(ike) {
            self.end_child(child, reason, cause);
        }
    }

    /// Keeps what answers a peer that missed our last answer, and a last word of ours.
    pub(super) fn bury(&mut self, mut session: Session, owner: Option<Owner>) {
        let until = self
            .now
            .saturating_add(self.endpoint.config.limits.half_open_time);
        let head = session.head();
        let stood = owner.is_some();
        let answers = session.v2_mut().is_some_and(|s| s.bury(until, stood));
        if answers && !self.endpoint.sessions.contains_key(&head.id) {
            self.endpoint.by_cookies.insert(head.spis, head.id);
            self.endpoint.sessions.insert(head.id, session);
            self.context().touch(TimerKey::Ike(head.id));
            if let Some(owner) = owner {
                self.lingers(head.id, owner);
            }
        }
    }

    /// The peers have to authenticate anew: a new IKE SA with new children, then the end of the old
    /// one (RFC 4478 §2, RFC 7296 §2.8.3).
    pub(super) fn reauthenticate(&mut self, ike: IkeId) {
        let Some(standing) = self.endpoint.world.standing.get(ike) else {
            return;
        };
        if standing.replaced {
            return;
        }
        let index = standing.peer;
        self.want_again_what(ike, index);
        let _started = self.start_phase1(index, Some(ike), None);
    }

    /// The current children of an IKE SA are wanted of the one that takes its place.
    fn want_again_what(&mut self, ike: IkeId, index: usize) {
        let children = self.endpoint.world.children.under(ike);
        let current = children.filter(|c| c.is_current());
        let configs: Vec<usize> = current.map(|c| c.config).collect();
        if let Some(state) = self.endpoint.peers.get_mut(index) {
            for config in configs {
                state.want(config);
            }
        }
    }

    /// The gateway sends us to another one: a new IKE SA with new children there, then the end of the
    /// old one (RFC 5685 §5, §6).
    pub(super) fn redirected(&mut self, ike: IkeId, to: IpAddr) {
        let Some(index) = self.endpoint.sessions.get(&ike).map(|s| s.head().peer) else {
            return;
        };
        self.want_again_what(ike, index);
        if self.start_phase1(index, Some(ike), Some(to)).is_ok() {
            self.endpoint.world.redirects.followed(index, self.now);
        }
    }
}
