//! One proposal against another, type by type.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crypto_suite::GroupId;
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::registry::v2::{KeyExchangeMethod, TransformType};

use super::proposal::{Proposal, Transform};
use crate::alg::v2 as alg;
use crate::policy::Listener;

/// Values of one type that a record keeps.
const KEPT: usize = 16;

/// What a comparison depends on beside the proposals.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// What is negotiated, for the records: a child's name, or `IKE SA`.
    pub subject: &'a str,
    /// Which SPI a proposal must carry.
    pub spi: SpiRule,
    /// The method of the KE payload that came (responder) or was sent (initiator).
    pub key_exchange: Option<GroupId>,
    /// Additional key exchanges are understood: in the initial exchange only if IKE_INTERMEDIATE is
    /// supported by both (RFC 9370 §2.2.1).
    pub additional: bool,
}

/// The SPI of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpiRule {
    /// IKE_SA_INIT: it is that of the header; one in the proposal is not looked at.
    InHeader,
    /// The 8 octets of a new IKE SA, not zero.
    Ike,
    /// The 4 octets of an IPsec SA, above 255 (RFC 4303 §2.1).
    Child,
}

impl SpiRule {
    fn admits(self, spi: &[u8]) -> bool {
        match self {
            Self::InHeader => true,
            Self::Ike => spi.len() == 8 && spi.iter().any(|octet| *octet != 0),
            Self::Child => <[u8; 4]>::try_from(spi).is_ok_and(|spi| u32::from_be_bytes(spi) > 255),
        }
    }
}

/// Why a proposal is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProposalFault {
    /// Another protocol.
    Protocol(ProtocolId),
    /// An SPI of a length or value that the protocol does not have.
    Spi,
    /// A transform type that means nothing here (RFC 7296 §3.3.6).
    UnexpectedType(TransformType),
    /// A mandatory transform type is not there (RFC 7296 §3.3.3).
    Missing(TransformType),
    /// No value of this type is acceptable to both.
    NoCommon(TransformType),
    /// Two additional key exchanges would use one method (RFC 9370 §2.2.1).
    RepeatedMethod(TransformType),
    /// An answer names another number of proposals than one, or a number that was not offered.
    Number,
    /// An answer has several transforms of one type.
    Several(TransformType),
    /// An answer has a value that was not offered.
    NotOffered(TransformType),
    /// An answer chooses another method than that of the KE payload it accepted.
    KeyExchange,
}

impl fmt::Display for ProposalFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(id) => write!(f, "protocol {id}"),
            Self::Spi => f.write_str("SPI of a length or value that cannot be"),
            Self::UnexpectedType(kind) => write!(f, "transform type {kind} does not belong there"),
            Self::Missing(kind) => write!(f, "{kind} is missing"),
            Self::NoCommon(kind) => write!(f, "no {kind} is acceptable to both"),
            Self::RepeatedMethod(kind) => {
                write!(f, "{kind} has no method that is not used already")
            }
            Self::Number => f.write_str("the answer names no proposal of the offer, or several"),
            Self::Several(kind) => write!(f, "the answer has several {kind}"),
            Self::NotOffered(kind) => write!(f, "the answer has a {kind} that was not offered"),
            Self::KeyExchange => f.write_str("another method than that of the KE payload"),
        }
    }
}

/// One proposal of the peer against one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalRecord {
    /// What is negotiated: a child's name, or `IKE SA`.
    pub subject: String,
    /// Number of our proposal.
    pub ours: u8,
    /// Number of the peer's.
    pub theirs: u8,
    /// Protocol of the peer's.
    pub protocol: ProtocolId,
    /// Each transform type that either of them names.
    pub types: Vec<TypeRecord>,
    /// The first thing that refuses it.
    pub fault: Option<ProposalFault>,
}

/// One transform type of a comparison. Lists keep their first 16 values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeRecord {
    /// The type.
    pub kind: TransformType,
    /// What we accept; nothing when the type means nothing to us.
    pub ours: Vec<Transform>,
    /// What the peer names.
    pub theirs: Vec<Transform>,
    /// What is chosen.
    pub chosen: Option<Transform>,
}

/// What two proposals have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Place of our proposal, from 0.
    pub ours: usize,
    /// Number of the accepted proposal.
    pub number: u8,
    /// Protocol.
    pub protocol: ProtocolId,
    /// The peer's SPI.
    pub peer_spi: Vec<u8>,
    /// One transform of each type that the offer names.
    pub transforms: Vec<Transform>,
}

impl Choice {
    /// The one proposal of the answer, with our own SPI (RFC 7296 §3.3.1).
    #[must_use]
    pub fn answer(&self, spi: &[u8]) -> Proposal {
        Proposal {
            number: self.number,
            protocol: self.protocol,
            spi: spi.into(),
            transforms: self.transforms.clone(),
        }
    }

