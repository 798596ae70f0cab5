//! The IKEv2 key schedule: SKEYSEED and what grows from it (RFC 7296 §2.13 to §2.18), with
//! additional key exchanges (RFC 9370) and post-quantum pre-shared keys (RFC 8784).
//!
//! Every function takes the bytes as the RFCs write them: `Ni` and `Nr` without any header, `g^ir`
//! padded to the length of its group.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crypto_suite::{CryptoError, Digest, PacketKey, Prf, Protection, ProtectionId, Secret};
use zeroize::Zeroizing;

/// The SPIs of an IKE SA (RFC 7296 §2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spis {
    /// SPIi.
    pub initiator: [u8; 8],
    /// SPIr.
    pub responder: [u8; 8],
}

/// The nonces of an exchange, without their headers.
#[derive(Clone, Copy, Debug)]
pub struct Nonces<'a> {
    /// Ni.
    pub initiator: &'a [u8],
    /// Nr.
    pub responder: &'a [u8],
}

impl<'a> Nonces<'a> {
    /// The lower one, octet by octet: of two SAs at once the one with the lowest of all four goes
    /// (RFC 7296 §2.8.1).
    #[must_use]
    pub fn lowest(&self) -> &'a [u8] {
        self.initiator.min(self.responder)
    }
}

/// What an exchange brings for keys: SK(0), Ni and Nr, SK(1) and so on (RFC 9370 §2.2.4).
#[derive(Clone, Copy)]
pub(crate) struct Fresh<'a> {
    pub(crate) g_ir: Option<&'a Secret>,
    pub(crate) nonces: Nonces<'a>,
    pub(crate) additional: &'a [Secret],
}

/// Whose messages a key protects (RFC 7296 §2.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sender {
    /// The original initiator of the IKE SA: SK_ei, SK_ai, SK_pi.
    Initiator,
    /// The other one: SK_er, SK_ar, SK_pr.
    Responder,
}

/// Why keys cannot be derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// RFC 7296 §2.13: prf+ ends after 255 blocks.
    #[error("{0} bytes of keying material are more than prf+ gives")]
    TooLong(usize),
}

impl From<KeyError> for crate::model::AuthFault {
    fn from(_: KeyError) -> Self {
        Self::Crypto
    }
}

/// `prf+ (K, S) = T1 | T2 | …`, cut to `len` bytes (RFC 7296 §2.13). `seed` is taken as one string.
///
/// # Errors
/// More than 255 blocks.
pub fn prf_plus(prf: &dyn Prf, key: &[u8], seed: &[&[u8]], len: usize) -> Result<Secret, KeyError> {
    let mut out = Zeroizing::new(Vec::with_capacity(len));
    let mut block = Digest::new(&[]);
    for number in 1..=u8::MAX {
        if out.len() >= len {
            break;
        }
        // T1 has no block in front of it, and an empty one adds nothing.
        let mut parts: Vec<&[u8]> = Vec::with_capacity(seed.len().saturating_add(2));
        let counter = [number];
        parts.push(block.as_ref());
        parts.extend(seed);
        parts.push(&counter);
        let next = prf.prf(key, &parts);
        let missing = len.saturating_sub(out.len());
        out.extend(next.as_ref().iter().take(missing));
        block = next;
    }
    if out.len() < len {
        return Err(KeyError::TooLong(len));
    }
    Ok(Secret::from(out.as_slice()))
}

/// `SKEYSEED = prf(Ni | Nr, g^ir)` (RFC 7296 §2.14).
#[must_use]
pub fn skeyseed(prf: &dyn Prf, nonces: &Nonces<'_>, g_ir: &[u8]) -> Digest {
    let key = Zeroizing::new([nonces.initiator, nonces.responder].concat());
    prf.prf(&key, &[g_ir])
}

/// The seven keys of an IKE SA. Erased when dropped.
pub struct Keys {
    prf: &'static dyn Prf,
    protection: ProtectionId,
    spis: Spis,
    d: Secret,
    a: Pair,
    e: Pair,
    p: Pair,
}

struct Pair {
    initiator: Secret,
    responder: Secret,
}

impl Pair {
    fn of(&self, sender: Sender) -> &Secret {
        match sender {
            Sender::Initiator => &self.initiator,
            Sender::Responder => &self.responder,
        }
    }
}

