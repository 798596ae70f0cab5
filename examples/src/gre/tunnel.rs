//! A point-to-point tunnel between a device and the network, without either: the `gre` crate put together.
//! The program `gre` and the gateway run it.

use super::status::TunnelStatus;
use ::gre::keepalive::{self, Action, Event, Inbound, Keepalive};
use ::gre::mtu::{self, DfPolicy, Ingress, Outer};
use ::gre::sequence::{Order, ReceiveSequence, SendSequence};
use ::gre::traffic_class::{self, DscpPolicy};
use ::gre::{Actions, Delivery, EtherType, Header, IpPacket, checksum::checksum, mss};
use ipnet::IpNet;
use rand_core::CryptoRng;
use std::{borrow::Cow, collections::BTreeMap, net::IpAddr, ops::Range, time::Duration};

/// Octets to keep free before a packet for [`Tunnel::outbound`]: the longest delivery and GRE header.
pub const HEADROOM: usize = ::gre::ip::IPV6_HEADER_LEN + Header::MAX_LEN;
/// Kinds of drop reasons counted apart; a peer that invents protocols does not fill the table.
const MAX_REASONS: usize = 64;

/// What a tunnel is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name, which is its device's too.
    pub name: String,
    /// Addresses of the device.
    pub addresses: Vec<IpNet>,
    /// Our tunnel end.
    pub local: IpAddr,
    /// The peer's tunnel end.
    pub remote: IpAddr,
    /// Key of the tunnel.
    pub key: Option<u32>,
    /// Send checksums.
    pub checksum: bool,
    /// Send sequence numbers, and drop what is out of order.
    pub sequence: bool,
    /// TTL of the delivery header.
    pub ttl: u8,
    /// DSCP of the delivery header.
    pub dscp: DscpPolicy,
    /// DF of the delivery header.
    pub df: DfPolicy,
    /// The longest packet that crosses the tunnel whole, octets.
    pub mtu: usize,
    /// Lower the MSS of TCP connections to what fits.
    pub adjust_mss: bool,
    /// Keepalives.
    pub keepalive: Option<Times>,
    /// Protected by IPsec: what comes bare is dropped.
    pub protection: Option<String>,
}

/// When keepalives go, and what they look like.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Time between keepalives.
    pub period: Duration,
    /// Unanswered keepalives until the line protocol is down.
    pub retries: u8,
    /// TOS octet.
    pub tos: u8,
    /// Carry a nonce, so that nobody off the path can forge an answer.
    pub nonce: bool,
}

impl Default for Times {
    /// `keepalive 10 3`, TOS CS6 as routers mark control traffic.
    fn default() -> Self {
        Self {
            period: Duration::from_secs(10),
            retries: 3,
            tos: 0xc0,
            nonce: false,
        }
    }
}

impl Settings {
    /// A plain tunnel over a path that carries `path_mtu` octets.
    #[must_use]
    pub fn new(name: String, local: IpAddr, remote: IpAddr, path_mtu: usize) -> Self {
        let mut settings = Self {
            name,
            addresses: Vec::new(),
            local,
            remote,
            key: None,
            checksum: false,
            sequence: false,
            ttl: 255,
            dscp: DscpPolicy::Copy,
            df: DfPolicy::Copy,
            mtu: 0,
            adjust_mss: true,
            keepalive: None,
            protection: None,
        };
        settings.mtu = path_mtu.saturating_sub(settings.overhead());
        settings
    }

    /// Octets of delivery and GRE header.
    #[must_use]
    pub fn overhead(&self) -> usize {
        let outer = if self.local.is_ipv4() {
            Outer::V4
        } else {
            Outer::V6
        };
        mtu::overhead(outer, &self.header(EtherType::IPV4, 0))
    }

    /// The keepalive machine's part of it. Without keepalives of its own the machine answers the peer's.
    #[must_use]
    pub fn keepalive(&self) -> keepalive::Config {
        let times = self.keepalive.unwrap_or_default();
        keepalive::Config {
            period: times.period,
            retries: times.retries,
            key: self.key,
            checksum: self.checksum,
            ttl: self.ttl,
            traffic_class: times.tos,
            nonce: times.nonce,
            require_protection: self.protection.is_some(),
            ..keepalive::Config::new(self.local, self.remote)
        }
    }

    fn header(&self, protocol: EtherType, sequence: u32) -> Header {
        Header {
            protocol,
            checksum: self.checksum,
            key: self.key,
            sequence: self.sequence.then_some(sequence),
        }
    }
}

/// Why a packet did not pass: the name of its counter.
pub type Reason = Cow<'static, str>;

/// What the embedder has to do beside passing on packets.
#[derive(Debug, Clone)]
pub enum Out {
    /// Send this packet to the network: a keepalive, or the answer to the peer's.
    Send(Vec<u8>),
    /// Give this packet to the device: an ICMP message.
    Deliver(Vec<u8>),
    /// The line protocol went up or down.
    Line(bool),
}

