//! The fields of IKEv1 payloads by their RFC names.

use isakmp_wire::v1::{
    AuthenticationAlgorithm, AuthenticationMethod, ConfigAttribute, Configuration, Delete, Dialect,
    EcnTunnel, EncapsulationMode, EncryptionAlgorithm, GroupDescription, GroupType, HashAlgorithm,
    Identification, Identity, LifeType, Notification, NotifyType, Payload, PayloadType,
    Phase1Class, Phase2Class, Proposal, Sa, Transform, View, XauthType,
};
use isakmp_wire::{Attribute, AttributeValue, ParseError, ProtocolId};

use super::esp::ip_protocol;
use super::fields::{self, length};
use super::isakmp::limits;
use super::node::Node;

/// One payload; what was refused comes with the error.
pub(super) fn payload(payload: &Payload<'_>, dialect: Dialect) -> (Node, Option<ParseError>) {
    let name = dialect.canonical(payload.payload_type).to_string();
    let node = Node::number(name, payload.payload_type.0).with(length(payload.raw));
    let view = payload.view(dialect, &limits());
    fields::payload(node, view, payload.body, |node, view| {
        show(node, payload, view);
    })
}

fn show(node: &mut Node, payload: &Payload<'_>, view: &View<'_>) {
    match view {
        View::Sa(sa) => security_association(node, sa),
        View::KeyExchange(data) => node.push(Node::bytes("Key Exchange Data", data)),
        View::Identification(id) => identification(node, id),
        View::Certificate(cert) => {
            let kind = ("Cert Encoding", cert.encoding.0, cert.encoding.name());
            fields::typed(node, kind, ("Certificate Data", cert.data));
        }
        View::CertificateRequest(request) => {
            let kind = ("Cert. Type", request.encoding.0, request.encoding.name());
            fields::typed(node, kind, ("Certificate Authority", request.authority));
        }
        View::Hash(data) => node.push(Node::bytes("Hash Data", data)),
        View::Signature(data) => node.push(Node::bytes("Signature Data", data)),
        View::Nonce(data) => node.push(Node::bytes("Nonce Data", data)),
        View::Notification(found) => notification(node, found),
        View::Delete(found) => delete(node, found),
        View::VendorId(data) => node.push(fields::vendor(data)),
        View::Configuration(found) => configuration(node, found),
        View::NatD(data) => node.push(Node::bytes("HASH of the address and port", data)),
        View::NatOa(found) => node.push(Node::text("Original Address", found.address.to_string())),
        View::Fragment(found) => {
            node.push(Node::number("Fragment_ID", found.id));
            node.push(Node::number("Fragment_Number", found.number));
            node.push(Node::flag("LAST_FRAGMENT", found.last));
            node.push(Node::bytes("Fragment_Data", found.data));
        }
        _ => node.push(Node::bytes("data", payload.body)),
    }
}

fn security_association(node: &mut Node, sa: &Sa<'_>) {
    node.push(Node::named("DOI", sa.doi.0, sa.doi.name()));
    node.push(Node::number("Situation", sa.situation.0));
    for proposal in sa.proposals() {
        node.push(self::proposal(&proposal));
    }
}

fn proposal(proposal: &Proposal<'_>) -> Node {
    let mut node = Node::number("Proposal", PayloadType::PROPOSAL.0)
        .with(length(proposal.raw))
        .with(Node::number("Proposal #", proposal.number))
        .with(protocol(proposal.protocol_id));
    let transforms = Node::number("# of Transforms", proposal.transform_count);
    fields::spi(&mut node, proposal.spi, transforms);
    for transform in proposal.transforms() {
        node.push(self::transform(&transform));
    }
    node
}

fn protocol(id: ProtocolId) -> Node {
    Node::named("Protocol-Id", id.0, id.name())
}

fn transform(transform: &Transform<'_>) -> Node {
    let mut node = Node::number("Transform", PayloadType::TRANSFORM.0)
        .with(length(transform.raw))
        .with(Node::number("Transform #", transform.number))
        .with(Node::named(
            "Transform-Id",
            transform.id,
            transform.id_name(),
        ));
    for attribute in transform.attributes() {
        node.push(if transform.protocol_id == ProtocolId::ISAKMP {
            phase1_attribute(&attribute)
        } else {
            phase2_attribute(&attribute)
        });
    }
    node
}

/// A number where it is one, octets otherwise.
fn value(
    name: String,
    attribute: &Attribute<'_>,
    meaning: impl Fn(u16) -> Option<&'static str>,
) -> Node {
    match (attribute.number(), attribute.value) {
        (Some(number), _) => {
            Node::named(name, number, u16::try_from(number).ok().and_then(meaning))
        }
        (None, AttributeValue::Variable(octets)) => Node::bytes(name, octets),
        (None, AttributeValue::Basic(number)) => Node::number(name, number),
    }
}

