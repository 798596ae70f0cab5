#![allow(clippy::arithmetic_side_effects)]

use crypto_suite::{DEFAULT, Secret};
use isakmp_wire::Limits;
use isakmp_wire::v2::{Eap, PayloadChain, PayloadType};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::event::EapMessage;

/// Reads an EAP message as it would come in a payload.
fn parse<T>(message: &[u8], f: impl FnOnce(&Eap<'_>) -> T) -> T {
    let length = u16::try_from(message.len() + 4).unwrap().to_be_bytes();
    let payload = [&[0, 0], &length[..], message].concat();
    let chain = PayloadChain::parse(PayloadType::EAP, &payload, &Limits::DEFAULT).unwrap();
    f(&Eap::parse(&chain.find(PayloadType::EAP).unwrap()).unwrap())
}

struct Pair {
    client: Client,
    server: Server,
    rng: ChaCha20Rng,
}

fn secret(text: &str) -> Secret {
    Secret::from(text.as_bytes())
}

/// The client's password is `client`, the server's of user `alice` is `server`.
fn pair(password: &str, retries: u8) -> (Pair, EapMessage) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let (server, first) = Server::start(&DEFAULT, "gw", true, retries, &mut rng).unwrap();
    let client = Client::new(&DEFAULT, "alice", &secret(password)).unwrap();
    let pair = Pair {
        client,
        server,
        rng,
    };
    (pair, first)
}

enum End {
    Success { client: Secret, server: Secret },
    Failure { client: EapError, server: EapError },
}

impl Pair {
    fn client(&mut self, message: &[u8]) -> Result<ClientStep, EapError> {
        parse(message, |eap| self.client.handle(eap, &mut self.rng))
    }

    fn server(&mut self, message: &[u8]) -> ServerStep {
        parse(message, |eap| self.server.handle(eap, &mut self.rng))
    }

    fn run(mut self, mut request: EapMessage, known: Option<&str>) -> End {
        loop {
            let response = match self.client(&request) {
                Ok(ClientStep::Response(response)) => response,
                step => panic!("{step:?}"),
            };
            let mut step = self.server(&response);
            if let ServerStep::NeedPassword { user } = &step {
                assert_eq!(user, "alice");
                let password = known.map(secret);
                step = self.server.password(password.as_ref(), &mut self.rng);
            }
            match step {
                ServerStep::Request(next) => request = next,
                ServerStep::NeedPassword { .. } => panic!("twice"),
                ServerStep::Success { message, user, msk } => {
                    assert_eq!(user, "alice");
                    match self.client(&message) {
                        Ok(ClientStep::Success { msk: client }) => {
                            return End::Success {
                                client,
                                server: msk,
                            };
                        }
                        step => panic!("{step:?}"),
                    }
                }
                ServerStep::Failure { message, why } => {
                    return End::Failure {
                        client: self.client(&message).unwrap_err(),
                        server: why,
                    };
                }
            }
        }
    }
}

#[test]
fn the_right_password_gives_both_sides_one_msk() {
    let (pair, first) = pair("clientPäss", 0);
    let End::Success { client, server } = pair.run(first, Some("clientPäss")) else {
        panic!("refused");
    };
    assert!(client == server && client.len() == 64);
}

#[test]
fn c23_a_wrong_password_and_an_unknown_user_look_alike() {
    for known in [Some("other"), None] {
        for retries in [0, 2] {
            let (pair, first) = pair("guess", retries);
            let End::Failure { client, server } = pair.run(first, known) else {
                panic!("let in");
            };
            assert_eq!(client, EapError::Refused(691));
            assert_eq!(server, EapError::WrongPassword);
        }
    }
}

#[test]
fn a_user_without_password_cannot_be_had_with_the_dummy() {
    let (pair, first) = pair("no such user", 0);
    assert!(matches!(pair.run(first, None), End::Failure { .. }));
}

/// C7, CVE-2021-45079.
#[test]
fn c7_premature_success_is_refused_at_every_step() {
    let success = message(Code::Success, 1, None);
    let (mut pair, first) = pair("pw", 0);
    let premature = Err(EapError::PrematureSuccess);
    assert_eq!(pair.client(&success).map(drop), premature);
    let Ok(ClientStep::Response(identity)) = pair.client(&first) else {
        panic!("no identity");
    };
    assert_eq!(pair.client(&success).map(drop), premature);
    let ServerStep::Request(challenge) = pair.server(&identity) else {
        panic!("no challenge");
    };
    pair.client(&challenge).unwrap();
    assert_eq!(pair.client(&success).map(drop), premature);
}

#[test]
fn a_server_that_does_not_know_the_password_is_refused() {
    let (mut pair, first) = pair("pw", 0);
    pair.client(&first).unwrap();
    let data = mschapv2::write::challenge(1, &[5; 16], "");
    let challenge = message(Code::Request, 1, Some((EapType::MSCHAPV2, &data)));
    pair.client(&challenge).unwrap();
    for text in [&b"S=0000000000000000000000000000000000000000"[..], b"M=OK"] {
        let length = u8::try_from(text.len() + 4).unwrap();
        let data = [&[3, 2, 0, length][..], text].concat();
        let success = message(Code::Request, 2, Some((EapType::MSCHAPV2, &data)));
        assert_eq!(pair.client(&success).map(drop), Err(EapError::WrongServer));
    }
}

