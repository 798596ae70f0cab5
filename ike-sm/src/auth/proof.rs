//! The AUTH payload: what is signed, with what, and how it is checked (RFC 7296 §2.15, RFC 7427,
//! RFC 4754, RFC 9242 §3.3.2).
//!
//! Everything here is a function of bytes: no state, no message. Whoever checks gets a
//! [`ProofError`] for our own records; the peer learns AUTHENTICATION_FAILED and nothing else.

mod algorithm;
mod hashes;
mod signature;

use alloc::vec::Vec;

use crypto_suite::{Digest, Prf};
use isakmp_wire::registry::v2::AuthMethod;

pub use crate::model::ProofError;

pub use algorithm::{algorithm_identifier, scheme_of};
pub use hashes::{HashAlgorithms, NegotiatedHashes};
pub(crate) use signature::verify_parts;
pub use signature::{SignaturePolicy, choose, schemes_of_key, verify_signature};

/// RFC 7296 §2.15: 17 ASCII characters without null termination.
const KEY_PAD: &[u8] = b"Key Pad for IKEv2";

/// What one side signs, in parts: `RealMessage | Nonce | prf(SK_p, RestOfIDPayload) [| IntAuth]`.
///
/// The message is the side's own IKE_SA_INIT message, the last one it sent, from the initiator's
/// SPI to the end, without a non-ESP marker. The nonce is the other side's.
#[derive(Debug)]
pub struct SignedOctets<'a> {
    message: &'a [u8],
    nonce: &'a [u8],
    maced_id: Digest,
    int_auth: Option<&'a IntAuth>,
}

/// What IKE_INTERMEDIATE exchanges add to the signed octets of both sides (RFC 9242 §3.3.2):
/// `IntAuth_iN | IntAuth_rN | IKE_AUTH_MID`.
#[derive(Debug, Clone)]
pub struct IntAuth {
    /// IntAuth_iN: over the requests.
    pub initiator: Digest,
    /// IntAuth_rN: over the responses.
    pub responder: Digest,
    /// Message ID of the first IKE_AUTH request, as on the wire.
    pub auth_message_id: [u8; 4],
}

impl<'a> SignedOctets<'a> {
    /// The octets that the owner of `sk_p` signs. `id_body` is its Identification payload without
    /// the generic header: type, three reserved octets as they were sent, data.
    #[must_use]
    pub fn new(
        prf: &dyn Prf,
        sk_p: &[u8],
        message: &'a [u8],
        peer_nonce: &'a [u8],
        id_body: &[u8],
    ) -> Self {
        Self {
            message,
            nonce: peer_nonce,
            maced_id: prf.prf(sk_p, &[id_body]),
            int_auth: None,
        }
    }

    /// With what the IKE_INTERMEDIATE exchanges add.
    #[must_use]
    pub fn with_intermediate(self, int_auth: Option<&'a IntAuth>) -> Self {
        Self { int_auth, ..self }
    }

    /// The parts in order; as one string they are what is signed.
    #[must_use]
    pub fn parts(&self) -> [&[u8]; 6] {
        let [i, r, mid] = match self.int_auth {
            Some(int_auth) => [
                int_auth.initiator.as_ref(),
                int_auth.responder.as_ref(),
                &int_auth.auth_message_id[..],
            ],
            None => [&[][..]; 3],
        };
        [self.message, self.nonce, self.maced_id.as_ref(), i, r, mid]
    }

    /// The octets as one string, for a signer outside.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.parts().concat()
    }
}

/// The AUTH data of method 2: `prf(prf(secret, "Key Pad for IKEv2"), octets)`.
///
/// The secret is a pre-shared key, the MSK of a key-generating EAP method, or SK_pi and SK_pr for
/// an EAP method without a key (RFC 7296 §2.15, §2.16).
#[must_use]
pub fn shared_key_mic(prf: &dyn Prf, secret: &[u8], octets: &SignedOctets<'_>) -> Digest {
    let key = prf.prf(secret, &[KEY_PAD]);
    prf.prf(key.as_ref(), &octets.parts())
}

/// Checks AUTH data of method 2 in constant time.
///
/// # Errors
/// [`ProofError::Method`] for another method, [`ProofError::Mismatch`] for other data.
pub fn verify_shared_key(
    prf: &dyn Prf,
    secret: &[u8],
    octets: &SignedOctets<'_>,
    method: AuthMethod,
    data: &[u8],
) -> Result<(), ProofError> {
    let expected = shared_key_mic(prf, secret, octets);
    if method != AuthMethod::SHARED_KEY {
        return Err(ProofError::Method(method));
    }
    if expected == *data {
        Ok(())
    } else {
        Err(ProofError::Mismatch)
    }
}

#[cfg(test)]
mod tests;
