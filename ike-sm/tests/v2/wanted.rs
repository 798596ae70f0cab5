//! What is wanted comes up and comes back, in both versions of IKE: after the peer's orderly ends,
//! refusals, a wrong key, a peer that wants another key exchange.

use std::time::Duration;

use crypto_suite::GroupId;
use ike_sm::config::{ChildConfig, Config, Dpd, DpdTimes, IkeVersion, Lifetime, Pfs, RekeyMargin};
use ike_sm::{Answer, CloseReason, Command, DropReason, Event, Mode, Outcome, PacketEnd};

use crate::common::{A, B, End, Pair, config, ip, net, secs};

#[cfg(feature = "v1")]
const BOTH: [IkeVersion; 2] = [IkeVersion::V1, IkeVersion::V2];
#[cfg(not(feature = "v1"))]
const BOTH: [IkeVersion; 1] = [IkeVersion::V2];

/// Two configurations of this version, with a change to the end that the test looks at and to its
/// peer.
fn configs(
    version: IkeVersion,
    a: impl FnOnce(&mut Config),
    b: impl FnOnce(&mut Config),
) -> [Config; 2] {
    let mut both = [config(A, B, b"secret"), config(B, A, b"secret")];
    for config in &mut both {
        config.peers[0].version = version;
    }
    a(&mut both[0]);
    b(&mut both[1]);
    both
}

fn pair(version: IkeVersion, a: impl FnOnce(&mut Config), b: impl FnOnce(&mut Config)) -> Pair {
    let [a, b] = configs(version, a, b);
    Pair::new(a, b)
}

fn keep_up(config: &mut Config) {
    config.peers[0].keep_up = true;
}

/// A tunnel that this end has started.
fn up(pair: &mut Pair, from_b: bool) {
    assert_eq!(pair.initiate(from_b), Outcome::Handled);
    pair.run_for(secs(3));
    pair.assert_tunnel();
}

fn is_up(pair: &mut Pair) -> bool {
    pair.a.active.len() == 1 && pair.b.active.len() == 1 && pair.ping(false) && pair.ping(true)
}

/// Lets time pass until there is a tunnel; how long that took.
fn back_after(pair: &mut Pair, most: u64) -> Option<Duration> {
    let start = pair.now;
    while pair.now < start + secs(most) {
        pair.run_for(Duration::from_millis(100));
        if is_up(pair) {
            return Some(pair.now - start);
        }
    }
    None
}

