//! Which certificates lead from the peer's own to an authority. It is chosen by names and key identifiers, one way only
//! and before any signature is checked: what a peer sends before it is authenticated must not make a search of it.

use super::{Authorities, Facts, Refusal, facts::Fit, signatures::Checks};
use crate::gateway::config::KeyPurpose;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};

/// Certificates between the peer's own and our authority that are looked at.
pub const MAX_INTERMEDIATES: usize = 3;

/// Somebody that we trust to vouch for a peer.
pub(super) struct Anchor {
    pub(super) certificate: Vec<u8>,
    pub(super) facts: Facts,
    pub(super) trust: TrustAnchor<'static>,
}

/// A certificate and what it says.
struct Step<'c> {
    certificate: &'c [u8],
    facts: Facts,
}

impl<'c> Step<'c> {
    fn read(certificate: &'c [u8]) -> Result<Self, Refusal> {
        let facts = Facts::read(certificate)?;
        Ok(Self { certificate, facts })
    }
}

/// The one way that is checked.
pub(super) struct Path<'c> {
    leaf: Step<'c>,
    /// The issuer of the leaf first.
    above: Vec<Step<'c>>,
    /// Those that may have issued the last: one, or some of one name that nothing tells apart.
    anchors: Vec<&'c Anchor>,
}

impl<'c> Path<'c> {
    /// Chooses among what the peer has sent, its own certificate first. RFC 4945 §4.3.3: "implementations MUST NOT
    /// assume that any but the first CERT is ordered in any way".
    pub(super) fn choose(
        chain: &'c [Vec<u8>],
        authorities: &'c Authorities,
    ) -> Result<Self, Refusal> {
        let (leaf, others) = chain.split_first().ok_or(Refusal::Nothing)?;
        let ours = |der: &[u8]| authorities.anchors.iter().any(|a| a.certificate == der);
        let others = others.iter().map(Vec::as_slice);
        let others: Vec<&[u8]> = others.filter(|der| !ours(der)).collect();
        if others.len() > MAX_INTERMEDIATES {
            return Err(Refusal::TooMany(others.len()));
        }
        let mut seen = vec![leaf.as_slice()];
        for der in &others {
            if seen.contains(der) {
                return Err(Refusal::Twice);
            }
            seen.push(der);
        }
        let mut rest: Vec<Step<'c>> = others
            .into_iter()
            .map(Step::read)
            .collect::<Result<_, _>>()?;
        let mut path = Self {
            leaf: Step::read(leaf)?,
            above: Vec::new(),
            anchors: Vec::new(),
        };
        loop {
            let last = path.last();
            let anchors = authorities.anchors.iter();
            let anchors: Vec<(Fit, &Anchor)> = anchors
                .filter_map(|anchor| Some((anchor.facts.may_have_issued(last)?, anchor)))
                .collect();
            let best = anchors.iter().map(|(fit, _)| *fit).min();
            let next = rest.iter().enumerate().filter_map(|(place, step)| {
                let leads = authorities.anchors.iter();
                let leads = leads.filter_map(|a| a.facts.may_have_issued(&step.facts));
                Some((
                    step.facts.may_have_issued(last)?,
                    leads.min().is_none(),
                    place,
                ))
            });
            match (best, next.min()) {
                (Some(Fit::OtherKeyId) | None, Some((.., place))) => {
                    path.above.push(rest.remove(place))
                }
                (Some(best), _) => {
                    let fitting = anchors.into_iter().filter(|(fit, _)| *fit == best);
                    path.anchors = fitting.map(|(_, anchor)| anchor).collect();
                    return Ok(path);
                }
                (None, None) => return Err(Refusal::UnknownIssuer),
            }
        }
    }

    fn last(&self) -> &Facts {
        self.above
            .last()
            .map_or(&self.leaf.facts, |step| &step.facts)
    }

    /// What can be seen without checking a signature.
    pub(super) fn judge(&mut self, now: UnixTime, accepted: &[KeyPurpose]) -> Result<(), Refusal> {
        self.leaf.facts.must_be_usable(now, accepted)?;
        self.leaf.facts.must_sign()?;
        // RFC 5280 §6.1.4 (l): those that are self-issued do not count.
        let mut between = 0_usize;
        for Step { facts, .. } in &self.above {
            facts.must_be_usable(now, accepted)?;
            facts.must_issue(between)?;
            between = between.saturating_add(usize::from(!facts.is_self_issued()));
        }
        let mut refused = None;
        self.anchors.retain(|anchor| {
            let verdict = anchor.facts.must_issue(between);
            verdict.map_err(|refusal| refused = Some(refusal)).is_ok()
        });
        match refused {
            Some(refusal) if self.anchors.is_empty() => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Checks of signatures that it may take: one of each certificate and one of the CRL of its issuer, and of each
    /// certificate with each authority that could be its issuer by name.
    pub(super) fn checks(&self) -> Checks {
        let steps = self.above.len().saturating_add(1);
        Checks::new(steps.saturating_mul(self.anchors.len().saturating_add(2)))
    }

    pub(super) fn leaf(&self) -> CertificateDer<'c> {
        CertificateDer::from(self.leaf.certificate)
    }

    pub(super) fn above(&self) -> Vec<CertificateDer<'c>> {
        let above = self.above.iter();
        above
            .map(|step| CertificateDer::from(step.certificate))
            .collect()
    }

    pub(super) fn anchors(&self) -> Vec<TrustAnchor<'c>> {
        self.anchors
            .iter()
            .map(|anchor| anchor.trust.clone())
            .collect()
    }
}
