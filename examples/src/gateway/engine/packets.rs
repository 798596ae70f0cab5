//! The way of a packet: in through ESP, out through ESP, or into the queue of those that wait.

use super::{ASK_INTERVAL, Engine, SETTLE, TRAFFIC_INTERVAL};
use crate::gateway::{
    config::{Start, Version},
    inside::Inside,
};
use esp::{Content, Flow, OpenError, Outer, PacketBuf};
use ike_sm::{ChildId, Command, Event, PacketEnd, Path, Traffic};
use nat_t::Datagram;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    ops::Range,
    time::Duration,
};

/// Octets to keep free before an inner packet: ESP header and IV, with room to spare.
pub const HEADROOM: usize = 64;
/// Octets to keep free behind it: padding, trailer and ICV.
pub const TAILROOM: usize = 320;

impl Engine {
    /// A UDP datagram has arrived.
    pub fn datagram(&mut self, path: Path, payload: &mut [u8], now: Duration) {
        if !path.natt {
            self.tell(
                Event::Datagram {
                    path,
                    message: payload,
                },
                now,
            );
            return;
        }
        match nat_t::classify(payload) {
            Datagram::Ike(message) => {
                self.tell(Event::Datagram { path, message }, now);
            }
            Datagram::Esp(_) => self.esp(path.local.ip(), path.remote, true, payload, now),
            Datagram::Keepalive => self.count("NAT keepalives"),
            Datagram::Malformed(_) => self.count("UDP 4500: neither IKE nor ESP"),
        }
    }

    /// An ESP packet has arrived, from its SPI on.
    pub fn esp(
        &mut self,
        to: IpAddr,
        from: SocketAddr,
        udp: bool,
        packet: &mut [u8],
        now: Duration,
    ) {
        let Some(spi) = nat_t::esp_spi(packet) else {
            return self.count("ESP: no header");
        };
        if self.pairs.by_spi_mut(spi).is_none() {
            return self.unknown_spi(from.ip(), spi, now);
        }
        let Some(pair) = self.pairs.by_spi_mut(spi) else {
            return;
        };
        if udp != pair.udp {
            return self.count("ESP: wrong encapsulation");
        }
        let outer = Outer {
            addresses: Some((from.ip(), to)),
            ecn: 0,
        };
        let mut packet = PacketBuf::full(packet);
        let opened = match pair.inbound.open(&mut packet, &outer, now) {
            Ok(opened) => opened,
            Err(e) => return self.count(esp_word(&e)),
        };
        let newest = opened.sequence == pair.inbound.window().top();
        let (id, moved) = (pair.id, pair.passed_inbound(packet.len(), from, newest));
        self.traffic_due.get_or_insert(now + TRAFFIC_INTERVAL);
        if pair.unproved {
            // RFC 7296 §2.8: the first packet shows that the peer has its half. The answer leaves through it.
            pair.unproved = false;
            self.report_traffic(now);
        }
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        let mut delivered = Ok(());
        match opened.content {
            Content::Ip(_) if self.gre.takes(packet.as_slice()) => {
                let name = pair.name.clone();
                self.gre_opened(packet.as_mut_slice(), &name, now);
            }
            Content::Ip(_) => {
                let (path_mtu, _) = self.paths.mtu(&pair.path);
                let fitting = pair.overhead().max_inner(path_mtu.into());
                let fitting = u16::try_from(fitting).unwrap_or(u16::MAX);
                clamp(
                    self.mss_mtu.map(|mtu| mtu.min(fitting)),
                    packet.as_mut_slice(),
                );
                delivered = deliver(&mut self.inside, packet.as_slice(), now);
            }
            Content::Upper(::gre::ip::PROTOCOL_GRE) if !self.gre.is_empty() => {
                let name = pair.name.clone();
                self.gre_segment(packet.as_slice(), (from.ip(), to), &name, now);
            }
            Content::Upper(protocol) => {
                let ends = (from.ip(), to);
                let segment = packet.as_mut_slice();
                match super::transport::rebuild(pair, ends, protocol, segment, &mut self.scratch) {
                    Ok(()) => delivered = deliver(&mut self.inside, &self.scratch, now),
                    Err(_) => self.count("ESP: transport mode, segment too short"),
                }
            }
            Content::Dummy => {}
        }
        if let Err(e) = delivered {
            let what = "inner packets that the kernel refused";
            self.note_of(what, from.ip(), &format!("inner packet: {e}"), now);
        }
        if let Some(to) = moved {
            self.tell(Event::Moved(id, to), now);
        }
    }

