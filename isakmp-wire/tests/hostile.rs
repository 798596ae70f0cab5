//! What a decoder must withstand before anything is authenticated. Letters and numbers name the
//! class of attack: A1 lengths, A2 trailing octets, A4 bombs, A7 chains, A10 nonces, A11 attributes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs
)]

mod common;

use std::hint::black_box;

use common::{CAPTURES, frames, messages};
use hex_literal::hex;
use isakmp_wire::{
    ErrorKind, ExchangeType, Flags, Header, Limits, Message, ParseError, Version, v1, v2,
};

const LIMITS: Limits = Limits::DEFAULT;

/// A header in front of `body`, with the right length and the first payload of type `first`.
fn message(version: Version, first: u8, body: &[u8]) -> Vec<u8> {
    let header = Header {
        next_payload: first,
        version,
        length: (Header::LEN + body.len()) as u32,
        ..Header::v1(ExchangeType::IDENTITY_PROTECTION, [1; 8], [0; 8])
    };
    [&header.to_bytes()[..], body].concat()
}

fn refused(bytes: &[u8]) -> ErrorKind {
    Message::parse(bytes, &LIMITS).unwrap_err().kind
}

/// The fault of the first payload of an IKEv1 message.
fn refused_v1(first: v1::PayloadType, body: &[u8]) -> ParseError {
    let length = u16::try_from(body.len() + 4).unwrap().to_be_bytes();
    let bytes = message(
        Version::V1,
        first.0,
        &[&[0, 0, length[0], length[1]], body].concat(),
    );
    let Message::V1(message) = Message::parse(&bytes, &LIMITS).unwrap() else {
        panic!("not IKEv1")
    };
    let payload = message.payloads().iter().next().unwrap();
    payload
        .view(v1::Dialect { nat_t_draft: true }, &LIMITS)
        .unwrap_err()
}

/// Looks at everything there is, so that a view that panics is found.
fn look(bytes: &[u8]) -> Result<usize, ParseError> {
    let mut seen = 0;
    match Message::parse(bytes, &LIMITS)? {
        Message::V1(message) => {
            let chain = match message.encrypted() {
                // What decryption with a wrong key would give: noise.
                Some(noise) => message.decrypted(noise, &LIMITS)?,
                None => message.payloads(),
            };
            for payload in chain {
                seen += 1;
                for dialect in [v1::Dialect::STANDARD, v1::Dialect { nat_t_draft: true }] {
                    if let Ok(view) = payload.view(dialect, &LIMITS) {
                        look_v1(&view);
                    }
                }
            }
            assert_eq!(seen, chain.len());
        }
        Message::V2(message) => {
            for payload in message.payloads() {
                seen += 1;
                if let Ok(view) = payload.view(&LIMITS) {
                    look_v2(&view);
                }
            }
            assert_eq!(seen, message.payloads().len());
        }
    }
    Ok(seen)
}

fn look_v1(view: &v1::View<'_>) {
    match view {
        v1::View::Sa(sa) => {
            for proposal in sa.proposals() {
                let transforms = proposal.transforms().inspect(|transform| {
                    black_box(v1::Phase1::read(transform.attributes()).is_ok());
                    black_box(v1::Phase2::read(transform.attributes()).is_ok());
                });
                assert_eq!(transforms.count(), usize::from(proposal.transform_count));
            }
        }
        v1::View::Identification(id) => {
            black_box((id.identity.prefix_len(), id.identity.as_str()));
        }
        v1::View::Notification(n) => {
            black_box((n.number(), n.spi_u32(), n.attributes(&LIMITS).is_ok()));
        }
        v1::View::Delete(delete) => assert!(delete.spis_u32().count() <= delete.spis().len()),
        v1::View::Configuration(config) => {
            black_box(config.attributes.iter().filter_map(|a| a.number()).count());
        }
        _ => {}
    }
}

