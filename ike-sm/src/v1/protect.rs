//! Messages with and without encryption (RFC 2409 Appendix B), and the payloads they are built of.

use alloc::vec::Vec;

use bytes::Bytes;
use crypto_suite::Digest;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v1::{Message, PayloadChain, PayloadType, Writer};
use isakmp_wire::{BuildError, Flags, Header, Limits, Version};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::event::{Packet, PayloadList, What};
use crate::model::{DropReason, IkeState, Step};
use crate::v1::keys::{Cookies, Iv, MessageCipher};
use crate::v1::phase1::Frame;

/// A header of ours.
pub(crate) fn header(cookies: &Cookies, exchange: ExchangeType, message_id: u32) -> Header {
    Header {
        initiator_spi: cookies.initiator,
        responder_spi: cookies.responder,
        next_payload: 0,
        version: Version::V1,
        exchange_type: exchange,
        flags: Flags::NONE,
        message_id,
        length: 0,
    }
}

/// Our own message could not be built: a bound of the format, so nothing a peer did.
pub(crate) fn unbuildable(_: BuildError) -> DropReason {
    DropReason::Limit("message size")
}

/// Builds a message in the clear.
pub(crate) fn clear(
    header: &Header,
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
) -> Result<Bytes, DropReason> {
    let mut octets = Vec::new();
    let mut writer = Writer::new(&mut octets, header).map_err(unbuildable)?;
    fill(&mut writer).map_err(unbuildable)?;
    writer.finish().map_err(unbuildable)?;
    Ok(Bytes::from(octets))
}

/// Payloads to be encrypted.
pub(crate) struct Plain {
    first: PayloadType,
    octets: Zeroizing<Vec<u8>>,
}

impl Plain {
    /// Reports that these payloads go out.
    pub(crate) fn noted(
        self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        step: Step,
        state: IkeState,
        message_id: u32,
    ) -> Self {
        if ctx.config.explain {
            let chain = PayloadChain::parse(self.first, &self.octets, &Limits::DEFAULT);
            let payloads = chain
                .map(|chain| types(&chain))
                .unwrap_or(PayloadList::EMPTY);
            let packet = Packet {
                path: frame.path,
                role: Some(frame.role),
                state,
                step,
                message_id,
                payloads,
                len: Header::LEN.saturating_add(self.octets.len()),
            };
            ctx.note(Some(frame.ike), What::Sent(packet));
        }
        self
    }
}

/// The payload types of a chain.
fn types(chain: &PayloadChain<'_>) -> PayloadList {
    chain.iter().map(|payload| payload.payload_type).collect()
}

/// Reports that a message in the clear goes out.
pub(crate) fn note_clear(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    step: Step,
    state: IkeState,
    message: &[u8],
) {
    if let (true, Ok(parsed)) = (
        ctx.config.explain,
        Message::parse(message, &Limits::DEFAULT),
    ) {
        let packet = Packet {
            path: frame.path,
            role: Some(frame.role),
            state,
            step,
            message_id: 0,
            payloads: types(&parsed.payloads()),
            len: message.len(),
        };
        ctx.note(Some(frame.ike), What::Sent(packet));
    }
}

/// Reports that a message came in, its payloads decrypted where they were not in the clear.
pub(crate) fn note_received(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    (step, state): (Step, IkeState),
    message: &Message<'_>,
    chain: &PayloadChain<'_>,
) {
    let packet = Packet {
        path: frame.path,
        role: (state != IkeState::Ready).then_some(frame.role),
        state,
        step,
        message_id: message.header.message_id,
        payloads: types(chain),
        len: message.raw().len(),
    };
    ctx.note(Some(frame.ike), What::Received(packet));
}

/// Builds payloads without a HASH in front.
pub(crate) fn plain(
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
) -> Result<Plain, DropReason> {
    let mut octets = Zeroizing::new(Vec::new());
    let mut writer = Writer::chain_only(&mut *octets);
    fill(&mut writer).map_err(unbuildable)?;
    let first = writer.first();
    Ok(Plain { first, octets })
}

/// Builds payloads behind a HASH that covers them (RFC 2409 §5.5, §5.7).
pub(crate) fn hashed(
    hash_len: usize,
    hash: impl FnOnce(&[u8]) -> Digest,
    fill: impl FnOnce(&mut Writer<'_>) -> Result<(), BuildError>,
) -> Result<Plain, DropReason> {
    plain(|writer| {
        let place = writer.placeholder(PayloadType::HASH, hash_len)?;
        fill(writer)?;
        let digest = hash(writer.octets_after(place));
        writer.patch(place, digest.as_ref())
    })
}

/// Encrypts payloads into a message. Gives the IV for what follows it.
pub(crate) fn seal(
    cipher: &MessageCipher,
    iv: &Iv,
    header: &Header,
    plain: Plain,
) -> Result<(Bytes, Iv), DropReason> {
    let Plain {
        first,
        octets: mut body,
    } = plain;
    let next_iv = cipher.seal(iv, &mut body).map_err(|_| DropReason::Crypto)?;
    let length = u32::try_from(Header::LEN.saturating_add(body.len()))
        .map_err(|_| DropReason::Limit("message size"))?;
    let header = Header {
        next_payload: first.0,
        flags: header.flags | Flags::ENCRYPTION,
        // RFC 2409 App. B: the length includes the padding.
        length,
        ..*header
    };
    let mut message = Vec::with_capacity(Header::LEN.saturating_add(body.len()));
    message.extend_from_slice(&header.to_bytes());
    message.extend_from_slice(&body);
    Ok((Bytes::from(message), next_iv))
}

/// Decrypts a message. Nothing in it is authenticated yet.
pub(crate) fn open(
    cipher: &MessageCipher,
    iv: &Iv,
    message: &Message<'_>,
) -> Result<(Zeroizing<Vec<u8>>, Iv), DropReason> {
    let encrypted = message.encrypted().ok_or(DropReason::NotEncrypted)?;
    let mut plain = Zeroizing::new(encrypted.to_vec());
    let next_iv = cipher
        .open(iv, &mut plain)
        .map_err(|_| DropReason::CiphertextLength)?;
    Ok((plain, next_iv))
}

/// The payload chain that came out of [`open`].
pub(crate) fn chain<'p>(
    message: &Message<'_>,
    plain: &'p [u8],
    limits: &Limits,
) -> Result<PayloadChain<'p>, DropReason> {
    message
        .decrypted(plain, limits)
        .map_err(DropReason::Undecipherable)
}

/// Compares a HASH payload without telling where it differs.
pub(crate) fn verify(expected: &Digest, received: &[u8]) -> Result<(), DropReason> {
    if bool::from(expected.as_ref().ct_eq(received)) {
        Ok(())
    } else {
        Err(DropReason::AuthenticationFailed)
    }
}
