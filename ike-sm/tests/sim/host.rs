//! One host: an endpoint, the IPsec SAs it has installed, and the packets it sends through them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ike_sm::explain::Record;
use ike_sm::{
    Action, Actions, Answer, ChildId, ChildSa, ChildUpdate, CloseReason, Command, Endpoint, Event,
    IkeId, IpsecProtocol, Outcome, PacketEnd, Path, Question, Ticket, Traffic,
};
use nat_t::Datagram;

use crate::network::{InFlight, Payload};
use crate::rng::SimRng;

/// An installed pair of IPsec SAs.
pub struct Installed {
    pub sa: ChildSa,
    /// When it was allowed to send, as a serial number.
    pub activated: Option<u64>,
    /// Sequence numbers, as `esp` has them (RFC 4303 §3.4.3).
    sent: u64,
    pub received: BTreeSet<u64>,
}

/// Counts of modelled packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that found an SA to leave through.
    pub sent: u64,
    /// Packets that found none and asked for one.
    pub held: u64,
    /// Packets that arrived and found their SA.
    pub received: u64,
    /// Packets that arrived with an SPI that nobody has.
    pub unknown_spi: u64,
}

pub struct Host {
    pub name: &'static str,
    pub address: IpAddr,
    pub endpoint: Endpoint,
    seed: u64,
    /// Events that were not dropped: the randomness of an event depends on nothing else.
    handled: u64,
    pub installed: BTreeMap<ChildId, Installed>,
    pub ike: BTreeMap<IkeId, Option<Path>>,
    pub closed: Vec<(IkeId, CloseReason)>,
    pub removed: Vec<(ChildId, CloseReason)>,
    pub routes: Vec<ike_sm::Route>,
    pub dead: u32,
    pub counts: Counts,
    serial: u64,
    pub questions: VecDeque<(Duration, Ticket, Answer)>,
    pub question_delay: Duration,
    pub records: Vec<Record>,
    pub keep_records: bool,
    /// FNV-1a over everything that was sent, with its time.
    pub digest: u64,
    pub datagrams: u64,
    pub outcomes: BTreeMap<String, u64>,
    /// How far its clock is behind the world's.
    pub behind: Duration,
    /// Whether the whole state is compared when an event is dropped: costly with thousands of SAs.
    compare_states: bool,
    /// Everything the endpoint held after the last event; traffic, which is never refused, does
    /// not bring it up to date.
    state: Option<String>,
    pub psk: Vec<u8>,
    /// So many children that the peer asks for are refused.
    pub refuse: u32,
}

/// What the caller of [`Host::handle`] has to do.
pub struct Handled {
    pub outcome: Outcome,
    pub send: Vec<InFlight>,
}

impl Host {
    pub fn new(name: &'static str, address: IpAddr, endpoint: Endpoint, seed: u64) -> Self {
        Self {
            name,
            address,
            state: None,
            endpoint,
            seed,
            handled: 0,
            installed: BTreeMap::new(),
            ike: BTreeMap::new(),
            closed: Vec::new(),
            removed: Vec::new(),
            routes: Vec::new(),
            dead: 0,
            counts: Counts::default(),
            serial: 0,
            questions: VecDeque::new(),
            question_delay: Duration::from_millis(3),
            records: Vec::new(),
            keep_records: false,
            digest: 0xcbf2_9ce4_8422_2325,
            datagrams: 0,
            outcomes: BTreeMap::new(),
            behind: Duration::ZERO,
            compare_states: true,
            psk: b"simulated".to_vec(),
            refuse: 0,
        }
    }

    pub fn next_event(&self) -> Option<Duration> {
        let deadline = self.endpoint.next_deadline().map(|d| d.at);
        let question = self.questions.iter().map(|(at, ..)| *at).min();
        let first = deadline.into_iter().chain(question).min();
        first.map(|at| at + self.behind)
    }

    /// Whether dropped events are held against the whole state from now on.
    pub fn compare_states(&mut self, compare: bool) {
        self.compare_states = compare;
        self.state = None;
    }