fn look_v2(view: &v2::View<'_>) {
    match view {
        v2::View::Sa(sa) => {
            for proposal in sa.proposals() {
                let transforms = proposal.transforms().inspect(|transform| {
                    black_box((transform.key_length(), transform.has_unknown_attribute()));
                });
                assert_eq!(transforms.count(), usize::from(proposal.transform_count));
            }
        }
        v2::View::TsInitiator(ts) | v2::View::TsResponder(ts) => {
            assert_eq!(ts.iter().count(), ts.len());
        }
        v2::View::Configuration(config) => {
            black_box(
                config
                    .iter()
                    .filter_map(|v| v.ipv4().zip(v.ipv6_prefix()))
                    .count(),
            );
        }
        v2::View::CertificateRequest(request) => {
            black_box(request.authority_hashes().count());
        }
        v2::View::Notify(n) => {
            black_box((n.u16(), n.u32(), n.u16_list().map(Iterator::count)));
        }
        _ => {}
    }
}

#[test]
fn a1_header_length_27_is_refused() {
    for length in 0..28_u32 {
        let mut bytes = message(Version::V1, 0, &[]);
        bytes[24..28].copy_from_slice(&length.to_be_bytes());
        assert_eq!(refused(&bytes), ErrorKind::LengthTooSmall, "{length}");
    }
    let error = Message::parse(&message(Version::V1, 0, &[])[..27], &LIMITS).unwrap_err();
    assert_eq!((error.kind, error.value), (ErrorKind::Truncated, 27));
}

#[test]
fn a1_payload_length_0_to_3_is_refused() {
    for version in [Version::V1, Version::V2] {
        for length in 0..4 {
            let bytes = message(
                version,
                13 + (version.0 & 0x20),
                &[0, 0, 0, length, 0, 0, 0, 0],
            );
            let error = Message::parse(&bytes, &LIMITS).unwrap_err();
            assert_eq!(error.kind, ErrorKind::LengthTooSmall);
            assert_eq!((error.offset, error.what), (28, "Payload Length"));
        }
    }
}

#[test]
fn a2_header_length_other_than_the_datagrams_is_refused() {
    let bytes = message(Version::V2, 40, &[&hex!("00000014")[..], &[7; 16]].concat());
    assert!(Message::parse(&bytes, &LIMITS).is_ok());
    let error = Message::parse(&[&bytes[..], &[0]].concat(), &LIMITS).unwrap_err();
    assert_eq!(
        (error.kind, error.offset),
        (ErrorKind::TrailingBytes, bytes.len())
    );
    assert_eq!(refused(&bytes[..bytes.len() - 1]), ErrorKind::Truncated);
    let huge = Header {
        length: u32::MAX,
        ..Header::v2(ExchangeType::IKE_AUTH, [1; 8], [2; 8])
    };
    assert_eq!(refused(&huge.to_bytes()), ErrorKind::LengthTooLarge);
}

#[test]
fn a2_octets_behind_the_last_payload() {
    let nonce = [&hex!("0000000c")[..], &[7; 8]].concat();
    // RFC 2408 §3.6: IKEv1 may pad its message to 4 octets; what hashes cover is without them.
    let padded = message(Version::V1, 10, &[&nonce[..], &[0; 3]].concat());
    let Message::V1(parsed) = Message::parse(&padded, &LIMITS).unwrap() else {
        panic!("not IKEv1")
    };
    assert_eq!(
        (
            parsed.payloads().octets().len(),
            parsed.payloads().padding().len()
        ),
        (12, 3)
    );
    let more = message(Version::V1, 10, &[&nonce[..], &[0; 4]].concat());
    assert_eq!(refused(&more), ErrorKind::TrailingBytes);
    let v2 = message(Version::V2, 41, &hex!("00000008 00004000 00"));
    assert_eq!(refused(&v2), ErrorKind::TrailingBytes);
}

#[test]
fn a3_an_announced_payload_that_is_not_there_is_refused_and_an_empty_chain_is_not() {
    for (version, first) in [(Version::V1, 1), (Version::V2, 33)] {
        assert_eq!(refused(&message(version, first, &[])), ErrorKind::Truncated);
        assert_eq!(look(&message(version, 0, &[])), Ok(0));
    }
}

