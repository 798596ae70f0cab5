//! Informational exchanges (RFC 2409 §5.7): notifications and deletions, each under HASH(1).

use alloc::vec::Vec;

use bytes::Bytes;
use isakmp_wire::registry::{ExchangeType, ProtocolId};
use isakmp_wire::v1::{Message, Notification, NotifyType, PayloadType, Writer};
use isakmp_wire::{BuildError, Header};

use crate::child::Child;
use crate::context::Context;
use crate::core::effects::Effect;
use crate::event::{DpdStep, What};
use crate::model::{ChildId, CloseReason, DropReason, IkeState, IkeVersion, IpsecProtocol, Step};
use crate::policy;
use crate::v1::established::Established;
use crate::v1::keys::Cookies;
use crate::v1::payloads::{self, INFO, Payloads, protocol_id};
use crate::v1::phase1::Frame;
use crate::v1::protect;

/// What a message asks for, once all of it has been checked.
enum Order {
    /// Answer R-U-THERE.
    Acknowledge(u32),
    /// Our R-U-THERE is answered.
    Acknowledged(u32),
    /// The peer has started anew.
    InitialContact,
    /// Our quick mode is refused.
    QuickRefused { message_id: u32, notify: NotifyType },
    /// A child ends.
    Remove(ChildId),
    /// A child lives shorter.
    Shorten(ChildId, crate::config::Lifetime),
    /// This ISAKMP SA ends.
    Close,
}

/// What a message under an SA that is refused comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The peer ends the SA.
    Close,
    /// The peer asks whether we are there, and takes the SA for one that stands.
    Asks,
    /// Nothing that has a meaning there.
    Nothing,
}

/// Takes in a notification or deletion under the SA. `Some` is the answer that was sent.
pub(crate) fn receive(
    sa: &mut Established,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    message: &Message<'_>,
) -> Result<Option<Bytes>, DropReason> {
    let orders = open(sa, ctx, frame, message)?;
    let mut answer = None;
    for order in orders {
        answer = obey(sa, ctx, frame, order).or(answer);
    }
    Ok(answer)
}

/// What a notification or deletion means under an SA that is refused.
pub(crate) fn judge(
    sa: &Established,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    message: &Message<'_>,
) -> Result<Verdict, DropReason> {
    let orders = open(sa, ctx, frame, message)?;
    let any = |is: fn(&Order) -> bool| orders.iter().any(is);
    Ok(if any(|order| matches!(order, Order::Close)) {
        Verdict::Close
    } else if any(|order| matches!(order, Order::Acknowledge(_))) {
        Verdict::Asks
    } else {
        Verdict::Nothing
    })
}

/// What an authentic message asks for.
fn open(
    sa: &Established,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    message: &Message<'_>,
) -> Result<Vec<Order>, DropReason> {
    let limits = &ctx.config.wire;
    let id = message.header.message_id;
    let agreed = &sa.agreed;
    let iv = agreed
        .cipher
        .exchange_iv(&agreed.last_block, id)
        .ok_or(DropReason::Crypto)?;
    let (plain, _) = protect::open(&agreed.cipher, &iv, message)?;
    let chain = protect::chain(message, &plain, limits)?;
    protect::note_received(
        ctx,
        frame,
        (Step::Info, IkeState::Complete),
        message,
        &chain,
    );
    let payloads = payloads::sort(chain, &INFO, agreed.vendor.dialect, limits)?;
    protect::verify(&agreed.keys.hash_1(id, payloads.after_hash), payloads.hash)?;
    let orders = read(sa, ctx, frame, &payloads)?;
    for n in &payloads.notifications {
        let notify = n.notify_type.0;
        ctx.note(
            Some(frame.ike),
            What::Notified {
                version: IkeVersion::V1,
                notify,
                authenticated: true,
                message_id: id,
            },
        );
    }
    Ok(orders)
}

fn read(
    sa: &Established,
    ctx: &Context<'_>,
    frame: &Frame<'_>,
    payloads: &Payloads<'_>,
) -> Result<Vec<Order>, DropReason> {
    let mut orders = Vec::new();
    for n in &payloads.notifications {
        orders.extend(read_notification(sa, ctx, frame, n)?);
    }
    for delete in &payloads.deletes {
        match delete.protocol_id {
            ProtocolId::ISAKMP => {
                let ours = cookie_pair(&frame.cookies);
                if delete.spis().any(|spi| spi == ours.as_slice()) {
                    orders.push(Order::Close);
                }
            }
            ProtocolId::ESP | ProtocolId::AH => {
                for spi in delete.spis_u32() {
                    let child = child_named(ctx, frame, spi);
                    // What is gone already is no fault: deletions cross.
                    if let Some(child) = child
                        .filter(|c| protocol_id(c.terms.suite.protocol()) == delete.protocol_id)
                    {
                        orders.push(Order::Remove(child.id));
                    }
                }
            }
            _ => return Err(DropReason::BadPayload(PayloadType::DELETE.into())),
        }
    }
    Ok(orders)
}

