//! Every message of the vendored captures decodes to the fields that tshark shows, and encodes back
//! to its own octets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod common;

use common::{CAPTURES, Expected, expected, messages, short};
use isakmp_wire::{
    Attributes, Flags, Header, Limits, Message, ProtocolId, Version, Written, v1, v2,
};

const LIMITS: Limits = Limits::DEFAULT;

fn header_line(header: &Header) -> String {
    format!(
        "header ispi={} rspi={} next={:02x} version={:02x} exchange={:02x} flags={:02x} id={:08x} \
         length={:08x}",
        hex::encode(header.initiator_spi),
        hex::encode(header.responder_spi),
        header.next_payload,
        header.version.0,
        header.exchange_type.0,
        header.flags.0,
        header.message_id,
        header.length,
    )
}

fn payload_line(number: u8, raw: &[u8], fields: &[(&str, String)]) -> String {
    let mut line = format!("payload {number} length={}", hex::encode(&raw[2..4]));
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        line += &format!(" {name}={value}");
    }
    line
}

fn attribute_lines(attributes: Attributes<'_>, lines: &mut Vec<String>) {
    for attribute in attributes {
        let value = match attribute.octets() {
            Some(octets) => short(octets),
            None => format!("{:04x}", attribute.number().unwrap()),
        };
        lines.push(format!(
            "attribute class={} value={value}",
            hex::encode(&attribute.raw[..2])
        ));
    }
}

fn one(value: u8) -> String {
    format!("{value:02x}")
}

fn two(value: u16) -> String {
    format!("{value:04x}")
}

fn four(value: u32) -> String {
    format!("{value:08x}")
}

fn address(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => hex::encode(address.octets()),
        std::net::IpAddr::V6(address) => hex::encode(address.octets()),
    }
}

fn v1_lines(chain: &v1::PayloadChain<'_>, dialect: v1::Dialect) -> Vec<String> {
    let mut lines = Vec::new();
    for payload in chain {
        let number = payload.payload_type.0;
        let mut nested = Vec::new();
        let view = payload.view(dialect, &LIMITS).unwrap();
        let fields = match view {
            v1::View::Sa(sa) => {
                for proposal in sa.proposals() {
                    nested.push(payload_line(
                        2,
                        proposal.raw,
                        &[
                            ("number", one(proposal.number)),
                            ("protocol", one(proposal.protocol_id.0)),
                            ("count", one(proposal.transform_count)),
                            ("spi", short(proposal.spi)),
                        ],
                    ));
                    for transform in proposal.transforms() {
                        let fields = [("number", one(transform.number)), ("id", one(transform.id))];
                        nested.push(payload_line(3, transform.raw, &fields));
                        attribute_lines(transform.attributes(), &mut nested);
                    }
                }
                vec![("doi", four(sa.doi.0)), ("situation", four(sa.situation.0))]
            }
            // tshark takes the drafts' numbers for GDOI's and shows nothing of it.
            v1::View::NatD(_) if number == 15 => vec![],
            v1::View::KeyExchange(data)
            | v1::View::Hash(data)
            | v1::View::Signature(data)
            | v1::View::Nonce(data)
            | v1::View::VendorId(data)
            | v1::View::NatD(data) => vec![("data", short(data))],
            v1::View::Identification(id) => {
                let mut fields = vec![
                    ("type", one(id.id_type.0)),
                    ("protocol", one(id.protocol)),
                    ("port", two(id.port)),
                ];
                match id.identity {
                    v1::Identity::Address(ip) => fields.push(("address", address(ip))),
                    v1::Identity::Subnet(ip, mask) => {
                        fields.extend([("address", address(ip)), ("mask", address(mask))]);
                    }
                    v1::Identity::Fqdn(name) => fields.push(("name", short(name))),
                    _ => {}
                }
                fields
            }
            v1::View::Certificate(cert) => vec![("encoding", one(cert.encoding.0))],
            v1::View::CertificateRequest(request) => vec![("encoding", one(request.encoding.0))],
            v1::View::Notification(n) => vec![
                ("doi", four(n.doi.0)),
                ("protocol", one(n.protocol_id.0)),
                ("type", two(n.notify_type.0)),
                ("spi", short(n.spi)),
                ("data", short(n.data)),
            ],
            v1::View::Delete(delete) => {
                let mut fields = vec![
                    ("doi", four(delete.doi.0)),
                    ("protocol", one(delete.protocol_id.0)),
                ];
                fields.extend(delete.spis().map(|spi| ("spi", short(spi))));
                fields
            }
            v1::View::Configuration(config) => {
                attribute_lines(config.attributes, &mut nested);
                vec![
                    ("type", one(config.config_type.0)),
                    ("identifier", two(config.identifier)),
                ]
            }
            v1::View::Fragment(fragment) => vec![
                ("id", two(fragment.id)),
                ("number", one(fragment.number)),
                ("last", one(u8::from(fragment.last))),
            ],
            other => panic!("{other:?}"),
        };
        lines.push(payload_line(number, payload.raw, &fields));
        lines.append(&mut nested);
    }
    lines
}

