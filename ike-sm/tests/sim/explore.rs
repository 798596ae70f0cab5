//! Every interleaving of a few operations on an established tunnel, up to a bound.
//!
//! Two ends are up. Operations (rekey a child, rekey the IKE SA, delete either, ask for a sign of
//! life, refuse the next child, lose all state and call anew without INITIAL_CONTACT) are given to
//! either end at any moment; any message on its way may be delivered next, be
//! lost or be delivered twice, as long as the scenario's faults last, and so may what the embedder computes
//! come or be refused. All choices are tried, in
//! depth first order. A state that was seen before is not gone into again: what follows depends on
//! nothing else (the state includes what is on its way, what is still to be ordered, and the time).
//! When a path has no choices left, everything is delivered in order and time goes on until all
//! is at rest.
//!
//! What must hold: the laws, on each event (see `Host::handle`); while nobody has deleted or
//! forgotten anything, at each step packets can go both ways; at rest both ends have the same IKE SA and the same pair,
//! one of each, or nothing.
//!
//! `EXPLORE_DEPTH=12 EXPLORE_FAULTS=2 EXPLORE_OPS=3 cargo test --release -p ike-sm --test sim explore -- --nocapture`
//! goes further than the default and prints how far.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use ike_sm::Command;
use ike_sm::config::{Config, Dpd, DpdTimes, IkeVersion, Pfs, Retransmit};

use crate::host::{Handled, Host, Installed};
use crate::network::{InFlight, Link};
use crate::world::{A, B, World, host, inside_host, with_additional};
use crate::{number, on_all_cores, s, say};

/// What an end is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Op {
    RekeyChild(usize),
    RekeyIke(usize),
    DeleteChild(usize),
    DeleteIke(usize),
    /// So much time passes that this end asks the other for a sign of life.
    Liveness(usize),
    /// This end refuses the next child that the other one asks for.
    Refuse(usize),
    /// This end loses all that it knows, and calls the other one.
    Restart(usize),
}

impl Op {
    const fn deletes(self) -> bool {
        matches!(self, Self::DeleteChild(_) | Self::DeleteIke(_))
    }

    const fn restarts(self) -> bool {
        matches!(self, Self::Restart(_))
    }
}

/// Silence before a question, and the time that [`Op::Liveness`] lets pass.
const SILENCE: Duration = Duration::from_secs(1);

/// What the two ends are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Rekeys take IKE_FOLLOWUP_KE.
    Additional,
    /// Either end may refuse a child, and both keep the tunnel up.
    Refusing,
    /// One end at least loses its state.
    Forgetting,
    /// Key exchanges are computed elsewhere, children's too; their results come at any moment, or never.
    Computing,
}

/// What is explored.
#[derive(Clone, Debug)]
struct Scenario {
    version: IkeVersion,
    kind: Kind,
    ops: Vec<Op>,
    /// Messages that may be lost or doubled.
    faults: u8,
    /// Choices made; what comes after goes its usual way.
    depth: usize,
    /// Which end draws the lower nonces.
    seed: u64,
}

/// The choices of one path, and how many there were at each.
#[derive(Default)]
struct Choices {
    taken: Vec<(usize, usize)>,
    at: usize,
    depth: usize,
}

impl Choices {
    /// One of `of`; the first beyond the depth.
    fn choose(&mut self, of: usize) -> usize {
        if of < 2 {
            return 0;
        }
        if self.at == self.taken.len() {
            if self.taken.len() == self.depth {
                return 0;
            }
            self.taken.push((0, of));
        }
        let (chosen, _) = self.taken[self.at];
        self.at += 1;
        chosen
    }

    /// Whether the next choice is a new one.
    fn is_new(&self) -> bool {
        self.at == self.taken.len()
    }

    fn left(&self) -> usize {
        self.depth - self.at
    }

    /// On to the next path; false when all have been gone.
    fn next(&mut self) -> bool {
        self.at = 0;
        while let Some((chosen, of)) = self.taken.pop() {
            if chosen + 1 < of {
                self.taken.push((chosen + 1, of));
                return true;
            }
        }
        false
    }
}

