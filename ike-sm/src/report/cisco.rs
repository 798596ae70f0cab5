//! The words of IOS debug output.

use core::fmt::{self, Display, Formatter, Write};
use core::net::IpAddr;

use super::{Cisco, words};
use crate::event::{
    ChildSummary, DpdStep, IdentityShown, NatCheck, Notice, Packet, PskFound, Record,
    SelectorCheck, Transition, What,
};
use crate::model::{IkeVersion, Mode, Selector, Selectors};
use crate::policy::{Mismatch, ProposalCheck, TransformCheck};

impl Display for Cisco<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let tag = Tag(self.0);
        match &self.0.what {
            What::Received(p) => received(f, &tag, p),
            What::Sent(p) => sent(f, &tag, p),
            What::Repeated { step, attempt } => {
                writeln!(
                    f,
                    "{tag}retransmitting phase {} {}...",
                    phase(step.name()),
                    step
                )?;
                writeln!(
                    f,
                    "{tag}incrementing error counter on sa: retransmit attempt {attempt}"
                )
            }
            What::Transition(t) => transition(f, &tag, t),
            What::Processing {
                payload,
                message_id,
            } => {
                let name = words::payload(*payload);
                writeln!(
                    f,
                    "{tag}processing {name} payload. message ID = {}",
                    signed(*message_id)
                )
            }
            What::PskLookup { peer, found } => psk(f, &tag, *peer, *found),
            What::TransformCheck(c) => transform(f, &tag, c),
            What::ProposalCheck(c) => proposal(f, &tag, c),
            What::ProposalCompared(r) => super::v2::cisco_proposal(f, &tag, r),
            What::WouldMatch(w) => super::v2::cisco_would_match(f, &tag, w),
            What::SelectorsNarrowed(r) => super::v2::cisco_narrowed(f, &tag, r),
            What::Auth(r) => super::v2::cisco_auth(f, &tag, r),
            What::SelectorCheck(c) => selectors(f, &tag, c),
            What::ChildRefused(r) => {
                writeln!(
                    f,
                    "IPSEC(ipsec_process_proposal): child {} refused: {}",
                    r.child, r.why
                )
            }
            What::SelectorsTaken(t) => writeln!(f, "{tag}{t}"),
            What::Phase1Suite(s) => {
                let p = &s.policy;
                writeln!(
                    f,
                    "{tag}{} / {} / {} / {} / {} sec (*{} sec)",
                    words::cipher(p.encryption),
                    words::hash(p.hash),
                    words::authentication(p.authentication),
                    p.group,
                    s.offered.time.as_secs(),
                    s.lifetime.time.as_secs(),
                )
            }
            What::VendorId { name } => writeln!(f, "{tag}vendor ID is {name}"),
            What::NatDetection(n) => nat(f, &tag, n),
            What::KeysDerived => writeln!(f, "{tag}SKEYID state generated"),
            What::Identity(id) => identity(f, &tag, id),
            What::Authenticated { peer, ok } => {
                let word = if *ok {
                    "authenticated"
                } else {
                    "authentication failed"
                };
                writeln!(f, "{tag}SA authentication status:\n {word}")?;
                let not = if *ok { "" } else { "not " };
                writeln!(f, "{tag}SA has {not}been authenticated with {peer}")
            }
            What::ExchangeBegan { message_id } => {
                let (who, node) = (Bare(self.0), signed(*message_id));
                writeln!(f, "{who}: set new node {node} to QM_IDLE")
            }
            What::ExchangeEnded {
                message_id,
                error,
                reason,
            } => {
                let error = if *error { "TRUE" } else { "FALSE" };
                let node = signed(*message_id);
                writeln!(
                    f,
                    "{tag}deleting node {node} error {error} reason \"{reason}\""
                )
            }
            What::Notified {
                version,
                notify,
                authenticated,
                message_id,
            } => {
                let name = words::notify(*version, *notify);
                let trust = if *authenticated {
                    ""
                } else {
                    " (not authenticated)"
                };
                let id = signed(*message_id);
                writeln!(f, "{tag}processing NOTIFY {name}{trust}, message ID = {id}")
            }
            What::SpiWanted { count } => writeln!(f, "{tag}asking for {count} spis from ipsec"),
            What::ChildCreated(c) => created(f, &tag, c),
            What::ChildClosed { spi_in, reason, .. } => {
                let reason = words::close(*reason);
                writeln!(
                    f,
                    "IPSEC(delete_sa): deleting SA, sa_spi= {}: {reason}",
                    Spi(*spi_in)
                )
            }
            What::IkeClosed {
                version,
                peer,
                reason,
            } => {
                let reason = words::Closed(*reason, *version);
                writeln!(f, "{tag}deleting SA reason \"{reason}\" (peer {peer})")
            }
            What::Dpd(step) => dpd(f, &tag, *step),
            What::Deadline { due, why } => {
                writeln!(
                    f,
                    "{tag}timer set for {}.{:03} s: {why}",
                    due.as_secs(),
                    due.subsec_millis()
                )
            }
            What::Dropped { path, reason } => {
                write!(f, "{}: dropped", Bare(self.0))?;
                if let Some(path) = path {
                    write!(f, " packet from {}", path.remote.ip())?;
                }
                writeln!(f, ": {reason}")
            }
            What::Notice(n) => notice(f, &tag, n),
        }
    }
}

