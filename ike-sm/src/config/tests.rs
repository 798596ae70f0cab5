mod auth;

use std::string::ToString;
use std::vec;

use crypto_suite::{
    CipherId, DEFAULT, GroupId, HashId, IntegrityId, ProtectionId, Provider, Secret, WeakAlgorithm,
};

use super::*;
use crate::model::{ChildSuite, Selector, Selectors};

fn good() -> Config {
    let net = |a: &str| Selector::subnet(a.parse().unwrap(), 24).unwrap();
    let mut peer = PeerConfig::new("hub");
    peer.version = IkeVersion::V1;
    peer.addresses.push("192.0.2.1".parse().unwrap());
    peer.children
        .push(ChildConfig::new("net", net("10.1.0.0"), net("10.2.0.0")));
    let mut config = Config {
        peers: vec![peer],
        ..Config::default()
    };
    let everyone = Prefix::new("0.0.0.0".parse().unwrap(), 0).unwrap();
    config
        .psks
        .insert(PskOwner::Prefix(everyone), Secret::from(&b"secret"[..]));
    config
}

fn fault_after(change: impl FnOnce(&mut Config)) -> (&'static str, ConfigFault) {
    let mut config = good();
    change(&mut config);
    let error = config.validate(&DEFAULT).unwrap_err();
    (error.field, error.fault)
}

#[test]
fn the_defaults_with_a_peer_and_a_key_are_valid() {
    assert_eq!(good().validate(&DEFAULT), Ok(()));
    let mut config = good();
    config.peers[0].version = IkeVersion::default();
    assert_eq!(config.validate(&DEFAULT), Ok(()));
    assert_eq!(Config::default().validate(&DEFAULT), Ok(()));
}

#[test]
fn c21_weak_algorithms_have_to_be_permitted_by_name() {
    for (policy, weak) in [
        (
            Phase1Policy {
                encryption: CipherId::DesCbc,
                ..Phase1Policy::new(1)
            },
            WeakAlgorithm::Des,
        ),
        (
            Phase1Policy {
                hash: HashId::Md5,
                ..Phase1Policy::new(1)
            },
            WeakAlgorithm::Md5,
        ),
        (
            Phase1Policy {
                group: GroupId::Modp768,
                ..Phase1Policy::new(1)
            },
            WeakAlgorithm::Modp768,
        ),
        (
            Phase1Policy {
                group: GroupId::Modp1536,
                ..Phase1Policy::new(1)
            },
            WeakAlgorithm::Modp1536,
        ),
    ] {
        let mut config = good();
        config.policies = vec![policy];
        let error = config.validate(&DEFAULT).unwrap_err();
        assert_eq!(error.fault, ConfigFault::Weak(weak));
        assert_eq!(error.place, Place::Policy { priority: 1 });
        config.weak = config.weak.with(weak);
        assert_eq!(config.validate(&DEFAULT), Ok(()));
    }
    let esp = ProtectionId::CbcHmac(CipherId::DesCbc, IntegrityId::HmacSha1_96);
    assert_eq!(
        fault_after(|c| c.peers[0].children[0].suites = vec![ChildSuite::Esp(esp)]),
        ("suites", ConfigFault::Weak(WeakAlgorithm::Des))
    );
    assert_eq!(
        fault_after(|c| c.peers[0].children[0].pfs = Pfs::Required(GroupId::Modp1024)),
        ("pfs", ConfigFault::Weak(WeakAlgorithm::Modp1024))
    );
}

#[test]
fn an_error_names_its_place_and_field() {
    let mut config = good();
    config.peers[0].children[0].lifetime.time = core::time::Duration::ZERO;
    assert_eq!(
        config.validate(&DEFAULT).unwrap_err().to_string(),
        "peer `hub`, child `net`: lifetime.time: 0 is out of range (whole seconds, 1 to 2^32-1)"
    );
    let mut config = good();
    config.peers[0].policies = vec![Phase1Policy::new(5), Phase1Policy::new(5)];
    assert_eq!(
        config.validate(&DEFAULT).unwrap_err().to_string(),
        "peer `hub`, policy 5: priority: `5` is there twice"
    );
}

