//! Every state × every event, and histories at random: the laws hold and the state is the one the
//! table says.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

mod common;

use std::time::Duration;

use common::{Bench, PEER, US, at, config};
use proptest::prelude::*;
use vrrp::{
    Config, DropReason, Event, Interval, Outcome, ParseError, Priority, State, Track, TrackEffect,
    Version,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Startup,
    Shutdown,
    InterfaceDown,
    Priority0,
    Lower,
    EqualLowerAddress,
    EqualHigherAddress,
    Higher,
    Owner,
    Garbage,
    DeadlineEarly,
    Deadline,
    TrackDown,
    TrackUp,
    FaultDown,
    FaultUp,
    SetPriority,
}

const INPUTS: [Input; 17] = [
    Input::Startup,
    Input::Shutdown,
    Input::InterfaceDown,
    Input::Priority0,
    Input::Lower,
    Input::EqualLowerAddress,
    Input::EqualHigherAddress,
    Input::Higher,
    Input::Owner,
    Input::Garbage,
    Input::DeadlineEarly,
    Input::Deadline,
    Input::TrackDown,
    Input::TrackUp,
    Input::FaultDown,
    Input::FaultUp,
    Input::SetPriority,
];

fn apply(bench: &mut Bench, input: Input, now: Duration) -> Outcome {
    let mut receive = |source: [u8; 4], priority: u8| {
        bench.receive_from(
            bench_version(bench),
            source.into(),
            priority,
            Interval::DEFAULT,
            now,
        )
    };
    match input {
        Input::Startup => bench.handle(Event::Startup { address: US.into() }, now),
        Input::Shutdown => bench.handle(Event::Shutdown, now),
        Input::InterfaceDown => bench.handle(Event::InterfaceDown, now),
        Input::Priority0 => receive(PEER, 0),
        Input::Lower => receive(PEER, 10),
        Input::EqualLowerAddress => receive([10, 0, 0, 0], 100),
        Input::EqualHigherAddress => receive(PEER, 100),
        Input::Higher => receive(PEER, 200),
        Input::Owner => receive(PEER, 255),
        Input::Garbage => bench.receive_bytes(&[0x31, 5, 100], PEER.into(), now),
        Input::DeadlineEarly => {
            let due = bench.router.next_deadline().map(|deadline| deadline.at);
            let early = due.map_or(now, |due| due - Duration::from_nanos(1));
            bench.handle(Event::Deadline, early)
        }
        Input::Deadline => {
            let due = bench.router.next_deadline().map(|deadline| deadline.at);
            bench.handle(Event::Deadline, due.map_or(now, |due| due.max(now)))
        }
        Input::TrackDown => bench.handle(
            Event::Track {
                object: 1,
                up: false,
            },
            now,
        ),
        Input::TrackUp => bench.handle(
            Event::Track {
                object: 1,
                up: true,
            },
            now,
        ),
        Input::FaultDown => bench.handle(
            Event::Track {
                object: 2,
                up: false,
            },
            now,
        ),
        Input::FaultUp => bench.handle(
            Event::Track {
                object: 2,
                up: true,
            },
            now,
        ),
        Input::SetPriority => bench.handle(Event::SetPriority(Priority(120)), now),
    }
}

fn bench_version(bench: &Bench) -> Version {
    bench.router.config().version
}

fn tracked(version: Version, priority: u8) -> Config {
    let tracks = vec![
        Track {
            object: 1,
            effect: TrackEffect::Decrement(50),
        },
        Track {
            object: 2,
            effect: TrackEffect::Fault,
        },
    ];
    Config {
        tracks,
        ..config(version, priority)
    }
}

/// Brings a fresh router into `state` shortly before the time it gives back.
fn in_state(config: Config, state: State) -> (Bench, Duration) {
    let mut bench = Bench::new(config);
    if state == State::Initialize {
        return (bench, at(0));
    }
    let _ = bench.handle(Event::Startup { address: US.into() }, at(0));
    if state == State::Backup || bench.state() == state {
        return (bench, at(1));
    }
    let due = bench.due();
    let _ = bench.handle(Event::Deadline, due);
    (bench, due + at(1))
}

/// The state after `input`: the table of RFC 9568 §6.4 with tracking.
fn next_state(state: State, owner: bool, preempt: bool, input: Input) -> State {
    use Input::*;
    use State::{Backup, Initialize, Master};
    let _ = preempt;
    match (state, input) {
        (Initialize, Startup) if owner => Master,
        (Initialize, Startup) => Backup,
        (_, Shutdown | InterfaceDown | FaultDown) => Initialize,
        (Backup, Deadline) => Master,
        (Master, EqualHigherAddress | Higher | Owner) if !owner => Backup,
        (state, _) => state,
    }
}

