//! What a selector looks at: addresses, protocol and ports of an inner packet.

use etherparse::{IpSlice, TcpHeaderSlice, UdpHeaderSlice, ip_number};
use std::net::IpAddr;

/// The fields of an inner packet that choose its SA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Upper-layer protocol, behind IPv6 extension headers.
    pub protocol: u8,
    /// Source port; 0 where the protocol has none or a fragment hides it.
    pub source_port: u16,
    /// Destination port; 0 likewise.
    pub destination_port: u16,
}

impl Flow {
    /// Reads the headers of an IPv4 or IPv6 packet; `None` when it is neither.
    #[must_use]
    pub fn of(packet: &[u8]) -> Option<Self> {
        let ip = IpSlice::from_slice(packet).ok()?;
        let payload = ip.payload();
        let protocol = payload.ip_number;
        let ports = match protocol {
            _ if payload.fragmented => None,
            ip_number::UDP => UdpHeaderSlice::from_slice(payload.payload)
                .ok()
                .map(|h| (h.source_port(), h.destination_port())),
            ip_number::TCP => TcpHeaderSlice::from_slice(payload.payload)
                .ok()
                .map(|h| (h.source_port(), h.destination_port())),
            _ => None,
        };
        let (source_port, destination_port) = ports.unwrap_or_default();
        Some(Self {
            source: ip.source_addr(),
            destination: ip.destination_addr(),
            protocol: protocol.0,
            source_port,
            destination_port,
        })
    }

    /// The flow of the answers.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            protocol: self.protocol,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    #[test]
    fn ports_are_read_where_there_are_ports() {
        let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(1000, 53);
        let mut packet = Vec::new();
        builder.write(&mut packet, b"query").unwrap();
        let flow = Flow::of(&packet).unwrap();
        assert_eq!(
            (flow.protocol, flow.source_port, flow.destination_port),
            (17, 1000, 53)
        );
        assert_eq!(flow.reversed().reversed(), flow);
        assert_eq!(flow.reversed().source, IpAddr::from([10, 0, 0, 2]));

        let builder = PacketBuilder::ipv6([1; 16], [2; 16], 64).icmpv6_echo_request(1, 2);
        let mut packet = Vec::new();
        builder.write(&mut packet, b"ping").unwrap();
        let flow = Flow::of(&packet).unwrap();
        assert_eq!(
            (flow.protocol, flow.source_port, flow.destination_port),
            (58, 0, 0)
        );
    }

    #[test]
    fn a_fragment_hides_its_ports() {
        let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(1000, 53);
        let mut packet = Vec::new();
        builder.write(&mut packet, b"query").unwrap();
        packet[6] = 0x20; // more fragments
        assert_eq!(Flow::of(&packet).unwrap().destination_port, 0);
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Flow::of(&bytes);
        }
    }
}
