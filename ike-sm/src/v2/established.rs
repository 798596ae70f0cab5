//! An IKE SA after IKE_AUTH: what was agreed on, its timers, the exchanges under way and those that
//! wait for room in the window.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use crypto_suite::{ActiveKeyExchange, Digest, GroupId};
use isakmp_wire::registry::ExchangeType;
use nat_t::Verdict;

use super::child::Holder;
use super::computing::{Computing, NextPair};
use super::counters::{Counters, Delta, Syncing};
use super::create_child::{ChildTask, FollowUp, Followed, IkeTask};
use super::ike_auth::Proved;
use super::mobike::Paths;
use super::sa_init::Init;
use super::window::Datagrams;
use crate::child::{DeletedChild, TrafficOf, Wanted};
use crate::config::v2::{Assign, Assignment};
use crate::config::{Dpd, DpdTimes, Retransmit, Schedule};
use crate::context::Context;
use crate::core::timers::{Deadline, DeadlineReason, deadline, earliest};
use crate::model::{ChildId, CloseReason, DropReason, Identity, IkeId, Path, Role};
use crate::policy::v2::IkeSuite;
use crate::v2::answer::Parked;
use crate::v2::frame::Frame;

/// Exchanges that may wait for room in the window.
pub(super) const MAX_QUEUE: usize = 256;
/// When a rekey that has led to nothing is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// The same when the peer was busy only (TEMPORARY_FAILURE).
const RETRY_SOON: Duration = Duration::from_secs(2);
/// How long a replaced SA is kept for messages on their way.
const DRAIN: Duration = Duration::from_secs(10);
/// The same on the side that did not start its replacement.
const DRAIN_PASSIVE: Duration = Duration::from_secs(60);

/// How long the responder of a rekey waits with requests under the new SA for a sign that the
/// initiator has it: longer than the time after which a lost response is asked for again.
const QUIET: Duration = Duration::from_secs(5);

/// SPIs remembered in [`Established::stillborn`].
const MAX_STILLBORN: usize = 16;

/// An IKE SA after IKE_AUTH.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) suite: IkeSuite,
    /// Who the peer has proved to be.
    pub(crate) remote_id: Arc<Identity>,
    /// After EAP, who the peer claims to be in its Identification payload.
    pub(crate) claimed_id: Option<Arc<Identity>>,
    /// The children of the configuration that the peer may have; `None` for all.
    pub(super) may_have: Option<Arc<[usize]>>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) fragmentation: bool,
    pub(crate) mobike: bool,
    /// What both ends synchronise after a takeover.
    pub(crate) counters: Counters,
    /// The synchronisation of ours that is under way.
    pub(super) syncing: Option<Box<Syncing>>,
    /// The newest synchronisation of the peer and what answered it.
    pub(super) synced: Option<Box<(Digest, Datagrams)>>,
    /// We are the end that decides where a MOBIKE SA runs: the original initiator.
    pub(super) mover: bool,
    /// The peer goes where we send it (RFC 5685).
    pub(super) peer_follows: bool,
    /// Where each end may be, and what is known of the paths between them.
    pub(super) paths: Paths,
    /// How the peer saw our address and port last (NAT_DETECTION_DESTINATION_IP).
    pub(super) seen_as: Option<Vec<u8>>,
    /// As responder: the addresses that the peer's side of its children is narrowed to.
    pub(super) assigned: Option<Box<Assignment>>,
    pub(crate) since: Duration,
    pub(crate) schedule: Schedule,
    /// The lower of its two nonces: both ends compare the same ones.
    pub(crate) rank: Vec<u8>,
    /// Another SA has taken over, or this one is being deleted.
    pub(crate) replaced: bool,
    /// The peer was sent to another gateway with the end of IKE_AUTH: it is to go, and gets nothing
    /// here (RFC 5685 §6).
    pub(super) passing: bool,
    pub(crate) keepalive: Option<nat_t::Keepalive>,
    pub(super) live: Liveness,
    /// Exchanges of ours under way, by message ID.
    pub(super) tasks: BTreeMap<u32, Task>,
    /// Responses to some of them, whose shared secrets the embedder computes.
    pub(super) computing: Vec<Computing>,
    /// The key pair of the exchange that is to begin next, where the embedder draws it.
    pub(super) next_pair: NextPair,
    /// Exchanges of ours that wait.
    pub(super) queue: VecDeque<Want>,
    /// A request of the peer that waits for the answer to a question.
    pub(super) parked: Option<Box<Parked>>,
    /// The peer has rekeyed the SA while a rekey of ours is under way: its successor and its rank.
    pub(super) rival: Option<(IkeId, Vec<u8>)>,
    /// SPIs of the peer that it has deleted before we had heard of them, while a negotiation of
    /// ours is under way: its answer comes late.
    pub(super) stillborn: VecDeque<u32>,
    /// Series of key exchanges that the peer has begun.
    pub(super) followed: Vec<Followed>,
    /// STATE_NOT_FOUND in a row.
    pub(super) states_lost: u8,
    /// The initiator of the rekey that has made this SA may not know it before: no request of ours.
    pub(super) quiet_until: Option<Duration>,
    pub(super) rekey_at: Option<Duration>,
    expire_at: Option<Duration>,
    drain_at: Option<Duration>,
    reauthenticate_at: Option<Duration>,
    /// When the authentication of the peer ends.
    authenticated_until: Option<Duration>,
}

