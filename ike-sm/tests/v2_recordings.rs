//! The IKEv2 key schedule, SK payloads and reassembly against published vectors and against
//! recorded negotiations: everything is recomputed from the Diffie-Hellman secrets that one of the
//! daemons logged (see `data/PROVENANCE.md`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod recording;

use std::collections::BTreeMap;
use std::time::Duration;

use crypto_suite::{DEFAULT, PrfId, Secret};
use ike_sm::ChildSuite;
use ike_sm::policy::v2::{Proposal, SpiRule, Terms, check_answer, read_sa};
use ike_sm::v2::fragments::{Inserted, Reassembler};
use ike_sm::v2::intermediate::IntAuthChain;
use ike_sm::v2::keys::{Keys, Nonces, Sender, Spis, prf_plus, skeyseed};
use ike_sm::v2::proof::{SignedOctets, shared_key_mic};
use ike_sm::v2::protect::{Inner, Opener};
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::v2::{Message, PayloadChain, PayloadType, Sa};
use isakmp_wire::{ExchangeType, Limits};
use recording::Recording;

const LIMITS: Limits = Limits::DEFAULT;

#[test]
fn nist_cavs_ikev2() {
    let mut prf = None;
    let mut fields: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut count = 0;
    for line in include_str!("data/nist-cavs-ikev2.txt").lines() {
        match line {
            "[SHA-1]" => prf = DEFAULT.prf(PrfId::HmacSha1),
            "[SHA-256]" => prf = DEFAULT.prf(PrfId::HmacSha256),
            "[SHA-384]" => prf = DEFAULT.prf(PrfId::HmacSha384),
            "[SHA-512]" => prf = DEFAULT.prf(PrfId::HmacSha512),
            _ => {
                let (name, value) = line.split_once(" = ").unwrap();
                fields.push((name, hex::decode(value).unwrap()));
            }
        }
        if fields.len() < 11 {
            continue;
        }
        let f = |name| &fields.iter().find(|(n, _)| *n == name).unwrap().1[..];
        let prf = prf.unwrap();
        let nonces = Nonces {
            initiator: f("Ni"),
            responder: f("Nr"),
        };
        let seed = skeyseed(prf, &nonces, f("g^ir"));
        assert_eq!(seed.as_ref(), f("SKEYSEED"));
        let dkm = f("DKM");
        let parts = [f("Ni"), f("Nr"), f("SPIi"), f("SPIr")];
        let made = prf_plus(prf, seed.as_ref(), &parts, dkm.len()).unwrap();
        assert_eq!(made.expose(), dkm);

        // SK_d leads the keying material; a protection without keys leaves it alone.
        let spis = Spis {
            initiator: f("SPIi").try_into().unwrap(),
            responder: f("SPIr").try_into().unwrap(),
        };
        let keys = Keys::derive(prf, recording::CBC_128, &seed, &nonces, spis).unwrap();
        assert_eq!(keys.sk_d().expose(), &dkm[..prf.output_len()]);
        let child = f("DKM(Child SA)");
        let new = Secret::from(f("g^ir (new)"));
        let made = keys.child(None, &nonces, &[], child.len() / 2).unwrap();
        assert_eq!(made.from_initiator.expose(), &child[..child.len() / 2]);
        assert_eq!(made.from_responder.expose(), &child[child.len() / 2..]);
        let made = keys.child(Some(&new), &nonces, &[], child.len() / 2);
        let made = made.unwrap();
        let child = f("DKM(Child SA D-H)");
        assert_eq!(made.from_initiator.expose(), &child[..child.len() / 2]);
        assert_eq!(made.from_responder.expose(), &child[child.len() / 2..]);
        let rekeyed = keys.rekey_skeyseed(&new, &nonces, &[]);
        assert_eq!(rekeyed.as_ref(), f("SKEYSEED(Rekey)"));
        fields.clear();
        count += 1;
    }
    assert_eq!(count, 8);
}

/// What strongSwan 5 and 6 call the secret of an IKE SA's key exchange.
const IKE_SECRETS: &[&str] = &["shared Diffie Hellman secret", "key exchange secret"];

/// One IKE SA of a recording.
struct IkeSa {
    keys: Keys,
    openers: [Opener; 2],
    reassemblers: [Reassembler; 2],
}

