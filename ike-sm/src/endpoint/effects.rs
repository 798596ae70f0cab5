//! What one SA's progress means to the others: adoption, replacement, loss.

mod devices;
mod established;
mod v2;
mod wanted;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::Call;
use crate::child::{self, Child, ChildState, DeletedChild, Wanted};
use crate::core::effects::{Effect, TimerKey};
use crate::event::{Action, ChildUpdate, What};
use crate::model::{
    ChildId, CloseReason, DropReason, IkeId, IkeVersion, IpsecProtocol, Outcome, Role,
};
use crate::peer::session::Head;
use crate::peer::standing::{Device, Standing};
use crate::policy::pfs::PfsOffer;

/// How often a peer is told of SPIs that nobody has.
const TELL_SPI: Duration = Duration::from_secs(1);

impl Call<'_> {
    /// Works off what sessions and children have noted, until nothing is left.
    pub(super) fn settle(&mut self) {
        while let Some(effect) = self.endpoint.world.effects.pop_front() {
            match effect {
                Effect::CookiesKnown(ike) => self.cookies_known(ike),
                Effect::AddressProved(ike) => self.address_proved(ike),
                Effect::Moved(ike) => self.moved(ike),
                Effect::Established(ike) => self.established(ike),
                Effect::Confirmed(ike) => self.confirmed(ike),
                Effect::InitialContact(ike) => self.initial_contact(ike),
                Effect::Closed(ike, reason) => self.closed(ike, reason),
                Effect::RekeyIke(ike) => self.rekey_ike(ike),
                Effect::FirstChild(child) => child::activate_first(&mut self.context(), child),
                Effect::AskForLife(ike) => {
                    self.with(ike, |session, ctx| session.ask_for_life(ctx));
                }
                Effect::ChildActive(child) => self.child_active(child),
                Effect::RekeyChild(child) => self.rekey_child(child),
                Effect::DeleteChild(child, reason) => self.delete_child(child, reason),
                Effect::ExpireChild(child) => self.expire_child(child),
                Effect::RemoveChild(child, reason) => self.remove_child(child, reason),
                Effect::PeerDead(ike) => self.peer_dead(ike),
                Effect::Reauthenticate(ike) => self.reauthenticate(ike),
                Effect::Born(ike) => self.born(ike),
                Effect::Adopt(old, new) => self.succeed(old, new),
                Effect::DeleteIke(ike, reason) => self.delete_ike_sa(ike, reason),
                Effect::EndIke(ike, reason) => {
                    self.with(ike, |session, ctx| session.close(ctx, reason, false));
                }
                Effect::Retire(ike) => {
                    let now = self.now;
                    self.with(ike, |session, _| session.retire(now, false));
                }
                Effect::NotUp(index, config, reason) => self.not_up(index, config, reason),
                Effect::Busy(index, config) => self.busy(index, config),
                Effect::Pursue(index) => self.pursue(index),
                Effect::Redirected(ike, to) => self.redirected(ike, to),
            }
        }
    }

    /// The IKE SAs that may negotiate a child with a device: its own, and the one that we start.
    pub(super) fn negotiators(&self, index: usize, device: Device) -> Vec<IkeId> {
        let standing = self.endpoint.world.standing.of_device(device);
        let mut all: Vec<IkeId> = standing.map(|(ike, _)| ike).collect();
        all.extend(self.endpoint.peers.get(index).and_then(|peer| peer.attempt));
        all.sort_unstable();
        all.dedup();
        all
    }

    fn cookies_known(&mut self, ike: IkeId) {
        let Some(session) = self.endpoint.sessions.get(&ike) else {
            return;
        };
        let cookies = session.head().spis;
        self.endpoint.by_own_cookie.remove(&cookies.0);
        self.endpoint.by_cookies.insert(cookies, ike);
    }

    /// The peer is at another address: its children's packets go there too.
    fn moved(&mut self, ike: IkeId) {
        let Some(session) = self.endpoint.sessions.get(&ike) else {
            return;
        };
        let (path, site) = (session.head().path, session.site());
        self.endpoint.world.standing.moved(ike, site);
        self.redirect(ike, path);
        // The SA that replaced this one inherits its children, and serves the same peer. (In IKEv2
        // it had them from the start.)
        let standing = self.endpoint.world.standing.get(ike);
        let heir = standing
            .filter(|s| s.replaced)
            .and_then(|s| self.endpoint.world.standing.serving(s.device))
            .filter(|_| self.version_of(ike) == Some(IkeVersion::V1));
        if let Some(heir) = heir {
            self.with(heir, |session, ctx| session.moved(ctx, path.remote));
        }
    }

    /// The children that an SA looks after go where it goes.
    pub(super) fn redirect(&mut self, ike: IkeId, path: crate::model::Path) {
        let children: Vec<ChildId> = self
            .endpoint
            .world
            .children
            .under(ike)
            .filter(|c| c.terms.path != path)
            .map(|c| c.id)
            .collect();
        for child in children {
            if let Some(child) = self.endpoint.world.children.get_mut(child) {
                child.terms.path = path;
            }
            self.actions
                .push(Action::UpdateChild(child, ChildUpdate::Path(path)));
        }
    }

    fn closed(&mut self, ike: IkeId, reason: CloseReason) {
        // What is under way ends with it; it may note further effects.
        self.with(ike, |session, ctx| session.drop_exchanges(ctx, reason));
        let Some(mut session) = self.endpoint.sessions.remove(&ike) else {
            return;
        };
        self.endpoint.world.questions.close_all(ike);
        self.endpoint.half_open.remove(ike);
        self.endpoint.lingering.remove(ike);
        let head = session.head();
        let cookies = head.spis;
        self.endpoint.by_cookies.remove(&cookies);
        if self.endpoint.by_own_cookie.get(&cookies.0) == Some(&ike) {
            self.endpoint.by_own_cookie.remove(&cookies.0);
        }
        let standing = self.endpoint.world.standing.remove(ike);
        if standing.is_none() {
            self.forget_rival(ike, head.replaces);
        }
        self.context().touch(TimerKey::Ike(ike));
        if session.v2_mut().is_some_and(|s| s.is_buried()) {
            return;
        }
        let peer = self.peer_name(head.peer);
        let note = What::IkeClosed {
            version: session.version(),
            peer: peer.clone(),
            reason,
        };
        let version = Some(session.version());
        self.context_of(version).note(Some(ike), note);
        if standing.is_some() || head.role == Role::Initiator {
            self.actions.push(Action::IkeClosed { ike, peer, reason });
        }
        let owner = standing
            .as_ref()
            .map(|s| (s.peer, Some(Arc::clone(&s.remote_id))));
        match standing {
            Some(standing) if session.version() == IkeVersion::V2 => {
                self.end_children(ike, reason);
                self.old_is_over(&standing);
            }
            Some(standing) => self.pass_on(ike, &standing, reason),
            None => {
                // It may have made a child all the same: one that was redirected, or that came second.
                if session.version() == IkeVersion::V2 {
                    self.end_children(ike, reason);
                }
                if head.role == Role::Initiator {
                    self.attempt_failed(&head, reason);
                }
            }
        }
        let stood = owner.is_some();
        self.bury(session, owner);
        if stood {
            self.goes_on_without(head.peer, reason);
        }
    }

    /// Another SA of the same device takes over the children of one that has ended.
    fn pass_on(&mut self, ike: IkeId, gone: &Standing, reason: CloseReason) {
        let (device, now) = (gone.device, self.now);
        let standing = &mut self.endpoint.world.standing;
        let heir = standing.serving(device).or_else(|| {
            let mut rest = standing.of_device(device).map(|(id, _)| id);
            rest.next_back()
        });
        let Some(heir) = heir else {
            return self.orphans(ike, reason);
        };
        if standing.get(heir).is_some_and(|s| s.replaced) {
            standing.set_replaced(heir, false);
            self.with(heir, |session, _| session.reinstate(now));
        }
        self.adopt(device, heir);
    }

    /// No IKE SA is left to look after these children: nothing would tell their end, and nobody
    /// would notice the peer's death. They end with it.
    fn orphans(&mut self, ike: IkeId, cause: CloseReason) {
        for child in self.children_of(ike) {
            self.end_child(child, CloseReason::ParentClosed, cause);
        }
    }

    /// An attempt of ours has led to nothing.
    fn attempt_failed(&mut self, session: &Head, reason: CloseReason) {
        let (index, now) = (session.peer, self.now);
        let random = u32::from_be_bytes(self.context().random());
        let serving = self.endpoint.world.standing.current(index).is_some();
        let Some(peer) = self.endpoint.config.peers.get(index) else {
            return;
        };
        let (name, addresses, keep_up) = (peer.name.clone(), peer.addresses.len(), peer.keep_up);
        let Some(state) = self.endpoint.peers.get_mut(index) else {
            return;
        };
        if state.attempt != Some(session.id) {
            return;
        }
        state.attempt = None;
        // Where another IKE SA serves the peer, its timers try again.
        let wanted = !serving && (keep_up || state.wants_any());
        match reason {
            // A hint that anybody can have sent changes nothing.
            CloseReason::Timeout | CloseReason::RefusedUnproven(_) => {}
            CloseReason::Requested if serving => return,
            CloseReason::Requested => return state.unwant_all(),
            _ if wanted => return self.retry_later(index),
            _ => return self.pursue(index),
        }
        let Some(peer) = self.endpoint.config.peers.get(index) else {
            return;
        };
        // A peer without dead peer detection was asked by this attempt: it does not live.
        let silent = |id: &IkeId| {
            let old = self.endpoint.sessions.get(id);
            old.is_some_and(|old| old.is_silent_since(session.created))
        };
        if let Some(old) = session.replaces.filter(silent) {
            return self.peer_dead(old);
        }
        let Some(state) = self.endpoint.peers.get_mut(index) else {
            return;
        };
        let next = state.failed(peer).map(|ip| peer.first_address(ip));
        if next.is_none() && wanted {
            let at = state.wait(now, addresses, random);
            self.tell_next(index, None, at);
        }
        self.actions.push(Action::PeerDead { peer: name, next });
        // A peer that does not answer a rekey either is dead, whatever still stands.
        self.bury_silent(index, session);
        if next.is_some() && wanted {
            self.begin(index);
        }
    }

    /// Removes what stands with a peer that has not been heard of since `attempt` began.
    fn bury_silent(&mut self, index: usize, attempt: &Head) {
        let silent: Vec<ChildId> = self
            .endpoint
            .world
            .children
            .of_peer(index)
            .filter(|c| {
                c.terms.path.remote.ip() == attempt.path.remote.ip()
                    && c.last_inbound.unwrap_or(c.started) < attempt.created
                    && !self.endpoint.world.standing.contains(c.ike)
            })
            .map(|c| c.id)
            .collect();
        for child in silent {
            self.remove_child(child, CloseReason::PeerDead);
        }
    }

    fn rekey_ike(&mut self, ike: IkeId) {
        let Some(standing) = self.endpoint.world.standing.get(ike) else {
            return;
        };
        if standing.replaced {
            return;
        }
        let index = standing.peer;
        if self.version_of(ike) == Some(IkeVersion::V2) {
            self.with(ike, |session, ctx| session.v2_mut().map(|s| s.rekey(ctx)));
            return;
        }
        let _started = self.start_phase1(index, Some(ike), None);
    }

    /// A child carries traffic: whatever else of ours would only double it is given up.
    fn child_active(&mut self, child: ChildId) {
        let Some(active) = self.endpoint.world.children.get(child) else {
            return;
        };
        let (index, config) = (active.peer, active.config);
        let sessions = self.negotiators(index, active.device);
        let (group, rekeyed) = (active.terms.pfs, active.replaces.is_some());
        if let Some(state) = self.endpoint.peers.get_mut(index) {
            state.child_up(config, group, rekeyed);
        }
        self.context().touch(TimerKey::Peer(index));
        for ike in sessions {
            let Some(session) = self.endpoint.sessions.get_mut(&ike) else {
                continue;
            };
            let mut ctx = crate::context::Context {
                config: &self.endpoint.config,
                provider: self.endpoint.provider,
                now: self.now,
                version: Some(session.version()),
                rng: self.rng,
                actions: self.actions,
                world: &mut self.endpoint.world,
            };
            let Some(active) = ctx.world.children.get(child) else {
                return;
            };
            let traffic = active.traffic();
            session.yield_to(&mut ctx, &traffic);
            ctx.touch(TimerKey::Ike(ike));
        }
    }

    fn rekey_child(&mut self, id: ChildId) {
        let Some(child) = self.endpoint.world.children.get(id) else {
            return;
        };
        let children = &self.endpoint.world.children;
        // Of two rekeys the second would be one of a pair that the first has replaced.
        let replaced = children.has_successor(id, child.device);
        if child.state != ChildState::Active || replaced {
            return;
        }
        let (index, config) = (child.peer, child.config);
        let traffic = child.traffic();
        let shown = child.terms.pfs.or_else(|| self.group_of(index, config));
        let wanted = Wanted {
            traffic: traffic.clone(),
            replaces: Some(id),
            pfs: PfsOffer::begin(shown),
        };
        let under_way = self.negotiators(index, child.device);
        // A child of IKEv2 is rekeyed on the SA that it belongs to (RFC 7296 §1.3.3).
        let serving = match self.version_of(child.ike) {
            Some(IkeVersion::V2) => Some(child.ike),
            _ => self.endpoint.world.standing.serving(child.device),
        };
        let Some(ike) = serving else {
            self.want_again(index, config);
            return;
        };
        if child::postpone(&mut self.context(), id) {
            return;
        }
        let sessions = &self.endpoint.sessions;
        let negotiates = |ike| {
            let session = sessions.get(ike);
            session.is_some_and(|s| s.negotiates_traffic(&traffic))
        };
        if !under_way.iter().any(negotiates) {
            self.with(ike, |session, ctx| session.start_child(ctx, &wanted));
        }
    }

    /// Wants a child although one stands: its IKE SA is gone and it is due for a rekey.
    fn want_again(&mut self, index: usize, config: usize) {
        self.want(index, config);
    }

    pub(super) fn delete_child(&mut self, id: ChildId, reason: CloseReason) {
        let Some(child) = self.endpoint.world.children.get(id) else {
            return;
        };
        let told = child.deleted();
        let by = self.speaks_for(child);
        if reason == CloseReason::Replaced && child.told {
            return;
        }
        let active = child.state == ChildState::Active;
        let lingers = reason == CloseReason::Replaced && child.state == ChildState::Retiring;
        // Its Delete may be under way already.
        if let Some(ike) = by.filter(|_| !child.told) {
            self.with(ike, |session, ctx| session.tell_deleted(ctx, &told));
            if lingers {
                let answered = self.version_of(ike) == Some(IkeVersion::V2);
                return child::linger(&mut self.context(), id, answered);
            }
        }
        // Nothing that it had replaced takes over again.
        match reason {
            // The traffic itself is not wanted any more: its successor goes too, and all at once.
            CloseReason::Requested | CloseReason::Idle => {
                for rival in self.endpoint.world.children.rivals_of(id) {
                    self.delete_kin(rival, reason);
                }
            }
            CloseReason::Expired if active => self.delete_replaced_by(id),
            _ => {}
        }
        self.remove_child(id, reason);
    }

    /// The IKE SA on which the peer is told of the end of a child.
    fn speaks_for(&self, child: &Child) -> Option<IkeId> {
        let standing = &self.endpoint.world.standing;
        match standing.contains(child.ike) {
            true => Some(child.ike),
            false => standing.serving(child.device),
        }
    }

    /// Deletes the pairs that this one has replaced.
    fn delete_replaced_by(&mut self, id: ChildId) {
        let children = &self.endpoint.world.children;
        let retiring = |rival: &ChildId| {
            let state = children.get(*rival).map(|child| child.state);
            state == Some(ChildState::Retiring)
        };
        let rivals = children.rivals_of(id).into_iter();
        for rival in rivals.filter(retiring).collect::<Vec<_>>() {
            self.delete_child(rival, CloseReason::Replaced);
        }
    }

    /// The time of a pair is over: it sends no more, and goes when the peer has heard of that. With no
    /// IKE SA left nothing could be heard, and a pair that its peer has not used has nothing on the way.
    fn expire_child(&mut self, id: ChildId) {
        let Some(child) = self.endpoint.world.children.get(id) else {
            return;
        };
        let (told, deleted) = (child.told, child.deleted());
        let active = child.state == ChildState::Active;
        let by = self.speaks_for(child);
        let Some(ike) = by.filter(|_| child.state != ChildState::Inbound) else {
            return self.delete_child(id, CloseReason::Expired);
        };
        let loss = self.loss_of(child);
        if !told {
            // Where another one carries the traffic, its end decides.
            if active {
                self.delete_replaced_by(id);
            }
            self.with(ike, |session, ctx| session.tell_deleted(ctx, &deleted));
        }
        let answered = self.version_of(ike) == Some(IkeVersion::V2);
        child::expire(&mut self.context(), id, answered);
        self.make_up_for(&loss, CloseReason::Expired);
    }

    /// Ends a pair together with another one for the same traffic. The peer of one that lingers is
    /// told already.
    fn delete_kin(&mut self, id: ChildId, reason: CloseReason) {
        let Some(child) = self.endpoint.world.children.get(id) else {
            return;
        };
        let (ike, told, deleted) = (child.ike, child.told, child.deleted());
        if !told {
            self.with(ike, |session, ctx| session.tell_deleted(ctx, &deleted));
        }
        self.remove_child(id, reason);
    }

    /// A packet has come with an SPI that nobody has.
    pub(super) fn unknown_spi(
        &mut self,
        remote: IpAddr,
        protocol: IpsecProtocol,
        spi: u32,
    ) -> Result<Outcome, DropReason> {
        if self.endpoint.world.children.spi_taken(spi) {
            return Err(DropReason::WrongState);
        }
        // Our own packet came back.
        let children = &self.endpoint.world.children;
        if children.with_spi_out(spi).next().is_some() {
            return Err(DropReason::Reflected);
        }
        let now = self.now;
        let standing = &mut self.endpoint.world.standing;
        let ike = standing.healing(remote).ok_or(DropReason::NoSuchObject)?;
        let told = standing.get(ike).and_then(|s| s.told_spi);
        if told.is_some_and(|at| now < at.saturating_add(TELL_SPI)) {
            return Err(DropReason::Limit("messages about unknown SPIs"));
        }
        standing.told_spi(ike, now);
        let told = DeletedChild {
            protocol,
            spi_in: spi,
            spi_out: 0,
        };
        self.with(ike, |session, ctx| session.tell_deleted(ctx, &told));
        Ok(Outcome::Handled)
    }

    pub(super) fn peer_name(&self, index: usize) -> alloc::string::String {
        self.endpoint
            .config
            .peers
            .get(index)
            .map(|p| p.name.clone())
            .unwrap_or_default()
    }
}
