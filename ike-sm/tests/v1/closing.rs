//! Deletion from each side, refusals, restarts.

use std::time::Duration;

use ike_sm::config::{ChildConfig, Lifetime, Phase1Policy, ReverseRoute};
use ike_sm::{CloseReason, Command, DropReason, Event, IpsecProtocol, Outcome, Path};

use crate::common::{A, B, End, Pair, config, ip, net, secs};

#[test]
fn deleting_a_child_removes_both_halves_on_both_sides() {
    for from_b in [false, true] {
        let mut pair = Pair::established();
        let child = pair.end(from_b).active[0];
        assert_eq!(
            pair.command(from_b, Command::DeleteChild(child)),
            Outcome::Handled
        );
        pair.run_for(secs(1));
        assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
        assert_eq!(pair.end(from_b).removed, [(child, CloseReason::Requested)]);
        assert_eq!(pair.end(!from_b).removed[0].1, CloseReason::DeletedByPeer);
        assert_eq!(
            (pair.a.ikes.len(), pair.b.ikes.len()),
            (1, 1),
            "phase 1 stays"
        );
    }
}

#[test]
fn deleting_an_ike_sa_takes_its_children_along() {
    for from_b in [false, true] {
        let mut pair = Pair::established();
        let ike = pair.end(from_b).ikes[0];
        assert_eq!(
            pair.command(from_b, Command::DeleteIke(ike)),
            Outcome::Handled
        );
        pair.run_for(secs(1));
        assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
        assert!(pair.a.ikes.is_empty() && pair.b.ikes.is_empty());
        assert_eq!(pair.end(!from_b).closed[0].1, CloseReason::DeletedByPeer);
    }
}

#[test]
fn a_shut_down_endpoint_says_goodbye_and_takes_nothing_more() {
    let mut pair = Pair::established();
    assert_eq!(pair.command(false, Command::Shutdown), Outcome::Handled);
    pair.run_for(secs(1));
    assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
    assert!(pair.a.ikes.is_empty() && pair.b.ikes.is_empty());
    assert_eq!(pair.initiate(false), Outcome::Dropped(DropReason::ShutDown));
    assert_eq!(pair.initiate(true), Outcome::Handled);
    pair.run_for(secs(1));
    assert!(
        pair.outcomes
            .contains(&(false, Outcome::Dropped(DropReason::ShutDown)))
    );
}

#[test]
fn a_wrong_key_ends_in_a_timeout_and_is_explained_at_the_responder() {
    let mut pair = Pair::new(config(A, B, b"right"), config(B, A, b"wrong"));
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(200));
    assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
    assert_eq!(pair.a.closed[0].1, CloseReason::Timeout);
    let refused = |o: &Outcome| {
        matches!(
            o,
            Outcome::Dropped(
                DropReason::Undecipherable(_)
                    | DropReason::AuthenticationFailed
                    | DropReason::MissingPayload(_)
                    | DropReason::UnexpectedPayload(_)
            )
        )
    };
    assert!(
        pair.outcomes.iter().any(|(b, o)| *b && refused(o)),
        "{:?}",
        pair.outcomes
    );
    assert!(pair.b.ikes.is_empty());
    for end in [&pair.a, &pair.b] {
        assert!(
            end.log
                .iter()
                .any(|l| l.contains("pre-shared keys may differ"))
        );
    }
}

#[test]
fn c13_no_common_proposal_is_a_hint_to_the_initiator_and_no_end() {
    let mut other = config(B, A, b"secret");
    other.policies = vec![Phase1Policy {
        hash: crypto_suite::HashId::Sha512,
        ..Phase1Policy::new(1)
    }];
    let mut pair = Pair::new(config(A, B, b"secret"), other);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    // The first error is kept, to be named at the end; the next ones change nothing.
    pair.run_for(secs(6));
    assert!(
        pair.outcomes
            .contains(&(true, Outcome::Dropped(DropReason::NoProposalChosen)))
    );
    assert!(
        pair.outcomes
            .contains(&(false, Outcome::Dropped(DropReason::Unauthenticated)))
    );
    assert!(
        pair.a.closed.is_empty(),
        "an unprotected notification ends nothing"
    );
}

#[test]
fn a_refused_quick_mode_tells_why_under_protection() {
    let mut other = config(B, A, b"secret");
    other.peers[0].children[0].suites = vec![ike_sm::ChildSuite::Esp(
        crypto_suite::ProtectionId::NullHmac(crypto_suite::IntegrityId::HmacSha1_96),
    )];
    let mut pair = Pair::new(config(A, B, b"secret"), other);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    // RFC 2408 §3.14.1: NO-PROPOSAL-CHOSEN.
    assert_eq!(pair.a.failed, [CloseReason::RefusedByPeer(14)]);
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));

    let mut other = config(B, A, b"secret");
    other.peers[0].children[0].local = crate::common::net("10.99.0.0", 16).into();
    let mut pair = Pair::new(config(A, B, b"secret"), other);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    // INVALID-ID-INFORMATION.
    assert_eq!(pair.a.failed, [CloseReason::RefusedByPeer(18)]);
}

