//! The endpoint: which SA a datagram belongs to, how many there may be, and what one SA's progress
//! means to the others.

mod admission;
mod commands;
mod effects;
mod half_open;
mod lingering;
mod status;
mod strangers;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crypto_suite::Provider;
use isakmp_wire::Header;
use rand_core::CryptoRng;

use self::half_open::HalfOpen;
use self::lingering::Lingering;
use self::strangers::Budget;
use crate::child::{self, Child, Children};
use crate::config::{Config, ConfigError};
use crate::context::{Context, World};
use crate::core::effects::TimerKey;
use crate::core::timers::{Deadline, TimerQueue};
use crate::event::{Actions, Answer, Event, Traffic, What};
use crate::model::{ChildId, DropReason, IkeId, IkeVersion, Outcome, Path, Role, Ticket};
use crate::peer::attempts::PeerState;
use crate::peer::session::Session;
use crate::peer::standing::Standing;
use crate::v2::cookie::Cookies;

pub use status::{
    AgreedPolicy, Capabilities, ChildPhase, ChildStatus, EstablishedStatus, IkeStatus,
};

/// All IKE SAs of one host, fed with events.
///
/// One call takes one event and gives everything that follows from it; nothing is queued inside.
/// Three laws hold: after a deadline was handled at `now`, the next one is later than `now`; an
/// event that is [dropped](Outcome::Dropped) leaves every SA as it was; the same events, times and
/// random bytes give the same actions.
pub struct Endpoint {
    config: Config,
    provider: &'static Provider,
    sessions: BTreeMap<IkeId, Session>,
    /// Both cookies or SPIs of an IKE SA, initiator's first.
    by_cookies: BTreeMap<([u8; 8], [u8; 8]), IkeId>,
    /// Our own cookies of SAs whose responder has not answered.
    by_own_cookie: BTreeMap<[u8; 8], IkeId>,
    /// Negotiations that others have started and not finished.
    half_open: HalfOpen,
    /// IKE SAs that are over and repeat their last answers.
    lingering: Lingering,
    /// Cookies of IKEv2, from the first that was needed.
    cookies: Option<Cookies>,
    /// What may still be said to senders that nothing is known of.
    strangers: Budget,
    peers: Vec<PeerState>,
    timers: TimerQueue<TimerKey>,
    world: World,
    shut_down: bool,
}

impl Endpoint {
    /// An endpoint without SAs.
    ///
    /// # Errors
    /// What [`Config::validate`] finds.
    pub fn new(config: Config, provider: &'static Provider) -> Result<Self, ConfigError> {
        config.validate(provider)?;
        let peers = config.peers.iter().map(|_| PeerState::default()).collect();
        Ok(Self {
            config,
            provider,
            sessions: BTreeMap::new(),
            by_cookies: BTreeMap::new(),
            by_own_cookie: BTreeMap::new(),
            half_open: HalfOpen::default(),
            lingering: Lingering::default(),
            cookies: None,
            strangers: Budget::default(),
            peers,
            timers: TimerQueue::default(),
            world: World::default(),
            shut_down: false,
        })
    }

