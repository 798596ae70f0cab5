//! The sockets of VRRP: raw ones for protocol 112 to receive, raw IP to send to unicast peers,
//! packet sockets to send whole frames.

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt,
    sockopt::{Ipv6RecvHopLimit, Ipv6RecvPacketInfo},
};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};
use std::{
    io::{self, IoSliceMut, Read},
    mem::size_of,
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::{AsRawFd, RawFd},
};
use vrrp::{GROUP_V4, GROUP_V6, PROTOCOL_VRRP, Received};

/// Receives the advertisements of one interface and family.
pub(super) struct Receiver {
    socket: Socket,
    v6: bool,
}

impl Receiver {
    pub(super) fn open(interface: &str, index: u32, v6: bool) -> io::Result<Self> {
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        let protocol = Protocol::from(i32::from(PROTOCOL_VRRP));
        let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        if v6 {
            socket.join_multicast_v6(&GROUP_V6, index)?;
            setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
            setsockopt(&socket, Ipv6RecvHopLimit, &true)?;
        } else {
            socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index))?;
        }
        Ok(Self { socket, v6 })
    }

    pub(super) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Hands over one packet, or what is wrong with it; `WouldBlock` when there is none.
    pub(super) fn receive<R>(
        &self,
        buffer: &mut [u8],
        take: impl FnOnce(Result<Received<'_>, vrrp::ParseError>) -> R,
    ) -> io::Result<R> {
        if self.v6 {
            return self.receive_v6(buffer).map(|received| take(Ok(received)));
        }
        // raw(7): IPv4 sockets give the IP header too.
        let len = (&self.socket).read(buffer)?;
        Ok(take(Received::from_packet(
            buffer.get(..len).unwrap_or_default(),
        )))
    }

    fn receive_v6<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Received<'a>> {
        let mut control = nix::cmsg_space!(libc::in6_pktinfo, libc::c_int);
        let mut destination = Ipv6Addr::UNSPECIFIED;
        // Without the kernel's word the packet counts as one from beyond the link.
        let mut ttl = 0;
        let (len, source) = {
            let mut parts = [IoSliceMut::new(buffer)];
            let message = recvmsg::<SockaddrIn6>(
                self.socket.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                MsgFlags::empty(),
            )?;
            for control in message.cmsgs()? {
                match control {
                    ControlMessageOwned::Ipv6PacketInfo(info) => {
                        destination = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    }
                    ControlMessageOwned::Ipv6HopLimit(limit) => {
                        ttl = u8::try_from(limit).unwrap_or(0);
                    }
                    _ => {}
                }
            }
            let source = message
                .address
                .map_or(Ipv6Addr::UNSPECIFIED, |address| address.ip());
            (message.bytes, source)
        };
        let message = buffer.get(..len).unwrap_or_default();
        Ok(Received {
            source: source.into(),
            destination: destination.into(),
            ttl,
            message,
        })
    }
}

/// Sends whole IP packets to unicast peers on one interface.
pub(super) struct Sender {
    socket: Socket,
    index: u32,
}

impl Sender {
    pub(super) fn open(interface: &str, index: u32, v6: bool) -> io::Result<Self> {
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        // raw(7): IPPROTO_RAW sends the header as given and receives nothing.
        let protocol = Protocol::from(libc::IPPROTO_RAW);
        let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        Ok(Self { socket, index })
    }

    pub(super) fn send(&self, packet: &[u8], to: IpAddr) -> io::Result<()> {
        let address = match to {
            IpAddr::V4(_) => SocketAddr::new(to, 0),
            IpAddr::V6(to) => SocketAddrV6::new(to, 0, 0, self.index).into(),
        };
        self.socket.send_to(packet, &address.into()).map(drop)
    }
}

/// Sends Ethernet frames on one interface.
pub(super) struct FrameSender {
    socket: Socket,
}

impl FrameSender {
    pub(super) fn open(index: u32) -> io::Result<Self> {
        // Protocol 0: nothing is received.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&link_address(index)?)?;
        Ok(Self { socket })
    }

    pub(super) fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).map(drop)
    }
}

/// The address of an interface for a packet socket.
#[allow(unsafe_code)]
fn link_address(index: u32) -> io::Result<SockAddr> {
    let index = i32::try_from(index).map_err(io::Error::other)?;
    let family = libc::sa_family_t::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    let size =
        libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    // SAFETY: `sockaddr_ll` fits into `sockaddr_storage`, which is zeroed and aligned for all
    // address types; the length told is that of the type written.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let address = storage.cast::<libc::sockaddr_ll>();
            (*address).sll_family = family;
            (*address).sll_ifindex = index;
            *length = size;
            Ok(())
        })
    }?;
    Ok(address)
}
