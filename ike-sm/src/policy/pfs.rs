//! Which key exchange a child is offered with, where the configuration leaves it to the peer.
//!
//! [`Pfs::AcceptIfOffered`](crate::config::Pfs::AcceptIfOffered) permits a child with a group and one
//! without. What the peer wants is not said anywhere: in IKE_AUTH no child has a group (RFC 7296
//! §1.2), so that the first rekey is what shows it. One offer comes after the other until the peer
//! takes one: what it has shown before, then the rest of what is permitted.

use crypto_suite::{GroupId, Provider, WeakAlgorithms};

use crate::config::Pfs;

/// How far the offers of one child have gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PfsOffer {
    /// The group that the peer has used or named.
    shown: Option<GroupId>,
    /// The peer has named it in answer to an offer of ours: once, or two ends could go on for ever.
    named: bool,
    /// Offers that the peer has refused.
    refused: usize,
}

/// What permits a group, and what the peer is likely to want.
#[derive(Clone, Copy)]
pub(crate) struct Permitted<'a> {
    pub(crate) pfs: Pfs,
    pub(crate) provider: &'a Provider,
    pub(crate) weak: WeakAlgorithms,
    /// The group of the IKE SA: who has chosen it takes it again.
    pub(crate) usual: GroupId,
}

impl Permitted<'_> {
    fn admits(&self, group: GroupId) -> bool {
        match self.pfs {
            Pfs::Off => false,
            Pfs::Required(required) => required == group,
            Pfs::AcceptIfOffered => {
                self.provider.group(group).is_some() && self.weak.check(group).is_ok()
            }
        }
    }
}

impl PfsOffer {
    /// Begins, with the group that the peer has used before, if it has.
    pub(crate) const fn begin(shown: Option<GroupId>) -> Self {
        Self {
            shown,
            named: false,
            refused: 0,
        }
    }

    /// The group to offer now, or to offer none; `None` when nothing is left.
    pub(crate) fn group(&self, permitted: &Permitted<'_>) -> Option<Option<GroupId>> {
        let usual = Some(permitted.usual).filter(|group| permitted.admits(*group));
        let shown = self.shown.filter(|group| permitted.admits(*group));
        let all = match (permitted.pfs, shown) {
            (Pfs::Off, _) => [Some(None), None, None],
            (Pfs::Required(group), _) => [Some(Some(group)), None, None],
            (Pfs::AcceptIfOffered, Some(shown)) => {
                let other = usual.filter(|usual| *usual != shown);
                [Some(Some(shown)), Some(None), other.map(Some)]
            }
            (Pfs::AcceptIfOffered, None) => [Some(None), usual.map(Some), None],
        };
        all.into_iter().flatten().nth(self.refused)
    }

    /// The peer has refused what was offered: the next one, if there is one.
    pub(crate) fn next(self, permitted: &Permitted<'_>) -> Option<Self> {
        let next = Self {
            refused: self.refused.saturating_add(1),
            ..self
        };
        next.group(permitted).map(|_| next)
    }

    /// The peer has named the group that it wants (INVALID_KE_PAYLOAD, RFC 7296 §1.3).
    pub(crate) fn named(self, group: GroupId, permitted: &Permitted<'_>) -> Option<Self> {
        let offered = self.group(permitted) == Some(Some(group));
        let next = Self {
            shown: Some(group),
            named: true,
            refused: 0,
        };
        let usable = permitted.pfs == Pfs::AcceptIfOffered && permitted.admits(group);
        (usable && !offered && !self.named).then_some(next)
    }
}

#[cfg(test)]
mod tests;