/// One thing that can happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Deliver(usize),
    Lose(usize),
    /// Delivered, and once more on its way.
    Double(usize),
    Order(usize),
    /// What this end has asked for is computed.
    Compute(usize),
    /// It is not.
    Refuse(usize),
}

struct Pair {
    hosts: Vec<Host>,
    now: Duration,
    flights: Vec<InFlight>,
    ops: Vec<Op>,
    faults: u8,
    deleted: bool,
    /// Lives that have ended.
    restarts: u64,
    scenario: Scenario,
    path: Vec<String>,
}

fn change(scenario: &Scenario) -> impl Fn(usize, &mut Config) + '_ {
    |host, c: &mut Config| {
        config(&scenario.ops, host, c);
        match scenario.kind {
            Kind::Plain | Kind::Forgetting => {}
            Kind::Additional => with_additional(c),
            Kind::Computing => {
                let group = match scenario.version {
                    IkeVersion::V1 => c.policies[0].group,
                    _ => c.peers[0].v2.proposals[0].groups[0],
                };
                c.offload.groups = vec![group];
                c.peers[0].children[0].pfs = Pfs::Required(group);
            }
            Kind::Refusing => {
                c.authorize_children = true;
                c.peers[0].keep_up = true;
            }
        }
    }
}

fn config(ops: &[Op], host: usize, config: &mut Config) {
    let peer = &mut config.peers[0];
    // Later than any sign of life that is asked for.
    peer.retransmit = Retransmit {
        first: s(3),
        ..Retransmit::default()
    };
    peer.dpd = if ops.contains(&Op::Liveness(host)) {
        Dpd::Periodic(DpdTimes {
            idle: SILENCE,
            retry: s(3),
            tries: 5,
        })
    } else {
        Dpd::OnTraffic(DpdTimes {
            idle: s(10),
            retry: s(3),
            tries: 5,
        })
    };
    peer.initial_contact = !ops.iter().any(|op| op.restarts());
    // So many questions are no reason for a rekey here.
    config.limits.message_ids_per_ike_sa = 100_000;
}

impl Pair {
    fn up(scenario: &Scenario) -> Result<Self, String> {
        let change = change(scenario);
        let world = World::pair(scenario.version, scenario.seed, Link::CLEAN, change);
        let mut pair = Self {
            hosts: world.hosts,
            now: s(1),
            flights: Vec::new(),
            ops: Vec::new(),
            faults: 0,
            // Nothing to keep as yet.
            deleted: true,
            restarts: 0,
            scenario: scenario.clone(),
            path: Vec::new(),
        };
        for host in &mut pair.hosts {
            host.compare_states(false);
        }
        pair.initiate(A)?;
        // Longer than two negotiations count as started at once.
        pair.settle(s(5))?;
        if !pair.usable() {
            return Err("not up".into());
        }
        for host in &mut pair.hosts {
            host.compare_states(true);
        }
        pair.ops.clone_from(&scenario.ops);
        pair.faults = scenario.faults;
        pair.deleted = false;
        Ok(pair)
    }

    fn sent(&mut self, handled: Handled) {
        self.flights.extend(handled.send);
    }

    fn command(&mut self, host: usize, command: Command) -> Result<(), String> {
        let handled = self.hosts[host].command(command, self.now)?;
        self.sent(handled);
        Ok(())
    }

    fn initiate(&mut self, host: usize) -> Result<(), String> {
        let peer = if host == A { "b" } else { "a" };
        let (peer, children) = (peer.into(), Vec::new());
        self.command(host, Command::Initiate { peer, children })
    }

    /// What is on its way stays so: the answers to an earlier life too.
    fn restart(&mut self, n: usize) -> Result<(), String> {
        self.restarts += 1;
        let seed = 1000 * self.restarts + 2 * self.scenario.seed + n as u64;
        self.hosts[n] = host(n, self.scenario.version, seed, &change(&self.scenario));
        self.initiate(n)
    }

