//! IKEv2 messages: what is in the clear, and what SK and SKF hold when the keys are known.

use std::collections::BTreeMap;

use crypto_suite::Layout;
use isakmp_wire::v2::{Message, Payload, PayloadChain, PayloadType};
use isakmp_wire::{Flags, Header};

use super::decrypt::{Opened, Opener};
use super::isakmp::{fault, limits, names_until_fault};
use super::keys::Ikev2Keys;
use super::node::Node;
use super::report::{Fault, Layer};
use super::v2_fields;

/// Fragmented messages remembered at once.
const MAX_FRAGMENTED: usize = 1024;

/// All IKEv2 SAs whose keys are known.
pub(super) struct Ikev2 {
    sas: Vec<Sa>,
    fragments: BTreeMap<([u8; 8], u32, u8), Fragments>,
}

/// The two directions of an SA: keys of the initiator, keys of the responder.
struct Sa {
    spis: [[u8; 8]; 2],
    directions: [Result<Opener, String>; 2],
}

/// Plaintexts of a fragmented message (RFC 7383).
#[derive(Default)]
struct Fragments {
    first: u8,
    total: u16,
    parts: BTreeMap<u16, Vec<u8>>,
}

impl Ikev2 {
    /// With these keys.
    pub(super) fn new(keys: &[Ikev2Keys]) -> Self {
        let sas = keys
            .iter()
            .map(|sa| {
                let [ei, er] = &sa.encryption;
                let [ai, ar] = &sa.integrity;
                let opener = |encryption: &[u8], integrity: &[u8]| {
                    Opener::new(
                        &sa.encryption_name,
                        encryption,
                        &sa.integrity_name,
                        integrity,
                    )
                };
                Sa {
                    spis: [sa.initiator_spi, sa.responder_spi],
                    directions: [opener(ei, ai), opener(er, ar)],
                }
            })
            .collect();
        Self {
            sas,
            fragments: BTreeMap::new(),
        }
    }

    /// Decodes one message into `layer`; gives another layer when a fragmented message is complete.
    pub(super) fn decode(&mut self, message: &[u8], layer: &mut Layer) -> Option<Layer> {
        let parsed = match Message::parse(message, &limits()) {
            Ok(parsed) => parsed,
            Err(error) => {
                layer.error = Some(fault(&error));
                if let Ok(header) = Header::read(message) {
                    let body = message.get(Header::LEN..).unwrap_or(&[]);
                    layer.payloads = names_until_fault(header.next_payload, body, |number| {
                        PayloadType(number).to_string()
                    });
                }
                return None;
            }
        };
        for payload in &parsed.payloads() {
            match payload.payload_type {
                PayloadType::ENCRYPTED => self.protected(&parsed, &payload, layer),
                PayloadType::ENCRYPTED_FRAGMENT => {
                    return self.fragment(&parsed, &payload, layer);
                }
                _ => show(&payload, layer),
            }
        }
        None
    }

    fn protected(&self, message: &Message<'_>, payload: &Payload<'_>, layer: &mut Layer) {
        layer.payloads.push(payload.payload_type.to_string());
        let Some(plaintext) = self.open(message, payload, 0, layer) else {
            return;
        };
        show_inner(payload.next_payload, &plaintext, layer);
    }

