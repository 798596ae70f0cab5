//! What fits the outer path: packets are sealed, fragmented first, or refused with the MTU that would do
//! (RFC 4301 §8, RFC 1191, RFC 8201); and what routers on the way say of it.

use super::{Engine, TRAFFIC_INTERVAL};
use crate::gateway::{outside::Outside, pairs::Pair};
use esp::{
    Claimed, DontFragment, Ends, Evidence, Fit, Fragments, Overhead, PacketBuf, PathMtuChanged,
    TooBig, UdpPorts, ip::IpHeader,
};
use ike_sm::{ChildId, Path};
use rand_core::Rng;
use std::{net::IpAddr, ops::Range, time::Duration};

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

    /// A router on the way says that a packet of ours was too big, or somebody does in its name; `message` is an IP
    /// packet.
    pub fn icmp(&mut self, message: &[u8], now: Duration) {
        // Most of what is unreachable is none of our business.
        let Ok(told) = TooBig::parse(message) else {
            return;
        };
        let from = IpHeader::parse(message).map_or(told.destination, |header| header.source);
        let outside = &self.outside;
        let judged = self
            .pairs
            .iter()
            .map(|pair| (pair, evidence(&told, pair, outside)));
        let best = judged.max_by_key(|(pair, evidence)| match evidence {
            Evidence::Proof => (2, pair.active),
            Evidence::Claim(_) => (1, pair.active),
            Evidence::None => (0, false),
        });
        match best.map(|(pair, evidence)| (pair.id, pair.path, pair.overhead(), evidence)) {
            Some((id, path, _, Evidence::Proof)) => self.path_proved(id, &path, told.mtu, now),
            Some((_, path, overhead, Evidence::Claim(length))) => {
                self.path_claimed(&path, (told.mtu, length), &overhead, from, now);
            }
            _ => self.count("ICMP: too big, but not of ours"),
        }
    }

    fn path_proved(&mut self, id: ChildId, path: &Path, mtu: u16, now: Duration) {
        if let Some(pair) = self.pairs.get_mut(id) {
            pair.fitting.told += 1;
        }
        if let Some(changed) = self.paths.learn(path, mtu, now) {
            self.path_changed(path, changed);
        }
    }

    /// Nothing of ESP is shown: the claim is put to the test.
    fn path_claimed(
        &mut self,
        path: &Path,
        claim: (u16, u16),
        overhead: &Overhead,
        from: IpAddr,
        now: Duration,
    ) {
        let random = std::array::from_fn(|_| self.rng.next_u32());
        match self.paths.claim(path, claim, overhead, random, now) {
            Claimed::Ignored => self.count("ICMP: too big, claimed without proof and ignored"),
            Claimed::Probing => {
                self.count("ICMP: too big, claimed without proof and probed");
                self.send_probes(now);
            }
            Claimed::Learned(changed) => self.path_changed(path, changed),
            Claimed::Refuted => {
                self.count("ICMP: too big, refuted by probes");
                let text = format!(
                    "path to {}: {from} says that {} octets do not fit, and quotes what was not sent",
                    path.remote.ip(),
                    u32::from(claim.0) + 1,
                );
                self.note_of("forged path MTU", from, &text, now);
            }
        }
    }

    fn path_changed(&self, path: &Path, changed: PathMtuChanged) {
        self.log.note(&format!(
            "path to {}: adjusting path mtu from {} to {}",
            path.remote.ip(),
            changed.old,
            changed.new
        ));
    }

    /// Sends the probes that are due: dummies, which the peer drops (RFC 4303 §2.6), with Don't Fragment.
    pub(super) fn send_probes(&mut self, now: Duration) {
        for (ends, payload) in self.paths.probes(now) {
            let on_path =
                |pair: &&mut Pair| pair.udp && crate::gateway::paths::ends(&pair.path) == ends;
            // The newest that lets packets out: the peer takes them.
            let pairs = self.pairs.iter_mut().filter(on_path);
            let Some(pair) = pairs.filter(|pair| pair.active).last() else {
                continue;
            };
            let range = HEADROOM..HEADROOM + payload;
            let mut buffer = vec![0; range.end + TAILROOM];
            let Some(mut packet) = PacketBuf::new(&mut buffer, range) else {
                continue;
            };
            let sealed = pair.outbound.seal_dummy(&mut packet, now).is_ok();
            if !sealed
                || self
                    .outside
                    .send_udp(pair.path, packet.as_slice(), true)
                    .is_err()
            {
                self.count("ESP: sending failed");
            }
        }
    }

    /// Learnt values that are too old give way to the link's; probes that nobody has complained about go out again.
    pub(super) fn age_paths(&mut self, now: Duration) {
        for (peer, changed) in self.paths.age(now) {
            self.log.note(&format!(
                "path to {peer}: trying path mtu {} again after {}",
                changed.new, changed.old
            ));
        }
        self.send_probes(now);
    }

    /// Forgets the paths that no pair uses any more.
    pub(super) fn forget_paths(&mut self) {
        let used: Vec<Path> = self.pairs.iter().map(|pair| pair.path).collect();
        self.paths.keep(&used);
    }
}

/// What the message is worth for this pair (P3, P11).
fn evidence(told: &TooBig, pair: &Pair, outside: &Outside) -> Evidence {
    let (local, remote) = outside.on_the_wire(&pair.path);
    let ends = Ends {
        source: local.ip(),
        destination: remote.ip(),
        udp: pair.udp.then_some(UdpPorts {
            source: local.port(),
            destination: remote.port(),
        }),
    };
    told.evidence(&ends, &pair.outbound)
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