/// An exchange that we want.
#[derive(Debug)]
pub(crate) enum Want {
    /// A child, new or in place of another.
    Child(Wanted),
    /// New keys for the IKE SA, with this group if the peer has asked for it.
    RekeyIke(Option<GroupId>),
    /// The next key exchange of a series.
    FollowUp(Box<FollowUp>),
    /// The end of children.
    Delete(Vec<DeletedChild>),
    /// The end of the IKE SA.
    DeleteIke(CloseReason),
    /// A sign of life.
    Liveness,
    /// The peer is to follow us (RFC 4555).
    Update,
    /// The peer is to know our other addresses.
    Addresses,
    /// The peer is to answer from where it has gone.
    Check,
    /// The peer is to skip sequence numbers (RFC 6311).
    Skip(Delta),
    /// The peer is to go to another gateway (RFC 5685).
    Redirect(IpAddr),
}

/// An exchange of ours that waits for its response.
#[derive(Debug)]
pub(crate) enum Task {
    Child(Box<ChildTask>),
    Ike(Box<IkeTask>),
    FollowUp(Box<FollowUp>),
    Delete(Vec<DeletedChild>),
    DeleteIke(CloseReason),
    Liveness,
    /// With our COOKIE2.
    Update(Vec<u8>),
    Addresses,
    /// With our COOKIE2, and where it was sent.
    Check(Vec<u8>, Path),
    Skip(Delta),
    Redirect(IpAddr),
}

impl Task {
    pub(super) const fn exchange(&self) -> ExchangeType {
        match self {
            Self::FollowUp(_) => ExchangeType::IKE_FOLLOWUP_KE,
            Self::Child(_) | Self::Ike(_) => ExchangeType::CREATE_CHILD_SA,
            _ => ExchangeType::INFORMATIONAL_V2,
        }
    }
}

impl Task {
    /// Our key pair, where it has one.
    pub(super) fn pair(&self) -> Option<&Arc<dyn ActiveKeyExchange>> {
        match self {
            Self::Child(task) => task.pair(),
            Self::Ike(task) => Some(task.pair()),
            Self::FollowUp(task) => task.pair(),
            _ => None,
        }
    }

    /// Whether it is to bring new keys for the IKE SA.
    pub(super) fn rekeys_ike(&self) -> bool {
        match self {
            Self::Ike(_) => true,
            Self::FollowUp(task) => task.child().is_none(),
            _ => false,
        }
    }

    /// The series that it belongs to.
    pub(super) fn follow_up(&self) -> Option<&FollowUp> {
        match self {
            Self::FollowUp(task) => Some(task),
            _ => None,
        }
    }
}

/// What the lifetime of the SA asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LifetimeDue {
    Rekey,
    Reauthenticate,
    Expire,
    Drained,
}

