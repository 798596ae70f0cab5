//! An ISAKMP SA that has come up and may not stand: whatever its peer begins under it is answered
//! with its Delete, until the peer has heard of that.
//!
//! Nothing acknowledges a Delete (RFC 2408 §4.8: "a one-way transmittal"), and the first one leaves
//! together with the last message of phase 1. Where it arrives before that message, or not at all, the
//! peer takes the SA for one that stands, and its quick modes would find nobody.

use alloc::boxed::Box;
use core::time::Duration;

use crypto_suite::Digest;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v1::Message;

use crate::context::Context;
use crate::core::effects::Effect;
use crate::core::retransmit::Answered;
use crate::core::timers::{Deadline, DeadlineReason, deadline, earliest};
use crate::model::{CloseReason, DropReason, IkeState, Outcome, Step};
use crate::v1::agreed::Agreed;
use crate::v1::established::Established;
use crate::v1::informational::{self, Verdict};
use crate::v1::payloads::{self, QM_SA};
use crate::v1::phase1::Frame;
use crate::v1::protect;

/// How long the keys are kept: a peer repeats its quick mode some times meanwhile.
const KEPT: Duration = Duration::from_secs(30);
/// When the Delete goes once more unasked: not every peer begins something.
const ONCE_MORE: Duration = Duration::from_secs(1);
/// Deletes of one SA. Copies of a quick mode are answered too, and nothing tells who sends them.
const MOST: u8 = 8;

/// An ISAKMP SA that is refused.
#[derive(Debug)]
pub(crate) struct Refused {
    up: Box<Established>,
    /// Deletes that may still be sent.
    left: u8,
    once_more: Option<Duration>,
    until: Duration,
    /// What the peer has begun last.
    begun: Answered,
}

/// What the time asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// The Delete goes once more.
    Tell,
    /// The SA is over.
    End,
}

impl Refused {
    /// Refuses an SA that has come up.
    pub(crate) fn new(mut up: Box<Established>, now: Duration) -> Self {
        // No message id asks for new keys any more.
        up.retire(now, true);
        Self {
            up,
            left: MOST,
            once_more: Some(now.saturating_add(ONCE_MORE)),
            until: now.saturating_add(KEPT),
            begun: Answered::default(),
        }
    }

    /// Tells the peer that the SA is gone.
    pub(crate) fn tell(&mut self, ctx: &mut Context<'_>, frame: &Frame<'_>) {
        if self.left > 0 {
            self.left = self.left.saturating_sub(1);
            informational::send_delete_self(&mut self.up, ctx, frame);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let once_more = deadline(self.once_more, DeadlineReason::Retransmit);
        earliest(
            once_more,
            deadline(Some(self.until), DeadlineReason::IkeDrain),
        )
    }

    /// What `now` asks for.
    pub(crate) fn due(&mut self, now: Duration) -> Due {
        if self.until <= now {
            Due::End
        } else if self.once_more.is_some_and(|at| at <= now) {
            self.once_more = None;
            Due::Tell
        } else {
            Due::Nothing
        }
    }

    /// Takes in a message under this SA.
    pub(crate) fn receive(
        &mut self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        message: &Message<'_>,
        fingerprint: Digest,
    ) -> Result<Outcome, DropReason> {
        let id = message.header.message_id;
        if message.encrypted().is_none() {
            return Err(informational::refuse_clear(ctx, frame, message));
        }
        let repeated = self.begun.is(&fingerprint);
        if id == 0 {
            return Err(DropReason::Stale);
        }
        // The keys know no direction: a message of our own may come back.
        if !repeated && self.up.seen.contains(id) {
            return Err(DropReason::ReplayedMessageId(id));
        }
        let asks = match message.header.exchange_type {
            ExchangeType::QUICK_MODE => true,
            ExchangeType::INFORMATIONAL if repeated => true,
            ExchangeType::INFORMATIONAL => {
                let verdict = informational::judge(&self.up, ctx, frame, message)?;
                if verdict == Verdict::Close {
                    ctx.effect(Effect::Closed(frame.ike, CloseReason::DeletedByPeer));
                }
                verdict == Verdict::Asks
            }
            other => return Err(DropReason::UnexpectedExchange(other)),
        };
        if asks && self.left == 0 {
            return Err(DropReason::Limit("Deletes of a refused IKE SA"));
        }
        if !repeated {
            if message.header.exchange_type == ExchangeType::QUICK_MODE {
                verify_quick(ctx, frame, &self.up.agreed, message)?;
            }
            self.up.remember(ctx, frame, id);
        }
        if asks {
            self.begun = Answered::new(fingerprint, None);
            self.tell(ctx, frame);
        }
        Ok(if repeated {
            Outcome::Repeated
        } else {
            Outcome::Handled
        })
    }
}

/// Whether the first message of a quick mode is the peer's:
/// `HDR*, HASH(1), SA, Ni [, KE ] [, IDci, IDcr ] -->`
fn verify_quick(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    agreed: &Agreed,
    message: &Message<'_>,
) -> Result<(), DropReason> {
    let limits = &ctx.config.wire;
    let id = message.header.message_id;
    let iv = agreed.cipher.exchange_iv(&agreed.last_block, id);
    let iv = iv.ok_or(DropReason::Crypto)?;
    let (plain, _) = protect::open(&agreed.cipher, &iv, message)?;
    let chain = protect::chain(message, &plain, limits)?;
    let step = (Step::QmI1, IkeState::Destroying);
    protect::note_received(ctx, frame, step, message, &chain);
    let payloads = payloads::sort(chain, &QM_SA, agreed.vendor.dialect, limits)?;
    let hash = agreed.keys.hash_1(id, payloads.after_hash);
    protect::verify(&hash, payloads.hash)
}
