//! One JSON object per record (RFC 8259), made without a serializer: keys are fixed, values are
//! numbers, booleans or escaped strings.

use alloc::format;
use alloc::string::ToString;
use core::fmt::{self, Display, Formatter, Write};

use super::{Json, words};
use crate::event::{DpdStep, Packet, What};
use crate::policy::Attribute;

impl Display for Json<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let record = self.0;
        let mut o = Object { f, first: true };
        let at = record.at;
        o.f.write_char('{')?;
        o.raw("at", &format!("{}.{:06}", at.as_secs(), at.subsec_micros()))?;
        if let Some(ike) = record.ike {
            o.raw("ike", &ike.number())?;
        }
        fields(&mut o, &record.what)?;
        f.write_char('}')
    }
}

pub(super) struct Object<'a, 'f> {
    f: &'a mut Formatter<'f>,
    first: bool,
}

impl Object<'_, '_> {
    fn key(&mut self, key: &str) -> fmt::Result {
        if !self.first {
            self.f.write_char(',')?;
        }
        self.first = false;
        write!(self.f, "\"{key}\":")
    }

    /// A value that is JSON as it prints: numbers and booleans.
    pub(super) fn raw(&mut self, key: &str, value: &dyn Display) -> fmt::Result {
        self.key(key)?;
        write!(self.f, "{value}")
    }

    pub(super) fn text(&mut self, key: &str, value: &dyn Display) -> fmt::Result {
        self.key(key)?;
        string(self.f, &value.to_string())
    }

    pub(super) fn list(
        &mut self,
        key: &str,
        items: impl Iterator<Item = alloc::string::String>,
    ) -> fmt::Result {
        self.key(key)?;
        self.f.write_char('[')?;
        for (n, item) in items.enumerate() {
            if n > 0 {
                self.f.write_char(',')?;
            }
            string(self.f, &item)?;
        }
        self.f.write_char(']')
    }
}

impl Object<'_, '_> {
    /// A list of objects, each filled by `fill`.
    pub(super) fn objects<T>(
        &mut self,
        key: &str,
        items: impl Iterator<Item = T>,
        fill: impl Fn(&mut Object<'_, '_>, T) -> fmt::Result,
    ) -> fmt::Result {
        self.key(key)?;
        self.f.write_char('[')?;
        for (n, item) in items.enumerate() {
            self.f.write_str(if n == 0 { "{" } else { ",{" })?;
            let mut inner = Object {
                f: &mut *self.f,
                first: true,
            };
            fill(&mut inner, item)?;
            self.f.write_char('}')?;
        }
        self.f.write_char(']')
    }
}

fn string(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            c if c.is_control() => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    write!(f, "\\u{unit:04x}")?;
                }
            }
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

