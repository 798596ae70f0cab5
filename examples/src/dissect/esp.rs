//! ESP (RFC 4303) and AH (RFC 4302): headers, and what is inside when the key is known.

use std::net::IpAddr;

use crypto_suite::Layout;

use super::decrypt::Opener;
use super::keys::{EspKeys, Keys};
use super::node::Node;
use super::report::{Fault, Layer};

/// ESP SAs by address and SPI.
pub(super) struct EspSas {
    sas: Vec<(EspKeys, Result<Opener, String>, Counter)>,
}

/// Follows the high half of an extended sequence number.
#[derive(Default)]
struct Counter {
    highest: u64,
}

/// The inner packet of an opened ESP packet.
pub(super) struct Inner {
    /// Its Next Header number.
    pub next_header: u8,
    /// Its octets, padding removed.
    pub payload: Vec<u8>,
}

impl EspSas {
    /// The SAs of a table.
    pub(super) fn new(keys: &Keys) -> Self {
        let sas = keys
            .esp
            .iter()
            .map(|sa| {
                let opener = Opener::new(
                    &sa.encryption_name,
                    &sa.encryption_key,
                    &sa.authentication_name,
                    &sa.authentication_key,
                );
                let highest = u64::from(sa.esn.unwrap_or(0)) << 32;
                (sa.clone(), opener, Counter { highest })
            })
            .collect();
        Self { sas }
    }

    /// Decodes one packet.
    pub(super) fn decode(
        &mut self,
        packet: &[u8],
        source: IpAddr,
        destination: IpAddr,
    ) -> (Layer, Option<Inner>) {
        let mut layer = Layer::new("ESP");
        // RFC 4303 §2: SPI, Sequence Number.
        let Some((&[s0, s1, s2, s3, n0, n1, n2, n3], body)) = packet.split_first_chunk::<8>()
        else {
            let have = packet.len();
            layer.error = Some(Fault::new(
                "truncated",
                "ESP header",
                0,
                format!("ESP header at octet 0: truncated ({have} of 8 octets)"),
            ));
            return (layer, None);
        };
        let spi = u32::from_be_bytes([s0, s1, s2, s3]);
        let sequence = u32::from_be_bytes([n0, n1, n2, n3]);
        layer
            .fields
            .push(Node::number("Security Parameters Index", spi).meaning(format!("0x{spi:08x}")));
        layer.fields.push(Node::number("Sequence Number", sequence));
        let same =
            |wanted: Option<IpAddr>, found: IpAddr| wanted.is_none_or(|wanted| wanted == found);
        let sa = self.sas.iter_mut().find(|(sa, _, _)| {
            sa.spi.is_none_or(|wanted| wanted == spi)
                && same(sa.source, source)
                && same(sa.destination, destination)
        });
        let Some((keys, opener, counter)) = sa else {
            layer.fields.push(Node::number(
                "Encrypted Data Length",
                u64::try_from(body.len()).unwrap_or(0),
            ));
            return (layer, None);
        };
        let opener = match opener {
            Ok(opener) => opener,
            Err(why) => {
                layer.note = Some(format!("key not usable: {why}"));
                return (layer, None);
            }
        };
        let esn_high = keys.esn.map(|_| counter.high(sequence));
        match opener.open(packet, Layout::esp(esn_high)) {
            Err(why) => {
                layer.error = Some(Fault::new(
                    "not decrypted",
                    "Payload Data",
                    8,
                    format!("Payload Data at octet 8: not decrypted: {why}"),
                ));
                (layer, None)
            }
            Ok(opened) => {
                layer.decrypted = true;
                layer.fields.push(Node::bytes("IV", &opened.iv));
                let inner = trailer(&mut layer, &opened.plaintext);
                let icv = Node::bytes("Integrity Check Value", &opened.icv);
                layer.fields.push(match opened.authentic {
                    None => icv.meaning("not checked"),
                    Some(true) => icv.meaning("correct"),
                    Some(false) => {
                        layer.decrypted = false;
                        let offset = packet.len().saturating_sub(opened.icv.len());
                        layer.error = Some(Fault::new(
                            "wrong ICV",
                            "Integrity Check Value",
                            offset,
                            format!("Integrity Check Value at octet {offset}: does not fit"),
                        ));
                        icv.meaning("wrong")
                    }
                });
                if opened.authentic == Some(false) {
                    return (layer, None);
                }
                if let Some(high) = esn_high {
                    layer
                        .fields
                        .push(Node::number("Extended Sequence Number (high)", high));
                    counter.highest = counter
                        .highest
                        .max(u64::from(high) << 32 | u64::from(sequence));
                }
                (layer, inner)
            }
        }
    }
}

