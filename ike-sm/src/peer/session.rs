//! An IKE SA of either version, as the endpoint sees it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use isakmp_wire::registry::ExchangeType;

use crate::child::{DeletedChild, TrafficOf, Wanted};
use crate::context::Context;
use crate::core::questions::Place;
use crate::core::timers::Deadline;
use crate::event::{Answer, Traffic};
use crate::model::{
    ChildId, CloseReason, DropReason, Identity, IkeId, IkeState, IkeVersion, Outcome, Path, Role,
    Ticket,
};
use crate::peer::standing::Site;
#[cfg(feature = "v1")]
use crate::v1;
use crate::v2;

/// One IKE SA.
#[derive(Debug)]
pub(crate) enum Session {
    /// An ISAKMP SA.
    #[cfg(feature = "v1")]
    V1(Box<v1::Session>),
    /// An IKE SA of IKEv2.
    V2(Box<v2::Session>),
}

/// What both versions know of an IKE SA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) id: IkeId,
    /// The peer's place in the configuration.
    pub(crate) peer: usize,
    pub(crate) role: Role,
    pub(crate) path: Path,
    /// Cookies or SPIs, the initiator's first.
    pub(crate) spis: ([u8; 8], [u8; 8]),
    /// When its first message was sent or came.
    pub(crate) created: Duration,
    /// The SA that this one is to take over from.
    pub(crate) replaces: Option<IkeId>,
}

/// Runs the same code on either version.
macro_rules! either {
    ($session:expr, $inner:ident => $do:expr) => {
        match $session {
            #[cfg(feature = "v1")]
            Session::V1($inner) => $do,
            Session::V2($inner) => $do,
        }
    };
}

impl Session {
    /// What both versions know.
    pub(crate) const fn head(&self) -> Head {
        match self {
            #[cfg(feature = "v1")]
            Self::V1(s) => Head {
                id: s.id,
                peer: s.peer,
                role: s.role,
                path: s.path,
                spis: (s.cookies.initiator, s.cookies.responder),
                created: s.created,
                replaces: s.replaces,
            },
            Self::V2(s) => Head {
                id: s.id,
                peer: s.peer,
                role: s.role,
                path: s.path,
                spis: (s.spis.initiator, s.spis.responder),
                created: s.created,
                replaces: s.replaces,
            },
        }
    }

    /// As an ISAKMP SA.
    #[cfg(test)]
    #[cfg(feature = "v1")]
    pub(crate) const fn v1(&self) -> Option<&v1::Session> {
        match self {
            #[cfg(feature = "v1")]
            Self::V1(s) => Some(s),
            Self::V2(_) => None,
        }
    }

    /// Its version.
    pub(crate) const fn version(&self) -> IkeVersion {
        match self {
            #[cfg(feature = "v1")]
            Self::V1(_) => IkeVersion::V1,
            Self::V2(_) => IkeVersion::V2,
        }
    }

    /// Whether an unanswered first message may be answered by one of this exchange that names no
    /// SPI of the responder.
    pub(crate) fn awaits(&self, exchange: ExchangeType) -> bool {
        match self {
            // An error before the responder had a cookie names only ours (RFC 2408 §3.14).
            #[cfg(feature = "v1")]
            Self::V1(_) => exchange == ExchangeType::INFORMATIONAL,
            // A responder that keeps no state yet has no SPI (RFC 7296 §2.6).
            Self::V2(_) => exchange == ExchangeType::IKE_SA_INIT,
        }
    }

    /// Who the peer has proved to be, once it has.
    pub(crate) fn remote_id(&self) -> Option<&Arc<Identity>> {
        match self {
            #[cfg(feature = "v1")]
            Self::V1(s) => s.up().map(|up| &up.agreed.remote_id),
            Self::V2(s) => s.up().map(|up| &up.remote_id),
        }
    }

    /// What both ends compare when two SAs were started from both ends at once: the higher one
    /// stays.
    pub(crate) fn rank(&self) -> Vec<u8> {
        match self {
            // The lower cookie stays.
            #[cfg(feature = "v1")]
            Self::V1(s) => s.cookies.initiator.iter().map(|octet| !octet).collect(),
            // RFC 7296 §2.8.1: the SA with the lowest nonce goes.
            Self::V2(s) => s.up().map(|up| up.rank.clone()).unwrap_or_default(),
        }
    }

