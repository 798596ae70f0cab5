//! The table of pre-shared keys, looked up by the peer's address or identity.

use alloc::vec::Vec;
use core::net::IpAddr;

use crypto_suite::Secret;

use super::prefix::Prefix;
use crate::model::Identity;

/// Pre-shared keys by address prefix and by identity. The longest prefix wins.
#[derive(Debug, Default)]
pub struct PskTable {
    entries: Vec<PskEntry>,
}

#[derive(Debug)]
struct PskEntry {
    whose: PskOwner,
    key: Secret,
}

/// Whom a key is shared with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PskOwner {
    /// All peers with an address in the prefix. Main mode can look up by nothing else: the key is
    /// needed before the identity arrives.
    Prefix(Prefix),
    /// The peer with this identity: aggressive mode, and main mode as initiator.
    Identity(Identity),
}

/// A key that was found.
#[derive(Clone, Copy, Debug)]
pub struct PskMatch<'a> {
    /// The key.
    pub key: &'a Secret,
    /// Whom it is shared with.
    pub whose: &'a PskOwner,
}

impl PskMatch<'_> {
    /// Was the key entered for any address at all? Whoever knows it can pose as every peer.
    pub fn is_wildcard(&self) -> bool {
        matches!(self.whose, PskOwner::Prefix(p) if p.prefix_len() == 0)
    }
}

impl PskTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key, or replaces the one of the same owner.
    pub fn insert(&mut self, whose: PskOwner, key: Secret) {
        self.entries.retain(|e| e.whose != whose);
        self.entries.push(PskEntry { whose, key });
    }

    /// The key for a peer: by identity when one is known and listed, else by longest prefix.
    pub fn find(&self, address: IpAddr, identity: Option<&Identity>) -> Option<PskMatch<'_>> {
        let by_identity = self.entries.iter().find(
            |e| matches!(&e.whose, PskOwner::Identity(i) if identity.is_some_and(|id| i.is(id))),
        );
        let by_prefix = || {
            let fits =
                |e: &&PskEntry| matches!(&e.whose, PskOwner::Prefix(p) if p.contains(address));
            self.entries
                .iter()
                .filter(fits)
                .max_by_key(|e| match &e.whose {
                    PskOwner::Prefix(p) => p.prefix_len(),
                    PskOwner::Identity(_) => 0,
                })
        };
        by_identity.or_else(by_prefix).map(|e| PskMatch {
            key: &e.key,
            whose: &e.whose,
        })
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is there no key at all?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = (&PskOwner, &Secret)> {
        self.entries.iter().map(|e| (&e.whose, &e.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn ip(s: &str) -> IpAddr {
        s.parse().unwrap()
    }

    fn table() -> PskTable {
        let mut t = PskTable::new();
        let prefix = |a: &str, l| PskOwner::Prefix(Prefix::new(ip(a), l).unwrap());
        t.insert(prefix("0.0.0.0", 0), Secret::from(&b"any"[..]));
        t.insert(prefix("10.0.0.0", 8), Secret::from(&b"ten"[..]));
        t.insert(prefix("10.1.0.0", 16), Secret::from(&b"ten-one"[..]));
        t.insert(
            PskOwner::Identity(Identity::Fqdn("b.lab".into())),
            Secret::from(&b"b"[..]),
        );
        t
    }

    #[test]
    fn the_longest_prefix_wins_and_the_wildcard_is_flagged() {
        let t = table();
        let find = |a: &str| {
            t.find(ip(a), None)
                .map(|m| (m.key.as_ref().to_vec(), m.is_wildcard()))
        };
        assert_eq!(find("10.1.2.3"), Some((b"ten-one".to_vec(), false)));
        assert_eq!(find("10.2.2.3"), Some((b"ten".to_vec(), false)));
        assert_eq!(find("192.0.2.1"), Some((b"any".to_vec(), true)));
        assert_eq!(find("2001:db8::1"), None);
    }

    #[test]
    fn an_identity_goes_before_an_address() {
        let t = table();
        let id = Identity::Fqdn("b.lab".into());
        assert_eq!(
            t.find(ip("10.1.2.3"), Some(&id)).unwrap().key.as_ref(),
            b"b"
        );
        let other = Identity::Fqdn("c.lab".into());
        assert_eq!(
            t.find(ip("10.1.2.3"), Some(&other)).unwrap().key.as_ref(),
            b"ten-one"
        );
    }

    #[test]
    fn a_second_key_of_one_owner_replaces_the_first_and_debug_shows_none() {
        let mut t = table();
        t.insert(
            PskOwner::Prefix(Prefix::new(ip("10.0.0.0"), 8).unwrap()),
            Secret::from(&b"new"[..]),
        );
        assert_eq!(t.len(), 4);
        assert_eq!(t.find(ip("10.9.9.9"), None).unwrap().key.as_ref(), b"new");
        let shown = format!("{t:?}");
        assert!(
            !shown.contains("ten-one") && !shown.contains("110, 101, 119"),
            "{shown}"
        );
    }
}