impl Established {
    pub(super) fn new(
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        init: &Init,
        proved: &Proved,
    ) -> Self {
        let now = ctx.now;
        let mut this = Self::bare(ctx, frame, init.suite, proved.remote_id.clone());
        this.claimed_id.clone_from(&proved.claimed_id);
        this.may_have.clone_from(&proved.may_have);
        this.verdict = init.verdict;
        this.fragmentation = init.peer.fragmentation;
        this.mobike = proved.mobike;
        this.counters = proved.counters;
        this.paths = Paths::new(frame.peer, proved.addresses.clone());
        this.peer_follows = init.peer.redirect;
        this.mover = frame.role == Role::Initiator;
        this.assigned.clone_from(&proved.granted);
        this.rank = init.rank();
        let own = frame.peer.v2.authentication_lifetime;
        if frame.role == Role::Responder {
            // RFC 4478 §2: what is not authenticated anew in time ends.
            this.authenticated_until = own.map(|lifetime| now.saturating_add(lifetime));
        }
        // RFC 4478 §3: in time before it is over.
        let wanted = own.into_iter().chain(proved.lifetime).min();
        let wanted = wanted.filter(|_| frame.role == Role::Initiator);
        this.reauthenticate_at = wanted.map(|lifetime| {
            let margin = frame
                .peer
                .margin
                .time
                .min(lifetime.checked_div(4).unwrap_or_default());
            now.saturating_add(lifetime.saturating_sub(margin))
        });
        this.keep_alive(frame, frame.path, now);
        this
    }

    /// The SA that takes the place of this one after a rekey.
    pub(super) fn successor(
        &self,
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        suite: IkeSuite,
        rank: Vec<u8>,
    ) -> Self {
        let mut next = Self::bare(ctx, frame, suite, self.remote_id.clone());
        next.claimed_id.clone_from(&self.claimed_id);
        next.may_have.clone_from(&self.may_have);
        next.verdict = self.verdict;
        next.fragmentation = self.fragmentation;
        next.mobike = self.mobike;
        next.counters = self.counters;
        next.paths = self.paths.inherit();
        next.peer_follows = self.peer_follows;
        // Whoever was sent away is so under new keys too.
        next.drain_at = self.drain_at.filter(|_| !self.replaced);
        next.mover = self.mover;
        next.assigned.clone_from(&self.assigned);
        next.rank = rank;
        // RFC 4478 §2: a rekey is no authentication.
        next.reauthenticate_at = self.reauthenticate_at;
        next.authenticated_until = self.authenticated_until;
        next.keep_alive(frame, frame.path, ctx.now);
        if frame.role == Role::Responder {
            next.quiet_until = Some(ctx.now.saturating_add(QUIET));
        }
        next
    }

    fn bare(
        ctx: &mut Context<'_>,
        frame: &Frame<'_>,
        suite: IkeSuite,
        remote_id: Arc<Identity>,
    ) -> Self {
        let now = ctx.now;
        let random = u32::from_be_bytes(ctx.random());
        let initiator = frame.role == Role::Initiator;
        let lifetime = frame.peer.v2.lifetime;
        let schedule = frame.peer.margin.schedule(lifetime, initiator, random);
        Self {
            suite,
            remote_id,
            claimed_id: None,
            may_have: None,
            verdict: None,
            fragmentation: false,
            mobike: false,
            counters: Counters::default(),
            syncing: None,
            synced: None,
            mover: false,
            peer_follows: false,
            paths: Paths::default(),
            seen_as: None,
            assigned: None,
            since: now,
            rekey_at: Some(now.saturating_add(schedule.soft)),
            expire_at: Some(now.saturating_add(schedule.hard)),
            schedule,
            rank: Vec::new(),
            replaced: false,
            passing: false,
            keepalive: None,
            live: Liveness::new(frame.peer.dpd, now),
            tasks: BTreeMap::new(),
            computing: Vec::new(),
            next_pair: NextPair::default(),
            queue: VecDeque::new(),
            parked: None,
            rival: None,
            stillborn: VecDeque::new(),
            followed: Vec::new(),
            states_lost: 0,
            drain_at: None,
            reauthenticate_at: None,
            authenticated_until: None,
            quiet_until: None,
        }
    }

