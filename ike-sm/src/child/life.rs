//! What happens to a child: installed, activated, used, replaced, removed.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crypto_suite::Secret;

use super::{Child, ChildState, ReservedSpi};
use crate::config::{ChildConfig, ReverseRoute, Schedule};
use crate::context::Context;
use crate::core::effects::{Effect, TimerKey};
use crate::event::{Action, ChildSa, ChildUpdate, KeyLog, Traffic};
use crate::model::{
    ChildId, ChildLifetime, ChildSuite, ChildTerms, CloseReason, Identity, IkeId, Route, Selector,
    Selectors,
};
use crate::peer::standing::Device;

/// How long a replaced child takes packets in before the side that replaced it deletes it.
const DRAIN: Duration = Duration::from_secs(10);
/// The same on the other side, which normally hears of the deletion before.
const DRAIN_PASSIVE: Duration = Duration::from_secs(60);
/// How long after that the end of a pair of IKEv1 reaches the peer.
const LINGER: Duration = Duration::from_secs(2);
/// How long a pair of IKEv2 whose time is over waits for the answer to its Delete.
const LINGER_EXPIRED: Duration = Duration::from_secs(5);
/// How long, at least and at most, a new pair of IKEv2 waits for the peer's first packet while an
/// older one carries the traffic (RFC 7296 §2.8: "until either it receives one or a timeout has
/// occurred").
const SWITCH: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// A pair of the peer's that comes up within this time after one of ours has crossed it on the way.
const CROSSING: Duration = Duration::from_secs(2);
/// When a rekey is tried again that found the peer busy.
const BUSY_RETRY: Duration = Duration::from_secs(1);
/// Sequence numbers of 32 bits that are missed when they are skipped at once.
const LONG_JUMP: u64 = 1 << 30;
/// When a rekey that has led to nothing is tried again, at the latest.
const REKEY_RETRY: Duration = Duration::from_secs(30);
/// And at the earliest.
const REKEY_PAUSE: Duration = Duration::from_secs(1);

/// What a negotiation has agreed on.
pub(crate) struct NewChild {
    pub(crate) id: ChildId,
    pub(crate) ike: IkeId,
    pub(crate) device: Device,
    pub(crate) peer: usize,
    pub(crate) config: usize,
    pub(crate) remote_id: Arc<Identity>,
    pub(crate) initiator: bool,
    pub(crate) terms: ChildTerms,
    /// Keeps `terms.spi_in` for it.
    pub(crate) spi_in: ReservedSpi,
    pub(crate) keys_in: Secret,
    pub(crate) keys_out: Secret,
    pub(crate) replaces: Option<ChildId>,
    pub(crate) names_replaced: bool,
    pub(crate) rank: Vec<u8>,
    pub(crate) schedule: Schedule,
}

fn child_config<'a>(ctx: &'a Context<'_>, peer: usize, config: usize) -> Option<&'a ChildConfig> {
    ctx.config.peers.get(peer)?.children.get(config)
}

fn lifetime(schedule: &Schedule) -> ChildLifetime {
    ChildLifetime {
        soft: Some(schedule.soft),
        hard: Some(schedule.hard),
        soft_bytes: schedule.soft_bytes,
        hard_bytes: schedule.hard_bytes,
    }
}

/// Installs a new pair: from here on packets are taken in on it.
pub(crate) fn install(ctx: &mut Context<'_>, new: NewChild) {
    let peer_name: String = ctx
        .config
        .peers
        .get(new.peer)
        .map(|peer| peer.name.clone())
        .unwrap_or_default();
    let (name, idle_timeout, reverse_route, shared) = child_config(ctx, new.peer, new.config)
        .map(|c| (c.name.clone(), c.idle_timeout, c.reverse_route, c.shared))
        .unwrap_or_default();
    let now = ctx.now;
    log_keys(ctx, &new);
    ctx.actions.push(Action::InstallChild(Box::new(ChildSa {
        id: new.id,
        ike: new.ike,
        peer: peer_name,
        name,
        terms: new.terms.clone(),
        keys_in: new.keys_in,
        keys_out: new.keys_out,
        lifetime: lifetime(&new.schedule),
        replaces: new.replaces,
        initiator: new.initiator,
    })));
    let routes = routes(reverse_route, &new.terms.remote, new.terms.path.remote.ip());
    let mut child = Child {
        id: new.id,
        peer: new.peer,
        config: new.config,
        remote_id: new.remote_id,
        device: new.device,
        made_by: new.ike,
        ike: new.ike,
        initiator: new.initiator,
        terms: new.terms,
        shared,
        replaces: new.replaces,
        names_replaced: new.names_replaced,
        rank: new.rank,
        state: ChildState::Inbound,
        told: false,
        expired: false,
        schedule: new.schedule,
        started: now,
        activated: None,
        used: Traffic::default(),
        last_inbound: None,
        last_outbound: None,
        idle_timeout,
        routes,
        send_at: None,
        rekey_at: None,
        expire_at: None,
        drain_at: None,
        idle_at: None,
    };
    child.expire_at = Some(now.saturating_add(new.schedule.hard));
    ctx.world.children.insert(Box::new(child));
    ctx.touch(TimerKey::Child(new.id));
}

