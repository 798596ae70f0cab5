//! Certificates, EAP, post-quantum keys and addresses inside the tunnel, between two endpoints whose
//! questions are answered.
use std::cell::Cell;
use std::rc::Rc;

use crypto_suite::{DEFAULT, EcdsaCurve, EcdsaForm, HashId, Secret, SignatureId, SigningKey};
use hex_literal::hex;
use ike_sm::config::v2::{
    Assign, Assignment, Credential, EapMethod, LocalAuth, Ppk, RemoteAuth, SendCertificate, Wanted,
};
use ike_sm::config::{Config, Identity, PskTable, RemoteIdentity};
use ike_sm::v2::eap::{Server, ServerStep};
use ike_sm::{Answer, CloseReason, EapAnswer, EapMessage, Event, Outcome, Question, Selectors};

use crate::common::{Pair, ip, net, secs};
use crate::configs;

const P256: SignatureId = SignatureId::Ecdsa(EcdsaCurve::P256, HashId::Sha256, EcdsaForm::Der);

fn key(seed: u8) -> Box<dyn SigningKey> {
    let mut der = hex!(
        "303102010104 20 0000000000000000000000000000000000000000000000000000000000000000"
        "a00a06082a8648ce3d030107"
    );
    der[7..39].fill(seed);
    DEFAULT.signature(P256).unwrap().signing_key(&der).unwrap()
}

/// A certificate chain and a raw key.
type Shown = (Vec<Vec<u8>>, Option<Vec<u8>>);