#[test]
fn each_fault_is_found() {
    type Change = fn(&mut Config);
    let cases: &[(Change, &str)] = &[
        (|c| c.peers.push(c.peers[0].clone()), "peers"),
        (|c| c.peers[0].name.clear(), "name"),
        (|c| c.peers[0].addresses.clear(), "addresses"),
        (
            |c| c.peers[0].addresses.push("192.0.2.1".parse().unwrap()),
            "addresses",
        ),
        (
            |c| c.peers[0].local_address = Some("::1".parse().unwrap()),
            "local_address",
        ),
        (|c| c.policies.clear(), "policies"),
        (
            |c| c.policies[0].authentication = Authentication::EcdsaP256,
            "policies",
        ),
        (
            |c| c.peers[0].retransmit.first = core::time::Duration::ZERO,
            "retransmit.first",
        ),
        (
            |c| c.peers[0].retransmit.longest = core::time::Duration::ZERO,
            "retransmit.longest",
        ),
        (
            |c| c.peers[0].retransmit.growth_percent = 99,
            "retransmit.growth_percent",
        ),
        (
            |c| c.peers[0].retransmit.jitter_percent = 51,
            "retransmit.jitter_percent",
        ),
        (
            |c| c.peers[0].margin.jitter_percent = 26,
            "margin.jitter_percent",
        ),
        (
            |c| c.peers[0].children[0].margin.volume_percent = 26,
            "margin.volume_percent",
        ),
        (|c| c.peers[0].children[0].suites.clear(), "suites"),
        (|c| c.peers[0].children[0].name.clear(), "name"),
        (
            |c| c.peers[0].children[0].lifetime.kilobytes = Some(0),
            "lifetime.kilobytes",
        ),
        (
            |c| c.peers[0].children[0].idle_timeout = Some(core::time::Duration::ZERO),
            "idle_timeout",
        ),
        (
            |c| {
                let child = &mut c.peers[0].children[0];
                let mut range = *child.local.first();
                range.ports = (1, 2);
                child.local = range.into();
            },
            "local",
        ),
        (
            |c| {
                let child = &mut c.peers[0].children[0];
                child.local = Selectors::new([*child.local.first(); 2]).unwrap();
            },
            "local",
        ),
        (
            |c| c.peers[0].children[0].remote = Selector::host("::1".parse().unwrap()).into(),
            "remote",
        ),
        (
            |c| c.peers[0].children[0].pfs = Pfs::Required(GroupId::X25519),
            "pfs",
        ),
        (|c| c.limits.half_open = 0, "limits.half_open"),
        (
            |c| c.limits.answer_time = core::time::Duration::ZERO,
            "limits.answer_time",
        ),
        (
            |c| {
                let host = Prefix::host("192.0.2.9".parse().unwrap());
                c.psks
                    .insert(PskOwner::Prefix(host), Secret::from(&b""[..]));
            },
            "psks",
        ),
    ];
    for (change, field) in cases {
        assert_eq!(fault_after(*change).0, *field);
    }
}

#[test]
fn what_the_provider_lacks_is_refused() {
    let config = good();
    let without_groups = Provider {
        groups: &[],
        ..DEFAULT
    };
    let error = config.validate(&without_groups).unwrap_err();
    assert_eq!(
        (error.field, error.fault),
        ("group", ConfigFault::Unavailable("MODP_2048".into()))
    );
    let without_ciphers = Provider {
        ciphers: &[],
        ..DEFAULT
    };
    assert_eq!(
        config.validate(&without_ciphers).unwrap_err().field,
        "encryption"
    );
    let without_protections = Provider {
        protections: &[],
        ..DEFAULT
    };
    assert_eq!(
        config.validate(&without_protections).unwrap_err().field,
        "suites"
    );
}

#[test]
fn the_longest_match_finds_the_peer_and_policies_come_by_priority() {
    let mut config = good();
    let mut anyone = PeerConfig::new("anyone");
    anyone.version = IkeVersion::V1;
    anyone
        .networks
        .push(Prefix::new("0.0.0.0".parse().unwrap(), 0).unwrap());
    anyone.policies = vec![Phase1Policy::new(20), Phase1Policy::new(10)];
    config.peers.insert(0, anyone);
    let found = |a: &str| config.peers_for(a.parse().unwrap(), IkeVersion::V1);
    assert_eq!(found("192.0.2.1"), [1, 0]);
    assert_eq!(found("192.0.2.2"), [0]);
    assert_eq!(found("::1"), []);
    let priorities = |p: &PeerConfig| {
        config
            .policies_for(p)
            .iter()
            .map(|p| p.priority)
            .collect::<alloc::vec::Vec<_>>()
    };
    assert_eq!(priorities(&config.peers[0]), [10, 20]);
    assert_eq!(priorities(&config.peers[1]), [10]);
}

#[test]
fn l7_peers_are_told_apart_by_version_then_by_identity() {
    let mut config = good();
    let anywhere = Prefix::new("0.0.0.0".parse().unwrap(), 0).unwrap();
    let mut add = |name: &str, version, remote_id| {
        let mut peer = PeerConfig::new(name);
        peer.networks.push(anywhere);
        (peer.version, peer.remote_id) = (version, remote_id);
        config.peers.push(peer);
    };
    let named = |name: &str| RemoteIdentity::Is(Identity::Fqdn(name.into()));
    add("old", IkeVersion::V1, RemoteIdentity::Any);
    add("new", IkeVersion::V2, RemoteIdentity::Any);
    add("a", IkeVersion::V2, named("a.lab"));
    add("b", IkeVersion::V2, named("b.lab"));
    add("address", IkeVersion::V2, RemoteIdentity::Address);
    let address = "192.0.2.7".parse().unwrap();
    let candidates = config.peers_for(address, IkeVersion::V2);
    assert_eq!(candidates, [2, 3, 4, 5]);
    assert_eq!(config.peers_for(address, IkeVersion::V1), [1]);
    let by = |identity: Identity| config.by_identity(&candidates, &identity, address);
    assert_eq!(by(Identity::Fqdn("b.lab".into())), [4]);
    assert_eq!(by(Identity::Fqdn("c.lab".into())), [2]);
    assert_eq!(by(Identity::Address(address)), [5]);
    let none = config.by_identity(&[3, 4], &Identity::Fqdn("c.lab".into()), address);
    assert_eq!(none, []);
}

