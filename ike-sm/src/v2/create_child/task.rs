//! What an exchange of ours is about until its response is here, and a series of the peer until its next
//! request.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::{ActiveKeyExchange, GroupId, Secret};
use isakmp_wire::v2::{NotifyType, PayloadType};

use crate::alg::v2 as alg;
use crate::context::Context;
use crate::event::job::{self, Computed};
use crate::model::{ChildId, DropReason};
use crate::policy::v2::{IkeSuite, Proposal, ike_offer, write_sa};
use crate::v2::answer::Response;
use crate::v2::child::{Offered, Settled};
use crate::v2::established::Want;
use crate::v2::frame::Frame;
use crate::v2::keys::{Fresh, Nonces, Spis};
use crate::v2::payloads::{Payloads, required};
use crate::v2::protect::Inner;
use crate::v2::sa_init;
use crate::v2::series::{Public, Series};

/// Our request is out.
#[derive(Debug)]
pub(crate) struct ChildTask {
    pub(crate) offered: Offered,
    pub(super) ni: Vec<u8>,
    pub(super) exchange: Option<Arc<dyn ActiveKeyExchange>>,
    /// The peer has rekeyed the same child meanwhile: the highest rank of what it made.
    pub(super) crossed: Option<Vec<u8>>,
}

impl ChildTask {
    /// Our key pair, where it has one.
    pub(in crate::v2) const fn pair(&self) -> Option<&Arc<dyn ActiveKeyExchange>> {
        self.exchange.as_ref()
    }

    /// The peer has rekeyed the same child.
    pub(in crate::v2) fn crossed(&mut self, rank: &[u8]) {
        if self.crossed.as_deref().is_none_or(|known| known < rank) {
            self.crossed = Some(rank.to_vec());
        }
    }
}

/// Our request is out.
#[derive(Debug)]
pub(crate) struct IkeTask {
    pub(super) spi: [u8; 8],
    pub(super) ni: Vec<u8>,
    pub(super) offer: Vec<Proposal>,
    pub(super) exchange: Arc<dyn ActiveKeyExchange>,
    /// The peer has asked for another group once.
    pub(super) corrected: bool,
}

impl IkeTask {
    /// The group that is offered: this one, or the first that is configured.
    pub(in crate::v2) fn group(frame: &Frame<'_>, group: Option<GroupId>) -> Option<GroupId> {
        let first = frame.peer.v2.proposals.first();
        group.or_else(|| first.and_then(|p| p.groups.first()).copied())
    }

    /// Builds the request, with `group` or the first that is configured. `computed` is the key pair that
    /// the embedder was asked for.
    pub(in crate::v2) fn start(
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        group: Option<GroupId>,
        computed: Computed,
    ) -> Result<(Self, Inner), DropReason> {
        let proposals = &frame.peer.v2.proposals;
        let id = Self::group(frame, group).ok_or(DropReason::NoProposalChosen)?;
        let method = alg::group_to_wire(id).ok_or(DropReason::Crypto)?;
        let implementation = ctx.provider.group(id).ok_or(DropReason::Crypto)?;
        let exchange = job::key_pair(implementation, ctx.rng, computed)?;
        let spi = ctx.cookie()?;
        let ni = sa_init::nonce(ctx);
        let offer = ike_offer(proposals, &spi);
        let inner = Inner::build(|w| {
            w.sa(|sa| write_sa(&offer, sa))?;
            w.nonce(&ni)?;
            w.key_exchange(method, exchange.public())?;
            Ok(())
        });
        let inner = inner.map_err(|_| DropReason::Limit("message size"))?;
        let task = Self {
            spi,
            ni,
            offer,
            exchange,
            corrected: group.is_some(),
        };
        Ok((task, inner))
    }

    /// Our key pair.
    pub(in crate::v2) const fn pair(&self) -> &Arc<dyn ActiveKeyExchange> {
        &self.exchange
    }
}

/// The peer has the new SA by now, with the children under it. So a shared secret that the embedder has
/// not computed is computed here: this end of the SA must not be missing.
pub(super) fn or_here(computed: Computed, group: GroupId) -> Computed {
    computed.filter(|done| done.as_ref().is_some_and(|done| done.is_shared(group)))
}

/// Longest link of a peer that is carried back to it, octets.
pub(super) const MAX_LINK: usize = 256;

/// How long the next request of the peer is waited for: 5 to 20 s (RFC 9370 §2.2.4).
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What the exchanges of a series have given so far.
#[derive(Debug)]
pub(crate) struct Material {
    pub(super) ni: Vec<u8>,
    pub(super) nr: Vec<u8>,
    /// SK(0), SK(1) and so on.
    pub(super) sk: Vec<Secret>,
}