#[test]
fn a13_rounds_are_bounded_on_both_sides() {
    let (mut pair, first) = pair("pw", 255);
    let notification = message(Code::Request, 9, Some((EapType::NOTIFICATION, b"hello")));
    for _ in 0..MAX_ROUNDS {
        assert!(pair.client(&notification).is_ok());
    }
    let end = pair.client(&notification).map(drop);
    assert_eq!(end, Err(EapError::TooManyRounds));

    // A client that guesses for as long as it may.
    let identifier = first[1];
    let identity = message(
        Code::Response,
        identifier,
        Some((EapType::IDENTITY, b"eve")),
    );
    let mut step = pair.server(&identity);
    let mut guesses = 0;
    let why = loop {
        match step {
            ServerStep::Request(request) => {
                let id = request[1];
                let guess = mschapv2::Challenges {
                    server: [0; 16],
                    client: [0; 16],
                    name: "eve".into(),
                };
                let data = mschapv2::write::response(id, &guess, &[0; 24]);
                step = pair.server(&message(
                    Code::Response,
                    id,
                    Some((EapType::MSCHAPV2, &data)),
                ));
            }
            ServerStep::NeedPassword { .. } => {
                guesses += 1;
                step = pair.server.password(None, &mut pair.rng);
            }
            ServerStep::Failure { why, .. } => break why,
            ServerStep::Success { .. } => panic!("let in"),
        }
    };
    assert_eq!(why, EapError::TooManyRounds);
    assert!(guesses < MAX_ROUNDS);
}

#[test]
fn messages_out_of_place_end_the_authentication() {
    let (mut pair, first) = pair("pw", 0);
    let id = first[1];
    for (wrong, why) in [
        (message(Code::Success, id, None), EapError::Unexpected),
        (
            message(
                Code::Response,
                id.wrapping_add(1),
                Some((EapType::IDENTITY, b"a")),
            ),
            EapError::Unexpected,
        ),
        (
            message(Code::Response, id, Some((EapType::NAK, &[13]))),
            EapError::Nak(EapType(13)),
        ),
        (
            message(Code::Response, id, Some((EapType::MSCHAPV2, &[3]))),
            EapError::Unexpected,
        ),
    ] {
        let (mut server, _) = self::pair("pw", 0);
        let ServerStep::Failure { why: told, .. } = server.server(&wrong) else {
            panic!("went on");
        };
        assert_eq!(told, why);
        // And it stays over.
        let again = message(Code::Response, id, Some((EapType::IDENTITY, b"a")));
        assert!(matches!(server.server(&again), ServerStep::Failure { .. }));
    }
    // RFC 3748 §5.3.1: another method gets a Nak with ours.
    let tls = message(Code::Request, 3, Some((EapType(13), &[0x20])));
    let Ok(ClientStep::Response(nak)) = pair.client(&tls) else {
        panic!("no Nak");
    };
    assert_eq!(nak[..], [2, 3, 0, 6, 3, 26]);
    let failure = message(Code::Failure, 3, None);
    assert_eq!(
        pair.client(&failure).unwrap_err(),
        EapError::NoMethod(EapType(13))
    );
}

#[test]
fn l15_a_method_that_does_not_fit_is_named() {
    let server = alloc::format!("{}", EapError::Nak(EapType(13)));
    assert_eq!(
        server,
        "the client does not take EAP-MSCHAPv2, it wants EAP-TLS"
    );
    let client = alloc::format!("{}", EapError::NoMethod(EapType(25)));
    assert_eq!(
        client,
        "the server wants PEAP, which is not known here; we have EAP-MSCHAPv2"
    );
}

/// Whether `octets` stand in `text`, as a list of numbers or as hexadecimal digits.
fn shows(text: &str, octets: &[u8]) -> bool {
    let list = alloc::format!("{octets:?}");
    let list = list.trim_matches(['[', ']']);
    let hex: alloc::string::String = octets.iter().map(|o| alloc::format!("{o:02x}")).collect();
    text.contains(list) || text.to_lowercase().contains(&hex)
}

#[test]
fn x5_challenges_and_responses_are_in_no_debug_output() {
    let (mut pair, request) = pair("pw", 1);
    let Ok(ClientStep::Response(identity)) = pair.client(&request) else {
        panic!("no identity");
    };
    let step = pair.server(&identity);
    let mut seen = alloc::format!("{step:?}{:?}", pair.server);
    let ServerStep::Request(challenge) = step else {
        panic!("no challenge");
    };
    let step = pair.client(&challenge);
    seen += &alloc::format!("{step:?}{:?}", pair.client);
    let Ok(ClientStep::Response(response)) = step else {
        panic!("no response");
    };
    let step = pair.server(&response);
    seen += &alloc::format!("{step:?}{:?}", pair.server);
    let step = pair.server.password(Some(&secret("pw")), &mut pair.rng);
    seen += &alloc::format!("{step:?}{:?}", pair.server);
    // Value sizes stand before both: the challenge has 16 octets, the response 49 with the client's
    // challenge before it.
    let (challenge, peer, response) = (&challenge[10..26], &response[10..26], &response[34..58]);
    let packet = mschapv2::Challenges {
        server: challenge.try_into().unwrap(),
        client: peer.try_into().unwrap(),
        name: "alice".into(),
    };
    seen += &alloc::format!("{packet:?}");
    for octets in [challenge, peer, response] {
        // Four in a row are no coincidence.
        for part in octets.chunks_exact(4) {
            assert!(!shows(&seen, part), "{part:?} in {seen}");
        }
    }
    assert!(seen.contains("EapMessage(code 1, type 26, "), "{seen}");
}
