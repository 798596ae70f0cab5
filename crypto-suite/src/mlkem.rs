//! ML-KEM (FIPS 203): the initiator sends an encapsulation key, the responder a ciphertext.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::marker::PhantomData;
use ml_kem::kem::{
    Ciphertext, Decapsulate, Decapsulator, Encapsulate, Generate, Kem, KeyExport, TryKeyInit,
};
use ml_kem::{MlKem512, MlKem768, MlKem1024};
use rand_core::CryptoRng;
use zeroize::Zeroize;

use crate::{ActiveKeyExchange, CryptoError, GroupId, KeyExchange, Secret};

struct MlKem<K> {
    id: GroupId,
    encapsulation_key_len: usize,
    ciphertext_len: usize,
    _kem: PhantomData<fn() -> K>,
}

impl<K> MlKem<K> {
    const fn new(id: GroupId, encapsulation_key_len: usize, ciphertext_len: usize) -> Self {
        Self {
            id,
            encapsulation_key_len,
            ciphertext_len,
            _kem: PhantomData,
        }
    }
}

const SHARED_LEN: usize = 32;

impl<K> KeyExchange for MlKem<K>
where
    K: Kem,
    K::DecapsulationKey: Decapsulate<Kem = K> + Send + Sync,
    K::EncapsulationKey: KeyExport + TryKeyInit,
{
    fn id(&self) -> GroupId {
        self.id
    }

    fn initiator_public_len(&self) -> usize {
        self.encapsulation_key_len
    }

    fn responder_public_len(&self) -> usize {
        self.ciphertext_len
    }

    fn shared_len(&self) -> usize {
        SHARED_LEN
    }

    fn start(&self, rng: &mut dyn CryptoRng) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        let key = K::DecapsulationKey::generate_from_rng(rng);
        let public = key.encapsulation_key().to_bytes().to_vec();
        let ciphertext_len = self.ciphertext_len;
        Ok(Box::new(ActiveMlKem::<K> {
            id: self.id,
            key,
            public,
            ciphertext_len,
        }))
    }

    fn respond(
        &self,
        rng: &mut dyn CryptoRng,
        peer_public: &[u8],
    ) -> Result<(Vec<u8>, Secret), CryptoError> {
        let expected = self.encapsulation_key_len;
        if peer_public.len() != expected {
            let actual = peer_public.len();
            return Err(CryptoError::PublicValueLength { expected, actual });
        }
        // FIPS 203 §7.2: length and modulus check of the encapsulation key.
        let key = <K::EncapsulationKey as TryKeyInit>::new_from_slice(peer_public)
            .map_err(|_| CryptoError::PublicValueInvalid)?;
        let (ciphertext, mut shared) = key.encapsulate_with_rng(rng);
        let secret = Secret::from(shared.as_slice());
        shared.as_mut_slice().zeroize();
        Ok((ciphertext.to_vec(), secret))
    }
}

struct ActiveMlKem<K: Kem> {
    id: GroupId,
    /// Zeroizes itself.
    key: K::DecapsulationKey,
    public: Vec<u8>,
    ciphertext_len: usize,
}

impl<K> ActiveKeyExchange for ActiveMlKem<K>
where
    K: Kem,
    K::DecapsulationKey: Decapsulate<Kem = K> + Send + Sync,
{
    fn group(&self) -> GroupId {
        self.id
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(&self, peer_public: &[u8]) -> Result<Secret, CryptoError> {
        let (expected, actual) = (self.ciphertext_len, peer_public.len());
        let refused = CryptoError::PublicValueLength { expected, actual };
        let ciphertext = Ciphertext::<K>::try_from(peer_public).map_err(|_| refused)?;
        // FIPS 203 §6.3: a wrong ciphertext gives a secret that the peer does not have, not an error.
        let mut shared = self.key.decapsulate(&ciphertext);
        let secret = Secret::from(shared.as_slice());
        shared.as_mut_slice().zeroize();
        Ok(secret)
    }
}

static ML_KEM_512: MlKem<MlKem512> = MlKem::new(GroupId::MlKem512, 800, 768);
static ML_KEM_768: MlKem<MlKem768> = MlKem::new(GroupId::MlKem768, 1184, 1088);
static ML_KEM_1024: MlKem<MlKem1024> = MlKem::new(GroupId::MlKem1024, 1568, 1568);

pub(crate) const ALL: [&dyn KeyExchange; 3] = [&ML_KEM_768, &ML_KEM_1024, &ML_KEM_512];
