//! MOBIKE beyond a plain move (RFC 4555): other addresses, dead paths, checks, NATs that may not be.
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use ike_sm::config::{Config, Dpd, DpdTimes, Prefix, PskOwner};
use ike_sm::{CloseReason, Command, DropReason, Outcome};
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::NotifyType;

use crate::common::{A, B, Pair, ip, secs};
use crate::configs;
use crate::forge::{Forge, hand};

const A2: &str = "192.0.2.77";
const B2: &str = "192.0.2.88";

fn up(change: impl Fn(&mut Config, bool)) -> Pair {
    let times = DpdTimes {
        idle: secs(5),
        retry: secs(1),
        tries: 3,
    };
    let (a, b) = configs(|c| {
        let b = c.peers[0].local_address == Some(ip(B));
        c.key_log = true;
        // RFC 4555 §3.11: the initiator is the one to notice that a path is dead.
        c.peers[0].dpd = if b { Dpd::Off } else { Dpd::Periodic(times) };
        change(c, b);
    });
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    pair
}

fn go(pair: &mut Pair, to: &str) {
    let ike = *pair.a.ikes.last().unwrap();
    let local = SocketAddr::new(ip(to), 500);
    let outcome = pair.command(false, Command::MoveIke { ike, local });
    assert_eq!(outcome, Outcome::Handled);
}

/// Where each end sends the packets of the tunnel.
fn remotes(pair: &Pair) -> [String; 2] {
    [&pair.a, &pair.b].map(|end| {
        let child = end.children.values().next().unwrap();
        child.path.remote.ip().to_string()
    })
}

fn locals(pair: &Pair) -> [String; 2] {
    [&pair.a, &pair.b].map(|end| {
        let child = end.children.values().next().unwrap();
        child.path.local.ip().to_string()
    })
}

#[test]
fn rfc4555_s3_5_when_a_path_is_dead_the_initiator_finds_another() {
    for (lost, expected) in [(B, [A, B2]), (A, [A2, B2])] {
        let mut pair = up(|c, b| {
            let other = if b { B2 } else { A2 };
            c.peers[0].v2.additional_addresses = vec![ip(if b { B } else { A }), ip(other)];
        });
        pair.fate = Box::new(move |flight| {
            flight.path.local.ip() != ip(lost) && flight.path.remote.ip() != ip(lost)
        });
        pair.run_for(secs(60));
        assert!(pair.a.dead.is_empty() && pair.b.dead.is_empty(), "{lost}");
        assert_eq!(locals(&pair), expected);
        assert_eq!(remotes(&pair), [expected[1], expected[0]]);
        pair.assert_tunnel();
        assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1));
    }
}

#[test]
fn when_all_paths_are_dead_the_peer_is() {
    let mut pair = up(|c, b| {
        c.peers[0].v2.additional_addresses = vec![ip(if b { B2 } else { A2 })];
    });
    pair.fate = Box::new(|_| false);
    pair.run_for(secs(100));
    assert!(!pair.a.dead.is_empty());
    assert!(pair.a.ikes.is_empty() && pair.a.children.is_empty());
}

#[test]
fn rfc4555_s3_6_other_addresses_are_announced_within_bounds() {
    let mut pair = up(|_, _| {});
    let ike = pair.a.ikes[0];
    let many: Vec<_> = (0..17).map(|n| [198, 51, 100, n].into()).collect();
    let announce = |addresses: &[_]| Command::AnnounceAddresses {
        ike,
        addresses: addresses.to_vec(),
    };
    let refused = pair.command(false, announce(&many));
    assert!(matches!(refused, Outcome::Dropped(DropReason::Limit(_))));
    let sent: Rc<Cell<Option<Vec<u8>>>> = Rc::default();
    let seen = sent.clone();
    pair.fate = Box::new(move |flight| {
        if flight.to_b {
            seen.set(Some(flight.datagram.clone()));
        }
        true
    });
    let reader = Forge::new(&pair.a, true);
    for (addresses, kind, count) in [
        (&many[..16], NotifyType::ADDITIONAL_IP4_ADDRESS, 16),
        (&[], NotifyType::NO_ADDITIONAL_ADDRESSES, 1),
    ] {
        assert_eq!(pair.command(false, announce(addresses)), Outcome::Handled);
        pair.run_for(secs(1));
        let notifies = reader.notifies(&sent.take().unwrap()).unwrap();
        assert_eq!(notifies.iter().filter(|n| n.0 == kind).count(), count);
        assert_eq!(notifies.len(), count);
    }
    // A list of any length: the end that gets it keeps 16.
    let mut forge = Forge::new(&pair.b, false);
    let message = forge.message(ExchangeType::INFORMATIONAL_V2, 0, false, |w| {
        (0..40u8).try_for_each(|n| {
            let kind = NotifyType::ADDITIONAL_IP4_ADDRESS;
            w.notify(kind, &[203, 0, 113, n]).map(|_| ())
        })
    });
    assert_eq!(hand(&mut pair, false, &message), Outcome::Handled);
    let state = format!("{:?}", pair.a.endpoint.state());
    assert!(state.contains("203.0.113.15") && !state.contains("203.0.113.16"));
}

