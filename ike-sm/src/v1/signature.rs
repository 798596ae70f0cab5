//! Phase 1 authenticated with signatures (RFC 2409 §5.1), in both modes: the HASH of pre-shared keys
//! is signed instead of sent, and certificates travel beside it.
//!
//! What a peer shows is checked once the embedder has vouched for its key. If it does not hold, the
//! negotiation ends: nothing comes of waiting for another proof of the same peer.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crypto_suite::{Digest, Provider, SignatureId};
use isakmp_wire::BuildError;
use isakmp_wire::v1::{CertEncoding, PayloadType, Writer};

use super::payloads::Payloads;
use super::phase1::{Frame, Suite};
use crate::alg;
use crate::auth::certificates::Shown;
use crate::config::v2::{Credential, LocalAuth, RemoteAuth, SendCertificate};
use crate::context::Context;
use crate::event::job::SignatureJob;
use crate::event::{Answer, AuthRecord, Question, What};
use crate::model::{DropReason, Identity, ProofError};

impl Suite {
    /// The scheme of its signatures; `None` under a pre-shared key.
    pub(crate) fn signature(&self) -> Option<SignatureId> {
        alg::signature_of_v1(self.policy.authentication).map(|(scheme, _)| scheme)
    }
}

/// Asks for our signature over `hash`.
pub(crate) fn sign(frame: &Frame<'_>, scheme: SignatureId, hash: &Digest) -> Question {
    Question::Sign {
        peer: frame.peer.name.clone(),
        scheme,
        octets: hash.as_ref().to_vec(),
    }
}

/// Our signature, if there is one.
pub(crate) fn signed(answer: Answer) -> Option<Vec<u8>> {
    match answer {
        Answer::Signature(Some(signature)) if !signature.is_empty() => Some(signature),
        _ => None,
    }
}

/// Asks for certificates of each authority (RFC 2408 §3.10), where the peer is to sign.
pub(crate) fn write_requests(
    writer: &mut Writer<'_>,
    frame: &Frame<'_>,
    suite: Option<&Suite>,
) -> Result<(), BuildError> {
    let RemoteAuth::Signature {
        authority_names, ..
    } = &frame.peer.auth.remote
    else {
        return Ok(());
    };
    if suite.is_some_and(|suite| suite.signature().is_none()) {
        return Ok(());
    }
    let any = [Vec::new()];
    let names = if authority_names.is_empty() {
        &any[..]
    } else {
        &authority_names[..]
    };
    for name in names {
        writer.certificate_request(CertEncoding::X509_SIGNATURE, name)?;
    }
    Ok(())
}

/// `[CERT …,] SIG`
pub(crate) fn write_proof(
    writer: &mut Writer<'_>,
    frame: &Frame<'_>,
    asked: bool,
    signature: &[u8],
) -> Result<(), BuildError> {
    if let LocalAuth::Signature(Credential { chain, send, .. }) = &frame.peer.auth.local
        && match send {
            SendCertificate::Always => true,
            SendCertificate::IfAsked => asked,
            SendCertificate::Never => false,
        }
    {
        for der in chain {
            writer.certificate(CertEncoding::X509_SIGNATURE, der)?;
        }
    }
    writer.payload(PayloadType::SIGNATURE, signature)?;
    Ok(())
}

/// Whether the peer asks for a certificate that can be sent.
pub(crate) fn asked(payloads: &Payloads<'_>) -> bool {
    payloads
        .certificate_requests
        .iter()
        .any(|r| r.encoding == CertEncoding::X509_SIGNATURE)
}

/// A proof of the peer that is not checked yet.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) identity: Arc<Identity>,
    shown: Shown,
    /// What it has to have signed.
    hash: Digest,
    signature: Vec<u8>,
}

impl Claim {
    /// Reads certificates and signature.
    pub(crate) fn read(
        payloads: &Payloads<'_>,
        identity: Arc<Identity>,
        hash: Digest,
    ) -> Result<Self, DropReason> {
        let mut shown = Shown::default();
        for certificate in &payloads.certificates {
            if certificate.encoding == CertEncoding::X509_SIGNATURE {
                let taken = shown.x509(certificate.data);
                taken.map_err(|_| DropReason::Limit("certificates"))?;
            }
        }
        Ok(Self {
            identity,
            shown,
            hash,
            signature: payloads.signature.to_vec(),
        })
    }

    /// Asks whether the key is the identity's.
    pub(crate) fn vouch(&self, ctx: &Context<'_>, frame: &Frame<'_>, suite: &Suite) -> Question {
        let (provider, id) = (ctx.provider, suite.signature());
        let (hash, signature) = (self.hash.clone(), self.signature.clone());
        let job = SignatureJob::new(move |key| {
            let id = id.ok_or(ProofError::UnknownAlgorithm)?;
            verify(provider, id, key, &hash, &signature).map(|()| id)
        });
        self.shown.vouch(frame.peer, &self.identity, job)
    }

    /// Takes the embedder's word on the key, and checks the signature with it.
    pub(crate) fn holds(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        suite: &Suite,
        answer: Answer,
    ) -> bool {
        let mut note =
            |record| ctx.note(Some(frame.ike), What::Auth(alloc::boxed::Box::new(record)));
        let checked = match answer {
            Answer::PublicKey(answer) => {
                note(self.shown.record(&answer));
                let both = answer.ok().zip(suite.signature());
                both.map(|(key, id)| {
                    let (hash, signature) = (&self.hash, &self.signature[..]);
                    (id, verify(ctx.provider, id, &key, hash, signature))
                })
            }
            Answer::Verified(answer) => {
                note(self.shown.record(&answer));
                let both = answer.ok().zip(suite.signature());
                both.map(|(done, id)| (id, done.verdict.map(drop)))
            }
            _ => return false,
        };
        let verdict = checked.map(|(id, verified)| {
            let error = verified.err();
            let record = AuthRecord::Signed { scheme: id, error };
            ctx.note(Some(frame.ike), What::Auth(alloc::boxed::Box::new(record)));
            error.is_none()
        });
        let ok = verdict == Some(true);
        let peer = frame.path.remote.ip();
        ctx.note(Some(frame.ike), What::Authenticated { peer, ok });
        ok
    }
}

/// Checks a signature over a HASH of IKEv1.
fn verify(
    provider: &Provider,
    id: SignatureId,
    key: &[u8],
    hash: &Digest,
    signature: &[u8],
) -> Result<(), ProofError> {
    let scheme = provider.signature(id);
    let scheme = scheme.ok_or(ProofError::UnknownAlgorithm)?;
    let verified = scheme.verify(key, &[hash.as_ref()], signature);
    verified.map_err(|error| match error {
        crypto_suite::CryptoError::KeyInvalid => ProofError::KeyInvalid,
        _ => ProofError::Mismatch,
    })
}
