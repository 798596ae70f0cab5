//! Many virtual routers on many interfaces: finds the router of a packet, keeps one deadline for
//! all, and moves sync groups together.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crate::actions::Actions;
use crate::config::{Config, ConfigError};
use crate::event::{Action, Deadline, DeadlineReason, DropReason, Event, Outcome, State};
use crate::router::Hold;
use crate::{Accept, Advertisement, Counters, Family, Received, Router, Vrid};

/// Which virtual router: IPv4 and IPv6 number theirs apart (RFC 9568 §1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterKey {
    /// The embedder's number of the interface.
    pub interface: u32,
    /// The address family, of which each has its own numbers.
    pub family: Family,
    /// The number of the virtual router within interface and family.
    pub vrid: Vrid,
}

/// What happens to a [`Speaker`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum SpeakerEvent<'a> {
    /// A packet of IP protocol 112 arrived.
    Received {
        /// The embedder's number of the interface that it arrived on.
        interface: u32,
        /// The VRRP message with the facts of its IP header.
        packet: Received<'a>,
    },
    /// An interface is up with this address: starts its routers of the address's family.
    InterfaceUp {
        /// The embedder's number of the interface.
        interface: u32,
        /// The primary IPv4 or link-local IPv6 address of the interface.
        address: IpAddr,
    },
    /// An interface is gone: its routers stop and send nothing.
    InterfaceDown {
        /// The embedder's number of the interface.
        interface: u32,
    },
    /// A tracked object changed, for every router that tracks it.
    Track {
        /// The embedder's number of the object.
        object: u32,
        /// Whether the object is up.
        up: bool,
    },
    /// The time of [`Speaker::next_deadline`] is reached.
    Deadline,
    /// An event for one router, which no other router sees.
    Router {
        /// The router that the event is for.
        key: RouterKey,
        /// What happens to the router.
        event: Event<'a>,
    },
    /// Stop all routers; those that are master say so (priority 0).
    Shutdown,
}

/// An action of one of the routers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeakerAction {
    /// The router that wants it done.
    pub router: RouterKey,
    /// What the embedder has to do.
    pub action: Action,
}

/// The deadline of one of the routers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpeakerDeadline {
    /// The time, on the caller's clock.
    pub at: Duration,
    /// What is due then.
    pub why: DeadlineReason,
    /// The router that it belongs to.
    pub router: RouterKey,
}

impl SpeakerDeadline {
    const fn of(router: RouterKey, deadline: Deadline) -> Self {
        let Deadline { at, why } = deadline;
        Self { at, why, router }
    }
}

/// A router that cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// The configuration of the router is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The interface has this VRID already.
    #[error("VRID {} is taken on this interface", .0.vrid)]
    Taken(RouterKey),
}

/// A sync group that cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// A router that was never added.
    #[error("VRID {} is not configured", .0.vrid)]
    Unknown(RouterKey),
    /// The router is a member of another group.
    #[error("VRID {} is in another sync group", .0.vrid)]
    Member(RouterKey),
    /// An owner is master whenever it runs (RFC 9568 §6.4.1): it follows no group.
    #[error("VRID {} owns its addresses", .0.vrid)]
    Owner(RouterKey),
}

/// All virtual routers of a machine.
#[derive(Debug, Clone, Default)]
pub struct Speaker {
    routers: BTreeMap<RouterKey, Member>,
    deadlines: BTreeSet<SpeakerDeadline>,
    groups: Vec<Vec<RouterKey>>,
    counters: Counters,
}

#[derive(Debug, Clone)]
struct Member {
    router: Router,
    group: Option<usize>,
}

