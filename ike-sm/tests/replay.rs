//! Recorded negotiations of two strongSwan daemons, answered by an endpoint of ours.
//!
//! The initiator's messages come from the recording. Our endpoint is the responder; its randomness
//! and its key pair are the recorded responder's, so that it derives the recorded keys. Then the
//! session itself decrypts message 5, verifies HASH_I, and HASH(1) and HASH(3) of the quick mode;
//! what it sends under protection is, byte for byte, what strongSwan sent.
//!
//! The other way round is not possible: HASH_R covers SAi_b, our own offer, and the attributes in
//! it would have to stand in strongSwan's order. `key_schedule.rs` recomputes HASH_R from the
//! recordings instead.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

#[path = "recording/replayed.rs"]
mod replayed;

use std::net::IpAddr;
use std::time::Duration;

use crypto_suite::{
    CipherId, DEFAULT, GroupId, HashId, IntegrityId, KeyExchange, ProtectionId, Provider, Secret,
    WeakAlgorithms,
};
use ike_sm::config::{
    ChildConfig, Config, Identity, IkeVersion, Lifetime, PeerConfig, Phase1Mode, Phase1Policy,
    Prefix, PskOwner, RemoteIdentity,
};
use ike_sm::{
    Action, Actions, Answer, ChildSa, ChildSuite, Endpoint, Event, KeyLog, Outcome, Path, Question,
    Selector,
};
use isakmp_wire::v1::{Message, PayloadType};
use isakmp_wire::{Header, Limits};
use replayed::{Recorded, Replayed};

struct Recording {
    packets: Vec<Vec<u8>>,
    values: Vec<(String, Vec<u8>)>,
}

impl Recording {
    fn read(text: &str) -> Self {
        let mut recording = Self {
            packets: Vec::new(),
            values: Vec::new(),
        };
        for line in text.lines() {
            let (name, value) = line.split_once(" = ").unwrap();
            let value = hex::decode(value).unwrap();
            if name.starts_with("packet ") {
                recording.packets.push(value);
            } else {
                recording.values.push((name.into(), value));
            }
        }
        recording
    }

    fn value(&self, name: &str) -> Option<&[u8]> {
        let found = self.values.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| &value[..])
    }

    /// A payload of a message in the clear.
    fn body(&self, packet: usize, kind: PayloadType) -> Vec<u8> {
        let message = Message::parse(&self.packets[packet], &Limits::DEFAULT).unwrap();
        message.payloads().find(kind).unwrap().body.to_vec()
    }
}

/// What is in the protected payloads of quick mode's message 2.
struct Quick {
    nonce: Vec<u8>,
    public: Option<Vec<u8>>,
    spi: u32,
}

/// Opens message 2 of quick mode with the logged key: the message before it gives the IV.
fn quick_answer(r: &Recording, at: usize, cipher: CipherId) -> Quick {
    let block = DEFAULT.cipher(cipher).unwrap().block_len();
    let key = &r.value("encryption key Ka").unwrap()[..cipher.key_len()];
    let key = DEFAULT.cipher(cipher).unwrap().new_key(key).unwrap();
    let before = &r.packets[at - 1];
    let mut plain = r.packets[at][Header::LEN..].to_vec();
    key.decrypt(&before[before.len() - block..], &mut plain)
        .unwrap();
    let message = Message::parse(&r.packets[at], &Limits::DEFAULT).unwrap();
    let chain = message.decrypted(&plain, &Limits::DEFAULT).unwrap();
    let sa = chain.find(PayloadType::SA).unwrap();
    let sa = isakmp_wire::v1::Sa::parse(&sa, &Limits::DEFAULT).unwrap();
    let spi = sa.proposals().next().unwrap().spi.try_into().unwrap();
    Quick {
        nonce: chain.find(PayloadType::NONCE).unwrap().body.to_vec(),
        public: chain
            .find(PayloadType::KEY_EXCHANGE)
            .map(|p| p.body.to_vec()),
        spi: u32::from_be_bytes(spi),
    }
}

