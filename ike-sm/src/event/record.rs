//! Records of what happened: plain data, bounded, cloneable, free of secrets.

mod auth;

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use crate::config::Lifetime;
use crate::core::timers::DeadlineReason;
use crate::model::{
    ChildId, ChildTerms, CloseReason, DropReason, Identity, IkeId, IkeState, IkeVersion, Input,
    Path, PayloadName, Role, Selectors, State, Step,
};
use crate::policy::narrow::NarrowRecord;
use crate::policy::v2::{ProposalRecord, WhatWouldMatch};
use crate::policy::{Phase1Finding, Phase2Finding, ProposalCheck, TransformCheck};

pub use auth::AuthRecord;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When, on the caller's clock.
    pub at: Duration,
    /// The IKE SA it belongs to, if there is one.
    pub ike: Option<IkeId>,
    /// The version of IKE that it is about, where that is known.
    pub version: Option<IkeVersion>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// A message came in and belongs to this SA.
    Received(Packet),
    /// A message goes out.
    Sent(Packet),
    /// A message goes out again.
    Repeated {
        /// The message.
        step: Step,
        /// Which repetition, from 1.
        attempt: u8,
    },
    /// A state was left for another, or kept.
    Transition(Transition),
    /// A payload is being worked on.
    Processing {
        /// Its type.
        payload: PayloadName,
        /// The message it is in.
        message_id: u32,
    },
    /// A pre-shared key was looked for.
    PskLookup {
        /// The peer's address.
        peer: IpAddr,
        /// What came of it.
        found: PskFound,
    },
    /// A phase 1 transform was held against a policy.
    TransformCheck(Box<TransformCheck>),
    /// A phase 2 transform was held against a child's configuration.
    ProposalCheck(Box<ProposalCheck>),
    /// A proposal of IKEv2 was held against one of ours.
    ProposalCompared(Box<ProposalRecord>),
    /// The least change that would have made two policies of IKEv2 meet.
    WouldMatch(Box<WhatWouldMatch>),
    /// Selectors of IKEv2 were narrowed to a child's configuration.
    SelectorsNarrowed(Box<NarrowRecord>),
    /// Selectors of a quick mode were held against a child's configuration.
    SelectorCheck(Box<SelectorCheck>),
    /// A request for a child was refused: why it does not get this one of the configuration.
    ChildRefused(Box<ChildRefusal>),
    /// A child was refused for the sake of another peer's.
    SelectorsTaken(Box<SelectorsTaken>),
    /// Phase 1 has agreed on this suite.
    Phase1Suite(Phase1Summary),
    /// A vendor ID that has a name here; unknown ones are counted in the message's payload list.
    VendorId {
        /// Its name.
        name: &'static str,
    },
    /// A NAT-D hash was compared.
    NatDetection(NatCheck),
    /// SKEYID and its kin were derived.
    KeysDerived,
    /// An identity was sent or received.
    Identity(IdentityShown),
    /// IKEv2: a decision of an authentication.
    Auth(Box<AuthRecord>),
    /// The peer's HASH was checked.
    Authenticated {
        /// The peer's address.
        peer: IpAddr,
        /// Whether it verified.
        ok: bool,
    },
    /// An exchange of its own message id began.
    ExchangeBegan {
        /// The message id.
        message_id: u32,
    },
    /// An exchange of its own message id ended.
    ExchangeEnded {
        /// The message id.
        message_id: u32,
        /// Whether it failed.
        error: bool,
        /// In a few words.
        reason: &'static str,
    },
    /// A notification came in.
    Notified {
        /// Whose numbers these are.
        version: IkeVersion,
        /// Notify message type.
        notify: u16,
        /// Whether the IKE SA protects it.
        authenticated: bool,
        /// The message it is in.
        message_id: u32,
    },
    /// SPIs are asked for.
    SpiWanted {
        /// How many.
        count: u8,
    },
    /// A pair of IPsec SAs stands.
    ChildCreated(Box<ChildSummary>),
    /// A pair of IPsec SAs has ended.
    ChildClosed {
        /// Which.
        child: ChildId,
        /// Our inbound SPI.
        spi_in: u32,
        /// Why.
        reason: CloseReason,
    },
    /// An IKE SA, or the attempt at one, has ended.
    IkeClosed {
        /// Its version.
        version: IkeVersion,
        /// The peer's name.
        peer: String,
        /// Why.
        reason: CloseReason,
    },
    /// Dead peer detection spoke or heard something.
    Dpd(DpdStep),
    /// A timer of this SA was set.
    Deadline {
        /// When it is due.
        due: Duration,
        /// What for.
        why: DeadlineReason,
    },
    /// An event was refused; nothing changed.
    Dropped {
        /// Where it came from, if it was a datagram.
        path: Option<Path>,
        /// Why.
        reason: DropReason,
    },
    /// Something is allowed but deserves a look.
    Notice(Notice),
}

