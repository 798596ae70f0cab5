//! The way of a packet through a GRE tunnel: from its device into a delivery packet, from there bare through a raw
//! socket or protected through [`Engine::inner`]; and back.

use super::{Engine, HEADROOM, TAILROOM};
use crate::gateway::gre::{GreDoor, GreTunnels};
use crate::gre::tunnel::{Encapsulated, Out};
use crate::net::raw_gre::path_mtu;
use std::{ops::Range, time::Duration};

impl Engine {
    /// Reads at most `budget` packets from the GRE socket or device whose token is `offset` behind the first. Returns
    /// whether more may be waiting.
    pub fn gre_ready(&mut self, offset: usize, budget: usize, now: Duration) -> bool {
        let door = GreTunnels::door(offset);
        let mut buffer = self.gre.lend();
        let mut more = true;
        for _ in 0..budget {
            let Ok(range) = self.gre.recv(door, &mut buffer) else {
                more = false;
                break;
            };
            match door {
                GreDoor::Device(index) => self.gre_outbound(index, &mut buffer, range, now),
                GreDoor::Socket(_) => {
                    let packet = buffer.get_mut(range).unwrap_or_default();
                    self.gre_inbound(packet, None, now);
                }
            }
        }
        self.gre.give_back(buffer);
        more
    }

    /// A delivery packet came out of the SA pair of tunnel `policy`.
    pub(super) fn gre_opened(&mut self, packet: &mut [u8], policy: &str, now: Duration) {
        self.gre_inbound(packet, Some(policy), now);
    }

    /// A delivery packet came, bare or out of the SA pair of a tunnel.
    fn gre_inbound(&mut self, packet: &mut [u8], policy: Option<&str>, now: Duration) {
        let found = self.gre.of(packet);
        let Some((index, gre)) = found.and_then(|n| Some((n, self.gre.get_mut(n)?))) else {
            return self.count("GRE: no tunnel for it");
        };
        // RFC 4301 §5.2: what came through an SA has to be what that SA is for.
        if policy.is_some() && gre.policy.as_deref() != policy {
            return self.count("GRE: through the SA of another tunnel");
        }
        if let Ok(Some(range)) = gre
            .tunnel
            .inbound(packet, policy.is_some(), now, &mut self.rng)
        {
            let inner = packet.get(range).unwrap_or_default();
            if let Err(e) = gre.device.send(inner) {
                gre.tunnel.lost(e.to_string().into());
            }
        }
        self.gre_out(index, now);
    }

    /// The packet in `range` of `buffer` came from the device of tunnel `index`.
    fn gre_outbound(
        &mut self,
        index: usize,
        buffer: &mut [u8],
        range: Range<usize>,
        now: Duration,
    ) {
        self.gre_fit(index, now);
        let Some(gre) = self.gre.get_mut(index) else {
            return;
        };
        match gre.tunnel.outbound(buffer, range, now) {
            Ok(Encapsulated::InPlace(range)) => self.gre_send(index, buffer, range, now),
            Ok(Encapsulated::Parts(parts)) => {
                for part in parts {
                    self.gre_send_copy(index, &part, now);
                }
            }
            // Counted with the tunnel.
            Err(_) => {}
        }
        self.gre_out(index, now);
    }

    /// Looks from time to time at what the path carries, with all that IPsec puts around a packet.
    fn gre_fit(&mut self, index: usize, now: Duration) {
        let Some(gre) = self.gre.due_mut(index, now) else {
            return;
        };
        let fitting = match &gre.policy {
            None => path_mtu(gre.tunnel.settings().remote).ok(),
            Some(policy) => {
                let mut pairs = self.data.summaries();
                let pair = pairs.find(|pair| pair.active && pair.name == *policy);
                let pair = pair.and_then(|pair| self.data.pair(pair.id));
                pair.map(|pair| pair.overhead.max_inner(pair.path_mtu.into()))
            }
        };
        if let Some(fitting) = fitting {
            gre.tunnel.set_fitting(fitting);
        }
    }

    /// Sends the keepalives that are due.
    pub(super) fn gre_deadline(&mut self, now: Duration) {
        for index in 0..self.gre.len() {
            let Some(gre) = self.gre.get_mut(index) else {
                continue;
            };
            if gre.tunnel.next_deadline().is_some_and(|due| due <= now) {
                gre.tunnel.deadline(now, &mut self.rng);
                self.gre_out(index, now);
            }
        }
    }

    /// Does what tunnel `index` wants besides.
    fn gre_out(&mut self, index: usize, now: Duration) {
        let Some(gre) = self.gre.get_mut(index) else {
            return;
        };
        for out in gre.tunnel.take_out() {
            match out {
                Out::Send(packet) => self.gre_send_copy(index, &packet, now),
                Out::Deliver(packet) => self.gre_deliver(index, &packet),
                Out::Line(up) => self.gre_line(index, up),
            }
        }
    }

    fn gre_deliver(&mut self, index: usize, packet: &[u8]) {
        if let Some(gre) = self.gre.get_mut(index)
            && let Err(e) = gre.device.send(packet)
        {
            gre.tunnel.lost(e.to_string().into());
        }
    }

    /// Routing daemons see the line protocol as the device's carrier.
    fn gre_line(&mut self, index: usize, up: bool) {
        let Some(gre) = self.gre.get_mut(index) else {
            return;
        };
        let name = &gre.tunnel.settings().name;
        let word = if up { "up" } else { "down" };
        let mut what = format!("Line protocol on Interface {name}, changed state to {word}");
        if let Err(e) = gre.device.set_carrier(up) {
            what = format!("{what}; the device does not show it: {e}");
        }
        self.log.note(&what);
    }

    fn gre_send_copy(&mut self, index: usize, packet: &[u8], now: Duration) {
        let range = HEADROOM..HEADROOM + packet.len();
        let mut buffer = vec![0; range.end + TAILROOM];
        if let Some(room) = buffer.get_mut(range.clone()) {
            room.copy_from_slice(packet);
        }
        self.gre_send(index, &mut buffer, range, now);
    }

    /// Sends the delivery packet in `range` of `buffer`, protected or bare.
    fn gre_send(&mut self, index: usize, buffer: &mut [u8], range: Range<usize>, now: Duration) {
        let Some(gre) = self.gre.get_mut(index) else {
            return;
        };
        if gre.policy.is_some() {
            return self.inner(buffer, range, now);
        }
        let to = gre.tunnel.settings().remote;
        let packet = buffer.get(range).unwrap_or_default();
        if let Err(e) = self.gre.send(packet, to)
            && let Some(gre) = self.gre.get_mut(index)
        {
            gre.tunnel.lost(e.to_string().into());
        }
    }
}
