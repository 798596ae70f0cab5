//! Key exchanges: what one handshake costs the responder (key pair and secret), beside others.
//!
//! `cargo bench -p crypto-suite --bench groups --features bench-openssl`
//! (without the feature: beside `num-bigint` alone). Compare ratios within one run.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    missing_docs
)]

use crypto_suite::{DEFAULT, GroupId};
use rand_chacha::rand_core::SeedableRng;

fn main() {
    divan::main();
}

fn rng() -> rand_chacha::ChaCha20Rng {
    rand_chacha::ChaCha20Rng::from_seed([1; 32])
}

const MODP: &[GroupId] = &[
    GroupId::Modp768,
    GroupId::Modp1024,
    GroupId::Modp1536,
    GroupId::Modp2048,
    GroupId::Modp3072,
    GroupId::Modp4096,
    GroupId::Modp6144,
    GroupId::Modp8192,
];

const OTHERS: &[GroupId] = &[
    GroupId::Ecp256,
    GroupId::Ecp384,
    GroupId::Ecp521,
    GroupId::X25519,
    GroupId::MlKem512,
    GroupId::MlKem768,
    GroupId::MlKem1024,
];

mod keygen {
    use super::*;

    #[divan::bench(args = MODP, max_time = 1)]
    fn modp(bencher: divan::Bencher<'_, '_>, id: &GroupId) {
        let (group, mut rng) = (DEFAULT.group(*id).unwrap(), rng());
        bencher.bench_local(|| group.start(&mut rng).unwrap());
    }

    #[divan::bench(args = OTHERS, max_time = 1)]
    fn other(bencher: divan::Bencher<'_, '_>, id: &GroupId) {
        let (group, mut rng) = (DEFAULT.group(*id).unwrap(), rng());
        bencher.bench_local(|| group.start(&mut rng).unwrap());
    }
}

mod respond {
    use super::*;

    #[divan::bench(args = MODP, max_time = 1)]
    fn modp(bencher: divan::Bencher<'_, '_>, id: &GroupId) {
        let (group, mut rng) = (DEFAULT.group(*id).unwrap(), rng());
        let peer = group.start(&mut rng).unwrap().public().to_vec();
        bencher.bench_local(|| group.respond(&mut rng, &peer).unwrap());
    }

    #[divan::bench(args = OTHERS, max_time = 1)]
    fn other(bencher: divan::Bencher<'_, '_>, id: &GroupId) {
        let (group, mut rng) = (DEFAULT.group(*id).unwrap(), rng());
        let peer = group.start(&mut rng).unwrap().public().to_vec();
        bencher.bench_local(|| group.respond(&mut rng, &peer).unwrap());
    }
}

/// `num-bigint`: two `modpow` with exponents as long as ours. Variable time, to compare only.
mod num_bigint_respond {
    use super::*;
    use num_bigint::BigUint;
    use rand_chacha::rand_core::Rng;

    #[divan::bench(args = [1024, 2048, 4096], max_time = 1)]
    fn modp(bencher: divan::Bencher<'_, '_>, bits: usize) {
        let (id, exponent_len) = match bits {
            1024 => (GroupId::Modp1024, 24),
            2048 => (GroupId::Modp2048, 32),
            _ => (GroupId::Modp4096, 48),
        };
        let (group, mut rng) = (DEFAULT.group(id).unwrap(), rng());
        let peer = group.start(&mut rng).unwrap().public().to_vec();
        let peer = BigUint::from_bytes_be(&peer);
        // An odd number of the right size stands for the prime; `modpow` does not care.
        let mut modulus = vec![0xff; bits / 8];
        rng.fill_bytes(&mut modulus[8..]);
        modulus[bits / 8 - 1] |= 1;
        let modulus = BigUint::from_bytes_be(&modulus);
        bencher.bench_local(|| {
            let mut exponent = vec![0; exponent_len];
            rng.fill_bytes(&mut exponent);
            let exponent = BigUint::from_bytes_be(&exponent);
            (
                BigUint::from(2u8).modpow(&exponent, &modulus),
                peer.modpow(&exponent, &modulus),
            )
        });
    }
}

