//! Freed memory holds no key: every block given back to the allocator is searched.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

mod common;

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::cell::{Cell, RefCell};

use common::Script;
use crypto_suite::{CryptoError, DEFAULT, Digest, GroupId, Layout, Secret};

/// Bytes of a secret that are searched for at once.
const WINDOW: usize = 8;

thread_local! {
    static SEARCHING: Cell<bool> = const { Cell::new(false) };
    static FOUND: Cell<usize> = const { Cell::new(0) };
    static SECRET: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Searching;

fn search(freed: &[u8]) {
    let _ = SECRET.try_with(|secret| {
        let Ok(secret) = secret.try_borrow() else {
            return;
        };
        let hit = secret.chunks_exact(WINDOW).any(|part| {
            let reversed: [u8; WINDOW] = core::array::from_fn(|i| part[WINDOW - 1 - i]);
            freed
                .windows(WINDOW)
                .any(|window| window == part || window == reversed)
        });
        FOUND.set(FOUND.get() + usize::from(hit));
    });
}

// All memory is zeroed when it is handed out, so that a freed block is initialised throughout.
unsafe impl GlobalAlloc for Searching {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        unsafe { System.alloc_zeroed(memory) }
    }

    unsafe fn dealloc(&self, at: *mut u8, memory: Memory) {
        if SEARCHING.try_with(Cell::get).unwrap_or(false) {
            search(unsafe { std::slice::from_raw_parts(at, memory.size()) });
        }
        unsafe { System.dealloc(at, memory) }
    }

    // Growing gives the old block back: it is searched as well.
    unsafe fn realloc(&self, at: *mut u8, memory: Memory, size: usize) -> *mut u8 {
        unsafe {
            let to = self.alloc(Memory::from_size_align_unchecked(size, memory.align()));
            std::ptr::copy_nonoverlapping(at, to, size.min(memory.size()));
            self.dealloc(at, memory);
            to
        }
    }
}

#[global_allocator]
static SEARCHING_ALLOCATOR: Searching = Searching;

/// How many blocks freed by `work` hold eight bytes in a row of `secret`, in either direction.
fn leaks(secret: &[u8], work: impl FnOnce()) -> usize {
    SECRET.with_borrow_mut(|kept| *kept = secret.to_vec());
    FOUND.set(0);
    SEARCHING.set(true);
    work();
    SEARCHING.set(false);
    FOUND.get()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i as u8).wrapping_mul(167).wrapping_add(13))
        .collect()
}

#[test]
fn the_search_finds_what_is_left_behind() {
    let secret = pattern(32);
    assert_eq!(leaks(&secret, || drop(secret.clone())), 1);
}

#[test]
fn c19_secrets_and_digests() {
    let secret = pattern(64);
    let own = Secret::new(secret.clone());
    let boxed = Box::new(Digest::new(&secret));
    let found = leaks(&secret, || {
        drop(own.clone());
        drop(own);
        drop(boxed);
        drop(Secret::concat(&[&secret, &secret]));
    });
    assert_eq!(found, 0);
}

#[test]
fn c19_packet_and_cipher_and_integrity_keys() {
    for protection in DEFAULT.protections {
        let keymat = pattern(protection.key_material_len());
        let mut packet = [0; 8 + 16 + 64 + 32];
        let found = leaks(&keymat, || {
            let key = protection.new_key(&keymat).unwrap();
            let len = 8 + key.iv_len() + 64 + key.icv_len();
            key.seal(&mut packet[..len], Layout::esp(None), 3).unwrap();
            key.open(&mut packet[..len], Layout::esp(None)).unwrap();
        });
        assert_eq!(found, 0, "{}", protection.id());
    }
    for cipher in DEFAULT.ciphers {
        let key = pattern(cipher.key_len());
        assert_eq!(
            leaks(&key, || drop(cipher.new_key(&key).unwrap())),
            0,
            "{}",
            cipher.id()
        );
    }
    for integrity in DEFAULT.integrities {
        let key = pattern(integrity.key_len());
        assert_eq!(
            leaks(&key, || drop(integrity.new_key(&key).unwrap())),
            0,
            "{}",
            integrity.id()
        );
    }
}

/// Bytes that the group draws as its private key.
fn private_len(id: GroupId) -> usize {
    match id {
        GroupId::Modp768 | GroupId::Modp1024 | GroupId::Modp1536 => 23,
        GroupId::Modp2048 => 29,
        GroupId::Modp3072 => 35,
        GroupId::Modp4096 => 41,
        GroupId::Modp6144 => 47,
        GroupId::Modp8192 => 50,
        GroupId::Ecp256 | GroupId::X25519 => 32,
        GroupId::Ecp384 => 48,
        GroupId::Ecp521 => 66,
        _ => 64,
    }
}

#[test]
fn c19_private_keys_and_shared_secrets_of_key_exchanges() {
    for group in DEFAULT.groups {
        let mut private = pattern(private_len(group.id()));
        // A scalar of P-521 has 521 bits.
        private[0] = 0;
        let script = || Script::new(&private);
        let (mut initiators, mut responder) = ((script(), script(), script()), script());
        let peer = group.start(&mut initiators.0).unwrap().public().to_vec();
        let (answer, shared) = group.respond(&mut responder, &peer).unwrap();
        let shared = shared.expose().to_vec();

        // The scripts, which hold the bytes as well, outlive the search.
        let found = leaks(&private, || {
            drop(group.start(&mut initiators.1).unwrap());
            let active = group.start(&mut initiators.2).unwrap();
            drop(active.finish(&answer).unwrap());
        });
        assert_eq!(found, 0, "private key of {}", group.id());
        let mut responder = script();
        let mut initiator = script();
        let found = leaks(&shared, || {
            drop(group.respond(&mut responder, &peer).unwrap());
            let active = group.start(&mut initiator).unwrap();
            drop(active.finish(&answer).unwrap());
        });
        assert_eq!(found, 0, "shared secret of {}", group.id());
    }
}

#[test]
fn refused_keys_leave_nothing_either() {
    for protection in DEFAULT.protections {
        let keymat = pattern(protection.key_material_len() + 8);
        let found = leaks(&keymat, || {
            assert!(matches!(
                protection.new_key(&keymat),
                Err(CryptoError::KeyLength { .. })
            ));
        });
        assert_eq!(found, 0, "{}", protection.id());
    }
}
