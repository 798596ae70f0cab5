#![allow(
    clippy::arithmetic_side_effects,
    reason = "test arithmetic is on constants"
)]

use std::string::ToString as _;
use std::vec::Vec;

use hex_literal::hex;

use super::*;
use crate::{ErrorKind, ExchangeType, Flags, Header, Limits, ProtocolId};

const CBC: Protection = Protection {
    iv_len: 16,
    icv_len: 16,
    block_len: 16,
};
const GCM: Protection = Protection {
    iv_len: 8,
    icv_len: 16,
    block_len: 1,
};

fn header(exchange_type: ExchangeType) -> Header {
    Header::v2(exchange_type, [1; 8], [2; 8]).flags(Flags::INITIATOR)
}

fn build(fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header(ExchangeType::IKE_SA_INIT)).unwrap();
    fill(&mut writer);
    writer.finish().unwrap();
    bytes
}

fn parse(bytes: &[u8]) -> Message<'_> {
    Message::parse(bytes, &Limits::default()).unwrap()
}

fn views(bytes: &[u8]) -> Vec<View<'_>> {
    parse(bytes)
        .payloads()
        .iter()
        .map(|p| p.view(&Limits::default()).unwrap())
        .collect()
}

fn refused(payload_type: PayloadType, body: &[u8]) -> ErrorKind {
    let bytes = build(|w| {
        w.payload(payload_type, body).unwrap();
    });
    let message = parse(&bytes);
    let payload = message.payloads().iter().next().unwrap();
    payload.view(&Limits::default()).unwrap_err().kind
}

#[test]
fn rfc7296_s1_2_sa_init_round_trip() {
    let bytes = build(|w| {
        w.sa(|sa| {
            sa.proposal(1, ProtocolId::IKE, &[], |p| {
                p.encryption(EncryptionId::AES_GCM_16, Some(256))?;
                p.prf(PrfId::HMAC_SHA2_256)?;
                p.key_exchange(KeyExchangeMethod::CURVE25519)?;
                p.transform(TransformType::ADDITIONAL_KEY_EXCHANGE_1, 36_u16, None)
            })
        })
        .unwrap();
        w.key_exchange(KeyExchangeMethod::CURVE25519, &[3; 32])
            .unwrap();
        w.nonce(&[4; 32]).unwrap();
        w.notify(
            NotifyType::SIGNATURE_HASH_ALGORITHMS,
            &hex!("0002 0003 0004 0005"),
        )
        .unwrap();
        w.vendor_id(b"hello").unwrap();
    });
    let views = views(&bytes);
    let [
        View::Sa(sa),
        View::KeyExchange(ke),
        View::Nonce(nonce),
        View::Notify(notify),
        last,
    ] = views.as_slice()
    else {
        panic!("{views:?}")
    };
    let proposal = sa.proposals().next().unwrap();
    let encryption = proposal.of_type(TransformType::ENCRYPTION).next().unwrap();
    assert_eq!((encryption.key_length(), encryption.id), (Some(256), 20));
    let names: Vec<_> = proposal.transforms().filter_map(|t| t.id_name()).collect();
    assert_eq!(
        names,
        [
            "ENCR_AES_GCM_16",
            "PRF_HMAC_SHA2_256",
            "Curve25519",
            "ML-KEM-768"
        ]
    );
    assert_eq!(
        (ke.method, ke.data),
        (KeyExchangeMethod::CURVE25519, &[3; 32][..])
    );
    assert_eq!(*nonce, [4; 32]);
    assert_eq!(notify.u16_list().unwrap().collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert_eq!(*last, View::VendorId(b"hello"));

    // Answering with the chosen transforms gives the same proposal.
    let answer = build(|w| {
        w.sa(|out| out.choose(&proposal, &[], proposal.transforms()))
            .unwrap();
    });
    let [View::Sa(chosen)] = self::views(&answer)[..] else {
        panic!()
    };
    assert_eq!(chosen.body, sa.body);
}

#[test]
fn rfc7296_s3_14_encrypted_payload_is_padded_and_last() {
    for protection in [CBC, GCM] {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, &header(ExchangeType::IKE_AUTH)).unwrap();
        let sealed = writer
            .encrypted(&protection, |inside| {
                inside.id_initiator(&Identity::Fqdn(b"a.example"))?;
                inside.authentication(AuthMethod::SHARED_KEY, &[5; 32])?;
                Ok(())
            })
            .unwrap();
        assert!(writer.nonce(&[0; 16]).is_err(), "nothing may follow SK");
        let length = writer.finish().unwrap();
        assert_eq!(sealed.aad_len, 32);
        let text = length - 32 - protection.iv_len - protection.icv_len;
        assert!(text.is_multiple_of(protection.block_len));

        let protected = parse(&bytes).protected().unwrap();
        assert_eq!(
            (protected.first, protected.aad_len),
            (PayloadType::ID_INITIATOR, 32)
        );
        let plaintext = protected
            .data
            .get(protection.iv_len..)
            .unwrap()
            .get(..text)
            .unwrap();
        let inside = unpad(plaintext).unwrap();
        let chain = PayloadChain::parse(protected.first, inside, &Limits::default()).unwrap();
        assert_eq!(chain.len(), 2);
        assert_eq!(
            chain.last().unwrap().payload_type,
            PayloadType::AUTHENTICATION
        );
    }
}

