//! Attackers on the path and off it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ike_sm::config::IkeVersion;

use crate::network::{InFlight, Link, Payload};
use crate::rng::SimRng;
use crate::world::{A, B, World};
use crate::{s, seeds};

/// Counts the bytes that each thread holds.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn live() -> isize {
    LIVE.with(Cell::get)
}

fn count(bytes: isize) {
    // A thread that is ending has no counter any more.
    let _ = LIVE.try_with(|live| live.set(live.get() + bytes));
}

#[allow(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: everything is passed on to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller's.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn c10_a_mirror_on_the_path_gains_nothing(version: IkeVersion) {
    // C10: every datagram comes back to its sender.
    seeds(60, |seed| {
        let link = if seed % 2 == 0 {
            Link::CLEAN
        } else {
            Link::BAD
        };
        let mut world = World::pair(version, seed, link, |_, _| {});
        world.network.mirror = true;
        world.initiate((seed % 2) as usize)?;
        world.run(s(60))?;
        world.network.link = Link::CLEAN;
        world.traffic = Some(s(5));
        world.run(s(400))?;
        world.check_consistent()?;
        if world.working_pairs() == 0 {
            return Err(format!("not up: {}", world.describe()));
        }
        for host in &world.hosts {
            let own = |i: &crate::host::Installed| i.sa.keys_in == i.sa.keys_out;
            if host.installed.values().any(own) {
                return Err("an SA with itself".into());
            }
        }
        Ok(())
    });
}

fn c11_everything_twice_changes_nothing(version: IkeVersion) {
    // C11: each datagram comes again at once, and a third time much later.
    seeds(60, |seed| {
        let mut world = World::pair(
            version,
            seed,
            Link {
                duplicate: 1000,
                ..Link::CLEAN
            },
            |_, _| {},
        );
        let later = [Duration::from_millis(40), s(3), s(50)][(seed % 3) as usize];
        world.network.replay_after = Some(later);
        world.initiate((seed % 2) as usize)?;
        world.run(s(200))?;
        world.check_consistent()?;
        if world.working_pairs() != 1 {
            return Err(format!("not one pair: {}", world.describe()));
        }
        let installed: usize = world.hosts.iter().map(|h| h.removed.len()).sum();
        if installed != 0 {
            return Err(format!("something was set up twice: {}", world.describe()));
        }
        Ok(())
    });
}

/// The first message that A would send to B.
fn first_message(version: IkeVersion) -> Vec<u8> {
    let mut world = World::pair(version, 99, Link::CLEAN, |_, _| {});
    world.initiate(A).unwrap();
    let packet = world.network.arrive(s(1)).unwrap();
    match packet.payload {
        Payload::Udp(bytes) => bytes,
        Payload::Esp { .. } => panic!("ESP before IKE"),
    }
}

fn spoofed(message: &[u8], n: u32, rng: &mut SimRng) -> InFlight {
    let mut bytes = message.to_vec();
    bytes[..8].copy_from_slice(&rng.next().to_be_bytes());
    let from = IpAddr::from((0x0a00_0000 + n % 60_000).to_be_bytes());
    let from = SocketAddr::new(from, 500);
    InFlight {
        from,
        to: World::socket(B, 500),
        payload: Payload::Udp(bytes),
    }
}

fn b3_a_hundred_thousand_spoofed_first_messages_leave_memory_flat(version: IkeVersion) {
    let message = first_message(version);
    let mut rng = SimRng::new(1, 2);
    let mut world = World::pair(version, 5, Link::CLEAN, |host, config| {
        if host == B {
            // B takes calls from anywhere.
            let anywhere = ike_sm::config::Prefix::new(IpAddr::from([0, 0, 0, 0]), 0).unwrap();
            config.peers[0].networks.push(anywhere);
        }
    });
    world.hosts[B].compare_states(false);
    let mut levels = Vec::new();
    let mut replies = 0;
    for n in 0..100_000u32 {
        let packet = spoofed(&message, n, &mut rng);
        let now = world.now;
        if let Some(handled) = world.hosts[B].receive(&packet, now).unwrap() {
            replies += handled.send.len();
        }
        // A thousand a second.
        world.now += Duration::from_millis(1);
        while let Some(due) = world.hosts[B].next_event().filter(|at| *at <= world.now) {
            world.hosts[B].due(due.max(world.now)).unwrap();
        }
        if n % 10_000 == 9_999 {
            levels.push(live());
        }
    }
    // B answers at most as often as it is asked: no amplification by repetition.
    assert!(replies <= 100_000, "{replies} answers");
    let (low, high) = (
        levels[2..].iter().min().unwrap(),
        levels[2..].iter().max().unwrap(),
    );
    assert!(high - low < 64_000, "memory grows: {levels:?}");
    // An honest peer gets through while the flood goes on.
    world.initiate(A).unwrap();
    for n in 0..20_000u32 {
        let packet = spoofed(&message, n, &mut rng);
        let now = world.now;
        world.network.enqueue(packet, now, Duration::ZERO);
        world.run(Duration::from_millis(1)).unwrap();
    }
    world.run(s(30)).unwrap();
    assert_eq!(world.working_pairs(), 1, "{}", world.describe());
}

both_versions! {
    c10_a_mirror_on_the_path_gains_nothing,
    c11_everything_twice_changes_nothing,
    b3_a_hundred_thousand_spoofed_first_messages_leave_memory_flat,
}
