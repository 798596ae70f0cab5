use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use std::format;

use crypto_suite::{CipherId, DEFAULT, GroupId, HashId, IntegrityId, ProtectionId, WeakAlgorithms};
use hex_literal::hex;
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::{ExchangeType, Header, Limits, v1};

use super::*;
use crate::config::{ChildConfig, Lifetime, Pfs, Phase1Policy, SelectorMatch};
use crate::event::{Notice, What};
use crate::model::{Authentication, ChildSuite, Mode, Selector};

fn policy(priority: u16, encryption: CipherId, hash: HashId, group: GroupId) -> Phase1Policy {
    Phase1Policy {
        priority,
        encryption,
        hash,
        authentication: Authentication::PreSharedKey,
        group,
        lifetime: Lifetime::PHASE1,
    }
}

/// The responder's four policies of the seed's router.
pub(crate) fn cisco_policies() -> Vec<Phase1Policy> {
    use CipherId::{DesCbc, TripleDesCbc};
    use GroupId::{Modp1024, Modp1536};
    [
        policy(1, TripleDesCbc, HashId::Sha1, Modp1536),
        policy(2, TripleDesCbc, HashId::Md5, Modp1536),
        policy(3, DesCbc, HashId::Sha1, Modp1536),
        policy(4, TripleDesCbc, HashId::Sha1, Modp1024),
    ]
    .into()
}

/// The initiator's four transforms, of which the first and the third are the same.
pub(crate) fn linksys_offer() -> Vec<OfferedTransform> {
    use CipherId::{DesCbc, TripleDesCbc};
    use GroupId::{Modp768, Modp1024};
    phase1_offer(&[
        policy(1, TripleDesCbc, HashId::Sha1, Modp1024),
        policy(2, DesCbc, HashId::Md5, Modp768),
        policy(3, TripleDesCbc, HashId::Sha1, Modp1024),
        policy(4, TripleDesCbc, HashId::Md5, Modp1024),
    ])
}

fn checks(
    policies: &[Phase1Policy],
    offer: &[OfferedTransform],
) -> (Option<Phase1Choice>, Vec<What>) {
    let mut records = Vec::new();
    let choice = choose_phase1(
        policies,
        offer,
        Some(&mut |found| records.push(found.into())),
    );
    (choice, records)
}

#[test]
fn gv1_four_transforms_against_four_policies_give_thirteen_verdicts() {
    use Mismatch::{Encryption, Group, Hash};
    let (choice, records) = checks(&cisco_policies(), &linksys_offer());
    let verdicts: Vec<_> = records
        .iter()
        .filter_map(|what| match what {
            What::TransformCheck(c) => Some((c.policy, c.transform, c.verdict, c.next_payload)),
            _ => None,
        })
        .collect();
    assert_eq!(
        verdicts,
        [
            (1, 1, Some(Group), 3),
            (1, 2, Some(Encryption), 3),
            (1, 3, Some(Group), 3),
            (1, 4, Some(Hash), 0),
            (2, 1, Some(Hash), 3),
            (2, 2, Some(Encryption), 3),
            (2, 3, Some(Hash), 3),
            (2, 4, Some(Group), 0),
            (3, 1, Some(Encryption), 3),
            (3, 2, Some(Hash), 3),
            (3, 3, Some(Encryption), 3),
            (3, 4, Some(Encryption), 0),
            (4, 1, None, 3),
        ]
    );
    let choice = choice.unwrap();
    assert_eq!((choice.transform, choice.policy.priority), (0, 4));
    assert_eq!(choice.lifetime, Lifetime::seconds(86_400));
    // The duplicate is tolerated and pointed out.
    assert_eq!(
        records[0],
        What::Notice(Notice::DuplicateTransform {
            transform: 3,
            of: 1
        })
    );
}

