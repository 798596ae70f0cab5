//! The state machine by RFC section.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

mod common;

use std::net::IpAddr;
use std::time::Duration;

use common::{Bench, PEER, US, VIRTUAL, at, config, dropped};
use vrrp::{
    Action, Config, DeadlineReason, DropReason, Event, Interval, Outcome, Priority, Reason, State,
    Track, TrackEffect, Version, Warning,
};

const HANDLED: Outcome = Outcome::Handled;

fn changed(from: State, to: State, reason: Reason) -> Action {
    Action::StateChanged { from, to, reason }
}

#[test]
fn rfc9568_s6_4_1_startup_as_a_backup() {
    let mut bench = Bench::new(config(Version::V3, 200));
    assert_eq!(bench.router.next_deadline(), None);
    assert_eq!(
        bench.handle(Event::Startup { address: US.into() }, at(5)),
        HANDLED
    );
    assert_eq!(
        bench.actions,
        [changed(State::Initialize, State::Backup, Reason::Startup)]
    );
    let deadline = bench.router.next_deadline().unwrap();
    assert_eq!(
        (deadline.at, deadline.why),
        (at(5 + 3210), DeadlineReason::MasterDown)
    );
}

#[test]
fn rfc9568_s6_4_1_startup_as_the_owner() {
    let mut bench = Bench::new(config(Version::V3, 255));
    let _ = bench.handle(Event::Startup { address: US.into() }, at(0));
    assert_eq!(bench.sent(), [255]);
    assert_eq!(bench.announced(), 1);
    let last = changed(State::Initialize, State::Master, Reason::Owner);
    assert_eq!(bench.actions.last(), Some(&last));
    assert_eq!(bench.due(), at(50));
}

#[test]
fn rfc3768_s6_1_a_backup_of_priority_150_waits_3_414_seconds() {
    let bench = Bench::backup(config(Version::V2, 150));
    assert_eq!(bench.due(), Duration::from_nanos(3_414_062_500));
}

#[test]
fn rfc9568_s6_4_2_the_master_is_down() {
    let mut bench = Bench::backup(config(Version::V3, 100));
    let now = bench.due();
    let early = now - Duration::from_nanos(1);
    assert_eq!(
        bench.handle(Event::Deadline, early),
        dropped(DropReason::NotDue)
    );
    assert_eq!(bench.handle(Event::Deadline, now), HANDLED);
    let [
        Action::Send(sent),
        Action::AddAddresses(added),
        Action::Announce(announcement),
        Action::StateChanged {
            to: State::Master,
            reason: Reason::MasterDown,
            ..
        },
    ] = &bench.actions[..]
    else {
        panic!("{:?}", bench.actions)
    };
    assert_eq!(sent.priority(), Priority(100));
    assert_eq!(
        (&added.addresses[..], added.accept, added.owned),
        (&[VIRTUAL.into()][..], false, false)
    );
    assert_eq!(announcement.mac.to_string(), "00:00:5e:00:01:05");
}

#[test]
fn rfc9568_s6_4_2_priority_0_leaves_the_skew_time() {
    for (version, skew) in [
        (Version::V2, Duration::from_nanos(414_062_500)),
        (Version::V3, at(410)),
    ] {
        let mut bench = Bench::backup(config(version, 150));
        assert_eq!(bench.receive(version, 200, at(100)), HANDLED);
        assert_eq!(bench.receive(version, 0, at(200)), HANDLED);
        assert_eq!(bench.due(), at(200) + skew);
        let _ = bench.handle(Event::Deadline, at(200) + skew);
        let last = changed(State::Backup, State::Master, Reason::MasterStopped);
        assert_eq!(bench.actions.last(), Some(&last));
    }
}

