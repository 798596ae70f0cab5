//! Why a certificate proves nothing.

use rustls_pki_types::UnixTime;
use std::time::Duration;
use webpki::Error;
use x509_cert::der::DateTime;

/// Why the certificates of a peer are refused. For our own log: the peer learns no reason (RFC 7296 §2.21.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The peer has sent none.
    #[error("no certificate came")]
    Nothing,
    /// It is none.
    #[error("it is no certificate: {0}")]
    Malformed(String),
    /// Its time is over.
    #[error("{subject} ended at {}", date(*.not_after))]
    Ended {
        /// Whose, where that is known.
        subject: String,
        /// When, seconds since 1970.
        not_after: u64,
    },
    /// Its time has not begun.
    #[error("{subject} begins at {}", date(*.not_before))]
    NotBegun {
        /// Whose, where that is known.
        subject: String,
        /// When, seconds since 1970.
        not_before: u64,
    },
    /// A CRL lists it, or an authority above it.
    #[error("it is revoked, or an authority above it is")]
    Revoked,
    /// No CRL speaks of it, and one must.
    #[error("no CRL says whether it is revoked, and unknown-status is \"refuse\"")]
    UnknownStatus,
    /// The CRL of its issuer is too old to say anything.
    #[error("the CRL of its issuer ended at {}, and unknown-status is \"refuse\"", date(*.0))]
    CrlEnded(u64),
    /// A CRL that its issuer has not signed.
    #[error("the CRL of its issuer has another signature")]
    CrlForged,
    /// It leads to none of our authorities.
    #[error("no authority that we trust has issued it")]
    UnknownIssuer,
    /// A signature in the path is not its issuer's.
    #[error("a signature of an authority is wrong")]
    Signature,
    /// An authority may not vouch for a name in it (RFC 5280 §4.2.1.10). Constraints on forms of names that are not
    /// compared here refuse each name of that form.
    #[error("a name constraint of an authority forbids one of its names")]
    NameConstraint,
    /// Its keyUsage forbids what it is used for (RFC 4945 §5.1.3.2, RFC 5280 §6.1.4 (n)).
    #[error("{subject} has a keyUsage without {missing}")]
    KeyUsage {
        /// Whose.
        subject: String,
        /// The bit that is missing.
        missing: &'static str,
    },
    /// Its key is for something else (RFC 4945 §5.1.3.12).
    #[error(
        "{subject} is for {purposes}, and neither for ipsecIKE nor for any use; `key-purposes` can accept others"
    )]
    Purpose {
        /// Whose.
        subject: String,
        /// What its extended key usage lists.
        purposes: String,
    },
    /// It has issued a certificate without being an authority (RFC 5280 §6.1.4 (k)).
    #[error("{0} is no authority (basicConstraints)")]
    NoAuthority(String),
    /// There are more authorities below it than it allows (RFC 5280 §6.1.4 (l)).
    #[error("{subject} allows for {allowed} authorities below it, and there are more")]
    PathLength {
        /// Whose.
        subject: String,
        /// Its pathLenConstraint.
        allowed: u8,
    },
    /// The certificate of an authority proves no peer.
    #[error("it is the certificate of an authority")]
    Authority,
    /// It has a critical extension that nobody here understands (RFC 4945 §5.1.3).
    #[error("{subject} has a critical extension that is not understood: {oid}")]
    CriticalExtension {
        /// Whose.
        subject: String,
        /// Which.
        oid: String,
    },
    /// Its RSA key is too short to be safe, or makes more work than one verification may.
    #[error("{subject} has an RSA key of {modulus} bits with an exponent of {exponent}")]
    KeySize {
        /// Whose.
        subject: String,
        /// Bits of the modulus.
        modulus: usize,
        /// Bits of the public exponent.
        exponent: usize,
    },
    /// The peer has sent more than a path can have.
    #[error(
        "{0} certificates came besides the peer's own and our authorities'; three are looked at"
    )]
    TooMany(usize),
    /// The peer has sent one twice.
    #[error("a certificate came twice")]
    Twice,
    /// The certificates would take more checks of signatures than a path can have.
    #[error("their signatures would take too many checks")]
    TooMuchWork,
    /// Something else about the path.
    #[error("{0:?}")]
    Path(Error),
    /// It belongs to somebody else (RFC 7296 §3.5, RFC 4945 §3.1).
    #[error("{identity} is none of its names: {names}")]
    OtherName {
        /// Whom the peer claims to be.
        identity: String,
        /// Whom the certificate names.
        names: String,
    },
    /// The raw key is not the one that is configured.
    #[error("the raw public key is another one than configured for this peer")]
    OtherKey,
}

fn date(seconds: u64) -> String {
    DateTime::from_unix_duration(Duration::from_secs(seconds))
        .map_or_else(|_| format!("{seconds} s"), |date| date.to_string())
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let it = || "it, or an authority above it,".to_owned();
        let seconds = |time: UnixTime| time.as_secs();
        match error {
            Error::CertExpired { not_after, .. } => Self::Ended {
                subject: it(),
                not_after: seconds(not_after),
            },
            Error::CertNotValidYet { not_before, .. } => Self::NotBegun {
                subject: it(),
                not_before: seconds(not_before),
            },
            Error::CertRevoked => Self::Revoked,
            Error::UnknownRevocationStatus => Self::UnknownStatus,
            Error::CrlExpired { next_update, .. } => Self::CrlEnded(seconds(next_update)),
            Error::InvalidCrlSignatureForPublicKey => Self::CrlForged,
            Error::UnknownIssuer => Self::UnknownIssuer,
            Error::InvalidSignatureForPublicKey => Self::Signature,
            Error::NameConstraintViolation => Self::NameConstraint,
            Error::CaUsedAsEndEntity => Self::Authority,
            Error::BadDer | Error::BadDerTime | Error::UnsupportedCertVersion => {
                Self::Malformed(format!("{error:?}"))
            }
            other => Self::Path(other),
        }
    }
}
