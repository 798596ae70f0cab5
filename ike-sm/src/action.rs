//! What comes out: datagrams to send, SAs to install, questions to answer, reports.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::{IntegrityId, ProtectionId, Secret, SignatureId};

use crate::config::Identity;
use crate::config::v2::{AddressRequest, Assignment};
use crate::explain::Record;
use crate::id::{ChildId, IkeId, Ticket};
use crate::job::{KeyExchangeJob, SignatureJob};
use crate::path::Path;
use crate::selector::{Selector, Selectors};

/// One thing for the embedder to do. Actions of one call are in the order in which they must be
/// done: an inbound SA is installed before the message goes out that lets the peer use it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send a UDP datagram.
    Send {
        /// From where to where.
        path: Path,
        /// The whole UDP payload, non-ESP marker included where the path has one.
        datagram: Bytes,
    },
    /// Install a pair of IPsec SAs: take packets in at once; send packets out only after
    /// [`ChildUpdate::Activate`].
    InstallChild(Box<ChildSa>),
    /// Change a pair of IPsec SAs that is installed.
    UpdateChild(ChildId, ChildUpdate),
    /// Remove both directions of a pair of IPsec SAs and forget its keys.
    RemoveChild {
        /// Which pair.
        child: ChildId,
        /// Its inbound SPI, now free.
        spi_in: u32,
        /// Why.
        reason: CloseReason,
    },
    /// Ask something; the answer comes back as [`Event::Answer`](crate::Event::Answer). The
    /// exchange waits, absorbs repeated messages meanwhile, and gives up at a deadline.
    Ask(Ticket, Question),
    /// Route what the far selector covers to the peer (reverse route injection).
    AddRoute(Route),
    /// Withdraw a route that was added.
    DelRoute(Route),
    /// An IKE SA is up.
    IkeEstablished {
        /// Which.
        ike: IkeId,
        /// The peer's name in the configuration.
        peer: String,
        /// Where it runs.
        path: Path,
        /// The IKE SA whose place it takes, if it does.
        replaces: Option<IkeId>,
    },
    /// The peer has assigned addresses inside the tunnel to us, before the child comes up that uses
    /// them.
    Assigned {
        /// The IKE SA that they belong to.
        ike: IkeId,
        /// The peer's name in the configuration.
        peer: String,
        /// What we got.
        assignment: Assignment,
    },
    /// An IKE SA, or the attempt at one, has ended.
    IkeClosed {
        /// Which.
        ike: IkeId,
        /// The peer's name in the configuration.
        peer: String,
        /// Why.
        reason: CloseReason,
    },
    /// The negotiation of a child ended before anything was installed.
    ChildFailed {
        /// Which attempt.
        child: ChildId,
        /// The child's name in the configuration.
        name: String,
        /// Why.
        reason: CloseReason,
    },
    /// The peer answers no more. Its SAs are being removed by further actions.
    PeerDead {
        /// The peer's name in the configuration.
        peer: String,
        /// The address that is tried next, if one is.
        next: Option<SocketAddr>,
    },
    /// What came to nothing is tried again at this time, unless something else brings it up before.
    NextAttempt {
        /// The peer's name in the configuration.
        peer: String,
        /// The name of the child that is asked for again; none where an IKE SA is.
        child: Option<String>,
        /// When, on the caller's clock.
        at: Duration,
    },
    /// Send a NAT keepalive: a UDP datagram with the single byte 0xFF (RFC 3948 §2.3).
    NatKeepalive(Path),
    /// What was compared, decided, dropped, or changed state.
    Report(Record),
    /// Keys, for a reader of captures; only when the configuration asks for them.
    KeyLog(KeyLog),
}

/// The actions of one or more calls, in order.
#[derive(Debug, Default)]
pub struct Actions(VecDeque<Action>);

impl Actions {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Takes the next action.
    pub fn pop(&mut self) -> Option<Action> {
        self.0.pop_front()
    }