/// `ISAKMP (0:709): `, with the number of the SA, 0 when there is none; in IKEv2
/// `IKEv2:(SESSION ID = 709,SA ID = 709):`. A session is an SA here.
pub(super) struct Tag<'a>(pub(super) &'a Record);

impl Display for Tag<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let n = self.0.ike.map_or(0, |id| id.number());
        match self.0.version {
            Some(IkeVersion::V2) => write!(f, "IKEv2:(SESSION ID = {n},SA ID = {n}):"),
            _ => write!(f, "ISAKMP (0:{n}): "),
        }
    }
}

/// Who says what belongs to no SA.
struct Bare<'a>(&'a Record);

impl Display for Bare<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.version {
            Some(IkeVersion::V2) => "IKEv2",
            _ => "ISAKMP",
        })
    }
}

/// The number as the field prints message ids and some SPIs: signed.
pub(super) fn signed(number: u32) -> i32 {
    number.cast_signed()
}

/// `0x52B905BC(1387857340)`.
pub(crate) struct Spi(pub(crate) u32);

impl Display for Spi {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:X}({})", self.0, self.0)
    }
}

fn phase(step: &str) -> u8 {
    if step.starts_with("MM") || step.starts_with("AM") {
        1
    } else {
        2
    }
}

fn received(f: &mut Formatter<'_>, tag: &Tag<'_>, p: &Packet) -> fmt::Result {
    let (local, remote) = (p.path.local, p.path.remote);
    write!(f, "{tag}received packet from {} ", remote.ip())?;
    write!(f, "dport {} sport {} Global ", local.port(), remote.port())?;
    match p.role {
        None => writeln!(f, "(N) NEW SA"),
        Some(role) => writeln!(f, "({}) {}", role.letter(), p.state.show()),
    }
}

fn sent(f: &mut Formatter<'_>, tag: &Tag<'_>, p: &Packet) -> fmt::Result {
    let (local, remote) = (p.path.local, p.path.remote);
    let role = p.role.map_or('I', crate::model::Role::letter);
    writeln!(
        f,
        "{tag}sending packet to {} my_port {} peer_port {} ({role}) {}",
        remote.ip(),
        local.port(),
        remote.port(),
        p.state.show(),
    )
}

fn transition(f: &mut Formatter<'_>, tag: &Tag<'_>, t: &Transition) -> fmt::Result {
    match t.message_id {
        Some(id) => writeln!(f, "{tag}Node {}, Input = {}", signed(id), t.input)?,
        None => writeln!(f, "{tag}Input = {}", t.input)?,
    }
    writeln!(f, "{tag}Old State = {}  New State = {}", t.from, t.to)
}

