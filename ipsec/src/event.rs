//! What the embedder hears of.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use ike_sm::config::v2::Assignment;
use ike_sm::explain::Record;
use ike_sm::{ChildId, CloseReason, IkeId, KeyLog, Path, Route};

use crate::data::NotInstalled;

/// Something has happened. No event asks for anything, apart from routes where the embedder has
/// configured them.
///
/// For a log, an event is displayed as a whole line, its line feed included, or as nothing where it is a
/// report of detail. A program that puts something before each line looks first:
///
/// ```
/// # fn log(event: &ipsec::Event) {
/// let text = event.to_string();
/// if !text.is_empty() {
///     print!("tunnels: {text}");
/// }
/// # }
/// ```
///
/// There are no reports where [`Config::explain`](ike_sm::config::Config::explain) is off; the other
/// events always come.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// An IKE SA is up: the peer is authenticated.
    IkeUp {
        /// Which.
        ike: IkeId,
        /// The peer's name in the configuration.
        peer: String,
        /// Where it runs.
        path: Path,
        /// The IKE SA whose place it takes, if it does.
        replaces: Option<IkeId>,
    },
    /// An IKE SA, or the attempt at one, has ended.
    IkeDown {
        /// Which.
        ike: IkeId,
        /// The peer's name in the configuration.
        peer: String,
        /// Why.
        reason: CloseReason,
    },
    /// Packets leave through a pair of IPsec SAs.
    ChildUp {
        /// Which.
        child: ChildId,
        /// The IKE SA that negotiated it.
        ike: IkeId,
        /// The peer's name in the configuration.
        peer: String,
        /// The child's name in the configuration.
        name: String,
        /// The pair whose place it takes, if it does.
        replaces: Option<ChildId>,
    },
    /// A pair of IPsec SAs is deleted, whether packets ever left through it or not.
    ChildDown {
        /// Which.
        child: ChildId,
        /// The peer's name in the configuration.
        peer: String,
        /// The child's name in the configuration.
        name: String,
        /// Why.
        reason: CloseReason,
    },
    /// The negotiation of a child ended before anything was installed. The packets that waited for it
    /// are dropped.
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
    /// A pair of IPsec SAs was negotiated that the data plane cannot carry. It is deleted again.
    NotInstalled {
        /// Which.
        child: ChildId,
        /// The child's name in the configuration.
        name: String,
        /// Why.
        why: NotInstalled,
    },
    /// The peer answers no more. Its SAs end with further events.
    PeerDead {
        /// The peer's name in the configuration.
        peer: String,
        /// The address that is tried next, if one is.
        next: Option<SocketAddr>,
    },
    /// What came to nothing is tried again.
    NextAttempt {
        /// The peer's name in the configuration.
        peer: String,
        /// The name of the child that is asked for again; none where an IKE SA is.
        child: Option<String>,
        /// When, on the caller's clock.
        at: Duration,
    },
    /// The peer has assigned addresses inside the tunnel to us.
    Assigned {
        /// The IKE SA that they belong to.
        ike: IkeId,
        /// The peer's name in the configuration.
        peer: String,
        /// What we got.
        assignment: Assignment,
    },
    /// Route what the far selector covers to the peer (reverse route injection).
    AddRoute(Route),
    /// Withdraw a route that was added.
    DelRoute(Route),
    /// The MTU of an outer path is another.
    PathMtu {
        /// The pair of IPsec SAs that has learnt it; none where a learnt value was too old.
        child: Option<ChildId>,
        /// The ends of the path.
        path: (IpAddr, IpAddr),
        /// Octets before.
        old: u16,
        /// Octets now.
        new: u16,
    },
    /// Somebody said that packets to this peer are too big, and quoted what was never sent.
    ForgedPathMtu {
        /// The ends of the path.
        path: (IpAddr, IpAddr),
        /// Source of the message.
        from: IpAddr,
        /// MTU that it claimed, octets.
        mtu: u16,
    },
    /// What was compared, decided, dropped, or changed state.
    Report(Box<Record>),
    /// Keys, for a reader of captures.
    KeyLog(KeyLog),
}

impl fmt::Display for Event {
    /// A line for a log, ended by a line feed; nothing for a report that the compact style does not
    /// show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line { f, begun: false };
        self.write(&mut line)?;
        if line.begun {
            f.write_str("\n")
        } else {
            Ok(())
        }
    }
}

/// A line, and whether anything stands on it.
struct Line<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    begun: bool,
}

impl fmt::Write for Line<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.begun |= !text.is_empty();
        self.f.write_str(text)
    }
}

impl Event {
    fn write(&self, f: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::IkeUp {
                ike,
                peer,
                path,
                replaces,
            } => {
                write!(f, "{peer}: {ike} is up, {path}")?;
                replaces.map_or(Ok(()), |old| write!(f, ", in place of {old}"))
            }
            Self::IkeDown { ike, peer, reason } => write!(f, "{peer}: {ike} is down: {reason:?}"),
            Self::ChildUp {
                child,
                peer,
                name,
                replaces,
                ..
            } => {
                write!(f, "{peer}: {name} is up ({child})")?;
                replaces.map_or(Ok(()), |old| write!(f, ", in place of {old}"))
            }
            Self::ChildDown {
                child,
                peer,
                name,
                reason,
            } => write!(f, "{peer}: {name} is down ({child}): {reason:?}"),
            Self::ChildFailed {
                peer, name, reason, ..
            } => write!(f, "{peer}: {name} failed: {reason:?}"),
            Self::NotInstalled { name, why, .. } => write!(f, "{name} was not installed: {why}"),
            Self::PeerDead { peer, next } => {
                write!(f, "{peer}: does not answer")?;
                next.map_or(Ok(()), |next| write!(f, ", {next} is next"))
            }
            Self::NextAttempt { peer, child, at } => {
                let what = child.as_deref().unwrap_or("IKE");
                write!(f, "{peer}: {what} is tried again at {at:?}")
            }
            Self::Assigned { peer, .. } => write!(f, "{peer}: has assigned addresses"),
            Self::AddRoute(route) => write!(f, "route to {} via {}", route.destination, route.via),
            Self::DelRoute(route) => write!(f, "no route to {} any more", route.destination),
            Self::PathMtu { path, old, new, .. } => {
                write!(f, "path to {}: MTU {new} instead of {old}", path.1)
            }
            Self::ForgedPathMtu { path, from, mtu } => {
                let what = "quotes a packet that was not sent";
                write!(f, "path to {}: {from} claims MTU {mtu} and {what}", path.1)
            }
            #[cfg(feature = "render")]
            Self::Report(record) => write!(f, "{}", record.compact()),
            #[cfg(not(feature = "render"))]
            Self::Report(_) => Ok(()),
            // Secrets stand in no log.
            Self::KeyLog(_) => f.write_str("keys"),
        }
    }
}