    /// Takes all actions in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Action> + '_ {
        self.0.drain(..)
    }

    /// Looks at the actions without taking them.
    pub fn iter(&self) -> impl Iterator<Item = &Action> + '_ {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, action: Action) {
        self.0.push_back(action);
    }
}

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

/// ESP or AH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpsecProtocol {
    /// Encapsulating Security Payload, RFC 4303.
    Esp,
    /// Authentication Header, RFC 4302.
    Ah,
}

/// The algorithms of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChildSuite {
    /// ESP with this protection.
    Esp(ProtectionId),
    /// AH with this integrity algorithm.
    Ah(IntegrityId),
}

impl ChildSuite {
    /// Which protocol carries it.
    #[must_use]
    pub const fn protocol(self) -> IpsecProtocol {
        match self {
            Self::Esp(_) => IpsecProtocol::Esp,
            Self::Ah(_) => IpsecProtocol::Ah,
        }
    }

    /// Bytes of keying material per direction.
    #[must_use]
    pub const fn key_material_len(self) -> usize {
        match self {
            Self::Esp(id) => id.enc_key_len().saturating_add(id.integ_key_len()),
            Self::Ah(id) => id.key_len(),
        }
    }
}

impl fmt::Display for ChildSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Esp(id) => write!(f, "ESP {id}"),
            Self::Ah(id) => write!(f, "AH {id}"),
        }
    }
}

/// How packets are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Mode {
    /// A whole IP packet inside (RFC 4301 §3.2).
    #[default]
    Tunnel,
    /// The payload of the packet's own IP header.
    Transport,
}

/// A pair of IPsec SAs, ready to install.
#[derive(Debug)]
pub struct ChildSa {
    /// Its handle.
    pub id: ChildId,
    /// The IKE SA that negotiated it.
    pub ike: IkeId,
    /// The peer's name in the configuration.
    pub peer: String,
    /// The child's name in the configuration.
    pub name: String,
    /// Algorithms; also says whether it is ESP or AH.
    pub suite: ChildSuite,
    /// The SPI on packets to us.
    pub spi_in: u32,
    /// The SPI on packets to the peer.
    pub spi_out: u32,
    /// Keying material for packets to us: encryption key, then integrity key.
    pub keys_in: Secret,
    /// Keying material for packets to the peer.
    pub keys_out: Secret,
    /// Tunnel or transport.
    pub mode: Mode,
    /// ESP in UDP (RFC 3948) between the ends of `path`, instead of IP protocol 50.
    pub udp_encapsulation: bool,
    /// The outer addresses; the ports matter under UDP encapsulation only.
    pub path: Path,
    /// What our side protects.
    pub local: Selectors,
    /// What the peer's side protects.
    pub remote: Selectors,
    /// Extended sequence numbers (RFC 4304).
    pub esn: bool,
    /// Original addresses for transport mode behind NAT (RFC 3947 §5.2).
    pub original_addresses: Option<OriginalAddresses>,
    /// When it ends. The endpoint keeps the time limits itself and learns volume from
    /// [`Event::Traffic`](crate::Event::Traffic); an ESP engine may enforce both as well.
    pub lifetime: ChildLifetime,
    /// The pair whose place this one takes.
    pub replaces: Option<ChildId>,
    /// Whether we started the negotiation.
    pub initiator: bool,
}

/// What the two ends looked like before the NAT, for checksum repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginalAddresses {
    /// The initiator's address as the peer that sent it knew it.
    pub initiator: IpAddr,
    /// The responder's address as the peer that sent it knew it.
    pub responder: IpAddr,
}

