//! Parsing and iterating allocate nothing, and neither does writing into a slice.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use common::{CAPTURES, messages};
use isakmp_wire::{
    ExchangeType, Header, Limits, Message, ProtocolId, SliceSink, v1, v2, vendor_id,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(vec![1_u8]))), 1);
}

#[test]
fn parsing_and_looking_at_every_recorded_message_allocates_nothing() {
    let limits = Limits::default();
    for name in CAPTURES {
        for recorded in messages(name) {
            let count = allocations(
                || match Message::parse(&recorded.message, &limits).unwrap() {
                    Message::V1(message) => {
                        let mut dialect = v1::Dialect::default();
                        dialect.learn_from(&message.payloads());
                        for payload in message.payloads() {
                            match payload.view(dialect, &limits).unwrap() {
                                v1::View::Sa(sa) => {
                                    for transform in
                                        sa.proposals().flat_map(|proposal| proposal.transforms())
                                    {
                                        black_box(v1::Phase1::read(transform.attributes())).ok();
                                    }
                                }
                                v1::View::VendorId(id) => {
                                    black_box(vendor_id::name(id));
                                }
                                other => {
                                    black_box(other);
                                }
                            }
                        }
                    }
                    Message::V2(message) => {
                        black_box(message.payloads().unsupported_critical());
                        for payload in message.payloads() {
                            match payload.view(&limits).unwrap() {
                                v2::View::Sa(sa) => {
                                    let transforms =
                                        sa.proposals().flat_map(|proposal| proposal.transforms());
                                    black_box(transforms.filter_map(|t| t.key_length()).count());
                                }
                                other => {
                                    black_box(other);
                                }
                            }
                        }
                    }
                },
            );
            assert_eq!(count, 0, "{name}, frame {}", recorded.frame);
            // Nor does a refusal.
            let refused = &recorded.message[..recorded.message.len() - 1];
            let count = allocations(|| {
                assert!(black_box(Message::parse(refused, &limits)).is_err());
            });
            assert_eq!(count, 0, "{name}, frame {}, refused", recorded.frame);
        }
    }
}

#[test]
fn writing_into_a_slice_allocates_nothing() {
    let mut buffer = [0; 512];
    let count = allocations(|| {
        let mut sink = SliceSink::new(&mut buffer);
        let header = Header::v1(ExchangeType::IDENTITY_PROTECTION, [1; 8], [0; 8]);
        let mut writer = v1::Writer::new(&mut sink, &header).unwrap();
        writer
            .sa(v1::Situation::IDENTITY_ONLY, |sa| {
                sa.proposal(1, ProtocolId::ISAKMP, &[], |p| {
                    p.transform(1, v1::IsakmpTransform::KEY_IKE, |t| {
                        t.phase1(&v1::Phase1 {
                            life_seconds: Some(86_400),
                            ..v1::Phase1::default()
                        })
                    })
                })
            })
            .unwrap();
        writer.vendor_id(vendor_id::DPD).unwrap();
        black_box(writer.finish().unwrap());
    });
    assert_eq!(count, 0);
}
