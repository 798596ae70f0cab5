#![allow(clippy::arithmetic_side_effects)]

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crypto_suite::{
    CipherId, DEFAULT, Digest, EcdsaCurve, EcdsaForm, HashId, IntegrityId, PrfId, ProtectionId,
    Secret, SignatureId, SigningKey, WeakAlgorithms,
};
use hex_literal::hex;
use isakmp_wire::v2::{AuthMethod, View, Writer};
use isakmp_wire::{ExchangeType, Header, Limits};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::auth::proof::HashAlgorithms;
use crate::config::PskOwner;
use crate::config::v2::{
    AuthOptions, Credential, EapMethod, LocalAuth, Ppk, RemoteAuth, SendCertificate,
};
use crate::event::{Answer, EapAnswer};
use crate::model::{EapError, ProofError, RemoteIdentity};
use crate::v2::keys::{Nonces, Spis};

const P256: SignatureId = SignatureId::Ecdsa(EcdsaCurve::P256, HashId::Sha256, EcdsaForm::Der);

/// One side: its configuration and what its embedder knows.
struct Side {
    config: Config,
    key: Box<dyn SigningKey>,
    /// Answers to questions.
    psk: Option<&'static [u8]>,
    password: Option<&'static [u8]>,
    ppk: Option<&'static [u8]>,
    /// The public key of the peer.
    trusts: Option<Vec<u8>>,
    expects_chain: bool,
    notes: Vec<What>,
    rng: ChaCha20Rng,
    guesses: Guesses,
    asked: usize,
}

fn signing_key(seed: u8) -> Box<dyn SigningKey> {
    let mut der = hex!(
        "303102010104 20 0000000000000000000000000000000000000000000000000000000000000000"
        "a00a06082a8648ce3d030107"
    );
    der[7..39].fill(seed);
    let scheme = DEFAULT.signature(P256).unwrap();
    scheme.signing_key(&der).unwrap()
}

fn side(seed: u8, local: &str, remote: &str, auth: AuthOptions) -> Side {
    let mut config = Config::default();
    let mut peer = PeerConfig::new("peer");
    peer.local_id = Some(Identity::Fqdn(local.into()));
    peer.remote_id = RemoteIdentity::Is(Identity::Fqdn(remote.into()));
    peer.auth = auth;
    config.peers.push(peer);
    Side {
        config,
        key: signing_key(seed),
        psk: None,
        password: None,
        ppk: None,
        trusts: None,
        expects_chain: true,
        notes: Vec::new(),
        rng: ChaCha20Rng::seed_from_u64(seed.into()),
        guesses: Guesses::default(),
        asked: 0,
    }
}

fn signature() -> LocalAuth {
    LocalAuth::Signature(Credential {
        chain: alloc::vec![b"end entity".to_vec(), b"intermediate".to_vec()],
        raw_key: None,
        schemes: alloc::vec![P256],
        send: SendCertificate::Always,
    })
}

fn any_signature() -> RemoteAuth {
    RemoteAuth::Signature {
        schemes: Vec::new(),
        authorities: alloc::vec![[7; 20]],
        authority_names: Vec::new(),
        raw_key: false,
    }
}

fn eap_server(method: EapMethod, eap_only: bool) -> RemoteAuth {
    RemoteAuth::Eap { method, eap_only }
}

const MSCHAPV2: EapMethod = EapMethod::MsChapV2 {
    ask_identity: true,
    retries: 1,
};

fn eap_client(eap_only: bool) -> LocalAuth {
    LocalAuth::Eap {
        user: "alice".into(),
        eap_only,
    }
}

