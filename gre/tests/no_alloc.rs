//! The packet path allocates nothing.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use gre::{AnyPacket, Delivery, EtherType, Header, innermost, pptp};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: forwards to the system allocator; the counter is a plain thread-local cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn encapsulate_and_decapsulate_allocate_nothing() {
    let header = Header {
        protocol: EtherType::IPV4,
        checksum: true,
        key: Some(1),
        sequence: Some(2),
    };
    let delivery = Delivery::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let mut buffer = [0x45; 1500];
    let counted = allocations(|| {
        let start = delivery.encapsulate(&header, &mut buffer, 36).unwrap();
        let (layer, depth) = innermost(&buffer[start..], 4).unwrap();
        assert_eq!((layer.gre.key(), depth), (Some(1), 1));
        let header = pptp::Header {
            call_id: 1,
            sequence: Some(1),
            acknowledgment: Some(1),
        };
        let start = header.encapsulate(&mut buffer, 16).unwrap();
        assert!(matches!(
            AnyPacket::parse(&buffer[start..]),
            Ok(AnyPacket::V1(_))
        ));
        assert!(AnyPacket::parse(&[0x40, 0, 8, 0]).is_err());
    });
    assert_eq!(counted, 0);
}