#[test]
fn gv2_a_transform_on_the_wire_and_the_size_of_the_first_message() {
    let mut offer = linksys_offer();
    // The order of the seed: encryption, hash, authentication, group, life type, life duration.
    let mut message = Vec::new();
    let header = Header::v1(ExchangeType::IDENTITY_PROTECTION, [1; 8], [0; 8]);
    let mut writer = v1::Writer::new(&mut message, &header).unwrap();
    writer
        .sa(v1::Situation::IDENTITY_ONLY, |sa| {
            sa.proposal(1, ProtocolId::ISAKMP, &[], |p| {
                offer
                    .iter()
                    .try_for_each(|t| p.transform(t.number, t.id, |a| t.write(a)))
            })
        })
        .unwrap();
    writer.finish().unwrap();
    assert_eq!(message.len(), 192);
    // Header 28, SA 12, proposal 8, transform 8: then the attributes of the first transform.
    let attributes = hex!("80010005 80020002 80030001 80040002 800b0001 000c0004 00015180");
    assert_eq!(message.get(56..84).unwrap(), attributes);

    // And back.
    let parsed = v1::Message::parse(&message, &Limits::DEFAULT).unwrap();
    let sa = parsed.payloads().find(v1::PayloadType::SA).unwrap();
    let sa = v1::Sa::parse(&sa, &Limits::DEFAULT).unwrap();
    assert_eq!(read_phase1(&sa).unwrap(), offer);
    offer.pop();
    assert_ne!(read_phase1(&sa).unwrap(), offer);
}

#[test]
fn attributes_may_come_in_any_order_and_in_either_encoding_of_a_duration() {
    let policies = [policy(
        1,
        CipherId::Aes128Cbc,
        HashId::Sha1,
        GroupId::Modp1024,
    )];
    let mut offer = phase1_offer(&policies);
    let t = &mut offer[0];
    // encryption, hash, auth, group, key length, life type, duration → as another peer does it.
    t.attributes = [4, 5, 6, 0, 1, 3, 2]
        .map(|n: usize| t.attributes[n].clone())
        .into();
    assert_eq!(
        checks(&policies, &offer).0.unwrap().lifetime,
        Lifetime::PHASE1
    );
    offer[0].attributes[2].value = AttributeValue::Basic(3600);
    assert_eq!(
        checks(&policies, &offer).0.unwrap().lifetime,
        Lifetime::seconds(3600)
    );
    // Longer values with leading zeros are still numbers; an overflow is not.
    offer[0].attributes[2].value = AttributeValue::Variable(hex!("000000000000000e10").into());
    assert_eq!(
        checks(&policies, &offer).0.unwrap().lifetime,
        Lifetime::seconds(3600)
    );
    offer[0].attributes[2].value = AttributeValue::Variable(hex!("010000000000000000").into());
    assert_eq!(verdict(&policies, &offer), Some(Mismatch::Malformed(12)));
}

fn verdict(policies: &[Phase1Policy], offer: &[OfferedTransform]) -> Option<Mismatch> {
    let (choice, records) = checks(policies, offer);
    assert!(choice.is_none());
    records.iter().find_map(|what| match what {
        What::TransformCheck(c) => c.verdict,
        _ => None,
    })
}

#[test]
fn a_transform_with_a_fault_is_refused_for_that_fault() {
    let policies = [policy(
        1,
        CipherId::Aes128Cbc,
        HashId::Sha1,
        GroupId::Modp1024,
    )];
    let good = phase1_offer(&policies);
    let with = |change: &dyn Fn(&mut Vec<Attribute>)| {
        let mut offer = good.clone();
        change(&mut offer[0].attributes);
        verdict(&policies, &offer)
    };
    let set = |n: usize, v: u16| {
        with(&|list: &mut Vec<Attribute>| list[n].value = AttributeValue::Basic(v))
    };
    assert_eq!(with(&|l| drop(l.remove(0))), Some(Mismatch::Missing(1)));
    assert_eq!(with(&|l| drop(l.remove(3))), Some(Mismatch::Missing(4)));
    assert_eq!(
        with(&|l| l.push(Attribute::basic(13u16, 1u16))),
        Some(Mismatch::UnknownAttribute(13))
    );
    assert_eq!(
        with(&|l| l.push(Attribute::basic(2u16, 1u16))),
        Some(Mismatch::Conflict(2))
    );
    assert_eq!(
        with(&|l| l[1].value = AttributeValue::Variable(hex!("0002").into())),
        Some(Mismatch::Malformed(2))
    );
    // Lifetimes: zero, without a type, without a duration, of an unknown type, contradicting.
    assert_eq!(set(6, 0), Some(Mismatch::Malformed(12)));
    assert_eq!(with(&|l| drop(l.remove(5))), Some(Mismatch::Missing(11)));
    assert_eq!(with(&|l| drop(l.pop())), Some(Mismatch::Missing(12)));
    assert_eq!(set(5, 3), Some(Mismatch::Malformed(11)));
    assert_eq!(
        with(&|l| l.extend([Attribute::basic(11u16, 1u16), Attribute::basic(12u16, 7u16)])),
        Some(Mismatch::Conflict(12))
    );
    // Key lengths.
    assert_eq!(set(4, 256), Some(Mismatch::KeyLength));
    assert_eq!(set(4, 0), Some(Mismatch::KeyLength));
    assert_eq!(with(&|l| drop(l.remove(4))), Some(Mismatch::KeyLength));
    // A group type may only repeat what the description says.
    assert_eq!(
        with(&|l| l.push(Attribute::basic(5u16, 2u16))),
        Some(Mismatch::Conflict(5))
    );
    let mut offer = good.clone();
    offer[0].attributes.push(Attribute::basic(5u16, 1u16));
    assert!(checks(&policies, &offer).0.is_some());
    let mut offer = good.clone();
    offer[0].id = 2;
    assert_eq!(verdict(&policies, &offer), Some(Mismatch::TransformId(2)));
}

