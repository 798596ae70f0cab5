//! What goes through a data plane allocates nothing.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use ipsec::ike_sm::config::{ChildConfig, Config, IkeVersion, PeerConfig, Prefix, PskOwner};
use ipsec::{
    Action, Actions, Command, HEADROOM, PacketBuf, Path, Received, Secret, Selector, Sent,
    TAILROOM, Tunnels,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is ours.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

fn end(own: [u8; 4], other: [u8; 4], nets: [[u8; 4]; 2]) -> Tunnels {
    let mut peer = PeerConfig::new("peer");
    peer.version = IkeVersion::V2;
    peer.addresses.push(other.into());
    peer.local_address = Some(own.into());
    peer.nat_traversal.force = true;
    let [local, remote] = nets.map(|net| Selector::subnet(net.into(), 24).unwrap());
    peer.children.push(ChildConfig::new("lan", local, remote));
    let mut config = Config::default();
    config.peers.push(peer);
    let owner = PskOwner::Prefix(Prefix::host(other.into()));
    config
        .psks
        .insert(owner, Secret::from(&b"a long secret"[..]));
    Tunnels::new(config, &ipsec::crypto_suite::DEFAULT).unwrap()
}

#[test]
fn a_packet_goes_through_two_data_planes_without_an_allocation() {
    let (a, b) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    let nets = [[10, 1, 0, 0], [10, 2, 0, 0]];
    let mut ends = [end(a, b, nets), end(b, a, [nets[1], nets[0]])];
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let now = Duration::from_secs(1);
    let mut actions = Actions::new();
    let command = Command::Initiate {
        peer: "peer".into(),
        children: vec![],
    };
    let _ = ends[0].command(command, now, &mut rng, &mut actions);
    let mut at = 0;
    while !actions.is_empty() {
        let mut next = Actions::new();
        for action in actions.drain() {
            let Action::Send(to, datagram) = action else {
                continue;
            };
            let path = Path {
                local: to.path.remote,
                remote: to.path.local,
                natt: to.path.natt,
            };
            let mut octets = datagram.to_vec();
            let mut packet = PacketBuf::full(&mut octets);
            let _ = ends[1 - at].datagram(path, &mut packet, now, &mut rng, &mut next);
        }
        (actions, at) = (next, 1 - at);
    }
    let [a, b] = &mut ends;
    let inner = [
        69, 0, 0, 28, 0, 0, 64, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 2, 0, 1, 0, 7, 0, 7, 0, 8, 0, 0,
    ];
    let mut room = [0; HEADROOM + 28 + TAILROOM];
    let mut cross = |actions: &mut Actions<Action>| {
        room[HEADROOM..HEADROOM + 28].copy_from_slice(&inner);
        let mut packet = PacketBuf::new(&mut room, HEADROOM..HEADROOM + 28).unwrap();
        let Sent::Send(to) = a.inner(&mut packet, now, &mut rng, actions) else {
            panic!("not sent");
        };
        let path = Path {
            local: to.path.remote,
            remote: to.path.local,
            natt: to.path.natt,
        };
        let received = b.datagram(path, &mut packet, now, &mut rng, actions);
        assert!(matches!(received, Received::Deliver(_)));
        assert_eq!(packet.as_slice(), inner);
    };
    // The first packet of a pair is told to control at once, and queues get their room.
    for _ in 0..3 {
        cross(&mut actions);
    }
    assert_eq!(
        allocations(|| (0..100).for_each(|_| cross(&mut actions))),
        0
    );
}
