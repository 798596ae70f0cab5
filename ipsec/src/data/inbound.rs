//! The way in: a packet of ESP becomes the inner packet, in place.

use core::time::Duration;

use bytes::Bytes;
use esp::{BATCH, Content, OpenError, Opened, Outer, PacketBuf};
use ike_sm::{ChildId, IpsecProtocol, Traffic};

use super::outbound::clamp;
use super::{Arrival, DataAction, DataPlane, Dropped, Ingress, transport};
use crate::actions::Actions;
use crate::message::Notice;

impl Arrival {
    const fn outer(&self) -> Outer {
        Outer {
            addresses: Some((self.remote.ip(), self.local)),
            ecn: self.ecn,
        }
    }
}

impl DataPlane {
    /// Opens the packet of ESP in `packet`, which begins with its SPI, in place. Integrity, replay
    /// window and selectors are checked in this order.
    ///
    /// # Errors
    /// [`Dropped`]; nothing has changed but counters.
    pub fn open(
        &mut self,
        arrival: &Arrival,
        packet: &mut PacketBuf<'_>,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) -> Result<Ingress, Dropped> {
        let spi = nat_t::esp_spi(packet.as_slice()).ok_or(Dropped::NoEspHeader)?;
        let Some(pair) = self.by_spi.get(&spi).and_then(|id| self.pairs.get_mut(id)) else {
            self.unknown_spi(arrival, spi, now, actions);
            return Err(Dropped::UnknownSpi(spi));
        };
        if arrival.udp != pair.sa.udp {
            return Err(Dropped::Encapsulation);
        }
        let outer = arrival.outer();
        let opened = pair.inbound.open(packet, &outer, now);
        let id = pair.sa.id;
        let opened = opened.map_err(Dropped::Open)?;
        self.opened(id, arrival, &opened, packet, now, actions)
    }

    /// Does to each of `packets`, which all arrived the same way, what [`open`](Self::open) does to
    /// one; `results` gets one entry each. Packets of one pair that follow each other are handed to its
    /// key together. Packets beyond the shorter of the two slices are left alone.
    pub fn open_batch(
        &mut self,
        arrival: &Arrival,
        packets: &mut [PacketBuf<'_>],
        results: &mut [Result<Ingress, Dropped>],
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) {
        let len = packets.len().min(results.len());
        let (mut packets, _) = packets.split_at_mut(len);
        let (mut results, _) = results.split_at_mut(len);
        let spi = |packet: &PacketBuf<'_>| nat_t::esp_spi(packet.as_slice());
        while let Some(first) = packets.first().map(spi) {
            let same = packets.iter().take(BATCH).take_while(|p| spi(p) == first);
            let len = same.count();
            let (these, rest) = packets.split_at_mut(len);
            let (of_these, of_rest) = results.split_at_mut(len);
            self.open_run(arrival, first, these, of_these, now, actions);
            (packets, results) = (rest, of_rest);
        }
    }

    /// Opens packets that all have one SPI.
    fn open_run(
        &mut self,
        arrival: &Arrival,
        spi: Option<u32>,
        packets: &mut [PacketBuf<'_>],
        results: &mut [Result<Ingress, Dropped>],
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) {
        let id = spi.and_then(|spi| self.by_spi.get(&spi).copied());
        let pair = id.and_then(|id| Some((id, self.pairs.get_mut(&id)?)));
        let Some((id, pair)) = pair.filter(|(_, pair)| pair.sa.udp == arrival.udp) else {
            for (packet, result) in packets.iter_mut().zip(results) {
                *result = self.open(arrival, packet, now, actions);
            }
            return;
        };
        let mut opened = [Err(OpenError::Authentication); BATCH];
        let inbound = &mut pair.inbound;
        inbound.open_batch(packets, &mut opened, &arrival.outer(), now);
        for ((packet, result), opened) in packets.iter_mut().zip(results).zip(opened) {
            *result = match opened {
                Ok(opened) => self.opened(id, arrival, &opened, packet, now, actions),
                Err(why) => Err(Dropped::Open(why)),
            };
        }
    }

    /// A packet has passed all checks.
    fn opened(
        &mut self,
        id: ChildId,
        arrival: &Arrival,
        opened: &Opened,
        packet: &mut PacketBuf<'_>,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) -> Result<Ingress, Dropped> {
        let pair = self.pairs.get_mut(&id).ok_or(Dropped::Gone)?;
        let newest = opened.sequence == pair.inbound.window().top();
        let first = pair.unreported == Traffic::default();
        let (path_mtu, _) = self.paths.mtu(&pair.path);
        let fitting = pair.overhead().max_inner(path_mtu.into());
        let moved = pair.received(packet.len(), arrival.remote, newest, now);
        // RFC 7296 §2.8: the first packet shows that the peer has its half. Control hears of it before
        // the answer to the packet leaves, which goes through the same pair.
        let proved = core::mem::replace(&mut pair.unproved, false);
        self.passes(id, first, now);
        if proved {
            self.report_traffic(actions);
        }
        if let Some(to) = moved {
            actions.push(DataAction::Notice(Notice::Moved(id, to)));
        }
        match opened.content {
            Content::Ip(_) => {
                clamp(&self.config, fitting, packet);
                Ok(Ingress::Deliver(id))
            }
            Content::Upper(protocol) => self.rebuild(id, arrival, protocol, packet, actions),
            Content::Dummy => Ok(Ingress::Done),
        }
    }

    /// Transport mode: the upper layer gets an IP header again.
    fn rebuild(
        &self,
        id: ChildId,
        arrival: &Arrival,
        protocol: u8,
        packet: &mut PacketBuf<'_>,
        actions: &mut Actions<DataAction>,
    ) -> Result<Ingress, Dropped> {
        let pair = self.pairs.get(&id).ok_or(Dropped::Gone)?;
        let ends = (arrival.remote.ip(), arrival.local);
        transport::mend(pair, ends, protocol, packet.as_mut_slice()).map_err(Dropped::Segment)?;
        let header = transport::Header::new(ends, protocol, packet.len());
        if let Ok(room) = packet.prepend(header.as_slice().len()) {
            room.copy_from_slice(header.as_slice());
            return Ok(Ingress::Deliver(id));
        }
        let whole = [header.as_slice(), packet.as_slice()].concat();
        actions.push(DataAction::Deliver {
            packet: Bytes::from(whole),
            child: Some(id),
        });
        Ok(Ingress::Done)
    }

    /// The peer sends through an SA that is gone here: it may have missed a Delete, which IKEv1 does
    /// not acknowledge. Control may tell it again.
    fn unknown_spi(
        &mut self,
        arrival: &Arrival,
        spi: u32,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) {
        if self.unknown_spi.allow(now) {
            let remote = arrival.remote.ip();
            let protocol = IpsecProtocol::Esp;
            actions.push(DataAction::Notice(Notice::UnknownSpi {
                remote,
                protocol,
                spi,
            }));
        }
    }
}