struct Case {
    text: &'static str,
    cipher: CipherId,
    hash: HashId,
    group: GroupId,
    esp: ProtectionId,
    /// Whether its quick mode fills whole blocks by itself.
    pads_for_nothing: bool,
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn config(case: &Case) -> Config {
    let mut config = Config::default();
    config.weak = WeakAlgorithms::ALL;
    config.policies = vec![Phase1Policy {
        encryption: case.cipher,
        hash: case.hash,
        group: case.group,
        lifetime: Lifetime::seconds(86_400),
        ..Phase1Policy::new(1)
    }];
    let mut peer = PeerConfig::new("a");
    peer.version = IkeVersion::V1;
    peer.mode = Phase1Mode::AggressiveExposingPskHash;
    peer.addresses.push(ip("192.0.2.1"));
    peer.local_id = Some(Identity::Fqdn("b.lab".into()));
    peer.remote_id = RemoteIdentity::Is(Identity::Fqdn("a.lab".into()));
    peer.id_port = ike_sm::config::IdPort::Zero;
    peer.initial_contact = false;
    // As strongSwan's userland ESP does it: a NAT that is not there.
    peer.nat_traversal.force = true;
    let net = |text| Selector::subnet(ip(text), 24).unwrap();
    let mut child = ChildConfig::new("net", net("10.10.2.0"), net("10.10.1.0"));
    child.suites = vec![ChildSuite::Esp(case.esp)];
    child.lifetime = Lifetime::seconds(86_400);
    peer.children.push(child);
    config.peers.push(peer);
    let owner = PskOwner::Prefix(Prefix::host(ip("192.0.2.1")));
    config.psks.insert(owner, Secret::from(&b"labsecret"[..]));
    config.ask_spis = true;
    config.key_log = true;
    config
}

/// Drives our responder with the initiator's messages; gives what it sent and what it installed.
fn replay(case: &Case) -> (Recording, Vec<Vec<u8>>, ChildSa) {
    let r = Recording::read(case.text);
    let aggressive = r.packets[0][18] == 4;
    let ours: Vec<usize> = if aggressive {
        vec![1, 4]
    } else {
        vec![1, 3, 5, 7]
    };
    let (answer, quick_at) = if aggressive { (1, 4) } else { (3, 7) };
    let quick = quick_answer(&r, quick_at, case.cipher);
    let cookie = r.packets[1][8..16].to_vec();
    let mut draws = vec![cookie, r.body(answer, PayloadType::NONCE)];
    draws.push(quick.nonce.clone());
    let shared = r.value("shared Diffie Hellman secret").unwrap().to_vec();
    let pair = (r.body(answer, PayloadType::KEY_EXCHANGE), shared);
    let mut groups: Vec<&'static dyn KeyExchange> = vec![Recorded::leaked(case.group, pair)];
    if let (Some(public), Some(shared)) = (&quick.public, r.value("DH secret")) {
        // Quick mode is in MODP 1024 in the recording that has PFS.
        let pair = (public.clone(), shared.to_vec());
        groups.push(Recorded::leaked(GroupId::Modp1024, pair));
    }
    let groups: &'static [&'static dyn KeyExchange] = groups.leak();
    let provider: &'static Provider = Box::leak(Box::new(Provider { groups, ..DEFAULT }));
    let mut endpoint = Endpoint::new(config(case), provider).unwrap();
    let mut rng = Replayed(draws);
    let (mut sent, mut child, mut key) = (Vec::new(), None, None);
    let now = Duration::from_secs(1);
    for (at, packet) in r.packets.iter().enumerate() {
        if ours.contains(&at) {
            continue;
        }
        // From the first encrypted message on they are on port 4500.
        let natt = packet[19] & 1 == 1;
        let port = if natt { 4500 } else { 500 };
        let path = Path {
            local: (ip("192.0.2.2"), port).into(),
            remote: (ip("192.0.2.1"), port).into(),
            natt,
        };
        let mut events = vec![None];
        while let Some(event) = events.pop() {
            let event = match event {
                None => Event::Datagram {
                    path,
                    message: packet,
                },
                Some((ticket, answer)) => Event::Answer(ticket, answer),
            };
            let mut actions = Actions::new();
            let outcome = endpoint.handle(event, now, &mut rng, &mut actions);
            // strongSwan pads a whole block where none is needed (RFC 2409 Appendix B asks for
            // none). HASH(3) is encrypted behind that block, which we do not send.
            if at + 1 < r.packets.len() || !case.pads_for_nothing {
                assert_eq!(outcome, Outcome::Handled, "packet {}", at + 1);
            }
            while let Some(action) = actions.pop() {
                match action {
                    Action::Send { path, datagram } => {
                        let marker = if path.natt { 4 } else { 0 };
                        sent.push(datagram[marker..].to_vec());
                    }
                    Action::Ask(ticket, Question::AllocateSpi { .. }) => {
                        events.push(Some((ticket, Answer::Spi(Some(quick.spi)))));
                    }
                    Action::InstallChild(sa) => child = Some(*sa),
                    Action::KeyLog(KeyLog::Ikev1 { encryption_key, .. }) => {
                        key = Some(encryption_key);
                    }
                    _ => {}
                }
            }
        }
    }
    let logged = r.value("encryption key Ka").unwrap();
    let key = key.unwrap();
    assert_eq!(Some(key.as_ref()), logged.get(..case.cipher.key_len()));
    (r, sent, child.unwrap())
}

