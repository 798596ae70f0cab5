//! The state machine of one virtual router (RFC 3768 §6.4, RFC 9568 §6.4).
//!
//! ```text
//!                   +---------------+
//!        +--------->|  Initialize   |<-------------+
//!        |   +------|               |----------+   |
//!        |   V      +---------------+          V   |
//!   +---------------+                     +---------------+
//!   |    Master     |<--------------------|    Backup     |
//!   |               |-------------------->|               |
//!   +---------------+                     +---------------+
//! ```

mod receive;
mod status;
mod timers;

use alloc::collections::{BTreeMap, BTreeSet};
use core::net::IpAddr;
use core::time::Duration;

pub use status::{Show, Status, TrackStatus};
pub(crate) use timers::Timers;

use crate::actions::Actions;
use crate::config::{Config, ConfigError, TrackEffect};
use crate::event::{
    Action, Addresses, Deadline, DropReason, Event, Outcome, Reason, State, Transmit, Warning,
    password_octets,
};
use crate::timing::{master_down_interval, skew_time};
use crate::{Advertisement, Announcement, Family, Interval, Priority};

/// Time between two warnings.
const WARN_GAP: Duration = Duration::from_secs(10);
/// How many advertisements of lower priority are answered at once per interval.
const ASSERTS_PER_INTERVAL: u8 = 3;

/// One virtual router on one interface.
#[derive(Debug, Clone)]
pub struct Router {
    config: Config,
    state: State,
    since: Duration,
    /// The source of our packets, while running.
    local: Option<IpAddr>,
    timers: Timers,
    /// Active_Adver_Interval: the interval of the master that is followed (RFC 9568 §6.1).
    master_interval: Interval,
    master: Option<Master>,
    down_objects: BTreeSet<u32>,
    /// When `master` was last heard of.
    heard: Duration,
    hold: Hold,
    asserts: u8,
    warned: Option<Duration>,
    counters: Counters,
}

/// What the other members of a sync group forbid a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Hold {
    /// A member does not run: no member becomes master.
    pub(crate) all: bool,
    /// A member follows a better master: no member takes over from a live master.
    pub(crate) preempt: bool,
}

/// The master whose advertisement was last taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Master {
    /// The primary address that the master's advertisements come from.
    pub address: IpAddr,
    /// The priority that the master has advertised.
    pub priority: Priority,
    /// The interval that the master has advertised.
    pub interval: Interval,
}

/// Counters of one virtual router (RFC 6527, RFC 2787).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// How often the router became master.
    pub became_master: u64,
    /// Advertisements sent, one for all unicast peers.
    pub sent: u64,
    /// Advertisements sent with priority 0, which are among [`sent`](Self::sent).
    pub priority_zero_sent: u64,
    /// Advertisements that passed all checks.
    pub received: u64,
    /// Advertisements with priority 0, which are among [`received`](Self::received).
    pub priority_zero_received: u64,
    /// Packets dropped, by the reason's name.
    pub dropped: BTreeMap<&'static str, u64>,
}

impl Counters {
    pub(crate) fn count(counter: &mut u64) {
        *counter = counter.saturating_add(1);
    }

    pub(crate) fn drop_for(&mut self, reason: &DropReason) {
        Self::count(self.dropped.entry(reason.name()).or_default());
    }
}

