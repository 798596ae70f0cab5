//! Main mode with pre-shared keys (RFC 2409 §5.4) or signatures (§5.1), both sides.
//!
//! ```text
//! HDR, SA          -->
//!                  <--    HDR, SA
//! HDR, KE, Ni      -->
//!                  <--    HDR, KE, Nr
//! HDR*, IDii, HASH_I -->
//!                  <--    HDR*, IDir, HASH_R
//! ```
//!
//! With signatures `[CERT …,] SIG` is in the place of HASH, and the certificate requests are beside
//! the nonces.

mod initiator;
mod responder;

use alloc::vec::Vec;

use isakmp_wire::BuildError;
use isakmp_wire::registry::ExchangeType;
use isakmp_wire::v1::{Body, Message, PayloadType, Writer};
use nat_t::Version;

use crate::context::Context;
use crate::event::Answer;
use crate::model::{CloseReason, DropReason, IkeState, Step};
use crate::v1::negotiation::Progress;
use crate::v1::payloads::{self, MM_KE, Payloads};
use crate::v1::phase1::{self, Frame, Keyed, Nat, Suite, Vendor};
use crate::v1::protect::{self, Plain};
use crate::v1::signature;

pub(crate) use initiator::{
    IdSent, IdShown, IdWanted, KeSent, KeyWanted, PairWanted, SaSent, SecretWanted, start,
};
pub(crate) use responder::{
    FirstAsked, IdOwed, KeAnswered, KeyAsked, KeyFound, PeerShown, SaAnswered, receive_first,
};

/// A header of a main mode message of ours.
fn header(frame: &Frame<'_>) -> isakmp_wire::Header {
    protect::header(&frame.cookies, ExchangeType::IDENTITY_PROTECTION, 0)
}

/// What messages 3 and 4 bring: `HDR, KE, N, NAT-D, NAT-D`
#[derive(Debug)]
struct Ke {
    public: Vec<u8>,
    nonce: Vec<u8>,
    nat: Nat,
    vendor: Vendor,
    /// It asks for a certificate.
    asked: bool,
}

impl Ke {
    /// Reads it. `check` looks at the public value and the nonce before anything is remembered.
    fn read(
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        (suite, known): (&Suite, &Vendor),
        message: &Message<'_>,
        at: (Step, IkeState),
        check: impl FnOnce(&[u8], &[u8]) -> Result<(), DropReason>,
    ) -> Result<Self, DropReason> {
        let Body::Clear(chain) = message.body else {
            return Err(DropReason::NoKeyYet);
        };
        protect::note_received(ctx, frame, at, message, &chain);
        let mut vendor = *known;
        vendor.dialect.learn_from(&chain);
        let payloads = payloads::sort(chain, &MM_KE, vendor.dialect, &ctx.config.wire)?;
        let public = payloads.ke()?;
        check(public, payloads.nonce)?;
        // Routers announce DPD here: vendor IDs are welcome in any early message.
        vendor.learn(&payloads.vendor_ids);
        let version = known.nat_t_version(frame.peer);
        let nat = phase1::detect_nat(ctx, frame, suite, version, &payloads.nat_d)?;
        phase1::report_vendor_ids(ctx, frame.ike, &payloads.vendor_ids);
        Ok(Self {
            public: public.to_vec(),
            nonce: payloads.nonce.to_vec(),
            nat,
            vendor,
            asked: signature::asked(&payloads),
        })
    }

    /// Writes one.
    fn write(
        writer: &mut Writer<'_>,
        frame: &Frame<'_>,
        suite: &Suite,
        version: Option<Version>,
        (public, nonce): (&[u8], &[u8]),
    ) -> Result<(), BuildError> {
        writer.payload(PayloadType::KEY_EXCHANGE, public)?;
        writer.payload(PayloadType::NONCE, nonce)?;
        signature::write_requests(writer, frame, Some(suite))?;
        phase1::write_nat_d(writer, frame, suite, version)
    }
}

/// Messages 1 and 2: `HDR, SA, VID …`
fn read_sa<'m>(
    ctx: &mut Context<'_>,
    frame: &Frame<'_>,
    message: &Message<'m>,
    at: (Step, IkeState),
) -> Result<(Payloads<'m>, Vendor), DropReason> {
    let Body::Clear(chain) = message.body else {
        return Err(DropReason::NoKeyYet);
    };
    protect::note_received(ctx, frame, at, message, &chain);
    let mut vendor = Vendor::default();
    vendor.dialect.learn_from(&chain);
    let payloads = payloads::sort(chain, &payloads::MM_SA, vendor.dialect, &ctx.config.wire)?;
    vendor.learn(&payloads.vendor_ids);
    Ok((payloads, vendor))
}

/// Goes on with the signature that was asked for, where there is one.
fn signed(answer: Answer, send: impl FnOnce(&[u8]) -> Option<Progress>) -> Progress {
    let Some(signature) = signature::signed(answer) else {
        return Progress::Fail(CloseReason::Refused);
    };
    send(&signature).unwrap_or(Progress::Fail(CloseReason::Crypto))
}

/// Messages 5 and 6: `ID, HASH [, N(INITIAL-CONTACT)]`, with the signature in place of the HASH
/// where there is one.
fn own_proof(
    frame: &Frame<'_>,
    keyed: &Keyed,
    id: &[u8],
    signature: Option<&[u8]>,
    contact: bool,
) -> Result<Plain, DropReason> {
    protect::plain(|writer| {
        writer.payload(PayloadType::IDENTIFICATION, id)?;
        match signature {
            Some(signature) => signature::write_proof(writer, frame, keyed.asked, signature)?,
            None => {
                let hash = keyed.own_hash(frame, id);
                writer.payload(PayloadType::HASH, hash.as_ref())?;
            }
        }
        if contact {
            phase1::write_initial_contact(writer, &frame.cookies)?;
        }
        Ok(())
    })
}
