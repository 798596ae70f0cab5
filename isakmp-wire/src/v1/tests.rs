#![allow(
    clippy::arithmetic_side_effects,
    reason = "test arithmetic is on constants"
)]

use std::vec;
use std::vec::Vec;

use hex_literal::hex;

use super::*;
use crate::{ExchangeType, Header, Limits, Message as AnyMessage, ProtocolId};

/// GV2: phase 1 transform as the source documents print it, attributes in their order.
const GV2: [u8; 28] = hex!("80010005 80020002 80030001 80040002 800b0001 000c0004 00015180");
/// GV3: phase 2 transform, likewise.
const GV3: [u8; 24] = hex!("80010001 00020004 00015180 80030002 80040001 80050002");

fn header() -> Header {
    let (initiator, responder) = (hex!("9ddfe2934d8be14b"), hex!("cca2f07a9045af27"));
    Header::v1(ExchangeType::IDENTITY_PROTECTION, initiator, responder)
}

fn parse(bytes: &[u8]) -> Message<'_> {
    match AnyMessage::parse(bytes, &Limits::default()).unwrap() {
        AnyMessage::V1(message) => message,
        AnyMessage::V2(_) => panic!("not IKEv1"),
    }
}

fn gv2_offer(group: GroupDescription) -> Phase1 {
    Phase1 {
        encryption: Some(EncryptionAlgorithm::TRIPLE_DES_CBC),
        hash: Some(HashAlgorithm::SHA),
        authentication: Some(AuthenticationMethod::PRE_SHARED_KEY),
        group: Some(group),
        life_seconds: Some(86_400),
        ..Phase1::default()
    }
}

#[test]
fn gv2_four_transforms_make_192_octets() {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header()).unwrap();
    let offer = gv2_offer(GroupDescription::MODP_1024);
    let sa = writer
        .sa(Situation::IDENTITY_ONLY, |sa| {
            sa.proposal(1, ProtocolId::ISAKMP, &[], |p| {
                (1..=4).try_for_each(|n| {
                    p.transform(n, IsakmpTransform::KEY_IKE, |t| t.phase1(&offer))
                })
            })
        })
        .unwrap();
    assert_eq!(sa.raw().len(), 164);
    assert_eq!(writer.finish().unwrap(), 192);
    assert_eq!(bytes.len(), 192);

    let message = parse(&bytes);
    assert_eq!(message.header.length, 192);
    let payload = message.payloads().find(PayloadType::SA).unwrap();
    let sa = Sa::parse(&payload, &Limits::default()).unwrap();
    let proposal = sa.proposals().next().unwrap();
    let transforms: Vec<_> = proposal.transforms().collect();
    assert_eq!(transforms.len(), 4);
    for (number, transform) in (1..).zip(&transforms) {
        assert_eq!((transform.number, transform.raw.len()), (number, 36));
        assert_eq!(transform.attributes().octets(), GV2);
        assert_eq!(transform.id_name(), Some("KEY_IKE"));
        assert_eq!(Phase1::read(transform.attributes()).unwrap(), offer);
    }
    let next: Vec<_> = transforms
        .iter()
        .map(|transform| transform.next_payload().0)
        .collect();
    assert_eq!(next, [3, 3, 3, 0]);
}

#[test]
fn gv3_phase_2_transform() {
    let offer = Phase2 {
        life_seconds: Some(86_400),
        group: Some(GroupDescription::MODP_1024),
        encapsulation: Some(EncapsulationMode::TUNNEL),
        authentication: Some(AuthenticationAlgorithm::HMAC_SHA),
        ..Phase2::default()
    };
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header()).unwrap();
    writer
        .sa(Situation::IDENTITY_ONLY, |sa| {
            sa.proposal(1, ProtocolId::ESP, &0x52B9_05BC_u32.to_be_bytes(), |p| {
                p.transform(1, EspTransform::TRIPLE_DES, |t| t.phase2(&offer))
            })
        })
        .unwrap();
    writer.finish().unwrap();
    let payload = parse(&bytes).payloads().find(PayloadType::SA).unwrap();
    let sa = Sa::parse(&payload, &Limits::default()).unwrap();
    let proposal = sa.proposals().next().unwrap();
    assert_eq!(proposal.spi_u32(), Some(1387857340));
    let transform = proposal.transforms().next().unwrap();
    assert_eq!((transform.id, transform.id_name()), (3, Some("ESP_3DES")));
    assert_eq!(transform.attributes().octets(), GV3);
    assert_eq!(Phase2::read(transform.attributes()).unwrap(), offer);
}