    /// The peer sends through an SA that is gone here: it may have missed a DELETE, which IKEv1
    /// does not acknowledge. The IKE machine may tell it again.
    fn unknown_spi(&mut self, remote: IpAddr, spi: u32, now: Duration) {
        self.count("ESP: unknown SPI");
        let quiet = self
            .unknown_spi_told
            .is_some_and(|at| now < at + Duration::from_secs(1));
        if !quiet {
            self.unknown_spi_told = Some(now);
            let protocol = ike_sm::IpsecProtocol::Esp;
            self.tell(
                Event::UnknownSpi {
                    remote,
                    protocol,
                    spi,
                },
                now,
            );
        }
    }

    /// An inner packet wants out; `range` is its place in `buffer`, with [`HEADROOM`] and [`TAILROOM`] around it.
    pub fn inner(&mut self, buffer: &mut [u8], range: Range<usize>, now: Duration) {
        let Some(packet) = buffer.get_mut(range.clone()) else {
            return;
        };
        let Ok(flow) = Flow::of(packet) else {
            return self.count("inner: no IP packet");
        };
        let tunnel = self
            .tunnels
            .iter()
            .position(|t| t.selectors.matches_outbound(&flow));
        if let Some(tunnel) = tunnel.and_then(|n| self.tunnels.get_mut(n)) {
            tunnel.hits += 1;
        }
        if let Some(pair) = self.pairs.for_flow_mut(&flow) {
            let id = pair.id;
            return self.protect(id, buffer, range, now);
        }
        match tunnel {
            None => self.count("inner: no tunnel for it"),
            Some(n) => self.hold_packet(n, &flow, packet.to_vec(), now),
        }
    }

    fn hold_packet(&mut self, tunnel: usize, flow: &Flow, packet: Vec<u8>, now: Duration) {
        let Some(state) = self.tunnels.get_mut(tunnel) else {
            return;
        };
        if state.start == Start::Passive {
            return self.count("inner: tunnel is down and waits for the peer");
        }
        let first = self.hold.is_empty();
        let name = state.name.clone();
        let again = state
            .asked
            .is_none_or(|at| now.saturating_sub(at) >= ASK_INTERVAL);
        if again {
            state.asked = Some(now);
        }
        self.hold.push(tunnel, &packet, now);
        if first {
            let what = format!(
                "tunnel {name}: a packet to {} waits for it",
                flow.destination
            );
            self.log.note(&what);
        }
        if !again {
            return;
        }
        let end = |address, port: Option<u16>| PacketEnd {
            address,
            port: port.unwrap_or(0),
        };
        let icmp = matches!(flow.protocol, 1 | 58);
        let port = |p: Option<u16>| if icmp { None } else { p };
        let command = Command::Acquire {
            source: end(flow.source, port(flow.source_port)),
            destination: end(flow.destination, port(flow.destination_port)),
            protocol: flow.protocol,
        };
        self.tell(Event::Command(command), now);
    }

    /// Packets may leave through `id`. The peer of a negotiation that we began gets a moment for its last message.
    pub(super) fn activate(&mut self, id: ChildId, replaces: Option<ChildId>, now: Duration) {
        let ours = self.pairs.get_mut(id).filter(|p| p.initiator);
        // The last message of IKEv1 is ours, that of IKEv2 the responder's, who has installed all by then.
        let ours = ours.map(|p| p.peer.clone());
        let wait = ours.is_some_and(|peer| self.version(&peer) == Version::Ikev1);
        let at = if wait { now + SETTLE } else { now };
        self.settling.push((at, id, replaces));
        self.settled(now);
    }

