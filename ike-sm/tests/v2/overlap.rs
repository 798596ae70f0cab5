//! Two peers at one gateway: none gets a child for packets of the other, in either version of IKE and
//! whichever end begins (RFC 4301 §4.4.3.4, RFC 3948 §5.1).
use std::collections::VecDeque;
use std::time::Duration;

use crypto_suite::Secret;
use ike_sm::config::{
    ChildConfig, Config, Identity, IkeVersion, PeerConfig, Prefix, PskOwner, RemoteIdentity,
    SelectorMatch,
};
use ike_sm::{CloseReason, Command, Event, Path, Selector, Selectors};

use crate::common::{A, B, End, config, ip, net, secs};

/// Where the second peer is.
const M: &str = "198.51.100.9";
#[cfg(feature = "v1")]
const BOTH: [IkeVersion; 2] = [IkeVersion::V1, IkeVersion::V2];
#[cfg(not(feature = "v1"))]
const BOTH: [IkeVersion; 1] = [IkeVersion::V2];

fn key(config: &mut Config) {
    let any = Prefix::new(ip("0.0.0.0"), 0).unwrap();
    let key = Secret::from(&b"one key for all"[..]);
    config.psks.insert(PskOwner::Prefix(any), key);
}

/// A gateway for anybody, whose peers have what they ask for of 10.0.0.0/8.
fn gateway(version: IkeVersion, change: impl Fn(&mut Vec<PeerConfig>)) -> End {
    let mut config = config(B, A, b"unused");
    config.psks = Default::default();
    key(&mut config);
    let peer = &mut config.peers[0];
    peer.version = version;
    peer.addresses.clear();
    peer.networks.push(Prefix::new(ip("0.0.0.0"), 0).unwrap());
    peer.remote_id = RemoteIdentity::Any;
    peer.children[0].remote = net("10.0.0.0", 8).into();
    peer.children[0].selector_match = SelectorMatch::Within;
    change(&mut config.peers);
    End::new(config, 1)
}

/// A peer at `address` that is called `name` and has `inside`.
fn peer(version: IkeVersion, address: &str, name: &str, inside: impl Into<Selectors>) -> End {
    let mut config = config(A, B, b"unused");
    config.psks = Default::default();
    key(&mut config);
    let peer = &mut config.peers[0];
    peer.version = version;
    peer.local_address = Some(ip(address));
    peer.local_id = Some(Identity::Fqdn(name.into()));
    peer.children[0].local = inside.into();
    End::new(config, u64::from(name.as_bytes()[0]))
}

/// A peer that is called by its address and has `inside`.
fn host(version: IkeVersion, address: &str, inside: impl Into<Selectors>) -> End {
    let mut config = config(A, B, b"unused");
    config.psks = Default::default();
    key(&mut config);
    let peer = &mut config.peers[0];
    peer.version = version;
    peer.local_address = Some(ip(address));
    peer.children[0].local = inside.into();
    End::new(config, u64::from(address.as_bytes()[0]))
}

/// Lets both ends talk until neither has anything to say.
fn talk(
    gateway: &mut End,
    peer: &mut End,
    to_gateway: bool,
    first: Vec<(Path, Vec<u8>)>,
    now: Duration,
) {
    let mut queue: VecDeque<(bool, Path, Vec<u8>)> =
        first.into_iter().map(|(p, d)| (to_gateway, p, d)).collect();
    for _ in 0..200 {
        let Some((to_gateway, path, datagram)) = queue.pop_front() else {
            return;
        };
        let path = Path {
            local: path.remote,
            remote: path.local,
            ..path
        };
        let message = &datagram[if path.natt { 4 } else { 0 }..];
        let end = if to_gateway {
            &mut *gateway
        } else {
            &mut *peer
        };
        let (_, out) = end.feed(Event::Datagram { path, message }, now);
        queue.extend(out.into_iter().map(|(p, d)| (!to_gateway, p, d)));
    }
    panic!("they talk for ever");
}

fn command(gateway: &mut End, peer: &mut End, command: Command, now: Duration) {
    let (_, out) = peer.feed(Event::Command(command), now);
    talk(gateway, peer, true, out, now);
}

