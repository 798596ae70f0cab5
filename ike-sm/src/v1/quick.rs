//! Quick mode (RFC 2409 §5.5), both sides.
//!
//! ```text
//! HDR*, HASH(1), SA, Ni [, KE ] [, IDci, IDcr ] [, NAT-OAi, NAT-OAr ] -->
//!                  <--    HDR*, HASH(2), SA, Nr [, KE ] [, IDci, IDcr ] [, N …]
//! HDR*, HASH(3)    -->
//! ```
//!
//! The responder takes packets in as soon as its message is out and sends none before it knows that
//! the initiator can read them: from HASH(3), or from a packet that arrives under the new keys. It
//! also repeats its message until then: nothing else tells the initiator that HASH(3) was lost, and
//! HASH(1) has proved who asks.

mod initiator;
mod responder;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;
use crypto_suite::{GroupId, Secret};
use isakmp_wire::v1::{Message, NotifyType, PayloadType};
use nat_t::Version;

use crate::child::{Claim, NewChild, ReservedSpi, TrafficOf};
use crate::config::{ChildConfig, Lifetime};
use crate::context::Context;
use crate::event::{Answer, ChildSummary, Question, What};
use crate::model::{
    ChildId, ChildTerms, CloseReason, DropReason, IpsecProtocol, Mode, OriginalAddresses, Path,
    Selector, Selectors,
};
use crate::peer::standing::Device;
use crate::policy::pfs::{Permitted, PfsOffer};
use crate::policy::{ClientId, NatModes, Phase2Choice, Phase2Context};
use crate::v1::agreed::Agreed;
use crate::v1::keys::ChildKeyInput;
use crate::v1::payloads::{Payloads, protocol_id};
use crate::v1::phase1::{Frame, Nat};

pub(crate) use initiator::start;
pub(crate) use responder::receive_first;

/// A child that we want.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Its place in the peer's configuration.
    pub(crate) config: usize,
    pub(crate) local: Selector,
    pub(crate) remote: Selector,
    /// The child it takes the place of.
    pub(crate) replaces: Option<ChildId>,
    /// Which key exchange it is offered with.
    pub(crate) pfs: PfsOffer,
}

/// A quick mode under way.
#[derive(Debug)]
pub(crate) enum Quick {
    /// Initiator: an SPI is asked for.
    SpiWanted(initiator::SpiWanted),
    /// Initiator: our key pair is being drawn.
    PairWanted(initiator::PairWanted),
    /// Initiator: message 1 is out.
    Sent(initiator::Sent),
    /// Initiator: message 2 is in, the shared secret is being computed.
    SecretWanted(Box<initiator::SecretWanted>),
    /// Responder: message 1 is in, a question is open.
    Asked(responder::Asked),
    /// Responder: message 2 is out.
    Answered(responder::Answered),
}

/// What a message or an answer has led to.
pub(crate) enum Progress {
    /// The next message goes out and is repeated until it is answered.
    Send { next: Quick, message: Bytes },
    /// A question for the embedder.
    Ask { next: Quick, question: Question },
    /// The child stands, after a last message from an initiator.
    Done { message: Option<Bytes> },
    /// The peer is told that it cannot have it.
    Refuse {
        notify: NotifyType,
        spi: Option<u32>,
        reason: &'static str,
    },
    /// It cannot go on, through no fault of the message.
    Fail {
        child: ChildId,
        config: usize,
        reason: CloseReason,
    },
    /// The peer has answered with what was not offered, or is not permitted.
    Reject(Quick, CloseReason),
}

/// A refused message and the state that it left as it was.
pub(crate) type Refused<S> = Box<(S, DropReason)>;

impl Quick {
    /// The child that is negotiated.
    pub(crate) const fn child(&self) -> ChildId {
        match self {
            Self::SpiWanted(s) => s.child,
            Self::PairWanted(s) => s.child,
            Self::Sent(s) => s.child,
            Self::SecretWanted(s) => s.0.child,
            Self::Asked(s) => s.child(),
            Self::Answered(s) => s.child,
        }
    }

    /// Its place in the peer's configuration.
    pub(crate) const fn config(&self) -> usize {
        match self {
            Self::SpiWanted(s) => s.wanted.config,
            Self::PairWanted(s) => s.wanted.config,
            Self::Sent(s) => s.wanted.config,
            Self::SecretWanted(s) => s.0.wanted.config,
            Self::Asked(s) => s.config(),
            Self::Answered(s) => s.config,
        }
    }

