//! A pair whose time is over sends no more, and takes in what the peer sends before it has heard of
//! that.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ike_sm::config::{Config, IkeVersion, Lifetime, RekeyMargin};
use ike_sm::{ChildId, ChildStatus, CloseReason, Command, Event, Outcome, Traffic};

use crate::VERSIONS;
use crate::common::{A, B, Pair, config, secs};

/// The pairs of `a` end before those of `b`: in IKEv2 they live shorter, and in IKEv1, where a lifetime
/// is negotiated, who answers has its half first.
fn ends(version: IkeVersion, lifetime: Lifetime, margin: RekeyMargin) -> Pair {
    let [a, b] = [(A, B), (B, A)].map(|(own, peer)| {
        let mut config: Config = config(own, peer, b"secret");
        let p = &mut config.peers[0];
        p.version = version;
        p.keep_up = own == A;
        p.children[0].lifetime = Lifetime::seconds(86_400);
        if own == A || version == IkeVersion::V1 {
            p.children[0].lifetime = lifetime;
            p.children[0].margin = margin;
        }
        config
    });
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(version == IkeVersion::V1), Outcome::Handled);
    pair.run_for(secs(1));
    pair.assert_tunnel();
    pair
}

/// No time for a rekey: the end comes first.
fn none() -> RekeyMargin {
    RekeyMargin {
        time: Duration::ZERO,
        volume_percent: 0,
        jitter_percent: 0,
    }
}

/// Lets time pass, in which `b` sends on its first pair as long as it has that and its time lasts.
/// Whatever it sends meets the pair of `a`. Gives until when that was there.
fn send_on_first(pair: &mut Pair, time: Duration) -> Duration {
    let (first, spi) = first_of(pair);
    let until = pair.now + time;
    let step = Duration::from_millis(1);
    let mut gone = Duration::ZERO;
    let mut sent = Vec::new();
    while pair.now < until {
        pair.run_for(step);
        let there = pair.a.children.values().any(|c| c.spi_in == spi);
        if there {
            gone = pair.now;
        }
        let lives = |c: &ChildStatus| c.id == first && pair.now < c.since + c.schedule.hard;
        if pair.b.endpoint.children().any(|c| lives(&c)) {
            sent.push(pair.now + pair.latency);
        }
        assert!(there || !sent.contains(&pair.now), "lost at {:?}", pair.now);
    }
    gone
}

/// The first pair of `b`, and the SPI under which it sends on that.
fn first_of(pair: &Pair) -> (ChildId, u32) {
    let (id, child) = pair.b.children.first_key_value().unwrap();
    (*id, child.spi_out)
}

#[test]
fn a_replaced_pair_whose_time_is_over_loses_nothing_of_what_is_on_its_way() {
    for version in VERSIONS {
        // The rekey comes a second before the end, the end of the replaced pair ten seconds later.
        let mut pair = ends(
            version,
            Lifetime::seconds(4),
            RekeyMargin {
                time: secs(1),
                ..none()
            },
        );
        let first = pair.a.active[0];
        let begun = pair.now;
        let gone = send_on_first(&mut pair, secs(7));
        // Four seconds less the one that has passed, and two until a peer of IKEv1 must have heard.
        assert!(gone - begun < secs(4 - 1 + 2 + 1), "{version:?}");
        let removed: Vec<_> = pair.a.removed.iter().filter(|r| r.0 == first).collect();
        assert_eq!(removed, [&(first, CloseReason::Expired)], "{version:?}");
        let stop = format!("UpdateChild({first:?}, StopSending)");
        assert!(
            !pair.a.actions.contains(&stop),
            "its successor has stopped it"
        );
        pair.assert_tunnel();
    }
}

