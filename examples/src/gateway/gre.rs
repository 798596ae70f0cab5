//! The gateway's GRE tunnels with their devices and sockets.

use super::{
    config::{Config, GreTunnel, MAX_GRE, Mode, NatTraversal, Network, Several, Tunnel as Policy},
    engine::{HEADROOM as BEFORE, TAILROOM as BEHIND},
    glue,
};
use crate::{
    gre::{
        status::TunnelStatus,
        tunnel::{HEADROOM, Tunnel},
    },
    net::{netlink::Netlink, raw_gre::RawGre, raw_gre::path_mtu, tun::Tun},
};
use esp::Overhead;
use gre::{IpPacket, Packet};
use mio::{Interest, Registry, Token};
use std::{io, net::IpAddr, ops::Range, time::Duration};

/// What a path carries that the kernel knows nothing about, octets.
const ETHERNET: usize = 1500;
/// How often it is asked what the path carries.
const ASK_INTERVAL: Duration = Duration::from_secs(1);
/// Sockets: IPv4 and IPv6.
const SOCKETS: usize = 2;

/// One tunnel and its device.
pub struct GreDevice {
    /// The tunnel.
    pub tunnel: Tunnel,
    /// Its device.
    pub device: Tun,
    /// The `[[peer.tunnel]]` that protects it.
    pub policy: Option<String>,
    asked: Duration,
}

/// All tunnels.
pub struct GreTunnels {
    tunnels: Vec<GreDevice>,
    sockets: [Option<RawGre>; SOCKETS],
    /// For packets of devices and sockets, with room around them.
    buffer: Vec<u8>,
}

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GreDoor {
    /// The socket with this index.
    Socket(usize),
    /// The device with this index.
    Device(usize),
}

impl GreTunnels {
    /// Makes the devices, opens the sockets and registers both with tokens from `first` on.
    ///
    /// # Errors
    /// A device or a socket is not to be had; the error names it.
    pub fn open(config: &Config, registry: &Registry, first: Token) -> io::Result<Self> {
        let mut all = Self {
            tunnels: Vec::new(),
            sockets: [None, None],
            buffer: Vec::new(),
        };
        let register = |source: &mut dyn mio::event::Source, offset: usize| {
            registry.register(source, Token(first.0 + offset), Interest::READABLE)
        };
        for written in config.gre.iter().take(MAX_GRE) {
            let mut made = GreDevice::create(config, written).map_err(|e| {
                let what = format!("GRE tunnel {}: {e}", written.name.get_ref());
                io::Error::new(e.kind(), what)
            })?;
            register(&mut made.device, SOCKETS + all.tunnels.len())?;
            all.tunnels.push(made);
            let v6 = written.source.get_ref().is_ipv6();
            let index = usize::from(v6);
            if let Some(place @ None) = all.sockets.get_mut(index) {
                let mut socket = RawGre::open(v6, None)
                    .map_err(|e| io::Error::new(e.kind(), format!("raw socket for GRE: {e}")))?;
                register(&mut socket, index)?;
                *place = Some(socket);
            }
        }
        if !all.tunnels.is_empty() {
            all.buffer = vec![0; BEFORE + HEADROOM + 65_536 + BEHIND];
        }
        Ok(all)
    }

    /// What the token at `offset` behind the first stands for.
    #[must_use]
    pub const fn door(offset: usize) -> GreDoor {
        match offset.checked_sub(SOCKETS) {
            Some(device) => GreDoor::Device(device),
            None => GreDoor::Socket(offset),
        }
    }

