#![cfg_attr(not(feature = "render"), allow(unused_imports))]

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::{
    AeadId, CipherId, DEFAULT, GroupId, IntegrityId, PrfId, ProtectionId, WeakAlgorithm,
    WeakAlgorithms,
};
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::registry::v2::{
    EncryptionId, KeyExchangeMethod as Ke, SequenceNumbers, TransformType,
};
use isakmp_wire::v2::{Message, PayloadType, Sa, Writer};
use isakmp_wire::{ExchangeType, Flags, Header, Limits};
use proptest::prelude::*;

use super::*;
use crate::config::v2::{AdditionalKeyExchange, Encryption, IkeProposal};
use crate::config::{ChildConfig, Pfs};
use crate::event::{Record, What};
use crate::model::{ChildSuite, Selector};

const INIT: Terms<'_> = Terms {
    subject: "IKE SA",
    spi: SpiRule::InHeader,
    key_exchange: None,
    additional: true,
};

const CHILD: Terms<'_> = Terms {
    subject: "lan",
    spi: SpiRule::Child,
    ..INIT
};

fn cbc(groups: &[GroupId]) -> IkeProposal {
    IkeProposal {
        encryption: alloc::vec![Encryption::Cbc(CipherId::Aes256Cbc)],
        integrity: alloc::vec![IntegrityId::HmacSha256_128],
        prf: alloc::vec![PrfId::HmacSha256],
        groups: groups.into(),
        additional: Vec::new(),
    }
}

fn offer(p: IkeProposal) -> Vec<Proposal> {
    ike_offer(&[p], &[])
}

/// Through the wire and back.
fn wire(proposals: &[Proposal]) -> Vec<Proposal> {
    let mut octets = Vec::new();
    let header = Header::v2(ExchangeType::IKE_SA_INIT, [1; 8], [0; 8]).flags(Flags::INITIATOR);
    let mut writer = Writer::new(&mut octets, &header).unwrap();
    writer.sa(|sa| write_sa(proposals, sa)).unwrap();
    writer.finish().unwrap();
    let message = Message::parse(&octets, &Limits::DEFAULT).unwrap();
    let payload = message.payloads().find(PayloadType::SA).unwrap();
    read_sa(&Sa::parse(&payload, &Limits::DEFAULT).unwrap())
}

fn child(suites: &[ChildSuite], pfs: Pfs, esn: bool) -> ChildConfig {
    let net = |a: &str| Selector::subnet(a.parse().unwrap(), 24).unwrap();
    ChildConfig {
        suites: suites.into(),
        pfs,
        esn,
        ..ChildConfig::new("lan", net("10.1.0.0"), net("10.2.0.0"))
    }
}

const GCM: ChildSuite = ChildSuite::Esp(ProtectionId::Aead(AeadId::Aes128Gcm16));
const CBC: ChildSuite = ChildSuite::Esp(ProtectionId::CbcHmac(
    CipherId::Aes256Cbc,
    IntegrityId::HmacSha256_128,
));

#[test]
fn the_defaults_of_both_sides_meet_and_the_answer_is_accepted() {
    let sent = ike_offer(&IkeProposal::defaults(), &[]);
    let received = wire(&sent);
    assert_eq!(sent, received);
    let terms = Terms {
        key_exchange: Some(GroupId::X25519),
        ..INIT
    };
    let choice = choose(&sent, &received, &terms, None).unwrap();
    let suite = choice.ike_suite().unwrap();
    assert_eq!(suite.protection, ProtectionId::Aead(AeadId::Aes256Gcm16));
    assert_eq!(
        (suite.prf, suite.group),
        (PrfId::HmacSha256, GroupId::X25519)
    );
    assert_eq!(suite.additional, [None; 7]);
    let answer = wire(&[choice.answer(&[])]);
    assert_eq!(answer[0].transforms.len(), 3);
    let agreed = check_answer(&sent, &answer, &terms, None).unwrap();
    assert_eq!(agreed.ike_suite(), Some(suite));
}