    /// Everything that what happens next depends on.
    pub fn hash_state(&self, hasher: &mut impl Hasher) {
        let now_held = || format!("{:?}", self.endpoint.state());
        let state = self.state.clone().unwrap_or_else(now_held);
        (state, self.handled, self.serial, self.refuse).hash(hasher);
        let installed = self.installed.iter().map(|(id, i)| (*id, i.activated));
        (
            installed.collect::<Vec<_>>(),
            format!("{:?}", self.questions),
        )
            .hash(hasher);
    }

    /// Whatever is due at `now`.
    pub fn due(&mut self, now: Duration) -> Result<Option<Handled>, String> {
        let here = now.saturating_sub(self.behind);
        if let Some(at) = self.questions.iter().position(|(at, ..)| *at <= here) {
            let (_, ticket, answer) = self.questions.remove(at).unwrap();
            return self.handle(Event::Answer(ticket, answer), now).map(Some);
        }
        if self.endpoint.next_deadline().is_some_and(|d| d.at <= here) {
            return self.handle(Event::Deadline, now).map(Some);
        }
        Ok(None)
    }

    /// The answer to the oldest question, or none where a key exchange is to be computed.
    pub fn answer(&mut self, refused: bool, now: Duration) -> Result<Handled, String> {
        let (_, ticket, answer) = self.questions.pop_front().ok_or("no question")?;
        let answer = match answer {
            Answer::KeyExchange(_) if refused => Answer::KeyExchange(None),
            answer => answer,
        };
        self.handle(Event::Answer(ticket, answer), now)
    }

    /// A packet from the network.
    pub fn receive(&mut self, packet: &InFlight, now: Duration) -> Result<Option<Handled>, String> {
        match &packet.payload {
            Payload::Udp(bytes) => {
                let natt = packet.to.port() == 4500;
                let path = Path {
                    local: packet.to,
                    remote: packet.from,
                    natt,
                };
                let message = match natt {
                    false => bytes.as_slice(),
                    true => match nat_t::classify(bytes) {
                        Datagram::Ike(message) => message,
                        _ => return Ok(None),
                    },
                };
                self.handle(Event::Datagram { path, message }, now)
                    .map(Some)
            }
            Payload::Esp {
                spi,
                sequence,
                keys,
                len,
                in_udp,
            } => {
                let Some((id, pair)) = self.installed.iter_mut().find(|(_, i)| i.sa.spi_in == *spi)
                else {
                    self.counts.unknown_spi += 1;
                    let remote = packet.from.ip();
                    let protocol = IpsecProtocol::Esp;
                    let event = Event::UnknownSpi {
                        remote,
                        protocol,
                        spi: *spi,
                    };
                    return self.handle(event, now).map(Some);
                };
                if pair.sa.keys_in.as_ref() != keys {
                    return Err(format!("{}: keys of SPI {spi:#010x} differ", self.name));
                }
                // Only the newest packet so far can say that the peer has moved.
                let newest = pair.received.last().is_none_or(|last| last < sequence);
                if !pair.received.insert(*sequence) {
                    return Ok(None);
                }
                self.counts.received += 1;
                let moved = newest && *in_udp && packet.from != pair.sa.path.remote;
                let (id, from) = (*id, packet.from);
                let mut handled = self.handle(Event::Traffic(id, Traffic::inbound(*len)), now)?;
                if moved {
                    let more = self.handle(Event::Moved(id, from), now)?;
                    handled.send.extend(more.send);
                }
                Ok(Some(handled))
            }
        }
    }

    /// The application sends a packet from one network to the other.
    pub fn application(
        &mut self,
        source: IpAddr,
        destination: IpAddr,
        now: Duration,
    ) -> Result<Handled, String> {
        let fits = |i: &Installed| {
            i.activated.is_some()
                && i.sa.local.matches(source, 0, 0)
                && i.sa.remote.matches(destination, 0, 0)
        };
        let best = self
            .installed
            .values_mut()
            .filter(|i| fits(i))
            .max_by_key(|i| i.activated);
        let Some(pair) = best else {
            self.counts.held += 1;
            let command = Command::Acquire {
                source: PacketEnd {
                    address: source,
                    port: 0,
                },
                destination: PacketEnd {
                    address: destination,
                    port: 0,
                },
                protocol: 0,
            };
            return self.handle(Event::Command(command), now);
        };
        self.counts.sent += 1;
        pair.sent += 1;
        let sa = &pair.sa;
        let port = |at: SocketAddr| if sa.udp_encapsulation { at.port() } else { 0 };
        let packet = InFlight {
            from: SocketAddr::new(self.address, port(sa.path.local)),
            to: SocketAddr::new(sa.path.remote.ip(), port(sa.path.remote)),
            payload: Payload::Esp {
                spi: sa.spi_out,
                sequence: pair.sent,
                keys: sa.keys_out.as_ref().to_vec(),
                len: 100,
                in_udp: sa.udp_encapsulation,
            },
        };
        let id = sa.id;
        let mut handled = self.handle(Event::Traffic(id, Traffic::outbound(100)), now)?;
        handled.send.push(packet);
        Ok(handled)
    }