/// A peer ends what it has.
fn leave(gateway: &mut End, peer: &mut End, now: Duration) {
    let ike = peer.ikes[0];
    command(gateway, peer, Command::DeleteIke(ike), now);
}

fn connect(gateway: &mut End, peer: &mut End, now: Duration) {
    let initiate = Command::Initiate {
        peer: "peer".into(),
        children: Vec::new(),
    };
    command(gateway, peer, initiate, now);
}

/// What a peer is told that asks for what another one has.
fn refusal(version: IkeVersion) -> CloseReason {
    // INVALID-ID-INFORMATION; TS_UNACCEPTABLE.
    CloseReason::RefusedByPeer(if version == IkeVersion::V1 { 18 } else { 38 })
}

#[test]
fn x2_a_peer_gets_no_child_for_packets_of_another() {
    for version in BOTH {
        for inside in [net("10.1.5.0", 24), net("10.1.0.0", 16), net("10.0.0.0", 8)] {
            let mut gateway = gateway(version, |_| {});
            let mut alice = peer(version, A, "alice.lab", net("10.1.0.0", 16));
            connect(&mut gateway, &mut alice, secs(1));
            assert_eq!((gateway.children.len(), alice.children.len()), (1, 1));
            let mut mallory = peer(version, M, "mallory.lab", inside);
            connect(&mut gateway, &mut mallory, secs(2));
            assert_eq!(gateway.children.len(), 1, "{version} {inside}");
            assert!(mallory.children.is_empty());
            assert_eq!(mallory.failed, [refusal(version)], "{version} {inside}");
            let log = gateway.log.join("");
            let words = "is refused, 10.1.0.0/16 is carried for alice.lab (peer peer, child net)";
            assert!(log.contains(words), "{log}");
            // What nobody has is had; what is left by the other is too.
            let mut bob = peer(version, M, "bob.lab", net("10.2.0.0", 16));
            connect(&mut gateway, &mut bob, secs(3));
            assert_eq!(gateway.children.len(), 2);
            leave(&mut gateway, &mut bob, secs(4));
            leave(&mut gateway, &mut alice, secs(4));
            assert!(gateway.children.is_empty());
            connect(&mut gateway, &mut mallory, secs(5));
            assert_eq!(
                (gateway.children.len(), mallory.children.len()),
                (1, 1),
                "{version}"
            );
        }
    }
}

#[test]
fn x2_who_holds_the_addresses_is_asked_whether_it_is_there() {
    for version in BOTH {
        let mut gateway = gateway(version, |_| {});
        let mut alice = peer(version, A, "alice.lab", net("10.1.0.0", 16));
        connect(&mut gateway, &mut alice, secs(1));
        // She goes without a word, and nobody sends her anything.
        let quiet = |gateway: &mut End, from: u64| {
            for second in from..from + 200 {
                let _ = gateway.feed(Event::Deadline, secs(second));
            }
        };
        quiet(&mut gateway, 2);
        assert_eq!(gateway.children.len(), 1, "{version}");
        let mut bob = peer(version, M, "bob.lab", net("10.1.0.0", 16));
        connect(&mut gateway, &mut bob, secs(300));
        assert_eq!(bob.failed, [refusal(version)]);
        quiet(&mut gateway, 301);
        assert!(gateway.children.is_empty(), "{version}");
        connect(&mut gateway, &mut bob, secs(600));
        assert_eq!((gateway.children.len(), bob.children.len()), (1, 1));
    }
}

#[test]
fn x2_a_peer_may_have_again_what_is_its_own() {
    for version in BOTH {
        let mut gateway = gateway(version, |_| {});
        let mut alice = peer(version, A, "alice.lab", net("10.1.0.0", 16));
        connect(&mut gateway, &mut alice, secs(1));
        let child = *alice.children.keys().next().unwrap();
        command(
            &mut gateway,
            &mut alice,
            Command::RekeyChild(child),
            secs(2),
        );
        assert_eq!(
            (gateway.children.len(), alice.children.len()),
            (2, 2),
            "{version}"
        );
        // The same peer without memory, elsewhere.
        let mut again = peer(version, M, "alice.lab", net("10.1.0.0", 16));
        connect(&mut gateway, &mut again, secs(3));
        assert_eq!(again.children.len(), 1, "{version}");
        assert!(!gateway.log.join("").contains("is refused"));
    }
}

