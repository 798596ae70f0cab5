//! What is wanted of a peer comes up, and comes back: after which ends, and how soon.

use core::time::Duration;

use crypto_suite::GroupId;

use super::Call;
use crate::child::{self, Child, ChildState};
use crate::core::effects::{Effect, TimerKey};
use crate::event::{Action, What};
use crate::model::{ChildId, CloseReason, DropReason};
use crate::peer::attempts::{Again, again};

/// A child that sends no more.
pub(super) struct Loss {
    index: usize,
    config: usize,
    active: bool,
    overdue: bool,
    activated: Duration,
}

impl Call<'_> {
    fn draw(&mut self) -> u32 {
        u32::from_be_bytes(self.context().random())
    }

    /// Goes on with what is wanted of a peer, as far as no wait stands against it.
    pub(super) fn pursue(&mut self, index: usize) {
        let now = self.now;
        let Some(state) = self.endpoint.peers.get(index) else {
            return;
        };
        let idle = state.due_children(now).is_empty() || self.endpoint.shut_down;
        let waits = if self.endpoint.world.standing.current(index).is_some() {
            state.lets_ask(now)
        } else {
            state.holds_back(now, false)
        };
        self.context().touch(TimerKey::Peer(index));
        if idle || waits {
            return;
        }
        self.begin(index);
    }

    /// Brings up what is wanted of a peer now, or later where an attempt cannot even begin.
    pub(in crate::endpoint) fn begin(&mut self, index: usize) {
        match self.bring_up(index) {
            // Peers without an address come to us.
            Ok(()) | Err(DropReason::AlreadyUnderWay | DropReason::UnknownPeer) => {}
            Err(_) => self.retry_later(index),
        }
    }

    /// An attempt at a peer was refused, or could not even begin: the next one is later each time.
    pub(super) fn retry_later(&mut self, index: usize) {
        let (now, random) = (self.now, self.draw());
        let Some(state) = self.endpoint.peers.get_mut(index) else {
            return;
        };
        let at = state.refused(now, random);
        self.tell_next(index, None, at);
    }

    /// Says when a peer, or a child of it, is asked for again.
    pub(super) fn tell_next(&mut self, index: usize, config: Option<usize>, at: Duration) {
        let Some(peer) = self.endpoint.config.peers.get(index) else {
            return;
        };
        let name = |config: usize| peer.children.get(config).map(|c| c.name.clone());
        let action = Action::NextAttempt {
            peer: peer.name.clone(),
            child: config.and_then(name),
            at,
        };
        self.actions.push(action);
        self.context().touch(TimerKey::Peer(index));
    }

    /// The negotiation of a new child has led to none.
    pub(super) fn not_up(&mut self, index: usize, config: usize, reason: CloseReason) {
        match (again(reason), reason) {
            // Because there is another.
            (_, CloseReason::Replaced) => self.context().effect(Effect::Pursue(index)),
            // Ended with its IKE SA. A peer that ends each one for what is asked of it is not called
            // at the pace of its answers: the first time at once, then after a wait that grows.
            (Again::AtOnce, _) => {
                let state = self.endpoint.peers.get(index);
                if state.is_some_and(|state| state.wants(config)) {
                    self.child_lost(index, config, Duration::ZERO);
                }
            }
            (Again::Never, _) => self.no_longer_wanted(index, config),
            (Again::Later, _) => self.child_refused(index, config),
        }
    }

    fn child_refused(&mut self, index: usize, config: usize) {
        let (now, random) = (self.now, self.draw());
        let keep_up = self.keeps_up(index);
        let Some(state) = self.endpoint.peers.get_mut(index) else {
            return;
        };
        let at = state.child_refused(config, now, random);
        if keep_up {
            state.want(config);
            self.tell_next(index, Some(config), at);
        } else {
            // A packet, or the operator, asks for it again.
            state.unwant(config);
        }
        self.context().touch(TimerKey::Peer(index));
    }

    /// The peer is too busy for a new child.
    pub(super) fn busy(&mut self, index: usize, config: usize) {
        let (now, random) = (self.now, self.draw());
        if let Some(state) = self.endpoint.peers.get_mut(index) {
            state.child_busy(config, now, random);
        }
        self.context().touch(TimerKey::Peer(index));
    }

    /// The group that the peer has last used for a child.
    pub(in crate::endpoint) fn group_of(&self, index: usize, config: usize) -> Option<GroupId> {
        self.endpoint.peers.get(index)?.group_of(config)
    }

    fn keeps_up(&self, index: usize) -> bool {
        let peer = self.endpoint.config.peers.get(index);
        peer.is_some_and(|p| p.keep_up) && !self.endpoint.shut_down
    }

    /// An IKE SA that stood has ended: what was wanted of it is wanted of the next one.
    pub(super) fn goes_on_without(&mut self, index: usize, reason: CloseReason) {
        let other = self.endpoint.world.standing.current(index).is_some();
        let Some(state) = self.endpoint.peers.get_mut(index) else {
            return;
        };
        let under_way = other || state.attempt.is_some();
        if reason == CloseReason::Requested && !under_way {
            state.unwant_all();
        }
        let (wanted, later) = (state.wants_any(), again(reason) == Again::Later);
        if wanted && later && !under_way {
            self.retry_later(index);
        }
        self.context().effect(Effect::Pursue(index));
    }

    pub(super) fn remove_child(&mut self, id: ChildId, reason: CloseReason) {
        self.end_child(id, reason, reason);
    }

    /// Removes a child. `cause` is what it comes from: the end of its IKE SA, perhaps.
    pub(super) fn end_child(&mut self, id: ChildId, reason: CloseReason, cause: CloseReason) {
        let Some(child) = self.endpoint.world.children.get(id) else {
            return;
        };
        let (ike, spi_in) = (child.ike, child.terms.spi_in);
        let loss = self.loss_of(child);
        if child.state == ChildState::Inbound {
            self.with(ike, |session, ctx| session.forget_child(ctx, id));
        }
        let version = self.version_of(ike);
        let mut ctx = self.context_of(version);
        child::remove(&mut ctx, id, reason);
        ctx.note(
            Some(ike),
            What::ChildClosed {
                child: id,
                spi_in,
                reason,
            },
        );
        self.make_up_for(&loss, cause);
    }

    /// What is lost with a child when it sends no more.
    pub(super) fn loss_of(&self, child: &Child) -> Loss {
        Loss {
            index: child.peer,
            config: child.config,
            active: child.state == ChildState::Active,
            overdue: child.initiator && child.is_overdue(self.now),
            activated: child.activated.unwrap_or(child.started),
        }
    }

    /// A child sends no more: another one may be wanted instead.
    pub(super) fn make_up_for(&mut self, loss: &Loss, cause: CloseReason) {
        // What has grown old although its rekey was due, at this end or at the other, was not to
        // end: who has made it makes another one.
        let aged = matches!(cause, CloseReason::Expired | CloseReason::DeletedByPeer);
        let renewed = aged && loss.overdue && !self.endpoint.shut_down;
        let kept = self.keeps_up(loss.index) && again(cause) != Again::Never;
        if loss.active && (kept || renewed) {
            let lasted = self.now.saturating_sub(loss.activated);
            self.child_lost(loss.index, loss.config, lasted);
        }
    }

    /// A child that is to stand is gone.
    fn child_lost(&mut self, index: usize, config: usize, lasted: Duration) {
        let (now, random) = (self.now, self.draw());
        let Some(state) = self.endpoint.peers.get_mut(index) else {
            return;
        };
        if let Some(at) = state.child_lost(config, lasted, now, random) {
            self.tell_next(index, Some(config), at);
        }
        self.context().effect(Effect::Pursue(index));
    }
}
