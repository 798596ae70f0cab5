//! Who may start a negotiation, and how many may be unfinished at once.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crypto_suite::PrfId;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{Message, PayloadType};
use isakmp_wire::{Flags, Header};

use super::{Call, Endpoint};
use crate::config::Config;
#[cfg(feature = "v1")]
use crate::config::Phase1Mode;
use crate::core::effects::{Effect, TimerKey};
use crate::model::{CloseReason, DropReason, IkeId, IkeVersion, Outcome, Path};
use crate::peer::session::Session;
#[cfg(feature = "v1")]
use crate::v1;
use crate::v2;
use crate::v2::cookie::{CookieInput, Cookies};

/// How long a secret makes cookies; they are good for as long again.
const COOKIE_PERIOD: Duration = Duration::from_secs(60);

/// The peers that a first message from `address` may be from; at least one.
fn candidates(config: &Config, address: IpAddr, major: u8) -> Result<Vec<usize>, DropReason> {
    let (version, other) = if major == IkeVersion::V2.major() {
        (IkeVersion::V2, IkeVersion::V1)
    } else {
        (IkeVersion::V1, IkeVersion::V2)
    };
    if !config.respond {
        return Err(DropReason::UnknownPeer);
    }
    let found = config.peers_for(address, version);
    if !found.is_empty() {
        Ok(found)
    } else if config.peers_for(address, other).is_empty() {
        Err(DropReason::UnknownPeer)
    } else {
        Err(DropReason::PeerVersion(other))
    }
}

