#![allow(clippy::arithmetic_side_effects)]

use std::net::IpAddr;
use std::vec::Vec;

use hex_literal::hex;
use proptest::prelude::*;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::{Delivery, EtherType, Header};

const LOCAL: [u8; 4] = [9, 1, 1, 146];
const REMOTE: [u8; 4] = [9, 1, 1, 35];
const PERIOD: Duration = Duration::from_secs(20);

fn config() -> Config {
    Config {
        period: PERIOD,
        traffic_class: 0,
        ..Config::new(LOCAL.into(), REMOTE.into())
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A machine and the actions of its last call.
struct Tunnel {
    machine: Keepalive,
    rng: ChaCha20Rng,
    actions: Vec<Action>,
}

impl Tunnel {
    fn new(config: Config) -> Self {
        let machine = Keepalive::new(config, Duration::ZERO).unwrap();
        Self {
            machine,
            rng: ChaCha20Rng::seed_from_u64(7),
            actions: Vec::new(),
        }
    }

    fn handle(&mut self, event: Event<'_>, now: Duration) -> Outcome {
        let mut actions = Actions::new();
        let outcome = self.machine.handle(event, now, &mut self.rng, &mut actions);
        self.actions = actions.drain().collect();
        if let Outcome::Dropped(_) | Outcome::Data = outcome {
            assert!(
                self.actions.is_empty(),
                "{outcome:?} with {:?}",
                self.actions
            );
        }
        outcome
    }

    fn due(&self) -> Duration {
        self.machine.next_deadline().unwrap().at
    }

    fn deadline(&mut self, now: Duration) -> Outcome {
        let outcome = self.handle(Event::Deadline, now);
        assert!(self.due() > now || outcome != Outcome::Handled);
        outcome
    }

    fn receive(&mut self, packet: &[u8], now: Duration) -> Outcome {
        self.receive_protected(packet, false, now)
    }

    fn receive_protected(&mut self, packet: &[u8], protected: bool, now: Duration) -> Outcome {
        let delivery = IpPacket::parse(packet).unwrap();
        let gre = delivery.gre().unwrap();
        self.handle(
            Event::Received(Inbound {
                delivery: &delivery,
                gre: &gre,
                protected,
            }),
            now,
        )
    }

    fn sent(&self) -> Datagram {
        let sent = self.actions.iter().find_map(|action| match action {
            Action::Send(packet) | Action::Reply(packet) => Some(*packet),
            _ => None,
        });
        sent.unwrap()
    }
}

/// GRE packet `protocol` with `payload` in a delivery header.
fn packet(source: IpAddr, destination: IpAddr, header: Header, payload: &[u8]) -> Vec<u8> {
    let delivery = Delivery::new(source, destination);
    let headroom = delivery.len() + header.len();
    let mut buffer = std::vec![0; headroom];
    buffer.extend_from_slice(payload);
    delivery
        .encapsulate(&header, &mut buffer, headroom)
        .unwrap();
    buffer
}

fn from_peer(protocol: EtherType, payload: &[u8]) -> Vec<u8> {
    packet(REMOTE.into(), LOCAL.into(), Header::new(protocol), payload)
}

/// The peer's keepalive as it leaves the peer.
fn request() -> Vec<u8> {
    let mut peer = Tunnel::new(Config {
        ..Config::new(REMOTE.into(), LOCAL.into())
    });
    let _ = peer.deadline(Duration::ZERO);
    peer.sent().as_bytes().to_vec()
}

/// One router on the way.
fn hop(packet: &mut [u8]) {
    packet[8] -= 1;
    packet[10..12].fill(0);
    let sum = crate::checksum::checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn the_48_octets_out_and_the_24_octets_back() {
    let mut tunnel = Tunnel::new(config());
    assert_eq!(tunnel.deadline(Duration::ZERO), Outcome::Handled);
    let sent = tunnel.sent();
    assert_eq!(
        sent.as_bytes(),
        hex!(
            "45000030 00000000 ff2fa6e8 09010192 09010123 00000800"
            "45000018 00000000 ff2fa700 09010123 09010192 00000000"
        )
    );
    assert_eq!(tunnel.machine.unanswered(), 1);

    // The peer forwards (TTL 254), a router on the way takes one more: 253.
    let mut peer = Tunnel::new(Config::new(REMOTE.into(), LOCAL.into()));
    assert_eq!(peer.receive(sent.as_bytes(), seconds(1)), Outcome::Handled);
    let mut back = peer.sent().as_bytes().to_vec();
    assert_eq!((back.len(), back[8]), (24, 254));
    hop(&mut back);
    assert_eq!(back[8], 253);
    assert_eq!(tunnel.receive(&back, seconds(1)), Outcome::Handled);
    assert_eq!(tunnel.machine.unanswered(), 0, "the counter is reset");
    assert!(tunnel.actions.is_empty(), "the line was up");
}

#[test]
fn the_line_goes_down_after_the_retries_and_up_with_the_first_answer() {
    let mut tunnel = Tunnel::new(config());
    for time in [0, 20, 40] {
        let _ = tunnel.deadline(seconds(time));
        assert!(
            matches!(tunnel.actions[..], [Action::Send(_)]),
            "at {time} s"
        );
        assert!(tunnel.machine.is_up());
    }
    let _ = tunnel.deadline(seconds(60));
    assert!(matches!(
        tunnel.actions[..],
        [Action::LinkDown { unanswered: 3 }, Action::Send(_)]
    ));
    let data = from_peer(EtherType::IPV4, b"data");
    let down = Outcome::Dropped(DropReason::LineProtocolDown);
    assert_eq!(tunnel.receive(&data, seconds(61)), down);
    let _ = tunnel.deadline(seconds(80));
    assert!(
        matches!(tunnel.actions[..], [Action::Send(_)]),
        "down is said once"
    );

    let back = tunnel.sent().as_bytes()[24..].to_vec();
    assert_eq!(tunnel.receive(&back, seconds(81)), Outcome::Handled);
    assert_eq!(tunnel.actions, [Action::LinkUp]);
    assert_eq!(tunnel.receive(&data, seconds(82)), Outcome::Data);
    assert_eq!(tunnel.machine.counters().went_down, 1);
}

#[test]
fn a_late_deadline_sends_one_keepalive() {
    let mut tunnel = Tunnel::new(config());
    assert_eq!(tunnel.deadline(seconds(1000)), Outcome::Handled);
    assert_eq!(tunnel.due(), seconds(1020));
    let early = tunnel.deadline(seconds(1019));
    assert_eq!(early, Outcome::Dropped(DropReason::NotDue));
    assert_eq!(tunnel.due(), seconds(1020));
}

#[test]
fn d9_answers_are_checked_before_they_count() {
    let mut tunnel = Tunnel::new(config());
    let back = from_peer(EtherType::RESERVED_0, &[]);
    let dropped = |reason| Outcome::Dropped(reason);
    assert_eq!(
        tunnel.receive(&back, seconds(0)),
        dropped(DropReason::Unsolicited)
    );
    let _ = tunnel.deadline(seconds(0));
    let cases = [
        (
            from_peer(EtherType::RESERVED_0, b"more"),
            DropReason::NotOurs,
        ),
        (
            packet(
                [9, 1, 1, 36].into(),
                LOCAL.into(),
                Header::new(EtherType::RESERVED_0),
                &[],
            ),
            DropReason::NotOurTunnel,
        ),
        (
            packet(
                REMOTE.into(),
                [9, 1, 1, 147].into(),
                Header::new(EtherType::RESERVED_0),
                &[],
            ),
            DropReason::NotOurTunnel,
        ),
        (
            packet(
                REMOTE.into(),
                LOCAL.into(),
                Header {
                    key: Some(1),
                    ..Header::new(EtherType::RESERVED_0)
                },
                &[],
            ),
            DropReason::Key,
        ),
    ];
    for (bytes, reason) in cases {
        assert_eq!(tunnel.receive(&bytes, seconds(1)), dropped(reason));
        assert_eq!(tunnel.machine.unanswered(), 1, "{reason:?}");
    }
    assert_eq!(tunnel.receive(&back, seconds(1)), Outcome::Handled);
    assert_eq!(
        tunnel.receive(&back, seconds(1)),
        dropped(DropReason::Unsolicited),
        "replayed"
    );
}

#[test]
fn with_a_nonce_only_what_was_sent_comes_back() {
    let mut tunnel = Tunnel::new(Config {
        nonce: true,
        ..config()
    });
    let _ = tunnel.deadline(seconds(0));
    let first = tunnel.sent().as_bytes().to_vec();
    assert_eq!(first.len(), 56);
    let _ = tunnel.deadline(seconds(20));
    let forged = from_peer(EtherType::RESERVED_0, &[]);
    let not_ours = Outcome::Dropped(DropReason::NotOurs);
    assert_eq!(tunnel.receive(&forged, seconds(21)), not_ours);
    let guessed = from_peer(EtherType::RESERVED_0, &77u64.to_be_bytes());
    assert_eq!(tunnel.receive(&guessed, seconds(21)), not_ours);
    assert_eq!(
        tunnel.receive(&first[24..], seconds(21)),
        Outcome::Handled,
        "slow, but ours"
    );
}

#[test]
fn where_ipsec_is_ordered_nothing_else_counts() {
    let mut tunnel = Tunnel::new(Config {
        require_protection: true,
        ..config()
    });
    let _ = tunnel.deadline(seconds(0));
    let back = from_peer(EtherType::RESERVED_0, &[]);
    let unprotected = Outcome::Dropped(DropReason::Unprotected);
    assert_eq!(tunnel.receive(&back, seconds(1)), unprotected);
    assert_eq!(
        tunnel.receive_protected(&request(), false, seconds(1)),
        unprotected
    );
    assert_eq!(
        tunnel.receive_protected(&back, true, seconds(1)),
        Outcome::Handled
    );
}

#[test]
fn the_peers_keepalive_is_forwarded_unchanged_but_for_the_ttl() {
    let mut tunnel = Tunnel::new(config());
    let mut inner = request()[24..].to_vec();
    inner[4] = 0xab; // an identification, to be kept
    inner[8] = 200;
    hop(&mut inner);
    let outer = from_peer(EtherType::IPV4, &inner);
    assert_eq!(tunnel.receive(&outer, seconds(0)), Outcome::Handled);
    hop(&mut inner);
    assert_eq!(tunnel.sent().as_bytes(), inner);
    assert_eq!(
        tunnel.machine.unanswered(),
        0,
        "the peer's keepalive says nothing of ours"
    );
    assert_eq!(tunnel.machine.counters().replied, 1);
}

#[test]
fn d9_nobody_makes_us_send_what_is_no_keepalive() {
    let mut tunnel = Tunnel::new(config());
    let bad = Outcome::Dropped(DropReason::BadRequest);
    let local: IpAddr = LOCAL.into();
    let zero = Header::new(EtherType::RESERVED_0);
    // To somebody else, in our name.
    let inner = packet(local, [8, 8, 8, 8].into(), zero, &[]);
    assert_eq!(
        tunnel.receive(&from_peer(EtherType::IPV4, &inner), seconds(0)),
        bad
    );
    // A tunnelled packet inside.
    let inner = packet(
        local,
        REMOTE.into(),
        Header::new(EtherType::IPV4),
        &request(),
    );
    assert_eq!(
        tunnel.receive(&from_peer(EtherType::IPV4, &inner), seconds(0)),
        bad
    );
    // Another key, and more payload than a keepalive has.
    let inner = packet(
        local,
        REMOTE.into(),
        Header {
            key: Some(9),
            ..zero
        },
        &[],
    );
    assert_eq!(
        tunnel.receive(&from_peer(EtherType::IPV4, &inner), seconds(0)),
        bad
    );
    let inner = packet(local, REMOTE.into(), zero, &[0; 65]);
    assert_eq!(
        tunnel.receive(&from_peer(EtherType::IPV4, &inner), seconds(0)),
        bad
    );
    // A broken inner GRE header.
    let mut inner = packet(local, REMOTE.into(), zero, &[]);
    inner[20] = 0x40;
    assert_eq!(
        tunnel.receive(&from_peer(EtherType::IPV4, &inner), seconds(0)),
        bad
    );
    // Without TTL for the way.
    let mut inner = packet(local, REMOTE.into(), zero, &[]);
    inner[8] = 2;
    hop(&mut inner);
    let outcome = tunnel.receive(&from_peer(EtherType::IPV4, &inner), seconds(0));
    assert_eq!(outcome, Outcome::Dropped(DropReason::TtlUsedUp));
}

#[test]
fn replies_are_limited_by_the_second() {
    let mut tunnel = Tunnel::new(Config {
        replies_per_second: 2,
        ..config()
    });
    let request = request();
    let limited = Outcome::Dropped(DropReason::TooManyRequests);
    let at = |milliseconds| Duration::from_millis(milliseconds);
    for (time, outcome) in [
        (5000, Outcome::Handled),
        (5100, Outcome::Handled),
        (5200, limited),
        (5999, limited),
        (6000, Outcome::Handled),
    ] {
        assert_eq!(tunnel.receive(&request, at(time)), outcome, "at {time} ms");
    }
}

#[test]
fn d9_a_reply_cannot_be_made_to_go_round() {
    // What we answer, sent to us again by an attacker as if it came back: not outstanding. What
    // the peer answers goes to the peer's counter alone.
    let mut a = Tunnel::new(config());
    let mut b = Tunnel::new(Config::new(REMOTE.into(), LOCAL.into()));
    let request = request();
    assert_eq!(a.receive(&request, seconds(0)), Outcome::Handled);
    let reply = a.sent().as_bytes().to_vec();
    let unsolicited = Outcome::Dropped(DropReason::Unsolicited);
    assert_eq!(b.receive(&reply, seconds(0)), unsolicited, "b sent none");
    let _ = b.deadline(seconds(1));
    assert_eq!(b.receive(&reply, seconds(1)), Outcome::Handled);

    // RFC 2784 §3.1: the TTL of what is forwarded goes down by one, so that no packet goes round
    // for ever; what has none left is not forwarded.
    let v6 = Config {
        period: PERIOD,
        ..Config::new([1u16; 8].into(), [2u16; 8].into())
    };
    for (config, octet) in [(config(), 8), (v6, 7)] {
        let mut tunnel = Tunnel::new(config.clone());
        for ttl in 0..=255u8 {
            let (local, remote) = (config.local, config.remote);
            let mut inner = packet(local, remote, Header::new(EtherType::RESERVED_0), &[]);
            inner[octet] = ttl;
            let carried = if local.is_ipv4() {
                inner[10..12].fill(0);
                let sum = crate::checksum::checksum(&inner[..20]);
                inner[10..12].copy_from_slice(&sum.to_be_bytes());
                EtherType::IPV4
            } else {
                EtherType::IPV6
            };
            let outer = packet(remote, local, Header::new(carried), &inner);
            let outcome = tunnel.receive(&outer, seconds(u64::from(ttl)));
            if ttl < 2 {
                let used_up = Outcome::Dropped(DropReason::TtlUsedUp);
                assert_eq!(outcome, used_up, "TTL {ttl}");
            } else {
                assert_eq!(outcome, Outcome::Handled, "TTL {ttl}");
                let reply = tunnel.sent();
                let reply = IpPacket::parse(reply.as_bytes()).unwrap();
                assert_eq!(reply.ttl(), ttl - 1);
            }
        }
    }
}

#[test]
fn keys_and_checksums_are_in_both_headers() {
    let config = Config {
        key: Some(7),
        checksum: true,
        ..config()
    };
    let mut tunnel = Tunnel::new(config.clone());
    let _ = tunnel.deadline(seconds(0));
    let sent = tunnel.sent();
    assert_eq!(sent.as_bytes().len(), 48 + 16);
    let mut peer = Tunnel::new(Config {
        local: config.remote,
        remote: config.local,
        ..config
    });
    assert_eq!(peer.receive(sent.as_bytes(), seconds(0)), Outcome::Handled);
    let back = peer.sent();
    assert_eq!(
        tunnel.receive(back.as_bytes(), seconds(0)),
        Outcome::Handled
    );
}

#[test]
fn ipv6_tunnels_have_keepalives_too() {
    let config = Config {
        period: PERIOD,
        ..Config::new([1u16; 8].into(), [2u16; 8].into())
    };
    let mut tunnel = Tunnel::new(config.clone());
    let _ = tunnel.deadline(seconds(0));
    let sent = tunnel.sent();
    assert_eq!(sent.as_bytes().len(), 88);
    let mut peer = Tunnel::new(Config {
        local: config.remote,
        remote: config.local,
        ..config
    });
    assert_eq!(peer.receive(sent.as_bytes(), seconds(0)), Outcome::Handled);
    let back = peer.sent();
    assert_eq!(back.as_bytes()[7], 254, "hop limit");
    assert_eq!(
        tunnel.receive(back.as_bytes(), seconds(0)),
        Outcome::Handled
    );
}

#[test]
fn vendor_quirks_are_data() {
    let huawei = from_peer(EtherType(4), &request()[24..]);
    let mut tunnel = Tunnel::new(config());
    assert_eq!(
        tunnel.receive(&huawei, seconds(0)),
        Outcome::Data,
        "no quirk, no keepalive"
    );
    let mut tunnel = Tunnel::new(Config {
        quirks: Quirks::HUAWEI,
        ..config()
    });
    assert_eq!(tunnel.receive(&huawei, seconds(0)), Outcome::Handled);

    let zero = Header::new(EtherType::RESERVED_0);
    let inner = packet(LOCAL.into(), [192, 168, 5, 15].into(), zero, &[]);
    let behind_nat = from_peer(EtherType::IPV4, &inner);
    let mut tunnel = Tunnel::new(Config {
        quirks: Quirks::MIKROTIK,
        ..config()
    });
    assert_eq!(tunnel.receive(&behind_nat, seconds(0)), Outcome::Handled);
    let reply = tunnel.sent();
    let reply = IpPacket::parse(reply.as_bytes()).unwrap();
    assert_eq!(
        reply.destination(),
        IpAddr::from(REMOTE),
        "to the tunnel end, not to the private address"
    );
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let good = config();
    let cases = [
        (
            Config {
                remote: [1u16; 8].into(),
                ..good.clone()
            },
            ConfigError::MixedFamilies,
        ),
        (
            Config {
                remote: LOCAL.into(),
                ..good.clone()
            },
            ConfigError::SameEnds,
        ),
        (
            Config {
                period: Duration::ZERO,
                ..good.clone()
            },
            ConfigError::PeriodZero,
        ),
        (
            Config {
                retries: 0,
                ..good.clone()
            },
            ConfigError::RetriesZero,
        ),
        (Config { ttl: 1, ..good }, ConfigError::Ttl(1)),
    ];
    for (config, error) in cases {
        assert_eq!(Keepalive::new(config, Duration::ZERO).unwrap_err(), error);
    }
}

proptest! {
    /// Whatever arrives whenever: the laws hold, and the line is down exactly if the retries ran
    /// out without an answer.
    #[test]
    fn laws_hold_over_any_history(steps in prop::collection::vec((0u8..5, 0u64..25), 0..80)) {
        let mut tunnel = Tunnel::new(config());
        let mut now = Duration::ZERO;
        let mut unanswered = 0u8;
        let mut up = true;
        for (what, wait) in steps {
            now += seconds(wait);
            let before = std::format!("{:?}", tunnel.machine);
            let outcome = match what {
                0 | 1 => {
                    let due = tunnel.due() <= now;
                    let outcome = tunnel.deadline(now);
                    prop_assert_eq!(outcome == Outcome::Handled, due);
                    if due {
                        up &= unanswered < 3;
                        unanswered = unanswered.saturating_add(1);
                    }
                    outcome
                }
                2 => {
                    let outcome = tunnel.receive(&from_peer(EtherType::RESERVED_0, &[]), now);
                    if unanswered > 0 {
                        prop_assert_eq!(outcome, Outcome::Handled);
                        (unanswered, up) = (0, true);
                    }
                    outcome
                }
                3 => tunnel.receive(&request(), now),
                _ => {
                    let outcome = tunnel.receive(&from_peer(EtherType::IPV4, b"data"), now);
                    prop_assert_eq!(outcome == Outcome::Data, up);
                    outcome
                }
            };
            prop_assert_eq!(tunnel.machine.is_up(), up);
            prop_assert_eq!(tunnel.machine.unanswered(), unanswered);
            if matches!(outcome, Outcome::Dropped(_)) {
                prop_assert_eq!(std::format!("{:?}", tunnel.machine), before);
            }
        }
    }
}
