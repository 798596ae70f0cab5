//! What is sent to addresses before anybody is authenticated there, with RFC 9000 §8.1 as the model.
use std::cell::RefCell;
use std::rc::Rc;

use ike_sm::config::v2::RemoteAuth;
use ike_sm::{DropReason, Event, Outcome, Path};

use crate::auth::{eap_with, reply, run, signature, signatures};
use crate::common::{B, Flight, Pair, ip};
use crate::configs;

/// Where a datagram of A arrives from at B.
fn arrival(flight: &Flight) -> Path {
    Path {
        local: flight.path.remote,
        remote: flight.path.local,
        natt: flight.path.natt,
    }
}

/// Feeds a message to B, and its embedder's answers; the octets that go out, and where to.
fn feed(pair: &mut Pair, path: Path, message: &[u8]) -> (Outcome, usize) {
    let now = pair.now;
    let (outcome, mut out) = pair.b.feed(Event::Datagram { path, message }, now);
    while let Some((ticket, question)) = pair.b.asked.pop() {
        let answer = reply(pair, true, question, b"secret");
        out.extend(pair.b.feed(Event::Answer(ticket, answer), now).1);
    }
    assert!(out.iter().all(|(to, _)| *to == path));
    (
        outcome,
        out.iter().map(|(_, datagram)| datagram.len()).sum(),
    )
}

/// An EAP server with a long chain of certificates, and the first IKE_AUTH request on its way to it.
fn long_chain() -> (Pair, Flight) {
    let mut pair = eap_with(|_| {}, signature(2000));
    assert_eq!(pair.initiate(false), Outcome::Handled);
    for _ in 0..2 {
        let flight = pair.flights.remove(0);
        pair.deliver(flight);
    }
    while let Some((ticket, question)) = pair.a.asked.pop() {
        let answer = reply(&mut pair, false, question, b"secret");
        let _ = pair.feed(false, Event::Answer(ticket, answer));
    }
    let flight = pair.flights.remove(0);
    (pair, flight)
}

#[test]
fn x6_a_first_answer_of_more_than_three_octets_for_one_waits_for_a_cookie() {
    let mut pair = signatures(100, |c| {
        if let RemoteAuth::Signature { authorities, .. } = &mut c.peers[0].auth.remote {
            *authorities = (0..64).map(|n| [n; 20]).collect();
        }
    });
    let sizes = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&sizes);
    pair.fate = Box::new(move |flight| {
        seen.borrow_mut().push(flight.datagram.len());
        true
    });
    run(&mut pair, b"");
    pair.assert_tunnel();
    let asked = Outcome::Dropped(DropReason::CookieWanted);
    assert_eq!(pair.outcomes[0], (true, asked));
    let sizes = sizes.borrow();
    assert!(sizes[1] <= sizes[0], "the cookie");
    assert!(
        sizes[3] > 3 * sizes[0],
        "the answer to whoever brings it back"
    );
}