#[test]
fn a_pair_whose_time_is_over_stops_sending_at_once_and_takes_in_until_it_is_answered() {
    for version in VERSIONS {
        let mut pair = ends(version, Lifetime::seconds(10), none());
        let first = pair.a.active[0];
        let installed = pair.now;
        // Up to the end.
        while pair.a.active.contains(&first) {
            assert!(pair.step(installed + secs(11)), "{version:?}: no end");
        }
        let over = pair.now;
        assert!(pair.a.children.contains_key(&first), "{version:?}");
        let stop = format!("UpdateChild({first:?}, StopSending)");
        assert!(pair.a.actions.contains(&stop), "{version:?}");
        let gone = send_on_first(&mut pair, secs(6));
        let most = match version {
            IkeVersion::V1 => secs(2),
            _ => Duration::from_millis(50),
        };
        assert!(gone - over <= most, "{version:?}: {:?}", gone - over);
        assert_eq!(pair.a.removed[0], (first, CloseReason::Expired));
        // Who has made it makes another one, and does not wait for that.
        pair.assert_tunnel();
        assert_eq!(pair.a.failed, []);
    }
}

#[test]
fn a_pair_whose_delete_is_not_answered_goes_within_seconds() {
    for version in VERSIONS {
        let mut pair = ends(version, Lifetime::seconds(10), none());
        let first = pair.a.active[0];
        pair.fate = Box::new(|flight| flight.to_b);
        pair.run_for(secs(20));
        assert!(!pair.a.children.contains_key(&first), "{version:?}");
        assert_eq!(pair.a.removed[0], (first, CloseReason::Expired));
    }
}

#[test]
fn a_pair_whose_volume_is_used_up_goes_at_once() {
    for version in VERSIONS {
        let lifetime = Lifetime {
            kilobytes: Some(1000),
            ..Lifetime::seconds(86_400)
        };
        let mut pair = ends(version, lifetime, none());
        let first = pair.a.active[0];
        let used = Event::Traffic(first, Traffic::inbound(2_000_000));
        assert_eq!(pair.feed(false, used), Outcome::Handled);
        assert_eq!(pair.a.removed, [(first, CloseReason::Expired)]);
        assert!(!pair.a.children.contains_key(&first), "{version:?}");
    }
}

/// Time that is over adds no time to that of a pair whose end is told.
#[test]
fn a_pair_that_uses_up_its_volume_after_its_time_goes_at_once() {
    for version in VERSIONS {
        let lifetime = Lifetime {
            kilobytes: Some(1000),
            ..Lifetime::seconds(10)
        };
        let mut pair = ends(version, lifetime, none());
        let first = pair.a.active[0];
        while pair.a.active.contains(&first) {
            let until = pair.now + secs(11);
            assert!(pair.step(until), "{version:?}: no end");
        }
        let used = Event::Traffic(first, Traffic::inbound(2_000_000));
        assert_eq!(pair.feed(false, used), Outcome::Handled);
        assert!(!pair.a.children.contains_key(&first), "{version:?}");
        pair.run_for(secs(3));
        pair.assert_tunnel();
    }
}

/// A peer may keep the state of a few exchanges only (strongSwan: of three), and forgets its quick mode
/// over a handful of Deletes.
#[test]
fn the_end_of_one_replaced_pair_ends_no_other() {
    let mut pair = ends(IkeVersion::V1, Lifetime::seconds(9), none());
    // Their lifetimes end one after the other.
    let mut ages = Vec::new();
    for _ in 0..3 {
        pair.run_for(secs(2));
        let newest = *pair.b.active.last().unwrap();
        ages.push(*pair.a.active.last().unwrap());
        let _ = pair.command(true, Command::RekeyChild(newest));
    }
    let deletes = Rc::new(Cell::new(0));
    let count = Rc::clone(&deletes);
    // INFORMATIONAL
    pair.fate = Box::new(move |flight| {
        count.set(count.get() + usize::from(flight.to_b && flight.datagram[18] == 5));
        true
    });
    while pair.a.removed.is_empty() {
        assert_eq!(deletes.replace(0), 0);
        pair.run_for(Duration::from_millis(100));
        if deletes.get() > 0 {
            break;
        }
    }
    assert_eq!(deletes.get(), 1);
    let there = |child: &ChildId| pair.a.children.contains_key(child);
    assert!(ages[1..].iter().all(there));
    pair.assert_tunnel();
}
