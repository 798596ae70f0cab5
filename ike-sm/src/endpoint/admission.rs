//! Who may start a negotiation, and how many may be unfinished at once.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crypto_suite::PrfId;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::Message;
use isakmp_wire::{Flags, Header};

use super::Call;
use crate::action::CloseReason;
use crate::config::{IkeVersion, PeerConfig, Phase1Mode};
use crate::context::{Effect, TimerKey};
use crate::id::IkeId;
use crate::multimap::Multimap;
use crate::outcome::{DropReason, Outcome};
use crate::path::Path;
use crate::session::Session;
use crate::v2::cookie::{CookieInput, Cookies};
use crate::{v1, v2};

/// How long a secret makes cookies; they are good for as long again.
const COOKIE_PERIOD: Duration = Duration::from_secs(60);

/// Negotiations that others have started and that are not authenticated.
#[derive(Debug, Default)]
pub(super) struct HalfOpen {
    /// By what a repeated first message shows.
    first: BTreeMap<([u8; 8], SocketAddr), IkeId>,
    /// Handles grow, so the first entry is the oldest.
    entries: BTreeMap<IkeId, Entry>,
    /// Those of which nothing shows that our answers arrive.
    unproved: BTreeMap<IkeId, ()>,
    by_address: Multimap<IpAddr, IkeId>,
    unproved_by_address: Multimap<IpAddr, IkeId>,
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
        self.by_address.insert(remote.ip(), id);
        self.unproved_by_address.insert(remote.ip(), id);
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
        if let Some(entry) = self.entries.get(&id) {
            self.unproved_by_address.remove(entry.remote.ip(), id);
        }
    }

    pub(super) fn remove(&mut self, id: IkeId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        self.unproved.remove(&id);
        if self.first.get(&(entry.cookie, entry.remote)) == Some(&id) {
            self.first.remove(&(entry.cookie, entry.remote));
        }
        self.by_address.remove(entry.remote.ip(), id);
        self.unproved_by_address.remove(entry.remote.ip(), id);
    }

    /// Whether the indexes say the same as the tables.
    pub(super) fn is_consistent(&self) -> bool {
        let all = self.entries.iter().map(|(id, e)| (e.remote.ip(), *id));
        let unproved = |(_, id): &(IpAddr, IkeId)| self.unproved.contains_key(id);
        self.by_address == all.clone().collect()
            && self.unproved_by_address == all.filter(unproved).collect()
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
        let unproved = self.unproved_by_address.of(address).next();
        unproved.or_else(|| self.by_address.of(address).next())
    }

    /// How many from one address have shown nothing yet.
    fn unproved_from(&self, address: IpAddr) -> usize {
        self.unproved_by_address.of(address).count()
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
        if peer.version == IkeVersion::V2 {
            return self.admit_v2(index, path, header, raw);
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
        let session = Session::V1(Box::new(session));
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

    /// The same for IKEv2.
    fn admit_v2(
        &mut self,
        index: usize,
        path: Path,
        header: &Header,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        // RFC 7296 §2.2: the first request of an IKE SA has message ID 0.
        if header.exchange_type != ExchangeType::IKE_SA_INIT
            || header.flags.contains(Flags::RESPONSE)
            || !header.flags.contains(Flags::INITIATOR)
            || header.message_id != 0
        {
            return Err(DropReason::UnknownCookies);
        }
        if self.endpoint.world.standing.len() >= self.endpoint.config.limits.ike_sas {
            return Err(DropReason::Limit("IKE SAs"));
        }
        let proved = self.wants_cookie(path.remote.ip());
        if proved {
            self.check_cookie(path, header, raw)?;
        }
        let id = IkeId(self.endpoint.world.handles.next());
        let ctx = &mut self.context();
        let session = v2::Session::respond(ctx, id, index, path, header, raw)?;
        let session = Session::V2(Box::new(session));
        self.make_room(path.remote.ip());
        let spis = session.head().spis;
        self.endpoint.by_cookies.insert(spis, id);
        self.endpoint.half_open.insert(id, spis.0, path.remote);
        if proved {
            self.endpoint.half_open.proved(id);
        }
        self.endpoint.sessions.insert(id, session);
        self.context().touch(TimerKey::Ike(id));
        Ok(Outcome::Handled)
    }

    /// Whether so much is unfinished that a stranger from this address has to show first that it
    /// gets our answers.
    fn wants_cookie(&self, address: IpAddr) -> bool {
        let limits = self.endpoint.config.limits;
        let half_open = &self.endpoint.half_open;
        half_open.len().saturating_add(1) >= limits.cookie_threshold.max(1)
            || half_open.unproved_from(address) >= limits.half_open_per_address
    }

    /// Takes a request that brings its cookie back, and answers another one with the cookie to
    /// bring (RFC 7296 §2.6). Nothing of it is kept.
    fn check_cookie(&mut self, path: Path, header: &Header, raw: &[u8]) -> Result<(), DropReason> {
        let message = Message::parse(raw, &self.endpoint.config.wire);
        let message = message.map_err(DropReason::Malformed)?;
        let (ni, brought) = v2::presented(&message, &self.endpoint.config.wire)?;
        let input = CookieInput {
            source: path.remote,
            spi_i: &header.initiator_spi,
            ni,
        };
        let endpoint = &mut *self.endpoint;
        let cookies = match &mut endpoint.cookies {
            Some(cookies) => cookies,
            none => {
                let prf = endpoint.provider.prf(PrfId::HmacSha256);
                let prf = prf.or_else(|| endpoint.provider.prfs.first().copied());
                let prf = prf.ok_or(DropReason::Crypto)?;
                none.insert(Cookies::new(prf, COOKIE_PERIOD, self.now, self.rng))
            }
        };
        if brought.is_some_and(|cookie| cookies.check(cookie, &input, self.now)) {
            return Ok(());
        }
        let cookie = cookies.make(&input, self.now, self.rng);
        if let Some(answer) = v2::challenge(header, raw.len(), cookie.as_ref()) {
            self.context().send(path, &answer);
        }
        Err(DropReason::CookieWanted)
    }

    fn make_room(&mut self, address: IpAddr) {
        let limits = self.endpoint.config.limits;
        let half_open = &self.endpoint.half_open;
        let victim = if half_open.unproved_from(address) >= limits.half_open_per_address.max(1) {
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