#[test]
fn rfc7383_s2_5_fragments_name_their_payload_once_and_rejoin() {
    let mut inside = Vec::new();
    let mut writer = Writer::chain_only(&mut inside);
    writer
        .certificate(CertEncoding::X509_SIGNATURE, &[6; 1000])
        .unwrap();
    let first = writer.first();
    writer.finish().unwrap();

    let room = GCM.fragment_capacity(576);
    let chunks: Vec<_> = inside.chunks(room).collect();
    let total = u16::try_from(chunks.len()).unwrap();
    let mut joined = Vec::new();
    for (number, chunk) in (1..).zip(&chunks) {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, &header(ExchangeType::IKE_AUTH)).unwrap();
        let fragment = FragmentNumber { number, total };
        let sealed = writer
            .encrypted_fragment(&GCM, fragment, first, chunk)
            .unwrap();
        assert!(writer.finish().unwrap() <= 576);
        assert_eq!(sealed.aad_len, 36);
        let protected = parse(&bytes).protected().unwrap();
        assert_eq!(
            (protected.fragment, protected.aad_len),
            (Some(fragment), 36)
        );
        let named = if number == 1 {
            first
        } else {
            PayloadType::NONE
        };
        assert_eq!(protected.first, named);
        let text = protected.data.get(8..protected.data.len() - 16).unwrap();
        joined.extend_from_slice(unpad(text).unwrap());
    }
    assert_eq!(joined, inside);
}

#[test]
fn rfc7383_s2_6_fragment_5_of_1_is_refused() {
    for (number, total, next) in [
        (5_u16, 1_u16, 0),
        (0, 1, 0),
        (0, 0, 0),
        (1, 0, 0),
        (2, 2, 35),
    ] {
        let mut bytes = build(|w| {
            let body = [&number.to_be_bytes()[..], &total.to_be_bytes(), &[0; 40]].concat();
            w.payload(PayloadType::ENCRYPTED_FRAGMENT, &body).unwrap();
        });
        *bytes.get_mut(28).unwrap() = next;
        assert!(
            Message::parse(&bytes, &Limits::default()).is_err(),
            "{number} of {total}"
        );
    }
}

