//! A payload seen through its type.

use super::{
    Certificate, CertificateRequest, Configuration, Delete, Dialect, Fragment, Identification,
    NatOa, Notification, Payload, PayloadType, Sa,
};
use crate::error::{ErrorKind, ParseError};
use crate::limits::Limits;

/// The content of a payload, validated as far as it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum View<'a> {
    /// An SA payload: what is proposed or chosen.
    Sa(Sa<'a>),
    /// Key exchange data: the public value.
    KeyExchange(&'a [u8]),
    /// An ID payload: whom or what an SA is for.
    Identification(Identification<'a>),
    /// A CERT payload: one certificate.
    Certificate(Certificate<'a>),
    /// A CR payload: which certificates the sender would take.
    CertificateRequest(CertificateRequest<'a>),
    /// A HASH payload: the output of the negotiated hash or PRF.
    Hash(&'a [u8]),
    /// A SIG payload: the signature, in the form of its method.
    Signature(&'a [u8]),
    /// Nonce of 8 to 256 octets.
    Nonce(&'a [u8]),
    /// An N payload: an error, or a status.
    Notification(Notification<'a>),
    /// A D payload: SPIs that the sender has deleted.
    Delete(Delete<'a>),
    /// A VID payload; [`crate::vendor_id`] knows the names.
    VendorId(&'a [u8]),
    /// An ATTR payload: attributes of mode-config and XAUTH.
    Configuration(Configuration<'a>),
    /// NAT-D: a hash of an address and a port.
    NatD(&'a [u8]),
    /// A NAT-OA payload: an address as it was before the NAT.
    NatOa(NatOa),
    /// A piece of a message that was split (MS-IKEE §2.2.3.1).
    Fragment(Fragment<'a>),
    /// A payload type this crate has no view for.
    Unknown,
}

impl<'a> Payload<'a> {
    /// Looks at the payload through its type, as this peer's dialect numbers it.
    ///
    /// # Errors
    /// Whatever the payload's grammar refuses.
    #[inline]
    pub fn view(&self, dialect: Dialect, limits: &Limits) -> Result<View<'a>, ParseError> {
        Ok(match dialect.canonical(self.payload_type) {
            PayloadType::SA => View::Sa(Sa::parse(self, limits)?),
            PayloadType::KEY_EXCHANGE => View::KeyExchange(self.not_empty("Key Exchange Data")?),
            PayloadType::IDENTIFICATION => {
                View::Identification(Identification::parse(self, limits)?)
            }
            PayloadType::CERTIFICATE => View::Certificate(Certificate::parse(self)?),
            PayloadType::CERTIFICATE_REQUEST => {
                View::CertificateRequest(CertificateRequest::parse(self)?)
            }
            PayloadType::HASH => View::Hash(self.not_empty("Hash Data")?),
            PayloadType::SIGNATURE => View::Signature(self.not_empty("Signature Data")?),
            PayloadType::NONCE => View::Nonce(self.nonce()?),
            PayloadType::NOTIFICATION => View::Notification(Notification::parse(self)?),
            PayloadType::DELETE => View::Delete(Delete::parse(self, limits)?),
            PayloadType::VENDOR_ID => View::VendorId(self.body),
            PayloadType::ATTRIBUTES => View::Configuration(Configuration::parse(self)?),
            PayloadType::NAT_D => View::NatD(self.not_empty("HASH of the address and port")?),
            PayloadType::NAT_OA => View::NatOa(NatOa::parse(self)?),
            PayloadType::FRAGMENT => View::Fragment(Fragment::parse(self)?),
            _ => View::Unknown,
        })
    }

    fn not_empty(&self, what: &'static str) -> Result<&'a [u8], ParseError> {
        if self.body.is_empty() {
            return Err(ParseError::new(
                ErrorKind::LengthTooSmall,
                self.body_offset(),
                what,
                0,
            ));
        }
        Ok(self.body)
    }

    fn nonce(&self) -> Result<&'a [u8], ParseError> {
        // RFC 2409 §5: "The length of nonce payload MUST be between 8 and 256 bytes".
        let kind = match self.body.len() {
            8..=256 => return Ok(self.body),
            ..8 => ErrorKind::LengthTooSmall,
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
