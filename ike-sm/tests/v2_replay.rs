//! Recorded IKEv2 negotiations of two strongSwan daemons, answered by an endpoint of ours.
//!
//! The initiator's messages come from the recording, our responder draws what the recorded one drew:
//! SPIs, nonce, key pair. So it derives the recorded keys, the session itself decrypts IKE_AUTH and
//! verifies its AUTH, and the Child SA that it installs has the recorded keys.
//!
//! The recorded answers are reproduced octet for octet as far as they depend on random bytes: SA, KE
//! and Nonce of IKE_SA_INIT, IDr, SA, TSi and TSr of IKE_AUTH. AUTH covers the whole first message, in
//! which each implementation announces its own extensions: it is computed over both, the recorded
//! one gives the recorded octets. Of the protected messages everything is made anew from keys, IV
//! and payloads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod recording;
#[path = "recording/replayed.rs"]
mod replayed;

use std::net::IpAddr;
use std::time::Duration;

use crypto_suite::{
    AeadId, CipherId, DEFAULT, GroupId, IntegrityId, KeyExchange, Layout, PrfId, ProtectionId,
    Provider, Secret,
};
use ike_sm::config::v2::{Encryption, IkeProposal};
use ike_sm::config::{
    ChildConfig, Config, Identity, IkeVersion, PeerConfig, Prefix, PskOwner, RemoteIdentity,
};
use ike_sm::v2::proof::{SignedOctets, shared_key_mic};
use ike_sm::v2::protect::{Inner, Opener, Sealer};
use ike_sm::{Action, Actions, ChildSa, ChildSuite, Endpoint, Event, KeyLog, Outcome, Path};
use isakmp_wire::Limits;
use isakmp_wire::v2::{Message, PayloadChain, PayloadType, Sa};
use recording::{CBC_256, Recording};
use replayed::{Recorded, Replayed};

const LIMITS: Limits = Limits::DEFAULT;

struct Case {
    text: &'static str,
    ike: IkeProposal,
    protection: ProtectionId,
    esp: ProtectionId,
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn config(case: &Case) -> Config {
    let mut config = Config::default();
    // Those of IKEv1.
    config.policies.clear();
    let mut peer = PeerConfig::new("a");
    peer.version = IkeVersion::V2;
    peer.addresses.push(ip("192.0.2.1"));
    peer.local_id = Some(Identity::Fqdn("b.lab".into()));
    peer.remote_id = RemoteIdentity::Is(Identity::Fqdn("a.lab".into()));
    peer.v2.proposals = vec![case.ike.clone()];
    // As strongSwan's userland ESP does it: a NAT that is not there.
    peer.nat_traversal.force = true;
    let net = |text| ike_sm::Selector::subnet(ip(text), 24).unwrap();
    let mut child = ChildConfig::new("net", net("10.10.2.0"), net("10.10.1.0"));
    child.suites = vec![ChildSuite::Esp(case.esp)];
    peer.children.push(child);
    config.peers.push(peer);
    let owner = PskOwner::Prefix(Prefix::host(ip("192.0.2.1")));
    config.psks.insert(owner, Secret::from(&b"labsecret"[..]));
    config.key_log = true;
    config
}

fn body<'a>(chain: &PayloadChain<'a>, kind: PayloadType) -> &'a [u8] {
    chain.find(kind).unwrap_or_else(|| panic!("{kind}")).body
}

/// The SPI of the recorded answer's proposal.
fn child_spi(chain: &PayloadChain<'_>) -> Vec<u8> {
    let sa = chain.find(PayloadType::SA).unwrap();
    let sa = Sa::parse(&sa, &LIMITS).unwrap();
    sa.proposals().next().unwrap().spi.to_vec()
}

/// What our responder sends, and what it installs.
struct Replay {
    sent: Vec<Vec<u8>>,
    child: ChildSa,
    keys: KeyLog,
}

