//! IKE_SA_INIT: algorithms, nonces and the first key exchange (RFC 7296 §1.2). Nothing in it is
//! authenticated before IKE_AUTH is over.

mod initiator;
mod responder;

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use crypto_suite::{GroupId, KeyExchange, Secret};
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{NotifyType, Writer};
use isakmp_wire::{BuildError, Flags, Header};
use nat_t::Verdict;

pub(crate) use initiator::{Initiator, Reply};
pub(crate) use responder::{challenge, presented, refuse, respond};

use super::crypt::Crypt;
use super::keys::{Keys, Nonces, skeyseed};
use super::payloads::Payloads;
use super::session::Frame;
use crate::context::Context;
use crate::explain::What;
use crate::outcome::DropReason;
use crate::policy::v2::IkeSuite;

/// Octets of our nonces: at least half the key size of each prf, and all the entropy of the longest
/// key (RFC 7296 §2.10).
const NONCE_LEN: usize = 32;

/// What IKE_SA_INIT has settled; kept until IKE_AUTH is over.
pub(crate) struct Init {
    /// The request as the initiator sent it last.
    pub(crate) request: Bytes,
    pub(crate) response: Bytes,
    pub(crate) ni: Vec<u8>,
    pub(crate) nr: Vec<u8>,
    pub(crate) suite: IkeSuite,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) peer: Abilities,
}

impl Init {
    pub(crate) fn nonces(&self) -> Nonces<'_> {
        Nonces {
            initiator: &self.ni,
            responder: &self.nr,
        }
    }

    /// The lower of the two nonces: both ends compare the same ones.
    pub(crate) fn rank(&self) -> Vec<u8> {
        self.ni.as_slice().min(self.nr.as_slice()).to_vec()
    }
}

impl fmt::Debug for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Init")
            .field("suite", &self.suite)
            .field("verdict", &self.verdict)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// What the peer has announced in IKE_SA_INIT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// RFC 7383.
    pub(crate) fragmentation: bool,
    /// RFC 6023.
    pub(crate) childless: bool,
    /// RFC 9242.
    pub(crate) intermediate: bool,
    /// RFC 5685.
    pub(crate) redirect: bool,
    /// RFC 8784.
    pub(crate) ppk: bool,
    /// Hash algorithms of its signatures (RFC 7427 §4); none when it has announced nothing.
    pub(crate) hashes: Option<Vec<u16>>,
}

/// Most hash algorithms of a peer that are kept.
const MAX_HASHES: usize = 16;

impl Abilities {
    pub(crate) fn read(payloads: &Payloads<'_>) -> Self {
        let hashes = payloads
            .notify(NotifyType::SIGNATURE_HASH_ALGORITHMS)
            .and_then(|n| n.u16_list())
            .map(|list| list.take(MAX_HASHES).collect());
        Self {
            fragmentation: payloads.has(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED),
            childless: payloads.has(NotifyType::CHILDLESS_IKEV2_SUPPORTED),
            intermediate: payloads.has(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED),
            redirect: payloads.has(NotifyType::REDIRECT_SUPPORTED),
            ppk: payloads.has(NotifyType::USE_PPK),
            hashes,
        }
    }
}

/// Announces what both roles announce.
fn write_abilities(writer: &mut Writer<'_>, frame: &Frame<'_>) -> Result<(), BuildError> {
    if frame.peer.v2.fragment.is_some() {
        writer.notify(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED, &[])?;
    }
    Ok(())
}

/// Builds an IKE_SA_INIT message.
fn build(
    spis: ([u8; 8], [u8; 8]),
    flags: Flags,
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
) -> Result<Bytes, DropReason> {
    let header = Header::v2(ExchangeType::IKE_SA_INIT, spis.0, spis.1).flags(flags);
    let mut octets = Vec::new();
    let unbuildable = |_| DropReason::Limit("message size");
    let mut writer = Writer::new(&mut octets, &header).map_err(unbuildable)?;
    fill(&mut writer).map_err(unbuildable)?;
    writer.finish().map_err(unbuildable)?;
    Ok(Bytes::from(octets))
}

fn group_of(ctx: &Context<'_>, id: GroupId) -> Result<&'static dyn KeyExchange, DropReason> {
    ctx.provider.group(id).ok_or(DropReason::Crypto)
}

/// A nonce of ours.
pub(crate) fn nonce(ctx: &mut Context<'_>) -> Vec<u8> {
    ctx.random::<NONCE_LEN>().to_vec()
}

/// Derives the keys of the IKE SA.
fn derive(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    suite: &IkeSuite,
    nonces: &Nonces<'_>,
    g_ir: &Secret,
) -> Result<Crypt, DropReason> {
    let prf = ctx.provider.prf(suite.prf).ok_or(DropReason::Crypto)?;
    // RFC 7296 §2.10: at least half the key size of the prf.
    let shortest = super::keys::shortest_nonce(prf);
    for nonce in [nonces.initiator, nonces.responder] {
        if nonce.len() < shortest {
            return Err(DropReason::NonceLength(nonce.len()));
        }
    }
    let seed = skeyseed(prf, nonces, g_ir.expose());
    let keys = Keys::derive(prf, suite.protection, &seed, nonces, frame.spis)
        .map_err(|_| DropReason::Crypto)?;
    let crypt = Crypt::new(ctx.provider, keys, frame.role)?;
    ctx.note(Some(frame.ike), What::KeysDerived);
    crypt.log(ctx);
    Ok(crypt)
}
