//! Raw sockets for ESP directly over IP (protocol 50, RFC 4303 §2), IPv4 and IPv6.

use super::df::DontFragment;
use mio::{Interest, Registry, Token, event::Source, unix::SourceFd};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, recvmsg, sendmsg,
    setsockopt, sockopt::Ipv6RecvPacketInfo,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsFd, AsRawFd},
};

/// IP protocol number of ESP.
const ESP: i32 = 50;

/// A raw socket of one family; making one needs `CAP_NET_RAW`.
pub struct RawEsp {
    socket: Socket,
    v6: bool,
    df: DontFragment,
}

impl RawEsp {
    /// Opens the socket.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_NET_RAW`.
    pub fn open(v6: bool) -> io::Result<Self> {
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(ESP)))?;
        socket.set_nonblocking(true)?;
        super::room::for_bursts(&socket);
        if v6 {
            setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
        }
        Ok(Self {
            socket,
            v6,
            df: DontFragment::unknown(v6),
        })
    }

    /// Marks what the socket sends, for policy routing.
    ///
    /// # Errors
    /// It needs `CAP_NET_ADMIN`.
    pub fn set_mark(&self, mark: u32) -> io::Result<()> {
        self.socket.set_mark(mark)
    }

    /// Sets Don't Fragment on what is sent from now on, or clears it.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn dont_fragment(&self, on: bool) -> io::Result<()> {
        self.df.set(self.socket.as_fd(), on)
    }

    /// Whether it speaks IPv6.
    #[must_use]
    pub const fn is_v6(&self) -> bool {
        self.v6
    }

    /// Takes one packet: source, destination, and where in `buffer` the ESP header begins and the packet ends.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<(IpAddr, IpAddr, std::ops::Range<usize>)> {
        if self.v6 {
            self.recv6(buffer)
        } else {
            self.recv4(buffer)
        }
    }

    fn recv4(&self, buffer: &mut [u8]) -> io::Result<(IpAddr, IpAddr, std::ops::Range<usize>)> {
        use std::io::Read;
        let length = (&self.socket).read(buffer)?;
        // raw(7): IPv4 sockets give the IP header too.
        let packet = buffer.get(..length).unwrap_or_default();
        let header = etherparse::Ipv4HeaderSlice::from_slice(packet)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        let start = header.slice().len();
        Ok((
            header.source_addr().into(),
            header.destination_addr().into(),
            start..length,
        ))
    }

    fn recv6(&self, buffer: &mut [u8]) -> io::Result<(IpAddr, IpAddr, std::ops::Range<usize>)> {
        let mut control = nix::cmsg_space!(libc::in6_pktinfo);
        let mut slices = [IoSliceMut::new(buffer)];
        let fd = self.socket.as_raw_fd();
        let message =
            recvmsg::<SockaddrIn6>(fd, &mut slices, Some(&mut control), MsgFlags::empty())?;
        let source = message.address.map(|a| a.ip());
        let destination = message.cmsgs()?.find_map(|c| match c {
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                Some(std::net::Ipv6Addr::from(info.ipi6_addr.s6_addr))
            }
            _ => None,
        });
        match (source, destination) {
            (Some(source), Some(destination)) => {
                Ok((source.into(), destination.into(), 0..message.bytes))
            }
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "no addresses with the packet",
            )),
        }
    }

    /// Sends one ESP packet (from its SPI on); the kernel writes the IP header.
    ///
    /// # Errors
    /// The kernel refuses it, or the families differ.
    pub fn send(&self, source: IpAddr, destination: IpAddr, packet: &[u8]) -> io::Result<()> {
        let slices = [IoSlice::new(packet)];
        let fd = self.socket.as_raw_fd();
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) if !self.v6 => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from(source).to_be(),
                    },
                    ipi_addr: libc::in_addr {
                        s_addr: u32::from(Ipv4Addr::UNSPECIFIED),
                    },
                };
                let to = SockaddrIn::from(SocketAddrV4::new(destination, 0));
                let control = [ControlMessage::Ipv4PacketInfo(&info)];
                sendmsg(fd, &slices, &control, MsgFlags::empty(), Some(&to))?;
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) if self.v6 => {
                let info = libc::in6_pktinfo {
                    ipi6_ifindex: 0,
                    ipi6_addr: libc::in6_addr {
                        s6_addr: source.octets(),
                    },
                };
                let to = SockaddrIn6::from(SocketAddrV6::new(destination, 0, 0, 0));
                let control = [ControlMessage::Ipv6PacketInfo(&info)];
                sendmsg(fd, &slices, &control, MsgFlags::empty(), Some(&to))?;
            }
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "address family",
                ));
            }
        }
        Ok(())
    }
}

impl Source for RawEsp {
    fn register(&mut self, r: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).register(r, token, interest)
    }
    fn reregister(&mut self, r: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).reregister(r, token, interest)
    }
    fn deregister(&mut self, r: &Registry) -> io::Result<()> {
        SourceFd(&self.socket.as_raw_fd()).deregister(r)
    }
}