#[test]
fn rfc7296_s3_3_6_one_whole_proposal_is_chosen() {
    // AES with group 14 here, 3DES with P-256 there: each half fits, no whole does.
    let ours = offer(cbc(&[GroupId::Modp2048]));
    let mut other = cbc(&[GroupId::Modp2048]);
    other.encryption = alloc::vec![Encryption::Cbc(CipherId::TripleDesCbc)];
    let theirs = ike_offer(&[other, cbc(&[GroupId::Ecp256])], &[]);
    assert_eq!(choose(&ours, &wire(&theirs), &INIT, None), None);
    let theirs = ike_offer(&[cbc(&[GroupId::Ecp256]), cbc(&[GroupId::Modp2048])], &[]);
    let choice = choose(&ours, &wire(&theirs), &INIT, None).unwrap();
    assert_eq!(choice.number, 2);
}

#[test]
fn rfc7296_s3_3_6_an_unknown_type_spoils_its_proposal_only() {
    let ours = offer(cbc(&[GroupId::Modp2048]));
    let mut theirs = ike_offer(&[cbc(&[GroupId::Modp2048]), cbc(&[GroupId::Modp2048])], &[]);
    let unknown = TransformType(99);
    theirs[0]
        .transforms
        .push(Transform::new(unknown, 1u16, None));
    let mut faults = Vec::new();
    let mut report = |r: ProposalRecord| {
        faults.push(r.fault);
    };
    let choice = choose(&ours, &wire(&theirs), &INIT, Some(&mut report)).unwrap();
    assert_eq!(choice.number, 2);
    let fault = ProposalFault::UnexpectedType(unknown);
    assert_eq!(faults, [Some(fault), None]);
}

#[test]
fn rfc7296_s3_3_6_an_unknown_attribute_spoils_its_transform_only() {
    let ours = offer(cbc(&[GroupId::Modp2048]));
    let mut theirs = ours.clone();
    theirs[0].transforms[0].understood = false;
    let none = choose(&ours, &theirs, &INIT, None);
    assert_eq!(none, None);
    let good = ours[0].transforms[0];
    theirs[0].transforms.push(good);
    assert!(choose(&ours, &theirs, &INIT, None).is_some());
}

#[test]
fn rfc7296_s3_3_6_a_missing_mandatory_type_is_named() {
    let ours = offer(cbc(&[GroupId::Modp2048]));
    for kind in [
        TransformType::ENCRYPTION,
        TransformType::PRF,
        TransformType::INTEGRITY,
        TransformType::KEY_EXCHANGE,
    ] {
        let mut theirs = ours.clone();
        theirs[0].transforms.retain(|t| t.kind != kind);
        let mut fault = None;
        let mut report = |r: ProposalRecord| {
            fault = r.fault;
        };
        assert_eq!(choose(&ours, &theirs, &INIT, Some(&mut report)), None);
        let expected = match kind {
            // They have a NONE, which is not acceptable here.
            TransformType::INTEGRITY | TransformType::KEY_EXCHANGE => ProposalFault::NoCommon(kind),
            _ => ProposalFault::Missing(kind),
        };
        assert_eq!(fault, Some(expected));
    }
}

#[test]
fn rfc5282_s8_an_aead_goes_with_no_integrity_or_with_none_by_name() {
    let ours = offer(IkeProposal::aead());
    let mut theirs = ours.clone();
    let named = Transform::none(TransformType::INTEGRITY).unwrap();
    theirs[0].transforms.push(named);
    let choice = choose(&ours, &wire(&theirs), &INIT, None).unwrap();
    // Named in the offer, named in the answer.
    assert!(choice.transforms.contains(&named));
    assert!(matches!(
        choice.ike_suite().unwrap().protection,
        ProtectionId::Aead(_)
    ));
    theirs[0].transforms.pop();
    let mac = Transform::new(TransformType::INTEGRITY, 12u16, None);
    theirs[0].transforms.push(mac);
    assert_eq!(choose(&ours, &wire(&theirs), &INIT, None), None);
}

