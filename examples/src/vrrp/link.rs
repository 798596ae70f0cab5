//! The interfaces under the virtual routers: their sockets, and the macvlan interfaces that carry
//! virtual MAC addresses.

use super::socket::{FrameSender, Receiver, Sender};
use crate::{
    net::netlink::{Link, Netlink},
    process::log::line,
};
use ipnet::IpNet;
use std::{fs, io, net::IpAddr};
use vrrp::{Family, MacAddr};

/// An interface that virtual routers run on.
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) mac: MacAddr,
    pub(super) frames: FrameSender,
    pub(super) v4: Option<Receiver>,
    pub(super) v6: Option<Receiver>,
    pub(super) send_v4: Option<Sender>,
    pub(super) send_v6: Option<Sender>,
}

impl Interface {
    pub(super) fn open(link: &Link) -> io::Result<Self> {
        let mac = link.mac.ok_or_else(|| {
            io::Error::other(format!("interface `{}` has no MAC address", link.name))
        })?;
        Ok(Self {
            name: link.name.clone(),
            index: link.index,
            mac: MacAddr(mac),
            frames: FrameSender::open(link.index)?,
            v4: None,
            v6: None,
            send_v4: None,
            send_v6: None,
        })
    }

    /// Opens what a router of `family` needs.
    pub(super) fn serve(&mut self, family: Family, unicast: bool) -> io::Result<()> {
        let v6 = family == Family::V6;
        let (receiver, sender) = match family {
            Family::V4 => (&mut self.v4, &mut self.send_v4),
            Family::V6 => (&mut self.v6, &mut self.send_v6),
        };
        if receiver.is_none() {
            *receiver = Some(Receiver::open(&self.name, self.index, v6)?);
        }
        if unicast && sender.is_none() {
            *sender = Some(Sender::open(&self.name, self.index, v6)?);
        }
        Ok(())
    }

    /// Sends an IP packet to a unicast peer.
    pub(super) fn send(&self, packet: &[u8], to: IpAddr) -> io::Result<()> {
        let sender = if to.is_ipv4() {
            &self.send_v4
        } else {
            &self.send_v6
        };
        match sender {
            Some(sender) => sender.send(packet, to),
            None => Err(io::Error::other("no unicast socket")),
        }
    }
}

/// Where a router's addresses go.
pub(super) enum Holder {
    /// Onto the interface itself.
    Plain { index: u32 },
    /// Onto a macvlan interface with the virtual MAC address, up while the router is master.
    Macvlan { index: u32 },
}

impl Holder {
    /// Makes the macvlan interface, down, in place of one left behind by a daemon that was killed.
    pub(super) fn macvlan(
        netlink: &mut Netlink,
        parent: &Interface,
        name: &str,
        mac: MacAddr,
    ) -> io::Result<Self> {
        if let Ok(left) = netlink.link_index(name) {
            netlink.del_link(left)?;
        }
        netlink.add_macvlan(name, parent.index, mac.0)?;
        // Answer ARP where the address is, and only there: with the virtual MAC address. Packets
        // come in here whose way back is the parent's (loose reverse path).
        set(&parent.name, "ipv4", "arp_ignore", "1");
        set(name, "ipv4", "arp_ignore", "1");
        set(name, "ipv4", "rp_filter", "2");
        // RFC 9568 §7.4: no link-local address made of the virtual MAC address.
        set(name, "ipv6", "addr_gen_mode", "1");
        set(name, "ipv6", "accept_ra", "0");
        Ok(Self::Macvlan {
            index: netlink.link_index(name)?,
        })
    }

    pub(super) fn add(&self, netlink: &mut Netlink, addresses: &[IpNet]) -> io::Result<()> {
        match *self {
            Self::Plain { index } => each(addresses, |net| netlink.add_address(index, net)),
            Self::Macvlan { index } => {
                netlink.set_up(index)?;
                // As hosts: the network's route stays with the parent.
                each(addresses, |net| {
                    netlink.add_address(index, net.addr().into())
                })
            }
        }
    }

    pub(super) fn remove(&self, netlink: &mut Netlink, addresses: &[IpNet]) -> io::Result<()> {
        match *self {
            Self::Plain { index } => each(addresses, |net| netlink.del_address(index, net)),
            Self::Macvlan { index } => {
                each(addresses, |net| {
                    netlink.del_address(index, net.addr().into())
                })?;
                netlink.set_down(index)
            }
        }
    }

    /// Removes the macvlan interface.
    pub(super) fn drop_link(&self, netlink: &mut Netlink) -> io::Result<()> {
        match *self {
            Self::Plain { .. } => Ok(()),
            Self::Macvlan { index } => netlink.del_link(index),
        }
    }
}

/// All of them, also behind an error; the first one is told.
fn each(addresses: &[IpNet], mut call: impl FnMut(IpNet) -> io::Result<()>) -> io::Result<()> {
    let mut first = Ok(());
    for net in addresses {
        let result = call(*net);
        if first.is_ok() {
            first = result;
        }
    }
    first
}

/// Best effort: a machine without IPv6 has no IPv6 settings.
fn set(interface: &str, family: &str, key: &str, value: &str) {
    let path = format!("/proc/sys/net/{family}/conf/{interface}/{key}");
    if let Err(error) = fs::write(&path, value) {
        line(&format!("vrrp: {path}: {error}"));
    }
}
