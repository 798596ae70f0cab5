//! VRRP: packets, and the router.

use std::time::Duration;

use vrrp::{
    Accept, Actions, Advertisement, ChecksumReading, Config, Deadline, Event, GROUP_V4, Interval,
    Message, Outcome, Priority, Received, Router, State, Status, Track, TrackEffect, Version, Vrid,
};

use super::Feed;

/// An IP packet with an advertisement in it.
pub fn packet(data: &[u8]) {
    let received = match Received::from_packet(data) {
        Ok(received) => received,
        Err(error) => return drop(error.to_string()),
    };
    for accept in [
        Accept::STANDARD,
        Accept {
            min_ttl: 0,
            checksum: None,
        },
    ] {
        match Advertisement::parse(&received, accept) {
            Ok(advertisement) => {
                assert_eq!(
                    advertisement.addresses().count(),
                    advertisement.address_count()
                );
            }
            Err(error) => drop(error.to_string()),
        }
    }
}

/// Events in any order and at any time: a dropped one changes nothing but counters, a deadline moves
/// on, a running router has one, and a backup waits no longer than Master_Down_Interval.
pub fn router(data: &[u8]) {
    let mut feed = Feed(data);
    let Some([flags, priority]) = feed.array() else {
        return;
    };
    let bit = |bit: u8| flags >> bit & 1 == 1;
    let version = if bit(0) { Version::V2 } else { Version::V3 };
    let Some(vrid) = Vrid::new(5) else { return };
    let effects = [TrackEffect::Decrement(100), TrackEffect::Fault];
    let tracks = (0..).zip(effects);
    let Ok(mut router) = Router::new(Config {
        priority: Priority(priority.max(1)),
        preempt: bit(1),
        preempt_delay: Duration::from_secs(if bit(2) { 4 } else { 0 }),
        startup_delay: Duration::from_secs(if bit(3) { 2 } else { 0 }),
        learn_interval: bit(4),
        tracks: tracks
            .map(|(object, effect)| Track { object, effect })
            .collect(),
        ..Config::new(version, vrid, &[[10, 0, 0, 254].into()])
    }) else {
        return;
    };
    let mut now = Duration::ZERO;
    while let Some(kind) = feed.byte() {
        let mut message = [0; 64];
        let event = match kind & 7 {
            0 => Event::Deadline,
            1 => Event::Startup {
                address: [10, 0, 0, 1].into(),
            },
            2 if kind & 8 == 0 => Event::Shutdown,
            2 => Event::InterfaceDown,
            3 => Event::Track {
                object: u32::from(kind >> 4 & 1),
                up: kind & 8 != 0,
            },
            4 => Event::SetPriority(Priority(feed.byte().unwrap_or(100))),
            5 => {
                let Some(bytes) = feed.bytes() else { return };
                match Received::from_packet(bytes) {
                    Ok(received) => Event::Received(received),
                    Err(_) => continue,
                }
            }
            6 => {
                let Some([priority, last]) = feed.array() else {
                    return;
                };
                let source = [10, 0, 0, last].into();
                let destination = GROUP_V4.into();
                let advertisement = Message {
                    version,
                    vrid,
                    priority: Priority(priority),
                    interval: Interval::DEFAULT,
                    password: None,
                    addresses: &[[10, 0, 0, 254].into()],
                    source,
                    destination,
                    reading: ChecksumReading::Message,
                };
                let Ok(len) = advertisement.write(&mut message) else {
                    return;
                };
                Event::Received(Received {
                    source,
                    destination,
                    ttl: 255,
                    message: &message[..len],
                })
            }
            _ => {
                let Some(wait) = feed.array().map(u16::from_be_bytes) else {
                    return;
                };
                let target = now + Duration::from_millis(wait.into());
                // Time does not pass a deadline without the router being told.
                while let Some(due) = router.next_deadline().filter(|due| due.at <= target) {
                    now = now.max(due.at);
                    step(&mut router, Event::Deadline, now);
                }
                now = target;
                continue;
            }
        };
        if let Event::Deadline = event {
            now = now.max(router.next_deadline().map_or(now, |deadline| deadline.at));
        }
        step(&mut router, event, now);
    }
}

fn step(router: &mut Router, event: Event<'_>, now: Duration) {
    // A deadline that is due is never dropped, and there are many of them.
    let due = router.next_deadline().is_some_and(|due| due.at <= now);
    let before = match event {
        Event::Deadline if due => None,
        _ => Some(fingerprint(router)),
    };
    let mut actions = Actions::new();
    match router.handle(event, now, &mut actions) {
        Outcome::Dropped(reason) => assert_eq!(before, Some(fingerprint(router)), "{reason}"),
        Outcome::Handled => {
            let next = router.next_deadline();
            if let (Event::Deadline, Some(next)) = (event, next) {
                assert!(next.at > now, "progress");
            }
            assert!(next.is_some() || router.state() == State::Initialize);
        }
    }
    if let (State::Backup, Some(next)) = (router.state(), router.next_deadline()) {
        assert!(next.at <= now + router.status(now).master_down_interval);
    }
}

/// Everything but the counters.
fn fingerprint(router: &Router) -> (Status, Option<Deadline>) {
    let mut status = router.status(Duration::ZERO);
    status.counters = vrrp::Counters::default();
    (status, router.next_deadline())
}
