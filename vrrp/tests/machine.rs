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

use common::{Bench, PEER, US, VIRTUAL, advertisement, at, config, dropped};
use vrrp::{
    Accept, Action, AddressCheck, Announce, AuthType, ChecksumReading, Config, ConfigError,
    DeadlineReason, DropReason, Event, Interval, Message, Outcome, ParseError, Password, Priority,
    Reason, Received, Router, Show, State, Track, TrackEffect, Version, Vrid, Warning,
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
    assert_eq!(bench.due(), at(1000));
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
fn a_flood_of_lower_priority_is_answered_three_times_per_interval() {
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

#[test]
fn rfc9568_s7_1_the_owner_takes_no_advertisements() {
    let mut bench = Bench::new(config(Version::V3, 255));
    let _ = bench.handle(Event::Startup { address: US.into() }, at(0));
    assert_eq!(
        bench.receive(Version::V3, 254, at(1)),
        dropped(DropReason::WeAreOwner)
    );
    assert!(bench.actions.is_empty());
    assert_eq!(
        bench.receive(Version::V3, 255, at(2)),
        dropped(DropReason::WeAreOwner)
    );
    assert_eq!(
        bench.actions,
        [Action::Warn(Warning::SecondOwner {
            address: PEER.into()
        })]
    );
}

#[test]
fn wrong_packets_are_counted_under_their_reason_and_change_nothing() {
    let mut bench = Bench::backup(config(Version::V3, 100));
    let good = advertisement(Version::V3, PEER.into(), 200, Interval::DEFAULT);
    let received = Received {
        source: PEER.into(),
        destination: vrrp::GROUP_V4.into(),
        ttl: 255,
        message: &good,
    };
    let mut broken = good.clone();
    broken[2] ^= 1;
    let other = Message {
        version: Version::V3,
        vrid: Vrid::new(6).unwrap(),
        priority: Priority(200),
        interval: Interval::DEFAULT,
        password: None,
        addresses: &[VIRTUAL.into()],
        source: PEER.into(),
        destination: vrrp::GROUP_V4.into(),
        reading: ChecksumReading::Message,
    };
    let mut other_vrid = [0; 12];
    other.write(&mut other_vrid).unwrap();
    let mut other_list = [0; 12];
    let list = [[10, 0, 0, 253].into()];
    Message {
        vrid: Vrid::new(5).unwrap(),
        addresses: &list,
        ..other
    }
    .write(&mut other_list)
    .unwrap();
    let v2 = advertisement(Version::V2, PEER.into(), 200, Interval::DEFAULT);
    let us = advertisement(Version::V3, US.into(), 200, Interval::DEFAULT);
    let cases: [(Received<'_>, DropReason, &str); 8] = [
        (
            Received {
                ttl: 64,
                ..received
            },
            ParseError::Ttl(64).into(),
            "ip ttl errors",
        ),
        (
            Received {
                message: &good[..7],
                ..received
            },
            ParseError::Truncated {
                what: "VRRP header",
                needed: 8,
                available: 7,
            }
            .into(),
            "packet length errors",
        ),
        (
            Received {
                message: &v2,
                ..received
            },
            DropReason::VersionMismatch(Version::V2),
            "version errors",
        ),
        (
            Received {
                message: &other_vrid,
                ..received
            },
            DropReason::UnknownVrid(Vrid::new(6).unwrap()),
            "vrid errors",
        ),
        (
            Received {
                message: &other_list,
                ..received
            },
            DropReason::AddressList,
            "address list errors",
        ),
        (
            Received {
                message: &us,
                source: US.into(),
                ..received
            },
            DropReason::OwnPacket,
            "own packets",
        ),
        (
            Received {
                destination: US.into(),
                ..received
            },
            DropReason::Destination(US.into()),
            "destination errors",
        ),
        (
            Received {
                message: &broken,
                ..received
            },
            // 200 became 201: the checksum is one less in the high octet.
            ParseError::Checksum {
                found: u16::from_be_bytes([good[6], good[7]]),
                computed: u16::from_be_bytes([good[6], good[7]]) - 0x100,
            }
            .into(),
            "checksum errors",
        ),
    ];
    for (packet, reason, counter) in cases {
        assert_eq!(
            bench.handle(Event::Received(packet), at(1)),
            dropped(reason)
        );
        assert_eq!(bench.router.counters().dropped[counter], 1, "{counter}");
    }
    assert_eq!(bench.router.counters().received, 0);
    assert_eq!(bench.handle(Event::Received(received), at(1)), HANDLED);
}

#[test]
fn rfc3768_s7_1_the_owners_address_list_is_taken_whatever_it_is() {
    let list = [[10, 0, 0, 253].into()];
    let message = |priority| {
        let message = Message {
            version: Version::V2,
            vrid: Vrid::new(5).unwrap(),
            priority: Priority(priority),
            interval: Interval::DEFAULT,
            password: None,
            addresses: &list,
            source: PEER.into(),
            destination: vrrp::GROUP_V4.into(),
            reading: ChecksumReading::Message,
        };
        let mut bytes = vec![0; message.len()];
        message.write(&mut bytes).unwrap();
        bytes
    };
    for (check, priority, taken, warned) in [
        (AddressCheck::Drop, 200, false, false),
        (AddressCheck::Drop, 255, true, true),
        (AddressCheck::Warn, 200, true, true),
        (AddressCheck::Off, 200, true, false),
    ] {
        let mut bench = Bench::backup(Config {
            address_check: check,
            ..config(Version::V2, 100)
        });
        let outcome = bench.receive_bytes(&message(priority), PEER.into(), at(0));
        assert_eq!(outcome == HANDLED, taken, "{check:?} {priority}");
        let warning = Action::Warn(Warning::AddressesDiffer);
        assert_eq!(
            bench.actions.contains(&warning),
            warned,
            "{check:?} {priority}"
        );
    }
}

#[test]
fn rfc2338_s5_3_10_simple_text_passwords() {
    let password = |text: &[u8]| Password::new(text).unwrap();
    let secured = Config {
        password: Some(password(b"abcdefgh")),
        ..config(Version::V2, 100)
    };
    let message = |text: Option<&[u8]>| {
        let password = text.map(password);
        let message = Message {
            version: Version::V2,
            vrid: Vrid::new(5).unwrap(),
            priority: Priority(200),
            interval: Interval::DEFAULT,
            password: password.as_ref().map(Password::octets),
            addresses: &[VIRTUAL.into()],
            source: PEER.into(),
            destination: vrrp::GROUP_V4.into(),
            reading: ChecksumReading::Message,
        };
        let mut bytes = vec![0; message.len()];
        message.write(&mut bytes).unwrap();
        bytes
    };
    let mut bench = Bench::backup(secured);
    let outcomes = [None, Some(&b"abcdefgx"[..]), Some(b"abcdefgh")]
        .map(|text| bench.receive_bytes(&message(text), PEER.into(), at(0)));
    assert_eq!(
        outcomes,
        [
            dropped(DropReason::AuthTypeMismatch(AuthType::NONE)),
            dropped(DropReason::Password),
            HANDLED
        ]
    );
    let mut open = Bench::backup(config(Version::V2, 100));
    let outcome = open.receive_bytes(&message(Some(b"abcdefgh")), PEER.into(), at(0));
    assert_eq!(
        outcome,
        dropped(DropReason::AuthTypeMismatch(AuthType::SIMPLE))
    );
    assert!(Password::new(b"nine long").is_none());
    assert_eq!(format!("{:?}", password(b"secret")), "Password(…)");
}

#[test]
fn unicast_peers_get_their_own_advertisements_and_nobody_else_is_heard() {
    let other: IpAddr = [10, 0, 0, 3].into();
    let peers = vec![PEER.into(), other];
    let (mut bench, start) = Bench::master(Config {
        peers,
        ..config(Version::V3, 100)
    });
    let destinations: Vec<IpAddr> = {
        let _ = bench.handle(Event::Deadline, start + at(1000));
        let sent = bench.actions.iter().filter_map(|action| match action {
            Action::Send(transmit) => Some(transmit.destination()),
            _ => None,
        });
        sent.collect()
    };
    assert_eq!(destinations, [PEER.into(), other]);
    let message = advertisement(Version::V3, PEER.into(), 200, Interval::DEFAULT);
    let from = |source: IpAddr, destination: IpAddr| {
        Event::Received(Received {
            source,
            destination,
            ttl: 255,
            message: &message,
        })
    };
    let stranger: IpAddr = [10, 0, 0, 9].into();
    let outcome = bench.handle(from(stranger, US.into()), start);
    assert_eq!(outcome, dropped(DropReason::UnknownPeer(stranger)));
    let group = vrrp::GROUP_V4.into();
    let outcome = bench.handle(from(PEER.into(), group), start);
    assert_eq!(outcome, dropped(DropReason::Destination(group)));
    assert_eq!(bench.handle(from(PEER.into(), US.into()), start), HANDLED);
    assert_eq!(bench.state(), State::Backup);
}

#[test]
fn addresses_are_announced_in_rounds_and_refreshed() {
    let announce = Announce {
        rounds: 3,
        gap: at(300),
        refresh: Some(Duration::from_secs(10)),
    };
    let (mut bench, start) = Bench::master(Config {
        announce,
        ..config(Version::V3, 100)
    });
    let mut times = vec![];
    while times.len() < 4 {
        let now = bench.due();
        let _ = bench.handle(Event::Deadline, now);
        if bench.announced() > 0 {
            times.push((now - start).as_millis());
        }
    }
    assert_eq!(times, [300, 600, 10_600, 20_600]);
    let _ = bench.receive(Version::V3, 200, start + at(21_000));
    let deadline = bench.router.next_deadline().unwrap();
    assert_eq!(
        deadline.why,
        DeadlineReason::MasterDown,
        "a backup announces nothing"
    );
}

#[test]
fn accept_mode_and_ownership_are_said_with_the_addresses() {
    for (priority, accept_mode, accept, owned) in [
        (100, false, false, false),
        (100, true, true, false),
        (255, false, true, true),
    ] {
        let mut bench = Bench::new(Config {
            accept_mode,
            ..config(Version::V3, priority)
        });
        let _ = bench.handle(Event::Startup { address: US.into() }, at(0));
        if priority != 255 {
            let _ = bench.handle(Event::Deadline, bench.due());
        }
        let added = bench.actions.iter().find_map(|action| match action {
            Action::AddAddresses(added) => Some((added.accept, added.owned)),
            _ => None,
        });
        assert_eq!(added, Some((accept, owned)));
    }
}

#[test]
fn the_source_and_the_priority_can_change_while_running() {
    let (mut bench, start) = Bench::master(config(Version::V3, 100));
    let same = Event::Startup { address: US.into() };
    assert_eq!(bench.handle(same, start), dropped(DropReason::NoChange));
    let other: IpAddr = [10, 0, 0, 7].into();
    assert_eq!(
        bench.handle(Event::Startup { address: other }, start),
        HANDLED
    );
    let v6: IpAddr = [1u16; 8].into();
    let outcome = bench.handle(Event::Startup { address: v6 }, start);
    assert_eq!(outcome, dropped(DropReason::InvalidSource(v6)));
    assert_eq!(
        bench.handle(Event::SetPriority(Priority(42)), start),
        HANDLED
    );
    for wrong in [Priority::STOP, Priority::OWNER] {
        let outcome = bench.handle(Event::SetPriority(wrong), start);
        assert_eq!(outcome, dropped(DropReason::InvalidPriority(wrong)));
    }
    let _ = bench.handle(Event::Deadline, start + at(1000));
    assert_eq!(bench.sent(), [42]);
}

#[test]
fn configurations_nobody_can_run_with_are_refused() {
    let good = config(Version::V3, 100);
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    let vrid = good.vrid;
    let cases = [
        (
            Config {
                addresses: [].into(),
                ..good.clone()
            },
            ConfigError::AddressCount(0),
        ),
        (
            Config {
                peers: vec![v6],
                ..good.clone()
            },
            ConfigError::Family(v6),
        ),
        (
            Config::new(Version::V2, vrid, &[v6]),
            ConfigError::Version2WithIpv6,
        ),
        (
            Config::new(Version::V3, vrid, &[v6]),
            ConfigError::NotLinkLocal(v6),
        ),
        (
            Config {
                priority: Priority::STOP,
                ..good.clone()
            },
            ConfigError::PriorityZero,
        ),
        (
            Config {
                interval: Interval::from_seconds(41).unwrap(),
                ..good.clone()
            },
            ConfigError::Interval {
                version: Version::V3,
                centiseconds: 4100,
            },
        ),
        (
            Config {
                interval: Interval::from_centiseconds(150).unwrap(),
                ..config(Version::V2, 100)
            },
            ConfigError::Interval {
                version: Version::V2,
                centiseconds: 150,
            },
        ),
        (
            Config {
                password: Password::new(b"x"),
                ..good.clone()
            },
            ConfigError::PasswordInVersion3,
        ),
        (
            Config {
                announce: Announce {
                    rounds: 2,
                    gap: at(0),
                    refresh: None,
                },
                ..good.clone()
            },
            ConfigError::AnnounceTime,
        ),
        (
            Config {
                down_intervals: 0,
                ..good.clone()
            },
            ConfigError::DownIntervals,
        ),
    ];
    for (config, error) in cases {
        assert_eq!(Router::new(config).err(), Some(error));
    }
    assert!(good.check().is_ok());
    assert_eq!(good.accept, Accept::STANDARD);
}

#[test]
fn show_vrrp() {
    let tracks = vec![Track {
        object: 1,
        effect: TrackEffect::Decrement(100),
    }];
    let config = Config {
        tracks,
        preempt_delay: Duration::from_secs(60),
        learn_interval: true,
        ..config(Version::V2, 150)
    };
    let (mut bench, start) = Bench::master(config);
    let _ = bench.handle(
        Event::Track {
            object: 1,
            up: false,
        },
        start,
    );
    let _ = bench.handle(Event::Deadline, start + at(1000));
    let _ = bench.receive(Version::V2, 100, start + at(1500));
    let _ = bench.receive(Version::V3, 100, start + at(1500));
    let status = bench.router.status(start + at(2000));
    let shown = Show {
        interface: "Ethernet0/0",
        status: &status,
    }
    .to_string();
    assert_eq!(
        shown,
        "Ethernet0/0 - Group 5 (version 2)
  State is Backup
  Virtual IP address is 10.0.0.254
  Virtual MAC address is 0000.5e00.0105
  Advertisement interval is 1.000 sec, learning enabled
  Preemption enabled, delay min 60 secs
  Priority is 50 (cfgd 150)
    Track object 1 state Down decrement 100
  Master Router is 10.0.0.2, priority is 100
  Master Advertisement interval is 1.000 sec
  Master Down interval is 3.804 sec (expires in 3.304 sec)
  Advertisements sent 2, received 1
  Priority 0 sent 0, received 0
  Became master 1 times
  Dropped for version errors: 1
"
    );
    assert_eq!(State::Master.rfc9568_name(), "Active");
}