fn psk(f: &mut Formatter<'_>, tag: &Tag<'_>, peer: IpAddr, found: PskFound) -> fmt::Result {
    let word = match found {
        PskFound::Yes | PskFound::Wildcard => "success",
        PskFound::Asked => "asked",
        PskFound::No => "failed",
    };
    writeln!(
        f,
        "{}: Looking for a matching key for {peer} in default : {word}",
        Bare(tag.0)
    )?;
    match found {
        PskFound::Yes => writeln!(f, "{tag}found peer pre-shared key matching {peer}"),
        PskFound::Wildcard => {
            writeln!(
                f,
                "{tag}found peer pre-shared key matching {peer} by wildcard"
            )
        }
        PskFound::No => writeln!(f, "{tag}No pre-shared key with {peer}!"),
        PskFound::Asked => Ok(()),
    }
}

fn transform(f: &mut Formatter<'_>, tag: &Tag<'_>, c: &TransformCheck) -> fmt::Result {
    writeln!(
        f,
        "{tag}Checking ISAKMP transform {} against priority {} policy",
        c.transform, c.policy,
    )?;
    for attribute in &c.attributes {
        f.write_str("ISAKMP:      ")?;
        words::phase1_attribute(f, attribute)?;
        f.write_char('\n')?;
    }
    if let Some(verdict) = c.verdict {
        writeln!(f, "{tag}{}", Refused(verdict))?;
        writeln!(
            f,
            "{tag}atts are not acceptable. Next payload is {}",
            c.next_payload
        )
    } else {
        writeln!(
            f,
            "{tag}atts are acceptable. Next payload is {}",
            c.next_payload
        )
    }
}

/// The sentence that goes with a mismatch.
pub(super) struct Refused(pub(super) Mismatch);

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Mismatch::Encryption => {
                f.write_str("Encryption algorithm offered does not match policy!")
            }
            Mismatch::KeyLength => f.write_str("Proposed key length does not match policy"),
            Mismatch::Hash => f.write_str("Hash algorithm offered does not match policy!"),
            Mismatch::Authentication => {
                f.write_str("Authentication method offered does not match policy!")
            }
            Mismatch::Group => f.write_str("Diffie-Hellman group offered does not match policy!"),
            other => write!(f, "refused: {other}"),
        }
    }
}

fn proposal(f: &mut Formatter<'_>, tag: &Tag<'_>, c: &ProposalCheck) -> fmt::Result {
    writeln!(f, "{tag}Checking IPSec proposal {}", c.proposal)?;
    let name = words::transform(c.protocol, c.transform_id);
    writeln!(f, "ISAKMP: transform {}, {name}", c.transform)?;
    writeln!(f, "ISAKMP:   attributes in transform:")?;
    for attribute in &c.attributes {
        f.write_str("ISAKMP:      ")?;
        words::phase2_attribute(f, attribute)?;
        f.write_char('\n')?;
    }
    match c.verdict {
        None => writeln!(f, "{tag}atts are acceptable."),
        Some(verdict) => {
            writeln!(f, "{tag}atts are not acceptable: {verdict}")
        }
    }
}

fn selectors(f: &mut Formatter<'_>, tag: &Tag<'_>, c: &SelectorCheck) -> fmt::Result {
    let (local, remote) = (Proxies(&c.local), Proxies(&c.remote));
    if c.ok {
        writeln!(f, "IPSEC(validate_transform_proposal): child {}", c.child)?;
        writeln!(f, "    local_proxy= {local},\n    remote_proxy= {remote}")
    } else {
        writeln!(f, "{tag}proxy identities not supported by {}", c.child)?;
        writeln!(f, "    local_proxy= {local},\n    remote_proxy= {remote}")
    }
}

/// Proxies with commas between them.
struct Proxies<'a>(&'a Selectors);

impl Display for Proxies<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (place, selector) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            Display::fmt(&Proxy(selector), f)?;
        }
        Ok(())
    }
}

/// `192.168.100.0/255.255.255.0/0/0 (type=4)`.
struct Proxy<'a>(&'a Selector);

impl Display for Proxy<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        words::ident(f, self.0)?;
        let host = self.0.start() == self.0.end();
        let kind = match (self.0.start().is_ipv4(), host, self.0.prefix_len()) {
            (true, true, _) => 1,
            (true, false, Some(_)) => 4,
            (true, false, None) => 7,
            (false, true, _) => 5,
            (false, false, Some(_)) => 6,
            (false, false, None) => 8,
        };
        write!(f, " (type={kind})")
    }
}