#[test]
fn x2_the_configuration_shares_addresses_in_words() {
    for version in BOTH {
        for shared in [true, false] {
            // Of two children one alone is shared; then both.
            let mut gateway = gateway(version, |peers| {
                peers[0].children[0].shared = true;
                let mut own = ChildConfig::new("own", net("10.2.0.0", 16), net("10.1.0.0", 16));
                own.shared = shared;
                peers[0].children.insert(0, own);
            });
            let mut alice = peer(version, A, "alice.lab", net("10.1.0.0", 16));
            connect(&mut gateway, &mut alice, secs(1));
            assert_eq!(gateway.children.values().next().unwrap().name, "own");
            let mut bob = peer(version, M, "bob.lab", net("10.1.128.0", 17));
            connect(&mut gateway, &mut bob, secs(2));
            assert_eq!(bob.children.len(), usize::from(shared), "{version}");
        }
    }
}

#[test]
fn x2_what_the_configuration_nests_may_be_up_together() {
    let narrow = |peers: &mut Vec<PeerConfig>, inside: Selector| {
        let mut own = peers[0].clone();
        own.name = "branch".into();
        own.networks.clear();
        own.addresses.push(ip(M));
        own.children[0].remote = inside.into();
        peers.push(own);
    };
    // In the middle of the wide one, at its start, at its end.
    for place in ["10.1.5.0", "10.0.0.0", "10.255.255.0"] {
        for (version, (len, fits)) in [(24, true), (25, false)]
            .into_iter()
            .flat_map(|case| BOTH.map(|version| (version, case)))
        {
            for branch_first in [true, false] {
                let mut gateway = gateway(version, |peers| narrow(peers, net(place, 24)));
                let mut wide = peer(version, A, "alice.lab", net("10.0.0.0", 8));
                let mut branch = peer(version, M, "branch.lab", net(place, len));
                for turn in [branch_first, !branch_first] {
                    let one = if turn { &mut branch } else { &mut wide };
                    connect(&mut gateway, one, secs(1));
                }
                let up = if fits { 2 } else { 1 };
                let case = format!("{version} {place}/{len} {branch_first}");
                assert_eq!(gateway.children.len(), up, "{case}");
            }
        }
    }
}

/// A peer of a wide configuration chooses its selectors itself: those of a narrow one are not among them.
#[test]
fn x2_a_wide_peer_cannot_name_the_narrow_ones_addresses() {
    let narrow = |peers: &mut Vec<PeerConfig>| {
        let mut own = peers[0].clone();
        own.name = "branch".into();
        own.networks.clear();
        own.addresses.push(ip(M));
        own.children[0].remote = net("10.1.5.0", 24).into();
        peers.push(own);
    };
    let several = |first: Selector, second: Selector| Selectors::new([first, second]).unwrap();
    let other = net("10.1.9.1", 32);
    for (asked, up) in [
        (several(net("10.1.5.0", 24), other), 1),
        (several(net("10.1.5.64", 26), other), 1),
        // Whoever has more addresses than the branch there gets none of its packets.
        (several(net("10.1.4.0", 23), other), 2),
        (several(net("10.1.6.0", 24), other), 2),
    ] {
        for branch_first in [true, false] {
            let mut gateway = gateway(IkeVersion::V2, narrow);
            let mut wide = peer(IkeVersion::V2, A, "alice.lab", asked.clone());
            let mut branch = peer(IkeVersion::V2, M, "branch.lab", net("10.1.5.0", 24));
            for turn in [branch_first, !branch_first] {
                let one = if turn { &mut branch } else { &mut wide };
                connect(&mut gateway, one, secs(1));
            }
            assert_eq!(gateway.children.len(), up, "{asked} {branch_first}");
        }
    }
}