/// What became of a packet on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encapsulated {
    /// Here it lies in the buffer it came in.
    InPlace(Range<usize>),
    /// It was too long: these are its parts.
    Parts(Vec<Vec<u8>>),
}

/// One tunnel.
pub struct Tunnel {
    settings: Settings,
    keepalive: Keepalive,
    actions: Actions<Action>,
    out: Vec<Out>,
    send_sequence: SendSequence,
    receive_sequence: ReceiveSequence,
    identification: u16,
    /// The longest packet that crosses whole, as far as the path is known now.
    limit: usize,
    input: Traffic,
    output: Traffic,
    dropped: BTreeMap<Reason, u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Traffic {
    packets: u64,
    octets: u64,
    last: Option<Duration>,
}

impl Traffic {
    fn passed(&mut self, octets: usize, now: Duration) {
        self.packets = self.packets.saturating_add(1);
        let octets = u64::try_from(octets).unwrap_or_default();
        self.octets = self.octets.saturating_add(octets);
        self.last = Some(now);
    }
}

impl Tunnel {
    /// A tunnel whose line protocol is up; its first keepalive is due at once.
    ///
    /// # Errors
    /// Keepalives that cannot work.
    pub fn new(settings: Settings, now: Duration) -> Result<Self, keepalive::ConfigError> {
        Ok(Self {
            keepalive: Keepalive::new(settings.keepalive(), now)?,
            limit: settings.mtu,
            settings,
            actions: Actions::new(),
            out: Vec::new(),
            send_sequence: SendSequence::default(),
            receive_sequence: ReceiveSequence::NEW,
            identification: 0,
            input: Traffic::default(),
            output: Traffic::default(),
            dropped: BTreeMap::new(),
        })
    }

    /// What it is.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether data may pass.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.keepalive.is_up()
    }

    /// The path carries delivery packets of `fitting` octets (G11): what crosses the tunnel whole is that without what
    /// goes around it, and not more than the configured MTU.
    pub fn set_fitting(&mut self, fitting: usize) {
        let inside = fitting.saturating_sub(self.settings.overhead());
        // RFC 791 §3.1: what every network carries.
        self.limit = inside.clamp(68, self.settings.mtu.max(68));
    }

    /// Takes what there is to do beside passing on packets.
    pub fn take_out(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }

