//! What comes out: datagrams to send, SAs to install, questions to answer, reports.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;
use crypto_suite::{ProtectionId, Secret};

use crate::config::v2::Assignment;
use crate::event::{Question, Record};
use crate::model::{ChildId, ChildLifetime, ChildTerms, CloseReason, IkeId, Path, Route, Ticket};

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
        /// The peer's name in the configuration.
        peer: String,
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
    /// What was agreed on, and where it runs.
    pub terms: ChildTerms,
    /// Keying material for packets to us: encryption key, then integrity key.
    pub keys_in: Secret,
    /// Keying material for packets to the peer.
    pub keys_out: Secret,
    /// When it ends. The endpoint keeps the time limits itself and learns volume from
    /// [`Event::Traffic`](crate::Event::Traffic); an ESP engine may enforce both as well.
    pub lifetime: ChildLifetime,
    /// The pair whose place this one takes.
    pub replaces: Option<ChildId>,
    /// Whether we started the negotiation.
    pub initiator: bool,
}

/// Its terms are read as if they were its own.
impl core::ops::Deref for ChildSa {
    type Target = ChildTerms;

    fn deref(&self) -> &ChildTerms {
        &self.terms
    }
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