    fn deliver(&mut self, packet: &InFlight) -> Result<(), String> {
        let to: IpAddr = packet.to.ip();
        let host = self.hosts.iter_mut().find(|h| h.address == to);
        let host = host.ok_or("a packet to nobody")?;
        if let Some(handled) = host.receive(packet, self.now)? {
            self.sent(handled);
        }
        Ok(())
    }

    /// Whatever is due until `until` happens, deliveries aside.
    fn pass(&mut self, until: Duration) -> Result<(), String> {
        while let Some((at, host)) = self.next_event().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            if let Some(handled) = self.hosts[host].due(self.now)? {
                self.sent(handled);
            }
        }
        self.now = until;
        Ok(())
    }

    fn next_event(&self) -> Option<(Duration, usize)> {
        let hosts = self.hosts.iter().enumerate();
        hosts.filter_map(|(n, h)| Some((h.next_event()?, n))).min()
    }

    /// Everything is delivered in order, and `time` passes.
    fn settle(&mut self, time: Duration) -> Result<(), String> {
        let end = self.now + time;
        for _ in 0..10_000 {
            if !self.flights.is_empty() {
                let packet = self.flights.remove(0);
                self.deliver(&packet)?;
            } else if let Some((at, _)) = self.next_event().filter(|(at, _)| *at <= end) {
                self.pass(at.max(self.now))?;
            } else {
                self.now = end;
                return Ok(());
            }
            self.check()?;
        }
        Err("no end in sight".into())
    }

    /// A packet of either application each second.
    fn traffic(&mut self, seconds: usize) -> Result<(), String> {
        for _ in 0..seconds {
            for host in [A, B] {
                let (from, to) = (inside_host(host), inside_host(1 - host));
                let handled = self.hosts[host].application(from, to, self.now)?;
                self.sent(handled);
            }
            self.settle(s(1))?;
        }
        Ok(())
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = (0..self.flights.len()).map(Step::Deliver).collect();
        for (n, op) in self.ops.iter().enumerate() {
            // Of equal orders one is enough.
            if !self.ops[..n].contains(op) {
                steps.push(Step::Order(n));
            }
        }
        let computing = |n: &usize| {
            let asks = !self.hosts[*n].questions.is_empty();
            asks && self.scenario.kind == Kind::Computing
        };
        steps.extend([A, B].into_iter().filter(computing).map(Step::Compute));
        if self.faults > 0 {
            steps.extend([A, B].into_iter().filter(computing).map(Step::Refuse));
            steps.extend((0..self.flights.len()).map(Step::Lose));
            steps.extend((0..self.flights.len()).map(Step::Double));
        }
        steps
    }

    fn take(&mut self, step: Step) -> Result<(), String> {
        self.path.push(match step {
            Step::Order(n) => format!("{:?}", self.ops[n]),
            Step::Compute(n) | Step::Refuse(n) => format!("{step:?} at {}", self.hosts[n].name),
            Step::Deliver(n) | Step::Lose(n) | Step::Double(n) => {
                let what = format!("{step:?}");
                let what = what.split('(').next().unwrap_or_default();
                format!("{what} to {}", self.flights[n].to.ip())
            }
        });
        match step {
            Step::Deliver(n) => {
                let packet = self.flights.remove(n);
                self.deliver(&packet)?;
            }
            Step::Lose(n) => {
                self.faults -= 1;
                self.flights.remove(n);
            }
            Step::Double(n) => {
                self.faults -= 1;
                let packet = self.flights[n].clone();
                self.deliver(&packet)?;
            }
            Step::Compute(n) => self.answer(n, false)?,
            Step::Refuse(n) => {
                self.faults -= 1;
                self.answer(n, true)?;
            }
            Step::Order(n) => {
                let op = self.ops.remove(n);
                self.order(op)?;
            }
        }
        self.check()
    }

    /// The oldest question of an end is answered.
    fn answer(&mut self, host: usize, refused: bool) -> Result<(), String> {
        let handled = self.hosts[host].answer(refused, self.now)?;
        self.sent(handled);
        Ok(())
    }

    fn order(&mut self, op: Op) -> Result<(), String> {
        self.deleted |= op.deletes();
        let newest = |host: &Host| {
            let active = host.installed.iter().filter(|(_, i)| i.activated.is_some());
            active.max_by_key(|(_, i)| i.activated).map(|(id, _)| *id)
        };
        match op {
            Op::RekeyChild(n) => match newest(&self.hosts[n]) {
                Some(child) => self.command(n, Command::RekeyChild(child)),
                None => Ok(()),
            },
            Op::DeleteChild(n) => match newest(&self.hosts[n]) {
                Some(child) => self.command(n, Command::DeleteChild(child)),
                None => Ok(()),
            },
            Op::RekeyIke(n) => match self.hosts[n].ike.keys().next_back() {
                Some(ike) => self.command(n, Command::RekeyIke(*ike)),
                None => Ok(()),
            },
            Op::DeleteIke(n) => match self.hosts[n].ike.keys().next_back() {
                Some(ike) => self.command(n, Command::DeleteIke(*ike)),
                None => Ok(()),
            },
            Op::Liveness(_) => self.pass(self.now + SILENCE),
            Op::Refuse(n) => {
                self.hosts[n].refuse += 1;
                Ok(())
            }
            Op::Restart(n) => self.restart(n),
        }
    }

    /// Whether what one end sends now can be read by the other, both ways.
    fn usable(&self) -> bool {
        let sends = |host: &Host| {
            let active = host.installed.values().filter(|i| i.activated.is_some());
            active.max_by_key(|i| i.activated).map(|i| i.sa.id)
        };
        [(A, B), (B, A)].into_iter().all(|(from, to)| {
            let Some(id) = sends(&self.hosts[from]) else {
                return false;
            };
            let sa = &self.hosts[from].installed[&id].sa;
            let reads = |i: &Installed| i.sa.spi_in == sa.spi_out && i.sa.keys_in == sa.keys_out;
            self.hosts[to].installed.values().any(reads)
        })
    }

    fn check(&self) -> Result<(), String> {
        if !self.deleted && self.restarts == 0 && !self.usable() {
            return Err("no way for packets although nobody has deleted anything".into());
        }
        Ok(())
    }

    /// What must hold when all is at rest.
    fn check_at_rest(&self) -> Result<(), String> {
        let spis = |host: &Host| -> Vec<(u32, u32)> {
            let all = host.installed.values();
            let mut all: Vec<_> = all.map(|i| (i.sa.spi_in, i.sa.spi_out)).collect();
            all.sort_unstable();
            all
        };
        let (a, b) = (spis(&self.hosts[A]), spis(&self.hosts[B]));
        let mut turned: Vec<_> = b.iter().map(|(i, o)| (*o, *i)).collect();
        turned.sort_unstable();
        if a != turned || a.len() > 1 {
            return Err(format!("pairs at rest: {a:08x?} and {b:08x?}"));
        }
        let ikes: Vec<Vec<_>> = self
            .hosts
            .iter()
            .map(|h| {
                let all = h.endpoint.ike_sas();
                all.map(|i| (i.initiator_spi, i.responder_spi)).collect()
            })
            .collect();
        if ikes[A] != ikes[B] || ikes[A].len() > 1 {
            return Err(format!("IKE SAs at rest: {ikes:02x?}"));
        }
        if !a.is_empty() && (ikes[A].is_empty() || !self.usable()) {
            return Err("a pair that nobody looks after, or that cannot be used".into());
        }
        if !self.deleted && a.is_empty() {
            return Err("nothing is left".into());
        }
        for host in &self.hosts {
            let left = host.endpoint.leftovers();
            if !left.is_empty() {
                return Err(format!("{} holds more than its SAs: {left:?}", host.name));
            }
        }
        Ok(())
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for host in &self.hosts {
            host.hash_state(&mut hasher);
        }
        let mut flights: Vec<String> = self.flights.iter().map(|f| format!("{f:?}")).collect();
        flights.sort_unstable();
        let done = (self.deleted, self.restarts);
        (flights, &self.ops, self.faults, done, self.now).hash(&mut hasher);
        hasher.finish()
    }
}

