//! Several devices with one identity, one device that has lost its state, and pairs whose time is over:
//! whose an SA is, what ends with it, and who is told (both versions of IKE).
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::should_implement_trait,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::panic
)]

#[path = "../v1/common.rs"]
mod common;
mod deleted;
mod expired;
mod restarted;
mod unique;

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use crypto_suite::Secret;
use ike_sm::config::{
    ChildConfig, Config, Dpd, DpdTimes, Identity, IkeVersion, PeerConfig, Prefix, PskOwner,
    RemoteIdentity, SelectorMatch, Uniqueness,
};
use ike_sm::{Command, Event, Outcome, Path, Traffic};

use common::{End, ip, net, secs};

pub const VERSIONS: [IkeVersion; 2] = [IkeVersion::V1, IkeVersion::V2];

/// Quick questions, without any traffic too.
pub fn impatient() -> Dpd {
    Dpd::Periodic(DpdTimes {
        idle: secs(5),
        retry: secs(1),
        tries: 3,
    })
}

const HUB: &str = "192.0.2.1";
const DEVICES: [&str; 2] = ["198.51.100.1", "198.51.100.2"];

/// A hub and two devices that prove the same identity, each with a network of its own. Number 0 is
/// the hub.
pub struct Hub {
    pub ends: Vec<End>,
    addresses: Vec<IpAddr>,
    pub now: Duration,
    flights: Vec<(Duration, usize, Path, Vec<u8>)>,
    /// Ends that hear and say nothing.
    pub dead: Vec<usize>,
    /// What an end sends at once arrives in the opposite order.
    pub overtaking: Option<usize>,
    /// Informational messages to the second device that are lost, by their number.
    pub lost: Range<usize>,
    /// Informational messages to the second device.
    pub informed: usize,
    /// The last quick mode message that the second device has sent.
    pub begun: Option<Vec<u8>>,
}

fn user() -> Identity {
    Identity::Fqdn("user.example".into())
}

pub fn hub(version: IkeVersion, unique: Uniqueness) -> Config {
    let mut config = Config::default();
    let mut peer = PeerConfig::new("peer");
    peer.version = version;
    peer.unique = unique;
    peer.dpd = impatient();
    peer.networks
        .push(Prefix::new(ip("198.51.100.0"), 24).unwrap());
    peer.local_address = Some(ip(HUB));
    peer.remote_id = RemoteIdentity::Is(user());
    let mut child = ChildConfig::new("net", net("10.2.0.0", 16), net("10.64.0.0", 10));
    child.selector_match = SelectorMatch::Within;
    peer.children.push(child);
    config.peers.push(peer);
    with_psk(config)
}

pub fn device(version: IkeVersion, number: usize, initial_contact: bool) -> Config {
    let mut config = Config::default();
    let mut peer = PeerConfig::new("peer");
    peer.version = version;
    peer.initial_contact = initial_contact;
    peer.dpd = impatient();
    peer.addresses.push(ip(HUB));
    peer.local_address = Some(ip(DEVICES[number - 1]));
    peer.local_id = Some(user());
    let own = net(&format!("10.{}.0.0", 64 + number), 16);
    peer.children
        .push(ChildConfig::new("net", own, net("10.2.0.0", 16)));
    config.peers.push(peer);
    with_psk(config)
}

fn with_psk(mut config: Config) -> Config {
    let everyone = Prefix::new(ip("0.0.0.0"), 0).unwrap();
    let secret = Secret::from(&b"secret"[..]);
    config.psks.insert(PskOwner::Prefix(everyone), secret);
    config
}

impl Hub {
    pub fn new(version: IkeVersion, unique: Uniqueness, initial_contact: bool) -> Self {
        let mut ends = vec![End::new(hub(version, unique), 1)];
        // Equal random bytes: both devices choose the same SPIs.
        ends.extend([1, 2].map(|n| End::new(device(version, n, initial_contact), 7)));
        let addresses = [HUB, DEVICES[0], DEVICES[1]].map(ip);
        Self {
            ends,
            addresses: addresses.into(),
            now: secs(1),
            flights: Vec::new(),
            dead: Vec::new(),
            overtaking: None,
            lost: 0..0,
            informed: 0,
            begun: None,
        }
    }

