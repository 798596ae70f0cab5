//! The outer side: UDP for IKE and encapsulated ESP, raw sockets for ESP, and the capture of both.

use super::config::Config;
use crate::{
    capture::Capture,
    net::{
        icmp::Icmp,
        raw_esp::RawEsp,
        udp::{RecvBuffers, Udp},
    },
};
use ike_sm::Path;
use mio::{Interest, Registry, Token};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Range,
};

/// The UDP ports really used. The protocol machines always see 500 and 4500, which only differ where no privilege for
/// them is to be had, on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Stands for 500.
    pub ike: u16,
    /// Stands for 4500.
    pub natt: u16,
}

impl Ports {
    fn seen(self, address: SocketAddr) -> SocketAddr {
        self.map(
            address,
            [self.ike, self.natt],
            [nat_t::IKE_PORT, nat_t::NAT_T_PORT],
        )
    }

    fn real(self, address: SocketAddr) -> SocketAddr {
        self.map(
            address,
            [nat_t::IKE_PORT, nat_t::NAT_T_PORT],
            [self.ike, self.natt],
        )
    }

    fn map(self, mut address: SocketAddr, from: [u16; 2], to: [u16; 2]) -> SocketAddr {
        let found = from
            .iter()
            .zip(to)
            .find(|(from, _)| **from == address.port());
        if let Some((_, to)) = found {
            address.set_port(to);
        }
        address
    }
}

impl Ports {
    /// What [`Outside::see_quoted`] does, the checksum of ICMP included.
    fn see_quoted(self, message: &mut [u8]) {
        if (self.ike, self.natt) == (nat_t::IKE_PORT, nat_t::NAT_T_PORT) {
            return;
        }
        let Ok(header) = esp::ip::IpHeader::parse(message) else {
            return;
        };
        let icmp = header.upper_offset;
        let quoted = icmp + 8;
        // Where the transport header of the quoted packet is, if that is UDP.
        let udp = match (
            message.get(quoted),
            message.get(quoted + 6),
            message.get(quoted + 9),
        ) {
            (Some(first), _, Some(&17)) if first >> 4 == 4 => quoted + usize::from(first & 15) * 4,
            (Some(first), Some(&17), _) if first >> 4 == 6 => quoted + 40,
            _ => return,
        };
        for at in [udp, udp + 2] {
            let Some(&real) = message.get(at..).and_then(|rest| rest.first_chunk::<2>()) else {
                return;
            };
            let address = SocketAddr::new(header.source, u16::from_be_bytes(real));
            let seen = self.seen(address).port().to_be_bytes();
            let sum = message
                .get(icmp + 2..)
                .and_then(|rest| rest.first_chunk::<2>());
            let Some(&sum) = sum else { return };
            let sum = nat_t::adjust(u16::from_be_bytes(sum), &real, &seen);
            for (place, octets) in [(at, seen), (icmp + 2, sum.to_be_bytes())] {
                if let Some(field) = message.get_mut(place..place + 2) {
                    field.copy_from_slice(&octets);
                }
            }
        }
    }
}

struct Listener {
    udp: Udp,
    natt: bool,
}

/// The sockets.
pub struct Outside {
    listeners: Vec<Listener>,
    raw: Vec<RawEsp>,
    icmp: Vec<Icmp>,
    mark: Option<u32>,
    ports: Ports,
    capture: Option<Capture>,
    first: usize,
}

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The UDP socket with this index.
    Udp(usize),
    /// The raw socket with this index.
    Raw(usize),
    /// The ICMP socket with this index.
    Icmp(usize),
}

