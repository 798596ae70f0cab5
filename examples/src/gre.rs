//! A point-to-point GRE tunnel between a TUN device and a raw IPv4 socket, with keepalives: the
//! `gre` crate in use. On SIGTERM or SIGINT it prints what `show interface tunnel` would.

use crate::net::{netlink::Netlink, tun::Tun};
use ::gre::keepalive::{self, Action, Event, Inbound, Keepalive};
use ::gre::mtu::{self, DfPolicy, Ingress, Outer};
use ::gre::sequence::{Order, ReceiveSequence, SendSequence};
use ::gre::{Actions, Delivery, EtherType, Header, IpPacket, mss};
use clap::Parser;
use ipnet::IpNet;
use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use signal_hook_mio::v1_0::Signals;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    collections::BTreeMap,
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::AsRawFd,
    process::ExitCode,
    time::{Duration, Instant},
};

const TUN: Token = Token(0);
const RAW: Token = Token(1);
const SIGNALS: Token = Token(2);
/// What the path carries.
const PATH_MTU: usize = 1500;

#[derive(Debug, Clone, Parser)]
#[command(name = "gre", about = "A GRE tunnel over IPv4 with keepalives")]
struct Arguments {
    /// Our tunnel end.
    #[arg(long)]
    local: Ipv4Addr,
    /// The peer's tunnel end.
    #[arg(long)]
    remote: Ipv4Addr,
    /// Name of the TUN device.
    #[arg(long, default_value = "gre1")]
    device: String,
    /// Address and prefix length of the TUN device.
    #[arg(long)]
    address: IpNet,
    /// Key of the tunnel.
    #[arg(long)]
    key: Option<u32>,
    /// Send checksums.
    #[arg(long)]
    checksum: bool,
    /// Send sequence numbers, and keep their order.
    #[arg(long)]
    sequence: bool,
    /// Seconds between keepalives.
    #[arg(long)]
    keepalive: Option<f64>,
    /// Unanswered keepalives until the line protocol is down.
    #[arg(long, default_value_t = 3)]
    retries: u8,
}