#[test]
fn l1_what_the_peer_ends_in_an_orderly_way_is_back_at_once() {
    for version in BOTH {
        for peer_started in [false, true] {
            for whole in [false, true] {
                let mut pair = pair(version, keep_up, |_| {});
                up(&mut pair, peer_started);
                // Each time, and not only the first.
                for round in 0..3 {
                    pair.run_for(secs(90));
                    let command = if whole {
                        Command::DeleteIke(pair.b.ikes[0])
                    } else {
                        Command::DeleteChild(pair.b.active[0])
                    };
                    assert_eq!(pair.command(true, command), Outcome::Handled);
                    let back = back_after(&mut pair, 60);
                    assert!(
                        back.is_some_and(|time| time <= secs(2)),
                        "{version:?} peer_started {peer_started} IKE SA {whole} {round}: {back:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn l1_what_our_own_side_ends_stays_ended() {
    for version in BOTH {
        for peer_started in [false, true] {
            for whole in [false, true] {
                let mut pair = pair(version, keep_up, |_| {});
                up(&mut pair, peer_started);
                let command = if whole {
                    Command::DeleteIke(pair.a.ikes[0])
                } else {
                    Command::DeleteChild(pair.a.active[0])
                };
                assert_eq!(pair.command(false, command), Outcome::Handled);
                assert_eq!(back_after(&mut pair, 60), None, "{version:?} {whole}");
            }
        }
    }
}

#[test]
fn l1_a_peer_that_shuts_down_and_starts_again_is_called_until_it_answers() {
    for version in BOTH {
        let mut pair = pair(version, keep_up, |_| {});
        up(&mut pair, false);
        pair.run_for(secs(90));
        let _ = pair.command(true, Command::Shutdown);
        pair.run_for(secs(300));
        let [_, b] = configs(version, |_| {}, |_| {});
        pair.b = End::new(b, 99);
        // The longest wait between two repetitions is a minute.
        let back = back_after(&mut pair, 70);
        assert!(back.is_some(), "{version:?}");
    }
}

#[test]
fn l1_a_peer_that_dies_or_forgets_is_called_again() {
    let times = DpdTimes {
        idle: secs(10),
        retry: secs(2),
        tries: 3,
    };
    for version in BOTH {
        for restarted in [false, true] {
            let dpd = |c: &mut Config| {
                keep_up(c);
                c.peers[0].dpd = Dpd::Periodic(times);
            };
            let mut pair = pair(version, dpd, |_| {});
            up(&mut pair, true);
            if restarted {
                let [_, b] = configs(version, |_| {}, |_| {});
                pair.b = End::new(b, 98);
            } else {
                pair.fate = Box::new(|_| false);
            }
            pair.run_for(secs(25));
            pair.fate = Box::new(|_| true);
            let back = back_after(&mut pair, 200);
            assert!(back.is_some(), "{version:?} restarted {restarted}");
        }
    }
}

#[test]
fn l1_a_child_that_nobody_used_goes_and_is_not_kept_up_against_its_idle_time() {
    for version in BOTH {
        let idle = |c: &mut Config| {
            keep_up(c);
            c.peers[0].children[0].idle_timeout = Some(secs(60));
        };
        let mut pair = pair(version, idle, |_| {});
        up(&mut pair, false);
        pair.run_for(secs(70));
        assert!(pair.a.removed.iter().any(|(_, r)| *r == CloseReason::Idle));
        pair.run_for(secs(60));
        assert!(pair.a.active.is_empty(), "{version:?}");
    }
}

#[test]
fn l1_a_peer_that_ends_each_tunnel_at_once_is_called_at_a_growing_pace() {
    for version in BOTH {
        let mut pair = pair(version, keep_up, |_| {});
        up(&mut pair, false);
        let mut ends = 0;
        let until = pair.now + secs(600);
        while pair.now < until {
            if let Some(ike) = pair.b.ikes.first().copied() {
                ends += 1;
                let _ = pair.command(true, Command::DeleteIke(ike));
            }
            pair.run_for(Duration::from_millis(100));
        }
        assert!((4..=12).contains(&ends), "{version:?}: {ends}");
    }
}

#[test]
fn l1_a_peer_that_ends_each_ike_sa_for_the_child_that_is_asked_for_is_called_at_a_growing_pace() {
    for version in BOTH {
        let mut pair = pair(version, keep_up, asks);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        let mut ends = 0;
        let until = pair.now + secs(600);
        while pair.now < until {
            // The request for the child waits for an answer that never comes.
            if !core::mem::take(&mut pair.b.asked).is_empty() {
                ends += 1;
                for ike in pair.b.ikes.clone() {
                    let _ = pair.command(true, Command::DeleteIke(ike));
                }
            }
            pair.run_for(Duration::from_millis(100));
        }
        assert!((3..=12).contains(&ends), "{version:?}: {ends}");
    }
}

/// Lets time pass; what B is asked about children is answered so.
fn run_answering(pair: &mut Pair, time: Duration, yes: bool) {
    let until = pair.now + time;
    while pair.now < until {
        pair.run_for(Duration::from_millis(50));
        for (ticket, _) in core::mem::take(&mut pair.b.asked) {
            let _ = pair.feed(true, Event::Answer(ticket, Answer::Authorize(yes)));
        }
    }
}

fn asks(config: &mut Config) {
    config.authorize_children = true;
}

fn said_when(pair: &Pair) -> usize {
    let next = |line: &&String| line.starts_with("NextAttempt");
    pair.a.actions.iter().filter(next).count()
}

#[test]
fn l5_a_child_that_was_refused_is_asked_for_again_with_growing_waits() {
    for version in BOTH {
        let mut pair = pair(version, keep_up, asks);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        run_answering(&mut pair, secs(3600), false);
        // 5 + 10 + … + 160 s, and then each 300 s, each up to a quarter less.
        let refused = pair.a.failed.len();
        assert!((16..=22).contains(&refused), "{version:?}: {refused}");
        assert_eq!(said_when(&pair), refused, "and said when");
        assert_eq!(pair.a.ikes.len(), 1, "the IKE SA stands");
        run_answering(&mut pair, secs(301), true);
        assert!(is_up(&mut pair), "{version:?}: granted, and not up");
        // A success: what comes after starts from here.
        run_answering(&mut pair, secs(100), true);
        let failed = pair.a.failed.len();
        let child = pair.b.active[0];
        let _ = pair.command(true, Command::DeleteChild(child));
        run_answering(&mut pair, secs(10), false);
        assert_eq!(pair.a.failed.len() - failed, 2, "{version:?}");
    }
}

#[test]
fn l5_packets_ask_no_faster_than_that_and_the_operator_does() {
    for version in BOTH {
        let mut pair = pair(version, |_| {}, asks);
        let end = |address: &str| PacketEnd {
            address: ip(address),
            port: 0,
        };
        for _ in 0..600 {
            let _ = pair.command(
                false,
                Command::Acquire {
                    source: end("10.1.0.1"),
                    destination: end("10.2.0.1"),
                    protocol: 1,
                },
            );
            run_answering(&mut pair, secs(1), false);
        }
        let refused = pair.a.failed.len();
        assert!((5..=9).contains(&refused), "{version:?}: {refused}");
        assert_eq!(pair.initiate(false), Outcome::Handled);
        run_answering(&mut pair, secs(1), false);
        assert_eq!(pair.a.failed.len(), refused + 1, "{version:?}");
    }
}

#[test]
fn l5_a_wrong_key_is_tried_with_growing_waits() {
    for wanted_by_packets in [false, true] {
        let [mut a, _] = configs(IkeVersion::V2, |_| {}, |_| {});
        a.peers[0].keep_up = !wanted_by_packets;
        let mut b = config(B, A, b"another");
        b.peers[0].version = IkeVersion::V2;
        let mut pair = Pair::new(a, b);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        for _ in 0..3600 {
            if wanted_by_packets {
                let end = |address: &str| PacketEnd {
                    address: ip(address),
                    port: 0,
                };
                let outcome = pair.command(
                    false,
                    Command::Acquire {
                        source: end("10.1.0.1"),
                        destination: end("10.2.0.1"),
                        protocol: 1,
                    },
                );
                assert_eq!(outcome, Outcome::Dropped(DropReason::AlreadyUnderWay));
            }
            pair.run_for(secs(1));
        }
        let refused = pair.a.closed.len();
        assert!((16..=22).contains(&refused), "{refused}");
        assert_eq!(said_when(&pair), refused);
        // The operator does not wait.
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(1));
        assert_eq!(pair.a.closed.len(), refused + 1);
    }
}

fn with_pfs(pfs: Pfs) -> impl Fn(&mut Config) {
    move |config: &mut Config| config.peers[0].children[0].pfs = pfs
}

fn pfs_of(end: &End) -> Option<GroupId> {
    let child = end.active.last().copied();
    let mut children = end.endpoint.children();
    children.find(|c| Some(c.id) == child).and_then(|c| c.pfs)
}

#[test]
fn l4_a_peer_that_wants_pfs_gets_it_with_the_rekey() {
    // The group of the IKE SA, and another one.
    for group in [GroupId::X25519, GroupId::Modp2048, GroupId::Ecp384] {
        for version in BOTH {
            if version == IkeVersion::V1 && group == GroupId::X25519 {
                // It has no number in IKEv1.
                continue;
            }
            let usual = |config: &mut Config| {
                // Of IKEv1 no group is named: that of phase 1 is what a peer is likely to want.
                if version == IkeVersion::V1 {
                    config.policies[0].group = group;
                }
            };
            let theirs = |config: &mut Config| {
                usual(config);
                with_pfs(Pfs::Required(group))(config);
            };
            let mut pair = pair(version, usual, theirs);
            up(&mut pair, false);
            for round in 0..2 {
                let (old, sent) = (pair.a.active[0], pair.sent);
                let _ = pair.command(false, Command::RekeyChild(old));
                pair.run_for(secs(15));
                assert_ne!(pair.a.active, [old], "{version:?} {group:?}");
                assert_eq!(pair.a.children.len(), 1, "{version:?} {group:?}");
                assert_eq!(pfs_of(&pair.a), Some(group));
                pair.assert_tunnel();
                let knows = round == 1 && version == IkeVersion::V2;
                // The rekey and the Delete of the old pair.
                assert!(!knows || pair.sent - sent == 4, "{}", pair.sent - sent);
            }
            assert_eq!(pair.a.failed, [], "no failure of the tunnel: {version:?}");
        }
    }
}

#[test]
#[cfg(feature = "v1")]
fn l4_ikev1_a_peer_that_says_nothing_is_offered_the_other_way_too() {
    let mut pair = pair(
        IkeVersion::V1,
        |c| c.peers[0].retransmit.tries = 1,
        with_pfs(Pfs::Required(GroupId::Modp2048)),
    );
    // A lost notification, and a peer that sends none, look the same.
    pair.fate = Box::new(|flight| {
        let informational = flight.datagram.get(18) == Some(&5);
        flight.to_b || !informational
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(30));
    assert_eq!(pfs_of(&pair.a), Some(GroupId::Modp2048));
    pair.assert_tunnel();
}

#[test]
fn l4_what_is_configured_is_never_left() {
    for version in BOTH {
        for (ours, theirs) in [
            (Pfs::Required(GroupId::Modp2048), Pfs::Off),
            (Pfs::Off, Pfs::Required(GroupId::Modp2048)),
        ] {
            let mut pair = pair(version, with_pfs(ours), with_pfs(theirs));
            let _ = pair.initiate(false);
            pair.run_for(secs(3));
            if version == IkeVersion::V2 {
                let old = pair.a.active[0];
                let _ = pair.command(false, Command::RekeyChild(old));
                pair.run_for(secs(3));
                assert_eq!(pair.a.active, [old]);
            }
            assert_eq!(pair.a.failed.len(), 1, "{version:?} {ours:?}");
        }
    }
}

fn short_lives(config: &mut Config) {
    let child = &mut config.peers[0].children[0];
    child.lifetime = Lifetime::seconds(20);
    child.margin = RekeyMargin {
        time: secs(5),
        jitter_percent: 0,
        ..RekeyMargin::default()
    };
}

/// The peer leaves the rekeys to us.
fn asks_and_never_rekeys(config: &mut Config) {
    asks(config);
    config.peers[0].children[0].margin = RekeyMargin {
        time: Duration::ZERO,
        jitter_percent: 0,
        ..RekeyMargin::default()
    };
}

#[test]
fn l4_a_rekey_on_command_that_is_refused_is_tried_again_within_half_a_minute() {
    for version in BOTH {
        let mut pair = pair(version, |_| {}, asks_and_never_rekeys);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        run_answering(&mut pair, secs(10), true);
        assert!(is_up(&mut pair));
        let old = pair.a.active.clone();
        let rekeyed = pair.command(false, Command::RekeyChild(old[0]));
        assert_eq!(rekeyed, Outcome::Handled);
        run_answering(&mut pair, secs(3), false);
        assert_eq!((pair.a.failed.len(), &pair.a.active), (1, &old));
        run_answering(&mut pair, secs(31), true);
        assert_ne!(pair.a.active, old, "{version:?}");
    }
}

#[test]
fn l4_a_rekey_that_is_refused_is_tried_again_before_the_pair_expires() {
    for version in BOTH {
        let mut pair = pair(version, short_lives, asks_and_never_rekeys);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        run_answering(&mut pair, secs(10), true);
        assert!(is_up(&mut pair));
        // Due after 15 s: refused, and granted a moment later.
        run_answering(&mut pair, secs(6), false);
        assert!(
            !pair.a.failed.is_empty(),
            "{version:?} {:?}",
            pair.a.actions
        );
        for _ in 0..10 {
            run_answering(&mut pair, secs(1), true);
            assert!(pair.ping(false), "{version:?}: the tunnel was lost");
        }
    }
}

#[test]
fn l4_a_pair_that_expires_unrekeyed_comes_up_anew() {
    for version in BOTH {
        let mut pair = pair(version, short_lives, asks_and_never_rekeys);
        assert_eq!(pair.initiate(false), Outcome::Handled);
        run_answering(&mut pair, secs(10), true);
        // Nothing is granted while the old pair stands.
        let mut gone = false;
        for _ in 0..240 {
            pair.run_for(Duration::from_millis(50));
            gone |= pair.a.active.is_empty();
            for (ticket, _) in core::mem::take(&mut pair.b.asked) {
                let _ = pair.feed(true, Event::Answer(ticket, Answer::Authorize(gone)));
            }
        }
        assert!(gone, "{version:?}");
        assert!(pair.a.failed.len() > 2, "refused some times before");
        assert!(is_up(&mut pair), "{version:?}");
    }
}

/// A second child, which we want in transport mode and the peer has in tunnel mode.
fn second(mode: Mode) -> impl Fn(&mut Config) {
    move |config: &mut Config| {
        let turned = config.peers[0].local_address == Some(ip(B));
        let (local, remote) = (net("10.3.0.0", 16), net("10.4.0.0", 16));
        let (local, remote) = if turned {
            (remote, local)
        } else {
            (local, remote)
        };
        let mut child = ChildConfig::new("second", local, remote);
        child.mode = mode;
        config.peers[0].children.push(child);
    }
}

#[test]
fn l13_a_child_that_the_responder_has_set_up_otherwise_is_deleted() {
    let transport = second(Mode::Transport);
    let tunnel = second(Mode::Tunnel);
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    // By IKE_AUTH, and by CREATE_CHILD_SA.
    for first in [false, true] {
        let mut pair = pair(IkeVersion::V2, &transport, &tunnel);
        if first {
            up_child(&mut pair, names(&["net"]));
        }
        let standing = pair.b.children.len();
        up_child(&mut pair, names(&["second"]));
        assert_eq!(pair.a.failed, [CloseReason::Refused]);
        assert_eq!(pair.a.children.len(), standing);
        let installed = pair
            .b
            .actions
            .iter()
            .filter(|a| a.starts_with("InstallChild"));
        assert_eq!(installed.count(), standing + 1, "the peer has had its half");
        assert_eq!(pair.b.children.len(), standing, "and has it no more");
        assert_eq!(pair.b.removed.len(), 1);
        assert_eq!(pair.b.removed[0].1, CloseReason::DeletedByPeer);
        assert_eq!(pair.a.ikes.len(), 1, "the IKE SA stands");
    }
}

fn up_child(pair: &mut Pair, children: Vec<String>) {
    let command = Command::Initiate {
        peer: "peer".into(),
        children,
    };
    assert_eq!(pair.command(false, command), Outcome::Handled);
    pair.run_for(secs(3));
}
