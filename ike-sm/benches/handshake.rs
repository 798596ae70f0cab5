//! Main mode and quick mode between two endpoints in memory: nine messages, both ends on one core.
//!
//! `cargo bench -p ike-sm`. "no public-key work" replaces the groups by ones that only add, so its
//! time is what everything but Diffie-Hellman costs; the rest of a row is Diffie-Hellman, four
//! operations of it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crypto_suite::{DEFAULT, GroupId, Provider, Secret, insecure};
use divan::Bencher;
use ike_sm::config::{ChildConfig, Config, PeerConfig, Phase1Policy, Prefix, PskOwner};
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

#[divan::bench(args = [GroupId::Modp2048, GroupId::Modp3072, GroupId::Modp4096])]
fn modp(bencher: Bencher<'_, '_>, group: GroupId) {
    run(bencher, group, &DEFAULT);
}

#[divan::bench(name = "no public-key work")]
fn cheap(bencher: Bencher<'_, '_>) {
    run(bencher, GroupId::Modp2048, &CHEAP_GROUPS);
}

fn run(bencher: Bencher<'_, '_>, group: GroupId, provider: &'static Provider) {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    bencher
        .counter(divan::counter::ItemsCount::new(1_usize))
        .with_inputs(|| [endpoint(1, group, provider), endpoint(2, group, provider)])
        .bench_local_values(|mut ends| {
            assert_eq!(negotiate(&mut ends, &mut rng), (9, 2));
            ends
        });
}

fn endpoint(own: u8, group: GroupId, provider: &'static Provider) -> Endpoint {
    let peer = 3 - own;
    let net = |host: u8| Selector::subnet([10, host, 0, 0].into(), 16).unwrap();
    let address = |host: u8| IpAddr::from([192, 0, 2, host]);
    let mut entry = PeerConfig::new("peer");
    entry.addresses.push(address(peer));
    entry.local_address = Some(address(own));
    entry.policies.push(Phase1Policy {
        group,
        ..Phase1Policy::new(1)
    });
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

/// Messages sent and pairs of SAs installed.
fn negotiate(ends: &mut [Endpoint; 2], rng: &mut ChaCha20Rng) -> (usize, usize) {
    let (mut wire, mut sent, mut installed) = (VecDeque::new(), 0, 0);
    let mut step = |end: usize, event: Event<'_>, wire: &mut VecDeque<_>| {
        let mut actions = Actions::new();
        let outcome = ends[end].handle(event, Duration::ZERO, rng, &mut actions);
        assert_eq!(outcome, Outcome::Handled);
        for action in actions.drain() {
            match action {
                Action::Send { path, datagram } => {
                    sent += 1;
                    wire.push_back((1 - end, path, datagram));
                }
                Action::InstallChild(_) => installed += 1,
                _ => {}
            }
        }
    };
    let initiate = Command::Initiate {
        peer: "peer".into(),
        children: Vec::new(),
    };
    step(0, Event::Command(initiate), &mut wire);
    while let Some((to, path, datagram)) = wire.pop_front() {
        let path = Path {
            local: path.remote,
            remote: path.local,
            natt: path.natt,
        };
        step(
            to,
            Event::Datagram {
                path,
                message: &datagram,
            },
            &mut wire,
        );
    }
    (sent, installed)
}
