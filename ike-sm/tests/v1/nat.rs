//! A NAT before the initiator: detection, float, keepalives, rebinding.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use crypto_suite::Secret;
use ike_sm::config::{Config, Identity, Phase1Mode, Prefix, PskOwner, RemoteIdentity};
use ike_sm::{Command, Event, Mode, Traffic};
use isakmp_wire::Limits;

use crate::common::{A, B, Pair, config, ip, secs};

const PUBLIC: &str = "203.0.113.9";

fn responder() -> Config {
    let mut b = config(B, PUBLIC, b"secret");
    b.peers[0].remote_id = RemoteIdentity::Is(Identity::Address(ip(A)));
    b.psks.insert(
        PskOwner::Prefix(Prefix::host(ip(PUBLIC))),
        Secret::from(&b"secret"[..]),
    );
    b
}

/// Ports 500 and 4500 of A appear as `base` + 500 and `base` + 4500 of the public address.
fn behind_nat(pair: &mut Pair) -> Rc<Cell<u16>> {
    let base = Rc::new(Cell::new(20_000));
    let shift = base.clone();
    pair.fate = Box::new(move |flight| {
        if flight.to_b {
            let port = flight.path.local.port() + shift.get();
            flight.path.local = SocketAddr::new(ip(PUBLIC), port);
            true
        } else {
            let port = flight.path.remote.port().wrapping_sub(shift.get());
            flight.path.remote = SocketAddr::new(ip(A), port);
            // A packet to a mapping that is gone.
            matches!(port, 500 | 4500)
        }
    });
    base
}

fn up() -> (Pair, Rc<Cell<u16>>) {
    let mut pair = Pair::new(config(A, B, b"secret"), responder());
    let base = behind_nat(&mut pair);
    pair.bring_up();
    (pair, base)
}

#[test]
fn gv12_the_initiator_floats_to_4500_with_its_identity() {
    let (pair, _) = up();
    let a = pair.a.children.values().next().unwrap();
    let b = pair.b.children.values().next().unwrap();
    assert!(a.udp_encapsulation && b.udp_encapsulation);
    assert_eq!(
        (a.path.local.port(), a.path.remote.port(), a.path.natt),
        (4500, 4500, true)
    );
    assert_eq!(b.path.remote, SocketAddr::new(ip(PUBLIC), 24_500));
    assert_eq!((b.path.local.port(), b.path.natt), (4500, true));
    assert!(
        pair.outcomes.iter().all(|(_, o)| o.dropped().is_none()),
        "{:?}",
        pair.outcomes
    );
}

#[test]
fn only_the_end_behind_the_nat_sends_keepalives_and_traffic_postpones_them() {
    let (mut pair, _) = up();
    pair.run_for(secs(100));
    assert!(
        (4..=5).contains(&pair.a.keepalives),
        "{}",
        pair.a.keepalives
    );
    assert_eq!(pair.b.keepalives, 0);
    let before = pair.a.keepalives;
    for _ in 0..10 {
        pair.run_for(secs(10));
        pair.assert_tunnel();
    }
    assert_eq!(pair.a.keepalives, before);
}

#[test]
fn a_new_mapping_is_followed_on_an_authenticated_message() {
    let (mut pair, base) = up();
    base.set(30_000);
    let child = pair.a.active[0];
    assert_eq!(
        pair.command(false, Command::RekeyChild(child)),
        ike_sm::Outcome::Handled
    );
    pair.run_for(secs(20));
    pair.assert_tunnel();
    for child in pair.b.children.values() {
        assert_eq!(child.path.remote, SocketAddr::new(ip(PUBLIC), 34_500));
    }
}

