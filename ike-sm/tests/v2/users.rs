//! Users of EAP at one gateway: what each of them may have, end and replace is bound to what EAP has
//! proved, whatever its Identification payload says (RFC 7296 §2.16; RFC 4301 §4.4.3.4).
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crypto_suite::{DEFAULT, EcdsaCurve, EcdsaForm, HashId, Secret, SignatureId, SigningKey};
use hex_literal::hex;
use ike_sm::config::v2::{
    Assign, Assignment, Credential, EapMethod, EapUsers, LocalAuth, RemoteAuth, SendCertificate,
    Wanted,
};
use ike_sm::config::{ChildConfig, Identity, PeerConfig, Prefix, RemoteIdentity};
use ike_sm::{
    Answer, CloseReason, Command, EapPassword, Event, IkeStatus, Outcome, Path, Question,
    Selectors, UserGrant,
};

use crate::common::{A, End, ip, net, secs};
use crate::configs;
use crate::credentials::any_signature;

const P256: SignatureId = SignatureId::Ecdsa(EcdsaCurve::P256, HashId::Sha256, EcdsaForm::Der);
static CLIENTS: AtomicU64 = AtomicU64::new(100);

/// Where the second user is.
pub const M: &str = "198.51.100.9";

fn key() -> Box<dyn SigningKey> {
    let mut der = hex!(
        "303102010104 20 0000000000000000000000000000000000000000000000000000000000000000"
        "a00a06082a8648ce3d030107"
    );
    der[7..39].fill(2);
    DEFAULT.signature(P256).unwrap().signing_key(&der).unwrap()
}

/// Each user of this gateway has an account in lower case and a password that is not the others'.
fn account(user: &str) -> Option<EapPassword> {
    let name = user.rsplit('\\').next().unwrap().to_lowercase();
    let known = ["alice", "alice@corp.example", "mallory"];
    let password = Secret::from(format!("the password of {name}").as_bytes());
    known
        .contains(&name.as_str())
        .then(|| EapPassword::of(name, password))
}

/// A gateway with an authority and a pool, and what its embedder answers.
pub struct Gateway {
    pub end: End,
    /// What becomes of a user who claims to be somebody.
    pub judge: fn(&str, &Identity) -> Option<UserGrant>,
    leases: BTreeMap<Identity, u8>,
    /// Users whose passwords were looked up, as they were sent.
    pub looked_up: Vec<String>,
}

/// A client somewhere.
pub struct Client {
    pub end: End,
    pub address: &'static str,
    /// A password that it tries in place of its own.
    pub guess: Option<&'static [u8]>,
}

pub fn gateway(change: impl Fn(&mut PeerConfig)) -> Gateway {
    let (_, mut b) = configs(|_| {});
    let peer = &mut b.peers[0];
    peer.networks.push(Prefix::new(ip("0.0.0.0"), 0).unwrap());
    peer.remote_id = RemoteIdentity::Any;
    peer.auth.local = LocalAuth::Signature(Credential {
        chain: vec![b"a certificate".to_vec()],
        raw_key: None,
        schemes: vec![P256],
        send: SendCertificate::Always,
    });
    peer.auth.remote = RemoteAuth::Eap {
        method: EapMethod::MsChapV2 {
            ask_identity: true,
            retries: 0,
        },
        eap_only: false,
    };
    change(peer);
    Gateway {
        end: End::new(b, 2),
        judge: |_, _| Some(UserGrant::all()),
        leases: BTreeMap::new(),
        looked_up: Vec::new(),
    }
}

/// One that gives addresses out of 10.1.9.0/24.
fn with_pool(peer: &mut PeerConfig) {
    peer.addresses_inside.assign = Assign::Required;
}

pub fn client(
    (user, id): (&str, &str),
    address: &'static str,
    change: impl Fn(&mut PeerConfig),
) -> Client {
    let (mut a, _) = configs(|_| {});
    let peer = &mut a.peers[0];
    peer.local_id = Some(Identity::UserFqdn(id.into()));
    peer.local_address = Some(ip(address));
    peer.remote_id = RemoteIdentity::Any;
    peer.auth.local = LocalAuth::Eap {
        user: user.into(),
        eap_only: false,
    };
    peer.auth.remote = any_signature();
    change(peer);
    // No two clients draw the same SPIs.
    let seed = CLIENTS.fetch_add(1, Relaxed);
    Client {
        end: End::new(a, seed),
        address,
        guess: None,
    }
}

