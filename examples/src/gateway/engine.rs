//! The gateway between its sockets: datagrams and inner packets in, the machines' actions done.

mod asking;
mod assigned;
mod commands;
mod fitting;
mod gre;
mod hearing;
mod moving;
mod packets;
mod report;
mod routing;
mod transport;

use super::{
    config::{Config, Mode, Rri, Start, Version},
    credentials::Credentials,
    gre::GreTunnels,
    hold::Hold,
    inside::Inside,
    log::Log,
    outside::Outside,
    pairs::Pairs,
    paths::Paths,
    strangers::Strangers,
    words,
    workers::Workers,
};
use crate::capture::KeyFiles;
use esp::{IcmpLimiter, SelectorSet};
use getrandom::SysRng;
use ike_sm::config::Offload;
use ike_sm::{
    Action, Actions, Answer, ChildId, ChildUpdate, CloseReason, Command, DropReason, Endpoint,
    Event, IkeId, KeyLog, Outcome, Question, Ticket,
};
use rand_core::UnwrapErr;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    time::Duration,
};

pub use commands::Finished;
pub use packets::{HEADROOM, TAILROOM};

/// The provider of all algorithms.
pub static PROVIDER: crypto_suite::Provider = crypto_suite::DEFAULT;

/// Longest stay of a packet that waits for its tunnel.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long after the last message of quick mode, ours, the first packet leaves: strongSwan as responder installs its
/// half only when a thread of its has worked on that message, and drops what comes before. (The commit bit of RFC 2408
/// §3.1 would tell; hardly a peer knows it.)
const SETTLE: Duration = Duration::from_millis(50);
/// How long a replaced pair that was deleted still takes packets in: the peer sent them before it knew.
const LINGER: Duration = Duration::from_secs(1);
/// How often packets without an SA ask for one at most.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
/// Sources are told of packets that are too big at most this often, after a burst.
const TOO_BIG: (u32, Duration) = (32, Duration::from_millis(20));
/// How often the endpoint hears of traffic at most.
const TRAFFIC_INTERVAL: Duration = Duration::from_millis(100);

/// Everything but the waiting.
pub struct Engine {
    config: Config,
    credentials: Credentials,
    /// Threads for what takes long, unless the configuration has none.
    workers: Option<Workers<Ticket>>,
    /// Addresses that peers have given us.
    own_addresses: Vec<(IkeId, IpAddr)>,
    endpoint: Endpoint,
    rng: UnwrapErr<SysRng>,
    actions: Actions,
    /// The outer side.
    pub outside: Outside,
    /// The inner side.
    pub inside: Inside,
    gre: GreTunnels,
    pairs: Pairs,
    paths: Paths,
    icmp_limit: IcmpLimiter,
    /// Room for packets that are put together here.
    scratch: Vec<u8>,
    tunnels: Vec<TunnelState>,
    hold: Hold<usize>,
    routing: routing::Routing,
    log: Log,
    strangers: Strangers,
    voice: hearing::Voice,
    begun: hearing::Begun,
    /// IKE SAs whose peers are authenticated.
    up: BTreeSet<IkeId>,
    keys: Option<KeyFiles>,
    counters: BTreeMap<&'static str, u64>,
    traffic_due: Option<Duration>,
    /// When the IKE machine was last told of an SPI that nobody has.
    unknown_spi_told: Option<Duration>,
    /// MTU inside the tunnels, where TCP shall be told of it.
    mss_mtu: Option<u16>,
    waiting: Vec<commands::Waiting>,
    finished: Vec<Finished>,
    /// Pairs that let packets out soon: when, which, and the one each replaces.
    settling: Vec<(Duration, ChildId, Option<ChildId>)>,
    /// Pairs that are deleted and go for good soon.
    lingering: Vec<(Duration, ChildId)>,
}

/// One tunnel of the configuration.
struct TunnelState {
    name: String,
    /// The tunnel of the file that it is a part of.
    of: Option<String>,
    peer: String,
    selectors: SelectorSet,
    start: Start,
    hits: u64,
    /// When a packet last asked for it.
    asked: Option<Duration>,
}

