//! The life of a pair of IPsec SAs: installed, activated, replaced, deleted.

use alloc::boxed::Box;
use core::time::Duration;

use bytes::Bytes;
use ike_sm::{ChildId, ChildSa, CloseReason, Path};

use super::outbound::acquire;
use super::pair::{Pair, Timer};
use super::{DataAction, DataPlane, Egress, Entry, NotInstalled};
use crate::actions::Actions;
use crate::buffer::Buffer;
use crate::config::PolicyAction;
use crate::event::Event;
use crate::message::{Notice, Update};

/// How long nothing asks for a child again whose pair could not be installed.
const NOT_INSTALLED: Duration = Duration::from_secs(30);

impl Entry {
    /// Whether it asks for this child.
    fn asks_for(&self, peer: &str, child: &str) -> bool {
        match &self.action {
            PolicyAction::Protect {
                peer: own_peer,
                child: own_child,
                ..
            } => own_peer == peer && own_child == child,
            PolicyAction::Bypass | PolicyAction::Discard => false,
        }
    }
}

impl DataPlane {
    /// Does what control has decided.
    pub fn update(&mut self, update: Update, now: Duration, actions: &mut Actions<DataAction>) {
        match update {
            Update::Policies(policies) => self.set_policies(policies),
            Update::Install { sa, settle } => self.install(sa, settle, now, actions),
            Update::Activate { child, replaces } => self.activate(child, replaces, now, actions),
            Update::StopSending(child) => self.stop_sending(child, now, actions),
            Update::Path(child, path) => self.set_path(child, path),
            Update::Lifetime(child, lifetime) => {
                if let Some(pair) = self.pairs.get_mut(&child) {
                    pair.lifetime = lifetime;
                }
            }
            Update::SkipSequence(child, count) => {
                if let Some(pair) = self.pairs.get_mut(&child) {
                    pair.outbound.skip(count);
                }
            }
            Update::Forget { peer, child } => self.forget(&peer, &child),
            Update::Remove { child, reason } => self.delete(child, reason, now, actions),
        }
    }

    fn install(
        &mut self,
        sa: Box<ChildSa>,
        settle: bool,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) {
        let (id, spi, path) = (sa.id, sa.spi_in, sa.path);
        let (peer, name) = (sa.peer.clone(), sa.name.clone());
        // Handles are given once; who installs one again means the newer pair.
        self.remove(id);
        let most = self.config.max_pairs;
        let built = if self.pairs.len() >= most {
            Err(NotInstalled::Full(most))
        } else {
            let (number, window) = (self.peer_number(&sa.peer), self.config.replay_window);
            Pair::build(*sa, number, settle, self.provider, window, now)
        };
        match built {
            Ok(pair) => {
                self.by_spi.insert(spi, id);
                self.narrowest.extend(pair.places.iter().copied());
                self.paths.enter(&path);
                self.pairs.insert(id, pair);
            }
            Err(why) => {
                // The next packet would lead to the same again.
                let later = now.saturating_add(NOT_INSTALLED);
                for entry in self.policies_of(&peer, &name) {
                    entry.asked = Some(later);
                }
                let child = id;
                actions.push(DataAction::Event(Event::NotInstalled { child, name, why }));
                actions.push(DataAction::Notice(Notice::NotInstalled(id)));
            }
        }
    }