fn phase1_attribute(attribute: &Attribute<'_>) -> Node {
    let class = Phase1Class(attribute.class);
    value(class.to_string(), attribute, |number| match class {
        Phase1Class::ENCRYPTION_ALGORITHM => EncryptionAlgorithm(number).name(),
        Phase1Class::HASH_ALGORITHM => HashAlgorithm(number).name(),
        Phase1Class::AUTHENTICATION_METHOD => AuthenticationMethod(number).name(),
        Phase1Class::GROUP_DESCRIPTION => GroupDescription(number).name(),
        Phase1Class::GROUP_TYPE => GroupType(number).name(),
        Phase1Class::LIFE_TYPE => LifeType(number).name(),
        _ => None,
    })
}

fn phase2_attribute(attribute: &Attribute<'_>) -> Node {
    let class = Phase2Class(attribute.class);
    value(class.to_string(), attribute, |number| match class {
        Phase2Class::SA_LIFE_TYPE => LifeType(number).name(),
        Phase2Class::GROUP_DESCRIPTION => GroupDescription(number).name(),
        Phase2Class::ENCAPSULATION_MODE => EncapsulationMode(number).name(),
        Phase2Class::AUTHENTICATION_ALGORITHM => AuthenticationAlgorithm(number).name(),
        Phase2Class::ECN_TUNNEL => EcnTunnel(number).name(),
        _ => None,
    })
}

fn identification(node: &mut Node, id: &Identification<'_>) {
    node.push(Node::named("ID Type", id.id_type.0, id.id_type.name()));
    node.push(Node::named(
        "Protocol ID",
        id.protocol,
        ip_protocol(id.protocol).filter(|_| id.protocol != 0),
    ));
    node.push(Node::number("Port", id.port));
    let data = Node::bytes("Identification Data", id.data);
    let text = match id.identity {
        Identity::Address(address) => Some(address.to_string()),
        Identity::Subnet(address, mask) => Some(match id.identity.prefix_len() {
            Some(bits) => format!("{address}/{bits}"),
            None => format!("{address}/{mask}"),
        }),
        Identity::Range(first, last) => Some(format!("{first} - {last}")),
        _ => id.identity.as_str().map(Into::into),
    };
    node.push(data.meaning_of(text));
}

fn notification(node: &mut Node, found: &Notification<'_>) {
    node.push(Node::named("DOI", found.doi.0, found.doi.name()));
    node.push(protocol(found.protocol_id));
    let kind = found.notify_type;
    let name = Node::named("Notify Message Type", kind.0, kind.name());
    fields::spi(node, found.spi, name);
    if found.data.is_empty() {
        return;
    }
    let data = Node::bytes("Notification Data", found.data);
    let attributes = (found.notify_type == NotifyType::RESPONDER_LIFETIME)
        .then(|| found.attributes(&limits()).ok())
        .flatten();
    node.push(match (found.notify_type, found.number(), attributes) {
        (NotifyType::R_U_THERE | NotifyType::R_U_THERE_ACK, Some(sequence), _) => {
            data.meaning(format!("sequence number {sequence}"))
        }
        (_, _, Some(attributes)) => {
            let phase1 = found.protocol_id == ProtocolId::ISAKMP;
            attributes.iter().fold(data, |data, attribute| {
                data.with(if phase1 {
                    phase1_attribute(&attribute)
                } else {
                    phase2_attribute(&attribute)
                })
            })
        }
        _ => data,
    });
}

fn delete(node: &mut Node, found: &Delete<'_>) {
    node.push(Node::named("DOI", found.doi.0, found.doi.name()));
    node.push(protocol(found.protocol_id));
    node.push(Node::number("SPI Size", found.spi_size));
    node.push(Node::count("# of SPIs", found.spis().len()));
    for spi in found.spis() {
        node.push(Node::bytes("SPI", spi));
    }
}

fn configuration(node: &mut Node, found: &Configuration<'_>) {
    node.push(Node::named(
        "Type",
        found.config_type.0,
        found.config_type.name(),
    ));
    node.push(Node::number("Identifier", found.identifier));
    for attribute in found.attributes {
        let class = ConfigAttribute(attribute.class);
        let name = class.to_string();
        node.push(match (class, attribute.value) {
            (ConfigAttribute::XAUTH_TYPE, AttributeValue::Basic(number)) => {
                Node::named(name, number, XauthType(number).name())
            }
            (_, AttributeValue::Basic(number)) => Node::number(name, number),
            (_, AttributeValue::Variable(octets)) => {
                let node = Node::bytes(name, octets);
                match (octets, std::str::from_utf8(octets)) {
                    ([a, b, c, d], _) if attribute.class < 14 => {
                        node.meaning(format!("{a}.{b}.{c}.{d}"))
                    }
                    (_, Ok(text)) if !text.is_empty() && text.chars().all(|c| !c.is_control()) => {
                        node.meaning(text)
                    }
                    _ => node,
                }
            }
        });
    }
}