    /// What is chosen of one type; NONE counts as nothing.
    #[must_use]
    pub fn of_type(&self, kind: TransformType) -> Option<&Transform> {
        self.transforms
            .iter()
            .find(|t| t.kind == kind && !t.is_none())
    }
}

/// Responder: takes the first of our proposals that one of the peer's meets, whole (RFC 7296
/// §2.7, §3.3.6). `report` is told of every comparison made.
///
/// Of each type the value that we like best is chosen, but of key exchanges the one whose KE
/// payload is there already.
pub fn choose(
    ours: &[Proposal],
    theirs: &[Proposal],
    terms: &Terms<'_>,
    mut report: Listener<'_, ProposalRecord>,
) -> Option<Choice> {
    for (place, mine) in ours.iter().enumerate() {
        for proposal in theirs {
            let record = compare(mine, proposal, terms);
            let choice = record.fault.is_none().then(|| Choice {
                ours: place,
                number: proposal.number,
                protocol: proposal.protocol,
                peer_spi: proposal.spi.clone(),
                transforms: answer_transforms(&record, proposal),
            });
            if let Some(report) = &mut report {
                report(record.about(terms));
            }
            if choice.is_some() {
                return choice;
            }
        }
    }
    None
}

/// What is chosen, of the types that the offer names and in their order.
fn answer_transforms(record: &ProposalRecord, offer: &Proposal) -> Vec<Transform> {
    let chosen = |kind| record.types.iter().find(|t| t.kind == kind)?.chosen;
    offer.types().into_iter().filter_map(chosen).collect()
}

impl ProposalRecord {
    /// The record for a listener. A comparison that nobody hears of does without the name.
    fn about(mut self, terms: &Terms<'_>) -> Self {
        self.subject = terms.subject.into();
        self
    }
}

/// Compares all types of two proposals.
pub(super) fn compare(ours: &Proposal, theirs: &Proposal, terms: &Terms<'_>) -> ProposalRecord {
    let mut types = ours.types();
    for kind in theirs.types() {
        if !types.contains(&kind) {
            types.push(kind);
        }
    }
    let mut fault = if ours.protocol != theirs.protocol {
        Some(ProposalFault::Protocol(theirs.protocol))
    } else if !terms.spi.admits(&theirs.spi) {
        Some(ProposalFault::Spi)
    } else {
        None
    };
    let mut records = Vec::with_capacity(types.len());
    let mut slots: Vec<Slot> = Vec::new();
    for kind in types {
        let (mine, offered) = (values(ours, kind), values(theirs, kind));
        let mut common: Vec<Transform> = mine
            .iter()
            .filter(|t| offered.contains(t))
            .copied()
            .collect();
        if kind == TransformType::KEY_EXCHANGE {
            prefer_key_exchange(&mut common, terms.key_exchange);
        }
        let alone = terms.spi == SpiRule::Child && terms.key_exchange.is_none();
        if alone && kind.is_additional_key_exchange() {
            // RFC 9370 §2.2.4: along with transform type 4 only.
            common.retain(Transform::is_none);
        }
        let here = ours.of_type(kind).next().is_some();
        let there = theirs.of_type(kind).next().is_some();
        let found = if there && !terms.additional && kind.is_additional_key_exchange() {
            // RFC 9370 §2.2.1: as an unknown type.
            Some(ProposalFault::UnexpectedType(kind))
        } else if !common.is_empty() {
            None
        } else if mine.is_empty() {
            Some(ProposalFault::UnexpectedType(kind))
        } else if !there && here && Transform::none(kind).is_none() {
            Some(ProposalFault::Missing(kind))
        } else {
            Some(ProposalFault::NoCommon(kind))
        };
        fault = fault.or(found);
        if kind.is_additional_key_exchange() && found.is_none() {
            slots.push(Slot {
                kind,
                common: common.clone(),
                chosen: None,
            });
        }
        records.push(TypeRecord {
            kind,
            chosen: common.first().copied().filter(|_| found.is_none()),
            ours: kept(mine),
            theirs: kept(theirs.of_type(kind).copied().collect()),
        });
    }
    let repeated = assign(&mut slots).err().map(ProposalFault::RepeatedMethod);
    for slot in slots {
        if let Some(record) = records.iter_mut().find(|r| r.kind == slot.kind) {
            record.chosen = slot.chosen;
        }
    }
    ProposalRecord {
        subject: String::new(),
        ours: ours.number,
        theirs: theirs.number,
        protocol: theirs.protocol,
        types: records,
        fault: fault.or(repeated),
    }
}

/// The usable values of a type; NONE when it is not named and has such a value.
fn values(proposal: &Proposal, kind: TransformType) -> Vec<Transform> {
    let mut named = proposal.of_type(kind).peekable();
    if named.peek().is_none() {
        return Transform::none(kind).into_iter().collect();
    }
    named.filter(|t| t.understood).copied().collect()
}

