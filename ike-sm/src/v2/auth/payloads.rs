//! What an authentication reads from a message and writes into one.

use alloc::vec::Vec;
use core::fmt;

use isakmp_wire::BuildError;
use isakmp_wire::v2::{
    AuthMethod, Authentication, CertEncoding, Certificate, CertificateRequest, Eap, IdType,
    Identification, Identity as WireIdentity, Notify, NotifyType, Writer,
};

use crate::config::v2::{Credential, RemoteAuth, SendCertificate};

/// The payloads of one message that concern authentication.
#[derive(Debug, Default)]
pub(crate) struct Received<'a> {
    /// The sender's own identity: IDi from an initiator, IDr from a responder.
    pub(crate) identity: Option<Identification<'a>>,
    pub(crate) authentication: Option<Authentication<'a>>,
    pub(crate) certificates: &'a [Certificate<'a>],
    pub(crate) certificate_requests: &'a [CertificateRequest<'a>],
    pub(crate) eap: Option<Eap<'a>>,
    pub(crate) notifies: &'a [Notify<'a>],
}

impl<'a> Received<'a> {
    pub(super) fn notify(&self, kind: NotifyType) -> Option<&'a [u8]> {
        let found = self.notifies.iter().find(|n| n.notify_type == kind);
        found.map(|n| n.data)
    }
}

/// Payloads to send, in this order.
#[derive(Debug, Default)]
pub(crate) struct Outgoing(Vec<Payload>);

enum Payload {
    IdInitiator(Vec<u8>),
    IdResponder(Vec<u8>),
    Certificate(CertEncoding, Vec<u8>),
    CertificateRequest(CertEncoding, Vec<u8>),
    Authentication(AuthMethod, Vec<u8>),
    Eap(Vec<u8>),
    Notify(NotifyType, Vec<u8>),
}

impl fmt::Debug for Payload {
    /// The type alone: proofs and EAP messages help to find a password or a key out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdInitiator(_) => "IDi",
            Self::IdResponder(_) => "IDr",
            Self::Certificate(..) => "CERT",
            Self::CertificateRequest(..) => "CERTREQ",
            Self::Authentication(..) => "AUTH",
            Self::Eap(_) => "EAP",
            Self::Notify(..) => "N",
        })
    }
}

impl Outgoing {
    /// IDi, by the body of its payload.
    pub(super) fn id_initiator(&mut self, body: &[u8]) {
        self.0.push(Payload::IdInitiator(body.to_vec()));
    }

    /// IDr, by the body of its payload.
    pub(super) fn id_responder(&mut self, body: &[u8]) {
        self.0.push(Payload::IdResponder(body.to_vec()));
    }

    /// Our certificates or our raw key, if they are to be sent.
    pub(super) fn credential(&mut self, credential: &Credential, asked: Asked) {
        let (encoding, data, wanted) = match &credential.raw_key {
            Some(key) => {
                let key = core::slice::from_ref(key);
                (CertEncoding::RAW_PUBLIC_KEY, key, asked.raw_key)
            }
            None => {
                let chain = &credential.chain[..];
                (CertEncoding::X509_SIGNATURE, chain, asked.x509)
            }
        };
        let send = match credential.send {
            SendCertificate::Always => true,
            SendCertificate::IfAsked => wanted,
            SendCertificate::Never => false,
        };
        if send {
            let payloads = data.iter().cloned();
            self.0
                .extend(payloads.map(|data| Payload::Certificate(encoding, data)));
        }
    }

    /// A certificate request, if the peer has to prove itself with one.
    pub(super) fn certificate_request(&mut self, remote: &RemoteAuth) {
        let request = request(remote);
        self.0
            .extend(request.map(|(encoding, data)| Payload::CertificateRequest(encoding, data)));
    }

    pub(super) fn authentication(&mut self, method: AuthMethod, data: Vec<u8>) {
        self.0.push(Payload::Authentication(method, data));
    }

    pub(super) fn eap(message: Vec<u8>) -> Self {
        Self(alloc::vec![Payload::Eap(message)])
    }

    pub(super) fn and_eap(&mut self, message: Vec<u8>) {
        self.0.push(Payload::Eap(message));
    }

    pub(super) fn notify(&mut self, kind: NotifyType, data: Vec<u8>) {
        self.0.push(Payload::Notify(kind, data));
    }

    /// Writes the payloads.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<(), BuildError> {
        for payload in &self.0 {
            match payload {
                Payload::IdInitiator(body) => writer.id_initiator(&wire(body))?,
                Payload::IdResponder(body) => writer.id_responder(&wire(body))?,
                Payload::Certificate(encoding, data) => writer.certificate(*encoding, data)?,
                Payload::CertificateRequest(encoding, hashes) => {
                    writer.certificate_request(*encoding, hashes)?
                }
                Payload::Authentication(method, data) => writer.authentication(*method, data)?,
                Payload::Eap(message) => writer.eap(message)?,
                Payload::Notify(kind, data) => writer.notify(*kind, data)?,
            };
        }
        Ok(())
    }
}

/// An identity as the writer takes it, from the body of its payload.
fn wire(body: &[u8]) -> WireIdentity<'_> {
    let id_type = IdType(body.first().copied().unwrap_or(0));
    WireIdentity::Other(id_type, body.get(4..).unwrap_or(&[]))
}

/// Encoding and authorities of a certificate request.
fn request(remote: &RemoteAuth) -> Option<(CertEncoding, Vec<u8>)> {
    match remote {
        // RFC 7670 §3: the authorities MUST be empty.
        RemoteAuth::Signature { raw_key: true, .. } => {
            Some((CertEncoding::RAW_PUBLIC_KEY, Vec::new()))
        }
        RemoteAuth::Signature { authorities, .. } => {
            Some((CertEncoding::X509_SIGNATURE, authorities.concat()))
        }
        _ => None,
    }
}

/// What the peer's certificate requests ask for, of what there is here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    x509: bool,
    raw_key: bool,
}

impl Asked {
    pub(crate) fn read(requests: &[CertificateRequest<'_>]) -> Self {
        let has = |encoding| requests.iter().any(|r| r.encoding == encoding);
        Self {
            x509: has(CertEncoding::X509_SIGNATURE),
            raw_key: has(CertEncoding::RAW_PUBLIC_KEY),
        }
    }
}

/// Writes the certificate request of an IKE_SA_INIT response (RFC 7296 §1.2), if the peer has to
/// prove itself with a certificate.
pub(crate) fn write_certificate_request(
    writer: &mut Writer<'_>,
    remote: &RemoteAuth,
) -> Result<(), BuildError> {
    if let Some((encoding, hashes)) = request(remote) {
        writer.certificate_request(encoding, &hashes)?;
    }
    Ok(())
}
