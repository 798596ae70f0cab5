//! The outer paths and their MTU: what one SA learns of a path holds for all that use it.

use crate::net::netlink::Netlink;
use esp::{Claimed, Overhead, PROBES, PathMtu, PathMtuChanged};
use ike_sm::Path;
use std::{collections::BTreeMap, net::IpAddr, time::Duration};

/// What a link takes that nobody can be asked about.
const ETHERNET: u16 = 1500;

/// The paths that SAs use.
#[derive(Debug, Default)]
pub struct Paths(BTreeMap<(IpAddr, IpAddr), PathMtu>);

impl Paths {
    /// An SA uses `path` from now on.
    pub fn using(&mut self, path: &Path) {
        self.0
            .entry(ends(path))
            .or_insert_with(|| PathMtu::new(media_mtu(path.local.ip()), path.local.is_ipv6()));
    }

    /// Forgets all paths but those in `used`.
    pub fn keep(&mut self, used: &[Path]) {
        self.0
            .retain(|known, _| used.iter().any(|path| ends(path) == *known));
    }

    /// MTU of the path, and of the link that it begins with, octets.
    #[must_use]
    pub fn mtu(&self, path: &Path) -> (u16, u16) {
        self.0
            .get(&ends(path))
            .map_or((ETHERNET, ETHERNET), |p| (p.mtu(), p.media_mtu()))
    }

    /// Somebody says what a router on the way takes, and shows nothing that only such a router knows: the MTU, and the
    /// length in the quoted UDP header.
    pub fn claim(
        &mut self,
        path: &Path,
        claim: (u16, u16),
        overhead: &Overhead,
        random: [u32; PROBES],
        now: Duration,
    ) -> Claimed {
        match self.0.get_mut(&ends(path)) {
            Some(known) => known.claim(claim, overhead, random, now),
            None => Claimed::Ignored,
        }
    }

    /// Probes to send now: the ends of the path and octets of payload.
    pub fn probes(&mut self, now: Duration) -> Vec<((IpAddr, IpAddr), usize)> {
        let each = self.0.iter_mut();
        each.flat_map(|(ends, path)| path.probes(now).map(|payload| (*ends, payload)))
            .collect()
    }

    /// A router on the way has said what it takes.
    pub fn learn(&mut self, path: &Path, mtu: u16, now: Duration) -> Option<PathMtuChanged> {
        self.0.get_mut(&ends(path))?.learn(mtu, now)
    }

    /// Forgets what is too old: the path and its change.
    pub fn age(&mut self, now: Duration) -> Vec<(IpAddr, PathMtuChanged)> {
        let aged = |((_, peer), path): (&(IpAddr, IpAddr), &mut PathMtu)| {
            path.handle(now).map(|changed| (*peer, changed))
        };
        self.0.iter_mut().filter_map(aged).collect()
    }

    /// When [`age`](Self::age) or [`probes`](Self::probes) has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.0.values().filter_map(PathMtu::next_deadline).min()
    }
}

/// The addresses of a path.
pub(super) fn ends(path: &Path) -> (IpAddr, IpAddr) {
    (path.local.ip(), path.remote.ip())
}

/// The MTU of the link with the address `local`.
fn media_mtu(local: IpAddr) -> u16 {
    let mtu = Netlink::open().and_then(|mut netlink| netlink.mtu_of(local));
    mtu.map_or(ETHERNET, |mtu| u16::try_from(mtu).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(remote: &str) -> Path {
        Path {
            local: "127.0.0.1:500".parse().unwrap(),
            remote: remote.parse().unwrap(),
            natt: false,
        }
    }

    #[test]
    fn what_is_learnt_of_a_path_holds_for_its_ports_and_ages() {
        let mut paths = Paths::default();
        let (one, other) = (path("192.0.2.2:500"), path("192.0.2.3:500"));
        paths.using(&one);
        paths.using(&other);
        assert_eq!(paths.mtu(&one), (u16::MAX, u16::MAX));
        let changed = paths.learn(&path("192.0.2.2:4500"), 1400, Duration::from_secs(1));
        assert_eq!(changed.map(|c| c.new), Some(1400));
        assert_eq!(paths.mtu(&one), (1400, u16::MAX));
        assert_eq!(paths.mtu(&other), (u16::MAX, u16::MAX));
        let due = paths.next_deadline().unwrap();
        assert_eq!(due, Duration::from_secs(1) + esp::DEFAULT_AGEING);
        assert_eq!(paths.age(due).len(), 1);
        assert_eq!(paths.mtu(&one), (u16::MAX, u16::MAX));
        paths.keep(&[other]);
        assert_eq!(paths.mtu(&one), (ETHERNET, ETHERNET));
    }
}