impl Keys {
    /// `{SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+ (SKEYSEED, Ni | Nr | SPIi |
    /// SPIr)` (RFC 7296 §2.14). An AEAD has no SK_a, and its SK_e ends with the salt (RFC 5282
    /// §7.1).
    ///
    /// # Errors
    /// A prf without output.
    pub fn derive(
        prf: &'static dyn Prf,
        protection: ProtectionId,
        skeyseed: &Digest,
        nonces: &Nonces<'_>,
        spis: Spis,
    ) -> Result<Self, KeyError> {
        let (p, a, e) = (
            prf.output_len(),
            protection.integ_key_len(),
            protection.enc_key_len(),
        );
        let lengths = [p, a, a, e, e, p, p];
        let total = lengths
            .iter()
            .fold(0, |sum: usize, n| sum.saturating_add(*n));
        let (ni, nr) = (nonces.initiator, nonces.responder);
        let seed = [ni, nr, &spis.initiator[..], &spis.responder[..]];
        let material = prf_plus(prf, skeyseed.as_ref(), &seed, total)?;
        let mut rest = material.expose();
        let mut next = |len: usize| match rest.split_at_checked(len) {
            Some((key, after)) => {
                rest = after;
                Ok(Secret::from(key))
            }
            None => Err(KeyError::TooLong(total)),
        };
        Ok(Self {
            prf,
            protection,
            spis,
            d: next(p)?,
            a: Pair {
                initiator: next(a)?,
                responder: next(a)?,
            },
            e: Pair {
                initiator: next(e)?,
                responder: next(e)?,
            },
            p: Pair {
                initiator: next(p)?,
                responder: next(p)?,
            },
        })
    }

    /// The keys after an additional key exchange in IKE_INTERMEDIATE: `SKEYSEED(n) =
    /// prf(SK_d(n-1), SK(n) | Ni | Nr)` (RFC 9370 §2.2.2). The nonces are those of IKE_SA_INIT.
    ///
    /// # Errors
    /// As [`Self::derive`].
    pub fn after_key_exchange(&self, sk_n: &Secret, nonces: &Nonces<'_>) -> Result<Self, KeyError> {
        let seed = [sk_n.expose(), nonces.initiator, nonces.responder];
        let skeyseed = self.prf.prf(self.d.expose(), &seed);
        Self::derive(self.prf, self.protection, &skeyseed, nonces, self.spis)
    }

    /// SKEYSEED of the IKE SA that replaces this one: `prf(SK_d (old), g^ir (new) | Ni | Nr)` with
    /// this SA's prf (RFC 7296 §2.18), and with the shared secrets of additional key exchanges
    /// behind the nonces (RFC 9370 §2.2.4).
    #[must_use]
    pub fn rekey_skeyseed(
        &self,
        g_ir: &Secret,
        nonces: &Nonces<'_>,
        additional: &[Secret],
    ) -> Digest {
        let seed = fresh_seed(Some(g_ir), nonces, additional);
        self.prf.prf(self.d.expose(), &seed)
    }

    /// Mixes a post-quantum pre-shared key into SK_d, SK_pi and SK_pr: `SK_d = prf+ (PPK, SK_d')`
    /// and so on (RFC 8784 §3). For the first IKE SA only, never after a rekey.
    ///
    /// # Errors
    /// As [`Self::derive`]; the keys are unchanged then.
    pub fn mix_ppk(&mut self, ppk: &Secret) -> Result<(), KeyError> {
        let mix = |key: &Secret| prf_plus(self.prf, ppk.expose(), &[key.expose()], key.len());
        let (d, initiator, responder) = (
            mix(&self.d)?,
            mix(&self.p.initiator)?,
            mix(&self.p.responder)?,
        );
        self.d = d;
        self.p = Pair {
            initiator,
            responder,
        };
        Ok(())
    }

