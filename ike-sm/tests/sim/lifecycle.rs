//! What happens to tunnels that stand: rekeys, deletes, deaths, idleness, moves.

use std::time::Duration;

use ike_sm::config::{Config, Dpd, DpdTimes, IkeVersion, Lifetime, RekeyMargin};
use ike_sm::{CloseReason, Command};

use crate::lossy::settled;
use crate::network::{Link, Nat};
use crate::world::{A, B, World, address};
use crate::{s, seeds};

/// Reordering by up to 20 ms, nothing lost.
const SHAKY: Link = Link {
    jitter: Duration::from_millis(20),
    ..Link::CLEAN
};
/// One datagram in ten is lost, some are doubled or damaged.
const LOSSY: Link = Link {
    loss: 100,
    duplicate: 50,
    corrupt: 5,
    ..SHAKY
};

fn up(mut world: World, host: usize) -> Result<World, String> {
    world.initiate(host)?;
    for _ in 0..200 {
        world.run(s(5))?;
        if world.working_pairs() == 1 {
            break;
        }
    }
    if world.working_pairs() != 1 {
        return Err(format!("not up: {}", world.describe()));
    }
    Ok(world)
}

/// Lifetimes so short that both phases rekey many times in a few minutes.
fn short_lives(_: usize, config: &mut Config) {
    config.policies[0].lifetime = Lifetime::seconds(100);
    config.peers[0].v2.lifetime = Lifetime::seconds(100);
    let margin = RekeyMargin {
        time: s(20),
        ..RekeyMargin::default()
    };
    config.peers[0].margin = margin;
    config.peers[0].children[0].lifetime = Lifetime::seconds(60);
    config.peers[0].children[0].margin = margin;
}

fn all_arrived(world: &World) -> Result<(), String> {
    let (a, b) = (world.hosts[A].counts, world.hosts[B].counts);
    if (a.sent, b.sent) != (b.received, a.received) {
        return Err(format!("packets were lost: {}", world.describe()));
    }
    Ok(())
}

fn rekeys_of_both_phases_lose_no_packet(version: IkeVersion) {
    seeds(40, |seed| {
        let world = World::pair(version, seed, SHAKY, short_lives);
        let mut world = up(world, (seed % 2) as usize)?;
        world.traffic = Some(Duration::from_millis(100));
        world.run(s(600))?;
        world.traffic = None;
        world.run(s(1))?;
        all_arrived(&world)?;
        let rekeyed = world.hosts[A].removed.len();
        if rekeyed < 8 || world.hosts[A].counts.sent < 5000 {
            return Err(format!("{rekeyed} rekeys only: {}", world.describe()));
        }
        settled(world)
    });
}

/// The replaced pair reaches its hard lifetime before it is drained; its successor stays.
fn lives_shorter_than_a_drain_lose_no_packet(version: IkeVersion) {
    seeds(20, |seed| {
        let world = World::pair(version, seed, SHAKY, |_, config| {
            let margin = RekeyMargin {
                time: s(1),
                ..RekeyMargin::default()
            };
            config.peers[0].children[0].lifetime = Lifetime::seconds(4);
            config.peers[0].children[0].margin = margin;
        });
        let mut world = up(world, (seed % 2) as usize)?;
        world.traffic = Some(Duration::from_millis(100));
        world.run(s(60))?;
        world.traffic = None;
        world.run(s(1))?;
        all_arrived(&world)?;
        settled(world)
    });
}

fn d3_rekeys_from_both_sides_at_once_lose_no_packet(version: IkeVersion) {
    seeds(100, |seed| {
        let mut world = up(World::pair(version, seed, SHAKY, |_, _| {}), A)?;
        world.traffic = Some(Duration::from_millis(50));
        for round in 0..4 {
            world.run(s(10))?;
            for host in [A, B] {
                let child = *world.hosts[host].installed.keys().next_back().unwrap();
                let ike = *world.hosts[host].ike.keys().next_back().unwrap();
                let command = if round % 2 == 0 {
                    Command::RekeyChild(child)
                } else {
                    Command::RekeyIke(ike)
                };
                world.command(host, command)?;
                world.run(Duration::from_millis(seed % 25))?;
            }
        }
        world.run(s(120))?;
        world.traffic = None;
        world.run(s(1))?;
        all_arrived(&world)?;
        world.check_consistent()?;
        if world.working_pairs() != 1 {
            return Err(format!("more than one pair is left: {}", world.describe()));
        }
        Ok(())
    });
}

fn rekeys_over_a_lossy_link_end_consistent(version: IkeVersion) {
    seeds(60, |seed| {
        let mut world = up(
            World::pair(version, seed, LOSSY, short_lives),
            (seed % 2) as usize,
        )?;
        world.traffic = Some(Duration::from_secs(1));
        world.run(s(900))?;
        world.network.link = Link::CLEAN;
        world.run(s(400))?;
        let before = world.hosts[B].counts.received;
        world.run(s(50))?;
        if world.hosts[B].counts.received < before + 40 {
            return Err(format!("traffic does not flow: {}", world.describe()));
        }
        Ok(())
    });
}

