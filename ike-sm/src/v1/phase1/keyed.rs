//! Phase 1 once it has keys: HASH_I, HASH_R and what they prove.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crypto_suite::{CryptoError, Digest, Secret};
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::v1::{Message, NotifyType};

use super::{Frame, Nat, Suite, Vendor, peer_id};
use crate::context::Context;
use crate::event::{Action, KeyLog, What};
use crate::model::{DropReason, Identity, IkeState, Role, Step};
use crate::v1::agreed::Agreed;
use crate::v1::keys::{Iv, Keys, MessageCipher, Transcript, skeyid_psk, skeyid_signature};
use crate::v1::payloads::{self, MM_ID, MM_SIGNED};
use crate::v1::protect;
use crate::v1::signature::Claim;

/// What both sides have sent by the time they derive keys.
pub(crate) struct Exchanged {
    pub(crate) suite: Suite,
    pub(crate) vendor: Vendor,
    pub(crate) nat: Nat,
    /// SAi_b: the initiator's SA payload as it was sent.
    pub(crate) sai_b: Vec<u8>,
    pub(crate) g_xi: Vec<u8>,
    pub(crate) g_xr: Vec<u8>,
    pub(crate) ni_b: Vec<u8>,
    pub(crate) nr_b: Vec<u8>,
    /// The peer has asked for a certificate.
    pub(crate) asked: bool,
}

/// A phase 1 with keys: what its last messages are made and checked with.
#[derive(Debug)]
pub(crate) struct Keyed {
    pub(crate) suite: Suite,
    pub(crate) vendor: Vendor,
    pub(crate) nat: Nat,
    pub(crate) cipher: MessageCipher,
    /// The IV of the next encrypted message.
    pub(crate) iv: Iv,
    /// The peer has asked for a certificate.
    pub(crate) asked: bool,
    keys: Keys,
    sai_b: Vec<u8>,
    g_xi: Vec<u8>,
    g_xr: Vec<u8>,
}

/// What the peer's last message has proved.
#[derive(Debug)]
pub(crate) struct Proof {
    /// The IV of what follows it.
    pub(crate) iv: Iv,
    pub(crate) remote_id: Arc<Identity>,
    pub(crate) initial_contact: bool,
}

impl Keyed {
    /// Derives the keys of an ISAKMP SA.
    pub(crate) fn derive(
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        psk: Option<&Secret>,
        g_xy: &Secret,
        sent: Exchanged,
    ) -> Result<Self, CryptoError> {
        let suite = sent.suite;
        let (ni_b, nr_b) = (&sent.ni_b, &sent.nr_b);
        let skeyid = match psk {
            Some(psk) => skeyid_psk(suite.prf, psk.expose(), ni_b, nr_b),
            None => skeyid_signature(suite.prf, ni_b, nr_b, g_xy.expose()),
        };
        let keys = Keys::derive(suite.prf, skeyid, g_xy.expose(), &frame.cookies);
        let cipher = MessageCipher::new(suite.cipher, suite.hash, &keys)?;
        let iv = cipher
            .phase1_iv(&sent.g_xi, &sent.g_xr)
            .ok_or(CryptoError::IvLength {
                expected: cipher.block_len(),
                actual: suite.hash.output_len(),
            })?;
        ctx.note(Some(frame.ike), What::KeysDerived);
        if ctx.config.key_log {
            ctx.actions.push(Action::KeyLog(KeyLog::Ikev1 {
                initiator_cookie: frame.cookies.initiator,
                encryption_key: keys.cipher_key(suite.cipher.key_len()),
            }));
        }
        Ok(Self {
            suite,
            vendor: sent.vendor,
            nat: sent.nat,
            cipher,
            iv,
            asked: sent.asked,
            keys,
            sai_b: sent.sai_b,
            g_xi: sent.g_xi,
            g_xr: sent.g_xr,
        })
    }

    /// The HASH that we prove ourselves with.
    pub(crate) fn own_hash(&self, frame: &Frame<'_>, id: &[u8]) -> Digest {
        self.hash(frame, frame.role, id)
    }

    /// The HASH that the peer must send.
    pub(crate) fn peer_hash(&self, frame: &Frame<'_>, id: &[u8]) -> Digest {
        self.hash(frame, frame.role.other(), id)
    }

    fn hash(&self, frame: &Frame<'_>, by: Role, id: &[u8]) -> Digest {
        let transcript = Transcript {
            g_xi: &self.g_xi,
            g_xr: &self.g_xr,
            cookies: frame.cookies,
            sai_b: &self.sai_b,
        };
        match by {
            Role::Initiator => transcript.hash_i(self.suite.proof_prf, self.keys.skeyid(), id),
            Role::Responder => transcript.hash_r(self.suite.proof_prf, self.keys.skeyid(), id),
        }
    }

    /// Messages 5 and 6 of main mode: `HDR*, ID, HASH`, or a signature that is still to be checked.
    ///
    /// `frame` is made that of the peer whose identity it is, of those that it may still be.
    pub(crate) fn check_id<'c>(
        &self,
        ctx: &mut Context<'c>,
        frame: &mut Frame<'c>,
        message: &Message<'_>,
        at: (Step, IkeState),
    ) -> Result<(Proof, Option<Claim>), DropReason> {
        let (plain, iv) = protect::open(&self.cipher, &self.iv, message)?;
        let chain = protect::chain(message, &plain, &ctx.config.wire)?;
        protect::note_received(ctx, frame, at, message, &chain);
        let signed = self.suite.signature().is_some();
        let rules = if signed { &MM_SIGNED } else { &MM_ID };
        let payloads = payloads::sort(chain, rules, self.vendor.dialect, &ctx.config.wire)?;
        let id = payloads.id()?;
        let expected = self.peer_hash(frame, id.body);
        if !signed {
            verified(ctx, frame, &expected, payloads.hash)?;
        }
        if frame.role == Role::Responder {
            super::select(ctx, frame, &self.suite, id);
        }
        let remote_id = peer_id(ctx, frame, id)?;
        let claim = if signed {
            Some(Claim::read(&payloads, remote_id.clone(), expected)?)
        } else {
            None
        };
        let proof = Proof {
            iv,
            remote_id,
            initial_contact: payloads.notifications.iter().any(|n| {
                n.protocol_id == ProtocolId::ISAKMP && n.notify_type == NotifyType::INITIAL_CONTACT
            }),
        };
        Ok((proof, claim))
    }

    /// Phase 1 is done; `last_block` is the last that was encrypted in it.
    pub(crate) fn agreed(self, last_block: Iv, remote_id: Arc<Identity>) -> Box<Agreed> {
        Box::new(Agreed {
            suite: self.suite,
            vendor: self.vendor,
            nat: self.nat,
            keys: self.keys,
            cipher: self.cipher,
            last_block,
            remote_id,
        })
    }
}

/// Compares the peer's HASH, and reports the result.
pub(crate) fn verified(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    expected: &Digest,
    received: &[u8],
) -> Result<(), DropReason> {
    let verified = protect::verify(expected, received);
    let peer = frame.path.remote.ip();
    let ok = verified.is_ok();
    ctx.note(Some(frame.ike), What::Authenticated { peer, ok });
    verified
}
