//! One short line per message, as small routers print it.

use core::fmt::{self, Display, Formatter};

use super::cisco::Refused;
use super::{Compact, words};
use crate::event::{DpdStep, Packet, PskFound, What};

impl Display for Compact<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let n = self.0.ike.map_or(0, |id| id.number());
        match &self.0.what {
            What::Received(p) => packet(f, n, "Rx <<", p),
            What::Sent(p) => packet(f, n, "Tx >>", p),
            What::Repeated { step, attempt } => {
                write!(f, "IKE[{n}] Tx >> {step} again ({attempt})")
            }
            What::Phase1Suite(s) => write!(
                f,
                "IKE[{n}] ISAKMP SA {} / {} / {} / {} / {} sec (*{} sec)",
                words::cipher(s.policy.encryption),
                words::hash(s.policy.hash),
                words::authentication(s.policy.authentication),
                s.policy.group,
                s.offered.time.as_secs(),
                s.lifetime.time.as_secs(),
            ),
            What::TransformCheck(c) if c.verdict.is_some() => {
                write!(
                    f,
                    "IKE[{n}] transform {} against policy {}: ",
                    c.transform, c.policy
                )?;
                c.verdict
                    .map_or(Ok(()), |verdict| write!(f, "{}", Refused(verdict)))
            }
            What::ProposalCheck(c) if c.verdict.is_some() => {
                write!(
                    f,
                    "IKE[{n}] proposal {} transform {} against {}: ",
                    c.proposal, c.transform, c.child
                )?;
                c.verdict.map_or(Ok(()), |verdict| {
                    write!(f, "{verdict} does not match policy")
                })
            }
            What::ProposalCompared(r) => super::v2::compact_proposal(f, n, r),
            What::WouldMatch(w) => write!(f, "IKE[{n}] {w}"),
            What::SelectorsNarrowed(r) => super::v2::compact_narrowed(f, n, r),
            What::Auth(r) => write!(f, "IKE[{n}] {r}"),
            What::SelectorCheck(c) if !c.ok => {
                write!(
                    f,
                    "IKE[{n}] {} === {} does not match {}",
                    c.local, c.remote, c.child
                )
            }
            What::ChildRefused(r) => write!(f, "IKE[{n}] {} refused: {}", r.child, r.why),
            What::SelectorsTaken(t) => write!(f, "IKE[{n}] {t}"),
            What::PskLookup {
                peer,
                found: PskFound::No,
            } => {
                write!(f, "IKE[{n}] no pre-shared key for {peer}")
            }
            What::Authenticated { peer, ok: false } => {
                write!(f, "IKE[{n}] {peer} is NOT authenticated !")
            }
            What::NatDetection(c) if !c.matches => {
                let side = if c.ours { "our" } else { "the peer's" };
                write!(f, "IKE[{n}] NAT on {side} side")
            }
            What::ChildCreated(c) => {
                write!(
                    f,
                    "IKE[{n}] {} SA ",
                    if matches!(c.suite, crate::model::ChildSuite::Ah(_)) {
                        "AH"
                    } else {
                        "ESP"
                    }
                )?;
                write!(
                    f,
                    "{} / {} sec / SPI=[{:08x}:{:08x}]",
                    words::set(c.suite),
                    c.lifetime.time.as_secs(),
                    c.spi_out,
                    c.spi_in,
                )?;
                write!(
                    f,
                    "\nIKE[{n}] Set up {} with {} Success !",
                    c.name,
                    c.path.remote.ip()
                )
            }
            What::ChildClosed { spi_in, reason, .. } => {
                write!(
                    f,
                    "IKE[{n}] SA {spi_in:08x} removed: {}",
                    words::close(*reason)
                )
            }
            What::IkeClosed {
                version,
                peer,
                reason,
            } => {
                write!(
                    f,
                    "IKE[{n}] {} with {peer} ended: {}",
                    words::ike_sa(*version),
                    words::Closed(*reason, *version)
                )
            }
            What::Notified {
                version,
                notify,
                authenticated,
                ..
            } => {
                let trust = if *authenticated {
                    ""
                } else {
                    " (not authenticated: a hint at most)"
                };
                write!(
                    f,
                    "IKE[{n}] notified: {}{trust}",
                    words::notify(*version, *notify)
                )
            }
            What::Dpd(DpdStep::Dead) => write!(f, "IKE[{n}] peer is dead"),
            What::Dropped { path, reason } => {
                write!(f, "IKE[{n}] dropped")?;
                if let Some(path) = path {
                    write!(f, " from {}", path.remote.ip())?;
                }
                write!(f, ": {reason}")
            }
            What::Notice(notice) => {
                write!(f, "IKE[{n}] note: ")?;
                words::notice(f, notice)
            }
            _ => Ok(()),
        }
    }
}

fn packet(f: &mut Formatter<'_>, n: u64, arrow: &str, p: &Packet) -> fmt::Result {
    write!(f, "IKE[{n}] {arrow} {} : {} ", p.step, p.path.remote.ip())?;
    for (place, payload) in p.payloads.as_slice().iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        write!(f, "{comma}{}", words::payload(*payload))?;
    }
    if p.payloads.is_cut() {
        f.write_str(", ...")
    } else {
        Ok(())
    }
}
