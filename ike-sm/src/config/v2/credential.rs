//! Who proves what with which secret (RFC 7296 §2.15, §2.16; RFC 8784; RFC 2409 §5.1). No private key and no
//! password is in here: what needs one is a [`Question`](crate::Question).

use alloc::string::String;
use alloc::vec::Vec;

use crypto_suite::SignatureId;

/// Most certificates of one chain, ours and the peer's.
pub const MAX_CHAIN: usize = 8;

/// How both ends of an IKE SA prove who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthOptions {
    /// What we prove ourselves with.
    pub local: LocalAuth,
    /// What the peer has to prove itself with. Nothing else is accepted.
    pub remote: RemoteAuth,
    /// A post-quantum pre-shared key beside either.
    pub ppk: Option<Ppk>,
    /// Which users may be the peer, where it proves itself by EAP.
    pub users: EapUsers,
}

/// Which users of EAP may be a peer. RFC 7296 §2.16: it is the identity that EAP has authenticated
/// that policy goes by, and not the one in the Identification payload, which EAP does not prove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EapUsers {
    /// The user of the name that [`PeerConfig::remote_id`](crate::config::PeerConfig::remote_id) is,
    /// or every user where that names nobody.
    #[default]
    Named,
    /// [`Question::AuthorizeUser`](crate::Question::AuthorizeUser) decides, whatever the peer calls
    /// itself, and which children the user may have.
    Asked,
}

/// What we prove ourselves with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalAuth {
    /// A pre-shared key: of the configuration's table, or asked for.
    #[default]
    Psk,
    /// A signature; [`Question::Sign`](crate::Question::Sign) asks for it.
    Signature(Credential),
    /// EAP-MSCHAPv2 as initiator; [`Question::EapPassword`](crate::Question::EapPassword) asks for
    /// the password.
    Eap {
        /// User name, and identity of the identity round.
        user: String,
        /// Let the responder prove itself by EAP alone (RFC 5998). Whoever takes its place can
        /// then try passwords on what we answer.
        eap_only: bool,
    },
}

/// A key that signs, without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// X.509 certificates in DER, ours first, then what leads to the authority; at most
    /// [`MAX_CHAIN`]. Empty where the peer knows the key already.
    pub chain: Vec<Vec<u8>>,
    /// The public key, a DER `SubjectPublicKeyInfo`, to be sent as it is in place of a chain (RFC
    /// 7670): the peer knows it already, and from elsewhere.
    pub raw_key: Option<Vec<u8>>,
    /// Schemes that the key can sign with, the best first;
    /// [`schemes_of_key`](crate::v2::proof::schemes_of_key) lists them for a public key.
    pub schemes: Vec<SignatureId>,
    /// When the chain, or the raw key, is sent.
    pub send: SendCertificate,
}

/// When certificates are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendCertificate {
    /// Always.
    #[default]
    Always,
    /// When the peer has sent a certificate request for this encoding: in its IKE_SA_INIT response,
    /// or in its IKE_AUTH request (RFC 7296 §3.7). Which authorities it names does not matter, for
    /// that is a suggestion.
    IfAsked,
    /// Never: the peer knows the key.
    Never,
}

/// What the peer has to prove itself with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteAuth {
    /// A pre-shared key.
    #[default]
    Psk,
    /// A signature whose key [`Question::VerifyCertificate`](crate::Question::VerifyCertificate)
    /// vouches for.
    Signature {
        /// Schemes that are accepted; empty for all.
        schemes: Vec<SignatureId>,
        /// SHA-1 hashes of the public keys of our authorities, for the certificate request (RFC
        /// 7296 §3.7); empty asks for a certificate of any.
        authorities: Vec<[u8; 20]>,
        /// Their names, distinguished names in DER, for the certificate requests of IKEv1 (RFC 2408
        /// §3.10); empty asks for a certificate of any.
        authority_names: Vec<Vec<u8>>,
        /// Ask for a raw public key (RFC 7670) and not for a certificate. Whether it is the peer's
        /// is answered from what is known of the peer, for nothing vouches for a raw key.
        raw_key: bool,
    },
    /// EAP, the peer being the initiator.
    Eap {
        /// Who runs the method.
        method: EapMethod,
        /// Skip our own AUTH before EAP when the peer allows it (RFC 5998).
        eap_only: bool,
    },
}

/// Who runs an EAP method as server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EapMethod {
    /// We do, EAP-MSCHAPv2: [`Question::EapPassword`](crate::Question::EapPassword) asks for the
    /// passwords.
    MsChapV2 {
        /// Ask for the identity first, as most clients expect.
        ask_identity: bool,
        /// Further passwords that a client may try.
        retries: u8,
    },
    /// The embedder or a server behind it, whatever the method:
    /// [`Question::Eap`](crate::Question::Eap) passes the messages through.
    External,
}

/// A post-quantum pre-shared key (RFC 8784);
/// [`Question::Ppk`](crate::Question::Ppk) asks for it by its identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ppk {
    /// PPK_ID that we send as initiator, without its type octet. It is sent as PPK_ID_FIXED.
    pub id: Vec<u8>,
    /// End the negotiation when the peer has none (mandatory_or_not).
    pub required: bool,
}