/// How much was explored.
#[derive(Default, Debug)]
struct Count {
    paths: usize,
    states: usize,
    known: usize,
    /// Choices of the longest path; fewer than the depth: nothing was left out.
    longest: usize,
}

impl Count {
    fn add(&mut self, more: &Self) {
        self.paths += more.paths;
        self.states += more.states;
        self.known += more.known;
        self.longest = self.longest.max(more.longest);
    }
}

fn explore(scenario: &Scenario, count: &mut Count) -> Result<(), String> {
    let mut seen: HashMap<u64, usize> = HashMap::new();
    let mut choices = Choices {
        depth: scenario.depth,
        ..Choices::default()
    };
    loop {
        let mut pair = Pair::up(scenario)?;
        let gone = walk(&mut pair, &mut choices, &mut seen, count);
        if let Err(what) = gone {
            let show: Vec<String> = pair.hosts.iter().map(describe).collect();
            let (path, show) = (pair.path.join(", "), show.join("\n"));
            return Err(format!("{scenario:?}: {what}\n{path}\n{show}"));
        }
        count.longest = count.longest.max(choices.at);
        if !choices.next() {
            count.states += seen.len();
            return Ok(());
        }
    }
}

/// One path to its end.
fn walk(
    pair: &mut Pair,
    choices: &mut Choices,
    seen: &mut HashMap<u64, usize>,
    count: &mut Count,
) -> Result<(), String> {
    loop {
        let steps = pair.steps();
        if steps.is_empty() {
            // Nothing is on its way: a message was lost, or all is done.
            let waits = |h: &Host| {
                let deadline = h.endpoint.next_deadline();
                deadline.is_some_and(|d| d.why == ike_sm::DeadlineReason::Retransmit)
            };
            let Some((at, _)) = pair.next_event().filter(|_| pair.hosts.iter().any(waits)) else {
                break;
            };
            pair.pass(at.max(pair.now))?;
            pair.check()?;
            continue;
        }
        if choices.is_new() && steps.len() > 1 {
            let left = choices.left();
            let known = seen.entry(pair.fingerprint()).or_default();
            if *known > left {
                count.known += 1;
                return Ok(());
            }
            *known = left + 1;
        }
        let step = steps[choices.choose(steps.len())];
        pair.take(step)?;
    }
    count.paths += 1;
    if seen.insert(pair.fingerprint(), usize::MAX).is_some() {
        return Ok(());
    }
    for host in &mut pair.hosts {
        host.compare_states(false);
    }
    // Longer than every drain and than all repetitions of one message.
    pair.settle(s(300))?;
    if pair.scenario.version == IkeVersion::V1 {
        // Nobody acknowledges a DELETE of IKEv1: a lost one shows with the next packets.
        pair.traffic(40)?;
        pair.settle(s(300))?;
    }
    pair.check_at_rest()
}

