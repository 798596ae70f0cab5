//! NAT traversal (RFC 7296 §2.23).
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use crypto_suite::Secret;
use ike_sm::config::{Config, Identity, Prefix, PskOwner, RemoteIdentity};
use ike_sm::{Command, Event, Outcome, Traffic};

use crate::common::{A, Pair, ip, secs};
use crate::configs;

pub const PUBLIC: &str = "203.0.113.9";

fn up() -> (Pair, Rc<Cell<u16>>) {
    up_with(|_| {})
}

/// Ports 500 and 4500 of A appear as `base` + 500 and `base` + 4500 of the public address.
pub fn up_with(change: impl Fn(&mut Config)) -> (Pair, Rc<Cell<u16>>) {
    let (a, mut b) = configs(change);
    b.peers[0].addresses = vec![ip(PUBLIC)];
    b.peers[0].remote_id = RemoteIdentity::Is(Identity::Address(ip(A)));
    let owner = PskOwner::Prefix(Prefix::host(ip(PUBLIC)));
    b.psks.insert(owner, Secret::from(&b"secret"[..]));
    let mut pair = Pair::new(a, b);
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
    pair.bring_up();
    (pair, base)
}

#[test]
fn the_initiator_floats_to_4500_with_ike_auth_and_esp_goes_in_udp() {
    let (pair, _) = up();
    let a = pair.a.children.values().next().unwrap();
    let b = pair.b.children.values().next().unwrap();
    assert!(a.udp_encapsulation && b.udp_encapsulation);
    let ports = (a.path.local.port(), a.path.remote.port(), a.path.natt);
    assert_eq!(ports, (4500, 4500, true));
    assert_eq!(b.path.remote, SocketAddr::new(ip(PUBLIC), 24_500));
    assert_eq!(pair.sent, 4);
}

#[test]
fn rfc7296_s2_23_an_initiator_may_begin_on_4500() {
    for nat in [false, true] {
        let begins_there = |c: &mut Config| {
            c.peers[0].nat_traversal.from_start = true;
            c.peers[0].nat_traversal.force = true;
        };
        let pair = if nat {
            up_with(begins_there).0
        } else {
            let (a, b) = configs(begins_there);
            let mut pair = Pair::new(a, b);
            pair.fate = Box::new(|flight| {
                assert!(flight.path.natt, "{:?}", flight.path);
                true
            });
            pair.bring_up();
            pair
        };
        let a = pair.a.children.values().next().unwrap();
        assert!(a.udp_encapsulation && a.path.natt);
        assert_eq!(pair.sent, 4);
    }
}

#[test]
fn only_the_end_behind_the_nat_sends_keepalives() {
    let (mut pair, _) = up();
    pair.run_for(secs(100));
    assert!(
        (4..=5).contains(&pair.a.keepalives),
        "{}",
        pair.a.keepalives
    );
    assert_eq!(pair.b.keepalives, 0);
}

#[test]
fn d4_the_peer_is_followed_to_a_new_mapping_by_a_new_authentic_message_only() {
    let (mut pair, base) = up();
    base.set(30_000);
    // A asks for a sign of life from its new mapping.
    let child = pair.a.active[0];
    let _ = pair.feed(false, Event::Traffic(child, Traffic::outbound(1)));
    pair.run_for(secs(35));
    let moved = SocketAddr::new(ip(PUBLIC), 34_500);
    assert_eq!(pair.b.children.values().next().unwrap().path.remote, moved);
    assert!(pair.a.dead.is_empty() && pair.b.dead.is_empty());
    // A copy of an old request from elsewhere moves nothing.
    base.set(20_000);
    pair.run_for(secs(1));
    assert_eq!(pair.b.children.values().next().unwrap().path.remote, moved);
}

#[test]
fn a_new_mapping_is_followed_on_an_authenticated_esp_packet_but_not_behind_the_nat() {
    let (mut pair, base) = up_with(|c| c.peers[0].v2.mobike = false);
    base.set(30_000);
    let seen = SocketAddr::new(ip(PUBLIC), 34_500);
    let b = pair.b.active[0];
    assert_eq!(pair.feed(true, Event::Moved(b, seen)), Outcome::Handled);
    assert_eq!(pair.b.children[&b].path.remote, seen);
    let ike = pair.b.endpoint.ike_sas().next().unwrap();
    assert_eq!(ike.path.remote, seen);
    let a = pair.a.active[0];
    let before = pair.a.children[&a].path;
    let elsewhere = SocketAddr::new(ip("198.51.100.66"), 4500);
    let refused = pair.feed(false, Event::Moved(a, elsewhere));
    assert!(refused.dropped().is_some());
    assert_eq!(pair.a.children[&a].path, before);
    // B's requests arrive at the new mapping.
    let _ = pair.command(true, Command::RekeyChild(b));
    pair.run_for(secs(15));
    pair.assert_tunnel();
    assert_ne!(pair.b.active, [b]);
}

#[test]
fn a_new_mapping_is_followed_on_a_response_too() {
    let (mut pair, base) = up_with(|c| c.peers[0].v2.mobike = false);
    let child = pair.b.active[0];
    let _ = pair.command(true, Command::RekeyChild(child));
    // The request is on its way through the old mapping.
    base.set(30_000);
    pair.run_for(pair.latency * 2);
    let seen = SocketAddr::new(ip(PUBLIC), 34_500);
    let ike = pair.b.endpoint.ike_sas().next().unwrap();
    assert_eq!(ike.path.remote, seen);
    assert!(pair.b.children.values().all(|sa| sa.path.remote == seen));
}

#[test]
fn a_forced_nat_encapsulates_without_one() {
    let (mut a, b) = configs(|_| {});
    a.peers[0].nat_traversal.force = true;
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let child = pair.b.children.values().next().unwrap();
    assert!(child.udp_encapsulation && child.path.natt);
}

#[test]
fn rfc4555_the_initiator_moves_to_another_address_and_the_tunnel_goes_with_it() {
    let (a, b) = configs(|_| {});
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let ike = pair.a.ikes[0];
    let local = SocketAddr::new(ip("192.0.2.77"), 500);
    let outcome = pair.command(false, Command::MoveIke { ike, local });
    assert_eq!(outcome, Outcome::Handled);
    pair.run_for(secs(1));
    let child = pair.b.children.values().next().unwrap();
    assert_eq!(child.path.remote, local);
    assert_eq!(pair.a.children.values().next().unwrap().path.local, local);
    pair.assert_tunnel();
    // The new address lasts through a rekey, and the SA can move again after it.
    let _ = pair.command(true, Command::RekeyIke(pair.b.ikes[0]));
    pair.run_for(secs(15));
    let ike = pair.a.ikes[0];
    let local = SocketAddr::new(ip("192.0.2.78"), 500);
    assert_eq!(
        pair.command(false, Command::MoveIke { ike, local }),
        Outcome::Handled
    );
    pair.run_for(secs(1));
    assert_eq!(pair.b.children.values().next().unwrap().path.remote, local);
    // The other end decides nothing.
    let ike = pair.b.ikes[0];
    let refused = pair.command(true, Command::MoveIke { ike, local });
    assert!(refused.dropped().is_some());
}

#[test]
fn without_mobike_the_peer_is_followed_by_what_it_sends() {
    let (mut a, b) = configs(|_| {});
    a.peers[0].v2.mobike = false;
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    let ike = pair.a.ikes[0];
    let local = SocketAddr::new(ip("192.0.2.77"), 500);
    let refused = pair.command(false, Command::MoveIke { ike, local });
    assert!(refused.dropped().is_some());
}
