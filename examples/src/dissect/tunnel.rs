//! GRE and VRRP as the crates read them.

use std::net::IpAddr;

use gre::{AnyPacket, EtherType, Packet};
use vrrp::{Accept, Advertisement, AuthType, Received, Version};

use super::node::Node;
use super::report::{Fault, Layer};

/// A GRE packet, and its payload with the Protocol Type.
pub(super) fn gre(octets: &[u8]) -> (Layer, Option<(u16, &[u8])>) {
    let mut layer = Layer::new("GRE");
    let parsed = match AnyPacket::parse(octets) {
        Ok(parsed) => parsed,
        Err(error) => {
            let mut fault = Fault::new(
                variant(&error.kind),
                "GRE",
                error.offset,
                format!("GRE: {error}"),
            );
            if let gre::ParseErrorKind::Truncated { what, .. } = error.kind {
                fault.what = what.into();
            }
            layer.error = Some(fault);
            // A wrong checksum (or a capture cut short) leaves the fields worth reading.
            match Packet::parse_unverified(octets) {
                Ok(parsed) => {
                    version0(&mut layer, &parsed);
                    return (layer, None);
                }
                Err(_) => return (layer, None),
            }
        }
    };
    match parsed {
        AnyPacket::V0(packet) => {
            version0(&mut layer, &packet);
            (layer, Some((packet.protocol().0, packet.payload())))
        }
        AnyPacket::V1(packet) => {
            let [high, low] = octets.first_chunk().copied().unwrap_or_default();
            let flags = u16::from_be_bytes([high, low]);
            layer
                .fields
                .push(Node::number("Flags", flags).meaning(format!("0x{flags:04x}")));
            layer.fields.push(Node::number("Version", 1u8));
            layer.fields.push(protocol_type(EtherType::PPP));
            layer.fields.push(Node::number(
                "Payload Length",
                u64::try_from(packet.payload().len()).unwrap_or(0),
            ));
            layer.fields.push(Node::number("Call ID", packet.call_id()));
            if let Some(sequence) = packet.sequence() {
                layer.fields.push(Node::number("Sequence Number", sequence));
            }
            if let Some(acknowledgment) = packet.acknowledgment() {
                layer
                    .fields
                    .push(Node::number("Acknowledgment Number", acknowledgment));
            }
            (layer, None)
        }
    }
}

fn version0(layer: &mut Layer, packet: &Packet<'_>) {
    layer
        .fields
        .push(Node::number("Flags", packet.flags()).meaning(format!("0x{:04x}", packet.flags())));
    layer.fields.push(Node::number("Version", 0u8));
    layer.fields.push(protocol_type(packet.protocol()));
    if let Some(checksum) = packet.checksum() {
        layer.fields.push(Node::number("Checksum", checksum));
    }
    if let Some(key) = packet.key() {
        layer.fields.push(Node::number("Key", key));
    }
    if let Some(sequence) = packet.sequence() {
        layer.fields.push(Node::number("Sequence Number", sequence));
    }
}

fn protocol_type(protocol: EtherType) -> Node {
    Node::named("Protocol Type", protocol.0, protocol.name())
}

/// A VRRP advertisement.
pub(super) fn vrrp(message: &[u8], source: IpAddr, destination: IpAddr, ttl: u8) -> Layer {
    let mut layer = Layer::new("VRRP");
    let received = Received {
        source,
        destination,
        ttl,
        message,
    };
    match Advertisement::parse(&received, Accept::STANDARD) {
        Ok(found) => {
            let fields = &mut layer.fields;
            fields.push(Node::number("Version", found.version().number()));
            fields.push(Node::named("Type", 1u8, Some("ADVERTISEMENT")));
            fields.push(Node::number("Virtual Rtr ID", found.vrid().value()));
            fields.push(Node::number("Priority", found.priority().0));
            fields.push(Node::number(
                "Count IP Addrs",
                u64::try_from(found.address_count()).unwrap_or(0),
            ));
            let interval = found.interval().centiseconds();
            if found.version() == Version::V2 {
                let auth = found.auth_type();
                fields.push(Node::number("Auth Type", auth.0).meaning(auth.to_string()));
                fields.push(Node::number("Adver Int", interval / 100));
                fields.push(Node::number("Checksum", found.checksum()));
                if auth == AuthType::SIMPLE {
                    fields.push(Node::bytes("Authentication Data", found.auth_data()));
                }
            } else {
                fields.push(Node::number("Max Adver Int", interval));
                fields.push(
                    Node::number("Checksum", found.checksum())
                        .meaning(format!("{:?}", found.checksum_reading())),
                );
            }
            for address in found.addresses() {
                let name = if address.is_ipv4() {
                    "IPv4 Address"
                } else {
                    "IPv6 Address"
                };
                fields.push(Node::text(name, address.to_string()));
            }
        }
        Err(error) => {
            layer.error = Some(Fault::new(
                variant(&error),
                "VRRP",
                0,
                format!("VRRP: {error}"),
            ));
        }
    }
    layer
}

/// The name of an error's variant: `Truncated`, `Checksum`, …
fn variant(error: &impl std::fmt::Debug) -> &'static str {
    let text = format!("{error:?}");
    let name = text.split([' ', '(', '{']).next().unwrap_or("");
    [
        "Truncated",
        "Ttl",
        "Version",
        "Version2OverIpv6",
        "PacketType",
        "VridZero",
        "NoAddresses",
        "IntervalZero",
        "AuthType",
        "Length",
        "Checksum",
        "MixedFamilies",
        "RoutingPresent",
        "StrictSourceRoute",
        "RecursionControl",
        "ChecksumInVersion1",
        "KeyMissing",
        "Flags",
        "NotPpp",
        "PayloadLength",
        "PayloadWithoutSequence",
    ]
    .into_iter()
    .find(|known| *known == name)
    .unwrap_or("invalid")
}