#[test]
fn rfc7296_s2_5_critical_bit_of_the_payload_itself_counts() {
    let unknown = PayloadType(200);
    let bytes = build(|w| {
        w.critical(PayloadType::NONCE, &[0; 16]).unwrap();
        w.payload(unknown, &[]).unwrap();
        w.critical(PayloadType::PUZZLE_SOLUTION, &[]).unwrap();
    });
    let chain = parse(&bytes).payloads();
    assert_eq!(
        chain.unsupported_critical(),
        Some(PayloadType::PUZZLE_SOLUTION)
    );
    // Neither the critical bit of a known payload nor an unknown payload without it counts, and
    // the other seven bits are ignored.
    let mut bytes = build(|w| {
        w.critical(PayloadType::NONCE, &[0; 16]).unwrap();
        w.payload(unknown, &[]).unwrap();
    });
    *bytes.get_mut(28 + 20 + 1).unwrap() = 0x7f;
    assert_eq!(parse(&bytes).payloads().unsupported_critical(), None);
}

#[test]
fn rfc7296_s3_13_traffic_selectors() {
    let selectors = [
        TrafficSelector {
            protocol: 0,
            ports: Ports::ANY,
            start: [192, 168, 100, 0].into(),
            end: [192, 168, 100, 255].into(),
        },
        TrafficSelector {
            protocol: 6,
            ports: Ports::Opaque,
            start: "2001:db8::".parse().unwrap(),
            end: "2001:db8::ffff".parse().unwrap(),
        },
    ];
    let bytes = build(|w| {
        w.ts_initiator(&selectors).unwrap();
        w.ts_responder(&selectors[..1]).unwrap();
    });
    let views = views(&bytes);
    let [View::TsInitiator(tsi), View::TsResponder(tsr)] = views[..] else {
        panic!("{views:?}")
    };
    assert_eq!(tsi.ranges().collect::<Vec<_>>(), selectors);
    assert_eq!((tsi.len(), tsr.len()), (2, 1));
    assert!(!tsi.is_empty() && !tsr.is_empty());
    assert_eq!(
        selectors[0].to_string(),
        "192.168.100.0/0 - 192.168.100.255/65535"
    );
}

#[test]
fn a9_bad_traffic_selectors_are_refused() {
    let ts = PayloadType::TS_INITIATOR;
    assert_eq!(refused(ts, &hex!("00000000")), ErrorKind::TooFew);
    let good = hex!("01000000 07000010 0000ffff 0a000000 0a0000ff");
    assert!(
        TrafficSelectors::parse(
            &PayloadChain::parse(
                ts,
                &[&hex!("00000018")[..], &good].concat(),
                &Limits::default()
            )
            .unwrap()
            .last()
            .unwrap(),
            &Limits::default()
        )
        .is_ok()
    );
    let backwards = hex!("01000000 07000010 0000ffff 0a0000ff 0a000000");
    assert_eq!(refused(ts, &backwards), ErrorKind::InvalidValue);
    let ports = hex!("01000000 07000010 00020001 0a000000 0a0000ff");
    assert_eq!(refused(ts, &ports), ErrorKind::InvalidValue);
    let more = hex!("02000000 07000010 0000ffff 0a000000 0a0000ff");
    assert_eq!(refused(ts, &more), ErrorKind::Truncated);
    let fewer = [&good[..], &good[4..]].concat();
    assert_eq!(refused(ts, &fewer), ErrorKind::TrailingBytes);
    let short = hex!("01000000 07000003");
    assert_eq!(refused(ts, &short), ErrorKind::LengthTooSmall);
    let long = hex!("01000000 07000014 0000ffff 0a000000 0a0000ff 00000000");
    assert_eq!(refused(ts, &long), ErrorKind::TrailingBytes);
    // The count is one octet; the octets bound it.
    assert_eq!(refused(ts, &hex!("ff000000")), ErrorKind::Truncated);
}

#[test]
fn a10_nonce_of_16_to_256_octets() {
    assert_eq!(
        refused(PayloadType::NONCE, &[0; 15]),
        ErrorKind::LengthTooSmall
    );
    assert_eq!(
        refused(PayloadType::NONCE, &[0; 257]),
        ErrorKind::LengthTooLarge
    );
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &header(ExchangeType::IKE_SA_INIT)).unwrap();
    assert!(writer.nonce(&[0; 15]).is_err() && writer.nonce(&[0; 257]).is_err());
}