    /// The policies that ask for this child.
    fn policies_of<'a>(
        &'a mut self,
        peer: &str,
        child: &str,
    ) -> impl Iterator<Item = &'a mut Entry> {
        self.policies
            .iter_mut()
            .filter(move |entry| entry.asks_for(peer, child))
    }

    /// Packets may leave through `id`, at once or in a moment.
    fn activate(
        &mut self,
        id: ChildId,
        replaces: Option<ChildId>,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) {
        let wait = self.config.settle;
        // One that is deleted comes to life no more.
        let Some(pair) = self.pairs.get_mut(&id).filter(|pair| !pair.lingers()) else {
            return;
        };
        pair.replaces = replaces;
        if !pair.settle || wait.is_zero() {
            return self.activate_outbound(id, now, actions);
        }
        self.set_timer(id, Some((now.saturating_add(wait), Timer::Settle)));
        if let Some(old) = replaces.and_then(|old| self.pairs.get_mut(&old)) {
            old.successor = Some(id);
        }
    }

    /// Packets leave through `id` from now on, those that have waited first.
    fn activate_outbound(&mut self, id: ChildId, now: Duration, actions: &mut Actions<DataAction>) {
        self.set_timer(id, None);
        let Some(pair) = self.pairs.get_mut(&id) else {
            return;
        };
        (pair.active, pair.unproved) = (true, false);
        let replaces = pair.replaces;
        let (peer, name) = (pair.sa.peer.clone(), pair.sa.name.clone());
        let up = Event::ChildUp {
            child: id,
            ike: pair.sa.ike,
            peer: peer.clone(),
            name: name.clone(),
            replaces,
        };
        if let Some(old) = replaces {
            // It has not let packets out yet, and never will.
            self.stop_settling(old);
            if let Some(old) = self.pairs.get_mut(&old) {
                (old.active, old.successor) = (false, None);
            }
        }
        actions.push(DataAction::Event(up));
        self.release(id, now, actions);
        self.ask_for_rest(&peer, &name, now, actions);
    }

    /// Packets of a child that its pair does not cover, having been narrowed, ask for another.
    fn ask_for_rest(
        &mut self,
        peer: &str,
        name: &str,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) {
        for (index, entry) in self.policies.iter_mut().enumerate() {
            if !entry.asks_for(peer, name) {
                continue;
            }
            entry.asked = None;
            if let Some(held) = self.hold.find(|held| held.policy == index) {
                entry.asked = Some(now);
                actions.push(acquire(&held.flow));
            }
        }
    }

    /// Lets packets out through what takes the place of `old`, which cannot wait any longer.
    fn activate_successor(
        &mut self,
        old: ChildId,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) {
        let old = self.pairs.get_mut(&old);
        let successor = old.and_then(|old| old.successor.take());
        let settles = successor.and_then(|id| self.pairs.get(&id)?.timer);
        if let (Some(id), Some((_, Timer::Settle))) = (successor, settles) {
            self.activate_outbound(id, now, actions);
        }
    }

    /// A pair that settles lets no packets out after all.
    fn stop_settling(&mut self, id: ChildId) {
        let Some(pair) = self.pairs.get(&id) else {
            return;
        };
        if !matches!(pair.timer, Some((_, Timer::Settle))) {
            return;
        }
        let replaces = pair.replaces;
        self.set_timer(id, None);
        if let Some(old) = replaces.and_then(|old| self.pairs.get_mut(&old))
            && old.successor == Some(id)
        {
            old.successor = None;
        }
    }

    fn stop_sending(&mut self, id: ChildId, now: Duration, actions: &mut Actions<DataAction>) {
        self.activate_successor(id, now, actions);
        self.stop_settling(id);
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.active = false;
        }
    }

    fn delete(
        &mut self,
        id: ChildId,
        reason: CloseReason,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) {
        self.stop_sending(id, now, actions);
        let Some(pair) = self.pairs.get(&id) else {
            return;
        };
        let (peer, name) = (pair.sa.peer.clone(), pair.sa.name.clone());
        // What wants out next may ask for another at once.
        for entry in self.policies_of(&peer, &name) {
            entry.asked = None;
        }
        actions.push(DataAction::Event(Event::ChildDown {
            child: id,
            peer,
            name,
            reason,
        }));
        let linger = self.config.linger;
        if reason == CloseReason::Replaced && !linger.is_zero() {
            // What is still on its way comes in.
            let until = now.saturating_add(linger);
            self.set_timer(id, Some((until, Timer::Linger)));
        } else {
            self.remove(id);
        }
    }

    fn forget(&mut self, peer: &str, child: &str) {
        let policies = &self.policies;
        self.hold.forget(|held| {
            let policy = policies.get(held.policy);
            policy.is_some_and(|entry| entry.asks_for(peer, child))
        });
    }

    fn remove(&mut self, id: ChildId) {
        self.set_timer(id, None);
        let Some(pair) = self.pairs.remove(&id) else {
            return;
        };
        for place in &pair.places {
            self.narrowest.remove(place);
        }
        let spi = pair.inbound.spi().value();
        // The SPI may have been given to a newer pair.
        if self.by_spi.get(&spi) == Some(&id) {
            self.by_spi.remove(&spi);
        }
        self.paths.leave(&pair.path);
    }

    fn set_path(&mut self, id: ChildId, path: Path) {
        if let Some(pair) = self.pairs.get_mut(&id) {
            self.paths.enter(&path);
            self.paths.leave(&pair.path);
            pair.set_path(path);
        }
    }

    fn set_timer(&mut self, id: ChildId, timer: Option<(Duration, Timer)>) {
        let Some(pair) = self.pairs.get_mut(&id) else {
            return;
        };
        if let Some((at, _)) = core::mem::replace(&mut pair.timer, timer) {
            self.timers.remove(&(at, id));
        }
        if let Some((at, _)) = timer {
            self.timers.insert((at, id));
        }
    }

    /// The pairs whose moment has come do what they wait for.
    pub(super) fn run_timers(&mut self, now: Duration, actions: &mut Actions<DataAction>) {
        while let Some(&(at, id)) = self.timers.first() {
            if at > now {
                return;
            }
            self.timers.remove(&(at, id));
            let timer = self.pairs.get_mut(&id).and_then(|pair| pair.timer.take());
            match timer {
                Some((_, Timer::Settle)) => self.activate_outbound(id, now, actions),
                Some((_, Timer::Linger)) => self.remove(id),
                None => {}
            }
        }
    }

    /// Lets the packets go that waited for a pair like this one.
    fn release(&mut self, id: ChildId, now: Duration, actions: &mut Actions<DataAction>) {
        let Some(pair) = self.pairs.get(&id) else {
            return;
        };
        let (selectors, peer) = (&pair.selectors, pair.sa.peer_number);
        let policies = &self.policies;
        let released = self.hold.release(|held| {
            let policy = policies.get(held.policy);
            let of_peer = policy.is_none_or(|entry| entry.peer == Some(peer));
            of_peer && selectors.matches_outbound(&held.flow)
        });
        for held in released {
            let mut buffer = Buffer::new(held.packet.len());
            let mut packet = buffer.fill(&held.packet);
            match self.seal(&mut packet, now, actions) {
                Ok(Egress::Send(transmit)) => {
                    let datagram = Bytes::copy_from_slice(packet.as_slice());
                    actions.push(DataAction::Send(transmit, datagram));
                }
                Ok(Egress::Fragment(how)) => {
                    let (pieces, lost) = self.pieces(packet.as_slice(), how, now, actions);
                    for (to, piece) in pieces {
                        actions.push(DataAction::Send(to, piece));
                    }
                    self.hold.count(usize::from(lost.is_some()));
                }
                // The source of one that is too big has been told; whatever else is lost is counted.
                Ok(Egress::TooBig { .. } | Egress::Held { .. }) => {}
                Ok(Egress::Bypass) | Err(_) => self.hold.count(1),
            }
        }
    }
}
