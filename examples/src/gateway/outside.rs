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
    #[must_use]
    pub fn on_the_wire(&self, path: &Path) -> (SocketAddr, SocketAddr) {
        (self.ports.real(path.local), self.ports.real(path.remote))
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