#[test]
fn a8_delete_of_odd_protocols_and_sizes_is_refused() {
    let delete = PayloadType::DELETE;
    assert_eq!(refused(delete, &hex!("00000000")), ErrorKind::InvalidValue);
    assert_eq!(
        refused(delete, &hex!("01000001")),
        ErrorKind::LengthMismatch
    );
    assert_eq!(
        refused(delete, &hex!("01080001 0000000000000000")),
        ErrorKind::LengthMismatch
    );
    // RFC 7296 §3.11: an SPI of AH and ESP has 4 octets, one of the IKE SA none.
    for size in [
        &hex!("03080001 0000000000000001")[..],
        &hex!("02080001 0000000000000001"),
        &hex!("03000001"),
        &hex!("02020002 00010002"),
        &hex!("01040000"),
    ] {
        assert_eq!(refused(delete, size), ErrorKind::LengthMismatch, "{size:?}");
    }
    assert_eq!(
        refused(delete, &hex!("03040002 00000001")),
        ErrorKind::Truncated
    );
    assert_eq!(
        refused(delete, &hex!("03040001 00000001 00")),
        ErrorKind::TrailingBytes
    );
    assert_eq!(refused(delete, &hex!("0304ffff")), ErrorKind::TooMany);
    let bytes = build(|w| {
        w.delete(ProtocolId::ESP, &[7, 8]).unwrap();
        w.delete_ike().unwrap();
    });
    let [View::Delete(children), View::Delete(ike)] = views(&bytes)[..] else {
        panic!()
    };
    assert_eq!(children.spis().collect::<Vec<_>>(), [7, 8]);
    assert_eq!((ike.protocol_id, ike.spis().len()), (ProtocolId::IKE, 0));
}

#[test]
fn rfc7427_s3_signature_names_its_algorithm() {
    let bytes = build(|w| {
        w.digital_signature(&[0x30, 0], &[9; 64]).unwrap();
    });
    let [View::Authentication(auth)] = views(&bytes)[..] else {
        panic!()
    };
    assert_eq!(
        auth.digital_signature(),
        Some((&[0x30, 0][..], &[9; 64][..]))
    );
    for body in [
        &hex!("0e000000 00 01")[..],
        &hex!("0e000000 05 01"),
        &hex!("0e000000 01 01"),
    ] {
        assert_eq!(
            refused(PayloadType::AUTHENTICATION, body),
            ErrorKind::LengthMismatch
        );
    }
}

#[test]
fn rfc7296_s3_15_configuration_values() {
    let bytes = build(|w| {
        w.configuration(ConfigType::REPLY, |c| {
            c.address(ConfigAttribute::INTERNAL_IP4_ADDRESS, [10, 0, 0, 1].into())?;
            c.attribute(
                ConfigAttribute::INTERNAL_IP4_SUBNET,
                &hex!("0a000000 ff000000"),
            )?;
            c.attribute(ConfigAttribute::INTERNAL_DNS_DOMAIN, b"example.com")?;
            c.attribute(
                ConfigAttribute::INTERNAL_IP6_ADDRESS,
                &[&[0; 16][..], &[129]].concat(),
            )?;
            c.attribute(ConfigAttribute::SUPPORTED_ATTRIBUTES, &[])
        })
        .unwrap();
    });
    let [View::Configuration(config)] = views(&bytes)[..] else {
        panic!()
    };
    let find = |attribute| config.find(attribute).unwrap();
    assert_eq!(
        find(ConfigAttribute::INTERNAL_IP4_ADDRESS).ipv4(),
        Some([10, 0, 0, 1].into())
    );
    let subnet = find(ConfigAttribute::INTERNAL_IP4_SUBNET).ipv4_subnet();
    assert_eq!(subnet, Some(([10, 0, 0, 0].into(), [255, 0, 0, 0].into())));
    assert_eq!(
        find(ConfigAttribute::INTERNAL_DNS_DOMAIN).as_str(),
        Some("example.com")
    );
    assert_eq!(
        find(ConfigAttribute::INTERNAL_IP6_ADDRESS).ipv6_prefix(),
        None
    );
    assert_eq!(config.iter().count(), 5);
    assert_eq!(
        refused(PayloadType::CONFIGURATION, &hex!("01000000 00010004 00")),
        ErrorKind::Truncated
    );
}

