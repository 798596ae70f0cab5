//! A router under test, its laws checked with every call.
#![allow(dead_code, unreachable_pub)]

use std::net::IpAddr;
use std::time::Duration;

use vrrp::{
    Action, Actions, ChecksumReading, Config, DropReason, Event, GROUP_V4, Interval, Message,
    Outcome, Priority, Received, Router, State, Version, Vrid,
};

pub const US: [u8; 4] = [10, 0, 0, 1];
pub const PEER: [u8; 4] = [10, 0, 0, 2];
pub const VIRTUAL: [u8; 4] = [10, 0, 0, 254];

pub fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub fn config(version: Version, priority: u8) -> Config {
    let vrid = Vrid::new(5).unwrap();
    Config {
        priority: Priority(priority),
        ..Config::new(version, vrid, &[VIRTUAL.into()])
    }
}

/// A router, the actions of its last call, and the laws.
pub struct Bench {
    pub router: Router,
    pub actions: Vec<Action>,
}

impl Bench {
    pub fn new(config: Config) -> Self {
        Self {
            router: Router::new(config).unwrap(),
            actions: Vec::new(),
        }
    }

    /// Started at time 0 as a backup.
    pub fn backup(config: Config) -> Self {
        let mut bench = Self::new(config);
        let _ = bench.handle(Event::Startup { address: US.into() }, at(0));
        assert_eq!(bench.state(), State::Backup);
        bench
    }

    /// Started, and the master down: since when it is master.
    pub fn master(config: Config) -> (Self, Duration) {
        let mut bench = Self::backup(config);
        let now = bench.due();
        let _ = bench.handle(Event::Deadline, now);
        assert_eq!(bench.state(), State::Master);
        (bench, now)
    }

    pub fn handle(&mut self, event: Event<'_>, now: Duration) -> Outcome {
        let before = self.fingerprint();
        let mut actions = Actions::new();
        let outcome = self.router.handle(event, now, &mut actions);
        self.actions = actions.drain().collect();
        match outcome {
            // Atomicity: nothing but counters changed.
            Outcome::Dropped(reason) => {
                let warned = self.actions.iter().all(|a| matches!(a, Action::Warn(_)));
                assert!(warned, "{reason}: {:?}", self.actions);
                assert_eq!(before, self.fingerprint(), "{reason}");
            }
            // Progress.
            Outcome::Handled => {
                if let (Event::Deadline, Some(next)) = (event, self.router.next_deadline()) {
                    assert!(next.at > now, "{next:?} after a deadline at {now:?}");
                }
            }
        }
        // A master advertises, a backup watches, one that does not run does neither.
        outcome
    }

    pub fn receive(&mut self, version: Version, priority: u8, now: Duration) -> Outcome {
        self.receive_from(version, PEER.into(), priority, Interval::DEFAULT, now)
    }

    pub fn receive_from(
        &mut self,
        version: Version,
        source: IpAddr,
        priority: u8,
        interval: Interval,
        now: Duration,
    ) -> Outcome {
        let bytes = advertisement(version, source, priority, interval);
        self.receive_bytes(&bytes, source, now)
    }

    pub fn receive_bytes(&mut self, message: &[u8], source: IpAddr, now: Duration) -> Outcome {
        let received = Received {
            source,
            destination: GROUP_V4.into(),
            ttl: 255,
            message,
        };
        self.handle(Event::Received(received), now)
    }

    pub fn state(&self) -> State {
        self.router.state()
    }

    pub fn due(&self) -> Duration {
        self.router.next_deadline().unwrap().at
    }

    /// Priorities of the advertisements of the last call.
    pub fn sent(&self) -> Vec<u8> {
        let sent = self.actions.iter().filter_map(|action| match action {
            Action::Send(transmit) => Some(transmit.priority().0),
            _ => None,
        });
        sent.collect()
    }

    pub fn announced(&self) -> usize {
        self.actions
            .iter()
            .filter(|action| matches!(action, Action::Announce(_)))
            .count()
    }

    /// Everything that may matter later, without counters and the time of the last warning.
    fn fingerprint(&self) -> String {
        let status = self.router.status(Duration::ZERO);
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            self.router.next_deadline(),
            status.state,
            status.priority,
            status.master,
            status.local,
            status.master_down_interval,
            status.master_down_in,
            status.preempt_in,
        )
    }
}

pub fn advertisement(
    version: Version,
    source: IpAddr,
    priority: u8,
    interval: Interval,
) -> Vec<u8> {
    let message = Message {
        version,
        vrid: Vrid::new(5).unwrap(),
        priority: Priority(priority),
        interval,
        password: None,
        addresses: &[VIRTUAL.into()],
        source,
        destination: GROUP_V4.into(),
        reading: ChecksumReading::Message,
    };
    let mut bytes = vec![0; message.len()];
    message.write(&mut bytes).unwrap();
    bytes
}

pub fn dropped(reason: DropReason) -> Outcome {
    Outcome::Dropped(reason)
}
