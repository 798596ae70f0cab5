//! Hosts on a network in virtual time.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crypto_suite::{GroupId, insecure};
use ike_sm::config::v2::IkeProposal;
use ike_sm::config::{ChildConfig, Config, IkeVersion, PeerConfig, Pfs, Prefix, PskOwner};
use ike_sm::{Command, Endpoint, Outcome, Selector};

use crate::host::{Handled, Host, Installed};
use crate::network::{InFlight, Link, Network};

pub const A: usize = 0;
pub const B: usize = 1;

pub struct World {
    pub now: Duration,
    pub hosts: Vec<Host>,
    pub network: Network,
    /// Each host sends one packet to the other this often.
    pub traffic: Option<Duration>,
    next_traffic: Duration,
    steps: u64,
    /// Arrivals, counted, that the run before dropped and this one leaves out.
    pub leave_out: BTreeSet<u64>,
    pub dropped: BTreeSet<u64>,
    arrivals: u64,
}

pub fn address(host: usize) -> IpAddr {
    IpAddr::from([192, 0, 2, if host == A { 1 } else { 2 }])
}

/// The network behind a host.
pub fn inside(host: usize) -> Selector {
    Selector::subnet(IpAddr::from([10, if host == A { 1 } else { 2 }, 0, 0]), 16).unwrap()
}

pub fn inside_host(host: usize) -> IpAddr {
    IpAddr::from([10, if host == A { 1 } else { 2 }, 0, 7])
}

/// The configuration of one of two peers with one child.
pub fn config(host: usize) -> Config {
    let other = 1 - host;
    let mut peer = PeerConfig::new(if host == A { "b" } else { "a" });
    peer.addresses.push(address(other));
    peer.children
        .push(ChildConfig::new("net", inside(host), inside(other)));
    let mut config = Config::default();
    config.peers.push(peer);
    let everyone = Prefix::new(IpAddr::from([0, 0, 0, 0]), 0).unwrap();
    config
        .psks
        .insert(PskOwner::Prefix(everyone), b"simulated"[..].into());
    config.explain = false;
    config
}

/// An additional key exchange in IKE SAs and in children, which have one of their own too.
pub fn with_additional(config: &mut Config) {
    let peer = &mut config.peers[0];
    peer.v2.proposals = vec![IkeProposal::aead().with_ml_kem(false)];
    let additional = &peer.v2.proposals[0].additional;
    peer.children[0].additional.clone_from(additional);
    peer.children[0].pfs = Pfs::Required(GroupId::X25519);
}

/// One of two hosts, which knows of nothing yet.
pub fn host(
    n: usize,
    version: IkeVersion,
    seed: u64,
    change: &impl Fn(usize, &mut Config),
) -> Host {
    let mut config = config(n);
    config.peers[0].version = version;
    change(n, &mut config);
    let trace = std::env::var_os("SIM_TRACE").is_some();
    config.explain |= trace;
    let endpoint = Endpoint::new(config, &insecure::CHECKED).unwrap();
    let name = if n == A { "A" } else { "B" };
    let mut host = Host::new(name, address(n), endpoint, seed);
    host.keep_records = trace;
    host
}

impl World {
    /// Two hosts with one tunnel between them, and a change to both configurations.
    pub fn pair(
        version: IkeVersion,
        seed: u64,
        link: Link,
        change: impl Fn(usize, &mut Config),
    ) -> Self {
        let hosts = [A, B].map(|n| {
            let seed = seed.wrapping_mul(2).wrapping_add(n as u64);
            host(n, version, seed, &change)
        });
        Self {
            now: Duration::ZERO,
            hosts: hosts.into(),
            network: Network::new(seed, link),
            traffic: None,
            next_traffic: Duration::ZERO,
            steps: 0,
            leave_out: BTreeSet::new(),
            dropped: BTreeSet::new(),
            arrivals: 0,
        }
    }

    /// Gives whether the command was refused.
    pub fn command(&mut self, host: usize, command: Command) -> Result<bool, String> {
        let handled = self.hosts[host].command(command, self.now)?;
        Ok(self.dispatch(handled))
    }

    pub fn initiate(&mut self, host: usize) -> Result<(), String> {
        let peer = if host == A { "b" } else { "a" };
        let command = Command::Initiate {
            peer: peer.into(),
            children: Vec::new(),
        };
        self.command(host, command).map(drop)
    }

    /// One packet of the application of `host`.
    pub fn application(&mut self, host: usize) -> Result<(), String> {
        let (source, destination) = (inside_host(host), inside_host(1 - host));
        let handled = self.hosts[host].application(source, destination, self.now)?;
        self.dispatch(handled);
        Ok(())
    }

    /// Sends what is to be sent; gives whether the event was dropped.
    fn dispatch(&mut self, handled: Handled) -> bool {
        for packet in handled.send {
            self.network.send(packet, self.now);
        }
        matches!(handled.outcome, Outcome::Dropped(_))
    }

    /// Runs until `end`.
    pub fn run_until(&mut self, end: Duration) -> Result<(), String> {
        while self.step(end)? {}
        self.now = self.now.max(end);
        Ok(())
    }