    /// When the next keepalive is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let sends = self.settings.keepalive.is_some();
        let due = self.keepalive.next_deadline().filter(|_| sends);
        due.map(|deadline| deadline.at)
    }

    /// Sends the keepalive that is due.
    pub fn deadline(&mut self, now: Duration, rng: &mut dyn CryptoRng) {
        if self.next_deadline().is_some_and(|due| due <= now) {
            // It is due: it is not refused.
            let _ = self
                .keepalive
                .handle(Event::Deadline, now, rng, &mut self.actions);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.actions.pop() {
            match action {
                Action::Send(packet) | Action::Reply(packet) => {
                    self.out.push(Out::Send(packet.as_bytes().to_vec()));
                }
                Action::LinkUp => {
                    // The peer may have started anew, and then it counts from zero.
                    self.receive_sequence = ReceiveSequence::NEW;
                    self.out.push(Out::Line(true));
                }
                Action::LinkDown { .. } => self.out.push(Out::Line(false)),
                _ => {}
            }
        }
    }

    /// Encapsulates the packet in `range` of `buffer`, which has [`HEADROOM`] before it.
    ///
    /// # Errors
    /// The packet does not pass; that is counted.
    pub fn outbound(
        &mut self,
        buffer: &mut [u8],
        range: Range<usize>,
        now: Duration,
    ) -> Result<Encapsulated, Reason> {
        let result = self.encapsulate(buffer, range, now);
        self.counted(result)
    }

    fn encapsulate(
        &mut self,
        buffer: &mut [u8],
        range: Range<usize>,
        now: Duration,
    ) -> Result<Encapsulated, Reason> {
        if !self.is_up() {
            return Err("line protocol is down".into());
        }
        let limit = self.limit;
        let payload = buffer.get_mut(range.clone()).unwrap_or_default();
        self.clamp(payload);
        let packet = IpPacket::parse(payload).map_err(|e| kind(&e))?;
        let octets = packet.total_len();
        let range = range.start..range.start.saturating_add(octets).min(range.end);
        let (protocol, traffic_class) = self.outer_of(&packet);
        let dont_fragment = match mtu::ingress(&packet, limit, self.settings.df) {
            Ingress::Encapsulate { dont_fragment } => dont_fragment,
            Ingress::TooBig { mtu } => {
                let answer = too_big(payload, mtu);
                self.out.extend(answer.map(Out::Deliver));
                return Err("larger than the tunnel's MTU".into());
            }
            Ingress::FragmentPayload { mtu } => {
                let parts = cut(payload, mtu).ok_or("cannot be fragmented")?;
                let wrapped = parts
                    .into_iter()
                    .map(|part| self.wrap(&part, protocol, traffic_class));
                let wrapped = wrapped.collect::<Result<_, _>>()?;
                self.output.passed(octets, now);
                return Ok(Encapsulated::Parts(wrapped));
            }
            Ingress::EncapsulateAndFragment => {
                let whole = self.wrap(payload, protocol, traffic_class)?;
                let most = limit.saturating_add(self.settings.overhead());
                let parts = cut(&whole, most).ok_or("cannot be fragmented")?;
                self.output.passed(octets, now);
                return Ok(Encapsulated::Parts(parts));
            }
        };
        let delivery = self.delivery(traffic_class, dont_fragment);
        let header = self.settings.header(protocol, self.send_sequence.peek());
        let packet = buffer.get_mut(..range.end).unwrap_or_default();
        let start = delivery
            .encapsulate(&header, packet, range.start)
            .map_err(|e| e.to_string())?;
        self.sent();
        self.output.passed(octets, now);
        Ok(Encapsulated::InPlace(start..range.end))
    }

    fn outer_of(&self, packet: &IpPacket<'_>) -> (EtherType, u8) {
        let protocol = if packet.is_ipv4() {
            EtherType::IPV4
        } else {
            EtherType::IPV6
        };
        let octet = traffic_class::outer(packet.traffic_class(), self.settings.dscp);
        (protocol, octet)
    }

    fn delivery(&mut self, traffic_class: u8, dont_fragment: bool) -> Delivery {
        // RFC 6864 §4.1: the identification matters where the packet may be fragmented.
        if !dont_fragment {
            self.identification = self.identification.wrapping_add(1).max(1);
        }
        Delivery {
            ttl: self.settings.ttl,
            traffic_class,
            dont_fragment,
            identification: match dont_fragment || self.settings.local.is_ipv6() {
                true => 0,
                false => self.identification.into(),
            },
            ..Delivery::new(self.settings.local, self.settings.remote)
        }
    }

    fn wrap(
        &mut self,
        payload: &[u8],
        protocol: EtherType,
        traffic_class: u8,
    ) -> Result<Vec<u8>, Reason> {
        let delivery = self.delivery(traffic_class, false);
        let header = self.settings.header(protocol, self.send_sequence.peek());
        let room = delivery.len().saturating_add(header.len());
        let mut packet = vec![0; room];
        packet.extend_from_slice(payload);
        delivery
            .encapsulate(&header, &mut packet, room)
            .map_err(|e| e.to_string())?;
        self.sent();
        Ok(packet)
    }

    fn sent(&mut self) {
        if self.settings.sequence {
            self.send_sequence.take();
        }
    }

    fn clamp(&self, packet: &mut [u8]) {
        if self.settings.adjust_mss {
            let v4 = packet.first().is_some_and(|first| first >> 4 == 4);
            mss::clamp(packet, mss::mss_for(self.limit, v4));
        }
    }

    /// Takes a delivery packet from the network; `protected` if it came out of IPsec. The packet for the device is in
    /// the range given back; none for a keepalive.
    ///
    /// # Errors
    /// The packet does not pass; that is counted, and nothing else changed.
    pub fn inbound(
        &mut self,
        packet: &mut [u8],
        protected: bool,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Range<usize>>, Reason> {
        let result = self.decapsulate(packet, protected, now, rng);
        self.carry_out();
        self.counted(result)
    }

    fn decapsulate(
        &mut self,
        packet: &mut [u8],
        protected: bool,
        now: Duration,
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<Range<usize>>, Reason> {
        let settings = &self.settings;
        let delivery = IpPacket::parse(packet).map_err(|e| kind(&e))?;
        let gre = delivery.gre().map_err(|e| kind(&e))?;
        let event = Event::Received(Inbound {
            delivery: &delivery,
            gre: &gre,
            protected,
        });
        match self.keepalive.handle(event, now, rng, &mut self.actions) {
            keepalive::Outcome::Data => {}
            keepalive::Outcome::Dropped(reason) => return Err(reason.to_string().into()),
            _ => return Ok(None),
        }
        let inner = match gre.protocol() {
            EtherType::IPV4 | EtherType::IPV6 => {
                IpPacket::parse(gre.payload()).map_err(|e| kind(&e))?
            }
            other => return Err(format!("protocol {other}").into()),
        };
        if inner.is_ipv4() != (gre.protocol() == EtherType::IPV4) {
            return Err("payload of another protocol than announced".into());
        }
        // RFC 2784 §3.1: a packet to the other end of the tunnel would loop.
        if inner.destination() == settings.remote {
            return Err("to the other end of the tunnel".into());
        }
        let ecn = traffic_class::decapsulated_ecn(inner.traffic_class(), delivery.traffic_class())
            .ok_or("congestion marked on a packet that cannot say so")?;
        if settings.sequence && self.receive_sequence.accept(gre.sequence()) == Order::OutOfSequence
        {
            return Err("out of sequence".into());
        }
        let (length, end) = (inner.total_len(), delivery.total_len());
        let start = end.saturating_sub(gre.payload().len());
        let range = start..start.saturating_add(length);
        let payload = packet.get_mut(range.clone()).unwrap_or_default();
        set_ecn(payload, ecn);
        self.clamp(payload);
        self.input.passed(length, now);
        Ok(Some(range))
    }

    /// Counts a packet that was lost elsewhere.
    pub fn lost(&mut self, reason: Reason) {
        if self.dropped.len() < MAX_REASONS || self.dropped.contains_key(&reason) {
            let count = self.dropped.entry(reason).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn counted<T>(&mut self, result: Result<T, Reason>) -> Result<T, Reason> {
        if let Err(reason) = &result {
            self.lost(reason.clone());
        }
        result
    }

    /// What the table shows.
    #[must_use]
    pub fn status(&self, now: Duration) -> TunnelStatus {
        let settings = &self.settings;
        let ago = |t: &Traffic| t.last.map(|at| now.saturating_sub(at).as_secs());
        let counters = self.keepalive.counters();
        TunnelStatus {
            name: settings.name.clone(),
            line_protocol: self.is_up(),
            addresses: settings.addresses.iter().map(IpNet::to_string).collect(),
            source: settings.local,
            destination: settings.remote,
            mtu: self.limit,
            keepalive: settings
                .keepalive
                .and_then(|k| u64::try_from(k.period.as_millis()).ok()),
            retries: settings.keepalive.unwrap_or_default().retries,
            unanswered: self.keepalive.unanswered(),
            keepalives_sent: counters.sent,
            keepalives_returned: counters.returned,
            keepalives_answered: counters.replied,
            went_down: counters.went_down,
            key: settings.key,
            checksum: settings.checksum,
            sequence: settings.sequence,
            ttl: settings.ttl,
            protection: settings.protection.clone(),
            last_input: ago(&self.input),
            last_output: ago(&self.output),
            packets: [self.input.packets, self.output.packets],
            bytes: [self.input.octets, self.output.octets],
            dropped: self
                .dropped
                .iter()
                .map(|(reason, count)| (reason.to_string(), *count))
                .collect(),
        }
    }
}

/// The kind of fault, without the values that differ from packet to packet.
fn kind(error: &::gre::ParseError) -> Reason {
    let kind = format!("{:?}", error.kind);
    let kind = kind.split([' ', '(']).next().unwrap_or_default();
    format!("malformed: {kind}").into()
}

/// The ICMP answer to a packet that does not fit. It comes from the packet's own destination: the device may have no
/// address of that family, and the source believes it all the same.
fn too_big(packet: &[u8], mtu: usize) -> Option<Vec<u8>> {
    let from = IpPacket::parse(packet).ok()?.destination();
    let mut answer = vec![0; 1280];
    let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
    let length = esp::write_too_big(packet, mtu, from, &mut answer).ok()?;
    answer.truncate(length);
    Some(answer)
}

/// Cuts an IPv4 packet into fragments of at most `mtu` octets.
fn cut(packet: &[u8], mtu: usize) -> Option<Vec<Vec<u8>>> {
    let mut fragments = esp::Fragments::new(packet, mtu).ok()?;
    let mut parts = Vec::new();
    let mut part = vec![0; mtu];
    while let Some(length) = fragments.next_into(&mut part) {
        parts.push(part.get(..length.ok()?)?.to_vec());
    }
    Some(parts)
}

/// Writes the ECN field, and the header checksum of IPv4.
fn set_ecn(packet: &mut [u8], ecn: u8) {
    match packet {
        [first, tos, ..] if *first >> 4 == 4 => {
            if *tos & 3 == ecn {
                return;
            }
            *tos = (*tos & !3) | ecn;
            let length = usize::from(*first & 15) * 4;
            if let Some(header) = packet.get_mut(..length) {
                if let Some(field) = header.get_mut(10..12) {
                    field.fill(0);
                }
                let sum = checksum(header).to_be_bytes();
                if let Some(field) = header.get_mut(10..12) {
                    field.copy_from_slice(&sum);
                }
            }
        }
        // Version, eight bits of traffic class, and the flow label's first four.
        [_, second, ..] => *second = (*second & 0xcf) | (ecn << 4),
        _ => {}
    }
}
