//! Sealing and opening packets of 64, 512 and 1400 bytes, beside OpenSSL's primitives.
//!
//! `cargo bench -p crypto-suite --bench packets --features bench-openssl`
//! Compare ratios within one run.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, missing_docs)]
#![allow(clippy::cast_possible_truncation, clippy::indexing_slicing)]

use crypto_suite::{
    AeadId, CipherId, DEFAULT, IntegrityId, Layout, PacketKey, Protection, ProtectionId,
};
use divan::counter::BytesCount;

fn main() {
    divan::main();
}

const SUITES: &[ProtectionId] = &[
    ProtectionId::Aead(AeadId::Aes128Gcm16),
    ProtectionId::Aead(AeadId::Aes256Gcm16),
    ProtectionId::Aead(AeadId::ChaCha20Poly1305),
    ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha1_96),
    ProtectionId::CbcHmac(CipherId::Aes128Cbc, IntegrityId::HmacSha256_128),
    ProtectionId::CbcHmac(CipherId::Aes256Cbc, IntegrityId::HmacSha256_128),
    ProtectionId::CbcHmac(CipherId::Aes256Cbc, IntegrityId::HmacSha512_256),
    ProtectionId::CbcHmac(CipherId::TripleDesCbc, IntegrityId::HmacSha1_96),
    ProtectionId::CbcHmac(CipherId::DesCbc, IntegrityId::HmacMd5_96),
    ProtectionId::NullHmac(IntegrityId::HmacSha1_96),
];

const SIZES: [usize; 3] = [64, 512, 1400];

fn keymat(protection: &dyn Protection) -> Vec<u8> {
    (0..protection.key_material_len())
        .map(|i| (i as u8).wrapping_mul(59) + 3)
        .collect()
}

fn prepared(id: ProtectionId, size: usize) -> (Box<dyn PacketKey>, Vec<u8>) {
    let protection = DEFAULT.protection(id).unwrap();
    let key = protection.new_key(&keymat(protection)).unwrap();
    // The text rounded up to whole blocks, as padding does.
    let text = size.next_multiple_of(key.block_len());
    let packet = vec![0x5a; 8 + key.iv_len() + text + key.icv_len()];
    (key, packet)
}

#[divan::bench(args = SUITES, consts = SIZES, max_time = 0.3)]
fn seal<const SIZE: usize>(bencher: divan::Bencher<'_, '_>, id: &ProtectionId) {
    let (key, mut packet) = prepared(*id, SIZE);
    let mut seq = 0;
    bencher.counter(BytesCount::new(SIZE)).bench_local(|| {
        seq += 1;
        key.seal(&mut packet, Layout::esp(None), seq).unwrap();
    });
}

#[divan::bench(args = SUITES, consts = SIZES, max_time = 0.3)]
fn open<const SIZE: usize>(bencher: divan::Bencher<'_, '_>, id: &ProtectionId) {
    let (key, mut packet) = prepared(*id, SIZE);
    key.seal(&mut packet, Layout::esp(None), 1).unwrap();
    bencher
        .counter(BytesCount::new(SIZE))
        .with_inputs(|| packet.clone())
        .bench_local_refs(|packet| key.open(packet, Layout::esp(None)).unwrap());
}

/// The same work by OpenSSL: cipher contexts prepared once, then IV, text and ICV per packet.
#[cfg(feature = "bench-openssl")]
mod openssl_seal {
    use super::*;
    use openssl::cipher::Cipher;
    use openssl::cipher_ctx::CipherCtx;
    use openssl::md::Md;
    use openssl::md_ctx::MdCtx;
    use openssl::pkey::PKey;

    fn aead<const SIZE: usize>(
        bencher: divan::Bencher<'_, '_>,
        cipher: &'static openssl::cipher::CipherRef,
    ) {
        let mut context = CipherCtx::new().unwrap();
        let key = vec![7; cipher.key_length()];
        context
            .encrypt_init(Some(cipher), Some(&key), Some(&[0; 12]))
            .unwrap();
        let text = vec![0x5a; SIZE];
        let mut out = vec![0; SIZE + 32];
        let (mut tag, mut seq) = ([0; 16], 0u64);
        bencher.counter(BytesCount::new(SIZE)).bench_local(|| {
            seq += 1;
            let mut nonce = [1; 12];
            nonce[4..].copy_from_slice(&seq.to_be_bytes());
            context.encrypt_init(None, None, Some(&nonce)).unwrap();
            context.cipher_update(&[0; 8], None).unwrap();
            let done = context.cipher_update(&text, Some(&mut out)).unwrap();
            context.cipher_final(&mut out[done..]).unwrap();
            context.tag(&mut tag).unwrap();
        });
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn aes_128_gcm<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        aead::<SIZE>(bencher, Cipher::aes_128_gcm());
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn aes_256_gcm<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        aead::<SIZE>(bencher, Cipher::aes_256_gcm());
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn chacha20_poly1305<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        aead::<SIZE>(bencher, Cipher::chacha20_poly1305());
    }

    fn cbc<const SIZE: usize>(
        bencher: divan::Bencher<'_, '_>,
        cipher: &'static openssl::cipher::CipherRef,
        md: &'static openssl::md::MdRef,
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
        let text = vec![0x5a; SIZE.next_multiple_of(iv.len())];
        let mut out = vec![0; text.len() + 32];
        let (mut tag, mut seq) = ([0; 64], 0u64);
        bencher.counter(BytesCount::new(SIZE)).bench_local(|| {
            seq += 1;
            iv[..8].copy_from_slice(&seq.to_be_bytes());
            context.encrypt_init(None, None, Some(&iv)).unwrap();
            let done = context.cipher_update(&text, Some(&mut out)).unwrap();
            // The bindings have no way to start again from a keyed state: this costs OpenSSL two
            // more compressions and some allocations per packet.
            start.digest_sign_init(Some(md), &hmac_key).unwrap();
            start.digest_sign_update(&[0; 8]).unwrap();
            start.digest_sign_update(&iv).unwrap();
            start.digest_sign_update(&out[..done]).unwrap();
            start.digest_sign_final(Some(&mut tag)).unwrap();
        });
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn aes_128_cbc_sha1<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        cbc::<SIZE>(bencher, Cipher::aes_128_cbc(), Md::sha1());
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn aes_128_cbc_sha256<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        cbc::<SIZE>(bencher, Cipher::aes_128_cbc(), Md::sha256());
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn aes_256_cbc_sha256<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        cbc::<SIZE>(bencher, Cipher::aes_256_cbc(), Md::sha256());
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn aes_256_cbc_sha512<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        cbc::<SIZE>(bencher, Cipher::aes_256_cbc(), Md::sha512());
    }

    #[divan::bench(consts = SIZES, max_time = 0.3)]
    fn triple_des_cbc_sha1<const SIZE: usize>(bencher: divan::Bencher<'_, '_>) {
        cbc::<SIZE>(bencher, Cipher::des_ede3_cbc(), Md::sha1());
    }
}
