//! Phase 1: one proposal, many transforms, against policies by priority (RFC 2409 §5, App. A).

use alloc::vec::Vec;

use isakmp_wire::registry::ProtocolId;
use isakmp_wire::registry::v1::{
    AuthenticationMethod, EncryptionAlgorithm, GroupDescription, HashAlgorithm, IsakmpTransform,
    LifeType, Phase1Class,
};
use isakmp_wire::v1;

use super::Listener;
use super::attribute::{Attribute, Collector, Mismatch, MismatchSet, OfferedTransform};
use crate::alg;
use crate::config::{Lifetime, Phase1Policy};

/// Attribute classes that mean something here.
const KNOWN: &[u16] = &[
    Phase1Class::ENCRYPTION_ALGORITHM.0,
    Phase1Class::HASH_ALGORITHM.0,
    Phase1Class::AUTHENTICATION_METHOD.0,
    Phase1Class::GROUP_DESCRIPTION.0,
    Phase1Class::GROUP_TYPE.0,
    Phase1Class::LIFE_TYPE.0,
    Phase1Class::LIFE_DURATION.0,
    Phase1Class::KEY_LENGTH.0,
];

/// What a responder chose, or what an answer chose for an initiator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase1Choice {
    /// Place of the transform in the offer, from 0.
    pub transform: usize,
    /// The policy it meets.
    pub policy: Phase1Policy,
    /// The lifetime that was offered; what the offer leaves out is the policy's.
    pub offered: Lifetime,
    /// The lifetime that holds at our end: the shorter of the two.
    pub lifetime: Lifetime,
}

/// One phase 1 transform against one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransformCheck {
    /// Transform number on the wire.
    pub transform: u8,
    /// Priority of the policy.
    pub policy: u16,
    /// The transform's attributes in wire order.
    pub attributes: Vec<Attribute>,
    /// What decides: the first mismatch in the order encryption, hash, authentication, group.
    pub verdict: Option<Mismatch>,
    /// Everything that differs.
    pub mismatches: MismatchSet,
    /// Next-payload octet of the transform: 3 when another one follows, 0 for the last.
    pub next_payload: u8,
    /// The number of an earlier transform that offers the same.
    pub duplicate_of: Option<u8>,
}

/// What is found in an offer while it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase1Finding {
    /// Two transforms are the same.
    Duplicate {
        /// The later one.
        transform: u8,
        /// The earlier one.
        of: u8,
    },
    /// A transform was held against a policy.
    Compared(TransformCheck),
}

/// Why an SA payload cannot be a phase 1 offer or answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Phase1OfferError {
    /// RFC 2409 §5: there must be one proposal.
    #[error("{0} proposals where there must be one")]
    Proposals(usize),
    /// The proposal is not for ISAKMP.
    #[error("protocol {0} in a phase 1 proposal")]
    Protocol(u8),
    /// RFC 2408 §3.5: an ISAKMP SPI has at most 16 bytes.
    #[error("an SPI of {0} bytes")]
    Spi(usize),
    /// An answer has exactly one transform.
    #[error("{0} transforms in an answer")]
    Transforms(usize),
    /// The answer is none of the offered transforms (RFC 2409 §5: reject).
    #[error("the answer was not offered")]
    NotOffered,
    /// The answer repeats an offered transform of which we know no policy.
    #[error("the answer meets no policy: {0}")]
    Policy(Mismatch),
}

/// The transforms that `policies` offer, best first.
///
/// More than 255 policies are cut: a transform number is one octet.
#[must_use]
pub fn phase1_offer(policies: &[Phase1Policy]) -> Vec<OfferedTransform> {
    let mut offer: Vec<OfferedTransform> = Vec::new();
    for policy in policies {
        let Some(attributes) = attributes_of(policy) else {
            continue;
        };
        let Ok(number) = u8::try_from(offer.len().saturating_add(1)) else {
            break;
        };
        let id = IsakmpTransform::KEY_IKE.0;
        offer.push(OfferedTransform {
            number,
            id,
            attributes,
            next_payload: 3,
        });
    }
    if let Some(last) = offer.last_mut() {
        last.next_payload = 0;
    }
    offer
}

