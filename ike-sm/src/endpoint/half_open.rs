//! Negotiations that others have started and not finished: how many, where they come from, and
//! which one makes room for another.

use alloc::collections::{BTreeMap, BTreeSet};
use core::cmp::Reverse;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::config::{EndpointLimits, Prefix};
use crate::core::multimap::Multimap;
use crate::model::IkeId;

/// What the bounds on aggressive modes count in.
const PERIOD: Duration = Duration::from_secs(1);

/// Who has one of these addresses has them all.
pub(super) fn network(address: IpAddr) -> Prefix {
    let address = address.to_canonical();
    let len = if address.is_ipv4() { 24 } else { 56 };
    Prefix::new(address, len).unwrap_or_else(|| Prefix::host(address))
}

/// Negotiations that others have started and that are not authenticated.
#[derive(Debug, Default)]
pub(super) struct HalfOpen {
    /// By what a repeated first message shows.
    first: BTreeMap<([u8; 8], SocketAddr), IkeId>,
    /// Handles grow, so the first entry is the oldest.
    entries: BTreeMap<IkeId, Entry>,
    /// Those of which nothing shows that our answers arrive.
    unproved: Crowd,
    /// The others.
    proved: Crowd,
    /// Aggressive modes that were answered, those that have ended without proof included: what they
    /// have cost is not undone.
    aggressive: BTreeMap<IkeId, (Duration, Prefix)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    cookie: [u8; 8],
    remote: SocketAddr,
    proved: bool,
}

/// Negotiations by where they come from.
#[derive(Debug, Default, PartialEq, Eq)]
struct Crowd {
    by_address: Multimap<IpAddr, IkeId>,
    by_network: Multimap<Prefix, IkeId>,
    sizes: BTreeMap<Prefix, usize>,
    /// How many a network has, its oldest, and the network. The last one is the fullest; of those
    /// that are as full, the one that has had a negotiation for longest.
    ranks: BTreeSet<(usize, Reverse<IkeId>, Prefix)>,
    len: usize,
}

impl Crowd {
    fn insert(&mut self, id: IkeId, address: IpAddr) {
        self.by_address.insert(address, id);
        self.change(address, |crowd, network, size| {
            crowd.by_network.insert(network, id);
            crowd.len = crowd.len.saturating_add(1);
            size.saturating_add(1)
        });
    }

    fn remove(&mut self, id: IkeId, address: IpAddr) {
        self.by_address.remove(address, id);
        self.change(address, |crowd, network, size| {
            crowd.by_network.remove(network, id);
            crowd.len = crowd.len.saturating_sub(1);
            size.saturating_sub(1)
        });
    }

    /// Changes what a network has; `change` gives its new size.
    fn change(&mut self, address: IpAddr, change: impl FnOnce(&mut Self, Prefix, usize) -> usize) {
        let network = network(address);
        let size = self.of_network(network);
        if let Some(oldest) = self.oldest_of(network) {
            self.ranks.remove(&(size, Reverse(oldest), network));
        }
        let size = change(self, network, size);
        if let Some(oldest) = self.oldest_of(network) {
            self.ranks.insert((size, Reverse(oldest), network));
            self.sizes.insert(network, size);
        } else {
            self.sizes.remove(&network);
        }
    }

    fn of_network(&self, network: Prefix) -> usize {
        self.sizes.get(&network).copied().unwrap_or(0)
    }

    fn oldest_of(&self, network: Prefix) -> Option<IkeId> {
        self.by_network.of(network).next()
    }

    fn from(&self, address: IpAddr) -> usize {
        self.by_address.of(address).count()
    }

    /// The oldest of the fullest network.
    fn oldest_of_fullest(&self) -> Option<IkeId> {
        self.ranks.last().map(|(_, oldest, _)| oldest.0)
    }
}

impl HalfOpen {
    /// The negotiation that a first message with this cookie from this address belongs to.
    pub(super) fn find(&self, cookie: [u8; 8], remote: SocketAddr) -> Option<IkeId> {
        self.first.get(&(cookie, remote)).copied()
    }

    /// A negotiation began. `proved` says that its first message shows already that our answers
    /// arrive.
    pub(super) fn insert(&mut self, id: IkeId, cookie: [u8; 8], remote: SocketAddr, proved: bool) {
        let entry = Entry {
            cookie,
            remote,
            proved,
        };
        self.first.insert((cookie, remote), id);
        self.entries.insert(id, entry);
        self.crowd(proved).insert(id, remote.ip());
    }

    const fn crowd(&mut self, proved: bool) -> &mut Crowd {
        if proved {
            &mut self.proved
        } else {
            &mut self.unproved
        }
    }