    pub fn command(&mut self, command: Command, now: Duration) -> Result<Handled, String> {
        self.handle(Event::Command(command), now)
    }

    /// One event into the endpoint, with the laws checked.
    pub fn handle(&mut self, event: Event<'_>, now: Duration) -> Result<Handled, String> {
        let now = now.saturating_sub(self.behind);
        let mut rng = SimRng::new(self.seed, self.handled);
        let mut actions = Actions::new();
        let before = self.endpoint.next_deadline();
        let is_deadline = matches!(event, Event::Deadline);
        let compare = self.compare_states && !matches!(event, Event::Traffic(..));
        let shown = (self.compare_states && !is_deadline).then(|| format!("{event:?}"));
        let state = |endpoint: &Endpoint| compare.then(|| format!("{:?}", endpoint.state()));
        let held = self.state.take().or_else(|| state(&self.endpoint));
        let outcome = self.endpoint.handle(event, now, &mut rng, &mut actions);
        self.state = state(&self.endpoint);
        let after = self.endpoint.next_deadline();
        let name = match &outcome {
            Outcome::Dropped(reason) => format!("{reason:?}")
                .split(['(', ' ', '{'])
                .next()
                .unwrap()
                .to_string(),
            other => format!("{other:?}"),
        };
        *self.outcomes.entry(name).or_default() += 1;
        let fail = |what: &str| {
            Err(format!(
                "{} at {now:?}: {what} ({shown:?}, {outcome:?}, {after:?})",
                self.name
            ))
        };
        // The law of progress, of what each object says of itself: the endpoint's answer is never
        // too early.
        let own = is_deadline.then(|| self.endpoint.own_deadline()).flatten();
        if own.is_some_and(|d| d.at <= now) {
            return fail(&format!("no progress after a deadline: {own:?}"));
        }
        // What is due within the next millisecond may wait until its end.
        let queued = |own: Duration| own..=own.max(now + Duration::from_millis(1));
        let agrees = match (own, after) {
            (Some(own), Some(after)) => queued(own.at).contains(&after.at),
            (own, after) => own.is_none() && after.is_none(),
        };
        if is_deadline && !agrees {
            return fail(&format!(
                "the queue does not say what its objects do: {own:?}"
            ));
        }
        if compare && !self.endpoint.is_consistent() {
            return fail("an index does not say the same as its table");
        }
        // The law of atomicity.
        if let Outcome::Dropped(_) = &outcome {
            if compare && held != self.state {
                let (before, after) = (held.unwrap_or_default(), self.state.clone());
                let after = after.unwrap_or_default();
                return fail(&format!(
                    "a dropped event changed the state\n{before}\n{after}\n"
                ));
            }
            if before != after {
                return fail(&format!(
                    "a dropped event moved the deadline from {before:?}"
                ));
            }
            // What has no SA may be told so; a session says nothing.
            let harmless = |a: &Action| matches!(a, Action::Report(_) | Action::Send { .. });
            if let Some(action) = actions.iter().find(|a| !harmless(a)) {
                return fail(&format!("a dropped event acted: {action:?}"));
            }
        } else {
            self.handled += 1;
        }
        let mut send = Vec::new();
        let (digest, datagrams) = (self.digest, self.datagrams);
        while let Some(action) = actions.pop() {
            self.act(action, now, &mut send)?;
        }
        if outcome.dropped().is_some() {
            // A refusal depends on nothing but the message: it is no trace in the sense of the law.
            (self.digest, self.datagrams) = (digest, datagrams);
        }
        Ok(Handled { outcome, send })
    }