/// Limits of a pair of IPsec SAs, counted from its installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChildLifetime {
    /// Start a rekey after this time.
    pub soft: Option<Duration>,
    /// End after this time. Sending ends then ([`ChildUpdate::StopSending`] says so); a data path that
    /// looks at the clock itself leaves the inbound SA to [`Action::RemoveChild`], which comes within
    /// seconds, when the peer has heard of the end.
    pub hard: Option<Duration>,
    /// Start a rekey after this volume in either direction, bytes.
    pub soft_bytes: Option<u64>,
    /// End after this volume in either direction, bytes.
    pub hard_bytes: Option<u64>,
}

/// A change to a pair of IPsec SAs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildUpdate {
    /// Send packets through it from now on, and through the pair it replaces no more.
    Activate {
        /// The pair to stop sending through, which still takes packets in.
        replaces: Option<ChildId>,
    },
    /// Send packets through it no more: its time is over. It still takes packets in, until the peer
    /// has heard of the end.
    StopSending,
    /// The peer's outer address or port, or ours, has changed.
    Path(Path),
    /// The peer has told a shorter lifetime.
    Lifetime(ChildLifetime),
    /// The outbound SA skips so many sequence numbers: another member of a cluster may have used
    /// them (RFC 6311 §5.2). A jump past the last one ends the SA's sending.
    SkipSequence(u64),
}

/// A route for the far side of a child (reverse route injection).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// What the far selector covers.
    pub destination: Selector,
    /// The peer that packets go to.
    pub via: IpAddr,
}

/// Why an SA or an attempt at one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// A command of our side.
    Requested,
    /// The peer deleted it.
    DeletedByPeer,
    /// Its lifetime is over.
    Expired,
    /// A newer one has taken its place.
    Replaced,
    /// No traffic for the configured idle time.
    Idle,
    /// The peer does not answer.
    PeerDead,
    /// The peer says that it has started anew (INITIAL-CONTACT).
    PeerRestarted,
    /// Repetitions of a message went unanswered.
    Timeout,
    /// Repetitions of a message went unanswered, but for an error that nothing authenticates: a hint at
    /// the reason, from the peer or from anybody else.
    RefusedUnproven(u16),
    /// There is no pre-shared key for the peer.
    NoPsk,
    /// The peer answered with other selectors than were asked for. IKEv1 cannot narrow (RFC 2409 §5.5).
    SelectorsChanged,
    /// A question of ours went unanswered, or the answer was no.
    Refused,
    /// The peer refused the negotiation, with a notification under the IKE SA's protection.
    RefusedByPeer(u16),
    /// The IKE SA it depended on has ended.
    ParentClosed,
    /// Evicted to keep within a bound.
    Evicted,
    /// The peer has gone, or was sent, to another gateway (RFC 5685).
    Redirected,
    /// The peer did not prove who it is, or is not who it must be.
    AuthenticationFailed,
    /// The random source failed, or the provider lacks something it listed.
    Crypto,
}

/// A secret for a reader of captures.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyLog {
    /// What Wireshark's `ikev1_decryption_table` wants.
    Ikev1 {
        /// CKY-I.
        initiator_cookie: [u8; 8],
        /// The encryption key derived from SKEYID_e.
        encryption_key: Secret,
    },
    /// What Wireshark's `ikev2_decryption_table` wants.
    Ikev2 {
        /// The SPIs, the initiator's first.
        spis: ([u8; 8], [u8; 8]),
        /// Algorithms.
        protection: ProtectionId,
        /// SK_ei; an AEAD's ends with the salt.
        sk_ei: Secret,
        /// SK_er.
        sk_er: Secret,
        /// SK_ai; empty under an AEAD.
        sk_ai: Secret,
        /// SK_ar.
        sk_ar: Secret,
    },
    /// What Wireshark's `esp_sa` wants, one direction.
    Esp {
        /// Outer source.
        source: IpAddr,
        /// Outer destination.
        destination: IpAddr,
        /// The SPI on the wire.
        spi: u32,
        /// Algorithms.
        suite: ProtectionId,
        /// Encryption key, then integrity key.
        keys: Secret,
    },
}