fn read_notification(
    sa: &Established,
    ctx: &Context<'_>,
    frame: &Frame<'_>,
    n: &Notification<'_>,
) -> Result<Option<Order>, DropReason> {
    let order = match n.notify_type {
        NotifyType::R_U_THERE => {
            let sequence = dpd_sequence(frame, n)?;
            if !sa.dpd.accepts(sequence) {
                return Err(DropReason::DpdSequence);
            }
            Order::Acknowledge(sequence)
        }
        NotifyType::R_U_THERE_ACK => {
            let sequence = dpd_sequence(frame, n)?;
            if !sa.dpd.expects(sequence) {
                return Err(DropReason::DpdSequence);
            }
            Order::Acknowledged(sequence)
        }
        NotifyType::INITIAL_CONTACT => Order::InitialContact,
        NotifyType::RESPONDER_LIFETIME => {
            let child = n.spi_u32().and_then(|spi| child_named(ctx, frame, spi));
            match (child, policy::read_lifetime(n, &ctx.config.wire)) {
                (Some(child), Some(lifetime)) => Order::Shorten(child.id, lifetime),
                _ => return Ok(None),
            }
        }
        NotifyType::INVALID_SPI => {
            let spi = n.spi_u32().or_else(|| n.number());
            let child = spi.and_then(|spi| child_named(ctx, frame, spi));
            match child {
                Some(child) => Order::Remove(child.id),
                None => return Ok(None),
            }
        }
        notify if notify.is_error() => match sa.waiting_for_answer(n.spi) {
            Some(message_id) => Order::QuickRefused { message_id, notify },
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(order))
}

/// The child of the sender whose outbound SPI this is. Only the device at the other end of the SA
/// can mean it: another one with the same identity has SPIs of its own.
fn child_named<'c>(ctx: &'c Context<'_>, frame: &Frame<'_>, spi: u32) -> Option<&'c Child> {
    let device = ctx.world.standing.device(frame.ike)?;
    ctx.world.children.by_outbound_spi(device, spi)
}

/// RFC 3706 §5.3: four bytes of data; the SPI, where there is one, is the cookie pair.
fn dpd_sequence(frame: &Frame<'_>, n: &Notification<'_>) -> Result<u32, DropReason> {
    let bad = DropReason::BadPayload(PayloadType::NOTIFICATION.into());
    if !n.spi.is_empty() && n.spi != cookie_pair(&frame.cookies).as_slice() {
        return Err(bad);
    }
    n.number().ok_or(bad)
}

fn obey(
    sa: &mut Established,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    order: Order,
) -> Option<Bytes> {
    match order {
        Order::Acknowledge(sequence) => {
            sa.dpd.asked(sequence);
            ctx.note(
                Some(frame.ike),
                What::Dpd(DpdStep::AnsweredPeer { sequence }),
            );
            return send_dpd(sa, ctx, frame, NotifyType::R_U_THERE_ACK, sequence);
        }
        Order::Acknowledged(sequence) => {
            sa.dpd.heard(ctx.now);
            ctx.note(Some(frame.ike), What::Dpd(DpdStep::Answered { sequence }));
        }
        Order::InitialContact => ctx.effect(Effect::InitialContact(frame.ike)),
        Order::QuickRefused { message_id, notify } => {
            sa.abandon(ctx, frame, message_id, CloseReason::RefusedByPeer(notify.0));
        }
        Order::Remove(child) => {
            ctx.effect(Effect::RemoveChild(child, CloseReason::DeletedByPeer));
        }
        Order::Shorten(child, lifetime) => {
            let random = u32::from_be_bytes(ctx.random());
            let schedule = ctx.world.children.get(child).and_then(|c| {
                let config = frame.peer.children.get(c.config)?;
                let hard_bytes = lifetime.kilobytes.map(|kb| kb.saturating_mul(1024));
                let shorter = lifetime.time < c.schedule.hard
                    || hard_bytes.is_some_and(|b| c.schedule.hard_bytes.is_none_or(|h| b < h));
                let current = crate::config::Lifetime {
                    time: c.schedule.hard,
                    kilobytes: c.schedule.hard_bytes.map(|b| b >> 10),
                };
                shorter.then(|| {
                    config
                        .margin
                        .schedule(current.min(lifetime), c.initiator, random)
                })
            });
            if let Some(schedule) = schedule {
                crate::child::shorten(ctx, child, schedule);
            }
        }
        Order::Close => {
            ctx.effect(Effect::Closed(frame.ike, CloseReason::DeletedByPeer));
        }
    }
    None
}

/// The first error that a message in the clear reports.
pub(crate) fn clear_error(message: &Message<'_>) -> Option<NotifyType> {
    let payloads = message.payloads().iter();
    let mut notifications = payloads.filter(|p| p.payload_type == PayloadType::NOTIFICATION);
    let notification = notifications.find_map(|p| Notification::parse(&p).ok())?;
    // RFC 2408 §3.14.1: errors are below 8192.
    let kind = notification.notify_type;
    (1..8192).contains(&kind.0).then_some(kind)
}

/// Notifications of one message in the clear that are reported.
const MOST_CLEAR: usize = 4;

