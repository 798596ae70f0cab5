//! The gateway between its sockets: datagrams and inner packets in, the machines' actions done.

mod asking;
mod assigned;
mod commands;
mod gre;
mod hearing;
mod moving;
mod packets;
mod report;
mod routing;

use super::{
    config::{Config, Mode, Rri, Start, Version},
    credentials::Credentials,
    gre::GreTunnels,
    inside::Inside,
    log::Log,
    outside::Outside,
    strangers::Strangers,
    words,
    workers::Workers,
};
use crate::{capture::KeyFiles, net::netlink::Netlink};
use getrandom::SysRng;
use ike_sm::config::Offload;
use ike_sm::{
    Answer, ChildId, Command, DropReason, Endpoint, Event, IkeId, KeyLog, Outcome, Question, Ticket,
};
use ipsec::{
    Actions, Control, ControlAction, DataAction, DataConfig, DataPlane, Policy, PolicyAction,
    Update,
};
use rand_core::UnwrapErr;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
    time::Duration,
};

pub use commands::Finished;
pub use ipsec::{HEADROOM, TAILROOM};

/// The provider of all algorithms.
pub static PROVIDER: crypto_suite::Provider = crypto_suite::DEFAULT;

/// What a link takes that nobody can be asked about, octets.
const ETHERNET: u16 = 1500;

/// Everything but the waiting.
pub struct Engine {
    config: Config,
    credentials: Credentials,
    /// Threads for what takes long, unless the configuration has none.
    workers: Option<Workers<Ticket>>,
    /// Addresses that peers have given us.
    own_addresses: Vec<(IkeId, IpAddr)>,
    control: Control,
    data: DataPlane,
    from_control: Actions<ControlAction>,
    from_data: Actions<DataAction>,
    rng: UnwrapErr<SysRng>,
    /// The outer side.
    pub outside: Outside,
    /// The inner side.
    pub inside: Inside,
    gre: GreTunnels,
    /// Actions of the data plane are being done.
    handing_on: bool,
    /// Our addresses whose links the data plane knows.
    links: BTreeSet<IpAddr>,
    /// Room for the pieces of packets that are cut.
    scratch: Vec<u8>,
    tunnels: Vec<TunnelState>,
    /// Peers of transport-mode pairs that send, to whom a route leads into the tunnel device.
    routed: BTreeMap<ChildId, IpAddr>,
    routing: routing::Routing,
    log: Log,
    strangers: Strangers,
    voice: hearing::Voice,
    begun: hearing::Begun,
    /// IKE SAs whose peers are authenticated.
    up: BTreeSet<IkeId>,
    keys: Option<KeyFiles>,
    counters: BTreeMap<&'static str, u64>,
    waiting: Vec<commands::Waiting>,
    finished: Vec<Finished>,
}

