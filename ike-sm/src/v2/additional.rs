//! Additional key exchanges while an IKE SA comes up: `HDR, SK {KEi(n)} -->` and `<-- HDR, SK
//! {KEr(n)}` (RFC 9370 §2.2.2), each in an IKE_INTERMEDIATE exchange of its own (RFC 9242).
//!
//! Nothing in them is authenticated before IKE_AUTH, which covers them all. The keys change after
//! each one, for both directions at once: requests and responses of one exchange have the same.

use alloc::boxed::Box;

use crypto_suite::Secret;
use isakmp_wire::Header;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v2::KeyExchange;

use super::crypt::Whole;
use super::intermediate::IntAuthChain;
use super::keys::{Keys, Nonces, Sender};
use super::protect::Inner;
use super::series::{Public, Series};
use crate::auth::proof::IntAuth;
use crate::context::Context;
use crate::event::job::Computed;
use crate::model::DropReason;
use crate::policy::v2::IkeSuite;

/// The key exchanges that follow IKE_SA_INIT.
#[derive(Debug, Default)]
pub(crate) struct Additional {
    pub(super) series: Series,
    pub(super) chain: IntAuthChain,
    /// Exchanges that are over.
    pub(super) done: u32,
    /// The message for which the embedder computes our half of the key exchange.
    pub(super) parked: Option<Box<Parked>>,
}

/// A message that waits for our half of its key exchange.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) header: Header,
    pub(super) whole: Whole,
}

impl Additional {
    /// Those that IKE_SA_INIT has agreed on, in their order.
    pub(crate) fn new(suite: &IkeSuite) -> Self {
        Self {
            series: Series::new(&suite.additional),
            ..Self::default()
        }
    }

    /// Whether there is none left, and IKE_AUTH is next.
    pub(crate) fn is_done(&self) -> bool {
        self.series.is_over()
    }

    /// The type of the next exchange.
    pub(crate) fn exchange(&self) -> ExchangeType {
        if self.is_done() {
            ExchangeType::IKE_AUTH
        } else {
            ExchangeType::IKE_INTERMEDIATE
        }
    }

    /// What AUTH covers of the exchanges (RFC 9242 §3.3.2); `None` when there was none.
    pub(crate) fn int_auth(&self) -> Option<IntAuth> {
        // IKE_SA_INIT has message ID 0, and IKE_AUTH follows the last of these.
        self.chain.finish(self.done.saturating_add(1))
    }

    /// `KEi(n)`
    pub(super) fn request(
        &mut self,
        ctx: &mut Context<'_>,
        computed: Computed,
    ) -> Result<Inner, DropReason> {
        key_exchange(&self.series.begin(ctx, computed)?)
    }

    /// Takes `KEr(n)` in and gives the keys that hold from now on.
    pub(super) fn finish(
        &mut self,
        ctx: &Context<'_>,
        ke: &KeyExchange<'_>,
        nonces: &Nonces<'_>,
        keys: &Keys,
        computed: Computed,
    ) -> Result<Keys, DropReason> {
        let secret = self.series.finish(ctx, ke, computed)?;
        self.over(&secret, nonces, keys)
    }

    /// Answers `KEi(n)` with `KEr(n)`, and gives the keys that hold after that.
    pub(super) fn respond(
        &mut self,
        ctx: &mut Context<'_>,
        ke: &KeyExchange<'_>,
        nonces: &Nonces<'_>,
        keys: &Keys,
        exchanged: Computed,
    ) -> Result<(Inner, Keys), DropReason> {
        let (public, secret) = self.series.respond(ctx, ke, exchanged)?;
        Ok((key_exchange(&public)?, self.over(&secret, nonces, keys)?))
    }

    pub(super) fn over(
        &mut self,
        secret: &Secret,
        nonces: &Nonces<'_>,
        keys: &Keys,
    ) -> Result<Keys, DropReason> {
        self.done = self.done.saturating_add(1);
        let keys = keys.after_key_exchange(secret, nonces);
        keys.map_err(|_| DropReason::Crypto)
    }

    /// Notes a message for AUTH; `keys` protect it.
    pub(super) fn cover(
        &mut self,
        keys: &Keys,
        whose: Sender,
        header: &Header,
        reserved: u8,
        inner: &Inner,
    ) {
        self.chain.add(keys, whose, header, reserved, inner);
    }
}

pub(super) fn key_exchange(public: &Public) -> Result<Inner, DropReason> {
    Inner::build(|w| public.write(w)).map_err(|_| DropReason::Limit("message size"))
}