    fn act(
        &mut self,
        action: Action,
        now: Duration,
        send: &mut Vec<InFlight>,
    ) -> Result<(), String> {
        match action {
            Action::Send { path, datagram } => {
                self.note(&now.as_nanos().to_le_bytes());
                self.note(&datagram);
                self.datagrams += 1;
                // A host behind NAT sends from its own address, whatever the path says.
                let from = SocketAddr::new(self.address, path.local.port());
                let payload = Payload::Udp(datagram.to_vec());
                send.push(InFlight {
                    from,
                    to: path.remote,
                    payload,
                });
            }
            Action::NatKeepalive(path) => {
                self.note(b"keepalive");
                let from = SocketAddr::new(self.address, path.local.port());
                send.push(InFlight {
                    from,
                    to: path.remote,
                    payload: Payload::Udp(vec![0xff]),
                });
            }
            Action::InstallChild(sa) => {
                if self.installed.values().any(|i| i.sa.spi_in == sa.spi_in) {
                    return Err(format!(
                        "{}: SPI {:#x} installed twice",
                        self.name, sa.spi_in
                    ));
                }
                self.note(&sa.spi_in.to_le_bytes());
                let pair = Installed {
                    activated: None,
                    sent: 0,
                    received: BTreeSet::new(),
                    sa: *sa,
                };
                if self.installed.insert(pair.sa.id, pair).is_some() {
                    return Err(format!("{}: a child installed twice", self.name));
                }
            }
            Action::UpdateChild(id, update) => {
                self.serial += 1;
                let serial = self.serial;
                let Some(pair) = self.installed.get_mut(&id) else {
                    return Err(format!("{}: update of {id} that is not there", self.name));
                };
                match update {
                    ChildUpdate::Activate { .. } => pair.activated = Some(serial),
                    ChildUpdate::StopSending => pair.activated = None,
                    ChildUpdate::Path(path) => pair.sa.terms.path = path,
                    ChildUpdate::Lifetime(lifetime) => pair.sa.lifetime = lifetime,
                    _ => {}
                }
            }
            Action::RemoveChild {
                child,
                spi_in,
                reason,
            } => {
                match self.installed.remove(&child) {
                    Some(pair) if pair.sa.spi_in == spi_in => {}
                    _ => {
                        return Err(format!(
                            "{}: removal of {child} that is not there",
                            self.name
                        ));
                    }
                }
                self.removed.push((child, reason));
            }
            Action::Ask(ticket, question) => {
                let answer = match question {
                    Question::Psk { .. } => Answer::Psk(Some(self.psk.clone().into())),
                    Question::AllocateSpi { .. } => {
                        self.serial += 1;
                        let rng = &mut SimRng::new(self.seed, 0x5150 + self.serial);
                        Answer::Spi(Some(rng.next() as u32 | 0x100))
                    }
                    Question::AuthorizeChild { .. } => {
                        let granted = self.refuse == 0;
                        self.refuse = self.refuse.saturating_sub(1);
                        Answer::Authorize(granted)
                    }
                    Question::KeyExchange(job) => Answer::KeyExchange(Some(job.run())),
                    _ => return Err("an unknown question".into()),
                };
                self.questions
                    .push_back((now + self.question_delay, ticket, answer));
            }
            Action::IkeEstablished { ike, path, .. } => {
                self.ike.insert(ike, Some(path));
            }
            Action::IkeClosed { ike, reason, .. } => {
                self.ike.remove(&ike);
                self.closed.push((ike, reason));
            }
            Action::AddRoute(route) => {
                if self.routes.contains(&route) {
                    return Err(format!("{}: a route added twice", self.name));
                }
                self.routes.push(route);
            }
            Action::DelRoute(route) => {
                let Some(at) = self.routes.iter().position(|r| *r == route) else {
                    return Err(format!("{}: a route removed that is not there", self.name));
                };
                self.routes.remove(at);
            }
            Action::PeerDead { .. } => self.dead += 1,
            Action::Report(record) if self.keep_records => self.records.push(record),
            _ => {}
        }
        Ok(())
    }

    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}
