//! The edges of the state machine: what only shows one step beyond the usual.
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
    Accept, Action, Actions, AddressCheck, Advertisement, Announce, ChecksumReading, Config,
    DropReason, Event, Interval, Message, Outcome, ParseError, Priority, Reason, Received, State,
    Track, TrackEffect, Version, Vrid, Warning,
};

const HANDLED: Outcome = Outcome::Handled;

fn message(version: Version, priority: u8, addresses: &[IpAddr], interval: Interval) -> Vec<u8> {
    let message = Message {
        version,
        vrid: Vrid::new(5).unwrap(),
        priority: Priority(priority),
        interval,
        password: None,
        addresses,
        source: PEER.into(),
        destination: vrrp::GROUP_V4.into(),
        reading: ChecksumReading::Message,
    };
    let mut bytes = vec![0; message.len()];
    message.write(&mut bytes).unwrap();
    bytes
}

fn reason(bench: &Bench) -> Option<Reason> {
    bench.actions.iter().find_map(|action| match action {
        Action::StateChanged { reason, .. } => Some(*reason),
        _ => None,
    })
}

/// A14, D10: who reads the packet with other bounds than the router's does not get round them.
#[test]
fn a14_a_router_judges_what_was_read_with_other_bounds() {
    let mut bench = Bench::backup(config(Version::V3, 100));
    let good = advertisement(Version::V3, PEER.into(), 200, Interval::DEFAULT);
    let lenient = Accept {
        min_ttl: 0,
        checksum: None,
    };
    let v6: [IpAddr; 2] = ["fe80::2".parse().unwrap(), "ff02::12".parse().unwrap()];
    let over_v6 = Message {
        version: Version::V3,
        vrid: Vrid::new(5).unwrap(),
        priority: Priority(200),
        interval: Interval::DEFAULT,
        password: None,
        addresses: &["fe80::5".parse().unwrap()],
        source: v6[0],
        destination: v6[1],
        reading: ChecksumReading::PseudoHeader,
    };
    let mut octets = vec![0; over_v6.len()];
    over_v6.write(&mut octets).unwrap();
    let mut take = |source, destination, ttl, message: &[u8]| {
        let packet = Received {
            source,
            destination,
            ttl,
            message,
        };
        let parsed = Advertisement::parse(&packet, lenient).unwrap();
        let mut actions = Actions::new();
        let outcome = bench.router.advertisement(&parsed, at(1), &mut actions);
        assert_eq!(actions.len(), 0);
        outcome
    };
    let group = vrrp::GROUP_V4.into();
    assert_eq!(
        take(PEER.into(), group, 254, &good),
        dropped(ParseError::Ttl(254).into())
    );
    assert_eq!(
        take(v6[0], v6[1], 255, &octets),
        dropped(DropReason::Family)
    );
    assert_eq!(take(PEER.into(), group, 255, &good), HANDLED);
}

/// RFC 3768 §7.1: "the IP address(es) associated with the VRID are valid": as a set.
#[test]
fn rfc3768_s7_1_an_address_list_fits_in_any_order_and_with_nothing_else() {
    let [v, w, x]: [IpAddr; 3] = [
        VIRTUAL.into(),
        [10, 0, 0, 253].into(),
        [10, 0, 0, 252].into(),
    ];
    let config = || Config {
        address_check: AddressCheck::Drop,
        addresses: [v, w].into(),
        ..config(Version::V2, 100)
    };
    let cases: [(&[IpAddr], bool); 8] = [
        (&[v, w], true),
        (&[w, v], true),
        (&[v], false),
        (&[w], false),
        (&[v, v], false),
        (&[v, x], false),
        (&[x, w], false),
        (&[v, w, w], false),
    ];
    for (list, fits) in cases {
        let mut bench = Bench::backup(config());
        let bytes = message(Version::V2, 200, list, Interval::DEFAULT);
        let outcome = bench.receive_bytes(&bytes, PEER.into(), at(0));
        let expected = if fits {
            HANDLED
        } else {
            dropped(DropReason::AddressList)
        };
        assert_eq!(outcome, expected, "{list:?}");
    }
}