impl From<Phase1Finding> for What {
    fn from(finding: Phase1Finding) -> Self {
        match finding {
            Phase1Finding::Duplicate { transform, of } => {
                Self::Notice(Notice::DuplicateTransform { transform, of })
            }
            Phase1Finding::Compared(check) => Self::TransformCheck(Box::new(check)),
        }
    }
}

impl From<Phase2Finding> for What {
    fn from(finding: Phase2Finding) -> Self {
        match finding {
            Phase2Finding::Compared(check) => Self::ProposalCheck(Box::new(check)),
            Phase2Finding::PfsOfferedUnasked { group } => {
                Self::Notice(Notice::PfsOfferedUnasked { group })
            }
            Phase2Finding::LifetimeCut { offered, granted } => {
                Self::Notice(Notice::LifetimeCut { offered, granted })
            }
        }
    }
}

impl From<ProposalRecord> for What {
    fn from(record: ProposalRecord) -> Self {
        Self::ProposalCompared(Box::new(record))
    }
}

impl From<NarrowRecord> for What {
    fn from(record: NarrowRecord) -> Self {
        Self::SelectorsNarrowed(Box::new(record))
    }
}

/// A message, without its contents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Packet {
    /// From where to where.
    pub path: Path,
    /// Our part in the SA; none for a message that starts one.
    pub role: Option<Role>,
    /// The state of the SA when the message came or went.
    pub state: IkeState,
    /// Which message of its exchange it is.
    pub step: Step,
    /// Message ID.
    pub message_id: u32,
    /// The payloads, decrypted ones included.
    pub payloads: PayloadList,
    /// Length of the IKE message, in bytes.
    pub len: usize,
}

/// Types of the payloads of a message, in order. Keeps the first 24.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PayloadList {
    types: [PayloadName; Self::MAX],
    len: u8,
    more: bool,
}

impl PayloadList {
    /// Payloads kept.
    pub const MAX: usize = 24;

    /// No payload.
    pub const EMPTY: Self = Self {
        types: [PayloadName::NONE; Self::MAX],
        len: 0,
        more: false,
    };

    /// Adds one at the end.
    pub fn push(&mut self, payload: PayloadName) {
        match self.types.get_mut(usize::from(self.len)) {
            Some(slot) => {
                *slot = payload;
                self.len = self.len.saturating_add(1);
            }
            None => self.more = true,
        }
    }

    /// The types in order.
    #[must_use]
    pub fn as_slice(&self) -> &[PayloadName] {
        self.types.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Were there more than are kept?
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.more
    }
}

impl<P: Into<PayloadName>> FromIterator<P> for PayloadList {
    fn from_iter<I: IntoIterator<Item = P>>(iter: I) -> Self {
        let mut list = Self::EMPTY;
        iter.into_iter().for_each(|p| list.push(p.into()));
        list
    }
}

impl fmt::Debug for PayloadList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// A step of a state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// What caused it.
    pub input: Input,
    /// State before.
    pub from: State,
    /// State after.
    pub to: State,
    /// The exchange it belongs to; none for phase 1.
    pub message_id: Option<u32>,
}

/// What came of looking for a pre-shared key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PskFound {
    /// A key for this peer.
    Yes,
    /// A key that is entered for any address.
    Wildcard,
    /// The embedder was asked.
    Asked,
    /// None.
    No,
}

/// A child that is refused because another peer has one for the same packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorsTaken {
    /// The name in the configuration of the child that is refused.
    pub child: String,
    /// What its far side would be.
    pub remote: Selectors,
    /// Who has the packets.
    pub holder: Identity,
    /// The holder's name in the configuration.
    pub holder_peer: String,
    /// The name in the configuration of the child that carries them.
    pub holder_child: String,
    /// The far side of that child.
    pub holder_remote: Selectors,
}

impl fmt::Display for SelectorsTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            child,
            remote,
            holder,
            holder_peer,
            holder_child,
            holder_remote,
        } = self;
        write!(
            f,
            "{child}: {remote} is refused, {holder_remote} is carried for {holder} "
        )?;
        write!(
            f,
            "(peer {holder_peer}, child {holder_child}); two that are shared may overlap"
        )
    }
}

/// The selectors of a quick mode against one child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorCheck {
    /// The child's name in the configuration.
    pub child: String,
    /// Our side, as the peer wants it.
    pub local: Selectors,
    /// The peer's side, as it wants it.
    pub remote: Selectors,
    /// Whether the child has them.
    pub ok: bool,
}

/// A child of the configuration, and why a request does not get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildRefusal {
    /// The child's name in the configuration.
    pub child: String,
    /// Why not.
    pub why: ChildFault,
}

