//! Every state against every kind of message, with each payload missing, doubled or foreign: all are
//! refused, and the negotiation goes on afterwards as if nothing had come.

#![allow(clippy::arithmetic_side_effects)]

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::{CipherId, DEFAULT, HashId, Secret};
use isakmp_wire::v1::{Body, Message, PayloadChain, PayloadType, Writer};
use isakmp_wire::{Flags, Header, Limits};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::Endpoint;
use crate::config::{ChildConfig, Config, PeerConfig, Phase1Mode, Prefix, PskOwner, Schedule};
use crate::context::Context;
use crate::core::effects::TimerKey;
use crate::event::{Action, Actions, ChildUpdate, Command, Event, KeyLog};
use crate::model::{CloseReason, IkeVersion, Outcome, Path, Selector};
use crate::v1::keys::Iv;
use crate::{child, v1};

/// The messages of main mode (0 to 5), quick mode (6 to 8) and aggressive mode (9 to 11); what each
/// must carry once, and may carry.
const MESSAGES: [(&[PayloadType], &[PayloadType]); 12] = [
    (&[PayloadType::SA], &[PayloadType::VENDOR_ID]),
    (&[PayloadType::SA], &[PayloadType::VENDOR_ID]),
    (KE, KE_MAY),
    (KE, KE_MAY),
    (ID, ID_MAY),
    (ID, ID_MAY),
    (QM, QM_MAY),
    (QM, QM_MAY),
    (&[PayloadType::HASH], &[PayloadType::NOTIFICATION]),
    (
        &[
            PayloadType::SA,
            PayloadType::KEY_EXCHANGE,
            PayloadType::NONCE,
            PayloadType::IDENTIFICATION,
        ],
        &[PayloadType::VENDOR_ID, PayloadType::CERTIFICATE_REQUEST],
    ),
    (
        &[
            PayloadType::SA,
            PayloadType::KEY_EXCHANGE,
            PayloadType::NONCE,
            PayloadType::IDENTIFICATION,
            PayloadType::HASH,
        ],
        KE_MAY,
    ),
    (
        &[PayloadType::HASH],
        &[
            PayloadType::NAT_D,
            PayloadType::VENDOR_ID,
            PayloadType::NOTIFICATION,
        ],
    ),
];
const MAIN: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7, 8];
const AGGRESSIVE: &[usize] = &[9, 10, 11, 6, 7, 8];
const KE: &[PayloadType] = &[PayloadType::KEY_EXCHANGE, PayloadType::NONCE];
const KE_MAY: &[PayloadType] = &[
    PayloadType::VENDOR_ID,
    PayloadType::NAT_D,
    PayloadType::CERTIFICATE_REQUEST,
];
const ID: &[PayloadType] = &[PayloadType::IDENTIFICATION, PayloadType::HASH];
const ID_MAY: &[PayloadType] = &[PayloadType::NOTIFICATION, PayloadType::VENDOR_ID];
const QM: &[PayloadType] = &[PayloadType::HASH, PayloadType::SA, PayloadType::NONCE];
const QM_MAY: &[PayloadType] = &[PayloadType::NOTIFICATION, PayloadType::VENDOR_ID];

fn config(own: &str, peer: &str, nets: [&str; 2]) -> Config {
    let mut config = Config::default();
    let mut p = PeerConfig::new("peer");
    p.version = IkeVersion::V1;
    p.addresses.push(peer.parse().unwrap());
    p.local_address = Some(own.parse().unwrap());
    let [local, remote] = nets.map(|net| Selector::subnet(net.parse().unwrap(), 24).unwrap());
    p.children.push(ChildConfig::new("net", local, remote));
    config.peers.push(p);
    let owner = PskOwner::Prefix(Prefix::host(peer.parse().unwrap()));
    config.psks.insert(owner, Secret::from(&b"secret"[..]));
    config.explain = false;
    config.key_log = true;
    // Aggressive mode sends it as a message of its own.
    config.peers[0].initial_contact = false;
    config
}

struct Bench {
    ends: [Endpoint; 2],
    rng: ChaCha20Rng,
    key: Option<Secret>,
    /// Public values of messages 3 and 4.
    public: Vec<Vec<u8>>,
    refused: usize,
    /// Why a child has failed.
    failed: Option<CloseReason>,
}

type Payloads = Vec<(PayloadType, Vec<u8>)>;