fn v2_lines(chain: &v2::PayloadChain<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for payload in chain {
        let mut nested = Vec::new();
        let fields = match payload.view(&LIMITS).unwrap() {
            v2::View::Sa(sa) => {
                for proposal in sa.proposals() {
                    nested.push(payload_line(
                        2,
                        proposal.raw,
                        &[
                            ("number", one(proposal.number)),
                            ("protocol", one(proposal.protocol_id.0)),
                            ("count", one(proposal.transform_count)),
                            ("spi", short(proposal.spi)),
                        ],
                    ));
                    for transform in proposal.transforms() {
                        let kind = one(transform.transform_type.0);
                        let fields = [("kind", kind), ("id", two(transform.id))];
                        nested.push(payload_line(3, transform.raw, &fields));
                        attribute_lines(transform.attributes(), &mut nested);
                    }
                }
                vec![]
            }
            v2::View::KeyExchange(ke) => {
                vec![("group", two(ke.method.0)), ("data", short(ke.data))]
            }
            v2::View::IdInitiator(id) | v2::View::IdResponder(id) => {
                let mut fields = vec![("type", one(id.id_type.0))];
                match id.identity {
                    v2::Identity::Address(ip) => fields.push(("address", address(ip))),
                    v2::Identity::Fqdn(name) => fields.push(("name", short(name))),
                    _ => {}
                }
                fields
            }
            v2::View::Certificate(cert) => vec![("encoding", one(cert.encoding.0))],
            v2::View::CertificateRequest(request) => vec![("encoding", one(request.encoding.0))],
            v2::View::Authentication(auth) => {
                let mut fields = vec![("method", one(auth.method.0)), ("data", short(auth.data))];
                if let Some((algorithm, signature)) = auth.digital_signature() {
                    fields.extend([
                        ("algorithm", short(algorithm)),
                        ("signature", short(signature)),
                    ]);
                }
                fields
            }
            v2::View::Nonce(data) | v2::View::VendorId(data) => vec![("data", short(data))],
            v2::View::Notify(n) => vec![
                ("protocol", one(n.protocol_id.0)),
                ("type", two(n.notify_type.0)),
                ("spi", short(n.spi)),
                ("data", short(n.data)),
            ],
            v2::View::Delete(delete) => {
                let mut fields = vec![("protocol", one(delete.protocol_id.0))];
                fields.extend(delete.spis().map(|spi| ("spi", four(spi))));
                fields
            }
            v2::View::TsInitiator(ts) | v2::View::TsResponder(ts) => {
                for selector in ts.ranges() {
                    let (first, last) = selector.ports.to_wire();
                    let ts_type = if selector.start.is_ipv4() { 7 } else { 8 };
                    nested.push(format!(
                        "selector type={ts_type:02x} protocol={:02x} first={first:04x} \
                         last={last:04x} start={} end={}",
                        selector.protocol,
                        address(selector.start),
                        address(selector.end),
                    ));
                }
                vec![("count", one(ts.len() as u8))]
            }
            v2::View::Protected(protected) => match protected.fragment {
                Some(f) => vec![("number", two(f.number)), ("total", two(f.total))],
                None => vec![],
            },
            v2::View::Configuration(config) => {
                for value in config {
                    nested.push(format!(
                        "attribute class={:04x} value={}",
                        value.attribute.0,
                        short(value.value)
                    ));
                }
                vec![("type", one(config.config_type.0))]
            }
            v2::View::Eap(eap) => vec![
                ("code", one(eap.message[0])),
                ("identifier", one(eap.identifier)),
                ("type", eap.eap_type.map(one).unwrap_or_default()),
            ],
            other => panic!("{other:?}"),
        };
        lines.push(payload_line(payload.payload_type.0, payload.raw, &fields));
        lines.append(&mut nested);
    }
    lines
}

