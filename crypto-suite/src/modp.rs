//! Diffie-Hellman over the MODP groups of RFC 2409 and RFC 3526.
//!
//! Secret exponents go through constant-time Montgomery arithmetic only. All groups are safe
//! primes with generator 2: a public value other than 0, 1 and p−1 has order q or 2q, so the
//! range check is all the validation there is to do (RFC 6989 §2.1).

mod primes;

use alloc::boxed::Box;
use alloc::vec::Vec;
use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{
    Limb, Odd, U512, U768, U1024, U1536, U2048, U3072, U4096, U6144, U8192, Uint, Word,
};
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::{ActiveKeyExchange, CryptoError, GroupId, KeyExchange, Secret};

/// One group as a method of the provider.
struct Modp<const LIMBS: usize>(&'static Group<LIMBS>);

/// One group. Its Montgomery parameters are computed at compile time.
struct Group<const LIMBS: usize> {
    id: GroupId,
    params: FixedMontyParams<LIMBS>,
    /// Bits of a private exponent: at least twice the group's strength by the lower estimate of
    /// RFC 3526 §8 and by that of RFC 7919 App. A (225, 275, 325, 375, 400), rounded up to
    /// whole words of 64 bits.
    exponent_bits: u32,
}

impl<const LIMBS: usize> Group<LIMBS> {
    const fn new(id: GroupId, prime: &str, exponent_bits: u32) -> Self {
        let prime = Odd::<Uint<LIMBS>>::from_be_hex(prime);
        Self {
            id,
            params: FixedMontyParams::new_vartime(prime),
            exponent_bits,
        }
    }

    /// Length of public values and of the shared secret, bytes.
    const LEN: usize = LIMBS * Limb::BYTES;

    fn draw_exponent(&self, rng: &mut dyn CryptoRng) -> Zeroizing<U512> {
        let mut exponent = Zeroizing::new(U512::ZERO);
        let mut last = None;
        for (_, word) in (0..self.exponent_bits / Limb::BITS).zip(exponent.as_mut_words()) {
            let mut bytes = Zeroizing::new([0; Limb::BYTES]);
            rng.fill_bytes(&mut *bytes);
            *word = Word::from_le_bytes(*bytes);
            last = Some(word);
        }
        // Top bit set: the exponent has its full length and is not 0.
        if let Some(word) = last {
            *word |= Word::MAX ^ (Word::MAX >> 1);
        }
        exponent
    }

    fn power(&self, base: &Uint<LIMBS>, exponent: &U512) -> Zeroizing<Uint<LIMBS>> {
        let mut base = FixedMontyForm::new(base, &self.params);
        let mut power = base.pow_bounded_exp(exponent, self.exponent_bits);
        let out = Zeroizing::new(power.retrieve());
        power.as_montgomery_mut().zeroize();
        base.as_montgomery_mut().zeroize();
        out
    }

    fn public(&self, exponent: &U512) -> Vec<u8> {
        to_bytes(&self.power(&Uint::from_u8(2), exponent))
    }

    fn shared(&self, exponent: &U512, peer_public: &[u8]) -> Result<Secret, CryptoError> {
        let peer = self.decode_public(peer_public)?;
        Ok(Secret::new(to_bytes(&self.power(&peer, exponent))))
    }

    /// RFC 2631 §2.1.5, RFC 6989 §2.1: 2 ≤ y ≤ p−2, and exactly as long as the prime
    /// (RFC 2409 §5: "prepended with zeros if necessary").
    fn decode_public(&self, bytes: &[u8]) -> Result<Uint<LIMBS>, CryptoError> {
        if bytes.len() != Self::LEN {
            return Err(CryptoError::PublicValueLength {
                expected: Self::LEN,
                actual: bytes.len(),
            });
        }
        let value = Uint::from_be_slice(bytes);
        let last = self.params.modulus().wrapping_sub(&Uint::ONE);
        if value > Uint::ONE && value < last {
            Ok(value)
        } else {
            Err(CryptoError::PublicValueInvalid)
        }
    }
}

/// Big-endian, with leading zeros: as long as the group's prime.
fn to_bytes<const LIMBS: usize>(value: &Uint<LIMBS>) -> Vec<u8> {
    let mut out = Vec::with_capacity(LIMBS.saturating_mul(Limb::BYTES));
    for word in value.as_words().iter().rev() {
        out.extend_from_slice(&word.to_be_bytes());
    }
    out
}

impl<const LIMBS: usize> KeyExchange for Modp<LIMBS> {
    fn id(&self) -> GroupId {
        self.0.id
    }

    fn initiator_public_len(&self) -> usize {
        Group::<LIMBS>::LEN
    }

    fn responder_public_len(&self) -> usize {
        Group::<LIMBS>::LEN
    }

    fn shared_len(&self) -> usize {
        Group::<LIMBS>::LEN
    }

    fn start(&self, rng: &mut dyn CryptoRng) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        let exponent = self.0.draw_exponent(rng);
        let public = self.0.public(&exponent);
        Ok(Box::new(ActiveModp {
            group: self.0,
            exponent,
            public,
        }))
    }

    fn respond(
        &self,
        rng: &mut dyn CryptoRng,
        peer_public: &[u8],
    ) -> Result<(Vec<u8>, Secret), CryptoError> {
        self.0.decode_public(peer_public)?;
        let exponent = self.0.draw_exponent(rng);
        let shared = self.0.shared(&exponent, peer_public)?;
        Ok((self.0.public(&exponent), shared))
    }

    fn check_initiator(&self, public: &[u8]) -> Result<(), CryptoError> {
        self.0.decode_public(public).map(|_| ())
    }

    fn check_responder(&self, public: &[u8]) -> Result<(), CryptoError> {
        self.check_initiator(public)
    }
}

struct ActiveModp<const LIMBS: usize> {
    group: &'static Group<LIMBS>,
    exponent: Zeroizing<U512>,
    public: Vec<u8>,
}

impl<const LIMBS: usize> ActiveKeyExchange for ActiveModp<LIMBS> {
    fn group(&self) -> GroupId {
        self.group.id
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, peer_public: &[u8]) -> Result<Secret, CryptoError> {
        self.group.shared(&self.exponent, peer_public)
    }
}

macro_rules! groups {
    ($($name:ident: $uint:ident, $id:ident, $prime:ident, $bits:literal;)+) => {
        $(static $name: Group<{ $uint::LIMBS }> = Group::new(GroupId::$id, primes::$prime, $bits);)+

        pub(crate) const ALL: [&dyn KeyExchange; 8] = [$(&Modp(&$name)),+];
    };
}

groups! {
    MODP_2048: U2048, Modp2048, P2048, 256;
    MODP_3072: U3072, Modp3072, P3072, 320;
    MODP_4096: U4096, Modp4096, P4096, 384;
    MODP_6144: U6144, Modp6144, P6144, 384;
    MODP_8192: U8192, Modp8192, P8192, 448;
    MODP_1536: U1536, Modp1536, P1536, 192;
    MODP_1024: U1024, Modp1024, P1024, 192;
    MODP_768: U768, Modp768, P768, 192;
}