#[test]
fn a4_bombs_end_at_their_limit() {
    // 16,376 payloads of 4 octets each fill a message. One pass takes them in, and none behind it looks
    // at more than the octets.
    let bomb = |more: u8| {
        let mut body = vec![[more, 0, 0, 4]; 16_376];
        body.last_mut().unwrap()[0] = 0;
        body.concat()
    };
    let bytes = message(Version::V1, 13, &bomb(13));
    let Message::V1(parsed) = Message::parse(&bytes, &LIMITS).unwrap() else {
        panic!("another version");
    };
    let v1::Body::Clear(chain) = parsed.body else {
        panic!("encrypted");
    };
    assert_eq!((chain.len(), chain.iter().count()), (16_376, 16_376));
    assert_eq!(chain.last().unwrap().offset, bytes.len() - 4);
    let bytes = message(Version::V2, 43, &bomb(43));
    let Message::V2(parsed) = Message::parse(&bytes, &LIMITS).unwrap() else {
        panic!("another version");
    };
    assert_eq!(parsed.payloads().iter().count(), 16_376);
    let mut few = LIMITS;
    few.payloads = 64;
    let error = Message::parse(&bytes, &few).unwrap_err();
    assert_eq!((error.kind, error.value), (ErrorKind::TooMany, 64));
    assert_eq!(error.offset, 28 + 64 * 4);

    let transform = |more: u8| [more, 0, 0, 8, 1, 1, 0, 0];
    let transforms = |n: usize| {
        let mut all = vec![transform(3); n];
        all.last_mut().unwrap()[0] = 0;
        all.concat()
    };
    let proposal = |more: u8, n: usize| {
        let length = ((8 + 8 * n) as u16).to_be_bytes();
        [
            &[more, 0, length[0], length[1], 1, 1, 0, n as u8][..],
            &transforms(n),
        ]
        .concat()
    };
    let sa = |proposals: &[u8]| [&hex!("00000001 00000001")[..], proposals].concat();
    let many = |proposals: usize, n: usize| {
        let all = [proposal(2, n).repeat(proposals - 1), proposal(0, n)].concat();
        refused_v1(v1::PayloadType::SA, &sa(&all))
    };
    let error = many(256, 1);
    assert_eq!((error.kind, error.what), (ErrorKind::TooMany, "proposals"));
    let error = many(1, 256);
    assert_eq!((error.kind, error.what), (ErrorKind::TooMany, "transforms"));
    let attributes = [[0x80, 1, 0, 5]; 17].concat();
    let one = [
        &[0, 0, 0, 84, 1, 1, 0, 1, 0, 0, 0, 76, 1, 1, 0, 0][..],
        &attributes,
    ]
    .concat();
    let error = refused_v1(v1::PayloadType::SA, &sa(&one));
    assert_eq!((error.kind, error.what), (ErrorKind::TooMany, "attributes"));
}

#[test]
fn l11_transforms_are_counted_by_proposal() {
    // RFC 7296 §3.3.1: 31 proposals of 255 transforms each, 7,905 in all.
    let transforms = [
        [3, 0, 0, 8, 4, 0, 0, 14].repeat(254),
        vec![0, 0, 0, 8, 4, 0, 0, 14],
    ]
    .concat();
    let proposal = |more: u8, number: u8| {
        let length = (8 + transforms.len() as u16).to_be_bytes();
        [
            &[more, 0, length[0], length[1], number, 1, 0, 255][..],
            &transforms,
        ]
        .concat()
    };
    let mut body: Vec<u8> = (1..31).flat_map(|number| proposal(2, number)).collect();
    body.extend(proposal(0, 31));
    let length = (4 + body.len() as u16).to_be_bytes();
    let octets = [&[0, 0, length[0], length[1]][..], &body].concat();
    let chain = v2::PayloadChain::parse(v2::PayloadType::SA, &octets, &LIMITS).unwrap();
    let sa = v2::Sa::parse(&chain.last().unwrap(), &LIMITS).unwrap();
    let counts: Vec<usize> = sa.proposals().map(|p| p.transforms().count()).collect();
    assert_eq!(counts, [255; 31]);
}

#[test]
fn l11_attributes_of_a_configuration_payload_are_bounded_by_its_octets() {
    // INTERNAL_IP4_SUBNET, 5,000 times.
    let attribute = hex!("000d0008 0a000000 ffffff00");
    let body = [&hex!("02000000")[..], &attribute.repeat(5000)].concat();
    let length = (4 + body.len() as u16).to_be_bytes();
    let octets = [&[0, 0, length[0], length[1]][..], &body].concat();
    let chain = v2::PayloadChain::parse(v2::PayloadType::CONFIGURATION, &octets, &LIMITS).unwrap();
    let configuration = v2::Configuration::parse(&chain.last().unwrap()).unwrap();
    assert_eq!(configuration.iter().count(), 5000);
}