    pub fn run(&mut self, time: Duration) -> Result<(), String> {
        self.run_until(self.now + time)
    }

    /// The next thing that happens until `end`, if one does.
    fn step(&mut self, end: Duration) -> Result<bool, String> {
        self.steps += 1;
        if self.steps > 2_000_000 {
            return Err(format!("no end in sight at {:?}", self.now));
        }
        let arrival = self.network.next_arrival();
        let host = self
            .hosts
            .iter()
            .enumerate()
            .filter_map(|(n, h)| Some((h.next_event()?, n)));
        let host = host.min();
        let traffic = self.traffic.map(|_| self.next_traffic);
        let times = arrival
            .into_iter()
            .chain(host.map(|(at, _)| at))
            .chain(traffic);
        let Some(next) = times.min().filter(|at| *at <= end) else {
            return Ok(false);
        };
        self.now = self.now.max(next);
        if arrival.is_some_and(|at| at <= next) {
            if let Some(packet) = self.network.arrive(self.now) {
                self.deliver(&packet)?;
            }
        } else if let Some((at, n)) = host
            && at <= next
        {
            if let Some(handled) = self.hosts[n].due(self.now)? {
                self.dispatch(handled);
            }
        } else if let Some(every) = self.traffic {
            self.next_traffic = self.now + every;
            for host in [A, B] {
                self.application(host)?;
            }
        }
        Ok(true)
    }

    fn deliver(&mut self, packet: &InFlight) -> Result<(), String> {
        let Some(n) = self.hosts.iter().position(|h| h.address == packet.to.ip()) else {
            return Ok(());
        };
        self.arrivals += 1;
        let serial = self.arrivals;
        if self.leave_out.contains(&serial) {
            return Ok(());
        }
        if let Some(handled) = self.hosts[n].receive(packet, self.now)? {
            // A refusal that is answered takes part in what the network does; the others do not.
            let silent = handled.send.is_empty();
            if self.dispatch(handled) && silent {
                self.dropped.insert(serial);
            }
        }
        Ok(())
    }

    /// Pairs of SAs that carry packets both ways.
    pub fn working_pairs(&self) -> usize {
        self.pairs(|x, y| x.activated.is_some() && y.activated.is_some())
    }

    /// Installed SAs that have their half at the other end.
    fn pairs(&self, fit: impl Fn(&Installed, &Installed) -> bool) -> usize {
        let (a, b) = (&self.hosts[A], &self.hosts[B]);
        let matches = |x: &Installed, y: &Installed| {
            x.sa.spi_out == y.sa.spi_in
                && y.sa.spi_out == x.sa.spi_in
                && x.sa.keys_out == y.sa.keys_in
                && y.sa.keys_out == x.sa.keys_in
                && x.sa.local == y.sa.remote
                && x.sa.remote == y.sa.local
                && fit(x, y)
        };
        a.installed
            .values()
            .map(|x| b.installed.values().filter(|y| matches(x, y)).count())
            .sum()
    }

    /// Nothing is left on either side.
    pub fn is_empty(&self) -> bool {
        self.hosts
            .iter()
            .all(|h| h.installed.is_empty() && h.ike.is_empty())
    }

    /// Everything installed has its half at the other end, and one of them carries packets; or
    /// nothing is there at all.
    pub fn check_consistent(&self) -> Result<(), String> {
        let pairs = self.pairs(|_, _| true);
        let installed: Vec<usize> = self.hosts.iter().map(|h| h.installed.len()).collect();
        if self.working_pairs() >= 1 && installed == [pairs, pairs] {
            return Ok(());
        }
        if self.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{pairs} working pairs, {installed:?} installed: {}",
            self.describe()
        ))
    }

    pub fn describe(&self) -> String {
        let mut out = format!("at {:?}:", self.now);
        for h in &self.hosts {
            out += &format!("\n  {}: ike {:?}, {:?}", h.name, h.ike.keys(), h.counts);
            for (id, i) in &h.installed {
                let (si, so) = (i.sa.spi_in, i.sa.spi_out);
                out += &format!("\n    {id} {si:08x}/{so:08x} activated {:?}", i.activated);
            }
            out += &format!("\n    closed {:?}\n    removed {:?}", h.closed, h.removed);
            out += &format!(
                "\n    outcomes {:?}\n    deadline {:?}",
                h.outcomes,
                h.endpoint.next_deadline()
            );
        }
        // With SIM_TRACE, everything that was reported, both sides in order of time.
        let records = self
            .hosts
            .iter()
            .flat_map(|h| h.records.iter().map(move |r| (r, h.name)));
        let mut records: Vec<_> = records.collect();
        records.sort_by_key(|(r, _)| r.at);
        for (record, name) in records {
            for line in record.cisco().to_string().lines() {
                out += &format!("\n{:>12.6} {name} {line}", record.at.as_secs_f64());
            }
        }
        out
    }

    pub fn socket(host: usize, port: u16) -> SocketAddr {
        SocketAddr::new(address(host), port)
    }
}
