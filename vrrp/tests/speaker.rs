//! Many routers: demultiplexing, one deadline for all, sync groups.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

mod common;

use std::net::IpAddr;
use std::time::Duration;

use common::{PEER, US, VIRTUAL, advertisement, at, config};
use vrrp::{
    Accept, Action, Actions, AddError, ChecksumReading, Config, DropReason, Event, Family,
    Interval, Message, Outcome, Priority, Reason, Received, RouterKey, Speaker, SpeakerAction,
    SpeakerEvent, State, SyncError, Track, TrackEffect, Version, Vrid,
};

const HANDLED: Outcome = Outcome::Handled;

struct Bench {
    speaker: Speaker,
    actions: Vec<SpeakerAction>,
}

impl Bench {
    /// A router of VRID 5 on each of the interfaces, in a sync group, all started at 0.
    fn group(configs: &[Config]) -> (Self, Vec<RouterKey>) {
        let mut bench = Self {
            speaker: Speaker::new(),
            actions: vec![],
        };
        let keys: Vec<RouterKey> = configs
            .iter()
            .zip(1..)
            .map(|(config, interface)| bench.speaker.add(interface, config.clone()).unwrap())
            .collect();
        bench.speaker.synchronise(&keys).unwrap();
        for key in &keys {
            bench.up(key.interface, at(0));
        }
        (bench, keys)
    }

    fn handle(&mut self, event: SpeakerEvent<'_>, now: Duration) -> Outcome {
        let mut actions = Actions::new();
        let outcome = self.speaker.handle(event, now, &mut actions);
        self.actions = actions.drain().collect();
        if let Some(next) = self.speaker.next_deadline()
            && matches!(event, SpeakerEvent::Deadline)
            && outcome == HANDLED
        {
            assert!(next.at > now, "progress");
        }
        outcome
    }

    fn up(&mut self, interface: u32, now: Duration) {
        let event = SpeakerEvent::InterfaceUp {
            interface,
            address: US.into(),
        };
        assert_eq!(self.handle(event, now), HANDLED);
    }

    fn receive(&mut self, interface: u32, priority: u8, now: Duration) -> Outcome {
        let message = advertisement(Version::V3, PEER.into(), priority, Interval::DEFAULT);
        let packet = Received {
            source: PEER.into(),
            destination: vrrp::GROUP_V4.into(),
            ttl: 255,
            message: &message,
        };
        self.handle(SpeakerEvent::Received { interface, packet }, now)
    }

    fn run_until(&mut self, end: Duration) {
        while let Some(next) = self.speaker.next_deadline().filter(|d| d.at <= end) {
            assert_eq!(self.handle(SpeakerEvent::Deadline, next.at), HANDLED);
        }
    }

    fn states(&self) -> Vec<State> {
        self.speaker
            .routers()
            .map(|(_, router)| router.state())
            .collect()
    }
}

#[test]
fn a_packet_finds_the_router_of_its_interface_family_and_vrid() {
    let mut bench = Bench {
        speaker: Speaker::new(),
        actions: vec![],
    };
    let v4 = bench.speaker.add(1, config(Version::V3, 100)).unwrap();
    let link_local: IpAddr = "fe80::5".parse().unwrap();
    let vrid = Vrid::new(5).unwrap();
    let v6 = bench
        .speaker
        .add(1, Config::new(Version::V3, vrid, &[link_local]))
        .unwrap();
    assert_eq!((v4.family, v6.family), (Family::V4, Family::V6));
    let taken = bench.speaker.add(1, config(Version::V2, 100));
    assert_eq!(taken.err(), Some(AddError::Taken(v4)));
    bench.up(1, at(0));
    assert_eq!(
        bench.states(),
        [State::Backup, State::Initialize],
        "the families start apart"
    );

    assert_eq!(bench.receive(1, 200, at(1)), HANDLED);
    let unknown = Outcome::Dropped(DropReason::UnknownVrid(vrid));
    assert_eq!(bench.receive(2, 200, at(1)), unknown, "another interface");
    assert_eq!(bench.speaker.counters().dropped["vrid errors"], 1);
    let received = &bench.speaker.router(&v4).unwrap().counters().received;
    assert_eq!(*received, 1);
}

