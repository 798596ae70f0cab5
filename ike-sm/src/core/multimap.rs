//! Many objects under one key: the indexes over the tables of an endpoint.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use crate::model::{ChildId, Identity, IkeId, Ticket};

/// A peer as its SAs see it: its place in the configuration, and who it has proved to be. Those of
/// one place stand together; no SA is without identity.
pub(crate) type Owner = (usize, Option<Arc<Identity>>);

/// Values that a range can be made of.
pub(crate) trait Bounded: Copy + Ord {
    /// No value is lower.
    const LOWEST: Self;
    /// No value is higher.
    const HIGHEST: Self;
}

macro_rules! bounded {
    ($($handle:ident),*) => {
        $(impl Bounded for $handle {
            const LOWEST: Self = Self(u64::MIN);
            const HIGHEST: Self = Self(u64::MAX);
        })*
    };
}

bounded!(IkeId, ChildId, Ticket);

/// By time, then by age of the SA.
impl Bounded for (Duration, IkeId) {
    const LOWEST: Self = (Duration::ZERO, IkeId::LOWEST);
    const HIGHEST: Self = (Duration::MAX, IkeId::HIGHEST);
}

/// Keys with their values, both in order. It repeats what a table says: whoever changes the table
/// changes it too.
#[derive(PartialEq, Eq)]
pub(crate) struct Multimap<K, V>(BTreeSet<(K, V)>);

impl<K, V> Default for Multimap<K, V> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<K, V> fmt::Debug for Multimap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("index")
    }
}

impl<K: Ord, V: Ord> FromIterator<(K, V)> for Multimap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<K: Clone + Ord, V: Bounded> Multimap<K, V> {
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.0.insert((key, value));
    }

    pub(crate) fn remove(&mut self, key: K, value: V) {
        self.0.remove(&(key, value));
    }

    /// The values of `key`, lowest first.
    pub(crate) fn of(&self, key: K) -> impl DoubleEndedIterator<Item = V> + '_ {
        self.0
            .range((key.clone(), V::LOWEST)..=(key, V::HIGHEST))
            .map(|(_, value)| *value)
    }
}

impl<V: Bounded> Multimap<Owner, V> {
    /// The values of all peers with this place in the configuration.
    pub(crate) fn of_peer(&self, peer: usize) -> impl Iterator<Item = V> + '_ {
        let end = (peer.saturating_add(1), None);
        self.0
            .range(((peer, None), V::LOWEST)..(end, V::LOWEST))
            .map(|(_, value)| *value)
    }
}