fn deletes_from_either_side_and_from_both_leave_nothing(version: IkeVersion) {
    seeds(120, |seed| {
        let link = if seed % 2 == 0 { SHAKY } else { LOSSY };
        let mut world = up(World::pair(version, seed, link, |_, _| {}), A)?;
        let both = seed % 3 == 0;
        let ike = seed % 5 < 3;
        for host in if both {
            vec![A, B]
        } else {
            vec![(seed % 2) as usize]
        } {
            let command = match (ike, world.hosts[host].ike.keys().next()) {
                (true, Some(id)) => Command::DeleteIke(*id),
                _ => match world.hosts[host].installed.keys().next() {
                    Some(id) => Command::DeleteChild(*id),
                    None => continue,
                },
            };
            world.command(host, command)?;
            world.run(Duration::from_millis(seed % 30))?;
        }
        // A delete may be lost: then dead peer detection finds out, once there is traffic.
        world.run(s(30))?;
        if link.loss == 0 {
            let left = world.hosts.iter().map(|h| h.installed.len()).sum::<usize>();
            if left != 0 {
                return Err(format!("something is left: {}", world.describe()));
            }
        }
        world.network.link = Link::CLEAN;
        world.traffic = Some(s(5));
        world.run(s(400))?;
        world.check_consistent()
    });
}

fn shutdown_tells_the_peer(version: IkeVersion) {
    let mut world = up(World::pair(version, 3, SHAKY, |_, _| {}), A).unwrap();
    world.command(A, Command::Shutdown).unwrap();
    world.run(s(2)).unwrap();
    assert!(world.is_empty(), "{}", world.describe());
    let deleted = |(_, reason): &(_, CloseReason)| *reason == CloseReason::DeletedByPeer;
    assert!(
        world.hosts[B].closed.iter().any(deleted),
        "{}",
        world.describe()
    );
}

fn a_dead_peer_is_found_by_traffic_and_comes_back(version: IkeVersion) {
    seeds(40, |seed| {
        let times = DpdTimes {
            idle: s(10),
            retry: s(2),
            tries: 3,
        };
        let world = World::pair(version, seed, SHAKY, |_, config| {
            config.peers[0].dpd = Dpd::OnTraffic(times);
        });
        let mut world = up(world, A)?;
        // Without traffic nobody asks, however long it lasts (RFC 3706 §5.5).
        let before: Vec<u64> = world.hosts.iter().map(|h| h.datagrams).collect();
        world.run(s(300))?;
        let after: Vec<u64> = world.hosts.iter().map(|h| h.datagrams).collect();
        if before != after {
            return Err(format!(
                "somebody spoke without a reason: {}",
                world.describe()
            ));
        }
        let now = world.now;
        world.network.blackout = Some((now, now + s(120)));
        world.traffic = Some(s(1));
        world.run(s(40))?;
        if world.hosts[A].dead == 0 || world.hosts[B].dead == 0 {
            return Err(format!("death was not noticed: {}", world.describe()));
        }
        world.run(s(400))?;
        world.check_consistent()?;
        if world.working_pairs() == 0 {
            return Err(format!("not back: {}", world.describe()));
        }
        Ok(())
    });
}

fn one_way_traffic_is_enough_to_find_a_restarted_peer(version: IkeVersion) {
    // B forgets everything. A sends into the void until dead peer detection speaks.
    seeds(30, |seed| {
        let mut world = up(World::pair(version, seed, SHAKY, |_, _| {}), A)?;
        let fresh = World::pair(version, seed ^ 0xff00, SHAKY, |_, _| {});
        let mut hosts = fresh.hosts;
        world.hosts[B] = hosts.remove(B);
        world.traffic = Some(s(1));
        world.run(s(200))?;
        world.check_consistent()?;
        if world.working_pairs() == 0 {
            return Err(format!("not back: {}", world.describe()));
        }
        Ok(())
    });
}

fn an_idle_child_goes_and_comes_back_with_traffic(version: IkeVersion) {
    seeds(20, |seed| {
        let world = World::pair(version, seed, SHAKY, |host, config| {
            if host == A {
                config.peers[0].children[0].idle_timeout = Some(s(120));
            }
        });
        let mut world = up(world, A)?;
        world.traffic = Some(s(30));
        world.run(s(600))?;
        if !world.hosts[A].removed.is_empty() {
            return Err(format!("not idle, and gone: {}", world.describe()));
        }
        world.traffic = None;
        world.run(s(200))?;
        if world.hosts.iter().any(|h| !h.installed.is_empty()) {
            return Err(format!("idle, and there: {}", world.describe()));
        }
        if !world.hosts[A]
            .removed
            .iter()
            .any(|(_, r)| *r == CloseReason::Idle)
        {
            return Err(format!("gone for another reason: {}", world.describe()));
        }
        world.traffic = Some(s(30));
        world.run(s(100))?;
        if world.working_pairs() != 1 {
            return Err(format!("not back: {}", world.describe()));
        }
        Ok(())
    });
}

