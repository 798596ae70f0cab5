//! Configuration as proposals.

use alloc::vec::Vec;

use crypto_suite::{GroupId, ProtectionId, Provider, WeakAlgorithms};
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::registry::v2::{SequenceNumbers, TransformType};

use super::proposal::{Proposal, Transform};
use crate::alg::v2 as alg;
use crate::config::v2::{AdditionalKeyExchange, Encryption, IkeProposal};
use crate::config::{ChildConfig, Pfs};
use crate::model::ChildSuite;

/// The proposals of an IKE SA, as they are offered and as a responder compares them. `spi` is
/// empty in IKE_SA_INIT, and the new SA's own SPI in CREATE_CHILD_SA (RFC 7296 §3.3.1).
///
/// A proposal whose additional key exchanges are all optional is followed by one that does not name
/// them: who has none skips the former (RFC 9370 §2.2.1).
#[must_use]
pub fn ike_offer(configured: &[IkeProposal], spi: &[u8]) -> Vec<Proposal> {
    let proposal = |transforms| Proposal {
        number: 0,
        protocol: ProtocolId::IKE,
        spi: spi.into(),
        transforms,
    };
    let all = configured.iter();
    let all = all.map(|p| (proposal(ike_transforms(p)), p.additional.as_slice()));
    numbered(with_plain(all))
}

/// Behind each proposal whose additional key exchanges are all optional the same without them.
fn with_plain<'a>(
    all: impl Iterator<Item = (Proposal, &'a [AdditionalKeyExchange])>,
) -> Vec<Proposal> {
    let mut list = Vec::with_capacity(all.size_hint().0);
    for (proposal, additional) in all {
        let optional = !additional.is_empty() && additional.iter().all(|a| a.optional);
        let plain = optional.then(|| {
            let mut plain = proposal.clone();
            plain
                .transforms
                .retain(|t| !t.kind.is_additional_key_exchange());
            plain
        });
        list.push(proposal);
        list.extend(plain);
    }
    list
}

/// RFC 9370 §2.2.1: types 6 to 12, ADDKE1 to ADDKE7.
fn additional_transforms(all: &[AdditionalKeyExchange]) -> Vec<Transform> {
    let mut out = Vec::new();
    for (kind, additional) in (6u8..=12).map(TransformType).zip(all) {
        out.extend(key_exchanges(kind, &additional.methods));
        if additional.optional {
            out.extend(Transform::none(kind));
        }
    }
    out
}

fn ike_transforms(p: &IkeProposal) -> Vec<Transform> {
    let mut out = Vec::new();
    for encryption in &p.encryption {
        let wire = match *encryption {
            Encryption::Cbc(id) => alg::cipher_to_wire(id),
            Encryption::Aead(id) => alg::aead_to_wire(id),
        };
        let transform = |(id, bits)| Transform::new(TransformType::ENCRYPTION, id, bits);
        out.extend(wire.map(transform));
    }
    for id in p
        .integrity
        .iter()
        .filter_map(|i| alg::integrity_to_wire(*i))
    {
        out.push(Transform::new(TransformType::INTEGRITY, id, None));
    }
    for id in p.prf.iter().filter_map(|i| alg::prf_to_wire(*i)) {
        out.push(Transform::new(TransformType::PRF, id, None));
    }
    out.extend(key_exchanges(TransformType::KEY_EXCHANGE, &p.groups));
    out.extend(additional_transforms(&p.additional));
    out
}

/// Whether a child's negotiation can have a key exchange of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildKeyExchange {
    /// IKE_AUTH: never (RFC 7296 §1.2).
    Never,
    /// CREATE_CHILD_SA.
    AsConfigured,
}

/// The proposals of a child, as they are offered: one for each protection that is configured,
/// neighbouring AEADs in one.
#[must_use]
pub fn child_offer(child: &ChildConfig, spi: u32, ke: ChildKeyExchange) -> Vec<Proposal> {
    let exchanges = match (ke, &child.pfs) {
        (ChildKeyExchange::AsConfigured, Pfs::Required(group)) => Exchanges {
            groups: core::slice::from_ref(group),
            none: false,
            additional: &child.additional,
        },
        _ => Exchanges::NONE,
    };
    child_proposals(child, spi, &exchanges)
}

/// What is offered where PFS is as the peer likes: with this group, and behind it every other one
/// that would be accepted, so that a peer that wants one of those can name it (RFC 7296 §1.3); or
/// with none.
pub(crate) fn child_offer_with(
    child: &ChildConfig,
    spi: u32,
    group: Option<GroupId>,
    provider: &Provider,
    weak: WeakAlgorithms,
) -> Vec<Proposal> {
    let Some(group) = group else {
        return child_proposals(child, spi, &Exchanges::NONE);
    };
    let mut all = usable_groups(provider, weak);
    all.retain(|other| *other != group);
    all.insert(0, group);
    let exchanges = Exchanges {
        groups: &all,
        none: false,
        additional: &as_the_peer_likes(child),
    };
    child_proposals(child, spi, &exchanges)
}

fn usable_groups(provider: &Provider, weak: WeakAlgorithms) -> Vec<GroupId> {
    let ids = provider.groups.iter().map(|g| g.id());
    ids.filter(|id| weak.check(*id).is_ok()).collect()
}

