//! Narrowing of traffic selectors (RFC 7296 §2.9).
//!
//! Policy and request are products of two sides, so each side narrows on its own. ICMP's type and
//! code stand where ports do (RFC 7296 §3.13.1) and narrow alike.

use alloc::string::String;
use alloc::vec::Vec;

use isakmp_wire::v2::{Ports, TrafficSelector, TrafficSelectors};

use super::Listener;
use crate::model::{Selector, Selectors};

/// What a responder grants of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowed {
    /// Our side.
    pub local: Selectors,
    /// The peer's side.
    pub remote: Selectors,
    /// All that was asked for is granted.
    pub whole: bool,
    /// The first selector of each side is granted in full: the packet that triggered the request,
    /// if one did.
    pub first_choice: bool,
    /// More would be acceptable, in a child of its own: ADDITIONAL_TS_POSSIBLE.
    pub additional_possible: bool,
}

/// How selectors of a request were narrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NarrowRecord {
    /// The child's name in the configuration.
    pub child: String,
    /// Our side, per selector asked for.
    pub local: Vec<SelectorRecord>,
    /// The peer's side, per selector asked for.
    pub remote: Vec<SelectorRecord>,
    /// What is granted; `None` when nothing is.
    pub granted: Option<(Selectors, Selectors)>,
}

/// One selector that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectorRecord {
    /// The selector.
    pub asked: Selector,
    /// What of it the child's configuration has; nothing when it has none of it.
    pub common: Vec<Selector>,
}

/// A child's configuration as far as narrowing needs it.
#[derive(Clone, Copy, Debug)]
pub struct NarrowPolicy<'a> {
    /// The child's name.
    pub child: &'a str,
    /// Our side.
    pub local: &'a Selectors,
    /// The peer's side.
    pub remote: &'a Selectors,
    /// Quirk: the peer takes one selector of each side and no more.
    pub one_ts_per_child: bool,
}

/// Narrows what an initiator asks for to what a child's configuration has. `None` when the two have
/// nothing in common: TS_UNACCEPTABLE. `report` is told of every selector.
pub fn narrow(
    policy: &NarrowPolicy<'_>,
    asked_local: &Selectors,
    asked_remote: &Selectors,
    report: Listener<'_, NarrowRecord>,
) -> Option<Narrowed> {
    let (local, remote) = (
        records(policy.local, asked_local),
        records(policy.remote, asked_remote),
    );
    let granted = grant(policy, &local, &remote);
    if let Some(report) = report {
        let pair = granted.as_ref();
        report(NarrowRecord {
            child: policy.child.into(),
            granted: pair.map(|g| (g.local.clone(), g.remote.clone())),
            local,
            remote,
        });
    }
    granted
}

fn records(ours: &Selectors, asked: &Selectors) -> Vec<SelectorRecord> {
    let record = |asked: &Selector| SelectorRecord {
        asked: *asked,
        common: ours.iter().filter_map(|o| o.intersect(asked)).collect(),
    };
    asked.iter().map(record).collect()
}

fn grant(
    policy: &NarrowPolicy<'_>,
    local: &[SelectorRecord],
    remote: &[SelectorRecord],
) -> Option<Narrowed> {
    let has = |side: &[Selector], v4: bool| side.iter().any(|s| s.start().is_ipv4() == v4);
    let (mut l, mut r) = (widest(local), widest(remote));
    // A family on one side only carries no packet.
    for v4 in [true, false] {
        if !(has(&l, v4) && has(&r, v4)) {
            l.retain(|s| s.start().is_ipv4() != v4);
            r.retain(|s| s.start().is_ipv4() != v4);
        }
    }
    let mut additional_possible = false;
    let (l, r) = if policy.one_ts_per_child && (l.len() > 1 || r.len() > 1) {
        additional_possible = true;
        let one = one_of(local, &l)?;
        let same_family: Vec<Selector> = r
            .iter()
            .filter(|s| s.start().is_ipv4() == one.start().is_ipv4())
            .copied()
            .collect();
        (
            Selectors::from(one),
            Selectors::from(one_of(remote, &same_family)?),
        )
    } else {
        additional_possible |= l.len() > Selectors::MAX || r.len() > Selectors::MAX;
        (bounded(l)?, bounded(r)?)
    };
    let covers = |granted: &Selectors, asked: &Selector| granted.iter().any(|g| g.contains(asked));
    let all = |granted: &Selectors, side: &[SelectorRecord]| {
        side.iter().all(|record| covers(granted, &record.asked))
    };
    let first = |granted: &Selectors, side: &[SelectorRecord]| {
        side.first()
            .is_some_and(|record| covers(granted, &record.asked))
    };
    Some(Narrowed {
        whole: all(&l, local) && all(&r, remote),
        first_choice: first(&l, local) && first(&r, remote),
        additional_possible,
        local: l,
        remote: r,
    })
}

