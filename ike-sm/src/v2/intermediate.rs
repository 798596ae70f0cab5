//! What IKE_INTERMEDIATE exchanges add to AUTH (RFC 9242 §3.3.2).
//!
//! ```text
//! IntAuth_i1 = prf(SK_pi1,              IntAuth_i1A [| IntAuth_i1P])
//! IntAuth_i2 = prf(SK_pi2, IntAuth_i1 | IntAuth_i2A [| IntAuth_i2P])
//! ```
//!
//! A is the message from its header to the generic header of the SK payload, P is the payloads
//! inside, and the two lengths in A count nothing else: IV, padding and ICV stay out, and whether
//! the message went in fragments does not show.

use crypto_suite::Digest;
use isakmp_wire::Header;
use isakmp_wire::v2::PayloadType;

use super::keys::{Keys, Sender};
use super::protect::Inner;
use crate::auth::proof::IntAuth;

/// Generic header of a payload, octets.
const PAYLOAD_HEADER: usize = 4;

/// The chains of both sides.
#[derive(Debug, Clone, Default)]
pub struct IntAuthChain {
    initiator: Option<Digest>,
    responder: Option<Digest>,
}

impl IntAuthChain {
    /// No IKE_INTERMEDIATE exchange yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a message: `header` as it was sent, the payloads of its SK payload, and the second
    /// octet of that payload's generic header (of the first fragment's, if it came in fragments).
    /// No payload may stand before the SK payload.
    ///
    /// `keys` are those that protect the message: the ones from before a key exchange in it.
    pub fn add(
        &mut self,
        keys: &Keys,
        sender: Sender,
        header: &Header,
        reserved: u8,
        inner: &Inner,
    ) {
        let chain = match sender {
            Sender::Initiator => &mut self.initiator,
            Sender::Responder => &mut self.responder,
        };
        let p = inner.octets();
        let payload_len = p.len().saturating_add(PAYLOAD_HEADER);
        let length = payload_len.saturating_add(Header::LEN);
        let header = Header {
            next_payload: PayloadType::ENCRYPTED.0,
            // A message is at most 64 KiB, so both lengths fit.
            length: u32::try_from(length).unwrap_or(u32::MAX),
            ..*header
        };
        let [high, low] = u16::try_from(payload_len).unwrap_or(u16::MAX).to_be_bytes();
        let generic = [inner.first().0, reserved, high, low];
        let before: &[u8] = chain.as_ref().map_or(&[], AsRef::as_ref);
        let parts = [before, &header.to_bytes(), &generic, p];
        let next = keys.prf().prf(keys.sk_p(sender).expose(), &parts);
        *chain = Some(next);
    }

    /// What AUTH covers, once all IKE_INTERMEDIATE exchanges are over; `auth_message_id` is the
    /// message ID of the first IKE_AUTH request. `None` when there was no such exchange.
    #[must_use]
    pub fn finish(&self, auth_message_id: u32) -> Option<IntAuth> {
        Some(IntAuth {
            initiator: self.initiator.clone()?,
            responder: self.responder.clone()?,
            auth_message_id: auth_message_id.to_be_bytes(),
        })
    }
}