/// The path of a message where it arrives.
const fn arrival(sent: &Path) -> Path {
    Path {
        local: sent.remote,
        remote: sent.local,
        natt: sent.natt,
    }
}

impl Bench {
    fn new(mode: Phase1Mode) -> Self {
        let mut a = config("192.0.2.1", "192.0.2.2", ["10.1.0.0", "10.2.0.0"]);
        let mut b = config("192.0.2.2", "192.0.2.1", ["10.2.0.0", "10.1.0.0"]);
        (a.peers[0].mode, b.peers[0].mode) = (mode, mode);
        Self {
            ends: [a, b].map(|c| Endpoint::new(c, &DEFAULT).unwrap()),
            rng: ChaCha20Rng::seed_from_u64(5),
            key: None,
            public: Vec::new(),
            refused: 0,
            failed: None,
        }
    }

    /// The first end starts; what is on its way, and to whom.
    fn start(&mut self) -> VecDeque<(usize, (Path, Vec<u8>))> {
        let command = Command::Initiate {
            peer: "peer".into(),
            children: Vec::new(),
        };
        let (_, out) = self.feed(0, Event::Command(command));
        out.into_iter().map(|sent| (1, sent)).collect()
    }

    fn feed(&mut self, end: usize, event: Event<'_>) -> (Outcome, Vec<(Path, Vec<u8>)>) {
        let mut actions = Actions::new();
        let now = Duration::from_secs(1);
        let outcome = self.ends[end].handle(event, now, &mut self.rng, &mut actions);
        let mut out = Vec::new();
        while let Some(action) = actions.pop() {
            match action {
                Action::Send { path, datagram } => out.push((path, datagram.to_vec())),
                Action::KeyLog(KeyLog::Ikev1 { encryption_key, .. }) => {
                    self.key = Some(encryption_key);
                }
                Action::ChildFailed { reason, .. } => self.failed = Some(reason),
                _ => {}
            }
        }
        (outcome, out)
    }

    /// A message that must be refused and change nothing.
    fn refuse(&mut self, end: usize, path: Path, message: &[u8], what: &str) {
        let before = alloc::format!("{:?}", self.ends[end].state());
        let (outcome, out) = self.feed(end, Event::Datagram { path, message });
        assert!(outcome.dropped().is_some(), "{what}: {outcome:?}");
        let after = alloc::format!("{:?}", self.ends[end].state());
        assert!(
            before == after,
            "{what} changed the state\n{before}\n{after}"
        );
        assert!(
            out.iter().all(|(_, d)| d.len() <= message.len()),
            "{what}: amplified"
        );
        self.refused += 1;
    }

