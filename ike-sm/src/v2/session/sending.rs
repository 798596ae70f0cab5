//! How messages go out: requests, and what answers those of the peer, now and when they come again.

use alloc::vec::Vec;

use bytes::Bytes;
use isakmp_wire::registry::ExchangeType;
use nat_t::Verdict;

use super::{Session, Stage};
use crate::config::Retransmit;
use crate::context::Context;
use crate::core::allowance::most_for;
use crate::core::effects::Effect;
use crate::event::Question;
use crate::model::{CloseReason, DropReason, Path};
use crate::v2::crypt::Place as Where;
use crate::v2::error::refusal;
use crate::v2::explain;
use crate::v2::protect::Inner;
use crate::v2::window::{Datagrams, Owed, Settled};

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
        owed: Owed,
        inner: &Inner,
    ) -> Settled {
        let place = self.place(owed.exchange(), owed.id(), true);
        let fragment = self.fragment(ctx);
        let short = refusal(owed.exchange(), &DropReason::Limit("message size"));
        let Some(crypt) = self.crypt.as_mut() else {
            return self.end_owing(ctx, CloseReason::Crypto, owed);
        };
        let mut said = inner;
        let sealed = crypt.seal(&place, inner, fragment).or_else(|_| {
            said = &short;
            crypt.seal(&place, &short, None)
        });
        let Ok(message) = sealed else {
            // Nothing can be said under these keys any more.
            return self.end_owing(ctx, CloseReason::Crypto, owed);
        };
        if let Ok(frame) = self.frame(ctx) {
            explain::sent(ctx, &frame, self.state(), &place, said, &message);
        }
        self.answer_with(ctx, owed, message)
    }

    /// Answers a request with the error that this leads to.
    pub(in crate::v2) fn refuse(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        reason: &DropReason,
    ) -> Settled {
        let inner = refusal(owed.exchange(), reason);
        self.respond_with(ctx, owed, &inner)
    }

    pub(super) fn answer_with(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        answer: Datagrams,
    ) -> Settled {
        self.send_allowed(ctx, owed.path(), &answer);
        self.window.answer(owed, answer)
    }

    /// Ends the SA without a word: the request can have no response.
    pub(super) fn end_owing(
        &mut self,
        ctx: &mut Context<'_>,
        reason: CloseReason,
        owed: Owed,
    ) -> Settled {
        self.end(ctx, reason);
        owed.lapse()
    }

    /// A request needs an answer of the embedder first. One at a time waits.
    pub(in crate::v2) fn ask_for(
        &mut self,
        ctx: &mut Context<'_>,
        question: Question,
        owed: Owed,
    ) -> Settled {
        match owed.wait(&mut self.waiting) {
            Ok(settled) => {
                self.ask(ctx, question);
                settled
            }
            Err(owed) => self.refuse(ctx, owed, &DropReason::TemporaryFailure),
        }
    }

    /// A request that waits does so in vain.
    pub(in crate::v2) fn refuse_waiting(&mut self, ctx: &mut Context<'_>) {
        let Some(owed) = self.waiting.take() else {
            return;
        };
        let reason = match owed.exchange() {
            // Before there are keys nobody has proved to be the sender, and what comes again is new.
            ExchangeType::IKE_SA_INIT => return,
            ExchangeType::IKE_AUTH => DropReason::AuthenticationFailed,
            _ => DropReason::TemporaryFailure,
        };
        self.refuse(ctx, owed, &reason);
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