fn as_the_peer_likes(child: &ChildConfig) -> Vec<AdditionalKeyExchange> {
    let mut additional = child.additional.clone();
    additional.iter_mut().for_each(|a| a.optional = true);
    additional
}

/// The key exchanges of a child's proposals.
struct Exchanges<'a> {
    groups: &'a [GroupId],
    /// Or without any.
    none: bool,
    additional: &'a [AdditionalKeyExchange],
}

impl Exchanges<'_> {
    const NONE: Self = Exchanges {
        groups: &[],
        none: true,
        additional: &[],
    };
}

/// The proposals of a child, as a responder compares them: where PFS is as the peer likes, every
/// method of the provider that is not weak, and none.
#[must_use]
pub fn child_policy(
    child: &ChildConfig,
    ke: ChildKeyExchange,
    provider: &Provider,
    weak: WeakAlgorithms,
) -> Vec<Proposal> {
    let all: Vec<GroupId>;
    let additional: Vec<AdditionalKeyExchange>;
    let exchanges = match (ke, &child.pfs) {
        (ChildKeyExchange::Never, _) | (_, Pfs::Off) => Exchanges::NONE,
        (_, Pfs::Required(group)) => Exchanges {
            groups: core::slice::from_ref(group),
            none: false,
            additional: &child.additional,
        },
        (_, Pfs::AcceptIfOffered) => {
            all = usable_groups(provider, weak);
            additional = as_the_peer_likes(child);
            Exchanges {
                groups: &all,
                none: true,
                additional: &additional,
            }
        }
    };
    child_proposals(child, 0, &exchanges)
}

fn child_proposals(child: &ChildConfig, spi: u32, exchanges: &Exchanges<'_>) -> Vec<Proposal> {
    let mut list: Vec<Proposal> = Vec::new();
    let mut open_aead = false;
    for suite in &child.suites {
        let Some((protocol, transforms)) = suite_transforms(*suite) else {
            continue;
        };
        let aead = matches!(suite, ChildSuite::Esp(ProtectionId::Aead(_)));
        match list.last_mut().filter(|_| aead && open_aead) {
            Some(last) => last.transforms.extend(transforms),
            None => list.push(Proposal {
                number: 0,
                protocol,
                spi: spi.to_be_bytes().into(),
                transforms,
            }),
        }
        open_aead = aead;
    }
    for proposal in &mut list {
        let transforms = &mut proposal.transforms;
        transforms.extend(key_exchanges(TransformType::KEY_EXCHANGE, exchanges.groups));
        if exchanges.none && !exchanges.groups.is_empty() {
            transforms.extend(Transform::none(TransformType::KEY_EXCHANGE));
        }
        let numbers: &[SequenceNumbers] = if child.esn {
            &[SequenceNumbers::ESN, SequenceNumbers::NO_ESN]
        } else {
            &[SequenceNumbers::NO_ESN]
        };
        let transform =
            |n: &SequenceNumbers| Transform::new(TransformType::SEQUENCE_NUMBERS, *n, None);
        transforms.extend(numbers.iter().map(transform));
        transforms.extend(additional_transforms(exchanges.additional));
    }
    let list = list.into_iter().map(|p| (p, exchanges.additional));
    numbered(with_plain(list))
}

/// Protocol, encryption and integrity of a protection.
fn suite_transforms(suite: ChildSuite) -> Option<(ProtocolId, Vec<Transform>)> {
    let encryption = |(id, bits)| Transform::new(TransformType::ENCRYPTION, id, bits);
    let integrity = |id| {
        let number = alg::integrity_to_wire(id)?;
        Some(Transform::new(TransformType::INTEGRITY, number, None))
    };
    Some(match suite {
        ChildSuite::Esp(ProtectionId::CbcHmac(cipher, mac)) => {
            let cipher = encryption(alg::cipher_to_wire(cipher)?);
            (ProtocolId::ESP, alloc::vec![cipher, integrity(mac)?])
        }
        ChildSuite::Esp(ProtectionId::NullHmac(mac)) => {
            let null = isakmp_wire::registry::v2::EncryptionId::NULL;
            let null = encryption((null, None));
            (ProtocolId::ESP, alloc::vec![null, integrity(mac)?])
        }
        ChildSuite::Esp(ProtectionId::Aead(aead)) => {
            let cipher = encryption(alg::aead_to_wire(aead)?);
            (ProtocolId::ESP, alloc::vec![cipher])
        }
        ChildSuite::Ah(mac) => (ProtocolId::AH, alloc::vec![integrity(mac)?]),
        ChildSuite::Esp(_) => return None,
    })
}

fn key_exchanges(kind: TransformType, groups: &[GroupId]) -> impl Iterator<Item = Transform> {
    groups
        .iter()
        .filter_map(|id| alg::group_to_wire(*id))
        .map(move |number| Transform::new(kind, number, None))
}

/// RFC 7296 §3.3.1: the first proposal is number 1, each one after it one more.
fn numbered(mut list: Vec<Proposal>) -> Vec<Proposal> {
    for (number, proposal) in (1..=u8::MAX).zip(&mut list) {
        proposal.number = number;
    }
    list.truncate(usize::from(u8::MAX));
    list
}
