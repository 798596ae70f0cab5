//! What a virtual router says about itself, and `show vrrp`.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use super::{Master, Router};
use crate::config::TrackEffect;
use crate::event::State;
use crate::{Counters, Family, MacAddr, Priority, Version, Vrid};

/// A snapshot of a virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The number of the virtual router on its interface.
    pub vrid: Vrid,
    /// The configured protocol version.
    pub version: Version,
    /// The family of the virtual router's addresses.
    pub family: Family,
    /// The state that the router is in.
    pub state: State,
    /// How long the router has been in this state.
    pub in_state: Duration,
    /// The addresses of the virtual router, the primary one first.
    pub addresses: Vec<IpAddr>,
    /// The virtual router MAC address.
    pub mac: MacAddr,
    /// Advertisement_Interval as it is configured.
    pub interval: Duration,
    /// Preempt_Mode as it is configured.
    pub preempt: bool,
    /// How long a master of lower priority is left in place.
    pub preempt_delay: Duration,
    /// What is left of a running preempt delay.
    pub preempt_in: Option<Duration>,
    /// The priority that is advertised: after tracking.
    pub priority: Priority,
    /// The priority that is configured: before tracking.
    pub configured_priority: Priority,
    /// Whether version 2 learns the master's interval.
    pub learns_interval: bool,
    /// The tracked objects in the order of the configuration.
    pub tracks: Vec<TrackStatus>,
    /// The master last heard of; ourselves as a master.
    pub master: Option<Master>,
    /// Source of our packets, while running.
    pub local: Option<IpAddr>,
    /// Master_Down_Interval: the silence after which the master counts as down.
    pub master_down_interval: Duration,
    /// What is left of it, as a backup.
    pub master_down_in: Option<Duration>,
    /// What was counted since the router was made.
    pub counters: Counters,
}

/// A tracked object in a [`Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackStatus {
    /// The embedder's number of the object.
    pub object: u32,
    /// Whether the object is up.
    pub up: bool,
    /// What happens while it is down.
    pub effect: TrackEffect,
}

impl Router {
    /// Takes a snapshot; what is left of timers is counted from `now`.
    #[must_use]
    pub fn status(&self, now: Duration) -> Status {
        let config = &self.config;
        let left = |at: Option<Duration>| at.map(|at| at.saturating_sub(now));
        Status {
            vrid: config.vrid,
            version: config.version,
            family: config.family(),
            state: self.state,
            in_state: now.saturating_sub(self.since),
            addresses: config.addresses.to_vec(),
            mac: config.mac(),
            interval: config.interval.duration(),
            preempt: config.preempt,
            preempt_delay: config.preempt_delay,
            preempt_in: left(self.timers.preempt),
            priority: self.effective_priority(),
            configured_priority: config.priority,
            learns_interval: config.learn_interval,
            tracks: config
                .tracks
                .iter()
                .map(|track| TrackStatus {
                    object: track.object,
                    up: !self.down_objects.contains(&track.object),
                    effect: track.effect,
                })
                .collect(),
            master: self.master,
            local: self.local,
            master_down_interval: self.master_down_interval(),
            master_down_in: left(self.timers.master_down),
            counters: self.counters.clone(),
        }
    }
}

/// `show vrrp` of one virtual router, for printing.
#[derive(Debug, Clone, Copy)]
pub struct Show<'a> {
    /// The name of the interface that is printed.
    pub interface: &'a str,
    /// The snapshot that is printed.
    pub status: &'a Status,
}

impl fmt::Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interface, status } = self;
        writeln!(
            f,
            "{interface} - Group {} (version {})",
            status.vrid, status.version
        )?;
        writeln!(f, "  State is {}", status.state.name())?;
        let mut addresses = status.addresses.iter();
        if let Some(primary) = addresses.next() {
            writeln!(f, "  Virtual IP address is {primary}")?;
        }
        for secondary in addresses {
            writeln!(f, "    Secondary Virtual IP address is {secondary}")?;
        }
        writeln!(f, "  Virtual MAC address is {}", Dotted(status.mac))?;
        let learning = if status.learns_interval {
            ", learning enabled"
        } else {
            ""
        };
        writeln!(
            f,
            "  Advertisement interval is {} sec{learning}",
            Seconds(status.interval)
        )?;
        match (status.preempt, status.preempt_delay.is_zero()) {
            (false, _) => writeln!(f, "  Preemption disabled")?,
            (true, true) => writeln!(f, "  Preemption enabled")?,
            (true, false) => {
                let delay = status.preempt_delay.as_secs();
                writeln!(f, "  Preemption enabled, delay min {delay} secs")?;
            }
        }
        if let Some(left) = status.preempt_in {
            writeln!(f, "    Preempting in {} sec", Seconds(left))?;
        }
        if status.priority == status.configured_priority {
            writeln!(f, "  Priority is {}", status.priority)?;
        } else {
            let configured = status.configured_priority;
            writeln!(f, "  Priority is {} (cfgd {configured})", status.priority)?;
        }
        for track in &status.tracks {
            let state = if track.up { "Up" } else { "Down" };
            write!(f, "    Track object {} state {state} ", track.object)?;
            match track.effect {
                TrackEffect::Decrement(by) => writeln!(f, "decrement {by}")?,
                TrackEffect::Fault => writeln!(f, "shutdown")?,
            }
        }
        if let Some(master) = status.master {
            let local = if status.local == Some(master.address) {
                " (local)"
            } else {
                ""
            };
            let Master {
                address,
                priority,
                interval,
            } = master;
            writeln!(
                f,
                "  Master Router is {address}{local}, priority is {priority}"
            )?;
            let interval = Seconds(interval.duration());
            writeln!(f, "  Master Advertisement interval is {interval} sec")?;
        } else {
            writeln!(f, "  Master Router is unknown")?;
        }
        write!(
            f,
            "  Master Down interval is {} sec",
            Seconds(status.master_down_interval)
        )?;
        match status.master_down_in {
            Some(left) => writeln!(f, " (expires in {} sec)", Seconds(left))?,
            None => writeln!(f)?,
        }
        let Counters {
            became_master,
            sent,
            received,
            ..
        } = status.counters;
        let zero = (
            status.counters.priority_zero_sent,
            status.counters.priority_zero_received,
        );
        writeln!(f, "  Advertisements sent {sent}, received {received}")?;
        writeln!(f, "  Priority 0 sent {}, received {}", zero.0, zero.1)?;
        writeln!(f, "  Became master {became_master} times")?;
        for (name, count) in &status.counters.dropped {
            writeln!(f, "  Dropped for {name}: {count}")?;
        }
        Ok(())
    }
}

/// Written in Cisco's way: `0000.5e00.0105`.
struct Dotted(MacAddr);

impl fmt::Display for Dotted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0.0;
        write!(f, "{a:02x}{b:02x}.{c:02x}{d:02x}.{e:02x}{g:02x}")
    }
}

/// `3.414`: seconds with milliseconds, rounded down.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}
