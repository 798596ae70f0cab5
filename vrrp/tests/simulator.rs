//! Three routers on a link that loses, delays, duplicates and splits, in virtual time.
//!
//! What the protocol promises, stated so that it holds under loss too:
//! 1. A backup becomes master at the latest a Master_Down_Interval after the last advertisement it
//!    took: nobody waits longer for a dead master (never none).
//! 2. A master that hears a better one is no master any more when the call returns: two masters
//!    last until the first advertisement of the better arrives (never more than one beyond the
//!    protocol's bound).
//! 3. On a link that has stopped losing, each part of the network has exactly one master after
//!    a Master_Down_Interval and a delay, the best of it, and keeps it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::panic
)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use vrrp::{
    Action, Actions, Config, Event, Interval, Outcome, Priority, Received, Router, State, Version,
    Vrid,
};

const ROUTERS: usize = 3;
const MAX_DELAY: u64 = 20_000; // microseconds

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

fn address(router: usize) -> IpAddr {
    [10, 0, 0, router as u8 + 1].into()
}

struct Simulator {
    now: Duration,
    random: Random,
    routers: [Router; ROUTERS],
    /// Which part of the network a router is in.
    part: [u8; ROUTERS],
    loss: u64,
    /// Packets under way: when, a tie-breaker, from, to, bytes.
    wire: BTreeMap<(Duration, u64), (usize, usize, Vec<u8>)>,
    serial: u64,
    /// Until when each backup may wait.
    patience: [Duration; ROUTERS],
    state_changes: usize,
}

impl Simulator {
    fn new(version: Version, preempt: bool, seed: u64) -> Self {
        let router = |at: usize| {
            let interval = match version {
                Version::V2 => Interval::DEFAULT,
                Version::V3 => Interval::from_centiseconds(20).unwrap(),
            };
            let vrid = Vrid::new(1).unwrap();
            let config = Config {
                priority: Priority([50, 100, 200][at]),
                preempt,
                interval,
                ..Config::new(version, vrid, &[[10, 0, 0, 254].into()])
            };
            Router::new(config).unwrap()
        };
        Self {
            now: Duration::ZERO,
            random: Random(seed),
            routers: std::array::from_fn(router),
            part: [0; ROUTERS],
            loss: 0,
            wire: BTreeMap::new(),
            serial: 0,
            patience: [Duration::ZERO; ROUTERS],
            state_changes: 0,
        }
    }

    fn event(&mut self, at: usize, event: Event<'_>) -> Outcome {
        let mut actions = Actions::new();
        let before = self.routers[at].state();
        let outcome = self.routers[at].handle(event, self.now, &mut actions);
        for action in actions.drain() {
            match action {
                Action::Send(transmit) => {
                    let mut packet = vec![0; 100];
                    let len = transmit.write_packet(&mut packet).unwrap();
                    packet.truncate(len);
                    self.broadcast(at, &packet);
                }
                Action::StateChanged { from, to, .. } => {
                    assert_eq!((from, to), (before, self.routers[at].state()));
                    self.state_changes += 1;
                }
                _ => {}
            }
        }
        if let (Event::Deadline, Some(next)) = (event, self.routers[at].next_deadline()) {
            assert!(next.at > self.now, "progress");
        }
        outcome
    }