#[test]
fn a4_limits_are_the_callers() {
    let body = [hex!("0d000004"), hex!("00000004")].concat();
    let bytes = message(Version::V1, 13, &body);
    let mut limits = LIMITS;
    limits.payloads = 1;
    assert_eq!(
        Message::parse(&bytes, &limits).unwrap_err().kind,
        ErrorKind::TooMany
    );
    limits.payloads = 2;
    assert!(Message::parse(&bytes, &limits).is_ok());
    limits.message = bytes.len();
    assert!(Message::parse(&bytes, &limits).is_ok());
    limits.message = bytes.len() - 1;
    assert_eq!(
        Message::parse(&bytes, &limits).unwrap_err().kind,
        ErrorKind::LengthTooLarge
    );
}

#[test]
fn a7_a_payload_that_names_itself_ends_with_the_octets() {
    let bytes = message(Version::V1, 10, &[&hex!("0a00000c")[..], &[7; 8]].concat());
    let error = Message::parse(&bytes, &LIMITS).unwrap_err();
    assert_eq!((error.kind, error.offset), (ErrorKind::Truncated, 40));
}

#[test]
fn a7_proposals_and_transforms_link_to_nothing_else() {
    let sa = hex!("00000001 00000001 0a000010 01010001 00000008 01010000");
    let error = refused_v1(v1::PayloadType::SA, &sa);
    assert_eq!(
        (error.kind, error.offset),
        (ErrorKind::UnexpectedPayload, 40)
    );
    let sa = hex!("00000001 00000001 00000010 01010001 02000008 01010000");
    let error = refused_v1(v1::PayloadType::SA, &sa);
    assert_eq!(
        (error.kind, error.offset),
        (ErrorKind::UnexpectedPayload, 48)
    );
}

#[test]
fn rfc2408_s5_3_reserved_octets_must_be_zero_in_v1() {
    let bytes = message(Version::V1, 10, &[&hex!("0001000c")[..], &[7; 8]].concat());
    assert_eq!(refused(&bytes), ErrorKind::ReservedNotZero);
    let bytes = message(Version::V2, 40, &[&hex!("007f0014")[..], &[7; 16]].concat());
    assert_eq!(look(&bytes), Ok(1), "RFC 7296 §3.2: ignored on receipt");
}

#[test]
fn versions_other_than_1_0_and_2_are_refused() {
    for version in [0x00, 0x01, 0x11, 0x1f, 0x30, 0xf0] {
        let error = Message::parse(&message(Version(version), 0, &[]), &LIMITS).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnsupportedVersion, "{version:#04x}");
        assert_eq!(error.value, u64::from(version));
        assert_eq!(error.v1_notify(), v1::NotifyType::INVALID_MAJOR_VERSION);
        assert_eq!(error.v2_notify(), v2::NotifyType::INVALID_MAJOR_VERSION);
    }
    // RFC 7296 §2.5: the minor version is ignored.
    assert_eq!(look(&message(Version(0x21), 0, &[])), Ok(0));
}

#[test]
fn sa_with_lengths_or_counts_that_disagree_is_refused() {
    use ErrorKind::{LengthMismatch, LengthTooSmall, TooFew, TrailingBytes, Truncated};
    let cases: [(&[u8], ErrorKind); 12] = [
        (&hex!("000000"), Truncated),
        (&hex!("00000001"), Truncated),
        (&hex!("00000001 00000001"), TooFew),
        (&hex!("00000000 00000001"), ErrorKind::UnsupportedDoi),
        (&hex!("00000001 00000001 00000003"), LengthTooSmall),
        (&hex!("00000001 00000001 00000009 01010001"), Truncated),
        (&hex!("00000001 00000001 00000008 01010400"), Truncated),
        (&hex!("00000001 00000001 00000008 01010000"), TooFew),
        (
            &hex!("00000001 00000001 00000010 01010002 00000008 01010000"),
            LengthMismatch,
        ),
        (
            &hex!("00000001 00000001 00000011 01010001 00000008 01010000 00"),
            TrailingBytes,
        ),
        (
            &hex!("00000001 00000001 00000010 01010001 00000008 01010000 00"),
            TrailingBytes,
        ),
        (
            &hex!("00000001 00000001 00000014 01010001 0000000c 01010000 000c0004"),
            Truncated,
        ),
    ];
    for (body, kind) in cases {
        let error = refused_v1(v1::PayloadType::SA, body);
        assert_eq!(error.kind, kind, "{}: {error}", hex::encode(body));
    }
}

