//! The payloads of one message, held against what the message may carry.

use alloc::vec::Vec;

use isakmp_wire::Limits;
use isakmp_wire::registry::ProtocolId;
use isakmp_wire::v1::{
    Certificate, CertificateRequest, Delete, Dialect, Identification, NatOa, Notification, Payload,
    PayloadChain, PayloadType, Sa, View,
};

use crate::model::{DropReason, IpsecProtocol};

/// What a message must and may carry.
#[derive(Debug)]
pub(crate) struct Rules {
    /// What it starts with, in this order (RFC 2409 §5: SA first; §5.5: HASH, then SA).
    pub(crate) first: &'static [PayloadType],
    /// What it carries exactly once, those of `first` included.
    pub(crate) once: &'static [PayloadType],
    /// What it may carry, and how often at most.
    pub(crate) may: &'static [(PayloadType, usize)],
}

/// As many as the message has room for.
const MANY: usize = usize::MAX;
/// Payloads of a type which may be there so often that are looked at, the first of them: enough for any
/// purpose. The others are skipped.
const KEPT: usize = 128;
/// Certificates of all encodings in one message.
const MAX_CERTIFICATES: usize = 16;

/// Main mode, messages 1 and 2: `HDR, SA [, VID …]`.
pub(crate) const MM_SA: Rules = Rules {
    first: &[PayloadType::SA],
    once: &[PayloadType::SA],
    may: &[(PayloadType::VENDOR_ID, MANY)],
};

/// Main mode, messages 3 and 4: `HDR, KE, N [, NAT-D …] [, VID …] [, CERTREQ …]`.
pub(crate) const MM_KE: Rules = Rules {
    first: &[],
    once: &[PayloadType::KEY_EXCHANGE, PayloadType::NONCE],
    may: &[
        (PayloadType::NAT_D, nat_t::MAX_HASHES),
        (PayloadType::VENDOR_ID, MANY),
        (PayloadType::CERTIFICATE_REQUEST, MANY),
    ],
};

/// Main mode, messages 5 and 6, under a pre-shared key: `HDR*, ID, HASH [, N …] [, VID …]`.
pub(crate) const MM_ID: Rules = Rules {
    first: &[],
    once: &[PayloadType::IDENTIFICATION, PayloadType::HASH],
    may: &[
        (PayloadType::NOTIFICATION, MANY),
        (PayloadType::VENDOR_ID, MANY),
    ],
};

/// Main mode, messages 5 and 6, with signatures: `HDR*, ID [, CERT …], SIG [, N …] [, VID …]`.
pub(crate) const MM_SIGNED: Rules = Rules {
    first: &[],
    once: &[PayloadType::IDENTIFICATION, PayloadType::SIGNATURE],
    may: &[
        (PayloadType::CERTIFICATE, MAX_CERTIFICATES),
        (PayloadType::CERTIFICATE_REQUEST, MANY),
        (PayloadType::NOTIFICATION, MANY),
        (PayloadType::VENDOR_ID, MANY),
    ],
};

/// Aggressive mode, message 1: `HDR, SA, KE, N, ID [, VID …] [, CERTREQ …]`.
pub(crate) const AM_OFFER: Rules = Rules {
    first: &[PayloadType::SA],
    once: &[
        PayloadType::SA,
        PayloadType::KEY_EXCHANGE,
        PayloadType::NONCE,
        PayloadType::IDENTIFICATION,
    ],
    may: &[
        (PayloadType::VENDOR_ID, MANY),
        (PayloadType::CERTIFICATE_REQUEST, MANY),
    ],
};

/// Aggressive mode, message 2, under a pre-shared key: `HDR, SA, KE, N, ID, HASH [, NAT-D …] …`.
pub(crate) const AM_ANSWER: Rules = Rules {
    first: &[PayloadType::SA],
    once: &[
        PayloadType::SA,
        PayloadType::KEY_EXCHANGE,
        PayloadType::NONCE,
        PayloadType::IDENTIFICATION,
        PayloadType::HASH,
    ],
    may: &[
        (PayloadType::NAT_D, nat_t::MAX_HASHES),
        (PayloadType::VENDOR_ID, MANY),
        (PayloadType::CERTIFICATE_REQUEST, MANY),
    ],
};

