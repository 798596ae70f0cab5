//! What goes in: datagrams, passed deadlines, answers, commands, traffic reports.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crypto_suite::Secret;

use crate::config::v2::Assignment;
use crate::event::job::{KeyExchangeDone, SignatureDone};
use crate::event::{EapAnswer, QuestionKind};
use crate::model::{ChildId, IkeId, IpsecProtocol, Path, Ticket};

/// One input of [`Endpoint::handle`](crate::Endpoint::handle).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A UDP datagram that carries IKE.
    Datagram {
        /// Where it came from; `natt` says that it followed a non-ESP marker.
        path: Path,
        /// The IKE message: the UDP payload without the marker
        /// (`nat_t::classify` has taken it off).
        message: &'a [u8],
    },
    /// The time given by [`Endpoint::next_deadline`](crate::Endpoint::next_deadline) has come. Too
    /// early is harmless.
    Deadline,
    /// The answer to a question. An answer to a question that is no longer open is dropped.
    Answer(Ticket, Answer),
    /// What the operator, or a packet without an SA, wants.
    Command(Command),
    /// What went through a child's SAs since the last report.
    Traffic(ChildId, Traffic),
    /// An authenticated ESP packet of this child came from another address or port than its
    /// [`ChildSa::path`](crate::ChildSa): the peer's NAT has made a new mapping (RFC 3947 §7). Only
    /// a packet that passed integrity and replay checks as the newest may be reported.
    Moved(ChildId, SocketAddr),
    /// A packet came in with an SPI that no installed SA has. Nothing authenticates it, so it is
    /// only a hint: the peer, if it is one with an IKE SA, is told again that our SA of this SPI is
    /// gone, at most once a second. Deletions are not acknowledged in IKEv1; this heals a lost one.
    UnknownSpi {
        /// Where the packet came from.
        remote: IpAddr,
        /// ESP or AH.
        protocol: IpsecProtocol,
        /// Its SPI.
        spi: u32,
    },
}