fn fields(o: &mut Object<'_, '_>, what: &What) -> fmt::Result {
    match what {
        What::Received(p) => packet(o, "received", p),
        What::Sent(p) => packet(o, "sent", p),
        What::Repeated { step, attempt } => {
            o.text("event", &"repeated")?;
            o.text("step", step)?;
            o.raw("attempt", attempt)
        }
        What::Transition(t) => {
            o.text("event", &"transition")?;
            o.text("input", &t.input)?;
            o.text("from", &t.from)?;
            o.text("to", &t.to)?;
            t.message_id.map_or(Ok(()), |id| o.raw("message_id", &id))
        }
        What::Processing {
            payload,
            message_id,
        } => {
            o.text("event", &"processing")?;
            o.text("payload", &words::payload(*payload))?;
            o.raw("message_id", message_id)
        }
        What::PskLookup { peer, found } => {
            o.text("event", &"psk_lookup")?;
            o.text("peer", peer)?;
            o.text("found", &format!("{found:?}").to_lowercase())
        }
        What::TransformCheck(c) => {
            o.text("event", &"transform_check")?;
            o.raw("transform", &c.transform)?;
            o.raw("policy", &c.policy)?;
            attributes(o, &c.attributes, words::phase1_attribute)?;
            verdict(o, c.verdict.as_ref())?;
            o.raw("mismatches", &c.mismatches.len())?;
            o.raw("next_payload", &c.next_payload)?;
            c.duplicate_of
                .map_or(Ok(()), |of| o.raw("duplicate_of", &of))
        }
        What::ProposalCheck(c) => {
            o.text("event", &"proposal_check")?;
            o.text("child", &c.child)?;
            o.raw("proposal", &c.proposal)?;
            o.raw("protocol", &c.protocol)?;
            o.raw("transform", &c.transform)?;
            o.text(
                "transform_id",
                &words::transform(c.protocol, c.transform_id),
            )?;
            attributes(o, &c.attributes, words::phase2_attribute)?;
            verdict(o, c.verdict.as_ref())
        }
        What::ProposalCompared(r) => super::v2::json_proposal(o, r),
        What::WouldMatch(w) => super::v2::json_would_match(o, w),
        What::SelectorsNarrowed(r) => super::v2::json_narrowed(o, r),
        What::Auth(r) => super::v2::json_auth(o, r),
        What::SelectorCheck(c) => {
            o.text("event", &"selector_check")?;
            o.text("child", &c.child)?;
            o.text("local", &c.local)?;
            o.text("remote", &c.remote)?;
            o.raw("ok", &c.ok)
        }
        What::ChildRefused(r) => {
            o.text("event", &"child_refused")?;
            o.text("child", &r.child)?;
            o.text("because", &r.why)
        }
        What::SelectorsTaken(t) => {
            o.text("event", &"selectors_taken")?;
            o.text("child", &t.child)?;
            o.text("remote", &t.remote)?;
            o.text("holder", &t.holder)?;
            o.text("holder_peer", &t.holder_peer)?;
            o.text("holder_child", &t.holder_child)?;
            o.text("holder_remote", &t.holder_remote)
        }
        What::Phase1Suite(s) => {
            o.text("event", &"phase1_suite")?;
            o.raw("policy", &s.policy.priority)?;
            o.text("encryption", &s.policy.encryption)?;
            o.text("hash", &s.policy.hash)?;
            o.text(
                "authentication",
                &words::authentication(s.policy.authentication),
            )?;
            o.text("group", &s.policy.group)?;
            o.raw("offered_seconds", &s.offered.time.as_secs())?;
            o.raw("seconds", &s.lifetime.time.as_secs())
        }
        What::VendorId { name } => {
            o.text("event", &"vendor_id")?;
            o.text("name", name)
        }
        What::NatDetection(n) => {
            o.text("event", &"nat_detection")?;
            o.text("side", &if n.ours { "ours" } else { "theirs" })?;
            o.raw("matches", &n.matches)?;
            o.raw("payload", &n.payload.number())
        }
        What::KeysDerived => o.text("event", &"keys_derived"),
        What::Identity(id) => {
            o.text("event", &"identity")?;
            o.raw("ours", &id.ours)?;
            o.text("type", &id.identity.type_name())?;
            o.text("identity", &id.identity)?;
            o.raw("protocol", &id.protocol)?;
            o.raw("port", &id.port)
        }
        What::Authenticated { peer, ok } => {
            o.text("event", &"authenticated")?;
            o.text("peer", peer)?;
            o.raw("ok", ok)
        }
        What::ExchangeBegan { message_id } => {
            o.text("event", &"exchange_began")?;
            o.raw("message_id", message_id)
        }
        What::ExchangeEnded {
            message_id,
            error,
            reason,
        } => {
            o.text("event", &"exchange_ended")?;
            o.raw("message_id", message_id)?;
            o.raw("error", error)?;
            o.text("reason", reason)
        }
        What::Notified {
            version,
            notify,
            authenticated,
            message_id,
        } => {
            o.text("event", &"notified")?;
            o.text("notify", &words::notify(*version, *notify))?;
            o.raw("type", notify)?;
            o.raw("authenticated", authenticated)?;
            o.raw("message_id", message_id)
        }
        What::SpiWanted { count } => {
            o.text("event", &"spi_wanted")?;
            o.raw("count", count)
        }
        What::ChildCreated(c) => {
            o.text("event", &"child_created")?;
            o.raw("id", &c.child.number())?;
            o.text("child", &c.name)?;
            o.text("spi_in", &format!("{:#010x}", c.spi_in))?;
            o.text("spi_out", &format!("{:#010x}", c.spi_out))?;
            o.text("suite", &c.suite)?;
            o.text("mode", &format!("{:?}", c.mode).to_lowercase())?;
            o.raw("udp_encapsulation", &c.udp_encapsulation)?;
            o.text("local", &c.local)?;
            o.text("remote", &c.remote)?;
            o.text("path", &c.path)?;
            o.raw("seconds", &c.lifetime.time.as_secs())?;
            c.lifetime
                .kilobytes
                .map_or(Ok(()), |kb| o.raw("kilobytes", &kb))?;
            c.replaces
                .map_or(Ok(()), |id| o.raw("replaces", &id.number()))
        }
        What::ChildClosed {
            child,
            spi_in,
            reason,
        } => {
            o.text("event", &"child_closed")?;
            o.raw("id", &child.number())?;
            o.text("spi_in", &format!("{spi_in:#010x}"))?;
            o.text("reason", &words::close(*reason))
        }
        What::IkeClosed {
            version,
            peer,
            reason,
        } => {
            o.text("event", &"ike_closed")?;
            o.text("peer", peer)?;
            o.text("reason", &words::Closed(*reason, *version))
        }
        What::Dpd(step) => dpd(o, *step),
        What::Deadline { due, why } => {
            o.text("event", &"deadline")?;
            o.raw(
                "due",
                &format!("{}.{:06}", due.as_secs(), due.subsec_micros()),
            )?;
            o.text("why", why)
        }
        What::Dropped { path, reason } => {
            o.text("event", &"dropped")?;
            if let Some(path) = path {
                o.text("path", path)?;
            }
            o.text("reason", reason)
        }
        What::Notice(notice) => {
            o.text("event", &"notice")?;
            let mut text = alloc::string::String::new();
            words::notice(&mut text, notice)?;
            o.text("text", &text)
        }
    }
}

