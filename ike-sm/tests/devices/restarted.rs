//! A peer that has lost its state and calls anew without INITIAL_CONTACT.

use ike_sm::config::{ChildConfig, Config, IkeVersion};
use ike_sm::{CloseReason, Event, Outcome, Traffic};

use crate::common::{A, B, End, Pair, config, net, secs};
use crate::{VERSIONS, impatient};

fn ends(version: IkeVersion, second: bool) -> [Config; 2] {
    [(A, B), (B, A)].map(|(own, peer)| {
        let mut config = config(own, peer, b"secret");
        let p = &mut config.peers[0];
        p.version = version;
        p.initial_contact = false;
        if second {
            let (local, remote) = match own {
                A => ("10.11.0.0", "10.12.0.0"),
                _ => ("10.12.0.0", "10.11.0.0"),
            };
            p.children
                .push(ChildConfig::new("second", net(local, 16), net(remote, 16)));
        }
        if own == B {
            p.dpd = impatient();
        }
        config
    })
}

/// `a` or `b` has started the first SAs; then `a` is another one, and has called.
fn restarted(version: IkeVersion, by_b: bool, second: bool, after: u64) -> Pair {
    let [a, b] = ends(version, second);
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(by_b), Outcome::Handled);
    pair.run_for(secs(3));
    assert_eq!(pair.b.children.len(), 1 + usize::from(second));
    pair.run_for(secs(after));
    let [a, _] = ends(version, false);
    pair.a = End::new(a, 77);
    pair.flights.clear();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert_eq!(pair.a.children.len(), 1);
    pair
}

#[test]
fn l2_l3_traffic_of_ours_follows_a_restarted_peer_within_two_seconds() {
    for version in VERSIONS {
        for by_b in [false, true] {
            for after in [5, 100] {
                let mut pair = restarted(version, by_b, false, after);
                // Nothing comes in on the new pair: our side sends first.
                pair.run_for(secs(1));
                assert!(pair.ping(true), "{version:?} {by_b} {after}");
                assert!(pair.ping(false));
            }
        }
    }
}

#[test]
fn l2_l3_the_forgotten_sa_ends_alone() {
    for version in VERSIONS {
        for by_b in [false, true] {
            let mut pair = restarted(version, by_b, false, 20);
            let new = *pair.b.ikes.last().unwrap();
            for _ in 0..100 {
                pair.run_for(secs(1));
                if pair.b.ikes.len() == 2 {
                    continue;
                }
                pair.assert_tunnel();
            }
            assert_eq!(pair.b.ikes, [new]);
            assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
            assert_eq!(pair.b.closed.len(), 1);
            assert_eq!(pair.b.closed[0].1, CloseReason::PeerDead, "{version:?}");
            // The peer lives, and its new SAs were not touched.
            assert!(pair.b.dead.is_empty() && pair.a.closed.is_empty());
            assert!(pair.a.removed.is_empty());
        }
    }
}

/// What the peer does not ask for again goes too, and does not wait for its lifetime.
#[test]
fn l2_l3_children_of_the_forgotten_sa_go_with_it() {
    for version in VERSIONS {
        let mut pair = restarted(version, false, true, 20);
        let old: Vec<_> = pair.b.children.keys().copied().collect();
        for _ in 0..20 {
            pair.run_for(secs(1));
            // Somebody sends into the pair that nobody takes in.
            let second = pair.b.children.values().find(|c| c.name == "second");
            if let Some(id) = second.map(|c| c.id) {
                let _ = pair.feed(true, Event::Traffic(id, Traffic::outbound(100)));
            }
            let _ = pair.ping(false);
        }
        let second = pair.b.children.values().find(|c| c.name == "second");
        assert!(second.is_none_or(|c| !old.contains(&c.id)), "{version:?}");
        assert_eq!(pair.b.children.len(), pair.a.children.len());
        pair.assert_tunnel();
    }
}

/// What the log says of a question is on the wire.
#[test]
fn l3_a_question_that_is_announced_is_asked() {
    for version in VERSIONS {
        let mut pair = restarted(version, false, false, 20);
        let asked = |end: &End| {
            let dpd = |l: &&String| l.contains("Sending DPD") || l.contains("DPD/R_U_THERE");
            end.log.iter().filter(dpd).count()
        };
        // From here on nothing else is said than questions and their repetitions.
        let (sent, said) = (pair.sent, asked(&pair.b));
        pair.fate = Box::new(|flight| flight.to_b);
        pair.run_for(secs(1));
        assert!(asked(&pair.b) - said <= pair.sent - sent, "{version:?}");
        pair.run_for(secs(6));
        assert!(
            pair.b
                .closed
                .iter()
                .any(|(_, r)| *r == CloseReason::PeerDead)
        );
    }
}
