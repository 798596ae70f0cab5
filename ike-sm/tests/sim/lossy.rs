//! Tunnels over bad links, through NATs that change their mind.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crypto_suite::GroupId;
use ike_sm::config::{
    Config, IkeVersion, Lifetime, Offload, Phase1Mode, RekeyMargin, RemoteIdentity,
};

use crate::network::{Link, Nat};
use crate::rng::SimRng;
use crate::world::{A, B, World, address, config, with_additional};
use crate::{s, say, seeds};

/// The two addresses that A's NAT has outside, now or later.
const PUBLIC: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 77)),
];
/// How long the link is bad.
const BAD_FOR: Duration = s(120);

/// A NAT that forgets its mappings, and may come back with its other address.
#[derive(Clone, Copy, Debug)]
struct Rebinding {
    at: Duration,
    address: bool,
}

/// What a seed decides, beside every datagram's fate.
#[derive(Clone, Debug)]
struct Plan {
    /// A is behind a NAT: then A alone can begin.
    nat: bool,
    aggressive: bool,
    /// Lifetimes so short that there are rekeys on the bad link.
    short: bool,
    /// Additional key exchanges, so that rekeys take IKE_FOLLOWUP_KE.
    additional: bool,
    /// How long the embedder takes for each half of a key exchange, where it computes them.
    computes: Option<Duration>,
    /// Who begins, and how much later the other one does.
    first: usize,
    second: Option<Duration>,
    traffic: Duration,
    /// On the bad link, in order of time.
    rebindings: Vec<Rebinding>,
    /// When all is well.
    last: Rebinding,
}

impl Plan {
    fn of(version: IkeVersion, seed: u64) -> Self {
        let rng = &mut SimRng::new(seed, 0x91a7);
        let nat = rng.chance(700);
        let aggressive = version == IkeVersion::V1 && rng.chance(300);
        let short = rng.chance(300);
        let first = if nat { A } else { rng.below(2) as usize };
        let both = !nat && rng.chance(400);
        let later = Duration::from_millis(rng.below(40));
        let mut rebinding = |from: Duration, within: Duration| Rebinding {
            at: from + Duration::from_millis(rng.below(within.as_millis() as u64)),
            address: rng.chance(300),
        };
        let last = rebinding(s(0), s(1));
        let all = [(); 3].map(|()| rebinding(s(0), BAD_FOR));
        let mut rebindings = all[..rng.below(4) as usize].to_vec();
        rebindings.sort_by_key(|r| r.at);
        let traffic = [s(1), s(5), s(25)][rng.below(3) as usize];
        Self {
            nat,
            aggressive,
            short,
            additional: version == IkeVersion::V2 && rng.chance(300),
            computes: seed
                .is_multiple_of(3)
                .then(|| Duration::from_millis(seed % 700)),
            first,
            second: both.then_some(later),
            traffic,
            rebindings: if nat { rebindings } else { Vec::new() },
            last,
        }
    }

    fn configure(&self, host: usize, config: &mut Config) {
        if self.additional {
            with_additional(config);
        }
        if self.computes.is_some() {
            config.offload = Offload::heavy();
            config.offload.groups.push(GroupId::X25519);
        }
        let peer = &mut config.peers[0];
        if self.nat && host == B {
            // Known by no address of its own.
            peer.addresses = PUBLIC.to_vec();
            peer.remote_id = RemoteIdentity::Any;
        }
        if self.aggressive {
            peer.mode = Phase1Mode::AggressiveExposingPskHash;
            peer.local_address = Some(address(host));
        }
        if self.short {
            let margin = RekeyMargin {
                time: s(15),
                ..RekeyMargin::default()
            };
            peer.v2.lifetime = Lifetime::seconds(70);
            peer.margin = margin;
            peer.children[0].lifetime = Lifetime::seconds(45);
            peer.children[0].margin = margin;
            config.policies[0].lifetime = Lifetime::seconds(70);
        }
    }

    fn world(&self, version: IkeVersion, seed: u64) -> World {
        let mut world = World::pair(version, seed, Link::BAD, |h, c| self.configure(h, c));
        for host in &mut world.hosts {
            host.question_delay = self.computes.unwrap_or(host.question_delay);
            // Costs more than all the rest together.
            host.compare_states(seed.is_multiple_of(8) || std::env::var_os("SIM_SEED").is_some());
        }
        if self.nat {
            world.network.nats.push(Nat::new(address(A), PUBLIC[0]));
        }
        world
    }

    /// The handshake and all that happens on the bad link.
    fn run(&self, world: &mut World) -> Result<(), String> {
        world.traffic = Some(self.traffic);
        world.initiate(self.first)?;
        if let Some(later) = self.second {
            world.run(later)?;
            world.initiate(1 - self.first)?;
        }
        for rebinding in &self.rebindings {
            world.run_until(rebinding.at)?;
            rebind(world, *rebinding);
        }
        world.run_until(BAD_FOR)?;
        world.network.link = Link::CLEAN;
        // Longer than every retransmission and than dead peer detection.
        world.run(s(400))
    }
}

fn rebind(world: &mut World, rebinding: Rebinding) {
    let nat = &mut world.network.nats[0];
    if rebinding.address {
        let other = usize::from(nat.public == PUBLIC[0]);
        nat.move_to(PUBLIC[other]);
    } else {
        nat.reboot();
    }
}

fn until_nothing_is_half_open(world: &mut World) -> Result<(), String> {
    let half_open = |world: &World| {
        let mut all = world.hosts.iter().flat_map(|h| h.endpoint.ike_sas());
        all.any(|sa| sa.established.is_none())
    };
    for _ in 0..60 {
        if !half_open(world) {
            return Ok(());
        }
        world.run(s(1))?;
    }
    Err("half-open for a minute".into())
}