#[test]
fn l7_peers_that_nothing_tells_apart_are_found() {
    let mut config = good();
    config.peers.clear();
    config.psks = PskTable::new();
    let anywhere = Prefix::new("0.0.0.0".parse().unwrap(), 0).unwrap();
    let named = |name: &str| RemoteIdentity::Is(Identity::Fqdn(name.into()));
    for (name, version, remote_id) in [
        ("v1 any", IkeVersion::V1, RemoteIdentity::Any),
        ("v2 any", IkeVersion::V2, RemoteIdentity::Any),
        ("v1 a", IkeVersion::V1, named("a.lab")),
        ("v2 a", IkeVersion::V2, named("a.lab")),
        ("v2 b", IkeVersion::V2, named("b.lab")),
        ("v2 any too", IkeVersion::V2, RemoteIdentity::Any),
        ("v1 b", IkeVersion::V1, named("b.lab")),
        ("v2 any by signature", IkeVersion::V2, RemoteIdentity::Any),
        ("v2 any elsewhere", IkeVersion::V2, RemoteIdentity::Any),
    ] {
        let mut peer = PeerConfig::new(name);
        peer.networks.push(anywhere);
        (peer.version, peer.remote_id) = (version, remote_id);
        config.peers.push(peer);
    }
    config.peers[7].auth.remote = v2::RemoteAuth::Signature {
        schemes: vec![],
        authorities: vec![],
        authority_names: vec![],
        raw_key: false,
    };
    config.peers[8].networks = vec![Prefix::new("192.0.2.0".parse().unwrap(), 24).unwrap()];
    let insert = |config: &mut Config, name: &str, key: &[u8]| {
        let owner = PskOwner::Identity(Identity::Fqdn(name.into()));
        config.psks.insert(owner, Secret::from(key));
    };
    let why = |config: &Config| {
        let all = config.alike().into_iter();
        all.map(|a| (a.first, a.second, a.why)).collect::<Vec<_>>()
    };
    let same = (1, 5, AlikeReason::Identity);
    assert_eq!(why(&config), [same]);
    // Main mode with keys of their own: only the first key is ever tried.
    insert(&mut config, "a.lab", b"one");
    insert(&mut config, "b.lab", b"other");
    let keys = |second| (0, second, AlikeReason::Key);
    assert_eq!(why(&config), [keys(2), same, keys(6)]);
    for peer in &mut config.peers {
        peer.mode = Phase1Mode::AggressiveExposingPskHash;
    }
    assert_eq!(why(&config), [same]);
}

/// X5: the spelling that a peer chooses makes no other owner of it.
#[test]
fn x5_spellings_of_a_name_are_one_identity() {
    let name = |s: &str| Identity::Fqdn(s.into());
    let mail = |s: &str| Identity::UserFqdn(s.into());
    let same = [
        (name("Gw.Example"), name("gw.EXAMPLE")),
        (mail("A@lab.example"), mail("a@LAB.example")),
    ];
    for (one, other) in same {
        let owners: std::collections::BTreeSet<_> = [one.clone(), other.clone()].into();
        let hashed: std::collections::HashSet<_> = [one.clone(), other.clone()].into();
        assert_eq!((owners.len(), hashed.len()), (1, 1));
        assert!(one == other && one.is(&other));
        // What is configured is what the peer is called.
        let mut peer = PeerConfig::new("peer");
        peer.remote_id = RemoteIdentity::Is(one.clone());
        assert_eq!(peer.known_as(other).to_string(), one.to_string());
    }
    // Accounts may differ in case alone, and a name of one kind is none of another.
    let user = |s: &str| Identity::User(s.into());
    let key = |s: &str| Identity::KeyId(s.into());
    let mut all: Vec<_> = [
        user("a"),
        user("A"),
        key("a"),
        key("A"),
        name("a"),
        mail("a"),
    ]
    .into();
    all.push(Identity::Address("192.0.2.1".parse().unwrap()));
    all.push(Identity::Address("2001:db8::1".parse().unwrap()));
    all.push(Identity::DistinguishedName(b"a".to_vec()));
    all.push(Identity::DistinguishedName(b"A".to_vec()));
    for id_type in [12, 13] {
        let data = b"a".to_vec();
        all.push(Identity::Other { id_type, data });
    }
    for (n, one) in all.iter().enumerate() {
        for (m, other) in all.iter().enumerate() {
            assert_eq!(one == other, n == m, "{one} {other}");
            assert_eq!(one.cmp(other), other.cmp(one).reverse());
        }
    }
}