    /// What it was configured with.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// When to come back with [`Event::Deadline`], if nothing happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.timers.first()
    }

    /// Whether a question is open: it is not once it was answered, its time is over, or what asked it
    /// has gone. Its answer is not worth computing any more then.
    #[must_use]
    pub fn is_asked(&self, ticket: Ticket) -> bool {
        self.world.questions.asker(ticket).is_some()
    }

    /// Whether an open question is on behalf of a peer that has started a negotiation and not proved
    /// who it is: what anybody can make the embedder do. An embedder with more to do than it can do
    /// drops these first.
    #[must_use]
    pub fn is_unproved(&self, ticket: Ticket) -> bool {
        let asker = self.world.questions.asker(ticket);
        asker.is_some_and(|asker| {
            let session = self.sessions.get(&asker.ike);
            session.is_some_and(|s| s.head().role == Role::Responder)
                && !self.world.standing.contains(asker.ike)
        })
    }

    /// The earliest deadline of all objects, as each of them has it, for tests. No interface.
    ///
    /// What [`next_deadline`](Self::next_deadline) gives is never earlier than the law of progress
    /// allows. An object whose own deadline stays in the past would be served, to no end, each
    /// millisecond.
    #[doc(hidden)]
    #[must_use]
    pub fn own_deadline(&self) -> Option<Deadline> {
        let sessions = self.sessions.values().filter_map(Session::deadline);
        let children = self.world.children.iter();
        let children = children.filter_map(Child::deadline);
        let peers = self.peers.iter().filter_map(PeerState::deadline);
        let all = sessions.chain(children).chain(peers);
        all.min_by_key(|deadline| (deadline.at, deadline.why))
    }

    /// Everything it holds besides its configuration and its keys, for tests that compare two
    /// states. The format is no interface.
    #[doc(hidden)]
    #[must_use]
    pub fn state(&self) -> impl fmt::Debug + '_ {
        (
            (&self.sessions, &self.by_cookies, &self.by_own_cookie),
            (&self.half_open, &self.peers, &self.timers, &self.world),
            (&self.lingering, self.shut_down),
        )
    }

    /// Whether its indexes say the same as its tables, for tests. No interface.
    #[doc(hidden)]
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let world = &self.world;
        let stands = |(ike, standing): (IkeId, &Standing)| {
            let session = self.sessions.get(&ike);
            let address = session.map(|s| s.head().path.remote.ip());
            address.is_some_and(|now| standing.healed_at.is_none_or(|known| known == now))
        };
        world.standing.is_consistent()
            && world.standing.iter().all(stands)
            && world.children.is_consistent()
            && world.questions.is_consistent()
            && self.sessions.values().all(Session::is_consistent)
            && self.half_open.is_consistent()
            && self.lingering.is_consistent()
    }

    /// What one table holds and no SA accounts for, while nothing is under way: for tests that look
    /// for leaks. The words are no interface.
    #[doc(hidden)]
    #[must_use]
    pub fn leftovers(&self) -> Vec<&'static str> {
        let world = &self.world;
        let known = |id: &IkeId| self.sessions.contains_key(id);
        let up = |id: &IkeId| self.sessions.get(id).is_some_and(|s| !s.is_gone());
        let timed = |key: &TimerKey| match key {
            TimerKey::Ike(id) => known(id),
            TimerKey::Child(id) => world.children.get(*id).is_some(),
            TimerKey::Peer(_) => true,
        };
        let mut all = Vec::new();
        let mut expect = |holds: bool, what| {
            if !holds {
                all.push(what);
            }
        };
        expect(world.children.spis_match(), "SPIs");
        expect(
            world.children.iter().all(|c| up(&c.ike)),
            "children without an IKE SA",
        );
        expect(self.by_cookies.values().all(known), "cookies");
        expect(self.by_own_cookie.values().all(up), "own cookies");
        let mut standing = world.standing.iter();
        expect(standing.all(|(id, _)| up(&id)), "standing IKE SAs");
        let live = self.sessions.values().filter(|s| !s.is_gone());
        expect(
            live.count() == world.standing.len(),
            "IKE SAs that do not stand",
        );
        expect(self.timers.keys().all(timed), "timers");
        expect(world.questions.is_empty(), "questions");
        let stuck = |(index, state): (usize, &PeerState)| {
            let comes = |config| {
                let mut sessions = self.sessions.values();
                sessions.any(|s| s.head().peer == index && s.negotiates(config))
            };
            !self
                .config
                .peers
                .get(index)
                .is_none_or(|p| p.addresses.is_empty())
                && !self.shut_down
                && state.is_stuck(comes)
        };
        let mut peers = self.peers.iter().enumerate();
        expect(!peers.any(stuck), "children that nobody goes on with");
        let mut sessions = self.sessions.values().filter_map(Session::v2);
        expect(
            sessions.all(|session| session.successors.is_empty()),
            "IKE SAs that nobody took in",
        );
        all
    }

    /// Takes in one event at the time `now` and appends what follows from it to `actions`.
    pub fn handle(
        &mut self,
        event: Event<'_>,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions,
    ) -> Outcome {
        let is_deadline = matches!(event, Event::Deadline);
        let handles = self.world.handles.clone();
        let (path, version) = match &event {
            Event::Datagram { path, message } => {
                let header = Header::read(message).ok();
                let is = |version: &IkeVersion| {
                    header.is_some_and(|h| h.version.major() == version.major())
                };
                (
                    Some(*path),
                    [IkeVersion::V1, IkeVersion::V2].into_iter().find(is),
                )
            }
            _ => (None, None),
        };
        let mut call = Call {
            endpoint: self,
            now,
            rng,
            actions,
        };
        let outcome = match call.event(event) {
            Ok(outcome) => outcome,
            Err(reason) => {
                // No handle has left: none is used up.
                call.endpoint.world.handles = handles;
                let mut ctx = call.context_of(version);
                ctx.note(
                    None,
                    What::Dropped {
                        path,
                        reason: reason.clone(),
                    },
                );
                Outcome::Dropped(reason)
            }
        };
        call.settle();
        self.schedule(now, is_deadline);
        outcome
    }

    /// Brings the deadlines of all touched objects up to date.
    fn schedule(&mut self, now: Duration, is_deadline: bool) {
        // The law of progress holds by construction.
        let earliest = if is_deadline {
            now.saturating_add(Duration::from_millis(1))
        } else {
            Duration::ZERO
        };
        for key in core::mem::take(&mut self.world.touched) {
            let deadline = match key {
                TimerKey::Ike(id) => self.sessions.get(&id).and_then(Session::deadline),
                TimerKey::Child(id) => self.world.children.get(id).and_then(Child::deadline),
                TimerKey::Peer(index) => self.peers.get(index).and_then(PeerState::deadline),
            };
            let deadline = deadline.map(|d| Deadline {
                at: d.at.max(earliest),
                why: d.why,
            });
            self.timers.set(key, deadline);
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("ike_sas", &self.sessions.len())
            .field("children", &self.world.children.iter().count())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}

/// One call of [`Endpoint::handle`].
struct Call<'a> {
    endpoint: &'a mut Endpoint,
    now: Duration,
    rng: &'a mut dyn CryptoRng,
    actions: &'a mut Actions,
}