impl IkeSa {
    fn new(keys: Keys) -> Self {
        let protection = DEFAULT.protection(keys.protection()).unwrap();
        let opener = |sender| Opener::new(keys.packet_key(protection, sender).unwrap());
        Self {
            openers: [opener(Sender::Initiator), opener(Sender::Responder)],
            reassemblers: Default::default(),
            keys,
        }
    }
}

/// What a request of an exchange said that its answer needs.
struct Request {
    proposals: Vec<Proposal>,
    nonce: Vec<u8>,
}

/// A third party that reads along: it knows the Diffie-Hellman secrets and nothing else.
struct Walk<'r> {
    r: &'r Recording,
    sas: Vec<IkeSa>,
    init: Option<Request>,
    requests: BTreeMap<(Spis, bool, u32), Request>,
    nonces: (Vec<u8>, Vec<u8>),
    int_auth: IntAuthChain,
    seen: Vec<Vec<u8>>,
    /// IKE SAs, children, additional key exchanges, protected messages, fragments.
    count: [usize; 5],
}

fn body<'a>(chain: &PayloadChain<'a>, kind: PayloadType) -> Option<&'a [u8]> {
    chain.find(kind).map(|p| p.body)
}

fn proposals(chain: &PayloadChain<'_>) -> Option<Vec<Proposal>> {
    let sa = chain.find(PayloadType::SA)?;
    Some(read_sa(&Sa::parse(&sa, &LIMITS).unwrap()))
}

fn nonces<'a>(initiator: &'a [u8], responder: &'a [u8]) -> Nonces<'a> {
    Nonces {
        initiator,
        responder,
    }
}

impl<'r> Walk<'r> {
    fn run(r: &'r Recording) -> Self {
        let mut walk = Self {
            r,
            sas: Vec::new(),
            init: None,
            requests: BTreeMap::new(),
            nonces: Default::default(),
            int_auth: IntAuthChain::new(),
            seen: Vec::new(),
            count: [0; 5],
        };
        for (n, packet) in r.packets.iter().enumerate() {
            if !walk.seen.contains(packet) {
                walk.seen.push(packet.clone());
                walk.packet(n);
            }
        }
        walk
    }

    /// The value is one that was logged under this name. Exchanges that overlap mix their lines, so
    /// the order says nothing.
    fn logged(&self, name: &str, value: &[u8]) {
        let all = self.r.all(name);
        assert!(all.contains(&value), "{name}: {value:02x?} is not logged");
    }

    /// The one of the logged Diffie-Hellman secrets from which `make` gives something logged.
    fn secret(&self, names: &[&str], makes: (&str, impl Fn(&Secret) -> Vec<u8>)) -> Secret {
        let all = names.iter().flat_map(|name| self.r.all(name));
        let (name, make) = makes;
        let made = self.r.all(name);
        all.map(Secret::from)
            .find(|secret| made.contains(&&make(secret)[..]))
            .unwrap_or_else(|| panic!("no secret gives a logged {name}"))
    }

    fn terms<'a>(answer: &[Proposal], spi: SpiRule) -> Terms<'a> {
        use isakmp_wire::v2::{KeyExchangeMethod, TransformType};
        // The recording's KE payload is that of the answer.
        let method = answer[0].of_type(TransformType::KEY_EXCHANGE).next();
        Terms {
            subject: "recorded",
            spi,
            key_exchange: method
                .and_then(|t| ike_sm::alg::v2::group_from_wire(KeyExchangeMethod(t.id))),
            additional: true,
        }
    }

    /// The seven keys against the log.
    fn check_keys(&self, keys: &Keys) {
        self.logged("Sk_d secret", keys.sk_d().expose());
        for (sender, [a, e, p]) in [
            (
                Sender::Initiator,
                ["Sk_ai secret", "Sk_ei secret", "Sk_pi secret"],
            ),
            (
                Sender::Responder,
                ["Sk_ar secret", "Sk_er secret", "Sk_pr secret"],
            ),
        ] {
            if !keys.sk_a(sender).is_empty() {
                self.logged(a, keys.sk_a(sender).expose());
            }
            self.logged(e, keys.sk_e(sender).expose());
            self.logged(p, keys.sk_p(sender).expose());
        }
    }

