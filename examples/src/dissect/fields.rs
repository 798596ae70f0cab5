//! Fields that the payloads of both versions have.

use isakmp_wire::{ParseError, vendor_id};

use super::node::Node;

/// A payload with its view shown in it; what was refused comes with the error.
pub(super) fn payload<V>(
    mut node: Node,
    view: Result<V, ParseError>,
    body: &[u8],
    show: impl FnOnce(&mut Node, &V),
) -> (Node, Option<ParseError>) {
    match view {
        Ok(view) => {
            show(&mut node, &view);
            (node, None)
        }
        Err(error) => {
            node.push(Node::bytes("refused", body));
            (node, Some(error))
        }
    }
}

/// The length of a payload or of a substructure, its header included.
pub(super) fn length(raw: &[u8]) -> Node {
    Node::count("Payload Length", raw.len())
}

/// A number, its name in the registry, and the octets it says the meaning of.
pub(super) fn typed(
    node: &mut Node,
    (name, number, meaning): (&'static str, impl Into<u64>, Option<&'static str>),
    (data_name, data): (&'static str, &[u8]),
) {
    node.push(Node::named(name, number, meaning));
    node.push(Node::bytes(data_name, data));
}

/// Octets of a Vendor ID with the name of who sends it.
pub(super) fn vendor(data: &[u8]) -> Node {
    Node::bytes("Vendor ID", data).meaning_of(vendor_id::name(data))
}

/// The size of an SPI, and the SPI where it comes at once.
pub(super) fn spi(node: &mut Node, spi: &[u8], between: Node) {
    node.push(Node::count("SPI Size", spi.len()));
    node.push(between);
    if !spi.is_empty() {
        node.push(Node::bytes("SPI", spi));
    }
}