fn routes(wanted: ReverseRoute, remote: &Selectors, via: core::net::IpAddr) -> Vec<Route> {
    let nets = remote.iter().map(|net| Route {
        destination: *net,
        via,
    });
    let host = Route {
        destination: Selector::host(via),
        via,
    };
    match wanted {
        ReverseRoute::Off => Vec::new(),
        ReverseRoute::WithSa => nets.collect(),
        ReverseRoute::WithSaAndPeer => nets.chain([host]).collect(),
    }
}

fn log_keys(ctx: &mut Context<'_>, new: &NewChild) {
    let ChildSuite::Esp(suite) = new.terms.suite else {
        return;
    };
    if !ctx.config.key_log {
        return;
    }
    let (here, there) = (new.terms.path.local.ip(), new.terms.path.remote.ip());
    for (source, destination, spi, keys) in [
        (there, here, new.spi_in.get(), new.keys_in.clone()),
        (here, there, new.terms.spi_out, new.keys_out.clone()),
    ] {
        ctx.actions.push(Action::KeyLog(KeyLog::Esp {
            source,
            destination,
            spi,
            suite,
            keys,
        }));
    }
}

/// The peer has shown that it has its half: packets may go out on it.
///
/// When two pairs for the same traffic came up because both ends started at once, both ends must
/// keep the same one. Neither RFC 2409 nor its successors say which; as in RFC 7296 §2.25 the one
/// with the lowest nonce goes, and the end that had started it deletes it. Until then both take
/// packets in, so nothing is lost whichever way the messages crossed.
pub(crate) fn activate(ctx: &mut Context<'_>, id: ChildId) {
    let now = ctx.now;
    let Some(new) = ctx
        .world
        .children
        .get(id)
        .filter(|c| c.state == ChildState::Inbound)
    else {
        return;
    };
    // Of a negotiation of ours it is known what it replaces. One of the peer may have started
    // before it knew of ours, although its first message arrived when ours was up.
    let collides = |old: &Child| {
        if new.names_replaced {
            // RFC 7296 §2.8.1: both ends have replaced the same pair, or both have made a first one
            // before they could know of the other's.
            let unaware = new.replaces.is_some() || came_at_once(ctx, new, old);
            return old.initiator != new.initiator && new.replaces == old.replaces && unaware;
        }
        let apart = now.saturating_sub(old.activated.unwrap_or(old.started));
        let unaware = old.initiator && apart < CROSSING;
        old.initiator != new.initiator && (new.replaces != Some(old.id) || unaware)
    };
    // What waits for its peer gives way to what comes after it, and to what has won against it.
    let passed = |old: &Child| {
        let rekeys = new.names_replaced && new.replaces.is_some();
        rekeys && (new.replaces == Some(old.id) || collides(old))
    };
    let stands = |c: &&Child| match c.state {
        ChildState::Active => true,
        ChildState::Inbound => passed(c),
        ChildState::Retiring => false,
    };
    let children = ctx.world.children.of_device(new.device);
    let rivals: Vec<&Child> = children.filter(|c| new.rivals(c)).filter(stands).collect();
    // The last message of an older negotiation may come behind that of a newer one.
    let overtaken = |old: &Child| old.initiator == new.initiator && old.id > new.id;
    let loses = rivals
        .iter()
        .any(|old| overtaken(old) || (collides(old) && old.rank > new.rank));
    let initiator = new.initiator;
    if loses {
        return retire(ctx, id, initiator);
    }
    let old: Vec<(ChildId, bool)> = rivals.iter().map(|c| (c.id, collides(c))).collect();
    let mut carried = rivals.iter().filter(|c| c.state == ChildState::Active);
    let replaces = carried.next_back().map(|c| c.id);
    if let Some(child) = ctx.world.children.get_mut(id) {
        let rekey_at = child.started.saturating_add(child.schedule.soft);
        child.rekey_at = Some(rekey_at.max(now));
        child.send_at = None;
        child.idle_at = child.idle_timeout.map(|idle| now.saturating_add(idle));
    }
    let_out(ctx, id, replaces);
    for (old, collided) in old {
        // The loser of a collision is deleted by the end that started it; any other old one by
        // the end that started its replacement.
        retire(ctx, old, if collided { !initiator } else { initiator });
    }
    bound_retiring(ctx, id);
    ctx.effect(Effect::ChildActive(id));
}

