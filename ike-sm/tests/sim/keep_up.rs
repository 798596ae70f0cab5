//! Both ends keep the tunnel up, on a link that loses 15 % of everything and never gets better.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ike_sm::Command;
use ike_sm::config::{Config, IkeVersion, Lifetime, RekeyMargin};

use crate::network::Link;
use crate::rng::SimRng;
use crate::world::{A, B, World, with_additional};
use crate::{s, say, seeds};

/// One datagram in seven is lost, some come twice, none in order.
const LOSING: Link = Link {
    loss: 150,
    duplicate: 30,
    jitter: Duration::from_millis(50),
    ..Link::CLEAN
};
/// How long something is done to the tunnel.
const RESTLESS: Duration = s(120);

/// What the operator of one end does.
#[derive(Clone, Copy, Debug)]
enum Op {
    DeleteChild,
    DeleteIke,
    RekeyChild,
    RekeyIke,
}

/// What a seed decides, beside every datagram's fate.
#[derive(Clone, Debug)]
struct Plan {
    /// Lifetimes so short that there are rekeys all the time.
    short: bool,
    additional: bool,
    /// Who begins, and how much later the other one does.
    first: usize,
    second: Option<Duration>,
    /// In order of time.
    ops: Vec<(Duration, usize, Op)>,
    /// Children that each end refuses.
    refuse: [u32; 2],
}

impl Plan {
    fn of(version: IkeVersion, seed: u64) -> Self {
        let rng = &mut SimRng::new(seed, 0x6b65_6570);
        let mut op = || {
            let at = Duration::from_millis(rng.below(RESTLESS.as_millis() as u64));
            let op = [Op::DeleteChild, Op::DeleteIke, Op::RekeyChild, Op::RekeyIke];
            let op = op[rng.below(4) as usize];
            (at, rng.below(2) as usize, op)
        };
        let all = [(); 5].map(|()| op());
        let mut ops = all[..rng.below(6) as usize].to_vec();
        ops.sort_by_key(|(at, ..)| *at);
        Self {
            short: rng.chance(300),
            additional: version == IkeVersion::V2 && rng.chance(200),
            first: rng.below(2) as usize,
            second: rng
                .chance(700)
                .then(|| Duration::from_millis(rng.below(3000))),
            ops,
            refuse: [rng.below(3) as u32, rng.below(3) as u32].map(|n| n.saturating_sub(1)),
        }
    }

    fn configure(&self, config: &mut Config) {
        if self.additional {
            with_additional(config);
        }
        config.authorize_children = true;
        let peer = &mut config.peers[0];
        peer.keep_up = true;
        if self.short {
            let margin = RekeyMargin {
                time: s(15),
                ..RekeyMargin::default()
            };
            peer.v2.lifetime = Lifetime::seconds(100);
            peer.margin = margin;
            peer.children[0].lifetime = Lifetime::seconds(60);
            peer.children[0].margin = margin;
            config.policies[0].lifetime = Lifetime::seconds(100);
        }
    }

    fn run(&self, world: &mut World) -> Result<(), String> {
        world.traffic = Some(s(1));
        world.initiate(self.first)?;
        if let Some(later) = self.second {
            world.run(later)?;
            world.initiate(1 - self.first)?;
        }
        for (at, host, op) in &self.ops {
            world.run_until(*at)?;
            let child = world.hosts[*host].installed.keys().next_back().copied();
            let ike = world.hosts[*host].ike.keys().next_back().copied();
            let command = match (op, child, ike) {
                (Op::DeleteChild, Some(child), _) => Command::DeleteChild(child),
                (Op::RekeyChild, Some(child), _) => Command::RekeyChild(child),
                (Op::DeleteIke, _, Some(ike)) => Command::DeleteIke(ike),
                (Op::RekeyIke, _, Some(ike)) => Command::RekeyIke(ike),
                _ => continue,
            };
            world.command(*host, command)?;
        }
        world.run_until(RESTLESS)
    }
}

/// Deletions, rekeys and refusals at either end at any time: a while after the last one there is a
/// pair that carries packets both ways, and nothing that only one end has. (While a rekey is on its
/// way, one end is ahead of the other: it is looked at until it is not.)
fn both_ends_keep_the_tunnel_up_over_a_losing_link(version: IkeVersion) {
    let (deleted, longest) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let count = seeds(150, |seed| {
        let plan = Plan::of(version, seed);
        let mut world = World::pair(version, seed, LOSING, |_, config| plan.configure(config));
        for (host, refuse) in [A, B].into_iter().zip(plan.refuse) {
            world.hosts[host].refuse = refuse;
            world.hosts[host].compare_states(std::env::var_os("SIM_SEED").is_some());
        }
        let explain = |what: String| format!("{plan:?}: {what}");
        plan.run(&mut world).map_err(explain)?;
        let start = world.now;
        while world.working_pairs() == 0 || world.check_consistent().is_err() {
            // Longer than all repetitions of one message, and the longest wait after a refusal.
            if world.now > start + s(500) {
                let what = world.check_consistent().err();
                return Err(explain(what.unwrap_or_else(|| world.describe())));
            }
            world.run(s(1)).map_err(explain)?;
        }
        let took = (world.now - start).as_secs() as usize;
        longest.fetch_max(took, Ordering::Relaxed);
        deleted.fetch_add(plan.ops.len(), Ordering::Relaxed);
        Ok(())
    });
    say(&format!(
        "{version:?}: {count} seeds, {deleted:?} operations, the longest way back took {longest:?} s"
    ));
}

both_versions! {
    both_ends_keep_the_tunnel_up_over_a_losing_link,
}
