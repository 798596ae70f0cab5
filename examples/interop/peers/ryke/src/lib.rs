//! Our end: an endpoint in memory, the datagrams it sends, and the packets of its children.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crypto_suite::{DEFAULT, Secret};
use esp::{
    Inbound, InboundConfig, Mode, Outbound, OutboundConfig, PacketBuf, SelectorCheck, Spi,
    TunnelHeader,
};
use ike_sm::config::{Config, PskOwner};
use ike_sm::{
    Action, Actions, ChildId, ChildSa, ChildSuite, Command, Endpoint, Event, IkeId, Outcome, Path,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// Where our end is.
pub const OURS: &str = "192.0.2.1:500";
/// Where ryke is.
pub const THEIRS: &str = "192.0.2.2:500";

/// A UDP address.
///
/// # Panics
/// It is none.
pub fn addr(text: &str) -> SocketAddr {
    text.parse().expect("address")
}

/// An endpoint, and what its actions have led to.
pub struct End {
    pub endpoint: Endpoint,
    rng: ChaCha20Rng,
    pub now: Duration,
    /// IKE messages it has sent, markers taken off.
    pub sent: Vec<Vec<u8>>,
    pub children: BTreeMap<ChildId, ChildSa>,
    pub ikes: Vec<IkeId>,
    pub removed: usize,
    pub log: Vec<String>,
}

impl End {
    /// An endpoint with this configuration.
    ///
    /// # Panics
    /// The configuration is refused.
    pub fn new(config: Config) -> Self {
        Self {
            endpoint: Endpoint::new(config, &DEFAULT).expect("configuration"),
            rng: ChaCha20Rng::seed_from_u64(7),
            now: Duration::from_secs(1),
            sent: Vec::new(),
            children: BTreeMap::new(),
            ikes: Vec::new(),
            removed: 0,
            log: Vec::new(),
        }
    }

    fn event(&mut self, event: Event<'_>) -> Outcome {
        let mut actions = Actions::new();
        let outcome = self
            .endpoint
            .handle(event, self.now, &mut self.rng, &mut actions);
        while let Some(action) = actions.pop() {
            match action {
                Action::Send { path, datagram } => {
                    let marker = if path.natt { nat_t::MARKER_LEN } else { 0 };
                    self.sent.push(datagram[marker..].to_vec());
                }
                Action::InstallChild(child) => {
                    self.children.insert(child.id, *child);
                }
                Action::RemoveChild { child, .. } => {
                    self.children.remove(&child);
                    self.removed += 1;
                }
                Action::IkeEstablished { ike, .. } => self.ikes.push(ike),
                Action::IkeClosed { ike, .. } => self.ikes.retain(|i| *i != ike),
                Action::Report(record) => self.log.push(format!("{:?}", record.what)),
                _ => {}
            }
        }
        outcome
    }

    /// Takes in a message of ryke's and gives the answer.
    ///
    /// # Panics
    /// It is dropped, or answered by nothing.
    pub fn receive(&mut self, message: &[u8]) -> Vec<u8> {
        self.take(message);
        self.sent.pop().expect("an answer")
    }

    /// Takes in a message of ryke's.
    ///
    /// # Panics
    /// It is dropped.
    pub fn take(&mut self, message: &[u8]) {
        let path = Path {
            local: addr(OURS),
            remote: addr(THEIRS),
            natt: false,
        };
        let outcome = self.event(Event::Datagram { path, message });
        assert_eq!(outcome, Outcome::Handled, "{:#?}", self.log);
    }

    /// Gives a command and returns the message it leads to.
    ///
    /// # Panics
    /// It is refused, or leads to nothing.
    pub fn command(&mut self, command: Command) -> Vec<u8> {
        let outcome = self.event(Event::Command(command));
        assert_eq!(outcome, Outcome::Handled);
        self.sent.pop().expect("a message")
    }

    /// Lets time pass until a message is sent, and returns it.
    ///
    /// # Panics
    /// No deadline stands, or none of the next ten leads to a message.
    pub fn wait(&mut self) -> Vec<u8> {
        for _ in 0..10 {
            self.now = self.endpoint.next_deadline().expect("a deadline").at;
            let outcome = self.event(Event::Deadline);
            assert_eq!(outcome, Outcome::Handled);
            if let Some(message) = self.sent.pop() {
                return message;
            }
        }
        panic!("nothing is sent: {:#?}", self.log)
    }

    /// The only child.
    ///
    /// # Panics
    /// There is none, or more than one.
    pub fn child(&self) -> &ChildSa {
        assert_eq!(self.children.len(), 1);
        self.children.values().next().expect("a child")
    }

    /// Seals packets of `child` with our ESP and opens them with ryke's, and the reverse.
    ///
    /// # Panics
    /// A packet does not come through unchanged.
    pub fn packets(&self, child: &ChildSa, theirs: &mut ryke::ChildSa) {
        let ChildSuite::Esp(suite) = child.suite else {
            panic!("no ESP: {:?}", child.suite)
        };
        let protection = DEFAULT.protection(suite).expect("suite");
        let key = |keys: &Secret| protection.new_key(keys.expose()).expect("key");
        let header = TunnelHeader::new(child.path.local.ip(), child.path.remote.ip());
        let config = OutboundConfig::new(spi(child.spi_out), Mode::Tunnel { header });
        let mut outbound = Outbound::new(key(&child.keys_out), config, self.now).expect("out");
        // Each packet is compared whole with what was sealed.
        let config = InboundConfig::new(spi(child.spi_in), true, SelectorCheck::ByCaller);
        let mut inbound = Inbound::new(key(&child.keys_in), config, self.now).expect("in");
        for length in [28_usize, 100, 1400] {
            let inner = ipv4_packet(length);
            let start = outbound.headroom();
            let mut buffer = vec![0; start + length + outbound.tailroom()];
            buffer[start..start + length].copy_from_slice(&inner);
            let mut packet = PacketBuf::new(&mut buffer, start..start + length).expect("room");
            outbound.seal(&mut packet, self.now).expect("sealed");
            // ryke wants the ESP packet without the IP header in front of it.
            let (got, next_header) = theirs
                .inbound
                .open(&packet.as_slice()[20..])
                .expect("opened");
            assert_eq!((got, next_header), (inner.clone(), 4));

            let sealed = theirs.outbound.seal(&inner, 4).expect("sealed");
            let outer = [&outer_header(sealed.len())[..], &sealed].concat();
            let mut buffer = outer;
            let mut packet = PacketBuf::full(&mut buffer);
            inbound.open_ip(&mut packet, self.now).expect("opened");
            assert_eq!(packet.as_slice(), inner);
        }
    }
}

fn spi(number: u32) -> Spi {
    Spi::new(number).expect("SPI")
}

/// An IPv4 packet of UDP between two inside hosts.
fn ipv4_packet(length: usize) -> Vec<u8> {
    let total = u16::try_from(length).expect("length").to_be_bytes();
    let udp = u16::try_from(length - 20).expect("length").to_be_bytes();
    let mut packet = vec![
        0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 2, 0, 1, 0, 7,
        0, 7, udp[0], udp[1], 0, 0,
    ];
    let sum = checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.resize(length, 0xa5);
    packet
}

/// What stands in front of an ESP packet that goes to us.
fn outer_header(length: usize) -> [u8; 20] {
    let total = u16::try_from(length + 20).expect("length").to_be_bytes();
    let mut header = [
        0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, 50, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1,
    ];
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2);
    let mut sum: u32 = words
        .map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

/// A pre-shared key for every address.
///
/// # Panics
/// Never.
pub fn any_psk(config: &mut Config, key: &[u8]) {
    let any = ike_sm::config::Prefix::new(IpAddr::from([0, 0, 0, 0]), 0).expect("prefix");
    config.psks.insert(PskOwner::Prefix(any), Secret::from(key));
}
