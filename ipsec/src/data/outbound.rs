//! The way out: an inner packet finds its policy and its pair, and is protected in place.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use esp::ip::IpHeader;
use esp::{BATCH, DontFragment, Fit, Flow, Fragments, Limit, PacketBuf, SealError, Sealed};
use ike_sm::{ChildId, Mode, PacketEnd, Traffic};

use super::{
    DataAction, DataPlane, Dropped, Egress, Fragmentation, HEADROOM, TAILROOM, ports_hidden,
};
use crate::actions::{Actions, Transmit};
use crate::config::{DataConfig, PolicyAction};
use crate::message::Notice;

/// Longest message that tells a source what fits, octets.
const ANSWER: usize = 1280;

impl Fragmentation {
    /// Octets of the second buffer that [`DataPlane::fragments`] needs.
    #[must_use]
    pub const fn room(&self) -> usize {
        HEADROOM.saturating_add(self.mtu).saturating_add(TAILROOM)
    }
}

/// What is decided of a packet before anything is encrypted.
enum Prepared {
    /// It goes through this pair, in one piece.
    Ready(ChildId, Transmit),
    /// Something else becomes of it.
    Other(Egress),
}

impl DataPlane {
    /// Takes an inner IP packet that wants out and protects it in place. `packet` has [`HEADROOM`]
    /// octets free before it and [`TAILROOM`] behind it.
    ///
    /// # Errors
    /// [`Dropped`]; the packet goes nowhere.
    pub fn seal(
        &mut self,
        packet: &mut PacketBuf<'_>,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) -> Result<Egress, Dropped> {
        let (id, transmit) = match self.prepare(packet, now, actions)? {
            Prepared::Ready(id, transmit) => (id, transmit),
            Prepared::Other(egress) => return Ok(egress),
        };
        let pair = self.pairs.get_mut(&id).ok_or(Dropped::Gone)?;
        let sealed = pair.outbound.seal(packet, now).map_err(Dropped::Seal)?;
        notice_sequence(id, &sealed, actions);
        Ok(Egress::Send(transmit))
    }

