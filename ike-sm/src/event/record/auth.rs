//! What an authentication reports, one record per decision.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crypto_suite::SignatureId;
use isakmp_wire::v2::AuthMethod;

use crate::model::{AuthFault, Identity, ProofError};

/// One decision of an authentication. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthRecord {
    /// The peer's identity was held against the configuration.
    Identity {
        /// What it claims.
        identity: Identity,
        /// Whether it may.
        accepted: bool,
    },
    /// What we prove ourselves with.
    Ours {
        /// Authentication method.
        method: AuthMethod,
        /// Signature scheme, for a signature.
        scheme: Option<SignatureId>,
    },
    /// The peer's certificates were verified by the embedder.
    Certificate {
        /// How many came.
        count: usize,
        /// Why they were refused, in the embedder's words.
        refused: Option<String>,
    },
    /// The peer's AUTH was checked.
    Checked {
        /// Its method.
        method: AuthMethod,
        /// Signature scheme, for a signature that verified.
        scheme: Option<SignatureId>,
        /// Why it is not accepted.
        error: Option<ProofError>,
    },
    /// The peer's signature in a phase 1 of IKEv1 was checked.
    Signed {
        /// Its scheme.
        scheme: SignatureId,
        /// Why it is not accepted.
        error: Option<ProofError>,
    },
    /// EAP has authenticated this user.
    Eap {
        /// The user, in the spelling of the account.
        user: String,
        /// Whom the peer claims to be in its Identification payload.
        claimed: Identity,
    },
    /// As the peer of an EAP server: the method is over, and the server has said so.
    EapSucceeded,
    /// The user that EAP has authenticated was held against the configuration.
    User {
        /// The user.
        user: String,
        /// Whether it may be this peer.
        accepted: bool,
    },
    /// A user of EAP has not shown the password that is known here.
    WrongPassword {
        /// The user, as the peer calls itself: not proven.
        user: String,
    },
    /// A user of EAP tries a password after others that were wrong: it waits.
    PasswordWaits {
        /// The user, as the peer calls itself: not proven.
        user: String,
        /// How long.
        wait: Duration,
    },
    /// A post-quantum pre-shared key is mixed in, or was left out as both sides allow.
    Ppk {
        /// Whether it is used.
        used: bool,
    },
    /// The authentication has failed.
    Failed(AuthFault),
}

impl AuthRecord {
    /// Whether it tells of something that went wrong.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        match self {
            Self::Identity { accepted, .. } | Self::User { accepted, .. } => !*accepted,
            Self::Certificate { refused, .. } => refused.is_some(),
            Self::Checked { error, .. } | Self::Signed { error, .. } => error.is_some(),
            Self::Failed(_) | Self::WrongPassword { .. } => true,
            Self::Ours { .. }
            | Self::Eap { .. }
            | Self::EapSucceeded
            | Self::PasswordWaits { .. }
            | Self::Ppk { .. } => false,
        }
    }
}

impl fmt::Display for AuthRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity { identity, accepted } => {
                let verdict = if *accepted {
                    "accepted"
                } else {
                    "not the configured one"
                };
                let kind = identity.type_name();
                write!(f, "peer's identity {kind} {identity}: {verdict}")
            }
            Self::Ours { method, scheme } => {
                write!(f, "we authenticate by {method}")?;
                scheme.iter().try_for_each(|scheme| write!(f, ", {scheme}"))
            }
            Self::Certificate {
                count,
                refused: None,
            } => write!(f, "{count} certificates of the peer accepted"),
            Self::Certificate {
                count,
                refused: Some(why),
            } => write!(f, "{count} certificates of the peer refused: {why}"),
            Self::Checked {
                method,
                scheme,
                error: None,
            } => {
                write!(f, "peer authenticated by {method}")?;
                scheme.iter().try_for_each(|scheme| write!(f, ", {scheme}"))
            }
            Self::Checked {
                method,
                error: Some(error),
                ..
            } => write!(f, "AUTH of the peer by {method} refused: {error}"),
            Self::Signed {
                scheme,
                error: None,
            } => write!(f, "peer authenticated by a signature, {scheme}"),
            Self::Signed {
                scheme,
                error: Some(error),
            } => write!(f, "signature {scheme} of the peer refused: {error}"),
            Self::Eap { user, claimed } => {
                write!(
                    f,
                    "EAP has authenticated {user}, who claims to be {claimed}"
                )
            }
            Self::EapSucceeded => f.write_str("EAP has succeeded"),
            Self::User {
                user,
                accepted: true,
            } => write!(f, "user {user}: accepted"),
            Self::User {
                user,
                accepted: false,
            } => write!(f, "user {user}: may not be this peer"),
            Self::WrongPassword { user } => write!(f, "EAP: wrong password of {user}"),
            Self::PasswordWaits { user, wait } => {
                let seconds = wait.as_secs_f32();
                write!(
                    f,
                    "EAP: a password of {user} waits {seconds:.1} s, others were wrong"
                )
            }
            Self::Ppk { used: true } => f.write_str("post-quantum pre-shared key in use"),
            Self::Ppk { used: false } => f.write_str("no post-quantum pre-shared key in use"),
            Self::Failed(fault) => write!(f, "authentication failed: {fault}"),
        }
    }
}
