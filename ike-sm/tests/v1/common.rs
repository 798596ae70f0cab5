//! Two endpoints, a link between them, virtual time.
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crypto_suite::Secret;
use ike_sm::config::{ChildConfig, Config, IkeVersion, PeerConfig, Prefix, PskOwner};
use ike_sm::{
    Action, Actions, ChildId, ChildSa, ChildUpdate, CloseReason, Command, Endpoint, Event, IkeId,
    KeyLog, Outcome, Path, Question, Selector, Ticket, Traffic,
};
use nat_t::Datagram;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub const A: &str = "192.0.2.1";
pub const B: &str = "192.0.2.2";

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn net(text: &str, len: u8) -> Selector {
    Selector::subnet(ip(text), len).unwrap()
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A configuration with one peer of IKEv1 and one child between 10.1.0.0/16 and 10.2.0.0/16.
pub fn config(own: &str, peer: &str, psk: &[u8]) -> Config {
    let mut config = Config::default();
    let mut p = PeerConfig::new("peer");
    p.version = IkeVersion::V1;
    p.addresses.push(ip(peer));
    p.local_address = Some(ip(own));
    let (local, remote) = if own == A {
        ("10.1.0.0", "10.2.0.0")
    } else {
        ("10.2.0.0", "10.1.0.0")
    };
    p.children
        .push(ChildConfig::new("net", net(local, 16), net(remote, 16)));
    config.peers.push(p);
    config
        .psks
        .insert(PskOwner::Prefix(Prefix::host(ip(peer))), Secret::from(psk));
    config
}

/// One end: an endpoint and what its actions have led to.
pub struct End {
    pub endpoint: Endpoint,
    pub rng: ChaCha20Rng,
    pub children: BTreeMap<ChildId, ChildSa>,
    /// Children that packets may be sent on, the latest last.
    pub active: Vec<ChildId>,
    pub ikes: Vec<IkeId>,
    pub closed: Vec<(IkeId, CloseReason)>,
    pub removed: Vec<(ChildId, CloseReason)>,
    pub failed: Vec<CloseReason>,
    pub asked: Vec<(Ticket, Question)>,
    pub dead: Vec<Option<SocketAddr>>,
    pub keepalives: usize,
    pub log: Vec<String>,
    pub key_log: Vec<KeyLog>,
    pub actions: Vec<String>,
}

impl End {
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            endpoint: Endpoint::new(config, &crypto_suite::DEFAULT).unwrap(),
            rng: ChaCha20Rng::seed_from_u64(seed),
            children: BTreeMap::new(),
            active: Vec::new(),
            ikes: Vec::new(),
            closed: Vec::new(),
            removed: Vec::new(),
            failed: Vec::new(),
            asked: Vec::new(),
            dead: Vec::new(),
            keepalives: 0,
            log: Vec::new(),
            key_log: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// Feeds one event; gives the outcome and the datagrams to send.
    pub fn feed(&mut self, event: Event<'_>, now: Duration) -> (Outcome, Vec<(Path, Vec<u8>)>) {
        let deadline = matches!(event, Event::Deadline);
        let mut actions = Actions::new();
        let outcome = self
            .endpoint
            .handle(event, now, &mut self.rng, &mut actions);
        if deadline && outcome == Outcome::Handled {
            let next = self.endpoint.next_deadline();
            assert!(
                next.is_none_or(|d| d.at > now),
                "law of progress: {next:?} at {now:?}"
            );
        }
        let mut out = Vec::new();
        while let Some(action) = actions.pop() {
            if !matches!(action, Action::Report(_)) {
                self.actions.push(format!("{action:?}"));
            }
            match action {
                Action::Send { path, datagram } => out.push((path, datagram.to_vec())),
                Action::InstallChild(child) => {
                    let id = child.id;
                    assert!(
                        self.children.insert(id, *child).is_none(),
                        "{id} installed twice"
                    );
                }
                Action::UpdateChild(child, ChildUpdate::Activate { replaces }) => {
                    assert!(
                        self.children.contains_key(&child),
                        "{child} active, not installed"
                    );
                    self.active.retain(|c| Some(*c) != replaces && *c != child);
                    self.active.push(child);
                }
                Action::UpdateChild(child, ChildUpdate::StopSending) => {
                    self.active.retain(|c| *c != child);
                }
                Action::UpdateChild(child, ChildUpdate::Path(path)) => {
                    self.children.get_mut(&child).unwrap().terms.path = path;
                }
                Action::UpdateChild(..) => {}
                Action::RemoveChild { child, reason, .. } => {
                    assert!(
                        self.children.remove(&child).is_some(),
                        "{child} removed twice"
                    );
                    self.active.retain(|c| *c != child);
                    self.removed.push((child, reason));
                }
                Action::Ask(ticket, question) => self.asked.push((ticket, question)),
                Action::IkeEstablished { ike, .. } => self.ikes.push(ike),
                Action::IkeClosed { ike, reason, .. } => {
                    let mut before = self.closed.iter();
                    assert!(before.all(|(i, _)| *i != ike), "{ike} closed twice");
                    self.ikes.retain(|i| *i != ike);
                    self.closed.push((ike, reason));
                }
                Action::ChildFailed { reason, .. } => self.failed.push(reason),
                Action::PeerDead { next, .. } => self.dead.push(next),
                Action::NatKeepalive(_) => self.keepalives += 1,
                Action::Report(record) => self.log.push(record.cisco().to_string()),
                Action::KeyLog(key) => self.key_log.push(key),
                _ => {}
            }
        }
        (outcome, out)
    }
}

/// A datagram on its way.
#[derive(Clone)]
pub struct Flight {
    pub at: Duration,
    pub to_b: bool,
    pub path: Path,
    pub datagram: Vec<u8>,
}

/// What becomes of a datagram on the link.
pub type Fate = Box<dyn FnMut(&mut Flight) -> bool>;

/// Two ends and the link between them.
pub struct Pair {
    pub a: End,
    pub b: End,
    pub now: Duration,
    pub latency: Duration,
    pub flights: Vec<Flight>,
    /// Drops a datagram when it gives `false`, or changes it.
    pub fate: Fate,
    pub outcomes: Vec<(bool, Outcome)>,
    pub sent: usize,
}

impl Pair {
    pub fn new(a: Config, b: Config) -> Self {
        Self {
            a: End::new(a, 1),
            b: End::new(b, 2),
            now: Duration::from_secs(1),
            latency: Duration::from_millis(20),
            flights: Vec::new(),
            fate: Box::new(|_| true),
            outcomes: Vec::new(),
            sent: 0,
        }
    }

    pub fn default() -> Self {
        Self::new(config(A, B, b"secret"), config(B, A, b"secret"))
    }

    pub fn end(&mut self, b: bool) -> &mut End {
        if b { &mut self.b } else { &mut self.a }
    }

    /// Feeds an event to one end and puts what it sends on the link.
    pub fn feed(&mut self, b: bool, event: Event<'_>) -> Outcome {
        let now = self.now;
        let (outcome, out) = self.end(b).feed(event, now);
        for (path, datagram) in out {
            self.sent += 1;
            let mut flight = Flight {
                at: now + self.latency,
                to_b: !b,
                path,
                datagram,
            };
            if (self.fate)(&mut flight) {
                self.flights.push(flight);
            }
        }
        outcome
    }

    pub fn command(&mut self, b: bool, command: Command) -> Outcome {
        self.feed(b, Event::Command(command))
    }

    pub fn initiate(&mut self, b: bool) -> Outcome {
        self.command(
            b,
            Command::Initiate {
                peer: "peer".into(),
                children: Vec::new(),
            },
        )
    }

    /// Lets one thing happen: a datagram arrives or a deadline comes. False when nothing will.
    pub fn step(&mut self, until: Duration) -> bool {
        let flight = self
            .flights
            .iter()
            .enumerate()
            .min_by_key(|(n, f)| (f.at, *n));
        let flight = flight.map(|(n, f)| (f.at, n));
        let a = self.a.endpoint.next_deadline().map(|d| d.at);
        let b = self.b.endpoint.next_deadline().map(|d| d.at);
        let times = [flight.map(|(at, _)| at), a, b];
        let Some(next) = times.into_iter().flatten().min().filter(|at| *at <= until) else {
            return false;
        };
        self.now = self.now.max(next);
        match flight {
            Some((at, n)) if at == next => {
                let flight = self.flights.remove(n);
                self.deliver(flight);
            }
            _ if a == Some(next) => {
                let outcome = self.feed(false, Event::Deadline);
                assert_eq!(outcome, Outcome::Handled);
            }
            _ => {
                let outcome = self.feed(true, Event::Deadline);
                assert_eq!(outcome, Outcome::Handled);
            }
        }
        true
    }

    pub fn deliver(&mut self, flight: Flight) {
        let Path {
            local,
            remote,
            natt,
        } = flight.path;
        let message = if natt {
            match nat_t::classify(&flight.datagram) {
                Datagram::Ike(message) => message,
                other => panic!("not IKE: {other:?}"),
            }
        } else {
            &flight.datagram[..]
        };
        let path = Path {
            local: remote,
            remote: local,
            natt,
        };
        let outcome = self.feed(flight.to_b, Event::Datagram { path, message });
        self.outcomes.push((flight.to_b, outcome));
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..100_000 {
            if !self.step(until) {
                self.now = until;
                return;
            }
        }
        panic!("no end");
    }

    /// Packets through the tunnel from one end: whether the other end can read them.
    pub fn ping(&mut self, from_b: bool) -> bool {
        let Some(child) = self.end(from_b).active.last().copied() else {
            return false;
        };
        let _ = self.feed(from_b, Event::Traffic(child, Traffic::outbound(100)));
        let (spi, keys) = {
            let sa = &self.end(from_b).children[&child];
            (sa.spi_out, sa.keys_out.clone())
        };
        let there = self
            .end(!from_b)
            .children
            .values()
            .find(|c| c.spi_in == spi && c.keys_in == keys)
            .map(|c| c.id);
        match there {
            Some(child) => {
                let _ = self.feed(!from_b, Event::Traffic(child, Traffic::inbound(100)));
                true
            }
            None => false,
        }
    }

    /// Both ends agree on a working pair of children.
    pub fn assert_tunnel(&mut self) {
        assert!(self.ping(false), "a cannot reach b");
        assert!(self.ping(true), "b cannot reach a");
    }

    pub fn established() -> Self {
        let mut pair = Self::default();
        pair.bring_up();
        pair
    }

    pub fn bring_up(&mut self) {
        assert_eq!(self.initiate(false), Outcome::Handled);
        self.run_for(secs(3));
        self.assert_tunnel();
    }

    pub fn show(&self) {
        for (name, end) in [("a", &self.a), ("b", &self.b)] {
            println!("--- {name}");
            end.log.iter().for_each(|l| print!("{l}"));
            end.actions.iter().for_each(|l| println!("{l}"));
        }
        println!("{:?}", self.outcomes);
    }
}
