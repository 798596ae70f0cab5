//! IKE_AUTH with signatures, EAP and post-quantum keys, in as many rounds as it takes; addresses
//! inside the tunnel; large messages in fragments (RFC 7383).
use crypto_suite::{DEFAULT, EcdsaCurve, EcdsaForm, HashId, SignatureId, SigningKey};
use hex_literal::hex;
use ike_sm::config::v2::{
    AddressRequest, Assign, Assignment, Credential, EapMethod, LocalAuth, Ppk, RedirectWhen,
    RemoteAuth, SendCertificate, Wanted,
};
use ike_sm::config::{Config, Identity, RemoteIdentity};
use ike_sm::{Answer, CloseReason, Event, Outcome, Question};

use crate::common::{Pair, ip, net, secs};
use crate::configs;

const P256: SignatureId = SignatureId::Ecdsa(EcdsaCurve::P256, HashId::Sha256, EcdsaForm::Der);

fn key(b: bool) -> Box<dyn SigningKey> {
    let mut der = hex!(
        "303102010104 20 0000000000000000000000000000000000000000000000000000000000000000"
        "a00a06082a8648ce3d030107"
    );
    der[7..39].fill(if b { 2 } else { 1 });
    DEFAULT.signature(P256).unwrap().signing_key(&der).unwrap()
}

/// What the embedder of one end answers.
pub fn reply(pair: &mut Pair, b: bool, question: Question, password: &[u8]) -> Answer {
    match question {
        Question::Sign { octets, .. } => {
            let signature = key(b).sign(&mut pair.end(b).rng, &[&octets]).unwrap();
            Answer::Signature(Some(signature))
        }
        Question::VerifyCertificate { .. } => Answer::PublicKey(Ok(key(!b).public_key().to_vec())),
        Question::EapPassword { user, ours, .. } => {
            assert_eq!((user.as_str(), ours), ("alice", !b));
            Answer::EapPassword(Some(if b { b"secret" } else { password }.into()))
        }
        Question::Ppk { .. } => Answer::Ppk(Some(b"post-quantum"[..].into())),
        Question::AssignAddress { request, .. } => {
            assert_eq!(request.ipv4, Wanted::Any);
            Answer::Addresses(Some(Assignment {
                ipv4: Some([10, 9, 0, 7].into()),
                dns: vec![ip("10.2.0.53")],
                ..Assignment::default()
            }))
        }
        other => panic!("{other:?}"),
    }
}

/// Runs until nobody asks any more.
pub fn run(pair: &mut Pair, password: &[u8]) {
    assert_eq!(pair.initiate(false), Outcome::Handled);
    for _ in 0..40 {
        pair.run_for(pair.latency + std::time::Duration::from_millis(1));
        for b in [false, true] {
            while let Some((ticket, question)) = pair.end(b).asked.pop() {
                let answer = reply(pair, b, question, password);
                let outcome = pair.feed(b, Event::Answer(ticket, answer));
                assert_eq!(outcome, Outcome::Handled);
            }
        }
    }
}

pub fn signature(len: usize) -> LocalAuth {
    let credential = Credential {
        chain: vec![vec![0x30; len], vec![0x31; len]],
        raw_key: None,
        schemes: vec![P256],
        send: SendCertificate::Always,
    };
    LocalAuth::Signature(credential)
}

fn any_signature() -> RemoteAuth {
    RemoteAuth::Signature {
        schemes: Vec::new(),
        authorities: vec![[7; 20]],
        authority_names: Vec::new(),
        raw_key: false,
    }
}

pub fn signatures(len: usize, change: impl Fn(&mut Config)) -> Pair {
    let (a, b) = configs(|c| {
        c.peers[0].auth.local = signature(len);
        c.peers[0].auth.remote = any_signature();
        change(c);
    });
    Pair::new(a, b)
}

#[test]
fn both_ends_prove_themselves_with_signatures() {
    let mut pair = signatures(100, |_| {});
    run(&mut pair, b"");
    pair.assert_tunnel();
    assert_eq!(pair.sent, 4);
}