/// One that asks for an address and uses nothing else.
fn asks(peer: &mut PeerConfig) {
    peer.addresses_inside.request.ipv4 = Wanted::Any;
    peer.children[0].local = net("0.0.0.0", 0).into();
}

impl Gateway {
    fn answer(&mut self, question: Question) -> Answer {
        match question {
            Question::Sign { octets, .. } => {
                Answer::Signature(Some(key().sign(&mut self.end.rng, &[&octets]).unwrap()))
            }
            Question::EapPassword { user, .. } => {
                let known = account(&user);
                self.looked_up.push(user);
                Answer::EapPassword(known)
            }
            Question::AuthorizeUser { user, claimed, .. } => {
                Answer::User((self.judge)(&user, &claimed))
            }
            Question::AssignAddress { identity, .. } => {
                let next = u8::try_from(self.leases.len()).unwrap() + 1;
                let number = *self.leases.entry(identity).or_insert(next);
                Answer::Addresses(Some(Assignment {
                    ipv4: Some([10, 1, 9, number].into()),
                    ..Assignment::default()
                }))
            }
            other => panic!("{other:?}"),
        }
    }

    /// Lets a client talk to the gateway until nobody has anything to say.
    pub fn talk(&mut self, client: &mut Client, first: Vec<(Path, Vec<u8>)>, now: Duration) {
        let mut queue: VecDeque<(bool, Path, Vec<u8>)> =
            first.into_iter().map(|(p, d)| (true, p, d)).collect();
        for _ in 0..400 {
            if let Some((to_gateway, path, datagram)) = queue.pop_front() {
                let mut path = Path {
                    local: path.remote,
                    remote: path.local,
                    ..path
                };
                let message = &datagram[if path.natt { 4 } else { 0 }..];
                let end = if to_gateway {
                    path.remote.set_ip(ip(client.address));
                    &mut self.end
                } else {
                    path.local.set_ip(ip(client.address));
                    &mut client.end
                };
                let (_, out) = end.feed(Event::Datagram { path, message }, now);
                queue.extend(out.into_iter().map(|(p, d)| (!to_gateway, p, d)));
                continue;
            }
            let (theirs, ours) = (
                std::mem::take(&mut client.end.asked),
                std::mem::take(&mut self.end.asked),
            );
            if theirs.is_empty() && ours.is_empty() {
                return;
            }
            for (ticket, question) in theirs {
                let answer = match question {
                    Question::VerifyCertificate { .. } => {
                        Answer::PublicKey(Ok(key().public_key().to_vec()))
                    }
                    Question::EapPassword { user, .. } => {
                        let guess = client.guess.map(Into::into);
                        Answer::EapPassword(guess.or_else(|| account(&user)))
                    }
                    other => panic!("{other:?}"),
                };
                let (_, out) = client.end.feed(Event::Answer(ticket, answer), now);
                queue.extend(out.into_iter().map(|(p, d)| (true, p, d)));
            }
            for (ticket, question) in ours {
                let answer = self.answer(question);
                let (_, out) = self.end.feed(Event::Answer(ticket, answer), now);
                queue.extend(out.into_iter().map(|(p, d)| (false, p, d)));
            }
        }
        panic!("they talk for ever");
    }

    /// A client calls, for all that it wants.
    pub fn connect(&mut self, client: &mut Client, now: Duration) {
        let command = Command::Initiate {
            peer: "peer".into(),
            children: Vec::new(),
        };
        let (outcome, out) = client.end.feed(Event::Command(command), now);
        assert_eq!(outcome, Outcome::Handled);
        self.talk(client, out, now);
    }

    /// Time passes at the gateway alone.
    fn wait(&mut self, from: u64, until: u64) {
        for second in from..until {
            let due = self.end.endpoint.next_deadline();
            if due.is_some_and(|d| d.at <= secs(second)) {
                let _ = self.end.feed(Event::Deadline, secs(second));
            }
        }
    }

    /// The IKE SAs that are up.
    pub fn up(&self) -> Vec<IkeStatus> {
        let all = self.end.endpoint.ike_sas();
        all.filter(|sa| sa.established.is_some()).collect()
    }