fn attributes_of(policy: &Phase1Policy) -> Option<Vec<Attribute>> {
    let (encryption, key_length) = alg::cipher_to_wire(policy.encryption)?;
    let mut list = alloc::vec![
        Attribute::basic(Phase1Class::ENCRYPTION_ALGORITHM, encryption),
        Attribute::basic(Phase1Class::HASH_ALGORITHM, alg::hash_to_wire(policy.hash)?),
        Attribute::basic(
            Phase1Class::AUTHENTICATION_METHOD,
            alg::authentication_to_wire(policy.authentication)?,
        ),
        Attribute::basic(
            Phase1Class::GROUP_DESCRIPTION,
            alg::group_to_wire(policy.group)?
        ),
    ];
    if let Some(bits) = key_length {
        list.push(Attribute::basic(Phase1Class::KEY_LENGTH, bits));
    }
    let seconds = u32::try_from(policy.lifetime.time.as_secs()).unwrap_or(u32::MAX);
    list.push(Attribute::basic(Phase1Class::LIFE_TYPE, LifeType::SECONDS));
    list.push(Attribute::word(Phase1Class::LIFE_DURATION, seconds));
    if let Some(kilobytes) = policy.lifetime.kilobytes {
        let kilobytes = u32::try_from(kilobytes).unwrap_or(u32::MAX);
        list.push(Attribute::basic(
            Phase1Class::LIFE_TYPE,
            LifeType::KILOBYTES,
        ));
        list.push(Attribute::word(Phase1Class::LIFE_DURATION, kilobytes));
    }
    Some(list)
}

/// The transforms of a phase 1 SA payload.
///
/// # Errors
/// More or less than one proposal, or one that is not for ISAKMP.
pub fn read_phase1(sa: &v1::Sa<'_>) -> Result<Vec<OfferedTransform>, Phase1OfferError> {
    let count = sa.proposals().count();
    let (1, Some(proposal)) = (count, sa.proposals().next()) else {
        return Err(Phase1OfferError::Proposals(count));
    };
    if proposal.protocol_id != ProtocolId::ISAKMP {
        return Err(Phase1OfferError::Protocol(proposal.protocol_id.0));
    }
    if proposal.spi.len() > 16 {
        return Err(Phase1OfferError::Spi(proposal.spi.len()));
    }
    Ok(proposal
        .transforms()
        .map(|t| OfferedTransform::from(&t))
        .collect())
}

/// Chooses from an offer: our policies by priority outside, the peer's transforms in wire order
/// inside, the first pair that meets wins. `policies` are in order of priority.
pub fn choose_phase1(
    policies: &[Phase1Policy],
    offer: &[OfferedTransform],
    mut report: Listener<'_, Phase1Finding>,
) -> Option<Phase1Choice> {
    let duplicates: Vec<Option<u8>> = offer
        .iter()
        .enumerate()
        .map(|(n, t)| {
            offer
                .iter()
                .take(n)
                .find(|e| e.says_the_same(t))
                .map(|e| e.number)
        })
        .collect();
    for (t, of) in offer.iter().zip(&duplicates) {
        if let (Some(of), Some(report)) = (*of, &mut report) {
            report(Phase1Finding::Duplicate {
                transform: t.number,
                of,
            });
        }
    }
    for policy in policies {
        for (index, (t, duplicate_of)) in offer.iter().zip(&duplicates).enumerate() {
            let result = compare(policy, t);
            if let Some(report) = &mut report {
                let (verdict, mismatches) = match &result {
                    Ok(_) => (None, MismatchSet::default()),
                    Err((first, all)) => (Some(*first), *all),
                };
                report(Phase1Finding::Compared(TransformCheck {
                    transform: t.number,
                    policy: policy.priority,
                    attributes: t.attributes.clone(),
                    verdict,
                    mismatches,
                    next_payload: t.next_payload,
                    duplicate_of: *duplicate_of,
                }));
            }
            if let Ok(offered) = result {
                let lifetime = offered.min(policy.lifetime);
                return Some(Phase1Choice {
                    transform: index,
                    policy: *policy,
                    offered,
                    lifetime,
                });
            }
        }
    }
    None
}