    /// Does to each of `packets` what [`seal`](Self::seal) does to one; `results` gets one entry each.
    /// Packets that follow each other through one pair are handed to its key together. Packets beyond
    /// the shorter of the two slices are left alone.
    pub fn seal_batch(
        &mut self,
        packets: &mut [PacketBuf<'_>],
        results: &mut [Result<Egress, Dropped>],
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) {
        let chunks = packets.chunks_mut(BATCH).zip(results.chunks_mut(BATCH));
        for (packets, results) in chunks {
            let mut pairs = [None; BATCH];
            for ((packet, result), pair) in packets.iter_mut().zip(&mut *results).zip(&mut pairs) {
                *result = match self.prepare(packet, now, actions) {
                    Ok(Prepared::Ready(id, transmit)) => {
                        *pair = Some(id);
                        Ok(Egress::Send(transmit))
                    }
                    Ok(Prepared::Other(egress)) => Ok(egress),
                    Err(why) => Err(why),
                };
            }
            let (mut packets, mut results) = (packets, results);
            for run in pairs.chunk_by(|a, b| a == b) {
                let len = run.len().min(packets.len()).min(results.len());
                let (these, rest) = packets.split_at_mut(len);
                let (of_these, of_rest) = results.split_at_mut(len);
                if let Some(id) = run.first().copied().flatten() {
                    self.seal_run(id, these, of_these, now, actions);
                }
                (packets, results) = (rest, of_rest);
            }
        }
    }

    /// Protects packets that all go through one pair.
    fn seal_run(
        &mut self,
        id: ChildId,
        packets: &mut [PacketBuf<'_>],
        results: &mut [Result<Egress, Dropped>],
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) {
        let Some(pair) = self.pairs.get_mut(&id) else {
            results.fill(Err(Dropped::Gone));
            return;
        };
        let mut sealed = [Err(SealError::SequenceExhausted); BATCH];
        pair.outbound.seal_batch(packets, &mut sealed, now);
        for (result, sealed) in results.iter_mut().zip(sealed) {
            match sealed {
                Ok(sealed) => notice_sequence(id, &sealed, actions),
                Err(why) => *result = Err(Dropped::Seal(why)),
            }
        }
    }

    /// Finds policy and pair of a packet, and whether it fits; counts it.
    fn prepare(
        &mut self,
        packet: &mut PacketBuf<'_>,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) -> Result<Prepared, Dropped> {
        let flow = Flow::of(packet.as_slice()).map_err(Dropped::Inner)?;
        let Some(index) = self.policy_for(&flow)? else {
            // A pair may be for packets that no policy names: those of an assigned address.
            let id = self.pair_for(&flow, None).ok_or(Dropped::NoPolicy)?;
            return self.fit(id, packet, now, actions);
        };
        let entry = self.policies.get_mut(index).ok_or(Dropped::NoPolicy)?;
        entry.hits = entry.hits.saturating_add(1);
        match entry.action {
            PolicyAction::Bypass => return Ok(Prepared::Other(Egress::Bypass)),
            PolicyAction::Discard => return Err(Dropped::Discarded),
            PolicyAction::Protect { .. } => {}
        }
        if let Some(id) = self.pair_of_policy(index, &flow) {
            return self.fit(id, packet, now, actions);
        }
        self.hold_packet(index, flow, packet, now, actions)
            .map(Prepared::Other)
    }

    /// The place of the first policy that a packet matches.
    ///
    /// # Errors
    /// A policy before it would have decided by ports that the packet does not show.
    fn policy_for(&self, flow: &Flow) -> Result<Option<usize>, Dropped> {
        let hidden = ports_hidden(flow);
        for (index, entry) in self.policies.iter().enumerate() {
            if entry.selectors.matches_outbound(flow) {
                return Ok(Some(index));
            }
            // What may belong to a protected or discarded packet does not go another way.
            let portless = entry.portless.as_ref().filter(|_| hidden);
            if portless.is_some_and(|set| set.matches_outbound(flow))
                && entry.action != PolicyAction::Bypass
            {
                return Err(Dropped::PortsHidden);
            }
        }
        Ok(None)
    }

    /// The pair for a packet that the policy at `index` protects: one with its peer, or with that of a
    /// later policy for the same packets.
    fn pair_of_policy(&self, index: usize, flow: &Flow) -> Option<ChildId> {
        let mut policies = self.policies.iter().skip(index);
        let first = policies.next()?;
        let twins = policies.filter(|entry| entry.selectors == first.selectors);
        let peers = core::iter::once(first).chain(twins);
        peers
            .filter_map(|entry| entry.peer)
            .find_map(|peer| self.pair_for(flow, Some(peer)))
    }

    /// The pair through which `flow` leaves: of the active ones whose selectors cover it the one with
    /// the narrowest selector that holds its destination, of several alike the newest. Without that, a
    /// rekey of a wide child would take the packets of a narrow one within it.
    fn pair_for(&self, flow: &Flow, peer: Option<u32>) -> Option<ChildId> {
        let fits = |id: &ChildId| {
            self.pairs.get(id).is_some_and(|pair| {
                let of_peer = peer.is_none_or(|peer| pair.sa.peer_number == peer);
                of_peer && pair.active && pair.selectors.matches_outbound(flow)
            })
        };
        let places = self.narrowest.iter();
        let holding = places.filter(|place| place.holds(flow.destination));
        holding.map(|place| place.pair()).find(fits)
    }

    /// Whether a packet fits its pair's path in one piece, and what becomes of it otherwise.
    fn fit(
        &mut self,
        id: ChildId,
        packet: &mut PacketBuf<'_>,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) -> Result<Prepared, Dropped> {
        let header = IpHeader::parse(packet.as_slice()).map_err(Dropped::Inner)?;
        let policy = self.config.dont_fragment;
        let pair = self.pairs.get_mut(&id).ok_or(Dropped::Gone)?;
        let (path_mtu, _) = self.paths.mtu(&pair.path);
        let overhead = pair.overhead();
        clamp(&self.config, overhead.max_inner(path_mtu.into()), packet);
        let tunnel = pair.sa.mode == Mode::Tunnel;
        let first = pair.unreported == Traffic::default();
        let whole = |dont_fragment| {
            let transmit = pair.transmit(dont_fragment, header.traffic_class);
            Prepared::Ready(id, transmit)
        };
        let prepared = match esp::look_ahead(&header, &overhead, path_mtu.into(), tunnel, policy) {
            Fit::Fits => whole(match policy {
                DontFragment::Copy => header.dont_fragment,
                DontFragment::Set => true,
                DontFragment::Clear => false,
            }),
            Fit::FragmentAfter => whole(false),
            Fit::FragmentFirst { mtu } => {
                pair.fitting.fragmented = pair.fitting.fragmented.saturating_add(1);
                Prepared::Other(Egress::Fragment(Fragmentation {
                    child: id,
                    mtu,
                    dont_fragment: policy == DontFragment::Set,
                }))
            }
            Fit::TooBig { mtu } => {
                pair.fitting.too_big = pair.fitting.too_big.saturating_add(1);
                let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
                if self.too_big.allow(now) {
                    answer(packet.as_slice(), &header, mtu, actions);
                }
                Prepared::Other(Egress::TooBig { mtu })
            }
        };
        // What does not leave is no traffic: it neither wakes dead peer detection nor counts.
        if matches!(prepared, Prepared::Ready(..)) {
            if let Some(pair) = self.pairs.get_mut(&id) {
                pair.sends(packet.len());
            }
            self.passes(id, first, now);
        }
        Ok(prepared)
    }

    /// Cuts an inner packet, which [`seal`](Self::seal) has left as it was, and gives each protected
    /// piece to `each`. The pieces are made in `room`, one after the other: [`Fragmentation::room`]
    /// octets.
    ///
    /// # Errors
    /// [`Dropped`]; pieces before the one that failed are given out.
    pub fn fragments(
        &mut self,
        packet: &[u8],
        how: Fragmentation,
        room: &mut [u8],
        now: Duration,
        actions: &mut Actions<DataAction>,
        mut each: impl FnMut(Transmit, &[u8]),
    ) -> Result<(), Dropped> {
        let header = IpHeader::parse(packet).map_err(Dropped::Inner)?;
        let mut pieces = Fragments::new(packet, how.mtu).map_err(Dropped::Fragment)?;
        let pair = self.pairs.get_mut(&how.child).ok_or(Dropped::Gone)?;
        let transmit = pair.transmit(how.dont_fragment, header.traffic_class);
        let first = pair.unreported == Traffic::default();
        self.passes(how.child, first, now);
        let pair = self.pairs.get_mut(&how.child).ok_or(Dropped::Gone)?;
        loop {
            let space = room.get_mut(HEADROOM..).unwrap_or_default();
            let length = match pieces.next_into(space) {
                None => return Ok(()),
                Some(length) => length.map_err(Dropped::Fragment)?,
            };
            pair.sends(length);
            let range = HEADROOM..HEADROOM.saturating_add(length);
            let mut piece = PacketBuf::new(room, range).ok_or(Dropped::Gone)?;
            let sealed = pair.outbound.seal(&mut piece, now);
            notice_sequence(how.child, &sealed.map_err(Dropped::Seal)?, actions);
            pair.fitting.fragments = pair.fitting.fragments.saturating_add(1);
            each(transmit, piece.as_slice());
        }
    }

    /// The protected pieces of a packet, each in memory of its own; where one failed, those before it,
    /// and why.
    pub(crate) fn pieces(
        &mut self,
        packet: &[u8],
        how: Fragmentation,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) -> (Vec<(Transmit, Bytes)>, Option<Dropped>) {
        let (mut room, mut pieces) = (alloc::vec![0; how.room()], Vec::new());
        let each = |to, piece: &[u8]| pieces.push((to, Bytes::copy_from_slice(piece)));
        let cut = self.fragments(packet, how, &mut room, now, actions, each);
        (pieces, cut.err())
    }

    fn hold_packet(
        &mut self,
        policy: usize,
        flow: Flow,
        packet: &PacketBuf<'_>,
        now: Duration,
        actions: &mut Actions<DataAction>,
    ) -> Result<Egress, Dropped> {
        let interval = self.config.acquire_interval;
        let entry = self.policies.get_mut(policy).ok_or(Dropped::NoPolicy)?;
        let PolicyAction::Protect { on_demand, .. } = entry.action else {
            return Err(Dropped::NoPolicy);
        };
        if !on_demand {
            return Err(Dropped::Down);
        }
        let asks = entry
            .asked
            .is_none_or(|at| now.saturating_sub(at) >= interval);
        if asks {
            entry.asked = Some(now);
        }
        self.hold.push(policy, flow, packet.as_slice(), now);
        if asks {
            actions.push(acquire(&flow));
        }
        Ok(Egress::Held { policy })
    }
}

/// TCP connections through a pair use segments that fit it, where so much fits its path.
pub(super) fn clamp(config: &DataConfig, fitting: usize, packet: &mut PacketBuf<'_>) {
    if !config.clamp_mss {
        return;
    }
    let most = config.inner_mtu.map_or(usize::MAX, usize::from);
    let v6 = packet.as_slice().first().is_some_and(|b| b >> 4 == 6);
    let mss = esp::mss_for(fitting.min(most), v6);
    // What is not sound IP has no MSS.
    let _clamped = esp::clamp_mss(packet.as_mut_slice(), mss);
}

/// Asks control for a pair that this flow fits.
pub(super) fn acquire(flow: &Flow) -> DataAction {
    // ICMP type and code are no ports.
    let icmp = matches!(flow.protocol, 1 | 58);
    let end = |address, port: Option<u16>| PacketEnd {
        address,
        port: port.filter(|_| !icmp).unwrap_or(0),
    };
    DataAction::Notice(Notice::Acquire {
        source: end(flow.source, flow.source_port),
        destination: end(flow.destination, flow.destination_port),
        protocol: flow.protocol,
    })
}

/// Tells control once that a pair runs out of sequence numbers.
fn notice_sequence(id: ChildId, sealed: &Sealed, actions: &mut Actions<DataAction>) {
    if sealed.soft == Some(Limit::Sequence) {
        actions.push(DataAction::Notice(Notice::SequenceLow(id)));
    }
}

/// Tells the source of `packet` what fits. The message goes to the inside, whose stack believes no
/// packet that claims to come from an address of its own: it comes in the name of the far end, as
/// from any router on the way.
fn answer(packet: &[u8], header: &IpHeader, mtu: u16, actions: &mut Actions<DataAction>) {
    let mut room = [0; ANSWER];
    let length = esp::write_too_big(packet, mtu, header.destination, &mut room);
    // To some packets no answer is due (RFC 1122 §3.2.2).
    if let Some(message) = length.ok().and_then(|length| room.get(..length)) {
        actions.push(DataAction::Deliver {
            packet: Bytes::copy_from_slice(message),
            child: None,
        });
    }
}
