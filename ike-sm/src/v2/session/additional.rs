//! Additional key exchanges of an IKE SA that is coming up: what the session does about them.

use alloc::boxed::Box;

use isakmp_wire::Header;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::{Message, PayloadType};

use crate::context::Context;
use crate::event::job::{Computed, KeyExchangeDone};
use crate::event::{Question, What};
use crate::model::{CloseReason, DropReason, IkeState, Outcome, Path, Step};
use crate::v2::additional::Parked;
use crate::v2::crypt::{Crypt, Whole, other, sender};
use crate::v2::explain;
use crate::v2::keys::{Keys, Nonces};
use crate::v2::payloads::{Payloads, required};
use crate::v2::protect::Inner;
use crate::v2::series::agreement;
use crate::v2::session::{Session, Stage};
use crate::v2::window::{Owed, Settled};

impl Session {
    /// A request whose message ID was used before, with other octets. A fragment of a request that
    /// is answered already is answered again if it is the first one (RFC 7383 §2.6.1): the peer may
    /// have divided its request anew, so that only the keys tell.
    pub(in crate::v2) fn asked_again(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        id: u32,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        let message = Message::parse(raw, &ctx.config.wire).map_err(DropReason::Malformed)?;
        let fragment = message.protected().and_then(|p| p.fragment);
        let Some(fragment) = fragment else {
            return Err(DropReason::ReplayedMessageId(id));
        };
        if fragment.number != 1 {
            return Err(DropReason::Stale);
        }
        let crypt = self.crypt.as_ref().ok_or(DropReason::NoKeyYet)?;
        crypt.open(&message)?;
        if let Some(answer) = self.window.answer_to(id).cloned() {
            self.answer_again(ctx, (id, path), raw.len(), &answer);
        }
        Ok(Outcome::Repeated)
    }

    /// Initiator: the next exchange after IKE_SA_INIT, or after one of these.
    pub(in crate::v2) fn go_on(&mut self, ctx: &mut Context<'_>) {
        if let Stage::Initiator(init, _) = &self.stage
            && let Some(next) = init.additional.series.next()
            && let Some(group) = ctx.provider.group(next)
            && let Some(question) = ctx.key_pair(group)
        {
            return self.ask(ctx, question);
        }
        self.begin_next(ctx, None);
    }

    /// Initiator: the same, with the key pair that the embedder was asked for.
    fn begin_next(&mut self, ctx: &mut Context<'_>, computed: Computed) {
        let id = self.window.next_id();
        let exchange = ExchangeType::IKE_INTERMEDIATE;
        let header = self.place(exchange, id, false).header();
        let (Stage::Initiator(init, _), Some(crypt)) = (&mut self.stage, &self.crypt) else {
            return;
        };
        if init.additional.is_done() {
            init.int_auth = init.additional.int_auth();
            return self.auth_start(ctx);
        }
        let request = init.additional.request(ctx, computed).inspect(|inner| {
            let whose = sender(self.role);
            init.additional.cover(&crypt.keys, whose, &header, 0, inner);
        });
        let sent = match (request, self.frame(ctx)) {
            (Ok(inner), Ok(frame)) => self.request(ctx, exchange, &inner, &frame.peer.retransmit),
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
        };
        if sent.is_err() {
            self.end(ctx, CloseReason::Crypto);
        }
    }

    /// Initiator: `<-- HDR, SK {KEr(n)}`, or an error.
    pub(in crate::v2) fn intermediate_response(
        &mut self,
        ctx: &mut Context<'_>,
        header: &Header,
        whole: Whole,
    ) {
        match self.park(ctx, header, whole) {
            Ok(question) => self.ask(ctx, question),
            Err(whole) => self.intermediate_over(ctx, header, &whole, None),
        }
    }

    fn intermediate_over(
        &mut self,
        ctx: &mut Context<'_>,
        header: &Header,
        whole: &Whole,
        computed: Computed,
    ) {
        match self.take_response(ctx, header, whole, computed) {
            Ok(()) => self.go_on(ctx),
            Err(reason) => {
                // Whoever sees IKE_SA_INIT cannot make this, so it ends the attempt.
                let close = match &reason {
                    DropReason::Crypto => CloseReason::Crypto,
                    DropReason::Notified(error) => CloseReason::RefusedByPeer(*error),
                    _ => CloseReason::Refused,
                };
                self.end(ctx, close);
            }
        }
    }

    fn take_response(
        &mut self,
        ctx: &mut Context<'_>,
        header: &Header,
        whole: &Whole,
        computed: Computed,
    ) -> Result<(), DropReason> {
        let payloads = self.read(ctx, Step::IntermediateR, header, whole)?;
        if let Some(error) = payloads.error() {
            return Err(DropReason::Notified(error.notify_type.0));
        }
        let ke = required(payloads.key_exchange, PayloadType::KEY_EXCHANGE)?;
        let (Stage::Initiator(init, _), Some(crypt)) = (&mut self.stage, &self.crypt) else {
            return Err(DropReason::WrongState);
        };
        let init = &mut **init;
        let whose = other(self.role);
        init.additional
            .cover(&crypt.keys, whose, header, whole.reserved, &whole.inner);
        let nonces = Nonces {
            initiator: &init.ni,
            responder: &init.nr,
        };
        let keys = &crypt.keys;
        let keys = init.additional.finish(ctx, &ke, &nonces, keys, computed)?;
        self.change_keys(ctx, keys)
    }

    /// Responder: `--> HDR, SK {KEi(n)}`.
    pub(in crate::v2) fn intermediate_request(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        header: &Header,
        whole: Whole,
    ) -> Settled {
        match self.park(ctx, header, whole) {
            Ok(question) => self.ask_for(ctx, question, owed),
            Err(whole) => self.answer_intermediate(ctx, owed, header, &whole, None),
        }
    }