/// Checks the answer to our offer: exactly one of the transforms we offered, unchanged.
///
/// # Errors
/// RFC 2409 §5: "If the initiator of an exchange notices that attribute values have changed or
/// attributes have been added or deleted from an offer made, that response MUST be rejected."
pub fn check_phase1_answer(
    policies: &[Phase1Policy],
    offer: &[OfferedTransform],
    answer: &[OfferedTransform],
    report: Listener<'_, Phase1Finding>,
) -> Result<Phase1Choice, Phase1OfferError> {
    let [chosen] = answer else {
        return Err(Phase1OfferError::Transforms(answer.len()));
    };
    let same = |t: &OfferedTransform| t.says_the_same(chosen);
    // RFC 2408 §4.2: the number should be the one of the offer; what counts is what it says.
    let transform = offer
        .iter()
        .position(|t| t.number == chosen.number && same(t))
        .or_else(|| offer.iter().position(same))
        .ok_or(Phase1OfferError::NotOffered)?;
    let mut first = None;
    for policy in policies {
        match compare(policy, chosen) {
            Ok(offered) if offered == policy.lifetime => {
                if let Some(report) = report {
                    report(Phase1Finding::Compared(TransformCheck {
                        transform: chosen.number,
                        policy: policy.priority,
                        attributes: chosen.attributes.clone(),
                        verdict: None,
                        mismatches: MismatchSet::default(),
                        next_payload: chosen.next_payload,
                        duplicate_of: None,
                    }));
                }
                let lifetime = offered.min(policy.lifetime);
                return Ok(Phase1Choice {
                    transform,
                    policy: *policy,
                    offered,
                    lifetime,
                });
            }
            Ok(_) => {}
            Err((mismatch, _)) => first = first.or(Some(mismatch)),
        }
    }
    Err(first.map_or(Phase1OfferError::NotOffered, Phase1OfferError::Policy))
}

/// Holds a transform against a policy; gives the lifetime it offers, or the deciding mismatch and
/// all of them.
pub(super) fn compare(
    policy: &Phase1Policy,
    t: &OfferedTransform,
) -> Result<Lifetime, (Mismatch, MismatchSet)> {
    let single = |m: Mismatch| {
        let mut set = MismatchSet::default();
        set.insert(m);
        (m, set)
    };
    let values = Values::read(t).map_err(single)?;
    let cipher = alg::cipher_from_wire(values.encryption, values.key_length);
    let wanted = alg::cipher_to_wire(policy.encryption).map(|(algorithm, _)| algorithm);
    let hash = alg::hash_from_wire(values.hash);
    let authentication = alg::authentication_from_wire(values.authentication);
    let group = alg::group_from_wire(values.group);
    // The order in which they are reported: encryption, hash, authentication, group.
    let checks = [
        (wanted == Some(values.encryption), Mismatch::Encryption),
        (
            wanted != Some(values.encryption) || cipher == Some(policy.encryption),
            Mismatch::KeyLength,
        ),
        (hash == Some(policy.hash), Mismatch::Hash),
        (
            authentication == Some(policy.authentication),
            Mismatch::Authentication,
        ),
        (group == Some(policy.group), Mismatch::Group),
    ];
    let mut set = MismatchSet::default();
    checks
        .iter()
        .filter(|(ok, _)| !ok)
        .for_each(|(_, m)| set.insert(*m));
    match checks.iter().find(|(ok, _)| !ok) {
        Some((_, first)) => Err((*first, set)),
        None => Ok(values.lifetime.or(policy.lifetime)),
    }
}

struct Values {
    encryption: EncryptionAlgorithm,
    key_length: Option<u16>,
    hash: HashAlgorithm,
    authentication: AuthenticationMethod,
    group: GroupDescription,
    lifetime: super::attribute::OfferedLifetime,
}

impl Values {
    fn read(t: &OfferedTransform) -> Result<Self, Mismatch> {
        if t.id != IsakmpTransform::KEY_IKE.0 {
            return Err(Mismatch::TransformId(t.id));
        }
        let c = Collector::new(
            &t.attributes,
            Phase1Class::LIFE_TYPE.0,
            Phase1Class::LIFE_DURATION.0,
        );
        if let Some(class) = c.unknown(KNOWN) {
            return Err(Mismatch::UnknownAttribute(class));
        }
        let required = |class: Phase1Class| c.basic(class.0)?.ok_or(Mismatch::Missing(class.0));
        let group = GroupDescription(required(Phase1Class::GROUP_DESCRIPTION)?);
        // RFC 2409 App. A: a group type beside a description can only repeat what that says.
        if let Some(kind) = c.basic(Phase1Class::GROUP_TYPE.0)?
            && kind != group_type(group)
        {
            return Err(Mismatch::Conflict(Phase1Class::GROUP_TYPE.0));
        }
        Ok(Self {
            encryption: EncryptionAlgorithm(required(Phase1Class::ENCRYPTION_ALGORITHM)?),
            key_length: c.basic(Phase1Class::KEY_LENGTH.0)?,
            hash: HashAlgorithm(required(Phase1Class::HASH_ALGORITHM)?),
            authentication: AuthenticationMethod(required(Phase1Class::AUTHENTICATION_METHOD)?),
            group,
            lifetime: c.lifetime()?,
        })
    }
}

/// MODP (1), ECP (2) or EC2N (3).
fn group_type(group: GroupDescription) -> u16 {
    match group.0 {
        3 | 4 | 6..=13 => 3,
        19..=21 | 25..=30 => 2,
        _ => 1,
    }
}
