//! IP and UDP, down to the protocols of the suite and up again inside a tunnel.

use std::net::IpAddr;

use etherparse::defrag::IpDefragPool;
use etherparse::{
    IcmpEchoHeader, Icmpv4Type, Icmpv6Type, IpNumber, Ipv6ExtensionSlice, LaxNetSlice,
    LaxSlicedPacket, SlicedPacket, TransportSlice,
};

use super::esp::{self, EspSas};
use super::input::Frame;
use super::isakmp::Isakmp;
use super::keys::Keys;
use super::link::{self, Content};
use super::node::Node;
use super::report::{Fault, Layer, Report};
use super::tunnel;

/// Layers of tunnel in tunnel that are looked into.
const MAX_DEPTH: usize = 8;

/// Protocols a report is made for.
const SUITE: [&str; 7] = [
    "ISAKMP",
    "ESP",
    "AH",
    "GRE",
    "VRRP",
    "NAT-keepalive",
    "UDPENCAP",
];

/// Decodes frame after frame; it remembers what decryption needs.
pub struct Decoder {
    isakmp: Isakmp,
    esp: EspSas,
    fragments: IpDefragPool<(), ()>,
    ports: Vec<u16>,
}

/// The addresses around a transport payload.
#[derive(Clone, Copy)]
struct Ends {
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
}

impl Decoder {
    /// A decoder that uses `keys` and looks for IKE on `ports` beside 500 and 4500.
    pub fn new(keys: &Keys, ports: &[u16]) -> Self {
        Self {
            isakmp: Isakmp::new(keys),
            esp: EspSas::new(keys),
            fragments: IpDefragPool::new(),
            ports: ports.to_vec(),
        }
    }

    /// What is in a frame; `None` when nothing of the suite is.
    pub fn frame(&mut self, frame: &Frame) -> Option<Report> {
        let mut report = Report {
            frame: frame.number,
            time: frame.time,
            ..Report::default()
        };
        match link::content(frame.link, &frame.data) {
            Content::Network(ether_type, data) => self.network(ether_type, data, &mut report, 0),
            Content::Isakmp(message) => self.isakmp.decode(message, &mut report.layers),
            Content::Other => {}
        }
        // Plain IP in IP around the suite's protocols goes without saying.
        let first = report
            .layers
            .iter()
            .position(|layer| SUITE.contains(&layer.protocol))?;
        report.layers.drain(..first);
        Some(report)
    }

    fn network(&mut self, ether_type: u16, data: &[u8], report: &mut Report, depth: usize) {
        if depth >= MAX_DEPTH || ![link::IPV4, link::IPV6].contains(&ether_type) {
            return;
        }
        let Ok(sliced) = LaxSlicedPacket::from_ip(data) else {
            if depth > 0 {
                let mut layer = Layer::new("IP");
                layer.error = Some(Fault::new("invalid", "IP header", 0, "IP header: not one"));
                report.layers.push(layer);
            }
            return;
        };
        let Some(net) = &sliced.net else { return };
        let ends = match net {
            LaxNetSlice::Ipv4(ip) => Ends {
                source: ip.header().source_addr().into(),
                destination: ip.header().destination_addr().into(),
                ttl: ip.header().ttl(),
            },
            LaxNetSlice::Ipv6(ip) => Ends {
                source: ip.header().source_addr().into(),
                destination: ip.header().destination_addr().into(),
                ttl: ip.header().hop_limit(),
            },
            LaxNetSlice::Arp(_) => return,
        };
        if depth == 0 {
            report.source = ends.source.to_string();
            report.destination = ends.destination.to_string();
        } else {
            let mut layer = Layer::new(if ends.source.is_ipv4() {
                "IPv4"
            } else {
                "IPv6"
            });
            layer
                .fields
                .push(Node::text("Source Address", ends.source.to_string()));
            layer.fields.push(Node::text(
                "Destination Address",
                ends.destination.to_string(),
            ));
            report.layers.push(layer);
        }
        let auth = match net {
            LaxNetSlice::Ipv4(ip) => ip.extensions().auth,
            LaxNetSlice::Ipv6(ip) => {
                ip.extensions()
                    .clone()
                    .into_iter()
                    .find_map(|found| match found {
                        Ipv6ExtensionSlice::Authentication(auth) => Some(auth),
                        _ => None,
                    })
            }
            LaxNetSlice::Arp(_) => None,
        };
        if let Some(auth) = auth {
            report.layers.push(esp::ah(
                auth.next_header().0,
                auth.spi(),
                auth.sequence_number(),
                auth.raw_icv(),
            ));
        }
        if let Some((error, etherparse::err::Layer::IpAuthHeader)) = &sliced.stop_err {
            let mut layer = Layer::new("AH");
            layer.error = Some(Fault::new("malformed", "AH", 0, format!("AH: {error}")));
            report.layers.push(layer);
            return;
        }
        let Some(payload) = sliced.ip_payload() else {
            return;
        };
        // A first fragment that was cut by the capture is never put together, but holds a header.
        if payload.fragmented && !(payload.incomplete && first_fragment(net)) {
            self.fragment(data, ends, report, depth);
            return;
        }
        match &sliced.transport {
            Some(transport) => self.transport(transport, ends, report, depth),
            None if payload.fragmented => {
                self.bare(payload.ip_number, payload.payload, ends, report, depth)
            }
            None => self.payload(payload.ip_number, payload.payload, ends, report, depth),
        }
    }