#[test]
fn rfc9568_s6_4_2_equal_and_higher_priorities_reset_the_timer() {
    for (priority, reset) in [(149, false), (150, true), (151, true), (255, true)] {
        let mut bench = Bench::backup(config(Version::V3, 150));
        let before = bench.due();
        assert_eq!(bench.receive(Version::V3, priority, at(1000)), HANDLED);
        assert_eq!(bench.due() == before, !reset, "priority {priority}");
    }
}

#[test]
fn rfc9568_s6_4_2_without_preemption_any_master_is_followed() {
    let mut bench = Bench::backup(Config {
        preempt: false,
        ..config(Version::V3, 150)
    });
    assert_eq!(bench.receive(Version::V3, 1, at(1000)), HANDLED);
    assert_eq!(bench.due(), at(1000 + 3410));
}

#[test]
fn rfc9568_s6_4_2_version_3_takes_the_masters_interval() {
    let mut bench = Bench::backup(config(Version::V3, 156));
    let interval = Interval::from_centiseconds(50).unwrap();
    let outcome = bench.receive_from(Version::V3, PEER.into(), 200, interval, at(0));
    assert_eq!(outcome, HANDLED);
    assert_eq!(
        bench.actions,
        [Action::Warn(Warning::IntervalDiffers { found: interval })]
    );
    // Skew (100 × 50) / 256 = 19 centiseconds.
    assert_eq!(bench.due(), at(1500 + 190));
    let again = bench.receive_from(Version::V3, PEER.into(), 200, interval, at(500));
    assert_eq!(
        (again, bench.actions.len()),
        (HANDLED, 0),
        "warned once in ten seconds"
    );
}

#[test]
fn rfc3768_s7_1_version_2_drops_another_interval_unless_it_learns() {
    let two = Interval::from_seconds(2).unwrap();
    let mut bench = Bench::backup(config(Version::V2, 150));
    let outcome = bench.receive_from(Version::V2, PEER.into(), 200, two, at(0));
    assert_eq!(outcome, dropped(DropReason::IntervalMismatch(two)));
    let mut bench = Bench::backup(Config {
        learn_interval: true,
        ..config(Version::V2, 150)
    });
    let outcome = bench.receive_from(Version::V2, PEER.into(), 200, two, at(0));
    assert_eq!(outcome, HANDLED);
    assert_eq!(bench.due(), Duration::from_nanos(6_414_062_500));
}

#[test]
fn rfc9568_s6_4_3_a_master_advertises_on_the_beat() {
    let (mut bench, start) = Bench::master(config(Version::V3, 100));
    // A little late does not slow the beat; more than an interval late does not make a burst.
    assert_eq!(bench.handle(Event::Deadline, start + at(1003)), HANDLED);
    assert!(bench.sent() == [100]);
    let refresh = bench.router.next_deadline().unwrap();
    assert_eq!(refresh.at, start + at(2000));
    assert_eq!(bench.handle(Event::Deadline, start + at(9000)), HANDLED);
    assert_eq!(bench.sent(), [100]);
    assert_eq!(bench.due(), start + at(10_000));
}

#[test]
fn rfc9568_s6_4_3_a_master_yields_to_the_better() {
    let low: IpAddr = [10, 0, 0, 0].into();
    for (priority, source, yields) in [
        (101, low, true),
        (100, PEER.into(), true),
        (100, low, false),
        (99, PEER.into(), false),
    ] {
        let (mut bench, start) = Bench::master(config(Version::V3, 100));
        let outcome = bench.receive_from(
            Version::V3,
            source,
            priority,
            Interval::DEFAULT,
            start + at(10),
        );
        assert_eq!(outcome, HANDLED);
        if yields {
            let reason = Reason::BetterMaster {
                address: source,
                priority: Priority(priority),
            };
            assert!(matches!(
                bench.actions[..],
                [.., Action::RemoveAddresses(_), Action::StateChanged { .. }]
            ));
            let last = changed(State::Master, State::Backup, reason);
            assert_eq!(bench.actions.last(), Some(&last));
            assert_eq!(bench.due(), start + at(10 + 3600));
        } else {
            assert_eq!(bench.state(), State::Master);
            assert_eq!(bench.sent(), [100], "asserted at once");
        }
    }
}