impl Outside {
    /// Binds all sockets and registers them with tokens from `first` on. Without the privilege for raw sockets, ESP
    /// works in UDP only.
    ///
    /// # Errors
    /// A UDP socket cannot be bound; the error names its address.
    pub fn open(config: &Config, registry: &Registry, first: Token) -> io::Result<Self> {
        let gateway = &config.gateway;
        let ports = Ports {
            ike: gateway.port,
            natt: gateway.natt_port,
        };
        let mut outside = Self {
            listeners: Vec::new(),
            raw: Vec::new(),
            icmp: Vec::new(),
            mark: None,
            ports,
            capture: None,
            first: first.0,
        };
        let any = [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        let wild = gateway.listen.0.is_empty();
        let addresses: &[IpAddr] = if wild { &any } else { &gateway.listen.0 };
        for &address in addresses {
            for (port, natt) in [(ports.ike, false), (ports.natt, true)] {
                match Udp::bind(SocketAddr::new(address, port)) {
                    Ok(udp) => outside.listeners.push(Listener { udp, natt }),
                    // A machine without IPv6 listens to IPv4 only.
                    Err(e) if wild && address.is_ipv6() && no_family(&e) => {}
                    Err(e) => {
                        let what = format!("UDP {}: {e}", SocketAddr::new(address, port));
                        return Err(io::Error::new(e.kind(), what));
                    }
                }
            }
        }
        outside.raw = [false, true]
            .into_iter()
            .filter_map(|v6| RawEsp::open(v6).ok())
            .collect();
        outside.icmp = [false, true]
            .into_iter()
            .filter_map(|v6| Icmp::open(v6).ok())
            .collect();
        outside.mark = Some(gateway.mark).filter(|mark| *mark != 0 && outside.marked(*mark));
        let udp = outside
            .listeners
            .iter_mut()
            .map(|l| &mut l.udp as &mut dyn mio::event::Source);
        let raw = outside
            .raw
            .iter_mut()
            .map(|r| r as &mut dyn mio::event::Source);
        let icmp = outside
            .icmp
            .iter_mut()
            .map(|i| i as &mut dyn mio::event::Source);
        for (token, source) in (first.0..).zip(udp.chain(raw).chain(icmp)) {
            registry.register(source, Token(token), Interest::READABLE)?;
        }
        Ok(outside)
    }

    /// Records all that passes from now on.
    pub fn record(&mut self, capture: Capture) {
        self.capture = Some(capture);
    }

    /// Whether ESP can go directly over IP.
    #[must_use]
    pub fn has_raw_esp(&self) -> bool {
        !self.raw.is_empty()
    }

    /// The mark on all that leaves, where the privilege for it is to be had.
    #[must_use]
    pub const fn mark(&self) -> Option<u32> {
        self.mark
    }

    /// Marks what all sockets send; whether that was granted.
    fn marked(&self, mark: u32) -> bool {
        let udp = self.listeners.iter().map(|l| l.udp.set_mark(mark));
        let raw = self.raw.iter().map(|r| r.set_mark(mark));
        udp.chain(raw).all(|done| done.is_ok())
    }

    /// What `token` stands for.
    #[must_use]
    pub fn door(&self, token: Token) -> Option<Door> {
        let index = token.0.checked_sub(self.first)?;
        let Some(raw) = index.checked_sub(self.listeners.len()) else {
            return Some(Door::Udp(index));
        };
        let Some(icmp) = raw.checked_sub(self.raw.len()) else {
            return Some(Door::Raw(raw));
        };
        (icmp < self.icmp.len()).then_some(Door::Icmp(icmp))
    }

    /// Receives from a UDP socket; the datagrams are in `buffers`. Returns whether more may be waiting.
    ///
    /// # Errors
    /// The socket's.
    pub fn recv_udp(&self, index: usize, buffers: &mut RecvBuffers) -> io::Result<bool> {
        self.listeners
            .get(index)
            .map_or(Ok(false), |l| l.udp.recv(buffers))
    }

    /// The path of a datagram that came in through the UDP socket `index`, and a place in the capture.
    #[must_use]
    pub fn arrived(
        &mut self,
        index: usize,
        remote: SocketAddr,
        local: SocketAddr,
        payload: &[u8],
    ) -> Path {
        if let Some(capture) = &mut self.capture {
            // A full disk ends the recording, not the gateway.
            let _ = capture.udp(remote, local, payload);
        }
        let natt = self.listeners.get(index).is_some_and(|l| l.natt);
        Path {
            local: self.ports.seen(local),
            remote: self.ports.seen(remote),
            natt,
        }
    }

    /// Receives one ESP packet from a raw socket: source, destination, and its place in `buffer`.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn recv_raw(
        &mut self,
        index: usize,
        buffer: &mut [u8],
    ) -> io::Result<(IpAddr, IpAddr, Range<usize>)> {
        let raw = self.raw.get(index).ok_or(io::ErrorKind::WouldBlock)?;
        let (source, destination, range) = raw.recv(buffer)?;
        if let (Some(capture), Some(packet)) = (&mut self.capture, buffer.get(range.clone())) {
            let _ = capture.esp(source, destination, packet);
        }
        Ok((source, destination, range))
    }