#[test]
fn the_method_of_the_ke_payload_spares_a_round_trip() {
    let ours = offer(cbc(&[GroupId::X25519, GroupId::Modp2048]));
    let theirs = offer(cbc(&[GroupId::Modp2048, GroupId::X25519]));
    let with = |key_exchange| {
        let terms = Terms {
            key_exchange,
            ..INIT
        };
        let choice = choose(&ours, &theirs, &terms, None).unwrap();
        choice.ike_suite().unwrap().group
    };
    assert_eq!(with(Some(GroupId::Modp2048)), GroupId::Modp2048);
    // One that we do not accept: our own favourite, for INVALID_KE_PAYLOAD to name.
    assert_eq!(with(Some(GroupId::Ecp521)), GroupId::X25519);
}

#[test]
fn c3_an_answer_with_another_group_than_the_ke_payload_is_refused() {
    let ours = offer(cbc(&[GroupId::X25519, GroupId::Modp2048]));
    let theirs = offer(cbc(&[GroupId::X25519]));
    let sent = Terms {
        key_exchange: Some(GroupId::Modp2048),
        ..INIT
    };
    let refused = check_answer(&ours, &theirs, &sent, None);
    assert_eq!(refused, Err(ProposalFault::KeyExchange));
}

#[test]
fn rfc7296_s3_3_6_an_initiator_takes_exactly_what_it_offered() {
    let ours = ike_offer(&[cbc(&[GroupId::X25519]), cbc(&[GroupId::Modp2048])], &[]);
    let terms = Terms {
        key_exchange: Some(GroupId::X25519),
        ..INIT
    };
    let check = |answer: &[Proposal]| check_answer(&ours, answer, &terms, None);
    let good = ours[0].clone();
    assert!(check(core::slice::from_ref(&good)).is_ok());
    assert_eq!(check(&[]), Err(ProposalFault::Number));
    assert_eq!(check(&ours), Err(ProposalFault::Number));
    let changed = |f: &dyn Fn(&mut Proposal)| {
        let mut p = good.clone();
        f(&mut p);
        check(&[p]).unwrap_err()
    };
    assert_eq!(changed(&|p| p.number = 3), ProposalFault::Number);
    assert_eq!(
        changed(&|p| p.protocol = ProtocolId::ESP),
        ProposalFault::Protocol(ProtocolId::ESP)
    );
    let encr = TransformType::ENCRYPTION;
    assert_eq!(
        changed(&|p| p.transforms[0].key_length = Some(128)),
        ProposalFault::NotOffered(encr)
    );
    assert_eq!(
        changed(&|p| p.transforms[0].understood = false),
        ProposalFault::NotOffered(encr)
    );
    assert_eq!(
        changed(&|p| p.transforms.retain(|t| t.kind != encr)),
        ProposalFault::Missing(encr)
    );
    assert_eq!(
        changed(&|p| p.transforms.push(good.transforms[0])),
        ProposalFault::Several(encr)
    );
    let prf = TransformType::PRF;
    assert_eq!(
        changed(&|p| p.transforms.retain(|t| t.kind != prf)),
        ProposalFault::Missing(prf)
    );
    let esn = TransformType::SEQUENCE_NUMBERS;
    assert_eq!(
        changed(&|p| p.transforms.push(Transform::new(esn, 0u16, None))),
        ProposalFault::NotOffered(esn)
    );
    // Group NONE takes the whole key exchange away.
    let ke = TransformType::KEY_EXCHANGE;
    assert_eq!(
        changed(&|p| {
            p.transforms.retain(|t| t.kind != ke);
            p.transforms.push(Transform::none(ke).unwrap());
        }),
        ProposalFault::NotOffered(ke)
    );
}

