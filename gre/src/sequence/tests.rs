#![allow(clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const TIMER: Duration = Duration::from_millis(100);

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn rfc2890_s2_2_the_first_datagram_is_zero_and_the_counter_wraps() {
    let mut send = SendSequence::default();
    assert_eq!((send.take(), send.take()), (0, 1));
    let mut send = SendSequence::starting_at(u32::MAX);
    assert_eq!((send.take(), send.take()), (u32::MAX, 0));
}

#[test]
fn rfc2890_s2_2_the_ranges_of_order() {
    let receive = ReceiveSequence::after(5);
    let cases = [
        (5, Order::OutOfSequence),
        (4, Order::OutOfSequence),
        (5u32.wrapping_sub(0x7fff_ffff), Order::OutOfSequence),
        (5u32.wrapping_sub(0x8000_0000), Order::Gap(0x7fff_ffff)),
        (6, Order::InSequence),
        (7, Order::Gap(1)),
    ];
    for (sequence, order) in cases {
        assert_eq!(receive.order(Some(sequence)), order, "{sequence:#x}");
    }
    assert_eq!(receive.order(None), Order::InSequence);
}

#[test]
fn without_a_buffer_a_late_packet_is_lost_and_a_gap_is_passed() {
    let mut receive = ReceiveSequence::NEW;
    let orders = [0, 2, 1, 3].map(|sequence| receive.accept(Some(sequence)));
    assert_eq!(
        orders,
        [
            Order::InSequence,
            Order::Gap(1),
            Order::OutOfSequence,
            Order::InSequence
        ]
    );
    assert_eq!(receive.last(), 3);
}

fn run<const N: usize>(sequences: &[u32]) -> Vec<u32> {
    let mut out = Vec::new();
    let mut resequencer = Resequencer::<u32, N>::new(ReceiveSequence::NEW, TIMER);
    for sequence in sequences {
        resequencer.receive(Some(*sequence), *sequence, at(0), |item| out.push(item));
    }
    resequencer.handle_deadline(at(100), |item| out.push(item));
    out
}

#[test]
fn swapped_packets_come_out_in_order() {
    assert_eq!(run::<4>(&[1, 0, 3, 2]), [0, 1, 2, 3]);
    assert_eq!(run::<0>(&[1, 0, 3, 2]), [1, 3]);
}

#[test]
fn rfc2890_s2_2_a_full_buffer_lets_its_head_go() {
    let mut out = Vec::new();
    let mut resequencer = Resequencer::<u32, 2>::new(ReceiveSequence::NEW, TIMER);
    for sequence in [1, 3] {
        let became = resequencer.receive(Some(sequence), sequence, at(0), |item| out.push(item));
        assert_eq!(became, Resequenced::Held);
    }
    resequencer.receive(Some(5), 5, at(0), |item| out.push(item));
    assert_eq!(out, [1]);
    assert_eq!(
        resequencer.receive(Some(3), 3, at(0), |_| ()),
        Resequenced::Discarded
    );
}

#[test]
fn rfc2890_s2_2_no_packet_waits_longer_than_the_timer() {
    let mut out = Vec::new();
    let mut resequencer = Resequencer::<u32, 4>::new(ReceiveSequence::NEW, TIMER);
    resequencer.receive(Some(2), 2, at(0), |item| out.push(item));
    resequencer.receive(Some(4), 4, at(50), |item| out.push(item));
    assert_eq!(resequencer.next_deadline(), Some(at(100)));
    resequencer.handle_deadline(at(99), |item| out.push(item));
    assert!(out.is_empty());
    resequencer.handle_deadline(at(100), |item| out.push(item));
    assert_eq!(out, [2]);
    assert_eq!(resequencer.next_deadline(), Some(at(150)));
    resequencer.receive(Some(3), 3, at(101), |item| out.push(item));
    assert_eq!(out, [2, 3, 4]);
    assert_eq!(resequencer.next_deadline(), None);
}

proptest! {
    #[test]
    fn order_rises_and_every_packet_is_delivered_once_or_discarded(
        start in any::<u32>(),
        steps in prop::collection::vec((0u32..12, 0u64..40), 0..60),
    ) {
        let mut resequencer =
            Resequencer::<u32, 3>::new(ReceiveSequence::after(start), TIMER);
        let mut delivered = Vec::new();
        let mut discarded = 0;
        let mut now = 0;
        for (offset, wait) in &steps {
            now += wait;
            if resequencer.next_deadline().is_some_and(|until| until <= at(now)) {
                resequencer.handle_deadline(at(now), |item| delivered.push(item));
                prop_assert!(resequencer.next_deadline().is_none_or(|until| until > at(now)));
            }
            let sequence = start.wrapping_add(1).wrapping_add(*offset);
            let became =
                resequencer.receive(Some(sequence), sequence, at(now), |item| delivered.push(item));
            discarded += usize::from(became == Resequenced::Discarded);
        }
        resequencer.handle_deadline(at(now + 1000), |item| delivered.push(item));
        prop_assert_eq!(delivered.len() + discarded, steps.len());
        let relative: Vec<u32> = delivered.iter().map(|item| item.wrapping_sub(start)).collect();
        prop_assert!(relative.is_sorted(), "{:?}", relative);
        let distinct: BTreeSet<u32> = relative.iter().copied().collect();
        prop_assert_eq!(distinct.len(), relative.len());
    }
}