#[test]
fn rfc7296_s3_16_eap_header() {
    let eap = PayloadType::EAP;
    assert_eq!(
        refused(eap, &hex!("01010006 01")),
        ErrorKind::LengthMismatch
    );
    assert_eq!(refused(eap, &hex!("05010004")), ErrorKind::InvalidValue);
    assert_eq!(refused(eap, &hex!("03010005 00")), ErrorKind::TrailingBytes);
    assert_eq!(refused(eap, &hex!("01010004")), ErrorKind::Truncated);
    let bytes = build(|w| {
        w.eap(&hex!("02070009 01 61626364")).unwrap();
    });
    let [View::Eap(eap)] = views(&bytes)[..] else {
        panic!()
    };
    assert_eq!(
        (eap.code, eap.identifier, eap.eap_type),
        (EapCode::Response, 7, Some(1))
    );
    assert_eq!(eap.data, b"abcd");
}

#[test]
fn notification_data_of_the_extensions_round_trips() {
    let name = Gateway::Fqdn(b"gw.example");
    let address = Gateway::Address("2001:db8::1".parse().unwrap());
    let sync = MessageIdSync {
        nonce: [1; 4],
        expected_send: 7,
        expected_receive: 9,
    };
    let bytes = build(|w| {
        w.redirect(NotifyType::REDIRECT, &name, &[5; 32]).unwrap();
        w.redirect(NotifyType::REDIRECTED_FROM, &address, &[])
            .unwrap();
        w.message_id_sync(&sync).unwrap();
        w.signature_hash_algorithms(&[HashAlgorithm::SHA2_256, HashAlgorithm::IDENTITY])
            .unwrap();
        w.notify(NotifyType::ADDITIONAL_IP4_ADDRESS, &[192, 0, 2, 1])
            .unwrap();
        w.notify(NotifyType::PPK_IDENTITY, b"\x02ppk").unwrap();
        w.notify(NotifyType::IPCOMP_SUPPORTED, &hex!("1234 02"))
            .unwrap();
        w.notify(
            NotifyType::IPSEC_REPLAY_COUNTER_SYNC,
            &hex!("0000000100000000"),
        )
        .unwrap();
    });
    let notifies: Vec<_> = parse(&bytes)
        .payloads()
        .iter()
        .map(|payload| Notify::parse(&payload).unwrap())
        .collect();
    assert_eq!(notifies[0].redirect(), Some((name, &[5; 32][..])));
    assert_eq!(notifies[1].redirect(), Some((address, &[][..])));
    assert_eq!(notifies[2].message_id_sync(), Some(sync));
    assert_eq!(notifies[3].u16_list().unwrap().collect::<Vec<_>>(), [2, 5]);
    assert_eq!(notifies[4].address(), Some([192, 0, 2, 1].into()));
    assert_eq!(
        notifies[5].ppk_identity(),
        Some((PpkIdType::FIXED, &b"ppk"[..]))
    );
    assert_eq!(
        notifies[6].ipcomp(),
        Some((0x1234, IpcompTransform::DEFLATE, &[][..]))
    );
    assert_eq!(notifies[7].replay_counter_delta(), Some(1 << 32));
}

