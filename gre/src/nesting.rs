//! GRE inside GRE, with a bound: no packet makes a decapsulator loop.

use crate::ip::{IpPacket, PROTOCOL_GRE};
use crate::{EtherType, Packet, ParseError, ParseErrorKind};

/// One GRE layer of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer<'a> {
    /// The IP packet whose payload the layer is.
    pub delivery: IpPacket<'a>,
    /// The GRE packet that the delivery header carries.
    pub gre: Packet<'a>,
}

/// The innermost GRE layer of `packet` (an IP packet) and how many there are, at most `max_depth`.
/// A gateway that decapsulates once passes 1: a packet with GRE in its payload is refused.
///
/// # Errors
/// What is wrong with an outer layer, or [`ParseErrorKind::Nesting`]. Offsets count from the start
/// of the layer at fault.
pub fn innermost(packet: &[u8], max_depth: u8) -> Result<(Layer<'_>, u8), ParseError> {
    let mut delivery = IpPacket::parse(packet)?;
    let mut depth = 1u8;
    loop {
        let gre = delivery.gre()?;
        let layer = Layer { delivery, gre };
        let Some(inner) = carried_gre(&gre) else {
            return Ok((layer, depth));
        };
        if depth >= max_depth {
            return Err(ParseErrorKind::Nesting(max_depth).at(delivery.header_len()));
        }
        delivery = inner;
        depth = depth.saturating_add(1);
    }
}

/// The IP packet in `gre`, if it carries GRE once more.
fn carried_gre<'a>(gre: &Packet<'a>) -> Option<IpPacket<'a>> {
    if !matches!(gre.protocol(), EtherType::IPV4 | EtherType::IPV6) {
        return None;
    }
    let inner = IpPacket::parse(gre.payload()).ok()?;
    (inner.protocol() == PROTOCOL_GRE && !inner.is_fragment()).then_some(inner)
}
