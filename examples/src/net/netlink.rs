//! Links, addresses and routes through rtnetlink, one question and its answer at a time.

use ipnet::IpNet;
mod rule;

pub use rule::Rule;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage as Rt,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
    link::{
        InfoData, InfoKind, InfoMacVlan, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
        MacVlanMode,
    },
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use std::{
    io,
    net::IpAddr,
    os::fd::{AsRawFd, RawFd},
};

/// A route: to `destination` through a device, a router, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Where to.
    pub destination: IpNet,
    /// The device, by interface index.
    pub device: Option<u32>,
    /// The next router.
    pub gateway: Option<IpAddr>,
    /// Source address of packets that do not have one yet.
    pub source: Option<IpAddr>,
    /// The routing table; `None` is the main one.
    pub table: Option<u32>,
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address.
    pub mac: Option<[u8; 6]>,
    /// Its MTU, octets.
    pub mtu: u32,
    /// Whether it is up and has a carrier.
    pub running: bool,
}

/// Says when links or addresses change.
pub struct Watch {
    socket: Socket,
}

impl Watch {
    /// Starts watching.
    ///
    /// # Errors
    /// No netlink socket is to be had.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        // rtnetlink(7): RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR.
        for group in [1, 5, 9] {
            socket.add_membership(group)?;
        }
        Ok(Self { socket })
    }

    /// Readable when something changed.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Takes what is there; what it was is asked for anew.
    pub fn drain(&self) {
        // An overrun (ENOBUFS) is news, too.
        while match self.socket.recv_from_full() {
            Ok(_) => true,
            Err(e) => e.raw_os_error() == Some(libc::ENOBUFS),
        } {}
    }
}

/// A conversation with the kernel.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens the conversation.
    ///
    /// # Errors
    /// No netlink socket is to be had.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Adds `route`, or replaces the one to the same destination.
    ///
    /// # Errors
    /// The kernel refuses it; it needs `CAP_NET_ADMIN`.
    pub fn add_route(&mut self, route: &Route) -> io::Result<()> {
        self.ask(Rt::NewRoute(route.message()), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Removes `route`. One that is gone already is no error.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn del_route(&mut self, route: &Route) -> io::Result<()> {
        match self.ask(Rt::DelRoute(route.message()), 0) {
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            result => result,
        }
    }

    /// The addresses of this machine, with their interface index and prefix length.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn addresses(&mut self) -> io::Result<Vec<(u32, IpAddr, u8)>> {
        let mut found = Vec::new();
        self.dump(Rt::GetAddress(AddressMessage::default()), |message| {
            let Rt::NewAddress(address) = message else {
                return;
            };
            // IFA_LOCAL is ours; on a point-to-point link IFA_ADDRESS is the other end's.
            let local = address.attributes.iter().find_map(|a| match a {
                AddressAttribute::Local(ip) => Some(*ip),
                _ => None,
            });
            let any = address.attributes.iter().find_map(|a| match a {
                AddressAttribute::Address(ip) => Some(*ip),
                _ => None,
            });
            if let Some(ip) = local.or(any) {
                found.push((address.header.index, ip, address.header.prefix_len));
            }
        })?;
        Ok(found)
    }

    /// The index of the interface called `name`.
    ///
    /// # Errors
    /// `NotFound`, or the kernel does not answer.
    pub fn link_index(&mut self, name: &str) -> io::Result<u32> {
        let mut index = None;
        self.dump(Rt::GetLink(LinkMessage::default()), |message| {
            let Rt::NewLink(link) = message else { return };
            let named = |a: &LinkAttribute| matches!(a, LinkAttribute::IfName(n) if n == name);
            if link.attributes.iter().any(named) {
                index = Some(link.header.index);
            }
        })?;
        index.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("no interface `{name}`"))
        })
    }

    /// All interfaces.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn links(&mut self) -> io::Result<Vec<Link>> {
        let mut links = Vec::new();
        self.dump(Rt::GetLink(LinkMessage::default()), |message| {
            let Rt::NewLink(message) = message else {
                return;
            };
            let flags = message.header.flags;
            let mut link = Link {
                index: message.header.index,
                name: String::new(),
                mac: None,
                mtu: 0,
                running: flags.contains(LinkFlags::Up) && flags.contains(LinkFlags::Running),
            };
            for attribute in message.attributes {
                match attribute {
                    LinkAttribute::IfName(name) => link.name = name,
                    LinkAttribute::Address(mac) => link.mac = mac.try_into().ok(),
                    LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                    _ => {}
                }
            }
            links.push(link);
        })?;
        Ok(links)
    }

    /// The MTU of the interface that has the address `local`, octets.
    ///
    /// # Errors
    /// `NotFound`, or the kernel does not answer.
    pub fn mtu_of(&mut self, local: IpAddr) -> io::Result<u32> {
        let addresses = self.addresses()?;
        let index = addresses.iter().find(|(_, ip, _)| *ip == local);
        let index = index.ok_or(io::ErrorKind::NotFound)?.0;
        let links = self.links()?;
        let link = links.iter().find(|l| l.index == index);
        Ok(link.ok_or(io::ErrorKind::NotFound)?.mtu)
    }

    /// Sets an interface up.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn set_up(&mut self, index: u32) -> io::Result<()> {
        self.set_flags(index, LinkFlags::Up)
    }

    /// Sets an interface down.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn set_down(&mut self, index: u32) -> io::Result<()> {
        self.set_flags(index, LinkFlags::empty())
    }

    fn set_flags(&mut self, index: u32, flags: LinkFlags) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.flags = flags;
        link.header.change_mask = LinkFlags::Up;
        self.ask(Rt::SetLink(link), 0)
    }

    /// Creates a macvlan interface on `parent` with its own Ethernet address, in bridge
    /// mode: the parent still sees frames that carry that address as their source.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn add_macvlan(&mut self, name: &str, parent: u32, mac: [u8; 6]) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::IfName(name.into()));
        link.attributes.push(LinkAttribute::Link(parent));
        link.attributes.push(LinkAttribute::Address(mac.to_vec()));
        link.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::MacVlan),
            LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(
                MacVlanMode::Bridge,
            )])),
        ]));
        self.ask(Rt::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Deletes an interface.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn del_link(&mut self, index: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        self.ask(Rt::DelLink(link), 0)
    }

    /// Creates a pair of virtual Ethernet interfaces.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn add_veth(&mut self, name: &str, peer: &str) -> io::Result<()> {
        let mut other = LinkMessage::default();
        other.attributes.push(LinkAttribute::IfName(peer.into()));
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::IfName(name.into()));
        link.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(other))),
        ]));
        self.ask(Rt::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Moves an interface into the network namespace of process `pid`.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn move_to(&mut self, index: u32, pid: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.attributes.push(LinkAttribute::NetNsPid(pid));
        self.ask(Rt::SetLink(link), 0)
    }

    /// Gives an interface an address.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn add_address(&mut self, index: u32, address: IpNet) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.header.family = family(address.addr());
        message.header.prefix_len = address.prefix_len();
        // IFA_F_NODAD: the address is usable at once.
        message.header.flags = AddressHeaderFlags::from_bits_retain(2);
        message
            .attributes
            .push(AddressAttribute::Local(address.addr()));
        message
            .attributes
            .push(AddressAttribute::Address(address.addr()));
        self.ask(Rt::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Takes an address from an interface. One that is gone already is no error.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn del_address(&mut self, index: u32, address: IpNet) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.header.family = family(address.addr());
        message.header.prefix_len = address.prefix_len();
        message
            .attributes
            .push(AddressAttribute::Local(address.addr()));
        match self.ask(Rt::DelAddress(message), 0) {
            Err(e) if e.raw_os_error() == Some(libc::EADDRNOTAVAIL) => Ok(()),
            result => result,
        }
    }

    fn ask(&mut self, message: Rt, flags: u16) -> io::Result<()> {
        self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        self.receive(|_| {})
    }

    fn dump(&mut self, message: Rt, f: impl FnMut(Rt)) -> io::Result<()> {
        self.send(message, NLM_F_REQUEST | NLM_F_DUMP)?;
        self.receive(f)
    }

    fn send(&mut self, message: Rt, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(message);
        message.header.flags = flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop)
    }

    /// Reads until the acknowledgement, the end of a dump, or an error.
    fn receive(&mut self, mut f: impl FnMut(Rt)) -> io::Result<()> {
        loop {
            let (bytes, _) = self.socket.recv_from_full()?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let message = NetlinkMessage::<Rt>::deserialize(rest)
                    .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
                // Messages start at multiples of four octets.
                let length = usize::try_from(message.header.length).map_err(io::Error::other)?;
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(e) if e.code.is_none() => return Ok(()),
                    NetlinkPayload::Error(e) => return Err(e.to_io()),
                    NetlinkPayload::InnerMessage(inner) => f(inner),
                    _ => {}
                }
            }
        }
    }
}

