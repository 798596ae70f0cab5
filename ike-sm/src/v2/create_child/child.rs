//! A child: `HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr} -->` and the answer to it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crypto_suite::ActiveKeyExchange;
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::v2::{NotifyType, PayloadType};

use super::{answer_exchange, group_of, nonce};
use crate::action::{CloseReason, IpsecProtocol};
use crate::alg::v2 as alg;
use crate::children::{self, DeletedChild, Wanted};
use crate::config::Pfs;
use crate::context::{Context, Effect};
use crate::id::ChildId;
use crate::outcome::DropReason;
use crate::policy::v2::ChildKeyExchange;
use crate::v2::child::{Grant, Offered, Settled, Under, child_config, grant, install};
use crate::v2::established::Want;
use crate::v2::keys::Nonces;
use crate::v2::payloads::{Payloads, required};
use crate::v2::protect::Inner;
use crate::v2::sa_init;
use crate::v2::session::{Frame, Session};
use crate::v2::up::{Response, Stop};

/// Our request is out.
#[derive(Debug)]
pub(crate) struct ChildTask {
    pub(crate) offered: Offered,
    ni: Vec<u8>,
    exchange: Option<Box<dyn ActiveKeyExchange>>,
    /// The peer has rekeyed the same child meanwhile: the highest rank of what it made.
    crossed: Option<Vec<u8>>,
}

const fn protocol_id(protocol: IpsecProtocol) -> ProtocolId {
    match protocol {
        IpsecProtocol::Esp => ProtocolId::ESP,
        IpsecProtocol::Ah => ProtocolId::AH,
    }
}

impl ChildTask {
    /// Builds the request.
    pub(in crate::v2) fn start(
        session: &Session,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        wanted: Wanted,
    ) -> Result<(Self, Inner), DropReason> {
        let config = child_config(frame, wanted.traffic.config)?;
        let group = match config.pfs {
            Pfs::Required(group) => Some(group),
            _ => None,
        };
        let rekeyed = match wanted.replaces {
            None => None,
            Some(old) => {
                // It may have gone, or been replaced, while this waited.
                let children = &ctx.world.children;
                let old = children.get(old).filter(|c| session.owns(c));
                let old = old.filter(|c| !children.has_successor(c.id, c.peer, &c.remote_id));
                let old = old.ok_or(DropReason::NoSuchObject)?;
                Some((protocol_id(old.suite.protocol()), old.spi_in))
            }
        };
        let exchange = match group {
            Some(id) => {
                let group = ctx.provider.group(id).ok_or(DropReason::Crypto)?;
                Some(group.start(ctx.rng).map_err(|_| DropReason::Crypto)?)
            }
            None => None,
        };
        let ke = ChildKeyExchange::AsConfigured;
        let offered = Offered::new(ctx, frame, wanted, ke)?;
        let ni = sa_init::nonce(ctx);
        let inner = Inner::build(|w| {
            if let Some((protocol, spi)) = rekeyed {
                // RFC 7296 §1.3.3: the SPI that the sender expects in packets.
                w.notify_child(protocol, spi, NotifyType::REKEY_SA, &[])?;
            }
            offered.write_sa(w)?;
            w.nonce(&ni)?;
            if let Some(exchange) = &exchange
                && let Some(method) = alg::group_to_wire(exchange.group())
            {
                w.key_exchange(method, exchange.public())?;
            }
            offered.write_ts(w)
        });
        match inner {
            Ok(inner) => Ok((
                Self {
                    offered,
                    ni,
                    exchange,
                    crossed: None,
                },
                inner,
            )),
            Err(_) => {
                offered.withdraw(ctx);
                Err(DropReason::Limit("message size"))
            }
        }
    }
}

impl ChildTask {
    /// The peer has rekeyed the same child.
    pub(in crate::v2) fn crossed(&mut self, rank: &[u8]) {
        if self.crossed.as_deref().is_none_or(|known| known < rank) {
            self.crossed = Some(rank.to_vec());
        }
    }
}

