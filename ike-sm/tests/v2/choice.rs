//! Which child of the configuration a request gets.
use crypto_suite::{AeadId, CipherId, IntegrityId, ProtectionId};
use ike_sm::config::{ChildConfig, Config, IkeVersion, SelectorMatch};
use ike_sm::{ChildSuite, CloseReason, Mode, Outcome, Selector, Selectors};

use crate::common::{A, B, Pair, config, net, secs};

const STRONG: ChildSuite = ChildSuite::Esp(ProtectionId::Aead(AeadId::Aes256Gcm16));
const USUAL: ChildSuite = ChildSuite::Esp(ProtectionId::CbcHmac(
    CipherId::Aes256Cbc,
    IntegrityId::HmacSha256_128,
));

fn child(name: &str, local: &str, remote: &str, suite: ChildSuite) -> ChildConfig {
    let side = |text: &str| -> Selector {
        let (address, len) = text.split_once('/').unwrap();
        net(address, len.parse().unwrap())
    };
    let mut child = ChildConfig::new(name, side(local), side(remote));
    child.suites = vec![suite];
    child
}

/// A asks for `asked`, B has `has`.
fn pair(version: IkeVersion, asked: ChildConfig, has: Vec<ChildConfig>) -> Pair {
    let [mut a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    let change = |c: &mut Config, children| {
        (c.peers[0].version, c.peers[0].children) = (version, children);
    };
    change(&mut a, vec![asked]);
    change(&mut b, has);
    Pair::new(a, b)
}

/// What B grants: the child's name.
fn granted(mut pair: Pair) -> Result<String, Box<Pair>> {
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(2));
    match pair.b.children.values().next() {
        Some(child) => Ok(child.name.clone()),
        None => Err(Box::new(pair)),
    }
}

fn wide(suite: ChildSuite) -> ChildConfig {
    let mut wide = child("wide", "10.2.0.0/16", "10.1.0.0/16", suite);
    wide.selector_match = SelectorMatch::Within;
    wide
}

fn middle(suite: ChildSuite) -> ChildConfig {
    let mut middle = child("middle", "10.2.0.0/24", "10.1.0.0/24", suite);
    middle.selector_match = SelectorMatch::Within;
    middle
}

fn narrow(suite: ChildSuite) -> ChildConfig {
    child("narrow", "10.2.0.1/32", "10.1.0.1/32", suite)
}

fn ask(local: &str, remote: &str, suites: &[ChildSuite]) -> ChildConfig {
    let mut ask = child("net", local, remote, USUAL);
    ask.suites = suites.to_vec();
    ask
}

#[cfg(feature = "v1")]
const BOTH: [IkeVersion; 2] = [IkeVersion::V1, IkeVersion::V2];
#[cfg(not(feature = "v1"))]
const BOTH: [IkeVersion; 1] = [IkeVersion::V2];

#[test]
fn l6_the_child_with_exactly_the_selectors_is_granted_and_not_the_first_that_has_them() {
    for version in BOTH {
        let ask = ask("10.1.0.1/32", "10.2.0.1/32", &[USUAL, STRONG]);
        let has = vec![wide(USUAL), middle(USUAL), narrow(STRONG)];
        let got = granted(pair(version, ask, has));
        assert_eq!(got.ok().as_deref(), Some("narrow"), "{version}");
    }
}

#[test]
fn l6_without_an_exact_child_the_narrowest_is_granted() {
    for version in BOTH {
        let ask = ask("10.1.0.2/32", "10.2.0.2/32", &[USUAL, STRONG]);
        let has = vec![wide(USUAL), narrow(STRONG), middle(STRONG)];
        let got = granted(pair(version, ask, has));
        assert_eq!(got.ok().as_deref(), Some("middle"), "{version}");
    }
}

#[test]
fn l6_a_child_whose_transforms_are_not_offered_leaves_it_to_the_next_best() {
    for version in BOTH {
        let ask = ask("10.1.0.1/32", "10.2.0.1/32", &[USUAL]);
        let has = vec![wide(USUAL), middle(USUAL), narrow(STRONG)];
        let got = granted(pair(version, ask, has));
        assert_eq!(got.ok().as_deref(), Some("middle"), "{version}");
    }
}

