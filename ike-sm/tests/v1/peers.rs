//! Which peer of the configuration a first message of IKEv1 belongs to.
use crypto_suite::{GroupId, Secret};
use ike_sm::config::{
    Config, Identity, IkeVersion, PeerConfig, Phase1Policy, Prefix, PskOwner, RemoteIdentity,
};
use ike_sm::{DropReason, Outcome};

use crate::common::{A, B, Pair, config, ip, secs};

fn name(text: &str) -> Identity {
    Identity::Fqdn(text.into())
}

/// A copy of `peer` that may come from anywhere, under another name.
fn anywhere(peer: &PeerConfig, name: &str, remote_id: RemoteIdentity) -> PeerConfig {
    let mut peer = peer.clone();
    (peer.name, peer.remote_id) = (name.into(), remote_id);
    peer.addresses.clear();
    peer.networks = vec![Prefix::new(ip("0.0.0.0"), 0).unwrap()];
    peer
}

/// A, who is `a.lab`, and B with the peers `first` and `second` at any address.
fn pair(change: impl Fn(&mut Config, &mut PeerConfig, &mut PeerConfig)) -> Pair {
    let [mut a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    a.peers[0].local_id = Some(name("a.lab"));
    let mut first = anywhere(&b.peers[0], "first", RemoteIdentity::Any);
    let mut second = anywhere(&b.peers[0], "second", RemoteIdentity::Any);
    change(&mut b, &mut first, &mut second);
    b.peers = vec![first, second];
    Pair::new(a, b)
}

fn of(pair: &Pair) -> Vec<&str> {
    let children = pair.b.children.values();
    children.map(|child| child.peer.as_str()).collect()
}

#[test]
fn l7_an_ikev2_peer_at_the_same_address_is_not_in_the_way() {
    let mut pair = pair(|_, first, _| first.version = IkeVersion::V2);
    pair.bring_up();
    assert_eq!(of(&pair), ["second"]);
}

#[test]
fn l7_the_first_peer_that_takes_the_offer_is_meant() {
    let mut pair = pair(|_, first, _| {
        let mut policy = Phase1Policy::new(10);
        policy.group = GroupId::Ecp384;
        first.policies = vec![policy];
    });
    pair.bring_up();
    assert_eq!(of(&pair), ["second"]);
}

#[test]
fn l7_main_mode_peers_with_one_key_are_told_apart_by_message_5() {
    let mut pair = pair(|_, first, second| {
        first.remote_id = RemoteIdentity::Is(name("other.lab"));
        second.remote_id = RemoteIdentity::Is(name("a.lab"));
    });
    pair.bring_up();
    assert_eq!(of(&pair), ["second"]);
}

#[test]
fn l7_who_must_have_the_identity_goes_before_who_may_have_any() {
    let mut pair = pair(|_, _, second| second.remote_id = RemoteIdentity::Is(name("a.lab")));
    pair.bring_up();
    assert_eq!(of(&pair), ["second"]);
}

#[test]
fn l7_the_shorter_lifetime_of_the_peer_that_it_turned_out_to_be_holds() {
    let mut pair = pair(|_, first, second| {
        first.remote_id = RemoteIdentity::Is(name("other.lab"));
        second.remote_id = RemoteIdentity::Is(name("a.lab"));
        let mut policy = Phase1Policy::new(10);
        policy.lifetime.time = secs(3600);
        second.policies = vec![policy];
    });
    pair.bring_up();
    let status = pair.b.endpoint.ike_sas().next().unwrap();
    assert_eq!(status.peer, "second");
    assert_eq!(status.established.unwrap().schedule.hard, secs(3600));
}

#[test]
fn l7_another_key_than_the_one_in_use_makes_no_other_peer_of_it() {
    // RFC 2409 §5.4: the key is needed before the identity arrives. Here it was that of the first
    // peer, and A happens to know it: it still is not the second one.
    let mut pair = pair(|config, first, second| {
        first.remote_id = RemoteIdentity::Is(name("other.lab"));
        second.remote_id = RemoteIdentity::Is(name("a.lab"));
        for (who, key) in [("other.lab", &b"secret"[..]), ("a.lab", b"another secret")] {
            let owner = PskOwner::Identity(name(who));
            config.psks.insert(owner, Secret::from(key));
        }
    });
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let mut drops = pair.outcomes.iter().filter_map(|(_, o)| o.dropped());
    assert_eq!(drops.next(), Some(&DropReason::WrongIdentity));
    assert!(pair.b.ikes.is_empty() && pair.b.children.is_empty());
}

#[test]
fn l7_aggressive_mode_prefers_who_must_have_the_identity() {
    let mode = ike_sm::config::Phase1Mode::AggressiveExposingPskHash;
    let [mut a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    a.peers[0].local_id = Some(name("a.lab"));
    a.peers[0].mode = mode;
    let mut first = anywhere(&b.peers[0], "first", RemoteIdentity::Any);
    let mut second = anywhere(&b.peers[0], "second", RemoteIdentity::Is(name("a.lab")));
    let mut third = anywhere(&b.peers[0], "third", RemoteIdentity::Is(name("a.lab")));
    (first.mode, second.mode) = (mode, mode);
    third.version = IkeVersion::V2;
    b.peers = vec![third, first, second];
    let mut pair = Pair::new(a, b);
    pair.bring_up();
    assert_eq!(of(&pair), ["second"]);
}