impl Call<'_> {
    /// What sessions work with.
    fn context(&mut self) -> Context<'_> {
        Context {
            config: &self.endpoint.config,
            provider: self.endpoint.provider,
            now: self.now,
            version: None,
            rng: self.rng,
            actions: self.actions,
            world: &mut self.endpoint.world,
        }
    }

    /// The same for what is about one version of IKE.
    fn context_of(&mut self, version: Option<IkeVersion>) -> Context<'_> {
        Context {
            version,
            ..self.context()
        }
    }

    /// Runs `work` on a session, if there is such a one.
    fn with<R>(
        &mut self,
        id: IkeId,
        work: impl FnOnce(&mut Session, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let session = self.endpoint.sessions.get_mut(&id)?;
        let mut ctx = Context {
            config: &self.endpoint.config,
            provider: self.endpoint.provider,
            now: self.now,
            version: Some(session.version()),
            rng: self.rng,
            actions: self.actions,
            world: &mut self.endpoint.world,
        };
        ctx.touch(TimerKey::Ike(id));
        Some(work(session, &mut ctx))
    }

    fn event(&mut self, event: Event<'_>) -> Result<Outcome, DropReason> {
        match event {
            Event::Datagram { path, message } => {
                let taken = self.datagram(path, message);
                taken.inspect_err(|reason| self.tell_stranger(path, message, reason))
            }
            Event::Deadline => self.deadline(),
            Event::Answer(ticket, answer) => self.answer(ticket, answer),
            Event::Command(command) => self.command(command),
            Event::Traffic(child, traffic) => self.traffic(child, traffic),
            Event::Moved(child, remote) => {
                let ike = self.endpoint.world.children.get(child).map(|c| c.ike);
                let ike = ike.ok_or(DropReason::NoSuchObject)?;
                self.with(ike, |session, ctx| session.moved(ctx, remote))
                    .unwrap_or(Err(DropReason::NoSuchObject))
                    .map(|()| Outcome::Handled)
            }
            Event::UnknownSpi {
                remote,
                protocol,
                spi,
            } => self.unknown_spi(remote, protocol, spi),
        }
    }

    fn datagram(&mut self, path: Path, raw: &[u8]) -> Result<Outcome, DropReason> {
        let header = Header::read(raw).map_err(DropReason::Malformed)?;
        let (major, minor) = (header.version.major(), header.version.minor());
        if !matches!(major, 1 | 2) {
            return Err(DropReason::Version { major, minor });
        }
        if header.initiator_spi == [0; 8] {
            return Err(DropReason::BadCookie);
        }
        if header.responder_spi == [0; 8] {
            return self.first_message(path, &header, raw);
        }
        let cookies = (header.initiator_spi, header.responder_spi);
        let known = self.endpoint.by_cookies.get(&cookies);
        let known = known.or_else(|| self.endpoint.by_own_cookie.get(&header.initiator_spi));
        let id = *known.ok_or(DropReason::UnknownCookies)?;
        self.receive(id, path, &header, raw)
    }

    /// Gives a message to the SA that it belongs to.
    fn receive(
        &mut self,
        id: IkeId,
        path: Path,
        header: &Header,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        self.with(id, |session, ctx| {
            let version = session.version();
            if version.major() != header.version.major() {
                return Err(DropReason::PeerVersion(version));
            }
            session.receive(ctx, path, raw)
        })
        .unwrap_or(Err(DropReason::UnknownCookies))
    }

    /// A message whose sender knows no cookie of ours: it starts something, or repeats that.
    fn first_message(
        &mut self,
        path: Path,
        header: &Header,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        let cookie = header.initiator_spi;
        if let Some(id) = self.endpoint.by_own_cookie.get(&cookie).copied() {
            let session = self.endpoint.sessions.get(&id);
            if session.is_some_and(|s| s.awaits(header.exchange_type)) {
                return self.receive(id, path, header, raw);
            }
            return Err(DropReason::Reflected);
        }
        if self.endpoint.is_own_cookie(cookie) {
            return Err(DropReason::Reflected);
        }
        if let Some(id) = self.endpoint.half_open.find(cookie, path.remote) {
            return self.receive(id, path, header, raw);
        }
        self.admit(path, header, raw)
    }

    fn deadline(&mut self) -> Result<Outcome, DropReason> {
        let due: Vec<TimerKey> = self.endpoint.timers.due(self.now).collect();
        if due.is_empty() {
            return Err(DropReason::NotDue);
        }
        for key in due {
            match key {
                TimerKey::Ike(id) => {
                    self.with(id, |session, ctx| session.on_deadline(ctx));
                }
                TimerKey::Child(id) => child::on_deadline(&mut self.context(), id),
                TimerKey::Peer(index) => self.retry_peer(index),
            }
            // Touched even if it is gone: its deadline must not stand any longer.
            self.context().touch(key);
            self.settle();
        }
        Ok(Outcome::Handled)
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer) -> Result<Outcome, DropReason> {
        let asker = self.endpoint.world.questions.asker(ticket);
        let asker = asker.ok_or(DropReason::UnknownTicket)?;
        self.with(asker.ike, |session, ctx| {
            session.answer(ctx, asker.place, ticket, answer)
        })
        .unwrap_or(Err(DropReason::UnknownTicket))?;
        self.endpoint.world.questions.close(ticket);
        Ok(Outcome::Handled)
    }

    fn traffic(&mut self, child: ChildId, traffic: Traffic) -> Result<Outcome, DropReason> {
        let found = self.endpoint.world.children.get(child);
        let (ike, peer, config) = found
            .map(|c| (c.ike, c.peer, c.config))
            .ok_or(DropReason::NoSuchObject)?;
        child::on_traffic(&mut self.context(), child, traffic);
        let alive = self.with(ike, |session, ctx| session.on_traffic(ctx, child, traffic));
        if alive.is_none() && traffic.outbound_packets > 0 {
            // Nobody looks after the child any more: without an IKE SA its end could not be told.
            self.want(peer, config);
        }
        Ok(Outcome::Handled)
    }
}

impl Endpoint {
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Session> + '_ {
        self.sessions.values()
    }

    pub(crate) const fn child_table(&self) -> &Children {
        &self.world.children
    }

    fn is_own_cookie(&self, cookie: [u8; 8]) -> bool {
        let mut range = self
            .by_cookies
            .range((cookie, [0; 8])..=(cookie, [0xff; 8]));
        range.any(|(_, id)| {
            self.sessions
                .get(id)
                .is_some_and(|s| s.head().role == Role::Initiator)
        })
    }
}

#[cfg(test)]
#[cfg(feature = "v1")]
mod tests;
