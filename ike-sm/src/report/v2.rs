//! What is said about IKEv2 alone.

use alloc::string::{String, ToString};
use core::fmt::{self, Formatter};

use super::cisco::Tag;
use super::json::Object;
use crate::event::AuthRecord;
use crate::policy::narrow::{NarrowRecord, SelectorRecord};
use crate::policy::v2::{ProposalRecord, Transform, TypeRecord, WhatWouldMatch};

/// `ENCR_AES_CBC-256 ENCR_3DES`.
struct Values<'a>(&'a [Transform]);

impl fmt::Display for Values<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for (n, t) in self.0.iter().enumerate() {
            write!(f, "{}{t}", if n == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

pub(super) fn cisco_proposal(
    f: &mut Formatter<'_>,
    tag: &Tag<'_>,
    r: &ProposalRecord,
) -> fmt::Result {
    writeln!(
        f,
        "{tag}{}: checking received proposal {} ({}) against proposal {}",
        r.subject, r.theirs, r.protocol, r.ours
    )?;
    for t in &r.types {
        writeln!(f, "{tag}  {}: received {}", t.kind, Values(&t.theirs))?;
        writeln!(f, "{tag}  {}: expected {}", t.kind, Values(&t.ours))?;
        match &t.chosen {
            Some(chosen) => writeln!(f, "{tag}  {}: {chosen}", t.kind)?,
            None => writeln!(f, "{tag}  {}: no match", t.kind)?,
        }
    }
    match r.fault {
        None => writeln!(f, "{tag}proposal is acceptable"),
        Some(fault) => writeln!(f, "{tag}proposal is not acceptable: {fault}"),
    }
}

pub(super) fn cisco_would_match(
    f: &mut Formatter<'_>,
    tag: &Tag<'_>,
    w: &WhatWouldMatch,
) -> fmt::Result {
    writeln!(f, "{tag}{w}")
}

pub(super) fn cisco_auth(f: &mut Formatter<'_>, tag: &Tag<'_>, record: &AuthRecord) -> fmt::Result {
    writeln!(f, "{tag}{record}")
}

pub(super) fn json_auth(o: &mut Object<'_, '_>, record: &AuthRecord) -> fmt::Result {
    o.text("event", &"authentication")?;
    o.text("decision", record)?;
    o.raw("ok", &!record.is_failure())
}

pub(super) fn compact_proposal(f: &mut Formatter<'_>, n: u64, r: &ProposalRecord) -> fmt::Result {
    let ProposalRecord {
        subject,
        ours,
        theirs,
        ..
    } = r;
    write!(f, "IKE[{n}] {subject}: proposal {theirs} against {ours}: ")?;
    match r.fault {
        Some(fault) => write!(f, "{fault}"),
        None => {
            let mut chosen = r.types.iter().filter_map(|t| t.chosen.as_ref());
            chosen.next().map_or(Ok(()), |first| write!(f, "{first}"))?;
            chosen.try_for_each(|t| write!(f, " / {t}"))
        }
    }
}

fn names(list: &[Transform]) -> impl Iterator<Item = String> + '_ {
    list.iter().map(ToString::to_string)
}

pub(super) fn json_proposal(o: &mut Object<'_, '_>, r: &ProposalRecord) -> fmt::Result {
    o.text("event", &"proposal_compared")?;
    o.text("subject", &r.subject)?;
    o.raw("ours", &r.ours)?;
    o.raw("theirs", &r.theirs)?;
    o.text("protocol", &r.protocol)?;
    o.objects("types", r.types.iter(), |o, t: &TypeRecord| {
        o.text("type", &t.kind)?;
        o.list("ours", names(&t.ours))?;
        o.list("theirs", names(&t.theirs))?;
        t.chosen.map_or(Ok(()), |chosen| o.text("chosen", &chosen))
    })?;
    o.raw("acceptable", &r.fault.is_none())?;
    r.fault.map_or(Ok(()), |fault| o.text("because", &fault))
}

pub(super) fn json_would_match(o: &mut Object<'_, '_>, w: &WhatWouldMatch) -> fmt::Result {
    o.text("event", &"would_match")?;
    o.text("subject", &w.subject)?;
    o.raw("ours", &w.ours)?;
    o.raw("theirs", &w.theirs)?;
    o.objects("changes", w.changes.iter(), |o, c| {
        o.text("type", &c.kind)?;
        c.here.map_or(Ok(()), |t| o.text("we_accept", &t))?;
        c.weak.map_or(Ok(()), |weak| o.text("permit_weak", &weak))?;
        c.there.map_or(Ok(()), |t| o.text("peer_offers", &t))
    })?;
    o.text("text", w)
}

pub(super) fn cisco_narrowed(
    f: &mut Formatter<'_>,
    tag: &Tag<'_>,
    r: &NarrowRecord,
) -> fmt::Result {
    for (side, records) in [("local", &r.local), ("remote", &r.remote)] {
        for record in records {
            write!(f, "{tag}{}: {side} asked {}:", r.child, record.asked)?;
            if record.common.is_empty() {
                f.write_str(" nothing")?;
            }
            record.common.iter().try_for_each(|s| write!(f, " {s}"))?;
            writeln!(f)?;
        }
    }
    match &r.granted {
        Some((local, remote)) => writeln!(f, "{tag}{}: granted {local} === {remote}", r.child),
        None => writeln!(f, "{tag}{}: traffic selectors not acceptable", r.child),
    }
}

pub(super) fn compact_narrowed(f: &mut Formatter<'_>, n: u64, r: &NarrowRecord) -> fmt::Result {
    match &r.granted {
        Some((local, remote)) => write!(f, "IKE[{n}] {}: {local} === {remote}", r.child),
        None => write!(f, "IKE[{n}] {}: no selector in common", r.child),
    }
}

pub(super) fn json_narrowed(o: &mut Object<'_, '_>, r: &NarrowRecord) -> fmt::Result {
    o.text("event", &"selectors_narrowed")?;
    o.text("child", &r.child)?;
    for (side, records) in [("local", &r.local), ("remote", &r.remote)] {
        o.objects(side, records.iter(), |o, record: &SelectorRecord| {
            o.text("asked", &record.asked)?;
            o.list("common", record.common.iter().map(ToString::to_string))
        })?;
    }
    if let Some((local, remote)) = &r.granted {
        o.list("granted_local", local.iter().map(ToString::to_string))?;
        o.list("granted_remote", remote.iter().map(ToString::to_string))?;
    }
    o.raw("ok", &r.granted.is_some())
}