#[test]
fn the_spi_of_a_proposal_is_that_of_its_protocol() {
    let policy = child_policy(
        &child(&[GCM], Pfs::Off, false),
        ChildKeyExchange::Never,
        &DEFAULT,
        WeakAlgorithms::NONE,
    );
    let offer = |spi: &[u8]| {
        let mut p = child_offer(
            &child(&[GCM], Pfs::Off, false),
            0x1234_5678,
            ChildKeyExchange::Never,
        );
        p[0].spi = spi.into();
        p
    };
    let ok = |p: &[Proposal]| choose(&policy, p, &CHILD, None).is_some();
    assert!(ok(&offer(&[0, 0, 1, 0])));
    for bad in [&[][..], &[0; 4], &[0, 0, 0, 255], &[1; 3], &[1; 8]] {
        assert!(!ok(&offer(bad)), "{bad:?}");
    }
    let ike = offer_of(&[7; 8]);
    let terms = Terms {
        spi: SpiRule::Ike,
        ..INIT
    };
    assert!(choose(&ike, &ike, &terms, None).is_some());
    for bad in [&[][..], &[0; 8], &[1; 4]] {
        let theirs = offer_of(bad);
        assert_eq!(choose(&ike, &theirs, &terms, None), None);
    }
}

fn offer_of(spi: &[u8]) -> Vec<Proposal> {
    ike_offer(&[cbc(&[GroupId::X25519])], spi)
}

#[test]
fn children_of_every_kind_round_trip() {
    let ah = ChildSuite::Ah(IntegrityId::HmacSha256_128);
    let null = ChildSuite::Esp(ProtectionId::NullHmac(IntegrityId::HmacSha1_96));
    for suite in [GCM, CBC, ah, null] {
        for esn in [false, true] {
            for pfs in [Pfs::Off, Pfs::Required(GroupId::Ecp256)] {
                let config = child(&[suite], pfs, esn);
                let sent = child_offer(&config, 0xabcd_ef01, ChildKeyExchange::AsConfigured);
                let policy = child_policy(
                    &config,
                    ChildKeyExchange::AsConfigured,
                    &DEFAULT,
                    WeakAlgorithms::NONE,
                );
                let group = match pfs {
                    Pfs::Required(group) => Some(group),
                    _ => None,
                };
                let terms = Terms {
                    key_exchange: group,
                    ..CHILD
                };
                let choice = choose(&policy, &wire(&sent), &terms, None).unwrap();
                let agreed = choice.child().unwrap();
                assert_eq!((agreed.suite, agreed.group), (suite, group));
                assert_eq!((agreed.esn, agreed.peer_spi), (esn, 0xabcd_ef01));
                let answer = wire(&[choice.answer(&[0, 0, 9, 9])]);
                let back = check_answer(&sent, &answer, &terms, None).unwrap();
                assert_eq!(back.child().unwrap().peer_spi, 0x0909);
            }
        }
    }
}

#[test]
fn neighbouring_aeads_share_a_proposal_and_pairs_keep_their_own() {
    let sha1 = ChildSuite::Esp(ProtectionId::CbcHmac(
        CipherId::Aes128Cbc,
        IntegrityId::HmacSha1_96,
    ));
    let chacha = ChildSuite::Esp(ProtectionId::Aead(AeadId::ChaCha20Poly1305));
    let config = child(&[GCM, chacha, CBC, sha1], Pfs::Off, false);
    let sent = child_offer(&config, 300, ChildKeyExchange::Never);
    let shape: Vec<(u8, usize)> = sent
        .iter()
        .map(|p| (p.number, p.of_type(TransformType::ENCRYPTION).count()))
        .collect();
    assert_eq!(shape, [(1, 2), (2, 1), (3, 1)]);
}

#[test]
fn rfc7296_s1_2_the_first_child_has_no_key_exchange() {
    let config = child(&[GCM], Pfs::Required(GroupId::X25519), false);
    let sent = child_offer(&config, 300, ChildKeyExchange::Never);
    assert_eq!(sent[0].of_type(TransformType::KEY_EXCHANGE).count(), 0);
    let policy = child_policy(
        &config,
        ChildKeyExchange::Never,
        &DEFAULT,
        WeakAlgorithms::NONE,
    );
    let choice = choose(&policy, &sent, &CHILD, None).unwrap();
    assert_eq!(choice.child().unwrap().group, None);
}

