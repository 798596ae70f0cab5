//! A host inside that speaks nothing but ping: what the embeddings have in place of a TUN device.

use etherparse::{
    Icmpv4Header, Icmpv4Slice, Icmpv4Type, PacketBuilder, PacketBuilderStep, SlicedPacket,
    TransportSlice,
};
use std::{collections::VecDeque, net::Ipv4Addr};

const PAYLOAD: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";

/// One host: it sends so many pings, each when the one before was answered, and answers those of others.
#[derive(Debug)]
pub struct Host {
    own: Ipv4Addr,
    other: Ipv4Addr,
    pings: u16,
    sent: u16,
    answered: u16,
    wants_out: VecDeque<Vec<u8>>,
}

impl Host {
    /// The host `own` sends `pings` to `other`.
    #[must_use]
    pub fn new(own: [u8; 4], other: [u8; 4], pings: u16) -> Self {
        Self {
            own: own.into(),
            other: other.into(),
            pings,
            sent: 0,
            answered: 0,
            wants_out: VecDeque::new(),
        }
    }

    /// An IP packet for the host: a ping is answered, an answer is counted.
    pub fn push(&mut self, packet: &[u8]) {
        self.wants_out.extend(answer(packet));
        if answered(packet) == Some(self.sent) {
            self.answered = self.sent;
        }
    }

    /// The next IP packet that the host sends.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        if self.sent < self.pings && self.sent == self.answered {
            self.sent += 1;
            let ping = PacketBuilder::ipv4(self.own.octets(), self.other.octets(), 64);
            let ping = ping.icmpv4_echo_request(7, self.sent);
            self.wants_out.push_back(written(ping));
        }
        self.wants_out.pop_front()
    }

    /// Number of pings that were answered.
    #[must_use]
    pub const fn answered(&self) -> u16 {
        self.answered
    }

    /// Whether it sends pings, and all were answered.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.pings > 0 && self.answered == self.pings
    }
}

/// The answer of the host that `packet` is for, if it is an echo request.
fn answer(packet: &[u8]) -> Option<Vec<u8>> {
    let (from, to) = ends(packet)?;
    let Icmpv4Type::EchoRequest(echo) = icmp(packet)?.icmp_type() else {
        return None;
    };
    let back = PacketBuilder::ipv4(to, from, 64);
    Some(written(back.icmpv4_echo_reply(echo.id, echo.seq)))
}

/// The number of an echo reply.
fn answered(packet: &[u8]) -> Option<u16> {
    match icmp(packet)?.icmp_type() {
        Icmpv4Type::EchoReply(echo) => Some(echo.seq),
        _ => None,
    }
}

fn written(builder: PacketBuilderStep<Icmpv4Header>) -> Vec<u8> {
    let mut packet = Vec::new();
    // Writing into memory does not fail.
    let _ = builder.write(&mut packet, PAYLOAD);
    packet
}

fn ends(packet: &[u8]) -> Option<([u8; 4], [u8; 4])> {
    let header = etherparse::Ipv4HeaderSlice::from_slice(packet).ok()?;
    Some((header.source(), header.destination()))
}

fn icmp(packet: &[u8]) -> Option<Icmpv4Slice<'_>> {
    match SlicedPacket::from_ip(packet).ok()?.transport? {
        TransportSlice::Icmpv4(icmp) => Some(icmp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hosts_ping_each_other() {
        let (a, b) = ([10, 1, 0, 1], [10, 2, 0, 1]);
        let (mut a, mut b) = (Host::new(a, b, 3), Host::new(b, a, 0));
        while let Some(ping) = a.pop() {
            assert_eq!(a.pop(), None, "one at a time");
            b.push(&ping);
            a.push(&b.pop().unwrap());
        }
        assert!(a.is_done() && !b.is_done());
        b.push(b"no packet");
        assert_eq!(b.pop(), None);
    }
}
