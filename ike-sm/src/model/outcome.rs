//! What became of an event.

use alloc::boxed::Box;
use core::fmt;

use isakmp_wire::ParseError;
use isakmp_wire::registry::{ExchangeType, v1, v2};

use crate::model::{Identity, IkeVersion};

/// What [`Endpoint::handle`](crate::Endpoint::handle) did with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Outcome {
    /// It was taken in.
    Handled,
    /// A repeated message was recognised before parsing. What answered it the first time answers it
    /// again; nothing changed.
    Repeated,
    /// It was refused and every SA is as it was.
    Dropped(DropReason),
}

impl Outcome {
    /// The reason, if the event was dropped.
    #[must_use]
    pub const fn dropped(&self) -> Option<&DropReason> {
        match self {
            Self::Dropped(reason) => Some(reason),
            _ => None,
        }
    }
}

/// Why an event changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    // Bytes that are no message.
    /// The bytes are no ISAKMP message, or one beyond the configured limits.
    #[error("malformed: {0}")]
    Malformed(ParseError),
    /// Neither version 1.x nor 2.x, or a version that is switched off.
    #[error("version {major}.{minor} is not spoken here")]
    Version {
        /// Major version.
        major: u8,
        /// Minor version.
        minor: u8,
    },

    /// The peer, or the IKE SA that the message names, has the other version.
    #[error("{0} is configured or in use with this peer, the message is of another version")]
    PeerVersion(IkeVersion),

    // Messages that belong nowhere.
    /// No IKE SA has these cookies.
    #[error("no IKE SA has these cookies")]
    UnknownCookies,
    /// A first message whose initiator cookie is zero, or with a responder cookie and no SA.
    #[error("a cookie that must not be zero is, or the reverse")]
    BadCookie,
    /// No configured peer accepts a negotiation from this address.
    #[error("no peer is configured for this address")]
    UnknownPeer,
    /// Peers are configured for this address, and none of them may be whom the message says it is
    /// from.
    #[error("no peer that is configured for this address may be {0}")]
    UnknownIdentity(Box<Identity>),
    /// Our own message came back to us.
    #[error("our own message came back")]
    Reflected,
    /// The exchange type is not known, not enabled, or not possible here.
    #[error("exchange type {0} is not accepted here")]
    UnexpectedExchange(ExchangeType),
    /// The exchange exists but does not wait for this message.
    #[error("the exchange does not wait for this message now")]
    UnexpectedMessage,
    /// An old message: its exchange has moved on or ended.
    #[error("a message of an exchange that has ended")]
    Stale,
    /// A message id that was used before came back with other bytes, or after its exchange ended.
    #[error("message id {0:#010x} was used before")]
    ReplayedMessageId(u32),
    /// The message id is further ahead than the window allows (RFC 7296 §2.3).
    #[error("message id {0} is beyond the window")]
    OutsideWindow(u32),
    /// The message that should be encrypted is in the clear.
    #[error("a message that must be encrypted is in the clear")]
    NotEncrypted,
    /// An answer that should be encrypted is in the clear and reports an error. Anybody can have sent
    /// it, so it is a hint: after INVALID_IKE_SPI, that the peer has lost its SAs (RFC 7296 §2.21.4).
    #[error("an answer that nothing authenticates says {0}")]
    UnprotectedError(v2::NotifyType),
    /// The message is encrypted and there is no key yet.
    #[error(
        "an encrypted message came before there is a key; a peer that cannot read ours sends such: the pre-shared keys may differ"
    )]
    NoKeyYet,
    /// The commit bit during phase 1 (RFC 2408 §3.1 has it after phase 1 only).
    #[error("the commit bit is set during phase 1")]
    CommitBit,
    /// It arrived on a path that this SA has left (RFC 3947 §4).
    #[error("the message arrived on a path that the SA has left")]
    OldPath,

    // Messages that say the wrong thing.
    /// A required payload is missing.
    #[error("payload {0} is missing")]
    MissingPayload(PayloadName),
    /// A payload that may be there once is there again, or one that must not be there is.
    #[error("payload {0} does not belong here")]
    UnexpectedPayload(PayloadName),
    /// A payload is not where it must be (RFC 2409 §5, §5.5).
    #[error("payload {0} is not where it must be")]
    MisplacedPayload(PayloadName),
    /// A payload's contents make no sense.
    #[error("payload {0} has contents that make no sense")]
    BadPayload(PayloadName),
    /// The nonce is shorter than 8 or longer than 256 bytes (RFC 2409 §5).
    #[error("a nonce of {0} bytes; 8 to 256 are allowed")]
    NonceLength(usize),
    /// The Diffie-Hellman public value is refused by its group.
    #[error("the key-exchange value is not valid in its group")]
    BadKeyExchange,
    /// The ciphertext is no multiple of the block size, or empty.
    #[error("the ciphertext is no whole number of blocks")]
    CiphertextLength,
    /// What came out of decryption is no payload chain: wrong key or corrupted bytes.
    #[error("decryption gives no payload chain, the pre-shared keys may differ: {0}")]
    Undecipherable(ParseError),
    /// The HASH or AUTH payload does not verify.
    #[error("the HASH or AUTH does not verify")]
    AuthenticationFailed,
    /// The integrity check of the message fails: other keys, or changed octets.
    #[error("the integrity check fails")]
    IntegrityFailed,
    /// A fragment that is not kept (RFC 7383 §2.6).
    #[error("{0}")]
    Fragment(crate::model::FragmentError),
    /// The peer reports an error.
    #[error("the peer reports error {0}")]
    Notified(u16),
    /// A payload that is not known here has the critical bit (RFC 7296 §2.5).
    #[error("payload {0} is critical and not known here")]
    UnsupportedCritical(v2::PayloadType),
    /// The key exchange was made with another group than the one that is chosen.
    #[error("the key exchange has to use {0}")]
    WrongGroup(crypto_suite::GroupId),
    /// The traffic selectors match no configured child.
    #[error("the traffic selectors match no configured child")]
    TsUnacceptable,
    /// A child of another peer carries packets that the traffic selectors are for, and the
    /// configuration does not share them.
    #[error("the traffic selectors are for packets of another peer")]
    SelectorsTaken,
    /// Not while another exchange is under way (RFC 7296 §2.25).
    #[error("not while another exchange is under way")]
    TemporaryFailure,
    /// The Child SA to rekey is not there: its SPI.
    #[error("there is no Child SA with SPI {0:08x}")]
    ChildNotFound(u32),
    /// An IKE_FOLLOWUP_KE that goes on with nothing (RFC 9370 §2.2.4).
    #[error("no key exchanges are under way that this goes on with")]
    StateNotFound,
    /// The peer has to ask for an address inside the tunnel (RFC 7296 §3.15.4).
    #[error("an address inside the tunnel has to be asked for")]
    AddressRequired,
    /// There is no address inside the tunnel for the peer.
    #[error("no address inside the tunnel for this peer")]
    NoAddress,
    /// The peer was sent to another gateway (RFC 5685).
    #[error("the peer was sent to another gateway")]
    Redirected,
    /// A NAT is on the path of a peer that wants none there (RFC 4555 §3.9).
    #[error("a NAT is on the path, and the peer wants none there")]
    UnexpectedNat,
    /// A cookie has to be brought back first (RFC 7296 §2.6).
    #[error("a cookie was asked for")]
    CookieWanted,
    /// No proposal of the peer is acceptable.
    #[error("no proposal is acceptable")]
    NoProposalChosen,
    /// The responder chose something that was not offered, or changed it.
    #[error("the peer chose what was not offered")]
    NotOffered,
    /// The identity is not the one configured for this peer.
    #[error("the identity is not the one this peer must have")]
    WrongIdentity,
    /// The client identities match no configured child.
    #[error("the client identities match no configured child")]
    InvalidIdInformation,
    /// No pre-shared key for this peer.
    #[error("no pre-shared key for this peer")]
    NoPsk,
    /// A DPD acknowledgement that answers no open question, or a sequence number that went back.
    #[error("a DPD sequence number that was not expected")]
    DpdSequence,
    /// A notification that nothing authenticates: a hint, and no more than that.
    #[error("an unauthenticated notification")]
    Unauthenticated,

    // Bounds.
    /// A bound would be passed.
    #[error("the bound on {0} is reached")]
    Limit(&'static str),

    // Events of our own side.
    /// The ticket names no open question.
    #[error("no such question is open")]
    UnknownTicket,
    /// The answer does not fit its question.
    #[error("the answer does not fit the question")]
    WrongAnswer,
    /// The command names no peer, child or SA.
    #[error("no such peer, child or SA")]
    NoSuchObject,
    /// What the command asks for is already there or on its way.
    #[error("already there or on its way")]
    AlreadyUnderWay,
    /// A traffic report or command about something this state does not allow.
    #[error("not possible in this state")]
    WrongState,
    /// The random source failed or the crypto provider lacks something it listed.
    #[error("crypto failure")]
    Crypto,
    /// The endpoint is shut down.
    #[error("the endpoint is shut down")]
    ShutDown,
    /// No deadline has passed.
    #[error("no deadline has passed")]
    NotDue,
}

impl DropReason {
    /// Whether a wrong key gives this result.
    pub(crate) const fn hints_at_key(&self) -> bool {
        matches!(
            self,
            Self::Undecipherable(_)
                | Self::AuthenticationFailed
                | Self::MissingPayload(_)
                | Self::UnexpectedPayload(_)
                | Self::Malformed(_)
        )
    }
}

/// A payload type of either version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadName {
    /// Of IKEv1.
    V1(v1::PayloadType),
    /// Of IKEv2.
    V2(v2::PayloadType),
}

impl PayloadName {
    /// No payload.
    pub const NONE: Self = Self::V1(v1::PayloadType::NONE);

    /// The number of the type.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V1(payload) => payload.0,
            Self::V2(payload) => payload.0,
        }
    }
}

impl From<v1::PayloadType> for PayloadName {
    fn from(payload: v1::PayloadType) -> Self {
        Self::V1(payload)
    }
}

impl From<v2::PayloadType> for PayloadName {
    fn from(payload: v2::PayloadType) -> Self {
        Self::V2(payload)
    }
}

impl fmt::Display for PayloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V1(payload) => payload.fmt(f),
            Self::V2(payload) => payload.fmt(f),
        }
    }
}
