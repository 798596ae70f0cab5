//! The random choices of a recorded responder, for an endpoint of ours.

use std::convert::Infallible;

use crypto_suite::{ActiveKeyExchange, CryptoError, DEFAULT, GroupId, KeyExchange, Secret};
use rand_core::{CryptoRng, TryCryptoRng, TryRng};

/// A group whose key pair is a recorded one: the responder's public value and the shared secret.
pub(crate) struct Recorded {
    id: GroupId,
    public: Vec<u8>,
    shared: Vec<u8>,
}

impl Recorded {
    pub(crate) fn leaked(id: GroupId, (public, shared): (Vec<u8>, Vec<u8>)) -> &'static Self {
        Box::leak(Box::new(Self { id, public, shared }))
    }
}

impl KeyExchange for Recorded {
    fn id(&self) -> GroupId {
        self.id
    }
    fn initiator_public_len(&self) -> usize {
        DEFAULT.group(self.id).unwrap().initiator_public_len()
    }
    fn responder_public_len(&self) -> usize {
        self.initiator_public_len()
    }
    fn shared_len(&self) -> usize {
        self.initiator_public_len()
    }
    fn start(&self, _: &mut dyn CryptoRng) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        panic!("a responder starts nothing")
    }
    fn respond(&self, _: &mut dyn CryptoRng, _: &[u8]) -> Result<(Vec<u8>, Secret), CryptoError> {
        Ok((self.public.clone(), Secret::from(self.shared.as_slice())))
    }
}

/// Gives the recorded cookie and nonces where they are drawn, zeros elsewhere.
pub(crate) struct Replayed(pub(crate) Vec<Vec<u8>>);

impl TryRng for Replayed {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        match self.0.first() {
            // Cookies are 8 bytes, nonces 32; other draws have other lengths.
            Some(next) if next.len() == out.len() => out.copy_from_slice(&self.0.remove(0)),
            _ => out.fill(0),
        }
        Ok(())
    }
}

impl TryCryptoRng for Replayed {}
