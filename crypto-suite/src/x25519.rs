//! Curve25519 (RFC 7748, RFC 8031).

use alloc::boxed::Box;
use alloc::vec::Vec;
use rand_core::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::{ActiveKeyExchange, CryptoError, GroupId, KeyExchange, Secret};

struct X25519;

const LEN: usize = 32;

fn shared(secret: &StaticSecret, peer_public: &[u8]) -> Result<Secret, CryptoError> {
    let refused = CryptoError::PublicValueLength {
        expected: LEN,
        actual: peer_public.len(),
    };
    let peer: [u8; LEN] = peer_public.try_into().map_err(|_| refused)?;
    let shared = secret.diffie_hellman(&PublicKey::from(peer));
    // RFC 8031 §3.2 with RFC 7748 §6.1: an all-zero result comes from a point of low order.
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

    fn finish(self: Box<Self>, peer_public: &[u8]) -> Result<Secret, CryptoError> {
        shared(&self.secret, peer_public)
    }
}

pub(crate) const ALL: [&dyn KeyExchange; 1] = [&X25519];