/// A14: what a router alone would refuse is refused behind a [`Speaker`] too, and the router beside it
/// takes the same packet where its own configuration says so.
#[test]
fn a14_a_speakers_routers_judge_ttl_and_checksum_by_their_own_configuration() {
    let mut bench = Bench {
        speaker: Speaker::new(),
        actions: vec![],
    };
    let strict = Accept {
        checksum: Some(ChecksumReading::Message),
        ..Accept::STANDARD
    };
    let lenient = Accept {
        min_ttl: 200,
        checksum: None,
    };
    let keys: Vec<RouterKey> = [(1, strict), (2, lenient)]
        .map(|(interface, accept)| {
            let config = Config {
                accept,
                ..config(Version::V3, 100)
            };
            bench.speaker.add(interface, config).unwrap()
        })
        .into();
    bench.up(1, at(0));
    bench.up(2, at(0));
    let written = |reading| {
        let message = Message {
            version: Version::V3,
            vrid: Vrid::new(5).unwrap(),
            priority: Priority(200),
            interval: Interval::DEFAULT,
            password: None,
            addresses: &[VIRTUAL.into()],
            source: PEER.into(),
            destination: vrrp::GROUP_V4.into(),
            reading,
        };
        let mut bytes = vec![0; message.len()];
        message.write(&mut bytes).unwrap();
        bytes
    };
    let (message, pseudo) = (
        written(ChecksumReading::Message),
        written(ChecksumReading::PseudoHeader),
    );
    // Octets, TTL, the counter of the strict router, whether the lenient one takes it.
    let cases = [
        (&message, 255, None, true),
        (&message, 254, Some("ip ttl errors"), true),
        (&message, 199, Some("ip ttl errors"), false),
        (&message, 0, Some("ip ttl errors"), false),
        (&pseudo, 255, Some("checksum errors"), true),
    ];
    for (message, ttl, error, lenient_takes) in cases {
        for (key, error) in [
            (keys[0], error),
            (keys[1], (!lenient_takes).then_some("ip ttl errors")),
        ] {
            let count = |bench: &Bench| {
                let counters = bench.speaker.router(&key).unwrap().counters();
                let dropped = error.and_then(|name| counters.dropped.get(name));
                (counters.received, dropped.copied().unwrap_or(0))
            };
            let before = count(&bench);
            let packet = Received {
                source: PEER.into(),
                destination: vrrp::GROUP_V4.into(),
                ttl,
                message,
            };
            let interface = key.interface;
            let outcome = bench.handle(SpeakerEvent::Received { interface, packet }, at(1));
            let after = count(&bench);
            let what = format!("TTL {ttl}, interface {interface}: {outcome:?}");
            assert_eq!(outcome == HANDLED, error.is_none(), "{what}");
            assert_eq!(after.0 - before.0, u64::from(error.is_none()), "{what}");
            assert_eq!(after.1 - before.1, u64::from(error.is_some()), "{what}");
        }
    }
}

#[test]
fn one_deadline_serves_all_routers() {
    let mut bench = Bench {
        speaker: Speaker::new(),
        actions: vec![],
    };
    for vrid in 1..=255 {
        let vrid = Vrid::new(vrid).unwrap();
        let config = Config {
            priority: Priority(vrid.value().min(254)),
            ..Config::new(Version::V3, vrid, &[VIRTUAL.into()])
        };
        bench.speaker.add(1, config).unwrap();
    }
    bench.up(1, at(0));
    bench.run_until(Duration::from_secs(10));
    assert!(bench.states().iter().all(|state| *state == State::Master));
    let sent: u64 = bench
        .speaker
        .routers()
        .map(|(_, router)| router.counters().sent)
        .sum();
    assert!((255 * 6..255 * 8).contains(&sent), "{sent}");
    let _ = bench.handle(SpeakerEvent::Shutdown, Duration::from_secs(10));
    assert_eq!(bench.speaker.next_deadline(), None);
    let goodbyes = bench.actions.iter().filter(|action| match &action.action {
        Action::Send(transmit) => transmit.priority() == Priority::STOP,
        _ => false,
    });
    assert_eq!(goodbyes.count(), 255);
}

#[test]
fn a_sync_group_becomes_master_together() {
    let configs = [config(Version::V3, 150), config(Version::V3, 100)];
    let (mut bench, keys) = Bench::group(&configs);
    bench.run_until(at(3410));
    assert_eq!(
        bench.states(),
        [State::Master, State::Master],
        "the second with the first"
    );
    let reasons: Vec<(RouterKey, Reason)> = bench
        .actions
        .iter()
        .filter_map(|action| match action.action {
            Action::StateChanged { reason, .. } => Some((action.router, reason)),
            _ => None,
        })
        .collect();
    assert_eq!(
        reasons,
        [(keys[0], Reason::MasterDown), (keys[1], Reason::SyncGroup)]
    );
}