#[test]
fn x2_packets_that_no_packet_is_both_of_are_no_conflict() {
    for version in BOTH {
        // The far sides are the same, ours are not.
        let mut gateway = gateway(version, |peers| {
            let mut other = ChildConfig::new("other", net("10.3.0.0", 16), net("10.0.0.0", 8));
            other.selector_match = SelectorMatch::Within;
            peers[0].children.push(other);
        });
        let mut alice = peer(version, A, "alice.lab", net("10.1.0.0", 16));
        connect(&mut gateway, &mut alice, secs(1));
        let mut config = config(A, B, b"unused");
        config.psks = Default::default();
        key(&mut config);
        let entry = &mut config.peers[0];
        entry.version = version;
        entry.local_address = Some(ip(M));
        entry.local_id = Some(Identity::Fqdn("bob.lab".into()));
        entry.children[0].remote = net("10.3.0.0", 16).into();
        let mut bob = End::new(config, 9);
        connect(&mut gateway, &mut bob, secs(2));
        assert_eq!(
            (gateway.children.len(), bob.children.len()),
            (2, 1),
            "{version}"
        );
    }
}

#[test]
fn x2_ranges_side_by_side_in_one_prefix_are_no_conflict() {
    let range = |first, last| Selector::range(ip(first), ip(last)).unwrap();
    for version in BOTH {
        let mut gateway = gateway(version, |_| {});
        let mut alice = peer(version, A, "alice.lab", range("10.1.0.1", "10.1.0.70"));
        connect(&mut gateway, &mut alice, secs(1));
        let mut bob = peer(version, M, "bob.lab", range("10.1.0.71", "10.1.0.90"));
        connect(&mut gateway, &mut bob, secs(2));
        let up = (gateway.children.len(), bob.children.len());
        assert_eq!(up, (2, 1), "{version}");
    }
}

#[test]
fn x2_two_addresses_are_one_peer_only_where_the_configuration_names_both_and_knows_it_by_them() {
    for version in BOTH {
        for (by_address, listed) in [(true, true), (true, false), (false, true)] {
            let mut gateway = gateway(version, |peers| {
                let peer = &mut peers[0];
                if listed {
                    peer.addresses.extend([ip(A), ip(M)]);
                }
                if by_address {
                    peer.remote_id = RemoteIdentity::Address;
                }
            });
            let mut one = host(version, A, net("10.1.0.0", 16));
            connect(&mut gateway, &mut one, secs(1));
            assert_eq!(gateway.children.len(), 1);
            let mut other = host(version, M, net("10.1.0.0", 16));
            connect(&mut gateway, &mut other, secs(2));
            let same = by_address && listed;
            let up = other.children.len();
            assert_eq!(up, usize::from(same), "{version} {by_address} {listed}");
        }
    }
}

#[test]
fn x2_an_initiator_takes_no_child_for_packets_of_another_peer() {
    for version in BOTH {
        let mut gateway = gateway(version, |peers| {
            let mut alice = peers[0].clone();
            alice.networks.clear();
            alice.local_address = Some(ip(B));
            alice.children[0].remote = net("10.1.0.0", 16).into();
            let mut mallory = alice.clone();
            (alice.name, mallory.name) = ("alice".into(), "mallory".into());
            alice.addresses.push(ip(A));
            mallory.addresses.push(ip(M));
            *peers = vec![alice, mallory];
        });
        for (name, address, up) in [("alice", A, 1), ("mallory", M, 0)] {
            let mut there = peer(version, address, name, net("10.1.0.0", 16));
            let initiate = Command::Initiate {
                peer: name.into(),
                children: Vec::new(),
            };
            let (_, out) = gateway.feed(Event::Command(initiate), secs(1));
            talk(&mut gateway, &mut there, false, out, secs(1));
            let ours = gateway.children.values().filter(|c| c.peer == name);
            assert_eq!(ours.count(), up, "{version} {name}");
        }
        assert_eq!(gateway.failed, [CloseReason::Refused], "{version}");
        assert!(gateway.log.join("").contains("is carried for alice"));
    }
}