fn tracked(effect: TrackEffect, priority: u8) -> Config {
    let track = Track { object: 1, effect };
    Config {
        tracks: vec![track],
        preempt_delay: Duration::from_secs(60),
        ..config(Version::V3, priority)
    }
}

#[test]
fn a_preempt_delay_ends_when_the_master_is_no_longer_of_lower_priority() {
    for (decrement, still) in [(30, true), (49, true), (50, false), (60, false)] {
        let mut bench = Bench::backup(tracked(TrackEffect::Decrement(decrement), 150));
        assert_eq!(bench.receive(Version::V3, 100, at(0)), HANDLED);
        assert!(bench.router.status(at(0)).preempt_in.is_some());
        let down = Event::Track {
            object: 1,
            up: false,
        };
        assert_eq!(bench.handle(down, at(1)), HANDLED);
        let running = bench.router.status(at(1)).preempt_in.is_some();
        assert_eq!(running, still, "{decrement}");
    }
}

#[test]
fn rfc9568_s6_4_2_priority_0_forgets_the_master_and_the_preempt_delay() {
    let mut bench = Bench::backup(tracked(TrackEffect::Fault, 150));
    assert_eq!(bench.receive(Version::V3, 100, at(0)), HANDLED);
    let status = bench.router.status(at(0));
    assert!(status.preempt_in.is_some() && status.master.is_some());
    assert_eq!(bench.receive(Version::V3, 0, at(1)), HANDLED);
    let status = bench.router.status(at(1));
    assert_eq!((status.preempt_in, status.master), (None, None));
}

#[test]
fn a_lower_master_counts_as_alive_for_three_intervals() {
    for (heard, expected) in [(410, Reason::Preempt), (409, Reason::MasterDown)] {
        let mut bench = Bench::backup(config(Version::V3, 150));
        assert_eq!(bench.receive(Version::V3, 100, at(heard)), HANDLED);
        assert_eq!(bench.due(), at(3410));
        assert_eq!(bench.handle(Event::Deadline, at(3410)), HANDLED);
        assert_eq!(reason(&bench), Some(expected), "heard at {heard} ms");
    }
}

#[test]
fn rfc9568_s6_4_3_priority_0_restarts_the_advertisement_timer() {
    let quiet = Announce {
        rounds: 0,
        refresh: None,
        ..Announce::default()
    };
    let (mut bench, start) = Bench::master(Config {
        announce: quiet,
        ..config(Version::V3, 100)
    });
    let _ = bench.receive(Version::V3, 0, start + at(500));
    assert_eq!(bench.sent(), [100]);
    assert_eq!(bench.due(), start + at(1500));
}

#[test]
fn rfc9568_s6_4_3_a_master_that_yields_waits_for_the_new_masters_interval() {
    let (mut bench, start) = Bench::master(config(Version::V3, 100));
    let slow = Interval::from_centiseconds(300).unwrap();
    let bytes = message(Version::V3, 200, &[VIRTUAL.into()], slow);
    assert_eq!(bench.receive_bytes(&bytes, PEER.into(), start), HANDLED);
    assert_eq!(bench.state(), State::Backup);
    // 3 × 3 s, and (256 - 100) / 256 of 3 s.
    let skew = bench.due() - start - Duration::from_secs(9);
    assert!((at(1820)..at(1830)).contains(&skew), "{skew:?}");

    // Started anew it waits for its own interval again.
    assert_eq!(bench.handle(Event::InterfaceDown, start + at(1)), HANDLED);
    let again = start + at(10);
    assert_eq!(
        bench.handle(Event::Startup { address: US.into() }, again),
        HANDLED
    );
    let skew = bench.due() - again - Duration::from_secs(3);
    assert!(skew < at(1000), "{skew:?}");
}

