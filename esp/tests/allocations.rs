//! Sealing and opening a packet allocate nothing.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use crypto_suite::DEFAULT;
use esp::{
    Inbound, InboundConfig, Mode, Outbound, OutboundConfig, PacketBuf, SelectorCheck, Spi,
    TunnelHeader, UdpPorts,
};

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

const INNER: [u8; 84] = {
    let mut packet = [0u8; 84];
    packet[0] = 0x45;
    packet[3] = 84;
    packet[9] = 1;
    packet
};

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn sealing_and_opening_allocate_nothing() {
    let now = Duration::ZERO;
    let spi = Spi::new(0x1234_5678).unwrap();
    let address = |last| [192, 0, 2, last].into();
    let mode = Mode::Tunnel {
        header: TunnelHeader::new(address(1), address(2)),
    };
    let udp = Some(UdpPorts {
        source: 4500,
        destination: 4500,
    });
    for protection in DEFAULT.protections {
        let keymat: Vec<u8> = (0..200u8).take(protection.key_material_len()).collect();
        let config = OutboundConfig {
            udp,
            ..OutboundConfig::new(spi, mode)
        };
        let key = || protection.new_key(&keymat).unwrap();
        let mut outbound = Outbound::new(key(), config, now).unwrap();
        let mut inbound = Inbound::new(
            key(),
            InboundConfig::new(spi, true, SelectorCheck::ByCaller),
            now,
        )
        .unwrap();
        let mut bytes = [0u8; 512];
        let id = protection.id();
        for _ in 0..3 {
            let start = outbound.headroom();
            bytes[start..start + 84].copy_from_slice(&INNER);
            let mut packet = PacketBuf::new(&mut bytes, start..start + 84).unwrap();
            let sealing = allocations(|| {
                let _ = outbound.seal(&mut packet, now).unwrap();
            });
            assert_eq!(sealing, 0, "seal {id}");
            let opening = allocations(|| {
                let _ = inbound.open_ip(&mut packet, now).unwrap();
            });
            assert_eq!(opening, 0, "open {id}");
            assert_eq!(packet.as_slice(), INNER);
        }
        // Refusing allocates nothing either.
        let mut packet = PacketBuf::full(&mut bytes);
        assert_eq!(
            allocations(|| {
                let _ = inbound.open_ip(&mut packet, now).unwrap_err();
            }),
            0
        );
    }
}
