//! What is asked of the embedder.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crypto_suite::{Secret, SignatureId};

use super::job::{KeyExchangeJob, SignatureJob};
use crate::config::v2::AddressRequest;
use crate::model::{ChildId, ChildSuite, Identity, IkeId, IpsecProtocol, Selectors};

/// A question to the embedder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// Which pre-shared key goes with this peer? In main mode the identity is not known yet: the
    /// key is chosen by address (RFC 2409 §5.4).
    Psk {
        /// The configured peer that the address belongs to.
        peer: String,
        /// The peer's address.
        remote: IpAddr,
        /// Who it claims to be, where that is known before there is a key: in aggressive mode.
        identity: Option<Identity>,
        /// Which of the lookups this is.
        stage: PskStage,
    },
    /// Which SPI shall our inbound SA have?
    AllocateSpi {
        /// The child it is for.
        child: ChildId,
        /// The child's name in the configuration.
        name: String,
        /// ESP or AH.
        protocol: IpsecProtocol,
        /// The peer's SPI, where it is known.
        peer_spi: Option<u32>,
    },
    /// May the peer have this child?
    AuthorizeChild {
        /// The configured peer.
        peer: String,
        /// Who it has proved to be.
        identity: Identity,
        /// The child's name in the configuration.
        name: String,
        /// What our side would be.
        local: Selectors,
        /// What the peer's side would be.
        remote: Selectors,
        /// The algorithms that would be used.
        suite: ChildSuite,
    },
    /// Sign, with the private key of the credential of this peer.
    Sign {
        /// The configured peer.
        peer: String,
        /// Scheme and hash.
        scheme: SignatureId,
        /// What to sign; the hash of the scheme is not yet applied.
        octets: Vec<u8>,
    },
    /// Compute our half of a key exchange: [`KeyExchangeJob::run`] does it, on any thread. Asked
    /// for the groups of [`Offload`](crate::config::Offload) alone.
    KeyExchange(KeyExchangeJob),
    /// Do these certificates prove that the key of the first belongs to this identity? The
    /// signature is checked afterwards: by the endpoint, with the key that is answered, or before
    /// by [`SignatureJob::verify`], wherever the certificates are judged.
    VerifyCertificate {
        /// The configured peer.
        peer: String,
        /// What the peer sent, X.509 in DER, its own first; empty when it sent none: then the key
        /// may be known by the identity.
        chain: Vec<Vec<u8>>,
        /// The raw public key that the peer sent, a DER `SubjectPublicKeyInfo` (RFC 7670). Nothing
        /// vouches for it: it has to be the one that is known of this identity.
        raw_key: Option<Vec<u8>>,
        /// Whom the peer claims to be.
        identity: Identity,
        /// What the peer has signed with the key.
        signature: SignatureJob,
    },
    /// The password of EAP-MSCHAPv2, in UTF-8: ours as client, the user's as server.
    EapPassword {
        /// The configured peer.
        peer: String,
        /// User name as it was configured, or as the peer sent it: perhaps with a domain before a
        /// backslash.
        user: String,
        /// Whether it is our own.
        ours: bool,
    },
    /// What does the EAP server say to this message of the peer?
    Eap {
        /// The configured peer.
        peer: String,
        /// Whom the peer claims to be in its Identification payload.
        identity: Identity,
        /// The EAP response, whole; none to begin.
        message: Option<EapMessage>,
    },
    /// May this user, whom EAP has authenticated, be the configured peer, and what may it have? Asked
    /// where the peer's [`EapUsers`](crate::config::v2::EapUsers) are, before addresses and children.
    AuthorizeUser {
        /// The configured peer, chosen by what the peer claims to be.
        peer: String,
        /// Whom EAP has authenticated, in the spelling of the account.
        user: String,
        /// Whom the peer claims to be in its Identification payload: nothing proves it.
        claimed: Identity,
        /// Where it is.
        remote: IpAddr,
    },
    /// The post-quantum pre-shared key of this identifier, if there is one (RFC 8784).
    Ppk {
        /// The configured peer.
        peer: String,
        /// PPK_ID without its type octet.
        id: Vec<u8>,
    },
    /// Which addresses inside the tunnel shall this peer have? They are its own as long as the IKE
    /// SA, or one that has taken its place, stands.
    AssignAddress {
        /// The IKE SA that is coming up.
        ike: IkeId,
        /// The configured peer.
        peer: String,
        /// Who the peer has proved to be: after EAP an [`Identity::User`].
        identity: Identity,
        /// What the peer asks for.
        request: AddressRequest,
    },
}

/// Which answer a question takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QuestionKind {
    Psk,
    Spi,
    Authorize,
    Sign,
    KeyExchange,
    Certificate,
    EapPassword,
    Eap,
    Ppk,
    Addresses,
    User,
}

impl Question {
    /// Which answer it takes.
    pub(crate) const fn kind(&self) -> QuestionKind {
        match self {
            Self::Psk { .. } => QuestionKind::Psk,
            Self::AllocateSpi { .. } => QuestionKind::Spi,
            Self::AuthorizeChild { .. } => QuestionKind::Authorize,
            Self::Sign { .. } => QuestionKind::Sign,
            Self::KeyExchange(_) => QuestionKind::KeyExchange,
            Self::VerifyCertificate { .. } => QuestionKind::Certificate,
            Self::EapPassword { .. } => QuestionKind::EapPassword,
            Self::Eap { .. } => QuestionKind::Eap,
            Self::Ppk { .. } => QuestionKind::Ppk,
            Self::AssignAddress { .. } => QuestionKind::Addresses,
            Self::AuthorizeUser { .. } => QuestionKind::User,
        }
    }
}

/// An EAP message, whole. What stands in it may help to find a password out (RFC 2759 §4), so its
/// `Debug` tells no more than its kind and length.
#[derive(Clone, PartialEq, Eq)]
pub struct EapMessage(pub Vec<u8>);

impl fmt::Debug for EapMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // RFC 3748 §4: code, identifier, length, type.
        let octet = |at| self.0.get(at).copied().unwrap_or(0);
        let (code, kind, len) = (octet(0), octet(4), self.0.len());
        write!(f, "EapMessage(code {code}, type {kind}, {len} octets)")
    }
}

impl core::ops::Deref for EapMessage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for EapMessage {
    fn from(octets: Vec<u8>) -> Self {
        Self(octets)
    }
}

/// What an EAP server outside says to a message that was passed through to it.
#[derive(Debug)]
#[non_exhaustive]
pub enum EapAnswer {
    /// Send this EAP request.
    Request(EapMessage),
    /// The peer has proven itself: send this EAP-Success.
    Success {
        /// EAP-Success.
        message: EapMessage,
        /// Master session key. A method that gives none is refused (RFC 7296 §2.16).
        msk: Secret,
        /// Whom the method has authenticated, in the spelling of the account. The server vouches for
        /// it: the name in an EAP-Identity response is a claim like that of the Identification
        /// payload (RFC 3748 §5.1).
        user: String,
    },
    /// It has not: send this EAP-Failure.
    Failure(EapMessage),
}

/// When a pre-shared key is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PskStage {
    /// Before the peer's first message is answered: only whether there is a key matters.
    FirstMessage,
    /// When keys are derived.
    KeyExchange,
    /// When AUTH is made or checked (IKEv2).
    Authentication,
}