    fn packet(&mut self, n: usize) {
        let r = self.r;
        let message = r.message(n);
        let expected = r.all(&format!("tshark payloads {n}"));
        if message.header.exchange_type == ExchangeType::IKE_SA_INIT {
            let chain = message.payloads();
            let types: Vec<u8> = chain.iter().map(|p| p.payload_type.0).collect();
            assert!(expected.is_empty() || expected == [&types[..]]);
            self.sa_init(&message);
            return;
        }
        self.count[3] += 1;
        let spis = Spis {
            initiator: message.header.initiator_spi,
            responder: message.header.responder_spi,
        };
        let sa = self.sas.iter_mut().find(|sa| sa.keys.spis() == spis);
        let sa = sa.unwrap();
        let side = usize::from(!message.is_from_initiator());
        let (inner, reserved) = if message.protected().unwrap().fragment.is_some() {
            self.count[4] += 1;
            match sa.reassemblers[side].insert(&sa.openers[side], &message, Duration::ZERO) {
                Ok(Inserted::Complete(whole)) => (whole.inner, whole.reserved),
                Ok(Inserted::Waiting { .. }) => return,
                Err(error) => panic!("packet {n}: {error}"),
            }
        } else {
            let opened = sa.openers[side].open(&message).unwrap();
            (opened.inner, message.payloads().last().unwrap().reserved)
        };
        if let [expected] = expected[..] {
            // SK or SKF itself, then what is inside.
            let chain = inner.payloads(&LIMITS).unwrap();
            let types: Vec<u8> = chain.iter().map(|p| p.payload_type.0).collect();
            assert_eq!(types, expected[1..], "packet {n}");
        }
        self.inside(&message, spis, &inner, reserved);
    }

    fn sa_init(&mut self, message: &Message<'_>) {
        let chain = message.payloads();
        let (Some(list), Some(nonce)) = (proposals(&chain), body(&chain, PayloadType::NONCE))
        else {
            return;
        };
        let nonce = nonce.to_vec();
        if !message.is_response() {
            self.init = Some(Request {
                proposals: list,
                nonce,
            });
            return;
        }
        let request = self.init.take().unwrap();
        let terms = Self::terms(&list, SpiRule::InHeader);
        let choice = check_answer(&request.proposals, &list, &terms, None).unwrap();
        let suite = choice.ike_suite().unwrap();
        let prf = DEFAULT.prf(suite.prf).unwrap();
        let spis = Spis {
            initiator: message.header.initiator_spi,
            responder: message.header.responder_spi,
        };
        let both = nonces(&request.nonce, &nonce);
        let seed = |secret: &Secret| skeyseed(prf, &both, secret.expose());
        let bytes = |secret: &Secret| seed(secret).as_ref().to_vec();
        let seed = seed(&self.secret(IKE_SECRETS, ("SKEYSEED", bytes)));
        let keys = Keys::derive(prf, suite.protection, &seed, &both, spis).unwrap();
        self.check_keys(&keys);
        self.sas.push(IkeSa::new(keys));
        self.nonces = (request.nonce, nonce);
        self.count[0] += 1;
    }