#[test]
fn rfc2409_s5_an_answer_that_changes_the_offer_is_rejected() {
    let policies = cisco_policies();
    let offer = phase1_offer(&policies);
    let check = |answer: &[OfferedTransform]| check_phase1_answer(&policies, &offer, answer, None);
    let mut answer = [offer[3].clone()];
    assert_eq!(check(&answer).unwrap().policy.priority, 4);
    // The number may have changed, what is said may not.
    answer[0].number = 1;
    assert_eq!(check(&answer).unwrap().policy.priority, 4);
    answer[0].attributes.reverse();
    assert_eq!(
        check(&answer),
        Err(Phase1OfferError::NotOffered),
        "type and duration torn apart"
    );
    let mut answer = [offer[3].clone()];
    answer[0].attributes.pop();
    answer[0].attributes.push(Attribute::word(12u16, 60));
    assert_eq!(check(&answer), Err(Phase1OfferError::NotOffered));
    let mut answer = [offer[3].clone()];
    answer[0].attributes.push(Attribute::basic(14u16, 128u16));
    assert_eq!(check(&answer), Err(Phase1OfferError::NotOffered));
    assert_eq!(check(&[]), Err(Phase1OfferError::Transforms(0)));
    assert_eq!(check(&offer), Err(Phase1OfferError::Transforms(4)));
}

#[test]
fn the_nearest_miss_names_the_least_change() {
    let policies = [
        policy(10, CipherId::Aes256Cbc, HashId::Sha256, GroupId::Modp2048),
        policy(20, CipherId::TripleDesCbc, HashId::Sha1, GroupId::Modp1536),
    ];
    let miss = nearest_miss(&policies, &linksys_offer()).unwrap();
    assert_eq!((miss.policy, miss.transform), (20, 1));
    assert_eq!(
        format!("{miss}"),
        "policy 20 and transform 1 would meet if the Diffie-Hellman group were the same \
         (ours 5, theirs 2)"
    );
    assert_eq!(nearest_miss(&policies, &[]), None);
}

// Phase 2.

fn child() -> ChildConfig {
    let net = |a: &str| Selector::subnet(a.parse().unwrap(), 24).unwrap();
    let mut child = ChildConfig::new("net", net("192.168.100.0"), net("172.18.30.0"));
    child.suites = [ChildSuite::Esp(ProtectionId::CbcHmac(
        CipherId::TripleDesCbc,
        IntegrityId::HmacSha1_96,
    ))]
    .into();
    child.lifetime = Lifetime::seconds(86_400);
    child
}

fn context() -> Phase2Context<'static> {
    Phase2Context {
        provider: &DEFAULT,
        weak: WeakAlgorithms::ALL,
        nat: NatModes::Plain,
    }
}

fn choose(child: &ChildConfig, offer: &[ChildOffer]) -> Result<Phase2Choice, Phase2Refusal> {
    choose_phase2(child, offer, &context(), None)
}

fn refused(child: &ChildConfig, offer: &[ChildOffer]) -> Mismatch {
    match choose(child, offer) {
        Err(Phase2Refusal::NoProposalChosen(m)) => m,
        other => std::panic!("{other:?}"),
    }
}