#[test]
fn pfs_as_the_peer_likes_follows_the_ke_payload() {
    let config = child(&[GCM], Pfs::AcceptIfOffered, false);
    let policy = child_policy(
        &config,
        ChildKeyExchange::AsConfigured,
        &DEFAULT,
        WeakAlgorithms::NONE,
    );
    let mut theirs = child_offer(
        &child(&[GCM], Pfs::Required(GroupId::Ecp384), false),
        300,
        ChildKeyExchange::AsConfigured,
    );
    let none = Transform::none(TransformType::KEY_EXCHANGE).unwrap();
    theirs[0].transforms.push(none);
    let with = |key_exchange, theirs: &[Proposal]| {
        let terms = Terms {
            key_exchange,
            ..CHILD
        };
        let choice = choose(&policy, theirs, &terms, None)?;
        Some(choice.child().unwrap().group)
    };
    assert_eq!(with(None, &theirs), Some(None));
    let group = Some(GroupId::Ecp384);
    assert_eq!(with(group, &theirs), Some(group));
    // A weak group that nobody named is no common ground.
    let weak = child_offer(
        &child(&[GCM], Pfs::Required(GroupId::Modp1024), false),
        300,
        ChildKeyExchange::AsConfigured,
    );
    assert_eq!(with(Some(GroupId::Modp1024), &weak), None);
}

#[test]
fn extended_sequence_numbers_need_both() {
    let policy = |esn| {
        child_policy(
            &child(&[GCM], Pfs::Off, esn),
            ChildKeyExchange::Never,
            &DEFAULT,
            WeakAlgorithms::NONE,
        )
    };
    let sent = |esn| child_offer(&child(&[GCM], Pfs::Off, esn), 300, ChildKeyExchange::Never);
    for (ours, theirs) in [(false, false), (false, true), (true, false), (true, true)] {
        let choice = choose(&policy(ours), &sent(theirs), &CHILD, None).unwrap();
        assert_eq!(choice.child().unwrap().esn, ours && theirs);
    }
    // Only ESN, where we have it off.
    let mut only = sent(true);
    let no = SequenceNumbers::NO_ESN.0;
    let esn = TransformType::SEQUENCE_NUMBERS;
    only[0].transforms.retain(|t| t.kind != esn || t.id != no);
    assert_eq!(choose(&policy(false), &only, &CHILD, None), None);
}

fn additional(slots: &[(&[GroupId], bool)]) -> IkeProposal {
    let mut p = cbc(&[GroupId::X25519]);
    p.additional = slots
        .iter()
        .map(|(methods, optional)| AdditionalKeyExchange {
            methods: (*methods).into(),
            optional: *optional,
        })
        .collect();
    p
}

use GroupId::{MlKem512 as K5, MlKem768 as K7, MlKem1024 as K10};