    /// Takes one packet into the buffer: from the socket a delivery packet, from a device what is to cross the tunnel.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn recv(&self, door: GreDoor, buffer: &mut [u8]) -> io::Result<Range<usize>> {
        let start = BEFORE + HEADROOM;
        let end = buffer.len().saturating_sub(BEHIND);
        let room = buffer.get_mut(start..end).unwrap_or_default();
        let nothing = || io::Error::from(io::ErrorKind::WouldBlock);
        let length = match door {
            GreDoor::Socket(n) => {
                let socket = self.sockets.get(n).and_then(Option::as_ref);
                socket.ok_or_else(nothing)?.recv(room)?
            }
            GreDoor::Device(n) => self.tunnels.get(n).ok_or_else(nothing)?.device.recv(room)?,
        };
        Ok(start..start + length)
    }

    /// Lends the buffer; it has to come back.
    pub fn lend(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// Takes the buffer back.
    pub fn give_back(&mut self, buffer: Vec<u8>) {
        self.buffer = buffer;
    }

    /// Sends a delivery packet bare.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn send(&self, packet: &[u8], to: IpAddr) -> io::Result<()> {
        let socket = self.sockets.get(usize::from(to.is_ipv6()));
        match socket.and_then(Option::as_ref) {
            Some(socket) => socket.send(packet, to),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The tunnel with this index.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut GreDevice> {
        self.tunnels.get_mut(index)
    }

    /// The tunnel with this index, if its path shall be asked about now.
    pub fn due_mut(&mut self, index: usize, now: Duration) -> Option<&mut GreDevice> {
        let gre = self.tunnels.get_mut(index)?;
        gre.is_due(now).then_some(gre)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tunnels.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tunnels.is_empty()
    }

    /// Whether a packet out of IPsec is one of these tunnels'.
    #[must_use]
    pub fn takes(&self, packet: &[u8]) -> bool {
        !self.is_empty() && self.of(packet).is_some()
    }

    /// The tunnel that a delivery packet belongs to: by its ends, and among several between the same ends by key.
    #[must_use]
    pub fn of(&self, packet: &[u8]) -> Option<usize> {
        let delivery = IpPacket::parse(packet).ok()?;
        let octets = delivery.gre_bytes().ok()?;
        let ends = (delivery.destination(), delivery.source());
        let mut between = self.tunnels.iter().enumerate().filter(|(_, t)| {
            let settings = t.tunnel.settings();
            (settings.local, settings.remote) == ends
        });
        let first = between.clone().next()?.0;
        let key = Packet::parse_unverified(octets).ok().and_then(|p| p.key());
        let keyed = between.find(|(_, t)| t.tunnel.settings().key == key);
        Some(keyed.map_or(first, |(index, _)| index))
    }

    /// When the next keepalive is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.tunnels
            .iter()
            .filter_map(|t| t.tunnel.next_deadline())
            .min()
    }

    /// What the tables show.
    #[must_use]
    pub fn status(&self, now: Duration) -> Vec<TunnelStatus> {
        self.tunnels.iter().map(|t| t.tunnel.status(now)).collect()
    }
}

impl GreDevice {
    /// Whether the path shall be asked about now.
    fn is_due(&mut self, now: Duration) -> bool {
        let due = now >= self.asked;
        if due {
            self.asked = now.saturating_add(ASK_INTERVAL);
        }
        due
    }

    fn create(config: &Config, written: &GreTunnel) -> io::Result<Self> {
        let policy = policy(config, written);
        let mut settings = written.settings(fitting(config, written, policy)?);
        settings.protection = policy.map(|(_, tunnel)| match &written.protection {
            Some(profile) => format!("profile \"{}\"", profile.get_ref()),
            None => format!("tunnel \"{}\"", tunnel.name.get_ref()),
        });
        let mtu = u16::try_from(settings.mtu).unwrap_or(u16::MAX);
        let device = Tun::create(&settings.name, mtu)?;
        let mut netlink = Netlink::open()?;
        for address in &settings.addresses {
            netlink.add_address(device.index(), *address)?;
        }
        Ok(Self {
            tunnel: Tunnel::new(settings, Duration::ZERO).map_err(io::Error::other)?,
            device,
            policy: policy.map(|(_, tunnel)| tunnel.name.get_ref().clone()),
            asked: Duration::ZERO,
        })
    }
}

type PeerPolicy<'a> = (&'a super::config::Peer, &'a Policy);

/// The first `[[peer.tunnel]]` that covers the tunnel's delivery packets.
fn policy<'a>(config: &'a Config, written: &GreTunnel) -> Option<PeerPolicy<'a>> {
    let within = |side: &Several<Network>, end: &IpAddr| side.0.iter().any(|n| n.0.contains(end));
    let mut policies = config
        .peer
        .iter()
        .flat_map(|peer| peer.tunnel.iter().map(move |tunnel| (peer, tunnel)));
    policies.find(|(_, tunnel)| {
        matches!(tunnel.protocol, 0 | gre::ip::PROTOCOL_GRE)
            && within(tunnel.local.get_ref(), written.source.get_ref())
            && within(tunnel.remote.get_ref(), written.destination.get_ref())
    })
}

/// The longest delivery packet that crosses the path whole, whichever transform set is agreed upon and whether or not a
/// NAT is found.
fn fitting(
    config: &Config,
    written: &GreTunnel,
    policy: Option<PeerPolicy<'_>>,
) -> io::Result<usize> {
    let known = |to: IpAddr| path_mtu(to).unwrap_or(ETHERNET);
    let Some((peer, tunnel)) = policy else {
        return Ok(known(*written.destination.get_ref()));
    };
    let path = peer.first_host().map_or(ETHERNET, known);
    let v6 = written.source.get_ref().is_ipv6();
    let udp = *peer.nat_traversal.get_ref() != NatTraversal::Off;
    let mut least = path;
    for name in &tunnel.transform_set.get_ref().0 {
        let Some(set) = config.transform_set(name) else {
            continue;
        };
        let suite = glue::protection(*set.encryption.get_ref(), set.hash)
            .map_err(|e| io::Error::other(e.to_string()))?;
        let overhead = match set.mode {
            Mode::Transport => Overhead::transport(suite, if v6 { 40 } else { 20 }, udp),
            _ => Overhead::tunnel(suite, v6, udp),
        };
        least = least.min(overhead.max_inner(path));
    }
    Ok(least)
}