fn behind_nat(version: IkeVersion, seed: u64) -> World {
    let public = std::net::IpAddr::from([198, 51, 100, 1]);
    let mut world = World::pair(version, seed, SHAKY, |host, config| {
        if host == B {
            config.peers[0].addresses = vec![public];
            config.peers[0].remote_id = ike_sm::config::RemoteIdentity::Any;
        }
    });
    world.network.nats.push(Nat::new(address(A), public));
    world
}

fn keepalives_hold_a_nat_mapping_without_traffic(version: IkeVersion) {
    let mut world = up(behind_nat(version, 7), A).unwrap();
    assert!(
        world.hosts[A]
            .installed
            .values()
            .all(|i| i.sa.udp_encapsulation)
    );
    world.run(s(1800)).unwrap();
    // B can still reach A: the mapping lives for 60 s, keepalives come every 20 s.
    let before = world.hosts[A].counts.received;
    world.application(B).unwrap();
    world.run(s(1)).unwrap();
    assert_eq!(
        world.hosts[A].counts.received,
        before + 1,
        "{}",
        world.describe()
    );
}

fn a_nat_that_reboots_is_followed(version: IkeVersion) {
    seeds(30, |seed| {
        let mut world = up(behind_nat(version, seed), A)?;
        world.traffic = Some(s(1));
        world.run(s(10))?;
        world.network.nats[0].reboot();
        world.run(s(10))?;
        let before = world.hosts[A].counts.received;
        world.run(s(20))?;
        if world.hosts[A].counts.received < before + 15 {
            return Err(format!("the new mapping is not used: {}", world.describe()));
        }
        Ok(())
    });
}

fn rekeys_by_volume_lose_no_packet(version: IkeVersion) {
    seeds(20, |seed| {
        let world = World::pair(version, seed, SHAKY, |_, config| {
            // 100 bytes a packet: a pair lives for some two hundred packets.
            config.peers[0].children[0].lifetime.kilobytes = Some(20);
        });
        let mut world = up(world, (seed % 2) as usize)?;
        world.traffic = Some(Duration::from_millis(50));
        world.run(s(120))?;
        world.traffic = None;
        world.run(s(1))?;
        all_arrived(&world)?;
        let rekeyed = world.hosts[A].removed.len();
        if rekeyed < 8 || world.hosts[A].counts.sent < 2000 {
            return Err(format!("{rekeyed} rekeys only: {}", world.describe()));
        }
        settled(world)
    });
}

fn an_address_that_does_not_answer_is_passed_over(version: IkeVersion) {
    seeds(20, |seed| {
        let mut world = World::pair(version, seed, LOSSY, |host, config| {
            if host == A {
                let nobody = std::net::IpAddr::from([192, 0, 2, 77]);
                config.peers[0].addresses.insert(0, nobody);
            }
        });
        world.initiate(A)?;
        world.run(s(400))?;
        if world.hosts[A].dead == 0 {
            return Err(format!("nobody was missed: {}", world.describe()));
        }
        world.network.link = Link::CLEAN;
        world.traffic = Some(s(5));
        world.run(s(200))?;
        world.check_consistent()?;
        if world.working_pairs() == 0 {
            return Err(format!("not up: {}", world.describe()));
        }
        Ok(())
    });
}

/// A broken promise of the embedder: a clock that goes back. Nothing may break; what was to happen
/// happens later.
fn d16_a_clock_that_goes_back_breaks_nothing(version: IkeVersion) {
    seeds(60, |seed| {
        let world = World::pair(version, seed, LOSSY, short_lives);
        let mut world = up(world, (seed % 2) as usize)?;
        world.traffic = Some(s(1));
        for round in 0..8 {
            world.run(s(20))?;
            let host = ((seed + round) % 2) as usize;
            // Back by up to a quarter of an hour, or forward again.
            world.hosts[host].behind = match (seed + round) % 3 {
                0 => Duration::ZERO,
                _ => s((seed * 7919 + round * 104_729) % 900),
            };
        }
        for host in &mut world.hosts {
            host.behind = Duration::ZERO;
        }
        world.network.link = Link::CLEAN;
        world.run(s(400))?;
        let before = world.hosts[B].counts.received;
        world.run(s(50))?;
        if world.hosts[B].counts.received < before + 40 {
            return Err(format!("traffic does not flow: {}", world.describe()));
        }
        Ok(())
    });
}

both_versions! {
    rekeys_of_both_phases_lose_no_packet,
    lives_shorter_than_a_drain_lose_no_packet,
    d3_rekeys_from_both_sides_at_once_lose_no_packet,
    rekeys_over_a_lossy_link_end_consistent,
    deletes_from_either_side_and_from_both_leave_nothing,
    shutdown_tells_the_peer,
    a_dead_peer_is_found_by_traffic_and_comes_back,
    one_way_traffic_is_enough_to_find_a_restarted_peer,
    an_idle_child_goes_and_comes_back_with_traffic,
    keepalives_hold_a_nat_mapping_without_traffic,
    a_nat_that_reboots_is_followed,
    rekeys_by_volume_lose_no_packet,
    an_address_that_does_not_answer_is_passed_over,
    d16_a_clock_that_goes_back_breaks_nothing,
}
