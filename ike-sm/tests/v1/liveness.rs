//! Dead peer detection, fail-over, idle time.

use ike_sm::config::{Dpd, DpdTimes};
use ike_sm::{CloseReason, DeadlineReason, Event, Outcome, Traffic};

use crate::common::{A, B, End, Pair, config, ip, secs};

fn dpd(idle: u64, retry: u64, tries: u8) -> DpdTimes {
    DpdTimes {
        idle: secs(idle),
        retry: secs(retry),
        tries,
    }
}

fn pair(policy: Dpd) -> Pair {
    let mut a = config(A, B, b"secret");
    a.peers[0].dpd = policy;
    let mut b = config(B, A, b"secret");
    b.peers[0].dpd = Dpd::Off;
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    pair
}

fn asked(end: &End) -> usize {
    end.log
        .iter()
        .filter(|l| l.contains("Sending DPD") || l.contains("DPD/R_U_THERE"))
        .count()
}

#[test]
fn d3_no_question_without_both_conditions() {
    let mut pair = pair(Dpd::OnTraffic(dpd(10, 2, 3)));
    let sent = pair.sent;
    pair.run_for(secs(300));
    assert_eq!(pair.sent, sent, "silence alone asks nothing");
    for _ in 0..100 {
        pair.run_for(secs(5));
        pair.assert_tunnel();
    }
    assert_eq!(pair.sent, sent, "traffic both ways asks nothing");
    let child = pair.a.active[0];
    let _ = pair.feed(false, Event::Traffic(child, Traffic::outbound(1)));
    assert_eq!(
        pair.a.endpoint.next_deadline().unwrap().why,
        DeadlineReason::Dpd
    );
    pair.run_for(secs(12));
    assert_eq!(pair.sent, sent + 2, "one question, one answer");
    pair.run_for(secs(60));
    assert_eq!(pair.sent, sent + 2, "answered is answered");
}

#[test]
fn d7_d8_a_dead_peer_is_removed_and_tried_again() {
    let mut pair = pair(Dpd::OnTraffic(dpd(10, 2, 3)));
    pair.fate = Box::new(|_| false);
    let child = pair.a.active[0];
    let start = pair.now;
    let _ = pair.feed(false, Event::Traffic(child, Traffic::outbound(1)));
    while pair.a.dead.is_empty() {
        assert!(pair.step(start + secs(100)));
    }
    // Silence of 10 s, then three questions 2 s apart.
    let silent = pair.now - start;
    assert!(silent >= secs(13) && silent <= secs(17), "{silent:?}");
    assert!(pair.a.children.is_empty() && pair.a.ikes.is_empty());
    assert!(
        pair.a
            .removed
            .iter()
            .all(|(_, r)| *r == CloseReason::PeerDead)
    );
    assert_eq!(pair.a.dead, [Some((ip(B), 500).into())]);
    // The peer comes back, with nothing in its memory.
    pair.b = End::new(config(B, A, b"secret"), 9);
    pair.fate = Box::new(|_| true);
    pair.run_for(secs(30));
    pair.assert_tunnel();
}

#[test]
fn periodic_questions_need_no_traffic() {
    let mut pair = pair(Dpd::Periodic(dpd(60, 60, 3)));
    let sent = pair.sent;
    pair.run_for(secs(600));
    assert!(
        (18..=22).contains(&(pair.sent - sent)),
        "{}",
        pair.sent - sent
    );
    pair.fate = Box::new(|_| false);
    // D1: 60 s, three questions.
    pair.run_for(secs(245));
    assert_eq!(pair.a.dead.len(), 1);
}

#[test]
fn fail_over_goes_through_the_list_of_addresses() {
    let mut a = config(A, "192.0.2.77", b"secret");
    a.peers[0].addresses.push(ip(B));
    a.psks.insert(
        ike_sm::config::PskOwner::Prefix(ike_sm::config::Prefix::host(ip(B))),
        crypto_suite::Secret::from(&b"secret"[..]),
    );
    let mut pair = Pair::new(a, config(B, A, b"secret"));
    pair.fate = Box::new(|flight| flight.path.remote.ip() != ip("192.0.2.77"));
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(200));
    assert_eq!(pair.a.dead, [Some((ip(B), 500).into())]);
    pair.assert_tunnel();
}