    /// Who the peers of the IKE SAs that are up have proved to be, and whether each still serves.
    pub fn users(&self) -> Vec<(String, bool)> {
        let up = self.up().into_iter().filter_map(|sa| sa.established);
        up.map(|e| (e.remote_id.to_string(), !e.replaced)).collect()
    }

    pub fn log(&self) -> String {
        self.end.log.join("")
    }
}

#[test]
fn x1_a_user_who_only_says_to_be_another_one_ends_and_replaces_nothing_of_it() {
    for initial_contact in [true, false] {
        let mut gateway = gateway(with_pool);
        let mut alice = client(("alice", "alice@corp.example"), A, asks);
        gateway.connect(&mut alice, secs(1));
        let of_alice: Vec<_> = gateway.end.children.keys().copied().collect();
        assert_eq!(of_alice.len(), 1);
        // The password of mallory, the name of alice.
        let mut mallory = client(("mallory", "alice@corp.example"), M, |peer| {
            asks(peer);
            peer.initial_contact = initial_contact;
        });
        gateway.connect(&mut mallory, secs(10));
        gateway.wait(11, 400);
        let users = [("alice".to_string(), true), ("mallory".to_string(), true)];
        assert_eq!(gateway.users(), users, "{initial_contact}");
        assert!(gateway.end.children.contains_key(&of_alice[0]));
        assert!(gateway.end.removed.is_empty() && gateway.end.closed.is_empty());
        // Each has an address of its own, by who it is and not by who it says it is.
        let remotes: Vec<_> = gateway.end.children.values().map(|c| &c.remote).collect();
        let host = |n: &str| Selectors::from(net(n, 32));
        assert_eq!(remotes, [&host("10.1.9.1"), &host("10.1.9.2")]);
        // Both names are shown.
        let claims: Vec<_> = gateway
            .up()
            .into_iter()
            .map(|sa| sa.established.unwrap().claimed_id)
            .collect();
        let said = Some(Identity::UserFqdn("alice@corp.example".into()));
        assert_eq!(claims, [said.clone(), said]);
        let words = "EAP has authenticated mallory, who claims to be alice@corp.example";
        assert!(gateway.log().contains(words), "{}", gateway.log());
    }
}

#[test]
fn x1_a_second_call_of_the_same_user_takes_the_place_of_the_first() {
    let mut gateway = gateway(with_pool);
    let mut first = client(("alice", "alice@corp.example"), A, asks);
    gateway.connect(&mut first, secs(1));
    let mut second = client(("alice", "laptop@corp.example"), M, asks);
    gateway.connect(&mut second, secs(10));
    // The first one may be another device: it is told, and does not answer.
    let alice = |serves| ("alice".to_string(), serves);
    assert_eq!(gateway.users(), [alice(false), alice(true)]);
    assert_eq!(gateway.end.removed[0].1, CloseReason::PeerRestarted);
    gateway.wait(11, 400);
    assert_eq!(gateway.users(), [alice(true)]);
    let child = gateway.end.children.values().next().unwrap();
    assert_eq!(child.remote, net("10.1.9.1", 32).into());
}

