//! A payload seen through its type.

use super::{
    Authentication, Certificate, CertificateRequest, Configuration, Delete, Eap, Identification,
    KeyExchange, Notify, Payload, PayloadType, Protected, Sa, TrafficSelectors,
};
use crate::error::{ErrorKind, ParseError};
use crate::limits::Limits;

/// The content of a payload, validated as far as it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum View<'a> {
    /// An SA payload: what is proposed or chosen.
    Sa(Sa<'a>),
    /// A KE payload: the public value and its group.
    KeyExchange(KeyExchange<'a>),
    /// An IDi payload: who the initiator is.
    IdInitiator(Identification<'a>),
    /// An IDr payload: who the responder is, or shall be.
    IdResponder(Identification<'a>),
    /// A CERT payload: one certificate, or a part of a chain.
    Certificate(Certificate<'a>),
    /// A CERTREQ payload: which authorities the sender trusts.
    CertificateRequest(CertificateRequest<'a>),
    /// An AUTH payload: what proves the sender's identity.
    Authentication(Authentication<'a>),
    /// Nonce of 16 to 256 octets.
    Nonce(&'a [u8]),
    /// An N payload: an error, or a status.
    Notify(Notify<'a>),
    /// A D payload: SPIs that the sender has deleted.
    Delete(Delete<'a>),
    /// A V payload; [`crate::vendor_id`] knows the names.
    VendorId(&'a [u8]),
    /// Traffic selectors of the initiator's end.
    TsInitiator(TrafficSelectors<'a>),
    /// Traffic selectors of the responder's end.
    TsResponder(TrafficSelectors<'a>),
    /// SK or SKF: not opened yet.
    Protected(Protected<'a>),
    /// A CP payload: addresses and other settings inside the tunnel.
    Configuration(Configuration<'a>),
    /// An EAP payload: one message of the EAP conversation.
    Eap(Eap<'a>),
    /// A payload type this crate has no view for; see
    /// [`PayloadChain::unsupported_critical`](super::PayloadChain::unsupported_critical).
    Unknown,
}

impl<'a> Payload<'a> {
    /// Looks at the payload through its type.
    ///
    /// # Errors
    /// Whatever the payload's grammar refuses.
    #[inline]
    pub fn view(&self, limits: &Limits) -> Result<View<'a>, ParseError> {
        Ok(match self.payload_type {
            PayloadType::SA => View::Sa(Sa::parse(self, limits)?),
            PayloadType::KEY_EXCHANGE => View::KeyExchange(KeyExchange::parse(self)?),
            PayloadType::ID_INITIATOR => View::IdInitiator(Identification::parse(self, limits)?),
            PayloadType::ID_RESPONDER => View::IdResponder(Identification::parse(self, limits)?),
            PayloadType::CERTIFICATE => View::Certificate(Certificate::parse(self)?),
            PayloadType::CERTIFICATE_REQUEST => {
                View::CertificateRequest(CertificateRequest::parse(self)?)
            }
            PayloadType::AUTHENTICATION => View::Authentication(Authentication::parse(self)?),
            PayloadType::NONCE => View::Nonce(self.nonce()?),
            PayloadType::NOTIFY => View::Notify(Notify::parse(self)?),
            PayloadType::DELETE => View::Delete(Delete::parse(self, limits)?),
            PayloadType::VENDOR_ID => View::VendorId(self.body),
            PayloadType::TS_INITIATOR => View::TsInitiator(TrafficSelectors::parse(self, limits)?),
            PayloadType::TS_RESPONDER => View::TsResponder(TrafficSelectors::parse(self, limits)?),
            PayloadType::CONFIGURATION => View::Configuration(Configuration::parse(self)?),
            PayloadType::EAP => View::Eap(Eap::parse(self)?),
            _ => Protected::read(self)?.map_or(View::Unknown, View::Protected),
        })
    }

    fn nonce(&self) -> Result<&'a [u8], ParseError> {
        // RFC 7296 §3.9: "The size of the Nonce Data MUST be between 16 and 256 octets, inclusive."
        let kind = match self.body.len() {
            16..=256 => return Ok(self.body),
            ..16 => ErrorKind::LengthTooSmall,
            _ => ErrorKind::LengthTooLarge,
        };
        Err(ParseError::new(
            kind,
            self.body_offset(),
            "Nonce Data",
            self.body.len(),
        ))
    }
}