#[test]
fn rfc9370_s2_2_1_methods_do_not_repeat() {
    // The RFC's example: two mandatory exchanges with the same two methods, and an optional one.
    let theirs = offer(additional(&[
        (&[K7, K10], false),
        (&[K7, K10], false),
        (&[K5], true),
    ]));
    let ours = offer(additional(&[(&[K10, K7], false), (&[K10, K7], false)]));
    let choice = choose(&ours, &wire(&theirs), &INIT, None).unwrap();
    let suite = choice.ike_suite().unwrap();
    assert_eq!(suite.additional[..3], [Some(K10), Some(K7), None]);
    // Type 8 was offered and is answered, with NONE.
    let third = choice.transforms.iter().find(|t| t.kind.0 == 8).unwrap();
    assert!(third.is_none());
    let terms = Terms {
        key_exchange: Some(GroupId::X25519),
        ..INIT
    };
    let answer = wire(&[choice.answer(&[])]);
    let agreed = check_answer(&theirs, &answer, &terms, None).unwrap();
    assert_eq!(agreed.ike_suite(), Some(suite));

    // The first choice of the first exchange gives way.
    let theirs = offer(additional(&[(&[K7, K10], false), (&[K7], false)]));
    let choice = choose(&theirs, &theirs, &INIT, None).unwrap();
    let suite = choice.ike_suite().unwrap();
    assert_eq!(suite.additional[..2], [Some(K10), Some(K7)]);

    // Nothing gives way: refused, and so is an answer that repeats.
    let theirs = offer(additional(&[(&[K7], false), (&[K7], false)]));
    let mut fault = None;
    let mut report = |r: ProposalRecord| {
        fault = r.fault;
    };
    assert_eq!(choose(&theirs, &theirs, &INIT, Some(&mut report)), None);
    let repeated = ProposalFault::RepeatedMethod(TransformType(7));
    assert_eq!(fault, Some(repeated));
    let offered = offer(additional(&[(&[K7, K10], false), (&[K7, K10], false)]));
    assert_eq!(check_answer(&offered, &theirs, &terms, None), Err(repeated));
}

#[test]
fn rfc9370_s2_2_1_without_ike_intermediate_the_types_are_unknown() {
    let with = additional(&[(&[K7], true)]);
    let theirs = ike_offer(&[with.clone(), cbc(&[GroupId::X25519])], &[]);
    let ours = ike_offer(&[with], &[]);
    let terms = Terms {
        additional: false,
        ..INIT
    };
    let choice = choose(&ours, &theirs, &terms, None).unwrap();
    assert_eq!(choice.number, 2);
    assert_eq!(choice.ike_suite().unwrap().additional, [None; 7]);
    assert_eq!(choose(&ours, &theirs[..1], &terms, None), None);
}

#[test]
fn c14_a_mandatory_additional_key_exchange_is_not_left_out() {
    let ours = offer(additional(&[(&[K7], false)]));
    let theirs = offer(additional(&[]));
    assert_eq!(choose(&ours, &theirs, &INIT, None), None);
    assert_eq!(choose(&theirs, &ours, &INIT, None), None);
    let optional = offer(additional(&[(&[K7], true)]));
    assert!(choose(&optional, &theirs, &INIT, None).is_some());
    assert!(choose(&theirs, &optional, &INIT, None).is_some());
}

/// A4, B1: many slots with many methods and no solution are decided at once.
#[test]
fn a4_a_crowd_of_additional_key_exchanges_costs_little() {
    let all: Vec<GroupId> = GroupId::ALL.to_vec();
    let mut slots: Vec<(&[GroupId], bool)> = alloc::vec![(&all[..], false); 5];
    slots.push((&all[..1], false));
    slots.push((&all[..1], false));
    let p = offer(additional(&slots));
    assert_eq!(choose(&p, &p, &INIT, None), None);
}

fn would(ours: &[Proposal], theirs: &[Proposal]) -> WhatWouldMatch {
    assert_eq!(choose(ours, theirs, &INIT, None), None);
    what_would_match(ours, theirs, &INIT, &DEFAULT, WeakAlgorithms::NONE).unwrap()
}

#[test]
fn what_would_match_names_the_least_change_of_either_side() {
    let ours = ike_offer(&[cbc(&[GroupId::X25519]), cbc(&[GroupId::Modp2048])], &[]);
    let mut other = cbc(&[GroupId::Ecp256]);
    other.prf = alloc::vec![PrfId::HmacSha512];
    let theirs = ike_offer(&[other, cbc(&[GroupId::Ecp256])], &[]);
    let miss = would(&ours, &theirs);
    assert_eq!((miss.ours, miss.theirs, miss.changes.len()), (1, 2, 1));
    assert_eq!(
        miss.to_string(),
        "IKE SA: our proposal 1 and the peer's proposal 2 would meet if we also accepted KE \
         ECP_256 or the peer also offered KE Curve25519"
    );
    // Made so, it matches.
    let mut changed = ours.clone();
    changed[0].transforms.extend(miss.changes[0].here);
    assert!(choose(&changed, &theirs, &INIT, None).is_some());
    let mut changed = theirs.clone();
    changed[1].transforms.extend(miss.changes[0].there);
    assert!(choose(&ours, &changed, &INIT, None).is_some());
}