#[test]
fn x1_a_peer_with_a_name_lets_no_other_user_in() {
    let name = || Identity::UserFqdn("alice@corp.example".into());
    let mut gateway = gateway(|peer| {
        with_pool(peer);
        peer.remote_id = RemoteIdentity::Is(name());
    });
    let mut mallory = client(("mallory", "alice@corp.example"), M, asks);
    gateway.connect(&mut mallory, secs(1));
    assert_eq!(gateway.users(), []);
    assert!(gateway.end.children.is_empty() && mallory.end.children.is_empty());
    // AUTHENTICATION_FAILED, after the password was right.
    assert_eq!(mallory.end.closed[0].1, CloseReason::RefusedByPeer(24));
    let log = gateway.log();
    for words in [
        "EAP has authenticated mallory",
        "user mallory: may not be this peer",
        "the user that EAP has authenticated may not be this peer",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(!log.contains("SA has been authenticated"), "{log}");
    let mut alice = client(("alice@corp.example", "alice@corp.example"), A, asks);
    gateway.connect(&mut alice, secs(10));
    assert_eq!(gateway.users(), [("alice@corp.example".to_string(), true)]);
}

/// A gateway with a child `net` for all and a child `admin` for some, who the embedder says.
fn with_admins() -> Gateway {
    let mut gateway = gateway(|peer| {
        with_pool(peer);
        peer.auth.users = EapUsers::Asked;
        let admin = ChildConfig::new("admin", net("10.3.0.0", 16), net("10.1.0.0", 16));
        peer.children.push(admin);
    });
    gateway.judge = |user, claimed| match (user, claimed) {
        ("alice", _) => Some(UserGrant::all()),
        ("mallory", Identity::UserFqdn(_)) => Some(UserGrant::children(["net"])),
        _ => None,
    };
    gateway
}

fn asks_for_both(peer: &mut PeerConfig) {
    asks(peer);
    let admin = ChildConfig::new("admin", net("0.0.0.0", 0), net("10.3.0.0", 16));
    peer.children.push(admin);
}

#[test]
fn x1_the_embedder_says_which_children_a_user_may_have() {
    let mut gateway = with_admins();
    let mut alice = client(("alice", "whoever@corp.example"), A, asks_for_both);
    gateway.connect(&mut alice, secs(1));
    assert_eq!(gateway.end.children.len(), 2);
    let mut mallory = client(("mallory", "alice@corp.example"), M, asks_for_both);
    gateway.connect(&mut mallory, secs(2));
    // TS_UNACCEPTABLE for the second one.
    assert_eq!(mallory.end.failed, [CloseReason::RefusedByPeer(38)]);
    let names = |client: &Client| -> Vec<String> {
        let children = client.end.children.values();
        children.map(|c| c.name.clone()).collect()
    };
    assert_eq!(names(&alice), ["net", "admin"]);
    assert_eq!(names(&mallory), ["net"]);
    // A rekeyed IKE SA is no way round it.
    let old = mallory.end.ikes[0];
    let (_, out) = mallory
        .end
        .feed(Event::Command(Command::RekeyIke(old)), secs(3));
    gateway.talk(&mut mallory, out, secs(3));
    assert!(mallory.end.ikes.iter().any(|ike| *ike != old));
    gateway.connect(&mut mallory, secs(4));
    assert_eq!(names(&mallory), ["net"]);
    assert_eq!(mallory.end.failed.len(), 2);
    assert_eq!(gateway.end.children.len(), 3);
}

#[test]
fn x1_the_embedder_turns_a_user_away() {
    let mut gateway = with_admins();
    gateway.judge = |_, _| None;
    let mut alice = client(("alice", "alice@corp.example"), A, asks);
    gateway.connect(&mut alice, secs(1));
    assert_eq!(alice.end.closed[0].1, CloseReason::RefusedByPeer(24));
    assert!(gateway.users().is_empty() && gateway.end.children.is_empty());
}

#[test]
fn x2_with_a_pool_there_is_no_child_without_an_address_of_it() {
    let mut gateway = gateway(with_pool);
    let mut alice = client(("alice", "alice@corp.example"), A, asks);
    gateway.connect(&mut alice, secs(1));
    // The address of alice, and no request for one.
    let mut mallory = client(("mallory", "mallory@corp.example"), M, |peer| {
        peer.children[0].local = net("10.1.9.1", 32).into();
    });
    gateway.connect(&mut mallory, secs(2));
    // FAILED_CP_REQUIRED, in IKE_AUTH and after it.
    assert_eq!(mallory.end.failed, [CloseReason::RefusedByPeer(37)]);
    gateway.connect(&mut mallory, secs(3));
    assert_eq!(mallory.end.failed, [CloseReason::RefusedByPeer(37); 2]);
    assert_eq!(gateway.users().len(), 2);
    assert_eq!(gateway.end.children.len(), 1);
    // With an address of its own it has nobody else's.
    let mut other = client(("mallory", "mallory@corp.example"), M, |peer| {
        asks(peer);
        peer.children[0].local = net("10.1.9.1", 32).into();
    });
    gateway.connect(&mut other, secs(4));
    assert_eq!(other.end.failed, [CloseReason::RefusedByPeer(38)]);
    assert_eq!(gateway.end.children.len(), 1);
}

#[test]
fn x2_a_child_that_the_gateway_begins_is_for_the_address_of_the_user() {
    let mut gateway = gateway(with_pool);
    let mut alice = client(("alice", "alice@corp.example"), A, asks);
    gateway.connect(&mut alice, secs(1));
    let first = *gateway.end.children.keys().next().unwrap();
    let delete = Event::Command(Command::DeleteChild(first));
    let (_, out) = gateway.end.feed(delete, secs(2));
    assert!(!out.is_empty());
    let mut mallory = client(("mallory", "mallory@corp.example"), M, |_| {});
    gateway.connect(&mut mallory, secs(3));
    for (path, message) in out {
        // The deletion reaches alice, and what follows from it the gateway.
        let path = Path {
            local: path.remote,
            remote: path.local,
            ..path
        };
        let message = &message[if path.natt { 4 } else { 0 }..];
        let (_, out) = alice.end.feed(Event::Datagram { path, message }, secs(4));
        gateway.talk(&mut alice, out, secs(4));
    }
    assert!(gateway.end.children.is_empty());
    let initiate = Command::Initiate {
        peer: "peer".into(),
        children: Vec::new(),
    };
    let (_, out) = gateway.end.feed(Event::Command(initiate), secs(5));
    // To the newest IKE SA, whose user has no address: nothing goes out.
    assert!(out.is_empty(), "{out:?}");
    assert!(gateway.end.children.is_empty() && mallory.end.children.is_empty());
}

#[test]
fn x5_all_spellings_of_a_user_are_one_user() {
    let mut gateway = gateway(with_pool);
    for (number, name) in ["alice", "CORP\\alice", "corp\\Alice"]
        .into_iter()
        .enumerate()
    {
        let mut alice = client((name, "alice@corp.example"), A, asks);
        gateway.connect(&mut alice, secs(10 * number as u64 + 1));
        assert_eq!(gateway.looked_up.last().unwrap(), name);
        assert_eq!(gateway.users(), [("alice".to_string(), true)], "{name}");
        let child = gateway.end.children.values().next().unwrap();
        assert_eq!(child.remote, net("10.1.9.1", 32).into());
    }
}

#[test]
fn x5_guesses_are_counted_over_all_ike_sas_and_wait() {
    let mut gateway = gateway(|_| {});
    let guess = |gateway: &mut Gateway, number: u8| {
        // Each time from a new client; another spelling is the same user.
        let name = if number.is_multiple_of(2) {
            "alice"
        } else {
            "CORP\\alice"
        };
        let mut client = client((name, "alice@corp.example"), M, |_| {});
        client.guess = Some(b"guess");
        gateway.connect(&mut client, secs(1));
        client
    };
    for number in 0..5 {
        let client = guess(&mut gateway, number);
        assert_eq!(client.end.closed[0].1, CloseReason::AuthenticationFailed);
    }
    assert_eq!(gateway.looked_up.len(), 5);
    // The sixth waits, the seventh is refused unseen.
    let mut waits = guess(&mut gateway, 5);
    assert_eq!((waits.end.closed.len(), gateway.looked_up.len()), (0, 5));
    let refused = guess(&mut gateway, 6);
    assert_eq!((refused.end.closed.len(), gateway.looked_up.len()), (1, 5));
    let log = gateway.log();
    assert!(
        log.contains("EAP: a password of CORP\\alice waits 10.0 s"),
        "{log}"
    );
    assert!(
        log.contains("too many passwords were tried for this user"),
        "{log}"
    );
    // The user itself is elsewhere, and not concerned.
    let mut alice = client(("alice", "alice@corp.example"), A, |_| {});
    gateway.connect(&mut alice, secs(2));
    assert_eq!(gateway.users(), [("alice".to_string(), true)]);
    // Not before its time.
    let _ = gateway.end.feed(Event::Deadline, secs(10));
    assert!(gateway.end.asked.is_empty());
    let _ = gateway.end.feed(Event::Deadline, secs(11));
    assert_eq!(gateway.end.asked.len(), 1);
    gateway.talk(&mut waits, Vec::new(), secs(11));
    assert_eq!(gateway.looked_up.len(), 7);
    assert_eq!(waits.end.closed[0].1, CloseReason::AuthenticationFailed);
}
