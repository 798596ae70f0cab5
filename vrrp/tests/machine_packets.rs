//! What the state machine does with packets, addresses and configuration.
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
    Received, Router, Show, State, Track, TrackEffect, Version, Vrid, Warning,
};

const HANDLED: Outcome = Outcome::Handled;

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
fn d10_wrong_packets_are_counted_under_their_reason_and_change_nothing() {
    // Another address list is dropped in version 3 only where that was chosen.
    let mut bench = Bench::backup(Config {
        address_check: AddressCheck::Drop,
        ..config(Version::V3, 100)
    });
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

/// An advertisement of the peer whose address list is not ours.
fn other_list(version: Version, priority: u8) -> Vec<u8> {
    let list = [[10, 0, 0, 253].into()];
    let message = Message {
        version,
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
}

/// RFC 9568 §7.1: the receiver logs another address list. Two masters whose lists differ settle which of them is one.
#[test]
fn l14_a_list_that_differs_is_logged_in_version_3_and_one_master_remains() {
    let (mut bench, now) = Bench::master(config(Version::V3, 100));
    let outcome = bench.receive_bytes(&other_list(Version::V3, 200), PEER.into(), now);
    assert_eq!(outcome, HANDLED);
    assert_eq!(bench.state(), State::Backup);
    let warning = Action::Warn(Warning::AddressesDiffer);
    assert!(bench.actions.contains(&warning), "{:?}", bench.actions);
    // A lower one is answered, so that the other router yields.
    let (mut bench, now) = Bench::master(config(Version::V3, 100));
    let outcome = bench.receive_bytes(&other_list(Version::V3, 50), PEER.into(), now);
    assert_eq!(
        (outcome, bench.state(), bench.sent()),
        (HANDLED, State::Master, vec![100])
    );
}

#[test]
fn l14_each_version_has_its_own_words_and_dropping_is_a_choice_in_version_3() {
    let kept = |version, check: Option<AddressCheck>| {
        let mut config = config(version, 100);
        if let Some(check) = check {
            config.address_check = check;
        }
        let mut bench = Bench::backup(config);
        let outcome = bench.receive_bytes(&other_list(version, 200), PEER.into(), at(0));
        let warned = bench
            .actions
            .contains(&Action::Warn(Warning::AddressesDiffer));
        assert_eq!(warned, check != Some(AddressCheck::Off), "{check:?}");
        outcome
    };
    let refused = dropped(DropReason::AddressList);
    assert_eq!(kept(Version::V3, None), HANDLED);
    assert_eq!(kept(Version::V3, Some(AddressCheck::Drop)), refused);
    assert_eq!(kept(Version::V3, Some(AddressCheck::Off)), HANDLED);
    // RFC 3768 §7.1: "the receiver MUST drop the packet".
    assert_eq!(kept(Version::V2, None), refused);
    assert_eq!(kept(Version::V2, Some(AddressCheck::Warn)), HANDLED);
}

#[test]
fn rfc3768_s7_1_the_owners_address_list_is_taken_whatever_it_is() {
    for (check, priority, taken, warned) in [
        // Logged all the same.
        (AddressCheck::Drop, 200, false, true),
        (AddressCheck::Drop, 255, true, true),
        (AddressCheck::Warn, 200, true, true),
        (AddressCheck::Off, 200, true, false),
    ] {
        let mut bench = Bench::backup(Config {
            address_check: check,
            ..config(Version::V2, 100)
        });
        let outcome = bench.receive_bytes(&other_list(Version::V2, priority), PEER.into(), at(0));
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
        early: None,
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
fn the_addresses_are_announced_early_once_more_for_a_preempted_router_may_answer_the_first_round() {
    for (rounds, expected) in [(3, vec![50, 350, 650]), (1, vec![50]), (0, vec![])] {
        let announce = Announce {
            rounds,
            early: Some(at(50)),
            gap: at(300),
            refresh: None,
        };
        let (mut bench, start) = Bench::master(Config {
            announce,
            ..config(Version::V3, 100)
        });
        let mut times = vec![];
        while bench.due() < start + at(5000) {
            let now = bench.due();
            let _ = bench.handle(Event::Deadline, now);
            if bench.announced() > 0 {
                times.push((now - start).as_millis());
            }
        }
        assert_eq!(times, expected);
    }
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
                    early: None,
                    gap: at(0),
                    refresh: None,
                },
                ..good.clone()
            },
            ConfigError::AnnounceTime,
        ),
        (
            Config {
                announce: Announce {
                    early: Some(at(0)),
                    ..Announce::default()
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
