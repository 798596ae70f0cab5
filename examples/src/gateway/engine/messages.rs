//! One line for each IKE message that comes or goes: what can be seen of it on the wire.

use isakmp_wire::{
    Limits, Message,
    v1::{self, Body},
};
use std::net::SocketAddr;

/// An IKE message in one line; `None` for what is no message.
pub(super) fn describe(arrow: &str, peer: SocketAddr, message: &[u8]) -> Option<String> {
    let parsed = Message::parse(message, &Limits::default()).ok()?;
    let exchange = parsed.header().exchange_type;
    let inside = match parsed {
        Message::V1(v1::Message {
            body: Body::Clear(chain),
            ..
        }) => {
            let names = chain.iter().map(|p| p.payload_type.to_string());
            names.collect::<Vec<_>>().join(", ")
        }
        _ => "encrypted".into(),
    };
    Some(format!(
        "{arrow} {peer} {exchange}: {inside} ({} octets)",
        message.len()
    ))
}
