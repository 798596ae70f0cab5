//! Additional key exchanges one after another, in the order that was negotiated (RFC 9370 §2.2.1):
//! those of IKE_INTERMEDIATE and those of IKE_FOLLOWUP_KE.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crypto_suite::{ActiveKeyExchange, GroupId, KeyExchange as Method, Secret};
use isakmp_wire::BuildError;
use isakmp_wire::v2::{KeyExchange, KeyExchangeMethod, Writer};

use crate::alg::v2 as alg;
use crate::context::Context;
use crate::event::Question;
use crate::event::job::{self, Computed};
use crate::model::DropReason;

/// Initiator: the question for what a key pair shares with the responder's public value, where it is not
/// computed here. What is wrong with that value shows when it is worked on.
pub(crate) fn agreement(
    ctx: &Context<'_>,
    pair: &Arc<dyn ActiveKeyExchange>,
    ke: &KeyExchange<'_>,
) -> Option<Question> {
    let id = pair.group();
    if !ctx.config.offload.asks_for(id) || alg::group_from_wire(ke.method) != Some(id) {
        return None;
    }
    method(ctx, id).ok()?.check_responder(ke.data).ok()?;
    ctx.agreement(pair, ke.data)
}

/// Key exchanges that are still to come. A message that is refused leaves them as they are.
#[derive(Debug, Default)]
pub(crate) struct Series {
    left: VecDeque<GroupId>,
    /// Ours, while its request is out.
    exchange: Option<Arc<dyn ActiveKeyExchange>>,
}

/// What a KE payload holds.
#[derive(Debug)]
pub(crate) struct Public {
    method: KeyExchangeMethod,
    value: Vec<u8>,
}

impl Public {
    fn new(id: GroupId, value: &[u8]) -> Result<Self, DropReason> {
        let method = alg::group_to_wire(id).ok_or(DropReason::Crypto)?;
        let value = value.to_vec();
        Ok(Self { method, value })
    }

    /// `KE`
    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), BuildError> {
        w.key_exchange(self.method, &self.value).map(drop)
    }
}

fn method(ctx: &Context<'_>, id: GroupId) -> Result<&'static dyn Method, DropReason> {
    ctx.provider.group(id).ok_or(DropReason::Crypto)
}

impl Series {
    /// Those that were agreed on, in their order.
    pub(crate) fn new(agreed: &[Option<GroupId>]) -> Self {
        Self {
            left: agreed.iter().flatten().copied().collect(),
            exchange: None,
        }
    }

    /// Whether there is none left.
    pub(crate) fn is_over(&self) -> bool {
        self.left.is_empty()
    }

    /// The group of the next one.
    pub(crate) fn next(&self) -> Option<GroupId> {
        self.left.front().copied()
    }

    /// Initiator: begins the next one, with `KEi(n)`. `computed` is the key pair that the embedder was
    /// asked for.
    pub(crate) fn begin(
        &mut self,
        ctx: &mut Context<'_>,
        computed: Computed,
    ) -> Result<Public, DropReason> {
        let id = self.next().ok_or(DropReason::WrongState)?;
        let exchange = job::key_pair(method(ctx, id)?, ctx.rng, computed)?;
        let public = Public::new(id, exchange.public())?;
        self.exchange = Some(exchange);
        Ok(public)
    }

    /// Initiator: our key pair, while its request is out.
    pub(crate) const fn pair(&self) -> Option<&Arc<dyn ActiveKeyExchange>> {
        self.exchange.as_ref()
    }

    /// Initiator: takes `KEr(n)` in and gives SK(n). `computed` is what the embedder was asked for.
    pub(crate) fn finish(
        &mut self,
        ctx: &Context<'_>,
        ke: &KeyExchange<'_>,
        computed: Computed,
    ) -> Result<Secret, DropReason> {
        let id = self.expected(ke)?;
        let check = method(ctx, id)?.check_responder(ke.data);
        check.map_err(|_| DropReason::BadKeyExchange)?;
        let exchange = self.exchange.as_deref().ok_or(DropReason::WrongState)?;
        let secret = job::shared(exchange, ke.data, computed)?;
        self.exchange = None;
        self.left.pop_front();
        Ok(secret)
    }

    /// Responder: the question for `KEr(n)`, where it is not computed here.
    pub(crate) fn question(
        &self,
        ctx: &mut Context<'_>,
        ke: &KeyExchange<'_>,
    ) -> Result<Option<Question>, DropReason> {
        let method = method(ctx, self.expected(ke)?)?;
        let check = method.check_initiator(ke.data);
        check.map_err(|_| DropReason::BadKeyExchange)?;
        Ok(ctx.key_exchange(method, ke.data))
    }

    /// Responder: answers `KEi(n)` with `KEr(n)`, and gives SK(n). `exchanged` is what the embedder
    /// was asked for.
    pub(crate) fn respond(
        &mut self,
        ctx: &mut Context<'_>,
        ke: &KeyExchange<'_>,
        exchanged: Computed,
    ) -> Result<(Public, Secret), DropReason> {
        let id = self.expected(ke)?;
        let answer = match exchanged {
            Some(done) => done.ok_or(DropReason::TemporaryFailure)?.of(id),
            None => method(ctx, id)?.respond(ctx.rng, ke.data),
        };
        let (public, secret) = answer.map_err(|_| DropReason::BadKeyExchange)?;
        let public = Public::new(id, &public)?;
        self.left.pop_front();
        Ok((public, secret))
    }

    /// RFC 9370 §2.2.2, §2.2.4: the method field matches the n-th that was negotiated.
    fn expected(&self, ke: &KeyExchange<'_>) -> Result<GroupId, DropReason> {
        let next = self.next().ok_or(DropReason::WrongState)?;
        if alg::group_to_wire(next) != Some(ke.method) {
            return Err(DropReason::WrongGroup(next));
        }
        Ok(next)
    }
}
