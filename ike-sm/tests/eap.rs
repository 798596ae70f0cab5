//! EAP-MSCHAPv2 as two strongSwan daemons spoke it (see `data/PROVENANCE.md`): every message of
//! the client is recomputed from the password, and the MSK is the one that was logged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod recording;

use core::convert::Infallible;

use crypto_suite::{DEFAULT, Secret};
use ike_sm::v2::eap::{Client, ClientStep, Server, ServerStep};
use isakmp_wire::v2::{Eap, PayloadType};
use rand_core::{TryCryptoRng, TryRng};
use recording::{CBC_128, Recording};

const TEXT: &str = include_str!("data/lab-strongswan/v2-eap-mschapv2.txt");

/// Gives out recorded bytes.
struct Recorded(Vec<u8>);

impl TryRng for Recorded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("only bytes are drawn")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("only bytes are drawn")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Recorded {}

#[test]
fn the_recorded_client_is_reproduced() {
    let r = Recording::read(TEXT);
    let response = r.open(CBC_128, 3, false);
    let payload = response.find(PayloadType::EAP);
    // OpCode, ID, length (2), size: the peer challenge is what the client drew.
    let challenge = Eap::parse(&payload).unwrap().data[5..21].to_vec();
    let mut rng = Recorded(challenge);
    let password = Secret::from(&b"labsecret"[..]);
    let mut client = Client::new(&DEFAULT, "alice", &password).unwrap();
    for id in 1..=3 {
        let request = r.open(CBC_128, id, true);
        let request = request.find(PayloadType::EAP);
        let step = client
            .handle(&Eap::parse(&request).unwrap(), &mut rng)
            .unwrap();
        let ClientStep::Response(response) = step else {
            panic!("no response");
        };
        let recorded = r.open(CBC_128, id + 1, false);
        assert_eq!(response[..], *recorded.find(PayloadType::EAP).body);
    }
    let success = r.open(CBC_128, 4, true);
    let success = success.find(PayloadType::EAP);
    let step = client
        .handle(&Eap::parse(&success).unwrap(), &mut rng)
        .unwrap();
    let ClientStep::Success { msk } = step else {
        panic!("no MSK");
    };
    assert_eq!(msk.expose(), r.value("secret"));
}

#[test]
fn the_recorded_client_convinces_our_server() {
    let r = Recording::read(TEXT);
    let identifier = |id| r.open(CBC_128, id, true).find(PayloadType::EAP).body[1];
    let challenge = r.open(CBC_128, 2, true);
    let challenge = challenge.find(PayloadType::EAP).body[10..26].to_vec();
    // strongSwan drew a new identifier for the method: ours goes on from one before it.
    let first = identifier(2).wrapping_sub(1);
    let mut rng = Recorded([&[first][..], &challenge].concat());
    let (mut server, _) = Server::start(&DEFAULT, "b.lab", true, 0, &mut rng).unwrap();
    let mut identity = r
        .open(CBC_128, 2, false)
        .find(PayloadType::EAP)
        .body
        .to_vec();
    identity[1] = first;
    let mut handle = |server: &mut Server, body: &[u8]| {
        let length = u16::try_from(body.len() + 4).unwrap().to_be_bytes();
        let payload = [&[0, 0], &length[..], body].concat();
        let limits = isakmp_wire::Limits::DEFAULT;
        let chain =
            isakmp_wire::v2::PayloadChain::parse(PayloadType::EAP, &payload, &limits).unwrap();
        let eap = chain.find(PayloadType::EAP).unwrap();
        server.handle(&Eap::parse(&eap).unwrap(), &mut rng)
    };
    assert!(matches!(
        handle(&mut server, &identity),
        ServerStep::Request(_)
    ));
    let response = r.open(CBC_128, 3, false);
    let step = handle(&mut server, response.find(PayloadType::EAP).body);
    assert!(matches!(step, ServerStep::NeedPassword { user } if user == "alice"));
    let password = Secret::from(&b"labsecret"[..]);
    let mut none = Recorded(Vec::new());
    let ServerStep::Request(success) = server.password(Some(&password), &mut none) else {
        panic!("refused");
    };
    // The authenticator response, letter for letter.
    let recorded = r.open(CBC_128, 3, true);
    let recorded = recorded.find(PayloadType::EAP).body.to_vec();
    assert_eq!(success[9..51], recorded[9..51]);
    let ServerStep::Success { msk, .. } = handle(&mut server, &[2, success[1], 0, 6, 26, 3]) else {
        panic!("no success");
    };
    assert_eq!(msk.expose(), r.value("secret"));
}
