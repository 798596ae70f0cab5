//! Tables of SAs: what stands, in which state, for how long.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::child::{Child, ChildState};
use crate::config::{Config, Phase1Policy, Schedule};
use crate::endpoint::Endpoint;
use crate::event::Traffic;
use crate::model::{
    ChildId, ChildTerms, Identity, IkeId, IkeState, IkeVersion, Path, Role, ShowState,
};
use crate::peer::session::Session;
use crate::policy::v2::IkeSuite;

/// One IKE SA, finished or not.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IkeStatus {
    /// Its handle.
    pub id: IkeId,
    /// The peer's name in the configuration.
    pub peer: String,
    /// Its version.
    pub version: IkeVersion,
    /// Our part in it.
    pub role: Role,
    /// Where it runs.
    pub path: Path,
    /// Its state; [`IkeState::show`] gives what tables print, such as `QM_IDLE`.
    pub state: IkeState,
    /// CKY-I, or the initiator's SPI.
    pub initiator_spi: [u8; 8],
    /// CKY-R, or the responder's SPI; zero until it is known.
    pub responder_spi: [u8; 8],
    /// When its first message was sent or came.
    pub created: Duration,
    /// What holds once phase 1 is done.
    pub established: Option<EstablishedStatus>,
}

impl IkeStatus {
    /// The state that tables print.
    #[must_use]
    pub const fn show(&self) -> ShowState {
        self.state.show()
    }
}

/// What holds of an IKE SA after phase 1.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EstablishedStatus {
    /// Who the peer has proved to be: after EAP an [`Identity::User`].
    pub remote_id: Identity,
    /// After EAP, who the peer claims to be in its Identification payload: nothing proves it (RFC 7296
    /// §2.16).
    pub claimed_id: Option<Identity>,
    /// What was agreed on.
    pub policy: AgreedPolicy,
    /// When it was authenticated.
    pub since: Duration,
    /// Its limits, from then on.
    pub schedule: Schedule,
    /// What the peer can do and what is on.
    pub capabilities: Capabilities,
    /// Another SA has taken over; this one is about to be deleted.
    pub replaced: bool,
}

/// What an IKE SA is protected with.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum AgreedPolicy {
    /// The policy of IKEv1 that was agreed on.
    V1(Phase1Policy),
    /// The algorithms of IKEv2 that were agreed on.
    V2(IkeSuite),
}

impl AgreedPolicy {
    /// The policy of an IKE SA of IKEv1.
    #[must_use]
    pub const fn v1(&self) -> Option<&Phase1Policy> {
        match self {
            Self::V1(policy) => Some(policy),
            Self::V2(_) => None,
        }
    }
}

/// The capabilities column of `show crypto isakmp sa detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// Dead peer detection: both ends have announced it.
    pub dpd: bool,
    /// NAT traversal: the SA runs on port 4500.
    pub nat_traversal: bool,
    /// We send NAT keepalives.
    pub keepalives: bool,
    /// IKEv2: the message IDs can be synchronised after a takeover (RFC 6311).
    pub message_id_sync: bool,
    /// IKEv2: the same for the sequence numbers of children.
    pub replay_counter_sync: bool,
}

impl fmt::Display for Capabilities {
    /// The letters D, K and N, such as `DN`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [
            (self.dpd, "D"),
            (self.keepalives, "K"),
            (self.nat_traversal, "N"),
        ];
        letters
            .iter()
            .filter(|(on, _)| *on)
            .try_for_each(|(_, letter)| f.write_str(letter))
    }
}

/// One pair of IPsec SAs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ChildStatus {
    /// Its handle.
    pub id: ChildId,
    /// The IKE SA that looks after it.
    pub ike: IkeId,
    /// The peer's name in the configuration.
    pub peer: String,
    /// The child's name in the configuration.
    pub name: String,
    /// How far it is.
    pub phase: ChildPhase,
    /// Whether we started its negotiation.
    pub initiator: bool,
    /// What was agreed on, and where it runs.
    pub terms: ChildTerms,
    /// When it was installed.
    pub since: Duration,
    /// Its limits, from then on.
    pub schedule: Schedule,
    /// What was reported of it.
    pub used: Traffic,
}

