//! Curve25519 (RFC 7748, RFC 8031).

use alloc::boxed::Box;
use alloc::vec::Vec;
use rand_core::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::algorithm::check_len;
use crate::{ActiveKeyExchange, CryptoError, GroupId, KeyExchange, Secret};

struct X25519;

const LEN: usize = 32;

/// The u-coordinates of the points of low order on the curve and its twist, bit 255 clear (RFC 7748
/// §5 ignores it): whatever the private key, the shared secret would be zero.
const LOW_ORDER: [[u8; LEN]; 7] = {
    /// 2^255 - 19, which is read as 0.
    const P: [u8; LEN] = {
        let mut p = [0xff; LEN];
        p[0] = 0xed;
        p[LEN - 1] = 0x7f;
        p
    };
    const fn first(mut u: [u8; LEN], octet: u8) -> [u8; LEN] {
        u[0] = octet;
        u
    }
    [
        [0; LEN],
        first([0; LEN], 1),
        // Order 8.
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
            0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16,
            0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83,
            0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd,
            0xd0, 0x9f, 0x11, 0x57,
        ],
        first(P, 0xec),
        P,
        first(P, 0xee),
    ]
};

/// RFC 8031 §2.1 with RFC 7748 §6.1: a value that gives zero is refused, before anything is spent
/// on it.
fn check(public: &[u8]) -> Result<(), CryptoError> {
    check_len(LEN, public)?;
    let low = |u: &[u8; LEN]| {
        let same = u
            .iter()
            .zip(public)
            .take(LEN.saturating_sub(1))
            .all(|(a, b)| a == b);
        same && u.last() == public.last().map(|octet| octet & 0x7f).as_ref()
    };
    if LOW_ORDER.iter().any(low) {
        return Err(CryptoError::PublicValueInvalid);
    }
    Ok(())
}

fn shared(secret: &StaticSecret, peer_public: &[u8]) -> Result<Secret, CryptoError> {
    check(peer_public)?;
    let peer: [u8; LEN] = peer_public
        .try_into()
        .map_err(|_| CryptoError::PublicValueInvalid)?;
    let shared = secret.diffie_hellman(&PublicKey::from(peer));
    // RFC 7748 §6.1: an all-zero result comes from a point of low order.
    if shared.was_contributory() {
        Ok(Secret::from(shared.as_bytes().as_slice()))
    } else {
        Err(CryptoError::SharedSecretInvalid)
    }
}

impl KeyExchange for X25519 {
    fn id(&self) -> GroupId {
        GroupId::X25519
    }

    fn initiator_public_len(&self) -> usize {
        LEN
    }

    fn responder_public_len(&self) -> usize {
        LEN
    }

    fn shared_len(&self) -> usize {
        LEN
    }

    fn check_initiator(&self, public: &[u8]) -> Result<(), CryptoError> {
        check(public)
    }

    fn check_responder(&self, public: &[u8]) -> Result<(), CryptoError> {
        check(public)
    }

    fn start(&self, rng: &mut dyn CryptoRng) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        let secret = StaticSecret::random_from_rng(rng);
        let public = PublicKey::from(&secret);
        Ok(Box::new(ActiveX25519 { secret, public }))
    }

    fn respond(
        &self,
        rng: &mut dyn CryptoRng,
        peer_public: &[u8],
    ) -> Result<(Vec<u8>, Secret), CryptoError> {
        check(peer_public)?;
        let secret = StaticSecret::random_from_rng(rng);
        let shared = shared(&secret, peer_public)?;
        Ok((PublicKey::from(&secret).as_bytes().to_vec(), shared))
    }
}

struct ActiveX25519 {
    secret: StaticSecret,
    public: PublicKey,
}

impl ActiveKeyExchange for ActiveX25519 {
    fn group(&self) -> GroupId {
        GroupId::X25519
    }

    fn public(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn finish(&self, peer_public: &[u8]) -> Result<Secret, CryptoError> {
        shared(&self.secret, peer_public)
    }
}

pub(crate) const ALL: [&dyn KeyExchange; 1] = [&X25519];