/// What `main` does.
#[must_use]
pub fn main() -> ExitCode {
    match Tunnel::open(Arguments::parse()).and_then(|mut tunnel| tunnel.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gre: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Tunnel {
    arguments: Arguments,
    start: Instant,
    tun: Tun,
    receiver: Socket,
    sender: Socket,
    keepalive: Option<Keepalive>,
    actions: Actions<Action>,
    send_sequence: SendSequence,
    receive_sequence: ReceiveSequence,
    packets: [u64; 2],
    octets: [u64; 2],
    dropped: BTreeMap<String, u64>,
}

impl Tunnel {
    fn open(arguments: Arguments) -> io::Result<Self> {
        let start = Instant::now();
        let header = header_of(&arguments, None);
        let mtu = mtu::tunnel_mtu(PATH_MTU, Outer::V4, &header);
        let tun = Tun::create(
            &arguments.device,
            u16::try_from(mtu).map_err(io::Error::other)?,
        )?;
        Netlink::open()?.add_address(tun.index(), arguments.address)?;
        let raw = |protocol: i32| -> io::Result<Socket> {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(protocol)))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let receiver = raw(i32::from(::gre::ip::PROTOCOL_GRE))?;
        receiver.bind(&SocketAddr::new(arguments.local.into(), 0).into())?;
        let keepalive = match arguments.keepalive {
            None => None,
            Some(period) => {
                let config = keepalive::Config {
                    period: Duration::try_from_secs_f64(period).map_err(io::Error::other)?,
                    retries: arguments.retries,
                    key: arguments.key,
                    checksum: arguments.checksum,
                    ..keepalive::Config::new(arguments.local.into(), arguments.remote.into())
                };
                Some(Keepalive::new(config, start.elapsed()).map_err(io::Error::other)?)
            }
        };
        Ok(Self {
            arguments,
            start,
            tun,
            receiver,
            sender: raw(libc::IPPROTO_RAW)?,
            keepalive,
            actions: Actions::new(),
            send_sequence: SendSequence::default(),
            receive_sequence: ReceiveSequence::NEW,
            packets: [0; 2],
            octets: [0; 2],
            dropped: BTreeMap::new(),
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut self.tun, TUN, Interest::READABLE)?;
        let fd = self.receiver.as_raw_fd();
        registry.register(&mut SourceFd(&fd), RAW, Interest::READABLE)?;
        let mut signals = Signals::new([libc::SIGTERM, libc::SIGINT])?;
        registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
        let mut events = Events::with_capacity(16);
        loop {
            let now = self.start.elapsed();
            let deadline = self.keepalive.as_ref().map(Keepalive::next_deadline);
            let wait = deadline.map(|at| at.saturating_sub(now));
            match poll.poll(&mut events, wait) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.on_deadline();
            for event in &events {
                match event.token() {
                    TUN => self.read_tun(),
                    RAW => self.read_network(),
                    _ => {
                        print!("{}", self.show());
                        return Ok(());
                    }
                }
            }
        }
    }

    fn on_deadline(&mut self) {
        let now = self.start.elapsed();
        if let Some(keepalive) = &mut self.keepalive
            && keepalive.next_deadline() <= now
        {
            keepalive.handle(Event::Deadline { random: 0 }, now, &mut self.actions);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.actions.pop() {
            match action {
                Action::Send(packet) | Action::Reply(packet) => self.send(packet.as_bytes()),
                Action::LinkUp => println!("{:?} line protocol is up", self.start.elapsed()),
                Action::LinkDown { .. } => {
                    println!("{:?} line protocol is down", self.start.elapsed());
                }
                _ => {}
            }
        }
    }

    fn read_tun(&mut self) {
        let headroom = Header::MAX_LEN + ::gre::ip::IPV4_HEADER_LEN;
        let mut buffer = vec![0; headroom + 2048];
        while let Ok(len) = self
            .tun
            .recv(buffer.get_mut(headroom..).unwrap_or_default())
        {
            let Some(packet) = buffer.get_mut(..headroom + len) else {
                continue;
            };
            if let Err(reason) = self.encapsulate(packet, headroom) {
                self.drop_for(&reason);
            }
        }
    }

    /// The packet lies behind its headroom.
    fn encapsulate(&mut self, buffer: &mut [u8], headroom: usize) -> Result<(), String> {
        if self
            .keepalive
            .as_ref()
            .is_some_and(|keepalive| !keepalive.is_up())
        {
            return Err("line protocol is down".into());
        }
        let sequence = self.arguments.sequence.then(|| self.send_sequence.peek());
        let mut header = header_of(&self.arguments, sequence);
        let limit = mtu::tunnel_mtu(PATH_MTU, Outer::V4, &header);
        let payload = buffer.get_mut(headroom..).unwrap_or_default();
        mss::clamp(payload, mss::mss_for(limit, true));
        let packet = IpPacket::parse(payload).map_err(|e| counter(&e))?;
        header.protocol = if packet.is_ipv4() {
            EtherType::IPV4
        } else {
            EtherType::IPV6
        };
        let traffic_class = ::gre::traffic_class::outer(
            packet.traffic_class(),
            ::gre::traffic_class::DscpPolicy::Copy,
        );
        let Ingress::Encapsulate { dont_fragment } = mtu::ingress(&packet, limit, DfPolicy::Copy)
        else {
            return Err("larger than the tunnel's MTU".into());
        };
        let octets = u64::try_from(packet.total_len()).unwrap_or_default();
        let delivery = Delivery {
            dont_fragment,
            traffic_class,
            ..Delivery::new(self.arguments.local.into(), self.arguments.remote.into())
        };
        let start = delivery
            .encapsulate(&header, buffer, headroom)
            .map_err(|e| e.to_string())?;
        if self.arguments.sequence {
            self.send_sequence.take();
        }
        self.packets[1] += 1;
        self.octets[1] += octets;
        self.send(buffer.get(start..).unwrap_or_default());
        Ok(())
    }

    fn read_network(&mut self) {
        let mut buffer = vec![0; 65_536];
        while let Ok(len) = (&self.receiver).read(&mut buffer) {
            if let Err(reason) = self.decapsulate(buffer.get(..len).unwrap_or_default()) {
                self.drop_for(&reason);
            }
        }
    }

    fn decapsulate(&mut self, bytes: &[u8]) -> Result<(), String> {
        let delivery = IpPacket::parse(bytes).map_err(|e| counter(&e))?;
        if delivery.source() != IpAddr::from(self.arguments.remote) {
            return Err("not from the peer".into());
        }
        let gre = delivery.gre().map_err(|e| counter(&e))?;
        if let Some(keepalive) = &mut self.keepalive {
            let inbound = Inbound {
                delivery: &delivery,
                gre: &gre,
                protected: false,
            };
            let now = self.start.elapsed();
            let outcome = keepalive.handle(Event::Received(inbound), now, &mut self.actions);
            self.carry_out();
            match outcome {
                keepalive::Outcome::Data => {}
                keepalive::Outcome::Dropped(reason) => return Err(reason.to_string()),
                _ => return Ok(()),
            }
        } else if gre.key() != self.arguments.key {
            return Err("wrong key".into());
        }
        if !matches!(gre.protocol(), EtherType::IPV4 | EtherType::IPV6) {
            return Err(format!("protocol {}", gre.protocol()));
        }
        let inner = IpPacket::parse(gre.payload()).map_err(|e| counter(&e))?;
        // RFC 2784 §3.1: a packet to the other end of the tunnel would loop.
        if inner.destination() == IpAddr::from(self.arguments.remote) {
            return Err("to the other end of the tunnel".into());
        }
        if self.arguments.sequence
            && self.receive_sequence.accept(gre.sequence()) == Order::OutOfSequence
        {
            return Err("out of sequence".into());
        }
        self.packets[0] += 1;
        self.octets[0] += u64::try_from(inner.total_len()).unwrap_or_default();
        self.tun.send(gre.payload()).map_err(|e| e.to_string())
    }

    fn send(&mut self, packet: &[u8]) {
        let to = SocketAddr::new(self.arguments.remote.into(), 0);
        if let Err(error) = self.sender.send_to(packet, &to.into()) {
            self.drop_for(&error.to_string());
        }
    }

    fn drop_for(&mut self, reason: &str) {
        // The reasons are of a few kinds; a peer that invents protocols does not fill the table.
        if self.dropped.len() < 64 || self.dropped.contains_key(reason) {
            *self.dropped.entry(reason.to_owned()).or_default() += 1;
        }
    }

    /// In the words of `show interface tunnel`.
    fn show(&self) -> String {
        let Arguments {
            device,
            address,
            local,
            remote,
            key,
            checksum,
            sequence,
            ..
        } = &self.arguments;
        let able = |on: bool| if on { "enabled" } else { "disabled" };
        let up = self.keepalive.as_ref().is_none_or(Keepalive::is_up);
        let key = key.map_or("disabled".into(), |key| format!("{key:#x}"));
        let mut text = format!(
            "{device} is up, line protocol is {}\n  Internet address is {address}\n",
            if up { "up" } else { "down" }
        );
        match &self.keepalive {
            Some(keepalive) => {
                let config = keepalive.config();
                let (period, retries) = (config.period.as_secs_f64(), config.retries);
                text += &format!("  Keepalive set ({period} sec), retries {retries}\n");
                let counters = keepalive.counters();
                text += &format!(
                    "  Keepalives sent {}, returned {}, answered {}\n",
                    counters.sent, counters.returned, counters.replied
                );
            }
            None => text += "  Keepalive not set\n",
        }
        text += &format!(
            "  Tunnel source {local}, destination {remote}\n  Tunnel protocol/transport GRE/IP, \
             key {key}, sequencing {}\n  Tunnel TTL 255\n  Checksumming of packets {}\n",
            able(*sequence),
            able(*checksum)
        );
        text += &format!(
            "     {} packets input, {} bytes\n",
            self.packets[0], self.octets[0]
        );
        text += &format!(
            "     {} packets output, {} bytes\n",
            self.packets[1], self.octets[1]
        );
        for (reason, count) in &self.dropped {
            text += &format!("     {count} dropped: {reason}\n");
        }
        text
    }
}

/// The kind of fault, without the values that differ from packet to packet.
fn counter(error: &::gre::ParseError) -> String {
    let kind = format!("{:?}", error.kind);
    kind.split([' ', '(']).next().unwrap_or_default().to_owned()
}

fn header_of(arguments: &Arguments, sequence: Option<u32>) -> Header {
    Header {
        protocol: EtherType::IPV4,
        checksum: arguments.checksum,
        key: arguments.key,
        // The size is what matters before the first packet.
        sequence: if arguments.sequence {
            Some(sequence.unwrap_or(0))
        } else {
            None
        },
    }
}