fn describe(host: &Host) -> String {
    let mut out = format!("  {}: ike {:?}", host.name, host.ike.keys());
    for (id, i) in &host.installed {
        let (si, so) = (i.sa.spi_in, i.sa.spi_out);
        out += &format!("\n    {id} {si:08x}/{so:08x} activated {:?}", i.activated);
    }
    out += &format!("\n    closed {:?} removed {:?}", host.closed, host.removed);
    out += &format!("\n    {:?}", host.outcomes);
    for record in &host.records {
        out += &format!("\n{:>12.6} {}", record.at.as_secs_f64(), record.cisco());
    }
    out
}

/// All choices of `n` operations, the same ones more than once included.
fn several(all: &[Op], n: usize) -> Vec<Vec<Op>> {
    let Some(rest) = n.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let mut lists = Vec::new();
    for (at, first) in all.iter().enumerate() {
        for mut list in several(&all[at..], rest) {
            list.insert(0, *first);
            lists.push(list);
        }
    }
    lists
}

/// All choices of `number_of` operations, each on either end.
fn operations(version: IkeVersion, kind: Kind, number_of: usize, depth: usize) {
    let mut kinds = vec![
        Op::RekeyChild,
        Op::RekeyIke,
        Op::DeleteChild,
        Op::DeleteIke,
        Op::Liveness,
    ];
    if kind == Kind::Forgetting {
        kinds.push(Op::Restart);
    }
    if kind == Kind::Refusing {
        kinds = vec![Op::RekeyChild, Op::DeleteChild, Op::DeleteIke, Op::Refuse];
    }
    let all: Vec<Op> = kinds.iter().flat_map(|kind| [kind(A), kind(B)]).collect();
    let faults = number("EXPLORE_FAULTS").unwrap_or(1);
    let scenario = |(ops, seed)| Scenario {
        version,
        kind,
        ops,
        faults: u8::try_from(faults).unwrap(),
        depth,
        seed,
    };
    let mut lists = several(&all, number_of);
    let restarts = kind == Kind::Forgetting;
    lists.retain(|ops| ops.iter().any(|op| op.restarts()) == restarts);
    let scenarios: Vec<Scenario> = lists
        .into_iter()
        .flat_map(|ops| [(ops.clone(), 0), (ops, 1)])
        .map(scenario)
        .collect();
    let total = Mutex::new(Count::default());
    let failed = on_all_cores(0..scenarios.len() as u64, |n| {
        let mut count = Count::default();
        let gone = explore(&scenarios[n as usize], &mut count);
        total.lock().unwrap().add(&count);
        gone.inspect_err(|what| {
            if std::env::var_os("EXPLORE_SHOW").is_some() {
                say(what);
            }
        })
    });
    let Count {
        paths,
        states,
        known,
        longest,
    } = total.into_inner().unwrap();
    let scenarios = scenarios.len();
    say(&format!(
        "{version:?} {kind:?}: {scenarios} scenarios of {number_of} operations, depth {depth}, {faults} faults: \
         {paths} paths, {states} states, {known} ways to states that were known; the longest path has \
         {longest} choices"
    ));
    if let Some((_, what)) = failed.first() {
        panic!(
            "{} of {scenarios} scenarios fail; the first: {what}",
            failed.len()
        );
    }
}