/// What both embedders know.
struct World {
    pair: Pair,
    keys: [Box<dyn SigningKey>; 2],
    certificates: [Result<(), String>; 2],
    passwords: [&'static [u8]; 2],
    ppks: [Option<&'static [u8]>; 2],
    address: Option<Assignment>,
    outside: Option<Server>,
    /// Kinds of questions asked by a and b.
    asked: Vec<(bool, &'static str)>,
    /// The chain and the raw key that each side was shown to have.
    shown: [Option<Shown>; 2],
    /// Signatures are checked where certificates are judged.
    verifies: bool,
    /// Certificates are for a key that nobody has.
    mistaken: bool,
}

fn assignment(address: &str) -> Assignment {
    Assignment {
        ipv4: Some(address.parse().unwrap()),
        dns: vec![ip("10.2.0.53")],
        domains: vec!["lab.example".into()],
        ..Assignment::default()
    }
}

fn world(change: impl Fn(&mut Config, bool)) -> World {
    let (mut a, mut b) = configs(|_| {});
    for (config, name, other) in [(&mut a, "a.lab", "b.lab"), (&mut b, "b.lab", "a.lab")] {
        let peer = &mut config.peers[0];
        peer.local_id = Some(Identity::Fqdn(name.into()));
        peer.remote_id = RemoteIdentity::Is(Identity::Fqdn(other.into()));
    }
    change(&mut a, false);
    change(&mut b, true);
    World {
        pair: Pair::new(a, b),
        keys: [key(1), key(2)],
        certificates: [Ok(()), Ok(())],
        passwords: [b"labsecret"; 2],
        ppks: [Some(b"quantum"); 2],
        address: Some(assignment("10.1.9.1")),
        outside: None,
        asked: Vec::new(),
        shown: [None, None],
        verifies: false,
        mistaken: false,
    }
}

impl World {
    /// Initiates and answers all questions for a while.
    fn run(&mut self) {
        assert_eq!(self.pair.initiate(false), Outcome::Handled);
        self.go_on();
    }

    fn go_on(&mut self) {
        for _ in 0..40 {
            self.pair.run_for(secs(1) / 10);
            for side_b in [false, true] {
                let end = if side_b {
                    &mut self.pair.b
                } else {
                    &mut self.pair.a
                };
                for (ticket, question) in core::mem::take(&mut end.asked) {
                    let answer = self.answer(side_b, question);
                    let outcome = self.pair.feed(side_b, Event::Answer(ticket, answer));
                    assert_eq!(outcome, Outcome::Handled);
                }
            }
        }
    }

    fn answer(&mut self, side_b: bool, question: Question) -> Answer {
        let (own, other) = (usize::from(side_b), usize::from(!side_b));
        let (kind, answer) = match question {
            Question::Sign { scheme, octets, .. } => {
                assert_eq!(scheme, P256);
                let end = if side_b {
                    &mut self.pair.b
                } else {
                    &mut self.pair.a
                };
                let signature = self.keys[own].sign(&mut end.rng, &[&octets]).unwrap();
                ("sign", Answer::Signature(Some(signature)))
            }
            Question::VerifyCertificate {
                chain,
                raw_key,
                identity,
                signature,
                ..
            } => {
                self.shown[other] = Some((chain, raw_key));
                assert_eq!(identity, Identity::Fqdn(["a.lab", "b.lab"][other].into()));
                let key = match self.mistaken {
                    true => key(7).public_key().to_vec(),
                    false => self.keys[other].public_key().to_vec(),
                };
                let answer = self.certificates[own].clone().map(|()| key);
                let answer = match self.verifies {
                    true => Answer::Verified(answer.map(|key| signature.verify(&key))),
                    false => Answer::PublicKey(answer),
                };
                ("verify", answer)
            }
            Question::EapPassword { user, ours, .. } => {
                assert_eq!((user.as_str(), ours), ("alice", !side_b));
                let password = self.passwords[own].into();
                ("password", Answer::EapPassword(Some(password)))
            }
            Question::Ppk { id, .. } => {
                assert_eq!(id, b"key 1");
                ("ppk", Answer::Ppk(self.ppks[own].map(Secret::from)))
            }
            Question::AssignAddress {
                request, identity, ..
            } => {
                assert_eq!((request.ipv4, request.ipv6), (Wanted::Any, Wanted::No));
                assert_eq!(identity, Identity::User("alice".into()));
                ("address", Answer::Addresses(self.address.clone()))
            }
            Question::Eap { message, .. } => ("eap", Answer::Eap(self.outside(message))),
            other => panic!("{other:?}"),
        };
        self.asked.push((side_b, kind));
        answer
    }

    /// An EAP server of the embedder's: the messages are passed through to it.
    fn outside(&mut self, message: Option<EapMessage>) -> EapAnswer {
        let rng = &mut self.pair.b.rng;
        let Some(message) = message else {
            let (server, first) = Server::start(&DEFAULT, "aaa", true, 0, rng).unwrap();
            self.outside = Some(server);
            return EapAnswer::Request(first);
        };
        let length = u16::try_from(message.len() + 4).unwrap().to_be_bytes();
        let payload = [&[0, 0], &length[..], &message].concat();
        let limits = isakmp_wire::Limits::DEFAULT;
        let kind = isakmp_wire::v2::PayloadType::EAP;
        let chain = isakmp_wire::v2::PayloadChain::parse(kind, &payload, &limits).unwrap();
        let eap = isakmp_wire::v2::Eap::parse(&chain.find(kind).unwrap()).unwrap();
        let server = self.outside.as_mut().unwrap();
        let mut step = server.handle(&eap, rng);
        if matches!(step, ServerStep::NeedPassword { .. }) {
            step = server.password(Some(&Secret::from(self.passwords[1])), rng);
        }
        match step {
            ServerStep::Request(message) => EapAnswer::Request(message),
            ServerStep::Success { message, user, msk } => EapAnswer::Success { message, msk, user },
            ServerStep::Failure { message, .. } => EapAnswer::Failure(message),
            ServerStep::NeedPassword { .. } => panic!("twice"),
        }
    }

    fn assert_refused(&self) {
        assert!(self.pair.a.children.is_empty() && self.pair.b.children.is_empty());
        assert_eq!(self.pair.a.closed.len(), 1, "{:?}", self.pair.a.closed);
        assert!(self.pair.a.ikes.is_empty() && self.pair.b.ikes.is_empty());
    }
}

fn signature(side_b: bool) -> LocalAuth {
    LocalAuth::Signature(Credential {
        chain: vec![format!("certificate {}", u8::from(side_b)).into_bytes()],
        raw_key: None,
        schemes: vec![P256],
        send: SendCertificate::Always,
    })
}

pub fn any_signature() -> RemoteAuth {
    RemoteAuth::Signature {
        schemes: Vec::new(),
        authorities: vec![[3; 20]],
        authority_names: Vec::new(),
        raw_key: false,
    }
}

fn certificates(config: &mut Config, side_b: bool) {
    config.psks = PskTable::new();
    config.peers[0].auth.local = signature(side_b);
    config.peers[0].auth.remote = any_signature();
}

fn eap(config: &mut Config, side_b: bool) {
    certificates(config, side_b);
    let auth = &mut config.peers[0].auth;
    if side_b {
        auth.remote = RemoteAuth::Eap {
            method: EapMethod::MsChapV2 {
                ask_identity: true,
                retries: 1,
            },
            eap_only: false,
        };
        // The user is not called like the device.
        config.peers[0].remote_id = RemoteIdentity::Any;
    } else {
        auth.local = LocalAuth::Eap {
            user: "alice".into(),
            eap_only: false,
        };
    }
}

#[test]
fn rfc7427_certificates_on_both_sides() {
    let mut world = world(certificates);
    world.run();
    world.pair.assert_tunnel();
    assert_eq!(world.pair.sent, 4);
    let asked = [
        (false, "sign"),
        (true, "verify"),
        (true, "sign"),
        (false, "verify"),
    ];
    assert_eq!(world.asked, asked);
    for (side, shown) in world.shown.iter().enumerate() {
        let chain = vec![format!("certificate {side}").into_bytes()];
        assert_eq!(*shown, Some((chain, None)));
    }
    let log = world.pair.b.log.join("");
    assert!(
        log.contains("peer authenticated by Digital Signature"),
        "{log}"
    );
}

#[test]
fn x9_the_embedder_checks_signatures_where_it_judges_certificates() {
    for kind in [certificates, eap] {
        let mut right = world(kind);
        right.verifies = true;
        right.run();
        right.pair.assert_tunnel();
        let log = right.pair.a.log.join("");
        assert!(
            log.contains("peer authenticated by Digital Signature"),
            "{log}"
        );
        let mut wrong = world(kind);
        (wrong.verifies, wrong.mistaken) = (true, true);
        wrong.run();
        wrong.assert_refused();
        let mut unknown = world(kind);
        unknown.verifies = true;
        unknown.certificates = [Err("issued by a stranger".into()), Err("too".into())];
        unknown.run();
        unknown.assert_refused();
    }
}

/// The credential of one side with another word on when it is sent.
fn send(config: &mut Config, when: SendCertificate) -> &mut Credential {
    match &mut config.peers[0].auth.local {
        LocalAuth::Signature(credential) => {
            credential.send = when;
            credential
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc7296_s3_7_certificates_are_sent_as_policy_and_requests_say() {
    let chain = |side: u8| Some((vec![format!("certificate {side}").into_bytes()], None));
    let nothing = Some((Vec::new(), None));
    for (when, raw_wanted, shown) in [
        (SendCertificate::Always, false, [chain(0), chain(1)]),
        (SendCertificate::IfAsked, false, [chain(0), chain(1)]),
        (
            SendCertificate::Never,
            false,
            [nothing.clone(), nothing.clone()],
        ),
        // Both ask for raw keys, and have certificates.
        (SendCertificate::Always, true, [chain(0), chain(1)]),
        (
            SendCertificate::IfAsked,
            true,
            [nothing.clone(), nothing.clone()],
        ),
    ] {
        let mut world = world(|config, side_b| {
            certificates(config, side_b);
            send(config, when);
            if let RemoteAuth::Signature { raw_key, .. } = &mut config.peers[0].auth.remote {
                *raw_key = raw_wanted;
            }
        });
        world.run();
        world.pair.assert_tunnel();
        assert_eq!(world.shown, shown, "{when:?}, {raw_wanted}");
    }
}

#[test]
fn rfc7670_raw_public_keys_are_sent_when_asked_for() {
    for when in [SendCertificate::Always, SendCertificate::IfAsked] {
        let mut world = world(|config, side_b| {
            certificates(config, side_b);
            let public = key(1 + u8::from(side_b)).public_key().to_vec();
            let credential = send(config, when);
            credential.chain.clear();
            credential.raw_key = Some(public);
            if let RemoteAuth::Signature { raw_key, .. } = &mut config.peers[0].auth.remote {
                *raw_key = true;
            }
        });
        world.run();
        world.pair.assert_tunnel();
        for (side, shown) in world.shown.iter().enumerate() {
            let public = world.keys[side].public_key().to_vec();
            assert_eq!(*shown, Some((Vec::new(), Some(public))));
        }
    }
}

#[test]
fn a_refused_certificate_is_told_as_authentication_failed_and_no_more() {
    let mut world = world(certificates);
    world.certificates = [
        Err("issued by a stranger".into()),
        Err("issued by a stranger".into()),
    ];
    world.run();
    world.assert_refused();
    assert_eq!(world.pair.a.closed[0].1, CloseReason::RefusedByPeer(24));
    let log = world.pair.b.log.join("");
    assert!(log.contains("issued by a stranger"), "{log}");
    assert!(!world.pair.a.log.join("").contains("stranger"));
}

#[test]
fn a_forged_signature_of_the_responder_ends_it_on_both_sides() {
    let mut world = world(certificates);
    // The responder signs with a key that is not the one that its certificate holds.
    world.keys[1] = key(9);
    let mut first = true;
    assert_eq!(world.pair.initiate(false), Outcome::Handled);
    for _ in 0..20 {
        world.pair.run_for(secs(1) / 10);
        for side_b in [false, true] {
            let end = if side_b {
                &mut world.pair.b
            } else {
                &mut world.pair.a
            };
            for (ticket, question) in core::mem::take(&mut end.asked) {
                if !side_b && matches!(question, Question::VerifyCertificate { .. }) {
                    assert!(core::mem::take(&mut first));
                    world.keys[1] = key(2);
                }
                let answer = world.answer(side_b, question);
                let _ = world.pair.feed(side_b, Event::Answer(ticket, answer));
            }
        }
    }
    assert!(world.pair.a.children.is_empty() && world.pair.b.children.is_empty());
    assert_eq!(world.pair.a.closed[0].1, CloseReason::AuthenticationFailed);
    assert_eq!(world.pair.b.endpoint.ike_sas().count(), 0);
}

#[test]
fn a_wrong_password_ends_it_with_eap_failure() {
    let mut world = world(eap);
    world.passwords[0] = b"guess";
    world.run();
    world.assert_refused();
    assert_eq!(world.pair.a.closed[0].1, CloseReason::AuthenticationFailed);
    let log = world.pair.a.log.join("");
    assert!(log.contains("error 691"), "{log}");
}

#[test]
fn eap_is_passed_through_to_a_server_outside() {
    let mut world = world(|config, side_b| {
        eap(config, side_b);
        if side_b {
            config.peers[0].auth.remote = RemoteAuth::Eap {
                method: EapMethod::External,
                eap_only: false,
            };
        }
    });
    world.run();
    world.pair.assert_tunnel();
    assert_eq!(
        world
            .asked
            .iter()
            .filter(|(_, kind)| *kind == "eap")
            .count(),
        4
    );
}

#[test]
fn rfc5998_eap_alone_proves_both_sides() {
    let mut world = world(|config, side_b| {
        eap(config, side_b);
        let auth = &mut config.peers[0].auth;
        match (&mut auth.local, &mut auth.remote) {
            (LocalAuth::Eap { eap_only, .. }, _) | (_, RemoteAuth::Eap { eap_only, .. }) => {
                *eap_only = true;
            }
            other => panic!("{other:?}"),
        }
    });
    world.run();
    world.pair.assert_tunnel();
    assert!(world.asked.iter().all(|(_, kind)| *kind == "password"));
}

#[test]
fn rfc8784_a_ppk_changes_the_keys_of_children() {
    let with = |required: bool| {
        world(move |config, _| {
            config.peers[0].auth.ppk = Some(Ppk {
                id: b"key 1".to_vec(),
                required,
            });
        })
    };
    let mut world = with(true);
    world.run();
    world.pair.assert_tunnel();
    let same = |world: &World| {
        let a = world.pair.a.children.values().next().unwrap();
        let b = world.pair.b.children.values().next().unwrap();
        a.keys_in == b.keys_out && a.keys_out == b.keys_in
    };
    assert!(same(&world));
    assert!(
        world
            .pair
            .b
            .log
            .join("")
            .contains("post-quantum pre-shared key in use")
    );

    // Unknown to the responder: optional goes on without, mandatory does not.
    let mut optional = with(false);
    optional.ppks[1] = None;
    optional.run();
    optional.pair.assert_tunnel();
    assert!(same(&optional));
    let mut mandatory = with(true);
    mandatory.ppks[1] = None;
    mandatory.run();
    mandatory.assert_refused();
    // Two different keys do not meet.
    let mut different = with(false);
    different.ppks[1] = Some(b"other");
    different.run();
    different.assert_refused();
}

fn road_warrior(config: &mut Config, side_b: bool) {
    eap(config, side_b);
    let peer = &mut config.peers[0];
    if side_b {
        peer.addresses_inside.assign = Assign::Required;
    } else {
        peer.addresses_inside.request.ipv4 = Wanted::Any;
        peer.addresses_inside.request.split_dns = true;
        peer.children[0].local = net("0.0.0.0", 0).into();
    }
}

#[test]
fn rfc7296_s2_19_a_road_warrior_gets_an_address_and_a_tunnel_for_it() {
    let mut world = world(road_warrior);
    world.run();
    let (a, b) = (
        world.pair.a.children.values().next().unwrap(),
        world.pair.b.children.values().next().unwrap(),
    );
    let host = Selectors::from(net("10.1.9.1", 32));
    assert_eq!((&a.local, &b.remote), (&host, &host));
    let assigned = world
        .pair
        .a
        .actions
        .iter()
        .find(|a| a.contains("Assigned"))
        .unwrap();
    for part in ["10.1.9.1", "10.2.0.53", "lab.example"] {
        assert!(assigned.contains(part), "{assigned}");
    }
    assert_eq!(world.asked.last(), Some(&(true, "address")));
}

#[test]
fn rfc7296_s3_15_4_without_an_address_there_is_an_ike_sa_and_no_child() {
    let mut empty = world(road_warrior);
    empty.address = None;
    empty.run();
    assert!(empty.pair.a.children.is_empty() && empty.pair.b.children.is_empty());
    assert_eq!(empty.pair.a.failed, [CloseReason::RefusedByPeer(36)]);
    let mut required = world(|config, side_b| {
        eap(config, side_b);
        config.peers[0].addresses_inside.assign = Assign::Required;
    });
    required.run();
    assert_eq!(required.pair.a.failed, [CloseReason::RefusedByPeer(37)]);
}

/// B3: what the peer repeats while a question is open is absorbed.
#[test]
fn repeated_requests_during_eap_change_nothing() {
    let mut world = world(eap);
    assert_eq!(world.pair.initiate(false), Outcome::Handled);
    // Slow embedders: every answer takes longer than a retransmission.
    for _ in 0..14 {
        world.pair.run_for(secs(5));
        for side_b in [false, true] {
            let end = if side_b {
                &mut world.pair.b
            } else {
                &mut world.pair.a
            };
            for (ticket, question) in core::mem::take(&mut end.asked) {
                let answer = world.answer(side_b, question);
                let _ = world.pair.feed(side_b, Event::Answer(ticket, answer));
            }
        }
    }
    world.pair.run_for(secs(1));
    world.pair.assert_tunnel();
    assert!(world.pair.outcomes.contains(&(true, Outcome::Repeated)));
}

/// The initiator refuses the responder's AUTH: `lost` of its messages that say so do not arrive. With
/// it, how often it was answered in the same exchange.
fn refused_by_the_initiator(change: impl Fn(&mut Config, bool), lost: usize) -> (World, usize) {
    let mut world = world(change);
    world.certificates[0] = Err("issued by a stranger".into());
    let mut left = lost;
    let answers = Rc::new(Cell::new(0));
    let seen = Rc::clone(&answers);
    world.pair.fate = Box::new(move |flight| {
        let informational = flight.datagram[18] == 37;
        if informational && !flight.to_b {
            seen.set(seen.get() + 1);
        } else if informational && left > 0 {
            left -= 1;
            return false;
        }
        true
    });
    world.run();
    world.pair.run_for(secs(15));
    (world, answers.get())
}

#[test]
fn rfc7296_s2_21_2_both_ends_know_when_the_initiator_refuses_the_responder() {
    for change in [certificates, eap] {
        for lost in [0, 2] {
            let (world, answers) = refused_by_the_initiator(change, lost);
            let pair = &world.pair;
            assert!(answers > 0, "{lost} lost");
            assert_eq!(pair.a.closed[0].1, CloseReason::AuthenticationFailed);
            assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
            for end in [&pair.a, &pair.b] {
                // What is there is of a later attempt.
                let mut all = end.endpoint.ike_sas();
                assert!(all.all(|sa| sa.created > secs(5)), "{lost} lost");
            }
        }
    }
}