    /// Receives one ICMP message about a packet that was too big, as an IP packet: its length in `buffer`.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn recv_icmp(&self, index: usize, buffer: &mut [u8]) -> io::Result<usize> {
        let icmp = self.icmp.get(index).ok_or(io::ErrorKind::WouldBlock)?;
        icmp.recv(buffer)
    }

    /// The ends of `path` with the ports that are on the wire, ours first.
    fn on_the_wire(&self, path: &Path) -> (SocketAddr, SocketAddr) {
        (self.ports.real(path.local), self.ports.real(path.remote))
    }

    /// Lets the packet that an ICMP error quotes show the ports that the protocol machines see; `message` is an IP packet.
    pub fn see_quoted(&self, message: &mut [u8]) {
        self.ports.see_quoted(message);
    }

    /// Sends a UDP payload along `path`; with `df`, routers must not fragment it.
    ///
    /// # Errors
    /// No socket fits, or the kernel refuses it.
    pub fn send_udp(&mut self, path: Path, payload: &[u8], df: bool) -> io::Result<()> {
        let (local, remote) = self.on_the_wire(&path);
        let fits = |l: &&Listener| {
            let bound = l.udp.local();
            bound.port() == local.port()
                && bound.is_ipv4() == remote.is_ipv4()
                && (bound.ip().is_unspecified() || bound.ip() == local.ip())
        };
        let listener = self.listeners.iter().find(fits).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                format!("no socket on {local}"),
            )
        })?;
        if let Some(capture) = &mut self.capture {
            let _ = capture.udp(local, remote, payload);
        }
        listener.udp.dont_fragment(df)?;
        listener.udp.send(local.ip(), remote, payload)
    }

    /// Sends an ESP packet directly over IP; with `df`, routers must not fragment it.
    ///
    /// # Errors
    /// No raw socket, or the kernel refuses it.
    pub fn send_raw(&mut self, path: Path, packet: &[u8], df: bool) -> io::Result<()> {
        let (source, destination) = (path.local.ip(), path.remote.ip());
        let raw = self
            .raw
            .iter()
            .find(|r| r.is_v6() == source.is_ipv6())
            .ok_or_else(|| {
                io::Error::new(io::ErrorKind::PermissionDenied, "no raw socket for ESP")
            })?;
        if let Some(capture) = &mut self.capture {
            let _ = capture.esp(source, destination, packet);
        }
        raw.dont_fragment(df)?;
        raw.send(source, destination, packet)
    }

    /// Hands the capture to its file.
    pub fn flush(&mut self) {
        if let Some(capture) = &mut self.capture {
            let _ = capture.flush();
        }
    }
}

/// The machine does not have this address family, or no address of it.
fn no_family(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
    )
}

/// The address from which the kernel would reach `remote`.
///
/// # Errors
/// There is no route.
pub fn source_towards(remote: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    // Connecting a UDP socket sends nothing.
    socket.connect((remote, nat_t::IKE_PORT))?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_packet_shows_the_ports_that_stand_for_the_real_ones() {
        use etherparse::{Icmpv4Header, Icmpv4Type, PacketBuilder, icmpv4::DestUnreachableHeader};
        let ports = Ports {
            ike: 15500,
            natt: 14500,
        };
        let message = |from: u16, to: u16| {
            let mut quote = Vec::new();
            let quoted = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(from, to);
            quoted.write(&mut quote, &[7; 32]).unwrap();
            quote[26..28].fill(0); // RFC 3948 §2.1: ESP in UDP has no checksum
            let told = DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: 1400 };
            let router = PacketBuilder::ipv4([203, 0, 113, 1], [192, 0, 2, 1], 64);
            let mut message = Vec::new();
            router
                .icmpv4(Icmpv4Type::DestinationUnreachable(told))
                .write(&mut message, &quote)
                .unwrap();
            message
        };
        let mut seen = message(14500, 14500);
        ports.see_quoted(&mut seen);
        assert_eq!(seen, message(4500, 4500));
        let (header, _) = Icmpv4Header::from_slice(&seen[20..]).unwrap();
        assert!(esp::TooBig::parse(&seen).is_ok(), "{header:?}");
        let mut other = message(40000, 14500);
        ports.see_quoted(&mut other);
        assert_eq!(other, message(40000, 4500));
        for len in 0..seen.len() {
            ports.see_quoted(&mut seen[..len]);
        }
    }

    #[test]
    fn the_machines_see_500_and_4500() {
        let ports = Ports {
            ike: 15500,
            natt: 14500,
        };
        let address = |port| SocketAddr::new("127.0.0.1".parse().unwrap(), port);
        for (real, seen) in [(15500, 500), (14500, 4500), (40000, 40000)] {
            assert_eq!(ports.seen(address(real)), address(seen));
            assert_eq!(ports.real(address(seen)), address(real));
        }
        let plain = Ports {
            ike: 500,
            natt: 4500,
        };
        assert_eq!(plain.seen(address(4500)), address(4500));
    }

    #[test]
    fn the_way_to_loopback_starts_there() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(source_towards(loopback).unwrap(), loopback);
    }
}