#[test]
fn rfc2409_s5_5_hash_covers_what_follows_it_and_is_patched_last() {
    let mut bytes = vec![0; 4]; // a non-ESP marker stays in front
    let header = header().message_id(0xCDD3_ACA0);
    let mut writer = Writer::new(&mut bytes, &header).unwrap();
    let hash = writer.placeholder(PayloadType::HASH, 20).unwrap();
    writer.nonce(&[1; 16]).unwrap();
    writer
        .identification(&Identity::Address([10, 0, 68, 0].into()), 0, 0)
        .unwrap();
    let covered = writer.octets_after(hash).to_vec();
    assert_eq!(
        covered,
        hex!("05000014 01010101010101010101010101010101 0000000c 01000000 0a004400")
    );
    assert!(writer.patch(hash, &[2; 19]).is_err());
    writer.patch(hash, &[2; 20]).unwrap();
    writer.pad_to(16).unwrap();
    let length = writer.finish().unwrap();
    assert!((length - 28).is_multiple_of(16));

    let message = bytes.strip_prefix(&[0; 4]).unwrap();
    let chain = PayloadChain::parse_at(
        PayloadType::HASH,
        message.get(28..).unwrap(),
        28,
        &Limits::default(),
    )
    .unwrap();
    let hash = chain.find(PayloadType::HASH).unwrap();
    assert_eq!(hash.body, [2; 20]);
    assert_eq!(chain.octets_after(&hash), covered);
    assert!(chain.padding().iter().all(|octet| *octet == 0));
}

#[test]
fn rfc3554_s3_id_list_holds_identities_but_no_list() {
    let list = hex!("0500000c 01840000 0a000001  0000000d 02000000 612e6c6162");
    let chain = [&hex!("00000021 0c000000")[..], &list].concat();
    let parse = |octets: &[u8]| {
        let chain =
            PayloadChain::parse(PayloadType::IDENTIFICATION, octets, &Limits::default()).unwrap();
        let payload = chain.last().unwrap();
        Identification::parse(&payload, &Limits::default()).map(|id| {
            let items = id.identity.list();
            items
                .map(|i| (i.identity.id_type(), i.protocol))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(
        parse(&chain).unwrap(),
        [(IdType::IPV4_ADDR, 132), (IdType::FQDN, 0)]
    );
    let nested = hex!("00000018 0c000000 00000010 0c000000 0000000800000000");
    assert!(parse(&nested).is_err());
    let short = hex!("0000000c 0c000000 00000003");
    assert!(parse(&short).is_err());
}

#[test]
fn gv7_dead_peer_detection_notifications() {
    assert_eq!(NotifyType::R_U_THERE.0, 0x8D28);
    assert_eq!(NotifyType::R_U_THERE_ACK.0, 0x8D29);
    let sequence = 0x1781_5542_u32;
    let cookies = [header().initiator_spi, header().responder_spi].concat();
    for spi in [&cookies[..], &[]] {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, &header()).unwrap();
        let (isakmp, ack) = (ProtocolId::ISAKMP, NotifyType::R_U_THERE_ACK);
        writer
            .notification(isakmp, spi, ack, &sequence.to_be_bytes())
            .unwrap();
        writer.finish().unwrap();
        let payload = parse(&bytes).payloads().last().unwrap();
        let View::Notification(n) = payload.view(Dialect::STANDARD, &Limits::default()).unwrap()
        else {
            panic!("no notification")
        };
        assert_eq!(
            (n.doi, n.protocol_id, n.spi),
            (Doi::IPSEC, ProtocolId(1), spi)
        );
        assert_eq!((n.notify_type, n.number()), (ack, Some(sequence)));
    }
}

#[test]
fn rfc2407_s4_6_3_1_responder_lifetime_carries_attributes() {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header()).unwrap();
    let life = Phase2 {
        life_seconds: Some(3600),
        life_kilobytes: Some(4_608_000),
        ..Phase2::default()
    };
    writer
        .notification_with(
            ProtocolId::ESP,
            &[1, 2, 3, 4],
            NotifyType::RESPONDER_LIFETIME,
            |data| data.phase2(&life),
        )
        .unwrap();
    writer.finish().unwrap();
    let payload = parse(&bytes).payloads().last().unwrap();
    let notification = Notification::parse(&payload).unwrap();
    assert_eq!(notification.spi_u32(), Some(0x0102_0304));
    let attributes = notification.attributes(&Limits::default()).unwrap();
    assert_eq!(Phase2::read(attributes).unwrap(), life);
}

#[test]
fn only_the_encrypted_flag_hides_payloads() {
    let mut bytes = Vec::new();
    let flags = crate::Flags::COMMIT | crate::Flags::AUTHENTICATION_ONLY;
    let mut writer = Writer::new(&mut bytes, &header().flags(flags)).unwrap();
    writer.nonce(&[1; 16]).unwrap();
    writer.finish().unwrap();
    let message = parse(&bytes);
    assert!(message.header.flags.contains(crate::Flags::COMMIT));
    assert_eq!((message.payloads().len(), message.encrypted()), (1, None));
    assert_eq!(
        std::format!("{}", message.header.flags),
        "Commit|Authentication Only"
    );
}

#[test]
fn every_sink_takes_the_same_octets() {
    fn write(sink: &mut dyn crate::Sink) -> usize {
        let mut writer = Writer::new(sink, &header()).unwrap();
        writer.key_exchange(&[3; 128]).unwrap();
        writer.nonce(&[4; 20]).unwrap();
        writer.finish().unwrap()
    }
    let (mut vec, mut bytes, mut buffer) = (Vec::new(), bytes::BytesMut::new(), [0; 300]);
    let length = write(&mut vec);
    assert_eq!((write(&mut bytes), length), (length, vec.len()));
    let mut slice = crate::SliceSink::new(&mut buffer);
    assert_eq!((write(&mut slice), slice.len()), (length, length));
    assert_eq!(
        (&bytes[..], crate::Sink::written(&slice)),
        (&vec[..], &vec[..])
    );
}

#[test]
fn rfc3947_s5_2_original_addresses_under_both_numbers() {
    let addresses = [[10, 0, 68, 5].into(), "2001:db8::5".parse().unwrap()];
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header()).unwrap();
    for (number, address) in [PayloadType::NAT_OA, PayloadType::NAT_OA_DRAFT]
        .iter()
        .zip(addresses)
    {
        writer.nat_oa(*number, address).unwrap();
    }
    writer.finish().unwrap();
    let view = |dialect| {
        let chain = parse(&bytes).payloads();
        chain
            .iter()
            .map(|p| p.view(dialect, &Limits::default()).unwrap())
            .collect::<Vec<_>>()
    };
    let [first, second] = addresses.map(|address| View::NatOa(NatOa { address }));
    assert_eq!(view(Dialect { nat_t_draft: true }), [first, second]);
    assert_eq!(view(Dialect::STANDARD), [first, View::Unknown]);
}