#[test]
fn rfc4555_s3_7_packets_follow_the_peer_when_it_has_answered_from_there() {
    for (checks, before) in [(true, A), (false, A2)] {
        let mut pair = up(|c, _| c.peers[0].v2.return_routability = checks);
        let open = Rc::new(Cell::new(false));
        let now = open.clone();
        // Requests of B do not reach A at its new address yet.
        pair.fate =
            Box::new(move |flight| now.get() || flight.to_b || flight.datagram[19] & 0x20 != 0);
        go(&mut pair, A2);
        pair.run_for(secs(1));
        assert_eq!(remotes(&pair)[1], before);
        open.set(true);
        pair.run_for(secs(20));
        assert_eq!(remotes(&pair)[1], A2);
        pair.assert_tunnel();
        assert!(pair.a.closed.is_empty() && pair.b.closed.is_empty());
    }
}

#[test]
fn rfc4555_s3_7_another_cookie_in_the_answer_ends_the_sa() {
    let mut pair = up(|_, _| {});
    let id = Rc::new(Cell::new(None));
    let asked = id.clone();
    pair.fate = Box::new(move |flight| {
        let request = flight.datagram[19] & 0x20 == 0;
        if !flight.to_b && request {
            let id = flight.datagram[20..24].try_into().unwrap();
            asked.set(Some(u32::from_be_bytes(id)));
            return false;
        }
        true
    });
    go(&mut pair, A2);
    pair.run_for(secs(1) / 2);
    let mut forge = Forge::new(&pair.a, true);
    let id = id.get().expect("a check");
    let message = forge.message(ExchangeType::INFORMATIONAL_V2, id, true, |w| {
        w.notify(NotifyType::COOKIE2, &[1; 16]).map(|_| ())
    });
    assert_eq!(hand(&mut pair, true, &message), Outcome::Handled);
    // A has not seen the request that was answered: it takes no other one, and hears of nothing.
    pair.run_for(secs(200));
    assert_eq!(pair.b.closed[0].1, CloseReason::AuthenticationFailed);
}

#[test]
fn rfc4555_s3_5_an_address_that_is_not_accepted_is_left_again() {
    let mut pair = up(|c, _| {
        c.peers[0].v2.roaming = vec![Prefix::new(ip("192.0.2.0"), 28).unwrap()];
    });
    go(&mut pair, A2);
    pair.run_for(secs(2));
    assert_eq!(
        (locals(&pair)[0].as_str(), remotes(&pair)[1].as_str()),
        (A, A)
    );
    pair.assert_tunnel();
    go(&mut pair, "192.0.2.9");
    pair.run_for(secs(2));
    assert_eq!(remotes(&pair)[1], "192.0.2.9");
}

#[test]
fn rfc4555_s3_9_without_nat_traversal_no_nat_moves_the_sa() {
    let without = |c: &mut Config, _: bool| c.peers[0].nat_traversal.enabled = false;
    let mut pair = up(without);
    go(&mut pair, A2);
    pair.run_for(secs(2));
    assert_eq!(remotes(&pair)[1], A2, "without a NAT all is well");
    let updates = Rc::new(Cell::new(0));
    let count = updates.clone();
    pair.fate = Box::new(move |flight| {
        if flight.to_b {
            if flight.path.local.ip() == ip("192.0.2.9") {
                flight.path.local.set_ip(ip("203.0.113.1"));
                count.set(count.get() + 1);
            }
        } else if flight.path.remote.ip() == ip("203.0.113.1") {
            flight.path.remote.set_ip(ip("192.0.2.9"));
        }
        true
    });
    go(&mut pair, "192.0.2.9");
    pair.run_for(secs(4));
    assert_eq!(remotes(&pair)[1], A2);
    assert_eq!(locals(&pair)[0], A2);
    assert_eq!(updates.get(), 6, "repeated by new requests");
    // A NAT in IKE_AUTH.
    let (a, mut b) = configs(|c| without(c, false));
    b.peers[0].networks = vec![Prefix::new(ip("203.0.113.0"), 24).unwrap()];
    let mut pair = Pair::new(a, b);
    pair.fate = Box::new(|flight| {
        if flight.to_b {
            flight.path.local.set_ip(ip("203.0.113.1"));
        } else {
            flight.path.remote.set_ip(ip(A));
        }
        true
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(2));
    assert_eq!(pair.a.closed[0].1, CloseReason::RefusedByPeer(41));
    assert!(pair.b.ikes.is_empty());
}

#[test]
fn after_a_move_whatever_begins_anew_begins_at_the_new_address() {
    let mut pair = up(|c, b| {
        let lifetime = secs(120);
        c.peers[0].v2.authentication_lifetime = (!b).then_some(lifetime);
        if b {
            let net = Prefix::new(ip("192.0.2.0"), 24).unwrap();
            c.peers[0].networks = vec![net];
            c.psks.insert(PskOwner::Prefix(net), b"secret"[..].into());
        }
    });
    go(&mut pair, A2);
    pair.run_for(secs(150));
    // Authenticated anew.
    assert!(pair.a.closed.iter().any(|c| c.1 == CloseReason::Replaced));
    assert_eq!(locals(&pair)[0], A2);
    assert!(
        pair.a
            .endpoint
            .ike_sas()
            .all(|sa| sa.path.local.ip() == ip(A2))
    );
    // Begun from nothing.
    let terminate = Command::Terminate {
        peer: "peer".into(),
    };
    let _ = pair.command(false, terminate);
    pair.run_for(secs(2));
    assert_eq!(pair.a.endpoint.ike_sas().count(), 0);
    let _ = pair.initiate(false);
    let first = pair.flights.last().unwrap().path.local.ip();
    assert_eq!(first, ip(A2));
}