impl Route {
    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        let address = |ip: IpAddr| RouteAddress::from(ip);
        message.header.address_family = family(self.destination.addr());
        message.header.destination_prefix_length = self.destination.prefix_len();
        // The header's field has eight bits.
        message.header.table = match self.table {
            Some(_) => libc::RT_TABLE_UNSPEC,
            None => libc::RT_TABLE_MAIN,
        };
        message.header.protocol = RouteProtocol::Static;
        message.header.kind = RouteType::Unicast;
        message.header.scope = if self.gateway.is_some() || self.destination.addr().is_ipv6() {
            RouteScope::Universe
        } else {
            RouteScope::Link
        };
        let attributes = &mut message.attributes;
        attributes.push(RouteAttribute::Destination(address(
            self.destination.network(),
        )));
        attributes.extend(self.gateway.map(|g| RouteAttribute::Gateway(address(g))));
        attributes.extend(self.device.map(RouteAttribute::Oif));
        attributes.extend(self.table.map(RouteAttribute::Table));
        attributes.extend(self.source.map(|s| RouteAttribute::PrefSource(address(s))));
        message
    }
}

fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_and_its_address_are_found() {
        let mut netlink = Netlink::open().unwrap();
        let index = netlink.link_index("lo").unwrap();
        let loopback = (index, IpAddr::from([127, 0, 0, 1]), 8);
        assert!(netlink.addresses().unwrap().contains(&loopback));
        let mtu = netlink.mtu_of([127, 0, 0, 1].into()).unwrap();
        assert!(mtu >= 16_384, "{mtu}");
    }

    #[test]
    fn an_absent_interface_is_named() {
        let error = Netlink::open().unwrap().link_index("nothere0").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("nothere0"));
    }
}
