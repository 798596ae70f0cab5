//! How often passwords may be tried, over all IKE SAs together.
//!
//! RFC 2759 gives whoever asks one guess per exchange, and each IKE SA brings new exchanges: only a count
//! beyond the IKE SA bounds guessing. Three counts are kept, of a user from one source, of a source, and
//! of a user. The first is the strictest: a stranger elsewhere cannot use it up. The last one, which a
//! stranger can, is wide, recovers in seconds, and does not hold for a source from which the user has
//! shown its password. A guess beyond a count waits; one that would have to wait long is refused unseen,
//! whether the user is known here or not.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use crate::config::{GuessLimits, GuessRate};

/// Counts that are kept. Beyond them the one that is nearest to being empty gives way.
const MAX_COUNTS: usize = 4096;

/// Sources that users have shown their passwords from. Beyond them the oldest gives way.
const MAX_PROVED: usize = 4096;

/// Octets of a user name that tell users apart.
const MAX_NAME: usize = 64;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    UserAt(String, IpAddr),
    Source(IpAddr),
    User(String),
}

/// What becomes of a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is looked at then.
    At(Duration),
    /// There were too many.
    Refused,
}

/// The counts of an endpoint.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    /// Until when the guesses so far use a count up, at its rate.
    counts: BTreeMap<Key, Duration>,
    /// The same by time.
    by_time: BTreeSet<(Duration, Key)>,
    /// Where users have shown their passwords, and when.
    proved: BTreeMap<(String, IpAddr), Duration>,
    proved_by_time: BTreeSet<(Duration, (String, IpAddr))>,
}

impl Guesses {
    /// Counts a guess; `user` is `None` before it has a name. It is counted whether it turns out right
    /// or not, so that guesses beside each other are bounded too; [`Self::right`] takes it back.
    pub(crate) fn admit(
        &mut self,
        now: Duration,
        user: Option<&str>,
        source: IpAddr,
        limits: &GuessLimits,
    ) -> Admission {
        let keys = self.keys(user, source, limits);
        let wait = |(key, rate): &(Key, GuessRate)| {
            let used = self
                .counts
                .get(key)
                .map_or(Duration::ZERO, |until| until.saturating_sub(now));
            used.saturating_sub(rate.interval.saturating_mul(rate.burst.saturating_sub(1)))
        };
        let wait = keys.iter().map(wait).max().unwrap_or_default();
        if wait > limits.longest_wait {
            return Admission::Refused;
        }
        for (key, rate) in keys {
            let until = self.counts.get(&key).copied().unwrap_or_default().max(now);
            self.set(now, key, until.saturating_add(rate.interval));
        }
        Admission::At(now.saturating_add(wait))
    }

    /// A guess was right: it does not count, and the user is at home at this source.
    pub(crate) fn right(
        &mut self,
        now: Duration,
        user: Option<&str>,
        source: IpAddr,
        limits: &GuessLimits,
    ) {
        for (key, rate) in self.keys(user, source, limits) {
            let until = self.counts.get(&key).copied().unwrap_or_default();
            let until = match key {
                Key::UserAt(..) => Duration::ZERO,
                Key::Source(_) | Key::User(_) => until.saturating_sub(rate.interval),
            };
            self.set(now, key, until);
        }
        if let Some(user) = user {
            self.prove(now, (folded(user), area(source)));
        }
    }

    fn keys(
        &self,
        user: Option<&str>,
        source: IpAddr,
        limits: &GuessLimits,
    ) -> alloc::vec::Vec<(Key, GuessRate)> {
        let source = area(source);
        let mut keys = alloc::vec![(Key::Source(source), limits.source)];
        if let Some(user) = user {
            let user = folded(user);
            keys.push((Key::UserAt(user.clone(), source), limits.user_at_source));
            if !self.proved.contains_key(&(user.clone(), source)) {
                keys.push((Key::User(user), limits.user));
            }
        }
        keys
    }

    fn set(&mut self, now: Duration, key: Key, until: Duration) {
        if let Some(before) = self.counts.remove(&key) {
            self.by_time.remove(&(before, key.clone()));
        }
        // What is empty needs no place.
        while let Some((first, _)) = self.by_time.first()
            && (*first <= now || self.counts.len() >= MAX_COUNTS)
            && let Some((_, key)) = self.by_time.pop_first()
        {
            self.counts.remove(&key);
        }
        if until > now {
            self.counts.insert(key.clone(), until);
            self.by_time.insert((until, key));
        }
    }

    fn prove(&mut self, now: Duration, home: (String, IpAddr)) {
        if let Some(before) = self.proved.insert(home.clone(), now) {
            self.proved_by_time.remove(&(before, home.clone()));
        }
        self.proved_by_time.insert((now, home));
        while self.proved.len() > MAX_PROVED
            && let Some((_, oldest)) = self.proved_by_time.pop_first()
        {
            self.proved.remove(&oldest);
        }
    }
}

/// A user name for counting: all spellings that may be one user's come to one. MS-CHAPv2 leaves out what
/// stands before a backslash (RFC 2759 §4), and servers compare without case.
fn folded(user: &str) -> String {
    let name = user.rsplit('\\').next().unwrap_or(user);
    name.chars()
        .take(MAX_NAME)
        .flat_map(char::to_lowercase)
        .collect()
}

/// Addresses that one customer of a provider commonly has: a /24 or a /56.
fn area(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(a) => IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & !0xff)),
        IpAddr::V6(a) => IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & (u128::MAX << 72))),
    }
}

#[cfg(test)]
mod tests;
