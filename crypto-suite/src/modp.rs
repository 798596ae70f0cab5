//! Diffie-Hellman over the MODP groups of RFC 2409 and RFC 3526.
//!
//! Secret exponents go through constant-time Montgomery arithmetic only. All groups are safe
//! primes with generator 2: a public value other than 0, 1 and p−1 has order q or 2q, so the
//! range check is all the validation there is to do (RFC 6989 §2.1).

mod comb;
mod montgomery;
mod primes;

use alloc::boxed::Box;
use alloc::vec::Vec;
use crypto_bigint::{Limb, U512, U768, U1024, U1536, U2048, U3072, U4096, U6144, U8192, Uint};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use self::comb::Comb;
use self::montgomery::Field;
use crate::{ActiveKeyExchange, CryptoError, GroupId, KeyExchange, Secret};

/// One group as a method of the provider.
struct Modp<const LIMBS: usize>(&'static Group<LIMBS>);

/// One group. Its Montgomery parameters are computed at compile time.
struct Group<const LIMBS: usize> {
    id: GroupId,
    field: Field<LIMBS>,
    /// Powers of the generator, where the group has a table of them.
    comb: Option<Comb>,
    /// Bits of a private exponent. RFC 7919 App. A: 225, 275, 325, 375 and 400, which is more
    /// than twice the strength that RFC 3526 §8 estimates first; for the weak groups its 180.
    exponent_bits: u32,
}

impl<const LIMBS: usize> Group<LIMBS> {
    const fn new(id: GroupId, prime: &str, exponent_bits: u32, comb: Option<Comb>) -> Self {
        Self {
            id,
            field: Field::new(prime),
            comb,
            exponent_bits,
        }
    }

    /// Length of public values and of the shared secret, bytes.
    const LEN: usize = LIMBS * Limb::BYTES;

    fn draw_exponent(&self, rng: &mut dyn CryptoRng) -> Zeroizing<U512> {
        let mut bytes = Zeroizing::new([0; U512::BYTES]);
        let used = usize::try_from(self.exponent_bits.div_ceil(8)).unwrap_or(U512::BYTES);
        if let Some(drawn) = bytes.get_mut(..used) {
            rng.fill_bytes(drawn);
            // Exactly `exponent_bits` long: the bits above are cleared, the highest is set.
            if let Some(last) = drawn.last_mut() {
                let top = 1_u8.rotate_left(self.exponent_bits.wrapping_sub(1) & 7);
                *last = (*last & (top.wrapping_sub(1))) | top;
            }
        }
        Zeroizing::new(U512::from_le_slice(&*bytes))
    }

    fn public(&self, exponent: &U512) -> Vec<u8> {
        let (exponent, bits) = (exponent.as_limbs(), self.exponent_bits);
        let power = match &self.comb {
            Some(comb) => comb.power(&self.field, exponent),
            None => self.field.power(&Uint::from_u8(2), exponent, bits),
        };
        to_bytes(&*power)
    }

    fn shared(&self, exponent: &U512, peer_public: &[u8]) -> Result<Secret, CryptoError> {
        let peer = self.decode_public(peer_public)?;
        let shared = self
            .field
            .power(&peer, exponent.as_limbs(), self.exponent_bits);
        Ok(Secret::new(to_bytes(&*shared)))
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
        let last = self.field.modulus().wrapping_sub(&Uint::ONE);
        if value > Uint::ONE && value < last {
            Ok(value)
        } else {
            Err(CryptoError::PublicValueInvalid)
        }
    }
}

/// Big-endian, with leading zeros: as long as the group's prime.
fn to_bytes(value: &[Limb]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len().saturating_mul(Limb::BYTES));
    for limb in value.iter().rev() {
        out.extend_from_slice(&limb.0.to_be_bytes());
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

    fn finish(&self, peer_public: &[u8]) -> Result<Secret, CryptoError> {
        self.group.shared(&self.exponent, peer_public)
    }
}

macro_rules! groups {
    ($($name:ident: $uint:ident, $id:ident, $prime:ident, $bits:literal, $comb:expr;)+) => {
        $(
            static $name: Group<{ $uint::LIMBS }> =
                Group::new(GroupId::$id, primes::$prime, $bits, $comb);
        )+

        pub(crate) const ALL: [&dyn KeyExchange; 8] = [$(&Modp(&$name)),+];
    };
}

const COMB_2048: Comb = Comb::new(include_bytes!("modp/comb/modp_2048.bin"), 225);
const COMB_3072: Comb = Comb::new(include_bytes!("modp/comb/modp_3072.bin"), 275);
const COMB_4096: Comb = Comb::new(include_bytes!("modp/comb/modp_4096.bin"), 325);

groups! {
    MODP_2048: U2048, Modp2048, P2048, 225, Some(COMB_2048);
    MODP_3072: U3072, Modp3072, P3072, 275, Some(COMB_3072);
    MODP_4096: U4096, Modp4096, P4096, 325, Some(COMB_4096);
    MODP_6144: U6144, Modp6144, P6144, 375, None;
    MODP_8192: U8192, Modp8192, P8192, 400, None;
    MODP_1536: U1536, Modp1536, P1536, 180, None;
    MODP_1024: U1024, Modp1024, P1024, 180, None;
    MODP_768: U768, Modp768, P768, 180, None;
}