    /// Collects the fragments of a packet and goes on when it is complete.
    fn fragment(&mut self, data: &[u8], ends: Ends, report: &mut Report, depth: usize) {
        let Ok(sliced) = SlicedPacket::from_ip(data) else {
            return;
        };
        if let Ok(Some(whole)) = self.fragments.process_sliced_packet(&sliced, (), ()) {
            if whole.ip_number == IpNumber::UDP {
                if let Some((&[s0, s1, d0, d1, ..], payload)) =
                    whole.payload.split_first_chunk::<8>()
                {
                    let ports = [u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])];
                    self.udp(ports, payload, ends, report, depth);
                }
            } else {
                self.payload(whole.ip_number, &whole.payload, ends, report, depth);
            }
        }
    }

    fn transport(
        &mut self,
        transport: &TransportSlice<'_>,
        ends: Ends,
        report: &mut Report,
        depth: usize,
    ) {
        let echo = |name, kind: u8, echo: Option<IcmpEchoHeader>| {
            let mut layer = Layer::new(name);
            layer.fields.push(Node::number("Type", kind));
            if let Some(echo) = echo {
                layer.fields.push(Node::number("Identifier", echo.id));
                layer.fields.push(Node::number("Sequence Number", echo.seq));
            }
            layer
        };
        match transport {
            TransportSlice::Udp(udp) => {
                self.udp(
                    [udp.source_port(), udp.destination_port()],
                    udp.payload(),
                    ends,
                    report,
                    depth,
                );
            }
            // Other traffic matters only as the content of a tunnel.
            _ if depth == 0 && report.layers.is_empty() => {}
            TransportSlice::Icmpv4(icmp) => report.layers.push(echo(
                "ICMP",
                icmp.type_u8(),
                match icmp.icmp_type() {
                    Icmpv4Type::EchoRequest(header) | Icmpv4Type::EchoReply(header) => Some(header),
                    _ => None,
                },
            )),
            TransportSlice::Icmpv6(icmp) => report.layers.push(echo(
                "ICMPv6",
                icmp.type_u8(),
                match icmp.icmp_type() {
                    Icmpv6Type::EchoRequest(header) | Icmpv6Type::EchoReply(header) => Some(header),
                    _ => None,
                },
            )),
            TransportSlice::Tcp(tcp) => {
                let mut layer = ports("TCP", tcp.source_port(), tcp.destination_port());
                layer
                    .fields
                    .push(Node::number("Sequence Number", tcp.sequence_number()));
                report.layers.push(layer);
            }
            TransportSlice::Igmp(_) => report.layers.push(Layer::new("IGMP")),
        }
    }

    fn udp(
        &mut self,
        [from, to]: [u16; 2],
        payload: &[u8],
        ends: Ends,
        report: &mut Report,
        depth: usize,
    ) {
        let is = |port| from == port || to == port;
        let extra = self.ports.iter().any(|port| is(*port));
        let natt = is(nat_t::NAT_T_PORT);
        if !natt && !is(nat_t::IKE_PORT) && !extra {
            if depth > 0 || !report.layers.is_empty() {
                report.layers.push(ports("UDP", from, to));
            }
            return;
        }
        if depth == 0 {
            report.source = std::net::SocketAddr::new(ends.source, from).to_string();
            report.destination = std::net::SocketAddr::new(ends.destination, to).to_string();
        } else {
            report.layers.push(ports("UDP", from, to));
        }
        // An extra port may carry either form.
        let marked = natt || (extra && payload.starts_with(&nat_t::NON_ESP_MARKER));
        if !marked {
            self.isakmp.decode(payload, &mut report.layers);
            return;
        }
        match nat_t::classify(payload) {
            nat_t::Datagram::Ike(message) => self.isakmp.decode(message, &mut report.layers),
            nat_t::Datagram::Esp(packet) => self.esp(packet, ends, report, depth),
            nat_t::Datagram::Keepalive => report.layers.push(Layer::new("NAT-keepalive")),
            nat_t::Datagram::Malformed(why) => {
                // A marker names the protocol, however short the rest is.
                if let Some(message) = payload.strip_prefix(&nat_t::NON_ESP_MARKER) {
                    self.isakmp.decode(message, &mut report.layers);
                } else {
                    let mut layer = Layer::new("UDPENCAP");
                    layer.error = Some(Fault::new(
                        "malformed",
                        "UDP payload",
                        0,
                        format!("UDP payload: {why}"),
                    ));
                    report.layers.push(layer);
                }
            }
        }
    }

    fn payload(
        &mut self,
        protocol: IpNumber,
        data: &[u8],
        ends: Ends,
        report: &mut Report,
        depth: usize,
    ) {
        let deeper = depth.saturating_add(1);
        match protocol {
            IpNumber::ENCAPSULATING_SECURITY_PAYLOAD => self.esp(data, ends, report, depth),
            IpNumber::GRE => {
                let (layer, inside) = tunnel::gre(data);
                report.layers.push(layer);
                match inside {
                    Some((0x6558, frame)) => {
                        if let Content::Network(ether_type, packet) = link::ethernet(frame) {
                            self.network(ether_type, packet, report, deeper);
                        }
                    }
                    Some((ether_type, packet)) => {
                        if let Content::Network(ether_type, packet) =
                            link::network(ether_type, packet)
                        {
                            self.network(ether_type, packet, report, deeper);
                        }
                    }
                    None => {}
                }
            }
            IpNumber::VRRP => {
                report
                    .layers
                    .push(tunnel::vrrp(data, ends.source, ends.destination, ends.ttl));
            }
            IpNumber::IPV4 => {
                self.network(link::IPV4, data, report, deeper);
            }
            IpNumber::IPV6 => {
                self.network(link::IPV6, data, report, deeper);
            }
            IpNumber::AUTHENTICATION_HEADER => {
                let mut layer = Layer::new("AH");
                layer.error = Some(Fault::new(
                    "truncated",
                    "AH",
                    0,
                    format!("AH: {} octets are no whole header", data.len()),
                ));
                report.layers.push(layer);
            }
            _ => {}
        }
    }

    fn esp(&mut self, packet: &[u8], ends: Ends, report: &mut Report, depth: usize) {
        let (layer, inner) = self.esp.decode(packet, ends.source, ends.destination);
        report.layers.push(layer);
        let Some(inner) = inner else { return };
        let deeper = depth.saturating_add(1);
        if deeper >= MAX_DEPTH {
            return;
        }
        match inner.next_header {
            4 => self.network(link::IPV4, &inner.payload, report, deeper),
            41 => self.network(link::IPV6, &inner.payload, report, deeper),
            // RFC 4303 §2.6: a dummy packet.
            59 => {}
            // Transport mode: the payload belongs to the outer addresses.
            number => self.bare(IpNumber(number), &inner.payload, ends, report, deeper),
        }
    }

    /// A transport payload without an IP header of its own.
    fn bare(
        &mut self,
        protocol: IpNumber,
        data: &[u8],
        ends: Ends,
        report: &mut Report,
        depth: usize,
    ) {
        let transport = match protocol {
            IpNumber::UDP => etherparse::UdpSlice::from_slice_lax(data)
                .ok()
                .map(TransportSlice::Udp),
            IpNumber::TCP => etherparse::TcpSlice::from_slice(data)
                .ok()
                .map(TransportSlice::Tcp),
            IpNumber::ICMP => etherparse::Icmpv4Slice::from_slice(data)
                .ok()
                .map(TransportSlice::Icmpv4),
            IpNumber::IPV6_ICMP => etherparse::Icmpv6Slice::from_slice(data)
                .ok()
                .map(TransportSlice::Icmpv6),
            _ => None,
        };
        match transport {
            Some(transport) => self.transport(&transport, ends, report, depth),
            None => self.payload(protocol, data, ends, report, depth),
        }
    }
}

fn first_fragment(net: &LaxNetSlice<'_>) -> bool {
    matches!(net, LaxNetSlice::Ipv4(ip) if ip.header().fragments_offset().value() == 0)
}

fn ports(protocol: &'static str, from: u16, to: u16) -> Layer {
    let mut layer = Layer::new(protocol);
    layer.fields.push(Node::number("Source Port", from));
    layer.fields.push(Node::number("Destination Port", to));
    layer
}