#[test]
fn a_new_mapping_is_followed_on_an_authenticated_esp_packet_but_not_behind_the_nat() {
    let (mut pair, base) = up();
    base.set(30_000);
    let seen = SocketAddr::new(ip(PUBLIC), 34_500);
    let b = pair.b.active[0];
    assert!(pair.feed(true, Event::Moved(b, seen)).dropped().is_none());
    assert_eq!(pair.b.children[&b].path.remote, seen);
    // RFC 3947 §7: the end behind the NAT must not follow.
    let a = pair.a.active[0];
    let elsewhere = SocketAddr::new(ip("198.51.100.66"), 4500);
    assert!(
        pair.feed(false, Event::Moved(a, elsewhere))
            .dropped()
            .is_some()
    );
    assert_eq!(
        pair.a.children[&a].path.remote,
        SocketAddr::new(ip(B), 4500)
    );
}

/// D4: a copy of an old message from elsewhere, or a forged one, moves nobody; a new one does.
#[test]
fn d4_a_replayed_message_from_elsewhere_moves_nothing() {
    // What A sends: the last message of phase 1, quick mode's first and third, a Delete, a DPD ask.
    type Start = fn(&mut Pair);
    let quick: Start = |pair| {
        let child = pair.a.active[0];
        let _ = pair.command(false, Command::RekeyChild(child));
    };
    let delete: Start = |pair| {
        let child = pair.a.active[0];
        let _ = pair.command(false, Command::DeleteChild(child));
    };
    let dpd: Start = |pair| {
        let child = pair.a.active[0];
        let _ = pair.feed(false, Event::Traffic(child, Traffic::outbound(1)));
        pair.run_for(secs(30));
    };
    for (start, number) in [(quick, 0), (quick, 2), (delete, 0), (dpd, 0)] {
        let (mut pair, base) = up();
        start(&mut pair);
        for _ in 0..number {
            let flight = pair.flights.remove(0);
            pair.deliver(flight);
        }
        let flight = pair.flights.remove(0);
        assert!(flight.to_b && flight.path.natt);
        let path = ike_sm::Path {
            local: flight.path.remote,
            remote: flight.path.local,
            natt: true,
        };
        // Behind the non-ESP marker.
        let raw = flight.datagram[4..].to_vec();
        let mut forged = raw.clone();
        *forged.last_mut().unwrap() ^= 1;
        let paths = |pair: &Pair| {
            let ikes = pair.b.endpoint.ike_sas().map(|sa| sa.path);
            let children = pair.b.children.values().map(|sa| sa.path);
            ikes.chain(children).collect::<Vec<_>>()
        };
        let from_elsewhere = |pair: &mut Pair, message: &[u8]| {
            for remote in [("198.51.100.66", 4500), (PUBLIC, 24_501)] {
                let remote = SocketAddr::new(ip(remote.0), remote.1);
                let path = ike_sm::Path { remote, ..path };
                let (before, now) = (paths(pair), pair.now);
                let (outcome, _) = pair.b.feed(Event::Datagram { path, message }, now);
                assert_ne!(outcome, ike_sm::Outcome::Handled, "{number}");
                assert_eq!(paths(pair), before, "{number}: {outcome:?}");
            }
        };
        from_elsewhere(&mut pair, &forged);
        pair.deliver(flight);
        assert_eq!(
            pair.outcomes.last().unwrap().1,
            ike_sm::Outcome::Handled,
            "{number}"
        );
        for wait in [0, 2] {
            pair.run_for(secs(wait));
            for message in [&raw, &forged] {
                from_elsewhere(&mut pair, message);
            }
        }
        base.set(30_000);
        let seen = SocketAddr::new(ip(PUBLIC), 34_500);
        let _ = pair.command(false, Command::DeleteIke(pair.a.ikes[0]));
        for flight in std::mem::take(&mut pair.flights) {
            assert_eq!(flight.path.local, seen);
            pair.deliver(flight);
            let all = paths(&pair).iter().all(|path| path.remote == seen);
            assert!(all, "{number}");
        }
        assert!(pair.b.ikes.is_empty(), "{number}");
    }
}

