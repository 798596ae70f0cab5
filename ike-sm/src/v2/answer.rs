//! What a request of the peer leads to, and what it may have to wait for.

use alloc::boxed::Box;

use isakmp_wire::Header;
use isakmp_wire::v2::Writer;

use crate::event::Question;
use crate::event::job::KeyExchangeDone;
use crate::model::{CloseReason, DropReason};
use crate::v2::protect::Inner;

/// What a request of the peer has led to.
pub(super) struct Response {
    pub(super) inner: Inner,
    /// What becomes of the SA once the response is out.
    pub(super) then: Then,
}

/// Why a request gets no response as it would like.
pub(super) enum Stop {
    Refuse(DropReason),
    /// Not before this is answered.
    Ask(Box<Question>),
}

impl From<DropReason> for Stop {
    fn from(reason: DropReason) -> Self {
        Self::Refuse(reason)
    }
}

/// A request of the peer that waits for the answer to a question.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) header: Header,
    pub(super) inner: Inner,
    pub(super) known: Known,
}

/// What the embedder has answered about a request that waits.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Whether the peer may have its child.
    pub(super) authorized: Option<bool>,
    /// Our half of the key exchange; `Some(None)` when nobody has computed it.
    pub(super) exchanged: Option<Option<KeyExchangeDone>>,
}

impl Known {
    pub(super) const fn is_empty(&self) -> bool {
        self.authorized.is_none() && self.exchanged.is_none()
    }
}

/// What becomes of the SA once a response is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// It is over.
    Close(CloseReason),
}

impl Response {
    /// A response of these payloads, after which nothing happens.
    pub(super) fn build(
        fill: impl FnOnce(&mut Writer<'_>) -> Result<(), isakmp_wire::BuildError>,
    ) -> Result<Self, DropReason> {
        let inner = Inner::build(fill).map_err(|_| DropReason::Limit("message size"))?;
        Ok(Self {
            inner,
            then: Then::Nothing,
        })
    }
}