    /// Who the children under this SA are for.
    pub(super) fn holder(&self) -> Holder<'_> {
        Holder {
            identity: &self.remote_id,
            may_have: self.may_have.as_deref(),
            assignment: self.assigned.as_deref(),
        }
    }

    /// Whether the peer has to have an address of ours before it has a child: the original initiator
    /// asks for one in IKE_AUTH, or never (RFC 7296 §3.15.4).
    pub(super) fn lacks_address(&self, frame: &Frame<'_>) -> bool {
        let required = frame.peer.addresses_inside.assign == Assign::Required;
        required && !self.mover && self.assigned.is_none()
    }

    /// Keepalives on a path where we are behind the NAT.
    pub(super) fn keep_alive(&mut self, frame: &Frame<'_>, path: Path, now: Duration) {
        let behind = self.verdict.is_some_and(Verdict::sends_keepalives);
        self.keepalive = frame
            .peer
            .nat_traversal
            .keepalive
            .filter(|_| behind && path.natt)
            .map(|interval| {
                let mut timer = nat_t::Keepalive::new(interval);
                timer.start(now);
                timer
            });
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let keepalive = self.keepalive.as_ref();
        [
            (self.rekey_at, DeadlineReason::IkeRekey),
            (self.reauthenticate_at, DeadlineReason::Reauthentication),
            (self.expire_at, DeadlineReason::IkeExpiry),
            (self.authenticated_until, DeadlineReason::IkeExpiry),
            (self.drain_at, DeadlineReason::IkeDrain),
            (self.quiet_until, DeadlineReason::Retransmit),
            (
                self.syncing.as_ref().map(|syncing| syncing.due()),
                DeadlineReason::Retransmit,
            ),
            (self.computing_until(), DeadlineReason::Question),
            (self.followed_until(), DeadlineReason::HalfOpen),
            (self.live.deadline(), DeadlineReason::Dpd),
            (
                keepalive
                    .and_then(nat_t::Keepalive::next_deadline)
                    .map(|due| due.at),
                DeadlineReason::NatKeepalive,
            ),
        ]
        .into_iter()
        .fold(None, |first, (at, why)| earliest(first, deadline(at, why)))
    }

    /// Whether a sign of life also has to show where the peer sees us (RFC 4555 §3.8).
    pub(super) fn probes(&self) -> bool {
        self.mobike && self.mover && self.verdict.is_some_and(Verdict::sends_keepalives)
    }

    /// An idle SA keeps no room for exchanges.
    pub(super) fn forget_room(&mut self) {
        if self.tasks.is_empty() {
            self.tasks = BTreeMap::new();
        }
        if self.computing.is_empty() {
            self.computing = Vec::new();
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    /// The type of the exchange of ours with this message ID.
    pub(super) fn exchange_of(&self, id: u32) -> Option<ExchangeType> {
        self.tasks.get(&id).map(Task::exchange)
    }

    /// Something authenticated came in: the peer lives.
    pub(super) fn heard(&mut self, now: Duration) {
        self.live.heard(now);
    }

    /// When something authenticated last came in.
    pub(crate) const fn last_inbound(&self) -> Duration {
        self.live.last_inbound
    }

    /// What the lifetime asks for at `now`.
    pub(super) fn lifetime_due(&mut self, now: Duration) -> Option<LifetimeDue> {
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        if due(self.expire_at) {
            self.expire_at = None;
            Some(LifetimeDue::Expire)
        } else if due(self.authenticated_until) {
            self.authenticated_until = None;
            Some(LifetimeDue::Expire)
        } else if due(self.drain_at) {
            self.drain_at = None;
            Some(LifetimeDue::Drained)
        } else if due(self.reauthenticate_at) {
            self.reauthenticate_at = Some(now.saturating_add(RETRY));
            Some(LifetimeDue::Reauthenticate)
        } else if due(self.rekey_at) {
            self.rekey_at = Some(now.saturating_add(RETRY));
            Some(LifetimeDue::Rekey)
        } else {
            None
        }
    }

    /// Whether an exchange of this kind waits already.
    pub(super) fn waits(&self, want: &Want) -> bool {
        let kind = core::mem::discriminant(want);
        let mut queue = self.queue.iter();
        queue.any(|waiting| core::mem::discriminant(waiting) == kind)
    }

    /// An error, if an exchange of this kind can neither wait nor does wait already.
    pub(super) fn has_room_for(&self, want: &Want) -> Result<(), DropReason> {
        if self.queue.len() < MAX_QUEUE || self.waits(want) {
            Ok(())
        } else {
            Err(DropReason::Limit("waiting exchanges"))
        }
    }

    /// A rekey has to be tried again: soon when the peer was busy only.
    pub(super) fn retry_rekey(&mut self, now: Duration, busy: bool) {
        if !self.replaced {
            let wait = if busy { RETRY_SOON } else { RETRY };
            self.rekey_at = Some(now.saturating_add(wait));
        }
    }

    /// Another SA has taken over. `ours` says that it is on us to delete this one.
    pub(crate) fn retire(&mut self, now: Duration, ours: bool) {
        if !self.replaced {
            self.replaced = true;
            self.rekey_at = None;
            self.reauthenticate_at = None;
            self.drain_at = Some(now.saturating_add(if ours { DRAIN } else { DRAIN_PASSIVE }));
        }
    }

    /// It is over at this time, unless the peer deletes it before.
    pub(super) fn leave_at(&mut self, at: Duration) {
        if !self.replaced {
            self.drain_at = Some(at);
        }
    }

    /// The SA that had replaced this one is gone.
    pub(crate) fn reinstate(&mut self, now: Duration) {
        if self.replaced && !self.is_closing() {
            self.replaced = false;
            self.drain_at = None;
            self.rekey_at = Some(now.saturating_add(RETRY));
        }
    }

    /// No timer but those of its last exchange.
    pub(super) fn closing(&mut self) {
        self.replaced = true;
        self.rekey_at = None;
        self.reauthenticate_at = None;
        self.expire_at = None;
        self.authenticated_until = None;
        self.drain_at = None;
        self.keepalive = None;
        self.live = Liveness::new(Dpd::Off, Duration::ZERO);
    }

    /// Whether we are deleting it.
    pub(super) fn is_closing(&self) -> bool {
        self.closing_reason().is_some()
    }

    /// Why we are deleting it.
    pub(crate) fn closing_reason(&self) -> Option<CloseReason> {
        let task = self.tasks.values().find_map(|t| match t {
            Task::DeleteIke(reason) => Some(*reason),
            _ => None,
        });
        let want = self.queue.iter().find_map(|w| match w {
            Want::DeleteIke(reason) => Some(*reason),
            _ => None,
        });
        task.or(want)
    }

    /// Whether a rekey of the IKE SA of ours is under way.
    pub(super) fn is_rekeying(&self) -> bool {
        self.tasks.values().any(|t| matches!(t, Task::Ike(_))) || self.is_rekeyed_by_series()
    }

    /// The same, with all but additional key exchanges over.
    pub(super) fn is_rekeyed_by_series(&self) -> bool {
        self.follow_ups().any(|task| task.child().is_none())
    }

    /// Whether the peer has begun what this has to wait for.
    pub(super) fn waits_for_peer(&self, want: &Want) -> bool {
        let rekeys = self.followed.iter().any(Followed::is_ike);
        rekeys && matches!(want, Want::Child(_))
    }

    /// Whether a negotiation or deletion of children of ours is under way.
    pub(super) fn is_changing_children(&self) -> bool {
        self.makes_children() || self.tasks.values().any(|t| matches!(t, Task::Delete(_)))
    }

    /// Whether a negotiation of a child of ours is under way.
    pub(super) fn makes_children(&self) -> bool {
        self.tasks.values().any(|t| matches!(t, Task::Child(_)))
            || self.follow_ups().any(|task| task.child().is_some())
    }

    /// The peer has rekeyed a child that we may be rekeying: decided when the response to ours is
    /// here (RFC 7296 §2.8.1).
    pub(super) fn crossed(&mut self, old: ChildId, rank: &[u8]) {
        for task in self.tasks.values_mut() {
            if let Task::Child(task) = task
                && task.offered.wanted.replaces == Some(old)
            {
                task.crossed(rank);
            }
        }
    }

    /// The peer deletes a child that we do not know.
    pub(super) fn deleted_unknown(&mut self, spi_out: u32) {
        if self.makes_children() {
            self.stillborn.truncate(MAX_STILLBORN.saturating_sub(1));
            self.stillborn.push_front(spi_out);
        }
    }

    /// Whether we are deleting the child with this outbound SPI.
    pub(super) fn is_deleting(&self, spi_out: u32) -> bool {
        let has = |list: &Vec<DeletedChild>| list.iter().any(|c| c.spi_out == spi_out);
        let task = |t: &Task| matches!(t, Task::Delete(list) if has(list));
        let want = |w: &Want| matches!(w, Want::Delete(list) if has(list));
        self.tasks.values().any(task) || self.queue.iter().any(want)
    }

    /// The children that are negotiated or about to be.
    fn wanted(&self) -> impl Iterator<Item = &Wanted> + '_ {
        let tasks = self.tasks.values().filter_map(|t| match t {
            Task::Child(task) => Some(&task.offered.wanted),
            _ => None,
        });
        let queue = self.queue.iter().filter_map(|w| match w {
            Want::Child(wanted) => Some(wanted),
            _ => None,
        });
        let series = self.follow_ups().filter_map(FollowUp::child);
        tasks.chain(queue).chain(series.map(|o| &o.wanted))
    }

    /// Whether a negotiation of ours for this child of the configuration is under way.
    pub(crate) fn negotiates(&self, config: usize) -> bool {
        self.wanted().any(|w| w.traffic.config == config)
    }

    /// Whether a negotiation of ours for this traffic is under way.
    pub(crate) fn negotiates_traffic(&self, traffic: &TrafficOf) -> bool {
        self.wanted().any(|w| w.traffic == *traffic)
    }
}

