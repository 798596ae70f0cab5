//! What fits the outer path: packets are sealed, fragmented first, or refused with the MTU that would do
//! (RFC 4301 §8, RFC 1191, RFC 8201); and what routers on the way say of it.

use super::{Engine, TRAFFIC_INTERVAL};
use crate::gateway::{outside::Outside, pairs::Pair};
use esp::{DontFragment, Fit, Fragments, PacketBuf, Quoted, TooBig, ip::IpHeader};
use ike_sm::{ChildId, Path};
use std::{ops::Range, time::Duration};

use super::packets::{HEADROOM, TAILROOM};

/// Longest answer that says what fits, octets.
const ANSWER: usize = 1280;

impl Engine {
    /// Sends the inner packet in `range` of `buffer` through the pair `id`, in one piece or in several.
    pub(super) fn protect(
        &mut self,
        id: ChildId,
        buffer: &mut [u8],
        range: Range<usize>,
        now: Duration,
    ) {
        let policy = self.config.gateway.df_bit.into();
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        let Some(packet) = buffer.get_mut(range.clone()) else {
            return;
        };
        let Ok(header) = IpHeader::parse(packet) else {
            return self.count("inner: no IP packet");
        };
        let (path_mtu, _) = self.paths.mtu(&pair.path);
        let overhead = pair.overhead();
        let fitting = u16::try_from(overhead.max_inner(path_mtu.into())).unwrap_or(u16::MAX);
        super::packets::clamp(self.mss_mtu.map(|mtu| mtu.min(fitting)), packet);
        let tunnel = pair.mode == ike_sm::Mode::Tunnel;
        let fit = esp::look_ahead(&header, &overhead, path_mtu.into(), tunnel, policy);
        let sent = match fit {
            Fit::Fits => {
                let df = match policy {
                    DontFragment::Copy => header.dont_fragment,
                    DontFragment::Set => true,
                    DontFragment::Clear => false,
                };
                seal(pair, &mut self.outside, buffer, range, df, now)
            }
            Fit::FragmentAfter => seal(pair, &mut self.outside, buffer, range, false, now),
            Fit::FragmentFirst { mtu } => {
                fragmented(pair, &mut self.outside, packet, mtu, policy, now)
            }
            Fit::TooBig { mtu } => {
                pair.fitting.answered += 1;
                let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
                let (mut answer, mut length) = ([0; ANSWER], 0);
                if self.icmp_limit.allow(now) {
                    // The answer goes back into the kernel, which believes no packet that claims to come from an
                    // address of its own: it comes in the name of the far end, as from any router on the way.
                    let from = header.destination;
                    length = esp::write_too_big(packet, mtu, from, &mut answer).unwrap_or(0);
                }
                if let Some(answer) = answer.get(..length).filter(|a| !a.is_empty()) {
                    // A source that is not told asks again.
                    let _ = self.inside.send(answer);
                    self.inside.poll(now);
                }
                Err("inner: too big, its source is told")
            }
        };
        self.traffic_due.get_or_insert(now + TRAFFIC_INTERVAL);
        if let Err(word) = sent {
            self.count(word);
        }
    }

    /// A router on the way says that a packet of ours was too big; `message` is an IP packet.
    pub fn icmp(&mut self, message: &[u8], now: Duration) {
        // Most of what is unreachable is none of our business.
        let Ok(told) = TooBig::parse(message) else {
            return;
        };
        let concerned = self.pairs.iter().find(|pair| concerns(&told, pair));
        let Some((id, path)) = concerned.map(|pair| (pair.id, pair.path)) else {
            return self.count("ICMP: too big, but not of ours");
        };
        if let Some(pair) = self.pairs.get_mut(id) {
            pair.fitting.told += 1;
        }
        if let Some(changed) = self.paths.learn(&path, told.mtu, now) {
            self.log.note(&format!(
                "path to {}: adjusting path mtu from {} to {}",
                path.remote.ip(),
                changed.old,
                changed.new
            ));
        }
    }

    /// Learnt values that are too old give way to the link's.
    pub(super) fn age_paths(&mut self, now: Duration) {
        for (peer, changed) in self.paths.age(now) {
            self.log.note(&format!(
                "path to {peer}: trying path mtu {} again after {}",
                changed.new, changed.old
            ));
        }
    }

    /// Forgets the paths that no pair uses any more.
    pub(super) fn forget_paths(&mut self) {
        let used: Vec<Path> = self.pairs.iter().map(|pair| pair.path).collect();
        self.paths.keep(&used);
    }
}

/// Whether the message quotes a packet of this pair (P3, P11).
fn concerns(told: &TooBig, pair: &Pair) -> bool {
    let (local, remote) = (pair.path.local, pair.path.remote);
    if (told.source, told.destination) != (local.ip(), remote.ip()) {
        return false;
    }
    match (told.concerns(&pair.outbound), told.quoted) {
        (Some(concerns), _) => concerns,
        // RFC 792 lets a router quote no more than the UDP header: the pair of ports is all there is to check.
        (None, Quoted::Udp { ports }) => pair.udp && ports.1 == remote.port(),
        (None, _) => false,
    }
}

/// Cuts the packet to `mtu` and sends the pieces; the word of the counter when one fails.
fn fragmented(
    pair: &mut Pair,
    outside: &mut Outside,
    packet: &[u8],
    mtu: usize,
    policy: DontFragment,
    now: Duration,
) -> Result<(), &'static str> {
    let mut pieces = Fragments::new(packet, mtu).map_err(|_| "inner: not fragmented")?;
    let mut buffer = vec![0; HEADROOM + mtu + TAILROOM];
    pair.fitting.fragmented += 1;
    loop {
        let room = buffer.get_mut(HEADROOM..).unwrap_or_default();
        let length = match pieces.next_into(room) {
            None => return Ok(()),
            Some(length) => length.map_err(|_| "inner: not fragmented")?,
        };
        pair.fitting.fragments += 1;
        let range = HEADROOM..HEADROOM + length;
        let df = policy == DontFragment::Set;
        seal(pair, outside, &mut buffer, range, df, now)?;
    }
}

/// Protects the packet and sends it; the word of the counter when that fails.
fn seal(
    pair: &mut Pair,
    outside: &mut Outside,
    buffer: &mut [u8],
    range: Range<usize>,
    df: bool,
    now: Duration,
) -> Result<(), &'static str> {
    pair.passed_outbound(range.len());
    let mut packet = PacketBuf::new(buffer, range).ok_or("inner: no room")?;
    pair.outbound.seal(&mut packet, now).map_err(|e| match e {
        esp::SealError::Fragment => "inner: a fragment cannot cross in transport mode",
        _ => "ESP: not sealed",
    })?;
    let sent = if pair.udp {
        outside.send_udp(pair.path, packet.as_slice(), df)
    } else {
        outside.send_raw(pair.path, packet.as_slice(), df)
    };
    sent.map_err(|_| "ESP: sending failed")
}