fn up_and_healed(version: IkeVersion, seed: u64) -> Result<World, String> {
    let plan = Plan::of(version, seed);
    let mut world = plan.world(version, seed);
    plan.run(&mut world)?;
    Ok(world)
}

/// One packet a second for ten seconds finds an SA at either end, and each arrives.
fn packets_pass(world: &mut World) -> Result<(), String> {
    let before = [A, B].map(|h| world.hosts[h].counts);
    for _ in 0..10 {
        world.application(A)?;
        world.application(B)?;
        world.run(s(1))?;
    }
    for (from, to) in [(A, B), (B, A)] {
        let sent = world.hosts[from].counts.sent - before[from].sent;
        let received = world.hosts[to].counts.received - before[to].received;
        if (sent, received) != (10, 10) {
            let what = format!("{sent} of 10 packets left, {received} arrived");
            let name = world.hosts[from].name;
            return Err(format!("{what} from {name}: {}", world.describe()));
        }
    }
    Ok(())
}

/// 30 % loss and duplication, no order, a NAT that changes its port or its address whenever it likes;
/// after two minutes the link heals. Then packets pass both ways, over one pair that both ends know;
/// and still do when the NAT changes once more.
fn no_seed_ends_in_a_black_hole(version: IkeVersion) {
    let [rebindings, behind_nat, rekeyed] = [const { AtomicUsize::new(0) }; 3];
    let count = seeds(4000, |seed| {
        let plan = Plan::of(version, seed);
        let mut world = plan.world(version, seed);
        plan.run(&mut world)?;
        world.traffic = None;
        world.run(s(1))?;
        let explain = |what: String| format!("{plan:?}: {what}");
        packets_pass(&mut world).map_err(explain)?;
        if plan.nat {
            world.run(plan.last.at)?;
            if plan.aggressive {
                // The third message of aggressive mode comes again with the initiator's next quick mode
                // only. If the change of the NAT takes just that message, packets are lost until then,
                // or until dead peer detection has asked.
                until_nothing_is_half_open(&mut world)?;
            }
            rebind(&mut world, plan.last);
            // The one behind the NAT is heard from its new place first.
            world.application(A)?;
            world.run(s(1))?;
            packets_pass(&mut world).map_err(|w| explain(format!("after a rebinding: {w}")))?;
            behind_nat.fetch_add(1, Ordering::Relaxed);
            rebindings.fetch_add(plan.rebindings.len() + 1, Ordering::Relaxed);
        }
        if world.hosts[A].removed.len() > 1 {
            rekeyed.fetch_add(1, Ordering::Relaxed);
        }
        settled(world).map_err(explain)
    });
    say(&format!(
        "{version:?}: {count} seeds, none black-holed; {behind_nat:?} behind a NAT that changed \
         {rebindings:?} times, {rekeyed:?} with more than one pair replaced"
    ));
}

/// Consistent, as soon as what is on its way has arrived.
pub fn settled(mut world: World) -> Result<(), String> {
    for _ in 0..3 {
        if world.check_consistent().is_ok() {
            return Ok(());
        }
        world.run(s(1))?;
    }
    world.check_consistent()
}

fn the_same_seed_gives_the_same_bytes(version: IkeVersion) {
    seeds(20, |seed| {
        let digests = |w: &World| w.hosts.iter().map(|h| h.digest).collect::<Vec<_>>();
        let (first, second) = (up_and_healed(version, seed)?, up_and_healed(version, seed)?);
        if digests(&first) != digests(&second) {
            return Err("two runs differ".into());
        }
        Ok(())
    });
}

fn dropped_datagrams_leave_no_trace(version: IkeVersion) {
    // The law of atomicity from outside: a run without the datagrams that were dropped sends the
    // same bytes at the same times.
    let dropped = AtomicUsize::new(0);
    seeds(200, |seed| {
        let first = up_and_healed(version, seed)?;
        let plan = Plan::of(version, seed);
        let mut second = plan.world(version, seed);
        second.leave_out = first.dropped.clone();
        plan.run(&mut second)?;
        for (one, two) in first.hosts.iter().zip(&second.hosts) {
            if one.digest != two.digest {
                let n = first.dropped.len();
                let (one, two) = (first.describe(), second.describe());
                return Err(format!(
                    "{n} datagrams left out change what is sent: {one}\n{two}"
                ));
            }
        }
        dropped.fetch_add(first.dropped.len(), Ordering::Relaxed);
        Ok(())
    });
    assert!(dropped.into_inner() > 0);
}

fn a_clean_link_needs_few_messages(version: IkeVersion) {
    let mut world = World::pair(version, 1, Link::CLEAN, |_, _| {});
    world.initiate(A).unwrap();
    world.run(s(3)).unwrap();
    assert_eq!(world.working_pairs(), 1, "{}", world.describe());
    let count = |w: &World| w.hosts.iter().map(|h| h.datagrams).sum::<u64>();
    // Main mode and quick mode: nine. IKE_SA_INIT and IKE_AUTH: four (RFC 7296 §1.2).
    let most = if version == IkeVersion::V1 { 9 } else { 4 };
    assert!(count(&world) <= most, "{}", world.describe());
    assert_eq!(config(A).peers[0].name, "b");
}

both_versions! {
    no_seed_ends_in_a_black_hole,
    the_same_seed_gives_the_same_bytes,
    dropped_datagrams_leave_no_trace,
    a_clean_link_needs_few_messages,
}
