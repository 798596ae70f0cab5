//! Deletion and liveness.
use ike_sm::config::{Dpd, DpdTimes};
use ike_sm::{CloseReason, Command, Event, Outcome, Traffic};

use crate::common::{Pair, secs};
use crate::{configs, established};

#[test]
fn rfc7296_s1_4_1_a_deleted_child_is_gone_on_both_sides_by_one_exchange() {
    let mut pair = established();
    let (child, sent) = (pair.a.active[0], pair.sent);
    let outcome = pair.command(false, Command::DeleteChild(child));
    assert_eq!(outcome, Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!(pair.sent - sent, 2);
    assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
    assert_eq!(pair.b.removed[0].1, CloseReason::DeletedByPeer);
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
}

#[test]
fn rfc7296_s2_25_1_both_delete_the_same_child() {
    let mut pair = established();
    let (a, b) = (pair.a.active[0], pair.b.active[0]);
    let _ = pair.command(false, Command::DeleteChild(a));
    let _ = pair.command(true, Command::DeleteChild(b));
    pair.run_for(secs(3));
    assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
}

#[test]
fn the_end_of_the_ike_sa_ends_its_children_and_survives_loss() {
    for lost in 0..3 {
        let mut pair = established();
        let mut number = 0;
        pair.fate = Box::new(move |_| {
            number += 1;
            number != lost
        });
        let ike = pair.a.ikes[0];
        let _ = pair.command(false, Command::DeleteIke(ike));
        pair.run_for(secs(8));
        assert!(pair.a.ikes.is_empty() && pair.b.ikes.is_empty(), "{lost}");
        assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
        assert_eq!(pair.b.closed[0].1, CloseReason::DeletedByPeer);
        assert_eq!(pair.a.closed, [(ike, CloseReason::Requested)]);
        pair.run_for(secs(60));
        for end in [&pair.a, &pair.b] {
            let shown = format!("{:?}", end.endpoint);
            assert!(shown.contains("ike_sas: 0"), "{shown}");
        }
        assert_eq!(pair.b.closed.len(), 1);
    }
}

#[test]
fn both_ends_end_the_ike_sa_at_once() {
    let mut pair = established();
    let (a, b) = (pair.a.ikes[0], pair.b.ikes[0]);
    let _ = pair.command(false, Command::DeleteIke(a));
    let _ = pair.command(true, Command::DeleteIke(b));
    pair.run_for(secs(5));
    assert!(pair.a.ikes.is_empty() && pair.b.ikes.is_empty());
    assert_eq!((pair.a.closed.len(), pair.b.closed.len()), (1, 1));
}

#[test]
fn rfc7296_s2_4_silence_is_asked_about_and_death_is_noticed() {
    let times = DpdTimes {
        idle: secs(10),
        retry: secs(2),
        tries: 3,
    };
    let (a, b) = configs(|c| c.peers[0].dpd = Dpd::Periodic(times));
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let sent = pair.sent;
    pair.run_for(secs(60));
    assert!(
        (10..=24).contains(&(pair.sent - sent)),
        "{}",
        pair.sent - sent
    );
    assert!(pair.a.dead.is_empty() && pair.b.dead.is_empty());
    pair.fate = Box::new(|_| false);
    pair.run_for(secs(20));
    assert_eq!(pair.a.dead.len(), 1);
    assert!(pair.a.ikes.is_empty() && pair.a.children.is_empty());
}

#[test]
fn nothing_is_asked_while_nothing_is_sent() {
    let mut pair = established();
    // Let the handshake's traffic be forgotten: one answer settles the question.
    pair.run_for(secs(60));
    let sent = pair.sent;
    pair.run_for(secs(600));
    assert_eq!(pair.sent, sent);
    let child = pair.a.active[0];
    let _ = pair.feed(false, Event::Traffic(child, Traffic::outbound(1)));
    pair.run_for(secs(60));
    assert_eq!(pair.sent - sent, 2);
}

#[test]
fn d14_initial_contact_clears_what_stood_before() {
    let mut pair = established();
    // A has lost everything.
    let (a, _) = configs(|_| {});
    pair.a = crate::common::End::new(a, 77);
    pair.bring_up();
    assert_eq!((pair.b.ikes.len(), pair.b.children.len()), (1, 1));
    assert_eq!(pair.b.closed[0].1, CloseReason::PeerRestarted);
}