    /// Lets packets out through the pairs whose moment has come.
    pub(super) fn settled(&mut self, now: Duration) {
        let (due, rest) = std::mem::take(&mut self.settling)
            .into_iter()
            .partition(|s| s.0 <= now);
        self.settling = rest;
        self.let_out(due, now);
    }

    /// Lets packets out through what replaces `old`, which goes.
    pub(super) fn settled_instead_of(&mut self, old: ChildId, now: Duration) {
        let taken = std::mem::take(&mut self.settling);
        let (due, rest) = taken.into_iter().partition(|s| s.2 == Some(old));
        self.settling = rest;
        self.let_out(due, now);
    }

    fn let_out(&mut self, due: Vec<(Duration, ChildId, Option<ChildId>)>, now: Duration) {
        for (_, id, replaces) in due {
            let Some(pair) = self.pairs.activate(id, replaces) else {
                continue;
            };
            let name = pair.name.clone();
            self.follow_peer(id);
            self.child_up(&name, id);
            if let Some(tunnel) = self.tunnels.iter().position(|t| t.name == name) {
                if let Some(state) = self.tunnels.get_mut(tunnel) {
                    state.asked = None;
                }
                self.release(tunnel, now);
            }
        }
    }

    /// Lets the packets go that waited for a tunnel.
    fn release(&mut self, tunnel: usize, now: Duration) {
        for packet in self.hold.release(tunnel) {
            let range = HEADROOM..HEADROOM + packet.len();
            let mut buffer = vec![0; range.end + TAILROOM];
            if let Some(room) = buffer.get_mut(range.clone()) {
                room.copy_from_slice(&packet);
            }
            self.inner(&mut buffer, range, now);
        }
    }

    /// Tells the endpoint what passed since the last time.
    pub(super) fn report_traffic(&mut self, now: Duration) {
        self.traffic_due = None;
        let reports: Vec<(ChildId, Traffic)> = self
            .pairs
            .iter_mut()
            .filter(|p| p.unreported != Traffic::default())
            .map(|p| (p.id, std::mem::take(&mut p.unreported)))
            .collect();
        for (id, traffic) in reports {
            self.tell(Event::Traffic(id, traffic), now);
        }
    }

    pub(super) fn send_ike(&mut self, path: Path, datagram: &[u8], now: Duration) {
        if let Err(e) = self.outside.send_udp(path, datagram, false) {
            self.count("sending failed");
            if e.kind() != io::ErrorKind::WouldBlock {
                let text = format!("sending to {}: {e}", path.remote);
                self.note_of("sending failed", path.remote.ip(), &text, now);
            }
        }
    }
}

/// Gives a packet to the inner side.
fn deliver(inside: &mut Inside, packet: &[u8], now: Duration) -> io::Result<()> {
    let sent = inside.send(packet);
    inside.poll(now);
    sent
}

/// P7: TCP connections through a tunnel use segments that fit it.
pub(super) fn clamp(mtu: Option<u16>, packet: &mut [u8]) {
    if let Some(mtu) = mtu {
        let mss = esp::mss_for(mtu.into(), packet.first().is_some_and(|b| b >> 4 == 6));
        // What is not sound IP has no MSS.
        let _ = esp::clamp_mss(packet, mss);
    }
}

const fn esp_word(e: &OpenError) -> &'static str {
    match e {
        OpenError::Replayed { .. } | OpenError::TooOld { .. } => "ESP: replayed or too old",
        OpenError::Authentication => "ESP: integrity check failed",
        OpenError::Selectors(_) => "ESP: inner packet violates the selectors",
        OpenError::Expired(_) => "ESP: SA expired",
        _ => "ESP: malformed",
    }
}
