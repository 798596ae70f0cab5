//! Whole packets sealed and opened per suite at 64, 512 and 1400 octets, beside the bare key and
//! OpenSSL's primitives; what the replay window costs.
//!
//! `cargo bench -p ipsec-esp --features bench-openssl`. Compare ratios within one run.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, missing_docs)]
#![allow(clippy::cast_possible_truncation, clippy::indexing_slicing)]

use std::time::Duration;

use crypto_suite::{AeadId, CipherId, DEFAULT, IntegrityId, Layout, PacketKey, ProtectionId};
use divan::counter::{BytesCount, ItemsCount};
use esp::{
    Inbound, InboundConfig, Mode, Outbound, OutboundConfig, Outer, PacketBuf, ReplayWindow,
    SelectorCheck, Spi,
};

fn main() {
    divan::main();
}

const NOW: Duration = Duration::ZERO;
const SIZES: [usize; 3] = [64, 512, 1400];
const SUITES: &[ProtectionId] = &[
    ProtectionId::Aead(AeadId::Aes128Gcm16),
    ProtectionId::Aead(AeadId::Aes256Gcm16),
    ProtectionId::Aead(AeadId::ChaCha20Poly1305),
    ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha1_96),
    ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha256_128),
    ProtectionId::CbcHmac(CipherId::Aes256Cbc, IntegrityId::HmacSha256_128),
    ProtectionId::CbcHmac(CipherId::TripleDesCbc, IntegrityId::HmacSha1_96),
    ProtectionId::NullHmac(IntegrityId::HmacSha1_96),
];

fn key(id: ProtectionId) -> Box<dyn PacketKey> {
    let protection = DEFAULT.protection(id).unwrap();
    let keymat: Vec<u8> = (0..protection.key_material_len())
        .map(|i| (i as u8).wrapping_mul(59) + 3)
        .collect();
    protection.new_key(&keymat).unwrap()
}

fn spi() -> Spi {
    Spi::new(0xcdd3_aca0).unwrap()
}

fn outbound(id: ProtectionId) -> Outbound {
    let config = OutboundConfig {
        esn: true,
        ..OutboundConfig::new(spi(), Mode::TUNNEL)
    };
    Outbound::new(key(id), config, NOW).unwrap()
}

fn inbound(id: ProtectionId) -> Inbound {
    let config = InboundConfig {
        esn: true,
        ..InboundConfig::new(spi(), true, SelectorCheck::ByCaller)
    };
    Inbound::new(key(id), config, NOW).unwrap()
}

/// An IPv4 packet of `size` octets.
fn inner(size: usize) -> Vec<u8> {
    let mut packet = vec![0x5a; size];
    packet[..2].copy_from_slice(&[0x45, 0]);
    packet[2..4].copy_from_slice(&(size as u16).to_be_bytes());
    packet[6..8].fill(0);
    packet[9] = 17;
    packet
}

#[divan::bench(args = SUITES, consts = SIZES, max_time = 0.3)]
fn seal<const SIZE: usize>(bencher: divan::Bencher<'_, '_>, id: &ProtectionId) {
    let (mut outbound, inner) = (outbound(*id), inner(SIZE));
    let mut bytes = vec![0; 2048];
    let range = 64..64 + SIZE;
    bencher.counter(BytesCount::new(SIZE)).bench_local(|| {
        bytes[range.clone()].copy_from_slice(&inner);
        let mut packet = PacketBuf::new(&mut bytes, range.clone()).unwrap();
        outbound.seal(&mut packet, NOW).unwrap()
    });
}

/// The same packet with the key alone: what `seal` adds is the difference.
#[divan::bench(args = SUITES, consts = SIZES, max_time = 0.3)]
fn seal_key_alone<const SIZE: usize>(bencher: divan::Bencher<'_, '_>, id: &ProtectionId) {
    let key = key(*id);
    let align = key.block_len().max(4);
    let text = (SIZE + 2).next_multiple_of(align);
    let mut packet = vec![0x5a; 8 + key.iv_len() + text + key.icv_len()];
    let mut seq = 0;
    bencher.counter(BytesCount::new(SIZE)).bench_local(|| {
        seq += 1;
        key.seal(&mut packet, Layout::esp(Some(0)), seq).unwrap();
    });
}

