//! Raw sockets for GRE (protocol 47): whole delivery packets in and out, IPv4 and IPv6.

use super::netlink::Netlink;
use ::gre::{Delivery, ip::IPV6_HEADER_LEN, ip::PROTOCOL_GRE};
use mio::{Interest, Registry, Token, event::Source, unix::SourceFd};
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn6, getsockopt, recvmsg, setsockopt,
    sockopt::{IpMtu, Ipv6RecvPacketInfo},
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{self, IoSliceMut, Read},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    os::fd::AsRawFd,
};

/// The sockets of one family; making them needs `CAP_NET_RAW`.
pub struct RawGre {
    receiver: Socket,
    sender: Socket,
    v6: bool,
}

impl RawGre {
    /// Opens the sockets. `local` limits what comes in to what was sent there.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_NET_RAW`; `local` is not an address of this machine.
    pub fn open(v6: bool, local: Option<IpAddr>) -> io::Result<Self> {
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        let raw = |protocol: i32| -> io::Result<Socket> {
            let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(protocol)))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let receiver = raw(PROTOCOL_GRE.into())?;
        super::room::for_bursts(&receiver);
        if v6 {
            setsockopt(&receiver, Ipv6RecvPacketInfo, &true)?;
            receiver.set_recv_tclass_v6(true)?;
        }
        if let Some(local) = local {
            receiver.bind(&SocketAddr::new(local, 0).into())?;
        }
        // raw(7), ipv6(7): this protocol stands for packets that bring their IP header along.
        let sender = raw(libc::IPPROTO_RAW)?;
        Ok(Self {
            receiver,
            sender,
            v6,
        })
    }

    /// Whether it speaks IPv6.
    #[must_use]
    pub const fn is_v6(&self) -> bool {
        self.v6
    }

    /// Takes one delivery packet, IP header first; its length.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.v6 {
            self.recv6(buffer)
        } else {
            (&self.receiver).read(buffer)
        }
    }

    /// ipv6(7): the socket gives the payload only, and what the header said on request.
    fn recv6(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut control = nix::cmsg_space!(libc::in6_pktinfo, libc::c_int);
        let room = buffer.get_mut(IPV6_HEADER_LEN..).unwrap_or_default();
        let mut slices = [IoSliceMut::new(room)];
        let fd = self.receiver.as_raw_fd();
        let message =
            recvmsg::<SockaddrIn6>(fd, &mut slices, Some(&mut control), MsgFlags::empty())?;
        let bytes = message.bytes;
        let source = message.address.map(|a| a.ip());
        let (mut destination, mut traffic_class) = (None, 0);
        for message in message.cmsgs()? {
            match message {
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr));
                }
                ControlMessageOwned::Ipv6TClass(class) => {
                    traffic_class = u8::try_from(class).unwrap_or_default();
                }
                _ => {}
            }
        }
        let (Some(source), Some(destination)) = (source, destination) else {
            let what = "no addresses with the packet";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        };
        let delivery = Delivery {
            traffic_class,
            ..Delivery::new(source.into(), destination.into())
        };
        let end = IPV6_HEADER_LEN.saturating_add(bytes);
        let packet = buffer.get_mut(..end).unwrap_or_default();
        delivery
            .prepend(packet, IPV6_HEADER_LEN)
            .map_err(io::Error::other)?;
        Ok(end)
    }

    /// Sends one delivery packet, IP header first, to `destination`.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn send(&self, packet: &[u8], destination: IpAddr) -> io::Result<()> {
        let to = SocketAddr::new(destination, 0);
        self.sender.send_to(packet, &to.into()).map(drop)
    }
}

/// What the kernel knows the path to `remote` to carry, octets: the link's MTU, or what routers on the way have said (of
/// IPv6 only the link's).
///
/// # Errors
/// There is no way to `remote`.
pub fn path_mtu(remote: IpAddr) -> io::Result<usize> {
    let any: IpAddr = match remote {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    // Connecting sends nothing; the port does not matter.
    socket.connect((remote, 9))?;
    match remote {
        IpAddr::V4(_) => usize::try_from(getsockopt(&socket, IpMtu)?).map_err(io::Error::other),
        IpAddr::V6(_) => {
            let link = Netlink::open()?.mtu_of(socket.local_addr()?.ip())?;
            usize::try_from(link).map_err(io::Error::other)
        }
    }
}

impl Source for RawGre {
    fn register(&mut self, r: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        SourceFd(&self.receiver.as_raw_fd()).register(r, token, interest)
    }
    fn reregister(&mut self, r: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        SourceFd(&self.receiver.as_raw_fd()).reregister(r, token, interest)
    }
    fn deregister(&mut self, r: &Registry) -> io::Result<()> {
        SourceFd(&self.receiver.as_raw_fd()).deregister(r)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_loopback_carries_much() {
        assert!(path_mtu([127, 0, 0, 1].into()).unwrap() >= 16_384);
        assert!(path_mtu(Ipv6Addr::LOCALHOST.into()).is_ok_and(|mtu| mtu >= 16_384));
    }
}