#[test]
fn what_would_match_says_what_is_weak_and_what_we_do_not_have() {
    let ours = offer(cbc(&[GroupId::X25519]));
    let miss = would(&ours, &offer(cbc(&[GroupId::Modp1024])));
    assert_eq!(miss.changes[0].weak, Some(WeakAlgorithm::Modp1024));
    assert!(miss.to_string().contains("MODP_1024 has to be permitted"));

    let mut theirs = offer(cbc(&[GroupId::X25519]));
    theirs[0].transforms[0] = Transform::new(
        TransformType::ENCRYPTION,
        EncryptionId::CAMELLIA_CBC,
        Some(256),
    );
    let miss = would(&ours, &theirs);
    assert_eq!(miss.changes[0].here, None);
    assert!(
        miss.to_string()
            .ends_with("would meet if the peer also offered ENCR ENCR_AES_CBC-256")
    );
    let mut theirs = offer(cbc(&[GroupId::X25519]));
    let unknown = Transform::new(TransformType(99), 1u16, None);
    theirs[0].transforms.push(unknown);
    assert!(would(&ours, &theirs).to_string().contains("left out"));
}

#[test]
#[cfg(feature = "render")]
fn records_render_in_all_three_ways() {
    let ours = offer(cbc(&[GroupId::X25519]));
    let theirs = offer(cbc(&[GroupId::Modp2048]));
    let mut records = Vec::new();
    let mut report = |record: ProposalRecord| records.push(What::from(record));
    choose(&ours, &theirs, &INIT, Some(&mut report));
    records.push(What::WouldMatch(would(&ours, &theirs).into()));
    let text = |what: &What| {
        let record = Record {
            at: Duration::from_secs(1),
            ike: None,
            version: Some(crate::model::IkeVersion::V2),
            what: what.clone(),
        };
        let all: [String; 3] = [
            record.cisco().to_string(),
            record.compact().to_string(),
            record.json().to_string(),
        ];
        all
    };
    let [cisco, compact, json] = text(&records[0]);
    assert!(cisco.contains("KE: received MODP_2048\n") && cisco.contains("KE: no match"));
    assert_eq!(
        compact,
        "IKE[0] IKE SA: proposal 1 against 1: no KE is acceptable to both"
    );
    assert_eq!(
        json,
        "{\"at\":1.000000,\"event\":\"proposal_compared\",\"subject\":\"IKE SA\",\"ours\":1,\
         \"theirs\":1,\"protocol\":\"ISAKMP\",\"types\":[{\"type\":\"ENCR\",\
         \"ours\":[\"ENCR_AES_CBC-256\"],\"theirs\":[\"ENCR_AES_CBC-256\"],\
         \"chosen\":\"ENCR_AES_CBC-256\"},{\"type\":\"INTEG\",\
         \"ours\":[\"AUTH_HMAC_SHA2_256_128\"],\"theirs\":[\"AUTH_HMAC_SHA2_256_128\"],\
         \"chosen\":\"AUTH_HMAC_SHA2_256_128\"},{\"type\":\"PRF\",\
         \"ours\":[\"PRF_HMAC_SHA2_256\"],\"theirs\":[\"PRF_HMAC_SHA2_256\"],\
         \"chosen\":\"PRF_HMAC_SHA2_256\"},{\"type\":\"KE\",\"ours\":[\"Curve25519\"],\
         \"theirs\":[\"MODP_2048\"]}],\"acceptable\":false,\
         \"because\":\"no KE is acceptable to both\"}"
    );
    let [cisco, compact, json] = text(&records[1]);
    assert!(cisco.ends_with("Curve25519\n") && compact.contains("would meet if"));
    assert!(json.contains(
        "\"changes\":[{\"type\":\"KE\",\"we_accept\":\"MODP_2048\",\"peer_offers\":\"Curve25519\"}]"
    ));
}