    /// The payloads of a message, decrypted, and the IV it was encrypted with.
    fn payloads(&self, sender: usize, number: usize, raw: &[u8]) -> (Payloads, Option<Iv>) {
        let message = Message::parse(raw, &Limits::DEFAULT).unwrap();
        let list = |chain: PayloadChain<'_>| {
            chain
                .iter()
                .map(|p| (p.payload_type, p.body.to_vec()))
                .collect()
        };
        match message.body {
            Body::Clear(chain) => (list(chain), None),
            Body::Encrypted(octets) => {
                let iv = self.iv(sender, number, &message.header);
                let mut plain = octets.to_vec();
                self.cipher().decrypt(iv.as_ref(), &mut plain).unwrap();
                (
                    list(message.decrypted(&plain, &Limits::DEFAULT).unwrap()),
                    Some(iv),
                )
            }
        }
    }

    fn cipher(&self) -> alloc::boxed::Box<dyn crypto_suite::CipherKey> {
        let cipher = DEFAULT.cipher(CipherId::Aes256Cbc).unwrap();
        cipher.new_key(self.key.as_ref().unwrap().expose()).unwrap()
    }

    /// RFC 2409 Appendix B. For messages 6, 8 and 9 the chain goes on: see [`Self::last`].
    fn iv(&self, sender: usize, number: usize, header: &Header) -> Iv {
        let hash = DEFAULT.hash(HashId::Sha256).unwrap();
        match number {
            4 | 11 => Iv::new(
                hash.digest(&[&self.public[0], &self.public[1]]).as_ref(),
                16,
            )
            .unwrap(),
            6 => {
                let up = self.ends[sender]
                    .sessions
                    .values()
                    .next()
                    .unwrap()
                    .v1()
                    .and_then(v1::Session::up)
                    .unwrap();
                up.agreed
                    .cipher
                    .exchange_iv(&up.agreed.last_block, header.message_id)
                    .unwrap()
            }
            _ => Iv::new(self.public.last().unwrap(), 16).unwrap(),
        }
    }

    /// Builds a message of these payloads, HASH(1) to HASH(3) made anew where one is due.
    fn build(
        &self,
        sender: usize,
        number: usize,
        raw: &[u8],
        payloads: &Payloads,
        iv: Option<Iv>,
    ) -> Vec<u8> {
        let header = Header::read(raw).unwrap();
        let mut octets = Vec::new();
        let Some(iv) = iv else {
            let mut writer = Writer::new(&mut octets, &header).unwrap();
            for (kind, body) in payloads {
                writer.payload(*kind, body).unwrap();
            }
            writer.finish().unwrap();
            return octets;
        };
        let mut writer = Writer::chain_only(&mut octets);
        let mut hash = None;
        for (kind, body) in payloads {
            let written = writer.payload(*kind, body).unwrap();
            if *kind == PayloadType::HASH && hash.is_none() {
                hash = Some(written);
            }
        }
        if let (6 | 7, Some(place)) = (number, hash) {
            let up = self.ends[sender]
                .sessions
                .values()
                .next()
                .unwrap()
                .v1()
                .and_then(v1::Session::up)
                .unwrap();
            let rest = writer.octets_after(place).to_vec();
            let keys = &up.agreed.keys;
            let digest = match number {
                6 => keys.hash_1(header.message_id, &rest),
                _ => keys.hash_2(header.message_id, &self.public[2], &rest),
            };
            writer.patch(place, digest.as_ref()).unwrap();
        }
        let first = writer.first();
        octets.resize(octets.len().next_multiple_of(16).max(16), 0);
        self.cipher().encrypt(iv.as_ref(), &mut octets).unwrap();
        let length = u32::try_from(Header::LEN + octets.len()).unwrap();
        let header = Header {
            next_payload: first.0,
            length,
            ..header
        };
        let mut message = header.to_bytes().to_vec();
        message.extend(octets);
        message
    }

    /// Everything that can be wrong with the payloads of message `number`.
    fn wrong_payloads(&mut self, to: usize, number: usize, path: Path, raw: &[u8]) {
        let (genuine, iv) = self.payloads(1 - to, number, raw);
        let (once, may) = MESSAGES[number];
        let mut variants: Vec<(String, Payloads)> = Vec::new();
        for (n, (kind, _)) in genuine.iter().enumerate() {
            if once.contains(kind) {
                let mut missing = genuine.clone();
                missing.remove(n);
                variants.push((alloc::format!("message {number} without {kind}"), missing));
            }
            if !may.contains(kind) {
                let mut doubled = genuine.clone();
                doubled.push(genuine[n].clone());
                let doubled = (
                    alloc::format!("message {number} with {kind} doubled"),
                    doubled,
                );
                // A third client identity is one too many, as is a second of anything else.
                variants.push(doubled);
            }
        }
        for number_of in (1..=19).chain([21, 33, 100, 127]) {
            let kind = PayloadType(number_of);
            let there = genuine.iter().any(|(k, _)| *k == kind);
            let optional = matches!(number, 6 | 7) && matches!(number_of, 4 | 5 | 21);
            if !there && !may.contains(&kind) && !optional {
                let mut extra = genuine.clone();
                extra.push((kind, alloc::vec![0; 24]));
                variants.push((
                    alloc::format!("message {number} with foreign {kind}"),
                    extra,
                ));
            }
        }
        if genuine.len() > 1 && matches!(number, 0 | 1 | 6 | 7 | 9 | 10) {
            let mut turned = genuine.clone();
            turned.reverse();
            variants.push((alloc::format!("message {number} in reverse"), turned));
        }
        for (what, payloads) in variants {
            let message = self.build(1 - to, number, raw, &payloads, iv);
            self.refuse(to, path, &message, &what);
        }
    }

    /// Bytes that are no message of any kind.
    fn broken_bytes(&mut self, to: usize, path: Path, raw: &[u8]) {
        for len in (0..raw.len()).step_by(if raw.len() > 300 { 7 } else { 1 }) {
            self.refuse(to, path, &raw[..len], "cut");
        }
        // A header that states 27, a payload of length 0 and of 3, a RESERVED octet.
        for (at, value) in [(27, 27), (30, 0), (31, 0), (31, 3), (29, 1)] {
            let mut broken = raw.to_vec();
            broken[at] = value;
            if at >= 28 && raw[19] & 1 != 0 {
                continue;
            }
            if at == 30 {
                broken[31] = 0;
            }
            if broken != raw {
                self.refuse(to, path, &broken, "broken field");
            }
        }
    }

    /// Messages of every other exchange, with the cookies of this negotiation.
    fn other_kinds(&mut self, to: usize, number: usize, path: Path, raw: &[u8]) {
        let genuine = Header::read(raw).unwrap();
        for exchange in [0u8, 1, 2, 3, 4, 5, 6, 32, 33, 34, 35, 37, 200] {
            for flags in [Flags::NONE, Flags::ENCRYPTION, Flags::COMMIT, Flags(0xff)] {
                for message_id in [0, 1, genuine.message_id] {
                    let same = exchange == genuine.exchange_type.0
                        && message_id == genuine.message_id
                        && flags.contains(Flags::ENCRYPTION)
                            == genuine.flags.contains(Flags::ENCRYPTION)
                        && !flags.contains(Flags::COMMIT);
                    if same {
                        continue;
                    }
                    let mut message = raw.to_vec();
                    message[18] = exchange;
                    message[19] = flags.0;
                    message[20..24].copy_from_slice(&message_id.to_be_bytes());
                    if matches!(number, 6..=8) && exchange == 32 && message_id == genuine.message_id
                    {
                        // Flags of a quick mode besides Encryption change nothing in it.
                        if flags.contains(Flags::ENCRYPTION) {
                            continue;
                        }
                    }
                    let what = alloc::format!(
                        "message {number} as exchange {exchange}, {flags}, id {message_id:#x}"
                    );
                    self.refuse(to, path, &message, &what);
                }
            }
        }
    }
}