/// Aggressive mode, message 3, under a pre-shared key: `HDR[*], HASH [, NAT-D …]`. Clients add
/// notifications that nothing protects (RFC 2407 §4.6.3 forbids it): they are not heeded.
pub(crate) const AM_PROOF: Rules = Rules {
    first: &[],
    once: &[PayloadType::HASH],
    may: &[
        (PayloadType::NAT_D, nat_t::MAX_HASHES),
        (PayloadType::VENDOR_ID, MANY),
        (PayloadType::NOTIFICATION, MANY),
    ],
};

/// Quick mode, messages 1 and 2: `HDR*, HASH, SA, N [, KE] [, ID, ID] [, NAT-OA, NAT-OA] [, N …]`.
pub(crate) const QM_SA: Rules = Rules {
    first: &[PayloadType::HASH, PayloadType::SA],
    once: &[PayloadType::HASH, PayloadType::SA, PayloadType::NONCE],
    may: &[
        (PayloadType::KEY_EXCHANGE, 1),
        (PayloadType::IDENTIFICATION, 2),
        (PayloadType::NAT_OA, 2),
        (PayloadType::NOTIFICATION, MANY),
        (PayloadType::VENDOR_ID, MANY),
    ],
};

/// Quick mode, message 3: `HDR*, HASH`.
pub(crate) const QM_DONE: Rules = Rules {
    first: &[PayloadType::HASH],
    once: &[PayloadType::HASH],
    may: &[(PayloadType::NOTIFICATION, MANY)],
};

/// Informational exchange under an ISAKMP SA: `HDR*, HASH, N/D …`.
pub(crate) const INFO: Rules = Rules {
    first: &[PayloadType::HASH],
    once: &[PayloadType::HASH],
    may: &[
        (PayloadType::NOTIFICATION, MANY),
        (PayloadType::DELETE, MANY),
        (PayloadType::VENDOR_ID, MANY),
    ],
};

/// Payload types from here on are for private use (RFC 2408 §3.1).
const PRIVATE_USE: u8 = 128;

/// The payloads of a message that keeps its rules.
#[derive(Debug, Default)]
pub(crate) struct Payloads<'a> {
    pub(crate) sa: Option<Sa<'a>>,
    /// The SA payload without its generic header, as it came.
    pub(crate) sa_body: &'a [u8],
    pub(crate) ke: Option<&'a [u8]>,
    pub(crate) nonce: &'a [u8],
    pub(crate) ids: Vec<Identification<'a>>,
    pub(crate) hash: &'a [u8],
    pub(crate) signature: &'a [u8],
    pub(crate) certificates: Vec<Certificate<'a>>,
    pub(crate) certificate_requests: Vec<CertificateRequest<'a>>,
    /// Everything behind the HASH payload: what HASH(1) and HASH(2) cover.
    pub(crate) after_hash: &'a [u8],
    pub(crate) notifications: Vec<Notification<'a>>,
    pub(crate) deletes: Vec<Delete<'a>>,
    pub(crate) vendor_ids: Vec<&'a [u8]>,
    pub(crate) nat_d: Vec<(PayloadType, &'a [u8])>,
    pub(crate) nat_oa: Vec<NatOa>,
}

fn keep<T>(list: &mut Vec<T>, found: T) {
    if list.len() < KEPT {
        list.push(found);
    }
}

