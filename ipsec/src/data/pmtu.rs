//! What routers on the way say of packets that are too big, or somebody in their name.

use core::net::IpAddr;
use core::time::Duration;

use bytes::Bytes;
use esp::ip::IpHeader;
use esp::{Claimed, Evidence, Overhead, PathMtuChanged, TooBig};
use ike_sm::{ChildId, Path};
use rand_core::CryptoRng;

use super::pair::Pair;
use super::paths::{self, PathEnds};
use super::{DataAction, DataPlane};
use crate::actions::Actions;
use crate::buffer::Buffer;
use crate::event::Event;

/// What a message about packets that are too big was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IcmpOutcome {
    /// It is another ICMP message.
    Unrelated,
    /// It is not about a packet of ours.
    NotOurs,
    /// It quotes a packet that was sent not long ago: the path MTU follows it.
    Believed,
    /// It proves nothing, and nothing came of it.
    Ignored,
    /// It proves nothing: dummy packets of the lengths in question find out.
    Probing,
    /// The dummy packets show that it was not true.
    Refuted,
}

impl DataPlane {
    /// An ICMP message has arrived on the outside; `message` is the IP packet with it.
    pub fn icmp(
        &mut self,
        message: &[u8],
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<DataAction>,
    ) -> IcmpOutcome {
        // Most of what is unreachable is none of our business.
        let Ok(told) = TooBig::parse(message) else {
            return IcmpOutcome::Unrelated;
        };
        let from = IpHeader::parse(message).map_or(told.destination, |header| header.source);
        let judged = self.pairs.values().map(|pair| {
            let evidence = told.evidence(&pair.ends(), &pair.outbound);
            (pair, evidence)
        });
        let best = judged.max_by_key(|(pair, evidence)| match evidence {
            Evidence::Proof => (2, pair.active),
            Evidence::Claim(_) => (1, pair.active),
            Evidence::None => (0, false),
        });
        match best.map(|(pair, evidence)| (pair.sa.id, pair.path, pair.overhead(), evidence)) {
            Some((id, path, _, Evidence::Proof)) => {
                if let Some(pair) = self.pairs.get_mut(&id) {
                    pair.fitting.told = pair.fitting.told.saturating_add(1);
                }
                let changed = self.paths.watch(&path).and_then(|p| p.learn(told.mtu, now));
                if let Some(changed) = changed {
                    path_changed(Some(id), paths::ends(&path), changed, actions);
                }
                IcmpOutcome::Believed
            }
            Some((id, path, overhead, Evidence::Claim(length))) => {
                let claim = (told.mtu, length);
                self.claimed((id, path, overhead), claim, from, now, rng, actions)
            }
            _ => IcmpOutcome::NotOurs,
        }
    }

    /// Nothing of ESP is shown: the claim is put to the test.
    fn claimed(
        &mut self,
        (id, path, overhead): (ChildId, Path, Overhead),
        claim: (u16, u16),
        from: IpAddr,
        now: Duration,
        rng: &mut dyn CryptoRng,
        actions: &mut Actions<DataAction>,
    ) -> IcmpOutcome {
        let known = self.paths.watch(&path);
        match known.map(|path| path.claim(claim, &overhead, now, rng)) {
            None | Some(Claimed::Ignored) => IcmpOutcome::Ignored,
            Some(Claimed::Probing) => {
                self.send_probes(now, actions);
                IcmpOutcome::Probing
            }
            Some(Claimed::Learned(changed)) => {
                path_changed(Some(id), paths::ends(&path), changed, actions);
                IcmpOutcome::Believed
            }
            Some(Claimed::Refuted) => {
                let path = paths::ends(&path);
                let mtu = claim.0;
                actions.push(DataAction::Event(Event::ForgedPathMtu { path, from, mtu }));
                IcmpOutcome::Refuted
            }
        }
    }

    /// Sends the probes that are due: dummies, which the peer drops (RFC 4303 §2.6), with Don't
    /// Fragment.
    fn send_probes(&mut self, now: Duration, actions: &mut Actions<DataAction>) {
        for (ends, payload) in self.paths.probes(now) {
            let on_path =
                |pair: &&mut Pair| pair.sa.udp && pair.active && paths::ends(&pair.path) == ends;
            // The newest that lets packets out: the peer takes them.
            let Some(pair) = self.pairs.values_mut().filter(on_path).last() else {
                continue;
            };
            let mut buffer = Buffer::new(payload);
            let mut packet = buffer.packet(payload);
            // An SA that refuses a dummy is at its end.
            if pair.outbound.seal_dummy(&mut packet, now).is_ok() {
                let datagram = Bytes::copy_from_slice(packet.as_slice());
                actions.push(DataAction::Send(pair.transmit(true, 0), datagram));
            }
        }
    }

    /// Learnt values that are too old give way to the link's; probes that nobody has complained about
    /// go out again.
    pub(super) fn age_paths(&mut self, now: Duration, actions: &mut Actions<DataAction>) {
        for (ends, changed) in self.paths.age(now) {
            path_changed(None, ends, changed, actions);
        }
        self.send_probes(now, actions);
    }
}

fn path_changed(
    child: Option<ChildId>,
    path: PathEnds,
    changed: PathMtuChanged,
    actions: &mut Actions<DataAction>,
) {
    let PathMtuChanged { old, new } = changed;
    let event = Event::PathMtu {
        child,
        path,
        old,
        new,
    };
    actions.push(DataAction::Event(event));
}