#[test]
fn rfc2407_s4_6_1_labelled_situations_are_delimited() {
    // SECRECY and INTEGRITY: domain, then level and category of each, padded to 4 octets.
    let labels = hex!("00000009 00030000 aabbcc00 00090000 ff800000 00000000 00000000");
    let proposals = hex!("00000010 01010001 00000008 01010000");
    let body = [&hex!("00000001 00000007")[..], &labels, &proposals].concat();
    let length = u16::try_from(body.len() + 4).unwrap().to_be_bytes();
    let bytes = [&[0, 0, length[0], length[1]], &body[..]].concat();
    let chain = v1::PayloadChain::parse(v1::PayloadType::SA, &bytes, &LIMITS).unwrap();
    let sa = v1::Sa::parse(&chain.last().unwrap(), &LIMITS).unwrap();
    assert_eq!((sa.labels, sa.proposals().count()), (&labels[..], 1));
}

#[test]
fn other_v1_payloads_that_do_not_fit_are_refused() {
    use ErrorKind::{
        InvalidValue, LengthTooLarge, LengthTooSmall, TooMany, TrailingBytes, Truncated,
    };
    use v1::PayloadType as P;
    let long_id = [&hex!("0b000000")[..], &[1; 5000]].concat();
    let cases: [(P, &[u8], ErrorKind); 30] = [
        (P::KEY_EXCHANGE, &[], LengthTooSmall),
        (P::HASH, &[], LengthTooSmall),
        (P::SIGNATURE, &[], LengthTooSmall),
        (P::NONCE, &[0; 7], LengthTooSmall),
        (P::NONCE, &[0; 257], LengthTooLarge),
        (P::IDENTIFICATION, &hex!("010000"), Truncated),
        (P::IDENTIFICATION, &hex!("01000000 0a0000"), Truncated),
        (
            P::IDENTIFICATION,
            &hex!("01000000 0a000001 00"),
            TrailingBytes,
        ),
        (P::IDENTIFICATION, &hex!("04000000 0a000001"), Truncated),
        (
            P::IDENTIFICATION,
            &hex!("07000000 0a000002 0a000001"),
            InvalidValue,
        ),
        (P::IDENTIFICATION, &hex!("02000000"), LengthTooSmall),
        (P::IDENTIFICATION, &hex!("02000000 6100 62"), InvalidValue),
        (P::IDENTIFICATION, &hex!("03000000 610040"), InvalidValue),
        (P::IDENTIFICATION, &long_id, LengthTooLarge),
        (P::CERTIFICATE, &[], Truncated),
        (P::CERTIFICATE_REQUEST, &[], Truncated),
        (P::NOTIFICATION, &hex!("00000001 01000e"), Truncated),
        (P::NOTIFICATION, &hex!("00000001 01100e00 00"), Truncated),
        (P::DELETE, &hex!("00000001 03040002 00000001"), Truncated),
        (
            P::DELETE,
            &hex!("00000001 03040001 00000001 00"),
            TrailingBytes,
        ),
        (P::DELETE, &hex!("00000001 03000001"), LengthTooSmall),
        (P::DELETE, &hex!("00000001 0304ffff"), TooMany),
        (P::ATTRIBUTES, &hex!("010000"), Truncated),
        (P::ATTRIBUTES, &hex!("01000000 40880004 0000"), Truncated),
        (P::NAT_D, &[], LengthTooSmall),
        (P::NAT_D_DRAFT, &[], LengthTooSmall),
        (P::NAT_OA, &hex!("01000000 0a0000"), Truncated),
        (P::NAT_OA_DRAFT, &hex!("02000000 0a000001"), InvalidValue),
        (P::FRAGMENT, &hex!("0001 00 01 aa"), InvalidValue),
        (P::FRAGMENT, &hex!("0001 01 01"), LengthTooSmall),
    ];
    for (payload_type, body, kind) in cases {
        let error = refused_v1(payload_type, body);
        assert_eq!(error.kind, kind, "{payload_type}: {error}");
        assert!(
            (32..=bytes_end(body)).contains(&error.offset),
            "{payload_type}: {error}"
        );
    }
    fn bytes_end(body: &[u8]) -> usize {
        32 + body.len()
    }
}