/// The initiator's options, then the responder's.
fn pair((il, ir): (LocalAuth, RemoteAuth), (rl, rr): (LocalAuth, RemoteAuth)) -> (Side, Side) {
    let auth = |local, remote| AuthOptions {
        local,
        remote,
        ..AuthOptions::default()
    };
    let mut i = side(1, "i.lab", "r.lab", auth(il, ir));
    let mut r = side(2, "r.lab", "i.lab", auth(rl, rr));
    for side in [&mut i, &mut r] {
        side.psk = Some(b"labsecret");
        side.password = Some(b"password");
        side.ppk = Some(b"post-quantum");
    }
    i.trusts = Some(r.key.public_key().to_vec());
    r.trusts = Some(i.key.public_key().to_vec());
    (i, r)
}

fn ppk(side: &mut Side, required: bool) {
    side.config.peers[0].auth.ppk = Some(Ppk {
        id: b"ppk".to_vec(),
        required,
    });
}

fn keys() -> Keys {
    let prf = DEFAULT.prf(PrfId::HmacSha256).unwrap();
    let protection = ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha256_128);
    let nonces = Nonces {
        initiator: &[3; 32],
        responder: &[4; 32],
    };
    let spis = Spis {
        initiator: [1; 8],
        responder: [2; 8],
    };
    Keys::derive(prf, protection, &Digest::new(&[9; 32]), &nonces, spis).unwrap()
}

/// What the tests change about a run.
#[derive(Clone, Copy, Default)]
struct Run {
    use_ppk: bool,
    /// What EAP server outside says, in order.
    outside: &'static [fn() -> EapAnswer],
}