impl Material {
    pub(super) fn fresh(&self) -> Fresh<'_> {
        let (g_ir, additional) = match self.sk.split_first() {
            Some((first, more)) => (Some(first), more),
            None => (None, &[][..]),
        };
        Fresh {
            g_ir,
            nonces: Nonces {
                initiator: &self.ni,
                responder: &self.nr,
            },
            additional,
        }
    }
}

/// A series of ours.
#[derive(Debug)]
pub(crate) struct FollowUp {
    pub(super) series: Series,
    pub(super) material: Material,
    /// What the responder wants to see again.
    pub(super) link: Vec<u8>,
    pub(super) goal: Goal,
}

/// What comes of it.
#[derive(Debug)]
pub(super) enum Goal {
    Child(Box<Offered>, Box<Settled>),
    Ike(Spis, IkeSuite),
}

impl FollowUp {
    /// `KEi(n), N(ADDITIONAL_KEY_EXCHANGE)`
    pub(in crate::v2) fn request(
        &mut self,
        ctx: &mut Context<'_>,
        computed: Computed,
    ) -> Result<Inner, DropReason> {
        let public = self.series.begin(ctx, computed)?;
        message(&public, Some(&self.link)).map(|response| response.inner)
    }

    /// The group of its next key pair.
    pub(in crate::v2) fn next_group(&self) -> Option<GroupId> {
        self.series.next()
    }

    /// The child that is to come; `None` for an IKE SA.
    pub(in crate::v2) fn child(&self) -> Option<&Offered> {
        match &self.goal {
            Goal::Child(offered, _) => Some(offered),
            Goal::Ike(..) => None,
        }
    }

    /// The same from its beginning.
    pub(in crate::v2) fn anew(&self) -> Want {
        match self.child() {
            Some(offered) => Want::Child(offered.wanted.clone()),
            None => Want::RekeyIke(None),
        }
    }

    /// Our key pair, while its request is out.
    pub(in crate::v2) const fn pair(&self) -> Option<&Arc<dyn ActiveKeyExchange>> {
        self.series.pair()
    }

    /// `KEr(n)`, and the link of the next exchange.
    pub(super) fn take(
        &mut self,
        ctx: &Context<'_>,
        payloads: &Payloads<'_>,
        computed: Computed,
    ) -> Result<(), DropReason> {
        let computed = match &self.goal {
            Goal::Child(..) => computed,
            Goal::Ike(..) => match self.series.next() {
                Some(group) => or_here(computed, group),
                None => None,
            },
        };
        if let Some(error) = payloads.error() {
            return Err(DropReason::Notified(error.notify_type.0));
        }
        let ke = required(payloads.key_exchange, PayloadType::KEY_EXCHANGE)?;
        self.material
            .sk
            .push(self.series.finish(ctx, &ke, computed)?);
        if !self.series.is_over() {
            self.link = link_of(payloads)?;
        }
        Ok(())
    }
}

/// The link of the next exchange.
pub(super) fn link_of(payloads: &Payloads<'_>) -> Result<Vec<u8>, DropReason> {
    let notify = payloads.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE);
    let link = required(notify, PayloadType::NOTIFY)?.data;
    if link.len() > MAX_LINK {
        return Err(DropReason::BadPayload(PayloadType::NOTIFY.into()));
    }
    Ok(link.to_vec())
}

pub(super) fn message(public: &Public, link: Option<&[u8]>) -> Result<Response, DropReason> {
    Response::build(|w| {
        public.write(w)?;
        if let Some(link) = link {
            w.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE, link)?;
        }
        Ok(())
    })
}

/// A series of the peer, between two of its requests.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(super) link: [u8; 16],
    /// When it is forgotten.
    pub(super) until: Duration,
    pub(super) series: Series,
    pub(super) material: Material,
    pub(super) goal: Coming,
}

/// What comes of it.
#[derive(Debug)]
pub(super) enum Coming {
    Child(Box<Settled>),
    Ike(Spis, IkeSuite),
}

impl Followed {
    /// Begins with the CREATE_CHILD_SA.
    pub(super) fn new(
        ctx: &mut Context<'_>,
        series: Series,
        material: Material,
        goal: Coming,
    ) -> Self {
        Self {
            link: ctx.random(),
            until: ctx.now.saturating_add(PATIENCE),
            series,
            material,
            goal,
        }
    }

    /// What the next request has to bring.
    pub(super) const fn link(&self) -> &[u8; 16] {
        &self.link
    }

    pub(in crate::v2) const fn is_ike(&self) -> bool {
        matches!(self.goal, Coming::Ike(..))
    }

    pub(super) fn replaces(&self) -> Option<ChildId> {
        match &self.goal {
            Coming::Child(settled) => settled.replaces,
            Coming::Ike(..) => None,
        }
    }

    /// Whether both would come in the place of one SA.
    pub(super) fn rivals(&self, other: &Self) -> bool {
        let replaces = self.replaces();
        self.is_ike() && other.is_ike() || replaces.is_some() && replaces == other.replaces()
    }
}
