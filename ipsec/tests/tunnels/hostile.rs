//! What somebody on the way can do to a pair of IPsec SAs.

use ipsec::esp::OpenError;
use ipsec::{Carrier, Dropped};

use crate::kit::{A, B, Link, inner, secs};

fn up() -> Link {
    let mut link = Link::usual();
    link.initiate(A);
    link.run(secs(2));
    link
}

#[test]
fn a_replayed_packet_does_not_come_out_twice() {
    let mut link = up();
    link.push(A, &inner(A, 1, 10, false));
    link.run(secs(1));
    let (transmit, octets) = link.a.sent.last().unwrap().clone();
    for _ in 0..10 {
        link.forge(B, transmit, &octets);
    }
    assert_eq!(link.b.inside.len(), 1);
    assert_eq!(link.b.dropped.len(), 10);
    let replayed = |why: &Dropped| matches!(why, Dropped::Open(OpenError::Replayed { .. }));
    assert!(link.b.dropped.iter().all(replayed));
}

#[test]
fn no_changed_octet_passes() {
    let mut link = up();
    link.push(A, &inner(A, 1, 20, false));
    let (transmit, octets) = link.a.sent.last().unwrap().clone();
    for n in 0..octets.len() {
        for bit in 0..8 {
            let mut changed = octets.to_vec();
            changed[n] ^= 1 << bit;
            link.forge(B, transmit, &changed);
        }
    }
    assert!(link.b.inside.is_empty());
    link.run(secs(1));
    assert_eq!(link.b.inside.len(), 1);
}

#[test]
fn a_peer_cannot_move_our_path_with_an_old_or_a_forged_packet() {
    let mut link = up();
    for n in 0..2 {
        link.push(A, &inner(A, n, 10, false));
    }
    let [(transmit, old), (_, new)] = &link.a.sent[link.a.sent.len() - 2..] else {
        panic!()
    };
    let (mut elsewhere, old, new) = (*transmit, old.clone(), new.clone());
    elsewhere.path.local = "203.0.113.7:9999".parse().unwrap();
    let path = |link: &Link| link.b.tunnels.data().pairs().next().unwrap().path.remote;
    let usual = path(&link);
    let mut forged = new.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    link.forge(B, elsewhere, &forged);
    assert_eq!(path(&link), usual);
    link.forge(B, *transmit_of(&link), &new);
    // The older one arrives late and from elsewhere: it comes in and moves nothing.
    link.forge(B, elsewhere, &old);
    assert_eq!(link.b.inside.len(), 2);
    assert_eq!(path(&link), usual);
}

fn transmit_of(link: &Link) -> &ipsec::Transmit {
    &link.a.sent.last().unwrap().0
}

#[test]
fn esp_in_the_wrong_encapsulation_is_refused() {
    let mut link = up();
    link.push(A, &inner(A, 1, 10, false));
    let (mut transmit, octets) = link.a.sent.last().unwrap().clone();
    transmit.carrier = Carrier::Esp;
    link.forge(B, transmit, &octets);
    assert_eq!(link.b.dropped, [Dropped::Encapsulation]);
}

#[test]
fn a_flood_of_unknown_spis_is_not_told_on() {
    let mut link = up();
    link.push(A, &inner(A, 1, 10, false));
    let (transmit, _) = link.a.sent.last().unwrap().clone();
    let before = link.b.sent.len();
    for spi in 0x1000..0x2000u32 {
        let packet = [&spi.to_be_bytes()[..], &[0; 40]].concat();
        link.forge(B, transmit, &packet);
    }
    assert_eq!(link.b.dropped.len(), 0x1000);
    assert!(link.b.sent.len() - before <= 8);
}

#[test]
fn what_is_neither_ike_nor_esp_is_dropped_with_a_reason() {
    let mut link = up();
    let (transmit, _) = link.a.sent.last().unwrap().clone();
    for octets in [
        &[][..],
        &[0xff],
        &[1],
        &[0; 3],
        &[0; 4],
        &[0; 20],
        &[1, 2, 3, 4, 5],
    ] {
        link.forge(B, transmit, octets);
    }
    // The keepalive is no fault.
    let malformed = |why: &Dropped| matches!(why, Dropped::Malformed(_));
    assert_eq!(
        link.b.dropped.iter().filter(|why| malformed(why)).count(),
        6
    );
    assert_eq!(link.b.dropped.len(), 6);
}
