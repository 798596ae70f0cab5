//! Phase 2: proposals that may be taken one or the other, transforms in them (RFC 2408 §4.2,
//! RFC 2407 §4.5).

use alloc::string::String;
use alloc::vec::Vec;

use crypto_suite::{GroupId, Provider, WeakAlgorithms};
use isakmp_wire::registry::v1::{
    AuthenticationAlgorithm, EncapsulationMode, GroupDescription, Phase2Class,
};
use isakmp_wire::v1;

use super::Listener;
use super::attribute::{Attribute, Collector, Mismatch, OfferedLifetime, OfferedTransform};
use super::lifetime::lifetime_attributes;
use crate::alg::{self, SuiteFault, SuiteOnWire};
use crate::config::{ChildConfig, Lifetime, Pfs};
use crate::model::{ChildSuite, Mode};

/// Attribute classes that mean something here.
const KNOWN: &[u16] = &[
    Phase2Class::SA_LIFE_TYPE.0,
    Phase2Class::SA_LIFE_DURATION.0,
    Phase2Class::GROUP_DESCRIPTION.0,
    Phase2Class::ENCAPSULATION_MODE.0,
    Phase2Class::AUTHENTICATION_ALGORITHM.0,
    Phase2Class::KEY_LENGTH.0,
    Phase2Class::EXTENDED_SEQUENCE_NUMBER.0,
];

/// Which encapsulation modes are said (RFC 3947 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NatModes {
    /// No NAT: Tunnel (1), Transport (2).
    #[default]
    Plain,
    /// NAT found: UDP-Encapsulated-Tunnel (3), -Transport (4).
    Udp,
    /// NAT found, and the peer speaks a draft: 61443, 61444.
    UdpDraft,
}

impl NatModes {
    fn number(self, mode: Mode) -> EncapsulationMode {
        match (self, mode) {
            (Self::Plain, Mode::Tunnel) => EncapsulationMode::TUNNEL,
            (Self::Plain, Mode::Transport) => EncapsulationMode::TRANSPORT,
            (Self::Udp, Mode::Tunnel) => EncapsulationMode::UDP_TUNNEL,
            (Self::Udp, Mode::Transport) => EncapsulationMode::UDP_TRANSPORT,
            (Self::UdpDraft, Mode::Tunnel) => EncapsulationMode::UDP_TUNNEL_DRAFT,
            (Self::UdpDraft, Mode::Transport) => EncapsulationMode::UDP_TRANSPORT_DRAFT,
        }
    }

    /// Is ESP carried in UDP?
    #[must_use]
    pub const fn udp(self) -> bool {
        !matches!(self, Self::Plain)
    }
}

/// Tunnel or transport, and whether in UDP, of an encapsulation mode.
fn mode_of(value: EncapsulationMode) -> Option<(Mode, bool)> {
    match value {
        EncapsulationMode::TUNNEL => Some((Mode::Tunnel, false)),
        EncapsulationMode::TRANSPORT => Some((Mode::Transport, false)),
        EncapsulationMode::UDP_TUNNEL | EncapsulationMode::UDP_TUNNEL_DRAFT => {
            Some((Mode::Tunnel, true))
        }
        EncapsulationMode::UDP_TRANSPORT | EncapsulationMode::UDP_TRANSPORT_DRAFT => {
            Some((Mode::Transport, true))
        }
        _ => None,
    }
}

/// One proposal of an offer or of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildOffer {
    /// Proposal number. Proposals of one number are to be taken together.
    pub number: u8,
    /// Protocol-ID.
    pub protocol: u8,
    /// The sender's SPI.
    pub spi: Vec<u8>,
    /// Transforms, of which one is chosen.
    pub transforms: Vec<OfferedTransform>,
}

impl ChildOffer {
    /// The SPI of AH or ESP: four bytes, above the reserved range (RFC 4303 §2.1).
    fn spi(&self) -> Option<u32> {
        let spi = u32::from_be_bytes(<[u8; 4]>::try_from(self.spi.as_slice()).ok()?);
        (spi > 255).then_some(spi)
    }
}

/// What a comparison in phase 2 needs beside the child's configuration.
#[derive(Clone, Copy)]
pub struct Phase2Context<'a> {
    /// What can be computed.
    pub provider: &'a Provider,
    /// Weak algorithms that may be used.
    pub weak: WeakAlgorithms,
    /// Whether there is a NAT.
    pub nat: NatModes,
}