#[divan::bench(args = SUITES, consts = SIZES, max_time = 0.3)]
fn open<const SIZE: usize>(bencher: divan::Bencher<'_, '_>, id: &ProtectionId) {
    let mut inbound = inbound(*id);
    let (key, inner) = (key(*id), inner(SIZE));
    let align = key.block_len().max(4);
    let text = (SIZE + 2).next_multiple_of(align);
    let pad = text - SIZE - 2;
    let head = 8 + key.iv_len();
    let mut seq = 0u64;
    bencher
        .counter(BytesCount::new(SIZE))
        .with_inputs(|| {
            seq += 1;
            let mut packet = vec![0; head + text + key.icv_len()];
            packet[..4].copy_from_slice(&spi().to_be_bytes());
            packet[4..8].copy_from_slice(&(seq as u32).to_be_bytes());
            packet[head..head + SIZE].copy_from_slice(&inner);
            for (octet, count) in packet[head + SIZE..head + SIZE + pad].iter_mut().zip(1..) {
                *octet = count;
            }
            packet[head + SIZE + pad] = pad as u8;
            packet[head + SIZE + pad + 1] = 4;
            key.seal(&mut packet, Layout::esp(Some(0)), seq).unwrap();
            packet
        })
        .bench_local_refs(|packet| {
            inbound
                .open(&mut PacketBuf::full(packet), &Outer::default(), NOW)
                .unwrap()
        });
}

/// Refusing a replay: no cryptography.
#[divan::bench]
fn refuse_a_replay(bencher: divan::Bencher<'_, '_>) {
    let id = ProtectionId::Aead(AeadId::Aes128Gcm16);
    let (mut outbound, mut inbound) = (outbound(id), inbound(id));
    let mut bytes = vec![0; 2048];
    bytes[64..64 + 1400].copy_from_slice(&inner(1400));
    let mut packet = PacketBuf::new(&mut bytes, 64..64 + 1400).unwrap();
    outbound.seal(&mut packet, NOW).unwrap();
    let sealed = packet.as_slice().to_vec();
    let mut first = sealed.clone();
    inbound
        .open(&mut PacketBuf::full(&mut first), &Outer::default(), NOW)
        .unwrap();
    let mut again = sealed;
    bencher.bench_local(|| {
        inbound
            .open(&mut PacketBuf::full(&mut again), &Outer::default(), NOW)
            .unwrap_err()
    });
}

#[divan::bench(args = [64, 1024, 8192])]
fn window_check_and_mark_in_order(bencher: divan::Bencher<'_, '_>, size: u32) {
    let mut window = ReplayWindow::new(size);
    let mut sequence = 0u64;
    bencher.counter(ItemsCount::new(1u8)).bench_local(|| {
        sequence += 1;
        let check = window.check(sequence);
        window.mark(sequence);
        check
    });
}

#[divan::bench(args = [64, 1024, 8192])]
fn window_check_and_mark_reordered(bencher: divan::Bencher<'_, '_>, size: u32) {
    let mut window = ReplayWindow::new(size);
    let mut count = 0u64;
    bencher.counter(ItemsCount::new(1u8)).bench_local(|| {
        count += 1;
        // Pairs swapped at a distance of 32.
        let sequence = count ^ 32;
        let check = window.check(sequence);
        window.mark(sequence);
        check
    });
}

