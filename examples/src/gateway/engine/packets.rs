//! The way of a packet: in through ESP, out through ESP, or into the queue of those that wait.

use super::Engine;
use crate::gateway::outside::Outside;
use esp::{OpenError, PacketBuf};
use ike_sm::{ChildId, Event, Mode, Path};
use ipsec::{Arrival, Carrier, Dropped, Egress, IcmpOutcome, Ingress, PolicyAction, Transmit};
use nat_t::Datagram;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    ops::Range,
    time::Duration,
};

/// The pair that a packet came in on.
pub(super) struct CameOn {
    /// The tunnel's name, where there are GRE tunnels.
    name: Option<String>,
    /// Tunnel or transport mode.
    mode: Mode,
    /// The peer's address.
    from: IpAddr,
}

impl Engine {
    /// A UDP datagram has arrived.
    pub fn datagram(&mut self, path: Path, payload: &mut [u8], now: Duration) {
        let message = if path.natt {
            match nat_t::classify(payload) {
                Datagram::Ike(message) => message,
                Datagram::Esp(_) => {
                    return self.esp(path.local.ip(), path.remote, true, payload, now);
                }
                Datagram::Keepalive => return self.count("NAT keepalives"),
                Datagram::Malformed(_) => return self.count("UDP 4500: neither IKE nor ESP"),
            }
        } else {
            payload
        };
        self.tell(Event::Datagram { path, message }, now);
    }

    /// An ESP packet has arrived, from its SPI on.
    pub fn esp(
        &mut self,
        local: IpAddr,
        remote: SocketAddr,
        udp: bool,
        packet: &mut [u8],
        now: Duration,
    ) {
        let arrival = Arrival {
            local,
            remote,
            udp,
            ecn: 0,
        };
        let mut packet = PacketBuf::full(packet);
        let (data, actions) = (&mut self.data, &mut self.from_data);
        let opened = data.open(&arrival, &mut packet, now, actions);
        let pair = match opened {
            Ok(Ingress::Deliver(child)) => self.came_on(child),
            _ => None,
        };
        // What control is told of the first packet comes before the answer to it.
        self.hand_on(now);
        match opened {
            Ok(Ingress::Deliver(_)) => self.deliver(packet.as_mut_slice(), pair, now),
            Ok(_) => {}
            Err(why) => self.count(word(&why)),
        }
    }

    /// What the inner side has to know of the pair that a packet came in on.
    pub(super) fn came_on(&self, child: ChildId) -> Option<CameOn> {
        let pair = self.data.summary(child)?;
        // Only a packet of GRE asks for the name.
        let name = (!self.gre.is_empty()).then(|| pair.name.to_owned());
        Some(CameOn {
            name,
            mode: pair.mode,
            from: pair.path.remote.ip(),
        })
    }

    /// Gives a packet to the inner side: one that came in on a pair, or an answer of ours.
    pub(super) fn deliver(&mut self, packet: &mut [u8], pair: Option<CameOn>, now: Duration) {
        let from = pair.as_ref().map(|pair| pair.from);
        let mode = pair.as_ref().map(|pair| pair.mode);
        if let Some(name) = pair.and_then(|pair| pair.name) {
            if self.gre.takes(packet) {
                return self.gre_opened(packet, &name, now);
            }
            // RFC 4301 §5.2: GRE in transport mode is for a tunnel of ours or for nobody.
            let header = esp::ip::IpHeader::parse(packet);
            if header.is_ok_and(|header| header.protocol == ::gre::ip::PROTOCOL_GRE)
                && mode == Some(Mode::Transport)
            {
                return self.count("GRE: no tunnel for it");
            }
        }
        let sent = self.inside.send(packet);
        self.inside.poll(now);
        if let Err(e) = sent {
            let what = "inner packets that the kernel refused";
            let text = format!("inner packet: {e}");
            match from {
                Some(from) => self.note_of(what, from, &text, now),
                None => self.count(what),
            }
        }
    }

