//! Pairs of IPsec SAs: on demand, rekeyed, lost, started anew.

use std::time::Duration;

use ipsec::ike_sm::Mode;
use ipsec::ike_sm::config::{IkeVersion, Lifetime};
use ipsec::{Command, Config, Dropped, Sent};

use crate::kit::{A, B, Link, Side, config, inner, secs};

fn configs(change: impl Fn(&mut Config, Side)) -> Link {
    let [a, b] = [A, B].map(|side| {
        let mut config = config(side);
        change(&mut config, side);
        config
    });
    Link::new(a, b)
}

#[test]
fn the_first_packet_brings_the_tunnel_up_and_is_not_lost() {
    for version in [IkeVersion::V1, IkeVersion::V2] {
        let mut link = configs(|config, _| config.ike.peers[0].version = version);
        let first = inner(A, 1, 100, false);
        assert_eq!(link.send(A, &first), Sent::Done);
        assert_eq!(link.a.tunnels.data().held().0, 1);
        link.run(secs(2));
        assert_eq!(link.b.inside, [first], "{version}");
        assert_eq!(link.a.saw("lan is up"), 1);
        assert_eq!(link.b.saw("lan is up"), 1);
        let answer = inner(B, 2, 100, false);
        assert!(matches!(link.send(B, &answer), Sent::Send(_)));
        link.run(secs(1));
        assert_eq!(link.a.inside, [answer]);
        assert_eq!(link.a.drops().len() + link.b.drops().len(), 0);
    }
}

#[test]
fn an_answer_leaves_through_the_pair_that_the_request_came_in_on() {
    // RFC 7296 §2.8: the responder of a child may send when something has come in on it.
    let mut link = Link::usual();
    link.push(A, &inner(A, 1, 10, false));
    while link.b.inside.is_empty() {
        link.run(Duration::from_millis(1));
    }
    assert!(matches!(
        link.send(B, &inner(B, 2, 10, false)),
        Sent::Send(_)
    ));
}

#[test]
fn no_packet_is_lost_while_children_and_ike_sas_are_rekeyed() {
    for version in [IkeVersion::V1, IkeVersion::V2] {
        let mut link = configs(|config, side| {
            let peer = &mut config.ike.peers[0];
            peer.version = version;
            // A asks for short lifetimes; B would take longer ones.
            let time = secs(if side == A { 300 } else { 3000 });
            peer.children[0].lifetime = Lifetime {
                time,
                ..peer.children[0].lifetime
            };
        });
        link.initiate(A);
        link.run(secs(2));
        let mut sent = 0;
        for n in 0..2000u16 {
            for side in [A, B] {
                let sends = link.send(side, &inner(side, n, 50, false));
                assert!(
                    matches!(sends, Sent::Send(_)),
                    "{version} {side:?} {n}: {sends:?}"
                );
            }
            sent += 1;
            link.run(Duration::from_millis(500));
        }
        link.run(secs(1));
        let up = link.a.saw("lan is up");
        assert!(up >= 4, "{version}: {up} pairs in 1000 s");
        assert_eq!(
            (link.a.inside.len(), link.b.inside.len()),
            (sent, sent),
            "{version}"
        );
        assert_eq!(link.a.tunnels.data().pairs().count(), 1);
        assert_eq!(link.b.tunnels.data().pairs().count(), 1);
    }
}

#[test]
fn a_pair_of_ikev1_settles_before_it_sends() {
    let mut link = configs(|config, _| config.ike.peers[0].version = IkeVersion::V1);
    link.push(A, &inner(A, 1, 10, false));
    let quick_mode_done = |link: &Link| link.a.tunnels.data().pairs().count() == 1;
    while !quick_mode_done(&link) {
        link.run(Duration::from_millis(1));
    }
    let installed = link.now;
    while link.a.esp_sent() == 0 {
        link.run(Duration::from_millis(1));
    }
    assert_eq!(link.now - installed, Duration::from_millis(50));
}

#[test]
fn transport_mode_gives_the_packet_its_header_again() {
    for force in [true, false] {
        let mut link = configs(|config, side| {
            let peer = &mut config.ike.peers[0];
            peer.nat_traversal.force = force;
            let child = &mut peer.children[0];
            child.mode = Mode::Transport;
            child.local = ipsec::Selector::host(side.address()).into();
            child.remote = ipsec::Selector::host(side.other().address()).into();
        });
        let packet = crate::kit::between([192, 0, 2, 1], [192, 0, 2, 2], 7, 64, false);
        link.push(A, &packet);
        link.run(secs(2));
        assert_eq!(link.b.inside.len(), 1, "{force}");
        let came = &link.b.inside[0];
        // Addresses, protocol and everything behind the header are as they were.
        assert_eq!(came[12..20], packet[12..20]);
        assert_eq!(came[9], packet[9]);
        assert_eq!(came[20..], packet[20..]);
    }
}

#[test]
fn a_peer_that_has_lost_everything_is_found_again() {
    let mut link = Link::usual();
    link.push(A, &inner(A, 1, 10, false));
    link.run(secs(2));
    link.restart(B, config(B));
    // B does not know the SPI; A has to notice and to begin anew, here by dead peer detection.
    let mut heard = 0;
    for n in 0..300u16 {
        link.push(A, &inner(A, n, 10, false));
        link.run(secs(1));
        heard = link.b.inside.len();
        if heard > 0 {
            break;
        }
    }
    assert!(heard > 0, "{:?}", link.a.events);
    assert!(
        link.b
            .dropped
            .iter()
            .any(|why| matches!(why, Dropped::UnknownSpi(_)))
    );
}

#[test]
fn what_waits_has_bounds_in_number_and_time() {
    let mut link = Link::usual();
    link.loses = Box::new(|_, _, _| true);
    for n in 0..100 {
        link.push(A, &inner(A, n, 10, false));
    }
    assert_eq!(link.a.tunnels.data().held(), (64, 36));
    link.run(secs(31));
    assert_eq!(link.a.tunnels.data().held(), (0, 100));
}

#[test]
fn a_deleted_child_comes_up_again_with_the_next_packet() {
    let mut link = Link::usual();
    link.push(A, &inner(A, 1, 10, false));
    link.run(secs(2));
    let child = link.a.tunnels.data().pairs().next().unwrap().id;
    assert_eq!(
        link.command(A, Command::DeleteChild(child)),
        ipsec::Outcome::Handled
    );
    link.run(secs(2));
    assert_eq!(link.b.tunnels.data().pairs().count(), 0);
    assert_eq!(link.send(B, &inner(B, 2, 10, false)), Sent::Done);
    link.run(secs(2));
    assert_eq!(link.a.inside.len(), 1);
}