    fn inside(&mut self, message: &Message<'_>, spis: Spis, inner: &Inner, reserved: u8) {
        let chain = inner.payloads(&LIMITS).unwrap();
        let place = self
            .sas
            .iter()
            .position(|sa| sa.keys.spis() == spis)
            .unwrap();
        let sender = if message.is_from_initiator() {
            Sender::Initiator
        } else {
            Sender::Responder
        };
        let exchange = message.header.exchange_type;
        if exchange == ExchangeType::IKE_INTERMEDIATE {
            let keys = &self.sas[place].keys;
            self.int_auth
                .add(keys, sender, &message.header, reserved, inner);
            let chained = self.int_auth.finish(0);
            if let (Some(chained), Sender::Responder) = (chained, sender) {
                let name = "IntAuth_N is prf(Sk_px, data)";
                let also = "IntAuth_N = prf(Sk_px, data)";
                let name = if self.r.all(name).is_empty() {
                    also
                } else {
                    name
                };
                assert_eq!(chained.initiator.as_ref(), self.r.all(name)[0]);
                assert_eq!(chained.responder.as_ref(), self.r.all(name)[1]);
                let (ni, nr) = &self.nonces;
                let update = |secret: &Secret| {
                    let both = nonces(ni, nr);
                    keys.after_key_exchange(secret, &both).unwrap()
                };
                let bytes = |secret: &Secret| update(secret).sk_d().expose().to_vec();
                let secret = self.secret(IKE_SECRETS, ("Sk_d secret", bytes));
                let updated = update(&secret);
                self.check_keys(&updated);
                self.sas[place] = IkeSa::new(updated);
                self.count[2] += 1;
            }
            return;
        }
        let (Some(list), nonce) = (proposals(&chain), body(&chain, PayloadType::NONCE)) else {
            return;
        };
        // Who began the exchange: a request from the original initiator, or the answer to one.
        let by_initiator = message.is_from_initiator() != message.is_response();
        let key = (spis, by_initiator, message.header.message_id);
        if !message.is_response() {
            let request = Request {
                proposals: list,
                nonce: nonce.unwrap_or(&[]).to_vec(),
            };
            self.requests.insert(key, request);
            return;
        }
        let request = self.requests.remove(&key).unwrap();
        let nonce = nonce.unwrap_or(&[]).to_vec();
        let both = nonces(&request.nonce, &nonce);
        if list[0].protocol == ProtocolId::IKE {
            let terms = Self::terms(&list, SpiRule::Ike);
            let choice = check_answer(&request.proposals, &list, &terms, None).unwrap();
            let suite = choice.ike_suite().unwrap();
            let old = &self.sas[place].keys;
            let seed = |secret: &Secret| old.rekey_skeyseed(secret, &both, &[]);
            let bytes = |secret: &Secret| seed(secret).as_ref().to_vec();
            let seed = seed(&self.secret(IKE_SECRETS, ("SKEYSEED", bytes)));
            let spis = Spis {
                initiator: request.proposals[0].spi[..].try_into().unwrap(),
                responder: list[0].spi[..].try_into().unwrap(),
            };
            let prf = DEFAULT.prf(suite.prf).unwrap();
            let keys = Keys::derive(prf, suite.protection, &seed, &both, spis).unwrap();
            self.check_keys(&keys);
            self.sas.push(IkeSa::new(keys));
            self.count[0] += 1;
            return;
        }
        let terms = Self::terms(&list, SpiRule::Child);
        let choice = check_answer(&request.proposals, &list, &terms, None).unwrap();
        let agreed = choice.child().unwrap();
        let (ni, nr) = &self.nonces;
        let both = if exchange == ExchangeType::IKE_AUTH {
            nonces(ni, nr)
        } else {
            both
        };
        let keys = &self.sas[place].keys;
        let (enc, len) = match agreed.suite {
            ChildSuite::Esp(id) => (id.enc_key_len(), agreed.suite.key_material_len()),
            other => panic!("{other}"),
        };
        let make = |g_ir: Option<&Secret>| keys.child(g_ir, &both, &[], len).unwrap();
        let g_ir = agreed.group.map(|_| {
            let bytes = |s: &Secret| make(Some(s)).from_initiator.expose()[..enc].to_vec();
            self.secret(&["DH secret"], ("encryption initiator key", bytes))
        });
        let made = make(g_ir.as_ref());
        for (keymat, side) in [
            (&made.from_initiator, "initiator"),
            (&made.from_responder, "responder"),
        ] {
            let (enc, mac) = keymat.expose().split_at(enc);
            self.logged(&format!("encryption {side} key"), enc);
            if !mac.is_empty() {
                self.logged(&format!("integrity {side} key"), mac);
            }
        }
        self.count[1] += 1;
    }
}

macro_rules! recorded {
    ($($test:ident, $file:literal, $count:expr;)*) => {$(
        #[test]
        fn $test() {
            let text = include_str!(concat!("data/lab-strongswan/", $file, ".txt"));
            let recording = Recording::read(text);
            let walk = Walk::run(&recording);
            assert_eq!(walk.count, $count);
        }
    )*};
}