impl Speaker {
    /// A speaker without routers.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            routers: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            groups: Vec::new(),
            counters: Counters {
                became_master: 0,
                sent: 0,
                priority_zero_sent: 0,
                received: 0,
                priority_zero_received: 0,
                dropped: BTreeMap::new(),
            },
        }
    }

    /// Adds a router on an interface; it starts with [`SpeakerEvent::InterfaceUp`].
    ///
    /// # Errors
    /// A wrong configuration, or a VRID that the interface has already.
    pub fn add(&mut self, interface: u32, config: Config) -> Result<RouterKey, AddError> {
        let key = RouterKey {
            interface,
            family: config.family(),
            vrid: config.vrid,
        };
        if self.routers.contains_key(&key) {
            return Err(AddError::Taken(key));
        }
        let router = Router::new(config)?;
        self.routers.insert(
            key,
            Member {
                router,
                group: None,
            },
        );
        Ok(key)
    }

    /// Puts routers into a sync group: they are master or backup together, and none is master
    /// while one of them is out.
    ///
    /// # Errors
    /// A router that does not exist, is in another group, or owns its addresses.
    pub fn synchronise(&mut self, members: &[RouterKey]) -> Result<(), SyncError> {
        for key in members {
            match self.routers.get(key) {
                None => return Err(SyncError::Unknown(*key)),
                Some(Member { group: Some(_), .. }) => return Err(SyncError::Member(*key)),
                Some(member) if member.router.config().priority.is_owner() => {
                    return Err(SyncError::Owner(*key));
                }
                Some(_) => {}
            }
        }
        let group = self.groups.len();
        self.groups.push(members.to_vec());
        for key in members {
            if let Some(member) = self.routers.get_mut(key) {
                member.group = Some(group);
            }
        }
        self.refresh_holds(group);
        Ok(())
    }

    /// Takes one event. What is to be done is in `actions` when the call returns.
    pub fn handle(
        &mut self,
        event: SpeakerEvent<'_>,
        now: Duration,
        actions: &mut Actions<SpeakerAction>,
    ) -> Outcome {
        match event {
            SpeakerEvent::Received { interface, packet } => {
                self.on_received(interface, &packet, now, actions)
            }
            SpeakerEvent::InterfaceUp { interface, address } => {
                let family = Family::of(address);
                let keys = self.keys(|key| key.interface == interface && key.family == family);
                self.each(keys, Event::Startup { address }, now, actions)
            }
            SpeakerEvent::InterfaceDown { interface } => {
                let keys = self.keys(|key| key.interface == interface);
                self.each(keys, Event::InterfaceDown, now, actions)
            }
            SpeakerEvent::Track { object, up } => {
                let keys = self.keys(|_| true);
                self.each(keys, Event::Track { object, up }, now, actions)
            }
            SpeakerEvent::Shutdown => {
                let keys = self.keys(|_| true);
                self.each(keys, Event::Shutdown, now, actions)
            }
            SpeakerEvent::Deadline => self.on_deadline(now, actions),
            SpeakerEvent::Router { key, event } => {
                self.one(key, now, actions, |router, actions| {
                    router.handle(event, now, actions)
                })
            }
        }
    }

    /// When [`SpeakerEvent::Deadline`] is due, what for and for whom.
    #[must_use]
    pub fn next_deadline(&self) -> Option<SpeakerDeadline> {
        self.deadlines.first().copied()
    }

    /// The router with this key; `None` if it was not added.
    #[must_use]
    pub fn router(&self, key: &RouterKey) -> Option<&Router> {
        self.routers.get(key).map(|member| &member.router)
    }

    /// All routers, by interface, family and VRID.
    pub fn routers(&self) -> impl Iterator<Item = (&RouterKey, &Router)> {
        self.routers
            .iter()
            .map(|(key, member)| (key, &member.router))
    }

    /// Packets that belong to no router: malformed ones and unknown VRIDs.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn on_received(
        &mut self,
        interface: u32,
        packet: &Received<'_>,
        now: Duration,
        actions: &mut Actions<SpeakerAction>,
    ) -> Outcome {
        // Whose packet it is. What of it is acceptable is for that router to say, with its TTL and
        // its checksum reading: it reads the octets itself.
        let lenient = Accept {
            min_ttl: 0,
            checksum: None,
        };
        let found = Advertisement::parse(packet, lenient).map_err(DropReason::from);
        let found = found.and_then(|advertisement| {
            let (family, vrid) = (advertisement.family(), advertisement.vrid());
            let key = RouterKey {
                interface,
                family,
                vrid,
            };
            match self.routers.contains_key(&key) {
                true => Ok(key),
                false => Err(DropReason::UnknownVrid(vrid)),
            }
        });
        match found {
            Ok(key) => self.one(key, now, actions, |router, actions| {
                router.handle(Event::Received(*packet), now, actions)
            }),
            Err(reason) => {
                self.counters.drop_for(&reason);
                Outcome::Dropped(reason)
            }
        }
    }

    fn on_deadline(&mut self, now: Duration, actions: &mut Actions<SpeakerAction>) -> Outcome {
        let mut outcome = Outcome::Dropped(DropReason::NotDue);
        while let Some(due) = self.next_deadline().filter(|due| due.at <= now) {
            outcome = self.one(due.router, now, actions, |router, actions| {
                router.handle(Event::Deadline, now, actions)
            });
        }
        outcome
    }

    fn keys(&self, wanted: impl Fn(&RouterKey) -> bool) -> Vec<RouterKey> {
        self.routers
            .keys()
            .filter(|key| wanted(key))
            .copied()
            .collect()
    }

    /// Gives the same event to several routers; it is handled if one of them handles it.
    fn each(
        &mut self,
        keys: Vec<RouterKey>,
        event: Event<'_>,
        now: Duration,
        actions: &mut Actions<SpeakerAction>,
    ) -> Outcome {
        let mut outcome = Outcome::Dropped(DropReason::NoChange);
        for key in keys {
            let one = self.one(key, now, actions, |router, actions| {
                router.handle(event, now, actions)
            });
            if outcome != Outcome::Handled {
                outcome = one;
            }
        }
        outcome
    }

    fn one(
        &mut self,
        key: RouterKey,
        now: Duration,
        actions: &mut Actions<SpeakerAction>,
        call: impl FnOnce(&mut Router, &mut Actions) -> Outcome,
    ) -> Outcome {
        let mut outcome = Outcome::Dropped(DropReason::UnknownVrid(key.vrid));
        let before = self.router(&key).map(Router::state);
        self.with(key, actions, |router, actions| {
            outcome = call(router, actions)
        });
        let after = self.router(&key).map(Router::state);
        let group = self.routers.get(&key).and_then(|member| member.group);
        if let (Some(group), Some(after)) = (group, after) {
            if before != Some(after) {
                self.follow(group, key, after, now, actions);
            }
            self.refresh_holds(group);
        }
        outcome
    }

    /// Calls one router, passes its actions on and keeps its deadline.
    fn with(
        &mut self,
        key: RouterKey,
        actions: &mut Actions<SpeakerAction>,
        call: impl FnOnce(&mut Router, &mut Actions),
    ) {
        // A key that was never added: its caller reports that.
        let Some(member) = self.routers.get_mut(&key) else {
            return;
        };
        let before = member.router.next_deadline();
        let mut own = Actions::new();
        call(&mut member.router, &mut own);
        let after = member.router.next_deadline();
        for action in own.drain() {
            actions.push(SpeakerAction {
                router: key,
                action,
            });
        }
        if before != after {
            if let Some(deadline) = before {
                self.deadlines.remove(&SpeakerDeadline::of(key, deadline));
            }
            if let Some(deadline) = after {
                self.deadlines.insert(SpeakerDeadline::of(key, deadline));
            }
        }
    }

    /// The members of a sync group follow the one that changed.
    fn follow(
        &mut self,
        group: usize,
        leader: RouterKey,
        state: State,
        now: Duration,
        actions: &mut Actions<SpeakerAction>,
    ) {
        let members = self.groups.get(group).cloned().unwrap_or_default();
        for key in members.into_iter().filter(|key| *key != leader) {
            self.with(key, actions, |router, actions| match state {
                State::Master => router.sync_to_master(now, actions),
                State::Backup | State::Initialize => router.sync_to_backup(now, actions),
            });
        }
    }

    fn refresh_holds(&mut self, group: usize) {
        // Groups are never removed, so that a member's number is valid.
        let Some(members) = self.groups.get(group) else {
            return;
        };
        let routers = || members.iter().filter_map(|key| self.routers.get(key));
        let hold = Hold {
            all: routers().any(|member| !member.router.is_able()),
            preempt: routers().any(|member| member.router.follows_better()),
        };
        for key in members {
            if let Some(member) = self.routers.get_mut(key) {
                member.router.set_hold(hold);
            }
        }
    }
}