#[test]
fn d1_every_state_refuses_every_wrong_message_and_goes_on() {
    every_state(Phase1Mode::Main, MAIN, 2000);
}

#[test]
fn d1_every_state_of_aggressive_mode_refuses_every_wrong_message_and_goes_on() {
    every_state(Phase1Mode::AggressiveExposingPskHash, AGGRESSIVE, 1500);
}

fn every_state(mode: Phase1Mode, messages: &[usize], refusals: usize) {
    let mut bench = Bench::new(mode);
    let mut flights = bench.start();
    for number in messages {
        let (to, (sent, raw)) = flights.pop_front().unwrap();
        let path = arrival(&sent);
        bench.broken_bytes(to, path, &raw);
        bench.other_kinds(to, *number, path, &raw);
        bench.wrong_payloads(to, *number, path, &raw);
        bench.note(1 - to, *number, &raw);
        let event = Event::Datagram {
            path,
            message: &raw,
        };
        let (outcome, out) = bench.feed(to, event);
        assert_eq!(outcome, Outcome::Handled, "message {number}");
        flights.extend(out.into_iter().map(|sent| (1 - to, sent)));
    }
    assert!(flights.is_empty());
    for end in &bench.ends {
        assert_eq!(
            end.world.children.iter().filter(|c| c.is_current()).count(),
            1
        );
    }
    assert!(bench.refused > refusals, "{}", bench.refused);
}

impl Bench {
    /// Keeps what later messages are encrypted or authenticated with: the public values of messages
    /// 3 and 4, the nonce of message 7, the last cipher block of each encrypted one.
    fn note(&mut self, sender: usize, number: usize, raw: &[u8]) {
        match number {
            2 | 3 | 9 | 10 => {
                let (payloads, _) = self.payloads(sender, number, raw);
                let ke = payloads
                    .into_iter()
                    .find(|(k, _)| *k == PayloadType::KEY_EXCHANGE);
                self.public.push(ke.unwrap().1);
            }
            6 => {
                let (payloads, _) = self.payloads(sender, number, raw);
                let nonce = payloads.into_iter().find(|(k, _)| *k == PayloadType::NONCE);
                self.public.truncate(2);
                self.public.push(nonce.unwrap().1);
                self.public.push(raw[raw.len() - 16..].to_vec());
            }
            4 | 5 | 7 | 11 => self.public.push(raw[raw.len() - 16..].to_vec()),
            _ => {}
        }
    }
}

