//! Fragmentation (RFC 7383) between two endpoints.
use ike_sm::config::{Config, Identity, RemoteIdentity};
use ike_sm::v2::fragments::FragmentError;
use ike_sm::{DropReason, Event, Outcome, Path};

use crate::common::{Pair, secs};
use crate::{configs, pair};

/// Two ends that split what is longer than `size`.
fn split(size: u16) -> Pair {
    let (a, b) = sized(size);
    Pair::new(a, b)
}

/// The same, and names so long that IKE_AUTH has to be split.
fn sized(size: u16) -> (Config, Config) {
    configs(|config| {
        let peer = &mut config.peers[0];
        peer.v2.fragment = Some(size);
        peer.local_id = Some(Identity::KeyId(vec![7; 400]));
        peer.remote_id = RemoteIdentity::Any;
    })
}

const SKF: u8 = 53;

#[test]
fn rfc7383_s2_5_long_messages_go_in_fragments_both_ways() {
    let mut pair = split(300);
    pair.bring_up();
    assert!(pair.sent > 4, "{}", pair.sent);
    assert!(pair.outcomes.iter().all(|(_, o)| *o == Outcome::Handled));
    for end in [&pair.a, &pair.b] {
        assert_eq!(end.ikes.len(), 1);
    }
}

#[test]
fn rfc7383_s2_3_without_the_announcement_of_both_nothing_is_split() {
    let (mut a, b) = sized(300);
    a.peers[0].v2.fragment = None;
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    assert_eq!(pair.sent, 4);
}

#[test]
fn every_lost_fragment_is_made_good() {
    let mut whole = split(300);
    whole.bring_up();
    for lost in 0..whole.sent {
        let mut pair = split(300);
        let mut number = 0;
        pair.fate = Box::new(move |_| {
            number += 1;
            number != lost + 1
        });
        assert_eq!(pair.initiate(false), Outcome::Handled);
        pair.run_for(secs(20));
        pair.assert_tunnel();
        assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
    }
}

/// B1: forged fragments change nothing, however many.
#[test]
fn b1_forged_fragments_are_dropped_before_they_are_kept() {
    let mut pair = split(300);
    let mut seen: Vec<(bool, Path, Vec<u8>)> = Vec::new();
    assert_eq!(pair.initiate(false), Outcome::Handled);
    for _ in 0..40 {
        seen.extend(
            pair.flights
                .iter()
                .filter(|f| f.datagram[16] == SKF)
                .map(|f| (f.to_b, f.path, f.datagram.clone())),
        );
        for (to_b, path, mut datagram) in core::mem::take(&mut seen) {
            *datagram.last_mut().unwrap() ^= 1;
            let path = Path {
                local: path.remote,
                remote: path.local,
                natt: path.natt,
            };
            let before = format!("{:?}", pair.end(to_b).endpoint.state());
            let event = Event::Datagram {
                path,
                message: &datagram,
            };
            let outcome = pair.feed(to_b, event);
            assert!(matches!(outcome, Outcome::Dropped(_)), "{outcome:?}");
            assert_eq!(before, format!("{:?}", pair.end(to_b).endpoint.state()));
        }
        if !pair.step(secs(3)) {
            break;
        }
    }
    pair.run_for(secs(3));
    pair.assert_tunnel();
}

/// RFC 7383 §2.6.1: only fragment 1 of an answered request is answered again, also when the peer
/// has divided its request anew.
#[test]
fn rfc7383_s2_6_1_the_first_fragment_alone_is_answered_again() {
    let mut pair = split(300);
    let (keep, kept) = std::sync::mpsc::channel();
    pair.fate = Box::new(move |flight| {
        if flight.to_b && flight.datagram[16] == SKF {
            keep.send((flight.path, flight.datagram.clone())).unwrap();
        }
        true
    });
    pair.bring_up();
    let fragments: Vec<(Path, Vec<u8>)> = kept.try_iter().collect();
    assert!(fragments.len() >= 3);
    for (n, (path, datagram)) in fragments.iter().enumerate() {
        let path = Path {
            local: path.remote,
            remote: path.local,
            natt: path.natt,
        };
        let event = Event::Datagram {
            path,
            message: datagram,
        };
        let before = pair.sent;
        let outcome = pair.feed(true, event);
        if n == 0 {
            assert_eq!(outcome, Outcome::Repeated);
            assert!(pair.sent > before);
        } else {
            assert_eq!(outcome, Outcome::Dropped(DropReason::Stale));
            assert_eq!(pair.sent, before);
        }
    }
}

/// RFC 7383 §2.6: what does not come together in time is given up.
#[test]
fn b1_fragments_that_do_not_come_together_are_given_up() {
    let mut pair = split(300);
    // The last fragment of the request never comes.
    pair.fate = Box::new(|flight| {
        let fragment = flight.datagram[16] == SKF;
        !(fragment && flight.datagram[32..34] == flight.datagram[34..36])
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(3));
    let waits = |pair: &Pair| format!("{:?}", pair.b.endpoint.state()).contains("Progress");
    assert!(waits(&pair));
    pair.fate = Box::new(|_| false);
    pair.run_for(secs(31));
    assert!(!waits(&pair));
}

#[test]
fn b2_the_same_fragment_twice_is_a_duplicate() {
    let mut pair = split(300);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    while !pair.flights.iter().any(|f| f.datagram[16] == SKF) {
        assert!(pair.step(secs(3)));
    }
    let first = pair.flights.remove(0);
    let (to_b, path) = (first.to_b, first.path);
    let datagram = first.datagram.clone();
    pair.deliver(first);
    let path = Path {
        local: path.remote,
        remote: path.local,
        natt: path.natt,
    };
    let event = Event::Datagram {
        path,
        message: &datagram,
    };
    let outcome = pair.feed(to_b, event);
    let duplicate = DropReason::Fragment(FragmentError::Duplicate);
    assert_eq!(outcome, Outcome::Dropped(duplicate));
    pair.run_for(secs(3));
    pair.assert_tunnel();
}

#[test]
fn a_peer_whose_messages_are_short_sees_no_fragments() {
    let mut pair = pair();
    pair.bring_up();
    assert_eq!(pair.sent, 4);
}