/// A peer of IKEv1 replaces pair after pair and deletes none: the oldest go. (One of IKEv2 is told to
/// wait before it gets another.)
fn bound_retiring(ctx: &mut Context<'_>, id: ChildId) {
    let children = &ctx.world.children;
    if children.get(id).is_none_or(|child| child.names_replaced) {
        return;
    }
    let rivals = children.rivals_of(id).into_iter();
    let retiring = |id: &ChildId| {
        let child = children.get(*id);
        child.is_some_and(|c| c.state == ChildState::Retiring && !c.told)
    };
    let retiring: Vec<ChildId> = rivals.filter(retiring).collect();
    let beyond = retiring.len();
    let beyond = beyond.saturating_sub(ctx.config.limits.replaced_per_peer);
    for old in retiring.into_iter().take(beyond) {
        ctx.effect(Effect::DeleteChild(old, CloseReason::Replaced));
    }
}

/// Whether two first pairs were negotiated from both ends at about the same time: those of two IKE
/// SAs, when these were.
fn came_at_once(ctx: &Context<'_>, new: &Child, old: &Child) -> bool {
    if new.ike == old.ike {
        return new.started <= old.started.saturating_add(CROSSING);
    }
    let standing = &ctx.world.standing;
    let both = standing.get(new.ike).zip(standing.get(old.ike));
    both.is_some_and(|(new, old)| new.crosses(old))
}

/// Lets packets out on a new pair, unless the peer has made it and another one carries the traffic:
/// then the peer has to show that it has this one (RFC 7296 §2.8), and nothing is lost meanwhile.
/// The other one may be of a life of the peer that is over, so the wait ends, unless the new one was
/// made to replace it: "When rekeying an SA, the responder continues to send traffic on the old SA".
pub(crate) fn activate_first(ctx: &mut Context<'_>, id: ChildId) {
    if ctx.world.children.get(id).is_some_and(|c| c.initiator) {
        // RFC 7296 §2.8: "The initiator MAY begin sending on an SA as soon as it processes the
        // response."
        return activate(ctx, id);
    }
    let rivals = ctx.world.children.rivals_of(id);
    let carries = |rival: &ChildId| {
        let state = ctx.world.children.get(*rival).map(|c| c.state);
        state == Some(ChildState::Active)
    };
    if !rivals.iter().any(carries) {
        return activate(ctx, id);
    }
    let Some(child) = ctx.world.children.get_mut(id) else {
        return;
    };
    if child.replaces.is_none() {
        // Our response is there within the time that the IKE SA took to come up with this child: that
        // was a round trip at least.
        let parent = ctx.world.standing.get(child.made_by);
        let parent = parent.filter(|parent| parent.since == child.started);
        let wait = parent.map_or(SWITCH.1, |p| p.since.saturating_sub(p.created));
        child.send_at = Some(ctx.now.saturating_add(wait.clamp(SWITCH.0, SWITCH.1)));
    }
    ctx.touch(TimerKey::Child(id));
}

/// A rekey of ours has come through, but the peer's of the same pair has won: ours goes (RFC 7296
/// §2.8.1), while there is another one to carry the traffic.
pub(crate) fn give_way(ctx: &mut Context<'_>, id: ChildId) {
    let rivals = ctx.world.children.rivals_of(id);
    let stands = |id: &ChildId| ctx.world.children.get(*id).is_some_and(Child::is_current);
    if rivals.iter().any(stands) {
        retire(ctx, id, true);
    } else {
        activate(ctx, id);
    }
}