    /// Whether it is for this traffic.
    pub(crate) fn is_for(&self, traffic: &TrafficOf) -> bool {
        let (local, remote) = match self {
            Self::SpiWanted(s) => (s.wanted.local, s.wanted.remote),
            Self::PairWanted(s) => (s.wanted.local, s.wanted.remote),
            Self::Sent(s) => (s.wanted.local, s.wanted.remote),
            Self::SecretWanted(s) => (s.0.wanted.local, s.0.wanted.remote),
            Self::Asked(s) => s.traffic(),
            Self::Answered(s) => s.traffic,
        };
        self.config() == traffic.config
            && traffic.local.single() == Some(&local)
            && traffic.remote.single() == Some(&remote)
    }

    /// What we want of it, if we have started it.
    pub(crate) const fn wanted(&self) -> Option<&Wanted> {
        match self {
            Self::SpiWanted(s) => Some(&s.wanted),
            Self::PairWanted(s) => Some(&s.wanted),
            Self::Sent(s) => Some(&s.wanted),
            Self::SecretWanted(s) => Some(&s.0.wanted),
            Self::Asked(_) | Self::Answered(_) => None,
        }
    }

    /// Whether the peer has not answered what we have started.
    pub(crate) const fn is_unanswered(&self) -> bool {
        matches!(
            self,
            Self::SpiWanted(_) | Self::PairWanted(_) | Self::Sent(_)
        )
    }

    /// The inbound SPI that our message 1 offered.
    pub(crate) fn offered_spi(&self) -> Option<u32> {
        match self {
            Self::Sent(s) => Some(s.spi_in.get()),
            _ => None,
        }
    }

    /// The protocol and inbound SPI that our message 1 offered.
    pub(crate) fn offered(&self) -> Option<(IpsecProtocol, u32)> {
        match self {
            Self::Sent(s) => Some((s.protocol(), s.spi_in.get())),
            Self::SecretWanted(s) => Some((s.0.protocol(), s.0.spi_in.get())),
            _ => None,
        }
    }

    /// Whether packets are already taken in.
    pub(crate) const fn installed(&self) -> bool {
        matches!(self, Self::Answered(_))
    }

    /// Takes in a message of the peer.
    pub(crate) fn receive(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        message: &Message<'_>,
    ) -> Result<Progress, Refused<Self>> {
        match self {
            Self::Sent(s) => s
                .receive(ctx, frame, agreed, message)
                .map_err(|refused| wrap(Self::Sent, *refused)),
            Self::Answered(s) => s
                .receive(ctx, frame, agreed, message)
                .map_err(|refused| wrap(Self::Answered, *refused)),
            waiting => Err(Box::new((waiting, DropReason::UnexpectedMessage))),
        }
    }

    /// Takes in the answer to a question.
    pub(crate) fn answer(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        agreed: &Agreed,
        message_id: u32,
        answer: Answer,
    ) -> Result<Progress, Refused<Self>> {
        match self {
            Self::SpiWanted(s) => s
                .answer(ctx, frame, agreed, message_id, answer)
                .map_err(|refused| wrap(Self::SpiWanted, *refused)),
            Self::PairWanted(s) => s
                .answer(ctx, frame, agreed, message_id, answer)
                .map_err(|refused| wrap(Self::PairWanted, *refused)),
            Self::SecretWanted(s) => s
                .answer(ctx, frame, agreed, answer)
                .map_err(|refused| wrap(|s| Self::SecretWanted(Box::new(s)), *refused)),
            Self::Asked(s) => s
                .answer(ctx, frame, agreed, answer)
                .map_err(|refused| wrap(Self::Asked, *refused)),
            other => Err(Box::new((other, DropReason::WrongState))),
        }
    }

    /// Ends without a child, or takes back the half that stands.
    pub(crate) fn abandon(self, ctx: &mut Context<'_>, frame: &Frame<'_>, reason: CloseReason) {
        let (child, config) = (self.child(), self.config());
        match self {
            // The peer may have its half: it is told.
            Self::Answered(_) => {
                ctx.effect(crate::core::effects::Effect::DeleteChild(child, reason));
                return;
            }
            Self::Sent(_)
            | Self::SecretWanted(_)
            | Self::SpiWanted(_)
            | Self::PairWanted(_)
            | Self::Asked(_) => {}
        }
        ctx.child_failed(frame.index, config, child, reason);
    }
}

/// What became of a step that has an SPI of ours.
fn or_fail((child, config): (ChildId, usize), step: Result<Progress, DropReason>) -> Progress {
    step.unwrap_or_else(|reason| {
        let reason = match reason {
            DropReason::SelectorsTaken => CloseReason::Refused,
            _ => CloseReason::Crypto,
        };
        Progress::Fail {
            child,
            config,
            reason,
        }
    })
}

/// A state that gave itself back, as the state it is.
fn wrap<S>(as_quick: impl FnOnce(S) -> Quick, refused: (S, DropReason)) -> Refused<Quick> {
    Box::new((as_quick(refused.0), refused.1))
}