/// The chain of a decrypted SK payload; of the whole message, at the last of its SKF payloads.
fn v2_inside<'p>(
    message: &v2::Message<'_>,
    plaintext: &'p [u8],
    lines: &[String],
) -> v2::PayloadChain<'p> {
    let protected = message.protected().unwrap();
    let first = match protected.fragment {
        None => protected.first,
        Some(fragment) => {
            assert_eq!(fragment.number, fragment.total);
            v2::PayloadType(lines[0].split(' ').nth(1).unwrap().parse().unwrap())
        }
    };
    v2::PayloadChain::parse(first, plaintext, &LIMITS).unwrap()
}

/// tshark gives up behind a payload 15 that it takes for GDOI's.
fn as_far_as_tshark_went(mut lines: Vec<String>) -> Vec<String> {
    if let Some(at) = lines
        .iter()
        .position(|line| line.starts_with("payload 15 "))
    {
        lines.truncate(at + 1);
    }
    lines
}

fn check(name: &str, recorded: &[u8], expected: &Expected, dialect: &mut v1::Dialect) {
    let at = format!("{name}, frame {}", expected.frame);
    let message = Message::parse(recorded, &LIMITS).unwrap_or_else(|error| panic!("{at}: {error}"));
    assert_eq!(header_line(message.header()), expected.header, "{at}");
    match message {
        Message::V1(message) => {
            dialect.learn_from(&message.payloads());
            let lines = as_far_as_tshark_went(v1_lines(&message.payloads(), *dialect));
            assert_eq!(lines, expected.lines, "{at}");
            if let Some((plaintext, lines)) = &expected.inside {
                let chain = message.decrypted(plaintext, &LIMITS).unwrap();
                assert_eq!(v1_lines(&chain, *dialect), *lines, "{at}");
            }
        }
        Message::V2(message) => {
            assert_eq!(v2_lines(&message.payloads()), expected.lines, "{at}");
            if let Some((plaintext, lines)) = &expected.inside {
                let chain = v2_inside(&message, plaintext, lines);
                assert_eq!(v2_lines(&chain), *lines, "{at}");
            }
        }
    }
}

#[test]
fn fields_are_those_of_tshark() {
    let (mut decoded, mut decrypted) = (0, 0);
    for name in CAPTURES {
        let mut expected = expected(name).into_iter();
        let mut dialect = v1::Dialect::default();
        for recorded in messages(name) {
            let expected = expected.next().unwrap();
            assert_eq!(expected.frame, recorded.frame, "{name}");
            check(name, &recorded.message, &expected, &mut dialect);
            decoded += 1;
            decrypted += usize::from(expected.inside.is_some());
        }
        assert!(
            expected.next().is_none(),
            "{name}: tshark saw more messages"
        );
    }
    assert!(
        decoded > 250 && decrypted > 90,
        "{decoded} messages, {decrypted} decrypted"
    );
}

/// Builds a payload again from what its view says.
fn rebuild_v1(w: &mut v1::Writer<'_>, payload: &v1::Payload<'_>, dialect: v1::Dialect) -> Written {
    match payload.view(dialect, &LIMITS).unwrap() {
        v1::View::Sa(sa) => w.sa(sa.situation, |out| {
            sa.proposals().try_for_each(|proposal| {
                out.proposal(proposal.number, proposal.protocol_id, proposal.spi, |p| {
                    proposal.transforms().try_for_each(|transform| {
                        p.transform(transform.number, transform.id, |t| {
                            transform
                                .attributes()
                                .iter()
                                .try_for_each(|a| match a.octets() {
                                    Some(octets) => t.variable(a.class, octets),
                                    None => t.basic(a.class, a.number().unwrap() as u16),
                                })
                        })
                    })
                })
            })
        }),
        v1::View::KeyExchange(data) => w.key_exchange(data),
        v1::View::Hash(data) => w.hash(data),
        v1::View::Signature(data) => w.signature(data),
        v1::View::Nonce(data) => w.nonce(data),
        v1::View::VendorId(data) => w.vendor_id(data),
        v1::View::NatD(data) => w.nat_d(payload.payload_type, data),
        v1::View::NatOa(oa) => w.nat_oa(payload.payload_type, oa.address),
        v1::View::Identification(id) => w.identification(&id.identity, id.protocol, id.port),
        v1::View::Certificate(cert) => w.certificate(cert.encoding, cert.data),
        v1::View::CertificateRequest(cr) => w.certificate_request(cr.encoding, cr.authority),
        v1::View::Notification(n) => w.notification(n.protocol_id, n.spi, n.notify_type, n.data),
        v1::View::Delete(delete) => {
            w.delete(delete.protocol_id, &delete.spis().collect::<Vec<_>>())
        }
        v1::View::Configuration(config) => {
            w.configuration(config.config_type, config.identifier, |c| {
                c.copy(config.attributes)
            })
        }
        v1::View::Fragment(f) => w.fragment(f.id, f.number, f.last, f.data),
        other => panic!("{other:?}"),
    }
    .unwrap()
}

