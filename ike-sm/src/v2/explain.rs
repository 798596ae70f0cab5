//! Records of the messages that come and go.

use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{Message, PayloadChain};
use isakmp_wire::{Header, Limits};

use super::crypt::Place;
use super::protect::Inner;
use super::window::Datagrams;
use crate::context::Context;
use crate::event::{Packet, PayloadList, What};
use crate::model::{IkeState, Step};
use crate::v2::frame::Frame;

/// A message came in, its payloads decrypted.
pub(super) fn received(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    step: Step,
    state: IkeState,
    header: &Header,
    chain: &PayloadChain<'_>,
    len: usize,
) {
    if ctx.config.explain {
        let packet = Packet {
            path: frame.path,
            role: (state != IkeState::Idle).then_some(frame.role),
            state,
            step,
            message_id: header.message_id,
            payloads: types(chain),
            len,
        };
        ctx.note(Some(frame.ike), What::Received(packet));
    }
}

/// A message in the clear goes out.
pub(super) fn sent_clear(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    step: Step,
    state: IkeState,
    message: &[u8],
) {
    if let (true, Ok(parsed)) = (
        ctx.config.explain,
        Message::parse(message, &Limits::DEFAULT),
    ) {
        let packet = Packet {
            path: frame.path,
            role: Some(frame.role),
            state,
            step,
            message_id: 0,
            payloads: types(&parsed.payloads()),
            len: message.len(),
        };
        ctx.note(Some(frame.ike), What::Sent(packet));
    }
}

/// A protected message goes out.
pub(super) fn sent(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    state: IkeState,
    place: &Place,
    inner: &Inner,
    message: &Datagrams,
) {
    if !ctx.config.explain {
        return;
    }
    let payloads = inner
        .payloads(&Limits::DEFAULT)
        .map_or(PayloadList::EMPTY, |chain| types(&chain));
    let step = match (place.exchange, place.response) {
        (ExchangeType::IKE_INTERMEDIATE, false) => Step::IntermediateI,
        (ExchangeType::IKE_INTERMEDIATE, true) => Step::IntermediateR,
        (ExchangeType::IKE_AUTH, false) => Step::AuthI,
        (ExchangeType::IKE_AUTH, true) => Step::AuthR,
        (ExchangeType::CREATE_CHILD_SA, false) => Step::CreateChildI,
        (ExchangeType::CREATE_CHILD_SA, true) => Step::CreateChildR,
        (ExchangeType::IKE_FOLLOWUP_KE, false) => Step::FollowupI,
        (ExchangeType::IKE_FOLLOWUP_KE, true) => Step::FollowupR,
        (_, false) => Step::InformationalI,
        (_, true) => Step::InformationalR,
    };
    let packet = Packet {
        path: frame.path,
        role: Some(frame.role),
        state,
        step,
        message_id: place.message_id,
        payloads,
        len: message.iter().map(|datagram| datagram.len()).sum(),
    };
    ctx.note(Some(frame.ike), What::Sent(packet));
}

fn types(chain: &PayloadChain<'_>) -> PayloadList {
    chain.iter().map(|payload| payload.payload_type).collect()
}