#[test]
fn x6_copies_of_a_first_message_get_three_octets_for_one_and_no_more() {
    let mut pair = signatures(100, |c| {
        if let RemoteAuth::Signature { authorities, .. } = &mut c.peers[0].auth.remote {
            *authorities = (0..15).map(|n| [n; 20]).collect();
        }
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    let first = pair.flights.remove(0);
    let path = arrival(&first);
    let (mut came, mut went, mut answered) = (0, 0, 0);
    for copy in 0..40 {
        let (outcome, out) = feed(&mut pair, path, &first.datagram);
        let expected = if copy == 0 {
            Outcome::Handled
        } else {
            Outcome::Repeated
        };
        assert_eq!(outcome, expected);
        (came, went) = (came + first.datagram.len(), went + out);
        assert!(went <= 3 * came);
        assert!(copy > 0 || went > came);
        answered += usize::from(out > 0);
    }
    // Once, and ten times again.
    assert_eq!(answered, 11);
}

#[test]
fn x6_copies_of_a_first_ike_auth_are_answered_where_it_came_from_and_not_without_end() {
    let (mut pair, auth) = long_chain();
    let path = arrival(&auth);
    let (outcome, answer) = feed(&mut pair, path, &auth.datagram);
    assert_eq!(outcome, Outcome::Handled);
    assert!(answer > 3 * auth.datagram.len());
    let victim = Path {
        remote: (ip("203.0.113.77"), 53).into(),
        ..path
    };
    let mut port = path;
    port.remote.set_port(53);
    for elsewhere in [victim, port] {
        for _ in 0..100 {
            let copy = feed(&mut pair, elsewhere, &auth.datagram);
            assert_eq!(copy, (Outcome::Repeated, 0));
        }
    }
    let copies = (0..100).map(|_| feed(&mut pair, path, &auth.datagram).1);
    let answered: Vec<usize> = copies.filter(|out| *out > 0).collect();
    assert_eq!(answered, [answer; 10]);
}

#[test]
fn x6_what_has_shown_nothing_gets_three_octets_for_one_of_a_new_request() {
    let (mut pair, auth) = long_chain();
    let mut path = arrival(&auth);
    path.remote.set_ip(ip("203.0.113.77"));
    let (mut came, mut went) = (0, 0);
    for _ in 0..100 {
        let (_, out) = feed(&mut pair, path, &auth.datagram);
        (came, went) = (came + auth.datagram.len(), went + out);
        assert!(went <= 3 * came, "{went} for {came}");
    }
    assert!(went > 0, "a NAT may have moved the peer");
}

#[test]
fn x6_a_peer_whose_nat_changes_its_port_is_answered_in_full() {
    let (mut pair, auth) = long_chain();
    let mut path = arrival(&auth);
    path.remote.set_port(61_000);
    let (outcome, out) = feed(&mut pair, path, &auth.datagram);
    assert_eq!(outcome, Outcome::Handled);
    assert!(out > 3 * auth.datagram.len());
}

#[test]
fn x6_after_authentication_a_copy_is_answered_elsewhere_with_three_octets_for_one() {
    // MOBIKE: a peer that has moved may ask again from where it is.
    let mut pair = signatures(100, |c| {
        c.peers[0].v2.fragment = None;
        if c.peers[0].local_address == Some(ip(B)) {
            c.peers[0].auth.local = signature(3000);
        }
    });
    let last = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&last);
    pair.fate = Box::new(move |flight| {
        if flight.to_b {
            *seen.borrow_mut() = flight.datagram.clone();
        }
        true
    });
    run(&mut pair, b"");
    pair.assert_tunnel();
    let request = last.borrow().clone();
    let home = pair.b.endpoint.ike_sas().next().unwrap().path;
    let (outcome, out) = feed(&mut pair, home, &request);
    assert_eq!(outcome, Outcome::Repeated);
    assert!(out > 3 * request.len());
    let mut path = home;
    path.remote.set_ip(ip("203.0.113.77"));
    let (_, out) = feed(&mut pair, path, &request);
    assert_eq!(out, 0);
}

#[test]
fn x6_without_mobike_a_copy_is_answered_at_the_address_of_the_peer_only() {
    let (a, b) = configs(|c| c.peers[0].v2.mobike = false);
    let mut pair = Pair::new(a, b);
    let last = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&last);
    pair.fate = Box::new(move |flight| {
        if flight.to_b {
            *seen.borrow_mut() = flight.datagram.clone();
        }
        true
    });
    pair.bring_up();
    let request = last.borrow().clone();
    let home = pair.b.endpoint.ike_sas().next().unwrap().path;
    let mut other_address = home;
    other_address.remote.set_ip(ip("203.0.113.77"));
    let mut other_port = home;
    other_port.remote.set_port(4500);
    for (from, to) in [
        (home, home),
        (other_address, home),
        (other_port, other_port),
    ] {
        let (now, message) = (pair.now, &request[..]);
        let (outcome, out) = pair.b.feed(
            Event::Datagram {
                path: from,
                message,
            },
            now,
        );
        assert_eq!(outcome, Outcome::Repeated);
        let answered: Vec<Path> = out.iter().map(|(path, _)| *path).collect();
        assert_eq!(answered, [to]);
    }
}
