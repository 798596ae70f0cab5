//! Key exchanges whose shared secret anyone can add up.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use rand_core::CryptoRng;

use crate::{ActiveKeyExchange, CryptoError, GroupId, KeyExchange, Secret};

struct NoGroup {
    id: GroupId,
    initiator_len: usize,
    responder_len: usize,
    shared_len: usize,
}

/// Random bytes that matter; the rest of a public value is zero.
const DRAWN: usize = 8;

impl NoGroup {
    /// A group whose public values and shared secret have one length.
    const fn even(id: GroupId, public_len: usize, shared_len: usize) -> Self {
        Self {
            id,
            initiator_len: public_len,
            responder_len: public_len,
            shared_len,
        }
    }

    const fn kem(id: GroupId, initiator_len: usize, responder_len: usize) -> Self {
        Self {
            id,
            initiator_len,
            responder_len,
            shared_len: 32,
        }
    }

    fn draw(len: usize, rng: &mut dyn CryptoRng) -> Vec<u8> {
        let mut public = vec![0; len];
        if let Some(head) = public.get_mut(..DRAWN.min(len)) {
            rng.fill_bytes(head);
        }
        public
    }

    /// The sum of both public values, byte by byte, repeated as often as needed.
    fn shared(&self, ours: &[u8], theirs: &[u8]) -> Secret {
        let sums: [u8; DRAWN] = core::array::from_fn(|i| {
            let ours = ours.get(i).copied().unwrap_or(0);
            ours.wrapping_add(theirs.get(i).copied().unwrap_or(0))
        });
        Secret::new(sums.iter().copied().cycle().take(self.shared_len).collect())
    }

    fn check(expected: usize, public: &[u8]) -> Result<(), CryptoError> {
        if public.len() == expected {
            Ok(())
        } else {
            Err(CryptoError::PublicValueLength {
                expected,
                actual: public.len(),
            })
        }
    }
}

impl KeyExchange for NoGroup {
    fn id(&self) -> GroupId {
        self.id
    }

    fn initiator_public_len(&self) -> usize {
        self.initiator_len
    }

    fn responder_public_len(&self) -> usize {
        self.responder_len
    }

    fn shared_len(&self) -> usize {
        self.shared_len
    }

    fn start(&self, rng: &mut dyn CryptoRng) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        let public = Self::draw(self.initiator_len, rng);
        let Self {
            id,
            initiator_len,
            responder_len,
            shared_len,
        } = *self;
        let group = Self {
            id,
            initiator_len,
            responder_len,
            shared_len,
        };
        Ok(Box::new(Active { group, public }))
    }

    fn respond(
        &self,
        rng: &mut dyn CryptoRng,
        peer_public: &[u8],
    ) -> Result<(Vec<u8>, Secret), CryptoError> {
        Self::check(self.initiator_len, peer_public)?;
        let public = Self::draw(self.responder_len, rng);
        let shared = self.shared(&public, peer_public);
        Ok((public, shared))
    }
}

struct Active {
    group: NoGroup,
    public: Vec<u8>,
}

impl ActiveKeyExchange for Active {
    fn group(&self) -> GroupId {
        self.group.id
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(&self, peer_public: &[u8]) -> Result<Secret, CryptoError> {
        NoGroup::check(self.group.responder_len, peer_public)?;
        Ok(self.group.shared(&self.public, peer_public))
    }
}

pub(super) const ALL: &[&dyn KeyExchange] = &[
    &NoGroup::even(GroupId::Modp2048, 256, 256),
    &NoGroup::even(GroupId::Modp3072, 384, 384),
    &NoGroup::even(GroupId::Modp4096, 512, 512),
    &NoGroup::even(GroupId::Modp6144, 768, 768),
    &NoGroup::even(GroupId::Modp8192, 1024, 1024),
    &NoGroup::even(GroupId::Modp1536, 192, 192),
    &NoGroup::even(GroupId::Modp1024, 128, 128),
    &NoGroup::even(GroupId::Modp768, 96, 96),
    &NoGroup::even(GroupId::Ecp256, 64, 32),
    &NoGroup::even(GroupId::Ecp384, 96, 48),
    &NoGroup::even(GroupId::Ecp521, 132, 66),
    &NoGroup::even(GroupId::X25519, 32, 32),
    &NoGroup::even(GroupId::X448, 56, 56),
    &NoGroup::kem(GroupId::MlKem512, 800, 768),
    &NoGroup::kem(GroupId::MlKem768, 1184, 1088),
    &NoGroup::kem(GroupId::MlKem1024, 1568, 1568),
];
