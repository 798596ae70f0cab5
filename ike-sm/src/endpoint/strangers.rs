//! What the senders of requests that belong to no IKE SA are told (RFC 7296 §1.5, §2.21.4).

use core::time::Duration;

use isakmp_wire::v2::{NotifyType, PayloadType};
use isakmp_wire::{Flags, Header};

use super::Call;
use crate::model::{DropReason, IkeVersion, Path};
use crate::v2;

/// What [`EndpointLimits::stray_answers`](crate::config::EndpointLimits::stray_answers) counts in.
const PERIOD: Duration = Duration::from_secs(1);

/// Answers that may still be given. One budget for all senders: nothing proves an address, so
/// nothing is kept by address.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: u32,
    since: Duration,
}

impl Budget {
    fn is_spent(&mut self, now: Duration, most: u32) -> bool {
        if now.saturating_sub(self.since) >= PERIOD {
            *self = Self {
                spent: 0,
                since: now,
            };
        }
        self.spent >= most
    }

    const fn spend(&mut self) {
        self.spent = self.spent.saturating_add(1);
    }
}

impl Call<'_> {
    /// A request was dropped because its IKE SA or its version is not known here. A sender that may
    /// be a peer learns that, as a hint: after our restart it need not wonder. Responses are never
    /// answered, so two ends cannot keep each other busy.
    pub(super) fn tell_stranger(&mut self, path: Path, raw: &[u8], reason: &DropReason) {
        let Ok(request) = Header::read(raw) else {
            return;
        };
        let notify = match reason {
            DropReason::UnknownCookies if is_protected(&request) => NotifyType::INVALID_IKE_SPI,
            // RFC 7296 §2.5. The version that we speak is that of the answer's header.
            DropReason::Version { major, .. } if *major > IkeVersion::V2.major() => {
                NotifyType::INVALID_MAJOR_VERSION
            }
            _ => return,
        };
        let endpoint = &mut *self.endpoint;
        if endpoint.shut_down || request.flags.contains(Flags::RESPONSE) {
            return;
        }
        // A flood costs no more than this.
        let most = endpoint.config.limits.stray_answers;
        if endpoint.strangers.is_spent(self.now, most) {
            return;
        }
        let address = path.remote.ip();
        if endpoint
            .config
            .peers_for(address, IkeVersion::V2)
            .is_empty()
        {
            return;
        }
        if let Some(answer) = v2::refuse(&request, raw.len(), &notify.into()) {
            endpoint.strangers.spend();
            self.context().send(path, &answer);
        }
    }
}

/// Whether the message is one of an IKE SA of IKEv2 with keys.
fn is_protected(header: &Header) -> bool {
    let first = PayloadType(header.next_payload);
    header.version.major() == IkeVersion::V2.major()
        && matches!(
            first,
            PayloadType::ENCRYPTED | PayloadType::ENCRYPTED_FRAGMENT
        )
}
