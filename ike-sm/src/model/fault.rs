//! What can be wrong with what a peer sends, or with its proofs.

use crypto_suite::{CryptoError, WeakAlgorithm};
use isakmp_wire::ParseError;
use isakmp_wire::registry::v2::{AuthMethod, HashAlgorithm};

/// Why a proof is not accepted, or none can be made. For our own records only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Another method than is accepted here. NULL (13) and DSS (3) never are.
    #[error("authentication method {0} is not accepted here")]
    Method(AuthMethod),
    /// Digital Signature before both sides announced their hash algorithms, or an older method
    /// after (RFC 7427 §3).
    #[error("authentication method {0} does not fit the SIGNATURE_HASH_ALGORITHMS of both sides")]
    Negotiation(AuthMethod),
    /// The AlgorithmIdentifier names no scheme that is implemented.
    #[error("the AlgorithmIdentifier names no scheme known here")]
    UnknownAlgorithm,
    /// The AlgorithmIdentifier names a scheme that is known by name only.
    #[error("the signature is by {0}, which is not supported here")]
    Unsupported(&'static str),
    /// The hash of the signature was not announced by the side that verifies (RFC 7427 §4).
    #[error("the signature is over {0}, which was not announced")]
    HashNotAnnounced(HashAlgorithm),
    /// A scheme that the policy does not list.
    #[error("the policy does not allow this signature scheme")]
    SchemeRefused,
    /// The signature is by a weak scheme that the policy does not name.
    #[error("{0} is weak and the policy does not name it")]
    Weak(WeakAlgorithm),
    /// The public key does not decode or does not belong to the scheme.
    #[error("the public key does not belong to the signature scheme")]
    KeyInvalid,
    /// The value is wrong: another key, another transcript or a forgery.
    #[error("the AUTH value is wrong")]
    Mismatch,
}

/// EAP Type of a request or response (RFC 3748 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EapType(pub u8);

impl EapType {
    /// Identity.
    pub const IDENTITY: Self = Self(1);
    /// Notification.
    pub const NOTIFICATION: Self = Self(2);
    /// Legacy Nak, in responses only.
    pub const NAK: Self = Self(3);
    /// EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2).
    pub const MSCHAPV2: Self = Self(26);
}

impl core::fmt::Display for EapType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name = match self.0 {
            4 => "MD5-Challenge",
            5 => "OTP",
            6 => "GTC",
            13 => "EAP-TLS",
            18 => "EAP-SIM",
            21 => "EAP-TTLS",
            23 => "EAP-AKA",
            25 => "PEAP",
            26 => "EAP-MSCHAPv2",
            43 => "EAP-FAST",
            50 => "EAP-AKA'",
            52 => "EAP-pwd",
            other => return write!(f, "EAP type {other}"),
        };
        f.write_str(name)
    }
}

/// Why an EAP authentication ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EapError {
    /// EAP-Success before the method has finished: whoever sends it wants to be let off
    /// (CVE-2021-45079).
    #[error("EAP-Success before the method has finished")]
    PrematureSuccess,
    /// The other side ended it with EAP-Failure.
    #[error("the other side sent EAP-Failure")]
    Failure,
    /// A message that does not belong here: wrong code, identifier, type or step.
    #[error("an EAP message that was not expected")]
    Unexpected,
    /// Contents that make no sense.
    #[error("an EAP message with contents that make no sense")]
    Malformed,
    /// The client refused the method with a Nak, and names the one that it wants; 0 is none.
    #[error("the client does not take EAP-MSCHAPv2, it wants {0}")]
    Nak(EapType),
    /// The server wants this method, which is not known here, and none that we have.
    #[error("the server wants {0}, which is not known here; we have EAP-MSCHAPv2")]
    NoMethod(EapType),
    /// The client did not know the password.
    #[error("wrong user name or password")]
    WrongPassword,
    /// The server did not know the password: its authenticator response is wrong (RFC 2759 §5).
    #[error("the server does not know the password")]
    WrongServer,
    /// The server refused the client, with this error code of RFC 2759 §6.
    #[error("the server refused the authentication with error {0}")]
    Refused(u32),
    /// [`MAX_ROUNDS`](crate::v2::eap::MAX_ROUNDS) are over.
    #[error("too many rounds of EAP")]
    TooManyRounds,
    /// The provider has no MS-CHAPv2 or no SHA-1.
    #[error("the provider lacks what the method needs")]
    Crypto,
}

/// Why a protected message does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no SK or SKF payload.
    #[error("the message is not protected")]
    NotProtected,
    /// The integrity check failed, or the lengths are none that this key makes.
    #[error("{0}")]
    Crypto(#[from] CryptoError),
    /// Authentic, but its padding makes no sense.
    #[error("{0}")]
    Padding(ParseError),
}

/// Why a fragment is not kept. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// It is no fragment.
    #[error("the message is not a fragment")]
    NotAFragment,
    /// It is there already.
    #[error("the fragment is there already")]
    Duplicate,
    /// It belongs to a larger division than the one that is in progress.
    #[error("{total} fragments, where the message in progress has {current}")]
    SmallerTotal {
        /// Total of the fragment.
        total: u16,
        /// Total of the message in progress.
        current: u16,
    },
    /// Fragments of another message are in progress, and this one is older.
    #[error("an older message")]
    Stale,
    /// A bound would be passed.
    #[error("more {0} than are taken")]
    Limit(&'static str),
    /// It does not open.
    #[error("{0}")]
    Open(#[from] OpenError),
}

/// Why an authentication failed. For our own records only: RFC 7296 §2.21.2 has one notification
/// for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthFault {
    /// The AUTH value or its method.
    #[error("{0}")]
    Proof(#[from] ProofError),
    /// EAP.
    #[error("{0}")]
    Eap(#[from] EapError),
    /// The identity cannot be read, or is not the one configured for this peer.
    #[error("the identity is not the one this peer must have")]
    Identity,
    /// The user that EAP has authenticated may not be this peer.
    #[error("the user that EAP has authenticated may not be this peer")]
    User,
    /// More wrong passwords than are looked at.
    #[error("too many passwords were tried for this user or from this source")]
    TooManyGuesses,
    /// No pre-shared key.
    #[error("no pre-shared key for this peer")]
    NoPsk,
    /// The certificates were refused.
    #[error("the certificates were refused")]
    Certificate,
    /// More certificates than are looked at.
    #[error("the certificate chain is too long")]
    ChainTooLong,
    /// Nothing that we can sign with can be checked by the peer, or the signer refused.
    #[error("no signature for the peer can be made")]
    NoSignature,
    /// A payload is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A payload that must not be there.
    #[error("{0} does not belong here")]
    Unexpected(&'static str),
    /// The PPK that one side demands is not there (RFC 8784 §3).
    #[error("no post-quantum pre-shared key, and it is required")]
    NoPpk,
    /// The answer does not fit the question.
    #[error("the answer does not fit the question")]
    WrongAnswer,
    /// The configuration leaves no way.
    #[error("the configuration has no authentication for this role")]
    Config,
    /// The provider lacks something.
    #[error("crypto failure")]
    Crypto,
}