/// Takes in the response.
pub(in crate::v2) fn finish(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    mut task: ChildTask,
    payloads: Result<Payloads<'_>, DropReason>,
) {
    let exchange = task.exchange.take();
    let spi = payloads.as_ref().ok().and_then(peer_spi);
    let stillborn = session.stillborn(spi.map(|(_, spi)| spi));
    let agreed = match &payloads {
        _ if stillborn => Err(DropReason::Stale),
        Ok(payloads) => accept(session, ctx, frame, &task, exchange, payloads),
        Err(reason) => Err(reason.clone()),
    };
    if agreed.is_ok() {
        return;
    }
    task.offered.withdraw(ctx);
    let (child, wanted) = (task.offered.child, task.offered.wanted);
    let config = wanted.traffic.config;
    let error = payloads.as_ref().ok().and_then(|p| p.error());
    let error = error.map(|n| n.notify_type);
    if error.is_none() && !stillborn {
        // The peer holds its half of what we do not take: it need not wait for us.
        if let Some((protocol, spi_out)) = spi {
            let deleted = DeletedChild {
                protocol,
                spi_in: task.offered.spi,
                spi_out,
            };
            session.tell_deleted(ctx, &deleted);
        }
    }
    let reason = error.map_or(CloseReason::Refused, |e| CloseReason::RefusedByPeer(e.0));
    ctx.child_failed(frame.index, config, child, reason);
    match (error, wanted.replaces) {
        // RFC 7296 §2.25: the peer has no such child any more. It goes here too, and a new one
        // comes.
        (Some(NotifyType::CHILD_SA_NOT_FOUND), Some(old)) => {
            // RFC 7296 §2.8.1: nothing is missing when the peer's rekey has come before ours.
            let children = &ctx.world.children;
            let replaced = session
                .up()
                .is_some_and(|up| children.has_successor(old, frame.index, &up.remote_id));
            ctx.effect(Effect::RemoveChild(old, CloseReason::DeletedByPeer));
            let again = Wanted {
                replaces: None,
                ..wanted
            };
            if !replaced {
                let _closing = session.want(ctx, Want::Child(again));
            }
        }
        (Some(NotifyType::TEMPORARY_FAILURE), Some(old)) => children::retry_soon(ctx, old),
        // A rekey tries again on its own.
        (_, Some(_)) => {}
        (Some(NotifyType::TEMPORARY_FAILURE), None) => {
            ctx.effect(Effect::WantLater(frame.index));
        }
        (_, None) => ctx.effect(Effect::Unwanted(frame.index, config)),
    }
}

/// The SPI of the peer's half.
fn peer_spi(payloads: &Payloads<'_>) -> Option<(IpsecProtocol, u32)> {
    let proposal = payloads.sa?.proposals().next()?;
    let protocol = match proposal.protocol_id {
        ProtocolId::ESP => IpsecProtocol::Esp,
        ProtocolId::AH => IpsecProtocol::Ah,
        _ => return None,
    };
    Some((protocol, proposal.spi_u32()?))
}

fn accept(
    session: &Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    task: &ChildTask,
    exchange: Option<Box<dyn ActiveKeyExchange>>,
    payloads: &Payloads<'_>,
) -> Result<(), DropReason> {
    if payloads.sa.is_none() {
        return Err(DropReason::NoProposalChosen);
    }
    let group = exchange.as_ref().map(|e| e.group());
    let settled = task.offered.check(ctx, frame, payloads, group)?;
    let nr = nonce(session, payloads)?;
    let g_ir = match (exchange, settled.transforms.group) {
        (Some(exchange), Some(chosen)) if exchange.group() == chosen => {
            let ke = required(payloads.key_exchange, PayloadType::KEY_EXCHANGE)?;
            if alg::group_from_wire(ke.method) != Some(chosen) {
                return Err(DropReason::NotOffered);
            }
            let secret = exchange.finish(ke.data);
            Some(secret.map_err(|_| DropReason::BadKeyExchange)?)
        }
        (None, None) => None,
        _ => return Err(DropReason::NotOffered),
    };
    let nonces = Nonces {
        initiator: &task.ni,
        responder: nr,
    };
    let child = settled.child;
    under(session, frame, |under| {
        install(ctx, under, settled, g_ir.as_ref(), &nonces, true)
    })?;
    let theirs = task.crossed.as_deref();
    if theirs.is_some_and(|theirs| nonces.lowest() < theirs) {
        children::give_way(ctx, child);
    } else {
        // RFC 7296 §2.8: the responder takes packets in on it already.
        children::activate(ctx, child);
    }
    Ok(())
}