fn replay(case: &Case, r: &Recording) -> Replay {
    let answer = r.open(case.protection, 1, true);
    let chain = r.message(1).payloads();
    let spi_r = r.message(1).header.responder_spi.to_vec();
    let draws = vec![spi_r, r.nonce(1).to_vec(), child_spi(&answer.chain())];
    // Group, zeros, then the public value.
    let public = body(&chain, PayloadType::KEY_EXCHANGE)[4..].to_vec();
    let shared = r.value("shared Diffie Hellman secret").to_vec();
    let group = Recorded::leaked(case.ike.groups[0], (public, shared));
    let groups: &'static [&'static dyn KeyExchange] = vec![group as &dyn KeyExchange].leak();
    let provider: &'static Provider = Box::leak(Box::new(Provider { groups, ..DEFAULT }));
    let mut endpoint = Endpoint::new(config(case), provider).unwrap();
    let mut rng = Replayed(draws);
    let (mut sent, mut child, mut keys) = (Vec::new(), None, None);
    for (packet, port) in [(&r.packets[0], 500), (&r.packets[2], 4500)] {
        let path = Path {
            local: (ip("192.0.2.2"), port).into(),
            remote: (ip("192.0.2.1"), port).into(),
            natt: port == 4500,
        };
        let message = &packet[..];
        let mut actions = Actions::new();
        let event = Event::Datagram { path, message };
        let outcome = endpoint.handle(event, Duration::from_secs(1), &mut rng, &mut actions);
        assert_eq!(outcome, Outcome::Handled);
        while let Some(action) = actions.pop() {
            match action {
                Action::Send { path, datagram } => {
                    let marker = if path.natt { 4 } else { 0 };
                    sent.push(datagram[marker..].to_vec());
                }
                Action::InstallChild(sa) => child = Some(*sa),
                Action::KeyLog(key @ KeyLog::Ikev2 { .. }) => keys = Some(key),
                _ => {}
            }
        }
    }
    Replay {
        sent,
        child: child.unwrap(),
        keys: keys.unwrap(),
    }
}