#[test]
fn d10_a_flood_of_lower_priority_is_answered_three_times_per_interval() {
    let (mut bench, start) = Bench::master(config(Version::V3, 100));
    let mut answers = 0;
    for step in 0..50 {
        let _ = bench.receive(Version::V3, 50, start + at(step));
        answers += bench.sent().len();
    }
    assert_eq!(answers, 3);
    let (mut bench, start) = Bench::master(Config {
        assert_master: false,
        ..config(Version::V3, 100)
    });
    let _ = bench.receive(Version::V3, 50, start);
    assert!(bench.sent().is_empty());
}

#[test]
fn rfc9568_s6_4_3_priority_0_makes_a_master_advertise() {
    let (mut bench, start) = Bench::master(config(Version::V3, 100));
    assert_eq!(bench.receive(Version::V3, 0, start + at(500)), HANDLED);
    assert_eq!((bench.sent(), bench.state()), (vec![100], State::Master));
    let advertise = bench.router.status(start).counters.priority_zero_received;
    assert_eq!(advertise, 1);
}

#[test]
fn rfc9568_s6_4_3_shutdown_says_priority_0() {
    let (mut bench, start) = Bench::master(config(Version::V3, 100));
    assert_eq!(bench.handle(Event::Shutdown, start + at(1)), HANDLED);
    assert_eq!(bench.sent(), [0]);
    let last = changed(State::Master, State::Initialize, Reason::Shutdown);
    assert_eq!(bench.actions.last(), Some(&last));
    assert_eq!(bench.router.next_deadline(), None);
    let again = bench.handle(Event::Shutdown, start + at(2));
    assert_eq!(again, dropped(DropReason::NotRunning));

    let (mut bench, start) = Bench::master(config(Version::V3, 100));
    let _ = bench.handle(Event::InterfaceDown, start);
    assert!(bench.sent().is_empty(), "nothing to send on");
    let mut bench = Bench::backup(config(Version::V3, 100));
    let _ = bench.handle(Event::Shutdown, at(1));
    assert!(bench.sent().is_empty(), "a backup has nothing to give up");
}

#[test]
fn the_preempt_delay_leaves_a_lower_master_in_place_for_its_time() {
    let delay = Duration::from_secs(60);
    let mut bench = Bench::backup(Config {
        preempt_delay: delay,
        ..config(Version::V2, 150)
    });
    for second in 0..60 {
        assert_eq!(bench.receive(Version::V2, 100, at(second * 1000)), HANDLED);
    }
    let deadline = bench.router.next_deadline().unwrap();
    assert_eq!(
        (deadline.at, deadline.why),
        (at(60_000), DeadlineReason::Preempt)
    );
    let _ = bench.handle(Event::Deadline, at(60_000));
    let last = changed(State::Backup, State::Master, Reason::Preempt);
    assert_eq!(bench.actions.last(), Some(&last));
}

#[test]
fn the_preempt_delay_does_not_wait_for_a_dead_master_and_begins_anew_with_a_better_one() {
    let delay = Duration::from_secs(60);
    let config = Config {
        preempt_delay: delay,
        ..config(Version::V3, 150)
    };
    let mut bench = Bench::backup(config.clone());
    let _ = bench.receive(Version::V3, 100, at(0));
    let deadline = bench.router.next_deadline().unwrap();
    assert_eq!(
        (deadline.at, deadline.why),
        (at(3410), DeadlineReason::MasterDown)
    );
    let _ = bench.handle(Event::Deadline, at(3410));
    assert_eq!(bench.state(), State::Master, "silent");

    let mut bench = Bench::backup(config);
    let _ = bench.receive(Version::V3, 100, at(0));
    let _ = bench.receive(Version::V3, 200, at(1000));
    assert_eq!(bench.router.status(at(1000)).preempt_in, None);
    let _ = bench.receive(Version::V3, 100, at(2000));
    assert_eq!(bench.router.status(at(2000)).preempt_in, Some(delay));
}