#[test]
fn rfc5685_s9_2_redirect_that_does_not_fit_is_none() {
    for data in [
        &hex!("01")[..],
        &hex!("01 05 0a000001 00"),
        &hex!("01 04 0a0000"),
        &hex!("02 04 0a000001"),
        &hex!("03 00"),
        &hex!("03 02 6100"),
        &hex!("04 01 61"),
        &hex!("01 04 0a000001 ff"),
    ] {
        let bytes = build(|w| {
            w.notify(NotifyType::REDIRECT, data).unwrap();
        });
        let payload = parse(&bytes).payloads().last().unwrap();
        assert_eq!(
            Notify::parse(&payload).unwrap().redirect(),
            None,
            "{data:02x?}"
        );
    }
}

/// RFC 7296 §3.3.6: a transform with an attribute that is not understood is not chosen.
#[test]
fn rfc7296_s3_3_6_a_transform_has_at_most_one_key_length_of_the_fixed_form() {
    for (attributes, unknown) in [
        (&hex!("")[..], false),
        (&hex!("800e0100"), false),
        (&hex!("800e0100 800e0100"), true),
        (&hex!("800e0080 800e0100"), true),
        (&hex!("000e0002 0100"), true),
        (&hex!("800f0100"), true),
        (&hex!("800e0100 800f0001"), true),
        (&hex!("800f0001 800e0100"), true),
    ] {
        let length = |n: usize| u16::try_from(n + attributes.len()).unwrap().to_be_bytes();
        let [a, b] = length(20);
        let [c, d] = length(16);
        let [e, f] = length(8);
        let octets = [
            &[0, 0, a, b, 0, 0, c, d, 1, 1, 0, 1, 0, 0, e, f, 1, 0, 0, 12][..],
            attributes,
        ]
        .concat();
        let chain = PayloadChain::parse(PayloadType::SA, &octets, &Limits::default()).unwrap();
        let payload = chain.last().unwrap();
        let Ok(View::Sa(sa)) = payload.view(&Limits::default()) else {
            panic!("{attributes:?}")
        };
        let proposal = sa.proposals().next().unwrap();
        let transform = proposal.transforms().next().unwrap();
        assert_eq!(
            transform.has_unknown_attribute(),
            unknown,
            "{attributes:02x?}"
        );
    }
}

#[test]
fn rfc7296_s3_1_flags_tell_who_sent_a_message() {
    for (flags, response, initiator) in [
        (Flags::NONE, false, false),
        (Flags::RESPONSE, true, false),
        (Flags::INITIATOR, false, true),
        (Flags::RESPONSE | Flags::INITIATOR, true, true),
    ] {
        let header = Header::v2(ExchangeType::IKE_SA_INIT, [1; 8], [2; 8]).flags(flags);
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, &header).unwrap();
        writer.payload(PayloadType::NONCE, &[7; 16]).unwrap();
        writer.finish().unwrap();
        let message = parse(&bytes);
        assert_eq!(message.is_response(), response);
        assert_eq!(message.is_from_initiator(), initiator);
    }
}

#[test]
fn rfc7296_s3_10_numbers_in_notifications_have_their_size() {
    let read = |data: &[u8]| {
        let bytes = build(|w| {
            w.notify(NotifyType::SET_WINDOW_SIZE, data).unwrap();
        });
        match &views(&bytes)[..] {
            [View::Notify(notify)] => (notify.u16(), notify.u32()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(&[1, 2]), (Some(0x0102), None));
    assert_eq!(read(&[1, 2, 3, 4]), (None, Some(0x0102_0304)));
    assert_eq!(read(&[]), (None, None));
    assert_eq!(read(&[1, 2, 3]), (None, None));
}

#[test]
fn rfc7383_s2_5_fragments_outside_their_total_are_not_written() {
    for (number, total) in [(0, 2), (0, 0), (3, 2)] {
        build(|w| {
            let fragment = FragmentNumber { number, total };
            let written = w.encrypted_fragment(&GCM, fragment, PayloadType::NONCE, &[0; 8]);
            let length = usize::from(number);
            let what = "Fragment Number";
            assert_eq!(
                written.err(),
                Some(crate::BuildError::BadLength { what, length })
            );
        });
    }
}