/// Liveness of the peer: an empty INFORMATIONAL request when it has been silent (RFC 7296 §2.4).
#[derive(Debug)]
pub(super) struct Liveness {
    policy: Dpd,
    last_inbound: Duration,
    /// Something was sent since something came in.
    outbound: bool,
    /// A request is out, or about to be.
    asking: bool,
}

impl Liveness {
    const fn new(policy: Dpd, now: Duration) -> Self {
        Self {
            policy,
            last_inbound: now,
            outbound: false,
            asking: false,
        }
    }

    const fn times(&self) -> Option<(DpdTimes, bool)> {
        match self.policy {
            Dpd::OnTraffic(times) => Some((times, false)),
            Dpd::Periodic(times) => Some((times, true)),
            Dpd::Off => None,
        }
    }

    fn heard(&mut self, now: Duration) {
        self.last_inbound = self.last_inbound.max(now);
        self.outbound = false;
        self.asking = false;
    }

    pub(super) const fn sent(&mut self) {
        self.outbound = true;
    }

    fn deadline(&self) -> Option<Duration> {
        let (times, periodic) = self.times()?;
        // An interval of zero would ask without end.
        let idle = times.idle.max(Duration::from_millis(100));
        let waits = !self.asking && (periodic || self.outbound);
        waits.then(|| self.last_inbound.saturating_add(idle))
    }

    /// Whether to ask now.
    pub(super) fn due(&self, now: Duration) -> bool {
        self.deadline().is_some_and(|at| at <= now)
    }

    /// A question is out, or about to be.
    pub(super) const fn asking(&mut self) {
        self.asking = true;
    }

    /// How a question is repeated: as configured for dead peer detection.
    pub(super) fn patience(&self, usual: &Retransmit) -> Retransmit {
        let Some((times, _)) = self.times() else {
            return *usual;
        };
        Retransmit {
            first: times.retry,
            growth_percent: 100,
            longest: times.retry,
            tries: times.tries.saturating_sub(1),
            jitter_percent: 0,
        }
    }
}
