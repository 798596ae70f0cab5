//! What CREATE_CHILD_SA and the last part of IKE_AUTH have in common: the offer of a child, the
//! choice, the installation (RFC 7296 §2.9, §2.17).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use crypto_suite::GroupId;
use isakmp_wire::BuildError;
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::v2::{NotifyType, PayloadType, Writer};
use nat_t::Verdict;

use super::keys::{Fresh, Keys};
use super::payloads::{Payloads, required};
use crate::child::{self, Claim, DeletedChild, NewChild, ReservedSpi, TrafficOf, Wanted};
use crate::config::v2::Assignment;
use crate::config::{ChildConfig, Pfs, SelectorMatch};
use crate::context::Context;
use crate::event::{ChildFault, ChildRefusal, ChildSummary, Question, SelectorCheck, What};
use crate::model::{
    ChildId, ChildTerms, DropReason, Identity, IpsecProtocol, Mode, Selector, Selectors, breadth,
};
use crate::policy::Listener;
use crate::policy::narrow::{
    self, Closeness, NarrowPolicy, NarrowRecord, Narrowed, from_wire, narrow, to_wire,
};
use crate::policy::v2::{
    ChildKeyExchange, ChildTransforms, Choice, Proposal, ProposalRecord, SpiRule, Terms,
    check_answer, child_offer, child_offer_with, child_policy, choose, read_sa, what_would_match,
    write_sa,
};
use crate::v2::frame::Frame;

/// A child that we offer.
#[derive(Debug)]
pub(crate) struct Offered {
    pub(crate) child: ChildId,
    pub(crate) wanted: Wanted,
    pub(crate) spi: ReservedSpi,
    pub(crate) mode: Mode,
    proposals: Vec<Proposal>,
}

/// The key exchange of its own that a child is offered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfferedExchange {
    /// IKE_AUTH has none (RFC 7296 §1.2).
    Never,
    /// CREATE_CHILD_SA, with this group or none.
    With(Option<GroupId>),
}

/// A child that both ends have agreed on.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub(crate) child: ChildId,
    pub(crate) traffic: TrafficOf,
    pub(crate) spi: ReservedSpi,
    pub(crate) mode: Mode,
    pub(crate) transforms: ChildTransforms,
    pub(crate) replaces: Option<ChildId>,
}

impl Settled {
    /// What the peer holds of it.
    pub(crate) fn half(&self) -> DeletedChild {
        DeletedChild {
            protocol: self.transforms.suite.protocol(),
            spi_in: self.spi.get(),
            spi_out: self.transforms.peer_spi,
        }
    }
}

/// The IKE SA that a child comes up under.
#[derive(Clone, Copy)]
pub(crate) struct Under<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) keys: &'a Keys,
    pub(crate) remote_id: &'a Arc<Identity>,
    pub(crate) verdict: Option<Verdict>,
}

pub(crate) fn child_config<'a>(
    frame: &Frame<'a>,
    config: usize,
) -> Result<&'a ChildConfig, DropReason> {
    frame
        .peer
        .children
        .get(config)
        .ok_or(DropReason::NoSuchObject)
}

impl Offered {
    /// Prepares the offer of a child: its SPI is taken from here on.
    pub(crate) fn new(
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        wanted: Wanted,
        exchange: OfferedExchange,
    ) -> Result<Self, DropReason> {
        let config = child_config(frame, wanted.traffic.config)?;
        let child = ChildId(ctx.world.handles.next());
        let spi = ctx.inbound_spi()?;
        let (provider, weak) = (ctx.provider, ctx.config.weak);
        let proposals = match (exchange, config.pfs) {
            (OfferedExchange::Never, _) => child_offer(config, spi.get(), ChildKeyExchange::Never),
            (OfferedExchange::With(group), Pfs::AcceptIfOffered) => {
                child_offer_with(config, spi.get(), group, provider, weak)
            }
            _ => child_offer(config, spi.get(), ChildKeyExchange::AsConfigured),
        };
        Ok(Self {
            child,
            mode: config.mode,
            proposals,
            spi,
            wanted,
        })
    }

    /// `SA`
    pub(crate) fn write_sa(&self, w: &mut Writer<'_>) -> Result<(), BuildError> {
        if self.mode == Mode::Transport {
            w.notify(NotifyType::USE_TRANSPORT_MODE, &[])?;
        }
        w.sa(|sa| write_sa(&self.proposals, sa)).map(|_| ())
    }

