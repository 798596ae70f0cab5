//! The life of a pair of IPsec SAs: installed, activated, replaced, deleted.

use alloc::boxed::Box;
use core::time::Duration;

use bytes::Bytes;
use ike_sm::{ChildId, ChildSa, CloseReason, Path};

use super::pair::{Pair, Timer};
use super::{DataAction, DataPlane, Egress, HEADROOM, NotInstalled, TAILROOM};
use crate::actions::Actions;
use crate::event::Event;
use crate::message::{Notice, Update};

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
        let name = sa.name.clone();
        let most = self.config.max_pairs;
        let built = if self.pairs.len() >= most {
            Err(NotInstalled::Full(most))
        } else {
            Pair::build(*sa, settle, self.provider, self.config.replay_window, now)
        };
        match built {
            Ok(pair) => {
                self.by_spi.insert(spi, id);
                self.narrowest.extend(pair.places.iter().copied());
                self.paths.enter(&path);
                self.pairs.insert(id, pair);
            }
            Err(why) => {
                let child = id;
                actions.push(DataAction::Event(Event::NotInstalled { child, name, why }));
                actions.push(DataAction::Notice(Notice::NotInstalled(id)));
            }
        }
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
        let Some(pair) = self.pairs.get_mut(&id) else {
            return;
        };
        pair.replaces = replaces;
        if !pair.settle {
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
        let up = Event::ChildUp {
            child: id,
            ike: pair.sa.ike,
            peer: pair.sa.peer.clone(),
            name: pair.sa.name.clone(),
            replaces,
        };
        if let Some(old) = replaces.and_then(|old| self.pairs.get_mut(&old)) {
            (old.active, old.successor) = (false, None);
        }
        actions.push(DataAction::Event(up));
        self.release(id, now, actions);
    }

    /// Lets packets out through what takes the place of `old`, which cannot wait any longer.
    fn activate_successor(
        &mut self,
        old: ChildId,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) {
        let old = self.pairs.get_mut(&old);
        if let Some(successor) = old.and_then(|old| old.successor.take()) {
            self.activate_outbound(successor, now, actions);
        }
    }

    fn stop_sending(&mut self, id: ChildId, now: Duration, actions: &mut Actions<DataAction>) {
        self.activate_successor(id, now, actions);
        self.set_timer(id, None);
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
        if let Some(pair) = self.pairs.get(&id) {
            actions.push(DataAction::Event(Event::ChildDown {
                child: id,
                peer: pair.sa.peer.clone(),
                name: pair.sa.name.clone(),
                reason,
            }));
        }
        if reason == CloseReason::Replaced {
            // What is still on its way comes in.
            let until = now.saturating_add(self.config.linger);
            self.set_timer(id, Some((until, Timer::Linger)));
        } else {
            self.remove(id);
        }
        // What waits for a pair may ask for one at once.
        for entry in &mut self.policies {
            entry.asked = None;
        }
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
        let selectors = &pair.selectors;
        let released = self.hold.release(|flow| selectors.matches_outbound(flow));
        for held in released {
            let range = HEADROOM..HEADROOM.saturating_add(held.packet.len());
            let mut buffer = alloc::vec![0; range.end.saturating_add(TAILROOM)];
            if let Some(room) = buffer.get_mut(range.clone()) {
                room.copy_from_slice(&held.packet);
            }
            let Some(mut packet) = esp::PacketBuf::new(&mut buffer, range) else {
                continue;
            };
            match self.seal(&mut packet, now, actions) {
                Ok(Egress::Send(transmit)) => {
                    let datagram = Bytes::copy_from_slice(packet.as_slice());
                    actions.push(DataAction::Send(transmit, datagram));
                }
                Ok(Egress::Fragment(how)) => {
                    for (to, piece) in self.pieces(packet.as_slice(), how, now, actions) {
                        actions.push(DataAction::Send(to, piece));
                    }
                }
                _ => {}
            }
        }
    }
}
