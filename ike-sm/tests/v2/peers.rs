//! Which peer of the configuration an initiator is.
use std::cell::RefCell;
use std::rc::Rc;

use crypto_suite::GroupId;
#[cfg(feature = "v1")]
use ike_sm::config::IkeVersion;
use ike_sm::config::v2::{IkeProposal, RemoteAuth};
use ike_sm::config::{Config, Identity, PeerConfig, Prefix, RemoteIdentity};
use ike_sm::{CloseReason, Outcome};
use isakmp_wire::Limits;
use isakmp_wire::v2::{Message, Payload, PayloadType};

use crate::common::{Pair, ip, secs};
use crate::configs;

fn name(text: &str) -> Identity {
    Identity::Fqdn(text.into())
}

/// A copy of `peer` that may come from anywhere, under another name.
fn anywhere(peer: &PeerConfig, name: &str) -> PeerConfig {
    let mut peer = peer.clone();
    (peer.name, peer.remote_id) = (name.into(), RemoteIdentity::Any);
    peer.addresses.clear();
    peer.networks = vec![Prefix::new(ip("0.0.0.0"), 0).unwrap()];
    peer
}

fn only(group: GroupId) -> Vec<IkeProposal> {
    let mut proposal = IkeProposal::aead();
    proposal.groups = vec![group];
    vec![proposal]
}

/// A, who is `a.lab`, and B with the peers `first` and `second` at any address.
fn pair(change: impl Fn(&mut Config, &mut PeerConfig, &mut PeerConfig)) -> Pair {
    let (mut a, mut b) = configs(|_| {});
    a.peers[0].local_id = Some(name("a.lab"));
    let mut first = anywhere(&b.peers[0], "first");
    let mut second = anywhere(&b.peers[0], "second");
    change(&mut a, &mut first, &mut second);
    b.peers = vec![first, second];
    Pair::new(a, b)
}

fn of(pair: &Pair) -> Vec<&str> {
    let children = pair.b.children.values();
    children.map(|child| child.peer.as_str()).collect()
}

/// A build without IKEv1 does not take a peer of it, nor a message.
#[test]
#[cfg(not(feature = "v1"))]
fn a_build_without_ikev1_says_so() {
    use ike_sm::config::IkeVersion;
    use ike_sm::{DropReason, Endpoint, Event, Outcome};
    let (mut a, b) = crate::configs(|_| {});
    let mut pair = Pair::new(crate::configs(|_| {}).0, b);
    // RFC 2408 §3.1: a header of version 1.0, main mode.
    let mut message = [0; 28];
    message[..8].fill(7);
    message[16..20].copy_from_slice(&[1, 0x10, 2, 0]);
    message[27] = 28;
    let path = ike_sm::Path::plain(
        "192.0.2.2:500".parse().unwrap(),
        "192.0.2.1:500".parse().unwrap(),
    );
    let event = Event::Datagram {
        path,
        message: &message,
    };
    let outcome = pair.feed(false, event);
    assert!(
        matches!(
            outcome,
            Outcome::Dropped(DropReason::PeerVersion(IkeVersion::V2) | DropReason::UnknownPeer)
        ),
        "{outcome:?}"
    );
    a.peers[0].version = IkeVersion::V1;
    let refused = Endpoint::new(a, &crypto_suite::DEFAULT)
        .map(drop)
        .unwrap_err();
    assert!(
        refused.to_string().contains("this build speaks no IKEv1"),
        "{refused}"
    );
}

#[test]
#[cfg(feature = "v1")]
fn l7_an_ikev1_peer_at_the_same_address_is_not_in_the_way() {
    let mut pair = pair(|_, first, _| first.version = IkeVersion::V1);
    pair.bring_up();
    assert_eq!(of(&pair), ["second"]);
}

#[test]
fn l7_the_first_peer_that_takes_the_offer_is_meant() {
    let mut pair = pair(|a, first, second| {
        a.peers[0].v2.proposals = only(GroupId::Ecp384);
        first.v2.proposals = only(GroupId::Ecp256);
        second.v2.proposals = only(GroupId::Ecp384);
    });
    pair.bring_up();
    assert_eq!(of(&pair), ["second"]);
}

#[test]
fn l7_the_identity_chooses_among_those_that_take_the_algorithms() {
    let mut pair = pair(|a, first, second| {
        // Other proposals, and the ones that were agreed on are among them.
        a.peers[0].v2.proposals = only(GroupId::Ecp384);
        second.v2.proposals = only(GroupId::Ecp384);
        second.remote_id = RemoteIdentity::Is(name("a.lab"));
        first.remote_id = RemoteIdentity::Any;
    });
    pair.bring_up();
    assert_eq!(of(&pair), ["second"]);
}

#[test]
fn l7_a_peer_that_does_not_take_the_algorithms_is_nobody() {
    let mut pair = pair(|a, first, second| {
        a.peers[0].v2.proposals = only(GroupId::Ecp384);
        first.remote_id = RemoteIdentity::Is(name("other.lab"));
        second.v2.proposals = only(GroupId::Ecp256);
        second.remote_id = RemoteIdentity::Is(name("a.lab"));
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    assert!(pair.b.children.is_empty());
    let refused = |(_, reason): &(_, CloseReason)| *reason == CloseReason::RefusedByPeer(24);
    assert!(pair.a.closed.iter().any(refused), "{:?}", pair.a.closed);
}

#[test]
fn l7_the_way_of_authentication_tells_peers_of_one_identity_apart() {
    let mut pair = pair(|_, first, _| {
        first.auth.remote = RemoteAuth::Signature {
            schemes: Vec::new(),
            authorities: vec![[7; 20]],
            authority_names: Vec::new(),
            raw_key: false,
        };
    });
    pair.bring_up();
    assert_eq!(of(&pair), ["second"]);
}

#[test]
fn l7_what_a_later_peer_needs_of_ike_sa_init_is_announced() {
    // The first peer knows a pre-shared key alone; the second signs. IKE_SA_INIT does not know yet
    // which of them it is: RFC 7427 needs SIGNATURE_HASH_ALGORITHMS there, and RFC 7296 §1.2 CERTREQ.
    let mut pair = pair(|_, _, second| {
        second.auth.remote = RemoteAuth::Signature {
            schemes: Vec::new(),
            authorities: vec![[7; 20]],
            authority_names: Vec::new(),
            raw_key: false,
        };
    });
    let answers = Rc::new(RefCell::new(Vec::new()));
    let kept = answers.clone();
    pair.fate = Box::new(move |flight| {
        if !flight.to_b {
            kept.borrow_mut().push(flight.datagram.clone());
        }
        true
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let answers = answers.borrow();
    let message = Message::parse(&answers[0], &Limits::DEFAULT).unwrap();
    let payloads: Vec<_> = message.payloads().iter().collect();
    let asks = |p: &Payload<'_>| p.payload_type == PayloadType::CERTIFICATE_REQUEST;
    assert!(payloads.iter().any(asks), "{payloads:?}");
}