/// GV3: what the seed's initiator offers.
fn gv3() -> ChildOffer {
    ChildOffer {
        number: 1,
        protocol: 3,
        spi: hex!("cdd3aca0").into(),
        transforms: [OfferedTransform {
            number: 1,
            id: 3,
            attributes: [
                Attribute::basic(1u16, 1u16),
                Attribute::word(2u16, 86_400),
                Attribute::basic(3u16, 2u16),
                Attribute::basic(4u16, 1u16),
                Attribute::basic(5u16, 2u16),
            ]
            .into(),
            next_payload: 0,
        }]
        .into(),
    }
}

#[test]
fn gv3_the_seeds_proposal_is_accepted_and_its_pfs_is_pointed_out() {
    let mut offered = child();
    offered.pfs = Pfs::Required(GroupId::Modp1024);
    let mine = phase2_offer(&offered, NatModes::Plain, 0xcdd3_aca0);
    assert_eq!(mine, [gv3()]);

    let mut records = Vec::new();
    let choice = choose_phase2(
        &child(),
        &[gv3()],
        &context(),
        Some(&mut |found| records.push(What::from(found))),
    )
    .unwrap();
    assert_eq!(choice.spi, 0xcdd3_aca0);
    assert_eq!(choice.group, Some(GroupId::Modp1024));
    assert_eq!(choice.lifetime_to_tell(), None);
    let notice = What::Notice(Notice::PfsOfferedUnasked {
        group: GroupId::Modp1024,
    });
    assert!(records.contains(&notice));
}

#[test]
fn pfs_is_refused_accepted_or_required() {
    let mut without = gv3();
    without.transforms[0].attributes.remove(2);
    let mut child = child();
    child.pfs = Pfs::Off;
    assert_eq!(refused(&child, &[gv3()]), Mismatch::Pfs);
    assert_eq!(choose(&child, &[without.clone()]).unwrap().group, None);
    child.pfs = Pfs::Required(GroupId::Modp1024);
    assert_eq!(refused(&child, &[without.clone()]), Mismatch::Pfs);
    assert!(choose(&child, &[gv3()]).is_ok());
    child.pfs = Pfs::Required(GroupId::Modp2048);
    assert_eq!(refused(&child, &[gv3()]), Mismatch::Group);
    child.pfs = Pfs::AcceptIfOffered;
    assert_eq!(choose(&child, &[without]).unwrap().group, None);
    let strict = Phase2Context {
        weak: WeakAlgorithms::NONE,
        ..context()
    };
    assert_eq!(
        choose_phase2(&child, &[gv3()], &strict, None),
        Err(Phase2Refusal::NoProposalChosen(Mismatch::Weak))
    );
}

#[test]
fn lifetimes_take_the_smaller_value_and_tell_the_peer() {
    let mut child = child();
    child.lifetime = Lifetime {
        time: Duration::from_secs(3600),
        kilobytes: Some(4_608_000),
    };
    let choice = choose(&child, &[gv3()]).unwrap();
    assert_eq!(choice.lifetime, child.lifetime);
    assert_eq!(choice.lifetime_to_tell(), Some(child.lifetime));
    // RFC 2407 §4.5: nothing said is 28800 s.
    let mut silent = gv3();
    silent.transforms[0].attributes.drain(..2);
    assert_eq!(
        choose(&child, &[silent]).unwrap().offered,
        Lifetime::seconds(28_800)
    );
}

#[test]
fn rfc2407_s4_5_2_agreeing_lifetimes_stand_and_conflicts_abort() {
    let both = [
        Attribute::basic(1u16, 2u16),
        Attribute::word(2u16, 100_000),
        Attribute::basic(1u16, 1u16),
        Attribute::word(2u16, 86_400),
    ];
    let mut offer = gv3();
    offer.transforms[0].attributes.extend(both);
    let choice = choose(&child(), &[offer.clone()]).unwrap();
    assert_eq!(choice.offered.kilobytes, Some(100_000));
    let conflict = [Attribute::basic(1u16, 1u16), Attribute::word(2u16, 1)];
    offer.transforms[0].attributes.extend(conflict);
    let second = ChildOffer { number: 2, ..gv3() };
    let result = choose(&child(), &[offer, second]);
    assert_eq!(result, Err(Phase2Refusal::ConflictingAttributes(2)));
}