impl Call<'_> {
    /// A peer starts a negotiation.
    ///
    /// A flood of first messages must not lock honest peers out, with false addresses or from real
    /// ones: an older negotiation makes room for the newest, of the same address or network where
    /// those have more than their share. An honest peer needs to last one round trip.
    pub(super) fn admit(
        &mut self,
        path: Path,
        header: &Header,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        if self.endpoint.shut_down {
            return Err(DropReason::ShutDown);
        }
        let address = path.remote.ip();
        let candidates = candidates(&self.endpoint.config, address, header.version.major())?;
        if header.version.major() == IkeVersion::V2.major() {
            return self.admit_v2(&candidates, path, header, raw);
        }
        #[cfg(feature = "v1")]
        return self.admit_v1(candidates, path, header, raw);
        // No peer speaks IKEv1 then: `Config::validate` sees to it.
        #[cfg(not(feature = "v1"))]
        return Err(DropReason::Version {
            major: header.version.major(),
            minor: header.version.minor(),
        });
    }

    /// A peer starts main mode or aggressive mode.
    #[cfg(feature = "v1")]
    fn admit_v1(
        &mut self,
        mut candidates: Vec<usize>,
        path: Path,
        header: &Header,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        let config = &self.endpoint.config;
        let limits = config.limits;
        let address = path.remote.ip();
        let aggressive = header.exchange_type == ExchangeType::AGGRESSIVE;
        if aggressive {
            candidates.retain(|index| {
                let peer = config.peers.get(*index);
                peer.is_some_and(|p| p.mode == Phase1Mode::AggressiveExposingPskHash)
            });
            if candidates.is_empty() {
                return Err(DropReason::UnexpectedExchange(header.exchange_type));
            }
            // An identity that nobody here has is not answered: HASH_R is for known peers only.
            let identity = v1::claimed_identity(raw, &config.wire)?;
            candidates = config.by_identity(&candidates, &identity, address);
            if candidates.is_empty() {
                return Err(DropReason::UnknownIdentity(Box::new(identity)));
            }
            // Nothing shows that our answer arrives before its key exchange has cost us one, and
            // there is no cookie for it. A bound on what it costs is the best that can be done.
            if !self.affords_aggressive(address) {
                return Err(DropReason::Limit("aggressive modes a second"));
            }
        } else if header.exchange_type != ExchangeType::IDENTITY_PROTECTION {
            return Err(DropReason::UnknownCookies);
        }
        let standing = self.endpoint.world.standing.len();
        if standing >= limits.ike_sas {
            return Err(DropReason::Limit("IKE SAs"));
        }
        let id = IkeId(self.endpoint.world.handles.next());
        let ctx = &mut self.context_of(Some(IkeVersion::V1));
        let session = v1::Session::respond(ctx, id, &candidates, path, header, raw)?;
        let session = Session::V1(Box::new(session));
        self.make_room(address, false);
        self.endpoint.by_cookies.insert(session.head().spis, id);
        let half_open = &mut self.endpoint.half_open;
        half_open.insert(id, header.initiator_spi, path.remote, false);
        if aggressive {
            half_open.insert_aggressive(id, address, self.now);
        }
        self.endpoint.sessions.insert(id, session);
        self.context().touch(TimerKey::Ike(id));
        Ok(Outcome::Handled)
    }

    /// A peer starts IKE_SA_INIT.
    fn admit_v2(
        &mut self,
        candidates: &[usize],
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
        let limits = self.endpoint.config.limits;
        let wanted = (self.endpoint.half_open).wants_cookie(path.remote.ip(), &limits);
        let proved = self.check_cookie(path, header, raw, wanted)?;
        let id = IkeId(self.endpoint.world.handles.next());
        let ctx = &mut self.context_of(Some(IkeVersion::V2));
        let session = v2::Session::respond(ctx, id, candidates, path, (header, raw), proved);
        if let Err(DropReason::CookieWanted) = session {
            // RFC 7296 §2.6: whoever gets so long an answer has to show first that it gets any.
            self.check_cookie(path, header, raw, true)?;
        }
        let session = Session::V2(Box::new(session?));
        self.make_room(path.remote.ip(), proved);
        let spis = session.head().spis;
        self.endpoint.by_cookies.insert(spis, id);
        let half_open = &mut self.endpoint.half_open;
        half_open.insert(id, spis.0, path.remote, proved);
        self.endpoint.sessions.insert(id, session);
        self.context().touch(TimerKey::Ike(id));
        Ok(Outcome::Handled)
    }

    /// Whether an aggressive mode from this address may cost a key exchange now. Addresses of
    /// configured peers and of peers with an ISAKMP SA have a share that strangers do not get.
    fn affords_aggressive(&self, address: IpAddr) -> bool {
        let Endpoint {
            config,
            world,
            half_open,
            ..
        } = &*self.endpoint;
        let mut peers = config.peers.iter();
        let known = peers.any(|peer| peer.addresses.contains(&address))
            || world.standing.healing(address).is_some();
        half_open.affords_aggressive(address, known, self.now, &config.limits)
    }

    /// Whether a request brings its cookie back, which shows that our answers arrive. Where one is
    /// `wanted`, another request is answered with the cookie to bring (RFC 7296 §2.6), and nothing
    /// of it is kept.
    fn check_cookie(
        &mut self,
        path: Path,
        header: &Header,
        raw: &[u8],
        wanted: bool,
    ) -> Result<bool, DropReason> {
        // RFC 7296 §2.6: "include the COOKIE notification … as the first payload".
        if !wanted && header.next_payload != PayloadType::NOTIFY.0 {
            return Ok(false);
        }
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
            return Ok(true);
        }
        if !wanted {
            return Ok(false);
        }
        let cookie = cookies.make(&input, self.now, self.rng);
        if let Some(answer) = v2::challenge(header, raw.len(), cookie.as_ref()) {
            self.context().send(path, &answer);
        }
        Err(DropReason::CookieWanted)
    }

    /// Makes room for a negotiation from this address, which is `proved` or not.
    fn make_room(&mut self, address: IpAddr, proved: bool) {
        let limits = self.endpoint.config.limits;
        let half_open = &self.endpoint.half_open;
        let victim = half_open.crowded(address, proved, &limits);
        if let Some(victim) = victim.or_else(|| half_open.full(&limits)) {
            self.evict(victim);
            self.settle();
        }
    }

    /// A negotiation has shown that its answers arrive. It is bound with those that have, too.
    pub(super) fn address_proved(&mut self, id: IkeId) {
        let limits = self.endpoint.config.limits;
        let half_open = &mut self.endpoint.half_open;
        let Some(address) = half_open.unproved(id) else {
            return;
        };
        let victim = half_open.crowded(address, true, &limits);
        half_open.proved(id);
        if let Some(victim) = victim {
            self.evict(victim);
        }
    }

    fn evict(&mut self, victim: IkeId) {
        let evicted = Effect::Closed(victim, CloseReason::Evicted);
        self.context().effect(evicted);
    }
}