/// An answer in quick mode that is authentic and not what was offered: nothing better will come. The
/// peer, which has set up its half, is told. Gives the reason.
fn answered_otherwise(change: impl Fn(&mut Payloads)) -> Option<CloseReason> {
    let mut bench = Bench::new(Phase1Mode::Main);
    let mut flights = bench.start();
    for number in MAIN {
        let (to, (sent, mut raw)) = flights.pop_front().unwrap();
        if *number == 7 {
            let (mut payloads, iv) = bench.payloads(1 - to, *number, &raw);
            change(&mut payloads);
            raw = bench.build(1 - to, *number, &raw, &payloads, iv);
        } else {
            bench.note(1 - to, *number, &raw);
        }
        let path = arrival(&sent);
        let event = Event::Datagram {
            path,
            message: &raw,
        };
        let (outcome, out) = bench.feed(to, event);
        assert_eq!(outcome, Outcome::Handled, "message {number}");
        flights.extend(out.into_iter().map(|sent| (1 - to, sent)));
        if *number == 7 {
            break;
        }
    }
    assert_eq!(bench.ends[0].world.children.iter().count(), 0);
    assert!(bench.ends[0].leftovers().is_empty());
    assert_eq!(bench.ends[1].world.children.iter().count(), 1);
    let (_, (sent, raw)) = flights.pop_front().unwrap();
    let path = arrival(&sent);
    let event = Event::Datagram {
        path,
        message: &raw,
    };
    assert_eq!(bench.feed(1, event).0, Outcome::Handled);
    assert_eq!(bench.ends[1].world.children.iter().count(), 0);
    bench.failed
}

#[test]
fn l13_a_quick_mode_that_the_peer_answers_otherwise_ends_with_a_delete() {
    let transport = |payloads: &mut Payloads| {
        let sa = payloads.iter_mut().find(|(k, _)| *k == PayloadType::SA);
        let sa = &mut sa.unwrap().1;
        // Encapsulation mode (4): tunnel (1) becomes transport (2).
        let mode = sa.windows(4).position(|a| a == [0x80, 4, 0, 1]).unwrap();
        sa[mode + 3] = 2;
    };
    assert_eq!(answered_otherwise(transport), Some(CloseReason::Refused));
}

/// IKEv1 cannot narrow (RFC 2409 §5.5): a peer that tries is named for that.
#[test]
fn l15_a_peer_that_narrows_in_ikev1_is_said_to_do_so() {
    let half = |payloads: &mut Payloads| {
        let ids = payloads.iter_mut();
        let ids = ids.filter(|(k, _)| *k == PayloadType::IDENTIFICATION);
        let (_, idcr) = ids.last().unwrap();
        // 255.255.255.0 becomes 255.255.255.128.
        *idcr.last_mut().unwrap() = 128;
    };
    let reason = answered_otherwise(half);
    assert_eq!(reason, Some(CloseReason::SelectorsChanged));
}

/// RFC 2407 §4.6.3.1: the responder tells a lifetime that is shorter than what was agreed on.
#[test]
fn a_shorter_lifetime_that_the_peer_tells_holds_at_once() {
    let mut bench = Bench::new(Phase1Mode::Main);
    let mut flights = bench.start();
    while let Some((to, (sent, raw))) = flights.pop_front() {
        let path = arrival(&sent);
        let message = &raw[..];
        let (_, out) = bench.feed(to, Event::Datagram { path, message });
        flights.extend(out.into_iter().map(|sent| (1 - to, sent)));
    }
    let end = &mut bench.ends[0];
    let child = end.world.children.iter().next().unwrap();
    let (id, started) = (child.id, child.started);
    let (soft, hard) = (Duration::from_secs(20), Duration::from_secs(30));
    let schedule = Schedule {
        soft,
        hard,
        ..child.schedule
    };
    let mut actions = Actions::new();
    let mut ctx = Context {
        config: &end.config,
        provider: end.provider,
        now: Duration::from_secs(5),
        version: None,
        rng: &mut bench.rng,
        actions: &mut actions,
        world: &mut end.world,
    };
    child::shorten(&mut ctx, id, schedule);
    let child = end.world.children.get(id).unwrap();
    assert_eq!(child.deadline().map(|due| due.at), Some(started + soft));
    assert!(end.world.touched.contains(&TimerKey::Child(id)));
    // The data path is told.
    let Some(Action::UpdateChild(told, ChildUpdate::Lifetime(lifetime))) = actions.pop() else {
        panic!("no update");
    };
    assert_eq!(
        (told, lifetime.soft, lifetime.hard),
        (id, Some(soft), Some(hard))
    );
}
