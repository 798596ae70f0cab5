//! ISAKMP messages of both versions: header, payloads, decryption.

use isakmp_wire::{Flags, Header, Limits, ParseError};

use super::ikev1::Ikev1;
use super::ikev2::Ikev2;
use super::keys::Keys;
use super::node::Node;
use super::report::{Fault, Layer};

/// Decodes messages and remembers what decryption needs.
pub(super) struct Isakmp {
    v1: Ikev1,
    v2: Ikev2,
}

impl Isakmp {
    /// With the keys of these tables.
    pub(super) fn new(keys: &Keys) -> Self {
        Self {
            v1: Ikev1::new(&keys.ikev1),
            v2: Ikev2::new(&keys.ikev2),
        }
    }

    /// Decodes a message; a second layer follows when it completes a fragmented one.
    pub(super) fn decode(&mut self, message: &[u8], layers: &mut Vec<Layer>) {
        let mut layer = Layer::new("ISAKMP");
        let header = match Header::read(message) {
            Ok(header) => header,
            Err(error) => {
                layer.error = Some(fault(&error));
                layers.push(layer);
                return;
            }
        };
        let v2 = header.version.major() == 2;
        layer.exchange = Some(header.exchange_type.name().map_or_else(
            || format!("exchange type {}", header.exchange_type.0),
            |name| name.split(" (").next().unwrap_or(name).into(),
        ));
        layer.fields = header_fields(&header, v2);
        // What follows the stated length belongs to nobody; the message itself is still worth
        // reading.
        let stated = usize::try_from(header.length).unwrap_or(usize::MAX);
        let whole = match message.get(..stated) {
            Some(whole) if whole.len() < message.len() && stated >= Header::LEN => {
                let behind = message.len().saturating_sub(stated);
                layer.fields.push(Node::bytes(
                    "octets behind the message",
                    message.get(stated..).unwrap_or(&[]),
                ));
                layer.note = Some(format!("{behind} octets behind the message"));
                whole
            }
            _ => message,
        };
        let completed = if v2 {
            self.v2.decode(whole, &mut layer)
        } else {
            self.v1.decode(whole, &mut layer)
        };
        layers.push(layer);
        layers.extend(completed);
    }
}

/// The header by the names of its RFC.
pub(super) fn header_fields(header: &Header, v2: bool) -> Vec<Node> {
    let [initiator, responder] = if v2 {
        ["IKE SA Initiator's SPI", "IKE SA Responder's SPI"]
    } else {
        ["Initiator Cookie", "Responder Cookie"]
    };
    let next = header.next_payload;
    let next_name = if v2 {
        isakmp_wire::v2::PayloadType(next).name()
    } else {
        isakmp_wire::v1::PayloadType(next).name()
    };
    let mut flags = Node::number("Flags", header.flags.0);
    if header.flags != Flags::NONE {
        flags = flags.meaning(header.flags.to_string());
    }
    vec![
        Node::bytes(initiator, &header.initiator_spi),
        Node::bytes(responder, &header.responder_spi),
        Node::named("Next Payload", next, next_name),
        Node::number("Version", header.version.0).meaning(header.version.to_string()),
        Node::named(
            "Exchange Type",
            header.exchange_type.0,
            header.exchange_type.name(),
        ),
        flags,
        Node::number("Message ID", header.message_id)
            .meaning(format!("0x{:08x}", header.message_id)),
        Node::number("Length", header.length),
    ]
}

/// The limits of a dissector: generous, for it looks at files.
pub(super) fn limits() -> Limits {
    Limits::DEFAULT
}

/// A refusal of the codec.
pub(super) fn fault(error: &ParseError) -> Fault {
    Fault {
        kind: error.kind.to_string(),
        what: error.what.into(),
        offset: error.offset,
        value: Some(error.value),
        message: error.to_string(),
    }
}

/// The payloads in front of the fault in a chain that was refused: names and lengths.
pub(super) fn names_until_fault(
    first: u8,
    mut bytes: &[u8],
    name: impl Fn(u8) -> String,
) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = first;
    while next != 0 && names.len() < 64 {
        let Some((&[following, _, high, low], _)) = bytes.split_first_chunk::<4>() else {
            break;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((_, rest)) = (length >= 4)
            .then(|| bytes.split_at_checked(length))
            .flatten()
        else {
            break;
        };
        names.push(name(next));
        next = following;
        bytes = rest;
    }
    names
}