    fn broadcast(&mut self, from: usize, packet: &[u8]) {
        for to in (0..ROUTERS).filter(|to| *to != from) {
            let copies = if self.loss > 0 && self.random.percent(5) {
                2
            } else {
                1
            };
            for _ in 0..copies {
                let lost = self.random.percent(self.loss);
                if lost || self.part[from] != self.part[to] {
                    continue;
                }
                let delay = Duration::from_micros(1 + self.random.below(MAX_DELAY));
                self.serial += 1;
                self.wire
                    .insert((self.now + delay, self.serial), (from, to, packet.to_vec()));
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize, packet: &[u8]) {
        let received = Received::from_packet(packet).unwrap();
        let was = self.routers[to].state();
        let priority = packet[22];
        let ours = self.routers[to].effective_priority().0;
        let _ = self.event(to, Event::Received(received));
        // Promise 2.
        if was == State::Master && priority != 0 && (priority, from) > (ours, to) {
            assert_eq!(
                self.routers[to].state(),
                State::Backup,
                "yields to the better at once"
            );
        }
    }

    fn run_until(&mut self, end: Duration) {
        loop {
            let timer = (0..ROUTERS)
                .filter_map(|at| self.routers[at].next_deadline().map(|next| (next.at, at)))
                .min();
            let packet = self.wire.keys().next().copied();
            let next_timer = timer.map_or(Duration::MAX, |(at, _)| at);
            let next_packet = packet.map_or(Duration::MAX, |(at, _)| at);
            if next_timer.min(next_packet) > end {
                self.now = end;
                return;
            }
            self.now = next_timer.min(next_packet);
            if next_packet <= next_timer {
                let (from, to, bytes) = self.wire.remove(&packet.unwrap()).unwrap();
                self.deliver(from, to, &bytes);
            } else {
                let outcome = self.event(timer.unwrap().1, Event::Deadline);
                assert_eq!(outcome, Outcome::Handled);
            }
            self.check_patience();
        }
    }

    /// Promise 1: a backup's deadline never lies further away than its Master_Down_Interval, and
    /// only advertisements move it.
    fn check_patience(&mut self) {
        for at in 0..ROUTERS {
            let router = &self.routers[at];
            if router.state() == State::Backup {
                let deadline = router.next_deadline().unwrap().at;
                let down = router.status(self.now).master_down_interval;
                assert!(deadline <= self.now + down, "router {at} waits too long");
                assert!(deadline >= self.now, "router {at} missed its deadline");
                self.patience[at] = deadline;
            }
        }
    }

    fn masters(&self, part: u8) -> Vec<usize> {
        (0..ROUTERS)
            .filter(|at| self.part[*at] == part && self.routers[*at].state() == State::Master)
            .collect()
    }

    fn best(&self, part: u8) -> Option<usize> {
        (0..ROUTERS)
            .filter(|at| self.part[*at] == part && self.routers[*at].state() != State::Initialize)
            .max_by_key(|at| (self.routers[*at].effective_priority(), *at))
    }

    /// Something goes wrong.
    fn disturb(&mut self) {
        match self.random.below(6) {
            0 => self.loss = [0, 10, 30, 60][self.random.below(4) as usize],
            1 => self.part = std::array::from_fn(|_| self.random.below(2) as u8),
            2 => self.part = [0; ROUTERS],
            3 => {
                let at = self.random.below(ROUTERS as u64) as usize;
                let _ = self.event(at, Event::Shutdown);
            }
            4 => {
                // Silently gone, as a crash is.
                let at = self.random.below(ROUTERS as u64) as usize;
                let _ = self.event(at, Event::InterfaceDown);
            }
            _ => {
                let at = self.random.below(ROUTERS as u64) as usize;
                let priority = Priority(1 + self.random.below(254) as u8);
                let _ = self.event(at, Event::SetPriority(priority));
            }
        }
        let back = self.random.below(ROUTERS as u64) as usize;
        if self.random.percent(60) {
            let _ = self.event(
                back,
                Event::Startup {
                    address: address(back),
                },
            );
        }
    }
}

fn chaos(version: Version, preempt: bool, seed: u64) {
    let mut simulator = Simulator::new(version, preempt, seed);
    for at in 0..ROUTERS {
        let _ = simulator.event(
            at,
            Event::Startup {
                address: address(at),
            },
        );
    }
    for _ in 0..40 {
        simulator.disturb();
        let wait = Duration::from_millis(simulator.random.below(4000));
        simulator.run_until(simulator.now + wait);
    }
    // Quiet. Nothing is lost any more; parts stay as they are.
    simulator.loss = 0;
    let down = |simulator: &Simulator| {
        let intervals = simulator
            .routers
            .iter()
            .map(|r| r.status(simulator.now).master_down_interval);
        intervals.max().unwrap()
    };
    // A backup's running timer, then one more for who discards a lower master, and the way.
    let settle = down(&simulator) * 2 + Duration::from_micros(3 * MAX_DELAY);
    simulator.run_until(simulator.now + settle);
    let changes = simulator.state_changes;
    for step in 0..100 {
        for part in 0..2 {
            let Some(best) = simulator.best(part) else {
                continue;
            };
            let masters = simulator.masters(part);
            assert_eq!(
                masters.len(),
                1,
                "seed {seed} step {step}: masters {masters:?}"
            );
            if preempt {
                assert_eq!(masters, [best], "seed {seed}: the best is master");
            }
        }
        simulator.run_until(simulator.now + Duration::from_millis(97));
    }
    assert_eq!(
        simulator.state_changes, changes,
        "seed {seed}: nothing changes any more"
    );
}

#[test]
fn never_two_masters_and_never_none_beyond_the_bound() {
    for seed in 0..150 {
        chaos(Version::V3, true, seed);
        chaos(Version::V2, true, 1000 + seed);
    }
}

#[test]
fn without_preemption_there_is_one_master_and_it_stays() {
    for seed in 0..150 {
        chaos(Version::V3, false, seed);
    }
}

#[test]
fn a_master_that_stops_is_followed_within_the_skew_time_and_one_that_dies_within_its_interval() {
    for (event, bound) in [
        // Skew of priority 100 at 20 centiseconds: 12 centiseconds.
        (Event::Shutdown, Duration::from_millis(120)),
        (Event::InterfaceDown, Duration::from_millis(720)),
    ] {
        for seed in 0..50 {
            let mut simulator = Simulator::new(Version::V3, true, seed);
            for at in 0..ROUTERS {
                let _ = simulator.event(
                    at,
                    Event::Startup {
                        address: address(at),
                    },
                );
            }
            simulator.run_until(Duration::from_secs(5));
            assert_eq!(simulator.masters(0), [2]);
            let gone = simulator.now;
            let _ = simulator.event(2, event);
            while simulator.masters(0).is_empty() {
                simulator.run_until(simulator.now + Duration::from_millis(1));
            }
            assert_eq!(simulator.masters(0), [1], "the next best");
            let took = simulator.now - gone;
            let slack = Duration::from_micros(MAX_DELAY) + Duration::from_millis(1);
            assert!(took <= bound + slack, "{took:?} for {event:?}");
        }
    }
}