#[test]
fn a11_attributes_of_any_order_and_size_are_read_and_never_wrapped() {
    let read = |octets: &[u8]| {
        let attributes = isakmp_wire::Attributes::parse(octets, 0, 16).unwrap();
        v1::Phase1::read(attributes).map_err(|error| error.kind)
    };
    // The order of the other source document: encryption, hash, group, authentication.
    let swapped = hex!("800b0001 000c0004 00015180 80040002 80030001 80020002 80010005");
    let usual = hex!("80010005 80020002 80030001 80040002 800b0001 000c0004 00015180");
    assert_eq!(read(&swapped), read(&usual));
    for (octets, seconds) in [
        (&hex!("800b0001 800c0e10")[..], 3600_u64),
        (&hex!("800b0001 000c0001 10"), 16),
        (&hex!("800b0001 000c0003 015180"), 86_400),
        (&hex!("800b0001 000c0008 ffffffffffffffff"), u64::MAX),
    ] {
        assert_eq!(read(octets).unwrap().life_seconds, Some(seconds));
    }
    let nine = hex!("800b0001 000c0009 00ffffffffffffffff");
    assert_eq!(read(&nine), Err(ErrorKind::InvalidValue));
    assert_eq!(
        read(&hex!("800b0001 000c0000")),
        Err(ErrorKind::InvalidValue)
    );
    assert_eq!(
        read(&hex!("000c0004 00015180")),
        Err(ErrorKind::InvalidValue),
        "no unit"
    );
    // RFC 2409 App. A: a basic attribute MUST NOT be encoded as variable.
    assert_eq!(
        read(&hex!("00010002 0005")),
        Err(ErrorKind::AttributeFormat)
    );
    // RFC 2407 §4.5.2: repeated attributes may not conflict; two units do not.
    assert_eq!(
        read(&hex!("80010005 80010007")),
        Err(ErrorKind::AttributeConflict)
    );
    let both = hex!("800b0001 000c0004 00015180 800b0002 000c0004 000186a0");
    let both = read(&both).unwrap();
    assert_eq!(
        (both.life_seconds, both.life_kilobytes),
        (Some(86_400), Some(100_000))
    );
    let private = read(&hex!("c0010001")).unwrap();
    assert_eq!(private.unsupported, Some(v1::Phase1Class(0x4001)));
}

#[test]
fn a17_crash_reproducers_of_tcpdump_are_decoded_or_refused() {
    let mut looked = 0;
    for name in [
        "isakmp-identification-segfault",
        "isakmp-ikev1_n_print-oobr",
        "isakmp-pointer-loop",
        "isakmp-3948-oobr-2",
        "isakmp-rfc3948-oobr",
        "ikev1_id_ipv6_addr_subnet-oobr",
        "isakmpv1-attr-oobr",
        "ikev2-id-normal",
    ] {
        for frame in frames(&format!("hostile/{name}.pcap")) {
            // Most have no sound IP header, so the message may start anywhere behind one; and
            // most have a length and version that would end decoding at the header.
            for start in 20..frame.len().saturating_sub(Header::LEN).min(60) {
                let mut bytes = frame[start..].to_vec();
                let _ = black_box(look(&bytes));
                let length = (bytes.len() as u32).to_be_bytes();
                bytes[24..28].copy_from_slice(&length);
                for version in [Version::V1, Version::V2] {
                    bytes[17] = version.0;
                    for flags in [Flags::NONE, Flags::ENCRYPTION] {
                        bytes[19] = flags.0;
                        looked += 1;
                        let _ = black_box(look(&bytes));
                    }
                }
            }
        }
    }
    assert!(looked > 1000, "{looked}");
}

#[test]
fn every_prefix_of_every_recorded_message_is_refused() {
    for name in CAPTURES {
        for recorded in messages(name) {
            for end in 0..recorded.message.len() {
                let error = Message::parse(&recorded.message[..end], &LIMITS).unwrap_err();
                assert_eq!(error.kind, ErrorKind::Truncated, "{name}, {end} octets");
                assert!(error.offset <= end);
            }
        }
    }
}