    /// Whether we have started it and the peer has still to show that it has our last message: that of
    /// aggressive mode, which nobody answers.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        match self {
            #[cfg(feature = "v1")]
            Self::V1(s) => s.up().is_some_and(|up| up.unconfirmed.is_some()),
            Self::V2(_) => false,
        }
    }

    /// As an IKE SA of IKEv2.
    pub(crate) const fn v2(&self) -> Option<&v2::Session> {
        match self {
            #[cfg(feature = "v1")]
            Self::V1(_) => None,
            Self::V2(s) => Some(s),
        }
    }

    pub(crate) fn v2_mut(&mut self) -> Option<&mut v2::Session> {
        match self {
            #[cfg(feature = "v1")]
            Self::V1(_) => None,
            Self::V2(s) => Some(s),
        }
    }

    /// Whether it is authenticated and no other SA has taken over.
    pub(crate) fn is_current(&self) -> bool {
        either!(self, s => s.is_current())
    }

    /// Whether nothing can come of it any more.
    pub(crate) const fn is_gone(&self) -> bool {
        either!(self, s => s.is_gone())
    }

    /// Whether no request of the peer is forgotten.
    pub(crate) fn is_consistent(&self) -> bool {
        match self {
            // IKEv1 owes no answers.
            #[cfg(feature = "v1")]
            Self::V1(_) => true,
            Self::V2(s) => s.is_consistent(),
        }
    }

    /// The field's name of its state.
    pub(crate) const fn state(&self) -> IkeState {
        either!(self, s => s.state())
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        either!(self, s => s.deadline())
    }

    /// Where its peer is.
    pub(crate) fn site(&self) -> Site {
        let verdict = match self {
            #[cfg(feature = "v1")]
            Self::V1(s) => s.up().map(|up| up.agreed.nat.verdict),
            Self::V2(s) => s.up().and_then(|up| up.verdict),
        };
        Site::of(self.head().path.remote, verdict)
    }

    /// When something authenticated last came in on it or on a child of it.
    pub(crate) fn last_inbound(&self) -> Option<Duration> {
        match self {
            #[cfg(feature = "v1")]
            Self::V1(s) => s.up().map(|up| up.dpd.last_inbound()),
            Self::V2(s) => s.up().map(v2::Established::last_inbound),
        }
    }

    /// Asks the peer for a sign of life on this SA, whether or not it is time for it. False when it
    /// cannot be asked.
    pub(crate) fn ask_for_life(&mut self, ctx: &mut Context<'_>) -> bool {
        either!(self, s => s.ask_for_life(ctx))
    }

    /// Whether its peer can only be asked for a sign of life by a new SA, and has given none since.
    pub(crate) fn is_silent_since(&self, since: Duration) -> bool {
        either!(self, s => s.is_silent_since(since))
    }

    /// Takes in a message with this SA's SPIs.
    pub(crate) fn receive(
        &mut self,
        ctx: &mut Context<'_>,
        path: Path,
        raw: &[u8],
    ) -> Result<Outcome, DropReason> {
        either!(self, s => s.receive(ctx, path, raw))
    }

    /// An ESP packet of a child of this SA has come from another address.
    pub(crate) fn moved(
        &mut self,
        ctx: &mut Context<'_>,
        remote: SocketAddr,
    ) -> Result<(), DropReason> {
        either!(self, s => s.moved(ctx, remote))
    }

    /// Takes in the answer to a question.
    pub(crate) fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        place: Place,
        ticket: Ticket,
        answer: Answer,
    ) -> Result<(), DropReason> {
        either!(self, s => s.answer(ctx, place, ticket, answer))
    }

    /// Ends the SA, towards the peer too where there are keys for it.
    pub(crate) fn close(&mut self, ctx: &mut Context<'_>, reason: CloseReason, tell: bool) {
        either!(self, s => s.close(ctx, reason, tell));
    }

    /// The SA has come up and may not stand. In IKEv2 its Delete is acknowledged; in IKEv1 the SA is
    /// kept for a while, to say so again.
    pub(crate) fn refuse(&mut self, ctx: &mut Context<'_>) {
        match self {
            #[cfg(feature = "v1")]
            Self::V1(s) => s.refuse(ctx),
            Self::V2(s) => s.close(ctx, CloseReason::Refused, true),
        }
    }

    /// Gives up what is under way, so that nothing of it is left behind.
    pub(crate) fn drop_exchanges(&mut self, ctx: &mut Context<'_>, reason: CloseReason) {
        either!(self, s => s.drop_exchanges(ctx, reason));
    }

    /// Deadlines of this SA have come.
    pub(crate) fn on_deadline(&mut self, ctx: &mut Context<'_>) {
        either!(self, s => s.on_deadline(ctx));
    }

    /// Negotiates a child.
    pub(crate) fn start_child(
        &mut self,
        ctx: &mut Context<'_>,
        wanted: &Wanted,
    ) -> Result<(), DropReason> {
        either!(self, s => s.start_child(ctx, wanted))
    }

    /// Tells the peer that a child is gone.
    pub(crate) fn tell_deleted(&mut self, ctx: &mut Context<'_>, child: &DeletedChild) {
        either!(self, s => s.tell_deleted(ctx, child));
    }

    /// A child is gone: nothing waits for the end of its negotiation.
    pub(crate) fn forget_child(&mut self, ctx: &mut Context<'_>, child: ChildId) {
        either!(self, s => s.forget_child(ctx, child));
    }

    /// Packets went through a child of this SA.
    pub(crate) fn on_traffic(&mut self, ctx: &mut Context<'_>, child: ChildId, traffic: Traffic) {
        either!(self, s => s.on_traffic(ctx, child, traffic));
    }

    /// Another SA has taken over. `ours` says that it is on us to delete this one.
    pub(crate) fn retire(&mut self, now: Duration, ours: bool) {
        either!(self, s => s.retire(now, ours));
    }

    /// The SA that had taken over is gone.
    pub(crate) fn reinstate(&mut self, now: Duration) {
        either!(self, s => s.reinstate(now));
    }

    /// Whether a negotiation for this child of the configuration is under way.
    pub(crate) fn negotiates(&self, config: usize) -> bool {
        either!(self, s => s.negotiates(config))
    }

    /// Whether a negotiation for this traffic is under way.
    pub(crate) fn negotiates_traffic(&self, traffic: &TrafficOf) -> bool {
        either!(self, s => s.negotiates_traffic(traffic))
    }

    /// Gives up negotiations of ours that nobody has answered, for traffic that has a child now.
    pub(crate) fn yield_to(&mut self, ctx: &mut Context<'_>, traffic: &TrafficOf) {
        either!(self, s => s.yield_to(ctx, traffic));
    }
}
