//! EAP-MSCHAPv2: the computations of RFC 2759 and RFC 3079, the packets of
//! draft-kamath-pppext-eap-mschapv2.
//!
//! Legacy, and for use inside an IKE SA whose responder has proven itself by a signature only: who
//! sees challenge and response finds the password's hash by trying 2⁵⁶ DES keys.

mod packet;

use alloc::string::String;
use alloc::vec::Vec;

use crypto_suite::{Hash, HashId, MsChapV2, Provider, Secret};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::model::EapError;

pub(super) use packet::{Packet, failure_error, write};

/// Longest name and password (RFC 2759 §4: 256 characters).
pub const MAX_NAME: usize = 256;

/// Challenges of both sides and the user name: what responses are computed over. Who sees them beside
/// a response can try passwords: `Debug` shows the name alone.
#[derive(Clone)]
pub struct Challenges {
    /// AuthenticatorChallenge.
    pub server: [u8; 16],
    /// PeerChallenge.
    pub client: [u8; 16],
    /// The name as it was sent, perhaps with a domain before a backslash.
    pub name: String,
}

impl core::fmt::Debug for Challenges {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Challenges")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The algorithms of the method, from a provider.
#[derive(Clone, Copy)]
pub struct Algorithms {
    mschapv2: &'static dyn MsChapV2,
    sha1: &'static dyn Hash,
}

impl core::fmt::Debug for Algorithms {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Algorithms")
    }
}

impl Algorithms {
    /// Takes them from a provider.
    ///
    /// # Errors
    /// [`EapError::Crypto`] when it lacks them.
    pub fn of(provider: &Provider) -> Result<Self, EapError> {
        match (provider.mschapv2, provider.hash(HashId::Sha1)) {
            (Some(mschapv2), Some(sha1)) => Ok(Self { mschapv2, sha1 }),
            _ => Err(EapError::Crypto),
        }
    }

    /// NtPasswordHash: MD4 of the password in UTF-16, little endian (RFC 2759 §8.3).
    #[must_use]
    pub fn password_hash(&self, password: &str) -> Secret {
        let mut unicode = Zeroizing::new(Vec::with_capacity(password.len().saturating_mul(2)));
        for unit in password.encode_utf16() {
            unicode.extend_from_slice(&unit.to_le_bytes());
        }
        let hash = Zeroizing::new(self.mschapv2.md4(&unicode));
        Secret::from(&hash[..])
    }

    /// GenerateNTResponse (RFC 2759 §8.1) from the password's hash.
    #[must_use]
    pub fn nt_response(&self, hash: &Secret, challenges: &Challenges) -> [u8; 24] {
        let challenge = self.challenge_hash(challenges);
        // §8.5: the hash, padded with zeros to three keys of seven octets.
        let mut keys = Zeroizing::new([0; 21]);
        keys.iter_mut()
            .zip(hash.expose())
            .for_each(|(to, from)| *to = *from);
        let mut response = [0; 24];
        let (blocks, _) = response.as_chunks_mut::<8>();
        let (keys, _) = keys.as_chunks::<7>();
        for (block, key) in blocks.iter_mut().zip(keys) {
            *block = self.mschapv2.des(&challenge, key);
        }
        response
    }

    /// GenerateAuthenticatorResponse (RFC 2759 §8.7): `S=` and 40 upper-case hexadecimal digits.
    #[must_use]
    pub fn authenticator_response(
        &self,
        hash: &Secret,
        response: &[u8; 24],
        challenges: &Challenges,
    ) -> [u8; 42] {
        const MAGIC_1: &[u8] = b"Magic server to client signing constant";
        const MAGIC_2: &[u8] = b"Pad to make it do more than one iteration";
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let hash_hash = Zeroizing::new(self.mschapv2.md4(hash.expose()));
        let digest = self.sha1.digest(&[&*hash_hash, response, MAGIC_1]);
        let challenge = self.challenge_hash(challenges);
        let digest = self.sha1.digest(&[digest.as_ref(), &challenge, MAGIC_2]);
        let nibbles = digest.as_ref().iter().flat_map(|b| [b >> 4, b & 15]);
        let digits = nibbles.map(|n| DIGITS.get(usize::from(n)).copied().unwrap_or(b'0'));
        let mut text = *b"S=0000000000000000000000000000000000000000";
        let places = text.iter_mut().skip(2);
        places.zip(digits).for_each(|(to, digit)| *to = digit);
        text
    }

    /// Compares an authenticator response in constant time.
    pub(super) fn check_authenticator(
        &self,
        hash: &Secret,
        response: &[u8; 24],
        challenges: &Challenges,
        received: &[u8],
    ) -> bool {
        let expected = self.authenticator_response(hash, response, challenges);
        expected[..].ct_eq(received).into()
    }

    /// The MSK: both 128-bit master session keys of RFC 3079 §3.3, the one that the server
    /// receives with first, and 32 zeros.
    #[must_use]
    pub fn msk(&self, hash: &Secret, response: &[u8; 24]) -> Secret {
        const MAGIC_1: &[u8] = b"This is the MPPE Master Key";
        const MAGIC_2: &[u8] =
            b"On the client side, this is the send key; on the server side, it is the receive key.";
        const MAGIC_3: &[u8] =
            b"On the client side, this is the receive key; on the server side, it is the send key.";
        const PAD_1: [u8; 40] = [0; 40];
        const PAD_2: [u8; 40] = [0xf2; 40];
        let hash_hash = Zeroizing::new(self.mschapv2.md4(hash.expose()));
        let master = self.sha1.digest(&[&*hash_hash, response, MAGIC_1]);
        let master = master.truncated(16);
        let key = |magic| {
            let digest = self.sha1.digest(&[master.as_ref(), &PAD_1, magic, &PAD_2]);
            digest.truncated(16)
        };
        Secret::concat(&[key(MAGIC_2).as_ref(), key(MAGIC_3).as_ref(), &[0; 32]])
    }

    /// ChallengeHash (RFC 2759 §8.2): over the name without a domain.
    fn challenge_hash(&self, challenges: &Challenges) -> [u8; 8] {
        let user = challenges.name.rsplit('\\').next().unwrap_or("");
        let digest = self
            .sha1
            .digest(&[&challenges.client, &challenges.server, user.as_bytes()]);
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