#[test]
fn a_shortened_message_with_a_header_that_agrees_never_panics() {
    for name in CAPTURES {
        for mut recorded in messages(name) {
            // Every length for short messages, a sample of them for long ones.
            let step = 1 + recorded.message.len() / 200;
            let mut end = recorded.message.len();
            while end > Header::LEN {
                recorded.message.truncate(end);
                recorded.message[24..28].copy_from_slice(&(end as u32).to_be_bytes());
                if let Err(error) = look(&recorded.message) {
                    assert!(error.offset <= end, "{error}");
                }
                end = end.saturating_sub(step);
            }
        }
    }
}

#[test]
fn a18_no_single_octet_of_a_recorded_message_panics_when_changed() {
    for name in CAPTURES {
        let mut kinds = messages(name);
        kinds.truncate(4);
        for mut recorded in kinds {
            // Ciphertext and public values would only cost time.
            for at in 0..recorded.message.len().min(400) {
                let old = recorded.message[at];
                for new in [
                    0,
                    1,
                    3,
                    old ^ 0x80,
                    old.wrapping_add(1),
                    old.wrapping_sub(1),
                    0xff,
                ] {
                    recorded.message[at] = new;
                    let _ = black_box(look(&recorded.message));
                }
                recorded.message[at] = old;
            }
        }
    }
}

#[test]
fn an_encrypted_message_without_ciphertext_is_refused() {
    let header = Header::v1(ExchangeType::QUICK_MODE, [1; 8], [2; 8]).flags(Flags::ENCRYPTION);
    let bytes = Header {
        length: 28,
        next_payload: 8,
        ..header
    }
    .to_bytes();
    assert_eq!(refused(&bytes), ErrorKind::Truncated);
}

/// strongSwan CVE-2015-3991: payloads of one version in a message of the other.
#[test]
fn a12_payloads_of_the_other_version_are_no_payloads_of_this_one() {
    for kind in 0..=255u8 {
        let (v1, v2) = (v1::PayloadType(kind), v2::PayloadType(kind));
        let body = [[kind, 0, 0, 4].as_slice(), &[0; 32]].concat();
        for version in [Version::V1, Version::V2] {
            let bytes = message(version, kind, &[&[0, 0, 0, 36][..], &body[..32]].concat());
            match Message::parse(&bytes, &LIMITS) {
                Ok(Message::V1(message)) => {
                    assert_eq!(version, Version::V1);
                    let payloads: Vec<_> = message.payloads().iter().collect();
                    let view = payloads
                        .first()
                        .map(|p| p.view(v1::Dialect::STANDARD, &LIMITS));
                    // 33 to 48 and 53 are IKEv2's.
                    if v2.is_supported() {
                        assert!(
                            matches!(view, Some(Ok(v1::View::Unknown))),
                            "{kind}: {view:?}"
                        );
                    }
                }
                Ok(Message::V2(message)) => {
                    assert_eq!(version, Version::V2);
                    let payloads: Vec<_> = message.payloads().iter().collect();
                    let view = payloads.first().map(|p| p.view(&LIMITS));
                    if !v2.is_supported() && kind != 0 {
                        assert!(
                            matches!(view, Some(Ok(v2::View::Unknown))),
                            "{v1}: {view:?}"
                        );
                    }
                }
                Err(_) => {}
            }
        }
    }
}

/// RFC 2408 §5.3, §3.5, §3.6: a RESERVED octet that is not zero discards the message, in proposals
/// and transforms too.
#[test]
fn a7_reserved_octets_of_proposals_and_transforms_are_zero() {
    let body = |proposal: u8, transform: u8| {
        let mut body = hex!("00000001 00000001 00000010 01010001 00000008 01010000");
        (body[9], body[17]) = (proposal, transform);
        body
    };
    let sa = v1::PayloadType::SA;
    for (proposal, transform) in [(1, 0), (0x80, 0), (0, 1), (0, 0x80)] {
        let error = refused_v1(sa, &body(proposal, transform));
        assert_eq!(error.kind, ErrorKind::ReservedNotZero);
    }
    let good = [&hex!("0000001c")[..], &body(0, 0)].concat();
    assert!(look(&message(Version::V1, sa.0, &good)).is_ok());
}