fn kept(mut list: Vec<Transform>) -> Vec<Transform> {
    list.truncate(KEPT);
    list
}

/// Puts the method of the KE payload first; without one, doing without.
fn prefer_key_exchange(common: &mut [Transform], method: Option<GroupId>) {
    let wanted = method.map_or(Some(KeyExchangeMethod::NONE), alg::group_to_wire);
    let place = common
        .iter()
        .position(|t| Some(t.id) == wanted.map(|m| m.0));
    if let Some(head) = place.and_then(|place| common.get_mut(..=place)) {
        head.rotate_right(1);
    }
}

/// One additional key exchange and what both would do there.
struct Slot {
    kind: TransformType,
    common: Vec<Transform>,
    chosen: Option<Transform>,
}

/// Gives each slot a method that no other one has (RFC 9370 §2.2.1): a maximum matching, earlier
/// values first. NONE may repeat.
fn assign(slots: &mut [Slot]) -> Result<(), TransformType> {
    for place in 0..slots.len() {
        let mut tried = Vec::new();
        if !place_method(slots, place, &mut tried) {
            return Err(slots.get(place).map_or(TransformType(0), |s| s.kind));
        }
    }
    Ok(())
}

/// A method that nobody has, then one whose holder finds another (Kuhn's augmenting path), then
/// NONE. Each method is tried once, so depth and work are bounded by their number.
fn place_method(slots: &mut [Slot], place: usize, tried: &mut Vec<u16>) -> bool {
    let Some(slot) = slots.get(place) else {
        return false;
    };
    let common = slot.common.clone();
    let holder = |slots: &[Slot], t: &Transform| {
        slots
            .iter()
            .position(|s| s.chosen.is_some_and(|c| c.id == t.id))
    };
    let real = || common.iter().filter(|t| !t.is_none());
    let free = real().find(|t| holder(slots, t).is_none());
    let found = free.or_else(|| {
        real().find(|t| {
            if tried.contains(&t.id) {
                return false;
            }
            tried.push(t.id);
            holder(slots, t).is_some_and(|other| place_method(slots, other, tried))
        })
    });
    let found = found.or_else(|| common.iter().find(|t| t.is_none()));
    match (slots.get_mut(place), found) {
        (Some(slot), Some(method)) => {
            slot.chosen = Some(*method);
            true
        }
        _ => false,
    }
}

/// Initiator: checks that the answer is exactly one of our proposals, with one value of each type
/// and nothing else (RFC 7296 §3.3.6). `report` is told of the comparison.
///
/// # Errors
/// The first thing in the answer that was not offered.
pub fn check_answer(
    offer: &[Proposal],
    answer: &[Proposal],
    terms: &Terms<'_>,
    report: Listener<'_, ProposalRecord>,
) -> Result<Choice, ProposalFault> {
    let [theirs] = answer else {
        return Err(ProposalFault::Number);
    };
    let place = offer.iter().position(|p| p.number == theirs.number);
    let (place, ours) = place
        .and_then(|place| Some((place, offer.get(place)?)))
        .ok_or(ProposalFault::Number)?;
    let mut record = compare(ours, theirs, terms);
    record.fault = answer_fault(theirs, &record, terms);
    let (fault, transforms) = (record.fault, answer_transforms(&record, ours));
    if let Some(report) = report {
        report(record.about(terms));
    }
    match fault {
        Some(fault) => Err(fault),
        None => Ok(Choice {
            ours: place,
            number: theirs.number,
            protocol: theirs.protocol,
            peer_spi: theirs.spi.clone(),
            transforms,
        }),
    }
}

fn answer_fault(
    theirs: &Proposal,
    record: &ProposalRecord,
    terms: &Terms<'_>,
) -> Option<ProposalFault> {
    let several = |t: &&TypeRecord| theirs.of_type(t.kind).nth(1).is_some();
    if let Some(t) = record.types.iter().find(several) {
        return Some(ProposalFault::Several(t.kind));
    }
    match record.fault {
        Some(ProposalFault::NoCommon(kind)) if theirs.of_type(kind).next().is_none() => {
            return Some(ProposalFault::Missing(kind));
        }
        Some(ProposalFault::NoCommon(kind) | ProposalFault::UnexpectedType(kind)) => {
            return Some(ProposalFault::NotOffered(kind));
        }
        Some(other) => return Some(other),
        None => {}
    }
    let chosen = theirs
        .of_type(TransformType::KEY_EXCHANGE)
        .find(|t| !t.is_none())?;
    let sent = terms.key_exchange.and_then(alg::group_to_wire);
    (sent.map(|m| m.0) != Some(chosen.id)).then_some(ProposalFault::KeyExchange)
}