/// What both have, in the order asked for, without what lies within another.
fn widest(side: &[SelectorRecord]) -> Vec<Selector> {
    let mut out: Vec<Selector> = Vec::new();
    for selector in side.iter().flat_map(|record| &record.common) {
        if !out.iter().any(|s| s.contains(selector)) {
            out.retain(|s| !selector.contains(s));
            out.push(*selector);
        }
    }
    out
}

/// The one selector that holds the first thing asked for, as far as we have it; else the first.
fn one_of(side: &[SelectorRecord], granted: &[Selector]) -> Option<Selector> {
    let wanted = side.first().and_then(|record| record.common.first());
    let holds = |s: &&Selector| wanted.is_some_and(|wanted| s.contains(wanted));
    granted
        .iter()
        .find(holds)
        .or_else(|| granted.first())
        .copied()
}

fn bounded(list: Vec<Selector>) -> Option<Selectors> {
    Selectors::new(list.into_iter().take(Selectors::MAX))
}

/// How well what is granted fits what was asked for, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    /// The request is for exactly what is configured.
    Exact,
    /// All of the request is granted, and more is configured.
    Whole,
    /// A part is granted, and with it the first selector of each side: where a packet has led to the
    /// request that is the packet's.
    First,
    /// A part is granted.
    Part,
}

impl Narrowed {
    /// Compares the request with what it was narrowed to.
    #[must_use]
    pub fn closeness(
        &self,
        policy: &NarrowPolicy<'_>,
        asked_local: &Selectors,
        asked_remote: &Selectors,
    ) -> Closeness {
        if policy.local.is_same(asked_local) && policy.remote.is_same(asked_remote) {
            Closeness::Exact
        } else if self.whole {
            Closeness::Whole
        } else if self.first_choice {
            Closeness::First
        } else {
            Closeness::Part
        }
    }
}

/// Initiator: whether an answer keeps within what was asked for.
#[must_use]
pub fn keeps_within(offered: &Selectors, answered: &Selectors) -> bool {
    offered.contains(answered)
}

/// The selectors of addresses of a TS payload; other types are left out (RFC 7296 §2.9). `None`
/// when none is left, or more than [`Selectors::MAX`] are there.
#[must_use]
pub fn from_wire(payload: &TrafficSelectors<'_>) -> Option<Selectors> {
    Selectors::new(addresses(payload))
}

/// Responder: the first [`Selectors::MAX`] of the selectors of a request. The others are narrowed
/// away.
#[must_use]
pub fn asked(payload: &TrafficSelectors<'_>) -> Option<Selectors> {
    Selectors::new(addresses(payload).take(Selectors::MAX))
}

fn addresses(payload: &TrafficSelectors<'_>) -> impl Iterator<Item = Selector> {
    payload.ranges().filter_map(|ts: TrafficSelector| {
        let range = Selector::range(ts.start, ts.end)?;
        Some(range.with_ports(ts.protocol, ts.ports.to_wire()))
    })
}

/// A TS payload's selectors.
#[must_use]
pub fn to_wire(selectors: &Selectors) -> Vec<TrafficSelector> {
    let ports = |ports| match ports {
        Selector::OPAQUE => Ports::Opaque,
        (first, last) => Ports::Range(first, last),
    };
    let selector = |s: &Selector| TrafficSelector {
        protocol: s.protocol,
        ports: ports(s.ports),
        start: s.start(),
        end: s.end(),
    };
    selectors.iter().map(selector).collect()
}

#[cfg(test)]
mod tests;