    fn fragment(
        &mut self,
        message: &Message<'_>,
        payload: &Payload<'_>,
        layer: &mut Layer,
    ) -> Option<Layer> {
        layer.payloads.push(payload.payload_type.to_string());
        // RFC 7383 §2.5: Fragment Number, Total Fragments.
        let Some((&[n0, n1, t0, t1], _)) = payload.body.split_first_chunk::<4>() else {
            let at = payload.body_offset();
            layer.error = Some(Fault::new(
                "truncated",
                "Fragment Number",
                at,
                format!("Fragment Number at octet {at}: truncated"),
            ));
            return None;
        };
        let (number, total) = (u16::from_be_bytes([n0, n1]), u16::from_be_bytes([t0, t1]));
        layer.fields.push(Node::number("Fragment Number", number));
        layer.fields.push(Node::number("Total Fragments", total));
        let plaintext = self.open(message, payload, 4, layer)?;
        if self.fragments.len() >= MAX_FRAGMENTED {
            self.fragments.clear();
        }
        let header = &message.header;
        let id = (header.initiator_spi, header.message_id, header.flags.0);
        let fragments = self.fragments.entry(id).or_default();
        if number == 1 {
            fragments.first = payload.next_payload.0;
        }
        fragments.total = total;
        fragments.parts.insert(number, plaintext);
        if !(1..=total).all(|number| fragments.parts.contains_key(&number)) {
            return None;
        }
        let fragments = self.fragments.remove(&id)?;
        let whole: Vec<u8> = fragments.parts.into_values().flatten().collect();
        let mut complete = Layer::new("ISAKMP");
        complete.exchange.clone_from(&layer.exchange);
        complete.decrypted = true;
        complete.note = Some(format!("put together from {total} fragments"));
        show_inner(PayloadType(fragments.first), &whole, &mut complete);
        Some(complete)
    }

    /// Opens an SK or SKF payload whose IV starts `skip` octets into its body.
    fn open(
        &self,
        message: &Message<'_>,
        payload: &Payload<'_>,
        skip: usize,
        layer: &mut Layer,
    ) -> Option<Vec<u8>> {
        let header = &message.header;
        let role = usize::from(!header.flags.contains(Flags::INITIATOR));
        // IKE_INTERMEDIATE changes the keys of an SA (RFC 9370): it may have several lines.
        let mut openers = self
            .sas
            .iter()
            .filter(|sa| sa.spis == [header.initiator_spi, header.responder_spi])
            .filter_map(|sa| sa.directions.get(role))
            .peekable();
        if openers.peek().is_none() {
            layer.note = Some(format!("{} octets encrypted, no key", payload.body.len()));
            return None;
        }
        let start = payload.body_offset().saturating_add(skip);
        let refuse = |what: &str, why: String| {
            Fault::new(
                "not decrypted",
                what,
                start,
                format!("{what} at octet {start}: {why}"),
            )
        };
        let mut outcome = Err(String::new());
        for opener in openers {
            outcome = match opener {
                Ok(opener) => opener.open(message.raw(), Layout::ike(start)),
                Err(why) => Err(format!("key not usable: {why}")),
            };
            if matches!(&outcome, Ok(opened) if opened.authentic != Some(false)) {
                break;
            }
        }
        match outcome {
            Err(why) => {
                layer.error = Some(refuse(
                    "Encrypted IKE Payloads",
                    format!("not decrypted: {why}"),
                ));
                None
            }
            Ok(Opened {
                authentic: Some(false),
                ..
            }) => {
                layer.error = Some(refuse("Integrity Checksum Data", "does not fit".into()));
                None
            }
            Ok(Opened {
                mut plaintext,
                authentic,
                ..
            }) => {
                // RFC 7296 §3.14: the last octet counts the padding before it.
                let padding = usize::from(plaintext.last().copied().unwrap_or(0)).saturating_add(1);
                let Some(length) = plaintext.len().checked_sub(padding) else {
                    layer.error = Some(refuse(
                        "Pad Length",
                        format!(
                            "Pad Length exceeds the {} octets before it",
                            plaintext.len()
                        ),
                    ));
                    return None;
                };
                plaintext.truncate(length);
                layer.decrypted = true;
                layer.fields.push(Node::text(
                    "Integrity Checksum Data",
                    match authentic {
                        Some(_) => "correct",
                        None => "not checked",
                    },
                ));
                Some(plaintext)
            }
        }
    }
}

fn show_inner(first: PayloadType, plaintext: &[u8], layer: &mut Layer) {
    match PayloadChain::parse(first, plaintext, &limits()) {
        Ok(chain) => chain.iter().for_each(|payload| show(&payload, layer)),
        Err(error) => layer.error = Some(fault(&error)),
    }
}

fn show(payload: &Payload<'_>, layer: &mut Layer) {
    layer.payloads.push(payload.payload_type.to_string());
    let (node, error) = v2_fields::payload(payload);
    layer.fields.push(node);
    if let Some(error) = error {
        layer.error.get_or_insert_with(|| fault(&error));
    }
}
