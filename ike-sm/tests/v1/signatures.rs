//! Phase 1 with signatures (RFC 2409 §5.1), question by question.

use crypto_suite::{DEFAULT, EcdsaCurve, EcdsaForm, HashId, SignatureId, SigningKey};
use hex_literal::hex;
use ike_sm::config::v2::{Credential, LocalAuth, RemoteAuth, SendCertificate};
use ike_sm::config::{Authentication, Config, Identity, Phase1Policy, PskTable, RemoteIdentity};
use ike_sm::{Answer, CloseReason, DropReason, Event, Outcome, Question};

use crate::common::{A, B, Pair, config, secs};

const P256: SignatureId = SignatureId::EcdsaDigest(EcdsaCurve::P256);

fn key(seed: u8) -> Box<dyn SigningKey> {
    let mut der = hex!(
        "303102010104 20 0000000000000000000000000000000000000000000000000000000000000000"
        "a00a06082a8648ce3d030107"
    );
    der[7..39].fill(seed);
    DEFAULT.signature(P256).unwrap().signing_key(&der).unwrap()
}

fn side(own: &str, peer: &str, change: &dyn Fn(&mut Config)) -> Config {
    let name = |address| if address == A { "a.lab" } else { "b.lab" };
    let mut config = config(own, peer, b"secret");
    config.psks = PskTable::new();
    let mut policy = Phase1Policy::new(1);
    policy.authentication = Authentication::EcdsaP256;
    config.policies = vec![policy];
    let p = &mut config.peers[0];
    p.local_id = Some(Identity::Fqdn(name(own).into()));
    p.remote_id = RemoteIdentity::Is(Identity::Fqdn(name(peer).into()));
    p.auth.local = LocalAuth::Signature(Credential {
        chain: vec![name(own).into(), b"intermediate".to_vec()],
        raw_key: None,
        schemes: vec![SignatureId::Ecdsa(
            EcdsaCurve::P256,
            HashId::Sha256,
            EcdsaForm::Der,
        )],
        send: SendCertificate::Always,
    });
    p.auth.remote = RemoteAuth::Signature {
        schemes: Vec::new(),
        authorities: Vec::new(),
        authority_names: vec![b"\x30\x00".to_vec()],
        raw_key: false,
    };
    change(&mut config);
    config
}

