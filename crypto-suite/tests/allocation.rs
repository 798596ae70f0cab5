//! Sealing and opening do not touch the heap.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::cell::Cell;

use crypto_suite::{DEFAULT, Layout};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// The counter is per thread: the test harness allocates on others.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get().wrapping_add(1)));
        unsafe { System.alloc(memory) }
    }

    unsafe fn dealloc(&self, at: *mut u8, memory: Memory) {
        unsafe { System.dealloc(at, memory) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn seal_and_open_do_not_allocate() {
    let boxed = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(
        ALLOCATIONS.get(),
        boxed.wrapping_add(1),
        "the counter counts"
    );

    for protection in DEFAULT.protections {
        let keymat: Vec<u8> = (0..protection.key_material_len())
            .map(|i| (i as u8).wrapping_mul(59))
            .collect();
        let key = protection.new_key(&keymat).unwrap();
        let mut packet = vec![0; 1400_usize.saturating_add(8).saturating_add(48)];
        let spare = packet
            .len()
            .saturating_sub(key.iv_len())
            .saturating_sub(key.icv_len());
        let text = spare.saturating_sub(8) / 16 * 16;
        packet.truncate(
            8_usize
                .saturating_add(key.iv_len())
                .saturating_add(text)
                .saturating_add(key.icv_len()),
        );

        let before = ALLOCATIONS.get();
        for seq in 1..20 {
            key.seal(&mut packet, Layout::esp(Some(1)), seq).unwrap();
            key.open(&mut packet, Layout::esp(Some(1))).unwrap();
        }
        assert_eq!(ALLOCATIONS.get(), before, "{}", protection.id());
    }
}