    /// `TSi, TSr`
    pub(crate) fn write_ts(&self, w: &mut Writer<'_>) -> Result<(), BuildError> {
        let traffic = &self.wanted.traffic;
        w.ts_initiator(&to_wire(&traffic.local))?;
        w.ts_responder(&to_wire(&traffic.remote))?;
        Ok(())
    }

    /// What the responder has set up and we do not take: unless it has refused the child, or has not
    /// answered the offer. A Delete names our own SPI, so that the answer need not be readable.
    pub(crate) fn half(&self, answer: Option<&Payloads<'_>>) -> Option<DeletedChild> {
        if answer.is_some_and(|p| p.error().is_some() || p.sa.is_none()) {
            return None;
        }
        let answer = answer.and_then(|p| p.sa.as_ref()?.proposals().next());
        let answered = answer.as_ref().map(|p| p.protocol_id);
        let offered = self.proposals.first().map(|p| p.protocol);
        Some(DeletedChild {
            protocol: match answered.or(offered) {
                Some(ProtocolId::AH) => IpsecProtocol::Ah,
                _ => IpsecProtocol::Esp,
            },
            spi_in: self.spi.get(),
            spi_out: answer.and_then(|p| p.spi_u32()).unwrap_or_default(),
        })
    }

    /// Checks what the responder has made of the offer.
    pub(crate) fn check(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        payloads: &Payloads<'_>,
        identity: &Identity,
        key_exchange: Option<GroupId>,
    ) -> Result<Settled, DropReason> {
        let sa = required(payloads.sa, PayloadType::SA)?;
        let tsi = required(payloads.ts_initiator, PayloadType::TS_INITIATOR)?;
        let tsr = required(payloads.ts_responder, PayloadType::TS_RESPONDER)?;
        let config = child_config(frame, self.wanted.traffic.config)?;
        let terms = terms(config, key_exchange);
        let listens = ctx.config.explain;
        let mut note = |found: ProposalRecord| ctx.note(Some(frame.ike), found.into());
        let choice = check_answer(
            &self.proposals,
            &read_sa(&sa),
            &terms,
            listens.then_some(&mut note),
        );
        let choice = choice.map_err(|_| DropReason::NotOffered)?;
        let transforms = choice.child().ok_or(DropReason::NotOffered)?;
        let local = from_wire(&tsi).ok_or(DropReason::TsUnacceptable)?;
        let remote = from_wire(&tsr).ok_or(DropReason::TsUnacceptable)?;
        // RFC 7296 §2.9: a responder may narrow, and no more than that.
        let wanted = &self.wanted.traffic;
        let ok = wanted.local.contains(&local) && wanted.remote.contains(&remote);
        note_selectors(ctx, frame, config, &local, &remote, ok);
        if !ok {
            return Err(DropReason::TsUnacceptable);
        }
        let claim = Claim {
            ike: frame.ike,
            peer: frame.index,
            config: wanted.config,
            identity,
            local: &local,
            remote: &remote,
        };
        child::refuse_overlap(ctx, &claim)?;
        let transport = payloads.has(NotifyType::USE_TRANSPORT_MODE);
        if transport != (self.mode == Mode::Transport) {
            return Err(DropReason::NotOffered);
        }
        Ok(Settled {
            child: self.child,
            traffic: TrafficOf {
                config: wanted.config,
                local,
                remote,
            },
            spi: self.spi.clone(),
            mode: self.mode,
            transforms,
            replaces: self.wanted.replaces,
        })
    }
}

/// What a responder grants of an offer, before it has an SPI of its own.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) traffic: TrafficOf,
    pub(crate) mode: Mode,
    pub(crate) choice: Choice,
    pub(crate) transforms: ChildTransforms,
}

/// What bounds a grant besides the configuration.
pub(crate) struct Grant<'a> {
    pub(crate) exchange: ChildKeyExchange,
    /// The group of the KE payload.
    pub(crate) key_exchange: Option<GroupId>,
    /// No other child of the configuration than this one.
    pub(crate) only: Option<usize>,
    /// Who gets it.
    pub(crate) holder: Holder<'a>,
}