#[test]
fn rfc2408_s4_2_one_number_is_a_bundle_another_number_is_a_choice() {
    let mut ah = gv3();
    ah.protocol = 2;
    assert_eq!(refused(&child(), &[ah.clone(), gv3()]), Mismatch::Bundle);
    let esp = ChildOffer { number: 2, ..gv3() };
    let choice = choose(&child(), &[ah, esp]).unwrap();
    assert_eq!((choice.proposal, choice.proposal_number), (1, 2));
}

#[test]
fn spis_of_the_reserved_range_or_of_another_length_are_refused() {
    for spi in [
        &hex!("00000000")[..],
        &hex!("000000ff"),
        &hex!("cdd3"),
        &hex!("cdd3aca000"),
    ] {
        let offer = ChildOffer {
            spi: spi.into(),
            ..gv3()
        };
        assert_eq!(refused(&child(), &[offer]), Mismatch::Spi);
    }
    let offer = ChildOffer {
        spi: hex!("00000100").into(),
        ..gv3()
    };
    assert_eq!(choose(&child(), &[offer]).unwrap().spi, 256);
}

#[test]
fn rfc3947_s5_1_modes_in_udp_are_for_nat_and_only_for_nat() {
    let with_mode = |mode: u16| {
        let mut offer = gv3();
        offer.transforms[0].attributes[3] = Attribute::basic(4u16, mode);
        offer
    };
    let try_mode = |mode, nat| {
        let context = Phase2Context { nat, ..context() };
        choose_phase2(&child(), &[with_mode(mode)], &context, None)
            .map(|c| (c.mode, c.udp_encapsulation))
            .ok()
    };
    assert_eq!(try_mode(1, NatModes::Plain), Some((Mode::Tunnel, false)));
    assert_eq!(try_mode(3, NatModes::Udp), Some((Mode::Tunnel, true)));
    assert_eq!(
        try_mode(61443, NatModes::UdpDraft),
        Some((Mode::Tunnel, true))
    );
    assert_eq!(try_mode(1, NatModes::Udp), None);
    assert_eq!(try_mode(3, NatModes::Plain), None);
    assert_eq!(try_mode(2, NatModes::Plain), None, "transport");
    assert_eq!(try_mode(9, NatModes::Plain), None, "unassigned");
    let mut unsaid = gv3();
    unsaid.transforms[0].attributes.remove(3);
    assert_eq!(choose(&child(), &[unsaid]).unwrap().mode, Mode::Tunnel);
}

#[test]
fn a_refused_transform_says_why() {
    let with = |n: usize, a: Attribute| {
        let mut offer = gv3();
        offer.transforms[0].attributes[n] = a;
        offer
    };
    let md5 = with(4, Attribute::basic(5u16, 1u16));
    assert_eq!(refused(&child(), &[md5]), Mismatch::Authentication);
    let mut aes = gv3();
    aes.transforms[0].id = 12;
    assert_eq!(refused(&child(), &[aes.clone()]), Mismatch::KeyLength);
    aes.transforms[0]
        .attributes
        .push(Attribute::basic(6u16, 128u16));
    assert_eq!(refused(&child(), &[aes]), Mismatch::TransformId(12));
    let mut bare = gv3();
    bare.transforms[0].attributes.pop();
    assert_eq!(refused(&child(), &[bare]), Mismatch::NoIntegrity);
    let mut esn = gv3();
    esn.transforms[0]
        .attributes
        .push(Attribute::basic(11u16, 1u16));
    assert_eq!(refused(&child(), &[esn.clone()]), Mismatch::Esn);
    let mut wants = child();
    wants.esn = true;
    assert!(choose(&wants, &[esn]).unwrap().esn);
    let mut odd = gv3();
    odd.transforms[0]
        .attributes
        .push(Attribute::basic(99u16, 1u16));
    assert_eq!(refused(&child(), &[odd]), Mismatch::UnknownAttribute(99));
    let ipcomp = ChildOffer {
        protocol: 4,
        ..gv3()
    };
    assert_eq!(refused(&child(), &[ipcomp]), Mismatch::Protocol(4));
}

#[test]
fn rfc2409_s5_5_the_group_is_the_same_in_every_transform() {
    let mut offer = gv3();
    let mut other = offer.transforms[0].clone();
    other.attributes.remove(2);
    offer.transforms.push(other);
    assert_eq!(choose(&child(), &[offer]), Err(Phase2Refusal::MixedGroups));
}