fn check(case: &Case) {
    let r = Recording::read(case.text);
    let made = replay(case, &r);

    // IKE_SA_INIT: its SPIs and all that was drawn or chosen.
    let [ours, theirs] = [&made.sent[0], &r.packets[1]];
    assert_eq!(ours[..16], theirs[..16]);
    let ours = Message::parse(ours, &LIMITS).unwrap().payloads();
    for kind in [
        PayloadType::SA,
        PayloadType::KEY_EXCHANGE,
        PayloadType::NONCE,
    ] {
        assert_eq!(body(&ours, kind), body(&r.message(1).payloads(), kind));
    }

    // Keys of the IKE SA and of the child.
    let KeyLog::Ikev2 {
        sk_ei,
        sk_er,
        sk_ai,
        sk_ar,
        ..
    } = &made.keys
    else {
        panic!("{:?}", made.keys);
    };
    assert_eq!(sk_ei.expose(), r.value("Sk_ei secret"));
    assert_eq!(sk_er.expose(), r.value("Sk_er secret"));
    if matches!(case.protection, ProtectionId::CbcHmac(..)) {
        assert_eq!(sk_ai.expose(), r.value("Sk_ai secret"));
        assert_eq!(sk_ar.expose(), r.value("Sk_ar secret"));
    }
    for (keys, side) in [
        (&made.child.keys_in, "initiator"),
        (&made.child.keys_out, "responder"),
    ] {
        let mut logged = r.value(&format!("encryption {side} key")).to_vec();
        if matches!(case.esp, ProtectionId::CbcHmac(..)) {
            logged.extend(r.value(&format!("integrity {side} key")));
        }
        assert_eq!(keys.as_ref(), logged);
    }

    // IKE_AUTH: opened with the recorded keys.
    let protection = DEFAULT.protection(case.protection).unwrap();
    let keymat = Secret::concat(&[sk_er.expose(), sk_ar.expose()]);
    let key = || protection.new_key(keymat.expose()).unwrap();
    let message = Message::parse(&made.sent[1], &LIMITS).unwrap();
    let opened = Opener::new(key()).open(&message).unwrap();
    let ours = opened.inner.payloads(&LIMITS).unwrap();
    let recorded = r.open(case.protection, 1, true);
    let theirs = recorded.chain();
    for kind in [
        PayloadType::ID_RESPONDER,
        PayloadType::SA,
        PayloadType::TS_INITIATOR,
        PayloadType::TS_RESPONDER,
    ] {
        assert_eq!(body(&ours, kind), body(&theirs, kind), "{kind}");
    }
    let prf = DEFAULT.prf(PrfId::HmacSha256).unwrap();
    let id = body(&theirs, PayloadType::ID_RESPONDER);
    for (first, auth) in [(&made.sent[0], &ours), (&r.packets[1], &theirs)] {
        let octets = SignedOctets::new(prf, r.value("Sk_pr secret"), first, r.nonce(0), id);
        let mic = shared_key_mic(prf, b"labsecret", &octets);
        assert_eq!(body(auth, PayloadType::AUTHENTICATION)[4..], *mic.as_ref());
    }

    // The recorded message itself, from keys, IV and payloads.
    let packet = &r.packets[3];
    let message = Message::parse(packet, &LIMITS).unwrap();
    let protected = message.protected().unwrap();
    let opened = Opener::new(key()).open(&message).unwrap();
    let iv = &protected.data[..key().iv_len()];
    match case.protection {
        ProtectionId::Aead(_) => {
            let next = u64::from_be_bytes(iv.try_into().unwrap());
            let mut sealer = Sealer::resume(key(), next);
            let chain = opened.inner.payloads(&LIMITS).unwrap();
            let inner =
                Inner::build(|writer| chain.iter().try_for_each(|p| writer.copy(&p).map(drop)));
            let sealed = sealer.seal(&message.header, &inner.unwrap()).unwrap();
            assert_eq!(sealed[..], packet[..]);
        }
        _ => {
            let mut sealed = packet.clone();
            key()
                .open(&mut sealed, Layout::ike(protected.aad_len))
                .unwrap();
            let from = protected.aad_len + iv.len();
            let to = sealed.len() - key().icv_len();
            let cipher = DEFAULT.cipher(CipherId::Aes256Cbc).unwrap();
            let cipher = cipher.new_key(sk_er.expose()).unwrap();
            cipher.encrypt(iv, &mut sealed[from..to]).unwrap();
            let integrity = DEFAULT.integrity(IntegrityId::HmacSha256_128).unwrap();
            let icv = integrity
                .new_key(sk_ar.expose())
                .unwrap()
                .icv(&[&sealed[..to]]);
            sealed[to..].copy_from_slice(icv.as_ref());
            assert_eq!(sealed, *packet);
        }
    }
}

fn proposal(encryption: Encryption, integrity: Option<IntegrityId>, group: GroupId) -> IkeProposal {
    IkeProposal {
        encryption: vec![encryption],
        integrity: integrity.into_iter().collect(),
        prf: vec![PrfId::HmacSha256],
        groups: vec![group],
        ..IkeProposal::cbc()
    }
}

#[test]
fn aes256_sha256_modp2048_is_reproduced() {
    let integrity = Some(IntegrityId::HmacSha256_128);
    let cipher = Encryption::Cbc(CipherId::Aes256Cbc);
    check(&Case {
        text: include_str!("data/lab-strongswan/v2-aes256-sha256-modp2048.txt"),
        ike: proposal(cipher, integrity, GroupId::Modp2048),
        protection: CBC_256,
        esp: CBC_256,
    });
}

#[test]
fn aes128_gcm_x25519_is_reproduced() {
    aead(
        include_str!("data/lab-strongswan/v2-gcm-x25519.txt"),
        AeadId::Aes128Gcm16,
    );
}

#[test]
fn chacha20_poly1305_x25519_is_reproduced() {
    aead(
        include_str!("data/lab-strongswan/v2-chacha.txt"),
        AeadId::ChaCha20Poly1305,
    );
}

fn aead(text: &'static str, id: AeadId) {
    check(&Case {
        text,
        ike: proposal(Encryption::Aead(id), None, GroupId::X25519),
        protection: ProtectionId::Aead(id),
        esp: ProtectionId::Aead(id),
    });
}
