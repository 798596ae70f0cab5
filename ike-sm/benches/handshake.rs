//! Negotiations with a pre-shared key and one child, between two endpoints in memory.
//!
//! `cargo bench -p ike-sm --bench handshake`. A row of `ikev1` (main mode and quick mode, nine
//! messages) or `ikev2` (IKE_SA_INIT and IKE_AUTH, four) is both ends on one core. "no public-key
//! work" replaces the groups by ones that only add: its time is what everything but the key
//! exchange costs. `responder` is the responder's part alone, of each exchange.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use crypto_suite::{AeadId, DEFAULT, GroupId, PrfId, Provider, Secret, insecure};
use divan::Bencher;
use ike_sm::config::v2::{Encryption, IkeProposal};
use ike_sm::config::{ChildConfig, Config, IkeVersion, PeerConfig, Phase1Policy, Prefix, PskOwner};
use ike_sm::{Action, Actions, Command, Endpoint, Event, Outcome, Path, Selector};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

static CHEAP_GROUPS: Provider = Provider {
    groups: insecure::CHECKED.groups,
    ..DEFAULT
};

fn main() {
    divan::main();
}

/// What the ends negotiate with.
#[derive(Clone, Copy, Debug)]
struct With {
    version: IkeVersion,
    group: GroupId,
    /// ML-KEM-768 besides, in IKE_INTERMEDIATE.
    ml_kem: bool,
}

const fn v1(group: GroupId) -> With {
    With {
        version: IkeVersion::V1,
        group,
        ml_kem: false,
    }
}

const fn v2(group: GroupId) -> With {
    With {
        version: IkeVersion::V2,
        group,
        ml_kem: false,
    }
}

const ML_KEM: With = With {
    ml_kem: true,
    ..v2(GroupId::X25519)
};

const V2_GROUPS: [GroupId; 3] = [GroupId::Modp2048, GroupId::Ecp256, GroupId::X25519];

#[divan::bench(args = [GroupId::Modp2048, GroupId::Modp3072, GroupId::Modp4096])]
fn ikev1(bencher: Bencher<'_, '_>, group: GroupId) {
    run(bencher, v1(group), &DEFAULT);
}

#[divan::bench(args = V2_GROUPS)]
fn ikev2(bencher: Bencher<'_, '_>, group: GroupId) {
    run(bencher, v2(group), &DEFAULT);
}

#[divan::bench(name = "ikev2 with X25519 and ML-KEM-768")]
fn ml_kem(bencher: Bencher<'_, '_>) {
    run(bencher, ML_KEM, &DEFAULT);
}

#[divan::bench(
    name = "no public-key work",
    args = [v1(GroupId::Modp2048), v2(GroupId::Modp2048), ML_KEM]
)]
fn cheap(bencher: Bencher<'_, '_>, with: With) {
    run(bencher, with, &CHEAP_GROUPS);
}

fn run(bencher: Bencher<'_, '_>, with: With, provider: &'static Provider) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let messages = match with.version {
        IkeVersion::V1 => 9,
        // KEi of ML-KEM-768 goes in two fragments.
        _ if with.ml_kem => 7,
        _ => 4,
    };
    bencher
        .counter(divan::counter::ItemsCount::new(1_usize))
        .with_inputs(|| [endpoint(1, with, provider), endpoint(2, with, provider)])
        .bench_local_values(|mut ends| {
            assert_eq!(negotiate(&mut ends, &mut rng), (messages, 2));
            ends
        });
}

mod responder {
    use super::*;

    #[divan::bench(args = V2_GROUPS)]
    fn ike_sa_init(bencher: Bencher<'_, '_>, group: GroupId) {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let mut inputs = ChaCha20Rng::seed_from_u64(8);
        bencher
            .with_inputs(|| {
                let mut initiator = endpoint(1, v2(group), &DEFAULT);
                let request = only(step(&mut initiator, initiate(), &mut inputs));
                (endpoint(2, v2(group), &DEFAULT), request)
            })
            .bench_local_values(|(mut responder, (path, message))| {
                let event = Event::Datagram {
                    path,
                    message: &message,
                };
                let answer = step(&mut responder, event, &mut rng);
                (responder, answer)
            });
    }

    /// The exchange that ML-KEM-768 adds: both fragments of the request.
    #[divan::bench]
    fn ike_intermediate(bencher: Bencher<'_, '_>) {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let mut inputs = ChaCha20Rng::seed_from_u64(8);
        bencher
            .with_inputs(|| {
                let mut initiator = endpoint(1, ML_KEM, &DEFAULT);
                let mut responder = endpoint(2, ML_KEM, &DEFAULT);
                let mut next = step(&mut initiator, initiate(), &mut inputs);
                for end in [&mut responder, &mut initiator] {
                    let (path, message) = only(next);
                    let event = Event::Datagram {
                        path,
                        message: &message,
                    };
                    next = step(end, event, &mut inputs);
                }
                assert_eq!(next.datagrams.len(), 2);
                (responder, next.datagrams)
            })
            .bench_local_values(|(mut responder, datagrams)| {
                let mut answer = Sent::default();
                for (path, message) in &datagrams {
                    let event = Event::Datagram {
                        path: *path,
                        message,
                    };
                    answer = step(&mut responder, event, &mut rng);
                }
                (responder, answer)
            });
    }

