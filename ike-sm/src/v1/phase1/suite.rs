//! The SA payloads of phase 1: the offer, the choice, what is agreed on.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crypto_suite::{Cipher, Hash, KeyExchange, Prf, Provider};
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::v1::{Identification, PayloadType, Sa, Situation, Writer};
use isakmp_wire::{BuildError, Written};

use super::Frame;
use crate::alg;
use crate::config::{Config, Lifetime, PeerConfig, Phase1Policy};
use crate::context::Context;
use crate::event::{Notice, Phase1Summary, What};
use crate::model::{DropReason, Identity, IkeVersion};
use crate::policy::{self, OfferedTransform, Phase1Choice, Phase1Finding};

/// What the SA payloads have agreed on.
#[derive(Clone, Copy)]
pub(crate) struct Suite {
    pub(crate) policy: Phase1Policy,
    pub(crate) lifetime: Lifetime,
    pub(crate) cipher: &'static dyn Cipher,
    pub(crate) hash: &'static dyn Hash,
    pub(crate) prf: &'static dyn Prf,
    /// What makes HASH_I and HASH_R: the prf, or that of the hash that the signature is tied to
    /// (RFC 2409 §5.1).
    pub(crate) proof_prf: &'static dyn Prf,
    pub(crate) group: &'static dyn KeyExchange,
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.policy, self.lifetime).fmt(f)
    }
}

impl Suite {
    pub(crate) fn new(
        provider: &Provider,
        policy: Phase1Policy,
        lifetime: Lifetime,
    ) -> Result<Self, DropReason> {
        let prf_of = |hash| alg::prf_of_hash(hash).and_then(|prf| provider.prf(prf));
        let tied = alg::signature_of_v1(policy.authentication).and_then(|(_, hash)| hash);
        Ok(Self {
            policy,
            lifetime,
            cipher: provider
                .cipher(policy.encryption)
                .ok_or(DropReason::Crypto)?,
            hash: provider.hash(policy.hash).ok_or(DropReason::Crypto)?,
            prf: prf_of(policy.hash).ok_or(DropReason::Crypto)?,
            proof_prf: prf_of(tied.unwrap_or(policy.hash)).ok_or(DropReason::Crypto)?,
            group: provider.group(policy.group).ok_or(DropReason::Crypto)?,
        })
    }
}

/// Most different lists of policies that one offer is compared with: what a stranger's message costs
/// is bounded.
const MOST_LISTS: usize = 32;

/// Chooses from an offer and reports how. The peer is the first of `candidates` that takes one of the
/// transforms, as far as is known; `frame` is made its own.
pub(crate) fn choose<'c>(
    ctx: &mut Context<'c>,
    frame: &mut Frame<'c>,
    candidates: &[usize],
    sa: &Sa<'_>,
) -> Result<(Suite, usize), DropReason> {
    let offer =
        policy::read_phase1(sa).map_err(|_| DropReason::BadPayload(PayloadType::SA.into()))?;
    let config = ctx.config;
    let mut compared: Vec<Vec<Phase1Policy>> = Vec::new();
    for index in candidates {
        let Some(peer) = config.peers.get(*index) else {
            continue;
        };
        let policies = config.policies_for(peer);
        if compared.contains(&policies) {
            continue;
        }
        if compared.len() >= MOST_LISTS {
            break;
        }
        let listens = ctx.config.explain;
        let mut note = |found: Phase1Finding| ctx.note(Some(frame.ike), found.into());
        let choice = policy::choose_phase1(&policies, &offer, listens.then_some(&mut note));
        if let Some(choice) = choice {
            (frame.index, frame.peer) = (*index, peer);
            let transform = choice.transform;
            return Ok((agreed_suite(ctx, frame, choice)?, transform));
        }
        if listens && let Some(miss) = policy::nearest_miss(&policies, &offer) {
            let notice = Notice::NearestMiss(Box::new(miss));
            ctx.note(Some(frame.ike), What::Notice(notice));
        }
        compared.push(policies);
    }
    Err(DropReason::NoProposalChosen)
}

/// The policy of `peer` that is for the algorithms of `suite`.
fn policy_of(config: &Config, peer: &PeerConfig, suite: &Suite) -> Option<Phase1Policy> {
    let algorithms = |p: &Phase1Policy| (p.encryption, p.hash, p.authentication, p.group);
    let same = |p: &Phase1Policy| algorithms(p) == algorithms(&suite.policy);
    config.policies_for(peer).into_iter().find(same)
}

