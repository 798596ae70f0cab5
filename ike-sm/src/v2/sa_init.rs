//! IKE_SA_INIT: algorithms, nonces and the first key exchange (RFC 7296 §1.2). Nothing in it is
//! authenticated before IKE_AUTH is over.

mod initiator;
mod responder;

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use crypto_suite::{GroupId, KeyExchange, Prf, Secret};
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{NotifyType, Writer};
use isakmp_wire::{BuildError, Flags, Header};
use nat_t::Verdict;

pub(crate) use initiator::{Agreed, Initiator, Reply};
pub(crate) use responder::{Accepted, accept, challenge, presented, redirect, refuse};

use super::additional::Additional;
use super::auth::Asked;
use super::crypt::Crypt;
use super::keys::{Keys, Nonces, skeyseed};
use super::payloads::Payloads;
use crate::auth::proof::{HashAlgorithms, IntAuth, NegotiatedHashes};
use crate::config::v2::{AuthOptions, LocalAuth, RemoteAuth};
use crate::context::Context;
use crate::event::What;
use crate::model::DropReason;
use crate::policy::v2::IkeSuite;
use crate::v2::frame::Frame;

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
    /// The SIGNATURE_HASH_ALGORITHMS of both.
    pub(crate) hashes: NegotiatedHashes,
    /// Both have sent USE_PPK (RFC 8784 §3).
    pub(crate) use_ppk: bool,
    /// What IKE_INTERMEDIATE exchanges add to the signed octets (RFC 9242 §3.3.2).
    pub(crate) int_auth: Option<IntAuth>,
    /// The key exchanges between IKE_SA_INIT and IKE_AUTH.
    pub(crate) additional: Additional,
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
    /// Certificates that a responder asks for (RFC 7296 §1.2).
    pub(crate) asked: Asked,
    /// Hash algorithms of its signatures (RFC 7427 §4); none when it has announced nothing.
    pub(crate) hashes: Option<HashAlgorithms>,
}

impl Abilities {
    pub(crate) fn read(payloads: &Payloads<'_>) -> Self {
        let hashes = payloads
            .notify(NotifyType::SIGNATURE_HASH_ALGORITHMS)
            .map(|n| HashAlgorithms::from_notify(n.data));
        Self {
            fragmentation: payloads.has(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED),
            childless: payloads.has(NotifyType::CHILDLESS_IKEV2_SUPPORTED),
            intermediate: payloads.has(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED),
            // RFC 5685 §3: who comes from another gateway follows to a third.
            redirect: payloads.has(NotifyType::REDIRECT_SUPPORTED)
                || payloads.has(NotifyType::REDIRECTED_FROM),
            ppk: payloads.has(NotifyType::USE_PPK),
            asked: Asked::read(&payloads.certificate_requests),
            hashes,
        }
    }
}

/// Whether one of the ends may prove itself with a signature.
const fn signs(auth: &AuthOptions) -> bool {
    !matches!(
        (&auth.local, &auth.remote),
        (LocalAuth::Psk, RemoteAuth::Psk)
    )
}

/// What we announce to this peer.
#[derive(Debug, Clone, Copy)]
struct Announced {
    fragmentation: bool,
    intermediate: bool,
    hashes: Option<HashAlgorithms>,
    ppk: bool,
}

impl Announced {
    fn new(ctx: &Context<'_>, frame: &Frame<'_>) -> Self {
        let proposals = &frame.peer.v2.proposals;
        let hashes = HashAlgorithms::supported(ctx.provider, ctx.config.weak);
        Self {
            fragmentation: frame.peer.v2.fragment.is_some(),
            // RFC 9370 §2.2.1: additional key exchanges need IKE_INTERMEDIATE.
            intermediate: proposals.iter().any(|p| !p.additional.is_empty()),
            hashes: Some(hashes).filter(|_| signs(&frame.peer.auth)),
            ppk: frame.peer.auth.ppk.is_some(),
        }
    }

    /// What we announce to an initiator that may be any of `candidates` still: what one of them needs
    /// for its authentication too.
    fn towards(ctx: &Context<'_>, frame: &Frame<'_>, candidates: &[usize]) -> Self {
        let all = || candidates.iter().filter_map(|i| ctx.config.peers.get(*i));
        let hashes = HashAlgorithms::supported(ctx.provider, ctx.config.weak);
        let ours = Self::new(ctx, frame);
        Self {
            hashes: ours
                .hashes
                .or_else(|| all().any(|peer| signs(&peer.auth)).then_some(hashes)),
            ppk: ours.ppk || all().any(|peer| peer.auth.ppk.is_some()),
            ..ours
        }
    }

    /// A responder announces what the initiator has announced too.
    fn common(self, peer: &Abilities) -> Self {
        Self {
            fragmentation: self.fragmentation && peer.fragmentation,
            intermediate: self.intermediate && peer.intermediate,
            hashes: self.hashes.filter(|_| peer.hashes.is_some()),
            ppk: self.ppk && peer.ppk,
        }
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), BuildError> {
        if self.fragmentation {
            writer.notify(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED, &[])?;
        }
        if self.intermediate {
            writer.notify(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED, &[])?;
        }
        if let Some(hashes) = self.hashes {
            writer.notify(NotifyType::SIGNATURE_HASH_ALGORITHMS, &hashes.to_notify())?;
        }
        if self.ppk {
            writer.notify(NotifyType::USE_PPK, &[])?;
        }
        Ok(())
    }

    /// The hash algorithms of both.
    fn negotiated(&self, peer: &Abilities) -> NegotiatedHashes {
        NegotiatedHashes {
            ours: self.hashes,
            peers: peer.hashes,
        }
    }
}

/// Builds an IKE_SA_INIT message.
fn build(
    spis: ([u8; 8], [u8; 8]),
    flags: Flags,
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
) -> Result<Bytes, DropReason> {
    let header = Header::v2(ExchangeType::IKE_SA_INIT, spis.0, spis.1).flags(flags);
    in_the_clear(&header, fill)
}

/// Builds a message that nothing protects.
fn in_the_clear(
    header: &Header,
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
) -> Result<Bytes, DropReason> {
    let mut octets = Vec::new();
    let unbuildable = |_| DropReason::Limit("message size");
    let mut writer = Writer::new(&mut octets, header).map_err(unbuildable)?;
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

/// The prf, if the nonces are long enough for it: at least half of its key size (RFC 7296 §2.10).
fn long_enough(
    ctx: &Context<'_>,
    suite: &IkeSuite,
    nonces: &Nonces<'_>,
) -> Result<&'static dyn Prf, DropReason> {
    let prf = ctx.provider.prf(suite.prf).ok_or(DropReason::Crypto)?;
    let shortest = super::keys::shortest_nonce(prf);
    match [nonces.initiator, nonces.responder]
        .into_iter()
        .find(|nonce| nonce.len() < shortest)
    {
        Some(short) => Err(DropReason::NonceLength(short.len())),
        None => Ok(prf),
    }
}

/// Derives the keys of the IKE SA.
fn derive(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    suite: &IkeSuite,
    nonces: &Nonces<'_>,
    g_ir: &Secret,
) -> Result<Crypt, DropReason> {
    let prf = long_enough(ctx, suite, nonces)?;
    let seed = skeyseed(prf, nonces, g_ir.expose());
    let keys = Keys::derive(prf, suite.protection, &seed, nonces, frame.spis)
        .map_err(|_| DropReason::Crypto)?;
    let crypt = Crypt::new(ctx.provider, keys, frame.role)?;
    ctx.note(Some(frame.ike), What::KeysDerived);
    crypt.log(ctx);
    Ok(crypt)
}