#[divan::bench(args = [1, 16, 64], max_time = 0.3)]
fn seal_batch_of_64_octet_packets(bencher: divan::Bencher<'_, '_>, count: usize) {
    let mut outbound = outbound(ProtectionId::Aead(AeadId::Aes128Gcm16));
    let inner = inner(64);
    let mut buffers = vec![[0u8; 256]; count];
    let mut results = vec![Err(esp::SealError::SequenceExhausted); count];
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        buffers
            .iter_mut()
            .for_each(|bytes| bytes[64..128].copy_from_slice(&inner));
        let mut packets: Vec<_> = buffers
            .iter_mut()
            .map(|bytes| PacketBuf::new(bytes, 64..128).unwrap())
            .collect();
        outbound.seal_batch(&mut packets, &mut results, NOW);
    });
}

/// The cryptographic work of one packet by OpenSSL, contexts and keys prepared once.
#[cfg(feature = "bench-openssl")]
mod openssl_seal {
    use super::*;
    use openssl::cipher::{Cipher, CipherRef};
    use openssl::cipher_ctx::CipherCtx;
    use openssl::md::{Md, MdRef};
    use openssl::md_ctx::MdCtx;
    use openssl::pkey::PKey;

    fn aead<const SIZE: usize>(bencher: divan::Bencher<'_, '_>, cipher: &'static CipherRef) {
        let mut context = CipherCtx::new().unwrap();
        let key = vec![7; cipher.key_length()];
        context
            .encrypt_init(Some(cipher), Some(&key), Some(&[0; 12]))
            .unwrap();
        let text = vec![0x5a; (SIZE + 2).next_multiple_of(4)];
        let mut out = vec![0; SIZE + 64];
        let (mut tag, mut seq) = ([0; 16], 0u64);
        bencher.counter(BytesCount::new(SIZE)).bench_local(|| {
            seq += 1;
            let mut nonce = [1; 12];
            nonce[4..].copy_from_slice(&seq.to_be_bytes());
            context.encrypt_init(None, None, Some(&nonce)).unwrap();
            context.cipher_update(&[0; 12], None).unwrap();
            let done = context.cipher_update(&text, Some(&mut out)).unwrap();
            context.cipher_final(&mut out[done..]).unwrap();
            context.tag(&mut tag).unwrap();
        });
    }

    fn cbc<const SIZE: usize>(
        bencher: divan::Bencher<'_, '_>,
        cipher: &'static CipherRef,
        md: &'static MdRef,
    ) {
        let mut context = CipherCtx::new().unwrap();
        let key = vec![7; cipher.key_length()];
        let mut iv = vec![9; cipher.iv_length()];
        context
            .encrypt_init(Some(cipher), Some(&key), Some(&iv))
            .unwrap();
        context.set_padding(false);
        let hmac_key = PKey::hmac(&[3; 32]).unwrap();
        let mut start = MdCtx::new().unwrap();
        let text = vec![0x5a; (SIZE + 2).next_multiple_of(iv.len())];
        let mut out = vec![0; text.len() + 64];
        let (mut tag, mut seq) = ([0; 64], 0u64);
        bencher.counter(BytesCount::new(SIZE)).bench_local(|| {
            seq += 1;
            iv[..8].copy_from_slice(&seq.to_be_bytes());
            context.encrypt_init(None, None, Some(&iv)).unwrap();
            let done = context.cipher_update(&text, Some(&mut out)).unwrap();
            // OpenSSL 3 has no call that keeps the prepared key: two more compressions.
            start.digest_sign_init(Some(md), &hmac_key).unwrap();
            start.digest_sign_update(&[0; 8]).unwrap();
            start.digest_sign_update(&iv).unwrap();
            start.digest_sign_update(&out[..done]).unwrap();
            start.digest_sign_update(&[0; 4]).unwrap();
            start.digest_sign_final(Some(&mut tag)).unwrap();
        });
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn aes_128_gcm<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        aead::<SIZE>(bencher, Cipher::aes_128_gcm());
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn chacha20_poly1305<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        aead::<SIZE>(bencher, Cipher::chacha20_poly1305());
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn aes_128_cbc_sha1<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        cbc::<SIZE>(bencher, Cipher::aes_128_cbc(), Md::sha1());
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn aes_256_cbc_sha256<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        cbc::<SIZE>(bencher, Cipher::aes_256_cbc(), Md::sha256());
    }
}