fn packet(o: &mut Object<'_, '_>, event: &str, p: &Packet) -> fmt::Result {
    o.text("event", &event)?;
    o.text("local", &p.path.local)?;
    o.text("remote", &p.path.remote)?;
    o.raw("natt", &p.path.natt)?;
    if let Some(role) = p.role {
        o.text("role", &role.letter())?;
    }
    o.text("state", &p.state)?;
    o.text("step", &p.step)?;
    o.raw("message_id", &p.message_id)?;
    o.list(
        "payloads",
        p.payloads
            .as_slice()
            .iter()
            .map(|t| words::payload(*t).to_string()),
    )?;
    o.raw("length", &p.len)
}

type AttributeWords = fn(&mut Formatter<'_>, &Attribute) -> fmt::Result;

fn attributes(o: &mut Object<'_, '_>, list: &[Attribute], words: AttributeWords) -> fmt::Result {
    struct Words<'a>(&'a Attribute, AttributeWords);
    impl Display for Words<'_> {
        fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
            (self.1)(f, self.0)
        }
    }
    o.list(
        "attributes",
        list.iter().map(|a| Words(a, words).to_string()),
    )
}

fn verdict(o: &mut Object<'_, '_>, verdict: Option<&crate::policy::Mismatch>) -> fmt::Result {
    o.raw("acceptable", &verdict.is_none())?;
    verdict.map_or(Ok(()), |m| o.text("because", m))
}

fn dpd(o: &mut Object<'_, '_>, step: DpdStep) -> fmt::Result {
    o.text("event", &"dpd")?;
    match step {
        DpdStep::Asked {
            sequence,
            silent,
            attempt,
        } => {
            o.text("step", &"asked")?;
            o.raw("sequence", &sequence)?;
            o.raw("silent_seconds", &silent.as_secs())?;
            o.raw("attempt", &attempt)
        }
        DpdStep::Answered { sequence } => {
            o.text("step", &"answered")?;
            o.raw("sequence", &sequence)
        }
        DpdStep::AnsweredPeer { sequence } => {
            o.text("step", &"answered_peer")?;
            o.raw("sequence", &sequence)
        }
        DpdStep::Dead => o.text("step", &"dead"),
    }
}