#[test]
fn a_sync_group_yields_together_and_says_so_where_nobody_else_did() {
    let configs = [config(Version::V3, 150), config(Version::V3, 150)];
    let (mut bench, keys) = Bench::group(&configs);
    bench.run_until(at(5000));
    assert_eq!(bench.receive(1, 200, at(5000)), HANDLED);
    assert_eq!(bench.states(), [State::Backup, State::Backup]);
    let said: Vec<(RouterKey, Priority)> = bench
        .actions
        .iter()
        .filter_map(|action| match &action.action {
            Action::Send(transmit) => Some((action.router, transmit.priority())),
            _ => None,
        })
        .collect();
    assert_eq!(said, [(keys[1], Priority::STOP)]);
    // Both give the addresses up.
    let released = |action: &&SpeakerAction| matches!(action.action, Action::RemoveAddresses(_));
    assert_eq!(bench.actions.iter().filter(released).count(), 2);

    // The second hears a lower master, whom alone it would displace: not while the first follows.
    for second in 5..20 {
        bench.run_until(at(second * 1000));
        // Not for a moment: looked at before the first hears its master again.
        assert_eq!(bench.states(), [State::Backup, State::Backup]);
        let _ = bench.receive(1, 200, at(second * 1000));
        let _ = bench.receive(2, 100, at(second * 1000));
        assert_eq!(bench.states(), [State::Backup, State::Backup]);
    }
}

/// A member whose preempt delay is over stays a backup while another one follows a better master.
#[test]
fn a_sync_group_preempts_together_or_not_at_all() {
    let delayed = || Config {
        preempt_delay: at(2000),
        ..config(Version::V3, 150)
    };
    for better in [150, 200] {
        let (mut bench, keys) = Bench::group(&[delayed(), delayed()]);
        // Starting says nothing and takes nothing.
        assert!(bench.actions.iter().all(|action| {
            action.router == keys[1] && matches!(action.action, Action::StateChanged { .. })
        }));
        for second in 0..10 {
            let now = at(second * 1000);
            bench.run_until(now);
            assert_eq!(bench.states(), [State::Backup, State::Backup], "{better}");
            let _ = bench.receive(1, better, now);
            let _ = bench.receive(2, 100, now);
        }
    }
    // Once none of them follows a better one they preempt together.
    let (mut bench, _) = Bench::group(&[delayed(), delayed()]);
    for second in 0..3 {
        let now = at(second * 1000);
        bench.run_until(now);
        let _ = bench.receive(1, 149, now);
        let _ = bench.receive(2, 100, now);
    }
    bench.run_until(at(2500));
    assert_eq!(bench.states(), [State::Master, State::Master]);
}

#[test]
fn a_sync_group_with_a_member_out_is_never_master() {
    let configs = [config(Version::V3, 150), config(Version::V3, 150)];
    let (mut bench, _) = Bench::group(&configs);
    bench.run_until(at(5000));
    let _ = bench.handle(SpeakerEvent::InterfaceDown { interface: 1 }, at(5000));
    assert_eq!(bench.states(), [State::Initialize, State::Backup]);
    bench.run_until(at(60_000));
    assert_eq!(bench.states(), [State::Initialize, State::Backup]);
    bench.up(1, at(60_000));
    bench.run_until(at(65_000));
    assert_eq!(bench.states(), [State::Master, State::Master]);
}

#[test]
fn a_tracked_object_reaches_every_router_that_tracks_it() {
    let tracks = vec![Track {
        object: 7,
        effect: TrackEffect::Decrement(30),
    }];
    let configs = [
        Config {
            tracks,
            ..config(Version::V3, 150)
        },
        config(Version::V3, 150),
    ];
    let (mut bench, keys) = Bench::group(&configs);
    let event = SpeakerEvent::Track {
        object: 7,
        up: false,
    };
    assert_eq!(bench.handle(event, at(1)), HANDLED);
    let priorities =
        [keys[0], keys[1]].map(|key| bench.speaker.router(&key).unwrap().effective_priority().0);
    assert_eq!(priorities, [120, 150]);
    let unknown = SpeakerEvent::Track {
        object: 8,
        up: false,
    };
    assert!(matches!(bench.handle(unknown, at(1)), Outcome::Dropped(_)));
}

#[test]
fn sync_groups_take_known_free_routers_that_own_nothing() {
    let mut speaker = Speaker::new();
    let first = speaker.add(1, config(Version::V3, 100)).unwrap();
    let owner = speaker.add(2, config(Version::V3, 255)).unwrap();
    let missing = RouterKey {
        interface: 9,
        ..first
    };
    assert_eq!(
        speaker.synchronise(&[missing]),
        Err(SyncError::Unknown(missing))
    );
    assert_eq!(speaker.synchronise(&[owner]), Err(SyncError::Owner(owner)));
    assert_eq!(speaker.synchronise(&[first]), Ok(()));
    assert_eq!(speaker.synchronise(&[first]), Err(SyncError::Member(first)));
    let mut actions = Actions::new();
    let event = SpeakerEvent::Router {
        key: missing,
        event: Event::Shutdown,
    };
    let outcome = speaker.handle(event, at(0), &mut actions);
    assert!(matches!(
        outcome,
        Outcome::Dropped(DropReason::UnknownVrid(_))
    ));
}