    /// KEYMAT of a child: `prf+ (SK_d, Ni | Nr)`, with a key exchange of its own `prf+ (SK_d,
    /// g^ir (new) | Ni | Nr)` (RFC 7296 §2.17), and with the shared secrets of additional ones
    /// behind the nonces (RFC 9370 §2.2.4). `len` is the length of one direction, bytes.
    ///
    /// # Errors
    /// More than prf+ gives.
    pub fn child(
        &self,
        g_ir: Option<&Secret>,
        nonces: &Nonces<'_>,
        additional: &[Secret],
        len: usize,
    ) -> Result<ChildKeys, KeyError> {
        let seed = fresh_seed(g_ir, nonces, additional);
        let total = len.saturating_mul(2);
        let keymat = prf_plus(self.prf, self.d.expose(), &seed, total)?;
        // RFC 7296 §2.17: the keys of the SA from initiator to responder come first.
        let (first, second) = keymat
            .expose()
            .split_at_checked(len)
            .ok_or(KeyError::TooLong(total))?;
        Ok(ChildKeys {
            from_initiator: Secret::from(first),
            from_responder: Secret::from(second),
        })
    }

    /// SK_d.
    #[must_use]
    pub fn sk_d(&self) -> &Secret {
        &self.d
    }

    /// SK_ai or SK_ar; empty under an AEAD.
    #[must_use]
    pub fn sk_a(&self, sender: Sender) -> &Secret {
        self.a.of(sender)
    }

    /// SK_ei or SK_er; an AEAD's ends with the salt.
    #[must_use]
    pub fn sk_e(&self, sender: Sender) -> &Secret {
        self.e.of(sender)
    }

    /// SK_pi or SK_pr, which AUTH is made with.
    #[must_use]
    pub fn sk_p(&self, sender: Sender) -> &Secret {
        self.p.of(sender)
    }

    /// The prf of the SA.
    #[must_use]
    pub fn prf(&self) -> &'static dyn Prf {
        self.prf
    }

    /// What protects the SA's messages.
    #[must_use]
    pub fn protection(&self) -> ProtectionId {
        self.protection
    }

    /// The SPIs that the keys were made with.
    #[must_use]
    pub fn spis(&self) -> Spis {
        self.spis
    }

    /// Prepares the key of one sender's messages; `protection` is the provider's implementation of
    /// [`Self::protection`].
    ///
    /// # Errors
    /// What the implementation says of the key: another algorithm's length, a weak DES key.
    pub fn packet_key(
        &self,
        protection: &dyn Protection,
        sender: Sender,
    ) -> Result<Box<dyn PacketKey>, CryptoError> {
        let (e, a) = (self.e.of(sender), self.a.of(sender));
        let keymat = Secret::concat(&[e.expose(), a.expose()]);
        protection.new_key(keymat.expose())
    }

    /// The seven keys in the order of the RFC, to export the SA. The parts are secret.
    #[must_use]
    pub fn export(&self) -> Secret {
        Secret::concat(&[
            self.d.expose(),
            self.a.initiator.expose(),
            self.a.responder.expose(),
            self.e.initiator.expose(),
            self.e.responder.expose(),
            self.p.initiator.expose(),
            self.p.responder.expose(),
        ])
    }
}

/// `g^ir (new) | Ni | Nr | SK(1) | … | SK(n)`.
fn fresh_seed<'a>(
    g_ir: Option<&'a Secret>,
    nonces: &Nonces<'a>,
    additional: &'a [Secret],
) -> Vec<&'a [u8]> {
    let mut seed: Vec<&[u8]> = Vec::with_capacity(additional.len().saturating_add(3));
    seed.extend(g_ir.map(Secret::expose));
    seed.extend([nonces.initiator, nonces.responder]);
    seed.extend(additional.iter().map(Secret::expose));
    seed
}

impl core::fmt::Debug for Keys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keys")
            .field("prf", &self.prf.id())
            .field("protection", &self.protection)
            .finish_non_exhaustive()
    }
}

/// Keying material of a child: per direction the encryption key, then the integrity key.
#[derive(Debug)]
pub struct ChildKeys {
    /// For what the exchange's initiator sends.
    pub from_initiator: Secret,
    /// For what the exchange's responder sends.
    pub from_responder: Secret,
}

/// The shortest nonce that a peer may use: 16 octets, and at least half the key size of the prf
/// (RFC 7296 §2.10, §3.9).
#[must_use]
pub fn shortest_nonce(prf: &dyn Prf) -> usize {
    prf.output_len().div_ceil(2).max(16)
}