/// A message in the clear although there are keys: at most a hint (RFC 2409 §5.7 protects them
/// "once the ISAKMP security association has been established").
pub(crate) fn refuse_clear(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    message: &Message<'_>,
) -> DropReason {
    if message.header.exchange_type != ExchangeType::INFORMATIONAL {
        return DropReason::NotEncrypted;
    }
    let notifications = message.payloads().iter();
    let notifications = notifications.filter(|p| p.payload_type == PayloadType::NOTIFICATION);
    // Anybody can have sent them: no more is said of them than one of them deserves.
    for payload in notifications.take(MOST_CLEAR) {
        if let Ok(n) = Notification::parse(&payload) {
            ctx.note(
                Some(frame.ike),
                What::Notified {
                    version: IkeVersion::V1,
                    notify: n.notify_type.0,
                    authenticated: false,
                    message_id: message.header.message_id,
                },
            );
        }
    }
    DropReason::Unauthenticated
}

/// Builds an informational message under the SA.
fn build(
    sa: &mut Established,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
) -> Option<Bytes> {
    let id = sa.fresh_message_id(ctx).ok()?;
    sa.remember(ctx, frame, id);
    let agreed = &sa.agreed;
    let plain = protect::hashed(
        agreed.suite.prf.output_len(),
        |rest| agreed.keys.hash_1(id, rest),
        fill,
    )
    .ok()?;
    let iv = agreed.cipher.exchange_iv(&agreed.last_block, id)?;
    let header = protect::header(&frame.cookies, ExchangeType::INFORMATIONAL, id);
    let plain = plain.noted(ctx, frame, Step::Info, IkeState::Complete, id);
    let agreed = &sa.agreed;
    protect::seal(&agreed.cipher, &iv, &header, plain)
        .ok()
        .map(|(message, _)| message)
}

/// Sends a DPD question or answer (RFC 3706 §5.3).
pub(crate) fn send_dpd(
    sa: &mut Established,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    kind: NotifyType,
    sequence: u32,
) -> Option<Bytes> {
    let spi = cookie_pair(&frame.cookies);
    let message = build(sa, ctx, frame, |writer| {
        writer.notification(ProtocolId::ISAKMP, &spi, kind, &sequence.to_be_bytes())?;
        Ok(())
    })?;
    ctx.send(frame.path, &message);
    sa.sent(ctx.now);
    Some(message)
}

/// Tells the peer that we have no older SAs with it (RFC 2407 §4.6.3.3).
pub(crate) fn send_initial_contact(sa: &mut Established, ctx: &mut Context<'_>, frame: &Frame<'_>) {
    let message = build(sa, ctx, frame, |writer| {
        crate::v1::phase1::write_initial_contact(writer, &frame.cookies)
    });
    if let Some(message) = message {
        ctx.send(frame.path, &message);
    }
}

/// The protected notification that refuses a quick mode.
pub(crate) fn refusal(
    sa: &mut Established,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    notify: NotifyType,
    spi: Option<u32>,
) -> Option<Bytes> {
    let spi = spi.map(u32::to_be_bytes);
    build(sa, ctx, frame, |writer| {
        let spi: &[u8] = spi.as_ref().map_or(&[], |spi| spi);
        writer.notification(ProtocolId::ESP, spi, notify, &[])?;
        Ok(())
    })
}

/// Tells the peer that our inbound SAs are gone.
pub(crate) fn send_delete_child(
    sa: &mut Established,
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    protocol: IpsecProtocol,
    spi_in: u32,
) {
    let message = build(sa, ctx, frame, |writer| {
        writer.delete(protocol_id(protocol), &[spi_in.to_be_bytes()])?;
        Ok(())
    });
    if let Some(message) = message {
        ctx.send(frame.path, &message);
        sa.sent(ctx.now);
    }
}

/// Tells the peer that this ISAKMP SA is gone.
pub(crate) fn send_delete_self(sa: &mut Established, ctx: &mut Context<'_>, frame: &Frame<'_>) {
    let spi = cookie_pair(&frame.cookies);
    let message = build(sa, ctx, frame, |writer| {
        writer.delete(ProtocolId::ISAKMP, &[spi])?;
        Ok(())
    });
    if let Some(message) = message {
        ctx.send(frame.path, &message);
    }
}

/// What refuses a phase 1 that has no keys yet: unprotected, so no more than a hint to the peer.
pub(crate) fn unprotected_refusal(
    cookies: &Cookies,
    message_id: u32,
    notify: NotifyType,
) -> Option<Bytes> {
    let header: Header = protect::header(cookies, ExchangeType::INFORMATIONAL, message_id);
    protect::clear(&header, |writer| {
        writer.notification(ProtocolId::ISAKMP, &[], notify, &[])?;
        Ok(())
    })
    .ok()
}

/// CKY-I and CKY-R, which name an ISAKMP SA where an SPI is asked for (RFC 2407 §4.6.3).
fn cookie_pair(cookies: &Cookies) -> [u8; 16] {
    let mut pair = [0; 16];
    let bytes = cookies.initiator.iter().chain(&cookies.responder);
    pair.iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    pair
}