#[test]
fn b8_a_long_list_of_values_is_cut_in_records_only() {
    let ours = offer(cbc(&[GroupId::X25519]));
    let mut theirs = ours.clone();
    let crowd = (100u16..200).map(|id| Transform::new(TransformType::KEY_EXCHANGE, id, None));
    theirs[0].transforms.splice(0..0, crowd);
    let mut kept = 0;
    let mut report = |r: ProposalRecord| {
        kept = r.types.iter().map(|t| t.theirs.len()).max().unwrap();
    };
    assert!(choose(&ours, &theirs, &INIT, Some(&mut report)).is_some());
    assert_eq!(kept, 16);
}

#[test]
fn an_answer_has_the_types_of_the_offer_in_its_order() {
    let none = Transform::new(TransformType::INTEGRITY, 0u16, None);
    let prf = Transform::new(TransformType::PRF, 5u16, None);
    let proposal = |transforms| Proposal {
        number: 1,
        protocol: ProtocolId::IKE,
        spi: Vec::new(),
        transforms,
    };
    let (ours, theirs) = ([proposal([prf].into())], [proposal([none, prf].into())]);
    let choice = choose(&ours, &theirs, &INIT, None).unwrap();
    assert_eq!(choice.transforms, [none, prf]);
    let agreed = check_answer(&theirs, &[choice.answer(&[])], &INIT, None).unwrap();
    assert_eq!(agreed.transforms, choice.transforms);
}

fn transforms() -> impl Strategy<Value = Vec<Transform>> {
    let one = (
        1u8..=8,
        0u16..4,
        proptest::option::of(Just(128u16)),
        any::<bool>(),
    );
    proptest::collection::vec(one, 1..12).prop_map(|list| {
        let transform = |(kind, id, key_length, understood)| Transform {
            understood,
            ..Transform::new(TransformType(kind), id, key_length)
        };
        list.into_iter().map(transform).collect()
    })
}

fn proposals() -> impl Strategy<Value = Vec<Proposal>> {
    proptest::collection::vec(transforms(), 1..4).prop_map(|lists| {
        let proposal = |(number, transforms)| Proposal {
            number,
            protocol: ProtocolId::IKE,
            spi: Vec::new(),
            transforms,
        };
        (1u8..).zip(lists).map(proposal).collect()
    })
}

proptest! {
    /// What a responder chooses, the initiator of that offer accepts, and both mean the same.
    #[test]
    fn a_choice_is_always_an_acceptable_answer(ours in proposals(), theirs in proposals()) {
        let understood = |p: &Proposal| Proposal {
            transforms: p.transforms.iter().filter(|t| t.understood).copied().collect(),
            ..p.clone()
        };
        let ours: Vec<Proposal> = ours.iter().map(understood).collect();
        if let Some(choice) = choose(&ours, &theirs, &INIT, None) {
            let ke = choice.of_type(TransformType::KEY_EXCHANGE);
            let terms = Terms {
                key_exchange: ke.and_then(|t| crate::alg::v2::group_from_wire(Ke(t.id))),
                ..INIT
            };
            let agreed = check_answer(&theirs, &[choice.answer(&[])], &terms, None);
            if ke.is_none() || terms.key_exchange.is_some() {
                let agreed = agreed.unwrap();
                prop_assert_eq!(&agreed.transforms, &choice.transforms);
            }
            for t in &choice.transforms {
                let offer = theirs.iter().find(|p| p.number == choice.number).unwrap();
                prop_assert!(offer.transforms.contains(t));
                prop_assert!(t.is_none() || ours[choice.ours].transforms.contains(t));
            }
        } else if let Some(miss) =
            what_would_match(&ours, &theirs, &INIT, &DEFAULT, WeakAlgorithms::ALL)
        {
            prop_assert!(!miss.changes.is_empty());
        }
    }
}
