//! How messages go out: requests, and what answers those of the peer, now and when they come again.

use alloc::vec::Vec;

use bytes::Bytes;
use isakmp_wire::registry::ExchangeType;
use nat_t::Verdict;

use super::{Session, Stage};
use crate::action::CloseReason;
use crate::allowance::most_for;
use crate::config::Retransmit;
use crate::context::{Context, Effect};
use crate::outcome::DropReason;
use crate::path::Path;
use crate::v2::crypt::Place as Where;
use crate::v2::error::refusal;
use crate::v2::explain;
use crate::v2::protect::Inner;
use crate::v2::window::Datagrams;

impl Session {
    /// Sends a request and repeats it until it is answered; gives its message ID.
    pub(in crate::v2) fn request(
        &mut self,
        ctx: &mut Context<'_>,
        exchange: ExchangeType,
        inner: &Inner,
        patience: &Retransmit,
    ) -> Result<u32, DropReason> {
        let id = self.window.next_id();
        let place = self.place(exchange, id, false);
        let fragment = self.fragment(ctx);
        let crypt = self.crypt.as_mut().ok_or(DropReason::NoKeyYet)?;
        let message = crypt.seal(&place, inner, fragment)?;
        let frame = self.frame(ctx)?;
        explain::sent(ctx, &frame, self.state(), &place, inner, &message);
        self.transmit(ctx, message, patience);
        Ok(id)
    }

    pub(super) fn transmit(
        &mut self,
        ctx: &mut Context<'_>,
        request: Datagrams,
        patience: &Retransmit,
    ) {
        send(ctx, self.path, &request);
        self.window.sent(request, patience, ctx.now, ctx.rng);
    }

    /// Answers a request, now and when it comes again.
    pub(in crate::v2) fn respond_with(
        &mut self,
        ctx: &mut Context<'_>,
        exchange: ExchangeType,
        id: u32,
        path: Path,
        inner: &Inner,
    ) {
        let place = self.place(exchange, id, true);
        let fragment = self.fragment(ctx);
        let short = refusal(exchange, &DropReason::Limit("message size"));
        let Some(crypt) = self.crypt.as_mut() else {
            return self.end(ctx, CloseReason::Crypto);
        };
        let mut said = inner;
        let sealed = crypt.seal(&place, inner, fragment).or_else(|_| {
            said = &short;
            crypt.seal(&place, &short, None)
        });
        let Ok(message) = sealed else {
            // Nothing can be said under these keys any more.
            return self.end(ctx, CloseReason::Crypto);
        };
        if let Ok(frame) = self.frame(ctx) {
            explain::sent(ctx, &frame, self.state(), &place, said, &message);
        }
        self.answer_with(ctx, id, path, message);
    }

    pub(super) fn answer_with(
        &mut self,
        ctx: &mut Context<'_>,
        id: u32,
        path: Path,
        answer: Datagrams,
    ) {
        self.send_allowed(ctx, path, &answer);
        self.window.answer(id, answer);
    }

    /// RFC 7296 §2.1: "every request requires a response". Whatever has become of one: unless its
    /// answer waits for one to a question of ours, it is answered now.
    pub(super) fn answer_all(&mut self, ctx: &mut Context<'_>) {
        // A question that is held back is asked later, and answers the request then.
        let waits = self.is_asking() || self.held.is_some();
        let answers = self.crypt.is_some() && !waits;
        while let Some(owed) = self.window.owed().filter(|_| answers) {
            let inner = refusal(owed.exchange, &DropReason::WrongState);
            self.respond_with(ctx, owed.exchange, owed.id, owed.path, &inner);
            if self.window.owed() == Some(owed) {
                // The SA has ended: there was no way to protect an answer.
                return;
            }
        }
    }

    /// A part of a request with these keys has come. Only who has got our IKE_SA_INIT has them.
    pub(super) fn receives(&mut self, ctx: &mut Context<'_>, path: Path, octets: usize) {
        if let Some(allowance) = &mut self.allowance {
            allowance.prove();
            allowance.received(path.remote.ip(), octets, true);
            ctx.effect(Effect::AddressProved(self.id));
        }
    }

    /// Answers a request that has come again, in so many octets, as it was answered before.
    pub(in crate::v2) fn answer_again(
        &mut self,
        ctx: &mut Context<'_>,
        (id, path): (u32, Path),
        octets: usize,
        answer: &Datagrams,
    ) {
        if self.up().is_some() {
            let to = self.answers_to(path);
            // Nothing proves where a copy comes from.
            if to == self.path || answer.octets() <= most_for(octets) {
                send(ctx, to, answer);
            }
        } else if self.window.may_repeat(id, path) {
            if let Some(allowance) = &mut self.allowance {
                allowance.received(path.remote.ip(), octets, false);
            }
            self.send_allowed(ctx, path, answer);
        }
    }

    /// Sends an answer as far as it may go there.
    fn send_allowed(&mut self, ctx: &mut Context<'_>, path: Path, answer: &Datagrams) {
        let Some(allowance) = &mut self.allowance else {
            return send(ctx, path, answer);
        };
        let lengths: Vec<usize> = answer.iter().map(Bytes::len).collect();
        let (first, count) = allowance.take(path.remote.ip(), &lengths);
        for datagram in answer.iter().cycle().skip(first).take(count) {
            ctx.send(path, datagram);
        }
    }

    /// Where the answer to a copy of an old request goes after authentication. Nothing proves where a
    /// copy comes from, but a peer that may move asks again from where it is.
    pub(in crate::v2) fn answers_to(&self, path: Path) -> Path {
        let verdict = self.up().and_then(|up| up.verdict);
        let moves =
            verdict.is_some_and(Verdict::follows_peer) || self.up().is_some_and(|up| up.mobike);
        if moves && path.natt == self.path.natt || path.remote.ip() == self.path.remote.ip() {
            path
        } else {
            self.path
        }
    }

    /// Where a message of ours stands.
    pub(in crate::v2) fn place(
        &self,
        exchange: ExchangeType,
        message_id: u32,
        response: bool,
    ) -> Where {
        Where {
            spis: self.spis,
            role: self.role,
            exchange,
            message_id,
            response,
        }
    }

    /// The longest message that the peer wants in one piece.
    pub(super) fn fragment(&self, ctx: &Context<'_>) -> Option<usize> {
        let able = match &self.stage {
            Stage::Initiator(init, _) => init.peer.fragmentation,
            Stage::Responder(init, _) => init.peer.fragmentation,
            Stage::Up(up) => up.fragmentation,
            _ => false,
        };
        let peer = ctx.config.peers.get(self.peer)?;
        peer.v2.fragment.filter(|_| able).map(usize::from)
    }
}

/// Sends the datagrams of one message.
pub(in crate::v2) fn send(ctx: &mut Context<'_>, path: Path, message: &Datagrams) {
    for datagram in message.iter() {
        ctx.send(path, datagram);
    }
}