impl Side {
    fn with_env<T>(&mut self, keys: &Keys, run: Run, f: impl FnOnce(&mut Env<'_>) -> T) -> T {
        let hashes = Some(HashAlgorithms::supported(&DEFAULT, WeakAlgorithms::NONE));
        f(&mut Env {
            provider: &DEFAULT,
            config: &self.config,
            peer: &self.config.peers[0],
            local: "192.0.2.1".parse().unwrap(),
            remote: "192.0.2.2".parse().unwrap(),
            keys,
            transcript: Transcript {
                request: b"IKE_SA_INIT request",
                response: b"IKE_SA_INIT response",
                ni: &[3; 32],
                nr: &[4; 32],
            },
            hashes: NegotiatedHashes {
                ours: hashes,
                peers: hashes,
            },
            use_ppk: run.use_ppk,
            asked: Asked::default(),
            int_auth: None,
            now: core::time::Duration::ZERO,
            guesses: &mut self.guesses,
            rng: &mut self.rng,
            notes: &mut self.notes,
        })
    }

    fn reply(&mut self, question: Question, run: Run, outside: &mut usize) -> Answer {
        self.asked += 1;
        match question {
            Question::Psk { .. } => Answer::Psk(self.psk.map(Secret::from)),
            Question::Sign { scheme, octets, .. } => {
                assert_eq!(scheme, P256);
                let signature = self.key.sign(&mut self.rng, &[&octets]).unwrap();
                Answer::Signature(Some(signature))
            }
            Question::VerifyCertificate { chain, .. } => {
                if self.expects_chain {
                    assert_eq!(chain, [&b"end entity"[..], b"intermediate"]);
                }
                Answer::PublicKey(self.trusts.clone().ok_or("unknown issuer".into()))
            }
            Question::EapPassword { user, .. } => {
                assert_eq!(user, "alice");
                Answer::EapPassword(self.password.map(Into::into))
            }
            Question::Ppk { id, .. } => {
                assert_eq!(id, b"ppk");
                Answer::Ppk(self.ppk.map(Secret::from))
            }
            Question::Eap { .. } => {
                let answer = run.outside[*outside]();
                *outside += 1;
                Answer::Eap(answer)
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Carries payloads over the wire format and back.
fn transfer<T>(out: &Outgoing, f: impl FnOnce(&Received<'_>) -> T) -> T {
    let header = Header::v2(ExchangeType::IKE_AUTH, [1; 8], [2; 8]);
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header).unwrap();
    out.write(&mut writer).unwrap();
    writer.finish().unwrap();
    let limits = Limits::DEFAULT;
    let message = isakmp_wire::v2::Message::parse(&bytes, &limits).unwrap();
    let (mut certificates, mut requests, mut notifies) = (Vec::new(), Vec::new(), Vec::new());
    let mut received = Received::default();
    let (mut idi, mut idr) = (None, None);
    for payload in message.payloads() {
        match payload.view(&limits).unwrap() {
            View::IdInitiator(id) => idi = Some(id),
            View::IdResponder(id) => idr = Some(id),
            View::Authentication(auth) => received.authentication = Some(auth),
            View::Certificate(c) => certificates.push(c),
            View::CertificateRequest(r) => requests.push(r),
            View::Eap(eap) => received.eap = Some(eap),
            View::Notify(n) => notifies.push(n),
            _ => {}
        }
    }
    received.identity = idi.or(idr);
    f(&Received {
        certificates: &certificates,
        certificate_requests: &requests,
        notifies: &notifies,
        ..received
    })
}

#[derive(Debug)]
struct End {
    initiator: Result<Proven, AuthFault>,
    responder: Result<Proven, AuthFault>,
    rounds: usize,
}

impl End {
    fn proven(self) -> (Proven, Proven) {
        (self.initiator.unwrap(), self.responder.unwrap())
    }
}

/// Runs both sides against each other until one is done or fails.
fn run(i: &mut Side, r: &mut Side, run: Run) -> End {
    let keys = keys();
    let mut outside = 0;
    let mut end = End {
        initiator: Err(AuthFault::Missing("an end")),
        responder: Err(AuthFault::Missing("an end")),
        rounds: 0,
    };
    let (mut initiator, mut step) = match i.with_env(&keys, run, Initiator::start) {
        Ok(started) => started,
        Err(failure) => {
            end.initiator = Err(failure.fault);
            return end;
        }
    };
    let mut responder: Option<Responder> = None;
    loop {
        // The initiator: up to a request.
        let request = loop {
            match step {
                Step::Send(out) => break out,
                Step::Ask(question) | Step::AskAt(_, question) => {
                    let answer = i.reply(question, run, &mut outside);
                    match i.with_env(&keys, run, |env| initiator.answer(env, answer)) {
                        Ok(next) => step = next,
                        Err(failure) => {
                            end.initiator = Err(failure.fault);
                            return end;
                        }
                    }
                }
                Step::Done(_, proven) => {
                    end.initiator = Ok(proven);
                    return end;
                }
            }
        };
        end.rounds += 1;
        // The responder: up to a response.
        let mut next = transfer(&request, |received| {
            r.with_env(&keys, run, |env| match &mut responder {
                Some(responder) => responder.receive(env, received),
                None => Responder::start(env, received).map(|(started, step)| {
                    responder = Some(started);
                    step
                }),
            })
        });
        let response = loop {
            match next {
                Ok(Step::Send(out)) => break out,
                Ok(Step::Ask(question) | Step::AskAt(_, question)) => {
                    let answer = r.reply(question, run, &mut outside);
                    let responder = responder.as_mut().unwrap();
                    next = r.with_env(&keys, run, |env| responder.answer(env, answer));
                }
                Ok(Step::Done(out, proven)) => {
                    end.responder = Ok(proven);
                    break out;
                }
                Err(failure) => {
                    end.responder = Err(failure.fault);
                    let Some(eap) = failure.eap else {
                        return end;
                    };
                    break Outgoing::eap(eap);
                }
            }
        };
        let received = transfer(&response, |received| {
            i.with_env(&keys, run, |env| initiator.receive(env, received))
        });
        match received {
            Ok(next) => step = next,
            Err(failure) => {
                end.initiator = Err(failure.fault);
                return end;
            }
        }
    }
}

fn psk_pair() -> (Side, Side) {
    let psk = || (LocalAuth::Psk, RemoteAuth::Psk);
    pair(psk(), psk())
}

fn signature_pair() -> (Side, Side) {
    let both = || (signature(), any_signature());
    pair(both(), both())
}

fn eap_pair(eap_only: bool) -> (Side, Side) {
    pair(
        (eap_client(eap_only), any_signature()),
        (signature(), eap_server(MSCHAPV2, eap_only)),
    )
}

fn checks(side: &Side) -> Vec<String> {
    let auth = side.notes.iter().filter_map(|what| match what {
        What::Auth(record) => Some(alloc::format!("{record}")),
        _ => None,
    });
    auth.collect()
}

#[test]
fn rfc7296_s1_2_pre_shared_keys_from_the_table_and_asked_for() {
    let (mut i, mut r) = psk_pair();
    let owner = PskOwner::Identity(Identity::Fqdn("i.lab".into()));
    r.config.psks.insert(owner, Secret::from(&b"labsecret"[..]));
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!((i.asked, r.asked, end.rounds), (1, 0, 1));
    let (at_i, at_r) = end.proven();
    assert_eq!(at_i.identity, Identity::Fqdn("r.lab".into()));
    assert_eq!(at_r.identity, Identity::Fqdn("i.lab".into()));
}

#[test]
fn wrong_and_missing_secrets_are_refused() {
    let (mut i, mut r) = psk_pair();
    i.psk = Some(b"another");
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(
        end.responder.unwrap_err(),
        AuthFault::Proof(ProofError::Mismatch)
    );
    let (mut i, mut r) = psk_pair();
    r.psk = None;
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(end.responder.unwrap_err(), AuthFault::NoPsk);
}

#[test]
fn an_identity_that_is_not_configured_is_refused_on_both_sides() {
    let (mut i, mut r) = psk_pair();
    r.config.peers[0].remote_id = RemoteIdentity::Is(Identity::Fqdn("other.lab".into()));
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(end.responder.unwrap_err(), AuthFault::Identity);
    let (mut i, mut r) = psk_pair();
    r.config.peers[0].local_id = Some(Identity::UserFqdn("r.lab".into()));
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(end.initiator.unwrap_err(), AuthFault::Identity);
}

#[test]
fn rfc7427_signatures_in_both_directions() {
    let (mut i, mut r) = signature_pair();
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!((i.asked, r.asked, end.rounds), (2, 2, 1));
    end.proven();
    assert_eq!(
        checks(&r),
        [
            "peer's identity ID_FQDN i.lab: accepted",
            "2 certificates of the peer accepted",
            "peer authenticated by Digital Signature, ECDSA_P-256_SHA2-256",
            "we authenticate by Digital Signature, ECDSA_P-256_SHA2-256",
        ]
    );
}

#[test]
fn a_certificate_that_is_refused_or_another_ones_ends_it() {
    let (mut i, mut r) = signature_pair();
    r.trusts = None;
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(end.responder.unwrap_err(), AuthFault::Certificate);
    assert!(checks(&r)[1].ends_with("refused: unknown issuer"));
    let (mut i, mut r) = signature_pair();
    i.trusts = Some(signing_key(9).public_key().to_vec());
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(
        end.initiator.unwrap_err(),
        AuthFault::Proof(ProofError::Mismatch)
    );
}

#[test]
fn each_side_may_prove_itself_by_another_method() {
    let (mut i, mut r) = pair(
        (LocalAuth::Psk, any_signature()),
        (signature(), RemoteAuth::Psk),
    );
    run(&mut i, &mut r, Run::default()).proven();
    // What one side does not accept is not accepted, however right it is.
    let (mut i, mut r) = pair(
        (LocalAuth::Psk, RemoteAuth::Psk),
        (LocalAuth::Psk, any_signature()),
    );
    r.expects_chain = false;
    let end = run(&mut i, &mut r, Run::default());
    let refused = AuthFault::Proof(ProofError::Method(AuthMethod::SHARED_KEY));
    assert_eq!(end.responder.unwrap_err(), refused);
}

#[test]
fn rfc7296_s2_16_eap_between_a_user_and_a_gateway() {
    let (mut i, mut r) = eap_pair(false);
    let end = run(&mut i, &mut r, Run::default());
    // IDi; identity; response; acknowledgement; AUTH.
    assert_eq!(end.rounds, 5);
    let (at_i, at_r) = end.proven();
    assert_eq!(at_r.identity, Identity::User("alice".into()));
    assert_eq!(at_r.claimed, Some(Identity::Fqdn("i.lab".into())));
    assert_eq!(at_i.identity, Identity::Fqdn("r.lab".into()));
}

#[test]
fn a_wrong_eap_password_ends_both_sides() {
    let (mut i, mut r) = eap_pair(false);
    i.password = Some(b"guess");
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(
        end.initiator.unwrap_err(),
        AuthFault::Eap(EapError::Refused(691))
    );
    assert_eq!(
        end.responder.unwrap_err(),
        AuthFault::Eap(EapError::WrongPassword)
    );
}

#[test]
fn nothing_is_sent_to_a_gateway_that_has_not_proven_itself() {
    let (mut i, mut r) = eap_pair(false);
    i.trusts = None;
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(end.initiator.unwrap_err(), AuthFault::Certificate);
    assert_eq!(end.rounds, 1);
}

#[test]
fn rfc5998_eap_only_needs_both_sides() {
    let (mut i, mut r) = eap_pair(true);
    i.trusts = None;
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(end.rounds, 5);
    end.proven();
    // A gateway that would leave its AUTH out, and a client that does not let it.
    let (mut i, mut r) = eap_pair(true);
    i.config.peers[0].auth.local = eap_client(false);
    run(&mut i, &mut r, Run::default()).proven();
    // The reverse: AUTH comes all the same.
    let (mut i, mut r) = eap_pair(false);
    i.config.peers[0].auth.local = eap_client(true);
    run(&mut i, &mut r, Run::default()).proven();
}

#[test]
fn a_peer_without_auth_gets_no_eap_where_none_is_configured() {
    let (mut i, mut r) = pair(
        (eap_client(false), any_signature()),
        (signature(), any_signature()),
    );
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(end.responder.unwrap_err(), AuthFault::Missing("AUTH"));
    let (mut i, mut r) = pair(
        (LocalAuth::Psk, any_signature()),
        (signature(), eap_server(MSCHAPV2, false)),
    );
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(end.responder.unwrap_err(), AuthFault::Unexpected("AUTH"));
}

/// C7: a server that lets the client off.
#[test]
fn c7_success_of_a_server_outside_needs_a_request_and_an_msk() {
    let sides = || {
        pair(
            (eap_client(false), any_signature()),
            (signature(), eap_server(EapMethod::External, false)),
        )
    };
    fn at_once() -> EapAnswer {
        EapAnswer::Success {
            message: alloc::vec![3, 1, 0, 4].into(),
            msk: Secret::from(&[1; 64][..]),
            user: "alice".into(),
        }
    }
    fn identity() -> EapAnswer {
        EapAnswer::Request(alloc::vec![1, 1, 0, 5, 1].into())
    }
    fn without_msk() -> EapAnswer {
        EapAnswer::Success {
            message: alloc::vec![3, 1, 0, 4].into(),
            msk: Secret::from(Vec::new()),
            user: "alice".into(),
        }
    }
    fn no_success() -> EapAnswer {
        EapAnswer::Request(alloc::vec![3, 1, 0, 4].into())
    }
    let premature = AuthFault::Eap(EapError::PrematureSuccess);
    for (outside, at_responder, fault) in [
        (&[at_once as fn() -> EapAnswer][..], true, premature),
        (
            &[identity as fn() -> EapAnswer, without_msk],
            true,
            premature,
        ),
        // The MSK is there, but the client knows of no method that ended.
        (&[identity as fn() -> EapAnswer, at_once], false, premature),
        (
            &[no_success as fn() -> EapAnswer],
            true,
            AuthFault::Eap(EapError::Malformed),
        ),
    ] {
        let (mut i, mut r) = sides();
        let outside = Vec::leak(outside.to_vec());
        let end = run(
            &mut i,
            &mut r,
            Run {
                outside,
                ..Run::default()
            },
        );
        let failed = if at_responder {
            end.responder
        } else {
            end.initiator
        };
        assert_eq!(failed.unwrap_err(), fault);
    }
}

#[test]
fn rfc8784_ppk_is_used_when_both_have_it() {
    for sides in [psk_pair, signature_pair, || eap_pair(false)] {
        for required in [false, true] {
            let (mut i, mut r) = sides();
            ppk(&mut i, required);
            ppk(&mut r, required);
            let with_ppk = Run {
                use_ppk: true,
                ..Run::default()
            };
            let (at_i, at_r) = run(&mut i, &mut r, with_ppk).proven();
            assert_eq!(at_i.ppk.unwrap().expose(), b"post-quantum");
            assert_eq!(at_r.ppk.unwrap().expose(), b"post-quantum");
        }
    }
}

#[test]
fn rfc8784_table_1_of_the_responder() {
    let with_ppk = Run {
        use_ppk: true,
        ..Run::default()
    };
    for sides in [psk_pair, signature_pair, || eap_pair(false)] {
        // Known to the initiator alone: only where both leave it optional.
        for (at_initiator, at_responder, works) in [
            (false, false, true),
            (false, true, false),
            (true, false, false),
        ] {
            let (mut i, mut r) = sides();
            ppk(&mut i, at_initiator);
            ppk(&mut r, at_responder);
            r.ppk = None;
            let end = run(&mut i, &mut r, with_ppk);
            if works {
                let (at_i, at_r) = end.proven();
                assert!(at_i.ppk.is_none() && at_r.ppk.is_none());
            } else {
                assert_eq!(end.responder.unwrap_err(), AuthFault::NoPpk);
            }
        }
        // USE_PPK of one side only.
        let (mut i, mut r) = sides();
        ppk(&mut r, true);
        let end = run(&mut i, &mut r, Run::default());
        assert_eq!(end.responder.unwrap_err(), AuthFault::NoPpk);
        let (mut i, mut r) = sides();
        ppk(&mut i, true);
        let end = run(&mut i, &mut r, Run::default());
        assert_eq!(end.initiator.unwrap_err(), AuthFault::NoPpk);
        // Two different keys.
        let (mut i, mut r) = sides();
        ppk(&mut i, false);
        ppk(&mut r, false);
        r.ppk = Some(b"other");
        let end = run(&mut i, &mut r, with_ppk);
        assert_eq!(
            end.responder.unwrap_err(),
            AuthFault::Proof(ProofError::Mismatch)
        );
    }
}

#[test]
fn answers_that_fit_no_question_are_refused() {
    let (mut i, _) = psk_pair();
    let keys = keys();
    let Ok((mut initiator, Step::Ask(_))) = i.with_env(&keys, Run::default(), Initiator::start)
    else {
        panic!("no question");
    };
    let wrong = i.with_env(&keys, Run::default(), |env| {
        initiator.answer(env, Answer::Signature(None))
    });
    assert_eq!(wrong.unwrap_err().fault, AuthFault::WrongAnswer);
}

#[test]
fn a6_chains_are_bounded() {
    let (mut i, mut r) = signature_pair();
    if let LocalAuth::Signature(credential) = &mut i.config.peers[0].auth.local {
        credential.chain = alloc::vec![b"x".to_vec(); crate::config::v2::MAX_CHAIN + 1];
    }
    let end = run(&mut i, &mut r, Run::default());
    assert_eq!(end.responder.unwrap_err(), AuthFault::ChainTooLong);
}
