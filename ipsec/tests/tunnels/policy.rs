//! What passes, what is protected and what is dropped (RFC 4301 §5).

use ipsec::ike_sm::config::ChildConfig;
use ipsec::{Dropped, Exception, Selector, Sent};

use crate::kit::{A, B, Link, between, config, inner, secs};

fn net(base: [u8; 4], len: u8) -> Selector {
    Selector::subnet(base.into(), len).unwrap()
}

#[test]
fn rfc4301_s5_1_what_no_policy_is_about_is_discarded() {
    let mut link = Link::usual();
    let elsewhere = between([10, 1, 0, 1], [8, 8, 8, 8], 1, 10, false);
    assert_eq!(link.send(A, &elsewhere), Sent::Dropped(Dropped::NoPolicy));
    let from_elsewhere = between([10, 9, 0, 1], [10, 2, 0, 1], 1, 10, false);
    assert_eq!(
        link.send(A, &from_elsewhere),
        Sent::Dropped(Dropped::NoPolicy)
    );
    assert!(matches!(
        link.send(A, b"no packet"),
        Sent::Dropped(Dropped::Inner(_))
    ));
}

#[test]
fn exceptions_come_before_the_children() {
    let mut a = config(A);
    a.exceptions
        .push(Exception::bypass(A.network(), net([10, 2, 7, 0], 24)));
    a.exceptions
        .push(Exception::discard(A.network(), net([10, 2, 8, 0], 24)));
    let mut link = Link::new(a, config(B));
    let to = |host| between([10, 1, 0, 1], host, 1, 10, false);
    assert_eq!(link.send(A, &to([10, 2, 7, 1])), Sent::Bypass);
    assert_eq!(
        link.send(A, &to([10, 2, 8, 1])),
        Sent::Dropped(Dropped::Discarded)
    );
    assert_eq!(link.send(A, &to([10, 2, 9, 1])), Sent::Done);
    link.run(secs(2));
    assert_eq!(link.b.inside.len(), 1);
    assert_eq!(link.send(A, &to([10, 2, 7, 1])), Sent::Bypass);
    // RFC 4301 §5.2 step 3b: what may pass as it is may come in as it is, and nothing else.
    let data = link.a.tunnels.data();
    assert!(data.admits_clear(&between([10, 2, 7, 1], [10, 1, 0, 1], 1, 10, false)));
    assert!(!data.admits_clear(&between([10, 2, 8, 1], [10, 1, 0, 1], 1, 10, false)));
    assert!(!data.admits_clear(&between([10, 2, 9, 1], [10, 1, 0, 1], 1, 10, false)));
    assert!(!data.admits_clear(&between([8, 8, 8, 8], [10, 1, 0, 1], 1, 10, false)));
}

#[test]
fn the_narrowest_child_carries_a_packet() {
    let wide = |link: &Link| {
        link.a
            .tunnels
            .data()
            .pairs()
            .map(|p| p.name)
            .collect::<Vec<_>>()
    };
    let [mut a, mut b] = [config(A), config(B)];
    let narrow = net([10, 2, 7, 0], 24);
    a.ike.peers[0]
        .children
        .push(ChildConfig::new("narrow", A.network(), narrow));
    b.ike.peers[0]
        .children
        .push(ChildConfig::new("narrow", narrow, A.network()));
    let mut link = Link::new(a, b);
    link.initiate(A);
    link.run(secs(2));
    assert_eq!(wide(&link).len(), 2);
    let name = |link: &Link, sent| {
        let Sent::Send(to) = sent else {
            panic!("{sent:?}")
        };
        let mut pairs = link.a.tunnels.data().pairs();
        pairs.find(|p| Some(p.id) == to.child).unwrap().name
    };
    let sent = link.send(A, &between([10, 1, 0, 1], [10, 2, 7, 1], 1, 10, false));
    assert_eq!(name(&link, sent), "narrow");
    let sent = link.send(A, &between([10, 1, 0, 1], [10, 2, 6, 1], 1, 10, false));
    assert_eq!(name(&link, sent), "lan");
    link.run(secs(1));
    assert_eq!(link.b.inside.len(), 2);
}

#[test]
fn a_peer_without_an_address_is_waited_for() {
    let mut b = config(B);
    let peer = &mut b.ike.peers[0];
    peer.networks
        .push(ipsec::ike_sm::config::Prefix::host(A.address()));
    peer.addresses.clear();
    let mut link = Link::new(config(A), b);
    assert_eq!(
        link.send(B, &inner(B, 1, 10, false)),
        Sent::Dropped(Dropped::Down)
    );
    link.push(A, &inner(A, 1, 10, false));
    link.run(secs(2));
    assert!(matches!(
        link.send(B, &inner(B, 1, 10, false)),
        Sent::Send(_)
    ));
}