    /// An aggressive mode was answered.
    pub(super) fn insert_aggressive(&mut self, id: IkeId, address: IpAddr, now: Duration) {
        self.aggressive.retain(|_, (at, _)| is_recent(*at, now));
        self.aggressive.insert(id, (now, network(address)));
    }

    /// Whether another aggressive mode may cost us a key exchange now. A quarter is kept for those
    /// that are `known`.
    pub(super) fn affords_aggressive(
        &self,
        address: IpAddr,
        known: bool,
        now: Duration,
        limits: &EndpointLimits,
    ) -> bool {
        let all = limits.aggressive_per_second;
        let kept = if known { 0 } else { all.div_euclid(4) };
        let network = network(address);
        let recent = self.aggressive.values();
        let recent = recent.filter(|(at, _)| is_recent(*at, now));
        let own = recent.clone().filter(|(_, from)| *from == network);
        recent.count() < all.saturating_sub(kept)
            && own.count() < limits.aggressive_per_second_per_prefix
    }

    /// Its peer has proved itself.
    pub(super) fn authenticated(&mut self, id: IkeId) {
        self.aggressive.remove(&id);
        self.remove(id);
    }

    /// Its answers arrive: from here on it counts among its equals.
    pub(super) fn proved(&mut self, id: IkeId) {
        let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.proved) else {
            return;
        };
        entry.proved = true;
        let address = entry.remote.ip();
        self.unproved.remove(id, address);
        self.proved.insert(id, address);
    }

    /// Whether it has still to show that our answers arrive, and the address that they go to.
    pub(super) fn unproved(&self, id: IkeId) -> Option<IpAddr> {
        let entry = self.entries.get(&id).filter(|entry| !entry.proved)?;
        Some(entry.remote.ip())
    }

    pub(super) fn remove(&mut self, id: IkeId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        self.crowd(entry.proved).remove(id, entry.remote.ip());
        if self.first.get(&(entry.cookie, entry.remote)) == Some(&id) {
            self.first.remove(&(entry.cookie, entry.remote));
        }
    }

    /// Whether the indexes say the same as the tables.
    pub(super) fn is_consistent(&self) -> bool {
        let again = |proved| {
            let mut crowd = Crowd::default();
            for (id, entry) in self.entries.iter().filter(|(_, e)| e.proved == proved) {
                crowd.insert(*id, entry.remote.ip());
            }
            crowd
        };
        self.unproved == again(false) && self.proved == again(true)
    }

    /// Whether so much is unfinished that a stranger from this address has to show first that it
    /// gets our answers.
    pub(super) fn wants_cookie(&self, address: IpAddr, limits: &EndpointLimits) -> bool {
        self.entries.len().saturating_add(1) >= limits.cookie_threshold.max(1)
            || self.unproved.from(address) >= limits.half_open_per_address
            || self.unproved.of_network(network(address)) >= limits.half_open_per_prefix
    }

    /// Which one makes room for another one from this address that is `proved` or not: its own
    /// address and network first.
    pub(super) fn crowded(
        &self,
        address: IpAddr,
        proved: bool,
        limits: &EndpointLimits,
    ) -> Option<IkeId> {
        let (crowd, per_address, per_prefix) = if proved {
            let limits = (
                limits.half_open_proved_per_address,
                limits.half_open_proved_per_prefix,
            );
            (&self.proved, limits.0, limits.1)
        } else {
            let limits = (limits.half_open_per_address, limits.half_open_per_prefix);
            (&self.unproved, limits.0, limits.1)
        };
        let network = network(address);
        if crowd.from(address) >= per_address.max(1) {
            crowd.by_address.of(address).next()
        } else if crowd.of_network(network) >= per_prefix.max(1) {
            crowd.oldest_of(network)
        } else {
            None
        }
    }

    /// Which one makes room for another one when there is none left: of the fullest network the
    /// oldest.
    ///
    /// What is proved and what is not have half of the room each where both want more: a flood from
    /// false addresses takes nothing from those that are proved, and a crowd of real ones does not
    /// keep those out that cannot be proved yet (IKEv1 has no cookies for its first message).
    pub(super) fn full(&self, limits: &EndpointLimits) -> Option<IkeId> {
        let most = limits.half_open.max(1);
        if self.entries.len() < most {
            return None;
        }
        let (unproved, proved) = (&self.unproved, &self.proved);
        let (first, second) = if unproved.len > most.div_euclid(2) {
            (unproved, proved)
        } else {
            (proved, unproved)
        };
        let victim = first.oldest_of_fullest();
        victim.or_else(|| second.oldest_of_fullest())
    }
}

fn is_recent(at: Duration, now: Duration) -> bool {
    now < at.saturating_add(PERIOD)
}

#[cfg(test)]
impl HalfOpen {
    fn ranks_are_empty(&self) -> bool {
        self.unproved == Crowd::default() && self.proved == Crowd::default()
    }
}

#[cfg(test)]
mod tests;