fn rebuild_v2(w: &mut v2::Writer<'_>, payload: &v2::Payload<'_>) {
    match payload.view(&LIMITS).unwrap() {
        v2::View::Sa(sa) => w.sa(|out| {
            sa.proposals()
                .try_for_each(|p| out.choose(&p, p.spi, p.transforms()))
        }),
        v2::View::KeyExchange(ke) => w.key_exchange(ke.method, ke.data),
        v2::View::IdInitiator(id) => w.id_initiator(&id.identity),
        v2::View::IdResponder(id) => w.id_responder(&id.identity),
        v2::View::Certificate(cert) => w.certificate(cert.encoding, cert.data),
        v2::View::CertificateRequest(cr) => w.certificate_request(cr.encoding, cr.authority),
        v2::View::Authentication(auth) => match auth.digital_signature() {
            Some((algorithm, signature)) => w.digital_signature(algorithm, signature),
            None => w.authentication(auth.method, auth.data),
        },
        v2::View::Nonce(data) => w.nonce(data),
        v2::View::VendorId(data) => w.vendor_id(data),
        v2::View::Notify(n) => match n.spi_u32() {
            Some(spi) => w.notify_child(n.protocol_id, spi, n.notify_type, n.data),
            // Some peers name a protocol without an SPI.
            None if n.protocol_id != ProtocolId::NONE => w.copy(payload),
            None => w.notify(n.notify_type, n.data),
        },
        v2::View::Delete(delete) if delete.protocol_id == ProtocolId::IKE => w.delete_ike(),
        v2::View::Delete(delete) => {
            w.delete(delete.protocol_id, &delete.spis().collect::<Vec<_>>())
        }
        v2::View::TsInitiator(ts) => w.ts_initiator(&ts.ranges().collect::<Vec<_>>()),
        v2::View::TsResponder(ts) => w.ts_responder(&ts.ranges().collect::<Vec<_>>()),
        v2::View::Configuration(config) => w.configuration(config.config_type, |c| {
            config
                .iter()
                .try_for_each(|value| c.attribute(value.attribute, value.value))
        }),
        v2::View::Eap(eap) => w.eap(eap.message),
        v2::View::Protected(protected) => {
            // All of it as an IV, and a block that the Pad Length fills.
            let protection = v2::Protection {
                iv_len: protected.data.len() - 1,
                icv_len: 0,
                block_len: 1,
            };
            let sealed = match protected.fragment {
                Some(f) => w.encrypted_fragment(&protection, f, protected.first, &[]),
                None => w.encrypted_octets(&protection, protected.first, &[]),
            };
            assert_eq!(sealed.unwrap().aad_len, protected.aad_len);
            return;
        }
        other => panic!("{other:?}"),
    }
    .unwrap();
}