#[test]
fn every_state_and_event_has_its_next_state() {
    let mut checked = 0;
    for version in [Version::V2, Version::V3] {
        for (priority, preempt) in [(100, true), (100, false), (255, true)] {
            for state in [State::Initialize, State::Backup, State::Master] {
                let owner = priority == 255;
                if owner && state == State::Backup {
                    continue;
                }
                for input in INPUTS {
                    let config = Config {
                        preempt,
                        ..tracked(version, priority)
                    };
                    let (mut bench, now) = in_state(config, state);
                    assert_eq!(bench.state(), state);
                    let outcome = apply(&mut bench, input, now);
                    let expected = next_state(state, owner, preempt, input);
                    assert_eq!(
                        bench.state(),
                        expected,
                        "v{version} priority {priority} preempt {preempt}: {state:?} × {input:?} \
                         gave {outcome:?}"
                    );
                    checked += 1;
                }
            }
        }
    }
    assert_eq!(checked, 2 * (3 + 3 + 2) * 17);
}

#[test]
fn what_is_dropped_is_dropped_for_the_reason_of_the_state() {
    let garbage = ParseError::Truncated {
        what: "VRRP header",
        needed: 8,
        available: 3,
    };
    for state in [State::Initialize, State::Backup, State::Master] {
        let (mut bench, now) = in_state(tracked(Version::V3, 100), state);
        let outcome = apply(&mut bench, Input::Garbage, now);
        assert_eq!(outcome, Outcome::Dropped(DropReason::Packet(garbage)));
        assert_eq!(
            apply(&mut bench, Input::DeadlineEarly, now),
            Outcome::Dropped(DropReason::NotDue)
        );
        assert_eq!(
            apply(&mut bench, Input::TrackUp, now),
            Outcome::Dropped(DropReason::NoChange)
        );
        if state == State::Initialize {
            let outcome = apply(&mut bench, Input::Higher, now);
            assert_eq!(outcome, Outcome::Dropped(DropReason::NotRunning));
        }
    }
}

fn any_config() -> impl Strategy<Value = Config> {
    (
        any::<(bool, bool, bool)>(),
        prop::sample::select(vec![1u8, 100, 254, 255]),
        0u64..3,
        0u64..3,
    )
        .prop_map(
            |((v2, preempt, learn_interval), priority, preempt_delay, startup_delay)| {
                let version = if v2 { Version::V2 } else { Version::V3 };
                Config {
                    preempt,
                    learn_interval,
                    preempt_delay: Duration::from_secs(preempt_delay * 4),
                    startup_delay: Duration::from_secs(startup_delay * 2),
                    ..tracked(version, priority)
                }
            },
        )
}

proptest! {
    /// `Bench` checks atomicity and progress with each call; here what a state has to have.
    #[test]
    fn laws_hold_over_any_history(
        config in any_config(),
        steps in prop::collection::vec((prop::sample::select(&INPUTS[..]), 0u64..3000), 1..120),
    ) {
        let run = |config: Config| {
            let mut bench = Bench::new(config);
            let mut now = Duration::ZERO;
            let mut trace = Vec::new();
            for (input, wait) in &steps {
                // Time does not pass a deadline without the router being told.
                let target = now + at(*wait);
                while let Some(due) = bench.router.next_deadline().filter(|due| due.at <= target) {
                    now = now.max(due.at);
                    let outcome = bench.handle(Event::Deadline, now);
                    assert_eq!(outcome, Outcome::Handled, "a deadline that is due is not idle");
                    trace.push(format!("{now:?} {:?}", bench.actions));
                }
                now = target;
                if *input == Input::DeadlineEarly || *input == Input::Deadline {
                    continue;
                }
                let outcome = apply(&mut bench, *input, now);
                trace.push(format!("{now:?} {outcome:?} {:?}", bench.actions));
                let deadline = bench.router.next_deadline();
                match bench.state() {
                    State::Initialize => {}
                    State::Backup | State::Master => {
                        assert!(deadline.is_some(), "a running router always has a deadline");
                    }
                }
            }
            trace
        };
        // Determinism: the same history, the same actions.
        prop_assert_eq!(run(config.clone()), run(config));
    }
}
