//! What would have matched: the least change of either policy that makes the two meet.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crypto_suite::{Provider, WeakAlgorithm, WeakAlgorithms};
use isakmp_wire::registry::v2 as wire;
use wire::{EncryptionId, TransformType};

use super::choose::{ProposalFault, Terms, compare};
use super::proposal::{Proposal, Transform};
use crate::alg::v2 as alg;

/// The pair of proposals that came nearest to each other, and what keeps them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatWouldMatch {
    /// What was negotiated: a child's name, or `IKE SA`.
    pub subject: String,
    /// Number of our proposal.
    pub ours: u8,
    /// Number of the peer's.
    pub theirs: u8,
    /// What has to change, each on one of the two sides; not empty.
    pub changes: Vec<Change>,
}

/// One transform type in which two proposals do not meet. One of the two ways is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The type.
    pub kind: TransformType,
    /// What we would have to accept as well; `None` when we have no such algorithm.
    pub here: Option<Transform>,
    /// Permission that [`Self::here`] needs by name.
    pub weak: Option<WeakAlgorithm>,
    /// What the peer would have to offer as well; `None` when it must leave the type out.
    pub there: Option<Transform>,
}

/// Finds the pair of proposals with the fewest differences; among equals one that we can meet
/// without weak algorithms, then the first. `None` when the peer offers no protocol that we do.
#[must_use]
pub fn what_would_match(
    ours: &[Proposal],
    theirs: &[Proposal],
    terms: &Terms<'_>,
    provider: &Provider,
    weak: WeakAlgorithms,
) -> Option<WhatWouldMatch> {
    let mut best: Option<((usize, usize), WhatWouldMatch)> = None;
    for mine in ours {
        for proposal in theirs.iter().filter(|p| p.protocol == mine.protocol) {
            let record = compare(mine, proposal, terms);
            let repeated = match record.fault {
                None => continue,
                Some(ProposalFault::RepeatedMethod(kind)) => Some(kind),
                Some(_) => None,
            };
            let apart = record
                .types
                .iter()
                .filter(|t| t.chosen.is_none() || Some(t.kind) == repeated);
            let changes: Vec<Change> = apart
                .map(|t| {
                    let usable = |t: &&Transform| {
                        t.understood && terms.additional_or(t.kind) && known(t, provider)
                    };
                    let candidates = || t.theirs.iter().filter(usable);
                    let strong = candidates().find(|t| weakness(t, weak).is_none());
                    let here = strong.or_else(|| candidates().next()).copied();
                    Change {
                        kind: t.kind,
                        here,
                        weak: here.and_then(|t| weakness(&t, weak)),
                        there: t.ours.first().copied(),
                    }
                })
                .collect();
            let hard = |c: &&Change| c.here.is_none() || c.weak.is_some();
            let cost = (changes.len(), changes.iter().filter(hard).count());
            if !changes.is_empty() && best.as_ref().is_none_or(|(least, _)| cost < *least) {
                let found = WhatWouldMatch {
                    subject: terms.subject.into(),
                    ours: mine.number,
                    theirs: proposal.number,
                    changes,
                };
                best = Some((cost, found));
            }
        }
    }
    best.map(|(_, found)| found)
}

impl Terms<'_> {
    fn additional_or(&self, kind: TransformType) -> bool {
        self.additional || !kind.is_additional_key_exchange()
    }
}

/// Do we have the algorithm at all?
fn known(t: &Transform, provider: &Provider) -> bool {
    match t.kind {
        TransformType::ENCRYPTION => {
            let id = EncryptionId(t.id);
            let aead = alg::aead_from_wire(id, t.key_length);
            id == EncryptionId::NULL
                || aead.is_some()
                || alg::cipher_from_wire(id, t.key_length).is_some()
        }
        TransformType::PRF => {
            let id = alg::prf_from_wire(wire::PrfId(t.id));
            id.is_some_and(|id| provider.prf(id).is_some())
        }
        TransformType::INTEGRITY => alg::integrity_from_wire(wire::IntegrityId(t.id)).is_some(),
        TransformType::SEQUENCE_NUMBERS => t.id <= 1,
        _ => group(t).is_some_and(|id| provider.group(id).is_some()),
    }
}

fn group(t: &Transform) -> Option<crypto_suite::GroupId> {
    let group = t.kind == TransformType::KEY_EXCHANGE || t.kind.is_additional_key_exchange();
    group
        .then(|| alg::group_from_wire(wire::KeyExchangeMethod(t.id)))
        .flatten()
}

/// The weakness of an algorithm that is not permitted.
fn weakness(t: &Transform, weak: WeakAlgorithms) -> Option<WeakAlgorithm> {
    let refused = match t.kind {
        TransformType::ENCRYPTION => {
            alg::cipher_from_wire(EncryptionId(t.id), t.key_length).map(|id| weak.check(id))
        }
        TransformType::PRF => alg::prf_from_wire(wire::PrfId(t.id)).map(|id| weak.check(id)),
        TransformType::INTEGRITY => {
            alg::integrity_from_wire(wire::IntegrityId(t.id)).map(|id| weak.check(id))
        }
        _ => group(t).map(|id| weak.check(id)),
    };
    refused.and_then(Result::err)
}

impl fmt::Display for WhatWouldMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: our proposal {} and the peer's proposal {} would meet",
            self.subject, self.ours, self.theirs
        )?;
        for (n, change) in self.changes.iter().enumerate() {
            write!(f, "{} {change}", if n == 0 { " if" } else { ", and" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind;
        match (&self.here, &self.there) {
            (Some(here), Some(there)) => {
                write!(f, "we also accepted {kind} {here}")?;
                if let Some(weak) = self.weak {
                    write!(f, " (weak: {weak} has to be permitted by name)")?;
                }
                write!(f, " or the peer also offered {kind} {there}")
            }
            (None, Some(there)) => write!(f, "the peer also offered {kind} {there}"),
            (Some(here), None) => write!(f, "we also accepted {kind} {here}"),
            (None, None) => write!(f, "the peer left out transform type {kind}"),
        }
    }
}