#[test]
fn encoding_what_was_decoded_gives_the_same_octets() {
    for name in CAPTURES {
        let mut dialect = v1::Dialect::default();
        for (recorded, expected) in messages(name).iter().zip(expected(name)) {
            let message = Message::parse(&recorded.message, &LIMITS).unwrap();
            let mut bytes = Vec::new();
            match message {
                Message::V1(message) => {
                    dialect.learn_from(&message.payloads());
                    // The chain in the clear, then the one that was encrypted.
                    if message.encrypted().is_none() {
                        let mut w = v1::Writer::new(&mut bytes, &message.header).unwrap();
                        for payload in message.payloads() {
                            rebuild_v1(&mut w, &payload, dialect);
                        }
                        w.finish().unwrap();
                        assert_eq!(bytes, message.raw(), "{name}, frame {}", recorded.frame);
                    }
                    if let Some((plaintext, _)) = &expected.inside {
                        let chain = message.decrypted(plaintext, &LIMITS).unwrap();
                        bytes.clear();
                        let mut w = v1::Writer::chain_only(&mut bytes);
                        for payload in chain {
                            rebuild_v1(&mut w, &payload, dialect);
                        }
                        assert_eq!(w.first(), chain.first());
                        w.finish().unwrap();
                        assert_eq!(bytes, *plaintext, "{name}, frame {}", recorded.frame);
                    }
                }
                Message::V2(message) => {
                    let mut w = v2::Writer::new(&mut bytes, &message.header).unwrap();
                    for payload in message.payloads() {
                        rebuild_v2(&mut w, &payload);
                    }
                    w.finish().unwrap();
                    if let Some(protected) = message.protected() {
                        bytes.truncate(protected.aad_len);
                        bytes.extend_from_slice(protected.data);
                    }
                    assert_eq!(bytes, message.raw(), "{name}, frame {}", recorded.frame);
                    if let Some((plaintext, lines)) = &expected.inside {
                        let chain = v2_inside(&message, plaintext, lines);
                        bytes.clear();
                        let mut w = v2::Writer::chain_only(&mut bytes);
                        chain
                            .iter()
                            .for_each(|payload| rebuild_v2(&mut w, &payload));
                        w.finish().unwrap();
                        assert_eq!(bytes, *plaintext, "{name}, frame {}", recorded.frame);
                    }
                }
            }
        }
    }
}

#[test]
fn n11_drafts_number_15_is_nat_d_once_a_draft_vendor_id_was_seen() {
    let recorded = messages("tcpdump-sa-setup");
    let mut dialect = v1::Dialect::default();
    let mut seen = Vec::new();
    for recorded in &recorded[..4] {
        let Message::V1(message) = Message::parse(&recorded.message, &LIMITS).unwrap() else {
            panic!("not IKEv1")
        };
        dialect.learn_from(&message.payloads());
        for payload in message
            .payloads()
            .iter()
            .filter(|payload| payload.payload_type.0 == 15)
        {
            assert_eq!(
                payload.view(v1::Dialect::STANDARD, &LIMITS).unwrap(),
                v1::View::Unknown
            );
            let v1::View::NatD(hash) = payload.view(dialect, &LIMITS).unwrap() else {
                panic!("not NAT-D")
            };
            seen.push(hash.len());
        }
    }
    assert!(dialect.nat_t_draft);
    assert_eq!(
        seen,
        [20, 20, 20, 20],
        "two hashes of SHA-1 in messages 3 and 4 each"
    );
}

#[test]
fn fragments_of_v1_rejoin_to_the_message_they_carry() {
    for chunk in messages("lab-v1-frag")[4..10].chunks(3) {
        let mut whole = Vec::new();
        for (number, recorded) in (1..).zip(chunk) {
            let Message::V1(message) = Message::parse(&recorded.message, &LIMITS).unwrap() else {
                panic!("not IKEv1")
            };
            let payload = message.payloads().last().unwrap();
            let view = payload.view(v1::Dialect::STANDARD, &LIMITS).unwrap();
            let v1::View::Fragment(fragment) = view else {
                panic!("{view:?}")
            };
            assert_eq!((fragment.number, fragment.last), (number, number == 3));
            whole.extend_from_slice(fragment.data);
        }
        let message = Message::parse(&whole, &LIMITS).unwrap();
        assert_eq!(message.header().version, Version::V1);
        assert!(message.header().flags.contains(Flags::ENCRYPTION));
    }
}

#[test]
fn raw_messages_of_ipsec_parser() {
    for name in ["ike-sa-init-req", "ike-sa-init-resp"] {
        let bytes = std::fs::read(common::data(&format!("captures/{name}.bin"))).unwrap();
        let Message::V2(message) = Message::parse(&bytes, &LIMITS).unwrap() else {
            panic!("not IKEv2")
        };
        let lines = v2_lines(&message.payloads());
        let (_, theirs) = ipsec_parser::parse_ikev2_header(&bytes).unwrap();
        assert_eq!(theirs.msg_id, message.header.message_id);
        let (_, (_, payloads)) = ipsec_parser::parse_ikev2_message(&bytes).unwrap();
        let ours = message
            .payloads()
            .iter()
            .map(|payload| payload.payload_type.0);
        // Its list starts with a dummy that names the first payload.
        let theirs = payloads.unwrap();
        let theirs: Vec<_> = theirs
            .iter()
            .map(|payload| payload.hdr.next_payload_type.0)
            .collect();
        assert_eq!(ours.chain([0]).collect::<Vec<_>>(), theirs);
        assert!(lines.len() > 8, "{lines:?}");
    }
}