/// Who a child is for, and what binds it (RFC 4301 §4.4.3.4: the PAD entry says which addresses a
/// peer may assert as its own).
#[derive(Clone, Copy)]
pub(crate) struct Holder<'a> {
    /// Who the peer has proved to be.
    pub(crate) identity: &'a Identity,
    /// The children of the configuration that it may have; `None` for all.
    pub(crate) may_have: Option<&'a [usize]>,
    /// The addresses inside the tunnel that we have given it.
    pub(crate) assignment: Option<&'a Assignment>,
}

impl Holder<'_> {
    /// Whether it may have this child of the configuration.
    pub(crate) fn may_have(&self, config: usize) -> bool {
        self.may_have.is_none_or(|all| all.contains(&config))
    }
}

/// The peer's side of a child: all that is `configured`, or of it what was assigned.
pub(crate) fn remote_side(
    configured: &Selectors,
    assignment: Option<&Assignment>,
) -> Option<Selectors> {
    let Some(assignment) = assignment else {
        return Some(configured.clone());
    };
    let v4 = assignment.ipv4.map(IpAddr::V4);
    let v6 = assignment.ipv6.map(|(address, _)| IpAddr::V6(address));
    let hosts = v4.into_iter().chain(v6).map(Selector::host);
    let hosts: Vec<Selector> = hosts.collect();
    let within = configured.iter();
    let within = within.flat_map(|s| hosts.iter().filter_map(move |host| s.intersect(host)));
    Selectors::new(within.take(Selectors::MAX))
}

/// A child of the configuration that a request fits as far as selectors and mode go.
struct Candidate {
    index: usize,
    narrowed: Narrowed,
    closeness: Closeness,
    /// The request is for transport mode, and this child is in tunnel mode.
    other_mode: bool,
    /// How much is configured.
    breadth: (u128, u64),
}

impl Candidate {
    /// What the best candidate has least of.
    fn rank(&self) -> impl Ord + use<> {
        // Of those that are granted in part the first one of the configuration is taken.
        let whole = self.closeness <= Closeness::Whole;
        let breadth = whole.then_some(self.breadth);
        (self.closeness, self.other_mode, breadth, self.index)
    }
}

/// What a request asks for.
struct AskedFor {
    local: Selectors,
    remote: Selectors,
    transport: bool,
}

/// Holds a request against one child of the configuration. What is to be reported of the narrowing
/// goes to `report`.
fn candidate(
    (index, config): (usize, &ChildConfig),
    frame: &Frame<'_>,
    asked: &AskedFor,
    assignment: Option<&Assignment>,
    report: Listener<'_, NarrowRecord>,
) -> Result<Candidate, ChildFault> {
    let remote = remote_side(&config.remote, assignment).ok_or(ChildFault::NotAssigned)?;
    let policy = NarrowPolicy {
        child: &config.name,
        local: &config.local,
        remote: &remote,
        one_ts_per_child: frame.peer.v2.one_ts_per_child,
    };
    let narrowed = narrow(&policy, &asked.local, &asked.remote, report);
    let narrowed = narrowed.ok_or(ChildFault::Selectors)?;
    let closeness = narrowed.closeness(&policy, &asked.local, &asked.remote);
    if config.selector_match == SelectorMatch::Exact && closeness != Closeness::Exact {
        return Err(ChildFault::NotExact);
    }
    if config.mode == Mode::Transport && !asked.transport {
        return Err(ChildFault::Mode);
    }
    Ok(Candidate {
        index,
        narrowed,
        closeness,
        other_mode: asked.transport && config.mode != Mode::Transport,
        breadth: breadth(&config.local, &remote),
    })
}