/// The configuration of a child.
fn child_config<'c>(
    ctx: &Context<'c>,
    frame: &Frame<'_>,
    config: usize,
) -> Result<&'c ChildConfig, DropReason> {
    let peer = ctx.config.peers.get(frame.index);
    peer.and_then(|peer| peer.children.get(config))
        .ok_or(DropReason::NoSuchObject)
}

/// Which encapsulation modes are said under this SA: those in UDP when it runs on port 4500, and
/// only then.
///
/// Not what NAT-D payloads said: they are not authenticated, and whoever changes one makes one end
/// see a NAT that the other does not see (RFC 3947 §8). Whether the initiator has moved to port
/// 4500 is known to both.
pub(crate) fn nat_modes(nat: &Nat, path: &Path) -> NatModes {
    match nat.version {
        _ if !path.natt => NatModes::Plain,
        Some(Version::Draft02 | Version::Draft02Newline | Version::Draft03) => NatModes::UdpDraft,
        _ => NatModes::Udp,
    }
}

fn phase2_context<'a>(ctx: &Context<'a>, frame: &Frame<'_>, agreed: &Agreed) -> Phase2Context<'a> {
    Phase2Context {
        provider: ctx.provider,
        weak: ctx.config.weak,
        nat: nat_modes(&agreed.nat, &frame.path),
    }
}

/// The question for an SPI.
fn spi_question(
    ctx: &Context<'_>,
    frame: &Frame<'_>,
    config: usize,
    child: ChildId,
    protocol: IpsecProtocol,
    peer_spi: Option<u32>,
) -> Question {
    let name = child_config(ctx, frame, config)
        .map(|c| c.name.clone())
        .unwrap_or_default();
    Question::AllocateSpi {
        child,
        name,
        protocol,
        peer_spi,
    }
}

/// The selector that an identification payload stands for.
fn selector(payloads: &Payloads<'_>, index: usize) -> Option<Result<Selector, DropReason>> {
    payloads.ids.get(index).map(|id| {
        ClientId::to_selector(id.id_type.0, id.protocol, id.port, id.data)
            .map_err(|_| DropReason::BadPayload(PayloadType::IDENTIFICATION.into()))
    })
}

/// IDci and IDcr, the selectors of the initiator's and the responder's side: both or neither
/// (RFC 2409 §5.5).
fn client_ids(payloads: &Payloads<'_>) -> Result<Option<(Selector, Selector)>, DropReason> {
    match (selector(payloads, 0), selector(payloads, 1)) {
        (None, None) => Ok(None),
        (Some(initiator), Some(responder)) => Ok(Some((initiator?, responder?))),
        _ => Err(DropReason::MissingPayload(
            PayloadType::IDENTIFICATION.into(),
        )),
    }
}

/// Original addresses as the peer sent them (RFC 3947 §5.2).
fn original_addresses(payloads: &Payloads<'_>) -> Option<OriginalAddresses> {
    match payloads.nat_oa.as_slice() {
        [initiator, responder] => Some(OriginalAddresses {
            initiator: initiator.address,
            responder: responder.address,
        }),
        _ => None,
    }
}

/// The same child with what is left to offer, where PFS is as the peer likes, to a peer that has
/// refused an offer of ours or has not answered it.
pub(crate) fn asked_otherwise(
    ctx: &Context<'_>,
    frame: &Frame<'_>,
    agreed: &Agreed,
    wanted: &Wanted,
) -> Option<Wanted> {
    let config = child_config(ctx, frame, wanted.config).ok()?;
    let pfs = wanted.pfs.next(&permitted(ctx, agreed, config))?;
    Some(Wanted { pfs, ..*wanted })
}

/// What a child's configuration and its ISAKMP SA permit as PFS.
fn permitted<'a>(ctx: &Context<'a>, agreed: &Agreed, config: &ChildConfig) -> Permitted<'a> {
    Permitted {
        pfs: config.pfs,
        provider: ctx.provider,
        weak: ctx.config.weak,
        usual: agreed.suite.group.id(),
    }
}

/// Both nonces and, with PFS, the shared secret of a quick mode.
struct Secrets<'a> {
    g_xy: Option<&'a Secret>,
    ni_b: &'a [u8],
    nr_b: &'a [u8],
}

/// Everything that makes a child, once it is agreed on.
struct Parts<'a> {
    child: ChildId,
    config: usize,
    initiator: bool,
    choice: &'a Phase2Choice,
    spi_in: ReservedSpi,
    local: Selector,
    remote: Selector,
    replaces: Option<ChildId>,
    original_addresses: Option<OriginalAddresses>,
    lifetime: Lifetime,
}