/// What an engine is made of, besides its configuration.
pub struct Parts {
    /// The outer side.
    pub outside: Outside,
    /// The inner side.
    pub inside: Inside,
    /// The GRE tunnels.
    pub gre: GreTunnels,
    /// Where records go.
    pub log: Log,
    /// Where keys go, if anywhere.
    pub keys: Option<KeyFiles>,
    /// What proves identities.
    pub credentials: Credentials,
    /// Threads for what takes long, if there are any.
    pub workers: Option<Workers<Ticket>>,
}

impl Engine {
    /// Puts the parts together.
    ///
    /// # Errors
    /// The configuration asks for what is not to be had.
    pub fn new(config: Config, parts: Parts) -> io::Result<Self> {
        let mut ike =
            super::glue::ike_config(&config, parts.keys.is_some()).map_err(io::Error::other)?;
        let credentials = parts.credentials;
        for warning in credentials.warnings() {
            parts.log.note(&format!("warning: {warning}"));
        }
        credentials.configure(&config, &mut ike);
        for warning in super::alike::warnings(&ike) {
            parts.log.note(&format!("warning: {warning}"));
        }
        if parts.workers.is_some() {
            ike.offload = Offload::heavy();
        }
        let mut tunnels = Vec::new();
        for (peer, child) in ike
            .peers
            .iter()
            .flat_map(|p| p.children.iter().map(move |t| (p, t)))
        {
            let written = config
                .peer
                .iter()
                .flat_map(|p| &p.tunnel)
                .find(|t| *t.name.get_ref() == child.name);
            tunnels.push(TunnelState {
                name: child.name.clone(),
                of: written.and_then(|t| t.of.clone()),
                peer: peer.name.clone(),
                selectors: super::pairs::selector_set(&child.local, &child.remote)
                    .map_err(|e| io::Error::other(e.to_string()))?,
                start: written.map_or(Start::Passive, |t| t.start()),
                hits: 0,
                asked: None,
            });
        }
        let endpoint =
            Endpoint::new(ike, &PROVIDER).map_err(|e| io::Error::other(e.to_string()))?;
        let routing = routing::Routing::new(&config, &parts.inside, parts.outside.mark())?;
        Ok(Self {
            credentials,
            workers: parts.workers,
            own_addresses: Vec::new(),
            mss_mtu: config.gateway.adjust_mss.then_some(config.gateway.mtu),
            hold: Hold::new(config.gateway.hold_packets, PATIENCE),
            config,
            endpoint,
            rng: UnwrapErr(SysRng),
            actions: Actions::new(),
            outside: parts.outside,
            inside: parts.inside,
            gre: parts.gre,
            pairs: Pairs::default(),
            paths: Paths::default(),
            icmp_limit: IcmpLimiter::new(TOO_BIG.0, TOO_BIG.1),
            scratch: Vec::new(),
            tunnels,
            routing,
            log: parts.log,
            strangers: Strangers::default(),
            voice: hearing::Voice::Ours,
            begun: hearing::Begun::default(),
            up: BTreeSet::new(),
            keys: parts.keys,
            counters: BTreeMap::new(),
            traffic_due: None,
            unknown_spi_told: None,
            waiting: Vec::new(),
            finished: Vec::new(),
            settling: Vec::new(),
            lingering: Vec::new(),
        })
    }

    /// Installs standing routes and starts the tunnels that shall be up from the beginning.
    ///
    /// # Errors
    /// A route is refused.
    pub fn start(&mut self, now: Duration) -> io::Result<()> {
        for peer in &self.config.peer {
            let hosts: Vec<IpAddr> = peer.hosts().collect();
            for tunnel in &peer.tunnel {
                let standing =
                    tunnel.start() == Start::OnDemand || tunnel.reverse_route == Rri::Static;
                if standing && tunnel.reverse_route != Rri::Off {
                    for network in &tunnel.remote.get_ref().0 {
                        self.routing.add_network(network.0, &hosts)?;
                    }
                }
            }
        }
        self.warn_of_filters();
        if !self.outside.has_raw_esp() {
            self.log.note("no raw socket: ESP in UDP only");
        }
        let now_tunnels: Vec<(String, String)> = self
            .tunnels
            .iter()
            .filter(|t| t.start == Start::Now)
            .map(|t| (t.peer.clone(), t.name.clone()))
            .collect();
        for (peer, name) in now_tunnels {
            self.tell(
                Event::Command(Command::Initiate {
                    peer,
                    children: vec![name],
                }),
                now,
            );
        }
        Ok(())
    }

