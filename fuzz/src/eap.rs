//! EAP in both roles.

use crypto_suite::{DEFAULT, Secret};
use ike_sm::v2::eap::{Client, ClientStep, MAX_ROUNDS, Server, ServerStep};
use isakmp_wire::Limits;
use isakmp_wire::v2::{Eap, EapCode, PayloadChain, PayloadType};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::Feed;

/// Reads a message as it would come in a payload.
fn with(message: &[u8], mut f: impl FnMut(&Eap<'_>)) {
    let Ok(length) = u16::try_from(message.len() + 4) else {
        return;
    };
    let payload = [&[0, 0], &length.to_be_bytes()[..], message].concat();
    let Ok(chain) = PayloadChain::parse(PayloadType::EAP, &payload, &Limits::DEFAULT) else {
        return;
    };
    for payload in chain {
        if let Ok(eap) = Eap::parse(&payload) {
            f(&eap);
        }
    }
}

/// Messages of a peer that does not know the password, to a client and to a server: neither ever
/// believes it, and both answer a bounded number of times.
pub fn messages(data: &[u8]) {
    let mut feed = Feed(data);
    let seed: [u8; 16] = feed.array().unwrap_or_default();
    let mut key = [0; 32];
    key[..16].copy_from_slice(&seed);
    let mut rng = ChaCha20Rng::from_seed(key);
    let mut password = [0; 16];
    rng.fill_bytes(&mut password);
    let password = password.map(|octet| b'a' + octet % 26);
    let secret = Secret::from(&password[..]);
    let retries = feed.byte().unwrap_or(0) % 4;
    let mut client = Client::new(&DEFAULT, "alice", &secret).expect("the method is there");
    let start = |rng: &mut ChaCha20Rng| {
        Server::start(&DEFAULT, "gw", seed[0] & 1 == 0, retries, rng).expect("the method is there")
    };
    let (mut server, first) = start(&mut rng);
    let mut expected = first[1];
    let (mut responses, mut requests) = (0, 0);
    while let Some(message) = feed.bytes() {
        with(message, |eap| match client.handle(eap, &mut rng) {
            Ok(ClientStep::Response(response)) => {
                responses += 1;
                assert_eq!(eap.code, EapCode::Request);
                assert_eq!(response.get(1), Some(&eap.identifier));
            }
            Ok(ClientStep::Success { .. }) => panic!("a client was let off"),
            Err(_) => {}
        });
        // Identifiers that a fuzzer would have to guess.
        let mut message = message.to_vec();
        for place in [1, 6] {
            if let Some(identifier) = message.get_mut(place) {
                *identifier = expected;
            }
        }
        with(&message, |eap| {
            let mut step = server.handle(eap, &mut rng);
            if matches!(step, ServerStep::NeedPassword { .. }) {
                step = server.password(Some(&secret), &mut rng);
            }
            match step {
                ServerStep::Request(request) => {
                    requests += 1;
                    assert!(requests <= MAX_ROUNDS, "rounds are bounded");
                    expected = request[1];
                }
                ServerStep::Success { .. } => panic!("a guess was right"),
                ServerStep::NeedPassword { .. } => panic!("asked twice"),
                ServerStep::Failure { .. } => {
                    let (fresh, first) = start(&mut rng);
                    (server, expected, requests) = (fresh, first[1], 0);
                }
            }
        });
    }
    assert!(responses <= MAX_ROUNDS, "rounds are bounded");
}
