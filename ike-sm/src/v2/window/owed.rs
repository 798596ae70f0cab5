//! RFC 7296 §2.1: "every request requires a response". Whoever works on a request of the peer holds
//! its [`Owed`] and returns [`Settled`], which cannot be had without giving the [`Owed`] away: to its
//! response, or to the place where the request waits for an answer of the embedder.

use isakmp_wire::registry::ExchangeType;

use super::Request;
use crate::model::Path;

/// A request of the peer that was taken in and has no response yet. There is one for each.
#[must_use]
#[derive(Debug)]
pub(crate) struct Owed(Request);

/// What became of an [`Owed`]: the request has its response, waits for an answer of the embedder, or
/// its IKE SA is over.
#[derive(Debug)]
pub(crate) struct Settled(());

impl Owed {
    pub(super) const fn new(request: Request) -> Self {
        Self(request)
    }

    /// The response was handed to the window.
    pub(super) fn answered(self) -> Settled {
        Settled(())
    }

    /// The message ID of the request.
    pub(crate) const fn id(&self) -> u32 {
        self.0.id
    }

    pub(crate) const fn exchange(&self) -> ExchangeType {
        self.0.exchange
    }

    /// Where the request came from, and its response goes.
    pub(crate) const fn path(&self) -> Path {
        self.0.path
    }

    /// Puts the response off until the embedder has answered a question.
    ///
    /// # Errors
    /// Another request waits in this place already; this one comes back.
    pub(crate) fn wait(self, place: &mut Option<Self>) -> Result<Settled, Self> {
        if place.is_some() {
            return Err(self);
        }
        *place = Some(self);
        Ok(Settled(()))
    }

    /// The IKE SA is over, or its message IDs begin anew (RFC 6311 §9): nothing is owed any more.
    pub(crate) fn lapse(self) -> Settled {
        Settled(())
    }
}
