//! Raw sockets that hear which of our packets were too big for a link on their way (RFC 1191, RFC 8201).

use mio::{Interest, Registry, Token, event::Source, unix::SourceFd};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt::Ipv6RecvPacketInfo,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{self, IoSliceMut, Read},
    net::Ipv6Addr,
    os::fd::AsRawFd,
};

/// Octets of an IPv6 header.
const IPV6_HEADER: usize = 40;
/// ICMP "destination unreachable", the only type that is let through: code 4 is "fragmentation needed".
const UNREACHABLE: u32 = 3;
/// ICMPv6 "packet too big".
const PACKET_TOO_BIG: usize = 2;
/// linux/icmp.h, linux/icmpv6.h.
const SOL_RAW: libc::c_int = 255;
const FILTER: libc::c_int = 1;

/// A raw ICMP socket of one family; making one needs `CAP_NET_RAW`.
pub struct Icmp {
    socket: Socket,
    v6: bool,
}

impl Icmp {
    /// Opens the socket.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_NET_RAW`.
    pub fn open(v6: bool) -> io::Result<Self> {
        let (domain, protocol) = if v6 {
            (Domain::IPV6, Protocol::ICMPV6)
        } else {
            (Domain::IPV4, Protocol::ICMPV4)
        };
        let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        // A set bit blocks the type.
        if v6 {
            setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
            let mut blocked = [0xff_u8; 32];
            if let Some(octet) = blocked.get_mut(PACKET_TOO_BIG / 8) {
                *octet = !(1 << (PACKET_TOO_BIG % 8));
            }
            set_option(&socket, libc::IPPROTO_ICMPV6, &blocked)?;
        } else {
            set_option(&socket, SOL_RAW, &(!(1u32 << UNREACHABLE)).to_ne_bytes())?;
        }
        Ok(Self { socket, v6 })
    }

    /// Takes one message, as the IP packet that it came in: its length in `buffer`.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.v6 {
            // raw(7): IPv4 sockets give the IP header too.
            return (&self.socket).read(buffer);
        }
        let room = buffer.get_mut(IPV6_HEADER..).unwrap_or_default();
        let mut slices = [IoSliceMut::new(room)];
        let mut control = nix::cmsg_space!(libc::in6_pktinfo);
        let fd = self.socket.as_raw_fd();
        let message =
            recvmsg::<SockaddrIn6>(fd, &mut slices, Some(&mut control), MsgFlags::empty())?;
        let destination = message.cmsgs()?.find_map(|c| match c {
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                Some(Ipv6Addr::from(info.ipi6_addr.s6_addr))
            }
            _ => None,
        });
        let source = message.address.map(|a| a.ip());
        let (Some(source), Some(destination)) = (source, destination) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let length = message.bytes;
        let header = etherparse::Ipv6Header {
            payload_length: u16::try_from(length).unwrap_or(u16::MAX),
            next_header: etherparse::IpNumber::IPV6_ICMP,
            hop_limit: 64,
            source: source.octets(),
            destination: destination.octets(),
            ..etherparse::Ipv6Header::default()
        };
        if let Some(room) = buffer.get_mut(..IPV6_HEADER) {
            room.copy_from_slice(&header.to_bytes());
        }
        Ok(IPV6_HEADER + length)
    }
}

#[allow(unsafe_code)]
fn set_option(socket: &Socket, level: libc::c_int, value: &[u8]) -> io::Result<()> {
    let size = u32::try_from(value.len()).map_err(io::Error::other)?;
    let fd = socket.as_raw_fd();
    // SAFETY: the descriptor is open, and the value is as long as is said.
    let done = unsafe { libc::setsockopt(fd, level, FILTER, value.as_ptr().cast(), size) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

impl Source for Icmp {
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
