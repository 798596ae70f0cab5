//! GRE: packets of every version, and the keepalive machine.

use std::time::Duration;

use gre::keepalive::{Config, Event, Inbound, Keepalive, Outcome};
use gre::{Actions, AnyPacket, IpPacket, Packet, innermost, mss};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::Feed;

/// A GRE packet, a delivery header, nested packets, an inner TCP SYN.
pub fn packets(data: &[u8]) {
    if let Ok(packet) = Packet::parse(data) {
        assert!(packet.payload().len() <= data.len());
        assert_eq!(
            Packet::parse_unverified(data).map(|p| p.key()),
            Ok(packet.key())
        );
    }
    drop(AnyPacket::parse(data).map_err(|error| error.to_string()));
    let _ = IpPacket::parse(data).map(|ip| ip.gre().map(|_| ()));
    for depth in [1, 4, 255] {
        if let Ok((_, layers)) = innermost(data, depth) {
            assert!(layers <= depth);
        }
    }
    let mut copy = data.to_vec();
    mss::clamp(&mut copy, 1360);
    assert_eq!(copy.len(), data.len());
}

/// Time passes and packets arrive in any order: a dropped event changes nothing, a deadline moves on.
pub fn keepalive(data: &[u8]) {
    let mut feed = Feed(data);
    let config = Config::new([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let mut now = Duration::ZERO;
    let Ok(mut machine) = Keepalive::new(config, now) else {
        return;
    };
    let mut actions = Actions::default();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let due = |machine: &Keepalive| {
        machine
            .next_deadline()
            .map_or(Duration::MAX, |deadline| deadline.at)
    };
    while let Some(kind) = feed.byte() {
        if kind & 1 == 0 {
            now = now.max(due(&machine));
            let outcome = machine.handle(Event::Deadline, now, &mut rng, &mut actions);
            assert_eq!(outcome, Outcome::Handled);
            assert!(due(&machine) > now, "progress");
        } else {
            let Some(bytes) = feed.bytes() else { return };
            let Ok(delivery) = IpPacket::parse(bytes) else {
                continue;
            };
            let Ok(packet) = delivery.gre() else { continue };
            let before = format!("{machine:?}");
            let inbound = Inbound {
                delivery: &delivery,
                gre: &packet,
                protected: kind & 2 != 0,
            };
            let outcome = machine.handle(Event::Received(inbound), now, &mut rng, &mut actions);
            if let Outcome::Dropped(_) = outcome {
                assert_eq!(before, format!("{machine:?}"), "atomicity");
            }
        }
        while actions.pop().is_some() {}
    }
}