/// Sorts the payloads of a message.
///
/// RFC 2408 §5.3 discards a message with a payload that is not recognised or does not belong;
/// payload types for private use are skipped instead, because vendors add them freely.
pub(crate) fn sort<'a>(
    chain: PayloadChain<'a>,
    rules: &Rules,
    dialect: Dialect,
    limits: &Limits,
) -> Result<Payloads<'a>, DropReason> {
    let mut sorted = Payloads::default();
    let mut counts: Vec<(PayloadType, usize)> = Vec::new();
    let mut order = chain
        .iter()
        .map(|payload| dialect.canonical(payload.payload_type));
    for &first in rules.first {
        if order.next() != Some(first) {
            let there = chain
                .iter()
                .any(|p| dialect.canonical(p.payload_type) == first);
            return Err(if there {
                DropReason::MisplacedPayload(first.into())
            } else {
                DropReason::MissingPayload(first.into())
            });
        }
    }
    for payload in chain {
        let kind = dialect.canonical(payload.payload_type);
        let most = if rules.once.contains(&kind) {
            1
        } else {
            rules
                .may
                .iter()
                .find(|(may, _)| *may == kind)
                .map_or(0, |(_, most)| *most)
        };
        if most == 0 && kind.0 >= PRIVATE_USE {
            continue;
        }
        let seen = match counts.iter_mut().find(|(counted, _)| *counted == kind) {
            Some((_, seen)) => seen,
            None => {
                counts.push((kind, 0));
                match counts.last_mut() {
                    Some((_, seen)) => seen,
                    None => continue,
                }
            }
        };
        *seen = seen.saturating_add(1);
        if *seen > most {
            return Err(DropReason::UnexpectedPayload(kind.into()));
        }
        sorted.take(&chain, &payload, kind, dialect, limits)?;
    }
    for &once in rules.once {
        if !counts.iter().any(|(kind, _)| *kind == once) {
            return Err(DropReason::MissingPayload(once.into()));
        }
    }
    Ok(sorted)
}

impl<'a> Payloads<'a> {
    fn take(
        &mut self,
        chain: &PayloadChain<'a>,
        payload: &Payload<'a>,
        kind: PayloadType,
        dialect: Dialect,
        limits: &Limits,
    ) -> Result<(), DropReason> {
        if kind == PayloadType::NONCE && !(8..=256).contains(&payload.body.len()) {
            // RFC 2409 §5: between 8 and 256 bytes inclusive.
            return Err(DropReason::NonceLength(payload.body.len()));
        }
        match payload
            .view(dialect, limits)
            .map_err(DropReason::Malformed)?
        {
            View::Sa(sa) => {
                self.sa = Some(sa);
                self.sa_body = payload.body;
            }
            View::KeyExchange(public) => self.ke = Some(public),
            View::Nonce(nonce) => self.nonce = nonce,
            View::Identification(id) => self.ids.push(id),
            View::Hash(hash) => {
                self.hash = hash;
                self.after_hash = chain.octets_after(payload);
            }
            View::Signature(signature) => self.signature = signature,
            View::Certificate(certificate) => self.certificates.push(certificate),
            View::CertificateRequest(request) => keep(&mut self.certificate_requests, request),
            View::Notification(notification) => keep(&mut self.notifications, notification),
            View::Delete(delete) => keep(&mut self.deletes, delete),
            View::VendorId(vendor) => keep(&mut self.vendor_ids, vendor),
            View::NatD(hash) => self.nat_d.push((payload.payload_type, hash)),
            View::NatOa(address) => self.nat_oa.push(address),
            _ => {}
        }
        Ok(())
    }

    /// The SA payload, where the rules demand one.
    pub(crate) fn sa(&self) -> Result<&Sa<'a>, DropReason> {
        self.sa
            .as_ref()
            .ok_or(DropReason::MissingPayload(PayloadType::SA.into()))
    }

    /// The public value, where the rules demand one.
    pub(crate) fn ke(&self) -> Result<&'a [u8], DropReason> {
        self.ke
            .ok_or(DropReason::MissingPayload(PayloadType::KEY_EXCHANGE.into()))
    }

    /// The only identity, where the rules demand one.
    pub(crate) fn id(&self) -> Result<&Identification<'a>, DropReason> {
        self.ids.first().ok_or(DropReason::MissingPayload(
            PayloadType::IDENTIFICATION.into(),
        ))
    }
}

/// RFC 2407 §4.4.1.
pub(crate) const fn protocol_id(protocol: IpsecProtocol) -> ProtocolId {
    match protocol {
        IpsecProtocol::Esp => ProtocolId::ESP,
        IpsecProtocol::Ah => ProtocolId::AH,
    }
}