    /// A deadline has passed.
    pub fn deadline(&mut self, now: Duration) {
        if self.traffic_due.is_some_and(|due| due <= now) {
            self.report_traffic(now);
        }
        self.settled(now);
        self.lingered(now);
        self.age_paths(now);
        self.tell_hushed(now);
        self.hold.expire(now);
        self.inside.poll(now);
        self.gre_deadline(now);
        if self.endpoint.next_deadline().is_some_and(|d| d.at <= now) {
            self.tell(Event::Deadline, now);
        }
    }

    /// When [`deadline`](Self::deadline) wants to be called next.
    pub fn next_deadline(&mut self, now: Duration) -> Option<Duration> {
        let ike = self.endpoint.next_deadline().map(|d| d.at);
        let inside = self.inside.next_deadline(now);
        {
            let settled = self.settling.iter().map(|(at, ..)| *at).min();
            let own = [
                self.traffic_due,
                self.hold.next_deadline(),
                settled,
                self.lingering.iter().map(|(at, _)| *at).min(),
                self.gre.next_deadline(),
                self.paths.next_deadline(),
                self.strangers.next_deadline(),
            ];
            [ike, inside].into_iter().chain(own).flatten().min()
        }
    }

    /// SIGHUP: there is nothing yet that it asks for, and no reason to die of it.
    pub fn hang_up(&self) {
        self.log
            .note("SIGHUP: the configuration is not read again while the gateway runs; nothing has changed");
    }

    /// Whether any pair of IPsec SAs is installed.
    #[must_use]
    pub fn has_pairs(&self) -> bool {
        self.pairs.iter().next().is_some()
    }