/// A proposal and transform that were chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase2Choice {
    /// Place of the proposal in the offer, from 0.
    pub proposal: usize,
    /// Place of the transform in its proposal, from 0.
    pub transform: usize,
    /// Proposal number, to be repeated in the answer.
    pub proposal_number: u8,
    /// The chosen transform, to be repeated in the answer.
    pub chosen: OfferedTransform,
    /// The other side's SPI.
    pub spi: u32,
    /// What protects the packets.
    pub suite: ChildSuite,
    /// Tunnel or transport.
    pub mode: Mode,
    /// ESP in UDP.
    pub udp_encapsulation: bool,
    /// The group of PFS.
    pub group: Option<GroupId>,
    /// Extended sequence numbers.
    pub esn: bool,
    /// What was offered (RFC 2407 §4.5: 28800 s when nothing was).
    pub offered: Lifetime,
    /// What holds at our end.
    pub lifetime: Lifetime,
}

impl Phase2Choice {
    /// The lifetime to tell the peer in a RESPONDER-LIFETIME (RFC 2407 §4.5.4, §4.6.3.1): there
    /// when ours is shorter than what was offered.
    #[must_use]
    pub fn lifetime_to_tell(&self) -> Option<Lifetime> {
        (self.lifetime != self.offered).then_some(self.lifetime)
    }
}

/// One phase 2 transform against one child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalCheck {
    /// The child's name in the configuration.
    pub child: String,
    /// Proposal number on the wire.
    pub proposal: u8,
    /// Protocol-ID of the proposal.
    pub protocol: u8,
    /// Transform number on the wire.
    pub transform: u8,
    /// Transform-ID on the wire.
    pub transform_id: u8,
    /// The transform's attributes in wire order.
    pub attributes: Vec<Attribute>,
    /// The first mismatch.
    pub verdict: Option<Mismatch>,
}

/// What is found in an offer while it is compared, or in what was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase2Finding {
    /// A transform was held against a child's configuration.
    Compared(ProposalCheck),
    /// The peer wants PFS; the child's configuration neither demands nor refuses it.
    PfsOfferedUnasked {
        /// The group.
        group: GroupId,
    },
    /// The peer is offered less time or volume than it asked for, and told so.
    LifetimeCut {
        /// What it asked for.
        offered: Lifetime,
        /// What it gets.
        granted: Lifetime,
    },
}

/// Why an offer or answer leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Phase2Refusal {
    /// No transform is acceptable; with the mismatch of the first one.
    #[error("nothing is acceptable, first because of: {0}")]
    NoProposalChosen(Mismatch),
    /// RFC 2407 §4.5.2: attributes contradict each other, the setup must be aborted.
    #[error("attribute {0} contradicts itself")]
    ConflictingAttributes(u16),
    /// RFC 2409 §5.5: the group must be the same in every transform.
    #[error("transforms of one quick mode name different groups")]
    MixedGroups,
    /// An answer is one proposal with one transform.
    #[error("an answer of {0} proposals or transforms")]
    NotOne(usize),
    /// The answer is none of the offered ones.
    #[error("the answer was not offered")]
    NotOffered,
}

/// The proposals that a child's configuration offers, one per suite, best first, with our SPI for
/// each of them.
#[must_use]
pub fn phase2_offer(child: &ChildConfig, nat: NatModes, spi: u32) -> Vec<ChildOffer> {
    let group = match child.pfs {
        Pfs::Required(group) => Some(group),
        _ => None,
    };
    phase2_offer_with(child, nat, spi, group)
}

/// What is offered with this group of PFS, or with none.
pub(crate) fn phase2_offer_with(
    child: &ChildConfig,
    nat: NatModes,
    spi: u32,
    group: Option<GroupId>,
) -> Vec<ChildOffer> {
    let mut offers: Vec<ChildOffer> = Vec::new();
    for suite in &child.suites {
        let Some(wire) = alg::suite_to_wire(*suite) else {
            continue;
        };
        let attributes = attributes_of(child, &wire, nat, group);
        // Transforms of one protocol stand in one proposal: the responder takes one of them.
        match offers.last_mut().filter(|o| o.protocol == wire.protocol) {
            Some(offer) => {
                let Ok(number) = u8::try_from(offer.transforms.len().saturating_add(1)) else {
                    break;
                };
                if let Some(last) = offer.transforms.last_mut() {
                    last.next_payload = 3;
                }
                let id = wire.transform;
                offer.transforms.push(OfferedTransform {
                    number,
                    id,
                    attributes,
                    next_payload: 0,
                });
            }
            None => {
                let Ok(number) = u8::try_from(offers.len().saturating_add(1)) else {
                    break;
                };
                offers.push(ChildOffer {
                    number,
                    protocol: wire.protocol,
                    spi: spi.to_be_bytes().into(),
                    transforms: alloc::vec![OfferedTransform {
                        number: 1,
                        id: wire.transform,
                        attributes,
                        next_payload: 0,
                    }],
                });
            }
        }
    }
    offers
}