#[test]
fn rfc2409_s5_the_chosen_transform_keeps_its_attributes() {
    // An order of its own, a duration of 3 octets, a private class: returned as they came.
    let attributes = hex!("800b0001 000c0003 015180 c0010007 80040002 80010005");
    let mut offer = Vec::new();
    let mut writer = Writer::new(&mut offer, &header()).unwrap();
    writer
        .sa(Situation::IDENTITY_ONLY, |sa| {
            sa.proposal(7, ProtocolId::ISAKMP, &[9; 8], |p| {
                p.transform(1, IsakmpTransform::KEY_IKE, |_| Ok(()))?;
                p.transform(2, IsakmpTransform::KEY_IKE, |t| {
                    t.copy(crate::Attributes::parse(&attributes, 0, 16).unwrap())
                })
            })
        })
        .unwrap();
    writer.finish().unwrap();
    let sa =
        |bytes| Sa::parse(&parse(bytes).payloads().last().unwrap(), &Limits::default()).unwrap();
    let proposal = sa(&offer).proposals().next().unwrap();
    let transform = proposal.transforms().last().unwrap();

    let mut answer = Vec::new();
    let mut writer = Writer::new(&mut answer, &header()).unwrap();
    writer
        .sa(Situation::IDENTITY_ONLY, |out| {
            out.choose(&proposal, &[], &transform)
        })
        .unwrap();
    writer.finish().unwrap();
    let chosen = sa(&answer).proposals().next().unwrap();
    assert_eq!(
        (chosen.number, chosen.transform_count, chosen.spi),
        (7, 1, &[][..])
    );
    let chosen = chosen.transforms().next().unwrap();
    assert_eq!(
        (chosen.number, chosen.next_payload()),
        (2, PayloadType::NONE)
    );
    assert_eq!(chosen.attributes().octets(), attributes);
}
