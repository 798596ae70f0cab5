//! UDP sockets of IKE and of encapsulated ESP that know the local address of each datagram.

use super::df::DontFragment;
use mio::{Interest, Registry, Token, event::Source, net::UdpSocket};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
};

/// Datagrams taken from the kernel by one call.
const BATCH: usize = quinn_udp::BATCH_SIZE;
/// Room for one receive buffer: the kernel may join datagrams of one flow (GRO) up to this size.
const BUFFER: usize = 65_535;

/// Room for a batch of received datagrams; one serves all sockets of a loop.
pub struct RecvBuffers {
    bytes: Vec<u8>,
    meta: [RecvMeta; BATCH],
    /// How many of them are filled.
    filled: usize,
    /// Where the socket that filled them is bound.
    bound: Option<SocketAddr>,
}

impl RecvBuffers {
    /// Allocates the room, about two megabytes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; BUFFER * BATCH],
            meta: [RecvMeta::default(); BATCH],
            filled: 0,
            bound: None,
        }
    }

    /// The datagrams received last: source, destination on our side, contents.
    pub fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, SocketAddr, &mut [u8])> {
        let bound = self.bound;
        let filled = self
            .bytes
            .chunks_exact_mut(BUFFER)
            .zip(&self.meta)
            .take(self.filled);
        filled.flat_map(move |(bytes, meta)| {
            let local = bound.map(|b| SocketAddr::new(meta.dst_ip.unwrap_or(b.ip()), b.port()));
            let (joined, _) = bytes.split_at_mut_checked(meta.len).unwrap_or_default();
            let each = joined.chunks_mut(meta.stride.max(1));
            each.filter_map(move |d| local.map(|local| (plain(meta.addr), local, d)))
        })
    }
}

impl Default for RecvBuffers {
    fn default() -> Self {
        Self::new()
    }
}

/// One bound, non-blocking UDP socket.
pub struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    df: DontFragment,
}

impl Udp {
    /// Binds to `local`; port 0 lets the kernel choose.
    ///
    /// # Errors
    /// The address is taken, or not ours, or the port needs a privilege.
    pub fn bind(local: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&local.into())?;
        super::room::for_bursts(&socket);
        let socket = UdpSocket::from_std(socket.into());
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let df = DontFragment::unknown(local.is_ipv6());
        // IKE messages may exceed the path MTU: RFC 7296 §2 leaves them to IP fragmentation.
        df.set(socket.as_fd(), false)?;
        let local = socket.local_addr()?;
        Ok(Self {
            socket,
            state,
            local,
            df,
        })
    }

    /// Marks what the socket sends, for policy routing.
    ///
    /// # Errors
    /// It needs `CAP_NET_ADMIN`.
    pub fn set_mark(&self, mark: u32) -> io::Result<()> {
        SockRef::from(&self.socket).set_mark(mark)
    }

    /// Sets Don't Fragment on what is sent from now on, or clears it, as at first.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn dont_fragment(&self, on: bool) -> io::Result<()> {
        self.df.set(self.socket.as_fd(), on)
    }

    /// The address and port it is bound to.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Takes what has arrived into `buffers`. Returns whether more may be waiting.
    ///
    /// # Errors
    /// The socket's own; an ICMP error of an earlier send is not one.
    pub fn recv(&self, buffers: &mut RecvBuffers) -> io::Result<bool> {
        let RecvBuffers {
            bytes,
            meta,
            filled,
            bound,
        } = buffers;
        *filled = 0;
        *bound = Some(self.local);
        let mut chunks = bytes.chunks_exact_mut(BUFFER);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let received = self.socket.try_io(|| {
            self.state
                .recv(UdpSockRef::from(&self.socket), &mut slices, meta)
        });
        match received {
            Ok(n) => {
                *filled = n;
                Ok(true)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) if is_icmp(&e) => Ok(true),
            Err(e) => Err(e),
        }
    }

    /// Sends one datagram from `source`, which must be an address of ours.
    ///
    /// # Errors
    /// The kernel refuses it; `WouldBlock` when its buffer is full.
    pub fn send(&self, source: IpAddr, remote: SocketAddr, contents: &[u8]) -> io::Result<()> {
        let transmit = Transmit {
            destination: remote,
            ecn: None,
            contents,
            segment_size: None,
            src_ip: (!source.is_unspecified()).then_some(source),
        };
        let send = || {
            self.socket.try_io(|| {
                self.state
                    .try_send(UdpSockRef::from(&self.socket), &transmit)
            })
        };
        match send() {
            // Reports an earlier datagram's fate, and has not sent this one.
            Err(e) if is_icmp(&e) => send(),
            result => result,
        }
    }
}

impl Source for Udp {
    fn register(&mut self, r: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.socket.register(r, token, interest)
    }
    fn reregister(&mut self, r: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.socket.reregister(r, token, interest)
    }
    fn deregister(&mut self, r: &Registry) -> io::Result<()> {
        self.socket.deregister(r)
    }
}

/// An ICMP error that answers an earlier datagram.
fn is_icmp(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::ConnectionReset
    )
}

/// IPv4 in IPv6 clothes becomes IPv4.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_datagram_arrives_with_the_address_it_was_sent_to() {
        let any = Udp::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let one = Udp::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = SocketAddr::new("127.0.0.2".parse().unwrap(), any.local().port());
        let from = "127.0.0.1".parse().unwrap();
        one.send(from, to, b"first").unwrap();
        one.send(from, to, b"second").unwrap();
        let mut buffers = RecvBuffers::new();
        let mut seen = Vec::new();
        let end = Instant::now() + Duration::from_secs(5);
        while seen.len() < 2 && Instant::now() < end {
            any.recv(&mut buffers).unwrap();
            seen.extend(
                buffers
                    .datagrams()
                    .map(|(from, to, bytes)| (from, to, bytes.to_vec())),
            );
        }
        let expected = [&b"first"[..], b"second"]
            .map(|bytes| (one.local(), to, bytes.to_vec()))
            .to_vec();
        assert_eq!(seen, expected);
        // The answer leaves from the address the question came to.
        any.send(to.ip(), one.local(), b"back").unwrap();
        let mut back = None;
        while back.is_none() && Instant::now() < end {
            one.recv(&mut buffers).unwrap();
            back = buffers.datagrams().map(|(from, ..)| from).next();
        }
        assert_eq!(back, Some(to));
    }
}