/// Message 5 of main mode says who the peer is: of those that may come from its address, and that
/// would have agreed on the same algorithms with the same pre-shared key, the one that matches best.
/// With nobody fitting the frame stays as it is.
pub(crate) fn select<'c>(
    ctx: &Context<'c>,
    frame: &mut Frame<'c>,
    suite: &Suite,
    id: &Identification<'_>,
) {
    let config = ctx.config;
    let Some(identity) = Identity::from_wire(id.id_type.0, id.data) else {
        return;
    };
    let address = frame.path.remote.ip();
    let signed = suite.signature().is_some();
    let key = |peer: &PeerConfig| {
        let found = config.psks.find(address, peer.remote_id.named());
        found.map(|found| found.key)
    };
    let mut candidates = config.peers_for(address, IkeVersion::V1);
    candidates.retain(|index| {
        let peer = config.peers.get(*index);
        *index == frame.index
            || peer.is_some_and(|peer| {
                // A key that was asked for is that of one peer.
                let same_key = || key(peer).is_some_and(|own| key(frame.peer) == Some(own));
                policy_of(config, peer, suite).is_some() && (signed || same_key())
            })
    });
    let found = config.by_identity(&candidates, &identity, address);
    let found = found
        .first()
        .and_then(|index| Some((*index, config.peers.get(*index)?)));
    if let Some(found) = found {
        (frame.index, frame.peer) = found;
    }
}

/// The SA lasts no longer than the policy of the peer that it turned out to be allows.
pub(crate) fn limit_lifetime(ctx: &Context<'_>, frame: &Frame<'_>, suite: &mut Suite) {
    if let Some(policy) = policy_of(ctx.config, frame.peer, suite) {
        suite.lifetime = suite.lifetime.min(policy.lifetime);
    }
}

/// Writes the SA payload that takes one transform of an offer, unchanged.
pub(crate) fn write_choice(
    writer: &mut Writer<'_>,
    offer: &Sa<'_>,
    transform: usize,
) -> Result<Written, BuildError> {
    writer.sa(Situation::IDENTITY_ONLY, |sa| {
        for proposal in offer.proposals().take(1) {
            for transform in proposal.transforms().skip(transform).take(1) {
                sa.choose(&proposal, &[], &transform)?;
            }
        }
        Ok(())
    })
}

/// What we have offered.
#[derive(Debug)]
pub(crate) struct Offered {
    policies: Vec<Phase1Policy>,
    transforms: Vec<OfferedTransform>,
    /// SAi_b: our SA payload as it went out.
    pub(crate) sai_b: Vec<u8>,
}

impl Offered {
    /// An offer of these policies.
    pub(crate) fn new(policies: Vec<Phase1Policy>) -> Self {
        let transforms = policy::phase1_offer(&policies);
        Self {
            policies,
            transforms,
            sai_b: Vec::new(),
        }
    }

    /// Writes it, and keeps what was written.
    pub(crate) fn write(&mut self, writer: &mut Writer<'_>) -> Result<(), BuildError> {
        // RFC 2409 §5: one proposal with one transform for each offer.
        let sa = writer.sa(Situation::IDENTITY_ONLY, |sa| {
            sa.proposal(1, ProtocolId::ISAKMP, &[], |proposal| {
                for t in &self.transforms {
                    proposal.transform(t.number, t.id, |attributes| t.write(attributes))?;
                }
                Ok(())
            })?;
            Ok(())
        })?;
        self.sai_b = writer.body(sa).to_vec();
        Ok(())
    }

    /// What the responder has taken of it.
    pub(crate) fn answered(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        sa: &Sa<'_>,
    ) -> Result<Suite, DropReason> {
        let answer =
            policy::read_phase1(sa).map_err(|_| DropReason::BadPayload(PayloadType::SA.into()))?;
        let listens = ctx.config.explain;
        let mut note = |found: Phase1Finding| ctx.note(Some(frame.ike), found.into());
        let choice = policy::check_phase1_answer(
            &self.policies,
            &self.transforms,
            &answer,
            listens.then_some(&mut note),
        )
        .map_err(|_| DropReason::NotOffered)?;
        agreed_suite(ctx, frame, choice)
    }
}

fn agreed_suite(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    choice: Phase1Choice,
) -> Result<Suite, DropReason> {
    let suite = Suite::new(ctx.provider, choice.policy, choice.lifetime)?;
    ctx.note(
        Some(frame.ike),
        What::Phase1Suite(Phase1Summary {
            policy: choice.policy,
            offered: choice.offered,
            lifetime: choice.lifetime,
        }),
    );
    Ok(suite)
}