/// A quick mode that ends on a phase 1 SA which was replaced meanwhile: what moves its child moves
/// the SA that inherits it (found by the simulator).
#[test]
fn the_heir_of_a_child_knows_where_the_peer_has_moved() {
    let (mut pair, base) = up();
    let (old, child) = (pair.a.ikes[0], pair.b.active[0]);
    let _ = pair.command(false, Command::RekeyIke(old));
    // Until the last message that B waits for is on its way.
    while pair.flights.iter().all(|f| !f.to_b) || pair.b.ikes.len() < 2 {
        let last = pair.b.ikes.len();
        assert!(pair.step(pair.now + secs(1)));
        if last == 1
            && pair
                .flights
                .iter()
                .any(|f| f.to_b && f.datagram[4 + 19] & 1 == 1)
        {
            break;
        }
    }
    let _ = pair.command(true, Command::RekeyChild(child));
    pair.run_for(secs(1));
    assert_eq!(pair.b.children.len(), 2);
    base.set(30_000);
    let moved = SocketAddr::new(ip(PUBLIC), 34_500);
    let new = *pair.b.active.last().unwrap();
    assert_ne!(new, child);
    let _ = pair.feed(true, Event::Moved(new, moved));
    assert_eq!(pair.b.children[&new].path.remote, moved);
    // The old SA ends, and the new one takes the child over.
    pair.run_for(secs(30));
    assert_eq!(pair.b.ikes.len(), 1);
    assert_eq!(pair.b.children[&new].path.remote, moved);
}

#[test]
fn phase_1_is_rekeyed_from_either_end_on_port_4500() {
    for from_b in [false, true] {
        let (mut pair, _) = up();
        let ike = pair.end(from_b).ikes[0];
        let before = pair.outcomes.len();
        assert_eq!(
            pair.command(from_b, Command::RekeyIke(ike)),
            ike_sm::Outcome::Handled
        );
        pair.run_for(secs(40));
        pair.assert_tunnel();
        assert!(
            pair.outcomes[before..]
                .iter()
                .all(|(_, o)| o.dropped().is_none()),
            "{:?}",
            &pair.outcomes[before..]
        );
        assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
        assert_ne!(pair.end(from_b).ikes[0], ike);
        assert_eq!((pair.a.children.len(), pair.b.children.len()), (1, 1));
        assert!(pair.a.children.values().all(|c| c.udp_encapsulation));
    }
}

#[test]
fn forced_encapsulation_works_without_any_nat() {
    let mut a = config(A, B, b"secret");
    a.peers[0].nat_traversal.force = true;
    let mut pair = Pair::new(a, config(B, A, b"secret"));
    pair.bring_up();
    assert!(
        pair.a
            .children
            .values()
            .all(|c| c.udp_encapsulation && c.path.natt)
    );
    assert!(
        pair.b
            .children
            .values()
            .all(|c| c.udp_encapsulation && c.path.natt)
    );
    let child = pair.a.active[0];
    let _ = pair.feed(false, Event::Traffic(child, Traffic::outbound(1)));
}

#[test]
fn without_nat_traversal_on_one_side_nothing_floats() {
    let mut a = config(A, B, b"secret");
    a.peers[0].nat_traversal.enabled = false;
    let mut pair = Pair::new(a, config(B, A, b"secret"));
    pair.bring_up();
    assert!(
        pair.a
            .children
            .values()
            .all(|c| !c.udp_encapsulation && !c.path.natt)
    );
}

#[test]
fn rfc3947_s4_aggressive_mode_floats_with_its_third_message() {
    let aggressive = |mut config: Config| {
        config.peers[0].mode = Phase1Mode::AggressiveExposingPskHash;
        config
    };
    let mut pair = Pair::new(aggressive(config(A, B, b"secret")), aggressive(responder()));
    let _base = behind_nat(&mut pair);
    pair.bring_up();
    let a = pair.a.children.values().next().unwrap();
    let b = pair.b.children.values().next().unwrap();
    assert!(a.udp_encapsulation && b.udp_encapsulation);
    assert_eq!(
        (a.path.local.port(), a.path.remote.port(), a.path.natt),
        (4500, 4500, true)
    );
    assert_eq!(b.path.remote, SocketAddr::new(ip(PUBLIC), 24_500));
    assert!(
        pair.outcomes.iter().all(|(_, o)| o.dropped().is_none()),
        "{:?}",
        pair.outcomes
    );
    // Only the end behind the NAT keeps it open: the ends agree on who that is.
    pair.run_for(secs(100));
    assert!(pair.a.keepalives > 2 && pair.b.keepalives == 0);
}