/// Its terms are read as if they were its own.
impl core::ops::Deref for ChildStatus {
    type Target = ChildTerms;

    fn deref(&self) -> &ChildTerms {
        &self.terms
    }
}

/// How far a pair of IPsec SAs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildPhase {
    /// Takes packets in; the peer has not shown yet that it has its half.
    Inbound,
    /// Carries packets both ways.
    Active,
    /// Takes packets in until it is deleted: another one has its place, or its time is over.
    Retiring,
}

impl Endpoint {
    /// All IKE SAs, the oldest first.
    pub fn ike_sas(&self) -> impl Iterator<Item = IkeStatus> + '_ {
        self.sessions()
            .filter(|session| !session.is_gone())
            .map(|session| ike_status(self.config(), session))
    }

    /// All pairs of IPsec SAs, the oldest first.
    pub fn children(&self) -> impl Iterator<Item = ChildStatus> + '_ {
        self.child_table()
            .iter()
            .map(|child| child_status(self.config(), child))
    }
}

fn ike_status(config: &Config, session: &Session) -> IkeStatus {
    let head = session.head();
    let path = head.path;
    IkeStatus {
        id: head.id,
        peer: config
            .peers
            .get(head.peer)
            .map(|p| p.name.clone())
            .unwrap_or_default(),
        role: head.role,
        path,
        version: session.version(),
        state: session.state(),
        initiator_spi: head.spis.0,
        responder_spi: head.spis.1,
        created: head.created,
        established: established(session, path),
    }
}

fn established(session: &Session, path: Path) -> Option<EstablishedStatus> {
    match session {
        #[cfg(feature = "v1")]
        Session::V1(session) => session.up().map(|up| EstablishedStatus {
            remote_id: (*up.agreed.remote_id).clone(),
            claimed_id: None,
            policy: AgreedPolicy::V1(up.agreed.suite.policy),
            since: up.since,
            schedule: up.schedule,
            capabilities: Capabilities {
                dpd: up.dpd.capable(),
                nat_traversal: path.natt,
                keepalives: up.keepalive.is_some(),
                ..Capabilities::default()
            },
            replaced: up.replaced,
        }),
        Session::V2(session) => session.up().map(|up| EstablishedStatus {
            remote_id: (*up.remote_id).clone(),
            claimed_id: up.claimed_id.as_deref().cloned(),
            policy: AgreedPolicy::V2(up.suite),
            since: up.since,
            schedule: up.schedule,
            capabilities: Capabilities {
                // RFC 7296 §2.4: every peer answers.
                dpd: true,
                nat_traversal: path.natt,
                keepalives: up.keepalive.is_some(),
                message_id_sync: up.counters.message_ids,
                replay_counter_sync: up.counters.replay,
            },
            replaced: up.replaced,
        }),
    }
}

fn child_status(config: &Config, child: &Child) -> ChildStatus {
    let peer = config.peers.get(child.peer);
    let name = peer
        .and_then(|p| p.children.get(child.config))
        .map(|c| c.name.clone());
    ChildStatus {
        id: child.id,
        ike: child.ike,
        peer: peer.map(|p| p.name.clone()).unwrap_or_default(),
        name: name.unwrap_or_default(),
        phase: match child.state {
            ChildState::Inbound => ChildPhase::Inbound,
            ChildState::Active => ChildPhase::Active,
            ChildState::Retiring => ChildPhase::Retiring,
        },
        initiator: child.initiator,
        terms: child.terms.clone(),
        since: child.started,
        schedule: child.schedule,
        used: child.used,
    }
}
