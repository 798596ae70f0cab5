//! Handshakes over bad links.

use std::time::Duration;

use ike_sm::config::IkeVersion;

use crate::network::{Link, Nat};
use crate::world::{A, B, World, address, config};
use crate::{s, seeds};

/// A or B, or both at once, want a tunnel over a link with 30 % loss, duplicates, reordering and
/// corruption. After two minutes the link heals. In the end there is a working pair, or nothing.
fn handshake(version: IkeVersion, seed: u64, nat: bool) -> Result<World, String> {
    let world = if nat {
        with_nat(version, seed, std::net::IpAddr::from([198, 51, 100, 1]))
    } else {
        World::pair(version, seed, Link::BAD, |_, _| {})
    };
    handshake_of(world, seed, nat)
}

fn handshake_of(mut world: World, seed: u64, nat: bool) -> Result<World, String> {
    start(&mut world, seed, nat)?;
    world.run(s(120))?;
    world.network.link = Link::CLEAN;
    // Longer than every retransmission and than dead peer detection.
    world.traffic = Some(Duration::from_secs(5));
    world.run(s(600))?;
    Ok(world)
}

/// A sits behind a NAT: B knows it by no address, and by its identity only.
fn with_nat(version: IkeVersion, seed: u64, public: std::net::IpAddr) -> World {
    let mut world = World::pair(version, seed, Link::BAD, |host, config| {
        if host == B {
            let peer = &mut config.peers[0];
            peer.addresses = vec![public];
            peer.remote_id = ike_sm::config::RemoteIdentity::Any;
        }
    });
    world.network.nats.push(Nat::new(address(A), public));
    world
}

fn start(world: &mut World, seed: u64, nat: bool) -> Result<(), String> {
    let who = if nat { 0 } else { seed % 3 };
    if who != 1 {
        world.initiate(A)?;
    }
    if who != 0 {
        if who == 2 {
            world.run(Duration::from_millis(seed % 40))?;
        }
        world.initiate(B)?;
    }
    Ok(())
}

fn thirty_per_cent_loss_ends_in_one_working_pair_or_a_clean_closed_state(version: IkeVersion) {
    seeds(1000, |seed| {
        let world = handshake(version, seed, false)?;
        world.check_consistent()?;
        // The application has asked for the tunnel again and again: with the link healed it is up.
        if world.working_pairs() == 0 {
            return Err(format!("no tunnel: {}", world.describe()));
        }
        Ok(())
    });
}

fn the_same_behind_a_nat(version: IkeVersion) {
    seeds(600, |seed| {
        let world = handshake(version, seed, true)?;
        world.check_consistent()?;
        if world.working_pairs() == 0 {
            return Err(format!("no tunnel: {}", world.describe()));
        }
        Ok(())
    });
}

#[test]
fn the_same_in_aggressive_mode() {
    seeds(400, |seed| {
        let world = handshake_of(
            World::pair(IkeVersion::V1, seed, Link::BAD, aggressive),
            seed,
            false,
        )?;
        world.check_consistent()?;
        if world.working_pairs() == 0 {
            return Err(format!("no tunnel: {}", world.describe()));
        }
        Ok(())
    });
}

fn aggressive(host: usize, config: &mut ike_sm::config::Config) {
    let peer = &mut config.peers[0];
    peer.mode = ike_sm::config::Phase1Mode::AggressiveExposingPskHash;
    peer.local_address = Some(address(host));
}

fn the_same_seed_gives_the_same_bytes(version: IkeVersion) {
    seeds(20, |seed| {
        let digests = |w: &World| w.hosts.iter().map(|h| h.digest).collect::<Vec<_>>();
        let (first, second) = (
            handshake(version, seed, false)?,
            handshake(version, seed, false)?,
        );
        if digests(&first) != digests(&second) {
            return Err("two runs differ".into());
        }
        Ok(())
    });
}

fn dropped_datagrams_leave_no_trace(version: IkeVersion) {
    // The law of atomicity from outside: a run without the datagrams that were dropped sends the
    // same bytes at the same times.
    let dropped = std::cell::Cell::new(0);
    seeds(200, |seed| {
        let first = handshake(version, seed, false)?;
        let mut second = World::pair(version, seed, Link::BAD, |_, _| {});
        second.leave_out = first.dropped.clone();
        start(&mut second, seed, false)?;
        second.run(s(120))?;
        second.network.link = Link::CLEAN;
        second.traffic = Some(Duration::from_secs(5));
        second.run(s(600))?;
        for (one, two) in first.hosts.iter().zip(&second.hosts) {
            if one.digest != two.digest {
                let n = first.dropped.len();
                let (one, two) = (first.describe(), second.describe());
                return Err(format!(
                    "{n} datagrams left out change what is sent: {one}\n{two}"
                ));
            }
        }
        dropped.set(dropped.get() + first.dropped.len());
        Ok(())
    });
    assert!(dropped.get() > 0);
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
    thirty_per_cent_loss_ends_in_one_working_pair_or_a_clean_closed_state,
    the_same_behind_a_nat,
    the_same_seed_gives_the_same_bytes,
    dropped_datagrams_leave_no_trace,
    a_clean_link_needs_few_messages,
}