#[test]
fn a_deadline_late_by_exactly_one_interval_makes_no_burst() {
    let (mut bench, start) = Bench::master(config(Version::V3, 100));
    let late = start + at(2000);
    // The law of progress is checked with every call.
    assert_eq!(bench.handle(Event::Deadline, late), HANDLED);
    assert_eq!(bench.sent(), [100]);
    assert_eq!(bench.due(), late + at(1000));
}

#[test]
fn a_priority_that_is_the_same_changes_nothing_and_a_new_one_is_shown_with_the_next_beat() {
    let (mut bench, start) = Bench::master(config(Version::V3, 100));
    let same = bench.handle(Event::SetPriority(Priority(100)), start);
    assert_eq!(same, dropped(DropReason::NoChange));
    assert_eq!(
        bench.handle(Event::SetPriority(Priority(120)), start),
        HANDLED
    );
    let due = start + at(1000);
    // Announcements come on the same deadline.
    while bench.due() <= due {
        let next = bench.due();
        assert_eq!(bench.handle(Event::Deadline, next), HANDLED);
    }
    let master = bench.router.status(due).master.unwrap();
    assert_eq!(master.priority, Priority(120));
}

#[test]
fn an_owner_that_comes_back_says_why() {
    let mut bench = Bench::new(tracked(TrackEffect::Fault, 255));
    let _ = bench.handle(Event::Startup { address: US.into() }, at(0));
    assert_eq!(reason(&bench), Some(Reason::Owner));
    let track = |up| Event::Track { object: 1, up };
    assert_eq!(bench.handle(track(false), at(1)), HANDLED);
    assert_eq!(bench.state(), State::Initialize);
    assert_eq!(bench.handle(track(true), at(2)), HANDLED);
    assert_eq!(reason(&bench), Some(Reason::TrackRecovered));
    assert_eq!(bench.state(), State::Master);
}

#[test]
fn a_router_that_waits_to_start_stops_without_a_change_of_state() {
    let mut bench = Bench::new(Config {
        startup_delay: Duration::from_secs(30),
        ..config(Version::V3, 100)
    });
    let _ = bench.handle(Event::Startup { address: US.into() }, at(0));
    assert_eq!(bench.handle(Event::Shutdown, at(1)), HANDLED);
    assert!(bench.actions.is_empty(), "{:?}", bench.actions);
    assert_eq!(bench.router.next_deadline(), None);
}

#[test]
fn goodbyes_are_counted() {
    let (mut bench, start) = Bench::master(config(Version::V3, 100));
    let counters = bench.router.counters();
    assert_eq!((counters.sent, counters.priority_zero_sent), (1, 0));
    assert_eq!(bench.handle(Event::Shutdown, start), HANDLED);
    let counters = bench.router.counters();
    assert_eq!((counters.sent, counters.priority_zero_sent), (2, 1));
}

#[test]
fn a_warning_comes_again_after_ten_seconds_and_not_before() {
    let mut bench = Bench::backup(config(Version::V3, 100));
    let mut warned = Vec::new();
    for time in [0, 1000, 9999, 10_000, 10_001, 20_000] {
        assert_eq!(bench.receive(Version::V3, 100, at(time)), HANDLED);
        let same = Warning::SamePriority {
            address: PEER.into(),
        };
        if bench.actions.contains(&Action::Warn(same)) {
            warned.push(time);
        }
    }
    assert_eq!(warned, [0, 10_000, 20_000]);
}

#[test]
fn without_rounds_the_first_announcement_is_the_refresh() {
    let announce = Announce {
        rounds: 0,
        early: None,
        gap: at(300),
        refresh: Some(Duration::from_secs(10)),
    };
    let (mut bench, start) = Bench::master(Config {
        announce,
        ..config(Version::V3, 100)
    });
    assert_eq!(bench.announced(), 0);
    let mut announced = Vec::new();
    while bench.due() <= start + Duration::from_secs(21) {
        let next = bench.due();
        assert_eq!(bench.handle(Event::Deadline, next), HANDLED);
        if bench.announced() > 0 {
            announced.push((next - start).as_secs());
        }
    }
    assert_eq!(announced, [10, 20]);
}