/// A child of the peer, as far as the children of others are concerned.
fn claim<'a>(
    frame: &Frame<'_>,
    agreed: &'a Agreed,
    config: usize,
    [local, remote]: [&'a Selectors; 2],
) -> Claim<'a> {
    Claim {
        ike: frame.ike,
        peer: frame.index,
        config,
        identity: &agreed.remote_id,
        local,
        remote,
    }
}

/// Derives the keys of both directions and installs the child.
fn install(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    agreed: &Agreed,
    secrets: &Secrets<'_>,
    parts: Parts<'_>,
) -> Result<(), DropReason> {
    let config = child_config(ctx, frame, parts.config)?;
    // Questions and messages take time, in which another peer may have got it.
    let sides = [&parts.local.into(), &parts.remote.into()];
    crate::child::refuse_overlap(ctx, &claim(frame, agreed, parts.config, sides))?;
    let len = parts.choice.suite.key_material_len();
    let protocol = protocol_id(parts.choice.suite.protocol());
    let keymat = |spi: u32| {
        agreed.keys.keymat(
            &ChildKeyInput {
                g_xy: secrets.g_xy.map(Secret::expose),
                protocol: protocol.0,
                spi: &spi.to_be_bytes(),
                ni_b: secrets.ni_b,
                nr_b: secrets.nr_b,
            },
            len,
        )
    };
    // RFC 2409 §5.5: each direction is keyed with the SPI that its receiver chose.
    let (keys_in, keys_out) = (keymat(parts.spi_in.get()), keymat(parts.choice.spi));
    if keys_in.len() != len || len == 0 {
        return Err(DropReason::Crypto);
    }
    let random = u32::from_be_bytes(ctx.random());
    let schedule = config
        .margin
        .schedule(parts.lifetime, parts.initiator, random);
    let terms = ChildTerms {
        spi_in: parts.spi_in.get(),
        spi_out: parts.choice.spi,
        suite: parts.choice.suite,
        mode: parts.choice.mode,
        udp_encapsulation: parts.choice.udp_encapsulation,
        path: frame.path,
        local: parts.local.into(),
        remote: parts.remote.into(),
        esn: parts.choice.esn,
        pfs: parts.choice.group,
        original_addresses: parts.original_addresses,
    };
    let summary = ctx.config.explain.then(|| ChildSummary {
        child: parts.child,
        name: config.name.clone(),
        terms: terms.clone(),
        offered: parts.choice.offered,
        lifetime: parts.lifetime,
        replaces: parts.replaces,
    });
    let device = ctx.world.standing.device(frame.ike);
    crate::child::install(
        ctx,
        NewChild {
            id: parts.child,
            ike: frame.ike,
            device: device.unwrap_or(Device(frame.ike)),
            peer: frame.index,
            config: parts.config,
            remote_id: agreed.remote_id.clone(),
            initiator: parts.initiator,
            terms,
            spi_in: parts.spi_in,
            keys_in,
            keys_out,
            replaces: parts.replaces,
            names_replaced: false,
            rank: secrets.ni_b.min(secrets.nr_b).to_vec(),
            schedule,
        },
    );
    if let Some(summary) = summary {
        ctx.note(Some(frame.ike), What::ChildCreated(Box::new(summary)));
    }
    Ok(())
}

/// The group's implementation, if quick mode uses one.
fn group_of(
    ctx: &Context<'_>,
    group: Option<GroupId>,
) -> Result<Option<&'static dyn crypto_suite::KeyExchange>, DropReason> {
    group
        .map(|group| ctx.provider.group(group).ok_or(DropReason::Crypto))
        .transpose()
}

/// NAT-OA bodies to send: original initiator and responder addresses (RFC 3947 §5.2).
fn nat_oa(agreed: &Agreed, mode: Mode, path: Path, initiator: bool) -> Option<NatOaOut> {
    let version = agreed.nat.version?;
    if mode != Mode::Transport || !agreed.nat.verdict.nat() {
        return None;
    }
    let (ours, theirs) = (path.local.ip(), path.remote.ip());
    let addresses = if initiator {
        [ours, theirs]
    } else {
        [theirs, ours]
    };
    Some(NatOaOut {
        number: PayloadType(version.numbers().nat_oa),
        addresses,
    })
}

/// The NAT-OA payloads of a message of ours.
struct NatOaOut {
    number: PayloadType,
    addresses: [core::net::IpAddr; 2],
}

/// The bodies of our client identities, initiator's side first.
fn client_id_bodies(
    initiator: &Selector,
    responder: &Selector,
) -> Result<[Vec<u8>; 2], DropReason> {
    let body = |selector: &Selector| {
        ClientId::from_selector(selector)
            .map(|id| id.body())
            // IKEv1 has no field for a port range.
            .ok_or(DropReason::InvalidIdInformation)
    };
    Ok([body(initiator)?, body(responder)?])
}
