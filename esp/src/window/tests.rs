#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::string::ToString;
use std::vec::Vec;

/// GV10: what routers print after sequence numbers 1 to 4.
#[test]
fn gv10_bitmap_counts_sequence_zero_as_seen() {
    let mut window = ReplayWindow::new(64);
    let mut printed = Vec::from([window.bitmap().to_string()]);
    for sequence in 1..=4 {
        window.mark(sequence);
        printed.push(window.bitmap().to_string());
    }
    assert_eq!(
        printed,
        [
            "0x00000000 0x00000001",
            "0x00000000 0x00000003",
            "0x00000000 0x00000007",
            "0x00000000 0x0000000F",
            "0x00000000 0x0000001F",
        ]
    );
}

#[test]
fn sequence_zero_is_never_fresh() {
    assert_eq!(ReplayWindow::new(64).check(0), Check::Replayed);
}

#[test]
fn the_size_is_clamped() {
    assert_eq!(ReplayWindow::new(0).size(), MIN_WINDOW);
    assert_eq!(ReplayWindow::new(u32::MAX).size(), MAX_WINDOW);
    assert_eq!(ReplayWindow::new(1000).size(), 1000);
}

#[test]
fn the_left_edge_is_exact_for_every_size() {
    for size in [64, 65, 127, 128, 1000, 1024, 4096, 8192] {
        let mut window = ReplayWindow::new(size);
        let top = 100_000;
        window.mark(top);
        let edge = top - u64::from(size) + 1;
        assert_eq!(window.check(edge), Check::Fresh, "{size}");
        assert_eq!(window.check(edge - 1), Check::TooOld, "{size}");
        window.mark(edge);
        assert_eq!(window.check(edge), Check::Replayed, "{size}");
        window.mark(edge - 1);
        assert_eq!(window.top(), top);
    }
}

/// The specification as a set: T, W, and what was seen.
struct Naive {
    seen: BTreeSet<u64>,
    top: u64,
    size: u64,
}

impl Naive {
    fn check(&self, sequence: u64) -> Check {
        if sequence > self.top {
            Check::Fresh
        } else if sequence + self.size <= self.top {
            Check::TooOld
        } else if self.seen.contains(&sequence) {
            Check::Replayed
        } else {
            Check::Fresh
        }
    }

    fn mark(&mut self, sequence: u64) {
        if self.check(sequence) == Check::Fresh {
            self.seen.insert(sequence);
            self.top = self.top.max(sequence);
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<(i64, bool)>> {
    let near = -200i64..200;
    let jump = prop_oneof![
        8 => near,
        1 => -9000i64..9000,
        1 => 0i64..70_000,
        1 => 0i64..5_000_000_000,
    ];
    prop::collection::vec((jump, any::<bool>()), 1..300)
}

proptest! {
    #[test]
    fn the_window_agrees_with_a_naive_set(size in MIN_WINDOW..=MAX_WINDOW, steps in steps()) {
        let mut window = ReplayWindow::new(size);
        let mut naive =
            Naive { seen: BTreeSet::from([0]), top: 0, size: u64::from(size) };
        for (offset, authentic) in steps {
            let sequence = naive.top.saturating_add_signed(offset);
            prop_assert_eq!(window.check(sequence), naive.check(sequence), "{}", sequence);
            if authentic {
                window.mark(sequence);
                naive.mark(sequence);
            }
            prop_assert_eq!(window.top(), naive.top);
            for back in 0..64 {
                let expected = naive.top.checked_sub(back).is_some_and(|s| naive.seen.contains(&s));
                prop_assert_eq!(window.bitmap().0 >> back & 1 == 1, expected);
            }
        }
        // An exported window is the same window.
        let words: Vec<u64> = window.export().collect();
        let copy = ReplayWindow::import(size, window.top(), words.into_iter());
        for back in 0..u64::from(size) + 70 {
            let Some(sequence) = naive.top.checked_sub(back) else { break };
            prop_assert_eq!(copy.check(sequence), naive.check(sequence));
        }
    }

    /// RFC 4303 App. A2.2: any packet from the window's left edge to 2^32 - W ahead is placed
    /// exactly.
    #[test]
    fn esn_inference_finds_the_true_number(
        size in MIN_WINDOW..=MAX_WINDOW,
        top in 0u64..(5 << 32),
        ahead in 0u64..(1 << 32),
    ) {
        let mut window = ReplayWindow::new(size);
        window.mark(top);
        let span = u64::from(size);
        let Some(lowest) = (top + 1).checked_sub(span) else { return Ok(()) };
        let sequence = lowest + ahead;
        prop_assert_eq!(window.infer(sequence as u32), Some(sequence));
    }

    /// Within the first W packets nothing lies before number 0.
    #[test]
    fn esn_inference_near_the_start(size in MIN_WINDOW..=MAX_WINDOW, top in 0u64..64, low: u32) {
        let mut window = ReplayWindow::new(size);
        window.mark(top);
        let bottom = (top as u32).wrapping_sub(size - 1);
        let expected = if low >= bottom { None } else { Some(u64::from(low)) };
        prop_assert_eq!(window.infer(low), expected);
    }
}

#[test]
fn esn_inference_at_the_end_of_the_space() {
    let mut window = ReplayWindow::new(64);
    window.mark(u64::MAX);
    assert_eq!(window.infer(u32::MAX), Some(u64::MAX));
    // Beyond the last subspace there is nothing.
    assert_eq!(window.infer(5), None);
}

/// Where a random number hardly ever falls: the left edge, and a window that begins with a subspace.
#[test]
fn esn_inference_is_exact_at_the_edges_of_window_and_subspace() {
    for size in [64, 65, 1024, 8192] {
        let span = u64::from(size) - 1;
        for subspace in [0, 1, 7] {
            for top in [span, span + 1, span + 2, (1 << 32) - 1, (1 << 32) - 2] {
                let top = (subspace << 32) + top;
                let mut window = ReplayWindow::new(size);
                window.mark(top);
                let lowest = top - span;
                for sequence in [lowest, lowest + 1, top, top + 1, lowest + (1 << 32) - 1] {
                    let inferred = window.infer(sequence as u32);
                    assert_eq!(inferred, Some(sequence), "{size}, top {top}");
                }
            }
        }
    }
}