/// Two ends and what their embedders know.
struct World {
    pair: Pair,
    keys: [Box<dyn SigningKey>; 2],
    /// What is said of certificates.
    verdict: Result<(), String>,
    asked: Vec<(bool, &'static str)>,
    shown: [Option<Vec<Vec<u8>>>; 2],
    /// Signatures are checked where certificates are judged.
    verifies: bool,
}

fn world(change: impl Fn(&mut Config)) -> World {
    World {
        pair: Pair::new(side(A, B, &change), side(B, A, &change)),
        keys: [key(1), key(2)],
        verdict: Ok(()),
        asked: Vec::new(),
        shown: [None, None],
        verifies: false,
    }
}

impl World {
    fn answer(&mut self, b: bool, question: Question) -> Answer {
        let (own, other) = (usize::from(b), usize::from(!b));
        match question {
            Question::Sign {
                scheme,
                octets,
                peer,
            } => {
                assert_eq!((scheme, octets.len(), peer.as_str()), (P256, 32, "peer"));
                self.asked.push((b, "sign"));
                let rng = &mut self.pair.end(b).rng;
                Answer::Signature(Some(self.keys[own].sign(rng, &[&octets]).unwrap()))
            }
            Question::VerifyCertificate {
                chain,
                identity,
                signature,
                ..
            } => {
                assert_eq!(identity, Identity::Fqdn(["a.lab", "b.lab"][other].into()));
                self.asked.push((b, "verify"));
                self.shown[other] = Some(chain);
                let key = [key(1), key(2)][other].public_key().to_vec();
                let answer = self.verdict.clone().map(|()| key);
                match self.verifies {
                    true => Answer::Verified(answer.map(|key| signature.verify(&key))),
                    false => Answer::PublicKey(answer),
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn run(&mut self) {
        assert_eq!(self.pair.initiate(false), Outcome::Handled);
        for _ in 0..20 {
            self.pair.run_for(secs(1) / 10);
            for b in [false, true] {
                for (ticket, question) in core::mem::take(&mut self.pair.end(b).asked) {
                    let answer = self.answer(b, question);
                    let outcome = self.pair.feed(b, Event::Answer(ticket, answer));
                    assert_eq!(outcome, Outcome::Handled);
                }
            }
        }
    }

    /// Nothing has come up, and the responder has nothing left of it.
    fn assert_refused(&self) {
        for end in [&self.pair.a, &self.pair.b] {
            assert!(end.children.is_empty() && end.ikes.is_empty());
        }
        assert_eq!(self.pair.b.endpoint.ike_sas().count(), 0);
    }
}

#[test]
fn rfc2409_s5_1_main_mode_with_signatures() {
    let mut world = world(|_| {});
    world.run();
    world.pair.assert_tunnel();
    // Three pairs of main mode, three messages of quick mode.
    assert_eq!(world.pair.sent, 9);
    let asked = [
        (false, "sign"),
        (true, "verify"),
        (true, "sign"),
        (false, "verify"),
    ];
    assert_eq!(world.asked, asked);
    for (side, name) in ["a.lab", "b.lab"].into_iter().enumerate() {
        let chain = vec![name.into(), b"intermediate".to_vec()];
        assert_eq!(world.shown[side], Some(chain));
    }
    for end in [&world.pair.a, &world.pair.b] {
        let log = end.log.join("");
        assert!(
            log.contains("peer authenticated by a signature, ECDSA_P-256_DIGEST"),
            "{log}"
        );
        assert!(log.contains("2 certificates of the peer accepted"), "{log}");
    }
}

#[test]
fn x9_the_embedder_checks_signatures_where_it_judges_certificates() {
    let mut right = world(|_| {});
    right.verifies = true;
    right.run();
    right.pair.assert_tunnel();
    let log = right.pair.b.log.join("");
    let what = "peer authenticated by a signature, ECDSA_P-256_DIGEST";
    assert!(log.contains(what), "{log}");
    let mut forged = world(|_| {});
    (forged.verifies, forged.keys[0]) = (true, key(9));
    forged.run();
    forged.assert_refused();
    let log = forged.pair.b.log.join("");
    assert!(log.contains("the AUTH value is wrong"), "{log}");
    let mut unknown = world(|_| {});
    unknown.verifies = true;
    unknown.verdict = Err("issued by a stranger".into());
    unknown.run();
    unknown.assert_refused();
}

#[test]
fn certificates_are_sent_as_policy_and_requests_say() {
    let nothing = Some(Vec::new());
    for (send, sent) in [
        (SendCertificate::IfAsked, true),
        (SendCertificate::Never, false),
        (SendCertificate::Always, true),
    ] {
        let mut world = world(|config| {
            if let LocalAuth::Signature(own) = &mut config.peers[0].auth.local {
                own.send = send;
            }
        });
        world.run();
        world.pair.assert_tunnel();
        assert_eq!(world.shown[0] != nothing, sent, "{send:?}");
        assert_eq!(world.shown[1] != nothing, sent, "{send:?}");
    }
}

#[test]
fn a_refused_certificate_ends_it_and_the_reason_stays_here() {
    let mut world = world(|_| {});
    world.verdict = Err("issued by a stranger".into());
    world.run();
    world.assert_refused();
    let log = world.pair.b.log.join("");
    assert!(
        log.contains("2 certificates of the peer refused: issued by a stranger"),
        "{log}"
    );
}

#[test]
fn a_signature_of_another_key_ends_it() {
    for forger in [0, 1] {
        let mut world = world(|_| {});
        world.keys[forger] = key(9);
        world.run();
        assert!(world.pair.a.children.is_empty() && world.pair.b.children.is_empty());
        let victim = if forger == 0 {
            world.assert_refused();
            &world.pair.b
        } else {
            assert_eq!(world.pair.a.closed[0].1, CloseReason::AuthenticationFailed);
            &world.pair.a
        };
        let log = victim.log.join("");
        let what = "signature ECDSA_P-256_DIGEST of the peer refused: the AUTH value is wrong";
        assert!(log.contains(what), "{log}");
    }
}

#[test]
fn another_identity_is_refused_before_anything_is_asked() {
    let mut world = world(|config| {
        let other = Identity::Fqdn("c.lab".into());
        config.peers[0].remote_id = RemoteIdentity::Is(other);
    });
    world.run();
    assert_eq!(world.asked, [(false, "sign")]);
    let refused = Outcome::Dropped(DropReason::WrongIdentity);
    assert!(world.pair.outcomes.contains(&(true, refused)));
    assert!(world.pair.b.children.is_empty());
}

#[test]
fn answers_of_other_kinds_change_nothing_and_none_ends_it() {
    let mut world = world(|_| {});
    assert_eq!(world.pair.initiate(false), Outcome::Handled);
    world.pair.run_for(secs(1));
    let (ticket, question) = world.pair.a.asked.remove(0);
    for wrong in [
        Answer::Psk(None),
        Answer::PublicKey(Err(String::new())),
        Answer::Spi(None),
    ] {
        let outcome = world.pair.feed(false, Event::Answer(ticket, wrong));
        assert_eq!(outcome, Outcome::Dropped(DropReason::WrongAnswer));
    }
    let answer = world.answer(false, question);
    assert_eq!(
        world.pair.feed(false, Event::Answer(ticket, answer)),
        Outcome::Handled
    );
    world.pair.run_for(secs(1));
    // The responder gets no word on the certificate, and repetitions are absorbed meanwhile.
    assert_eq!(world.pair.b.asked.len(), 1);
    world.pair.run_for(secs(200));
    assert!(world.pair.outcomes.contains(&(true, Outcome::Repeated)));
    assert!(world.pair.a.ikes.is_empty() && world.pair.b.ikes.is_empty());
    assert!(world.pair.b.children.is_empty());
}

#[test]
fn a_signer_that_refuses_ends_it() {
    let mut world = world(|_| {});
    assert_eq!(world.pair.initiate(false), Outcome::Handled);
    world.pair.run_for(secs(1));
    let (ticket, _) = world.pair.a.asked.remove(0);
    let outcome = world
        .pair
        .feed(false, Event::Answer(ticket, Answer::Signature(None)));
    assert_eq!(outcome, Outcome::Handled);
    assert_eq!(world.pair.a.closed[0].1, CloseReason::Refused);
}

#[test]
fn rfc2409_s5_1_the_hash_of_the_curve_makes_what_is_signed() {
    // 32 octets are signed (see `answer`), though the prf is that of SHA-1 or SHA-512.
    for hash in [HashId::Sha1, HashId::Sha512] {
        let mut world = world(|config| config.policies[0].hash = hash);
        world.run();
        world.pair.assert_tunnel();
    }
}

#[test]
fn a_pre_shared_key_does_not_do_where_signatures_are_wanted() {
    let mut world = world(|_| {});
    let psk = config(A, B, b"secret");
    world.pair = Pair::new(psk, side(B, A, &|_| {}));
    world.run();
    assert_eq!(world.asked, []);
    let refused = Outcome::Dropped(DropReason::NoProposalChosen);
    assert!(world.pair.outcomes.contains(&(true, refused)));
}