/// Responder: the child of the configuration that fits the request best, of those whose transforms it
/// offers: the one with exactly its selectors, else the narrowest that has all of it, else the first
/// that has some of it.
pub(crate) fn grant(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    payloads: &Payloads<'_>,
    bounds: &Grant<'_>,
) -> Result<Granted, DropReason> {
    let sa = required(payloads.sa, PayloadType::SA)?;
    let tsi = required(payloads.ts_initiator, PayloadType::TS_INITIATOR)?;
    let tsr = required(payloads.ts_responder, PayloadType::TS_RESPONDER)?;
    let replaces = bounds.only.is_some();
    let children = &ctx.world.children;
    children.room_for(ctx.config, frame.ike, 0, replaces)?;
    let asked = AskedFor {
        local: narrow::asked(&tsr).ok_or(DropReason::TsUnacceptable)?,
        remote: narrow::asked(&tsi).ok_or(DropReason::TsUnacceptable)?,
        transport: payloads.has(NotifyType::USE_TRANSPORT_MODE),
    };
    let theirs = read_sa(&sa);
    let listens = ctx.config.explain;
    let mut candidates = Vec::new();
    let mut refused = Vec::new();
    for (index, config) in frame.peer.children.iter().enumerate() {
        if bounds.only.is_some_and(|only| only != index) {
            continue;
        }
        if !bounds.holder.may_have(index) {
            refused.push((index, None, ChildFault::NotGranted));
            continue;
        }
        let mut record = None;
        let mut report = |narrowed| record = Some(narrowed);
        let report: Listener<'_, NarrowRecord> = listens.then_some(&mut report);
        let assignment = bounds.holder.assignment;
        match candidate((index, config), frame, &asked, assignment, report) {
            Ok(candidate) => candidates.push((candidate, record)),
            Err(why) => {
                let record = record.filter(|_| why == ChildFault::Selectors);
                refused.push((index, record, why));
            }
        }
    }
    candidates.sort_by_key(|(candidate, _)| candidate.rank());
    for (candidate, record) in candidates {
        let Candidate {
            index, narrowed, ..
        } = candidate;
        let config = child_config(frame, index)?;
        if let Some(record) = record {
            ctx.note(Some(frame.ike), record.into());
        }
        let claim = Claim {
            ike: frame.ike,
            peer: frame.index,
            config: index,
            identity: bounds.holder.identity,
            local: &narrowed.local,
            remote: &narrowed.remote,
        };
        if child::refuse_overlap(ctx, &claim).is_err() {
            refused.push((index, None, ChildFault::Taken));
            continue;
        }
        let ours = child_policy(config, bounds.exchange, ctx.provider, ctx.config.weak);
        let terms = terms(config, bounds.key_exchange);
        let mut note = |found: ProposalRecord| ctx.note(Some(frame.ike), found.into());
        let choice = choose(&ours, &theirs, &terms, listens.then_some(&mut note));
        let found = choice.and_then(|choice| Some((choice.child()?, choice)));
        let Some((transforms, choice)) = found else {
            let (provider, weak) = (ctx.provider, ctx.config.weak);
            if listens && let Some(miss) = what_would_match(&ours, &theirs, &terms, provider, weak)
            {
                ctx.note(Some(frame.ike), What::WouldMatch(Box::new(miss)));
            }
            refused.push((index, None, ChildFault::Proposals));
            continue;
        };
        return Ok(Granted {
            traffic: TrafficOf {
                config: index,
                local: narrowed.local,
                remote: narrowed.remote,
            },
            mode: config.mode,
            choice,
            transforms,
        });
    }
    Err(refuse(ctx, frame, refused))
}

/// Nothing is granted: says why, of each child of the configuration.
fn refuse(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    mut refused: Vec<(usize, Option<NarrowRecord>, ChildFault)>,
) -> DropReason {
    refused.sort_by_key(|(index, ..)| *index);
    let mut reason = DropReason::TsUnacceptable;
    for (index, record, why) in refused {
        if matches!(why, ChildFault::Proposals | ChildFault::Mode) {
            reason = DropReason::NoProposalChosen;
        }
        if let Some(record) = record {
            ctx.note(Some(frame.ike), record.into());
        }
        if let Ok(config) = child_config(frame, index) {
            let refusal = ChildRefusal {
                child: config.name.clone(),
                why,
            };
            ctx.note(Some(frame.ike), What::ChildRefused(Box::new(refusal)));
        }
    }
    reason
}

impl Granted {
    /// Whether the peer may have it: the question, while it is open.
    pub(crate) fn authorize(
        &self,
        ctx: &Context<'_>,
        frame: &Frame<'_>,
        identity: &Identity,
        answer: Option<bool>,
    ) -> Result<Option<Question>, DropReason> {
        if !ctx.config.authorize_children || answer == Some(true) {
            return Ok(None);
        }
        if answer == Some(false) {
            return Err(DropReason::TsUnacceptable);
        }
        let config = child_config(frame, self.traffic.config)?;
        Ok(Some(Question::AuthorizeChild {
            peer: frame.peer.name.clone(),
            identity: identity.clone(),
            name: config.name.clone(),
            local: self.traffic.local.clone(),
            remote: self.traffic.remote.clone(),
            suite: self.transforms.suite,
        }))
    }