recorded! {
    strongswan_cbc_sha256_modp2048, "v2-aes256-sha256-modp2048", [1, 1, 0, 2, 0];
    strongswan_gcm_x25519, "v2-gcm-x25519", [1, 1, 0, 4, 0];
    strongswan_chacha20_poly1305, "v2-chacha", [1, 1, 0, 2, 0];
    strongswan_3des_sha1_modp1024, "v2-3des-sha1-modp1024", [1, 1, 0, 2, 0];
    strongswan_fragments, "v2-frag", [1, 1, 0, 8, 6];
    strongswan_rekeys_of_both_kinds_with_pfs, "v2-rekey-pfs", [5, 10, 0, 58, 0];
    strongswan_ml_kem_768_in_ike_intermediate, "v2-6-mlkem768", [1, 1, 1, 5, 2];
    strongswan_ml_kem_1024_in_fragments, "v2-6-mlkem1024-frag", [1, 1, 1, 10, 8];
}

/// RFC 9242 §3.3.2 and RFC 9370 §2.2.2 to the end: AUTH of both sides, recomputed from the shared
/// secrets of the two key exchanges and the pre-shared key.
#[test]
fn rfc9242_auth_covers_the_intermediate_exchange() {
    for text in [
        include_str!("data/lab-strongswan/v2-6-mlkem768.txt"),
        include_str!("data/lab-strongswan/v2-6-mlkem1024-frag.txt"),
    ] {
        let r = Recording::read(text);
        let walk = Walk::run(&r);
        let int_auth = walk.int_auth.finish(2).unwrap();
        let keys = &walk.sas[0].keys;
        let packets = &r.packets[r.packets.len() - 2..];
        for (side, packet) in packets.iter().enumerate() {
            let message = Message::parse(packet, &LIMITS).unwrap();
            let opened = walk.sas[0].openers[side].open(&message).unwrap();
            let chain = opened.inner.payloads(&LIMITS).unwrap();
            let (id, sender) = [
                (PayloadType::ID_INITIATOR, Sender::Initiator),
                (PayloadType::ID_RESPONDER, Sender::Responder),
            ][side];
            let sk_p = keys.sk_p(sender).expose();
            let id = body(&chain, id).unwrap();
            let octets =
                SignedOctets::new(keys.prf(), sk_p, &r.packets[side], r.nonce(1 - side), id)
                    .with_intermediate(Some(&int_auth));
            let mic = shared_key_mic(keys.prf(), b"labsecret", &octets);
            let auth = body(&chain, PayloadType::AUTHENTICATION).unwrap();
            assert_eq!(mic.as_ref(), &auth[4..]);
        }
    }
}

/// RFC 8784 §3: `SK_d = prf (PPK, SK_d' | 0x01)`, likewise SK_pi and SK_pr; the others stay.
#[test]
fn rfc8784_s3_a_ppk_changes_three_keys() {
    let prf = DEFAULT.prf(PrfId::HmacSha256).unwrap();
    let both = nonces(&[1; 32], &[2; 32]);
    let spis = Spis {
        initiator: [3; 8],
        responder: [4; 8],
    };
    let seed = skeyseed(prf, &both, &[5; 32]);
    let derive = || Keys::derive(prf, recording::CBC_256, &seed, &both, spis).unwrap();
    let (plain, mut mixed) = (derive(), derive());
    let ppk = Secret::from(&b"a post-quantum pre-shared key"[..]);
    mixed.mix_ppk(&ppk).unwrap();
    let by_hand = |key: &Secret| prf.prf(ppk.expose(), &[key.expose(), &[1]]);
    assert_eq!(mixed.sk_d().expose(), by_hand(plain.sk_d()).as_ref());
    for sender in [Sender::Initiator, Sender::Responder] {
        assert_eq!(
            mixed.sk_p(sender).expose(),
            by_hand(plain.sk_p(sender)).as_ref()
        );
        assert_eq!(mixed.sk_e(sender), plain.sk_e(sender));
        assert_eq!(mixed.sk_a(sender), plain.sk_a(sender));
    }
}

#[test]
fn rfc7296_s2_13_prf_plus_ends_after_255_blocks() {
    let prf = DEFAULT.prf(PrfId::HmacSha256).unwrap();
    let most = 255 * 32;
    assert_eq!(prf_plus(prf, b"k", &[b"s"], most).unwrap().len(), most);
    assert!(prf_plus(prf, b"k", &[b"s"], most + 1).is_err());
    assert!(prf_plus(prf, b"k", &[b"s"], 0).unwrap().is_empty());
}