/// The answer to a [`Question`](crate::Question).
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Question::Psk`](crate::Question::Psk): the key, or none.
    Psk(Option<Secret>),
    /// To [`Question::AllocateSpi`](crate::Question::AllocateSpi): an SPI above 255 that no other
    /// inbound SA uses, or none.
    Spi(Option<u32>),
    /// To [`Question::AuthorizeChild`](crate::Question::AuthorizeChild): whether the peer may have
    /// it.
    Authorize(bool),
    /// To [`Question::Sign`](crate::Question::Sign): the signature, or none.
    Signature(Option<Vec<u8>>),
    /// To [`Question::KeyExchange`](crate::Question::KeyExchange): what it has led to, or none when
    /// it was not computed.
    KeyExchange(Option<KeyExchangeDone>),
    /// To [`Question::VerifyCertificate`](crate::Question::VerifyCertificate): the key of the first
    /// certificate, a DER `SubjectPublicKeyInfo`, or why not.
    PublicKey(Result<Vec<u8>, String>),
    /// To the same question: what [`SignatureJob::verify`](crate::SignatureJob::verify) has found
    /// with the key of the first certificate, or why the key is not the peer's.
    Verified(Result<SignatureDone, String>),
    /// To [`Question::EapPassword`](crate::Question::EapPassword): the password, or none.
    EapPassword(Option<EapPassword>),
    /// To [`Question::Eap`](crate::Question::Eap).
    Eap(EapAnswer),
    /// To [`Question::Ppk`](crate::Question::Ppk): the key, or none.
    Ppk(Option<Secret>),
    /// To [`Question::AssignAddress`](crate::Question::AssignAddress): what the peer gets, or
    /// nothing.
    Addresses(Option<Assignment>),
    /// To [`Question::AuthorizeUser`](crate::Question::AuthorizeUser): what the user may have, or
    /// nothing at all.
    User(Option<UserGrant>),
}

/// A password of EAP, in UTF-8, and whose it is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EapPassword {
    /// The password.
    pub password: Secret,
    /// The user's name in the spelling of the account, to which all ways of writing it come:
    /// addresses, children and IKE SAs belong to it. `None` takes the name that the peer has sent,
    /// without what stands before a backslash; where users of several domains are known, that makes
    /// one of two, and the name has to be said. It does not matter for a password of our own.
    pub user: Option<String>,
}

impl EapPassword {
    /// The password of the account of this name.
    #[must_use]
    pub fn of(user: impl Into<String>, password: Secret) -> Self {
        Self {
            password,
            user: Some(user.into()),
        }
    }
}

impl<P: Into<Secret>> From<P> for EapPassword {
    fn from(password: P) -> Self {
        Self {
            password: password.into(),
            user: None,
        }
    }
}

/// What a user that EAP has authenticated may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserGrant {
    /// Names of the children of the configured peer that it may have; `None` for all.
    pub children: Option<Vec<String>>,
}

impl UserGrant {
    /// All that the configured peer may have.
    #[must_use]
    pub const fn all() -> Self {
        Self { children: None }
    }

    /// Of the children those with these names.
    #[must_use]
    pub fn children(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            children: Some(names.into_iter().map(Into::into).collect()),
        }
    }
}

impl Answer {
    /// Which question it answers.
    pub(crate) const fn kind(&self) -> QuestionKind {
        match self {
            Self::Psk(_) => QuestionKind::Psk,
            Self::Spi(_) => QuestionKind::Spi,
            Self::Authorize(_) => QuestionKind::Authorize,
            Self::Signature(_) => QuestionKind::Sign,
            Self::KeyExchange(_) => QuestionKind::KeyExchange,
            Self::PublicKey(_) | Self::Verified(_) => QuestionKind::Certificate,
            Self::EapPassword(_) => QuestionKind::EapPassword,
            Self::Eap(_) => QuestionKind::Eap,
            Self::Ppk(_) => QuestionKind::Ppk,
            Self::Addresses(_) => QuestionKind::Addresses,
            Self::User(_) => QuestionKind::User,
        }
    }
}

/// Packets seen since the last report. Reports may come for each packet or once a second: DPD, idle
/// and volume limits are as precise as the reports are frequent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets that passed integrity and replay checks.
    pub inbound_packets: u64,
    /// Their inner bytes.
    pub inbound_bytes: u64,
    /// Packets protected, or waiting for protection.
    pub outbound_packets: u64,
    /// Their inner bytes.
    pub outbound_bytes: u64,
}

impl Traffic {
    /// One packet came in.
    #[must_use]
    pub const fn inbound(bytes: u64) -> Self {
        Self {
            inbound_packets: 1,
            inbound_bytes: bytes,
            outbound_packets: 0,
            outbound_bytes: 0,
        }
    }

    /// One packet went out.
    #[must_use]
    pub const fn outbound(bytes: u64) -> Self {
        Self {
            inbound_packets: 0,
            inbound_bytes: 0,
            outbound_packets: 1,
            outbound_bytes: bytes,
        }
    }
}

/// One end of a packet that found no SA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketEnd {
    /// Its address.
    pub address: IpAddr,
    /// Its port; 0 where the protocol has none.
    pub port: u16,
}

/// What may have gone on elsewhere before an IKE SA was taken over (RFC 6311).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takeover {
    /// The number of this takeover in the cluster, counting from 1. It never comes back: two
    /// members never protect IKE messages with the same IV, however old their state is.
    pub epoch: u16,
    /// Agree with the peer on the message IDs to go on with. Until then no other request goes out
    /// and none is taken in.
    pub message_ids: bool,
    /// Sequence numbers that our outbound SAs skip, at once: at least as many as may have been used
    /// since the state was handed over.
    pub skip_outbound: u64,
    /// Sequence numbers that the peer is asked to skip in its outbound SAs: at least as many as our
    /// replay windows were moved forward. Below 2^32 where sequence numbers are not extended.
    pub skip_inbound: u64,
}

/// What the operator, or a packet without an SA, wants.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Bring up the named peer: an IKE SA, and the children named (all that it has, if none is).
    Initiate {
        /// The peer's name in the configuration.
        peer: String,
        /// Names of children in the configuration; empty for all.
        children: Vec<String>,
    },
    /// A packet matched the policy but no SA: bring up the child that covers it. Harmless while one
    /// is coming up.
    Acquire {
        /// The inside end.
        source: PacketEnd,
        /// The far end.
        destination: PacketEnd,
        /// Upper-layer protocol number.
        protocol: u8,
    },
    /// Negotiate a new IKE SA that takes over the children of this one.
    RekeyIke(IkeId),
    /// Negotiate a new pair of IPsec SAs in place of this one, which goes on taking packets in for ten
    /// seconds after that, so that none is lost on the way.
    RekeyChild(ChildId),
    /// Our own address has changed: the IKE SA of IKEv2 and its children go on from `local`, and the
    /// peer is told to follow (MOBIKE, RFC 4555). Possible for the end that started the SA, with a
    /// peer that speaks MOBIKE.
    MoveIke {
        /// Which.
        ike: IkeId,
        /// Our new address, and the port that is bound there.
        local: SocketAddr,
    },
    /// Our other addresses have changed: the peer is told which there are now, none or up to 16
    /// (MOBIKE, RFC 4555 §3.6).
    AnnounceAddresses {
        /// Which IKE SA.
        ike: IkeId,
        /// All addresses of ours besides the one that the SA uses.
        addresses: Vec<IpAddr>,
    },
    /// Send the peer of an IKE SA of IKEv2 to another gateway (RFC 5685). Possible for the end that
    /// did not start the SA, with a peer that follows.
    RedirectIke {
        /// Which.
        ike: IkeId,
        /// The other gateway.
        to: IpAddr,
    },
    /// This member of a cluster has taken over an IKE SA of IKEv2 whose counters may have gone on
    /// at the member before it. Once per takeover (RFC 6311 §7); possible with a peer that has
    /// agreed to it in IKE_AUTH.
    SynchronizeIke {
        /// Which.
        ike: IkeId,
        /// What goes on from where.
        takeover: Takeover,
    },
    /// Delete an IKE SA and the children that depend on it, towards the peer too.
    DeleteIke(IkeId),
    /// Delete a pair of IPsec SAs, towards the peer too.
    DeleteChild(ChildId),
    /// Delete all SAs of the named peer and stop trying to reach it.
    Terminate {
        /// The peer's name in the configuration.
        peer: String,
    },
    /// Delete everything, towards the peers too, and start and accept nothing more. Go on as before
    /// until [`Endpoint::ike_sas`](crate::Endpoint::ike_sas) is empty, for a few seconds at most: a peer
    /// that does not answer is told again, for as long as [`Retransmit`](crate::config::Retransmit) has it.
    Shutdown,
}