/// Packets go out on a pair from here on.
fn let_out(ctx: &mut Context<'_>, id: ChildId, replaces: Option<ChildId>) {
    let Some(child) = ctx.world.children.get_mut(id) else {
        return;
    };
    child.state = ChildState::Active;
    let routes = match child.activated {
        Some(_) => Vec::new(),
        None => child.routes.clone(),
    };
    child.activated = child.activated.or(Some(ctx.now));
    for route in routes {
        let users = ctx.world.children.routes.entry(route).or_insert(0);
        *users = users.saturating_add(1);
        if *users == 1 {
            ctx.actions.push(Action::AddRoute(route));
        }
    }
    let update = ChildUpdate::Activate { replaces };
    ctx.actions.push(Action::UpdateChild(id, update));
    ctx.touch(TimerKey::Child(id));
}

/// Another pair has its place: takes packets in for a while, then goes. `ours` says that it is on
/// us to delete it.
pub(crate) fn retire(ctx: &mut Context<'_>, id: ChildId, ours: bool) {
    let now = ctx.now;
    let Some(child) = ctx.world.children.get_mut(id) else {
        return;
    };
    child.state = ChildState::Retiring;
    child.send_at = None;
    child.rekey_at = None;
    child.idle_at = None;
    child.drain_at = Some(now.saturating_add(if ours { DRAIN } else { DRAIN_PASSIVE }));
    ctx.touch(TimerKey::Child(id));
}

/// The peer is being told of the end of a pair that another one has replaced. Packets that it sends
/// before it has heard of it are not lost: the pair goes when the peer has answered, or after a
/// while where nothing is answered (IKEv1).
pub(crate) fn linger(ctx: &mut Context<'_>, id: ChildId, answered: bool) {
    // The IKE SA may end before the answer comes.
    let wait = if answered { DRAIN_PASSIVE } else { LINGER };
    let until = ctx.now.saturating_add(wait);
    if let Some(child) = ctx.world.children.get_mut(id) {
        child.told = true;
        child.drain_at = Some(until);
    }
    ctx.touch(TimerKey::Child(id));
}

/// The time of a pair is over, and the peer is being told. Nothing goes out on it any more; what the
/// peer sends before it has heard of the end still comes in, for some seconds at most.
///
/// RFC 4301 §4.4.2.1 has the SA end with its hard lifetime, and calls the details of how keys are
/// refreshed then "a local matter". Each end enforces a time of its own (RFC 7296 §2.8), which the
/// other does not know: it sends on until it has processed the Delete. Seconds more weaken no key.
/// What does is volume, and who has used that up gets no such time.
pub(crate) fn expire(ctx: &mut Context<'_>, id: ChildId, answered: bool) {
    let wait = if answered { LINGER_EXPIRED } else { LINGER };
    let until = ctx.now.saturating_add(wait);
    let Some(child) = ctx.world.children.get_mut(id) else {
        return;
    };
    let sent = child.state == ChildState::Active;
    let told_before = child.drain_at.filter(|_| child.told);
    child.state = ChildState::Retiring;
    (child.told, child.expired) = (true, true);
    (child.send_at, child.rekey_at, child.idle_at) = (None, None, None);
    child.expire_at = None;
    child.drain_at = Some(told_before.map_or(until, |at| at.min(until)));
    let routes = sent.then(|| core::mem::take(&mut child.routes));
    ctx.touch(TimerKey::Child(id));
    let Some(routes) = routes else { return };
    withdraw(ctx, routes);
    ctx.actions
        .push(Action::UpdateChild(id, ChildUpdate::StopSending));
    let child = ctx.world.children.get(id);
    let waiting = child.map(|child| waiting_for(ctx, child, CloseReason::Expired));
    for successor in waiting.unwrap_or_default() {
        activate(ctx, successor);
    }
}

/// New pairs that waited for their peer to show itself and wait no longer when this one carries
/// nothing any more: RFC 7296 §2.8 says so of the one that replaces what goes.
fn waiting_for(ctx: &Context<'_>, gone: &Child, reason: CloseReason) -> Vec<ChildId> {
    let rivals = || {
        let children = ctx.world.children.of_device(gone.device);
        children.filter(|c| gone.rivals(c))
    };
    let carried = rivals().any(|c| c.state == ChildState::Active);
    rivals()
        .filter(|c| c.state == ChildState::Inbound)
        .filter(|c| match c.names_replaced {
            true => c.replaces == Some(gone.id) || !carried,
            false => reason == CloseReason::DeletedByPeer,
        })
        .map(|c| c.id)
        .collect()
}

