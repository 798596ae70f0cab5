//! What holds for every message that can be built, and for every run of octets that arrives.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs
)]

use std::net::IpAddr;

use isakmp_wire::{
    BuildError, ExchangeType, Flags, Header, Limits, Message, ProtocolId, Sink, SliceSink, Version,
    v1, v2,
};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMITS: Limits = Limits::DEFAULT;

fn octets(size: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), size)
}

fn header(version: Version) -> impl Strategy<Value = Header> {
    (
        any::<[u8; 8]>(),
        any::<[u8; 8]>(),
        any::<u8>(),
        any::<u8>(),
        any::<u32>(),
    )
        .prop_map(move |(initiator, responder, exchange, flags, id)| {
            let header = match version {
                Version::V1 => Header::v1(ExchangeType(exchange), initiator, responder),
                _ => Header::v2(ExchangeType(exchange), initiator, responder),
            };
            header
                .message_id(id)
                .flags(Flags(flags).without(Flags::ENCRYPTION))
        })
}

fn pair() -> impl Strategy<Value = (IpAddr, IpAddr)> {
    prop_oneof![
        any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (a.min(b).into(), a.max(b).into())),
        any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (a.min(b).into(), a.max(b).into())),
    ]
}

fn phase1() -> impl Strategy<Value = v1::Phase1> {
    let number = || proptest::option::of(any::<u16>());
    let life = || proptest::option::of(any::<u64>());
    (
        number(),
        number(),
        number(),
        number(),
        number(),
        number(),
        life(),
        life(),
    )
        .prop_map(
            |(encryption, key_length, hash, authentication, group, prf, seconds, kilobytes)| {
                v1::Phase1 {
                    encryption: encryption.map(Into::into),
                    key_length,
                    hash: hash.map(Into::into),
                    authentication: authentication.map(Into::into),
                    group: group.map(Into::into),
                    prf,
                    life_seconds: seconds,
                    life_kilobytes: kilobytes,
                    unsupported: None,
                }
            },
        )
}

fn phase2() -> impl Strategy<Value = v1::Phase2> {
    let number = || proptest::option::of(any::<u16>());
    let life = || proptest::option::of(any::<u64>());
    (
        life(),
        life(),
        number(),
        number(),
        number(),
        number(),
        any::<bool>(),
    )
        .prop_map(
            |(seconds, kilobytes, group, encapsulation, authentication, key_length, esn)| {
                v1::Phase2 {
                    life_seconds: seconds,
                    life_kilobytes: kilobytes,
                    group: group.map(Into::into),
                    encapsulation: encapsulation.map(Into::into),
                    authentication: authentication.map(Into::into),
                    key_length,
                    esn,
                    unsupported: None,
                }
            },
        )
}

