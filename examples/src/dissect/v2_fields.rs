//! The fields of IKEv2 payloads by their RFC names.

use isakmp_wire::v2::{
    Configuration, Delete, Identification, Identity, Notify, Payload, Proposal, Sa, Selector,
    TrafficSelectors, Transform, TransformAttribute, View,
};
use isakmp_wire::{ParseError, ProtocolId};

use super::esp::ip_protocol;
use super::fields::{self, length};
use super::isakmp::limits;
use super::node::Node;

/// RFC 7296 §3.3.1, §3.3.2: "Last Substruc" of a proposal and of a transform that are not the last
/// ones have the numbers the substructures had in IKEv1.
const PROPOSAL: u8 = 2;
const TRANSFORM: u8 = 3;

/// One payload; what was refused comes with the error.
pub(super) fn payload(payload: &Payload<'_>) -> (Node, Option<ParseError>) {
    let node = Node::number(payload.payload_type.to_string(), payload.payload_type.0)
        .with(Node::flag("Critical", payload.reserved & 0x80 != 0))
        .with(length(payload.raw));
    fields::payload(node, payload.view(&limits()), payload.body, |node, view| {
        show(node, payload, view);
    })
}

fn show(node: &mut Node, payload: &Payload<'_>, view: &View<'_>) {
    match view {
        View::Sa(sa) => security_association(node, sa),
        View::KeyExchange(found) => {
            let kind = ("Key Exchange Method", found.method.0, found.method.name());
            fields::typed(node, kind, ("Key Exchange Data", found.data));
        }
        View::IdInitiator(id) | View::IdResponder(id) => identification(node, id),
        View::Certificate(found) => {
            let kind = ("Cert Encoding", found.encoding.0, found.encoding.name());
            fields::typed(node, kind, ("Certificate Data", found.data));
        }
        View::CertificateRequest(found) => {
            let kind = ("Cert Encoding", found.encoding.0, found.encoding.name());
            fields::typed(node, kind, ("Certification Authority", found.authority));
        }
        View::Authentication(found) => {
            let kind = ("Auth Method", found.method.0, found.method.name());
            fields::typed(node, kind, ("Authentication Data", found.data));
        }
        View::Nonce(data) => node.push(Node::bytes("Nonce Data", data)),
        View::Notify(found) => notify(node, found),
        View::Delete(found) => delete(node, found),
        View::VendorId(data) => node.push(fields::vendor(data)),
        View::TsInitiator(found) | View::TsResponder(found) => selectors(node, found),
        View::Configuration(found) => configuration(node, found),
        View::Eap(found) => {
            node.push(Node::text("Code", format!("{:?}", found.code)));
            node.push(Node::number("Identifier", found.identifier));
            if let Some(kind) = found.eap_type {
                node.push(Node::number("EAP Type", kind));
            }
            node.push(Node::bytes("Type_Data", found.data));
        }
        _ => node.push(Node::bytes("data", payload.body)),
    }
}

fn security_association(node: &mut Node, sa: &Sa<'_>) {
    for proposal in sa.proposals() {
        node.push(self::proposal(&proposal));
    }
}

fn proposal(proposal: &Proposal<'_>) -> Node {
    let mut node = Node::number("Proposal", PROPOSAL)
        .with(length(proposal.raw))
        .with(Node::number("Proposal Num", proposal.number))
        .with(protocol(proposal.protocol_id));
    let transforms = Node::number("Num Transforms", proposal.transform_count);
    fields::spi(&mut node, proposal.spi, transforms);
    for transform in proposal.transforms() {
        node.push(self::transform(&transform));
    }
    node
}

fn protocol(id: ProtocolId) -> Node {
    let name = if id == ProtocolId::IKE {
        Some("IKE")
    } else {
        id.name()
    };
    Node::named("Protocol ID", id.0, name)
}

fn transform(transform: &Transform<'_>) -> Node {
    let kind = transform.transform_type;
    let mut node = Node::number("Transform", TRANSFORM)
        .with(length(transform.raw))
        .with(Node::named("Transform Type", kind.0, kind.name()))
        .with(Node::named(
            "Transform ID",
            transform.id,
            transform.id_name(),
        ));
    for attribute in transform.attributes() {
        let name = TransformAttribute(attribute.class).to_string();
        node.push(match (attribute.number(), attribute.octets()) {
            (Some(number), _) => Node::number(name, number),
            (None, octets) => Node::bytes(name, octets.unwrap_or(&[])),
        });
    }
    node
}

fn identification(node: &mut Node, id: &Identification<'_>) {
    node.push(Node::named("ID Type", id.id_type.0, id.id_type.name()));
    let data = Node::bytes("Identification Data", id.data);
    let text = match id.identity {
        Identity::Address(address) => Some(address.to_string()),
        _ => id.identity.as_str().map(Into::into),
    };
    node.push(data.meaning_of(text));
}

fn notify(node: &mut Node, found: &Notify<'_>) {
    node.push(protocol(found.protocol_id));
    let kind = found.notify_type;
    let name = Node::named("Notify Message Type", kind.0, kind.name());
    fields::spi(node, found.spi, name);
    if !found.data.is_empty() {
        node.push(Node::bytes("Notification Data", found.data));
    }
}

fn delete(node: &mut Node, found: &Delete<'_>) {
    node.push(protocol(found.protocol_id));
    node.push(Node::count("Num of SPIs", found.spis().len()));
    for spi in found.spis() {
        node.push(Node::bytes("SPI", &spi.to_be_bytes()));
    }
}

fn selectors(node: &mut Node, found: &TrafficSelectors<'_>) {
    node.push(Node::count("Number of TSs", found.len()));
    for selector in found.iter() {
        node.push(match selector {
            Selector::Range(range) => {
                let (first, last) = range.ports.to_wire();
                Node::group("Traffic Selector")
                    .with(Node::named(
                        "IP Protocol ID",
                        range.protocol,
                        ip_protocol(range.protocol).filter(|_| range.protocol != 0),
                    ))
                    .with(Node::number("Start Port", first))
                    .with(Node::number("End Port", last))
                    .with(Node::text("Starting Address", range.start.to_string()))
                    .with(Node::text("Ending Address", range.end.to_string()))
            }
            other => {
                Node::group("Traffic Selector").with(Node::text("selector", format!("{other:?}")))
            }
        });
    }
}

fn configuration(node: &mut Node, found: &Configuration<'_>) {
    node.push(Node::named(
        "CFG Type",
        found.config_type.0,
        found.config_type.name(),
    ));
    for value in found.iter() {
        let attribute = Node::bytes(value.attribute.to_string(), value.value);
        let text = match (value.ipv4(), value.ipv6(), value.as_str()) {
            (Some(address), ..) => Some(address.to_string()),
            (_, Some(address), _) => Some(address.to_string()),
            (_, _, Some(text)) if !text.is_empty() && !text.contains(char::is_control) => {
                Some(text.into())
            }
            _ => None,
        };
        node.push(attribute.meaning_of(text));
    }
}