/// Withdraws routes that no other child wants.
fn withdraw(ctx: &mut Context<'_>, routes: Vec<Route>) {
    for route in routes {
        let Some(users) = ctx.world.children.routes.get_mut(&route) else {
            continue;
        };
        *users = users.saturating_sub(1);
        if *users == 0 {
            ctx.world.children.routes.remove(&route);
            ctx.actions.push(Action::DelRoute(route));
        }
    }
}

/// Removes a pair at our side. When the peer, or its age, has ended the active one of two, the
/// retiring one takes over again: the two ends may have judged a collision differently.
pub(crate) fn remove(ctx: &mut Context<'_>, id: ChildId, reason: CloseReason) {
    let Some(child) = ctx.world.children.remove(id) else {
        return;
    };
    ctx.touch(TimerKey::Child(id));
    for successor in waiting_for(ctx, &child, reason) {
        activate(ctx, successor);
    }
    let unforeseen = matches!(reason, CloseReason::DeletedByPeer | CloseReason::Timeout);
    if child.state == ChildState::Active && unforeseen {
        let now = ctx.now;
        let heir = ctx
            .world
            .children
            .of_device(child.device)
            // The peer has no half any more of what it has been told to delete.
            .filter(|c| c.state == ChildState::Retiring && !c.told && child.rivals(c))
            .max_by_key(|c| c.started)
            .map(|c| c.id);
        if let Some(heir) = heir.and_then(|heir| ctx.world.children.get_mut(heir)) {
            heir.drain_at = None;
            heir.rekey_at = Some(
                heir.started
                    .saturating_add(heir.schedule.soft)
                    .max(now.saturating_add(DRAIN)),
            );
            let heir = heir.id;
            let_out(ctx, heir, Some(id));
        }
    }
    ctx.actions.push(Action::RemoveChild {
        child: id,
        spi_in: child.terms.spi_in,
        reason,
    });
    if child.activated.is_some() {
        withdraw(ctx, child.routes);
    }
}

/// When a rekey that leads to nothing is tried again: some times before the pair expires.
fn next_rekey(child: &Child, now: Duration) -> Duration {
    let left = child.expire_at.map(|at| at.saturating_sub(now));
    let part = left.and_then(|left| left.checked_div(4));
    let wait = part.unwrap_or(REKEY_RETRY).min(REKEY_RETRY);
    now.saturating_add(wait.max(REKEY_PAUSE))
}

/// A rekey has been refused, in all ways that it may be asked for.
pub(crate) fn rekey_failed(ctx: &mut Context<'_>, id: ChildId) {
    let now = ctx.now;
    if let Some(child) = ctx.world.children.get_mut(id)
        && child.rekey_at.is_some()
    {
        child.rekey_at = Some(next_rekey(child, now));
    }
    ctx.touch(TimerKey::Child(id));
}

/// A rekey found the peer busy: it is tried again soon, at a time of our own (RFC 7296 §2.25).
pub(crate) fn retry_soon(ctx: &mut Context<'_>, id: ChildId) {
    let jitter = u64::from(ctx.random::<1>()[0]).saturating_mul(8);
    let at = ctx
        .now
        .saturating_add(BUSY_RETRY)
        .saturating_add(Duration::from_millis(jitter));
    if let Some(child) = ctx.world.children.get_mut(id)
        && child.state == ChildState::Active
    {
        child.rekey_at = Some(at);
    }
    ctx.touch(TimerKey::Child(id));
}

/// The outbound SA skips sequence numbers. After a long jump without extended numbers new keys come
/// soon, so that there are always some left (RFC 6311 §5.2).
pub(crate) fn skip(ctx: &mut Context<'_>, id: ChildId, count: u64) {
    let Some(child) = ctx.world.children.get(id) else {
        return;
    };
    let long = !child.terms.esn && count >= LONG_JUMP;
    let skip = ChildUpdate::SkipSequence(count);
    ctx.actions.push(Action::UpdateChild(id, skip));
    if long {
        retry_soon(ctx, id);
    }
}