fn selector() -> impl Strategy<Value = v2::TrafficSelector> {
    let ports = prop_oneof![
        Just(v2::Ports::ANY),
        Just(v2::Ports::Opaque),
        any::<(u16, u16)>().prop_map(|(a, b)| v2::Ports::Range(a.min(b), a.max(b))),
    ];
    (any::<u8>(), ports, pair()).prop_map(|(protocol, ports, (start, end))| v2::TrafficSelector {
        protocol,
        ports,
        start,
        end,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn header_round_trip(bytes in any::<[u8; 28]>()) {
        prop_assert_eq!(Header::read(&bytes).unwrap().to_bytes(), bytes);
    }

    #[test]
    fn unknown_payloads_survive_octet_for_octet(
        header in header(Version::V1),
        payloads in vec((1..132_u8, octets(0..40)), 0..20),
    ) {
        let mut first = Vec::new();
        let mut writer = v1::Writer::new(&mut first, &header).unwrap();
        for (number, body) in &payloads {
            writer.payload(v1::PayloadType(*number), body).unwrap();
        }
        let length = writer.finish().unwrap();
        prop_assert_eq!(length, first.len());

        let Message::V1(message) = Message::parse(&first, &LIMITS).unwrap() else { panic!() };
        let seen: Vec<_> =
            message.payloads().iter().map(|p| (p.payload_type.0, p.body.to_vec())).collect();
        prop_assert_eq!(&seen, &payloads);
        for payload in message.payloads() {
            let end = payload.offset + payload.raw.len();
            prop_assert_eq!(payload.raw, &first[payload.offset..end]);
            prop_assert_eq!(message.payloads().octets_after(&payload), &first[end..]);
        }
        let mut second = Vec::new();
        let mut writer = v1::Writer::new(&mut second, &message.header).unwrap();
        for payload in message.payloads() {
            writer.copy(&payload).unwrap();
        }
        writer.finish().unwrap();
        prop_assert_eq!(first, second);
    }

    #[test]
    fn v1_offers_round_trip(
        header in header(Version::V1),
        phase1 in vec(phase1(), 1..8),
        phase2 in vec(phase2(), 1..8),
        spi in octets(0..=16),
    ) {
        let mut bytes = Vec::new();
        let mut writer = v1::Writer::new(&mut bytes, &header).unwrap();
        let sa = writer.sa(v1::Situation::IDENTITY_ONLY, |sa| {
            sa.proposal(1, ProtocolId::ISAKMP, &spi, |p| {
                (1..).zip(&phase1).try_for_each(|(n, offer)| {
                    p.transform(n, v1::IsakmpTransform::KEY_IKE, |t| t.phase1(offer))
                })
            })?;
            sa.proposal(2, ProtocolId::ESP, &spi, |p| {
                (1..).zip(&phase2).try_for_each(|(n, offer)| {
                    p.transform(n, v1::EspTransform::AES_CBC, |t| t.phase2(offer))
                })
            })
        }).unwrap();
        let body = writer.body(sa).to_vec();
        writer.finish().unwrap();
        let Message::V1(message) = Message::parse(&bytes, &LIMITS).unwrap() else { panic!() };
        let payload = message.payloads().last().unwrap();
        let sa = v1::Sa::parse(&payload, &LIMITS).unwrap();
        prop_assert_eq!(sa.body, &body);
        let [first, second] = sa.proposals().collect::<Vec<_>>()[..] else { panic!() };
        prop_assert_eq!((first.spi, second.number), (&spi[..], 2));
        let first: Vec<_> =
            first.transforms().map(|t| v1::Phase1::read(t.attributes()).unwrap()).collect();
        prop_assert_eq!(first, phase1);
        let second: Vec<_> =
            second.transforms().map(|t| v1::Phase2::read(t.attributes()).unwrap()).collect();
        prop_assert_eq!(second, phase2);
    }

    #[test]
    fn v1_identities_round_trip(
        (first, last) in pair(), name in "[a-z.@]{1,40}", data in octets(1..40), kind in 0..8_u8,
        protocol in any::<u8>(), port in any::<u16>(),
    ) {
        let identity = match kind {
            0 => v1::Identity::Address(first),
            1 => v1::Identity::Subnet(first, last),
            2 => v1::Identity::Range(first, last),
            3 => v1::Identity::Fqdn(name.as_bytes()),
            4 => v1::Identity::UserFqdn(name.as_bytes()),
            5 => v1::Identity::Dn(&data),
            6 => v1::Identity::GeneralName(&data),
            _ => v1::Identity::KeyId(&data),
        };
        let mut bytes = Vec::new();
        let mut writer = v1::Writer::chain_only(&mut bytes);
        writer.identification(&identity, protocol, port).unwrap();
        let chain_type = writer.first();
        writer.finish().unwrap();
        let chain = v1::PayloadChain::parse(chain_type, &bytes, &LIMITS).unwrap();
        let id = v1::Identification::parse(&chain.last().unwrap(), &LIMITS).unwrap();
        prop_assert_eq!((id.identity, id.protocol, id.port), (identity, protocol, port));
    }

    #[test]
    fn v2_messages_round_trip(
        header in header(Version::V2),
        selectors in vec(selector(), 1..10),
        transforms in vec((1..15_u8, any::<u16>(), proptest::option::of(any::<u16>())), 1..20),
        spis in vec(any::<u32>(), 0..10),
        data in octets(0..50),
    ) {
        let mut bytes = Vec::new();
        let mut writer = v2::Writer::new(&mut bytes, &header).unwrap();
        writer.sa(|sa| sa.proposal(1, ProtocolId::ESP, &[1, 2, 3, 4], |p| {
            transforms.iter().try_for_each(|(kind, id, key_length)| {
                p.transform(v2::TransformType(*kind), *id, *key_length)
            })
        })).unwrap();
        writer.ts_initiator(&selectors).unwrap();
        writer.delete(ProtocolId::AH, &spis).unwrap();
        writer.notify_child(ProtocolId::ESP, 7, v2::NotifyType::REKEY_SA, &data).unwrap();
        writer.finish().unwrap();
        let Message::V2(message) = Message::parse(&bytes, &LIMITS).unwrap() else { panic!() };
        let views: Vec<_> = message.payloads().iter().map(|p| p.view(&LIMITS).unwrap()).collect();
        let [
            v2::View::Sa(sa),
            v2::View::TsInitiator(ts),
            v2::View::Delete(delete),
            v2::View::Notify(notify),
        ] = views[..] else { panic!("{views:?}") };
        let proposal = sa.proposals().next().unwrap();
        prop_assert_eq!(proposal.spi_u32(), Some(0x0102_0304));
        let seen: Vec<_> = proposal.transforms()
            .map(|t| (t.transform_type.0, t.id, t.key_length())).collect();
        prop_assert_eq!(seen, transforms);
        prop_assert_eq!(ts.ranges().collect::<Vec<_>>(), selectors);
        prop_assert_eq!(delete.spis().collect::<Vec<_>>(), spis);
        prop_assert_eq!((notify.spi_u32(), notify.data), (Some(7), &data[..]));
    }

    #[test]
    fn v2_encrypted_payloads_round_trip(
        header in header(Version::V2),
        data in octets(0..100),
        iv_len in 0..=16_usize, icv_len in 0..=32_usize, block_log in 0..=4_u32,
        mtu in 200..600_usize,
    ) {
        let protection = v2::Protection { iv_len, icv_len, block_len: 1 << block_log };
        let mut bytes = Vec::new();
        let mut writer = v2::Writer::new(&mut bytes, &header).unwrap();
        let sealed = writer.encrypted(&protection, |inside| {
            inside.notify(v2::NotifyType::COOKIE2, &data)?;
            inside.vendor_id(&data).map(drop)
        }).unwrap();
        writer.finish().unwrap();
        let Message::V2(message) = Message::parse(&bytes, &LIMITS).unwrap() else { panic!() };
        let protected = message.protected().unwrap();
        prop_assert_eq!(protected.aad_len, sealed.aad_len);
        let text = &protected.data[iv_len..protected.data.len() - icv_len];
        prop_assert!(text.len().is_multiple_of(protection.block_len));
        let inside = v2::unpad(text).unwrap();
        let chain = v2::PayloadChain::parse(protected.first, inside, &LIMITS).unwrap();
        prop_assert_eq!(chain.last().unwrap().body, &data);

        // A fragment that is filled to its capacity fits its message.
        let room = protection.fragment_capacity(mtu);
        prop_assume!(room > 0);
        let chunk = vec![0; room];
        for (extra, fits) in [(0, true), (protection.block_len, false)] {
            let mut bytes = Vec::new();
            let mut writer = v2::Writer::new(&mut bytes, &header).unwrap();
            let fragment = v2::FragmentNumber { number: 1, total: 1 };
            let chunk = [&chunk[..], &vec![0; extra]].concat();
            writer.encrypted_fragment(&protection, fragment, protected.first, &chunk).unwrap();
            prop_assert_eq!(writer.finish().unwrap() <= mtu, fits);
        }
    }

    #[test]
    fn random_octets_never_panic(bytes in octets(0..200), version in 0..3_u8) {
        let mut bytes = bytes;
        if let Some(octet) = bytes.get_mut(17) {
            *octet = version << 4;
        }
        if bytes.len() >= 28 {
            let length = (bytes.len() as u32).to_be_bytes();
            bytes[24..28].copy_from_slice(&length);
        }
        if let Ok(message) = Message::parse(&bytes, &LIMITS) {
            prop_assert_eq!(message.raw(), &bytes);
        }
    }

    #[test]
    fn random_bodies_of_known_payloads_never_panic(body in octets(0..80), number in 1_u8..) {
        let length = (body.len() as u16 + 4).to_be_bytes();
        let bytes = [&[0, 0, length[0], length[1]], &body[..]].concat();
        let dialect = v1::Dialect { nat_t_draft: true };
        let chain = v1::PayloadChain::parse(v1::PayloadType(number), &bytes, &LIMITS).unwrap();
        for payload in chain {
            if let Err(error) = payload.view(dialect, &LIMITS) {
                prop_assert!(error.offset <= bytes.len(), "{}", error);
            }
        }
        let chain = v2::PayloadChain::parse(v2::PayloadType(number), &bytes, &LIMITS).unwrap();
        for payload in chain {
            if let Err(error) = payload.view(&LIMITS) {
                prop_assert!(error.offset <= bytes.len(), "{}", error);
            }
        }
    }

    #[test]
    fn a_full_slice_is_an_error_and_never_more_than_its_octets(size in 0..120_usize) {
        let mut buffer = vec![0; size];
        let mut sink = SliceSink::new(&mut buffer);
        let header = Header::v1(ExchangeType::AGGRESSIVE, [1; 8], [0; 8]);
        let built = v1::Writer::new(&mut sink, &header).and_then(|mut writer| {
            writer.nonce(&[7; 64])?;
            writer.finish()
        });
        match built {
            Ok(length) => prop_assert!(length == 96 && size >= 96),
            Err(BuildError::SinkFull { needed, available }) => {
                prop_assert!(size < 96 && needed > available);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
        prop_assert!(sink.written().len() <= size);
    }
}

#[test]
fn a_body_too_long_for_its_length_is_an_error() {
    let mut bytes = Vec::new();
    let header = Header::v2(ExchangeType::IKE_AUTH, [1; 8], [2; 8]);
    let mut writer = v2::Writer::new(&mut bytes, &header).unwrap();
    assert!(
        writer
            .payload(v2::PayloadType(200), &vec![0; 65_531])
            .is_ok()
    );
    let error = writer
        .payload(v2::PayloadType(200), &vec![0; 65_532])
        .unwrap_err();
    assert!(matches!(
        error,
        BuildError::TooLong {
            length: 65_536,
            maximum: 65_535,
            ..
        }
    ));
    let error = writer.sa(|sa| {
        sa.proposal(1, ProtocolId::IKE, &[], |p| {
            (0..256).try_for_each(|_| p.prf(v2::PrfId::HMAC_SHA1))
        })
    });
    assert!(matches!(
        error,
        Err(BuildError::TooLong {
            what: "Num Transforms",
            ..
        })
    ));
}