impl Counter {
    /// RFC 4303 App. A2, with a window of half the space: a capture has no receiver's window.
    fn high(&self, low: u32) -> u32 {
        let [high, last] = [self.highest >> 32, self.highest & 0xffff_ffff];
        let high = u32::try_from(high).unwrap_or(u32::MAX);
        let last = u32::try_from(last).unwrap_or(u32::MAX);
        if low < last && last.wrapping_sub(low) > 0x8000_0000 {
            high.saturating_add(1)
        } else if low > last && low.wrapping_sub(last) > 0x8000_0000 {
            high.saturating_sub(1)
        } else {
            high
        }
    }
}

/// Padding, Pad Length, Next Header (RFC 4303 §2.4–2.6).
fn trailer(layer: &mut Layer, plaintext: &[u8]) -> Option<Inner> {
    let Some((rest, &[pad_length, next_header])) = plaintext.split_last_chunk::<2>() else {
        layer.error = Some(Fault::new(
            "truncated",
            "ESP trailer",
            0,
            "ESP trailer: no room for Pad Length and Next Header",
        ));
        return None;
    };
    let Some((payload, padding)) = rest
        .len()
        .checked_sub(pad_length.into())
        .and_then(|at| rest.split_at_checked(at))
    else {
        layer.error = Some(Fault {
            kind: "length too large".into(),
            what: "Pad Length".into(),
            offset: rest.len(),
            value: Some(pad_length.into()),
            message: format!(
                "Pad Length {pad_length} exceeds the {} octets before it",
                rest.len()
            ),
        });
        return None;
    };
    layer.fields.push(Node::number("Pad Length", pad_length));
    // RFC 4303 §2.4: 1, 2, 3, … unless the algorithm says otherwise.
    if !padding
        .iter()
        .zip(1u8..)
        .all(|(found, wanted)| *found == wanted)
    {
        layer
            .fields
            .push(Node::bytes("Padding", padding).meaning("not 1, 2, 3, …"));
    }
    layer.fields.push(Node::named(
        "Next Header",
        next_header,
        ip_protocol(next_header),
    ));
    Some(Inner {
        next_header,
        payload: payload.to_vec(),
    })
}

/// AH (RFC 4302 §2).
pub(super) fn ah(next_header: u8, spi: u32, sequence: u32, icv: &[u8]) -> Layer {
    let mut layer = Layer::new("AH");
    layer.fields.push(Node::named(
        "Next Header",
        next_header,
        ip_protocol(next_header),
    ));
    layer
        .fields
        .push(Node::number("Security Parameters Index", spi).meaning(format!("0x{spi:08x}")));
    layer.fields.push(Node::number("Sequence Number", sequence));
    layer.fields.push(Node::bytes("Integrity Check Value", icv));
    layer
}

/// The protocols that turn up inside.
pub(super) fn ip_protocol(number: u8) -> Option<&'static str> {
    Some(match number {
        0 => "IPv6 Hop-by-Hop",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPv4",
        6 => "TCP",
        17 => "UDP",
        41 => "IPv6",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "ICMPv6",
        59 => "No Next Header",
        89 => "OSPF",
        108 => "IPComp",
        112 => "VRRP",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