fn attributes_of(
    child: &ChildConfig,
    wire: &SuiteOnWire,
    nat: NatModes,
    group: Option<GroupId>,
) -> Vec<Attribute> {
    let mut list = lifetime_attributes(&child.lifetime);
    if let Some(group) = group.and_then(alg::group_to_wire) {
        list.push(Attribute::basic(Phase2Class::GROUP_DESCRIPTION, group));
    }
    list.push(Attribute::basic(
        Phase2Class::ENCAPSULATION_MODE,
        nat.number(child.mode),
    ));
    if let Some(authentication) = wire.authentication {
        list.push(Attribute::basic(
            Phase2Class::AUTHENTICATION_ALGORITHM,
            authentication,
        ));
    }
    if let Some(bits) = wire.key_length {
        list.push(Attribute::basic(Phase2Class::KEY_LENGTH, bits));
    }
    if child.esn {
        // RFC 4304 §2: 1 is 64-bit sequence numbers.
        list.push(Attribute::basic(
            Phase2Class::EXTENDED_SEQUENCE_NUMBER,
            1u16,
        ));
    }
    list
}

/// Proposals and transforms of one offer that are looked at.
const MOST_PROPOSALS: usize = 64;
const MOST_TRANSFORMS: usize = 1024;

/// The proposals of a phase 2 SA payload: the first 64 of them, and as many as have 1,024 transforms.
#[must_use]
pub fn read_phase2(sa: &v1::Sa<'_>) -> Vec<ChildOffer> {
    let mut room = MOST_TRANSFORMS;
    let fits = |p: &v1::Proposal<'_>| {
        let rest = room.checked_sub(usize::from(p.transform_count));
        room = rest.unwrap_or(0);
        rest.is_some()
    };
    let kept = sa.proposals().take(MOST_PROPOSALS).take_while(fits);
    let proposals = kept.map(|p| ChildOffer {
        number: p.number,
        protocol: p.protocol_id.0,
        spi: p.spi.iter().copied().take(16).collect(),
        transforms: p.transforms().map(|t| OfferedTransform::from(&t)).collect(),
    });
    proposals.collect()
}

/// Chooses from an offer: the peer's proposals and transforms in wire order, the first that the
/// child's configuration accepts.
///
/// # Errors
/// Why nothing was chosen.
pub fn choose_phase2(
    child: &ChildConfig,
    offer: &[ChildOffer],
    context: &Phase2Context<'_>,
    mut report: Listener<'_, Phase2Finding>,
) -> Result<Phase2Choice, Phase2Refusal> {
    same_group_everywhere(offer)?;
    let mut first = None;
    for (proposal, p) in offer.iter().enumerate() {
        let bundled = offer
            .iter()
            .enumerate()
            .any(|(n, o)| n != proposal && o.number == p.number);
        for (transform, t) in p.transforms.iter().enumerate() {
            let result = if bundled {
                Err(Mismatch::Bundle)
            } else {
                compare(child, p, t, context)
            };
            if let Some(report) = &mut report {
                report(check_record(child, p, t, result.as_ref().err().copied()));
            }
            match result {
                Ok(accepted) => {
                    let choice = accepted.into_choice(proposal, transform, p, t);
                    notices(child, &choice, report);
                    return Ok(choice);
                }
                // RFC 2407 §4.5.2: "the security association setup MUST be aborted."
                Err(Mismatch::Conflict(class)) => {
                    return Err(Phase2Refusal::ConflictingAttributes(class));
                }
                Err(mismatch) => first = first.or(Some(mismatch)),
            }
        }
    }
    Err(Phase2Refusal::NoProposalChosen(
        first.unwrap_or(Mismatch::Bundle),
    ))
}

