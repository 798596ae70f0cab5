//! What an authentication reads from a message and writes into one.

use alloc::vec::Vec;

use isakmp_wire::BuildError;
use isakmp_wire::v2::{
    AuthMethod, Authentication, CertEncoding, Certificate, CertificateRequest, Eap, IdType,
    Identification, Identity as WireIdentity, Notify, NotifyType, Writer,
};

use crate::config::v2::RemoteAuth;

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

#[derive(Debug)]
enum Payload {
    IdInitiator(Vec<u8>),
    IdResponder(Vec<u8>),
    Certificate(Vec<u8>),
    CertificateRequest(Vec<u8>),
    Authentication(AuthMethod, Vec<u8>),
    Eap(Vec<u8>),
    Notify(NotifyType, Vec<u8>),
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

    pub(super) fn chain(&mut self, chain: &[Vec<u8>]) {
        self.0
            .extend(chain.iter().cloned().map(Payload::Certificate));
    }

    /// A certificate request, if the peer has to prove itself with one.
    pub(super) fn certificate_request(&mut self, remote: &RemoteAuth) {
        let request = authorities(remote).map(Payload::CertificateRequest);
        self.0.extend(request);
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
                Payload::Certificate(der) => {
                    writer.certificate(CertEncoding::X509_SIGNATURE, der)?
                }
                Payload::CertificateRequest(hashes) => {
                    writer.certificate_request(CertEncoding::X509_SIGNATURE, hashes)?
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

fn authorities(remote: &RemoteAuth) -> Option<Vec<u8>> {
    match remote {
        RemoteAuth::Signature { authorities, .. } => Some(authorities.concat()),
        _ => None,
    }
}

/// Writes the certificate request of an IKE_SA_INIT response (RFC 7296 §1.2), if the peer has to
/// prove itself with a certificate.
pub(crate) fn write_certificate_request(
    writer: &mut Writer<'_>,
    remote: &RemoteAuth,
) -> Result<(), BuildError> {
    if let Some(hashes) = authorities(remote) {
        writer.certificate_request(CertEncoding::X509_SIGNATURE, &hashes)?;
    }
    Ok(())
}