    /// Whether the endpoint still has something to do.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.endpoint.next_deadline().is_some()
    }

    /// Deletes everything, towards the peers too, and withdraws all routes.
    pub fn shutdown(&mut self, now: Duration) {
        self.report_traffic(now);
        self.tell(Event::Command(Command::Shutdown), now);
        if let Err(e) = self.routing.clear() {
            self.log.note(&format!("routes: {e}"));
        }
        self.outside.flush();
    }

    /// The end: tells what was still to be told.
    pub fn farewell(&mut self, now: Duration) {
        self.tell_rest(now);
        self.outside.flush();
    }

    /// Gives the endpoint an event and does what it wants.
    fn tell(&mut self, event: Event<'_>, now: Duration) {
        // What was refused is counted.
        let _ = self.tell_outcome(event, now);
    }

    fn tell_outcome(&mut self, event: Event<'_>, now: Duration) -> Outcome {
        let origin = self.origin(&event);
        let outcome = self
            .endpoint
            .handle(event, now, &mut self.rng, &mut self.actions);
        if let Outcome::Dropped(reason) = &outcome {
            self.count(drop_word(reason));
        }
        let before = self.voice;
        if let Some(origin) = origin {
            self.voice = origin.voice(&outcome);
        }
        while let Some(action) = self.actions.pop() {
            self.act(action, now);
        }
        self.voice = before;
        outcome
    }

    fn act(&mut self, action: Action, now: Duration) {
        match action {
            Action::Send { path, datagram } => self.send_ike(path, &datagram, now),
            Action::NatKeepalive(path) => self.send_ike(path, &nat_t::KEEPALIVE, now),
            Action::InstallChild(sa) => {
                let window = self.config.gateway.replay_window;
                self.paths.using(&sa.path);
                if let Err(e) = self.pairs.install(&sa, &PROVIDER, window, now) {
                    self.log
                        .note(&format!("tunnel {}: not installed: {e}", sa.name));
                    self.count("SAs that could not be installed");
                }
            }
            Action::UpdateChild(id, update) => match update {
                ChildUpdate::Activate { replaces } => self.activate(id, replaces, now),
                ChildUpdate::StopSending => {
                    self.settled_instead_of(id, now);
                    self.settling.retain(|(_, settling, _)| *settling != id);
                    if let Some(pair) = self.pairs.get_mut(id) {
                        pair.active = false;
                    }
                    self.follow_peer(id);
                }
                ChildUpdate::Path(path) => {
                    self.paths.using(&path);
                    if let Some(pair) = self.pairs.get_mut(id) {
                        pair.set_path(path);
                    }
                    self.follow_peer(id);
                }
                ChildUpdate::Lifetime(lifetime) => {
                    if let Some(pair) = self.pairs.get_mut(id) {
                        pair.set_lifetime(lifetime);
                    }
                }
                ChildUpdate::SkipSequence(count) => {
                    if let Some(pair) = self.pairs.get_mut(id) {
                        pair.outbound.skip(count);
                    }
                }
                _ => {}
            },
            Action::RemoveChild { child, reason, .. } => {
                // What replaces it cannot wait any longer.
                self.settled_instead_of(child, now);
                self.settling.retain(|(_, id, _)| *id != child);
                if reason == CloseReason::Replaced {
                    // What is still on its way comes in; nothing goes out on it.
                    if let Some(pair) = self.pairs.get_mut(child) {
                        pair.active = false;
                    }
                    self.lingering.push((now + LINGER, child));
                } else {
                    self.child_gone(child, reason);
                }
            }
            Action::Ask(ticket, question) => self.asked(ticket, &question, now),
            Action::AddRoute(route) => {
                if let Err(e) = self.routing.add(&route) {
                    self.log
                        .note(&format!("route to {}: {e}", route.destination));
                }
            }
            Action::DelRoute(route) => {
                if let Err(e) = self.routing.del(&route) {
                    self.log
                        .note(&format!("route to {}: {e}", route.destination));
                }
            }
            Action::Assigned {
                ike,
                peer,
                assignment,
            } => self.assigned(ike, &peer, &assignment),
            Action::IkeEstablished {
                ike,
                peer,
                replaces,
                ..
            } => {
                self.up.insert(ike);
                self.credentials.established(ike, replaces);
                if let Some(old) = replaces {
                    self.keep_addresses(old, ike);
                }
                self.ike_established(&peer);
            }
            Action::IkeClosed { ike, peer, reason } => {
                self.up.remove(&ike);
                self.begun.closed(ike);
                self.credentials.closed(ike);
                self.drop_addresses(ike);
                self.ike_closed(&peer, reason);
            }
            Action::ChildFailed { name, reason, .. } => self.child_failed(&name, reason),
            Action::PeerDead { peer, next } => self.peer_dead(&peer, next),
            Action::NextAttempt { peer, child, at } => {
                self.next_attempt(&peer, child.as_deref(), at.saturating_sub(now));
            }
            Action::Report(record) => self.report(&record, now),
            Action::KeyLog(key) => self.log_key(&key),
            _ => {}
        }
    }

    /// The pairs whose last moment has passed go.
    fn lingered(&mut self, now: Duration) {
        let (due, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.lingering)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.lingering = rest;
        for (_, child) in due {
            self.child_gone(child, CloseReason::Replaced);
        }
    }

    fn child_gone(&mut self, child: ChildId, reason: CloseReason) {
        if let Some(mut pair) = self.pairs.remove(child) {
            self.unroute_peer(pair.routed.take());
            self.child_removed(&pair.name, reason);
        }
        self.forget_paths();
    }

    /// The version of IKE that is spoken with `peer`.
    fn version(&self, peer: &str) -> Version {
        let peer = self.config.peer.iter().find(|p| p.name.get_ref() == peer);
        peer.map_or(Version::Ikev1, |p| p.version)
    }

    /// The peer of a transport-mode pair is routed into the tunnel device while the pair sends.
    fn follow_peer(&mut self, id: ChildId) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        let written = self.config.peer.iter().flat_map(|p| &p.tunnel);
        let off = written
            .filter(|t| *t.name.get_ref() == pair.name)
            .any(|t| t.reverse_route == Rri::Off);
        let wanted = pair.active && pair.mode == ike_sm::Mode::Transport && !off;
        let peer = wanted.then_some(pair.path.remote.ip());
        let old = std::mem::replace(&mut pair.routed, peer);
        if old == peer {
            return;
        }
        if let Some(Err(e)) = peer.map(|peer| self.routing.add_peer(peer)) {
            self.log.note(&format!("route to the peer: {e}"));
        }
        self.unroute_peer(old);
    }

    fn unroute_peer(&mut self, peer: Option<IpAddr>) {
        if let Some(Err(e)) = peer.map(|peer| self.routing.del_peer(peer)) {
            self.log.note(&format!("route to the peer: {e}"));
        }
    }

    /// Says what would silence a transport-mode tunnel.
    fn warn_of_filters(&self) {
        let mut tunnels = self.config.peer.iter().flat_map(|p| &p.tunnel);
        if !self.inside.is_kernel() || !tunnels.any(|t| self.config.mode_of(t) == Mode::Transport) {
            return;
        }
        if self.outside.mark().is_none() {
            self.log
                .note("transport mode needs a mark on our packets: set `mark`, with CAP_NET_ADMIN");
        }
        for link in routing::strict_filters(&self.config.gateway.tun) {
            self.log.note(&format!(
                "transport mode: net.ipv4.conf.{link}.rp_filter = 1 may drop what the peer sends; 2 does not"
            ));
        }
    }

    fn answer(&mut self, question: &Question) -> Answer {
        if let Some(answer) = self.credentials.answer(question, &mut self.rng) {
            return answer;
        }
        match question {
            Question::Psk {
                remote, identity, ..
            } => Answer::Psk(
                self.config
                    .psk_for(
                        *remote,
                        identity
                            .as_ref()
                            .and_then(super::glue::written_identity)
                            .as_ref(),
                    )
                    .map(|psk| crypto_suite::Secret::new(psk.octets().to_vec())),
            ),
            Question::AllocateSpi { .. } => Answer::Spi(None),
            _ => Answer::Authorize(false),
        }
    }

    fn log_key(&mut self, key: &KeyLog) {
        let Some(files) = &mut self.keys else { return };
        let written = match key {
            KeyLog::Ikev1 {
                initiator_cookie,
                encryption_key,
            } => files.ikev1(*initiator_cookie, encryption_key.expose()),
            KeyLog::Ikev2 {
                spis,
                protection,
                sk_ei,
                sk_er,
                sk_ai,
                sk_ar,
            } => {
                let names = words::ikev2_names(*protection);
                names.map_or(Ok(()), |(encryption, integrity)| {
                    files.ikev2(
                        [spis.0, spis.1],
                        [sk_ei.expose(), sk_er.expose()],
                        encryption,
                        [sk_ai.expose(), sk_ar.expose()],
                        integrity,
                    )
                })
            }
            KeyLog::Esp {
                source,
                destination,
                spi,
                suite,
                keys,
            } => {
                let sa = words::esp_keys(*source, *destination, *spi, *suite, keys.expose());
                sa.map_or(Ok(()), |sa| files.esp(&sa))
            }
            _ => Ok(()),
        };
        if let Err(e) = written {
            self.log.note(&format!("key file: {e}"));
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counters.entry(what).or_default() += 1;
    }
}

/// The counter of a reason: one word per kind, however many ways there are to be wrong.
fn drop_word(reason: &DropReason) -> &'static str {
    match reason {
        DropReason::Malformed(_) => "IKE: malformed",
        DropReason::Version { .. } => "IKE: version",
        DropReason::UnknownCookies => "IKE: unknown cookies",
        DropReason::UnknownPeer => "IKE: unknown peer",
        DropReason::UnprotectedError(_) => "IKE: unprotected errors",
        DropReason::AuthenticationFailed => "IKE: authentication failed",
        DropReason::Undecipherable(_) => "IKE: undecipherable",
        DropReason::NoProposalChosen => "IKE: no proposal chosen",
        DropReason::Limit(_) => "IKE: limits",
        DropReason::Stale | DropReason::OldPath => "IKE: old messages",
        DropReason::AlreadyUnderWay => "already under way",
        _ => "IKE: refused otherwise",
    }
}