fn nat(f: &mut Formatter<'_>, tag: &Tag<'_>, n: &NatCheck) -> fmt::Result {
    let payload = n.payload.number();
    writeln!(f, "{}:received payload type {payload}", Bare(tag.0))?;
    writeln!(f, "{tag}Detected NAT-D payload")?;
    let whose = if n.ours { "MINE" } else { "HIS" };
    let word = if n.matches { "match" } else { "does not match" };
    writeln!(f, "{tag}NAT {word} {whose} hash")
}

fn identity(f: &mut Formatter<'_>, tag: &Tag<'_>, id: &IdentityShown) -> fmt::Result {
    if id.ours {
        let name = id.identity.type_name();
        writeln!(
            f,
            "{tag}SA is doing pre-shared key authentication using id type {name}"
        )?;
    }
    writeln!(f, "{tag}ID payload")?;
    writeln!(f, "next-payload : {}", id.next_payload)?;
    writeln!(f, "type         : {}", id.identity.id_type())?;
    writeln!(f, "address      : {}", id.identity)?;
    writeln!(f, "protocol     : {}", id.protocol)?;
    writeln!(f, "port         : {}", id.port)?;
    writeln!(f, "length       : {}", id.length)
}

fn created(f: &mut Formatter<'_>, tag: &Tag<'_>, c: &ChildSummary) -> fmt::Result {
    let (us, them) = (c.path.local.ip(), c.path.remote.ip());
    let (local, remote) = (c.local.first().start(), c.remote.first().start());
    let seconds = c.lifetime.time.as_secs();
    writeln!(f, "{tag}Creating IPSec SAs")?;
    for (way, from, to, first, second, spi) in [
        ("inbound", them, us, remote, local, c.spi_in),
        ("outbound", us, them, local, remote, c.spi_out),
    ] {
        writeln!(
            f,
            "        {way} SA from {from} to {to} (proxy {first} to {second})"
        )?;
        writeln!(
            f,
            "        has spi {} and transform {}",
            Spi(spi),
            words::set(c.suite)
        )?;
        writeln!(f, "        lifetime of {seconds} seconds")?;
        if let Some(kilobytes) = c.lifetime.kilobytes {
            writeln!(f, "        lifetime of {kilobytes} kilobytes")?;
        }
    }
    let mode = match c.mode {
        Mode::Tunnel => "Tunnel",
        Mode::Transport => "Transport",
    };
    let udp = if c.udp_encapsulation {
        " UDP-Encaps"
    } else {
        ""
    };
    writeln!(
        f,
        "IPSEC(create_sa): sa created, {mode}{udp}, child {}",
        c.name
    )
}

fn dpd(f: &mut Formatter<'_>, tag: &Tag<'_>, step: DpdStep) -> fmt::Result {
    match step {
        DpdStep::Asked {
            sequence,
            silent,
            attempt,
        } => {
            if attempt <= 1 {
                let seconds = silent.as_secs();
                writeln!(
                    f,
                    "{tag}more than {seconds} seconds since last inbound data. Sending DPD."
                )?;
            }
            writeln!(f, "{tag}DPD Sequence number 0x{sequence:X}")
        }
        DpdStep::Answered { sequence } => {
            writeln!(
                f,
                "{tag}DPD/R_U_THERE_ACK received from peer, sequence 0x{sequence:X}"
            )
        }
        DpdStep::AnsweredPeer { sequence } => {
            writeln!(
                f,
                "{tag}DPD/R_U_THERE received from peer, sequence 0x{sequence:X}"
            )
        }
        DpdStep::Dead => writeln!(f, "{tag}peer does not answer DPD, it is dead"),
    }
}

fn notice(f: &mut Formatter<'_>, tag: &Tag<'_>, n: &Notice) -> fmt::Result {
    write!(f, "{tag}note: ")?;
    words::notice(f, n)?;
    f.write_char('\n')
}