#[test]
fn rfc7383_large_certificates_travel_in_fragments_and_survive_loss() {
    let mut pair = signatures(2000, |_| {});
    run(&mut pair, b"");
    pair.assert_tunnel();
    // Four fragments each way instead of one message.
    assert_eq!(pair.sent, 10);
    for lost in 3..=10 {
        let mut pair = signatures(2000, |_| {});
        let mut number = 0;
        pair.fate = Box::new(move |flight| {
            assert!(flight.datagram.len() <= 1232, "{}", flight.datagram.len());
            number += 1;
            number != lost
        });
        run(&mut pair, b"");
        pair.run_for(secs(10));
        if let Some((ticket, question)) = pair.b.asked.pop() {
            let answer = reply(&mut pair, true, question, b"");
            let _ = pair.feed(true, Event::Answer(ticket, answer));
        }
        for _ in 0..20 {
            for b in [false, true] {
                while let Some((ticket, question)) = pair.end(b).asked.pop() {
                    let answer = reply(&mut pair, b, question, b"");
                    let _ = pair.feed(b, Event::Answer(ticket, answer));
                }
            }
            pair.run_for(std::time::Duration::from_millis(50));
        }
        pair.assert_tunnel();
        assert_eq!((pair.a.ikes.len(), pair.b.ikes.len()), (1, 1), "{lost}");
    }
}

#[test]
fn without_fragmentation_on_one_side_nothing_is_split() {
    let (mut a, b) = configs(|c| {
        c.peers[0].auth.local = signature(2000);
        c.peers[0].auth.remote = any_signature();
    });
    a.peers[0].v2.fragment = None;
    let mut pair = Pair::new(a, b);
    run(&mut pair, b"");
    pair.assert_tunnel();
    assert_eq!(pair.sent, 4);
}

fn eap() -> Pair {
    eap_with(|_| {}, signature(100))
}

pub fn eap_with(change: impl Fn(&mut Config), server: LocalAuth) -> Pair {
    let (mut a, mut b) = configs(change);
    a.peers[0].auth.local = LocalAuth::Eap {
        user: "alice".into(),
        eap_only: false,
    };
    a.peers[0].auth.remote = any_signature();
    b.peers[0].auth.local = server;
    b.peers[0].auth.remote = RemoteAuth::Eap {
        method: EapMethod::MsChapV2 {
            ask_identity: true,
            retries: 0,
        },
        eap_only: false,
    };
    Pair::new(a, b)
}

#[test]
fn eap_mschapv2_takes_its_rounds_and_ends_in_a_tunnel() {
    let mut pair = eap();
    run(&mut pair, b"secret");
    pair.assert_tunnel();
    assert!(pair.sent >= 12, "{}", pair.sent);
}

#[test]
fn rfc5685_s6_eap_ends_in_a_redirect_and_nobody_is_sent_on_before_it_has_proved_itself() {
    for password in [&b"secret"[..], b"wrong"] {
        let mut pair = eap_with(
            |c| {
                c.peers[0].addresses.push(ip("192.0.2.3"));
                c.peers[0].v2.redirect_to = Some(ip("192.0.2.3"));
                c.peers[0].v2.redirect_when = RedirectWhen::Authenticated;
            },
            signature(100),
        );
        let elsewhere = std::rc::Rc::new(std::cell::Cell::new(0));
        let count = elsewhere.clone();
        pair.fate = Box::new(move |flight| {
            let there = flight.path.remote.ip() == ip("192.0.2.3");
            count.set(count.get() + u32::from(there));
            !there
        });
        run(&mut pair, password);
        assert_eq!(elsewhere.get() > 0, password == b"secret");
        assert_eq!(pair.b.endpoint.ike_sas().count(), 0);
        assert!(pair.b.children.is_empty() && pair.a.children.is_empty());
    }
}