#[test]
fn l6_exact_selectors_are_not_narrowed() {
    for version in BOTH {
        // Less than configured, and more.
        for (local, remote) in [("10.1.0.1/32", "10.2.0.1/32"), ("10.0.0.0/8", "10.0.0.0/8")] {
            let mut exact = middle(USUAL);
            exact.selector_match = SelectorMatch::Exact;
            let ask = ask(local, remote, &[USUAL]);
            let Err(pair) = granted(pair(version, ask, vec![exact])) else {
                panic!("{version} {local} is granted");
            };
            let refused = |reason: &CloseReason| matches!(reason, CloseReason::RefusedByPeer(_));
            assert!(pair.a.failed.iter().any(refused), "{:?}", pair.a.failed);
            let log = pair.b.log.concat();
            let why = if version == IkeVersion::V2 || local == "10.1.0.1/32" {
                "it is configured with exact selectors"
            } else {
                "its selectors do not match"
            };
            assert!(log.contains(why), "{log}");
        }
        let mut exact = middle(USUAL);
        exact.selector_match = SelectorMatch::Exact;
        let ask = ask("10.1.0.0/24", "10.2.0.0/24", &[USUAL]);
        let got = granted(pair(version, ask, vec![wide(USUAL), exact]));
        assert_eq!(got.ok().as_deref(), Some("middle"));
    }
}

#[test]
fn l6_exact_selectors_bear_with_the_packet_that_led_to_the_request() {
    // RFC 7296 §2.9: the first selectors may be those of a packet, the network follows.
    let mut exact = middle(USUAL);
    exact.selector_match = SelectorMatch::Exact;
    let mut ask = ask("10.1.0.0/24", "10.2.0.0/24", &[USUAL]);
    ask.local = Selectors::new([net("10.1.0.1", 32), net("10.1.0.0", 24)]).unwrap();
    ask.remote = Selectors::new([net("10.2.0.1", 32), net("10.2.0.0", 24)]).unwrap();
    let got = granted(pair(IkeVersion::V2, ask, vec![exact]));
    assert_eq!(got.ok().as_deref(), Some("middle"));
}

#[test]
fn l6_of_equal_children_the_one_in_the_mode_of_the_request_is_granted() {
    let mut ask = ask("10.1.0.1/32", "10.2.0.1/32", &[USUAL]);
    ask.mode = Mode::Transport;
    let mut transport = narrow(USUAL);
    (transport.name, transport.mode) = ("transport".into(), Mode::Transport);
    let got = granted(pair(IkeVersion::V2, ask, vec![narrow(USUAL), transport]));
    assert_eq!(got.ok().as_deref(), Some("transport"));
}

#[test]
fn l6_a_refusal_names_every_child_and_why() {
    for version in BOTH {
        let ask = ask("10.1.0.1/32", "10.2.0.1/32", &[USUAL]);
        let elsewhere = child("elsewhere", "10.3.0.0/24", "10.1.0.0/24", USUAL);
        let has = vec![wide(STRONG), elsewhere, narrow(STRONG)];
        let Err(pair) = granted(pair(version, ask, has)) else {
            panic!("granted");
        };
        let log = pair.b.log.concat();
        for refusal in [
            "child wide refused: no proposal fits its transforms",
            "child elsewhere refused: its selectors do not match",
            "child narrow refused: no proposal fits its transforms",
        ] {
            assert!(log.contains(refusal), "{version} {refusal}\n{log}");
        }
    }
}

#[test]
fn l6_a_further_child_is_chosen_by_the_same_rule() {
    // The first child comes with IKE_AUTH, the second with CREATE_CHILD_SA.
    let first = ask("10.1.9.0/24", "10.2.9.0/24", &[USUAL]);
    let mut second = ask("10.1.0.1/32", "10.2.0.1/32", &[USUAL, STRONG]);
    second.name = "second".into();
    let has = vec![wide(USUAL), narrow(STRONG)];
    let [mut a, mut b] = [config(A, B, b"secret"), config(B, A, b"secret")];
    for (config, children) in [(&mut a, vec![first, second]), (&mut b, has)] {
        (config.peers[0].version, config.peers[0].children) = (IkeVersion::V2, children);
    }
    let mut pair = Pair::new(a, b);
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(2));
    let mut names: Vec<&str> = pair.b.children.values().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["narrow", "wide"]);
}