#[test]
fn a_restarted_peer_replaces_what_it_has_lost() {
    let mut pair = Pair::established();
    pair.run_for(secs(5));
    pair.a = End::new(config(A, B, b"secret"), 77);
    pair.bring_up();
    pair.run_for(secs(3));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
    assert!(
        pair.b
            .removed
            .iter()
            .any(|(_, r)| *r == CloseReason::PeerRestarted)
    );
}

#[test]
fn a_restarted_responder_tells_an_initiator_whose_children_are_orphans() {
    let mut pair = Pair::established();
    pair.run_for(secs(5));
    pair.b = End::new(config(B, A, b"secret"), 78);
    let ike = pair.a.ikes[0];
    assert_eq!(
        pair.command(false, Command::RekeyIke(ike)),
        Outcome::Handled
    );
    pair.run_for(secs(3));
    assert!(
        pair.a
            .removed
            .iter()
            .any(|(_, r)| *r == CloseReason::PeerRestarted)
    );
    assert!(pair.a.children.is_empty());
}

#[test]
fn both_ends_may_start_at_once() {
    for offset in [0, 5, 15, 25, 45, 65, 100] {
        let mut pair = Pair::default();
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(Duration::from_millis(offset));
        assert_eq!(pair.initiate(true), Outcome::Handled);
        pair.run_for(secs(3));
        pair.assert_tunnel();
        for _ in 0..100 {
            pair.run_for(secs(1));
            pair.assert_tunnel();
        }
        assert_eq!(
            (pair.a.ikes.len(), pair.b.ikes.len()),
            (1, 1),
            "offset {offset}"
        );
        assert_eq!(
            (pair.a.children.len(), pair.b.children.len()),
            (1, 1),
            "offset {offset}"
        );
    }
}

/// Both ends want two children. What `b` sends is lost, then `a` begins with some of them.
fn the_other_end_begins(children: Vec<String>) -> Pair {
    let mut configs = (config(A, B, b"secret"), config(B, A, b"secret"));
    for (config, own, other) in [(&mut configs.0, 1, 2), (&mut configs.1, 2, 1)] {
        let (own, other) = (format!("10.{own}0.0.0"), format!("10.{other}0.0.0"));
        let second = ChildConfig::new("second", net(&own, 16), net(&other, 16));
        config.peers[0].children.push(second);
    }
    let mut pair = Pair::new(configs.0, configs.1);
    pair.fate = Box::new(|flight| flight.to_b);
    assert_eq!(pair.initiate(true), Outcome::Handled);
    pair.run_for(Duration::from_millis(100));
    pair.fate = Box::new(|_| true);
    let peer = "peer".into();
    assert_eq!(
        pair.command(false, Command::Initiate { peer, children }),
        Outcome::Handled
    );
    pair
}

#[test]
fn who_has_not_started_phase_1_lets_the_other_end_ask_for_its_children() {
    let mut pair = the_other_end_begins(Vec::new());
    pair.run_for(secs(3));
    for end in [&pair.a, &pair.b] {
        assert_eq!(end.children.len(), 2);
        // Nothing was made twice and thrown away.
        assert_eq!((end.removed.len(), end.failed.len()), (0, 0));
    }
    pair.run_for(secs(60));
    assert_eq!((pair.a.ikes.len(), pair.a.closed.len()), (1, 0));
    // What was never answered is not asked again.
    let reasons: Vec<CloseReason> = pair.b.closed.iter().map(|(_, why)| *why).collect();
    assert_eq!(
        (pair.b.ikes.len(), reasons),
        (1, vec![CloseReason::Replaced])
    );
}

#[test]
fn what_the_other_end_does_not_ask_for_is_asked_of_it() {
    let mut pair = the_other_end_begins(vec!["net".into()]);
    pair.run_for(Duration::from_millis(400));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    pair.run_for(Duration::from_millis(400));
    assert_eq!((pair.a.children.len(), pair.b.children.len()), (2, 2));
}