#[test]
fn a_wrong_password_gives_nothing() {
    let mut pair = eap();
    run(&mut pair, b"wrong");
    pair.run_for(secs(1));
    assert!(pair.a.ikes.is_empty() && pair.b.ikes.is_empty());
    assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
    assert!(!pair.a.closed.is_empty());
}

#[test]
fn rfc8784_a_post_quantum_key_is_mixed_in_on_both_sides() {
    let (a, b) = configs(|c| {
        c.peers[0].auth.ppk = Some(Ppk {
            id: b"ppk".to_vec(),
            required: true,
        });
    });
    let mut pair = Pair::new(a, b);
    run(&mut pair, b"");
    pair.assert_tunnel();
    // One side without it.
    let (a, mut b) = configs(|c| {
        c.peers[0].auth.ppk = Some(Ppk {
            id: b"ppk".to_vec(),
            required: true,
        });
    });
    b.peers[0].auth.ppk = None;
    let mut pair = Pair::new(a, b);
    run(&mut pair, b"");
    assert!(pair.a.ikes.is_empty());
    assert_eq!(pair.a.closed[0].1, CloseReason::AuthenticationFailed);
}

#[test]
fn rfc7296_s2_19_the_initiator_gets_an_address_and_its_side_is_narrowed_to_it() {
    let (mut a, mut b) = configs(|_| {});
    a.peers[0].children[0].local = net("0.0.0.0", 0).into();
    let mut request = AddressRequest::default();
    request.ipv4 = Wanted::Any;
    a.peers[0].addresses_inside.request = request;
    b.peers[0].addresses_inside.assign = Assign::Required;
    b.peers[0].children[0].remote = net("10.9.0.0", 24).into();
    let mut pair = Pair::new(a, b);
    run(&mut pair, b"");
    let child = pair.a.children.values().next().unwrap();
    assert_eq!(child.local, net("10.9.0.7", 32).into());
    assert!(pair.a.actions.iter().any(|a| a.contains("10.9.0.7")));
    pair.assert_tunnel();
    // It stays so after a rekey.
    let child = pair.a.active[0];
    let _ = pair.command(false, ike_sm::Command::RekeyChild(child));
    pair.run_for(secs(15));
    assert_eq!(pair.a.children.len(), 1);
    pair.assert_tunnel();
}

#[test]
fn an_address_that_must_be_asked_for_and_is_not_gives_no_child() {
    let (a, mut b) = configs(|_| {});
    b.peers[0].addresses_inside.assign = Assign::Required;
    let mut pair = Pair::new(a, b);
    run(&mut pair, b"");
    assert_eq!(pair.a.failed, [CloseReason::RefusedByPeer(37)]);
    assert_eq!(pair.a.ikes.len(), 1);
}

#[test]
fn d15_an_answer_of_another_kind_changes_nothing() {
    let mut pair = signatures(100, |_| {});
    assert_eq!(pair.initiate(false), Outcome::Handled);
    pair.run_for(secs(1));
    let (ticket, question) = pair.a.asked.pop().unwrap();
    let wrong = pair.feed(false, Event::Answer(ticket, Answer::Psk(None)));
    assert!(wrong.dropped().is_some());
    let answer = reply(&mut pair, false, question, b"");
    let outcome = pair.feed(false, Event::Answer(ticket, answer));
    assert_eq!(outcome, Outcome::Handled);
}

#[test]
fn peers_behind_one_network_are_told_apart_by_their_identities() {
    let (mut a, mut b) = configs(|_| {});
    a.peers[0].local_id = Some(Identity::Fqdn("second.lab".into()));
    let mut second = b.peers[0].clone();
    second.name = "second".into();
    b.peers[0].remote_id = RemoteIdentity::Is(Identity::Fqdn("first.lab".into()));
    second.remote_id = RemoteIdentity::Is(Identity::Fqdn("second.lab".into()));
    b.peers.push(second);
    let mut pair = Pair::new(a, b);
    run(&mut pair, b"");
    pair.assert_tunnel();
    assert_eq!(pair.b.children.values().next().unwrap().peer, "second");
}