/// The vendor IDs of these versions do not arrive: they are in the clear and under no HASH.
fn speaking_only(version: nat_t::Version, mode: Mode) -> (Pair, Rc<Cell<Option<u8>>>) {
    let (mut a, mut b) = (config(A, B, b"secret"), responder());
    if mode == Mode::Transport {
        let host = |text| ike_sm::Selector::host(ip(text));
        for (config, own, peer) in [(&mut a, A, B), (&mut b, B, A)] {
            let child = &mut config.peers[0].children[0];
            child.mode = mode;
            (child.local, child.remote) = (host(own).into(), host(peer).into());
            child.selector_match = ike_sm::config::SelectorMatch::Within;
        }
    }
    let mut pair = Pair::new(a, b);
    let _base = behind_nat(&mut pair);
    let mut nat = std::mem::replace(&mut pair.fate, Box::new(|_| true));
    let seen = Rc::new(Cell::new(None));
    let noted = seen.clone();
    pair.fate = Box::new(move |flight| {
        for other in nat_t::Version::USUAL {
            let id = other.vendor_id();
            let at = flight.datagram.windows(16).position(|w| w == id);
            if let (Some(at), true) = (at, other != version) {
                flight.datagram[at] ^= 1;
            }
        }
        // Main mode's message 3: the payload behind the nonce.
        if flight.to_b && flight.datagram[16] == 4 && flight.datagram[18] == 2 {
            let message = isakmp_wire::v1::Message::parse(&flight.datagram, &Limits::DEFAULT);
            let types = message.unwrap().payloads();
            noted.set(types.iter().nth(2).map(|p| p.payload_type.0));
        }
        nat(flight)
    });
    assert_eq!(pair.initiate(false).dropped(), None);
    pair.run_for(secs(3));
    (pair, seen)
}

#[test]
fn n11_drafts_have_numbers_of_their_own() {
    use nat_t::Version::{Draft02, Draft02Newline, Draft03, Rfc3947};
    let cases = [
        (Rfc3947, 20),
        (Draft03, 130),
        (Draft02Newline, 130),
        (Draft02, 130),
    ];
    for (version, number) in cases {
        let (mut pair, nat_d) = speaking_only(version, Mode::Tunnel);
        assert_eq!(nat_d.get(), Some(number), "{version:?}");
        pair.assert_tunnel();
        let children = pair.a.children.values().chain(pair.b.children.values());
        assert!(children.clone().all(|c| c.udp_encapsulation && c.path.natt));
        assert_eq!(children.count(), 2);
        // RFC 3947 §5.1 and the drafts: modes 3 and 61443.
        let mode = if number == 20 {
            "encaps is 3 "
        } else {
            "encaps is 61443 "
        };
        assert!(
            pair.b.log.concat().contains(mode),
            "{version:?}: {}",
            pair.b.log.concat()
        );
    }
}

#[test]
fn n7_original_addresses_travel_in_the_numbers_of_the_version() {
    for version in [nat_t::Version::Rfc3947, nat_t::Version::Draft02Newline] {
        let (pair, _) = speaking_only(version, Mode::Transport);
        let b = pair.b.children.values().next().unwrap();
        assert_eq!(b.mode, Mode::Transport);
        let original = b.original_addresses.unwrap();
        // A says who it is behind the NAT: the responder mends checksums with it.
        assert_eq!(original.initiator, ip(A), "{version:?}");
        assert_eq!(original.responder, ip(B));
    }
}
