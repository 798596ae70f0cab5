//! Bounded tables: the policy database (RFC 4301 §4.4.1) and the SA database (§4.4.2).

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;

use crate::sa::Spi;
use crate::selector::{Flow, SelectorSet};

/// What a policy does with its packets; `P` names what protects them, such as a child SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyAction<P> {
    /// The packet goes through an SA: PROTECT in RFC 4301 §4.4.1.
    Protect(P),
    /// The packet passes as it is: BYPASS in RFC 4301 §4.4.1.
    Bypass,
    /// The packet is dropped: DISCARD in RFC 4301 §4.4.1.
    Discard,
}

/// One entry of the policy database.
#[derive(Clone, Debug)]
pub struct Policy<P> {
    /// The place in the list: a policy with a lower number is looked at first.
    pub priority: u32,
    /// The packets that the policy is about.
    pub selectors: SelectorSet,
    /// What happens to a packet that matches.
    pub action: PolicyAction<P>,
    /// Packets that matched it, either direction.
    pub hits: u64,
}

/// A name for a policy that stays valid until the policy is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyId(u64);

/// The table holds as many entries as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The table has no room for another entry.
    #[error("table of {0} entries is full")]
    Full(usize),
    /// The table has an entry with this key.
    #[error("the key is in the table already")]
    Duplicate,
}

/// An ordered list of policies; what matches none is discarded (RFC 4301 §5.1).
///
/// ```
/// use esp::{AddressRange, Flow, PolicyAction, SelectorSet, Spd, TrafficSelector};
///
/// let network = |text: &str| {
///     TrafficSelector::all(AddressRange::network(text.parse().unwrap(), 24).unwrap())
/// };
/// let mut spd = Spd::new(100);
/// let selectors = SelectorSet::new([network("10.0.68.0")], [network("10.1.1.0")]);
/// spd.insert(10, selectors, PolicyAction::Protect("to the hub"))?;
///
/// let flow = Flow::new([10, 0, 68, 5].into(), [10, 1, 1, 10].into(), 1, &[8, 0]);
/// assert_eq!(spd.outbound(&flow), PolicyAction::Protect(&"to the hub"));
/// let elsewhere = Flow::new([10, 0, 68, 5].into(), [8, 8, 8, 8].into(), 1, &[8, 0]);
/// assert_eq!(spd.outbound(&elsewhere), PolicyAction::Discard);
/// # Ok::<(), esp::TableError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Spd<P> {
    /// By priority, then by age.
    policies: Vec<(PolicyId, Policy<P>)>,
    next: u64,
    capacity: usize,
}

impl<P> Spd<P> {
    /// An empty database of at most `capacity` policies.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self {
            policies: Vec::new(),
            next: 0,
            capacity,
        }
    }

    /// Adds a policy behind those of the same priority.
    ///
    /// # Errors
    /// [`TableError::Full`].
    pub fn insert(
        &mut self,
        priority: u32,
        selectors: SelectorSet,
        action: PolicyAction<P>,
    ) -> Result<PolicyId, TableError> {
        if self.policies.len() >= self.capacity {
            return Err(TableError::Full(self.capacity));
        }
        let id = PolicyId(self.next);
        self.next = self.next.wrapping_add(1);
        let at = self
            .policies
            .partition_point(|(_, policy)| policy.priority <= priority);
        self.policies.insert(
            at,
            (
                id,
                Policy {
                    priority,
                    selectors,
                    action,
                    hits: 0,
                },
            ),
        );
        Ok(id)
    }

    /// Replaces what a policy does, its place and count kept: no gap while an SA is rekeyed.
    /// Returns what it did before.
    pub fn replace(&mut self, id: PolicyId, action: PolicyAction<P>) -> Option<PolicyAction<P>> {
        let (_, policy) = self.policies.iter_mut().find(|(found, _)| *found == id)?;
        Some(core::mem::replace(&mut policy.action, action))
    }

    /// Removes a policy and returns it; `None` if it was removed before.
    pub fn remove(&mut self, id: PolicyId) -> Option<Policy<P>> {
        let at = self.policies.iter().position(|(found, _)| *found == id)?;
        Some(self.policies.remove(at).1)
    }

    /// What to do with a packet from the protected side; counts the hit.
    pub fn outbound(&mut self, flow: &Flow) -> PolicyAction<&P> {
        self.first(|selectors| selectors.matches_outbound(flow))
    }

    /// What a packet that arrived without IPsec should have had (RFC 4301 §5.2 step 3b); counts
    /// the hit. [`PolicyAction::Protect`] means: drop it.
    pub fn inbound(&mut self, flow: &Flow) -> PolicyAction<&P> {
        self.first(|selectors| selectors.matches_inbound(flow))
    }

    /// The policies in the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = (PolicyId, &Policy<P>)> {
        self.policies.iter().map(|(id, policy)| (*id, policy))
    }

    fn first(&mut self, matches: impl Fn(&SelectorSet) -> bool) -> PolicyAction<&P> {
        let found = self
            .policies
            .iter_mut()
            .find(|(_, policy)| matches(&policy.selectors));
        let Some((_, policy)) = found else {
            return PolicyAction::Discard;
        };
        policy.hits = policy.hits.saturating_add(1);
        match &policy.action {
            PolicyAction::Protect(by) => PolicyAction::Protect(by),
            PolicyAction::Bypass => PolicyAction::Bypass,
            PolicyAction::Discard => PolicyAction::Discard,
        }
    }
}

/// Inbound SAs by SPI. RFC 4301 §4.1: for unicast the SPI alone names an SA, because the receiver
/// chose it; ESP and AH have a table each.
#[derive(Clone, Debug)]
pub struct Sad<T> {
    by_spi: BTreeMap<Spi, T>,
    capacity: usize,
}

impl<T> Sad<T> {
    /// An empty database of at most `capacity` SAs.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self {
            by_spi: BTreeMap::new(),
            capacity,
        }
    }

    /// Adds an SA.
    ///
    /// # Errors
    /// [`TableError::Full`], [`TableError::Duplicate`]; the SA is dropped and nothing changed.
    pub fn insert(&mut self, spi: Spi, sa: T) -> Result<&mut T, TableError> {
        let len = self.by_spi.len();
        match self.by_spi.entry(spi) {
            Entry::Occupied(_) => Err(TableError::Duplicate),
            Entry::Vacant(_) if len >= self.capacity => Err(TableError::Full(self.capacity)),
            Entry::Vacant(slot) => Ok(slot.insert(sa)),
        }
    }

    /// The SA of a received packet.
    pub fn lookup(&mut self, spi: u32) -> Option<&mut T> {
        self.by_spi.get_mut(&Spi::from_peer(spi)?)
    }

    /// Removes the SA with this SPI and returns it; `None` if there is none.
    pub fn remove(&mut self, spi: Spi) -> Option<T> {
        self.by_spi.remove(&spi)
    }

    /// The SAs in the order of their SPIs.
    pub fn iter(&self) -> impl Iterator<Item = (Spi, &T)> {
        self.by_spi.iter().map(|(spi, sa)| (*spi, sa))
    }

    /// The number of SAs in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_spi.len()
    }

    /// Whether the table has no SA.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_spi.is_empty()
    }
}

#[cfg(test)]
mod tests;