/// Checks the answer to our offer: one proposal with one transform, both as we offered them.
///
/// # Errors
/// What is wrong with the answer.
pub fn check_phase2_answer(
    child: &ChildConfig,
    offer: &[ChildOffer],
    answer: &[ChildOffer],
    context: &Phase2Context<'_>,
    report: Listener<'_, Phase2Finding>,
) -> Result<Phase2Choice, Phase2Refusal> {
    let [p] = answer else {
        return Err(Phase2Refusal::NotOne(answer.len()));
    };
    let [t] = p.transforms.as_slice() else {
        return Err(Phase2Refusal::NotOne(p.transforms.len()));
    };
    // RFC 2408 §4.2: the proposal number is retained; the transform says what it said.
    let same = |o: &&ChildOffer| {
        o.number == p.number
            && o.protocol == p.protocol
            && o.transforms.iter().any(|x| x.says_the_same(t))
    };
    if !offer.iter().any(|o| same(&o)) {
        return Err(Phase2Refusal::NotOffered);
    }
    let result = compare(child, p, t, context);
    if let Some(report) = report {
        report(check_record(child, p, t, result.as_ref().err().copied()));
    }
    match result {
        Ok(accepted) => Ok(accepted.into_choice(0, 0, p, t)),
        Err(Mismatch::Conflict(class)) => Err(Phase2Refusal::ConflictingAttributes(class)),
        Err(mismatch) => Err(Phase2Refusal::NoProposalChosen(mismatch)),
    }
}

/// RFC 2409 §5.5: with a KE payload, every transform of every proposal names the same group.
fn same_group_everywhere(offer: &[ChildOffer]) -> Result<(), Phase2Refusal> {
    let mut groups = offer.iter().flat_map(|p| &p.transforms).map(|t| {
        let class = Phase2Class::GROUP_DESCRIPTION.0;
        t.attributes
            .iter()
            .find(|a| a.class == class)
            .and_then(Attribute::number)
    });
    let first = groups.next();
    if groups.all(|g| Some(g) == first) {
        Ok(())
    } else {
        Err(Phase2Refusal::MixedGroups)
    }
}

fn check_record(
    child: &ChildConfig,
    p: &ChildOffer,
    t: &OfferedTransform,
    verdict: Option<Mismatch>,
) -> Phase2Finding {
    Phase2Finding::Compared(ProposalCheck {
        child: String::from(child.name.as_str()),
        proposal: p.number,
        protocol: p.protocol,
        transform: t.number,
        transform_id: t.id,
        attributes: t.attributes.clone(),
        verdict,
    })
}

fn notices(child: &ChildConfig, choice: &Phase2Choice, report: Listener<'_, Phase2Finding>) {
    let Some(report) = report else { return };
    if let (Pfs::AcceptIfOffered, Some(group)) = (child.pfs, choice.group) {
        report(Phase2Finding::PfsOfferedUnasked { group });
    }
    if let Some(granted) = choice.lifetime_to_tell() {
        let offered = choice.offered;
        report(Phase2Finding::LifetimeCut { offered, granted });
    }
}

struct Accepted {
    spi: u32,
    suite: ChildSuite,
    mode: Mode,
    udp_encapsulation: bool,
    group: Option<GroupId>,
    esn: bool,
    offered: Lifetime,
    lifetime: Lifetime,
}

impl Accepted {
    fn into_choice(
        self,
        proposal: usize,
        transform: usize,
        p: &ChildOffer,
        t: &OfferedTransform,
    ) -> Phase2Choice {
        Phase2Choice {
            proposal,
            transform,
            proposal_number: p.number,
            chosen: t.clone(),
            spi: self.spi,
            suite: self.suite,
            mode: self.mode,
            udp_encapsulation: self.udp_encapsulation,
            group: self.group,
            esn: self.esn,
            offered: self.offered,
            lifetime: self.lifetime,
        }
    }
}