/// So many operations to this depth, or what is set.
fn explored(version: IkeVersion, kind: Kind, usual: &[(usize, usize)]) {
    let set = |name| number(name).map(|n| n as usize);
    let depth = set("EXPLORE_DEPTH");
    match set("EXPLORE_OPS") {
        Some(ops) => operations(version, kind, ops, depth.unwrap_or(3)),
        None => {
            for (ops, usual) in usual {
                operations(version, kind, *ops, depth.unwrap_or(*usual));
            }
        }
    }
}

#[test]
fn ikev1_operations_in_every_order() {
    explored(IkeVersion::V1, Kind::Plain, &[(2, 3), (3, 2)]);
}

#[test]
fn ikev2_operations_in_every_order() {
    explored(IkeVersion::V2, Kind::Plain, &[(2, 3), (3, 3)]);
}

#[test]
fn ikev2_operations_with_additional_key_exchanges_in_every_order() {
    explored(IkeVersion::V2, Kind::Additional, &[(2, 3)]);
}

#[test]
fn ikev1_key_exchanges_computed_elsewhere_in_every_order() {
    explored(IkeVersion::V1, Kind::Computing, &[(2, 3)]);
}

#[test]
fn ikev2_key_exchanges_computed_elsewhere_in_every_order() {
    explored(IkeVersion::V2, Kind::Computing, &[(1, 8), (2, 4)]);
}

#[test]
fn ikev1_refused_children_in_every_order() {
    explored(IkeVersion::V1, Kind::Refusing, &[(2, 3), (3, 2)]);
}

#[test]
fn ikev2_refused_children_in_every_order() {
    explored(IkeVersion::V2, Kind::Refusing, &[(2, 3), (3, 2)]);
}

#[test]
fn ikev1_restarts_in_every_order() {
    explored(IkeVersion::V1, Kind::Forgetting, &[(1, 6), (2, 3)]);
}

#[test]
fn ikev2_restarts_in_every_order() {
    explored(IkeVersion::V2, Kind::Forgetting, &[(1, 6), (2, 3)]);
}