    /// An inner packet wants out; `range` is its place in `buffer`, with `HEADROOM` and `TAILROOM` around it.
    pub fn inner(&mut self, buffer: &mut [u8], range: Range<usize>, now: Duration) {
        let first = self.data.held().0 == 0;
        let Some(mut packet) = PacketBuf::new(buffer, range) else {
            return;
        };
        let sealed = self.data.seal(&mut packet, now, &mut self.from_data);
        match sealed {
            Ok(Egress::Send(to)) => self.send_esp(to, packet.as_slice()),
            Ok(Egress::Fragment(how)) => {
                self.scratch.resize(how.room(), 0);
                let (outside, room) = (&mut self.outside, &mut self.scratch);
                let (data, actions) = (&mut self.data, &mut self.from_data);
                let mut sent = true;
                let cut =
                    data.fragments(packet.as_slice(), how, room, now, actions, |to, piece| {
                        sent &= send(outside, to, piece).is_ok();
                    });
                match cut {
                    Ok(()) if sent => {}
                    Ok(()) => self.count("ESP: sending failed"),
                    Err(why) => self.count(word(&why)),
                }
            }
            Ok(Egress::Held { policy }) if first => self.note_held(policy, packet.as_slice()),
            Ok(Egress::TooBig { .. }) => self.count("inner: too big, its source is told"),
            Ok(_) => {}
            Err(why) => self.count(word(&why)),
        }
        self.hand_on(now);
    }

    fn note_held(&self, policy: usize, packet: &[u8]) {
        let policy = self.data.policies().nth(policy);
        let Some((PolicyAction::Protect { child, .. }, _)) = policy else {
            return;
        };
        let Ok(header) = esp::ip::IpHeader::parse(packet) else {
            return;
        };
        let to = header.destination;
        self.log
            .note(&format!("tunnel {child}: a packet to {to} waits for it"));
    }

    /// A router on the way says that a packet of ours was too big, or somebody does in its name; `message` is an IP
    /// packet.
    pub fn icmp(&mut self, message: &mut [u8], now: Duration) {
        self.outside.see_quoted(message);
        let (data, actions) = (&mut self.data, &mut self.from_data);
        match data.icmp(message, now, &mut self.rng, actions) {
            IcmpOutcome::Ignored => self.count("ICMP: too big, claimed without proof and ignored"),
            IcmpOutcome::Probing => self.count("ICMP: too big, claimed without proof and probed"),
            IcmpOutcome::Refuted => self.count("ICMP: too big, refuted by probes"),
            IcmpOutcome::NotOurs => self.count("ICMP: too big, but not of ours"),
            _ => {}
        }
        self.hand_on(now);
    }

    pub(super) fn send_esp(&mut self, to: Transmit, packet: &[u8]) {
        if send(&mut self.outside, to, packet).is_err() {
            self.count("ESP: sending failed");
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

fn send(outside: &mut Outside, to: Transmit, packet: &[u8]) -> io::Result<()> {
    match to.carrier {
        Carrier::Udp => outside.send_udp(to.path, packet, to.dont_fragment),
        Carrier::Esp => outside.send_raw(to.path, packet, to.dont_fragment),
    }
}

/// The counter of a reason: one word per kind, however many ways there are to be wrong.
const fn word(why: &Dropped) -> &'static str {
    match why {
        Dropped::NoEspHeader => "ESP: no header",
        Dropped::UnknownSpi(_) => "ESP: unknown SPI",
        Dropped::Encapsulation => "ESP: wrong encapsulation",
        Dropped::Open(OpenError::Replayed { .. } | OpenError::TooOld { .. }) => {
            "ESP: replayed or too old"
        }
        Dropped::Open(OpenError::Authentication) => "ESP: integrity check failed",
        Dropped::Open(OpenError::Selectors(_)) => "ESP: inner packet violates the selectors",
        Dropped::Open(OpenError::Expired(_)) => "ESP: SA expired",
        Dropped::Open(_) => "ESP: malformed",
        Dropped::Segment(_) => "ESP: transport mode, segment too short",
        Dropped::Inner(_) => "inner: no IP packet",
        Dropped::NoPolicy | Dropped::Discarded | Dropped::PortsHidden => "inner: no tunnel for it",
        Dropped::Down => "inner: tunnel is down and waits for the peer",
        Dropped::Seal(esp::SealError::Fragment) => {
            "inner: a fragment cannot cross in transport mode"
        }
        Dropped::Fragment(_) => "inner: not fragmented",
        _ => "ESP: not sealed",
    }
}
