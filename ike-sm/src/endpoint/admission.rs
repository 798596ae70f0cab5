//! Who may start a negotiation, and how many may be unfinished at once.

use alloc::collections::BTreeMap;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use isakmp_wire::Header;
use isakmp_wire::registry::ExchangeType;

use super::Call;
use crate::action::CloseReason;
use crate::config::{PeerConfig, Phase1Mode};
use crate::context::{Effect, TimerKey};
use crate::id::IkeId;
use crate::outcome::{DropReason, Outcome};
use crate::path::Path;
use crate::session::Session;
use crate::v1;

/// Negotiations that others have started and that are not authenticated.
#[derive(Debug, Default)]
pub(super) struct HalfOpen {
    /// By what a repeated first message shows.
    first: BTreeMap<([u8; 8], SocketAddr), IkeId>,
    /// Handles grow, so the first entry is the oldest.
    entries: BTreeMap<IkeId, Entry>,
    /// Those of which nothing shows that our answers arrive.
    unproved: BTreeMap<IkeId, ()>,
    per_address: BTreeMap<IpAddr, BTreeMap<IkeId, ()>>,
    /// When aggressive modes of strangers came, those that have ended without proof included: what
    /// they have cost is not undone.
    aggressive: BTreeMap<IkeId, Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    cookie: [u8; 8],
    remote: SocketAddr,
}

impl HalfOpen {
    /// The negotiation that a first message with this cookie from this address belongs to.
    pub(super) fn find(&self, cookie: [u8; 8], remote: SocketAddr) -> Option<IkeId> {
        self.first.get(&(cookie, remote)).copied()
    }

    pub(super) fn insert(&mut self, id: IkeId, cookie: [u8; 8], remote: SocketAddr) {
        self.first.insert((cookie, remote), id);
        self.entries.insert(id, Entry { cookie, remote });
        self.unproved.insert(id, ());
        self.per_address
            .entry(remote.ip())
            .or_default()
            .insert(id, ());
    }

    /// An aggressive mode was answered. What came before `since` is forgotten.
    fn insert_aggressive(&mut self, id: IkeId, now: Duration, since: Duration) {
        self.aggressive.retain(|_, at| *at > since);
        self.aggressive.insert(id, now);
    }

    fn aggressive_since(&self, since: Duration) -> usize {
        self.aggressive.values().filter(|at| **at > since).count()
    }

    /// Its peer has proved itself.
    pub(super) fn authenticated(&mut self, id: IkeId) {
        self.aggressive.remove(&id);
        self.remove(id);
    }

    /// Its answers arrive: it is not the first to be evicted any more.
    pub(super) fn proved(&mut self, id: IkeId) {
        self.unproved.remove(&id);
    }

    pub(super) fn remove(&mut self, id: IkeId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        self.unproved.remove(&id);
        if self.first.get(&(entry.cookie, entry.remote)) == Some(&id) {
            self.first.remove(&(entry.cookie, entry.remote));
        }
        let address = entry.remote.ip();
        if let Some(ids) = self.per_address.get_mut(&address) {
            ids.remove(&id);
            if ids.is_empty() {
                self.per_address.remove(&address);
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn oldest(&self) -> Option<IkeId> {
        let unproved = self.unproved.keys().next();
        unproved.or_else(|| self.entries.keys().next()).copied()
    }

    fn oldest_from(&self, address: IpAddr) -> Option<IkeId> {
        let ids = self.per_address.get(&address)?;
        let unproved = ids.keys().find(|id| self.unproved.contains_key(id));
        unproved.or_else(|| ids.keys().next()).copied()
    }

    fn count_from(&self, address: IpAddr) -> usize {
        self.per_address.get(&address).map_or(0, BTreeMap::len)
    }
}

impl Call<'_> {
    /// A peer starts a negotiation.
    ///
    /// A flood of first messages with false addresses must not lock honest peers out: the oldest
    /// negotiation that has shown nothing yet makes room for the newest. An honest peer needs to
    /// last one round trip.
    pub(super) fn admit(
        &mut self,
        path: Path,
        header: &Header,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        if self.endpoint.shut_down {
            return Err(DropReason::ShutDown);
        }
        let config = &self.endpoint.config;
        let limits = config.limits;
        let address = path.remote.ip();
        let peer = config.peer_for(address).filter(|_| config.respond);
        let (mut index, peer) = peer.ok_or(DropReason::UnknownPeer)?;
        if peer.version.major() != header.version.major() {
            return Err(DropReason::PeerVersion(peer.version));
        }
        let since = self.now.saturating_sub(limits.half_open_time);
        let aggressive = header.exchange_type == ExchangeType::AGGRESSIVE;
        if aggressive {
            let allowed = |p: &PeerConfig| p.mode == Phase1Mode::AggressiveExposingPskHash;
            let mut peers = config.peers.iter();
            if !peers.any(|p| allowed(p) && p.covers(address).is_some()) {
                return Err(DropReason::UnexpectedExchange(header.exchange_type));
            }
            // An identity that nobody here has is not answered: HASH_R is for known peers only.
            let identity = v1::claimed_identity(raw, &config.wire)?;
            let meant = config.aggressive_peer_for(address, &identity);
            (index, _) = meant.ok_or(DropReason::UnknownPeer)?;
            if self.endpoint.half_open.aggressive_since(since) >= limits.half_open_aggressive {
                return Err(DropReason::Limit("half-open aggressive modes"));
            }
        } else if header.exchange_type != ExchangeType::IDENTITY_PROTECTION {
            return Err(DropReason::UnknownCookies);
        }
        let standing = self.endpoint.world.standing.len();
        if standing >= limits.ike_sas {
            return Err(DropReason::Limit("IKE SAs"));
        }
        let id = IkeId(self.endpoint.world.handles.next());
        let session = v1::Session::respond(&mut self.context(), id, index, path, header, raw)?;
        let session = Session::V1(session);
        self.make_room(address);
        self.endpoint.by_cookies.insert(session.head().spis, id);
        self.endpoint
            .half_open
            .insert(id, header.initiator_spi, path.remote);
        if aggressive {
            let half_open = &mut self.endpoint.half_open;
            half_open.insert_aggressive(id, self.now, since);
        }
        self.endpoint.sessions.insert(id, session);
        self.context().touch(TimerKey::Ike(id));
        Ok(Outcome::Handled)
    }

    fn make_room(&mut self, address: IpAddr) {
        let limits = self.endpoint.config.limits;
        let half_open = &self.endpoint.half_open;
        let victim = if half_open.count_from(address) >= limits.half_open_per_address.max(1) {
            half_open.oldest_from(address)
        } else if half_open.len() >= limits.half_open.max(1) {
            half_open.oldest()
        } else {
            None
        };
        if let Some(victim) = victim {
            self.context()
                .effect(Effect::Closed(victim, CloseReason::Evicted));
            self.settle();
        }
    }
}