#[test]
fn d11_an_idle_child_is_deleted_and_traffic_keeps_it() {
    let mut a = config(A, B, b"secret");
    a.peers[0].children[0].idle_timeout = Some(secs(120));
    let mut pair = Pair::new(a, config(B, A, b"secret"));
    pair.bring_up();
    for _ in 0..5 {
        pair.run_for(secs(100));
        pair.assert_tunnel();
    }
    // A report of no packets keeps nothing.
    pair.run_for(secs(60));
    let _ = pair.feed(false, Event::Traffic(pair.a.active[0], Traffic::default()));
    pair.run_for(secs(61));
    assert_eq!(pair.a.removed.last().unwrap().1, CloseReason::Idle);
    // D12: the DELETE for one SPI removes the pair at the peer.
    assert!(pair.b.children.is_empty());
    assert_eq!(pair.b.removed.last().unwrap().1, CloseReason::DeletedByPeer);
}

#[test]
fn a_child_remembers_when_packets_came_and_when_they_went() {
    for (traffic, expected) in [
        (Traffic::inbound(1), (true, false)),
        (Traffic::outbound(1), (false, true)),
    ] {
        let mut pair = Pair::default();
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(1));
        let times = |pair: &Pair| {
            let state = format!("{:?}", pair.a.endpoint.state());
            let known = |name| !state.contains(&format!("{name}: None"));
            (known("last_inbound"), known("last_outbound"))
        };
        assert_eq!(times(&pair), (false, false));
        let child = pair.a.active[0];
        let _ = pair.feed(false, Event::Traffic(child, traffic));
        assert_eq!(times(&pair), expected);
    }
}

#[test]
fn a_peer_that_never_answers_is_tried_again_with_growing_waits() {
    let mut a = config(A, B, b"secret");
    a.peers[0].keep_up = true;
    let mut pair = Pair::new(a, config(B, A, b"secret"));
    pair.fate = Box::new(|_| false);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1000));
    assert!(pair.a.dead.len() >= 4, "{:?}", pair.a.dead);
    pair.fate = Box::new(|_| true);
    pair.run_for(secs(320));
    pair.assert_tunnel();
}

#[test]
fn a_jump_of_the_clock_ends_nothing_at_once_and_busies_nobody() {
    // A laptop sleeps for eight hours.
    let mut pair = pair(Dpd::OnTraffic(dpd(10, 2, 3)));
    pair.now += secs(8 * 3600);
    let mut steps = 0;
    let until = pair.now + secs(1);
    while pair.step(until) {
        steps += 1;
        assert!(steps < 200);
    }
    pair.run_for(secs(30));
    let sent = pair.sent;
    pair.run_for(secs(30));
    assert!(pair.sent - sent < 30);
}

/// RFC 3706's vendor ID does not arrive: it is in the clear and under no HASH.
fn without_dpd(policy: Dpd) -> Pair {
    let dpd = |mut config: ike_sm::config::Config| {
        config.peers[0].dpd = policy;
        config
    };
    let mut pair = Pair::new(dpd(config(A, B, b"secret")), dpd(config(B, A, b"secret")));
    pair.fate = Box::new(|flight| {
        let vendor = [0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9];
        let at = flight.datagram.windows(8).position(|w| w == vendor);
        if let Some(at) = at {
            flight.datagram[at] ^= 1;
        }
        true
    });
    pair.bring_up();
    pair
}

#[test]
fn d9_a_peer_without_dpd_is_asked_by_a_new_phase_1_and_keeps_its_children() {
    let mut pair = without_dpd(Dpd::OnTraffic(dpd(10, 2, 3)));
    let (ike, child) = (pair.a.ikes[0], pair.a.active[0]);
    let heard = pair.b.active[0];
    let _ = pair.feed(true, Event::Traffic(heard, Traffic::inbound(1)));
    // Nothing to send: nothing to ask.
    let sent = pair.sent;
    pair.run_for(secs(100));
    assert_eq!(pair.sent, sent);
    let _ = pair.feed(false, Event::Traffic(child, Traffic::outbound(1)));
    pair.run_for(secs(30));
    assert!(!pair.a.ikes.contains(&ike) && pair.a.ikes.len() == 1);
    assert_eq!(pair.a.active, [child]);
    assert!(!pair.a.log.concat().contains("R-U-THERE"));
    assert!(pair.a.dead.is_empty());
    pair.assert_tunnel();
}

#[test]
fn d9_the_death_of_a_peer_without_dpd_is_found() {
    let mut pair = without_dpd(Dpd::Periodic(dpd(60, 5, 3)));
    // Periodic: it is asked without any traffic, and answers.
    pair.run_for(secs(200));
    assert!(pair.a.dead.is_empty() && pair.b.dead.is_empty());
    pair.fate = Box::new(|_| false);
    let until = pair.now + secs(60 + 300);
    while pair.a.dead.is_empty() && pair.step(until) {}
    assert_eq!(pair.a.dead, [Some((ip(B), 500).into())]);
    assert!(pair.a.children.is_empty(), "{:?}", pair.a.removed);
}