fn compare(
    child: &ChildConfig,
    p: &ChildOffer,
    t: &OfferedTransform,
    context: &Phase2Context<'_>,
) -> Result<Accepted, Mismatch> {
    let values = Values::read(t)?;
    let spi = p.spi().ok_or(Mismatch::Spi)?;
    let suite = alg::suite_from_wire(&SuiteOnWire {
        protocol: p.protocol,
        transform: t.id,
        key_length: values.key_length,
        authentication: values.authentication,
    })
    .map_err(|fault| match fault {
        SuiteFault::Protocol(id) => Mismatch::Protocol(id),
        SuiteFault::Transform(id) => Mismatch::TransformId(id),
        SuiteFault::KeyLength(_) => Mismatch::KeyLength,
        SuiteFault::Authentication(_) => Mismatch::Authentication,
        SuiteFault::NoIntegrity => Mismatch::NoIntegrity,
    })?;
    if !child.suites.contains(&suite) {
        return Err(nearest_suite(&child.suites, suite));
    }
    // RFC 2407 §4.5: a mode that is not named is the host's own choice.
    let (mode, udp_encapsulation) = match values.mode {
        None => (child.mode, context.nat.udp()),
        Some(value) => mode_of(value).ok_or(Mismatch::Mode)?,
    };
    // RFC 3947 §5.1: UDP encapsulation when there is a NAT, and only then.
    if mode != child.mode || udp_encapsulation != context.nat.udp() {
        return Err(Mismatch::Mode);
    }
    let group = group(child.pfs, values.group, context)?;
    let esn = match values.esn {
        None | Some(0) => false,
        Some(1) if child.esn => true,
        Some(_) => return Err(Mismatch::Esn),
    };
    let offered = values.lifetime.or(Lifetime::UNSPECIFIED);
    let lifetime = offered.min(child.lifetime);
    Ok(Accepted {
        spi,
        suite,
        mode,
        udp_encapsulation,
        group,
        esn,
        offered,
        lifetime,
    })
}

fn group(
    pfs: Pfs,
    offered: Option<GroupDescription>,
    context: &Phase2Context<'_>,
) -> Result<Option<GroupId>, Mismatch> {
    match (pfs, offered) {
        (Pfs::Off | Pfs::AcceptIfOffered, None) => Ok(None),
        (Pfs::Off, Some(_)) | (Pfs::Required(_), None) => Err(Mismatch::Pfs),
        (Pfs::Required(wanted), Some(value)) => {
            let group = alg::group_from_wire(value).filter(|g| *g == wanted);
            group.map(Some).ok_or(Mismatch::Group)
        }
        (Pfs::AcceptIfOffered, Some(value)) => {
            let group = alg::group_from_wire(value).ok_or(Mismatch::Group)?;
            if context.provider.group(group).is_none() {
                return Err(Mismatch::Group);
            }
            context.weak.check(group).map_err(|_| Mismatch::Weak)?;
            Ok(Some(group))
        }
    }
}

/// In what an offered suite differs from the ones we have: the fewest things.
fn nearest_suite(ours: &[ChildSuite], offered: ChildSuite) -> Mismatch {
    let Some(wanted) = alg::suite_to_wire(offered) else {
        return Mismatch::Encryption;
    };
    let wires: Vec<SuiteOnWire> = ours.iter().filter_map(|s| alg::suite_to_wire(*s)).collect();
    let protocol: Vec<&SuiteOnWire> = wires
        .iter()
        .filter(|w| w.protocol == wanted.protocol)
        .collect();
    if protocol.is_empty() {
        return Mismatch::Protocol(wanted.protocol);
    }
    let transform: Vec<&&SuiteOnWire> = protocol
        .iter()
        .filter(|w| w.transform == wanted.transform)
        .collect();
    if transform.is_empty() {
        return Mismatch::TransformId(wanted.transform);
    }
    if transform.iter().any(|w| w.key_length == wanted.key_length) {
        Mismatch::Authentication
    } else {
        Mismatch::KeyLength
    }
}

struct Values {
    lifetime: OfferedLifetime,
    group: Option<GroupDescription>,
    mode: Option<EncapsulationMode>,
    authentication: Option<AuthenticationAlgorithm>,
    key_length: Option<u16>,
    esn: Option<u16>,
}

impl Values {
    fn read(t: &OfferedTransform) -> Result<Self, Mismatch> {
        let c = Collector::new(
            &t.attributes,
            Phase2Class::SA_LIFE_TYPE.0,
            Phase2Class::SA_LIFE_DURATION.0,
        );
        if let Some(class) = c.unknown(KNOWN) {
            return Err(Mismatch::UnknownAttribute(class));
        }
        Ok(Self {
            lifetime: c.lifetime()?,
            group: c
                .basic(Phase2Class::GROUP_DESCRIPTION.0)?
                .map(GroupDescription),
            mode: c
                .basic(Phase2Class::ENCAPSULATION_MODE.0)?
                .map(EncapsulationMode),
            authentication: c
                .basic(Phase2Class::AUTHENTICATION_ALGORITHM.0)?
                .map(AuthenticationAlgorithm),
            key_length: c.basic(Phase2Class::KEY_LENGTH.0)?,
            esn: c.basic(Phase2Class::EXTENDED_SEQUENCE_NUMBER.0)?,
        })
    }
}