#[test]
fn messages_that_belong_nowhere_are_dropped_with_their_reason() {
    let mut pair = Pair::established();
    let path = Path::plain((ip(B), 500).into(), (ip(A), 500).into());
    let mut send = |message: &[u8]| pair.feed(true, Event::Datagram { path, message });
    let header = |spis: [u8; 16], exchange: u8, length: u8| {
        let mut m = spis.to_vec();
        m.extend([0, 0x10, exchange, 0, 0, 0, 0, 0, 0, 0, 0, length]);
        m
    };
    let mut stranger = [7; 16];
    assert_eq!(
        send(&header(stranger, 5, 28)),
        Outcome::Dropped(DropReason::UnknownCookies)
    );
    stranger[8..].fill(0);
    assert!(matches!(
        send(&header(stranger, 2, 27)),
        Outcome::Dropped(DropReason::Malformed(_))
    ));
    assert!(matches!(
        send(&header(stranger, 2, 28)),
        Outcome::Dropped(DropReason::MissingPayload(_))
    ));
    assert_eq!(
        send(&header([0; 16], 2, 28)),
        Outcome::Dropped(DropReason::BadCookie)
    );
    assert!(matches!(
        send(&[]),
        Outcome::Dropped(DropReason::Malformed(_))
    ));
    assert!(matches!(
        send(&[0xff; 27]),
        Outcome::Dropped(DropReason::Malformed(_))
    ));
    let elsewhere = Path::plain((ip(B), 500).into(), (ip("198.51.100.1"), 500).into());
    let message = header(stranger, 2, 28);
    assert_eq!(
        pair.feed(
            true,
            Event::Datagram {
                path: elsewhere,
                message: &message
            }
        ),
        Outcome::Dropped(DropReason::UnknownPeer)
    );
    pair.assert_tunnel();
}

#[test]
fn a_shorter_lifetime_of_the_responder_is_told_and_kept() {
    let mut other = config(B, A, b"secret");
    other.peers[0].children[0].lifetime = Lifetime {
        time: secs(600),
        kilobytes: Some(1000),
    };
    let mut pair = Pair::new(config(A, B, b"secret"), other);
    pair.bring_up();
    let a = pair.a.children.values().next().unwrap();
    assert_eq!(a.lifetime.hard, Some(secs(600)));
    assert_eq!(a.lifetime.hard_bytes, Some(1000 * 1024));
}

/// Two tunnels to one network of B, from two of A.
fn two_to_one_network(change: impl Fn(&mut ChildConfig)) -> Pair {
    let [mut a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    let (more, far) = (net("10.5.0.0", 16), net("10.2.0.0", 16));
    a.peers[0]
        .children
        .push(ChildConfig::new("more", more, far));
    b.peers[0]
        .children
        .push(ChildConfig::new("more", far, more));
    a.peers[0].children.iter_mut().for_each(change);
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert_eq!((pair.a.active.len(), pair.b.active.len()), (2, 2));
    pair
}

#[test]
fn a_route_stands_as_long_as_a_child_wants_it() {
    let (off, net, host) = (
        ReverseRoute::Off,
        ReverseRoute::WithSa,
        ReverseRoute::WithSaAndPeer,
    );
    for (wanted, routes) in [(off, 0), (net, 1), (host, 2)] {
        let mut pair = two_to_one_network(|child| child.reverse_route = wanted);
        let count = |pair: &Pair, kind: &str| {
            let all = pair.a.actions.iter();
            all.filter(|action| action.starts_with(kind)).count()
        };
        let both = |pair: &Pair| (count(pair, "AddRoute"), count(pair, "DelRoute"));
        assert_eq!(both(&pair), (routes, 0));
        let _ = pair.command(false, Command::RekeyChild(pair.a.active[0]));
        pair.run_for(secs(100));
        assert_eq!((pair.a.children.len(), both(&pair)), (2, (routes, 0)));
        let _ = pair.command(false, Command::DeleteChild(pair.a.active[0]));
        pair.run_for(secs(1));
        assert_eq!((pair.a.children.len(), both(&pair)), (1, (routes, 0)));
        let _ = pair.command(false, Command::DeleteChild(pair.a.active[0]));
        pair.run_for(secs(1));
        assert_eq!((pair.a.children.len(), both(&pair)), (0, (routes, routes)));
    }
}

#[test]
fn a_rekey_replaces_the_child_of_both_its_networks() {
    for (from_b, n) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let mut pair = two_to_one_network(|_| {});
        pair.run_for(secs(5));
        let old = pair.end(from_b).active[n];
        let spi = pair.end(from_b).children[&old].spi_out;
        let mut there = pair.end(!from_b).children.values();
        let there = there.find(|c| c.spi_in == spi).unwrap().id;
        let _ = pair.command(from_b, Command::RekeyChild(old));
        pair.run_for(secs(1));
        let newest = pair.end(!from_b).children.values().last().unwrap();
        assert_eq!(newest.replaces, Some(there), "{from_b}");
    }
}

#[test]
fn only_an_spi_that_nobody_has_is_told_to_the_peer_as_unknown() {
    let mut pair = Pair::established();
    let sa = pair.b.children.values().next().unwrap();
    let (own, theirs) = (sa.spi_in, sa.spi_out);
    for (spi, expected) in [
        (own, Outcome::Dropped(DropReason::WrongState)),
        (theirs, Outcome::Dropped(DropReason::Reflected)),
        (own ^ 1, Outcome::Handled),
    ] {
        let sent = pair.sent;
        let event = Event::UnknownSpi {
            remote: ip(A),
            protocol: IpsecProtocol::Esp,
            spi,
        };
        assert_eq!(pair.feed(true, event), expected);
        assert_eq!(pair.sent > sent, expected == Outcome::Handled);
    }
}