#[cfg(feature = "bench-openssl")]
mod openssl_respond {
    use openssl::bn::BigNum;
    use openssl::derive::Deriver;
    use openssl::dh::Dh;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::pkey::{Id, PKey};

    /// OpenSSL recognises the RFC 3526 groups and draws its own short exponents for them.
    fn params(bits: u32) -> [BigNum; 2] {
        let prime = match bits {
            2048 => BigNum::get_rfc3526_prime_2048(),
            3072 => BigNum::get_rfc3526_prime_3072(),
            _ => BigNum::get_rfc3526_prime_4096(),
        };
        [prime.unwrap(), BigNum::from_u32(2).unwrap()]
    }

    fn key(bits: u32) -> Dh<openssl::pkey::Private> {
        let [p, g] = params(bits);
        Dh::from_pqg(p, None, g).unwrap().generate_key().unwrap()
    }

    #[divan::bench(args = [2048, 3072, 4096], max_time = 1)]
    fn modp(bencher: divan::Bencher<'_, '_>, bits: u32) {
        let peer = PKey::from_dh(key(bits)).unwrap();
        let peer = PKey::public_key_from_der(&peer.public_key_to_der().unwrap()).unwrap();
        bencher.bench_local(|| {
            let ours = PKey::from_dh(key(bits)).unwrap();
            let mut deriver = Deriver::new(&ours).unwrap();
            deriver.set_peer(&peer).unwrap();
            deriver.derive_to_vec().unwrap()
        });
    }

    /// Two bare exponentiations in constant time with exponents of our length: what `modp` above
    /// costs without OpenSSL's check of the peer's value by a full-length exponentiation.
    #[divan::bench(args = [2048, 3072, 4096], max_time = 1)]
    fn modp_bare(bencher: divan::Bencher<'_, '_>, bits: u32) {
        let [p, g] = params(bits);
        let mut context = openssl::bn::BigNumContext::new_secure().unwrap();
        let mut peer = BigNum::new().unwrap();
        p.rand_range(&mut peer).unwrap();
        let exponent_bits = match bits {
            2048 => 225,
            3072 => 275,
            _ => 325,
        };
        bencher.bench_local(|| {
            let mut exponent = BigNum::new_secure().unwrap();
            exponent
                .rand(exponent_bits, openssl::bn::MsbOption::ONE, false)
                .unwrap();
            exponent.set_const_time();
            let (mut public, mut shared) = (BigNum::new().unwrap(), BigNum::new().unwrap());
            public.mod_exp(&g, &exponent, &p, &mut context).unwrap();
            shared.mod_exp(&peer, &exponent, &p, &mut context).unwrap();
            (public, shared)
        });
    }

    #[divan::bench(args = ["P-256", "P-384", "P-521"], max_time = 1)]
    fn ecp(bencher: divan::Bencher<'_, '_>, name: &str) {
        let nid = match name {
            "P-256" => Nid::X9_62_PRIME256V1,
            "P-384" => Nid::SECP384R1,
            _ => Nid::SECP521R1,
        };
        let group = EcGroup::from_curve_name(nid).unwrap();
        let key = || PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let peer = key();
        let peer = PKey::public_key_from_der(&peer.public_key_to_der().unwrap()).unwrap();
        bencher.bench_local(|| {
            let ours = key();
            let mut deriver = Deriver::new(&ours).unwrap();
            deriver.set_peer(&peer).unwrap();
            deriver.derive_to_vec().unwrap()
        });
    }

    #[divan::bench(max_time = 1)]
    fn x25519(bencher: divan::Bencher<'_, '_>) {
        let peer = PKey::generate_x25519().unwrap().raw_public_key().unwrap();
        let peer = PKey::public_key_from_raw_bytes(&peer, Id::X25519).unwrap();
        bencher.bench_local(|| {
            let ours = PKey::generate_x25519().unwrap();
            let mut deriver = Deriver::new(&ours).unwrap();
            deriver.set_peer(&peer).unwrap();
            deriver.derive_to_vec().unwrap()
        });
    }
}