fn check(case: &Case) {
    let (r, sent, child) = replay(case);
    let (encryption, integrity) = (case.esp.enc_key_len(), case.esp.integ_key_len());
    for (keys, side) in [
        (&child.keys_in, "initiator"),
        (&child.keys_out, "responder"),
    ] {
        let (enc, integ) = keys.as_ref().split_at(encryption);
        assert_eq!(enc, r.value(&format!("encryption {side} key")).unwrap());
        assert_eq!(integ, r.value(&format!("integrity {side} key")).unwrap());
        assert_eq!(integ.len(), integrity);
    }
    // Quick mode's message 2 is strongSwan's own: HASH(3) was encrypted behind it.
    let aggressive = r.packets[0][18] == 4;
    let last = &r.packets[if aggressive { 4 } else { 7 }];
    let more = case.cipher.block_len() * usize::from(case.pads_for_nothing);
    let body = Header::LEN..last.len() - more;
    assert_eq!(sent.last().unwrap()[Header::LEN..], last[body]);
    if !aggressive {
        assert_eq!(sent[2], r.packets[5], "message 6");
    }
}

macro_rules! recorded {
    ($name:ident, $file:literal, $cipher:ident, $hash:ident, $group:ident, $esp:ident, $integ:ident, $pads:literal) => {
        #[test]
        fn $name() {
            check(&Case {
                text: include_str!(concat!("data/lab-strongswan/", $file, ".txt")),
                cipher: CipherId::$cipher,
                hash: HashId::$hash,
                group: GroupId::$group,
                esp: ProtectionId::CbcHmac(CipherId::$esp, IntegrityId::$integ),
                pads_for_nothing: $pads,
            });
        }
    };
}

recorded!(
    aes256_sha256_modp2048,
    "v1-main-aes256-sha256-modp2048",
    Aes256Cbc,
    Sha256,
    Modp2048,
    Aes256Cbc,
    HmacSha256_128,
    false
);
recorded!(
    triple_des_sha1_modp1024,
    "v1-main-3des-sha1-modp1024",
    TripleDesCbc,
    Sha1,
    Modp1024,
    TripleDesCbc,
    HmacSha1_96,
    false
);
recorded!(
    des_md5_modp768,
    "v1-main-des-md5-modp768",
    DesCbc,
    Md5,
    Modp768,
    DesCbc,
    HmacMd5_96,
    true
);
recorded!(
    aes128_sha1_with_pfs,
    "v1-main-pfs",
    Aes128Cbc,
    Sha1,
    Modp1536,
    Aes128Cbc,
    HmacSha1_96,
    false
);
recorded!(
    aggressive_mode_aes128_sha1_modp1024,
    "v1-aggr",
    Aes128Cbc,
    Sha1,
    Modp1024,
    Aes128Cbc,
    HmacSha1_96,
    true
);
