//! The check of a peer's signature as a piece of work.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crypto_suite::SignatureId;

use crate::model::ProofError;

type Check = dyn Fn(&[u8]) -> Result<SignatureId, ProofError> + Send + Sync;

/// The check of a peer's signature; the key is missing. It may be done on any thread.
#[derive(Clone)]
pub struct SignatureJob(Arc<Check>);

impl SignatureJob {
    pub(crate) fn new(
        check: impl Fn(&[u8]) -> Result<SignatureId, ProofError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(check))
    }

    /// Checks the signature with the peer's key, a DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn verify(self, public_key: &[u8]) -> SignatureDone {
        SignatureDone {
            public_key: public_key.to_vec(),
            verdict: (self.0)(public_key),
        }
    }
}

impl PartialEq for SignatureJob {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SignatureJob {}

impl fmt::Debug for SignatureJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignatureJob")
    }
}

/// What [`SignatureJob::verify`] has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureDone {
    pub(crate) public_key: Vec<u8>,
    pub(crate) verdict: Result<SignatureId, ProofError>,
}