impl Router {
    /// A router in state Initialize.
    ///
    /// # Errors
    /// See [`Config::check`].
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let master_interval = config.interval;
        Ok(Self {
            config,
            state: State::Initialize,
            since: Duration::ZERO,
            local: None,
            timers: Timers::default(),
            master_interval,
            master: None,
            down_objects: BTreeSet::new(),
            heard: Duration::ZERO,
            hold: Hold::default(),
            asserts: 0,
            warned: None,
            counters: Counters::default(),
        })
    }

    /// Takes one event. What is to be done is in `actions` when the call returns.
    pub fn handle(&mut self, event: Event<'_>, now: Duration, actions: &mut Actions) -> Outcome {
        let result = match event {
            Event::Startup { address } => self.on_startup(address, now, actions),
            Event::Shutdown => self.on_stop(Reason::Shutdown, now, actions),
            Event::InterfaceDown => self.on_stop(Reason::InterfaceDown, now, actions),
            Event::Received(received) => {
                match Advertisement::parse(&received, self.config.accept) {
                    Ok(advertisement) => return self.advertisement(&advertisement, now, actions),
                    Err(error) => {
                        let reason = DropReason::Packet(error);
                        self.counters.drop_for(&reason);
                        Err(reason)
                    }
                }
            }
            Event::Deadline => self.on_deadline(now, actions),
            Event::Track { object, up } => self.on_track(object, up, now, actions),
            Event::SetPriority(priority) => self.on_priority(priority, now),
        };
        match result {
            Ok(()) => Outcome::Handled,
            Err(reason) => Outcome::Dropped(reason),
        }
    }

    /// When [`Event::Deadline`] is due, and what for.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.timers.next()
    }

    /// The state that the router is in (RFC 9568 §6.4).
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The configuration, with the priority that was set last.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What was counted since the router was made.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The priority after tracking: the configured one minus the decrements of the objects that
    /// are down, 1 at the lowest; always 255 for the owner.
    #[must_use]
    pub fn effective_priority(&self) -> Priority {
        if self.config.priority.is_owner() {
            return Priority::OWNER;
        }
        let down = self
            .config
            .tracks
            .iter()
            .filter(|t| self.down_objects.contains(&t.object));
        let decrement = down.fold(0u8, |sum, track| match track.effect {
            TrackEffect::Decrement(by) => sum.saturating_add(by),
            TrackEffect::Fault => sum,
        });
        Priority(self.config.priority.0.saturating_sub(decrement).max(1))
    }

    /// Whether the router takes part: started, and no fault.
    pub(crate) fn is_able(&self) -> bool {
        self.state != State::Initialize
    }

    /// Whether a master that is better than us is there.
    pub(crate) fn follows_better(&self) -> bool {
        self.state == State::Backup
            && self.timers.preempt.is_none()
            && self
                .master
                .is_some_and(|master| master.priority >= self.effective_priority())
    }

    pub(crate) fn set_hold(&mut self, hold: Hold) {
        self.hold = hold;
    }

    /// The sync group makes it master.
    pub(crate) fn sync_to_master(&mut self, now: Duration, actions: &mut Actions) {
        if self.state == State::Backup {
            self.become_master(Reason::SyncGroup, now, actions);
        }
    }

    /// The sync group makes it backup; it says so, for the others to take over at once.
    pub(crate) fn sync_to_backup(&mut self, now: Duration, actions: &mut Actions) {
        if self.state == State::Master && !self.config.priority.is_owner() {
            // Addresses go before the word that lets another router take them.
            self.release(actions);
            self.send(Priority::STOP, actions);
            self.master_interval = self.config.interval;
            self.enter_backup(Reason::SyncGroup, now, actions);
        }
    }

    fn on_startup(
        &mut self,
        address: IpAddr,
        now: Duration,
        actions: &mut Actions,
    ) -> Result<(), DropReason> {
        if Family::of(address) != self.config.family() {
            return Err(DropReason::InvalidSource(address));
        }
        if self.local == Some(address) {
            return Err(DropReason::NoChange);
        }
        let running = self.local.replace(address).is_some();
        if running || self.fault().is_some() {
            return Ok(());
        }
        if self.config.startup_delay.is_zero() {
            self.begin(Reason::Startup, now, actions);
        } else {
            self.timers.startup = Some(now.saturating_add(self.config.startup_delay));
        }
        Ok(())
    }

    fn on_stop(
        &mut self,
        reason: Reason,
        now: Duration,
        actions: &mut Actions,
    ) -> Result<(), DropReason> {
        if self.local.is_none() {
            return Err(DropReason::NotRunning);
        }
        self.enter_initialize(reason, now, actions);
        self.local = None;
        Ok(())
    }

    fn on_track(
        &mut self,
        object: u32,
        up: bool,
        now: Duration,
        actions: &mut Actions,
    ) -> Result<(), DropReason> {
        if !self
            .config
            .tracks
            .iter()
            .any(|track| track.object == object)
        {
            return Err(DropReason::UnknownObject(object));
        }
        let (was, before) = (self.state, self.master_down_interval());
        let changed = match up {
            true => self.down_objects.remove(&object),
            false => self.down_objects.insert(object),
        };
        if !changed {
            return Err(DropReason::NoChange);
        }
        let waiting = self.timers.startup.is_some();
        match self.fault() {
            Some(object) if self.state != State::Initialize || waiting => {
                self.enter_initialize(Reason::TrackFault { object }, now, actions);
            }
            None if self.state == State::Initialize && self.local.is_some() && !waiting => {
                self.begin(Reason::TrackRecovered, now, actions);
            }
            _ => {}
        }
        if self.state == was {
            self.follow_priority(before, now);
        }
        Ok(())
    }

    /// The priority changed. A backup waits as if it had had the new one all the time; one that was
    /// about to preempt is so no longer, if the master is better now.
    fn follow_priority(&mut self, before: Duration, now: Duration) {
        if self.state != State::Backup {
            return;
        }
        let after = self.master_down_interval();
        let moved = |at: Duration| at.saturating_add(after).saturating_sub(before).max(now);
        self.timers.master_down = self.timers.master_down.map(moved);
        let priority = self.effective_priority();
        if self
            .master
            .is_some_and(|master| master.priority >= priority)
        {
            self.timers.preempt = None;
        }
    }

    fn on_priority(&mut self, priority: Priority, now: Duration) -> Result<(), DropReason> {
        let owner = self.config.priority.is_owner();
        if priority == Priority::STOP || owner || priority.is_owner() {
            return Err(DropReason::InvalidPriority(priority));
        }
        if self.config.priority == priority {
            return Err(DropReason::NoChange);
        }
        let before = self.master_down_interval();
        self.config.priority = priority;
        self.follow_priority(before, now);
        Ok(())
    }

    /// The tracked object that keeps the router out, if there is one.
    fn fault(&self) -> Option<u32> {
        let mut faults = self
            .config
            .tracks
            .iter()
            .filter(|t| t.effect == TrackEffect::Fault);
        faults
            .find(|track| self.down_objects.contains(&track.object))
            .map(|track| track.object)
    }

    /// RFC 9568 §6.4.1: what a Startup event does.
    fn begin(&mut self, reason: Reason, now: Duration, actions: &mut Actions) {
        self.timers.startup = None;
        if self.config.priority.is_owner() {
            let reason = if reason == Reason::Startup {
                Reason::Owner
            } else {
                reason
            };
            self.become_master(reason, now, actions);
        } else {
            self.master_interval = self.config.interval;
            self.enter_backup(reason, now, actions);
        }
    }

    fn become_master(&mut self, reason: Reason, now: Duration, actions: &mut Actions) {
        let priority = self.effective_priority();
        self.send(priority, actions);
        actions.push(Action::AddAddresses(self.held_addresses()));
        self.timers = Timers {
            advertise: Some(now.saturating_add(self.config.interval.duration())),
            ..Timers::default()
        };
        self.asserts = 0;
        self.master = self.local.map(|address| Master {
            address,
            priority,
            interval: self.config.interval,
        });
        self.master_interval = self.config.interval;
        Counters::count(&mut self.counters.became_master);
        self.start_announcing(now, actions);
        self.enter(State::Master, reason, now, actions);
    }

    /// RFC 9568 §6.4.1, §6.4.3: Active_Down_Timer to Active_Down_Interval, {Backup}.
    fn enter_backup(&mut self, reason: Reason, now: Duration, actions: &mut Actions) {
        let master_down = now.saturating_add(self.master_down_interval());
        self.timers = Timers {
            master_down: Some(master_down),
            ..Timers::default()
        };
        self.enter(State::Backup, reason, now, actions);
    }

    fn enter_initialize(&mut self, reason: Reason, now: Duration, actions: &mut Actions) {
        if self.state == State::Master {
            self.release(actions);
            // RFC 9568 §6.4.3: send an ADVERTISEMENT with Priority = 0.
            if reason != Reason::InterfaceDown {
                self.send(Priority::STOP, actions);
            }
        }
        self.timers = Timers::default();
        self.master = None;
        if self.state != State::Initialize {
            self.enter(State::Initialize, reason, now, actions);
        }
    }

    fn enter(&mut self, to: State, reason: Reason, now: Duration, actions: &mut Actions) {
        actions.push(Action::StateChanged {
            from: self.state,
            to,
            reason,
        });
        self.state = to;
        self.since = now;
    }

    /// Whether a master of lower priority is alive, so that becoming master takes over from it.
    fn would_preempt(&self, now: Duration) -> bool {
        self.master.is_some_and(|master| {
            let alive = master.interval.duration().saturating_mul(3);
            master.priority < self.effective_priority() && now.saturating_sub(self.heard) <= alive
        })
    }

    /// Gives the addresses up.
    fn release(&self, actions: &mut Actions) {
        actions.push(Action::RemoveAddresses(self.held_addresses()));
    }

    fn held_addresses(&self) -> Addresses {
        let owned = self.config.priority.is_owner();
        Addresses {
            addresses: self.config.addresses.clone(),
            accept: owned || self.config.accept_mode,
            owned,
        }
    }

    fn send(&mut self, priority: Priority, actions: &mut Actions) {
        // Not started: there is no address to send from.
        let Some(source) = self.local else { return };
        let transmit = |destination| Transmit {
            version: self.config.version,
            vrid: self.config.vrid,
            priority,
            interval: self.config.interval,
            password: password_octets(self.config.password.as_ref()),
            addresses: self.config.addresses.clone(),
            source,
            destination,
            reading: self.config.checksum,
        };
        if self.config.peers.is_empty() {
            actions.push(Action::Send(transmit(self.config.family().group())));
        }
        for peer in &self.config.peers {
            actions.push(Action::Send(transmit(*peer)));
        }
        Counters::count(&mut self.counters.sent);
        if priority == Priority::STOP {
            Counters::count(&mut self.counters.priority_zero_sent);
        }
    }

    fn announce(&self, actions: &mut Actions) {
        let mac = self.config.mac();
        for address in self.config.addresses.iter() {
            actions.push(Action::Announce(Announcement {
                address: *address,
                mac,
            }));
        }
    }

    fn warn(&mut self, warning: Warning, now: Duration, actions: &mut Actions) {
        let due = self
            .warned
            .is_none_or(|last| now.saturating_sub(last) >= WARN_GAP);
        if due {
            self.warned = Some(now);
            actions.push(Action::Warn(warning));
        }
    }

    fn master_down_interval(&self) -> Duration {
        let Config {
            version,
            down_intervals,
            ..
        } = self.config;
        let priority = self.effective_priority();
        master_down_interval(version, priority, self.master_interval, down_intervals)
    }

    fn skew_time(&self) -> Duration {
        skew_time(
            self.config.version,
            self.effective_priority(),
            self.master_interval,
        )
    }
}