    pub fn feed(&mut self, end: usize, event: Event<'_>) -> Outcome {
        let (outcome, mut out) = self.ends[end].feed(event, self.now);
        if self.overtaking == Some(end) {
            out.reverse();
        }
        for (path, datagram) in out {
            // Of IKEv1: QUICK_MODE is 32, INFORMATIONAL is 5.
            if end == 2 && datagram[18] == 32 {
                self.begun = Some(datagram.clone());
            }
            if path.remote.ip() == ip(DEVICES[1]) && datagram[18] == 5 {
                self.informed += 1;
                if self.lost.contains(&self.informed) {
                    continue;
                }
            }
            let to = self.addresses.iter().position(|a| *a == path.remote.ip());
            let at = self.now + Duration::from_millis(20);
            if let Some(to) = to.filter(|to| !self.dead.contains(to) && !self.dead.contains(&end)) {
                self.flights.push((at, to, path, datagram));
            }
        }
        outcome
    }

    pub fn command(&mut self, end: usize, command: Command) -> Outcome {
        self.feed(end, Event::Command(command))
    }

    pub fn initiate(&mut self, device: usize) {
        let (peer, children) = ("peer".into(), Vec::new());
        let outcome = self.command(device, Command::Initiate { peer, children });
        assert_eq!(outcome, Outcome::Handled);
        self.run_for(secs(3));
    }

    pub fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..100_000 {
            let flights = self.flights.iter().enumerate();
            let flight = flights.map(|(n, f)| (f.0, n)).min();
            let due = |(n, end): (usize, &End)| {
                let at = end.endpoint.next_deadline()?.at;
                (!self.dead.contains(&n)).then_some((at, n))
            };
            let timer = self.ends.iter().enumerate().filter_map(due).min();
            let first = flight
                .map(|f| f.0)
                .into_iter()
                .chain(timer.map(|t| t.0))
                .min();
            let Some(next) = first.filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(next);
            if let Some((_, n)) = flight.filter(|(at, _)| *at == next) {
                let (_, to, path, message) = self.flights.remove(n);
                let path = Path {
                    local: path.remote,
                    remote: path.local,
                    natt: path.natt,
                };
                let _ = self.feed(
                    to,
                    Event::Datagram {
                        path,
                        message: &message,
                    },
                );
            } else if let Some((_, n)) = timer {
                assert_eq!(self.feed(n, Event::Deadline), Outcome::Handled);
            }
        }
        panic!("no end");
    }

    /// Whether packets of a device arrive at the hub and answers to it at the device.
    pub fn works(&mut self, device: usize) -> bool {
        let network = ip(&format!("10.{}.0.1", 64 + device));
        let Some(out) = self.ends[device].active.last().copied() else {
            return false;
        };
        let _ = self.feed(device, Event::Traffic(out, Traffic::outbound(100)));
        let sa = &self.ends[device].children[&out];
        let (spi, keys) = (sa.spi_out, sa.keys_out.clone());
        let mut there = self.ends[0].children.values();
        let there = there
            .find(|c| c.spi_in == spi && c.keys_in == keys)
            .map(|c| c.id);
        let Some(there) = there else { return false };
        let _ = self.feed(0, Event::Traffic(there, Traffic::inbound(100)));
        // The newest pair for the device's network takes the answer.
        let hub = &self.ends[0];
        let covers = |id: &&ike_sm::ChildId| hub.children[*id].remote.matches(network, 0, 0);
        let Some(back) = hub.active.iter().rfind(covers).copied() else {
            return false;
        };
        let sa = &hub.children[&back];
        let (to, spi, keys) = (sa.path.remote.ip(), sa.spi_out, sa.keys_out.clone());
        let _ = self.feed(0, Event::Traffic(back, Traffic::outbound(100)));
        let mut own = self.ends[device].children.values();
        let own = own
            .find(|c| c.spi_in == spi && c.keys_in == keys)
            .map(|c| c.id);
        let Some(own) = own.filter(|_| to == self.addresses[device]) else {
            return false;
        };
        let _ = self.feed(device, Event::Traffic(own, Traffic::inbound(100)));
        true
    }

    /// Time passes; the devices that work go on working.
    pub fn run_with_traffic(&mut self, devices: &[usize], seconds: u64) {
        for _ in 0..seconds {
            self.run_for(secs(1));
            for device in devices {
                assert!(self.works(*device), "device {device} at {:?}", self.now);
            }
        }
    }
}