/// Whether it is too early to replace a pair, which is done later then: the peer that has made one
/// of IKEv1 a moment ago would take its replacement for one that has crossed it on the way.
pub(crate) fn postpone(ctx: &mut Context<'_>, id: ChildId) -> bool {
    let now = ctx.now;
    let child = ctx.world.children.get_mut(id);
    let Some(child) = child.filter(|c| !c.initiator && !c.names_replaced) else {
        return false;
    };
    let at = child
        .activated
        .unwrap_or(child.started)
        .saturating_add(CROSSING);
    let early = now < at;
    if early {
        child.rekey_at = Some(at);
        ctx.touch(TimerKey::Child(id));
    }
    early
}

/// The peer has told a shorter lifetime (RFC 2407 §4.6.3.1).
pub(crate) fn shorten(ctx: &mut Context<'_>, id: ChildId, schedule: Schedule) {
    let now = ctx.now;
    let Some(child) = ctx.world.children.get_mut(id) else {
        return;
    };
    child.schedule = schedule;
    child.expire_at = Some(child.started.saturating_add(schedule.hard));
    if child.rekey_at.is_some() {
        child.rekey_at = Some(child.started.saturating_add(schedule.soft).max(now));
    }
    ctx.actions.push(Action::UpdateChild(
        id,
        ChildUpdate::Lifetime(lifetime(&schedule)),
    ));
    ctx.touch(TimerKey::Child(id));
}

/// What went through a pair.
pub(crate) fn on_traffic(ctx: &mut Context<'_>, id: ChildId, traffic: Traffic) {
    let now = ctx.now;
    let Some(child) = ctx.world.children.get_mut(id) else {
        return;
    };
    let used = &mut child.used;
    used.inbound_packets = used.inbound_packets.saturating_add(traffic.inbound_packets);
    used.inbound_bytes = used.inbound_bytes.saturating_add(traffic.inbound_bytes);
    used.outbound_packets = used
        .outbound_packets
        .saturating_add(traffic.outbound_packets);
    used.outbound_bytes = used.outbound_bytes.saturating_add(traffic.outbound_bytes);
    if traffic.inbound_packets > 0 {
        child.last_inbound = Some(now);
    }
    if traffic.outbound_packets > 0 {
        child.last_outbound = Some(now);
    }
    if child.idle_at.is_some() && traffic != Traffic::default() {
        child.idle_at = child.idle_timeout.map(|idle| now.saturating_add(idle));
    }
    let most = child.used.inbound_bytes.max(child.used.outbound_bytes);
    let over = |limit: Option<u64>| limit.is_some_and(|limit| most >= limit);
    if over(child.schedule.hard_bytes) {
        ctx.effect(Effect::DeleteChild(id, CloseReason::Expired));
    } else if over(child.schedule.soft_bytes) && child.rekey_at.is_some() {
        // The volume margin is used once; if the rekey fails, the time margin tries again.
        child.schedule.soft_bytes = None;
        ctx.effect(Effect::RekeyChild(id));
    }
    ctx.touch(TimerKey::Child(id));
}

/// A deadline of a pair has come.
pub(crate) fn on_deadline(ctx: &mut Context<'_>, id: ChildId) {
    let now = ctx.now;
    let Some(child) = ctx.world.children.get_mut(id) else {
        return;
    };
    let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
    let effect = if child.told && due(child.drain_at) {
        // Whatever else is due: its time to wait for the peer is over.
        child.drain_at = Some(now.saturating_add(REKEY_RETRY));
        Some(Effect::RemoveChild(id, child.end_reason()))
    } else if due(child.expire_at) {
        child.expire_at = Some(now.saturating_add(REKEY_RETRY));
        Some(Effect::ExpireChild(id))
    } else if due(child.drain_at) {
        child.drain_at = Some(now.saturating_add(REKEY_RETRY));
        Some(Effect::DeleteChild(id, CloseReason::Replaced))
    } else if due(child.send_at) {
        child.send_at = None;
        activate(ctx, id);
        None
    } else if due(child.idle_at) {
        child.idle_at = None;
        Some(Effect::DeleteChild(id, CloseReason::Idle))
    } else if due(child.rekey_at) {
        child.rekey_at = Some(next_rekey(child, now));
        Some(Effect::RekeyChild(id))
    } else {
        None
    };
    if let Some(effect) = effect {
        ctx.effect(effect);
    }
    ctx.touch(TimerKey::Child(id));
}
