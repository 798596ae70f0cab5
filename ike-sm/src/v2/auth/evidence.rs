//! What both roles do: make our AUTH, check the peer's.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crypto_suite::{Secret, SignatureId};
use isakmp_wire::v2::{AuthMethod, Authentication, CertEncoding, Certificate};

use super::Env;
use super::identity::Claimed;
use crate::auth::certificates::Shown;
use crate::auth::proof::{
    SignaturePolicy, algorithm_identifier, choose, shared_key_mic, verify_parts, verify_shared_key,
    verify_signature,
};
use crate::config::v2::{Credential, RemoteAuth};
use crate::event::job::{SignatureDone, SignatureJob};
use crate::event::{AuthRecord, PskFound, PskStage, Question, What};
use crate::model::{AuthFault, Identity};
use crate::v2::keys::Sender;

/// An AUTH payload that came in, kept while questions are open.
#[derive(Debug, Clone)]
pub(super) struct Auth {
    pub(super) method: AuthMethod,
    pub(super) data: Vec<u8>,
}

impl From<Authentication<'_>> for Auth {
    fn from(auth: Authentication<'_>) -> Self {
        Self {
            method: auth.method,
            data: auth.data.to_vec(),
        }
    }
}

/// What the peer's AUTH is checked with.
pub(super) enum Evidence<'a> {
    /// A pre-shared key, or the MSK of EAP.
    Secret(&'a Secret),
    /// DER `SubjectPublicKeyInfo`.
    PublicKey(&'a [u8]),
    /// A signature that the embedder has checked.
    Verified(&'a SignatureDone),
}

/// Checks the AUTH of the peer, who is `sender`.
pub(super) fn check(
    env: &mut Env<'_>,
    sender: Sender,
    claimed: &Claimed,
    auth: &Auth,
    evidence: &Evidence<'_>,
    ppk: Option<&Secret>,
) -> Result<(), AuthFault> {
    let octets = env.octets(sender, &claimed.body, ppk)?;
    let verdict = match evidence {
        Evidence::Secret(secret) => {
            let (method, data) = (auth.method, &auth.data[..]);
            verify_shared_key(env.keys.prf(), secret.expose(), &octets, method, data).map(|()| None)
        }
        Evidence::Verified(done) => done.verdict.map(Some),
        Evidence::PublicKey(key) => {
            let policy = SignaturePolicy {
                weak: env.config.weak,
                schemes: schemes(env),
                hashes: env.hashes,
            };
            let received = Authentication {
                method: auth.method,
                data: &auth.data,
            };
            verify_signature(env.provider, &policy, &received, key, &octets).map(Some)
        }
    };
    env.note(AuthRecord::Checked {
        method: auth.method,
        scheme: verdict.ok().flatten(),
        error: verdict.err(),
    });
    verdict?;
    Ok(())
}

fn schemes<'e>(env: &'e Env<'_>) -> &'e [SignatureId] {
    match &env.peer.auth.remote {
        RemoteAuth::Signature { schemes, .. } => schemes,
        _ => &[],
    }
}

/// The check of the peer's signature, for the time when its key is known.
pub(super) fn signature_job(
    env: &Env<'_>,
    sender: Sender,
    claimed: &Claimed,
    auth: &Auth,
    ppk: Option<&Secret>,
) -> Result<SignatureJob, AuthFault> {
    let octets = env.octets(sender, &claimed.body, ppk)?.to_vec();
    let (provider, weak, hashes) = (env.provider, env.config.weak, env.hashes);
    let (schemes, auth) = (schemes(env).to_vec(), auth.clone());
    Ok(SignatureJob::new(move |key| {
        let policy = SignaturePolicy {
            weak,
            schemes: &schemes,
            hashes,
        };
        let received = Authentication {
            method: auth.method,
            data: &auth.data,
        };
        verify_parts(provider, &policy, &received, key, &[&octets])
    }))
}

/// Our AUTH data from a shared secret.
pub(super) fn mic(
    env: &Env<'_>,
    sender: Sender,
    id_body: &[u8],
    secret: &Secret,
    ppk: Option<&Secret>,
) -> Result<Vec<u8>, AuthFault> {
    let octets = env.octets(sender, id_body, ppk)?;
    let mic = shared_key_mic(env.keys.prf(), secret.expose(), &octets);
    Ok(mic.as_ref().to_vec())
}

/// A signature of ours that is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signing {
    pub(super) method: AuthMethod,
    scheme: SignatureId,
}

impl Signing {
    /// The method and scheme that the peer can check.
    pub(super) fn choose(env: &mut Env<'_>, credential: &Credential) -> Result<Self, AuthFault> {
        let chosen = choose(&credential.schemes, env.hashes, env.config.weak);
        let (method, scheme) = chosen.ok_or(AuthFault::NoSignature)?;
        env.note(AuthRecord::Ours {
            method,
            scheme: Some(scheme),
        });
        Ok(Self { method, scheme })
    }

    pub(super) fn question(
        self,
        env: &Env<'_>,
        sender: Sender,
        id_body: &[u8],
        ppk: Option<&Secret>,
    ) -> Result<Question, AuthFault> {
        Ok(Question::Sign {
            peer: env.peer.name.clone(),
            scheme: self.scheme,
            octets: env.octets(sender, id_body, ppk)?.to_vec(),
        })
    }

    /// AUTH data with the signature that came back.
    pub(super) fn data(self, signature: &[u8]) -> Result<Vec<u8>, AuthFault> {
        if signature.is_empty() {
            return Err(AuthFault::NoSignature);
        }
        if self.method != AuthMethod::DIGITAL_SIGNATURE {
            return Ok(signature.to_vec());
        }
        let identifier = algorithm_identifier(self.scheme).ok_or(AuthFault::NoSignature)?;
        let length = u8::try_from(identifier.len()).map_err(|_| AuthFault::NoSignature)?;
        Ok([&[length][..], &identifier, signature].concat())
    }
}

/// The pre-shared key of this peer: found, or asked for.
pub(super) fn shared_key(
    env: &mut Env<'_>,
    identity: Option<Identity>,
) -> Result<Secret, Box<Question>> {
    let found = env.config.psks.find(env.remote, identity.as_ref());
    let what = match &found {
        Some(found) if found.is_wildcard() => PskFound::Wildcard,
        Some(_) => PskFound::Yes,
        None => PskFound::Asked,
    };
    env.notes.push(What::PskLookup {
        peer: env.remote,
        found: what,
    });
    found.map(|found| found.key.clone()).ok_or_else(|| {
        Box::new(Question::Psk {
            peer: env.peer.name.clone(),
            remote: env.remote,
            identity,
            stage: PskStage::Authentication,
        })
    })
}

/// What a peer shows of its key; other encodings are left out.
pub(super) fn shown(certificates: &[Certificate<'_>]) -> Result<Shown, AuthFault> {
    let mut shown = Shown::default();
    for certificate in certificates {
        let taken = match certificate.encoding {
            CertEncoding::X509_SIGNATURE => shown.x509(certificate.data),
            CertEncoding::RAW_PUBLIC_KEY => shown.raw_key(certificate.data),
            _ => Ok(()),
        };
        taken.map_err(|_| AuthFault::ChainTooLong)?;
    }
    Ok(shown)
}

/// Notes what came of it.
pub(super) fn vouched<K>(
    env: &mut Env<'_>,
    shown: &Shown,
    answer: Result<K, String>,
) -> Result<K, AuthFault> {
    env.note(shown.record(&answer));
    answer.map_err(|_| AuthFault::Certificate)
}