/// One tunnel of the configuration.
struct TunnelState {
    name: String,
    /// The tunnel of the file that it is a part of.
    of: Option<String>,
    peer: String,
    start: Start,
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
        let (mut tunnels, mut policies) = (Vec::new(), Vec::new());
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
                start: written.map_or(Start::Passive, |t| t.start()),
            });
            let protect = PolicyAction::Protect {
                peer: peer.name.clone(),
                child: child.name.clone(),
                on_demand: written.is_some_and(|t| t.start() != Start::Passive),
            };
            let (local, remote) = (child.local.clone(), child.remote.clone());
            policies.push(Policy::new(local, remote, protect));
        }
        Policy::narrowest_first(&mut policies);
        let mut data = DataPlane::new(data_config(&config), &PROVIDER);
        let mut from_data = Actions::new();
        data.update(Update::Policies(policies), Duration::ZERO, &mut from_data);
        let control = Control::new(ike.into(), &PROVIDER);
        let control = control.map_err(|e| io::Error::other(e.to_string()))?;
        let routing = routing::Routing::new(&config, &parts.inside, parts.outside.mark())?;
        Ok(Self {
            credentials,
            workers: parts.workers,
            own_addresses: Vec::new(),
            config,
            control,
            data,
            from_control: Actions::new(),
            from_data,
            rng: UnwrapErr(SysRng),
            outside: parts.outside,
            inside: parts.inside,
            gre: parts.gre,
            handing_on: false,
            links: BTreeSet::new(),
            scratch: Vec::new(),
            tunnels,
            routed: BTreeMap::new(),
            routing,
            log: parts.log,
            strangers: Strangers::default(),
            voice: hearing::Voice::Ours,
            begun: hearing::Begun::default(),
            up: BTreeSet::new(),
            keys: parts.keys,
            counters: BTreeMap::new(),
            waiting: Vec::new(),
            finished: Vec::new(),
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
        self.data.deadline(now, &mut self.from_data);
        self.hand_on(now);
        self.tell_hushed(now);
        self.inside.poll(now);
        self.gre_deadline(now);
        if self.endpoint().next_deadline().is_some_and(|d| d.at <= now) {
            self.tell(Event::Deadline, now);
        }
    }

    /// When [`deadline`](Self::deadline) wants to be called next.
    pub fn next_deadline(&mut self, now: Duration) -> Option<Duration> {
        let inside = self.inside.next_deadline(now);
        let machines = [self.control.next_deadline(), self.data.next_deadline()];
        let machines = machines.into_iter().flatten().map(|deadline| deadline.at);
        let own = [
            inside,
            self.gre.next_deadline(),
            self.strangers.next_deadline(),
        ];
        machines.chain(own.into_iter().flatten()).min()
    }

    /// SIGHUP: there is nothing yet that it asks for, and no reason to die of it.
    pub fn hang_up(&self) {
        self.log
            .note("SIGHUP: the configuration is not read again while the gateway runs; nothing has changed");
    }

    /// Whether any pair of IPsec SAs is installed.
    #[must_use]
    pub fn has_pairs(&self) -> bool {
        self.data.summaries().next().is_some()
    }

    /// Whether the endpoint still has something to do.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.endpoint().next_deadline().is_some()
    }

    /// Deletes everything, towards the peers too, and withdraws all routes.
    pub fn shutdown(&mut self, now: Duration) {
        self.data.report_traffic(&mut self.from_data);
        self.hand_on(now);
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
        let (control, actions) = (&mut self.control, &mut self.from_control);
        let outcome = control.handle(event, now, &mut self.rng, actions);
        if let Outcome::Dropped(reason) = &outcome {
            self.count(drop_word(reason));
        }
        let before = self.voice;
        if let Some(origin) = origin {
            self.voice = origin.voice(&outcome);
        }
        while let Some(action) = self.from_control.pop() {
            self.act(action, now);
        }
        self.voice = before;
        outcome
    }

    /// The IKE side.
    const fn endpoint(&self) -> &Endpoint {
        self.control.endpoint()
    }

    /// Does what control has decided.
    fn act(&mut self, action: ControlAction, now: Duration) {
        match action {
            ControlAction::Send(path, datagram) => self.send_ike(path, &datagram, now),
            ControlAction::Ask(ticket, question) => self.asked(ticket, &question, now),
            ControlAction::Event(event) => self.happened(event, now),
            ControlAction::Update(update) => {
                let path = match &update {
                    Update::Install { sa, .. } => Some(sa.path),
                    Update::Path(_, path) => Some(*path),
                    _ => None,
                };
                let local = path.map(|path| path.local.ip());
                if let Some(local) = local.filter(|local| self.links.insert(*local)) {
                    self.data.set_link_mtu(local, link_mtu(local));
                }
                let child = update.child();
                self.data.update(update, now, &mut self.from_data);
                // First what takes the place of a pair, then the pair: no packet to a peer leaves in clear between
                // two routes.
                self.hand_on(now);
                if let Some(child) = child {
                    self.follow_peer(child);
                }
            }
            _ => {}
        }
    }

    /// Does what the data plane wants. What that leads to is done by the outermost call, so that however many pairs are
    /// concerned, no call lies within a call for each.
    fn hand_on(&mut self, now: Duration) {
        if std::mem::replace(&mut self.handing_on, true) {
            return;
        }
        self.hand_on_all(now);
        self.handing_on = false;
    }

    fn hand_on_all(&mut self, now: Duration) {
        while let Some(action) = self.from_data.pop() {
            match action {
                DataAction::Send(to, datagram) => self.send_esp(to, &datagram),
                DataAction::Deliver { packet, child } => {
                    let pair = child.and_then(|child| self.came_on(child));
                    self.deliver(&mut packet.to_vec(), pair, now);
                }
                DataAction::Notice(notice) => {
                    self.tell(notice.into(), now);
                }
                DataAction::Event(event) => self.happened(event, now),
                _ => {}
            }
        }
    }

    /// Something has happened to IKE SAs, pairs or paths.
    fn happened(&mut self, event: ipsec::Event, now: Duration) {
        use ipsec::Event as E;
        match event {
            E::ChildUp {
                child,
                name,
                replaces,
                ..
            } => {
                self.follow_peer(child);
                if let Some(old) = replaces {
                    self.follow_peer(old);
                }
                self.child_up(&name, child);
            }
            E::ChildDown {
                child,
                name,
                reason,
                ..
            } => {
                self.follow_peer(child);
                self.child_removed(&name, child, reason);
            }
            E::NotInstalled { name, why, .. } => {
                self.log
                    .note(&format!("tunnel {name}: not installed: {why}"));
                self.count("SAs that could not be installed");
            }
            E::IkeUp {
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
            E::IkeDown { ike, peer, reason } => {
                self.up.remove(&ike);
                self.begun.closed(ike);
                self.credentials.closed(ike);
                self.drop_addresses(ike);
                self.ike_closed(&peer, reason);
            }
            E::ChildFailed { name, reason, .. } => self.child_failed(&name, reason),
            E::PeerDead { peer, next } => self.peer_dead(&peer, next),
            E::NextAttempt { peer, child, at } => {
                self.next_attempt(&peer, child.as_deref(), at.saturating_sub(now));
            }
            E::Assigned {
                ike,
                peer,
                assignment,
            } => self.assigned(ike, &peer, &assignment),
            E::AddRoute(route) => {
                if let Err(e) = self.routing.add(&route) {
                    self.log
                        .note(&format!("route to {}: {e}", route.destination));
                }
            }
            E::DelRoute(route) => {
                if let Err(e) = self.routing.del(&route) {
                    self.log
                        .note(&format!("route to {}: {e}", route.destination));
                }
            }
            E::PathMtu {
                child,
                path: (_, peer),
                old,
                new,
            } => self.log.note(&if child.is_some() {
                format!("path to {peer}: adjusting path mtu from {old} to {new}")
            } else {
                format!("path to {peer}: trying path mtu {new} again after {old}")
            }),
            E::ForgedPathMtu {
                path: (_, peer),
                from,
                mtu,
            } => {
                let octets = u32::from(mtu) + 1;
                let text = format!(
                    "path to {peer}: {from} says that {octets} octets do not fit, and quotes what was not sent"
                );
                self.note_of("forged path MTU", from, &text, now);
            }
            E::Report(record) => self.report(&record, now),
            E::KeyLog(key) => self.log_key(&key),
            _ => {}
        }
    }

    /// The version of IKE that is spoken with `peer`.
    fn version(&self, peer: &str) -> Version {
        let peer = self.config.peer.iter().find(|p| p.name.get_ref() == peer);
        peer.map_or(Version::Ikev1, |p| p.version)
    }

    /// The peer of a transport-mode pair is routed into the tunnel device while the pair sends.
    fn follow_peer(&mut self, id: ChildId) {
        let wanted = self.data.summary(id).filter(|pair| {
            let written = self.config.peer.iter().flat_map(|p| &p.tunnel);
            let off = written
                .filter(|t| *t.name.get_ref() == pair.name)
                .any(|t| t.reverse_route == Rri::Off);
            pair.active && pair.mode == ike_sm::Mode::Transport && !off
        });
        let peer = wanted.map(|pair| pair.path.remote.ip());
        let old = match peer {
            Some(peer) => self.routed.insert(id, peer),
            None => self.routed.remove(&id),
        };
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

/// The part of the configuration that is about packets.
fn data_config(config: &Config) -> DataConfig {
    let gateway = &config.gateway;
    let mut data = DataConfig::default();
    data.replay_window = gateway.replay_window;
    data.dont_fragment = gateway.df_bit.into();
    data.clamp_mss = gateway.adjust_mss;
    data.inner_mtu = Some(gateway.mtu);
    data.hold.packets = gateway.hold_packets;
    data.link_mtu = ETHERNET;
    data
}

/// The MTU of the link with the address `local`.
fn link_mtu(local: IpAddr) -> u16 {
    let mtu = Netlink::open().and_then(|mut netlink| netlink.mtu_of(local));
    mtu.map_or(ETHERNET, |mtu| u16::try_from(mtu).unwrap_or(u16::MAX))
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