/// Why a request does not get a child of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChildFault {
    /// In IKEv2 the selectors have nothing in common, in IKEv1 they are not the configured ones.
    #[error("its selectors do not match those asked for")]
    Selectors,
    /// The selectors overlap, and the child is configured to be granted as it is or not at all.
    #[error(
        "its selectors are not exactly those asked for, and it is configured with exact selectors"
    )]
    NotExact,
    /// It is not among those that the user may have.
    #[error("it is not among those that this user may have")]
    NotGranted,
    /// The child is in transport mode, and the request is for tunnel mode.
    #[error("it is in transport mode, the request is for tunnel mode")]
    Mode,
    /// The child of another peer carries packets that it would be for.
    #[error("another peer has packets that it would be for")]
    Taken,
    /// None of its transforms is offered.
    #[error("no proposal fits its transforms")]
    Proposals,
    /// None of the addresses that the peer was given is on its remote side.
    #[error("no address that the peer was given is on its remote side")]
    NotAssigned,
}

/// What phase 1 has agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase1Summary {
    /// The policy that matched.
    pub policy: crate::config::Phase1Policy,
    /// What was offered.
    pub offered: Lifetime,
    /// What holds at our end.
    pub lifetime: Lifetime,
}

/// One NAT-D hash compared (RFC 3947 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatCheck {
    /// Whether it is about our own address: the first payload of a message. Else the peer's.
    pub ours: bool,
    /// Whether it matched; if not, there is a NAT on that side.
    pub matches: bool,
    /// The payload type it came in.
    pub payload: PayloadName,
}

/// An identity and the fields around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityShown {
    /// Whether it is ours.
    pub ours: bool,
    /// The identity.
    pub identity: Identity,
    /// Protocol field.
    pub protocol: u8,
    /// Port field.
    pub port: u16,
    /// Next-payload octet.
    pub next_payload: u8,
    /// Length of the payload, in bytes.
    pub length: u16,
}

/// A pair of IPsec SAs, without its keys.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildSummary {
    /// Which.
    pub child: ChildId,
    /// The child's name in the configuration.
    pub name: String,
    /// What was agreed on, and where it runs.
    pub terms: ChildTerms,
    /// What was offered.
    pub offered: Lifetime,
    /// What holds at our end.
    pub lifetime: Lifetime,
    /// The pair it takes the place of.
    pub replaces: Option<ChildId>,
}

/// Its terms are read as if they were its own.
impl core::ops::Deref for ChildSummary {
    type Target = ChildTerms;

    fn deref(&self) -> &ChildTerms {
        &self.terms
    }
}

/// Dead peer detection (RFC 3706).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DpdStep {
    /// A question went out.
    Asked {
        /// Sequence number.
        sequence: u32,
        /// Time since anything came in.
        silent: Duration,
        /// Which attempt, from 1.
        attempt: u8,
    },
    /// The peer answered.
    Answered {
        /// Sequence number.
        sequence: u32,
    },
    /// The peer asked, and was answered.
    AnsweredPeer {
        /// Sequence number.
        sequence: u32,
    },
    /// The peer is dead.
    Dead,
}

/// Something allowed that deserves a look.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The peer wants PFS; the child's configuration neither demands nor refuses it.
    PfsOfferedUnasked {
        /// The group.
        group: crypto_suite::GroupId,
    },
    /// Two transforms of an offer are the same.
    DuplicateTransform {
        /// The later one.
        transform: u8,
        /// The earlier one.
        of: u8,
    },
    /// The key in use is entered for any address: whoever knows it can pose as every peer.
    WildcardPsk,
    /// What the peer encrypted with its key does not open with ours, or its proof is another one.
    PskMayDiffer,
    /// Our proof is out, and the peer refuses it or does not answer. It does not say what it minds.
    ProofNotTaken {
        /// It has answered.
        answered: bool,
        /// The proof is a pre-shared key's.
        shared: bool,
    },
    /// Aggressive mode with a pre-shared key lets the key be guessed offline.
    AggressivePsk,
    /// The peer was offered less time or volume than it asked for and is told so.
    LifetimeCut {
        /// What it asked for.
        offered: Lifetime,
        /// What it got.
        granted: Lifetime,
    },
    /// A weak algorithm was agreed on, as permitted.
    Weak(crypto_suite::WeakAlgorithm),
    /// Another device with the identity of this one is here already, and only one may be.
    IdentityInUse,
    /// The peer set the commit bit, which is not acted on.
    CommitBit,
    /// The message IDs that requests go on with after a takeover (RFC 6311).
    MessageIdsGoOn {
        /// Of our next request.
        ours: u32,
        /// Of the peer's.
        theirs: u32,
    },
    /// The nearest miss of a negotiation that found no common ground.
    NearestMiss(Box<crate::policy::NearestMiss>),
}
