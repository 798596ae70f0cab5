//! The outer paths and their MTU: what one SA learns of a path holds for all that use it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use esp::{PathMtu, PathMtuChanged};
use ike_sm::Path;

/// Local and remote address of a path.
pub(crate) type PathEnds = (IpAddr, IpAddr);

/// The paths that pairs use.
#[derive(Debug)]
pub(crate) struct Paths {
    known: BTreeMap<PathEnds, Known>,
    /// Those of which something was learnt or claimed: the others have no deadline.
    watched: BTreeSet<PathEnds>,
    /// MTU of the links with these addresses of ours.
    links: BTreeMap<IpAddr, u16>,
    usual: u16,
}

#[derive(Debug)]
struct Known {
    mtu: PathMtu,
    /// Pairs that use it.
    users: usize,
}

impl Paths {
    pub(crate) const fn new(usual: u16) -> Self {
        Self {
            known: BTreeMap::new(),
            watched: BTreeSet::new(),
            links: BTreeMap::new(),
            usual,
        }
    }

    /// The link with our address `local` takes so many octets.
    pub(crate) fn set_link(&mut self, local: IpAddr, mtu: u16) {
        self.links.insert(local, mtu);
        for (ends, known) in &mut self.known {
            if ends.0 == local && known.mtu.media_mtu() != mtu {
                known.mtu = PathMtu::new(mtu, local.is_ipv6());
            }
        }
    }

    /// One more pair uses `path`.
    pub(crate) fn enter(&mut self, path: &Path) {
        let local = path.local.ip();
        let link = self.links.get(&local).copied().unwrap_or(self.usual);
        let known = self.known.entry(ends(path)).or_insert_with(|| Known {
            mtu: PathMtu::new(link, local.is_ipv6()),
            users: 0,
        });
        known.users = known.users.saturating_add(1);
    }

    /// One pair less uses `path`; without any, what was learnt of it is forgotten.
    pub(crate) fn leave(&mut self, path: &Path) {
        if let Some(known) = self.known.get_mut(&ends(path)) {
            known.users = known.users.saturating_sub(1);
            if known.users == 0 {
                self.known.remove(&ends(path));
                self.watched.remove(&ends(path));
            }
        }
    }

    /// MTU of the path, and of the link that it begins with, octets.
    pub(crate) fn mtu(&self, path: &Path) -> (u16, u16) {
        self.known
            .get(&ends(path))
            .map_or((self.usual, self.usual), |known| {
                (known.mtu.mtu(), known.mtu.media_mtu())
            })
    }

    /// The MTU of a path that something is about to be learnt or claimed of.
    pub(crate) fn watch(&mut self, path: &Path) -> Option<&mut PathMtu> {
        let known = self.known.get_mut(&ends(path))?;
        self.watched.insert(ends(path));
        Some(&mut known.mtu)
    }

    /// Probes to send now: the ends of the path and octets of payload.
    pub(crate) fn probes(&mut self, now: Duration) -> Vec<(PathEnds, usize)> {
        let known = &mut self.known;
        let each = self.watched.iter().filter_map(|ends| {
            let due = known.get_mut(ends)?.mtu.probes(now);
            Some(due.map(move |payload| (*ends, payload)))
        });
        each.flatten().collect()
    }

    /// Forgets what is too old: the paths and their changes.
    pub(crate) fn age(&mut self, now: Duration) -> Vec<(PathEnds, PathMtuChanged)> {
        let known = &mut self.known;
        let aged = |ends: &PathEnds| {
            let changed = known.get_mut(ends)?.mtu.handle(now)?;
            Some((*ends, changed))
        };
        let aged: Vec<_> = self.watched.iter().filter_map(aged).collect();
        let waits = |ends: &PathEnds| known.get(ends)?.mtu.next_deadline();
        self.watched.retain(|ends| waits(ends).is_some());
        aged
    }

    /// When [`age`](Self::age) or [`probes`](Self::probes) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let each = self.watched.iter();
        each.filter_map(|ends| self.known.get(ends)?.mtu.next_deadline())
            .map(|deadline| deadline.at)
            .min()
    }
}

/// The addresses of a path.
pub(crate) const fn ends(path: &Path) -> PathEnds {
    (path.local.ip(), path.remote.ip())
}

#[cfg(test)]
mod tests;