fn under(
    session: &Session,
    frame: &Frame<'_>,
    work: impl FnOnce(&Under<'_>) -> Result<(), DropReason>,
) -> Result<(), DropReason> {
    let up = session.up().ok_or(DropReason::WrongState)?;
    let crypt = session.crypt.as_ref().ok_or(DropReason::NoKeyYet)?;
    work(&Under {
        frame: *frame,
        keys: &crypt.keys,
        remote_id: &up.remote_id,
        verdict: up.verdict,
    })
}

/// Answers a request of the peer.
pub(super) fn respond(
    session: &mut Session,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    payloads: &Payloads<'_>,
    authorized: Option<bool>,
) -> Result<Response, Stop> {
    let up = session.up().ok_or(DropReason::WrongState)?;
    if up.is_rekeying() {
        // RFC 7296 §2.25.2: not beside a rekey of the IKE SA.
        return Err(DropReason::TemporaryFailure.into());
    }
    let rekeyed = rekeyed(session, ctx, payloads)?;
    let ni = nonce(session, payloads)?;
    let assigned = up.assigned.clone();
    let terms = Grant {
        exchange: ChildKeyExchange::AsConfigured,
        key_exchange: group_of(payloads),
        only: rekeyed.map(|(_, config)| config),
        assignment: assigned.as_deref(),
    };
    let granted = grant(ctx, frame, payloads, &terms)?;
    if let Some(question) = granted.authorize(ctx, frame, authorized)? {
        if session.is_asking() {
            return Err(DropReason::TemporaryFailure.into());
        }
        return Err(Stop::Ask(Box::new(question)));
    }
    let exchange = answer_exchange(ctx, payloads, granted.transforms.group)?;
    let settled: Settled = granted.settle(ctx, rekeyed.map(|(old, _)| old))?;
    let (child, spi) = (settled.child, settled.spi);
    let nr = sa_init::nonce(ctx);
    let response = Response::build(|w| {
        granted.write_sa(w, spi)?;
        w.nonce(&nr)?;
        if let Some((method, public, _)) = &exchange {
            w.key_exchange(*method, public)?;
        }
        granted.write_ts(w)
    });
    let nonces = Nonces {
        initiator: ni,
        responder: &nr,
    };
    let g_ir = exchange.as_ref().map(|(_, _, secret)| secret);
    let installed = response.and_then(|response| {
        under(session, frame, |under| {
            install(ctx, under, settled, g_ir, &nonces, false)
        })
        .map(|()| response)
    });
    match installed {
        Ok(response) => {
            match (rekeyed, session.up_mut()) {
                (Some((old, _)), Some(up)) => up.crossed(old, nonces.lowest()),
                _ => children::activate_first(ctx, child),
            }
            Ok(response)
        }
        Err(reason) => {
            ctx.world.children.release_spi(spi);
            Err(reason.into())
        }
    }
}

/// The child that REKEY_SA names, and its place in the configuration (RFC 7296 §2.25.1).
fn rekeyed(
    session: &Session,
    ctx: &Context<'_>,
    payloads: &Payloads<'_>,
) -> Result<Option<(ChildId, usize)>, DropReason> {
    let Some(notify) = payloads.notify(NotifyType::REKEY_SA) else {
        return Ok(None);
    };
    let spi = notify
        .spi_u32()
        .ok_or(DropReason::BadPayload(PayloadType::NOTIFY.into()))?;
    if session.up().is_some_and(|up| up.is_deleting(spi)) {
        return Err(DropReason::TemporaryFailure);
    }
    let mut same_spi = ctx.world.children.with_spi_out(spi);
    let found =
        same_spi.find(|c| session.owns(c) && protocol_id(c.suite.protocol()) == notify.protocol_id);
    let child = found.ok_or(DropReason::ChildNotFound(spi))?;
    if !child.is_current() {
        // RFC 7296 §2.25.1: its end is decided, told or not.
        return Err(DropReason::TemporaryFailure);
    }
    Ok(Some((child.id, child.config)))
}