#[test]
fn the_start_up_delay_keeps_a_router_out() {
    let delay = Duration::from_secs(30);
    let mut bench = Bench::new(Config {
        startup_delay: delay,
        ..config(Version::V3, 150)
    });
    let _ = bench.handle(Event::Startup { address: US.into() }, at(0));
    assert_eq!((bench.state(), bench.due()), (State::Initialize, delay));
    let early = bench.receive(Version::V3, 100, at(1));
    assert_eq!(early, dropped(DropReason::NotRunning));
    let _ = bench.handle(Event::Deadline, delay);
    assert_eq!(
        (bench.state(), bench.due()),
        (State::Backup, delay + at(3410))
    );
}

fn tracked(effect: TrackEffect) -> Config {
    let tracks = vec![Track { object: 1, effect }];
    Config {
        tracks,
        ..config(Version::V2, 150)
    }
}

#[test]
fn tracking_lowers_150_by_100_to_50_and_raises_it_again() {
    let (mut bench, start) = Bench::master(tracked(TrackEffect::Decrement(100)));
    let down = Event::Track {
        object: 1,
        up: false,
    };
    assert_eq!(bench.handle(down, start), HANDLED);
    assert_eq!(bench.router.effective_priority(), Priority(50));
    assert_eq!(bench.handle(down, start), dropped(DropReason::NoChange));
    let other = Event::Track {
        object: 2,
        up: false,
    };
    assert_eq!(
        bench.handle(other, start),
        dropped(DropReason::UnknownObject(2))
    );
    let _ = bench.handle(Event::Deadline, start + at(1000));
    assert_eq!(bench.sent(), [50]);
    let _ = bench.handle(
        Event::Track {
            object: 1,
            up: true,
        },
        start + at(1500),
    );
    let _ = bench.handle(Event::Deadline, start + at(2000));
    assert_eq!(bench.sent(), [150]);
}

#[test]
fn tracking_ends_at_priority_1_and_leaves_the_owner_alone() {
    let tracks: Vec<Track> = (0..3)
        .map(|object| Track {
            object,
            effect: TrackEffect::Decrement(100),
        })
        .collect();
    for (priority, expected) in [(150, 1), (255, 255)] {
        let mut bench = Bench::new(Config {
            tracks: tracks.clone(),
            ..config(Version::V3, priority)
        });
        for object in 0..3 {
            let _ = bench.handle(Event::Track { object, up: false }, at(0));
        }
        assert_eq!(bench.router.effective_priority(), Priority(expected));
    }
}

#[test]
fn a_fault_takes_the_router_out_and_its_end_brings_it_back() {
    let (mut bench, start) = Bench::master(tracked(TrackEffect::Fault));
    let _ = bench.handle(
        Event::Track {
            object: 1,
            up: false,
        },
        start,
    );
    assert_eq!(bench.sent(), [0]);
    let last = changed(
        State::Master,
        State::Initialize,
        Reason::TrackFault { object: 1 },
    );
    assert_eq!(bench.actions.last(), Some(&last));
    let _ = bench.handle(
        Event::Track {
            object: 1,
            up: true,
        },
        start + at(10),
    );
    assert_eq!(
        bench.actions,
        [changed(
            State::Initialize,
            State::Backup,
            Reason::TrackRecovered
        )]
    );

    let mut bench = Bench::new(tracked(TrackEffect::Fault));
    let _ = bench.handle(
        Event::Track {
            object: 1,
            up: false,
        },
        at(0),
    );
    let _ = bench.handle(Event::Startup { address: US.into() }, at(0));
    assert_eq!(bench.state(), State::Initialize, "started with the fault");
    let _ = bench.handle(
        Event::Track {
            object: 1,
            up: true,
        },
        at(5),
    );
    assert_eq!(bench.state(), State::Backup);
}