#[test]
fn an_answer_in_phase_2_repeats_one_offered_transform() {
    let mut child = child();
    child.suites.push(ChildSuite::Esp(ProtectionId::CbcHmac(
        CipherId::Aes256Cbc,
        IntegrityId::HmacSha256_128,
    )));
    child.suites.push(ChildSuite::Ah(IntegrityId::HmacSha1_96));
    let offer = phase2_offer(&child, NatModes::Plain, 0x1000);
    assert_eq!(offer.len(), 2, "ESP transforms share a proposal");
    assert_eq!(offer[0].transforms.len(), 2);
    let check =
        |answer: &[ChildOffer]| check_phase2_answer(&child, &offer, answer, &context(), None);
    let mut answer = offer[0].clone();
    answer.spi = hex!("00002000").into();
    answer.transforms.remove(0);
    assert_eq!(check(&[answer.clone()]).unwrap().suite, child.suites[1]);
    answer.transforms[0].attributes.pop();
    assert_eq!(check(&[answer.clone()]), Err(Phase2Refusal::NotOffered));
    assert_eq!(check(&[offer[0].clone()]), Err(Phase2Refusal::NotOne(2)));
    assert_eq!(check(&offer), Err(Phase2Refusal::NotOne(2)));
    let mut ah = offer[1].clone();
    assert_eq!(check(&[ah.clone()]).unwrap().suite, child.suites[2]);
    ah.number = 1;
    assert_eq!(check(&[ah]), Err(Phase2Refusal::NotOffered));
}

#[test]
fn client_identities_round_trip() {
    let ip = |s: &str| s.parse::<IpAddr>().unwrap();
    let selectors = [
        (1, Selector::host(ip("10.0.0.1")).with_protocol(47, 0)),
        (4, Selector::subnet(ip("192.168.100.0"), 24).unwrap()),
        (4, Selector::subnet(ip("0.0.0.0"), 0).unwrap()),
        (7, Selector::range(ip("10.0.0.1"), ip("10.0.0.6")).unwrap()),
        (5, Selector::host(ip("2001:db8::1")).with_protocol(17, 53)),
        (6, Selector::subnet(ip("2001:db8::"), 33).unwrap()),
        (6, Selector::subnet(ip("::"), 0).unwrap()),
        (
            8,
            Selector::range(ip("2001:db8::1"), ip("2001:db8::6")).unwrap(),
        ),
    ];
    for (kind, selector) in selectors {
        let id = ClientId::from_selector(&selector).unwrap();
        assert_eq!(id.id_type, kind);
        let back = ClientId::to_selector(id.id_type, id.protocol, id.port, &id.data);
        assert_eq!(back, Ok(selector));
        for cut in 0..id.data.len() {
            let data = &id.data[..cut];
            assert!(ClientId::to_selector(id.id_type, 0, 0, data).is_err());
        }
    }
    assert_eq!(
        ClientId::from_selector(&selectors[1].1).unwrap().body(),
        hex!("04000000 c0a86400 ffffff00")
    );
}

#[test]
fn client_identities_that_are_no_selectors_are_refused() {
    use ClientIdError::{Length, Mask, Range, Type};
    let read = |kind, data: &[u8]| ClientId::to_selector(kind, 0, 0, data);
    assert_eq!(read(2, b"a.lab"), Err(Type(2)));
    assert_eq!(read(4, &hex!("0a000000 ff00ff00")), Err(Mask));
    assert_eq!(read(7, &hex!("0a000002 0a000001")), Err(Range));
    assert_eq!(read(4, &hex!("0a000000 ffffff")), Err(Length(7)));
    assert_eq!(read(6, &[0; 31]), Err(Length(31)));
}

#[test]
fn selectors_match_exactly_or_within() {
    let mut child = child();
    let host = Selector::host("172.18.30.7".parse().unwrap());
    let (local, remote) = (*child.local.first(), *child.remote.first());
    assert!(fits(&child, &local, &remote));
    assert!(!fits(&child, &local, &host));
    child.selector_match = SelectorMatch::Within;
    assert!(fits(&child, &local, &host));
    assert!(!fits(
        &child,
        &Selector::subnet("192.168.0.0".parse().unwrap(), 16).unwrap(),
        &host
    ));
}