    #[divan::bench(args = V2_GROUPS)]
    fn ike_auth(bencher: Bencher<'_, '_>, group: GroupId) {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let mut inputs = ChaCha20Rng::seed_from_u64(8);
        bencher
            .with_inputs(|| {
                let mut initiator = endpoint(1, v2(group), &DEFAULT);
                let mut responder = endpoint(2, v2(group), &DEFAULT);
                let mut next = only(step(&mut initiator, initiate(), &mut inputs));
                for end in [&mut responder, &mut initiator] {
                    let (path, message) = &next;
                    let event = Event::Datagram {
                        path: *path,
                        message,
                    };
                    next = only(step(end, event, &mut inputs));
                }
                (responder, next)
            })
            .bench_local_values(|(mut responder, (path, message))| {
                let event = Event::Datagram {
                    path,
                    message: &message,
                };
                let answer = step(&mut responder, event, &mut rng);
                (responder, answer)
            });
    }

    fn only(mut sent: Sent) -> (Path, Bytes) {
        assert_eq!(sent.datagrams.len(), 1);
        sent.datagrams.pop().unwrap()
    }
}

fn endpoint(own: u8, with: With, provider: &'static Provider) -> Endpoint {
    let peer = 3 - own;
    let net = |host: u8| Selector::subnet([10, host, 0, 0].into(), 16).unwrap();
    let address = |host: u8| IpAddr::from([192, 0, 2, host]);
    let mut entry = PeerConfig::new("peer");
    entry.addresses.push(address(peer));
    entry.local_address = Some(address(own));
    entry.version = with.version;
    if with.version == IkeVersion::V1 {
        entry.policies.push(Phase1Policy {
            group: with.group,
            ..Phase1Policy::new(1)
        });
    }
    entry.v2.proposals = vec![IkeProposal {
        encryption: vec![Encryption::Aead(AeadId::Aes128Gcm16)],
        integrity: vec![],
        prf: vec![PrfId::HmacSha256],
        groups: vec![with.group],
        additional: vec![],
    }];
    if with.ml_kem {
        entry.v2.proposals = entry
            .v2
            .proposals
            .drain(..)
            .map(|p| p.with_ml_kem(false))
            .collect();
    }
    entry
        .children
        .push(ChildConfig::new("net", net(own), net(peer)));
    let mut config = Config::default();
    config.peers.push(entry);
    let key = Secret::from(&b"a long shared secret"[..]);
    config
        .psks
        .insert(PskOwner::Prefix(Prefix::host(address(peer))), key);
    Endpoint::new(config, provider).unwrap()
}

fn initiate() -> Event<'static> {
    Event::Command(Command::Initiate {
        peer: "peer".into(),
        children: Vec::new(),
    })
}

/// What one event has led to; the paths are those of the other end.
#[derive(Default)]
struct Sent {
    datagrams: Vec<(Path, Bytes)>,
    installed: usize,
}

fn step(end: &mut Endpoint, event: Event<'_>, rng: &mut ChaCha20Rng) -> Sent {
    let mut actions = Actions::new();
    let outcome = end.handle(event, Duration::ZERO, rng, &mut actions);
    assert_eq!(outcome, Outcome::Handled);
    let mut sent = Sent::default();
    for action in actions.drain() {
        match action {
            Action::Send { path, datagram } => {
                let path = Path {
                    local: path.remote,
                    remote: path.local,
                    natt: path.natt,
                };
                sent.datagrams.push((path, datagram));
            }
            Action::InstallChild(_) => sent.installed += 1,
            _ => {}
        }
    }
    sent
}

/// Messages sent and pairs of SAs installed.
fn negotiate(ends: &mut [Endpoint; 2], rng: &mut ChaCha20Rng) -> (usize, usize) {
    let (mut wire, mut sent, mut installed) = (VecDeque::new(), 0, 0);
    let mut done = |to: usize, result: Sent, wire: &mut VecDeque<_>| {
        sent += result.datagrams.len();
        installed += result.installed;
        wire.extend(result.datagrams.into_iter().map(|(path, d)| (to, path, d)));
    };
    let first = step(&mut ends[0], initiate(), rng);
    done(1, first, &mut wire);
    while let Some((end, path, message)) = wire.pop_front() {
        let event = Event::Datagram {
            path,
            message: &message,
        };
        let result = step(&mut ends[end], event, rng);
        done(1 - end, result, &mut wire);
    }
    (sent, installed)
}
