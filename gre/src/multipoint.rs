//! The next-hop table of a multipoint tunnel: which NBMA address carries a tunnel address.
//!
//! Entries are static, or learned by a resolution protocol such as NHRP (RFC 2332), which finds
//! here what it needs: [`NextHops::learn`] for a registration or resolution,
//! [`Lookup::Unresolved`] as the moment to send a request, [`NextHops::next_deadline`] for the
//! holding time.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use core::net::IpAddr;
use core::time::Duration;

use crate::{Actions, Deadline, DeadlineReason};

/// The next-hop table of one multipoint tunnel.
#[derive(Debug, Clone)]
pub struct NextHops {
    entries: BTreeMap<IpAddr, Entry>,
    /// Deadlines of learned entries, soonest first.
    expiries: BTreeSet<(Duration, IpAddr)>,
    multicast: BTreeSet<IpAddr>,
    max_entries: usize,
    next_hop_server: Option<IpAddr>,
}

/// An entry of the table: where a tunnel address is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The address of the delivery header.
    pub nbma: IpAddr,
    /// Whether the entry was configured or learned.
    pub origin: Origin,
}

/// How the table came to know an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The entry was configured, and stays until it is removed.
    Static,
    /// The entry was learned, and is forgotten at a time.
    Learned {
        /// When the holding time is over, on the caller's clock.
        until: Duration,
    },
}

/// What the table says to a tunnel address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Send the packet to this NBMA address.
    Found(IpAddr),
    /// Unknown: send it by way of the next-hop server, and resolve the address meanwhile.
    Unresolved {
        /// NBMA address of the next-hop server.
        via: IpAddr,
    },
    /// The address is unknown, and no next-hop server is configured or known.
    Unknown,
}

/// What the embedder learns of a table that time has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// A learned entry is no longer in the table: remove what was set up for it, or resolve the
    /// address again.
    Forgotten {
        /// The address inside the tunnel.
        tunnel: IpAddr,
        /// What the table knew of it.
        entry: Entry,
    },
}

/// A change the table does not take. It is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The table holds as many entries as it may.
    #[error("the table holds {0} entries, its limit")]
    Full(usize),
    /// A learned entry for a configured address.
    #[error("{0} is configured")]
    Configured(IpAddr),
}

impl NextHops {
    /// An empty table for at most `max_entries` unicast and as many multicast entries.
    #[must_use]
    pub const fn new(max_entries: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            expiries: BTreeSet::new(),
            multicast: BTreeSet::new(),
            max_entries,
            next_hop_server: None,
        }
    }

    /// Sets the next-hop server, by its tunnel address, whose entry is looked up when needed.
    pub const fn set_next_hop_server(&mut self, tunnel: Option<IpAddr>) {
        self.next_hop_server = tunnel;
    }

    /// Maps `tunnel` to `nbma` until removed, in place of a learned entry.
    ///
    /// # Errors
    /// [`TableError::Full`].
    pub fn add_static(&mut self, tunnel: IpAddr, nbma: IpAddr) -> Result<(), TableError> {
        self.check_room(tunnel)?;
        self.forget_expiry(tunnel);
        self.entries.insert(
            tunnel,
            Entry {
                nbma,
                origin: Origin::Static,
            },
        );
        Ok(())
    }

    /// Maps `tunnel` to `nbma` for `holding_time`, new or again.
    ///
    /// # Errors
    /// [`TableError::Configured`] for a static entry, [`TableError::Full`].
    pub fn learn(
        &mut self,
        tunnel: IpAddr,
        nbma: IpAddr,
        holding_time: Duration,
        now: Duration,
    ) -> Result<(), TableError> {
        if self
            .entries
            .get(&tunnel)
            .is_some_and(|entry| entry.origin == Origin::Static)
        {
            return Err(TableError::Configured(tunnel));
        }
        self.check_room(tunnel)?;
        self.forget_expiry(tunnel);
        let until = now.saturating_add(holding_time);
        self.expiries.insert((until, tunnel));
        self.entries.insert(
            tunnel,
            Entry {
                nbma,
                origin: Origin::Learned { until },
            },
        );
        Ok(())
    }

    /// Forgets the entry of `tunnel`, static or learned, and returns it.
    pub fn remove(&mut self, tunnel: IpAddr) -> Option<Entry> {
        self.forget_expiry(tunnel);
        self.entries.remove(&tunnel)
    }

    /// Where to send a packet for `tunnel`, a unicast address.
    #[must_use]
    pub fn lookup(&self, tunnel: IpAddr) -> Lookup {
        if let Some(entry) = self.entries.get(&tunnel) {
            return Lookup::Found(entry.nbma);
        }
        let server = self
            .next_hop_server
            .and_then(|server| self.entries.get(&server));
        server.map_or(Lookup::Unknown, |server| Lookup::Unresolved {
            via: server.nbma,
        })
    }

    /// Whether packets from `nbma` belong to this tunnel: some entry names it.
    #[must_use]
    pub fn knows_nbma(&self, nbma: IpAddr) -> bool {
        self.entries.values().any(|entry| entry.nbma == nbma) || self.multicast.contains(&nbma)
    }

    /// Adds an NBMA address that gets a copy of every multicast packet.
    ///
    /// # Errors
    /// [`TableError::Full`].
    pub fn add_multicast(&mut self, nbma: IpAddr) -> Result<(), TableError> {
        if self.multicast.len() >= self.max_entries && !self.multicast.contains(&nbma) {
            return Err(TableError::Full(self.max_entries));
        }
        self.multicast.insert(nbma);
        Ok(())
    }

    /// Ends the copies for `nbma`; returns whether there were any.
    pub fn remove_multicast(&mut self, nbma: IpAddr) -> bool {
        self.multicast.remove(&nbma)
    }

    /// The NBMA addresses that get a copy of a multicast packet.
    pub fn multicast(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.multicast.iter().copied()
    }

    /// All unicast entries, by tunnel address.
    pub fn entries(&self) -> impl Iterator<Item = (IpAddr, Entry)> + '_ {
        self.entries.iter().map(|(tunnel, entry)| (*tunnel, *entry))
    }

    /// When [`handle`](Self::handle) next has an entry to forget.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.expiries.first().map(|(until, _)| Deadline {
            at: *until,
            why: DeadlineReason::HoldingTime,
        })
    }

    /// Forgets the learned entries whose holding time is over at `now`, with an action for each.
    /// The passing of time is the only event of a table, and before its deadline nothing happens.
    pub fn handle(&mut self, now: Duration, actions: &mut Actions<Action>) {
        while let Some((_, tunnel)) = self.expiries.first().filter(|(until, _)| *until <= now) {
            let tunnel = *tunnel;
            self.expiries.pop_first();
            if let Some(entry) = self.entries.remove(&tunnel) {
                actions.push(Action::Forgotten { tunnel, entry });
            }
        }
    }

    fn check_room(&self, tunnel: IpAddr) -> Result<(), TableError> {
        if self.entries.len() >= self.max_entries && !self.entries.contains_key(&tunnel) {
            return Err(TableError::Full(self.max_entries));
        }
        Ok(())
    }

    fn forget_expiry(&mut self, tunnel: IpAddr) {
        if let Some(Entry {
            origin: Origin::Learned { until },
            ..
        }) = self.entries.get(&tunnel)
        {
            self.expiries.remove(&(*until, tunnel));
        }
    }
}

#[cfg(test)]
mod tests;
