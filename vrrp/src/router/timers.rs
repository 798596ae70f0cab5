//! The timers of a virtual router and what happens when they fire.

use core::time::Duration;

use super::{Hold, Router};
use crate::actions::Actions;
use crate::event::{Deadline, DeadlineReason, DropReason, Reason, State};

/// All timers; those of a state are cancelled by leaving it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Timers {
    pub(crate) startup: Option<Duration>,
    pub(crate) advertise: Option<Duration>,
    pub(crate) master_down: Option<Duration>,
    pub(crate) preempt: Option<Duration>,
    pub(crate) announce: Option<Duration>,
    /// Announcement rounds still to come at the short gap.
    pub(crate) rounds: u8,
    /// The next announcement is the early one.
    pub(crate) early: bool,
    /// The master's last word was priority 0.
    pub(crate) master_stopped: bool,
}

impl Timers {
    pub(crate) fn next(&self) -> Option<Deadline> {
        let timers = [
            (self.startup, DeadlineReason::StartupDelay),
            (self.advertise, DeadlineReason::Advertise),
            (self.master_down, DeadlineReason::MasterDown),
            (self.preempt, DeadlineReason::Preempt),
            (self.announce, DeadlineReason::Announce),
        ];
        timers
            .into_iter()
            .filter_map(|(at, why)| at.map(|at| Deadline { at, why }))
            .min()
    }
}

impl Router {
    /// Lets every timer fire that is due. The next deadline is later than `now` then.
    pub(super) fn on_deadline(
        &mut self,
        now: Duration,
        actions: &mut Actions,
    ) -> Result<(), DropReason> {
        if self.timers.next().is_none_or(|deadline| deadline.at > now) {
            return Err(DropReason::NotDue);
        }
        let due = |timer: Option<Duration>| timer.is_some_and(|at| at <= now);
        if due(self.timers.startup) {
            self.begin(Reason::Startup, now, actions);
        }
        if due(self.timers.master_down) {
            self.on_master_down(now, actions);
        } else if due(self.timers.preempt) {
            self.on_preempt(now, actions);
        }
        if due(self.timers.advertise) {
            self.on_advertise(now, actions);
        }
        if due(self.timers.announce) {
            self.on_announce(now, actions);
        }
        Ok(())
    }

    /// RFC 9568 §6.4.2: the Active_Down_Timer fires.
    fn on_master_down(&mut self, now: Duration, actions: &mut Actions) {
        let preempts = self.would_preempt(now);
        if self.hold.all || (self.hold.preempt && preempts) {
            // Never in the past: progress.
            let interval = self
                .master_down_interval()
                .max(self.config.interval.duration());
            self.timers.master_down = Some(now.saturating_add(interval));
            return;
        }
        let reason = match (self.timers.master_stopped, preempts) {
            (true, _) => Reason::MasterStopped,
            (false, true) => Reason::Preempt,
            (false, false) => Reason::MasterDown,
        };
        self.become_master(reason, now, actions);
    }

    fn on_preempt(&mut self, now: Duration, actions: &mut Actions) {
        self.timers.preempt = None;
        if self.hold == Hold::default() && self.state == State::Backup {
            self.become_master(Reason::Preempt, now, actions);
        }
    }

    /// RFC 9568 §6.4.3: the Adver_Timer fires.
    fn on_advertise(&mut self, now: Duration, actions: &mut Actions) {
        let priority = self.effective_priority();
        self.send(priority, actions);
        self.asserts = 0;
        if let Some(master) = &mut self.master {
            master.priority = priority;
        }
        // From the time it was due, so that a busy embedder does not stretch the interval; from now, if
        // it is late by more than an interval.
        let interval = self.config.interval.duration();
        let steady = self.timers.advertise.map(|at| at.saturating_add(interval));
        let next = steady
            .filter(|at| *at > now)
            .unwrap_or(now.saturating_add(interval));
        self.timers.advertise = Some(next);
    }

    /// The first round now, the others by the timer.
    pub(super) fn start_announcing(&mut self, now: Duration, actions: &mut Actions) {
        let policy = self.config.announce;
        self.timers.rounds = policy.rounds;
        if policy.rounds == 0 {
            self.timers.announce = policy.refresh.map(|refresh| now.saturating_add(refresh));
            return;
        }
        self.on_announce(now, actions);
        if let Some(early) = policy.early {
            self.timers.early = true;
            self.timers.announce = Some(now.saturating_add(early));
        }
    }

    fn on_announce(&mut self, now: Duration, actions: &mut Actions) {
        self.announce(actions);
        let early = core::mem::take(&mut self.timers.early);
        if !early {
            self.timers.rounds = self.timers.rounds.saturating_sub(1);
        }
        let policy = self.config.announce;
        let wait = if self.timers.rounds > 0 {
            Some(policy.gap)
        } else {
            policy.refresh
        };
        self.timers.announce = wait.map(|wait| now.saturating_add(wait));
    }
}