    /// Gives the child a handle and an SPI of ours.
    pub(crate) fn settle(
        &self,
        ctx: &mut Context<'_>,
        replaces: Option<ChildId>,
    ) -> Result<Settled, DropReason> {
        let child = ChildId(ctx.world.handles.next());
        Ok(Settled {
            child,
            traffic: self.traffic.clone(),
            spi: ctx.inbound_spi()?,
            mode: self.mode,
            transforms: self.transforms,
            replaces,
        })
    }

    /// `SA`, with our SPI.
    pub(crate) fn write_sa(&self, w: &mut Writer<'_>, spi: &ReservedSpi) -> Result<(), BuildError> {
        if self.mode == Mode::Transport {
            w.notify(NotifyType::USE_TRANSPORT_MODE, &[])?;
        }
        let answer = self.choice.answer(&spi.get().to_be_bytes());
        w.sa(|sa| write_sa(&[answer], sa)).map(|_| ())
    }

    /// `TSi, TSr`
    pub(crate) fn write_ts(&self, w: &mut Writer<'_>) -> Result<(), BuildError> {
        w.ts_initiator(&to_wire(&self.traffic.remote))?;
        w.ts_responder(&to_wire(&self.traffic.local))?;
        Ok(())
    }
}

/// Derives the keys of both directions and installs the child.
pub(crate) fn install(
    ctx: &mut Context<'_>,
    under: &Under<'_>,
    settled: Settled,
    fresh: &Fresh<'_>,
    initiator: bool,
) -> Result<(), DropReason> {
    let (frame, nonces) = (&under.frame, &fresh.nonces);
    let config = child_config(frame, settled.traffic.config)?;
    // Questions and further key exchanges take time, in which another peer may have got it.
    let claim = Claim {
        ike: frame.ike,
        peer: frame.index,
        config: settled.traffic.config,
        identity: under.remote_id,
        local: &settled.traffic.local,
        remote: &settled.traffic.remote,
    };
    child::refuse_overlap(ctx, &claim)?;
    let len = settled.transforms.suite.key_material_len();
    let keys = under.keys.child(fresh.g_ir, nonces, fresh.additional, len);
    let keys = keys.ok().filter(|_| len > 0).ok_or(DropReason::Crypto)?;
    let (keys_in, keys_out) = if initiator {
        (keys.from_responder, keys.from_initiator)
    } else {
        (keys.from_initiator, keys.from_responder)
    };
    let random = u32::from_be_bytes(ctx.random());
    let schedule = config.margin.schedule(config.lifetime, initiator, random);
    let udp_encapsulation = frame.path.natt && under.verdict.is_some_and(Verdict::nat);
    let terms = ChildTerms {
        spi_in: settled.spi.get(),
        spi_out: settled.transforms.peer_spi,
        suite: settled.transforms.suite,
        mode: settled.mode,
        udp_encapsulation,
        path: frame.path,
        local: settled.traffic.local,
        remote: settled.traffic.remote,
        esn: settled.transforms.esn,
        pfs: settled.transforms.group,
        original_addresses: None,
    };
    let summary = ctx.config.explain.then(|| ChildSummary {
        child: settled.child,
        name: config.name.clone(),
        terms: terms.clone(),
        offered: config.lifetime,
        lifetime: config.lifetime,
        replaces: settled.replaces,
    });
    let device = frame.device(ctx);
    child::install(
        ctx,
        NewChild {
            id: settled.child,
            ike: frame.ike,
            device,
            peer: frame.index,
            config: settled.traffic.config,
            remote_id: under.remote_id.clone(),
            initiator,
            terms,
            spi_in: settled.spi,
            keys_in,
            keys_out,
            replaces: settled.replaces,
            names_replaced: true,
            rank: nonces.lowest().to_vec(),
            schedule,
        },
    );
    if let Some(summary) = summary {
        ctx.note(Some(frame.ike), What::ChildCreated(Box::new(summary)));
    }
    Ok(())
}

fn terms(config: &ChildConfig, key_exchange: Option<GroupId>) -> Terms<'_> {
    Terms {
        subject: &config.name,
        spi: SpiRule::Child,
        key_exchange,
        additional: true,
    }
}

fn note_selectors(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    config: &ChildConfig,
    local: &Selectors,
    remote: &Selectors,
    ok: bool,
) {
    let check = SelectorCheck {
        child: config.name.clone(),
        local: local.clone(),
        remote: remote.clone(),
        ok,
    };
    ctx.note(Some(frame.ike), What::SelectorCheck(Box::new(check)));
}
