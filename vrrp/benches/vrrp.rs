//! Reading and writing an advertisement; 4,096 virtual routers for a second of protocol time.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::net::IpAddr;
use std::time::Duration;

use divan::{AllocProfiler, Bencher, black_box};
use vrrp::{
    Accept, Action, Actions, Advertisement, ChecksumReading, Config, GROUP_V4, Interval, Message,
    Outcome, Priority, Received, Speaker, SpeakerEvent, State, Version, Vrid,
};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const SOURCE: [u8; 4] = [10, 0, 0, 1];

fn message(version: Version, vrid: u8, addresses: &[IpAddr]) -> Message<'_> {
    Message {
        version,
        vrid: Vrid::new(vrid).unwrap(),
        priority: Priority(200),
        interval: Interval::DEFAULT,
        password: None,
        addresses,
        source: SOURCE.into(),
        destination: GROUP_V4.into(),
        reading: ChecksumReading::Message,
    }
}

#[divan::bench(args = [Version::V2, Version::V3])]
fn parse(bencher: Bencher<'_, '_>, version: Version) {
    let addresses = [[10, 0, 0, 254].into()];
    let mut packet = [0; 64];
    let len = message(version, 5, &addresses)
        .write_packet(&mut packet)
        .unwrap();
    bencher.bench_local(|| {
        let received = Received::from_packet(black_box(&packet[..len])).unwrap();
        Advertisement::parse(&received, Accept::STANDARD)
            .unwrap()
            .priority()
    });
}

#[divan::bench(args = [Version::V2, Version::V3])]
fn write(bencher: Bencher<'_, '_>, version: Version) {
    let addresses = [[10, 0, 0, 254].into()];
    let message = message(version, 5, &addresses);
    let mut packet = [0; 64];
    bencher.bench_local(|| black_box(&message).write_packet(&mut packet).unwrap());
}

const ROUTERS: usize = 4096;

/// 4,096 routers on 17 interfaces, all up.
fn speaker(priority: u8) -> Speaker {
    let mut speaker = Speaker::new();
    let mut actions = Actions::new();
    for number in 0..ROUTERS {
        let interface = u32::try_from(number / 255).unwrap();
        let vrid = Vrid::new(u8::try_from(number % 255 + 1).unwrap()).unwrap();
        let config = Config {
            priority: Priority(priority),
            ..Config::new(Version::V3, vrid, &[[10, 0, 0, 254].into()])
        };
        speaker.add(interface, config).unwrap();
    }
    for interface in 0..17 {
        let address = SOURCE.into();
        let event = SpeakerEvent::InterfaceUp { interface, address };
        let _ = speaker.handle(event, Duration::ZERO, &mut actions);
    }
    speaker
}

/// One second of 4,096 masters: every advertisement written.
#[divan::bench(sample_count = 20)]
fn second_of_4096_masters(bencher: Bencher<'_, '_>) {
    let mut speaker = speaker(254);
    let mut actions = Actions::new();
    let mut packet = [0; 64];
    let mut now = Duration::from_secs(10);
    let _ = speaker.handle(SpeakerEvent::Deadline, now, &mut actions);
    actions.drain().for_each(drop);
    assert!(
        speaker
            .routers()
            .all(|(_, router)| router.state() == State::Master)
    );
    bencher.bench_local(|| {
        now += Duration::from_secs(1);
        let mut sent = 0;
        while speaker
            .next_deadline()
            .is_some_and(|deadline| deadline.at <= now)
        {
            let at = speaker.next_deadline().map_or(now, |deadline| deadline.at);
            let _ = speaker.handle(SpeakerEvent::Deadline, at, &mut actions);
            for action in actions.drain() {
                if let Action::Send(transmit) = action.action {
                    sent += usize::from(transmit.write_packet(&mut packet).is_ok());
                }
            }
        }
        assert!(sent >= ROUTERS);
        sent
    });
}

/// One second of 4,096 backups: every master's advertisement read.
#[divan::bench(sample_count = 20)]
fn second_of_4096_backups(bencher: Bencher<'_, '_>) {
    let mut speaker = speaker(100);
    let mut actions = Actions::new();
    let addresses = [[10, 0, 0, 254].into()];
    let packets: Vec<(u32, Vec<u8>)> = (0..ROUTERS)
        .map(|number| {
            let vrid = u8::try_from(number % 255 + 1).unwrap();
            let source = [10, 0, 0, 2].into();
            let mut packet = vec![0; 32];
            let message = Message {
                source,
                ..message(Version::V3, vrid, &addresses)
            };
            let len = message.write_packet(&mut packet).unwrap();
            packet.truncate(len);
            (u32::try_from(number / 255).unwrap(), packet)
        })
        .collect();
    let mut now = Duration::ZERO;
    bencher.bench_local(|| {
        now += Duration::from_secs(1);
        for (interface, packet) in &packets {
            let packet = Received::from_packet(packet).unwrap();
            let event = SpeakerEvent::Received {
                interface: *interface,
                packet,
            };
            assert_eq!(speaker.handle(event, now, &mut actions), Outcome::Handled);
        }
        assert!(
            speaker
                .next_deadline()
                .is_some_and(|deadline| deadline.at > now)
        );
    });
}
