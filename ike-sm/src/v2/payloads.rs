//! The payloads of one message, by their type.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use isakmp_wire::Limits;
use isakmp_wire::v2::{
    Authentication, Certificate, CertificateRequest, Configuration, Delete, Eap, Identification,
    KeyExchange, Notify, NotifyType, PayloadChain, PayloadType, Sa, TrafficSelectors, View,
};

use crate::model::DropReason;

/// The payloads of one message. What may be there once is there at most once.
#[derive(Debug, Default)]
pub(crate) struct Payloads<'a> {
    pub(crate) sa: Option<Sa<'a>>,
    pub(crate) key_exchange: Option<KeyExchange<'a>>,
    pub(crate) nonce: Option<&'a [u8]>,
    pub(crate) id_initiator: Option<Identification<'a>>,
    pub(crate) id_responder: Option<Identification<'a>>,
    pub(crate) authentication: Option<Authentication<'a>>,
    pub(crate) ts_initiator: Option<TrafficSelectors<'a>>,
    pub(crate) ts_responder: Option<TrafficSelectors<'a>>,
    pub(crate) configuration: Option<Configuration<'a>>,
    pub(crate) eap: Option<Eap<'a>>,
    pub(crate) certificates: Vec<Certificate<'a>>,
    pub(crate) certificate_requests: Vec<CertificateRequest<'a>>,
    pub(crate) deletes: Vec<Delete<'a>>,
    pub(crate) notifies: Vec<Notify<'a>>,
}

/// Notifications of one type, certificate requests and Delete payloads that are looked at, the first
/// of them. A message has room for thousands; the others are skipped.
const KEPT: usize = 64;

impl<'a> Payloads<'a> {
    /// Reads a chain whose critical payloads are all known.
    pub(crate) fn read(chain: &PayloadChain<'a>, limits: &Limits) -> Result<Self, DropReason> {
        // RFC 7296 §2.5: an unknown payload with the critical bit refuses the message, one without
        // is skipped.
        if let Some(unknown) = chain.unsupported_critical() {
            return Err(DropReason::UnsupportedCritical(unknown));
        }
        let mut all = Self::default();
        let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
        for payload in chain {
            let kind = payload.payload_type;
            match payload.view(limits).map_err(DropReason::Malformed)? {
                View::Sa(x) => once(&mut all.sa, x, kind)?,
                View::KeyExchange(x) => once(&mut all.key_exchange, x, kind)?,
                View::Nonce(x) => once(&mut all.nonce, x, kind)?,
                View::IdInitiator(x) => once(&mut all.id_initiator, x, kind)?,
                View::IdResponder(x) => once(&mut all.id_responder, x, kind)?,
                View::Authentication(x) => once(&mut all.authentication, x, kind)?,
                View::TsInitiator(x) => once(&mut all.ts_initiator, x, kind)?,
                View::TsResponder(x) => once(&mut all.ts_responder, x, kind)?,
                View::Configuration(x) => once(&mut all.configuration, x, kind)?,
                View::Eap(x) => once(&mut all.eap, x, kind)?,
                View::Certificate(x) => all.certificates.push(x),
                View::CertificateRequest(x) => keep(&mut all.certificate_requests, x),
                View::Delete(x) => keep(&mut all.deletes, x),
                View::Notify(x) => {
                    // All that means nothing here counts as one type.
                    let known = x.notify_type.name().is_some();
                    let count = counts.entry(if known { x.notify_type.0 } else { 0 });
                    let count = count.or_default();
                    *count = count.saturating_add(1);
                    if *count <= KEPT {
                        all.notifies.push(x);
                    }
                }
                _ => {}
            }
        }
        Ok(all)
    }

    /// The first notification of a type.
    pub(crate) fn notify(&self, kind: NotifyType) -> Option<&Notify<'a>> {
        self.notifies.iter().find(|n| n.notify_type == kind)
    }

    /// Whether there is a notification of a type.
    pub(crate) fn has(&self, kind: NotifyType) -> bool {
        self.notify(kind).is_some()
    }

    /// The first error that the peer reports.
    pub(crate) fn error(&self) -> Option<&Notify<'a>> {
        self.notifies.iter().find(|n| n.notify_type.is_error())
    }
}

fn keep<T>(list: &mut Vec<T>, found: T) {
    if list.len() < KEPT {
        list.push(found);
    }
}

fn once<T>(slot: &mut Option<T>, found: T, kind: PayloadType) -> Result<(), DropReason> {
    if slot.is_some() {
        return Err(DropReason::UnexpectedPayload(kind.into()));
    }
    *slot = Some(found);
    Ok(())
}

/// A payload that has to be there.
pub(crate) fn required<T>(slot: Option<T>, kind: PayloadType) -> Result<T, DropReason> {
    slot.ok_or(DropReason::MissingPayload(kind.into()))
}