    /// Leaves a message until the embedder has computed our half of its key exchange, for which this is
    /// the question. Gives it back where that is computed here.
    fn park(
        &mut self,
        ctx: &mut Context<'_>,
        header: &Header,
        whole: Whole,
    ) -> Result<Question, Whole> {
        let question = self.intermediate_question(ctx, &whole);
        let (Stage::Initiator(init, _) | Stage::Responder(init, _)) = &mut self.stage else {
            return Err(whole);
        };
        let Some(question) = question else {
            return Err(whole);
        };
        let header = *header;
        init.additional.parked = Some(Box::new(Parked { header, whole }));
        Ok(question)
    }

    /// The question for our half of a key exchange, where it is not computed here. What is wrong with
    /// the message shows when it is worked on.
    fn intermediate_question(&self, ctx: &mut Context<'_>, whole: &Whole) -> Option<Question> {
        let limits = ctx.config.wire;
        let payloads = Payloads::read(&whole.inner.payloads(&limits).ok()?, &limits).ok()?;
        let ke = payloads.key_exchange?;
        match &self.stage {
            Stage::Initiator(init, _) => agreement(ctx, init.additional.series.pair()?, &ke),
            Stage::Responder(init, _) => init.additional.series.question(ctx, &ke).ok().flatten(),
            _ => None,
        }
    }

    /// Responder: our half is there, or will not come.
    pub(in crate::v2) fn intermediate_exchanged(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        done: Option<KeyExchangeDone>,
    ) -> Settled {
        let parked = match &mut self.stage {
            Stage::Responder(init, _) => init.additional.parked.take(),
            _ => None,
        };
        let Some(Parked { header, whole }) = parked.map(|parked| *parked) else {
            return self.refuse(ctx, owed, &DropReason::WrongState);
        };
        self.answer_intermediate(ctx, owed, &header, &whole, Some(done))
    }

    /// Initiator: the key pair of our next request is there, or the shared secret of the last one; or
    /// it will not come.
    pub(in crate::v2) fn intermediate_computed(
        &mut self,
        ctx: &mut Context<'_>,
        done: Option<KeyExchangeDone>,
    ) {
        let parked = match &mut self.stage {
            Stage::Initiator(init, _) => init.additional.parked.take(),
            _ => None,
        };
        match parked.map(|parked| *parked) {
            None => self.begin_next(ctx, Some(done)),
            Some(Parked { header, whole }) => {
                self.intermediate_over(ctx, &header, &whole, Some(done));
            }
        }
    }

    fn answer_intermediate(
        &mut self,
        ctx: &mut Context<'_>,
        owed: Owed,
        header: &Header,
        whole: &Whole,
        exchanged: Computed,
    ) -> Settled {
        let (settled, refusal) = match self.take_request(ctx, header, whole, exchanged) {
            Ok((inner, keys)) => {
                let answer = self.place(owed.exchange(), owed.id(), true).header();
                let whose = sender(self.role);
                if let (Stage::Responder(init, _), Some(crypt)) = (&mut self.stage, &self.crypt) {
                    init.additional
                        .cover(&crypt.keys, whose, &answer, 0, &inner);
                    init.int_auth = init.additional.int_auth();
                }
                let settled = self.respond_with(ctx, owed, &inner);
                match self.change_keys(ctx, keys) {
                    Ok(()) => return settled,
                    Err(reason) => (settled, reason),
                }
            }
            Err(reason) => (self.refuse(ctx, owed, &reason), reason),
        };
        self.turn_away(
            ctx,
            match refusal {
                DropReason::Crypto => CloseReason::Crypto,
                _ => CloseReason::Refused,
            },
        );
        settled
    }

    fn take_request(
        &mut self,
        ctx: &mut Context<'_>,
        header: &Header,
        whole: &Whole,
        exchanged: Computed,
    ) -> Result<(Inner, Keys), DropReason> {
        let payloads = self.read(ctx, Step::IntermediateI, header, whole)?;
        let ke = required(payloads.key_exchange, PayloadType::KEY_EXCHANGE)?;
        let (Stage::Responder(init, _), Some(crypt)) = (&mut self.stage, &self.crypt) else {
            return Err(DropReason::WrongState);
        };
        let init = &mut **init;
        let whose = other(self.role);
        init.additional
            .cover(&crypt.keys, whose, header, whole.reserved, &whole.inner);
        let nonces = Nonces {
            initiator: &init.ni,
            responder: &init.nr,
        };
        let keys = &crypt.keys;
        init.additional.respond(ctx, &ke, &nonces, keys, exchanged)
    }

    /// The payloads of a message of this exchange, which is reported.
    fn read<'w>(
        &self,
        ctx: &mut Context<'_>,
        step: Step,
        header: &Header,
        whole: &'w Whole,
    ) -> Result<Payloads<'w>, DropReason> {
        let frame = self.frame(ctx)?;
        let limits = ctx.config.wire;
        let chain = whole.inner.payloads(&limits);
        let chain = chain.map_err(DropReason::Malformed)?;
        let len = usize::try_from(header.length).unwrap_or(0);
        explain::received(ctx, &frame, step, IkeState::WaitAuth, header, &chain, len);
        Payloads::read(&chain, &limits)
    }

    fn change_keys(&mut self, ctx: &mut Context<'_>, keys: Keys) -> Result<(), DropReason> {
        let crypt = Crypt::new(ctx.provider, keys, self.role)?;
        ctx.note(Some(self.id), What::KeysDerived);
        crypt.log(ctx);
        self.crypt = Some(Box::new(crypt));
        Ok(())
    }
}
